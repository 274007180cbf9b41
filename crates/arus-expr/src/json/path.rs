//! JSON paths as Jayway's library reads them, which Flink uses: `[lax|strict] $.a.b[0]['c']`, `[-1]` from the end,
//! `[0:2]`, `[0,2]`, `['a','b']`, `*`, `..b`, and functions at the end such as `.length()`.
//!
//! A path that can find several values gives an array of them; `[?(@.b > 1)]` keeps the elements that a comparison holds for.

use std::borrow::Cow;

use super::filter::Filter;
use super::{Json, number_text};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    Lax,
    Strict,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Path {
    pub(crate) mode: Mode,
    /// As it was written.
    pub(crate) text: String,
    steps: Vec<Step>,
    function: Option<Function>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Field(String),
    /// As an object of those that are there.
    Fields(Vec<String>),
    Index(i64),
    Indexes(Vec<i64>),
    Slice(Option<i64>, Option<i64>),
    All,
    /// `..`: the next step at every depth.
    Deep,
    /// `None`: one that is known by name only.
    Filter(Option<Filter>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Function {
    Length,
    Keys,
    Min,
    Max,
    Avg,
    Sum,
    Other,
}

/// What a path finds.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Found<'j, 'a> {
    One(&'j Json<'a>),
    /// Several values as an array, or what a function makes.
    Made(Json<'a>),
}

impl Path {
    pub(crate) fn parse(path: &str) -> Result<Path, String> {
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
            Some((steps, function)) => Ok(Path { mode, text: spec.to_owned(), steps, function }),
            None => Err(format!("invalid JSON path '{path}'")),
        }
    }

    /// What of the path cannot be followed here.
    pub(crate) fn unsupported(&self) -> Option<&'static str> {
        if self.steps.contains(&Step::Filter(None)) {
            return Some("a filter that does not compare");
        }
        (self.function == Some(Function::Other)).then_some("this function at the end of a path")
    }

    /// Whether it finds one value at most.
    pub(crate) fn is_definite(&self) -> bool {
        self.steps.iter().all(|step| matches!(step, Step::Field(_) | Step::Fields(_) | Step::Index(_)))
    }

    fn nothing(&self) -> String {
        format!("No results for path: {}", self.text)
    }

    /// The value, or why there is none.
    pub(crate) fn find<'j, 'a>(&self, document: &'j Json<'a>) -> Result<Found<'j, 'a>, String> {
        let mut made = None;
        let found = self.walk(document, &mut made)?;
        let found = match (made, self.is_definite()) {
            (Some(object), _) => Found::Made(object),
            (None, true) => Found::One(found.first().copied().ok_or_else(|| self.nothing())?),
            (None, false) => Found::Made(Json::Array(found.into_iter().cloned().collect())),
        };
        let Some(function) = self.function else { return Ok(found) };
        let value = match &found {
            Found::One(value) => value,
            Found::Made(value) => value,
        };
        function.apply(value).map(Found::Made).ok_or_else(|| self.nothing())
    }

    fn walk<'j, 'a>(&self, document: &'j Json<'a>, made: &mut Option<Json<'a>>) -> Result<Vec<&'j Json<'a>>, String> {
        let mut values = vec![document];
        // From the first step on that finds several, what does not fit is left out.
        let mut definite = true;
        let mut deep = false;
        for (i, step) in self.steps.iter().enumerate() {
            let mut next = Vec::new();
            let mut all = Vec::new();
            if deep {
                values.iter().for_each(|value| descend(value, &mut all));
            }
            for value in if deep { &all } else { &values } {
                let is_last = i + 1 == self.steps.len();
                match step.apply(value, &mut next, made) {
                    Ok(()) => {}
                    Err(what) if definite && !deep => {
                        return Err(format!("{what} in the JSON path {}", self.text));
                    }
                    Err(_) => {}
                }
                if definite && !deep && next.is_empty() && !is_last && matches!(step, Step::Field(_)) {
                    return Err(format!("Missing property in path {}", self.text));
                }
            }
            deep = *step == Step::Deep;
            definite &= matches!(step, Step::Field(_) | Step::Fields(_) | Step::Index(_));
            values = if deep { values } else { next };
        }
        Ok(values)
    }
}

/// The value and all below it, the outer ones first.
fn descend<'j, 'a>(value: &'j Json<'a>, all: &mut Vec<&'j Json<'a>>) {
    all.push(value);
    match value {
        Json::Array(items) => items.iter().for_each(|item| descend(item, all)),
        Json::Object(fields) => last_ones(fields).for_each(|(_, item)| descend(item, all)),
        _ => {}
    }
}

