//! Single values and one-row arrays.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryViewArray, BooleanArray, ListArray, NullArray, PrimitiveArray, StringViewArray,
    StructArray, new_empty_array, new_null_array,
};
use arrow::buffer::OffsetBuffer;
use arrow::compute::concat;
use arrow::datatypes::{
    ArrowPrimitiveType, DataType, Date32Type, Decimal128Type, Field, Float32Type, Float64Type, Int8Type, Int16Type,
    Int32Type, Time32MillisecondType,
};
use arus_core::change::arrow_bug;
use arus_core::{Datum, Error, LogicalType, Result, TypeKind};

use crate::value::{Longs, Value, long_array};

/// An array of one row.
pub fn datum_to_array(value: &Datum, ty: &LogicalType) -> Result<ArrayRef> {
    let arrow = ty.to_arrow();
    Ok(match (value, &ty.kind) {
        (Datum::Null, TypeKind::Null) => Arc::new(NullArray::new(1)),
        (Datum::Null, _) => new_null_array(&arrow, 1),
        (Datum::Boolean(v), TypeKind::Boolean) => Arc::new(BooleanArray::from(vec![*v])),
        (Datum::TinyInt(v), _) => number::<Int8Type>(*v, &arrow, value)?,
        (Datum::SmallInt(v), _) => number::<Int16Type>(*v, &arrow, value)?,
        (Datum::Int(v), _) | (Datum::IntervalMonths(v), _) => number::<Int32Type>(*v, &arrow, value)?,
        (Datum::Float(v), _) => number::<Float32Type>(*v, &arrow, value)?,
        (Datum::Double(v), _) => number::<Float64Type>(*v, &arrow, value)?,
        (Datum::Decimal(v), TypeKind::Decimal { .. }) => {
            Arc::new(PrimitiveArray::<Decimal128Type>::from(vec![*v]).with_data_type(arrow))
        }
        (Datum::Date(v), _) => number::<Date32Type>(*v, &arrow, value)?,
        (Datum::Time(v), _) => number::<Time32MillisecondType>(*v, &arrow, value)?,
        (Datum::BigInt(v) | Datum::Timestamp(v) | Datum::IntervalMillis(v), _) => {
            long_array(vec![*v].into(), None, &arrow)?
        }
        (Datum::String(v), kind) if kind.is_string() => Arc::new(StringViewArray::from_iter_values([v])),
        (Datum::Bytes(v), kind) if kind.is_binary() => Arc::new(BinaryViewArray::from_iter_values([v])),
        (Datum::Row(values), TypeKind::Row(fields)) if values.len() == fields.len() => {
            let columns = values.iter().zip(fields).map(|(v, f)| datum_to_array(v, &f.ty)).collect::<Result<_>>()?;
            let DataType::Struct(arrow_fields) = arrow else { return Err(mismatch(value, &arrow)) };
            Arc::new(StructArray::try_new_with_length(arrow_fields, columns, None, 1).map_err(arrow_bug)?)
        }
        (Datum::Array(values), TypeKind::Array(element)) => list(values, element, &arrow)?,
        (Datum::Map(entries), TypeKind::Map(key, item)) => map(entries, key, item, &arrow)?,
        (Datum::Map(entries), TypeKind::Multiset(element)) => map(entries, element, &TypeKind::Int.not_null(), &arrow)?,
        _ => return Err(mismatch(value, &arrow)),
    })
}

fn mismatch(value: &Datum, arrow: &DataType) -> Error {
    Error::bug(format!("the value {value:?} is not of type {arrow}"))
}

fn number<T: ArrowPrimitiveType>(v: T::Native, arrow: &DataType, value: &Datum) -> Result<ArrayRef> {
    if *arrow != T::DATA_TYPE {
        return Err(mismatch(value, arrow));
    }
    Ok(Arc::new(PrimitiveArray::<T>::new(vec![v].into(), None)))
}

/// The values below one another.
pub(crate) fn column(values: &[Datum], ty: &LogicalType) -> Result<ArrayRef> {
    let arrays: Vec<ArrayRef> = values.iter().map(|v| datum_to_array(v, ty)).collect::<Result<_>>()?;
    if arrays.is_empty() {
        return Ok(new_empty_array(&ty.to_arrow()));
    }
    concat(&arrays.iter().map(AsRef::as_ref).collect::<Vec<_>>()).map_err(arrow_bug)
}

fn element_field(arrow: &DataType) -> Result<Arc<Field>> {
    match arrow {
        DataType::List(field) => Ok(field.clone()),
        _ => Err(Error::bug(format!("{arrow} is no list"))),
    }
}

fn list(values: &[Datum], element: &LogicalType, arrow: &DataType) -> Result<ArrayRef> {
    let items = column(values, element)?;
    let offsets = OffsetBuffer::from_lengths([items.len()]);
    Ok(Arc::new(ListArray::try_new(element_field(arrow)?, offsets, items, None).map_err(arrow_bug)?))
}

