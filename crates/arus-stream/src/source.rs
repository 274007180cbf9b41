//! The source of a scan: polls its splits, decodes, sets bad records aside, evaluates computed columns and emits
//! batches with the watermark that Flink would have after each row.
//!
//! Splits that are read one after another (files) are polled in order; others (partitions) side by side, fairly. The
//! watermark is the lowest of the active splits: a finished one and an idle one do not hold it. Only polls that find
//! nothing count as idleness.

mod decode;
mod metadata;
pub(crate) mod watermark;

use std::sync::Arc;

use arrow::array::{Array, BooleanArray};
use arrow::compute::max;
use arus_core::catalog::{TableDef, TableKind};
use arus_core::connector::{PollLimit, Polled, Position, Source, SourceReader, Split};
use arus_core::limits::POLL_BYTES;
use arus_core::plan::{Node, Scan};
use arus_core::{ChangeBatch, Error, Result, planted};
use serde::{Deserialize, Serialize};

use crate::eval::Expressions;
use crate::message::{Message, WATERMARK_END, WATERMARK_NONE};
use crate::operator::OperatorContext;
use crate::ops::window::millis;
use crate::pipeline::exchange::Dealer;
use crate::pipeline::io::ScanHandle;
use crate::source::decode::{Arrived, Decoding, Place};
use crate::source::watermark::{Cutter, Lateness};
use crate::stats::SplitFigures;

/// A scan in a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScanState {
    pub splits: Vec<SplitState>,
    /// The watermark that was emitted.
    pub watermark: i64,
    pub idle: bool,
    pub ended: bool,
}

/// A split in a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SplitState {
    pub split: Split,
    /// Where to go on; `None`: it was not opened yet.
    pub position: Option<Position>,
    /// The highest watermark of its rows.
    pub watermark: i64,
    pub idle: bool,
    pub finished: bool,
    /// The highest watermark of rows that came in no order of time, not told yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held: Option<i64>,
}

pub(crate) struct ScanTask {
    table: Arc<TableDef>,
    source: Arc<dyn Source>,
    sequential: bool,
    decoding: Decoding,
    watermark: Option<RowWatermark>,
    splits: Vec<SplitTask>,
    /// Where the next round starts.
    next: usize,
    emitted: i64,
    idle: bool,
    ended: bool,
    dealer: Arc<Dealer>,
    /// Of the dealer's list, as many as this task has seen.
    seen: usize,
    /// The clock at the first poll that found nothing in any split, since the last that found something.
    nothing_since_ms: Option<i64>,
    batch_rows: usize,
}

struct RowWatermark {
    column: usize,
    expr: Expressions,
    idle_timeout_ms: i64,
    lateness: Lateness,
    /// Flink's kafka source makes the watermark itself. Elsewhere its own operator does, which starts from 0 and fails
    /// where the rowtime is NULL.
    in_source: bool,
}

struct SplitTask {
    state: SplitState,
    reader: Option<Box<dyn SourceReader>>,
    /// The clock at the first poll that found nothing, since the last that found something.
    nothing_since_ms: Option<i64>,
}

/// What one poll of a scan did.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct PollReport {
    pub(crate) rows: usize,
    /// Whether anything was found: rows, the end of a split.
    pub(crate) moved: bool,
}

impl ScanTask {
    pub(crate) fn new(
        scan: &Scan,
        node: &Node,
        handle: ScanHandle,
        settings: &crate::PipelineSettings,
        lateness: Lateness,
        restore: Option<&ScanState>,
        share: (&Arc<Dealer>, usize),
    ) -> Result<Self> {
        let connector = scan.table.connector().unwrap_or_default();
        let in_source = matches!(scan.table.kind, TableKind::Topic | TableKind::Keyed)
            || matches!(connector, "kafka" | "upsert-kafka");
        let watermark = scan
            .watermark
            .as_ref()
            .map(|w| {
                Ok::<_, Error>(RowWatermark {
                    column: w.column,
                    expr: Expressions::compile(std::slice::from_ref(&w.expr), settings.compiling(node.uid).part(0))?,
                    idle_timeout_ms: w.idle_timeout_ms,
                    lateness,
                    in_source,
                })
            })
            .transpose()?;
        let (dealer, task) = share;
        let splits = restore.map_or(vec![], |state| {
            let own = state.splits.iter().enumerate().filter(|(number, _)| dealer.is_of(*number, task));
            own.map(|(_, split)| SplitTask { state: restored(split), reader: None, nothing_since_ms: None }).collect()
        });
        let mut scan = ScanTask {
            table: scan.table.clone(),
            sequential: handle.source.sequential(),
            source: handle.source,
            decoding: Decoding::new(scan, node, handle.decoder, settings.compiling(node.uid))?,
            watermark,
            splits,
            next: 0,
            emitted: restore.filter(|_| !planted("watermark-not-restored")).map_or(WATERMARK_NONE, |s| s.watermark),
            idle: restore.is_some_and(|s| s.idle),
            ended: restore.is_some_and(|s| s.ended),
            dealer: dealer.clone(),
            seen: restore.map_or(0, |s| s.splits.len()),
            nothing_since_ms: None,
            batch_rows: settings.batch_rows.max(1),
        };
        scan.begin_idle(settings.clock.now_ms(), task);
        Ok(scan)
    }

