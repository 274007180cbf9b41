//! Rows of a file in its order, of the wanted columns. A position is the number of the next row.

use std::io::{self, Read};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch, RecordBatchOptions, new_null_array};
use arrow::compute::cast;
use arrow::datatypes::SchemaRef;
use arus_core::change::arrow_bug;
use arus_core::contained::contain;
use arus_core::fs::File;
use arus_core::{Error, Result};
use bytes::Bytes;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use parquet::errors::ParquetError;
use parquet::file::reader::{ChunkReader, Length};

pub(crate) struct ParquetRows {
    /// What is called `table` in messages.
    name: String,
    reader: ParquetRecordBatchReader,
    /// All columns of the table, of which those that nobody reads are NULL.
    schema: SchemaRef,
    wanted: Vec<bool>,
    /// The next row.
    pub(crate) row: u64,
    pub(crate) rows: u64,
}

impl ParquetRows {
    /// `schema` are all physical columns of the table, `wanted` says which are read.
    pub(crate) fn open(
        name: String,
        file: Arc<dyn File>,
        len: u64,
        (schema, wanted): (SchemaRef, Vec<bool>),
        row: u64,
        batch_rows: usize,
    ) -> Result<Self> {
        let failed = |e: ParquetError| Error::external(format!("{name} cannot be read as parquet: {e}")).with_source(e);
        let chunks = Chunks { file, len };
        let builder = whole(&name, || ParquetRecordBatchReaderBuilder::try_new(chunks))?.map_err(failed)?;
        let roots: Vec<usize> = builder
            .parquet_schema()
            .root_schema()
            .get_fields()
            .iter()
            .enumerate()
            .filter(|(_, field)| {
                schema.fields().iter().zip(&wanted).any(|(f, wanted)| *wanted && f.name() == field.name())
            })
            .map(|(index, _)| index)
            .collect();
        let mask = ProjectionMask::roots(builder.parquet_schema(), roots);
        let rows = builder.metadata().file_metadata().num_rows().max(0) as u64;
        let builder = builder.with_projection(mask).with_batch_size(batch_rows).with_offset(row as usize);
        let reader = whole(&name, || builder.build())?.map_err(failed)?;
        Ok(ParquetRows { name, reader, schema, wanted, row, rows })
    }

    /// The next rows, `None` at the end.
    pub(crate) fn next(&mut self) -> Result<Option<RecordBatch>> {
        let reader = &mut self.reader;
        let Some(batch) = whole(&self.name, || reader.next())? else { return Ok(None) };
        let batch = batch
            .map_err(|e| Error::external(format!("{} cannot be read as parquet: {e}", self.name)).with_source(e))?;
        let rows = batch.num_rows();
        self.row += rows as u64;
        let columns: Result<Vec<ArrayRef>> = self
            .schema
            .fields()
            .iter()
            .zip(&self.wanted)
            .map(|(field, wanted)| match batch.column_by_name(field.name()) {
                Some(column) if *wanted => self.converted(column, field),
                // Not wanted, or not in the file, as in Flink.
                _ => Ok(new_null_array(field.data_type(), rows)),
            })
            .collect();
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        RecordBatch::try_new_with_options(self.schema.clone(), columns?, &options).map_err(arrow_bug).map(Some)
    }

    fn converted(&self, column: &ArrayRef, field: &arrow::datatypes::Field) -> Result<ArrayRef> {
        if column.data_type() == field.data_type() {
            return Ok(column.clone());
        }
        cast(column, field.data_type()).map_err(|e| {
            Error::user(format!(
                "{}: column '{}' of the file has type {}, which does not fit the table's: {e}",
                self.name,
                field.name(),
                column.data_type()
            ))
        })
    }
}

/// The library asserts what a damaged file breaks: that is the file's fault and stops nothing but its reader.
fn whole<T>(name: &str, read: impl FnOnce() -> T) -> Result<T> {
    contain(read).ok_or_else(|| Error::external(format!("{name} cannot be read as parquet: it is damaged")))
}

struct Chunks {
    file: Arc<dyn File>,
    len: u64,
}

impl Length for Chunks {
    fn len(&self) -> u64 {
        self.len
    }
}

impl ChunkReader for Chunks {
    type T = FromHere;

    fn get_read(&self, start: u64) -> Result<FromHere, ParquetError> {
        Ok(FromHere { file: self.file.clone(), at: start })
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes, ParquetError> {
        let ends = start.checked_add(length as u64);
        if ends.is_none_or(|end| end > self.len) {
            return Err(ParquetError::EOF(format!("{length} bytes at {start} of a file of {}", self.len)));
        }
        let mut bytes = vec![0; length];
        self.file.read_exact_at(start, &mut bytes)?;
        Ok(bytes.into())
    }
}

struct FromHere {
    file: Arc<dyn File>,
    at: u64,
}

impl Read for FromHere {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read_at(self.at, buffer)?;
        self.at += read as u64;
        Ok(read)
    }
}
