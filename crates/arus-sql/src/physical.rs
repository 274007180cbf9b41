//! The logical plan to the physical one: scans shared, exchanges put in, changelog modes settled.
//!
//! Requirements go down from the sinks (who needs -U, who prints every step), provision comes up from the scans. As in
//! Flink a filter over updates needs -U, or a row that no longer passes would never be taken back.

mod monotonicity;

use std::collections::HashMap;
use std::sync::Arc;

use arus_core::catalog::{ConnectorCatalog, TableDef, TableKind};
use arus_core::error::Code;
use arus_core::expr::Expr;
use arus_core::plan::{
    Calc, ChangelogMode, Correlate, Exchange, Expand, GroupAggregate, Node, NodeId, Op, PLAN_VERSION, PhysicalPlan,
    Rank, RankStrategy, Scan, SemiJoin, Sink, SinkTarget, TemporalSort, Values, Watermark, WindowAggregate,
    WindowProperty,
};
use arus_core::schema::RowSchema;
use arus_core::settings::{CHANGELOG_COMPACTION, IDLE_TIMEOUT, STATE_TTL, Settings, parse_duration_ms};
use arus_core::{Error, Location, Result};

use crate::explain::{Notation, node_text};
use crate::pass::digest::{digest, uid};
use crate::pass::optimize;
use crate::rel::{Rel, RelOp};

/// A sink of the job and where the user named it.
pub(crate) struct Root {
    pub(crate) rel: Rel,
    pub(crate) at: Location,
}

/// `collect` is what the one who asked takes of a bare SELECT.
pub(crate) fn physical(
    roots: Vec<Root>,
    settings: &Settings,
    connectors: &dyn ConnectorCatalog,
    collect: ChangelogMode,
) -> Result<PhysicalPlan> {
    let (rels, places): (Vec<Rel>, Vec<Location>) = roots.into_iter().map(|r| (r.rel, r.at)).unzip();
    let rels = optimize(rels);
    let mut builder = Builder { settings, nodes: vec![], scans: vec![], ordinals: HashMap::new() };
    let mut sinks = vec![];
    for (rel, at) in rels.iter().zip(places) {
        sinks.push((builder.build(rel)?, at));
    }
    let mut plan = PhysicalPlan { version: PLAN_VERSION, nodes: builder.nodes };
    settle_modes(&mut plan, settings, connectors, collect);
    for (sink, at) in sinks {
        check_sink(&plan, sink, connectors).map_err(|e| e.with_location(at))?;
    }
    Ok(plan)
}

struct Builder<'s> {
    settings: &'s Settings,
    nodes: Vec<Node>,
    scans: Vec<(Arc<TableDef>, NodeId)>,
    ordinals: HashMap<(u64, &'static str), usize>,
}

