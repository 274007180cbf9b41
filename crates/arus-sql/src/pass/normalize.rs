//! Sources whose changes are told apart by their primary key get a ChangelogNormalize, and filters go into it.
//!
//! As in Flink a condition on the key alone goes below, since it passes all versions of a row or none; any other stands in
//! the operator itself, which keeps only rows that pass.

use arus_core::Result;
use arus_core::catalog::TableDef;
use arus_core::expr::Expr;

use super::substitute;
use crate::bind::and;
use crate::rel::{Rel, RelOp, identity};

/// Puts the operator above every scan for which `by_key` is true.
pub(crate) fn normalize(rel: Rel, by_key: &impl Fn(&TableDef) -> Result<bool>) -> Result<Rel> {
    let mut failed = None;
    let rel = rel.map_inputs(&mut |input| match normalize(input, by_key) {
        Ok(rel) => rel,
        Err(e) => {
            failed = Some(e);
            Rel::empty()
        }
    });
    if let Some(e) = failed {
        return Err(e);
    }
    let RelOp::Scan { table, columns } = &rel.op else {
        return Ok(rel);
    };
    if !by_key(table)? {
        return Ok(rel);
    }
    let key = table.primary_key.iter().filter_map(|k| columns.iter().position(|c| c == k)).collect();
    let schema = rel.schema.clone();
    Ok(Rel { op: RelOp::ChangelogNormalize { input: Box::new(rel), keys: key, condition: None }, schema })
}

/// Moves the condition of a Calc above a ChangelogNormalize.
pub(crate) fn push_filters(rel: Rel) -> Rel {
    let rel = rel.map_inputs(&mut push_filters);
    let RelOp::Calc { input, condition: Some(condition), projection } = rel.op else {
        return rel;
    };
    let schema = rel.schema;
    let RelOp::ChangelogNormalize { input: below, keys, condition: inner } = input.op else {
        return Rel { op: RelOp::Calc { input, condition: Some(condition), projection }, schema };
    };
    let parts = match condition {
        Expr::And(parts) => parts,
        other => vec![other],
    };
    let (on_key, others): (Vec<Expr>, Vec<Expr>) = parts.into_iter().partition(|part| {
        let mut within = true;
        part.visit_columns(&mut |c| within &= keys.contains(&c));
        within
    });
    let below = if on_key.is_empty() {
        *below
    } else {
        let projection = identity(&below.schema);
        let condition = Some(substitute(&and(on_key), &projection));
        let schema = below.schema.clone();
        Rel { op: RelOp::Calc { input: below, condition, projection }, schema }
    };
    let others: Vec<Expr> = inner.into_iter().chain(others).collect();
    let condition = (!others.is_empty()).then(|| and(others));
    let normalized = RelOp::ChangelogNormalize { input: Box::new(below), keys, condition };
    let input = Box::new(Rel { op: normalized, schema: input.schema });
    Rel { op: RelOp::Calc { input, condition: None, projection }, schema }
}
