//! PRINTF, by the format strings of `java.util.Formatter`: `%[index$][flags][width][.precision]conversion`.
//!
//! A format that does not fit its arguments gives NULL, as in Flink; the conversions `g`, `a`, `h` and `t` fail the row.

use arrow::array::{Array, AsArray};
use arrow::datatypes::Time32MillisecondType;
use arrow::datatypes::{
    Date32Type, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
};
use arus_core::function::Argument;
use arus_core::limits::RECORD_BYTES;
use arus_core::text::{write_decimal, write_double, write_float, write_timestamp_print};
use arus_core::{Error, LogicalType, Result, TypeKind};

use super::{Call, CompileCall, Compiled, Function, as_is, fallible};
use crate::value::{Longs, Strings, Value, strings};

pub(super) const FUNCTIONS: &[Function] =
    &[Function::new(&["PRINTF"], "PRINTF(<CHARACTER>[, <ANY>, ..])", resolve, compile)];

fn resolve(args: &[Argument]) -> Option<Call> {
    let (format, values) = args.split_first()?;
    let fits = |arg: &Argument| {
        let kind = &arg.ty.kind;
        kind.is_numeric() || kind.is_string() || kind.is_temporal() || *kind == TypeKind::Boolean
    };
    let right = format.ty.kind.is_string() && values.iter().all(fits);
    let call = if right { as_is(args, TypeKind::STRING)? } else { return None };
    Some(Call { return_type: TypeKind::STRING.nullable(), ..call })
}

/// An argument as Java has it.
enum Java {
    Null,
    Boolean(bool),
    /// With its bits, which a negative number in hexadecimal digits shows.
    Integer(i64, u32),
    /// And the text of `toString`.
    Float(f64, String),
    /// Text, or what `%s` writes of anything else.
    Text(String),
}

fn java(value: &Value, row: usize, ty: &LogicalType) -> Result<Java> {
    let array = value.array();
    let row = if value.is_scalar() { 0 } else { row };
    if array.is_null(row) {
        return Ok(Java::Null);
    }
    let mut text = String::new();
    Ok(match &ty.kind {
        TypeKind::Boolean => Java::Boolean(array.as_boolean().value(row)),
        TypeKind::TinyInt => Java::Integer(array.as_primitive::<Int8Type>().value(row).into(), 8),
        TypeKind::SmallInt => Java::Integer(array.as_primitive::<Int16Type>().value(row).into(), 16),
        TypeKind::Int => Java::Integer(array.as_primitive::<Int32Type>().value(row).into(), 32),
        TypeKind::Date => Java::Integer(array.as_primitive::<Date32Type>().value(row).into(), 32),
        TypeKind::Time(_) => Java::Integer(array.as_primitive::<Time32MillisecondType>().value(row).into(), 32),
        TypeKind::BigInt => Java::Integer(array.as_primitive::<Int64Type>().value(row), 64),
        TypeKind::Float => {
            let value = array.as_primitive::<Float32Type>().value(row);
            write_float(&mut text, value);
            Java::Float(value.into(), text)
        }
        TypeKind::Double => {
            let value = array.as_primitive::<Float64Type>().value(row);
            write_double(&mut text, value);
            Java::Float(value, text)
        }
        TypeKind::Decimal { scale, .. } => {
            write_decimal(&mut text, array.as_primitive::<Decimal128Type>().value(row), *scale);
            Java::Text(text)
        }
        TypeKind::Timestamp { precision, .. } | TypeKind::TimestampLtz { precision, .. } => {
            let whole = Value::Array(array.clone());
            let instant = Longs::of(&whole)?.get(row).unwrap_or_default();
            write_timestamp_print(&mut text, instant, *precision);
            Java::Text(text)
        }
        kind if kind.is_string() => Java::Text(array.as_string_view().value(row).to_owned()),
        other => return Err(Error::bug(format!("PRINTF of {other}"))),
    })
}

fn compile(call: &CompileCall<'_>) -> Result<Compiled> {
    let types: Vec<LogicalType> = call.args.iter().map(arus_core::expr::Expr::ty).collect();
    fallible(move |args, cx| {
        let formats = Strings::of(&args[0])?;
        let mut error = None;
        let texts = strings(cx.rows, |row, out| {
            let format = formats.get(row)?;
            let values: Result<Vec<Java>> =
                args[1..].iter().zip(&types[1..]).map(|(value, ty)| java(value, row, ty)).collect();
            match values.map(|values| print(format, &values, out)) {
                Ok(Ok(fits)) => fits,
                Ok(Err(reason)) => {
                    cx.fail(row, reason);
                    None
                }
                Err(bug) => {
                    error = Some(bug);
                    None
                }
            }
        });
        error.map_or(Ok(texts), Err)
    })
}

