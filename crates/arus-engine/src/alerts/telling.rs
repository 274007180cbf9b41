//! The thread of alerts: time passes in their books, and what they have to tell is told.
//!
//! Each notifier of each alert has its own pauses after failures, so that a dead one holds up nobody. A notification leaves the
//! book once it was taken: a crash between the two tells it again, with the same id.

use std::path::PathBuf;
use std::sync::{Arc, Weak};
use std::time::Duration;

use arus_connect::notify::{Message, Outside, Target};
use arus_core::clock::SharedClock;
use arus_core::connector::HostPolicy;
use arus_core::fs::SharedFs;
use arus_core::limits::{NOTIFY_PAUSE_MAX_MS, NOTIFY_PAUSE_MS};
use arus_core::secret::Mask;
use arus_core::{Error, Result};
use arus_sql::{AlertDef, Notify};
use serde_json::{Value, json};

use super::book::{Event, What, label};
use super::shown::instant_text;
use super::{Alert, Input};
use crate::shared::Shared;

const TURN: Duration = Duration::from_millis(200);

/// Starts the thread; it ends with the server.
pub(crate) fn start(shared: &Arc<Shared>) -> Result<()> {
    let shared = Arc::downgrade(shared);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|e| Error::io("start", "the runtime of alerts", e))?;
    std::thread::Builder::new()
        .name("arus-alerts".into())
        .spawn(move || {
            runtime.block_on(async {
                while turn(&shared) {
                    tokio::time::sleep(TURN).await;
                }
            });
        })
        .map(drop)
        .map_err(|e| Error::io("start", "the thread of alerts", e))
}

/// One look at all alerts; `false` at the end of the server.
fn turn(shared: &Weak<Shared>) -> bool {
    let Some(shared) = shared.upgrade() else { return false };
    if shared.failure.borrow().is_some() {
        return false;
    }
    let now_ms = shared.config.clock.now_ms();
    for alert in shared.alerts.all() {
        let quiet_ms = quiet(&shared, &alert, now_ms);
        if alert.is_due(now_ms, quiet_ms) {
            let passed = alert.change(|def, book| {
                book.tick(def, now_ms, quiet_ms);
                Ok(())
            });
            if let Err(e) = passed {
                tracing::error!("alert '{}': {e}", alert.path);
            }
        }
        for notify in &alert.def().notify {
            send_next(&shared, &alert, notify, now_ms);
        }
    }
    true
}

/// For how long no row has come to an alert's pipeline.
fn quiet(shared: &Shared, alert: &Alert, now_ms: i64) -> Option<i64> {
    alert.def().no_data?;
    let stats = shared.job_of(alert)?.stats();
    let rows = stats.map_or(0, |stats| stats.rows_read());
    let mut input = alert.input.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    match input.since_ms {
        // A pipeline that starts again counts from 0.
        Some(since) if rows <= input.rows => {
            input.rows = rows;
            Some(now_ms.saturating_sub(since))
        }
        _ => {
            *input = Input { rows, since_ms: Some(now_ms) };
            Some(0)
        }
    }
}

/// Sends what waits longest for a notifier, unless it is busy or has failed a short while ago.
fn send_next(shared: &Shared, alert: &Arc<Alert>, notify: &Notify, now_ms: i64) {
    let Some(event) = alert.take_next(notify, now_ms) else { return };
    let reach = Reach {
        target: shared.target_of(&alert.path, notify),
        hosts: shared.connect.hosts.clone(),
        fs: shared.config.fs.clone(),
        authorities: shared.config.authorities.clone(),
        clock: shared.config.clock.clone(),
    };
    let (alert, notify) = (alert.clone(), notify.clone());
    tokio::spawn(async move {
        let outcome = send(&alert, &reach, &event).await;
        done(&alert, &notify, &event, outcome, reach.clock.now_ms());
    });
}

/// What a notification needs of the server.
struct Reach {
    target: Result<(Target, Mask)>,
    hosts: Arc<HostPolicy>,
    fs: SharedFs,
    authorities: Option<PathBuf>,
    clock: SharedClock,
}

