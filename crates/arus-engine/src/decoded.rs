//! Decoded records of topics, for pipelines that read the same columns: the first of them decodes for all.
//!
//! What is kept is bounded by bytes in all, the oldest goes first, and nothing is kept for a single reader. An entry holds
//! the buffer that it was decoded from, so that the buffer's place names it for as long as the entry lives.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use arus_core::Result;
use arus_core::catalog::TableDef;
use arus_core::connector::{Decoded, Decoder, RawBatch};
use arus_core::limits::DECODED_CACHE_BYTES;
use bytes::Bytes;
use xxhash_rust::xxh3::xxh3_64;

#[derive(Default)]
pub(crate) struct DecodedCache(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    /// Decoders that read the same.
    readers: HashMap<u64, usize>,
    entries: VecDeque<Entry>,
    bytes: usize,
}

struct Entry {
    key: u64,
    data: Bytes,
    /// Offset of the first record, and how many there are: a buffer may be handed out in parts.
    first: i64,
    records: usize,
    decoded: Decoded,
    bytes: usize,
}

impl Entry {
    fn is_of(&self, key: u64, raw: &RawBatch) -> bool {
        self.key == key
            && self.records == raw.records.len()
            && std::ptr::eq(self.data.as_ptr(), raw.data.as_ptr())
            && self.data.len() == raw.data.len()
            && raw.records.first().is_some_and(|record| record.offset == self.first)
    }
}

impl DecodedCache {
    /// A decoder of these columns (by index in `def`) that shares its work with its equals.
    pub(crate) fn share(
        self: &Arc<Self>,
        table: u64,
        def: &TableDef,
        columns: &[usize],
        decoder: Box<dyn Decoder>,
    ) -> Box<dyn Decoder> {
        let options = &def.options;
        let key = xxh3_64(format!("{table} {columns:?} {:?} {options:?}", def.columns).as_bytes());
        *self.kept().readers.entry(key).or_default() += 1;
        Box::new(Shared { cache: self.clone(), key, decoder })
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn has_one_reader(&self, key: u64) -> bool {
        self.readers.get(&key).is_none_or(|readers| *readers < 2)
    }

    fn push(&mut self, entry: Entry) {
        self.bytes += entry.bytes;
        self.entries.push_back(entry);
        while self.bytes > DECODED_CACHE_BYTES
            && let Some(oldest) = self.entries.pop_front()
        {
            self.bytes -= oldest.bytes;
        }
    }
}

struct Shared {
    cache: Arc<DecodedCache>,
    key: u64,
    decoder: Box<dyn Decoder>,
}

impl Decoder for Shared {
    fn decode(&mut self, raw: &RawBatch) -> Result<Decoded> {
        {
            let kept = self.cache.kept();
            if kept.has_one_reader(self.key) {
                drop(kept);
                return self.decoder.decode(raw);
            }
            // The newest are asked for most.
            if let Some(entry) = kept.entries.iter().rev().find(|entry| entry.is_of(self.key, raw)) {
                return Ok(entry.decoded.clone());
            }
        }
        let decoded = self.decoder.decode(raw)?;
        let Some(first) = raw.records.first() else { return Ok(decoded) };
        let columns: usize = decoded.rows.columns().iter().map(|column| column.get_buffer_memory_size()).sum();
        let entry = Entry {
            key: self.key,
            data: raw.data.clone(),
            first: first.offset,
            records: raw.records.len(),
            bytes: raw.data.len() + columns + raw.records.len() * size_of::<u32>(),
            decoded: decoded.clone(),
        };
        self.cache.kept().push(entry);
        Ok(decoded)
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        let mut kept = self.cache.kept();
        let left = kept.readers.get_mut(&self.key).map_or(0, |readers| {
            *readers -= 1;
            *readers
        });
        if left == 0 {
            kept.readers.remove(&self.key);
        }
        if left < 2 {
            let (gone, rest): (VecDeque<Entry>, VecDeque<Entry>) =
                std::mem::take(&mut kept.entries).into_iter().partition(|entry| entry.key == self.key);
            kept.bytes -= gone.iter().map(|entry| entry.bytes).sum::<usize>();
            kept.entries = rest;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use arrow::array::{ArrayRef, Int64Array, RecordBatch};
    use arus_core::connector::RawRecord;

    use super::*;

    /// Counts what it decodes; a row a record, its offset.
    struct Offsets(Arc<AtomicUsize>);

    impl Decoder for Offsets {
        fn decode(&mut self, raw: &RawBatch) -> Result<Decoded> {
            self.0.fetch_add(1, Ordering::Relaxed);
            let offsets: ArrayRef = Arc::new(raw.records.iter().map(|r| r.offset).collect::<Int64Array>());
            let rows = RecordBatch::try_from_iter([("offset", offsets)]).expect("one column");
            Ok(Decoded { rows, kinds: None, records: (0..raw.records.len() as u32).collect(), rejected: vec![] })
        }
    }

    fn raw(data: &Bytes, first: i64, count: i64) -> RawBatch {
        let record = |offset| RawRecord { value: None, key: None, headers: None, offset, timestamp_ms: 0 };
        RawBatch { data: data.clone(), records: (first..first + count).map(record).collect(), partition: 0 }
    }

    fn key(cache: &Arc<DecodedCache>, key: u64, counts: &Arc<AtomicUsize>) -> Shared {
        *cache.kept().readers.entry(key).or_default() += 1;
        Shared { cache: cache.clone(), key, decoder: Box::new(Offsets(counts.clone())) }
    }

    #[test]
    fn readers_of_the_same_columns_decode_once() {
        let (cache, counts) = (Arc::<DecodedCache>::default(), Arc::new(AtomicUsize::new(0)));
        let decoded = || counts.swap(0, Ordering::Relaxed);
        let data = Bytes::from(vec![1; 100]);
        let mut first = key(&cache, 1, &counts);
        let alone = first.decode(&raw(&data, 0, 10)).expect("decodes");
        assert_eq!((decoded(), cache.kept().entries.len()), (1, 0), "nothing is kept for one reader");

        let mut second = key(&cache, 1, &counts);
        let mut other = key(&cache, 2, &counts);
        for decoder in [&mut first, &mut second] {
            assert_eq!(decoder.decode(&raw(&data, 0, 10)).expect("decodes").rows, alone.rows);
        }
        assert_eq!(decoded(), 1);
        other.decode(&raw(&data, 0, 10)).expect("decodes");
        assert_eq!(decoded(), 1, "other columns");
        // Another part of the buffer, and another buffer.
        assert_eq!(second.decode(&raw(&data, 10, 10)).expect("decodes").rows.num_rows(), 10);
        second.decode(&raw(&data, 0, 5)).expect("decodes");
        second.decode(&raw(&Bytes::from(vec![1; 100]), 0, 10)).expect("decodes");
        assert_eq!(decoded(), 3);

        let large = Bytes::from(vec![0; DECODED_CACHE_BYTES / 2]);
        (0..4).for_each(|i| drop(second.decode(&raw(&large, i, 1)).expect("decodes")));
        assert!(cache.kept().bytes <= DECODED_CACHE_BYTES);
        drop(first);
        assert_eq!((cache.kept().entries.len(), cache.kept().bytes), (0, 0), "the last reader needs nothing kept");
    }
}
