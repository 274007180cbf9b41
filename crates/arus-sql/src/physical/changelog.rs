//! Changelog modes, as Flink infers them.
//!
//! First the kinds of changes come up from the scans: what a node inserts, updates, deletes. Then the need for -U goes
//! down from the sinks: a sink asks for updates without -U if it can do without, and where some node below cannot
//! satisfy that, the whole tree of this sink carries -U. A CDC source always gives -U; where nobody wants them a
//! [`Op::DropUpdateBefore`] takes them out. Last a node that may choose (an aggregate) is told what to emit.

use std::collections::BTreeSet;

use arus_core::catalog::{ConnectorCatalog, TableDef, TableKind};
use arus_core::expr::Expr;
use arus_core::plan::{ChangelogMode, Node, NodeId, Op, PhysicalPlan, RankStrategy, Sink, SinkTarget, Uid};
use arus_core::settings::{CHANGELOG_COMPACTION, Settings};
use arus_core::{Error, Result};
use xxhash_rust::xxh3::xxh3_64;

use super::monotonicity;
use super::sinks::{same_columns, sink_key, sink_mode};
use crate::alert::ALERT_CONNECTOR;

/// Kinds of changes besides inserts.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Kinds {
    pub(super) update: bool,
    pub(super) delete: bool,
}

/// How updates come.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Updates {
    None,
    OnlyAfter,
    BeforeAndAfter,
}

/// What rows of a table's source carry.
pub(crate) fn source_mode(table: &TableDef, connectors: &dyn ConnectorCatalog) -> ChangelogMode {
    let format = match table.kind {
        TableKind::Topic | TableKind::Connector => table.option("format").and_then(|f| connectors.format(f)),
        TableKind::System => None,
        // Its versions tell what stood there before; one that counts equal rows only adds and takes away.
        TableKind::Keyed if table.hidden_count => return ChangelogMode { delete: true, ..ChangelogMode::INSERT_ONLY },
        TableKind::Keyed => return ChangelogMode::ALL,
    };
    format.map_or(ChangelogMode::INSERT_ONLY, |f| f.changelog_mode())
}

/// The kinds of changes of every node; `snapshot`: keyed tables are read at one epoch.
pub(super) fn kinds(plan: &PhysicalPlan, connectors: &dyn ConnectorCatalog, snapshot: bool) -> Vec<Kinds> {
    let mut found: Vec<Kinds> = vec![];
    for node in &plan.nodes {
        let below = node.inputs.iter().fold(Kinds::default(), |a, i| {
            let b = found[*i];
            Kinds { update: a.update || b.update, delete: a.delete || b.delete }
        });
        found.push(match &node.op {
            Op::Scan(scan) if snapshot && scan.table.kind == TableKind::Keyed => Kinds::default(),
            Op::Scan(scan) => {
                let mode = source_mode(&scan.table, connectors);
                Kinds { update: mode.update_after, delete: mode.delete }
            }
            Op::ChangelogNormalize(_) => Kinds { update: true, delete: true },
            Op::GroupAggregate(_) => Kinds { update: true, delete: below.update || below.delete },
            // A window is told once, when it is over; the planner refuses sorts over updates.
            Op::WindowAggregate(_) | Op::TemporalSort(_) => Kinds::default(),
            Op::Rank(rank) if rank.order.is_empty() && below == Kinds::default() => below,
            Op::Rank(_) => Kinds { update: true, delete: true },
            Op::SemiJoin(join) if join.anti => Kinds { update: true, delete: true },
            Op::Values(_)
            | Op::Calc(_)
            | Op::WindowTableFunction(_)
            | Op::Exchange(_)
            | Op::Union
            | Op::DropUpdateBefore
            | Op::Expand(_)
            | Op::SemiJoin(_)
            | Op::Correlate(_)
            | Op::Sink(_) => below,
        });
    }
    found
}

/// Settles the mode of every node; `collect` is what the one who asked takes of a bare SELECT.
pub(super) fn settle(
    plan: &mut PhysicalPlan,
    kinds: &[Kinds],
    settings: &Settings,
    connectors: &dyn ConnectorCatalog,
    collect: ChangelogMode,
) -> Result<()> {
    for id in 0..plan.nodes.len() {
        let strategy = monotonicity::rank_strategy(&plan.nodes, id, kinds);
        if let Op::Rank(rank) = &mut plan.nodes[id].op {
            rank.strategy = strategy;
        }
    }
    let (provided, dropped) = updates(plan, kinds, connectors, collect)?;
    for (id, node) in plan.nodes.iter_mut().enumerate() {
        let before = provided[id] == Updates::BeforeAndAfter;
        node.mode = ChangelogMode {
            insert: true,
            update_before: before,
            update_after: kinds[id].update,
            delete: kinds[id].delete,
        };
        match &mut node.op {
            Op::GroupAggregate(a) => a.update_before = before,
            Op::Rank(rank) => rank.update_before = before,
            Op::ChangelogNormalize(n) => n.update_before = before,
            _ => {}
        }
    }
    every_step(plan, settings);
    drop_update_before(plan, &dropped);
    Ok(())
}

