//! What the console asks: ticks, queries at one epoch, the server.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::time::Duration;

use arrow::array::RecordBatch;
use arrow::datatypes::Schema;
use arus_core::Error;
use arus_core::error::Code;
use arus_core::limits::CONSOLE_ROWS;
use arus_core::platform::QueryRows;
use axum::Json;
use axum::extract::{Path, Query, State};
use axum::response::Sse;
use axum::response::sse::{Event, KeepAlive};
use futures::{Stream, StreamExt};
use serde::Deserialize;
use serde_json::{Value, json};

use super::body::Body;
use super::error::HttpError;
use super::visitor::Visitor;
use super::{Server, table_path};
use crate::json;

pub(super) async fn get_events(Visitor(platform): Visitor) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let events = platform.ticks().map(|tick| {
        let data = serde_json::to_string(&tick).expect("numbers are JSON");
        Ok(Event::default().event("tick").data(data))
    });
    Sse::new(events).keep_alive(KeepAlive::new().interval(Duration::from_secs(5)))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct QueryRequest {
    sql: String,
    #[serde(default)]
    params: BTreeMap<String, Value>,
}

pub(super) async fn post_query(Visitor(platform): Visitor, request: Body) -> Result<Json<Value>, HttpError> {
    let request: QueryRequest = serde_json::from_slice(&request.bytes).map_err(|e| {
        Error::user(format!("expected {{\"sql\": \"..\", \"params\": {{}}}}: {e}")).with_code(Code::InvalidValue)
    })?;
    let rows = platform.query(&request.sql, &request.params).await?;
    Ok(Json(answer(&rows)))
}

#[derive(Deserialize)]
pub(super) struct Newest {
    limit: Option<usize>,
}

pub(super) async fn get_newest(
    Visitor(platform): Visitor,
    Path(name): Path<String>,
    Query(query): Query<Newest>,
) -> Result<Json<Value>, HttpError> {
    let limit = query.limit.unwrap_or(50).min(CONSOLE_ROWS);
    Ok(Json(answer(&platform.newest(&table_path(&name), limit).await?)))
}

fn answer(rows: &QueryRows) -> Value {
    let values: Vec<Value> =
        rows.batches.iter().flat_map(|b| (0..b.num_rows()).map(|row| row_of(b, row))).take(CONSOLE_ROWS).collect();
    json!({
        "incarnation": rows.cut.incarnation,
        "epoch": rows.cut.epoch,
        "as_of_ms": rows.as_of_ms,
        "columns": columns(&rows.schema),
        "rows": values,
    })
}

/// The names and types of an answer's columns.
pub(super) fn columns(schema: &Schema) -> Vec<Value> {
    schema.fields().iter().map(|f| json!({"name": f.name(), "type": type_name(f)})).collect()
}

pub(super) fn row_of(batch: &RecordBatch, row: usize) -> Value {
    batch.columns().iter().map(|c| json::value(c, row)).collect()
}

/// PostgreSQL's name of the type.
fn type_name(field: &std::sync::Arc<arrow::datatypes::Field>) -> String {
    if json::is_nested(field.data_type()) {
        return "jsonb".into();
    }
    arrow_pg::datatypes::field_into_pg_type(field).map_or_else(|_| "text".into(), |t| t.name().into())
}

pub(super) async fn get_server(State(server): State<Server>, Visitor(platform): Visitor) -> Json<Value> {
    let status = platform.status();
    let mut value = serde_json::to_value(&status).expect("a plain struct is JSON");
    value["doors"] = json!({
        "http": server.addresses.http.to_string(),
        "postgres": server.addresses.postgres.to_string(),
        "kafka": server.addresses.kafka.to_string(),
    });
    Json(value)
}
