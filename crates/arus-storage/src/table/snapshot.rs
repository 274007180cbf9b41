//! One version of a table, for as long as somebody reads it.

use std::ops::Bound;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arus_core::catalog::ObjectPath;
use arus_core::limits::BATCH_ROWS;
use arus_core::read::{BatchIterator, Cut, ReadTable, ReadTableKind};
use arus_core::{Result, RowSchema};

use super::layout::Layout;
use super::{Bytes, Rows};

/// Cheap to clone; rows are shared with the table.
#[derive(Clone)]
pub struct TableSnapshot {
    layout: Arc<Layout>,
    cut: Cut,
    as_of_ms: i64,
    pub(super) rows: Rows,
    row_count: u64,
    changed: Cut,
}

impl TableSnapshot {
    pub(super) fn new(layout: Arc<Layout>, cut: Cut, as_of_ms: i64, rows: Rows, row_count: u64) -> Self {
        TableSnapshot { layout, cut, as_of_ms, rows, row_count, changed: cut }
    }

    /// Its rows are those of an earlier version.
    pub(super) fn unchanged_since(self, changed: Cut) -> Self {
        TableSnapshot { changed, ..self }
    }

    /// The cut since which the rows are as they are.
    pub fn changed(&self) -> Cut {
        self.changed
    }

    pub fn cut(&self) -> Cut {
        self.cut
    }

    pub fn as_of_ms(&self) -> i64 {
        self.as_of_ms
    }

    pub fn schema(&self) -> &RowSchema {
        &self.layout.schema
    }

    /// Rows that a scan gives.
    pub fn len(&self) -> u64 {
        self.row_count
    }

    pub fn is_empty(&self) -> bool {
        self.row_count == 0
    }

    /// Batches of the columns in `projection`, in the order of the key; at most `limit` rows.
    pub fn scan(&self, projection: &[usize], limit: Option<usize>) -> BatchIterator {
        Box::new(Scan {
            layout: self.layout.clone(),
            rows: self.rows.clone(),
            projection: projection.to_vec(),
            left: limit.unwrap_or(usize::MAX),
            after: None,
            repeat: 0,
        })
    }

    /// Keys of rows given as the key's columns, for [`TableSnapshot::get`].
    pub fn encode_keys(&self, columns: &[ArrayRef], rows: usize) -> Result<crate::codec::EncodedRows> {
        self.layout.key_codec.encode(columns, rows)
    }

    /// The rows under these keys, each once, in the order of the key.
    pub fn find(&self, keys: &[ArrayRef], projection: &[usize]) -> Result<RecordBatch> {
        let keys = self.encode_keys(keys, keys.first().map_or(0, |column| column.len()))?;
        let mut wanted: Vec<&[u8]> = keys.iter().collect();
        wanted.sort_unstable();
        wanted.dedup();
        let found = wanted.into_iter().filter_map(|key| self.rows.get_key_value(key));
        let found: Vec<(&[u8], &[u8])> = found.map(|(key, value)| (key.as_ref(), value.as_ref())).collect();
        self.layout.decode(&found, projection)
    }

    /// The row of a key, all columns.
    pub fn get(&self, key: &[u8]) -> Result<Option<RecordBatch>> {
        let Some((key, value)) = self.rows.get_key_value(key) else { return Ok(None) };
        let all: Vec<_> = (0..self.layout.schema.len()).collect();
        self.layout.decode(&[(key, value)], &all).map(Some)
    }

    /// The snapshot as ad-hoc queries read it.
    pub fn named(self, path: ObjectPath, kind: ReadTableKind) -> SnapshotTable {
        SnapshotTable { path, kind, snapshot: self }
    }
}

struct Scan {
    layout: Arc<Layout>,
    rows: Rows,
    projection: Vec<usize>,
    left: usize,
    /// The key that was reached, and how often it is still to be given.
    after: Option<Bytes>,
    repeat: u64,
}

impl Iterator for Scan {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        let most = self.left.min(BATCH_ROWS);
        let mut picked: Vec<(&[u8], &[u8])> = Vec::with_capacity(most.min(self.rows.len()));
        let mut reached = self.after.clone();
        let mut repeat = self.repeat;
        let start = match &self.after {
            None => Bound::Unbounded,
            Some(key) if self.repeat > 0 => Bound::Included(key.as_ref()),
            Some(key) => Bound::Excluded(key.as_ref()),
        };
        for (key, value) in self.rows.range::<_, [u8]>((start, Bound::Unbounded)) {
            if picked.len() == most {
                break;
            }
            let times = if repeat > 0 { repeat } else { self.layout.times(value) };
            let now = times.min((most - picked.len()) as u64);
            picked.extend(std::iter::repeat_n((key.as_ref(), value.as_ref()), now as usize));
            repeat = times - now;
            reached = Some(key.clone());
        }
        if picked.is_empty() {
            return None;
        }
        let batch = self.layout.decode(&picked, &self.projection);
        self.left -= picked.len();
        self.after = reached;
        self.repeat = repeat;
        if batch.is_err() {
            self.left = 0;
        }
        Some(batch)
    }
}

/// A snapshot with its name.
pub struct SnapshotTable {
    path: ObjectPath,
    kind: ReadTableKind,
    snapshot: TableSnapshot,
}

impl ReadTable for SnapshotTable {
    fn path(&self) -> &ObjectPath {
        &self.path
    }

    fn kind(&self) -> ReadTableKind {
        self.kind
    }

    fn schema(&self) -> &RowSchema {
        self.snapshot.schema()
    }

    fn primary_key(&self) -> &[usize] {
        self.snapshot.layout.visible_key()
    }

    fn scan(&self, projection: &[usize], limit: Option<usize>) -> Result<BatchIterator> {
        Ok(self.snapshot.scan(projection, limit))
    }

    fn find(&self, keys: &[ArrayRef], projection: &[usize]) -> Result<Option<RecordBatch>> {
        if self.primary_key().is_empty() {
            return Ok(None);
        }
        self.snapshot.find(keys, projection).map(Some)
    }

    fn rows(&self) -> Option<u64> {
        Some(self.snapshot.len())
    }
}
