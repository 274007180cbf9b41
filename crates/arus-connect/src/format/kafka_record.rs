//! The envelope of a record as columns: how a topic is read that a Kafka client created and nobody has declared.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{
    ArrayBuilder, ArrayRef, BinaryViewBuilder, Int32Array, Int64Array, ListArray, RecordBatch, RecordBatchOptions,
    StringViewBuilder, StructArray, TimestampMillisecondArray,
};
use arrow::buffer::{OffsetBuffer, ScalarBuffer};
use arrow::datatypes::{DataType, Field, Fields};
use arus_core::catalog::TableDef;
use arus_core::change::arrow_bug;
use arus_core::connector::{ConnectContext, Decoded, Decoder, Encoder, Format, OptionDef, RawBatch, RawRecord, Span};
use arus_core::types::{ELEMENT, MAP_KEY, MAP_VALUE};
use arus_core::{Column, Error, Result, RowSchema, TimeAttribute, TypeKind};
use arus_storage::log::record_headers;

pub(crate) struct KafkaRecord;

/// The columns of such a topic.
pub fn kafka_record_columns() -> RowSchema {
    let timestamp = TypeKind::TimestampLtz { precision: 3, attribute: TimeAttribute::None };
    let headers = TypeKind::Map(Box::new(TypeKind::STRING.not_null()), Box::new(TypeKind::BYTES.nullable()));
    [
        ("key", TypeKind::BYTES.nullable()),
        ("value", TypeKind::BYTES.nullable()),
        ("text", TypeKind::STRING.nullable()),
        ("headers", headers.not_null()),
        ("timestamp", timestamp.not_null()),
        ("partition", TypeKind::Int.not_null()),
        ("offset", TypeKind::BigInt.not_null()),
    ]
    .into_iter()
    .map(|(name, ty)| Column { name: name.to_string(), ty })
    .collect()
}

impl Format for KafkaRecord {
    fn name(&self) -> &'static str {
        "kafka-record"
    }

    fn options(&self) -> &'static [OptionDef] {
        &[]
    }

    fn decoder(&self, table: &TableDef, columns: &RowSchema, _cx: &ConnectContext) -> Result<Box<dyn Decoder>> {
        let known = kafka_record_columns();
        for column in columns.columns() {
            let found = known.columns().iter().find(|k| k.name == column.name);
            if found.is_none_or(|k| k.ty.kind != column.ty.kind) {
                let list: Vec<_> = known.columns().iter().map(|k| format!("`{}` {}", k.name, k.ty.kind)).collect();
                return Err(Error::user(format!(
                    "table '{}': format kafka-record has no column `{}` {}",
                    table.path, column.name, column.ty
                ))
                .with_hint(format!("its columns are {}", list.join(", "))));
            }
        }
        Ok(Box::new(EnvelopeDecoder { columns: columns.clone() }))
    }

    fn encoder(&self, table: &TableDef, _schema: &RowSchema, _cx: &ConnectContext) -> Result<Box<dyn Encoder>> {
        Err(Error::not_supported(format!("table '{}': writing with format kafka-record", table.path))
            .with_hint("declare the topic with CREATE TABLE, which gives it columns"))
    }
}

struct EnvelopeDecoder {
    columns: RowSchema,
}

impl Decoder for EnvelopeDecoder {
    fn decode(&mut self, raw: &RawBatch) -> Result<Decoded> {
        let arrays: Result<Vec<ArrayRef>> = self.columns.columns().iter().map(|c| array(&c.name, raw)).collect();
        let options = RecordBatchOptions::new().with_row_count(Some(raw.records.len()));
        let rows = RecordBatch::try_new_with_options(self.columns.to_arrow(), arrays?, &options).map_err(arrow_bug)?;
        Ok(Decoded { rows, kinds: None, records: (0..raw.records.len() as u32).collect(), rejected: vec![] })
    }
}

fn array(name: &str, raw: &RawBatch) -> Result<ArrayRef> {
    let records = raw.records.iter();
    let bytes = |part: fn(&RawRecord) -> Option<Span>| -> ArrayRef {
        let mut builder = BinaryViewBuilder::with_capacity(raw.records.len());
        raw.records.iter().for_each(|r| builder.append_option(part(r).map(|span| raw.bytes(span))));
        Arc::new(builder.finish())
    };
    Ok(match name {
        "key" => bytes(|r| r.key),
        "value" => bytes(|r| r.value),
        "text" => {
            let mut builder = StringViewBuilder::with_capacity(raw.records.len());
            records.for_each(|r| {
                builder.append_option(r.value.and_then(|span| std::str::from_utf8(raw.bytes(span)).ok()));
            });
            Arc::new(builder.finish())
        }
        "headers" => headers(raw)?,
        "timestamp" => {
            Arc::new(TimestampMillisecondArray::from_iter_values(records.map(|r| r.timestamp_ms)).with_timezone("UTC"))
        }
        "partition" => Arc::new(Int32Array::from_iter_values(records.map(|_| raw.partition))),
        "offset" => Arc::new(Int64Array::from_iter_values(records.map(|r| r.offset))),
        other => return Err(Error::bug(format!("format kafka-record: column '{other}'"))),
    })
}

/// Of headers with one name the last counts, as in Flink's map of them.
fn headers(raw: &RawBatch) -> Result<ArrayRef> {
    let mut names = StringViewBuilder::new();
    let mut values = BinaryViewBuilder::new();
    let mut offsets = vec![0i32];
    for record in &raw.records {
        let list = record.headers.map(|span| record_headers(raw.bytes(span))).unwrap_or_default();
        let last: HashMap<_, _> = list.iter().enumerate().map(|(i, (name, _))| (*name, i)).collect();
        for (i, (name, value)) in list.iter().enumerate() {
            if last[name] == i {
                names.append_value(String::from_utf8_lossy(name));
                values.append_option(*value);
            }
        }
        offsets.push(names.len() as i32);
    }
    let entry = Fields::from(vec![
        Field::new(MAP_KEY, DataType::Utf8View, true),
        Field::new(MAP_VALUE, DataType::BinaryView, true),
    ]);
    let columns: Vec<ArrayRef> = vec![Arc::new(names.finish()), Arc::new(values.finish())];
    let entries = StructArray::try_new(entry, columns, None).map_err(arrow_bug)?;
    let field = Arc::new(Field::new(ELEMENT, arrow::array::Array::data_type(&entries).clone(), true));
    let offsets = OffsetBuffer::new(ScalarBuffer::from(offsets));
    Ok(Arc::new(ListArray::try_new(field, offsets, Arc::new(entries), None).map_err(arrow_bug)?))
}
