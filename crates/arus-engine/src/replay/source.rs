//! The scan of a pipeline with the rows that are to go through it once more: each REPLAY is one more split of its source.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering::Relaxed};

use arrow::array::{Array, AsArray};
use arrow::datatypes::{Int32Type, Int64Type};
use arus_core::Result;
use arus_core::clock::SharedClock;
use arus_core::connector::{PollLimit, Polled, Position, RawBatch, RawRecord, Source, SourceReader, Span, Split};
use arus_storage::log::ReadUpTo;

use super::rows;
use crate::jobs::Job;
use crate::tables::Table;

/// How often new rows are looked for.
const LOOK_MS: u64 = 100;
/// Stands in the name of a split between that of the original one and the number of the REPLAY.
const MARK: &str = " replay ";

pub(super) fn split_id(split: &str, batch: i64) -> String {
    format!("{}{MARK}{batch}", original_split(split))
}

/// The split that a record came from first.
pub(crate) fn original_split(split: &str) -> &str {
    split.split_once(MARK).map_or(split, |(original, _)| original)
}

/// A source and what is replayed through it.
pub(crate) struct WithReplays {
    source: Arc<dyn Source>,
    table: Arc<Table>,
    job: Arc<Job>,
    clock: SharedClock,
    /// When the source itself last told its new splits.
    looked_ms: AtomicI64,
}

impl WithReplays {
    pub(crate) fn new(source: Arc<dyn Source>, table: Arc<Table>, job: Arc<Job>, clock: SharedClock) -> Self {
        WithReplays { source, table, job, clock, looked_ms: AtomicI64::new(i64::MIN) }
    }

    /// Whether the source itself wants to be asked.
    fn due(&self, now_ms: i64) -> bool {
        let last = self.looked_ms.load(Relaxed);
        let since = |interval: u64| now_ms.saturating_sub(last) >= interval as i64;
        last == i64::MIN || self.source.discovery_interval_ms().is_some_and(since)
    }
}

impl Source for WithReplays {
    fn bounded(&self) -> bool {
        self.source.bounded()
    }

    fn enumerate(&self, known: &[Split]) -> Result<Vec<Split>> {
        let mut found = vec![];
        let now_ms = self.clock.now_ms();
        if self.due(now_ms) {
            let own: Vec<Split> = known.iter().filter(|s| !s.id.contains(MARK)).cloned().collect();
            found = self.source.enumerate(&own)?;
            self.looked_ms.store(now_ms, Relaxed);
        }
        let waiting = self.table.replays.rows.snapshot();
        if !waiting.is_empty() {
            let mut splits = BTreeSet::new();
            for batch in waiting.scan(&[1, 2], None) {
                let batch = batch?;
                let (jobs, names) = (batch.column(0).as_string_view(), batch.column(1).as_string_view());
                let mine = (0..batch.num_rows()).filter(|row| jobs.value(*row) == self.job.spec.id);
                splits.extend(mine.map(|row| names.value(row).to_string()));
            }
            let new = splits.into_iter().map(|id| Split { id }).filter(|split| !known.contains(split));
            found.extend(new);
        }
        Ok(found)
    }

    fn discovery_interval_ms(&self) -> Option<u64> {
        Some(self.source.discovery_interval_ms().map_or(LOOK_MS, |ms| ms.min(LOOK_MS)))
    }

    fn sequential(&self) -> bool {
        self.source.sequential()
    }

    fn open(&self, split: &Split, position: Option<&Position>) -> Result<Box<dyn SourceReader>> {
        if !split.id.contains(MARK) {
            return self.source.open(split, position);
        }
        let next = position.and_then(Position::as_u64).unwrap_or(0) as usize;
        let (table, job) = (self.table.clone(), self.job.clone());
        Ok(Box::new(ReplayReader {
            rows: Waiting::read(&table, &job, &split.id)?,
            table,
            job,
            split: split.clone(),
            next,
        }))
    }

