//! EXTRACT and its short forms, and the units that FLOOR and CEIL of times share with it.
//!
//! As in Flink, times before 1970 are cut toward zero: with a fraction of a day, the day, month and year of the day
//! after are taken, and hours, minutes and seconds are negative.

use arrow::array::ArrayRef;
use arrow::datatypes::{DataType, Date32Type, Int32Type, Int64Type, Time32MillisecondType};
use arus_core::function::Argument;
use arus_core::text::{Zone, civil_from_days, days_from_civil};
use arus_core::types::units_per_ms;
use arus_core::{Datum, Result, TypeKind};

use super::{Call, CompileCall, Compiled, Function, as_is, safe};
use crate::value::{Cx, Longs, Numbers, Value, numbers};

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new(
        &["EXTRACT"],
        "EXTRACT(<UNIT> FROM <DATETIME>), EXTRACT(<UNIT> FROM <INTERVAL>)",
        resolve_extract,
        |call| {
            let unit = call.text(0).and_then(Unit::parse).ok_or_else(|| call.bug())?;
            compile(call, 1, unit)
        },
    ),
    Function {
        keeps_name: true,
        ..Function::new(
            &["YEAR", "QUARTER", "MONTH", "WEEK", "DAYOFYEAR", "DAYOFMONTH", "DAYOFWEEK", "HOUR", "MINUTE", "SECOND"],
            "YEAR(<DATETIME>)",
            |args| match args {
                [time] if time.ty.kind.is_temporal() || time.ty.kind.is_interval() => as_is(args, TypeKind::BigInt),
                _ => None,
            },
            |call| {
                let unit = Unit::parse(call.name).ok_or_else(|| call.bug())?;
                compile(call, 0, unit)
            },
        )
    },
];

const MS_PER_DAY: i64 = 86_400_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    Millennium,
    Century,
    Decade,
    Year,
    IsoYear,
    Quarter,
    Month,
    Week,
    Day,
    DayOfYear,
    DayOfWeek,
    IsoDayOfWeek,
    Hour,
    Minute,
    Second,
    Millisecond,
    Microsecond,
    Nanosecond,
    Epoch,
}

impl Unit {
    pub(super) fn parse(name: &str) -> Option<Unit> {
        Some(match name.to_ascii_uppercase().as_str() {
            "MILLENNIUM" => Unit::Millennium,
            "CENTURY" => Unit::Century,
            "DECADE" => Unit::Decade,
            "YEAR" => Unit::Year,
            "ISOYEAR" => Unit::IsoYear,
            "QUARTER" => Unit::Quarter,
            "MONTH" => Unit::Month,
            "WEEK" => Unit::Week,
            "DAY" | "DAYOFMONTH" => Unit::Day,
            "DOY" | "DAYOFYEAR" => Unit::DayOfYear,
            "DOW" | "DAYOFWEEK" => Unit::DayOfWeek,
            "ISODOW" => Unit::IsoDayOfWeek,
            "HOUR" => Unit::Hour,
            "MINUTE" => Unit::Minute,
            "SECOND" => Unit::Second,
            "MILLISECOND" => Unit::Millisecond,
            "MICROSECOND" => Unit::Microsecond,
            "NANOSECOND" => Unit::Nanosecond,
            "EPOCH" => Unit::Epoch,
            _ => return None,
        })
    }
}

fn resolve_extract(args: &[Argument]) -> Option<Call> {
    match args {
        [unit, time] if time.ty.kind.is_temporal() || time.ty.kind.is_interval() => {
            let Some(Datum::String(unit)) = &unit.literal else { return None };
            Unit::parse(unit)?;
            as_is(args, TypeKind::BigInt)
        }
        _ => None,
    }
}

fn compile(call: &CompileCall<'_>, arg: usize, unit: Unit) -> Result<Compiled> {
    let zone = call.zone;
    match call.kind(arg)? {
        TypeKind::Date => safe(move |args, cx| {
            let days = Numbers::<Date32Type>::of(&args[arg])?;
            bigints(cx, |row| Some(extract(unit, i64::from(days.get(row)?) * MS_PER_DAY, 0)))
        }),
        TypeKind::Time(_) => safe(move |args, cx| {
            let times = Numbers::<Time32MillisecondType>::of(&args[arg])?;
            bigints(cx, |row| Some(extract(unit, i64::from(times.get(row)?), 0)))
        }),
        TypeKind::Timestamp { precision, .. } => {
            safe(move |args, cx| timestamps(&args[arg], cx, unit, precision, Zone::UTC))
        }
        TypeKind::TimestampLtz { precision, .. } => {
            safe(move |args, cx| timestamps(&args[arg], cx, unit, precision, zone))
        }
        TypeKind::IntervalDayTime => safe(move |args, cx| {
            let intervals = Numbers::<Int64Type>::of(&args[arg])?;
            bigints(cx, |row| {
                let ms = intervals.get(row)?;
                Some(match unit {
                    Unit::Day => ms / MS_PER_DAY,
                    Unit::Year | Unit::Month | Unit::Quarter | Unit::Week => 0,
                    _ => extract(unit, ms, 0),
                })
            })
        }),
        TypeKind::IntervalYearMonth => safe(move |args, cx| {
            let intervals = Numbers::<Int32Type>::of(&args[arg])?;
            bigints(cx, |row| {
                let months = i64::from(intervals.get(row)?);
                Some(match unit {
                    Unit::Year => months / 12,
                    Unit::Quarter => months % 12 / 3 + 1,
                    Unit::Month => months % 12,
                    _ => 0,
                })
            })
        }),
        _ => Err(call.bug()),
    }
}

