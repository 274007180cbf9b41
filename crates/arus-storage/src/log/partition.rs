//! One partition: appends, reads, and the group commit of its files.
//!
//! Appends go to the page cache under the lock; a sync takes the list of dirty files under it and works without it, so
//! appends go on meanwhile and share the next sync. What is known to be synced only grows, but for [`Partition::cut`]. A failed sync ends the life of
//! the partition: appends and waits fail from then on, since a second sync of the same pages would lie.

use std::collections::{HashMap, VecDeque};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use arus_core::clock::SharedClock;
use arus_core::connector::RawBatch;
use arus_core::error::{Code, ErrorKind};
use arus_core::fs::SharedFs;
use arus_core::limits::IDEMPOTENCY_MS;
use arus_core::{Error, Result, planted};
use bytes::Bytes;
use tokio::sync::watch;

use super::SyncQueue;
use super::carried::{self, Carried, carried_path, is_carried};
use super::damage::Damage;
use super::producers::Producers;
use super::record_batch::{self, CheckedBatch, Home};
use super::records::decode_batches;
use super::recovery::{self, KnownEnd};
use super::segment::{
    Facts, HeldKey, SEGMENT_HEADER_BYTES, Segment, encode_footer, footer_path, segment_header, segment_path,
};
use crate::locked;

/// What all methods of a partition need to know of it.
pub(crate) struct Place {
    pub(crate) fs: SharedFs,
    pub(crate) clock: SharedClock,
    /// The topic's name, for messages.
    pub(crate) name: String,
    pub(crate) topic: u64,
    pub(crate) number: u32,
    pub(crate) dir: PathBuf,
    pub(crate) segment_bytes: u64,
}

pub struct Partition {
    pub(crate) place: Place,
    pub(crate) inner: Mutex<Inner>,
    /// One sync at a time.
    syncing: Mutex<()>,
    synced: watch::Sender<SyncState>,
    queue: Arc<SyncQueue>,
    queued: AtomicBool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SyncState {
    /// All records before this offset are durable.
    pub end: i64,
    pub failed: bool,
}

#[derive(Default)]
pub(crate) struct Inner {
    /// By base offset, never empty; the last one takes appends.
    pub(crate) segments: Vec<Segment>,
    pub(crate) keys: HashMap<Box<[u8]>, HeldKey>,
    /// Keys by age.
    pub(crate) key_order: VecDeque<(i64, Box<[u8]>)>,
    pub(crate) producers: Producers,
    pub(crate) damages: Vec<Damage>,
    /// Where recent reads ended: (segment, offset, position).
    pub(crate) cursors: VecDeque<(i64, i64, u64)>,
    unsynced: Vec<i64>,
    names_dirty: bool,
    footers_due: Vec<i64>,
    failed: Option<String>,
    dropped: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Appended {
    pub base_offset: i64,
    pub last_offset: i64,
    /// The idempotency key or the producer's sequence was there already: these are the offsets of the batch that holds it.
    pub duplicate: bool,
}

impl Appended {
    /// What to wait for: [`Partition::wait_synced`].
    pub fn end(&self) -> i64 {
        self.last_offset + 1
    }
}

/// How far a read may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReadUpTo {
    /// What is durable: all that readers may see.
    Synced,
    /// What was appended.
    End,
    /// Up to this offset, and what is durable at most.
    Offset(i64),
}

impl Inner {
    pub(crate) fn last(&self) -> &Segment {
        self.segments.last().expect("a partition has a segment")
    }

    pub(crate) fn hold_key(&mut self, held: HeldKey) {
        self.key_order.push_back((held.time_ms, held.key.clone()));
        self.keys.insert(held.key.clone(), held);
    }

    fn forget_keys(&mut self, now_ms: i64) {
        while let Some((time, _)) = self.key_order.front()
            && *time < now_ms - IDEMPOTENCY_MS
        {
            let Some((time, key)) = self.key_order.pop_front() else { break };
            // A key that was held anew is younger in the map.
            if self.keys.get(&key).is_some_and(|held| held.time_ms <= time) {
                self.keys.remove(&key);
            }
        }
    }
}

impl Place {
    pub(crate) fn home(&self) -> Home {
        Home { topic: self.topic, partition: self.number }
    }

    /// `topic orders, partition 0`.
    pub(crate) fn label(&self) -> String {
        format!("topic {}, partition {}", self.name, self.number)
    }

