//! Arrow batches as Postgres rows.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow_pg::datatypes::{encode_recordbatch, field_into_pg_type};
use arus_core::error::Code;
use arus_core::platform::QueryStream;
use arus_core::{Error, Result};
use futures::future::{Either, select};
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt, stream};
use pgwire::api::portal::Format;
use pgwire::api::results::{FieldInfo, QueryResponse};
use pgwire::api::{ConnectionHandle, Type};
use pgwire::error::PgWireResult;

use super::error::to_pg_error;
use super::progress::Progress;
use crate::json;

/// The columns as Postgres describes them; nested ones are jsonb in text and json in binary, whose bytes are
/// the same.
pub(super) fn describe(schema: &Schema, format: &Format) -> PgWireResult<Vec<FieldInfo>> {
    schema
        .fields()
        .iter()
        .enumerate()
        .map(|(i, field)| {
            let wire = if json::is_nested(field.data_type()) { Type::JSONB } else { field_into_pg_type(field)? };
            Ok(FieldInfo::new(field.name().clone(), None, None, wire, format.format_for(i)))
        })
        .collect()
}

/// `connection`: a cancel request for it ends the rows with an error.
pub(super) fn rows(
    stream: QueryStream,
    format: &Format,
    connection: Option<Arc<ConnectionHandle>>,
    progress: Arc<Progress>,
) -> PgWireResult<QueryResponse> {
    let fields = Arc::new(describe(&stream.schema, format)?);
    let described = fields.clone();
    let batches = cancellable(stream.batches, connection).map_err(to_pg_error).map(move |batch| {
        let fields = fields.clone();
        batch.map(move |batch| stream::iter(encode_recordbatch(fields, with_json(&batch))))
    });
    Ok(QueryResponse::new(described, progress.watch(Box::pin(batches.try_flatten()))))
}

type Batches = BoxStream<'static, Result<RecordBatch>>;

/// pgwire listens for a cancel request until it has the rows' stream: from there on this does.
fn cancellable(batches: Batches, connection: Option<Arc<ConnectionHandle>>) -> Batches {
    let Some(connection) = connection else { return batches };
    stream::unfold(Some((batches, None)), move |state| {
        let connection = connection.clone();
        async move {
            let (mut batches, listening) = state?;
            let cancelled = match listening {
                Some(cancelled) => cancelled,
                None => connection.start_query().await,
            };
            match select(batches.next(), cancelled).await {
                Either::Left((batch, cancelled)) => batch.map(|b| (b, Some((batches, Some(cancelled))))),
                Either::Right((Ok(()), _)) => {
                    let error = Error::user("the statement was cancelled").with_code(Code::Cancelled);
                    Some((Err(error), None))
                }
                // Nobody can cancel any more.
                Either::Right((Err(_), next)) => next.await.map(|b| (b, Some((batches, None)))),
            }
        }
    })
    .boxed()
}

/// Replaces nested columns by their JSON text.
fn with_json(batch: &RecordBatch) -> RecordBatch {
    if !batch.schema_ref().fields().iter().any(|f| json::is_nested(f.data_type())) {
        return batch.clone();
    }
    let (fields, columns): (Vec<_>, Vec<ArrayRef>) = batch
        .schema_ref()
        .fields()
        .iter()
        .zip(batch.columns())
        .map(|(field, column)| {
            if json::is_nested(field.data_type()) {
                (Field::new(field.name(), DataType::Utf8, true), Arc::new(json_text(column)) as ArrayRef)
            } else {
                (field.as_ref().clone(), column.clone())
            }
        })
        .unzip();
    let schema: SchemaRef = Arc::new(Schema::new(fields));
    RecordBatch::try_new(schema, columns).expect("the same rows with other columns")
}

fn json_text(column: &ArrayRef) -> StringArray {
    (0..column.len()).map(|row| column.is_valid(row).then(|| json::value(column, row).to_string())).collect()
}
