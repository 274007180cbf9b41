//! The data thread: runs every pipeline, makes epochs, starts checkpoints.
//!
//! Nothing here waits for a disk or a client. Statements reach it by [`Control`]; what readers see leaves it as
//! [`Published`]. All pipelines share one stream of barriers.

mod restart;
mod retention;
mod suspend;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender};
use std::time::Duration;

use arus_core::limits::BATCH_ROWS;
use arus_core::read::Cut;
use arus_core::settings::{CHECKPOINT_INTERVAL, EPOCH_INTERVAL, Settings};
use arus_core::{Error, Result};
use arus_storage::manifest::{Change, Checkpoint as ManifestCheckpoint, PipelineCheckpoint};
use arus_storage::state::StateDelta;
use arus_stream::{Budget, Checkpoint, Pipeline, PipelineRestore};
use tokio::sync::oneshot;

use crate::checkpoint::{CheckpointDone, CheckpointJob, Work};
use crate::ddl::MATERIALIZED;
use crate::io::EngineIo;
use crate::jobs::{Job, JobKind, JobStatus};
use crate::published::{Durable, Published, PublishedTable};
use crate::restore::RestoredState;
use crate::shared::Shared;
use crate::tables::Writer;
use restart::{Positions, Restarts, reason_of};
use retention::positions;

/// Rows and time of one turn of a pipeline: short enough that its neighbours do not wait.
const TURN: Budget = Budget { rows: 4 * BATCH_ROWS, ns: 5_000_000 };
/// An epoch waits for this long after the last row, so that a burst is one epoch.
const EPOCH_QUIET_NS: u64 = 5_000_000;
/// Epochs take at most a twentieth of the time.
const EPOCH_SHARE: u64 = 20;
/// How long an idle source is left alone.
const IDLE_POLL: Duration = Duration::from_millis(5);
/// A reader of a pipeline's topic that is not at the marker after this long takes the barrier where it stands.
const PATIENCE_NS: u64 = 100_000_000;

pub(crate) type Reply = oneshot::Sender<Result<()>>;

pub(crate) enum Control {
    /// Something was appended.
    Wake,
    /// Runs a pipeline; the reply comes when the record with `changes` and its start positions is durable.
    Start {
        id: u64,
        job: Arc<Job>,
        changes: Vec<Change>,
        reply: Reply,
    },
    /// Stops a pipeline at the barrier of the checkpoint that carries `changes`.
    Stop {
        job: Arc<Job>,
        changes: Vec<Change>,
        reply: Reply,
    },
    /// Suspends a pipeline at the barrier of the checkpoint that carries `changes`.
    Suspend {
        job: Arc<Job>,
        changes: Vec<Change>,
        reply: Reply,
    },
    /// Starts a suspended pipeline again from the last checkpoint.
    Resume {
        id: u64,
        job: Arc<Job>,
        changes: Vec<Change>,
        reply: Reply,
    },
    /// Ends the input of a pipeline where it is.
    Drain {
        job: Arc<Job>,
        reply: Reply,
    },
    /// A change of the catalog alone.
    Catalog {
        changes: Vec<Change>,
        reply: Reply,
    },
    CheckpointDone(Box<CheckpointDone>),
    /// What pipelines that failed start again from.
    StateRead(Result<RestoredState>),
    /// A last checkpoint, then the end.
    Shutdown {
        reply: Reply,
    },
}

struct Running {
    id: u64,
    job: Arc<Job>,
    pipeline: Pipeline,
    /// Whether it reads a topic that another pipeline writes.
    reads_pipeline_topics: bool,
}

/// A checkpoint that is being written.
struct InFlight {
    replies: Vec<Reply>,
    /// What each source is told when it is durable.
    cuts: Vec<(u64, Checkpoint)>,
    ends_server: bool,
}

