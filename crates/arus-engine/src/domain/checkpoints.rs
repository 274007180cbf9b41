//! Checkpoints: what an epoch hands to the checkpoint thread, and what follows from its answer.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use arus_core::connector::SyncTask;
use arus_core::read::Cut;
use arus_core::{Error, Result, planted};
use arus_storage::log::Topic;
use arus_storage::manifest::{Change, PipelineCheckpoint};
use arus_storage::state::StateDelta;
use arus_storage::table::{CutRows, KeyedTable};
use arus_stream::{Checkpoint, FrozenPipeline};

use super::mailbox::Order;
use super::{Domain, Reply, answer};
use crate::alerts::ALERT;
use crate::checkpoint::{CheckpointDone, CheckpointJob, Work};
use crate::ddl::MATERIALIZED;
use crate::follow;
use crate::jobs::{Job, JobKind, JobStatus};
use crate::memory;
use crate::published::Durable;
use crate::shared::Shared;
use crate::tables::{Table, Writer};

/// A checkpoint that is being written.
pub(super) struct InFlight {
    replies: Vec<Reply>,
    /// Pipelines whose first checkpoint it is.
    born: Vec<Arc<Job>>,
    /// By run: what its tasks are told when it is durable.
    cuts: Vec<(u64, Arc<Checkpoint>)>,
    ends_server: bool,
    /// It is durable.
    done: bool,
    /// For traces: it ends when the checkpoint is durable, or is abandoned.
    span: tracing::Span,
    /// Tasks (run, number) that have not yet committed it.
    pub(super) uncommitted: BTreeSet<(u64, usize)>,
}

/// What a checkpoint takes while everything stands.
pub(super) struct TakenCut {
    state: StateDelta,
    cuts: Vec<(u64, Arc<Checkpoint>)>,
    rows: Vec<(Arc<KeyedTable>, CutRows)>,
    /// The tables with rows by key.
    keyed: Vec<Arc<Table>>,
    syncs: Vec<SyncTask>,
    pipeline_topics: Vec<Arc<Topic>>,
    client_topics: Vec<Arc<Topic>>,
}

impl Domain {
    /// The cut of a checkpoint, in a time that depends little on what it holds.
    pub(super) fn cut_checkpoint(&mut self, frozen: Vec<(u64, FrozenPipeline)>) -> Result<TakenCut> {
        let mut taken = TakenCut {
            state: std::mem::take(&mut self.carried),
            cuts: vec![],
            rows: vec![],
            keyed: vec![],
            syncs: vec![],
            pipeline_topics: vec![],
            client_topics: vec![],
        };
        for (run, frozen) in frozen {
            let Some(running) = self.running.iter().find(|r| r.run == run) else { continue };
            follow::cut(&self.shared, &running.job);
            taken.state.append(frozen.state);
            taken.syncs.extend(frozen.syncs);
            self.outboxes.collect(running.id, frozen.outboxes);
            let task = serde_json::to_value(&frozen.checkpoint)
                .map_err(|e| Error::bug(format!("a cut cannot be written: {e}")))?;
            let record =
                PipelineCheckpoint { deployment: running.job.spec.id.clone(), task, ..PipelineCheckpoint::default() };
            if running.job.spec.item.is_some() {
                self.records.insert(running.id, record);
            }
            taken.cuts.push((run, Arc::new(frozen.checkpoint)));
        }
        self.suspend_now();
        let mut markers = BTreeMap::new();
        for table in self.shared.tables.all() {
            // Rows between two side tables are in one of them.
            let _whole = table.replays.moving();
            for (uid, state) in table.states() {
                taken.rows.push((state.clone(), state.cut(uid)));
            }
            let topic = table.topic().or(table.inbox()).cloned();
            if let Some(topic) = topic {
                if table.topic().is_some() && table.is_written_by_pipeline() {
                    // A failed pipeline's topic ends where its last cut is.
                    let kept = self.markers.get(&topic.id()).filter(|_| table.is_frozen()).cloned();
                    markers.insert(topic.id(), kept.unwrap_or_else(|| topic.ends()));
                    taken.pipeline_topics.push(topic);
                } else {
                    taken.client_topics.push(topic);
                }
            }
            taken.keyed.extend(table.keyed().is_some().then(|| table.clone()));
        }
        // What clients write from now on, or what is dropped, has no marker any more: recovery would cut it there.
        self.markers = markers;
        Ok(taken)
    }

    /// Hands it to the checkpoint thread; its epoch is revealed.
    pub(super) fn start_checkpoint(&mut self, taken: TakenCut, started_ns: u64) -> Result<()> {
        let TakenCut { mut state, cuts, rows, keyed, syncs, pipeline_topics, client_topics } = taken;
        rows.iter().for_each(|(table, _)| table.freeze_followers(&mut state));
        let last_changes = keyed.iter().filter_map(|table| {
            let kept = self.last_changes.get(&table.id).filter(|_| table.is_frozen()).copied();
            Some((table.id, kept.or_else(|| Some(table.keyed()?.last_change()))?))
        });
        self.last_changes = last_changes.collect();
        let job = CheckpointJob {
            cut: Cut { incarnation: self.shared.incarnation, epoch: self.epoch },
            as_of_ms: self.shared.config.clock.now_ms(),
            state,
            rows: rows.into_iter().map(|(_, rows)| rows).collect(),
            pipelines: self.records.clone(),
            markers: self.markers.clone(),
            changed: self.last_changes.clone(),
            pipeline_topics,
            client_topics,
            syncs,
            outboxes: self.outboxes.job(),
            catalog: std::mem::take(&mut self.changes),
            next_id: self.shared.next_id.load(Relaxed),
            retention: self.retention(),
            started_ns,
        };
        let (incarnation, epoch) = (self.shared.incarnation, self.epoch);
        self.writing = Some(InFlight {
            replies: std::mem::take(&mut self.replies),
            born: std::mem::take(&mut self.starting),
            cuts,
            ends_server: self.shutdown,
            done: false,
            span: tracing::trace_span!(target: "arus::trace", parent: None, "checkpoint", incarnation, epoch),
            uncommitted: BTreeSet::new(),
        });
        self.shared.held_at_cut.store(memory::held_in_all(&self.shared), Relaxed);
        self.changed = false;
        self.last_checkpoint_ns = self.now_ns();
        self.checkpoints
            .send(Work::Checkpoint(Box::new(job)))
            .map_err(|_| Error::external("the checkpoint thread has ended"))
    }

