//! A pipeline: the operators of one plan on one thread. The engine calls; nothing here waits or loops for ever.
//!
//! A message runs through all operators below before the next one starts, so an edge is a call and never holds rows:
//! between two calls of [`Pipeline::step`] everything that was polled is in state or out of a sink, and a barrier is a
//! walk over the graph.
//!
//! A pipeline may be spread over several tasks, each a [`Pipeline`] of its own with the same plan: it owns some key groups
//! and some splits. Where rows change hands they wait in a queue between two tasks ([`exchange`]); [`place`] says where.
//! A barrier then takes several calls of [`Pipeline::step`]: the task is at it when [`Pipeline::at_barrier`] says so.

mod align;
mod build;
mod checks;
pub(crate) mod cut;
pub(crate) mod exchange;
mod flow;
pub(crate) mod io;
mod place;

use std::sync::Arc;

use arus_core::plan::NodeId;
use arus_core::{ChangeBatch, Error, Result, planted};

pub use align::Alignment;
pub use build::unique_uids;
pub use cut::{Checkpoint, FrozenPipeline, FrozenTask, PipelineRestore, merged_scans};
pub use exchange::{Tasks, Waker};

use crate::message::{Message, WATERMARK_END};
use crate::operator::{NodeInfo, Operator, OperatorContext};
use crate::pipeline::checks::EdgeChecks;
use crate::pipeline::exchange::Wires;
use crate::pipeline::flow::{EdgeEnd, Inbound, Outlet};
use crate::pipeline::io::SourceGate;
use crate::settings::PipelineSettings;
use crate::side::{SideRows, SideTables};
use crate::source::{ScanState, ScanTask};
use crate::stats::PipelineStats;

pub struct Pipeline {
    /// The number of this task.
    task: usize,
    wires: Arc<Wires>,
    nodes: Vec<NodeTask>,
    /// Of each node.
    outlets: Vec<Vec<Outlet>>,
    /// Of each edge that begins in this task.
    ends: Vec<Option<EdgeEnd>>,
    inbound: Vec<Inbound>,
    /// Edges that what a node gives out may come to before this task has to read a queue.
    reach: Vec<Vec<usize>>,
    sources: Vec<NodeId>,
    /// Operators that go by the clock.
    clocked: Vec<NodeId>,
    stats: PipelineStats,
    side: SideRows,
    side_tables: Box<dyn SideTables>,
    settings: PipelineSettings,
    gate: SourceGate,
    /// The barrier that the sources have sent and that is not through yet.
    barrier: Option<u64>,
    /// The last barrier that was through.
    completed: u64,
    /// The barrier that nothing has followed yet.
    at_barrier: Option<u64>,
    /// When the size of the state was last told.
    noted_ns: u64,
    /// Operators that have still to tell that nothing follows.
    ends_due: Vec<NodeId>,
}

/// Between two looks at the size of the state.
const NOTE_STATE_NS: u64 = 50_000_000;

struct NodeTask {
    info: NodeInfo,
    kind: Kind,
    align: Alignment,
    /// The tasks that each input of the plan comes from, which are so many inputs of `align`.
    ways: Vec<usize>,
    /// The input of the plan that each of those belongs to.
    ports: Vec<usize>,
    /// The last barrier that it has passed.
    passed: u64,
    checks: EdgeChecks,
    /// Kept to spare its allocation.
    outputs: Vec<Message>,
}

enum Kind {
    Scan(Box<ScanTask>),
    Values(ValuesTask),
    Operator(Box<dyn Operator>),
    /// It runs in the home task alone.
    Elsewhere,
}

/// VALUES: its rows once, then the end.
struct ValuesTask {
    batch: ChangeBatch,
    done: bool,
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
    /// The same of the sources alone.
    pub sources_moved: bool,
    /// All sources have ended and everything has left by the sinks.
    pub ended: bool,
}

impl Pipeline {
    /// Polls the sources in turn and runs what they have through the operators, until the budget is used up or nothing
    /// is left for now. After an error the pipeline is void: what goes on is a new one from the last checkpoint.
    pub fn step(&mut self, budget: Budget) -> Result<StepReport> {
        let start_ns = self.settings.clock.monotonic_ns();
        let mut report = StepReport::default();
        let mut received = 0;
        let held = self.is_held();
        self.tell_ends()?;
        loop {
            let (rows, mut moved) = self.receive()?;
            received += rows;
            if self.finish_barrier() {
                report.moved = true;
                break;
            }
            // What comes between a barrier and its end belongs before it.
            if self.barrier.is_none() && !held {
                moved |= self.fire_timers()?;
                moved |= self.poll_sources(budget, &mut report)?;
            }
            report.moved |= moved;
            let used_ns = self.settings.clock.monotonic_ns().saturating_sub(start_ns);
            if !moved || report.rows_in.max(received) >= budget.rows || used_ns >= budget.ns {
                break;
            }
        }
        self.flush_side()?;
        self.note_state();
        report.ended = self.ended();
        Ok(report)
    }