pub(crate) struct Domain {
    shared: Arc<Shared>,
    control: Receiver<Control>,
    checkpoints: SyncSender<Work>,
    running: Vec<Running>,
    epoch: u64,
    /// Rows moved or were appended since the last epoch.
    moved: bool,
    /// Something changed since the last checkpoint.
    changed: bool,
    last_moved_ns: u64,
    next_epoch_ns: u64,
    last_checkpoint_ns: u64,
    writing: Option<InFlight>,
    /// State of abandoned checkpoints: it goes before the next one's.
    carried: StateDelta,
    /// The last cut of every pipeline that is in the catalog, failed ones included.
    records: BTreeMap<u64, PipelineCheckpoint>,
    markers: BTreeMap<u64, Vec<i64>>,
    /// By table id, when the rows of each keyed table last changed, as of the last checkpoint.
    last_changes: BTreeMap<u64, Cut>,
    /// Waits for the next checkpoint.
    changes: Vec<Change>,
    replies: Vec<Reply>,
    shutdown: bool,
    epoch_interval_ns: Option<u64>,
    checkpoint_interval_ns: u64,
    next_retention_ns: u64,
    /// What happened in this turn, taken care of at its end.
    failed: Vec<(u64, Error)>,
    restarts: Restarts,
    /// Pipelines that stand still after the next cut.
    suspending: Vec<u64>,
}

impl Domain {
    pub(crate) fn new(
        shared: Arc<Shared>,
        control: Receiver<Control>,
        checkpoints: SyncSender<Work>,
        epoch: u64,
    ) -> Result<Self> {
        let settings = Settings::default();
        let epoch_interval_ns = match settings.get(EPOCH_INTERVAL) {
            "auto" => None,
            _ => Some(settings.duration_ms(EPOCH_INTERVAL)? as u64 * 1_000_000),
        };
        Ok(Domain {
            control,
            checkpoints,
            running: vec![],
            epoch,
            moved: true,
            changed: true,
            last_moved_ns: 0,
            next_epoch_ns: 0,
            last_checkpoint_ns: shared.config.clock.monotonic_ns(),
            writing: None,
            carried: StateDelta::default(),
            records: BTreeMap::new(),
            markers: BTreeMap::new(),
            last_changes: BTreeMap::new(),
            changes: vec![],
            replies: vec![],
            shutdown: false,
            epoch_interval_ns,
            checkpoint_interval_ns: settings.duration_ms(CHECKPOINT_INTERVAL)? as u64 * 1_000_000,
            next_retention_ns: 0,
            failed: vec![],
            restarts: Restarts::default(),
            suspending: vec![],
            shared,
        })
    }

    /// Takes a pipeline back from a checkpoint, before the thread runs.
    pub(crate) fn restore(&mut self, id: u64, job: Arc<Job>, cut: &Checkpoint, state: &RestoredState) {
        let restore = PipelineRestore { checkpoint: cut, state };
        if let Err(e) = self.add(id, job.clone(), Some(restore)) {
            self.went_down(id, &job, Positions::new(), &e);
        }
    }

    /// Takes over what the last checkpoint says.
    pub(crate) fn adopt(&mut self, checkpoint: ManifestCheckpoint) {
        self.records = checkpoint.pipelines;
        self.markers = checkpoint.markers;
        self.last_changes = checkpoint.changed;
    }

    /// The thread's loop.
    pub(crate) fn run(mut self) {
        while self.turn() {}
    }

    /// Everything that is due once; `false` at the end.
    fn turn(&mut self) -> bool {
        if !self.receive() {
            return false;
        }
        self.restart_due();
        if self.step() {
            self.moved = true;
            self.last_moved_ns = self.now_ns();
        }
        let checkpoint = self.checkpoint_due();
        if (checkpoint || self.epoch_due())
            && let Err(e) = self.make_epoch(checkpoint)
        {
            self.shared.fail(&e);
            return false;
        }
        true
    }

    fn now_ns(&self) -> u64 {
        self.shared.config.clock.monotonic_ns()
    }

    // ---- control ---------------------------------------------------------------------------------------

