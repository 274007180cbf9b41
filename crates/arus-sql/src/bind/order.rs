//! ORDER BY, LIMIT, OFFSET and FETCH.

use arus_core::error::Code;
use arus_core::expr::Expr;
use arus_core::plan::SortKey;
use arus_core::types::{TimeAttribute, TypeKind};
use arus_core::{Datum, Result};

use super::Binder;
use super::expr::Cx;
use super::query::Item;
use super::scope::Scope;
use crate::ast::{self, ExprKind, Literal, OrderItem, Query};
use crate::rel::{Rel, RelOp};

/// A query's rows with its sort keys: the columns after the first `visible` are only sorted by.
pub(crate) struct Unordered {
    pub(crate) rel: Rel,
    pub(crate) keys: Vec<SortKey>,
    pub(crate) visible: usize,
}

impl Binder<'_> {
    /// The columns that a SELECT is ordered by; what is not selected is added to `items`.
    pub(crate) fn select_order(
        &self,
        order: &[OrderItem],
        items: &mut Vec<Item>,
        distinct: bool,
        cx: &mut Cx<'_>,
    ) -> Result<Vec<SortKey>> {
        let visible = items.len();
        let mut keys = vec![];
        for o in order {
            let column = match self.selected(&o.expr, &items[..visible])? {
                Some(column) => column,
                None => {
                    let expr = self.expr(&o.expr, cx)?;
                    if expr.ty().kind == TypeKind::Null {
                        return Err(self.illegal_null(o.expr.span));
                    }
                    match items.iter().position(|item| item.expr == expr) {
                        Some(column) => column,
                        None if distinct => {
                            let text = o.expr.span.of(self.text);
                            return Err(self.wrong(
                                Code::UndefinedColumn,
                                format!("expression '{text}' is not in the select clause"),
                                o.expr.span,
                            ));
                        }
                        None => {
                            items.push(Item { expr, name: format!("EXPR${}", items.len()), span: o.expr.span });
                            items.len() - 1
                        }
                    }
                }
            };
            keys.push(sort_key(column, o));
        }
        Ok(keys)
    }

    /// By position or by alias.
    fn selected(&self, e: &ast::Expr, items: &[Item]) -> Result<Option<usize>> {
        match &e.kind {
            ExprKind::Literal(Literal::Integer(digits)) => match digits.parse::<usize>() {
                Ok(place) if (1..=items.len()).contains(&place) => Ok(Some(place - 1)),
                _ => Err(self
                    .wrong(Code::UndefinedColumn, format!("ordinal {digits} out of range"), e.span)
                    .with_hint(format!("the query gives {} columns, counted from 1", items.len()))),
            },
            ExprKind::Name(parts) => match parts.as_slice() {
                [only] => Ok(items.iter().position(|item| item.name == only.value)),
                _ => Ok(None),
            },
            _ => Ok(None),
        }
    }

    /// The order of a set operation or VALUES: by its own columns.
    pub(crate) fn order_of_rows(&self, rel: Rel, order: &[OrderItem]) -> Result<Unordered> {
        let visible = rel.schema.len();
        if order.is_empty() {
            return Ok(Unordered { rel, keys: vec![], visible });
        }
        let scope = Scope::one(vec![], rel.schema.clone());
        let mut items: Vec<Item> = crate::rel::identity(&rel.schema)
            .into_iter()
            .zip(rel.schema.columns())
            .map(|(expr, column)| Item { expr, name: column.name.clone(), span: order[0].span })
            .collect();
        let keys = self.select_order(order, &mut items, false, &mut Cx::scalar(&scope, "ORDER BY"))?;
        let rel = if items.len() > visible {
            let (projection, names): (Vec<Expr>, Vec<String>) = items.into_iter().map(|i| (i.expr, i.name)).unzip();
            rel.project(projection, &names)
        } else {
            rel
        };
        Ok(Unordered { rel, keys, visible })
    }

    /// The rows in their order, as far as a stream has one. An order without LIMIT inside another query is none.
    pub(crate) fn ordered(&self, from: Unordered, q: &Query, top: bool) -> Result<Rel> {
        let Unordered { rel, keys, visible } = from;
        let offset = self.row_count(q.offset.as_ref())?.unwrap_or(0);
        let limit = self.row_count(q.limit.as_ref())?;
        let schema = rel.schema.clone();
        let rel = match (limit, keys.as_slice()) {
            (Some(0), _) => Rel { op: RelOp::Values { rows: vec![] }, schema },
            (Some(limit), _) => {
                let end = Some(offset.saturating_add(limit));
                Rel { op: RelOp::Rank { input: Box::new(rel), order: keys, offset, end }, schema }
            }
            (None, _) if offset > 0 => {
                let span = q.offset.as_ref().map_or(q.span, |o| o.span);
                return Err(self
                    .unsupported("OFFSET without FETCH on a stream", span)
                    .with_hint("Flink refuses it, too: FETCH is missed; add LIMIT n"));
            }
            (None, []) => rel,
            (None, [first, rest @ ..]) if top => {
                let attribute = schema.columns()[first.column].ty.kind.time_attribute();
                if attribute == TimeAttribute::None || first.descending {
                    let span = q.order_by.first().map_or(q.span, |o| o.span);
                    return Err(self
                        .unsupported("ORDER BY a non-time-attribute field on a stream", span)
                        .with_hint("the first order must be an ascending time attribute, or LIMIT n must follow"));
                }
                let op = RelOp::TemporalSort { input: Box::new(rel), time: first.column, order: rest.to_vec() };
                Rel { op, schema }
            }
            (None, _) => rel,
        };
        if visible == rel.schema.len() {
            return Ok(rel);
        }
        let names: Vec<String> = rel.schema.columns()[..visible].iter().map(|c| c.name.clone()).collect();
        let projection = (0..visible).map(|i| rel.column(i)).collect();
        Ok(rel.project(projection, &names))
    }

    fn row_count(&self, e: Option<&ast::Expr>) -> Result<Option<u64>> {
        let Some(e) = e else { return Ok(None) };
        let scope = Scope::default();
        match self.expr(e, &mut Cx::scalar(&scope, "LIMIT"))? {
            Expr::Literal { value: Datum::Int(n), .. } if n >= 0 => Ok(Some(n as u64)),
            Expr::Literal { value: Datum::BigInt(n), .. } if n >= 0 => Ok(Some(n as u64)),
            _ => Err(self.wrong(Code::TypeMismatch, "expected a number of rows", e.span)),
        }
    }
}

/// NULL is the smallest value unless the query says otherwise.
fn sort_key(column: usize, o: &OrderItem) -> SortKey {
    SortKey { column, descending: o.descending, nulls_first: o.nulls_first.unwrap_or(!o.descending) }
}
