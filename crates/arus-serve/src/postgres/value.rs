//! One value of an Arrow array as Postgres writes it, in text and in binary: what rows, cursors and COPY send.

use arrow::array::cast::AsArray;
use arrow::array::{Array, ArrayRef};
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, DurationMicrosecondType, DurationMillisecondType, DurationNanosecondType,
    DurationSecondType, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, IntervalDayTimeType,
    IntervalMonthDayNanoType, IntervalUnit, IntervalYearMonthType, Time32MillisecondType, Time32SecondType,
    Time64MicrosecondType, Time64NanosecondType, TimeUnit, TimestampMicrosecondType, TimestampMillisecondType,
    TimestampNanosecondType, TimestampSecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arus_core::postgres_time::{self as times, Zone};
use pgwire::api::Type;

use crate::json;

/// How the session wants to see values.
#[derive(Debug, Clone, Copy)]
pub(super) struct Style {
    pub(super) zone: Zone,
    /// `bytea_output = escape`.
    pub(super) escape_bytes: bool,
}

/// A scalar without its array.
enum Scalar<'a> {
    Bool(bool),
    Int(i64),
    Float4(f32),
    Float8(f64),
    Decimal(i128, i8),
    Text(&'a str),
    Bytes(&'a [u8]),
    /// Days since 1970.
    Date(i32),
    /// Microseconds of the day.
    Time(i64),
    /// Microseconds since 1970, and whether it is an instant.
    Timestamp(i64, bool),
    /// Months, days, microseconds.
    Interval(i32, i32, i64),
    List(ArrayRef),
    /// A row, a map: written as JSON.
    Json(String),
}

/// Reads the value; `None` is NULL.
fn scalar(array: &ArrayRef, row: usize) -> Option<Scalar<'_>> {
    if array.is_null(row) {
        return None;
    }
    if json::is_nested(array.data_type()) {
        return Some(Scalar::Json(json::value(array, row).to_string()));
    }
    macro_rules! get {
        ($ty:ty) => {
            array.as_primitive::<$ty>().value(row)
        };
    }
    Some(match array.data_type() {
        DataType::Boolean => Scalar::Bool(array.as_boolean().value(row)),
        DataType::Int8 => Scalar::Int(get!(Int8Type).into()),
        DataType::Int16 => Scalar::Int(get!(Int16Type).into()),
        DataType::Int32 => Scalar::Int(get!(Int32Type).into()),
        DataType::Int64 => Scalar::Int(get!(Int64Type)),
        DataType::UInt8 => Scalar::Int(get!(UInt8Type).into()),
        DataType::UInt16 => Scalar::Int(get!(UInt16Type).into()),
        DataType::UInt32 => Scalar::Int(get!(UInt32Type).into()),
        DataType::UInt64 => Scalar::Int(get!(UInt64Type) as i64),
        DataType::Float32 => Scalar::Float4(get!(Float32Type)),
        DataType::Float64 => Scalar::Float8(get!(Float64Type)),
        DataType::Decimal128(_, scale) => Scalar::Decimal(get!(Decimal128Type), *scale),
        DataType::Utf8 => Scalar::Text(array.as_string::<i32>().value(row)),
        DataType::LargeUtf8 => Scalar::Text(array.as_string::<i64>().value(row)),
        DataType::Utf8View => Scalar::Text(array.as_string_view().value(row)),
        DataType::Binary => Scalar::Bytes(array.as_binary::<i32>().value(row)),
        DataType::LargeBinary => Scalar::Bytes(array.as_binary::<i64>().value(row)),
        DataType::BinaryView => Scalar::Bytes(array.as_binary_view().value(row)),
        DataType::FixedSizeBinary(_) => Scalar::Bytes(array.as_fixed_size_binary().value(row)),
        DataType::Date32 => Scalar::Date(get!(Date32Type)),
        DataType::Time32(TimeUnit::Second) => Scalar::Time(i64::from(get!(Time32SecondType)) * 1_000_000),
        DataType::Time32(_) => Scalar::Time(i64::from(get!(Time32MillisecondType)) * 1_000),
        DataType::Time64(TimeUnit::Nanosecond) => Scalar::Time(get!(Time64NanosecondType) / 1_000),
        DataType::Time64(_) => Scalar::Time(get!(Time64MicrosecondType)),
        DataType::Timestamp(unit, zone) => {
            let micros = match unit {
                TimeUnit::Second => get!(TimestampSecondType).saturating_mul(1_000_000),
                TimeUnit::Millisecond => get!(TimestampMillisecondType).saturating_mul(1_000),
                TimeUnit::Microsecond => get!(TimestampMicrosecondType),
                TimeUnit::Nanosecond => get!(TimestampNanosecondType).div_euclid(1_000),
            };
            Scalar::Timestamp(micros, zone.is_some())
        }
        DataType::Interval(IntervalUnit::YearMonth) => Scalar::Interval(get!(IntervalYearMonthType), 0, 0),
        DataType::Interval(IntervalUnit::DayTime) => {
            let value = get!(IntervalDayTimeType);
            Scalar::Interval(0, value.days, i64::from(value.milliseconds) * 1_000)
        }
        DataType::Interval(IntervalUnit::MonthDayNano) => {
            let value = get!(IntervalMonthDayNanoType);
            Scalar::Interval(value.months, value.days, value.nanoseconds / 1_000)
        }
        DataType::Duration(unit) => {
            let micros = match unit {
                TimeUnit::Second => get!(DurationSecondType).saturating_mul(1_000_000),
                TimeUnit::Millisecond => get!(DurationMillisecondType).saturating_mul(1_000),
                TimeUnit::Microsecond => get!(DurationMicrosecondType),
                TimeUnit::Nanosecond => get!(DurationNanosecondType) / 1_000,
            };
            // PostgreSQL's difference of two timestamps counts in days and time.
            Scalar::Interval(0, (micros / DAY) as i32, micros % DAY)
        }
        DataType::List(_) => Scalar::List(array.as_list::<i32>().value(row)),
        DataType::LargeList(_) => Scalar::List(array.as_list::<i64>().value(row)),
        DataType::FixedSizeList(..) => Scalar::List(array.as_fixed_size_list().value(row)),
        DataType::Null => return None,
        _ => Scalar::Json(json::value(array, row).to_string()),
    })
}

