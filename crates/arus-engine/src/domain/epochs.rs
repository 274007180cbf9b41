//! Epochs: when one is due, its barrier through every pipeline, and what readers see after it.
//!
//! A barrier passes the pipelines in the order of the data. Those that write what others read take it first and
//! stand still, so that a topic ends at its marker and a table shows its epoch; their readers read up to there, for [`PATIENCE_NS`] at most, and take
//! it then or where they are. All others go on meanwhile and take it last. When all stand the epoch is there: tables are
//! published, a checkpoint is cut, and all go on.

use std::collections::HashMap;
use std::sync::Arc;

use std::sync::atomic::Ordering::Relaxed;

use arus_core::read::Cut;
use arus_core::{Result, planted};
use arus_stream::{FrozenPipeline, merged_scans};

use super::Domain;
use super::mailbox::Order;
use super::retention::positions;
use super::running::{Phase, feeds};
use super::worker::Part;
use crate::follow;
use crate::published::{Published, PublishedTable};

/// Between two epochs at least, so that a burst is one.
const EPOCH_QUIET_NS: u64 = 5_000_000;
/// Epochs take at most a twentieth of the time.
const EPOCH_SHARE: u64 = 20;
/// But for an epoch that was held up: tables do not stand still for long because of it.
const EPOCH_PAUSE_MAX_NS: u64 = 10_000_000_000;
/// A reader of what a pipeline writes that is not at the marker after this long takes the barrier where it stands.
const PATIENCE_NS: u64 = 100_000_000;

/// An epoch that is under way.
pub(super) struct Passing {
    epoch: u64,
    checkpoint: bool,
    started_ns: u64,
    /// For traces: it ends with the epoch.
    _span: tracing::Span,
}

impl Domain {
    pub(super) fn epoch_due(&self) -> bool {
        self.moved && self.now_ns() >= self.next_epoch_ns
    }

    pub(super) fn checkpoint_due(&self) -> bool {
        let due_ns = self.last_checkpoint_ns.saturating_add(self.checkpoint_interval_ns);
        self.writing.is_none()
            && !self.restarts.is_reading()
            && (!self.replies.is_empty() || self.changed && (self.hurry || self.now_ns() >= due_ns))
    }

    /// A barrier for every pipeline.
    pub(super) fn begin_epoch(&mut self, checkpoint: bool) {
        self.running.iter_mut().for_each(|running| running.phase = Phase::Running);
        if checkpoint {
            self.hurry = false;
        }
        let (incarnation, epoch) = (self.shared.incarnation, self.epoch + 1);
        let _span = tracing::trace_span!(target: "arus::trace", parent: None, "epoch", incarnation, epoch, checkpoint);
        self.passing = Some(Passing { epoch, checkpoint, started_ns: self.now_ns(), _span });
    }

    /// Tells the pipelines whose turn it is of the epoch; when all have taken its barrier, ends it.
    pub(super) fn advance_epoch(&mut self) -> Result<()> {
        let Some(passing) = &self.passing else { return Ok(()) };
        let (epoch, freeze) = (passing.epoch, passing.checkpoint);
        let stands = |at: usize| matches!(self.running[at].phase, Phase::Standing(_));
        let among = 0..self.running.len();
        let linked = |at: usize| {
            self.running.iter().any(|other| feeds(other, &self.running[at]) || feeds(&self.running[at], other))
        };
        let chains_stand = among.clone().all(|at| stands(at) || !linked(at));
        let due: Vec<usize> = among
            .clone()
            .filter(|at| matches!(self.running[*at].phase, Phase::Running))
            .filter(|at| match linked(*at) {
                true => among.clone().all(|w| stands(w) || !feeds(&self.running[w], &self.running[*at])),
                false => chains_stand,
            })
            .collect();
        for at in due {
            let running = &mut self.running[at];
            // Nobody waits for the first snapshot of a reader.
            let waits = running.reads_pipelines && !follow::in_snapshot(&self.shared, &running.job);
            let patience_ns = if waits { PATIENCE_NS } else { 0 };
            for thread in running.threads() {
                let run = running.run;
                self.mailboxes[thread].send(Order::Barrier { run, epoch, freeze, patience_ns });
            }
            running.phase = Phase::Asked(running.threads.iter().map(|_| None).collect());
        }
        // What a pipeline that was taken out writes until its threads have heard of it is in this epoch.
        if self.leaving.is_empty() && self.running.iter().all(|r| matches!(r.phase, Phase::Standing(_))) {
            self.end_epoch()?;
        }
        Ok(())
    }

    /// A task stands at the barrier.
    pub(super) fn came(&mut self, run: u64, task: usize, part: Part) {
        let part_epoch = part.epoch;
        let epoch = self.passing.as_ref().map(|p| p.epoch);
        let Some(running) = self.running.iter_mut().find(|r| r.run == run) else { return };
        let Phase::Asked(parts) = &mut running.phase else { return };
        if Some(part.epoch) == epoch {
            parts[task] = Some(part);
        }
        if parts.iter().all(Option::is_some) {
            let parts: Vec<Part> = parts.drain(..).flatten().collect();
            let scans: Vec<_> = parts.iter().map(|part| part.scans.clone()).collect();
            running.scans = merged_scans(&scans, 0);
            let behind = if running.reads_pipelines { parts.iter().map(|part| part.behind).sum() } else { 0 };
            running.job.behind.store(behind, Relaxed);
            running.phase = Phase::Standing(parts);
            follow::show(&self.shared, &running.job, Cut { incarnation: self.shared.incarnation, epoch: part_epoch });
        }
    }

    /// Everything stands: the epoch is in tables and topics.
    fn end_epoch(&mut self) -> Result<()> {
        let Some(passing) = self.passing.take() else { return Ok(()) };
        self.epoch = passing.epoch;
        self.publish();
        // What has moved since the epoch began is in it, and has to become durable.
        self.changed |= self.signals.moved.swap(false, Relaxed);
        self.moved = false;
        if passing.checkpoint {
            let mut cuts = vec![];
            for running in &mut self.running {
                let Phase::Standing(parts) = std::mem::replace(&mut running.phase, Phase::Running) else { continue };
                let frozen = parts.into_iter().filter_map(|part| part.frozen).collect();
                cuts.push((running.run, FrozenPipeline::merged(frozen, 0)));
            }
            self.start_checkpoint(cuts, passing.started_ns)?;
        }
        self.mailboxes.iter().for_each(|mailbox| mailbox.send(Order::Resume));
        let end = self.now_ns();
        let pause = match self.epoch_interval_ns {
            Some(interval) => interval,
            None => ((end - passing.started_ns) * EPOCH_SHARE).clamp(EPOCH_QUIET_NS, EPOCH_PAUSE_MAX_NS),
        };
        self.next_epoch_ns = end + pause;
        Ok(())
    }

    pub(crate) fn publish(&mut self) {
        if planted("slow-reader-holds-epochs") && Arc::strong_count(&self.shared.published()) > 2 {
            return;
        }
        let cut = Cut { incarnation: self.shared.incarnation, epoch: self.epoch };
        let as_of_ms = self.shared.config.clock.now_ms();
        let mut tables = HashMap::new();
        for table in self.shared.tables.all() {
            table.publish(cut, as_of_ms);
            table.note_progress(cut, as_of_ms);
            tables.insert(table.def.path.clone(), PublishedTable::of(table));
        }
        let positions = self.running.iter().flat_map(positions).collect();
        self.shared.published.send_replace(Arc::new(Published { cut, as_of_ms, tables, positions }));
    }
}
