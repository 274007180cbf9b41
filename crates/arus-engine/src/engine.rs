//! Starting and stopping.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Mutex, OnceLock};
use std::thread::JoinHandle;

use arus_connect::Registry;
use arus_core::connector::ConnectContext;
use arus_core::limits::STACK_BYTES;
use arus_core::read::Cut;
use arus_core::secret::Secrets;
use arus_core::{Error, Result};
use arus_expr::Functions;
use arus_query::QueryEngine;
use arus_storage::log::{Log, LogOptions};
use arus_storage::manifest::Manifest;
use arus_storage::outbox::OutboxStore;
use arus_storage::state::StateStore;
use arus_storage::{DataFolder, backup};
use tokio::sync::watch;

use crate::access::Access;
use crate::admission::Admission;
use crate::alerts::{self, Alerts};
use crate::catalog::ServerCatalog;
use crate::checkpoint::{AfterRecord, CheckpointTask};
use crate::config::{EngineConfig, Mode};
use crate::disk::{self, DiskBudget};
use crate::domain::mailbox::Mailbox;
use crate::domain::worker::{Signals, Worker};
use crate::domain::{Control, Domain};
use crate::figures::Figures;
use crate::jobs::Jobs;
use crate::memory::Shares;
use crate::owners::Owners;
use crate::project::Projects;
use crate::published::{Durable, Published};
use crate::read_cache::ReadCache;
use crate::restore::RestoredState;
use crate::shared::Shared;
use crate::tables::Tables;
use crate::{recovery, snapshot};

/// Statements and wake-ups that may wait for the data thread.
const CONTROL_QUEUE: usize = 1_024;

pub struct Engine {
    pub(crate) shared: Arc<Shared>,
    /// Made at the first query: `arus run` needs none.
    query: OnceLock<QueryEngine>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

/// What the threads of an engine run.
pub(crate) struct Parts {
    pub(crate) domain: Domain,
    /// By the number of their thread.
    pub(crate) workers: Vec<Worker>,
    pub(crate) checkpoints: CheckpointTask,
}

impl Parts {
    /// A few turns of coordinator and data threads, enough for an epoch; `false` at the end.
    pub(crate) fn turns(&mut self) -> bool {
        (0..6).all(|_| self.domain.turn() && self.workers.iter_mut().all(Worker::turn))
    }
}

impl Engine {
    /// Recovers the data folder and starts its pipelines.
    pub fn start(config: EngineConfig) -> Result<Arc<Self>> {
        let (engine, parts) = Engine::assemble(config, true)?;
        let Parts { domain, workers, checkpoints } = parts;
        // The checkpoint thread ends when nobody can ask it any more.
        checkpoints.spawn()?;
        let mut threads = vec![spawn("arus-coordinator".into(), move || domain.run())?];
        for (number, worker) in workers.into_iter().enumerate() {
            threads.push(spawn(format!("arus-data-{number}"), move || worker.run())?);
        }
        engine.threads.lock().expect("no holder of this lock panics").extend(threads);
        for table in engine.shared.tables.all() {
            engine.shared.start_pump(&table)?;
        }
        engine.shared.keep_budget()?;
        disk::watch(&engine.shared)?;
        if engine.shared.config.mode == Mode::Server {
            alerts::start(&engine.shared)?;
        }
        engine.shared.ready.store(true, Relaxed);
        Ok(engine)
    }

