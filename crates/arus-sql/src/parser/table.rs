//! What stands in FROM: tables, subqueries, table functions, joins.

use super::{Parser, Result};
use crate::ast::*;
use crate::lexer::TokenKind;

impl Parser<'_> {
    /// One element of the comma-separated list: a table with all its joins.
    pub(super) fn table_ref(&mut self) -> Result<TableRef> {
        self.nested(Self::joined_table)
    }

    fn joined_table(&mut self) -> Result<TableRef> {
        let left = self.table_primary()?;
        self.joins(left)
    }

    fn joins(&mut self, first: TableRef) -> Result<TableRef> {
        let mut left = first;
        while let Some((kind, natural)) = self.join_ahead()? {
            let start = left.span;
            let right = self.table_primary()?;
            let condition = if self.eat("ON") {
                JoinCondition::On(self.expr()?)
            } else if self.eat("USING") {
                JoinCondition::Using(self.ident_list("a column name")?)
            } else {
                JoinCondition::None
            };
            self.grow(1)?;
            left = TableRef {
                kind: TableKind::Join(Box::new(Join { kind, natural, left, right, condition })),
                alias: None,
                span: self.since(start),
            };
        }
        Ok(left)
    }

    /// Takes the words of a join, if they are there.
    fn join_ahead(&mut self) -> Result<Option<(JoinKind, bool)>> {
        let natural = self.at("NATURAL");
        let first = usize::from(natural);
        let kinds = [
            ("JOIN", JoinKind::Inner),
            ("INNER", JoinKind::Inner),
            ("LEFT", JoinKind::Left),
            ("RIGHT", JoinKind::Right),
            ("FULL", JoinKind::Full),
            ("CROSS", JoinKind::Cross),
        ];
        let Some((word, kind)) = kinds.iter().find(|(word, _)| self.at_word(first, word)) else {
            if natural {
                self.advance();
                return self.unexpected(&["JOIN"]);
            }
            return Ok(None);
        };
        self.pos += first + 1;
        if *word != "JOIN" {
            if matches!(kind, JoinKind::Left | JoinKind::Right | JoinKind::Full) {
                self.eat("OUTER");
            }
            self.expect("JOIN")?;
        }
        Ok(Some((*kind, natural)))
    }

    fn table_primary(&mut self) -> Result<TableRef> {
        let start = self.span();
        let lateral = self.eat("LATERAL");
        if self.kind() == TokenKind::LParen {
            return self.parenthesised(start, lateral);
        }
        if self.at("UNNEST") && self.kind_at(1) == TokenKind::LParen {
            self.advance();
            let exprs = self.paren_list(Self::expr)?;
            let with_ordinality = self.eat_words(&["WITH", "ORDINALITY"]);
            return self.aliased(TableKind::Unnest { exprs, with_ordinality }, start);
        }
        if self.at("TABLE") && self.kind_at(1) == TokenKind::LParen {
            self.pos += 2;
            let name = self.object_name("a table function")?;
            let call = Box::new(self.table_call(name)?);
            self.rparen()?;
            return self.aliased(TableKind::Function { call, lateral }, start);
        }
        if lateral {
            return self.unexpected(&["TABLE(", "`(`"]);
        }
        if self.query_at(0) {
            return Err(self.unexpected_error(&["a table name"]).with_hint("a query in FROM stands in parentheses"));
        }
        let name = self.object_name("a table name")?;
        if self.kind() == TokenKind::LParen {
            let call = Box::new(self.table_call(name)?);
            return self.aliased(TableKind::Function { call, lateral }, start);
        }
        let hints = self.hints()?;
        let mut system_time = None;
        if self.eat_words(&["FOR", "SYSTEM_TIME"]) {
            self.expect_words(&["AS", "OF"])?;
            system_time = Some(self.expr()?);
        }
        self.aliased(TableKind::Named { name, hints, system_time }, start)
    }

    /// A call whose queries are tables, not scalars: `TUMBLE((SELECT ..), ..)`.
    fn table_call(&mut self, name: ObjectName) -> Result<Call> {
        let mut call = self.call(name)?;
        for arg in &mut call.args {
            arg.value = match std::mem::replace(&mut arg.value, ArgValue::Default) {
                ArgValue::Expr(Expr { kind: ExprKind::Subquery(query), span }) => {
                    let source = TableArgSource::Query(query);
                    ArgValue::Table(Box::new(TableArg { source, partition_by: Vec::new(), order_by: Vec::new(), span }))
                }
                value => value,
            };
        }
        Ok(call)
    }

    /// `(query) alias`, or joined tables in parentheses.
    fn parenthesised(&mut self, start: Span, lateral: bool) -> Result<TableRef> {
        self.lparen()?;
        let query = if self.query_at(0) {
            self.query()?
        } else {
            let inner = self.table_ref()?;
            match inner.kind {
                TableKind::Subquery { query, lateral: false } if inner.alias.is_none() => {
                    self.query_from(SetExpr::Query(query), inner.span)?
                }
                kind @ (TableKind::Join(_) | TableKind::Unsupported { .. }) if !lateral => {
                    self.rparen()?;
                    return Ok(TableRef { kind, alias: inner.alias, span: self.since(start) });
                }
                _ => {
                    return Err(super::ParseError::new(
                        inner.span,
                        "expected a query or a join in the parentheses, found a table",
                    )
                    .with_hint("leave the parentheses out"));
                }
            }
        };
        self.rparen()?;
        self.aliased(TableKind::Subquery { query: Box::new(query), lateral }, start)
    }

    fn aliased(&mut self, kind: TableKind, start: Span) -> Result<TableRef> {
        let table = TableRef { kind, alias: None, span: self.since(start) };
        let mut table = self.known_by_name(table)?;
        if self.eat("AS") || self.at_name() {
            let name = self.ident("a table alias")?;
            let columns = if self.kind() == TokenKind::LParen { self.ident_list("a column name")? } else { Vec::new() };
            table.alias = Some(TableAlias { name, columns });
            table.span = self.since(start);
        }
        let misplaced = match self.kind() {
            TokenKind::HintStart => Some("the hint stands right behind the table's name, before its alias"),
            _ if self.at_words(&["FOR", "SYSTEM_TIME"]) => {
                Some("FOR SYSTEM_TIME AS OF stands right behind the table's name, before its alias")
            }
            _ => None,
        };
        if let Some(hint) = misplaced {
            return Err(self.unexpected_error(&["a join", "the end of FROM"]).with_hint(hint));
        }
        self.known_by_name(table)
    }

    /// MATCH_RECOGNIZE and others that are recognised and skipped.
    fn known_by_name(&mut self, input: TableRef) -> Result<TableRef> {
        let start = input.span;
        let skipped = ["MATCH_RECOGNIZE", "PIVOT", "UNPIVOT", "TABLESAMPLE"];
        let Some(what) = skipped.iter().find(|word| self.at(word)) else {
            return Ok(input);
        };
        self.advance();
        while self.kind() == TokenKind::Word {
            self.advance();
        }
        if self.kind() != TokenKind::LParen {
            return self.unexpected(&["`(`"]);
        }
        self.skip_parentheses()?;
        if *what == "TABLESAMPLE" && self.eat("REPEATABLE") {
            self.skip_parentheses()?;
        }
        self.grow(1)?;
        Ok(TableRef {
            kind: TableKind::Unsupported { what: what.to_string(), input: Box::new(input) },
            alias: None,
            span: self.since(start),
        })
    }

    /// Everything from `(` to its `)`.
    fn skip_parentheses(&mut self) -> Result<()> {
        self.lparen()?;
        let mut open = 1;
        while open > 0 {
            match self.kind() {
                TokenKind::LParen => open += 1,
                TokenKind::RParen => open -= 1,
                TokenKind::End | TokenKind::Semicolon => return self.unexpected(&["`)`"]),
                _ => {}
            }
            self.advance();
        }
        Ok(())
    }
}
