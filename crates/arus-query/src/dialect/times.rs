//! PostgreSQL's functions of dates and times.

use arus_core::error::Code;
use arus_core::postgres_time::Zone;
use chrono::{DateTime, Datelike, Days, Months, NaiveDate, NaiveDateTime, NaiveTime, Timelike};
use datafusion::arrow::datatypes::DataType;
use datafusion::error::Result;
use datafusion::logical_expr::ScalarUDF;

use super::patterns;
use super::write::text;
use crate::function::{INTERVAL, Returns, TIMESTAMP, Value, lenient, strict, timestamptz, wrong};

pub(super) const DAY: i64 = 86_400_000_000;
const EPOCH_FROM_CE: i32 = 719_163;

pub(super) fn moment(micros: i64) -> Result<NaiveDateTime> {
    DateTime::from_timestamp_micros(micros).map(|t| t.naive_utc()).ok_or_else(out_of_range)
}

fn out_of_range() -> datafusion::error::DataFusionError {
    wrong(Code::InvalidValue, "timestamp out of range")
}

pub(super) fn micros(time: NaiveDateTime) -> i64 {
    time.and_utc().timestamp_micros()
}

pub(super) fn days(date: NaiveDate) -> i32 {
    date.num_days_from_ce() - EPOCH_FROM_CE
}

/// The local time of a date, a timestamp, or an instant in the session's zone.
pub(super) fn local(value: &Value, zone: Zone) -> Result<NaiveDateTime> {
    match value {
        Value::Date(days) => moment(i64::from(*days) * DAY),
        Value::Timestamp(t, true) => moment(zone.to_local(*t)),
        Value::Timestamp(t, false) | Value::Time(t) => moment(*t),
        Value::Text(text) => {
            let parsed = crate::text::parse(text, &TIMESTAMP)
                .map_err(|e| datafusion::error::DataFusionError::External(Box::new(e)))?;
            local(&crate::function::value(&parsed)?, zone)
        }
        _ => Err(wrong(Code::TypeMismatch, "expected a date or a timestamp")),
    }
}

fn unknown(unit: &str) -> datafusion::error::DataFusionError {
    wrong(Code::InvalidValue, format!("unit \"{unit}\" not recognized"))
}

/// The unit's singular name.
fn unit_of(text: &str) -> String {
    let unit = text.trim().to_lowercase();
    match unit.as_str() {
        "century" | "centuries" => "century".into(),
        "millennium" | "millennia" => "millennium".into(),
        "us" => "microsecond".into(),
        "ms" => "millisecond".into(),
        "dow" | "isodow" | "doy" | "isoyear" | "epoch" | "julian" => unit,
        _ => unit.trim_end_matches('s').into(),
    }
}

/// A part of a date or time, as micros of a unit where it has a fraction.
fn part(unit: &str, value: &Value, zone: Zone) -> Result<f64> {
    let unit = unit_of(unit);
    if let Value::Interval(months, days, micros) = value {
        let (months, days) = (*months, *days);
        let seconds = *micros as f64 / 1e6;
        return Ok(match unit.as_str() {
            "year" => f64::from(months / 12),
            "month" => f64::from(months % 12),
            "quarter" => f64::from(months % 12 / 3 + 1),
            "day" => f64::from(days),
            "hour" => (micros / 3_600_000_000) as f64,
            "minute" => (micros / 60_000_000 % 60) as f64,
            "second" => (micros % 60_000_000) as f64 / 1e6,
            "millisecond" => (micros % 60_000_000) as f64 / 1e3,
            "microsecond" => (micros % 60_000_000) as f64,
            "epoch" => {
                f64::from(months / 12) * 31_557_600.0
                    + f64::from(months % 12) * 2_592_000.0
                    + f64::from(days) * 86_400.0
                    + seconds
            }
            _ => return Err(unknown(&unit)),
        });
    }
    let t = local(value, zone)?;
    let second = f64::from(t.second()) + f64::from(t.nanosecond() / 1000) / 1e6;
    Ok(match unit.as_str() {
        "year" => f64::from(t.year()),
        "month" => f64::from(t.month()),
        "day" => f64::from(t.day()),
        "hour" => f64::from(t.hour()),
        "minute" => f64::from(t.minute()),
        "second" => second,
        "millisecond" => second * 1e3,
        "microsecond" => second * 1e6,
        "quarter" => f64::from(t.month0() / 3 + 1),
        "week" => f64::from(t.iso_week().week()),
        "isoyear" => f64::from(t.iso_week().year()),
        "dow" => f64::from(t.weekday().num_days_from_sunday()),
        "isodow" => f64::from(t.weekday().number_from_monday()),
        "doy" => f64::from(t.ordinal()),
        "century" => f64::from((t.year() + 99).div_euclid(100)),
        "decade" => f64::from(t.year().div_euclid(10)),
        "millennium" => f64::from((t.year() + 999).div_euclid(1000)),
        "julian" => f64::from(t.num_days_from_ce()) + 1_721_425.0,
        "epoch" => match value {
            Value::Timestamp(micros, _) | Value::Time(micros) => *micros as f64 / 1e6,
            _ => micros(t) as f64 / 1e6,
        },
        "timezone" => zone.offset_seconds(micros(t)).into(),
        _ => return Err(unknown(&unit)),
    })
}

