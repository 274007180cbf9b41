//! Strings. Positions and lengths count characters (code points), as Flink's do.

use std::sync::{Arc, Mutex};

use arus_core::function::Argument;
use arus_core::{Datum, Error, Result, TypeKind};

use super::{Call, CompileCall, Compiled, Function, any_nullable, as_is, coerced, fallible, safe};
use crate::like::LikePattern;
use crate::typing::concatenated;
use crate::value::{Numbers, Strings, booleans, numbers, strings, substrings};
use arrow::datatypes::{DataType, Int32Type};

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new(&["||"], "<STRING> || <STRING>", resolve_concat_operator, compile_concat),
    Function::new(&["CONCAT"], "CONCAT(<CHARACTER>, ..)", resolve_concat, compile_concat),
    Function::new(&["CHAR_LENGTH", "CHARACTER_LENGTH"], "CHAR_LENGTH(<CHARACTER>)", resolve_length, |_| {
        safe(|args, cx| {
            let values = Strings::of(&args[0])?;
            let length = |row| Some(values.get(row)?.chars().count() as i32);
            Ok(numbers::<Int32Type>(cx.rows, &DataType::Int32, length))
        })
    }),
    Function::new(&["UPPER"], "UPPER(<CHARACTER>)", resolve_same, |_| {
        safe(|args, cx| {
            let values = Strings::of(&args[0])?;
            Ok(strings(cx.rows, |row, out| values.get(row).map(|text| change_case(text, out, true))))
        })
    }),
    Function::new(&["LOWER"], "LOWER(<CHARACTER>)", resolve_same, |_| {
        safe(|args, cx| {
            let values = Strings::of(&args[0])?;
            Ok(strings(cx.rows, |row, out| values.get(row).map(|text| change_case(text, out, false))))
        })
    }),
    Function::new(
        &["TRIM"],
        "TRIM([BOTH|LEADING|TRAILING] [<CHARACTER>] FROM <CHARACTER>)",
        resolve_trim,
        compile_trim,
    ),
    Function::new(
        &["SUBSTRING", "SUBSTR"],
        "SUBSTRING(<CHARACTER> FROM <INTEGER> [FOR <INTEGER>])",
        resolve_substring,
        compile_substring,
    ),
    Function::new(&["REPLACE"], "REPLACE(<CHARACTER>, <CHARACTER>, <CHARACTER>)", resolve_replace, |_| {
        safe(|args, cx| {
            let (values, from, to) = (Strings::of(&args[0])?, Strings::of(&args[1])?, Strings::of(&args[2])?);
            Ok(strings(cx.rows, |row, out| {
                replace(values.get(row)?, from.get(row)?, to.get(row)?, out);
                Some(())
            }))
        })
    }),
    Function::new(
        &["SPLIT_INDEX"],
        "SPLIT_INDEX(<CHARACTER>, <CHARACTER>|<INTEGER>, <INTEGER>)",
        resolve_split_index,
        compile_split_index,
    ),
    Function::new(&["LIKE"], "<CHARACTER> LIKE <CHARACTER> [ESCAPE <CHARACTER>]", resolve_like, compile_like),
];

fn all_strings(args: &[Argument]) -> bool {
    args.iter().all(|a| a.ty.kind.is_string())
}

fn is_int_or_smaller(arg: &Argument) -> bool {
    arg.ty.kind.is_integer() && arg.ty.kind != TypeKind::BigInt
}

fn resolve_same(args: &[Argument]) -> Option<Call> {
    match args {
        [arg] if all_strings(args) => as_is(args, arg.ty.kind.clone()),
        _ => None,
    }
}

fn resolve_length(args: &[Argument]) -> Option<Call> {
    if args.len() == 1 && all_strings(args) { as_is(args, TypeKind::Int) } else { None }
}

fn change_case(value: &str, out: &mut String, upper: bool) {
    if value.is_ascii() {
        out.push_str(value);
        if upper { out.make_ascii_uppercase() } else { out.make_ascii_lowercase() }
    } else {
        // Rust's conversions are Unicode's full ones, as Java's are.
        out.push_str(&if upper { value.to_uppercase() } else { value.to_lowercase() });
    }
}

// ---- || and CONCAT -------------------------------------------------------------------------------------

fn resolve_concat_operator(args: &[Argument]) -> Option<Call> {
    match args {
        [a, b] if all_strings(args) => as_is(args, concatenated(&a.ty.kind, &b.ty.kind)?),
        _ => None,
    }
}

fn resolve_concat(args: &[Argument]) -> Option<Call> {
    if !args.is_empty() && all_strings(args) { as_is(args, TypeKind::STRING) } else { None }
}

