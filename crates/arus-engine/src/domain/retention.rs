//! How far readers are, and what their topics may drop.

use std::collections::BTreeMap;
use std::sync::Arc;

use arus_core::catalog::{ObjectPath, TableKind};
use arus_core::plan::Uid;
use arus_stream::ScanState;

use super::Domain;
use super::running::Running;
use crate::checkpoint::Retention;
use crate::jobs::Job;

/// How often old segments are looked for.
const RETENTION_NS: u64 = 60_000_000_000;

impl Domain {
    /// Once in a while, what each topic may drop after this checkpoint.
    pub(super) fn retention(&mut self) -> Vec<Retention> {
        let now = self.now_ns();
        if now < self.next_retention_ns && !self.shared.disk.is_full() {
            return vec![];
        }
        self.next_retention_ns = now + RETENTION_NS;
        let mut covered: Vec<_> = self.running.iter().flat_map(positions).collect();
        for (id, job) in self.restarts.stalled() {
            let cut = self.cut_of(*id);
            covered.extend(offsets(job, cut.as_ref().map_or(&BTreeMap::new(), |c| &c.scans)));
        }
        let mut found = vec![];
        for table in self.shared.tables.all() {
            let Some(topic) = table.topic().or(table.inbox()) else { continue };
            let (time_ms, bytes) = table.retention();
            // Who reads the rows of a keyed table does not read the records that they came from.
            let reads = |path: &ObjectPath| {
                let found = self.shared.table_of(path);
                found.is_some_and(|(t, inbox)| Arc::ptr_eq(&t, &table) && (inbox || t.keyed().is_none()))
            };
            for (number, partition) in topic.partitions().iter().enumerate() {
                let readers = covered.iter().filter(|((_, path), _)| reads(path));
                let floor = readers.map(|(_, ends)| ends.get(number).copied().unwrap_or(0)).min();
                let floor = floor.unwrap_or(partition.synced_end());
                found.push(Retention { partition: partition.clone(), time_ms, bytes, floor });
            }
        }
        found
    }
}

/// How far each source table of a running pipeline is covered, by partition.
pub(super) fn positions(running: &Running) -> Vec<((String, ObjectPath), Vec<i64>)> {
    offsets(&running.job, &running.scans)
}

/// The same by these positions; a scan without one has covered nothing.
fn offsets(job: &Job, scans: &BTreeMap<Uid, ScanState>) -> Vec<((String, ObjectPath), Vec<i64>)> {
    let mut found = vec![];
    for (id, scan) in job.spec.plan.scans() {
        let Some(uid) = job.spec.plan.nodes.get(id).map(|n| n.uid) else { continue };
        // A version is no offset.
        if scan.table.kind == TableKind::Keyed {
            continue;
        }
        let splits = scans.get(&uid).map_or(&[][..], |state| &state.splits);
        let offsets =
            splits.iter().map(|s| s.position.as_ref().and_then(|p| p.as_u64()).map_or(0, |n| n as i64)).collect();
        found.push(((job.spec.name.clone(), scan.table.path.clone()), offsets));
    }
    found
}
