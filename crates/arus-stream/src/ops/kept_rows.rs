//! Rows kept by key, for operators that remember what they told: the rows of each key in the order in which they came.
//!
//! State, per key: when it was last written (i64 ms; 0: not known), then each row as its length (u32) and its bytes.

use std::collections::{BTreeSet, HashMap};

use arrow::array::{ArrayRef, RecordBatch};
use arrow::compute::interleave;
use arrow::datatypes::SchemaRef;
use arus_core::change::arrow_bug;
use arus_core::{ChangeBatch, Error, LogicalType, Result, RowKind};
use arus_storage::codec::{EncodedRows, KeyCodec, RowCodec};
use foldhash::fast::FixedState;

use crate::state::{StateEntry, StateWriter};

pub(crate) type Bytes = Box<[u8]>;

pub(crate) struct KeptRows {
    keys: Vec<usize>,
    key_codec: KeyCodec,
    row_codec: RowCodec,
    ttl_ms: i64,
    entries: HashMap<Bytes, Entry, FixedState>,
    dirty: BTreeSet<Bytes>,
    bytes: usize,
}

#[derive(Default)]
struct Entry {
    written_ms: i64,
    rows: Vec<Bytes>,
    /// Whether a checkpoint has the key.
    persisted: bool,
}

/// The rows of a batch and their keys.
pub(crate) struct Encoded {
    pub(crate) keys: EncodedRows,
    pub(crate) rows: EncodedRows,
}

/// Seeds the table's hash; nothing that leaves depends on it.
const HASH_SEED: u64 = 0x6172_7573;

impl KeptRows {
    pub(crate) fn new(types: &[LogicalType], keys: &[usize], ttl_ms: i64) -> Self {
        KeptRows {
            keys: keys.to_vec(),
            key_codec: KeyCodec::new(keys.iter().map(|k| types[*k].clone())),
            row_codec: RowCodec::new(types.iter().cloned()),
            ttl_ms,
            entries: HashMap::with_hasher(FixedState::with_seed(HASH_SEED)),
            dirty: BTreeSet::new(),
            bytes: 0,
        }
    }

    pub(crate) fn has_ttl(&self) -> bool {
        self.ttl_ms > 0
    }

    pub(crate) fn encode(&self, rows: &RecordBatch) -> Result<Encoded> {
        let keys: Vec<ArrayRef> = self.keys.iter().map(|k| rows.column(*k).clone()).collect();
        Ok(Encoded {
            keys: self.key_codec.encode(&keys, rows.num_rows())?,
            rows: self.row_codec.encode(rows.columns(), rows.num_rows())?,
        })
    }

    /// The rows of a key, the oldest first; what has expired is gone.
    pub(crate) fn get(&self, key: &[u8], now_ms: i64) -> &[Bytes] {
        match self.entries.get(key) {
            Some(entry) if !self.expired(entry, now_ms) => &entry.rows,
            _ => &[],
        }
    }

    fn expired(&self, entry: &Entry, now_ms: i64) -> bool {
        self.ttl_ms > 0 && entry.written_ms != 0 && entry.written_ms.saturating_add(self.ttl_ms) <= now_ms
    }

    /// Replaces the rows of a key; without rows the key goes.
    pub(crate) fn set(&mut self, key: &[u8], rows: Vec<Bytes>, now_ms: i64) {
        let size = |rows: &[Bytes]| key.len() + ENTRY_BYTES + rows.iter().map(|r| r.len() + 16).sum::<usize>();
        let before = self.entries.remove(key);
        self.bytes -= before.as_ref().map_or(0, |e| size(&e.rows));
        // A key that is gone but dirty stands in a checkpoint still.
        let persisted = before.map_or_else(|| self.dirty.contains(key), |e| e.persisted);
        if rows.is_empty() && !persisted {
            self.dirty.remove(key);
        } else {
            self.dirty.insert(key.into());
        }
        if !rows.is_empty() {
            self.bytes += size(&rows);
            self.entries.insert(key.into(), Entry { written_ms: now_ms, rows, persisted });
        }
    }

    /// Forgets keys that nothing has written for the state's time to live.
    pub(crate) fn expire(&mut self, now_ms: i64) {
        if self.ttl_ms == 0 {
            return;
        }
        let expired: Vec<Bytes> =
            self.entries.iter().filter(|(_, e)| self.expired(e, now_ms)).map(|(key, _)| key.clone()).collect();
        for key in expired {
            self.set(&key, vec![], now_ms);
        }
    }

    pub(crate) fn freeze(&mut self, state: &mut StateWriter<'_>) {
        for key in std::mem::take(&mut self.dirty) {
            let group = arus_core::key_group::key_group(&key);
            let Some(entry) = self.entries.get_mut(&key) else {
                state.delete(group, &key);
                continue;
            };
            entry.persisted = true;
            let mut value = entry.written_ms.to_le_bytes().to_vec();
            for row in &entry.rows {
                value.extend_from_slice(&(row.len() as u32).to_le_bytes());
                value.extend_from_slice(row);
            }
            state.put(group, &key, &value);
        }
    }

    pub(crate) fn restore(&mut self, entries: &[StateEntry]) -> Result<()> {
        for entry in entries {
            let damaged =
                || Error::bug(format!("the state of kept rows has {} bytes that are none", entry.value.len()));
            let (written_ms, mut rest) = entry.value.split_first_chunk::<8>().ok_or_else(damaged)?;
            let mut rows: Vec<Bytes> = vec![];
            while !rest.is_empty() {
                let (length, after) = rest.split_first_chunk::<4>().ok_or_else(damaged)?;
                let (row, after) = after.split_at_checked(u32::from_le_bytes(*length) as usize).ok_or_else(damaged)?;
                rows.push(row.into());
                rest = after;
            }
            self.set(&entry.key, rows, i64::from_le_bytes(*written_ms));
            self.dirty.remove(&entry.key[..]);
            if let Some(restored) = self.entries.get_mut(&entry.key[..]) {
                restored.persisted = true;
            }
        }
        Ok(())
    }

    pub(crate) fn memory_bytes(&self) -> usize {
        self.bytes
    }

    /// The rows of `steps` as a batch; `input` is the batch that led to them.
    pub(crate) fn changes(&self, input: &RecordBatch, steps: Steps, schema: &SchemaRef) -> Result<ChangeBatch> {
        let stored = self.row_codec.decode(steps.stored.iter().map(|row| &row[..]))?;
        let columns = input
            .columns()
            .iter()
            .zip(&stored)
            .map(|(a, b)| interleave(&[a.as_ref(), b.as_ref()], &steps.picks))
            .collect::<Result<Vec<_>, _>>()
            .map_err(arrow_bug)?;
        let rows = crate::ops::rows(schema, columns, steps.picks.len())?;
        Ok(ChangeBatch::new(rows, steps.kinds))
    }
}

/// Of an entry besides its key and rows.
const ENTRY_BYTES: usize = 64;

/// Changes to be told, of rows of the input and of kept ones.
#[derive(Default)]
pub(crate) struct Steps {
    /// (0, row of the input) or (1, number of the kept row).
    picks: Vec<(usize, usize)>,
    kinds: Vec<RowKind>,
    stored: Vec<Bytes>,
}

impl Steps {
    pub(crate) fn input(&mut self, kind: RowKind, row: usize) {
        self.picks.push((0, row));
        self.kinds.push(kind);
    }

    pub(crate) fn kept(&mut self, kind: RowKind, row: Bytes) {
        self.picks.push((1, self.stored.len()));
        self.stored.push(row);
        self.kinds.push(kind);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.picks.is_empty()
    }
}
