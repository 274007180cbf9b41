//! From a plan to a pipeline.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use arrow::datatypes::Schema;
use arus_core::catalog::ObjectPath;
use arus_core::change::arrow_bug;
use arus_core::expr::Expr;
use arus_core::key_group::KEY_GROUPS;
use arus_core::plan::{
    ConflictStrategy, LengthEnforcer, Node, NodeId, Op, PhysicalPlan, Sink, SinkTarget, Uid, Values, WindowAggregate,
    WindowKind,
};
use arus_core::types::TimeAttribute;
use arus_core::{ChangeBatch, Error, Result, planted};
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
use crate::pipeline::cut::at_once;
use crate::pipeline::exchange::{Dealer, Scatter, Tasks, Waker, Wires, missing};
use crate::pipeline::flow::{EdgeEnd, Inbound, Outlet};
use crate::pipeline::io::{PipelineIo, SinkHandle};
use crate::pipeline::place::{Places, Way};
use crate::pipeline::{Alignment, Checkpoint, Kind, NodeTask, Pipeline, PipelineRestore, ValuesTask};
use crate::settings::PipelineSettings;
use crate::side::SideRows;
use crate::source::ScanTask;
use crate::source::watermark::Lateness;
use crate::state::{StateEntry, StateRead};
use crate::stats::{OperatorStats, PipelineStats};

impl Pipeline {
    /// Opens the plan's sources and sinks and takes its state back: a pipeline of one task.
    pub fn build(
        plan: &PhysicalPlan,
        io: &dyn PipelineIo,
        settings: PipelineSettings,
        restore: Option<PipelineRestore<'_>>,
    ) -> Result<Self> {
        let alone = Tasks { wakers: vec![Arc::new(NobodyElse)], home: 0 };
        let mut built = Self::build_tasks(plan, &[io], &settings, alone, restore)?;
        built.pop().ok_or_else(|| Error::bug("a pipeline without a task"))
    }

    /// The same with several tasks, by their numbers; `ios` has the ends of each.
    pub fn build_tasks(
        plan: &PhysicalPlan,
        ios: &[&dyn PipelineIo],
        settings: &PipelineSettings,
        tasks: Tasks,
        restore: Option<PipelineRestore<'_>>,
    ) -> Result<Vec<Self>> {
        let count = tasks.count();
        let first = ios.first().filter(|_| ios.len() == count && (1..=KEY_GROUPS as usize).contains(&count));
        let first = first.ok_or_else(|| Error::bug(format!("{} ends of {count} tasks", ios.len())))?;
        let places = Places::new(plan, count, |_, sink| first.sink_is_parallel(sink));
        let uids = unique_uids(plan);
        let restore = restore.as_ref();
        let dealers = plan.scans().map(|(id, _)| {
            let state = restore.and_then(|r| r.checkpoint.scans.get(&uids[id]));
            let known = state.map_or(vec![], |s| s.splits.iter().map(|split| split.split.clone()).collect());
            (id, Dealer::new(known, &tasks))
        });
        let build = Build {
            plan,
            settings,
            lateness: lateness(plan, &settings.time_zone)?,
            dealers: dealers.collect(),
            wires: Arc::new(Wires::new(plan, &places, tasks)),
            places,
            uids,
            restore,
        };
        let stats: Vec<OperatorStats> = (0..plan.nodes.len()).map(|id| build.figures(id)).collect();
        let stats = PipelineStats(stats.into());
        let nodes = ios.iter().enumerate().map(|(task, io)| build.nodes(task, *io));
        let mut nodes = nodes.collect::<Result<Vec<_>>>()?;
        build.begin_idle(&mut nodes);
        let tasks = nodes.into_iter().zip(ios).enumerate();
        tasks.map(|(task, (nodes, io))| build.task(task, nodes, *io, &stats)).collect()
    }
}

/// A pipeline of one task has nobody to wake.
struct NobodyElse;

impl Waker for NobodyElse {
    fn wake(&self) {}
}

/// What all tasks are built of.
struct Build<'a> {
    plan: &'a PhysicalPlan,
    settings: &'a PipelineSettings,
    places: Places,
    uids: Vec<Uid>,
    lateness: Lateness,
    dealers: BTreeMap<NodeId, Arc<Dealer>>,
    wires: Arc<Wires>,
    restore: Option<&'a PipelineRestore<'a>>,
}

