//! `arus top`: the pipelines of a running server and their operators, again and again.

use std::io::IsTerminal;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use arus_core::{Error, Result};
use serde_json::Value;

use crate::args::{Flags, TopArgs};
use crate::shell::client::{Client, Line};
use crate::shell::table::Table;
use crate::{output, settings_file};

/// Between two looks.
const REFRESH: Duration = Duration::from_secs(1);
/// Lines of an answer, and looks for the next one while none comes.
const LINES: usize = 100_000;

/// The system tables are read in PostgreSQL's dialect.
const PIPELINES: &str = r#"SET 'arus.dialect' = 'postgresql';
SELECT name AS pipeline, state, CAST(rows_in_per_s AS BIGINT) AS "rows in/s", CAST(rows_out_per_s AS BIGINT) AS "rows out/s",
  CAST(busy * 100 AS BIGINT) AS "busy %", backlog_rows AS backlog, behind_ms AS "behind ms", state_bytes AS "state bytes", reason
FROM arus.pipelines"#;
const OPERATORS: &str = r#"SET 'arus.dialect' = 'postgresql';
SELECT p.name AS pipeline, o.name AS operator, CAST(o.rows_in_per_s AS BIGINT) AS "rows in/s",
  CAST(o.rows_out_per_s AS BIGINT) AS "rows out/s", CAST(o.busy * 100 AS BIGINT) AS "busy %", o.backlog_rows AS backlog,
  o.state_bytes AS "state bytes"
FROM arus.operators o JOIN arus.pipelines p ON p.id = o.pipeline"#;

pub(crate) fn run(flags: &Flags, args: &TopArgs) -> Result<ExitCode> {
    let connect = settings_file::connect_in(Path::new(""), args.connect.clone())?;
    let client = Client::of(&settings_file::complete(flags.clone())?, &connect)?;
    let interrupted = Arc::new(AtomicBool::new(false));
    signal_hook::flag::register(signal_hook::consts::SIGINT, interrupted.clone())
        .map_err(|e| Error::io("listen to", "Ctrl-C", e))?;
    let once = args.once || !std::io::stdout().is_terminal();
    loop {
        let text = format!("{}\n\n{}", shown(&client, PIPELINES)?, shown(&client, OPERATORS)?);
        if once {
            output::line(&text);
            return Ok(ExitCode::SUCCESS);
        }
        // Home, the text with each line cleared behind it, and nothing below.
        let cleared = text.replace('\n', "\x1b[K\n");
        output::line(&format!("\x1b[H{cleared}\x1b[K\n\x1b[J\nCtrl-C ends"));
        std::thread::park_timeout(REFRESH);
        if interrupted.load(Relaxed) {
            return Ok(ExitCode::SUCCESS);
        }
    }
}

/// The busiest first.
fn shown(client: &Client, sql: &str) -> Result<String> {
    let mut answer = client.sql(sql, false)?;
    let (mut columns, mut rows): (Vec<String>, Vec<Vec<Value>>) = (vec![], vec![]);
    for _ in 0..LINES {
        match answer.next()? {
            Line::Columns(names) => columns = names,
            Line::Row { values, .. } => rows.push(values),
            Line::Failed(error) => {
                let message = error["message"].as_str().unwrap_or("the server refuses");
                return Err(Error::external(message));
            }
            Line::End => break,
            Line::Waiting | Line::Note(_) | Line::Done(_) => {}
        }
    }
    let busy = columns.iter().position(|c| c == "busy %").unwrap_or(0);
    rows.sort_by_key(|row| std::cmp::Reverse(row.get(busy).and_then(Value::as_i64)));
    let table = Table::new(&columns, &rows);
    let lines: Vec<String> = rows.iter().map(|row| table.row(row)).collect();
    Ok(format!("{}\n{}", table.head(&columns), lines.join("\n")))
}
