//! Whose state is in the state files: the uids of every item of the catalog.
//!
//! What is noted of an item stays until a durable record has taken the item out. So a merge that starts after a record and
//! keeps what the items of this record own loses nothing: whoever comes later has no state in older files.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arus_core::plan::Uid;
use arus_storage::manifest::{Change, ManifestState};

use crate::ddl::{DATABASE_ITEM, VIEW};
use crate::project::PROJECT_ITEM;

/// Kinds of items that have no state.
const STATELESS: [&str; 3] = [VIEW, DATABASE_ITEM, PROJECT_ITEM];

#[derive(Default)]
struct Owned {
    uids: BTreeSet<Uid>,
    /// Whether there is likely to be anything under them.
    keeps: bool,
}

/// By the catalog's id.
#[derive(Clone, Default)]
pub(crate) struct Owners(Arc<Mutex<BTreeMap<u64, Owned>>>);

impl Owners {
    fn locked(&self) -> MutexGuard<'_, BTreeMap<u64, Owned>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The item has state under these uids too.
    pub(crate) fn note(&self, item: u64, uids: impl IntoIterator<Item = Uid>, keeps: bool) {
        let mut owners = self.locked();
        let owned = owners.entry(item).or_default();
        owned.uids.extend(uids);
        owned.keeps |= keeps;
    }

    /// These changes are durable; whether one of them takes something out that keeps state.
    pub(crate) fn recorded(&self, changes: &[Change]) -> bool {
        let mut owners = self.locked();
        let mut dropped = false;
        for change in changes {
            if let Change::Delete { id } = change {
                dropped |= owners.remove(id).is_some_and(|owned| owned.keeps);
            }
        }
        dropped
    }

    /// The uids of all items, those that are being made included; `None` where an item of the catalog is not known.
    pub(crate) fn of(&self, state: &ManifestState) -> Option<BTreeSet<Uid>> {
        let owners = self.locked();
        let mut items = state.catalog.values().filter(|item| !STATELESS.contains(&item.kind.as_str()));
        let known = items.all(|item| owners.contains_key(&item.id));
        known.then(|| owners.values().flat_map(|owned| owned.uids.iter().copied()).collect())
    }
}
