//! A batch of changes: rows with their kinds.

use std::sync::Arc;

use arrow::array::{BooleanArray, RecordBatch, UInt32Array};
use arrow::compute::{filter_record_batch, take_record_batch};

use crate::error::{Error, Result};

/// Flink's row kinds; the byte is the one at rest (`$kind TINYINT`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum RowKind {
    Insert = 0,
    UpdateBefore = 1,
    UpdateAfter = 2,
    Delete = 3,
}

impl RowKind {
    /// Whether the row adds to a result (+I, +U) rather than takes from it (-U, -D).
    pub fn adds(self) -> bool {
        matches!(self, RowKind::Insert | RowKind::UpdateAfter)
    }

    /// +I, -U, +U or -D.
    pub fn short(self) -> &'static str {
        match self {
            RowKind::Insert => "+I",
            RowKind::UpdateBefore => "-U",
            RowKind::UpdateAfter => "+U",
            RowKind::Delete => "-D",
        }
    }

    pub fn from_byte(byte: u8) -> Option<Self> {
        [RowKind::Insert, RowKind::UpdateBefore, RowKind::UpdateAfter, RowKind::Delete].get(byte as usize).copied()
    }
}

/// Rows with their kinds; `kinds` is `None` when all are inserts.
#[derive(Debug, Clone)]
pub struct ChangeBatch {
    rows: RecordBatch,
    kinds: Option<Arc<[RowKind]>>,
}

impl ChangeBatch {
    pub fn inserts(rows: RecordBatch) -> Self {
        ChangeBatch { rows, kinds: None }
    }

    /// `kinds` has one entry a row.
    pub fn new(rows: RecordBatch, kinds: Vec<RowKind>) -> Self {
        assert_eq!(rows.num_rows(), kinds.len(), "one kind a row");
        let kinds = kinds.iter().any(|k| *k != RowKind::Insert).then(|| kinds.into());
        ChangeBatch { rows, kinds }
    }

    /// The same kinds over other columns of the same rows.
    pub fn with_rows(&self, rows: RecordBatch) -> Self {
        assert_eq!(rows.num_rows(), self.rows.num_rows(), "the same rows");
        ChangeBatch { rows, kinds: self.kinds.clone() }
    }

    pub fn rows(&self) -> &RecordBatch {
        &self.rows
    }

    pub fn num_rows(&self) -> usize {
        self.rows.num_rows()
    }

    pub fn kinds(&self) -> Option<&[RowKind]> {
        self.kinds.as_deref()
    }

    pub fn kind(&self, row: usize) -> RowKind {
        self.kinds.as_ref().map_or(RowKind::Insert, |k| k[row])
    }

    pub fn memory_bytes(&self) -> usize {
        self.rows.get_array_memory_size() + self.kinds.as_ref().map_or(0, |k| k.len())
    }

    pub fn slice(&self, offset: usize, length: usize) -> Self {
        let kinds = self.kinds.as_ref().map(|k| Arc::from(&k[offset..offset + length]));
        ChangeBatch { rows: self.rows.slice(offset, length), kinds }
    }

    /// Keeps the rows where `mask` is true.
    pub fn filter(&self, mask: &BooleanArray) -> Result<Self> {
        let rows = filter_record_batch(&self.rows, mask).map_err(arrow_bug)?;
        let kinds = self.kinds.as_ref().map(|kinds| {
            kinds.iter().enumerate().filter(|(i, _)| mask.is_valid_and_true(*i)).map(|(_, k)| *k).collect()
        });
        Ok(ChangeBatch { rows, kinds })
    }

    /// The rows at `indices`, in that order.
    pub fn take(&self, indices: &UInt32Array) -> Result<Self> {
        let rows = take_record_batch(&self.rows, indices).map_err(arrow_bug)?;
        let kinds = self.kinds.as_ref().map(|kinds| indices.values().iter().map(|i| kinds[*i as usize]).collect());
        Ok(ChangeBatch { rows, kinds })
    }
}

trait ValidAndTrue {
    fn is_valid_and_true(&self, row: usize) -> bool;
}

impl ValidAndTrue for BooleanArray {
    fn is_valid_and_true(&self, row: usize) -> bool {
        arrow::array::Array::is_valid(self, row) && self.value(row)
    }
}

/// An Arrow kernel that fails on arrays that we made ourselves.
pub fn arrow_bug(error: arrow::error::ArrowError) -> Error {
    Error::bug(format!("arrow: {error}")).with_source(error)
}
