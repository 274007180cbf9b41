//! The changes of recent epochs, net: what a key was before the epoch and what it is after.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, OnceLock};

use arus_core::Result;
use arus_core::change::{ChangeBatch, RowKind};
use arus_core::limits::{CHANGES_BYTES, CHANGES_EPOCHS, CHANGES_ROWS};
use arus_core::read::Cut;

use super::key_hash::KeyHash;
use super::layout::{Layout, count};
use super::{Bytes, TableMode};

/// Of so many keys changes are put in order at once: it takes no time, and an epoch that has come to nothing is known as such.
const SORTED_AT_ONCE: usize = 1_024;

/// The keys that an epoch touches, each with what stood there before and what does now.
#[derive(Default)]
pub(super) struct Touched {
    keys: HashMap<Bytes, (Option<Bytes>, Option<Bytes>), KeyHash>,
    /// Memory of what stood there before, beside the values themselves.
    heap: usize,
}

impl Touched {
    /// With room for about as many keys as an epoch before had.
    pub(super) fn like(other: &Touched) -> Self {
        Touched { keys: HashMap::with_capacity_and_hasher(other.len(), other.keys.hasher().clone()), heap: 0 }
    }

    pub(super) fn note(&mut self, key: Bytes, before: Option<Bytes>, after: Option<Bytes>) {
        match self.keys.entry(key) {
            Entry::Occupied(mut known) => known.get_mut().1 = after,
            Entry::Vacant(new) => {
                self.heap += before.as_ref().map_or(0, Bytes::heap);
                new.insert((before, after));
            }
        }
    }

    pub(super) fn len(&self) -> usize {
        self.keys.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = &Bytes> {
        self.keys.keys()
    }

    /// What stood there before, and the entries; what came is the table's own.
    pub(super) fn memory_bytes(&self) -> usize {
        self.keys.len() * size_of::<RowChange>() + self.heap
    }
}

/// What an epoch has changed.
pub(super) struct EpochRows {
    touched: Arc<Touched>,
    /// Found out when somebody asks.
    sorted: OnceLock<Arc<[RowChange]>>,
}

impl EpochRows {
    pub(super) fn new(touched: Arc<Touched>) -> Self {
        let rows = EpochRows { touched, sorted: OnceLock::new() };
        if rows.touched.len() <= SORTED_AT_ONCE {
            rows.sorted();
        }
        rows
    }

    /// What is another row than before, by key: the same input gives the same sequence.
    pub(super) fn sorted(&self) -> &Arc<[RowChange]> {
        self.sorted.get_or_init(|| {
            let changed = self.touched.keys.iter().filter(|(_, (before, after))| before != after);
            let mut changed: Vec<_> = changed.map(|(key, (before, after))| (key, before, after)).collect();
            changed.sort_unstable_by(|a, b| a.0.cmp(b.0));
            let owned = |(key, before, after): (&Bytes, &Option<Bytes>, &Option<Bytes>)| RowChange {
                key: key.clone(),
                before: before.clone(),
                after: after.clone(),
            };
            changed.into_iter().map(owned).collect()
        })
    }

    /// Keys that changed, or more while nobody has asked which.
    pub(super) fn len(&self) -> usize {
        self.sorted.get().map_or(self.touched.len(), |sorted| sorted.len())
    }

    fn bytes(&self) -> usize {
        self.touched.memory_bytes()
    }
}

#[derive(Debug, Clone)]
pub(super) struct RowChange {
    pub(super) key: Bytes,
    pub(super) before: Option<Bytes>,
    pub(super) after: Option<Bytes>,
}

impl RowChange {
    /// The rows and kinds that say it.
    pub(super) fn expand<'a>(&'a self, mode: TableMode, out: &mut Vec<(&'a [u8], &'a [u8], RowKind)>) {
        let row = |value: &'a Bytes, kind| (self.key.as_ref(), value.as_ref(), kind);
        if mode == TableMode::Counted {
            let times = |value: &Option<Bytes>| value.as_ref().map_or(0, |v| count(v).max(0));
            let more = times(&self.after) - times(&self.before);
            let kind = if more > 0 { RowKind::Insert } else { RowKind::Delete };
            if let Some(value) = self.after.as_ref().or(self.before.as_ref()) {
                out.extend(std::iter::repeat_n(row(value, kind), more.unsigned_abs() as usize));
            }
            return;
        }
        match (&self.before, &self.after) {
            (None, Some(after)) => out.push(row(after, RowKind::Insert)),
            (Some(before), None) => out.push(row(before, RowKind::Delete)),
            (Some(before), Some(after)) => {
                out.push(row(before, RowKind::UpdateBefore));
                out.push(row(after, RowKind::UpdateAfter));
            }
            (None, None) => {}
        }
    }
}

