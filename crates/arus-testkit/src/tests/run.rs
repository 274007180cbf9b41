//! One run of a plan: sources that hand out given rows in random portions, and restarts.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use arus_core::catalog::ColumnKind;
use arus_core::clock::Clock;
use arus_core::connector::{
    Decoded, Decoder, PollLimit, Polled, Position, RawBatch, RawRecord, Source, SourceReader, Span, Split,
};
use arus_core::plan::{NodeId, PhysicalPlan, Scan, Sink, Uid};
use arus_core::rng::Rng;
use arus_core::{LogicalType, Result, RowSchema};
use arus_stream::{
    Budget, Checkpoint, ErrorPolicy, FrozenPipeline, FrozenTask, LateRow, Pipeline, PipelineIo, PipelineRestore,
    PipelineSettings, QuarantinedRow, ScanHandle, SideTables, SinkHandle, StateRead, Tasks, VisitState, Waker,
};
use bytes::Bytes;

use super::arrays;
use crate::reference::{Change, Inputs};

/// How a plan is run.
#[derive(Debug, Clone)]
pub(super) struct Mode {
    pub(super) batch_rows: usize,
    /// Rows of a step at most, by turns.
    pub(super) steps: Vec<usize>,
    /// After how many steps the run starts again from a checkpoint; each number once.
    pub(super) restarts: Vec<usize>,
    /// Tasks that the pipeline is spread over, at the start and after each restart.
    pub(super) tasks: Vec<usize>,
    /// Which task is next, where there are several.
    pub(super) seed: u64,
}

impl Mode {
    pub(super) fn whole() -> Mode {
        Mode { batch_rows: 8_192, steps: vec![8_192], restarts: vec![], tasks: vec![1], seed: 0 }
    }

    pub(super) fn row_by_row() -> Mode {
        Mode { batch_rows: 1, steps: vec![1], restarts: vec![], tasks: vec![1], seed: 0 }
    }

    pub(super) fn random(rng: &mut Rng) -> Mode {
        let steps = (0..4).map(|_| 1 + rng.below(12) as usize).collect();
        let restarts = (0..1 + rng.below(2)).map(|_| rng.below(8) as usize).collect();
        Mode { batch_rows: 1 + rng.below(16) as usize, steps, restarts, tasks: vec![1], seed: 0 }
    }

    pub(super) fn is_spread(&self) -> bool {
        self.tasks.iter().any(|tasks| *tasks > 1)
    }

    /// Over several tasks that take turns at random, and another number of them after a restart.
    pub(super) fn spread(rng: &mut Rng) -> Mode {
        let first = 2 + rng.below(3) as usize;
        let tasks = vec![first, 1 + rng.below(4) as usize, 1 + rng.below(4) as usize];
        // Each of them takes steps, and each step goes on to the next.
        let restarts = (0..1 + rng.below(2)).map(|_| rng.below(24) as usize).collect();
        Mode { restarts, tasks, seed: rng.next_u64(), ..Mode::random(rng) }
    }
}

struct StoppedClock;

impl Clock for StoppedClock {
    fn now_ms(&self) -> i64 {
        200_000
    }

    fn monotonic_ns(&self) -> u64 {
        0
    }
}

/// State as it would stand in files.
#[derive(Default)]
struct Stored {
    entries: BTreeMap<(Uid, u16, Vec<u8>), Vec<u8>>,
    checkpoint: Checkpoint,
}

impl Stored {
    fn apply(&mut self, frozen: FrozenPipeline) {
        for entry in frozen.state.iter() {
            let place = (entry.uid, entry.key_group, entry.key.to_vec());
            match entry.value {
                Some(value) => self.entries.insert(place, value.to_vec()),
                None => self.entries.remove(&place),
            };
        }
        self.checkpoint = frozen.checkpoint;
    }
}

impl StateRead for Stored {
    fn visit(&self, visit: &mut VisitState<'_>) -> Result<()> {
        self.entries.iter().try_for_each(|((uid, key_group, key), value)| visit(*uid, *key_group, key, value))
    }
}

