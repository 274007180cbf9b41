//! Arrow batches as Postgres rows.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow_pg::datatypes::{encode_recordbatch, field_into_pg_type};
use arus_core::platform::QueryStream;
use futures::{StreamExt, TryStreamExt, stream};
use pgwire::api::Type;
use pgwire::api::portal::Format;
use pgwire::api::results::{FieldInfo, QueryResponse};
use pgwire::error::PgWireResult;

use super::error::to_pg_error;
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

pub(super) fn rows(stream: QueryStream, format: &Format) -> PgWireResult<QueryResponse> {
    let fields = Arc::new(describe(&stream.schema, format)?);
    let described = fields.clone();
    let batches = stream.batches.map_err(to_pg_error).map(move |batch| {
        let fields = fields.clone();
        batch.map(move |batch| stream::iter(encode_recordbatch(fields, with_json(&batch))))
    });
    Ok(QueryResponse::new(described, batches.try_flatten()))
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
