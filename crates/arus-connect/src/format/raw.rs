//! `'format' = 'raw'`: the value of a record is the one column, STRING or BYTES.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BinaryViewBuilder, RecordBatch, RecordBatchOptions, StringViewBuilder};
use arus_core::catalog::TableDef;
use arus_core::change::arrow_bug;
use arus_core::connector::{
    ConnectContext, Decoded, Decoder, EncodedRecords, Encoder, Format, OptionDef, OptionKind, RawBatch,
};
use arus_core::error::Code;
use arus_core::{ChangeBatch, Error, Result, RowSchema};

use crate::options::Options;

pub(crate) struct Raw;

const CHARSET: &str = "charset";

const OPTIONS: &[OptionDef] = &[
    OptionDef {
        name: CHARSET,
        kind: OptionKind::Choice(&["UTF-8"]),
        required: false,
        default: Some("UTF-8"),
        about: "of a STRING column",
    },
    OptionDef {
        name: "endianness",
        kind: OptionKind::Choice(&["big-endian", "little-endian"]),
        required: false,
        default: Some("big-endian"),
        about: "of numbers, which are not supported yet",
    },
];

/// Whether the one column is a STRING.
fn check(table: &TableDef) -> Result<bool> {
    Options::of_format(table, "raw.", OPTIONS).choice(CHARSET)?;
    let physical = table.physical_schema();
    let [column] = physical.columns() else {
        return Err(Error::user(format!(
            "table '{}': format raw has exactly one column, found {}",
            table.path,
            physical.len()
        ))
        .with_code(Code::InvalidOption));
    };
    if column.ty.kind.is_string() {
        Ok(true)
    } else if column.ty.kind.is_binary() {
        Ok(false)
    } else {
        Err(Error::not_supported(format!(
            "table '{}': format raw for column '{}' {}",
            table.path, column.name, column.ty
        )))
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
        Ok(Box::new(RawDecoder { columns: columns.clone(), string: check(table)? }))
    }

    fn encoder(&self, table: &TableDef, _schema: &RowSchema, _cx: &ConnectContext) -> Result<Box<dyn Encoder>> {
        Ok(Box::new(RawEncoder { string: check(table)? }))
    }
}

struct RawDecoder {
    columns: RowSchema,
    string: bool,
}

impl Decoder for RawDecoder {
    fn decode(&mut self, raw: &RawBatch) -> Result<Decoded> {
        let values = raw.records.iter().map(|r| r.value.map(|span| raw.bytes(span)));
        let array: ArrayRef = if self.string {
            let mut strings = StringViewBuilder::with_capacity(raw.records.len());
            // Java's decoder puts U+FFFD where bytes are no UTF-8.
            values.for_each(|v| strings.append_option(v.map(String::from_utf8_lossy)));
            Arc::new(strings.finish())
        } else {
            let mut bytes = BinaryViewBuilder::with_capacity(raw.records.len());
            values.for_each(|v| bytes.append_option(v));
            Arc::new(bytes.finish())
        };
        let arrays = if self.columns.is_empty() { vec![] } else { vec![array] };
        let options = RecordBatchOptions::new().with_row_count(Some(raw.records.len()));
        let rows = RecordBatch::try_new_with_options(self.columns.to_arrow(), arrays, &options).map_err(arrow_bug)?;
        Ok(Decoded { rows, kinds: None, records: (0..raw.records.len() as u32).collect(), rejected: vec![] })
    }
}

struct RawEncoder {
    string: bool,
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
                let bytes = if self.string {
                    column.as_string_view().value(row).as_bytes()
                } else {
                    column.as_binary_view().value(row)
                };
                out.data.extend_from_slice(bytes);
            }
            out.ends.push(out.data.len());
        }
        Ok(())
    }
}
