//! GROUP BY window: one slice of state a window, emitted and dropped whole when the watermark reaches the window's end.
//!
//! Takes every row kind; emits +I only, by window end and within a window in the order in which the keys first came.
//! A row whose window has fired is late: counted and kept. A row without a time is quarantined (Flink fails).
//!
//! State: the key is the window's end (big endian, sign flipped, so that it sorts) and the canonical key; the key group
//! is the canonical key's. The value is the count of records (only over updating input), then each accumulator's bytes.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray, RecordBatch, UInt32Array};
use arrow::datatypes::SchemaRef;
use arus_core::plan::{AggregateCall, Node, WindowAggregate};
use arus_core::{ChangeBatch, Error, LogicalType, Result};
use arus_storage::codec::KeyCodec;

use crate::aggregate::{Accumulator, CountRows, SlotRows, accumulator};
use crate::operator::{Operator, OperatorContext};
use crate::ops::window::{Tumble, millis, null_rows, timestamps};
use crate::ops::window_table_function::NO_ROWTIME;
use crate::slots::KeyTable;
use crate::state::{DirtySlots, StateEntry, StateWriter};

pub(crate) struct WindowAggregator {
    plan: WindowAggregate,
    tumble: Tumble,
    schema: SchemaRef,
    property_types: Vec<LogicalType>,
    layout: Layout,
    /// By window end.
    slices: BTreeMap<i64, Slice>,
    /// Keys of windows that fired since the last freeze, but stand in a checkpoint.
    gone: Vec<(u16, Vec<u8>)>,
    batch_rows: usize,
}

/// What a new slice is made of.
struct Layout {
    codec: Arc<KeyCodec>,
    key_types: Vec<LogicalType>,
    calls: Vec<(AggregateCall, Option<LogicalType>)>,
    retracts: bool,
}

impl Layout {
    fn slice(&self) -> Result<Slice> {
        let accumulators = self
            .calls
            .iter()
            .map(|(call, arg)| accumulator(call, arg.as_ref(), self.retracts))
            .collect::<Result<_>>()?;
        Ok(Slice {
            table: KeyTable::new(self.codec.clone(), &self.key_types),
            records: self.retracts.then(CountRows::default),
            accumulators,
            dirty: DirtySlots::default(),
        })
    }
}

/// One window's groups.
struct Slice {
    table: KeyTable,
    /// Only over updating input: a group without records is not emitted.
    records: Option<CountRows>,
    accumulators: Vec<Box<dyn Accumulator>>,
    dirty: DirtySlots,
}

impl Slice {
    fn grow(&mut self) {
        let slots = self.table.slots();
        self.dirty.grow(slots);
        if let Some(records) = &mut self.records {
            records.grow(slots);
        }
        for accumulator in &mut self.accumulators {
            accumulator.grow(slots);
        }
    }

    fn update(&mut self, plan: &WindowAggregate, batch: &ChangeBatch) -> Result<()> {
        let rows = batch.rows();
        let keys: Vec<ArrayRef> = plan.keys.iter().map(|k| rows.column(*k).clone()).collect();
        let slots = self.table.assign(&keys, rows.num_rows())?;
        self.grow();
        let slot_rows = SlotRows { slots: &slots, kinds: batch.kinds(), resets: None };
        if let Some(records) = &mut self.records {
            records.update(slot_rows, None)?;
        }
        for (call, accumulator) in plan.calls.iter().zip(&mut self.accumulators) {
            let arg: Option<&dyn Array> = call.args.first().map(|column| rows.column(*column).as_ref());
            accumulator.update(slot_rows, arg)?;
        }
        self.dirty.mark(&slots);
        Ok(())
    }

    /// Slots that have a record.
    fn filled(&self) -> Vec<u32> {
        let mut slots = self.table.live();
        if let Some(records) = &self.records {
            slots.retain(|slot| records.count(*slot) > 0);
        }
        slots
    }