fn truncated(unit: &str, t: NaiveDateTime) -> Result<NaiveDateTime> {
    let midnight = |date: Option<NaiveDate>| date.map(|d| d.and_time(NaiveTime::MIN)).ok_or_else(out_of_range);
    let date = t.date();
    let year = |y: i32| midnight(NaiveDate::from_ymd_opt(y, 1, 1));
    let clock = |unit: i64| moment(micros(t).div_euclid(unit) * unit);
    match unit_of(unit).as_str() {
        "microsecond" => Ok(t),
        "millisecond" => clock(1_000),
        "second" => clock(1_000_000),
        "minute" => clock(60_000_000),
        "hour" => clock(3_600_000_000),
        "day" => midnight(Some(date)),
        "week" => midnight(date.checked_sub_days(Days::new(date.weekday().num_days_from_monday().into()))),
        "month" => midnight(date.with_day(1)),
        "quarter" => midnight(NaiveDate::from_ymd_opt(date.year(), date.month0() / 3 * 3 + 1, 1)),
        "year" => year(date.year()),
        "decade" => year(date.year().div_euclid(10) * 10),
        "century" => year((date.year() - 1).div_euclid(100) * 100 + 1),
        "millennium" => year((date.year() - 1).div_euclid(1000) * 1000 + 1),
        other => Err(unknown(other)),
    }
}

pub(super) fn add(t: i64, interval: &Value) -> Result<i64> {
    let Value::Interval(months, days, rest) = interval else {
        return Err(wrong(Code::TypeMismatch, "expected an interval"));
    };
    let time = moment(t)?;
    let months_of = |n: i32| Months::new(n.unsigned_abs());
    let time = if *months < 0 {
        time.checked_sub_months(months_of(*months))
    } else {
        time.checked_add_months(months_of(*months))
    };
    let time = time.ok_or_else(out_of_range)?;
    Ok(micros(time) + i64::from(*days) * DAY + rest)
}

/// Years, months, days and the time between two moments, as a calendar counts them.
fn age(later: NaiveDateTime, earlier: NaiveDateTime) -> Value {
    if later < earlier {
        let Value::Interval(months, days, micros) = age(earlier, later) else { return Value::Null };
        return Value::Interval(-months, -days, -micros);
    }
    let mut months = (later.year() - earlier.year()) * 12 + later.month() as i32 - earlier.month() as i32;
    let mut days = later.day() as i32 - earlier.day() as i32;
    let of_day =
        |t: NaiveDateTime| i64::from(t.num_seconds_from_midnight()) * 1_000_000 + i64::from(t.nanosecond() / 1000);
    let mut rest = of_day(later) - of_day(earlier);
    if rest < 0 {
        rest += DAY;
        days -= 1;
    }
    if days < 0 {
        // The month in which the count began tells how many days it had.
        days += month_days(earlier.date());
        months -= 1;
    }
    Value::Interval(months, days, rest)
}

fn month_days(date: NaiveDate) -> i32 {
    let first = date.with_day(1);
    let next = first.and_then(|f| f.checked_add_months(Months::new(1)));
    match (first, next) {
        (Some(first), Some(next)) => (next - first).num_days() as i32,
        _ => 30,
    }
}

fn zone_of(value: &Value) -> Result<Zone> {
    Zone::parse(value.text())
        .ok_or_else(|| wrong(Code::InvalidValue, format!("time zone \"{}\" not recognized", value.text())))
}

fn truncated_type(types: &[DataType]) -> DataType {
    match types.get(1) {
        Some(DataType::Timestamp(_, None)) | Some(DataType::Utf8 | DataType::Utf8View | DataType::Null) => TIMESTAMP,
        Some(DataType::Interval(_) | DataType::Duration(_)) => INTERVAL,
        _ => timestamptz(),
    }
}

fn other_timestamp(types: &[DataType]) -> DataType {
    match types.get(1) {
        Some(DataType::Timestamp(_, Some(_))) => TIMESTAMP,
        _ => timestamptz(),
    }
}

