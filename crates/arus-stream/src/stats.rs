//! Counters of each operator, readable from other threads.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};

use arus_core::plan::{NodeId, Uid};

use crate::message::WATERMARK_NONE;

/// What is known of one operator. The tasks' threads write; readers may see one counter ahead of another.
#[derive(Debug)]
pub struct OperatorStats {
    pub node: NodeId,
    pub uid: Uid,
    pub name: &'static str,
    /// Of a scan or sink: its table.
    pub table: Option<String>,
    rows_in: AtomicU64,
    rows_out: AtomicU64,
    batches_in: AtomicU64,
    busy_ns: AtomicU64,
    late: AtomicU64,
    quarantined: AtomicU64,
    tasks: Box<[TaskFigures]>,
}

/// What each task has its own of.
#[derive(Debug)]
struct TaskFigures {
    /// The operator does not run there, or has nothing to read: it holds no watermark.
    idle: AtomicBool,
    watermark: AtomicI64,
    state_bytes: AtomicU64,
    backlog: AtomicU64,
    splits: Mutex<Vec<SplitFigures>>,
}

/// A split of a scan: who holds the watermark is seen here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SplitFigures {
    pub id: String,
    /// The highest watermark of its rows; [`WATERMARK_NONE`] before the first.
    pub watermark: i64,
    pub idle: bool,
    pub finished: bool,
}

/// The counters at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OperatorFigures {
    pub rows_in: u64,
    pub rows_out: u64,
    pub batches_in: u64,
    pub busy_ns: u64,
    /// In ms; [`WATERMARK_NONE`] before the first.
    pub watermark: i64,
    pub state_bytes: u64,
    /// Rows known to wait before a source.
    pub backlog: u64,
    pub late: u64,
    pub quarantined: u64,
}

impl OperatorStats {
    pub(crate) fn new(node: NodeId, uid: Uid, name: &'static str, table: Option<String>, tasks: usize) -> Self {
        let task = || TaskFigures {
            idle: AtomicBool::new(tasks > 1),
            watermark: AtomicI64::new(WATERMARK_NONE),
            state_bytes: AtomicU64::new(0),
            backlog: AtomicU64::new(0),
            splits: Mutex::new(vec![]),
        };
        OperatorStats {
            node,
            uid,
            name,
            table,
            rows_in: AtomicU64::new(0),
            rows_out: AtomicU64::new(0),
            batches_in: AtomicU64::new(0),
            busy_ns: AtomicU64::new(0),
            late: AtomicU64::new(0),
            quarantined: AtomicU64::new(0),
            tasks: (0..tasks).map(|_| task()).collect(),
        }
    }

    pub fn figures(&self) -> OperatorFigures {
        OperatorFigures {
            rows_in: self.rows_in.load(Relaxed),
            rows_out: self.rows_out.load(Relaxed),
            batches_in: self.batches_in.load(Relaxed),
            busy_ns: self.busy_ns.load(Relaxed),
            watermark: self.watermark(),
            state_bytes: self.tasks.iter().map(|t| t.state_bytes.load(Relaxed)).sum(),
            backlog: self.tasks.iter().map(|t| t.backlog.load(Relaxed)).sum(),
            late: self.late.load(Relaxed),
            quarantined: self.quarantined.load(Relaxed),
        }
    }

    /// The lowest of the tasks that hold it; the highest where none does.
    fn watermark(&self) -> i64 {
        let marks = |idle: bool| {
            let tasks = self.tasks.iter().filter(move |t| t.idle.load(Relaxed) == idle);
            tasks.map(|t| t.watermark.load(Relaxed))
        };
        marks(false).min().or(marks(true).max()).unwrap_or(WATERMARK_NONE)
    }

    /// Of a scan.
    pub fn splits(&self) -> Vec<SplitFigures> {
        let locked = |t: &TaskFigures| t.splits.lock().expect("no holder of this lock panics").clone();
        self.tasks.iter().flat_map(locked).collect()
    }

    pub(crate) fn set_splits(&self, task: usize, splits: impl Iterator<Item = SplitFigures>) {
        let mut known = self.tasks[task].splits.lock().expect("no holder of this lock panics");
        known.clear();
        known.extend(splits);
    }

    pub(crate) fn add_in(&self, rows: usize) {
        self.rows_in.fetch_add(rows as u64, Relaxed);
        self.batches_in.fetch_add(1, Relaxed);
    }

    pub(crate) fn add_out(&self, rows: usize) {
        self.rows_out.fetch_add(rows as u64, Relaxed);
    }

    pub(crate) fn add_busy(&self, ns: u64) {
        self.busy_ns.fetch_add(ns, Relaxed);
    }

    pub(crate) fn set_watermark(&self, task: usize, watermark: i64) {
        self.tasks[task].watermark.store(watermark, Relaxed);
    }

    pub(crate) fn set_idle(&self, task: usize, idle: bool) {
        self.tasks[task].idle.store(idle, Relaxed);
    }

    pub(crate) fn set_state_bytes(&self, task: usize, bytes: usize) {
        self.tasks[task].state_bytes.store(bytes as u64, Relaxed);
    }

    pub(crate) fn set_backlog(&self, task: usize, rows: u64) {
        self.tasks[task].backlog.store(rows, Relaxed);
    }

    pub(crate) fn add_late(&self, rows: usize) {
        self.late.fetch_add(rows as u64, Relaxed);
    }

    pub(crate) fn add_quarantined(&self, rows: usize) {
        self.quarantined.fetch_add(rows as u64, Relaxed);
    }
}

/// Of all operators of a pipeline, by node.
#[derive(Debug, Clone)]
pub struct PipelineStats(pub(crate) Arc<[OperatorStats]>);

impl PipelineStats {
    pub fn operators(&self) -> &[OperatorStats] {
        &self.0
    }

    /// Rows that the sources have handed on.
    pub fn rows_read(&self) -> u64 {
        self.0.iter().filter(|s| s.name == "TableSourceScan").map(|s| s.figures().rows_out).sum()
    }

    pub fn late(&self) -> u64 {
        self.0.iter().map(|s| s.figures().late).sum()
    }

    pub fn quarantined(&self) -> u64 {
        self.0.iter().map(|s| s.figures().quarantined).sum()
    }
}
