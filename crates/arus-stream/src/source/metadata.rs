//! Metadata columns: the envelope of a record, and what a split says of all its records.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryViewBuilder, Int32Array, Int64Array, ListArray, StringViewArray, StringViewBuilder, StructArray,
    TimestampMillisecondArray, UInt32Array,
};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::compute::take;
use arrow::datatypes::{DataType, Fields};
use arus_core::change::arrow_bug;
use arus_core::connector::{RawBatch, RawRecord};
use arus_core::types::TimeAttribute;
use arus_core::{Datum, Error, LogicalType, Result, TypeKind};
use arus_expr::datum_to_array;

/// What a METADATA column reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Envelope {
    Key,
    Value,
    /// The value where it is UTF-8.
    Text,
    Headers,
    Timestamp,
    TimestampType,
    LeaderEpoch,
    Partition,
    Offset,
    Topic,
}

const KEYS: &[(&str, Envelope)] = &[
    ("key", Envelope::Key),
    ("value", Envelope::Value),
    ("text", Envelope::Text),
    ("headers", Envelope::Headers),
    ("timestamp", Envelope::Timestamp),
    ("timestamp-type", Envelope::TimestampType),
    ("leader-epoch", Envelope::LeaderEpoch),
    ("partition", Envelope::Partition),
    ("offset", Envelope::Offset),
    ("topic", Envelope::Topic),
];

impl Envelope {
    /// `None`: the key is one of the split's.
    pub(crate) fn named(key: &str) -> Option<Self> {
        KEYS.iter().find(|(name, _)| *name == key).map(|(_, envelope)| *envelope)
    }

    /// The type before the cast to the column's own.
    pub(crate) fn ty(self) -> LogicalType {
        match self {
            Envelope::Key | Envelope::Value => TypeKind::BYTES.nullable(),
            Envelope::Text => TypeKind::STRING.nullable(),
            Envelope::Headers => {
                TypeKind::Map(Box::new(TypeKind::STRING.nullable()), Box::new(TypeKind::BYTES.nullable())).not_null()
            }
            Envelope::Timestamp => TypeKind::TimestampLtz { precision: 3, attribute: TimeAttribute::None }.not_null(),
            Envelope::LeaderEpoch | Envelope::Partition => TypeKind::Int.not_null(),
            Envelope::Offset => TypeKind::BigInt.not_null(),
            Envelope::TimestampType | Envelope::Topic => TypeKind::STRING.not_null(),
        }
    }

    /// One value for each of `records` (indexes into `raw`).
    pub(crate) fn column(self, raw: &RawBatch, records: &[u32], topic: &str) -> Result<ArrayRef> {
        let of = || records.iter().map(|r| &raw.records[*r as usize]);
        let text =
            |value: &str| -> ArrayRef { Arc::new(StringViewArray::from_iter_values(records.iter().map(|_| value))) };
        Ok(match self {
            Envelope::Key => bytes(raw, of().map(|r| r.key)),
            Envelope::Value => bytes(raw, of().map(|r| r.value)),
            Envelope::Text => {
                let mut builder = StringViewBuilder::with_capacity(records.len());
                for record in of() {
                    let value = record.value.map(|span| raw.bytes(span));
                    builder.append_option(value.and_then(|v| std::str::from_utf8(v).ok()));
                }
                Arc::new(builder.finish())
            }
            Envelope::Headers => headers(raw, of())?,
            Envelope::Timestamp => {
                let zone = self.ty().to_arrow();
                let times = TimestampMillisecondArray::from_iter_values(of().map(|r| r.timestamp_ms));
                Arc::new(times.with_data_type(zone))
            }
            Envelope::LeaderEpoch => Arc::new(Int32Array::from_value(0, records.len())),
            Envelope::Partition => Arc::new(Int32Array::from_value(raw.partition, records.len())),
            Envelope::Offset => Arc::new(Int64Array::from_iter_values(of().map(|r| r.offset))),
            Envelope::TimestampType => text("CreateTime"),
            Envelope::Topic => text(topic),
        })
    }
}

/// `value`, the same for `rows` rows.
pub(crate) fn constant(value: &Datum, ty: &LogicalType, rows: usize) -> Result<ArrayRef> {
    let one = datum_to_array(value, ty)?;
    take(&one, &UInt32Array::from_value(0, rows), None).map_err(arrow_bug)
}

fn bytes(raw: &RawBatch, spans: impl Iterator<Item = Option<arus_core::connector::Span>>) -> ArrayRef {
    let mut builder = BinaryViewBuilder::new();
    for span in spans {
        builder.append_option(span.map(|span| raw.bytes(span)));
    }
    Arc::new(builder.finish())
}

/// MAP<STRING, BYTES>: a list of entries.
fn headers<'a>(raw: &RawBatch, records: impl Iterator<Item = &'a RawRecord>) -> Result<ArrayRef> {
    let mut keys = StringViewBuilder::new();
    let mut values = BinaryViewBuilder::new();
    let mut lengths = vec![];
    for record in records {
        let pairs = record.headers.map_or(vec![], |span| arus_storage::log::record_headers(raw.bytes(span)));
        lengths.push(pairs.len());
        for (key, value) in pairs {
            keys.append_value(String::from_utf8_lossy(key));
            values.append_option(value);
        }
    }
    let DataType::List(field) = Envelope::Headers.ty().to_arrow() else {
        return Err(Error::bug("a map is a list of entries"));
    };
    let DataType::Struct(fields) = field.data_type() else {
        return Err(Error::bug("a map is a list of entries"));
    };
    let columns: Vec<ArrayRef> = vec![Arc::new(keys.finish()), Arc::new(values.finish())];
    let entries = StructArray::new(Fields::clone(fields), columns, None::<NullBuffer>);
    Ok(Arc::new(ListArray::new(field.clone(), OffsetBuffer::from_lengths(lengths), Arc::new(entries), None)))
}
