//! The cut of a pipeline at a barrier: what it is, how it is taken, what follows when it is durable.

use std::collections::BTreeMap;

use arus_core::connector::{CommitToken, SinkWriter, SyncTask};
use arus_core::delivery::OutboxRows;
use arus_core::plan::Uid;
use arus_core::{Error, Result};
use arus_storage::state::StateDelta;
use serde::{Deserialize, Serialize};

use crate::pipeline::align::{Alignment, together};
use crate::pipeline::{Kind, Pipeline};
use crate::source::{ScanState, SplitState};
use crate::state::{StateRead, StateWriter};

/// A pipeline at a barrier: plain data, for the manifest.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    pub epoch: u64,
    pub scans: BTreeMap<Uid, ScanState>,
    pub inputs: BTreeMap<Uid, Alignment>,
    /// Of each topic sink: where the epoch ends in each partition.
    pub markers: BTreeMap<Uid, Vec<i64>>,
    /// Of each connector's writer: what commits the rows since the checkpoint before.
    #[serde(default)]
    pub sinks: BTreeMap<Uid, CommitToken>,
}

/// A checkpoint and what changed in the state since the one before.
pub struct FrozenPipeline {
    pub state: StateDelta,
    pub checkpoint: Checkpoint,
    /// What has to be done before the checkpoint's record is written.
    pub syncs: Vec<SyncTask>,
    /// Rows of the sinks that have an outbox.
    pub outboxes: Vec<(Uid, OutboxRows)>,
}

/// Where a pipeline goes on.
pub struct PipelineRestore<'a> {
    pub checkpoint: &'a Checkpoint,
    pub state: &'a dyn StateRead,
}

impl Checkpoint {
    /// Whether the input had ended, so that nothing follows.
    pub fn ended(&self) -> bool {
        self.scans.values().all(|scan| scan.ended)
    }
}

/// What one task gives to a cut.
pub struct FrozenTask {
    pub(crate) state: StateDelta,
    pub(crate) checkpoint: Checkpoint,
    pub(crate) syncs: Vec<SyncTask>,
    pub(crate) outboxes: Vec<(Uid, OutboxRows)>,
    /// Of each input, the tasks that it comes from here.
    pub(crate) ways: BTreeMap<Uid, Vec<usize>>,
}

impl FrozenPipeline {
    /// The cuts of all tasks of a pipeline at one barrier, by their numbers, as one: tasks of any number can go on from it.
    pub fn merged(tasks: Vec<FrozenTask>, home: usize) -> Self {
        let mut whole = FrozenPipeline {
            state: StateDelta::default(),
            checkpoint: Checkpoint::default(),
            syncs: vec![],
            outboxes: vec![],
        };
        let mut scans: BTreeMap<Uid, Vec<(usize, ScanState)>> = BTreeMap::new();
        let mut inputs: BTreeMap<Uid, Vec<(Alignment, Vec<usize>)>> = BTreeMap::new();
        let count = tasks.len();
        for (number, mut task) in tasks.into_iter().enumerate() {
            whole.state.append(task.state);
            whole.syncs.extend(task.syncs);
            whole.outboxes.extend(task.outboxes);
            let cut = &mut whole.checkpoint;
            cut.epoch = task.checkpoint.epoch;
            cut.sinks.extend(task.checkpoint.sinks);
            for (uid, markers) in task.checkpoint.markers {
                let known = cut.markers.entry(uid).or_insert_with(|| markers.clone());
                known.iter_mut().zip(&markers).for_each(|(known, marker)| *known = (*known).max(*marker));
            }
            for (uid, scan) in task.checkpoint.scans {
                // Splits were dealt out from the home task on.
                scans.entry(uid).or_default().push(((number + count - home) % count, scan));
            }
            for (uid, alignment) in task.checkpoint.inputs {
                let ways = task.ways.remove(&uid).unwrap_or_default();
                inputs.entry(uid).or_default().push((alignment, ways));
            }
        }
        whole.checkpoint.scans = scans.into_iter().map(|(uid, parts)| (uid, merged_scan(parts, count))).collect();
        whole.checkpoint.inputs = inputs.into_iter().map(|(uid, parts)| (uid, Alignment::merged(&parts))).collect();
        whole
    }
}

/// The splits in the order in which they were dealt out.
fn merged_scan(parts: Vec<(usize, ScanState)>, count: usize) -> ScanState {
    let (watermark, idle, ended) = together(parts.iter().map(|(_, scan)| (scan.watermark, scan.idle, scan.ended)));
    let mut splits: Vec<(usize, SplitState)> = vec![];
    for (turn, scan) in parts {
        splits.extend(scan.splits.into_iter().enumerate().map(|(round, split)| (round * count + turn, split)));
    }
    splits.sort_by_key(|(number, _)| *number);
    ScanState { splits: splits.into_iter().map(|(_, split)| split).collect(), watermark, idle, ended }
}

