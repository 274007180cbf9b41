//! Strings made longer, shorter or turned: LEFT, RIGHT, LPAD, RPAD, REPEAT, REVERSE, OVERLAY, TRANSLATE, INITCAP, and the
//! TRIM functions that are called by name.
//!
//! LPAD, RPAD and OVERLAY count Java's 16-bit units, the others characters, as Flink's do. A result longer than a record
//! may be fails its row.

use arrow::datatypes::Int32Type;
use arus_core::function::Argument;
use arus_core::limits::RECORD_BYTES;
use arus_core::types::MAX_LENGTH;
use arus_core::{Result, TypeKind};

use super::{Call, CompileCall, Compiled, Function, any_nullable, as_is, coerced, fallible, is_small_integer, safe};
use crate::utf16::{push_units, units};
use crate::value::{Cx, Numbers, Strings, strings, substrings};

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new(&["LEFT"], "LEFT(<CHARACTER>, <INTEGER>)", resolve_part, |_| compile_part(left)),
    Function::new(&["RIGHT"], "RIGHT(<CHARACTER>, <INTEGER>)", resolve_part, |_| compile_part(right)),
    Function::new(&["LPAD"], "LPAD(<CHARACTER>, <INTEGER>, <CHARACTER>)", resolve_pad, |c| compile_pad(c, true)),
    Function::new(&["RPAD"], "RPAD(<CHARACTER>, <INTEGER>, <CHARACTER>)", resolve_pad, |c| compile_pad(c, false)),
    Function::new(&["REPEAT"], "REPEAT(<CHARACTER>, <INTEGER>)", resolve_repeat, compile_repeat),
    Function::new(
        &["REVERSE"],
        "REVERSE(<CHARACTER>)",
        |a| nullable(one(a)?),
        |_| {
            safe(|args, cx| {
                let texts = Strings::of(&args[0])?;
                Ok(strings(cx.rows, |row, out| {
                    out.extend(texts.get(row)?.chars().rev());
                    Some(())
                }))
            })
        },
    ),
    Function::new(
        &["OVERLAY"],
        "OVERLAY(<CHARACTER> PLACING <CHARACTER> FROM <INTEGER> [FOR <INTEGER>])",
        resolve_overlay,
        compile_overlay,
    ),
    Function::new(
        &["TRANSLATE", "TRANSLATE3"],
        "TRANSLATE(<CHARACTER>, <CHARACTER>, <CHARACTER>)",
        resolve_translate,
        compile_translate,
    ),
    Function::new(&["INITCAP"], "INITCAP(<CHARACTER>)", resolve_initcap, |_| {
        safe(|args, cx| {
            let texts = Strings::of(&args[0])?;
            Ok(strings(cx.rows, |row, out| texts.get(row).map(|text| initcap(text, out))))
        })
    }),
    Function::new(&["LTRIM"], "LTRIM(<CHARACTER>[, <CHARACTER>])", resolve_trim, |_| compile_trim(true, false)),
    Function::new(&["RTRIM"], "RTRIM(<CHARACTER>[, <CHARACTER>])", resolve_trim, |_| compile_trim(false, true)),
    Function::new(&["BTRIM"], "BTRIM(<CHARACTER>[, <CHARACTER>])", resolve_btrim, |_| compile_trim(true, true)),
];

fn nullable(call: Call) -> Option<Call> {
    Some(Call { return_type: call.return_type.with_nullable(true), ..call })
}

fn all_strings(args: &[Argument]) -> bool {
    args.iter().all(|a| a.ty.kind.is_string())
}

fn one(args: &[Argument]) -> Option<Call> {
    if args.len() == 1 && all_strings(args) { as_is(args, TypeKind::STRING) } else { None }
}

fn length(kind: &TypeKind) -> Option<u32> {
    match kind {
        TypeKind::Char(n) | TypeKind::Varchar(n) => Some(*n),
        _ => None,
    }
}

/// Whether a text may be so long; else the row fails.
pub(super) fn is_short(bytes: usize, cx: &mut Cx<'_>, row: usize) -> bool {
    if bytes > RECORD_BYTES {
        cx.fail(row, format!("a text of {bytes} bytes, more than the {RECORD_BYTES} of a record"));
    }
    bytes <= RECORD_BYTES
}

// ---- LEFT, RIGHT, REPEAT -------------------------------------------------------------------------------

