//! Pipelines that run: how they are spread over the data threads, and what the threads say of them.

use std::collections::BTreeMap;
use std::sync::Arc;

use arus_core::plan::Uid;
use arus_core::{Error, Result};
use arus_stream::{Pipeline, PipelineIo, PipelineRestore, ScanState, Tasks, Waker};

use super::mailbox::{NewTask, Order};
use super::worker::{Part, Report};
use super::{Domain, Reply, answer};
use crate::config::Mode;
use crate::follow;
use crate::io::EngineIo;
use crate::jobs::Job;

pub(super) struct Running {
    pub(super) id: u64,
    /// Names this start of the pipeline.
    pub(super) run: u64,
    pub(super) job: Arc<Job>,
    /// The thread of each task.
    pub(super) threads: Vec<usize>,
    /// Whether it reads what another pipeline writes.
    pub(super) reads_pipelines: bool,
    /// Positions at the last epoch.
    pub(super) scans: BTreeMap<Uid, ScanState>,
    pub(super) phase: Phase,
    /// Of each task, whether its input has ended.
    ended: Vec<bool>,
}

/// Where a pipeline is in the epoch that is under way.
pub(super) enum Phase {
    /// It has not been told of the epoch.
    Running,
    /// By task, what has come to the barrier.
    Asked(Vec<Option<Part>>),
    Standing(Vec<Part>),
}

/// A statement that ends the input of a pipeline, until all tasks have done so.
pub(super) struct Drain {
    run: u64,
    missing: usize,
    reply: Reply,
}

impl Running {
    /// Whether the input of all tasks has ended.
    pub(super) fn has_ended(&self) -> bool {
        self.ended.iter().all(|ended| *ended)
    }

    /// The threads that have tasks of it.
    pub(super) fn threads(&self) -> Vec<usize> {
        let mut threads = self.threads.clone();
        threads.sort_unstable();
        threads.dedup();
        threads
    }
}

impl Domain {
    /// Builds the tasks of a pipeline and hands them to their threads.
    pub(super) fn add(&mut self, id: u64, job: Arc<Job>, restore: Option<PipelineRestore<'_>>) -> Result<()> {
        self.outboxes.open(&self.shared, id, &job)?;
        let settings = self.shared.pipeline_settings(&job.spec.settings)?;
        job.gate.set_stopped(false);
        let count = self.shared.tasks_of(&job)?;
        let first = self.first_thread();
        let threads: Vec<usize> = (0..count).map(|task| (first + task) % self.mailboxes.len()).collect();
        let ios: Vec<EngineIo> = (0..count)
            .map(|task| EngineIo::new(self.shared.clone(), job.clone(), (count > 1).then_some(task)))
            .collect();
        let ios: Vec<&dyn PipelineIo> = ios.iter().map(|io| io as &dyn PipelineIo).collect();
        let wakers = threads.iter().map(|thread| self.mailboxes[*thread].clone() as Arc<dyn Waker>).collect();
        let scans = restore.as_ref().map(|r| r.checkpoint.scans.clone()).unwrap_or_default();
        let pipelines = Pipeline::build_tasks(&job.spec.plan, &ios, &settings, Tasks { wakers, home: 0 }, restore)?;
        let stats = pipelines.first().map(Pipeline::stats);
        *job.stats.lock().expect("no holder of this lock panics") = stats;
        let table = |path| self.shared.tables.get(path);
        let reads_pipelines = follow::reads_pipelines(&self.shared, &job);
        let feeds = job.spec.targets.iter().any(|target| table(target).is_some_and(|t| t.topic().is_some()));
        self.last_run += 1;
        let run = self.last_run;
        for (number, pipeline) in pipelines.into_iter().enumerate() {
            self.mailboxes[threads[number]].send(Order::Add(Box::new(NewTask { run, number, pipeline, feeds })));
        }
        let ended = vec![false; count];
        let phase = Phase::Running;
        self.running.push(Running { id, run, job, threads, reads_pipelines, scans, phase, ended });
        self.order();
        Ok(())
    }

