//! Character classes: `[a-z&&[^aeiou]]`, `\d`, `\p{Alpha}`.

use super::Refusal;
use super::translate::{Translator, push_escaped};

/// A class whose opening bracket was read, with its brackets.
pub(super) fn class(t: &mut Translator<'_>) -> Result<String, Refusal> {
    class_below(t, 0)
}

fn class_below(t: &mut Translator<'_>, depth: usize) -> Result<String, Refusal> {
    if depth > 50 {
        return t.unsupported("classes nested deeper than 50");
    }
    let negated = t.eat('^');
    // The parts of an intersection, each a union.
    let mut parts: Vec<String> = vec![String::new()];
    let mut first = true;
    loop {
        let Some(c) = t.next() else { return Err(Refusal::Invalid) };
        match c {
            ']' if !first => break,
            _ if t.flags.comments && c.is_ascii_whitespace() => continue,
            '&' if t.peek() == Some('&') => {
                while t.eat('&') {}
                if !parts.last().is_some_and(String::is_empty) {
                    parts.push(String::new());
                }
            }
            '[' => {
                let inner = class_below(t, depth + 1)?;
                push(&mut parts, &inner);
            }
            '\\' if t.peek() == Some('Q') => {
                t.at += 1;
                loop {
                    match t.next() {
                        Some('\\') if t.peek() == Some('E') => {
                            t.at += 1;
                            break;
                        }
                        Some(c) => push(&mut parts, &one(t, c, c)),
                        None => return Err(Refusal::Invalid),
                    }
                }
            }
            '\\' => {
                let Some(escaped) = t.next() else { return Err(Refusal::Invalid) };
                match shorthand(t, escaped)? {
                    Some(set) => push(&mut parts, &set),
                    None => {
                        let from = t.escaped_char(escaped)?;
                        let range = range(t, from)?;
                        push(&mut parts, &range);
                    }
                }
            }
            c => {
                let range = range(t, c)?;
                push(&mut parts, &range);
            }
        }
        first = false;
    }
    // `[a&&]` is `[a]`.
    if parts.len() > 1 && parts.last().is_some_and(String::is_empty) {
        parts.pop();
    }
    if parts.iter().any(String::is_empty) {
        return Err(Refusal::Invalid);
    }
    let body = match parts.as_slice() {
        [only] => only.clone(),
        parts => parts.iter().map(|part| format!("[{part}]")).collect::<Vec<_>>().join("&&"),
    };
    Ok(format!("[{}{body}]", if negated { "^" } else { "" }))
}

fn push(parts: &mut [String], text: &str) {
    if let Some(last) = parts.last_mut() {
        last.push_str(text);
    }
}

/// `from`, or the range that it begins.
fn range(t: &mut Translator<'_>, from: char) -> Result<String, Refusal> {
    let is_range = t.peek() == Some('-') && !matches!(t.peek_at(1), Some(']' | '[') | None);
    if !is_range {
        return Ok(one(t, from, from));
    }
    t.at += 1;
    let to = match t.next() {
        Some('\\') => {
            let Some(escaped) = t.next() else { return Err(Refusal::Invalid) };
            if shorthand(t, escaped)?.is_some() {
                return Err(Refusal::Invalid);
            }
            t.escaped_char(escaped)?
        }
        Some(c) => c,
        None => return Err(Refusal::Invalid),
    };
    if to < from {
        return Err(Refusal::Invalid);
    }
    Ok(one(t, from, to))
}

/// A range, with the letters of the other case where the case does not count.
fn one(t: &Translator<'_>, from: char, to: char) -> String {
    let mut out = String::new();
    push_range(&mut out, from, to);
    if !t.flags.ignore_case {
        return out;
    }
    if t.flags.unicode_case {
        return format!("{out}{}", other_cases(from, to));
    }
    for (low, high, shift) in [('a', 'z', -32i32), ('A', 'Z', 32)] {
        let (start, end) = (from.max(low), to.min(high));
        if start <= end {
            let moved = |c: char| char::from_u32((c as i32 + shift) as u32).unwrap_or(c);
            push_range(&mut out, moved(start), moved(end));
        }
    }
    out
}

