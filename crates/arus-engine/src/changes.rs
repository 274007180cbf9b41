//! `/changes`: a snapshot, then the changes of every epoch. And streaming SELECTs.
//!
//! A keyed table knows the changes of its newest epochs; a client that comes back with its last cut continues there, after a
//! restart too if that cut was durable, or gets a reset and a snapshot. A topic's rows are inserts up to where each epoch ends.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::Duration;

use arus_core::catalog::{ObjectPath, TableKind};
use arus_core::error::Code;
use arus_core::plan::PhysicalPlan;
use arus_core::platform::{ChangeEvent, StreamEvent};
use arus_core::read::{BatchIterator, Cut, ReadTable, Snapshot};
use arus_core::settings::Settings;
use arus_core::{ChangeBatch, Error, Result, RowSchema};
use futures::StreamExt;
use futures::stream::{self, BoxStream};

use crate::published::{Published, PublishedTable};
use crate::shared::Shared;
use crate::snapshot::EngineSnapshot;

/// Events between a table and a slow client.
const READ_AHEAD: usize = 16;
/// A streaming SELECT that gives no row for so long says why.
const QUIET_MS: i64 = 5_000;

pub(crate) fn changes(
    shared: &Arc<Shared>,
    path: &ObjectPath,
    from: Option<Cut>,
) -> Result<BoxStream<'static, Result<ChangeEvent>>> {
    let table = shared.tables.require(path)?;
    table.check_whole()?;
    if table.def.kind == TableKind::Connector && table.topic().is_none() {
        return Err(Error::user(format!("table '{path}' belongs to a connector: it has no changes here"))
            .with_code(Code::NotSupported));
    }
    let feed = Feed {
        shared: shared.clone(),
        path: path.clone(),
        at: None,
        from,
        first: true,
        broken: false,
        queue: VecDeque::new(),
        reading: None,
    };
    Ok(stream::unfold(feed, |mut feed| async move { feed.next().await.map(|event| (event, feed)) }).boxed())
}

struct Feed {
    shared: Arc<Shared>,
    path: ObjectPath,
    /// What the client has: the cut, and the ends of the topic there.
    at: Option<(Cut, Vec<i64>)>,
    from: Option<Cut>,
    first: bool,
    /// An error was queued: it is the last event.
    broken: bool,
    queue: VecDeque<Result<ChangeEvent>>,
    /// Rows that are read as fast as the client takes them.
    reading: Option<Reading>,
}

/// A read of a table that goes on when the client has taken a batch.
struct Reading {
    rows: BatchIterator,
    schema: RowSchema,
    cut: Cut,
    durable: bool,
    /// Read, but not handed out: only the last batch completes the cut.
    next: Option<Result<ChangeBatch>>,
}

impl Reading {
    fn start(table: &dyn ReadTable, cut: Cut, durable: bool) -> Result<Reading> {
        let all: Vec<usize> = (0..table.schema().len()).collect();
        let rows = table.scan(&all, None)?;
        let mut reading = Reading { rows, schema: table.schema().clone(), cut, durable, next: None };
        reading.next = reading.read();
        Ok(reading)
    }

    fn read(&mut self) -> Option<Result<ChangeBatch>> {
        let rows = self.rows.find(|batch| !batch.as_ref().is_ok_and(|batch| batch.num_rows() == 0));
        rows.map(|batch| batch.map(ChangeBatch::inserts))
    }

    fn event(&mut self) -> Option<Result<ChangeEvent>> {
        let batch = match self.next.take()? {
            Ok(batch) => batch,
            Err(e) => return Some(Err(e)),
        };
        self.next = self.read();
        let complete = self.next.is_none();
        let (schema, cut, durable) = (self.schema.clone(), self.cut, self.durable);
        Some(Ok(ChangeEvent::Changes { batch, schema, cut, durable, complete }))
    }
}

