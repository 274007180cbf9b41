//! The writing of checkpoints, on a thread of its own: state file, topics, manifest, one phase after the other.
//!
//! It reads the state files too, when a pipeline starts again. The manifest record is the commit point. A failure before it
//! abandons the checkpoint: its state goes back to the data thread, which puts it before the next one's. Merges run beside it
//! ([`Merges`]); what came of one is named by the next record.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, SyncSender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use arus_core::connector::SyncTask;
use arus_core::read::Cut;
use arus_core::{Error, Result, planted};
use arus_storage::log::{Partition, Topic};
use arus_storage::manifest::{Change, Checkpoint, Manifest, ManifestState, OutboxRef, PipelineCheckpoint};
use arus_storage::outbox::OutboxStore;
use arus_storage::state::{Merges, StateDelta, StateFileRef, StateStore};
use arus_storage::table::CutRows;

use crate::delivery::{NewOutbox, OutboxJob};
use crate::domain::Control;
use crate::owners::Owners;
use crate::restore::RestoredState;

/// A cut that is to become durable.
pub(crate) struct CheckpointJob {
    pub(crate) cut: Cut,
    pub(crate) as_of_ms: i64,
    pub(crate) state: StateDelta,
    /// What changed in tables, beside `state`.
    pub(crate) rows: Vec<CutRows>,
    /// By the catalog's id.
    pub(crate) pipelines: BTreeMap<u64, PipelineCheckpoint>,
    /// By topic id, of topics that pipelines write.
    pub(crate) markers: BTreeMap<u64, Vec<i64>>,
    /// By table id, when the rows of each keyed table last changed.
    pub(crate) changed: BTreeMap<u64, Cut>,
    /// What has to be synced up to its marker.
    pub(crate) pipeline_topics: Vec<Arc<Topic>>,
    /// Their synced ends are noted.
    pub(crate) client_topics: Vec<Arc<Topic>>,
    /// What connectors' writers have to do on their disks before the record.
    pub(crate) syncs: Vec<SyncTask>,
    pub(crate) outboxes: OutboxJob,
    pub(crate) catalog: Vec<Change>,
    /// What has state in this checkpoint has an id below.
    pub(crate) next_id: u64,
    /// What may go once the record stands.
    pub(crate) retention: Vec<Retention>,
    pub(crate) started_ns: u64,
}

/// What the thread is asked for.
pub(crate) enum Work {
    Checkpoint(Box<CheckpointJob>),
    /// The state of the last checkpoint, for pipelines that start again from it.
    Read,
}

/// What a partition keeps. Nothing that a pipeline has still to read goes.
pub(crate) struct Retention {
    pub(crate) partition: Arc<Partition>,
    pub(crate) time_ms: Option<i64>,
    pub(crate) bytes: Option<u64>,
    /// The lowest checkpointed position of its readers.
    pub(crate) floor: i64,
}

pub(crate) struct CheckpointDone {
    pub(crate) cut: Cut,
    pub(crate) markers: BTreeMap<u64, Vec<i64>>,
    pub(crate) started_ns: u64,
    /// The new outboxes that the record lists.
    pub(crate) outcome: Result<Vec<OutboxRef>, Abandoned>,
}

pub(crate) struct Abandoned {
    pub(crate) error: Error,
    pub(crate) state: StateDelta,
    pub(crate) outboxes: Vec<NewOutbox>,
    /// A sync has failed: whether the record stands is in doubt, so the server stops and recovery decides.
    pub(crate) in_doubt: bool,
}

/// What is to be done once, right after the next record: until it returns no file that the manifest names goes away.
#[derive(Clone, Default)]
pub(crate) struct AfterRecord(Arc<Mutex<Vec<Deed>>>);

type Deed = Box<dyn FnOnce(&ManifestState) + Send>;

impl AfterRecord {
    pub(crate) fn push(&self, deed: impl FnOnce(&ManifestState) + Send + 'static) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(Box::new(deed));
    }

    fn run(&self, state: &ManifestState) {
        let deeds = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        deeds.into_iter().for_each(|deed| deed(state));
    }
}

/// The writer of checkpoints with its queue: a thread's work, or a simulator's, turn by turn.
pub(crate) struct CheckpointTask {
    writer: Writer,
    jobs: Receiver<Work>,
    done: SyncSender<Control>,
}

