//! PostgreSQL's functions of texts, patterns and arrays.

use arus_core::error::Code;
use datafusion::arrow::datatypes::DataType;
use datafusion::error::Result;
use datafusion::logical_expr::ScalarUDF;
use regex::{Regex, RegexBuilder};

use super::write::text;
use crate::function::{Returns, Value, lenient, list_of, strict, wrong};
use crate::pg::model::quote;

fn texts() -> Returns {
    Returns::Type(list_of(DataType::Utf8))
}

/// A pattern with PostgreSQL's flags.
fn pattern(source: &str, flags: &str) -> Result<Regex> {
    let mut builder = RegexBuilder::new(source);
    for flag in flags.chars() {
        match flag {
            'i' => builder.case_insensitive(true),
            'n' | 'm' => builder.multi_line(true),
            's' => builder.dot_matches_new_line(true),
            'x' => builder.ignore_whitespace(true),
            'g' | 'c' | 't' => &mut builder,
            other => return Err(wrong(Code::InvalidValue, format!("invalid regular expression option: \"{other}\""))),
        };
    }
    if !flags.contains(['n', 'm']) {
        // A dot is any character, a line break as well.
        builder.dot_matches_new_line(true);
    }
    builder.build().map_err(|e| {
        let reason = e.to_string().lines().last().unwrap_or_default().trim().to_string();
        wrong(Code::InvalidText, format!("invalid regular expression: {reason}"))
    })
}

fn flags(a: &[Value], at: usize) -> String {
    a.get(at).map(Value::text).unwrap_or_default().to_string()
}

/// The groups of a match; the whole where there are none.
fn groups(found: &regex::Captures<'_>) -> Value {
    let skip = usize::from(found.len() > 1);
    Value::List(found.iter().skip(skip).map(|g| g.map(|g| g.as_str().to_string()).into()).collect())
}

/// `\1` and `\&` of a replacement, for the expressions' own `${1}`.
fn replacement(text: &str) -> String {
    let mut out = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '$' => out.push_str("$$"),
            '\\' => match chars.next() {
                Some('&') => out.push_str("${0}"),
                Some(d) if d.is_ascii_digit() => out.push_str(&format!("${{{d}}}")),
                Some(other) => out.push(other),
                None => out.push('\\'),
            },
            c => out.push(c),
        }
    }
    out
}

/// A SIMILAR TO pattern as a regular expression of the whole text.
fn similar(source: &str) -> String {
    let mut out = String::from("^(?:");
    let mut chars = source.chars();
    while let Some(c) = chars.next() {
        match c {
            '%' => out.push_str(".*"),
            '_' => out.push('.'),
            '\\' => {
                out.push('\\');
                out.extend(chars.next());
            }
            '.' | '^' | '$' => {
                out.push('\\');
                out.push(c);
            }
            c => out.push(c),
        }
    }
    out.push_str(")$");
    out
}

fn format(a: &[Value]) -> Result<String> {
    let mut out = String::new();
    let mut next = 1;
    let mut chars = a[0].text().chars().peekable();
    while let Some(c) = chars.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        let mut spec = String::new();
        let kind = loop {
            match chars.next() {
                Some(c @ ('s' | 'I' | 'L' | '%')) => break c,
                Some(c) if c.is_ascii_digit() || ['$', '-'].contains(&c) => spec.push(c),
                _ => return Err(wrong(Code::InvalidValue, "unrecognized format() type specifier")),
            }
        };
        if kind == '%' {
            out.push('%');
            continue;
        }
        let (at, width) = match spec.split_once('$') {
            Some((at, width)) => (at.parse().unwrap_or(0), width.to_string()),
            None => (next, spec),
        };
        next = at + 1;
        let value = a.get(at).ok_or_else(|| wrong(Code::InvalidValue, "too few arguments for format()"))?;
        let written = match (kind, value) {
            ('L', Value::Null) => "NULL".into(),
            ('L', value) => format!("'{}'", text(value).replace('\'', "''")),
            ('I', value) => quote(&text(value)),
            (_, value) => shown(value),
        };
        let size: usize = width.trim_start_matches('-').parse().unwrap_or(0);
        let padding = " ".repeat(size.saturating_sub(written.chars().count()));
        if width.starts_with('-') {
            out.push_str(&written);
            out.push_str(&padding);
        } else {
            out.push_str(&padding);
            out.push_str(&written);
        }
    }
    Ok(out)
}

