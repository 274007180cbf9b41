//! The content of the system tables.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use arus_core::Datum;
use arus_core::catalog::{ColumnKind, TableKind};
use arus_core::plan::Op;
use arus_core::read::ReadTable;
use arus_core::settings::KEYS;
use serde_json::json;

use crate::alerts::shown_statement;
use crate::jobs::{Job, JobKind, JobStatus};
use crate::published::{Published, PublishedTable};
use crate::shared::Shared;
use crate::system::{self, big, instant, optional_text, text};
use crate::tables::{Store, Writer};

pub(crate) fn names() -> Vec<String> {
    system::ALL.iter().map(|t| t.name.to_string()).collect()
}

pub(crate) fn table(shared: &Arc<Shared>, published: &Published, name: &str) -> Option<Arc<dyn ReadTable>> {
    let (table, rows) = match name {
        "epochs" => (&system::EPOCHS, epochs(shared, published)),
        "positions" => (&system::POSITIONS, positions(published)),
        "tables" => (&system::TABLES, tables(shared, published)),
        "pipelines" => (&system::PIPELINES, pipelines(shared)),
        "operators" => (&system::OPERATORS, operators(shared)),
        "sinks" => (&system::SINKS, sinks(shared)),
        "settings" => (&system::SETTINGS, settings()),
        "disk" => (&system::DISK, disk(shared)),
        "alerts" => (&system::ALERTS, crate::alerts::rows_of_alerts(shared)),
        "alert_cases" => (&system::ALERT_CASES, crate::alerts::rows_of_cases(shared)),
        "alert_events" => (&system::ALERT_EVENTS, crate::alerts::rows_of_events(shared)),
        "damages" => (&system::DAMAGES, crate::damage::rows(shared)),
        _ => return None,
    };
    match table.table(&rows) {
        Ok(table) => Some(table),
        Err(e) => {
            tracing::error!("system table '{name}': {e}");
            None
        }
    }
}

fn epochs(shared: &Shared, published: &Published) -> Vec<Vec<Datum>> {
    let durable = *shared.durable.borrow();
    vec![vec![big(published.cut.incarnation), big(published.cut.epoch), Datum::Boolean(durable.cut >= published.cut)]]
}

fn disk(shared: &Shared) -> Vec<Vec<Datum>> {
    let disk = &shared.disk;
    vec![vec![
        text(disk.state().name()),
        big(disk.used()),
        disk.limit.map_or(Datum::Null, big),
        big(disk.free()),
        big(disk.floor()),
        big(disk.refused()),
        optional_text(disk.warning()),
    ]]
}

fn positions(published: &Published) -> Vec<Vec<Datum>> {
    let rows = published.positions.iter().flat_map(|((pipeline, table), offsets)| {
        offsets.iter().enumerate().map(move |(partition, offset)| {
            let table = table.to_string();
            let table = table.strip_suffix(crate::shared::INBOX_SUFFIX).unwrap_or(&table).to_string();
            vec![text(table), Datum::Int(partition as i32), Datum::BigInt(*offset), text(pipeline)]
        })
    });
    rows.collect()
}

fn settings() -> Vec<Vec<Datum>> {
    KEYS.iter().map(|k| vec![text(k.name), text(k.default), text("default")]).collect()
}

fn tables(shared: &Shared, published: &Published) -> Vec<Vec<Datum>> {
    let mut found: Vec<&PublishedTable> = published.tables.values().collect();
    found.sort_by(|a, b| a.table.def.path.cmp(&b.table.def.path));
    found.into_iter().map(|f| table_row(shared, f)).collect()
}

