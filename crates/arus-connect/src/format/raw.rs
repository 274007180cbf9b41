//! `'format' = 'raw'`: the value of a record is the one column: text, bytes, or a number in its Java bytes.

mod charset;

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, AsArray, BinaryViewBuilder, BooleanArray, PrimitiveArray, RecordBatch,
    RecordBatchOptions, StringViewBuilder,
};
use arrow::datatypes::{Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type};
use arus_core::catalog::TableDef;
use arus_core::change::arrow_bug;
use arus_core::connector::{
    ConnectContext, Decoded, Decoder, EncodedRecords, Encoder, Format, OptionDef, OptionKind, RawBatch, Rejected,
};
use arus_core::error::Code;
use arus_core::{ChangeBatch, Error, Result, RowSchema, TypeKind};

use self::charset::Charset;
use crate::options::Options;

pub(crate) struct Raw;

const CHARSET: &str = "charset";
const ENDIANNESS: &str = "endianness";

const OPTIONS: &[OptionDef] = &[
    OptionDef::new(CHARSET, OptionKind::Choice(charset::NAMES), "of a STRING column").default_to("UTF-8"),
    OptionDef::new(ENDIANNESS, OptionKind::Choice(&["big-endian", "little-endian"]), "of numbers")
        .default_to("big-endian"),
];

/// How the column lies in a record.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Shape {
    Text(Charset),
    Bytes,
    Boolean,
    Number(Number, Endianness),
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Number {
    TinyInt,
    SmallInt,
    Int,
    BigInt,
    Float,
    Double,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Endianness {
    Big,
    Little,
}

fn shape(table: &TableDef) -> Result<Shape> {
    let options = Options::of_format(table, "raw.", OPTIONS);
    let charset = Charset::named(options.choice(CHARSET)?);
    let endianness = match options.choice(ENDIANNESS)? {
        "little-endian" => Endianness::Little,
        _ => Endianness::Big,
    };
    let physical = table.physical_schema();
    let [column] = physical.columns() else {
        return Err(Error::user(format!(
            "table '{}': format raw has exactly one column, found {}",
            table.path,
            physical.len()
        ))
        .with_code(Code::InvalidOption));
    };
    let number = |number| Ok(Shape::Number(number, endianness));
    match &column.ty.kind {
        kind if kind.is_string() => Ok(Shape::Text(charset)),
        kind if kind.is_binary() => Ok(Shape::Bytes),
        TypeKind::Boolean => Ok(Shape::Boolean),
        TypeKind::TinyInt => number(Number::TinyInt),
        TypeKind::SmallInt => number(Number::SmallInt),
        TypeKind::Int => number(Number::Int),
        TypeKind::BigInt => number(Number::BigInt),
        TypeKind::Float => number(Number::Float),
        TypeKind::Double => number(Number::Double),
        _ => Err(Error::user(format!(
            "table '{}': column '{}': format raw has no form for {}",
            table.path, column.name, column.ty.kind
        ))
        .with_code(Code::NotSupported)
        .with_hint("text, bytes, BOOLEAN, integers, FLOAT and DOUBLE can be read and written")),
    }
}

impl Format for Raw {
    fn name(&self) -> &'static str {
        "raw"
    }

    fn options(&self) -> &'static [OptionDef] {
        OPTIONS
    }

    fn decoder(&self, table: &TableDef, columns: &RowSchema, _cx: &ConnectContext) -> Result<Box<dyn Decoder>> {
        Ok(Box::new(RawDecoder { columns: columns.clone(), shape: shape(table)? }))
    }

    fn encoder(&self, table: &TableDef, _schema: &RowSchema, _cx: &ConnectContext) -> Result<Box<dyn Encoder>> {
        Ok(Box::new(RawEncoder { shape: shape(table)? }))
    }
}

struct RawDecoder {
    columns: RowSchema,
    shape: Shape,
}

