//! The manifest: one append-only log of checksummed records, and the only commit point of the server.
//!
//! What is not in it has not happened. A record is durable when [`Manifest::append`] returns; after a failed sync nothing
//! more is written, and whether the record in doubt counts is decided by the next start. Format: docs/formats/manifest.md.

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
const VERSION: u32 = 1;
const HEADER_BYTES: usize = 12;
const FRAME_BYTES: usize = 8;

pub struct Manifest {
    fs: SharedFs,
    path: PathBuf,
    file: Arc<dyn File>,
    len: u64,
    state: ManifestState,
    rotate_at: u64,
    failed: Option<String>,
}

/// A valid prefix of the file.
struct Replayed {
    state: ManifestState,
    /// Where the last valid record starts, and where it ends.
    last: (u64, u64),
}

impl Manifest {
    /// Step 2 of recovery: reads the records, cuts a torn last one, writes the last whole one again, appends the raised
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
        if !fs.exists(&path).map_err(io("look for"))? {
            refuse_orphans(folder)?;
            let mut state = ManifestState::new();
            state.apply(&Change::Incarnation { incarnation: 1, started_ms: now_ms });
            let (file, len) = write_whole(&fs, &path, &state)?;
            return Ok(Manifest { fs, path, file, len, state, rotate_at, failed: None });
        }
        let bytes = fs.read(&path).map_err(io("read"))?;
        let Replayed { state, last: (last_start, end) } = replay(&path, &bytes)?;
        let file = fs.open_append(&path).map_err(io("open"))?;
        if end < bytes.len() as u64 {
            tracing::warn!(path = %path.display(), from = end, bytes = bytes.len() as u64 - end, "a torn record was cut");
        }
        // The whole last record may live in the page cache alone.
        file.truncate(end).map_err(io("cut the tail of"))?;
        file.write_at(last_start, &bytes[last_start as usize..end as usize]).map_err(io("write the tail again of"))?;
        let incarnation = state.incarnation + u64::from(!planted("incarnation-reused"));
        let mut manifest = Manifest { fs, path, file, len: end, state, rotate_at, failed: None };
        manifest.append(&[Change::Incarnation { incarnation, started_ms: now_ms }])?;
        let dir = folder.root();
        manifest.fs.sync_dir(dir).map_err(|e| Error::io("sync", dir.display(), e))?;
        Ok(manifest)
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
        let frame = frame(&changes)?;
        if let Err(error) = self.file.append(&frame) {
            if let Err(second) = self.file.truncate(self.len) {
                return Err(self.fail(format!("a failed append could not be taken back: {second}")));
            }
            return Err(Error::io("append to manifest", self.path.display(), error));
        }
        if !planted("manifest-not-synced")
            && let Err(error) = self.file.sync()
        {
            return Err(self.fail(format!("fsync failed: {error}")));
        }
        self.len += frame.len() as u64;
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
            Ok((file, len)) => {
                self.file = file;
                self.len = len;
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
        self.fs.open(&self.path).and_then(|file| file.len()).is_ok_and(|len| len == self.len)
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
fn write_whole(fs: &SharedFs, path: &Path, state: &ManifestState) -> Result<(Arc<dyn File>, u64)> {
    let fresh = fresh_path(path);
    let mut bytes = MAGIC.to_vec();
    bytes.extend_from_slice(&VERSION.to_le_bytes());
    bytes.extend_from_slice(&frame(&[Change::Snapshot(Box::new(state.clone()))])?);
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
    Ok((file, bytes.len() as u64))
}

fn frame(changes: &(impl serde::Serialize + ?Sized)) -> Result<Vec<u8>> {
    let mut out = vec![0; FRAME_BYTES];
    serde_json::to_writer(&mut out, changes).map_err(|e| Error::bug(format!("manifest record: {e}")))?;
    let length = u32::try_from(out.len() - FRAME_BYTES).map_err(|_| Error::bug("a manifest record above 4 GiB"))?;
    let crc = crc32c::crc32c(&out[FRAME_BYTES..]);
    out[..4].copy_from_slice(&length.to_le_bytes());
    out[4..8].copy_from_slice(&crc.to_le_bytes());
    Ok(out)
}

/// The payload of the frame at the start of `bytes`, when it is whole.
fn payload(bytes: &[u8]) -> Option<&[u8]> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    let (crc, rest) = rest.split_first_chunk::<4>()?;
    let payload = rest.get(..u32::from_le_bytes(*length) as usize)?;
    (!payload.is_empty() && crc32c::crc32c(payload) == u32::from_le_bytes(*crc)).then_some(payload)
}

fn replay(path: &Path, bytes: &[u8]) -> Result<Replayed> {
    let damaged = |position: usize, reason: &str| {
        Error::external(format!("manifest {} is damaged at byte {position}: {reason}", path.display()))
            .with_code(Code::Corrupt)
            .with_hint("restore this file from a copy of the data folder; nothing was changed")
    };
    if bytes.len() < HEADER_BYTES || &bytes[..8] != MAGIC {
        return Err(damaged(0, "it does not begin as a manifest"));
    }
    let version = u32::from_le_bytes([bytes[8], bytes[9], bytes[10], bytes[11]]);
    if version != VERSION {
        return Err(Error::user(format!(
            "manifest {} has format version {version}, this build reads version {VERSION}",
            path.display()
        ))
        .with_code(Code::NotSupported)
        .with_hint("start the version of Arus that wrote it"));
    }
    let mut state = None;
    let mut at = HEADER_BYTES;
    let mut last = (HEADER_BYTES as u64, HEADER_BYTES as u64);
    while let Some(payload) = payload(&bytes[at..]) {
        let changes: Vec<Change> =
            serde_json::from_slice(payload).map_err(|e| damaged(at, &format!("a record cannot be read: {e}")))?;
        for change in &changes {
            state.get_or_insert_with(ManifestState::new).apply(change);
        }
        let end = at + FRAME_BYTES + payload.len();
        last = (at as u64, end as u64);
        at = end;
    }
    // Records are synced one by one, so only the last one can be torn: a whole one behind means damage.
    let behind = (at + 1..bytes.len()).any(|i| payload(&bytes[i..]).is_some_and(|p| p.starts_with(b"[")));
    if behind {
        return Err(damaged(at, "a record in the middle has a wrong checksum"));
    }
    let state = state.ok_or_else(|| damaged(at, "its first record is not whole"))?;
    Ok(Replayed { state, last })
}