    /// Of several tasks those without a split that may give rows hold nobody up from the beginning.
    fn begin_idle(&mut self, now_ms: i64, task: usize) {
        // Who cannot look for splits here is told so at its first poll.
        let known = self.dealer.tasks() > 1 && self.enumerate(now_ms, task).is_ok();
        let mut open = self.splits.iter().filter(|s| !s.state.finished);
        self.idle |= known && !self.ended && open.all(|s| s.state.idle);
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.idle
    }

    pub(crate) fn ended(&self) -> bool {
        self.ended
    }

    /// Rows known to wait in the splits that are open.
    pub(crate) fn backlog(&self) -> u64 {
        self.splits.iter().filter_map(|s| s.reader.as_ref()?.backlog()).sum()
    }

    pub(crate) fn state(&self) -> ScanState {
        let splits = self
            .splits
            .iter()
            .map(|s| {
                let mut state = s.state.clone();
                if let Some(reader) = &s.reader {
                    state.position = Some(reader.position());
                }
                state
            })
            .collect();
        ScanState { splits, watermark: self.emitted, idle: self.idle, ended: self.ended }
    }

    pub(crate) fn on_barrier(&mut self) {
        self.splits.iter_mut().filter_map(|s| s.reader.as_mut()).for_each(|reader| reader.on_barrier());
    }

    pub(crate) fn on_durable(&mut self, state: &ScanState) -> Result<()> {
        for durable in &state.splits {
            let task = self.splits.iter_mut().find(|s| s.state.split == durable.split);
            if let (Some(SplitTask { reader: Some(reader), .. }), Some(position)) = (task, &durable.position) {
                reader.on_durable(position)?;
            }
        }
        Ok(())
    }

    /// Asks one split, the next in turn, for at most `rows` rows.
    pub(crate) fn poll(&mut self, rows: usize, cx: &mut OperatorContext<'_>) -> Result<PollReport> {
        if self.ended {
            return Ok(PollReport::default());
        }
        let found = self.enumerate(cx.now_ms(), cx.node.task)?;
        let was_idle = self.idle;
        let mut report = PollReport { rows: 0, moved: found };
        for _ in 0..self.splits.len() {
            let Some(index) = self.choose() else { break };
            let polled = self.poll_split(index, rows, cx)?;
            report.rows += polled.rows;
            report.moved |= polled.moved;
            if polled.moved {
                break;
            }
            if self.sequential {
                break;
            }
        }
        self.update_idleness(report.moved, cx);
        if self.source.bounded() && self.splits.iter().all(|s| s.state.finished) {
            self.end(cx);
            report.moved = true;
        }
        cx.stats.set_backlog(cx.node.task, self.backlog());
        if report.moved || self.idle != was_idle {
            cx.stats.set_splits(cx.node.task, self.splits.iter().map(|s| s.figures()));
        }
        Ok(report)
    }

    /// Nothing follows: the watermark passes every window, then the end.
    pub(crate) fn end(&mut self, cx: &mut OperatorContext<'_>) {
        if self.ended {
            return;
        }
        self.ended = true;
        self.idle = false;
        self.emitted = WATERMARK_END;
        cx.outputs.push(Message::Watermark(WATERMARK_END));
        cx.outputs.push(Message::End);
    }

