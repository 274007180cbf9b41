//! The changes of recent epochs, net: what a key was before the epoch and what it is after.

use std::collections::VecDeque;
use std::sync::Arc;

use arus_core::Result;
use arus_core::change::{ChangeBatch, RowKind};
use arus_core::limits::{CHANGES_BYTES, CHANGES_EPOCHS, CHANGES_ROWS};
use arus_core::read::Cut;

use super::layout::{Layout, count};
use super::{Bytes, TableMode};

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

/// A change and what stood there before; what came is the table's own.
fn bytes_of(changes: &[RowChange]) -> usize {
    changes.iter().map(|c| size_of::<RowChange>() + c.before.as_ref().map_or(0, Bytes::heap)).sum()
}

/// What one epoch changed in a table.
#[derive(Clone)]
pub struct EpochChanges {
    pub cut: Cut,
    pub as_of_ms: i64,
    layout: Arc<Layout>,
    rows: Arc<[RowChange]>,
}

impl EpochChanges {
    /// Keys that changed.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The changes in the order of keys: +I of a new key, -U and +U of a changed one, -D of one that went. All columns.
    pub fn batch(&self) -> Result<ChangeBatch> {
        let mut rows = vec![];
        self.rows.iter().for_each(|change| change.expand(self.layout.mode, &mut rows));
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
    epochs: VecDeque<(Cut, i64, Arc<[RowChange]>)>,
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
    pub(super) fn is_full(&self, more: &[RowChange]) -> bool {
        let full = self.epochs.len() >= CHANGES_EPOCHS
            || self.rows + more.len() > CHANGES_ROWS
            || self.bytes + bytes_of(more) > CHANGES_BYTES;
        full && !more.is_empty() && !self.epochs.is_empty()
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
    pub(super) fn after(&self, cut: Cut) -> impl Iterator<Item = (Cut, &Arc<[RowChange]>)> {
        let start = self.epochs.partition_point(|(epoch, ..)| *epoch <= cut);
        self.epochs.range(start..).map(|(epoch, _, changes)| (*epoch, changes))
    }

    pub(super) fn push(&mut self, cut: Cut, as_of_ms: i64, changes: Vec<RowChange>) {
        self.last = cut;
        if changes.is_empty() {
            return;
        }
        self.last_change = cut;
        self.rows += changes.len();
        self.bytes += bytes_of(&changes);
        self.epochs.push_back((cut, as_of_ms, changes.into()));
        while self.epochs.len() > CHANGES_EPOCHS
            || ((self.rows > CHANGES_ROWS || self.bytes > CHANGES_BYTES) && self.epochs.len() > 1)
        {
            let Some((cut, _, changes)) = self.epochs.pop_front() else { break };
            self.base = cut;
            self.unchanged_since = None;
            self.rows -= changes.len();
            self.bytes -= bytes_of(&changes);
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
