//! From a plan to a pipeline.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use arrow::datatypes::Schema;
use arus_core::catalog::ObjectPath;
use arus_core::change::arrow_bug;
use arus_core::expr::Expr;
use arus_core::plan::{
    ConflictStrategy, LengthEnforcer, Node, NodeId, Op, PhysicalPlan, Sink, SinkTarget, Uid, Values, WindowAggregate,
    WindowKind,
};
use arus_core::types::TimeAttribute;
use arus_core::{ChangeBatch, Error, Result};
use arus_storage::codec::KeyCodec;

use crate::eval::Expressions;
use crate::message::WATERMARK_NONE;
use crate::operator::{NodeInfo, Operator};
use crate::ops::calc::Calculator;
use crate::ops::changelog_normalize::Normalizer;
use crate::ops::correlate::Correlator;
use crate::ops::drop_update_before::DropUpdateBefore;
use crate::ops::exchange::Exchanger;
use crate::ops::expand::Expander;
use crate::ops::group_aggregate::GroupAggregator;
use crate::ops::rank::Ranker;
use crate::ops::semi_join::SemiJoiner;
use crate::ops::sink::{CollectSink, MaterializeSink, TopicSink, WriterSink};
use crate::ops::sink_conflict::ConflictSink;
use crate::ops::sink_guard::{ConstraintSink, Length, MaterializedSink, UpsertMaterializer};
use crate::ops::temporal_sort::TemporalSorter;
use crate::ops::union::Union;
use crate::ops::window::Windows;
use crate::ops::window_aggregate::WindowAggregator;
use crate::ops::window_session::SessionAggregator;
use crate::ops::window_session_rows::SessionRows;
use crate::ops::window_table_function::WindowTableFunction;
use crate::pipeline::checks::EdgeChecks;
use crate::pipeline::io::{PipelineIo, SinkHandle};
use crate::pipeline::{Alignment, Checkpoint, Kind, NodeTask, Pipeline, PipelineRestore, ValuesTask, at_once};
use crate::settings::PipelineSettings;
use crate::side::SideRows;
use crate::source::ScanTask;
use crate::source::watermark::Lateness;
use crate::state::{StateEntry, StateRead};
use crate::stats::{OperatorStats, PipelineStats};

impl Pipeline {
    /// Opens the plan's sources and sinks and takes its state back.
    pub fn build(
        plan: &PhysicalPlan,
        io: &dyn PipelineIo,
        settings: PipelineSettings,
        restore: Option<PipelineRestore<'_>>,
    ) -> Result<Self> {
        let uids = unique_uids(plan);
        let lateness = lateness(plan, &settings.time_zone)?;
        let mut nodes = Vec::with_capacity(plan.nodes.len());
        let mut stats = Vec::with_capacity(plan.nodes.len());
        let mut consumers = vec![vec![]; plan.nodes.len()];
        let mut sources = vec![];
        for (id, node) in plan.nodes.iter().enumerate() {
            for (port, input) in node.inputs.iter().enumerate() {
                if *input >= id {
                    return Err(Error::bug(format!(
                        "node {id} of the plan reads node {input}, which is not before it"
                    )));
                }
                consumers[*input].push((id, port));
            }
            let uid = uids[id];
            let kind = match &node.op {
                Op::Scan(scan) => {
                    let state = restore.as_ref().and_then(|r| r.checkpoint.scans.get(&uid));
                    let handle = io.scan(id, scan)?;
                    sources.push(id);
                    let task = ScanTask::new(scan, node, handle, &settings, lateness.clone(), state)?;
                    Kind::Scan(Box::new(task))
                }
                Op::Values(values) => {
                    let state = restore.as_ref().and_then(|r| r.checkpoint.scans.get(&uid));
                    sources.push(id);
                    let batch = constant_rows(values, node, &settings)?;
                    Kind::Values(ValuesTask { batch, done: state.is_some_and(|s| s.ended) })
                }
                _ => {
                    let inputs = restore.as_ref().and_then(|r| r.checkpoint.inputs.get(&uid));
                    let watermark = inputs.map_or(WATERMARK_NONE, Alignment::watermark);
                    Kind::Operator(operator(plan, id, io, &settings, watermark)?)
                }
            };
            let mut task = NodeTask {
                info: NodeInfo {
                    uid,
                    name: node.op.name(),
                    table: source_table(plan, id),
                    policy: settings.error_policy,
                    key_groups: settings.key_groups.clone(),
                },
                kind,
                align: Alignment::new(node.inputs.len()),
                checks: EdgeChecks::new(node, false, WATERMARK_NONE, false),
                outputs: vec![],
            };
            if let Some(restore) = &restore {
                task.restore_inputs(restore)?;
            }
            let watermark = task.watermark();
            task.checks = EdgeChecks::new(node, settings.check_changelog, watermark, restore.is_some());
            let table = match &node.op {
                Op::Scan(scan) => Some(scan.table.path.to_string()),
                Op::Sink(sink) => match &sink.target {
                    SinkTarget::Table(table) => Some(table.path.to_string()),
                    SinkTarget::Collect => None,
                },
                _ => None,
            };
            let figures = OperatorStats::new(id, uid, node.op.name(), table);
            figures.set_watermark(watermark);
            stats.push(figures);
            nodes.push(task);
        }
        if let Some(restore) = &restore {
            restore_state(&mut nodes, restore.state)?;
            restore_sinks(&mut nodes, restore.checkpoint)?;
        }
        let clocked = (0..plan.nodes.len()).filter(|id| goes_by_clock(&plan.nodes[*id].op)).collect();
        let mut side = SideRows::default();
        side.next_epoch(restore.as_ref().map_or(0, |r| r.checkpoint.epoch));
        Ok(Pipeline {
            nodes,
            consumers,
            sources,
            clocked,
            stats: PipelineStats(stats.into()),
            side,
            side_tables: io.side_tables()?,
            settings,
            at_barrier: None,
        })
    }
}

