//! GROUP BY window: groups by slice of time, emitted when the watermark or the clock reaches a window's end.
//!
//! Takes every row kind; emits +I only, by window end and within a window in the order in which the keys first came.
//! A TUMBLE window, and one that rows carry, is one slice. HOP windows share slices. A CUMULATE window grows: a slice
//! whose window has fired joins the first slice of its windows. A row is late when the last window that it belongs to
//! has fired: counted and kept. Before that it still counts for the windows that have not. A row without a time is
//! quarantined (Flink fails).
//!
//! State: the key is the slice's end (big endian, sign flipped, so that it sorts) and the canonical key; the key group
//! is the canonical key's. The value is the count of records (only over updating input), then each accumulator's bytes.

use std::collections::BTreeMap;
use std::ops::Range;

use arrow::array::{Int64Array, RecordBatch, UInt32Array};
use arrow::datatypes::SchemaRef;
use arus_core::plan::{Node, WindowAggregate, WindowKind};
use arus_core::{ChangeBatch, Error, LogicalType, Result};

use crate::operator::{Operator, OperatorContext};
use crate::ops::window::{Windows, millis, timed, timestamps};
use crate::ops::window_slice::{Layout, Slice, Sums};
use crate::settings::PipelineSettings;
use crate::state::{StateEntry, StateWriter};

pub(crate) struct WindowAggregator {
    plan: WindowAggregate,
    windows: Windows,
    sharing: Sharing,
    schema: SchemaRef,
    property_types: Vec<LogicalType>,
    layout: Layout,
    /// By end.
    slices: BTreeMap<i64, Slice>,
    /// Windows that end up to here have fired: the watermark, or the clock.
    time: i64,
    /// Keys of slices that went since the last freeze, but stand in a checkpoint.
    gone: Vec<(u16, Vec<u8>)>,
    batch_rows: usize,
    key_groups: Range<u16>,
}

/// Where `time` stands in each key group, of windows that go by the clock: no slice ends so late.
const CLOCK: [u8; 8] = [0xFF; 8];

/// How windows are made of slices.
enum Sharing {
    /// Each window is a slice.
    None,
    /// Each slice is in several windows of the same length.
    Hop(Sums),
    /// The first slice of a row of windows has all that have fired.
    Cumulate,
}

impl WindowAggregator {
    /// `watermark` is the one that the operator goes on from.
    pub(crate) fn new(
        plan: &WindowAggregate,
        node: &Node,
        input: &Node,
        settings: &PipelineSettings,
        watermark: i64,
    ) -> Result<Self> {
        let time_zone = settings.time_zone.as_str();
        let windows = Windows::new(&plan.window, time_zone)?;
        let ty = |column: usize| input.schema.columns()[column].ty.clone();
        let mut keys = plan.keys.clone();
        if let (Some(attached), WindowKind::Session { .. }) = (&plan.window.attached, windows.kind) {
            // Sessions that end together are told apart by their start.
            keys.push(attached.start);
        }
        let layout = Layout::new(keys, &plan.calls, ty, !input.mode.is_insert_only());
        let sharing = match windows.kind {
            _ if plan.window.attached.is_some() => Sharing::None,
            WindowKind::Hop { .. } => Sharing::Hop(Sums::new(&layout, plan.legacy)?),
            WindowKind::Cumulate { .. } => Sharing::Cumulate,
            WindowKind::Tumble { .. } => Sharing::None,
            WindowKind::Session { .. } => return Err(Error::bug("a session without its operator")),
        };
        // Refuses a call that cannot be computed before the first row.
        if matches!(sharing, Sharing::None) {
            layout.slice()?;
        } else {
            layout.check_merges()?;
        }
        let properties = plan.keys.len() + plan.calls.len();
        Ok(WindowAggregator {
            plan: plan.clone(),
            windows,
            sharing,
            schema: node.schema.to_arrow(),
            property_types: node.schema.types().skip(properties).cloned().collect(),
            layout,
            slices: BTreeMap::new(),
            time: if windows.proctime() { i64::MIN } else { watermark },
            gone: vec![],
            batch_rows: settings.batch_rows.max(1),
            key_groups: settings.key_groups.clone(),
        })
    }

    /// Whether the window that ends at `end` has fired.
    fn has_fired(&self, end: i64) -> bool {
        self.windows.fires_at(end) <= self.time
    }

    fn slice(&mut self, end: i64) -> Result<&mut Slice> {
        // The next slice will have about as many keys.
        let keys = self.slices.last_key_value().map_or(0, |(_, slice)| slice.table.slots());
        match self.slices.entry(end) {
            std::collections::btree_map::Entry::Occupied(entry) => Ok(entry.into_mut()),
            std::collections::btree_map::Entry::Vacant(entry) => {
                let slice = entry.insert(self.layout.slice()?);
                slice.table.reserve(keys);
                Ok(slice)
            }
        }
    }

