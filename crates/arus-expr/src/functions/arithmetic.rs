//! + - * / %, unary minus, MOD and ABS of numbers; intervals and times are handed on to `interval`.
//!
//! Integers wrap on overflow. Division by zero fails the row for integers and DECIMAL, and is infinite for floats. A
//! DECIMAL result beyond its precision is NULL.

use arrow::array::ArrayRef;
use arrow::compute::kernels::numeric;
use arrow::datatypes::{
    ArrowNativeTypeOp, ArrowPrimitiveType, DataType, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type,
    Int32Type, Int64Type, i256,
};
use arus_core::change::arrow_bug;
use arus_core::expr::Expr;
use arus_core::function::Argument;
use arus_core::{Datum, Error, Result, TypeKind};

use super::{Call, CompileCall, Compiled, Function, as_is, coerced, fallible, interval, safe};
use crate::typing::{adjusted, as_decimal, wider_integer};
use crate::value::{Cx, Numbers, Value, binary_numbers, numbers, unary_numbers};

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new(
        &["+"],
        "<NUMERIC> + <NUMERIC>, <DATETIME> + <INTERVAL>, <INTERVAL> + <DATETIME>, <INTERVAL> + <INTERVAL>",
        |args| interval::resolve_plus(args).or_else(|| resolve(args, Op::Plus)),
        |call| compile(call, Op::Plus),
    ),
    Function::new(
        &["-"],
        "<NUMERIC> - <NUMERIC>, <DATETIME> - <INTERVAL>, <INTERVAL> - <INTERVAL>",
        |args| interval::resolve_minus(args).or_else(|| resolve(args, Op::Minus)),
        |call| compile(call, Op::Minus),
    ),
    Function::new(
        &["*"],
        "<NUMERIC> * <NUMERIC>, <INTERVAL> * <NUMERIC>, <NUMERIC> * <INTERVAL>",
        |args| interval::resolve_times(args).or_else(|| resolve(args, Op::Times)),
        |call| compile(call, Op::Times),
    ),
    Function::new(&["/"], "<NUMERIC> / <NUMERIC>", |args| resolve(args, Op::Divide), |call| compile(call, Op::Divide)),
    Function::new(
        &["%", "MOD"],
        "<EXACT_NUMERIC> % <EXACT_NUMERIC>, MOD(<EXACT_NUMERIC>, <EXACT_NUMERIC>)",
        |args| resolve(args, Op::Modulo),
        |call| compile(call, Op::Modulo),
    ),
    Function::new(&["NEGATE"], "-<NUMERIC>, -<INTERVAL>", resolve_unary, compile_negate),
    Function::new(&["ABS"], "ABS(<NUMERIC>), ABS(<INTERVAL>)", resolve_unary, compile_abs),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Op {
    Plus,
    Minus,
    Times,
    Divide,
    Modulo,
}

fn resolve(args: &[Argument], op: Op) -> Option<Call> {
    let [a, b] = args else { return None };
    let (a, b) = (&a.ty.kind, &b.ty.kind);
    if !a.is_numeric() || !b.is_numeric() {
        return None;
    }
    if let Some(wide) = wider_integer(a, b) {
        // The remainder is smaller than the divisor, so it has the divisor's type.
        let result = if op == Op::Modulo { b } else { wide };
        return coerced(args, vec![wide.clone(); 2], result.clone());
    }
    if a.is_approximate() || b.is_approximate() {
        if op == Op::Modulo {
            return None;
        }
        let result = match (a, b) {
            (TypeKind::Decimal { .. }, _) | (_, TypeKind::Decimal { .. }) => TypeKind::Double,
            (a, _) if a.is_approximate() => a.clone(),
            (_, b) => b.clone(),
        };
        // FLOAT op DOUBLE is computed in DOUBLE and then narrowed.
        let computed = if *a == TypeKind::Double || *b == TypeKind::Double { &TypeKind::Double } else { &result };
        return coerced(args, vec![computed.clone(); 2], result);
    }
    let ((p1, s1), (p2, s2)) = (as_decimal(a)?, as_decimal(b)?);
    let result = decimal_result((p1.into(), s1.into()), (p2.into(), s2.into()), op);
    let kinds = [(p1, s1), (p2, s2)].map(|(precision, scale)| TypeKind::Decimal { precision, scale });
    coerced(args, kinds.to_vec(), adjusted(result.0, result.1))
}

/// Precision and scale before they are cut to 38 digits.
fn decimal_result((p1, s1): (u32, u32), (p2, s2): (u32, u32), op: Op) -> (u32, u32) {
    let scale = s1.max(s2);
    match op {
        Op::Plus | Op::Minus => ((p1 - s1).max(p2 - s2) + scale + 1, scale),
        Op::Times => (p1 + p2 + 1, s1 + s2),
        Op::Divide => {
            let scale = (s1 + p2 + 1).max(6);
            (p1 - s1 + s2 + scale, scale)
        }
        Op::Modulo => ((p1 - s1).min(p2 - s2) + scale, scale),
    }
}

