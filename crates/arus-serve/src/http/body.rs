//! A request's body: held against the door's share while it is read, bounded, and never waited for longer than a client may
//! be silent.

use std::time::Duration;

use arus_core::error::Code;
use arus_core::limits::{HTTP_BODY_BYTES, REQUEST_STALL_MS};
use arus_core::{Error, ErrorKind};
use axum::extract::{FromRequest, Request};
use axum::http::{StatusCode, header};
use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use tokio::time::timeout;

use super::Server;
use super::error::HttpError;
use crate::door::Held;

/// What is held at a time of a body whose length is not told.
const STEP_BYTES: usize = 256 << 10;

/// The bytes, and the right to have them: to be kept as long as they are worked on.
pub(super) struct Body {
    pub(super) bytes: Bytes,
    pub(super) held: Held,
}

impl FromRequest<Server> for Body {
    type Rejection = HttpError;

    async fn from_request(request: Request, server: &Server) -> Result<Body, HttpError> {
        let told = request.headers().get(header::CONTENT_LENGTH);
        let told = told.and_then(|v| v.to_str().ok()).and_then(|v| v.parse::<usize>().ok()).unwrap_or(0);
        let mut held = Held::default();
        let mut room = 0;
        let mut make_room = |needed: usize, room: &mut usize| {
            if needed > HTTP_BODY_BYTES {
                return Err(too_large());
            }
            if needed > *room {
                let more = (needed - *room).max(STEP_BYTES);
                if !server.door.try_hold(more, &mut held) {
                    return Err(overload());
                }
                *room += more;
            }
            Ok(())
        };
        make_room(told, &mut room)?;
        let mut bytes = BytesMut::with_capacity(told.min(STEP_BYTES));
        let mut frames = request.into_body().into_data_stream();
        loop {
            let frame = timeout(Duration::from_millis(REQUEST_STALL_MS), frames.next()).await;
            let Some(frame) = frame.map_err(|_| silent())? else { break };
            let frame = frame.map_err(|e| bad(&e))?;
            make_room(bytes.len() + frame.len(), &mut room)?;
            bytes.extend_from_slice(&frame);
        }
        Ok(Body { bytes: bytes.freeze(), held })
    }
}

fn too_large() -> HttpError {
    let e = Error::new(ErrorKind::User, format!("the body is larger than {} MB", HTTP_BODY_BYTES >> 20));
    HttpError(StatusCode::PAYLOAD_TOO_LARGE, e.with_hint("send it in several requests"))
}

fn overload() -> HttpError {
    Error::new(ErrorKind::Exhausted, "the server holds as many bytes of requests as it may")
        .with_hint("send the request again after the time in Retry-After")
        .into()
}

fn silent() -> HttpError {
    HttpError(StatusCode::REQUEST_TIMEOUT, Error::user("the body does not go on"))
}

fn bad(error: &axum::Error) -> HttpError {
    Error::user(format!("the body cannot be read: {error}")).with_code(Code::InvalidValue).into()
}
