//! State of a checkpoint, read once and handed to whoever it belongs to.
//!
//! Files may be damaged: what can be read is given, and operators and tables whose state is not whole are told so.

use std::collections::HashMap;

use arus_core::error::Code;
use arus_core::plan::Uid;
use arus_core::read::Cut;
use arus_core::{Error, Result};
use arus_storage::manifest::CatalogItem;
use arus_storage::state::{StateDamage, StateFileRef, StateStore};
use arus_stream::{StateEntry, StateRead, VisitState};

use crate::jobs::Job;
use crate::shared::Shared;

/// All entries by uid. Held only while the server recovers.
#[derive(Default)]
pub(crate) struct RestoredState {
    entries: HashMap<Uid, Vec<StateEntry>>,
    pub(crate) damages: Vec<StateDamage>,
}

impl RestoredState {
    pub(crate) fn read(store: &StateStore, files: &[StateFileRef]) -> Result<Self> {
        let mut entries: HashMap<Uid, Vec<StateEntry>> = HashMap::new();
        let damages = store.restore_readable(files, |uid, key_group, key, value| {
            let entry = StateEntry { key_group, key: key.to_vec(), value: value.to_vec() };
            entries.entry(uid).or_default().push(entry);
            Ok(())
        })?;
        for damage in &damages {
            tracing::error!("state file {} is damaged at byte {}: {}", damage.file, damage.position, damage.reason);
        }
        Ok(RestoredState { entries, damages })
    }

    pub(crate) fn of(&self, uid: Uid) -> &[StateEntry] {
        self.entries.get(&uid).map_or(&[], Vec::as_slice)
    }

    /// An error when what a pipeline writes is not whole: it must not go on upon it.
    pub(crate) fn check_targets(&self, shared: &Shared, job: &Job) -> Result<()> {
        let since = job.spec.item.as_ref().map_or(BEGIN, since);
        for table in job.spec.targets.iter().filter_map(|path| shared.tables.get(path)).filter(|t| t.keyed().is_some())
        {
            table.check_whole()?;
            if let Some(damage) = self.damage_since(table.state_uid("rows"), since) {
                return Err(damage);
            }
        }
        Ok(())
    }

    /// The state as a pipeline is restored from it.
    pub(crate) fn of_job(&self, job: &Job) -> JobState<'_> {
        JobState { state: self, since: job.spec.item.as_ref().map_or(BEGIN, since) }
    }

    /// Why the state of an operator or table that was made after `since` is not whole: older files cannot have any of it.
    pub(crate) fn damage_since(&self, uid: Uid, since: Cut) -> Option<Error> {
        let damage = self.damages.iter().find(|d| d.cut > since && d.hits(uid))?;
        let StateDamage { file, position, reason, .. } = damage;
        Some(
            Error::external(format!("its state is damaged: state/{file}, byte {position}: {reason}"))
                .with_code(Code::Corrupt)
                .with_hint("restore the folder from a backup, or drop it and create it again; the rest is served"),
        )
    }
}

/// Before the first epoch.
const BEGIN: Cut = Cut { incarnation: 0, epoch: 0 };

/// The epoch after which an item of the catalog was made.
pub(crate) fn since(item: &CatalogItem) -> Cut {
    serde_json::from_value(item.extra["since"].clone()).unwrap_or(BEGIN)
}

/// The state that a pipeline may have.
pub(crate) struct JobState<'a> {
    state: &'a RestoredState,
    since: Cut,
}

impl StateRead for JobState<'_> {
    fn visit(&self, visit: &mut VisitState<'_>) -> Result<()> {
        self.state.visit(visit)
    }

    fn damage(&self, uid: Uid) -> Option<Error> {
        self.state.damage_since(uid, self.since)
    }
}

impl StateRead for RestoredState {
    fn visit(&self, visit: &mut VisitState<'_>) -> Result<()> {
        for (uid, entries) in &self.entries {
            for entry in entries {
                visit(*uid, entry.key_group, &entry.key, &entry.value)?;
            }
        }
        Ok(())
    }
}
