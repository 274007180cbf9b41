//! Times and intervals: adding, taking away, multiplying, TIMESTAMPADD and TIMESTAMPDIFF.
//!
//! DAY TO SECOND intervals are milliseconds, YEAR TO MONTH ones months; adding months keeps the day of the month, or
//! takes the last one. A TIMESTAMP beyond its range fails the row.

use arrow::array::ArrayRef;
use arrow::compute::kernels::numeric;
use arrow::datatypes::{DataType, Date32Type, Float64Type, Int32Type, Int64Type, Time32MillisecondType};
use arus_core::change::arrow_bug;
use arus_core::function::Argument;
use arus_core::text::{civil_from_days, days_from_civil, days_in_month};
use arus_core::types::units_per_ms;
use arus_core::{Datum, LogicalType, Result, TypeKind};

use super::{Call, CompileCall, Compiled, Function, any_nullable, as_is, coerced, fallible, is_small_integer, safe};
use crate::value::{Cx, Longs, Numbers, Value, binary_numbers, long_array, longs, numbers};

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new(
        &["TIMESTAMPADD"],
        "TIMESTAMPADD(<UNIT>, <INTEGER>, <DATETIME>)",
        resolve_timestamp_add,
        compile_timestamp_add,
    ),
    Function::new(
        &["TIMESTAMPDIFF"],
        "TIMESTAMPDIFF(<UNIT>, <DATETIME>, <DATETIME>)",
        resolve_timestamp_diff,
        compile_timestamp_diff,
    ),
    Function::new(
        &["DATETIME_MINUS"],
        "(<DATETIME> - <DATETIME>) <UNIT>",
        resolve_datetime_minus,
        compile_datetime_minus,
    ),
];

const MS_PER_DAY: i64 = 86_400_000;

fn is_datetime(kind: &TypeKind) -> bool {
    kind.is_temporal()
}

fn plain(ty: &LogicalType) -> TypeKind {
    ty.clone().without_time_attribute().kind
}

pub(super) fn resolve_plus(args: &[Argument]) -> Option<Call> {
    let [a, b] = args else { return None };
    match (&a.ty.kind, &b.ty.kind) {
        (time, interval) if is_datetime(time) && interval.is_interval() => as_is(args, plain(&a.ty)),
        (interval, time) if is_datetime(time) && interval.is_interval() => as_is(args, plain(&b.ty)),
        (a, b) if a.is_interval() && a == b => as_is(args, a.clone()),
        _ => None,
    }
}

pub(super) fn resolve_minus(args: &[Argument]) -> Option<Call> {
    let [a, b] = args else { return None };
    match (&a.ty.kind, &b.ty.kind) {
        (time, interval) if is_datetime(time) && interval.is_interval() => as_is(args, plain(&a.ty)),
        (a, b) if a.is_interval() && a == b => as_is(args, a.clone()),
        _ => None,
    }
}

pub(super) fn resolve_times(args: &[Argument]) -> Option<Call> {
    let [a, b] = args else { return None };
    // A fraction multiplies as DOUBLE, all else as the interval's own integer.
    let factor = |number: &TypeKind, interval: &TypeKind| match number {
        n if n.is_integer() && *interval == TypeKind::IntervalYearMonth && is_small_integer(n) => TypeKind::Int,
        n if n.is_integer() => TypeKind::BigInt,
        _ => TypeKind::Double,
    };
    match (&a.ty.kind, &b.ty.kind) {
        (interval, number) if interval.is_interval() && number.is_numeric() => {
            coerced(args, vec![interval.clone(), factor(number, interval)], interval.clone())
        }
        (number, interval) if interval.is_interval() && number.is_numeric() => {
            coerced(args, vec![factor(number, interval), interval.clone()], interval.clone())
        }
        _ => None,
    }
}

