//! Functions of DOUBLE: powers, logarithms, angles, PI and E; and SIGN, which keeps its argument's type.

use arrow::datatypes::{DataType, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type};
use arus_core::function::Argument;
use arus_core::{Result, TypeKind};

use super::{Call, CompileCall, Compiled, Function, as_is, coerced, safe};
use crate::value::{binary_numbers, numbers, unary_numbers};

pub(super) const FUNCTIONS: &[Function] = &[
    one(&["SQRT"], "SQRT(<NUMERIC>)", |_| unary(f64::sqrt)),
    one(&["EXP"], "EXP(<NUMERIC>)", |_| unary(f64::exp)),
    one(&["LN"], "LN(<NUMERIC>)", |_| unary(f64::ln)),
    one(&["LOG10"], "LOG10(<NUMERIC>)", |_| unary(f64::log10)),
    one(&["LOG2"], "LOG2(<NUMERIC>)", |_| unary(|v| v.ln() / 2f64.ln())),
    one(&["SIN"], "SIN(<NUMERIC>)", |_| unary(f64::sin)),
    one(&["SINH"], "SINH(<NUMERIC>)", |_| unary(sinh)),
    one(&["COS"], "COS(<NUMERIC>)", |_| unary(f64::cos)),
    one(&["COSH"], "COSH(<NUMERIC>)", |_| unary(cosh)),
    one(&["TAN"], "TAN(<NUMERIC>)", |_| unary(f64::tan)),
    one(&["TANH"], "TANH(<NUMERIC>)", |_| unary(tanh)),
    one(&["COT"], "COT(<NUMERIC>)", |_| unary(|v| 1.0 / v.tan())),
    one(&["ASIN"], "ASIN(<NUMERIC>)", |_| unary(f64::asin)),
    one(&["ACOS"], "ACOS(<NUMERIC>)", |_| unary(f64::acos)),
    one(&["ATAN"], "ATAN(<NUMERIC>)", |_| unary(f64::atan)),
    one(&["DEGREES"], "DEGREES(<NUMERIC>)", |_| unary(f64::to_degrees)),
    one(&["RADIANS"], "RADIANS(<NUMERIC>)", |_| unary(f64::to_radians)),
    Function::new(&["POWER"], "POWER(<NUMERIC>, <NUMERIC>)", |args| doubles(args, 2), |_| binary(power)),
    Function::new(&["ATAN2"], "ATAN2(<NUMERIC>, <NUMERIC>)", |args| doubles(args, 2), |_| binary(f64::atan2)),
    Function::new(
        &["LOG"],
        "LOG(<NUMERIC>), LOG(<NUMERIC>, <NUMERIC>)",
        |args| doubles(args, 1).or_else(|| doubles(args, 2)),
        |call| if call.args.len() == 1 { unary(f64::ln) } else { binary(|base, v| v.ln() / base.ln()) },
    ),
    Function::new(&["PI"], "PI()", |args| doubles(args, 0), |_| constant(std::f64::consts::PI)),
    Function::new(&["E"], "E()", |args| doubles(args, 0), |_| constant(std::f64::consts::E)),
    Function::new(&["SIGN"], "SIGN(<NUMERIC>)", resolve_sign, compile_sign),
];

const fn one(
    names: &'static [&'static str],
    signature: &'static str,
    compile: fn(&CompileCall<'_>) -> Result<Compiled>,
) -> Function {
    Function::new(names, signature, |args| doubles(args, 1), compile)
}

fn doubles(args: &[Argument], count: usize) -> Option<Call> {
    let right = args.len() == count && args.iter().all(|a| a.ty.kind.is_numeric());
    if right { coerced(args, vec![TypeKind::Double; count], TypeKind::Double) } else { None }
}

fn unary(f: fn(f64) -> f64) -> Result<Compiled> {
    safe(move |args, _| unary_numbers::<Float64Type, Float64Type>(&args[0], &DataType::Float64, f))
}

fn binary(f: fn(f64, f64) -> f64) -> Result<Compiled> {
    safe(move |args, cx| binary_numbers::<Float64Type, Float64Type, Float64Type>(args, cx.rows, &DataType::Float64, f))
}

fn constant(value: f64) -> Result<Compiled> {
    safe(move |_, cx| Ok(numbers::<Float64Type>(cx.rows, &DataType::Float64, |_| Some(value))))
}

/// The hyperbolic functions by the formulas that Java takes, so that the last digit is the same.
fn sinh(v: f64) -> f64 {
    let (a, half) = (v.abs(), 0.5f64.copysign(v));
    let t = a.exp_m1();
    match a {
        a if a < 2f64.powi(-28) => v,
        a if a < 1.0 => half * (2.0 * t - t * t / (t + 1.0)),
        a if a < 22.0 => half * (t + t / (t + 1.0)),
        a if a < 709.0 => half * java_exp(a),
        a => {
            let root = java_exp(0.5 * a);
            half * root * root
        }
    }
}