impl Build<'_> {
    fn figures(&self, id: NodeId) -> OperatorStats {
        let op = &self.plan.nodes[id].op;
        let table = match op {
            Op::Scan(scan) => Some(scan.table.path.to_string()),
            Op::Sink(Sink { target: SinkTarget::Table(table), .. }) => Some(table.path.to_string()),
            _ => None,
        };
        OperatorStats::new(id, self.uids[id], op.name(), table, self.wires.tasks.count())
    }

    /// Whether the node runs in the task.
    fn is_there(&self, id: NodeId, task: usize) -> bool {
        !self.places.at_home[id] || task == self.wires.tasks.home
    }

    fn nodes(&self, task: usize, io: &dyn PipelineIo) -> Result<Vec<NodeTask>> {
        let sole = self.wires.tasks.count() == 1;
        let node = |id: NodeId| {
            let key_groups = match (sole, self.places.at_home[id]) {
                (true, _) => self.settings.key_groups.clone(),
                (false, true) => 0..KEY_GROUPS,
                (false, false) => self.wires.tasks.key_groups(task),
            };
            self.node(id, task, io, PipelineSettings { key_groups, ..self.settings.clone() })
        };
        (0..self.plan.nodes.len()).map(node).collect()
    }

    /// From whom nothing comes at first: they hold no watermark from the first row on. If they had to say so, whether a
    /// row is late would depend on whose turn came first.
    fn begin_idle(&self, tasks: &mut [Vec<NodeTask>]) {
        for id in 0..self.plan.nodes.len() {
            for task in 0..tasks.len() {
                let inputs = self.plan.nodes[id].inputs.iter().enumerate();
                let origins = inputs.flat_map(|(port, input)| {
                    self.origins(id, port, task).into_iter().map(|from| tasks[from][*input].is_idle())
                });
                let idle: Vec<bool> = origins.collect();
                let align = &mut tasks[task][id].align;
                idle.iter().enumerate().filter(|(_, idle)| **idle).for_each(|(port, _)| align.begin_idle(port));
            }
        }
    }

    fn task(
        &self,
        task: usize,
        mut nodes: Vec<NodeTask>,
        io: &dyn PipelineIo,
        stats: &PipelineStats,
    ) -> Result<Pipeline> {
        let sole = self.wires.tasks.count() == 1;
        for (stats, node) in stats.0.iter().zip(&nodes).filter(|(_, node)| !matches!(node.kind, Kind::Elsewhere)) {
            stats.set_watermark(task, node.watermark());
            stats.set_idle(task, node.is_idle());
        }
        if let Some(restore) = self.restore {
            restore_state(&mut nodes, restore.state, sole)?;
            restore_sinks(&mut nodes, restore.checkpoint)?;
        }
        let (outlets, ends, inbound) = self.wiring(task, &nodes);
        let plan = self.plan;
        let clocked = (0..plan.nodes.len()).filter(|id| goes_by_clock(&plan.nodes[*id].op)).collect();
        let is_source = |id: &NodeId| matches!(nodes[*id].kind, Kind::Scan(_) | Kind::Values(_));
        let sources = (0..nodes.len()).filter(is_source).collect();
        let ends_due = (0..nodes.len()).filter(|id| nodes[*id].align.end_is_due()).collect();
        let epoch = self.restore.map_or(0, |r| r.checkpoint.epoch);
        let mut side = SideRows::new(task, self.wires.tasks.count());
        side.next_epoch(epoch);
        Ok(Pipeline {
            task,
            wires: self.wires.clone(),
            reach: reach(&outlets, &ends),
            nodes,
            outlets,
            ends,
            inbound,
            sources,
            clocked,
            stats: PipelineStats(Arc::clone(&stats.0)),
            side,
            side_tables: io.side_tables()?,
            settings: self.settings.clone(),
            gate: io.gate(),
            barrier: None,
            completed: epoch,
            at_barrier: None,
            noted_ns: 0,
            ends_due,
        })
    }

    fn node(&self, id: NodeId, task: usize, io: &dyn PipelineIo, settings: PipelineSettings) -> Result<NodeTask> {
        let (plan, node, uid) = (self.plan, &self.plan.nodes[id], self.uids[id]);
        if let Some(input) = node.inputs.iter().find(|input| **input >= id) {
            return Err(Error::bug(format!("node {id} of the plan reads node {input}, which is not before it")));
        }
        let scan_state = self.restore.and_then(|r| r.checkpoint.scans.get(&uid));
        let inputs = self.restore.and_then(|r| r.checkpoint.inputs.get(&uid));
        let kind = match &node.op {
            _ if !self.is_there(id, task) => Kind::Elsewhere,
            Op::Scan(scan) => {
                let dealer = self.dealers.get(&id).ok_or_else(|| missing("list of splits"))?;
                let (handle, late) = (io.scan(id, scan)?, self.lateness.clone());
                let scan = ScanTask::new(scan, node, handle, &settings, late, scan_state, (dealer, task))?;
                Kind::Scan(Box::new(scan))
            }
            Op::Values(values) => {
                let batch = constant_rows(values, node, &settings)?;
                Kind::Values(ValuesTask { batch, done: scan_state.is_some_and(|s| s.ended) })
            }
            _ => {
                let watermark = inputs.map_or(WATERMARK_NONE, Alignment::watermark);
                Kind::Operator(operator(plan, id, io, &settings, watermark)?)
            }
        };
        let ways: Vec<usize> = (0..node.inputs.len()).map(|port| self.origins(id, port, task).len()).collect();
        let mut built = NodeTask {
            info: NodeInfo {
                uid,
                name: node.op.name(),
                table: source_table(plan, id),
                policy: settings.error_policy,
                key_groups: settings.key_groups,
                task,
            },
            kind,
            align: Alignment::new(ways.iter().sum()),
            ports: ways.iter().enumerate().flat_map(|(port, ways)| std::iter::repeat_n(port, *ways)).collect(),
            ways,
            passed: self.restore.map_or(0, |r| r.checkpoint.epoch),
            checks: EdgeChecks::new(node, false, WATERMARK_NONE, false),
            outputs: vec![],
        };
        let forgotten = planted("watermark-not-restored");
        if let Some(inputs) = inputs.filter(|_| !matches!(built.kind, Kind::Elsewhere) && !forgotten) {
            if inputs.ports() != node.inputs.len() {
                let (before, now) = (inputs.ports(), node.inputs.len());
                return Err(Error::bug(format!(
                    "operator {uid} was checkpointed with {before} inputs, it has {now} now"
                )));
            }
            built.align = inputs.spread(&built.ways);
        }
        built.checks = EdgeChecks::new(node, settings.check_changelog, built.watermark(), self.restore.is_some());
        Ok(built)
    }

    /// The tasks that an input of a node comes from to this one.
    fn origins(&self, id: NodeId, port: usize, task: usize) -> Vec<usize> {
        let input = self.plan.nodes[id].inputs[port];
        match self.places.ways[id][port] {
            _ if !self.is_there(id, task) => vec![],
            Way::Here if self.is_there(input, task) => vec![task],
            Way::Here => vec![],
            Way::ByKey(..) | Way::Home if self.places.at_home[input] => vec![self.wires.tasks.home],
            Way::ByKey(..) | Way::Home => (0..self.wires.tasks.count()).collect(),
        }
    }

    /// Where the outputs of each node go, the beginnings of edges, and the queues that are read.
    fn wiring(&self, task: usize, nodes: &[NodeTask]) -> (Vec<Vec<Outlet>>, Vec<Option<EdgeEnd>>, Vec<Inbound>) {
        let mut outlets = vec![vec![]; nodes.len()];
        let (mut ends, mut inbound) = (vec![], vec![]);
        for (id, node) in nodes.iter().enumerate() {
            for (port, input) in self.plan.nodes[id].inputs.iter().enumerate() {
                let first: usize = node.ways[..port].iter().sum();
                let way = &self.places.ways[id][port];
                if *way == Way::Here {
                    if self.is_there(id, task) && self.is_there(*input, task) {
                        outlets[*input].push(Outlet::Input(id, first));
                    }
                    continue;
                }
                let number = ends.len();
                let edge = &self.wires.edges[number];
                let own = edge.from.iter().position(|from| *from == task).filter(|_| edge.to.contains(&task));
                let begins = edge.from.contains(&task);
                ends.push(begins.then(|| EdgeEnd {
                    scatter: match way {
                        Way::ByKey(keys, types) => Some(Scatter::new(keys, types, &self.wires.tasks)),
                        Way::Home | Way::Here => None,
                    },
                    own: own.map(|place| (id, first + place)),
                    // What was told before a restore is not known: the first rows wake everybody.
                    idle: true,
                }));
                if begins {
                    outlets[*input].push(Outlet::Edge(number));
                }
                if edge.to.contains(&task) {
                    let others = edge.from.iter().enumerate().filter(|(_, from)| **from != task);
                    inbound.extend(others.map(|(place, from)| Inbound {
                        edge: number,
                        from: *from,
                        node: id,
                        port: first + place,
                    }));
                }
            }
        }
        (outlets, ends, inbound)
    }
}

