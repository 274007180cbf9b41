//! CPU time of windows alone: pipelines over ready batches of Nexmark bids, 10,000 events a second of event time.
//!
//! `windows [EVENTS] [RUNS]` prints a line a case: the lowest and the median of the runs in ns an event, and the rows
//! that came out.
#![expect(clippy::print_stdout, clippy::disallowed_methods, reason = "a program for the terminal of Linux")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use arrow::array::{ArrayRef, Int64Array, RecordBatch, TimestampMillisecondArray};
use arus_core::catalog::{ColumnKind, ObjectPath, TableColumn, TableDef, TableKind};
use arus_core::clock::SystemClock;
use arus_core::connector::{PollLimit, Polled, Position, Source, SourceReader, Split};
use arus_core::expr::Expr;
use arus_core::function::AggregateFunction::{self, Count, Max};
use arus_core::limits::BATCH_ROWS;
use arus_core::plan::{
    AggregateCall, ChangelogMode, Exchange, Node, Op, PLAN_VERSION, PhysicalPlan, Scan, Sink, SinkTarget, Uid,
    Watermark, Window, WindowAggregate, WindowKind, WindowProperty,
};
use arus_core::types::TimeAttribute;
use arus_core::{Column, Datum, LogicalType, Result, RowSchema, TypeKind};
use arus_stream::{
    Budget, LateRow, Pipeline, PipelineIo, PipelineSettings, QuarantinedRow, ScanHandle, SideTables, SinkHandle,
};

/// Numbers of a fixed seed (splitmix64).
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % limit
    }
}

/// auction, bidder, price, dateTime; half of the bids are for the hottest auction, the others for one of the last 100.
fn bids(events: u64) -> Vec<RecordBatch> {
    let mut random = Random(7);
    let schema = RowSchema::new(columns()).to_arrow();
    let batch = |numbers: Vec<u64>, random: &mut Random| {
        let mut values: [Vec<i64>; 4] = Default::default();
        for number in numbers {
            let newest = 1_000 + number * 3 / 50;
            let auction = if random.below(2) == 0 { newest / 100 * 100 } else { newest - random.below(100) };
            let person = 1_000 + number / 50;
            let bidder =
                if random.below(4) > 0 { person / 100 * 100 } else { person - random.below(1_000).min(person) };
            values[0].push(auction as i64);
            values[1].push(bidder as i64);
            values[2].push(random.below(10_000_000) as i64);
            values[3].push(1_700_000_000_000 + number as i64 / 10);
        }
        let [auction, bidder, price, time] = values;
        let longs = |values: Vec<i64>| Arc::new(Int64Array::from(values)) as ArrayRef;
        let time = Arc::new(TimestampMillisecondArray::from(time)) as ArrayRef;
        RecordBatch::try_new(schema.clone(), vec![longs(auction), longs(bidder), longs(price), time]).expect("columns")
    };
    // 46 of 50 events are bids.
    let numbers: Vec<u64> = (0..events).filter(|n| n % 50 >= 4).collect();
    numbers.chunks(BATCH_ROWS).map(|part| batch(part.to_vec(), &mut random)).collect()
}

fn rowtime() -> LogicalType {
    TypeKind::Timestamp { precision: 3, attribute: TimeAttribute::Rowtime }.nullable()
}

fn columns() -> Vec<Column> {
    let long = |name: &str| Column { name: name.into(), ty: TypeKind::BigInt.nullable() };
    vec![long("auction"), long("bidder"), long("price"), Column { name: "dateTime".into(), ty: rowtime() }]
}

struct Batches(Arc<Vec<RecordBatch>>);

impl Source for Batches {
    fn bounded(&self) -> bool {
        true
    }

    fn enumerate(&self, known: &[Split]) -> Result<Vec<Split>> {
        Ok(if known.is_empty() { vec![Split { id: "0".into() }] } else { vec![] })
    }

