//! Upsert keys, as Flink derives them: at most one row of each value of a key lives at a time, and all its changes
//! come in order.

use arus_core::expr::Expr;
use arus_core::plan::{Node, NodeId, Op, WindowProperty};

/// So many combinations of a key's copies are followed.
const COPIES_LIMIT: usize = 16;

/// Keys by which the output can be upserted.
pub(super) fn upsert_keys(op: &Op, inputs: &[NodeId], nodes: &[Node]) -> Vec<Vec<usize>> {
    let below = || inputs.first().map(|i| nodes[*i].upsert_keys.clone()).unwrap_or_default();
    match op {
        Op::Scan(scan) => {
            let place = |c: &usize| {
                scan.output.iter().position(|e| matches!(e, Expr::Column { index, .. } if scan.read[*index] == *c))
            };
            let key: Option<Vec<usize>> = scan.table.primary_key.iter().map(place).collect();
            key.into_iter().filter(|k| !k.is_empty()).collect()
        }
        Op::Values(_) | Op::Union | Op::WindowTableFunction(_) => vec![],
        Op::Calc(calc) => projected(&below(), &calc.projection),
        Op::Exchange(_) | Op::DropUpdateBefore | Op::Sink(_) => below(),
        Op::ChangelogNormalize(n) => vec![n.keys.clone()],
        Op::GroupAggregate(a) => vec![(0..a.keys.len()).collect()],
        Op::WindowAggregate(a) => {
            let base = a.keys.len() + a.calls.len();
            let windowed = a.properties.iter().enumerate().filter(|(_, p)| **p != WindowProperty::Time);
            windowed.map(|(p, _)| (0..a.keys.len()).chain([base + p]).collect()).collect()
        }
    }
}

/// The keys in the columns of a projection; a key whose column stands twice is there in each copy.
pub(super) fn projected(keys: &[Vec<usize>], projection: &[Expr]) -> Vec<Vec<usize>> {
    let copies = |column: usize| -> Vec<usize> {
        let holds = |e: &Expr| match e {
            Expr::Column { index, .. } => *index == column,
            Expr::Cast { input, ty, .. } => {
                matches!(&**input, Expr::Column { index, .. } if *index == column)
                    && crate::bind::implicit_cast_exists(&input.ty(), ty)
            }
            _ => false,
        };
        (0..projection.len()).filter(|i| holds(&projection[*i])).collect()
    };
    let mut found: Vec<Vec<usize>> = vec![];
    for key in keys {
        let mut combined: Vec<Vec<usize>> = vec![vec![]];
        for column in key {
            let copies = copies(*column);
            combined = combined
                .iter()
                .flat_map(|part| copies.iter().map(|c| part.iter().copied().chain([*c]).collect()))
                .take(COPIES_LIMIT)
                .collect();
        }
        found.extend(combined);
    }
    found
}