    fn memory_bytes(&self) -> usize {
        self.table.memory_bytes() + self.accumulators.iter().map(|a| a.memory_bytes()).sum::<usize>()
    }
}

impl WindowAggregator {
    pub(crate) fn new(
        plan: &WindowAggregate,
        node: &Node,
        input: &Node,
        time_zone: &str,
        batch_rows: usize,
    ) -> Result<Self> {
        let ty = |column: usize| input.schema.columns()[column].ty.clone();
        let key_types: Vec<LogicalType> = plan.keys.iter().map(|k| ty(*k)).collect();
        let layout = Layout {
            codec: Arc::new(KeyCodec::new(key_types.iter().cloned())),
            key_types,
            calls: plan.calls.iter().map(|c| (c.clone(), c.args.first().map(|a| ty(*a)))).collect(),
            retracts: !input.mode.is_insert_only(),
        };
        // Refuses a call that cannot be computed before the first row.
        layout.slice()?;
        let properties = plan.keys.len() + plan.calls.len();
        Ok(WindowAggregator {
            plan: plan.clone(),
            tumble: Tumble::new(&plan.window, time_zone)?,
            schema: node.schema.to_arrow(),
            property_types: node.schema.types().skip(properties).cloned().collect(),
            layout,
            slices: BTreeMap::new(),
            gone: vec![],
            batch_rows: batch_rows.max(1),
        })
    }

    fn slice(&mut self, end: i64) -> Result<&mut Slice> {
        match self.slices.entry(end) {
            std::collections::btree_map::Entry::Occupied(entry) => Ok(entry.into_mut()),
            std::collections::btree_map::Entry::Vacant(entry) => Ok(entry.insert(self.layout.slice()?)),
        }
    }

    fn add(&mut self, end: i64, batch: &ChangeBatch) -> Result<()> {
        self.slice(end)?;
        let slice = self.slices.get_mut(&end).ok_or_else(|| Error::bug("a slice vanished"))?;
        slice.update(&self.plan, batch)
    }

    fn fire(&mut self, end: i64, slice: Slice, cx: &mut OperatorContext<'_>) -> Result<()> {
        for slots in slice.filled().chunks(self.batch_rows) {
            let mut columns = slice.table.columns(slots)?;
            for accumulator in &slice.accumulators {
                columns.push(accumulator.evaluate(slots)?);
            }
            for (property, ty) in self.plan.properties.iter().zip(&self.property_types) {
                let value = self.tumble.property(*property, end);
                columns.push(timestamps(slots.iter().map(|_| value), ty)?);
            }
            cx.emit(ChangeBatch::inserts(crate::ops::rows(&self.schema, columns, slots.len())?));
        }
        let persisted: Vec<u32> =
            slice.table.live().into_iter().filter(|slot| slice.dirty.is_persisted(*slot)).collect();
        for (group, key) in slice.table.canonical(&persisted)? {
            self.gone.push((group, state_key(end, &key)));
        }
        Ok(())
    }
}

/// Rows by the end of their window, ends ascending; where they come in that order, parts are slices of the batch.
fn by_window(batch: &ChangeBatch, ends: &[i64]) -> Result<Vec<(i64, ChangeBatch)>> {
    if ends.is_sorted() {
        let mut start = 0;
        let runs = ends.chunk_by(|a, b| a == b).map(|run| {
            let part = (run[0], batch.slice(start, run.len()));
            start += run.len();
            part
        });
        return Ok(runs.collect());
    }
    let mut rows: BTreeMap<i64, Vec<u32>> = BTreeMap::new();
    for (row, end) in ends.iter().enumerate() {
        rows.entry(*end).or_default().push(row as u32);
    }
    rows.into_iter().map(|(end, rows)| Ok((end, batch.take(&UInt32Array::from(rows))?))).collect()
}