/// +, - and * with at least one interval.
pub(super) fn compile(call: &CompileCall<'_>) -> Result<Compiled> {
    let (a, b) = (call.kind(0)?, call.kind(1)?);
    match (call.name, a.is_interval(), b.is_interval()) {
        ("+", true, true) => safe(|args, _| numeric::add_wrapping(&args[0], &args[1]).map_err(arrow_bug)),
        ("-", true, true) => safe(|args, _| numeric::sub_wrapping(&args[0], &args[1]).map_err(arrow_bug)),
        ("+", true, false) => compile_shift(&b, a == TypeKind::IntervalYearMonth, true, 1, call.ty.to_arrow()),
        ("+", false, true) => compile_shift(&a, b == TypeKind::IntervalYearMonth, false, 1, call.ty.to_arrow()),
        ("-", false, true) => compile_shift(&a, b == TypeKind::IntervalYearMonth, false, -1, call.ty.to_arrow()),
        ("*", true, false) => compile_times(call, 0, &b),
        ("*", false, true) => compile_times(call, 1, &a),
        _ => Err(call.bug()),
    }
}

fn compile_times(call: &CompileCall<'_>, interval: usize, number: &TypeKind) -> Result<Compiled> {
    let ty = call.ty.to_arrow();
    let months = call.ty.kind == TypeKind::IntervalYearMonth;
    let ordered = move |args: &[Value]| vec![args[interval].clone(), args[1 - interval].clone()];
    match (months, number) {
        (true, TypeKind::Int) => safe(move |args, cx| {
            binary_numbers::<Int32Type, Int32Type, Int32Type>(&ordered(args), cx.rows, &ty, i32::wrapping_mul)
        }),
        (true, TypeKind::BigInt) => safe(move |args, cx| {
            let f = |a: i32, b: i64| i64::from(a).wrapping_mul(b) as i32;
            binary_numbers::<Int32Type, Int64Type, Int32Type>(&ordered(args), cx.rows, &ty, f)
        }),
        (true, _) => safe(move |args, cx| {
            let f = |a: i32, b: f64| (f64::from(a) * b) as i32;
            binary_numbers::<Int32Type, Float64Type, Int32Type>(&ordered(args), cx.rows, &ty, f)
        }),
        (false, TypeKind::BigInt) => safe(move |args, cx| {
            binary_numbers::<Int64Type, Int64Type, Int64Type>(&ordered(args), cx.rows, &ty, i64::wrapping_mul)
        }),
        (false, _) => safe(move |args, cx| {
            let f = |a: i64, b: f64| (a as f64 * b) as i64;
            binary_numbers::<Int64Type, Float64Type, Int64Type>(&ordered(args), cx.rows, &ty, f)
        }),
    }
}

/// A time moved by `sign` times an interval.
fn compile_shift(time: &TypeKind, months: bool, interval_first: bool, sign: i64, ty: DataType) -> Result<Compiled> {
    let order = move |args: &[Value]| match interval_first {
        true => [args[1].clone(), args[0].clone()],
        false => [args[0].clone(), args[1].clone()],
    };
    match (time, months) {
        (TypeKind::Date, false) => safe(move |args, cx| {
            let f = |days: i32, ms: i64| {
                let shifted = (i64::from(days) * MS_PER_DAY).wrapping_add(sign.wrapping_mul(ms));
                shifted.div_euclid(MS_PER_DAY) as i32
            };
            binary_numbers::<Date32Type, Int64Type, Date32Type>(&order(args), cx.rows, &ty, f)
        }),
        (TypeKind::Date, true) => safe(move |args, cx| {
            let f = |days: i32, months: i32| add_months(i64::from(days), sign * i64::from(months)) as i32;
            binary_numbers::<Date32Type, Int32Type, Date32Type>(&order(args), cx.rows, &ty, f)
        }),
        (TypeKind::Time(_), false) => safe(move |args, cx| {
            let f =
                |time: i32, ms: i64| i64::from(time).wrapping_add(sign.wrapping_mul(ms)).rem_euclid(MS_PER_DAY) as i32;
            binary_numbers::<Time32MillisecondType, Int64Type, Time32MillisecondType>(&order(args), cx.rows, &ty, f)
        }),
        (TypeKind::Time(_), true) => safe(move |args, _| Ok(order(args)[0].array().clone())),
        (TypeKind::Timestamp { precision, .. } | TypeKind::TimestampLtz { precision, .. }, false) => {
            let units = sign * units_per_ms(*precision);
            fallible(move |args, cx| shift_timestamps(&order(args), cx, units, &ty))
        }
        (TypeKind::Timestamp { precision, .. } | TypeKind::TimestampLtz { precision, .. }, true) => {
            let units = units_per_ms(*precision);
            fallible(move |args, cx| {
                let [time, months] = order(args);
                let (times, months) = (Longs::of(&time)?, Numbers::<Int32Type>::of(&months)?);
                longs(cx.rows, &ty, |row| {
                    let (time, months) = (times.get(row)?, months.get(row)?);
                    let shifted = timestamp_add_months(time, sign * i64::from(months), units);
                    shifted.or_else(|| out_of_range(cx, row))
                })
            })
        }
        _ => Err(arus_core::Error::bug(format!("no time {time} to shift"))),
    }
}