impl Builder<'_> {
    fn push(&mut self, op: Op, inputs: Vec<NodeId>, schema: RowSchema, digest: u64, part: &'static str) -> NodeId {
        let ordinal = self.ordinals.entry((digest, part)).or_insert(0);
        let uid = uid(digest, part, *ordinal);
        *ordinal += 1;
        let upsert_keys = upsert_keys(&op, &inputs, &self.nodes);
        self.nodes.push(Node { uid, op, inputs, schema, mode: ChangelogMode::INSERT_ONLY, upsert_keys });
        self.nodes.len() - 1
    }

    fn build(&mut self, rel: &Rel) -> Result<NodeId> {
        let schema = rel.schema.clone();
        let hash = digest(rel);
        match &rel.op {
            RelOp::Scan { table, columns } => {
                if let Some((_, node)) = self.scans.iter().find(|(t, _)| t == table) {
                    return Ok(*node);
                }
                let scan = self.scan(table, columns)?;
                // Shared by all who read the table, so it has the table's names, not an alias.
                let row = table.row_schema();
                let schema = columns.iter().map(|c| row.columns()[*c].clone()).collect();
                let node = self.push(Op::Scan(scan), vec![], schema, hash, "");
                self.scans.push((table.clone(), node));
                Ok(node)
            }
            RelOp::Values { rows } => {
                Ok(self.push(Op::Values(Values { rows: rows.clone() }), vec![], schema, hash, ""))
            }
            RelOp::Calc { input, condition, projection } => {
                let below = self.build(input)?;
                let calc = Calc { condition: condition.clone(), projection: projection.clone() };
                // A Calc that only chooses columns shares the digest of its input, so its uid is a part of it.
                let part = if crate::pass::is_selection(condition, projection) { "select" } else { "" };
                Ok(self.push(Op::Calc(calc), vec![below], schema, hash, part))
            }
            RelOp::Window { input, window } => {
                let below = self.build(input)?;
                Ok(self.push(Op::WindowTableFunction(window.clone()), vec![below], schema, hash, ""))
            }
            RelOp::Aggregate { input, keys, calls } => {
                let below = self.exchange(input, keys, hash)?;
                let aggregate = GroupAggregate {
                    keys: keys.clone(),
                    calls: calls.clone(),
                    update_before: false,
                    compact: false,
                    state_ttl_ms: self.settings.duration_ms(STATE_TTL)?,
                };
                Ok(self.push(Op::GroupAggregate(aggregate), vec![below], schema, hash, ""))
            }
            RelOp::WindowAggregate { input, window, keys, calls, properties } => {
                let below = self.exchange(input, keys, hash)?;
                let aggregate = WindowAggregate {
                    window: window.clone(),
                    keys: keys.clone(),
                    calls: calls.clone(),
                    properties: properties.clone(),
                };
                Ok(self.push(Op::WindowAggregate(aggregate), vec![below], schema, hash, ""))
            }
            RelOp::Union { inputs } => {
                let inputs = inputs.iter().map(|r| self.build(r)).collect::<Result<Vec<_>>>()?;
                Ok(self.push(Op::Union, inputs, schema, hash, ""))
            }
            RelOp::Expand { input, projections } => {
                let below = self.build(input)?;
                let expand = Expand { projections: projections.clone() };
                Ok(self.push(Op::Expand(expand), vec![below], schema, hash, ""))
            }
            RelOp::Rank { input, order, offset, end } => {
                let below = self.exchange(input, &[], hash)?;
                let rank = Rank {
                    partition: vec![],
                    order: order.clone(),
                    offset: *offset,
                    end: *end,
                    // Settled with the changelog modes.
                    strategy: RankStrategy::Retract,
                    update_before: false,
                    state_ttl_ms: self.settings.duration_ms(STATE_TTL)?,
                };
                Ok(self.push(Op::Rank(rank), vec![below], schema, hash, ""))
            }
            RelOp::TemporalSort { input, time, order } => {
                let below = self.exchange(input, &[], hash)?;
                let time_type = input.schema.columns()[*time].ty.clone();
                let sort = TemporalSort { time: *time, time_type, order: order.clone() };
                Ok(self.push(Op::TemporalSort(sort), vec![below], schema, hash, ""))
            }
            RelOp::SemiJoin { left, right, anti } => {
                let all: Vec<usize> = (0..left.schema.len()).collect();
                let inputs = vec![self.exchange(left, &all, hash)?, self.exchange(right, &all, hash)?];
                let join = SemiJoin { anti: *anti, state_ttl_ms: self.settings.duration_ms(STATE_TTL)? };
                Ok(self.push(Op::SemiJoin(join), inputs, schema, hash, ""))
            }
            RelOp::Correlate { input, function, column, outer } => {
                let below = self.build(input)?;
                let correlate = Correlate { function: *function, column: *column, outer: *outer };
                Ok(self.push(Op::Correlate(correlate), vec![below], schema, hash, ""))
            }
            RelOp::Sink { input, target } => {
                let below = self.build(input)?;
                Ok(self.push(Op::Sink(Sink { target: target.clone() }), vec![below], schema, hash, ""))
            }
        }
    }

    fn exchange(&mut self, input: &Rel, keys: &[usize], hash: u64) -> Result<NodeId> {
        let below = self.build(input)?;
        let exchange = Exchange { keys: keys.to_vec() };
        Ok(self.push(Op::Exchange(exchange), vec![below], input.schema.clone(), hash, "exchange"))
    }

    fn scan(&self, table: &Arc<TableDef>, columns: &[usize]) -> Result<Scan> {
        use arus_core::catalog::ColumnKind;
        let value = |column: usize| match &table.columns[column].kind {
            ColumnKind::Computed { expr, .. } => expr.clone(),
            _ => Expr::column(column, table.columns[column].ty.clone()),
        };
        let mut output: Vec<Expr> = columns.iter().map(|c| value(*c)).collect();
        let mut read: Vec<usize> = vec![];
        for e in &output {
            e.visit_columns(&mut |c| read.push(c));
        }
        read.sort_unstable();
        read.dedup();
        if read.is_empty() {
            // Rows are counted by a column; one of constants alone needs some.
            read.extend(
                (0..table.columns.len()).find(|c| !matches!(table.columns[*c].kind, ColumnKind::Computed { .. })),
            );
        }
        for e in &mut output {
            e.map_columns(&|c| read.binary_search(&c).expect("collected above"));
        }
        let place = |c: usize| columns.iter().position(|o| *o == c).expect("a scan gives what its watermark reads");
        let watermark = match &table.watermark {
            None => None,
            Some(w) => {
                let mut expr = w.expr.clone();
                expr.map_columns(&place);
                let idle = match table.option("scan.watermark.idle-timeout") {
                    Some(text) => parse_duration_ms(text)?,
                    None => self.settings.duration_ms(IDLE_TIMEOUT)?,
                };
                Some(Watermark { column: place(w.column), expr, idle_timeout_ms: idle })
            }
        };
        Ok(Scan { table: table.clone(), read, output, watermark })
    }
}

