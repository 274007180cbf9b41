//! Between numbers, and between numbers and BOOLEAN.

use arrow::datatypes::{
    ArrowPrimitiveType, DataType, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
};
use arus_core::text::{parse_decimal, write_double};
use arus_core::{Error, Result, TypeKind};

use super::checked;
use crate::functions::{Compiled, safe};
use crate::value::{Booleans, Numbers, Value, booleans, numbers, unary_numbers};

pub(super) fn cast(from: &TypeKind, to: &TypeKind, ty: DataType) -> Result<Compiled> {
    match from {
        TypeKind::Boolean => from_boolean(to, ty),
        TypeKind::TinyInt => from_integer::<Int8Type>(to, ty),
        TypeKind::SmallInt => from_integer::<Int16Type>(to, ty),
        TypeKind::Int => from_integer::<Int32Type>(to, ty),
        TypeKind::BigInt => from_integer::<Int64Type>(to, ty),
        TypeKind::Float => from_float::<Float32Type>(to, ty),
        TypeKind::Double => from_float::<Float64Type>(to, ty),
        TypeKind::Decimal { scale, .. } => from_decimal(*scale, to, ty),
        _ => Err(Error::bug(format!("no numeric cast from {from} to {to}"))),
    }
}

fn power_of_10(exponent: u8) -> i128 {
    10i128.pow(u32::from(exponent))
}

fn from_integer<A: ArrowPrimitiveType>(to: &TypeKind, ty: DataType) -> Result<Compiled>
where
    A::Native: Into<i64>,
{
    match to {
        TypeKind::Boolean => truth::<A>(|v| v.into() != 0),
        TypeKind::TinyInt => convert::<A, Int8Type>(ty, |v| v.into() as i8),
        TypeKind::SmallInt => convert::<A, Int16Type>(ty, |v| v.into() as i16),
        TypeKind::Int => convert::<A, Int32Type>(ty, |v| v.into() as i32),
        TypeKind::BigInt => convert::<A, Int64Type>(ty, |v| v.into()),
        TypeKind::Float => convert::<A, Float32Type>(ty, |v| v.into() as f32),
        TypeKind::Double => convert::<A, Float64Type>(ty, |v| v.into() as f64),
        TypeKind::Decimal { precision, scale } => {
            let (unit, limit) = (power_of_10(*scale), power_of_10(*precision));
            // Digits of the widest value: mostly each has room.
            let digits = [3, 5, 10, 19][size_of::<A::Native>().trailing_zeros() as usize];
            if precision - scale >= digits {
                return convert::<A, Decimal128Type>(ty, move |v| i128::from(v.into()).wrapping_mul(unit));
            }
            safe(move |args, cx| {
                let values = Numbers::<A>::of(&args[0])?;
                Ok(numbers::<Decimal128Type>(cx.rows, &ty, |row| {
                    let value = i128::from(values.get(row)?.into()).checked_mul(unit)?;
                    (-limit < value && value < limit).then_some(value)
                }))
            })
        }
        _ => Err(Error::bug(format!("no cast from an integer to {to}"))),
    }
}

/// Saturates, NaN is 0; narrow integers are cut from INT, as Java cuts them.
fn from_float<A: ArrowPrimitiveType>(to: &TypeKind, ty: DataType) -> Result<Compiled>
where
    A::Native: Into<f64>,
{
    match to {
        TypeKind::Boolean => truth::<A>(|v| v.into() != 0.0),
        TypeKind::TinyInt => convert::<A, Int8Type>(ty, |v| v.into() as i32 as i8),
        TypeKind::SmallInt => convert::<A, Int16Type>(ty, |v| v.into() as i32 as i16),
        TypeKind::Int => convert::<A, Int32Type>(ty, |v| v.into() as i32),
        TypeKind::BigInt => convert::<A, Int64Type>(ty, |v| v.into() as i64),
        TypeKind::Float => convert::<A, Float32Type>(ty, |v| v.into() as f32),
        TypeKind::Double => convert::<A, Float64Type>(ty, |v| v.into()),
        TypeKind::Decimal { precision, scale } => {
            let (precision, scale) = (*precision, *scale);
            checked(move |args, cx| {
                let values = Numbers::<A>::of(&args[0])?;
                let mut text = String::new();
                Ok(numbers::<Decimal128Type>(cx.rows, &ty, |row| {
                    let value: f64 = values.get(row)?.into();
                    if !value.is_finite() {
                        cx.fail(row, format!("cannot cast {value} to DECIMAL"));
                        return None;
                    }
                    text.clear();
                    write_double(&mut text, value);
                    parse_decimal(&text, precision, scale)
                }))
            })
        }
        _ => Err(Error::bug(format!("no cast from a float to {to}"))),
    }
}

