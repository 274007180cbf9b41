//! The embedded log: topics of partitions of segments that hold Kafka record batches v2.
//!
//! An acknowledged record is a synced one: append, then [`Partition::wait_synced`]. One thread syncs every partition that
//! was written since its last turn, so that appends of many clients share a sync. Opened without that thread (simulator),
//! [`Log::sync_all`] does its work. Formats: docs/formats/log.md.

mod carried;
mod damage;
#[cfg(test)]
mod fault_tests;
pub(crate) mod inspect;
mod partition;
mod pinned;
#[cfg(test)]
mod producer_tests;
mod producers;
mod read;
mod record_batch;
mod records;
mod recovery;
mod scan;
mod segment;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;

use arus_core::clock::SharedClock;
use arus_core::fs::SharedFs;
use arus_core::limits::SEGMENT_BYTES;
use arus_core::{Error, Result};

pub use damage::Damage;
pub use partition::{Appended, Partition, ReadUpTo, SyncState};
pub use record_batch::{BatchBuilder, BatchFault, BatchHeader, Compression, IDEMPOTENCY_HEADER};
pub use records::{decode_batches, record_headers};
pub use recovery::KnownEnd;

use crate::locked;
use partition::Place;

/// Told once, with the reason, when a sync has failed: the server has to stop.
pub type OnFailure = Arc<dyn Fn(&Error) + Send + Sync>;

#[derive(Clone)]
pub struct LogOptions {
    pub segment_bytes: u64,
    /// Whether a thread syncs; without it somebody has to call [`Log::sync_all`].
    pub threaded: bool,
    pub on_failure: Option<OnFailure>,
}

impl Default for LogOptions {
    fn default() -> Self {
        LogOptions { segment_bytes: SEGMENT_BYTES, threaded: true, on_failure: None }
    }
}

/// Partitions that wait for a sync.
pub(crate) struct SyncQueue {
    waiting: Mutex<Waiting>,
    wake: Condvar,
    pub(crate) threaded: bool,
    on_failure: Option<OnFailure>,
}

#[derive(Default)]
struct Waiting {
    partitions: Vec<Arc<Partition>>,
    stop: bool,
    failure: Option<String>,
}

impl SyncQueue {
    pub(crate) fn push(&self, partition: Arc<Partition>) {
        locked(&self.waiting).partitions.push(partition);
        self.wake.notify_one();
    }

    /// The first failure is the one that is told.
    pub(crate) fn fail(&self, error: &Error) {
        let first = locked(&self.waiting).failure.replace(error.to_string()).is_none();
        tracing::error!(%error, "the log cannot be written any more, the server has to stop");
        if first && let Some(on_failure) = &self.on_failure {
            on_failure(error);
        }
    }

    /// Waits for partitions; `None` when the log is closed and nothing waits any more.
    fn next(&self) -> Option<Vec<Arc<Partition>>> {
        let mut waiting = locked(&self.waiting);
        loop {
            if !waiting.partitions.is_empty() {
                return Some(std::mem::take(&mut waiting.partitions));
            }
            if waiting.stop {
                return None;
            }
            waiting = self.wake.wait(waiting).unwrap_or_else(std::sync::PoisonError::into_inner);
        }
    }
}

pub struct Log {
    fs: SharedFs,
    clock: SharedClock,
    dir: PathBuf,
    options: LogOptions,
    queue: Arc<SyncQueue>,
    topics: Mutex<BTreeMap<u64, Arc<Topic>>>,
    thread: Option<JoinHandle<()>>,
}

pub struct Topic {
    id: u64,
    name: String,
    partitions: Vec<Arc<Partition>>,
}

impl Topic {
    pub fn id(&self) -> u64 {
        self.id
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn partitions(&self) -> &[Arc<Partition>] {
        &self.partitions
    }

    pub fn partition(&self, number: u32) -> Option<&Arc<Partition>> {
        self.partitions.get(number as usize)
    }

    /// Syncs all partitions, in the caller's thread.
    pub fn sync(&self) -> Result<()> {
        self.partitions.iter().try_for_each(|p| p.sync())
    }

    /// What a checkpoint notes: the durable end of each partition.
    pub fn synced_ends(&self) -> Vec<i64> {
        self.partitions.iter().map(|p| p.synced_end()).collect()
    }

    /// The end of each partition: markers, when a pipeline has just written its epoch.
    pub fn ends(&self) -> Vec<i64> {
        self.partitions.iter().map(|p| p.end_offset()).collect()
    }

    /// Takes back what its pipeline wrote after these markers, while nobody writes or reads beyond them.
    pub fn cut(&self, markers: &[i64]) -> Result<()> {
        self.partitions.iter().zip(markers).try_for_each(|(partition, marker)| partition.cut(*marker))
    }

    pub fn bytes(&self) -> u64 {
        self.partitions.iter().map(|p| p.bytes()).sum()
    }
}

impl Log {
    /// `dir` is the folder of all topics.
    pub fn open(fs: SharedFs, clock: SharedClock, dir: &Path, options: LogOptions) -> Result<Self> {
        fs.create_dir_all(dir).map_err(|e| Error::io("create", dir.display(), e))?;
        let queue = Arc::new(SyncQueue {
            waiting: Mutex::default(),
            wake: Condvar::new(),
            threaded: options.threaded,
            on_failure: options.on_failure.clone(),
        });
        let thread = if options.threaded {
            let queue = queue.clone();
            let run = move || {
                while let Some(partitions) = queue.next() {
                    for partition in partitions {
                        // A failure has poisoned the partition and told the engine; a dropped topic has none.
                        if let Err(error) = partition.sync() {
                            tracing::debug!(%error, "sync of the log");
                        }
                    }
                }
            };
            let spawned = std::thread::Builder::new().name("arus-log-sync".into()).spawn(run);
            Some(spawned.map_err(|e| Error::io("start the thread that syncs", dir.display(), e))?)
        } else {
            None
        };
        Ok(Log { fs, clock, dir: dir.to_path_buf(), options, queue, topics: Mutex::default(), thread })
    }

