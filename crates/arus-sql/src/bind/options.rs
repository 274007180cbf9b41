//! The WITH clause against what connectors, formats and managed tables know.

use std::collections::BTreeMap;

use arus_core::catalog::{ObjectPath, TableColumn};
use arus_core::connector::{Connector, Format, OptionDef, OptionKind};
use arus_core::error::Code;
use arus_core::secret::has_reference;
use arus_core::settings::parse_duration_ms;
use arus_core::{Error, Result};

use super::{Binder, list, near_or_list};
use crate::ast::Span;

const fn option(name: &'static str, kind: OptionKind, default: &'static str, about: &'static str) -> OptionDef {
    OptionDef { name, kind, required: false, default: Some(default), about }
}

/// Options of tables without a connector, besides those of their format.
pub const MANAGED_OPTIONS: &[OptionDef] = &[
    option("format", OptionKind::Text, "json", "how records are encoded"),
    option("partitions", OptionKind::Integer, "1", "partitions of the topic, fixed at its creation"),
    option(
        "scan.startup.mode",
        OptionKind::Choice(&["earliest-offset", "latest-offset", "timestamp"]),
        "earliest-offset",
        "where a new pipeline begins to read",
    ),
    OptionDef {
        name: "scan.startup.timestamp-millis",
        kind: OptionKind::Integer,
        required: false,
        default: None,
        about: "milliseconds since 1970 for the mode timestamp",
    },
    option(
        "scan.damage",
        OptionKind::Choice(&["fail", "skip"]),
        "fail",
        "at records that the disk has damaged: fail names them, skip reads on behind them",
    ),
    option("retention.time", OptionKind::Duration, "7 d", "records older than this are dropped"),
    OptionDef {
        name: "retention.bytes",
        kind: OptionKind::Size,
        required: false,
        default: None,
        about: "the oldest records are dropped above this size",
    },
];

/// Options that Flink's planner itself knows, on every table.
const PLANNER_OPTIONS: &[OptionDef] = &[
    option("scan.watermark.idle-timeout", OptionKind::Duration, "0 ms", "a split without rows for so long is idle"),
    option(
        "scan.watermark.emit.strategy",
        OptionKind::Choice(&["on-periodic", "on-event"]),
        "on-event",
        "watermarks are computed on each event",
    ),
    option("scan.watermark.emit.on-event.gap", OptionKind::Integer, "1", "accepted, without effect here"),
    option("scan.watermark.alignment.group", OptionKind::Text, "", "accepted, without effect here"),
    option("scan.watermark.alignment.max-drift", OptionKind::Duration, "0 ms", "accepted, without effect here"),
    option("scan.watermark.alignment.update-interval", OptionKind::Duration, "1 s", "accepted, without effect here"),
    option("property-version", OptionKind::Integer, "1", "accepted, without effect here"),
    option("scan.parallelism", OptionKind::Integer, "1", "accepted, without effect here"),
    option("sink.parallelism", OptionKind::Integer, "1", "accepted, without effect here"),
];

/// Where an option's key and value stand, if it is written in this text.
pub(crate) type Spans<'s> = dyn Fn(&str) -> Option<(Span, Span)> + 's;

/// The default of a managed table's option.
pub fn managed_default(name: &str) -> Option<&'static str> {
    MANAGED_OPTIONS.iter().find(|o| o.name == name).and_then(|o| o.default)
}

