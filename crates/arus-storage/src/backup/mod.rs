//! Backups: a data folder as it was at a checkpoint, with a list of its files and their checksums.
//!
//! A running server pins the files of a checkpoint ([`pin`]): a second name for each in a folder of its own, so that merges,
//! retention and DROP take nothing away. Whoever asked for it copies them ([`write`]); the list is written last, so a backup
//! without one is not whole. A file that can still change is copied, and so is everything at a restore ([`restore`]).
//! Format: docs/formats/backup.md.

mod list;
mod pin;
mod restore;
#[cfg(test)]
mod tests;
mod write;

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use arus_core::error::Code;
use arus_core::fs::{File, SharedFs};
use arus_core::{Error, Result};

pub use list::{BackupList, ListedFile, is_backup, verify};
pub use pin::{Pinned, PinnedFile, pin, pin_stopped, unpin, unpin_all};
pub use restore::{Restored, restore};
pub use write::write;

/// Bytes that are copied at once.
const COPY_BYTES: usize = 1 << 20;

/// A target has to be missing or empty.
fn empty_folder(fs: &SharedFs, target: &Path, what: &str) -> Result<()> {
    let io = |action: &'static str| move |e| Error::io(action, target.display(), e);
    if fs.exists(target).map_err(io("look for"))?
        && let Some(found) = fs.list(target).map_err(io("list"))?.first()
    {
        return Err(Error::user(format!("{what} {} is not empty: it has {}", target.display(), found.path.display()))
            .with_code(Code::Conflict)
            .with_hint("name a folder that does not exist yet"));
    }
    Ok(())
}

/// Whether a path of a list stays inside the folder.
fn is_inside(path: &str) -> bool {
    !path.is_empty() && Path::new(path).components().all(|c| matches!(c, Component::Normal(_)))
}

/// Reads the first `bytes` bytes, and gives their checksum. `None`: the file is shorter.
fn read_through(
    file: &dyn File,
    bytes: u64,
    mut each: impl FnMut(&[u8]) -> std::io::Result<()>,
) -> std::io::Result<Option<u32>> {
    let (mut crc, mut position) = (0, 0);
    let mut buffer = vec![0; COPY_BYTES.min(usize::try_from(bytes).unwrap_or(COPY_BYTES))];
    while position < bytes {
        let want = buffer.len().min(usize::try_from(bytes - position).unwrap_or(usize::MAX));
        let read = file.read_at(position, &mut buffer[..want])?;
        if read == 0 {
            return Ok(None);
        }
        crc = crc32c::crc32c_append(crc, &buffer[..read]);
        each(&buffer[..read])?;
        position += read as u64;
    }
    Ok(Some(crc))
}

/// Copies the first `bytes` bytes and syncs the copy; its checksum.
fn copy(fs: &SharedFs, from: &Path, to: &Path, bytes: u64) -> Result<u32> {
    let io = |e| Error::io("copy", format!("{} to {}", from.display(), to.display()), e);
    let source = fs.open(from).map_err(io)?;
    let target = fs.open_append(to).map_err(io)?;
    target.truncate(0).map_err(io)?;
    let crc = read_through(source.as_ref(), bytes, |chunk| target.append(chunk)).map_err(io)?;
    let crc = crc.ok_or_else(|| {
        Error::external(format!("{} is shorter than {bytes} bytes", from.display())).with_code(Code::Corrupt)
    })?;
    target.sync().map_err(io)?;
    Ok(crc)
}

/// Makes the folders of these files, and syncs all of them once the files are there.
struct Folders(BTreeSet<PathBuf>);

impl Folders {
    fn make<'a>(fs: &SharedFs, root: &Path, files: impl Iterator<Item = &'a str>) -> Result<Self> {
        let mut all = BTreeSet::from([root.to_path_buf()]);
        // A folder is there for good once the one that it is in is synced.
        for dir in root.ancestors().filter(|dir| !dir.as_os_str().is_empty()) {
            all.extend(dir.parent().filter(|p| !p.as_os_str().is_empty()).map(Path::to_path_buf));
            if fs.exists(dir).map_err(|e| Error::io("look for", dir.display(), e))? {
                break;
            }
        }
        for file in files {
            let dirs = Path::new(file).ancestors().skip(1).filter(|dir| !dir.as_os_str().is_empty());
            all.extend(dirs.map(|dir| root.join(dir)));
        }
        for dir in &all {
            fs.create_dir_all(dir).map_err(|e| Error::io("create", dir.display(), e))?;
        }
        Ok(Folders(all))
    }

    fn sync(&self, fs: &SharedFs) -> Result<()> {
        for dir in self.0.iter().rev() {
            fs.sync_dir(dir).map_err(|e| Error::io("sync", dir.display(), e))?;
        }
        Ok(())
    }
}
