//! Files are injected, so that the simulator can lose, tear and refuse writes.
//!
//! The trait has what a database needs and no more: append, positioned reads, truncate, fsync of file and
//! folder, rename. Paths are real paths; the implementation on the machine's disk is in arus-storage.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// An open file. Appends and reads may run at the same time; appends are serialised by the caller.
pub trait File: Send + Sync {
    fn len(&self) -> io::Result<u64>;

    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }

    /// Writes all of `bytes` at the end.
    fn append(&self, bytes: &[u8]) -> io::Result<()>;

    /// Overwrites from `offset` (the rewriting of a tail after a crash).
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()>;

    /// Fills `buffer` from `offset` or fails with `UnexpectedEof`.
    fn read_exact_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()>;

    /// Reads up to the buffer's length; fewer only at the end of the file.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize>;

    fn truncate(&self, len: u64) -> io::Result<()>;

    /// fdatasync. After an error the file must not be used again.
    fn sync(&self) -> io::Result<()>;
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DirEntry {
    pub path: PathBuf,
    pub is_dir: bool,
    pub len: u64,
    /// Milliseconds since 1970.
    pub modified_ms: i64,
}

pub trait Fs: Send + Sync {
    /// Opens for reading.
    fn open(&self, path: &Path) -> io::Result<Arc<dyn File>>;
    /// Opens for appending and reading, creating the file where it is missing.
    fn open_append(&self, path: &Path) -> io::Result<Arc<dyn File>>;
    fn read(&self, path: &Path) -> io::Result<Vec<u8>>;
    fn exists(&self, path: &Path) -> io::Result<bool>;
    /// The real place of an existing path, links resolved. A disk that cannot tell refuses, so that nobody takes a path
    /// to be inside a folder that it leaves by a link.
    fn canonicalize(&self, _path: &Path) -> io::Result<PathBuf> {
        Err(io::ErrorKind::Unsupported.into())
    }
    /// The entries of a folder, by name.
    fn list(&self, dir: &Path) -> io::Result<Vec<DirEntry>>;
    fn create_dir_all(&self, dir: &Path) -> io::Result<()>;
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// A second name for a file, on the same disk. Not every disk can.
    fn hard_link(&self, _from: &Path, _to: &Path) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
    fn remove_file(&self, path: &Path) -> io::Result<()>;
    fn remove_dir_all(&self, dir: &Path) -> io::Result<()>;
    /// fsync of a folder: makes creations, renames and removals in it durable.
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;
    /// Bytes that are free on the disk of this folder.
    fn free_bytes(&self, dir: &Path) -> io::Result<u64>;
    /// An exclusive lock on a file, held until dropped; `WouldBlock` when somebody else has it.
    fn lock(&self, path: &Path) -> io::Result<Box<dyn Send + Sync>>;
}

pub type SharedFs = Arc<dyn Fs>;
