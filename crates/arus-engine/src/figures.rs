//! Counters of the engine, for `/metrics`.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

#[derive(Default)]
pub(crate) struct Figures {
    pub(crate) checkpoints: AtomicU64,
    pub(crate) checkpoints_failed: AtomicU64,
    checkpoint_ns: AtomicU64,
    last_checkpoint_ns: AtomicU64,
    /// The epoch that this start restored; 0: nothing was there.
    pub(crate) recovery_epoch: AtomicU64,
    /// Rows that were in the log but not in the restored checkpoint.
    pub(crate) recovery_replayed_rows: AtomicU64,
    /// Pipelines that were started again after a failure, of their own or of what they read.
    pub(crate) restarts: AtomicU64,
    pub(crate) rows_accepted: AtomicU64,
    pub(crate) rows_rejected: AtomicU64,
    /// Requests with rows that were told to come again.
    pub(crate) requests_refused: AtomicU64,
    /// Ids that idempotent producers got.
    pub(crate) producers: AtomicU64,
}

impl Figures {
    pub(crate) fn checkpoint(&self, ns: u64) {
        self.checkpoints.fetch_add(1, Relaxed);
        self.checkpoint_ns.fetch_add(ns, Relaxed);
        self.last_checkpoint_ns.store(ns, Relaxed);
    }

    /// (last, all) in seconds.
    pub(crate) fn checkpoint_seconds(&self) -> (f64, f64) {
        (self.last_checkpoint_ns.load(Relaxed) as f64 / 1e9, self.checkpoint_ns.load(Relaxed) as f64 / 1e9)
    }
}