fn table_row(shared: &Shared, found: &PublishedTable) -> Vec<Datum> {
    let table = &found.table;
    let def = &table.def;
    let sink_only = || {
        use arus_core::catalog::ConnectorCatalog;
        let connector = def.connector().and_then(|name| shared.registry.connector(name));
        connector.is_some_and(|c| !c.is_source())
    };
    let kind = match def.kind {
        TableKind::Topic => "topic",
        TableKind::Keyed => "keyed table",
        TableKind::System => "system",
        TableKind::Connector if sink_only() => "sink",
        TableKind::Connector => "source",
    };
    let (total, bytes) = match &table.store {
        Store::Keyed { .. } => (found.rows.as_ref().map(|r| r.len()), None),
        Store::Topic(topic) | Store::Connector { inbox: Some(topic) } => {
            let starts: i64 = topic.partitions().iter().map(|p| p.start_offset()).sum();
            (Some((found.ends.iter().sum::<i64>() - starts).max(0) as u64), Some(topic.bytes()))
        }
        Store::Connector { inbox: None } => (None, None),
    };
    let now_ms = shared.config.clock.now_ms();
    let written = table.topic().or(table.inbox()).map_or(0, |t| t.ends().iter().sum::<i64>().max(0) as u64);
    let written = written.max(table.rows_in.load(Relaxed));
    let rate = table.rates.lock().expect("no holder of this lock panics").sample(now_ms, &[written])[0];
    let newest = Some(table.newest_ms.load(Relaxed)).filter(|ms| *ms != i64::MIN);
    let mut readers = shared.jobs.readers(&def.path);
    readers.retain(|job| job.status().is_alive());
    let watermark = readers.iter().filter_map(|job| watermark_of(job, &def.path.to_string())).min();
    let columns: Vec<_> = def
        .columns
        .iter()
        .map(|c| {
            let virtual_kind = match &c.kind {
                ColumnKind::Physical => None,
                ColumnKind::Metadata { .. } => Some("metadata"),
                ColumnKind::Computed { .. } => Some("computed"),
            };
            json!({"name": c.name, "type": c.ty.kind.to_string(), "nullable": c.ty.nullable, "comment": c.comment, "kind": virtual_kind})
        })
        .collect();
    vec![
        text(&def.path.name),
        text(&def.path.database),
        text(kind),
        optional_text(def.connector()),
        optional_text(def.option("format").or((def.kind == TableKind::Topic).then_some("json"))),
        text(serde_json::Value::Array(columns).to_string()),
        total.map_or(Datum::Null, big),
        bytes.map_or(Datum::Null, big),
        Datum::Double(rate),
        instant(newest),
        instant(watermark),
        optional_text(match table.writer() {
            Writer::Nobody => None,
            Writer::Clients => Some("clients".to_string()),
            Writer::Pipeline(name) => Some(name),
        }),
        text(readers.iter().map(|j| j.spec.name.as_str()).collect::<Vec<_>>().join(",")),
        big(found.late.len()),
        big(found.quarantine.len()),
        optional_text(shared.ddl_text(&def.path)),
    ]
}

fn watermark_of(job: &Job, table: &str) -> Option<i64> {
    let stats = job.stats()?;
    stats.operators().iter().filter(|o| o.table.as_deref() == Some(table)).map(|o| o.figures().watermark).min()
}

fn pipelines(shared: &Shared) -> Vec<Vec<Datum>> {
    let shown = |job: &&Arc<Job>| job.spec.kind != JobKind::ClientWriter;
    shared.jobs.all().iter().filter(shown).map(|job| pipeline_row(shared, job)).collect()
}

fn pipeline_row(shared: &Shared, job: &Job) -> Vec<Datum> {
    let spec = &job.spec;
    let status = job.status();
    let now_ms = shared.config.clock.now_ms();
    let figures: Vec<_> =
        job.stats().map(|s| s.operators().iter().map(|o| (o.name, o.figures())).collect()).unwrap_or_default();
    let scans = || figures.iter().filter(|(name, _)| *name == "TableSourceScan").map(|(_, f)| f);
    let sinks = || figures.iter().filter(|(name, _)| *name == "Sink").map(|(_, f)| f);
    let rows_in: u64 = scans().map(|f| f.rows_out).sum();
    let rows_out: u64 = sinks().map(|f| f.rows_in).sum();
    let busy_ns: u64 = figures.iter().map(|(_, f)| f.busy_ns).sum();
    let rates = job.rates.lock().expect("no holder of this lock panics").sample(now_ms, &[rows_in, rows_out, busy_ns]);
    let watermark = sinks().map(|f| f.watermark).min();
    let running = status == JobStatus::Running;
    let behind = watermark.filter(|w| running && *w > 0 && *w < i64::MAX).map(|w| (now_ms - w).max(0));
    let backlog: u64 = scans().map(|f| f.backlog).sum();
    let waits = waits_for(job).filter(|_| running);
    let targets: Vec<String> = spec.targets.iter().map(ToString::to_string).collect();
    let sources: Vec<String> = spec.sources.iter().map(ToString::to_string).collect();
    let alert = || shared.alerts.of_pipeline(spec.item.as_ref()?.id);
    let statement = match spec.kind {
        // Its clauses change while it runs, and have secrets of their own.
        JobKind::Alert => alert().map(|alert| shown_statement(&alert)).unwrap_or_default(),
        _ => arus_core::secret::shown_sql(&spec.sql),
    };
    vec![
        text(&spec.id),
        text(&spec.name),
        text(spec.kind.name()),
        text(if waits.is_some() { "waiting" } else { status.name() }),
        optional_text(waits.as_deref().or(status.reason())),
        text(statement),
        text(targets.join(",")),
        text(sources.join(",")),
        instant(Some(spec.started_ms)),
        Datum::Double(if running { rates[0] } else { 0.0 }),
        Datum::Double(if running { rates[1] } else { 0.0 }),
        Datum::Double(if running { rates[2] / 1e9 } else { 0.0 }),
        behind.map_or(Datum::Null, Datum::BigInt),
        big(backlog),
        instant(watermark),
        big(figures.iter().map(|(_, f)| f.state_bytes).sum()),
        Datum::Boolean(backlog > 10_000),
    ]
}

