//! What the doors ask of the engine.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use arrow::compute::concat_batches;
use arus_access::Privilege;
use arus_core::Result;
use arus_core::catalog::{ColumnKind, ObjectPath, TableKind};
use arus_core::change::arrow_bug;
use arus_core::platform::{
    Again, ChangeEvent, Changed, Dashboard, DashboardChange, DiskUsage, Door, IngestReply, IngestRequest, LogDoor,
    PinnedBackup, Platform, QueryRows, Reading, ServerStatus, Session, Tick, Usage,
};
use arus_core::project::{ApplyReply, ApplyRequest};
use arus_core::read::{Cut, Snapshot};
use async_trait::async_trait;
use futures::StreamExt;
use futures::stream::{self, BoxStream};

use crate::access::{Action, Who};
use crate::changes;
use crate::config::kilobytes;
use crate::damage;
use crate::delivery::SinkFigures;
use crate::engine::Engine;
use crate::jobs::JobStatus;
use crate::log_door::EngineLog;
use crate::permitted::while_permitted;
use crate::session::EngineSession;
use crate::shared::Shared;
use crate::snapshot::EngineSnapshot;

/// The console redraws at most four times a second.
const TICK_MIN: Duration = Duration::from_millis(250);
const TICK_MAX: Duration = Duration::from_secs(1);

/// The engine as the doors hold it.
pub(crate) struct EnginePlatform {
    pub(crate) engine: Arc<Engine>,
    pub(crate) who: Who,
}

impl Engine {
    /// For the server itself, with all rights.
    pub fn platform(self: &Arc<Self>) -> Arc<dyn Platform> {
        Arc::new(EnginePlatform { engine: self.clone(), who: Who::Engine })
    }
}

#[async_trait]
impl Platform for EnginePlatform {
    fn user(&self) -> Option<String> {
        self.who.user().map(str::to_string)
    }

    fn session(&self, door: Door) -> Box<dyn Session> {
        Box::new(EngineSession::of(self.engine.clone(), door, self.who.clone()))
    }

    async fn ingest(&self, request: IngestRequest) -> Result<IngestReply> {
        self.engine.shared.authorize(&self.who, Action::On(Privilege::Insert, &request.table))?;
        self.engine.shared.ingest(request).await
    }

    fn changes(&self, table: &ObjectPath, from: Option<Cut>) -> Result<BoxStream<'static, Result<ChangeEvent>>> {
        let shared = &self.engine.shared;
        shared.authorize(&self.who, Action::On(Privilege::Select, table))?;
        let changes = changes::changes(shared, table, from)?;
        Ok(while_permitted(shared, &self.who, vec![table.clone()], changes))
    }

    async fn query(&self, sql: &str, params: &BTreeMap<String, serde_json::Value>) -> Result<QueryRows> {
        self.engine.shared.authorize(&self.who, Action::Stay)?;
        Ok(self.answer(sql, params, self.engine.shared.published()).await?.0)
    }

    async fn query_again(
        &self,
        sql: &str,
        params: &BTreeMap<String, serde_json::Value>,
        last: Option<&Reading>,
    ) -> Result<Again> {
        self.engine.shared.authorize(&self.who, Action::Stay)?;
        let published = self.engine.shared.published();
        if last.is_some_and(|last| self.still_holds(last, &published)) {
            return Ok(Again::Same { cut: published.cut, as_of_ms: published.as_of_ms });
        }
        let (rows, reading) = self.answer(sql, params, published).await?;
        Ok(Again::Rows(rows, reading))
    }

    async fn newest(&self, table: &ObjectPath, limit: usize) -> Result<QueryRows> {
        let shared = self.engine.shared.clone();
        shared.authorize(&self.who, Action::On(Privilege::Select, table))?;
        let path = table.clone();
        let read = tokio::task::spawn_blocking(move || newest(&shared, &path, limit));
        read.await.map_err(|e| arus_core::Error::bug(format!("a read has panicked: {e}")))?
    }

    fn ticks(&self) -> BoxStream<'static, Tick> {
        let shared = self.engine.shared.clone();
        let published = shared.published.subscribe();
        stream::unfold((shared, published, true), |(shared, mut published, first)| async move {
            if !first {
                tokio::time::sleep(TICK_MIN).await;
                let wait = tokio::time::timeout(TICK_MAX - TICK_MIN, published.changed()).await;
                if let Ok(Err(_)) = wait {
                    return None;
                }
            }
            let tick = tick(&shared);
            Some((tick, (shared, published, false)))
        })
        .boxed()
    }

    fn status(&self) -> ServerStatus {
        let shared = &self.engine.shared;
        let disk = &shared.disk;
        ServerStatus {
            version: env!("CARGO_PKG_VERSION"),
            name: shared.config.name.clone(),
            started_ms: shared.started_ms,
            incarnation: shared.incarnation,
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            memory: Usage { used_bytes: resident_bytes(shared), budget_bytes: shared.config.memory_bytes },
            disk: DiskUsage {
                used_bytes: disk.used(),
                free_bytes: disk.free(),
                limit_bytes: disk.limit,
                state: disk.state().name(),
            },
        }
    }

    fn metrics(&self) -> Result<String> {
        self.engine.shared.authorize(&self.who, Action::Watch("to read /metrics"))?;
        Ok(metrics(&self.engine.shared))
    }

    fn ready(&self) -> bool {
        self.engine.shared.ready.load(Relaxed)
    }

    fn warnings(&self) -> Vec<String> {
        match self.engine.shared.allows(&self.who, Action::Watch("to read warnings")) {
            true => self.engine.shared.warnings(),
            false => vec![],
        }
    }

    async fn apply(&self, request: ApplyRequest) -> Result<ApplyReply> {
        self.engine.shared.authorize(&self.who, Action::Administer("to apply a project"))?;
        self.engine.apply_project(request).await
    }

    async fn backup(&self) -> Result<PinnedBackup> {
        self.engine.shared.authorize(&self.who, Action::Administer("a backup"))?;
        self.engine.shared.backup().await
    }

    fn dashboards(&self) -> Result<Vec<Dashboard>> {
        self.engine.shared.authorize(&self.who, Action::Stay)?;
        self.engine.shared.dashboards()
    }

    async fn change_dashboard(&self, change: DashboardChange) -> Result<Changed> {
        let shared = self.engine.shared.clone();
        shared.authorize(&self.who, Action::Administer("to change a dashboard"))?;
        let written = tokio::task::spawn_blocking(move || shared.change_dashboard(&change));
        written.await.map_err(|e| arus_core::Error::bug(format!("a write has panicked: {e}")))?
    }

    fn log(&self) -> Arc<dyn LogDoor> {
        Arc::new(EngineLog { shared: self.engine.shared.clone(), who: self.who.clone() })
    }
}

