//! GROUP BY without a window.
//!
//! | in | out |
//! |---|---|
//! | +I, +U | +I for a group's first row, else -U with the old and +U with the new value if it changed |
//! | -U, -D | -D with the old value when it was the group's last row, else -U and +U if it changed |
//!
//! A retraction for a group that is not there is dropped, as in Flink. NULL keys are a group. Without keys there is
//! one group, and nothing is emitted before its first row. `compact` emits one change per touched group and batch, in
//! the order in which the groups were first touched; otherwise every step in the order of the input.
//!
//! With a state TTL a group that no row has touched for so long is forgotten without a word, as in Flink: its next row
//! is a first one, its next retraction is dropped.
//!
//! State, per group: when it was last touched (i64 ms; 0: not known), count of records (i64), then the calls' bytes. A value
//! of a large distinct set has an entry of its own, in the key group of its group: the key is the group's key, the number
//! of the set (u8) and the value; it holds [`VALUE_MARK`] (i64), the length of the group's key (u32), the occurrences (i64).
//! No key of a group is the beginning of another one.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, BooleanArray, Int64Array, UInt32Array};
use arrow::compute::{interleave, take};
use arrow::datatypes::{Int64Type, SchemaRef};
use arus_core::change::arrow_bug;
use arus_core::plan::{GroupAggregate, Node};
use arus_core::{ChangeBatch, Error, LogicalType, Result, RowKind, planted};
use arus_storage::codec::KeyCodec;

use crate::aggregate::{Accumulator, Calls, CountRows, SlotRows, Trace};
use crate::operator::{Operator, OperatorContext};
use crate::ops::difference::rows_differ;
use crate::slots::KeyTable;
use crate::state::{DirtySlots, StateEntry, StateWriter};

pub(crate) struct GroupAggregator {
    plan: GroupAggregate,
    schema: SchemaRef,
    table: KeyTable,
    records: CountRows,
    /// When each group was last touched; 0: not known.
    touched_ms: Vec<i64>,
    calls: Calls,
    dirty: DirtySlots,
    /// Keys that are gone since the last freeze, but stand in a checkpoint.
    gone: Vec<(u16, Vec<u8>)>,
}

impl GroupAggregator {
    pub(crate) fn new(plan: &GroupAggregate, node: &Node, input: &Node) -> Result<Self> {
        let types: Vec<LogicalType> = plan.keys.iter().map(|k| input.schema.columns()[*k].ty.clone()).collect();
        let retracts = !input.mode.is_insert_only();
        let calls = Calls::new(&plan.calls, |column| input.schema.columns()[column].ty.clone(), retracts)?;
        Ok(GroupAggregator {
            plan: plan.clone(),
            schema: node.schema.to_arrow(),
            table: KeyTable::new(Arc::new(KeyCodec::new(types.iter().cloned())), &types),
            records: CountRows::default(),
            touched_ms: vec![],
            calls,
            dirty: DirtySlots::default(),
            gone: vec![],
        })
    }

    fn grow(&mut self) {
        let slots = self.table.slots();
        self.records.grow(slots);
        self.touched_ms.resize(slots.max(self.touched_ms.len()), 0);
        self.dirty.grow(slots);
        self.calls.grow(slots);
    }

    fn slots_of(&mut self, batch: &ChangeBatch) -> Result<Vec<u32>> {
        let keys: Vec<ArrayRef> = self.plan.keys.iter().map(|k| batch.rows().column(*k).clone()).collect();
        let slots = self.table.assign(&keys, batch.num_rows())?;
        self.grow();
        Ok(slots)
    }