/// The values of the records that have the right length, and the reason against each of the others.
fn fixed<const N: usize, T>(
    raw: &RawBatch,
    kept: &mut Vec<u32>,
    rejected: &mut Vec<Rejected>,
    of: impl Fn([u8; N]) -> T,
) -> Vec<Option<T>> {
    let mut values = Vec::with_capacity(raw.records.len());
    for (index, record) in raw.records.iter().enumerate() {
        let value = match record.value.map(|span| raw.bytes(span)) {
            None => None,
            Some(bytes) => match bytes.try_into() {
                Ok(bytes) => Some(of(bytes)),
                Err(_) => {
                    let reason = format!("expected {N} bytes, found {}", bytes.len());
                    rejected.push(Rejected { record: index as u32, reason });
                    continue;
                }
            },
        };
        values.push(value);
        kept.push(index as u32);
    }
    values
}

impl RawDecoder {
    fn number(
        &self,
        raw: &RawBatch,
        (number, endianness): (Number, Endianness),
        kept: &mut Vec<u32>,
        rejected: &mut Vec<Rejected>,
    ) -> ArrayRef {
        let little = endianness == Endianness::Little;
        macro_rules! read {
            ($array:ty, $native:ty) => {
                Arc::new(<PrimitiveArray<$array>>::from_iter(fixed(raw, kept, rejected, |bytes| {
                    if little { <$native>::from_le_bytes(bytes) } else { <$native>::from_be_bytes(bytes) }
                })))
            };
        }
        match number {
            Number::TinyInt => read!(Int8Type, i8),
            Number::SmallInt => read!(Int16Type, i16),
            Number::Int => read!(Int32Type, i32),
            Number::BigInt => read!(Int64Type, i64),
            Number::Float => read!(Float32Type, f32),
            Number::Double => read!(Float64Type, f64),
        }
    }
}

impl Decoder for RawDecoder {
    fn decode(&mut self, raw: &RawBatch) -> Result<Decoded> {
        let values = || raw.records.iter().map(|r| r.value.map(|span| raw.bytes(span)));
        let all = || (0..raw.records.len() as u32).collect::<Vec<_>>();
        let (mut records, mut rejected) = (vec![], vec![]);
        let array: ArrayRef = match self.shape {
            Shape::Text(charset) => {
                let mut strings = StringViewBuilder::with_capacity(raw.records.len());
                values().for_each(|v| strings.append_option(v.map(|bytes| charset.decode(bytes))));
                records = all();
                Arc::new(strings.finish())
            }
            Shape::Bytes => {
                let mut bytes = BinaryViewBuilder::with_capacity(raw.records.len());
                values().for_each(|v| bytes.append_option(v));
                records = all();
                Arc::new(bytes.finish())
            }
            Shape::Boolean => {
                Arc::new(BooleanArray::from_iter(fixed(raw, &mut records, &mut rejected, |[byte]| byte != 0)))
            }
            Shape::Number(number, endianness) => self.number(raw, (number, endianness), &mut records, &mut rejected),
        };
        let arrays = if self.columns.is_empty() { vec![] } else { vec![array] };
        let options = RecordBatchOptions::new().with_row_count(Some(records.len()));
        let rows = RecordBatch::try_new_with_options(self.columns.to_arrow(), arrays, &options).map_err(arrow_bug)?;
        Ok(Decoded { rows, kinds: None, records, rejected })
    }
}

struct RawEncoder {
    shape: Shape,
}

fn value<T: ArrowPrimitiveType>(column: &ArrayRef, row: usize) -> T::Native {
    column.as_primitive::<T>().value(row)
}

