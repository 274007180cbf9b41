//! An engine in one thread, on a disk in memory and a clock that moves only when it is told to: tests of SQL.
//!
//! Nothing here waits for time or for another thread: a statement is driven until it is done, and rows until every pipeline has
//! read all there is. Tables of connectors are topics and keyed tables here, so that a test can give and read their rows.

use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use arrow::util::display::{ArrayFormatter, FormatOptions};
use arus_core::clock::Clock;
use arus_core::connector::LineOutput;
use arus_core::fs::Fs;
use arus_core::platform::{Door, Session, StatementOutput};
use arus_core::settings::{DIALECT, LOCAL_TIME_ZONE, Settings};
use arus_core::{Error, Result};
use arus_sql::Planned;
use arus_sql::ast::{ColumnKind, StatementKind};
use arus_sql::parser::{parse_statement, split_script};
use arus_storage::sim::MemoryFs;

use crate::bounded;
use crate::config::EngineConfig;
use crate::domain::Control;
use crate::engine::{Engine, Parts};
use crate::jobs::{Job, JobKind, JobStatus};
use crate::script::shifted;
use crate::session::EngineSession;

/// Turns that a statement or rows may take. A turn moves a batch through every pipeline.
const TURNS: usize = 200_000;
/// A turn lasts so long for what is due from time to time: epochs, checkpoints.
const TURN_NS: u64 = 1_000_000_000;
/// 2026-01-01T00:00:00Z: what the clock says at first.
const START_MS: i64 = 1_767_225_600_000;
const DATA: &str = "/data";

/// Wall time moves by hand; the other one moves with each turn, so that nothing due is ever waited for.
struct VirtualClock {
    now_ms: AtomicI64,
    turns: AtomicU64,
}

impl Clock for VirtualClock {
    fn now_ms(&self) -> i64 {
        self.now_ms.load(Relaxed)
    }

    fn monotonic_ns(&self) -> u64 {
        self.turns.load(Relaxed) * TURN_NS
    }
}

/// What print sinks have written.
#[derive(Default)]
struct Printed(Mutex<String>);

impl LineOutput for Printed {
    fn write_lines(&self, lines: &str) -> Result<()> {
        self.0.lock().expect("no holder of this lock panics").push_str(lines);
        Ok(())
    }
}

/// A whole answer as text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TextRows {
    pub columns: Vec<String>,
    pub rows: Vec<Vec<String>>,
}

pub struct VirtualEngine {
    pub(crate) engine: Arc<Engine>,
    parts: Parts,
    clock: Arc<VirtualClock>,
    printed: Arc<Printed>,
    runtime: tokio::runtime::Runtime,
    session: Option<EngineSession>,
}

