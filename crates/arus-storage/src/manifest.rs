//! The manifest: one append-only log of checksummed records, and the only commit point of the server.
//!
//! What is not in it has not happened. A record is durable when [`Manifest::append`] returns; after a failed sync nothing
//! more is written, and whether the record in doubt counts is decided by the next start. The last record stands twice
//! ([`replay`]). Format: docs/formats/manifest.md.

mod replay;
mod state;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arus_core::error::Code;
use arus_core::fs::{File, SharedFs};
use arus_core::limits::MANIFEST_BYTES;
use arus_core::{Error, Result, planted};

pub use state::{CatalogItem, Change, Checkpoint, ManifestState, OutboxRef, PipelineCheckpoint, SinkMark};

use crate::DataFolder;

const MAGIC: &[u8; 8] = b"ARUSMFT\0";
/// Version 1 had neither numbers nor the copy of the last record; it is read, and written anew at once.
const VERSION: u32 = 2;
const HEADER_BYTES: usize = 12;
/// Length, checksum, number.
const FRAME_BYTES: usize = 16;
const FRAME_BYTES_V1: usize = 8;

pub struct Manifest {
    fs: SharedFs,
    path: PathBuf,
    file: Arc<dyn File>,
    /// Where the last record ends; behind it stands its copy.
    len: u64,
    /// The last record.
    last: Vec<u8>,
    /// Its number in this file.
    sequence: u64,
    state: ManifestState,
    rotate_at: u64,
    failed: Option<String>,
}

/// A file that was written anew: with one record, twice.
struct Fresh {
    file: Arc<dyn File>,
    len: u64,
    last: Vec<u8>,
}

pub(crate) use replay::{Fault, Severity, replay};

impl Manifest {
    /// Step 2 of recovery: reads the records, cuts a torn last one, writes the whole ones again, appends the raised
    /// incarnation and syncs. `now_ms` is noted with it.
    pub fn open(folder: &DataFolder, now_ms: i64) -> Result<Self> {
        Self::open_with_limit(folder, now_ms, MANIFEST_BYTES)
    }

