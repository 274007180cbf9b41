//! Typed reading of a table's WITH options.
//!
//! Every error names the table, the option, what was expected and what was found, so that no connector writes its own.

use arus_core::catalog::{ConnectorCatalog, TableDef};
use arus_core::connector::{OptionDef, OptionKind};
use arus_core::error::Code;
use arus_core::secret::has_reference;
use arus_core::settings::{parse_duration_ms, parse_memory_bytes};
use arus_core::{Error, Result};

/// Options of one table; `prefix` is `json.` for the options of a format.
#[derive(Clone, Copy)]
pub(crate) struct Options<'a> {
    table: &'a TableDef,
    prefix: &'static str,
    defs: &'static [OptionDef],
}

impl<'a> Options<'a> {
    pub(crate) fn of(table: &'a TableDef, defs: &'static [OptionDef]) -> Self {
        Options { table, prefix: "", defs }
    }

    pub(crate) fn of_format(table: &'a TableDef, prefix: &'static str, defs: &'static [OptionDef]) -> Self {
        Options { table, prefix, defs }
    }

    pub(crate) fn text(&self, name: &str) -> Option<&'a str> {
        let set = if self.prefix.is_empty() {
            self.table.option(name)
        } else {
            self.table.option(&format!("{}{name}", self.prefix))
        };
        set.or_else(|| self.defs.iter().find(|d| d.name == name).and_then(|d| d.default))
    }

    pub(crate) fn required(&self, name: &str) -> Result<&'a str> {
        self.text(name).ok_or_else(|| {
            Error::user(format!("table '{}': option '{}{name}' is required", self.table.path, self.prefix))
                .with_code(Code::InvalidOption)
                .with_hint(format!("add '{}{name}' = '..' to WITH", self.prefix))
        })
    }

    /// An error about the value of `name`.
    pub(crate) fn wrong(&self, name: &str, expected: impl std::fmt::Display, found: &str) -> Error {
        Error::user(format!(
            "table '{}': option '{}{name}': expected {expected}, found '{found}'",
            self.table.path, self.prefix
        ))
        .with_code(Code::InvalidOption)
    }

    pub(crate) fn flag(&self, name: &str) -> Result<bool> {
        match self.text(name) {
            None => Ok(false),
            Some(text) if text.trim().eq_ignore_ascii_case("true") => Ok(true),
            Some(text) if text.trim().eq_ignore_ascii_case("false") => Ok(false),
            Some(text) => Err(self.wrong(name, "true or false", text)),
        }
    }

    pub(crate) fn duration_ms(&self, name: &str) -> Result<Option<i64>> {
        self.text(name)
            .map(|text| parse_duration_ms(text).map_err(|_| self.wrong(name, "a duration such as '10 s'", text)))
            .transpose()
    }

    pub(crate) fn size_bytes(&self, name: &str) -> Result<Option<u64>> {
        self.text(name)
            .map(|text| parse_memory_bytes(text).ok_or_else(|| self.wrong(name, "a size such as '64 mb'", text)))
            .transpose()
    }

    /// The choice as it stands in the definition; case does not matter, as in Flink's enums.
    pub(crate) fn choice(&self, name: &str) -> Result<&'static str> {
        let choices = match self.defs.iter().find(|d| d.name == name).map(|d| d.kind) {
            Some(OptionKind::Choice(choices)) => choices,
            _ => return Err(Error::bug(format!("option '{name}' has no choices"))),
        };
        let text = self.required(name)?;
        choices
            .iter()
            .copied()
            .find(|c| c.eq_ignore_ascii_case(text.trim()))
            .ok_or_else(|| self.wrong(name, format!("one of {}", choices.join(", ")), text))
    }
}

