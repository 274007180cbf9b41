//! How the rows of a table lie under their keys, and back into batches.
//!
//! The key's columns stand in the key alone. The value is the other columns; a counted table has the count, a capped one
//! the row's age in front.

use arrow::array::{RecordBatch, RecordBatchOptions};
use arus_core::change::{ChangeBatch, RowKind, arrow_bug};
use arus_core::{Result, RowSchema};

use super::{Bytes, TableMode};
use crate::codec::{EncodedRows, KeyCodec, RowCodec};
use crate::wire::{WireReader, put_varint, put_zigzag};

#[derive(Debug)]
pub(super) struct Layout {
    pub(super) schema: RowSchema,
    pub(super) mode: TableMode,
    key: Vec<usize>,
    values: Vec<usize>,
    pub(super) key_codec: KeyCodec,
    row_codec: RowCodec,
}

/// A key, what happens to it, and the row that stands there then: none of a counted table, which has all in the key.
pub(super) type Change = (Bytes, RowKind, Option<Bytes>);

impl Layout {
    pub(super) fn new(schema: RowSchema, key: &[usize], mode: TableMode) -> Self {
        let all = 0..schema.len();
        let key: Vec<_> = if mode == TableMode::Counted { all.clone().collect() } else { key.to_vec() };
        let values: Vec<_> = all.filter(|i| !key.contains(i)).collect();
        let types = |columns: &[usize]| columns.iter().map(|i| schema.columns()[*i].ty.clone()).collect::<Vec<_>>();
        let key_codec = KeyCodec::new(types(&key));
        let row_codec = RowCodec::new(types(&values));
        Layout { mode, key, values, key_codec, row_codec, schema }
    }

    pub(super) fn visible_key(&self) -> &[usize] {
        if self.mode == TableMode::Counted { &[] } else { &self.key }
    }

    /// In the order of keys, so that the way down the tree is short; changes of one key stay in theirs. Those of a capped table go
    /// by arrival.
    pub(super) fn changes(&self, batch: &ChangeBatch) -> Result<Vec<Change>> {
        let rows = batch.rows();
        let pick = |columns: &[usize]| columns.iter().map(|i| rows.column(*i).clone()).collect::<Vec<_>>();
        let keys = self.key_codec.encode(&pick(&self.key), rows.num_rows())?;
        let values = match self.mode {
            TableMode::Counted => EncodedRows::default(),
            _ => self.row_codec.encode(&pick(&self.values), rows.num_rows())?,
        };
        let change = |row: usize| {
            let kind = batch.kind(row);
            let stands = self.mode != TableMode::Counted && kind.adds();
            (Bytes::from(keys.get(row)), kind, stands.then(|| values.get(row).into()))
        };
        let mut changes: Vec<Change> = (0..rows.num_rows()).map(change).collect();
        if !matches!(self.mode, TableMode::Capped(_)) {
            changes.sort_by(|a, b| a.0.cmp(&b.0));
        }
        Ok(changes)
    }

    /// Rows of (key, value) as a batch of the columns in `projection`.
    pub(super) fn decode(&self, rows: &[(&[u8], &[u8])], projection: &[usize]) -> Result<RecordBatch> {
        let needs = |columns: &[usize]| projection.iter().any(|i| columns.contains(i));
        let keys = if needs(&self.key) { self.key_codec.decode(rows.iter().map(|row| row.0))? } else { vec![] };
        let capped = matches!(self.mode, TableMode::Capped(_));
        let row_of = |value| if capped { aged(value).map_or(&[][..], |(_, row)| row) } else { value };
        let values =
            if needs(&self.values) { self.row_codec.decode(rows.iter().map(|row| row_of(row.1)))? } else { vec![] };
        let column = |i: &usize| match self.key.iter().position(|k| k == i) {
            Some(at) => keys[at].clone(),
            None => {
                values[self.values.iter().position(|v| v == i).expect("a column is in the key or the value")].clone()
            }
        };
        let columns = projection.iter().map(column).collect();
        let schema = self.schema.to_arrow().project(projection).map_err(arrow_bug)?;
        let options = RecordBatchOptions::new().with_row_count(Some(rows.len()));
        RecordBatch::try_new_with_options(schema.into(), columns, &options).map_err(arrow_bug)
    }

    /// How often a scan gives the row.
    pub(super) fn times(&self, value: &[u8]) -> u64 {
        if self.mode == TableMode::Counted { count(value).max(0) as u64 } else { 1 }
    }
}

pub(super) fn count(value: &[u8]) -> i64 {
    WireReader::new(value).zigzag().unwrap_or(0)
}

pub(super) fn count_bytes(count: i64) -> Bytes {
    let mut out = vec![];
    put_zigzag(&mut out, count);
    out.into()
}

/// The age and the row after it.
pub(super) fn aged(value: &[u8]) -> Option<(u64, &[u8])> {
    let mut fields = WireReader::new(value);
    let age = fields.varint()?;
    Some((age, &value[value.len() - fields.remaining()..]))
}

pub(super) fn aged_bytes(age: u64, row: &[u8]) -> Bytes {
    let mut out = vec![];
    put_varint(&mut out, age);
    out.extend_from_slice(row);
    out.into()
}
