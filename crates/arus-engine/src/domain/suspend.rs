//! Pipelines that stand still: suspended at the barrier of a checkpoint, resumed from it.
//!
//! A suspended pipeline is not in memory: its record and its state stay in every later checkpoint, and what it has still to
//! read is kept.

use std::sync::Arc;

use arus_core::Error;
use arus_storage::manifest::Change;

use super::{Domain, Reply, answer};
use crate::jobs::{Job, JobStatus};

impl Domain {
    /// The pipeline stops with the next checkpoint, whose record holds its last cut.
    pub(super) fn suspend(&mut self, job: &Arc<Job>, changes: Vec<Change>, reply: Reply) {
        let running = self.running.iter().find(|r| Arc::ptr_eq(&r.job, job)).map(|r| r.id);
        match running.filter(|_| job.status() == JobStatus::Running) {
            Some(id) => {
                self.suspending.push(id);
                self.request_checkpoint(changes, reply);
            }
            None => {
                let status = job.status();
                let error = Error::user(format!("pipeline '{}' is {}", job.spec.name, status.name()));
                answer(reply, Err(error.with_hint("a pipeline that runs can be suspended")));
            }
        }
    }

    /// Called when the cut of a checkpoint was taken.
    pub(super) fn suspend_now(&mut self) {
        for id in std::mem::take(&mut self.suspending) {
            let Some(at) = self.running.iter().position(|r| r.id == id) else { continue };
            let job = self.take_out(at).job;
            self.stall(id, job);
        }
    }

    /// A pipeline of the catalog that does not run.
    pub(crate) fn stall(&mut self, id: u64, job: Arc<Job>) {
        job.status.send_replace(JobStatus::Suspended);
        // What its sinks are owed goes on.
        if let Err(e) = self.outboxes.open(&self.shared, id, &job) {
            tracing::warn!("the sinks of pipeline '{}' are not delivered: {e}", job.spec.name);
        }
        self.restarts.stall(id, job);
    }

    /// The pipeline goes on from the last checkpoint; the reply comes when `changes` are durable.
    pub(super) fn resume(&mut self, id: u64, job: &Arc<Job>, changes: Vec<Change>, reply: Reply) {
        job.status.send_replace(JobStatus::Restarting("it is resumed".into()));
        self.restarts.stall(id, job.clone());
        self.restarts.wake(id, job.clone(), self.now_ns());
        self.request_checkpoint(changes, reply);
    }
}