    fn open(&self, _split: &Split, _position: Option<&Position>) -> Result<Box<dyn SourceReader>> {
        Ok(Box::new(Reader { batches: self.0.clone(), at: 0 }))
    }
}

struct Reader {
    batches: Arc<Vec<RecordBatch>>,
    at: usize,
}

impl SourceReader for Reader {
    fn poll(&mut self, _limit: PollLimit) -> Result<Polled> {
        self.at += 1;
        Ok(self.batches.get(self.at - 1).map_or(Polled::End, |batch| Polled::Rows(batch.clone())))
    }

    fn position(&self) -> Position {
        Position::from_u64(self.at as u64)
    }
}

struct Io {
    batches: Arc<Vec<RecordBatch>>,
    out: Arc<AtomicUsize>,
}

impl PipelineIo for Io {
    fn scan(&self, _node: usize, _scan: &Scan) -> Result<ScanHandle> {
        Ok(ScanHandle { source: Arc::new(Batches(self.batches.clone())), decoder: None })
    }

    fn sink(&self, _node: usize, _sink: &Sink) -> Result<SinkHandle> {
        let out = self.out.clone();
        Ok(SinkHandle::Collect(Box::new(move |batch| {
            out.fetch_add(batch.num_rows(), Ordering::Relaxed);
            Ok(())
        })))
    }

    fn side_tables(&self) -> Result<Box<dyn SideTables>> {
        Ok(Box::new(NoSide))
    }
}

struct NoSide;

impl SideTables for NoSide {
    fn late(&mut self, _rows: Vec<LateRow>) -> Result<()> {
        Ok(())
    }

    fn quarantine(&mut self, _rows: Vec<QuarantinedRow>) -> Result<()> {
        Ok(())
    }
}

/// Without a window the rows go straight to the sink: what the rest of a pipeline costs.
fn plan(kind: Option<WindowKind>, key: usize, calls: &[(AggregateFunction, Option<usize>)]) -> PhysicalPlan {
    let mut nodes: Vec<Node> = vec![];
    let mut push = |op: Op, columns: Vec<Column>| {
        let inputs = if nodes.is_empty() { vec![] } else { vec![nodes.len() - 1] };
        let (schema, mode) = (RowSchema::new(columns), ChangelogMode::INSERT_ONLY);
        nodes.push(Node { uid: Uid(nodes.len() as u64), op, inputs, schema, mode, upsert_keys: vec![] });
    };
    let input = columns();
    let table = input.iter().map(|c| TableColumn {
        name: c.name.clone(),
        ty: c.ty.clone(),
        kind: ColumnKind::Physical,
        comment: None,
    });
    let table = Arc::new(TableDef {
        path: ObjectPath::in_default("bid"),
        kind: TableKind::Connector,
        columns: table.collect(),
        watermark: None,
        primary_key: vec![],
        primary_key_name: None,
        partition_keys: vec![],
        distribution: None,
        options: BTreeMap::new(),
        comment: None,
        temporary: false,
        query: None,
        hidden_count: false,
    });
    let four_seconds = Expr::literal(Datum::IntervalMillis(4_000), TypeKind::IntervalDayTime.not_null());
    let plain = TypeKind::Timestamp { precision: 3, attribute: TimeAttribute::None }.nullable();
    let expr = Expr::call("-", vec![Expr::column(3, rowtime()), four_seconds], plain.clone());
    let output = input.iter().enumerate().map(|(i, c)| Expr::column(i, c.ty.clone())).collect();
    let watermark = Some(Watermark { column: 3, expr, idle_timeout_ms: 0 });
    push(Op::Scan(Scan { table, read: vec![0, 1, 2, 3], output, watermark }), input.clone());
    let mut out = input.clone();
    if let Some(kind) = kind {
        push(Op::Exchange(Exchange { keys: vec![key] }), input.clone());
        let calls: Vec<AggregateCall> = calls
            .iter()
            .map(|(function, arg)| AggregateCall {
                function: *function,
                args: arg.iter().copied().collect(),
                distinct: false,
                filter: None,
                ty: TypeKind::BigInt.nullable(),
                name: function.name().into(),
            })
            .collect();
        out = vec![input[key].clone()];
        out.extend(calls.iter().map(|c| Column { name: c.name.clone(), ty: c.ty.clone() }));
        out.extend(["window_start", "window_end"].map(|name| Column { name: name.into(), ty: plain.clone() }));
        let window = Window { kind, time: 3, time_type: rowtime(), attached: None, partition: vec![] };
        let properties = vec![WindowProperty::Start, WindowProperty::End];
        push(
            Op::WindowAggregate(WindowAggregate { window, keys: vec![key], calls, properties, legacy: false }),
            out.clone(),
        );
    }
    push(Op::Sink(Sink::to(SinkTarget::Collect)), out);
    PhysicalPlan { version: PLAN_VERSION, nodes }
}