/// The changes that reach the sink; an error where a row fails against the policy.
pub(super) fn run(plan: &PhysicalPlan, inputs: &Inputs, mode: &Mode, policy: ErrorPolicy) -> Result<Vec<Change>> {
    let schema = plan.nodes[plan.sinks().next().expect("a sink").0].schema.clone();
    let io = Io { policy, inputs: inputs.clone(), schema, output: Arc::default() };
    let mut stored: Option<Stored> = None;
    let (mut step, mut epoch, mut build) = (0, 0, 0);
    let mut spread = Spread::build(plan, &io, mode, build, None)?;
    for _ in 0..40_000 {
        if mode.restarts.contains(&step) {
            epoch += 1;
            build += 1;
            let frozen = spread.cut(epoch)?;
            let stored = stored.get_or_insert_with(Stored::default);
            stored.apply(frozen);
            spread = Spread::build(plan, &io, mode, build, Some(stored))?;
        }
        spread.step(Budget { rows: mode.steps[step % mode.steps.len()], ns: u64::MAX })?;
        step += 1;
        if spread.tasks.iter().all(Pipeline::ended) {
            return Ok(std::mem::take(&mut *io.output.lock().expect("the output")));
        }
    }
    panic!("the run does not end")
}

/// The tasks of a pipeline, which take turns.
struct Spread {
    tasks: Vec<Pipeline>,
    home: usize,
    rng: Rng,
}

/// Turns come from here alone.
struct Nobody;

impl Waker for Nobody {
    fn wake(&self) {}
}

impl Spread {
    fn build(plan: &PhysicalPlan, io: &Io, mode: &Mode, number: usize, stored: Option<&Stored>) -> Result<Self> {
        let settings = PipelineSettings {
            batch_rows: mode.batch_rows,
            check_changelog: true,
            error_policy: io.policy,
            ..PipelineSettings::new(Arc::new(StoppedClock), "UTC")
        };
        let mut rng = Rng::seeded(mode.seed.wrapping_add(number as u64));
        let count = mode.tasks[number % mode.tasks.len()];
        let home = rng.below(count as u64) as usize;
        let tasks = Tasks { wakers: (0..count).map(|_| Arc::new(Nobody) as Arc<dyn Waker>).collect(), home };
        let restore = stored.map(|s| PipelineRestore { checkpoint: &s.checkpoint, state: s });
        let ios: Vec<&dyn PipelineIo> = (0..count).map(|_| io as &dyn PipelineIo).collect();
        let tasks = Pipeline::build_tasks(plan, &ios, &settings, tasks, restore)?;
        Ok(Spread { tasks, home, rng })
    }

    fn next(&mut self) -> usize {
        self.rng.below(self.tasks.len() as u64) as usize
    }

    fn step(&mut self, budget: Budget) -> Result<()> {
        let next = self.next();
        self.tasks[next].step(budget).map(|_| ())
    }

    /// A barrier that the tasks take at different times.
    fn cut(&mut self, epoch: u64) -> Result<FrozenPipeline> {
        let mut asked = vec![false; self.tasks.len()];
        let mut frozen: Vec<Option<FrozenTask>> = self.tasks.iter().map(|_| None).collect();
        while frozen.iter().any(Option::is_none) {
            let at = self.next();
            if frozen[at].is_some() {
                continue;
            }
            let task = &mut self.tasks[at];
            if !asked[at] && self.rng.below(2) == 0 {
                asked[at] = true;
                task.barrier(epoch)?;
            } else {
                task.step(Budget { rows: 1 + self.rng.below(4) as usize, ns: u64::MAX })?;
            }
            if task.at_barrier() == Some(epoch) {
                frozen[at] = Some(task.freeze_task()?);
            }
        }
        Ok(FrozenPipeline::merged(frozen.into_iter().flatten().collect(), self.home))
    }
}

struct Io {
    policy: ErrorPolicy,
    inputs: Inputs,
    schema: RowSchema,
    output: Arc<Mutex<Vec<Change>>>,
}

