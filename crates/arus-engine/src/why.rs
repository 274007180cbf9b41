//! Why a pipeline gives nothing new, in one sentence: which source, partition or operator holds it up, and what waits.

use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use arus_core::catalog::ObjectPath;
use arus_core::plan::{NodeId, Op, PhysicalPlan};
use arus_core::text::write_timestamp_ltz_print;
use arus_stream::{OperatorFigures, OperatorStats, PipelineStats, SplitFigures};

use crate::jobs::{Job, JobKind, JobStatus};
use crate::shared::Shared;
use crate::tables::Writer;

/// Watermarks before all time and after it.
const TIMES: std::ops::Range<i64> = -8_000_000_000_000_000..8_000_000_000_000_000;

/// A sentence for each pipeline that writes the table, or about who else does.
pub(crate) fn of_table(shared: &Arc<Shared>, path: &ObjectPath) -> Vec<String> {
    let writers: Vec<Arc<Job>> = shared
        .jobs
        .all()
        .into_iter()
        .filter(|j| j.spec.targets.contains(path) && j.spec.kind != JobKind::ClientWriter)
        .collect();
    if !writers.is_empty() {
        return writers.iter().map(|job| of_job(job)).collect();
    }
    let Some(table) = shared.tables.get(path) else {
        return vec![format!("`{path}` is a view: ask about the tables that it reads")];
    };
    let newest = table.newest_ms.load(Relaxed);
    vec![match table.writer() {
        Writer::Nobody if table.inbox().is_some() => format!("nobody has written to `{path}` yet"),
        Writer::Nobody => format!("nobody writes to `{path}`: its rows come from its connector when it is read"),
        Writer::Pipeline(name) => format!("`{path}` is written by pipeline '{name}', which does not run"),
        Writer::Clients if newest == i64::MIN => format!("clients write to `{path}`, and no row has come yet"),
        Writer::Clients => {
            let at = time(newest);
            format!("clients write to `{path}`: the newest row came at {at}, and all that came are readable")
        }
    }]
}

/// Of a pipeline that has a place in the catalog.
pub(crate) fn of_job(job: &Job) -> String {
    let name = &job.spec.name;
    match job.status() {
        JobStatus::Failed(reason) => format!("pipeline '{name}' has failed: {reason}"),
        JobStatus::Restarting(reason) => {
            format!("pipeline '{name}' starts again from its last checkpoint after: {reason}")
        }
        JobStatus::Suspended => {
            format!("pipeline '{name}' is suspended: ALTER MATERIALIZED TABLE .. RESUME lets it go on")
        }
        JobStatus::Stopped => format!("pipeline '{name}' is stopped: nothing is read until it is started again"),
        JobStatus::Finished => format!("pipeline '{name}' has finished: its sources have ended"),
        JobStatus::Running if job.behind.load(Relaxed) > 0 => {
            format!("pipeline '{name}' is catching up, {} rows behind", job.behind.load(Relaxed))
        }
        JobStatus::Running => match job.stats() {
            Some(stats) => of_plan(&job.spec.plan, &stats),
            None => format!("pipeline '{name}' is starting"),
        },
    }
}

