//! What a sink with an outbox is doing, for system tables, EXPLAIN ANALYZE and metrics.

use std::sync::{Mutex, MutexGuard, PoisonError};

use arus_core::catalog::ObjectPath;
use arus_core::read::Cut;

/// The state of a sink's line.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum SinkState {
    /// Its mark is not known yet.
    #[default]
    Opening,
    Delivering,
    /// A delivery has failed and is tried again.
    Retrying,
    /// The mark is not where it may be: somebody has to decide.
    Refused,
}

impl SinkState {
    pub(crate) fn name(self) -> &'static str {
        match self {
            SinkState::Opening => "opening",
            SinkState::Delivering => "delivering",
            SinkState::Retrying => "retrying",
            SinkState::Refused => "refused",
        }
    }
}

#[derive(Debug, Clone, Default)]
pub(crate) struct SinkFigures {
    pub(crate) state: SinkState,
    /// So much waits that the pipeline's sources stand still.
    pub(crate) full: bool,
    /// Where the mark stands.
    pub(crate) delivered: Option<Cut>,
    pub(crate) undelivered_outboxes: u64,
    pub(crate) undelivered_bytes: u64,
    pub(crate) undelivered_rows: u64,
    pub(crate) delivered_rows: u64,
    pub(crate) rejected_rows: u64,
    /// In a row.
    pub(crate) failures: u32,
    pub(crate) failures_ever: u64,
    pub(crate) last_error: Option<String>,
    /// When it was delivered last, in ms.
    pub(crate) last_delivery_ms: Option<i64>,
}

pub(crate) struct SinkStatus {
    pub(crate) table: ObjectPath,
    figures: Mutex<SinkFigures>,
}

impl SinkStatus {
    pub(crate) fn new(table: ObjectPath) -> Self {
        SinkStatus { table, figures: Mutex::default() }
    }

    fn locked(&self) -> MutexGuard<'_, SinkFigures> {
        self.figures.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn figures(&self) -> SinkFigures {
        self.locked().clone()
    }

    pub(super) fn set_undelivered(&self, outboxes: u64, bytes: u64, rows: u64) {
        let mut figures = self.locked();
        figures.undelivered_outboxes = outboxes;
        figures.undelivered_bytes = bytes;
        figures.undelivered_rows = rows;
    }

    pub(super) fn set_full(&self, full: bool) {
        self.locked().full = full;
    }

    pub(super) fn opened(&self, cut: Cut) {
        let mut figures = self.locked();
        figures.state = SinkState::Delivering;
        figures.delivered = Some(cut);
        figures.failures = 0;
        figures.last_error = None;
    }

    pub(super) fn delivered(&self, cut: Cut, rows: u64, rejected: u64, now_ms: i64) {
        let mut figures = self.locked();
        figures.state = SinkState::Delivering;
        figures.delivered = Some(cut);
        figures.delivered_rows += rows;
        figures.rejected_rows += rejected;
        figures.failures = 0;
        figures.last_error = None;
        figures.last_delivery_ms = Some(now_ms);
    }

    pub(super) fn failed(&self, state: SinkState, error: String) -> u32 {
        let mut figures = self.locked();
        figures.state = state;
        figures.failures = figures.failures.saturating_add(1);
        figures.failures_ever += 1;
        figures.last_error = Some(error);
        figures.failures
    }
}
