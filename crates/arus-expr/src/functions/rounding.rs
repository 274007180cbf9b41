//! ROUND, FLOOR and CEIL of numbers, and FLOOR and CEIL of times TO a unit.

use arrow::array::ArrayRef;
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    Time32MillisecondType,
};
use arus_core::function::Argument;
use arus_core::text::{Zone, parse_decimal, write_double};
use arus_core::types::units_per_ms;
use arus_core::{Datum, Error, Result, TypeKind};

use super::extract::{Unit, round_date, round_millis, round_time};
use super::{Call, CompileCall, Compiled, Function, any_nullable, as_is, coerced, fallible, safe};
use crate::value::{Cx, Longs, Numbers, Value, longs, numbers, unary_numbers};

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new(&["ROUND"], "ROUND(<NUMERIC>), ROUND(<NUMERIC>, <INTEGER>)", resolve_round, compile_round),
    Function::new(&["FLOOR"], "FLOOR(<NUMERIC>), FLOOR(<DATETIME> TO <UNIT>)", resolve_floor, |call| {
        compile_floor(call, false)
    }),
    Function::new(&["CEIL", "CEILING"], "CEIL(<NUMERIC>), CEIL(<DATETIME> TO <UNIT>)", resolve_floor, |call| {
        compile_floor(call, true)
    }),
];

pub(super) fn resolve_round(args: &[Argument]) -> Option<Call> {
    let (value, digits) = match args {
        [value] => (value, Some(0)),
        [value, digits] if digits.ty.kind.is_integer() => (
            value,
            match &digits.literal {
                Some(Datum::TinyInt(n)) => Some(i64::from(*n)),
                Some(Datum::SmallInt(n)) => Some(i64::from(*n)),
                Some(Datum::Int(n)) => Some(i64::from(*n)),
                Some(Datum::BigInt(n)) => Some(*n),
                _ => None,
            },
        ),
        _ => return None,
    };
    let kind = &value.ty.kind;
    let result = match (kind, digits) {
        (TypeKind::Decimal { precision, scale }, Some(digits)) if digits < i64::from(*scale) => {
            let whole = i64::from(precision - scale) + 1;
            let (precision, scale) = (whole + digits.max(0), digits.max(0));
            TypeKind::Decimal { precision: precision.min(38) as u8, scale: scale as u8 }
        }
        (kind, _) if kind.is_numeric() => kind.clone(),
        _ => return None,
    };
    let kinds = [kind.clone()].into_iter().chain(args.get(1).map(|_| TypeKind::Int)).collect();
    coerced(args, kinds, result)
}

fn compile_round(call: &CompileCall<'_>) -> Result<Compiled> {
    let ty = call.ty.to_arrow();
    match (call.kind(0)?, &call.ty.kind) {
        (TypeKind::TinyInt, _) => safe(move |args, cx| {
            round_with::<Int8Type, Int8Type>(args, cx, &ty, |v, n| round_integer(v.into(), n) as i8)
        }),
        (TypeKind::SmallInt, _) => safe(move |args, cx| {
            round_with::<Int16Type, Int16Type>(args, cx, &ty, |v, n| round_integer(v.into(), n) as i16)
        }),
        (TypeKind::Int, _) => safe(move |args, cx| {
            round_with::<Int32Type, Int32Type>(args, cx, &ty, |v, n| round_integer(v.into(), n) as i32)
        }),
        (TypeKind::BigInt, _) => safe(move |args, cx| {
            round_with::<Int64Type, Int64Type>(args, cx, &ty, |v, n| round_integer(v.into(), n) as i64)
        }),
        (TypeKind::Float, _) => {
            fallible(move |args, cx| round_floats::<Float32Type>(args, cx, &ty, f64::from, |v| v as f32))
        }
        (TypeKind::Double, _) => fallible(move |args, cx| round_floats::<Float64Type>(args, cx, &ty, |v| v, |v| v)),
        (TypeKind::Decimal { scale: from, .. }, TypeKind::Decimal { precision, scale: to }) => {
            let (precision, to) = (*precision, *to);
            safe(move |args, cx| {
                let limit = 10i128.pow(u32::from(precision));
                let values = Numbers::<Decimal128Type>::of(&args[0])?;
                let digits = args.get(1).map(Numbers::<Int32Type>::of).transpose()?;
                Ok(numbers::<Decimal128Type>(cx.rows, &ty, |row| {
                    let value = values.get(row)?;
                    let digits = digits.as_ref().map_or(Some(0), |d| d.get(row))?;
                    let rounded = round_half_up(value, i32::from(from).saturating_sub(digits))?;
                    let rounded = if from > to {
                        rounded / 10i128.pow(u32::from(from - to))
                    } else {
                        rounded.checked_mul(10i128.pow(u32::from(to - from)))?
                    };
                    (-limit < rounded && rounded < limit).then_some(rounded)
                }))
            })
        }
        _ => Err(call.bug()),
    }
}