/// The simple other cases of a range's characters; of a very long range only its ends are looked at.
fn other_cases(from: char, to: char) -> String {
    let mut out = String::new();
    for c in (from..=to).take(2_000) {
        let lower: Vec<char> = c.to_lowercase().collect();
        let upper: Vec<char> = c.to_uppercase().collect();
        for other in [lower, upper] {
            if let [other] = other[..]
                && other != c
            {
                push_range(&mut out, other, other);
            }
        }
    }
    out
}

fn push_range(out: &mut String, from: char, to: char) {
    push_escaped(out, from);
    if from != to {
        out.push('-');
        push_escaped(out, to);
    }
}

/// The set behind `\d`, `\p{..}` and the like, to stand in brackets; `None` when the letter is none of them.
pub(super) fn shorthand(t: &mut Translator<'_>, c: char) -> Result<Option<String>, Refusal> {
    let unicode = t.flags.unicode_class;
    Ok(Some(match c {
        'd' | 'D' | 'w' | 'W' | 's' | 'S' if unicode => format!("\\{c}"),
        'd' => "0-9".to_owned(),
        'D' => "[^0-9]".to_owned(),
        'w' => "a-zA-Z_0-9".to_owned(),
        'W' => "[^a-zA-Z_0-9]".to_owned(),
        's' => r"\x20\t\n\x0B\f\r".to_owned(),
        'S' => r"[^\x20\t\n\x0B\f\r]".to_owned(),
        'h' => HORIZONTAL.to_owned(),
        'H' => format!("[^{HORIZONTAL}]"),
        'v' => VERTICAL.to_owned(),
        'V' => format!("[^{VERTICAL}]"),
        'p' | 'P' => return property(t, c == 'P').map(Some),
        _ => return Ok(None),
    }))
}

const HORIZONTAL: &str = r"\x20\t\x{A0}\x{1680}\x{180e}\x{2000}-\x{200a}\x{202f}\x{205f}\x{3000}";
const VERTICAL: &str = r"\n\x0B\f\r\x{85}\x{2028}\x{2029}";

/// `\p{Alpha}`, `\pL`, `\p{IsLatin}`: POSIX names are ASCII.
fn property(t: &mut Translator<'_>, negated: bool) -> Result<String, Refusal> {
    let name = if t.eat('{') {
        let mut name = String::new();
        loop {
            match t.next() {
                Some('}') => break name,
                Some(c) => name.push(c),
                None => return Err(Refusal::Invalid),
            }
        }
    } else {
        t.next().ok_or(Refusal::Invalid)?.to_string()
    };
    let ascii = match name.as_str() {
        _ if t.flags.unicode_class => None,
        "Lower" if t.flags.ignore_case => Some("a-zA-Z"),
        "Upper" if t.flags.ignore_case => Some("a-zA-Z"),
        "Lower" => Some("a-z"),
        "Upper" => Some("A-Z"),
        "ASCII" => Some(r"\x00-\x7F"),
        "Alpha" => Some("a-zA-Z"),
        "Digit" => Some("0-9"),
        "Alnum" => Some("a-zA-Z0-9"),
        "Punct" => Some(r"!-/:-@\[-`\{-~"),
        "Graph" => Some("!-~"),
        "Print" => Some(r"\x20-~"),
        "Blank" => Some(r"\x20\t"),
        "Cntrl" => Some(r"\x00-\x1F\x7F"),
        "XDigit" => Some("0-9a-fA-F"),
        "Space" => Some(r"\x20\t\n\x0B\f\r"),
        _ => None,
    };
    let set = match ascii {
        Some(set) => set.to_owned(),
        None => unicode_property(t, &name)?,
    };
    Ok(if negated { format!("[^{set}]") } else { set })
}

