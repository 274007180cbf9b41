//! GROUP BY, HAVING and the aggregates of a select list.

use arus_core::error::Code;
use arus_core::expr::Expr;
use arus_core::function::AggregateFunction;
use arus_core::plan::AggregateCall;
use arus_core::schema::{Column, RowSchema};
use arus_core::types::TypeKind;
use arus_core::{Datum, Error, Result};

use super::Binder;
use super::expr::{AGGREGATE_BASE, Cx, FoundCall};
use super::query::Item;
use crate::ast::{GroupItem, Select, Span};
use crate::rel::{Rel, RelOp};

/// What grouping gives: for each group expression and each call the column that holds it.
pub(crate) struct Grouped {
    pub(crate) rel: Rel,
    pub(crate) keys: Vec<usize>,
    pub(crate) calls: Vec<usize>,
}

impl Binder<'_> {
    pub(crate) fn aggregate(&self, rel: Rel, s: &Select, items: Vec<Item>, mut cx: Cx<'_>) -> Result<Rel> {
        let groups = self.groups(s, &cx)?;
        let having = match &s.having {
            Some(e) => {
                let condition = self.expr(e, &mut cx)?;
                Some(self.boolean(condition, "HAVING", e.span)?)
            }
            None => None,
        };
        let Cx { calls: mut found, named, group_window, .. } = cx;
        if groups.is_empty() {
            // Without GROUP BY there is a row even when there was none to aggregate.
            for call in &mut found {
                call.ty.nullable |= call.function != AggregateFunction::Count;
            }
        }
        let call_names = call_names(&found, &items, groups.len());
        let key_names = key_names(&groups, &items, &rel);
        let input_schema = rel.schema.clone();
        let span = s.group_by.as_ref().map_or(s.span, |g| g.span);
        let grouped = self
            .group(rel, &groups, &found, (key_names, call_names), group_window.is_some())
            .map_err(|e| self.locate(e, span))?;
        let replace = |e: &Expr, span: Span| {
            replaced(e, &groups, &grouped).map_err(|column| {
                let at = named.iter().find(|(i, _)| *i == column).map_or(span, |n| n.1);
                let name = &input_schema.columns()[column].name;
                self.wrong(
                    Code::TypeMismatch,
                    format!("column '{name}' is neither in GROUP BY nor inside an aggregate"),
                    at,
                )
                .with_hint(if groups.iter().any(|g| matches!(g, Expr::Literal { .. })) {
                    "GROUP BY takes expressions, not positions in the select list".to_string()
                } else {
                    format!("add it to GROUP BY, or aggregate it, such as MAX({name})")
                })
            })
        };
        let mut projection = vec![];
        let mut names = vec![];
        for item in &items {
            projection.push(replace(&item.expr, item.span)?);
            names.push(item.name.clone());
        }
        let condition = match (&having, &s.having) {
            (Some(h), Some(e)) => Some(replace(h, e.span)?),
            _ => None,
        };
        let rel = match condition {
            Some(condition) => grouped.rel.filter(condition),
            None => grouped.rel,
        };
        Ok(rel.project(projection, &names))
    }

    fn groups(&self, s: &Select, cx: &Cx<'_>) -> Result<Vec<Expr>> {
        let Some(group_by) = &s.group_by else {
            return Ok(vec![]);
        };
        if group_by.distinct {
            return Err(self.unsupported("GROUP BY DISTINCT", group_by.span));
        }
        let mut groups: Vec<Expr> = vec![];
        for item in &group_by.items {
            let exprs = match item {
                GroupItem::Expr(e) => std::slice::from_ref(e),
                GroupItem::Empty(_) => &[],
                GroupItem::Tuple(exprs, _) => exprs,
                GroupItem::Cube(_, span) => return Err(self.unsupported("CUBE", *span)),
                GroupItem::Rollup(_, span) => return Err(self.unsupported("ROLLUP", *span)),
                GroupItem::GroupingSets(_, span) => return Err(self.unsupported("GROUPING SETS", *span)),
            };
            for e in exprs {
                if let Some(keys) = self.group_window_keys(e, cx) {
                    groups.extend(keys);
                    continue;
                }
                let bound = self.expr(e, &mut Cx::scalar(cx.scope, "GROUP BY"))?;
                if bound.ty().kind == TypeKind::Null {
                    return Err(self.illegal_null(e.span));
                }
                if !groups.contains(&bound) {
                    groups.push(bound);
                }
            }
        }
        Ok(groups)
    }

    /// Projects keys and arguments, then aggregates: by window if the keys hold a window's start and end.
    fn group(
        &self,
        rel: Rel,
        groups: &[Expr],
        found: &[FoundCall],
        (key_names, call_names): (Vec<String>, Vec<String>),
        group_window: bool,
    ) -> Result<Grouped> {
        let mut inputs: Vec<Expr> = vec![];
        let mut place = |e: &Expr| match inputs.iter().position(|i| i == e) {
            Some(i) => i,
            None => {
                inputs.push(e.clone());
                inputs.len() - 1
            }
        };
        let keys: Vec<usize> = groups.iter().map(&mut place).collect();
        let calls: Vec<AggregateCall> = found
            .iter()
            .zip(call_names)
            .map(|(call, name)| AggregateCall {
                function: call.function,
                args: call.args.iter().map(&mut place).collect(),
                ty: call.ty.clone(),
                name,
            })
            .collect();
        if inputs.is_empty() {
            inputs.push(Expr::literal(Datum::Int(0), TypeKind::Int.not_null()));
        }
        let names: Vec<String> = inputs
            .iter()
            .enumerate()
            .map(|(i, e)| match (e, groups.iter().position(|g| g == e)) {
                (_, Some(key)) => key_names[key].clone(),
                (Expr::Column { index, .. }, None) => rel.schema.columns()[*index].name.clone(),
                _ => format!("$f{i}"),
            })
            .collect();
        let input = rel.project(inputs, &names);
        if let Some(grouped) = self.window_aggregate(&input, &keys, &calls, group_window)? {
            return Ok(grouped);
        }
        let schema: RowSchema = keys
            .iter()
            .map(|k| {
                let column = &input.schema.columns()[*k];
                Column { name: column.name.clone(), ty: column.ty.clone().without_time_attribute() }
            })
            .chain(calls.iter().map(|c| Column { name: c.name.clone(), ty: c.ty.clone() }))
            .collect();
        let key_count = keys.len();
        let call_count = calls.len();
        let rel = Rel { op: RelOp::Aggregate { input: Box::new(input), keys, calls, ttl_ms: None }, schema };
        Ok(Grouped { rel, keys: (0..key_count).collect(), calls: (key_count..key_count + call_count).collect() })
    }
}

