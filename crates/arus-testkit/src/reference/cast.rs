//! CAST between numbers, booleans and strings.

use arus_core::TypeKind;

use super::expr::{Evaluated, Stop, unsupported};
use super::numeric::{fitted, power_of_ten, wrapped};
use super::value::Value;

pub(crate) fn cast(value: Value, from: &TypeKind, to: &TypeKind) -> Evaluated<Value> {
    if value.is_null() {
        return Ok(Value::Null);
    }
    let plain = |k: &TypeKind| k.clone().not_null().without_time_attribute().kind;
    if plain(from) == plain(to) {
        return Ok(value);
    }
    match (&value, to) {
        (_, to) if to.is_string() => text(&value, from).map(|text| Value::String(cut(text, to))),
        (Value::Integer(v), to) if to.is_integer() => wrapped((*v).into(), to),
        (Value::Integer(v), TypeKind::Decimal { .. }) => fitted((*v).into(), 0, to),
        (Value::Integer(v), TypeKind::Double) => Ok(Value::Double(*v as f64)),
        (Value::Integer(v), TypeKind::Float) => Ok(Value::Float(*v as f32)),
        (Value::Integer(v), TypeKind::Boolean) => Ok(Value::Boolean(*v != 0)),
        (Value::Boolean(v), to) if to.is_integer() => Ok(Value::Integer((*v).into())),
        (Value::Boolean(v), TypeKind::Double) => Ok(Value::Double(if *v { 1.0 } else { 0.0 })),
        (Value::Boolean(v), TypeKind::Decimal { .. }) => fitted((*v).into(), 0, to),
        (Value::Decimal(v), TypeKind::Decimal { .. }) => fitted(*v, scale(from), to),
        (Value::Decimal(v), to) if to.is_integer() => wrapped(v / power_of_ten(scale(from))?, to),
        (Value::Decimal(v), TypeKind::Boolean) => Ok(Value::Boolean(*v != 0)),
        (Value::Decimal(v), TypeKind::Double) => {
            // Text has the exact digits, and Rust reads it to the nearest double.
            let text = format!("{v}e-{}", scale(from));
            text.parse().map(Value::Double).map_err(|_| Stop::Unsupported(format!("{text} as DOUBLE")))
        }
        (Value::Double(v), to) if to.is_integer() => match to {
            TypeKind::BigInt => Ok(Value::Integer(*v as i64)),
            // Through INT, as Java does.
            _ => wrapped((*v as i32).into(), to),
        },
        (Value::Double(v), TypeKind::Float) => Ok(Value::Float(*v as f32)),
        (Value::Float(v), TypeKind::Double) => Ok(Value::Double((*v).into())),
        (Value::Double(v), TypeKind::Boolean) => Ok(Value::Boolean(*v != 0.0)),
        (Value::String(v), to) => from_text(v, to),
        (_, to) => unsupported(format!("CAST from {from} to {to}")),
    }
}

fn scale(kind: &TypeKind) -> u32 {
    match kind {
        TypeKind::Decimal { scale, .. } => (*scale).into(),
        _ => 0,
    }
}

fn text(value: &Value, from: &TypeKind) -> Evaluated<String> {
    Ok(match value {
        Value::String(v) => v.clone(),
        Value::Integer(v) => v.to_string(),
        Value::Boolean(v) => if *v { "TRUE" } else { "FALSE" }.to_string(),
        Value::Decimal(v) => {
            let scale = scale(from) as usize;
            let digits = format!("{:0>width$}", v.unsigned_abs().to_string(), width = scale + 1);
            let (whole, rest) = digits.split_at(digits.len() - scale);
            let sign = if *v < 0 { "-" } else { "" };
            if scale == 0 { format!("{sign}{whole}") } else { format!("{sign}{whole}.{rest}") }
        }
        _ => return unsupported(format!("CAST from {from} to text")),
    })
}

/// CHAR(n) is filled up with blanks and cut, VARCHAR(n) is cut.
fn cut(text: String, to: &TypeKind) -> String {
    let (length, filled) = match to {
        TypeKind::Char(n) => (*n as usize, true),
        TypeKind::Varchar(n) => (*n as usize, false),
        _ => return text,
    };
    let mut chars: Vec<char> = text.chars().take(length).collect();
    if filled {
        chars.resize(length, ' ');
    }
    chars.into_iter().collect()
}

fn from_text(text: &str, to: &TypeKind) -> Evaluated<Value> {
    let failed = || Stop::Row(format!("'{text}' is no {to}"));
    let limits = match to {
        TypeKind::TinyInt => i64::from(i8::MIN)..=i64::from(i8::MAX),
        TypeKind::SmallInt => i64::from(i16::MIN)..=i64::from(i16::MAX),
        TypeKind::Int => i64::from(i32::MIN)..=i64::from(i32::MAX),
        TypeKind::BigInt => i64::MIN..=i64::MAX,
        TypeKind::Boolean => {
            return match text.to_ascii_lowercase().as_str() {
                "true" => Ok(Value::Boolean(true)),
                "false" => Ok(Value::Boolean(false)),
                // Only what is clearly no boolean is known to fail.
                other if other.len() > 5 => Err(failed()),
                _ => unsupported(format!("'{text}' as BOOLEAN")),
            };
        }
        _ => return unsupported(format!("CAST from text to {to}")),
    };
    let digits = text.strip_prefix('-').unwrap_or(text);
    if !digits.is_empty() && digits.len() < 12 && digits.bytes().all(|b| b.is_ascii_digit()) {
        let value: i64 = text.parse().map_err(|_| failed())?;
        return if limits.contains(&value) { Ok(Value::Integer(value)) } else { Err(failed()) };
    }
    if text.bytes().any(|b| b.is_ascii_digit()) {
        return unsupported(format!("'{text}' as {to}"));
    }
    Err(failed())
}
