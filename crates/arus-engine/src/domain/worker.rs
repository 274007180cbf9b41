//! A data thread: runs its tasks of all pipelines, in turns, and takes barriers when it is told.
//!
//! It waits for nobody: what it needs comes as an [`Order`], what it has to say goes back as a [`Report`]. A task that has
//! taken a barrier stands still until the epoch is over, since tables and topics are shared by the tasks that write them:
//! what they hold while all stand still is the epoch.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::mpsc::SyncSender;
use std::time::Duration;

use arus_core::clock::SharedClock;
use arus_core::limits::BATCH_ROWS;
use arus_core::plan::Uid;
use arus_core::{Error, Result};
use arus_stream::{Budget, FrozenTask, Pipeline, ScanState, StepReport, Waker};

use super::Control;
use super::mailbox::{Mailbox, NewTask, Order};

/// Rows and time of one turn of a pipeline: short enough that its neighbours and barriers do not wait.
const TURN: Budget = Budget { rows: 4 * BATCH_ROWS, ns: 2_000_000 };
/// The last turn before a barrier, so that what has come before it is in the epoch.
const LAST_TURN: Budget = Budget { rows: BATCH_ROWS, ns: 500_000 };
/// How long an idle source is left alone.
const IDLE_POLL: Duration = Duration::from_millis(5);
/// A thread that has had something to do looks again at once for so long.
const EAGER_NS: u64 = 200_000;

/// What a data thread tells the coordinator.
pub(crate) enum Report {
    /// Something has moved for the first time since the last epoch.
    Moved,
    AtBarrier {
        run: u64,
        task: usize,
        part: Box<Part>,
    },
    /// The task is void and gone.
    Failed {
        run: u64,
        task: usize,
        error: Error,
        at: BTreeMap<Uid, ScanState>,
    },
    /// Its sources have ended and all they gave is through.
    Ended {
        run: u64,
        task: usize,
    },
    Drained {
        run: u64,
    },
    /// The sinks of a task have committed a checkpoint.
    Committed {
        run: u64,
        task: usize,
    },
    /// None of its tasks runs in this thread.
    Removed {
        run: u64,
    },
    /// The thread has ended by a bug.
    Gone,
}

/// A task at a barrier.
pub(crate) struct Part {
    pub(crate) epoch: u64,
    pub(crate) scans: BTreeMap<Uid, ScanState>,
    pub(crate) frozen: Option<FrozenTask>,
    /// Rows that it has still to read to where the barrier stands.
    pub(crate) behind: u64,
}

/// What all data threads tell without a message.
#[derive(Default)]
pub(crate) struct Signals {
    /// Something has moved since the coordinator looked.
    pub(crate) moved: AtomicBool,
    /// A sink has something to commit although nothing moves.
    pub(crate) commit: AtomicBool,
}

pub(crate) struct Worker {
    clock: SharedClock,
    mailbox: Arc<Mailbox>,
    /// Of all threads.
    mailboxes: Vec<Arc<Mailbox>>,
    signals: Arc<Signals>,
    control: SyncSender<Control>,
    tasks: Vec<Task>,
    /// Whose turn is next.
    next: usize,
    moved_ns: u64,
}

struct Task {
    run: u64,
    number: usize,
    pipeline: Pipeline,
    feeds: bool,
    state: State,
    told_end: bool,
    /// Rows between the position and the marker at the last barrier, and rows read since then.
    behind: u64,
    read: u64,
}

/// Where a task is in an epoch.
#[derive(Clone, Copy, PartialEq)]
enum State {
    Running,
    /// It reads up to the marker, until then.
    Approaching(Barrier, u64),
    /// Its sources have sent the barrier.
    Passing(Barrier),
    Standing,
}

#[derive(Clone, Copy, PartialEq)]
struct Barrier {
    epoch: u64,
    freeze: bool,
}

impl Worker {
    pub(crate) fn new(
        number: usize,
        clock: SharedClock,
        mailboxes: Vec<Arc<Mailbox>>,
        signals: Arc<Signals>,
        control: SyncSender<Control>,
    ) -> Self {
        let mailbox = mailboxes[number].clone();
        Worker { clock, mailbox, mailboxes, signals, control, tasks: vec![], next: 0, moved_ns: 0 }
    }

    /// The thread's loop.
    pub(crate) fn run(mut self) {
        let mut guard = Guard(Some(self.control.clone()));
        while self.turn() {
            self.rest();
        }
        guard.0 = None;
    }

    /// Follows the orders that have come, then gives each task a turn; `false` at the end. Waits for nothing.
    pub(crate) fn turn(&mut self) -> bool {
        for order in self.mailbox.take() {
            if !self.follow(order) {
                return false;
            }
        }
        let mut moved = false;
        for _ in 0..self.tasks.len() {
            if self.mailbox.has_orders() || self.tasks.is_empty() {
                break;
            }
            self.next %= self.tasks.len();
            let at = self.next;
            self.next += 1;
            moved |= self.step(at);
        }
        if moved {
            self.moved_ns = self.clock.monotonic_ns();
        }
        true
    }

    /// Waits until there is something to do, or may be.
    pub(crate) fn rest(&mut self) {
        if self.clock.monotonic_ns() < self.moved_ns.saturating_add(EAGER_NS) {
            return;
        }
        let stands = self.tasks.iter().all(|task| task.state == State::Standing);
        self.mailbox.wait(if stands { Duration::from_millis(500) } else { IDLE_POLL });
    }

    fn tell(&self, report: Report) -> bool {
        self.control.send(Control::Report(Box::new(report))).is_ok()
    }

