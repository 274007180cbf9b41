//! The way of one row of an answer, operator by operator: which was the first that did not have it.
//!
//! From the answer backwards, each column of the row is followed for as long as operators pass it on unchanged. Then every operator on
//! the way runs once more over the rows that are there, and what it holds in the end is searched for those columns.

use std::collections::BTreeMap;
use std::sync::Arc;

use arus_core::catalog::ObjectPath;
use arus_core::expr::Expr;
use arus_core::plan::{Node, NodeId, Op, PhysicalPlan, Sink, SinkTarget, Uid};
use arus_core::settings::Settings;
use arus_core::{ChangeBatch, Result, RowKind};
use arus_sql::Planned;

use crate::bounded;
use crate::jobs::{Job, JobKind};
use crate::virtual_time::{VirtualEngine, texts};

/// Pipelines behind one another that are looked at.
const DEPTH: usize = 16;
/// Rows of an operator that are shown.
const SHOWN: usize = 3;

/// Which values a row has at an operator, by column.
type Values = BTreeMap<usize, String>;

pub struct Trail {
    /// In the order of the data.
    pub steps: Vec<TrailStep>,
    /// The first that had the row in its input and has not got it.
    pub first: Option<usize>,
}

pub struct TrailStep {
    /// `totals: GroupAggregate`
    pub operator: String,
    /// What was looked for: `customer = Ada`.
    pub wanted: Vec<(String, String)>,
    pub rows: usize,
    /// How many of them have it.
    pub with_it: usize,
    /// Some of its rows, those that are most like it.
    pub examples: Vec<String>,
}

/// A node of a plan with the values looked for there.
struct Stop<'a> {
    place: String,
    plan: &'a PhysicalPlan,
    settings: Settings,
    node: NodeId,
    values: Values,
    /// A query over a snapshot rather than a pipeline.
    snapshot: bool,
}

impl VirtualEngine {
    /// Where a row that the query should have given is lost.
    pub fn trail(&self, query: &str, row: &[(String, String)]) -> Result<Trail> {
        let shared = &self.engine.shared;
        let settings = self.settings();
        let Planned::Select { plan, schema } = shared.plan(query, &settings, true)?.planned else {
            return Ok(Trail { steps: vec![], first: None });
        };
        let of = |name: &String| schema.columns().iter().position(|c| c.name == *name);
        let values: Values = row.iter().filter_map(|(name, value)| Some((of(name)?, value.clone()))).collect();
        let jobs: Vec<Arc<Job>> =
            shared.jobs.all().into_iter().filter(|j| j.spec.kind != JobKind::ClientWriter).collect();
        let mut stops = vec![];
        let mut ends = vec![];
        if let Some((sink, _)) = plan.sinks().next() {
            walk(&plan, sink, values, &mut |node, values| {
                if let Op::Scan(scan) = &plan.nodes[node].op {
                    ends.push((scan.table.path.clone(), of_scan(scan, &values)));
                }
                stops.push(Stop {
                    place: "the query".into(),
                    plan: &plan,
                    settings: settings.clone(),
                    node,
                    values,
                    snapshot: true,
                });
            });
        }
        for _ in 0..DEPTH {
            let Some((path, values)) = ends.pop() else { break };
            for job in jobs.iter().filter(|j| j.spec.targets.contains(&path)) {
                self.walk_job(job, &path, &values, &mut stops, &mut ends);
            }
        }
        stops.reverse();
        let steps = stops.iter().map(|stop| self.step(stop)).collect::<Result<Vec<_>>>()?;
        let first = steps.iter().position(|s| s.with_it == 0 && !s.wanted.is_empty());
        Ok(Trail { steps, first })
    }

    fn walk_job<'a>(
        &self,
        job: &'a Job,
        path: &ObjectPath,
        values: &BTreeMap<String, String>,
        stops: &mut Vec<Stop<'a>>,
        ends: &mut Vec<(ObjectPath, BTreeMap<String, String>)>,
    ) {
        let plan = &job.spec.plan;
        for (sink, found) in plan.sinks() {
            let SinkTarget::Table(table) = &found.target else { continue };
            if table.path != *path {
                continue;
            }
            let columns = table.sink_columns();
            let at = |name: &str| columns.iter().position(|c| table.columns[*c].name == name);
            let values: Values = values.iter().filter_map(|(name, v)| Some((at(name)?, v.clone()))).collect();
            walk(plan, sink, values, &mut |node, values| {
                if let Op::Scan(scan) = &plan.nodes[node].op {
                    ends.push((scan.table.path.clone(), of_scan(scan, &values)));
                }
                stops.push(Stop {
                    place: job.spec.name.clone(),
                    plan,
                    settings: job.spec.settings.clone(),
                    node,
                    values,
                    snapshot: false,
                });
            });
        }
    }

    /// Runs the plan up to one node.
    fn step(&self, stop: &Stop<'_>) -> Result<TrailStep> {
        let shared = &self.engine.shared;
        let plan = upto(stop.plan, stop.node);
        let node = &stop.plan.nodes[stop.node];
        let batches: Vec<ChangeBatch> = if stop.snapshot {
            bounded::changes(shared, &shared.published(), &plan, &stop.settings)?.collect::<Result<_>>()?
        } else {
            bounded::until_rest(shared, &plan, &stop.settings)?
        };
        let rows = folded(&batches, node)?;
        let like = |row: &Vec<String>| stop.values.iter().filter(|(i, v)| row.get(**i) == Some(v)).count();
        let with_it = rows.iter().filter(|row| like(row) == stop.values.len()).count();
        let mut nearest: Vec<&Vec<String>> = rows.iter().collect();
        nearest.sort_by_key(|row| std::cmp::Reverse(like(row)));
        let columns = node.schema.columns();
        let wanted = stop.values.iter().map(|(i, v)| (columns[*i].name.clone(), v.clone())).collect();
        let shown = |row: &&Vec<String>| {
            let cells: Vec<String> = columns.iter().zip(row.iter()).map(|(c, v)| format!("{} = {v}", c.name)).collect();
            cells.join(", ")
        };
        Ok(TrailStep {
            operator: format!("{}: {}", stop.place, node.op.name()),
            wanted,
            rows: rows.len(),
            with_it,
            examples: nearest.iter().take(SHOWN).map(shown).collect(),
        })
    }
}

