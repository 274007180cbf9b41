//! Errors as HTTP answers: `{"error":{"kind","message","line","column","hint"}}`.

use arus_core::error::Code;
use arus_core::{Error, ErrorKind};
use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

pub(super) struct HttpError(pub(super) StatusCode, pub(super) Error);

impl From<Error> for HttpError {
    fn from(error: Error) -> Self {
        HttpError(status(&error), error)
    }
}

fn status(error: &Error) -> StatusCode {
    match error.code() {
        Code::UndefinedTable => StatusCode::NOT_FOUND,
        Code::Conflict | Code::DuplicateObject => StatusCode::CONFLICT,
        Code::PermissionDenied => StatusCode::FORBIDDEN,
        Code::InvalidPassword => StatusCode::UNAUTHORIZED,
        Code::NotAuthenticated if error.kind() != ErrorKind::Exhausted => StatusCode::UNAUTHORIZED,
        Code::DiskFull => StatusCode::INSUFFICIENT_STORAGE,
        _ => match error.kind() {
            ErrorKind::User => StatusCode::BAD_REQUEST,
            ErrorKind::Data => StatusCode::UNPROCESSABLE_ENTITY,
            ErrorKind::Exhausted => StatusCode::TOO_MANY_REQUESTS,
            ErrorKind::External | ErrorKind::Fenced => StatusCode::SERVICE_UNAVAILABLE,
            ErrorKind::Bug => StatusCode::INTERNAL_SERVER_ERROR,
        },
    }
}

pub(super) fn body(error: &Error) -> Value {
    let kind = match error.kind() {
        ErrorKind::User => "user",
        ErrorKind::Data => "data",
        ErrorKind::External => "external",
        ErrorKind::Exhausted => "exhausted",
        ErrorKind::Fenced => "fenced",
        ErrorKind::Bug => "bug",
    };
    json!({"error": {
        "kind": kind,
        "message": error.message(),
        "line": error.location().map(|l| l.line),
        "column": error.location().map(|l| l.column),
        "length": error.location().map(|l| l.length),
        "hint": error.hint(),
    }})
}

impl IntoResponse for HttpError {
    fn into_response(self) -> Response {
        let HttpError(status, error) = self;
        let mut response = (status, Json(body(&error))).into_response();
        if status == StatusCode::TOO_MANY_REQUESTS {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}
