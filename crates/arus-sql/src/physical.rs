//! The logical plan to the physical one: scans shared, exchanges put in, changelog modes settled, sinks checked.

pub(crate) mod changelog;
mod keys;
mod monotonicity;
mod sinks;

pub(crate) use keys::projected;

use std::collections::HashMap;
use std::sync::Arc;

use arus_core::catalog::{ConnectorCatalog, TableDef, TableKind};
use arus_core::error::Code;
use arus_core::expr::Expr;
use arus_core::function::AggregateFunction;
use arus_core::limits::WINDOWS_OF_A_ROW;
use arus_core::plan::{
    AggregateCall, Calc, ChangelogMode, ChangelogNormalize, Correlate, Exchange, Expand, GroupAggregate, Node, NodeId,
    Op, PLAN_VERSION, PhysicalPlan, Rank, RankStrategy, Scan, SemiJoin, Sink, TemporalSort, Values, Watermark, Window,
    WindowAggregate, WindowKind,
};
use arus_core::schema::RowSchema;
use arus_core::settings::{CDC_EVENTS_DUPLICATE, IDLE_TIMEOUT, STATE_TTL, Settings, parse_duration_ms};
use arus_core::{Error, Location, Result};

use crate::pass::digest::{digest, uid};
use crate::pass::normalize::normalize;
use crate::pass::optimize;
use crate::rel::{Rel, RelOp};

/// A sink of the job and where the user named it.
pub(crate) struct Root {
    pub(crate) rel: Rel,
    pub(crate) at: Location,
}

/// `collect` is what the one who asked takes of a bare SELECT; `snapshot`: keyed tables are read at one epoch.
pub(crate) fn physical(
    roots: Vec<Root>,
    settings: &Settings,
    connectors: &dyn ConnectorCatalog,
    collect: ChangelogMode,
    snapshot: bool,
) -> Result<PhysicalPlan> {
    let duplicates = settings.flag(CDC_EVENTS_DUPLICATE)?;
    let mut rels = vec![];
    let mut places = vec![];
    for Root { rel, at } in roots {
        rels.push(normalize(rel, &|table| by_key(table, connectors, duplicates)).map_err(|e| e.with_location(at))?);
        places.push(at);
    }
    let rels = optimize(rels);
    let mut builder = Builder { settings, nodes: vec![], scans: vec![], ordinals: HashMap::new() };
    let mut sinks = vec![];
    for (rel, at) in rels.iter().zip(places) {
        sinks.push((builder.build(rel)?, at));
    }
    let mut plan = PhysicalPlan { version: PLAN_VERSION, nodes: builder.nodes };
    let kinds = changelog::kinds(&plan, connectors, snapshot);
    for (sink, at) in &sinks {
        sinks::check_kinds(&plan, &kinds, *sink, connectors).map_err(|e| e.with_location(*at))?;
    }
    changelog::settle(&mut plan, &kinds, settings, connectors, collect)?;
    // Operators were put in between: the sinks have kept their order, not their numbers.
    let ids: Vec<NodeId> = plan.sinks().map(|(id, _)| id).collect();
    for (id, (_, at)) in ids.into_iter().zip(sinks) {
        sinks::settle_sink(&mut plan, id, settings, connectors).map_err(|e| e.with_location(at))?;
    }
    Ok(plan)
}

/// Whether a source's changes are told apart by its primary key: it gives upserts, or changes may come twice.
fn by_key(table: &TableDef, connectors: &dyn ConnectorCatalog, duplicates: bool) -> Result<bool> {
    if table.kind == TableKind::Keyed {
        return Ok(false);
    }
    let mode = changelog::source_mode(table, connectors);
    let upserts = mode.update_after && !mode.update_before;
    if mode.is_insert_only() || !(upserts || duplicates) {
        return Ok(false);
    }
    if table.primary_key.is_empty() {
        return Err(Error::user(format!(
            "configuration '{CDC_EVENTS_DUPLICATE}' is enabled which requires the changelog sources to define a PRIMARY KEY, but table '{}' has none",
            table.path.full()
        ))
        .with_code(Code::InvalidValue)
        .with_hint("add PRIMARY KEY (..) NOT ENFORCED to the table"));
    }
    Ok(true)
}

struct Builder<'s> {
    settings: &'s Settings,
    nodes: Vec<Node>,
    scans: Vec<(Arc<TableDef>, NodeId)>,
    ordinals: HashMap<(u64, &'static str), usize>,
}

/// A table function copies each row into every window that holds it.
fn check_copies(kind: WindowKind) -> Result<()> {
    let copies = match kind {
        WindowKind::Hop { size_ms, slide_ms, .. } => size_ms.div_euclid(slide_ms),
        WindowKind::Cumulate { size_ms, step_ms, .. } => size_ms.div_euclid(step_ms),
        WindowKind::Tumble { .. } | WindowKind::Session { .. } => 1,
    };
    if copies <= WINDOWS_OF_A_ROW {
        return Ok(());
    }
    let name = kind.name();
    Err(Error::user(format!("{name} puts each row into {copies} windows, expected {WINDOWS_OF_A_ROW} or fewer"))
        .with_code(Code::NotSupported)
        .with_hint("choose longer steps, or aggregate at once: GROUP BY window_start, window_end copies no row"))
}