/// Calls `stop` for the inputs of a node, and theirs, with what is known of the row there.
fn walk(plan: &PhysicalPlan, node: NodeId, values: Values, stop: &mut dyn FnMut(NodeId, Values)) {
    for &input in &plan.nodes[node].inputs {
        let known = before(&plan.nodes[node].op, &values);
        if !matches!(plan.nodes[input].op, Op::Exchange(_)) {
            stop(input, known.clone());
        }
        walk(plan, input, known, stop);
    }
}

/// The values of the input of an operator, from those of its output.
fn before(op: &Op, values: &Values) -> Values {
    let through = |of: &dyn Fn(usize) -> Option<usize>| -> Values {
        values.iter().filter_map(|(column, value)| Some((of(*column)?, value.clone()))).collect()
    };
    let column = |expr: Option<&Expr>| match expr {
        Some(Expr::Column { index, .. }) => Some(*index),
        _ => None,
    };
    match op {
        Op::Calc(calc) => through(&|i| column(calc.projection.get(i))),
        Op::GroupAggregate(a) => through(&|i| a.keys.get(i).copied()),
        Op::WindowAggregate(a) => through(&|i| a.keys.get(i).copied()),
        // The same columns, and perhaps others behind them that the input does not have.
        Op::Exchange(_)
        | Op::Union
        | Op::ChangelogNormalize(_)
        | Op::DropUpdateBefore
        | Op::TemporalSort(_)
        | Op::SemiJoin(_)
        | Op::Rank(_)
        | Op::Sink(_) => values.clone(),
        _ => Values::new(),
    }
}

/// The values of a scan's table by the names of its columns.
fn of_scan(scan: &arus_core::plan::Scan, values: &Values) -> BTreeMap<String, String> {
    let name = |i: usize| match scan.output.get(i) {
        Some(Expr::Column { index, .. }) => {
            scan.read.get(*index).map(|column| scan.table.columns[*column].name.clone())
        }
        _ => None,
    };
    values.iter().filter_map(|(i, value)| Some((name(*i)?, value.clone()))).collect()
}

/// The plan of one node, with its rows as the result.
fn upto(plan: &PhysicalPlan, node: NodeId) -> PhysicalPlan {
    let mut needed = vec![false; plan.nodes.len()];
    needed[node] = true;
    for id in (0..=node).rev() {
        if needed[id] {
            plan.nodes[id].inputs.iter().for_each(|input| needed[*input] = true);
        }
    }
    let mut place = vec![0; plan.nodes.len()];
    let mut nodes: Vec<Node> = vec![];
    for id in (0..=node).filter(|id| needed[*id]) {
        place[id] = nodes.len();
        let mut copy = plan.nodes[id].clone();
        copy.inputs.iter_mut().for_each(|input| *input = place[*input]);
        nodes.push(copy);
    }
    let last = nodes.len() - 1;
    let of = &plan.nodes[node];
    nodes.push(Node {
        uid: Uid(u64::MAX),
        op: Op::Sink(Sink::to(SinkTarget::Collect)),
        inputs: vec![last],
        schema: of.schema.clone(),
        mode: of.mode,
        upsert_keys: of.upsert_keys.clone(),
    });
    PhysicalPlan { version: plan.version, nodes }
}

/// What is left of changes in the end.
fn folded(batches: &[ChangeBatch], node: &Node) -> Result<Vec<Vec<String>>> {
    let key = node.upsert_keys.first().filter(|_| !node.mode.update_before && !node.mode.is_insert_only());
    let mut rows: Vec<Vec<String>> = vec![];
    for batch in batches {
        for (i, row) in texts(batch.rows())?.into_iter().enumerate() {
            let kind = batch.kind(i);
            let same = |old: &Vec<String>| match key {
                Some(key) => key.iter().all(|k| old[*k] == row[*k]),
                None => *old == row,
            };
            let replaces = key.is_some() || matches!(kind, RowKind::UpdateBefore | RowKind::Delete);
            if replaces && let Some(at) = rows.iter().position(same) {
                rows.remove(at);
            }
            if matches!(kind, RowKind::Insert | RowKind::UpdateAfter) {
                rows.push(row);
            }
        }
    }
    Ok(rows)
}
