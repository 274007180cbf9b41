//! Readers that go by the versions of a table: pipelines that read it.
//!
//! A reader has the rows of one version, up to a key while it is still in its first snapshot. What changed since then is
//! found in the history of recent epochs; where that goes on without the reader, the keys that changed are kept for it with
//! the rows that it has of them. So a reader stands still for as long as it likes, over restarts too, and costs what has
//! changed meanwhile. No version is held for it, nobody waits for it, and it never misses a change or gets one twice.
//!
//! What a reader has is part of the checkpoint that holds the table's rows. A reader that fails falls back to it.

use std::sync::{Arc, Mutex};

use arus_core::plan::Uid;
use arus_core::read::Cut;
use arus_core::{ChangeBatch, Error, Result, planted};
use imbl::OrdMap;
use imbl::ordmap::DiffItem;

use super::changes::{History, RowChange};
use super::{Bytes, ENTRY_BYTES, KeyedTable, Published};
use crate::locked;
use crate::state::StateDelta;

/// Keys that changed since a version, each with the row that stood there.
type Behind = OrdMap<Bytes, Option<Bytes>>;

/// How much of the table a reader has.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Reach {
    Nothing,
    /// The rows up to this key.
    Key(Bytes),
    All,
}

/// What a reader has of the table.
#[derive(Clone)]
pub(super) struct View {
    /// Later changes are in the history.
    at: Cut,
    /// So many changes of the epoch after `at` are done.
    done: usize,
    reach: Reach,
    pub(super) behind: Behind,
}

impl Reach {
    fn has(&self, key: &Bytes) -> bool {
        match self {
            Reach::Nothing => false,
            Reach::Key(last) => key <= last,
            Reach::All => true,
        }
    }
}

impl View {
    /// Puts what the history has beyond this view among the keys that it is behind with.
    fn absorb(&mut self, history: &History) {
        for (cut, changes) in history.after(self.at) {
            for change in changes.sorted()[self.done..].iter().filter(|change| self.reach.has(&change.key)) {
                if !self.behind.contains_key(&change.key) {
                    self.behind.insert(change.key.clone(), change.before.clone());
                }
            }
            (self.at, self.done) = (cut, 0);
        }
        self.at = self.at.max(history.last());
    }

    /// The next changes, at most of `limit` keys; none: the view is that of the newest version.
    fn take(&mut self, published: &Published, limit: usize) -> Vec<RowChange> {
        if self.reach == Reach::All && self.behind.is_empty() {
            return self.take_newest(&published.history, limit);
        }
        self.absorb(&published.history);
        let rows = &published.snapshot.rows;
        let mut taken = vec![];
        while taken.len() < limit {
            let Some((key, before)) = self.behind.get_min().cloned() else { break };
            self.behind.remove(&key);
            let after = rows.get(&key).cloned();
            if before != after {
                taken.push(RowChange { key, before, after });
            }
        }
        if taken.is_empty() && self.reach != Reach::All {
            let from = match &self.reach {
                Reach::Key(last) => std::ops::Bound::Excluded(last.as_ref()),
                Reach::Nothing | Reach::All => std::ops::Bound::Unbounded,
            };
            let next = rows.range::<_, [u8]>((from, std::ops::Bound::Unbounded)).take(limit);
            let row = |(key, value): (&Bytes, &Bytes)| RowChange {
                key: key.clone(),
                before: None,
                after: Some(value.clone()),
            };
            taken = next.map(row).collect();
            match taken.last() {
                Some(last) if taken.len() == limit => self.reach = Reach::Key(last.key.clone()),
                _ => self.reach = Reach::All,
            }
        }
        taken
    }

