//! What all parts of the engine share.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{SyncSender, TrySendError};
use std::sync::{Arc, Mutex};

use arus_connect::Registry;
use arus_core::catalog::{Catalog, CatalogDef, CatalogObject, DatabaseDef, ObjectPath, PartitionSpec, TableDef};
use arus_core::connector::ConnectContext;
use arus_core::error::Code;
use arus_core::key_group::KEY_GROUPS;
use arus_core::rng::Rng;
use arus_core::settings::{DATABASE, DEFAULT_PARALLELISM, LOCAL_TIME_ZONE, PARALLELISM, Settings};
use arus_core::{Error, Result};
use arus_expr::{ConstantEvaluator, Functions};
use arus_sql::{Planned, PlannedStatement, Planner, PlannerOptions};
use arus_storage::DataFolder;
use arus_storage::log::Log;
use arus_storage::state::StateDamage;
use arus_stream::{ErrorPolicy, PipelineSettings, Waker};
use tokio::sync::{oneshot, watch};

use crate::access::Access;
use crate::admission::Admission;
use crate::alerts::Alerts;
use crate::catalog::{Changed, ServerCatalog};
use crate::checkpoint::AfterRecord;
use crate::config::{EngineConfig, Mode};
use crate::disk::DiskBudget;
use crate::domain::mailbox::Mailbox;
use crate::domain::{Control, Reply};
use crate::figures::Figures;
use crate::jobs::{Job, JobKind, Jobs};
use crate::owners::Owners;
use crate::project::Projects;
use crate::published::{Durable, Published};
use crate::read_cache::ReadCache;
use crate::tables::{Store, Table, Tables};

pub(crate) struct Shared {
    pub(crate) config: EngineConfig,
    pub(crate) connect: ConnectContext,
    pub(crate) folder: DataFolder,
    pub(crate) log: Log,
    pub(crate) catalog: ServerCatalog,
    pub(crate) tables: Tables,
    pub(crate) jobs: Jobs,
    pub(crate) registry: Registry,
    pub(crate) functions: Functions,
    pub(crate) incarnation: u64,
    pub(crate) started_ms: i64,
    pub(crate) next_id: AtomicU64,
    /// Counts up from the seed of the configuration.
    pub(crate) seeds: AtomicU64,
    /// The catalog's items that tables and views stand for.
    pub(crate) item_ids: Mutex<BTreeMap<u64, ObjectPath>>,
    pub(crate) control: SyncSender<Control>,
    /// Of the data threads.
    pub(crate) mailboxes: Vec<Arc<Mailbox>>,
    pub(crate) published: watch::Sender<Arc<Published>>,
    pub(crate) durable: watch::Sender<Durable>,
    pub(crate) figures: Figures,
    pub(crate) admission: Admission,
    /// Bytes of state and tables at the last cut of a checkpoint; before the first one as much as there may be.
    pub(crate) held_at_cut: AtomicU64,
    /// What queries have read of topics.
    pub(crate) read_cache: Arc<ReadCache>,
    /// Why the server has to stop.
    pub(crate) failure: watch::Sender<Option<String>>,
    pub(crate) ready: AtomicBool,
    /// One statement that changes the catalog at a time.
    pub(crate) ddl: tokio::sync::Mutex<()>,
    pub(crate) projects: Projects,
    /// For the thread that writes checkpoints.
    pub(crate) after_record: AfterRecord,
    pub(crate) owners: Owners,
    pub(crate) disk: DiskBudget,
    pub(crate) access: Access,
    pub(crate) alerts: Alerts,
    /// What of the restored checkpoint could not be read.
    pub(crate) state_damages: Vec<StateDamage>,
}

impl Shared {
    /// The disk can no longer be trusted, or a thread is gone: the server stops, and recovery decides.
    pub(crate) fn fail(&self, error: &Error) {
        tracing::error!("the server has to stop: {error}");
        self.failure.send_if_modified(|failure| {
            let first = failure.is_none();
            if first {
                *failure = Some(error.to_string());
            }
            first
        });
    }

    pub(crate) fn published(&self) -> Arc<Published> {
        self.published.borrow().clone()
    }

    /// What an item of the catalog that is made now came after.
    pub(crate) fn since(&self) -> arus_core::read::Cut {
        self.published().cut
    }

    pub(crate) fn new_id(&self) -> u64 {
        self.next_id.fetch_add(1, Relaxed)
    }

