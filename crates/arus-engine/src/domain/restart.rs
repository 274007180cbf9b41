//! The supervisor: a pipeline that fails is started again from the last checkpoint.
//!
//! All that it wrote since then is taken back, and so are the pipelines that read it: they start again from the same
//! checkpoint. The others go on. Pauses grow; the same failure at the same position three times ends the pipeline, since
//! it would fail for ever, and the reason shows the record.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use arus_core::catalog::ObjectPath;
use arus_core::limits::{RESTART_PAUSE_MAX_MS, RESTART_PAUSE_MS, SAME_FAILURES};
use arus_core::plan::Uid;
use arus_core::{Error, ErrorKind, Result, planted};
use arus_stream::{Checkpoint, PipelineRestore, ScanState};

use super::Domain;
use crate::checkpoint::Work;
use crate::config::Mode;
use crate::jobs::{Job, JobStatus};
use crate::restore::RestoredState;

/// Where the scans of a pipeline were.
pub(super) type Positions = BTreeMap<Uid, ScanState>;

#[derive(Default)]
pub(super) struct Restarts {
    down: Vec<Group>,
    /// The group whose state is being read.
    reading: Option<Group>,
    /// By pipeline, what it failed with last.
    failures: BTreeMap<u64, Failure>,
    /// Pipelines of the catalog that do not run: what they have still to read stays.
    stalled: BTreeMap<u64, Arc<Job>>,
}

/// What falls back together.
struct Group {
    members: Vec<(u64, Arc<Job>)>,
    /// What is taken back, that of pipelines which have failed for good included.
    targets: Vec<ObjectPath>,
    at_ns: u64,
    /// When it went down; what its pipelines have set aside shows in the next one.
    epoch: u64,
}

impl Group {
    /// Whether one of its pipelines reads what the other group takes back.
    fn reads(&self, other: &Group) -> bool {
        self.members.iter().any(|(_, job)| job.spec.sources.iter().any(|source| other.targets.contains(source)))
    }
}

struct Failure {
    reason: String,
    at: Positions,
    /// In a row with the same reason.
    times: u32,
    /// In a row.
    all: u32,
}

impl Restarts {
    pub(super) fn is_reading(&self) -> bool {
        self.reading.is_some()
    }

    /// Whether nothing waits to be started again.
    pub(super) fn is_empty(&self) -> bool {
        self.down.is_empty()
    }

    pub(super) fn stalled(&self) -> impl Iterator<Item = (&u64, &Arc<Job>)> {
        self.stalled.iter()
    }

    /// A pipeline of the catalog that stands still.
    pub(super) fn stall(&mut self, id: u64, job: Arc<Job>) {
        self.stalled.insert(id, job);
    }

    /// It starts again from its checkpoint as soon as it can; nothing is taken back.
    pub(super) fn wake(&mut self, id: u64, job: Arc<Job>, now_ns: u64) {
        if self.waits(id, &job) {
            return;
        }
        self.down.push(Group { members: vec![(id, job)], targets: vec![], at_ns: now_ns, epoch: 0 });
    }

    /// Whether the pipeline reads what is about to be taken back: then it starts once that is done, with those that write it.
    pub(super) fn waits(&mut self, id: u64, job: &Arc<Job>) -> bool {
        let reads = |group: &&mut Group| job.spec.sources.iter().any(|source| group.targets.contains(source));
        let Some(group) = self.down.iter_mut().chain(&mut self.reading).find(reads) else { return false };
        group.members.push((id, job.clone()));
        group.targets.extend(job.spec.targets.iter().cloned());
        self.stalled.insert(id, job.clone());
        job.status.send_replace(JobStatus::Restarting("what it reads starts again from the last checkpoint".into()));
        true
    }

    /// The pipeline was stopped by a statement: what it wrote stays as it is.
    pub(super) fn forget(&mut self, job: &Arc<Job>) {
        for group in self.down.iter_mut().chain(&mut self.reading) {
            group.members.retain(|(_, j)| !Arc::ptr_eq(j, job));
            group.targets.retain(|t| !job.spec.targets.contains(t));
        }
        if let Some(item) = &job.spec.item {
            self.failures.remove(&item.id);
            self.stalled.remove(&item.id);
        }
    }
}

impl Domain {
    /// A pipeline that starts for the first time: where its topics end is what it falls back to.
    pub(super) fn note_starts(&mut self, job: &Job) {
        for topic in
            job.spec.targets.iter().filter_map(|p| self.shared.tables.get(p)).filter_map(|t| t.topic().cloned())
        {
            self.markers.insert(topic.id(), topic.ends());
        }
    }

