//! Rows as JSON objects, byte for byte as flink-json writes them.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{
    ArrowPrimitiveType, Date32Type, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type,
    Int64Type, Time32MillisecondType, TimeUnit, TimestampMicrosecondType, TimestampMillisecondType,
    TimestampNanosecondType,
};
use arus_core::connector::{EncodedRecords, Encoder};
use arus_core::error::Code;
use arus_core::types::timestamp_unit;
use arus_core::{ChangeBatch, Error, LogicalType, Result, RowSchema, TypeKind, text};

use super::decode::TimestampFormat;
use super::{base64, compact};

pub(crate) enum NullKeys {
    Fail,
    Drop,
    Literal(String),
}

pub(crate) struct Style {
    pub(super) timestamps: TimestampFormat,
    pub(super) null_keys: NullKeys,
    pub(super) plain_decimals: bool,
    pub(super) skip_nulls: bool,
}

pub(crate) struct JsonEncoder {
    table: String,
    rows: RowWriter,
}

impl JsonEncoder {
    pub(super) fn new(table: String, schema: &RowSchema, style: Style) -> Result<Self> {
        Ok(JsonEncoder { table, rows: RowWriter::new(schema, style)? })
    }
}

/// Writes rows of a schema as objects.
pub(crate) struct RowWriter {
    /// `"name":` of each column, and its type.
    columns: Vec<(Vec<u8>, LogicalType)>,
    style: Style,
    scratch: String,
}

impl RowWriter {
    pub(crate) fn new(schema: &RowSchema, style: Style) -> Result<Self> {
        let columns = schema.columns().iter().map(|c| (key(&c.name), c.ty.clone())).collect();
        for column in schema.columns() {
            check(&column.name, &column.ty)?;
        }
        Ok(RowWriter { columns, style, scratch: String::new() })
    }

    pub(crate) fn skips_nulls(&self) -> bool {
        self.style.skip_nulls
    }

    /// Appends row `row` of `columns`.
    pub(crate) fn write(&mut self, columns: &[ArrayRef], row: usize, out: &mut Vec<u8>) -> Result<()> {
        let mut writer = Writer { out, style: &self.style, scratch: &mut self.scratch };
        writer.object(self.columns.iter().zip(columns).map(|((key, ty), array)| (key.as_slice(), ty, array)), row)
    }
}

fn key(name: &str) -> Vec<u8> {
    let mut out = vec![];
    compact::write_string_ascii_pairs(name, &mut out);
    out.push(b':');
    out
}

/// Keys of maps must be strings, as in Flink.
fn check(column: &str, ty: &LogicalType) -> Result<()> {
    match &ty.kind {
        TypeKind::Map(k, _) | TypeKind::Multiset(k) if !k.kind.is_string() => {
            Err(Error::not_supported(format!("column '{column}': format json with a map key of type {k}"))
                .with_hint("keys of JSON objects are strings: declare MAP<STRING, ..>"))
        }
        TypeKind::Map(_, value) => check(column, value),
        TypeKind::Array(element) => check(column, element),
        TypeKind::Row(fields) => fields.iter().try_for_each(|f| check(column, &f.ty)),
        _ => Ok(()),
    }
}

impl Encoder for JsonEncoder {
    fn encode(&mut self, batch: &ChangeBatch, out: &mut EncodedRecords) -> Result<()> {
        if let Some(kind) = batch.kinds().and_then(|kinds| kinds.iter().find(|k| !k.adds())) {
            return Err(Error::user(format!(
                "table '{}': format json cannot express a row of kind {}",
                self.table,
                kind.short()
            ))
            .with_code(Code::NotSupported)
            .with_hint("write updating results into a table with a primary key"));
        }
        let columns = batch.rows().columns();
        for row in 0..batch.num_rows() {
            self.rows.write(columns, row, &mut out.data)?;
            out.ends.push(out.data.len());
        }
        Ok(())
    }
}

struct Writer<'a> {
    out: &'a mut Vec<u8>,
    style: &'a Style,
    scratch: &'a mut String,
}

fn value<T: ArrowPrimitiveType>(array: &ArrayRef, row: usize) -> T::Native {
    array.as_primitive::<T>().value(row)
}