pub(crate) fn of_plan(plan: &PhysicalPlan, stats: &PipelineStats) -> String {
    let nodes: Vec<(&OperatorStats, OperatorFigures)> = stats.operators().iter().map(|o| (o, o.figures())).collect();
    let scans: Vec<_> = nodes.iter().filter(|(o, _)| o.name == "TableSourceScan").collect();
    let table = |o: &OperatorStats| format!("`{}`", o.table.clone().unwrap_or_default());
    if let Some((scan, _)) = scans.iter().find(|(_, f)| f.rows_in == 0 && f.backlog == 0) {
        return format!("no row has come into {} yet", table(scan));
    }
    if let Some((scan, figures)) = scans.iter().find(|(_, f)| f.backlog > 0) {
        return format!("still reading {}: {} rows are waiting there", table(scan), figures.backlog);
    }
    if let Some((scan, figures)) = scans.iter().find(|(_, f)| f.quarantined > 0 && f.rows_out == 0) {
        let name = scan.table.clone().unwrap_or_default();
        return format!(
            "all {} rows of `{name}` were set aside: SELECT reason FROM `{name}$quarantine` tells why",
            figures.rows_in
        );
    }
    for (operator, figures) in &nodes {
        let (rows_in, rows_out) = (figures.rows_in, figures.rows_out);
        let filters =
            matches!(plan.nodes.get(operator.node).map(|n| &n.op), Some(Op::Calc(c)) if c.condition.is_some());
        if filters && rows_in > 0 && rows_out == 0 {
            return format!("WHERE keeps none of the {rows_in} rows that reached it");
        }
        if figures.late > 0 && figures.late >= rows_in && rows_out == 0 {
            return format!("all {} rows came late, behind the watermark at {}", figures.late, time(figures.watermark));
        }
    }
    let waiting = nodes.iter().find(|(o, f)| waits_for_time(plan, o.node) && f.rows_in > 0);
    let Some((operator, _)) = waiting else {
        let read: u64 = scans.iter().map(|(_, f)| f.rows_in).sum();
        return format!("nothing waits: all {read} rows that came are worked in");
    };
    let sources = upstream(plan, operator.node);
    let held = nodes.iter().filter(|(o, _)| sources.contains(&o.node)).min_by_key(|(_, f)| f.watermark);
    match held {
        Some((scan, figures)) => held_by(operator, &table(scan), figures.watermark, &scan.splits()),
        None => format!("{} waits for the time to pass", operator.name),
    }
}

fn held_by(operator: &OperatorStats, table: &str, watermark: i64, splits: &[SplitFigures]) -> String {
    let mut text = format!("{} waits for the watermark of {table}, ", operator.name);
    let open: Vec<&SplitFigures> = splits.iter().filter(|s| !s.finished && !s.idle).collect();
    let slowest = open.iter().min_by_key(|s| s.watermark).filter(|_| open.len() > 1);
    let mut write = |more: std::fmt::Arguments<'_>| text.write_fmt(more).expect("a String takes all");
    if TIMES.contains(&watermark) {
        write(format_args!("which stands at {}", time(watermark)));
    } else {
        write(format_args!("which has none yet: no row with a time has come"));
    }
    if let Some(split) = slowest {
        write(format_args!(", held by its part '{}'", split.id));
        if !TIMES.contains(&split.watermark) {
            write(format_args!(
                ", where nothing has come yet: SET 'table.exec.source.idle-timeout' = '10 s' lets the others go on"
            ));
        }
    }
    if TIMES.contains(&watermark) {
        write(format_args!("; rows come out once a newer event moves it past the end of their window"));
    }
    text
}

/// Whether the operator keeps rows until the watermark passes them.
fn waits_for_time(plan: &PhysicalPlan, node: NodeId) -> bool {
    let name = plan.nodes.get(node).map_or("", |n| n.op.name());
    name == "WindowAggregate" || name == "GroupWindowAggregate" || name == "TemporalSort"
}

/// The scans that an operator reads, through others.
fn upstream(plan: &PhysicalPlan, node: NodeId) -> Vec<NodeId> {
    let mut found = vec![];
    let mut next = vec![node];
    while let Some(id) = next.pop() {
        let Some(node) = plan.nodes.get(id) else { continue };
        if matches!(node.op, Op::Scan(_)) {
            found.push(id);
        }
        // Inputs stand before their users, so this ends.
        next.extend(&node.inputs);
    }
    found
}

/// A watermark as people read it; `None` before the first and after the end.
pub(crate) fn shown(watermark: i64) -> Option<String> {
    TIMES.contains(&watermark).then(|| time(watermark))
}

fn time(ms: i64) -> String {
    let mut out = String::new();
    write_timestamp_ltz_print(&mut out, ms, 3);
    out
}
