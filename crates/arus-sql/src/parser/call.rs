//! Calls: arguments, what may follow them (FILTER, OVER, ..), and windows.

use super::{Parser, Result};
use crate::ast::*;
use crate::lexer::{TokenKind, is_reserved};

impl Parser<'_> {
    /// From the opening parenthesis on.
    pub(super) fn call(&mut self, name: ObjectName) -> Result<Call> {
        let mut call = Call {
            span: name.span,
            name,
            star: false,
            distinct: false,
            args: Vec::new(),
            order_by: Vec::new(),
            ignore_nulls: None,
            filter: None,
            over: None,
        };
        self.lparen()?;
        if self.kind() == TokenKind::Star {
            self.advance();
            if self.kind() != TokenKind::RParen {
                return self.unexpected(&["`)`"]);
            }
            call.star = true;
        } else if self.kind() != TokenKind::RParen {
            call.distinct = self.eat("DISTINCT");
            if !call.distinct {
                self.eat("ALL");
            }
            call.args = self.comma_list(Self::arg)?;
            if call.name.last().value.eq_ignore_ascii_case("ARRAY_AGG") && self.at_word(1, "NULLS") {
                self.null_treatment(&mut call);
            }
            if self.at("ORDER") {
                if !call.name.last().value.eq_ignore_ascii_case("ARRAY_AGG") {
                    return Err(self
                        .unexpected_error(&["`,`", "`)`"])
                        .with_hint("write WITHIN GROUP (ORDER BY ..) behind the parentheses"));
                }
                call.order_by = self.order_by()?;
            }
        }
        self.list_end()?;
        self.call_suffixes(&mut call)?;
        call.span = self.since(call.span);
        Ok(call)
    }

    fn call_suffixes(&mut self, call: &mut Call) -> Result<()> {
        loop {
            if self.at_word(1, "NULLS") && self.null_treatment(call) {
                continue;
            }
            if self.at("WITHIN") {
                call.order_by = self.within_group()?;
            } else if self.eat("FILTER") {
                self.lparen()?;
                self.expect("WHERE")?;
                call.filter = Some(self.boxed_expr()?);
                self.rparen()?;
            } else if self.eat("OVER") {
                call.over = Some(if self.kind() == TokenKind::LParen {
                    Over::Spec(Box::new(self.window_spec()?))
                } else {
                    Over::Name(self.ident("a window name")?)
                });
                return Ok(());
            } else {
                return Ok(());
            }
        }
    }

    /// `IGNORE NULLS` or `RESPECT NULLS`, where the second word is there.
    fn null_treatment(&mut self, call: &mut Call) -> bool {
        let ignore = self.at("IGNORE");
        if !ignore && !self.at("RESPECT") {
            return false;
        }
        self.pos += 2;
        call.ignore_nulls = Some(ignore);
        true
    }

    /// `WITHIN GROUP (ORDER BY ..)`
    pub(super) fn within_group(&mut self) -> Result<Vec<OrderItem>> {
        self.expect_words(&["WITHIN", "GROUP"])?;
        self.lparen()?;
        if !self.at("ORDER") {
            return self.unexpected(&["ORDER"]);
        }
        let items = self.order_by()?;
        self.list_end()?;
        Ok(items)
    }

    fn arg(&mut self) -> Result<Arg> {
        let start = self.span();
        let mut name = None;
        if self.at_name() && self.kind_at(1) == TokenKind::Arrow {
            name = Some(self.ident("an argument name")?);
            self.advance();
        }
        let value = self.arg_value()?;
        Ok(Arg { name, value, span: self.since(start) })
    }

    fn arg_value(&mut self) -> Result<ArgValue> {
        let start = self.span();
        if self.eat("DEFAULT") {
            return Ok(ArgValue::Default);
        }
        if self.at("DESCRIPTOR") && self.kind_at(1) == TokenKind::LParen {
            self.advance();
            return self.ident_list("a column name").map(ArgValue::Descriptor);
        }
        if self.at("TABLE") {
            self.advance();
            let source = TableArgSource::Name(self.object_name("a table name")?);
            return self.table_arg(source, start).map(ArgValue::Table);
        }
        let names_model =
            !is_reserved(self.word_at(1)) && !self.word_at(1).is_empty() || self.kind_at(1) == TokenKind::BackQuoted;
        if self.at("MODEL") && names_model {
            self.advance();
            self.object_name("a model name")?;
            return Ok(ArgValue::Expr(Expr {
                kind: ExprKind::Unsupported { what: "a MODEL argument".into() },
                span: self.since(start),
            }));
        }
        let expr = if self.query_at(0) {
            let query = self.query()?;
            Expr { span: query.span, kind: ExprKind::Subquery(Box::new(query)) }
        } else {
            self.expr()?
        };
        match expr.kind {
            ExprKind::Subquery(query) if self.at_words(&["PARTITION", "BY"]) || self.at_words(&["ORDER", "BY"]) => {
                self.table_arg(TableArgSource::Query(query), start).map(ArgValue::Table)
            }
            kind => Ok(ArgValue::Expr(Expr { kind, ..expr })),
        }
    }

    fn table_arg(&mut self, source: TableArgSource, start: Span) -> Result<Box<TableArg>> {
        let mut partition_by = Vec::new();
        if self.eat_words(&["PARTITION", "BY"]) {
            // Without parentheses a comma would begin the next argument.
            let key = self.expr()?;
            partition_by = match key.kind {
                ExprKind::Row(keys) => keys,
                kind => vec![Expr { kind, ..key }],
            };
        }
        let mut order_by = Vec::new();
        if self.eat_words(&["ORDER", "BY"]) {
            order_by = if self.kind() == TokenKind::LParen {
                self.paren_list(Self::order_item)?
            } else {
                vec![self.order_item()?]
            };
        }
        Ok(Box::new(TableArg { source, partition_by, order_by, span: self.since(start) }))
    }

    // ---- windows

    /// `(base PARTITION BY .. ORDER BY .. ROWS ..)`
    pub(super) fn window_spec(&mut self) -> Result<WindowSpec> {
        let start = self.span();
        self.lparen()?;
        let base = if self.at_name() { Some(self.ident("a window name")?) } else { None };
        let mut partition_by = Vec::new();
        if self.eat("PARTITION") {
            self.expect("BY")?;
            partition_by = self.comma_list(Self::expr)?;
        }
        let order_by = if self.at("ORDER") { self.order_by()? } else { Vec::new() };
        let frame = if self.at_any(&["ROWS", "RANGE"]) { Some(self.window_frame()?) } else { None };
        if !self.eat_words(&["ALLOW", "PARTIAL"]) {
            self.eat_words(&["DISALLOW", "PARTIAL"]);
        }
        if self.kind() != TokenKind::RParen {
            return self.unexpected(&["PARTITION BY", "ORDER BY", "ROWS", "RANGE", "`)`"]);
        }
        self.advance();
        Ok(WindowSpec { base, partition_by, order_by, frame, span: self.since(start) })
    }

    fn window_frame(&mut self) -> Result<WindowFrame> {
        let start = self.span();
        let rows = self.at("ROWS");
        self.advance();
        let (first, last) = if self.eat("BETWEEN") {
            let first = self.frame_bound()?;
            self.expect("AND")?;
            (first, Some(self.frame_bound()?))
        } else {
            (self.frame_bound()?, None)
        };
        Ok(WindowFrame { rows, start: first, end: last, span: self.since(start) })
    }

    fn frame_bound(&mut self) -> Result<FrameBound> {
        if self.eat("CURRENT") {
            self.expect("ROW")?;
            return Ok(FrameBound::CurrentRow);
        }
        let unbounded = self.at("UNBOUNDED") && (self.at_word(1, "PRECEDING") || self.at_word(1, "FOLLOWING"));
        let amount = if unbounded {
            self.advance();
            None
        } else {
            Some(self.expr()?)
        };
        let preceding = self.eat("PRECEDING");
        if !preceding && !self.eat("FOLLOWING") {
            return self.unexpected(&["PRECEDING", "FOLLOWING"]);
        }
        Ok(match (amount, preceding) {
            (None, true) => FrameBound::UnboundedPreceding,
            (None, false) => FrameBound::UnboundedFollowing,
            (Some(amount), true) => FrameBound::Preceding(amount),
            (Some(amount), false) => FrameBound::Following(amount),
        })
    }
}
