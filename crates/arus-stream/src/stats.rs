//! Counters of each operator, readable from other threads.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};

use arus_core::plan::{NodeId, Uid};

use crate::message::WATERMARK_NONE;

/// What is known of one operator. The task's thread writes; readers may see one counter ahead of another.
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
    watermark: AtomicI64,
    state_bytes: AtomicU64,
    backlog: AtomicU64,
    late: AtomicU64,
    quarantined: AtomicU64,
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
    pub(crate) fn new(node: NodeId, uid: Uid, name: &'static str, table: Option<String>) -> Self {
        OperatorStats {
            node,
            uid,
            name,
            table,
            rows_in: AtomicU64::new(0),
            rows_out: AtomicU64::new(0),
            batches_in: AtomicU64::new(0),
            busy_ns: AtomicU64::new(0),
            watermark: AtomicI64::new(WATERMARK_NONE),
            state_bytes: AtomicU64::new(0),
            backlog: AtomicU64::new(0),
            late: AtomicU64::new(0),
            quarantined: AtomicU64::new(0),
            splits: Mutex::new(vec![]),
        }
    }

    pub fn figures(&self) -> OperatorFigures {
        OperatorFigures {
            rows_in: self.rows_in.load(Relaxed),
            rows_out: self.rows_out.load(Relaxed),
            batches_in: self.batches_in.load(Relaxed),
            busy_ns: self.busy_ns.load(Relaxed),
            watermark: self.watermark.load(Relaxed),
            state_bytes: self.state_bytes.load(Relaxed),
            backlog: self.backlog.load(Relaxed),
            late: self.late.load(Relaxed),
            quarantined: self.quarantined.load(Relaxed),
        }
    }

    /// Of a scan.
    pub fn splits(&self) -> Vec<SplitFigures> {
        self.splits.lock().expect("no holder of this lock panics").clone()
    }

    pub(crate) fn set_splits(&self, splits: impl Iterator<Item = SplitFigures>) {
        let mut known = self.splits.lock().expect("no holder of this lock panics");
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

    pub(crate) fn set_watermark(&self, watermark: i64) {
        self.watermark.store(watermark, Relaxed);
    }

    pub(crate) fn set_state_bytes(&self, bytes: usize) {
        self.state_bytes.store(bytes as u64, Relaxed);
    }

    pub(crate) fn set_backlog(&self, rows: u64) {
        self.backlog.store(rows, Relaxed);
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
