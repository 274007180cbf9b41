//! One script on a server that is killed and restored, in one thread on a simulated disk.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use arus_connect::RowLines;
use arus_core::catalog::{Catalog, CatalogObject, ObjectPath};
use arus_core::clock::Clock;
use arus_core::connector::LineOutput;
use arus_core::fs::{File, Fs};
use arus_core::platform::{Door, Session, StatementOutput};
use arus_core::rng::Rng;
use arus_core::settings::{DIALECT, Settings};
use arus_core::{ChangeBatch, LogicalType, Result, RowSchema, TypeKind};
use arus_sql::Planned;
use arus_sql::parser::split_script;
use arus_storage::sim::MemoryFs;

use super::lines::Key;
use crate::engine::Parts;
use crate::jobs::{JobKind, JobStatus};
use crate::session::{EngineSession, is_query};
use crate::{Engine, EngineConfig, bounded};

/// Rounds that a statement, or all jobs together, may take.
const PATIENCE: usize = 20_000;
/// So many batches an input is read in, about.
const BATCHES: usize = 24;
const WORKING_DIR: &str = "/work";
/// When the server starts for the first time: after all times of the inputs, far from the end of a day.
const NOON_MS: i64 = 1_798_977_600_000;

/// Each look at it takes 2 ms, the length of a turn: a turn reads one batch.
struct Ticking(AtomicU64);

impl Clock for Ticking {
    fn now_ms(&self) -> i64 {
        NOON_MS + (self.0.load(SeqCst) / 1_000_000) as i64
    }

    fn monotonic_ns(&self) -> u64 {
        self.0.fetch_add(2_000_000, SeqCst)
    }
}

/// What is printed.
#[derive(Default)]
struct Printed(Mutex<Vec<String>>);

impl LineOutput for Printed {
    fn write_lines(&self, lines: &str) -> Result<()> {
        let lines = lines.strip_suffix('\n').unwrap_or(lines);
        self.0.lock().unwrap().extend(lines.split('\n').map(str::to_string));
        Ok(())
    }
}

impl Printed {
    fn len(&self) -> usize {
        self.0.lock().unwrap().len()
    }
}

struct Nowhere;

impl LineOutput for Nowhere {
    fn write_lines(&self, _lines: &str) -> Result<()> {
        Ok(())
    }
}

#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Restarts {
    pub(super) kills: usize,
    /// Rows stood in the restored checkpoint, and rows came after it.
    pub(super) in_the_middle: usize,
    /// Rows that were read once more.
    pub(super) replayed: u64,
    pub(super) tables: usize,
    pub(super) printed: usize,
}

impl Restarts {
    pub(super) fn add(&mut self, other: &Restarts) {
        self.kills += other.kills;
        self.in_the_middle += other.in_the_middle;
        self.replayed += other.replayed;
        self.tables += other.tables;
        self.printed += other.printed;
    }
}

pub(super) enum Ended {
    Finished {
        lines: Vec<String>,
        key: Option<Key>,
    },
    /// With the reason.
    Failed(String),
    NoJob,
}

/// What stood where at an epoch.
#[derive(Clone, Copy, Default)]
struct Mark {
    lines: usize,
    rows: u64,
}

/// Over how many tasks a job may be spread.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Tasks {
    Any,
    One,
}

struct Server {
    engine: Arc<Engine>,
    parts: Parts,
}

pub(super) struct Trial {
    rng: Rng,
    /// Whether results may be kept in tables.
    tables: bool,
    verbose: bool,
    clock: Arc<Ticking>,
    fs: MemoryFs,
    printed: Arc<Printed>,
    server: Option<Server>,
    batch_rows: usize,
    spread: Tasks,
    tasks: usize,
    /// By epoch.
    marks: BTreeMap<u64, Mark>,
    /// The epoch that this life began with, and the rows that were read up to it.
    restored: u64,
    rows_before: u64,
    /// No source reads while statements are still to come.
    gates_shut: bool,
    /// Tables that queries fill, with the columns that are shown.
    results: Vec<(String, RowSchema)>,
    printing: Vec<ObjectPath>,
    /// Columns that are not printed.
    pub(super) hidden: Vec<usize>,
    pub(super) restarts: Restarts,
}

