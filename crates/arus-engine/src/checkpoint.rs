//! The writing of checkpoints, on a thread of its own: state file, topics, manifest.
//!
//! It reads the state files too, when a pipeline starts again. The manifest record is the commit point. A failure before it abandons the checkpoint: its state goes back to the
//! data thread, which puts it before the next one's.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender};
use std::thread::JoinHandle;

use arus_core::connector::SyncTask;
use arus_core::read::Cut;
use arus_core::{Error, Result};
use arus_storage::log::{Partition, Topic};
use arus_storage::manifest::{Change, Checkpoint, Manifest, PipelineCheckpoint};
use arus_storage::state::{StateDelta, StateFileRef, StateStore};

use crate::domain::Control;
use crate::restore::RestoredState;

/// A cut that is to become durable.
pub(crate) struct CheckpointJob {
    pub(crate) cut: Cut,
    pub(crate) as_of_ms: i64,
    pub(crate) state: StateDelta,
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
    pub(crate) catalog: Vec<Change>,
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
    pub(crate) outcome: Result<(), Abandoned>,
}

pub(crate) struct Abandoned {
    pub(crate) error: Error,
    pub(crate) state: StateDelta,
    /// A sync has failed: whether the record stands is in doubt, so the server stops and recovery decides.
    pub(crate) in_doubt: bool,
}

struct Writer {
    manifest: Manifest,
    store: StateStore,
    files: Vec<StateFileRef>,
}

/// Starts the thread; it ends when its queue does.
pub(crate) fn spawn(
    manifest: Manifest,
    store: StateStore,
    jobs: Receiver<Work>,
    done: SyncSender<Control>,
) -> Result<JoinHandle<()>> {
    let files = manifest.state().checkpoint.as_ref().map(|c| c.files.clone()).unwrap_or_default();
    let mut writer = Writer { manifest, store, files };
    std::thread::Builder::new()
        .name("arus-checkpoint".into())
        .spawn(move || {
            for work in jobs {
                let report = match work {
                    Work::Checkpoint(job) => Control::CheckpointDone(Box::new(writer.run(*job))),
                    Work::Read => Control::StateRead(RestoredState::read(&writer.store, &writer.files)),
                };
                if done.send(report).is_err() {
                    return;
                }
            }
        })
        .map_err(|e| Error::io("start", "the checkpoint thread", e))
}

impl Writer {
    fn run(&mut self, job: CheckpointJob) -> CheckpointDone {
        let (cut, started_ns, markers) = (job.cut, job.started_ns, job.markers.clone());
        let outcome = self.commit(job);
        CheckpointDone { cut, markers, started_ns, outcome }
    }

    fn commit(&mut self, mut job: CheckpointJob) -> Result<(), Abandoned> {
        for sync in std::mem::take(&mut job.syncs) {
            // A failed sync is not tried again: recovery decides what is there.
            if let Err(error) = sync() {
                return Err(Abandoned { error, state: job.state, in_doubt: true });
            }
        }
        let files = match self.write_files(&job) {
            Ok(files) => files,
            Err(error) => return Err(Abandoned { error, state: job.state, in_doubt: false }),
        };
        let checkpoint = Checkpoint {
            cut: job.cut,
            as_of_ms: job.as_of_ms,
            pipelines: job.pipelines,
            markers: job.markers,
            synced: job.client_topics.iter().map(|t| (t.id(), t.synced_ends())).collect(),
            changed: job.changed,
            files: files.clone(),
            outboxes: vec![],
        };
        let mut changes = job.catalog;
        changes.push(Change::Checkpoint(Box::new(checkpoint)));
        if let Err(error) = self.manifest.append(&changes) {
            let in_doubt = self.manifest.failure().is_some();
            return Err(Abandoned { error, state: job.state, in_doubt });
        }
        self.files = files;
        for r in job.retention {
            if let Err(e) = r.partition.retain(r.time_ms, r.bytes, r.floor) {
                tracing::warn!("old segments stay until the next try: {e}");
            }
        }
        if let Err(e) = self.store.remove_unreferenced(&self.files) {
            tracing::warn!("old state files stay until the next checkpoint: {e}");
        }
        Ok(())
    }

    /// The files that the record will name.
    fn write_files(&mut self, job: &CheckpointJob) -> Result<Vec<StateFileRef>> {
        let mut files = self.files.clone();
        if !job.state.is_empty() {
            files.push(self.store.write_delta(job.cut, &job.state)?);
        }
        for topic in &job.pipeline_topics {
            topic.sync()?;
        }
        if StateStore::merge_due(&files) {
            files = vec![self.store.merge(&files, true)?];
        }
        Ok(files)
    }
}