    /// Recovers the data folder; nothing runs until somebody drives the parts. Without threads nobody syncs the log
    /// but who calls [`Log::sync_all`].
    pub(crate) fn assemble(config: EngineConfig, threaded: bool) -> Result<(Arc<Self>, Parts)> {
        let folder = DataFolder::open(config.fs.clone(), &config.data)?;
        let started_ms = config.clock.now_ms();
        let manifest = Manifest::open(&folder, started_ms)?;
        backup::unpin_all(&folder)?;
        let state = manifest.state().clone();
        let failure = watch::Sender::new(None);
        let on_failure = {
            let failure = failure.clone();
            Arc::new(move |e: &Error| {
                failure.send_replace(Some(e.to_string()));
            })
        };
        let log_options = LogOptions { on_failure: Some(on_failure), threaded, ..LogOptions::default() };
        let log = Log::open(config.fs.clone(), config.clock.clone(), &folder.topics(), log_options)?;
        let store = StateStore::open(config.fs.clone(), &folder.state())?;
        let cut = state.checkpoint.as_ref().map_or(Cut { incarnation: 0, epoch: 0 }, |c| c.cut);
        let (control, inbox) = sync_channel(CONTROL_QUEUE);
        let (jobs, job_queue) = sync_channel(1);
        let mailboxes: Vec<Arc<Mailbox>> = (0..config.threads.max(1)).map(|_| Arc::default()).collect();
        let signals = Arc::new(Signals::default());
        let files = state.checkpoint.as_ref().map(|c| c.files.as_slice()).unwrap_or_default();
        let restored = RestoredState::read(&store, files)?;
        let alerts = Alerts::new(config.fs.clone(), &folder)?;
        let disk = DiskBudget::new(config.disk_bytes, config.disk_free_bytes, &folder)?;
        let shared = Arc::new(Shared {
            connect: connect_context(&config),
            folder,
            log,
            catalog: match config.mode {
                Mode::Run => ServerCatalog::default(),
                Mode::Server => ServerCatalog::of_server(),
            },
            tables: Tables::default(),
            jobs: Jobs::default(),
            registry: Registry,
            functions: Functions,
            incarnation: state.incarnation,
            started_ms,
            next_id: AtomicU64::new(state.next_id),
            seeds: AtomicU64::new(config.seed),
            item_ids: Mutex::new(BTreeMap::new()),
            control: control.clone(),
            mailboxes: mailboxes.clone(),
            published: watch::Sender::new(Arc::new(Published::empty(state.incarnation))),
            durable: watch::Sender::new(Durable { cut, at_ms: started_ms }),
            held_at_cut: AtomicU64::new(u64::MAX),
            figures: Figures::default(),
            admission: Admission::new(crate::admission::cores(), config.ingest_rate, config.clock.clone()),
            read_cache: Arc::new(ReadCache::new(Shares::of(config.memory_bytes).reads as usize)),
            failure,
            ready: AtomicBool::new(false),
            ddl: tokio::sync::Mutex::new(()),
            projects: Projects::default(),
            after_record: AfterRecord::default(),
            owners: Owners::default(),
            disk,
            alerts,
            access: Access::new(config.ask_passwords, config.clock.clone())?,
            state_damages: restored.damages.clone(),
            config,
        });
        let recovered = recovery::recover(&shared, &state, &restored)?;
        let mut domain = Domain::new(shared.clone(), inbox, jobs, signals.clone(), cut.epoch)?;
        recovery::resume(&shared, &mut domain, recovered, state.checkpoint, &restored);
        drop(restored);
        // Whoever reads before the first epoch reads what was restored.
        domain.publish();
        let outboxes = OutboxStore::open(shared.config.fs.clone(), &shared.folder.outbox())?;
        let (after_record, owners) = (shared.after_record.clone(), shared.owners.clone());
        let checkpoints = CheckpointTask::new(
            manifest,
            store,
            outboxes,
            job_queue,
            control.clone(),
            (after_record, owners),
            threaded,
        )?;
        let worker = |number: usize| {
            let clock = shared.config.clock.clone();
            Worker::new(number, clock, mailboxes.clone(), signals.clone(), control.clone())
        };
        let workers = (0..mailboxes.len()).map(worker).collect();
        let engine = Engine { shared: shared.clone(), query: OnceLock::new(), threads: Mutex::default() };
        Ok((Arc::new(engine), Parts { domain, workers, checkpoints }))
    }

    /// A last checkpoint; afterwards nothing is taken any more.
    pub async fn shutdown(&self) -> Result<()> {
        self.shared.ready.store(false, Relaxed);
        let result = self.shared.ask(|reply| Control::Shutdown { reply }).await;
        let threads = std::mem::take(&mut *self.threads.lock().expect("no holder of this lock panics"));
        let joined = tokio::task::spawn_blocking(move || {
            for thread in threads {
                if thread.join().is_err() {
                    tracing::error!("a thread of the engine has panicked");
                }
            }
        });
        if joined.await.is_err() {
            tracing::error!("the threads of the engine were not awaited");
        }
        result
    }

    /// Resolves when the server has to stop, with the reason.
    pub async fn failed(&self) -> Error {
        let mut failure = self.shared.failure.subscribe();
        let reason = match failure.wait_for(Option::is_some).await {
            Ok(reason) => reason.clone().unwrap_or_default(),
            Err(_) => "the engine is gone".into(),
        };
        Error::external(reason).with_hint("start the server again: recovery decides what is durable")
    }

    pub(crate) fn query_engine(&self) -> Result<&QueryEngine> {
        if let Some(engine) = self.query.get() {
            return Ok(engine);
        }
        let source = Arc::new(snapshot::Snapshots(self.shared.clone()));
        let engine = QueryEngine::new(source, self.shared.shares().queries as usize)?;
        Ok(self.query.get_or_init(|| engine))
    }
}

fn spawn(name: String, run: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>> {
    let what = format!("thread {name}");
    std::thread::Builder::new().name(name).stack_size(STACK_BYTES).spawn(run).map_err(|e| Error::io("start", what, e))
}

fn connect_context(config: &EngineConfig) -> ConnectContext {
    ConnectContext {
        fs: config.fs.clone(),
        clock: config.clock.clone(),
        seed: config.seed,
        paths: Arc::new(config.paths()),
        hosts: Arc::new(config.hosts()),
        secrets: Secrets::new(config.fs.clone(), config.secrets.clone()),
        working_dir: config.working_dir.clone(),
        stdout: config.stdout.clone(),
        stderr: config.stderr.clone(),
        time_zone: machine_zone(config),
        mark_watermarks: config.mark_watermarks && config.mode == Mode::Run,
        task: None,
    }
}

/// The machine's zone by its IANA name: TZ, or what /etc/localtime links to.
fn machine_zone(config: &EngineConfig) -> String {
    let known = |name: &str| arus_core::text::Zone::parse(name).is_ok();
    if let Ok(zone) = std::env::var("TZ")
        && known(zone.trim_start_matches(':'))
    {
        return zone.trim_start_matches(':').to_string();
    }
    let link = config.fs.canonicalize(std::path::Path::new("/etc/localtime"));
    let linked = link.ok().and_then(|path| {
        let text = path.to_string_lossy().into_owned();
        text.split_once("/zoneinfo/").map(|(_, zone)| zone.trim_start_matches("posix/").to_string())
    });
    linked.filter(|zone| known(zone)).unwrap_or_else(|| "UTC".into())
}
