//! The operator trait. Operators are synchronous: no channel, clock, file or control plane is in reach; the
//! pipeline aligns watermarks and barriers and owns every loop.

use std::ops::Range;

use arrow::array::RecordBatch;
use arus_core::catalog::ObjectPath;
use arus_core::connector::SinkWriter;
use arus_core::plan::Uid;
use arus_core::{ChangeBatch, Error, Result};

use crate::message::Message;
use crate::settings::ErrorPolicy;
use crate::side::{LateRow, QuarantinedRow, RecordOrigin, SideRows, rows_as_json};
use crate::state::{StateEntry, StateWriter};
use crate::stats::OperatorStats;

pub trait Operator: Send {
    fn on_batch(&mut self, port: usize, batch: ChangeBatch, cx: &mut OperatorContext<'_>) -> Result<()>;

    /// The watermark of all inputs together has risen. What is due is emitted here; the pipeline forwards the watermark
    /// afterwards.
    fn on_watermark(&mut self, _watermark: i64, _cx: &mut OperatorContext<'_>) -> Result<()> {
        Ok(())
    }

    /// When the clock reaches this, `on_time` has something to do.
    fn timer_ms(&self) -> Option<i64> {
        None
    }

    /// The clock has reached [`Self::timer_ms`].
    fn on_time(&mut self, _cx: &mut OperatorContext<'_>) -> Result<()> {
        Ok(())
    }

    /// All inputs have passed the barrier of `epoch`.
    fn on_barrier(&mut self, _epoch: u64, _cx: &mut OperatorContext<'_>) -> Result<()> {
        Ok(())
    }

    /// Writes what changed since the last call. Called between a barrier and the next message.
    fn freeze(&mut self, _state: &mut StateWriter<'_>) -> Result<()> {
        Ok(())
    }

    /// Takes back everything that was frozen, before the first message; may be called with parts.
    fn restore(&mut self, _entries: &[StateEntry]) -> Result<()> {
        Ok(())
    }

    fn memory_bytes(&self) -> usize {
        0
    }

    /// The connector's writing end, for the engine's checkpoints.
    fn sink_writer(&mut self) -> Option<&mut dyn SinkWriter> {
        None
    }

    /// Offsets at which the last barrier stands in the partitions of a topic sink.
    fn markers(&self) -> Option<Vec<i64>> {
        None
    }
}

/// What an operator may do while it handles one message.
pub struct OperatorContext<'a> {
    pub(crate) outputs: &'a mut Vec<Message>,
    pub(crate) side: &'a mut SideRows,
    pub(crate) stats: &'a OperatorStats,
    pub(crate) node: &'a NodeInfo,
    /// The clock's reading for the batch at hand.
    pub(crate) now_ms: i64,
    /// Of all inputs together, as forwarded; [`crate::WATERMARK_NONE`] at the start.
    pub(crate) watermark: i64,
}

/// What does not change of a node.
pub(crate) struct NodeInfo {
    pub(crate) uid: Uid,
    pub(crate) name: &'static str,
    /// The source table that rows set aside here are filed under.
    pub(crate) table: ObjectPath,
    pub(crate) policy: ErrorPolicy,
    pub(crate) key_groups: Range<u16>,
    /// The number of this task.
    pub(crate) task: usize,
}

impl OperatorContext<'_> {
    pub fn now_ms(&self) -> i64 {
        self.now_ms
    }

    pub fn watermark(&self) -> i64 {
        self.watermark
    }

    pub fn emit(&mut self, batch: ChangeBatch) {
        if batch.num_rows() > 0 {
            self.outputs.push(Message::Batch(batch));
        }
    }

    /// Keeps rows that came after their window had fired: `rows[indices[i]]` at `times[i]`.
    pub fn late(&mut self, rows: &RecordBatch, indices: &[u32], times: &[i64]) -> Result<()> {
        for (row, time_ms) in rows_as_json(rows, indices)?.into_iter().zip(times) {
            let late = LateRow {
                table: self.node.table.clone(),
                key: self.side.key(self.node.uid),
                row,
                time_ms: *time_ms,
                watermark_ms: self.watermark,
                operator: self.node.name,
                now_ms: self.now_ms,
            };
            self.side.late.push(late);
        }
        self.stats.add_late(indices.len());
        Ok(())
    }

    /// Sets rows aside whose expressions failed, or fails the pipeline, by `arus.exec.error-policy`.
    pub fn quarantine(&mut self, rows: &RecordBatch, failed: &[(u32, String)]) -> Result<()> {
        let Some((_, reason)) = failed.first() else { return Ok(()) };
        let indices: Vec<u32> = failed.iter().map(|(row, _)| *row).collect();
        if self.node.policy != ErrorPolicy::Quarantine {
            let row = rows_as_json(rows, &indices[..1])?.join("");
            return Err(failing(self.node.name, reason).with_hint(format!("the row was {row}")));
        }
        for (row, (_, reason)) in rows_as_json(rows, &indices)?.into_iter().zip(failed) {
            self.set_aside(row.into_bytes(), reason.clone(), None);
        }
        Ok(())
    }

    /// The same for a record of a source, with its bytes as they came.
    pub(crate) fn quarantine_record(&mut self, bytes: &[u8], reason: String, origin: RecordOrigin) -> Result<()> {
        if self.node.policy == ErrorPolicy::Fail {
            let place = format!("{}, record {} of {}", self.node.table, origin.offset, origin.split);
            let text = String::from_utf8_lossy(&bytes[..bytes.len().min(200)]).into_owned();
            return Err(failing(&place, &reason).with_hint(format!("the record was {text}")));
        }
        self.set_aside(bytes.to_vec(), reason, Some(origin));
        Ok(())
    }

    fn set_aside(&mut self, bytes: Vec<u8>, reason: String, origin: Option<RecordOrigin>) {
        let row = QuarantinedRow {
            table: self.node.table.clone(),
            key: self.side.key(self.node.uid),
            bytes,
            reason,
            origin,
            operator: self.node.name,
            now_ms: self.now_ms,
        };
        self.side.quarantined.push(row);
        self.stats.add_quarantined(1);
    }
}

fn failing(place: &str, reason: &str) -> Error {
    Error::data(format!("{place}: {reason}"))
}
