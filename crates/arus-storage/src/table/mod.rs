//! Keyed tables: the state behind a `materialize` operator, readable epoch by epoch.
//!
//! Changes go into the open version; [`KeyedTable::publish`] makes it the newest readable one, so a reader sees whole
//! epochs. Versions share what did not change. Rows stand under their canonical key bytes, and what was touched since the
//! last freeze goes into the next checkpoint's delta.
//!
//! While a barrier holds everybody up, a version is only sealed ([`KeyedTable::seal`], [`KeyedTable::cut`]), in a time that does not depend on
//! what changed; what is found out about its changes and written down, is when writers have gone on.

mod bytes;
mod changes;
mod follower;
#[cfg(test)]
mod follower_tests;
mod key_hash;
mod layout;
mod snapshot;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use arus_core::change::{ChangeBatch, RowKind};
use arus_core::limits::SIDE_TABLE_ROWS;
use arus_core::plan::Uid;
use arus_core::read::Cut;
use arus_core::{Error, Result, RowSchema};
use imbl::OrdMap;
use tokio::sync::watch;

pub use changes::EpochChanges;
pub use follower::{Reading, TableReader};
pub use snapshot::{SnapshotTable, TableSnapshot};

use crate::locked;
use crate::state::StateDelta;
pub(crate) use bytes::Bytes;
use changes::{EpochRows, History, Touched};
use follower::Follower;
use layout::Layout;

/// So many touched keys may wait for a checkpoint in any case.
const DIRTY_KEYS: usize = 65_536;

/// Of a row in memory, beside the bytes of its key and value.
const ENTRY_BYTES: usize = 96;

pub(crate) type Rows = OrdMap<Bytes, Bytes>;

/// How changes become rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TableMode {
    /// +I and +U put the row of their key, -D removes it, -U is followed by its +U and does nothing.
    Keyed,
    /// The key is the whole row and its value a hidden count, which +I and +U raise, -U and -D lower.
    Counted,
    /// Like [`TableMode::Keyed`], with so many rows at most: those that came first go first.
    Capped(usize),
}

/// Names the state behind a table in state files; `part` is `rows`, `late` or `quarantine`.
pub fn state_uid(table: u64, part: &str) -> Uid {
    Uid(xxhash_rust::xxh3::xxh3_64(format!("table {table} {part}").as_bytes()))
}

impl TableMode {
    /// Late and quarantined rows.
    pub const SIDE: TableMode = TableMode::Capped(SIDE_TABLE_ROWS);
}

pub struct KeyedTable {
    layout: Arc<Layout>,
    writer: Mutex<Writer>,
    published: Mutex<Published>,
    newest: watch::Sender<Cut>,
    /// Pipelines that read the table. Locked after `published`.
    followers: Mutex<Vec<Arc<Follower>>>,
    /// Those that do no more, until the next checkpoint says so.
    gone: Mutex<Vec<Arc<Follower>>>,
}

/// The open version.
#[derive(Default)]
struct Writer {
    rows: Rows,
    /// Of a counted table: the sum of the counts above 0.
    copies: i64,
    touched: Touched,
    /// Since the last freeze, but for the open version.
    dirty: Dirty,
    /// The touched ones are in the last freeze too.
    touched_are_frozen: bool,
    /// Memory of the rows.
    bytes: usize,
    /// By age, of a capped table.
    order: BTreeMap<u64, Bytes>,
    /// Rows that came to a capped table since it was made or restored, those that went again included.
    came: u64,
    /// Rows that were taken back and come again: they were counted.
    owed: u64,
    /// Rows that had to go for newer ones.
    dropped: u64,
}

/// Keys that epochs have touched since the last freeze.
#[derive(Default)]
struct Dirty {
    epochs: Vec<Arc<Touched>>,
    /// Of `epochs`, some keys twice.
    len: usize,
    /// Of epochs before them, in order.
    keys: Vec<Bytes>,
}

struct Published {
    snapshot: TableSnapshot,
    history: History,
}

impl KeyedTable {
    /// `key`: indexes of the key's columns; with [`TableMode::Counted`] all columns are the key.
    pub fn new(schema: RowSchema, key: &[usize], mode: TableMode) -> Self {
        let layout = Arc::new(Layout::new(schema, key, mode));
        let cut = Cut { incarnation: 0, epoch: 0 };
        let snapshot = TableSnapshot::new(layout.clone(), cut, 0, Rows::new(), 0);
        KeyedTable {
            layout,
            writer: Mutex::default(),
            published: Mutex::new(Published { snapshot, history: History::new(cut) }),
            newest: watch::Sender::new(cut),
            followers: Mutex::default(),
            gone: Mutex::default(),
        }
    }

