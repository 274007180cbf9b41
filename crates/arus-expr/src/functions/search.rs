//! Where a string stands in another, and what it is made of: POSITION, LOCATE, INSTR, STARTSWITH, ENDSWITH, IS_ALPHA,
//! IS_DECIMAL, IS_DIGIT. Positions count characters from 1; 0 is nowhere.

use arrow::datatypes::{DataType, Int32Type};
use arus_core::function::Argument;
use arus_core::{Result, TypeKind};

use super::{Call, CompileCall, Compiled, Function, as_is, coerced, fallible, is_small_integer, safe};
use crate::value::{Bytes, Numbers, Strings, booleans, numbers};

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new(
        &["POSITION"],
        "POSITION(<CHARACTER> IN <CHARACTER> [FROM <INTEGER>])",
        |args| resolve_locate(args, 1),
        compile_locate,
    ),
    Function::new(
        &["LOCATE"],
        "LOCATE(<CHARACTER>, <CHARACTER>[, <INTEGER>])",
        |args| resolve_locate(args, 1),
        compile_locate,
    ),
    Function::new(
        &["INSTR"],
        "INSTR(<CHARACTER>, <CHARACTER>[, <INTEGER>[, <INTEGER>]])",
        |args| resolve_locate(args, 2),
        compile_instr,
    ),
    Function::new(
        &["STARTSWITH"],
        "STARTSWITH(<CHARACTER>, <CHARACTER>), STARTSWITH(<BINARY>, <BINARY>)",
        resolve_pair,
        |call| compile_pair(call, |whole, part| whole.starts_with(part)),
    ),
    Function::new(
        &["ENDSWITH"],
        "ENDSWITH(<CHARACTER>, <CHARACTER>), ENDSWITH(<BINARY>, <BINARY>)",
        resolve_pair,
        |call| compile_pair(call, |whole, part| whole.ends_with(part)),
    ),
    Function::new(&["IS_ALPHA"], "IS_ALPHA(<CHARACTER>|<NUMERIC>)", resolve_kind, |c| compile_kind(c, false, is_alpha)),
    Function::new(&["IS_DECIMAL"], "IS_DECIMAL(<CHARACTER>|<NUMERIC>)", resolve_kind, |c| {
        compile_kind(c, true, is_decimal)
    }),
    Function::new(&["IS_DIGIT"], "IS_DIGIT(<CHARACTER>|<NUMERIC>)", resolve_kind, |call| {
        let integer = call.kind(0)?.is_integer();
        compile_kind(call, integer, is_digit)
    }),
];

/// Two strings and up to `most` integers.
fn resolve_locate(args: &[Argument], most: usize) -> Option<Call> {
    let (texts, positions) = args.split_at_checked(2)?;
    let right = texts.iter().all(|a| a.ty.kind.is_string())
        && positions.len() <= most
        && positions.iter().all(|a| is_small_integer(&a.ty.kind));
    let kinds = texts.iter().map(|a| a.ty.kind.clone()).chain(positions.iter().map(|_| TypeKind::Int)).collect();
    if right { coerced(args, kinds, TypeKind::Int) } else { None }
}

/// The first place at or behind the character `from` (from 0); the empty string is found at the start.
fn index_of(text: &str, part: &str, from: usize) -> Option<usize> {
    if part.is_empty() {
        return Some(0);
    }
    if text.is_ascii() {
        return text.get(from..)?.find(part).map(|at| at + from);
    }
    let (start, _) = text.char_indices().nth(from)?;
    text[start..].find(part).map(|at| text[start..start + at].chars().count() + from)
}

fn one_based(found: Option<usize>) -> i32 {
    found.map_or(0, |at| at as i32 + 1)
}

fn compile_locate(_: &CompileCall<'_>) -> Result<Compiled> {
    safe(|args, cx| {
        let (parts, texts) = (Strings::of(&args[0])?, Strings::of(&args[1])?);
        let starts = args.get(2).map(Numbers::<Int32Type>::of).transpose()?;
        Ok(numbers::<Int32Type>(cx.rows, &DataType::Int32, |row| {
            let start = match &starts {
                Some(starts) => starts.get(row)?,
                None => 1,
            };
            Some(one_based(index_of(texts.get(row)?, parts.get(row)?, usize::try_from(start - 1).unwrap_or(0))))
        }))
    })
}

fn compile_instr(_: &CompileCall<'_>) -> Result<Compiled> {
    fallible(|args, cx| {
        let (texts, parts) = (Strings::of(&args[0])?, Strings::of(&args[1])?);
        let starts = args.get(2).map(Numbers::<Int32Type>::of).transpose()?;
        let counts = args.get(3).map(Numbers::<Int32Type>::of).transpose()?;
        Ok(numbers::<Int32Type>(cx.rows, &DataType::Int32, |row| {
            let number = |numbers: &Option<Numbers<'_, Int32Type>>| match numbers {
                Some(numbers) => numbers.get(row),
                None => Some(1),
            };
            let (text, part) = (texts.get(row)?, parts.get(row)?);
            let (start, count) = (number(&starts)?, number(&counts)?);
            if count <= 0 {
                cx.fail(row, "nthAppearance must be positive!");
                return None;
            }
            Some(instr(text, part, start, count))
        }))
    })
}

