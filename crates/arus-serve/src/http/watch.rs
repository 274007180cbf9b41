//! `POST /v1/console/watch`: the answers of a dashboard's panels as they change, a line of JSON each.
//!
//! A panel's statement runs when an epoch has changed what it reads, at most four times a second, and never twice at once; a slow
//! one rests in between. An answer that is equal to the last one is not sent again: a line `same` says at which cut they hold.

use std::collections::{BTreeMap, VecDeque};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use arrow::compute::concat_batches;
use arus_core::error::Code;
use arus_core::limits::{CONSOLE_ROWS, WATCHED_AT_ONCE, WATCHED_PANELS};
use arus_core::platform::{Again, Platform, QueryRows, Reading, Tick};
use arus_core::read::Cut;
use arus_core::text::write_timestamp_iso;
use arus_core::{Error, Result};
use axum::Extension;
use axum::body::Bytes;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use futures::StreamExt;
use futures::future::{BoxFuture, FutureExt};
use futures::stream::{self, BoxStream, FuturesUnordered};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::Instant;
use xxhash_rust::xxh3::xxh3_64;

use super::body::Body;
use super::connection::Busy;
use super::console::{columns, row_of};
use super::error::{self, HttpError};
use super::thin::{Thin, thin};
use super::visitor::Visitor;

