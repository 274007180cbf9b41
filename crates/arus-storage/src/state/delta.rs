//! What operators freeze at a barrier: entries appended to arenas.

use arus_core::key_group::key_group;
use arus_core::plan::Uid;

/// Changes of state since the previous freeze, in the order in which they were put; a later entry of a key wins.
///
/// They stand in chunks: while everything waits at a barrier, a delta neither moves to grow nor to join another one.
#[derive(Debug, Clone, Default)]
pub struct StateDelta {
    /// None of them is empty.
    chunks: Vec<Chunk>,
}

#[derive(Debug, Clone, Default)]
struct Chunk {
    arena: Vec<u8>,
    entries: Vec<Slot>,
}

/// A chunk that has so many bytes or entries takes no more.
const CHUNK_BYTES: usize = 1 << 20;
const CHUNK_ENTRIES: usize = 1 << 14;
/// Smaller ones are copied into the one before, or chunks of a few entries would add up.
const CHUNK_MOVED_BYTES: usize = CHUNK_BYTES / 16;

#[derive(Debug, Clone, Copy)]
struct Slot {
    uid: Uid,
    key_group: u16,
    start: u32,
    key_len: u32,
    /// `None`: deleted.
    value_len: Option<u32>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct DeltaEntry<'a> {
    pub uid: Uid,
    pub key_group: u16,
    pub key: &'a [u8],
    pub value: Option<&'a [u8]>,
}

impl Chunk {
    fn is_full(&self) -> bool {
        self.arena.len() >= CHUNK_BYTES || self.entries.len() >= CHUNK_ENTRIES
    }

    fn takes(&self, other: &Chunk) -> bool {
        other.arena.len() < CHUNK_MOVED_BYTES
            && self.arena.len() < CHUNK_BYTES
            && self.entries.len() + other.entries.len() <= CHUNK_ENTRIES
    }

    fn push(&mut self, entry: DeltaEntry<'_>) {
        let start = self.arena.len() as u32;
        self.arena.extend_from_slice(entry.key);
        self.arena.extend_from_slice(entry.value.unwrap_or_default());
        self.entries.push(Slot {
            uid: entry.uid,
            key_group: entry.key_group,
            start,
            key_len: entry.key.len() as u32,
            value_len: entry.value.map(|v| v.len() as u32),
        });
    }

    fn entry(&self, slot: &Slot) -> DeltaEntry<'_> {
        let start = slot.start as usize;
        let (key, rest) = self.arena[start..].split_at(slot.key_len as usize);
        let value = slot.value_len.map(|len| &rest[..len as usize]);
        DeltaEntry { uid: slot.uid, key_group: slot.key_group, key, value }
    }

    fn iter(&self) -> impl Iterator<Item = DeltaEntry<'_>> {
        self.entries.iter().map(|slot| self.entry(slot))
    }

    fn memory_bytes(&self) -> usize {
        self.arena.capacity() + self.entries.capacity() * size_of::<Slot>()
    }
}

impl StateDelta {
    pub fn new() -> Self {
        Self::default()
    }

    /// `value` `None` deletes. The key group is the key's own.
    pub fn put(&mut self, uid: Uid, key: &[u8], value: Option<&[u8]>) {
        self.put_in(uid, key_group(key), key, value);
    }

    /// For keys that begin with something else than what places them (a window, a list's index).
    pub fn put_in(&mut self, uid: Uid, key_group: u16, key: &[u8], value: Option<&[u8]>) {
        let entry = DeltaEntry { uid, key_group, key, value };
        match self.chunks.last_mut() {
            Some(last) if !last.is_full() => last.push(entry),
            last => {
                // Behind a full one comes as much again.
                let bytes = last.map_or(0, |full| full.arena.len().min(CHUNK_BYTES));
                let mut chunk = Chunk { arena: Vec::with_capacity(bytes), entries: vec![] };
                chunk.push(entry);
                self.chunks.push(chunk);
            }
        }
    }

    pub fn len(&self) -> usize {
        self.chunks.iter().map(|chunk| chunk.entries.len()).sum()
    }

    pub fn is_empty(&self) -> bool {
        self.chunks.is_empty()
    }

    pub fn memory_bytes(&self) -> usize {
        self.chunks.iter().map(Chunk::memory_bytes).sum()
    }

    /// Puts the entries of a later delta behind these.
    pub fn append(&mut self, later: StateDelta) {
        for chunk in later.chunks {
            match self.chunks.last_mut() {
                Some(last) if last.takes(&chunk) => chunk.iter().for_each(|entry| last.push(entry)),
                _ => self.chunks.push(chunk),
            }
        }
    }