fn compile(call: &CompileCall<'_>, op: Op) -> Result<Compiled> {
    let ty = call.ty.to_arrow();
    match (call.kind(0)?, call.kind(1)?) {
        (a, b) if a.is_integer() && b.is_integer() => match op {
            Op::Plus => safe(|args, _| numeric::add_wrapping(&args[0], &args[1]).map_err(arrow_bug)),
            Op::Minus => safe(|args, _| numeric::sub_wrapping(&args[0], &args[1]).map_err(arrow_bug)),
            Op::Times => safe(|args, _| numeric::mul_wrapping(&args[0], &args[1]).map_err(arrow_bug)),
            Op::Divide | Op::Modulo => compile_integer_division(&a, ty, op == Op::Divide, call),
        },
        (TypeKind::Float, TypeKind::Float) => {
            let f = float_op::<f32>(op);
            safe(move |args, cx| binary_numbers::<Float32Type, Float32Type, Float32Type>(args, cx.rows, &ty, f))
        }
        (TypeKind::Double, TypeKind::Double) if call.ty.kind == TypeKind::Float => {
            let f = float_op::<f64>(op);
            let narrow = move |a, b| f(a, b) as f32;
            safe(move |args, cx| binary_numbers::<Float64Type, Float64Type, Float32Type>(args, cx.rows, &ty, narrow))
        }
        (TypeKind::Double, TypeKind::Double) => {
            let f = float_op::<f64>(op);
            safe(move |args, cx| binary_numbers::<Float64Type, Float64Type, Float64Type>(args, cx.rows, &ty, f))
        }
        (TypeKind::Decimal { precision: p1, scale: s1 }, TypeKind::Decimal { precision: p2, scale: s2 }) => {
            let TypeKind::Decimal { precision, scale } = call.ty.kind else { return Err(call.bug()) };
            let safely = call.args.get(1).is_some_and(divides_safely);
            let compiled = compile_decimal(Decimals { from: [(p1, s1), (p2, s2)], precision, scale, op }, ty)?;
            Ok(Compiled { fallible: compiled.fallible && !safely, ..compiled })
        }
        (a, b) if a.is_interval() || b.is_interval() => interval::compile(call),
        _ => Err(call.bug()),
    }
}

fn float_op<T>(op: Op) -> fn(T, T) -> T
where
    T: std::ops::Add<Output = T> + std::ops::Sub<Output = T> + std::ops::Mul<Output = T> + std::ops::Div<Output = T>,
{
    match op {
        Op::Plus => |a, b| a + b,
        Op::Minus => |a, b| a - b,
        Op::Times => |a, b| a * b,
        Op::Divide | Op::Modulo => |a, b| a / b,
    }
}

/// Whether the divisor is a literal other than zero, so that no row fails.
fn divides_safely(divisor: &Expr) -> bool {
    match divisor {
        Expr::Literal { value, .. } => match value {
            Datum::TinyInt(v) => *v != 0,
            Datum::SmallInt(v) => *v != 0,
            Datum::Int(v) => *v != 0,
            Datum::BigInt(v) => *v != 0,
            Datum::Decimal(v) => *v != 0,
            _ => false,
        },
        // A widening of an integer; DECIMAL could lose its digits.
        Expr::Cast { input, ty, .. } if ty.kind.is_integer() && input.ty().kind.is_integer() => {
            wider_integer(&ty.kind, &input.ty().kind) == Some(&ty.kind) && divides_safely(input)
        }
        _ => false,
    }
}

fn compile_integer_division(wide: &TypeKind, ty: DataType, divide: bool, call: &CompileCall<'_>) -> Result<Compiled> {
    let result = call.ty.kind.clone();
    let safely = call.args.get(1).is_some_and(divides_safely);
    let compiled = match wide {
        TypeKind::TinyInt => fallible(move |args, cx| integer_division::<Int8Type>(args, cx, divide, &result, &ty))?,
        TypeKind::SmallInt => fallible(move |args, cx| integer_division::<Int16Type>(args, cx, divide, &result, &ty))?,
        TypeKind::Int => fallible(move |args, cx| integer_division::<Int32Type>(args, cx, divide, &result, &ty))?,
        _ => fallible(move |args, cx| integer_division::<Int64Type>(args, cx, divide, &result, &ty))?,
    };
    Ok(Compiled { fallible: !safely, ..compiled })
}

