//! What operators freeze at a barrier: entries appended to one arena.

use arus_core::key_group::key_group;
use arus_core::plan::Uid;

/// Changes of state since the previous freeze, in the order in which they were put; a later entry of a key wins.
#[derive(Debug, Clone, Default)]
pub struct StateDelta {
    arena: Vec<u8>,
    entries: Vec<Slot>,
}

#[derive(Debug, Clone, Copy)]
struct Slot {
    uid: Uid,
    key_group: u16,
    start: usize,
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
        let start = self.arena.len();
        self.arena.extend_from_slice(key);
        self.arena.extend_from_slice(value.unwrap_or_default());
        self.entries.push(Slot {
            uid,
            key_group,
            start,
            key_len: key.len() as u32,
            value_len: value.map(|v| v.len() as u32),
        });
    }

    pub fn len(&self) -> usize {
        self.entries.len()
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub fn memory_bytes(&self) -> usize {
        self.arena.capacity() + self.entries.capacity() * size_of::<Slot>()
    }

    /// Puts the entries of a later delta behind these.
    pub fn append(&mut self, later: &StateDelta) {
        let base = self.arena.len();
        self.arena.extend_from_slice(&later.arena);
        self.entries.extend(later.entries.iter().map(|slot| Slot { start: base + slot.start, ..*slot }));
    }

    pub fn iter(&self) -> impl Iterator<Item = DeltaEntry<'_>> {
        self.entries.iter().map(|slot| self.entry(slot))
    }

    fn entry(&self, slot: &Slot) -> DeltaEntry<'_> {
        let value_start = slot.start + slot.key_len as usize;
        DeltaEntry {
            uid: slot.uid,
            key_group: slot.key_group,
            key: &self.arena[slot.start..value_start],
            value: slot.value_len.map(|len| &self.arena[value_start..value_start + len as usize]),
        }
    }

    /// The last entry of each key, in the order of files.
    pub(crate) fn sorted(&self) -> Vec<DeltaEntry<'_>> {
        // Beside each entry's number stands what mostly decides, so that few comparisons reach into the arena.
        let mut order: Vec<(Uid, u16, u64, u32)> = (0u32..)
            .zip(&self.entries)
            .map(|(number, slot)| (slot.uid, slot.key_group, head(self.key(slot)), number))
            .collect();
        order.sort_unstable_by(|a, b| {
            (a.0, a.1, a.2).cmp(&(b.0, b.1, b.2)).then_with(|| {
                // Of one key the later entry stays behind the earlier one.
                self.key(&self.entries[a.3 as usize]).cmp(self.key(&self.entries[b.3 as usize])).then(a.3.cmp(&b.3))
            })
        });
        let mut sorted: Vec<DeltaEntry<'_>> = Vec::with_capacity(order.len());
        let mut before = None;
        for (uid, group, head, number) in order {
            let entry = self.entry(&self.entries[number as usize]);
            match sorted.last_mut() {
                Some(last) if before == Some((uid, group, head)) && last.key == entry.key => *last = entry,
                _ => sorted.push(entry),
            }
            before = Some((uid, group, head));
        }
        sorted
    }

    fn key(&self, slot: &Slot) -> &[u8] {
        &self.arena[slot.start..slot.start + slot.key_len as usize]
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