/// Of equal names the last one counts.
pub(super) fn last_ones<'j, 'a>(
    fields: &'j [(Cow<'a, str>, Json<'a>)],
) -> impl Iterator<Item = &'j (Cow<'a, str>, Json<'a>)> {
    // Large objects are not searched once more for each of their names.
    let few = fields.len() <= 64;
    let mut last = std::collections::HashMap::new();
    if !few {
        fields.iter().enumerate().for_each(|(i, (name, _))| {
            last.insert(name.as_ref(), i);
        });
    }
    fields.iter().enumerate().filter_map(move |(i, field)| {
        let is_last = match few {
            true => fields[i + 1..].iter().all(|(name, _)| *name != field.0),
            false => last.get(field.0.as_ref()) == Some(&i),
        };
        is_last.then_some(field)
    })
}

fn at(items: &[Json<'_>], index: i64) -> Option<usize> {
    let at = if index < 0 { index + items.len() as i64 } else { index };
    usize::try_from(at).ok().filter(|at| *at < items.len())
}

impl Step {
    /// Pushes what it finds in `value`; the error says that the value is of the wrong kind.
    fn apply<'j, 'a>(
        &self,
        value: &'j Json<'a>,
        found: &mut Vec<&'j Json<'a>>,
        made: &mut Option<Json<'a>>,
    ) -> Result<(), &'static str> {
        match (self, value) {
            (Step::Field(name), Json::Object(fields)) => {
                found.extend(fields.iter().rev().find(|(field, _)| field == name).map(|(_, value)| value));
            }
            (Step::Fields(names), Json::Object(fields)) => {
                let chosen = last_ones(fields).filter(|(name, _)| names.iter().any(|n| n == name)).cloned();
                *made = Some(Json::Object(chosen.collect()));
            }
            (Step::Field(_) | Step::Fields(_), _) => return Err("expected to find an object"),
            (Step::Index(index), Json::Array(items)) => found.extend(at(items, *index).map(|at| &items[at])),
            (Step::Indexes(indexes), Json::Array(items)) => {
                found.extend(indexes.iter().filter_map(|index| at(items, *index).map(|at| &items[at])));
            }
            (Step::Slice(from, to), Json::Array(items)) => {
                let length = items.len() as i64;
                let place = |index: i64| if index < 0 { (length + index).max(0) } else { index.min(length) } as usize;
                // Only an end without a start counts from the end of the array.
                let to = match (from, to) {
                    (Some(_), Some(to)) => (*to).max(0),
                    (None, to) | (Some(_), to @ None) => to.unwrap_or(length),
                };
                let (from, to) = (place(from.unwrap_or(0)), place(to));
                found.extend(items.get(from..to).unwrap_or_default());
            }
            (Step::Index(_) | Step::Indexes(_) | Step::Slice(..), _) => return Err("expected to find an array"),
            (Step::All, Json::Array(items)) => found.extend(items),
            (Step::All, Json::Object(fields)) => found.extend(last_ones(fields).map(|(_, value)| value)),
            (Step::Filter(Some(filter)), Json::Array(items)) => {
                found.extend(items.iter().filter(|item| filter.holds(item)));
            }
            (Step::Filter(Some(filter)), object @ Json::Object(_)) if filter.holds(object) => found.push(object),
            (Step::All | Step::Deep | Step::Filter(_), _) => {}
        }
        Ok(())
    }
}

impl Function {
    fn apply<'a>(self, value: &Json<'a>) -> Option<Json<'a>> {
        let numbers = || -> Option<Vec<f64>> {
            let Json::Array(items) = value else { return None };
            let numbers = items.iter().filter_map(|item| match item {
                Json::Number(text) => text.parse().ok(),
                _ => None,
            });
            Some(numbers.collect::<Vec<f64>>()).filter(|numbers| !numbers.is_empty())
        };
        let number = |value: f64| {
            let mut text = String::new();
            arus_core::text::write_double(&mut text, value);
            Json::Made(number_text(&text))
        };
        Some(match (self, value) {
            (Function::Length, Json::Array(items)) => Json::Made(items.len().to_string()),
            (Function::Length, Json::Object(fields)) => Json::Made(last_ones(fields).count().to_string()),
            (Function::Keys, Json::Object(fields)) => {
                Json::Array(last_ones(fields).map(|(name, _)| Json::String(name.clone())).collect())
            }
            (Function::Min, _) => number(numbers()?.into_iter().fold(f64::INFINITY, f64::min)),
            (Function::Max, _) => number(numbers()?.into_iter().fold(f64::NEG_INFINITY, f64::max)),
            (Function::Sum, _) => number(numbers()?.into_iter().sum()),
            (Function::Avg, _) => {
                let numbers = numbers()?;
                number(numbers.iter().sum::<f64>() / numbers.len() as f64)
            }
            _ => return None,
        })
    }
}

