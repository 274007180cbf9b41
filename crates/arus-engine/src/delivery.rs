//! Exactly-once delivery by outboxes, as the data thread sees it: which outboxes there are, how far each sink is, which
//! pipelines have to wait.
//!
//! An outbox is written with its checkpoint and listed in every record until a record that follows its delivery. What talks
//! to the outside is a [`line`] of each sink, on a thread of its own: the data thread never waits for it. It takes reports at
//! its turns, so that what a report changes (the list, rejected rows in the quarantine) becomes durable by one record.

mod line;
mod status;

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arus_connect::sink_schema;
use arus_core::catalog::{ConnectorCatalog, TableDef, TableKind};
use arus_core::connector::Connector;
use arus_core::delivery::{MarkName, OutboxRows, SinkDelivery};
use arus_core::limits::OUTBOX_FILES;
use arus_core::plan::{PhysicalPlan, SinkTarget, Uid};
use arus_core::read::Cut;
use arus_core::settings::{OUTBOX_BYTES, parse_memory_bytes};
use arus_core::{Error, Result, RowSchema, planted};
use arus_storage::manifest::{Checkpoint, OutboxRef, SinkMark};
use arus_storage::outbox::{OutboxOwner, OutboxStore};
use arus_stream::{QuarantinedRow, SideKey, SideTables};

use crate::alerts::AlertDelivery;
use crate::config::Mode;
use crate::io::SideWriter;
use crate::jobs::Job;
use crate::shared::Shared;
use line::{DeliveryThread, LineStart};
pub(crate) use status::{SinkFigures, SinkStatus};

/// Rows of a sink that the next checkpoint writes into an outbox.
pub(crate) struct NewOutbox {
    pub(crate) owner: OutboxOwner,
    pub(crate) schema: RowSchema,
    pub(crate) rows: OutboxRows,
}

/// What a checkpoint has to do with outboxes.
#[derive(Default)]
pub(crate) struct OutboxJob {
    pub(crate) new: Vec<NewOutbox>,
    /// Of earlier checkpoints, not delivered yet.
    pub(crate) listed: Vec<OutboxRef>,
    pub(crate) marks: Vec<SinkMark>,
}

/// A sink with an outbox.
struct Sink {
    job: Arc<Job>,
    table: Arc<TableDef>,
    schema: RowSchema,
    /// How far it is known to be; `None` until its first mark stands.
    delivered: Option<Cut>,
    /// Its mark was read since this start.
    opened: bool,
    refused: bool,
    /// Undelivered outboxes, oldest first.
    listed: VecDeque<OutboxRef>,
    queue: Arc<Queue>,
    status: Arc<SinkStatus>,
}

/// What the data thread and the line of a sink tell each other. It is bounded by [`OUTBOX_FILES`]: a pipeline with more
/// makes no new ones.
#[derive(Default)]
pub(super) struct Queue {
    inner: Mutex<Queued>,
    /// Wakes the line.
    news: tokio::sync::Notify,
}

#[derive(Default)]
struct Queued {
    outboxes: VecDeque<OutboxRef>,
    /// Deliveries up to here stand in the manifest, with what they rejected.
    recorded: Option<Cut>,
    /// The pipeline is no more.
    forget: bool,
    reports: Vec<Report>,
}

/// What a line has to tell.
pub(super) enum Report {
    /// The first mark stands, or the mark of an earlier start was found where it may be.
    Opened(Cut),
    Delivered {
        cut: Cut,
        rejected: Vec<RejectedRow>,
    },
    /// Whether the mark is where it must not be.
    Refused(bool),
    /// For good: nobody looks after an `arus run`.
    Failed(String),
}

pub(super) struct RejectedRow {
    pub(super) ordinal: u64,
    pub(super) json: String,
    pub(super) reason: String,
}

