//! GROUP BY, HAVING and the aggregates of a select list.

use arus_core::error::Code;
use arus_core::expr::Expr;
use arus_core::plan::AggregateCall;
use arus_core::schema::{Column, RowSchema};
use arus_core::types::TypeKind;
use arus_core::{Datum, Error, Result};

use super::Binder;
use super::expr::{AGGREGATE_BASE, Cx, FoundCall, GROUPING_BASE};
use super::grouping::Grouping;
use super::query::Item;
use crate::ast::{Select, Span};
use crate::rel::{Rel, RelOp, identity};

/// What grouping gives: for each group expression and each call the column that holds it.
pub(crate) struct Grouped {
    pub(crate) rel: Rel,
    pub(crate) keys: Vec<usize>,
    /// The number of the grouping set, where there are several.
    pub(crate) set: Option<usize>,
    pub(crate) calls: Vec<usize>,
}

impl Binder<'_> {
    pub(crate) fn aggregate(&self, rel: Rel, s: &Select, items: Vec<Item>, mut cx: Cx<'_>) -> Result<Rel> {
        let grouping = self.grouping(s, &cx)?;
        let having = match &s.having {
            Some(e) => {
                let condition = self.expr(e, &mut cx)?;
                Some(self.boolean(condition, "HAVING", e.span)?)
            }
            None => None,
        };
        let Cx { calls: found, groupings, named, group_window, .. } = cx;
        let call_names = call_names(&found, &items, grouping.keys.len());
        let key_names = key_names(&grouping.keys, &items, &rel);
        let input_schema = rel.schema.clone();
        let span = s.group_by.as_ref().map_or(s.span, |g| g.span);
        let grouped = self
            .group(rel, &grouping, &found, (key_names, call_names), group_window.is_some())
            .map_err(|e| self.locate(e, span))?;
        let set = grouped.set.map(|column| grouped.rel.column(column));
        let values = groupings
            .iter()
            .map(|found| self.grouping_value(found, &grouping, set.clone()))
            .collect::<Result<Vec<_>>>()?;
        let groups = &grouping.keys;
        let replace = |e: &Expr, span: Span| {
            replaced(e, groups, &grouped, &values).map_err(|column| {
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

    /// Each row once.
    pub(crate) fn distinct(&self, rel: Rel) -> Result<Rel> {
        let names: Vec<String> = rel.schema.columns().iter().map(|c| c.name.clone()).collect();
        let grouping = Grouping { keys: identity(&rel.schema), sets: vec![] };
        let grouped = self.group(rel, &grouping, &[], (names.clone(), vec![]), false)?;
        let projection = grouped.keys.iter().map(|k| grouped.rel.column(*k)).collect();
        Ok(grouped.rel.project(projection, &names))
    }

    /// Projects keys and arguments, then aggregates: by window if the keys hold a window's start and end.
    fn group(
        &self,
        rel: Rel,
        grouping: &Grouping,
        found: &[FoundCall],
        (key_names, call_names): (Vec<String>, Vec<String>),
        group_window: bool,
    ) -> Result<Grouped> {
        let several = grouping.has_several_sets();
        let groups = &grouping.keys;
        let mut inputs: Vec<Expr> = vec![];
        // A set can leave a key out, but an argument is always there: then it has a column of its own.
        let mut place = |e: &Expr, from: usize| match inputs[from.min(inputs.len())..].iter().position(|i| i == e) {
            Some(i) => from + i,
            None => {
                inputs.push(e.clone());
                inputs.len() - 1
            }
        };
        let mut keys: Vec<usize> = groups.iter().map(|e| place(e, 0)).collect();
        let arguments = if several { groups.len() } else { 0 };
        let calls: Vec<AggregateCall> = found
            .iter()
            .zip(call_names)
            .map(|(call, name)| AggregateCall {
                function: call.function,
                args: call.args.iter().map(|e| place(e, arguments)).collect(),
                distinct: call.distinct,
                filter: call.filter.as_ref().map(|e| place(e, arguments)),
                ty: call.ty.clone(),
                name,
            })
            .collect();
        if inputs.is_empty() {
            inputs.push(Expr::literal(Datum::Int(0), TypeKind::Int.not_null()));
        }
        let names = input_names(&inputs, groups, &key_names, &rel, several);
        let mut input = rel.project(inputs, &names);
        if several {
            input = grouping.expand(input);
            keys.push(input.schema.len() - 1);
        }
        let mut grouped = match self.window_aggregate(&input, &keys, &calls, group_window)? {
            Some(grouped) => grouped,
            None => grouped_by(input, keys, calls),
        };
        if several {
            grouped.set = grouped.keys.pop();
        }
        Ok(grouped)
    }
}

fn grouped_by(input: Rel, keys: Vec<usize>, calls: Vec<AggregateCall>) -> Grouped {
    let schema: RowSchema = keys
        .iter()
        .map(|k| {
            let column = &input.schema.columns()[*k];
            Column { name: column.name.clone(), ty: column.ty.clone().without_time_attribute() }
        })
        .chain(calls.iter().map(|c| Column { name: c.name.clone(), ty: c.ty.clone() }))
        .collect();
    let (key_count, call_count) = (keys.len(), calls.len());
    let rel = Rel { op: RelOp::Aggregate { input: Box::new(input), keys, calls, ttl_ms: None }, schema };
    let calls = (key_count..key_count + call_count).collect();
    Grouped { rel, keys: (0..key_count).collect(), set: None, calls }
}

/// A key has its own name, an argument that of its column.
fn input_names(inputs: &[Expr], groups: &[Expr], key_names: &[String], rel: &Rel, several: bool) -> Vec<String> {
    let name = |(i, e): (usize, &Expr)| match (e, groups.iter().position(|g| g == e)) {
        (_, Some(key)) if !several || i < groups.len() => key_names[key].clone(),
        (_, Some(key)) => format!("{}_0", key_names[key]),
        (Expr::Column { index, .. }, None) => rel.schema.columns()[*index].name.clone(),
        _ => format!("$f{i}"),
    };
    inputs.iter().enumerate().map(name).collect()
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
fn replaced(e: &Expr, groups: &[Expr], grouped: &Grouped, groupings: &[Expr]) -> std::result::Result<Expr, usize> {
    let output = |index: usize| grouped.rel.column(index);
    if let Some(i) = groups.iter().position(|g| g == e) {
        return Ok(output(grouped.keys[i]));
    }
    if let Expr::Column { index, .. } = e {
        if let Some(grouping) = index.checked_sub(GROUPING_BASE) {
            return Ok(groupings[grouping].clone());
        }
        return match index.checked_sub(AGGREGATE_BASE) {
            Some(call) => Ok(output(grouped.calls[call])),
            None => Err(*index),
        };
    }
    let mut e = e.clone();
    for child in e.children_mut() {
        *child = replaced(child, groups, grouped, groupings)?;
    }
    Ok(e)
}

/// For the window's own module: an aggregate that cannot be.
pub(crate) fn broken(what: &str) -> Error {
    Error::bug(format!("window aggregate: {what}"))
}