fn round_with<A, T>(
    args: &[Value],
    cx: &mut Cx<'_>,
    ty: &DataType,
    f: impl Fn(A::Native, i32) -> T::Native,
) -> Result<ArrayRef>
where
    A: arrow::datatypes::ArrowPrimitiveType,
    T: arrow::datatypes::ArrowPrimitiveType,
{
    let values = Numbers::<A>::of(&args[0])?;
    let digits = args.get(1).map(Numbers::<Int32Type>::of).transpose()?;
    Ok(numbers::<T>(cx.rows, ty, |row| {
        let digits = digits.as_ref().map_or(Some(0), |d| d.get(row))?;
        Some(f(values.get(row)?, digits))
    }))
}

/// Drops the last `places` digits, rounding half away from zero, and puts zeros there.
fn round_half_up(value: i128, places: i32) -> Option<i128> {
    match places {
        ..=0 => Some(value),
        39.. => Some(0),
        _ => {
            let unit = 10i128.pow(places as u32);
            let rest = value % unit;
            let down = value - rest;
            if rest.unsigned_abs() * 2 >= unit.unsigned_abs() {
                down.checked_add(if value < 0 { -unit } else { unit })
            } else {
                Some(down)
            }
        }
    }
}

fn round_integer(value: i128, digits: i32) -> i128 {
    round_half_up(value, digits.saturating_neg()).unwrap_or(value)
}

fn round_floats<T: arrow::datatypes::ArrowPrimitiveType>(
    args: &[Value],
    cx: &mut Cx<'_>,
    ty: &DataType,
    widen: impl Fn(T::Native) -> f64,
    narrow: impl Fn(f64) -> T::Native,
) -> Result<ArrayRef> {
    let values = Numbers::<T>::of(&args[0])?;
    let digits = args.get(1).map(Numbers::<Int32Type>::of).transpose()?;
    let mut text = String::new();
    Ok(numbers::<T>(cx.rows, ty, |row| {
        let value = widen(values.get(row)?);
        let digits = digits.as_ref().map_or(Some(0), |d| d.get(row))?;
        if !value.is_finite() {
            cx.fail(row, format!("cannot round {value}"));
            return None;
        }
        let rounded = if digits == 0 { value.round() } else { round_double(value, digits, &mut text) };
        // Decimal digits have no negative zero: adding 0.0 makes it a positive one.
        Some(narrow(rounded + 0.0))
    }))
}

/// Rounds the decimal digits that the value prints with, so that 1.005 becomes 1.01.
fn round_double(value: f64, digits: i32, text: &mut String) -> f64 {
    text.clear();
    write_double(text, value);
    // Far from the point nothing changes, or nothing is left.
    if digits > 20 || value.abs() >= 1e17 && digits >= 0 {
        return value;
    }
    let rounded = match digits {
        // What stands behind the point never decides about a place before it.
        ..0 if value.abs() < 1e37 => round_half_up(value.trunc() as i128, digits.saturating_neg()).map(|v| (v, 0)),
        ..0 => None,
        _ => parse_decimal(text, 38, digits as u8).map(|v| (v, digits as u8)),
    };
    let Some((unscaled, scale)) = rounded else { return value };
    text.clear();
    arus_core::text::write_decimal(text, unscaled, scale);
    text.parse().unwrap_or(value)
}