/// Sets the rows that `failed` names aside and keeps the others.
fn without(batch: ChangeBatch, rows: &[u32]) -> Result<ChangeBatch> {
    let mut keep = vec![true; batch.num_rows()];
    for row in rows {
        keep[*row as usize] = false;
    }
    batch.filter(&BooleanArray::from(keep))
}

fn state_key(end: i64, key: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(8 + key.len());
    out.extend_from_slice(&((end as u64) ^ (1 << 63)).to_be_bytes());
    out.extend_from_slice(key);
    out
}

fn split_state_key(bytes: &[u8]) -> Result<(i64, &[u8])> {
    let (end, key) = bytes
        .split_first_chunk::<8>()
        .ok_or_else(|| Error::bug(format!("a window's state key has {} bytes, expected 8 or more", bytes.len())))?;
    Ok(((u64::from_be_bytes(*end) ^ (1 << 63)) as i64, key))
}

impl Operator for WindowAggregator {
    fn on_batch(&mut self, _port: usize, mut batch: ChangeBatch, cx: &mut OperatorContext<'_>) -> Result<()> {
        let mut times = millis(batch.rows().column(self.plan.window.time))?;
        if times.null_count() > 0 {
            let untimed = null_rows(&times);
            let failed: Vec<_> = untimed.iter().map(|row| (*row, NO_ROWTIME.to_string())).collect();
            cx.quarantine(batch.rows(), &failed)?;
            batch = without(batch, &untimed)?;
            times = millis(batch.rows().column(self.plan.window.time))?;
        }
        let ends = self.tumble.ends(&times);
        for (end, part) in by_window(&batch, &ends)? {
            if self.tumble.fires_at(end) <= cx.watermark() {
                late(part.rows(), self.plan.window.time, cx)?;
            } else {
                self.add(end, &part)?;
            }
        }
        Ok(())
    }

    fn on_watermark(&mut self, watermark: i64, cx: &mut OperatorContext<'_>) -> Result<()> {
        while let Some(entry) = self.slices.first_entry() {
            if self.tumble.fires_at(*entry.key()) > watermark {
                break;
            }
            let (end, slice) = entry.remove_entry();
            self.fire(end, slice, cx)?;
        }
        Ok(())
    }

    fn freeze(&mut self, state: &mut StateWriter<'_>) -> Result<()> {
        for (group, key) in self.gone.drain(..) {
            state.delete(group, &key);
        }
        for (end, slice) in &mut self.slices {
            let dirty = slice.dirty.take();
            for (slot, (group, key)) in dirty.iter().zip(slice.table.canonical(&dirty)?) {
                let mut value = Vec::with_capacity(16 * (slice.accumulators.len() + 1));
                if let Some(records) = &slice.records {
                    records.save(*slot, &mut value);
                }
                for accumulator in &slice.accumulators {
                    accumulator.save(*slot, &mut value);
                }
                state.put(group, &state_key(*end, &key), &value);
            }
        }
        Ok(())
    }

    fn restore(&mut self, entries: &[StateEntry]) -> Result<()> {
        for entry in entries {
            let (end, key) = split_state_key(&entry.key)?;
            let slice = self.slice(end)?;
            let slot = slice.table.assign_canonical(&[key])?[0];
            slice.grow();
            let mut bytes = &entry.value[..];
            if let Some(records) = &mut slice.records {
                records.load(slot, &mut bytes)?;
            }
            for accumulator in &mut slice.accumulators {
                accumulator.load(slot, &mut bytes)?;
            }
            slice.dirty.set_persisted(slot);
        }
        Ok(())
    }

    fn memory_bytes(&self) -> usize {
        self.slices.values().map(Slice::memory_bytes).sum()
    }
}

fn late(rows: &RecordBatch, time: usize, cx: &mut OperatorContext<'_>) -> Result<()> {
    let times = millis(rows.column(time))?;
    let indices: Vec<u32> = (0..rows.num_rows() as u32).collect();
    cx.late(rows, &indices, times.values())
}
