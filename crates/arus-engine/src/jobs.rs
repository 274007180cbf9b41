//! Pipelines as everybody but the data thread sees them.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, RwLock};

use arus_core::catalog::ObjectPath;
use arus_core::plan::PhysicalPlan;
use arus_core::settings::Settings;
use arus_storage::manifest::CatalogItem;
use arus_stream::{PipelineStats, SourceGate};
use tokio::sync::watch;

use crate::delivery::SinkStatus;
use crate::rates::Rates;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum JobKind {
    MaterializedTable,
    Insert,
    StatementSet,
    /// Moves what clients write to a keyed table from its hidden topic into the table.
    ClientWriter,
    /// Its rows go to the book of an alert.
    Alert,
    /// A bare SELECT of `arus run`.
    Select,
}

impl JobKind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            JobKind::MaterializedTable => "materialized table",
            JobKind::Insert => "insert",
            JobKind::StatementSet => "statement set",
            JobKind::ClientWriter => "client writer",
            JobKind::Alert => "alert",
            JobKind::Select => "select",
        }
    }
}

/// What a pipeline is made of. `plan` has uids that are unique on this server.
pub(crate) struct JobSpec {
    /// 32 hexadecimal digits, as Flink's.
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) kind: JobKind,
    pub(crate) sql: String,
    pub(crate) settings: Settings,
    pub(crate) plan: PhysicalPlan,
    pub(crate) targets: Vec<ObjectPath>,
    pub(crate) sources: Vec<ObjectPath>,
    pub(crate) started_ms: i64,
    /// How it stands in the catalog; `None`: nowhere, it ends with the process.
    pub(crate) item: Option<CatalogItem>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum JobStatus {
    Running,
    /// It has failed, or what it reads is taken back: it waits to be started again.
    Restarting(String),
    Finished,
    Stopped,
    /// Until ALTER MATERIALIZED TABLE .. RESUME.
    Suspended,
    /// For good.
    Failed(String),
}

impl JobStatus {
    pub(crate) fn name(&self) -> &'static str {
        match self {
            JobStatus::Running => "running",
            JobStatus::Restarting(_) => "restarting",
            JobStatus::Suspended => "suspended",
            JobStatus::Finished => "finished",
            JobStatus::Stopped => "stopped",
            JobStatus::Failed(_) => "failed",
        }
    }

    pub(crate) fn reason(&self) -> Option<&str> {
        match self {
            JobStatus::Failed(reason) | JobStatus::Restarting(reason) => Some(reason),
            JobStatus::Running | JobStatus::Suspended | JobStatus::Finished | JobStatus::Stopped => None,
        }
    }

    /// Whether it moves rows, or will again.
    pub(crate) fn is_alive(&self) -> bool {
        matches!(self, JobStatus::Running | JobStatus::Restarting(_) | JobStatus::Suspended)
    }
}

pub(crate) struct Job {
    pub(crate) spec: JobSpec,
    pub(crate) status: watch::Sender<JobStatus>,
    pub(crate) stats: Mutex<Option<PipelineStats>>,
    /// Rows of other pipelines' topics that it has still to read to where the last epoch ends.
    pub(crate) behind: AtomicU64,
    pub(crate) rates: Mutex<Rates>,
    pub(crate) operator_rates: Mutex<Rates>,
    /// Shut while its sinks cannot take more.
    pub(crate) gate: SourceGate,
    /// Its sinks with an outbox.
    pub(crate) sinks: Mutex<Vec<Arc<SinkStatus>>>,
}

impl Job {
    pub(crate) fn new(spec: JobSpec) -> Arc<Self> {
        Arc::new(Job {
            spec,
            status: watch::Sender::new(JobStatus::Running),
            stats: Mutex::new(None),
            behind: AtomicU64::new(0),
            rates: Mutex::new(Rates::default()),
            operator_rates: Mutex::new(Rates::default()),
            gate: SourceGate::default(),
            sinks: Mutex::new(vec![]),
        })
    }

    pub(crate) fn status(&self) -> JobStatus {
        self.status.borrow().clone()
    }

    pub(crate) fn stats(&self) -> Option<PipelineStats> {
        self.stats.lock().expect("no holder of this lock panics").clone()
    }

    pub(crate) fn sinks(&self) -> Vec<Arc<SinkStatus>> {
        self.sinks.lock().expect("no holder of this lock panics").clone()
    }

    /// Whether its statement is planned again at the next start.
    pub(crate) fn is_in_catalog(&self) -> bool {
        match self.status() {
            JobStatus::Running | JobStatus::Restarting(_) | JobStatus::Suspended | JobStatus::Failed(_) => true,
            JobStatus::Finished => matches!(self.spec.kind, JobKind::MaterializedTable | JobKind::Alert),
            JobStatus::Stopped => false,
        }
    }

    /// Resolves when it no longer runs.
    pub(crate) async fn ended(&self) -> JobStatus {
        let mut status = self.status.subscribe();
        match status.wait_for(|s| !s.is_alive()).await {
            Ok(ended) => ended.clone(),
            Err(_) => self.status(),
        }
    }
}

/// All pipelines by id.
#[derive(Default)]
pub(crate) struct Jobs(RwLock<BTreeMap<String, Arc<Job>>>);

impl Jobs {
    pub(crate) fn put(&self, job: Arc<Job>) {
        self.0.write().expect("no holder of this lock panics").insert(job.spec.id.clone(), job);
    }

    pub(crate) fn remove(&self, id: &str) {
        self.0.write().expect("no holder of this lock panics").remove(id);
    }

    pub(crate) fn get(&self, id: &str) -> Option<Arc<Job>> {
        self.0.read().expect("no holder of this lock panics").get(id).cloned()
    }

    /// By the time of their start.
    pub(crate) fn all(&self) -> Vec<Arc<Job>> {
        let mut jobs: Vec<_> = self.0.read().expect("no holder of this lock panics").values().cloned().collect();
        jobs.sort_by(|a, b| (a.spec.started_ms, &a.spec.id).cmp(&(b.spec.started_ms, &b.spec.id)));
        jobs
    }

    /// Pipelines that read the table: as long as the catalog has their statement, it has to be there.
    pub(crate) fn readers(&self, table: &ObjectPath) -> Vec<Arc<Job>> {
        self.all().into_iter().filter(|j| j.spec.sources.contains(table) && j.is_in_catalog()).collect()
    }

    pub(crate) fn writers(&self, table: &ObjectPath) -> Vec<Arc<Job>> {
        self.all().into_iter().filter(|j| j.spec.targets.contains(table) && j.is_in_catalog()).collect()
    }
}
