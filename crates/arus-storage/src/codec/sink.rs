//! Encoded rows back into Arrow arrays. `None` from a `take` means that the bytes are no such row.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, ArrowPrimitiveType, BinaryViewBuilder, BooleanArray, BooleanBufferBuilder, ListArray, NullArray,
    NullBufferBuilder, PrimitiveArray, StringViewBuilder, StructArray,
};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Field, Fields, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type,
    Int64Type, Time32MillisecondType, TimeUnit, TimestampMicrosecondType, TimestampMillisecondType,
    TimestampNanosecondType,
};
use arus_core::types::{LogicalType, TypeKind};

use super::column::DECIMAL64_PRECISION;
use crate::wire::WireReader;

pub(super) struct Sink {
    ty: DataType,
    nulls: NullBufferBuilder,
    values: Values,
}

enum Values {
    Null(usize),
    Boolean(BooleanBufferBuilder),
    I8(Vec<i8>),
    I16(Vec<i16>),
    I32(Vec<i32>),
    I64(Vec<i64>),
    F32(Vec<f32>),
    F64(Vec<f64>),
    Decimal64(Vec<i128>),
    Decimal128(Vec<i128>),
    Text(StringViewBuilder),
    Bytes(BinaryViewBuilder),
    List { offsets: Vec<i32>, entry: Box<Sink> },
    Map { offsets: Vec<i32>, entries: [Box<Sink>; 2] },
    Row { fields: Vec<Sink>, rows: usize },
}

impl Sink {
    pub(super) fn new(ty: &LogicalType) -> Self {
        let map = |key: &LogicalType, value: &LogicalType| Values::Map {
            offsets: vec![0],
            entries: [Box::new(Sink::new(key)), Box::new(Sink::new(value))],
        };
        let values = match &ty.kind {
            TypeKind::Null => Values::Null(0),
            TypeKind::Boolean => Values::Boolean(BooleanBufferBuilder::new(0)),
            TypeKind::TinyInt => Values::I8(vec![]),
            TypeKind::SmallInt => Values::I16(vec![]),
            TypeKind::Int | TypeKind::IntervalYearMonth | TypeKind::Date | TypeKind::Time(_) => Values::I32(vec![]),
            TypeKind::BigInt
            | TypeKind::IntervalDayTime
            | TypeKind::Timestamp { .. }
            | TypeKind::TimestampLtz { .. } => Values::I64(vec![]),
            TypeKind::Float => Values::F32(vec![]),
            TypeKind::Double => Values::F64(vec![]),
            TypeKind::Decimal { precision, .. } if *precision <= DECIMAL64_PRECISION => Values::Decimal64(vec![]),
            TypeKind::Decimal { .. } => Values::Decimal128(vec![]),
            TypeKind::Char(_) | TypeKind::Varchar(_) => Values::Text(StringViewBuilder::new()),
            TypeKind::Binary(_) | TypeKind::Varbinary(_) => Values::Bytes(BinaryViewBuilder::new()),
            TypeKind::Array(element) => Values::List { offsets: vec![0], entry: Box::new(Sink::new(element)) },
            TypeKind::Map(key, value) => map(key, value),
            TypeKind::Multiset(element) => map(element, &TypeKind::Int.not_null()),
            TypeKind::Row(fields) => Values::Row { fields: fields.iter().map(|f| Sink::new(&f.ty)).collect(), rows: 0 },
        };
        Sink { ty: ty.to_arrow(), nulls: NullBufferBuilder::new(0), values }
    }

    fn put_null(&mut self) {
        self.nulls.append_null();
        match &mut self.values {
            Values::Null(rows) => *rows += 1,
            Values::Boolean(values) => values.append(false),
            Values::I8(values) => values.push(0),
            Values::I16(values) => values.push(0),
            Values::I32(values) => values.push(0),
            Values::I64(values) => values.push(0),
            Values::F32(values) => values.push(0.0),
            Values::F64(values) => values.push(0.0),
            Values::Decimal64(values) | Values::Decimal128(values) => values.push(0),
            Values::Text(values) => values.append_value(""),
            Values::Bytes(values) => values.append_value([]),
            Values::List { offsets, .. } | Values::Map { offsets, .. } => {
                offsets.push(offsets.last().copied().unwrap_or(0));
            }
            Values::Row { fields, rows } => {
                fields.iter_mut().for_each(Sink::put_null);
                *rows += 1;
            }
        }
    }

