//! A bounded pipeline over one epoch: how topics, views and SELECTs in Flink's dialect are read.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use arrow::array::RecordBatch;
use arus_connect::TopicSource;
use arus_core::catalog::TableDef;
use arus_core::connector::{PollLimit, Polled, Position, Source, SourceReader, Split};
use arus_core::limits::BATCH_ROWS;
use arus_core::plan::{NodeId, PhysicalPlan, Scan, Sink};
use arus_core::platform::StreamEvent;
use arus_core::read::{BatchIterator, Cut};
use arus_core::settings::{ERROR_POLICY, READ_DAMAGE, Settings};
use arus_core::{ChangeBatch, Error, ErrorKind, Result, RowSchema};
use arus_storage::log::Topic;
use arus_storage::table::{KeyedTable, TableMode, TableSnapshot};
use arus_stream::{
    Budget, CollectFn, ErrorPolicy, LateRow, Pipeline, PipelineIo, QuarantinedRow, ScanHandle, SideTables, SinkHandle,
};

use crate::io;
use crate::memory::{megabytes, resident};
use crate::published::Published;
use crate::shared::Shared;
use crate::tables::Store;

/// One turn: about a batch.
pub(crate) const TURN: Budget = Budget { rows: BATCH_ROWS, ns: 20_000_000 };

type Output = Arc<Mutex<VecDeque<ChangeBatch>>>;

/// The rows of a plan with a collecting sink, over one epoch; a row that fails fails the query. Rows come as they are made
/// where the result only grows; else the final ones come at the end. A batch without rows is a moment to look whether anybody
/// still wants them.
pub(crate) fn rows(
    shared: &Arc<Shared>,
    published: &Arc<Published>,
    plan: &PhysicalPlan,
    settings: &Settings,
) -> Result<BatchIterator> {
    let (_, sink) = collecting(plan)?;
    let changes = changes(shared, published, plan, settings)?;
    folded(shared, sink, changes)
}

/// The same for the scan of one topic, from these offsets on: rows that fail are in the quarantine of its pipelines, and left
/// out here.
pub(crate) fn rows_from(
    shared: &Arc<Shared>,
    published: &Arc<Published>,
    plan: &PhysicalPlan,
    settings: &Settings,
    starts: Option<&[i64]>,
) -> Result<BatchIterator> {
    let (_, sink) = collecting(plan)?;
    let policy = ErrorPolicy::from_settings(settings)?;
    let changes = changes_from(shared, published, plan, settings, (starts, policy))?;
    folded(shared, sink, changes)
}

fn folded(
    shared: &Arc<Shared>,
    sink: (RowSchema, bool),
    changes: impl Iterator<Item = Result<ChangeBatch>> + Send + 'static,
) -> Result<BatchIterator> {
    if sink.1 {
        return Ok(Box::new(changes.map(|batch| batch.map(|b| b.rows().clone()))));
    }
    let nothing = RecordBatch::new_empty(sink.0.to_arrow());
    let folded = KeyedTable::new(sink.0, &[], TableMode::Counted);
    let (shared, mut changes) = (shared.clone(), changes);
    let mut rows: Option<BatchIterator> = None;
    Ok(Box::new(std::iter::from_fn(move || {
        if let Some(rows) = &mut rows {
            return rows.next();
        }
        let Some(batch) = changes.next() else {
            folded.publish(Cut { incarnation: 1, epoch: 1 }, 0);
            let all: Vec<usize> = (0..folded.schema().len()).collect();
            return rows.insert(folded.snapshot().scan(&all, None)).next();
        };
        let taken = batch.and_then(|batch| folded.apply(&batch));
        match taken.and_then(|()| check_memory(&shared, folded.memory_bytes())) {
            Ok(()) => Some(Ok(nothing.clone())),
            Err(e) => {
                rows = Some(Box::new(std::iter::empty()));
                Some(Err(e))
            }
        }
    })))
}

