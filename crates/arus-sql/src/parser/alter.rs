//! ALTER of tables, views, materialized tables, databases, catalogs, functions and models.

use super::{ParseError, Parser, Result};
use crate::ast::*;
use crate::lexer::TokenKind;
use crate::nearest::nearest;

/// What can be altered, for errors.
const KINDS: [&str; 7] = ["TABLE", "MATERIALIZED TABLE", "VIEW", "DATABASE", "CATALOG", "FUNCTION", "MODEL"];

impl Parser<'_> {
    pub(super) fn alter(&mut self) -> Result<Alter> {
        let start = self.span();
        self.expect("ALTER")?;
        let temporary = self.at_words(&["TEMPORARY", "FUNCTION"]) || self.at_words(&["TEMPORARY", "SYSTEM"]);
        if temporary {
            self.advance();
        }
        let system = temporary && self.eat("SYSTEM");
        let object = match temporary {
            true => {
                self.expect("FUNCTION")?;
                ObjectKind::Function
            }
            false => self.altered_kind()?,
        };
        let if_exists = object != ObjectKind::Catalog && self.eat_words(&["IF", "EXISTS"]);
        let name = self.object_name("a name")?;
        let action = match object {
            ObjectKind::Table => self.alter_table()?,
            ObjectKind::MaterializedTable => self.alter_materialized()?,
            ObjectKind::View => self.alter_view()?,
            ObjectKind::Database => AlterAction::Set(self.set_options()?),
            ObjectKind::Catalog => self.alter_catalog()?,
            ObjectKind::Function => AlterAction::Function(self.function_body()?),
            ObjectKind::Model => self.alter_model()?,
        };
        Ok(Alter { object, temporary, system, if_exists, name, action, span: self.since(start) })
    }

    fn altered_kind(&mut self) -> Result<ObjectKind> {
        let kinds = [
            (&["TABLE"][..], ObjectKind::Table),
            (&["MATERIALIZED", "TABLE"], ObjectKind::MaterializedTable),
            (&["VIEW"], ObjectKind::View),
            (&["DATABASE"], ObjectKind::Database),
            (&["CATALOG"], ObjectKind::Catalog),
            (&["FUNCTION"], ObjectKind::Function),
            (&["MODEL"], ObjectKind::Model),
        ];
        match kinds.into_iter().find(|(words, _)| self.at_words(words)) {
            Some((words, kind)) => {
                self.pos += words.len();
                Ok(kind)
            }
            None => {
                let mut error = self.unexpected_error(&KINDS);
                error.hint = nearest(self.word_at(0), KINDS).map(|word| format!("did you mean {word}?"));
                Err(error)
            }
        }
    }

    // ---- tables

    fn alter_table(&mut self) -> Result<AlterAction> {
        if self.eat("RENAME") {
            return self.rename_table();
        }
        if let Some(action) = self.options_action()? {
            return Ok(action);
        }
        if let Some(action) = self.replay_action()? {
            return Ok(action);
        }
        match self.columns_action()? {
            Some(action) => Ok(action),
            None => self.unexpected(&["ADD", "MODIFY", "DROP", "RENAME", "REPLAY", "SET", "RESET"]),
        }
    }

    /// `REPLAY QUARANTINE [WHERE ..]`, `REPLAY LATE [WHERE ..]`: ours.
    fn replay_action(&mut self) -> Result<Option<AlterAction>> {
        if !self.eat("REPLAY") {
            return Ok(None);
        }
        let late = self.eat("LATE");
        if !late && !self.eat("QUARANTINE") {
            return self.unexpected(&["QUARANTINE", "LATE"]);
        }
        let condition = if self.eat("WHERE") { Some(self.expr()?) } else { None };
        Ok(Some(AlterAction::Replay { late, condition }))
    }

    /// `RENAME TO t`, `RENAME a TO b`
    fn rename_table(&mut self) -> Result<AlterAction> {
        if self.eat("TO") {
            return self.object_name("a table name").map(AlterAction::RenameTo);
        }
        let from = self.object_name("a column name")?;
        self.expect("TO")?;
        Ok(AlterAction::RenameColumn { from, to: self.ident("a column name")? })
    }

    /// `SET (..)`, `RESET (..)`
    fn options_action(&mut self) -> Result<Option<AlterAction>> {
        if self.at("SET") {
            return self.set_options().map(AlterAction::Set).map(Some);
        }
        if self.at("RESET") {
            return self.reset_options().map(AlterAction::Reset).map(Some);
        }
        Ok(None)
    }

    fn set_options(&mut self) -> Result<Vec<TableOption>> {
        self.expect("SET")?;
        self.option_list()
    }

    fn reset_options(&mut self) -> Result<Vec<Text>> {
        self.expect("RESET")?;
        if self.kind() == TokenKind::LParen && self.kind_at(1) == TokenKind::RParen {
            let span = self.span().to(self.token(1).span);
            return Err(
                ParseError::new(span, "RESET without a key").with_hint("name the options that go: RESET ('key')")
            );
        }
        self.paren_list(|p| p.text("an option's name in quotes"))
    }

    /// ADD, MODIFY, DROP of columns, keys, watermark, distribution, partitions.
    fn columns_action(&mut self) -> Result<Option<AlterAction>> {
        if self.eat("ADD") {
            let if_not_exists = self.at_words(&["IF", "NOT", "EXISTS"]);
            if if_not_exists || self.at("PARTITION") {
                self.eat_words(&["IF", "NOT", "EXISTS"]);
                let partitions = self.partitions(true)?;
                return Ok(Some(AlterAction::AddPartitions { if_not_exists, partitions }));
            }
            return self.alter_elements().map(AlterAction::Add).map(Some);
        }
        if self.eat("MODIFY") {
            return self.alter_elements().map(AlterAction::Modify).map(Some);
        }
        if !self.eat("DROP") {
            return Ok(None);
        }
        let if_exists = self.at_words(&["IF", "EXISTS"]);
        let action = if if_exists || self.at("PARTITION") {
            self.eat_words(&["IF", "EXISTS"]);
            AlterAction::DropPartitions { if_exists, partitions: self.partitions(false)? }
        } else if self.eat_words(&["PRIMARY", "KEY"]) {
            AlterAction::DropPrimaryKey
        } else if self.eat("CONSTRAINT") {
            AlterAction::DropConstraint(self.ident("a constraint name")?)
        } else if self.eat("WATERMARK") {
            AlterAction::DropWatermark
        } else if self.at("DISTRIBUTION") && self.ends_here(1) {
            self.advance();
            AlterAction::DropDistribution
        } else if self.kind() == TokenKind::LParen {
            AlterAction::DropColumns(self.paren_list(|p| p.object_name("a column name"))?)
        } else {
            AlterAction::DropColumns(vec![self.object_name("a column name")?])
        };
        Ok(Some(action))
    }

    pub(super) fn ends_here(&self, ahead: usize) -> bool {
        matches!(self.kind_at(ahead), TokenKind::Semicolon | TokenKind::End)
    }

    fn alter_elements(&mut self) -> Result<AlterElements> {
        let mut elements = AlterElements::default();
        if self.at("DISTRIBUTION") && !matches!(self.kind_at(1), TokenKind::Dot) && !self.data_type_at(1) {
            elements.distribution = self.distribution_behind("DISTRIBUTION")?;
            return Ok(elements);
        }
        if self.kind() == TokenKind::LParen {
            self.paren_list(|p| p.alter_element(&mut elements))?;
        } else {
            self.alter_element(&mut elements)?;
        }
        Ok(elements)
    }

    /// `DISTRIBUTION` is a column's name when it is not followed by what a distribution is made of.
    fn data_type_at(&self, ahead: usize) -> bool {
        !["BY", "INTO"].iter().any(|w| self.at_word(ahead, w))
    }

    fn alter_element(&mut self, elements: &mut AlterElements) -> Result<()> {
        let start = self.span();
        if self.at("WATERMARK") {
            elements.watermarks.push(self.watermark_def()?);
        } else if self.at_any(&["CONSTRAINT", "PRIMARY", "UNIQUE"]) {
            elements.keys.push(self.key(None)?);
        } else {
            let (mut column, key) = self.column()?;
            if matches!(column.kind, ColumnKind::Name) {
                return self.unexpected(&["a type", "AS"]);
            }
            elements.keys.extend(key);
            let position = if self.eat("FIRST") {
                Some(ColumnPosition::First)
            } else if self.eat("AFTER") {
                Some(ColumnPosition::After(self.ident("a column name")?))
            } else {
                None
            };
            column.span = self.since(start);
            elements.columns.push(AlterColumn { column, position });
        }
        Ok(())
    }

    /// `PARTITION (..) [WITH (..)]`, several of them; those that go may be separated by commas.
    fn partitions(&mut self, with_options: bool) -> Result<Vec<Partition>> {
        let mut partitions = Vec::new();
        loop {
            let spec = self.partition_spec()?;
            let options = if with_options { self.with_options()? } else { Vec::new() };
            partitions.push(Partition { spec, options });
            if !with_options && self.eat_kind(TokenKind::Comma) {
                continue;
            }
            if !self.at("PARTITION") {
                return Ok(partitions);
            }
        }
    }

    /// `PARTITION (k = v, ..)`
    pub(super) fn partition_spec(&mut self) -> Result<Vec<(Ident, Expr)>> {
        self.expect("PARTITION")?;
        self.paren_list(|p| {
            let key = p.ident("a partition column")?;
            p.expect_kind(TokenKind::Eq, "`=`")?;
            Ok((key, p.expr()?))
        })
    }

    // ---- materialized tables, views

    fn alter_materialized(&mut self) -> Result<AlterAction> {
        if self.eat("SUSPEND") {
            return Ok(AlterAction::Suspend);
        }
        if self.eat("RESUME") {
            return self.with_options().map(AlterAction::Resume);
        }
        if self.eat("REFRESH") {
            let spec = if self.at("PARTITION") { self.partition_spec()? } else { Vec::new() };
            return Ok(AlterAction::Refresh(spec));
        }
        if self.eat("REBUILD") {
            return Ok(AlterAction::Rebuild);
        }
        if let Some(action) = self.replay_action()? {
            return Ok(action);
        }
        if self.eat("AS") {
            return self.query().map(Box::new).map(AlterAction::As);
        }
        if self.eat_words(&["SET", "FRESHNESS"]) {
            self.expect_kind(TokenKind::Eq, "`=`")?;
            return self.expr().map(AlterAction::SetFreshness);
        }
        if self.eat_words(&["SET", "REFRESH_MODE"]) {
            self.expect_kind(TokenKind::Eq, "`=`")?;
            if !self.at_any(&["CONTINUOUS", "FULL"]) {
                return self.unexpected(&["CONTINUOUS", "FULL"]);
            }
            return Ok(AlterAction::SetRefreshMode(self.keyword()));
        }
        if let Some(action) = self.options_action()? {
            return Ok(action);
        }
        if self.at("RENAME") {
            return Err(self
                .unexpected_error(&["SUSPEND", "RESUME", "REFRESH", "REBUILD", "AS"])
                .with_hint("as in Flink, a materialized table keeps its name"));
        }
        match self.columns_action()? {
            Some(action) => Ok(action),
            None => self.unexpected(&[
                "SUSPEND", "RESUME", "REFRESH", "REBUILD", "REPLAY", "AS", "SET", "RESET", "ADD", "MODIFY", "DROP",
            ]),
        }
    }

    fn alter_view(&mut self) -> Result<AlterAction> {
        if self.eat_words(&["RENAME", "TO"]) {
            return self.object_name("a view name").map(AlterAction::RenameTo);
        }
        if self.eat("AS") {
            return self.query().map(Box::new).map(AlterAction::As);
        }
        self.unexpected(&["RENAME TO", "AS"])
    }

    // ---- catalogs, models

    fn alter_catalog(&mut self) -> Result<AlterAction> {
        if self.eat("COMMENT") {
            return self.text("a comment in quotes").map(AlterAction::Comment);
        }
        match self.options_action()? {
            Some(action) => Ok(action),
            None => self.unexpected(&["SET", "RESET", "COMMENT"]),
        }
    }

    fn alter_model(&mut self) -> Result<AlterAction> {
        if self.eat_words(&["RENAME", "TO"]) {
            return self.object_name("a model name").map(AlterAction::RenameTo);
        }
        match self.options_action()? {
            Some(action) => Ok(action),
            None => self.unexpected(&["RENAME TO", "SET", "RESET"]),
        }
    }
}