    /// Drops retractions of groups that are not there; `None`: nothing to drop.
    fn without_stray_retractions(
        &mut self,
        batch: &ChangeBatch,
        slots: &[u32],
    ) -> Result<Option<(ChangeBatch, Vec<u32>)>> {
        let Some(kinds) = batch.kinds() else { return Ok(None) };
        let mut counts: std::collections::HashMap<u32, i64> = std::collections::HashMap::new();
        let mut keep = Vec::with_capacity(slots.len());
        for (kind, &slot) in kinds.iter().zip(slots) {
            let count = counts.entry(slot).or_insert_with(|| self.records.count(slot));
            let stray = *count == 0 && !kind.adds();
            if !stray {
                *count += if kind.adds() { 1 } else { -1 };
            }
            keep.push(!stray);
        }
        if keep.iter().all(|k| *k) {
            return Ok(None);
        }
        let kept = slots.iter().zip(&keep).filter(|(_, k)| **k).map(|(s, _)| *s).collect();
        Ok(Some((batch.filter(&BooleanArray::from(keep))?, kept)))
    }

    fn is_expired(&self, slot: u32, now_ms: i64) -> bool {
        let touched_ms = self.touched_ms[slot as usize];
        touched_ms != 0 && touched_ms.saturating_add(self.plan.state_ttl_ms) <= now_ms
    }

    /// Starts the groups among `slots` anew that expired, and notes that all are touched.
    fn touch(&mut self, slots: &[u32], now_ms: i64) {
        for slot in self.dirty.first_touches(slots) {
            if self.is_expired(slot, now_ms) {
                self.clear(slot);
            }
            self.touched_ms[slot as usize] = now_ms;
        }
    }

    fn clear(&mut self, slot: u32) {
        self.records.clear(slot);
        self.touched_ms[slot as usize] = 0;
        self.calls.clear(slot);
    }

    /// Removes the groups among `slots` that have no record left.
    fn remove_empty(&mut self, slots: &[u32]) -> Result<()> {
        let mut empty = self.dirty.first_touches(slots);
        empty.retain(|slot| self.records.count(*slot) == 0);
        if empty.is_empty() {
            return Ok(());
        }
        self.remove(&empty)
    }

    fn remove(&mut self, slots: &[u32]) -> Result<()> {
        let persisted: Vec<u32> = slots.iter().copied().filter(|s| self.dirty.is_persisted(*s)).collect();
        for (slot, (group, key)) in persisted.iter().zip(self.table.canonical(&persisted)?.owned()) {
            let gone = &mut self.gone;
            self.calls.forget(*slot, |set, value| gone.push((group, value_key(&key, set, value))));
            self.gone.push((group, key));
        }
        for &slot in slots {
            self.table.remove(slot);
            self.clear(slot);
            self.dirty.free(slot);
        }
        Ok(())
    }

    /// One change per touched group.
    fn compact(&mut self, batch: &ChangeBatch, slots: &[u32]) -> Result<Option<ChangeBatch>> {
        let touched = self.dirty.first_touches(slots);
        let before = self.calls.evaluate(&touched)?;
        let counts_before: Vec<i64> = touched.iter().map(|s| self.records.count(*s)).collect();
        let rows = SlotRows::new(slots, batch.kinds());
        self.records.update(rows, &[])?;
        self.calls.update(rows, batch.rows())?;
        let after = self.calls.evaluate(&touched)?;
        let counts_after: Vec<i64> = touched.iter().map(|s| self.records.count(*s)).collect();
        let keys = self.table.columns(&touched)?;
        let steps =
            Steps { counts_before: &counts_before, counts_after: &counts_after, before: &before, after: &after };
        self.changes(&keys, steps)
    }

    /// Every step, in the order of the input.
    fn every_step(&mut self, batch: &ChangeBatch, slots: &[u32]) -> Result<Option<ChangeBatch>> {
        let retracts = batch.kinds().is_some();
        let rows = SlotRows::new(slots, batch.kinds());
        let Trace { before: counts_before, after: counts_after } = self.records.trace(rows, &[])?;
        let (counts_before, counts_after) = (longs(&counts_before), longs(&counts_after));
        let resets: Option<Vec<bool>> = retracts.then(|| counts_after.values().iter().map(|c| *c == 0).collect());
        let rows = SlotRows { resets: resets.as_deref(), ..rows };
        let (before, after) = self.calls.trace(rows, batch.rows())?;
        // A key whose equal values look different (0.0 and -0.0) keeps its first look.
        let keys = if self.table.normalizes() {
            self.table.columns(slots)?
        } else {
            self.plan.keys.iter().map(|k| batch.rows().column(*k).clone()).collect()
        };
        let steps = Steps {
            counts_before: counts_before.values(),
            counts_after: counts_after.values(),
            before: &before,
            after: &after,
        };
        self.changes(&keys, steps)
    }