impl CheckpointTask {
    pub(crate) fn new(
        manifest: Manifest,
        store: StateStore,
        outboxes: OutboxStore,
        jobs: Receiver<Work>,
        done: SyncSender<Control>,
        (after_record, owners): (AfterRecord, Owners),
        threaded: bool,
    ) -> Result<CheckpointTask> {
        let merges = if threaded { Merges::threaded(store.clone())? } else { Merges::inline(store.clone()) };
        Ok(CheckpointTask { writer: Writer::new(manifest, store, outboxes, merges, after_record, owners), jobs, done })
    }

    /// Runs it on a thread of its own, which ends when the queue does.
    pub(crate) fn spawn(mut self) -> Result<JoinHandle<()>> {
        std::thread::Builder::new()
            .name("arus-checkpoint".into())
            .spawn(move || {
                while let Ok(work) = self.jobs.recv() {
                    self.begin(work);
                    while self.writer.current.is_some() {
                        self.advance();
                    }
                }
            })
            .map_err(|e| Error::io("start", "the checkpoint thread", e))
    }

    /// One phase of what is being written, or the begin of what waits; whether there was anything to do.
    pub(crate) fn turn(&mut self) -> bool {
        if self.writer.current.is_some() {
            self.advance();
            return true;
        }
        let work = self.jobs.try_recv();
        work.map(|work| self.begin(work)).is_ok()
    }

    fn begin(&mut self, work: Work) {
        match work {
            Work::Checkpoint(job) => self.writer.begin(*job),
            Work::Read => self.report(Control::StateRead(RestoredState::read(&self.writer.store, &self.writer.files))),
        }
    }

    fn advance(&mut self) {
        if let Some(done) = self.writer.advance() {
            self.report(Control::CheckpointDone(Box::new(done)));
        }
    }

    fn report(&self, report: Control) {
        if self.done.send(report).is_err() {
            tracing::debug!("the data thread has ended");
        }
    }
}

struct Writer {
    manifest: Manifest,
    store: StateStore,
    outboxes: OutboxStore,
    merges: Merges,
    files: Vec<StateFileRef>,
    after_record: AfterRecord,
    owners: Owners,
    current: Option<Current>,
}

/// A checkpoint that is being written.
struct Current {
    job: CheckpointJob,
    phase: Phase,
    /// What its record will name.
    files: Vec<StateFileRef>,
    /// Those of this checkpoint.
    outboxes: Vec<OutboxRef>,
}

#[derive(Clone, Copy)]
enum Phase {
    /// What connectors' writers have to sync.
    Sinks,
    /// The file with what has changed, and the rows of sinks that have an outbox.
    State,
    /// The topics that pipelines write, up to their markers.
    Topics,
    /// The manifest: the commit.
    Record,
    /// What nobody needs any more goes.
    Clean,
}

/// Why a checkpoint was abandoned, and whether its record is in doubt.
struct Failed(Error, bool);

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Failed(error, false)
    }
}

impl Writer {
    fn new(
        manifest: Manifest,
        store: StateStore,
        outboxes: OutboxStore,
        merges: Merges,
        after_record: AfterRecord,
        owners: Owners,
    ) -> Self {
        let files = manifest.state().checkpoint.as_ref().map(|c| c.files.clone()).unwrap_or_default();
        Writer { manifest, store, outboxes, merges, files, after_record, owners, current: None }
    }

    fn begin(&mut self, mut job: CheckpointJob) {
        std::mem::take(&mut job.rows).into_iter().for_each(|rows| rows.put(&mut job.state));
        self.current = Some(Current { job, phase: Phase::Sinks, files: self.files.clone(), outboxes: vec![] });
    }

    /// Does the next phase; after the last one, what has become of the checkpoint.
    fn advance(&mut self) -> Option<CheckpointDone> {
        let mut current = self.current.take()?;
        let outcome = match self.phase(&mut current) {
            Ok(Some(next)) => {
                current.phase = next;
                self.current = Some(current);
                return None;
            }
            Ok(None) => Ok(current.outboxes),
            Err(Failed(error, in_doubt)) => {
                let outboxes = current.job.outboxes.new;
                Err(Abandoned { error, state: current.job.state, outboxes, in_doubt })
            }
        };
        let CheckpointJob { cut, markers, started_ns, .. } = current.job;
        Some(CheckpointDone { cut, markers, started_ns, outcome })
    }

