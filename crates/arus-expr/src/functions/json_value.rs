//! JSON_VALUE: one scalar out of a JSON text.
//!
//! The arguments are the text, the path, and then optionally the behaviour ON EMPTY (a literal `NULL`, `ERROR` or
//! `DEFAULT`), its default, the behaviour ON ERROR and its default. The type after RETURNING is the type of the call.
//! A path without a mode is strict, as in Flink.

mod parse;
mod path;

use arrow::array::ArrayRef;
use arrow::datatypes::{DataType, Float64Type, Int32Type};
use arus_core::function::Argument;
use arus_core::{Error, Result, TypeKind};

use super::{Call, CompileCall, Compiled, Function, as_is, fallible};
use crate::cast::cast_kernel;
use crate::value::{Booleans, Cx, Kernel, Numbers, Strings, Value, booleans, numbers, strings};
use parse::{Json, parse};
use path::{Mode, Path};

pub(super) const FUNCTIONS: &[Function] = &[Function::new(
    &["JSON_VALUE"],
    "JSON_VALUE(<CHARACTER>, <CHARACTER> [RETURNING <TYPE>] [NULL|ERROR|DEFAULT <ANY> ON EMPTY] [.. ON ERROR])",
    resolve,
    compile,
)];

fn resolve(args: &[Argument]) -> Option<Call> {
    let right = matches!(args.len(), 2 | 6) && args[..2].iter().all(|a| a.ty.kind.is_string());
    let call = if right { as_is(args, TypeKind::STRING)? } else { return None };
    Some(Call { return_type: call.return_type.with_nullable(true), ..call })
}

/// What to give when there is nothing, or something wrong.
enum Behavior {
    Null,
    Error,
    /// The argument with the value, cast to the result's type.
    Default(usize, Option<Kernel>),
}

fn behavior(call: &CompileCall<'_>, at: usize) -> Result<Behavior> {
    if call.args.len() == 2 {
        return Ok(Behavior::Null);
    }
    match call.text(at) {
        Some("NULL") => Ok(Behavior::Null),
        Some("ERROR") => Ok(Behavior::Error),
        Some("DEFAULT") => {
            let from = call.args[at + 1].ty();
            Ok(Behavior::Default(at + 1, cast_kernel(&from, call.ty, call.zone)?.map(|compiled| compiled.kernel)))
        }
        _ => Err(call.bug()),
    }
}

fn compile(call: &CompileCall<'_>) -> Result<Compiled> {
    let on_empty = behavior(call, 2)?;
    let on_error = behavior(call, 4)?;
    let kind = call.ty.kind.clone();
    if !kind.is_string() && !matches!(kind, TypeKind::Int | TypeKind::Double | TypeKind::Boolean) {
        return Err(Error::user(format!("unsupported type '{kind}' for RETURNING in JSON_VALUE"))
            .with_hint("take STRING, INTEGER, DOUBLE or BOOLEAN, and CAST the result"));
    }
    let fixed_path = call.text(1).map(Path::parse);
    let arrow = call.ty.to_arrow();
    fallible(move |args, cx| {
        let (texts, paths) = (Strings::of(&args[0])?, Strings::of(&args[1])?);
        let empty = Fallback::of(&on_empty, args, cx)?;
        let error = Fallback::of(&on_error, args, cx)?;
        let mut last: Option<(&str, Result<Path, String>)> = None;
        let mut results: Vec<Option<Scalar>> = Vec::with_capacity(cx.rows);
        for row in 0..cx.rows {
            let (Some(text), Some(path)) = (texts.get(row), paths.get(row)) else {
                results.push(None);
                continue;
            };
            let path = match &fixed_path {
                Some(path) => path,
                None => {
                    let same = last.as_ref().is_some_and(|(before, _)| *before == path);
                    let parsed = if same { last.take() } else { None };
                    &last.insert(parsed.unwrap_or_else(|| (path, Path::parse(path)))).1
                }
            };
            let (fallback, reason) = match look_up(text, path) {
                Outcome::Scalar(scalar) => {
                    let converted = scalar.converted(&kind);
                    if let Err(reason) = &converted {
                        cx.fail(row, reason);
                    }
                    results.push(converted.ok());
                    continue;
                }
                Outcome::Empty => (&empty, "the JSON path found nothing".to_owned()),
                Outcome::Error(reason) => (&error, reason),
            };
            results.push(match fallback {
                Fallback::Null => None,
                Fallback::Value(value) => Scalar::read(value, row, &kind)?,
                Fallback::Error => {
                    cx.fail(row, reason);
                    None
                }
            });
        }
        Ok(collected(&results, &kind, &arrow))
    })
}