    /// The changelog of steps, each with its key.
    fn changes(&self, keys: &[ArrayRef], steps: Steps<'_>) -> Result<Option<ChangeBatch>> {
        let differ = rows_differ(steps.before, steps.after, steps.counts_before.len())?;
        // (0: before, 1: after; step)
        let mut picks: Vec<(usize, usize)> = Vec::new();
        let mut kinds = Vec::new();
        for (step, differs) in differ.into_iter().enumerate() {
            match (steps.counts_before[step] != 0, steps.counts_after[step] != 0) {
                (false, false) => {}
                (false, true) => {
                    picks.push((1, step));
                    kinds.push(RowKind::Insert);
                }
                (true, false) => {
                    picks.push((0, step));
                    kinds.push(RowKind::Delete);
                }
                (true, true) => {
                    // With a state TTL a touched group is told again, so that what is below can refresh its own state.
                    if differs || self.plan.state_ttl_ms > 0 {
                        if self.plan.update_before {
                            picks.push((0, step));
                            kinds.push(RowKind::UpdateBefore);
                        }
                        picks.push((1, step));
                        kinds.push(RowKind::UpdateAfter);
                    }
                }
            }
        }
        if picks.is_empty() {
            return Ok(None);
        }
        let indices = UInt32Array::from_iter_values(picks.iter().map(|(_, step)| *step as u32));
        let mut columns = Vec::with_capacity(self.schema.fields().len());
        for key in keys {
            columns.push(take(key, &indices, None).map_err(arrow_bug)?);
        }
        for (before, after) in steps.before.iter().zip(steps.after) {
            columns.push(interleave(&[before.as_ref(), after.as_ref()], &picks).map_err(arrow_bug)?);
        }
        let rows = crate::ops::rows(&self.schema, columns, picks.len())?;
        Ok(Some(ChangeBatch::new(rows, kinds)))
    }
}

/// Values and counts of records before and after each step.
#[derive(Clone, Copy)]
struct Steps<'a> {
    counts_before: &'a [i64],
    counts_after: &'a [i64],
    before: &'a [ArrayRef],
    after: &'a [ArrayRef],
}

/// Stands where groups have the time of their last touch.
const VALUE_MARK: i64 = i64::MIN;

/// The key of a value of a large distinct set.
fn value_key(group: &[u8], set: u8, value: &[u8]) -> Vec<u8> {
    [group, &[set], value].concat()
}

/// An entry of a value: the group's key, the set, the value, its occurrences.
type ValueEntry<'a> = (&'a [u8], u8, &'a [u8], i64);

fn group_key<'a>(entry: &'a StateEntry, value: Option<&ValueEntry<'a>>) -> &'a [u8] {
    value.map_or(&entry.key, |(group, ..)| group)
}

/// What [`value_key`] was made of; `None`: the entry is a group's.
fn value_entry(entry: &StateEntry) -> Option<ValueEntry<'_>> {
    let (mark, rest) = entry.value.split_first_chunk::<8>()?;
    let (length, rest) = rest.split_first_chunk::<4>()?;
    let count = rest.first_chunk::<8>().filter(|_| i64::from_le_bytes(*mark) == VALUE_MARK)?;
    let (group, rest) = entry.key.split_at_checked(u32::from_le_bytes(*length) as usize)?;
    let (set, value) = rest.split_first()?;
    Some((group, *set, value, i64::from_le_bytes(*count)))
}

/// Keys that are encoded at a time for a checkpoint.
const FREEZE_KEYS: usize = 4_096;

fn longs(array: &ArrayRef) -> Int64Array {
    array.as_primitive::<Int64Type>().clone()
}