fn compile_concat(_: &CompileCall<'_>) -> Result<Compiled> {
    safe(|args, cx| {
        let parts = args.iter().map(Strings::of).collect::<Result<Vec<_>>>()?;
        Ok(strings(cx.rows, |row, out| parts.iter().try_for_each(|part| part.get(row).map(|text| out.push_str(text)))))
    })
}

// ---- TRIM ----------------------------------------------------------------------------------------------

const SIDES: [&str; 3] = ["BOTH", "LEADING", "TRAILING"];

/// `TRIM(x)`, or the side as a literal, the characters, the string.
fn resolve_trim(args: &[Argument]) -> Option<Call> {
    let value = match args {
        [value] => value,
        [side, _, value] if matches!(&side.literal, Some(Datum::String(s)) if SIDES.contains(&s.as_str())) => value,
        _ => return None,
    };
    if !all_strings(args) {
        return None;
    }
    let result = match value.ty.kind {
        TypeKind::Char(n) | TypeKind::Varchar(n) => TypeKind::Varchar(n),
        _ => return None,
    };
    as_is(args, result)
}

fn compile_trim(call: &CompileCall<'_>) -> Result<Compiled> {
    if call.args.len() == 1 {
        return safe(|args, cx| {
            let values = Strings::of(&args[0])?;
            Ok(substrings(cx.rows, |row| Some(values.get(row)?.trim_matches(' '))))
        });
    }
    let (start, end) = match call.text(0) {
        Some("BOTH") => (true, true),
        Some("LEADING") => (true, false),
        Some("TRAILING") => (false, true),
        _ => return Err(call.bug()),
    };
    safe(move |args, cx| {
        let (chars, values) = (Strings::of(&args[1])?, Strings::of(&args[2])?);
        Ok(substrings(cx.rows, |row| {
            let (chars, mut value) = (chars.get(row)?, values.get(row)?);
            let is_trimmed = |c: char| chars.contains(c);
            if start {
                value = value.trim_start_matches(is_trimmed);
            }
            if end {
                value = value.trim_end_matches(is_trimmed);
            }
            Some(value)
        }))
    })
}

// ---- SUBSTRING -----------------------------------------------------------------------------------------

fn resolve_substring(args: &[Argument]) -> Option<Call> {
    let (text, positions) = args.split_first()?;
    let right_count = matches!(positions.len(), 1 | 2);
    if !right_count || !text.ty.kind.is_string() || !positions.iter().all(is_int_or_smaller) {
        return None;
    }
    let length = match text.ty.kind {
        TypeKind::Char(n) | TypeKind::Varchar(n) => n,
        _ => return None,
    };
    let mut kinds = vec![TypeKind::Int; args.len()];
    kinds[0] = text.ty.kind.clone();
    let call = coerced(args, kinds, TypeKind::Varchar(length))?;
    Some(Call { return_type: call.return_type.with_nullable(true), ..call })
}

fn compile_substring(_: &CompileCall<'_>) -> Result<Compiled> {
    safe(|args, cx| {
        let values = Strings::of(&args[0])?;
        let starts = Numbers::<Int32Type>::of(&args[1])?;
        let lengths = args.get(2).map(Numbers::<Int32Type>::of).transpose()?;
        Ok(substrings(cx.rows, |row| {
            let (value, start) = (values.get(row)?, starts.get(row)?);
            match &lengths {
                Some(lengths) => substring(value, start, Some(lengths.get(row)?)),
                None => substring(value, start, None),
            }
        }))
    })
}

/// Positions count from 1, negative ones from the end, 0 is the start; NULL for a negative length.
fn substring(value: &str, start: i32, length: Option<i32>) -> Option<&str> {
    let length = match length {
        Some(n) if n < 0 => return None,
        Some(n) => n as usize,
        None => usize::MAX,
    };
    let skip = match start {
        1.. => start as usize - 1,
        0 => 0,
        _ => match value.chars().count().checked_sub(start.unsigned_abs() as usize) {
            Some(skip) => skip,
            None => return Some(""),
        },
    };
    if value.is_ascii() {
        let from = skip.min(value.len());
        return Some(&value[from..from.saturating_add(length).min(value.len())]);
    }
    let mut ends = value.char_indices().map(|(at, _)| at).chain([value.len()]);
    let Some(from) = ends.clone().nth(skip) else { return Some("") };
    let to = ends.nth(skip.saturating_add(length)).unwrap_or(value.len());
    Some(&value[from..to])
}

// ---- REPLACE, SPLIT_INDEX ------------------------------------------------------------------------------

fn resolve_replace(args: &[Argument]) -> Option<Call> {
    if args.len() == 3 && all_strings(args) { as_is(args, TypeKind::STRING) } else { None }
}

