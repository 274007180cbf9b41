//! `POST /v1/sql`: one statement or a script in Flink's dialect.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arus_core::change::ChangeBatch;
use arus_core::error::{Code, Location};
use arus_core::platform::{Done, Door, Session, StatementOutput, StreamEvent};
use arus_core::{Error, Result};
use axum::body::Bytes;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use serde::Deserialize;
use serde_json::json;

use super::body::Body;
use super::connection::Busy;
use super::error::{HttpError, body};
use super::visitor::Visitor;
use crate::{json, trace};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SqlRequest {
    sql: String,
    #[serde(default)]
    stream: bool,
    /// Rows as arrays, with the columns' names in a first line: `{"columns":[..]}`.
    #[serde(default)]
    arrays: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CompleteRequest {
    /// The text up to the cursor.
    before: String,
    #[serde(default)]
    after: String,
}

pub(super) async fn post_sql(
    Visitor(platform): Visitor,
    Extension(busy): Extension<Arc<Busy>>,
    request: Body,
) -> Result<Response, HttpError> {
    let Body { bytes, held } = request;
    let request: SqlRequest = serde_json::from_slice(&bytes).map_err(|e| {
        Error::user(format!("expected {{\"sql\": \"..\", \"stream\": false}}: {e}")).with_code(Code::InvalidValue)
    })?;
    let mut session = platform.session(Door::Http);
    let mut rest = request.sql.as_str();
    let mut last = Done::default();
    while !rest.trim().is_empty() {
        let cut = session.cut_statement(rest).map_err(|e| in_script(e, &request.sql, rest))?;
        let Some((statement, after)) = cut else {
            return Err(Error::user("the statement has no end").with_code(Code::Syntax).into());
        };
        rest = after;
        if statement.trim().is_empty() {
            continue;
        }
        let is_last = rest.trim().is_empty();
        if request.stream && is_last {
            // A live query holds nothing of the request.
            drop((bytes, held));
            let live = live(session, statement, request.arrays, busy).await;
            return live.map_err(|HttpError(status, e)| HttpError(status, in_script(e, &request.sql, statement)));
        }
        let done = trace::statement("http", statement, session.execute(statement, &[]));
        match done.await.map_err(|e| in_script(e, &request.sql, statement))? {
            StatementOutput::Rows(rows) if is_last => {
                let arrays = request.arrays;
                let head = arrays.then(|| columns_line(rows.schema.fields().iter().map(|f| f.name().as_str())));
                let batches = begun(rows.batches).await.map_err(|e| in_script(e, &request.sql, statement))?;
                let lines = batches.map(move |b| {
                    // A query may think for long: the connection is not idle.
                    let _busy = &busy;
                    b.map(|b| lines(&b, arrays))
                });
                return Ok(ndjson(stream::iter(head.map(Ok)).chain(lines).boxed()));
            }
            StatementOutput::Rows(_) => {}
            StatementOutput::Done(done) => last = done,
        }
    }
    if let Err(e) = session.settle().await {
        // The rows are durable: that they are not readable yet is no failure of the statement.
        last.notices.push(e.message().to_string());
    }
    Ok(Json(json!({"ok": true, "job": last.job, "notices": last.notices})).into_response())
}

/// A query that has its first rows, or its end: one that fails before them has an answer of its own.
async fn begun(
    mut batches: BoxStream<'static, Result<RecordBatch>>,
) -> Result<BoxStream<'static, Result<RecordBatch>>> {
    while let Some(batch) = batches.next().await.transpose()? {
        if batch.num_rows() > 0 {
            return Ok(stream::iter([Ok(batch)]).chain(batches).boxed());
        }
    }
    Ok(stream::empty().boxed())
}

/// An error in one statement of a script points into the script.
fn in_script(error: Error, script: &str, statement: &str) -> Error {
    let Some(at) = error.location() else { return error };
    let start = (statement.as_ptr() as usize).saturating_sub(script.as_ptr() as usize);
    let before = script.get(..start).unwrap_or_default();
    let lines = before.matches('\n').count() as u32;
    let chars = before.rsplit('\n').next().map_or(0, |line| line.chars().count()) as u32;
    let column = if at.line == 1 { at.column + chars } else { at.column };
    error.with_location(Location { line: at.line + lines, column, offset: at.offset + start as u32, ..at })
}

async fn live(
    mut session: Box<dyn Session>,
    statement: &str,
    arrays: bool,
    busy: Arc<Busy>,
) -> Result<Response, HttpError> {
    let (schema, changes) = session.stream(statement).await?;
    let head = arrays.then(|| columns_line(schema.columns().iter().map(|c| c.name.as_str())));
    let lines = changes.map(move |event| {
        // The session lives as long as its stream, and the connection is not idle when there is no news.
        let _alive = (&session, &busy);
        event.map(|event| match event {
            StreamEvent::Changes(batch) => change_lines(&batch, arrays),
            StreamEvent::Note(note) => format!("{}\n", json!({"note": note})),
        })
    });
    Ok(ndjson(stream::iter(head.map(Ok)).chain(lines).boxed()))
}

/// `POST /v1/complete` `{"before":"SELECT * FR","after":""}`: what may be typed there.
pub(super) async fn post_complete(Visitor(platform): Visitor, request: Body) -> Result<Response, HttpError> {
    let request: CompleteRequest = serde_json::from_slice(&request.bytes).map_err(|e| {
        Error::user(format!("expected {{\"before\": \"..\", \"after\": \"..\"}}: {e}")).with_code(Code::InvalidValue)
    })?;
    let session = platform.session(Door::Http);
    Ok(Json(session.suggest(&request.before, &request.after)).into_response())
}

fn ndjson(lines: BoxStream<'static, Result<String>>) -> Response {
    // After the head is sent an error can only be a last line.
    let bytes = lines.map(|chunk| match chunk {
        Ok(text) => Ok::<_, std::convert::Infallible>(Bytes::from(text)),
        Err(e) => Ok(Bytes::from(format!("{}\n", body(&e)))),
    });
    ([(header::CONTENT_TYPE, "application/x-ndjson")], axum::body::Body::from_stream(bytes)).into_response()
}

fn columns_line<'a>(names: impl Iterator<Item = &'a str>) -> String {
    format!("{}\n", json!({"columns": names.collect::<Vec<_>>()}))
}

fn row_value(batch: &RecordBatch, row: usize, array: bool) -> serde_json::Value {
    match array {
        true => batch.columns().iter().map(|c| json::value(c, row)).collect(),
        false => serde_json::Value::Object(json::object(batch, row)),
    }
}

fn lines(batch: &RecordBatch, arrays: bool) -> String {
    (0..batch.num_rows()).map(|row| format!("{}\n", row_value(batch, row, arrays))).collect()
}

fn change_lines(batch: &ChangeBatch, arrays: bool) -> String {
    let line = |row| json!({"op": batch.kind(row).short(), "row": row_value(batch.rows(), row, arrays)});
    (0..batch.num_rows()).map(|row| format!("{}\n", line(row))).collect()
}