    /// The last checkpoint of a pipeline that does not run.
    pub(super) fn cut_of(&self, id: u64) -> Option<Checkpoint> {
        let record = self.records.get(&id)?;
        serde_json::from_value(record.task.clone()).ok()
    }

    /// A pipeline that holds too much memory stops.
    pub(super) fn over_budget(&mut self, job: &Arc<Job>, error: Error) {
        if let Some(running) = self.running.iter().find(|r| Arc::ptr_eq(&r.job, job)) {
            self.failed.push((running.id, error, running.scans.clone()));
            self.take_down();
        }
    }

    /// Takes the pipelines out that have failed in this turn.
    pub(super) fn take_down(&mut self) {
        for (id, error, at) in std::mem::take(&mut self.failed) {
            let Some(place) = self.running.iter().position(|r| r.id == id) else { continue };
            let failed = self.take_out(place);
            self.went_down(id, &failed.job, at, &error);
        }
    }

    /// Decides what becomes of a pipeline that has failed, and of those that read what it writes.
    pub(super) fn went_down(&mut self, id: u64, job: &Arc<Job>, at: Positions, error: &Error) {
        let name = &job.spec.name;
        let reason = reason_of(error);
        self.freeze_targets(job);
        if self.shared.config.mode == Mode::Run || job.spec.item.is_none() {
            tracing::error!("pipeline '{name}' has failed: {reason}");
            job.status.send_replace(JobStatus::Failed(reason));
            return;
        }
        self.restarts.stalled.insert(id, job.clone());
        let (times, all) = self.count(id, &reason, at);
        let pause_ms = RESTART_PAUSE_MS.saturating_mul(1 << (all - 1).min(16)).min(RESTART_PAUSE_MAX_MS);
        let mut group =
            Group { members: vec![], targets: job.spec.targets.clone(), at_ns: self.now_ns(), epoch: self.epoch };
        if error.kind() == ErrorKind::Exhausted {
            // Started again it would hold as much.
            tracing::error!("pipeline '{name}' is stopped: {reason}");
            job.status.send_replace(JobStatus::Failed(reason));
        } else if times >= SAME_FAILURES {
            tracing::error!(
                "pipeline '{name}' is stopped, since it has failed {times} times in the same way: {reason}"
            );
            job.status.send_replace(JobStatus::Failed(reason));
        } else {
            tracing::warn!("pipeline '{name}' has failed and starts again in {pause_ms} ms: {reason}");
            job.status.send_replace(JobStatus::Restarting(reason));
            group.at_ns += pause_ms * 1_000_000;
            group.members.push((id, job.clone()));
        }
        self.take_readers(&mut group, name);
        self.merge(group);
        self.moved = true;
    }

    /// How often the pipeline has failed like this without getting past the place, and in a row at all.
    fn count(&mut self, id: u64, reason: &str, at: Positions) -> (u32, u32) {
        let durable = self.cut_of(id);
        let before = self.restarts.failures.remove(&id);
        let before = before.filter(|f| !durable.is_some_and(|cut| passed(&cut.scans, &f.at)));
        let all = before.as_ref().map_or(1, |f| f.all + 1);
        let times = before.filter(|f| f.reason == reason).map_or(1, |f| f.times + 1);
        self.restarts.failures.insert(id, Failure { reason: reason.to_string(), at, times, all });
        (times, all)
    }

    /// Whoever reads what is taken back falls back too.
    fn take_readers(&mut self, group: &mut Group, name: &str) {
        while let Some(at) =
            self.running.iter().position(|r| r.job.spec.sources.iter().any(|s| group.targets.contains(s)))
        {
            let reader = self.take_out(at);
            self.freeze_targets(&reader.job);
            let reason = format!("it reads what pipeline '{name}' writes, which starts again from the last checkpoint");
            reader.job.status.send_replace(JobStatus::Restarting(reason));
            self.restarts.stalled.insert(reader.id, reader.job.clone());
            group.targets.extend(reader.job.spec.targets.iter().cloned());
            group.members.push((reader.id, reader.job));
        }
    }

    /// Groups of which one reads what the other takes back start together.
    fn merge(&mut self, mut group: Group) {
        while let Some(at) = self.restarts.down.iter().position(|other| other.reads(&group) || group.reads(other)) {
            let other = self.restarts.down.remove(at);
            group.at_ns = group.at_ns.max(other.at_ns);
            group.epoch = group.epoch.max(other.epoch);
            group.members.extend(other.members);
            group.targets.extend(other.targets);
        }
        self.restarts.down.push(group);
    }

