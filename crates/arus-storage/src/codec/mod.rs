//! Our own canonical encodings of rows: keys whose bytes sort like the values, and compact rows.
//!
//! Both are formats at rest (docs/formats/rows.md) and independent of Arrow's memory layout and of NOT NULL. A batch is
//! encoded row after row into one arena; many rows are decoded into arrays at once.

mod column;
mod sink;
#[cfg(test)]
mod tests;

use arrow::array::ArrayRef;
use arus_core::error::Code;
use arus_core::types::LogicalType;
use arus_core::{Error, Result};

use crate::wire::WireReader;
use column::Column;
use sink::Sink;

/// Raised when the bytes of a row change their meaning.
pub const ROW_FORMAT_VERSION: u32 = 1;

/// Rows in one arena.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EncodedRows {
    pub bytes: Vec<u8>,
    /// The end of each row in `bytes`.
    pub ends: Vec<usize>,
}

impl EncodedRows {
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    pub fn get(&self, row: usize) -> &[u8] {
        let start = if row == 0 { 0 } else { self.ends[row - 1] };
        &self.bytes[start..self.ends[row]]
    }

    pub fn iter(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        (0..self.len()).map(|row| self.get(row))
    }

    pub fn push(&mut self, row: &[u8]) {
        self.bytes.extend_from_slice(row);
        self.ends.push(self.bytes.len());
    }

    /// Keeps the memory for the next batch.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
    }
}

/// Keys: comparing bytes compares the values, column by column, nulls first. Equal values have equal bytes: -0.0 is 0.0,
/// there is one NaN (the greatest), the entries of a map are sorted.
#[derive(Debug, Clone)]
pub struct KeyCodec {
    types: Vec<LogicalType>,
}

/// Compact rows, for values: exactly what went in comes out.
#[derive(Debug, Clone)]
pub struct RowCodec {
    types: Vec<LogicalType>,
}

fn columns<'a>(types: &[LogicalType], arrays: &'a [ArrayRef]) -> Result<Vec<Column<'a>>> {
    if types.len() != arrays.len() {
        return Err(Error::bug(format!("rows of {} columns were given {}", types.len(), arrays.len())));
    }
    types.iter().zip(arrays).map(|(ty, array)| Column::new(array.as_ref(), ty)).collect()
}

fn damaged(row: usize, types: &[LogicalType]) -> Error {
    let types: Vec<_> = types.iter().map(ToString::to_string).collect();
    Error::external(format!("encoded row {row} is not a row of ({})", types.join(", "))).with_code(Code::Corrupt)
}

impl KeyCodec {
    pub fn new(types: impl IntoIterator<Item = LogicalType>) -> Self {
        KeyCodec { types: types.into_iter().collect() }
    }

    pub fn types(&self) -> &[LogicalType] {
        &self.types
    }

    pub fn encode(&self, arrays: &[ArrayRef], rows: usize) -> Result<EncodedRows> {
        let mut out = EncodedRows::default();
        self.encode_into(arrays, rows, &mut out)?;
        Ok(out)
    }

    /// Appends `rows` rows. Without columns each row is empty.
    pub fn encode_into(&self, arrays: &[ArrayRef], rows: usize, out: &mut EncodedRows) -> Result<()> {
        let columns = columns(&self.types, arrays)?;
        out.ends.reserve(rows);
        for row in 0..rows {
            columns.iter().for_each(|column| column.put_key(row, &mut out.bytes));
            out.ends.push(out.bytes.len());
        }
        Ok(())
    }

    pub fn decode<'a>(&self, rows: impl IntoIterator<Item = &'a [u8]>) -> Result<Vec<ArrayRef>> {
        let mut sinks: Vec<_> = self.types.iter().map(Sink::new).collect();
        for (i, row) in rows.into_iter().enumerate() {
            let mut bytes = WireReader::new(row);
            let whole = sinks.iter_mut().all(|sink| sink.take_key(&mut bytes).is_some()) && bytes.remaining() == 0;
            if !whole {
                return Err(damaged(i, &self.types));
            }
        }
        Ok(sinks.into_iter().map(Sink::finish).collect())
    }
}

impl RowCodec {
    pub fn new(types: impl IntoIterator<Item = LogicalType>) -> Self {
        RowCodec { types: types.into_iter().collect() }
    }

    pub fn types(&self) -> &[LogicalType] {
        &self.types
    }

    pub fn encode(&self, arrays: &[ArrayRef], rows: usize) -> Result<EncodedRows> {
        let mut out = EncodedRows::default();
        self.encode_into(arrays, rows, &mut out)?;
        Ok(out)
    }

    /// Appends `rows` rows.
    pub fn encode_into(&self, arrays: &[ArrayRef], rows: usize, out: &mut EncodedRows) -> Result<()> {
        let columns = columns(&self.types, arrays)?;
        out.ends.reserve(rows);
        for row in 0..rows {
            column::put_fields(&columns, row, &mut out.bytes);
            out.ends.push(out.bytes.len());
        }
        Ok(())
    }

    pub fn decode<'a>(&self, rows: impl IntoIterator<Item = &'a [u8]>) -> Result<Vec<ArrayRef>> {
        let mut sinks: Vec<_> = self.types.iter().map(Sink::new).collect();
        for (i, row) in rows.into_iter().enumerate() {
            let mut bytes = WireReader::new(row);
            if sink::take_fields(&mut sinks, &mut bytes).is_none() || bytes.remaining() > 0 {
                return Err(damaged(i, &self.types));
            }
        }
        Ok(sinks.into_iter().map(Sink::finish).collect())
    }
}
