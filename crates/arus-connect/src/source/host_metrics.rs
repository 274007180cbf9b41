//! `'connector' = 'host-metrics'` (ours): this machine as rows, one for each figure, every interval.
//!
//! The rows are long rather than wide, so that machines with any number of cores, disks and interfaces have one
//! schema. They cannot be read again: the engine writes them to an internal topic first.
//!
//! | kind | name | metric (unit) |
//! |---|---|---|
//! | cpu | `total`, `cpu0`, .. | usage (%) |
//! | memory | `ram` | total, used, available (bytes), usage (%) |
//! | memory | `swap` | total, used (bytes) |
//! | load | `load` | 1m, 5m, 15m |
//! | disk | mount point | total, used, available (bytes), usage (%), read, written (bytes/s) |
//! | network | interface | received, transmitted (bytes/s) |
//! | process | name, with `pid` | cpu (% of one core), memory (bytes) |

mod probe;

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch, RecordBatchOptions, StringViewArray};
use arrow::array::{TimestampMicrosecondArray, TimestampMillisecondArray, TimestampNanosecondArray};
use arrow::datatypes::TimeUnit;
use arus_core::catalog::TableDef;
use arus_core::change::arrow_bug;
use arus_core::clock::SharedClock;
use arus_core::connector::{
    ConnectContext, Connector, OptionDef, OptionKind, PollLimit, Polled, Position, Source, SourceReader, Split,
};
use arus_core::error::Code;
use arus_core::types::{timestamp_unit, units_per_ms};
use arus_core::{Column, Error, LogicalType, Result, RowSchema, TimeAttribute, TypeKind};

use crate::options::Options;
use probe::{Machine, Probe};

pub(crate) struct HostMetrics;

const INTERVAL: &str = "interval";
const PROCESSES: &str = "processes";
const PROCESSES_LIMIT: usize = 1_000;

const OPTIONS: &[OptionDef] = &[
    OptionDef::new(INTERVAL, OptionKind::Duration, "time between two samples").default_to("1 s"),
    OptionDef::new(PROCESSES, OptionKind::Integer, "the busiest processes of each sample; 0 is none").default_to("10"),
];

/// One figure.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Figure {
    kind: &'static str,
    name: String,
    metric: &'static str,
    value: f64,
    unit: &'static str,
    pid: Option<i64>,
}

/// The columns that a table may declare, in any order.
pub fn host_metrics_columns() -> RowSchema {
    let timestamp = TypeKind::TimestampLtz { precision: 3, attribute: TimeAttribute::None };
    [
        ("ts", timestamp.nullable()),
        ("host", TypeKind::STRING.nullable()),
        ("kind", TypeKind::STRING.nullable()),
        ("name", TypeKind::STRING.nullable()),
        ("metric", TypeKind::STRING.nullable()),
        ("value", TypeKind::Double.nullable()),
        ("unit", TypeKind::STRING.nullable()),
        ("pid", TypeKind::BigInt.nullable()),
    ]
    .into_iter()
    .map(|(name, ty)| Column { name: name.to_string(), ty })
    .collect()
}

impl Connector for HostMetrics {
    fn name(&self) -> &'static str {
        "host-metrics"
    }

    fn options(&self) -> &'static [OptionDef] {
        OPTIONS
    }

    fn is_source(&self) -> bool {
        true
    }

    fn source(&self, table: &TableDef, cx: &ConnectContext) -> Result<Arc<dyn Source>> {
        Ok(Arc::new(sampled(table, cx, || Ok(Box::new(Machine::new()?)))?))
    }
}

fn same_kind(declared: &LogicalType, known: &LogicalType) -> bool {
    match (&declared.kind, &known.kind) {
        (TypeKind::TimestampLtz { .. }, TypeKind::TimestampLtz { .. }) => true,
        (declared, known) => declared == known,
    }
}

fn sampled(
    table: &TableDef,
    cx: &ConnectContext,
    probe: impl Fn() -> Result<Box<dyn Probe>> + Send + Sync + 'static,
) -> Result<Sampled> {
    let options = Options::of(table, OPTIONS);
    let columns = table.physical_schema();
    let known = host_metrics_columns();
    for column in columns.columns() {
        if !known.columns().iter().any(|k| k.name == column.name && same_kind(&column.ty, &k.ty)) {
            let list: Vec<_> = known.columns().iter().map(|k| format!("`{}` {}", k.name, k.ty)).collect();
            return Err(Error::user(format!(
                "table '{}': connector 'host-metrics' has no column `{}` {}",
                table.path, column.name, column.ty
            ))
            .with_code(Code::UndefinedColumn)
            .with_hint(format!("its columns are {}", list.join(", "))));
        }
    }
    let interval_ms = options.duration_ms(INTERVAL)?.unwrap_or(1_000);
    if interval_ms < 100 {
        return Err(options.wrong(INTERVAL, "at least 100 ms", options.required(INTERVAL)?));
    }
    let text = options.required(PROCESSES)?;
    let processes = text
        .trim()
        .parse::<usize>()
        .ok()
        .filter(|n| *n <= PROCESSES_LIMIT)
        .ok_or_else(|| options.wrong(PROCESSES, format!("an integer from 0 to {PROCESSES_LIMIT}"), text))?;
    Ok(Sampled { clock: cx.clock.clone(), columns, interval_ms, processes, probe: Box::new(probe) })
}

