//! A slice: the groups of a stretch of time, with their accumulators. It is filled by batches, put together with others
//! where windows share slices, written key by key and dropped whole.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use arrow::array::ArrayRef;
use arus_core::function::AggregateFunction;
use arus_core::plan::AggregateCall;
use arus_core::{ChangeBatch, Error, LogicalType, Result, TypeKind};
use arus_storage::codec::KeyCodec;

use crate::aggregate::{Accumulator, Calls, CountRows, SlotRows};
use crate::slots::KeyTable;
use crate::state::DirtySlots;

/// What a new slice is made of.
pub(crate) struct Layout {
    codec: Arc<KeyCodec>,
    key_types: Vec<LogicalType>,
    pub(crate) keys: Vec<usize>,
    pub(crate) calls: Arc<[AggregateCall]>,
    /// Of the input columns that the calls read.
    types: HashMap<usize, LogicalType>,
    retracts: bool,
}

impl Layout {
    /// `ty` gives the type of an input column; `retracts` where rows may be taken away.
    pub(crate) fn new(
        keys: Vec<usize>,
        calls: &[AggregateCall],
        ty: impl Fn(usize) -> LogicalType,
        retracts: bool,
    ) -> Self {
        let key_types: Vec<LogicalType> = keys.iter().map(|k| ty(*k)).collect();
        Layout {
            codec: Arc::new(KeyCodec::new(key_types.iter().cloned())),
            key_types,
            keys,
            types: calls.iter().flat_map(AggregateCall::columns).map(|c| (c, ty(c))).collect(),
            calls: calls.into(),
            retracts,
        }
    }

    pub(crate) fn table(&self) -> KeyTable {
        KeyTable::new(self.codec.clone(), &self.key_types)
    }

    pub(crate) fn values(&self) -> Result<Values> {
        let calls = Calls::new(&self.calls, |column| self.types[&column].clone(), self.retracts)?;
        Ok(Values { records: self.retracts.then(CountRows::default), calls })
    }

    pub(crate) fn slice(&self) -> Result<Slice> {
        Ok(Slice { table: self.table(), values: self.values()?, dirty: DirtySlots::default() })
    }

    /// Whether parts can be merged in any grouping: a float's sum shows it.
    fn regroups(&self) -> bool {
        self.calls.iter().all(|call| {
            let arg = call.args.first().map(|column| &self.types[column]);
            let arg = arg.as_ref().map(|ty| &ty.kind);
            match call.function {
                AggregateFunction::Count | AggregateFunction::Min | AggregateFunction::Max => true,
                AggregateFunction::Sum | AggregateFunction::Avg => match arg {
                    Some(TypeKind::TinyInt | TypeKind::SmallInt | TypeKind::Int | TypeKind::BigInt) => true,
                    // Beyond 38 digits a sum starts anew; these stay below.
                    Some(TypeKind::Decimal { precision, .. }) => *precision <= 28,
                    _ => false,
                },
                // The order shows, or rounding.
                _ => false,
            }
        })
    }

    /// As Flink refuses a function that windows cannot put together from parts.
    pub(crate) fn check_merges(&self) -> Result<()> {
        if let Some(call) = self.values()?.calls.not_merging() {
            return Err(Error::not_supported(format_args!(
                "{} in a window of parts",
                self.calls[call].function.name()
            ))
            .with_hint("TUMBLE takes every aggregate function"));
        }
        Ok(())
    }
}

/// The accumulators of all calls, by slot.
pub(crate) struct Values {
    /// Only over updating input: a group without records is not emitted.
    records: Option<CountRows>,
    calls: Calls,
}

impl Values {
    pub(crate) fn grow(&mut self, slots: usize) {
        if let Some(records) = &mut self.records {
            records.grow(slots);
        }
        self.calls.grow(slots);
    }

    pub(crate) fn clear(&mut self, slot: u32) {
        if let Some(records) = &mut self.records {
            records.clear(slot);
        }
        self.calls.clear(slot);
    }

    pub(crate) fn update(&mut self, batch: &ChangeBatch, slots: &[u32]) -> Result<()> {
        let rows = SlotRows::new(slots, batch.kinds());
        if let Some(records) = &mut self.records {
            records.update(rows, &[])?;
        }
        self.calls.update(rows, batch.rows())
    }

    pub(crate) fn merge(&mut self, into: &[u32], other: &Values, from: &[u32]) -> Result<()> {
        if let (Some(records), Some(others)) = (&mut self.records, &other.records) {
            records.merge(into, others, from)?;
        }
        self.calls.merge(into, &other.calls, from)
    }

