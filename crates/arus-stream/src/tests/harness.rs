//! Plans, sources and sinks of the tests.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use arrow::array::{ArrayRef, Int32Array, Int64Array, StringViewArray, TimestampMillisecondArray};
use arrow::datatypes::DataType;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use arus_core::catalog::{ColumnKind, ObjectPath, TableColumn, TableDef, TableKind};
use arus_core::clock::Clock;
use arus_core::connector::{
    Decoded, Decoder, PollLimit, Polled, Position, RawBatch, RawRecord, Rejected, Source, SourceReader, Span, Split,
};
use arus_core::expr::Expr;
use arus_core::function::AggregateFunction;
use arus_core::plan::{
    AggregateCall, Calc, ChangelogMode, Exchange, GroupAggregate, Node, NodeId, Op, PLAN_VERSION, PhysicalPlan, Scan,
    Sink, SinkTarget, Uid, Values, Watermark, Window, WindowAggregate, WindowKind, WindowProperty,
};
use arus_core::types::TimeAttribute;
use arus_core::{ChangeBatch, Column, Datum, Error, LogicalType, Result, RowKind, RowSchema, TypeKind};
use bytes::Bytes;

use crate::*;

pub(super) fn string() -> LogicalType {
    TypeKind::STRING.nullable()
}

pub(super) fn int() -> LogicalType {
    TypeKind::Int.nullable()
}

pub(super) fn bigint() -> LogicalType {
    TypeKind::BigInt.nullable()
}

pub(super) fn rowtime() -> LogicalType {
    TypeKind::Timestamp { precision: 3, attribute: TimeAttribute::Rowtime }.nullable()
}

// ---- plans ---------------------------------------------------------------------------------------------

/// Builds a plan node by node; each method returns the node's id.
#[derive(Default)]
pub(super) struct Plan {
    pub(super) nodes: Vec<Node>,
}

impl Plan {
    pub(super) fn push(&mut self, op: Op, inputs: Vec<NodeId>, columns: Vec<Column>, mode: ChangelogMode) -> NodeId {
        let uid = Uid(1_000 + self.nodes.len() as u64);
        self.nodes.push(Node { uid, op, inputs, schema: RowSchema::new(columns), mode, upsert_keys: vec![] });
        self.nodes.len() - 1
    }

    /// Table t; a rowtime column carries a watermark of its time less `delay_ms`.
    pub(super) fn scan(&mut self, columns: &[(&str, LogicalType)], delay_ms: i64) -> NodeId {
        self.scan_of(columns, delay_ms, 0, ChangelogMode::INSERT_ONLY)
    }

    pub(super) fn scan_of(
        &mut self,
        columns: &[(&str, LogicalType)],
        delay_ms: i64,
        idle_timeout_ms: i64,
        mode: ChangelogMode,
    ) -> NodeId {
        let table = table(columns);
        let time = columns.iter().position(|(_, ty)| ty.kind.time_attribute() == TimeAttribute::Rowtime);
        let watermark = time.map(|column| Watermark {
            column,
            expr: Expr::call(
                "-",
                vec![
                    Expr::column(column, rowtime()),
                    Expr::literal(Datum::IntervalMillis(delay_ms), TypeKind::IntervalDayTime.not_null()),
                ],
                TypeKind::Timestamp { precision: 3, attribute: TimeAttribute::None }.nullable(),
            ),
            idle_timeout_ms,
        });
        let output = columns.iter().enumerate().map(|(i, (_, ty))| Expr::column(i, ty.clone())).collect();
        let scan = Scan { table, read: (0..columns.len()).collect(), output, watermark };
        let columns = columns.iter().map(|(name, ty)| column(name, ty.clone())).collect();
        self.push(Op::Scan(scan), vec![], columns, mode)
    }

    pub(super) fn calc(&mut self, input: NodeId, condition: Option<Expr>, projection: Vec<Expr>) -> NodeId {
        let columns = projection.iter().enumerate().map(|(i, e)| column(&format!("c{i}"), e.ty())).collect();
        let mode = self.nodes[input].mode;
        self.push(Op::Calc(Calc { condition, projection }), vec![input], columns, mode)
    }

