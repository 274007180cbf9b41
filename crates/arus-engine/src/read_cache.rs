//! Decoded rows of topics that queries have read, so that the next read decodes only what came since.
//!
//! A topic only grows, and a record that readers see never changes: what is kept of a read is the beginning of every later
//! one. A read of an older epoch goes its own way, and once old records have gone what is kept is read anew.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::{ArrayRef, AsArray, RecordBatch};
use arrow::compute::concat_batches;
use arrow::datatypes::DataType;
use arus_core::Result;
use arus_core::change::arrow_bug;
use arus_core::limits::{BATCH_ROWS, READ_CACHE_BYTES};
use arus_core::read::BatchIterator;

/// A table, by its id, and the columns that were read of it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct ReadKey {
    /// The table with its columns.
    pub(crate) table: u64,
    pub(crate) columns: Vec<usize>,
}

pub(crate) struct ReadCache {
    kept: Mutex<Kept>,
    limit: usize,
}

impl Default for ReadCache {
    fn default() -> Self {
        ReadCache::new(READ_CACHE_BYTES)
    }
}

#[derive(Default)]
struct Kept {
    entries: HashMap<ReadKey, Entry>,
    bytes: usize,
    /// Counts uses, to find the oldest.
    used: u64,
}

struct Entry {
    starts: Vec<i64>,
    ends: Vec<i64>,
    batches: Vec<RecordBatch>,
    bytes: usize,
    used: u64,
}

/// The beginning of a read.
#[derive(Default)]
pub(crate) struct Known {
    /// Where to go on, by partition; empty: nothing is known.
    pub(crate) ends: Vec<i64>,
    pub(crate) batches: Vec<RecordBatch>,
}

impl ReadCache {
    /// Keeps so many bytes.
    pub(crate) fn new(limit: usize) -> Self {
        ReadCache { kept: Mutex::default(), limit }
    }

    /// What one read may keep of all: a long topic does not push out the others.
    fn entry_limit(&self) -> usize {
        self.limit / 4
    }

    /// What is kept of a read from `starts` to `ends`.
    pub(crate) fn get(&self, key: &ReadKey, starts: &[i64], ends: &[i64]) -> Known {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.used += 1;
        let used = kept.used;
        let Some(entry) = kept.entries.get_mut(key) else { return Known::default() };
        if entry.starts != starts || entry.ends.iter().zip(ends).any(|(known, end)| known > end) {
            return Known::default();
        }
        entry.used = used;
        Known { ends: entry.ends.clone(), batches: entry.batches.clone() }
    }

    fn put(&self, key: ReadKey, starts: Vec<i64>, ends: Vec<i64>, batches: Vec<RecordBatch>) {
        let bytes = batches.iter().map(RecordBatch::get_array_memory_size).sum();
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        // A read that was slower than another one brings less.
        if kept.entries.get(&key).is_some_and(|e| e.starts == starts && e.ends.iter().zip(&ends).any(|(a, b)| a > b)) {
            return;
        }
        kept.used += 1;
        let entry = Entry { starts, ends, batches, bytes, used: kept.used };
        kept.bytes += bytes;
        if let Some(before) = kept.entries.insert(key, entry) {
            kept.bytes -= before.bytes;
        }
        while kept.bytes > self.limit {
            let oldest = kept.entries.iter().min_by_key(|(_, e)| e.used).map(|(key, _)| key.clone());
            let Some(entry) = oldest.and_then(|key| kept.entries.remove(&key)) else { return };
            kept.bytes -= entry.bytes;
        }
    }

    /// Gives the known rows, then the others, and keeps all of them once the read has come to its end.
    pub(crate) fn keep(
        self: &Arc<Self>,
        key: ReadKey,
        starts: Vec<i64>,
        ends: Vec<i64>,
        known: Known,
        rest: BatchIterator,
    ) -> BatchIterator {
        if known.ends == ends {
            return Box::new(known.batches.into_iter().map(Ok));
        }
        let given = known.batches.clone();
        let bytes = given.iter().map(RecordBatch::get_array_memory_size).sum();
        let keeping =
            Keeping { cache: self.clone(), read: Some((key, starts, ends)), batches: known.batches, bytes, rest };
        Box::new(given.into_iter().map(Ok).chain(keeping))
    }
}

/// A read under way; one that is not read to its end, fails or is too large keeps nothing.
struct Keeping {
    cache: Arc<ReadCache>,
    read: Option<(ReadKey, Vec<i64>, Vec<i64>)>,
    batches: Vec<RecordBatch>,
    bytes: usize,
    rest: BatchIterator,
}

impl Iterator for Keeping {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        match self.rest.next() {
            Some(Ok(batch)) => Some(self.note(&batch).map(|()| batch)),
            Some(Err(e)) => {
                self.read = None;
                Some(Err(e))
            }
            None => {
                if let Some((key, starts, ends)) = self.read.take() {
                    self.cache.put(key, starts, ends, std::mem::take(&mut self.batches));
                }
                None
            }
        }
    }
}

