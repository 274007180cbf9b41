//! TRUNCATE: digits are cut off, toward zero.

use arrow::array::ArrayRef;
use arrow::datatypes::{
    ArrowPrimitiveType, DataType, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
};
use arus_core::text::{parse_decimal, write_decimal, write_double, write_float};
use arus_core::{Result, TypeKind};

use super::rounding::resolve_round;
use super::{CompileCall, Compiled, Function, fallible, safe};
use crate::value::{Cx, Numbers, Value, numbers};

pub(super) const FUNCTIONS: &[Function] =
    &[Function::new(&["TRUNCATE"], "TRUNCATE(<NUMERIC>), TRUNCATE(<NUMERIC>, <INTEGER>)", resolve_round, compile)];

fn compile(call: &CompileCall<'_>) -> Result<Compiled> {
    let ty = call.ty.to_arrow();
    match (call.kind(0)?, &call.ty.kind) {
        (TypeKind::TinyInt, _) => {
            safe(move |args, cx| cut::<Int8Type>(args, cx, &ty, |v, n| integer(v.into(), n) as i8))
        }
        (TypeKind::SmallInt, _) => {
            safe(move |args, cx| cut::<Int16Type>(args, cx, &ty, |v, n| integer(v.into(), n) as i16))
        }
        (TypeKind::Int, _) => safe(move |args, cx| cut::<Int32Type>(args, cx, &ty, |v, n| integer(v.into(), n) as i32)),
        (TypeKind::BigInt, _) => {
            safe(move |args, cx| cut::<Int64Type>(args, cx, &ty, |v, n| integer(v.into(), n) as i64))
        }
        (TypeKind::Float, _) => fallible(move |args, cx| {
            floats::<Float32Type>(args, cx, &ty, |v, digits| {
                let mut text = String::new();
                write_float(&mut text, v);
                v.is_finite().then(|| cut_text(&text, digits).parse().unwrap_or(v))
            })
        }),
        (TypeKind::Double, _) => fallible(move |args, cx| {
            floats::<Float64Type>(args, cx, &ty, |v, digits| {
                let mut text = String::new();
                write_double(&mut text, v);
                v.is_finite().then(|| cut_text(&text, digits).parse().unwrap_or(v))
            })
        }),
        (TypeKind::Decimal { scale: from, .. }, TypeKind::Decimal { scale: to, .. }) => {
            let to = *to;
            safe(move |args, cx| {
                cut::<Decimal128Type>(args, cx, &ty, |v, digits| {
                    let cut = whole(v, i32::from(from).saturating_sub(digits));
                    cut / 10i128.pow(u32::from(from.saturating_sub(to)))
                })
            })
        }
        _ => Err(call.bug()),
    }
}

/// Zeros instead of the last `places` digits.
fn whole(value: i128, places: i32) -> i128 {
    match places {
        ..=0 => value,
        39.. => 0,
        _ => value - value % 10i128.pow(places as u32),
    }
}

fn integer(value: i128, digits: i32) -> i128 {
    whole(value, digits.saturating_neg())
}

fn cut<T: ArrowPrimitiveType>(
    args: &[Value],
    cx: &mut Cx<'_>,
    ty: &DataType,
    f: impl Fn(T::Native, i32) -> T::Native,
) -> Result<ArrayRef> {
    let values = Numbers::<T>::of(&args[0])?;
    let digits = args.get(1).map(Numbers::<Int32Type>::of).transpose()?;
    Ok(numbers::<T>(cx.rows, ty, |row| {
        let digits = digits.as_ref().map_or(Some(0), |d| d.get(row))?;
        Some(f(values.get(row)?, digits))
    }))
}

/// `f` gives `None` for what is no finite number, which fails the row as in Flink.
fn floats<T: ArrowPrimitiveType>(
    args: &[Value],
    cx: &mut Cx<'_>,
    ty: &DataType,
    f: impl Fn(T::Native, i32) -> Option<T::Native>,
) -> Result<ArrayRef>
where
    T::Native: std::fmt::Display,
{
    let values = Numbers::<T>::of(&args[0])?;
    let digits = args.get(1).map(Numbers::<Int32Type>::of).transpose()?;
    Ok(numbers::<T>(cx.rows, ty, |row| {
        let digits = digits.as_ref().map_or(Some(0), |d| d.get(row))?;
        let value = values.get(row)?;
        let cut = f(value, digits);
        if cut.is_none() {
            cx.fail(row, format!("cannot truncate {value}"));
        }
        cut
    }))
}

/// Cuts the decimal digits that the value prints with. Far from the point nothing changes, or nothing is left.
fn cut_text(text: &str, digits: i32) -> String {
    const SCALE: u8 = 20;
    let Some(unscaled) = parse_decimal(text, 38, SCALE) else { return text.to_owned() };
    let mut out = String::new();
    write_decimal(&mut out, whole(unscaled, i32::from(SCALE).saturating_sub(digits)), SCALE);
    // Decimal digits have no negative zero.
    if unscaled == 0 { "0".to_owned() } else { out }
}
