//! REGEXP and its family, by Java's regular expressions.
//!
//! What is no regular expression at all gives NULL (REGEXP: FALSE), as in Flink; a pattern that Java takes and this does
//! not is refused at plan time when it is a literal, else it fails the row.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int32Builder, ListBuilder, StringViewBuilder};
use arrow::datatypes::{DataType, Field, Int32Type};
use arus_core::function::Argument;
use arus_core::types::ELEMENT;
use arus_core::{Result, TypeKind};

use super::{Call, CompileCall, Compiled, Function, any_nullable, as_is, coerced, fallible, is_small_integer};
use crate::java_regex::{JavaRegex, Patterns, RowPattern, or_fail};
use crate::value::{Cx, Numbers, Strings, Value, booleans, strings};

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new(&["REGEXP"], "REGEXP(<CHARACTER>, <CHARACTER>)", |a| two(a, TypeKind::Boolean), compile_test),
    Function::new(
        &["REGEXP_EXTRACT"],
        "REGEXP_EXTRACT(<CHARACTER>, <CHARACTER>[, <INTEGER>])",
        |args| with_index(args, TypeKind::STRING),
        compile_extract,
    ),
    Function::new(
        &["REGEXP_EXTRACT_ALL"],
        "REGEXP_EXTRACT_ALL(<CHARACTER>, <CHARACTER>[, <INTEGER>])",
        |args| with_index(args, TypeKind::Array(Box::new(TypeKind::STRING.nullable()))),
        compile_extract_all,
    ),
    Function::new(
        &["REGEXP_REPLACE"],
        "REGEXP_REPLACE(<CHARACTER>, <CHARACTER>, <CHARACTER>)",
        resolve_replace,
        compile_replace,
    ),
    Function::new(
        &["REGEXP_COUNT"],
        "REGEXP_COUNT(<CHARACTER>, <CHARACTER>)",
        |args| nullable(two(args, TypeKind::Int)?),
        |call| compile_number(call, |regex, text| Ok(regex.find_all(text)?.len() as i32)),
    ),
    Function::new(
        &["REGEXP_INSTR"],
        "REGEXP_INSTR(<CHARACTER>, <CHARACTER>)",
        |args| nullable(two(args, TypeKind::Int)?),
        |call| {
            compile_number(call, |regex, text| {
                Ok(match regex.find(text)? {
                    // Java counts 16-bit units.
                    Some((start, _)) => text[..start].encode_utf16().count() as i32 + 1,
                    None => 0,
                })
            })
        },
    ),
    Function::new(
        &["REGEXP_SUBSTR"],
        "REGEXP_SUBSTR(<CHARACTER>, <CHARACTER>)",
        |args| nullable(two(args, TypeKind::STRING)?),
        compile_substr,
    ),
];

fn nullable(call: Call) -> Option<Call> {
    Some(Call { return_type: call.return_type.with_nullable(true), ..call })
}

fn two(args: &[Argument], result: TypeKind) -> Option<Call> {
    let right = args.len() == 2 && args.iter().all(|a| a.ty.kind.is_string());
    if right { as_is(args, result) } else { None }
}

fn with_index(args: &[Argument], result: TypeKind) -> Option<Call> {
    let (texts, index) = args.split_at_checked(2)?;
    let right = texts.iter().all(|a| a.ty.kind.is_string())
        && index.len() <= 1
        && index.iter().all(|a| is_small_integer(&a.ty.kind));
    if !right {
        return None;
    }
    let kinds = texts.iter().map(|a| a.ty.kind.clone()).chain(index.iter().map(|_| TypeKind::Int)).collect();
    nullable(coerced(args, kinds, result)?)
}

fn resolve_replace(args: &[Argument]) -> Option<Call> {
    let right = args.len() == 3 && args.iter().all(|a| a.ty.kind.is_string());
    let call = if right { as_is(args, TypeKind::STRING)? } else { return None };
    Some(Call { return_type: call.return_type.with_nullable(any_nullable(args)), ..call })
}

/// The text and the pattern of a row; `None`: the row is NULL (or failed). `invalid` stands for a text of no pattern.
fn matched<T>(
    args: &[Value],
    patterns: &Patterns,
    cx: &mut Cx<'_>,
    mut each: impl FnMut(usize, &mut Cx<'_>, &str, Option<&JavaRegex>) -> Option<T>,
    mut push: impl FnMut(Option<T>),
) -> Result<()> {
    let texts = Strings::of(&args[0])?;
    let nulls = Strings::of(&args[1])?;
    let mut rows = patterns.rows(args.get(1))?;
    for row in 0..cx.rows {
        let (Some(text), Some(_)) = (texts.get(row), nulls.get(row)) else {
            push(None);
            continue;
        };
        push(match rows.get(row) {
            RowPattern::Null => None,
            RowPattern::Invalid => each(row, cx, text, None),
            RowPattern::Regex(regex) => each(row, cx, text, Some(regex)),
            RowPattern::Failed(reason) => {
                cx.fail(row, reason);
                None
            }
        });
    }
    Ok(())
}

fn compile_test(call: &CompileCall<'_>) -> Result<Compiled> {
    let patterns = Patterns::of(call, 1)?;
    let empty = call.text(1) == Some("");
    fallible(move |args, cx| {
        let regexes = Strings::of(&args[1])?;
        let mut values = Vec::with_capacity(cx.rows);
        let test = |row: usize, cx: &mut Cx<'_>, text: &str, regex: Option<&JavaRegex>| {
            // The empty pattern holds for nothing.
            if empty || regexes.get(row) == Some("") {
                return Some(false);
            }
            regex.map_or(Some(false), |regex| or_fail(regex.is_match(text), cx, row))
        };
        matched(args, &patterns, cx, test, |value| values.push(value))?;
        Ok(booleans(values.len(), |row| values[row]))
    })
}

