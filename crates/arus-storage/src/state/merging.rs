//! Merges beside the checkpoints: a checkpoint never waits for one, and a later record names what came of it.
//!
//! Files that a merge reads stay named, hence on the disk, until a durable record names the merged one in their place; until
//! then nobody knows the merged file, and a merge that was cut short has left nothing but a file to remove. A damaged file
//! is never merged: its bad blocks would be gone without a trace. State whose owner is no longer in the catalog is left out;
//! once something was dropped all files are merged soon, unless they are large.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::thread::JoinHandle;

use arus_core::error::Code;
use arus_core::limits::STATE_DELTAS;
use arus_core::plan::Uid;
use arus_core::{Error, Result};

use super::store::{StateFileRef, StateStore};

/// Checkpoints after a failed merge before the next try: a full disk does not get room by being asked each second.
const PAUSE: u32 = 16;
/// Checkpoints between merges for something that was dropped.
const PURGE_PAUSE: u32 = 4;
/// More than that is not written again only because something was dropped: it goes when its file is merged with others.
const PURGE_BYTES: u64 = 256 << 20;

/// At most one merge at a time.
pub struct Merges {
    store: StateStore,
    worker: Worker,
    running: Option<Planned>,
    finished: Option<(Planned, StateFileRef)>,
    /// Files that cannot be read whole.
    damaged: BTreeSet<String>,
    pause: u32,
    /// Something was dropped whose state may still be in the files.
    purge: bool,
    /// Checkpoints until that is looked at again.
    purge_pause: u32,
}

/// Which files become which.
#[derive(Debug, Clone)]
struct Planned {
    inputs: Vec<StateFileRef>,
    /// They are all there is, so that deleted keys need no trace.
    full: bool,
    output: String,
    /// State of others has no owner any more; `None`: all of it stays.
    owned: Option<Arc<BTreeSet<Uid>>>,
}

enum Worker {
    Thread(MergeThread),
    /// In the caller's thread: what a simulator needs.
    Inline(Option<Outcome>),
}

type Outcome = Result<StateFileRef, Failed>;

struct Failed {
    error: Error,
    damaged: Vec<String>,
}

struct MergeThread {
    jobs: Option<SyncSender<Planned>>,
    outcomes: Receiver<Outcome>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Merges {
    /// With a thread of its own, which ends with the value.
    pub fn threaded(store: StateStore) -> Result<Self> {
        let (jobs, queue) = sync_channel::<Planned>(1);
        let (report, outcomes) = sync_channel(1);
        let stop = Arc::new(AtomicBool::new(false));
        let (own, stopped) = (store.clone(), stop.clone());
        let run = move || {
            for planned in queue {
                if report.send(merge(&own, &planned, &stopped)).is_err() {
                    return;
                }
            }
        };
        let thread = std::thread::Builder::new().name("arus-merge".into()).spawn(run);
        let thread = Some(thread.map_err(|e| Error::io("start", "the merge thread", e))?);
        Ok(Merges::new(store, Worker::Thread(MergeThread { jobs: Some(jobs), outcomes, stop, thread })))
    }

    /// Without a thread: a merge is done where it is started.
    pub fn inline(store: StateStore) -> Self {
        Merges::new(store, Worker::Inline(None))
    }

    fn new(store: StateStore, worker: Worker) -> Self {
        Merges {
            store,
            worker,
            running: None,
            finished: None,
            damaged: BTreeSet::new(),
            pause: 0,
            purge: false,
            purge_pause: 0,
        }
    }

    /// Puts a finished merge in the place of what it was made of. Until [`Merges::committed`] it does so again each time.
    pub fn apply(&mut self, files: &mut Vec<StateFileRef>) {
        self.poll();
        let Some((planned, merged)) = &self.finished else { return };
        let Some(at) = files.windows(planned.inputs.len()).position(|w| w == planned.inputs) else { return };
        files.splice(at..at + planned.inputs.len(), [merged.clone()]);
    }

    /// A record that is durable has taken something out of the catalog: its state is to go.
    pub fn dropped(&mut self) {
        self.purge = true;
    }

    /// The record that names these files is durable. Starts the next merge when one is due. `owned`: the uids of all that this
    /// record's catalog has, where they are known.
    pub fn committed(&mut self, files: &[StateFileRef], owned: impl FnOnce() -> Option<BTreeSet<Uid>>) {
        if self.finished.as_ref().is_some_and(|(_, merged)| files.contains(merged)) {
            self.finished = None;
        }
        self.poll();
        if self.running.is_some() || self.finished.is_some() {
            return;
        }
        if self.pause > 0 {
            self.pause -= 1;
            return;
        }
        let purge = self.purge_due(files);
        let whole = || Some(first_whole(files, &self.damaged)..files.len()).filter(|range| purge && !range.is_empty());
        let Some(range) = whole().or_else(|| choose(files, &self.damaged)) else { return };
        let owned = owned().map(Arc::new);
        let inputs = files[range.clone()].to_vec();
        let Some(cut) = inputs.last().map(|f| f.cut) else { return };
        match self.store.new_name(cut, "merge") {
            Ok(output) => self.start(Planned { inputs, full: range.start == 0, output, owned }),
            Err(error) => tracing::warn!(%error, "state files are merged later"),
        }
    }

    /// Whether all files are to be merged because something was dropped.
    fn purge_due(&mut self, files: &[StateFileRef]) -> bool {
        self.purge_pause = self.purge_pause.saturating_sub(1);
        if self.purge_pause > 0 || !std::mem::take(&mut self.purge) {
            return false;
        }
        self.purge_pause = PURGE_PAUSE;
        files.iter().map(|f| f.bytes).sum::<u64>() <= PURGE_BYTES
    }

    /// A file that nobody names yet and that has to stay all the same.
    pub fn output(&self) -> Option<&str> {
        let finished = self.finished.as_ref().map(|(planned, _)| planned);
        self.running.as_ref().or(finished).map(|planned| planned.output.as_str())
    }

    fn start(&mut self, planned: Planned) {
        let taken = match &mut self.worker {
            Worker::Thread(thread) => thread.jobs.as_ref().is_some_and(|jobs| jobs.try_send(planned.clone()).is_ok()),
            Worker::Inline(outcome) => {
                *outcome = Some(merge(&self.store, &planned, &AtomicBool::new(false)));
                true
            }
        };
        if taken {
            self.running = Some(planned);
        }
    }

    fn poll(&mut self) {
        let outcome = match &mut self.worker {
            Worker::Thread(thread) => match thread.outcomes.try_recv() {
                Ok(outcome) => Some(outcome),
                Err(TryRecvError::Empty) => None,
                Err(TryRecvError::Disconnected) => {
                    let error = Error::bug("the merge thread has ended");
                    self.running.is_some().then_some(Err(Failed { error, damaged: vec![] }))
                }
            },
            Worker::Inline(outcome) => outcome.take(),
        };
        match (outcome, self.running.is_some()) {
            (Some(Ok(merged)), true) => self.finished = self.running.take().map(|planned| (planned, merged)),
            (Some(Err(Failed { error, damaged })), _) => {
                tracing::warn!(%error, "state files could not be merged and stay as they are");
                self.damaged.extend(damaged);
                self.running = None;
                self.pause = PAUSE;
            }
            (Some(Ok(_)), false) | (None, _) => {}
        }
    }
}

impl Drop for MergeThread {
    fn drop(&mut self) {
        self.stop.store(true, Relaxed);
        self.jobs = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the merge thread has panicked");
        }
    }
}