/// The changes of a plan over one epoch, of its topics from these offsets on; rows that fail are left out.
pub(crate) fn changes_after(
    shared: &Arc<Shared>,
    published: &Arc<Published>,
    plan: &PhysicalPlan,
    settings: &Settings,
    starts: Option<&[i64]>,
) -> Result<impl Iterator<Item = Result<ChangeBatch>> + Send + use<>> {
    let policy = ErrorPolicy::from_settings(settings)?;
    changes_from(shared, published, plan, settings, (starts, policy))
}

/// The sink of the plan: its schema, and whether it gets inserts only.
fn collecting(plan: &PhysicalPlan) -> Result<(NodeId, (RowSchema, bool))> {
    let (id, _) = plan.sinks().next().ok_or_else(|| Error::bug("a query without a sink"))?;
    let node = &plan.nodes[id];
    let inputs_insert_only = node.inputs.iter().all(|i| plan.nodes[*i].mode.is_insert_only());
    Ok((id, (node.schema.clone(), inputs_insert_only)))
}

/// The changes of a plan, over one epoch; a row that fails fails the query unless the session says otherwise. While nothing
/// comes out there are batches without rows.
pub(crate) fn changes(
    shared: &Arc<Shared>,
    published: &Arc<Published>,
    plan: &PhysicalPlan,
    settings: &Settings,
) -> Result<impl Iterator<Item = Result<ChangeBatch>> + Send + use<>> {
    let chosen = settings.is_set(ERROR_POLICY);
    let policy = if chosen { ErrorPolicy::from_settings(settings)? } else { ErrorPolicy::FailRows };
    changes_from(shared, published, plan, settings, (None, policy))
}

fn changes_from(
    shared: &Arc<Shared>,
    published: &Arc<Published>,
    plan: &PhysicalPlan,
    settings: &Settings,
    (starts, policy): (Option<&[i64]>, ErrorPolicy),
) -> Result<impl Iterator<Item = Result<ChangeBatch>> + Send + use<>> {
    let output = Output::default();
    let io = BoundedIo {
        shared: shared.clone(),
        published: Some(published.clone()),
        settings: settings.clone(),
        starts: starts.map(<[i64]>::to_vec),
        collect: {
            let output = output.clone();
            Mutex::new(Some(Box::new(move |batch: &ChangeBatch| {
                output.lock().expect("no holder of this lock panics").push_back(batch.clone());
                Ok(())
            })))
        },
    };
    let mut with = shared.pipeline_settings(settings)?;
    with.error_policy = policy;
    let nothing = ChangeBatch::inserts(RecordBatch::new_empty(collecting(plan)?.1.0.to_arrow()));
    let mut pipeline = Some(Pipeline::build(plan, &io, with, None)?);
    let shared = shared.clone();
    let next = move || output.lock().expect("no holder of this lock panics").pop_front();
    Ok(std::iter::from_fn(move || {
        if let Some(batch) = next() {
            return Some(Ok(batch));
        }
        let running = pipeline.as_mut()?;
        let report = running.step(TURN).and_then(|report| {
            check_memory(&shared, running.memory_bytes())?;
            Ok(report)
        });
        match report {
            // A bounded source that has nothing now has nothing ever: whoever reads it must not wait.
            Ok(report) if report.ended || !report.moved => {
                pipeline = None;
                next().map(Ok)
            }
            Ok(_) => Some(Ok(next().unwrap_or_else(|| nothing.clone()))),
            Err(e) => {
                pipeline = None;
                Some(Err(e))
            }
        }
    }))
}

/// A query that holds more than all queries may fails, not the server.
pub(crate) fn check_memory(shared: &Shared, bytes: usize) -> Result<()> {
    let (limit, total) = (shared.shares().queries, shared.shares().total);
    let resident = resident(shared);
    if resident > total {
        let (used, total) = (megabytes(resident), megabytes(total));
        let message = format!("the process has {used}, more than the {total} of --memory: no query can go on");
        return Err(Error::new(ErrorKind::Exhausted, message)
            .with_hint("try again later, or start the server with more --memory"));
    }
    if bytes as u64 <= limit {
        return Ok(());
    }
    let (held, limit) = (megabytes(bytes as u64), megabytes(limit));
    Err(Error::new(
        ErrorKind::Exhausted,
        format!("the query holds {held}, more than the {limit} for queries of --memory"),
    )
    .with_hint("read fewer rows or groups, or start the server with more --memory"))
}

