//! Values in the text format of COPY. The column of the table decides what the text means, so STRING may fill a uuid or a
//! jsonb column too.

use std::fmt::Write;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{
    Date32Type, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    Time32MillisecondType,
};
use arus_core::{LogicalType, TypeKind, text};

use crate::format::json::timestamp_value;

/// A row as columns parted by tabs, without a line end.
pub(super) fn write_row(out: &mut String, types: &[LogicalType], columns: &[ArrayRef], row: usize) {
    for (i, (ty, column)) in types.iter().zip(columns).enumerate() {
        if i > 0 {
            out.push('\t');
        }
        write_column(out, ty, column, row);
    }
}

/// One column of a row.
pub(super) fn write_column(out: &mut String, ty: &LogicalType, column: &ArrayRef, row: usize) {
    if column.is_null(row) {
        out.push_str("\\N");
        return;
    }
    let mut value = String::new();
    write_value(&mut value, ty, column, row);
    for c in value.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\t' => out.push_str("\\t"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            c => out.push(c),
        }
    }
}

/// As Postgres reads it.
fn write_value(out: &mut String, ty: &LogicalType, array: &ArrayRef, row: usize) {
    match &ty.kind {
        TypeKind::Boolean => out.push(if array.as_boolean().value(row) { 't' } else { 'f' }),
        TypeKind::TinyInt => shown(out, array.as_primitive::<Int8Type>().value(row)),
        TypeKind::SmallInt => shown(out, array.as_primitive::<Int16Type>().value(row)),
        TypeKind::Int => shown(out, array.as_primitive::<Int32Type>().value(row)),
        TypeKind::BigInt => shown(out, array.as_primitive::<Int64Type>().value(row)),
        TypeKind::Float => text::write_float(out, array.as_primitive::<Float32Type>().value(row)),
        TypeKind::Double => text::write_double(out, array.as_primitive::<Float64Type>().value(row)),
        TypeKind::Decimal { scale, .. } => {
            text::write_decimal(out, array.as_primitive::<Decimal128Type>().value(row), *scale);
        }
        TypeKind::Char(_) | TypeKind::Varchar(_) => out.push_str(array.as_string_view().value(row)),
        TypeKind::Binary(_) | TypeKind::Varbinary(_) => {
            out.push_str("\\x");
            array.as_binary_view().value(row).iter().for_each(|byte| shown(out, format_args!("{byte:02x}")));
        }
        TypeKind::Date => text::write_date(out, array.as_primitive::<Date32Type>().value(row)),
        TypeKind::Time(precision) => {
            text::write_time(out, array.as_primitive::<Time32MillisecondType>().value(row), (*precision).max(3));
        }
        TypeKind::Timestamp { precision, .. } => {
            text::write_timestamp(out, timestamp_value(array, row, *precision), *precision);
        }
        TypeKind::TimestampLtz { precision, .. } => {
            text::write_timestamp(out, timestamp_value(array, row, *precision), *precision);
            out.push_str("+00");
        }
        TypeKind::Array(element) => write_array(out, element, &array.as_list::<i32>().value(row)),
        // Refused when the table is declared.
        _ => {}
    }
}

fn write_array(out: &mut String, element: &LogicalType, elements: &ArrayRef) {
    out.push('{');
    for row in 0..elements.len() {
        if row > 0 {
            out.push(',');
        }
        if elements.is_null(row) {
            out.push_str("NULL");
            continue;
        }
        let mut value = String::new();
        write_value(&mut value, element, elements, row);
        out.push('"');
        for c in value.chars() {
            if c == '"' || c == '\\' {
                out.push('\\');
            }
            out.push(c);
        }
        out.push('"');
    }
    out.push('}');
}

fn shown(out: &mut String, value: impl std::fmt::Display) {
    write!(out, "{value}").expect("a String takes all");
}
