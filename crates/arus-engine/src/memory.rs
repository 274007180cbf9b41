//! The one memory budget: its shares, who uses how much, and what happens when it is not enough.
//!
//! Pipelines and tables have half of it, queries a quarter, decoded rows for reads a sixteenth; the rest is for what is on its way: batches,
//! requests, a checkpoint being written. A thread looks at it some times a second. When state grows over its share, or the
//! process over the budget, the pipeline that holds the most is stopped with a sentence that says so; the others go on.
//! What has come since the last checkpoint counts twice, since the next one holds a copy of it until it is written.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use arus_core::limits::READ_CACHE_BYTES;
use arus_core::{Error, ErrorKind, planted};

use crate::config::kilobytes;
use crate::domain::Control;
use crate::jobs::{Job, JobKind, JobStatus};
use crate::shared::Shared;

/// How often the budget is looked at while there is room.
const LOOK: Duration = Duration::from_millis(50);
/// Beyond half of it: state grows by some hundred megabytes a second at most.
const LOOK_CLOSELY: Duration = Duration::from_millis(10);
/// Beyond that share of the budget nothing is left for queries and what is on its way.
const RESIDENT_PERCENT: u64 = 85;
/// After a pipeline was stopped, its memory takes this long to be free.
const REST: Duration = Duration::from_secs(3);
/// A smaller budget does not hold what the server itself needs.
pub const SMALLEST_BUDGET: u64 = 128 << 20;

/// What each part may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shares {
    pub(crate) total: u64,
    /// Operators' state and tables.
    pub(crate) state: u64,
    /// All queries together.
    pub(crate) queries: u64,
    /// Decoded rows of topics.
    pub(crate) reads: u64,
}

impl Shares {
    pub(crate) fn of(total: u64) -> Self {
        Shares { total, state: total / 2, queries: total / 4, reads: (total / 16).min(READ_CACHE_BYTES as u64) }
    }
}

/// What a pipeline holds.
pub(crate) struct Held {
    pub(crate) job: Arc<Job>,
    pub(crate) operators: u64,
    pub(crate) tables: u64,
    /// The operator that holds the most, with its node and bytes.
    largest: Option<(&'static str, usize, u64)>,
}

impl Held {
    fn of(shared: &Shared, job: Arc<Job>) -> Self {
        let figures: Vec<_> = job
            .stats()
            .map(|s| s.operators().iter().map(|o| (o.name, o.node, o.figures().state_bytes)).collect())
            .unwrap_or_default();
        let keyed =
            job.spec.targets.iter().filter_map(|path| shared.tables.get(path)).filter_map(|t| t.keyed().cloned());
        Held {
            operators: figures.iter().map(|(_, _, bytes)| bytes).sum(),
            tables: keyed.map(|table| table.memory_bytes() as u64).sum(),
            largest: figures.into_iter().max_by_key(|(_, _, bytes)| *bytes),
            job,
        }
    }

    fn all(&self) -> u64 {
        self.operators + self.tables
    }

    /// What it is stopped with.
    fn refused(&self, why: &str, shares: Shares) -> Error {
        let target = self.job.spec.targets.first().map(ToString::to_string).unwrap_or_default();
        let who = match self.largest {
            Some((name, node, bytes)) if bytes >= self.tables => {
                format!("operator {name} (node {node}) holds {}", megabytes(bytes))
            }
            _ => format!("table '{target}' holds {}", megabytes(self.tables)),
        };
        let message = format!("{who}: {why} of the {} of --memory", megabytes(shares.total));
        Error::new(ErrorKind::Exhausted, message).with_hint(
            "let state go by SET 'table.exec.state.ttl', by a window or a STATE_TTL hint, or start the server with more --memory",
        )
    }
}

pub(crate) fn megabytes(bytes: u64) -> String {
    if bytes < 10 << 20 {
        format!("{:.1} MB", bytes as f64 / f64::from(1 << 20))
    } else {
        format!("{} MB", bytes >> 20)
    }
}

/// All pipelines that are in memory, those that hold the most first.
pub(crate) fn held(shared: &Shared) -> Vec<Held> {
    let jobs = shared.jobs.all().into_iter().filter(|job| job.is_in_catalog() || job.status().is_alive());
    let mut held: Vec<Held> = jobs.map(|job| Held::of(shared, job)).collect();
    held.sort_by_key(|held| std::cmp::Reverse(held.all()));
    held
}

/// What all pipelines hold together.
pub(crate) fn held_in_all(shared: &Shared) -> u64 {
    held(shared).iter().map(Held::all).sum()
}

/// Memory of the process that is its own, as the system counts it; 0 where it does not say.
pub(crate) fn resident(shared: &Shared) -> u64 {
    kilobytes(shared.config.fs.as_ref(), "/proc/self/status", "RssAnon:")
}

impl Shared {
    pub(crate) fn shares(&self) -> Shares {
        Shares::of(self.config.memory_bytes)
    }

    /// Starts the thread that keeps the budget. It ends with the server.
    pub(crate) fn keep_budget(self: &Arc<Self>) -> arus_core::Result<()> {
        let shared = Arc::downgrade(self);
        std::thread::Builder::new()
            .name("arus-memory".into())
            .spawn(move || {
                while let Some(shared) = shared.upgrade() {
                    let pause = look(&shared);
                    drop(shared);
                    std::thread::park_timeout(pause);
                }
            })
            .map(|_| ())
            .map_err(|e| Error::io("start", "the thread of the memory budget", e))
    }
}

/// Stops the pipeline that holds the most when there is too much; how long all is well then.
fn look(shared: &Shared) -> Duration {
    let resident = resident(shared);
    let Some((job, error)) = over_budget(shared, resident).filter(|_| !planted("budget-ignored")) else {
        return if resident > shared.shares().total / 2 { LOOK_CLOSELY } else { LOOK };
    };
    tracing::warn!("pipeline '{}' is over the memory budget", job.spec.name);
    // At once, whatever the coordinator has to do first.
    job.gate.set_stopped(true);
    if shared.control.send(Control::OverBudget { job, error }).is_err() {
        tracing::debug!("the coordinator has ended before");
    }
    REST
}

/// The pipeline that has to stop, with the reason.
fn over_budget(shared: &Shared, resident: u64) -> Option<(Arc<Job>, Error)> {
    let shares = shared.shares();
    let held = held(shared);
    let (running, stopped): (Vec<&Held>, Vec<&Held>) = held.iter().partition(|h| h.job.status() == JobStatus::Running);
    let first = running.first()?;
    let used: u64 = running.iter().map(|h| h.all()).sum();
    // What a stopped pipeline has left in its table stays readable, and leaves the others a quarter at least.
    let kept: u64 = stopped.iter().map(|h| h.tables).sum();
    let limit = shares.state.saturating_sub(kept).max(shares.state / 4);
    if used > limit {
        let why = format!(
            "all pipelines together {}, more than the {} for state",
            megabytes(used + kept),
            megabytes(shares.state)
        );
        return Some((first.job.clone(), first.refused(&why, shares)));
    }
    let next_checkpoint = (used + kept).saturating_sub(shared.held_at_cut.load(Relaxed));
    // Something else is large when no pipeline is.
    if resident + next_checkpoint > shares.total / 100 * RESIDENT_PERCENT
        && first.all() > shares.total / 20
        && first.job.spec.kind != JobKind::ClientWriter
    {
        let why = format!(
            "the process has {} and needs {} for the next checkpoint, more than {RESIDENT_PERCENT} %",
            megabytes(resident),
            megabytes(next_checkpoint)
        );
        return Some((first.job.clone(), first.refused(&why, shares)));
    }
    None
}
