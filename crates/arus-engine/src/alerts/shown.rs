//! What system tables, SHOW and metrics say of alerts.

use std::fmt::Write;
use std::sync::Arc;

use arus_core::Datum;
use arus_core::secret::{shown, shown_sql};
use arus_core::text::write_timestamp_iso;
use arus_sql::Notify;

use super::Alert;
use super::book::{Book, label};
use crate::jobs::JobStatus;
use crate::shared::Shared;
use crate::system::{big, instant, optional_text, text};

/// `error`: its pipeline does not run; `no data`, `firing`, `ok`.
pub(super) fn state_of(shared: &Shared, alert: &Alert, book: &Book) -> &'static str {
    let status = shared.job_of(alert).map(|job| job.status());
    if !matches!(status, Some(JobStatus::Running | JobStatus::Finished)) {
        return "error";
    }
    match (book.cases.is_empty(), &book.no_data) {
        (false, _) => "firing",
        (true, Some(_)) => "no data",
        (true, None) => "ok",
    }
}

/// The statement that has made it, without what is secret in its URLs.
pub(crate) fn shown_statement(alert: &Alert) -> String {
    let (def, item) = (alert.def(), alert.item());
    let urls = def.notify.iter().filter_map(|notify| match notify {
        Notify::Url(url) => Some(url),
        Notify::Named(_) => None,
    });
    urls.fold(shown_sql(&item.sql), |sql, url| sql.replace(url.as_str(), &shown("url", url)))
}

/// `2026-11-22T04:00:00.123Z`
pub(super) fn instant_text(ms: i64) -> String {
    if ms == i64::MAX {
        return "further notice".into();
    }
    let mut out = String::new();
    write_timestamp_iso(&mut out, ms, 3);
    out.push('Z');
    out
}

/// `arus.alerts`
pub(crate) fn rows_of_alerts(shared: &Shared) -> Vec<Vec<Datum>> {
    shared.alerts.all().iter().map(|alert| alert_row(shared, alert)).collect()
}

fn alert_row(shared: &Shared, alert: &Arc<Alert>) -> Vec<Datum> {
    let (def, book) = (alert.def(), alert.book());
    let now_ms = shared.config.clock.now_ms();
    let job = shared.job_of(alert);
    let state = state_of(shared, alert, &book);
    let reason = job.as_ref().and_then(|job| job.status().reason().map(str::to_string));
    let ways = alert.ways();
    let failing = ways.iter().find_map(|way| way.last_error.clone());
    let notify: Vec<String> = def.notify.iter().map(label).collect();
    let since = book.cases.values().map(|case| case.since_ms).chain(book.no_data.iter().map(|c| c.since_ms)).min();
    let time = |ms: Option<i64>| ms.map_or(Datum::Null, Datum::BigInt);
    let last = book.events.back();
    vec![
        text(&def.path.name),
        text(&def.path.database),
        text(def.severity.name()),
        text(state),
        big(book.cases.len() as u64),
        instant(since),
        Datum::Boolean(book.is_silenced(now_ms)),
        instant(book.silenced_until_ms.filter(|until| *until != i64::MAX)),
        text(&def.query),
        text(def.key.join(",")),
        time(def.resolve_after_ms),
        time(def.no_data.map(|(ms, _)| ms)),
        time(def.repeat_ms),
        optional_text(def.runbook.as_deref()),
        text(notify.join(", ")),
        optional_text(job.map(|job| job.spec.id.clone())),
        optional_text(reason),
        big(book.waiting.len() as u64),
        big(book.delivered),
        big(book.dropped),
        big(ways.iter().map(|way| u64::from(way.failures)).sum()),
        optional_text(failing),
        big(book.fired),
        big(book.left_out),
        last.map_or(Datum::Null, |event| text(event.what.name())),
        instant(last.map(|event| event.at_ms)),
        text(shown_statement(alert)),
    ]
}

/// `arus.alert_cases`
pub(crate) fn rows_of_cases(shared: &Shared) -> Vec<Vec<Datum>> {
    let mut rows = vec![];
    for alert in shared.alerts.all() {
        let book = alert.book();
        let (def, now_ms) = (alert.def(), shared.config.clock.now_ms());
        let missing = book.no_data.as_ref().zip(def.no_data);
        let missing = missing.map(|(case, (_, severity))| ("no data", severity, "{}", case));
        let cases = book.cases.iter().map(|(key, case)| ("firing", def.severity, key.as_str(), case));
        for (state, severity, key, case) in cases.chain(missing) {
            rows.push(vec![
                text(def.path.to_string()),
                text(severity.name()),
                text(state),
                text(key),
                text(&case.summary),
                instant(Some(case.since_ms)),
                instant(Some(case.changed_ms)),
                instant(case.told_ms),
                Datum::Boolean(book.is_silenced(now_ms)),
                text(alert.id_of(case.event)),
                optional_text(def.runbook.as_deref()),
                if case.row.is_null() { Datum::Null } else { text(case.row.to_string()) },
            ]);
        }
    }
    rows
}

/// `arus.alert_events`, the newest first.
pub(crate) fn rows_of_events(shared: &Shared) -> Vec<Vec<Datum>> {
    let mut found = vec![];
    for alert in shared.alerts.all() {
        for event in alert.book().events {
            found.push((event.at_ms, event.number, alert.clone(), event));
        }
    }
    found.sort_by_key(|(at, number, ..)| std::cmp::Reverse((*at, *number)));
    let row = |(_, _, alert, event): (i64, u64, Arc<Alert>, super::book::Event)| {
        vec![
            text(alert.id_of(event.number)),
            text(alert.path.to_string()),
            instant(Some(event.at_ms)),
            text(event.what.name()),
            text(&event.severity),
            text(&event.key),
            text(&event.summary),
            instant(Some(event.since_ms)),
            Datum::Boolean(event.silenced),
            if event.row.is_null() { Datum::Null } else { text(event.row.to_string()) },
        ]
    };
    found.into_iter().map(row).collect()
}

/// For `/metrics`.
pub(crate) fn metrics(shared: &Shared, out: &mut String) {
    let alerts = shared.alerts.all();
    let books: Vec<(String, &'static str, Book)> = alerts
        .iter()
        .map(|alert| (crate::platform::label(&alert.path.to_string()), alert.def().severity.name(), alert.book()))
        .collect();
    type Figure = fn(&Book) -> u64;
    let figures: [(&str, &str, &str, Figure); 5] = [
        ("arus_alert_firing", "gauge", "cases of an alert that fire", |b| b.cases.len() as u64),
        ("arus_alert_fired_total", "counter", "how often cases of an alert began to fire", |b| b.fired),
        ("arus_alert_notifications_total", "counter", "notifications of an alert that were taken", |b| b.delivered),
        ("arus_alert_notifications_waiting", "gauge", "notifications of an alert that were not taken yet", |b| {
            b.waiting.len() as u64
        }),
        ("arus_alert_notifications_dropped_total", "counter", "notifications for which there was no room", |b| {
            b.dropped
        }),
    ];
    for (name, kind, help, figure) in figures {
        write!(out, "# HELP {name} {help}\n# TYPE {name} {kind}\n").expect("a String takes all");
        for (alert, severity, book) in &books {
            writeln!(out, "{name}{{alert=\"{alert}\",severity=\"{severity}\"}} {}", figure(book))
                .expect("a String takes all");
        }
    }
}