fn out_of_range(cx: &mut Cx<'_>, row: usize) -> Option<i64> {
    cx.fail(row, "timestamp out of range");
    None
}

fn shift_timestamps(args: &[Value], cx: &mut Cx<'_>, units: i64, ty: &DataType) -> Result<ArrayRef> {
    let (times, intervals) = (Longs::of(&args[0])?, Longs::of(&args[1])?);
    // The commonest case, a column and a literal, has no branch unless something overflows.
    if !args[0].is_scalar()
        && args[1].is_scalar()
        && let Some(ms) = intervals.get(0)
        && let Some(by) = ms.checked_mul(units)
    {
        let (values, nulls) = times.whole();
        let mut overflow = false;
        let shifted: Vec<i64> = values
            .iter()
            .map(|time| {
                let (shifted, overflows) = time.overflowing_add(by);
                overflow |= overflows;
                shifted
            })
            .collect();
        if !overflow {
            return long_array(shifted.into(), nulls.cloned(), ty);
        }
    }
    longs(cx.rows, ty, |row| {
        let (time, ms) = (times.get(row)?, intervals.get(row)?);
        let shifted = ms.checked_mul(units).and_then(|by| time.checked_add(by));
        shifted.or_else(|| out_of_range(cx, row))
    })
}

/// Days moved by months; the day of the month is kept, or the last one is taken.
pub(super) fn add_months(days: i64, months: i64) -> i64 {
    let (year, month, day) = civil_from_days(days);
    let total = year * 12 + i64::from(month) - 1 + months;
    let (year, month) = (total.div_euclid(12), total.rem_euclid(12) as u32 + 1);
    days_from_civil(year, month, day.min(days_in_month(year, month)))
}

fn timestamp_add_months(time: i64, months: i64, units: i64) -> Option<i64> {
    let per_day = MS_PER_DAY * units;
    let days = add_months(time.div_euclid(per_day), months);
    days.checked_mul(per_day)?.checked_add(time.rem_euclid(per_day))
}

// ---- TIMESTAMPADD, TIMESTAMPDIFF -----------------------------------------------------------------------

/// A unit in months or in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    Months(i64),
    Millis(i64),
}

fn unit(name: &str) -> Option<Unit> {
    let name = name.to_ascii_uppercase();
    Some(match name.strip_prefix("SQL_TSI_").unwrap_or(&name) {
        "MILLENNIUM" => Unit::Months(12_000),
        "CENTURY" => Unit::Months(1_200),
        "DECADE" => Unit::Months(120),
        "YEAR" => Unit::Months(12),
        "QUARTER" => Unit::Months(3),
        "MONTH" => Unit::Months(1),
        "WEEK" => Unit::Millis(7 * MS_PER_DAY),
        "DAY" => Unit::Millis(MS_PER_DAY),
        "HOUR" => Unit::Millis(3_600_000),
        "MINUTE" => Unit::Millis(60_000),
        "SECOND" => Unit::Millis(1_000),
        "MILLISECOND" => Unit::Millis(1),
        _ => return None,
    })
}

fn unit_of(arg: &Argument) -> Option<Unit> {
    match &arg.literal {
        Some(Datum::String(name)) => unit(name),
        _ => None,
    }
}

fn resolve_timestamp_add(args: &[Argument]) -> Option<Call> {
    let [unit, count, time] = args else { return None };
    let unit = unit_of(unit)?;
    if !count.ty.kind.is_integer() || !time.ty.kind.is_temporal() {
        return None;
    }
    // A DATE moved by hours becomes a TIMESTAMP.
    let moved = match (&time.ty.kind, unit) {
        (TypeKind::Date, Unit::Millis(ms)) if ms % MS_PER_DAY != 0 => {
            TypeKind::Timestamp { precision: 6, attribute: Default::default() }
        }
        _ => plain(&time.ty),
    };
    let arg_types = vec![
        args[0].ty.clone(),
        TypeKind::BigInt.nullable().with_nullable(count.ty.nullable),
        moved.clone().nullable().with_nullable(time.ty.nullable),
    ];
    Some(Call { arg_types, return_type: moved.nullable().with_nullable(any_nullable(args)) })
}

