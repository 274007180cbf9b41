//! Values as PostgreSQL casts them to text.

use arus_core::postgres_time as time;

use crate::function::Value;

pub(crate) fn text(value: &Value) -> String {
    let mut out = String::new();
    match value {
        Value::Null => {}
        Value::Bool(b) => out.push_str(if *b { "true" } else { "false" }),
        Value::Int(i) => out.push_str(&i.to_string()),
        Value::Float(f) => out.push_str(&float(*f)),
        Value::Decimal(value, scale) => out.push_str(&decimal(*value, *scale)),
        Value::Text(text) => out.push_str(text),
        Value::Bytes(bytes) => {
            out.push_str("\\x");
            for b in bytes {
                out.push_str(&format!("{b:02x}"));
            }
        }
        Value::Date(days) => time::write_date(&mut out, *days),
        Value::Time(micros) => time::write_time(&mut out, *micros),
        Value::Timestamp(micros, false) => time::write_timestamp(&mut out, *micros),
        Value::Timestamp(micros, true) => time::write_instant(&mut out, *micros, time::Zone::UTC),
        Value::Interval(months, days, micros) => time::write_interval(&mut out, *months, *days, *micros),
        Value::List(items) => {
            let item = |v: &Value| if *v == Value::Null { "NULL".into() } else { element(&text(v)) };
            out = format!("{{{}}}", items.iter().map(item).collect::<Vec<_>>().join(","));
        }
    }
    out
}

/// An item of an array, in quotes where it has to be.
fn element(text: &str) -> String {
    let special = |c: char| c.is_whitespace() || ['{', '}', ',', '"', '\\'].contains(&c);
    if text.is_empty() || text.eq_ignore_ascii_case("null") || text.contains(special) {
        format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
    } else {
        text.into()
    }
}

fn float(f: f64) -> String {
    if f.is_nan() {
        return "NaN".into();
    }
    if f.is_infinite() {
        return if f > 0.0 { "Infinity" } else { "-Infinity" }.into();
    }
    let scientific = format!("{f:e}");
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if f != 0.0 && !(-4..15).contains(&exponent) {
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!("{mantissa}e{sign}{:02}", exponent.abs());
    }
    f.to_string()
}

pub(crate) fn decimal(value: i128, scale: i8) -> String {
    let digits = value.unsigned_abs().to_string();
    let sign = if value < 0 { "-" } else { "" };
    let places = usize::try_from(scale).unwrap_or(0);
    if scale < 0 {
        return format!("{sign}{digits}{}", "0".repeat(usize::from(scale.unsigned_abs())));
    }
    if places == 0 {
        return format!("{sign}{digits}");
    }
    let digits = format!("{digits:0>width$}", width = places + 1);
    let (whole, fraction) = digits.split_at(digits.len() - places);
    format!("{sign}{whole}.{fraction}")
}