    /// Takes what came; waits for it when there is nothing else to do.
    fn receive(&mut self) -> bool {
        let mut wait = self.wait();
        loop {
            let message = match self.control.recv_timeout(wait) {
                Ok(message) => message,
                Err(RecvTimeoutError::Timeout) => return true,
                Err(RecvTimeoutError::Disconnected) => return false,
            };
            wait = Duration::ZERO;
            if !self.handle(message) {
                return false;
            }
        }
    }

    fn wait(&self) -> Duration {
        let now = self.now_ns();
        if self.last_moved_ns + 1_000_000 > now && !self.running.is_empty() {
            return Duration::ZERO;
        }
        let idle = if self.running.is_empty() { Duration::from_millis(100) } else { IDLE_POLL };
        if self.moved {
            return idle.min(Duration::from_nanos(self.next_epoch_ns.saturating_sub(now).max(200_000)));
        }
        idle
    }

    fn handle(&mut self, message: Control) -> bool {
        match message {
            Control::Wake => {
                self.moved = true;
                self.changed = true;
            }
            Control::Start { id, job, changes, reply } => {
                self.note_starts(&job);
                match self.add(id, job.clone(), None) {
                    Ok(()) => self.request_checkpoint(changes, reply),
                    Err(e) => {
                        job.status.send_replace(JobStatus::Failed(reason_of(&e)));
                        answer(reply, Err(Error::user(reason_of(&e))));
                    }
                }
            }
            Control::Stop { job, changes, reply } => {
                self.running.retain(|r| !Arc::ptr_eq(&r.job, &job));
                self.restarts.forget(&job);
                if let Some(item) = &job.spec.item {
                    self.records.remove(&item.id);
                }
                job.status.send_if_modified(|status| {
                    let alive = status.is_alive();
                    if alive {
                        *status = JobStatus::Stopped;
                    }
                    alive
                });
                self.request_checkpoint(changes, reply);
            }
            Control::Suspend { job, changes, reply } => self.suspend(&job, changes, reply),
            Control::Resume { id, job, changes, reply } => self.resume(id, &job, changes, reply),
            Control::Drain { job, reply } => self.drain(&job, reply),
            Control::Catalog { changes, reply } => self.request_checkpoint(changes, reply),
            Control::CheckpointDone(done) => return self.checkpoint_done(*done),
            Control::StateRead(state) => self.restart(state),
            Control::Shutdown { reply } => {
                self.shutdown = true;
                self.request_checkpoint(vec![], reply);
            }
        }
        true
    }

    fn request_checkpoint(&mut self, changes: Vec<Change>, reply: Reply) {
        self.changes.extend(changes);
        self.replies.push(reply);
    }

    fn add(&mut self, id: u64, job: Arc<Job>, restore: Option<PipelineRestore<'_>>) -> Result<()> {
        let io = EngineIo::new(self.shared.clone(), job.clone());
        let settings = self.shared.pipeline_settings(&job.spec.settings)?;
        let pipeline = Pipeline::build(&job.spec.plan, &io, settings, restore)?;
        *job.stats.lock().expect("no holder of this lock panics") = Some(pipeline.stats());
        let reads_pipeline_topics = job.spec.sources.iter().any(|source| {
            self.shared.tables.get(source).is_some_and(|t| t.topic().is_some() && t.is_written_by_pipeline())
        });
        self.running.push(Running { id, job, pipeline, reads_pipeline_topics });
        self.order();
        Ok(())
    }

    /// Writers before their readers, so that a barrier meets them in the order of the data.
    fn order(&mut self) {
        let mut rest = std::mem::take(&mut self.running);
        while !rest.is_empty() {
            let next = rest.iter().position(|r| {
                !rest.iter().any(|w| {
                    !Arc::ptr_eq(&w.job, &r.job) && w.job.spec.targets.iter().any(|t| r.job.spec.sources.contains(t))
                })
            });
            // The plan refuses cycles; were there one, any order does.
            self.running.push(rest.remove(next.unwrap_or(0)));
        }
    }

    // ---- work ------------------------------------------------------------------------------------------