// ---- FLOOR and CEIL ------------------------------------------------------------------------------------

fn resolve_floor(args: &[Argument]) -> Option<Call> {
    match args {
        [value] => match &value.ty.kind {
            TypeKind::Decimal { precision, .. } => as_is(args, TypeKind::Decimal { precision: *precision, scale: 0 }),
            kind if kind.is_numeric() => as_is(args, kind.clone()),
            _ => None,
        },
        [time, unit] if time.ty.kind.is_temporal() => {
            let Some(Datum::String(unit)) = &unit.literal else { return None };
            Unit::parse(unit)?;
            let kind = time.ty.clone().without_time_attribute().kind;
            let arg_types = args.iter().map(|a| a.ty.clone()).collect();
            Some(Call { arg_types, return_type: kind.nullable().with_nullable(any_nullable(args)) })
        }
        _ => None,
    }
}

fn compile_floor(call: &CompileCall<'_>, up: bool) -> Result<Compiled> {
    if call.args.len() == 2 {
        return compile_floor_to(call, up);
    }
    let ty = call.ty.to_arrow();
    match call.kind(0)? {
        TypeKind::Float => {
            let f = if up { f32::ceil } else { f32::floor };
            safe(move |args, _| unary_numbers::<Float32Type, Float32Type>(&args[0], &ty, f))
        }
        TypeKind::Double => {
            let f = if up { f64::ceil } else { f64::floor };
            safe(move |args, _| unary_numbers::<Float64Type, Float64Type>(&args[0], &ty, f))
        }
        TypeKind::Decimal { scale, .. } => {
            let unit = 10i128.pow(u32::from(scale));
            let f = move |v: i128| if up { -(-v).div_euclid(unit) } else { v.div_euclid(unit) };
            safe(move |args, _| unary_numbers::<Decimal128Type, Decimal128Type>(&args[0], &ty, f))
        }
        kind if kind.is_integer() => safe(|args, _| Ok(args[0].array().clone())),
        _ => Err(call.bug()),
    }
}

fn compile_floor_to(call: &CompileCall<'_>, up: bool) -> Result<Compiled> {
    let unit = call.text(1).and_then(Unit::parse).ok_or_else(|| call.bug())?;
    let ty = call.ty.to_arrow();
    let zone = call.zone;
    match call.kind(0)? {
        TypeKind::Date => safe(move |args, _| {
            unary_numbers::<Date32Type, Date32Type>(&args[0], &ty, |days| round_date(unit, i64::from(days), up) as i32)
        }),
        TypeKind::Time(_) => safe(move |args, _| {
            unary_numbers::<Time32MillisecondType, Time32MillisecondType>(&args[0], &ty, |ms| round_time(unit, ms, up))
        }),
        TypeKind::Timestamp { precision, .. } => {
            checked_unit(unit)?;
            safe(move |args, cx| floor_timestamps(args, cx, unit, up, precision, Zone::UTC, &ty))
        }
        TypeKind::TimestampLtz { precision, .. } => {
            checked_unit(unit)?;
            safe(move |args, cx| floor_timestamps(args, cx, unit, up, precision, zone, &ty))
        }
        _ => Err(call.bug()),
    }
}

fn checked_unit(unit: Unit) -> Result<()> {
    match unit {
        Unit::Microsecond | Unit::Nanosecond => Err(Error::user("times are rounded to MILLISECOND at the finest")),
        _ => Ok(()),
    }
}

fn floor_timestamps(
    args: &[Value],
    cx: &mut Cx<'_>,
    unit: Unit,
    up: bool,
    precision: u8,
    zone: Zone,
    ty: &DataType,
) -> Result<ArrayRef> {
    let units = units_per_ms(precision);
    let times = Longs::of(&args[0])?;
    longs(cx.rows, ty, |row| {
        let ms = times.get(row)?.div_euclid(units);
        // As in Flink the offset is that of the time itself, also where midnight had another.
        let offset = zone.offset_at_ms(ms);
        round_millis(unit, ms.checked_add(offset)?, up).checked_sub(offset)?.checked_mul(units)
    })
}
