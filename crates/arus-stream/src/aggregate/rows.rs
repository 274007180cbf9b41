//! One generic accumulator of functions that see several arguments of a row.

use std::any::Any;

use arrow::array::ArrayRef;
use arrow::datatypes::DataType;
use arus_core::{Error, Result};

use super::{Accumulator, SlotRows, Trace, same};

/// The state of one slot.
pub(super) trait RowState: Clone + Default + Send + 'static {
    type Value;
    /// Whether parts can be put together.
    const MERGES: bool;

    /// Adds a row, or takes it away.
    fn change(&mut self, args: &[ArrayRef], row: usize, adds: bool) -> Result<()>;
    fn merge(&mut self, from: &Self) -> Result<()>;
    fn value(&self) -> Option<Self::Value>;
    fn build(values: Vec<Option<Self::Value>>, ty: &DataType) -> Result<ArrayRef>;
    fn save(&self, out: &mut Vec<u8>);
    fn load(bytes: &mut &[u8]) -> Result<Self>;
    fn memory_bytes(&self) -> usize;
}

pub(super) struct Rows<S> {
    ty: DataType,
    states: Vec<S>,
}

impl<S: RowState> Rows<S> {
    pub(super) fn boxed(ty: DataType) -> Box<dyn Accumulator> {
        Box::new(Rows::<S> { ty, states: vec![] })
    }
}

impl<S: RowState> Accumulator for Rows<S> {
    fn grow(&mut self, slots: usize) {
        if self.states.len() < slots {
            self.states.resize(slots, S::default());
        }
    }

    fn clear(&mut self, slot: u32) {
        self.states[slot as usize] = S::default();
    }

    fn update(&mut self, rows: SlotRows<'_>, args: &[ArrayRef]) -> Result<()> {
        for (row, &slot) in rows.slots.iter().enumerate() {
            if rows.counts(row) {
                self.states[slot as usize].change(args, row, rows.adds(row))?;
            }
        }
        Ok(())
    }

    fn trace(&mut self, rows: SlotRows<'_>, args: &[ArrayRef]) -> Result<Trace> {
        let mut before = Vec::with_capacity(rows.slots.len());
        let mut after = Vec::with_capacity(rows.slots.len());
        for (row, &slot) in rows.slots.iter().enumerate() {
            let state = &mut self.states[slot as usize];
            before.push(state.value());
            if rows.counts(row) {
                state.change(args, row, rows.adds(row))?;
            }
            after.push(state.value());
            if rows.resets(row) {
                *state = S::default();
            }
        }
        Ok(Trace { before: S::build(before, &self.ty)?, after: S::build(after, &self.ty)? })
    }

    fn evaluate(&self, slots: &[u32]) -> Result<ArrayRef> {
        S::build(slots.iter().map(|slot| self.states[*slot as usize].value()).collect(), &self.ty)
    }

    fn save(&self, slot: u32, out: &mut Vec<u8>) {
        self.states[slot as usize].save(out);
    }

    fn load(&mut self, slot: u32, bytes: &mut &[u8]) -> Result<()> {
        self.states[slot as usize] = S::load(bytes)?;
        Ok(())
    }

    fn memory_bytes(&self) -> usize {
        self.states.iter().map(S::memory_bytes).sum::<usize>() + self.states.capacity() * size_of::<S>()
    }

    fn merges(&self) -> bool {
        S::MERGES
    }

    fn merge(&mut self, into: &[u32], other: &dyn Accumulator, from: &[u32]) -> Result<()> {
        if !S::MERGES {
            return Err(Error::bug("an aggregate that cannot be merged"));
        }
        let other = same::<Self>(other)?;
        for (&into, &from) in into.iter().zip(from) {
            self.states[into as usize].merge(&other.states[from as usize])?;
        }
        Ok(())
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
