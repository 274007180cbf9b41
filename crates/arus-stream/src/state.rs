//! Keyed state between operators and storage: entries of (uid, key group, canonical key), deltas of what changed.

use std::ops::Range;

use arus_core::plan::Uid;
use arus_core::{Error, Result};
use arus_storage::state::{StateDelta, StateFileRef, StateStore};

/// Writes the state of one operator into a delta. Of several entries with one key the last counts.
pub struct StateWriter<'a> {
    uid: Uid,
    delta: &'a mut StateDelta,
}

impl<'a> StateWriter<'a> {
    pub fn new(uid: Uid, delta: &'a mut StateDelta) -> Self {
        StateWriter { uid, delta }
    }

    pub fn put(&mut self, key_group: u16, key: &[u8], value: &[u8]) {
        self.delta.put_in(self.uid, key_group, key, Some(value));
    }

    pub fn delete(&mut self, key_group: u16, key: &[u8]) {
        self.delta.put_in(self.uid, key_group, key, None);
    }
}

/// One entry of an operator's state as a restore brings it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateEntry {
    pub key_group: u16,
    pub key: Vec<u8>,
    pub value: Vec<u8>,
}

/// Takes (uid, key group, key, value) of one entry.
pub type VisitState<'a> = dyn FnMut(Uid, u16, &[u8], &[u8]) -> Result<()> + 'a;

/// State at rest.
pub trait StateRead {
    /// Calls `visit` with every entry once, those of a uid together; uids that the pipeline does not know are skipped.
    fn visit(&self, visit: &mut VisitState<'_>) -> Result<()>;

    /// Why the state of an operator is not whole: then its pipeline must not go on from it.
    fn damage(&self, _uid: Uid) -> Option<Error> {
        None
    }
}

/// The state files of a checkpoint.
pub struct StoredState<'a> {
    pub store: &'a StateStore,
    pub files: &'a [StateFileRef],
    pub key_groups: Range<u16>,
}

impl StateRead for StoredState<'_> {
    fn visit(&self, visit: &mut VisitState<'_>) -> Result<()> {
        self.store.restore(self.files, self.key_groups.clone(), visit)
    }
}

/// Which slots changed since the last freeze, and which stand in a checkpoint.
#[derive(Default)]
pub(crate) struct DirtySlots {
    marked: Vec<bool>,
    /// Marked slots; one that was freed meanwhile is no longer `marked`.
    list: Vec<u32>,
    persisted: Vec<bool>,
    /// The last round in which `first_touches` saw the slot.
    seen: Vec<u32>,
    round: u32,
}

impl DirtySlots {
    pub(crate) fn grow(&mut self, slots: usize) {
        if self.marked.len() < slots {
            self.marked.resize(slots, false);
            self.persisted.resize(slots, false);
            self.seen.resize(slots, 0);
        }
    }

    pub(crate) fn mark(&mut self, slots: &[u32]) {
        for &slot in slots {
            if !std::mem::replace(&mut self.marked[slot as usize], true) {
                self.list.push(slot);
            }
        }
    }

    /// The distinct slots among `slots`, in the order in which they first appear.
    pub(crate) fn first_touches(&mut self, slots: &[u32]) -> Vec<u32> {
        self.round = self.round.wrapping_add(1);
        if self.round == 0 {
            self.seen.fill(0);
            self.round = 1;
        }
        let round = self.round;
        let seen = &mut self.seen;
        slots.iter().copied().filter(|s| std::mem::replace(&mut seen[*s as usize], round) != round).collect()
    }

    /// The key of the slot is gone.
    pub(crate) fn free(&mut self, slot: u32) {
        self.marked[slot as usize] = false;
        self.persisted[slot as usize] = false;
    }

    pub(crate) fn is_persisted(&self, slot: u32) -> bool {
        self.persisted[slot as usize]
    }

    pub(crate) fn set_persisted(&mut self, slot: u32) {
        self.persisted[slot as usize] = true;
    }

    /// The dirty slots, by slot; from now on they are clean and stand in a checkpoint.
    pub(crate) fn take(&mut self) -> Vec<u32> {
        let mut dirty = std::mem::take(&mut self.list);
        // A slot that was freed and used again is in the list twice.
        dirty.sort_unstable();
        dirty.dedup();
        dirty.retain(|slot| std::mem::replace(&mut self.marked[*slot as usize], false));
        for &slot in &dirty {
            self.persisted[slot as usize] = true;
        }
        dirty
    }
}
