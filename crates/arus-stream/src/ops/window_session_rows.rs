//! SESSION as a table function: rows wait until their session is over, then leave with its window, in the order in
//! which they came.
//!
//! Takes and emits every row kind. A row is late when the session that it would be in has fired: counted and kept.
//!
//! State: one entry a row; the key is its number (big endian, sign flipped) and the canonical key of its partition, the
//! value is its time in ms, its kind and its bytes. Sessions follow from the rows, so they are not stored.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::datatypes::SchemaRef;
use arus_core::plan::{Node, Window, WindowProperty};
use arus_core::{ChangeBatch, Error, LogicalType, Result, RowKind};
use arus_storage::codec::{KeyCodec, RowCodec};

use crate::operator::{Operator, OperatorContext};
use crate::ops::window::{Windows, timed, timestamps};
use crate::ops::window_aggregate::{split_state_key, state_key};
use crate::settings::PipelineSettings;
use crate::state::{StateEntry, StateWriter};

pub(crate) struct SessionRows {
    window: Window,
    windows: Windows,
    schema: SchemaRef,
    /// Of start, end and time.
    types: [LogicalType; 3],
    keys: KeyCodec,
    rows: RowCodec,
    /// Open sessions by (partition, start).
    sessions: BTreeMap<(Arc<[u8]>, i64), Session>,
    /// (end, partition, start) of each open session.
    timers: BTreeSet<(i64, Arc<[u8]>, i64)>,
    /// The watermark, or the clock, that sessions have fired up to.
    time: i64,
    next_number: i64,
    /// Whether rows came since the last freeze.
    fresh: bool,
    gone: Vec<(u16, Vec<u8>)>,
    batch_rows: usize,
    /// Of the rows that wait.
    bytes: usize,
}

struct Session {
    end: i64,
    rows: Vec<Waiting>,
}

struct Waiting {
    number: i64,
    time: i64,
    kind: RowKind,
    bytes: Box<[u8]>,
    persisted: bool,
}

impl SessionRows {
    pub(crate) fn new(
        window: &Window,
        node: &Node,
        input: &Node,
        settings: &PipelineSettings,
        watermark: i64,
    ) -> Result<Self> {
        let [.., start, end, time] = node.schema.columns() else {
            return Err(Error::bug("a window table function without its three columns"));
        };
        let windows = Windows::new(window, &settings.time_zone)?;
        let partition = window.partition.iter().map(|k| input.schema.columns()[*k].ty.clone());
        Ok(SessionRows {
            window: window.clone(),
            windows,
            schema: node.schema.to_arrow(),
            types: [start.ty.clone(), end.ty.clone(), time.ty.clone()],
            keys: KeyCodec::new(partition),
            rows: RowCodec::new(input.schema.types().cloned()),
            sessions: BTreeMap::new(),
            timers: BTreeSet::new(),
            time: if windows.proctime() { i64::MIN } else { watermark },
            next_number: 0,
            fresh: false,
            gone: vec![],
            batch_rows: settings.batch_rows.max(1),
            bytes: 0,
        })
    }

    /// Puts a row into its session; `false`: it is late.
    fn place(&mut self, key: &Arc<[u8]>, local: i64, row: Waiting) -> bool {
        let (mut start, mut end) = (local, local.wrapping_add(self.windows.kind.size_ms()));
        // Sessions of a key lie apart, so those that the row touches follow each other.
        let touching: Vec<i64> = self
            .sessions
            .range((key.clone(), i64::MIN)..=(key.clone(), end))
            .rev()
            .take_while(|(_, session)| session.end >= start)
            .map(|((_, start), _)| *start)
            .collect();
        if touching.is_empty() && self.windows.fires_at(end) <= self.time {
            return false;
        }
        let mut rows = vec![];
        for at in touching {
            if let Some(session) = self.sessions.remove(&(key.clone(), at)) {
                self.timers.remove(&(session.end, key.clone(), at));
                (start, end) = (start.min(at), end.max(session.end));
                if rows.is_empty() {
                    rows = session.rows;
                } else {
                    rows.extend(session.rows);
                }
            }
        }
        self.bytes += row.weight();
        rows.push(row);
        self.timers.insert((end, key.clone(), start));
        self.sessions.insert((key.clone(), start), Session { end, rows });
        true
    }