impl VirtualEngine {
    pub fn start() -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .map_err(|e| Error::io("start", "a runtime", e))?;
        let entered = runtime.enter();
        let fs = MemoryFs::new();
        fs.create_dir_all(Path::new(DATA)).map_err(|e| Error::io("create", DATA, e))?;
        let clock = Arc::new(VirtualClock { now_ms: AtomicI64::new(START_MS), turns: AtomicU64::new(1) });
        let printed = Arc::new(Printed::default());
        let mut config = EngineConfig::new(PathBuf::from(DATA))?;
        config.working_dir = PathBuf::from(DATA);
        config.fs = fs.shared();
        config.clock = clock.clone();
        config.seed = 1;
        config.threads = 1;
        config.parallelism = 1;
        config.stdout = printed.clone();
        let (engine, parts) = Engine::assemble(config, false)?;
        engine.shared.ready.store(true, Relaxed);
        drop(entered);
        let mut virtual_engine = VirtualEngine { engine, parts, clock, printed, runtime, session: None };
        virtual_engine.new_session();
        Ok(virtual_engine)
    }

    /// SET and USE of before are forgotten.
    pub fn new_session(&mut self) {
        let mut session = EngineSession::new(self.engine.clone(), Door::Console);
        session.settings.set(DIALECT, "flink");
        session.settings.set(LOCAL_TIME_ZONE, "UTC");
        self.session = Some(session);
    }

    /// What a server does with a file of pipelines, with tables of connectors as managed ones.
    pub fn apply(&mut self, text: &str) -> Result<()> {
        self.new_session();
        for span in split_script(text) {
            let statement = self.managed(span.of(text)).map_err(|e| shifted(e, text, span.start as usize))?;
            let Some(statement) = statement else { continue };
            self.execute(&statement).map_err(|e| shifted(e, text, span.start as usize))?;
        }
        self.settle()
    }

    /// The statement as a test does it. An alert is the table of its rows there: whom it tells is no matter of SQL.
    fn managed(&self, statement: &str) -> Result<Option<String>> {
        let Ok(StatementKind::CreateAlert(alert)) = parse_statement(statement).map(|parsed| parsed.kind) else {
            return Ok(Some(without_connector(statement)));
        };
        let shared = &self.engine.shared;
        let Planned::CreateAlert { def, .. } = shared.plan(statement, &self.settings(), false)?.planned else {
            return Err(Error::bug("an alert without its statement"));
        };
        let table = format!("CREATE MATERIALIZED TABLE {} AS {}", alert.name, alert.query);
        Ok(Some(table).filter(|_| !shared.catalog.has(&def.path)))
    }

    /// Does a statement that gives no rows; those that it gives are not looked at.
    pub fn execute(&mut self, statement: &str) -> Result<()> {
        let Some(mut session) = self.session.take() else { return Err(Error::bug("no session")) };
        let done = self.drive(session.execute(statement, &[]));
        self.session = Some(session);
        match done?? {
            StatementOutput::Rows(_) | StatementOutput::Done(_) => Ok(()),
        }
    }

    /// The rows of a query in Flink's dialect, as of now.
    pub fn rows(&self, query: &str) -> Result<TextRows> {
        let shared = &self.engine.shared;
        let settings = self.settings();
        let Planned::Select { plan, schema } = shared.plan(query, &settings, true)?.planned else {
            return Err(Error::user("expected a query").with_hint("SELECT, WITH or VALUES"));
        };
        let mut rows = vec![];
        for batch in bounded::rows(shared, &shared.published(), &plan, &settings)? {
            rows.extend(texts(&batch?)?);
        }
        Ok(TextRows { columns: schema.columns().iter().map(|c| c.name.clone()).collect(), rows })
    }

    /// Until every pipeline has read all there is. A pipeline that has failed is an error.
    pub fn settle(&mut self) -> Result<()> {
        let mut quiet = 0;
        for _ in 0..TURNS {
            self.turn()?;
            let jobs = self.engine.shared.jobs.all();
            quiet = if self.at_rest(&jobs)? { quiet + 1 } else { 0 };
            // A pipeline may have written what the next one has not begun to read.
            if quiet > 4 + 2 * jobs.len() {
                return Ok(());
            }
        }
        Err(Error::external("the pipelines do not come to rest"))
    }

    /// Moves the clock.
    pub fn wait_ms(&mut self, ms: i64) -> Result<()> {
        self.clock.now_ms.fetch_add(ms, Relaxed);
        self.settle()
    }

    /// The clock, as milliseconds since 1970.
    pub fn now_ms(&self) -> i64 {
        self.clock.now_ms()
    }

    /// No more rows come: every window fires. Pipelines end, writers before their readers.
    pub fn end_inputs(&mut self) -> Result<()> {
        let mut left: Vec<Arc<Job>> = self.engine.shared.jobs.all();
        left.retain(|job| job.status() == JobStatus::Running && job.spec.kind != JobKind::ClientWriter);
        while !left.is_empty() {
            let first = left.iter().position(|job| {
                !left.iter().any(|other| other.spec.targets.iter().any(|t| job.spec.sources.contains(t)))
            });
            let job = left.remove(first.unwrap_or(0));
            let shared = self.engine.shared.clone();
            self.drive(async move { shared.ask(|reply| Control::Drain { job, reply }).await })??;
            self.settle()?;
        }
        Ok(())
    }

    /// What print sinks have written since the last call.
    pub fn printed(&self) -> String {
        std::mem::take(&mut *self.printed.0.lock().expect("no holder of this lock panics"))
    }

    /// Why the tables that a query reads have what they have: rows that were late or set aside, what waits for a watermark.
    pub fn notes(&self) -> Vec<String> {
        let shared = &self.engine.shared;
        let mut notes = vec![];
        for job in shared.jobs.all() {
            let Some(stats) = job.stats() else { continue };
            let name = &job.spec.name;
            if stats.late() > 0 {
                notes.push(format!("{name}: {} rows came after their window had fired", stats.late()));
            }
            if stats.quarantined() > 0 {
                notes.push(format!(
                    "{name}: {} rows were set aside: they could not be read or computed",
                    stats.quarantined()
                ));
            }
        }
        notes
    }

    pub(crate) fn settings(&self) -> Settings {
        self.session.as_ref().map(|s| s.settings.clone()).unwrap_or_default()
    }

    // ---- turns

    /// Polls the future between turns until it is done.
    fn drive<T>(&mut self, future: impl Future<Output = T>) -> Result<T> {
        let mut future = pin!(future);
        for _ in 0..TURNS {
            {
                let _entered = self.runtime.enter();
                let mut cx = Context::from_waker(Waker::noop());
                if let Poll::Ready(done) = future.as_mut().poll(&mut cx) {
                    return Ok(done);
                }
            }
            self.turn()?;
        }
        Err(Error::external("the statement does not end"))
    }

    fn turn(&mut self) -> Result<()> {
        let _entered = self.runtime.enter();
        self.clock.turns.fetch_add(1, Relaxed);
        let mut alive = self.parts.turns();
        self.engine.shared.log.sync_all()?;
        for _ in 0..8 {
            self.parts.checkpoints.turn();
        }
        alive &= self.parts.turns();
        let failure = self.engine.shared.failure.borrow().clone();
        match failure {
            Some(reason) => Err(Error::external(reason)),
            None if !alive => Err(Error::external("the engine has ended")),
            None => Ok(()),
        }
    }

    fn at_rest(&self, jobs: &[Arc<Job>]) -> Result<bool> {
        let shared = &self.engine.shared;
        for job in jobs {
            match job.status() {
                JobStatus::Failed(reason) | JobStatus::Restarting(reason) => {
                    return Err(Error::data(format!("pipeline '{}' has failed: {reason}", job.spec.name)));
                }
                _ => {}
            }
        }
        let published = shared.published();
        for ((_, source), ends) in &published.positions {
            let Some((table, is_inbox)) = shared.table_of(source) else { continue };
            let topic = if is_inbox { table.inbox() } else { table.topic() };
            let ended = jobs.iter().all(|job| !job.spec.sources.contains(source) || !job.status().is_alive());
            if !ended && topic.is_some_and(|t| t.ends() != *ends) {
                return Ok(false);
            }
        }
        Ok(shared.durable.borrow().cut.epoch + 1 >= published.cut.epoch)
    }
}