/// As a client sees it: a boolean is one letter.
fn shown(value: &Value) -> String {
    match value {
        Value::Bool(b) => if *b { "t" } else { "f" }.into(),
        other => text(other),
    }
}

/// The first letter of each word large, the others small.
fn capitals(text: &str) -> String {
    let mut out = String::new();
    let mut in_word = false;
    for c in text.chars() {
        if in_word {
            out.extend(c.to_lowercase())
        } else {
            out.extend(c.to_uppercase())
        }
        in_word = c.is_alphanumeric();
    }
    out
}

fn split(source: &str, by: &Value, null: Option<&str>) -> Value {
    let item = |part: &str| if Some(part) == null { Value::Null } else { part.into() };
    if source.is_empty() {
        return Value::List(vec![]);
    }
    match by {
        Value::Null => Value::List(source.chars().map(|c| item(&c.to_string())).collect()),
        by if by.text().is_empty() => Value::List(vec![item(source)]),
        by => Value::List(source.split(by.text()).map(item).collect()),
    }
}

fn encode(bytes: &[u8], format: &str) -> Result<String> {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    Ok(match format {
        "hex" => bytes.iter().map(|b| format!("{b:02x}")).collect(),
        "base64" => {
            let mut out = String::new();
            for chunk in bytes.chunks(3) {
                let group = chunk.iter().fold(0u32, |g, b| (g << 8) | u32::from(*b)) << (8 * (3 - chunk.len()));
                for i in 0..4 {
                    let digit = DIGITS[(group >> (18 - 6 * i)) as usize & 63];
                    out.push(if i <= chunk.len() { char::from(digit) } else { '=' });
                }
            }
            // Lines of 76 characters.
            let lines: Vec<_> = out.as_bytes().chunks(76).map(|l| String::from_utf8_lossy(l).into_owned()).collect();
            lines.join("\n")
        }
        "escape" => {
            bytes.iter().map(|b| if *b < 128 { char::from(*b).to_string() } else { format!("\\{b:03o}") }).collect()
        }
        other => return Err(wrong(Code::InvalidValue, format!("unrecognized encoding: \"{other}\""))),
    })
}

fn regular() -> Vec<ScalarUDF> {
    vec![
        strict("regexp_replace", Returns::TEXT, |a| {
            let flags = flags(a, 3);
            let (found, with) = (pattern(a[1].text(), &flags)?, replacement(a[2].text()));
            let count = usize::from(!flags.contains('g'));
            Ok(found.replacen(a[0].text(), count, with.as_str()).into_owned().into())
        }),
        strict("regexp_match", texts(), |a| {
            Ok(pattern(a[1].text(), &flags(a, 2))?.captures(a[0].text()).map_or(Value::Null, |c| groups(&c)))
        }),
        strict("arus_regexp_matches", Returns::Type(list_of(list_of(DataType::Utf8))), |a| {
            let flags = flags(a, 2);
            let found = pattern(a[1].text(), &flags)?;
            let limit = if flags.contains('g') { usize::MAX } else { 1 };
            Ok(Value::List(found.captures_iter(a[0].text()).take(limit).map(|c| groups(&c)).collect()))
        }),
        strict("regexp_count", Returns::INT, |a| {
            Ok(Value::Int(pattern(a[1].text(), &flags(a, 3))?.find_iter(a[0].text()).count() as i64))
        }),
        strict("regexp_like", Returns::BOOL, |a| {
            Ok(Value::Bool(pattern(a[1].text(), &flags(a, 2))?.is_match(a[0].text())))
        }),
        strict("regexp_substr", Returns::TEXT, |a| {
            Ok(pattern(a[1].text(), "")?.find(a[0].text()).map(|m| m.as_str().to_string()).into())
        }),
        strict("regexp_instr", Returns::INT, |a| {
            let found =
                pattern(a[1].text(), "")?.find(a[0].text()).map(|m| a[0].text()[..m.start()].chars().count() + 1);
            Ok(Value::Int(found.unwrap_or(0) as i64))
        }),
        strict("regexp_split_to_array", texts(), |a| {
            let found = pattern(a[1].text(), &flags(a, 2))?;
            Ok(Value::List(found.split(a[0].text()).map(Value::from).collect()))
        }),
        strict("arus_substring_match", Returns::TEXT, |a| {
            let found = pattern(a[1].text(), "")?;
            let first =
                found.captures(a[0].text()).and_then(|c| c.get(1).or_else(|| c.get(0)).map(|m| m.as_str().to_string()));
            Ok(first.into())
        }),
        strict("arus_similar", Returns::BOOL, |a| {
            Ok(Value::Bool(pattern(&similar(a[1].text()), "")?.is_match(a[0].text())))
        }),
    ]
}