impl Binder<'_> {
    /// Every option known, every required one there, every value of its kind. `whole` is the place of what is missing.
    pub(crate) fn validate_options(
        &self,
        options: &BTreeMap<String, String>,
        columns: &[TableColumn],
        path: &ObjectPath,
        whole: Span,
        spans: &Spans<'_>,
    ) -> Result<()> {
        let key_span = |name: &str| spans(name).map_or(whole, |s| s.0);
        let value_span = |name: &str| spans(name).map_or(whole, |s| s.1);
        let connector = match self.connector_of(options, &value_span) {
            Ok(connector) => connector,
            // As in Flink a table of a system that is not there can be declared; whoever uses it is refused.
            Err(e) => {
                let hint = e.hint().map(|h| format!("; {h}")).unwrap_or_default();
                self.notices.borrow_mut().push(format!("table '{path}' cannot be used: {}{hint}", e.message()));
                return Ok(());
            }
        };
        let takes_format = connector.is_none_or(|c| c.takes_format());
        let format = if takes_format { self.format_of(options, connector, path, whole, &value_span)? } else { None };
        let own = connector.map_or(MANAGED_OPTIONS, |c| c.options());
        let owner = connector.map_or_else(|| "a managed table".to_string(), |c| format!("connector '{}'", c.name()));
        for (name, value) in options {
            if name == "connector" || (takes_format && name == "format") {
                continue;
            }
            if let Some(f) = format
                && let Some(rest) = name.strip_prefix(f.name()).and_then(|r| r.strip_prefix('.'))
            {
                match find(f.options(), rest, columns) {
                    Some(def) => self.check_value(name, value, def, value_span(name))?,
                    // Flink ignores an unknown option with the format's prefix.
                    None => {
                        let names: Vec<String> =
                            f.options().iter().map(|o| format!("{}.{}", f.name(), o.name)).collect();
                        let error = self.unknown(&format!("format '{}'", f.name()), name, &names, key_span(name));
                        let hint = error.hint().unwrap_or_default().to_string();
                        self.notices.borrow_mut().push(format!("{}, it is ignored; {hint}", error.message()));
                    }
                }
                continue;
            }
            let Some(def) = find(own, name, columns).or_else(|| find(PLANNER_OPTIONS, name, columns)) else {
                let mut names: Vec<String> = own.iter().map(|o| o.name.to_string()).collect();
                names
                    .extend(format.iter().flat_map(|f| f.options().iter().map(|o| format!("{}.{}", f.name(), o.name))));
                return Err(self.unknown(&owner, name, &names, key_span(name)));
            };
            self.check_value(name, value, def, value_span(name))?;
        }
        for def in own {
            if def.required && !options.contains_key(def.name) {
                return Err(self.missing(&owner, def.name, def.about, path, whole));
            }
        }
        for def in format.iter().flat_map(|f| f.options()) {
            let name = format!("{}.{}", format.map_or("", Format::name), def.name);
            if def.required && !options.contains_key(&name) {
                return Err(self.missing("the format", &name, def.about, path, whole));
            }
        }
        Ok(())
    }

    fn connector_of(
        &self,
        options: &BTreeMap<String, String>,
        value_span: &dyn Fn(&str) -> Span,
    ) -> Result<Option<&dyn Connector>> {
        let Some(name) = options.get("connector") else {
            return Ok(None);
        };
        let connectors = self.planner.connectors;
        let found = connectors.connector(name).ok_or_else(|| {
            self.wrong(Code::InvalidOption, format!("connector '{name}' does not exist"), value_span("connector"))
                .with_hint(near_or_list(name, "connectors", &connectors.connector_names()))
        })?;
        Ok(Some(found))
    }

    fn format_of(
        &self,
        options: &BTreeMap<String, String>,
        connector: Option<&dyn Connector>,
        path: &ObjectPath,
        whole: Span,
        value_span: &dyn Fn(&str) -> Span,
    ) -> Result<Option<&dyn Format>> {
        let formats = self.planner.connectors;
        let name = match (options.get("format"), connector) {
            (Some(name), _) => name.as_str(),
            (None, None) => managed_default("format").unwrap_or("json"),
            (None, Some(c)) => {
                let about = format!("one of {}", formats.format_names().join(", "));
                return Err(self.missing(&format!("connector '{}'", c.name()), "format", &about, path, whole));
            }
        };
        match formats.format(name) {
            Some(format) => Ok(Some(format)),
            // Without a word about it the default needs no format to be compiled in.
            None if !options.contains_key("format") => Ok(None),
            None => Err(self
                .wrong(Code::InvalidOption, format!("format '{name}' does not exist"), value_span("format"))
                .with_hint(near_or_list(name, "formats", &formats.format_names()))),
        }
    }

    fn unknown(&self, owner: &str, name: &str, names: &[String], span: Span) -> Error {
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let hint =
            if names.is_empty() { "it takes no options".to_string() } else { near_or_list(name, "options", &names) };
        self.wrong(Code::InvalidOption, format!("{owner} has no option '{name}'"), span).with_hint(hint)
    }

    fn missing(&self, owner: &str, name: &str, about: &str, path: &ObjectPath, span: Span) -> Error {
        self.wrong(Code::InvalidOption, format!("table '{path}': {owner} requires the option '{name}'"), span)
            .with_hint(format!("add '{name}' = '..' to WITH: {about}"))
    }

    fn check_value(&self, name: &str, value: &str, def: &OptionDef, span: Span) -> Result<()> {
        let expected = match def.kind {
            // Known when the connector opens.
            _ if has_reference(value) => None,
            OptionKind::Text => None,
            OptionKind::Integer => value.trim().parse::<i64>().is_err().then(|| "an integer".to_string()),
            OptionKind::Number => value.trim().parse::<f64>().is_err().then(|| "a number".to_string()),
            OptionKind::Boolean => {
                let fits = value.eq_ignore_ascii_case("true") || value.eq_ignore_ascii_case("false");
                (!fits).then(|| "true or false".to_string())
            }
            OptionKind::Duration => parse_duration_ms(value).is_err().then(|| "a duration, such as '10 s'".to_string()),
            OptionKind::Size => (!is_size(value)).then(|| "a size, such as '64 mb'".to_string()),
            OptionKind::Choice(choices) => (!choices.iter().any(|c| c.eq_ignore_ascii_case(value.trim())))
                .then(|| format!("one of {}", list(choices))),
        };
        match expected {
            None => Ok(()),
            Some(expected) => {
                let error = self.wrong(
                    Code::InvalidOption,
                    format!("option '{name}': expected {expected}, found '{value}'"),
                    span,
                );
                Err(if def.about.is_empty() { error } else { error.with_hint(format!("{name}: {}", def.about)) })
            }
        }
    }
}

fn find<'d>(defs: &'d [OptionDef], name: &str, columns: &[TableColumn]) -> Option<&'d OptionDef> {
    defs.iter().find(|d| matches(d.name, name, columns))
}

/// `#` stands for a column's name, a final `*` for anything.
fn matches(pattern: &str, name: &str, columns: &[TableColumn]) -> bool {
    if let Some(prefix) = pattern.strip_suffix('*') {
        return name.starts_with(prefix);
    }
    let Some((before, after)) = pattern.split_once('#') else {
        return pattern == name;
    };
    let Some(middle) = name.strip_prefix(before).and_then(|n| n.strip_suffix(after)) else {
        return false;
    };
    // Elements and fields of a column follow its name.
    columns
        .iter()
        .any(|c| middle == c.name || middle.strip_prefix(c.name.as_str()).is_some_and(|rest| rest.starts_with('.')))
}

fn is_size(text: &str) -> bool {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    const UNITS: [&str; 18] = [
        "",
        "b",
        "bytes",
        "k",
        "kb",
        "kibibytes",
        "kilobytes",
        "m",
        "mb",
        "mebibytes",
        "megabytes",
        "g",
        "gb",
        "gibibytes",
        "gigabytes",
        "t",
        "tb",
        "tebibytes",
    ];
    digits > 0 && UNITS.contains(&text[digits..].trim().to_ascii_lowercase().as_str())
}