    /// The changes of the next epochs as they stand in the history.
    fn take_newest(&mut self, history: &History, limit: usize) -> Vec<RowChange> {
        let mut taken: Vec<RowChange> = vec![];
        for (cut, changes) in history.after(self.at) {
            let left = &changes.sorted()[self.done..];
            let count = left.len().min(limit - taken.len());
            taken.extend_from_slice(&left[..count]);
            if count < left.len() {
                self.done += count;
                return taken;
            }
            (self.at, self.done) = (cut, 0);
        }
        self.at = self.at.max(history.last());
        taken
    }

    /// About: keys and rows of the usual size.
    fn bytes(&self) -> usize {
        let (_, first) =
            self.behind.get_min().map_or((0, 0), |(key, row)| (key.len(), row.as_ref().map_or(0, |r| r.len())));
        self.behind.len() * (first + ENTRY_BYTES)
    }
}

/// What a table knows of one reader.
pub(super) struct Follower {
    /// `None`: it is forgotten with its reader.
    uid: Option<Uid>,
    pub(super) state: Mutex<State>,
}

pub(super) struct State {
    pub(super) live: View,
    /// Whether somebody reads.
    open: bool,
    /// As of the reader's last barrier. It outlives the reader: a pipeline that ends right behind the barrier is in the
    /// checkpoint all the same.
    at_barrier: Option<View>,
    /// What the checkpoint that is being cut holds of it.
    cut: Option<View>,
    /// As of the last checkpoint: what the reader falls back to.
    frozen: View,
    /// What the state files hold of `frozen`; `None`: nothing yet.
    stored: Option<(Reach, Behind)>,
    /// Counts the readers that there were; the newest one is that which counts.
    readers: u64,
}

impl Follower {
    fn new(uid: Option<Uid>, view: View, stored: Option<(Reach, Behind)>) -> Arc<Self> {
        let state =
            State { live: view.clone(), open: false, at_barrier: None, cut: None, frozen: view, stored, readers: 0 };
        Arc::new(Follower { uid, state: Mutex::new(state) })
    }

    /// The oldest epochs of the history are about to go.
    pub(super) fn absorb(&self, history: &History) {
        let mut state = locked(&self.state);
        let state = &mut *state;
        state.live.absorb(history);
        state.frozen.absorb(history);
        for view in [&mut state.at_barrier, &mut state.cut].into_iter().flatten() {
            view.absorb(history);
        }
    }

    /// What changed of the reader's view since the last checkpoint, up to the version that this checkpoint holds.
    pub(super) fn freeze(&self, history: &History, delta: &mut StateDelta) {
        let Some(uid) = self.uid else { return };
        let mut state = locked(&self.state);
        // A pipeline that is not in the checkpoint stays where it was in the one before.
        let mut view = state.cut.take().unwrap_or_else(|| state.frozen.clone());
        view.absorb(history);
        let before = state.stored.take();
        if before.as_ref().is_none_or(|(reach, _)| *reach != view.reach) {
            delta.put(uid, META_KEY, Some(&reach_bytes(&view.reach)));
        }
        let none = Behind::new();
        for change in before.as_ref().map_or(&none, |(_, behind)| behind).diff(&view.behind) {
            match change {
                DiffItem::Add(key, row) | DiffItem::Update { new: (key, row), .. } => {
                    delta.put(uid, &behind_key(key), Some(&row_bytes(row.as_ref())));
                }
                DiffItem::Remove(key, _) => delta.put(uid, &behind_key(key), None),
            }
        }
        state.stored = Some((view.reach.clone(), view.behind.clone()));
        if !state.open {
            state.live = view.clone();
        }
        state.frozen = view;
    }

    /// Takes what the state files hold out of them.
    pub(super) fn forget(&self, delta: &mut StateDelta) {
        if let (Some(uid), Some((_, behind))) = (self.uid, locked(&self.state).stored.take()) {
            delta.put(uid, META_KEY, None);
            behind.keys().for_each(|key| delta.put(uid, &behind_key(key), None));
        }
    }

    pub(super) fn memory_bytes(&self) -> usize {
        let state = locked(&self.state);
        // The other views share what is the same.
        state.live.bytes().max(state.frozen.bytes())
    }
}