impl Feed {
    async fn next(&mut self) -> Option<Result<ChangeEvent>> {
        let mut published = self.shared.published.subscribe();
        loop {
            if let Some(event) = self.queue.pop_front() {
                return Some(event);
            }
            if self.broken {
                return None;
            }
            if let Some(mut reading) = self.reading.take() {
                let read = tokio::task::spawn_blocking(move || (reading.event(), reading)).await;
                let (event, reading) = match read {
                    Ok(read) => read,
                    Err(e) => {
                        self.broken = true;
                        return Some(Err(Error::bug(format!("a read has panicked: {e}"))));
                    }
                };
                let Some(event) = event else { continue };
                match &event {
                    Ok(_) => self.reading = Some(reading),
                    Err(_) => self.broken = true,
                }
                return Some(event);
            }
            let newest = published.borrow_and_update().clone();
            if self.at.as_ref().is_none_or(|(cut, _)| newest.cut > *cut) {
                let Some(found) = newest.tables.get(&self.path).cloned() else {
                    // Before the first epoch there is nothing to show; a dropped table ends its stream.
                    if self.at.is_some() || self.shared.tables.get(&self.path).is_none() {
                        return None;
                    }
                    published.changed().await.ok()?;
                    continue;
                };
                if let Err(e) = self.advance(&newest, &found).await {
                    // The client is told once; trying again would fail again.
                    self.broken = true;
                    self.queue.push_back(Err(e));
                }
                continue;
            }
            published.changed().await.ok()?;
        }
    }

    /// Queues what leads from the client's cut to this epoch.
    async fn advance(&mut self, newest: &Arc<Published>, found: &PublishedTable) -> Result<()> {
        let durable = self.shared.durable.borrow().cut;
        if self.first {
            self.first = false;
            let resumed = self.from.filter(|cut| *cut <= newest.cut && found.table.keyed().is_some());
            if let Some(cut) = resumed
                && self.queue_changes(cut, newest.cut, found, durable)?
            {
                self.at = Some((newest.cut, found.ends.clone()));
                return Ok(());
            }
            if let Some(ends) = self.from.and_then(|cut| shown_at(found, cut, newest.cut)) {
                if ends != found.ends {
                    self.queue_rows(newest, found, Some(ends), durable).await?;
                }
                self.at = Some((newest.cut, found.ends.clone()));
                return Ok(());
            }
            if self.from.is_some() {
                self.queue.push_back(Ok(ChangeEvent::Reset { cut: newest.cut }));
            }
            return self.queue_snapshot(newest, found, durable).await;
        }
        let Some((cut, ends)) = self.at.clone() else {
            return self.queue_snapshot(newest, found, durable).await;
        };
        if found.table.keyed().is_some() {
            if !self.queue_changes(cut, newest.cut, found, durable)? {
                self.queue.push_back(Ok(ChangeEvent::Reset { cut: newest.cut }));
                return self.queue_snapshot(newest, found, durable).await;
            }
        } else if ends != found.ends {
            self.queue_rows(newest, found, Some(ends), durable).await?;
        }
        self.at = Some((newest.cut, found.ends.clone()));
        Ok(())
    }

    /// The changes of the epochs after `cut`. The table may be ahead of what was published: those come next time.
    fn queue_changes(&mut self, cut: Cut, upto: Cut, found: &PublishedTable, durable: Cut) -> Result<bool> {
        let Some(table) = found.table.keyed() else { return Ok(false) };
        let Some(epochs) = table.changes_since(cut) else { return Ok(false) };
        for epoch in epochs.iter().filter(|e| !e.is_empty() && e.cut <= upto) {
            let batch = epoch.batch()?;
            if batch.num_rows() == 0 {
                continue;
            }
            let schema = table.schema().clone();
            self.queue.push_back(Ok(ChangeEvent::Changes {
                batch,
                schema,
                cut: epoch.cut,
                durable: epoch.cut <= durable,
                complete: true,
            }));
        }
        Ok(true)
    }

    async fn queue_snapshot(&mut self, newest: &Arc<Published>, found: &PublishedTable, durable: Cut) -> Result<()> {
        self.queue_rows(newest, found, None, durable).await?;
        self.at = Some((newest.cut, found.ends.clone()));
        Ok(())
    }