/// As in Flink: HOP and CUMULATE windows are put together from slices and sessions from sessions, and a value that was the
/// first of a part need not be the first that came.
fn check_merges(window: &Window, calls: &[AggregateCall]) -> Result<()> {
    if window.attached.is_some() || matches!(window.kind, WindowKind::Tumble { .. }) {
        return Ok(());
    }
    let by_arrival = |call: &&AggregateCall| {
        use AggregateFunction::{FirstValue, JsonArrayAgg, LastValue};
        matches!(call.function, FirstValue | LastValue | JsonArrayAgg)
    };
    let Some(call) = calls.iter().find(by_arrival) else { return Ok(()) };
    Err(Error::user(format!(
        "{} needs the order in which rows arrive, which the parts of a {} window do not keep",
        call.function.name(),
        window.kind.name()
    ))
    .with_code(Code::NotSupported)
    .with_hint("TUMBLE takes every aggregate function"))
}

impl Builder<'_> {
    fn push(&mut self, op: Op, inputs: Vec<NodeId>, schema: RowSchema, digest: u64, part: &'static str) -> NodeId {
        let ordinal = self.ordinals.entry((digest, part)).or_insert(0);
        let uid = uid(digest, part, *ordinal);
        *ordinal += 1;
        let upsert_keys = keys::upsert_keys(&op, &inputs, &self.nodes);
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
                check_copies(window.kind)?;
                let below = match window.kind {
                    WindowKind::Session { .. } => self.exchange(input, &window.partition, hash)?,
                    _ => self.build(input)?,
                };
                Ok(self.push(Op::WindowTableFunction(window.clone()), vec![below], schema, hash, ""))
            }
            RelOp::Aggregate { input, keys, calls, ttl_ms } => {
                let below = self.exchange(input, keys, hash)?;
                let aggregate = GroupAggregate {
                    keys: keys.clone(),
                    calls: calls.clone(),
                    update_before: false,
                    compact: false,
                    state_ttl_ms: match ttl_ms {
                        Some(ttl_ms) => *ttl_ms,
                        None => self.settings.duration_ms(STATE_TTL)?,
                    },
                };
                Ok(self.push(Op::GroupAggregate(aggregate), vec![below], schema, hash, ""))
            }
            RelOp::WindowAggregate { input, window, keys, calls, properties, legacy } => {
                self.check_emits(*legacy)?;
                check_merges(window, calls)?;
                let below = self.exchange(input, keys, hash)?;
                let aggregate = WindowAggregate {
                    window: window.clone(),
                    keys: keys.clone(),
                    calls: calls.clone(),
                    properties: properties.clone(),
                    legacy: *legacy,
                };
                Ok(self.push(Op::WindowAggregate(aggregate), vec![below], schema, hash, ""))
            }
            RelOp::Union { inputs } => {
                let inputs = inputs.iter().map(|r| self.build(r)).collect::<Result<Vec<_>>>()?;
                Ok(self.push(Op::Union, inputs, schema, hash, ""))
            }
            RelOp::ChangelogNormalize { input, keys, condition } => {
                let below = self.exchange(input, keys, hash)?;
                let normalize = ChangelogNormalize {
                    keys: keys.clone(),
                    condition: condition.clone(),
                    update_before: false,
                    state_ttl_ms: self.settings.duration_ms(STATE_TTL)?,
                };
                Ok(self.push(Op::ChangelogNormalize(normalize), vec![below], schema, hash, ""))
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
            RelOp::Sink { input, target, conflict } => {
                let below = self.build(input)?;
                let sink = Sink { conflict: *conflict, ..Sink::to(target.clone()) };
                Ok(self.push(Op::Sink(sink), vec![below], schema, hash, ""))
            }
        }
    }

    /// Flink has no other times of firing for table functions, Arus for none.
    fn check_emits(&self, legacy: bool) -> Result<()> {
        const KEYS: [&str; 2] = ["table.exec.emit.early-fire.enabled", "table.exec.emit.late-fire.enabled"];
        const LATENESS: &str = "table.exec.emit.allow-lateness";
        let fires = KEYS.into_iter().find(|key| self.settings.get(key).eq_ignore_ascii_case("true"));
        let lateness = legacy && self.settings.is_set(LATENESS) && self.settings.duration_ms(LATENESS)? > 0;
        match fires.or(lateness.then_some(LATENESS)) {
            Some(key) if legacy => Err(Error::not_supported(format_args!("'{key}'"))
                .with_hint(format!("a window is told once, when it is over: RESET '{key}'"))),
            Some(_) => Err(Error::user(
                "currently, window table function based aggregate doesn't support early-fire and late-fire configuration 'table.exec.emit.early-fire.enabled' and 'table.exec.emit.late-fire.enabled'",
            )
            .with_code(Code::NotSupported)
            .with_hint("a window is told once, when it is over: RESET both keys")),
            None => Ok(()),
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
