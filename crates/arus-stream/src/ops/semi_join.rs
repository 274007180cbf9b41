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
//! NULLs are equal. State, per row: how often the left and the right have it (two i64); with a time to live also when each
//! was last written (two i64 ms). A row of the right writes those of the left, since it decides about them.

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
    ttl_ms: i64,
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
    left_ms: i64,
    right_ms: i64,
}

const RIGHT: usize = 1;

impl SemiJoiner {
    pub(crate) fn new(plan: &SemiJoin, node: &Node) -> Self {
        let types: Vec<LogicalType> = node.schema.types().cloned().collect();
        SemiJoiner {
            anti: plan.anti,
            ttl_ms: plan.state_ttl_ms,
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
        self.gone.extend(self.table.canonical(&persisted)?.owned());
        for slot in empty {
            self.table.remove(slot);
            self.dirty.free(slot);
        }
        Ok(())
    }
}

impl Counts {
    /// What nothing has written for so long is gone.
    fn expire(&mut self, ttl_ms: i64, now_ms: i64) {
        let over = |at: i64| ttl_ms > 0 && at.saturating_add(ttl_ms) <= now_ms;
        if over(self.left_ms) {
            self.left = 0;
        }
        if over(self.right_ms) {
            self.right = 0;
        }
    }

    fn write(&mut self, port: usize, now_ms: i64) {
        self.left_ms = now_ms;
        if port == RIGHT {
            self.right_ms = now_ms;
        }
    }

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
            let counts = &mut self.counts[slot as usize];
            counts.expire(self.ttl_ms, cx.now_ms());
            counts.write(port, cx.now_ms());
            if let Some((times, kind)) = counts.step(port, batch.kind(row), self.anti) {
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

    fn on_barrier(&mut self, _epoch: u64, cx: &mut OperatorContext<'_>) -> Result<()> {
        if self.ttl_ms == 0 {
            return Ok(());
        }
        let mut expired = self.table.live();
        expired.retain(|slot| {
            let counts = &mut self.counts[*slot as usize];
            counts.expire(self.ttl_ms, cx.now_ms());
            counts.left == 0 && counts.right == 0
        });
        self.remove_empty(&expired)
    }

    fn freeze(&mut self, state: &mut StateWriter<'_>) -> Result<()> {
        for (group, key) in self.gone.drain(..) {
            state.delete(group, &key);
        }
        let dirty = self.dirty.take();
        for (slot, (group, key)) in dirty.iter().zip(self.table.canonical(&dirty)?.iter()) {
            let Counts { left, right, left_ms, right_ms } = self.counts[*slot as usize];
            let times: &[i64] = if self.ttl_ms > 0 { &[left_ms, right_ms] } else { &[] };
            let value: Vec<u8> = [left, right].iter().chain(times).flat_map(|number| number.to_le_bytes()).collect();
            state.put(group, key, &value);
        }
        Ok(())
    }

    fn restore(&mut self, entries: &[StateEntry]) -> Result<()> {
        let keys: Vec<&[u8]> = entries.iter().map(|e| &e.key[..]).collect();
        let slots = self.table.assign_canonical(&keys)?;
        self.grow();
        for (slot, entry) in slots.iter().zip(entries) {
            let numbers: Vec<i64> = entry.value.as_chunks::<8>().0.iter().map(|n| i64::from_le_bytes(*n)).collect();
            self.counts[*slot as usize] = match numbers[..] {
                // Without times nothing is known: the time to live begins anew.
                [left, right] => Counts { left, right, left_ms: i64::MAX, right_ms: i64::MAX },
                [left, right, left_ms, right_ms] => Counts { left, right, left_ms, right_ms },
                _ => {
                    let found = entry.value.len();
                    return Err(Error::bug(format!("a joined row's state has {found} bytes, expected 16 or 32")));
                }
            };
            self.dirty.set_persisted(*slot);
        }
        Ok(())
    }

    fn memory_bytes(&self) -> usize {
        self.table.memory_bytes() + self.counts.capacity() * size_of::<Counts>()
    }
}