    /// Takes its share of new splits when it is time to look for them; whether there were any.
    fn enumerate(&mut self, now_ms: i64, task: usize) -> Result<bool> {
        let new = self.dealer.deal(self.source.as_ref(), now_ms, task, &mut self.seen)?;
        let found = !new.is_empty();
        for split in new {
            let state = SplitState {
                split,
                position: None,
                watermark: WATERMARK_NONE,
                idle: false,
                finished: false,
                held: None,
            };
            self.splits.push(SplitTask { state, reader: None, nothing_since_ms: None });
        }
        Ok(found)
    }

    /// The split to ask: the first unfinished one, or the next in turn.
    fn choose(&mut self) -> Option<usize> {
        if self.sequential {
            return self.splits.iter().position(|s| !s.state.finished);
        }
        let count = self.splits.len();
        let index = (0..count).map(|i| (self.next + i) % count).find(|i| !self.splits[*i].state.finished)?;
        self.next = (index + 1) % count;
        Some(index)
    }

    fn poll_split(&mut self, index: usize, rows: usize, cx: &mut OperatorContext<'_>) -> Result<PollReport> {
        let limit = PollLimit { rows: rows.clamp(1, self.batch_rows), bytes: POLL_BYTES };
        let task = &mut self.splits[index];
        if task.reader.is_none() {
            let context = || format!("table {}, split {}", self.table.path, task.state.split.id);
            let opened = self.source.open(&task.state.split, task.state.position.as_ref());
            task.reader = Some(opened.map_err(|e| e.in_context(context()))?);
        }
        let reader = task.reader.as_mut().ok_or_else(|| Error::bug("a split without a reader"))?;
        let polled = reader.poll(limit)?;
        let arrived = match polled {
            Polled::Idle => {
                // What came in no order is complete for now.
                if let Some(held) = task.state.held.take() {
                    task.state.watermark = task.state.watermark.max(held);
                    self.advance(cx);
                    return Ok(PollReport { rows: 0, moved: true });
                }
                let since = *task.nothing_since_ms.get_or_insert(cx.now_ms());
                let timeout = self.watermark.as_ref().map_or(0, |w| w.idle_timeout_ms);
                if timeout > 0 && cx.now_ms().saturating_sub(since) >= timeout {
                    task.state.idle = true;
                }
                return Ok(PollReport::default());
            }
            Polled::End => {
                task.state.position = Some(reader.position());
                task.state.finished = true;
                task.reader = None;
                self.advance(cx);
                return Ok(PollReport { rows: 0, moved: true });
            }
            Polled::Raw(raw) => Arrived::Raw(raw),
            Polled::Rows(rows) => Arrived::Rows(rows),
            Polled::Changes(batch) => Arrived::Changes(batch),
        };
        task.nothing_since_ms = None;
        task.state.idle = false;
        let reader = reader.as_ref();
        let place = Place { table: &self.table, split: &task.state.split.id, reader };
        let (count, in_order) = (arrived.len(), !matches!(arrived, Arrived::Changes(_)));
        cx.stats.add_in(count);
        let batch = self.decoding.decode(arrived, place, cx)?;
        if in_order {
            self.emit(index, batch, cx)?;
        } else {
            self.emit_unordered(index, batch, cx)?;
        }
        Ok(PollReport { rows: count, moved: true })
    }

    /// Emits rows of a split with the watermarks between and after them.
    fn emit(&mut self, index: usize, batch: ChangeBatch, cx: &mut OperatorContext<'_>) -> Result<()> {
        if batch.num_rows() == 0 {
            return Ok(());
        }
        let Some(watermark) = &self.watermark else {
            self.idle = false;
            cx.emit(batch);
            return Ok(());
        };
        let batch = watermark.with_rowtime(batch, cx)?;
        let (marks, batch) = watermark.expr.run_or_set_aside(batch, cx)?;
        let times = millis(batch.rows().column(watermark.column))?;
        let marks = millis(&marks[0])?;
        let mut cutter = Cutter {
            emitted: self.emitted,
            split: self.splits[index].state.watermark,
            others: self.lowest_of_others(index),
            floor: if watermark.in_source { WATERMARK_NONE } else { 1 },
            lateness: &watermark.lateness,
        };
        let mut start = 0;
        for piece in cutter.cut(&times, &marks) {
            cx.emit(batch.slice(start, piece.end - start));
            start = piece.end;
            if let Some(watermark) = piece.watermark {
                cx.outputs.push(Message::Watermark(watermark));
            }
        }
        self.emitted = cutter.emitted;
        self.splits[index].state.watermark = cutter.split;
        self.idle = false;
        Ok(())
    }