    pub(crate) fn io(&self, action: &str, error: std::io::Error) -> Error {
        Error::io(action, self.label(), error)
    }

    /// A new file with its header; not synced.
    pub(crate) fn create_segment(&self, base: i64) -> std::io::Result<Segment> {
        let path = segment_path(&self.dir, base);
        let create = || {
            let file = self.fs.open_append(&path)?;
            // What an abandoned attempt may have left.
            file.truncate(0)?;
            file.append(&segment_header(self.topic, self.number, base))?;
            Ok(file)
        };
        let file = create().inspect_err(|_: &std::io::Error| {
            // The segment before goes on, past this base.
            if let Err(error) = self.fs.remove_file(&path) {
                tracing::warn!(path = %path.display(), %error, "a segment that could not be started stays for now");
            }
        })?;
        Ok(Segment { base, path, file, facts: Facts::empty(base), sealed: false })
    }
}

impl Partition {
    pub(crate) fn new(place: Place, inner: Inner, queue: Arc<SyncQueue>) -> Self {
        let synced = watch::Sender::new(SyncState { end: inner.last().facts.end, failed: false });
        Partition {
            place,
            inner: Mutex::new(inner),
            syncing: Mutex::new(()),
            synced,
            queue,
            queued: AtomicBool::new(false),
        }
    }

    pub fn number(&self) -> u32 {
        self.place.number
    }

    pub fn start_offset(&self) -> i64 {
        locked(&self.inner).segments[0].base
    }

    /// The offset of the next record.
    pub fn end_offset(&self) -> i64 {
        locked(&self.inner).last().facts.end
    }

    /// All records before it are durable.
    pub fn synced_end(&self) -> i64 {
        self.synced.borrow().end
    }

    pub fn bytes(&self) -> u64 {
        locked(&self.inner).segments.iter().map(|s| s.facts.len).sum()
    }

    /// Damage found so far, at recovery or by reads.
    pub fn damages(&self) -> Vec<Damage> {
        locked(&self.inner).damages.clone()
    }

    /// Appends whole record batches of a client or pipeline. They are in the page cache now, and durable when
    /// [`Partition::wait_synced`] of [`Appended::end`] returns. A batch that its idempotent producer sends again is found.
    pub fn append(self: &Arc<Self>, batches: &[u8]) -> Result<Appended> {
        let checked = self.check(batches)?;
        let mut inner = locked(&self.inner);
        if let [one] = checked.as_slice()
            && one.header.is_idempotent()
        {
            let now_ms = self.place.clock.now_ms();
            if let Some(held) = inner.producers.admit(&one.header, now_ms, &self.place.label())? {
                let (base_offset, last_offset) = (held.base_offset, held.last_offset);
                return Ok(Appended { base_offset, last_offset, duplicate: true });
            }
        }
        self.append_checked(&mut inner, batches, checked)
    }

    /// Appends one batch that carries `key` in the header [`record_batch::IDEMPOTENCY_HEADER`] of its first record, unless
    /// a batch of the last 24 hours does.
    pub fn append_idempotent(self: &Arc<Self>, key: &[u8], batch: &[u8]) -> Result<Appended> {
        let checked = self.check(batch)?;
        let carried = checked.iter().all(|b| b.idempotency_key.as_deref() == Some(key));
        if checked.len() != 1 || !carried {
            return Err(Error::bug(format!("{}: the batch does not carry its idempotency key", self.place.label())));
        }
        let mut inner = locked(&self.inner);
        inner.forget_keys(self.place.clock.now_ms());
        if let Some(held) = inner.keys.get(key) {
            return Ok(Appended { base_offset: held.base_offset, last_offset: held.last_offset, duplicate: true });
        }
        self.append_checked(&mut inner, batch, checked)
    }

    fn check(&self, batches: &[u8]) -> Result<Vec<CheckedBatch>> {
        let refused = |reason: String| {
            Error::data(format!("{}: record batch refused: {reason}", self.place.label())).with_code(Code::InvalidValue)
        };
        let checked = record_batch::check_batches(batches).map_err(|fault| refused(fault.to_string()))?;
        if checked.is_empty() { Err(refused("there is no batch".into())) } else { Ok(checked) }
    }