/// For each node the edges that are reached from it by calls alone.
fn reach(outlets: &[Vec<Outlet>], ends: &[Option<EdgeEnd>]) -> Vec<Vec<usize>> {
    let mut reach: Vec<Vec<usize>> = vec![vec![]; outlets.len()];
    // Inputs stand before their users.
    for id in (0..outlets.len()).rev() {
        let mut edges = vec![];
        for outlet in &outlets[id] {
            match outlet {
                Outlet::Input(node, _) => edges.extend(reach[*node].iter().copied()),
                Outlet::Edge(edge) => {
                    edges.push(*edge);
                    let own = ends[*edge].as_ref().and_then(|end| end.own);
                    edges.extend(own.iter().flat_map(|(node, _)| reach[*node].iter().copied()));
                }
            }
        }
        edges.sort_unstable();
        edges.dedup();
        reach[id] = edges;
    }
    reach
}

impl NodeTask {
    /// What was forwarded before.
    fn watermark(&self) -> i64 {
        match &self.kind {
            Kind::Scan(scan) => scan.state().watermark,
            Kind::Values(values) => values.state().watermark,
            Kind::Operator(_) | Kind::Elsewhere => self.align.watermark(),
        }
    }

    /// Whether nothing comes from it for now.
    fn is_idle(&self) -> bool {
        match &self.kind {
            Kind::Scan(scan) => scan.is_idle(),
            Kind::Operator(_) => self.align.is_idle(),
            Kind::Values(_) | Kind::Elsewhere => false,
        }
    }
}

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