    /// Rows of the slice that ends at `end`.
    fn add(&mut self, end: i64, batch: &ChangeBatch, cx: &mut OperatorContext<'_>) -> Result<()> {
        let (first, last) = match self.sharing {
            Sharing::None => (end, end),
            _ => match self.windows.first_end(end) {
                Some(first) => (first, self.windows.last_end(end)),
                // Between two windows, where the slide is above the size.
                None => return Ok(()),
            },
        };
        if self.has_fired(last) {
            return self.late(batch.rows(), cx);
        }
        let mut end = end;
        if self.has_fired(first) {
            match &mut self.sharing {
                Sharing::Hop(sums) => sums.forget(),
                Sharing::Cumulate => end = self.windows.next_end(self.windows.start(end)),
                Sharing::None => {}
            }
        }
        self.slice(end)?;
        let slice = self.slices.get_mut(&end).ok_or_else(|| Error::bug("a slice vanished"))?;
        slice.update(&self.layout, batch)
    }

    fn late(&self, rows: &RecordBatch, cx: &mut OperatorContext<'_>) -> Result<()> {
        let column = self.plan.window.attached.map_or(self.plan.window.time, |attached| attached.end);
        let times = millis(rows.column(column))?;
        let indices: Vec<u32> = (0..rows.num_rows() as u32).collect();
        cx.late(rows, &indices, times.values())
    }

    /// Fires every window that is due at `now`.
    fn advance(&mut self, now: i64, cx: &mut OperatorContext<'_>) -> Result<()> {
        while let Some((&oldest, _)) = self.slices.first_key_value() {
            let (first, last) = self.windows_of(oldest);
            let Some(end) = self.windows.first_unfired(first, last, self.time) else {
                self.drop_slice(oldest)?;
                continue;
            };
            if self.windows.fires_at(end) > now {
                break;
            }
            self.fire(end, cx)?;
            self.time = self.windows.fires_at(end);
        }
        self.time = self.time.max(now);
        Ok(())
    }

    /// The windows that the oldest slice keeps open: the end of the first and of the last.
    fn windows_of(&self, oldest: i64) -> (i64, i64) {
        match self.sharing {
            Sharing::None => (oldest, oldest),
            Sharing::Hop(_) => (self.windows.first_end(oldest).unwrap_or(oldest), self.windows.last_end(oldest)),
            Sharing::Cumulate => (self.windows.next_end(self.windows.start(oldest)), self.windows.last_end(oldest)),
        }
    }

    fn fire(&mut self, end: i64, cx: &mut OperatorContext<'_>) -> Result<()> {
        match &self.sharing {
            Sharing::None => {
                let slice = self.slices.remove(&end).ok_or_else(|| Error::bug("a window without its slice"))?;
                self.emit(&slice, end, cx)?;
                self.forget(end, &slice)
            }
            Sharing::Hop(_) => self.fire_hop(end, cx),
            Sharing::Cumulate => {
                let first = self.windows.next_end(self.windows.start(end));
                if end != first
                    && let Some(newest) = self.slices.remove(&end)
                {
                    let sum = self.slice(first)?;
                    let touched = sum.merge(&newest)?;
                    sum.dirty.mark(&touched);
                    self.forget(end, &newest)?;
                }
                match self.slices.get(&first) {
                    Some(sum) => self.emit(sum, end, cx)?,
                    None => return Ok(()),
                }
                if end == self.windows.last_end(end) { self.drop_slice(first) } else { Ok(()) }
            }
        }
    }

    fn fire_hop(&mut self, end: i64, cx: &mut OperatorContext<'_>) -> Result<()> {
        let start = self.windows.start(end);
        // The slices that no later window has.
        let leaves = self.windows.next_end(start);
        let mut sharing = std::mem::replace(&mut self.sharing, Sharing::None);
        if let Sharing::Hop(sums) = &mut sharing {
            sums.window(&self.layout, &self.slices, (start, leaves, end), |sum| self.emit(sum, end, cx))?;
        }
        self.sharing = sharing;
        let gone: Vec<i64> = self.slices.range(..=leaves).map(|(end, _)| *end).collect();
        gone.into_iter().try_for_each(|slice| self.drop_slice(slice))
    }

    fn emit(&self, slice: &Slice, end: i64, cx: &mut OperatorContext<'_>) -> Result<()> {
        for slots in slice.filled().chunks(self.batch_rows) {
            let mut columns = slice.table.columns(slots)?;
            let starts = if columns.len() > self.plan.keys.len() { columns.pop() } else { None };
            let starts = match starts {
                Some(starts) => millis(&starts)?,
                None => Int64Array::from_value(self.windows.start(end), slots.len()),
            };
            columns.extend(slice.values.evaluate(slots)?);
            for (property, ty) in self.plan.properties.iter().zip(&self.property_types) {
                let values =
                    starts.values().iter().map(|start| self.windows.property(*property, *start, end, cx.now_ms()));
                columns.push(timestamps(values, ty)?);
            }
            cx.emit(ChangeBatch::inserts(crate::ops::rows(&self.schema, columns, slots.len())?));
        }
        Ok(())
    }