    /// One turn of every pipeline; whether anything moved.
    fn step(&mut self) -> bool {
        let mut moved = false;
        let mut ended = false;
        for running in &mut self.running {
            if running.job.status() != JobStatus::Running {
                continue;
            }
            match running.pipeline.step(TURN) {
                Ok(report) => {
                    moved |= report.moved;
                    ended |= report.ended;
                    self.changed |= running.pipeline.wants_checkpoint();
                }
                Err(e) => self.failed.push((running.id, e)),
            }
        }
        self.take_down();
        self.changed |= moved;
        // A pipeline whose sources have ended is finished with the next checkpoint, which holds its last rows.
        if ended && self.running.iter().any(|r| r.job.status() == JobStatus::Running && r.pipeline.ended()) {
            self.changed = true;
            self.last_checkpoint_ns = 0;
        }
        moved
    }

    // ---- epochs ----------------------------------------------------------------------------------------

    fn epoch_due(&self) -> bool {
        let now = self.now_ns();
        self.moved
            && now >= self.next_epoch_ns
            && (now >= self.last_moved_ns + EPOCH_QUIET_NS || self.next_epoch_ns != 0)
    }

    fn checkpoint_due(&self) -> bool {
        self.writing.is_none()
            && !self.restarts.is_reading()
            && (!self.replies.is_empty()
                || self.changed && self.now_ns() >= self.last_checkpoint_ns.saturating_add(self.checkpoint_interval_ns))
    }