    /// Slot `from` joins slot `into`, through `between`, an empty one of the same calls with one slot.
    pub(crate) fn merge_own(&mut self, into: u32, from: u32, between: &mut Values) -> Result<()> {
        between.clear(0);
        between.merge(&[0], self, &[from])?;
        self.merge(&[into], between, &[0])
    }

    fn subtract(&mut self, into: &[u32], other: &Values, from: &[u32]) -> Result<()> {
        if let (Some(records), Some(others)) = (&mut self.records, &other.records) {
            records.subtract(into, others, from)?;
        }
        self.calls.subtract(into, &other.calls, from)
    }

    /// Those of `slots` that have a record.
    pub(crate) fn filled(&self, mut slots: Vec<u32>) -> Vec<u32> {
        if let Some(records) = &self.records {
            slots.retain(|slot| records.count(*slot) > 0);
        }
        slots
    }

    pub(crate) fn evaluate(&self, slots: &[u32]) -> Result<Vec<ArrayRef>> {
        self.calls.evaluate(slots)
    }

    pub(crate) fn save(&self, slot: u32, out: &mut Vec<u8>) {
        if let Some(records) = &self.records {
            records.save(slot, out);
        }
        self.calls.save(slot, out);
    }

    pub(crate) fn load(&mut self, slot: u32, bytes: &mut &[u8]) -> Result<()> {
        if let Some(records) = &mut self.records {
            records.load(slot, bytes)?;
        }
        self.calls.load(slot, bytes)
    }

    pub(crate) fn memory_bytes(&self) -> usize {
        self.calls.memory_bytes() + self.records.as_ref().map_or(0, Accumulator::memory_bytes)
    }
}

/// The groups of a stretch of time.
pub(crate) struct Slice {
    pub(crate) table: KeyTable,
    pub(crate) values: Values,
    pub(crate) dirty: DirtySlots,
}

impl Slice {
    pub(crate) fn grow(&mut self) {
        let slots = self.table.slots();
        self.dirty.grow(slots);
        self.values.grow(slots);
    }

    pub(crate) fn update(&mut self, layout: &Layout, batch: &ChangeBatch) -> Result<()> {
        let rows = batch.rows();
        let keys: Vec<ArrayRef> = layout.keys.iter().map(|k| rows.column(*k).clone()).collect();
        let slots = self.table.assign(&keys, rows.num_rows())?;
        self.grow();
        self.values.update(batch, &slots)?;
        self.dirty.mark(&slots);
        Ok(())
    }

    /// Adds all of another slice; the own slots that it touched.
    pub(crate) fn merge(&mut self, other: &Slice) -> Result<Vec<u32>> {
        let from = other.table.live();
        let into = self.table.assign_from(&other.table, &from)?;
        self.grow();
        self.values.merge(&into, &other.values, &from)?;
        Ok(into)
    }

    /// Slots that have a record.
    pub(crate) fn filled(&self) -> Vec<u32> {
        self.values.filled(self.table.live())
    }

    /// Key group and key of every slot that stands in a checkpoint.
    pub(crate) fn persisted(&self) -> Result<Vec<(u16, Vec<u8>)>> {
        let slots: Vec<u32> = self.table.live().into_iter().filter(|slot| self.dirty.is_persisted(*slot)).collect();
        Ok(self.table.canonical(&slots)?.owned().collect())
    }

    pub(crate) fn memory_bytes(&self) -> usize {
        self.table.memory_bytes() + self.values.memory_bytes()
    }
}

/// How the slices of a HOP window are put together.
pub(crate) enum Sums {
    /// The newest slices are added and the oldest taken away: a window costs two slices instead of all of its own.
    Running(Option<Box<Running>>),
    /// Two stacks, for what cannot be taken away: each slice is merged about twice.
    Stacks(Option<Box<Stacks>>),
    /// Where the order shows: as in Flink from the newest to the oldest, those of the older form from the oldest on.
    Whole { oldest_first: bool },
}

impl Sums {
    pub(crate) fn new(layout: &Layout, legacy: bool) -> Result<Self> {
        Ok(if layout.values()?.calls.subtracts() {
            Sums::Running(None)
        } else if layout.regroups() {
            Sums::Stacks(None)
        } else {
            Sums::Whole { oldest_first: legacy }
        })
    }

