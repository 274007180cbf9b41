//! What a pipeline gets from the engine: the ends of its graph.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use arus_core::connector::{Decoder, Encoder, SinkWriter, Source};
use arus_core::plan::{NodeId, Scan, Sink};
use arus_core::{ChangeBatch, Result};
use arus_storage::log::Partition;
use arus_storage::table::KeyedTable;

use crate::side::SideTables;

/// Opens sources and sinks for one pipeline.
pub trait PipelineIo {
    fn scan(&self, node: NodeId, scan: &Scan) -> Result<ScanHandle>;
    fn sink(&self, node: NodeId, sink: &Sink) -> Result<SinkHandle>;
    /// Whether each task of a pipeline may have a writer of its own for this sink of a connector.
    fn sink_is_parallel(&self, _sink: &Sink) -> bool {
        false
    }

    /// Where late and quarantined rows go.
    fn side_tables(&self) -> Result<Box<dyn SideTables>>;

    /// Shut while the sinks cannot take more.
    fn gate(&self) -> SourceGate {
        SourceGate::default()
    }
}

/// Stops the sources of a pipeline, whoever runs it. What is on its way goes on, and barriers always pass.
#[derive(Debug, Clone, Default)]
pub struct SourceGate(Arc<Shut>);

#[derive(Debug, Default)]
struct Shut {
    by_delivery: AtomicBool,
    by_memory: AtomicBool,
    for_good: AtomicBool,
}

impl SourceGate {
    pub fn set_shut(&self, shut: bool) {
        self.0.by_delivery.store(shut, Relaxed);
    }

    /// Until the next checkpoint takes what a sink holds.
    pub(crate) fn set_full(&self, full: bool) {
        self.0.by_memory.store(full, Relaxed);
    }

    /// The pipeline is about to be stopped: what it would still read is in vain.
    pub fn set_stopped(&self, stopped: bool) {
        self.0.for_good.store(stopped, Relaxed);
    }

    pub fn is_shut(&self) -> bool {
        [&self.0.by_delivery, &self.0.by_memory, &self.0.for_good].iter().any(|shut| shut.load(Relaxed))
    }
}

pub struct ScanHandle {
    pub source: Arc<dyn Source>,
    /// Decodes the physical columns among the scan's `read`, in their order; `None` where the source makes rows, or
    /// where the table has metadata columns alone.
    pub decoder: Option<Box<dyn Decoder>>,
}

/// Called with every batch of a collecting sink.
pub type CollectFn = Box<dyn FnMut(&ChangeBatch) -> Result<()> + Send>;

pub enum SinkHandle {
    /// A connector.
    Writer(Box<dyn SinkWriter>),
    /// A managed table with a primary key. The engine commits its epochs.
    Keyed(Arc<KeyedTable>),
    /// A managed topic, appended to without a sync; the offsets at a barrier are in
    /// [`crate::Checkpoint::markers`].
    Topic {
        partitions: Vec<Arc<Partition>>,
        encoder: Box<dyn Encoder>,
        /// Columns by which rows find their partition; empty: batches take turns.
        keys: Vec<usize>,
    },
    /// Whoever asked.
    Collect(CollectFn),
}