fn compile_timestamp_add(call: &CompileCall<'_>) -> Result<Compiled> {
    let unit = call.text(0).and_then(unit).ok_or_else(|| call.bug())?;
    let (months, factor) = match unit {
        Unit::Months(n) => (true, n),
        Unit::Millis(n) => (false, n),
    };
    let shift = compile_shift(&call.kind(2)?, months, false, 1, call.ty.to_arrow())?;
    let shift_fallible = shift.fallible;
    let shift = shift.kernel;
    let kernel = move |args: &[Value], cx: &mut Cx<'_>| {
        let counts = Numbers::<Int64Type>::of(&args[1])?;
        let rows = args[1].array().len();
        let interval = match months {
            true => {
                numbers::<Int32Type>(rows, &DataType::Int32, |row| Some(counts.get(row)?.wrapping_mul(factor) as i32))
            }
            false => longs(rows, &DataType::Int64, |row| Some(counts.get(row)?.wrapping_mul(factor)))?,
        };
        let interval = if args[1].is_scalar() { Value::Scalar(interval) } else { Value::Array(interval) };
        shift(&[args[2].clone(), interval], cx)
    };
    if shift_fallible { fallible(kernel) } else { safe(kernel) }
}

/// Two times of a kind: a DATE counts as the TIMESTAMP of its midnight.
fn resolve_timestamp_diff(args: &[Argument]) -> Option<Call> {
    let [unit, from, to] = args else { return None };
    let fraction = fraction_of_second(unit.literal.as_ref());
    let unit = if fraction.is_some() { Unit::Millis(1_000) } else { unit_of(unit)? };
    let kinds = match (&from.ty.kind, &to.ty.kind) {
        (TypeKind::Time(_), TypeKind::Time(_)) if matches!(unit, Unit::Millis(_)) => [&from.ty, &to.ty].map(plain),
        (TypeKind::TimestampLtz { .. }, TypeKind::TimestampLtz { .. }) => [&from.ty, &to.ty].map(plain),
        (a, b) => {
            let time = |kind: &TypeKind| match kind {
                TypeKind::Date => Some(TypeKind::Timestamp { precision: 3, attribute: Default::default() }),
                TypeKind::Timestamp { precision, .. } => {
                    Some(TypeKind::Timestamp { precision: *precision, attribute: Default::default() })
                }
                _ => None,
            };
            [time(a)?, time(b)?]
        }
    };
    let [from, to] = kinds;
    let result = if fraction == Some(1_000_000_000) { TypeKind::BigInt } else { TypeKind::Int };
    coerced(args, vec![args[0].ty.kind.clone(), from, to], result)
}

/// Of these units Flink counts whole seconds and multiplies them.
fn fraction_of_second(unit: Option<&Datum>) -> Option<i64> {
    match unit {
        Some(Datum::String(name)) => match name.to_ascii_uppercase().as_str() {
            "MILLISECOND" => Some(1_000),
            "MICROSECOND" => Some(1_000_000),
            "NANOSECOND" => Some(1_000_000_000),
            _ => None,
        },
        _ => None,
    }
}