/// What each node gives, and the inputs (node, port) from which -U are dropped.
type Inferred = (Vec<Updates>, BTreeSet<(NodeId, usize)>);

fn updates(
    plan: &PhysicalPlan,
    kinds: &[Kinds],
    connectors: &dyn ConnectorCatalog,
    collect: ChangelogMode,
) -> Result<Inferred> {
    let provided = vec![Updates::None; plan.nodes.len()];
    let mut inference = Inference { plan, kinds, connectors, provided, dropped: BTreeSet::new() };
    for (id, sink) in plan.sinks() {
        let input = plan.nodes[id].inputs[0];
        inference.sink(id, &sink_wants(plan, sink, input, kinds[input], connectors, collect))?;
    }
    Ok((inference.provided, inference.dropped))
}

/// What a sink asks for, the best first.
fn sink_wants(
    plan: &PhysicalPlan,
    sink: &Sink,
    input: NodeId,
    kinds: Kinds,
    connectors: &dyn ConnectorCatalog,
    collect: ChangelogMode,
) -> Vec<Updates> {
    use Updates::{BeforeAndAfter, OnlyAfter};
    if !kinds.update {
        return vec![Updates::None];
    }
    match &sink.target {
        SinkTarget::Collect if collect.update_before => vec![BeforeAndAfter],
        SinkTarget::Collect => vec![OnlyAfter, BeforeAndAfter],
        SinkTarget::Table(table) => {
            let key = sink_key(table);
            let keys = &plan.nodes[input].upsert_keys;
            // Upserts by another key than the query's leave a row behind unless it is taken back.
            let other_key = !key.is_empty() && !keys.iter().any(|k| same_columns(k, &key));
            if sink_mode(&sink.target, connectors).update_before || other_key {
                vec![BeforeAndAfter]
            } else {
                vec![OnlyAfter, BeforeAndAfter]
            }
        }
    }
}

struct Inference<'p> {
    plan: &'p PhysicalPlan,
    kinds: &'p [Kinds],
    connectors: &'p dyn ConnectorCatalog,
    /// What each node gives.
    provided: Vec<Updates>,
    /// Inputs (node, port) from which -U are dropped.
    dropped: BTreeSet<(NodeId, usize)>,
}

