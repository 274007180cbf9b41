//! `POST /v1/tables/{name}/rows`: rows that are durable when the answer comes.

use arus_core::platform::{IngestFormat, IngestRequest};
use axum::Json;
use axum::extract::Path;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::body::Body;
use super::error::HttpError;
use super::table_path;
use super::visitor::Visitor;
use crate::trace;

pub(super) async fn post_rows(
    Visitor(platform): Visitor,
    Path(name): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, HttpError> {
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let format =
        if content_type.to_ascii_lowercase().contains("ndjson") { IngestFormat::Ndjson } else { IngestFormat::Json };
    let idempotency_key = headers.get("idempotency-key").and_then(|v| v.to_str().ok()).map(str::to_string);
    let Body { bytes, held } = body;
    let request = IngestRequest { table: table_path(&name), format, body: bytes, idempotency_key };
    let reply = trace::ingest("http", &name, platform.ingest(request)).await?;
    drop(held);
    let status = if reply.accepted == 0 && !reply.rejected.is_empty() {
        StatusCode::UNPROCESSABLE_ENTITY
    } else {
        StatusCode::OK
    };
    Ok((status, Json(reply)).into_response())
}
