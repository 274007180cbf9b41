//! A pipeline: the operators of one plan on one thread. The engine calls; nothing here waits or loops for ever.
//!
//! A message runs through all operators below before the next one starts, so an edge is a call and never holds rows:
//! between two calls of [`Pipeline::step`] everything that was polled is in state or out of a sink, and a barrier is a
//! walk over the graph.

mod align;
mod build;
mod checks;
pub(crate) mod io;

use std::collections::BTreeMap;
use std::sync::Arc;

use arus_core::connector::{CommitToken, SinkWriter, SyncTask};
use arus_core::plan::{NodeId, Uid};
use arus_core::{ChangeBatch, Error, Result};
use arus_storage::state::StateDelta;
use serde::{Deserialize, Serialize};

pub use align::Alignment;

use crate::message::{Message, WATERMARK_END};
use crate::operator::{NodeInfo, Operator, OperatorContext};
use crate::pipeline::checks::EdgeChecks;
use crate::settings::PipelineSettings;
use crate::side::{SideRows, SideTables};
use crate::source::{ScanState, ScanTask};
use crate::state::{StateRead, StateWriter};
use crate::stats::PipelineStats;

pub struct Pipeline {
    nodes: Vec<NodeTask>,
    consumers: Vec<Vec<(NodeId, usize)>>,
    sources: Vec<NodeId>,
    /// Operators that go by the clock.
    clocked: Vec<NodeId>,
    stats: PipelineStats,
    side: SideRows,
    side_tables: Box<dyn SideTables>,
    settings: PipelineSettings,
    /// The barrier that nothing has followed yet.
    at_barrier: Option<u64>,
}

struct NodeTask {
    info: NodeInfo,
    kind: Kind,
    align: Alignment,
    checks: EdgeChecks,
    /// Kept to spare its allocation.
    outputs: Vec<Message>,
}

enum Kind {
    Scan(Box<ScanTask>),
    Values(ValuesTask),
    Operator(Box<dyn Operator>),
}

/// VALUES: its rows once, then the end.
struct ValuesTask {
    batch: ChangeBatch,
    done: bool,
}

/// The outcome of a sink's call. Writers that wait for a network are not run here.
fn at_once<T>(call: impl Future<Output = Result<T>>) -> Result<T> {
    match std::pin::pin!(call).poll(&mut std::task::Context::from_waker(std::task::Waker::noop())) {
        std::task::Poll::Ready(outcome) => outcome,
        std::task::Poll::Pending => Err(Error::bug("a sink waits on the data thread")),
    }
}

/// How much one step may do; it ends with the poll that reaches either.
#[derive(Debug, Clone, Copy)]
pub struct Budget {
    pub rows: usize,
    pub ns: u64,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StepReport {
    /// Records that were read.
    pub rows_in: usize,
    /// Whether anything happened: false means that there is nothing to do for now.
    pub moved: bool,
    /// All sources have ended and everything has left by the sinks.
    pub ended: bool,
}

/// A pipeline at a barrier: plain data, for the manifest.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    pub epoch: u64,
    pub scans: BTreeMap<Uid, ScanState>,
    pub inputs: BTreeMap<Uid, Alignment>,
    /// Of each topic sink: where the epoch ends in each partition.
    pub markers: BTreeMap<Uid, Vec<i64>>,
    /// Of each connector's writer: what commits the rows since the checkpoint before.
    #[serde(default)]
    pub sinks: BTreeMap<Uid, CommitToken>,
}

/// A checkpoint and what changed in the state since the one before.
pub struct FrozenPipeline {
    pub state: StateDelta,
    pub checkpoint: Checkpoint,
    /// What has to be done before the checkpoint's record is written.
    pub syncs: Vec<SyncTask>,
}

/// Where a pipeline goes on.
pub struct PipelineRestore<'a> {
    pub checkpoint: &'a Checkpoint,
    pub state: &'a dyn StateRead,
}

