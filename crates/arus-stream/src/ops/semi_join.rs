//! INTERSECT and EXCEPT: rows of the left input by whether the right one has an equal row, over any updates.
//!
//! This is Flink's semi and anti join with whole rows as the key, so that a key's rows are all alike and counts are
//! enough for state:
//!
//! | in | semi | anti |
//! |---|---|---|
//! | a left row | as it is, if the right has it | as it is, if the right does not have it |
//! | a right row, the first of its kind | each left row with the kind of the right one | each left row as -D |
//! | a right row is taken away, the last of its kind | each left row with the kind of the retraction | each left row as +I |
//!
//! NULLs are equal. State, per row: how often the left and the right have it (two i64).

use std::sync::Arc;

use arrow::array::UInt32Array;
use arrow::compute::take_record_batch;
use arrow::datatypes::SchemaRef;
use arus_core::change::arrow_bug;
use arus_core::plan::{Node, SemiJoin};
use arus_core::{ChangeBatch, Error, LogicalType, Result, RowKind};
use arus_storage::codec::KeyCodec;

use crate::operator::{Operator, OperatorContext};
use crate::slots::KeyTable;
use crate::state::{DirtySlots, StateEntry, StateWriter};

pub(crate) struct SemiJoiner {
    anti: bool,
    schema: SchemaRef,
    table: KeyTable,
    counts: Vec<Counts>,
    dirty: DirtySlots,
    /// Keys that are gone since the last freeze, but stand in a checkpoint.
    gone: Vec<(u16, Vec<u8>)>,
}

#[derive(Clone, Copy, Default)]
struct Counts {
    left: i64,
    right: i64,
}

const RIGHT: usize = 1;

impl SemiJoiner {
    pub(crate) fn new(plan: &SemiJoin, node: &Node) -> Self {
        let types: Vec<LogicalType> = node.schema.types().cloned().collect();
        SemiJoiner {
            anti: plan.anti,
            schema: node.schema.to_arrow(),
            table: KeyTable::new(Arc::new(KeyCodec::new(types.iter().cloned())), &types),
            counts: vec![],
            dirty: DirtySlots::default(),
            gone: vec![],
        }
    }

    fn grow(&mut self) {
        let slots = self.table.slots();
        self.dirty.grow(slots);
        self.counts.resize(slots.max(self.counts.len()), Counts::default());
    }

    fn remove_empty(&mut self, slots: &[u32]) -> Result<()> {
        let mut empty = self.dirty.first_touches(slots);
        empty.retain(|slot| {
            let counts = self.counts[*slot as usize];
            counts.left == 0 && counts.right == 0
        });
        let persisted: Vec<u32> = empty.iter().copied().filter(|s| self.dirty.is_persisted(*s)).collect();
        self.gone.extend(self.table.canonical(&persisted)?);
        for slot in empty {
            self.table.remove(slot);
            self.dirty.free(slot);
        }
        Ok(())
    }
}

impl Counts {
    /// How often a row of this kind on this side is told, and as what.
    fn step(&mut self, port: usize, kind: RowKind, anti: bool) -> Option<(i64, RowKind)> {
        let by = if kind.adds() { 1 } else { -1 };
        if port != RIGHT {
            let told = (self.right > 0) != anti;
            self.left = (self.left + by).max(0);
            return told.then_some((1, kind));
        }
        let before = self.right;
        self.right = (before + by).max(0);
        let kind = match (before > 0, self.right > 0) {
            (false, true) if anti => RowKind::Delete,
            (true, false) if anti => RowKind::Insert,
            (false, true) | (true, false) => kind,
            _ => return None,
        };
        Some((self.left, kind))
    }
}

impl Operator for SemiJoiner {
    fn on_batch(&mut self, port: usize, batch: ChangeBatch, cx: &mut OperatorContext<'_>) -> Result<()> {
        let slots = self.table.assign(batch.rows().columns(), batch.num_rows())?;
        self.grow();
        let mut picks: Vec<u32> = vec![];
        let mut kinds: Vec<RowKind> = vec![];
        for (row, &slot) in slots.iter().enumerate() {
            if let Some((times, kind)) = self.counts[slot as usize].step(port, batch.kind(row), self.anti) {
                // The key is the whole row: that of the right stands for those of the left.
                for _ in 0..times {
                    picks.push(row as u32);
                    kinds.push(kind);
                }
            }
        }
        self.dirty.mark(&slots);
        self.remove_empty(&slots)?;
        if !picks.is_empty() {
            let told = take_record_batch(batch.rows(), &UInt32Array::from(picks)).map_err(arrow_bug)?;
            let rows = crate::ops::rows(&self.schema, told.columns().to_vec(), kinds.len())?;
            cx.emit(ChangeBatch::new(rows, kinds));
        }
        Ok(())
    }

    fn freeze(&mut self, state: &mut StateWriter<'_>) -> Result<()> {
        for (group, key) in self.gone.drain(..) {
            state.delete(group, &key);
        }
        let dirty = self.dirty.take();
        for (slot, (group, key)) in dirty.iter().zip(self.table.canonical(&dirty)?) {
            let Counts { left, right } = self.counts[*slot as usize];
            state.put(group, &key, &[left.to_le_bytes(), right.to_le_bytes()].concat());
        }
        Ok(())
    }

    fn restore(&mut self, entries: &[StateEntry]) -> Result<()> {
        let keys: Vec<&[u8]> = entries.iter().map(|e| &e.key[..]).collect();
        let slots = self.table.assign_canonical(&keys)?;
        self.grow();
        for (slot, entry) in slots.iter().zip(entries) {
            let (Some((left, rest)), 16) = (entry.value.split_first_chunk::<8>(), entry.value.len()) else {
                return Err(Error::bug(format!("a joined row's state has {} bytes, expected 16", entry.value.len())));
            };
            let right = rest.first_chunk::<8>().ok_or_else(|| Error::bug("a joined row's state ends early"))?;
            self.counts[*slot as usize] = Counts { left: i64::from_le_bytes(*left), right: i64::from_le_bytes(*right) };
            self.dirty.set_persisted(*slot);
        }
        Ok(())
    }

    fn memory_bytes(&self) -> usize {
        self.table.memory_bytes() + self.counts.capacity() * size_of::<Counts>()
    }
}