impl Shared {
    /// What whoever runs the server should know now.
    pub(crate) fn warnings(&self) -> Vec<String> {
        self.disk.warning().into_iter().chain(damage::warning(self)).collect()
    }
}

fn tick(shared: &Shared) -> Tick {
    let published = shared.published();
    let durable = *shared.durable.borrow();
    let now_ms = shared.config.clock.now_ms();
    Tick {
        incarnation: published.cut.incarnation,
        epoch: published.cut.epoch,
        durable_epoch: durable.cut.epoch,
        now_ms,
        checkpoint_age_ms: (now_ms - durable.at_ms).max(0),
    }
}

/// The last rows of a topic, or some rows of a keyed table; newest first.
fn newest(shared: &Arc<Shared>, path: &ObjectPath, limit: usize) -> Result<QueryRows> {
    let published = shared.published();
    let snapshot = EngineSnapshot { shared: shared.clone(), published: published.clone(), skip_damage: false };
    let found = published.tables.get(path);
    let tail = found.filter(|f| f.table.topic().is_some()).map(|f| {
        let starts = f.ends.iter().map(|end| (end - limit as i64).max(0)).collect();
        (f, starts)
    });
    let table = match tail {
        Some((found, starts)) => snapshot.rows_after(path, found, starts),
        None => snapshot.table(path),
    };
    let Some(table) = table else {
        return Err(shared.tables.require(path).err().unwrap_or_else(|| {
            arus_core::Error::user(format!("table '{path}' cannot be read"))
                .with_code(arus_core::error::Code::UndefinedTable)
        }));
    };
    let physical = |i: &usize| {
        found.is_none_or(|f| {
            f.table.def.kind != TableKind::System
                && !matches!(f.table.def.columns[*i].kind, ColumnKind::Metadata { .. })
        })
    };
    let columns: Vec<usize> = (0..table.schema().len()).filter(physical).collect();
    let schema = Arc::new(table.schema().to_arrow().project(&columns).map_err(arrow_bug)?);
    let mut batches = vec![];
    let mut rows = 0;
    for batch in table.scan(&columns, Some(limit))? {
        let batch = batch?;
        rows += batch.num_rows();
        batches.push(batch);
        if found.is_none_or(|f| f.table.topic().is_none()) && rows >= limit {
            break;
        }
    }
    let all = concat_batches(&schema, &batches).map_err(arrow_bug)?;
    let newest_first: arrow::array::UInt32Array = (0..all.num_rows() as u32).rev().take(limit).collect();
    let all = arrow::compute::take_record_batch(&all, &newest_first).map_err(arrow_bug)?;
    Ok(QueryRows { schema, cut: published.cut, as_of_ms: published.as_of_ms, batches: vec![all] })
}

