//! GROUP BY session: rows of a key less than the gap apart are one window, which ends the gap after its last row.
//!
//! Takes every row kind; emits +I only, by window end. A row may open a session, lengthen one at either end, or make
//! one of several. It is late when the session that it would be in has fired: counted and kept.
//!
//! State: the key is the session's number (big endian, sign flipped) and the canonical key; the key group is the
//! canonical key's. A session's number is the start that it had when it was opened: no other of its key that is open
//! can have begun there. The value is its start and end, the count of records (only over updating input), then each
//! accumulator's bytes.

use std::collections::BTreeSet;

use arrow::array::{ArrayRef, BooleanArray};
use arrow::datatypes::SchemaRef;
use arus_core::plan::{Node, WindowAggregate};
use arus_core::{ChangeBatch, Error, LogicalType, Result};

use crate::operator::{Operator, OperatorContext};
use crate::ops::window::{Windows, timed, timestamps};
use crate::ops::window_aggregate::{split_state_key, state_key};
use crate::ops::window_slice::{Layout, Values};
use crate::settings::PipelineSettings;
use crate::slots::KeyTable;
use crate::state::{DirtySlots, StateEntry, StateWriter};

pub(crate) struct SessionAggregator {
    plan: WindowAggregate,
    windows: Windows,
    schema: SchemaRef,
    property_types: Vec<LogicalType>,
    layout: Layout,
    table: KeyTable,
    /// By key slot: its open sessions.
    of_key: Vec<Vec<u32>>,
    /// By session slot.
    sessions: Vec<Session>,
    /// Session slots that can be used again.
    free: Vec<u32>,
    values: Values,
    /// One slot, for joining two sessions.
    between: Values,
    dirty: DirtySlots,
    /// (when to look, session slot): a session may have grown since.
    timers: BTreeSet<(i64, u32)>,
    /// The watermark, or the clock, that sessions have fired up to.
    time: i64,
    gone: Vec<(u16, Vec<u8>)>,
    batch_rows: usize,
}

#[derive(Debug, Clone, Copy, Default)]
struct Session {
    start: i64,
    end: i64,
    /// The end that its timer is set for.
    timer: i64,
    /// Names it in the state.
    number: i64,
    key: u32,
}

/// The slot of a row that is late.
const LATE: u32 = u32::MAX;

impl SessionAggregator {
    pub(crate) fn new(
        plan: &WindowAggregate,
        node: &Node,
        input: &Node,
        settings: &PipelineSettings,
        watermark: i64,
    ) -> Result<Self> {
        let windows = Windows::new(&plan.window, &settings.time_zone)?;
        let ty = |column: usize| input.schema.columns()[column].ty.clone();
        let layout = Layout::new(plan.keys.clone(), &plan.calls, ty, !input.mode.is_insert_only());
        layout.check_merges()?;
        let mut between = layout.values()?;
        between.grow(1);
        Ok(SessionAggregator {
            plan: plan.clone(),
            windows,
            schema: node.schema.to_arrow(),
            property_types: node.schema.types().skip(plan.keys.len() + plan.calls.len()).cloned().collect(),
            table: layout.table(),
            of_key: vec![],
            sessions: vec![],
            free: vec![],
            values: layout.values()?,
            between,
            layout,
            dirty: DirtySlots::default(),
            timers: BTreeSet::new(),
            time: if windows.proctime() { i64::MIN } else { watermark },
            gone: vec![],
            batch_rows: settings.batch_rows.max(1),
        })
    }