/// CPU time of this thread.
fn cpu_ns() -> u64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux");
    text.split(' ').next().and_then(|n| n.parse().ok()).expect("a number")
}

fn run(plan: &PhysicalPlan, batches: &Arc<Vec<RecordBatch>>) -> (u64, usize) {
    let out = Arc::new(AtomicUsize::new(0));
    let io = Io { batches: batches.clone(), out: out.clone() };
    let settings = PipelineSettings::new(Arc::new(SystemClock::new()), "UTC");
    let mut pipeline = Pipeline::build(plan, &io, settings, None).expect("a pipeline");
    let start = cpu_ns();
    while !pipeline.step(Budget { rows: 1 << 20, ns: u64::MAX }).expect("a step").ended {}
    (cpu_ns() - start, out.load(Ordering::Relaxed))
}

/// Name, window, key column, calls.
type Case = (&'static str, Option<WindowKind>, usize, &'static [(AggregateFunction, Option<usize>)]);

fn main() {
    let mut args = std::env::args().skip(1).map(|a| a.parse::<u64>().expect("a number"));
    let (events, runs) = (args.next().unwrap_or(4_000_000), args.next().unwrap_or(5));
    let batches = Arc::new(bids(events));
    let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
    let hop = WindowKind::Hop { size_ms: 10_000, slide_ms: 2_000, offset_ms: 0 };
    let tumble = WindowKind::Tumble { size_ms: 10_000, offset_ms: 0 };
    let cumulate = WindowKind::Cumulate { size_ms: 60_000, step_ms: 2_000, offset_ms: 0 };
    let session = WindowKind::Session { gap_ms: 1_000 };
    let cases: [Case; 7] = [
        ("no window", None, 0, &[]),
        ("HOP 10 s, 2 s: COUNT(*) by auction", Some(hop), 0, &[(Count, None)]),
        ("HOP 10 s, 2 s: COUNT(*), MAX(price) by auction", Some(hop), 0, &[(Count, None), (Max, Some(2))]),
        ("TUMBLE 10 s: COUNT(*) by bidder", Some(tumble), 1, &[(Count, None)]),
        ("TUMBLE 10 s: COUNT(*), MAX(price) by bidder", Some(tumble), 1, &[(Count, None), (Max, Some(2))]),
        ("CUMULATE 2 s, 60 s: COUNT(*) by bidder", Some(cumulate), 1, &[(Count, None)]),
        ("SESSION 1 s: COUNT(*) by bidder", Some(session), 1, &[(Count, None)]),
    ];
    for (name, kind, key, calls) in cases {
        let plan = plan(kind, key, calls);
        let mut times: Vec<(u64, usize)> = (0..runs).map(|_| run(&plan, &batches)).collect();
        times.sort_unstable();
        let ns = |time: u64| time as f64 / rows as f64;
        let (lowest, median) = (ns(times[0].0), ns(times[times.len() / 2].0));
        println!("{name:50} {lowest:7.1} {median:7.1} ns an event, {} rows out", times[0].1);
    }
}