/// Hands each operator its entries, in parts: all of them to the `sole` task, else those of its key groups.
fn restore_state(nodes: &mut [NodeTask], state: &dyn StateRead, sole: bool) -> Result<()> {
    let by_uid: HashMap<Uid, usize> = nodes.iter().enumerate().map(|(id, node)| (node.info.uid, id)).collect();
    let operators = nodes.iter().filter(|node| matches!(node.kind, Kind::Operator(_)));
    if let Some(error) = operators.into_iter().find_map(|node| state.damage(node.info.uid)) {
        return Err(error);
    }
    let there =
        |node: &NodeTask| if matches!(node.kind, Kind::Elsewhere) { 0..0 } else { node.info.key_groups.clone() };
    let key_groups: Vec<Range<u16>> = nodes.iter().map(there).collect();
    let twice = planted("key-group-restored-twice");
    let owns = |id: usize, group: u16| sole || twice || key_groups[id].contains(&group);
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
        if id.is_some_and(|id| owns(id, key_group)) {
            part.push(StateEntry { key_group, key: key.to_vec(), value: value.to_vec() });
        }
        Ok(())
    })?;
    hand_over(owner, &mut part)
}

/// Entries of one part of a restore.
const RESTORE_ENTRIES: usize = 4_096;

/// The uid of each node: equal subtrees have equal ones; the second and further ones get their own from their number.
pub fn unique_uids(plan: &PhysicalPlan) -> Vec<Uid> {
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
        Op::Exchange(_) => Box::new(Exchanger),
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
