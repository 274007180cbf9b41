//! Epochs: when one is due, its barrier through every pipeline, and what readers see after it.

use std::collections::HashMap;
use std::sync::Arc;

use arus_core::Result;
use arus_core::read::Cut;

use super::retention::positions;
use super::{Domain, TURN};
use crate::follow;
use crate::jobs::JobStatus;
use crate::published::{Published, PublishedTable};

/// An epoch waits for this long after the last row, so that a burst is one epoch.
const EPOCH_QUIET_NS: u64 = 5_000_000;
/// Epochs take at most a twentieth of the time.
const EPOCH_SHARE: u64 = 20;
/// A reader of what a pipeline writes that is not at the marker after this long takes the barrier where it stands.
const PATIENCE_NS: u64 = 100_000_000;

impl Domain {
    pub(super) fn epoch_due(&self) -> bool {
        let now = self.now_ns();
        self.moved
            && now >= self.next_epoch_ns
            && (now >= self.last_moved_ns + EPOCH_QUIET_NS || self.next_epoch_ns != 0)
    }

    pub(super) fn checkpoint_due(&self) -> bool {
        self.writing.is_none()
            && !self.restarts.is_reading()
            && (!self.replies.is_empty()
                || self.changed && self.now_ns() >= self.last_checkpoint_ns.saturating_add(self.checkpoint_interval_ns))
    }

    /// A barrier through every pipeline, then the tables show the epoch.
    pub(super) fn make_epoch(&mut self, checkpoint: bool) -> Result<()> {
        let started_ns = self.now_ns();
        let epoch = self.epoch + 1;
        for at in 0..self.running.len() {
            let usable = |d: &Self| {
                let running = &d.running[at];
                running.job.status() == JobStatus::Running && d.failed.iter().all(|(id, _)| *id != running.id)
            };
            if !usable(self) {
                continue;
            }
            // Nobody waits for the first snapshot of a reader.
            if self.running[at].reads_pipelines && !follow::in_snapshot(&self.shared, &self.running[at].job) {
                self.catch_up(at);
                if !usable(self) {
                    continue;
                }
            }
            let running = &mut self.running[at];
            match running.pipeline.barrier(epoch) {
                Ok(()) => follow::show(&self.shared, &running.job, Cut { incarnation: self.shared.incarnation, epoch }),
                Err(e) => self.failed.push((running.id, e)),
            }
        }
        self.take_down();
        self.epoch = epoch;
        self.publish();
        self.moved = false;
        if checkpoint {
            self.start_checkpoint(started_ns)?;
        }
        let end = self.now_ns();
        let pause = match self.epoch_interval_ns {
            Some(interval) => interval,
            None => EPOCH_QUIET_NS.max((end - started_ns) * EPOCH_SHARE),
        };
        self.next_epoch_ns = end + pause;
        Ok(())
    }

    /// Lets a reader come to the markers of what it reads, while patience lasts.
    fn catch_up(&mut self, at: usize) {
        let until = self.now_ns() + PATIENCE_NS;
        let running = &mut self.running[at];
        while self.shared.config.clock.monotonic_ns() < until {
            match running.pipeline.step(TURN) {
                Ok(report) if report.moved => {}
                Ok(_) => return,
                Err(e) => return self.failed.push((running.id, e)),
            }
        }
    }

    pub(crate) fn publish(&mut self) {
        let cut = Cut { incarnation: self.shared.incarnation, epoch: self.epoch };
        let as_of_ms = self.shared.config.clock.now_ms();
        let mut tables = HashMap::new();
        for table in self.shared.tables.all() {
            for (_, state) in table.states() {
                state.publish(cut, as_of_ms);
            }
            table.note_progress(as_of_ms);
            tables.insert(table.def.path.clone(), PublishedTable::of(table));
        }
        let positions = self.running.iter().flat_map(positions).collect();
        self.shared.published.send_replace(Arc::new(Published { cut, as_of_ms, tables, positions }));
    }
}