struct BoundedIo {
    shared: Arc<Shared>,
    /// `None`: without end.
    published: Option<Arc<Published>>,
    settings: Settings,
    /// Where the reading of topics begins.
    starts: Option<Vec<i64>>,
    collect: Mutex<Option<CollectFn>>,
}

/// A pipeline without end whose rows go to a channel.
pub(crate) fn live(
    shared: &Arc<Shared>,
    plan: &PhysicalPlan,
    settings: &Settings,
    output: tokio::sync::mpsc::Sender<Result<StreamEvent>>,
) -> Result<Pipeline> {
    let collect: CollectFn = Box::new(move |batch| {
        // A reader that has gone is noticed by the loop that drives the pipeline.
        output
            .blocking_send(Ok(StreamEvent::Changes(batch.clone())))
            .map_err(|_| Error::external("the reader has gone"))
    });
    let io = BoundedIo {
        shared: shared.clone(),
        published: None,
        settings: settings.clone(),
        starts: None,
        collect: Mutex::new(Some(collect)),
    };
    Pipeline::build(plan, &io, shared.pipeline_settings(settings)?, None)
}

/// Steps without anything new after which a pipeline without end has read all there is.
const QUIET_STEPS: usize = 8;

/// What a pipeline without end makes of the rows that are there now.
pub(crate) fn until_rest(shared: &Arc<Shared>, plan: &PhysicalPlan, settings: &Settings) -> Result<Vec<ChangeBatch>> {
    let output: Arc<Mutex<Vec<ChangeBatch>>> = Arc::default();
    let collected = output.clone();
    let collect: CollectFn = Box::new(move |batch| {
        collected.lock().expect("no holder of this lock panics").push(batch.clone());
        Ok(())
    });
    let io = BoundedIo {
        shared: shared.clone(),
        published: None,
        settings: settings.clone(),
        starts: None,
        collect: Mutex::new(Some(collect)),
    };
    let mut pipeline = Pipeline::build(plan, &io, shared.pipeline_settings(settings)?, None)?;
    let mut quiet = 0;
    while quiet < QUIET_STEPS {
        let report = pipeline.step(TURN)?;
        check_memory(shared, pipeline.memory_bytes())?;
        if report.ended {
            break;
        }
        quiet = if report.moved { 0 } else { quiet + 1 };
    }
    drop(pipeline);
    Ok(std::mem::take(&mut *output.lock().expect("no holder of this lock panics")))
}

impl PipelineIo for BoundedIo {
    fn scan(&self, _node: NodeId, scan: &Scan) -> Result<ScanHandle> {
        let def = &scan.table;
        let connect = self.shared.connect_context(&self.settings);
        let Some(published) = &self.published else { return self.live_scan(scan) };
        let found = published.tables.get(&def.path);
        let topic = |def: &TableDef, topic: &Topic, ends: &[i64]| -> Result<Arc<dyn Source>> {
            let source = TopicSource::new(def, topic.partitions().to_vec(), true, Some(ends.to_vec()))?
                .skipping_damage(self.settings.get(READ_DAMAGE) == "skip");
            Ok(match &self.starts {
                Some(starts) => Arc::new(From { source: Arc::new(source), starts: starts.clone() }),
                None => Arc::new(source),
            })
        };
        let source: Arc<dyn Source> = match found.map(|f| (&f.table.store, f)) {
            Some((Store::Keyed { .. }, found)) => {
                found.table.check_whole()?;
                let rows = found.rows.clone().ok_or_else(|| Error::bug("a keyed table without rows"))?;
                return Ok(ScanHandle { source: Arc::new(SnapshotSource { rows, scan: scan.clone() }), decoder: None });
            }
            Some((Store::Topic(t), found)) => topic(&from_start(def), t, &found.ends)?,
            Some((Store::Connector { inbox: Some(t) }, found)) => topic(&io::as_topic(def), t, &found.ends)?,
            _ => {
                let source = io::connector_source(&self.shared, def, &connect)?;
                if !source.bounded() {
                    return Err(Error::user(format!(
                        "table '{}' never ends: a snapshot of it has no last row",
                        def.path
                    ))
                    .with_hint("ask for a stream, or write it to a table by INSERT INTO and read that"));
                }
                source
            }
        };
        Ok(ScanHandle { source, decoder: io::decoder(&self.shared, scan, &connect)? })
    }

