//! The data thread: runs every pipeline, makes epochs, starts checkpoints.
//!
//! Nothing here waits for a disk or a client. Statements reach it by [`Control`]; what readers see leaves it as
//! [`crate::published::Published`]. All pipelines share one stream of barriers.

mod checkpoints;
mod epochs;
mod restart;
mod retention;
mod suspend;

use std::collections::BTreeMap;
use std::sync::Arc;
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

use crate::checkpoint::{CheckpointDone, Work};
use crate::follow;
use crate::io::EngineIo;
use crate::jobs::{Job, JobStatus};
use crate::restore::RestoredState;
use crate::shared::Shared;
use checkpoints::InFlight;
use restart::{Positions, Restarts, reason_of};

/// Rows and time of one turn of a pipeline: short enough that its neighbours do not wait.
const TURN: Budget = Budget { rows: 4 * BATCH_ROWS, ns: 5_000_000 };
/// How long an idle source is left alone.
const IDLE_POLL: Duration = Duration::from_millis(5);

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
    /// Whether it reads what another pipeline writes.
    reads_pipelines: bool,
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
        loop {
            let wait = self.wait();
            if !self.turn(wait) {
                return;
            }
        }
    }

    /// Everything that is due once, after a wait of at most so long for what is asked; `false` at the end.
    pub(crate) fn turn(&mut self, wait: Duration) -> bool {
        if !self.receive(wait) {
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

    /// Takes what came, or what comes within the wait.
    fn receive(&mut self, mut wait: Duration) -> bool {
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

    /// How long it may wait: not at all while there is something to do.
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
                follow::leave(&self.shared, &job);
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
        let reads_pipelines = follow::reads_pipelines(&self.shared, &job);
        self.running.push(Running { id, job, pipeline, reads_pipelines });
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
}

fn answer(reply: Reply, result: Result<()>) {
    if reply.send(result).is_err() {
        tracing::debug!("nobody waits for the answer any more");
    }
}
