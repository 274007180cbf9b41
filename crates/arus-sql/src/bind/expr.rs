//! Scalar expressions.

use arus_core::error::Code;
use arus_core::expr::Expr;
use arus_core::function::{AggregateFunction, Argument};
use arus_core::types::{LogicalType, TypeKind};
use arus_core::{Datum, Error, Result};

use super::Binder;
use super::group_window::GroupWindow;
use super::grouping::FoundGrouping;
use super::literal::string_literal;
use super::scope::Scope;
use super::types::same_values;
use crate::ast::{self, BinaryOp, ExprKind, IsTest, LikeKind, Span, UnaryOp};

/// Columns from here on are the results of aggregates, until the aggregate is planned.
pub(crate) const AGGREGATE_BASE: usize = 1 << 32;

/// And from here on those of GROUPING and the like.
pub(crate) const GROUPING_BASE: usize = 1 << 33;

/// An aggregate call that was found in an expression.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct FoundCall {
    pub(crate) function: AggregateFunction,
    pub(crate) args: Vec<Expr>,
    pub(crate) distinct: bool,
    /// Never NULL.
    pub(crate) filter: Option<Expr>,
    pub(crate) ty: LogicalType,
}

/// What an expression may name, and what was found in it.
pub(crate) struct Cx<'s> {
    pub(crate) scope: &'s Scope,
    /// The clause that refuses aggregates, or `None` where they are allowed.
    pub(crate) no_aggregates: Option<&'static str>,
    pub(crate) calls: Vec<FoundCall>,
    pub(crate) groupings: Vec<FoundGrouping>,
    /// Where each column was first named, for errors that are found later.
    pub(crate) named: Vec<(usize, Span)>,
    /// Every part of a name that stands without back-ticks.
    pub(crate) bare: Vec<Span>,
    /// The window that GROUP BY makes.
    pub(crate) group_window: Option<&'s GroupWindow>,
    /// Whether aggregates are over all rows: without GROUP BY.
    pub(crate) global: bool,
    inside_aggregate: bool,
}

impl<'s> Cx<'s> {
    pub(crate) fn scalar(scope: &'s Scope, clause: &'static str) -> Self {
        Cx { no_aggregates: Some(clause), ..Cx::grouped(scope, false) }
    }

    pub(crate) fn grouped(scope: &'s Scope, global: bool) -> Self {
        Cx {
            scope,
            no_aggregates: None,
            calls: vec![],
            groupings: vec![],
            named: vec![],
            bare: vec![],
            group_window: None,
            global,
            inside_aggregate: false,
        }
    }

    pub(crate) fn enter_aggregate(&mut self) -> bool {
        !std::mem::replace(&mut self.inside_aggregate, true)
    }

    pub(crate) fn leave_aggregate(&mut self) {
        self.inside_aggregate = false;
    }
}