    pub(super) fn col(&self, node: NodeId, index: usize) -> Expr {
        Expr::column(index, self.nodes[node].schema.columns()[index].ty.clone())
    }

    fn calls(&self, input: NodeId, calls: &[(AggregateFunction, Option<usize>)]) -> Vec<AggregateCall> {
        calls
            .iter()
            .map(|(function, arg)| {
                let arg_ty = arg.map(|a| self.nodes[input].schema.columns()[a].ty.clone());
                let ty = match (function, arg_ty) {
                    (AggregateFunction::Count, _) | (_, None) => TypeKind::BigInt.not_null(),
                    (_, Some(ty)) => ty.with_nullable(true),
                };
                let args = arg.iter().copied().collect();
                AggregateCall { function: *function, args, ty, name: function.name().to_string() }
            })
            .collect()
    }

    pub(super) fn group(
        &mut self,
        input: NodeId,
        keys: &[usize],
        calls: &[(AggregateFunction, Option<usize>)],
        compact: bool,
    ) -> NodeId {
        let exchange_columns = self.nodes[input].schema.columns().to_vec();
        let mode = self.nodes[input].mode;
        let exchange = Op::Exchange(Exchange { keys: keys.to_vec() });
        let input = self.push(exchange, vec![input], exchange_columns, mode);
        let calls = self.calls(input, calls);
        let mut columns: Vec<Column> = keys.iter().map(|k| self.nodes[input].schema.columns()[*k].clone()).collect();
        columns.extend(calls.iter().map(|c| column(&c.name, c.ty.clone())));
        let group = GroupAggregate { keys: keys.to_vec(), calls, update_before: true, compact, state_ttl_ms: 0 };
        self.push(Op::GroupAggregate(group), vec![input], columns, ChangelogMode::ALL)
    }

    /// TUMBLE over the rowtime column; output: keys, calls, start, end, time.
    pub(super) fn window(
        &mut self,
        input: NodeId,
        size_ms: i64,
        keys: &[usize],
        calls: &[(AggregateFunction, Option<usize>)],
    ) -> NodeId {
        let window = self.tumble(input, size_ms);
        let calls = self.calls(input, calls);
        let mut columns: Vec<Column> = keys.iter().map(|k| self.nodes[input].schema.columns()[*k].clone()).collect();
        columns.extend(calls.iter().map(|c| column(&c.name, c.ty.clone())));
        columns.extend(window_columns());
        let properties = vec![WindowProperty::Start, WindowProperty::End, WindowProperty::Time];
        let aggregate = WindowAggregate { window, keys: keys.to_vec(), calls, properties };
        self.push(Op::WindowAggregate(aggregate), vec![input], columns, ChangelogMode::INSERT_ONLY)
    }

    pub(super) fn tumble(&self, input: NodeId, size_ms: i64) -> Window {
        let columns = self.nodes[input].schema.columns();
        let time =
            columns.iter().position(|c| c.ty.kind.time_attribute() == TimeAttribute::Rowtime).expect("a rowtime");
        Window { kind: WindowKind::Tumble { size_ms, offset_ms: 0 }, time, time_type: columns[time].ty.clone() }
    }

    pub(super) fn window_table_function(&mut self, input: NodeId, size_ms: i64) -> NodeId {
        let window = self.tumble(input, size_ms);
        let mut columns = self.nodes[input].schema.columns().to_vec();
        columns.extend(window_columns());
        let mode = self.nodes[input].mode;
        self.push(Op::WindowTableFunction(window), vec![input], columns, mode)
    }

    pub(super) fn union(&mut self, inputs: Vec<NodeId>) -> NodeId {
        let columns = self.nodes[inputs[0]].schema.columns().to_vec();
        self.push(Op::Union, inputs, columns, ChangelogMode::INSERT_ONLY)
    }

    pub(super) fn values(&mut self, rows: Vec<Vec<Expr>>) -> NodeId {
        let columns = rows[0].iter().enumerate().map(|(i, e)| column(&format!("c{i}"), e.ty())).collect();
        self.push(Op::Values(Values { rows }), vec![], columns, ChangelogMode::INSERT_ONLY)
    }