type Wrong = String;

/// The input of a script, on a disk of its own.
fn disk_of(script: &str) -> (MemoryFs, usize) {
    let (fs, mut lines) = (MemoryFs::new(), 0);
    let mut rest = vec![];
    for (start, _) in script.match_indices("'data/") {
        rest.push(PathBuf::from(script[start + 1..].split('\'').next().unwrap_or_default()));
    }
    let mut folders = BTreeSet::from(["/", "/data", WORKING_DIR].map(PathBuf::from));
    while let Some(path) = rest.pop() {
        let (from, to) = (super::folder().join(&path), Path::new(WORKING_DIR).join(&path));
        if from.is_dir() {
            folders.extend(to.ancestors().map(Path::to_path_buf));
            rest.extend(std::fs::read_dir(from).unwrap().map(|entry| path.join(entry.unwrap().file_name())));
        } else if from.is_file() && !fs.exists(&to).unwrap() {
            folders.extend(to.ancestors().skip(1).map(Path::to_path_buf));
            folders.iter().for_each(|folder| fs.create_dir_all(folder).unwrap());
            let bytes = std::fs::read(from).unwrap();
            lines = lines.max(bytes.iter().filter(|b| **b == b'\n').count());
            let file: Arc<dyn File> = fs.open_append(&to).unwrap();
            file.append(&bytes).unwrap();
            file.sync().unwrap();
        }
    }
    // All of it was there before the power could fail.
    folders.iter().for_each(|folder| fs.create_dir_all(folder).unwrap());
    folders.iter().for_each(|folder| fs.sync_dir(folder).unwrap());
    (fs, lines)
}

/// What JSON gives back as it was: rows of a table without a key are stored so.
fn is_plain(schema: &RowSchema) -> bool {
    let plain = |ty: &TypeKind| {
        !matches!(
            ty,
            TypeKind::Null
                | TypeKind::Map(..)
                | TypeKind::Multiset(..)
                | TypeKind::Array(..)
                | TypeKind::Row(..)
                | TypeKind::IntervalYearMonth
                | TypeKind::IntervalDayTime
                | TypeKind::Time(..)
        )
    };
    schema.types().all(|ty| plain(&ty.kind))
}

impl Trial {
    pub(super) fn new(mut rng: Rng, tasks: Tasks, tables: bool, verbose: bool, script: &str) -> Trial {
        let (fs, lines) = disk_of(script);
        Trial {
            tables,
            spread: tasks,
            verbose,
            clock: Arc::new(Ticking(AtomicU64::new(1_000_000_000))),
            fs,
            printed: Arc::default(),
            server: None,
            batch_rows: (lines / BATCHES).max(1),
            tasks: if tasks == Tasks::One { 1 } else { 1 + rng.below(3) as usize },
            marks: BTreeMap::new(),
            restored: 0,
            rows_before: 0,
            gates_shut: true,
            results: vec![],
            printing: vec![],
            hidden: vec![],
            restarts: Restarts::default(),
            rng,
        }
    }

    fn say(&self, what: impl FnOnce() -> String) {
        if self.verbose {
            println!("{}", what());
        }
    }

    fn server(&mut self) -> &mut Server {
        self.server.as_mut().expect("it runs")
    }

    // ---- lives of the server ---------------------------------------------------------------------------

    fn start(&mut self) -> Result<(), Wrong> {
        let mut config = EngineConfig::new(PathBuf::from("/data")).expect("a configuration");
        config.working_dir = PathBuf::from(WORKING_DIR);
        config.allow_paths = vec![PathBuf::from("/")];
        config.memory_bytes = 1 << 30;
        config.fs = self.fs.shared();
        config.clock = self.clock.clone();
        config.stdout = self.printed.clone();
        config.stderr = Arc::new(Nowhere);
        config.seed = 1;
        config.threads = 1 + self.rng.below(3) as usize;
        config.parallelism = self.tasks;
        config.batch_rows = self.batch_rows;
        let (engine, parts) = Engine::assemble(config, false).map_err(|e| format!("  it does not start: {e}\n"))?;
        self.restored = engine.shared.durable.borrow().cut.epoch;
        let mark = self.marks.get(&self.restored).copied().unwrap_or_default();
        self.marks.retain(|epoch, _| *epoch <= self.restored);
        self.marks.insert(self.restored, mark);
        self.printed.0.lock().unwrap().truncate(mark.lines);
        self.rows_before = mark.rows;
        let (epoch, tasks) = (self.restored, self.tasks);
        self.say(|| format!("starts from epoch {epoch} with {tasks} tasks, {} rows, {} lines", mark.rows, mark.lines));
        self.server = Some(Server { engine, parts });
        Ok(())
    }

