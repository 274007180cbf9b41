//! From pinned files to a backup.

use std::path::Path;

use arus_core::fs::SharedFs;
use arus_core::{Error, Result};

use super::list::{BackupList, ListedFile};
use super::pin::Pinned;
use super::{Folders, copy, empty_folder, read_through};

/// Copies the pinned files to `target`, or links those that never change where `link` says so and the disk can. The list
/// comes last.
pub fn write(
    fs: &SharedFs,
    pinned: &Pinned,
    target: &Path,
    link: bool,
    version: &str,
    made_ms: i64,
) -> Result<BackupList> {
    empty_folder(fs, target, "folder")?;
    let folders = Folders::make(fs, target, pinned.files.iter().map(|f| f.path.as_str()))?;
    let mut files = vec![];
    for file in &pinned.files {
        let (from, to) = (pinned.folder.join(&file.path), target.join(&file.path));
        // Where a link is not possible (another disk), a copy always is.
        let linked = link && file.fixed && fs.hard_link(&from, &to).is_ok();
        let crc32c = if linked {
            let io = |e| Error::io("read", to.display(), e);
            let found = fs.open(&to).map_err(io)?;
            read_through(found.as_ref(), file.bytes, |_| Ok(()))
                .map_err(io)?
                .ok_or_else(|| Error::external(format!("{} is shorter than it was", to.display())))?
        } else {
            copy(fs, &from, &to, file.bytes)?
        };
        files.push(ListedFile { path: file.path.clone(), bytes: file.bytes, crc32c });
    }
    folders.sync(fs)?;
    let list = BackupList::new(version, made_ms, pinned.cut, pinned.as_of_ms, files);
    list.write(fs, target)?;
    Ok(list)
}