fn resolve_part(args: &[Argument]) -> Option<Call> {
    let [text, count] = args else { return None };
    if !is_small_integer(&count.ty.kind) {
        return None;
    }
    let result = TypeKind::Varchar(length(&text.ty.kind)?);
    nullable(coerced(args, vec![text.ty.kind.clone(), TypeKind::Int], result)?)
}

fn compile_part(part: fn(&str, usize) -> &str) -> Result<Compiled> {
    safe(move |args, cx| {
        let (texts, counts) = (Strings::of(&args[0])?, Numbers::<Int32Type>::of(&args[1])?);
        Ok(substrings(cx.rows, |row| {
            let (text, count) = (texts.get(row)?, counts.get(row)?);
            Some(part(text, usize::try_from(count).unwrap_or(0)))
        }))
    })
}

fn left(text: &str, count: usize) -> &str {
    match text.char_indices().nth(count) {
        Some((at, _)) => &text[..at],
        None => text,
    }
}

fn right(text: &str, count: usize) -> &str {
    match count.checked_sub(1).map(|last| text.char_indices().rev().nth(last)) {
        Some(Some((at, _))) => &text[at..],
        Some(None) => text,
        None => "",
    }
}

fn resolve_repeat(args: &[Argument]) -> Option<Call> {
    let [text, count] = args else { return None };
    let right = text.ty.kind.is_string() && is_small_integer(&count.ty.kind);
    if right { coerced(args, vec![text.ty.kind.clone(), TypeKind::Int], TypeKind::STRING) } else { None }
}

fn compile_repeat(_: &CompileCall<'_>) -> Result<Compiled> {
    fallible(|args, cx| {
        let (texts, counts) = (Strings::of(&args[0])?, Numbers::<Int32Type>::of(&args[1])?);
        Ok(strings(cx.rows, |row, out| {
            let (text, count) = (texts.get(row)?, usize::try_from(counts.get(row)?).unwrap_or(0));
            if !is_short(text.len().saturating_mul(count), cx, row) {
                return None;
            }
            out.extend(std::iter::repeat_n(text, count));
            Some(())
        }))
    })
}

// ---- LPAD, RPAD, OVERLAY -------------------------------------------------------------------------------

fn resolve_pad(args: &[Argument]) -> Option<Call> {
    let [text, count, pad] = args else { return None };
    let right = text.ty.kind.is_string() && is_small_integer(&count.ty.kind) && pad.ty.kind.is_string();
    let kinds = vec![text.ty.kind.clone(), TypeKind::Int, pad.ty.kind.clone()];
    if right { coerced(args, kinds, TypeKind::STRING) } else { None }
}

fn compile_pad(call: &CompileCall<'_>, at_start: bool) -> Result<Compiled> {
    let (name, may_be_null) = (call.name.to_owned(), call.ty.nullable);
    fallible(move |args, cx| {
        let (texts, pads) = (Strings::of(&args[0])?, Strings::of(&args[2])?);
        let counts = Numbers::<Int32Type>::of(&args[1])?;
        Ok(strings(cx.rows, |row, out| {
            let (text, count, pad) = (texts.get(row)?, counts.get(row)?, pads.get(row)?);
            let Some(count) = usize::try_from(count).ok().filter(|_| !pad.is_empty()) else {
                if !may_be_null {
                    cx.fail(
                        row,
                        format!("{name} to the length {count} with '{pad}' is NULL, where NOT NULL is declared"),
                    );
                }
                return None;
            };
            if !is_short(count, cx, row) {
                return None;
            }
            padded(text, count, pad, at_start, out);
            Some(())
        }))
    })
}

fn padded(text: &str, count: usize, pad: &str, at_start: bool, out: &mut String) {
    if text.is_ascii() && pad.is_ascii() {
        let missing = count.saturating_sub(text.len());
        let kept = &text[..text.len().min(count)];
        let padding = pad.chars().cycle().take(missing);
        if at_start {
            out.extend(padding);
            out.push_str(kept);
        } else {
            out.push_str(kept);
            out.extend(padding);
        }
        return;
    }
    let (text, pad) = (units(text), units(pad));
    let padding = pad.iter().copied().cycle().take(count.saturating_sub(text.len()));
    let kept = text.iter().copied().take(count);
    if at_start { push_units(out, padding.chain(kept)) } else { push_units(out, kept.chain(padding)) }
}

