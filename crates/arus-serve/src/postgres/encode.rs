//! Arrow batches as Postgres rows.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::SchemaRef;
use arus_core::error::Code;
use arus_core::{Error, Result};
use bytes::BytesMut;
use futures::future::{Either, select};
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt, stream};
use pgwire::api::ConnectionHandle;
use pgwire::api::portal::Format;
use pgwire::api::results::{FieldFormat, FieldInfo, QueryResponse};
use pgwire::messages::data::DataRow;
use tokio::time::Sleep;

use super::error::to_pg_error;
use super::progress::Progress;
use super::types;
use super::value::{Style, write_binary, write_sized, write_text};

pub(super) type Batches = BoxStream<'static, Result<RecordBatch>>;

/// Ends a statement that takes too long.
pub(super) type Deadline = Option<std::pin::Pin<Box<Sleep>>>;

/// What may end an answer before its end.
pub(super) struct Limits {
    /// A cancel request for it ends the rows with an error.
    pub(super) connection: Option<Arc<ConnectionHandle>>,
    pub(super) deadline: Deadline,
    pub(super) progress: Arc<Progress>,
}

/// The answer to a query.
pub(super) fn rows(
    schema: &SchemaRef,
    batches: Batches,
    format: &Format,
    style: Style,
    progress: Arc<Progress>,
) -> QueryResponse {
    let fields = Arc::new(types::describe(schema, format));
    let described = fields.clone();
    let rows = batches.map_err(to_pg_error).map(move |batch| {
        let fields = fields.clone();
        batch.map(move |batch| {
            stream::iter((0..batch.num_rows()).map(move |row| Ok(data_row(batch.columns(), row, &fields, &style))))
        })
    });
    QueryResponse::new(described, progress.watch(Box::pin(rows.try_flatten())))
}

pub(super) fn data_row(columns: &[ArrayRef], row: usize, fields: &[FieldInfo], style: &Style) -> DataRow {
    let mut out = vec![];
    let mut text = String::new();
    for (column, field) in columns.iter().zip(fields) {
        write_sized(&mut out, |out| match field.format() {
            FieldFormat::Binary => write_binary(out, column, row, field.datatype()),
            FieldFormat::Text => {
                text.clear();
                let written = write_text(&mut text, column, row, field.datatype(), style);
                out.extend(text.as_bytes());
                written
            }
        });
    }
    DataRow::new(BytesMut::from(out.as_slice()), fields.len() as i16)
}

pub(super) fn timed_out() -> Error {
    Error::user("canceling statement due to statement timeout").with_code(Code::Cancelled)
}

pub(super) fn cancelled() -> Error {
    Error::user("canceling statement due to user request").with_code(Code::Cancelled)
}

/// pgwire listens for a cancel request until it has the rows' stream: from there on this does.
pub(super) fn limited(batches: Batches, limits: Limits) -> Batches {
    let batches = limits.progress.reading(batches).boxed();
    let batches = match limits.connection {
        Some(connection) => cancellable(batches, connection),
        None => batches,
    };
    let Some(deadline) = limits.deadline else { return batches };
    stream::unfold(Some((batches, deadline)), |state| async move {
        let (mut batches, deadline) = state?;
        match select(batches.next(), deadline).await {
            Either::Left((batch, deadline)) => batch.map(|b| (b, Some((batches, deadline)))),
            Either::Right(_) => Some((Err(timed_out()), None)),
        }
    })
    .boxed()
}

fn cancellable(batches: Batches, connection: Arc<ConnectionHandle>) -> Batches {
    stream::unfold(Some((batches, None)), move |state| {
        let connection = connection.clone();
        async move {
            let (mut batches, listening) = state?;
            let listening = match listening {
                Some(listening) => listening,
                None => connection.start_query().await,
            };
            match select(batches.next(), listening).await {
                Either::Left((batch, listening)) => batch.map(|b| (b, Some((batches, Some(listening))))),
                Either::Right((Ok(()), _)) => Some((Err(cancelled()), None)),
                // Nobody can cancel any more.
                Either::Right((Err(_), next)) => next.await.map(|b| (b, Some((batches, None)))),
            }
        }
    })
    .boxed()
}