    pub(super) fn checkpoint_done(&mut self, done: CheckpointDone) -> bool {
        match done.outcome {
            Ok(outboxes) => {
                self.outboxes.recorded(outboxes);
                let now_ms = self.shared.config.clock.now_ms();
                self.shared.durable.send_replace(Durable { cut: done.cut, at_ms: now_ms });
                self.shared.figures.checkpoint(self.now_ns().saturating_sub(done.started_ns));
                for table in self.shared.tables.all() {
                    if let Some(ends) = table.topic().and_then(|t| done.markers.get(&t.id())) {
                        table.set_visible(ends.clone());
                    }
                }
                // Readers of topics that pipelines write see further now.
                self.moved |= !done.markers.is_empty();
                let Some(writing) = &mut self.writing else { return true };
                writing.done = true;
                writing.span = tracing::Span::none();
                for (run, cut) in &writing.cuts {
                    let Some(running) = self.running.iter().find(|r| r.run == *run) else { continue };
                    writing.uncommitted.extend((0..running.threads.len()).map(|task| (*run, task)));
                    for thread in running.threads() {
                        self.mailboxes[thread].send(Order::Durable { run: *run, cut: cut.clone() });
                    }
                }
                true
            }
            Err(abandoned) => {
                let Some(writing) = self.writing.take() else { return true };
                self.shared.figures.checkpoints_failed.fetch_add(1, Relaxed);
                tracing::error!("checkpoint {} was abandoned: {}", done.cut.epoch, abandoned.error);
                // No later checkpoint may hold what they have set aside.
                for job in writing.born {
                    self.stop(&job);
                    self.unborn.push(job);
                }
                let text = abandoned.error.to_string();
                for reply in writing.replies {
                    answer(reply, Err(Error::external(format!("the change could not be made durable: {text}"))));
                }
                if abandoned.in_doubt {
                    self.shared.fail(&abandoned.error);
                    return false;
                }
                self.outboxes.abandoned(abandoned.outboxes);
                if !planted("abandoned-state-lost") {
                    let later = std::mem::replace(&mut self.carried, abandoned.state);
                    self.carried.append(later);
                }
                self.changed = true;
                !writing.ends_server
            }
        }
    }

    /// What follows when all sinks have committed the checkpoint; `false` where it was the last one.
    pub(super) fn committed(&mut self) -> bool {
        let Some(writing) = self.writing.take_if(|w| w.done && w.uncommitted.is_empty()) else { return true };
        for (run, cut) in writing.cuts {
            let Some(at) = self.running.iter().position(|r| r.run == run).filter(|_| cut.ended()) else { continue };
            // Its sinks have not taken everything yet.
            if self.outboxes.waits(self.running[at].id) {
                continue;
            }
            let running = self.take_out(at);
            running.job.status.send_replace(JobStatus::Finished);
            follow::leave(&self.shared, &running.job);
            if let Some(change) = finished(&self.shared, &running.job) {
                self.records.remove(&running.id);
                self.outboxes.forget(running.id);
                release(&self.shared, &running.job);
                self.changes.push(change);
                self.changed = true;
            }
        }
        writing.replies.into_iter().for_each(|reply| answer(reply, Ok(())));
        !writing.ends_server
    }

    /// What pipelines that have not come to life have set aside goes. Their threads know that they are gone.
    pub(super) fn forget_unborn(&mut self) {
        for job in std::mem::take(&mut self.unborn) {
            for (table, _) in job.spec.sources.iter().filter_map(|path| self.shared.table_of(path)) {
                let uids = job.spec.plan.nodes.iter().map(|node| node.uid);
                if let Err(e) = table.forget_operators(&job.spec.name, uids) {
                    tracing::warn!("rows that were set aside stay beside table '{}': {e}", table.def.path);
                }
            }
        }
    }
}

/// Others may write the targets of a pipeline that has ended, but for a materialized table, which is its own.
fn release(shared: &Shared, job: &Job) {
    if job.spec.kind == JobKind::MaterializedTable {
        return;
    }
    for table in job.spec.targets.iter().filter_map(|path| shared.tables.get(path)) {
        table.set_writer(Writer::Nobody);
    }
}

/// What the catalog says of a pipeline that has come to the end of its input.
fn finished(shared: &Shared, job: &Job) -> Option<Change> {
    let item = job.spec.item.as_ref()?;
    if item.kind != MATERIALIZED && item.kind != ALERT {
        return Some(Change::Delete { id: item.id });
    }
    // An alert's clauses change while it runs.
    let alert = shared.alerts.of_pipeline(item.id);
    let mut item = alert.map_or_else(|| item.clone(), |alert| alert.item().as_ref().clone());
    item.extra["finished"] = serde_json::json!(true);
    Some(Change::Put(item))
}
