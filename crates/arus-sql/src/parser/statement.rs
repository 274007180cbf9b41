//! Statements: which one it is, INSERT and statement sets, and those that are known by name only.

use super::{Parser, Result};
use crate::ast::*;
use crate::lexer::{TokenKind, is_reserved};
use crate::nearest::nearest;

/// Statements that are known and not supported, by their first words; the longest match counts. `*` stands for any name.
const KNOWN: [&str; 7] = [
    "ALTER CONNECTION",
    "CREATE CONNECTION",
    "DROP CONNECTION",
    "MERGE",
    "UPSERT",
    "DESCRIBE DATABASE *",
    "SHOW CONNECTIONS",
];

/// The first words of all statements, for hints.
const STARTS: [&str; 31] = [
    "SELECT", "INSERT", "CREATE", "DROP", "WITH", "VALUES", "EXPLAIN", "DESCRIBE", "SHOW", "SET", "RESET", "USE",
    "STOP", "EXECUTE", "BEGIN", "ALTER", "UPDATE", "DELETE", "TRUNCATE", "COMPILE", "ANALYZE", "LOAD", "UNLOAD", "ADD",
    "REMOVE", "CALL", "DESC", "REPLACE", "MERGE", "QUIT", "HELP",
];

impl Parser<'_> {
    pub(super) fn statement(&mut self) -> Result<Statement> {
        let start = self.span();
        self.height = 0;
        let kind = self.statement_kind()?;
        Ok(Statement { kind, span: self.since(start) })
    }

    fn statement_kind(&mut self) -> Result<StatementKind> {
        if let Some(what) = self.known_statement() {
            self.skip_statement();
            return Ok(StatementKind::Unsupported { what });
        }
        if self.kind() == TokenKind::LParen || self.query_at(0) {
            return self.query().map(Box::new).map(StatementKind::Query);
        }
        match self.word_at(0).to_ascii_uppercase().as_str() {
            "CREATE" | "REPLACE" => self.create(),
            "DROP" if self.at_word(1, "ALERT") => self.drop_alert(),
            "DROP" => self.drop_object().map(StatementKind::Drop),
            "USE" => self.use_statement().map(StatementKind::Use),
            "INSERT" => self.insert().map(Box::new).map(StatementKind::Insert),
            "EXECUTE" => self.execute(),
            "BEGIN" => {
                self.advance();
                self.expect_words(&["STATEMENT", "SET"])?;
                self.expect_kind(TokenKind::Semicolon, "`;`")?;
                self.statement_set().map(StatementKind::StatementSet)
            }
            "EXPLAIN" => self.explain().map(Box::new).map(StatementKind::Explain),
            "DESCRIBE" | "DESC" => self.describe().map(StatementKind::Describe),
            "SHOW" => self.show(),
            "SET" => self.set().map(StatementKind::Set),
            "RESET" => self.reset().map(StatementKind::Reset),
            "STOP" => self.stop_job().map(StatementKind::StopJob),
            "ALTER" if self.at_word(1, "ALERT") => self.alter_alert().map(Box::new).map(StatementKind::AlterAlert),
            "ALTER" => self.alter().map(Box::new).map(StatementKind::Alter),
            "UPDATE" => self.update().map(Box::new).map(StatementKind::Update),
            "DELETE" => self.delete().map(Box::new).map(StatementKind::Delete),
            "TRUNCATE" => self.truncate().map(StatementKind::Truncate),
            "COMPILE" => self.compile_plan().map(Box::new).map(StatementKind::Plan),
            "ANALYZE" => self.analyze().map(Box::new).map(StatementKind::Analyze),
            "LOAD" | "UNLOAD" => self.module().map(StatementKind::Module),
            "ADD" | "REMOVE" => self.jar().map(StatementKind::Jar),
            "CALL" => self.call_procedure().map(StatementKind::Call),
            _ => {
                let mut error = self.unexpected_error(&["a statement"]);
                error.hint = nearest(self.word_at(0), STARTS).map(|word| format!("did you mean {word}?"));
                Err(error)
            }
        }
    }

    /// The name of an unsupported statement that begins here.
    fn known_statement(&self) -> Option<String> {
        let matches = |known: &&&str| {
            known.split(' ').enumerate().all(|(i, word)| match word {
                "*" => !matches!(self.kind_at(i), TokenKind::Semicolon | TokenKind::End),
                "DESCRIBE" => self.at_word(i, "DESCRIBE") || self.at_word(i, "DESC"),
                word => self.at_word(i, word),
            })
        };
        let ends = |ahead: usize| matches!(self.kind_at(ahead), TokenKind::Semicolon | TokenKind::End);
        if self.at_any(&["HELP", "QUIT", "EXIT", "CLEAR"]) && ends(1) {
            return Some(self.word_at(0).to_ascii_uppercase());
        }
        let known = KNOWN.iter().filter(matches).max_by_key(|known| known.len())?;
        Some(known.trim_end_matches(" *").to_string())
    }

    /// To the end of the statement, whose inner semicolons, if any, stand in a statement set.
    fn skip_statement(&mut self) {
        let mut set = false;
        loop {
            match self.kind() {
                TokenKind::End => return,
                TokenKind::Semicolon if !set => return,
                TokenKind::Semicolon if self.at_word(1, "END") => {
                    self.pos += 2;
                    return;
                }
                TokenKind::Word if self.at_words(&["STATEMENT", "SET", "BEGIN"]) => {
                    set = true;
                    self.pos += 3;
                }
                _ => {
                    self.advance();
                }
            }
        }
    }

    fn use_statement(&mut self) -> Result<Use> {
        self.expect("USE")?;
        let catalog = self.at("CATALOG") && (self.kind_at(1) == TokenKind::BackQuoted || !self.word_at(1).is_empty());
        if catalog {
            self.advance();
            return self.ident("a catalog name").map(Use::Catalog);
        }
        if self.at("MODULES") && !self.ends_here(1) && self.kind_at(1) != TokenKind::Dot {
            self.advance();
            return self.comma_list(|p| p.ident("a module name")).map(Use::Modules);
        }
        self.object_name("a database name").map(Use::Database)
    }

    // ---- INSERT

    fn execute(&mut self) -> Result<StatementKind> {
        self.expect("EXECUTE")?;
        if self.eat("STATEMENT") {
            self.expect_words(&["SET", "BEGIN"])?;
            return self.statement_set().map(StatementKind::StatementSet);
        }
        if self.at("INSERT") {
            return self.insert().map(Box::new).map(StatementKind::Insert);
        }
        if self.eat("PLAN") {
            return self.execute_plan().map(Box::new).map(StatementKind::Plan);
        }
        if self.kind() == TokenKind::LParen || self.query_at(0) {
            return self.query().map(Box::new).map(StatementKind::Query);
        }
        self.unexpected(&["STATEMENT SET", "INSERT", "a query", "PLAN"])
    }

    /// `INSERT ..; INSERT ..; END`
    pub(super) fn statement_set(&mut self) -> Result<Vec<Insert>> {
        let mut inserts = Vec::new();
        loop {
            if !inserts.is_empty() && self.eat("END") {
                return Ok(inserts);
            }
            if !self.at("INSERT") {
                return self.unexpected(if inserts.is_empty() { &["INSERT"] } else { &["INSERT", "END"] });
            }
            inserts.push(self.insert()?);
            self.expect_kind(TokenKind::Semicolon, "`;`")?;
        }
    }

    pub(super) fn insert(&mut self) -> Result<Insert> {
        let start = self.span();
        self.expect("INSERT")?;
        let overwrite = self.eat("OVERWRITE");
        if !overwrite && !self.eat("INTO") {
            return self.unexpected(&["INTO", "OVERWRITE"]);
        }
        let table = self.object_name("a table name")?;
        let hints = self.hints()?;
        let partition = if self.at("PARTITION") { self.partition_spec()? } else { Vec::new() };
        let columns = if self.kind() == TokenKind::LParen && !self.query_at(1) && self.kind_at(1) != TokenKind::LParen {
            self.paren_list(|p| p.object_name("a column name"))?
        } else {
            Vec::new()
        };
        let query = self.query()?;
        let on_conflict = self.on_conflict()?;
        Ok(Insert { overwrite, table, hints, partition, columns, query, on_conflict, span: self.since(start) })
    }

    fn on_conflict(&mut self) -> Result<Option<OnConflict>> {
        let start = self.span();
        if !self.eat("ON") {
            return Ok(None);
        }
        self.expect_words(&["CONFLICT", "DO"])?;
        let action = if self.eat("NOTHING") {
            ConflictAction::Nothing
        } else if self.eat("ERROR") {
            ConflictAction::Error
        } else if self.eat("DEDUPLICATE") {
            ConflictAction::Deduplicate
        } else {
            return self.unexpected(&["NOTHING", "ERROR", "DEDUPLICATE"]);
        };
        Ok(Some(OnConflict { action, span: self.since(start) }))
    }

    // ---- EXPLAIN

    fn explain(&mut self) -> Result<Explain> {
        const DETAILS: [&str; 4] = ["ESTIMATED_COST", "CHANGELOG_MODE", "JSON_EXECUTION_PLAN", "PLAN_ADVICE"];
        self.expect("EXPLAIN")?;
        if self.eat("WHY") {
            let table = self.object_name("a table name")?;
            return Ok(Explain { details: vec![], target: ExplainTarget::Why(table) });
        }
        if self.eat("ALERT") {
            return Ok(Explain { details: vec![], target: self.explain_alert()? });
        }
        if self.eat("ANALYZE") {
            let job = match self.kind() {
                TokenKind::String => {
                    let Text { value, span } = self.text("a job's name or id")?;
                    Ident { value, quoted: true, span }
                }
                _ => self.ident("a job's name")?,
            };
            return Ok(Explain { details: vec![], target: ExplainTarget::Analyze(job) });
        }
        let mut details = Vec::new();
        if !self.eat_words(&["PLAN", "FOR"]) && self.at_any(&DETAILS) {
            details = self.comma_list(|p| {
                if p.at_any(&DETAILS) {
                    return Ok(p.keyword());
                }
                p.unexpected(&DETAILS)
            })?;
        }
        let target = if self.at("INSERT") || self.at_words(&["EXECUTE", "INSERT"]) {
            self.eat("EXECUTE");
            ExplainTarget::Insert(Box::new(self.insert()?))
        } else if self.eat_words(&["STATEMENT", "SET", "BEGIN"])
            || self.eat_words(&["EXECUTE", "STATEMENT", "SET", "BEGIN"])
        {
            ExplainTarget::StatementSet(self.statement_set()?)
        } else if self.at_any(&["CREATE", "REPLACE"]) {
            match self.create()? {
                StatementKind::CreateTable(table) => ExplainTarget::CreateTable(table),
                StatementKind::CreateMaterializedTable(table) => ExplainTarget::CreateMaterializedTable(table),
                StatementKind::CreateAlert(alert) => ExplainTarget::CreateAlert(alert),
                _ => return self.unexpected(&["CREATE TABLE .. AS"]),
            }
        } else if self.kind() == TokenKind::LParen || self.query_at(0) {
            ExplainTarget::Query(Box::new(self.query()?))
        } else {
            let mut error = self.unexpected_error(&["a query", "INSERT", "STATEMENT SET"]);
            if !is_reserved(self.word_at(0)) {
                let near = nearest(self.word_at(0), DETAILS.into_iter().chain(["SELECT", "INSERT"]));
                error.hint = near.map(|word| format!("did you mean {word}?"));
            }
            return Err(error);
        };
        Ok(Explain { details, target })
    }
}
