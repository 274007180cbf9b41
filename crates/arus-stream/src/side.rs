//! Rows that leave the stream by the side: late ones and quarantined ones. They are counted, kept and queryable.
//!
//! A record of a source is named by its partition and offset; what an operator sets aside by the operator's uid, the
//! epoch and an ordinal within the epoch. Both are part of the checkpoint that holds the rows around them, so a
//! replay after a restore writes the same set again.

use arrow::array::{Array, RecordBatch, UInt32Array};
use arrow::compute::take_record_batch;
use arrow::json::LineDelimitedWriter;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use arus_core::Result;
use arus_core::catalog::ObjectPath;
use arus_core::change::arrow_bug;
use arus_core::plan::Uid;

/// Names a row that an operator set aside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SideKey {
    pub uid: Uid,
    pub epoch: u64,
    /// Counts the rows that this pipeline set aside since the barrier.
    pub ordinal: u64,
}

/// A row that came after its window had fired.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LateRow {
    /// The source table whose readers these rows belong to.
    pub table: ObjectPath,
    pub key: SideKey,
    /// The row as JSON text.
    pub row: String,
    /// The row's event time in ms.
    pub time_ms: i64,
    pub watermark_ms: i64,
    pub operator: &'static str,
    pub now_ms: i64,
}

/// Where a quarantined record came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordOrigin {
    pub split: String,
    pub partition: i32,
    pub offset: i64,
}

/// A record that could not be decoded, or a row whose expression failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuarantinedRow {
    pub table: ObjectPath,
    pub key: SideKey,
    /// The record as it came; after the source, the row as JSON text.
    pub bytes: Vec<u8>,
    pub reason: String,
    /// `None` after the source.
    pub origin: Option<RecordOrigin>,
    pub operator: &'static str,
    pub now_ms: i64,
}

/// Takes what is set aside; called at the end of each step and before each barrier.
pub trait SideTables: Send {
    fn late(&mut self, rows: Vec<LateRow>) -> Result<()>;
    fn quarantine(&mut self, rows: Vec<QuarantinedRow>) -> Result<()>;
}

/// What a step has set aside so far.
#[derive(Default)]
pub(crate) struct SideRows {
    pub(crate) late: Vec<LateRow>,
    pub(crate) quarantined: Vec<QuarantinedRow>,
    pub(crate) epoch: u64,
    next_ordinal: u64,
    task: u64,
    tasks: u64,
}

impl SideRows {
    /// Of one task among several, whose ordinals are others than theirs.
    pub(crate) fn new(task: usize, tasks: usize) -> Self {
        SideRows { next_ordinal: task as u64, task: task as u64, tasks: tasks as u64, ..SideRows::default() }
    }

    pub(crate) fn key(&mut self, uid: Uid) -> SideKey {
        let ordinal = self.next_ordinal;
        self.next_ordinal += self.tasks;
        SideKey { uid, epoch: self.epoch, ordinal }
    }

    /// `epoch` has ended; what follows belongs to the next.
    pub(crate) fn next_epoch(&mut self, epoch: u64) {
        self.epoch = epoch + 1;
        self.next_ordinal = self.task;
    }

    pub(crate) fn flush(&mut self, tables: &mut dyn SideTables) -> Result<()> {
        if !self.late.is_empty() {
            tables.late(std::mem::take(&mut self.late))?;
        }
        if !self.quarantined.is_empty() {
            tables.quarantine(std::mem::take(&mut self.quarantined))?;
        }
        Ok(())
    }
}

/// Rows as JSON text, for people: a type that JSON lines cannot carry is shown as text.
pub fn rows_as_json(rows: &RecordBatch, indices: &[u32]) -> Result<Vec<String>> {
    let taken = take_record_batch(rows, &UInt32Array::from(indices.to_vec())).map_err(arrow_bug)?;
    let mut text = Vec::new();
    let mut writer = LineDelimitedWriter::new(&mut text);
    if writer.write(&taken).and_then(|()| writer.finish()).is_ok() {
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<String> = text.lines().map(str::to_string).collect();
        if lines.len() == indices.len() {
            return Ok(lines);
        }
    }
    (0..taken.num_rows()).map(|row| row_as_text(&taken, row)).collect()
}

fn row_as_text(rows: &RecordBatch, row: usize) -> Result<String> {
    let options = FormatOptions::default();
    let mut out = String::from("{");
    for (i, field) in rows.schema().fields().iter().enumerate() {
        let column = rows.column(i);
        let value = if column.is_null(row) {
            "null".to_string()
        } else {
            let formatter = ArrayFormatter::try_new(column.as_ref(), &options).map_err(arrow_bug)?;
            format!("{:?}", formatter.value(row).to_string())
        };
        let comma = if i == 0 { "" } else { "," };
        out.push_str(&format!("{comma}{:?}:{value}", field.name()));
    }
    out.push('}');
    Ok(out)
}