    /// kill -9 or a power failure, then the next life, at another parallelism.
    fn restart(&mut self) -> Result<(), Wrong> {
        let read = self.rows_read();
        drop(self.server.take());
        self.fs = if self.rng.below(2) == 0 { self.fs.kill() } else { self.fs.crash(self.rng.next_u64()) };
        if self.spread == Tasks::Any {
            self.tasks = 1 + (self.tasks + self.rng.below(3) as usize) % 4;
        }
        self.start()?;
        self.restarts.kills += 1;
        self.restarts.replayed += read.saturating_sub(self.rows_before);
        Ok(())
    }

    fn rows_read(&self) -> u64 {
        let jobs = self.server.as_ref().map(|s| s.engine.shared.jobs.all()).unwrap_or_default();
        self.rows_before + jobs.iter().filter_map(|job| job.stats()).map(|stats| stats.rows_read()).sum::<u64>()
    }

    /// Everybody's turn.
    fn turn(&mut self) -> Result<(), Wrong> {
        let pause_ms = [1, 60, 1_100][self.rng.below(3) as usize];
        self.clock.0.fetch_add(pause_ms * 1_000_000, SeqCst);
        let shut = self.gates_shut;
        let (rows, lines) = (self.rows_read(), self.printed.len());
        let server = self.server.as_mut().expect("it runs");
        let shared = server.engine.shared.clone();
        let mut alive = server.parts.domain.turn();
        if shut {
            shared.jobs.all().iter().for_each(|job| job.gate.set_shut(true));
        }
        // All tasks stood still while the epoch ended.
        self.marks.entry(shared.published().cut.epoch).or_insert(Mark { lines, rows });
        let server = self.server();
        for worker in &mut server.parts.workers {
            alive &= worker.turn();
        }
        shared.log.sync_all().map_err(|e| format!("  the log: {e}\n"))?;
        while server.parts.checkpoints.turn() {}
        match shared.failure.borrow().as_ref() {
            Some(reason) => Err(format!("  the server stops: {reason}\n")),
            None if !alive => Err("  a thread has ended\n".into()),
            None => Ok(()),
        }
    }

    // ---- statements ------------------------------------------------------------------------------------

    pub(super) fn run(&mut self, script: &str) -> Result<Ended, Wrong> {
        self.start()?;
        let mut session = EngineSession::new(self.server().engine.clone(), Door::Console);
        session.settings.set(DIALECT, "flink");
        for span in split_script(script) {
            let statement = span.of(script).replace("TEMPORARY ", "");
            if statement.contains("'parallelism.default'") || statement.contains("'table.dml-sync'") {
                continue;
            }
            let outcome;
            (session, outcome) = if is_query(&statement) {
                let print = self.print_of(&session.settings, &statement);
                self.fill(session, &statement, &print)?
            } else {
                match self.insert_as_query(&session.settings, &statement) {
                    Some(query) => self.fill(session, &query, &statement)?,
                    None => self.execute(session, statement.clone())?,
                }
            };
            if let Err(e) = outcome {
                return Err(format!("  {e}\n  in: {statement}\n"));
            }
        }
        drop(session);
        let shared = self.server().engine.shared.clone();
        if shared.jobs.all().iter().all(|job| job.spec.kind == JobKind::ClientWriter) {
            return Ok(Ended::NoJob);
        }
        self.gates_shut = false;
        let jobs = shared.jobs.all();
        jobs.iter().for_each(|job| job.gate.set_shut(false));
        drop(shared);
        if let Some(reason) = self.live()? {
            return Ok(Ended::Failed(reason));
        }
        self.restarts.tables = self.results.len();
        let prints = |job: &Arc<crate::jobs::Job>| job.spec.targets.iter().any(|t| self.printing.contains(t));
        self.restarts.printed = jobs.iter().filter(|job| prints(job)).count();
        self.read()
    }