/// The `count`th appearance from `start` on, backwards from the end where that is negative.
fn instr(text: &str, part: &str, start: i32, count: i32) -> i32 {
    if start == 0 {
        return 0;
    }
    if start < 0 {
        let turned = |text: &str| text.chars().rev().collect::<String>();
        let found = instr(&turned(text), &turned(part), start.saturating_neg(), count);
        let length = |text: &str| text.chars().count() as i32;
        return if found == 0 { 0 } else { length(text) + 2 - found - length(part) };
    }
    let mut from = start as usize - 1;
    let mut found = 0;
    for _ in 0..count {
        found = one_based(index_of(text, part, from));
        // The empty string is found at the start again and again.
        if found == 0 || part.is_empty() {
            return found;
        }
        from = found as usize;
    }
    found
}

// ---- STARTSWITH, ENDSWITH ------------------------------------------------------------------------------

fn resolve_pair(args: &[Argument]) -> Option<Call> {
    let same = args.iter().all(|a| a.ty.kind.is_string()) || args.iter().all(|a| a.ty.kind.is_binary());
    if args.len() == 2 && same { as_is(args, TypeKind::Boolean) } else { None }
}

fn compile_pair(call: &CompileCall<'_>, test: fn(&[u8], &[u8]) -> bool) -> Result<Compiled> {
    if call.kind(0)?.is_binary() {
        return safe(move |args, cx| {
            let (wholes, parts) = (Bytes::of(&args[0])?, Bytes::of(&args[1])?);
            Ok(booleans(cx.rows, |row| Some(test(wholes.get(row)?, parts.get(row)?))))
        });
    }
    safe(move |args, cx| {
        let (wholes, parts) = (Strings::of(&args[0])?, Strings::of(&args[1])?);
        Ok(booleans(cx.rows, |row| Some(test(wholes.get(row)?.as_bytes(), parts.get(row)?.as_bytes()))))
    })
}

// ---- IS_ALPHA, IS_DECIMAL, IS_DIGIT --------------------------------------------------------------------

fn resolve_kind(args: &[Argument]) -> Option<Call> {
    let [arg] = args else { return None };
    let right = arg.ty.kind.is_string() || arg.ty.kind.is_numeric();
    let call = if right { as_is(args, TypeKind::Boolean)? } else { return None };
    Some(Call { return_type: TypeKind::Boolean.not_null(), ..call })
}

/// `of_numbers` is the answer for a number, NULL or not.
fn compile_kind(call: &CompileCall<'_>, of_numbers: bool, test: fn(&str) -> bool) -> Result<Compiled> {
    if !call.kind(0)?.is_string() {
        return safe(move |_, cx| Ok(booleans(cx.rows, |_| Some(of_numbers))));
    }
    safe(move |args, cx| {
        let texts = Strings::of(&args[0])?;
        Ok(booleans(cx.rows, |row| Some(texts.get(row).is_some_and(test))))
    })
}

fn is_alpha(text: &str) -> bool {
    !text.is_empty() && text.chars().all(char::is_alphabetic)
}

fn is_digit(text: &str) -> bool {
    !text.is_empty() && text.chars().all(is_decimal_digit)
}

/// Decimal digits of any script stand in tens from a zero on.
fn is_decimal_digit(c: char) -> bool {
    c.is_ascii_digit() || DIGIT_ZEROS.iter().any(|zero| (*zero..*zero + 10).contains(&(c as u32)))
}

const DIGIT_ZEROS: [u32; 24] = [
    0x660, 0x6F0, 0x7C0, 0x966, 0x9E6, 0xA66, 0xAE6, 0xB66, 0xBE6, 0xC66, 0xCE6, 0xD66, 0xDE6, 0xE50, 0xED0, 0xF20,
    0x1040, 0x1090, 0x17E0, 0x1810, 0x1946, 0x19D0, 0x1A80, 0xFF10,
];

/// What Java's `Double.parseDouble` reads, hexadecimal digits left out.
fn is_decimal(text: &str) -> bool {
    let text = text.trim_matches(|c: char| c <= ' ');
    let rest = text.strip_prefix(['+', '-']).unwrap_or(text);
    if matches!(rest, "NaN" | "Infinity") {
        return true;
    }
    let rest = rest.strip_suffix(['d', 'D', 'f', 'F']).unwrap_or(rest);
    let (mantissa, exponent) = match rest.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent.strip_prefix(['+', '-']).unwrap_or(exponent))),
        None => (rest, None),
    };
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    digits(whole)
        && digits(fraction)
        && whole.len() + fraction.len() > 0
        && exponent.is_none_or(|e| !e.is_empty() && digits(e))
}