impl RawEncoder {
    fn write(&self, column: &ArrayRef, row: usize, out: &mut Vec<u8>) {
        let (number, little) = match self.shape {
            Shape::Text(charset) => return charset.encode(column.as_string_view().value(row), out),
            Shape::Bytes => return out.extend_from_slice(column.as_binary_view().value(row)),
            Shape::Boolean => return out.push(u8::from(column.as_boolean().value(row))),
            Shape::Number(number, endianness) => (number, endianness == Endianness::Little),
        };
        let start = out.len();
        match number {
            Number::TinyInt => out.extend(value::<Int8Type>(column, row).to_be_bytes()),
            Number::SmallInt => out.extend(value::<Int16Type>(column, row).to_be_bytes()),
            Number::Int => out.extend(value::<Int32Type>(column, row).to_be_bytes()),
            Number::BigInt => out.extend(value::<Int64Type>(column, row).to_be_bytes()),
            Number::Float => out.extend(value::<Float32Type>(column, row).to_be_bytes()),
            Number::Double => out.extend(value::<Float64Type>(column, row).to_be_bytes()),
        }
        if little {
            out[start..].reverse();
        }
    }
}

impl Encoder for RawEncoder {
    fn encode(&mut self, batch: &ChangeBatch, out: &mut EncodedRecords) -> Result<()> {
        if let Some(kind) = batch.kinds().and_then(|kinds| kinds.iter().find(|k| !k.adds())) {
            return Err(Error::user(format!("format raw cannot express a row of kind {}", kind.short()))
                .with_code(Code::NotSupported));
        }
        let column = batch.rows().column(0);
        for row in 0..batch.num_rows() {
            if column.is_valid(row) {
                self.write(column, row, &mut out.data);
            }
            out.ends.push(out.data.len());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conformance::{Lines, context, table};
    use crate::format::json::raw_records;

    fn round_trip(kind: TypeKind, options: &[(&str, &str)], records: &[&[u8]]) -> (Decoded, Vec<u8>) {
        let table = table(&[("v", kind.nullable())], options);
        let cx = context(&Arc::new(Lines::default()));
        let schema = table.physical_schema();
        let decoded =
            Raw.decoder(&table, &schema, &cx).expect("a decoder").decode(&raw_records(records)).expect("decodes");
        let mut out = EncodedRecords::default();
        let batch = ChangeBatch::inserts(decoded.rows.clone());
        Raw.encoder(&table, &schema, &cx).expect("an encoder").encode(&batch, &mut out).expect("encodes");
        (decoded, out.data)
    }

    #[test]
    fn numbers_are_javas_bytes() {
        let little = [("raw.endianness", "little-endian")];
        let kinds = [
            (TypeKind::TinyInt, 1),
            (TypeKind::SmallInt, 2),
            (TypeKind::Int, 4),
            (TypeKind::Float, 4),
            (TypeKind::BigInt, 8),
            (TypeKind::Double, 8),
        ];
        for (kind, len) in kinds {
            let (big, small) = ([0, 0, 0, 0, 0, 0, 0, 1u8], [1, 0, 0, 0, 0, 0, 0, 0u8]);
            let (read, written) = round_trip(kind.clone(), &[], &[&big[8 - len..], b"no number"]);
            assert_eq!((read.records.as_slice(), read.rejected[0].record), ([0].as_slice(), 1));
            assert_eq!(read.rejected[0].reason, format!("expected {len} bytes, found 9"));
            assert_eq!(written, big[8 - len..]);
            let (other, written) = round_trip(kind, &little, &[&small[..len]]);
            assert_eq!((other.rows, written.as_slice()), (read.rows, &small[..len]));
        }
        let (read, written) = round_trip(TypeKind::Boolean, &[], &[&[7], &[0], &[]]);
        assert_eq!(read.rows.column(0).as_boolean(), &BooleanArray::from(vec![true, false]));
        assert_eq!((written.as_slice(), read.rejected.len()), ([1, 0].as_slice(), 1));
    }

    #[test]
    fn other_types_are_refused() {
        let table = table(&[("d", TypeKind::Date.nullable())], &[]);
        let cx = context(&Arc::new(Lines::default()));
        let error = Raw.decoder(&table, &table.physical_schema(), &cx).err().expect("refused");
        assert!(error.message().contains("column 'd': format raw has no form for DATE"), "{error}");
    }
}