const META_KEY: &[u8] = b"m";

fn behind_key(key: &[u8]) -> Vec<u8> {
    [b"k", key].concat()
}

fn row_bytes(row: Option<&Bytes>) -> Vec<u8> {
    match row {
        None => vec![0],
        Some(row) => [&[1], row.as_ref()].concat(),
    }
}

fn reach_bytes(reach: &Reach) -> Vec<u8> {
    match reach {
        Reach::Nothing => vec![0],
        Reach::Key(key) => [&[1], key.as_ref()].concat(),
        Reach::All => vec![2],
    }
}

/// A view of the version `at` from the entries of its checkpoint; `None`: there are none.
fn restored<'a>(at: Cut, entries: impl Iterator<Item = (&'a [u8], &'a [u8])>) -> Result<Option<View>> {
    let wrong = || Error::bug("what a pipeline has of a keyed table cannot be read");
    let mut reach = None;
    let mut behind = Behind::new();
    for (key, value) in entries {
        match (key, value) {
            (META_KEY, [0]) => reach = Some(Reach::Nothing),
            (META_KEY, [1, last @ ..]) => reach = Some(Reach::Key(last.into())),
            (META_KEY, [2]) => reach = Some(Reach::All),
            ([b'k', key @ ..], [0]) => {
                behind.insert(key.into(), None);
            }
            ([b'k', key @ ..], [1, row @ ..]) => {
                behind.insert(key.into(), Some(row.into()));
            }
            _ => return Err(wrong()),
        }
    }
    Ok(reach.map(|reach| View { at, done: 0, reach, behind }))
}

/// Who a reader is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reading {
    /// A pipeline's scan: what it has is kept under this uid, also while nobody reads.
    Kept(Uid),
    /// It is forgotten with its reader.
    Passing,
}

impl KeyedTable {
    /// Takes a reader back from the entries of the checkpoint that the table was restored from.
    pub fn restore_reader<'a>(&self, uid: Uid, entries: impl Iterator<Item = (&'a [u8], &'a [u8])>) -> Result<()> {
        let at = locked(&self.published).snapshot.cut();
        if let Some(view) = restored(at, entries)? {
            let stored = Some((view.reach.clone(), view.behind.clone()));
            self.put_follower(Follower::new(Some(uid), view, stored));
        }
        Ok(())
    }

    /// A reader, at the beginning of the newest version or where it was. It gives these columns.
    pub fn read(self: &Arc<Self>, reading: Reading, columns: &[usize]) -> TableReader {
        let uid = if let Reading::Kept(uid) = reading { Some(uid) } else { None };
        let known = locked(&self.followers).iter().find(|f| uid.is_some() && f.uid == uid).cloned();
        let follower = known.unwrap_or_else(|| {
            let at = locked(&self.published).snapshot.cut();
            let view = View { at, done: 0, reach: Reach::Nothing, behind: Behind::new() };
            let follower = Follower::new(uid, view, None);
            self.put_follower(follower.clone());
            follower
        });
        let number = {
            let mut state = locked(&follower.state);
            state.readers += 1;
            (state.open, state.at_barrier) = (true, None);
            state.readers
        };
        TableReader { table: self.clone(), follower, columns: columns.to_vec(), passing: uid.is_none(), number }
    }

    fn put_follower(&self, follower: Arc<Follower>) {
        // Held while nothing is published, so that no change is missed.
        let _published = locked(&self.published);
        locked(&self.followers).push(follower);
    }

    /// The pipeline of this reader is in the checkpoint that is being cut, with what it had read at its last barrier.
    pub fn cut_reader(&self, uid: Uid) {
        let known = locked(&self.followers).iter().find(|f| f.uid == Some(uid)).cloned();
        if let Some(follower) = known {
            let mut state = locked(&follower.state);
            state.cut = state.at_barrier.take();
        }
    }

    /// Nobody will read under this uid again.
    pub fn forget_reader(&self, uid: Uid) {
        let mut followers = locked(&self.followers);
        let gone: Vec<_> = followers.extract_if(.., |f| f.uid == Some(uid)).collect();
        locked(&self.gone).extend(gone);
    }

    /// Whether a reader is still in its first snapshot.
    pub fn is_in_snapshot(&self, uid: Uid) -> bool {
        let known = locked(&self.followers).iter().find(|f| f.uid == Some(uid)).cloned();
        known.is_some_and(|follower| locked(&follower.state).live.reach != Reach::All)
    }

    /// Pipelines that read the table, those that stand still among them.
    pub fn readers(&self) -> usize {
        locked(&self.followers).len()
    }

    /// Adds what the table's readers have to a checkpoint's delta, once its epoch is revealed.
    pub fn freeze_followers(&self, delta: &mut StateDelta) {
        let published = locked(&self.published);
        let followers = locked(&self.followers);
        std::mem::take(&mut *locked(&self.gone)).iter().for_each(|follower| follower.forget(delta));
        followers.iter().for_each(|follower| follower.freeze(&published.history, delta));
    }
}

