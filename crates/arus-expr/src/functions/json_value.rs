//! JSON_VALUE: one scalar out of a JSON text.
//!
//! The arguments are the text, the path, and then optionally the behaviour ON EMPTY (a literal `NULL`, `ERROR` or
//! `DEFAULT`), its default, the behaviour ON ERROR and its default. The type after RETURNING is the type of the call.
//! A path without a mode is strict, as in Flink.

use arrow::array::ArrayRef;
use arrow::datatypes::{DataType, Float64Type, Int32Type};
use arus_core::function::Argument;
use arus_core::{Error, Result, TypeKind};

use super::{Call, CompileCall, Compiled, Function, as_is, fallible, is_word};
use crate::cast::cast_kernel;
use crate::json::{Json, Mode, Paths, look_up, number_text};
use crate::value::{Booleans, Cx, Kernel, Numbers, Strings, Value, booleans, numbers, strings};

pub(super) const FUNCTIONS: &[Function] = &[Function::new(
    &["JSON_VALUE"],
    "JSON_VALUE(<CHARACTER>, <CHARACTER> [RETURNING <TYPE>] [NULL|ERROR|DEFAULT <ANY> ON EMPTY] [.. ON ERROR])",
    resolve,
    compile,
)];

fn resolve(args: &[Argument]) -> Option<Call> {
    let (texts, clauses) = args.split_at_checked(2)?;
    let words = clauses.iter().step_by(2).all(|word| is_word(word, &["NULL", "ERROR", "DEFAULT"]));
    let right = matches!(clauses.len(), 0 | 4) && words && texts.iter().all(|a| a.ty.kind.is_string());
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
    let paths = Paths::of(call, 1)?;
    let arrow = call.ty.to_arrow();
    let fit = match kind {
        TypeKind::Varchar(n) => n as usize,
        _ => usize::MAX,
    };
    fallible(move |args, cx| {
        let texts = Strings::of(&args[0])?;
        let mut paths = paths.rows(&args[1])?;
        let empty = Fallback::of(&on_empty, args, cx)?;
        let error = Fallback::of(&on_error, args, cx)?;
        let mut results: Vec<Option<Scalar>> = Vec::with_capacity(cx.rows);
        for row in 0..cx.rows {
            let (Some(text), Some(path)) = (texts.get(row), paths.get(row)) else {
                results.push(None);
                continue;
            };
            let outcome = look_up(text, path, |mode, found| outcome(mode, found, &kind));
            let (fallback, reason) = match outcome {
                Outcome::Scalar(converted) => {
                    if let Err(reason) = &converted {
                        cx.fail(row, reason);
                    }
                    results.push(converted.ok().map(|scalar| scalar.cut(fit)));
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
    /// Text of VARCHAR(n) is cut.
    fn cut(self, length: usize) -> Scalar {
        match self {
            Scalar::Text(mut text) => {
                if let Some((at, _)) = text.char_indices().nth(length) {
                    text.truncate(at);
                }
                Scalar::Text(text)
            }
            other => other,
        }
    }

    fn read(value: &Value, row: usize, kind: &TypeKind) -> Result<Option<Scalar>> {
        Ok(match kind {
            TypeKind::Int => Numbers::<Int32Type>::of(value)?.get(row).map(Scalar::Int),
            TypeKind::Double => Numbers::<Float64Type>::of(value)?.get(row).map(Scalar::Double),
            TypeKind::Boolean => Booleans::of(value)?.get(row).map(Scalar::Boolean),
            _ => Strings::of(value)?.get(row).map(|text| Scalar::Text(text.to_owned())),
        })
    }
}

/// A scalar of the document as a value of the type.
fn converted(value: &Json<'_>, kind: &TypeKind) -> Result<Scalar, String> {
    let wrong = |value: &str| Err(format!("the JSON value {value} is no {kind}"));
    match (kind, value) {
        (TypeKind::Int, Json::Number(text)) => match text.parse() {
            Ok(value) => Ok(Scalar::Int(value)),
            Err(_) => wrong(text),
        },
        // What is written without a point is an integer to Flink, and no DOUBLE.
        (TypeKind::Double, Json::Number(text)) if text.contains(['.', 'e', 'E']) => match text.parse() {
            Ok(value) => Ok(Scalar::Double(value)),
            Err(_) => wrong(text),
        },
        (TypeKind::Boolean, Json::Boolean(value)) => Ok(Scalar::Boolean(*value)),
        (kind, Json::String(text)) if kind.is_string() => Ok(Scalar::Text(text.clone().into_owned())),
        (kind, Json::Number(text)) if kind.is_string() => Ok(Scalar::Text(number_text(text))),
        (kind, Json::Boolean(value)) if kind.is_string() => Ok(Scalar::Text(value.to_string())),
        (kind, Json::Made(text)) if kind.is_string() => Ok(Scalar::Text(text.clone())),
        (_, Json::String(text)) => wrong(text),
        (_, Json::Number(text)) => wrong(text),
        (_, Json::Made(text)) => wrong(text),
        (_, Json::Boolean(value)) => wrong(&value.to_string()),
        _ => wrong("(an array or object)"),
    }
}

enum Outcome {
    Scalar(Result<Scalar, String>),
    Empty,
    Error(String),
}

/// What is no scalar is nothing to a lax path, and an error to a strict one.
fn outcome(mode: Mode, found: Result<Option<&Json<'_>>, String>, kind: &TypeKind) -> Outcome {
    match (found, mode) {
        (Err(reason), _) => Outcome::Error(reason),
        (Ok(None | Some(Json::Array(_) | Json::Object(_))), Mode::Lax) => Outcome::Empty,
        (Ok(None), Mode::Strict) => Outcome::Error("the JSON path found null".to_owned()),
        (Ok(Some(Json::Array(_) | Json::Object(_))), Mode::Strict) => {
            Outcome::Error("the JSON path found an array or object, not a scalar".to_owned())
        }
        (Ok(Some(value)), _) => Outcome::Scalar(converted(value, kind)),
    }
}
