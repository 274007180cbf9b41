//! Pipelines that read keyed tables: by the table's versions, never from a queue.
//!
//! The scan of such a pipeline is a reader that the table knows by a uid of its own. It gets the rows of one version as +I and
//! then what every epoch changes. The table of a writer shows an epoch as soon as the barrier has passed the writer, so
//! that a reader, which comes later in the domain's order, takes the same barrier with the changes before it.

use std::sync::Arc;

use arus_core::catalog::{ColumnKind, TableKind};
use arus_core::connector::{PollLimit, Polled, Position, Source, SourceReader, Split};
use arus_core::plan::{NodeId, PhysicalPlan, Scan, Uid};
use arus_core::read::Cut;
use arus_core::{Error, Result};
use arus_storage::table::{KeyedTable, Reading, TableReader};
use xxhash_rust::xxh3::xxh3_64;

use crate::jobs::Job;
use crate::restore::RestoredState;
use crate::shared::Shared;

/// The rows of a keyed table and then its changes, as a source with one split.
pub(crate) struct KeyedSource {
    table: Arc<KeyedTable>,
    reading: Reading,
    columns: Vec<usize>,
}

impl KeyedSource {
    /// `node`: of the scan in the plan of a job whose position is kept.
    pub(crate) fn new(table: &Arc<KeyedTable>, scan: &Scan, of: Option<(&Job, NodeId)>) -> Result<Self> {
        let def = &scan.table;
        let physical: Vec<usize> =
            (0..def.columns.len()).filter(|i| matches!(def.columns[*i].kind, ColumnKind::Physical)).collect();
        let place = |column: &usize| physical.iter().position(|p| p == column);
        let columns = scan.read.iter().map(place).collect::<Option<Vec<_>>>();
        let columns =
            columns.ok_or_else(|| Error::not_supported(format!("a metadata column of keyed table '{}'", def.path)))?;
        let reading = match of.and_then(|(job, node)| reader_uid(job, node)) {
            Some(uid) => Reading::Kept(uid),
            None => Reading::Passing,
        };
        Ok(KeyedSource { table: table.clone(), reading, columns })
    }
}

impl Source for KeyedSource {
    fn bounded(&self) -> bool {
        false
    }

    fn enumerate(&self, known: &[Split]) -> Result<Vec<Split>> {
        Ok(if known.is_empty() { vec![Split { id: "rows".into() }] } else { vec![] })
    }

    /// Where it goes on the table knows: its own state and the reader's are of one checkpoint.
    fn open(&self, _split: &Split, _position: Option<&Position>) -> Result<Box<dyn SourceReader>> {
        Ok(Box::new(KeyedReader(self.table.read(self.reading, &self.columns))))
    }
}

struct KeyedReader(TableReader);

impl SourceReader for KeyedReader {
    fn poll(&mut self, limit: PollLimit) -> Result<Polled> {
        Ok(self.0.next(limit.rows)?.map_or(Polled::Idle, Polled::Changes))
    }

    fn position(&self) -> Position {
        Position::from_u64(self.0.cut().epoch)
    }

    fn on_barrier(&mut self) {
        self.0.at_barrier();
    }

    fn backlog(&self) -> Option<u64> {
        Some(self.0.backlog())
    }
}

/// The scans of a job that read rows of keyed tables, each with the uid of its reader.
fn readers(shared: &Shared, job: &Job) -> Vec<(Arc<KeyedTable>, Uid)> {
    let scans = job.spec.plan.scans().filter(|(_, scan)| scan.table.kind == TableKind::Keyed);
    let found = scans.filter_map(|(node, scan)| {
        let table = shared.tables.get(&scan.table.path)?;
        Some((table.keyed()?.clone(), reader_uid(job, node)?))
    });
    found.collect()
}

fn reader_uid(job: &Job, node: NodeId) -> Option<Uid> {
    uid_of_reader(&job.spec.plan, node)
}

/// The uids of all readers that a pipeline of this plan may have.
pub(crate) fn reader_uids(plan: &PhysicalPlan) -> impl Iterator<Item = Uid> {
    plan.scans().filter_map(|(node, _)| uid_of_reader(plan, node))
}

/// Names the reader of a scan: two scans of a plan may have the same uid.
fn uid_of_reader(plan: &PhysicalPlan, node: NodeId) -> Option<Uid> {
    let uid = plan.nodes.get(node)?.uid;
    let before = plan.scans().filter(|(id, _)| *id < node && plan.nodes[*id].uid == uid).count();
    Some(Uid(xxh3_64(format!("reader {uid} {before}").as_bytes())))
}

/// What the pipeline has of the tables that it reads, from the checkpoint that they were restored from. Before it starts,
/// and also when it does not: then its tables note what changes for it.
pub(crate) fn recover(shared: &Shared, job: &Job, restored: &RestoredState) -> Result<()> {
    for (table, uid) in readers(shared, job) {
        let entries = restored.of(uid).iter().map(|e| (e.key.as_slice(), e.value.as_slice()));
        table.restore_reader(uid, entries)?;
    }
    Ok(())
}

/// The checkpoint that is being cut has the pipeline as of its barrier.
pub(crate) fn cut(shared: &Shared, job: &Job) {
    readers(shared, job).iter().for_each(|(table, uid)| table.cut_reader(*uid));
}

/// The pipeline will not run again.
pub(crate) fn leave(shared: &Shared, job: &Job) {
    readers(shared, job).iter().for_each(|(table, uid)| table.forget_reader(*uid));
}

/// The barrier of this cut has passed the pipeline: its keyed tables show the epoch to those that read them.
pub(crate) fn show(shared: &Shared, job: &Job, cut: Cut) {
    let as_of_ms = shared.config.clock.now_ms();
    for table in job.spec.targets.iter().filter_map(|path| shared.tables.get(path)).filter(|t| !t.is_frozen()) {
        if let Some(keyed) = table.keyed().filter(|keyed| keyed.readers() > 0) {
            keyed.publish(cut, as_of_ms);
        }
    }
}

/// Whether the pipeline reads what others write in this domain.
pub(crate) fn reads_pipelines(shared: &Shared, job: &Job) -> bool {
    job.spec.sources.iter().filter_map(|path| shared.tables.get(path)).any(|table| match table.keyed() {
        Some(_) => true,
        None => table.topic().is_some() && table.is_written_by_pipeline(),
    })
}

/// Whether the pipeline is in the first snapshot of a table that it reads: nobody waits for that.
pub(crate) fn in_snapshot(shared: &Shared, job: &Job) -> bool {
    readers(shared, job).iter().any(|(table, uid)| table.is_in_snapshot(*uid))
}