impl Queue {
    fn locked(&self) -> MutexGuard<'_, Queued> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// All outboxes of the server.
pub(crate) struct Outboxes {
    store: OutboxStore,
    sinks: BTreeMap<OutboxOwner, Sink>,
    /// Of pipelines that do not run yet: from the last record.
    adopted: Vec<OutboxRef>,
    adopted_marks: Vec<SinkMark>,
    /// Of abandoned checkpoints, then of this one.
    fresh: Vec<NewOutbox>,
    /// What the record that is being written says of each sink.
    recording: Vec<SinkMark>,
    /// Lines whose pipeline is no more: they end once a record stands without them.
    leaving: Vec<Arc<Queue>>,
    leaving_with_record: Vec<Arc<Queue>>,
    has_reports: Arc<AtomicBool>,
    thread: Option<DeliveryThread>,
}

/// What reports have changed.
#[derive(Default)]
pub(crate) struct Reported {
    /// A record has to say so.
    pub(crate) changed: bool,
    pub(crate) failed: Vec<(u64, Error)>,
}

impl Outboxes {
    pub(crate) fn new(shared: &Shared) -> Result<Self> {
        Ok(Outboxes {
            store: OutboxStore::open(shared.config.fs.clone(), &shared.folder.outbox())?,
            sinks: BTreeMap::new(),
            adopted: vec![],
            adopted_marks: vec![],
            fresh: vec![],
            recording: vec![],
            leaving: vec![],
            leaving_with_record: vec![],
            has_reports: Arc::default(),
            thread: None,
        })
    }

    /// Takes over what the last record lists. Called before pipelines are opened.
    pub(crate) fn adopt(&mut self, checkpoint: &Checkpoint) {
        self.adopted.clone_from(&checkpoint.outboxes);
        self.adopted_marks.clone_from(&checkpoint.marks);
    }

    /// Opens the sinks of a pipeline that has outboxes; its sources stand still until each mark is known. Nothing happens to
    /// sinks that are open: a pipeline that starts again goes on with them.
    pub(crate) fn open(&mut self, shared: &Arc<Shared>, id: u64, job: &Arc<Job>) -> Result<()> {
        for (sink, table) in outbox_sinks(shared, &job.spec.plan) {
            let owner = OutboxOwner { pipeline: id, sink };
            if self.sinks.contains_key(&owner) {
                continue;
            }
            let connect = shared.connect_context(&job.spec.settings);
            let (opened, mask) = connect.secrets.open(&table)?;
            let mark = MarkName {
                pipeline: job.spec.name.clone(),
                deployment: job.spec.id.clone(),
                sink: format!("{:016x}", sink.0),
            };
            let known = self.adopted_marks.iter().find(|m| m.pipeline == id && m.sink == sink).map(|m| m.delivered);
            let delivery: Box<dyn SinkDelivery> = match shared.alerts.of_pipeline(id) {
                Some(alert) => Box::new(AlertDelivery::new(alert, known, shared.config.clock.clone())),
                None => connector_of(shared, &table)?.delivery(&opened, mark, &connect).map_err(|e| mask.error(e))?,
            };
            let mine = |o: &OutboxRef| o.pipeline == id && o.sink == sink;
            let listed: VecDeque<OutboxRef> = self.adopted.iter().filter(|o| mine(o)).cloned().collect();
            self.adopted.retain(|o| !mine(o));
            self.adopted_marks.retain(|m| m.pipeline != id || m.sink != sink);
            let queue = Arc::new(Queue::default());
            queue.locked().outboxes.clone_from(&listed);
            let status = Arc::new(SinkStatus::new(table.path.clone()));
            job.sinks.lock().unwrap_or_else(PoisonError::into_inner).push(status.clone());
            if self.thread.is_none() {
                self.thread = Some(DeliveryThread::start()?);
            }
            if let Some(thread) = &self.thread {
                thread.spawn(LineStart {
                    delivery,
                    mask,
                    known,
                    queue: queue.clone(),
                    status: status.clone(),
                    store: self.store.clone(),
                    shared: shared.clone(),
                    has_reports: self.has_reports.clone(),
                    gives_up: shared.config.mode == Mode::Run,
                });
            }
            let schema = sink_schema(&table);
            let (job, delivered) = (job.clone(), known);
            let sink = Sink { job, table, schema, delivered, opened: false, refused: false, listed, queue, status };
            self.sinks.insert(owner, sink);
        }
        self.settle(id);
        Ok(())
    }