impl Keeping {
    fn note(&mut self, batch: &RecordBatch) -> Result<()> {
        if self.read.is_none() || batch.num_rows() == 0 {
            return Ok(());
        }
        let own = compact(batch)?;
        self.bytes += own.get_array_memory_size();
        if self.bytes > self.cache.entry_limit() {
            self.read = None;
            self.batches = vec![];
            return Ok(());
        }
        self.batches.push(own);
        // Two neighbours become one while they are of about a size, so that each row is copied a few times at most.
        while let [.., before, last] = self.batches.as_slice()
            && before.num_rows() + last.num_rows() <= BATCH_ROWS
            && before.num_rows() < 2 * last.num_rows()
        {
            let both = compact(&concat_batches(&last.schema(), [before, last]).map_err(arrow_bug)?)?;
            self.batches.truncate(self.batches.len() - 2);
            self.batches.push(both);
        }
        Ok(())
    }
}

/// The rows with bytes of their own: views would hold the whole of what they were decoded from.
fn compact(batch: &RecordBatch) -> Result<RecordBatch> {
    let columns: Vec<ArrayRef> = batch
        .columns()
        .iter()
        .map(|column| match column.data_type() {
            DataType::Utf8View => Arc::new(column.as_string_view().gc()) as ArrayRef,
            DataType::BinaryView => Arc::new(column.as_binary_view().gc()) as ArrayRef,
            _ => column.clone(),
        })
        .collect();
    let count = arrow::array::RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(batch.schema(), columns, &count).map_err(arrow_bug)
}

#[cfg(test)]
mod tests {
    use arrow::array::{Int64Array, StringViewArray};
    use arrow::datatypes::{Field, Schema};

    use super::*;

    fn batch(values: std::ops::Range<i64>) -> RecordBatch {
        let schema =
            Schema::new(vec![Field::new("a", DataType::Int64, true), Field::new("b", DataType::Utf8View, true)]);
        let texts = values.clone().map(|v| format!("a text that is no inline view: {v}"));
        let columns: Vec<ArrayRef> = vec![
            Arc::new(Int64Array::from_iter_values(values.clone())),
            Arc::new(StringViewArray::from_iter_values(texts)),
        ];
        RecordBatch::try_new(Arc::new(schema), columns).expect("is a batch")
    }

    fn values(batches: impl Iterator<Item = Result<RecordBatch>>) -> Vec<i64> {
        let column = |b: RecordBatch| b.column(0).as_primitive::<arrow::datatypes::Int64Type>().values().to_vec();
        batches.flat_map(|b| column(b.expect("a batch"))).collect()
    }

    /// A read from `start` to `end`; what was decoded for it.
    fn read(cache: &Arc<ReadCache>, start: i64, end: i64) -> std::ops::Range<i64> {
        let key = ReadKey { table: 1, columns: vec![0, 1] };
        let known = cache.get(&key, &[start], &[end]);
        let from = known.ends.first().copied().unwrap_or(start);
        let rest: Vec<_> = (from..end).map(|v| Ok(batch(v..v + 1))).collect();
        let all = cache.keep(key, vec![start], vec![end], known, Box::new(rest.into_iter()));
        assert_eq!(values(all), (start..end).collect::<Vec<_>>());
        from..end
    }

    #[test]
    fn a_read_decodes_what_came_since_the_last_one() {
        let cache = Arc::new(ReadCache::default());
        assert_eq!(read(&cache, 0, 300), 0..300);
        assert_eq!(read(&cache, 0, 300), 300..300);
        assert_eq!(read(&cache, 0, 310), 300..310);
        assert_eq!(read(&cache, 0, 305), 0..305, "an older epoch goes its own way");
        assert_eq!(read(&cache, 0, 311), 310..311, "and takes nothing away");
        assert!(cache.get(&ReadKey { table: 1, columns: vec![0, 1] }, &[0], &[311]).batches.len() < 12);
        assert_eq!(read(&cache, 100, 311), 100..311, "retention has moved the start");
        assert_eq!(read(&cache, 100, 311), 311..311);
        assert_eq!(cache.get(&ReadKey { table: 1, columns: vec![0] }, &[100], &[311]).ends, [0i64; 0]);
    }

    #[test]
    fn what_is_not_read_to_the_end_is_not_kept() {
        let cache = Arc::new(ReadCache::default());
        let key = ReadKey { table: 1, columns: vec![0, 1] };
        let rest: Vec<Result<RecordBatch>> =
            vec![Ok(batch(0..2)), Err(arus_core::Error::bug("a fault")), Ok(batch(2..4))];
        let all = cache.keep(key.clone(), vec![0], vec![4], Known::default(), Box::new(rest.into_iter()));
        assert_eq!(all.count(), 3);
        let rest: Vec<Result<RecordBatch>> = vec![Ok(batch(0..2)), Ok(batch(2..4))];
        let all = cache.keep(key.clone(), vec![0], vec![4], Known::default(), Box::new(rest.into_iter()));
        assert_eq!(all.take(1).count(), 1);
        assert!(cache.get(&key, &[0], &[4]).ends.is_empty());
    }
}
