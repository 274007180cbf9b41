//! Values from the text that PostgreSQL reads them from.

use arus_core::error::Code;
use arus_core::{Error, Result};
use datafusion::arrow::datatypes::DataType;
use datafusion::common::ScalarValue;

use crate::function::{Value, element_type};

/// The name of a type as people read it.
fn name(ty: &DataType) -> &'static str {
    match ty {
        DataType::Boolean => "boolean",
        DataType::Int8 | DataType::Int16 => "smallint",
        DataType::Int32 => "integer",
        DataType::Int64 => "bigint",
        DataType::Float32 => "real",
        DataType::Float64 => "double precision",
        DataType::Decimal128(..) => "numeric",
        DataType::Date32 => "date",
        DataType::Time32(_) | DataType::Time64(_) => "time",
        DataType::Timestamp(_, None) => "timestamp",
        DataType::Timestamp(_, Some(_)) => "timestamp with time zone",
        DataType::Interval(_) => "interval",
        DataType::Binary | DataType::BinaryView => "bytea",
        DataType::List(_) => "array",
        _ => "text",
    }
}

/// The value, or PostgreSQL's complaint about it.
pub(crate) fn parse(text: &str, ty: &DataType) -> Result<ScalarValue> {
    let found = match ty {
        DataType::Boolean => boolean(text).map(|b| ScalarValue::Boolean(Some(b))),
        DataType::Binary | DataType::BinaryView | DataType::LargeBinary => {
            bytes(text).and_then(|b| ScalarValue::Binary(Some(b)).cast_to(ty).ok())
        }
        DataType::Timestamp(_, None) => cast(without_offset(text), ty),
        // Drivers send a date with the zone of their clock.
        DataType::Date32 => cast(text.split_whitespace().next().unwrap_or_default(), ty),
        DataType::List(_) => return list(text, ty),
        DataType::Interval(_) => interval(text).and_then(|v| crate::function::scalar(v, ty).ok()),
        DataType::Utf8 | DataType::Utf8View | DataType::LargeUtf8 => cast(text, ty),
        _ => cast(text.trim(), ty),
    };
    found.ok_or_else(|| {
        let message = format!("invalid input syntax for type {}: \"{text}\"", name(ty));
        Error::user(message).with_code(Code::InvalidText)
    })
}

fn cast(text: &str, ty: &DataType) -> Option<ScalarValue> {
    let value = ScalarValue::Utf8(Some(text.to_string())).cast_to(ty).ok()?;
    // A lenient cast gives NULL for what it cannot read.
    (!value.is_null()).then_some(value)
}

fn boolean(text: &str) -> Option<bool> {
    match text.trim().to_lowercase().as_str() {
        "t" | "true" | "y" | "yes" | "on" | "1" => Some(true),
        "f" | "false" | "n" | "no" | "off" | "0" => Some(false),
        _ => None,
    }
}

/// `1 year 2 mons -3 days 04:05:06.7`, `P1DT2H`, `@ 1 hour ago`
pub(crate) fn interval(text: &str) -> Option<Value> {
    const DAY: f64 = 86_400e6;
    let text = text.trim().trim_start_matches('@').trim_start().to_lowercase();
    if let Some(iso) = text.strip_prefix('p') {
        return iso_interval(iso);
    }
    let (text, sign) = text.strip_suffix(" ago").map_or((text.as_str(), 1.0), |t| (t, -1.0));
    let (mut months, mut days, mut micros) = (0.0, 0.0, 0.0);
    let mut words = text.split_whitespace().peekable();
    words.peek()?;
    while let Some(word) = words.next() {
        if word.contains(':') {
            micros += clock(word)?;
            continue;
        }
        // `2h` and `2 hours`
        let digits = word.find(|c: char| c.is_alphabetic()).unwrap_or(word.len());
        let count: f64 = word[..digits].parse().ok()?;
        let unit = if digits < word.len() { &word[digits..] } else { words.next().unwrap_or("second") };
        match unit.trim_end_matches(',').trim_end_matches('s') {
            "year" | "yr" | "y" => months += count * 12.0,
            "month" | "mon" => months += count,
            "decade" => months += count * 120.0,
            "century" | "centurie" => months += count * 1200.0,
            "week" | "w" => days += count * 7.0,
            "day" | "d" => days += count,
            "hour" | "hr" | "h" => micros += count * 3600e6,
            "minute" | "min" | "m" => micros += count * 60e6,
            "second" | "sec" | "" => micros += count * 1e6,
            "millisecond" => micros += count * 1e3,
            "microsecond" | "u" => micros += count,
            _ => return None,
        }
    }
    // What a month or a day has over goes to the smaller unit.
    days += (months % 1.0) * 30.0;
    micros += (days % 1.0) * DAY;
    Some(Value::Interval((sign * months.trunc()) as i32, (sign * days.trunc()) as i32, (sign * micros).round() as i64))
}

/// `-04:05:06.7` in microseconds.
fn clock(word: &str) -> Option<f64> {
    let (sign, word) = word.strip_prefix('-').map_or((1.0, word.trim_start_matches('+')), |w| (-1.0, w));
    let mut parts = word.split(':').map(str::parse::<f64>);
    let (hours, minutes) = (parts.next()?.ok()?, parts.next()?.ok()?);
    let seconds = parts.next().transpose().ok()?.unwrap_or(0.0);
    Some(sign * ((hours * 60.0 + minutes) * 60.0 + seconds) * 1e6)
}