    /// Tells the data threads that there is something to do. A full queue wakes the coordinator as well.
    pub(crate) fn wake(&self) {
        self.mailboxes.iter().for_each(|mailbox| mailbox.wake());
        if let Err(TrySendError::Disconnected(_)) = self.control.try_send(Control::Wake) {
            tracing::debug!("the coordinator has ended");
        }
    }

    /// Tells the coordinator that a sink has something to report.
    pub(crate) fn wake_for_delivery(&self) {
        if let Err(TrySendError::Disconnected(_)) = self.control.try_send(Control::Reports) {
            tracing::debug!("the coordinator has ended");
        }
    }

    /// Sends to the coordinator and waits for its answer.
    pub(crate) async fn ask(self: &Arc<Self>, message: impl FnOnce(Reply) -> Control) -> Result<()> {
        let (reply, answer) = oneshot::channel();
        let gone = || Error::external("the server is stopping");
        match self.control.try_send(message(reply)) {
            Ok(()) => {}
            Err(TrySendError::Disconnected(_)) => return Err(gone()),
            // Its queue is full: wait where it hurts nobody.
            Err(TrySendError::Full(message)) => {
                let shared = self.clone();
                let sent = tokio::task::spawn_blocking(move || shared.control.send(message).is_ok()).await;
                if !sent.map_err(|_| gone())? {
                    return Err(gone());
                }
            }
        }
        answer.await.map_err(|_| gone())?
    }

    pub(crate) fn pipeline_settings(&self, settings: &Settings) -> Result<PipelineSettings> {
        let mut pipeline = PipelineSettings::new(self.config.clock.clone(), self.time_zone(settings));
        pipeline.error_policy = ErrorPolicy::from_settings(settings)?;
        pipeline.batch_rows = self.config.batch_rows;
        pipeline.seed = self.next_seed();
        Ok(pipeline)
    }

    /// What the random functions of a pipeline or a statement begin with: another one each time, the same in each run
    /// from one seed.
    pub(crate) fn next_seed(&self) -> u64 {
        Rng::seeded(self.seeds.fetch_add(1, Relaxed)).next_u64()
    }

    /// How many tasks a job runs as.
    pub(crate) fn tasks_of(&self, job: &Job) -> Result<usize> {
        // Rows that are written out in the statement, and what clients write to one table, are no work to share.
        if job.spec.kind == JobKind::ClientWriter || job.spec.plan.scans().next().is_none() {
            return Ok(1);
        }
        let settings = &job.spec.settings;
        let of_query = settings.get(DEFAULT_PARALLELISM).trim().parse::<usize>().ok();
        if let Some(count) = of_query.filter(|count| (1..=KEY_GROUPS as usize).contains(count)) {
            return Ok(count);
        }
        if !settings.is_set(PARALLELISM) {
            return Ok(self.config.parallelism.clamp(1, KEY_GROUPS as usize));
        }
        let text = settings.get(PARALLELISM);
        let tasks = text.trim().parse().ok().filter(|tasks| (1..=KEY_GROUPS as usize).contains(tasks));
        tasks.ok_or_else(|| {
            let expected = format!("expected a number from 1 to {KEY_GROUPS}, found '{text}'");
            Error::user(format!("setting '{PARALLELISM}': {expected}")).with_code(Code::InvalidValue)
        })
    }

    /// The session's zone by its IANA name.
    pub(crate) fn time_zone(&self, settings: &Settings) -> String {
        match settings.get(LOCAL_TIME_ZONE) {
            "" | "default" => self.connect.time_zone.clone(),
            zone => zone.to_string(),
        }
    }

    /// What a connector may use, in this session's zone.
    pub(crate) fn connect_context(&self, settings: &Settings) -> ConnectContext {
        ConnectContext { time_zone: self.time_zone(settings), ..self.connect.clone() }
    }

    /// Plans one statement. `batch_snapshot`: a query over one epoch rather than a pipeline.
    pub(crate) fn plan(&self, text: &str, settings: &Settings, batch_snapshot: bool) -> Result<PlannedStatement> {
        let planned = self.plan_over(&self.catalog, text, settings, batch_snapshot);
        match planned {
            Err(error) if error.code() == Code::DuplicateObject => {
                // A name that only a Kafka client has used is free for CREATE TABLE.
                let again = self.plan_over(&Declared(self), text, settings, batch_snapshot);
                let free = |p: &PlannedStatement| matches!(p.planned, Planned::CreateTable { .. });
                again.ok().filter(free).ok_or(error)
            }
            planned => planned,
        }
    }

