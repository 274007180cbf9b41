//! The different values of DISTINCT aggregates, each with how often it is there.
//!
//! As in Flink a value counts when it comes for the first time and no more when its last occurrence is retracted; a
//! retraction of a value that is not there changes nothing.
//!
//! A set is saved whole beside the other values of its slot, until it is large: then each value has an entry of its own,
//! and a checkpoint writes those that have changed.

use std::collections::HashMap;
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

/// Values of a set that is saved whole at most.
const WHOLE: usize = if cfg!(test) { 3 } else { 256 };
/// In the place of the number of values: they have entries of their own.
const APART: u32 = u32::MAX;

#[derive(Default)]
struct Values {
    /// Canonical value, occurrences.
    table: HashTable<(Owned, i64)>,
    /// Of a set whose values have entries of their own: what has changed since the last freeze, also what went, and whether
    /// that freeze had it.
    changed: Option<Box<Changed>>,
}

#[derive(Default)]
struct Changed(HashMap<Owned, bool, FixedState>);

impl Values {
    /// The value changes; `was_there` before that.
    fn note(&mut self, value: &[u8], was_there: bool) {
        if let Some(changed) = &mut self.changed
            && !changed.0.contains_key(value)
        {
            changed.0.insert(value.into(), was_there);
        }
    }
}

pub(super) struct DistinctSet {
    codec: KeyCodec,
    skips_nulls: bool,
    slots: Vec<Values>,
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
            self.slots.resize_with(slots, Values::default);
        }
    }

    pub(super) fn clear(&mut self, slot: u32) {
        let values = &mut self.slots[slot as usize];
        let table = std::mem::take(&mut values.table);
        self.bytes -= table.iter().map(|(value, _)| weight(value)).sum::<usize>();
        // Their entries go with the next freeze.
        if values.changed.is_some() {
            table.iter().for_each(|(value, _)| values.note(value, true));
        }
    }

    /// The key of the slot is gone: tells the values that have entries of their own.
    pub(super) fn forget(&mut self, slot: u32, mut entry: impl FnMut(&[u8])) {
        self.clear(slot);
        if let Some(changed) = self.slots[slot as usize].changed.take() {
            changed.0.iter().filter(|(_, stored)| **stored).for_each(|(value, _)| entry(value));
        }
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
        let values = &mut self.slots[slot as usize];
        if let Some((_, count)) = values.table.find_mut(hash, |(other, _)| **other == *value) {
            *count += occurrences;
            values.note(value, true);
            return false;
        }
        values.note(value, false);
        let table = &mut values.table;
        table.insert_unique(hash, (value.into(), occurrences), |(other, _)| hasher.hash_one(&**other));
        self.bytes += weight(value);
        true
    }

    /// Whether it was the last occurrence.
    fn take(&mut self, slot: u32, value: &[u8]) -> bool {
        let hash = self.hasher.hash_one(value);
        let values = &mut self.slots[slot as usize];
        if values.table.find(hash, |(other, _)| **other == *value).is_some() {
            values.note(value, true);
        }
        let Ok(mut entry) = values.table.find_entry(hash, |(other, _)| **other == *value) else {
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
            for (value, count) in &other.slots[from as usize].table {
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
        let table = &self.slots[slot as usize].table;
        (table.len() as u32).save(out);
        for (value, count) in table {
            save_owned(value, out);
            count.save(out);
        }
    }

    /// What a checkpoint has of the slot: as `save` while the set is small, else `entry` gets each value that changed, with
    /// its occurrences or `None` where it is gone.
    pub(super) fn freeze(&mut self, slot: u32, out: &mut Vec<u8>, mut entry: impl FnMut(&[u8], Option<i64>)) {
        let hasher = &self.hasher;
        let values = &mut self.slots[slot as usize];
        let table = &values.table;
        if values.changed.is_none() && table.len() <= WHOLE {
            return self.save(slot, out);
        }
        APART.save(out);
        match values.changed.replace(Box::default()) {
            // Until now it was saved whole.
            None => table.iter().for_each(|(value, count)| entry(value, Some(*count))),
            Some(changed) => {
                for (value, stored) in &changed.0 {
                    let found = table.find(hasher.hash_one(&**value), |(other, _)| other == value);
                    if found.is_some() || *stored {
                        entry(value, found.map(|(_, count)| *count));
                    }
                }
            }
        }
    }

    pub(super) fn load(&mut self, slot: u32, bytes: &mut &[u8]) -> Result<()> {
        let count = u32::load(bytes)?;
        if count == APART {
            self.slots[slot as usize].changed.get_or_insert_default();
            return Ok(());
        }
        self.clear(slot);
        for _ in 0..count {
            let value = load_owned(bytes)?;
            let count = i64::load(bytes)?;
            self.add(slot, &value, count);
        }
        Ok(())
    }

    /// Takes back an entry of `freeze`.
    pub(super) fn load_entry(&mut self, slot: u32, value: &[u8], count: i64) {
        self.slots[slot as usize].changed = None;
        self.add(slot, value, count);
        self.slots[slot as usize].changed = Some(Box::default());
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.bytes + self.slots.capacity() * size_of::<Values>()
    }
}

/// Bytes of memory that a value costs.
fn weight(value: &[u8]) -> usize {
    value.len() + size_of::<(Owned, i64)>() + 1
}