fn iso_interval(text: &str) -> Option<Value> {
    let (date, time) = text.split_once('t').unwrap_or((text, ""));
    let (mut months, mut days, mut micros) = (0.0, 0.0, 0.0);
    for (part, of_day) in [(date, false), (time, true)] {
        let mut rest = part;
        while let Some(at) = rest.find(|c: char| c.is_alphabetic()) {
            let count: f64 = rest[..at].parse().ok()?;
            match (&rest[at..=at], of_day) {
                ("y", _) => months += count * 12.0,
                ("m", false) => months += count,
                ("w", _) => days += count * 7.0,
                ("d", _) => days += count,
                ("h", _) => micros += count * 3600e6,
                ("m", true) => micros += count * 60e6,
                ("s", _) => micros += count * 1e6,
                _ => return None,
            }
            rest = &rest[at + 1..];
        }
    }
    Some(Value::Interval(months as i32, days as i32, f64::round(micros) as i64))
}

/// `\x00ff`, else the characters with `\ooo` for bytes.
fn bytes(text: &str) -> Option<Vec<u8>> {
    if let Some(hex) = text.strip_prefix("\\x") {
        let digits: Vec<u8> = hex.bytes().filter(|b| !b.is_ascii_whitespace()).collect();
        let pairs = digits.chunks(2).map(|pair| {
            let pair = std::str::from_utf8(pair).ok().filter(|p| p.len() == 2)?;
            u8::from_str_radix(pair, 16).ok()
        });
        return pairs.collect();
    }
    let mut out = vec![];
    let mut rest = text.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        if *first != b'\\' {
            out.push(*first);
            rest = tail;
        } else if let Some(tail) = tail.strip_prefix(b"\\") {
            out.push(b'\\');
            rest = tail;
        } else {
            let octal = std::str::from_utf8(tail.get(..3)?).ok()?;
            out.push(u8::from_str_radix(octal, 8).ok()?);
            rest = &tail[3..];
        }
    }
    Some(out)
}

/// A timestamp without a zone takes no notice of an offset.
fn without_offset(text: &str) -> &str {
    let text = text.trim();
    let Some(time) = text.find(':') else { return text };
    match text[time..].find(['+', '-', 'Z']) {
        Some(at) => text[..time + at].trim_end(),
        None => text,
    }
}

/// `{1,2,NULL,"a b"}`
fn list(text: &str, ty: &DataType) -> Result<ScalarValue> {
    let element = element_type(ty);
    let malformed = || Error::user(format!("malformed array literal: \"{text}\"")).with_code(Code::InvalidText);
    let inner = text.trim().strip_prefix('{').and_then(|t| t.strip_suffix('}')).ok_or_else(malformed)?;
    let mut items = vec![];
    let mut chars = inner.chars().peekable();
    while chars.peek().is_some() {
        let mut item = String::new();
        let mut quoted = false;
        let mut in_quotes = false;
        while let Some(c) = chars.next() {
            match c {
                '"' => {
                    in_quotes = !in_quotes;
                    quoted = true;
                }
                '\\' => item.extend(chars.next()),
                ',' if !in_quotes => break,
                '{' | '}' if !in_quotes => return Err(malformed()),
                c => item.push(c),
            }
        }
        let item = if quoted { item.as_str() } else { item.trim() };
        items.push(if !quoted && item.eq_ignore_ascii_case("null") {
            ScalarValue::try_from(&element).map_err(crate::errors::plan_error)?
        } else {
            parse(item, &element)?
        });
    }
    Ok(ScalarValue::List(ScalarValue::new_list(&items, &element, true)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::function::{TIMESTAMP, list_of};

    #[test]
    fn texts_are_read_as_postgres_does() {
        let read = |text: &str, ty: &DataType| parse(text, ty).expect(text).to_string();
        assert_eq!(read(" 7 ", &DataType::Int64), "7");
        assert_eq!(read("on", &DataType::Boolean), "true");
        assert_eq!(parse("\\x00ff", &DataType::Binary).expect("hex"), ScalarValue::Binary(Some(vec![0, 255])));
        assert_eq!(parse("a\\001", &DataType::Binary).expect("escapes"), ScalarValue::Binary(Some(vec![97, 1])));
        assert_eq!(interval("1 year 2 mons -3 days 04:05:06.5"), Some(Value::Interval(14, -3, 14_706_500_000)));
        assert_eq!(interval("1 day 0:00:02"), Some(Value::Interval(0, 1, 2_000_000)));
        assert_eq!(interval("P1Y2M3DT4H"), Some(Value::Interval(14, 3, 14_400_000_000)));
        assert_eq!([interval("x"), interval("")], [None, None]);
        assert_eq!(read("{1,NULL,3}", &list_of(DataType::Int32)), "[1, , 3]");
        assert_eq!(
            parse("2024-01-05 10:00:00+02", &TIMESTAMP).expect("an offset"),
            parse("2024-01-05T10:00:00", &TIMESTAMP).expect("none")
        );
        let e = parse("x", &DataType::Int32).expect_err("no number");
        assert_eq!((e.code(), e.message()), (Code::InvalidText, "invalid input syntax for type integer: \"x\""));
    }
}