    /// Starts to read all rows of the table, or those of its topic after `ends`, on threads that may block.
    async fn queue_rows(
        &mut self,
        newest: &Arc<Published>,
        found: &PublishedTable,
        after: Option<Vec<i64>>,
        durable: Cut,
    ) -> Result<()> {
        let snapshot = EngineSnapshot { shared: self.shared.clone(), published: newest.clone(), skip_damage: false };
        let (path, found) = (self.path.clone(), found.clone());
        let read = tokio::task::spawn_blocking(move || {
            let table: Option<Arc<dyn ReadTable>> = match after {
                Some(starts) => snapshot.rows_after(&path, &found, starts),
                None => snapshot.table(&path),
            };
            let cut = snapshot.published.cut;
            table.map(|table| Reading::start(table.as_ref(), cut, cut <= durable)).transpose()
        });
        self.reading = read.await.map_err(|e| Error::bug(format!("a read has panicked: {e}")))??;
        Ok(())
    }
}

/// Where a topic ended for readers at this cut, if it counts and the records after it are still there.
fn shown_at(found: &PublishedTable, cut: Cut, newest: Cut) -> Option<Vec<i64>> {
    let topic = found.table.topic()?;
    let ends = (cut <= newest).then(|| found.table.shown.at(cut, newest.incarnation)).flatten()?;
    let there = topic.partitions().iter().zip(&ends).all(|(partition, end)| partition.start_offset() <= *end);
    (there && ends.len() == topic.partitions().len()).then_some(ends)
}

/// A streaming SELECT: its pipeline runs on a thread of its own until the reader goes.
pub(crate) fn stream_select(
    shared: &Arc<Shared>,
    plan: PhysicalPlan,
    settings: &Settings,
) -> Result<BoxStream<'static, Result<StreamEvent>>> {
    let (sender, receiver) = tokio::sync::mpsc::channel(READ_AHEAD);
    let (started, start) = sync_channel(1);
    let (shared, settings) = (shared.clone(), settings.clone());
    std::thread::Builder::new()
        .name("arus-select".into())
        .spawn(move || run_select(&shared, &plan, &settings, &sender, &started))
        .map_err(|e| Error::io("start", "the thread of a query", e))?;
    start.recv_timeout(Duration::from_secs(10)).map_err(|_| Error::external("the query did not start"))??;
    Ok(stream::unfold(receiver, |mut r| async move { r.recv().await.map(|b| (b, r)) }).boxed())
}

fn run_select(
    shared: &Arc<Shared>,
    plan: &PhysicalPlan,
    settings: &Settings,
    sender: &tokio::sync::mpsc::Sender<Result<StreamEvent>>,
    started: &SyncSender<Result<()>>,
) {
    let outcome = crate::bounded::live(shared, plan, settings, sender.clone());
    let mut pipeline = match outcome {
        Ok(pipeline) => {
            if started.send(Ok(())).is_err() {
                return;
            }
            pipeline
        }
        Err(e) => {
            if started.send(Err(e)).is_err() {
                tracing::debug!("nobody waits for the query");
            }
            return;
        }
    };
    let (clock, stats) = (&shared.config.clock, pipeline.stats());
    let mut quiet_since_ms = clock.now_ms();
    let mut rows_sent = 0;
    let mut told = String::new();
    while !sender.is_closed() {
        match pipeline.step(crate::bounded::TURN) {
            Ok(report) if report.ended => return,
            Ok(report) if report.moved => {
                if let Err(e) = crate::bounded::check_memory(shared, pipeline.memory_bytes()) {
                    if sender.blocking_send(Err(e)).is_err() {
                        tracing::debug!("the reader of a query has gone");
                    }
                    return;
                }
            }
            // Nothing now: look again soon.
            Ok(_) => std::thread::park_timeout(Duration::from_millis(10)),
            Err(e) => {
                if sender.blocking_send(Err(e)).is_err() {
                    tracing::debug!("the reader of a query has gone");
                }
                return;
            }
        }
        let sent = stats.operators().last().map_or(0, |sink| sink.figures().rows_in);
        if sent != rows_sent {
            (rows_sent, quiet_since_ms) = (sent, clock.now_ms());
            told.clear();
        } else if clock.now_ms() - quiet_since_ms >= QUIET_MS {
            quiet_since_ms = clock.now_ms();
            let why = crate::why::of_plan(plan, &stats);
            // Once a reason: whoever waits has read it.
            if why != told && sender.try_send(Ok(StreamEvent::Note(why.clone()))).is_ok() {
                told = why;
            }
        }
    }
}