/// A slow statement runs less often: it works at most a ninth of the time,
const SLOWNESS: u32 = 9;
/// but not less often than this while it can be helped, so that what is shown stays fresh.
const REST_MAX: Duration = Duration::from_secs(2);
/// Ticks come about each 250 ms: a little early counts as on time.
const EARLY: Duration = Duration::from_millis(20);
/// What fails is tried again.
const FAILED_REST: Duration = Duration::from_secs(1);
/// An answer that moves with the time runs so often although no table has changed.
const MOVING_REST: Duration = Duration::from_secs(2);
/// Words of statements whose answers move with the time.
const MOVING: [&str; 7] = [":from", ":to", "now()", "current_", "localtime", "_timestamp()", "random()"];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WatchRequest {
    panels: Vec<PanelRequest>,
    /// Each answer once, and that is all.
    #[serde(default)]
    once: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PanelRequest {
    id: String,
    sql: String,
    #[serde(default)]
    params: BTreeMap<String, Value>,
    /// The time range: `:to` is now, `:from` so much earlier.
    last_ms: i64,
    thin: Option<Thin>,
}

/// One panel between two runs.
struct Panel {
    asked: PanelRequest,
    moves: bool,
    reading: Option<Reading>,
    /// Of the last line that was sent.
    sent: Option<u64>,
    /// Not before.
    next: Instant,
    /// Until then an answer that moves with the time holds.
    holds_until: Instant,
}

/// What came of a run.
enum Outcome {
    /// What was sent holds at this cut, over this range.
    Same(Cut, i64, (i64, i64)),
    Line(String),
    /// As bad as before.
    Nothing,
}

struct Watch {
    platform: Arc<dyn Platform>,
    ticks: BoxStream<'static, Tick>,
    idle: Vec<Panel>,
    running: FuturesUnordered<BoxFuture<'static, (Panel, Outcome)>>,
    /// Due, in the order in which they have waited.
    due: VecDeque<Panel>,
    /// Panels whose answers hold, since the last line about that.
    same: Vec<String>,
    same_at: Option<(Cut, i64, (i64, i64))>,
    once: bool,
    now_ms: i64,
    _busy: Arc<Busy>,
}

pub(super) async fn post_watch(
    Visitor(platform): Visitor,
    Extension(busy): Extension<Arc<Busy>>,
    request: Body,
) -> Result<Response, HttpError> {
    let request: WatchRequest = serde_json::from_slice(&request.bytes).map_err(|e| {
        Error::user(format!("expected {{\"panels\": [{{\"id\": \"..\", \"sql\": \"..\", \"last_ms\": 900000}}]}}: {e}"))
            .with_code(Code::InvalidValue)
    })?;
    if request.panels.len() > WATCHED_PANELS {
        let message = format!("{} panels are more than the {WATCHED_PANELS} of a dashboard", request.panels.len());
        return Err(Error::user(message).with_code(Code::InvalidValue).into());
    }
    let now = Instant::now();
    let idle = request.panels.into_iter().map(|asked| Panel::new(asked, now)).collect();
    let watch = Watch {
        ticks: platform.ticks(),
        platform,
        idle,
        running: FuturesUnordered::new(),
        due: VecDeque::new(),
        same: vec![],
        same_at: None,
        once: request.once,
        now_ms: 0,
        _busy: busy,
    };
    let lines = stream::unfold(watch, |mut watch| async move {
        let line = watch.next().await?;
        Some((Ok::<_, Infallible>(Bytes::from(line)), watch))
    });
    Ok(([(header::CONTENT_TYPE, "application/x-ndjson")], axum::body::Body::from_stream(lines)).into_response())
}

impl Watch {
    /// The next line; `None`: all is said, or the server ends.
    async fn next(&mut self) -> Option<String> {
        loop {
            while self.running.len() < WATCHED_AT_ONCE
                && let Some(panel) = self.due.pop_front()
            {
                self.running.push(run(self.platform.clone(), panel, self.now_ms).boxed());
            }
            if self.running.is_empty()
                && let Some((cut, as_of_ms, (from_ms, to_ms))) = self.same_at.take()
            {
                let same = std::mem::take(&mut self.same);
                let line = json!({"same": same, "incarnation": cut.incarnation, "epoch": cut.epoch,
                    "as_of_ms": as_of_ms, "from_ms": from_ms, "to_ms": to_ms});
                return Some(format!("{line}\n"));
            }
            if self.once && self.now_ms > 0 && self.running.is_empty() {
                return None;
            }
            tokio::select! {
                biased;
                Some((panel, outcome)) = self.running.next(), if !self.running.is_empty() => {
                    let id = panel.asked.id.clone();
                    self.idle.push(panel);
                    match outcome {
                        Outcome::Line(line) => return Some(line),
                        Outcome::Nothing => {}
                        Outcome::Same(cut, as_of_ms, range) => {
                            self.same.push(id);
                            // They are of one epoch or of two that follow each other: the older one is true of all.
                            let this = (cut, as_of_ms, range);
                            self.same_at = Some(self.same_at.map_or(this, |at| at.min(this)));
                        }
                    }
                }
                tick = self.ticks.next() => self.tick(tick?),
            }
        }
    }

    fn tick(&mut self, tick: Tick) {
        // Only the first one counts for who asks once.
        if self.once && self.now_ms > 0 {
            return;
        }
        self.now_ms = tick.now_ms;
        let now = Instant::now() + EARLY;
        let (due, idle) = std::mem::take(&mut self.idle).into_iter().partition::<Vec<_>, _>(|p| p.next <= now);
        self.idle = idle;
        self.due.extend(due);
    }
}

impl Panel {
    fn new(asked: PanelRequest, now: Instant) -> Self {
        let sql = asked.sql.to_ascii_lowercase();
        let moves = MOVING.iter().any(|word| sql.contains(word));
        Panel { asked, moves, reading: None, sent: None, next: now, holds_until: now }
    }

    /// Whether this is other than what was sent last.
    fn is_news(&mut self, content: &str) -> bool {
        let hash = Some(xxh3_64(content.as_bytes()));
        std::mem::replace(&mut self.sent, hash) != hash
    }
}

async fn run(platform: Arc<dyn Platform>, mut panel: Panel, now_ms: i64) -> (Panel, Outcome) {
    let start = Instant::now();
    let range = (now_ms - panel.asked.last_ms, now_ms);
    let mut params = panel.asked.params.clone();
    for (name, at_ms) in [("from", range.0), ("to", range.1)] {
        params.insert(name.into(), iso(at_ms).into());
    }
    let holds = !panel.moves || start < panel.holds_until;
    let last = panel.reading.as_ref().filter(|_| holds);
    let answered = match platform.query_again(&panel.asked.sql, &params, last).await {
        Ok(Again::Same { cut, as_of_ms }) => {
            panel.next = start;
            return (panel, Outcome::Same(cut, as_of_ms, range));
        }
        Ok(Again::Rows(rows, reading)) => {
            panel.reading = Some(reading);
            written(rows, panel.asked.thin.clone()).await
        }
        Err(e) => Err(e),
    };
    let end = Instant::now();
    let outcome = match answered {
        Ok((content, cut, as_of_ms)) => {
            panel.holds_until = end + MOVING_REST;
            panel.next = start + ((end - start) * 3).max(REST_MAX.min((end - start) * SLOWNESS));
            if panel.is_news(&content) {
                Outcome::Line(line(&panel.asked.id, cut, as_of_ms, range, &content))
            } else {
                Outcome::Same(cut, as_of_ms, range)
            }
        }
        Err(e) => {
            panel.reading = None;
            panel.next = end + FAILED_REST;
            let mut body = error::body(&e);
            body["panel"] = panel.asked.id.clone().into();
            let text = format!("{body}\n");
            if panel.is_news(&text) { Outcome::Line(text) } else { Outcome::Nothing }
        }
    };
    (panel, outcome)
}

fn line(id: &str, cut: Cut, as_of_ms: i64, (from_ms, to_ms): (i64, i64), content: &str) -> String {
    let head = json!({"panel": id, "incarnation": cut.incarnation, "epoch": cut.epoch, "as_of_ms": as_of_ms,
        "from_ms": from_ms, "to_ms": to_ms});
    let head = head.to_string();
    let open = head.strip_suffix('}').unwrap_or(&head);
    format!("{open},\"data\":{content}}}\n")
}

/// Columns and rows as JSON, with its cut. Thousands of rows take a while: not on a thread of the doors.
async fn written(rows: QueryRows, how: Option<Thin>) -> Result<(String, Cut, i64)> {
    let (cut, as_of_ms) = (rows.cut, rows.as_of_ms);
    let written = tokio::task::spawn_blocking(move || content(&rows, how.as_ref()));
    let content = written.await.map_err(|e| Error::bug(format!("an answer has panicked: {e}")))??;
    Ok((content, cut, as_of_ms))
}

fn content(rows: &QueryRows, how: Option<&Thin>) -> Result<String> {
    let batch = concat_batches(&rows.schema, &rows.batches).map_err(|e| Error::bug(format!("an answer: {e}")))?;
    let thinned = how.and_then(|how| thin(&batch, how));
    let values: Vec<Value> = match &thinned {
        Some(thinned) => thinned.rows.iter().map(|row| row_of(&batch, *row as usize)).collect(),
        None => (0..batch.num_rows()).take(CONSOLE_ROWS).map(|row| row_of(&batch, row)).collect(),
    };
    let mut content = json!({"columns": columns(&rows.schema), "rows": values});
    if let Some(thinned) = &thinned {
        content["thinned"] = thinned.told();
    }
    Ok(content.to_string())
}

fn iso(at_ms: i64) -> String {
    let mut text = String::new();
    write_timestamp_iso(&mut text, at_ms, 3);
    text.push('Z');
    text
}