#[derive(Debug, Default)]
struct Spec {
    index: Option<usize>,
    left: bool,
    zeros: bool,
    plus: bool,
    blank: bool,
    groups: bool,
    brackets: bool,
    alternate: bool,
    width: usize,
    precision: Option<usize>,
}

/// `None`: the format does not fit; the error names what is not known here.
fn print(format: &str, values: &[Java], out: &mut String) -> Result<Option<()>, String> {
    let mut chars = format.chars().peekable();
    let mut ordinary = 0;
    while let Some(c) = chars.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        let mut spec = Spec::default();
        let mut number = String::new();
        let conversion = loop {
            let Some(c) = chars.next() else { return Ok(None) };
            match c {
                '-' => spec.left = true,
                '0' if number.is_empty() => spec.zeros = true,
                '+' => spec.plus = true,
                ' ' => spec.blank = true,
                ',' => spec.groups = true,
                '(' => spec.brackets = true,
                '#' => spec.alternate = true,
                '0'..='9' => number.push(c),
                '$' => {
                    spec.index = number.parse().ok();
                    number.clear();
                }
                '.' => {
                    let mut digits = String::new();
                    while let Some(digit) = chars.next_if(char::is_ascii_digit) {
                        digits.push(digit);
                    }
                    let Ok(precision) = digits.parse() else { return Ok(None) };
                    spec.precision = Some(precision);
                }
                c => break c,
            }
        };
        spec.width = if number.is_empty() { 0 } else { number.parse().unwrap_or(usize::MAX) };
        if spec.width > RECORD_BYTES || spec.precision.is_some_and(|p| p > RECORD_BYTES) {
            return Err(format!("a width of more than {RECORD_BYTES} in PRINTF"));
        }
        let text = match conversion {
            'n' => "\n".to_owned(),
            '%' => "%".to_owned(),
            _ => {
                let at = match spec.index {
                    Some(index) => index.wrapping_sub(1),
                    None => {
                        ordinary += 1;
                        ordinary - 1
                    }
                };
                let Some(value) = values.get(at) else { return Ok(None) };
                match converted(&spec, conversion, value)? {
                    Some(text) => text,
                    None => return Ok(None),
                }
            }
        };
        let missing = spec.width.saturating_sub(text.encode_utf16().count());
        let padding = std::iter::repeat_n(' ', if conversion == 'n' { 0 } else { missing });
        if spec.left {
            out.push_str(&text);
            out.extend(padding);
        } else {
            out.extend(padding);
            out.push_str(&text);
        }
    }
    Ok(Some(()))
}

fn converted(spec: &Spec, conversion: char, value: &Java) -> Result<Option<String>, String> {
    let upper = conversion.is_ascii_uppercase();
    let text = match (conversion.to_ascii_lowercase(), value) {
        ('b', Java::Null) => cut("false".to_owned(), spec),
        ('b', Java::Boolean(value)) => cut(value.to_string(), spec),
        ('b', _) => cut("true".to_owned(), spec),
        ('s', Java::Null) => cut("null".to_owned(), spec),
        ('s', Java::Boolean(value)) => cut(value.to_string(), spec),
        ('s', Java::Integer(value, _)) => cut(value.to_string(), spec),
        ('s', Java::Float(_, text) | Java::Text(text)) => cut(text.clone(), spec),
        ('f' | 'e', Java::Null) => cut("null".to_owned(), spec),
        ('c' | 'd' | 'x' | 'o', Java::Null) => "null".to_owned(),
        ('d', Java::Integer(value, _)) if !upper && spec.precision.is_none() => {
            signed(spec, *value < 0, &grouped(spec, value.unsigned_abs().to_string()))
        }
        ('x', Java::Integer(value, bits)) if spec.precision.is_none() => {
            let digits = format!("{:x}", *value as u64 & (u64::MAX >> (64 - bits)));
            zero_padded(spec, if spec.alternate { "0x" } else { "" }, &digits)
        }
        ('o', Java::Integer(value, bits)) if !upper && spec.precision.is_none() => {
            let digits = format!("{:o}", *value as u64 & (u64::MAX >> (64 - bits)));
            zero_padded(spec, if spec.alternate { "0" } else { "" }, &digits)
        }
        ('c', Java::Integer(value, _)) => match u32::try_from(*value).ok().and_then(char::from_u32) {
            Some(c) => c.to_string(),
            None => return Ok(None),
        },
        ('f' | 'e', Java::Float(value, _)) if value.is_nan() => "NaN".to_owned(),
        ('f' | 'e', Java::Float(value, _)) if value.is_infinite() => {
            let plus = if spec.plus { "+Infinity" } else { "Infinity" };
            if *value < 0.0 { "-Infinity" } else { plus }.to_owned()
        }
        ('f', Java::Float(value, text)) if !upper => {
            let (digits, point) = decimal_digits(text);
            let fixed = fixed(&digits, point, spec.precision.unwrap_or(6));
            let (whole, fraction) = fixed.split_once('.').unwrap_or((&fixed, ""));
            let dot = if fraction.is_empty() { "" } else { "." };
            let grouped = format!("{}{dot}{fraction}", grouped(spec, whole.to_owned()));
            signed(spec, value.is_sign_negative(), &grouped)
        }
        ('e', Java::Float(value, text)) => {
            let (digits, point) = decimal_digits(text);
            signed(spec, value.is_sign_negative(), &scientific(&digits, point, spec.precision.unwrap_or(6)))
        }
        ('g' | 'a' | 'h' | 't', _) => return Err(format!("unsupported conversion %{conversion} in PRINTF")),
        _ => return Ok(None),
    };
    Ok(Some(if upper { text.to_uppercase() } else { text }))
}

