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
use crate::tables::{SealedState, Table};

/// Between two epochs at least, so that a burst is one.
const EPOCH_QUIET_NS: u64 = 5_000_000;
/// Epochs take at most a twentieth of the time.
const EPOCH_SHARE: u64 = 20;
/// But for an epoch that was held up: tables do not stand still for long because of it.
const EPOCH_PAUSE_MAX_NS: u64 = 10_000_000_000;
/// After an epoch that was long only because a pipeline had much to work off before its barrier, tables need not wait longer.
const EPOCH_PAUSE_BUSY_NS: u64 = 100_000_000;
/// A reader of what a pipeline writes that is not at the marker after this long takes the barrier where it stands.
const PATIENCE_NS: u64 = 100_000_000;

/// An epoch that is under way.
pub(super) struct Passing {
    epoch: u64,
    checkpoint: bool,
    started_ns: u64,
    /// By data thread, when the last of its tasks came to the barrier; 0 where there is none.
    stood_ns: Vec<u64>,
    /// For traces: it ends with the epoch.
    _span: tracing::Span,
}

/// The pause after an epoch that took so long, and for which each data thread stood still for so long.
fn pause_after(took_ns: u64, stood_ns: impl Iterator<Item = u64>) -> u64 {
    let (threads, stood_ns) = stood_ns.fold((0, 0), |(threads, sum), ns| (threads + 1, sum + ns));
    let lost_ns = stood_ns / u64::max(threads, 1);
    let by_loss = (lost_ns * EPOCH_SHARE).max(EPOCH_PAUSE_BUSY_NS);
    (took_ns * EPOCH_SHARE).min(by_loss).clamp(EPOCH_QUIET_NS, EPOCH_PAUSE_MAX_NS)
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
        let stood_ns = vec![0; self.mailboxes.len()];
        self.passing = Some(Passing { epoch, checkpoint, started_ns: self.now_ns(), stood_ns, _span });
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
        let now_ns = self.now_ns();
        let Some(running) = self.running.iter_mut().find(|r| r.run == run) else { return };
        let Phase::Asked(parts) = &mut running.phase else { return };
        if let Some(passing) = self.passing.as_mut().filter(|passing| passing.epoch == part_epoch) {
            passing.stood_ns[running.threads[task]] = now_ns;
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

    /// Everything stands: the epoch is in tables and topics. What can be done when all have gone on, is done then.
    fn end_epoch(&mut self) -> Result<()> {
        let Some(passing) = self.passing.take() else { return Ok(()) };
        self.epoch = passing.epoch;
        self.forget_unborn();
        let sealed = self.seal();
        // What has moved since the epoch began is in it, and has to become durable.
        self.changed |= self.signals.moved.swap(false, Relaxed);
        self.moved = false;
        let mut cut = None;
        if passing.checkpoint {
            let mut cuts = vec![];
            for running in &mut self.running {
                let Phase::Standing(parts) = std::mem::replace(&mut running.phase, Phase::Running) else { continue };
                let frozen = parts.into_iter().filter_map(|part| part.frozen).collect();
                cuts.push((running.run, FrozenPipeline::merged(frozen, 0)));
            }
            cut = Some(self.cut_checkpoint(cuts)?);
        }
        self.mailboxes.iter().for_each(|mailbox| mailbox.send(Order::Resume));
        let end = self.now_ns();
        self.reveal(sealed);
        if let Some(cut) = cut {
            self.start_checkpoint(cut, passing.started_ns)?;
        }
        let stood_ns = passing.stood_ns.iter().filter(|at| **at > 0).map(|at| end - at);
        let pause = match self.epoch_interval_ns {
            Some(interval) => interval,
            // Half of the time is for whatever else there is to coordinate.
            None => pause_after(end - passing.started_ns, stood_ns).max(self.now_ns() - end),
        };
        self.next_epoch_ns = self.now_ns() + pause;
        Ok(())
    }

    pub(crate) fn publish(&mut self) {
        let sealed = self.seal();
        self.reveal(sealed);
    }

    /// This epoch's version of every table, which nobody reads yet.
    fn seal(&self) -> SealedEpoch {
        let cut = Cut { incarnation: self.shared.incarnation, epoch: self.epoch };
        let as_of_ms = self.shared.config.clock.now_ms();
        let tables = self.shared.tables.all();
        let sealed = |table: Arc<Table>| {
            let versions = table.seal(cut, as_of_ms);
            SealedTable { ends: table.note_ends(cut), versions, table }
        };
        SealedEpoch { cut, as_of_ms, tables: tables.into_iter().map(sealed).collect() }
    }

    /// Readers see the epoch.
    fn reveal(&mut self, sealed: SealedEpoch) {
        let SealedEpoch { cut, as_of_ms, tables: sealed } = sealed;
        let mut tables = HashMap::new();
        for SealedTable { table, versions, ends } in sealed {
            versions.into_iter().for_each(|(state, version)| state.reveal(version));
            table.note_progress(as_of_ms);
            tables.insert(table.def.path.clone(), PublishedTable::of(table, ends));
        }
        let positions = self.running.iter().flat_map(positions).collect();
        if planted("slow-reader-holds-epochs") && Arc::strong_count(&self.shared.published()) > 2 {
            return;
        }
        self.shared.published.send_replace(Arc::new(Published { cut, as_of_ms, tables, positions }));
    }
}

/// What of an epoch readers are going to see.
struct SealedEpoch {
    cut: Cut,
    as_of_ms: i64,
    tables: Vec<SealedTable>,
}

struct SealedTable {
    table: Arc<Table>,
    versions: Vec<SealedState>,
    /// Of its topic.
    ends: Vec<i64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    fn pause_ms(took_ms: u64, stood_ms: &[u64]) -> u64 {
        pause_after(took_ms * MS, stood_ms.iter().map(|ms| ms * MS)) / MS
    }

    #[test]
    fn epochs_take_a_twentieth_of_the_time() {
        assert_eq!(pause_ms(0, &[0]), 5);
        assert_eq!(pause_ms(1, &[1, 1]), 20);
        assert_eq!(pause_ms(60, &[50, 70]), 1_200);
        assert_eq!(pause_ms(60_000, &[60_000]), 10_000);
        assert_eq!(pause_ms(0, &[]), 5);
    }

    /// While a table is made over old rows, the barrier waits behind them, and the threads work on.
    #[test]
    fn an_epoch_that_waits_for_busy_threads_does_not_age_the_tables() {
        assert_eq!(pause_ms(60, &[0, 1]), 100);
        assert_eq!(pause_ms(60, &[10, 30]), 400);
    }
}
