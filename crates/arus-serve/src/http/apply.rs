//! `POST /v1/apply`: what a project would change here, and with the name of that plan the change itself.

use arus_core::Error;
use arus_core::error::Code;
use arus_core::project::{ApplyReply, ApplyRequest};
use axum::Json;

use super::body::Body;
use super::error::HttpError;
use super::visitor::Visitor;

pub(super) async fn post_apply(Visitor(platform): Visitor, request: Body) -> Result<Json<ApplyReply>, HttpError> {
    let request: ApplyRequest = serde_json::from_slice(&request.bytes).map_err(|e| {
        Error::user(format!("expected {{\"project\": \"..\", \"files\": [{{\"name\", \"text\"}}]}}: {e}"))
            .with_code(Code::InvalidValue)
    })?;
    Ok(Json(platform.apply(request).await?))
}