    fn advance(&mut self, now: i64, cx: &mut OperatorContext<'_>) -> Result<()> {
        while let Some((end, key, start)) = self.timers.first().cloned() {
            if self.windows.fires_at(end) > now {
                break;
            }
            self.timers.remove(&(end, key.clone(), start));
            let session = self.sessions.remove(&(key.clone(), start));
            let mut session = session.ok_or_else(|| Error::bug("a timer without its session"))?;
            session.rows.sort_unstable_by_key(|row| row.number);
            for rows in session.rows.chunks(self.batch_rows) {
                let mut columns = self.rows.decode(rows.iter().map(|row| &*row.bytes))?;
                let properties = [WindowProperty::Start, WindowProperty::End, WindowProperty::Time];
                for (property, ty) in properties.into_iter().zip(&self.types) {
                    let value = self.windows.property(property, start, end, cx.now_ms());
                    columns.push(timestamps(rows.iter().map(|_| value), ty)?);
                }
                let kinds = rows.iter().map(|row| row.kind).collect();
                cx.emit(ChangeBatch::new(crate::ops::rows(&self.schema, columns, rows.len())?, kinds));
            }
            let group = arus_core::key_group::key_group(&key);
            for row in &session.rows {
                self.bytes -= row.weight();
                if row.persisted {
                    self.gone.push((group, state_key(row.number, &key)));
                }
            }
        }
        self.time = self.time.max(now);
        Ok(())
    }
}

impl Operator for SessionRows {
    fn on_batch(&mut self, _port: usize, batch: ChangeBatch, cx: &mut OperatorContext<'_>) -> Result<()> {
        let (batch, times) = timed(batch, self.window.time, self.windows, cx)?;
        if self.windows.proctime() {
            self.on_time(cx)?;
        }
        let locals = self.windows.locals(&times);
        let columns: Vec<ArrayRef> = self.window.partition.iter().map(|k| batch.rows().column(*k).clone()).collect();
        let keys = self.keys.encode(&columns, batch.num_rows())?;
        let encoded = self.rows.encode(batch.rows().columns(), batch.num_rows())?;
        let mut late = vec![];
        for (row, local) in locals.into_iter().enumerate() {
            let key: Arc<[u8]> = keys.get(row).into();
            let number = self.next_number;
            let (time, kind) = (times.value(row), batch.kind(row));
            let waiting = Waiting { number, time, kind, bytes: encoded.get(row).into(), persisted: false };
            if self.place(&key, local, waiting) {
                self.next_number += 1;
                self.fresh = true;
            } else {
                late.push(row as u32);
            }
        }
        if late.is_empty() {
            return Ok(());
        }
        let times: Vec<i64> = late.iter().map(|row| times.value(*row as usize)).collect();
        cx.late(batch.rows(), &late, &times)
    }

    fn on_watermark(&mut self, watermark: i64, cx: &mut OperatorContext<'_>) -> Result<()> {
        if self.windows.proctime() { Ok(()) } else { self.advance(watermark, cx) }
    }

    fn timer_ms(&self) -> Option<i64> {
        let (end, ..) = self.timers.first().filter(|_| self.windows.proctime())?;
        Some(self.windows.fires_at(*end).saturating_add(1))
    }

    fn on_time(&mut self, cx: &mut OperatorContext<'_>) -> Result<()> {
        self.advance(cx.now_ms().saturating_sub(1), cx)
    }

    fn freeze(&mut self, state: &mut StateWriter<'_>) -> Result<()> {
        for (group, key) in self.gone.drain(..) {
            state.delete(group, &key);
        }
        if !std::mem::take(&mut self.fresh) {
            return Ok(());
        }
        for ((key, _), session) in &mut self.sessions {
            let group = arus_core::key_group::key_group(key);
            for row in session.rows.iter_mut().filter(|row| !row.persisted) {
                let mut value = Vec::with_capacity(9 + row.bytes.len());
                value.extend_from_slice(&row.time.to_le_bytes());
                value.push(row.kind as u8);
                value.extend_from_slice(&row.bytes);
                state.put(group, &state_key(row.number, key), &value);
                row.persisted = true;
            }
        }
        Ok(())
    }

    fn restore(&mut self, entries: &[StateEntry]) -> Result<()> {
        // Rows that wait are not late, whatever has fired meanwhile.
        let time = std::mem::replace(&mut self.time, i64::MIN);
        for entry in entries {
            let (number, key) = split_state_key(&entry.key)?;
            let damaged = || Error::bug("a row of a session is cut off");
            let (row_time, rest) = entry.value.split_first_chunk::<8>().ok_or_else(damaged)?;
            let (kind, bytes) = rest.split_first().ok_or_else(damaged)?;
            let kind = RowKind::from_byte(*kind).ok_or_else(damaged)?;
            let row_time = i64::from_le_bytes(*row_time);
            let local = self.windows.locals(&vec![row_time].into())[0];
            let waiting = Waiting { number, time: row_time, kind, bytes: bytes.into(), persisted: true };
            self.place(&key.into(), local, waiting);
            self.next_number = self.next_number.max(number + 1);
        }
        self.time = time;
        Ok(())
    }

    fn memory_bytes(&self) -> usize {
        self.bytes
    }
}

impl Waiting {
    /// Bytes of memory that it costs.
    fn weight(&self) -> usize {
        self.bytes.len() + size_of::<Waiting>()
    }
}