    fn sink(&self, _node: NodeId, _sink: &Sink) -> Result<SinkHandle> {
        let collect = self.collect.lock().expect("no holder of this lock panics").take();
        collect.map(SinkHandle::Collect).ok_or_else(|| Error::bug("a query has one sink"))
    }

    fn side_tables(&self) -> Result<Box<dyn SideTables>> {
        Ok(Box::new(Ignored))
    }
}

impl BoundedIo {
    /// The table as a running pipeline would read it.
    fn live_scan(&self, scan: &Scan) -> Result<ScanHandle> {
        let connect = self.shared.connect_context(&self.settings);
        Ok(ScanHandle {
            source: io::running_source(&self.shared, scan, &connect, None)?,
            decoder: io::decoder(&self.shared, scan, &connect)?,
        })
    }
}

/// A topic from given offsets on.
struct From {
    source: Arc<TopicSource>,
    starts: Vec<i64>,
}

impl Source for From {
    fn bounded(&self) -> bool {
        self.source.bounded()
    }

    fn enumerate(&self, known: &[Split]) -> Result<Vec<Split>> {
        self.source.enumerate(known)
    }

    fn open(&self, split: &Split, position: Option<&Position>) -> Result<Box<dyn SourceReader>> {
        let number: Option<usize> = split.id.trim_start_matches('p').parse().ok();
        let start = number.and_then(|n| self.starts.get(n)).copied().unwrap_or(0);
        let start = Position::from_u64(start.max(0) as u64);
        self.source.open(split, position.or(Some(&start)))
    }
}

/// The table without its start-up options: a read begins at the first row.
fn from_start(def: &TableDef) -> TableDef {
    let mut def = def.clone();
    def.options.retain(|name, _| !name.starts_with("scan.startup."));
    def
}

/// A read keeps no late or bad rows: the pipelines that own them do.
struct Ignored;

impl SideTables for Ignored {
    fn late(&mut self, _rows: Vec<LateRow>) -> Result<()> {
        Ok(())
    }

    fn quarantine(&mut self, _rows: Vec<QuarantinedRow>) -> Result<()> {
        Ok(())
    }
}

/// The rows of a keyed table at one epoch, as a source.
struct SnapshotSource {
    rows: TableSnapshot,
    scan: Scan,
}

impl Source for SnapshotSource {
    fn bounded(&self) -> bool {
        true
    }

    fn enumerate(&self, known: &[Split]) -> Result<Vec<Split>> {
        Ok(if known.is_empty() { vec![Split { id: "snapshot".into() }] } else { vec![] })
    }

    fn open(&self, _split: &Split, _position: Option<&Position>) -> Result<Box<dyn SourceReader>> {
        // Rows of a source are all physical columns of the table, in order.
        let columns: Vec<usize> = (0..self.scan.table.physical_schema().len()).collect();
        Ok(Box::new(SnapshotReader { rows: self.rows.scan(&columns, None), read: 0 }))
    }
}

struct SnapshotReader {
    rows: BatchIterator,
    read: u64,
}

impl SourceReader for SnapshotReader {
    fn poll(&mut self, _limit: PollLimit) -> Result<Polled> {
        match self.rows.next().transpose()? {
            Some(batch) => {
                self.read += RecordBatch::num_rows(&batch) as u64;
                Ok(Polled::Rows(batch))
            }
            None => Ok(Polled::End),
        }
    }

    fn position(&self) -> Position {
        Position::from_u64(self.read)
    }
}
