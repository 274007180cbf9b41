//! Which columns of an updating node only rise or only fall: what an order by them can rely on.

use arus_core::expr::Expr;
use arus_core::function::AggregateFunction;
use arus_core::plan::{Node, NodeId, Op, Rank, RankStrategy};

use super::changelog::Kinds;

/// How the values of a column change while a row with the same key is updated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Monotonicity {
    Constant,
    Rises,
    Falls,
    Any,
}

/// How a rank keeps its rows; `kinds` has the changes of every node. Where an update can only move a row up, the rows
/// below the limit are never asked for again.
pub(super) fn rank_strategy(nodes: &[Node], id: NodeId, kinds: &[Kinds]) -> RankStrategy {
    let (Op::Rank(rank), [input]) = (&nodes[id].op, nodes[id].inputs.as_slice()) else {
        return RankStrategy::Retract;
    };
    if kinds[*input] == Kinds::default() {
        return RankStrategy::AppendFast;
    }
    let key = nodes[*input].upsert_keys.iter().find(|key| rank.partition.iter().all(|p| key.contains(p)));
    match (key, columns(nodes, *input, kinds)) {
        (Some(key), Some(columns)) if !rank.order.is_empty() && only_up(rank, &columns) => {
            RankStrategy::UpdateFast { key: key.clone() }
        }
        _ => RankStrategy::Retract,
    }
}

fn only_up(rank: &Rank, columns: &[Monotonicity]) -> bool {
    let partition = rank.partition.iter().all(|p| columns[*p] == Monotonicity::Constant);
    partition
        && rank.order.iter().all(|key| match columns[key.column] {
            Monotonicity::Constant => true,
            Monotonicity::Rises => key.descending,
            Monotonicity::Falls => !key.descending,
            Monotonicity::Any => false,
        })
}

/// `None` where rows can be deleted.
fn columns(nodes: &[Node], id: NodeId, kinds: &[Kinds]) -> Option<Vec<Monotonicity>> {
    let node = &nodes[id];
    match &node.op {
        Op::GroupAggregate(aggregate) => {
            if node.inputs.iter().any(|input| kinds[*input] != Kinds::default()) {
                return None;
            }
            let keys = aggregate.keys.iter().map(|_| Monotonicity::Constant);
            Some(keys.chain(aggregate.calls.iter().map(|call| of_function(call.function))).collect())
        }
        Op::Calc(calc) if calc.condition.is_none() => {
            let below = columns(nodes, *node.inputs.first()?, kinds)?;
            let of = |e: &Expr| match e {
                Expr::Column { index, .. } => below[*index],
                Expr::Literal { .. } => Monotonicity::Constant,
                _ => Monotonicity::Any,
            };
            Some(calc.projection.iter().map(of).collect())
        }
        Op::Exchange(_) => columns(nodes, *node.inputs.first()?, kinds),
        _ => None,
    }
}

fn of_function(function: AggregateFunction) -> Monotonicity {
    match function {
        AggregateFunction::Count | AggregateFunction::Max => Monotonicity::Rises,
        AggregateFunction::Min => Monotonicity::Falls,
        _ => Monotonicity::Any,
    }
}
