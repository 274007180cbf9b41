//! The line of one sink: reads its mark, delivers one outbox after another, tries again with growing pauses.
//!
//! After every failure, a lost reply included, the mark is read again before anything is delivered: it alone says what the
//! sink has. All lines run on one thread, which waits for networks and never for another line.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::thread::JoinHandle;
use std::time::Duration;

use arus_core::delivery::{FIRST_MARK, Mark, OutboxDelivery, RejectedInOutbox, SinkDelivery};
use arus_core::error::Code;
use arus_core::limits::{DELIVERY_PAUSE_MAX_MS, DELIVERY_PAUSE_MS, REJECTED_ROWS};
use arus_core::read::Cut;
use arus_core::secret::Mask;
use arus_core::{Error, ErrorKind, Result};
use arus_storage::manifest::OutboxRef;
use arus_storage::outbox::OutboxStore;
use arus_stream::rows_as_json;
use tokio::sync::oneshot;

use super::status::SinkState;
use super::{Queue, RejectedRow, Report, SinkStatus};
use crate::shared::Shared;

/// How long the end of the server waits for marks to be taken away.
const END: Duration = Duration::from_secs(2);

/// Runs the lines.
pub(super) struct DeliveryThread {
    runtime: tokio::runtime::Handle,
    /// Dropped at the end.
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
    leaving: Arc<tokio::sync::Semaphore>,
}

/// Lines that may take their marks away at once; the end of the server waits for those that do.
const LEAVING: u32 = 64;

impl DeliveryThread {
    pub(super) fn start() -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|e| Error::io("start", "the runtime of deliveries", e))?;
        let (stop, stopped) = oneshot::channel::<()>();
        let leaving = Arc::new(tokio::sync::Semaphore::new(LEAVING as usize));
        let (handle, all) = (runtime.handle().clone(), leaving.clone());
        let thread = std::thread::Builder::new()
            .name("arus-delivery".into())
            .spawn(move || {
                runtime.block_on(async {
                    // The sender is dropped, never used.
                    stopped.await.unwrap_or_default();
                    // Lines that were told to leave do so first.
                    for _ in 0..3 {
                        tokio::task::yield_now().await;
                    }
                    if tokio::time::timeout(END, all.acquire_many(LEAVING)).await.is_err() {
                        tracing::debug!("a mark could not be taken away in time");
                    }
                });
            })
            .map_err(|e| Error::io("start", "the delivery thread", e))?;
        Ok(DeliveryThread { runtime: handle, stop: Some(stop), thread: Some(thread), leaving })
    }

    pub(super) fn spawn(&self, start: LineStart) {
        let line = Line {
            delivery: start.delivery,
            mask: start.mask,
            at: start.known,
            confirmed: false,
            rejected: vec![],
            queue: start.queue,
            status: start.status,
            store: start.store,
            shared: start.shared,
            has_reports: start.has_reports,
            gives_up: start.gives_up,
            leaving: self.leaving.clone(),
        };
        self.runtime.spawn(line.run());
    }
}

impl Drop for DeliveryThread {
    fn drop(&mut self) {
        drop(self.stop.take());
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the delivery thread has panicked");
        }
    }
}

pub(super) struct LineStart {
    pub(super) delivery: Box<dyn SinkDelivery>,
    pub(super) mask: Mask,
    /// Where the manifest knows the mark to be; `None`: the first one may not stand yet.
    pub(super) known: Option<Cut>,
    pub(super) queue: Arc<Queue>,
    pub(super) status: Arc<SinkStatus>,
    pub(super) store: OutboxStore,
    pub(super) shared: Arc<Shared>,
    pub(super) has_reports: Arc<AtomicBool>,
    /// Whether the pipeline fails when deliveries do.
    pub(super) gives_up: bool,
}

struct Line {
    delivery: Box<dyn SinkDelivery>,
    mask: Mask,
    /// Where the mark stands, as far as is known.
    at: Option<Cut>,
    /// Nothing has failed since the mark was read.
    confirmed: bool,
    /// Rejected rows that the manifest may not know of: they stand in the mark until it does.
    rejected: Vec<RejectedInOutbox>,
    queue: Arc<Queue>,
    status: Arc<SinkStatus>,
    store: OutboxStore,
    shared: Arc<Shared>,
    has_reports: Arc<AtomicBool>,
    gives_up: bool,
    leaving: Arc<tokio::sync::Semaphore>,
}