fn parse_steps(text: &str) -> Option<(Vec<Step>, Option<Function>)> {
    let mut steps = Vec::new();
    let mut rest = text.trim_end();
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix("..") {
            steps.push(Step::Deep);
            if after.is_empty() {
                return None;
            }
            // A name follows without a dot of its own.
            if !after.starts_with('[') {
                rest = name(after, &mut steps)?.0;
                continue;
            }
            rest = after;
        } else if let Some(after) = rest.strip_prefix('.') {
            let (after, function) = name(after, &mut steps)?;
            if function.is_some() {
                return if after.is_empty() { Some((steps, function)) } else { None };
            }
            rest = after;
        } else {
            let (inside, after) = bracket(rest.strip_prefix('[')?)?;
            steps.push(bracket_step(inside.trim())?);
            rest = after;
        }
    }
    Some((steps, None))
}

/// A name behind a dot, and what follows it.
fn name<'t>(text: &'t str, steps: &mut Vec<Step>) -> Option<(&'t str, Option<Function>)> {
    let end = text.find(['.', '[']).unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    if let Some(function) = name.strip_suffix("()") {
        let function = match function {
            "length" | "size" => Function::Length,
            "keys" => Function::Keys,
            "min" => Function::Min,
            "max" => Function::Max,
            "avg" => Function::Avg,
            "sum" => Function::Sum,
            _ => Function::Other,
        };
        return Some((rest, Some(function)));
    }
    steps.push(match name {
        "" => return None,
        "*" => Step::All,
        _ if name.contains([' ', '(', ')']) => return None,
        _ => Step::Field(name.to_owned()),
    });
    Some((rest, None))
}

/// What stands before the closing bracket, quotes respected, and what follows it.
fn bracket(text: &str) -> Option<(&str, &str)> {
    let mut quote = None;
    let mut escaped = false;
    let mut depth = 0;
    for (at, c) in text.char_indices() {
        match (quote, c) {
            _ if escaped => escaped = false,
            (Some(_), '\\') => escaped = true,
            (Some(q), c) if q == c => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"') => quote = Some(c),
            (None, '[') => depth += 1,
            (None, ']') if depth > 0 => depth -= 1,
            (None, ']') => return Some((&text[..at], &text[at + 1..])),
            (None, _) => {}
        }
    }
    None
}

fn bracket_step(inside: &str) -> Option<Step> {
    if inside.starts_with(['\'', '"']) {
        let mut names = quoted_names(inside)?;
        return Some(if names.len() == 1 { Step::Field(names.remove(0)) } else { Step::Fields(names) });
    }
    let number = |text: &str| text.trim().parse::<i64>().ok();
    let bound = |text: &str| match text.trim() {
        "" => Some(None),
        text => number(text).map(Some),
    };
    if inside == "*" {
        Some(Step::All)
    } else if let Some(filter) = inside.strip_prefix('?') {
        let filter = filter.trim().strip_prefix('(').and_then(|filter| filter.strip_suffix(')'));
        Some(Step::Filter(filter.and_then(Filter::parse)))
    } else if let Some((from, to)) = inside.split_once(':') {
        Some(Step::Slice(bound(from)?, bound(to)?))
    } else if inside.contains(',') {
        inside.split(',').map(number).collect::<Option<_>>().map(Step::Indexes)
    } else {
        number(inside).map(Step::Index)
    }
}

/// `'a', "b"`
fn quoted_names(text: &str) -> Option<Vec<String>> {
    let mut names = Vec::new();
    let mut chars = text.chars().peekable();
    loop {
        while chars.next_if(|c| c.is_whitespace()).is_some() {}
        let quote = chars.next().filter(|c| matches!(c, '\'' | '"'))?;
        let mut name = String::new();
        loop {
            match chars.next()? {
                '\\' => name.push(chars.next()?),
                c if c == quote => break,
                c => name.push(c),
            }
        }
        names.push(name);
        while chars.next_if(|c| c.is_whitespace()).is_some() {}
        match chars.next() {
            None => return Some(names),
            Some(',') => {}
            Some(_) => return None,
        }
    }
}
