//! The aggregate calls of one operator: their accumulators, filters and distinct sets.

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::buffer::BooleanBuffer;
use arus_core::function::AggregateFunction;
use arus_core::plan::AggregateCall;
use arus_core::{Error, LogicalType, Result};

use super::distinct::DistinctSet;
use super::{Accumulator, SlotRows, Trace, accumulator};

pub(crate) struct Calls {
    calls: Vec<Call>,
    /// Shared by the calls over the same arguments and filter.
    sets: Vec<Set>,
}

struct Call {
    accumulator: Box<dyn Accumulator>,
    args: Vec<usize>,
    filter: Option<usize>,
    set: Option<usize>,
}

struct Set {
    values: DistinctSet,
    args: Vec<usize>,
    filter: Option<usize>,
}

impl Calls {
    /// `ty` gives the type of an input column; `retracts` when rows may be taken away.
    pub(crate) fn new(calls: &[AggregateCall], ty: impl Fn(usize) -> LogicalType, retracts: bool) -> Result<Self> {
        let mut sets: Vec<Set> = vec![];
        let mut made = vec![];
        for call in calls {
            let types: Vec<LogicalType> = call.args.iter().map(|a| ty(*a)).collect();
            // Of MIN and MAX a value more than once changes nothing.
            let distinct = call.distinct && !matches!(call.function, AggregateFunction::Min | AggregateFunction::Max);
            let skips_nulls = call.function.skips_nulls();
            let set = distinct.then(|| {
                let same =
                    |s: &Set| s.args == call.args && s.filter == call.filter && s.values.skips_nulls() == skips_nulls;
                sets.iter().position(same).unwrap_or_else(|| {
                    let values = DistinctSet::new(&types, skips_nulls);
                    sets.push(Set { values, args: call.args.clone(), filter: call.filter });
                    sets.len() - 1
                })
            });
            let accumulator = accumulator(call, &types, retracts)?;
            made.push(Call { accumulator, args: call.args.clone(), filter: call.filter, set });
        }
        Ok(Calls { calls: made, sets })
    }

    pub(crate) fn grow(&mut self, slots: usize) {
        self.calls.iter_mut().for_each(|call| call.accumulator.grow(slots));
        self.sets.iter_mut().for_each(|set| set.values.grow(slots));
    }

    pub(crate) fn clear(&mut self, slot: u32) {
        self.calls.iter_mut().for_each(|call| call.accumulator.clear(slot));
        self.sets.iter_mut().for_each(|set| set.values.clear(slot));
    }

    /// Adds the rows of a batch of the input to their slots, or takes them away.
    pub(crate) fn update(&mut self, rows: SlotRows<'_>, batch: &RecordBatch) -> Result<()> {
        let masks = self.distinct_masks(rows, batch)?;
        for call in &mut self.calls {
            let args = columns(batch, &call.args);
            match call.mask(&masks, batch) {
                Some(mask) => call.accumulator.update(SlotRows { mask: Some(&mask), ..rows }, &args)?,
                None => call.accumulator.update(rows, &args)?,
            }
        }
        Ok(())
    }

    /// As `update`, row by row: the values of every call before and after each row.
    pub(crate) fn trace(&mut self, rows: SlotRows<'_>, batch: &RecordBatch) -> Result<(Vec<ArrayRef>, Vec<ArrayRef>)> {
        let masks = self.distinct_masks(rows, batch)?;
        let mut told = (Vec::with_capacity(self.calls.len()), Vec::with_capacity(self.calls.len()));
        for call in &mut self.calls {
            let args = columns(batch, &call.args);
            let Trace { before, after } = match call.mask(&masks, batch) {
                Some(mask) => call.accumulator.trace(SlotRows { mask: Some(&mask), ..rows }, &args)?,
                None => call.accumulator.trace(rows, &args)?,
            };
            told.0.push(before);
            told.1.push(after);
        }
        Ok(told)
    }

    /// For each set the rows that change it.
    fn distinct_masks(&mut self, rows: SlotRows<'_>, batch: &RecordBatch) -> Result<Vec<BooleanBuffer>> {
        let changes = |set: &mut Set| {
            let mask = set.filter.map(|column| filter_mask(batch, column));
            set.values.update(SlotRows { mask: mask.as_ref(), ..rows }, &columns(batch, &set.args))
        };
        self.sets.iter_mut().map(changes).collect()
    }

    /// The values of these slots, one column a call.
    pub(crate) fn evaluate(&self, slots: &[u32]) -> Result<Vec<ArrayRef>> {
        self.calls.iter().map(|call| call.accumulator.evaluate(slots)).collect()
    }