fn integer_division<T: ArrowPrimitiveType>(
    args: &[Value],
    cx: &mut Cx<'_>,
    divide: bool,
    result: &TypeKind,
    ty: &DataType,
) -> Result<ArrayRef>
where
    T::Native: ArrowNativeTypeOp + Into<i64>,
{
    let (a, b) = (Numbers::<T>::of(&args[0])?, Numbers::<T>::of(&args[1])?);
    let rows = cx.rows;
    let mut divided = |row: usize| -> Option<i64> {
        let (a, b) = (a.get(row)?, b.get(row)?);
        if b.is_zero() {
            cx.fail(row, "/ by zero");
            return None;
        }
        Some(if divide { a.div_wrapping(b) } else { a.mod_wrapping(b) }.into())
    };
    Ok(match result {
        TypeKind::TinyInt => numbers::<Int8Type>(rows, ty, |row| divided(row).map(|v| v as i8)),
        TypeKind::SmallInt => numbers::<Int16Type>(rows, ty, |row| divided(row).map(|v| v as i16)),
        TypeKind::Int => numbers::<Int32Type>(rows, ty, |row| divided(row).map(|v| v as i32)),
        _ => numbers::<Int64Type>(rows, ty, divided),
    })
}

// ---- DECIMAL -------------------------------------------------------------------------------------------

#[derive(Debug, Clone, Copy)]
struct Decimals {
    from: [(u8, u8); 2],
    precision: u8,
    scale: u8,
    op: Op,
}

impl Decimals {
    /// Whether every intermediate fits 38 digits, so that i128 is enough.
    fn is_narrow(&self) -> bool {
        let [(p1, s1), (p2, s2)] = self.from.map(|(p, s)| (u32::from(p), u32::from(s)));
        let (precision, scale) = decimal_result((p1, s1), (p2, s2), self.op);
        // A remainder is narrower than what it is computed from.
        let scaled = (p1 - s1).max(p2 - s2) + scale;
        precision <= 38 && scaled <= 38
    }
}

fn compile_decimal(decimals: Decimals, ty: DataType) -> Result<Compiled> {
    let limit = 10i128.pow(u32::from(decimals.precision));
    let in_range = move |value: i128| (-limit < value && value < limit).then_some(value);
    let narrow = decimals.is_narrow();
    if narrow && !matches!(decimals.op, Op::Divide | Op::Modulo) {
        return exact_decimal(&decimals, ty);
    }
    let kernel = move |args: &[Value], cx: &mut Cx<'_>| -> Result<ArrayRef> {
        let (a, b) = (Numbers::<Decimal128Type>::of(&args[0])?, Numbers::<Decimal128Type>::of(&args[1])?);
        let rows = cx.rows;
        Ok(numbers::<Decimal128Type>(rows, &ty, |row| {
            let (a, b) = (a.get(row)?, b.get(row)?);
            if b == 0 && matches!(decimals.op, Op::Divide | Op::Modulo) {
                cx.fail(row, "Division by zero");
                return None;
            }
            let value = if narrow { narrow_decimal(a, b, &decimals) } else { wide_decimal(a, b, &decimals)? };
            in_range(value)
        }))
    };
    if matches!(decimals.op, Op::Divide | Op::Modulo) { fallible(kernel) } else { safe(kernel) }
}

fn power_of_10(exponent: u8) -> i128 {
    10i128.pow(u32::from(exponent))
}

/// Sums, differences and products within 128 bits: the result's digits always have room, so there is nothing to look at row by row. A NULL's place
/// may hold anything.
fn exact_decimal(d: &Decimals, ty: DataType) -> Result<Compiled> {
    fn loop_of(ty: DataType, f: impl Fn(i128, i128) -> i128 + Send + Sync + 'static) -> Result<Compiled> {
        safe(move |args, cx| binary_numbers::<Decimal128Type, Decimal128Type, Decimal128Type>(args, cx.rows, &ty, &f))
    }
    let [(_, s1), (_, s2)] = d.from;
    let (up_a, up_b) = (power_of_10(s2.saturating_sub(s1)), power_of_10(s1.saturating_sub(s2)));
    match d.op {
        Op::Plus => loop_of(ty, move |a, b| a.wrapping_mul(up_a).wrapping_add(b.wrapping_mul(up_b))),
        Op::Minus => loop_of(ty, move |a, b| a.wrapping_mul(up_a).wrapping_sub(b.wrapping_mul(up_b))),
        Op::Times => loop_of(ty, i128::wrapping_mul),
        Op::Divide | Op::Modulo => Err(Error::bug("a quotient is not exact")),
    }
}