    /// Emits rows that come in no order of time: the watermark is not told before they are complete.
    fn emit_unordered(&mut self, index: usize, batch: ChangeBatch, cx: &mut OperatorContext<'_>) -> Result<()> {
        if batch.num_rows() == 0 {
            return Ok(());
        }
        self.idle = false;
        let Some(watermark) = &self.watermark else {
            cx.emit(batch);
            return Ok(());
        };
        let batch = watermark.with_rowtime(batch, cx)?;
        let (marks, batch) = watermark.expr.run_or_set_aside(batch, cx)?;
        let held = &mut self.splits[index].state.held;
        *held = (*held).max(max(&millis(&marks[0])?));
        cx.emit(batch);
        Ok(())
    }

    /// Splits that hold the watermark: open or still to come, unless they are read one after another, when only what
    /// was read counts.
    fn lowest_of_others(&self, index: usize) -> i64 {
        if self.sequential {
            return i64::MAX;
        }
        let others = self.splits.iter().enumerate().filter(|(i, s)| *i != index && !s.state.finished && !s.state.idle);
        others.map(|(_, s)| s.state.watermark).min().unwrap_or(i64::MAX)
    }

    /// A split no longer holds the watermark.
    fn advance(&mut self, cx: &mut OperatorContext<'_>) {
        if self.watermark.is_none() || self.sequential {
            return;
        }
        let active = self.splits.iter().filter(|s| !s.state.finished && !s.state.idle);
        if let Some(lowest) = active.map(|s| s.state.watermark).min()
            && lowest > self.emitted
        {
            self.emitted = lowest;
            cx.outputs.push(Message::Watermark(lowest));
        }
    }

    fn update_idleness(&mut self, moved: bool, cx: &mut OperatorContext<'_>) {
        self.advance(cx);
        let mut open = self.splits.iter().filter(|s| !s.state.finished).peekable();
        // A task without a split holds nobody up; where none can come any more it ends at once.
        let mut all_idle = match open.peek() {
            Some(_) => open.all(|s| s.state.idle),
            None => self.dealer.tasks() > 1 && !self.source.bounded(),
        };
        if moved {
            self.nothing_since_ms = None;
        } else {
            let since = *self.nothing_since_ms.get_or_insert(cx.now_ms());
            let timeout = self.watermark.as_ref().map_or(0, |w| w.idle_timeout_ms);
            all_idle |= self.sequential && timeout > 0 && cx.now_ms().saturating_sub(since) >= timeout;
        }
        if all_idle && !self.idle {
            self.idle = true;
            // As an aligned input does when all are idle: what has been read is over for now.
            let open = self.splits.iter().filter(|s| !s.state.finished);
            let highest = open.map(|s| s.state.watermark).max().unwrap_or(WATERMARK_NONE);
            if highest > self.emitted {
                self.emitted = highest;
                cx.outputs.push(Message::Watermark(highest));
            }
            cx.outputs.push(Message::Idle);
        }
    }
}

/// A split as it was at the checkpoint.
fn restored(split: &SplitState) -> SplitState {
    let mut split = split.clone();
    if planted("watermark-not-restored") {
        split.watermark = WATERMARK_NONE;
    }
    split
}

impl SplitTask {
    fn figures(&self) -> SplitFigures {
        let SplitState { split, watermark, idle, finished, .. } = &self.state;
        SplitFigures { id: split.id.clone(), watermark: *watermark, idle: *idle, finished: *finished }
    }
}

impl RowWatermark {
    /// Flink's own watermark operator fails on a row without a time.
    fn with_rowtime(&self, batch: ChangeBatch, cx: &mut OperatorContext<'_>) -> Result<ChangeBatch> {
        let column = batch.rows().column(self.column);
        if self.in_source || column.null_count() == 0 {
            return Ok(batch);
        }
        let reason = crate::ops::window::NO_ROWTIME;
        let failed: Vec<_> =
            (0..column.len() as u32).filter(|r| column.is_null(*r as usize)).map(|r| (r, reason.to_string())).collect();
        let keep = BooleanArray::from_iter((0..column.len()).map(|row| Some(column.is_valid(row))));
        cx.quarantine(batch.rows(), &failed)?;
        batch.filter(&keep)
    }
}
