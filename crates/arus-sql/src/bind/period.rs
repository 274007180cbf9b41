//! Intervals of an expression, and OVERLAPS.

use arus_core::error::Code;
use arus_core::expr::Expr;
use arus_core::types::TypeKind;
use arus_core::{Datum, Result};

use super::Binder;
use super::expr::{Cx, and};
use crate::ast::{self, ExprKind, IntervalQualifier, Span, TimeUnit};

impl Binder<'_> {
    /// `INTERVAL x DAY` is an interval of one day, taken x times.
    pub(crate) fn interval_of(
        &self,
        value: &ast::Expr,
        qualifier: &IntervalQualifier,
        span: Span,
        cx: &mut Cx<'_>,
    ) -> Result<Expr> {
        let count = self.expr(value, cx)?;
        self.intervals(count, qualifier, span)
    }

    /// As many intervals of one unit.
    pub(crate) fn intervals(&self, count: Expr, qualifier: &IntervalQualifier, span: Span) -> Result<Expr> {
        if !count.ty().kind.is_integer() || qualifier.end.is_some() {
            return Err(self
                .wrong(Code::TypeMismatch, format!("INTERVAL of {}", count.ty().kind), span)
                .with_hint("it takes an integer and one unit: INTERVAL n DAY"));
        }
        const DAY: i64 = 86_400_000;
        let (months, millis) = match qualifier.start {
            TimeUnit::Year => (12, 0),
            TimeUnit::Quarter => (3, 0),
            TimeUnit::Month => (1, 0),
            TimeUnit::Week => (0, 7 * DAY),
            TimeUnit::Day => (0, DAY),
            TimeUnit::Hour => (0, 3_600_000),
            TimeUnit::Minute => (0, 60_000),
            TimeUnit::Second => (0, 1_000),
            other => return Err(self.unsupported(format!("INTERVAL in {}", other.as_str()), span)),
        };
        let unit = if months > 0 {
            Expr::literal(Datum::IntervalMonths(months), TypeKind::IntervalYearMonth.not_null())
        } else {
            Expr::literal(Datum::IntervalMillis(millis), TypeKind::IntervalDayTime.not_null())
        };
        self.resolve("*", vec![unit, count], span)
    }

    /// `(a, b) OVERLAPS (c, d)`: an end may be an interval, and each pair may stand in either order.
    pub(crate) fn overlaps(&self, left: &ast::Expr, right: &ast::Expr, span: Span, cx: &mut Cx<'_>) -> Result<Expr> {
        let (left_from, left_to) = self.period(left, cx)?;
        let (right_from, right_to) = self.period(right, cx)?;
        Ok(and(vec![
            self.resolve(">=", vec![left_to, right_from], span)?,
            self.resolve(">=", vec![right_to, left_from], span)?,
        ]))
    }

    /// The earlier and the later end.
    fn period(&self, period: &ast::Expr, cx: &mut Cx<'_>) -> Result<(Expr, Expr)> {
        let span = period.span;
        let ExprKind::Row(ends) = &period.kind else {
            return Err(self.wrong(Code::TypeMismatch, "a period is written (start, end)", span));
        };
        let [start, end] = ends.as_slice() else {
            return Err(self.wrong(Code::TypeMismatch, "a period is written (start, end)", span));
        };
        let (start, end) = (self.expr(start, cx)?, self.expr(end, cx)?);
        let end = if end.ty().kind.is_interval() { self.resolve("+", vec![start.clone(), end], span)? } else { end };
        let swapped = self.resolve("<=", vec![start.clone(), end.clone()], span)?;
        let nullable = start.ty().nullable || end.ty().nullable;
        let either = |first: &Expr, second: &Expr| {
            self.case_of(vec![swapped.clone()], vec![first.clone(), second.clone()], nullable, "OVERLAPS", span)
        };
        Ok((either(&start, &end)?, either(&end, &start)?))
    }
}