    pub(super) fn collect(mut self, input: NodeId) -> PhysicalPlan {
        let columns = self.nodes[input].schema.columns().to_vec();
        let mode = self.nodes[input].mode;
        self.push(Op::Sink(Sink { target: SinkTarget::Collect }), vec![input], columns, mode);
        PhysicalPlan { version: PLAN_VERSION, nodes: self.nodes }
    }
}

fn column(name: &str, ty: LogicalType) -> Column {
    Column { name: name.to_string(), ty }
}

fn window_columns() -> Vec<Column> {
    let plain = TypeKind::Timestamp { precision: 3, attribute: TimeAttribute::None }.not_null();
    vec![column("window_start", plain.clone()), column("window_end", plain), column("window_time", rowtime())]
}

fn table(columns: &[(&str, LogicalType)]) -> Arc<TableDef> {
    let columns = columns
        .iter()
        .map(|(name, ty)| {
            let kind = match name.strip_prefix('$') {
                Some(key) => ColumnKind::Metadata { key: Some(key.to_string()), is_virtual: true },
                None => ColumnKind::Physical,
            };
            TableColumn { name: name.to_string(), ty: ty.clone(), kind, comment: None }
        })
        .collect();
    Arc::new(TableDef {
        path: ObjectPath::in_default("t"),
        kind: TableKind::Topic,
        columns,
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
    })
}

// ---- sources -------------------------------------------------------------------------------------------

/// Splits of lines. A line is a row's values with blanks between, after its kind if it is no +I; `!` ends what a poll
/// gives, so that the split waits there once.
#[derive(Clone)]
pub(super) struct Lines {
    pub(super) splits: Vec<Vec<String>>,
    pub(super) bounded: bool,
    pub(super) sequential: bool,
}

impl Lines {
    pub(super) fn one(lines: &[&str]) -> Self {
        Lines { splits: vec![lines.iter().map(|l| l.to_string()).collect()], bounded: true, sequential: false }
    }
}

struct LineSource(Lines);

impl Source for LineSource {
    fn bounded(&self) -> bool {
        self.0.bounded
    }

    fn enumerate(&self, known: &[Split]) -> Result<Vec<Split>> {
        Ok((known.len()..self.0.splits.len()).map(|i| Split { id: i.to_string() }).collect())
    }

    fn sequential(&self) -> bool {
        self.0.sequential
    }

    fn open(&self, split: &Split, position: Option<&Position>) -> Result<Box<dyn SourceReader>> {
        let index: usize = split.id.parse().expect("a split's number");
        let at = position.and_then(Position::as_u64).unwrap_or(0) as usize;
        Ok(Box::new(LineReader { lines: self.0.splits[index].clone(), at, bounded: self.0.bounded, partition: index }))
    }
}

struct LineReader {
    lines: Vec<String>,
    at: usize,
    bounded: bool,
    partition: usize,
}

impl SourceReader for LineReader {
    fn poll(&mut self, limit: PollLimit) -> Result<Polled> {
        let mut data = vec![];
        let mut records = vec![];
        while records.len() < limit.rows
            && let Some(line) = self.lines.get(self.at)
        {
            if line == "!" {
                if records.is_empty() {
                    self.at += 1;
                    return Ok(Polled::Idle);
                }
                break;
            }
            let span = Span { start: data.len() as u32, len: line.len() as u32 };
            data.extend_from_slice(line.as_bytes());
            let timestamp_ms = 1_000 + self.at as i64;
            records.push(RawRecord {
                value: Some(span),
                key: None,
                headers: None,
                offset: self.at as i64,
                timestamp_ms,
            });
            self.at += 1;
        }
        if !records.is_empty() {
            return Ok(Polled::Raw(RawBatch { data: Bytes::from(data), records, partition: self.partition as i32 }));
        }
        Ok(if self.bounded { Polled::End } else { Polled::Idle })
    }

    fn position(&self) -> Position {
        Position::from_u64(self.at as u64)
    }
}

struct LineDecoder(RowSchema);

