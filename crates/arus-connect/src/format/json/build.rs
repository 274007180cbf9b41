//! Growing Arrow columns that can forget their last rows.
//!
//! Arrow's builders only grow; a record that turns out bad in its last field, and a key that comes twice, need the
//! rows after `len` taken back. Validity is kept only from the first NULL on.

use std::sync::Arc;

use arrow::array::builder::BooleanBufferBuilder;
use arrow::array::{
    ArrayRef, BinaryArray, BinaryViewArray, BooleanArray, Decimal128Array, ListArray, NullArray, PrimitiveArray,
    StringArray, StringViewArray, StructArray,
};
use arrow::buffer::{Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow::datatypes::{
    ArrowNativeType, ArrowPrimitiveType, DataType, Date32Type, Decimal128Type, Field, Fields, Float32Type, Float64Type,
    Int8Type, Int16Type, Int32Type, Int64Type, Time32MillisecondType, TimeUnit, TimestampMicrosecondType,
    TimestampMillisecondType, TimestampNanosecondType,
};
use arrow::error::ArrowError;
use arrow::util::bit_util;
use arus_core::change::arrow_bug;
use arus_core::types::timestamp_unit;
use arus_core::{Error, LogicalType, Result, TypeKind};

use super::row::RowNode;
use super::time::Minute;

/// Validity of the rows so far; `None` while all are valid.
#[derive(Default)]
pub(in crate::format) struct Nulls(Option<BooleanBufferBuilder>);

impl Nulls {
    #[inline(always)]
    pub(in crate::format) fn valid(&mut self) {
        if let Some(bits) = &mut self.0 {
            bits.append(true);
        }
    }

    pub(in crate::format) fn null(&mut self, rows_before: usize) {
        self.0
            .get_or_insert_with(|| {
                let mut bits = BooleanBufferBuilder::new(bit_util::round_upto_multiple_of_64(rows_before + 64));
                bits.append_n(rows_before, true);
                bits
            })
            .append(false);
    }

    pub(in crate::format) fn truncate(&mut self, len: usize) {
        if let Some(bits) = &mut self.0 {
            bits.truncate(len);
        }
    }

    pub(in crate::format) fn finish(&mut self) -> Option<NullBuffer> {
        self.0.take().map(|mut bits| NullBuffer::new(bits.finish()))
    }
}

pub(in crate::format) struct Values<T> {
    values: Vec<T>,
    nulls: Nulls,
}

impl<T> Default for Values<T> {
    fn default() -> Self {
        Values { values: vec![], nulls: Nulls::default() }
    }
}

impl<T: ArrowNativeType> Values<T> {
    #[inline(always)]
    pub(in crate::format) fn push(&mut self, value: T) {
        self.values.push(value);
        self.nulls.valid();
    }

    fn push_null(&mut self) {
        self.nulls.null(self.values.len());
        self.values.push(T::default());
    }

    fn truncate(&mut self, len: usize) {
        self.values.truncate(len);
        self.nulls.truncate(len);
    }

    fn finish<A: ArrowPrimitiveType<Native = T>>(&mut self) -> std::result::Result<PrimitiveArray<A>, ArrowError> {
        let values = take_keeping_capacity(&mut self.values);
        PrimitiveArray::try_new(ScalarBuffer::from(values), self.nulls.finish())
    }
}

/// The next batch is about as large as the last one, most likely.
fn take_keeping_capacity<T>(values: &mut Vec<T>) -> Vec<T> {
    let next = Vec::with_capacity(if values.is_empty() { 0 } else { values.len() + values.len() / 16 + CHUNK });
    std::mem::replace(values, next)
}

/// Strings or bytes, one after another in one buffer that pins nothing of the input. Views are made of them at the end, so
/// that UTF-8 is checked once for all.
#[derive(Default)]
pub(in crate::format) struct Texts {
    /// Where each ends in `data`.
    ends: Vec<i32>,
    data: Vec<u8>,
    nulls: Nulls,
}

/// Copied at once where there are so many bytes: a length that the compiler knows.
const CHUNK: usize = 64;

impl Texts {
    #[inline]
    pub(in crate::format) fn push(&mut self, bytes: &[u8]) {
        self.data.extend_from_slice(bytes);
        self.close();
    }

    /// Appends `window[start..end]`, by way of a chunk that may reach further.
    #[inline(always)]
    pub(in crate::format) fn push_from(&mut self, window: &[u8], start: usize, end: usize) {
        match window[start..].first_chunk::<CHUNK>() {
            Some(chunk) if end - start <= CHUNK => {
                let len = self.data.len() + end - start;
                self.data.extend_from_slice(chunk);
                self.data.truncate(len);
            }
            _ => self.data.extend_from_slice(&window[start..end]),
        }
        self.close();
    }

    #[inline(always)]
    fn close(&mut self) {
        self.ends.push(self.data.len() as i32);
        self.nulls.valid();
    }

    fn push_null(&mut self) {
        self.nulls.null(self.ends.len());
        self.ends.push(self.data.len() as i32);
    }

    fn start(&self, row: usize) -> usize {
        row.checked_sub(1).and_then(|before| self.ends.get(before)).map_or(0, |end| *end as usize)
    }

    pub(in crate::format) fn truncate(&mut self, len: usize) {
        if len < self.ends.len() {
            self.data.truncate(self.start(len));
            self.ends.truncate(len);
        }
        self.nulls.truncate(len);
    }

    pub(in crate::format) fn value(&self, row: usize) -> &[u8] {
        &self.data[self.start(row)..self.ends[row] as usize]
    }

    fn parts(&mut self) -> (OffsetBuffer<i32>, Buffer, Option<NullBuffer>) {
        let mut offsets = Vec::with_capacity(self.ends.len() + 1);
        offsets.push(0);
        offsets.append(&mut self.ends);
        let data = Buffer::from_vec(take_keeping_capacity(&mut self.data));
        (OffsetBuffer::new(ScalarBuffer::from(offsets)), data, self.nulls.finish())
    }

    fn finish_strings(&mut self) -> std::result::Result<ArrayRef, ArrowError> {
        let (offsets, data, nulls) = self.parts();
        Ok(Arc::new(StringViewArray::from(&StringArray::try_new(offsets, data, nulls)?)))
    }

    fn finish_bytes(&mut self) -> std::result::Result<ArrayRef, ArrowError> {
        let (offsets, data, nulls) = self.parts();
        Ok(Arc::new(BinaryViewArray::from(&BinaryArray::try_new(offsets, data, nulls)?)))
    }
}

pub(in crate::format) struct Booleans {
    bits: BooleanBufferBuilder,
    nulls: Nulls,
}

impl Booleans {
    pub(in crate::format) fn push(&mut self, value: bool) {
        self.bits.append(value);
        self.nulls.valid();
    }
}

/// Offsets and validity of an ARRAY, MAP or MULTISET.
#[derive(Default)]
pub(in crate::format) struct Lists {
    /// Without the leading 0.
    ends: Vec<i32>,
    nulls: Nulls,
}

impl Lists {
    /// Closes a list whose elements reach up to `end`.
    pub(in crate::format) fn push(&mut self, end: usize) {
        self.ends.push(end as i32);
        self.nulls.valid();
    }

    fn push_null(&mut self) {
        self.nulls.null(self.ends.len());
        self.ends.push(self.ends.last().copied().unwrap_or(0));
    }

    /// The number of elements that remain.
    fn truncate(&mut self, len: usize) -> usize {
        self.ends.truncate(len);
        self.nulls.truncate(len);
        self.elements()
    }

    pub(in crate::format) fn elements(&self) -> usize {
        self.ends.last().copied().unwrap_or(0) as usize
    }

    fn finish(&mut self, element: ArrayRef) -> std::result::Result<ArrayRef, ArrowError> {
        let mut offsets = Vec::with_capacity(self.ends.len() + 1);
        offsets.push(0);
        offsets.append(&mut self.ends);
        let field = Arc::new(Field::new(arus_core::types::ELEMENT, element.data_type().clone(), true));
        let offsets = OffsetBuffer::new(ScalarBuffer::from(offsets));
        Ok(Arc::new(ListArray::try_new(field, offsets, element, self.nulls.finish())?))
    }
}

/// A column, or a part of a nested one, with what its type needs for decoding.
pub(in crate::format) enum Node {
    /// Columns of type NULL.
    Null(usize),
    Boolean(Booleans),
    TinyInt(Values<i8>),
    SmallInt(Values<i16>),
    /// INT and INTERVAL YEAR TO MONTH.
    Int(Values<i32>),
    /// BIGINT and INTERVAL DAY TO SECOND.
    BigInt(Values<i64>),
    Float(Values<f32>),
    Double(Values<f64>),
    Decimal {
        values: Values<i128>,
        precision: u8,
        scale: u8,
    },
    String(Texts),
    Bytes(Texts),
    Date(Values<i32>),
    Time(Values<i32>),
    Timestamp {
        values: Values<i64>,
        precision: u8,
        local_zone: bool,
        minute: Minute,
    },
    Array {
        lists: Lists,
        element: Box<Node>,
    },
    /// MULTISET too: its values are INT.
    Map {
        lists: Lists,
        keys: Texts,
        values: Box<Node>,
    },
    Row(Box<RowNode>),
}

impl Node {
    /// `what` names the column for the error on a type that JSON cannot carry.
    pub(in crate::format) fn new(ty: &LogicalType, what: &str) -> Result<Self> {
        let map = |key: &LogicalType, values: Node| {
            if !key.kind.is_string() {
                return Err(Error::not_supported(format!("column '{what}': format json with a map key of type {key}"))
                    .with_hint("keys of JSON objects are strings: declare MAP<STRING, ..>"));
            }
            Ok(Node::Map { lists: Lists::default(), keys: Texts::default(), values: Box::new(values) })
        };
        let timestamp = |precision, local_zone| Node::Timestamp {
            values: Values::default(),
            precision,
            local_zone,
            minute: Minute::default(),
        };
        Ok(match &ty.kind {
            TypeKind::Null => Node::Null(0),
            TypeKind::Boolean => {
                Node::Boolean(Booleans { bits: BooleanBufferBuilder::new(0), nulls: Nulls::default() })
            }
            TypeKind::TinyInt => Node::TinyInt(Values::default()),
            TypeKind::SmallInt => Node::SmallInt(Values::default()),
            TypeKind::Int | TypeKind::IntervalYearMonth => Node::Int(Values::default()),
            TypeKind::BigInt | TypeKind::IntervalDayTime => Node::BigInt(Values::default()),
            TypeKind::Float => Node::Float(Values::default()),
            TypeKind::Double => Node::Double(Values::default()),
            TypeKind::Decimal { precision, scale } => {
                Node::Decimal { values: Values::default(), precision: *precision, scale: *scale }
            }
            TypeKind::Char(_) | TypeKind::Varchar(_) => Node::String(Texts::default()),
            TypeKind::Binary(_) | TypeKind::Varbinary(_) => Node::Bytes(Texts::default()),
            TypeKind::Date => Node::Date(Values::default()),
            TypeKind::Time(_) => Node::Time(Values::default()),
            TypeKind::Timestamp { precision, .. } => timestamp(*precision, false),
            TypeKind::TimestampLtz { precision, .. } => timestamp(*precision, true),
            TypeKind::Array(element) => {
                Node::Array { lists: Lists::default(), element: Box::new(Node::new(element, what)?) }
            }
            TypeKind::Map(key, value) => map(key, Node::new(value, what)?)?,
            TypeKind::Multiset(element) => map(element, Node::Int(Values::default()))?,
            TypeKind::Row(fields) => {
                let fields: Result<Vec<_>> =
                    fields.iter().map(|f| Ok((f.name.clone(), Node::new(&f.ty, what)?))).collect();
                Node::Row(Box::new(RowNode::new(fields?)))
            }
        })
    }

    pub(in crate::format) fn len(&self) -> usize {
        match self {
            Node::Null(len) => *len,
            Node::Boolean(b) => b.bits.len(),
            Node::TinyInt(v) => v.values.len(),
            Node::SmallInt(v) => v.values.len(),
            Node::Int(v) | Node::Date(v) | Node::Time(v) => v.values.len(),
            Node::BigInt(v) | Node::Timestamp { values: v, .. } => v.values.len(),
            Node::Float(v) => v.values.len(),
            Node::Double(v) => v.values.len(),
            Node::Decimal { values, .. } => values.values.len(),
            Node::String(v) | Node::Bytes(v) => v.ends.len(),
            Node::Array { lists, .. } | Node::Map { lists, .. } => lists.ends.len(),
            Node::Row(row) => row.len(),
        }
    }

    pub(in crate::format) fn push_null(&mut self) {
        match self {
            Node::Null(len) => *len += 1,
            Node::Boolean(b) => {
                b.nulls.null(b.bits.len());
                b.bits.append(false);
            }
            Node::TinyInt(v) => v.push_null(),
            Node::SmallInt(v) => v.push_null(),
            Node::Int(v) | Node::Date(v) | Node::Time(v) => v.push_null(),
            Node::BigInt(v) | Node::Timestamp { values: v, .. } => v.push_null(),
            Node::Float(v) => v.push_null(),
            Node::Double(v) => v.push_null(),
            Node::Decimal { values, .. } => values.push_null(),
            Node::String(v) | Node::Bytes(v) => v.push_null(),
            Node::Array { lists, .. } | Node::Map { lists, .. } => lists.push_null(),
            Node::Row(row) => row.push_null(),
        }
    }

    /// Takes back the rows from `len` on, and what an unfinished list or row has written.
    pub(in crate::format) fn truncate(&mut self, len: usize) {
        match self {
            Node::Null(rows) => *rows = (*rows).min(len),
            Node::Boolean(b) => {
                b.bits.truncate(len);
                b.nulls.truncate(len);
            }
            Node::TinyInt(v) => v.truncate(len),
            Node::SmallInt(v) => v.truncate(len),
            Node::Int(v) | Node::Date(v) | Node::Time(v) => v.truncate(len),
            Node::BigInt(v) | Node::Timestamp { values: v, .. } => v.truncate(len),
            Node::Float(v) => v.truncate(len),
            Node::Double(v) => v.truncate(len),
            Node::Decimal { values, .. } => values.truncate(len),
            Node::String(v) | Node::Bytes(v) => v.truncate(len),
            Node::Array { lists, element } => element.truncate(lists.truncate(len)),
            Node::Map { lists, keys, values } => {
                let entries = lists.truncate(len);
                keys.truncate(entries);
                values.truncate(entries);
            }
            Node::Row(row) => row.truncate(len),
        }
    }

    pub(in crate::format) fn finish(&mut self) -> Result<ArrayRef> {
        self.build().map_err(arrow_bug)
    }

    pub(in crate::format) fn build(&mut self) -> std::result::Result<ArrayRef, ArrowError> {
        Ok(match self {
            Node::Null(len) => Arc::new(NullArray::new(std::mem::take(len))),
            Node::Boolean(b) => Arc::new(BooleanArray::new(b.bits.finish(), b.nulls.finish())),
            Node::TinyInt(v) => Arc::new(v.finish::<Int8Type>()?),
            Node::SmallInt(v) => Arc::new(v.finish::<Int16Type>()?),
            Node::Int(v) => Arc::new(v.finish::<Int32Type>()?),
            Node::BigInt(v) => Arc::new(v.finish::<Int64Type>()?),
            Node::Float(v) => Arc::new(v.finish::<Float32Type>()?),
            Node::Double(v) => Arc::new(v.finish::<Float64Type>()?),
            Node::Decimal { values, precision, scale } => {
                let array: Decimal128Array = values.finish::<Decimal128Type>()?;
                Arc::new(array.with_data_type(DataType::Decimal128(*precision, *scale as i8)))
            }
            Node::String(v) => v.finish_strings()?,
            Node::Bytes(v) => v.finish_bytes()?,
            Node::Date(v) => Arc::new(v.finish::<Date32Type>()?),
            Node::Time(v) => Arc::new(v.finish::<Time32MillisecondType>()?),
            Node::Timestamp { values, precision, local_zone, .. } => {
                let zone: Option<Arc<str>> = local_zone.then(|| Arc::from("UTC"));
                match timestamp_unit(*precision) {
                    TimeUnit::Millisecond => {
                        Arc::new(values.finish::<TimestampMillisecondType>()?.with_timezone_opt(zone))
                    }
                    TimeUnit::Microsecond => {
                        Arc::new(values.finish::<TimestampMicrosecondType>()?.with_timezone_opt(zone))
                    }
                    _ => Arc::new(values.finish::<TimestampNanosecondType>()?.with_timezone_opt(zone)),
                }
            }
            Node::Array { lists, element } => lists.finish(element.build()?)?,
            Node::Map { lists, keys, values } => {
                let keys = keys.finish_strings()?;
                let values = values.build()?;
                let fields = Fields::from(vec![
                    Field::new(arus_core::types::MAP_KEY, keys.data_type().clone(), true),
                    Field::new(arus_core::types::MAP_VALUE, values.data_type().clone(), true),
                ]);
                lists.finish(Arc::new(StructArray::try_new(fields, vec![keys, values], None)?))?
            }
            Node::Row(row) => row.build()?,
        })
    }
}
