//! Dashboards: what they show, and their files, which the console edits.
//!
//! A file is changed with the tag of what was seen of it, by `If-Match`; a new one with `If-None-Match: *`. Where something else is
//! there by now nothing is written, and the answer (412) has that text.

use std::sync::Arc;

use arus_core::error::{Code, Location};
use arus_core::platform::{Changed, Dashboard, DashboardChange, Platform};
use arus_core::{Error, ErrorKind};
use axum::Json;
use axum::extract::Path;
use axum::http::header::{ETAG, IF_MATCH, IF_NONE_MATCH};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use super::body::Body;
use super::error::{self, HttpError};
use super::visitor::Visitor;

const VERSION: &str = "dashboard/v1";
const CHARTS: &[&str] =
    &["line", "area", "bar", "stacked", "value", "gauge", "top", "heatmap", "histogram", "table", "map"];
const COLUMNS: u64 = 12;

/// A broken file is in the list with what is wrong in it, and keeps no other from being shown.
pub(super) async fn get_dashboards(Visitor(platform): Visitor) -> Result<Json<Value>, HttpError> {
    let one = |dashboard: &Dashboard| match parse(&dashboard.name, &dashboard.text) {
        Ok(spec) => {
            let title = spec["title"].as_str().unwrap_or(&dashboard.name);
            json!({"name": dashboard.name, "title": title, "file": dashboard.file})
        }
        Err(e) => {
            json!({"name": dashboard.name, "title": dashboard.name, "file": dashboard.file, "error": e.message()})
        }
    };
    Ok(Json(all(platform).await?.iter().map(one).collect()))
}

/// The YAML as JSON, as it stands.
pub(super) async fn get_dashboard(Visitor(platform): Visitor, Path(name): Path<String>) -> Result<Response, HttpError> {
    let dashboard = find(platform, &name).await?;
    let spec = parse(&name, &dashboard.text)?;
    Ok(tagged(Some(&dashboard), Json(spec).into_response()))
}