impl Decoder for LineDecoder {
    fn decode(&mut self, raw: &RawBatch) -> Result<Decoded> {
        let mut kinds = vec![];
        let mut records = vec![];
        let mut rejected = vec![];
        let mut rows: Vec<Vec<String>> = vec![];
        for (i, record) in raw.records.iter().enumerate() {
            let text = std::str::from_utf8(raw.bytes(record.value.expect("a value"))).expect("text");
            let mut words: Vec<&str> = text.split(' ').collect();
            let kind = (0..4).filter_map(RowKind::from_byte).find(|k| k.short() == words[0]);
            if kind.is_some() {
                words.remove(0);
            }
            if words.len() != self.0.len() {
                rejected.push(Rejected { record: i as u32, reason: format!("expected {} words", self.0.len()) });
                continue;
            }
            kinds.push(kind.unwrap_or(RowKind::Insert));
            records.push(i as u32);
            rows.push(words.into_iter().map(str::to_string).collect());
        }
        let columns = self.0.columns().iter().enumerate().map(|(c, column)| parse(&rows, c, &column.ty)).collect();
        let rows = crate::ops::rows(&self.0.to_arrow(), columns, rows.len())?;
        Ok(Decoded { rows, kinds: Some(kinds), records, rejected })
    }
}

fn parse(rows: &[Vec<String>], column: usize, ty: &LogicalType) -> ArrayRef {
    let words = rows.iter().map(|row| (row[column] != "null").then(|| row[column].as_str()));
    let numbers = words.clone().map(|w| w.map(|w| w.parse::<i64>().expect("a number")));
    match ty.to_arrow() {
        DataType::Utf8View => Arc::new(words.collect::<StringViewArray>()),
        DataType::Int32 => Arc::new(numbers.map(|n| n.map(|n| n as i32)).collect::<Int32Array>()),
        DataType::Int64 => Arc::new(numbers.collect::<Int64Array>()),
        DataType::Timestamp(_, None) => Arc::new(numbers.collect::<TimestampMillisecondArray>()),
        other => arrow::compute::cast(&words.collect::<StringViewArray>(), &other).expect("a cast"),
    }
}

// ---- runs ----------------------------------------------------------------------------------------------

pub(super) struct TestClock(pub(super) AtomicI64);

impl Clock for TestClock {
    fn now_ms(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }

    fn monotonic_ns(&self) -> u64 {
        0
    }
}

/// What came out.
#[derive(Default)]
pub(super) struct Output {
    pub(super) lines: Vec<String>,
    pub(super) late: Vec<LateRow>,
    pub(super) quarantined: Vec<QuarantinedRow>,
}

pub(super) struct TestIo {
    pub(super) lines: Vec<Lines>,
    pub(super) output: Arc<Mutex<Output>>,
    pub(super) columns: BTreeMap<NodeId, RowSchema>,
}

impl PipelineIo for TestIo {
    fn scan(&self, node: NodeId, scan: &Scan) -> Result<ScanHandle> {
        let index = self.columns.keys().position(|n| *n == node).expect("a scan");
        let physical: Vec<Column> = scan
            .read
            .iter()
            .map(|i| &scan.table.columns[*i])
            .filter(|c| matches!(c.kind, ColumnKind::Physical))
            .map(|c| Column { name: c.name.clone(), ty: c.ty.clone() })
            .collect();
        Ok(ScanHandle {
            source: Arc::new(LineSource(self.lines[index].clone())),
            decoder: Some(Box::new(LineDecoder(RowSchema::new(physical)))),
        })
    }

    fn sink(&self, _node: NodeId, _sink: &Sink) -> Result<SinkHandle> {
        let output = self.output.clone();
        Ok(SinkHandle::Collect(Box::new(move |batch| {
            output.lock().expect("output").lines.extend(changelog(batch));
            Ok(())
        })))
    }

    fn side_tables(&self) -> Result<Box<dyn SideTables>> {
        Ok(Box::new(TestSide(self.output.clone())))
    }
}

struct TestSide(Arc<Mutex<Output>>);

impl SideTables for TestSide {
    fn late(&mut self, rows: Vec<LateRow>) -> Result<()> {
        self.0.lock().expect("output").late.extend(rows);
        Ok(())
    }

