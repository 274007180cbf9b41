//! What goes wrong while the server goes on. For one pipeline alone: a read of its source fails, or the disk of its sink is away
//! for a moment. It falls back to the last checkpoint with whoever reads what it writes, and goes on by itself. For a checkpoint:
//! its state cannot be written.

use std::path::PathBuf;

use super::world::World;

/// In so many turns there is trouble once, while there may be any.
const TURNS: u64 = 8;
/// Fewer than the same failures at one place that end a pipeline for good.
const AT_MOST: u64 = 2;
/// Reads that a recovery makes, about.
const READS_OF_A_START: u64 = 120;

impl World {
    /// How much of it this life of the server may see.
    pub(super) fn expect_trouble(&mut self) {
        self.troubles = self.rng.below(AT_MOST + 1);
    }

    /// The turn of a data thread; `false` at its end.
    pub(super) fn data_turn(&mut self) -> bool {
        let Some(server) = &self.server else { return false };
        let worker = self.rng.below(server.parts.workers.len() as u64) as usize;
        let refused = self.begin_trouble(TURNS);
        let alive = self.server.as_mut().is_some_and(|server| server.parts.workers[worker].turn());
        self.end_trouble(refused);
        alive
    }

    /// The turn of the checkpoint thread, which also reads what pipelines start again from.
    pub(super) fn checkpoint_turn(&mut self) {
        let refused = self.begin_trouble(5 * TURNS);
        // No file of state can be written: the checkpoint is abandoned, and the next one has its changes as well.
        if refused.is_some() && self.seen.steps.is_multiple_of(2) {
            self.fs.fail_read(None);
            self.fs.set_away(Some(PathBuf::from("/data/state")));
        }
        if let Some(server) = &mut self.server {
            server.parts.checkpoints.turn();
        }
        self.end_trouble(refused);
    }

    /// How many calls had failed before, if one more may fail now.
    fn begin_trouble(&mut self, one_in: u64) -> Option<u64> {
        if self.quiet || self.troubles == 0 || self.rng.below(one_in) != 0 {
            return None;
        }
        if self.history.statements.contains("into") && self.rng.below(2) == 0 {
            self.fs.set_away(Some(PathBuf::from("/data/files")));
        } else {
            self.fs.fail_read(Some(1 + self.rng.below(2)));
        }
        Some(self.fs.refused())
    }

    fn end_trouble(&mut self, refused: Option<u64>) {
        let Some(before) = refused else { return };
        self.fs.set_away(None);
        self.fs.fail_read(None);
        if self.fs.refused() > before {
            self.troubles -= 1;
            self.seen.troubles += 1;
            self.say(|| "a read fails, or a part of the disk".into());
        }
    }

    /// A read of recovery fails, perhaps.
    pub(super) fn trouble_at_start(&mut self) {
        if !self.quiet && self.rng.below(8) == 0 {
            let n = 1 + self.rng.below(READS_OF_A_START);
            self.fs.fail_read(Some(n));
            self.say(|| format!("read {n} of recovery fails"));
        }
    }
}
