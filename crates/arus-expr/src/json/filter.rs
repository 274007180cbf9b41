//! Filters of JSON paths: `?(@.price > 10 && @.kind == 'a')`.
//!
//! Comparisons of `@`, of paths below it and of literals, with `&&`, `||`, `!` and parentheses. Text is never equal to a
//! number; a path that finds nothing makes every comparison false but `!=`.

use std::cmp::Ordering;

use super::Json;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Filter {
    Or(Vec<Filter>),
    And(Vec<Filter>),
    Not(Box<Filter>),
    Compare(Operand, Comparison, Operand),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Operand {
    /// Names and indexes below the element.
    Path(Vec<Step>),
    Text(String),
    Number(String),
    Boolean(bool),
    Null,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    Field(String),
    Index(i64),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comparison {
    Eq,
    NotEq,
    Lt,
    LtEq,
    Gt,
    GtEq,
}

const DEPTH_LIMIT: usize = 32;

impl Filter {
    /// What stands between `?(` and `)`; `None` when it is not of this kind.
    pub(super) fn parse(text: &str) -> Option<Filter> {
        let mut parser = Parser { rest: text };
        let filter = parser.or(0)?;
        parser.skip();
        parser.rest.is_empty().then_some(filter)
    }

    pub(super) fn holds(&self, element: &Json<'_>) -> bool {
        match self {
            Filter::Or(parts) => parts.iter().any(|part| part.holds(element)),
            Filter::And(parts) => parts.iter().all(|part| part.holds(element)),
            Filter::Not(part) => !part.holds(element),
            Filter::Compare(left, comparison, right) => comparison.holds(left.value(element), right.value(element)),
        }
    }
}

/// What an operand is for an element.
#[derive(Debug, Clone, Copy)]
enum Found<'v> {
    Nothing,
    Null,
    Boolean(bool),
    Number(f64),
    Text(&'v str),
    Other,
}

impl Operand {
    fn value<'v>(&'v self, element: &'v Json<'_>) -> Found<'v> {
        match self {
            Operand::Text(text) => Found::Text(text),
            Operand::Number(text) => text.parse().map_or(Found::Nothing, Found::Number),
            Operand::Boolean(value) => Found::Boolean(*value),
            Operand::Null => Found::Null,
            Operand::Path(steps) => {
                let found = steps.iter().try_fold(element, |value, step| match (step, value) {
                    (Step::Field(name), Json::Object(fields)) => {
                        fields.iter().rev().find(|(field, _)| field == name).map(|(_, value)| value)
                    }
                    (Step::Index(index), Json::Array(items)) => {
                        let at = if *index < 0 { *index + items.len() as i64 } else { *index };
                        items.get(usize::try_from(at).ok()?)
                    }
                    _ => None,
                });
                match found {
                    None => Found::Nothing,
                    Some(Json::Null) => Found::Null,
                    Some(Json::Boolean(value)) => Found::Boolean(*value),
                    Some(Json::Number(text)) => text.parse().map_or(Found::Nothing, Found::Number),
                    Some(Json::String(text)) => Found::Text(text),
                    Some(_) => Found::Other,
                }
            }
        }
    }
}

impl Comparison {
    fn holds(self, left: Found<'_>, right: Found<'_>) -> bool {
        let order = match (left, right) {
            (Found::Number(a), Found::Number(b)) => a.partial_cmp(&b),
            (Found::Text(a), Found::Text(b)) => Some(a.encode_utf16().cmp(b.encode_utf16())),
            _ => None,
        };
        let equal = match (left, right) {
            (Found::Null, Found::Null) => true,
            (Found::Boolean(a), Found::Boolean(b)) => a == b,
            _ => order == Some(Ordering::Equal),
        };
        match self {
            Comparison::Eq => equal,
            Comparison::NotEq => !equal,
            Comparison::Lt => order.is_some_and(Ordering::is_lt),
            Comparison::LtEq => order.is_some_and(Ordering::is_le),
            Comparison::Gt => order.is_some_and(Ordering::is_gt),
            Comparison::GtEq => order.is_some_and(Ordering::is_ge),
        }
    }
}

