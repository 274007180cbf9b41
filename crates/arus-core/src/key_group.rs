//! State, exchange and keyed tables are all split by the same key groups.

use xxhash_rust::xxh3::xxh3_64;

/// Fixed when a data folder is created; the same for exchange and tables.
pub const KEY_GROUPS: u16 = 128;

/// The key group of a canonically encoded key.
pub fn key_group(key: &[u8]) -> u16 {
    (xxh3_64(key) % KEY_GROUPS as u64) as u16
}