    /// A barrier through every pipeline, then the tables show the epoch.
    fn make_epoch(&mut self, checkpoint: bool) -> Result<()> {
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
            if self.running[at].reads_pipeline_topics {
                self.catch_up(at);
                if !usable(self) {
                    continue;
                }
            }
            let running = &mut self.running[at];
            if let Err(e) = running.pipeline.barrier(epoch) {
                self.failed.push((running.id, e));
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

    /// Lets a reader come to the markers of the topics that it reads, while patience lasts.
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

    // ---- checkpoints -----------------------------------------------------------------------------------

    fn start_checkpoint(&mut self, started_ns: u64) -> Result<()> {
        let mut state = std::mem::take(&mut self.carried);
        let (mut cuts, mut syncs) = (vec![], vec![]);
        for running in self.running.iter_mut().filter(|r| r.job.status() == JobStatus::Running) {
            let frozen = running.pipeline.freeze()?;
            state.append(&frozen.state);
            syncs.extend(frozen.syncs);
            let task = serde_json::to_value(&frozen.checkpoint)
                .map_err(|e| Error::bug(format!("a cut cannot be written: {e}")))?;
            let record =
                PipelineCheckpoint { deployment: running.job.spec.id.clone(), task, ..PipelineCheckpoint::default() };
            if running.job.spec.item.is_some() {
                self.records.insert(running.id, record);
            }
            cuts.push((running.id, frozen.checkpoint));
        }
        self.suspend_now();
        let mut markers = BTreeMap::new();
        let (mut pipeline_topics, mut client_topics) = (vec![], vec![]);
        let mut last_changes = BTreeMap::new();
        for table in self.shared.tables.all() {
            for (uid, keyed) in table.states() {
                keyed.freeze(uid, &mut state);
            }
            if let Some(keyed) = table.keyed() {
                let kept = self.last_changes.get(&table.id).filter(|_| table.is_frozen()).copied();
                last_changes.insert(table.id, kept.unwrap_or_else(|| keyed.last_change()));
            }
            let topic = table.topic().or(table.inbox()).cloned();
            if let Some(topic) = topic {
                if table.topic().is_some() && table.is_written_by_pipeline() {
                    // A failed pipeline's topic ends where its last cut is.
                    let kept = self.markers.get(&topic.id()).filter(|_| table.is_frozen()).cloned();
                    markers.insert(topic.id(), kept.unwrap_or_else(|| topic.ends()));
                    pipeline_topics.push(topic);
                } else {
                    client_topics.push(topic);
                }
            }
        }
        // What clients write from now on, or what is dropped, has no marker any more: recovery would cut it there.
        self.markers = markers;
        self.last_changes = last_changes;
        let job = CheckpointJob {
            cut: Cut { incarnation: self.shared.incarnation, epoch: self.epoch },
            as_of_ms: self.shared.config.clock.now_ms(),
            state,
            pipelines: self.records.clone(),
            markers: self.markers.clone(),
            changed: self.last_changes.clone(),
            pipeline_topics,
            client_topics,
            syncs,
            catalog: std::mem::take(&mut self.changes),
            retention: self.retention(),
            started_ns,
        };
        self.writing = Some(InFlight { replies: std::mem::take(&mut self.replies), cuts, ends_server: self.shutdown });
        self.changed = false;
        self.last_checkpoint_ns = self.now_ns();
        self.checkpoints
            .send(Work::Checkpoint(Box::new(job)))
            .map_err(|_| Error::external("the checkpoint thread has ended"))
    }

    fn checkpoint_done(&mut self, done: CheckpointDone) -> bool {
        let Some(writing) = self.writing.take() else { return true };
        match done.outcome {
            Ok(()) => {
                let now_ms = self.shared.config.clock.now_ms();
                self.shared.durable.send_replace(Durable { cut: done.cut, at_ms: now_ms });
                self.shared.figures.checkpoint(self.now_ns().saturating_sub(done.started_ns));
                for table in self.shared.tables.all() {
                    if let Some(ends) = table.topic().and_then(|t| done.markers.get(&t.id())) {
                        table.set_visible(ends.clone());
                    }
                }
                // Readers of topics that pipelines write see further now.
                self.moved |= !done.markers.is_empty();
                for (id, cut) in &writing.cuts {
                    let Some(running) = self.running.iter_mut().find(|r| r.id == *id) else { continue };
                    if let Err(e) = running.pipeline.on_durable(cut) {
                        self.failed.push((running.id, e));
                    }
                    if running.pipeline.ended() && cut.scans.values().all(|s| s.ended) {
                        running.job.status.send_replace(JobStatus::Finished);
                        if let Some(change) = finished(&running.job) {
                            self.records.remove(id);
                            release(&self.shared, &running.job);
                            self.changes.push(change);
                            self.changed = true;
                        }
                    }
                }
                self.take_down();
                self.running.retain(|r| r.job.status() == JobStatus::Running);
                writing.replies.into_iter().for_each(|reply| answer(reply, Ok(())));
                !writing.ends_server
            }
            Err(abandoned) => {
                self.shared.figures.checkpoints_failed.fetch_add(1, Relaxed);
                tracing::error!("checkpoint {} was abandoned: {}", done.cut.epoch, abandoned.error);
                let text = abandoned.error.to_string();
                for reply in writing.replies {
                    answer(reply, Err(Error::external(format!("the change could not be made durable: {text}"))));
                }
                if abandoned.in_doubt {
                    self.shared.fail(&abandoned.error);
                    return false;
                }
                let later = std::mem::replace(&mut self.carried, abandoned.state);
                self.carried.append(&later);
                self.changed = true;
                !writing.ends_server
            }
        }
    }
}

fn answer(reply: Reply, result: Result<()>) {
    if reply.send(result).is_err() {
        tracing::debug!("nobody waits for the answer any more");
    }
}

/// Others may write the targets of a pipeline that has ended, but for a materialized table, which is its own.
fn release(shared: &Shared, job: &Job) {
    if job.spec.kind == JobKind::MaterializedTable {
        return;
    }
    for table in job.spec.targets.iter().filter_map(|path| shared.tables.get(path)) {
        table.set_writer(Writer::Nobody);
    }
}

/// What the catalog says of a pipeline that has come to the end of its input.
fn finished(job: &Job) -> Option<Change> {
    let item = job.spec.item.as_ref()?;
    if item.kind != MATERIALIZED {
        return Some(Change::Delete { id: item.id });
    }
    let mut item = item.clone();
    item.extra["finished"] = serde_json::json!(true);
    Some(Change::Put(item))
}