/// The cells of a batch: numbers as they are, times with a blank, NULL.
pub(crate) fn texts(batch: &arrow::array::RecordBatch) -> Result<Vec<Vec<String>>> {
    let options = FormatOptions::default()
        .with_null("NULL")
        .with_timestamp_format(Some("%Y-%m-%d %H:%M:%S%.f"))
        .with_timestamp_tz_format(Some("%Y-%m-%d %H:%M:%S%.fZ"));
    let shown = |e| Error::bug(format!("a value cannot be shown: {e}"));
    let columns: Vec<_> = batch
        .columns()
        .iter()
        .map(|column| ArrayFormatter::try_new(column.as_ref(), &options))
        .collect::<std::result::Result<_, _>>()
        .map_err(shown)?;
    (0..batch.num_rows())
        .map(|row| columns.iter().map(|c| c.value(row).try_to_string().map_err(shown)).collect())
        .collect()
}

/// The statement without its connector, if it makes a table of one whose rows a test gives or reads. Metadata columns of
/// the connector are plain ones.
fn without_connector(statement: &str) -> String {
    let Ok(mut parsed) = parse_statement(statement) else { return statement.into() };
    let StatementKind::CreateTable(create) = &mut parsed.kind else { return statement.into() };
    let connector = create.options.iter().find(|o| o.key.value == "connector").map(|o| o.value.value.clone());
    if connector.is_none_or(|name| ["print", "blackhole"].contains(&name.as_str())) {
        return statement.into();
    }
    create.options.retain(|o| o.key.value.starts_with("scan.watermark."));
    for column in &mut create.columns {
        if let ColumnKind::Metadata { data_type, .. } = &column.kind {
            column.kind = ColumnKind::Physical { data_type: data_type.clone() };
        }
    }
    create.to_string()
}
