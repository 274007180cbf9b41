//! `'connector' = 'print'`: rows as lines, in exactly the text of Flink's print sink (Java's `Row.toString`).
//!
//! Accepts every row kind. Rows go out at once, one call of the output a batch.

mod map_order;

use std::fmt::Write;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{
    ArrowPrimitiveType, Date32Type, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type,
    Int64Type, Time32MillisecondType,
};
use arus_core::catalog::TableDef;
use arus_core::connector::{ConnectContext, Connector, LineOutput, OptionDef, OptionKind, SinkWriter};
use arus_core::{ChangeBatch, LogicalType, Result, RowKind, TypeKind, text};

use crate::format::json::timestamp_value;
use crate::options::Options;

pub(crate) struct Print;

const IDENTIFIER: &str = "print-identifier";
const STANDARD_ERROR: &str = "standard-error";

const OPTIONS: &[OptionDef] = &[
    OptionDef::new(IDENTIFIER, OptionKind::Text, "stands before each line: `id> +I[1]`"),
    OptionDef::new(STANDARD_ERROR, OptionKind::Boolean, "print to standard error").default_to("false"),
    OptionDef::new("sink.parallelism", OptionKind::Integer, "accepted; the sink runs as its input does"),
];

impl Connector for Print {
    fn name(&self) -> &'static str {
        "print"
    }

    fn options(&self) -> &'static [OptionDef] {
        OPTIONS
    }

    fn is_sink(&self) -> bool {
        true
    }

    fn sink(&self, table: &TableDef, cx: &ConnectContext) -> Result<Box<dyn SinkWriter>> {
        let options = Options::of(table, OPTIONS);
        let to_stderr = options.flag(STANDARD_ERROR)?;
        Ok(Box::new(PrintSink {
            lines: RowLines::new(
                table.sink_columns().iter().map(|i| table.columns[*i].ty.clone()).collect(),
                prefix(options.text(IDENTIFIER).unwrap_or_default(), cx.task),
            ),
            output: if to_stderr { cx.stderr.clone() } else { cx.stdout.clone() },
            mark_watermarks: cx.mark_watermarks,
            text: String::new(),
        }))
    }

    fn parallel_sink(&self) -> bool {
        true
    }
}

/// What stands before a line: `id> `, `id:2> ` and `2> ` where there are several tasks.
fn prefix(identifier: &str, task: Option<usize>) -> String {
    match (identifier, task.map(|task| task + 1)) {
        ("", None) => String::new(),
        ("", Some(task)) => format!("{task}> "),
        (id, None) => format!("{id}> "),
        (id, Some(task)) => format!("{id}:{task}> "),
    }
}

struct PrintSink {
    lines: RowLines,
    output: Arc<dyn LineOutput>,
    mark_watermarks: bool,
    text: String,
}

impl SinkWriter for PrintSink {
    fn write(&mut self, batch: &ChangeBatch) -> Result<()> {
        self.text.clear();
        self.lines.write(batch, &mut self.text);
        if self.text.is_empty() { Ok(()) } else { self.output.write_lines(&self.text) }
    }

    fn on_watermark(&mut self, watermark: i64) -> Result<()> {
        if self.mark_watermarks { self.output.write_lines(&format!("~ watermark {watermark}\n")) } else { Ok(()) }
    }
}

/// Rows of given types as the lines of the print sink: also the form of a bare SELECT in `arus run`.
pub struct RowLines {
    types: Vec<LogicalType>,
    prefix: String,
}

impl RowLines {
    pub fn new(types: Vec<LogicalType>, prefix: String) -> Self {
        RowLines { types, prefix }
    }

    /// Appends one line a row.
    pub fn write(&self, batch: &ChangeBatch, out: &mut String) {
        let columns = batch.rows().columns();
        for row in 0..batch.num_rows() {
            out.push_str(&self.prefix);
            write_row(out, batch.kind(row), self.types.iter().zip(columns), row);
            out.push('\n');
        }
    }
}

