//! The coordinator: spreads pipelines over the data threads, makes epochs, starts checkpoints.
//!
//! It is a state machine that waits for nobody: statements and the [`worker::Report`]s of data threads reach it by
//! [`Control`], it answers with [`Order`]s, and what readers see leaves it as [`crate::published::Published`]. All
//! pipelines share one stream of barriers. While an epoch is under way statements wait in its inbox.

mod checkpoints;
mod epochs;
pub(crate) mod mailbox;
mod restart;
mod retention;
mod running;
mod suspend;
pub(crate) mod worker;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TryRecvError};
use std::time::Duration;

use arus_core::read::Cut;
use arus_core::settings::{CHECKPOINT_INTERVAL, EPOCH_INTERVAL, Settings};
use arus_core::{Error, Result};
use arus_storage::manifest::{Change, Checkpoint as ManifestCheckpoint, PipelineCheckpoint};
use arus_storage::state::StateDelta;
use arus_stream::{Checkpoint, PipelineRestore};
use tokio::sync::oneshot;

use crate::checkpoint::{CheckpointDone, Work};
use crate::delivery::Outboxes;
use crate::follow;
use crate::jobs::{Job, JobStatus};
use crate::restore::RestoredState;
use crate::shared::Shared;
use checkpoints::InFlight;
use epochs::Passing;
use mailbox::{Mailbox, Order};
use restart::{Positions, Restarts, reason_of};
use running::{Drain, Running};
use worker::{Report, Signals};

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
    /// A data thread has something to say.
    Report(Box<Report>),
    /// The pipeline holds too much of the memory budget.
    OverBudget {
        job: Arc<Job>,
        error: Error,
    },
    CheckpointDone(Box<CheckpointDone>),
    /// Sinks have reported; the next turn takes it.
    Reports,
    /// What pipelines that failed start again from.
    StateRead(Result<RestoredState>),
    /// A last checkpoint, then the end.
    Shutdown {
        reply: Reply,
    },
}

pub(crate) struct Domain {
    shared: Arc<Shared>,
    control: Receiver<Control>,
    checkpoints: SyncSender<Work>,
    /// Of the data threads.
    mailboxes: Vec<Arc<Mailbox>>,
    signals: Arc<Signals>,
    /// What has come and waits for the end of the epoch.
    inbox: VecDeque<Control>,
    /// In the order of the data: writers before their readers.
    running: Vec<Running>,
    last_run: u64,
    /// Started, and in no checkpoint yet.
    starting: Vec<Arc<Job>>,
    /// Their first checkpoint was abandoned, and them with it.
    unborn: Vec<Arc<Job>>,
    /// By run, threads that have not yet said that its tasks are gone: they may still write.
    leaving: BTreeMap<u64, usize>,
    drains: Vec<Drain>,
    /// The epoch that is under way.
    passing: Option<Passing>,
    epoch: u64,
    /// Rows moved or were appended since the last epoch.
    moved: bool,
    /// Something changed since the last checkpoint.
    changed: bool,
    /// A pipeline has come to its end: the next checkpoint need not wait.
    hurry: bool,
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
    failed: Vec<(u64, Error, Positions)>,
    restarts: Restarts,
    outboxes: Outboxes,
    /// Pipelines that stand still after the next cut.
    suspending: Vec<u64>,
}