impl NodeTask {
    fn restore_inputs(&mut self, restore: &PipelineRestore<'_>) -> Result<()> {
        if let Some(align) = restore.checkpoint.inputs.get(&self.info.uid) {
            if align.ports() != self.align.ports() {
                return Err(Error::bug(format!(
                    "operator {} was checkpointed with {} inputs, it has {} now",
                    self.info.uid,
                    align.ports(),
                    self.align.ports()
                )));
            }
            self.align = align.clone();
        }
        Ok(())
    }

    /// What was forwarded before.
    fn watermark(&self) -> i64 {
        match &self.kind {
            Kind::Scan(scan) => scan.state().watermark,
            Kind::Values(values) => values.state().watermark,
            Kind::Operator(_) => self.align.watermark(),
        }
    }
}

/// Hands each operator its entries, in parts.
/// Writers of connectors go on where the checkpoint left them, or drop what came after it.
fn restore_sinks(nodes: &mut [NodeTask], checkpoint: &Checkpoint) -> Result<()> {
    for node in nodes {
        if let Kind::Operator(operator) = &mut node.kind
            && let Some(writer) = operator.sink_writer()
        {
            at_once(writer.recover(checkpoint.sinks.get(&node.info.uid).map_or(&[], std::slice::from_ref)))?;
        }
    }
    Ok(())
}

fn restore_state(nodes: &mut [NodeTask], state: &dyn StateRead) -> Result<()> {
    let by_uid: HashMap<Uid, usize> = nodes.iter().enumerate().map(|(id, node)| (node.info.uid, id)).collect();
    let mut part: Vec<StateEntry> = vec![];
    let mut owner: Option<usize> = None;
    let mut hand_over = |owner: Option<usize>, part: &mut Vec<StateEntry>| {
        if let Some(id) = owner
            && let Kind::Operator(operator) = &mut nodes[id].kind
            && !part.is_empty()
        {
            operator.restore(part)?;
        }
        part.clear();
        Ok(())
    };
    state.visit(&mut |uid, key_group, key, value| {
        let id = by_uid.get(&uid).copied();
        if id != owner || part.len() >= RESTORE_ENTRIES {
            hand_over(owner, &mut part)?;
            owner = id;
        }
        if id.is_some() {
            part.push(StateEntry { key_group, key: key.to_vec(), value: value.to_vec() });
        }
        Ok(())
    })?;
    hand_over(owner, &mut part)
}

/// Entries of one part of a restore.
const RESTORE_ENTRIES: usize = 4_096;

/// Equal subtrees have equal uids; the second and further ones get their own from their number.
fn unique_uids(plan: &PhysicalPlan) -> Vec<Uid> {
    let mut seen: HashMap<Uid, u64> = HashMap::new();
    plan.nodes
        .iter()
        .map(|node| {
            let count = seen.entry(node.uid).or_insert(0);
            *count += 1;
            match *count {
                1 => node.uid,
                n => Uid(node.uid.0 ^ n.wrapping_mul(0x9E37_79B9_7F4A_7C15)),
            }
        })
        .collect()
}