fn from_decimal(from_scale: u8, to: &TypeKind, ty: DataType) -> Result<Compiled> {
    let unit = power_of_10(from_scale);
    let double = move |v: i128| -> f64 {
        // Digits and scale read as text give the nearest double, a division would round twice.
        let exact = v.unsigned_abs() < 1 << 53 && from_scale <= 22;
        if exact { v as f64 / unit as f64 } else { format!("{v}e-{from_scale}").parse().unwrap_or(f64::NAN) }
    };
    match to {
        TypeKind::Boolean => truth::<Decimal128Type>(|v| v != 0),
        TypeKind::TinyInt => convert::<Decimal128Type, Int8Type>(ty, move |v| (v / unit) as i8),
        TypeKind::SmallInt => convert::<Decimal128Type, Int16Type>(ty, move |v| (v / unit) as i16),
        TypeKind::Int => convert::<Decimal128Type, Int32Type>(ty, move |v| (v / unit) as i32),
        TypeKind::BigInt => convert::<Decimal128Type, Int64Type>(ty, move |v| (v / unit) as i64),
        TypeKind::Float => convert::<Decimal128Type, Float32Type>(ty, move |v| double(v) as f32),
        TypeKind::Double => convert::<Decimal128Type, Float64Type>(ty, double),
        TypeKind::Decimal { precision, scale } => {
            let (scale, limit) = (*scale, power_of_10(*precision));
            safe(move |args, cx| {
                let values = Numbers::<Decimal128Type>::of(&args[0])?;
                Ok(numbers::<Decimal128Type>(cx.rows, &ty, |row| {
                    let value = rescale(values.get(row)?, from_scale, scale)?;
                    (-limit < value && value < limit).then_some(value)
                }))
            })
        }
        _ => Err(Error::bug(format!("no cast from DECIMAL to {to}"))),
    }
}

/// Rounds half up when digits go; `None` beyond 128 bits.
fn rescale(value: i128, from: u8, to: u8) -> Option<i128> {
    if to >= from {
        return value.checked_mul(power_of_10(to - from));
    }
    let unit = power_of_10(from - to);
    let (quotient, rest) = (value / unit, value % unit);
    let up = rest.unsigned_abs() >= unit.unsigned_abs() - rest.unsigned_abs();
    Some(if up { quotient + value.signum() } else { quotient })
}

fn from_boolean(to: &TypeKind, ty: DataType) -> Result<Compiled> {
    fn ones<T: ArrowPrimitiveType>(ty: DataType, one: T::Native) -> Result<Compiled> {
        safe(move |args, cx| {
            let values = Booleans::of(&args[0])?;
            let zero = T::Native::default();
            Ok(numbers::<T>(cx.rows, &ty, |row| Some(if values.get(row)? { one } else { zero })))
        })
    }
    match to {
        TypeKind::TinyInt => ones::<Int8Type>(ty, 1),
        TypeKind::SmallInt => ones::<Int16Type>(ty, 1),
        TypeKind::Int => ones::<Int32Type>(ty, 1),
        TypeKind::BigInt => ones::<Int64Type>(ty, 1),
        TypeKind::Float => ones::<Float32Type>(ty, 1.0),
        TypeKind::Double => ones::<Float64Type>(ty, 1.0),
        TypeKind::Decimal { precision, scale } if precision > scale => ones::<Decimal128Type>(ty, power_of_10(*scale)),
        TypeKind::Decimal { .. } => safe(move |args, cx| {
            let values = Booleans::of(&args[0])?;
            // A one does not fit DECIMAL(n, n).
            Ok(numbers::<Decimal128Type>(cx.rows, &ty, |row| if values.get(row)? { None } else { Some(0) }))
        }),
        _ => Err(Error::bug(format!("no cast from BOOLEAN to {to}"))),
    }
}

fn convert<A, T>(ty: DataType, f: impl Fn(A::Native) -> T::Native + Send + Sync + 'static) -> Result<Compiled>
where
    A: ArrowPrimitiveType,
    T: ArrowPrimitiveType,
{
    safe(move |args: &[Value], _| unary_numbers::<A, T>(&args[0], &ty, &f))
}

fn truth<A: ArrowPrimitiveType>(f: impl Fn(A::Native) -> bool + Send + Sync + 'static) -> Result<Compiled> {
    safe(move |args, cx| {
        let values = Numbers::<A>::of(&args[0])?;
        Ok(booleans(cx.rows, |row| values.get(row).map(&f)))
    })
}
