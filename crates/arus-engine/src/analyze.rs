//! EXPLAIN ANALYZE: the operators of a running pipeline with their figures.

use std::sync::Arc;

use arus_core::error::Code;
use arus_core::{Error, Result};

use crate::delivery::SinkStatus;
use crate::jobs::Job;
use crate::shared::Shared;
use crate::why;

/// A line for each sink with an outbox: what came to it, what it has taken, how it stands.
fn deliveries(job: &Job) -> Vec<Vec<Option<String>>> {
    let line = |sink: &Arc<SinkStatus>| {
        let f = sink.figures();
        let error = f.last_error.map_or(String::new(), |e| format!(": {e}"));
        vec![
            None,
            Some(format!("Delivery({}) {}{error}", sink.table, f.state.name())),
            None,
            Some((f.delivered_rows + f.rejected_rows + f.undelivered_rows).to_string()),
            Some(f.delivered_rows.to_string()),
            None,
            None,
            Some(f.undelivered_bytes.to_string()),
            None,
        ]
    };
    job.sinks().iter().map(line).collect()
}

pub(crate) const COLUMNS: [&str; 9] =
    ["id", "operator", "inputs", "rows in", "rows out", "late", "busy", "state bytes", "watermark"];

/// The operators of a pipeline with their live figures.
pub(crate) fn analyze(shared: &Arc<Shared>, name: &str) -> Result<Vec<Vec<Option<String>>>> {
    let jobs = shared.jobs.all();
    // A name may have been used before: the newest is meant.
    let found = jobs.iter().rev().find(|j| j.spec.id == name || j.spec.name == name).ok_or_else(|| {
        let names: Vec<&str> = jobs.iter().map(|j| j.spec.name.as_str()).collect();
        let error = Error::user(format!("there is no pipeline '{name}'")).with_code(Code::UndefinedTable);
        match arus_sql::nearest::nearest(name, names) {
            Some(near) => error.with_hint(format!("did you mean '{near}'?")),
            None => error.with_hint("SHOW JOBS lists them"),
        }
    })?;
    let Some(stats) = found.stats() else { return Ok(vec![]) };
    let rows = stats.operators().iter().filter_map(|operator| {
        let node = found.spec.plan.nodes.get(operator.node)?;
        let figures = operator.figures();
        let inputs: Vec<String> = node.inputs.iter().map(ToString::to_string).collect();
        let table = operator.table.as_ref().map_or(String::new(), |t| format!("({t})"));
        Some(vec![
            Some(operator.node.to_string()),
            Some(format!("{}{table}", operator.name)),
            Some(inputs.join(",")),
            Some(figures.rows_in.to_string()),
            Some(figures.rows_out.to_string()),
            Some(figures.late.to_string()),
            Some(format!("{:.1} ms", figures.busy_ns as f64 / 1e6)),
            Some(figures.state_bytes.to_string()),
            why::shown(figures.watermark),
        ])
    });
    Ok(rows.chain(deliveries(found)).collect())
}