    fn replayable(&self) -> bool {
        self.source.replayable()
    }
}

/// The rows of one split.
#[derive(Default)]
struct Waiting {
    records: Vec<Vec<u8>>,
    places: Vec<(i32, i64, i64)>,
    uid: Option<u64>,
}

impl Waiting {
    /// In the order in which they were sent.
    fn read(table: &Table, job: &Job, split: &str) -> Result<Self> {
        let mut found = Waiting::default();
        let all: Vec<usize> = (0..table.replays.rows.schema().len()).collect();
        for batch in table.replays.rows.snapshot().scan(&all, None) {
            let batch = batch?;
            let (jobs, splits) = (batch.column(1).as_string_view(), batch.column(2).as_string_view());
            let partitions = batch.column(3).as_primitive::<Int32Type>();
            let number = |column: usize| batch.column(column).as_primitive::<Int64Type>();
            let bytes = batch.column(6).as_binary_view();
            for row in (0..batch.num_rows()).filter(|r| jobs.value(*r) == job.spec.id && splits.value(*r) == split) {
                found.records.push(bytes.value(row).to_vec());
                found.places.push((partitions.value(row), number(4).value(row), number(7).value(row)));
                found.uid = number(5).is_valid(row).then(|| number(5).value(row) as u64);
            }
        }
        Ok(found)
    }
}

struct ReplayReader {
    table: Arc<Table>,
    job: Arc<Job>,
    split: Split,
    rows: Waiting,
    next: usize,
}

impl ReplayReader {
    /// The record as the log still has it, with its key, headers and time; `None` once it has gone.
    fn original(&self, partition: i32, offset: i64, bytes: &[u8]) -> Option<(RawBatch, RawRecord)> {
        let topic = self.table.topic()?;
        let partition = topic.partition(u32::try_from(partition).ok()?)?;
        let found = partition.read_raw(offset, 1, ReadUpTo::End).ok()?;
        let record = *found.records.iter().find(|record| record.offset == offset)?;
        let same = record.value.map_or(&[][..], |span| found.bytes(span)) == bytes;
        same.then_some((found, record))
    }
}

impl SourceReader for ReplayReader {
    fn poll(&mut self, limit: PollLimit) -> Result<Polled> {
        let end = self.rows.records.len().min(self.next.saturating_add(limit.rows.max(1)));
        if self.next >= end {
            self.table.replays.note_arrived(&self.job.spec.id, &self.split.id);
            return Ok(Polled::End);
        }
        let taken = self.next..end;
        self.next = end;
        let records = &self.rows.records[taken.clone()];
        if let Some(uid) = self.rows.uid {
            return rows::decode(&self.job, &self.table.def.path, uid, records).map(Polled::Rows);
        }
        let mut data = vec![];
        let mut put = |bytes: &[u8]| {
            let span = Span { start: data.len() as u32, len: bytes.len() as u32 };
            data.extend_from_slice(bytes);
            span
        };
        let mut spans = vec![];
        for (bytes, (partition, offset, time_ms)) in records.iter().zip(&self.rows.places[taken.clone()]) {
            let record = match self.original(*partition, *offset, bytes) {
                Some((from, record)) => RawRecord {
                    value: record.value.map(|span| put(from.bytes(span))),
                    key: record.key.map(|span| put(from.bytes(span))),
                    headers: record.headers.map(|span| put(from.bytes(span))),
                    ..record
                },
                None => {
                    let value = Some(put(bytes));
                    RawRecord { value, key: None, headers: None, offset: *offset, timestamp_ms: *time_ms }
                }
            };
            spans.push(record);
        }
        let partition = self.rows.places[taken.start].0;
        Ok(Polled::Raw(RawBatch { data: data.into(), records: spans, partition }))
    }

    fn position(&self) -> Position {
        Position::from_u64(self.next as u64)
    }

    fn backlog(&self) -> Option<u64> {
        Some(self.rows.records.len().saturating_sub(self.next) as u64)
    }
}
