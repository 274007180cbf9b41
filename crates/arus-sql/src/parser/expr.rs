//! Operators by precedence, as Calcite has them: OR, AND, NOT, IS, comparison, BETWEEN / IN / LIKE, `+ -`, `* / % ||`, sign.

use super::{Parser, Result};
use crate::ast::*;
use crate::lexer::TokenKind;

/// Longer chains of AND or OR become balanced trees, so that generated filters with thousands of terms stay low.
const CHAIN_LEFT_DEEP_MAX: usize = 32;

pub(crate) const OR: u8 = 22;
pub(crate) const AND: u8 = 24;
pub(crate) const NOT: u8 = 26;
pub(crate) const IS: u8 = 28;
pub(crate) const COMPARISON: u8 = 30;
pub(crate) const RANGE: u8 = 32;
pub(crate) const SUM: u8 = 40;
pub(crate) const PRODUCT: u8 = 60;
pub(crate) const SIGN: u8 = 80;

#[derive(Clone, Copy)]
enum Infix {
    Binary(BinaryOp),
    Is,
    IsDistinct,
    Between,
    In,
    Like(LikeKind),
    /// Words of a period predicate.
    Period(usize),
    /// Words of an operator on multisets.
    Multiset(usize),
}

impl Parser<'_> {
    pub(super) fn expr(&mut self) -> Result<Expr> {
        self.nested(|p| p.expr_above(0))
    }

    pub(super) fn boxed_expr(&mut self) -> Result<Box<Expr>> {
        self.expr().map(Box::new)
    }

    /// An operand whose operators all bind at least as tightly as `least`.
    fn operand(&mut self, least: u8) -> Result<Expr> {
        self.nested(|p| p.expr_above(least))
    }

    /// The first operand of `POSITION(a IN b)`.
    pub(super) fn operand_before_in(&mut self) -> Result<Expr> {
        self.expr_above(RANGE + 1)
    }

    fn expr_above(&mut self, least: u8) -> Result<Expr> {
        let mut left = self.prefixed()?;
        while let Some((infix, precedence)) = self.infix_ahead() {
            if precedence < least {
                break;
            }
            left = self.infix(left, infix, precedence)?;
        }
        Ok(left)
    }

    fn prefixed(&mut self) -> Result<Expr> {
        let start = self.span();
        let (op, precedence) = match self.kind() {
            TokenKind::Minus => (UnaryOp::Minus, SIGN),
            TokenKind::Plus => (UnaryOp::Plus, SIGN),
            TokenKind::Word if self.at("NOT") => (UnaryOp::Not, NOT + 1),
            _ => return self.postfixed(),
        };
        self.advance();
        let operand = self.operand(precedence)?;
        let span = start.to(operand.span);
        let kind = match (op, operand.kind) {
            (
                UnaryOp::Plus,
                ExprKind::Literal(number @ (Literal::Integer(_) | Literal::Decimal(_) | Literal::Approximate(_))),
            ) => ExprKind::Literal(number),
            (UnaryOp::Minus, ExprKind::Literal(Literal::Integer(n))) => ExprKind::Literal(Literal::Integer(negated(n))),
            (UnaryOp::Minus, ExprKind::Literal(Literal::Decimal(n))) => ExprKind::Literal(Literal::Decimal(negated(n))),
            (UnaryOp::Minus, ExprKind::Literal(Literal::Approximate(n))) => {
                ExprKind::Literal(Literal::Approximate(negated(n)))
            }
            (op, kind) => ExprKind::Unary { op, operand: Box::new(Expr { kind, span: operand.span }) },
        };
        Ok(Expr { kind, span })
    }

    /// A primary with `[i]` and `.field` behind it.
    fn postfixed(&mut self) -> Result<Expr> {
        let mut expr = self.primary()?;
        let start = expr.span;
        loop {
            let kind = if self.eat_kind(TokenKind::LBracket) {
                let index = self.boxed_expr()?;
                self.expect_kind(TokenKind::RBracket, "`]`")?;
                ExprKind::Item { operand: Box::new(expr), index }
            } else if self.kind() == TokenKind::Dot && self.kind_at(1) != TokenKind::Star {
                self.advance();
                let field = self.ident("a field name")?;
                ExprKind::Field { operand: Box::new(expr), field }
            } else {
                return Ok(expr);
            };
            self.grow(1)?;
            expr = Expr { kind, span: self.since(start) };
        }
    }

    fn infix_ahead(&self) -> Option<(Infix, u8)> {
        use BinaryOp::*;
        let binary = |op, precedence| Some((Infix::Binary(op), precedence));
        match self.kind() {
            TokenKind::Eq => binary(Eq, COMPARISON),
            TokenKind::NotEq => binary(NotEq, COMPARISON),
            TokenKind::Lt => binary(Lt, COMPARISON),
            TokenKind::LtEq => binary(LtEq, COMPARISON),
            TokenKind::Gt => binary(Gt, COMPARISON),
            TokenKind::GtEq => binary(GtEq, COMPARISON),
            TokenKind::Plus => binary(Plus, SUM),
            TokenKind::Minus => binary(Minus, SUM),
            TokenKind::Star => binary(Multiply, PRODUCT),
            TokenKind::Slash => binary(Divide, PRODUCT),
            TokenKind::Percent => binary(Modulo, PRODUCT),
            TokenKind::Concat => binary(Concat, PRODUCT),
            TokenKind::Word => self.word_infix_ahead(),
            _ => None,
        }
    }

    fn word_infix_ahead(&self) -> Option<(Infix, u8)> {
        if self.at("OR") {
            return Some((Infix::Binary(BinaryOp::Or), OR));
        }
        if self.at("AND") {
            return Some((Infix::Binary(BinaryOp::And), AND));
        }
        if self.at("IS") {
            let distinct = 1 + usize::from(self.at_word(1, "NOT"));
            if self.at_word(distinct, "DISTINCT") {
                return Some((Infix::IsDistinct, COMPARISON));
            }
            return Some((Infix::Is, IS));
        }
        let first = usize::from(self.at("NOT"));
        let ranges = [
            ("BETWEEN", Infix::Between),
            ("IN", Infix::In),
            ("LIKE", Infix::Like(LikeKind::Like)),
            ("SIMILAR", Infix::Like(LikeKind::SimilarTo)),
            ("ILIKE", Infix::Like(LikeKind::ILike)),
            ("RLIKE", Infix::Like(LikeKind::RLike)),
        ];
        if let Some((_, infix)) = ranges.iter().find(|(word, _)| self.at_word(first, word)) {
            return Some((*infix, RANGE));
        }
        if first == 1 {
            return None;
        }
        if self.at_any(&["OVERLAPS", "CONTAINS", "EQUALS", "PRECEDES", "SUCCEEDS"]) {
            return Some((Infix::Period(1), COMPARISON));
        }
        if self.at("IMMEDIATELY") && ["PRECEDES", "SUCCEEDS"].iter().any(|w| self.at_word(1, w)) {
            return Some((Infix::Period(2), COMPARISON));
        }
        if self.at_words(&["MEMBER", "OF"]) || self.at_words(&["SUBMULTISET", "OF"]) {
            return Some((Infix::Multiset(2), COMPARISON));
        }
        if self.at("MULTISET") {
            return Some((Infix::Multiset(2), SUM));
        }
        None
    }

    fn infix(&mut self, left: Expr, infix: Infix, precedence: u8) -> Result<Expr> {
        let start = left.span;
        let kind = match infix {
            Infix::Binary(op @ (BinaryOp::And | BinaryOp::Or)) => return self.chain(left, op, precedence),
            Infix::Binary(op) => self.binary(left, op, precedence)?,
            Infix::Is => self.is_test(left)?,
            Infix::IsDistinct => {
                self.advance();
                let negated = self.eat("NOT");
                self.expect_words(&["DISTINCT", "FROM"])?;
                ExprKind::IsDistinctFrom {
                    left: Box::new(left),
                    right: Box::new(self.operand(precedence + 1)?),
                    negated,
                }
            }
            Infix::Between => self.between(left)?,
            Infix::In => self.in_test(left)?,
            Infix::Like(kind) => self.like(left, kind)?,
            Infix::Period(words) => ExprKind::Period {
                predicate: self.operator_words(words),
                left: Box::new(left),
                right: Box::new(self.operand(precedence + 1)?),
            },
            Infix::Multiset(words) => {
                let what = self.operator_words(words);
                if !self.eat("ALL") {
                    self.eat("DISTINCT");
                }
                self.operand(precedence + 1)?;
                ExprKind::Unsupported { what }
            }
        };
        self.grow(1)?;
        Ok(Expr { kind, span: self.since(start) })
    }

    /// The next words in capitals.
    fn operator_words(&mut self, count: usize) -> String {
        let words: Vec<String> = (0..count).map(|i| self.word_at(i).to_ascii_uppercase()).collect();
        self.pos += count;
        words.join(" ")
    }

    fn chain(&mut self, left: Expr, op: BinaryOp, precedence: u8) -> Result<Expr> {
        let mut operands = vec![left];
        while self.eat(op.as_str()) {
            operands.push(self.operand(precedence + 1)?);
        }
        self.grow(operands.len().min(CHAIN_LEFT_DEEP_MAX) as u32)?;
        if operands.len() > CHAIN_LEFT_DEEP_MAX {
            return Ok(balanced(op, operands));
        }
        let joined = operands.into_iter().reduce(|left, right| joined(op, left, right));
        Ok(joined.expect("a chain has its left operand"))
    }

    fn binary(&mut self, left: Expr, op: BinaryOp, precedence: u8) -> Result<ExprKind> {
        self.advance();
        if precedence == COMPARISON && self.at_any(&["ALL", "ANY", "SOME"]) && self.kind_at(1) == TokenKind::LParen {
            let quantifier = if self.at("ALL") { Quantifier::All } else { Quantifier::Any };
            self.advance();
            let source = match self.query_or_list()? {
                QueryOrList::Query(query) => QuantifiedSource::Query(query),
                QueryOrList::List(list) => QuantifiedSource::List(list),
            };
            return Ok(ExprKind::Quantified { op, quantifier, operand: Box::new(left), source });
        }
        let right = self.operand(precedence + 1)?;
        Ok(ExprKind::Binary { op, left: Box::new(left), right: Box::new(right) })
    }

    fn is_test(&mut self, operand: Expr) -> Result<ExprKind> {
        self.expect("IS")?;
        let negated = self.eat("NOT");
        let tests = [
            ("NULL", IsTest::Null),
            ("TRUE", IsTest::True),
            ("FALSE", IsTest::False),
            ("UNKNOWN", IsTest::Unknown),
            ("EMPTY", IsTest::Empty),
        ];
        let simple = tests.iter().find(|(word, _)| self.at(word));
        let test = if let Some((_, test)) = simple {
            self.advance();
            *test
        } else if self.eat_words(&["A", "SET"]) {
            IsTest::ASet
        } else if self.eat("JSON") {
            let kinds = [
                ("VALUE", IsTest::JsonValue),
                ("SCALAR", IsTest::JsonScalar),
                ("ARRAY", IsTest::JsonArray),
                ("OBJECT", IsTest::JsonObject),
            ];
            match kinds.iter().find(|(word, _)| self.at(word)) {
                Some((_, test)) => {
                    self.advance();
                    *test
                }
                None => IsTest::JsonValue,
            }
        } else {
            return self.unexpected(&["NULL", "TRUE", "FALSE", "UNKNOWN", "JSON", "DISTINCT FROM"]);
        };
        Ok(ExprKind::Is { operand: Box::new(operand), test, negated })
    }

    fn between(&mut self, operand: Expr) -> Result<ExprKind> {
        let negated = self.eat("NOT");
        self.expect("BETWEEN")?;
        let symmetric = self.eat("SYMMETRIC");
        if !symmetric {
            self.eat("ASYMMETRIC");
        }
        let low = self.operand(AND + 1)?;
        self.expect("AND")?;
        let high = self.operand(RANGE + 1)?;
        Ok(ExprKind::Between {
            operand: Box::new(operand),
            low: Box::new(low),
            high: Box::new(high),
            symmetric,
            negated,
        })
    }

    fn in_test(&mut self, operand: Expr) -> Result<ExprKind> {
        let negated = self.eat("NOT");
        self.expect("IN")?;
        let operand = Box::new(operand);
        Ok(match self.query_or_list()? {
            QueryOrList::Query(query) => ExprKind::InQuery { operand, query, negated },
            QueryOrList::List(list) => ExprKind::InList { operand, list, negated },
        })
    }

    fn like(&mut self, operand: Expr, kind: LikeKind) -> Result<ExprKind> {
        let negated = self.eat("NOT");
        self.advance();
        if kind == LikeKind::SimilarTo {
            self.expect("TO")?;
        }
        // LIKE groups to the right.
        let pattern = self.operand(RANGE)?;
        let escape = if self.eat("ESCAPE") { Some(Box::new(self.operand(RANGE + 1)?)) } else { None };
        Ok(ExprKind::Like { kind, operand: Box::new(operand), pattern: Box::new(pattern), escape, negated })
    }

    /// `(query)` or `(a, b, ..)` with its parentheses.
    pub(super) fn query_or_list(&mut self) -> Result<QueryOrList> {
        self.lparen()?;
        let body = if self.query_at(0) {
            QueryOrList::Query(Box::new(self.query()?))
        } else {
            let first = self.expr()?;
            match first.kind {
                // What looked like an operand is the first query of a larger one, or a query in two pairs of parentheses.
                ExprKind::Subquery(query) if self.at_query_tail() || self.kind() == TokenKind::RParen => {
                    QueryOrList::Query(Box::new(self.query_from(SetExpr::Query(query), first.span)?))
                }
                kind => {
                    let mut list = vec![Expr { kind, ..first }];
                    while self.eat_kind(TokenKind::Comma) {
                        list.push(self.expr()?);
                    }
                    QueryOrList::List(list)
                }
            }
        };
        match body {
            QueryOrList::Query(_) => self.rparen()?,
            QueryOrList::List(_) => self.list_end()?,
        };
        Ok(body)
    }
}

pub(super) enum QueryOrList {
    Query(Box<Query>),
    List(Vec<Expr>),
}

fn negated(number: String) -> String {
    match number.strip_prefix('-') {
        Some(positive) => positive.to_string(),
        None => format!("-{number}"),
    }
}

fn joined(op: BinaryOp, left: Expr, right: Expr) -> Expr {
    Expr { span: left.span.to(right.span), kind: ExprKind::Binary { op, left: Box::new(left), right: Box::new(right) } }
}

/// The operands in order, as a tree of least height.
fn balanced(op: BinaryOp, operands: Vec<Expr>) -> Expr {
    let mut level = operands;
    while level.len() > 1 {
        let mut pairs = Vec::with_capacity(level.len().div_ceil(2));
        let mut rest = level.into_iter();
        while let Some(left) = rest.next() {
            pairs.push(match rest.next() {
                Some(right) => joined(op, left, right),
                None => left,
            });
        }
        level = pairs;
    }
    level.pop().expect("a chain has its left operand")
}