fn truncate(a: &[Value], zone: Zone) -> Result<Value> {
    let unit = a[0].text();
    match &a[1] {
        Value::Interval(months, days, micros) => Ok(match unit_of(unit).as_str() {
            "year" => Value::Interval(months / 12 * 12, 0, 0),
            "month" => Value::Interval(*months, 0, 0),
            "day" => Value::Interval(*months, *days, 0),
            "hour" => Value::Interval(*months, *days, micros / 3_600_000_000 * 3_600_000_000),
            "minute" => Value::Interval(*months, *days, micros / 60_000_000 * 60_000_000),
            "second" => Value::Interval(*months, *days, micros / 1_000_000 * 1_000_000),
            other => return Err(unknown(other)),
        }),
        Value::Timestamp(t, true) => {
            let zone = if a.len() > 2 { zone_of(&a[2])? } else { zone };
            let cut = truncated(unit, moment(zone.to_local(*t))?)?;
            Ok(Value::Timestamp(zone.to_instant(micros(cut)), true))
        }
        Value::Date(d) => {
            let cut = truncated(unit, moment(i64::from(*d) * DAY)?)?;
            Ok(Value::Timestamp(zone.to_instant(micros(cut)), true))
        }
        other => Ok(Value::Timestamp(micros(truncated(unit, local(other, zone)?)?), false)),
    }
}

/// Those that depend on the session's zone.
pub(super) fn zoned(zone: Zone) -> Vec<ScalarUDF> {
    vec![
        strict("date_trunc", Returns::Of(truncated_type), move |a| truncate(a, zone)),
        strict("date_part", Returns::FLOAT, move |a| Ok(Value::Float(part(a[0].text(), &a[1], zone)?))),
        strict("arus_extract", Returns::Type(DataType::Decimal128(38, 0)), move |a| {
            Ok(Value::Decimal(part(a[0].text(), &a[1], zone)? as i128, 0))
        }),
        strict("arus_extract_fraction", Returns::Type(DataType::Decimal128(38, 6)), move |a| {
            Ok(Value::Decimal((part(a[0].text(), &a[1], zone)? * 1e6).round() as i128, 6))
        }),
        strict("to_char", Returns::TEXT, move |a| match &a[0] {
            Value::Int(_) | Value::Float(_) | Value::Decimal(..) => {
                Ok(super::numbers::to_char(&a[0], a[1].text()).into())
            }
            Value::Interval(_, days, rest) => {
                Ok(patterns::write(moment(i64::from(*days) * DAY + rest)?, a[1].text(), zone).into())
            }
            other => Ok(patterns::write(local(other, zone)?, a[1].text(), zone).into()),
        }),
        strict("arus_text", Returns::TEXT, move |a| {
            let mut out = String::new();
            match &a[0] {
                Value::Timestamp(t, true) => arus_core::postgres_time::write_instant(&mut out, *t, zone),
                other => out = text(other),
            }
            Ok(out.into())
        }),
        strict("to_timestamp", Returns::Type(timestamptz()), move |a| match a {
            [Value::Text(text), Value::Text(pattern)] => {
                let t = patterns::read(text, pattern)?;
                Ok(Value::Timestamp(zone.to_instant(micros(t)), true))
            }
            [seconds] => Ok(Value::Timestamp((seconds.float() * 1e6).round() as i64, true)),
            _ => Err(wrong(Code::InvalidValue, "to_timestamp expects seconds, or a text and its pattern")),
        }),
        strict("arus_local", Returns::Type(TIMESTAMP), move |a| {
            Ok(Value::Timestamp(micros(local(&a[0], zone)?), false))
        }),
        strict("arus_instant", Returns::Type(timestamptz()), move |a| {
            Ok(Value::Timestamp(zone.to_instant(micros(local(&a[0], zone)?)), true))
        }),
        lenient("age", Returns::Type(INTERVAL), move |a| match a {
            [Value::Null, ..] | [_, Value::Null] => Ok(Value::Null),
            [later, earlier] => Ok(age(local(later, zone)?, local(earlier, zone)?)),
            _ => Err(wrong(Code::NotSupported, "age expects two timestamps")),
        }),
    ]
}