/// What one epoch changed in a table.
#[derive(Clone)]
pub struct EpochChanges {
    pub cut: Cut,
    pub as_of_ms: i64,
    layout: Arc<Layout>,
    rows: Arc<EpochRows>,
}

impl EpochChanges {
    /// Keys that changed, about: of very many some may be as they were.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The changes in the order of keys: +I of a new key, -U and +U of a changed one, -D of one that went. All columns.
    pub fn batch(&self) -> Result<ChangeBatch> {
        let mut rows = vec![];
        self.rows.sorted().iter().for_each(|change| change.expand(self.layout.mode, &mut rows));
        let pairs: Vec<_> = rows.iter().map(|row| (row.0, row.1)).collect();
        let all: Vec<_> = (0..self.layout.schema.len()).collect();
        let batch = self.layout.decode(&pairs, &all)?;
        Ok(ChangeBatch::new(batch, rows.iter().map(|row| row.2).collect()))
    }
}

/// Changes of the newest epochs, bounded by epochs and rows.
pub(super) struct History {
    /// All changes after this cut are here.
    base: Cut,
    /// When `base` is a restored checkpoint: the cut of the last change before it.
    unchanged_since: Option<Cut>,
    /// Of the last change, in this start or before.
    last_change: Cut,
    last: Cut,
    /// Epochs that changed something.
    epochs: VecDeque<(Cut, i64, Arc<EpochRows>)>,
    rows: usize,
    bytes: usize,
}

impl History {
    pub(super) fn new(base: Cut) -> Self {
        History {
            base,
            unchanged_since: None,
            last_change: base,
            last: base,
            epochs: VecDeque::new(),
            rows: 0,
            bytes: 0,
        }
    }

    /// Whether these changes push out those of older epochs.
    pub(super) fn is_full(&self, more: &EpochRows) -> bool {
        let full = self.epochs.len() >= CHANGES_EPOCHS
            || self.rows + more.touched.len() > CHANGES_ROWS
            || self.bytes + more.bytes() > CHANGES_BYTES;
        full && more.len() > 0 && !self.epochs.is_empty()
    }

    /// Memory that is not shared with the rows of the table.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The newest version.
    pub(super) fn last(&self) -> Cut {
        self.last
    }

    /// The epochs after `cut` that changed something and are still here, oldest first.
    pub(super) fn after(&self, cut: Cut) -> impl Iterator<Item = (Cut, &EpochRows)> {
        let start = self.epochs.partition_point(|(epoch, ..)| *epoch <= cut);
        self.epochs.range(start..).map(|(epoch, _, changes)| (*epoch, changes.as_ref()))
    }

    pub(super) fn push(&mut self, cut: Cut, as_of_ms: i64, changes: EpochRows) {
        self.last = cut;
        if changes.len() == 0 {
            return;
        }
        self.last_change = cut;
        self.rows += changes.touched.len();
        self.bytes += changes.bytes();
        self.epochs.push_back((cut, as_of_ms, changes.into()));
        while self.epochs.len() > CHANGES_EPOCHS
            || ((self.rows > CHANGES_ROWS || self.bytes > CHANGES_BYTES) && self.epochs.len() > 1)
        {
            let Some((cut, _, changes)) = self.epochs.pop_front() else { break };
            self.base = cut;
            self.unchanged_since = None;
            self.rows -= changes.touched.len();
            self.bytes -= changes.bytes();
        }
    }

    /// The restored rows have been the same since this cut.
    pub(super) fn set_unchanged_since(&mut self, cut: Cut) {
        self.unchanged_since = Some(cut);
        self.last_change = cut;
    }

    pub(super) fn last_change(&self) -> Cut {
        self.last_change
    }

    /// Whether the rows of this cut are those of the base.
    fn is_base(&self, cut: Cut) -> bool {
        let same =
            |since: Cut| cut == since || cut.incarnation == self.base.incarnation && since <= cut && cut <= self.base;
        cut == self.base || self.unchanged_since.is_some_and(same)
    }

    /// An epoch of an earlier start counts only as the restored checkpoint, since later ones of that start are void.
    pub(super) fn since(&self, cut: Cut, layout: &Arc<Layout>) -> Option<Vec<EpochChanges>> {
        let of_this_start = cut.incarnation == self.last.incarnation && cut >= self.base && cut <= self.last;
        if !self.is_base(cut) && !of_this_start {
            return None;
        }
        let after = self.epochs.iter().filter(|(epoch, ..)| *epoch > cut);
        Some(
            after
                .map(|(cut, as_of_ms, rows)| EpochChanges {
                    cut: *cut,
                    as_of_ms: *as_of_ms,
                    layout: layout.clone(),
                    rows: rows.clone(),
                })
                .collect(),
        )
    }
}