    pub(crate) fn open_with_limit(folder: &DataFolder, now_ms: i64, rotate_at: u64) -> Result<Self> {
        let fs = folder.fs().clone();
        let path = folder.manifest();
        let io = |action: &'static str| {
            let path = path.clone();
            move |e| Error::io(action, format!("manifest {}", path.display()), e)
        };
        // A rotation that was cut short: without its rename it has not happened.
        let fresh = fresh_path(&path);
        if fs.exists(&fresh).map_err(io("look for"))? {
            fs.remove_file(&fresh).map_err(io("remove the unfinished"))?;
        }
        let fresh = |state: ManifestState| {
            let Fresh { file, len, last } = write_whole(&fs, &path, &state)?;
            Ok(Manifest {
                fs: fs.clone(),
                path: path.clone(),
                file,
                len,
                last,
                sequence: 1,
                state,
                rotate_at,
                failed: None,
            })
        };
        if !fs.exists(&path).map_err(io("look for"))? {
            refuse_orphans(folder)?;
            let mut state = ManifestState::new();
            state.apply(&Change::Incarnation { incarnation: 1, started_ms: now_ms });
            return fresh(state);
        }
        let bytes = fs.read(&path).map_err(io("read"))?;
        let found = replay(&bytes);
        if let Some(fault) = &found.fault {
            tell(&path, fault)?;
        }
        let (len, at, sequence) = (found.end() as u64, found.at as u64, found.records);
        let mut state = found.state.ok_or_else(|| Error::bug("a manifest that can be read has a record"))?;
        let raised = Change::Incarnation {
            incarnation: state.incarnation + u64::from(!planted("incarnation-reused")),
            started_ms: now_ms,
        };
        if found.version < VERSION {
            state.apply(&raised);
            return fresh(state);
        }
        let last = bytes[found.last].to_vec();
        let file = fs.open_append(&path).map_err(io("open"))?;
        // The last record may live in the page cache alone, and those before it where the sync of the start before this one has
        // failed. What stands behind them is cut.
        let whole = match planted("cached-records-trusted") {
            true => [last.as_slice(), &last].concat(),
            false => [&bytes[..found.at], &last, &last].concat(),
        };
        let from = at + 2 * last.len() as u64 - whole.len() as u64;
        file.write_at(from, &whole).map_err(io("write again"))?;
        file.truncate(from + whole.len() as u64).map_err(io("cut the tail of"))?;
        let mut manifest = Manifest { fs, path, file, len, last, sequence, state, rotate_at, failed: None };
        manifest.append(&[raised])?;
        let dir = folder.root();
        manifest.fs.sync_dir(dir).map_err(|e| Error::io("sync", dir.display(), e))?;
        Ok(manifest)
    }

    /// A file with one record that says all of `state`: what a start finds in it is that state.
    pub(crate) fn write_snapshot(fs: &SharedFs, path: &Path, state: &ManifestState) -> Result<u64> {
        write_whole(fs, path, state).map(|fresh| fresh.len + fresh.last.len() as u64)
    }

    /// All records so far, folded.
    pub fn state(&self) -> &ManifestState {
        &self.state
    }

    pub fn bytes(&self) -> u64 {
        self.len
    }

    /// Appends one record and syncs it: all of its changes are durable together, or none is.
    ///
    /// After an error of the sync the manifest takes nothing more: the server has to stop. Other errors (a full disk) leave
    /// it as it was.
    pub fn append(&mut self, changes: &[Change]) -> Result<()> {
        if let Some(reason) = &self.failed {
            return Err(self.closed(reason));
        }
        let frame = frame(self.sequence + 1, &changes)?;
        let twice = [frame.as_slice(), &frame].concat();
        let end = self.len + twice.len() as u64;
        let write = || {
            self.file.write_at(self.len, &twice)?;
            // The copy that stood there may have been longer.
            if twice.len() < self.last.len() { self.file.truncate(end) } else { Ok(()) }
        };
        if let Err(error) = write() {
            if let Err(second) = self.file.truncate(self.len) {
                return Err(self.fail(format!("a failed append could not be taken back: {second}")));
            }
            if let Err(second) = self.file.write_at(self.len, &self.last) {
                tracing::warn!(error = %second, "the last record of the manifest has no copy for now");
            }
            return Err(Error::io("append to manifest", self.path.display(), error));
        }
        if !planted("manifest-not-synced")
            && let Err(error) = self.file.sync()
        {
            return Err(self.fail(format!("fsync failed: {error}")));
        }
        self.len += frame.len() as u64;
        self.last = frame;
        self.sequence += 1;
        changes.iter().for_each(|change| self.state.apply(change));
        if self.len >= self.rotate_at { self.rotate() } else { Ok(()) }
    }

    /// Whether a sync has failed: the server has to stop.
    pub fn failure(&self) -> Option<&str> {
        self.failed.as_deref()
    }

    /// Replaces the file by one with a single snapshot.
    fn rotate(&mut self) -> Result<()> {
        match write_whole(&self.fs, &self.path, &self.state) {
            Ok(Fresh { file, len, last }) => {
                (self.file, self.len, self.last, self.sequence) = (file, len, last, 1);
                // A snapshot that is itself that large must not be written for each record.
                self.rotate_at = self.rotate_at.max(len * 2);
                Ok(())
            }
            Err(error) if error.code() == Code::DiskFull && self.named_is_old() => {
                tracing::warn!(%error, "the manifest is rotated later");
                self.rotate_at += self.len / 2;
                Ok(())
            }
            Err(error) => Err(self.fail(format!("its rotation failed: {error}"))),
        }
    }

    /// Whether the name still leads to the file that is open: the rename was not reached.
    fn named_is_old(&self) -> bool {
        self.fs.open(&self.path).and_then(|file| file.len()).is_ok_and(|len| len == self.len + self.last.len() as u64)
    }

    fn closed(&self, reason: &str) -> Error {
        Error::external(format!("manifest {} is closed: {reason}", self.path.display()))
            .with_hint("restart the server: it recovers from what is on the disk")
    }

    fn fail(&mut self, reason: String) -> Error {
        let error = self.closed(&reason);
        tracing::error!(%error, "the manifest cannot be written any more, the server has to stop");
        self.failed = Some(reason);
        error
    }
}