/// Keys by which the output can be upserted: at most one row of each value lives at a time.
fn upsert_keys(op: &Op, inputs: &[NodeId], nodes: &[Node]) -> Vec<Vec<usize>> {
    let below = || inputs.first().map(|i| nodes[*i].upsert_keys.clone()).unwrap_or_default();
    match op {
        Op::Scan(scan) => {
            let place = |c: &usize| {
                scan.output.iter().position(|e| matches!(e, Expr::Column { index, .. } if scan.read[*index] == *c))
            };
            let key: Option<Vec<usize>> = scan.table.primary_key.iter().map(place).collect();
            key.into_iter().filter(|k| !k.is_empty()).collect()
        }
        Op::Values(_) | Op::Union | Op::Expand(_) | Op::Correlate(_) => vec![],
        Op::Calc(calc) => {
            let place =
                |c: &usize| calc.projection.iter().position(|e| matches!(e, Expr::Column { index, .. } if index == c));
            below().iter().filter_map(|key| key.iter().map(place).collect()).collect()
        }
        Op::WindowTableFunction(_)
        | Op::Exchange(_)
        | Op::Rank(_)
        | Op::TemporalSort(_)
        | Op::SemiJoin(_)
        | Op::Sink(_) => below(),
        Op::GroupAggregate(a) => vec![(0..a.keys.len()).collect()],
        Op::WindowAggregate(a) => {
            let base = a.keys.len() + a.calls.len();
            let end = a.properties.iter().position(|p| *p != WindowProperty::Start).map(|p| base + p);
            let start = a.properties.iter().position(|p| *p == WindowProperty::Start).map(|p| base + p);
            end.or(start).map(|w| (0..a.keys.len()).chain([w]).collect()).into_iter().collect()
        }
    }
}

/// Row kinds that a sink takes.
pub(crate) fn sink_mode(target: &SinkTarget, connectors: &dyn ConnectorCatalog) -> ChangelogMode {
    match target {
        SinkTarget::Collect => ChangelogMode::ALL,
        SinkTarget::Table(table) => match table.kind {
            TableKind::System => ChangelogMode::INSERT_ONLY,
            TableKind::Topic => table
                .option("format")
                .and_then(|f| connectors.format(f))
                .map_or(ChangelogMode::INSERT_ONLY, |f| f.encoding_mode()),
            TableKind::Keyed if table.hidden_count => ChangelogMode::ALL,
            TableKind::Keyed => ChangelogMode::UPSERT,
            TableKind::Connector => table
                .connector()
                .and_then(|c| connectors.connector(c))
                .map_or(ChangelogMode::ALL, |c| c.sink_mode(table)),
        },
    }
}

/// Row kinds that a scan gives: what its format reads.
pub(crate) fn scan_mode(table: &TableDef, connectors: &dyn ConnectorCatalog) -> ChangelogMode {
    let format = match table.kind {
        TableKind::Topic | TableKind::Connector => table.option("format").and_then(|f| connectors.format(f)),
        TableKind::Keyed | TableKind::System => None,
    };
    format.map_or(ChangelogMode::INSERT_ONLY, |f| f.changelog_mode())
}