fn bigints(cx: &mut Cx<'_>, f: impl FnMut(usize) -> Option<i64>) -> Result<ArrayRef> {
    Ok(numbers::<Int64Type>(cx.rows, &DataType::Int64, f))
}

fn timestamps(arg: &Value, cx: &mut Cx<'_>, unit: Unit, precision: u8, zone: Zone) -> Result<ArrayRef> {
    let units = units_per_ms(precision);
    let nanos_per_unit = 1_000_000 / units;
    let times = Longs::of(arg)?;
    bigints(cx, |row| {
        let time = times.get(row)?;
        let (ms, rest) = (time.div_euclid(units), time.rem_euclid(units));
        Some(extract(unit, zone.to_local(ms, 1)?, rest * nanos_per_unit))
    })
}

/// A field of a local time in ms; `nanos` of the millisecond.
fn extract(unit: Unit, ms: i64, nanos: i64) -> i64 {
    let (day, time) = (ms / MS_PER_DAY, ms % MS_PER_DAY);
    match unit {
        Unit::Hour => time / 3_600_000,
        Unit::Minute => time / 60_000 % 60,
        Unit::Second => time / 1_000 % 60,
        Unit::Millisecond => ms % 1_000,
        Unit::Microsecond => ms % 1_000 * 1_000 + nanos / 1_000,
        Unit::Nanosecond => ms % 1_000 * 1_000_000 + nanos,
        Unit::Epoch => ms / 1_000,
        Unit::DayOfWeek => (day + 4).rem_euclid(7) + 1,
        Unit::IsoDayOfWeek => (day + 3).rem_euclid(7) + 1,
        Unit::IsoYear => iso_week(day).0,
        Unit::Week => iso_week(day).1,
        _ => {
            let (year, month, day_of_month) = civil_from_days(day);
            match unit {
                Unit::Millennium => up_to(year, 1_000),
                Unit::Century => up_to(year, 100),
                Unit::Decade => year.div_euclid(10),
                Unit::Year => year,
                Unit::Quarter => i64::from(month - 1) / 3 + 1,
                Unit::Month => i64::from(month),
                Unit::DayOfYear => day - days_from_civil(year, 1, 1) + 1,
                _ => i64::from(day_of_month),
            }
        }
    }
}

/// Centuries and millennia end with their round year, and there is no year 0.
fn up_to(year: i64, size: i64) -> i64 {
    if year > 0 { (year + size - 1) / size } else { -((size - 1 - year) / size) }
}

/// Year and week of ISO 8601: the week belongs to the year of its Thursday.
pub(crate) fn iso_week(day: i64) -> (i64, i64) {
    let thursday = day - (day + 3).rem_euclid(7) + 3;
    let (year, _, _) = civil_from_days(thursday);
    (year, (thursday - days_from_civil(year, 1, 1)) / 7 + 1)
}

// ---- FLOOR and CEIL ------------------------------------------------------------------------------------

/// A date rounded to a unit; units below a day leave it.
pub(super) fn round_date(unit: Unit, day: i64, up: bool) -> i64 {
    let (year, month, _) = civil_from_days(day);
    let first_of = |year: i64| days_from_civil(year, 1, 1);
    let (floor, next) = match unit {
        Unit::Week => {
            let sunday = day - (day + 4).rem_euclid(7);
            (sunday, sunday + 7)
        }
        Unit::Month => {
            let next = if month == 12 { first_of(year + 1) } else { days_from_civil(year, month + 1, 1) };
            (days_from_civil(year, month, 1), next)
        }
        Unit::Quarter => {
            let first = (month - 1) / 3 * 3 + 1;
            let next = if first == 10 { first_of(year + 1) } else { days_from_civil(year, first + 3, 1) };
            (days_from_civil(year, first, 1), next)
        }
        Unit::Year => (first_of(year), first_of(year + 1)),
        Unit::Decade => {
            let first = year.div_euclid(10) * 10;
            (first_of(first), first_of(first + 10))
        }
        Unit::Century => {
            let first = (year - 1).div_euclid(100) * 100 + 1;
            (first_of(first), first_of(first + 100))
        }
        Unit::Millennium => {
            let first = (year - 1).div_euclid(1_000) * 1_000 + 1;
            (first_of(first), first_of(first + 1_000))
        }
        _ => (day, day),
    };
    if up && floor != day { next } else { floor }
}

/// The milliseconds of a unit that all days share.
fn fixed_millis(unit: Unit) -> Option<i64> {
    Some(match unit {
        Unit::Day => MS_PER_DAY,
        Unit::Hour => 3_600_000,
        Unit::Minute => 60_000,
        Unit::Second => 1_000,
        Unit::Millisecond => 1,
        _ => return None,
    })
}

/// A local time in ms rounded to a unit. Units above a day look at the day alone.
pub(super) fn round_millis(unit: Unit, ms: i64, up: bool) -> i64 {
    match fixed_millis(unit) {
        Some(size) if up => -(-ms).div_euclid(size) * size,
        Some(size) => ms.div_euclid(size) * size,
        None => round_date(unit, ms / MS_PER_DAY, up) * MS_PER_DAY,
    }
}

pub(super) fn round_time(unit: Unit, ms: i32, up: bool) -> i32 {
    match fixed_millis(unit) {
        Some(_) => (round_millis(unit, i64::from(ms), up) % MS_PER_DAY) as i32,
        None => ms,
    }
}
