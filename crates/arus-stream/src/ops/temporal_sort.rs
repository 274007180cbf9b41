//! ORDER BY a time attribute first: takes and gives +I only.
//!
//! Event time: a row waits until the watermark reaches its time; then rows leave by time, then by the other columns,
//! then as they came. As in Flink a row is late when rows of its time or a later one have left; it is counted and kept.
//! Processing time: rows leave at once; those of one batch have one time and are sorted by the other columns.
//!
//! State: an entry a waiting row. The key is its time (big endian, sign flipped), its order and its number; the value is
//! the row. One entry of an empty key has the time of the last rows that left.

use std::collections::BTreeMap;

use arrow::array::{Array, UInt32Array};
use arrow::datatypes::SchemaRef;
use arus_core::key_group::key_group;
use arus_core::plan::{Node, TemporalSort};
use arus_core::types::TimeAttribute;
use arus_core::{ChangeBatch, Error, Result};
use arus_storage::codec::RowCodec;

use crate::operator::{Operator, OperatorContext};
use crate::ops::sort_key::SortEncoder;
use crate::ops::window::{NO_ROWTIME, millis};
use crate::state::{StateEntry, StateWriter};

pub(crate) struct TemporalSorter {
    time: usize,
    is_processing_time: bool,
    schema: SchemaRef,
    rows: RowCodec,
    sort: SortEncoder,
    /// By state key.
    waiting: BTreeMap<Vec<u8>, Waiting>,
    next_number: u64,
    /// Of the rows that left last.
    left_ms: Option<i64>,
    left_changed: bool,
    /// Keys of rows that left since the last freeze, but stand in a checkpoint.
    gone: Vec<Vec<u8>>,
    batch_rows: usize,
    /// Of the rows that wait.
    bytes: usize,
}

struct Waiting {
    time_ms: i64,
    row: Box<[u8]>,
    persisted: bool,
}

impl TemporalSorter {
    pub(crate) fn new(plan: &TemporalSort, node: &Node, input: &Node, batch_rows: usize) -> Self {
        TemporalSorter {
            time: plan.time,
            is_processing_time: plan.time_type.kind.time_attribute() == TimeAttribute::Proctime,
            schema: node.schema.to_arrow(),
            rows: RowCodec::new(input.schema.types().cloned()),
            sort: SortEncoder::new(&plan.order, &input.schema),
            waiting: BTreeMap::new(),
            next_number: 0,
            left_ms: None,
            left_changed: false,
            gone: vec![],
            batch_rows: batch_rows.max(1),
            bytes: 0,
        }
    }

    fn wait(&mut self, key: Vec<u8>, waiting: Waiting) {
        self.bytes += weight(&key, &waiting.row);
        // The number at its end makes every key another one.
        self.waiting.insert(key, waiting);
    }

    fn sorted_at_once(&self, batch: ChangeBatch, cx: &mut OperatorContext<'_>) -> Result<()> {
        let orders = self.sort.encode(batch.rows())?;
        let mut order: Vec<u32> = (0..batch.num_rows() as u32).collect();
        order.sort_by(|a, b| orders.get(*a as usize).cmp(orders.get(*b as usize)));
        cx.emit(batch.take(&UInt32Array::from(order))?);
        Ok(())
    }
}

impl Operator for TemporalSorter {
    fn on_batch(&mut self, _port: usize, batch: ChangeBatch, cx: &mut OperatorContext<'_>) -> Result<()> {
        if self.is_processing_time {
            return self.sorted_at_once(batch, cx);
        }
        let times = millis(batch.rows().column(self.time))?;
        if times.null_count() > 0 {
            let untimed = (0..batch.num_rows() as u32).filter(|row| times.is_null(*row as usize));
            let failed: Vec<_> = untimed.map(|row| (row, NO_ROWTIME.to_string())).collect();
            cx.quarantine(batch.rows(), &failed)?;
        }
        let rows = self.rows.encode(batch.rows().columns(), batch.num_rows())?;
        let orders = self.sort.encode(batch.rows())?;
        let mut late: Vec<u32> = vec![];
        for row in (0..batch.num_rows()).filter(|row| times.is_valid(*row)) {
            let time_ms = times.value(row);
            if self.left_ms.is_some_and(|left_ms| time_ms <= left_ms) {
                late.push(row as u32);
                continue;
            }
            self.next_number += 1;
            let key = [
                &((time_ms as u64) ^ (1 << 63)).to_be_bytes()[..],
                orders.get(row),
                &self.next_number.to_be_bytes()[..],
            ];
            self.wait(key.concat(), Waiting { time_ms, row: rows.get(row).into(), persisted: false });
        }
        if !late.is_empty() {
            let late_times: Vec<i64> = late.iter().map(|row| times.value(*row as usize)).collect();
            cx.late(batch.rows(), &late, &late_times)?;
        }
        Ok(())
    }

    fn on_watermark(&mut self, watermark: i64, cx: &mut OperatorContext<'_>) -> Result<()> {
        let mut ready: Vec<Box<[u8]>> = vec![];
        while let Some(entry) = self.waiting.first_entry() {
            if entry.get().time_ms > watermark {
                break;
            }
            let (key, waiting) = entry.remove_entry();
            self.bytes -= weight(&key, &waiting.row);
            self.left_ms = Some(waiting.time_ms);
            self.left_changed = true;
            if waiting.persisted {
                self.gone.push(key);
            }
            ready.push(waiting.row);
        }
        for part in ready.chunks(self.batch_rows) {
            let columns = self.rows.decode(part.iter().map(|row| &**row))?;
            cx.emit(ChangeBatch::inserts(crate::ops::rows(&self.schema, columns, part.len())?));
        }
        Ok(())
    }

    fn freeze(&mut self, state: &mut StateWriter<'_>) -> Result<()> {
        let group = key_group(&[]);
        for key in self.gone.drain(..) {
            state.delete(group, &key);
        }
        for (key, waiting) in self.waiting.iter_mut().filter(|(_, waiting)| !waiting.persisted) {
            state.put(group, key, &waiting.row);
            waiting.persisted = true;
        }
        if let Some(left_ms) = self.left_ms
            && std::mem::replace(&mut self.left_changed, false)
        {
            state.put(group, &[], &left_ms.to_be_bytes());
        }
        Ok(())
    }

    fn restore(&mut self, entries: &[StateEntry]) -> Result<()> {
        let broken = || Error::bug("a waiting row's state is none");
        for StateEntry { key, value, .. } in entries {
            if key.is_empty() {
                let (left_ms, _) = value.split_first_chunk::<8>().ok_or_else(broken)?;
                self.left_ms = Some(i64::from_be_bytes(*left_ms));
                continue;
            }
            let (time, rest) = key.split_first_chunk::<8>().ok_or_else(broken)?;
            let (_, number) = rest.split_last_chunk::<8>().ok_or_else(broken)?;
            let time_ms = (u64::from_be_bytes(*time) ^ (1 << 63)) as i64;
            self.next_number = self.next_number.max(u64::from_be_bytes(*number));
            let waiting = Waiting { time_ms, row: value.as_slice().into(), persisted: true };
            self.wait(key.clone(), waiting);
        }
        Ok(())
    }

    fn memory_bytes(&self) -> usize {
        self.bytes
    }
}

/// Bytes of memory that a waiting row costs.
fn weight(key: &[u8], row: &[u8]) -> usize {
    key.len() + row.len() + 64
}
