//! JSON paths: `[lax|strict] $.a.b[0]['c']`, `[-1]` from the end, `.length()`.
//!
//! Paths that can find several values (`*`, `..`, slices, filters) parse, and find what is never a scalar.

use super::parse::Json;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    Lax,
    Strict,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Path {
    pub(super) mode: Mode,
    /// As it was written.
    pub(super) text: String,
    steps: Vec<Step>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Field(String),
    Index(i64),
    Length,
    Several,
}

impl Path {
    pub(super) fn parse(path: &str) -> Result<Path, String> {
        let trimmed = path.trim_start();
        let worded = |word: &str| {
            let rest = trimmed.get(..word.len()).filter(|start| start.eq_ignore_ascii_case(word));
            let rest = rest.map(|_| &trimmed[word.len()..]);
            rest.filter(|rest| rest.starts_with(char::is_whitespace)).map(str::trim_start)
        };
        let (mode, spec) = match (worded("lax"), worded("strict")) {
            (Some(spec), _) => (Mode::Lax, spec),
            (None, Some(spec)) => (Mode::Strict, spec),
            (None, None) => (Mode::Strict, path),
        };
        let steps = match spec.strip_prefix('$') {
            Some(rest) => parse_steps(rest),
            None => parse_steps(&format!(".{spec}")),
        };
        match steps {
            Some(steps) => Ok(Path { mode, text: spec.to_owned(), steps }),
            None => Err(format!("invalid JSON path '{path}'")),
        }
    }

    /// The value, when there is exactly one; several are an array.
    pub(super) fn find<'a>(&self, document: Json<'a>) -> Option<Json<'a>> {
        let mut value = document;
        for step in &self.steps {
            value = match (step, value) {
                (Step::Several, _) => return Some(Json::Array(vec![])),
                // Of equal names the last one counts.
                (Step::Field(name), Json::Object(fields)) => {
                    fields.into_iter().rev().find(|(field, _)| field == name).map(|(_, value)| value)?
                }
                (Step::Index(index), Json::Array(mut items)) => {
                    let at = if *index < 0 { *index + items.len() as i64 } else { *index };
                    let at = usize::try_from(at).ok().filter(|at| *at < items.len())?;
                    items.swap_remove(at)
                }
                (Step::Length, Json::Array(items)) => Json::Length(items.len()),
                (Step::Length, Json::Object(fields)) => Json::Length(fields.len()),
                _ => return None,
            };
        }
        Some(value)
    }
}

fn parse_steps(text: &str) -> Option<Vec<Step>> {
    let mut steps = Vec::new();
    let mut rest = text.trim_end();
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix("..") {
            steps.push(Step::Several);
            if after.is_empty() {
                return None;
            }
            return Some(steps);
        } else if let Some(after) = rest.strip_prefix('.') {
            let end = after.find(['.', '[']).unwrap_or(after.len());
            let name = &after[..end];
            rest = &after[end..];
            steps.push(match name {
                "" => return None,
                "*" => Step::Several,
                "length()" => Step::Length,
                _ if name.contains([' ', '(', ')']) => return None,
                _ => Step::Field(name.to_owned()),
            });
        } else {
            let (inside, after) = bracket(rest.strip_prefix('[')?)?;
            steps.push(bracket_step(inside.trim())?);
            rest = after;
        }
    }
    Some(steps)
}

/// What stands before the closing bracket, quotes respected, and what follows it.
fn bracket(text: &str) -> Option<(&str, &str)> {
    let mut quote = None;
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        match (quote, c) {
            _ if escaped => escaped = false,
            (Some(_), '\\') => escaped = true,
            (Some(q), c) if q == c => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"') => quote = Some(c),
            (None, ']') => return Some((&text[..at], &text[at + 1..])),
            (None, _) => {}
        }
    }
    None
}

fn bracket_step(inside: &str) -> Option<Step> {
    for quote in ['\'', '"'] {
        if let Some(name) = inside.strip_prefix(quote) {
            let name = name.strip_suffix(quote)?;
            let unescaped = name.replace("\\'", "'").replace("\\\"", "\"").replace("\\\\", "\\");
            return Some(if name.contains(&format!("{quote},")) { Step::Several } else { Step::Field(unescaped) });
        }
    }
    if inside == "*" || inside.starts_with('?') || inside.contains([',', ':']) {
        return Some(Step::Several);
    }
    inside.parse().ok().map(Step::Index)
}