    /// The first function that cannot be put together from parts.
    pub(crate) fn not_merging(&self) -> Option<usize> {
        self.calls.iter().position(|call| !call.accumulator.merges())
    }

    /// Whether `subtract` undoes a `merge` exactly: a distinct set has no parts to take away.
    pub(crate) fn subtracts(&self) -> bool {
        self.sets.is_empty() && self.calls.iter().all(|call| call.accumulator.subtracts())
    }

    /// Adds what is in slots `from` of `other`, calls of the same plan, to the own slots `into`, pair by pair.
    pub(crate) fn merge(&mut self, into: &[u32], other: &Calls, from: &[u32]) -> Result<()> {
        let mut fresh = Vec::with_capacity(self.sets.len());
        for (set, other) in self.sets.iter_mut().zip(&other.sets) {
            fresh.push(set.values.merge(into, &other.values, from)?);
        }
        for (call, other) in self.calls.iter_mut().zip(&other.calls) {
            match call.set {
                Some(set) => {
                    let (slots, values) = &fresh[set];
                    call.accumulator.update(SlotRows::new(slots, None), values)?;
                }
                None => call.accumulator.merge(into, other.accumulator.as_ref(), from)?,
            }
        }
        Ok(())
    }

    /// Takes away what `merge` added.
    pub(crate) fn subtract(&mut self, into: &[u32], other: &Calls, from: &[u32]) -> Result<()> {
        for (call, other) in self.calls.iter_mut().zip(&other.calls) {
            call.accumulator.subtract(into, other.accumulator.as_ref(), from)?;
        }
        Ok(())
    }

    pub(crate) fn save(&self, slot: u32, out: &mut Vec<u8>) {
        self.calls.iter().for_each(|call| call.accumulator.save(slot, out));
        self.sets.iter().for_each(|set| set.values.save(slot, out));
    }

    /// As `save`, but `entry` gets the values of large distinct sets that have changed: the number of the set, the value, its
    /// occurrences or `None` where it is gone.
    pub(crate) fn freeze(&mut self, slot: u32, out: &mut Vec<u8>, mut entry: impl FnMut(u8, &[u8], Option<i64>)) {
        self.calls.iter().for_each(|call| call.accumulator.save(slot, out));
        for (number, set) in (0u8..).zip(&mut self.sets) {
            set.values.freeze(slot, out, |value, count| entry(number, value, count));
        }
    }

    /// Takes back an entry of `freeze`.
    pub(crate) fn load_entry(&mut self, slot: u32, set: u8, value: &[u8], count: i64) -> Result<()> {
        let set = self.sets.get_mut(usize::from(set)).ok_or_else(|| Error::bug("state of an unknown distinct set"))?;
        set.values.load_entry(slot, value, count);
        Ok(())
    }

    /// Empties the slot, whose key is gone: `entry` gets the values that have entries of their own.
    pub(crate) fn forget(&mut self, slot: u32, mut entry: impl FnMut(u8, &[u8])) {
        for (number, set) in (0u8..).zip(&mut self.sets) {
            set.values.forget(slot, |value| entry(number, value));
        }
        self.clear(slot);
    }

    /// Reads what `save` or `freeze` wrote from the front of `bytes`.
    pub(crate) fn load(&mut self, slot: u32, bytes: &mut &[u8]) -> Result<()> {
        for call in &mut self.calls {
            call.accumulator.load(slot, bytes)?;
        }
        for set in &mut self.sets {
            set.values.load(slot, bytes)?;
        }
        Ok(())
    }

    pub(crate) fn memory_bytes(&self) -> usize {
        self.calls.iter().map(|call| call.accumulator.memory_bytes()).sum::<usize>()
            + self.sets.iter().map(|set| set.values.memory_bytes()).sum::<usize>()
    }
}

impl Call {
    fn mask(&self, distinct: &[BooleanBuffer], batch: &RecordBatch) -> Option<BooleanBuffer> {
        match self.set {
            // The set has seen the filter.
            Some(set) => Some(distinct[set].clone()),
            None => self.filter.map(|column| filter_mask(batch, column)),
        }
    }
}

fn columns(batch: &RecordBatch, indices: &[usize]) -> Vec<ArrayRef> {
    indices.iter().map(|i| batch.column(*i).clone()).collect()
}

/// The rows where a BOOLEAN column is true.
fn filter_mask(batch: &RecordBatch, column: usize) -> BooleanBuffer {
    let column = batch.column(column).as_boolean();
    match column.nulls() {
        Some(nulls) => column.values() & nulls.inner(),
        None => column.values().clone(),
    }
}