/// Reads a table version by version. Dropping it takes the reader back to the last checkpoint, which is where the one
/// after it goes on.
pub struct TableReader {
    table: Arc<KeyedTable>,
    pub(super) follower: Arc<Follower>,
    columns: Vec<usize>,
    passing: bool,
    number: u64,
}

impl TableReader {
    /// The next changes, of so many keys at most: +I of a new row, -U and +U of a changed one, -D of one that went. `None`:
    /// the newest version is reached.
    pub fn next(&mut self, keys: usize) -> Result<Option<ChangeBatch>> {
        let taken = {
            let published = locked(&self.table.published);
            locked(&self.follower.state).live.take(&published, keys.max(1))
        };
        if taken.is_empty() {
            return Ok(None);
        }
        let layout = &self.table.layout;
        let mut rows = Vec::with_capacity(taken.len());
        taken.iter().for_each(|change| change.expand(layout.mode, &mut rows));
        let pairs: Vec<_> = rows.iter().map(|row| (row.0, row.1)).collect();
        let batch = layout.decode(&pairs, &self.columns)?;
        Ok(Some(ChangeBatch::new(batch, rows.iter().map(|row| row.2).collect())))
    }

    /// A barrier has come: what was read up to here is what a checkpoint with this barrier holds.
    pub fn at_barrier(&mut self) {
        let mut state = locked(&self.follower.state);
        if state.readers == self.number {
            state.at_barrier = Some(state.live.clone());
        }
    }

    /// The version up to which nothing is missing any more, but for keys that it is behind with.
    pub fn cut(&self) -> Cut {
        locked(&self.follower.state).live.at
    }

    /// Changes and rows that wait, about.
    pub fn backlog(&self) -> u64 {
        let published = locked(&self.table.published);
        let state = locked(&self.follower.state);
        let view = &state.live;
        let newer: usize = published.history.after(view.at).map(|(_, changes)| changes.len()).sum();
        let unread = match &view.reach {
            Reach::All => 0,
            Reach::Nothing => published.snapshot.rows.len(),
            // Where in the order of keys that is would have to be counted.
            Reach::Key(_) => 1,
        };
        (view.behind.len() + newer.saturating_sub(view.done) + unread) as u64
    }
}

impl Drop for TableReader {
    fn drop(&mut self) {
        if self.passing {
            locked(&self.table.followers).retain(|f| !Arc::ptr_eq(f, &self.follower));
            return;
        }
        let mut state = locked(&self.follower.state);
        if state.readers == self.number {
            state.live = state.frozen.clone();
            state.open = false;
            if planted("reader-cut-lost") {
                state.at_barrier = None;
            }
        }
    }
}