fn cut(text: String, spec: &Spec) -> String {
    match spec.precision {
        Some(most) => text.chars().take(most).collect(),
        None => text,
    }
}

fn grouped(spec: &Spec, digits: String) -> String {
    if !spec.groups {
        return digits;
    }
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

fn signed(spec: &Spec, negative: bool, digits: &str) -> String {
    let (before, behind) = match negative {
        true if spec.brackets => ("(", ")"),
        true => ("-", ""),
        false if spec.plus => ("+", ""),
        false if spec.blank => (" ", ""),
        false => ("", ""),
    };
    format!("{}{behind}", zero_padded(spec, before, digits))
}

fn zero_padded(spec: &Spec, before: &str, digits: &str) -> String {
    let missing = if spec.zeros { spec.width.saturating_sub(before.len() + digits.len()) } else { 0 };
    format!("{before}{}{digits}", "0".repeat(missing))
}

/// The digits of a number as `Double.toString` writes it, and how many of them stand before the point.
fn decimal_digits(text: &str) -> (String, i64) {
    let text = text.trim_start_matches('-');
    let (mantissa, exponent) = text.split_once('E').unwrap_or((text, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let all = format!("{whole}{fraction}");
    let zeros = all.len() - all.trim_start_matches('0').len();
    let point = whole.len() as i64 + exponent.parse::<i64>().unwrap_or(0) - zeros as i64;
    let digits = all[zeros..].trim_end_matches('0');
    if digits.is_empty() { ("0".to_owned(), 1) } else { (digits.to_owned(), point) }
}

/// The first `count` digits, rounded half up; one more in front when that carries over.
fn rounded(digits: &str, count: i64) -> (String, bool) {
    let Ok(count) = usize::try_from(count) else { return (String::new(), false) };
    let mut kept: Vec<u8> = digits.bytes().map(|b| b - b'0').chain(std::iter::repeat(0)).take(count).collect();
    let mut carry = digits.as_bytes().get(count).is_some_and(|b| *b >= b'5');
    for digit in kept.iter_mut().rev() {
        if !carry {
            break;
        }
        carry = *digit == 9;
        *digit = if carry { 0 } else { *digit + 1 };
    }
    if carry {
        kept.insert(0, 1);
    }
    (kept.into_iter().map(|d| char::from(d + b'0')).collect(), carry)
}

fn fixed(digits: &str, point: i64, precision: usize) -> String {
    let (digits, carried) = rounded(digits, point + precision as i64);
    let point = point + i64::from(carried);
    let whole = usize::try_from(point).unwrap_or(0).min(digits.len());
    let (before, after) = digits.split_at(whole);
    let before = if before.is_empty() { "0" } else { before };
    if precision == 0 {
        return before.to_owned();
    }
    format!("{before}.{after:0>precision$}")
}

fn scientific(digits: &str, point: i64, precision: usize) -> String {
    let (mut kept, carried) = rounded(digits, precision as i64 + 1);
    kept.truncate(precision + 1);
    let zero = digits == "0";
    let exponent = if zero { 0 } else { point - 1 + i64::from(carried) };
    let sign = if exponent < 0 { '-' } else { '+' };
    let (first, rest) = kept.split_at(1);
    let dot = if rest.is_empty() { "" } else { "." };
    format!("{first}{dot}{rest}e{sign}{:02}", exponent.abs())
}
