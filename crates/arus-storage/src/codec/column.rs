//! A column of a batch as the encoders read it: typed slices, found once per batch.

use arrow::array::{
    Array, AsArray, BinaryViewArray, BooleanArray, GenericByteViewArray, ListArray, PrimitiveArray, StringViewArray,
};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{
    ArrowPrimitiveType, ByteViewType, DataType, Date32Type, Decimal128Type, Float32Type, Float64Type, Int8Type,
    Int16Type, Int32Type, Int64Type, Time32MillisecondType, TimeUnit, TimestampMicrosecondType,
    TimestampMillisecondType, TimestampNanosecondType,
};
use arus_core::types::{LogicalType, TypeKind};
use arus_core::{Error, Result};

use crate::wire::{put_bytes, put_varint, put_zigzag};

/// Decimals up to this precision fit 64 bits.
pub(super) const DECIMAL64_PRECISION: u8 = 18;

pub(super) struct Column<'a> {
    nulls: Option<&'a NullBuffer>,
    values: Values<'a>,
}

enum Values<'a> {
    Null,
    Boolean(&'a BooleanArray),
    I8(&'a [i8]),
    I16(&'a [i16]),
    I32(&'a [i32]),
    I64(&'a [i64]),
    F32(&'a [f32]),
    F64(&'a [f64]),
    Decimal64(&'a [i128]),
    Decimal128(&'a [i128]),
    Text(&'a StringViewArray),
    Bytes(&'a BinaryViewArray),
    List { offsets: &'a [i32], element: Box<Column<'a>> },
    Map { offsets: &'a [i32], entry: Box<[Column<'a>; 2]> },
    Row(Vec<Column<'a>>),
}

fn primitive<T: ArrowPrimitiveType>(array: &dyn Array) -> Option<&[T::Native]> {
    array.as_any().downcast_ref::<PrimitiveArray<T>>().map(|a| a.values().as_ref())
}

fn views<T: ByteViewType + ?Sized>(array: &dyn Array) -> Option<&GenericByteViewArray<T>> {
    array.as_any().downcast_ref()
}

fn i64s(array: &dyn Array) -> Option<&[i64]> {
    match array.data_type() {
        DataType::Timestamp(TimeUnit::Millisecond, _) => primitive::<TimestampMillisecondType>(array),
        DataType::Timestamp(TimeUnit::Microsecond, _) => primitive::<TimestampMicrosecondType>(array),
        DataType::Timestamp(TimeUnit::Nanosecond, _) => primitive::<TimestampNanosecondType>(array),
        _ => primitive::<Int64Type>(array),
    }
}

impl<'a> Column<'a> {
    pub(super) fn new(array: &'a dyn Array, ty: &LogicalType) -> Result<Self> {
        if array.data_type() != &ty.to_arrow() {
            return Err(Error::bug(format!("an array of {} was given for {ty}", array.data_type())));
        }
        let values = Self::values(array, &ty.kind)?
            .ok_or_else(|| Error::bug(format!("an array of {} is not one", array.data_type())))?;
        Ok(Column { nulls: array.nulls(), values })
    }

    fn values(array: &'a dyn Array, kind: &TypeKind) -> Result<Option<Values<'a>>> {
        Ok(match kind {
            TypeKind::Null => Some(Values::Null),
            TypeKind::Boolean => array.as_boolean_opt().map(Values::Boolean),
            TypeKind::TinyInt => primitive::<Int8Type>(array).map(Values::I8),
            TypeKind::SmallInt => primitive::<Int16Type>(array).map(Values::I16),
            TypeKind::Int | TypeKind::IntervalYearMonth => primitive::<Int32Type>(array).map(Values::I32),
            TypeKind::Date => primitive::<Date32Type>(array).map(Values::I32),
            TypeKind::Time(_) => primitive::<Time32MillisecondType>(array).map(Values::I32),
            TypeKind::BigInt
            | TypeKind::IntervalDayTime
            | TypeKind::Timestamp { .. }
            | TypeKind::TimestampLtz { .. } => i64s(array).map(Values::I64),
            TypeKind::Float => primitive::<Float32Type>(array).map(Values::F32),
            TypeKind::Double => primitive::<Float64Type>(array).map(Values::F64),
            TypeKind::Decimal { precision, .. } if *precision <= DECIMAL64_PRECISION => {
                primitive::<Decimal128Type>(array).map(Values::Decimal64)
            }
            TypeKind::Decimal { .. } => primitive::<Decimal128Type>(array).map(Values::Decimal128),
            TypeKind::Char(_) | TypeKind::Varchar(_) => views(array).map(Values::Text),
            TypeKind::Binary(_) | TypeKind::Varbinary(_) => views(array).map(Values::Bytes),
            TypeKind::Array(element) => match array.as_list_opt::<i32>() {
                Some(list) => {
                    let element = Box::new(Column::new(list.values().as_ref(), element)?);
                    Some(Values::List { offsets: list.value_offsets(), element })
                }
                None => None,
            },
            TypeKind::Map(key, value) => Self::map(array.as_list_opt(), key, value)?,
            TypeKind::Multiset(element) => Self::map(array.as_list_opt(), element, &TypeKind::Int.not_null())?,
            TypeKind::Row(fields) => match array.as_struct_opt() {
                Some(row) => {
                    let columns = fields.iter().zip(row.columns());
                    Some(Values::Row(columns.map(|(f, c)| Column::new(c.as_ref(), &f.ty)).collect::<Result<_>>()?))
                }
                None => None,
            },
        })
    }

    fn map(list: Option<&'a ListArray>, key: &LogicalType, value: &LogicalType) -> Result<Option<Values<'a>>> {
        let Some(list) = list else { return Ok(None) };
        let Some(entries) = list.values().as_struct_opt() else { return Ok(None) };
        let entry = [Column::new(entries.column(0).as_ref(), key)?, Column::new(entries.column(1).as_ref(), value)?];
        Ok(Some(Values::Map { offsets: list.value_offsets(), entry: Box::new(entry) }))
    }

    fn is_null(&self, row: usize) -> bool {
        matches!(self.values, Values::Null) || self.nulls.is_some_and(|nulls| nulls.is_null(row))
    }

    /// 0 for null, else 1 and the value so that bytes sort like values.
    pub(super) fn put_key(&self, row: usize, out: &mut Vec<u8>) {
        if self.is_null(row) {
            out.push(0);
            return;
        }
        out.push(1);
        match &self.values {
            Values::Null => {}
            Values::Boolean(values) => out.push(u8::from(values.value(row))),
            Values::I8(values) => out.push(values[row] as u8 ^ 0x80),
            Values::I16(values) => out.extend_from_slice(&(values[row] as u16 ^ (1 << 15)).to_be_bytes()),
            Values::I32(values) => out.extend_from_slice(&(values[row] as u32 ^ (1 << 31)).to_be_bytes()),
            Values::I64(values) => put_key_i64(values[row], out),
            Values::F32(values) => {
                let value = values[row];
                let bits = if value.is_nan() { f32::NAN.to_bits() & !(1 << 31) } else { (value + 0.0).to_bits() };
                let flip = if bits >> 31 == 1 { u32::MAX } else { 1 << 31 };
                out.extend_from_slice(&(bits ^ flip).to_be_bytes());
            }
            Values::F64(values) => {
                let value = values[row];
                let bits = if value.is_nan() { f64::NAN.to_bits() & !(1 << 63) } else { (value + 0.0).to_bits() };
                let flip = if bits >> 63 == 1 { u64::MAX } else { 1 << 63 };
                out.extend_from_slice(&(bits ^ flip).to_be_bytes());
            }
            Values::Decimal64(values) => put_key_i64(values[row] as i64, out),
            Values::Decimal128(values) => out.extend_from_slice(&(values[row] as u128 ^ (1 << 127)).to_be_bytes()),
            Values::Text(values) => put_key_bytes(values.value(row).as_bytes(), out),
            Values::Bytes(values) => put_key_bytes(values.value(row), out),
            Values::List { offsets, element } => {
                for i in offsets[row]..offsets[row + 1] {
                    out.push(1);
                    element.put_key(i as usize, out);
                }
                out.push(0);
            }
            Values::Map { offsets, entry } => {
                // Sorted, since a map has no order: equal maps have equal bytes.
                let mut entries: Vec<Vec<u8>> = vec![];
                for i in offsets[row]..offsets[row + 1] {
                    let mut bytes = vec![];
                    entry.iter().for_each(|column| column.put_key(i as usize, &mut bytes));
                    entries.push(bytes);
                }
                entries.sort();
                for bytes in entries {
                    out.push(1);
                    out.extend_from_slice(&bytes);
                }
                out.push(0);
            }
            Values::Row(columns) => columns.iter().for_each(|column| column.put_key(row, out)),
        }
    }

    /// The value alone; that it is not null stands elsewhere.
    fn put_value(&self, row: usize, out: &mut Vec<u8>) {
        match &self.values {
            Values::Null => {}
            Values::Boolean(values) => out.push(u8::from(values.value(row))),
            Values::I8(values) => out.push(values[row] as u8),
            Values::I16(values) => put_zigzag(out, i64::from(values[row])),
            Values::I32(values) => put_zigzag(out, i64::from(values[row])),
            Values::I64(values) => put_zigzag(out, values[row]),
            Values::F32(values) => out.extend_from_slice(&values[row].to_le_bytes()),
            Values::F64(values) => out.extend_from_slice(&values[row].to_le_bytes()),
            Values::Decimal64(values) => put_zigzag(out, values[row] as i64),
            Values::Decimal128(values) => out.extend_from_slice(&values[row].to_le_bytes()),
            Values::Text(values) => put_bytes(out, values.value(row).as_bytes()),
            Values::Bytes(values) => put_bytes(out, values.value(row)),
            Values::List { offsets, element } => {
                let range = offsets[row] as usize..offsets[row + 1] as usize;
                put_varint(out, range.len() as u64);
                range.for_each(|i| put_fields(std::slice::from_ref(element), i, out));
            }
            Values::Map { offsets, entry } => {
                let range = offsets[row] as usize..offsets[row + 1] as usize;
                put_varint(out, range.len() as u64);
                range.for_each(|i| put_fields(entry.as_slice(), i, out));
            }
            Values::Row(columns) => put_fields(columns, row, out),
        }
    }
}

/// A bit for each field that is not null, lowest first, then the values of those.
pub(super) fn put_fields(columns: &[Column<'_>], row: usize, out: &mut Vec<u8>) {
    for part in columns.chunks(8) {
        let bits = part.iter().enumerate().map(|(i, column)| u8::from(!column.is_null(row)) << i);
        out.push(bits.sum());
    }
    columns.iter().filter(|column| !column.is_null(row)).for_each(|column| column.put_value(row, out));
}

fn put_key_i64(value: i64, out: &mut Vec<u8>) {
    out.extend_from_slice(&(value as u64 ^ (1 << 63)).to_be_bytes());
}

/// 0 is written as 0 255 and the end as 0 1, so that a prefix sorts before what it begins.
fn put_key_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    let mut rest = bytes;
    while let Some(zero) = rest.iter().position(|b| *b == 0) {
        out.extend_from_slice(&rest[..zero]);
        out.extend_from_slice(&[0, 255]);
        rest = &rest[zero + 1..];
    }
    out.extend_from_slice(rest);
    out.extend_from_slice(&[0, 1]);
}
