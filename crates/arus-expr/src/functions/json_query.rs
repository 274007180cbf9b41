//! JSON_QUERY, JSON_EXISTS and IS JSON.
//!
//! The arguments of JSON_QUERY are the text, the path, and optionally three literals: the wrapper (`WITHOUT`,
//! `CONDITIONAL`, `UNCONDITIONAL`) and what to give ON EMPTY and ON ERROR (`NULL`, `ERROR`, `EMPTY ARRAY`, `EMPTY OBJECT`);
//! the type after RETURNING is the type of the call. JSON_EXISTS has one: what to give ON ERROR.

use std::sync::Arc;

use arrow::array::{ArrayRef, ListBuilder, StringViewBuilder};
use arrow::datatypes::{DataType, Field};
use arus_core::function::Argument;
use arus_core::types::ELEMENT;
use arus_core::{Result, TypeKind};

use super::{Call, CompileCall, Compiled, Function, as_is, fallible, is_word, safe};
use crate::json::{Json, Mode, Paths, look_up, parse, write_json};
use crate::value::{Cx, Strings, Value, booleans};

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new(
        &["JSON_QUERY"],
        "JSON_QUERY(<CHARACTER>, <CHARACTER> [RETURNING <TYPE>] [<WRAPPER> WRAPPER] [<BEHAVIOR> ON EMPTY] [.. ON ERROR])",
        |args| {
            let wrappers = &["WITHOUT", "CONDITIONAL", "UNCONDITIONAL"];
            resolve(args, &[wrappers, BEHAVIORS, BEHAVIORS], TypeKind::STRING)
        },
        compile_query,
    ),
    Function::new(
        &["JSON_EXISTS"],
        "JSON_EXISTS(<CHARACTER>, <CHARACTER> [TRUE|FALSE|UNKNOWN|ERROR ON ERROR])",
        |args| resolve(args, &[&["TRUE", "FALSE", "UNKNOWN", "ERROR"]], TypeKind::Boolean),
        compile_exists,
    ),
    Function::new(&["IS JSON VALUE"], "<CHARACTER> IS JSON VALUE", test, |_| compile_test(true, |_| true)),
    Function::new(&["IS NOT JSON VALUE"], "<CHARACTER> IS NOT JSON VALUE", test, |_| compile_test(false, |_| true)),
    Function::new(&["IS JSON OBJECT"], "<CHARACTER> IS JSON OBJECT", test, |_| compile_test(true, is_object)),
    Function::new(&["IS NOT JSON OBJECT"], "<CHARACTER> IS NOT JSON OBJECT", test, |_| compile_test(false, is_object)),
    Function::new(&["IS JSON ARRAY"], "<CHARACTER> IS JSON ARRAY", test, |_| compile_test(true, is_array)),
    Function::new(&["IS NOT JSON ARRAY"], "<CHARACTER> IS NOT JSON ARRAY", test, |_| compile_test(false, is_array)),
    Function::new(&["IS JSON SCALAR"], "<CHARACTER> IS JSON SCALAR", test, |_| compile_test(true, is_scalar)),
    Function::new(&["IS NOT JSON SCALAR"], "<CHARACTER> IS NOT JSON SCALAR", test, |_| compile_test(false, is_scalar)),
];

fn resolve(args: &[Argument], clauses: &[&[&str]], result: TypeKind) -> Option<Call> {
    let (texts, words) = args.split_at_checked(2)?;
    let right = texts.iter().all(|a| a.ty.kind.is_string())
        && (words.is_empty() || words.len() == clauses.len())
        && words.iter().zip(clauses).all(|(word, known)| is_word(word, known));
    let call = if right { as_is(args, result)? } else { return None };
    Some(Call { return_type: call.return_type.with_nullable(true), ..call })
}

const BEHAVIORS: &[&str] = &["NULL", "ERROR", "EMPTY ARRAY", "EMPTY OBJECT"];

// ---- IS JSON -------------------------------------------------------------------------------------------

fn test(args: &[Argument]) -> Option<Call> {
    match args {
        [arg] if arg.ty.kind.is_string() => {
            Some(Call { return_type: TypeKind::Boolean.not_null(), ..as_is(args, TypeKind::Boolean)? })
        }
        _ => None,
    }
}

fn is_object(value: &Json<'_>) -> bool {
    matches!(value, Json::Object(_))
}

fn is_array(value: &Json<'_>) -> bool {
    matches!(value, Json::Array(_))
}

fn is_scalar(value: &Json<'_>) -> bool {
    !is_object(value) && !is_array(value)
}