    fn execute(&mut self, mut session: EngineSession, sql: String) -> Result<(EngineSession, Result<()>), Wrong> {
        self.say(|| sql.clone());
        if let Ok(planned) = self.server().engine.shared.plan(&sql, &session.settings, false) {
            let printing = match &planned.planned {
                Planned::CreateTable { table, .. } | Planned::CreateTableAs { table, .. } => Some(table),
                _ => None,
            };
            self.printing.extend(printing.filter(|t| t.connector() == Some("print")).map(|t| t.path.clone()));
        }
        let mut call = Box::pin(async move {
            let outcome = match session.execute(&sql, &[]).await {
                Ok(StatementOutput::Done(_) | StatementOutput::Rows(_)) => Ok(()),
                Err(e) => Err(e),
            };
            (session, outcome)
        });
        let mut cx = Context::from_waker(Waker::noop());
        for _ in 0..PATIENCE {
            if let Poll::Ready(done) = call.as_mut().poll(&mut cx) {
                return Ok(done);
            }
            self.turn()?;
        }
        Err("  a statement does not end\n".into())
    }

    /// The query fills a table; where its rows cannot be kept as they are, they are printed.
    fn fill(
        &mut self,
        mut session: EngineSession,
        query: &str,
        print: &str,
    ) -> Result<(EngineSession, Result<()>), Wrong> {
        let planned = self.server().engine.shared.plan(query, &session.settings, false);
        if let Ok(Planned::Select { plan, schema }) = planned.map(|p| p.planned) {
            let insert_only = plan
                .sinks()
                .all(|(id, _)| plan.nodes[id].inputs.iter().all(|input| plan.nodes[*input].mode.is_insert_only()));
            if self.tables && (!insert_only || is_plain(&schema)) {
                let name = format!("default_catalog.default_database.result_{}", self.results.len());
                let outcome;
                (session, outcome) = self.execute(session, format!("CREATE MATERIALIZED TABLE {name} AS {query}"))?;
                match outcome {
                    Ok(()) => {
                        self.results.push((name, schema));
                        self.hidden.clear();
                        return Ok((session, Ok(())));
                    }
                    Err(e) => self.say(|| format!("no table: {e}")),
                }
            }
        }
        self.execute(session, print.to_string())
    }

    /// What prints a query's rows, but for columns of a type that no table has.
    fn print_of(&mut self, settings: &Settings, query: &str) -> String {
        let mut query = query.to_string();
        if let Ok(planned) = self.server().engine.shared.plan(&query, settings, false)
            && let Planned::Select { schema, .. } = planned.planned
        {
            let columns = schema.columns();
            let hidden = |at: &usize| matches!(columns[*at].ty.kind, TypeKind::Multiset(_));
            self.hidden = (0..columns.len()).filter(hidden).collect();
            if !self.hidden.is_empty() {
                let shown = (0..columns.len()).filter(|at| !hidden(at)).map(|at| format!("`{}`", columns[at].name));
                query = format!("SELECT {} FROM ({query})", shown.collect::<Vec<_>>().join(", "));
            }
        }
        let name = format!("printed_{}", self.results.len() + self.printing.len());
        format!("CREATE TABLE {name} WITH ('connector' = 'print') AS {query}")
    }