struct Sampled {
    clock: SharedClock,
    columns: RowSchema,
    interval_ms: i64,
    processes: usize,
    probe: Box<dyn Fn() -> Result<Box<dyn Probe>> + Send + Sync>,
}

impl Source for Sampled {
    fn bounded(&self) -> bool {
        false
    }

    fn enumerate(&self, known: &[Split]) -> Result<Vec<Split>> {
        Ok(if known.is_empty() { vec![Split { id: "host".into() }] } else { vec![] })
    }

    fn open(&self, _split: &Split, position: Option<&Position>) -> Result<Box<dyn SourceReader>> {
        Ok(Box::new(Sampler {
            clock: self.clock.clone(),
            columns: self.columns.clone(),
            interval_ns: self.interval_ms as u64 * 1_000_000,
            processes: self.processes,
            probe: (self.probe)()?,
            sampled_ns: self.clock.monotonic_ns(),
            samples: position.and_then(Position::as_u64).unwrap_or(0),
        }))
    }

    fn replayable(&self) -> bool {
        false
    }
}

struct Sampler {
    clock: SharedClock,
    columns: RowSchema,
    interval_ns: u64,
    processes: usize,
    probe: Box<dyn Probe>,
    sampled_ns: u64,
    samples: u64,
}

impl SourceReader for Sampler {
    fn poll(&mut self, _limit: PollLimit) -> Result<Polled> {
        let now_ns = self.clock.monotonic_ns();
        let elapsed_ns = now_ns.saturating_sub(self.sampled_ns);
        if elapsed_ns < self.interval_ns {
            return Ok(Polled::Idle);
        }
        // Keeps the beat; what a long stall has missed is not made up.
        self.sampled_ns = if elapsed_ns < 2 * self.interval_ns { self.sampled_ns + self.interval_ns } else { now_ns };
        let figures = self.probe.sample(self.processes, elapsed_ns as f64 / 1e9)?;
        let rows = rows(&self.columns, self.clock.now_ms(), self.probe.host(), &figures)?;
        self.samples += 1;
        Ok(Polled::Rows(rows))
    }

    fn position(&self) -> Position {
        Position::from_u64(self.samples)
    }
}

fn rows(columns: &RowSchema, now_ms: i64, host: &str, figures: &[Figure]) -> Result<RecordBatch> {
    let strings =
        |of: fn(&Figure) -> &str| -> ArrayRef { Arc::new(StringViewArray::from_iter_values(figures.iter().map(of))) };
    let arrays: Result<Vec<ArrayRef>> = columns
        .columns()
        .iter()
        .map(|column| {
            Ok(match column.name.as_str() {
                "ts" => timestamps(&column.ty, now_ms, figures.len()),
                "host" => Arc::new(StringViewArray::from_iter_values(figures.iter().map(|_| host))),
                "kind" => strings(|f| f.kind),
                "name" => strings(|f| &f.name),
                "metric" => strings(|f| f.metric),
                "value" => Arc::new(Float64Array::from_iter_values(figures.iter().map(|f| f.value))),
                "unit" => strings(|f| f.unit),
                "pid" => Arc::new(figures.iter().map(|f| f.pid).collect::<Int64Array>()),
                other => return Err(Error::bug(format!("host-metrics: column '{other}'"))),
            })
        })
        .collect();
    let options = RecordBatchOptions::new().with_row_count(Some(figures.len()));
    RecordBatch::try_new_with_options(columns.to_arrow(), arrays?, &options).map_err(arrow_bug)
}