/// NULL is no JSON.
fn compile_test(wanted: bool, test: fn(&Json<'_>) -> bool) -> Result<Compiled> {
    safe(move |args, cx| {
        let texts = Strings::of(&args[0])?;
        let holds = |row| texts.get(row).is_some_and(|text| parse(text).is_ok_and(|value| test(&value)));
        Ok(booleans(cx.rows, |row| Some(holds(row) == wanted)))
    })
}

// ---- JSON_EXISTS ---------------------------------------------------------------------------------------

fn compile_exists(call: &CompileCall<'_>) -> Result<Compiled> {
    let paths = Paths::of(call, 1)?;
    let on_error = match call.text(2) {
        None | Some("FALSE") => Ok(Some(false)),
        Some("TRUE") => Ok(Some(true)),
        Some("UNKNOWN") => Ok(None),
        _ => Err(()),
    };
    fallible(move |args, cx| {
        let texts = Strings::of(&args[0])?;
        let mut paths = paths.rows(&args[1])?;
        Ok(booleans(cx.rows, |row| {
            let found = look_up(texts.get(row)?, paths.get(row)?, |_, found| found.map(|value| value.is_some()));
            match (found, on_error) {
                (Ok(exists), _) => Some(exists),
                (Err(_), Ok(answer)) => answer,
                (Err(reason), Err(())) => {
                    cx.fail(row, reason);
                    None
                }
            }
        }))
    })
}

// ---- JSON_QUERY ----------------------------------------------------------------------------------------

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wrapper {
    Without,
    Conditional,
    Unconditional,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fallback {
    Null,
    Error,
    Array,
    Object,
}

fn fallback(call: &CompileCall<'_>, arg: usize) -> Result<Fallback> {
    Ok(match (call.args.len(), call.text(arg)) {
        (2, _) | (_, Some("NULL")) => Fallback::Null,
        (_, Some("ERROR")) => Fallback::Error,
        (_, Some("EMPTY ARRAY")) => Fallback::Array,
        (_, Some("EMPTY OBJECT")) => Fallback::Object,
        _ => return Err(call.bug()),
    })
}

/// What a row gives.
enum Answer {
    Null,
    Text(String),
    List(Vec<Option<String>>),
}

fn compile_query(call: &CompileCall<'_>) -> Result<Compiled> {
    let paths = Paths::of(call, 1)?;
    let wrapper = match (call.args.len(), call.text(2)) {
        (2, _) | (_, Some("WITHOUT")) => Wrapper::Without,
        (_, Some("CONDITIONAL")) => Wrapper::Conditional,
        (_, Some("UNCONDITIONAL")) => Wrapper::Unconditional,
        _ => return Err(call.bug()),
    };
    let (on_empty, on_error) = (fallback(call, 3)?, fallback(call, 4)?);
    let (list, length) = match &call.ty.kind {
        TypeKind::Array(_) => (true, usize::MAX),
        TypeKind::Varchar(n) | TypeKind::Char(n) => (false, *n as usize),
        _ => return Err(call.bug()),
    };
    let query = move |args: &[Value], cx: &mut Cx<'_>| -> Result<Vec<Answer>> {
        let texts = Strings::of(&args[0])?;
        let mut paths = paths.rows(&args[1])?;
        let mut answers = Vec::with_capacity(cx.rows);
        for row in 0..cx.rows {
            let (Some(text), Some(path)) = (texts.get(row), paths.get(row)) else {
                answers.push(Answer::Null);
                continue;
            };
            let (fallback, reason) = match look_up(text, path, |mode, found| answer(mode, found, wrapper, list)) {
                Ok(Some(answer)) => {
                    answers.push(answer);
                    continue;
                }
                Ok(None) => (on_empty, "Empty result of JSON_QUERY function is not allowed".to_owned()),
                Err(reason) => (on_error, reason),
            };
            answers.push(match fallback {
                Fallback::Null => Answer::Null,
                Fallback::Array if list => Answer::List(vec![]),
                Fallback::Array => Answer::Text("[]".to_owned()),
                Fallback::Object => Answer::Text("{}".to_owned()),
                Fallback::Error => {
                    cx.fail(row, reason);
                    Answer::Null
                }
            });
        }
        Ok(answers)
    };
    fallible(move |args, cx| {
        let answers = query(args, cx)?;
        Ok(if list { lists(answers) } else { texts(answers, length) })
    })
}

fn texts(answers: Vec<Answer>, length: usize) -> ArrayRef {
    let mut texts = StringViewBuilder::with_capacity(answers.len());
    for answer in answers {
        match answer {
            Answer::Text(mut text) => {
                if let Some((at, _)) = text.char_indices().nth(length) {
                    text.truncate(at);
                }
                texts.append_value(text);
            }
            _ => texts.append_null(),
        }
    }
    Arc::new(texts.finish())
}

fn lists(answers: Vec<Answer>) -> ArrayRef {
    let field = Field::new(ELEMENT, DataType::Utf8View, true);
    let mut lists = ListBuilder::new(StringViewBuilder::new()).with_field(field);
    for answer in answers {
        match answer {
            Answer::List(items) => {
                items.into_iter().for_each(|item| lists.values().append_option(item));
                lists.append(true);
            }
            _ => lists.append(false),
        }
    }
    Arc::new(lists.finish())
}

/// `None` when there is nothing to a lax path: null, and a scalar.
fn answer(
    mode: Mode,
    found: Result<Option<&Json<'_>>, String>,
    wrapper: Wrapper,
    list: bool,
) -> Result<Option<Answer>, String> {
    let value = match (found?, mode) {
        (Some(value), _) => value,
        (None, Mode::Lax) => return Ok(None),
        (None, Mode::Strict) => return Err("the JSON path found null".to_owned()),
    };
    let wraps = match wrapper {
        Wrapper::Without => false,
        Wrapper::Conditional => !is_array(value),
        Wrapper::Unconditional => true,
    };
    if !wraps && is_scalar(value) {
        return match mode {
            Mode::Lax => Ok(None),
            Mode::Strict => Err("the JSON path found a scalar, not an array or object".to_owned()),
        };
    }
    if list {
        let items = match (wraps, value) {
            (true, value) => std::slice::from_ref(value),
            (false, Json::Array(items)) => items.as_slice(),
            (false, _) => return Err("the JSON path found an object, not an array".to_owned()),
        };
        return Ok(Some(Answer::List(items.iter().map(element).collect())));
    }
    let mut text = String::new();
    if wraps {
        text.push('[');
    }
    write_json(&mut text, value);
    if wraps {
        text.push(']');
    }
    Ok(Some(Answer::Text(text)))
}

/// An element of ARRAY<STRING>: strings without their quotes.
fn element(value: &Json<'_>) -> Option<String> {
    match value {
        Json::Null => None,
        Json::String(text) => Some(text.clone().into_owned()),
        value => {
            let mut text = String::new();
            write_json(&mut text, value);
            Some(text)
        }
    }
}
