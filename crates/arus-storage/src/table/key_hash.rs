//! Hashing of key bytes in memory: one call of xxh3 a key, with a seed of this process, so that keys cannot be chosen to
//! collide. Nothing of it is kept.

use std::hash::{BuildHasher, Hasher};

use arus_core::rng::Rng;
use xxhash_rust::xxh3::xxh3_64_with_seed;

#[derive(Debug, Clone)]
pub(super) struct KeyHash {
    seed: u64,
}

impl Default for KeyHash {
    fn default() -> Self {
        KeyHash { seed: Rng::from_entropy().next_u64() }
    }
}

impl BuildHasher for KeyHash {
    type Hasher = KeyHasher;

    fn build_hasher(&self) -> KeyHasher {
        KeyHasher(self.seed)
    }
}

pub(super) struct KeyHasher(u64);

impl Hasher for KeyHasher {
    fn write(&mut self, bytes: &[u8]) {
        self.0 = xxh3_64_with_seed(bytes, self.0);
    }

    /// The length before the bytes.
    fn write_usize(&mut self, n: usize) {
        self.0 = self.0.wrapping_add(n as u64);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
