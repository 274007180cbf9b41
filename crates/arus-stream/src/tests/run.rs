//! Runs of a plan: whole, row by row, and with restarts.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use arrow::array::ArrayRef;
use arrow::datatypes::DataType;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use arus_core::catalog::ColumnKind;
use arus_core::clock::Clock;
use arus_core::key_group::KEY_GROUPS;
use arus_core::plan::{NodeId, PhysicalPlan, Scan, Sink, Uid};
use arus_core::{ChangeBatch, Column, Error, Result, RowSchema};

use super::harness::{LineDecoder, LineSource, Lines};
use crate::*;

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
    pub(super) sink: Option<MakeSink>,
}

/// Makes the sink of each new pipeline.
pub(super) type MakeSink = Arc<dyn Fn() -> SinkHandle + Send + Sync>;

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
        if let Some(sink) = &self.sink {
            return Ok(sink());
        }
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
    pub(super) sink: Option<MakeSink>,
    pub(super) output: Arc<Mutex<Output>>,
    pub(super) key_groups: Range<u16>,
}

impl Test {
    pub(super) fn new(plan: PhysicalPlan, lines: Vec<Lines>) -> Self {
        Test {
            plan,
            lines,
            clock: Arc::new(TestClock(AtomicI64::new(5_000))),
            policy: ErrorPolicy::Quarantine,
            check_changelog: true,
            sink: None,
            output: Arc::default(),
            key_groups: 0..KEY_GROUPS,
        }
    }

    pub(super) fn build(&self, batch_rows: usize, stored: Option<&Stored>) -> Pipeline {
        self.try_build(batch_rows, stored).unwrap_or_else(|e| panic!("build: {e}"))
    }

    pub(super) fn try_build(&self, batch_rows: usize, stored: Option<&Stored>) -> Result<Pipeline> {
        let columns = self.plan.scans().map(|(id, _)| (id, self.plan.nodes[id].schema.clone())).collect();
        let io = TestIo { lines: self.lines.clone(), output: self.output.clone(), columns, sink: self.sink.clone() };
        let settings = PipelineSettings {
            error_policy: self.policy,
            batch_rows,
            check_changelog: self.check_changelog,
            key_groups: self.key_groups.clone(),
            ..PipelineSettings::new(self.clock.clone(), "UTC")
        };
        let part = stored.map(|stored| Part { stored, key_groups: self.key_groups.clone() });
        let restore = part.as_ref().map(|p| PipelineRestore { checkpoint: &p.stored.checkpoint, state: p });
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

    pub(super) fn all(&self) -> impl Iterator<Item = (&(Uid, u16, Vec<u8>), &Vec<u8>)> {
        self.entries.iter()
    }
}

/// What a task with some key groups restores.
struct Part<'a> {
    stored: &'a Stored,
    key_groups: Range<u16>,
}

impl StateRead for Part<'_> {
    fn visit(&self, visit: &mut VisitState<'_>) -> Result<()> {
        let own = self.stored.entries.iter().filter(|((_, group, _), _)| self.key_groups.contains(group));
        own.into_iter().try_for_each(|((uid, key_group, key), value)| visit(*uid, *key_group, key, value))
    }
}

/// An error's text, for runs that must fail.
pub(super) fn failure(result: Result<StepReport>) -> Error {
    result.err().unwrap_or_else(|| panic!("the step succeeded"))
}