    fn append_checked(
        self: &Arc<Self>,
        inner: &mut Inner,
        batches: &[u8],
        checked: Vec<CheckedBatch>,
    ) -> Result<Appended> {
        if let Some(reason) = &inner.failed {
            return Err(self.closed(reason));
        }
        let now_ms = self.place.clock.now_ms();
        inner.forget_keys(now_ms);
        if inner.last().facts.len > SEGMENT_HEADER_BYTES
            && inner.last().facts.len + batches.len() as u64 > self.place.segment_bytes
        {
            self.roll(inner)?;
        }
        let base_offset = inner.last().facts.end;
        let mut placed = batches.to_vec();
        let mut next = base_offset;
        for batch in &checked {
            record_batch::place(&mut placed[batch.start..], next, self.place.home());
            next = next.checked_add(i64::from(batch.header.count)).ok_or_else(|| {
                Error::new(ErrorKind::Exhausted, format!("{}: no offset is left", self.place.label()))
            })?;
        }
        let segment = inner.segments.last_mut().expect("a partition has a segment");
        if let Err(error) = segment.file.append(&placed) {
            // Half of it may be there: the next append has to find the end where it was.
            if let Err(second) = segment.file.truncate(segment.facts.len) {
                let reason = format!("a failed append could not be taken back: {second}");
                return Err(self.fail(inner, reason));
            }
            return Err(self.place.io("append to", error));
        }
        let mut offset = base_offset;
        let mut held = vec![];
        let producers = &mut inner.producers;
        for batch in checked {
            let header = batch.header;
            let next = offset + i64::from(header.count);
            segment.facts.add(offset, next, header.bytes, header.max_timestamp);
            producers.note(&header, offset, now_ms);
            if let Some(key) = batch.idempotency_key {
                held.push(HeldKey { key, base_offset: offset, last_offset: next - 1, time_ms: now_ms });
            }
            offset = next;
        }
        segment.facts.last_append_ms = now_ms;
        let base = segment.base;
        segment.facts.keys.extend(held.iter().cloned());
        held.into_iter().for_each(|key| inner.hold_key(key));
        if !inner.unsynced.contains(&base) {
            inner.unsynced.push(base);
        }
        if !self.queued.swap(true, Ordering::AcqRel) {
            self.queue.push(self.clone());
        }
        if planted("ack-before-fsync") {
            self.synced.send_modify(|state| state.end = next);
        }
        Ok(Appended { base_offset, last_offset: next - 1, duplicate: false })
    }

    /// Seals the last segment and opens the next one.
    pub(crate) fn roll(&self, inner: &mut Inner) -> Result<()> {
        let segment =
            self.place.create_segment(inner.last().facts.end).map_err(|e| self.place.io("start a segment of", e))?;
        let sealed = inner.segments.last_mut().expect("a partition has a segment");
        sealed.sealed = true;
        sealed.facts.producers = inner.producers.since(sealed.base);
        inner.footers_due.push(sealed.base);
        inner.unsynced.push(segment.base);
        inner.names_dirty = true;
        inner.segments.push(segment);
        Ok(())
    }

    /// Makes all that was appended durable. One call serves every append before it.
    pub fn sync(&self) -> Result<()> {
        let _one = locked(&self.syncing);
        self.queued.store(false, Ordering::Release);
        let (files, target, names_dirty) = {
            let mut inner = locked(&self.inner);
            if let Some(reason) = &inner.failed {
                return Err(self.closed(reason));
            }
            let bases = std::mem::take(&mut inner.unsynced);
            let files: Vec<_> =
                inner.segments.iter().filter(|s| bases.contains(&s.base)).map(|s| s.file.clone()).collect();
            (files, inner.last().facts.end, std::mem::take(&mut inner.names_dirty))
        };
        let sync_all = || {
            files.iter().try_for_each(|file| file.sync())?;
            if names_dirty { self.place.fs.sync_dir(&self.place.dir) } else { Ok(()) }
        };
        let retried = |error| if planted("fsync-retried") { sync_all() } else { Err(error) };
        if let Err(error) = sync_all().or_else(retried) {
            return Err(self.fail(&mut locked(&self.inner), format!("fsync failed: {error}")));
        }
        self.synced.send_if_modified(|state| {
            let advanced = target > state.end;
            state.end = state.end.max(target);
            advanced
        });
        self.write_footers();
        Ok(())
    }