fn collected(results: &[Option<Scalar>], kind: &TypeKind, arrow: &DataType) -> ArrayRef {
    let rows = results.len();
    match kind {
        TypeKind::Int => numbers::<Int32Type>(rows, arrow, |row| match results[row] {
            Some(Scalar::Int(value)) => Some(value),
            _ => None,
        }),
        TypeKind::Double => numbers::<Float64Type>(rows, arrow, |row| match results[row] {
            Some(Scalar::Double(value)) => Some(value),
            _ => None,
        }),
        TypeKind::Boolean => booleans(rows, |row| match results[row] {
            Some(Scalar::Boolean(value)) => Some(value),
            _ => None,
        }),
        _ => strings(rows, |row, out| match &results[row] {
            Some(Scalar::Text(value)) => {
                out.push_str(value);
                Some(())
            }
            _ => None,
        }),
    }
}

/// What stands in for a value, for all rows.
enum Fallback {
    Null,
    Error,
    Value(Value),
}

impl Fallback {
    fn of(behavior: &Behavior, args: &[Value], cx: &mut Cx<'_>) -> Result<Fallback> {
        Ok(match behavior {
            Behavior::Null => Fallback::Null,
            Behavior::Error => Fallback::Error,
            Behavior::Default(arg, None) => Fallback::Value(args[*arg].clone()),
            Behavior::Default(arg, Some(kernel)) => {
                let value = &args[*arg];
                let rows = if value.is_scalar() { 1 } else { cx.rows };
                let array = kernel(std::slice::from_ref(value), &mut Cx { rows, eval: cx.eval, failed: cx.failed })?;
                Fallback::Value(if value.is_scalar() { Value::Scalar(array) } else { Value::Array(array) })
            }
        })
    }
}

/// A scalar in the type of the result.
enum Scalar {
    Text(String),
    Int(i32),
    Double(f64),
    Boolean(bool),
}

impl Scalar {
    fn read(value: &Value, row: usize, kind: &TypeKind) -> Result<Option<Scalar>> {
        Ok(match kind {
            TypeKind::Int => Numbers::<Int32Type>::of(value)?.get(row).map(Scalar::Int),
            TypeKind::Double => Numbers::<Float64Type>::of(value)?.get(row).map(Scalar::Double),
            TypeKind::Boolean => Booleans::of(value)?.get(row).map(Scalar::Boolean),
            _ => Strings::of(value)?.get(row).map(|text| Scalar::Text(text.to_owned())),
        })
    }
}

/// A scalar of the document.
enum Found<'a> {
    Text(std::borrow::Cow<'a, str>),
    Number(&'a str),
    Boolean(bool),
}

impl Found<'_> {
    fn converted(&self, kind: &TypeKind) -> Result<Scalar, String> {
        let wrong = |value: &str| Err(format!("the JSON value {value} is no {kind}"));
        match (kind, self) {
            (TypeKind::Int, Found::Number(text)) => match text.parse() {
                Ok(value) => Ok(Scalar::Int(value)),
                Err(_) => wrong(text),
            },
            (TypeKind::Double, Found::Number(text)) => match text.parse() {
                Ok(value) => Ok(Scalar::Double(value)),
                Err(_) => wrong(text),
            },
            (TypeKind::Boolean, Found::Boolean(value)) => Ok(Scalar::Boolean(*value)),
            (kind, Found::Text(text)) if kind.is_string() => Ok(Scalar::Text(text.clone().into_owned())),
            (kind, Found::Number(text)) if kind.is_string() => Ok(Scalar::Text(number_text(text))),
            (kind, Found::Boolean(value)) if kind.is_string() => Ok(Scalar::Text(value.to_string())),
            (_, Found::Text(text)) => wrong(text),
            (_, Found::Number(text)) => wrong(text),
            (_, Found::Boolean(value)) => wrong(&value.to_string()),
        }
    }
}

/// Integers as they stand, others as Java's `BigDecimal` prints them.
fn number_text(text: &str) -> String {
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

enum Outcome<'a> {
    Scalar(Found<'a>),
    Empty,
    Error(String),
}

/// A missing path is empty when lax and an error when strict; so are what is no scalar and text that is no JSON.
fn look_up<'a>(text: &'a str, path: &Result<Path, String>) -> Outcome<'a> {
    let path = match path {
        Ok(path) => path,
        Err(reason) => return Outcome::Error(reason.clone()),
    };
    let document = match parse(text) {
        Ok(document) => document,
        Err(_) if path.mode == Mode::Lax => return Outcome::Empty,
        Err(reason) => return Outcome::Error(reason),
    };
    match (path.find(document), path.mode) {
        (Some(Json::String(text)), _) => Outcome::Scalar(Found::Text(text)),
        (Some(Json::Number(text)), _) => Outcome::Scalar(Found::Number(text)),
        (Some(Json::Length(length)), _) => Outcome::Scalar(Found::Text(length.to_string().into())),
        (Some(Json::Boolean(value)), _) => Outcome::Scalar(Found::Boolean(value)),
        (Some(Json::Null), _) => Outcome::Empty,
        (None | Some(Json::Array(_) | Json::Object(_)), Mode::Lax) => Outcome::Empty,
        (None, Mode::Strict) => Outcome::Error(format!("No results for path: {}", path.text)),
        (Some(_), Mode::Strict) => {
            Outcome::Error(format!("the JSON path {} found an array or object, not a scalar", path.text))
        }
    }
}
