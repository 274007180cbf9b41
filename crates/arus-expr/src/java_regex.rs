//! Java's regular expressions, translated and run with a bounded number of steps.
//!
//! Java and Rust differ in what `.`, `$`, `\w`, `\b` and the flags mean, in classes and in possessive quantifiers; the
//! translation writes every atom in a form that both read alike. What Java refuses is [`Refusal::Invalid`] (functions
//! then give what Flink gives), what Java takes and this cannot is [`Refusal::Unsupported`], named.

mod class;
mod translate;

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use arus_core::limits::{REGEX_CACHE, REGEX_STEPS};
use arus_core::{Error, Result};
use fancy_regex::{Captures, Regex, RegexBuilder};

use crate::functions::CompileCall;
use crate::value::{Cx, Strings, Value};

/// Why a pattern is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// Java refuses it as well.
    Invalid,
    /// Java takes it; the text names what is missing here.
    Unsupported(String),
}

/// A compiled pattern.
#[derive(Debug, Clone)]
pub(crate) struct JavaRegex {
    regex: Arc<Regex>,
    /// With `$` and `\Z` as Java has them before a final line end; only needed for a text that has one.
    before_line_end: Option<Arc<Regex>>,
}

impl JavaRegex {
    pub(crate) fn new(pattern: &str) -> Result<JavaRegex, Refusal> {
        let translated = translate::translate(pattern, false)?;
        let build = |text: &str| {
            let built = RegexBuilder::new(text).backtrack_limit(REGEX_STEPS).build();
            let unsupported = |e: fancy_regex::Error| Refusal::Unsupported(format!("the pattern '{pattern}': {e}"));
            built.map(Arc::new).map_err(unsupported)
        };
        let before_line_end =
            if translated.has_end { Some(build(&translate::translate(pattern, true)?.text)?) } else { None };
        Ok(JavaRegex { regex: build(&translated.text)?, before_line_end })
    }

    fn for_text(&self, text: &str) -> &Regex {
        match &self.before_line_end {
            Some(regex) if text.ends_with(['\n', '\r', '\u{85}', '\u{2028}', '\u{2029}']) => regex,
            _ => &self.regex,
        }
    }

    pub(crate) fn is_match(&self, text: &str) -> Result<bool, String> {
        self.for_text(text).is_match(text).map_err(too_long)
    }

    /// Where the first match stands.
    pub(crate) fn find(&self, text: &str) -> Result<Option<(usize, usize)>, String> {
        let found = self.for_text(text).find(text).map_err(too_long)?;
        Ok(found.map(|m| (m.start(), m.end())))
    }

    pub(crate) fn captures<'t>(&self, text: &'t str) -> Result<Option<Captures<'t, str>>, String> {
        self.for_text(text).captures(text).map_err(too_long)
    }

    /// Every match from left to right. As in Java an empty match may follow a match at once.
    pub(crate) fn find_all(&self, text: &str) -> Result<Vec<(usize, usize)>, String> {
        let regex = self.for_text(text);
        let mut all = Vec::new();
        let mut from = 0;
        while from <= text.len() {
            let Some(found) = regex.find_from_pos(text, from).map_err(too_long)? else { break };
            all.push((found.start(), found.end()));
            from = after(text, found.start(), found.end());
        }
        Ok(all)
    }

    pub(crate) fn captures_all<'t>(&self, text: &'t str) -> Result<Vec<Captures<'t, str>>, String> {
        let regex = self.for_text(text);
        let mut all = Vec::new();
        let mut from = 0;
        while from <= text.len() {
            let Some(found) = regex.captures_from_pos(text, from).map_err(too_long)? else { break };
            let Some(whole) = found.get(0) else { break };
            from = after(text, whole.start(), whole.end());
            all.push(found);
        }
        Ok(all)
    }

    /// How many groups there are, the whole match not counted.
    pub(crate) fn groups(&self) -> usize {
        self.regex.captures_len() - 1
    }

    /// `String.split(pattern, limit)`: without a limit (0) trailing empty parts go.
    pub(crate) fn split<'t>(&self, text: &'t str, limit: usize) -> Result<Vec<&'t str>, String> {
        let mut parts = Vec::new();
        let mut from = 0;
        for (start, end) in self.find_all(text)? {
            if limit > 0 && parts.len() + 1 == limit {
                break;
            }
            // An empty match at the start makes no part.
            if end == 0 {
                continue;
            }
            parts.push(&text[from..start]);
            from = end;
        }
        if from == 0 && parts.is_empty() {
            return Ok(vec![text]);
        }
        parts.push(&text[from..]);
        if limit == 0 {
            while parts.last().is_some_and(|part| part.is_empty()) {
                parts.pop();
            }
        }
        Ok(parts)
    }
}

