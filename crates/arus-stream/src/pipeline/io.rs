//! What a pipeline gets from the engine: the ends of its graph.

use std::sync::Arc;

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