    /// Footers of segments that were sealed and are synced by now. They can be made again, so a failure is no loss.
    fn write_footers(&self) {
        let due: Vec<_> = {
            let mut inner = locked(&self.inner);
            let synced = self.synced_end();
            let bases: Vec<_> = std::mem::take(&mut inner.footers_due);
            let mut due = vec![];
            for base in bases {
                match inner.segments.iter_mut().find(|s| s.base == base) {
                    Some(segment) if segment.facts.end <= synced => {
                        let footer = encode_footer(self.place.topic, self.place.number, base, &segment.facts);
                        segment.facts.keys = vec![];
                        segment.facts.producers = vec![];
                        due.push((footer_path(&segment.path), footer));
                    }
                    Some(_) => inner.footers_due.push(base),
                    None => {}
                }
            }
            due
        };
        for (path, footer) in due {
            let write = || {
                let file = self.place.fs.open_append(&path)?;
                file.truncate(0)?;
                file.append(&footer)?;
                file.sync()?;
                self.place.fs.sync_dir(&self.place.dir)
            };
            if let Err(error) = write() {
                tracing::warn!(path = %path.display(), %error, "a footer was not written, the next start reads the segment");
                if let Err(error) = self.place.fs.remove_file(&path) {
                    tracing::warn!(path = %path.display(), %error, "a half-written footer stays, its checksum gives it away");
                }
            }
        }
    }

    fn closed(&self, reason: &str) -> Error {
        Error::external(format!("{} is closed: {reason}", self.place.label()))
            .with_hint("after a failed write restart the server: it recovers from what is on the disk")
    }

    fn fail(&self, inner: &mut Inner, reason: String) -> Error {
        let error = self.closed(&reason);
        inner.failed = Some(reason);
        self.synced.send_modify(|state| state.failed = true);
        self.queue.fail(&error);
        error
    }

    /// Ready when every record before `end` is durable; an error when that will not come.
    pub async fn wait_synced(&self, end: i64) -> Result<()> {
        let mut synced = self.synced.subscribe();
        let state = *synced
            .wait_for(|state| state.failed || state.end >= end)
            .await
            .map_err(|_| Error::bug("the sender lives as long as the partition"))?;
        if state.end >= end { Ok(()) } else { Err(self.failure()) }
    }

    /// The same for a thread that may block. Without the log's own thread it syncs by itself.
    pub fn wait_synced_blocking(&self, end: i64) -> Result<()> {
        if self.synced_end() >= end {
            return Ok(());
        }
        if !self.queue.threaded {
            return self.sync();
        }
        futures::executor::block_on(self.wait_synced(end))
    }

    /// Ends it without a failure: its topic is dropped. Waits for a sync that is under way.
    pub(crate) fn close(&self) {
        let _one = locked(&self.syncing);
        let mut inner = locked(&self.inner);
        inner.failed = Some("its topic was dropped".into());
        inner.dropped = true;
        self.synced.send_modify(|state| state.failed = true);
    }

    pub(crate) fn is_dropped(&self) -> bool {
        locked(&self.inner).dropped
    }

    fn failure(&self) -> Error {
        let inner = locked(&self.inner);
        self.closed(inner.failed.as_deref().unwrap_or("it failed"))
    }

    /// Ready when there is something durable at `offset`.
    pub async fn wait_for(&self, offset: i64) -> Result<()> {
        self.wait_synced(offset + 1).await
    }

    /// Wakes whoever follows the durable end.
    pub fn subscribe(&self) -> watch::Receiver<SyncState> {
        self.synced.subscribe()
    }

    /// Records from `from` on, decoded as far as a source needs; empty when there is nothing.
    pub fn read_raw(&self, from: i64, max_bytes: usize, upto: ReadUpTo) -> Result<RawBatch> {
        let data: Bytes = self.read(from, max_bytes, upto)?;
        decode_batches(data, from, max_bytes, self.place.number as i32).map_err(|fault| {
            // Its sum is right and it was checked when it came, so this is not the disk's fault.
            Error::data(format!("{}: the batch at offset {from} cannot be decoded: {fault}", self.place.label()))
                .with_code(Code::Corrupt)
        })
    }