    pub fn schema(&self) -> &RowSchema {
        &self.layout.schema
    }

    /// Indexes of the key's columns; empty when the whole row is the key.
    pub fn key(&self) -> &[usize] {
        self.layout.visible_key()
    }

    /// Applies changes to the open version.
    pub fn apply(&self, batch: &ChangeBatch) -> Result<()> {
        let changes = self.layout.changes(batch)?;
        let mut guard = locked(&self.writer);
        let writer = &mut *guard;
        writer.touched_are_frozen = false;
        for (key, kind, value) in changes {
            match self.layout.mode {
                TableMode::Counted => {
                    let before = writer.rows.get(&key).map_or(0, |count| layout::count(count));
                    let after = before + if kind.adds() { 1 } else { -1 };
                    writer.copies += after.max(0) - before.max(0);
                    writer.set(key, (after != 0).then(|| layout::count_bytes(after)));
                }
                // A row that leaves a filtered query comes as -U alone, and one whose key changes as -U of the old key.
                TableMode::Keyed => writer.set(key, value),
                TableMode::Capped(limit) => match (kind, value) {
                    (RowKind::UpdateBefore, _) => {}
                    (_, None) => writer.remove_aged(key),
                    (_, Some(row)) => writer.put_aged(key, &row, limit),
                },
            }
        }
        Ok(())
    }

    /// Makes the open version the one that readers get.
    pub fn publish(&self, cut: Cut, as_of_ms: i64) {
        self.reveal(self.seal(cut, as_of_ms));
    }

    /// Ends the open version, at the barrier of its epoch. Writers may go on at once; readers get it with [`KeyedTable::reveal`].
    pub fn seal(&self, cut: Cut, as_of_ms: i64) -> SealedVersion {
        let mut guard = locked(&self.writer);
        let writer = &mut *guard;
        let next = Touched::like(&writer.touched);
        let touched = Arc::new(std::mem::replace(&mut writer.touched, next));
        if !writer.touched_are_frozen && !touched.is_empty() {
            writer.dirty.push(touched.clone());
        }
        writer.touched_are_frozen = false;
        let (rows, len) = (writer.rows.clone(), writer.len(self.layout.mode));
        SealedVersion { snapshot: TableSnapshot::new(self.layout.clone(), cut, as_of_ms, rows, len), touched }
    }

    /// Makes a sealed version the one that readers get; versions in the order in which they were sealed.
    pub fn reveal(&self, version: SealedVersion) {
        let SealedVersion { snapshot, touched } = version;
        let (cut, as_of_ms) = (snapshot.cut(), snapshot.as_of_ms());
        let changed = EpochRows::new(touched);
        self.bound_dirty();
        let mut published = locked(&self.published);
        if published.history.is_full(&changed) {
            locked(&self.followers).iter().for_each(|follower| follower.absorb(&published.history));
        }
        let since = if changed.len() == 0 { published.snapshot.changed() } else { cut };
        published.history.push(cut, as_of_ms, changed);
        published.snapshot = snapshot.unchanged_since(since);
        drop(published);
        self.newest.send_replace(cut);
    }

    /// Where no checkpoint comes for long, what epochs have touched takes no more memory than the rows.
    fn bound_dirty(&self) {
        let mut writer = locked(&self.writer);
        if writer.dirty.len <= DIRTY_KEYS.max(writer.rows.len() * 2) {
            return;
        }
        let dirty = std::mem::take(&mut writer.dirty);
        drop(writer);
        let keys = dirty.into_keys();
        locked(&self.writer).dirty.keys = keys;
    }

    /// Whether the open version differs from the newest one.
    pub fn is_touched(&self) -> bool {
        !locked(&self.writer).touched.is_empty()
    }

    /// The newest published version, pinned for as long as the value lives.
    pub fn snapshot(&self) -> TableSnapshot {
        locked(&self.published).snapshot.clone()
    }

    /// The open version as it is now, for whoever changes it: it may be half of an epoch.
    pub fn open_version(&self) -> TableSnapshot {
        let cut = locked(&self.published).snapshot.cut();
        let writer = locked(&self.writer);
        TableSnapshot::new(self.layout.clone(), cut, 0, writer.rows.clone(), writer.len(self.layout.mode))
    }