impl PipelineIo for Io {
    fn scan(&self, _: NodeId, scan: &Scan) -> Result<ScanHandle> {
        let physical: Vec<usize> = (0..scan.table.columns.len())
            .filter(|c| matches!(scan.table.columns[*c].kind, ColumnKind::Physical))
            .collect();
        let columns = scan
            .read
            .iter()
            .filter_map(|c| Some((physical.iter().position(|p| p == c)?, scan.table.columns[*c].ty.clone())))
            .collect();
        let changes: Arc<[Change]> = self.inputs[&scan.table.path.name].clone().into();
        Ok(ScanHandle {
            source: Arc::new(Rows(changes.len())),
            decoder: Some(Box::new(RowDecoder { changes, columns, schema: scan_schema(scan) })),
        })
    }

    fn sink(&self, _: NodeId, _: &Sink) -> Result<SinkHandle> {
        let (output, schema) = (self.output.clone(), self.schema.clone());
        Ok(SinkHandle::Collect(Box::new(move |batch| {
            output.lock().expect("the output").extend(arrays::changes(batch, &schema));
            Ok(())
        })))
    }

    fn side_tables(&self) -> Result<Box<dyn SideTables>> {
        Ok(Box::new(NoSide))
    }
}

fn scan_schema(scan: &Scan) -> RowSchema {
    let columns = scan.read.iter().map(|c| &scan.table.columns[*c]);
    columns
        .filter(|c| matches!(c.kind, ColumnKind::Physical))
        .map(|c| arus_core::Column { name: c.name.clone(), ty: c.ty.clone() })
        .collect()
}

struct NoSide;

impl SideTables for NoSide {
    fn late(&mut self, _: Vec<LateRow>) -> Result<()> {
        Ok(())
    }

    fn quarantine(&mut self, _: Vec<QuarantinedRow>) -> Result<()> {
        Ok(())
    }
}

/// Records are the numbers of the rows.
struct Rows(usize);

impl Source for Rows {
    fn bounded(&self) -> bool {
        true
    }

    fn enumerate(&self, known: &[Split]) -> Result<Vec<Split>> {
        Ok(if known.is_empty() { vec![Split { id: "0".into() }] } else { vec![] })
    }

    fn open(&self, _: &Split, position: Option<&Position>) -> Result<Box<dyn SourceReader>> {
        let at = position.and_then(Position::as_u64).unwrap_or(0) as usize;
        Ok(Box::new(RowReader { at, end: self.0 }))
    }
}

struct RowReader {
    at: usize,
    end: usize,
}

impl SourceReader for RowReader {
    fn poll(&mut self, limit: PollLimit) -> Result<Polled> {
        if self.at == self.end {
            return Ok(Polled::End);
        }
        let to = self.end.min(self.at + limit.rows.max(1));
        let mut data = vec![];
        let mut records = vec![];
        for row in self.at..to {
            let span = Span { start: data.len() as u32, len: 8 };
            data.extend_from_slice(&(row as u64).to_le_bytes());
            let timestamp_ms = 0;
            records.push(RawRecord { value: Some(span), key: None, headers: None, offset: row as i64, timestamp_ms });
        }
        self.at = to;
        Ok(Polled::Raw(RawBatch { data: Bytes::from(data), records, partition: 0 }))
    }

    fn position(&self) -> Position {
        Position::from_u64(self.at as u64)
    }
}

struct RowDecoder {
    changes: Arc<[Change]>,
    /// Place among the physical columns, and type.
    columns: Vec<(usize, LogicalType)>,
    schema: RowSchema,
}

impl Decoder for RowDecoder {
    fn decode(&mut self, raw: &RawBatch) -> Result<Decoded> {
        let rows: Vec<&Change> = raw.records.iter().map(|r| &self.changes[r.offset as usize]).collect();
        let column = |(place, ty): &(usize, LogicalType)| {
            let values: Vec<_> = rows.iter().map(|change| &change.values[*place]).collect();
            arrays::array(&values, ty)
        };
        let options = arrow::array::RecordBatchOptions::new().with_row_count(Some(rows.len()));
        let columns = self.columns.iter().map(column).collect();
        let batch = arrow::array::RecordBatch::try_new_with_options(self.schema.to_arrow(), columns, &options)
            .expect("columns of the schema");
        let kinds = rows.iter().map(|change| change.kind).collect();
        let records = (0..rows.len() as u32).collect();
        Ok(Decoded { rows: batch, kinds: Some(kinds), records, rejected: vec![] })
    }
}
