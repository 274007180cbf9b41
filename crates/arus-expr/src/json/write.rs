//! JSON as Flink writes it: no blanks, names in order, numbers as Java's `BigDecimal` prints them.

use super::Json;
use super::path::last_ones;

/// A string with its quotes.
pub fn push_quoted(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '\0'..='\u{1f}' => out.push_str(&format!("\\u{:04X}", c as u32)),
            c => out.push(c),
        }
    }
    out.push('"');
}

pub(crate) fn write_json(out: &mut String, value: &Json<'_>) {
    match value {
        Json::Null => out.push_str("null"),
        Json::Boolean(value) => out.push_str(if *value { "true" } else { "false" }),
        Json::Number(text) => out.push_str(&number_text(text)),
        Json::Made(text) => out.push_str(text),
        Json::String(text) => push_quoted(out, text),
        Json::Array(items) => {
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                write_json(out, item);
            }
            out.push(']');
        }
        Json::Object(fields) => {
            // As Java compares strings: by 16-bit units.
            let mut fields: Vec<_> = last_ones(fields).collect();
            fields.sort_by(|a, b| a.0.encode_utf16().cmp(b.0.encode_utf16()));
            out.push('{');
            for (i, (name, value)) in fields.into_iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                push_quoted(out, name);
                out.push(':');
                write_json(out, value);
            }
            out.push('}');
        }
    }
}

/// Integers as they stand, others as Java's `BigDecimal` prints them.
pub(crate) fn number_text(text: &str) -> String {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text),
    };
    if digits.bytes().all(|b| b.is_ascii_digit()) {
        return if digits == "0" { digits.to_owned() } else { text.to_owned() };
    }
    let (mantissa, exponent) = digits.split_once(['e', 'E']).unwrap_or((digits, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let Ok(exponent) = exponent.trim_start_matches('+').parse::<i64>() else { return text.to_owned() };
    let scale = fraction.len() as i64 - exponent;
    let all = format!("{whole}{fraction}");
    let unscaled = match all.trim_start_matches('0') {
        "" => "0",
        digits => digits,
    };
    let first = unscaled.len() as i64 - 1 - scale;
    let mut out = String::new();
    if negative && unscaled != "0" {
        out.push('-');
    }
    if scale >= 0 && first >= -6 {
        let scale = scale as usize;
        let padded = format!("{unscaled:0>width$}", width = scale + 1);
        let (whole, fraction) = padded.split_at(padded.len() - scale);
        out.push_str(whole);
        if scale > 0 {
            out.push('.');
            out.push_str(fraction);
        }
        return out;
    }
    out.push_str(&unscaled[..1]);
    if unscaled.len() > 1 {
        out.push('.');
        out.push_str(&unscaled[1..]);
    }
    if first != 0 {
        out.push_str(&format!("E{first:+}"));
    }
    out
}
