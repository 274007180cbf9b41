//! Rows to records, with the quotes that Jackson's writer puts: around text that is long or has a character below a bound
//! which depends on the delimiters, needed or not.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{
    ArrowPrimitiveType, Date32Type, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type,
    Int64Type, Time32MillisecondType,
};
use arus_core::connector::{EncodedRecords, Encoder};
use arus_core::error::Code;
use arus_core::{ChangeBatch, Error, LogicalType, Result, RowSchema, TypeKind, text};

use super::Dialect;
use crate::format::json::{base64, timestamp_value, write_decimal};

pub(super) struct CsvEncoder {
    table: String,
    types: Vec<LogicalType>,
    dialect: Dialect,
    scientific: bool,
    field: String,
}

/// Text longer than that is quoted without a look.
const LOOKED_AT: usize = 24;

impl CsvEncoder {
    pub(super) fn new(table: String, schema: &RowSchema, dialect: Dialect, scientific: bool) -> Self {
        CsvEncoder { table, types: schema.types().cloned().collect(), dialect, scientific, field: String::new() }
    }

    /// Appends a field that is text.
    fn write_text(&mut self, out: &mut Vec<u8>) {
        let Dialect { delimiter, quote, escape, .. } = self.dialect;
        let text = self.field.as_str();
        let Some(quote) = quote else {
            out.extend_from_slice(text.as_bytes());
            return;
        };
        let bound = char::from(delimiter.max(quote).max(b'\n'));
        let long = text.len() > LOOKED_AT && text.encode_utf16().count() > LOOKED_AT;
        let is_escape = |c: char| c == '\\' || escape.map(char::from) == Some(c);
        if !long && !text.chars().any(|c| c <= bound || is_escape(c)) {
            out.extend_from_slice(text.as_bytes());
            return;
        }
        out.push(quote);
        for byte in text.bytes() {
            if byte == quote || Some(byte) == escape {
                out.push(byte);
            }
            out.push(byte);
        }
        out.push(quote);
    }

    fn write_column(&mut self, ty: &LogicalType, array: &ArrayRef, row: usize, out: &mut Vec<u8>) {
        self.field.clear();
        if array.is_null(row) {
            out.extend_from_slice(self.dialect.null.as_deref().unwrap_or_default().as_bytes());
            return;
        }
        match &ty.kind {
            TypeKind::Array(element) => {
                let elements = array.as_list::<i32>().value(row);
                for i in 0..elements.len() {
                    self.element(i, element, &elements, i);
                }
                self.write_text(out);
            }
            TypeKind::Row(fields) => {
                for (i, (field, column)) in fields.iter().zip(array.as_struct().columns()).enumerate() {
                    self.element(i, &field.ty, column, row);
                }
                self.write_text(out);
            }
            _ => {
                write_scalar(&mut self.field, ty, array, row, self.scientific);
                // Numbers and booleans go out as they are.
                if matches!(ty.kind, TypeKind::Boolean) || ty.kind.is_numeric() {
                    out.extend_from_slice(self.field.as_bytes());
                } else {
                    self.write_text(out);
                }
            }
        }
    }

    fn element(&mut self, index: usize, ty: &LogicalType, array: &ArrayRef, row: usize) {
        if index > 0 {
            self.field.push(char::from(self.dialect.element_delimiter));
        }
        if array.is_null(row) {
            self.field.push_str(self.dialect.null.as_deref().unwrap_or_default());
        } else {
            write_scalar(&mut self.field, ty, array, row, self.scientific);
        }
    }
}

fn value<T: ArrowPrimitiveType>(array: &ArrayRef, row: usize) -> T::Native {
    array.as_primitive::<T>().value(row)
}

fn shown(out: &mut String, value: impl std::fmt::Display) {
    use std::fmt::Write;
    write!(out, "{value}").expect("writing to a String does not fail");
}

fn write_scalar(out: &mut String, ty: &LogicalType, array: &ArrayRef, row: usize, scientific: bool) {
    match &ty.kind {
        TypeKind::Boolean => shown(out, array.as_boolean().value(row)),
        TypeKind::TinyInt => shown(out, value::<Int8Type>(array, row)),
        TypeKind::SmallInt => shown(out, value::<Int16Type>(array, row)),
        TypeKind::Int => shown(out, value::<Int32Type>(array, row)),
        TypeKind::BigInt => shown(out, value::<Int64Type>(array, row)),
        TypeKind::Float => text::write_float(out, value::<Float32Type>(array, row)),
        TypeKind::Double => text::write_double(out, value::<Float64Type>(array, row)),
        TypeKind::Decimal { scale, .. } => {
            write_decimal(out, value::<Decimal128Type>(array, row), *scale, scientific);
        }
        TypeKind::Char(_) | TypeKind::Varchar(_) => out.push_str(array.as_string_view().value(row)),
        TypeKind::Binary(_) | TypeKind::Varbinary(_) => {
            let mut encoded = vec![];
            base64::encode(array.as_binary_view().value(row), &mut encoded);
            out.push_str(std::str::from_utf8(&encoded).expect("base64 is ASCII"));
        }
        TypeKind::Date => text::write_date(out, value::<Date32Type>(array, row)),
        TypeKind::Time(_) => {
            // The time of a timestamp on day 0.
            let mut timestamp = String::new();
            text::write_timestamp_sql(&mut timestamp, i64::from(value::<Time32MillisecondType>(array, row)), 3);
            out.push_str(timestamp.split_once(' ').map_or("", |(_, time)| time));
        }
        TypeKind::Timestamp { precision, .. } => {
            text::write_timestamp_sql(out, timestamp_value(array, row, *precision), *precision);
        }
        TypeKind::TimestampLtz { precision, .. } => {
            text::write_timestamp_sql(out, timestamp_value(array, row, *precision), *precision);
            out.push('Z');
        }
        TypeKind::Null
        | TypeKind::IntervalDayTime
        | TypeKind::IntervalYearMonth
        | TypeKind::Array(_)
        | TypeKind::Map(..)
        | TypeKind::Multiset(_)
        | TypeKind::Row(_) => {}
    }
}

impl Encoder for CsvEncoder {
    fn encode(&mut self, batch: &ChangeBatch, out: &mut EncodedRecords) -> Result<()> {
        if let Some(kind) = batch.kinds().and_then(|kinds| kinds.iter().find(|k| !k.adds())) {
            return Err(Error::user(format!(
                "table '{}': format csv cannot express a row of kind {}",
                self.table,
                kind.short()
            ))
            .with_code(Code::NotSupported)
            .with_hint("write updating results with format debezium-json, or into a table with a primary key"));
        }
        let types = std::mem::take(&mut self.types);
        for row in 0..batch.num_rows() {
            for (i, (ty, array)) in types.iter().zip(batch.rows().columns()).enumerate() {
                if i > 0 {
                    out.data.push(self.dialect.delimiter);
                }
                self.write_column(ty, array, row, &mut out.data);
            }
            out.ends.push(out.data.len());
        }
        self.types = types;
        Ok(())
    }
}
