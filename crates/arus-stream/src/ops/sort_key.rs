//! The order of ORDER BY as bytes: comparing them compares rows.

use arrow::array::{Array, ArrayRef, RecordBatch};
use arus_core::plan::SortKey;
use arus_core::{Result, RowSchema};
use arus_storage::codec::{EncodedRows, KeyCodec};

pub(crate) struct SortEncoder {
    keys: Vec<(SortKey, KeyCodec)>,
}

impl SortEncoder {
    pub(crate) fn new(keys: &[SortKey], input: &RowSchema) -> Self {
        let codec = |key: &SortKey| (*key, KeyCodec::new([input.columns()[key.column].ty.clone()]));
        SortEncoder { keys: keys.iter().map(codec).collect() }
    }

    /// For each key a byte that sorts the NULLs, then the value's canonical bytes, each inverted where it descends.
    pub(crate) fn encode(&self, rows: &RecordBatch) -> Result<EncodedRows> {
        let columns: Vec<&ArrayRef> = self.keys.iter().map(|(key, _)| rows.column(key.column)).collect();
        let encoded: Vec<EncodedRows> = self
            .keys
            .iter()
            .zip(&columns)
            .map(|((_, codec), column)| codec.encode(std::slice::from_ref(*column), rows.num_rows()))
            .collect::<Result<_>>()?;
        let nulls: Vec<_> = columns.iter().map(|column| column.logical_nulls()).collect();
        let mut out = EncodedRows::default();
        for row in 0..rows.num_rows() {
            for (i, (key, _)) in self.keys.iter().enumerate() {
                let is_null = nulls[i].as_ref().is_some_and(|nulls| nulls.is_null(row));
                out.bytes.push((is_null != key.nulls_first) as u8);
                let value = encoded[i].get(row);
                if key.descending {
                    out.bytes.extend(value.iter().map(|byte| !byte));
                } else {
                    out.bytes.extend_from_slice(value);
                }
            }
            out.ends.push(out.bytes.len());
        }
        Ok(out)
    }
}
