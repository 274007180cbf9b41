//! SQL's LIKE: `%` stands for any text, `_` for one character that ends no line.

/// A pattern, cut into its parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LikePattern {
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    /// `_`
    One,
    /// `%`
    Any,
}

impl LikePattern {
    pub(crate) fn parse(pattern: &str, escape: Option<&str>) -> Result<Self, String> {
        let escape = match escape.map(|e| (e, e.chars().count())) {
            None => None,
            Some((text, 1)) => text.chars().next(),
            Some((text, _)) => return Err(format!("Invalid escape character '{text}'")),
        };
        let mut parts = Vec::new();
        let mut text = String::new();
        let mut chars = pattern.chars().enumerate();
        while let Some((at, c)) = chars.next() {
            if Some(c) == escape {
                match chars.next() {
                    Some((_, next)) if next == '%' || next == '_' || next == c => text.push(next),
                    _ => return Err(format!("Invalid escape sequence '{pattern}', {at}")),
                }
                continue;
            }
            let wildcard = match c {
                '%' => Part::Any,
                '_' => Part::One,
                _ => {
                    text.push(c);
                    continue;
                }
            };
            if !text.is_empty() {
                parts.push(Part::Text(std::mem::take(&mut text)));
            }
            if wildcard != Part::Any || parts.last() != Some(&Part::Any) {
                parts.push(wildcard);
            }
        }
        if !text.is_empty() {
            parts.push(Part::Text(text));
        }
        Ok(LikePattern { parts })
    }

    pub(crate) fn matches(&self, value: &str) -> bool {
        match self.parts.as_slice() {
            [] => value.is_empty(),
            [Part::Any] => true,
            [Part::Text(text)] => value == text,
            [Part::Text(text), Part::Any] => value.starts_with(text.as_str()),
            [Part::Any, Part::Text(text)] => value.ends_with(text.as_str()),
            [Part::Any, Part::Text(text), Part::Any] => value.contains(text.as_str()),
            parts => matches_parts(parts, value),
        }
    }
}

/// Greedy, going back to the last `%` alone: what stands before it can never match better.
fn matches_parts(parts: &[Part], value: &str) -> bool {
    let (mut part, mut rest) = (0, value);
    let mut last_any: Option<(usize, &str)> = None;
    loop {
        let advanced = match parts.get(part) {
            None if rest.is_empty() => return true,
            None => None,
            Some(Part::Any) => {
                last_any = Some((part, rest));
                Some(rest)
            }
            Some(Part::One) => rest.chars().next().filter(|c| !ends_line(*c)).map(|c| &rest[c.len_utf8()..]),
            Some(Part::Text(text)) => rest.strip_prefix(text.as_str()),
        };
        if let Some(next) = advanced {
            rest = next;
            part += 1;
            continue;
        }
        let Some((any, from)) = last_any else { return false };
        let Some(skipped) = from.chars().next() else { return false };
        let from = &from[skipped.len_utf8()..];
        last_any = Some((any, from));
        rest = from;
        part = any + 1;
    }
}

fn ends_line(c: char) -> bool {
    matches!(c, '\n' | '\r' | '\u{85}' | '\u{2028}' | '\u{2029}')
}