    fn quarantine(&mut self, rows: Vec<QuarantinedRow>) -> Result<()> {
        self.0.lock().expect("output").quarantined.extend(rows);
        Ok(())
    }
}

/// `+I[a, 1]` and so on; timestamps as ms.
pub(super) fn changelog(batch: &ChangeBatch) -> Vec<String> {
    let options = FormatOptions::default().with_null("null");
    let columns: Vec<ArrayRef> = batch
        .rows()
        .columns()
        .iter()
        .map(|c| match c.data_type() {
            DataType::Timestamp(_, _) => arrow::compute::cast(c, &DataType::Int64).expect("ms"),
            _ => c.clone(),
        })
        .collect();
    let columns: Vec<_> =
        columns.iter().map(|c| ArrayFormatter::try_new(c.as_ref(), &options).expect("text")).collect();
    (0..batch.num_rows())
        .map(|row| {
            let values: Vec<String> = columns.iter().map(|c| c.value(row).to_string()).collect();
            format!("{}[{}]", batch.kind(row).short(), values.join(", "))
        })
        .collect()
}

/// State as it would stand in a data folder.
#[derive(Default)]
pub(super) struct Stored {
    entries: BTreeMap<(Uid, u16, Vec<u8>), Vec<u8>>,
    pub(super) checkpoint: Checkpoint,
}

pub(super) struct Test {
    pub(super) plan: PhysicalPlan,
    pub(super) lines: Vec<Lines>,
    pub(super) clock: Arc<TestClock>,
    pub(super) policy: ErrorPolicy,
    pub(super) check_changelog: bool,
    pub(super) output: Arc<Mutex<Output>>,
}

impl Test {
    pub(super) fn new(plan: PhysicalPlan, lines: Vec<Lines>) -> Self {
        Test {
            plan,
            lines,
            clock: Arc::new(TestClock(AtomicI64::new(5_000))),
            policy: ErrorPolicy::Quarantine,
            check_changelog: true,
            output: Arc::default(),
        }
    }

    pub(super) fn build(&self, batch_rows: usize, stored: Option<&Stored>) -> Pipeline {
        self.try_build(batch_rows, stored).unwrap_or_else(|e| panic!("build: {e}"))
    }

    pub(super) fn try_build(&self, batch_rows: usize, stored: Option<&Stored>) -> Result<Pipeline> {
        let columns = self.plan.scans().map(|(id, _)| (id, self.plan.nodes[id].schema.clone())).collect();
        let io = TestIo { lines: self.lines.clone(), output: self.output.clone(), columns };
        let settings = PipelineSettings {
            error_policy: self.policy,
            batch_rows,
            check_changelog: self.check_changelog,
            ..PipelineSettings::new(self.clock.clone(), "UTC")
        };
        let restore = stored.map(|s| PipelineRestore { checkpoint: &s.checkpoint, state: s });
        Pipeline::build(&self.plan, &io, settings, restore)
    }

    pub(super) fn take(&self) -> Output {
        std::mem::take(&mut *self.output.lock().expect("output"))
    }

    /// Runs to the end at one go.
    pub(super) fn run(&self, batch_rows: usize) -> Output {
        let mut pipeline = self.build(batch_rows, None);
        run_to_end(&mut pipeline);
        self.take()
    }

    /// Runs with a checkpoint, a new pipeline and a restore after `every` rows, first after `first`.
    pub(super) fn run_with_restarts(&self, first: usize, every: usize) -> Output {
        let mut stored: Option<Stored> = None;
        let mut epoch = 0;
        for rows in std::iter::once(first).chain(std::iter::repeat_n(every, 10_000)) {
            let mut pipeline = self.build(rows.clamp(1, 8_192), stored.as_ref());
            let mut left = rows;
            while left > 0 {
                let report = pipeline.step(Budget { rows: left, ns: u64::MAX }).unwrap_or_else(|e| panic!("step: {e}"));
                left -= report.rows_in;
                if report.ended {
                    return self.take();
                }
            }
            epoch += 1;
            pipeline.barrier(epoch).unwrap_or_else(|e| panic!("barrier: {e}"));
            let frozen = pipeline.freeze().unwrap_or_else(|e| panic!("freeze: {e}"));
            stored.get_or_insert_with(Stored::default).apply(frozen);
        }
        panic!("the run does not end")
    }