/// What of a plan sees that a row is late.
fn lateness(plan: &PhysicalPlan, time_zone: &str) -> Result<Lateness> {
    let windows = plan.nodes.iter().filter_map(|node| match &node.op {
        Op::WindowAggregate(aggregate) => Some(Windows::new(&aggregate.window, time_zone)),
        Op::WindowTableFunction(window) if matches!(window.kind, WindowKind::Session { .. }) => {
            Some(Windows::new(window, time_zone))
        }
        _ => None,
    });
    let windows: Vec<Windows> = windows.collect::<Result<_>>()?;
    let windows: Vec<Windows> = windows.into_iter().filter(|w| !w.proctime()).collect();
    // What takes back the row of a key has that row's time, which no batch of the scan shows.
    let retracts = plan.nodes.iter().any(|node| matches!(node.op, Op::ChangelogNormalize(_)));
    let sorts = plan.nodes.iter().any(|node| matches!(node.op, Op::TemporalSort(_)));
    let decides = plan.sinks().any(|(_, sink)| {
        sink.materialize.is_some() && matches!(sink.conflict, Some(ConflictStrategy::Nothing | ConflictStrategy::Error))
    });
    let every_advance = reads_watermark(plan) || sorts || decides || (retracts && !windows.is_empty());
    Ok(Lateness { windows, every_advance })
}

/// Whether an operator has timers of the clock.
fn goes_by_clock(op: &Op) -> bool {
    let (Op::WindowAggregate(WindowAggregate { window, .. }) | Op::WindowTableFunction(window)) = op else {
        return false;
    };
    window.time_type.kind.time_attribute() == TimeAttribute::Proctime
}

/// Whether an expression asks for CURRENT_WATERMARK, which differs from row to row.
fn reads_watermark(plan: &PhysicalPlan) -> bool {
    fn reads(expr: &Expr) -> bool {
        matches!(expr, Expr::Call { function, .. } if function == "CURRENT_WATERMARK")
            || expr.children().into_iter().any(reads)
    }
    plan.nodes.iter().any(|node| match &node.op {
        Op::Calc(calc) => calc.condition.iter().chain(&calc.projection).any(reads),
        Op::Scan(scan) => scan.output.iter().any(reads),
        _ => false,
    })
}

/// The table of the first scan above a node, else the sink's name: late rows are filed under it.
fn source_table(plan: &PhysicalPlan, id: NodeId) -> ObjectPath {
    let mut at = id;
    loop {
        match &plan.nodes[at].op {
            Op::Scan(scan) => return scan.table.path.clone(),
            _ => match plan.nodes[at].inputs.first() {
                Some(input) if *input < at => at = *input,
                _ => return ObjectPath::in_default("values"),
            },
        }
    }
}

fn constant_rows(values: &Values, node: &Node, settings: &PipelineSettings) -> Result<ChangeBatch> {
    let schema = node.schema.to_arrow();
    let no_columns = Arc::new(Schema::empty());
    let one_row = crate::ops::rows(&no_columns, vec![], 1)?;
    let now_ms = settings.clock.now_ms();
    let batches: Vec<RecordBatch> = values
        .rows
        .iter()
        .enumerate()
        .map(|(number, row)| {
            let with = settings.compiling(node.uid).part(number as u64);
            let evaluated = Expressions::compile(row, with)?.run(&one_row, now_ms, WATERMARK_NONE)?;
            match evaluated.failed.first() {
                Some((_, reason)) => Err(Error::data(format!("VALUES: {reason}"))),
                None => crate::ops::rows(&schema, evaluated.columns, 1),
            }
        })
        .collect::<Result<_>>()?;
    Ok(ChangeBatch::inserts(concat_batches(&schema, &batches).map_err(arrow_bug)?))
}