impl Pipeline {
    /// Polls the sources in turn and runs what they have through the operators, until the budget is used up or nothing
    /// is left for now. After an error the pipeline is void: what goes on is a new one from the last checkpoint.
    pub fn step(&mut self, budget: Budget) -> Result<StepReport> {
        let start_ns = self.settings.clock.monotonic_ns();
        let mut report = StepReport::default();
        loop {
            let mut moved = self.fire_timers()?;
            for at in 0..self.sources.len() {
                let rows = budget.rows.saturating_sub(report.rows_in);
                if rows == 0 {
                    break;
                }
                let polled = self.poll(self.sources[at], rows)?;
                report.rows_in += polled.rows;
                moved |= polled.moved;
            }
            report.moved |= moved;
            let used_ns = self.settings.clock.monotonic_ns().saturating_sub(start_ns);
            if !moved || report.rows_in >= budget.rows || used_ns >= budget.ns {
                break;
            }
        }
        self.flush_side()?;
        report.ended = self.ended();
        Ok(report)
    }

    /// Runs the operators whose time has come by the clock.
    fn fire_timers(&mut self) -> Result<bool> {
        let mut moved = false;
        for at in 0..self.clocked.len() {
            let id = self.clocked[at];
            if let Kind::Operator(operator) = &self.nodes[id].kind
                && operator.timer_ms().is_some_and(|due| due <= self.settings.clock.now_ms())
            {
                self.drive(id, |kind, cx| match kind {
                    Kind::Operator(operator) => operator.on_time(cx),
                    Kind::Scan(_) | Kind::Values(_) => Ok(()),
                })?;
                moved = true;
            }
        }
        Ok(moved)
    }

    /// Whether all sources have ended.
    pub fn ended(&self) -> bool {
        self.sources.iter().all(|id| match &self.nodes[*id].kind {
            Kind::Scan(scan) => scan.ended(),
            Kind::Values(values) => values.done,
            Kind::Operator(_) => true,
        })
    }

    /// Ends the input here: the watermark passes every window, timers fire, sinks get the rest.
    pub fn finish(&mut self) -> Result<()> {
        for at in 0..self.sources.len() {
            self.drive(self.sources[at], |kind, cx| {
                match kind {
                    Kind::Scan(scan) => scan.end(cx),
                    Kind::Values(values) => values.run(cx),
                    Kind::Operator(_) => {}
                }
                Ok(())
            })?;
        }
        self.flush_side()
    }

    /// Sends the barrier of `epoch` from every source through the graph.
    pub fn barrier(&mut self, epoch: u64) -> Result<()> {
        self.flush_side()?;
        for at in 0..self.sources.len() {
            self.drive(self.sources[at], |kind, cx| {
                if let Kind::Scan(scan) = kind {
                    scan.on_barrier();
                }
                cx.outputs.push(Message::Barrier(epoch));
                Ok(())
            })?;
        }
        self.flush_side()?;
        self.side.next_epoch(epoch);
        self.at_barrier = Some(epoch);
        for (node, stats) in self.nodes.iter().zip(self.stats.operators()) {
            if let Kind::Operator(operator) = &node.kind {
                stats.set_state_bytes(operator.memory_bytes());
            }
        }
        Ok(())
    }