impl Binder<'_> {
    pub(crate) fn expr(&self, e: &ast::Expr, cx: &mut Cx<'_>) -> Result<Expr> {
        let span = e.span;
        match &e.kind {
            ExprKind::Literal(literal) => self.literal(literal, span),
            ExprKind::Name(parts) => {
                let expr = match self.name(parts, cx.scope) {
                    // PI may stand without parentheses, where no column has its name.
                    Err(_) if parts.len() == 1 && !parts[0].quoted && parts[0].value.eq_ignore_ascii_case("PI") => {
                        return self.resolve("PI", vec![], span);
                    }
                    found => found?,
                };
                expr.visit_columns(&mut |i| cx.named.push((i, span)));
                cx.bare.extend(parts.iter().filter(|p| !p.quoted).map(|p| p.span));
                Ok(expr)
            }
            ExprKind::Field { operand, field } => {
                let operand = self.expr(operand, cx)?;
                self.field(operand, &field.value, field.span)
            }
            ExprKind::Item { operand, index } => self.item(operand, index, span, cx),
            ExprKind::Unary { op, operand } => {
                let operand = self.expr(operand, cx)?;
                match op {
                    UnaryOp::Not => {
                        let operand = self.boolean(operand, "NOT", span)?;
                        self.resolve("NOT", vec![operand], span)
                    }
                    UnaryOp::Plus if operand.ty().kind.is_numeric() => Ok(operand),
                    UnaryOp::Plus | UnaryOp::Minus => self.resolve("NEGATE", vec![operand], span),
                }
            }
            ExprKind::Binary { op, left, right } => self.binary(*op, left, right, span, cx),
            ExprKind::Is { operand, test, negated } => self.is(operand, *test, *negated, span, cx),
            ExprKind::IsDistinctFrom { left, right, negated } => {
                let (left, right) = self.pair(left, right, cx)?;
                let name = if *negated { "IS NOT DISTINCT FROM" } else { "IS DISTINCT FROM" };
                self.resolve(name, vec![left, right], span)
            }
            ExprKind::Between { operand, low, high, symmetric, negated } => {
                let bounds = (&**low, &**high);
                let expr = self.between(operand, bounds, *symmetric, span, cx)?;
                self.negate_if(*negated, expr, span)
            }
            ExprKind::InList { operand, list, negated } => {
                let expr = self.in_list(operand, list, span, cx)?;
                self.negate_if(*negated, expr, span)
            }
            ExprKind::Like { kind, operand, pattern, escape, negated } => {
                let mut args = vec![self.expr(operand, cx)?, self.expr(pattern, cx)?];
                if let Some(escape) = escape {
                    args.push(self.expr(escape, cx)?);
                }
                let name = match kind {
                    LikeKind::Like => "LIKE",
                    LikeKind::SimilarTo => "SIMILAR TO",
                    LikeKind::ILike => {
                        return Err(self
                            .unsupported("ILIKE in an expression", span)
                            .with_hint("write LOWER(x) LIKE 'pattern'"));
                    }
                    LikeKind::RLike => {
                        return Err(self.unsupported("RLIKE", span).with_hint("write REGEXP(x, 'pattern')"));
                    }
                };
                let expr = self.resolve(name, args, span)?;
                self.negate_if(*negated, expr, span)
            }
            ExprKind::Case { operand, branches, otherwise } => {
                self.case(operand.as_deref(), branches, otherwise.as_deref(), span, cx)
            }
            ExprKind::Cast { operand, data_type, safe } => self.cast(operand, data_type, *safe, span, cx),
            ExprKind::Extract { unit, operand } => {
                let operand = self.expr(operand, cx)?;
                self.resolve("EXTRACT", vec![string_literal(unit.as_str()), operand], span)
            }
            ExprKind::RoundTo { floor, operand, unit } => {
                let operand = self.expr(operand, cx)?;
                let name = if *floor { "FLOOR" } else { "CEIL" };
                self.resolve(name, vec![operand, string_literal(unit.as_str())], span)
            }
            ExprKind::Trim { side, chars, operand } => {
                let chars = chars.as_deref().map_or_else(|| Ok(string_literal(" ")), |c| self.expr(c, cx))?;
                let operand = self.expr(operand, cx)?;
                self.resolve("TRIM", vec![string_literal(side.as_str()), chars, operand], span)
            }
            ExprKind::TimestampAdd { unit, count, time } => {
                let (count, time) = self.pair(count, time, cx)?;
                self.resolve("TIMESTAMPADD", vec![string_literal(unit.as_str()), count, time], span)
            }
            ExprKind::TimestampDiff { unit, from, to } => {
                let (from, to) = self.pair(from, to, cx)?;
                self.resolve("TIMESTAMPDIFF", vec![string_literal(unit.as_str()), from, to], span)
            }
            ExprKind::Call(call) => self.call(call, cx),
            ExprKind::Json(json) => self.json(json, span, cx),
            ExprKind::Row(items) => {
                let args = self.exprs(items, cx)?;
                self.resolve("ROW", args, span)
            }
            ExprKind::Array(items) => {
                let args = self.exprs(items, cx)?;
                self.resolve("ARRAY", args, span)
            }
            ExprKind::Map(pairs) => {
                let mut args = vec![];
                for (key, value) in pairs {
                    args.push(self.expr(key, cx)?);
                    args.push(self.expr(value, cx)?);
                }
                self.resolve("MAP", args, span)
            }
            ExprKind::InQuery { .. } => Err(self.unsupported("IN with a subquery", span)),
            ExprKind::Quantified { .. } => Err(self.unsupported("a comparison with ALL or ANY", span)),
            ExprKind::Exists(_) => Err(self.unsupported("EXISTS", span)),
            ExprKind::Subquery(_) => Err(self.unsupported("a subquery as a value", span)),
            ExprKind::ArrayQuery(_) => Err(self.unsupported("ARRAY with a subquery", span)),
            ExprKind::DatetimeMinus { later, earlier, qualifier } => {
                let (later, earlier) = self.pair(later, earlier, cx)?;
                let unit = match qualifier.start {
                    ast::TimeUnit::Year | ast::TimeUnit::Quarter | ast::TimeUnit::Month => "MONTH",
                    _ => "SECOND",
                };
                self.resolve("DATETIME_MINUS", vec![string_literal(unit), earlier, later], span)
            }
            ExprKind::IntervalOf { value, qualifier } => self.interval_of(value, qualifier, span, cx),
            ExprKind::Period { predicate, left, right } if predicate == "OVERLAPS" => {
                self.overlaps(left, right, span, cx)
            }
            ExprKind::Period { predicate, .. } => Err(self.unsupported(predicate, span)),
            ExprKind::Unsupported { what } => Err(self.unsupported(what, span)),
        }
    }

    pub(crate) fn exprs(&self, items: &[ast::Expr], cx: &mut Cx<'_>) -> Result<Vec<Expr>> {
        items.iter().map(|e| self.expr(e, cx)).collect()
    }

    fn pair(&self, a: &ast::Expr, b: &ast::Expr, cx: &mut Cx<'_>) -> Result<(Expr, Expr)> {
        Ok((self.expr(a, cx)?, self.expr(b, cx)?))
    }

    /// A condition: WHERE, HAVING, WHEN, an operand of AND.
    pub(crate) fn boolean(&self, expr: Expr, clause: &str, span: Span) -> Result<Expr> {
        let ty = expr.ty();
        match ty.kind {
            TypeKind::Boolean => Ok(expr),
            TypeKind::Null => Err(self.illegal_null(span)),
            _ => Err(self.wrong(Code::TypeMismatch, format!("{clause} expects a BOOLEAN, found {}", ty.kind), span)),
        }
    }

    pub(crate) fn illegal_null(&self, span: Span) -> Error {
        self.wrong(Code::TypeMismatch, "NULL without a type", span).with_hint("give it one: CAST(NULL AS INT)")
    }

    /// Types settled by the function catalog, casts inserted, constants folded.
    pub(crate) fn resolve(&self, name: &str, args: Vec<Expr>, span: Span) -> Result<Expr> {
        let (expr, deterministic) = self.resolve_call(name, args, span)?;
        Ok(if deterministic { self.fold(expr) } else { expr })
    }

    pub(crate) fn resolve_unfolded(&self, name: &str, args: Vec<Expr>, span: Span) -> Result<Expr> {
        self.resolve_call(name, args, span).map(|r| r.0)
    }

    fn resolve_call(&self, name: &str, args: Vec<Expr>, span: Span) -> Result<(Expr, bool)> {
        let keeps_time = matches!(name, "CURRENT_WATERMARK" | "TYPEOF");
        let arguments: Vec<Argument> = args
            .iter()
            .map(|a| Argument {
                ty: if keeps_time { a.ty() } else { a.ty().without_time_attribute() },
                literal: match a {
                    Expr::Literal { value, .. } => Some(value.clone()),
                    _ => None,
                },
            })
            .collect();
        let call = self
            .planner
            .functions
            .resolve(name, &arguments)
            .map_err(|e| self.locate(super::habits::call_hint(e, name, &args), span))?;
        let args = args
            .into_iter()
            .enumerate()
            .map(|(i, a)| match call.arg_types.get(i) {
                Some(ty) => self.coerce(a, ty),
                None => a,
            })
            .collect();
        Ok((Expr::call(call.function, args, call.return_type), call.deterministic))
    }

    /// A cast where the values differ; a bare NULL takes the type.
    pub(crate) fn coerce(&self, expr: Expr, ty: &LogicalType) -> Expr {
        let from = expr.ty();
        if same_values(&from, ty) {
            return expr;
        }
        if let Expr::Literal { value: Datum::Null, .. } = expr {
            return Expr::literal(Datum::Null, ty.clone().without_time_attribute().with_nullable(true));
        }
        let ty = ty.clone().without_time_attribute().with_nullable(from.nullable);
        self.fold(Expr::Cast { input: Box::new(expr), ty, safe: false })
    }

    fn cast(
        &self,
        operand: &ast::Expr,
        data_type: &ast::DataType,
        safe: bool,
        span: Span,
        cx: &mut Cx<'_>,
    ) -> Result<Expr> {
        let input = self.expr(operand, cx)?;
        let target = self.data_type(data_type)?;
        let from = input.ty();
        if from.kind == TypeKind::Null {
            return Ok(Expr::literal(Datum::Null, target.with_nullable(true)));
        }
        let name = if safe { "TRY_CAST" } else { "CAST" };
        if !self.planner.functions.can_cast(&from.clone().without_time_attribute(), &target) {
            return Err(self.wrong(
                Code::TypeMismatch,
                format!("{name} from {} to {} does not exist", from.kind, target.kind),
                span,
            ));
        }
        // A literal counts the unit that is written; a column counts milliseconds or months, as in Flink.
        let literal = matches!(input, Expr::Literal { .. }) && from.kind.is_integer();
        if let (ast::TypeKind::Interval(unit), true) = (&data_type.kind, literal) {
            return self.intervals(input, unit, span);
        }
        let ty = target.with_nullable(safe || from.nullable);
        Ok(self.fold(Expr::Cast { input: Box::new(input), ty, safe }))
    }

    fn item(&self, operand: &ast::Expr, index: &ast::Expr, span: Span, cx: &mut Cx<'_>) -> Result<Expr> {
        let operand = self.expr(operand, cx)?;
        let index_span = index.span;
        let index = self.expr(index, cx)?;
        if let TypeKind::Row(fields) = &operand.ty().kind {
            return match &index {
                Expr::Literal { value: Datum::String(name), .. } => self.field(operand, name, index_span),
                Expr::Literal { value: Datum::Int(i), .. } if *i >= 1 && (*i as usize) <= fields.len() => {
                    let name = fields[*i as usize - 1].name.clone();
                    self.field(operand, &name, index_span)
                }
                _ => Err(self.wrong(
                    Code::TypeMismatch,
                    format!("a field of a ROW is chosen by its name or by a number from 1 to {}", fields.len()),
                    index_span,
                )),
            };
        }
        if matches!(operand.ty().kind, TypeKind::Array(_))
            && let Expr::Literal { value: Datum::Int(i), .. } = &index
            && *i < 1
        {
            return Err(self.wrong(
                Code::InvalidValue,
                format!("an ARRAY's elements are counted from 1, found {i}"),
                index_span,
            ));
        }
        self.resolve("ITEM", vec![operand, index], span)
    }

    fn binary(&self, op: BinaryOp, left: &ast::Expr, right: &ast::Expr, span: Span, cx: &mut Cx<'_>) -> Result<Expr> {
        if matches!(op, BinaryOp::And | BinaryOp::Or) {
            let l = self.expr(left, cx)?;
            let l = self.boolean(l, op.as_str(), left.span)?;
            let r = self.expr(right, cx)?;
            let r = self.boolean(r, op.as_str(), right.span)?;
            return Ok(if op == BinaryOp::And { and(vec![l, r]) } else { or(vec![l, r]) });
        }
        if let (BinaryOp::Eq | BinaryOp::NotEq, ExprKind::Row(l), ExprKind::Row(r)) = (op, &left.kind, &right.kind)
            && l.len() == r.len()
        {
            let (l, r) = (self.exprs(l, cx)?, self.exprs(r, cx)?);
            let equal = self.equal_rows(&l, &r, span)?;
            return self.negate_if(op == BinaryOp::NotEq, equal, span);
        }
        let (l, r) = self.pair(left, right, cx)?;
        for (e, side) in [(&l, left), (&r, right)] {
            if e.ty().kind == TypeKind::Null {
                return Err(self.illegal_null(side.span));
            }
        }
        self.resolve(op.as_str(), vec![l, r], span)
    }

    fn is(&self, operand: &ast::Expr, test: IsTest, negated: bool, span: Span, cx: &mut Cx<'_>) -> Result<Expr> {
        let value = self.expr(operand, cx)?;
        let name = match (test, negated) {
            (IsTest::Null, false) => "IS NULL",
            (IsTest::Null, true) => "IS NOT NULL",
            (IsTest::True, false) => "IS TRUE",
            (IsTest::True, true) => "IS NOT TRUE",
            (IsTest::False, false) => "IS FALSE",
            (IsTest::False, true) => "IS NOT FALSE",
            (IsTest::Unknown, negated) => {
                let value = self.boolean(value, "IS UNKNOWN", operand.span)?;
                return self.resolve(if negated { "IS NOT NULL" } else { "IS NULL" }, vec![value], span);
            }
            (IsTest::JsonValue, false) => "IS JSON VALUE",
            (IsTest::JsonValue, true) => "IS NOT JSON VALUE",
            (IsTest::JsonObject, false) => "IS JSON OBJECT",
            (IsTest::JsonObject, true) => "IS NOT JSON OBJECT",
            (IsTest::JsonArray, false) => "IS JSON ARRAY",
            (IsTest::JsonArray, true) => "IS NOT JSON ARRAY",
            (IsTest::JsonScalar, false) => "IS JSON SCALAR",
            (IsTest::JsonScalar, true) => "IS NOT JSON SCALAR",
            (other, _) => return Err(self.unsupported(format!("IS {}", other.as_str()), span)),
        };
        self.resolve(name, vec![value], span)
    }

    fn between(
        &self,
        operand: &ast::Expr,
        (low, high): (&ast::Expr, &ast::Expr),
        symmetric: bool,
        span: Span,
        cx: &mut Cx<'_>,
    ) -> Result<Expr> {
        let value = self.expr(operand, cx)?;
        let (low, high) = self.pair(low, high, cx)?;
        let within = |low: &Expr, high: &Expr| -> Result<Expr> {
            let above = self.resolve(">=", vec![value.clone(), low.clone()], span)?;
            let below = self.resolve("<=", vec![value.clone(), high.clone()], span)?;
            Ok(and(vec![above, below]))
        };
        let plain = within(&low, &high)?;
        if !symmetric {
            return Ok(plain);
        }
        Ok(or(vec![plain, within(&high, &low)?]))
    }

    /// Rows that are written out are compared field by field, so that a NULL field makes the answer unknown.
    fn equal_rows(&self, left: &[Expr], right: &[Expr], span: Span) -> Result<Expr> {
        let equal = left.iter().zip(right).map(|(l, r)| self.resolve("=", vec![l.clone(), r.clone()], span));
        Ok(and(equal.collect::<Result<_>>()?))
    }

    fn in_list(&self, operand: &ast::Expr, list: &[ast::Expr], span: Span, cx: &mut Cx<'_>) -> Result<Expr> {
        if let ExprKind::Row(fields) = &operand.kind
            && list.iter().all(|item| matches!(&item.kind, ExprKind::Row(items) if items.len() == fields.len()))
        {
            let value = self.exprs(fields, cx)?;
            let mut equal = vec![];
            for item in list {
                let ExprKind::Row(items) = &item.kind else { continue };
                let items = self.exprs(items, cx)?;
                equal.push(self.equal_rows(&value, &items, item.span)?);
            }
            return Ok(or(equal));
        }
        let value = self.expr(operand, cx)?;
        let mut equal = vec![];
        for item in list {
            let item_span = item.span;
            let item = self.expr(item, cx)?;
            let item = if item.ty().kind == TypeKind::Null { self.coerce(item, &value.ty()) } else { item };
            equal.push(self.resolve("=", vec![value.clone(), item], item_span)?);
        }
        if equal.is_empty() {
            return Err(self.wrong(Code::Syntax, "IN with an empty list", span));
        }
        Ok(or(equal))
    }

    fn negate_if(&self, negated: bool, expr: Expr, span: Span) -> Result<Expr> {
        if negated { self.resolve("NOT", vec![expr], span) } else { Ok(expr) }
    }

    fn case(
        &self,
        operand: Option<&ast::Expr>,
        branches: &[(ast::Expr, ast::Expr)],
        otherwise: Option<&ast::Expr>,
        span: Span,
        cx: &mut Cx<'_>,
    ) -> Result<Expr> {
        let operand = operand.map(|o| self.expr(o, cx)).transpose()?;
        let mut conditions = vec![];
        let mut values = vec![];
        for (when, then) in branches {
            let condition = self.expr(when, cx)?;
            conditions.push(match &operand {
                Some(value) => self.resolve("=", vec![value.clone(), condition], when.span)?,
                None => self.boolean(condition, "WHEN", when.span)?,
            });
            values.push(self.expr(then, cx)?);
        }
        values.push(match otherwise {
            Some(e) => self.expr(e, cx)?,
            None => Expr::literal(Datum::Null, TypeKind::Null.nullable()),
        });
        let nullable = values.iter().any(|v| v.ty().nullable);
        self.case_of(conditions, values, nullable, "CASE", span)
    }

    /// A CASE of conditions and one value more, unified.
    pub(crate) fn case_of(
        &self,
        conditions: Vec<Expr>,
        values: Vec<Expr>,
        nullable: bool,
        what: &str,
        span: Span,
    ) -> Result<Expr> {
        let types: Vec<LogicalType> = values.iter().map(|v| v.ty().without_time_attribute()).collect();
        let common = self.planner.functions.common_type(&types).ok_or_else(|| {
            let found: Vec<String> = types.iter().map(|t| t.kind.to_string()).collect();
            self.wrong(
                Code::TypeMismatch,
                format!("the values of {what} have no common type: {}", found.join(", ")),
                span,
            )
            .with_hint("CAST them to one type")
        })?;
        if common.kind == TypeKind::Null {
            return Err(self.illegal_null(span));
        }
        let ty = common.with_nullable(nullable);
        let mut values: Vec<Expr> = values.into_iter().map(|v| self.coerce(v, &ty)).collect();
        let otherwise = Box::new(values.pop().expect("one value more than conditions"));
        if conditions.is_empty() {
            return Ok(*otherwise);
        }
        let branches = conditions.into_iter().zip(values).collect();
        Ok(self.fold(Expr::Case { branches, otherwise, ty }))
    }
}

/// Operands of nested ANDs side by side; a constant TRUE adds nothing.
pub(crate) fn and(args: Vec<Expr>) -> Expr {
    let mut flat = vec![];
    for arg in args {
        match arg {
            Expr::And(inner) => flat.extend(inner),
            Expr::Literal { value: Datum::Boolean(true), .. } => {}
            other => flat.push(other),
        }
    }
    match flat.len() {
        0 => Expr::literal(Datum::Boolean(true), TypeKind::Boolean.not_null()),
        1 => flat.remove(0),
        _ => Expr::And(flat),
    }
}

pub(crate) fn or(args: Vec<Expr>) -> Expr {
    let mut flat = vec![];
    for arg in args {
        match arg {
            Expr::Or(inner) => flat.extend(inner),
            other => flat.push(other),
        }
    }
    if flat.len() == 1 { flat.remove(0) } else { Expr::Or(flat) }
}