/// What a turn came to.
enum Turn {
    /// Nothing to do until there is news.
    Wait,
    /// The pipeline is no more.
    End,
}

impl Line {
    async fn run(mut self) {
        let mut pause_ms = DELIVERY_PAUSE_MS;
        loop {
            match self.turn(&mut pause_ms).await {
                Ok(Turn::Wait) => {
                    pause_ms = DELIVERY_PAUSE_MS;
                    self.queue.news.notified().await;
                }
                Ok(Turn::End) => return,
                Err(e) => {
                    if self.failed(&e) {
                        return;
                    }
                    if e.kind() == ErrorKind::Fenced {
                        pause_ms = DELIVERY_PAUSE_MAX_MS;
                    }
                    let pause = tokio::time::sleep(Duration::from_millis(pause_ms));
                    tokio::pin!(pause);
                    // A pipeline that is dropped does not wait for its dead sink.
                    loop {
                        tokio::select! {
                            () = &mut pause => break,
                            () = self.queue.news.notified() => if self.queue.locked().forget { break },
                        }
                    }
                    pause_ms = (pause_ms * 2).min(DELIVERY_PAUSE_MAX_MS);
                }
            }
        }
    }

    /// Notes a failure; whether it is the last one.
    fn failed(&mut self, error: &Error) -> bool {
        self.confirmed = false;
        let refused = error.kind() == ErrorKind::Fenced;
        let text = match error.hint() {
            Some(hint) => self.mask.text(&format!("{error} ({hint})")),
            None => self.mask.text(&error.to_string()),
        };
        let state = if refused { SinkState::Refused } else { SinkState::Retrying };
        let times = self.status.failed(state, text.clone());
        let table = &self.status.table;
        if times == 1 || times.is_power_of_two() {
            tracing::warn!("table '{table}' is not delivered (failure {times} in a row): {text}");
        }
        self.report(Report::Refused(refused));
        let last = self.gives_up && (refused || times > self.delivery.retries());
        if last {
            self.report(Report::Failed(format!("table '{table}' cannot be delivered: {text}")));
        }
        last
    }

    fn report(&self, report: Report) {
        self.queue.locked().reports.push(report);
        self.has_reports.store(true, SeqCst);
        self.shared.wake_for_delivery();
    }

    async fn turn(&mut self, pause_ms: &mut u64) -> Result<Turn> {
        loop {
            let (forget, next) = {
                let queued = self.queue.locked();
                if let Some(recorded) = queued.recorded {
                    self.rejected.retain(|r| r.cut > recorded);
                }
                (queued.forget, queued.outboxes.front().cloned())
            };
            if forget {
                return self.leave().await;
            }
            if !self.confirmed {
                self.settle().await?;
                continue;
            }
            let Some(outbox) = next else { return Ok(Turn::Wait) };
            // The mark has room for so many: the next record makes it.
            if self.rejected.len() >= REJECTED_ROWS {
                return Ok(Turn::Wait);
            }
            self.deliver(&outbox).await?;
            *pause_ms = DELIVERY_PAUSE_MS;
        }
    }

    async fn leave(&mut self) -> Result<Turn> {
        let leaving = self.leaving.clone();
        let _busy = leaving.acquire().await.map_err(|_| Error::bug("the delivery thread has ended"))?;
        if let Err(e) = self.delivery.remove_mark().await {
            tracing::warn!("the mark of table '{}' stays: {}", self.status.table, self.mask.text(&e.to_string()));
        }
        Ok(Turn::End)
    }

    async fn deliver(&mut self, outbox: &OutboxRef) -> Result<()> {
        let after = self.at.ok_or_else(|| Error::bug("a delivery before the mark is known"))?;
        let mut rows = self.store.read(outbox)?;
        let delivery = OutboxDelivery { after, cut: outbox.cut, rejected_before: &self.rejected, rows: &mut rows };
        let delivered = match self.delivery.deliver(delivery).await {
            // The mark is read again: it may be one of ours that came late.
            Err(e) if e.kind() == ErrorKind::Fenced => return Err(Error::external(e.to_string())),
            outcome => outcome?,
        };
        self.done(outbox, delivered.rejected)
    }