fn compile_timestamp_diff(call: &CompileCall<'_>) -> Result<Compiled> {
    let name = call.text(0).ok_or_else(|| call.bug())?;
    let fraction = fraction_of_second(Some(&Datum::String(name.to_owned())));
    let unit = if fraction.is_some() { Unit::Millis(1_000) } else { unit(name).ok_or_else(|| call.bug())? };
    let factor = fraction.unwrap_or(1);
    let ty = call.ty.to_arrow();
    if let (TypeKind::Time(_), Unit::Millis(ms)) = (call.kind(1)?, unit) {
        return safe(move |args, cx| {
            let f = |from: i32, to: i32| ((i64::from(to) - i64::from(from)) / ms * factor) as i32;
            let times = [args[1].clone(), args[2].clone()];
            binary_numbers::<Time32MillisecondType, Time32MillisecondType, Int32Type>(&times, cx.rows, &ty, f)
        });
    }
    let precision = |kind: TypeKind| match kind {
        TypeKind::Timestamp { precision, .. } | TypeKind::TimestampLtz { precision, .. } => Ok(units_per_ms(precision)),
        _ => Err(call.bug()),
    };
    let (from_units, to_units) = (precision(call.kind(1)?)?, precision(call.kind(2)?)?);
    let long = call.ty.kind == TypeKind::BigInt;
    safe(move |args, cx| {
        let (from, to) = (Longs::of(&args[1])?, Longs::of(&args[2])?);
        let difference = |row| {
            let from = from.get(row)?.div_euclid(from_units);
            let to = to.get(row)?.div_euclid(to_units);
            Some(match unit {
                Unit::Millis(ms) => (to.wrapping_sub(from) / ms).wrapping_mul(factor),
                Unit::Months(months) => months_between(from, to) / months,
            })
        };
        if long {
            return longs(cx.rows, &ty, difference);
        }
        Ok(numbers::<Int32Type>(cx.rows, &ty, |row| difference(row).map(|count| count as i32)))
    })
}

/// Two times of a kind; the unit says whether months or milliseconds are counted.
fn resolve_datetime_minus(args: &[Argument]) -> Option<Call> {
    let [unit, earlier, later] = args else { return None };
    let result = match unit_of(unit)? {
        Unit::Months(_) => TypeKind::IntervalYearMonth,
        Unit::Millis(_) => TypeKind::IntervalDayTime,
    };
    let same = std::mem::discriminant(&earlier.ty.kind) == std::mem::discriminant(&later.ty.kind);
    if !same || !earlier.ty.kind.is_temporal() {
        return None;
    }
    coerced(args, vec![unit.ty.kind.clone(), plain(&earlier.ty), plain(&later.ty)], result)
}

/// A time in milliseconds, whatever its type.
fn millis<'a>(value: &'a Value, kind: &TypeKind) -> Result<Box<dyn Fn(usize) -> Option<i64> + 'a>> {
    Ok(match kind {
        TypeKind::Date => {
            let days = Numbers::<Date32Type>::of(value)?;
            Box::new(move |row| Some(i64::from(days.get(row)?) * MS_PER_DAY))
        }
        TypeKind::Time(_) => {
            let times = Numbers::<Time32MillisecondType>::of(value)?;
            Box::new(move |row| Some(i64::from(times.get(row)?)))
        }
        TypeKind::Timestamp { precision, .. } | TypeKind::TimestampLtz { precision, .. } => {
            let (times, units) = (Longs::of(value)?, units_per_ms(*precision));
            Box::new(move |row| Some(times.get(row)?.div_euclid(units)))
        }
        other => return Err(arus_core::Error::bug(format!("{other} is no time"))),
    })
}

fn compile_datetime_minus(call: &CompileCall<'_>) -> Result<Compiled> {
    let (earlier, later) = (call.kind(1)?, call.kind(2)?);
    let months = call.ty.kind == TypeKind::IntervalYearMonth;
    let ty = call.ty.to_arrow();
    safe(move |args, cx| {
        let (earlier, later) = (millis(&args[1], &earlier)?, millis(&args[2], &later)?);
        if months {
            let between = |row| Some(months_between(earlier(row)?, later(row)?) as i32);
            return Ok(numbers::<Int32Type>(cx.rows, &ty, between));
        }
        longs(cx.rows, &ty, |row| later(row)?.checked_sub(earlier(row)?))
    })
}

/// Whole months from one time to the other, in milliseconds.
fn months_between(from: i64, to: i64) -> i64 {
    let (from_day, to_day) = (from.div_euclid(MS_PER_DAY), to.div_euclid(MS_PER_DAY));
    let months = months_between_days(from_day, to_day);
    let falls_short = to.rem_euclid(MS_PER_DAY) < from.rem_euclid(MS_PER_DAY);
    if add_months(from_day, months) == to_day && falls_short { months - 1 } else { months }
}

/// As many months as fit between two days, a month's end counting as reached by its last day.
fn months_between_days(from: i64, to: i64) -> i64 {
    if to < from {
        return -months_between_days(to, from);
    }
    let ((y1, m1, _), (y2, m2, _)) = (civil_from_days(from), civil_from_days(to));
    let months = (y2 - y1) * 12 + i64::from(m2) - i64::from(m1);
    if add_months(from, months) > to { months - 1 } else { months }
}