    fn freeze_targets(&self, job: &Job) {
        job.spec.targets.iter().filter_map(|p| self.shared.tables.get(p)).for_each(|table| table.freeze());
    }

    /// Asks for the state of a group whose pause is over. Nothing may be on its way to the manifest meanwhile: then what
    /// the files hold is what the records say.
    pub(super) fn restart_due(&mut self) {
        // Tasks that have still to hear that they are gone may write what is to be taken back.
        if self.writing.is_some() || self.restarts.reading.is_some() || self.shutdown || !self.leaving.is_empty() {
            return;
        }
        let now = self.now_ns();
        let Some(at) = self.restarts.down.iter().position(|group| group.at_ns <= now && group.epoch < self.epoch)
        else {
            return;
        };
        if !self.carried.is_empty() || self.outboxes.carries() {
            // What an abandoned checkpoint has left becomes durable first.
            self.changed = true;
            return;
        }
        let group = self.restarts.down.remove(at);
        if self.checkpoints.send(Work::Read).is_ok() {
            self.restarts.reading = Some(group);
        }
    }

    /// The state is there: takes back what the group wrote, and starts its pipelines.
    pub(super) fn restart(&mut self, state: Result<RestoredState>) {
        let Some(mut group) = self.restarts.reading.take() else { return };
        // What one of them reads has failed meanwhile.
        if self.restarts.down.iter().any(|other| group.reads(other)) {
            return self.merge(group);
        }
        let taken_back = state.and_then(|state| {
            group.members.iter().try_for_each(|(_, job)| state.check_targets(&self.shared, job))?;
            self.take_back(&group, &state).map(|()| state)
        });
        let state = match taken_back {
            Ok(state) => state,
            Err(e) => {
                tracing::error!("pipelines cannot be started again yet: {e}");
                group.at_ns = self.now_ns() + RESTART_PAUSE_MAX_MS * 1_000_000;
                self.restarts.down.push(group);
                return;
            }
        };
        for (id, job) in &group.members {
            job.spec.targets.iter().filter_map(|p| self.shared.tables.get(p)).for_each(|table| table.thaw());
            job.status.send_replace(JobStatus::Running);
            self.restarts.stalled.remove(id);
            self.shared.figures.restarts.fetch_add(1, Relaxed);
            let cut = self.cut_of(*id);
            let part = state.of_job(job);
            let restore = cut.as_ref().map(|checkpoint| PipelineRestore { checkpoint, state: &part });
            match self.add(*id, job.clone(), restore) {
                Ok(()) => tracing::info!("pipeline '{}' goes on from the last checkpoint", job.spec.name),
                Err(e) => self.went_down(*id, job, Positions::new(), &e),
            }
        }
        self.moved = true;
        self.changed = true;
    }

    fn take_back(&self, group: &Group, state: &RestoredState) -> Result<()> {
        for table in group.targets.iter().filter_map(|p| self.shared.tables.get(p)).filter(|t| t.is_frozen()) {
            if let Some(topic) = table.topic()
                && let Some(markers) = self.markers.get(&topic.id())
                && !planted("not-taken-back")
            {
                topic.cut(markers)?;
            }
            if let Some(keyed) = table.keyed() {
                let entries = state.of(table.state_uid("rows"));
                keyed.roll_back(entries.iter().map(|e| (e.key.as_slice(), e.value.as_slice())));
            }
        }
        for (id, job) in &group.members {
            let epoch = self.cut_of(*id).map_or(0, |cut| cut.epoch);
            for table in job.spec.sources.iter().filter_map(|p| self.shared.table_of(p)).map(|(table, _)| table) {
                table.forget_side_rows(&job.spec.name, epoch)?;
            }
        }
        Ok(())
    }
}

/// Whether a checkpoint is beyond the place of a failure in any split.
fn passed(durable: &Positions, failed: &Positions) -> bool {
    let offset = |p: &Option<arus_core::connector::Position>| p.as_ref().and_then(|p| p.as_u64());
    durable.iter().any(|(uid, scan)| {
        let Some(before) = failed.get(uid) else { return false };
        scan.splits.iter().any(|now| {
            let then = before.splits.iter().find(|s| s.split == now.split).and_then(|s| offset(&s.position));
            offset(&now.position).zip(then).is_some_and(|(now, then)| now > then)
        })
    })
}

/// The error with its hint, which shows the record.
pub(super) fn reason_of(error: &Error) -> String {
    match error.hint() {
        Some(hint) => format!("{error} ({hint})"),
        None => error.to_string(),
    }
}
