//! Our errors as Postgres error responses: SQLSTATE, position, hint.

use arus_core::Error;
use pgwire::error::{ErrorInfo, PgWireError};

/// Carries an error through pgwire's stream of rows.
pub(super) fn to_pg_error(error: Error) -> PgWireError {
    PgWireError::UserError(Box::new(to_error_info(&error, None)))
}

/// `text` is the statement that the client sent: the position counts its characters from 1.
pub(super) fn to_error_info(error: &Error, text: Option<&str>) -> ErrorInfo {
    let mut info = ErrorInfo::new("ERROR".into(), error.sqlstate().into(), error.message().into());
    info.hint = error.hint().map(Into::into);
    if let (Some(at), Some(text)) = (error.location(), text) {
        let before = text.get(..at.offset as usize).unwrap_or(text);
        info.position = Some((before.chars().count() + 1).to_string());
    }
    info
}