fn merge(store: &StateStore, planned: &Planned, stop: &AtomicBool) -> Outcome {
    let owned = planned.owned.as_deref();
    store.merge_as(&planned.output, &planned.inputs, (planned.full, owned), stop).map_err(|error| {
        let suspects: &[StateFileRef] = if error.code() == Code::Corrupt { &planned.inputs } else { &[] };
        let damaged = suspects.iter().filter(|file| store.check(file).is_err()).map(|file| file.name.clone()).collect();
        Failed { error, damaged }
    })
}

/// Files before it cannot be merged.
fn first_whole(files: &[StateFileRef], damaged: &BTreeSet<String>) -> usize {
    files.iter().rposition(|f| damaged.contains(&f.name)).map_or(0, |at| at + 1)
}

/// The run of newest files that a merge takes once there are too many: as long as about as much is new as is written again,
/// so that a large old file is written seldom.
fn choose(files: &[StateFileRef], damaged: &BTreeSet<String>) -> Option<Range<usize>> {
    let first = first_whole(files, damaged);
    if files.len() - first <= STATE_DELTAS {
        return None;
    }
    let newer = |at: usize| files[at + 1..].iter().map(|f| f.bytes).sum::<u64>();
    let start = (first..files.len() - 2).find(|at| files[*at].bytes <= 2 * newer(*at));
    Some(start.unwrap_or(files.len() - 2)..files.len())
}

#[cfg(test)]
mod tests {
    use arus_core::read::Cut;

    use super::*;

    fn files(bytes: &[u64]) -> Vec<StateFileRef> {
        let file = |(i, bytes): (usize, &u64)| StateFileRef {
            name: i.to_string(),
            cut: Cut { incarnation: 1, epoch: i as u64 },
            full: false,
            bytes: *bytes,
            entries: 1,
        };
        bytes.iter().enumerate().map(file).collect()
    }

    #[test]
    fn a_large_old_file_is_written_seldom() {
        let none = BTreeSet::new();
        assert_eq!(choose(&files(&[100, 1, 1, 1, 1, 1, 1, 1]), &none), None);
        assert_eq!(choose(&files(&[100, 1, 1, 1, 1, 1, 1, 1, 1]), &none), Some(1..9));
        assert_eq!(choose(&files(&[100, 40, 10, 1, 1, 1, 1, 1, 1]), &none), Some(0..9));
        assert_eq!(choose(&files(&[10_000, 3_000, 900, 270, 80, 24, 7, 2, 0]), &none), Some(7..9));
        let damaged = BTreeSet::from(["3".to_string()]);
        assert_eq!(choose(&files(&[1; 12]), &damaged), None, "files up to the damaged one stay");
        assert_eq!(choose(&files(&[1; 13]), &damaged), Some(4..13));
        // Written again: each byte about as often as the logarithm of what there is.
        let (mut sizes, mut written) = (vec![], 0);
        for _ in 0..10_000 {
            sizes.push(1);
            if let Some(range) = choose(&files(&sizes), &none) {
                let merged = sizes[range.clone()].iter().sum();
                written += merged;
                sizes.splice(range, [merged]);
            }
            assert!(sizes.len() <= STATE_DELTAS + 1);
        }
        assert!(written < 10_000 * 10, "{written}");
    }
}