pub(super) fn all() -> Vec<ScalarUDF> {
    let int = |a: &[Value], i: usize| a.get(i).map_or(0, Value::int);
    vec![
        strict("timezone", Returns::Of(other_timestamp), |a| {
            let zone = zone_of(&a[0])?;
            Ok(match &a[1] {
                Value::Timestamp(t, true) => Value::Timestamp(zone.to_local(*t), false),
                other => Value::Timestamp(zone.to_instant(micros(local(other, Zone::UTC)?)), true),
            })
        }),
        strict("to_date", Returns::Type(DataType::Date32), |a| {
            Ok(Value::Date(days(patterns::read(a[0].text(), a[1].text())?.date())))
        }),
        strict("make_date", Returns::Type(DataType::Date32), move |a| {
            let date = NaiveDate::from_ymd_opt(a[0].int() as i32, a[1].int() as u32, a[2].int() as u32);
            date.map(|d| Value::Date(days(d))).ok_or_else(|| wrong(Code::InvalidValue, "date field value out of range"))
        }),
        strict("make_timestamp", Returns::Type(TIMESTAMP), move |a| {
            let date = NaiveDate::from_ymd_opt(int(a, 0) as i32, int(a, 1) as u32, int(a, 2) as u32);
            let date = date.ok_or_else(|| wrong(Code::InvalidValue, "date field value out of range"))?;
            let seconds = (a[5].float() * 1e6).round() as i64;
            Ok(Value::Timestamp(
                i64::from(days(date)) * DAY + int(a, 3) * 3_600_000_000 + int(a, 4) * 60_000_000 + seconds,
                false,
            ))
        }),
        strict("make_interval", Returns::Type(INTERVAL), move |a| {
            let seconds = a.get(6).map_or(0.0, Value::float);
            let rest = int(a, 4) * 3_600_000_000 + int(a, 5) * 60_000_000 + (seconds * 1e6).round() as i64;
            Ok(Value::Interval((int(a, 0) * 12 + int(a, 1)) as i32, (int(a, 2) * 7 + int(a, 3)) as i32, rest))
        }),
        strict("justify_hours", Returns::Type(INTERVAL), |a| match &a[0] {
            Value::Interval(m, d, us) => Ok(Value::Interval(*m, d + (us / DAY) as i32, us % DAY)),
            other => Ok(other.clone()),
        }),
        strict("justify_days", Returns::Type(INTERVAL), |a| match &a[0] {
            Value::Interval(m, d, us) => Ok(Value::Interval(m + d / 30, d % 30, *us)),
            other => Ok(other.clone()),
        }),
        strict("justify_interval", Returns::Type(INTERVAL), |a| match &a[0] {
            Value::Interval(m, d, us) => {
                let days = d + (us / DAY) as i32;
                Ok(Value::Interval(m + days / 30, days % 30, us % DAY))
            }
            other => Ok(other.clone()),
        }),
        strict("arus_date_difference", Returns::INT, |a| match a {
            [Value::Date(a), Value::Date(b)] => Ok(Value::Int((*a - *b).into())),
            _ => Ok(Value::Null),
        }),
        strict("arus_date_add", Returns::Type(DataType::Date32), |a| match a {
            [Value::Date(d), n] => Ok(Value::Date(d + n.int() as i32)),
            _ => Ok(Value::Null),
        }),
        strict("arus_interval_times", Returns::Type(INTERVAL), |a| {
            let Value::Interval(m, d, us) = &a[0] else { return Ok(Value::Null) };
            let factor = a[1].float();
            // What a month or a day has over goes to the smaller unit.
            let months = f64::from(*m) * factor;
            let days = f64::from(*d) * factor + months.fract() * 30.0;
            let rest = *us as f64 * factor + days.fract() * DAY as f64;
            Ok(Value::Interval(months.trunc() as i32, days.trunc() as i32, rest.round() as i64))
        }),
        strict("arus_timestamp_add", Returns::Like(0), |a| match &a[0] {
            Value::Timestamp(t, zone) => Ok(Value::Timestamp(add(*t, &a[1])?, *zone)),
            _ => Ok(Value::Null),
        }),
        strict("isfinite", Returns::BOOL, |_| Ok(Value::Bool(true))),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_counted_by_the_calendar() {
        let day = |y, m, d| NaiveDate::from_ymd_opt(y, m, d).expect("a date").and_time(NaiveTime::MIN);
        assert_eq!(age(day(2024, 3, 15), day(2023, 1, 31)), Value::Interval(13, 15, 0));
        assert_eq!(age(day(2023, 1, 1), day(2024, 1, 1)), Value::Interval(-12, 0, 0));
    }

    #[test]
    fn weeks_begin_on_monday() {
        let t = NaiveDate::from_ymd_opt(2024, 3, 3).expect("a Sunday").and_time(NaiveTime::MIN);
        assert_eq!(truncated("week", t).expect("a unit").to_string(), "2024-02-26 00:00:00");
        assert!(truncated("fortnight", t).is_err());
    }
}