impl Inference<'_> {
    fn sink(&mut self, id: NodeId, wants: &[Updates]) -> Result<()> {
        for want in wants {
            let (provided, dropped) = (self.provided.clone(), self.dropped.clone());
            if let Some(given) = self.input(id, 0, *want) {
                self.provided[id] = given;
                return Ok(());
            }
            (self.provided, self.dropped) = (provided, dropped);
        }
        Err(Error::bug("no changelog mode satisfies the sink of a plan"))
    }

    /// Asks input `port` of `id`; `None`: it cannot do that.
    fn input(&mut self, id: NodeId, port: usize, want: Updates) -> Option<Updates> {
        let input = self.plan.nodes[id].inputs[port];
        let want = if self.kinds[input].update { want } else { Updates::None };
        if let Op::Scan(scan) = &self.plan.nodes[input].op {
            let before = source_mode(&scan.table, self.connectors).update_before;
            let given = match (self.kinds[input].update, before) {
                (false, _) => Updates::None,
                (true, true) => Updates::BeforeAndAfter,
                (true, false) => Updates::OnlyAfter,
            };
            self.provided[input] = given;
            return match (want, given) {
                (want, given) if want == given => Some(given),
                (Updates::OnlyAfter, Updates::BeforeAndAfter) => {
                    self.dropped.insert((id, port));
                    Some(Updates::OnlyAfter)
                }
                _ => None,
            };
        }
        let given = self.node(input, want)?;
        self.provided[input] = given;
        (want == Updates::None || given == want).then_some(given)
    }

    /// What a node gives when it is asked for `want`.
    fn node(&mut self, id: NodeId, want: Updates) -> Option<Updates> {
        let node = &self.plan.nodes[id];
        match &node.op {
            Op::Scan(_) | Op::Values(_) => Some(Updates::None),
            Op::Calc(calc) => {
                let input = &self.plan.nodes[node.inputs[0]];
                let filters = calc.condition.as_ref().is_some_and(|c| !within_upsert_key(c, input));
                // A row that no longer passes must be taken back, which its new version alone cannot.
                if want == Updates::OnlyAfter && filters {
                    return None;
                }
                self.input(id, 0, want)
            }
            Op::WindowTableFunction(_)
            | Op::Exchange(_)
            | Op::DropUpdateBefore
            | Op::Expand(_)
            | Op::Correlate(_)
            | Op::Sink(_) => self.input(id, 0, want),
            Op::Rank(rank) => {
                match rank.strategy {
                    RankStrategy::AppendFast => self.input(id, 0, Updates::None)?,
                    // It passes over -U, should they come.
                    RankStrategy::UpdateFast { .. } => {
                        self.input(id, 0, Updates::OnlyAfter).or_else(|| self.input(id, 0, Updates::BeforeAndAfter))?
                    }
                    RankStrategy::Retract => self.input(id, 0, Updates::BeforeAndAfter)?,
                };
                Some(want)
            }
            Op::SemiJoin(_) => {
                for port in 0..node.inputs.len() {
                    let input = node.inputs[port];
                    // Updates without -U would be counted twice, unless each row lives once.
                    let all: Vec<usize> = (0..node.schema.len()).collect();
                    let once = self.plan.nodes[input].upsert_keys.iter().any(|key| same_columns(key, &all));
                    let asks = match want {
                        Updates::OnlyAfter if self.kinds[input].update && !once => return None,
                        Updates::OnlyAfter => Updates::OnlyAfter,
                        _ => Updates::BeforeAndAfter,
                    };
                    self.input(id, port, asks)?;
                }
                Some(want)
            }
            Op::Union => {
                let mut given = Updates::None;
                for port in 0..node.inputs.len() {
                    match self.input(id, port, want)? {
                        Updates::None => {}
                        updates => given = updates,
                    }
                }
                Some(given)
            }
            Op::ChangelogNormalize(_) => {
                self.input(id, 0, Updates::OnlyAfter)?;
                Some(want)
            }
            Op::GroupAggregate(_) | Op::WindowAggregate(_) | Op::TemporalSort(_) => {
                self.input(id, 0, Updates::BeforeAndAfter)?;
                Some(want)
            }
        }
    }
}

/// Whether a condition reads columns of one upsert key alone: then it passes all versions of a row or none.
fn within_upsert_key(condition: &Expr, input: &Node) -> bool {
    let mut read = vec![];
    condition.visit_columns(&mut |c| read.push(c));
    input.upsert_keys.iter().any(|key| read.iter().all(|c| key.contains(c)))
}

/// Below print, below alerts and whoever asked every step is told.
fn every_step(plan: &mut PhysicalPlan, settings: &Settings) {
    let mut steps = vec![false; plan.nodes.len()];
    for id in (0..plan.nodes.len()).rev() {
        let node = &plan.nodes[id];
        let asks = match &node.op {
            Op::Sink(Sink { target: SinkTarget::Collect, .. }) => true,
            Op::Sink(Sink { target: SinkTarget::Table(t), .. }) => {
                matches!(t.connector(), Some("print" | ALERT_CONNECTOR))
            }
            _ => steps[id],
        };
        for input in node.inputs.clone() {
            steps[input] |= asks;
        }
    }
    let compaction = settings.get(CHANGELOG_COMPACTION) != "off";
    for (node, steps) in plan.nodes.iter_mut().zip(steps) {
        if let Op::GroupAggregate(a) = &mut node.op {
            a.compact = compaction && !steps;
        }
    }
}

/// Puts the operators in; nodes keep their order.
fn drop_update_before(plan: &mut PhysicalPlan, dropped: &BTreeSet<(NodeId, usize)>) {
    if dropped.is_empty() {
        return;
    }
    let mut nodes: Vec<Node> = vec![];
    let mut places: Vec<NodeId> = vec![];
    for (id, mut node) in std::mem::take(&mut plan.nodes).into_iter().enumerate() {
        for (port, input) in node.inputs.iter_mut().enumerate() {
            *input = places[*input];
            if dropped.contains(&(id, port)) {
                let source = &nodes[*input];
                let drop = Node {
                    uid: Uid(xxh3_64(format!("{}drop update before#{}", source.uid, node.uid).as_bytes())),
                    op: Op::DropUpdateBefore,
                    inputs: vec![*input],
                    schema: source.schema.clone(),
                    mode: ChangelogMode { update_before: false, ..source.mode },
                    upsert_keys: source.upsert_keys.clone(),
                };
                nodes.push(drop);
                *input = nodes.len() - 1;
            }
        }
        places.push(nodes.len());
        nodes.push(node);
    }
    plan.nodes = nodes;
}
