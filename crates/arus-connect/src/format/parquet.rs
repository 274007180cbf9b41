//! `'format' = 'parquet'`: files of columns. Only connector filesystem reads and writes them.
//!
//! Of a file the wanted columns alone are read; columns are found by name. A written file ends at a checkpoint.

pub(crate) mod read;
pub(crate) mod write;

#[cfg(test)]
pub(crate) mod tests;

use arus_core::catalog::TableDef;
use arus_core::connector::{
    ConnectContext, Decoded, Decoder, Encoder, Format, Framing, OptionDef, OptionKind, RawBatch,
};
use arus_core::error::Code;
use arus_core::{Error, LogicalType, Result, RowSchema, TypeKind};

pub(crate) struct Parquet;

pub(in crate::format::parquet) const COMPRESSION: &str = "compression";
pub(in crate::format::parquet) const BLOCK_SIZE: &str = "block.size";
pub(in crate::format::parquet) const PAGE_SIZE: &str = "page.size";
pub(in crate::format::parquet) const DICTIONARY: &str = "enable.dictionary";

const fn option(name: &'static str, kind: OptionKind, default: &'static str, about: &'static str) -> OptionDef {
    OptionDef { name, kind, required: false, default: Some(default), about }
}

pub(in crate::format::parquet) const OPTIONS: &[OptionDef] = &[
    option(
        COMPRESSION,
        OptionKind::Choice(&["UNCOMPRESSED", "SNAPPY", "GZIP", "ZSTD", "LZ4_RAW"]),
        "SNAPPY",
        "of written pages",
    ),
    option(BLOCK_SIZE, OptionKind::Integer, "134217728", "bytes of a written row group"),
    option(PAGE_SIZE, OptionKind::Integer, "1048576", "bytes of a written page"),
    option(DICTIONARY, OptionKind::Boolean, "true", "write dictionaries"),
    option("utc-timezone", OptionKind::Boolean, "false", "accepted; times are read and written in UTC"),
    option("batch-size", OptionKind::Integer, "2048", "accepted; batches are as large as elsewhere"),
];

/// Refuses maps, whose keys cannot be NULL in a file.
pub(in crate::format::parquet) fn check(table: &TableDef, columns: &RowSchema) -> Result<()> {
    fn has_map(ty: &LogicalType) -> bool {
        match &ty.kind {
            TypeKind::Map(..) | TypeKind::Multiset(_) => true,
            TypeKind::Array(element) => has_map(element),
            TypeKind::Row(fields) => fields.iter().any(|f| has_map(&f.ty)),
            _ => false,
        }
    }
    match columns.columns().iter().find(|c| has_map(&c.ty)) {
        None => Ok(()),
        Some(column) => Err(Error::not_supported(format!(
            "table '{}': column '{}' {} with format parquet",
            table.path, column.name, column.ty.kind
        ))),
    }
}

fn only_in_files(table: &TableDef) -> Error {
    Error::user(format!("table '{}': format parquet is for connector 'filesystem' alone", table.path))
        .with_code(Code::NotSupported)
        .with_hint("a topic's records are written with json, csv, debezium-json or raw")
}

impl Format for Parquet {
    fn name(&self) -> &'static str {
        "parquet"
    }

    fn framing(&self, _table: &TableDef) -> Result<Framing> {
        Ok(Framing::Columns)
    }

    fn options(&self) -> &'static [OptionDef] {
        OPTIONS
    }

    fn decoder(&self, table: &TableDef, columns: &RowSchema, _cx: &ConnectContext) -> Result<Box<dyn Decoder>> {
        if table.connector() != Some("filesystem") {
            return Err(only_in_files(table));
        }
        check(table, columns)?;
        Ok(Box::new(NoRecords))
    }

    fn encoder(&self, table: &TableDef, _schema: &RowSchema, _cx: &ConnectContext) -> Result<Box<dyn Encoder>> {
        Err(only_in_files(table))
    }
}

/// The source hands out rows.
struct NoRecords;

impl Decoder for NoRecords {
    fn decode(&mut self, _raw: &RawBatch) -> Result<Decoded> {
        Err(Error::bug("a parquet file has no records"))
    }
}