pub(super) fn all() -> Vec<ScalarUDF> {
    let mut all = regular();
    all.extend([
        lenient("format", Returns::TEXT, |a| Ok(if a[0] == Value::Null { Value::Null } else { format(a)?.into() })),
        lenient("concat", Returns::TEXT, |a| Ok(a.iter().map(shown).collect::<String>().into())),
        lenient("concat_ws", Returns::TEXT, |a| {
            if a[0] == Value::Null {
                return Ok(Value::Null);
            }
            let parts: Vec<_> = a[1..].iter().filter(|v| **v != Value::Null).map(shown).collect();
            Ok(parts.join(a[0].text()).into())
        }),
        strict("initcap", Returns::TEXT, |a| Ok(capitals(a[0].text()).into())),
        lenient("string_to_array", texts(), |a| {
            let null = a.get(2).filter(|n| **n != Value::Null).map(Value::text);
            Ok(if a[0] == Value::Null { Value::Null } else { split(a[0].text(), &a[1], null) })
        }),
        strict("arus_length", Returns::INT, |a| {
            Ok(Value::Int(match &a[0] {
                Value::Bytes(bytes) => bytes.len() as i64,
                other => text(other).chars().count() as i64,
            }))
        }),
        strict("encode", Returns::TEXT, |a| match &a[0] {
            Value::Bytes(bytes) => Ok(encode(bytes, a[1].text())?.into()),
            other => Ok(encode(other.text().as_bytes(), a[1].text())?.into()),
        }),
        strict("array_length", Returns::INT, |a| match &a[0] {
            Value::List(items) if !items.is_empty() && a.get(1).is_none_or(|d| d.int() == 1) => {
                Ok(Value::Int(items.len() as i64))
            }
            _ => Ok(Value::Null),
        }),
        strict("cardinality", Returns::INT, |a| match &a[0] {
            Value::List(items) => Ok(Value::Int(items.len() as i64)),
            _ => Ok(Value::Int(0)),
        }),
        strict("to_hex", Returns::TEXT, |a| Ok(format!("{:x}", a[0].int()).into())),
        strict("to_ascii", Returns::TEXT, |a| Ok(a[0].clone())),
        strict("arus_bytes", Returns::Type(DataType::Binary), |a| match &a[0] {
            Value::Bytes(bytes) => Ok(Value::Bytes(bytes.clone())),
            other => {
                let parsed = crate::text::parse(other.text(), &DataType::Binary);
                crate::function::value(&parsed.map_err(|e| datafusion::error::DataFusionError::External(Box::new(e)))?)
            }
        }),
    ]);
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_and_patterns_are_those_of_postgres() {
        let args = ["%s is %s, %I, %1$L %%".into(), "x".into(), Value::Int(3), "a b".into()];
        assert_eq!(format(&args).expect("a text"), "x is 3, \"a b\", 'x' %");
        assert_eq!(capitals("o'neil mc-DONALD"), "O'Neil Mc-Donald");
        assert_eq!(replacement("\\1-\\&$"), "${1}-${0}$$");
        assert_eq!(similar("(A|B)%_."), "^(?:(A|B).*.\\.)$");
        assert_eq!(encode(b"abcd", "base64").expect("a text"), "YWJjZA==");
    }
}