const DAY: i64 = 86_400_000_000;

/// Appends the text of a value; `false`: it is NULL, and nothing was appended.
pub(super) fn write_text(out: &mut String, array: &ArrayRef, row: usize, ty: &Type, style: &Style) -> bool {
    let Some(value) = scalar(array, row) else { return false };
    match value {
        Scalar::Bool(b) => out.push(if b { 't' } else { 'f' }),
        Scalar::Int(i) => out.push_str(&i.to_string()),
        Scalar::Float4(f) => write_float(out, &f.to_string(), &format!("{f:e}"), f64::from(f), 6),
        Scalar::Float8(f) => write_float(out, &f.to_string(), &format!("{f:e}"), f, 15),
        Scalar::Decimal(value, scale) => write_decimal(out, value, scale),
        Scalar::Text(text) => out.push_str(text),
        Scalar::Json(text) => out.push_str(&text),
        Scalar::Bytes(bytes) => write_bytes(out, bytes, style.escape_bytes),
        Scalar::Date(days) => times::write_date(out, days),
        Scalar::Time(micros) => times::write_time(out, micros),
        Scalar::Timestamp(micros, false) => times::write_timestamp(out, micros),
        Scalar::Timestamp(micros, true) => times::write_instant(out, micros, style.zone),
        Scalar::Interval(months, days, micros) => times::write_interval(out, months, days, micros),
        Scalar::List(items) if ["int2vector", "oidvector"].contains(&ty.name()) => {
            for i in 0..items.len() {
                if i > 0 {
                    out.push(' ');
                }
                write_text(out, &items, i, &Type::INT4, style);
            }
        }
        Scalar::List(items) => write_list(out, &items, style),
    }
    true
}

fn write_list(out: &mut String, items: &ArrayRef, style: &Style) {
    out.push('{');
    let mut text = String::new();
    for i in 0..items.len() {
        if i > 0 {
            out.push(',');
        }
        text.clear();
        if !write_text(&mut text, items, i, &Type::UNKNOWN, style) {
            out.push_str("NULL");
            continue;
        }
        let special = |c: char| c.is_whitespace() || ['{', '}', ',', '"', '\\'].contains(&c);
        if text.is_empty() || text.eq_ignore_ascii_case("null") || text.contains(special) {
            out.push('"');
            for c in text.chars() {
                if c == '"' || c == '\\' {
                    out.push('\\');
                }
                out.push(c);
            }
            out.push('"');
        } else {
            out.push_str(&text);
        }
    }
    out.push('}');
}