    /// The pipeline is no more, and what it owes goes with it. The marks go once a record stands without it.
    pub(crate) fn forget(&mut self, id: u64) {
        let gone: Vec<OutboxOwner> = self.sinks.keys().filter(|o| o.pipeline == id).copied().collect();
        for owner in gone {
            if let Some(sink) = self.sinks.remove(&owner) {
                self.leaving.push(sink.queue);
            }
        }
        self.fresh.retain(|new| new.owner.pipeline != id);
        self.adopted.retain(|o| o.pipeline != id);
        self.adopted_marks.retain(|m| m.pipeline != id);
    }

    /// Whether rows of this pipeline are on their way: it is not finished before they are there.
    pub(crate) fn waits(&self, id: u64) -> bool {
        self.fresh.iter().any(|new| new.owner.pipeline == id)
            || self.of(id).any(|sink| !sink.listed.is_empty() || sink.delivered.is_none())
    }

    fn of(&self, id: u64) -> impl Iterator<Item = &Sink> {
        self.sinks.iter().filter(move |(owner, _)| owner.pipeline == id).map(|(_, sink)| sink)
    }

    // ---- checkpoints -----------------------------------------------------------------------------------

    /// The rows of a pipeline's sinks since the last checkpoint.
    pub(crate) fn collect(&mut self, id: u64, rows: Vec<(Uid, OutboxRows)>) {
        for (sink, rows) in rows {
            let owner = OutboxOwner { pipeline: id, sink };
            let Some(schema) = self.sinks.get(&owner).map(|s| s.schema.clone()) else { continue };
            self.put(NewOutbox { owner, schema, rows });
        }
    }

    fn put(&mut self, new: NewOutbox) {
        match self.fresh.iter_mut().find(|f| f.owner == new.owner) {
            Some(first) => first.rows.append(&new.rows),
            None => self.fresh.push(new),
        }
    }

    /// Whether an abandoned checkpoint has left something.
    pub(crate) fn carries(&self) -> bool {
        !self.fresh.is_empty()
    }

    /// What the checkpoint that starts now has to write and to list.
    pub(crate) fn job(&mut self) -> OutboxJob {
        let listed = self.sinks.values().flat_map(|s| &s.listed).chain(&self.adopted).cloned().collect();
        let known = self.sinks.iter().filter_map(|(owner, sink)| {
            let delivered = sink.delivered?;
            Some(SinkMark { pipeline: owner.pipeline, sink: owner.sink, delivered })
        });
        self.recording = known.collect();
        self.leaving_with_record.append(&mut self.leaving);
        let marks = self.recording.iter().chain(&self.adopted_marks).cloned().collect();
        OutboxJob { new: std::mem::take(&mut self.fresh), listed, marks }
    }

    /// The record stands: its new outboxes are delivered.
    pub(crate) fn recorded(&mut self, new: Vec<OutboxRef>) {
        for mark in std::mem::take(&mut self.recording) {
            if let Some(sink) = self.sinks.get(&OutboxOwner { pipeline: mark.pipeline, sink: mark.sink }) {
                sink.queue.locked().recorded = Some(mark.delivered);
            }
        }
        let mut touched = vec![];
        for outbox in new {
            let owner = OutboxOwner { pipeline: outbox.pipeline, sink: outbox.sink };
            let Some(sink) = self.sinks.get_mut(&owner) else { continue };
            sink.queue.locked().outboxes.push_back(outbox.clone());
            sink.listed.push_back(outbox);
            touched.push(owner.pipeline);
        }
        self.sinks.values().for_each(|sink| sink.queue.news.notify_one());
        for queue in std::mem::take(&mut self.leaving_with_record) {
            queue.locked().forget = true;
            queue.news.notify_one();
        }
        touched.into_iter().for_each(|id| self.settle(id));
    }

    /// The checkpoint was abandoned: its rows go before the next one's.
    pub(crate) fn abandoned(&mut self, new: Vec<NewOutbox>) {
        self.leaving.append(&mut self.leaving_with_record);
        let later = std::mem::take(&mut self.fresh);
        self.fresh = new;
        self.fresh.retain(|new| self.sinks.contains_key(&new.owner));
        later.into_iter().for_each(|new| self.put(new));
    }

