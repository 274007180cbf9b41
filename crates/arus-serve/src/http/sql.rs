//! `POST /v1/sql`: one statement or a script in Flink's dialect.

use arrow::array::RecordBatch;
use arus_core::change::ChangeBatch;
use arus_core::error::Code;
use arus_core::platform::{Done, Door, Session, StatementOutput};
use arus_core::{Error, Result};
use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use futures::StreamExt;
use futures::stream::BoxStream;
use serde::Deserialize;
use serde_json::json;

use super::Server;
use super::error::{HttpError, body};
use crate::json;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SqlRequest {
    sql: String,
    #[serde(default)]
    stream: bool,
}

pub(super) async fn post_sql(State(server): State<Server>, request: Bytes) -> Result<Response, HttpError> {
    let request: SqlRequest = serde_json::from_slice(&request).map_err(|e| {
        Error::user(format!("expected {{\"sql\": \"..\", \"stream\": false}}: {e}")).with_code(Code::InvalidValue)
    })?;
    let mut session = server.platform.session(Door::Http);
    let mut rest = request.sql.as_str();
    let mut last = Done::default();
    while !rest.trim().is_empty() {
        let Some((statement, after)) = session.cut_statement(rest)? else {
            return Err(Error::user("the statement has no end").with_code(Code::Syntax).into());
        };
        rest = after;
        if statement.trim().is_empty() {
            continue;
        }
        let is_last = rest.trim().is_empty();
        if request.stream && is_last {
            return stream(session, statement).await;
        }
        match session.execute(statement, &[]).await? {
            StatementOutput::Rows(rows) if is_last => {
                return Ok(ndjson(rows.batches.map(|b| b.map(|b| lines(&b))).boxed()));
            }
            StatementOutput::Rows(_) => {}
            StatementOutput::Done(done) => last = done,
        }
    }
    Ok(Json(json!({"ok": true, "job": last.job, "notices": last.notices})).into_response())
}

async fn stream(mut session: Box<dyn Session>, statement: &str) -> Result<Response, HttpError> {
    let (_, changes) = session.stream(statement).await?;
    let lines = changes.map(move |batch| {
        // The session lives as long as its stream.
        let _session = &session;
        batch.map(|b| change_lines(&b))
    });
    Ok(ndjson(lines.boxed()))
}

fn ndjson(lines: BoxStream<'static, Result<String>>) -> Response {
    // After the head is sent an error can only be a last line.
    let bytes = lines.map(|chunk| match chunk {
        Ok(text) => Ok::<_, std::convert::Infallible>(Bytes::from(text)),
        Err(e) => Ok(Bytes::from(format!("{}\n", body(&e)))),
    });
    ([(header::CONTENT_TYPE, "application/x-ndjson")], Body::from_stream(bytes)).into_response()
}

fn lines(batch: &RecordBatch) -> String {
    (0..batch.num_rows()).map(|row| format!("{}\n", serde_json::Value::Object(json::object(batch, row)))).collect()
}

fn change_lines(batch: &ChangeBatch) -> String {
    (0..batch.num_rows())
        .map(|row| format!("{}\n", json!({"op": batch.kind(row).short(), "row": json::object(batch.rows(), row)})))
        .collect()
}