/// PostgreSQL writes the shortest digits that give the number back, with an exponent where C's `%g` would.
fn write_float(out: &mut String, plain: &str, scientific: &str, value: f64, digits: i32) {
    if value.is_nan() {
        out.push_str("NaN");
        return;
    }
    if value.is_infinite() {
        out.push_str(if value > 0.0 { "Infinity" } else { "-Infinity" });
        return;
    }
    let Some((mantissa, exponent)) = scientific.split_once('e') else {
        out.push_str(plain);
        return;
    };
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if value != 0.0 && (exponent < -4 || exponent >= digits) {
        let sign = if exponent < 0 { '-' } else { '+' };
        out.push_str(&format!("{mantissa}e{sign}{:02}", exponent.abs()));
    } else {
        out.push_str(plain);
    }
}

fn write_decimal(out: &mut String, value: i128, scale: i8) {
    let digits = value.unsigned_abs().to_string();
    if value < 0 {
        out.push('-');
    }
    let Ok(scale) = usize::try_from(scale) else {
        out.push_str(&digits);
        out.extend(std::iter::repeat_n('0', usize::from(scale.unsigned_abs())));
        return;
    };
    if scale == 0 {
        out.push_str(&digits);
    } else if digits.len() > scale {
        let (whole, fraction) = digits.split_at(digits.len() - scale);
        out.push_str(&format!("{whole}.{fraction}"));
    } else {
        out.push_str(&format!("0.{digits:0>scale$}"));
    }
}

fn write_bytes(out: &mut String, bytes: &[u8], escape: bool) {
    if escape {
        for b in bytes {
            match b {
                b'\\' => out.push_str("\\\\"),
                0x20..=0x7e => out.push(char::from(*b)),
                b => out.push_str(&format!("\\{b:03o}")),
            }
        }
        return;
    }
    out.push_str("\\x");
    for b in bytes {
        out.push_str(&format!("{b:02x}"));
    }
}

/// Appends a value in binary, without its length; `false`: it is NULL.
pub(super) fn write_binary(out: &mut Vec<u8>, array: &ArrayRef, row: usize, ty: &Type) -> bool {
    let Some(value) = scalar(array, row) else { return false };
    match value {
        Scalar::Bool(b) => out.push(u8::from(b)),
        Scalar::Int(i) => write_int(out, i, ty),
        Scalar::Float4(f) => out.extend(f.to_be_bytes()),
        Scalar::Float8(f) => out.extend(f.to_be_bytes()),
        Scalar::Decimal(value, scale) => write_numeric(out, value, scale),
        Scalar::Text(text) => write_plain(out, text, ty),
        Scalar::Json(text) => write_plain(out, &text, ty),
        Scalar::Bytes(bytes) => out.extend(bytes),
        Scalar::Date(days) => out.extend((days - times::EPOCH_DAYS).to_be_bytes()),
        Scalar::Time(micros) => out.extend(micros.to_be_bytes()),
        Scalar::Timestamp(micros, _) => out.extend((micros - times::EPOCH_MICROS).to_be_bytes()),
        Scalar::Interval(months, days, micros) => {
            out.extend(micros.to_be_bytes());
            out.extend(days.to_be_bytes());
            out.extend(months.to_be_bytes());
        }
        Scalar::List(items) => {
            let element = super::types::element_of(ty);
            // Dimensions, whether there are NULLs, the element's type; length and lower bound of the only dimension.
            let dimensions = i32::from(!items.is_empty());
            out.extend(dimensions.to_be_bytes());
            out.extend(i32::from(items.null_count() > 0).to_be_bytes());
            out.extend(element.oid().to_be_bytes());
            if dimensions == 1 {
                out.extend((items.len() as i32).to_be_bytes());
                let lower = i32::from(!["int2vector", "oidvector"].contains(&ty.name()));
                out.extend(lower.to_be_bytes());
            }
            for i in 0..items.len() {
                write_sized(out, |out| write_binary(out, &items, i, &element));
            }
        }
    }
    true
}