/// A key has the name under which it is selected, as in Flink, else its column's.
fn key_names(groups: &[Expr], items: &[Item], input: &Rel) -> Vec<String> {
    let name = |(i, group): (usize, &Expr)| match (items.iter().find(|item| item.expr == *group), group) {
        (Some(item), _) => item.name.clone(),
        (None, Expr::Column { index, .. }) => input.schema.columns()[*index].name.clone(),
        (None, _) => format!("$f{i}"),
    };
    groups.iter().enumerate().map(name).collect()
}

/// A call has the name of the column that it alone makes, as in Flink.
fn call_names(found: &[FoundCall], items: &[Item], keys: usize) -> Vec<String> {
    (0..found.len())
        .map(|i| {
            let alone = |item: &&Item| matches!(item.expr, Expr::Column { index, .. } if index == AGGREGATE_BASE + i);
            items.iter().find(alone).map_or_else(|| format!("$f{}", keys + i), |item| item.name.clone())
        })
        .collect()
}

/// The expression over the aggregate's output, or the column that is not grouped.
fn replaced(e: &Expr, groups: &[Expr], grouped: &Grouped) -> std::result::Result<Expr, usize> {
    let output = |index: usize| grouped.rel.column(index);
    if let Some(i) = groups.iter().position(|g| g == e) {
        return Ok(output(grouped.keys[i]));
    }
    if let Expr::Column { index, .. } = e {
        return match index.checked_sub(AGGREGATE_BASE) {
            Some(call) => Ok(output(grouped.calls[call])),
            None => Err(*index),
        };
    }
    let mut e = e.clone();
    for child in e.children_mut() {
        *child = replaced(child, groups, grouped)?;
    }
    Ok(e)
}

/// For the window's own module: an aggregate that cannot be.
pub(crate) fn broken(what: &str) -> Error {
    Error::bug(format!("window aggregate: {what}"))
}