/// A quotient or remainder within 128 bits.
fn narrow_decimal(a: i128, b: i128, d: &Decimals) -> i128 {
    let [(_, s1), (_, s2)] = d.from;
    if d.op == Op::Modulo {
        let scale = s1.max(s2);
        return (a * power_of_10(scale - s1)) % (b * power_of_10(scale - s2));
    }
    let scaled = a * power_of_10(d.scale + s2 - s1);
    let quotient = scaled / b;
    let rest = (scaled % b).unsigned_abs();
    let up = rest >= b.unsigned_abs() - rest;
    if up { quotient + if (a < 0) == (b < 0) { 1 } else { -1 } } else { quotient }
}

/// The exact result in 256 bits, rounded half up to the scale that is left; `None` when it is too large.
fn wide_decimal(a: i128, b: i128, d: &Decimals) -> Option<i128> {
    let [(_, s1), (_, s2)] = d.from;
    let scale = s1.max(s2);
    let (wide_a, wide_b) = (i256::from_i128(a), i256::from_i128(b));
    let shifted = |value: i256, digits: u8| value.checked_mul(wide_power_of_10(digits)?);
    let (exact, exact_scale) = match d.op {
        Op::Plus => (shifted(wide_a, scale - s1)?.checked_add(shifted(wide_b, scale - s2)?)?, scale),
        Op::Minus => (shifted(wide_a, scale - s1)?.checked_sub(shifted(wide_b, scale - s2)?)?, scale),
        Op::Times => (wide_a.checked_mul(wide_b)?, s1 + s2),
        Op::Modulo => (shifted(wide_a, scale - s1)?.checked_rem(shifted(wide_b, scale - s2)?)?, scale),
        Op::Divide => {
            // Scaling the divisor instead keeps the dividend within 256 bits.
            let up = i16::from(d.scale) + i16::from(s2) - i16::from(s1);
            let (a, b) = if up >= 0 {
                (shifted(wide_a, up as u8)?, wide_b)
            } else {
                (wide_a, shifted(wide_b, up.unsigned_abs() as u8)?)
            };
            return divide_half_up(a, b)?.to_i128();
        }
    };
    let dropped = exact_scale.saturating_sub(d.scale);
    let value = if dropped == 0 { exact } else { divide_half_up(exact, wide_power_of_10(dropped)?)? };
    value.to_i128()
}

fn wide_power_of_10(exponent: u8) -> Option<i256> {
    i256::from_i128(10).checked_pow(u32::from(exponent))
}

fn divide_half_up(a: i256, b: i256) -> Option<i256> {
    let quotient = a.checked_div(b)?;
    let rest = a.checked_rem(b)?.wrapping_abs();
    let up = rest >= b.wrapping_abs().wrapping_sub(rest);
    if !up {
        return Some(quotient);
    }
    if a.is_negative() == b.is_negative() { quotient.checked_add(i256::ONE) } else { quotient.checked_sub(i256::ONE) }
}

// ---- one argument --------------------------------------------------------------------------------------

fn resolve_unary(args: &[Argument]) -> Option<Call> {
    match args {
        [arg] if arg.ty.kind.is_numeric() || arg.ty.kind.is_interval() => as_is(args, arg.ty.kind.clone()),
        _ => None,
    }
}

fn compile_negate(_: &CompileCall<'_>) -> Result<Compiled> {
    safe(|args, _| numeric::neg_wrapping(args[0].array().as_ref()).map_err(arrow_bug))
}

fn compile_abs(call: &CompileCall<'_>) -> Result<Compiled> {
    let ty = call.ty.to_arrow();
    match call.kind(0)? {
        TypeKind::TinyInt => safe(move |args, _| unary_numbers::<Int8Type, Int8Type>(&args[0], &ty, i8::wrapping_abs)),
        TypeKind::SmallInt => {
            safe(move |args, _| unary_numbers::<Int16Type, Int16Type>(&args[0], &ty, i16::wrapping_abs))
        }
        TypeKind::Int | TypeKind::IntervalYearMonth => {
            safe(move |args, _| unary_numbers::<Int32Type, Int32Type>(&args[0], &ty, i32::wrapping_abs))
        }
        TypeKind::BigInt | TypeKind::IntervalDayTime => {
            safe(move |args, _| unary_numbers::<Int64Type, Int64Type>(&args[0], &ty, i64::wrapping_abs))
        }
        TypeKind::Float => safe(move |args, _| unary_numbers::<Float32Type, Float32Type>(&args[0], &ty, f32::abs)),
        TypeKind::Double => safe(move |args, _| unary_numbers::<Float64Type, Float64Type>(&args[0], &ty, f64::abs)),
        TypeKind::Decimal { .. } => {
            safe(move |args, _| unary_numbers::<Decimal128Type, Decimal128Type>(&args[0], &ty, i128::abs))
        }
        _ => Err(call.bug()),
    }
}