    /// The exact changelog, whole, row by row, and with restarts at every cut.
    pub(super) fn check(&self, expected: &[&str]) {
        self.check_lines(expected, |output| output.lines);
    }

    /// The same, but rows of one window (equal in their last two columns) in any order: `expected` has them sorted.
    pub(super) fn check_windows(&self, expected: &[&str]) {
        self.check_lines(expected, |output| {
            let mut lines = output.lines;
            let window = |line: &String| line.rsplit(", ").take(2).map(str::to_string).collect::<Vec<_>>();
            lines.chunk_by_mut(|a, b| window(a) == window(b)).for_each(<[String]>::sort);
            lines
        });
    }

    fn check_lines(&self, expected: &[&str], lines: impl Fn(Output) -> Vec<String>) {
        assert_eq!(lines(self.run(8_192)), expected, "whole");
        assert_eq!(lines(self.run(1)), expected, "row by row");
        let rows: usize = self.lines.iter().flat_map(|l| &l.splits).map(Vec::len).sum();
        for cut in 1..=rows {
            assert_eq!(lines(self.run_with_restarts(cut, 8_192)), expected, "restart after {cut} rows");
        }
        assert_eq!(lines(self.run_with_restarts(1, 1)), expected, "restart after each row");
    }

    /// The rows that are there at the end, for runs whose changelog depends on the batches.
    pub(super) fn check_final(&self, expected: &[&str]) {
        let rows: usize = self.lines.iter().flat_map(|l| &l.splits).map(Vec::len).sum();
        assert_eq!(materialized(&self.run(8_192).lines), expected, "whole");
        assert_eq!(materialized(&self.run(1).lines), expected, "row by row");
        for cut in 1..=rows {
            assert_eq!(materialized(&self.run_with_restarts(cut, 8_192).lines), expected, "restart after {cut} rows");
        }
        assert_eq!(materialized(&self.run_with_restarts(1, 1).lines), expected, "restart after each row");
    }
}

pub(super) fn run_to_end(pipeline: &mut Pipeline) {
    for _ in 0..10_000 {
        let report = pipeline.step(Budget { rows: 100_000, ns: u64::MAX }).unwrap_or_else(|e| panic!("step: {e}"));
        if report.ended {
            return;
        }
    }
    panic!("the pipeline does not end")
}

/// Applies a changelog; the rows that are left, sorted.
pub(super) fn materialized(lines: &[String]) -> Vec<String> {
    let mut rows: BTreeMap<String, i64> = BTreeMap::new();
    for line in lines {
        let (kind, row) = line.split_at(2);
        *rows.entry(row.to_string()).or_default() += if matches!(kind, "+I" | "+U") { 1 } else { -1 };
    }
    assert!(rows.values().all(|n| *n >= 0), "retractions of rows that are not there: {lines:?}");
    rows.into_iter().flat_map(|(row, count)| std::iter::repeat_n(row, count as usize)).collect()
}

impl Stored {
    pub(super) fn apply(&mut self, frozen: FrozenPipeline) {
        let mut last = BTreeMap::new();
        for entry in frozen.state.iter() {
            last.insert((entry.uid, entry.key_group, entry.key.to_vec()), entry.value.map(<[u8]>::to_vec));
        }
        for (place, value) in last {
            match value {
                Some(value) => {
                    self.entries.insert(place, value);
                }
                None => {
                    assert!(self.entries.remove(&place).is_some(), "a key is deleted that was never stored");
                }
            }
        }
        self.checkpoint = frozen.checkpoint;
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }
}

impl StateRead for Stored {
    fn visit(&self, visit: &mut VisitState<'_>) -> Result<()> {
        self.entries.iter().try_for_each(|((uid, key_group, key), value)| visit(*uid, *key_group, key, value))
    }
}

/// An error's text, for runs that must fail.
pub(super) fn failure(result: Result<StepReport>) -> Error {
    result.err().unwrap_or_else(|| panic!("the step succeeded"))
}