    /// A new topic with empty partitions, its folders synced. A folder that an abandoned CREATE has left is replaced.
    pub fn create_topic(&self, id: u64, name: &str, partitions: u32) -> Result<Arc<Topic>> {
        let dir = self.topic_dir(id);
        let io = |action: &'static str| move |e| Error::io(action, format!("topic {name}"), e);
        if self.fs.exists(&dir).map_err(io("look for"))? {
            self.fs.remove_dir_all(&dir).map_err(io("replace the left-over folder of"))?;
        }
        self.open_topic(id, name, &vec![KnownEnd::Client(0); partitions as usize])
    }

    /// Recovers a topic by what the manifest says of each partition. Damage is logged and kept in [`Partition::damages`].
    pub fn open_topic(&self, id: u64, name: &str, known: &[KnownEnd]) -> Result<Arc<Topic>> {
        let mut partitions = vec![];
        for (number, known) in known.iter().enumerate() {
            let place = Place {
                fs: self.fs.clone(),
                clock: self.clock.clone(),
                name: name.to_string(),
                topic: id,
                number: number as u32,
                dir: self.topic_dir(id).join(number.to_string()),
                segment_bytes: self.options.segment_bytes,
            };
            let inner = recovery::recover(&place, *known)?;
            partitions.push(Arc::new(Partition::new(place, inner, self.queue.clone())));
        }
        let topic = Arc::new(Topic { id, name: name.to_string(), partitions });
        locked(&self.topics).insert(id, topic.clone());
        Ok(topic)
    }

    pub fn topic(&self, id: u64) -> Option<Arc<Topic>> {
        locked(&self.topics).get(&id).cloned()
    }

    pub fn topics(&self) -> Vec<Arc<Topic>> {
        locked(&self.topics).values().cloned().collect()
    }

    /// Removes the topic's files. Call it when the manifest no longer names it.
    pub fn drop_topic(&self, id: u64) -> Result<()> {
        let dropped = locked(&self.topics).remove(&id);
        dropped.iter().flat_map(|topic| topic.partitions()).for_each(|partition| partition.close());
        self.remove_dir(&self.topic_dir(id))
    }

    /// Removes folders of topics that are not open: an abandoned CREATE, or a DROP that was cut short.
    pub fn remove_unknown(&self) -> Result<()> {
        let entries = self.fs.list(&self.dir).map_err(|e| Error::io("list", self.dir.display(), e))?;
        for entry in entries.into_iter().filter(|e| e.is_dir) {
            let id = entry.path.file_name().and_then(|n| n.to_str()).and_then(|n| n.parse::<u64>().ok());
            if let Some(id) = id
                && self.topic(id).is_none()
            {
                self.remove_dir(&entry.path)?;
            }
        }
        Ok(())
    }

    fn remove_dir(&self, dir: &Path) -> Result<()> {
        let removed = self.fs.remove_dir_all(dir).and_then(|()| self.fs.sync_dir(&self.dir));
        removed.map_err(|e| Error::io("remove", dir.display(), e))
    }

    fn topic_dir(&self, id: u64) -> PathBuf {
        self.dir.join(id.to_string())
    }

    /// Syncs everything that waits, in the caller's thread. An error once any sync has failed.
    pub fn sync_all(&self) -> Result<()> {
        let waiting = std::mem::take(&mut locked(&self.queue.waiting).partitions);
        let mut result = Ok(());
        for partition in waiting {
            if !partition.is_dropped() {
                result = result.and(partition.sync());
            }
        }
        match self.failure() {
            Some(reason) => Err(Error::external(reason)),
            None => result,
        }
    }

    /// Why the server has to stop, once a sync has failed.
    pub fn failure(&self) -> Option<String> {
        locked(&self.queue.waiting).failure.clone()
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        locked(&self.queue.waiting).stop = true;
        self.queue.wake.notify_all();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread that syncs the log has panicked");
        }
    }
}
