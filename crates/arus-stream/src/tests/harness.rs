//! Plans, sources and sinks of the tests.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int32Array, Int64Array, StringViewArray, TimestampMillisecondArray};
use arrow::datatypes::DataType;
use arus_core::catalog::{ColumnKind, ObjectPath, TableColumn, TableDef, TableKind};
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
use arus_core::{Column, Datum, LogicalType, Result, RowKind, RowSchema, TypeKind};
use bytes::Bytes;

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
                AggregateCall {
                    function: *function,
                    args,
                    distinct: false,
                    filter: None,
                    ty,
                    name: function.name().to_string(),
                }
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
        self.window_of(input, window, keys, calls)
    }

    /// The same over any window.
    pub(super) fn window_of(
        &mut self,
        input: NodeId,
        window: Window,
        keys: &[usize],
        calls: &[(AggregateFunction, Option<usize>)],
    ) -> NodeId {
        let calls = self.calls(input, calls);
        let mut columns: Vec<Column> = keys.iter().map(|k| self.nodes[input].schema.columns()[*k].clone()).collect();
        columns.extend(calls.iter().map(|c| column(&c.name, c.ty.clone())));
        columns.extend(window_columns());
        let properties = vec![WindowProperty::Start, WindowProperty::End, WindowProperty::Time];
        let aggregate = WindowAggregate { window, keys: keys.to_vec(), calls, properties, legacy: false };
        self.push(Op::WindowAggregate(aggregate), vec![input], columns, ChangelogMode::INSERT_ONLY)
    }

    pub(super) fn tumble(&self, input: NodeId, size_ms: i64) -> Window {
        self.by_time(input, WindowKind::Tumble { size_ms, offset_ms: 0 })
    }

    /// A window over the time attribute.
    pub(super) fn by_time(&self, input: NodeId, kind: WindowKind) -> Window {
        let columns = self.nodes[input].schema.columns();
        let time =
            columns.iter().position(|c| c.ty.kind.time_attribute() != TimeAttribute::None).expect("a time attribute");
        Window { kind, time, time_type: columns[time].ty.clone(), attached: None, partition: vec![] }
    }

    pub(super) fn window_table_function(&mut self, input: NodeId, window: Window) -> NodeId {
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

    pub(super) fn collect(self, input: NodeId) -> PhysicalPlan {
        self.sink(input, SinkTarget::Collect)
    }

    /// Into a table of these columns.
    pub(super) fn insert(self, input: NodeId, columns: &[(&str, LogicalType)]) -> PhysicalPlan {
        self.sink(input, SinkTarget::Table(table(columns)))
    }

    fn sink(mut self, input: NodeId, target: SinkTarget) -> PhysicalPlan {
        let columns = self.nodes[input].schema.columns().to_vec();
        let mode = self.nodes[input].mode;
        self.push(Op::Sink(Sink::to(target)), vec![input], columns, mode);
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

pub(super) struct LineSource(pub(super) Lines);

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

    fn metadata(&self, key: &str) -> Option<Datum> {
        (key == "file.size").then_some(Datum::BigInt(self.lines.len() as i64))
    }
}

pub(super) struct LineDecoder(pub(super) RowSchema);

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