fn timestamps(ty: &LogicalType, now_ms: i64, rows: usize) -> ArrayRef {
    let TypeKind::TimestampLtz { precision, .. } = ty.kind else {
        return Arc::new(TimestampMillisecondArray::from_value(now_ms, rows).with_timezone("UTC"));
    };
    let value = now_ms * units_per_ms(precision);
    match timestamp_unit(precision) {
        TimeUnit::Millisecond => Arc::new(TimestampMillisecondArray::from_value(value, rows).with_timezone("UTC")),
        TimeUnit::Microsecond => Arc::new(TimestampMicrosecondArray::from_value(value, rows).with_timezone("UTC")),
        _ => Arc::new(TimestampNanosecondArray::from_value(value, rows).with_timezone("UTC")),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;

    use arrow::array::{Array, AsArray};
    use arus_core::ChangeBatch;

    use super::*;
    use crate::conformance::{FixedClock, Lines, context, table};
    use crate::sink::print::RowLines;

    const LIMIT: PollLimit = PollLimit { rows: 8_192, bytes: 1 << 20 };

    struct Fake(u32);

    impl Probe for Fake {
        fn host(&self) -> &str {
            "box"
        }

        fn sample(&mut self, processes: usize, seconds: f64) -> Result<Vec<Figure>> {
            self.0 += 1;
            let name = format!("{processes} {seconds}");
            Ok(vec![Figure { kind: "cpu", name, metric: "usage", value: f64::from(self.0), unit: "%", pid: None }])
        }
    }

    fn declared() -> Vec<(&'static str, LogicalType)> {
        let known = host_metrics_columns();
        ["value", "ts", "host", "kind", "name", "pid"]
            .into_iter()
            .map(|name| (name, known.columns()[known.index_of(name).expect(name)].ty.clone()))
            .collect()
    }

    #[test]
    fn samples_at_the_interval() {
        let clock = Arc::new(FixedClock(5_000.into()));
        let mut cx = context(&Arc::new(Lines::default()));
        cx.clock = clock.clone();
        let table = table(&declared(), &[(INTERVAL, "2 s"), (PROCESSES, "3")]);
        let source = sampled(&table, &cx, || Ok(Box::new(Fake(0)))).expect("a source");
        assert!(!source.replayable() && !source.bounded());
        let mut reader = source.open(&Split { id: "host".into() }, None).expect("opens");
        let lines = RowLines::new(declared().into_iter().map(|c| c.1).collect(), String::new());
        let mut out = String::new();
        for step_ms in [0, 1_999, 1, 100, 2_000, 9_000, 100] {
            clock.0.fetch_add(step_ms, Ordering::SeqCst);
            if let Polled::Rows(rows) = reader.poll(LIMIT).expect("polls") {
                lines.write(&ChangeBatch::inserts(rows), &mut out);
            }
        }
        let expected = [
            "+I[1.0, 1970-01-01T00:00:07Z, box, cpu, 3 2, null]",
            "+I[2.0, 1970-01-01T00:00:09.100Z, box, cpu, 3 2.1, null]",
            "+I[3.0, 1970-01-01T00:00:18.100Z, box, cpu, 3 9.1, null]",
        ];
        assert_eq!(out.lines().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn unknown_columns_are_refused_with_the_list() {
        let cx = context(&Arc::new(Lines::default()));
        let cases =
            [("temperature", TypeKind::Double, "no column `temperature` DOUBLE"), ("pid", TypeKind::Int, "`pid` INT")];
        for (name, kind, expected) in cases {
            let error = HostMetrics.source(&table(&[(name, kind.nullable())], &[]), &cx).err().expect("refused");
            assert!(error.message().contains(expected), "{error}");
            assert!(error.hint().expect("a hint").contains("`pid` BIGINT"));
        }
    }

    #[test]
    fn this_machine_has_a_cpu_memory_and_processes() {
        let clock = Arc::new(FixedClock::default());
        let mut cx = context(&Arc::new(Lines::default()));
        cx.clock = clock.clone();
        let known = host_metrics_columns();
        let columns: Vec<_> = known.columns().iter().map(|c| (c.name.as_str(), c.ty.clone())).collect();
        let source = HostMetrics.source(&table(&columns, &[]), &cx).expect("a source");
        let mut reader = source.open(&Split { id: "host".into() }, None).expect("opens");
        clock.0.fetch_add(1_000, Ordering::SeqCst);
        let Polled::Rows(rows) = reader.poll(LIMIT).expect("polls") else { panic!("no sample") };
        let kinds = rows.column(2).as_string_view();
        for kind in ["cpu", "memory", "load", "process"] {
            assert!(kinds.iter().flatten().any(|k| k == kind), "{kind}");
        }
        let names = rows.column(3).as_string_view();
        assert!(names.iter().flatten().any(|n| n == "cpu0"), "each core has its figures");
        let pids = rows.column(7);
        assert!((0..rows.num_rows()).all(|i| pids.is_valid(i) == (kinds.value(i) == "process")));
        let values = rows.column(5).as_primitive::<arrow::datatypes::Float64Type>();
        assert!(values.null_count() == 0 && values.values().iter().all(|v| v.is_finite() && *v >= 0.0));
    }
}