    pub(super) fn take_key(&mut self, bytes: &mut WireReader<'_>) -> Option<()> {
        match bytes.u8()? {
            0 => {
                self.put_null();
                return Some(());
            }
            1 => self.nulls.append_non_null(),
            _ => return None,
        }
        match &mut self.values {
            Values::Null(_) => return None,
            Values::Boolean(values) => values.append(flag(bytes)?),
            Values::I8(values) => values.push((bytes.u8()? ^ 0x80) as i8),
            Values::I16(values) => values.push((u16::from_be_bytes(bytes.array()?) ^ (1 << 15)) as i16),
            Values::I32(values) => values.push((u32::from_be_bytes(bytes.array()?) ^ (1 << 31)) as i32),
            Values::I64(values) => values.push(take_key_i64(bytes)?),
            Values::F32(values) => {
                let bits = u32::from_be_bytes(bytes.array()?);
                values.push(f32::from_bits(bits ^ if bits >> 31 == 1 { 1 << 31 } else { u32::MAX }));
            }
            Values::F64(values) => {
                let bits = u64::from_be_bytes(bytes.array()?);
                values.push(f64::from_bits(bits ^ if bits >> 63 == 1 { 1 << 63 } else { u64::MAX }));
            }
            Values::Decimal64(values) => values.push(i128::from(take_key_i64(bytes)?)),
            Values::Decimal128(values) => values.push((u128::from_be_bytes(bytes.array()?) ^ (1 << 127)) as i128),
            Values::Text(values) => values.append_value(String::from_utf8(take_key_bytes(bytes)?).ok()?),
            Values::Bytes(values) => values.append_value(take_key_bytes(bytes)?),
            Values::List { offsets, entry } => {
                let mut n = *offsets.last()?;
                while flag(bytes)? {
                    entry.take_key(bytes)?;
                    n = n.checked_add(1)?;
                }
                offsets.push(n);
            }
            Values::Map { offsets, entries } => {
                let mut n = *offsets.last()?;
                while flag(bytes)? {
                    entries.iter_mut().try_for_each(|sink| sink.take_key(bytes))?;
                    n = n.checked_add(1)?;
                }
                offsets.push(n);
            }
            Values::Row { fields, rows } => {
                fields.iter_mut().try_for_each(|sink| sink.take_key(bytes))?;
                *rows += 1;
            }
        }
        Some(())
    }

    fn take_value(&mut self, bytes: &mut WireReader<'_>) -> Option<()> {
        self.nulls.append_non_null();
        match &mut self.values {
            Values::Null(_) => return None,
            Values::Boolean(values) => values.append(flag(bytes)?),
            Values::I8(values) => values.push(bytes.u8()? as i8),
            Values::I16(values) => values.push(bytes.zigzag()?.try_into().ok()?),
            Values::I32(values) => values.push(bytes.zigzag()?.try_into().ok()?),
            Values::I64(values) => values.push(bytes.zigzag()?),
            Values::F32(values) => values.push(f32::from_le_bytes(bytes.array()?)),
            Values::F64(values) => values.push(f64::from_le_bytes(bytes.array()?)),
            Values::Decimal64(values) => values.push(i128::from(bytes.zigzag()?)),
            Values::Decimal128(values) => values.push(i128::from_le_bytes(bytes.array()?)),
            Values::Text(values) => values.append_value(std::str::from_utf8(bytes.bytes()?).ok()?),
            Values::Bytes(values) => values.append_value(bytes.bytes()?),
            Values::List { offsets, entry } => {
                let n = length(bytes)?;
                (0..n).try_for_each(|_| take_fields(std::slice::from_mut(entry.as_mut()), bytes))?;
                offsets.push(offsets.last()?.checked_add(n)?);
            }
            Values::Map { offsets, entries } => {
                let n = length(bytes)?;
                for _ in 0..n {
                    let bits = bytes.u8()?;
                    for (i, sink) in entries.iter_mut().enumerate() {
                        sink.take_field(bits >> i & 1 == 1, bytes)?;
                    }
                }
                offsets.push(offsets.last()?.checked_add(n)?);
            }
            Values::Row { fields, rows } => {
                take_fields(fields, bytes)?;
                *rows += 1;
            }
        }
        Some(())
    }

    fn take_field(&mut self, present: bool, bytes: &mut WireReader<'_>) -> Option<()> {
        if present {
            self.take_value(bytes)
        } else {
            self.put_null();
            Some(())
        }
    }