    pub fn iter(&self) -> impl Iterator<Item = DeltaEntry<'_>> {
        self.chunks.iter().flat_map(Chunk::iter)
    }

    /// The last entry of each key, in the order of files.
    pub(crate) fn sorted(&self) -> Vec<DeltaEntry<'_>> {
        let numbered = |(at, chunk): (usize, &'_ Chunk)| (at * CHUNK_ENTRIES, chunk.entries.len());
        let numbers = self.chunks.iter().enumerate().map(numbered).flat_map(|(first, count)| first..first + count);
        let entry = |number: usize| {
            let chunk = &self.chunks[number / CHUNK_ENTRIES];
            chunk.entry(&chunk.entries[number % CHUNK_ENTRIES])
        };
        // Beside each entry's number stands what mostly decides, so that few comparisons reach into an arena.
        let mut order: Vec<(Uid, u16, u64, usize)> = Vec::with_capacity(self.len());
        order.extend(numbers.zip(self.iter()).map(|(number, e)| (e.uid, e.key_group, head(e.key), number)));
        order.sort_unstable_by(|a, b| {
            // Of one key the later entry stays behind the earlier one.
            let rest = || entry(a.3).key.cmp(entry(b.3).key).then(a.3.cmp(&b.3));
            (a.0, a.1, a.2).cmp(&(b.0, b.1, b.2)).then_with(rest)
        });
        let mut sorted: Vec<DeltaEntry<'_>> = Vec::with_capacity(order.len());
        let mut before = None;
        for (uid, group, head, number) in order {
            let entry = entry(number);
            match sorted.last_mut() {
                Some(last) if before == Some((uid, group, head)) && last.key == entry.key => *last = entry,
                _ => sorted.push(entry),
            }
            before = Some((uid, group, head));
        }
        sorted
    }
}

/// The first eight bytes as a number that sorts as they do; a shorter key is filled with zeros.
fn head(key: &[u8]) -> u64 {
    match key.first_chunk::<8>() {
        Some(head) => u64::from_be_bytes(*head),
        None => key.iter().enumerate().fold(0, |word, (at, byte)| word | u64::from(*byte) << (56 - 8 * at)),
    }
}

/// What entries are sorted by.
pub(crate) fn place<'a>(entry: &DeltaEntry<'a>) -> (Uid, u16, &'a [u8]) {
    (entry.uid, entry.key_group, entry.key)
}

#[cfg(test)]
mod tests {
    use super::*;

    const UID: Uid = Uid(1);

    fn delta(entries: std::ops::Range<u32>, bytes: usize) -> StateDelta {
        let mut delta = StateDelta::new();
        entries.for_each(|n| delta.put(UID, &(n % 50_000).to_be_bytes(), Some(&vec![n as u8; bytes])));
        delta
    }

    #[test]
    fn deltas_of_many_chunks_keep_the_order_and_the_last_of_each_key() {
        let mut all = StateDelta::new();
        assert!(all.is_empty());
        // A few, many small ones, large ones, a few again.
        let parts = [(0..3, 4), (3..60_000, 9), (60_000..60_300, 70_000), (60_300..60_310, 1)];
        for (entries, bytes) in parts.clone() {
            all.append(delta(entries, bytes));
        }
        assert_eq!(all.len(), 60_310);
        let found: Vec<(u32, usize)> = all
            .iter()
            .map(|e| (u32::from_be_bytes(e.key.try_into().expect("4 bytes")), e.value.expect("a value").len()))
            .collect();
        let put = parts.into_iter().flat_map(|(entries, bytes)| entries.map(move |n| (n % 50_000, bytes)));
        let put: Vec<(u32, usize)> = put.collect();
        assert_eq!(found, put);
        let last: std::collections::BTreeMap<u32, usize> = put.into_iter().collect();
        let sorted: std::collections::BTreeMap<u32, usize> = all
            .sorted()
            .iter()
            .map(|e| (u32::from_be_bytes(e.key.try_into().expect("4 bytes")), e.value.expect("a value").len()))
            .collect();
        assert_eq!(all.sorted().len(), last.len());
        assert_eq!(sorted, last);
    }

    /// Checkpoints that are abandoned again and again leave a delta each.
    #[test]
    fn small_deltas_do_not_become_chunks_of_their_own() {
        let mut all = StateDelta::new();
        (0..10_000).for_each(|n| all.append(delta(n..n + 3, 8)));
        assert_eq!((all.len(), all.chunks.len()), (30_000, 2));
    }
}
