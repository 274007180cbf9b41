//! What an alert is: its query, what it is told by, and how it ends.
//!
//! An alert is a pipeline whose sink is no table of anybody: [`sink_table`] names it, the engine takes what goes there.

use std::collections::BTreeMap;

use arus_core::RowSchema;
use arus_core::catalog::{ColumnKind, ObjectPath, TableColumn, TableDef, TableKind};

/// The connector of an alert's sink. No table can be declared with it.
pub const ALERT_CONNECTOR: &str = "alert";

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    Info,
    Warning,
    Critical,
}

impl Severity {
    pub fn name(self) -> &'static str {
        match self {
            Severity::Info => "info",
            Severity::Warning => "warning",
            Severity::Critical => "critical",
        }
    }

    pub(crate) fn parse(word: &str) -> Option<Self> {
        [Severity::Info, Severity::Warning, Severity::Critical]
            .into_iter()
            .find(|s| s.name().eq_ignore_ascii_case(word))
    }
}

/// Who is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notify {
    /// One that the server was started with.
    Named(String),
    Url(String),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlertDef {
    pub path: ObjectPath,
    /// The query alone, with full names where it needs them.
    pub query: String,
    pub columns: Vec<String>,
    /// What tells one case from another; empty: the alert is one case.
    pub key: Vec<String>,
    /// The column that says when a row happened, where there is one.
    pub time_column: Option<String>,
    pub severity: Severity,
    pub resolve_after_ms: Option<i64>,
    pub no_data: Option<(i64, Severity)>,
    pub summary: Option<Summary>,
    pub runbook: Option<String>,
    pub notify: Vec<Notify>,
    pub repeat_ms: Option<i64>,
    /// Rows are only added: each stands until RESOLVE AFTER.
    pub appends: bool,
}

/// `'card {card_id}: {n} declines'`: text and columns in turn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary(Vec<Piece>);

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    Text(String),
    Column(String),
}

impl Summary {
    /// `{{` and `}}` stand for the braces themselves.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut pieces = vec![];
        let mut plain = String::new();
        let mut rest = text.chars().peekable();
        while let Some(c) = rest.next() {
            match c {
                '{' | '}' if rest.peek() == Some(&c) => {
                    rest.next();
                    plain.push(c);
                }
                '{' => {
                    let mut name = String::new();
                    loop {
                        match rest.next() {
                            Some('}') => break,
                            Some(c) => name.push(c),
                            None => return Err(format!("'{{{name}' has no closing brace")),
                        }
                    }
                    if !plain.is_empty() {
                        pieces.push(Piece::Text(std::mem::take(&mut plain)));
                    }
                    pieces.push(Piece::Column(name.trim().to_string()));
                }
                '}' => return Err("'}' has no opening brace".into()),
                c => plain.push(c),
            }
        }
        if !plain.is_empty() {
            pieces.push(Piece::Text(plain));
        }
        Ok(Summary(pieces))
    }

    pub fn pieces(&self) -> &[Piece] {
        &self.0
    }

    pub fn columns(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|piece| match piece {
            Piece::Column(name) => Some(name.as_str()),
            Piece::Text(_) => None,
        })
    }
}

/// What the query's rows go to.
pub(crate) fn sink_table(path: &ObjectPath, schema: &RowSchema) -> TableDef {
    let column = |c: &arus_core::Column| TableColumn {
        name: c.name.clone(),
        ty: c.ty.clone().without_time_attribute(),
        kind: ColumnKind::Physical,
        comment: None,
    };
    TableDef {
        path: path.sibling(format!("{}$alert", path.name)),
        kind: TableKind::Connector,
        columns: schema.columns().iter().map(column).collect(),
        watermark: None,
        primary_key: vec![],
        primary_key_name: None,
        partition_keys: vec![],
        distribution: None,
        options: BTreeMap::from([("connector".to_string(), ALERT_CONNECTOR.to_string())]),
        comment: None,
        temporary: false,
        query: None,
        hidden_count: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn summaries_are_text_and_columns() {
        let summary = Summary::parse("card {card_id}: {{{n}}} declines").expect("is right");
        let text = |t: &str| Piece::Text(t.into());
        let column = |c: &str| Piece::Column(c.into());
        assert_eq!(summary.pieces(), [text("card "), column("card_id"), text(": {"), column("n"), text("} declines")]);
        assert_eq!(summary.columns().collect::<Vec<_>>(), ["card_id", "n"]);
        assert!(Summary::parse("{n").is_err() && Summary::parse("n}").is_err());
        assert_eq!(Summary::parse("").expect("nothing is right").pieces(), []);
    }
}