/// Resident memory, from /proc where there is one.
fn resident_bytes(shared: &Shared) -> u64 {
    kilobytes(shared.config.fs.as_ref(), "/proc/self/status", "VmRSS:")
}

fn metrics(shared: &Shared) -> String {
    let mut out = String::new();
    let published = shared.published();
    let durable = *shared.durable.borrow();
    let f = &shared.figures;
    let (last, all) = f.checkpoint_seconds();
    let mut one = |name: &str, kind: &str, help: &str, value: f64| {
        write!(out, "# HELP {name} {help}\n# TYPE {name} {kind}\n{name} {value}\n").expect("a String takes all");
    };
    one("arus_incarnation", "gauge", "number of this start of the server", published.cut.incarnation as f64);
    one("arus_epoch", "gauge", "newest epoch that readers see", published.cut.epoch as f64);
    one("arus_durable_epoch", "gauge", "epoch of the last checkpoint", durable.cut.epoch as f64);
    one(
        "arus_recovery_epoch",
        "gauge",
        "epoch that this start restored, 0 if none",
        f.recovery_epoch.load(Relaxed) as f64,
    );
    let replayed = f.recovery_replayed_rows.load(Relaxed) as f64;
    one("arus_recovery_replayed_rows", "gauge", "rows read again after the restored checkpoint", replayed);
    one("arus_checkpoint_seconds", "gauge", "how long the last checkpoint took", last);
    one("arus_checkpoint_seconds_total", "counter", "time of all checkpoints", all);
    one("arus_checkpoints_total", "counter", "checkpoints of this start", f.checkpoints.load(Relaxed) as f64);
    let abandoned = f.checkpoints_failed.load(Relaxed) as f64;
    one("arus_checkpoints_abandoned_total", "counter", "checkpoints that could not be written", abandoned);
    one(
        "arus_rows_accepted_total",
        "counter",
        "rows of clients that were acknowledged",
        f.rows_accepted.load(Relaxed) as f64,
    );
    one(
        "arus_rows_rejected_total",
        "counter",
        "rows of clients that were refused",
        f.rows_rejected.load(Relaxed) as f64,
    );
    let refused = f.requests_refused.load(Relaxed) as f64;
    one("arus_requests_refused_total", "counter", "requests with rows that were told to come again", refused);
    one("arus_producers_total", "counter", "ids given to idempotent producers", f.producers.load(Relaxed) as f64);
    one("arus_resident_bytes", "gauge", "resident memory", resident_bytes(shared) as f64);
    let running = shared.jobs.all().iter().filter(|j| j.status() == JobStatus::Running).count();
    one("arus_pipelines_running", "gauge", "pipelines that run", running as f64);
    let held = crate::memory::held(shared);
    let state: u64 = held.iter().map(|h| h.operators).sum();
    let rows: u64 = held.iter().map(|h| h.tables).sum();
    one("arus_memory_budget_bytes", "gauge", "the one memory budget", shared.config.memory_bytes as f64);
    one("arus_memory_state_bytes", "gauge", "memory of the state of pipelines", state as f64);
    one("arus_memory_tables_bytes", "gauge", "memory of keyed tables and their recent changes", rows as f64);
    let restarts = f.restarts.load(Relaxed) as f64;
    one("arus_pipeline_restarts_total", "counter", "pipelines started again after a failure", restarts);
    let disk = &shared.disk;
    one("arus_disk_used_bytes", "gauge", "bytes of the data folder", disk.used() as f64);
    one("arus_disk_free_bytes", "gauge", "bytes that are free on its disk", disk.free() as f64);
    one(
        "arus_disk_limit_bytes",
        "gauge",
        "bytes that --disk allows, 0 if it says nothing",
        disk.limit.unwrap_or(0) as f64,
    );
    one("arus_disk_state", "gauge", "0 ok, 1 filling up, 2 full: no rows are taken", f64::from(disk.state() as u8));
    one("arus_disk_refused_total", "counter", "requests refused for want of disk", disk.refused() as f64);
    let damages = damage::count(shared) as f64;
    one("arus_damaged_places", "gauge", "places of the data folder that cannot be read", damages);
    per_table(shared, &mut out);
    per_operator(shared, &mut out);
    per_sink(shared, &mut out);
    crate::alerts::metrics(shared, &mut out);
    out
}