fn settle_modes(
    plan: &mut PhysicalPlan,
    settings: &Settings,
    connectors: &dyn ConnectorCatalog,
    collect: ChangelogMode,
) {
    let count = plan.nodes.len();
    let mut updates = vec![false; count];
    for i in 0..count {
        let below = plan.nodes[i].inputs.iter().any(|n| updates[*n]);
        updates[i] = below
            || match &plan.nodes[i].op {
                Op::GroupAggregate(_) => true,
                Op::Scan(scan) => !scan_mode(&scan.table, connectors).is_insert_only(),
                Op::Rank(rank) => !rank.order.is_empty(),
                Op::SemiJoin(join) => join.anti,
                _ => false,
            };
        if matches!(plan.nodes[i].op, Op::Rank(_)) {
            let strategy = monotonicity::rank_strategy(&plan.nodes, i, &updates);
            if let Op::Rank(rank) = &mut plan.nodes[i].op {
                rank.strategy = strategy;
            }
        }
    }
    let mut needs_before = vec![false; count];
    let mut every_step = vec![false; count];
    for i in (0..count).rev() {
        let node = &plan.nodes[i];
        let before = match &node.op {
            Op::Sink(Sink { target: SinkTarget::Collect }) => collect.update_before,
            Op::Sink(sink) => sink_needs_before(sink, &plan.nodes[node.inputs[0]], connectors),
            Op::GroupAggregate(_) | Op::SemiJoin(_) => true,
            Op::Rank(rank) => rank.strategy == RankStrategy::Retract,
            Op::Calc(calc) => needs_before[i] || calc.condition.is_some(),
            _ => needs_before[i],
        };
        let steps = match &node.op {
            Op::Sink(Sink { target: SinkTarget::Collect }) => true,
            Op::Sink(Sink { target: SinkTarget::Table(t) }) => t.connector() == Some("print"),
            _ => every_step[i],
        };
        for input in node.inputs.clone() {
            needs_before[input] |= before;
            every_step[input] |= steps;
        }
    }
    let compaction = settings.get(CHANGELOG_COMPACTION) != "off";
    let mut modes: Vec<ChangelogMode> = vec![];
    for i in 0..count {
        let below = plan.nodes[i].inputs.iter().map(|n| modes[*n]).fold(ChangelogMode::INSERT_ONLY, union_of);
        let node = &mut plan.nodes[i];
        node.mode = match &mut node.op {
            Op::GroupAggregate(a) => {
                a.update_before = needs_before[i];
                a.compact = compaction && !every_step[i];
                ChangelogMode {
                    insert: true,
                    update_before: needs_before[i],
                    update_after: true,
                    delete: !below.is_insert_only(),
                }
            }
            Op::Rank(rank) => {
                rank.update_before = needs_before[i];
                if updates[i] {
                    ChangelogMode { insert: true, update_before: needs_before[i], update_after: true, delete: true }
                } else {
                    ChangelogMode::INSERT_ONLY
                }
            }
            Op::SemiJoin(join) if join.anti => {
                ChangelogMode { insert: true, update_before: below.update_before, update_after: true, delete: true }
            }
            // The planner refuses windows over updates.
            Op::WindowAggregate(_) => ChangelogMode::INSERT_ONLY,
            Op::Scan(scan) => scan_mode(&scan.table, connectors),
            _ => below,
        };
        modes.push(node.mode);
    }
}

fn union_of(a: ChangelogMode, b: ChangelogMode) -> ChangelogMode {
    ChangelogMode {
        insert: a.insert || b.insert,
        update_before: a.update_before || b.update_before,
        update_after: a.update_after || b.update_after,
        delete: a.delete || b.delete,
    }
}

fn sink_needs_before(sink: &Sink, input: &Node, connectors: &dyn ConnectorCatalog) -> bool {
    if sink_mode(&sink.target, connectors).update_before {
        return true;
    }
    // Upserts by another key than the query's leave a row behind unless it is taken back.
    match &sink.target {
        SinkTarget::Table(table) if !table.primary_key.is_empty() => {
            let key = sink_key(table);
            !input.upsert_keys.iter().any(|k| same_columns(k, &key))
        }
        _ => false,
    }
}

/// The primary key in the columns that the sink gets.
fn sink_key(table: &TableDef) -> Vec<usize> {
    let columns = table.sink_columns();
    table.primary_key.iter().filter_map(|k| columns.iter().position(|c| c == k)).collect()
}

fn same_columns(a: &[usize], b: &[usize]) -> bool {
    a.iter().all(|c| b.contains(c)) && b.iter().all(|c| a.contains(c))
}

