//! One generic accumulator over a [`Fold`], which says what happens to one slot for one value.

use std::any::Any;

use arrow::array::{Array, ArrayRef};
use arus_core::{Error, Result};

use super::{Accumulator, SlotRows, Trace, argument, same};

/// What one aggregate function does to the state of one slot. All methods are inlined into the batch loops.
pub(crate) trait Fold: Send + 'static {
    type Input: Array + 'static;
    type State: Clone + Default + Send;
    type Value;

    fn add(state: &mut Self::State, input: &Self::Input, row: usize);
    fn take(state: &mut Self::State, input: &Self::Input, row: usize);
    fn value(&self, state: &Self::State) -> Option<Self::Value>;
    fn build(&self, values: impl Iterator<Item = Option<Self::Value>>) -> Result<ArrayRef>;
    fn save(state: &Self::State, out: &mut Vec<u8>);
    fn load(bytes: &mut &[u8]) -> Result<Self::State>;

    /// Whether `merge` is there, and `subtract`.
    fn merges(&self) -> bool {
        false
    }

    fn subtracts(&self) -> bool {
        false
    }

    fn merge(&self, _state: &mut Self::State, _other: &Self::State) {}
    fn subtract(&self, _state: &mut Self::State, _other: &Self::State) {}
}

pub(crate) struct Folding<F: Fold> {
    fold: F,
    states: Vec<F::State>,
}

impl<F: Fold> Folding<F> {
    pub(crate) fn boxed(fold: F) -> Box<dyn Accumulator> {
        Box::new(Folding { fold, states: vec![] })
    }
}

impl<F: Fold> Accumulator for Folding<F> {
    fn grow(&mut self, slots: usize) {
        if self.states.len() < slots {
            self.states.resize(slots, F::State::default());
        }
    }

    fn clear(&mut self, slot: u32) {
        self.states[slot as usize] = F::State::default();
    }

    fn update(&mut self, rows: SlotRows<'_>, args: &[ArrayRef]) -> Result<()> {
        let input: &F::Input = argument(args, 0)?;
        let states = &mut self.states[..];
        match (rows.kinds, input.null_count() == 0) {
            _ if rows.mask.is_some() => {
                for (row, &slot) in rows.slots.iter().enumerate() {
                    if rows.counts(row) && input.is_valid(row) {
                        let state = &mut states[slot as usize];
                        if rows.adds(row) { F::add(state, input, row) } else { F::take(state, input, row) }
                    }
                }
            }
            (None, true) => {
                for (row, &slot) in rows.slots.iter().enumerate() {
                    F::add(&mut states[slot as usize], input, row);
                }
            }
            (None, false) => {
                for (row, &slot) in rows.slots.iter().enumerate() {
                    if input.is_valid(row) {
                        F::add(&mut states[slot as usize], input, row);
                    }
                }
            }
            (Some(kinds), _) => {
                for (row, &slot) in rows.slots.iter().enumerate() {
                    if input.is_valid(row) {
                        let state = &mut states[slot as usize];
                        if kinds[row].adds() { F::add(state, input, row) } else { F::take(state, input, row) }
                    }
                }
            }
        }
        Ok(())
    }

    fn trace(&mut self, rows: SlotRows<'_>, args: &[ArrayRef]) -> Result<Trace> {
        let input: &F::Input = argument(args, 0)?;
        let mut before = Vec::with_capacity(rows.slots.len());
        let mut after = Vec::with_capacity(rows.slots.len());
        for (row, &slot) in rows.slots.iter().enumerate() {
            let state = &mut self.states[slot as usize];
            before.push(self.fold.value(state));
            if rows.counts(row) && input.is_valid(row) {
                if rows.adds(row) { F::add(state, input, row) } else { F::take(state, input, row) }
            }
            after.push(self.fold.value(state));
            if rows.resets(row) {
                *state = F::State::default();
            }
        }
        Ok(Trace { before: self.fold.build(before.into_iter())?, after: self.fold.build(after.into_iter())? })
    }

    fn evaluate(&self, slots: &[u32]) -> Result<ArrayRef> {
        self.fold.build(slots.iter().map(|&slot| self.fold.value(&self.states[slot as usize])))
    }

    fn save(&self, slot: u32, out: &mut Vec<u8>) {
        F::save(&self.states[slot as usize], out);
    }

    fn load(&mut self, slot: u32, bytes: &mut &[u8]) -> Result<()> {
        self.states[slot as usize] = F::load(bytes)?;
        Ok(())
    }

    fn memory_bytes(&self) -> usize {
        self.states.capacity() * size_of::<F::State>()
    }

    fn merges(&self) -> bool {
        self.fold.merges()
    }

    fn subtracts(&self) -> bool {
        self.fold.subtracts()
    }

    fn merge(&mut self, into: &[u32], other: &dyn Accumulator, from: &[u32]) -> Result<()> {
        if !self.fold.merges() {
            return Err(Error::bug("an aggregate that cannot be merged"));
        }
        let other = same::<Self>(other)?;
        for (&into, &from) in into.iter().zip(from) {
            self.fold.merge(&mut self.states[into as usize], &other.states[from as usize]);
        }
        Ok(())
    }

    fn subtract(&mut self, into: &[u32], other: &dyn Accumulator, from: &[u32]) -> Result<()> {
        if !self.fold.subtracts() {
            return Err(Error::bug("an aggregate that cannot be taken apart"));
        }
        let other = same::<Self>(other)?;
        for (&into, &from) in into.iter().zip(from) {
            self.fold.subtract(&mut self.states[into as usize], &other.states[from as usize]);
        }
        Ok(())
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// Numbers that stand in state as little-endian bytes.
pub(crate) trait Stored: Copy + Send + Default {
    fn save(self, out: &mut Vec<u8>);
    fn load(bytes: &mut &[u8]) -> Result<Self>;
}

macro_rules! stored {
    ($($number:ty),*) => {$(
        impl Stored for $number {
            fn save(self, out: &mut Vec<u8>) {
                out.extend_from_slice(&self.to_le_bytes());
            }

            fn load(bytes: &mut &[u8]) -> Result<Self> {
                let head = super::take_bytes(bytes, size_of::<Self>())?;
                Ok(Self::from_le_bytes(head.try_into().expect("as many bytes as the number has")))
            }
        }
    )*};
}

stored!(i8, i16, i32, i64, i128, u32, f32, f64);