fn write_row<'c>(
    out: &mut String,
    kind: RowKind,
    columns: impl Iterator<Item = (&'c LogicalType, &'c ArrayRef)>,
    row: usize,
) {
    out.push_str(kind.short());
    out.push('[');
    for (i, (ty, array)) in columns.enumerate() {
        if i > 0 {
            out.push_str(", ");
        }
        write_value(out, ty, array, row);
    }
    out.push(']');
}

fn shown(out: &mut String, value: impl std::fmt::Display) {
    write!(out, "{value}").expect("writing to a String does not fail");
}

fn value<T: ArrowPrimitiveType>(array: &ArrayRef, row: usize) -> T::Native {
    array.as_primitive::<T>().value(row)
}

/// A value as print writes it.
pub(crate) fn value_text(ty: &LogicalType, array: &ArrayRef, row: usize) -> String {
    let mut text = String::new();
    write_value(&mut text, ty, array, row);
    text
}

fn write_value(out: &mut String, ty: &LogicalType, array: &ArrayRef, row: usize) {
    if array.is_null(row) || ty.kind == TypeKind::Null {
        out.push_str("null");
        return;
    }
    match &ty.kind {
        TypeKind::Null => {}
        TypeKind::Boolean => shown(out, array.as_boolean().value(row)),
        TypeKind::TinyInt => shown(out, value::<Int8Type>(array, row)),
        TypeKind::SmallInt => shown(out, value::<Int16Type>(array, row)),
        TypeKind::Int => shown(out, value::<Int32Type>(array, row)),
        TypeKind::BigInt => shown(out, value::<Int64Type>(array, row)),
        TypeKind::Float => text::write_float(out, value::<Float32Type>(array, row)),
        TypeKind::Double => text::write_double(out, value::<Float64Type>(array, row)),
        TypeKind::Decimal { scale, .. } => text::write_decimal_print(out, value::<Decimal128Type>(array, row), *scale),
        TypeKind::Char(_) | TypeKind::Varchar(_) => out.push_str(array.as_string_view().value(row)),
        TypeKind::Binary(_) | TypeKind::Varbinary(_) => {
            text::write_bytes_print(out, array.as_binary_view().value(row));
        }
        TypeKind::Date => text::write_date(out, value::<Date32Type>(array, row)),
        TypeKind::Time(_) => text::write_time_print(out, value::<Time32MillisecondType>(array, row)),
        TypeKind::Timestamp { precision, .. } => {
            text::write_timestamp_print(out, timestamp_value(array, row, *precision), *precision);
        }
        TypeKind::TimestampLtz { precision, .. } => {
            text::write_timestamp_ltz_print(out, timestamp_value(array, row, *precision), *precision);
        }
        TypeKind::IntervalYearMonth => {
            text::write_interval_print_year_month(out, value::<Int32Type>(array, row));
        }
        TypeKind::IntervalDayTime => text::write_interval_print_day_time(out, value::<Int64Type>(array, row)),
        TypeKind::Array(element) => {
            let elements = array.as_list::<i32>().value(row);
            out.push('[');
            for i in 0..elements.len() {
                if i > 0 {
                    out.push_str(", ");
                }
                write_value(out, element, &elements, i);
            }
            out.push(']');
        }
        TypeKind::Map(key, value) => write_map(out, key, value, &array.as_list::<i32>().value(row)),
        TypeKind::Multiset(element) => {
            write_map(out, element, &TypeKind::Int.nullable(), &array.as_list::<i32>().value(row));
        }
        TypeKind::Row(fields) => {
            let columns = array.as_struct().columns();
            write_row(out, RowKind::Insert, fields.iter().map(|f| &f.ty).zip(columns), row);
        }
    }
}

fn write_map(out: &mut String, key: &LogicalType, value: &LogicalType, entries: &ArrayRef) {
    let entries = entries.as_struct();
    out.push('{');
    for (n, i) in map_order::java_order(&key.kind, entries.column(0)).into_iter().enumerate() {
        if n > 0 {
            out.push_str(", ");
        }
        write_value(out, key, entries.column(0), i);
        out.push('=');
        write_value(out, value, entries.column(1), i);
    }
    out.push('}');
}