    /// Takes back what a pipeline wrote after a checkpoint: the records from `marker` on are gone, as after a restart. Nobody
    /// but the pipelines that fall back with it has seen them, so their offsets are given again.
    pub(crate) fn cut(&self, marker: i64) -> Result<()> {
        let _one = locked(&self.syncing);
        let mut inner = locked(&self.inner);
        if let Some(reason) = &inner.failed {
            return Err(self.closed(reason));
        }
        if inner.last().facts.end <= marker {
            return Ok(());
        }
        match recovery::recover(&self.place, KnownEnd::Pipeline(marker)) {
            Ok(recovered) => *inner = recovered,
            // Some of it may be cut: what the files hold is for the next start to find out.
            Err(error) => return Err(self.fail(&mut inner, format!("it could not be cut: {error}"))),
        }
        let end = inner.last().facts.end;
        self.synced.send_modify(|state| state.end = end);
        Ok(())
    }

    /// Removes whole old segments: those older than `retention_ms` and those above `retention_bytes`, oldest first, and
    /// none that holds an offset at or above `floor`. Returns the new start.
    pub fn retain(
        self: &Arc<Self>,
        retention_ms: Option<i64>,
        retention_bytes: Option<u64>,
        floor: i64,
    ) -> Result<i64> {
        let oldest_ms = retention_ms.map(|ms| self.place.clock.now_ms().saturating_sub(ms));
        let floor = floor.min(self.synced_end());
        let mut inner = locked(&self.inner);
        let last = inner.last();
        // An old last segment has to end before it can go.
        if oldest_ms.is_some_and(|t| last.facts.last_append_ms < t)
            && last.facts.end > last.base
            && last.facts.end <= floor
            && inner.failed.is_none()
        {
            self.roll(&mut inner)?;
            if !self.queued.swap(true, Ordering::AcqRel) {
                self.queue.push(self.clone());
            }
        }
        let mut total: u64 = inner.segments.iter().map(|s| s.facts.len).sum();
        let mut gone = 0;
        for segment in &inner.segments[..inner.segments.len() - 1] {
            let old = oldest_ms.is_some_and(|t| segment.facts.last_append_ms < t);
            let too_much = retention_bytes.is_some_and(|limit| total > limit);
            if segment.facts.end > floor || !(old || too_much) {
                break;
            }
            total -= segment.facts.len;
            gone += 1;
        }
        if gone == 0 {
            return Ok(inner.segments[0].base);
        }
        self.carry(&inner, inner.segments[gone].base)?;
        // Forgotten first: whoever reads one of them now has its file open.
        let removed: Vec<_> = inner.segments.drain(..gone).collect();
        let start = inner.segments[0].base;
        inner.damages.retain(|d| d.first_offset >= start);
        drop(inner);
        for segment in removed {
            self.place.fs.remove_file(&segment.path).map_err(|e| self.place.io("remove an old segment of", e))?;
            let footer = footer_path(&segment.path);
            if self.place.fs.exists(&footer).map_err(|e| self.place.io("look at", e))? {
                self.place.fs.remove_file(&footer).map_err(|e| self.place.io("remove an old footer of", e))?;
            }
        }
        self.place.fs.sync_dir(&self.place.dir).map_err(|e| self.place.io("sync the folder of", e))?;
        Ok(start)
    }

    /// Keeps what the segments below `start` say of keys and producers; they are about to be removed.
    fn carry(&self, inner: &Inner, start: i64) -> Result<()> {
        let oldest_ms = self.place.clock.now_ms() - IDEMPOTENCY_MS;
        let counts = |held: &&HeldKey| held.base_offset < start && held.time_ms >= oldest_ms;
        let mut keys: Vec<HeldKey> = inner.keys.values().filter(counts).cloned().collect();
        keys.sort_unstable_by_key(|held| held.base_offset);
        let carried = Carried { keys, producers: inner.producers.before(start) };
        let (fs, dir) = (&self.place.fs, &self.place.dir);
        if carried != Carried::default() {
            let bytes = carried.encode(self.place.topic, self.place.number);
            carried::write(fs.as_ref(), dir, start, &bytes)
                .map_err(|e| self.place.io("keep the idempotency keys of an old segment of", e))?;
        }
        let entries = fs.list(dir).map_err(|e| self.place.io("list the folder of", e))?;
        for old in entries.iter().filter(|e| is_carried(&e.path) && e.path != carried_path(dir, start)) {
            fs.remove_file(&old.path).map_err(|e| self.place.io("remove an old file of", e))?;
        }
        Ok(())
    }
}