    fn poll_sources(&mut self, budget: Budget, report: &mut StepReport) -> Result<bool> {
        let mut moved = false;
        for at in 0..self.sources.len() {
            let rows = budget.rows.saturating_sub(report.rows_in);
            if rows == 0 {
                break;
            }
            if !self.has_room(self.sources[at]) {
                continue;
            }
            let polled = self.poll(self.sources[at], rows)?;
            report.rows_in += polled.rows;
            moved |= polled.moved;
        }
        report.sources_moved |= moved;
        Ok(moved)
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
                    Kind::Scan(_) | Kind::Values(_) | Kind::Elsewhere => Ok(()),
                })?;
                moved = true;
            }
        }
        Ok(moved)
    }

    /// Whether all sources have ended, and what they gave is through.
    pub fn ended(&self) -> bool {
        self.nodes.iter().all(|node| match &node.kind {
            Kind::Scan(scan) => scan.ended(),
            Kind::Values(values) => values.done,
            Kind::Operator(_) => node.align.ended() || self.wires.tasks.count() == 1,
            Kind::Elsewhere => true,
        })
    }

    /// Rows that are known to wait before the sources.
    pub fn backlog(&self) -> u64 {
        let backlog = |node: &NodeTask| match &node.kind {
            Kind::Scan(scan) => scan.backlog(),
            Kind::Values(_) | Kind::Operator(_) | Kind::Elsewhere => 0,
        };
        self.nodes.iter().map(backlog).sum()
    }

    /// Ends the input here: the watermark passes every window, timers fire, sinks get the rest.
    pub fn finish(&mut self) -> Result<()> {
        for at in 0..self.sources.len() {
            self.drive(self.sources[at], |kind, cx| {
                match kind {
                    Kind::Scan(scan) => scan.end(cx),
                    Kind::Values(values) => values.run(cx),
                    Kind::Operator(_) | Kind::Elsewhere => {}
                }
                Ok(())
            })?;
        }
        self.flush_side()
    }

    /// Sends the barrier of `epoch` from every source through the graph. Where nothing comes from other tasks it is through
    /// at once.
    pub fn barrier(&mut self, epoch: u64) -> Result<()> {
        self.tell_ends()?;
        self.flush_side()?;
        self.barrier = Some(epoch);
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
        self.finish_barrier();
        Ok(())
    }

    /// Whether the sources stand still: the sinks cannot take more.
    fn is_held(&mut self) -> bool {
        let full = self.sink_writers().any(|(_, writer)| writer.is_full());
        // The sinks may be in one task and the sources in all.
        if self.sink_writers().next().is_some() {
            self.gate.set_full(full);
        }
        self.gate.is_shut()
    }

    /// The barrier that is through while nothing has followed it.
    pub fn at_barrier(&self) -> Option<u64> {
        if planted("full-outbox-blocks") && self.gate.is_shut() {
            return None;
        }
        self.at_barrier
    }

    /// Whether all operators have passed the barrier just now.
    fn finish_barrier(&mut self) -> bool {
        let Some(epoch) = self.barrier else { return false };
        if self.nodes.iter().any(|node| matches!(node.kind, Kind::Operator(_)) && node.passed < epoch) {
            return false;
        }
        self.barrier = None;
        self.completed = epoch;
        self.at_barrier = Some(epoch);
        self.side.next_epoch(epoch);
        self.noted_ns = 0;
        self.note_state();
        true
    }

    /// Shows now and then how much state there is.
    fn note_state(&mut self) {
        let now = self.settings.clock.monotonic_ns();
        if self.noted_ns != 0 && now.saturating_sub(self.noted_ns) < NOTE_STATE_NS {
            return;
        }
        self.noted_ns = now;
        for (node, stats) in self.nodes.iter().zip(self.stats.operators()) {
            if let Kind::Operator(operator) = &node.kind {
                stats.set_state_bytes(self.task, operator.memory_bytes());
            }
        }
    }

    /// Memory of the operators' state.
    pub fn memory_bytes(&self) -> usize {
        let operators = self.nodes.iter().filter_map(|node| match &node.kind {
            Kind::Operator(operator) => Some(operator.memory_bytes()),
            Kind::Scan(_) | Kind::Values(_) | Kind::Elsewhere => None,
        });
        operators.sum()
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
            Kind::Operator(_) | Kind::Elsewhere => Err(Error::bug("an operator was polled")),
        })
    }
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