fn compile_number(call: &CompileCall<'_>, f: fn(&JavaRegex, &str) -> Result<i32, String>) -> Result<Compiled> {
    let patterns = Patterns::of(call, 1)?;
    fallible(move |args, cx| {
        let mut values = Int32Builder::with_capacity(cx.rows);
        let number = |row: usize, cx: &mut Cx<'_>, text: &str, regex: Option<&JavaRegex>| {
            regex.and_then(|regex| or_fail(f(regex, text), cx, row))
        };
        matched(args, &patterns, cx, number, |value| values.append_option(value))?;
        Ok(Arc::new(values.finish()))
    })
}

fn compile_substr(call: &CompileCall<'_>) -> Result<Compiled> {
    let patterns = Patterns::of(call, 1)?;
    fallible(move |args, cx| {
        let mut values = StringViewBuilder::with_capacity(cx.rows);
        let part = |row: usize, cx: &mut Cx<'_>, text: &str, regex: Option<&JavaRegex>| {
            let (start, end) = or_fail(regex?.find(text), cx, row)??;
            Some(text[start..end].to_owned())
        };
        matched(args, &patterns, cx, part, |value| values.append_option(value))?;
        Ok(Arc::new(values.finish()))
    })
}

/// The index of a row's group, by the third argument.
fn indexes(args: &[Value], default: i32) -> Result<impl Fn(usize) -> Option<i32>> {
    let indexes = args.get(2).map(Numbers::<Int32Type>::of).transpose()?;
    Ok(move |row| match &indexes {
        Some(indexes) => indexes.get(row),
        None => Some(default),
    })
}

fn compile_extract(call: &CompileCall<'_>) -> Result<Compiled> {
    let patterns = Patterns::of(call, 1)?;
    fallible(move |args, cx| {
        let index = indexes(args, 0)?;
        let mut values = StringViewBuilder::with_capacity(cx.rows);
        let group = |row: usize, cx: &mut Cx<'_>, text: &str, regex: Option<&JavaRegex>| {
            let index = usize::try_from(index(row)?).ok()?;
            if index == 0 {
                let (start, end) = or_fail(regex?.find(text), cx, row)??;
                return Some(text[start..end].to_owned());
            }
            let captures = or_fail(regex?.captures(text), cx, row)??;
            Some(captures.get(index)?.as_str().to_owned())
        };
        matched(args, &patterns, cx, group, |value| values.append_option(value))?;
        Ok(Arc::new(values.finish()))
    })
}

fn compile_extract_all(call: &CompileCall<'_>) -> Result<Compiled> {
    let patterns = Patterns::of(call, 1)?;
    fallible(move |args, cx| {
        let index = indexes(args, 1)?;
        let field = Field::new(ELEMENT, DataType::Utf8View, true);
        let mut lists = ListBuilder::new(StringViewBuilder::new()).with_field(field);
        let groups = |row: usize, cx: &mut Cx<'_>, text: &str, regex: Option<&JavaRegex>| {
            let index = usize::try_from(index(row)?).ok()?;
            let regex = regex.filter(|regex| index <= regex.groups())?;
            let found = or_fail(regex.captures_all(text), cx, row)?;
            Some(found.iter().map(|c| c.get(index).map(|m| m.as_str().to_owned())).collect::<Vec<_>>())
        };
        matched(args, &patterns, cx, groups, |value| match value {
            Some(parts) => {
                parts.into_iter().for_each(|part| lists.values().append_option(part));
                lists.append(true);
            }
            None => lists.append(false),
        })?;
        Ok(Arc::new(lists.finish()) as ArrayRef)
    })
}

fn compile_replace(call: &CompileCall<'_>) -> Result<Compiled> {
    let patterns = Patterns::of(call, 1)?;
    let may_be_null = call.ty.nullable;
    fallible(move |args, cx| {
        let (texts, replacements) = (Strings::of(&args[0])?, Strings::of(&args[2])?);
        let regexes = Strings::of(&args[1])?;
        let mut rows = patterns.rows(args.get(1))?;
        Ok(strings(cx.rows, |row, out| {
            let (text, replacement) = (texts.get(row)?, replacements.get(row)?);
            regexes.get(row)?;
            let regex = match rows.get(row) {
                RowPattern::Null => return None,
                RowPattern::Invalid => {
                    if !may_be_null {
                        cx.fail(row, "REGEXP_REPLACE by what is no pattern is NULL, where NOT NULL is declared");
                    }
                    return None;
                }
                RowPattern::Failed(reason) => {
                    cx.fail(row, reason);
                    return None;
                }
                RowPattern::Regex(regex) => regex,
            };
            let mut from = 0;
            // The replacement is taken as it is: `$1` is no group.
            for (start, end) in or_fail(regex.find_all(text), cx, row)? {
                out.push_str(&text[from..start]);
                out.push_str(replacement);
                from = end;
            }
            out.push_str(&text[from..]);
            Some(())
        }))
    })
}