    pub(super) fn finish(mut self) -> ArrayRef {
        let nulls = self.nulls.finish();
        match self.values {
            Values::Null(rows) => Arc::new(NullArray::new(rows)),
            Values::Boolean(mut values) => Arc::new(BooleanArray::new(values.finish(), nulls)),
            Values::I8(values) => primitive::<Int8Type>(values, nulls, self.ty),
            Values::I16(values) => primitive::<Int16Type>(values, nulls, self.ty),
            Values::I32(values) => match self.ty {
                DataType::Date32 => primitive::<Date32Type>(values, nulls, self.ty),
                DataType::Time32(_) => primitive::<Time32MillisecondType>(values, nulls, self.ty),
                _ => primitive::<Int32Type>(values, nulls, self.ty),
            },
            Values::I64(values) => match self.ty {
                DataType::Timestamp(TimeUnit::Millisecond, _) => {
                    primitive::<TimestampMillisecondType>(values, nulls, self.ty)
                }
                DataType::Timestamp(TimeUnit::Microsecond, _) => {
                    primitive::<TimestampMicrosecondType>(values, nulls, self.ty)
                }
                DataType::Timestamp(..) => primitive::<TimestampNanosecondType>(values, nulls, self.ty),
                _ => primitive::<Int64Type>(values, nulls, self.ty),
            },
            Values::F32(values) => primitive::<Float32Type>(values, nulls, self.ty),
            Values::F64(values) => primitive::<Float64Type>(values, nulls, self.ty),
            Values::Decimal64(values) | Values::Decimal128(values) => {
                primitive::<Decimal128Type>(values, nulls, self.ty)
            }
            Values::Text(mut values) => {
                let (views, buffers, _) = values.finish().into_parts();
                Arc::new(arrow::array::StringViewArray::new(views, buffers, nulls))
            }
            Values::Bytes(mut values) => {
                let (views, buffers, _) = values.finish().into_parts();
                Arc::new(arrow::array::BinaryViewArray::new(views, buffers, nulls))
            }
            Values::List { offsets, entry } => {
                Arc::new(ListArray::new(element_of(&self.ty), OffsetBuffer::new(offsets.into()), entry.finish(), nulls))
            }
            Values::Map { offsets, entries } => {
                let element = element_of(&self.ty);
                let arrays = entries.map(|sink| sink.finish()).to_vec();
                let entries = StructArray::new(fields_of(element.data_type()), arrays, None);
                Arc::new(ListArray::new(element, OffsetBuffer::new(offsets.into()), Arc::new(entries), nulls))
            }
            Values::Row { fields, rows } => {
                let names = fields_of(&self.ty);
                let arrays = fields.into_iter().map(Sink::finish).collect();
                // With the length, for a row without fields.
                Arc::new(
                    StructArray::try_new_with_length(names, arrays, nulls, rows)
                        .expect("every field was given one value a row"),
                )
            }
        }
    }
}

fn element_of(ty: &DataType) -> Arc<Field> {
    match ty {
        DataType::List(element) => element.clone(),
        other => unreachable!("{other} is not a list"),
    }
}

fn fields_of(ty: &DataType) -> Fields {
    match ty {
        DataType::Struct(fields) => fields.clone(),
        other => unreachable!("{other} is not a struct"),
    }
}

fn primitive<T: ArrowPrimitiveType>(values: Vec<T::Native>, nulls: Option<NullBuffer>, ty: DataType) -> ArrayRef {
    Arc::new(PrimitiveArray::<T>::new(values.into(), nulls).with_data_type(ty))
}

pub(super) fn take_fields(sinks: &mut [Sink], bytes: &mut WireReader<'_>) -> Option<()> {
    let bits = bytes.take(sinks.len().div_ceil(8))?;
    for (i, sink) in sinks.iter_mut().enumerate() {
        sink.take_field(bits[i / 8] >> (i % 8) & 1 == 1, bytes)?;
    }
    Some(())
}

/// A number of entries; each has at least one byte, so a wrong one ends soon.
fn length(bytes: &mut WireReader<'_>) -> Option<i32> {
    let n = bytes.varint()?;
    (n <= bytes.remaining() as u64).then(|| i32::try_from(n).ok()).flatten()
}

fn flag(bytes: &mut WireReader<'_>) -> Option<bool> {
    match bytes.u8()? {
        0 => Some(false),
        1 => Some(true),
        _ => None,
    }
}

fn take_key_i64(bytes: &mut WireReader<'_>) -> Option<i64> {
    Some((u64::from_be_bytes(bytes.array()?) ^ (1 << 63)) as i64)
}

fn take_key_bytes(bytes: &mut WireReader<'_>) -> Option<Vec<u8>> {
    let mut out = vec![];
    loop {
        match bytes.u8()? {
            0 => match bytes.u8()? {
                255 => out.push(0),
                1 => return Some(out),
                _ => return None,
            },
            byte => out.push(byte),
        }
    }
}
