//! Which task of a pipeline works on which rows: what each operator needs of its input, and where rows change hands.
//!
//! The plan's Exchange nodes only show it. What counts is what an operator asks for: its state is filed under the key
//! groups of its own key, so its rows have to come by exactly that key, or a restore at another parallelism would hand
//! the state to somebody else. Where the rows lie rightly already nothing is exchanged. [`Need::Home`] is right for every
//! operator, only slow: all its rows come to one task.

use arus_core::catalog::TableKind;
use arus_core::expr::Expr;
use arus_core::plan::{NodeId, Op, PhysicalPlan, Sink, SinkTarget, WindowKind};
use arus_core::{LogicalType, RowSchema};

/// What an operator asks of an input.
enum Need {
    /// Rows may lie anywhere.
    Any,
    /// Each row in the task that owns the key group of these columns.
    Keyed(Vec<usize>, Vec<LogicalType>),
    /// Rows that are equal in these columns in one task, in their order.
    Together(Vec<usize>, Vec<LogicalType>),
    /// All rows in one task.
    Home,
}

/// How rows lie behind an operator.
#[derive(Clone, PartialEq, Eq)]
enum Placed {
    Anywhere,
    /// By the key group of these columns.
    ByKey(Vec<usize>),
    AtHome,
}

/// How the rows of an input come to their operator.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Way {
    /// By a call in the same task.
    Here,
    /// To the owner of the key group of these columns, which have these types.
    ByKey(Vec<usize>, Vec<LogicalType>),
    /// To the task that is the pipeline's home.
    Home,
}

/// Where each operator runs, and the way of each of its inputs.
pub(crate) struct Places {
    /// It runs in the home task alone.
    pub(crate) at_home: Vec<bool>,
    pub(crate) ways: Vec<Vec<Way>>,
}

impl Places {
    /// `parallel` tells whether a connector's sink takes a writer in each task.
    pub(crate) fn new(plan: &PhysicalPlan, tasks: usize, parallel: impl Fn(NodeId, &Sink) -> bool) -> Self {
        let mut places = Places { at_home: vec![], ways: vec![] };
        let mut placed: Vec<Placed> = vec![];
        for id in 0..plan.nodes.len() {
            let inputs = &plan.nodes[id].inputs;
            let ways: Vec<Way> =
                (0..inputs.len())
                    .map(|port| {
                        if tasks == 1 { Way::Here } else { way(need(plan, id, port, &parallel), &placed[inputs[port]]) }
                    })
                    .collect();
            let arrives = |port: usize| match ways[port] {
                Way::Here => placed[inputs[port]].clone(),
                Way::ByKey(ref keys, _) => Placed::ByKey(keys.clone()),
                Way::Home => Placed::AtHome,
            };
            let arrived: Vec<Placed> = (0..inputs.len()).map(arrives).collect();
            let at_home = match &plan.nodes[id].op {
                Op::Scan(_) => false,
                Op::Values(_) => true,
                _ => arrived.iter().all(|p| *p == Placed::AtHome),
            };
            placed.push(if at_home { Placed::AtHome } else { leaves(plan, id, &arrived) });
            places.at_home.push(at_home && tasks > 1);
            places.ways.push(ways);
        }
        places
    }
}

fn way(need: Need, placed: &Placed) -> Way {
    match (need, placed) {
        (Need::Any, _) | (Need::Home | Need::Together(..), Placed::AtHome) => Way::Here,
        (Need::Home, _) => Way::Home,
        (Need::Keyed(keys, _), Placed::ByKey(by)) if keys == *by => Way::Here,
        (Need::Together(keys, _), Placed::ByKey(by)) if by.iter().all(|column| keys.contains(column)) => Way::Here,
        (Need::Keyed(keys, types) | Need::Together(keys, types), _) => Way::ByKey(keys, types),
    }
}

fn types_of(schema: &RowSchema, keys: &[usize]) -> Vec<LogicalType> {
    keys.iter().map(|key| schema.columns()[*key].ty.clone()).collect()
}