impl Writer<'_> {
    fn object<'c>(
        &mut self,
        fields: impl Iterator<Item = (&'c [u8], &'c LogicalType, &'c ArrayRef)>,
        row: usize,
    ) -> Result<()> {
        self.out.push(b'{');
        let mut first = true;
        for (key, ty, array) in fields {
            if self.style.skip_nulls && array.is_null(row) {
                continue;
            }
            if !first {
                self.out.push(b',');
            }
            first = false;
            self.out.extend_from_slice(key);
            self.value(ty, array, row)?;
        }
        self.out.push(b'}');
        Ok(())
    }

    fn shown(&mut self, value: impl std::fmt::Display) {
        use std::io::Write;
        write!(self.out, "{value}").expect("writing to memory does not fail");
    }

    /// What `write` gives, in quotes where it is no number.
    fn text(&mut self, quoted: bool, write: impl FnOnce(&mut String)) {
        self.scratch.clear();
        write(self.scratch);
        if quoted {
            self.out.push(b'"');
        }
        self.out.extend_from_slice(self.scratch.as_bytes());
        if quoted {
            self.out.push(b'"');
        }
    }

    fn value(&mut self, ty: &LogicalType, array: &ArrayRef, row: usize) -> Result<()> {
        if array.is_null(row) || ty.kind == TypeKind::Null {
            self.out.extend_from_slice(b"null");
            return Ok(());
        }
        match &ty.kind {
            TypeKind::Null => {}
            TypeKind::Boolean => self.shown(array.as_boolean().value(row)),
            TypeKind::TinyInt => self.shown(value::<Int8Type>(array, row)),
            TypeKind::SmallInt => self.shown(value::<Int16Type>(array, row)),
            TypeKind::Int | TypeKind::IntervalYearMonth => self.shown(value::<Int32Type>(array, row)),
            TypeKind::BigInt | TypeKind::IntervalDayTime => self.shown(value::<Int64Type>(array, row)),
            TypeKind::Float => {
                let value = value::<Float32Type>(array, row);
                // Jackson writes what is no number as a string.
                self.text(!value.is_finite(), |out| text::write_float(out, value));
            }
            TypeKind::Double => {
                let value = value::<Float64Type>(array, row);
                self.text(!value.is_finite(), |out| text::write_double(out, value));
            }
            TypeKind::Decimal { scale, .. } => {
                let value = value::<Decimal128Type>(array, row);
                let plain = self.style.plain_decimals;
                self.text(false, |out| {
                    if plain {
                        text::write_decimal(out, value, *scale);
                    } else {
                        write_decimal(out, value, *scale, true);
                    }
                });
            }
            TypeKind::Char(_) | TypeKind::Varchar(_) => {
                compact::write_string_ascii_pairs(array.as_string_view().value(row), self.out);
            }
            TypeKind::Binary(_) | TypeKind::Varbinary(_) => {
                self.out.push(b'"');
                base64::encode(array.as_binary_view().value(row), self.out);
                self.out.push(b'"');
            }
            TypeKind::Date => self.text(true, |out| text::write_date(out, value::<Date32Type>(array, row))),
            TypeKind::Time(_) => {
                let ms = i64::from(value::<Time32MillisecondType>(array, row));
                self.text(true, |out| {
                    // The time of a timestamp on day 0.
                    text::write_timestamp_sql(out, ms, 3);
                    out.drain(..out.find(' ').map_or(0, |at| at + 1));
                });
            }
            TypeKind::Timestamp { precision, .. } | TypeKind::TimestampLtz { precision, .. } => {
                let value = timestamp_value(array, row, *precision);
                let zone = matches!(ty.kind, TypeKind::TimestampLtz { .. });
                let format = self.style.timestamps;
                self.text(true, |out| {
                    match format {
                        TimestampFormat::Sql => text::write_timestamp_sql(out, value, *precision),
                        TimestampFormat::Iso8601 => text::write_timestamp_iso(out, value, *precision),
                    }
                    if zone {
                        out.push('Z');
                    }
                });
            }
            TypeKind::Array(element) => self.array(element, &array.as_list::<i32>().value(row))?,
            TypeKind::Map(_, value_type) => self.map(value_type, &array.as_list::<i32>().value(row))?,
            TypeKind::Multiset(_) => {
                self.map(&TypeKind::Int.nullable(), &array.as_list::<i32>().value(row))?;
            }
            TypeKind::Row(fields) => {
                let columns = array.as_struct().columns();
                let keys: Vec<_> = fields.iter().map(|f| key(&f.name)).collect();
                let fields = fields.iter().zip(&keys).zip(columns).map(|((f, key), c)| (key.as_slice(), &f.ty, c));
                self.object(fields, row)?;
            }
        }
        Ok(())
    }

    fn array(&mut self, element: &LogicalType, elements: &ArrayRef) -> Result<()> {
        self.out.push(b'[');
        for i in 0..elements.len() {
            if i > 0 {
                self.out.push(b',');
            }
            self.value(element, elements, i)?;
        }
        self.out.push(b']');
        Ok(())
    }

    fn map(&mut self, value_type: &LogicalType, entries: &ArrayRef) -> Result<()> {
        let entries = entries.as_struct();
        let (keys, values) = (entries.column(0), entries.column(1));
        self.out.push(b'{');
        let mut first = true;
        for i in 0..entries.len() {
            let literal;
            let name = if keys.is_valid(i) {
                keys.as_string_view().value(i)
            } else {
                match &self.style.null_keys {
                    NullKeys::Drop => continue,
                    NullKeys::Literal(text) => {
                        literal = text.clone();
                        &literal
                    }
                    NullKeys::Fail => {
                        return Err(Error::data("format json cannot write a map with a NULL key")
                            .with_hint("set 'json.map-null-key.mode' to 'DROP' or 'LITERAL'"));
                    }
                }
            };
            if self.style.skip_nulls && values.is_null(i) {
                continue;
            }
            if !first {
                self.out.push(b',');
            }
            first = false;
            compact::write_string_ascii_pairs(name, self.out);
            self.out.push(b':');
            self.value(value_type, values, i)?;
        }
        self.out.push(b'}');
        Ok(())
    }
}