fn cosh(v: f64) -> f64 {
    let a = v.abs();
    match a {
        a if a < 0.5 * std::f64::consts::LN_2 => {
            let t = a.exp_m1();
            1.0 + t * t / (2.0 * (1.0 + t))
        }
        a if a < 22.0 => {
            let t = java_exp(a);
            0.5 * t + 0.5 / t
        }
        a if a < 709.0 => 0.5 * java_exp(a),
        a => {
            let root = java_exp(0.5 * a);
            0.5 * root * root
        }
    }
}

/// `StrictMath.exp` of a number that is not negative, which can differ from `Math.exp` in the last digit.
fn java_exp(v: f64) -> f64 {
    const LN_2: (f64, f64) = (6.931_471_803_691_238e-1, 1.908_214_929_270_587_7e-10);
    const P: [f64; 5] = [
        1.666_666_666_666_660_2e-1,
        -2.777_777_777_701_559_3e-3,
        6.613_756_321_437_934e-5,
        -1.653_390_220_546_525_2e-6,
        4.138_136_797_057_238_5e-8,
    ];
    if v > 709.782_712_893_384 {
        return f64::INFINITY;
    }
    let k = match v {
        v if v <= 0.5 * std::f64::consts::LN_2 => 0.0,
        v if v < 1.5 * std::f64::consts::LN_2 => 1.0,
        v => (std::f64::consts::LOG2_E * v + 0.5).trunc(),
    };
    let (high, low) = (v - k * LN_2.0, k * LN_2.1);
    let x = high - low;
    let t = x * x;
    let c = x - t * (P[0] + t * (P[1] + t * (P[2] + t * (P[3] + t * P[4]))));
    if k == 0.0 {
        return 1.0 - ((x * c) / (c - 2.0) - x);
    }
    let y = 1.0 - ((low - (x * c) / (2.0 - c)) - high);
    // Two steps: 2 to the power of 1,024 is no DOUBLE.
    y * 2f64.powi(k as i32 - 1) * 2.0
}

fn tanh(v: f64) -> f64 {
    let a = v.abs();
    let size = match a {
        a if a < 2f64.powi(-55) => return v,
        a if a >= 22.0 => 1.0,
        a if a >= 1.0 => 1.0 - 2.0 / ((2.0 * a).exp_m1() + 2.0),
        a => {
            let t = (-2.0 * a).exp_m1();
            -t / (t + 2.0)
        }
    };
    size.copysign(v)
}

/// As Java's: 1 to the power of NaN or of an infinity is NaN, where C has 1.
fn power(base: f64, exponent: f64) -> f64 {
    if exponent.is_nan() || base.abs() == 1.0 && exponent.is_infinite() {
        return f64::NAN;
    }
    base.powf(exponent)
}

fn resolve_sign(args: &[Argument]) -> Option<Call> {
    match args {
        [arg] if arg.ty.kind.is_numeric() => as_is(args, arg.ty.kind.clone()),
        _ => None,
    }
}

fn compile_sign(call: &CompileCall<'_>) -> Result<Compiled> {
    let ty = call.ty.to_arrow();
    match call.kind(0)? {
        TypeKind::TinyInt => safe(move |args, _| unary_numbers::<Int8Type, Int8Type>(&args[0], &ty, i8::signum)),
        TypeKind::SmallInt => safe(move |args, _| unary_numbers::<Int16Type, Int16Type>(&args[0], &ty, i16::signum)),
        TypeKind::Int => safe(move |args, _| unary_numbers::<Int32Type, Int32Type>(&args[0], &ty, i32::signum)),
        TypeKind::BigInt => safe(move |args, _| unary_numbers::<Int64Type, Int64Type>(&args[0], &ty, i64::signum)),
        TypeKind::Float => safe(move |args, _| {
            let sign = |v: f32| if v == 0.0 || v.is_nan() { v } else { v.signum() };
            unary_numbers::<Float32Type, Float32Type>(&args[0], &ty, sign)
        }),
        TypeKind::Double => safe(move |args, _| {
            let sign = |v: f64| if v == 0.0 || v.is_nan() { v } else { v.signum() };
            unary_numbers::<Float64Type, Float64Type>(&args[0], &ty, sign)
        }),
        TypeKind::Decimal { scale, .. } => {
            let unit = 10i128.pow(u32::from(scale));
            let sign = move |v: i128| v.signum() * unit;
            safe(move |args, _| unary_numbers::<Decimal128Type, Decimal128Type>(&args[0], &ty, sign))
        }
        _ => Err(call.bug()),
    }
}