impl Operator for GroupAggregator {
    fn on_batch(&mut self, _port: usize, batch: ChangeBatch, cx: &mut OperatorContext<'_>) -> Result<()> {
        let lost = usize::from(planted("row-dropped-in-flush") && batch.num_rows() > 2);
        let batch = if lost > 0 { batch.slice(0, batch.num_rows() - lost) } else { batch };
        let slots = self.slots_of(&batch)?;
        if self.plan.state_ttl_ms > 0 {
            self.touch(&slots, cx.now_ms());
        }
        let filtered = self.without_stray_retractions(&batch, &slots)?;
        let all_slots = slots;
        let (batch, slots) = match &filtered {
            Some((batch, slots)) => (batch, slots),
            None => (&batch, &all_slots),
        };
        let out = if self.plan.compact { self.compact(batch, slots)? } else { self.every_step(batch, slots)? };
        self.dirty.mark(slots);
        // Stray retractions have made groups too.
        if batch.kinds().is_some() || filtered.is_some() {
            self.remove_empty(&all_slots)?;
        }
        if let Some(out) = out {
            cx.emit(out);
        }
        Ok(())
    }

    fn on_barrier(&mut self, _epoch: u64, cx: &mut OperatorContext<'_>) -> Result<()> {
        if self.plan.state_ttl_ms == 0 {
            return Ok(());
        }
        let mut expired = vec![];
        for slot in self.table.live() {
            if self.touched_ms[slot as usize] == 0 {
                self.touched_ms[slot as usize] = cx.now_ms();
            } else if self.is_expired(slot, cx.now_ms()) {
                expired.push(slot);
            }
        }
        self.remove(&expired)
    }

    fn freeze(&mut self, state: &mut StateWriter<'_>) -> Result<()> {
        for (group, key) in self.gone.drain(..) {
            state.delete(group, &key);
        }
        let mut value = vec![];
        // In parts, so that the keys of many groups are never all there a second time.
        for dirty in self.dirty.take().chunks(FREEZE_KEYS) {
            for (slot, (group, key)) in dirty.iter().zip(self.table.canonical(dirty)?.iter()) {
                value.clear();
                value.extend_from_slice(&self.touched_ms[*slot as usize].to_le_bytes());
                self.records.save(*slot, &mut value);
                self.calls.freeze(*slot, &mut value, |set, distinct, count| {
                    let entry = value_key(key, set, distinct);
                    match count {
                        Some(count) => {
                            let (mark, length) = (VALUE_MARK.to_le_bytes(), (key.len() as u32).to_le_bytes());
                            state.put(group, &entry, &[&mark[..], &length, &count.to_le_bytes()].concat());
                        }
                        None => state.delete(group, &entry),
                    }
                });
                state.put(group, key, &value);
            }
        }
        Ok(())
    }

    fn restore(&mut self, entries: &[StateEntry]) -> Result<()> {
        let values: Vec<_> = entries.iter().map(value_entry).collect();
        let key_of = |(entry, value): (_, &Option<_>)| group_key(entry, value.as_ref());
        let keys: Vec<&[u8]> = entries.iter().zip(&values).map(key_of).collect();
        let slots = self.table.assign_canonical(&keys)?;
        self.grow();
        for ((slot, entry), value) in slots.iter().zip(entries).zip(values) {
            if let Some((_, set, value, count)) = value {
                self.calls.load_entry(*slot, set, value, count)?;
                continue;
            }
            let (touched_ms, mut bytes) = entry.value.split_first_chunk::<8>().ok_or_else(|| {
                Error::bug(format!("a group's state has {} bytes, expected 16 or more", entry.value.len()))
            })?;
            self.touched_ms[*slot as usize] = i64::from_le_bytes(*touched_ms);
            self.records.load(*slot, &mut bytes)?;
            self.calls.load(*slot, &mut bytes)?;
            self.dirty.set_persisted(*slot);
        }
        Ok(())
    }

    fn memory_bytes(&self) -> usize {
        self.table.memory_bytes() + self.records.memory_bytes() + self.calls.memory_bytes()
    }
}
