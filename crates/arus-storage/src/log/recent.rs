//! What was read last of a partition, for the pipelines that read the same: they follow each other within a turn.
//!
//! It is gone once a reader finds nothing behind it, so that a topic at rest keeps nothing. A cut of the partition, after
//! which offsets are given again, forgets it too, and a read that was under way meanwhile is not kept.

use std::sync::Mutex;

use arus_core::connector::RawBatch;

use super::ReadUpTo;
use crate::locked;

/// What a read asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) from: i64,
    pub(crate) max_bytes: usize,
    pub(crate) upto: ReadUpTo,
}

#[derive(Debug, Default)]
pub(crate) struct Recent(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    /// Counts the times that it was forgotten.
    generation: u64,
    read: Option<(Wanted, RawBatch)>,
}

impl Recent {
    /// The same read of before, or the generation that the answer of a new one is kept in.
    pub(crate) fn get(&self, wanted: Wanted) -> Result<RawBatch, u64> {
        let kept = locked(&self.0);
        match &kept.read {
            Some((known, batch)) if *known == wanted => Ok(batch.clone()),
            _ => Err(kept.generation),
        }
    }

    pub(crate) fn keep(&self, generation: u64, wanted: Wanted, batch: &RawBatch) {
        let mut kept = locked(&self.0);
        if kept.generation == generation {
            kept.read = (!batch.records.is_empty()).then(|| (wanted, batch.clone()));
        }
    }

    pub(crate) fn forget(&self) {
        let mut kept = locked(&self.0);
        kept.generation += 1;
        kept.read = None;
    }
}