    fn follow(&mut self, order: Order) -> bool {
        match order {
            Order::Add(task) => {
                let NewTask { run, number, pipeline, feeds } = *task;
                let state = State::Running;
                self.tasks.push(Task { run, number, pipeline, feeds, state, told_end: false, behind: 0, read: 0 });
                true
            }
            Order::Arrange(runs) => {
                let place = |task: &Task| runs.iter().position(|run| *run == task.run);
                self.tasks.sort_by_key(|task| (place(task).is_none(), place(task)));
                self.next = 0;
                true
            }
            Order::Remove { run } => {
                self.tasks.retain(|task| task.run != run);
                self.tell(Report::Removed { run })
            }
            Order::Barrier { run, epoch, freeze, patience_ns } => {
                let until = self.clock.monotonic_ns().saturating_add(patience_ns);
                for task in self.tasks.iter_mut().filter(|task| task.run == run && task.state == State::Running) {
                    let whole_epoch_behind = task.read < task.behind;
                    let until = if whole_epoch_behind { 0 } else { until };
                    task.state = State::Approaching(Barrier { epoch, freeze }, until);
                }
                true
            }
            Order::Resume => {
                for task in self.tasks.iter_mut().filter(|task| task.state == State::Standing) {
                    task.state = State::Running;
                }
                true
            }
            Order::Durable { run, cut } => {
                let mut at = 0;
                while at < self.tasks.len() {
                    let task = &mut self.tasks[at];
                    if task.run != run {
                        at += 1;
                        continue;
                    }
                    let number = task.number;
                    match task.pipeline.on_durable(&cut) {
                        Ok(()) => {
                            at += 1;
                            if !self.tell(Report::Committed { run, task: number }) {
                                return false;
                            }
                        }
                        Err(e) => self.fail(at, e),
                    }
                }
                true
            }
            Order::Drain { run } => {
                let of_run: Vec<usize> = (0..self.tasks.len()).filter(|at| self.tasks[*at].run == run).collect();
                for at in of_run.into_iter().rev() {
                    match self.tasks[at].pipeline.finish() {
                        Ok(()) if !self.tell(Report::Drained { run }) => return false,
                        Ok(()) => {}
                        Err(e) => self.fail(at, e),
                    }
                }
                self.has_moved();
                true
            }
            Order::Exit => false,
        }
    }

    /// One turn of a task; whether anything moved.
    fn step(&mut self, at: usize) -> bool {
        match self.try_step(at) {
            Ok(moved) => moved,
            Err(e) => {
                self.fail(at, e);
                true
            }
        }
    }

    fn try_step(&mut self, at: usize) -> Result<bool> {
        let now_ns = self.clock.monotonic_ns();
        let task = &mut self.tasks[at];
        let budget = match task.state {
            State::Standing => return Ok(false),
            State::Approaching(_, until) if until <= now_ns => LAST_TURN,
            State::Running | State::Approaching(..) | State::Passing(_) => TURN,
        };
        let before = task.state;
        let report = task.pipeline.step(budget)?;
        task.read += report.rows_in as u64;
        self.note(at, report, before);
        let task = &mut self.tasks[at];
        if let State::Approaching(barrier, until) = task.state
            && (!report.sources_moved || until <= now_ns)
        {
            task.pipeline.barrier(barrier.epoch)?;
            task.state = State::Passing(barrier);
        }
        if let State::Passing(barrier) = task.state
            && task.pipeline.at_barrier() == Some(barrier.epoch)
        {
            self.stand(at, barrier)?;
        }
        Ok(report.moved)
    }

    /// The task has taken the barrier.
    fn stand(&mut self, at: usize, barrier: Barrier) -> Result<()> {
        let task = &mut self.tasks[at];
        let frozen = if barrier.freeze { Some(task.pipeline.freeze_task()?) } else { None };
        task.behind = task.pipeline.backlog();
        task.read = 0;
        task.state = State::Standing;
        let scans = task.pipeline.scans();
        let part = Box::new(Part { epoch: barrier.epoch, scans, frozen, behind: task.behind });
        let report = Report::AtBarrier { run: task.run, task: task.number, part };
        if self.tell(report) { Ok(()) } else { Err(Error::external("the coordinator has ended")) }
    }

    fn note(&mut self, at: usize, report: StepReport, state: State) {
        let task = &mut self.tasks[at];
        if task.pipeline.wants_checkpoint() {
            self.signals.commit.store(true, Relaxed);
        }
        let (run, number, feeds) = (task.run, task.number, task.feeds);
        if report.ended && !std::mem::replace(&mut task.told_end, true) {
            self.tell(Report::Ended { run, task: number });
        }
        if !report.moved {
            return;
        }
        if feeds {
            let others = self.mailboxes.iter().filter(|other| !Arc::ptr_eq(other, &self.mailbox));
            others.for_each(|other| other.wake());
        }
        // What comes behind the barrier of its own sources is in this epoch and calls for no other.
        if !matches!(state, State::Passing(_)) {
            self.has_moved();
        }
    }

    fn has_moved(&self) {
        if !self.signals.moved.swap(true, Relaxed) {
            self.tell(Report::Moved);
        }
    }

    /// The task is void; those of its pipeline in other threads are taken out by the coordinator.
    fn fail(&mut self, at: usize, error: Error) {
        let task = self.tasks.remove(at);
        self.tell(Report::Failed { run: task.run, task: task.number, error, at: task.pipeline.scans() });
    }
}

/// Tells of a thread that ends by a panic.
struct Guard(Option<SyncSender<Control>>);

impl Drop for Guard {
    fn drop(&mut self) {
        if let Some(control) = &self.0
            && control.send(Control::Report(Box::new(Report::Gone))).is_err()
        {
            tracing::debug!("the coordinator has ended before");
        }
    }
}
