//! State of a checkpoint, read once and handed to whoever it belongs to.

use std::collections::HashMap;

use arus_core::Result;
use arus_core::key_group::KEY_GROUPS;
use arus_core::plan::Uid;
use arus_storage::state::{StateFileRef, StateStore};
use arus_stream::{StateEntry, StateRead, VisitState};

/// All entries by uid. Held only while the server recovers.
#[derive(Default)]
pub(crate) struct RestoredState(HashMap<Uid, Vec<StateEntry>>);

impl RestoredState {
    pub(crate) fn read(store: &StateStore, files: &[StateFileRef]) -> Result<Self> {
        let mut state = RestoredState::default();
        store.restore(files, 0..KEY_GROUPS, |uid, key_group, key, value| {
            let entry = StateEntry { key_group, key: key.to_vec(), value: value.to_vec() };
            state.0.entry(uid).or_default().push(entry);
            Ok(())
        })?;
        Ok(state)
    }

    pub(crate) fn of(&self, uid: Uid) -> &[StateEntry] {
        self.0.get(&uid).map_or(&[], Vec::as_slice)
    }
}

impl StateRead for RestoredState {
    fn visit(&self, visit: &mut VisitState<'_>) -> Result<()> {
        for (uid, entries) in &self.0 {
            for entry in entries {
                visit(*uid, entry.key_group, &entry.key, &entry.value)?;
            }
        }
        Ok(())
    }
}