fn per_table(shared: &Shared, out: &mut String) {
    let tables = shared.published();
    let mut found: Vec<_> = tables.tables.values().collect();
    found.sort_by(|a, b| a.table.def.path.cmp(&b.table.def.path));
    for (name, help) in [
        ("arus_late_rows_total", "rows that came after their window had fired"),
        ("arus_quarantined_rows_total", "rows and records that were set aside"),
    ] {
        write!(out, "# HELP {name} {help}\n# TYPE {name} counter\n").expect("a String takes all");
        for table in &found {
            // Not the length of the table that keeps them: its oldest rows go.
            let kept = if name.contains("late") { &table.table.late } else { &table.table.quarantine };
            let (path, rows) = (label(&table.table.def.path.to_string()), kept.rows_ever());
            writeln!(out, "{name}{{table=\"{path}\"}} {rows}").expect("a String takes all");
        }
    }
    let (name, help) = ("arus_side_rows_dropped_total", "late and quarantined rows that had to go for newer ones");
    write!(out, "# HELP {name} {help}\n# TYPE {name} counter\n").expect("a String takes all");
    for table in &found {
        let path = label(&table.table.def.path.to_string());
        for (side, kept) in [("late", &table.table.late), ("quarantine", &table.table.quarantine)] {
            let rows = kept.rows_dropped();
            writeln!(out, "{name}{{table=\"{path}\",side=\"{side}\"}} {rows}").expect("a String takes all");
        }
    }
}

fn per_sink(shared: &Shared, out: &mut String) {
    let jobs = shared.jobs.all();
    type Figure = fn(&SinkFigures) -> u64;
    let figures: [(&str, &str, &str, Figure); 6] = [
        ("arus_sink_delivered_rows_total", "counter", "rows that a sink has taken", |f| f.delivered_rows),
        ("arus_sink_rejected_rows_total", "counter", "rows that a sink would not take", |f| f.rejected_rows),
        ("arus_sink_undelivered_rows", "gauge", "rows in outboxes", |f| f.undelivered_rows),
        ("arus_sink_undelivered_bytes", "gauge", "size of outboxes", |f| f.undelivered_bytes),
        ("arus_sink_failures_total", "counter", "deliveries that were tried in vain", |f| f.failures_ever),
        ("arus_sink_waits", "gauge", "1 while a pipeline waits for its sink", |f| {
            u64::from(f.full || f.delivered.is_none())
        }),
    ];
    for (name, kind, help, figure) in figures {
        write!(out, "# HELP {name} {help}\n# TYPE {name} {kind}\n").expect("a String takes all");
        for (job, sink) in jobs.iter().flat_map(|job| job.sinks().into_iter().map(move |sink| (job, sink))) {
            let (pipeline, table) = (label(&job.spec.name), label(&sink.table.to_string()));
            let value = figure(&sink.figures());
            writeln!(out, "{name}{{pipeline=\"{pipeline}\",table=\"{table}\"}} {value}").expect("a String takes all");
        }
    }
}

fn per_operator(shared: &Shared, out: &mut String) {
    let jobs = shared.jobs.all();
    for (name, kind, help) in [
        ("arus_operator_rows_in_total", "counter", "rows that an operator has taken"),
        ("arus_operator_rows_out_total", "counter", "rows that an operator has given"),
        ("arus_operator_busy_seconds_total", "counter", "time that an operator has worked"),
        ("arus_operator_state_bytes", "gauge", "memory of an operator's state"),
    ] {
        write!(out, "# HELP {name} {help}\n# TYPE {name} {kind}\n").expect("a String takes all");
        for job in &jobs {
            let Some(stats) = job.stats() else { continue };
            for operator in stats.operators() {
                let figures = operator.figures();
                let value = match name {
                    "arus_operator_rows_in_total" => figures.rows_in as f64,
                    "arus_operator_rows_out_total" => figures.rows_out as f64,
                    "arus_operator_busy_seconds_total" => figures.busy_ns as f64 / 1e9,
                    _ => figures.state_bytes as f64,
                };
                let pipeline = label(&job.spec.name);
                let (node, operator) = (operator.node, operator.name);
                writeln!(out, "{name}{{pipeline=\"{pipeline}\",operator=\"{operator}\",node=\"{node}\"}} {value}")
                    .expect("a String takes all");
            }
        }
    }
}

pub(crate) fn label(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', " ")
}