    /// The thread with the fewest pipelines at home there. `arus run` has all on one, so that lines come in one order.
    fn first_thread(&self) -> usize {
        let homes = |thread: &usize| self.running.iter().filter(|r| r.threads.first() == Some(thread)).count();
        match self.shared.config.mode {
            Mode::Run => 0,
            Mode::Server => (0..self.mailboxes.len()).min_by_key(homes).unwrap_or(0),
        }
    }

    /// Writers before their readers, so that a barrier meets them in the order of the data.
    fn order(&mut self) {
        let mut rest = std::mem::take(&mut self.running);
        while !rest.is_empty() {
            let next = rest.iter().position(|r| !rest.iter().any(|w| feeds(w, r)));
            // The plan refuses cycles; were there one, any order does.
            self.running.push(rest.remove(next.unwrap_or(0)));
        }
        let runs: Arc<[u64]> = self.running.iter().map(|r| r.run).collect();
        self.mailboxes.iter().for_each(|mailbox| mailbox.send(Order::Arrange(runs.clone())));
    }

    /// The pipeline runs no more. Until the threads have said so it may still write.
    pub(super) fn take_out(&mut self, at: usize) -> Running {
        let running = self.running.remove(at);
        let threads = running.threads();
        for thread in &threads {
            self.mailboxes[*thread].send(Order::Remove { run: running.run });
        }
        self.leaving.insert(running.run, threads.len());
        if let Some(writing) = &mut self.writing {
            writing.uncommitted.retain(|(run, _)| *run != running.run);
        }
        let (gone, rest) = std::mem::take(&mut self.drains).into_iter().partition(|d: &Drain| d.run == running.run);
        self.drains = rest;
        for drain in gone {
            let name = &running.job.spec.name;
            answer(drain.reply, Err(Error::external(format!("pipeline '{name}' ended before it was drained"))));
        }
        running
    }

    /// The input of the pipeline ends here: windows fire, sinks get the rest, and it is finished with the next checkpoint.
    pub(super) fn drain(&mut self, job: &Arc<Job>, reply: Reply) {
        let Some(running) = self.running.iter().find(|r| Arc::ptr_eq(&r.job, job)) else {
            let status = job.status();
            return answer(reply, Err(Error::user(format!("pipeline '{}' is {}", job.spec.name, status.name()))));
        };
        for thread in running.threads() {
            self.mailboxes[thread].send(Order::Drain { run: running.run });
        }
        self.drains.push(Drain { run: running.run, missing: running.threads.len(), reply });
    }

    /// What a data thread says; `false` where it is the end.
    pub(super) fn heard(&mut self, report: Report) -> bool {
        match report {
            Report::Moved => self.moved = true,
            Report::AtBarrier { run, task, part } => self.came(run, task, *part),
            Report::Failed { run, task, error, at } => {
                if let Some(running) = self.running.iter().find(|r| r.run == run) {
                    tracing::debug!("task {task} of pipeline '{}' has failed", running.job.spec.name);
                    self.failed.push((running.id, error, at));
                    self.take_down();
                }
            }
            Report::Ended { run, task } => {
                if let Some(running) = self.running.iter_mut().find(|r| r.run == run) {
                    running.ended[task] = true;
                    // It is finished with the next checkpoint, which holds its last rows.
                    if running.has_ended() {
                        self.changed = true;
                        self.hurry = true;
                    }
                }
            }
            Report::Drained { run } => {
                let Some(at) = self.drains.iter().position(|d| d.run == run) else { return true };
                self.drains[at].missing -= 1;
                if self.drains[at].missing == 0 {
                    let reply = self.drains.swap_remove(at).reply;
                    self.request_checkpoint(vec![], reply);
                }
            }
            Report::Committed { run, task } => {
                if let Some(writing) = &mut self.writing {
                    writing.uncommitted.remove(&(run, task));
                }
            }
            Report::Removed { run } => {
                if let Some(threads) = self.leaving.get_mut(&run) {
                    *threads -= 1;
                    if *threads == 0 {
                        self.leaving.remove(&run);
                    }
                }
            }
            Report::Gone => {
                self.shared.fail(&Error::bug("a data thread has ended"));
                return false;
            }
        }
        true
    }
}

/// Whether one pipeline reads what another writes.
pub(super) fn feeds(writer: &Running, reader: &Running) -> bool {
    writer.run != reader.run && writer.job.spec.targets.iter().any(|target| reader.job.spec.sources.contains(target))
}
