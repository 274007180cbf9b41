//! Upsert keys, as Flink derives them: at most one row of each value of a key lives at a time, and all its changes
//! come in order.

use arus_core::expr::Expr;
use arus_core::plan::{Node, NodeId, Op, WindowProperty};
use arus_core::types::{MAX_LENGTH, TypeKind};

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
            key.into_iter().filter(|k| !k.is_empty() && !scan.table.hidden_count).collect()
        }
        Op::Values(_) | Op::Union | Op::WindowTableFunction(_) | Op::Expand(_) | Op::Correlate(_) => vec![],
        Op::Calc(calc) => projected(&below(), &calc.projection),
        Op::DropUpdateBefore | Op::TemporalSort(_) | Op::Sink(_) => below(),
        Op::Exchange(exchange) => in_order(below(), &exchange.keys),
        Op::Rank(rank) => in_order(below(), &rank.partition),
        Op::SemiJoin(_) => {
            let columns = inputs.first().map_or(0, |i| nodes[*i].schema.len());
            in_order(below(), &(0..columns).collect::<Vec<_>>())
        }
        Op::ChangelogNormalize(n) => vec![n.keys.clone()],
        Op::GroupAggregate(a) => vec![(0..a.keys.len()).collect()],
        Op::WindowAggregate(a) => {
            let base = a.keys.len() + a.calls.len();
            let windowed = a.properties.iter().enumerate().filter(|(_, p)| **p != WindowProperty::Time);
            windowed.map(|(p, _)| (0..a.keys.len()).chain([base + p]).collect()).collect()
        }
    }
}

/// The keys whose changes stay in order where each value of `columns` may be in another task: all changes of a key have to
/// go the same way.
fn in_order(mut keys: Vec<Vec<usize>>, columns: &[usize]) -> Vec<Vec<usize>> {
    keys.retain(|key| columns.iter().all(|column| key.contains(column)));
    keys
}

/// The keys in the columns of a projection; a key whose column stands twice is there in each copy.
pub(crate) fn projected(keys: &[Vec<usize>], projection: &[Expr]) -> Vec<Vec<usize>> {
    let copies = |column: usize| -> Vec<usize> {
        let holds = |e: &Expr| match e {
            Expr::Column { index, .. } => *index == column,
            Expr::Cast { input, ty, .. } => {
                matches!(&**input, Expr::Column { index, .. } if *index == column)
                    && keeps_apart(&input.ty().kind, &ty.kind)
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

/// Whether a cast gives different values for different values, so that a key stays one.
fn keeps_apart(from: &TypeKind, to: &TypeKind) -> bool {
    use TypeKind as T;
    const INTEGERS: [TypeKind; 4] = [T::TinyInt, T::SmallInt, T::Int, T::BigInt];
    let width = |kind: &TypeKind| INTEGERS.iter().position(|i| i == kind);
    match (from, to) {
        (a, b) if a == b => true,
        (a, b) if width(a).is_some() && width(b).is_some() => width(a) <= width(b),
        (T::Char(n), T::Char(m))
        | (T::Char(n) | T::Varchar(n), T::Varchar(m))
        | (T::Binary(n), T::Binary(m))
        | (T::Binary(n) | T::Varbinary(n), T::Varbinary(m)) => n <= m,
        (T::Decimal { precision: p, scale: s }, T::Decimal { precision: q, scale: t }) => s <= t && p - s <= q - t,
        (T::Timestamp { precision: p, .. }, T::Timestamp { precision: q, .. })
        | (T::TimestampLtz { precision: p, .. }, T::TimestampLtz { precision: q, .. }) => p <= q,
        (
            T::Float | T::Double | T::Boolean | T::Date | T::Time(_) | T::Timestamp { .. } | T::TimestampLtz { .. },
            T::Varchar(MAX_LENGTH),
        ) => true,
        (a, T::Varchar(MAX_LENGTH)) => a.is_integer(),
        _ => false,
    }
}