async fn send(alert: &Alert, reach: &Reach, event: &Event) -> Result<(), String> {
    let (target, mask) = reach.target.as_ref().map_err(shown)?;
    let (id, def) = (alert.id_of(event.number), alert.def());
    let json = document(&def, &id, event);
    let text = mail(&def, &id, event);
    let subject = headline(&def, event).replace(['\r', '\n'], " ");
    let message = Message { id: &id, subject: &subject, text: &text, json: &json, now_ms: reach.clock.now_ms() };
    let outside = Outside { hosts: &reach.hosts, fs: &reach.fs, authorities: reach.authorities.as_deref() };
    target.send(&message, outside).await.map_err(|e| mask.text(&shown(&e)))
}

fn shown(error: &Error) -> String {
    match error.hint() {
        Some(hint) => format!("{error} ({hint})"),
        None => error.to_string(),
    }
}

/// Notes what came of it.
fn done(alert: &Alert, notify: &Notify, event: &Event, outcome: Result<(), String>, now_ms: i64) {
    let outcome = outcome.and_then(|()| {
        let told = alert.change(|def, book| {
            if let Some(to) = def.notify.iter().position(|n| n == notify) {
                book.told(to, event.number);
            }
            Ok(())
        });
        told.map_err(|e| e.to_string())
    });
    let failures = alert.with_way(notify, |way| {
        way.busy = false;
        match &outcome {
            Ok(()) => (way.failures, way.next_ms, way.last_error) = (0, 0, None),
            Err(e) => {
                way.failures = way.failures.saturating_add(1);
                let pause = NOTIFY_PAUSE_MS << (way.failures - 1).min(10);
                way.next_ms = now_ms.saturating_add(pause.min(NOTIFY_PAUSE_MAX_MS));
                way.last_error = Some(e.clone());
            }
        }
        way.failures
    });
    if let (Err(e), Some(failures)) = (outcome, failures.filter(|n| n.is_power_of_two())) {
        let (path, whom) = (&alert.path, label(notify));
        tracing::warn!("alert '{path}': '{whom}' was not told (failure {failures} in a row): {e}");
    }
}

/// One line for people.
fn headline(def: &AlertDef, event: &Event) -> String {
    format!("[{}] {} {}: {}", event.severity, def.path, event.what.name(), event.summary)
}

/// `firing`, `resolved`, ..: what programs go by.
fn status(what: What) -> &'static str {
    match what {
        What::Fired | What::Repeated => "firing",
        What::Resolved => "resolved",
        What::NoData => "no_data",
        What::DataAgain => "data_again",
        What::Test => "test",
    }
}

/// The document of a webhook. `text` is what chat programs show.
fn document(def: &AlertDef, id: &str, event: &Event) -> String {
    let key: Value = serde_json::from_str(&event.key).unwrap_or(Value::Null);
    json!({
        "id": id,
        "alert": def.path.to_string(),
        "status": status(event.what),
        "event": event.what.name(),
        "severity": event.severity,
        "summary": event.summary,
        "text": headline(def, event),
        "key": key,
        "row": event.row,
        "runbook": def.runbook,
        "at": instant_text(event.at_ms),
        "since": instant_text(event.since_ms),
    })
    .to_string()
}

fn mail(def: &AlertDef, id: &str, event: &Event) -> String {
    let mut lines = vec![
        event.summary.clone(),
        String::new(),
        format!("alert: {} ({})", def.path, event.severity),
        format!("event: {} at {}", event.what.name(), instant_text(event.at_ms)),
        format!("since: {}", instant_text(event.since_ms)),
        format!("key: {}", event.key),
    ];
    if !event.row.is_null() {
        lines.push(format!("row: {}", event.row));
    }
    lines.extend(def.runbook.iter().map(|link| format!("runbook: {link}")));
    lines.push(format!("id: {id}"));
    lines.join("\n")
}