    fn phase(&mut self, current: &mut Current) -> Result<Option<Phase>, Failed> {
        let Current { job, phase, files, outboxes } = current;
        Ok(Some(match phase {
            Phase::Sinks => {
                // A failed sync is not tried again: recovery decides what is there.
                std::mem::take(&mut job.syncs).into_iter().try_for_each(|sync| sync()).map_err(|e| Failed(e, true))?;
                Phase::State
            }
            Phase::State => {
                self.merges.apply(files);
                if !job.state.is_empty() {
                    files.push(self.store.write_delta(job.cut, &job.state)?);
                }
                for new in &job.outboxes.new {
                    outboxes.push(self.outboxes.write(new.owner, job.cut, &new.schema, &new.rows)?);
                }
                if !outboxes.is_empty() {
                    self.outboxes.sync()?;
                }
                Phase::Topics
            }
            Phase::Topics => {
                job.pipeline_topics.iter().try_for_each(|topic| topic.sync())?;
                Phase::Record
            }
            Phase::Record => {
                self.record(job, files, outboxes)?;
                Phase::Clean
            }
            Phase::Clean => {
                self.clean(std::mem::take(&mut job.retention), &listed(job, outboxes));
                return Ok(None);
            }
        }))
    }

    fn record(&mut self, job: &mut CheckpointJob, files: &[StateFileRef], new: &[OutboxRef]) -> Result<(), Failed> {
        let checkpoint = Checkpoint {
            cut: job.cut,
            as_of_ms: job.as_of_ms,
            pipelines: std::mem::take(&mut job.pipelines),
            markers: job.markers.clone(),
            synced: job.client_topics.iter().map(|t| (t.id(), t.synced_ends())).collect(),
            changed: std::mem::take(&mut job.changed),
            files: files.to_vec(),
            outboxes: if planted("outbox-not-listed") { vec![] } else { listed(job, new) },
            marks: std::mem::take(&mut job.outboxes.marks),
            next_id: job.next_id,
        };
        if planted("checkpoint-in-two-parts") {
            let part = Checkpoint { files: self.files.clone(), ..checkpoint.clone() };
            self.manifest.append(&[Change::Checkpoint(Box::new(part))])?;
        }
        let mut changes = std::mem::take(&mut job.catalog);
        changes.push(Change::Checkpoint(Box::new(checkpoint)));
        self.manifest.append(&changes).map_err(|e| Failed(e, self.manifest.failure().is_some()))?;
        if self.owners.recorded(&changes) {
            self.merges.dropped();
        }
        self.files = files.to_vec();
        Ok(())
    }

    fn clean(&mut self, retention: Vec<Retention>, outboxes: &[OutboxRef]) {
        for r in retention {
            if let Err(e) = r.partition.retain(r.time_ms, r.bytes, r.floor) {
                tracing::warn!("old segments stay until the next try: {e}");
            }
        }
        self.after_record.run(self.manifest.state());
        if let Err(e) = self.store.remove_unreferenced(&self.files, self.merges.output()) {
            tracing::warn!("old state files stay until the next checkpoint: {e}");
        }
        if let Err(e) = self.outboxes.remove_unreferenced(outboxes) {
            tracing::warn!("delivered outboxes stay until the next checkpoint: {e}");
        }
        self.merges.committed(&self.files, || self.owners.of(self.manifest.state()));
        if planted("merged-before-named") {
            let mut files = self.files.clone();
            self.merges.apply(&mut files);
            if let Err(e) = self.store.remove_unreferenced(&files, None) {
                tracing::warn!("old state files stay: {e}");
            }
        }
    }
}

/// Every outbox that is not delivered, oldest first.
fn listed(job: &CheckpointJob, new: &[OutboxRef]) -> Vec<OutboxRef> {
    let listed = job.outboxes.listed.iter().filter(|_| !planted("outbox-dropped-early"));
    listed.chain(new).cloned().collect()
}
