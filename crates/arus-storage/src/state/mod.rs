//! State of operators: deltas in memory, files on disk, and the store that writes, merges and restores them.
//!
//! An entry is (uid, key group, key) -> value; no value means deleted. A checkpoint names its files oldest first, and a
//! later file wins. Format: docs/formats/state.md.

mod delta;
mod file;
mod merging;
mod store;
#[cfg(test)]
mod tests;

pub use delta::{DeltaEntry, StateDelta};
pub use file::StateDamage;
pub use merging::Merges;
pub use store::{StateFileRef, StateStore};
