//! SHOW, DESCRIBE, SET, RESET, STOP JOB.

use super::{ParseError, Parser, Result};
use crate::ast::*;
use crate::lexer::TokenKind;
use crate::nearest::nearest;

/// What SHOW can list, for errors and hints.
const SHOWN: [&str; 17] = [
    "TABLES",
    "VIEWS",
    "COLUMNS",
    "DATABASES",
    "FUNCTIONS",
    "JOBS",
    "CATALOGS",
    "CREATE TABLE",
    "CREATE VIEW",
    "CURRENT DATABASE",
    "CURRENT CATALOG",
    "MATERIALIZED TABLES",
    "CREATE CATALOG",
    "PARTITIONS",
    "PROCEDURES",
    "MODELS",
    "MODULES",
];

impl Parser<'_> {
    pub(super) fn show(&mut self) -> Result<StatementKind> {
        let plain = [
            (&["TABLES"][..], ShowWhat::Tables),
            (&["VIEWS"], ShowWhat::Views),
            (&["MATERIALIZED", "TABLES"], ShowWhat::MaterializedTables),
            (&["COLUMNS"], ShowWhat::Columns),
            (&["DATABASES"], ShowWhat::Databases),
            (&["CATALOGS"], ShowWhat::Catalogs),
            (&["CURRENT", "CATALOG"], ShowWhat::CurrentCatalog),
            (&["CURRENT", "DATABASE"], ShowWhat::CurrentDatabase),
            (&["FUNCTIONS"], ShowWhat::Functions { user: false }),
            (&["USER", "FUNCTIONS"], ShowWhat::Functions { user: true }),
            (&["JOBS"], ShowWhat::Jobs),
            (&["JARS"], ShowWhat::Jars),
            (&["MODULES"], ShowWhat::Modules { full: false }),
            (&["FULL", "MODULES"], ShowWhat::Modules { full: true }),
            (&["PROCEDURES"], ShowWhat::Procedures),
            (&["MODELS"], ShowWhat::Models),
            (&["ALERTS"], ShowWhat::Alerts),
        ];
        self.expect("SHOW")?;
        let what = match plain.into_iter().find(|(words, _)| self.at_words(words)) {
            Some((words, what)) => {
                self.pos += words.len();
                what
            }
            None if self.eat_words(&["CREATE", "TABLE"]) => ShowWhat::CreateTable(self.object_name("a table name")?),
            None if self.eat_words(&["CREATE", "VIEW"]) => ShowWhat::CreateView(self.object_name("a view name")?),
            None if self.eat_words(&["CREATE", "MATERIALIZED", "TABLE"]) => {
                ShowWhat::CreateMaterializedTable(self.object_name("a table name")?)
            }
            None if self.eat_words(&["CREATE", "CATALOG"]) => ShowWhat::CreateCatalog(self.ident("a catalog name")?),
            None if self.eat_words(&["CREATE", "ALERT"]) => {
                ShowWhat::CreateAlert(self.object_name("a name of the alert")?)
            }
            None if self.eat_words(&["CREATE", "MODEL"]) => ShowWhat::CreateModel(self.object_name("a model name")?),
            None if self.eat("PARTITIONS") => {
                let table = self.object_name("a table name")?;
                let partition = if self.at("PARTITION") { self.partition_spec()? } else { Vec::new() };
                ShowWhat::Partitions { table, partition }
            }
            None => {
                let mut error = self.unexpected_error(&SHOWN);
                error.hint = nearest(self.word_at(0), SHOWN).map(|word| format!("did you mean {word}?"));
                return Err(error);
            }
        };
        let lists = matches!(
            what,
            ShowWhat::Tables
                | ShowWhat::Views
                | ShowWhat::MaterializedTables
                | ShowWhat::Columns
                | ShowWhat::Databases
                | ShowWhat::Catalogs
                | ShowWhat::Functions { .. }
                | ShowWhat::Procedures
                | ShowWhat::Models
        );
        let mut show = Show { what, from: None, like: None };
        if lists {
            let in_catalogs = matches!(show.what, ShowWhat::Catalogs);
            if !in_catalogs && (self.eat("FROM") || self.eat("IN")) {
                show.from = Some(self.object_name("a name")?);
            } else if matches!(show.what, ShowWhat::Columns) {
                return self.unexpected(&["FROM", "IN"]);
            }
            show.like = self.show_like()?;
        }
        Ok(StatementKind::Show(show))
    }

    fn show_like(&mut self) -> Result<Option<ShowLike>> {
        let negated = self.eat("NOT");
        let case_insensitive = self.at("ILIKE");
        if !case_insensitive && !self.at("LIKE") {
            return if negated { self.unexpected(&["LIKE", "ILIKE"]) } else { Ok(None) };
        }
        self.advance();
        Ok(Some(ShowLike { negated, case_insensitive, pattern: self.text("a pattern in quotes")? }))
    }

    pub(super) fn describe(&mut self) -> Result<Describe> {
        self.advance();
        if self.at("JOB") && !self.ends(1) {
            self.advance();
            let target = DescribeTarget::Job(self.text("a job id in quotes")?);
            return Ok(Describe { extended: false, target });
        }
        for (word, kind) in
            [("CATALOG", ObjectKind::Catalog), ("FUNCTION", ObjectKind::Function), ("MODEL", ObjectKind::Model)]
        {
            if self.at(word) && !self.ends(1) && self.kind_at(1) != TokenKind::Dot {
                self.advance();
                let extended = self.eat("EXTENDED");
                let target = match kind {
                    ObjectKind::Catalog => DescribeTarget::Catalog(self.ident("a catalog name")?),
                    ObjectKind::Function => DescribeTarget::Function(self.object_name("a function name")?),
                    _ => DescribeTarget::Model(self.object_name("a model name")?),
                };
                return Ok(Describe { extended, target });
            }
        }
        self.eat("TABLE");
        let extended = self.eat("EXTENDED");
        Ok(Describe { extended, target: DescribeTarget::Table(self.object_name("a table name")?) })
    }

    fn ends(&self, ahead: usize) -> bool {
        matches!(self.kind_at(ahead), TokenKind::Semicolon | TokenKind::End)
    }

    pub(super) fn set(&mut self) -> Result<Set> {
        self.expect("SET")?;
        if self.ends(0) {
            return Ok(Set::All);
        }
        let key = match self.string_literal()? {
            Some(key) => key,
            None => self.bare_text(TokenKind::Eq, "a setting's name in quotes")?,
        };
        if self.ends(0) {
            return Ok(Set::One(key));
        }
        self.expect_kind(TokenKind::Eq, "`=`")?;
        let value = match self.string_literal()? {
            Some(value) => value,
            None => self.bare_text(TokenKind::Semicolon, "a value in quotes")?,
        };
        Ok(Set::To { key, value })
    }

    pub(super) fn reset(&mut self) -> Result<Option<Text>> {
        self.expect("RESET")?;
        if self.ends(0) {
            return Ok(None);
        }
        match self.string_literal()? {
            Some(key) => Ok(Some(key)),
            None => self.bare_text(TokenKind::Semicolon, "a setting's name in quotes").map(Some),
        }
    }

    /// The text as written, without quotes and without blanks inside, up to `until` or the end of the statement.
    pub(super) fn bare_text(&mut self, until: TokenKind, what: &'static str) -> Result<Text> {
        let start = self.span();
        while !self.ends(0) && self.kind() != until {
            if self.pos > 0 && self.since(start).end > start.start && self.since(start).end != self.span().start {
                return self.unexpected(&["`=`", "the end of the statement"]);
            }
            self.advance();
        }
        let span = self.since(start);
        if span.end == start.start {
            return self.unexpected(&[what]);
        }
        Ok(Text { value: span.of(self.text).to_string(), span })
    }

    pub(super) fn stop_job(&mut self) -> Result<StopJob> {
        self.expect_words(&["STOP", "JOB"])?;
        let id = self.text("a job id in quotes")?;
        let with_savepoint = self.eat_words(&["WITH", "SAVEPOINT"]);
        let drain = self.span();
        let with_drain = self.eat_words(&["WITH", "DRAIN"]);
        if with_drain && !with_savepoint {
            return Err(ParseError::new(drain, "WITH DRAIN needs WITH SAVEPOINT before it"));
        }
        Ok(StopJob { id, with_savepoint, with_drain })
    }
}