fn need(plan: &PhysicalPlan, id: NodeId, port: usize, parallel: &impl Fn(NodeId, &Sink) -> bool) -> Need {
    let node = &plan.nodes[id];
    let input = &plan.nodes[node.inputs[port]];
    let keyed = |keys: &[usize]| match keys {
        [] => Need::Home,
        keys => Need::Keyed(keys.to_vec(), types_of(&input.schema, keys)),
    };
    match &node.op {
        Op::Scan(_) | Op::Values(_) => Need::Any,
        Op::Calc(_) | Op::Exchange(_) | Op::Union | Op::DropUpdateBefore | Op::Expand(_) | Op::Correlate(_) => {
            Need::Any
        }
        Op::WindowTableFunction(window) => match window.kind {
            WindowKind::Session { .. } => keyed(&window.partition),
            WindowKind::Tumble { .. } | WindowKind::Hop { .. } | WindowKind::Cumulate { .. } => Need::Any,
        },
        Op::GroupAggregate(group) => keyed(&group.keys),
        Op::WindowAggregate(aggregate) => match (&aggregate.window.attached, aggregate.window.kind) {
            // Sessions that rows carry are told apart by their start, which is part of the key.
            (Some(attached), WindowKind::Session { .. }) => {
                keyed(&aggregate.keys.iter().copied().chain([attached.start]).collect::<Vec<_>>())
            }
            _ => keyed(&aggregate.keys),
        },
        Op::ChangelogNormalize(normalize) => keyed(&normalize.keys),
        Op::Rank(rank) => keyed(&rank.partition),
        Op::TemporalSort(_) => Need::Home,
        // Both sides have their keys in the types of the left.
        Op::SemiJoin(_) => {
            let all: Vec<usize> = (0..node.schema.len()).collect();
            let types = types_of(&node.schema, &all);
            if all.is_empty() { Need::Home } else { Need::Keyed(all, types) }
        }
        Op::Sink(sink) => need_of_sink(id, sink, &input.schema, parallel),
    }
}

fn need_of_sink(id: NodeId, sink: &Sink, input: &RowSchema, parallel: &impl Fn(NodeId, &Sink) -> bool) -> Need {
    let SinkTarget::Table(table) = &sink.target else { return Need::Home };
    let together = |keys: Vec<usize>| {
        let types = types_of(input, &keys);
        if keys.is_empty() { Need::Any } else { Need::Together(keys, types) }
    };
    match table.kind {
        TableKind::Connector if !parallel(id, sink) => Need::Home,
        TableKind::System => Need::Home,
        TableKind::Connector | TableKind::Keyed | TableKind::Topic => match &sink.materialize {
            Some(materialize) if materialize.keys.is_empty() => Need::Home,
            Some(materialize) => Need::Keyed(materialize.keys.clone(), types_of(input, &materialize.keys)),
            // Counts of whole rows add up in any order.
            None if table.hidden_count => Need::Any,
            None => {
                let columns = table.sink_columns();
                let key = |k: &usize| columns.iter().position(|column| column == k);
                table.primary_key.iter().map(key).collect::<Option<Vec<_>>>().map_or(Need::Home, together)
            }
        },
    }
}

/// How rows lie behind an operator into which they come like this.
fn leaves(plan: &PhysicalPlan, id: NodeId, arrived: &[Placed]) -> Placed {
    let node = &plan.nodes[id];
    let first = arrived.first().cloned().unwrap_or(Placed::Anywhere);
    match &node.op {
        Op::Scan(_) | Op::Values(_) | Op::Union | Op::Expand(_) | Op::Sink(_) => Placed::Anywhere,
        Op::Calc(calc) => match &first {
            Placed::ByKey(keys) => {
                let moved = |key: &usize| {
                    calc.projection.iter().position(|e| matches!(e, Expr::Column { index, .. } if index == key))
                };
                keys.iter().map(moved).collect::<Option<_>>().map_or(Placed::Anywhere, Placed::ByKey)
            }
            _ => first,
        },
        // Their columns stay where they are; others stand behind them.
        Op::Exchange(_)
        | Op::DropUpdateBefore
        | Op::WindowTableFunction(_)
        | Op::ChangelogNormalize(_)
        | Op::Rank(_)
        | Op::TemporalSort(_)
        | Op::Correlate(_) => first,
        // The types of the right may be others.
        Op::SemiJoin(_) => Placed::Anywhere,
        Op::GroupAggregate(group) => Placed::ByKey((0..group.keys.len()).collect()),
        Op::WindowAggregate(aggregate) => match (&aggregate.window.attached, aggregate.window.kind) {
            (Some(_), WindowKind::Session { .. }) => Placed::Anywhere,
            _ => Placed::ByKey((0..aggregate.keys.len()).collect()),
        },
    }
}