/// A value behind its length; -1 is NULL.
pub(super) fn write_sized(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>) -> bool) {
    let at = out.len();
    out.extend((-1i32).to_be_bytes());
    if write(out) {
        let length = (out.len() - at - 4) as i32;
        out[at..at + 4].copy_from_slice(&length.to_be_bytes());
    }
}

fn write_plain(out: &mut Vec<u8>, text: &str, ty: &Type) {
    if *ty == Type::JSONB {
        // The version of the format.
        out.push(1);
    }
    out.extend(text.as_bytes());
}

fn write_int(out: &mut Vec<u8>, value: i64, ty: &Type) {
    match *ty {
        Type::INT2 => out.extend((value as i16).to_be_bytes()),
        Type::INT8 => out.extend(value.to_be_bytes()),
        // oid is unsigned, with the same bits.
        _ => out.extend((value as i32).to_be_bytes()),
    }
}

/// Groups of four decimal digits.
fn write_numeric(out: &mut Vec<u8>, value: i128, scale: i8) {
    const BASE: u128 = 10_000;
    let shown_scale = u16::try_from(scale).unwrap_or(0);
    let mut rest = value.unsigned_abs();
    let mut overflow_zeros = 0;
    if scale < 0 {
        overflow_zeros = usize::from(scale.unsigned_abs());
    }
    // The point has to stand between two groups.
    let pad = (4 - shown_scale % 4) % 4;
    let mut groups: Vec<u16> = vec![];
    if overflow_zeros > 0 {
        rest = rest.saturating_mul(10u128.saturating_pow(overflow_zeros as u32));
    }
    if pad > 0 {
        let split = 10u128.pow(u32::from(4 - pad));
        groups.push(((rest % split) * 10u128.pow(u32::from(pad))) as u16);
        rest /= split;
    }
    while rest > 0 {
        groups.push((rest % BASE) as u16);
        rest /= BASE;
    }
    let fraction_groups = usize::from(shown_scale.div_ceil(4));
    while groups.len() < fraction_groups {
        groups.push(0);
    }
    let mut weight = groups.len() as i32 - fraction_groups as i32 - 1;
    groups.reverse();
    let leading = groups.iter().take_while(|g| **g == 0).count();
    groups.drain(..leading);
    weight -= leading as i32;
    while groups.last() == Some(&0) {
        groups.pop();
    }
    if groups.is_empty() {
        weight = 0;
    }
    let sign: u16 = if value < 0 { 0x4000 } else { 0 };
    out.extend((groups.len() as u16).to_be_bytes());
    out.extend((weight as i16).to_be_bytes());
    out.extend(sign.to_be_bytes());
    out.extend(shown_scale.to_be_bytes());
    for group in groups {
        out.extend(group.to_be_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numeric(value: i128, scale: i8) -> Vec<i16> {
        let mut out = vec![];
        write_numeric(&mut out, value, scale);
        out.chunks(2).map(|c| i16::from_be_bytes([c[0], c[1]])).collect()
    }

    #[test]
    fn numerics_are_groups_of_four_digits() {
        assert_eq!(numeric(1250, 2), [2, 0, 0, 2, 12, 5000]);
        assert_eq!(numeric(-12_345_678, 0), [2, 1, 0x4000, 0, 1234, 5678]);
        assert_eq!(numeric(1, 5), [1, -2, 0, 5, 1000]);
        assert_eq!(numeric(0, 2), [0, 0, 0, 2]);
        assert_eq!(numeric(100_000_000, 4), [1, 1, 0, 4, 1]);
    }

    #[test]
    fn floats_have_the_shortest_digits() {
        let text = |f: f64| {
            let mut out = String::new();
            write_float(&mut out, &f.to_string(), &format!("{f:e}"), f, 15);
            out
        };
        assert_eq!(
            [text(0.1), text(1e15), text(1e-5), text(123_456.75), text(1e14)],
            ["0.1", "1e+15", "1e-05", "123456.75", "100000000000000"]
        );
    }

    #[test]
    fn decimals_keep_their_scale() {
        let text = |value, scale| {
            let mut out = String::new();
            write_decimal(&mut out, value, scale);
            out
        };
        assert_eq!([text(1250, 2), text(-5, 2), text(7, 0), text(3, -2)], ["12.50", "-0.05", "7", "300"]);
    }
}