/// A decimal as Jackson has it: trailing zeros go, before and behind the point, so that 100 is `1E+2` (or 100, where that
/// is not wanted).
pub(crate) fn write_decimal(out: &mut String, unscaled: i128, scale: u8, scientific: bool) {
    let (mut unscaled, mut scale) = (unscaled, i32::from(scale));
    while unscaled != 0 && unscaled % 10 == 0 {
        unscaled /= 10;
        scale -= 1;
    }
    let scale = if unscaled == 0 { 0 } else { scale };
    if scientific {
        write_java_decimal(out, unscaled, scale);
    } else if scale >= 0 {
        text::write_decimal(out, unscaled, scale as u8);
    } else {
        text::write_decimal(out, unscaled * 10i128.pow(scale.unsigned_abs()), 0);
    }
}

/// Java's `BigDecimal.toString` of a value of any scale.
fn write_java_decimal(out: &mut String, unscaled: i128, scale: i32) {
    let digits = unscaled.unsigned_abs().to_string();
    let exponent = digits.len() as i32 - 1 - scale;
    if scale >= 0 && exponent >= -6 {
        text::write_decimal(out, unscaled, scale as u8);
        return;
    }
    if unscaled < 0 {
        out.push('-');
    }
    out.push_str(&digits[..1]);
    if digits.len() > 1 {
        out.push('.');
        out.push_str(&digits[1..]);
    }
    out.push('E');
    if exponent > 0 {
        out.push('+');
    }
    out.push_str(&exponent.to_string());
}

/// A timestamp in the unit of its precision.
pub(crate) fn timestamp_value(array: &dyn Array, row: usize, precision: u8) -> i64 {
    match timestamp_unit(precision) {
        TimeUnit::Millisecond => array.as_primitive::<TimestampMillisecondType>().value(row),
        TimeUnit::Microsecond => array.as_primitive::<TimestampMicrosecondType>().value(row),
        _ => array.as_primitive::<TimestampNanosecondType>().value(row),
    }
}