fn unicode_property(t: &Translator<'_>, name: &str) -> Result<String, Refusal> {
    const CATEGORIES: &[&str] = &[
        "L", "Lu", "Ll", "Lt", "Lm", "Lo", "M", "Mn", "Mc", "Me", "N", "Nd", "Nl", "No", "P", "Pc", "Pd", "Ps", "Pe",
        "Pi", "Pf", "Po", "S", "Sm", "Sc", "Sk", "So", "Z", "Zs", "Zl", "Zp", "C", "Cc", "Cf", "Co", "Cn",
    ];
    let known = match name.strip_prefix("In").map_or("", |block| block) {
        "BasicLatin" | "Basic_Latin" => r"\x00-\x7F",
        "Latin-1Supplement" | "Latin_1_Supplement" => r"\x{80}-\x{FF}",
        "Greek" | "GreekandCoptic" => r"\x{370}-\x{3FF}",
        "Cyrillic" => r"\x{400}-\x{4FF}",
        "Hebrew" => r"\x{590}-\x{5FF}",
        "Arabic" => r"\x{600}-\x{6FF}",
        "Hiragana" => r"\x{3040}-\x{309F}",
        "Katakana" => r"\x{30A0}-\x{30FF}",
        "CJK_Unified_Ideographs" | "CJKUnifiedIdeographs" => r"\x{4E00}-\x{9FFF}",
        "Hangul_Syllables" | "HangulSyllables" => r"\x{AC00}-\x{D7AF}",
        _ => "",
    };
    if !known.is_empty() {
        return Ok(known.to_owned());
    }
    let known = match name {
        "javaLowerCase" | "IsLowercase" => r"\p{Lowercase}",
        "javaUpperCase" | "IsUppercase" => r"\p{Uppercase}",
        "javaLetter" | "IsLetter" => r"\p{L}",
        "javaDigit" | "IsDigit" => r"\p{Nd}",
        "javaLetterOrDigit" => r"\p{L}\p{Nd}",
        "javaAlphabetic" | "IsAlphabetic" => r"\p{Alphabetic}",
        "javaTitleCase" | "IsTitlecase" => r"\p{Lt}",
        "javaWhitespace" => {
            r"\x09-\x0D\x1C-\x20\x{1680}\x{2000}-\x{2006}\x{2008}-\x{200A}\x{2028}\x{2029}\x{205F}\x{3000}"
        }
        "IsWhite_Space" | "IsWhiteSpace" => r"\p{White_Space}",
        "IsPunctuation" => r"\p{P}",
        "IsIdeographic" => r"\p{Ideographic}",
        "IsControl" => r"\p{Cc}",
        "IsEmoji" => r"\p{Emoji}",
        "LC" => r"\p{Lu}\p{Ll}\p{Lt}",
        "LD" => r"\p{L}\p{Nd}",
        "L1" => r"\x00-\x{FF}",
        "all" => r"\x00-\x{10FFFF}",
        _ => "",
    };
    if !known.is_empty() {
        return Ok(known.to_owned());
    }
    let value = |keys: &[&str]| keys.iter().find_map(|key| name.strip_prefix(key)?.strip_prefix('='));
    let category = value(&["gc", "general_category"]).or(name.strip_prefix("Is")).unwrap_or(name);
    if CATEGORIES.contains(&category) {
        return Ok(format!(r"\p{{{category}}}"));
    }
    let script = value(&["sc", "script", "IsScript"]).or(name.strip_prefix("Is"));
    match script {
        Some(script) if script.chars().all(|c| c.is_ascii_alphabetic() || c == '_') && script.len() > 2 => {
            Ok(format!(r"\p{{Script={script}}}"))
        }
        _ => t.unsupported(format!(r"\p{{{name}}}")),
    }
}