/// Where the next search begins: behind the match, one character on when it was empty.
fn after(text: &str, start: usize, end: usize) -> usize {
    if start < end {
        return end;
    }
    end + text[end..].chars().next().map_or(1, char::len_utf8)
}

fn too_long(error: fancy_regex::Error) -> String {
    format!("the regular expression was given up: {error}")
}

/// The patterns of an argument: a literal is compiled once and refused at plan time, others are kept by their text.
pub(crate) enum Patterns {
    Fixed(Option<JavaRegex>),
    PerRow(Mutex<HashMap<String, Result<JavaRegex, Refusal>>>),
}

impl Patterns {
    pub(crate) fn of(call: &CompileCall<'_>, arg: usize) -> Result<Patterns> {
        match call.text(arg) {
            Some(text) => Patterns::fixed(text),
            None => Ok(Patterns::PerRow(Mutex::default())),
        }
    }

    pub(crate) fn fixed(text: &str) -> Result<Patterns> {
        match JavaRegex::new(text) {
            Ok(regex) => Ok(Patterns::Fixed(Some(regex))),
            Err(Refusal::Invalid) => Ok(Patterns::Fixed(None)),
            Err(Refusal::Unsupported(what)) => Err(Error::user(format!("unsupported regular expression: {what}"))
                .with_hint("write the pattern without it")),
        }
    }

    pub(crate) fn rows<'a>(&'a self, value: Option<&'a Value>) -> Result<RowPatterns<'a>> {
        Ok(RowPatterns { patterns: self, texts: value.map(Strings::of).transpose()?, last: None })
    }
}

/// The pattern of each row.
pub(crate) struct RowPatterns<'a> {
    patterns: &'a Patterns,
    texts: Option<Strings<'a>>,
    last: Option<(&'a str, JavaRegex)>,
}

/// What a row's pattern is.
pub(crate) enum RowPattern<'r> {
    Null,
    /// Java refuses it.
    Invalid,
    /// The row fails for this reason.
    Failed(String),
    Regex(&'r JavaRegex),
}

impl RowPatterns<'_> {
    pub(crate) fn get(&mut self, row: usize) -> RowPattern<'_> {
        let cache = match self.patterns {
            Patterns::Fixed(Some(regex)) => return RowPattern::Regex(regex),
            Patterns::Fixed(None) => return RowPattern::Invalid,
            Patterns::PerRow(cache) => cache,
        };
        let Some(text) = self.texts.as_ref().and_then(|texts| texts.get(row)) else { return RowPattern::Null };
        if self.last.as_ref().is_none_or(|(last, _)| *last != text) {
            let Ok(mut cache) = cache.lock() else {
                return RowPattern::Failed("the cache of patterns is poisoned".to_owned());
            };
            if cache.len() >= REGEX_CACHE && !cache.contains_key(text) {
                cache.clear();
            }
            match cache.entry(text.to_owned()).or_insert_with(|| JavaRegex::new(text)) {
                Ok(regex) => self.last = Some((text, regex.clone())),
                Err(Refusal::Invalid) => return RowPattern::Invalid,
                Err(Refusal::Unsupported(what)) => {
                    return RowPattern::Failed(format!("unsupported regular expression: {what}"));
                }
            }
        }
        match &self.last {
            Some((_, regex)) => RowPattern::Regex(regex),
            None => RowPattern::Null,
        }
    }
}

/// The value of a match that may have been given up: then the row fails.
pub(crate) fn or_fail<T>(result: Result<T, String>, cx: &mut Cx<'_>, row: usize) -> Option<T> {
    match result {
        Ok(value) => Some(value),
        Err(reason) => {
            cx.fail(row, reason);
            None
        }
    }
}