    // ---- reports ---------------------------------------------------------------------------------------

    /// Takes what the lines have reported since the last turn.
    pub(crate) fn take_reports(&mut self, shared: &Arc<Shared>) -> Result<Reported> {
        let mut reported = Reported::default();
        if !self.has_reports.swap(false, SeqCst) {
            return Ok(reported);
        }
        let mut touched = vec![];
        for (owner, sink) in &mut self.sinks {
            let reports = std::mem::take(&mut sink.queue.locked().reports);
            for report in reports {
                touched.push(owner.pipeline);
                match report {
                    Report::Opened(cut) => {
                        (sink.refused, sink.opened) = (false, true);
                        reported.changed |= sink.delivered.replace(cut) != Some(cut);
                    }
                    Report::Delivered { cut, rejected } => {
                        set_aside(shared, sink, *owner, cut, rejected)?;
                        while sink.listed.front().is_some_and(|o| o.cut <= cut) {
                            sink.listed.pop_front();
                        }
                        sink.refused = false;
                        sink.delivered = Some(cut);
                        reported.changed = true;
                    }
                    Report::Refused(refused) => sink.refused = refused,
                    Report::Failed(reason) => reported.failed.push((owner.pipeline, Error::external(reason))),
                }
            }
        }
        touched.dedup();
        touched.into_iter().for_each(|id| self.settle(id));
        Ok(reported)
    }

    /// Opens or shuts the gate before the sources of a pipeline.
    fn settle(&self, id: u64) {
        let (mut bytes, mut files, mut shut) = (0, 0, false);
        let mut job = None;
        for sink in self.of(id) {
            let of_sink: u64 = sink.listed.iter().map(|o| o.bytes).sum();
            let rows = sink.listed.iter().map(|o| o.rows).sum();
            sink.status.set_undelivered(sink.listed.len() as u64, of_sink, rows);
            bytes += of_sink;
            files += sink.listed.len();
            shut |= sink.refused || !sink.opened;
            job = Some(&sink.job);
        }
        if let Some(job) = job {
            let limit = parse_memory_bytes(job.spec.settings.get(OUTBOX_BYTES)).unwrap_or(u64::MAX);
            let full = bytes >= limit || files >= OUTBOX_FILES;
            job.gate.set_shut((shut || full) && !planted("dead-sink-ignored"));
            self.of(id).for_each(|sink| sink.status.set_full(full));
        }
    }
}

/// Rows that a sink would not take go to the quarantine of its table, each once however often they are reported.
fn set_aside(
    shared: &Arc<Shared>,
    sink: &Sink,
    owner: OutboxOwner,
    cut: Cut,
    rejected: Vec<RejectedRow>,
) -> Result<()> {
    if rejected.is_empty() {
        return Ok(());
    }
    let now_ms = shared.config.clock.now_ms();
    let rows = rejected.into_iter().map(|row| QuarantinedRow {
        table: sink.table.path.clone(),
        key: SideKey { uid: owner.sink, epoch: cut.epoch, ordinal: row.ordinal },
        bytes: row.json.into_bytes(),
        reason: row.reason,
        origin: None,
        operator: "Sink",
        now_ms,
    });
    SideWriter::new(shared.clone(), sink.job.spec.name.clone()).quarantine(rows.collect())
}

fn connector_of<'a>(shared: &'a Shared, table: &TableDef) -> Result<&'a dyn Connector> {
    let name = table.connector().unwrap_or_default();
    shared.registry.connector(name).ok_or_else(|| Error::user(format!("connector '{name}' does not exist")))
}

/// The sinks of a plan whose rows go by an outbox.
fn outbox_sinks(shared: &Shared, plan: &PhysicalPlan) -> Vec<(Uid, Arc<TableDef>)> {
    let uids = arus_stream::unique_uids(plan);
    let tables = plan.sinks().filter_map(|(id, sink)| match &sink.target {
        SinkTarget::Table(table) if table.kind == TableKind::Connector => Some((uids[id], table.clone())),
        SinkTarget::Table(_) | SinkTarget::Collect => None,
    });
    tables.filter(|(_, table)| connector_of(shared, table).is_ok_and(|c| c.has_outbox())).collect()
}