    /// The cut at the last barrier. What is in the delta is not frozen again: whoever abandons a checkpoint keeps its
    /// delta for the next.
    pub fn freeze(&mut self) -> Result<FrozenPipeline> {
        let epoch = self.at_barrier.ok_or_else(|| Error::bug("freeze without a barrier before it"))?;
        let mut frozen = FrozenPipeline {
            state: StateDelta::default(),
            checkpoint: Checkpoint { epoch, ..Checkpoint::default() },
            syncs: vec![],
        };
        let checkpoint = &mut frozen.checkpoint;
        for node in &mut self.nodes {
            let uid = node.info.uid;
            match &mut node.kind {
                Kind::Scan(scan) => {
                    checkpoint.scans.insert(uid, scan.state());
                }
                Kind::Values(values) => {
                    checkpoint.scans.insert(uid, values.state());
                }
                Kind::Operator(operator) => {
                    operator.freeze(&mut StateWriter::new(uid, &mut frozen.state))?;
                    if let Some(markers) = operator.markers() {
                        checkpoint.markers.insert(uid, markers);
                    }
                    if let Some(writer) = operator.sink_writer() {
                        if let Some(token) = at_once(writer.prepare(epoch))? {
                            checkpoint.sinks.insert(uid, token);
                        }
                        frozen.syncs.extend(writer.take_sync());
                    }
                    checkpoint.inputs.insert(uid, node.align.clone());
                }
            }
        }
        Ok(frozen)
    }

    /// This checkpoint stands in the manifest.
    pub fn on_durable(&mut self, checkpoint: &Checkpoint) -> Result<()> {
        for node in &mut self.nodes {
            if let (Kind::Scan(scan), Some(state)) = (&mut node.kind, checkpoint.scans.get(&node.info.uid)) {
                scan.on_durable(state)?;
            }
        }
        for (uid, writer) in self.sink_writers() {
            if let Some(token) = checkpoint.sinks.get(&uid) {
                at_once(writer.commit(token))?;
            }
        }
        Ok(())
    }

    /// Positions of the scans as they are now.
    pub fn scans(&self) -> BTreeMap<Uid, ScanState> {
        let scans = self.nodes.iter().filter_map(|node| match &node.kind {
            Kind::Scan(scan) => Some((node.info.uid, scan.state())),
            Kind::Values(values) => Some((node.info.uid, values.state())),
            Kind::Operator(_) => None,
        });
        scans.collect()
    }

    /// The writers of connectors, for prepare, commit and recover.
    pub fn sink_writers(&mut self) -> impl Iterator<Item = (Uid, &mut dyn SinkWriter)> {
        self.nodes.iter_mut().filter_map(|node| match &mut node.kind {
            Kind::Operator(operator) => operator.sink_writer().map(|writer| (node.info.uid, writer)),
            Kind::Scan(_) | Kind::Values(_) => None,
        })
    }

    /// Whether a sink has something to commit although nothing moves.
    pub fn wants_checkpoint(&mut self) -> bool {
        self.sink_writers().any(|(_, writer)| writer.wants_checkpoint())
    }

    /// Counters that other threads may read while the pipeline runs.
    pub fn stats(&self) -> PipelineStats {
        PipelineStats(Arc::clone(&self.stats.0))
    }

    fn flush_side(&mut self) -> Result<()> {
        self.side.flush(self.side_tables.as_mut())
    }

    fn poll(&mut self, id: NodeId, rows: usize) -> Result<crate::source::PollReport> {
        self.drive(id, |kind, cx| match kind {
            Kind::Scan(scan) => scan.poll(rows, cx),
            Kind::Values(values) => {
                let rows = if values.done { 0 } else { values.batch.num_rows() };
                let moved = !values.done;
                values.run(cx);
                Ok(crate::source::PollReport { rows, moved })
            }
            Kind::Operator(_) => Err(Error::bug("an operator was polled")),
        })
    }