    fn open(&mut self, session: Session) -> u32 {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.sessions.push(Session::default());
            self.sessions.len() as u32 - 1
        });
        self.sessions[slot as usize] = Session { timer: session.end, ..session };
        self.of_key[session.key as usize].push(slot);
        self.timers.insert((session.end, slot));
        self.values.grow(self.sessions.len());
        self.dirty.grow(self.sessions.len());
        slot
    }

    /// Takes sessions away; those in a checkpoint are deleted from it.
    fn close(&mut self, slots: &[u32]) -> Result<()> {
        let persisted: Vec<u32> = slots.iter().copied().filter(|s| self.dirty.is_persisted(*s)).collect();
        let keys: Vec<u32> = persisted.iter().map(|s| self.sessions[*s as usize].key).collect();
        for (slot, (group, key)) in persisted.iter().zip(self.table.canonical(&keys)?.iter()) {
            self.gone.push((group, state_key(self.sessions[*slot as usize].number, key)));
        }
        for &slot in slots {
            let session = self.sessions[slot as usize];
            self.timers.remove(&(session.timer, slot));
            let others = &mut self.of_key[session.key as usize];
            others.retain(|s| *s != slot);
            if others.is_empty() {
                self.table.remove(session.key);
            }
            self.dirty.free(slot);
            self.values.clear(slot);
            self.free.push(slot);
        }
        Ok(())
    }

    /// The session slot of a row of `key` at `local`, or [`LATE`]. `flush` brings the values up to date before two
    /// sessions become one.
    fn session_of(
        &mut self,
        key: u32,
        local: i64,
        flush: &mut dyn FnMut(&mut Values, &mut DirtySlots) -> Result<()>,
    ) -> Result<u32> {
        let (start, end) = (local, local.wrapping_add(self.windows.kind.size_ms()));
        let sessions = &mut self.sessions;
        let mut touching = self.of_key[key as usize].iter().copied().filter(|slot| {
            let session = &sessions[*slot as usize];
            session.start <= end && session.end >= start
        });
        let Some(first) = touching.next() else {
            if self.windows.fires_at(end) <= self.time {
                return Ok(LATE);
            }
            return Ok(self.open(Session { start, end, timer: end, number: start, key }));
        };
        let others: Vec<u32> = touching.collect();
        let session = &mut sessions[first as usize];
        session.start = session.start.min(start);
        session.end = session.end.max(end);
        if !others.is_empty() {
            flush(&mut self.values, &mut self.dirty)?;
            for &other in &others {
                self.values.merge_own(first, other, &mut self.between)?;
                let Session { start, end, .. } = self.sessions[other as usize];
                let session = &mut self.sessions[first as usize];
                session.start = session.start.min(start);
                session.end = session.end.max(end);
            }
            self.close(&others)?;
        }
        Ok(first)
    }

    fn add(&mut self, batch: &ChangeBatch, locals: &[i64], cx: &mut OperatorContext<'_>) -> Result<()> {
        let keys: Vec<ArrayRef> = self.layout.keys.iter().map(|k| batch.rows().column(*k).clone()).collect();
        let keys = self.table.assign(&keys, locals.len())?;
        self.of_key.resize(self.table.slots().max(self.of_key.len()), vec![]);
        let mut slots: Vec<u32> = Vec::with_capacity(locals.len());
        // Rows before this one are in the values.
        let mut done = 0;
        for (row, (&local, &key)) in locals.iter().zip(&keys).enumerate() {
            let mut flushed = false;
            let slot = self.session_of(key, local, &mut |values, dirty| {
                flushed = true;
                apply(values, dirty, &batch.slice(done, row - done), &slots[done..])
            })?;
            if flushed {
                done = row;
            }
            slots.push(slot);
        }
        let rest = batch.slice(done, locals.len() - done);
        apply(&mut self.values, &mut self.dirty, &rest, &slots[done..])?;
        let late: Vec<u32> = (0..slots.len() as u32).filter(|row| slots[*row as usize] == LATE).collect();
        if !late.is_empty() {
            let times = crate::ops::window::millis(batch.rows().column(self.plan.window.time))?;
            let times: Vec<i64> = late.iter().map(|row| times.value(*row as usize)).collect();
            cx.late(batch.rows(), &late, &times)?;
            for row in late {
                let key = keys[row as usize];
                if self.of_key[key as usize].is_empty() {
                    self.table.remove(key);
                }
            }
        }
        Ok(())
    }

    /// Fires the sessions that are over at `now`.
    fn advance(&mut self, now: i64, cx: &mut OperatorContext<'_>) -> Result<()> {
        let mut fired = vec![];
        while let Some(&(timer, slot)) = self.timers.first() {
            if self.windows.fires_at(timer) > now {
                break;
            }
            self.timers.remove(&(timer, slot));
            let session = &mut self.sessions[slot as usize];
            if session.end > timer {
                session.timer = session.end;
                self.timers.insert((session.end, slot));
            } else {
                fired.push(slot);
            }
        }
        self.time = self.time.max(now);
        for slots in self.values.filled(fired.clone()).chunks(self.batch_rows) {
            let keys: Vec<u32> = slots.iter().map(|s| self.sessions[*s as usize].key).collect();
            let mut columns = self.table.columns(&keys)?;
            columns.extend(self.values.evaluate(slots)?);
            for (property, ty) in self.plan.properties.iter().zip(&self.property_types) {
                let values = slots.iter().map(|slot| {
                    let session = &self.sessions[*slot as usize];
                    self.windows.property(*property, session.start, session.end, cx.now_ms())
                });
                columns.push(timestamps(values, ty)?);
            }
            cx.emit(ChangeBatch::inserts(crate::ops::rows(&self.schema, columns, slots.len())?));
        }
        self.close(&fired)
    }
}

