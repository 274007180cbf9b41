//! The streaming runtime: a [`Pipeline`] runs the operators of one [`arus_core::plan::PhysicalPlan`] synchronously, on
//! the thread of whoever calls it.
//!
//! The engine owns the loop: it calls [`Pipeline::step`] while there is work, [`Pipeline::barrier`] to end an epoch,
//! [`Pipeline::freeze`] for a checkpoint and [`Pipeline::build`] with a [`PipelineRestore`] to go on from one.
//! [`Pipeline::build_tasks`] spreads a pipeline over several threads.

mod aggregate;
mod eval;
mod message;
mod operator;
mod ops;
mod pipeline;
mod settings;
mod side;
mod slots;
mod source;
mod state;
mod stats;
#[cfg(test)]
mod tests;

pub use message::{Message, WATERMARK_END, WATERMARK_NONE};
pub use operator::{Operator, OperatorContext};
pub use pipeline::io::{CollectFn, PipelineIo, ScanHandle, SinkHandle, SourceGate};
pub use pipeline::{
    Alignment, Budget, Checkpoint, FrozenPipeline, FrozenTask, Pipeline, PipelineRestore, StepReport, Tasks, Waker,
    merged_scans, unique_uids,
};
pub use settings::{ErrorPolicy, PipelineSettings};
pub use side::{LateRow, QuarantinedRow, RecordOrigin, SideKey, SideTables, rows_as_json};
pub use source::{ScanState, SplitState};
pub use state::{StateEntry, StateRead, StateWriter, StoredState, VisitState};
pub use stats::{OperatorFigures, OperatorStats, PipelineStats, SplitFigures};