    /// Runs a source and delivers what it emits.
    fn drive<T>(
        &mut self,
        id: NodeId,
        run: impl FnOnce(&mut Kind, &mut OperatorContext<'_>) -> Result<T>,
    ) -> Result<T> {
        let now_ms = self.settings.clock.now_ms();
        let start_ns = self.settings.clock.monotonic_ns();
        let stats = &self.stats.0[id];
        let node = &mut self.nodes[id];
        let mut outputs = std::mem::take(&mut node.outputs);
        let mut cx = OperatorContext {
            outputs: &mut outputs,
            side: &mut self.side,
            stats,
            node: &node.info,
            now_ms,
            watermark: node.align.watermark(),
        };
        let result = run(&mut node.kind, &mut cx)?;
        stats.add_busy(self.settings.clock.monotonic_ns().saturating_sub(start_ns));
        self.forward(id, outputs, now_ms)?;
        Ok(result)
    }

    fn forward(&mut self, id: NodeId, mut outputs: Vec<Message>, now_ms: i64) -> Result<()> {
        for message in outputs.drain(..) {
            let node = &mut self.nodes[id];
            node.checks.check(&message)?;
            match &message {
                Message::Batch(batch) => {
                    self.at_barrier = None;
                    self.stats.0[id].add_out(batch.num_rows());
                }
                Message::Watermark(watermark) => {
                    self.at_barrier = None;
                    self.stats.0[id].set_watermark(*watermark);
                }
                Message::Idle | Message::End => self.at_barrier = None,
                Message::Barrier(_) => {}
            }
            let consumers = self.consumers[id].len();
            for at in 0..consumers {
                let (consumer, port) = self.consumers[id][at];
                if at + 1 == consumers {
                    self.deliver(consumer, port, message, now_ms)?;
                    break;
                }
                self.deliver(consumer, port, message.clone(), now_ms)?;
            }
        }
        self.nodes[id].outputs = outputs;
        Ok(())
    }

    fn deliver(&mut self, id: NodeId, port: usize, message: Message, now_ms: i64) -> Result<()> {
        let start_ns = self.settings.clock.monotonic_ns();
        let stats = &self.stats.0[id];
        let node = &mut self.nodes[id];
        let Kind::Operator(operator) = &mut node.kind else {
            return Err(Error::bug("a source has an input"));
        };
        let mut outputs = std::mem::take(&mut node.outputs);
        let align = &mut node.align;
        let mut cx = OperatorContext {
            outputs: &mut outputs,
            side: &mut self.side,
            stats,
            node: &node.info,
            now_ms,
            watermark: align.watermark(),
        };
        match message {
            Message::Batch(batch) => {
                align.on_batch(port);
                stats.add_in(batch.num_rows());
                operator.on_batch(port, batch, &mut cx)?;
            }
            Message::Watermark(watermark) => {
                let raised = align.on_watermark(port, watermark);
                raise(operator.as_mut(), raised, &mut cx)?;
            }
            Message::Idle => {
                let forward = align.on_idle(port);
                raise(operator.as_mut(), forward.watermark, &mut cx)?;
                if forward.idle {
                    cx.outputs.push(Message::Idle);
                }
            }
            Message::Barrier(epoch) => {
                if align.on_barrier(port, epoch)? {
                    operator.on_barrier(epoch, &mut cx)?;
                    cx.outputs.push(Message::Barrier(epoch));
                }
            }
            Message::End => {
                if align.on_end(port) {
                    cx.outputs.push(Message::End);
                }
            }
        }
        stats.add_busy(self.settings.clock.monotonic_ns().saturating_sub(start_ns));
        self.forward(id, outputs, now_ms)
    }
}

fn raise(operator: &mut dyn Operator, watermark: Option<i64>, cx: &mut OperatorContext<'_>) -> Result<()> {
    if let Some(watermark) = watermark {
        cx.watermark = watermark;
        operator.on_watermark(watermark, cx)?;
        cx.outputs.push(Message::Watermark(watermark));
    }
    Ok(())
}

impl ValuesTask {
    fn run(&mut self, cx: &mut OperatorContext<'_>) {
        if std::mem::replace(&mut self.done, true) {
            return;
        }
        cx.emit(self.batch.clone());
        cx.outputs.push(Message::Watermark(WATERMARK_END));
        cx.outputs.push(Message::End);
    }

    fn state(&self) -> ScanState {
        let watermark = if self.done { WATERMARK_END } else { crate::WATERMARK_NONE };
        ScanState { splits: vec![], watermark, idle: false, ended: self.done }
    }
}