/// Why the sources of a pipeline stand still, if they do.
fn waits_for(job: &Job) -> Option<String> {
    if !job.gate.is_shut() {
        return None;
    }
    let sinks = job.sinks();
    let found = sinks
        .iter()
        .map(|sink| (sink, sink.figures()))
        .find(|(_, f)| f.full || f.delivered.is_none() || f.failures > 0);
    let (sink, figures) = found?;
    let error = figures.last_error.unwrap_or_else(|| "it has not answered yet".into());
    Some(match figures.undelivered_outboxes {
        0 => format!("its sink '{}' is not open: {error}", sink.table),
        n => format!("{n} checkpoints are not delivered to its sink '{}': {error}", sink.table),
    })
}

fn sinks(shared: &Shared) -> Vec<Vec<Datum>> {
    let mut rows = vec![];
    for job in shared.jobs.all() {
        for sink in job.sinks() {
            let f = sink.figures();
            rows.push(vec![
                text(&job.spec.id),
                text(&job.spec.name),
                text(sink.table.to_string()),
                text(f.state.name()),
                Datum::Boolean(job.gate.is_shut()),
                f.delivered.map_or(Datum::Null, |cut| big(cut.incarnation)),
                f.delivered.map_or(Datum::Null, |cut| big(cut.epoch)),
                big(f.delivered_rows),
                big(f.rejected_rows),
                big(f.undelivered_outboxes),
                big(f.undelivered_rows),
                big(f.undelivered_bytes),
                big(f.failures_ever),
                optional_text(f.last_error),
                instant(f.last_delivery_ms),
            ]);
        }
    }
    rows
}

fn operators(shared: &Shared) -> Vec<Vec<Datum>> {
    let now_ms = shared.config.clock.now_ms();
    let mut rows = vec![];
    for job in shared.jobs.all().iter().filter(|j| j.spec.kind != JobKind::ClientWriter) {
        let Some(stats) = job.stats() else { continue };
        let counters: Vec<u64> = stats
            .operators()
            .iter()
            .flat_map(|o| {
                let f = o.figures();
                [f.rows_in, f.rows_out, f.busy_ns]
            })
            .collect();
        let rates = job.operator_rates.lock().expect("no holder of this lock panics").sample(now_ms, &counters);
        for (i, operator) in stats.operators().iter().enumerate() {
            let Some(node) = job.spec.plan.nodes.get(operator.node) else { continue };
            let figures = operator.figures();
            let inputs: Vec<String> = node.inputs.iter().map(ToString::to_string).collect();
            rows.push(vec![
                text(&job.spec.id),
                Datum::Int(operator.node as i32),
                text(operator.name),
                text(kind_of(&node.op)),
                text(detail_of(&node.op, operator.table.as_deref())),
                text(inputs.join(",")),
                big(figures.rows_in),
                big(figures.rows_out),
                Datum::Double(rates[3 * i]),
                Datum::Double(rates[3 * i + 1]),
                big(figures.backlog),
                instant(Some(figures.watermark)),
                big(figures.state_bytes),
                Datum::Double(rates[3 * i + 2] / 1e9),
            ]);
        }
    }
    rows
}

/// The word of SQL that a person knows the operator by.
fn kind_of(op: &Op) -> &'static str {
    match op {
        Op::Scan(_) => "FROM",
        Op::Values(_) => "VALUES",
        Op::Calc(calc) if calc.condition.is_some() => "WHERE",
        Op::Calc(_) => "SELECT",
        Op::WindowTableFunction(window) => window.kind.name(),
        Op::Exchange(_) => "EXCHANGE",
        Op::GroupAggregate(_) => "GROUP BY",
        Op::WindowAggregate(a) => a.window.kind.name(),
        Op::Union => "UNION ALL",
        Op::ChangelogNormalize(_) => "NORMALIZE",
        Op::DropUpdateBefore => "CHANGES",
        Op::Expand(_) => "GROUPING SETS",
        Op::Rank(rank) if rank.order.is_empty() => "LIMIT",
        Op::Rank(_) | Op::TemporalSort(_) => "ORDER BY",
        Op::SemiJoin(join) if join.anti => "EXCEPT",
        Op::SemiJoin(_) => "INTERSECT",
        Op::Correlate(_) => "UNNEST",
        Op::Sink(_) => "INTO",
    }
}

fn detail_of(op: &Op, table: Option<&str>) -> String {
    match op {
        Op::GroupAggregate(a) => calls(&a.calls),
        Op::WindowAggregate(a) => {
            format!("{} s, {}", a.window.kind.size_ms() as f64 / 1e3, calls(&a.calls))
        }
        Op::WindowTableFunction(w) => {
            format!("{} s", w.kind.size_ms() as f64 / 1e3)
        }
        Op::Union => "several inputs".into(),
        _ => table.unwrap_or_default().to_string(),
    }
}

fn calls(calls: &[arus_core::plan::AggregateCall]) -> String {
    let names: Vec<&str> = calls.iter().map(|c| c.function.name()).collect();
    names.join(", ")
}