struct Parser<'t> {
    rest: &'t str,
}

impl<'t> Parser<'t> {
    fn skip(&mut self) {
        self.rest = self.rest.trim_start();
    }

    fn eat(&mut self, token: &str) -> bool {
        self.skip();
        match self.rest.strip_prefix(token) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn or(&mut self, depth: usize) -> Option<Filter> {
        let mut parts = vec![self.and(depth)?];
        while self.eat("||") {
            parts.push(self.and(depth)?);
        }
        Some(Filter::Or(parts))
    }

    fn and(&mut self, depth: usize) -> Option<Filter> {
        let mut parts = vec![self.unary(depth)?];
        while self.eat("&&") {
            parts.push(self.unary(depth)?);
        }
        Some(Filter::And(parts))
    }

    fn unary(&mut self, depth: usize) -> Option<Filter> {
        if depth > DEPTH_LIMIT {
            return None;
        }
        if self.eat("(") {
            let inner = self.or(depth + 1)?;
            return self.eat(")").then_some(inner);
        }
        if self.eat("!") {
            return Some(Filter::Not(Box::new(self.unary(depth + 1)?)));
        }
        let left = self.operand()?;
        let comparisons = [
            ("==", Comparison::Eq),
            ("!=", Comparison::NotEq),
            ("<>", Comparison::NotEq),
            ("<=", Comparison::LtEq),
            (">=", Comparison::GtEq),
            ("<", Comparison::Lt),
            (">", Comparison::Gt),
        ];
        let (_, comparison) = comparisons.into_iter().find(|(token, _)| self.eat(token))?;
        Some(Filter::Compare(left, comparison, self.operand()?))
    }

    /// Up to the next character that `ends` holds for.
    fn until(&mut self, ends: impl Fn(char) -> bool) -> &'t str {
        let (taken, rest) = self.rest.split_at(self.rest.find(ends).unwrap_or(self.rest.len()));
        self.rest = rest;
        taken
    }

    fn quoted(&mut self) -> Option<String> {
        let quote = self.rest.chars().next().filter(|c| matches!(c, '\'' | '"'))?;
        let mut text = String::new();
        let mut chars = self.rest.char_indices().skip(1);
        loop {
            match chars.next()? {
                (_, '\\') => text.push(chars.next()?.1),
                (at, c) if c == quote => {
                    self.rest = &self.rest[at + 1..];
                    return Some(text);
                }
                (_, c) => text.push(c),
            }
        }
    }

    fn operand(&mut self) -> Option<Operand> {
        self.skip();
        if self.rest.starts_with(['\'', '"']) {
            return self.quoted().map(Operand::Text);
        }
        if self.eat("@") {
            return self.path();
        }
        let word = self.until(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '+')));
        Some(match word {
            "true" => Operand::Boolean(true),
            "false" => Operand::Boolean(false),
            "null" => Operand::Null,
            word if word.starts_with(|c: char| c.is_ascii_digit() || c == '-') => {
                word.parse::<f64>().ok()?;
                Operand::Number(word.to_owned())
            }
            _ => return None,
        })
    }

    fn path(&mut self) -> Option<Operand> {
        let mut steps = Vec::new();
        loop {
            if let Some(rest) = self.rest.strip_prefix('.') {
                self.rest = rest;
                let name = self.until(|c| !(c.is_alphanumeric() || matches!(c, '_' | '-' | '$')));
                if name.is_empty() || self.rest.starts_with('(') {
                    return None;
                }
                steps.push(Step::Field(name.to_owned()));
            } else if let Some(rest) = self.rest.strip_prefix('[') {
                self.rest = rest.trim_start();
                steps.push(match self.quoted() {
                    Some(name) => Step::Field(name),
                    None => Step::Index(self.until(|c| c == ']').trim().parse().ok()?),
                });
                if !self.eat("]") {
                    return None;
                }
            } else {
                return Some(Operand::Path(steps));
            }
        }
    }
}