    /// A row came into a slice that is part of a sum.
    pub(crate) fn forget(&mut self) {
        match self {
            Sums::Running(sum) => *sum = None,
            Sums::Stacks(sum) => *sum = None,
            Sums::Whole { .. } => {}
        }
    }

    /// Calls `emit` with the sum of the slices after `start` and up to `end`; those up to `leaves` are in no later window.
    pub(crate) fn window(
        &mut self,
        layout: &Layout,
        slices: &BTreeMap<i64, Slice>,
        (start, leaves, end): (i64, i64, i64),
        emit: impl FnOnce(&Slice) -> Result<()>,
    ) -> Result<()> {
        match self {
            Sums::Running(running) => {
                let mut at = match running.take() {
                    Some(at) if at.from == start => at,
                    _ => Box::new(Running { from: start, to: start, sum: layout.slice()?, holders: vec![] }),
                };
                slices.range(at.to + 1..=end).try_for_each(|(_, slice)| at.add(slice))?;
                emit(&at.sum)?;
                slices.range(start + 1..=leaves).try_for_each(|(_, slice)| at.subtract(slice))?;
                (at.from, at.to) = (leaves, end);
                *running = Some(at);
                Ok(())
            }
            Sums::Stacks(stacks) => {
                let mut at = match stacks.take() {
                    Some(at) if at.to >= start => at,
                    _ => Box::new(Stacks { older: vec![], newer: layout.slice()?, to: start }),
                };
                emit(&at.window(layout, slices, (start, leaves, end))?)?;
                *stacks = Some(at);
                Ok(())
            }
            Sums::Whole { oldest_first } => {
                let mut sum = layout.slice()?;
                let mut parts: Vec<&Slice> = slices.range(start + 1..=end).map(|(_, slice)| slice).collect();
                if !*oldest_first {
                    parts.reverse();
                }
                parts.into_iter().try_for_each(|slice| sum.merge(slice).map(|_| ()))?;
                emit(&sum)
            }
        }
    }
}

/// The sum of the slices that the next window shares with the one before.
pub(crate) struct Running {
    /// Slices after `from` and up to `to` are in it.
    from: i64,
    to: i64,
    sum: Slice,
    /// By slot: how many slices have the key.
    holders: Vec<u32>,
}

impl Running {
    fn add(&mut self, slice: &Slice) -> Result<()> {
        let touched = self.sum.merge(slice)?;
        self.holders.resize(self.sum.table.slots(), 0);
        for slot in touched {
            self.holders[slot as usize] += 1;
        }
        Ok(())
    }

    fn subtract(&mut self, slice: &Slice) -> Result<()> {
        let from = slice.table.live();
        let into = self.sum.table.assign_from(&slice.table, &from)?;
        self.sum.values.subtract(&into, &slice.values, &from)?;
        for slot in into {
            let holders = &mut self.holders[slot as usize];
            *holders -= 1;
            if *holders == 0 {
                self.sum.table.remove(slot);
                self.sum.values.clear(slot);
            }
        }
        Ok(())
    }
}

/// A window is the sum of its older slices, which stands ready, and that of the newer ones.
pub(crate) struct Stacks {
    /// (slice, the sum from it to the newest of the older ones), the oldest last.
    older: Vec<(i64, Slice)>,
    newer: Slice,
    /// Slices up to here are in one of the two.
    to: i64,
}

impl Stacks {
    fn window(
        &mut self,
        layout: &Layout,
        slices: &BTreeMap<i64, Slice>,
        (start, leaves, end): (i64, i64, i64),
    ) -> Result<Slice> {
        while self.older.last().is_some_and(|(slice, _)| *slice <= start) {
            self.older.pop();
        }
        if self.older.is_empty() {
            self.newer = layout.slice()?;
            for (at, slice) in slices.range(start + 1..=end).rev() {
                let mut sum = layout.slice()?;
                sum.merge(slice)?;
                if let Some((_, younger)) = self.older.last() {
                    sum.merge(younger)?;
                }
                self.older.push((*at, sum));
            }
        } else {
            slices.range(self.to + 1..=end).try_for_each(|(_, slice)| self.newer.merge(slice).map(|_| ()))?;
        }
        self.to = end;
        let mut window = match self.older.pop() {
            Some((slice, sum)) if slice <= leaves => sum,
            Some((slice, sum)) => {
                let mut copy = layout.slice()?;
                copy.merge(&sum)?;
                self.older.push((slice, sum));
                copy
            }
            None => layout.slice()?,
        };
        window.merge(&self.newer)?;
        Ok(window)
    }
}
