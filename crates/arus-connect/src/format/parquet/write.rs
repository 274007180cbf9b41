//! Rows into a growing file. Its end, without which it cannot be read, is written when it is closed.

use std::io;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arus_core::catalog::TableDef;
use arus_core::fs::File;
use arus_core::{Error, Result, RowSchema};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, GzipLevel, ZstdLevel};
use parquet::file::properties::WriterProperties;

use super::{BLOCK_SIZE, COMPRESSION, DICTIONARY, OPTIONS, PAGE_SIZE, check};
use crate::options::Options;

/// How the files of a table are written.
pub(crate) struct ParquetStyle {
    schema: SchemaRef,
    properties: WriterProperties,
}

impl ParquetStyle {
    pub(crate) fn of(table: &TableDef, columns: &RowSchema) -> Result<Self> {
        check(table, columns)?;
        let options = Options::of_format(table, "parquet.", OPTIONS);
        let bytes = |name: &str| -> Result<usize> {
            let text = options.required(name)?;
            let value = text.trim().parse().ok().filter(|n| *n > 0);
            value.ok_or_else(|| options.wrong(name, "a number of bytes", text))
        };
        let compression = match options.choice(COMPRESSION)? {
            "UNCOMPRESSED" => Compression::UNCOMPRESSED,
            "GZIP" => Compression::GZIP(GzipLevel::default()),
            "ZSTD" => Compression::ZSTD(ZstdLevel::default()),
            "LZ4_RAW" => Compression::LZ4_RAW,
            _ => Compression::SNAPPY,
        };
        let properties = WriterProperties::builder()
            .set_compression(compression)
            .set_max_row_group_bytes(Some(bytes(BLOCK_SIZE)?))
            .set_data_page_size_limit(bytes(PAGE_SIZE)?)
            .set_dictionary_enabled(options.flag(DICTIONARY)?)
            .build();
        Ok(ParquetStyle { schema: columns.to_arrow(), properties })
    }

    pub(crate) fn open(&self, file: Arc<dyn File>) -> Result<ParquetFile> {
        let writer = ArrowWriter::try_new(Appended(file), self.schema.clone(), Some(self.properties.clone()));
        Ok(ParquetFile(writer.map_err(failed)?))
    }
}

pub(crate) struct ParquetFile(ArrowWriter<Appended>);

impl ParquetFile {
    pub(crate) fn write(&mut self, rows: &RecordBatch) -> Result<()> {
        self.0.write(rows).map_err(failed)
    }

    /// Bytes, about: what is buffered is not encoded yet.
    pub(crate) fn len(&self) -> u64 {
        (self.0.bytes_written() + self.0.in_progress_size()) as u64
    }

    pub(crate) fn close(self) -> Result<()> {
        self.0.close().map_err(failed).map(|_| ())
    }
}

fn failed(error: parquet::errors::ParquetError) -> Error {
    Error::external(format!("cannot write a parquet file: {error}")).with_source(error)
}

struct Appended(Arc<dyn File>);

impl io::Write for Appended {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.append(bytes)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