    fn drop_slice(&mut self, end: i64) -> Result<()> {
        match self.slices.remove(&end) {
            Some(slice) => self.forget(end, &slice),
            None => Ok(()),
        }
    }

    /// Notes what a slice that goes has in a checkpoint.
    fn forget(&mut self, end: i64, slice: &Slice) -> Result<()> {
        for (group, key) in slice.persisted()? {
            self.gone.push((group, state_key(end, &key)));
        }
        Ok(())
    }
}

/// Rows by the end of their slice, ends ascending; where they come in that order, parts are slices of the batch.
fn by_slice(batch: &ChangeBatch, ends: &[i64]) -> Result<Vec<(i64, ChangeBatch)>> {
    if let (Some(first), Some(last)) = (ends.first(), ends.last())
        && first == last
        && ends.iter().all(|end| end == first)
    {
        return Ok(vec![(*first, batch.clone())]);
    }
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

/// An i64 whose bytes sort like the number, before the key.
pub(crate) fn state_key(number: i64, key: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(8 + key.len());
    out.extend_from_slice(&((number as u64) ^ (1 << 63)).to_be_bytes());
    out.extend_from_slice(key);
    out
}

pub(crate) fn split_state_key(bytes: &[u8]) -> Result<(i64, &[u8])> {
    let (number, key) = bytes
        .split_first_chunk::<8>()
        .ok_or_else(|| Error::bug(format!("a window's state key has {} bytes, expected 8 or more", bytes.len())))?;
    Ok(((u64::from_be_bytes(*number) ^ (1 << 63)) as i64, key))
}

impl Operator for WindowAggregator {
    fn on_batch(&mut self, _port: usize, batch: ChangeBatch, cx: &mut OperatorContext<'_>) -> Result<()> {
        let (batch, ends) = match self.plan.window.attached {
            Some(attached) => {
                let ends = millis(batch.rows().column(attached.end))?.values().to_vec();
                (batch, ends)
            }
            None => {
                let (batch, times) = timed(batch, self.plan.window.time, self.windows, cx)?;
                if let Some(slice) = self.windows.only_slice(&times) {
                    if self.windows.proctime() {
                        self.on_time(cx)?;
                    }
                    return self.add(slice, &batch, cx);
                }
                let ends = self.windows.slice_ends(&times);
                (batch, ends)
            }
        };
        if self.windows.proctime() {
            self.on_time(cx)?;
        }
        for (end, part) in by_slice(&batch, &ends)? {
            self.add(end, &part, cx)?;
        }
        Ok(())
    }

    fn on_watermark(&mut self, watermark: i64, cx: &mut OperatorContext<'_>) -> Result<()> {
        if self.windows.proctime() { Ok(()) } else { self.advance(watermark, cx) }
    }

    fn timer_ms(&self) -> Option<i64> {
        let (&oldest, _) = self.slices.first_key_value().filter(|_| self.windows.proctime())?;
        let (first, last) = self.windows_of(oldest);
        let due = self.windows.first_unfired(first, last, self.time);
        Some(due.map_or(self.time, |end| self.windows.fires_at(end).saturating_add(1)))
    }

    /// The last millisecond of a window is over.
    fn on_time(&mut self, cx: &mut OperatorContext<'_>) -> Result<()> {
        self.advance(cx.now_ms().saturating_sub(1), cx)
    }

    fn freeze(&mut self, state: &mut StateWriter<'_>) -> Result<()> {
        for (group, key) in self.gone.drain(..) {
            state.delete(group, &key);
        }
        if self.windows.proctime() && !matches!(self.sharing, Sharing::None) {
            for group in self.key_groups.clone() {
                state.put(group, &CLOCK, &self.time.to_le_bytes());
            }
        }
        let mut value = vec![];
        for (end, slice) in &mut self.slices {
            let dirty = slice.dirty.take();
            for (slot, (group, key)) in dirty.iter().zip(slice.table.canonical(&dirty)?.iter()) {
                value.clear();
                slice.values.save(*slot, &mut value);
                state.put(group, &state_key(*end, key), &value);
            }
        }
        Ok(())
    }

    fn restore(&mut self, entries: &[StateEntry]) -> Result<()> {
        for entry in entries {
            if entry.key == CLOCK {
                let time = entry.value.as_slice().try_into().map_err(|_| Error::bug("a clock of no 8 bytes"))?;
                self.time = self.time.max(i64::from_le_bytes(time));
                continue;
            }
            let (end, key) = split_state_key(&entry.key)?;
            let slice = self.slice(end)?;
            let slot = slice.table.assign_canonical(&[key])?[0];
            slice.grow();
            slice.values.load(slot, &mut &entry.value[..])?;
            slice.dirty.set_persisted(slot);
        }
        Ok(())
    }

    fn memory_bytes(&self) -> usize {
        self.slices.values().map(Slice::memory_bytes).sum()
    }
}
