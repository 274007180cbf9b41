//! From a backup to a data folder.

use std::path::Path;

use arus_core::fs::SharedFs;
use arus_core::read::Cut;
use arus_core::{Error, Result};

use super::list::verify;
use super::{Folders, copy, empty_folder};
use crate::manifest::{Change, Manifest, replay, tell};

const MANIFEST: &str = "manifest";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Restored {
    pub cut: Cut,
    pub as_of_ms: i64,
    pub files: usize,
    pub bytes: u64,
}

/// Checks every file of the backup before anything is written, then copies them to `data`, which has to be missing or empty.
///
/// The incarnation is raised to the time in seconds: the server that was backed up may have started many times since, and no
/// number may mean two starts. The manifest comes last: without it a server refuses what else is there.
pub fn restore(fs: &SharedFs, backup: &Path, data: &Path, now_ms: i64) -> Result<Restored> {
    let list = verify(fs, backup)?;
    let path = backup.join(MANIFEST);
    let bytes = fs.read(&path).map_err(|e| Error::io("read", path.display(), e))?;
    let found = replay(&bytes);
    if let Some(fault) = &found.fault {
        tell(&path, fault)?;
    }
    let mut state = found.state.ok_or_else(|| Error::bug("a manifest that can be read has a record"))?;
    let listed = |path: &str| list.files.iter().any(|f| f.path == path);
    if let Some(missing) =
        state.checkpoint.iter().flat_map(|c| &c.files).find(|f| !listed(&format!("state/{}", f.name)))
    {
        return Err(Error::external(format!("backup {} has no state file {}", backup.display(), missing.name))
            .with_code(arus_core::error::Code::Corrupt)
            .with_hint("use another backup; nothing was written"));
    }
    empty_folder(fs, data, "data folder")?;
    let copied = || list.files.iter().filter(|f| f.path != MANIFEST);
    let folders = Folders::make(fs, data, copied().map(|f| f.path.as_str()))?;
    for file in copied() {
        let crc = copy(fs, &backup.join(&file.path), &data.join(&file.path), file.bytes)?;
        if crc != file.crc32c {
            return Err(Error::external(format!("{} changed while it was copied", backup.join(&file.path).display()))
                .with_hint("remove the new folder, and restore again"));
        }
    }
    folders.sync(fs)?;
    let seconds = u64::try_from(now_ms / 1_000).unwrap_or(0);
    let incarnation = seconds.max(state.incarnation + 1);
    state.apply(&Change::Incarnation { incarnation, started_ms: now_ms });
    Manifest::write_snapshot(fs, &data.join(MANIFEST), &state)?;
    Ok(Restored { cut: list.cut, as_of_ms: list.as_of_ms, files: list.files.len(), bytes: list.bytes() })
}
