//! Arrow values as JSON, for HTTP answers and for the nested columns of the Postgres wire.
//!
//! Numbers are JSON numbers, but integers beyond 2^53 and decimals are strings, so that no reader loses digits.
//! Timestamps are ISO 8601, with `Z` for instants; bytes are base64.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    TimeUnit, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use arus_core::types::{MAP_KEY, MAP_VALUE};
use serde_json::{Map, Number, Value};

/// Integers up to here are exact in every JSON reader.
const EXACT: i64 = 1 << 53;

/// Whether a column is written as JSON on the Postgres wire: rows, maps, and lists of lists or rows.
pub(crate) fn is_nested(ty: &DataType) -> bool {
    match ty {
        DataType::Struct(_) => true,
        DataType::List(element) => matches!(element.data_type(), DataType::Struct(_) | DataType::List(_)),
        _ => false,
    }
}

/// One value of an array.
pub(crate) fn value(array: &dyn Array, row: usize) -> Value {
    if array.is_null(row) {
        return Value::Null;
    }
    match array.data_type() {
        DataType::Null => Value::Null,
        DataType::Boolean => Value::Bool(array.as_boolean().value(row)),
        DataType::Int8 => array.as_primitive::<Int8Type>().value(row).into(),
        DataType::Int16 => array.as_primitive::<Int16Type>().value(row).into(),
        DataType::Int32 => array.as_primitive::<Int32Type>().value(row).into(),
        DataType::Int64 => integer(array.as_primitive::<Int64Type>().value(row)),
        DataType::UInt8 => array.as_primitive::<UInt8Type>().value(row).into(),
        DataType::UInt16 => array.as_primitive::<UInt16Type>().value(row).into(),
        DataType::UInt32 => array.as_primitive::<UInt32Type>().value(row).into(),
        DataType::UInt64 => match i64::try_from(array.as_primitive::<UInt64Type>().value(row)) {
            Ok(n) => integer(n),
            Err(_) => Value::String(array.as_primitive::<UInt64Type>().value(row).to_string()),
        },
        DataType::Float32 => {
            let number = array.as_primitive::<Float32Type>().value(row);
            // Through its own shortest text: 0.1f is 0.1, not 0.10000000149011612.
            float(number.to_string().parse().unwrap_or(f64::from(number)))
        }
        DataType::Float64 => float(array.as_primitive::<Float64Type>().value(row)),
        DataType::Decimal128(_, _) => Value::String(array.as_primitive::<Decimal128Type>().value_as_string(row)),
        DataType::Utf8 => array.as_string::<i32>().value(row).into(),
        DataType::LargeUtf8 => array.as_string::<i64>().value(row).into(),
        DataType::Utf8View => array.as_string_view().value(row).into(),
        DataType::Binary => base64(array.as_binary::<i32>().value(row)).into(),
        DataType::BinaryView => base64(array.as_binary_view().value(row)).into(),
        DataType::Date32 => array.as_primitive::<Date32Type>().value_as_date(row).map(|d| d.to_string()).into(),
        DataType::Timestamp(unit, zone) => timestamp(array, row, *unit, zone.is_some()),
        DataType::List(_) => list(&array.as_list::<i32>().value(row)),
        DataType::Struct(fields) => {
            let columns = array.as_struct();
            let entries = fields.iter().zip(columns.columns()).map(|(f, c)| (f.name().clone(), value(c, row)));
            Value::Object(entries.collect())
        }
        _ => display(array, row),
    }
}

fn integer(n: i64) -> Value {
    if (-EXACT..=EXACT).contains(&n) { n.into() } else { Value::String(n.to_string()) }
}

fn float(n: f64) -> Value {
    match Number::from_f64(n) {
        Some(number) => Value::Number(number),
        None if n.is_nan() => "NaN".into(),
        None => if n > 0.0 { "Infinity" } else { "-Infinity" }.into(),
    }
}

fn timestamp(array: &dyn Array, row: usize, unit: TimeUnit, instant: bool) -> Value {
    let format = match unit {
        TimeUnit::Second => "%Y-%m-%dT%H:%M:%S",
        TimeUnit::Millisecond => "%Y-%m-%dT%H:%M:%S%.3f",
        TimeUnit::Microsecond => "%Y-%m-%dT%H:%M:%S%.6f",
        TimeUnit::Nanosecond => "%Y-%m-%dT%H:%M:%S%.9f",
    };
    let options = FormatOptions::new().with_timestamp_format(Some(format)).with_timestamp_tz_format(Some(format));
    match ArrayFormatter::try_new(array, &options) {
        Ok(formatter) if instant => format!("{}Z", formatter.value(row)).into(),
        Ok(formatter) => formatter.value(row).to_string().into(),
        Err(_) => Value::Null,
    }
}

fn display(array: &dyn Array, row: usize) -> Value {
    match ArrayFormatter::try_new(array, &FormatOptions::new()) {
        Ok(formatter) => formatter.value(row).to_string().into(),
        Err(_) => Value::Null,
    }
}

/// A list; a list of entries is a map: an object, with `null` as the key of a null key.
fn list(items: &ArrayRef) -> Value {
    if let DataType::Struct(fields) = items.data_type()
        && let [key, entry] = fields.as_ref()
        && (key.name(), entry.name()) == (&MAP_KEY.to_string(), &MAP_VALUE.to_string())
    {
        let entries = items.as_struct();
        let (keys, values) = (entries.column(0), entries.column(1));
        let text = |row| match value(keys, row) {
            Value::String(s) => s,
            other => other.to_string(),
        };
        return Value::Object((0..items.len()).map(|row| (text(row), value(values, row))).collect());
    }
    Value::Array((0..items.len()).map(|row| value(items, row)).collect())
}

/// The rows of a batch as JSON objects.
pub(crate) fn object(batch: &arrow::array::RecordBatch, row: usize) -> Map<String, Value> {
    let schema = batch.schema_ref();
    schema.fields().iter().zip(batch.columns()).map(|(f, c)| (f.name().clone(), value(c, row))).collect()
}

fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let word = chunk.iter().fold(0u32, |w, b| w << 8 | u32::from(*b)) << (8 * (3 - chunk.len()));
        for i in 0..4 {
            let symbol = if i <= chunk.len() { ALPHABET[(word >> (18 - 6 * i) & 63) as usize] } else { b'=' };
            out.push(char::from(symbol));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Float64Array, Int64Array, TimestampMillisecondArray};

    use super::*;

    #[test]
    fn no_reader_loses_digits() {
        assert_eq!(value(&Int64Array::from(vec![i64::MAX]), 0), Value::String(i64::MAX.to_string()));
        assert_eq!(value(&Int64Array::from(vec![7]), 0), Value::from(7));
        assert_eq!(value(&Float64Array::from(vec![f64::NAN]), 0), Value::from("NaN"));
    }

    #[test]
    fn instants_have_a_zone() {
        let plain = TimestampMillisecondArray::from(vec![1_500]);
        assert_eq!(value(&plain, 0), Value::from("1970-01-01T00:00:01.500"));
        let instant: ArrayRef = Arc::new(plain.with_timezone("UTC"));
        assert_eq!(value(&instant, 0), Value::from("1970-01-01T00:00:01.500Z"));
    }

    #[test]
    fn base64_pads() {
        assert_eq!([&b"a"[..], b"ab", b"abc", b""].map(base64), ["YQ==", "YWI=", "YWJj", ""]);
    }
}