fn check_sink(plan: &PhysicalPlan, id: NodeId, connectors: &dyn ConnectorCatalog) -> Result<()> {
    let node = &plan.nodes[id];
    if let Some(window) = window_over_updates(plan, id) {
        let below = plan.nodes[window].inputs[0];
        return Err(Error::user(format!(
            "{} doesn't support consuming update changes which is produced by node {}",
            plan.nodes[window].op.name(),
            node_text(plan, producer(plan, below), Notation::Prefix)
        ))
        .with_code(Code::NotSupported)
        .with_hint("put the window before the GROUP BY that updates"));
    }
    let Op::Sink(sink) = &node.op else {
        return Err(Error::bug("the root of a plan is no sink"));
    };
    let SinkTarget::Table(table) = &sink.target else {
        return Ok(());
    };
    let managed = matches!(table.kind, TableKind::Topic | TableKind::Keyed);
    if managed && reads(plan, id, table) {
        return Err(Error::user(format!("table '{}' is written by a query that reads it", table.path))
            .with_code(Code::Conflict)
            .with_hint("write to another table"));
    }
    let accepts = sink_mode(&sink.target, connectors);
    if node.mode.is_insert_only() {
        return Ok(());
    }
    if !accepts.update_after || (node.mode.delete && !accepts.delete) {
        let kind = if !accepts.update_after { "update" } else { "delete" };
        return Err(Error::user(format!(
            "table sink '{}' doesn't support consuming {kind} changes which is produced by node {}",
            table.path.full(),
            node_text(plan, producer(plan, id), Notation::Prefix)
        ))
        .with_code(Code::Conflict)
        .with_hint(match table.kind {
            TableKind::Topic => {
                "a topic only takes new rows: declare PRIMARY KEY (..) NOT ENFORCED to make it a keyed table, or group by a window"
            }
            _ => "this sink only takes new rows: group by a window, or write to a table with a PRIMARY KEY",
        }));
    }
    if table.kind == TableKind::Keyed && !table.hidden_count {
        check_key(table, &plan.nodes[node.inputs[0]])?;
    }
    Ok(())
}

/// The query's key must lie within the primary key: else rows of one key could come from two that race.
fn check_key(table: &TableDef, input: &Node) -> Result<()> {
    let key = sink_key(table);
    if input.upsert_keys.iter().any(|k| k.iter().all(|c| key.contains(c))) {
        return Ok(());
    }
    let names = |columns: &[usize]| {
        columns.iter().map(|c| input.schema.columns()[*c].name.as_str()).collect::<Vec<_>>().join(", ")
    };
    let found = match input.upsert_keys.as_slice() {
        [] => "none".to_string(),
        keys => keys.iter().map(|k| format!("[{}]", names(k))).collect::<Vec<_>>().join(" or "),
    };
    Err(Error::user(format!(
        "the query has an upsert key that differs from the primary key of the sink table '{}': primary key [{}], upsert key {found}",
        table.path.full(),
        names(&key)
    ))
    .with_code(Code::Conflict)
    .with_hint("group by the columns of the primary key, or declare the query's key as the primary key; ON CONFLICT is not supported yet"))
}

fn reads(plan: &PhysicalPlan, id: NodeId, table: &TableDef) -> bool {
    match &plan.nodes[id].op {
        Op::Scan(scan) => scan.table.path == table.path,
        _ => plan.nodes[id].inputs.iter().any(|i| reads(plan, *i, table)),
    }
}

/// The first window operator above updates.
fn window_over_updates(plan: &PhysicalPlan, id: NodeId) -> Option<NodeId> {
    let node = &plan.nodes[id];
    let windowed = matches!(node.op, Op::WindowAggregate(_) | Op::WindowTableFunction(_) | Op::TemporalSort(_));
    if windowed && !plan.nodes[node.inputs[0]].mode.is_insert_only() {
        return Some(id);
    }
    node.inputs.iter().find_map(|i| window_over_updates(plan, *i))
}

/// The highest node from which the updates come.
fn producer(plan: &PhysicalPlan, id: NodeId) -> NodeId {
    let node = &plan.nodes[id];
    if matches!(node.op, Op::GroupAggregate(_)) {
        return id;
    }
    let appended = |i: &NodeId| plan.nodes[*i].mode.is_insert_only();
    if matches!(node.op, Op::Rank(_) | Op::SemiJoin(_)) && node.inputs.iter().all(appended) {
        return id;
    }
    let updating = node.inputs.iter().find(|i| !plan.nodes[**i].mode.is_insert_only());
    updating.map_or(id, |i| producer(plan, *i))
}