fn replace(value: &str, from: &str, to: &str, out: &mut String) {
    if !from.is_empty() {
        let mut rest = value;
        while let Some(at) = rest.find(from) {
            out.push_str(&rest[..at]);
            out.push_str(to);
            rest = &rest[at + from.len()..];
        }
        return out.push_str(rest);
    }
    // Java puts the text between all its 16-bit units, which tears pairs apart; what is left of them prints as `?`.
    out.push_str(to);
    for c in value.chars() {
        if c.len_utf16() == 2 {
            out.push('?');
            out.push_str(to);
            out.push('?');
        } else {
            out.push(c);
        }
        out.push_str(to);
    }
}

fn resolve_split_index(args: &[Argument]) -> Option<Call> {
    let [text, separator, index] = args else { return None };
    let right = text.ty.kind.is_string()
        && (separator.ty.kind.is_string() || is_int_or_smaller(separator))
        && is_int_or_smaller(index);
    let separator_kind = if separator.ty.kind.is_string() { separator.ty.kind.clone() } else { TypeKind::Int };
    let kinds = vec![text.ty.kind.clone(), separator_kind, TypeKind::Int];
    let call = if right { coerced(args, kinds, TypeKind::STRING)? } else { return None };
    Some(Call { return_type: call.return_type.with_nullable(true), ..call })
}

fn compile_split_index(call: &CompileCall<'_>) -> Result<Compiled> {
    if call.kind(1)? == TypeKind::Int {
        return safe(|args, cx| {
            let (values, indexes) = (Strings::of(&args[0])?, Numbers::<Int32Type>::of(&args[2])?);
            let separators = Numbers::<Int32Type>::of(&args[1])?;
            Ok(substrings(cx.rows, |row| {
                let separator = char::from_u32(u32::try_from(separators.get(row)?).ok()?)?;
                let (value, index) = (values.get(row)?, usize::try_from(indexes.get(row)?).ok()?);
                if value.is_empty() { None } else { value.split(separator).nth(index) }
            }))
        });
    }
    safe(|args, cx| {
        let (values, indexes) = (Strings::of(&args[0])?, Numbers::<Int32Type>::of(&args[2])?);
        let separators = Strings::of(&args[1])?;
        Ok(substrings(cx.rows, |row| {
            let (value, separator) = (values.get(row)?, separators.get(row)?);
            let index = usize::try_from(indexes.get(row)?).ok()?;
            match (value.is_empty(), separator.is_empty()) {
                (true, _) => None,
                (false, true) => value.split(char::is_whitespace).nth(index),
                (false, false) => value.split(separator).nth(index),
            }
        }))
    })
}

// ---- LIKE ----------------------------------------------------------------------------------------------

fn resolve_like(args: &[Argument]) -> Option<Call> {
    if matches!(args.len(), 2 | 3) && all_strings(args) {
        let call = as_is(args, TypeKind::Boolean)?;
        Some(Call { return_type: call.return_type.with_nullable(any_nullable(args)), ..call })
    } else {
        None
    }
}

fn compile_like(call: &CompileCall<'_>) -> Result<Compiled> {
    let escape = match (call.args.len(), call.text(2)) {
        (2, _) => Some(None),
        (_, Some(text)) => Some(Some(text)),
        _ => None,
    };
    // The usual case: the pattern is a literal.
    if let (Some(pattern), Some(escape)) = (call.text(1), escape) {
        let pattern = LikePattern::parse(pattern, escape).map_err(Error::user)?;
        return safe(move |args, cx| {
            let values = Strings::of(&args[0])?;
            Ok(booleans(cx.rows, |row| Some(pattern.matches(values.get(row)?))))
        });
    }
    // Otherwise the last pattern is kept, since it seldom changes from row to row.
    let last: Arc<Mutex<Option<LastPattern>>> = Arc::default();
    fallible(move |args, cx| {
        let (values, patterns) = (Strings::of(&args[0])?, Strings::of(&args[1])?);
        let escapes = args.get(2).map(Strings::of).transpose()?;
        let mut last = last.lock().map_err(|_| Error::bug("the pattern of LIKE is poisoned"))?;
        Ok(booleans(cx.rows, |row| {
            let (value, pattern) = (values.get(row)?, patterns.get(row)?);
            let escape = escapes.as_ref().map(|e| e.get(row));
            let escape = match escape {
                Some(None) => return None,
                Some(escape) => escape,
                None => None,
            };
            if !last.as_ref().is_some_and(|l| l.text == pattern && l.escape.as_deref() == escape) {
                match LikePattern::parse(pattern, escape) {
                    Ok(parsed) => {
                        let (text, escape) = (pattern.to_owned(), escape.map(str::to_owned));
                        *last = Some(LastPattern { text, escape, parsed });
                    }
                    Err(reason) => {
                        cx.fail(row, reason);
                        return None;
                    }
                }
            }
            last.as_ref().map(|l| l.parsed.matches(value))
        }))
    })
}

struct LastPattern {
    text: String,
    escape: Option<String>,
    parsed: LikePattern,
}
