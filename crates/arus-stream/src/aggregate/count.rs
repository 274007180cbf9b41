//! COUNT(*) and COUNT(x).

use std::any::Any;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, Int64Array};
use arrow::buffer::NullBuffer;
use arus_core::Result;

use super::fold::Stored;
use super::{Accumulator, SlotRows, Trace, same};

/// COUNT(*), and the records of a group: at 0 the group is gone.
#[derive(Default)]
pub(crate) struct CountRows {
    counts: Vec<i64>,
    /// COUNT(x): rows whose argument is NULL do not count.
    of_values: bool,
}

pub(super) fn count_values() -> Box<dyn Accumulator> {
    Box::new(CountRows { counts: vec![], of_values: true })
}

impl CountRows {
    pub(crate) fn count(&self, slot: u32) -> i64 {
        self.counts[slot as usize]
    }

    /// The argument's NULLs, where they have a say.
    fn nulls(&self, args: &[ArrayRef]) -> Option<NullBuffer> {
        let arg = args.first().filter(|arg| self.of_values && arg.logical_null_count() > 0);
        arg.and_then(|arg| arg.logical_nulls())
    }
}

impl Accumulator for CountRows {
    fn grow(&mut self, slots: usize) {
        if self.counts.len() < slots {
            self.counts.resize(slots, 0);
        }
    }

    fn clear(&mut self, slot: u32) {
        self.counts[slot as usize] = 0;
    }

    fn update(&mut self, rows: SlotRows<'_>, args: &[ArrayRef]) -> Result<()> {
        let nulls = self.nulls(args);
        if rows.kinds.is_none() && nulls.is_none() && rows.mask.is_none() {
            for &slot in rows.slots {
                self.counts[slot as usize] += 1;
            }
            return Ok(());
        }
        for (row, &slot) in rows.slots.iter().enumerate() {
            if rows.counts(row) && nulls.as_ref().is_none_or(|nulls| nulls.is_valid(row)) {
                self.counts[slot as usize] += if rows.adds(row) { 1 } else { -1 };
            }
        }
        Ok(())
    }

    fn trace(&mut self, rows: SlotRows<'_>, args: &[ArrayRef]) -> Result<Trace> {
        let nulls = self.nulls(args);
        let mut before = Vec::with_capacity(rows.slots.len());
        let mut after = Vec::with_capacity(rows.slots.len());
        for (row, &slot) in rows.slots.iter().enumerate() {
            let count = &mut self.counts[slot as usize];
            before.push(*count);
            if rows.counts(row) && nulls.as_ref().is_none_or(|nulls| nulls.is_valid(row)) {
                *count += if rows.adds(row) { 1 } else { -1 };
            }
            after.push(*count);
            if rows.resets(row) {
                *count = 0;
            }
        }
        Ok(Trace { before: Arc::new(Int64Array::from(before)), after: Arc::new(Int64Array::from(after)) })
    }

    fn evaluate(&self, slots: &[u32]) -> Result<ArrayRef> {
        Ok(Arc::new(Int64Array::from_iter_values(slots.iter().map(|&slot| self.counts[slot as usize]))))
    }

    fn save(&self, slot: u32, out: &mut Vec<u8>) {
        self.counts[slot as usize].save(out);
    }

    fn load(&mut self, slot: u32, bytes: &mut &[u8]) -> Result<()> {
        self.counts[slot as usize] = i64::load(bytes)?;
        Ok(())
    }

    fn memory_bytes(&self) -> usize {
        self.counts.capacity() * size_of::<i64>()
    }

    fn merges(&self) -> bool {
        true
    }

    fn subtracts(&self) -> bool {
        true
    }

    fn merge(&mut self, into: &[u32], other: &dyn Accumulator, from: &[u32]) -> Result<()> {
        let other = same::<Self>(other)?;
        for (&into, &from) in into.iter().zip(from) {
            self.counts[into as usize] += other.counts[from as usize];
        }
        Ok(())
    }

    fn subtract(&mut self, into: &[u32], other: &dyn Accumulator, from: &[u32]) -> Result<()> {
        let other = same::<Self>(other)?;
        for (&into, &from) in into.iter().zip(from) {
            self.counts[into as usize] -= other.counts[from as usize];
        }
        Ok(())
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