/// The scans of all tasks of a pipeline, by their numbers, as one.
pub fn merged_scans(tasks: &[BTreeMap<Uid, ScanState>], home: usize) -> BTreeMap<Uid, ScanState> {
    let mut scans: BTreeMap<Uid, Vec<(usize, ScanState)>> = BTreeMap::new();
    for (number, task) in tasks.iter().enumerate() {
        for (uid, scan) in task {
            let turn = (number + tasks.len() - home) % tasks.len();
            scans.entry(*uid).or_default().push((turn, scan.clone()));
        }
    }
    scans.into_iter().map(|(uid, parts)| (uid, merged_scan(parts, tasks.len()))).collect()
}

/// The outcome of a sink's call. Writers that wait for a network are not run here.
pub(crate) fn at_once<T>(call: impl Future<Output = Result<T>>) -> Result<T> {
    match std::pin::pin!(call).poll(&mut std::task::Context::from_waker(std::task::Waker::noop())) {
        std::task::Poll::Ready(outcome) => outcome,
        std::task::Poll::Pending => Err(Error::bug("a sink waits on the data thread")),
    }
}

impl Pipeline {
    /// The cut at the last barrier. What is in the delta is not frozen again: whoever abandons a checkpoint keeps its
    /// delta for the next.
    pub fn freeze(&mut self) -> Result<FrozenPipeline> {
        Ok(FrozenPipeline::merged(vec![self.freeze_task()?], 0))
    }

    /// The part of this task.
    pub fn freeze_task(&mut self) -> Result<FrozenTask> {
        let epoch = self.at_barrier.ok_or_else(|| Error::bug("freeze without a barrier before it"))?;
        let mut frozen = FrozenTask {
            state: StateDelta::default(),
            checkpoint: Checkpoint { epoch, ..Checkpoint::default() },
            syncs: vec![],
            outboxes: vec![],
            ways: BTreeMap::new(),
        };
        let checkpoint = &mut frozen.checkpoint;
        for node in &mut self.nodes {
            let uid = node.info.uid;
            match &mut node.kind {
                Kind::Scan(scan) => {
                    checkpoint.scans.insert(uid, scan.state());
                }
                Kind::Values(values) => {
                    checkpoint.scans.insert(uid, values.state());
                }
                Kind::Elsewhere => {}
                Kind::Operator(operator) => {
                    frozen.ways.insert(uid, node.ways.clone());
                    operator.freeze(&mut StateWriter::new(uid, &mut frozen.state))?;
                    if let Some(markers) = operator.markers() {
                        checkpoint.markers.insert(uid, markers);
                    }
                    if let Some(writer) = operator.sink_writer() {
                        if let Some(token) = at_once(writer.prepare(epoch))? {
                            checkpoint.sinks.insert(uid, token);
                        }
                        frozen.syncs.extend(writer.take_sync());
                        frozen.outboxes.extend(writer.take_outbox().map(|rows| (uid, rows)));
                    }
                    checkpoint.inputs.insert(uid, node.align.clone());
                }
            }
        }
        Ok(frozen)
    }

    /// This checkpoint stands in the manifest.
    pub fn on_durable(&mut self, checkpoint: &Checkpoint) -> Result<()> {
        for node in &mut self.nodes {
            if let (Kind::Scan(scan), Some(state)) = (&mut node.kind, checkpoint.scans.get(&node.info.uid)) {
                scan.on_durable(state)?;
            }
        }
        for (uid, writer) in self.sink_writers() {
            if let Some(token) = checkpoint.sinks.get(&uid) {
                at_once(writer.commit(token))?;
            }
        }
        Ok(())
    }

    /// Positions of the scans as they are now.
    pub fn scans(&self) -> BTreeMap<Uid, ScanState> {
        let scans = self.nodes.iter().filter_map(|node| match &node.kind {
            Kind::Scan(scan) => Some((node.info.uid, scan.state())),
            Kind::Values(values) => Some((node.info.uid, values.state())),
            Kind::Operator(_) | Kind::Elsewhere => None,
        });
        scans.collect()
    }

    /// The writers of connectors, for prepare, commit and recover.
    pub fn sink_writers(&mut self) -> impl Iterator<Item = (Uid, &mut dyn SinkWriter)> {
        self.nodes.iter_mut().filter_map(|node| match &mut node.kind {
            Kind::Operator(operator) => operator.sink_writer().map(|writer| (node.info.uid, writer)),
            Kind::Scan(_) | Kind::Values(_) | Kind::Elsewhere => None,
        })
    }

    /// Whether a sink has something to commit although nothing moves.
    pub fn wants_checkpoint(&mut self) -> bool {
        self.sink_writers().any(|(_, writer)| writer.wants_checkpoint())
    }
}
