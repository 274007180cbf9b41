//! Where queries compute: on threads of their own, so that the doors answer everybody whatever a query does.
//!
//! They yield to what must not wait: pipelines, and the doors with their point reads. Many analysts at once share what is left.
//!
//! A query ends when nobody wants its rows any more: its stream was dropped, by a cancel request, a timeout or a client that
//! has gone. Every operator gives way after some batches; there its task ends.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use arus_core::limits::STACK_BYTES;
use datafusion::arrow::array::RecordBatch;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::TaskContext;
use datafusion::physical_plan::coop::CooperativeExec;
use datafusion::physical_plan::{ExecutionPlan, execute_stream};
use futures::future::ready;
use futures::{FutureExt, Stream, StreamExt, stream};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc::{Receiver, channel};
use tokio::task::JoinHandle;

/// What a thread of a query counts beside one of a pipeline: about a tenth.
#[cfg(target_os = "linux")]
const NICE: i32 = 10;

/// Batches between a query and whoever sends its rows.
const READ_AHEAD: usize = 2;

pub(crate) struct Threads(Option<Runtime>);

impl Threads {
    /// One a core.
    pub(crate) fn start() -> std::io::Result<Self> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let runtime = Builder::new_multi_thread()
            .worker_threads(cores)
            .thread_name("arus-query")
            .thread_stack_size(STACK_BYTES)
            .on_thread_start(step_back)
            .enable_time()
            .build()?;
        Ok(Threads(Some(runtime)))
    }

    /// The rows of a plan, until they end or are dropped.
    pub(crate) fn run(&self, plan: Arc<dyn ExecutionPlan>, context: Arc<TaskContext>) -> Result<Running> {
        let runtime = self.0.as_ref().ok_or_else(|| DataFusionError::Internal("the queries have ended".into()))?;
        let plan = giving_way(plan)?;
        let (sender, rows) = channel(READ_AHEAD);
        let task = runtime.spawn(async move {
            let mut batches = match execute_stream(plan, context) {
                Ok(batches) => batches.boxed(),
                Err(e) => stream::once(ready(Err(e))).boxed(),
            };
            while let Some(batch) = batches.next().await {
                if sender.send(batch).await.is_err() {
                    return;
                }
            }
        });
        Ok(Running { rows, task: Some(task) })
    }
}

/// Elsewhere a niceness is of the whole process.
fn step_back() {
    #[cfg(target_os = "linux")]
    if let Err(e) = rustix::process::setpriority_process(None, NICE) {
        tracing::debug!("a thread of queries is as important as the others: {e}");
    }
}

impl Drop for Threads {
    /// Without waiting: whoever drops it may be a thread that must not block.
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

/// The plan with a place to stop above each operator: a join makes any number of batches of the few that it has read, and an
/// aggregate above it takes them all at once.
fn giving_way(plan: Arc<dyn ExecutionPlan>) -> Result<Arc<dyn ExecutionPlan>> {
    let wrapped = plan.transform_up(|node| {
        if node.is::<CooperativeExec>() {
            return Ok(Transformed::no(node));
        }
        Ok(Transformed::yes(Arc::new(CooperativeExec::new(node)) as Arc<dyn ExecutionPlan>))
    });
    wrapped.map(|wrapped| wrapped.data)
}

/// The rows of a running query; dropping them ends it.
pub(crate) struct Running {
    rows: Receiver<Result<RecordBatch>>,
    task: Option<JoinHandle<()>>,
}

impl Stream for Running {
    type Item = Result<RecordBatch>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if let Some(batch) = std::task::ready!(self.rows.poll_recv(cx)) {
            return Poll::Ready(Some(batch));
        }
        let Some(task) = &mut self.task else { return Poll::Ready(None) };
        let ended = std::task::ready!(task.poll_unpin(cx));
        self.task = None;
        Poll::Ready(
            ended.err().map(|e| Err(DataFusionError::Internal(format!("a query has not come to its end: {e}")))),
        )
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}