/// Brings rows into the values of their sessions; those that are late are left out.
fn apply(values: &mut Values, dirty: &mut DirtySlots, batch: &ChangeBatch, slots: &[u32]) -> Result<()> {
    if !slots.contains(&LATE) {
        dirty.mark(slots);
        return values.update(batch, slots);
    }
    let kept: Vec<u32> = slots.iter().copied().filter(|slot| *slot != LATE).collect();
    let batch = batch.filter(&BooleanArray::from_iter(slots.iter().map(|slot| Some(*slot != LATE))))?;
    dirty.mark(&kept);
    values.update(&batch, &kept)
}

impl Operator for SessionAggregator {
    fn on_batch(&mut self, _port: usize, batch: ChangeBatch, cx: &mut OperatorContext<'_>) -> Result<()> {
        let (batch, times) = timed(batch, self.plan.window.time, self.windows, cx)?;
        if self.windows.proctime() {
            self.on_time(cx)?;
        }
        self.add(&batch, &self.windows.locals(&times), cx)
    }

    fn on_watermark(&mut self, watermark: i64, cx: &mut OperatorContext<'_>) -> Result<()> {
        if self.windows.proctime() { Ok(()) } else { self.advance(watermark, cx) }
    }

    fn timer_ms(&self) -> Option<i64> {
        let (end, _) = self.timers.first().filter(|_| self.windows.proctime())?;
        Some(self.windows.fires_at(*end).saturating_add(1))
    }

    fn on_time(&mut self, cx: &mut OperatorContext<'_>) -> Result<()> {
        self.advance(cx.now_ms().saturating_sub(1), cx)
    }

    fn freeze(&mut self, state: &mut StateWriter<'_>) -> Result<()> {
        for (group, key) in self.gone.drain(..) {
            state.delete(group, &key);
        }
        let mut value = vec![];
        let dirty = self.dirty.take();
        let keys: Vec<u32> = dirty.iter().map(|slot| self.sessions[*slot as usize].key).collect();
        for (slot, (group, key)) in dirty.iter().zip(self.table.canonical(&keys)?.iter()) {
            let session = &self.sessions[*slot as usize];
            value.clear();
            value.extend_from_slice(&session.start.to_le_bytes());
            value.extend_from_slice(&session.end.to_le_bytes());
            self.values.save(*slot, &mut value);
            state.put(group, &state_key(session.number, key), &value);
        }
        Ok(())
    }

    fn restore(&mut self, entries: &[StateEntry]) -> Result<()> {
        for entry in entries {
            let (number, key) = split_state_key(&entry.key)?;
            let key = self.table.assign_canonical(&[key])?[0];
            self.of_key.resize(self.table.slots().max(self.of_key.len()), vec![]);
            let mut bytes = &entry.value[..];
            let (start, end) = (number_of(&mut bytes)?, number_of(&mut bytes)?);
            let slot = self.open(Session { start, end, timer: end, number, key });
            self.values.load(slot, &mut bytes)?;
            self.dirty.set_persisted(slot);
        }
        Ok(())
    }

    fn memory_bytes(&self) -> usize {
        self.table.memory_bytes() + self.values.memory_bytes() + self.sessions.capacity() * size_of::<Session>()
    }
}

fn number_of(bytes: &mut &[u8]) -> Result<i64> {
    let (head, rest) = bytes.split_first_chunk::<8>().ok_or_else(|| Error::bug("a session's state ends early"))?;
    *bytes = rest;
    Ok(i64::from_le_bytes(*head))
}