    /// The sink has this outbox, all but the rejected rows.
    fn done(&mut self, outbox: &OutboxRef, rejected: Vec<RejectedInOutbox>) -> Result<()> {
        let numbers: Vec<u64> = rejected.iter().map(|r| r.row).collect();
        let rows = if numbers.is_empty() { vec![] } else { self.store.read(outbox)?.rows_at(&numbers)? };
        let mut reported = vec![];
        for (rejected, row) in rejected.iter().zip(rows) {
            let json = rows_as_json(row.rows(), &[0])?.pop().unwrap_or_default();
            reported.push(RejectedRow { ordinal: rejected.row, json, reason: rejected.reason.clone() });
        }
        let count = rejected.len() as u64;
        let now_ms = self.shared.config.clock.now_ms();
        self.status.delivered(outbox.cut, outbox.rows.saturating_sub(count), count, now_ms);
        self.at = Some(outbox.cut);
        self.rejected.extend(rejected);
        self.queue.locked().outboxes.pop_front();
        self.report(Report::Delivered { cut: outbox.cut, rejected: reported });
        Ok(())
    }

    /// Reads the mark and takes from it what is delivered.
    async fn settle(&mut self) -> Result<()> {
        let mark = match self.delivery.mark().await? {
            Some(mark) => mark,
            None if self.at.is_none() => {
                self.delivery.create_mark().await?;
                let created = self.delivery.mark().await?;
                created.ok_or_else(|| Error::external("the first mark was written and is not there"))?
            }
            None => return Err(self.no_mark()),
        };
        let pending: Vec<OutboxRef> = self.queue.locked().outboxes.iter().cloned().collect();
        let expected = self.at.unwrap_or(FIRST_MARK);
        let known = mark.cut == expected || pending.iter().any(|o| o.cut == mark.cut);
        if !known {
            return Err(self.foreign_mark(&mark, expected));
        }
        let mut rejected: BTreeMap<Cut, Vec<RejectedInOutbox>> = BTreeMap::new();
        for row in mark.rejected {
            rejected.entry(row.cut).or_default().push(row);
        }
        self.rejected.clear();
        for outbox in pending.iter().take_while(|_| mark.cut != expected) {
            self.done(outbox, rejected.remove(&outbox.cut).unwrap_or_default())?;
            if outbox.cut == mark.cut {
                break;
            }
        }
        // Of outboxes that were delivered before: the manifest may not know it yet.
        self.rejected.extend(rejected.into_values().flatten());
        self.rejected.sort_by_key(|r| (r.cut, r.row));
        self.at = Some(mark.cut);
        self.confirmed = true;
        self.status.opened(mark.cut);
        self.report(Report::Opened(mark.cut));
        Ok(())
    }

    fn no_mark(&self) -> Error {
        let table = &self.status.table;
        let at = self.at.unwrap_or(FIRST_MARK);
        Error::new(
            ErrorKind::Fenced,
            format!(
                "table '{table}' has no mark of this pipeline any more: what the sink has cannot be told \
                 (delivered up to {}.{})",
                at.incarnation, at.epoch
            ),
        )
        .with_code(Code::Conflict)
        .with_hint(
            "put the mark back from a copy of the sink; or, if the sink is to be filled anew, stop the pipeline and \
             create it again",
        )
    }

    fn foreign_mark(&self, mark: &Mark, expected: Cut) -> Error {
        let table = &self.status.table;
        Error::new(
            ErrorKind::Fenced,
            format!(
                "table '{table}' is delivered up to {}.{}, which this data folder does not know (it knows {}.{}): \
                 an older copy of the folder, or a second server with the same pipeline",
                mark.cut.incarnation, mark.cut.epoch, expected.incarnation, expected.epoch
            ),
        )
        .with_code(Code::Conflict)
        .with_hint(
            "start the newer data folder; or set the sink back to the same moment, mark included; or stop the pipeline \
             and create it again",
        )
    }
}