    /// The changes of each epoch after `cut`, oldest first; `None` when they are not all known any more, or `cut` never was a
    /// version of this table that counts: then a snapshot is due.
    pub fn changes_since(&self, cut: Cut) -> Option<Vec<EpochChanges>> {
        locked(&self.published).history.since(cut, &self.layout)
    }

    /// Memory of the newest version, of the changes that are kept, and of what readers have still to read. A version that
    /// somebody pins costs what has changed since.
    pub fn memory_bytes(&self) -> usize {
        let history = locked(&self.published).history.bytes();
        let readers: usize = locked(&self.followers).iter().map(|follower| follower.memory_bytes()).sum();
        let writer = locked(&self.writer);
        // Both have the newest epochs.
        writer.bytes + history.max(writer.dirty.memory_bytes()) + readers
    }

    /// Of a capped table: how many rows have come since it was made or restored. Only grows.
    pub fn rows_ever(&self) -> u64 {
        locked(&self.writer).came
    }

    /// Of a capped table: how many rows had to go for newer ones since it was made or restored.
    pub fn rows_dropped(&self) -> u64 {
        locked(&self.writer).dropped
    }

    /// Of a capped table: takes rows away that will come again, and are not counted then.
    pub fn take_back(&self, rows: &ChangeBatch) -> Result<()> {
        locked(&self.writer).owed += rows.num_rows() as u64;
        self.apply(rows)
    }

    /// The cut of the last change.
    pub fn last_change(&self) -> Cut {
        locked(&self.published).history.last_change()
    }

    /// After a restore: the rows had been the same since this cut, so whoever saw that one has seen them.
    pub fn set_unchanged_since(&self, cut: Cut) {
        locked(&self.published).history.set_unchanged_since(cut);
    }

    /// Changes when a version is published.
    pub fn subscribe(&self) -> watch::Receiver<Cut> {
        self.newest.subscribe()
    }

    /// Adds what changed since the last freeze to a checkpoint's delta: the open version, at its barrier.
    pub fn freeze(&self, uid: Uid, delta: &mut StateDelta) {
        self.cut(uid).put(delta);
        self.freeze_followers(delta);
    }

    /// The first half of [`KeyedTable::freeze`]; writers may go on before the second one, [`CutRows::put`] and [`KeyedTable::freeze_followers`].
    pub fn cut(&self, uid: Uid) -> CutRows {
        let mut guard = locked(&self.writer);
        let writer = &mut *guard;
        writer.touched_are_frozen = true;
        CutRows {
            uid,
            rows: writer.rows.clone(),
            dirty: std::mem::take(&mut writer.dirty),
            open: writer.touched.keys().cloned().collect(),
        }
    }

    /// Goes back to the rows of a checkpoint, as changes of the open version: readers see them with the next epoch.
    pub fn roll_back<'a>(&self, entries: impl Iterator<Item = (&'a [u8], &'a [u8])>) {
        let target: BTreeMap<&[u8], &[u8]> = entries.collect();
        let mut guard = locked(&self.writer);
        let writer = &mut *guard;
        let gone: Vec<Bytes> = writer.rows.keys().filter(|key| !target.contains_key(key.as_ref())).cloned().collect();
        writer.touched_are_frozen = false;
        for key in gone {
            writer.set(key, None);
        }
        for (key, value) in &target {
            if writer.rows.get(*key).is_none_or(|now| now.as_ref() != *value) {
                writer.set((*key).into(), Some((*value).into()));
            }
        }
        writer.copies = match self.layout.mode {
            TableMode::Counted => target.values().map(|value| layout::count(value).max(0)).sum(),
            TableMode::Keyed | TableMode::Capped(_) => 0,
        };
    }

    /// The same to the rows of an earlier version.
    pub fn go_back(&self, version: &TableSnapshot) {
        self.roll_back(version.rows.iter().map(|(key, value)| (key.as_ref(), value.as_ref())));
    }

    /// Puts back one entry of a checkpoint.
    pub fn restore_entry(&self, key: &[u8], value: &[u8]) -> Result<()> {
        let mut writer = locked(&self.writer);
        match self.layout.mode {
            TableMode::Keyed => {}
            TableMode::Counted => writer.copies += layout::count(value).max(0),
            TableMode::Capped(_) => {
                let (age, _) = layout::aged(value)
                    .ok_or_else(|| Error::bug("a row of a capped table at rest begins with its age"))?;
                writer.order.insert(age, key.into());
            }
        }
        writer.bytes += key.len() + value.len() + ENTRY_BYTES;
        writer.rows.insert(key.into(), value.into());
        Ok(())
    }

    /// Ends the restore: the rows are the version of this checkpoint, and changes are known from here on.
    pub fn finish_restore(&self, cut: Cut, as_of_ms: i64) {
        let writer = locked(&self.writer);
        let rows = writer.rows.clone();
        let mut published = locked(&self.published);
        published.history = History::new(cut);
        published.snapshot = TableSnapshot::new(self.layout.clone(), cut, as_of_ms, rows, writer.len(self.layout.mode));
        drop(published);
        self.newest.send_replace(cut);
    }
}

