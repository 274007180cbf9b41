//! `POST /v1/backup`: the files of a checkpoint, which stay as they are for as long as the answer is read.
//!
//! The first line is the list; empty lines follow until the client closes the connection: that ends the pin, whatever became
//! of the client. Only names leave here: the client copies the files with its own rights.

use std::convert::Infallible;
use std::time::Duration;

use arus_core::platform::PinnedBackup;
use axum::body::{Body, Bytes};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use futures::stream;

use super::error::HttpError;
use super::visitor::Visitor;

/// A client that has gone is noticed when the next line cannot be sent.
const HEARTBEAT: Duration = Duration::from_secs(1);

pub(super) async fn post_backup(Visitor(platform): Visitor) -> Result<Response, HttpError> {
    let PinnedBackup { list, pin } = platform.backup().await?;
    let lines = stream::unfold((Some(format!("{list}\n")), pin), |(list, pin)| async move {
        let line = match list {
            Some(list) => list,
            None => {
                tokio::time::sleep(HEARTBEAT).await;
                "\n".to_string()
            }
        };
        Some((Ok::<_, Infallible>(Bytes::from(line)), (None, pin)))
    });
    Ok(([(header::CONTENT_TYPE, "application/x-ndjson")], Body::from_stream(lines)).into_response())
}