/// Checks the names and values of all options of a table with a `'connector'`; `extra` are names that every table may
/// have (watermark options). Options of a format are its own behind `name.`.
pub fn check_options(table: &TableDef, catalog: &dyn ConnectorCatalog, extra: &[&str]) -> Result<()> {
    let Some(name) = table.connector() else { return Ok(()) };
    let Some(connector) = catalog.connector(name) else {
        return Err(unknown_name(table, "connector", name, &catalog.connector_names()));
    };
    let format = match table.option("format") {
        None if connector.takes_format() => {
            return Err(Error::user(format!("table '{}': connector '{name}' needs a 'format'", table.path))
                .with_code(Code::InvalidOption)
                .with_hint("add 'format' = 'json' to WITH"));
        }
        None => None,
        Some(format) => {
            Some(catalog.format(format).ok_or_else(|| unknown_name(table, "format", format, &catalog.format_names()))?)
        }
    };
    for def in connector.options().iter().filter(|d| d.required) {
        Options::of(table, connector.options()).required(def.name)?;
    }
    for (key, value) in &table.options {
        if key == "connector" || key == "property-version" || extra.contains(&key.as_str()) {
            continue;
        }
        if key == "format" && connector.takes_format() {
            continue;
        }
        let of_format = format.and_then(|f| key.strip_prefix(f.name())?.strip_prefix('.').map(|rest| (f, rest)));
        let defs = match of_format {
            Some((format, _)) => format.options(),
            None => connector.options(),
        };
        let wanted = of_format.map_or(key.as_str(), |(_, rest)| rest);
        let Some(def) = defs.iter().find(|d| matches_name(d.name, wanted)) else {
            let mut known: Vec<String> = connector.options().iter().map(|d| d.name.to_string()).collect();
            if let Some(format) = format {
                known.extend(format.options().iter().map(|d| format!("{}.{}", format.name(), d.name)));
            }
            return Err(unknown_option(table, name, key, &known));
        };
        check_value(table, key, def, value)?;
    }
    Ok(())
}

/// `#` stands for a column, which may itself be a path; a final `*` for anything.
fn matches_name(pattern: &str, name: &str) -> bool {
    if let Some(prefix) = pattern.strip_suffix('*') {
        return name.starts_with(prefix);
    }
    match pattern.split_once('#') {
        Some((before, after)) => {
            name.len() > before.len() + after.len() && name.starts_with(before) && name.ends_with(after)
        }
        None => pattern == name,
    }
}

fn check_value(table: &TableDef, key: &str, def: &OptionDef, value: &str) -> Result<()> {
    let trimmed = value.trim();
    let (fits, expected) = match def.kind {
        // A secret is known when the connector opens.
        _ if has_reference(value) => (true, String::new()),
        OptionKind::Text => (true, String::new()),
        OptionKind::Integer => (trimmed.parse::<i64>().is_ok(), "an integer".into()),
        OptionKind::Number => (trimmed.parse::<f64>().is_ok(), "a number".into()),
        OptionKind::Boolean => {
            (["true", "false"].iter().any(|b| b.eq_ignore_ascii_case(trimmed)), "true or false".into())
        }
        OptionKind::Duration => (parse_duration_ms(trimmed).is_ok(), "a duration such as '10 s'".into()),
        OptionKind::Size => (trimmed.starts_with(|c: char| c.is_ascii_digit()), "a size such as '64 mb'".into()),
        OptionKind::Choice(choices) => {
            (choices.iter().any(|c| c.eq_ignore_ascii_case(trimmed)), format!("one of {}", choices.join(", ")))
        }
    };
    if fits {
        return Ok(());
    }
    Err(Error::user(format!("table '{}': option '{key}': expected {expected}, found '{value}'", table.path))
        .with_code(Code::InvalidOption))
}

fn unknown_name(table: &TableDef, what: &str, name: &str, known: &[&'static str]) -> Error {
    let known: Vec<String> = known.iter().map(|k| k.to_string()).collect();
    let error = Error::user(format!("table '{}': unknown {what} '{name}'", table.path)).with_code(Code::InvalidOption);
    error.with_hint(nearest(name, &known).map_or_else(
        || format!("there are {}", known.join(", ")),
        |near| format!("did you mean '{near}'? there are {}", known.join(", ")),
    ))
}

fn unknown_option(table: &TableDef, connector: &str, key: &str, known: &[String]) -> Error {
    let error = Error::user(format!("table '{}': unknown option '{key}' for connector '{connector}'", table.path))
        .with_code(Code::InvalidOption);
    error.with_hint(nearest(key, known).map_or_else(
        || format!("supported options: {}", known.join(", ")),
        |near| format!("did you mean '{near}'? supported options: {}", known.join(", ")),
    ))
}

/// The known name at the smallest edit distance, when that is at most a third of its length.
fn nearest<'k>(name: &str, known: &'k [String]) -> Option<&'k str> {
    known
        .iter()
        .map(|k| (edit_distance(name, k), k))
        .filter(|(distance, k)| *distance <= (k.len() / 3).max(1))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, k)| k.as_str())
}

fn edit_distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let change = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = change.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}