pub(super) async fn get_file(Visitor(platform): Visitor, Path(name): Path<String>) -> Result<Response, HttpError> {
    let dashboard = find(platform, &name).await?;
    Ok(tagged(Some(&dashboard), Json(file(&dashboard)).into_response()))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Write {
    text: String,
}

pub(super) async fn put_file(
    Visitor(platform): Visitor,
    Path(name): Path<String>,
    headers: HeaderMap,
    request: Body,
) -> Result<Response, HttpError> {
    let seen = seen(&headers)?;
    let write: Write = serde_json::from_slice(&request.bytes)
        .map_err(|e| Error::user(format!("expected {{\"text\": \"..\"}}: {e}")).with_code(Code::InvalidValue))?;
    check(&name, &write.text)?;
    let change = DashboardChange { name, text: Some(write.text), seen };
    Ok(answer(platform.change_dashboard(change).await?))
}

pub(super) async fn delete_file(
    Visitor(platform): Visitor,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Result<Response, HttpError> {
    let change = DashboardChange { name, text: None, seen: seen(&headers)? };
    Ok(answer(platform.change_dashboard(change).await?))
}

/// Files are read: not on a thread that answers others.
async fn all(platform: Arc<dyn Platform>) -> Result<Vec<Dashboard>, Error> {
    let read = tokio::task::spawn_blocking(move || platform.dashboards());
    read.await.map_err(|e| Error::bug(format!("a read has panicked: {e}")))?
}

async fn find(platform: Arc<dyn Platform>, name: &str) -> Result<Dashboard, Error> {
    let found = all(platform).await?.into_iter().find(|d| d.name == name);
    found.ok_or_else(|| Error::user(format!("dashboard '{name}' does not exist")).with_code(Code::UndefinedTable))
}

/// The tag that a change names; `None` for a new dashboard.
fn seen(headers: &HeaderMap) -> Result<Option<String>, HttpError> {
    let text = |name| headers.get(name).and_then(|v: &HeaderValue| v.to_str().ok());
    match (text(IF_MATCH), text(IF_NONE_MATCH)) {
        (Some(tag), None) => Ok(Some(tag.trim().trim_matches('"').to_string())),
        (None, Some(any)) if any.trim() == "*" => Ok(None),
        _ => {
            let e =
                Error::user("expected 'If-Match' with the tag of what was read, or 'If-None-Match: *' for a new one")
                    .with_hint("the ETag of GET is the tag: so that no change of somebody else is overwritten");
            Err(HttpError(StatusCode::PRECONDITION_REQUIRED, e))
        }
    }
}

fn answer(changed: Changed) -> Response {
    match changed {
        Changed::Done(dashboard) => {
            let body = dashboard.as_ref().map_or(Value::Null, file);
            tagged(dashboard.as_ref(), Json(body).into_response())
        }
        Changed::Otherwise(there) => {
            let message = match &there {
                Some(dashboard) => format!("dashboard '{}' has changed since it was read", dashboard.name),
                None => "the dashboard was removed since it was read".to_string(),
            };
            let e = Error::user(message).with_hint("nothing was written; read it again and make the change there");
            let mut body = error::body(&e);
            body["there"] = there.as_ref().map_or(Value::Null, file);
            tagged(there.as_ref(), (StatusCode::PRECONDITION_FAILED, Json(body)).into_response())
        }
    }
}

fn file(dashboard: &Dashboard) -> Value {
    json!({"name": dashboard.name, "text": dashboard.text, "tag": dashboard.tag(), "file": dashboard.file})
}

fn tagged(dashboard: Option<&Dashboard>, mut response: Response) -> Response {
    let tag = dashboard.and_then(|d| HeaderValue::from_str(&format!("\"{}\"", d.tag())).ok());
    if let Some(tag) = tag {
        response.headers_mut().insert(ETAG, tag);
    }
    response
}

fn parse(name: &str, text: &str) -> Result<Value, Error> {
    serde_yaml_ng::from_str(text).map_err(|e| {
        let error = Error::user(format!("dashboard '{name}': {e}")).with_code(Code::Syntax);
        match e.location() {
            Some(at) => error.with_location(Location {
                line: at.line() as u32,
                column: at.column() as u32,
                offset: at.index() as u32,
                length: 1,
            }),
            None => error,
        }
    })
}

/// What is written has to be a dashboard; what an editor beside the console makes of a file is shown as far as it goes.
fn check(name: &str, text: &str) -> Result<(), Error> {
    let spec = parse(name, text)?;
    let wrong =
        |what: String| Error::new(ErrorKind::User, format!("dashboard '{name}': {what}")).with_code(Code::InvalidValue);
    if spec["arus"].as_str() != Some(VERSION) {
        return Err(wrong(format!("expected 'arus: {VERSION}' at the top")));
    }
    let Some(panels) = spec["panels"].as_array() else {
        return Err(wrong("expected 'panels:' with a list".into()));
    };
    let mut ids = std::collections::BTreeSet::new();
    for (i, panel) in panels.iter().enumerate() {
        let id = panel["id"].as_str().filter(|id| !id.is_empty());
        let id = id.ok_or_else(|| wrong(format!("panel {}: expected an 'id'", i + 1)))?;
        if !ids.insert(id) {
            return Err(wrong(format!("there are two panels '{id}'")));
        }
        let at: Option<Vec<u64>> = panel["at"].as_array().and_then(|a| a.iter().map(Value::as_u64).collect());
        if !matches!(at.as_deref(), Some([x, _, w, h]) if *w > 0 && *h > 0 && x + w <= COLUMNS) {
            return Err(wrong(format!(
                "panel '{id}': expected 'at: [column, row, width, height]' on {COLUMNS} columns"
            )));
        }
        let chart = panel["chart"].as_str().unwrap_or_default();
        if !CHARTS.contains(&chart) {
            return Err(wrong(format!(
                "panel '{id}': expected 'chart' as one of {}, found '{chart}'",
                CHARTS.join(", ")
            )));
        }
        if panel["sql"].as_str().is_none_or(|sql| sql.trim().is_empty()) {
            return Err(wrong(format!("panel '{id}': expected 'sql' with a statement")));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_dashboards_are_written() {
        let panel = "  - {id: a, at: [0, 0, 6, 4], chart: line, sql: SELECT 1}\n";
        let whole = |panels: &str| format!("arus: dashboard/v1\ntitle: T\npanels:\n{panels}");
        assert!(check("d", &whole(panel)).is_ok());
        for (text, expected) in [
            (whole(&format!("{panel}{panel}")), "two panels 'a'"),
            (whole(&panel.replace("0, 0, 6", "7, 0, 6")), "on 12 columns"),
            (whole(&panel.replace("line", "pie")), "found 'pie'"),
            (whole(&panel.replace("SELECT 1", "''")), "expected 'sql'"),
            ("title: T".to_string(), "arus: dashboard/v1"),
        ] {
            let error = check("d", &text).expect_err(expected);
            assert!(error.message().contains(expected), "{error}");
        }
        let error = check("d", "arus: [").expect_err("no YAML");
        assert!(error.location().is_some(), "{error}");
    }
}
