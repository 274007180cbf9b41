//! The different values of DISTINCT aggregates, each with how often it is there.
//!
//! As in Flink a value counts when it comes for the first time and no more when its last occurrence is retracted; a
//! retraction of a value that is not there changes nothing.

use std::hash::BuildHasher;

use arrow::array::{Array, ArrayRef, BooleanBufferBuilder};
use arrow::buffer::BooleanBuffer;
use arus_core::{LogicalType, Result};
use arus_storage::codec::KeyCodec;
use foldhash::fast::FixedState;
use hashbrown::HashTable;

use super::SlotRows;
use super::extreme::{Owned, load_owned, save_owned};
use super::fold::Stored;

pub(super) struct DistinctSet {
    codec: KeyCodec,
    skips_nulls: bool,
    /// By slot: canonical value, occurrences.
    slots: Vec<HashTable<(Owned, i64)>>,
    hasher: FixedState,
    /// Of the values and their tables.
    bytes: usize,
}

impl DistinctSet {
    /// `skips_nulls`: a row whose first argument is NULL is not there.
    pub(super) fn new(types: &[LogicalType], skips_nulls: bool) -> Self {
        DistinctSet {
            codec: KeyCodec::new(types.iter().cloned()),
            skips_nulls,
            slots: vec![],
            hasher: FixedState::default(),
            bytes: 0,
        }
    }

    pub(super) fn skips_nulls(&self) -> bool {
        self.skips_nulls
    }

    pub(super) fn grow(&mut self, slots: usize) {
        if self.slots.len() < slots {
            self.slots.resize_with(slots, HashTable::new);
        }
    }

    pub(super) fn clear(&mut self, slot: u32) {
        let table = std::mem::take(&mut self.slots[slot as usize]);
        self.bytes -= table.iter().map(|(value, _)| weight(value)).sum::<usize>();
    }

    /// The rows that bring a new value, or take the last occurrence of one away.
    pub(super) fn update(&mut self, rows: SlotRows<'_>, args: &[ArrayRef]) -> Result<BooleanBuffer> {
        let encoded = self.codec.encode(args, rows.slots.len())?;
        let nulls = args.first().filter(|_| self.skips_nulls).and_then(|arg| arg.logical_nulls());
        let mut changes = BooleanBufferBuilder::new(rows.slots.len());
        for (row, &slot) in rows.slots.iter().enumerate() {
            let there = rows.counts(row) && nulls.as_ref().is_none_or(|nulls| nulls.is_valid(row));
            changes.append(
                there
                    && if rows.adds(row) {
                        self.add(slot, encoded.get(row), 1)
                    } else {
                        self.take(slot, encoded.get(row))
                    },
            );
            if rows.resets(row) {
                self.clear(slot);
            }
        }
        Ok(changes.finish())
    }

    /// Whether the value is new.
    fn add(&mut self, slot: u32, value: &[u8], occurrences: i64) -> bool {
        let hasher = &self.hasher;
        let hash = hasher.hash_one(value);
        let table = &mut self.slots[slot as usize];
        if let Some((_, count)) = table.find_mut(hash, |(other, _)| **other == *value) {
            *count += occurrences;
            return false;
        }
        table.insert_unique(hash, (value.into(), occurrences), |(other, _)| hasher.hash_one(&**other));
        self.bytes += weight(value);
        true
    }

    /// Whether it was the last occurrence.
    fn take(&mut self, slot: u32, value: &[u8]) -> bool {
        let hash = self.hasher.hash_one(value);
        let Ok(mut entry) = self.slots[slot as usize].find_entry(hash, |(other, _)| **other == *value) else {
            return false;
        };
        entry.get_mut().1 -= 1;
        if entry.get().1 > 0 {
            return false;
        }
        entry.remove();
        self.bytes -= weight(value);
        true
    }

    /// Adds the values of slots of another set; those that are new, with the slot that they are new to.
    pub(super) fn merge(
        &mut self,
        into: &[u32],
        other: &DistinctSet,
        from: &[u32],
    ) -> Result<(Vec<u32>, Vec<ArrayRef>)> {
        let mut slots = vec![];
        let mut fresh: Vec<&[u8]> = vec![];
        for (&into, &from) in into.iter().zip(from) {
            for (value, count) in &other.slots[from as usize] {
                if self.add(into, value, *count) {
                    slots.push(into);
                    fresh.push(value);
                }
            }
        }
        let values = self.codec.decode(fresh.iter().copied())?;
        Ok((slots, values))
    }

    pub(super) fn save(&self, slot: u32, out: &mut Vec<u8>) {
        let table = &self.slots[slot as usize];
        (table.len() as u32).save(out);
        for (value, count) in table {
            save_owned(value, out);
            count.save(out);
        }
    }

    pub(super) fn load(&mut self, slot: u32, bytes: &mut &[u8]) -> Result<()> {
        self.clear(slot);
        for _ in 0..u32::load(bytes)? {
            let value = load_owned(bytes)?;
            let count = i64::load(bytes)?;
            self.add(slot, &value, count);
        }
        Ok(())
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.bytes + self.slots.capacity() * size_of::<HashTable<(Owned, i64)>>()
    }
}

/// Bytes of memory that a value costs.
fn weight(value: &[u8]) -> usize {
    value.len() + size_of::<(Owned, i64)>() + 1
}