impl Domain {
    pub(crate) fn new(
        shared: Arc<Shared>,
        control: Receiver<Control>,
        checkpoints: SyncSender<Work>,
        signals: Arc<Signals>,
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
            mailboxes: shared.mailboxes.clone(),
            signals,
            inbox: VecDeque::new(),
            running: vec![],
            last_run: 0,
            starting: vec![],
            unborn: vec![],
            leaving: BTreeMap::new(),
            drains: vec![],
            passing: None,
            epoch,
            moved: true,
            changed: true,
            hurry: false,
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
            outboxes: Outboxes::new(&shared)?,
            suspending: vec![],
            shared,
        })
    }

    /// Takes a pipeline back from a checkpoint, before the thread runs.
    pub(crate) fn restore(&mut self, id: u64, job: Arc<Job>, cut: &Checkpoint, state: &RestoredState) {
        let part = state.of_job(&job);
        let restore = PipelineRestore { checkpoint: cut, state: &part };
        let whole = state.check_targets(&self.shared, &job);
        if let Err(e) = whole.and_then(|()| self.add(id, job.clone(), Some(restore))) {
            self.went_down(id, &job, Positions::new(), &e);
        }
    }

    /// Takes over what the last checkpoint says, before pipelines are taken back.
    pub(crate) fn adopt(&mut self, checkpoint: ManifestCheckpoint) {
        self.outboxes.adopt(&checkpoint);
        self.records = checkpoint.pipelines;
        self.markers = checkpoint.markers;
        self.last_changes = checkpoint.changed;
    }

    /// The thread's loop.
    pub(crate) fn run(mut self) {
        while self.turn() {
            self.rest();
        }
    }

    /// Everything that is due once; `false` at the end. Waits for nothing.
    pub(crate) fn turn(&mut self) -> bool {
        if !self.receive() || !self.committed() {
            return false;
        }
        if self.passing.is_none() {
            if let Err(e) = self.take_reports() {
                self.shared.fail(&e);
                return false;
            }
            self.restart_due();
            let moved = self.signals.moved.load(Relaxed);
            self.moved |= moved;
            self.changed |= moved | self.signals.commit.swap(false, Relaxed);
            let checkpoint = self.checkpoint_due();
            if checkpoint || self.epoch_due() {
                self.begin_epoch(checkpoint);
            }
        }
        if let Err(e) = self.advance_epoch() {
            self.shared.fail(&e);
            return false;
        }
        true
    }

    /// What the sinks with outboxes have to say.
    fn take_reports(&mut self) -> Result<()> {
        let reported = self.outboxes.take_reports(&self.shared)?;
        self.moved |= reported.changed;
        self.changed |= reported.changed;
        // A pipeline that has ended waits for nothing else.
        self.hurry |= reported.changed && self.running.iter().any(|r| r.has_ended() && !self.outboxes.waits(r.id));
        for (id, error) in reported.failed {
            self.failed.push((id, error, Positions::new()));
        }
        self.take_down();
        Ok(())
    }

    fn now_ns(&self) -> u64 {
        self.shared.config.clock.monotonic_ns()
    }

    // ---- control ---------------------------------------------------------------------------------------

    /// Waits for a message, or until something is due.
    pub(crate) fn rest(&mut self) {
        // What was kept for after the epoch goes first.
        if self.passing.is_none() && !self.inbox.is_empty() {
            return;
        }
        match self.control.recv_timeout(self.wait()) {
            Ok(message) => self.inbox.push_back(message),
            Err(RecvTimeoutError::Timeout) => {}
            // The next turn sees it too.
            Err(RecvTimeoutError::Disconnected) => {}
        }
    }

    /// How long it may wait: not at all while there is something to do.
    fn wait(&self) -> Duration {
        let now = self.now_ns();
        let until = |due_ns: u64| Duration::from_nanos(due_ns.saturating_sub(now)).max(Duration::from_micros(50));
        let most = Duration::from_millis(if self.restarts.is_empty() { 500 } else { 50 });
        if self.passing.is_some() {
            most
        } else if self.moved {
            until(self.next_epoch_ns).min(most)
        } else if self.changed && self.writing.is_none() {
            until(self.last_checkpoint_ns.saturating_add(self.checkpoint_interval_ns)).min(most)
        } else {
            most
        }
    }

    /// Takes what has come. What changes the pipelines waits until no epoch is under way.
    fn receive(&mut self) -> bool {
        loop {
            match self.control.try_recv() {
                Ok(message) => self.inbox.push_back(message),
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Disconnected) => return false,
            }
        }
        let mut later = VecDeque::new();
        while let Some(message) = self.inbox.pop_front() {
            let goes_on = matches!(message, Control::Wake | Control::Report(_) | Control::OverBudget { .. });
            if !goes_on && (self.passing.is_some() || !later.is_empty()) {
                later.push_back(message);
                continue;
            }
            if !self.handle(message) {
                return false;
            }
        }
        self.inbox = later;
        true
    }

    fn handle(&mut self, message: Control) -> bool {
        match message {
            Control::Wake => {
                self.moved = true;
                self.changed = true;
            }
            Control::Start { id, job, changes, reply } => {
                self.note_starts(&job);
                let waits = self.restarts.waits(id, &job);
                let started = if waits { Ok(()) } else { self.add(id, job.clone(), None) };
                match started {
                    Ok(()) => {
                        self.starting.push(job);
                        self.request_checkpoint(changes, reply);
                    }
                    Err(e) => {
                        job.status.send_replace(JobStatus::Failed(reason_of(&e)));
                        answer(reply, Err(Error::user(reason_of(&e))));
                    }
                }
            }
            Control::Stop { job, changes, reply } => {
                self.stop(&job);
                self.request_checkpoint(changes, reply);
            }
            Control::Suspend { job, changes, reply } => self.suspend(&job, changes, reply),
            Control::Resume { id, job, changes, reply } => self.resume(id, &job, changes, reply),
            Control::Drain { job, reply } => self.drain(&job, reply),
            Control::Catalog { changes, reply } => self.request_checkpoint(changes, reply),
            Control::Report(report) => return self.heard(*report),
            Control::Reports => {}
            Control::OverBudget { job, error } => self.over_budget(&job, error),
            Control::CheckpointDone(done) => return self.checkpoint_done(*done),
            Control::StateRead(state) => self.restart(state),
            Control::Shutdown { reply } => {
                self.shutdown = true;
                self.request_checkpoint(vec![], reply);
            }
        }
        true
    }

    /// It reads and writes no more; what its threads are about to write is in the epoch under way.
    fn stop(&mut self, job: &Arc<Job>) {
        while let Some(at) = self.running.iter().position(|r| Arc::ptr_eq(&r.job, job)) {
            self.take_out(at);
        }
        self.starting.retain(|starting| !Arc::ptr_eq(starting, job));
        self.restarts.forget(job);
        follow::leave(&self.shared, job);
        if let Some(item) = &job.spec.item {
            self.records.remove(&item.id);
            self.outboxes.forget(item.id);
        }
        job.status.send_if_modified(|status| {
            let alive = status.is_alive();
            if alive {
                *status = JobStatus::Stopped;
            }
            alive
        });
    }

    fn request_checkpoint(&mut self, changes: Vec<Change>, reply: Reply) {
        self.changes.extend(changes);
        self.replies.push(reply);
    }
}

fn answer(reply: Reply, result: Result<()>) {
    if reply.send(result).is_err() {
        tracing::debug!("nobody waits for the answer any more");
    }
}

impl Drop for Domain {
    /// Data threads end with their coordinator.
    fn drop(&mut self) {
        self.mailboxes.iter().for_each(|mailbox| mailbox.send(Order::Exit));
    }
}
