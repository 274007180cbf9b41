//! Queries: WITH, set operations, SELECT and its clauses.

use super::{ParseError, Parser, Result};
use crate::ast::*;
use crate::lexer::TokenKind;

impl Parser<'_> {
    pub(super) fn query(&mut self) -> Result<Query> {
        self.nested(Self::query_here)
    }

    fn query_here(&mut self) -> Result<Query> {
        let start = self.span();
        let mut with = Vec::new();
        if self.eat("WITH") {
            if self.at("RECURSIVE") {
                return Err(ParseError::new(self.span(), "WITH RECURSIVE is not supported"));
            }
            with = self.comma_list(Self::common_table)?;
        }
        let first = self.query_term()?;
        let mut query = self.query_from(first, start)?;
        query.with = with;
        Ok(query)
    }

    /// The rest of a query whose first operand is already there.
    pub(super) fn query_from(&mut self, first: SetExpr, start: Span) -> Result<Query> {
        let body = self.set_operations(first, 1)?;
        let order_by = if self.at("ORDER") { self.order_by()? } else { Vec::new() };
        let (limit, offset) = self.limit_and_offset()?;
        Ok(Query { with: Vec::new(), body, order_by, offset, limit, span: self.since(start) })
    }

    /// What can only follow a query.
    pub(super) fn at_query_tail(&self) -> bool {
        self.at_any(&["UNION", "INTERSECT", "EXCEPT", "MINUS", "ORDER", "LIMIT", "OFFSET", "FETCH"])
    }

    fn common_table(&mut self) -> Result<CommonTable> {
        let name = self.ident("a name for the query")?;
        let start = name.span;
        let columns = if self.kind() == TokenKind::LParen { self.ident_list("a column name")? } else { Vec::new() };
        self.expect("AS")?;
        self.lparen()?;
        let query = self.query()?;
        self.rparen()?;
        Ok(CommonTable { name, columns, query, span: self.since(start) })
    }

    fn query_term(&mut self) -> Result<SetExpr> {
        let start = self.span();
        if self.at("SELECT") {
            return Ok(SetExpr::Select(Box::new(self.select()?)));
        }
        if self.eat("VALUES") {
            let rows = self.comma_list(Self::values_row)?;
            return Ok(SetExpr::Values(Values { rows, span: self.since(start) }));
        }
        if self.eat("TABLE") {
            return self.object_name("a table name").map(SetExpr::Table);
        }
        if self.eat_kind(TokenKind::LParen) {
            let query = self.query()?;
            self.rparen()?;
            return Ok(SetExpr::Query(Box::new(query)));
        }
        self.unexpected(&["SELECT", "VALUES", "WITH", "`(`"])
    }

    fn values_row(&mut self) -> Result<Vec<Expr>> {
        let row = self.expr()?;
        Ok(match row.kind {
            ExprKind::Row(cells) => cells,
            kind => vec![Expr { kind, ..row }],
        })
    }

    /// INTERSECT binds more tightly than UNION and EXCEPT; equals from the left.
    fn set_operations(&mut self, first: SetExpr, least: u8) -> Result<SetExpr> {
        let mut left = first;
        loop {
            let (op, precedence) = if self.at("UNION") {
                (SetOperator::Union, 1)
            } else if self.at("EXCEPT") {
                (SetOperator::Except, 1)
            } else if self.at("INTERSECT") {
                (SetOperator::Intersect, 2)
            } else if self.at("MINUS") {
                return Err(ParseError::new(self.span(), "MINUS is not a set operation here").with_hint("write EXCEPT"));
            } else {
                return Ok(left);
            };
            if precedence < least {
                return Ok(left);
            }
            self.advance();
            let all = self.eat("ALL");
            if !all {
                self.eat("DISTINCT");
            }
            let right = self.query_term()?;
            let right = self.set_operations(right, precedence + 1)?;
            self.grow(1)?;
            left = SetExpr::SetOp(Box::new(SetOp { span: left.span().to(right.span()), op, all, left, right }));
        }
    }

    pub(super) fn order_by(&mut self) -> Result<Vec<OrderItem>> {
        self.expect_words(&["ORDER", "BY"])?;
        self.comma_list(Self::order_item)
    }

    pub(super) fn order_item(&mut self) -> Result<OrderItem> {
        let expr = self.expr()?;
        let start = expr.span;
        let descending = self.eat("DESC");
        if !descending {
            self.eat("ASC");
        }
        let mut nulls_first = None;
        if self.eat("NULLS") {
            let first = self.eat("FIRST");
            if !first && !self.eat("LAST") {
                return self.unexpected(&["FIRST", "LAST"]);
            }
            nulls_first = Some(first);
        }
        Ok(OrderItem { expr, descending, nulls_first, span: self.since(start) })
    }

    fn limit_and_offset(&mut self) -> Result<(Option<Expr>, Option<Expr>)> {
        let (mut limit, mut offset) = (None, None);
        let mut limited = false;
        if self.eat("LIMIT") {
            limited = true;
            if !self.eat("ALL") {
                limit = Some(self.row_count()?);
            }
            if self.kind() == TokenKind::Comma {
                return Err(self
                    .unexpected_error(&["OFFSET", "the end of the query"])
                    .with_hint("write LIMIT count OFFSET start"));
            }
        }
        if self.eat("OFFSET") {
            offset = Some(self.row_count()?);
            if !self.eat("ROWS") {
                self.eat("ROW");
            }
            if self.at("LIMIT") {
                return Err(self.unexpected_error(&["the end of the query"]).with_hint("LIMIT stands before OFFSET"));
            }
        }
        if !limited && self.eat("FETCH") {
            if !self.eat("FIRST") {
                self.expect("NEXT")?;
            }
            limit = Some(self.row_count()?);
            if !self.eat("ROWS") {
                self.expect("ROW")?;
            }
            self.expect("ONLY")?;
        }
        Ok((limit, offset))
    }

    fn row_count(&mut self) -> Result<Expr> {
        if self.kind() != TokenKind::Integer {
            return self.unexpected(&["a number of rows"]);
        }
        self.primary()
    }

    // ---- SELECT

    fn select(&mut self) -> Result<Select> {
        let start = self.span();
        self.expect("SELECT")?;
        let hints = self.hints()?;
        if self.at("STREAM") {
            return Err(ParseError::new(self.span(), "SELECT STREAM is not supported")
                .with_hint("leave STREAM out: every query is continuous"));
        }
        let distinct = self.eat("DISTINCT");
        if !distinct {
            self.eat("ALL");
        }
        let items = self.comma_list(Self::select_item)?;
        let from = if self.eat("FROM") { self.comma_list(Self::table_ref)? } else { Vec::new() };
        if from.is_empty() && self.at_any(&["WHERE", "GROUP", "HAVING", "WINDOW", "QUALIFY"]) {
            return self.unexpected(&["FROM"]);
        }
        let filter = if self.eat("WHERE") { Some(self.expr()?) } else { None };
        let group_by = if self.at("GROUP") { Some(self.group_by()?) } else { None };
        let having = if self.eat("HAVING") { Some(self.expr()?) } else { None };
        let windows = if self.eat("WINDOW") { self.comma_list(Self::named_window)? } else { Vec::new() };
        let qualify = if self.eat("QUALIFY") { Some(self.expr()?) } else { None };
        Ok(Select { hints, distinct, items, from, filter, group_by, having, windows, qualify, span: self.since(start) })
    }

    fn select_item(&mut self) -> Result<SelectItem> {
        let start = self.span();
        if self.eat_kind(TokenKind::Star) {
            return Ok(SelectItem::Wildcard { qualifier: Vec::new(), span: start });
        }
        let expr = self.expr()?;
        if self.kind() == TokenKind::Dot && self.kind_at(1) == TokenKind::Star {
            let ExprKind::Name(qualifier) = expr.kind else {
                return Err(ParseError::new(self.span(), "only a table name can stand before .*"));
            };
            self.pos += 2;
            return Ok(SelectItem::Wildcard { qualifier, span: self.since(start) });
        }
        let alias = if self.eat("AS") {
            if matches!(self.kind(), TokenKind::String) {
                return Err(self
                    .unexpected_error(&["a column name"])
                    .with_hint("names stand in back-ticks, strings in quotes"));
            }
            Some(self.ident("a column name")?)
        } else if self.at_name() {
            Some(self.ident("a column name")?)
        } else {
            None
        };
        Ok(SelectItem::Expr { expr, alias })
    }

    fn named_window(&mut self) -> Result<NamedWindow> {
        let name = self.ident("a window name")?;
        self.expect("AS")?;
        Ok(NamedWindow { name, spec: self.window_spec()? })
    }

    fn group_by(&mut self) -> Result<GroupBy> {
        let start = self.span();
        self.expect_words(&["GROUP", "BY"])?;
        let distinct = self.eat("DISTINCT");
        if !distinct {
            self.eat("ALL");
        }
        let items = self.comma_list(Self::group_item)?;
        Ok(GroupBy { distinct, items, span: self.since(start) })
    }

    fn group_item(&mut self) -> Result<GroupItem> {
        self.nested(Self::group_item_here)
    }

    fn group_item_here(&mut self) -> Result<GroupItem> {
        let start = self.span();
        if self.kind() == TokenKind::LParen && self.kind_at(1) == TokenKind::RParen {
            self.pos += 2;
            return Ok(GroupItem::Empty(self.since(start)));
        }
        if self.eat_words(&["GROUPING", "SETS"]) {
            let items = self.paren_list(Self::group_item)?;
            return Ok(GroupItem::GroupingSets(items, self.since(start)));
        }
        if self.kind_at(1) == TokenKind::LParen && self.at_any(&["CUBE", "ROLLUP"]) {
            let cube = self.at("CUBE");
            self.advance();
            let items = self.paren_list(Self::group_item)?;
            let span = self.since(start);
            return Ok(if cube { GroupItem::Cube(items, span) } else { GroupItem::Rollup(items, span) });
        }
        let parenthesised = self.kind() == TokenKind::LParen;
        let expr = self.expr()?;
        Ok(match expr.kind {
            ExprKind::Row(items) if parenthesised => GroupItem::Tuple(items, expr.span),
            kind => GroupItem::Expr(Expr { kind, ..expr }),
        })
    }

    // ---- hints

    /// `/*+ NAME(..), .. */`, if it is there.
    pub(super) fn hints(&mut self) -> Result<Vec<Hint>> {
        if !self.eat_kind(TokenKind::HintStart) {
            return Ok(Vec::new());
        }
        let hints = self.comma_list(Self::hint)?;
        if self.kind() != TokenKind::HintEnd {
            return self.unexpected(&["`,`", "`*/`"]);
        }
        self.advance();
        Ok(hints)
    }

    fn hint(&mut self) -> Result<Hint> {
        let name = self.ident("a hint name")?;
        let start = name.span;
        let mut args = HintArgs::None;
        if self.eat_kind(TokenKind::LParen) {
            if self.kind() != TokenKind::RParen {
                args = self.hint_args()?;
            }
            self.list_end()?;
        }
        Ok(Hint { name, args, span: self.since(start) })
    }

    fn hint_args(&mut self) -> Result<HintArgs> {
        if self.kind_at(1) == TokenKind::Eq {
            let pairs = self.comma_list(|p| {
                let key = p.hint_word()?;
                p.expect_kind(TokenKind::Eq, "`=`")?;
                Ok((key, p.text("a value in quotes")?))
            })?;
            return Ok(HintArgs::KeyValue(pairs));
        }
        self.comma_list(Self::hint_word).map(HintArgs::List)
    }

    fn hint_word(&mut self) -> Result<Text> {
        if let Some(text) = self.string_literal()? {
            return Ok(text);
        }
        if matches!(self.kind(), TokenKind::Integer | TokenKind::Decimal) {
            let token = self.advance();
            return Ok(Text { value: token.span.of(self.text).to_string(), span: token.span });
        }
        let name = self.ident("a hint option")?;
        Ok(Text { value: name.value, span: name.span })
    }
}