fn map(entries: &[(Datum, Datum)], key: &LogicalType, item: &LogicalType, arrow: &DataType) -> Result<ArrayRef> {
    let field = element_field(arrow)?;
    let DataType::Struct(fields) = field.data_type() else {
        return Err(Error::bug(format!("{arrow} is no list of entries")));
    };
    let (keys, items): (Vec<Datum>, Vec<Datum>) = entries.iter().cloned().unzip();
    let columns = vec![column(&keys, key)?, column(&items, item)?];
    let rows = StructArray::try_new_with_length(fields.clone(), columns, None, entries.len()).map_err(arrow_bug)?;
    let offsets = OffsetBuffer::from_lengths([entries.len()]);
    Ok(Arc::new(ListArray::try_new(field, offsets, Arc::new(rows), None).map_err(arrow_bug)?))
}

/// The value at `row`.
pub fn array_to_datum(array: &ArrayRef, row: usize, ty: &LogicalType) -> Result<Datum> {
    if matches!(ty.kind, TypeKind::Null) || array.is_null(row) {
        return Ok(Datum::Null);
    }
    let wrong = || Error::bug(format!("an array of {} holds no {ty}", array.data_type()));
    Ok(match &ty.kind {
        TypeKind::Null => Datum::Null,
        TypeKind::Boolean => Datum::Boolean(array.as_boolean_opt().ok_or_else(wrong)?.value(row)),
        TypeKind::TinyInt => Datum::TinyInt(array.as_primitive_opt::<Int8Type>().ok_or_else(wrong)?.value(row)),
        TypeKind::SmallInt => Datum::SmallInt(array.as_primitive_opt::<Int16Type>().ok_or_else(wrong)?.value(row)),
        TypeKind::Int => Datum::Int(array.as_primitive_opt::<Int32Type>().ok_or_else(wrong)?.value(row)),
        TypeKind::IntervalYearMonth => {
            Datum::IntervalMonths(array.as_primitive_opt::<Int32Type>().ok_or_else(wrong)?.value(row))
        }
        TypeKind::Float => Datum::Float(array.as_primitive_opt::<Float32Type>().ok_or_else(wrong)?.value(row)),
        TypeKind::Double => Datum::Double(array.as_primitive_opt::<Float64Type>().ok_or_else(wrong)?.value(row)),
        TypeKind::Decimal { .. } => {
            Datum::Decimal(array.as_primitive_opt::<Decimal128Type>().ok_or_else(wrong)?.value(row))
        }
        TypeKind::Char(_) | TypeKind::Varchar(_) => {
            Datum::String(array.as_string_view_opt().ok_or_else(wrong)?.value(row).to_owned())
        }
        TypeKind::Binary(_) | TypeKind::Varbinary(_) => {
            Datum::Bytes(array.as_binary_view_opt().ok_or_else(wrong)?.value(row).to_owned())
        }
        TypeKind::Date => Datum::Date(array.as_primitive_opt::<Date32Type>().ok_or_else(wrong)?.value(row)),
        TypeKind::Time(_) => {
            Datum::Time(array.as_primitive_opt::<Time32MillisecondType>().ok_or_else(wrong)?.value(row))
        }
        TypeKind::BigInt | TypeKind::Timestamp { .. } | TypeKind::TimestampLtz { .. } | TypeKind::IntervalDayTime => {
            let value = Value::Array(array.clone());
            let long = Longs::of(&value)?.get(row).ok_or_else(wrong)?;
            match ty.kind {
                TypeKind::BigInt => Datum::BigInt(long),
                TypeKind::IntervalDayTime => Datum::IntervalMillis(long),
                _ => Datum::Timestamp(long),
            }
        }
        TypeKind::Row(fields) => {
            let row_array = array.as_struct_opt().ok_or_else(wrong)?;
            let values = fields.iter().enumerate().map(|(i, f)| array_to_datum(row_array.column(i), row, &f.ty));
            Datum::Row(values.collect::<Result<_>>()?)
        }
        TypeKind::Array(element) => {
            let items = array.as_list_opt::<i32>().ok_or_else(wrong)?.value(row);
            Datum::Array((0..items.len()).map(|i| array_to_datum(&items, i, element)).collect::<Result<_>>()?)
        }
        TypeKind::Map(key, item) => entries(array, row, key, item).ok_or_else(wrong)??,
        TypeKind::Multiset(element) => entries(array, row, element, &TypeKind::Int.not_null()).ok_or_else(wrong)??,
    })
}

fn entries(array: &ArrayRef, row: usize, key: &LogicalType, item: &LogicalType) -> Option<Result<Datum>> {
    let entries = array.as_list_opt::<i32>()?.value(row);
    let entries = entries.as_struct_opt()?;
    let pair = |i| Ok((array_to_datum(entries.column(0), i, key)?, array_to_datum(entries.column(1), i, item)?));
    Some((0..entries.len()).map(pair).collect::<Result<_>>().map(Datum::Map))
}
