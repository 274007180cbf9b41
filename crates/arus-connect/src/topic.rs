//! The source of managed tables: the partitions of a topic in the embedded log.
//!
//! Splits are `p0`, `p1`, ..; a position is the offset of the next record. It has no name in the registry, since a
//! managed table has no `'connector'`: the engine makes it.

use std::sync::Arc;

use arus_core::catalog::TableDef;
use arus_core::connector::{
    OptionDef, OptionKind, PollLimit, Polled, Position, RawBatch, RawRecord, Source, SourceReader, Split,
};
use arus_core::error::Code;
use arus_core::{Error, Result};
use arus_storage::log::{Partition, ReadUpTo};

use crate::options::Options;

const STARTUP_MODE: &str = "scan.startup.mode";
const STARTUP_TIMESTAMP: &str = "scan.startup.timestamp-millis";
const DAMAGE: &str = "scan.damage";

/// Options of a table without a `'connector'`; those of its format stand behind `json.`.
pub const TOPIC_OPTIONS: &[OptionDef] = &[
    OptionDef::new("format", OptionKind::Text, "how the values of the topic's records are written").default_to("json"),
    OptionDef::new("partitions", OptionKind::Integer, "partitions of the topic, fixed when it is made").default_to("1"),
    OptionDef::new("retention.time", OptionKind::Duration, "records older than that may go").default_to("7 d"),
    OptionDef::new("retention.bytes", OptionKind::Size, "a partition larger than that loses its oldest records"),
    OptionDef::new(
        STARTUP_MODE,
        OptionKind::Choice(&["earliest-offset", "latest-offset", "timestamp"]),
        "where a new pipeline begins",
    )
    .default_to("earliest-offset"),
    OptionDef::new(STARTUP_TIMESTAMP, OptionKind::Integer, "milliseconds since 1970 for the mode timestamp"),
    OptionDef::new(
        DAMAGE,
        OptionKind::Choice(&["fail", "skip"]),
        "at records that the disk has damaged: fail names them, skip reads on behind them",
    )
    .default_to("fail"),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Startup {
    Earliest,
    Latest,
    Timestamp(i64),
}

/// Reads a topic. `partitions` are in order of their numbers.
pub struct TopicSource {
    partitions: Vec<Arc<Partition>>,
    startup: Startup,
    upto: ReadUpTo,
    /// For each partition the offset at which a snapshot read ends.
    bounded_at: Option<Vec<i64>>,
    /// Reads on behind damage.
    skip_damage: bool,
}

impl TopicSource {
    /// `written_by_pipeline`: its records may be read before they are durable, since their pipeline is in the same
    /// domain and falls back together with whoever read them; what clients sent is read once it is durable.
    pub fn new(
        table: &TableDef,
        partitions: Vec<Arc<Partition>>,
        written_by_pipeline: bool,
        bounded_at: Option<Vec<i64>>,
    ) -> Result<Self> {
        let options = Options::of(table, TOPIC_OPTIONS);
        let startup = match options.choice(STARTUP_MODE)? {
            "latest-offset" => Startup::Latest,
            "timestamp" => {
                let text = options.required(STARTUP_TIMESTAMP)?;
                let ms = text.trim().parse().map_err(|_| options.wrong(STARTUP_TIMESTAMP, "milliseconds", text))?;
                Startup::Timestamp(ms)
            }
            _ => Startup::Earliest,
        };
        if bounded_at.as_ref().is_some_and(|b| b.len() != partitions.len()) {
            return Err(Error::bug(format!("table '{}': one end a partition", table.path)));
        }
        let upto = if written_by_pipeline { ReadUpTo::End } else { ReadUpTo::Synced };
        let skip_damage = options.choice(DAMAGE)? == "skip";
        Ok(TopicSource { partitions, startup, upto, bounded_at, skip_damage })
    }

    /// Whatever the table's options say, damaged records are stepped over.
    #[must_use]
    pub fn skipping_damage(mut self, skip: bool) -> Self {
        self.skip_damage |= skip;
        self
    }

    fn end(&self, partition: &Partition) -> i64 {
        if self.upto == ReadUpTo::End { partition.end_offset() } else { partition.synced_end() }
    }
}

impl Source for TopicSource {
    fn bounded(&self) -> bool {
        self.bounded_at.is_some()
    }

    fn enumerate(&self, known: &[Split]) -> Result<Vec<Split>> {
        let all = self.partitions.iter().map(|p| Split { id: format!("p{}", p.number()) });
        Ok(all.filter(|split| !known.contains(split)).collect())
    }

    fn open(&self, split: &Split, position: Option<&Position>) -> Result<Box<dyn SourceReader>> {
        let index = self.partitions.iter().position(|p| split.id == format!("p{}", p.number()));
        let index = index.ok_or_else(|| Error::bug(format!("no partition '{}'", split.id)))?;
        let partition = self.partitions[index].clone();
        let next = match (position, self.startup) {
            (Some(position), _) => position
                .as_u64()
                .and_then(|offset| i64::try_from(offset).ok())
                .ok_or_else(|| Error::bug(format!("no offset: '{}'", position.0)))?,
            (None, Startup::Earliest) => partition.start_offset(),
            (None, Startup::Latest) => self.end(&partition),
            (None, Startup::Timestamp(ms)) => partition.offset_for_time(ms)?.unwrap_or_else(|| self.end(&partition)),
        };
        let bound = self.bounded_at.as_ref().map(|bounds| bounds[index]);
        let skip_damage = self.skip_damage;
        Ok(Box::new(TopicReader { partition, upto: self.upto, next, bound, pending: None, skip_damage }))
    }
}

struct TopicReader {
    partition: Arc<Partition>,
    upto: ReadUpTo,
    /// The offset after all that was handed out.
    next: i64,
    bound: Option<i64>,
    /// What was read beyond the limit of a poll.
    pending: Option<RawBatch>,
    skip_damage: bool,
}

impl TopicReader {
    /// What stands at `next`; with damage stepped over, at the first offset behind it.
    fn read(&mut self, max_bytes: usize) -> Result<RawBatch> {
        loop {
            match self.partition.read_raw(self.next, max_bytes, self.upto) {
                Err(error) if self.skip_damage && error.code() == Code::Corrupt => {
                    let behind = self.partition.next_readable(self.next);
                    if behind <= self.next {
                        return Err(error);
                    }
                    self.next = behind;
                }
                read => return read,
            }
        }
    }
}

impl SourceReader for TopicReader {
    fn poll(&mut self, limit: PollLimit) -> Result<Polled> {
        if self.bound.is_some_and(|bound| self.next >= bound) {
            return Ok(Polled::End);
        }
        let mut batch = match self.pending.take() {
            Some(batch) => batch,
            None => {
                let mut batch = self.read(limit.bytes)?;
                if let Some(bound) = self.bound {
                    batch.records.retain(|r| r.offset < bound);
                }
                batch
            }
        };
        let rows = limit.rows.max(1);
        if batch.records.len() > rows {
            let rest: Vec<RawRecord> = batch.records.split_off(rows);
            self.pending = Some(RawBatch { data: batch.data.clone(), records: rest, partition: batch.partition });
        }
        let Some(last) = batch.records.last() else {
            // Damage may have hidden all that was left.
            let ended = self.bound.is_some_and(|bound| self.next >= bound);
            return Ok(if ended { Polled::End } else { Polled::Idle });
        };
        self.next = last.offset + 1;
        Ok(Polled::Raw(batch))
    }

    fn position(&self) -> Position {
        Position(self.next.to_string())
    }

    fn backlog(&self) -> Option<u64> {
        let end = if self.upto == ReadUpTo::End { self.partition.end_offset() } else { self.partition.synced_end() };
        Some(self.bound.unwrap_or(end).saturating_sub(self.next).max(0) as u64)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use arus_core::fs::Fs;
    use arus_core::{LogicalType, TypeKind};
    use arus_storage::log::{BatchBuilder, Log, LogOptions};
    use arus_storage::sim::{ManualClock, MemoryFs};

    use super::*;
    use crate::conformance::table;

    const LIMIT: PollLimit = PollLimit { rows: 3, bytes: 1 << 20 };

    fn columns() -> [(&'static str, LogicalType); 1] {
        [("a", TypeKind::BigInt.nullable())]
    }

    fn append(partition: &Arc<Partition>, values: std::ops::Range<i64>) {
        let mut builder = BatchBuilder::new(1_000);
        for value in values {
            builder.push(None, Some(value.to_string().as_bytes()), &[], 1_000 + value);
        }
        partition.append(&builder.finish().expect("has records")).expect("appends");
    }

    fn drain(reader: &mut dyn SourceReader) -> (Vec<String>, bool) {
        let mut values = vec![];
        for _ in 0..1_000 {
            match reader.poll(LIMIT).expect("polls") {
                Polled::Raw(raw) => {
                    assert!(raw.records.len() <= LIMIT.rows);
                    values.extend(
                        raw.records
                            .iter()
                            .map(|r| String::from_utf8(raw.bytes(r.value.expect("a value")).to_vec()).expect("text")),
                    );
                }
                Polled::Idle => return (values, false),
                Polled::End => return (values, true),
                Polled::Rows(_) | Polled::Changes(_) => panic!("topics hand out records"),
            }
        }
        panic!("no end");
    }

    #[test]
    fn reads_from_where_it_should_to_where_it_may() {
        let fs = MemoryFs::new();
        fs.create_dir_all(Path::new("/t")).expect("creates");
        let options = LogOptions { segment_bytes: 1 << 20, threaded: false, on_failure: None };
        let log = Log::open(fs.shared(), ManualClock::at(1_000), Path::new("/t"), options).expect("opens");
        let topic = log.create_topic(1, "t", 2).expect("creates");
        let partition = topic.partitions()[0].clone();
        let source = |options: &[(&str, &str)], by_pipeline, bounds| {
            TopicSource::new(&table(&columns(), options), topic.partitions().to_vec(), by_pipeline, bounds)
                .expect("a source")
        };
        let plain = source(&[], false, None);
        let splits = plain.enumerate(&[]).expect("splits");
        assert_eq!(splits.iter().map(|s| s.id.as_str()).collect::<Vec<_>>(), ["p0", "p1"]);
        assert_eq!(plain.enumerate(&splits[..1]).expect("splits"), splits[1..]);

        let mut reader = plain.open(&splits[0], None).expect("opens");
        append(&partition, 0..5);
        assert_eq!(drain(reader.as_mut()).0, [""; 0], "nothing is seen before it is durable");
        let mut early = source(&[], true, None).open(&splits[0], None).expect("opens");
        assert_eq!(drain(early.as_mut()).0.len(), 5, "what a pipeline writes is");
        partition.sync().expect("syncs");
        assert_eq!(drain(reader.as_mut()), (vec!["0".into(), "1".into(), "2".into(), "3".into(), "4".into()], false));
        assert_eq!(reader.position(), Position("5".into()));

        let mut resumed = plain.open(&splits[0], Some(&Position("3".into()))).expect("opens");
        assert_eq!(drain(resumed.as_mut()).0, ["3", "4"]);
        append(&partition, 5..9);
        partition.sync().expect("syncs");
        let latest = source(&[(STARTUP_MODE, "latest-offset")], false, None);
        assert_eq!(drain(latest.open(&splits[0], None).expect("opens").as_mut()).0, [""; 0]);
        let timed = source(&[(STARTUP_MODE, "timestamp"), (STARTUP_TIMESTAMP, "1007")], false, None);
        assert_eq!(drain(timed.open(&splits[0], None).expect("opens").as_mut()).0, ["7", "8"]);
        let bounded = source(&[], false, Some(vec![4, 0]));
        assert!(bounded.bounded());
        assert_eq!(drain(bounded.open(&splits[0], None).expect("opens").as_mut()).0, ["0", "1", "2", "3"]);
        assert_eq!(drain(bounded.open(&splits[1], None).expect("opens").as_mut()), (vec![], true));
        assert_eq!(reader.backlog(), Some(4));
        let wrong = TopicSource::new(&table(&columns(), &[(STARTUP_MODE, "soon")]), vec![], false, None);
        assert!(wrong.err().expect("refused").message().contains("expected one of earliest-offset"));
    }
}