fn operator(
    plan: &PhysicalPlan,
    id: NodeId,
    io: &dyn PipelineIo,
    settings: &PipelineSettings,
    watermark: i64,
) -> Result<Box<dyn Operator>> {
    let node = &plan.nodes[id];
    let first = node.inputs.first().ok_or_else(|| Error::bug(format!("{} without an input", node.op.name())))?;
    let input = &plan.nodes[*first];
    Ok(match &node.op {
        Op::Scan(_) | Op::Values(_) => return Err(Error::bug("a source is no operator")),
        Op::Calc(calc) => Box::new(Calculator::new(calc, node, settings.compiling(node.uid))?),
        Op::WindowTableFunction(window) if matches!(window.kind, WindowKind::Session { .. }) => {
            Box::new(SessionRows::new(window, node, input, settings, watermark)?)
        }
        Op::WindowTableFunction(window) => Box::new(WindowTableFunction::new(window, node, &settings.time_zone)?),
        Op::Exchange(exchange) => Box::new(Exchanger::new(exchange, input, &settings.key_groups)),
        Op::GroupAggregate(group) => Box::new(GroupAggregator::new(group, node, input)?),
        Op::WindowAggregate(aggregate)
            if matches!(aggregate.window.kind, WindowKind::Session { .. }) && aggregate.window.attached.is_none() =>
        {
            Box::new(SessionAggregator::new(aggregate, node, input, settings, watermark)?)
        }
        Op::WindowAggregate(aggregate) => Box::new(WindowAggregator::new(aggregate, node, input, settings, watermark)?),
        Op::Union => Box::new(Union { schema: node.schema.to_arrow() }),
        Op::ChangelogNormalize(normalize) => Box::new(Normalizer::new(normalize, node, settings.compiling(node.uid))?),
        Op::DropUpdateBefore => Box::new(DropUpdateBefore),
        Op::Expand(expand) => Box::new(Expander::new(expand, node, settings.compiling(node.uid))?),
        Op::Rank(rank) => Box::new(Ranker::new(rank, node, input, settings.batch_rows)?),
        Op::TemporalSort(sort) => Box::new(TemporalSorter::new(sort, node, input, settings.batch_rows)),
        Op::SemiJoin(join) => Box::new(SemiJoiner::new(join, node)),
        Op::Correlate(correlate) => Box::new(Correlator::new(correlate, node, input)),
        Op::Sink(sink) => guarded(
            sink,
            input,
            match io.sink(id, sink)? {
                SinkHandle::Writer(writer) => Box::new(WriterSink(writer)),
                SinkHandle::Keyed(table) => Box::new(MaterializeSink(table)),
                SinkHandle::Collect(collect) => Box::new(CollectSink(collect)),
                SinkHandle::Topic { partitions, encoder, keys } => {
                    let types = keys.iter().map(|k| input.schema.columns()[*k].ty.clone());
                    let codec = KeyCodec::new(types);
                    Box::new(TopicSink::new(partitions, encoder, keys, codec)?)
                }
            },
        ),
    })
}

/// Puts before a sink what checks its columns where the rows that come may break them, and what chooses the newest row
/// of each primary key.
fn guarded(sink: &Sink, input: &Node, operator: Box<dyn Operator>) -> Box<dyn Operator> {
    let SinkTarget::Table(table) = &sink.target else { return operator };
    let operator = match &sink.materialize {
        Some(plan) if matches!(sink.conflict, Some(ConflictStrategy::Nothing | ConflictStrategy::Error)) => {
            let fails = sink.conflict == Some(ConflictStrategy::Error);
            Box::new(ConflictSink::new(plan, fails, input, operator)) as _
        }
        Some(plan) => {
            Box::new(MaterializedSink { materializer: UpsertMaterializer::new(plan, input), sink: operator }) as _
        }
        None => operator,
    };
    let targets = table.sink_columns();
    let columns = || targets.iter().map(|t| &table.columns[*t]).zip(input.schema.columns()).enumerate();
    let not_null: Vec<(usize, String)> = columns()
        .filter(|(_, (target, column))| !target.ty.nullable && column.ty.nullable)
        .map(|(position, (target, _))| (position, target.name.clone()))
        .collect();
    let mut lengths: Vec<Length> = columns()
        .map(|(column, (target, _))| Length { column, name: target.name.clone(), kind: target.ty.kind.clone() })
        .collect();
    lengths.retain(|l| sink.length.is_some() && l.limit().0 < arus_core::types::MAX_LENGTH as usize);
    if not_null.is_empty() && lengths.is_empty() {
        return operator;
    }
    let enforcer = sink.length.unwrap_or(LengthEnforcer::Error);
    Box::new(ConstraintSink { not_null, lengths, enforcer, sink: operator })
}