fn resolve_overlay(args: &[Argument]) -> Option<Call> {
    let (texts, positions) = args.split_at_checked(2)?;
    let right = all_strings(texts)
        && matches!(positions.len(), 1 | 2)
        && positions.iter().all(|a| is_small_integer(&a.ty.kind));
    if !right {
        return None;
    }
    let longest = length(&texts[0].ty.kind)?.saturating_add(length(&texts[1].ty.kind)?).min(MAX_LENGTH);
    let kinds = texts.iter().map(|a| a.ty.kind.clone()).chain(positions.iter().map(|_| TypeKind::Int)).collect();
    coerced(args, kinds, TypeKind::Varchar(longest))
}

fn compile_overlay(_: &CompileCall<'_>) -> Result<Compiled> {
    safe(|args, cx| {
        let (texts, news) = (Strings::of(&args[0])?, Strings::of(&args[1])?);
        let starts = Numbers::<Int32Type>::of(&args[2])?;
        let lengths = args.get(3).map(Numbers::<Int32Type>::of).transpose()?;
        Ok(strings(cx.rows, |row, out| {
            let (text, new, start) = (texts.get(row)?, news.get(row)?, i64::from(starts.get(row)?));
            let length = match &lengths {
                Some(lengths) => i64::from(lengths.get(row)?),
                None => new.encode_utf16().count() as i64,
            };
            let whole = units(text);
            let count = whole.len() as i64;
            if start <= 0 || start > count {
                out.push_str(text);
                return Some(());
            }
            let end = if length > 0 && start + length <= count { (start - 1 + length) as usize } else { whole.len() };
            let before = whole[..start as usize - 1].iter().copied();
            push_units(out, before.chain(new.encode_utf16()).chain(whole[end..].iter().copied()));
            Some(())
        }))
    })
}

// ---- TRANSLATE, INITCAP --------------------------------------------------------------------------------

fn resolve_translate(args: &[Argument]) -> Option<Call> {
    let call = if args.len() == 3 && all_strings(args) { as_is(args, TypeKind::STRING)? } else { return None };
    // Without a text to translate from, the text stays.
    Some(Call { return_type: call.return_type.with_nullable(args[0].ty.nullable), ..call })
}

fn compile_translate(_: &CompileCall<'_>) -> Result<Compiled> {
    safe(|args, cx| {
        let (texts, froms, tos) = (Strings::of(&args[0])?, Strings::of(&args[1])?, Strings::of(&args[2])?);
        Ok(strings(cx.rows, |row, out| {
            let text = texts.get(row)?;
            let Some(from) = froms.get(row).filter(|from| !from.is_empty()) else {
                out.push_str(text);
                return Some(());
            };
            let to: Vec<char> = tos.get(row).unwrap_or("").chars().collect();
            out.extend(text.chars().filter_map(|c| match from.chars().position(|f| f == c) {
                Some(at) => to.get(at).copied(),
                None => Some(c),
            }));
            Some(())
        }))
    })
}

fn resolve_initcap(args: &[Argument]) -> Option<Call> {
    match args {
        [arg] if all_strings(args) => as_is(args, arg.ty.kind.clone()),
        _ => None,
    }
}

/// ASCII letters and digits make words; every other character parts them.
fn initcap(text: &str, out: &mut String) {
    let mut inside = false;
    for c in text.chars() {
        out.push(match inside {
            true => c.to_ascii_lowercase(),
            false => c.to_ascii_uppercase(),
        });
        inside = c.is_ascii_alphanumeric();
    }
}

// ---- LTRIM, RTRIM, BTRIM -------------------------------------------------------------------------------

fn resolve_trim(args: &[Argument]) -> Option<Call> {
    if !matches!(args.len(), 1 | 2) || !all_strings(args) {
        return None;
    }
    as_is(args, TypeKind::Varchar(length(&args[0].ty.kind)?))
}

fn resolve_btrim(args: &[Argument]) -> Option<Call> {
    let call = resolve_trim(args)?;
    Some(Call { return_type: TypeKind::STRING.nullable().with_nullable(any_nullable(args)), ..call })
}

fn compile_trim(start: bool, end: bool) -> Result<Compiled> {
    safe(move |args, cx| {
        let texts = Strings::of(&args[0])?;
        let chars = args.get(1).map(Strings::of).transpose()?;
        Ok(substrings(cx.rows, |row| {
            let mut text = texts.get(row)?;
            let chars = match &chars {
                Some(chars) => chars.get(row)?,
                None => " ",
            };
            let is_trimmed = |c: char| chars.contains(c);
            if start {
                text = text.trim_start_matches(is_trimmed);
            }
            if end {
                text = text.trim_end_matches(is_trimmed);
            }
            Some(text)
        }))
    })
}