/// A version that is whole and that nobody reads yet.
pub struct SealedVersion {
    snapshot: TableSnapshot,
    touched: Arc<Touched>,
}

/// The rows of a table at a checkpoint's barrier, and which of them changed since the checkpoint before.
pub struct CutRows {
    uid: Uid,
    rows: Rows,
    dirty: Dirty,
    open: Vec<Bytes>,
}

impl Dirty {
    fn push(&mut self, touched: Arc<Touched>) {
        self.len += touched.len();
        self.epochs.push(touched);
    }

    /// Each key once.
    fn into_keys(self) -> Vec<Bytes> {
        let mut keys = self.keys;
        keys.extend(self.epochs.iter().flat_map(|touched| touched.keys().cloned()));
        keys.sort_unstable();
        keys.dedup();
        keys
    }

    fn memory_bytes(&self) -> usize {
        self.epochs.iter().map(|touched| touched.memory_bytes()).sum::<usize>() + self.keys.len() * size_of::<Bytes>()
    }
}

impl CutRows {
    /// Adds what changed to a checkpoint's delta.
    pub fn put(self, delta: &mut StateDelta) {
        let CutRows { uid, rows, mut dirty, open } = self;
        dirty.keys.extend(open);
        for key in &dirty.into_keys() {
            delta.put(uid, key, rows.get(key).map(AsRef::as_ref));
        }
    }
}

impl Writer {
    /// Rows that a scan gives.
    fn len(&self, mode: TableMode) -> u64 {
        if mode == TableMode::Counted { self.copies.max(0) as u64 } else { self.rows.len() as u64 }
    }

    /// One way down the tree where the key is known.
    fn set(&mut self, key: Bytes, value: Option<Bytes>) {
        let entry = |value: &Option<Bytes>| value.as_ref().map_or(0, |value| key.len() + value.len() + ENTRY_BYTES);
        self.bytes += entry(&value);
        let after = value.clone();
        let before = match value {
            Some(value) => match self.rows.get_mut(&key) {
                Some(slot) => Some(std::mem::replace(slot, value)),
                None => self.rows.insert(key.clone(), value),
            },
            None => self.rows.remove(&key),
        };
        self.bytes = self.bytes.saturating_sub(entry(&before));
        // Nothing happens where an unknown key is deleted.
        if after.is_some() || before.is_some() {
            self.touched.note(key, before, after);
        }
    }

    /// One way down the tree where the key is new, as it mostly is.
    fn put_aged(&mut self, key: Bytes, row: &[u8], limit: usize) {
        let next = self.order.last_key_value().map_or(0, |(age, _)| age + 1);
        let mut value = layout::aged_bytes(next, row);
        let before = self.rows.insert(key.clone(), value.clone());
        match before.as_ref().and_then(|value| layout::aged(value)).map(|(age, _)| age) {
            // A known row keeps its age.
            Some(age) => {
                value = layout::aged_bytes(age, row);
                self.rows.insert(key.clone(), value.clone());
                self.order.insert(age, key.clone());
            }
            None => {
                // What was taken back and comes again was counted.
                match self.owed {
                    0 => self.came += 1,
                    _ => self.owed -= 1,
                }
                self.order.insert(next, key.clone());
            }
        }
        let old = before.as_ref().map_or(0, |value| key.len() + value.len() + ENTRY_BYTES);
        self.bytes = (self.bytes + key.len() + row.len() + ENTRY_BYTES).saturating_sub(old);
        self.touched.note(key, before, Some(value));
        while self.order.len() > limit {
            let Some((_, oldest)) = self.order.pop_first() else { break };
            self.set(oldest, None);
            self.dropped += 1;
        }
    }

    fn remove_aged(&mut self, key: Bytes) {
        if let Some((age, _)) = self.rows.get(&key).and_then(|value| layout::aged(value)) {
            self.order.remove(&age);
        }
        self.set(key, None);
    }
}
