//! An aggregate by a key that is unique already has one row a group: SUM, MIN and MAX of it are its own values.

use arus_core::expr::Expr;
use arus_core::function::AggregateFunction;
use arus_core::plan::AggregateCall;

use crate::physical::projected;
use crate::rel::{Rel, RelOp};

pub(crate) fn remove_aggregates(rel: Rel) -> Rel {
    let rel = rel.map_inputs(&mut remove_aggregates);
    let RelOp::Aggregate { input, keys, calls, ttl_ms } = rel.op else {
        return rel;
    };
    let unique = unique_keys(&input).iter().any(|key| key.iter().all(|c| keys.contains(c)));
    if !unique || !calls.iter().all(is_own_value) {
        return Rel { op: RelOp::Aggregate { input, keys, calls, ttl_ms }, schema: rel.schema };
    }
    let columns = keys.iter().copied().chain(calls.iter().filter_map(|c| c.args.first().copied()));
    let projection = columns
        .zip(rel.schema.types())
        .map(|(column, ty)| {
            let value = input.column(column);
            if value.ty().kind == ty.kind {
                Expr::column(column, ty.clone())
            } else {
                Expr::Cast { input: Box::new(value), ty: ty.clone(), safe: false }
            }
        })
        .collect();
    Rel { op: RelOp::Calc { input, condition: None, projection }, schema: rel.schema }
}

fn is_own_value(call: &AggregateCall) -> bool {
    let of_one = matches!(call.function, AggregateFunction::Sum | AggregateFunction::Min | AggregateFunction::Max);
    of_one && call.filter.is_none()
}

/// Columns whose values are different in all rows.
pub(super) fn unique_keys(rel: &Rel) -> Vec<Vec<usize>> {
    match &rel.op {
        RelOp::Scan { table, columns } => {
            let place = |c: &usize| columns.iter().position(|o| o == c);
            let key: Option<Vec<usize>> = table.primary_key.iter().map(place).collect();
            key.into_iter().filter(|k| !k.is_empty() && !table.hidden_count).collect()
        }
        RelOp::Calc { input, projection, .. } => projected(&unique_keys(input), projection),
        RelOp::Aggregate { keys, .. } => vec![(0..keys.len()).collect()],
        RelOp::ChangelogNormalize { input, .. } | RelOp::Rank { input, .. } | RelOp::TemporalSort { input, .. } => {
            unique_keys(input)
        }
        RelOp::SemiJoin { left, .. } => unique_keys(left),
        _ => vec![],
    }
}
