//! Every durable byte of Arus: the log, the manifest, state files, keyed tables, and their recovery.
//!
//! Files are reached through [`arus_core::fs::Fs`] alone, so that the simulated disk of [`sim`] can lose, tear and refuse
//! writes. Each format has a magic, a version and checksums, and a page in docs/formats.

pub mod backup;
mod block;
pub mod codec;
pub mod doctor;
mod folder;
mod fs;
pub mod kept;
pub mod log;
pub mod manifest;
pub mod outbox;
pub mod sim;
pub mod state;
pub mod table;
mod wire;

use std::sync::{Mutex, MutexGuard, PoisonError};

pub use folder::{DASHBOARDS, DataFolder};
pub use fs::{DiskFs, raise_open_files};
pub use table::{KeyedTable, TableMode, TableSnapshot};

/// A panic elsewhere does not make the data behind the lock worse: every change under a lock is whole.
pub(crate) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
extern crate self as arus_storage;

#[cfg(test)]
mod damage_tests;
#[cfg(test)]
mod fixture_tests;
#[cfg(test)]
mod sample;
