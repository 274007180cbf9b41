//! SIMILAR TO: the regular expressions of standard SQL, rewritten as Java's in the way that Flink does it, so that `.`, `*`
//! and the like mean what they mean there.

use arus_core::function::Argument;
use arus_core::{Error, Result, TypeKind};

use super::{Call, CompileCall, Compiled, Function, as_is, fallible, safe};
use crate::java_regex::{JavaRegex, Refusal};
use crate::value::{Strings, booleans};

pub(super) const FUNCTIONS: &[Function] =
    &[Function::new(&["SIMILAR TO"], "<CHARACTER> SIMILAR TO <CHARACTER> [ESCAPE <CHARACTER>]", resolve, compile)];

fn resolve(args: &[Argument]) -> Option<Call> {
    let right = matches!(args.len(), 2 | 3) && args.iter().all(|a| a.ty.kind.is_string());
    if right { as_is(args, TypeKind::Boolean) } else { None }
}

fn compile(call: &CompileCall<'_>) -> Result<Compiled> {
    let literal_escape = call.args.len() == 2 || call.text(2).is_some();
    if let (Some(pattern), true) = (call.text(1), literal_escape) {
        let regex = similar(pattern, call.text(2)).map_err(Error::user)?;
        return fallible(move |args, cx| {
            let texts = Strings::of(&args[0])?;
            Ok(booleans(cx.rows, |row| {
                let matches = regex.is_match(texts.get(row)?);
                matches.map_err(|reason| cx.fail(row, reason)).ok()
            }))
        });
    }
    if call.args.len() == 2 && call.kind(1)?.is_string() || call.args.len() == 3 {
        return fallible(|args, cx| {
            let (texts, patterns) = (Strings::of(&args[0])?, Strings::of(&args[1])?);
            let escapes = args.get(2).map(Strings::of).transpose()?;
            // The last pattern is kept: it seldom changes from row to row.
            let mut last: Option<(&str, Option<&str>, Result<JavaRegex, String>)> = None;
            Ok(booleans(cx.rows, |row| {
                let (text, pattern) = (texts.get(row)?, patterns.get(row)?);
                let escape = match &escapes {
                    Some(escapes) => Some(escapes.get(row)?),
                    None => None,
                };
                if !last.as_ref().is_some_and(|(p, e, _)| *p == pattern && *e == escape) {
                    last = Some((pattern, escape, similar(pattern, escape)));
                }
                let regex = last.as_ref().map(|(_, _, regex)| regex)?;
                let matches = regex.as_ref().map_err(String::clone).and_then(|regex| regex.is_match(text));
                matches.map_err(|reason| cx.fail(row, reason)).ok()
            }))
        });
    }
    safe(|_, _| Err(Error::bug("SIMILAR TO takes strings")))
}

fn similar(pattern: &str, escape: Option<&str>) -> Result<JavaRegex, String> {
    let escape = match escape.map(|e| (e, e.chars().count())) {
        None => None,
        Some((escape, 1)) => escape.chars().next(),
        Some((escape, _)) => return Err(format!("Invalid escape character '{escape}'")),
    };
    let java = rewrite(pattern, escape)?;
    JavaRegex::new(&format!("\\A(?:{java})\\z")).map_err(|refusal| match refusal {
        Refusal::Invalid => format!("Invalid regular expression '{pattern}'"),
        Refusal::Unsupported(what) => format!("unsupported regular expression: {what}"),
    })
}

/// What an escape character may stand before.
const SPECIALS: &str = "[]()|^-+*_%?{}";

fn rewrite(pattern: &str, escape: Option<char>) -> Result<String, String> {
    let invalid = || format!("Invalid regular expression '{pattern}'");
    let chars: Vec<char> = pattern.chars().collect();
    let invalid_escape = |at: usize| format!("Invalid escape sequence '{pattern}', {at}");
    let mut java = String::with_capacity(pattern.len() + 8);
    let mut at = 0;
    while at < chars.len() {
        let c = chars[at];
        if Some(c) == escape {
            match chars.get(at + 1) {
                Some(next) if SPECIALS.contains(*next) => java.extend(['\\', *next]),
                Some(next) if Some(*next) == escape => java.push(*next),
                _ => return Err(invalid_escape(at)),
            }
            at += 2;
            continue;
        }
        match c {
            '_' => java.push('.'),
            '%' => java.push_str("(?s:.*)"),
            '[' => {
                java.push('[');
                at = enumeration(&chars, at + 1, escape, &mut java).ok_or_else(invalid)?;
                java.push(']');
            }
            ']' => return Err(invalid()),
            '\\' => java.push_str("\\\\"),
            '$' => java.push_str("\\$"),
            c => java.push(c),
        }
        at += 1;
    }
    Ok(java)
}

/// The characters between the brackets; gives the place of the closing one.
fn enumeration(chars: &[char], from: usize, escape: Option<char>, java: &mut String) -> Option<usize> {
    const CLASSES: [(&str, &str); 7] = [
        ("[:ALPHA:]", "\\p{Alpha}"),
        ("[:UPPER:]", "\\p{Upper}"),
        ("[:LOWER:]", "\\p{Lower}"),
        ("[:DIGIT:]", "\\d"),
        ("[:SPACE:]", " "),
        ("[:WHITESPACE:]", "\\s"),
        ("[:ALNUM:]", "\\p{Alnum}"),
    ];
    let mut at = from;
    loop {
        let c = *chars.get(at)?;
        if c == ']' {
            return Some(at);
        } else if Some(c) == escape {
            at += 1;
            let next = *chars.get(at)?;
            if SPECIALS.contains(next) {
                java.push('\\');
            } else if Some(next) != escape {
                return None;
            }
            java.push(next);
        } else if matches!(c, '-' | '^') {
            java.push(c);
        } else if c == '[' {
            let rest: String = chars[at..].iter().take(16).collect();
            let rest = rest.to_ascii_uppercase();
            let (name, class) = CLASSES.iter().find(|(name, _)| rest.starts_with(name))?;
            java.push_str(class);
            at += name.len() - 1;
        } else if SPECIALS.contains(c) {
            return None;
        } else {
            java.push(c);
        }
        at += 1;
    }
}
