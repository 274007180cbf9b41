//! Functions of strings; positions count characters from 1.

use super::expr::{Evaluated, unsupported};
use super::value::Value;

pub(crate) fn call(function: &str, args: &[Value]) -> Evaluated<Value> {
    let text = |i: usize| match args.get(i) {
        Some(Value::String(text)) => Ok(text.as_str()),
        _ => unsupported(format!("function {function}")),
    };
    let string = |s: String| Ok(Value::String(s));
    match function {
        "||" | "CONCAT" => string((0..args.len()).map(text).collect::<Evaluated<Vec<_>>>()?.concat()),
        "CHAR_LENGTH" => Ok(Value::Integer(text(0)?.chars().count() as i64)),
        "UPPER" => string(text(0)?.to_uppercase()),
        "LOWER" => string(text(0)?.to_lowercase()),
        "REPLACE" if !text(1)?.is_empty() => string(text(0)?.replace(text(1)?, text(2)?)),
        "POSITION" if !text(0)?.is_empty() => {
            let at = text(1)?.find(text(0)?).map_or(0, |at| text(1).map_or(0, |t| t[..at].chars().count() as i64 + 1));
            Ok(Value::Integer(at))
        }
        "SUBSTRING" => substring(text(0)?, &args[1..]),
        "TRIM" if args.len() == 1 => string(text(0)?.trim_matches(' ').to_string()),
        "TRIM" => {
            let (side, chars, mut rest) = (text(0)?, text(1)?, text(2)?);
            if side != "TRAILING" {
                rest = rest.trim_start_matches(|c| chars.contains(c));
            }
            if side != "LEADING" {
                rest = rest.trim_end_matches(|c| chars.contains(c));
            }
            string(rest.to_string())
        }
        "LIKE" if args.len() == 2 && !text(1)?.contains('\\') => {
            let (value, pattern): (Vec<char>, Vec<char>) = (text(0)?.chars().collect(), text(1)?.chars().collect());
            Ok(Value::Boolean(like(&value, &pattern)))
        }
        _ => unsupported(format!("function {function}")),
    }
}

fn substring(text: &str, positions: &[Value]) -> Evaluated<Value> {
    let integer = |i: usize| match positions.get(i) {
        Some(Value::Integer(v)) => Ok(*v),
        _ => unsupported("SUBSTRING"),
    };
    let chars: Vec<char> = text.chars().collect();
    let start = integer(0)?;
    let length = if positions.len() > 1 { integer(1)? } else { i64::MAX };
    if length < 0 {
        return Ok(Value::Null);
    }
    let skipped = match start {
        1.. => start - 1,
        0 => 0,
        _ if -start > chars.len() as i64 => return Ok(Value::String(String::new())),
        _ => chars.len() as i64 + start,
    };
    let taken = chars.into_iter().skip(skipped as usize).take(usize::try_from(length).unwrap_or(usize::MAX));
    Ok(Value::String(taken.collect()))
}

fn like(value: &[char], pattern: &[char]) -> bool {
    match pattern.split_first() {
        None => value.is_empty(),
        Some(('%', rest)) => (0..=value.len()).any(|skip| like(&value[skip..], rest)),
        Some(('_', rest)) => value.split_first().is_some_and(|(_, v)| like(v, rest)),
        Some((c, rest)) => value.split_first().is_some_and(|(v, tail)| v == c && like(tail, rest)),
    }
}
