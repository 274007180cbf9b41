//! CREATE, ALTER and DROP ALERT.

use super::{ParseError, Parser, Result};
use crate::ast::*;
use crate::lexer::TokenKind;
use crate::nearest::nearest;

const SEVERITIES: [&str; 3] = ["INFO", "WARNING", "CRITICAL"];
const CLAUSES: [&str; 8] =
    ["KEY", "SEVERITY", "RESOLVE AFTER", "NO DATA AFTER", "SUMMARY", "RUNBOOK", "NOTIFY", "REPEAT"];

impl Parser<'_> {
    /// Behind CREATE [OR REPLACE] ALERT.
    pub(super) fn create_alert(&mut self, or_replace: bool) -> Result<CreateAlert> {
        let start = self.span();
        let if_not_exists = !or_replace && self.if_not_exists();
        let name = self.object_name("a name of the alert")?;
        self.expect("ON")?;
        self.lparen()?;
        let query = self.query()?;
        self.rparen()?;
        let mut alert = CreateAlert {
            or_replace,
            if_not_exists,
            name,
            query,
            key: vec![],
            severity: None,
            resolve_after: None,
            no_data: None,
            summary: None,
            runbook: None,
            notify: vec![],
            repeat: None,
            span: start,
        };
        let mut seen: Vec<&'static str> = vec![];
        while !matches!(self.kind(), TokenKind::Semicolon | TokenKind::End) {
            let at = self.span();
            let clause = self.alert_clause(&mut alert)?;
            if seen.contains(&clause) {
                return Err(ParseError::new(at, format!("{clause} stands twice")));
            }
            seen.push(clause);
        }
        alert.span = self.since(start);
        Ok(alert)
    }

    /// One clause; its name.
    fn alert_clause(&mut self, alert: &mut CreateAlert) -> Result<&'static str> {
        let word = self.word_at(0).to_ascii_uppercase();
        let known = ["KEY", "SEVERITY", "RESOLVE", "NO", "SUMMARY", "RUNBOOK", "NOTIFY", "REPEAT"];
        let Some(place) = known.iter().position(|k| *k == word) else {
            let mut error = self.unexpected_error(&CLAUSES);
            error.hint = nearest(self.word_at(0), CLAUSES).map(|word| format!("did you mean {word}?"));
            return Err(error);
        };
        self.advance();
        match known[place] {
            "KEY" => alert.key = self.ident_list("a column of the query")?,
            "SEVERITY" => alert.severity = Some(self.severity()?),
            "RESOLVE" => {
                self.expect("AFTER")?;
                alert.resolve_after = Some(self.expr()?);
            }
            "NO" => {
                self.expect_words(&["DATA", "AFTER"])?;
                let time = self.expr()?;
                let severity = if self.eat("AS") { Some(self.severity()?) } else { None };
                alert.no_data = Some((time, severity));
            }
            "SUMMARY" => alert.summary = Some(self.text("a text in quotes")?),
            "RUNBOOK" => alert.runbook = Some(self.text("a link in quotes")?),
            "NOTIFY" => {
                alert.notify = self.comma_list(|p| match p.string_literal()? {
                    Some(url) => Ok(NotifyTarget::Url(url)),
                    None => p.ident("a notifier's name, or a URL in quotes").map(NotifyTarget::Name),
                })?;
            }
            _ => alert.repeat = Some(self.expr()?),
        }
        Ok(CLAUSES[place])
    }

    fn severity(&mut self) -> Result<Ident> {
        if self.at_any(&SEVERITIES) {
            return Ok(self.keyword());
        }
        let mut error = self.unexpected_error(&SEVERITIES);
        error.hint = nearest(self.word_at(0), SEVERITIES).map(|word| format!("did you mean {word}?"));
        Err(error)
    }

    /// At ALTER ALERT.
    pub(super) fn alter_alert(&mut self) -> Result<AlterAlert> {
        self.expect_words(&["ALTER", "ALERT"])?;
        let name = self.object_name("a name of the alert")?;
        let action = if self.eat("SILENCE") {
            let for_time = if self.eat("FOR") { Some(self.expr()?) } else { None };
            AlertAction::Silence { for_time }
        } else if self.eat("UNSILENCE") {
            AlertAction::Unsilence
        } else if self.eat("TEST") {
            AlertAction::Test
        } else {
            return self.unexpected(&["SILENCE", "UNSILENCE", "TEST"]);
        };
        Ok(AlterAlert { name, action })
    }

    /// At DROP ALERT.
    pub(super) fn drop_alert(&mut self) -> Result<StatementKind> {
        self.expect_words(&["DROP", "ALERT"])?;
        let if_exists = self.eat_words(&["IF", "EXISTS"]);
        Ok(StatementKind::DropAlert { if_exists, name: self.object_name("a name of the alert")? })
    }

    /// Behind EXPLAIN ALERT.
    pub(super) fn explain_alert(&mut self) -> Result<ExplainTarget> {
        let name = self.object_name("a name of the alert")?;
        self.expect("LAST")?;
        let last = self.expr()?;
        Ok(ExplainTarget::Alert { name, last: Box::new(last) })
    }
}
