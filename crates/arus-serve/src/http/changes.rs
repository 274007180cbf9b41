//! `GET /v1/tables/{name}/changes`: a snapshot, then every change, as server-sent events.
//!
//! The event's id is `INCARNATION.EPOCH`: a browser that reconnects sends it back by itself and continues there,
//! or gets a `reset` and a new snapshot.

use std::convert::Infallible;
use std::time::Duration;

use arus_core::Error;
use arus_core::error::Code;
use arus_core::platform::ChangeEvent;
use arus_core::read::Cut;
use axum::extract::{Path, Query};
use axum::http::HeaderMap;
use axum::response::Sse;
use axum::response::sse::{Event, KeepAlive};
use futures::{Stream, StreamExt, stream};
use serde::Deserialize;
use serde_json::json;

use super::error::{HttpError, body};
use super::table_path;
use super::visitor::Visitor;
use crate::json;

#[derive(Deserialize)]
pub(super) struct From {
    from: Option<String>,
}

pub(super) async fn get_changes(
    Visitor(platform): Visitor,
    Path(name): Path<String>,
    Query(query): Query<From>,
    headers: HeaderMap,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, HttpError> {
    let last_id = headers.get("last-event-id").and_then(|v| v.to_str().ok());
    let from = last_id.or(query.from.as_deref()).map(parse_cut).transpose()?;
    let changes = platform.changes(&table_path(&name), from)?;
    let events = changes.flat_map(|event| {
        stream::iter(match event {
            Ok(event) => events(&event),
            Err(e) => vec![Event::default().event("error").data(body(&e).to_string())],
        })
        .map(Ok)
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(Duration::from_secs(10))))
}

fn parse_cut(text: &str) -> Result<Cut, Error> {
    let cut =
        text.split_once('.').and_then(|(i, e)| Some(Cut { incarnation: i.parse().ok()?, epoch: e.parse().ok()? }));
    cut.ok_or_else(|| {
        Error::user(format!("expected from=INCARNATION.EPOCH, found '{text}'")).with_code(Code::InvalidValue)
    })
}

fn events(event: &ChangeEvent) -> Vec<Event> {
    match event {
        ChangeEvent::Reset { cut } => {
            let data = json!({"incarnation": cut.incarnation, "epoch": cut.epoch});
            vec![Event::default().event("reset").data(data.to_string())]
        }
        ChangeEvent::Changes { batch, cut, durable, complete, .. } => (0..batch.num_rows())
            .map(|row| {
                let data = json!({
                    "op": batch.kind(row).short(),
                    "row": json::object(batch.rows(), row),
                    "incarnation": cut.incarnation,
                    "epoch": cut.epoch,
                    "durable": durable,
                });
                let event = Event::default().data(data.to_string());
                // Only the last row of an epoch completes it.
                if *complete && row + 1 == batch.num_rows() {
                    event.id(format!("{}.{}", cut.incarnation, cut.epoch))
                } else {
                    event
                }
            })
            .collect(),
    }
}
