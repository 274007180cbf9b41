use std::path::Path;
use std::sync::{Arc, Mutex};

use arrow::array::AsArray;
use arus_core::connector::{EncodedRecords, Encoder, SinkWriter};
use arus_core::function::AggregateFunction::{Count, Sum};
use arus_core::read::Cut;
use arus_core::{ChangeBatch, Result, TypeKind};
use arus_storage::log::{Log, LogOptions, ReadUpTo, Topic};
use arus_storage::sim::{ManualClock, MemoryFs};
use arus_storage::table::{KeyedTable, TableMode};

use super::harness::*;
use super::run::*;
use crate::*;

/// A row's first column as text.
struct FirstColumn;

impl Encoder for FirstColumn {
    fn encode(&mut self, batch: &ChangeBatch, out: &mut EncodedRecords) -> Result<()> {
        for value in batch.rows().column(0).as_string_view() {
            out.data.extend_from_slice(value.unwrap_or("-").as_bytes());
            out.ends.push(out.data.len());
        }
        Ok(())
    }
}

fn texts(topic: &Topic, partition: u32) -> Vec<String> {
    let raw = topic.partition(partition).expect("it").read_raw(0, 1 << 20, ReadUpTo::End).expect("records");
    raw.records
        .iter()
        .map(|r| {
            assert_eq!(r.timestamp_ms, 5_000);
            String::from_utf8_lossy(raw.bytes(r.value.expect("a value"))).into_owned()
        })
        .collect()
}

#[test]
fn a_topic_gets_records_and_a_barrier_its_marker() {
    let log = Log::open(
        MemoryFs::new().shared(),
        ManualClock::at(5_000),
        Path::new("/log"),
        LogOptions { threaded: false, ..LogOptions::default() },
    )
    .expect("a log");
    let topic = log.create_topic(1, "out", 2).expect("a topic");
    let mut plan = Plan::default();
    let scan = plan.scan(&[("k", string())], 0);
    let mut test = Test::new(plan.collect(scan), vec![Lines::one(&["a", "b", "c", "a", "b", "!", "a"])]);
    let partitions = topic.partitions().to_vec();
    test.sink = Some(Arc::new(move || SinkHandle::Topic {
        partitions: partitions.clone(),
        encoder: Box::new(FirstColumn),
        keys: vec![0],
    }));
    let mut pipeline = test.build(8_192, None);
    pipeline.step(Budget { rows: 5, ns: u64::MAX }).expect("five rows");
    pipeline.barrier(1).expect("a barrier");
    let first = pipeline.freeze().expect("a cut").checkpoint;
    run_to_end(&mut pipeline);
    pipeline.barrier(2).expect("a barrier after the end");
    let last = pipeline.freeze().expect("a cut").checkpoint;
    let markers = |c: &Checkpoint| c.markers.values().next().expect("a topic").clone();
    assert_eq!(markers(&first).iter().sum::<i64>(), 5);
    assert_eq!(markers(&last), topic.ends());
    let all = [texts(&topic, 0), texts(&topic, 1)];
    let place = |key: &str| all.iter().position(|p| p.iter().any(|t| t == key));
    for key in ["a", "b", "c"] {
        assert!(place(key).is_some(), "{key} is there");
        assert!(all.iter().filter(|p| p.iter().any(|t| t == key)).count() == 1, "{key} in one partition");
    }
    let mut together = all.concat();
    together.sort();
    assert_eq!(together, ["a", "a", "a", "b", "b", "c"]);
}

#[test]
fn a_keyed_table_outlives_its_pipeline() {
    let mut plan = Plan::default();
    let scan = plan.scan(&[("k", string()), ("v", int())], 0);
    let group = plan.group(scan, &[0], &[(Count, None), (Sum, Some(1))], true);
    let schema = plan.nodes[group].schema.clone();
    let lines = ["a 1", "b 2", "a 3", "null 4", "b 5", "c 6", "a 7"];
    let mut test = Test::new(plan.collect(group), vec![Lines::one(&lines)]);
    let newest: Arc<Mutex<Option<Arc<KeyedTable>>>> = Arc::default();
    let made = newest.clone();
    test.sink = Some(Arc::new(move || {
        let fresh = || Arc::new(KeyedTable::new(schema.clone(), &[0], TableMode::Keyed));
        SinkHandle::Keyed(made.lock().expect("slot").get_or_insert_with(fresh).clone())
    }));
    let rows = || {
        let table = newest.lock().expect("slot").take().expect("a table");
        table.publish(Cut { incarnation: 1, epoch: 99 }, 0);
        let mut lines = vec![];
        for batch in table.snapshot().scan(&[0, 1, 2], None) {
            lines.extend(changelog(&ChangeBatch::inserts(batch.expect("rows"))));
        }
        lines.sort();
        lines
    };
    let expected = ["+I[a, 3, 11]", "+I[b, 2, 7]", "+I[c, 1, 6]", "+I[null, 1, 4]"];
    test.run(8_192);
    assert_eq!(rows(), expected);
    for every in 1..lines.len() {
        test.run_with_restarts(every, every);
        assert_eq!(rows(), expected, "restarts after each {every} rows");
    }
}

#[test]
fn a_null_for_a_not_null_column_never_reaches_the_sink() {
    let mut plan = Plan::default();
    let scan = plan.scan(&[("k", string()), ("v", int())], 0);
    let plan = plan.insert(scan, &[("k", string()), ("v", TypeKind::Int.not_null())]);
    let test = Test::new(plan, vec![Lines::one(&["a 1", "b null", "null 2"])]);
    test.check(&["+I[a, 1]", "+I[null, 2]"]);
    let output = test.run(8_192);
    assert_eq!(output.quarantined.len(), 1);
    assert_eq!(output.quarantined[0].reason, "column 'v' is NOT NULL, found NULL");
    let failing = Test { policy: ErrorPolicy::Fail, ..test };
    let error = failure(failing.build(8_192, None).step(Budget { rows: 9, ns: u64::MAX }));
    assert_eq!(error.message(), "Sink: column 'v' is NOT NULL, found NULL");
}

struct Recorder(Arc<Mutex<Vec<String>>>);

impl SinkWriter for Recorder {
    fn write(&mut self, batch: &ChangeBatch) -> Result<()> {
        self.0.lock().expect("lines").extend(changelog(batch));
        Ok(())
    }

    fn on_watermark(&mut self, watermark: i64) -> Result<()> {
        self.0.lock().expect("lines").push(format!("~ {watermark}"));
        Ok(())
    }
}

#[test]
fn a_writer_gets_rows_and_watermarks_in_order() {
    let mut plan = Plan::default();
    let scan = plan.scan(&[("v", int()), ("ts", rowtime())], 2);
    let mut test = Test::new(plan.collect(scan), vec![Lines::one(&["1 10", "2 20", "!", "3 12", "4 31"])]);
    let lines: Arc<Mutex<Vec<String>>> = Arc::default();
    let made = lines.clone();
    test.sink = Some(Arc::new(move || SinkHandle::Writer(Box::new(Recorder(made.clone())))));
    let mut pipeline = test.build(8_192, None);
    run_to_end(&mut pipeline);
    let end = format!("~ {WATERMARK_END}");
    assert_eq!(
        *lines.lock().expect("lines"),
        ["+I[1, 10]", "+I[2, 20]", "~ 18", "+I[3, 12]", "+I[4, 31]", "~ 29", end.as_str()]
    );
    assert_eq!(pipeline.sink_writers().count(), 1);
}