    /// A pipeline that was made over this view: its statement is planned again at the next start.
    pub(crate) fn pipeline_over_view(&self, view: &ObjectPath) -> Option<Arc<Job>> {
        let without = Changed { base: &self.catalog, gone: vec![view.clone()], new: None };
        self.jobs.all().into_iter().filter(|job| job.is_in_catalog() && job.spec.kind != JobKind::ClientWriter).find(
            |job| {
                let planned = self.plan_over(&without, &job.spec.sql, &job.spec.settings, false);
                planned.is_err_and(|e| e.code() == Code::UndefinedTable)
            },
        )
    }

    pub(crate) fn plan_over(
        &self,
        catalog: &dyn Catalog,
        text: &str,
        settings: &Settings,
        batch_snapshot: bool,
    ) -> Result<PlannedStatement> {
        self.with_planner(catalog, settings, batch_snapshot, |planner| planner.plan_text(text))
    }

    pub(crate) fn with_planner<T>(
        &self,
        catalog: &dyn Catalog,
        settings: &Settings,
        batch_snapshot: bool,
        use_it: impl FnOnce(&Planner<'_>) -> T,
    ) -> T {
        let evaluator = ConstantEvaluator::new(self.config.clock.clone(), &self.time_zone(settings), self.next_seed());
        let planner = Planner {
            catalog,
            functions: &self.functions,
            connectors: &self.registry,
            evaluator: &evaluator,
            settings,
            current_database: settings.get(DATABASE),
            options: PlannerOptions { batch_snapshot },
        };
        use_it(&planner)
    }

    /// The table as SHOW CREATE TABLE gives it.
    pub(crate) fn ddl_text(&self, path: &ObjectPath) -> Option<String> {
        let quoted = |name: &str| arus_sql::unparse::quoted_name(name);
        let statement = format!("SHOW CREATE TABLE {}.{}", quoted(&path.database), quoted(&path.name));
        match self.plan(&statement, &Settings::default(), false).ok()?.planned {
            Planned::Rows { rows, .. } => rows.into_iter().flatten().flatten().next(),
            _ => None,
        }
    }

    /// Whether this table's connector cannot replay, so that its rows go through an internal topic.
    pub(crate) fn needs_inbox(&self, def: &TableDef) -> bool {
        if self.config.mode == Mode::Run {
            return false;
        }
        use arus_core::catalog::ConnectorCatalog;
        let connector = def.connector().and_then(|name| self.registry.connector(name));
        let source = connector
            .filter(|c| c.is_source())
            .and_then(|c| self.connect.secrets.open(def).and_then(|(def, _)| c.source(&def, &self.connect)).ok());
        source.is_some_and(|s| !s.replayable())
    }

    /// The table that a scan or sink of a plan means; the client writer's scan means a keyed table's inbox.
    pub(crate) fn table_of(&self, path: &ObjectPath) -> Option<(Arc<Table>, bool)> {
        if let Some(table) = self.tables.get(path) {
            return Some((table, false));
        }
        let name = path.name.strip_suffix(INBOX_SUFFIX)?;
        let table = self.tables.get(&path.sibling(name))?;
        matches!(table.store, Store::Keyed { .. }).then_some((table, true))
    }
}

/// The catalog without topics that nobody has declared.
struct Declared<'a>(&'a Shared);

impl Catalog for Declared<'_> {
    fn object(&self, path: &ObjectPath) -> Option<CatalogObject> {
        let undeclared = self.0.tables.get(path).is_some_and(|t| t.is_undeclared());
        self.0.catalog.object(path).filter(|_| !undeclared)
    }

    fn objects(&self, database: &str) -> Vec<CatalogObject> {
        self.0.catalog.objects(database)
    }

    fn databases(&self) -> Vec<String> {
        self.0.catalog.databases()
    }

    fn catalogs(&self) -> Vec<CatalogDef> {
        self.0.catalog.catalogs()
    }

    fn objects_in(&self, catalog: &str, database: &str) -> Vec<CatalogObject> {
        self.0.catalog.objects_in(catalog, database)
    }

    fn databases_in(&self, catalog: &str) -> Vec<String> {
        self.0.catalog.databases_in(catalog)
    }

    fn database(&self, catalog: &str, name: &str) -> Option<DatabaseDef> {
        self.0.catalog.database(catalog, name)
    }

    fn permanent(&self, path: &ObjectPath) -> Option<CatalogObject> {
        self.object(path)
    }

    fn partitions(&self, table: &ObjectPath) -> Vec<PartitionSpec> {
        self.0.catalog.partitions(table)
    }
}

/// Names the hidden topic of a keyed table.
pub(crate) const INBOX_SUFFIX: &str = "$inbox";
