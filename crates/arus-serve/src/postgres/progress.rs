//! Whether a client takes its rows: one that does not would hold a snapshot for ever. And whether it waits for some.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::task::Poll;
use std::time::Duration;

use arus_core::limits::ANSWER_STALL_MS;
use futures::stream::{self, Stream, StreamExt};

/// Of one connection.
#[derive(Debug, Default)]
pub(super) struct Progress {
    /// Rows that were asked for.
    rows: AtomicU64,
    /// Whether a row was handed out and the next one was not asked for: the client's turn.
    with_client: AtomicBool,
    /// Whether rows are waited for that are still computed.
    computes: AtomicBool,
}

impl Progress {
    /// The same rows, noting whose turn it is.
    pub(super) fn watch<S: Stream + Unpin>(self: Arc<Self>, mut rows: S) -> impl Stream<Item = S::Item> {
        stream::poll_fn(move |cx| {
            self.rows.fetch_add(1, Relaxed);
            let row = rows.poll_next_unpin(cx);
            self.with_client.store(row.is_ready(), Relaxed);
            match row {
                Poll::Ready(row) => Poll::Ready(row),
                Poll::Pending => Poll::Pending,
            }
        })
    }

    /// The same batches of a query, noting whether they are waited for.
    pub(super) fn reading<S: Stream + Unpin>(self: Arc<Self>, mut batches: S) -> impl Stream<Item = S::Item> {
        stream::poll_fn(move |cx| {
            let batch = batches.poll_next_unpin(cx);
            self.computes.store(batch.is_pending(), Relaxed);
            batch
        })
    }

    pub(super) fn computes(&self) -> bool {
        self.computes.load(Relaxed)
    }

    /// The answer is out.
    pub(super) fn finish(&self) {
        self.with_client.store(false, Relaxed);
        self.computes.store(false, Relaxed);
    }

    /// Ready when the client has taken nothing for too long.
    pub(super) async fn stalled(&self) {
        let mut last = None;
        loop {
            tokio::time::sleep(Duration::from_millis(ANSWER_STALL_MS)).await;
            let waits = self.with_client.load(Relaxed).then(|| self.rows.load(Relaxed));
            if waits.is_some() && waits == last {
                return;
            }
            last = waits;
        }
    }
}