    /// The query of an INSERT into a print sink without a key, when it has the sink's types: then it may fill a table.
    fn insert_as_query(&mut self, settings: &Settings, statement: &str) -> Option<String> {
        let shared = self.server().engine.shared.clone();
        let Planned::Insert { target, .. } = shared.plan(statement, settings, false).ok()?.planned else { return None };
        let CatalogObject::Table(def) = shared.catalog.object(&target)? else { return None };
        let plain = def.options.keys().all(|key| key == "connector") && def.connector() == Some("print");
        let (head, query) = statement.split_at(statement.find("SELECT")?);
        if !plain || !def.primary_key.is_empty() || head.contains('(') || !head.trim_start().starts_with("INSERT INTO")
        {
            return None;
        }
        let Planned::Select { schema, .. } = shared.plan(query, settings, false).ok()?.planned else { return None };
        let written = def.physical_schema();
        let takes = |(written, made): (&LogicalType, &LogicalType)| {
            written.kind == made.kind && (written.nullable || !made.nullable)
        };
        let same = written.len() == def.columns.len() && written.len() == schema.len();
        (same && written.types().zip(schema.types()).all(takes)).then(|| query.to_string())
    }

    // ---- jobs ------------------------------------------------------------------------------------------

    /// Until all jobs have ended, over kills; the reason when one has failed.
    fn live(&mut self) -> Result<Option<String>, Wrong> {
        let mut kills = 1 + self.rng.below(3);
        let mut delay = self.rng.below(3);
        for _ in 0..PATIENCE {
            self.turn()?;
            let shared = self.server().engine.shared.clone();
            let jobs = shared.jobs.all();
            if let Some(reason) = jobs.iter().find_map(|job| match job.status() {
                JobStatus::Failed(reason) => Some(reason),
                _ => None,
            }) {
                return Ok(Some(reason));
            }
            let runs = jobs.iter().any(|job| job.spec.kind != JobKind::ClientWriter && job.status().is_alive());
            if !runs {
                self.note_middle();
                // What has ended stays.
                return self.restart().map(|()| None);
            }
            let durable = shared.durable.borrow().cut.epoch;
            let rows = self.marks.get(&durable).map_or(0, |mark| mark.rows);
            if kills > 0 && durable > self.restored && rows > self.rows_before {
                if delay > 0 {
                    delay -= 1;
                    continue;
                }
                (kills, delay) = (kills - 1, self.rng.below(4));
                drop((shared, jobs));
                self.note_middle();
                self.restart()?;
            }
        }
        let jobs = self.server().engine.shared.jobs.all();
        let left: Vec<_> = jobs.iter().map(|job| format!("{}: {:?}", job.spec.name, job.status())).collect();
        Err(format!("  the jobs do not end: {}\n", left.join(", ")))
    }

    /// Whether this life has gone on from the middle.
    fn note_middle(&mut self) {
        if self.rows_before > 0 && self.rows_read() > self.rows_before {
            self.restarts.in_the_middle += 1;
        }
    }

    // ---- results ---------------------------------------------------------------------------------------

    /// All results as lines.
    fn read(&mut self) -> Result<Ended, Wrong> {
        for _ in 0..8 {
            self.turn()?;
        }
        let shared = self.server().engine.shared.clone();
        let mut settings = Settings::default();
        settings.set(DIALECT, "flink");
        let mut text = String::new();
        for (name, schema) in &self.results {
            let wrong = |e: arus_core::Error| format!("  {name} cannot be read: {e}\n");
            let planned = shared.plan(&format!("SELECT * FROM {name}"), &settings, true).map_err(wrong)?;
            let Planned::Select { plan, .. } = planned.planned else { return Err("  no query\n".into()) };
            let lines = RowLines::new(schema.types().cloned().collect(), String::new());
            for batch in bounded::rows(&shared, &shared.published(), &plan, &settings).map_err(wrong)? {
                lines.write(&ChangeBatch::inserts(batch.map_err(wrong)?), &mut text);
            }
        }
        let mut lines: Vec<String> = text.lines().map(str::to_string).collect();
        lines.extend(self.printed.0.lock().unwrap().iter().cloned());
        let keys: Vec<Key> = self
            .printing
            .iter()
            .filter_map(|path| match shared.catalog.object(path)? {
                CatalogObject::Table(def) => Some(def.primary_key.clone()),
                CatalogObject::View(_) => None,
            })
            .collect();
        let key = keys.first().filter(|key| !key.is_empty() && keys.iter().all(|k| k == *key)).cloned();
        Ok(Ended::Finished { lines, key: key.filter(|_| self.results.is_empty()) })
    }
}