fn fresh_path(path: &Path) -> PathBuf {
    path.with_extension("new")
}

/// Without a manifest nothing in the folder has happened; but data without one is a loss that must not go unnoticed.
fn refuse_orphans(folder: &DataFolder) -> Result<()> {
    for dir in [folder.topics(), folder.state()] {
        let entries = folder.fs().list(&dir).map_err(|e| Error::io("list", dir.display(), e))?;
        if let Some(found) = entries.first() {
            return Err(Error::external(format!(
                "data folder {} has no manifest, but data: {}",
                folder.root().display(),
                found.path.display()
            ))
            .with_code(Code::Corrupt)
            .with_hint("restore the file `manifest` from a copy, or start on an empty folder with --data DIR"));
        }
    }
    Ok(())
}

/// Writes header and snapshot beside the file, syncs, renames over it, syncs the folder.
fn write_whole(fs: &SharedFs, path: &Path, state: &ManifestState) -> Result<Fresh> {
    let fresh = fresh_path(path);
    let mut bytes = MAGIC.to_vec();
    bytes.extend_from_slice(&VERSION.to_le_bytes());
    let last = frame(1, &[Change::Snapshot(Box::new(state.clone()))])?;
    bytes.extend_from_slice(&last);
    let len = bytes.len() as u64;
    bytes.extend_from_slice(&last);
    let write = || {
        let file = fs.open_append(&fresh)?;
        file.truncate(0)?;
        file.append(&bytes)?;
        file.sync()?;
        fs.rename(&fresh, path)?;
        fs.sync_dir(path.parent().unwrap_or(Path::new(".")))?;
        Ok(file)
    };
    let file = write().map_err(|e| Error::io("write manifest", path.display(), e))?;
    Ok(Fresh { file, len, last })
}

fn frame(sequence: u64, changes: &(impl serde::Serialize + ?Sized)) -> Result<Vec<u8>> {
    let mut out = vec![0; FRAME_BYTES];
    serde_json::to_writer(&mut out, changes).map_err(|e| Error::bug(format!("manifest record: {e}")))?;
    let length = u32::try_from(out.len() - FRAME_BYTES).map_err(|_| Error::bug("a manifest record above 4 GiB"))?;
    out[..4].copy_from_slice(&length.to_le_bytes());
    out[8..16].copy_from_slice(&sequence.to_le_bytes());
    let crc = crc32c::crc32c(&out[8..]);
    out[4..8].copy_from_slice(&crc.to_le_bytes());
    Ok(out)
}

/// What a start says of a manifest that is not as it was written; an error where it cannot be opened.
pub(crate) fn tell(path: &Path, fault: &Fault) -> Result<()> {
    let Fault { position, reason, severity } = fault;
    match severity {
        Severity::Torn => {
            tracing::warn!(path = %path.display(), from = position, "a torn record was cut");
            Ok(())
        }
        Severity::Mended => {
            tracing::error!("manifest {} is damaged at byte {position}: {reason}", path.display());
            Ok(())
        }
        Severity::Fatal => {
            Err(Error::external(format!("manifest {} is damaged at byte {position}: {reason}", path.display()))
                .with_code(Code::Corrupt)
                .with_hint("restore this file from a copy of the data folder; nothing was changed"))
        }
        Severity::Unknown => Err(Error::user(format!("manifest {} cannot be read: {reason}", path.display()))
            .with_code(Code::NotSupported)
            .with_hint("start the version of Arus that wrote it")),
    }
}
