//! A project: a folder in git with `pipelines/*.sql`, `dashboards/*.yaml`, `tests/*.sql` and `arus.toml`.

pub(crate) mod apply;
pub(crate) mod dev;
pub(crate) mod init;
pub(crate) mod test;
mod test_file;
mod test_report;

use std::path::{Path, PathBuf};

use arus_core::fs::Fs;
use arus_core::{Error, Result};
use arus_storage::DiskFs;

use crate::run::read_script;

/// A file of the project: its path below the folder, and its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ProjectFile {
    pub(crate) name: String,
    pub(crate) text: String,
}

/// The files of `folder/part` that end like this, by name. A part that is not there has none.
pub(crate) fn files(folder: &Path, part: &str, ending: &str) -> Result<Vec<ProjectFile>> {
    let within = folder.join(part);
    paths(&within, ending)?
        .into_iter()
        .map(|path| {
            let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
            Ok(ProjectFile { name: format!("{part}/{name}"), text: read_script(&path)? })
        })
        .collect()
}

/// Paths of the files in a folder that end like this, by name.
pub(crate) fn paths(folder: &Path, ending: &str) -> Result<Vec<PathBuf>> {
    let entries = match DiskFs.list(folder) {
        Ok(entries) => entries,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(vec![]),
        Err(e) => return Err(Error::io("read", folder.display(), e)),
    };
    let mut paths: Vec<PathBuf> = entries.into_iter().filter(|e| !e.is_dir).map(|e| e.path).collect();
    paths.retain(|path| path.extension().is_some_and(|e| e == ending));
    paths.sort();
    Ok(paths)
}

/// The folder with `pipelines/`, which a path may name or lie in.
pub(crate) fn folder_of(path: &Path) -> Result<PathBuf> {
    let exists = |path: &Path| match DiskFs.exists(path) {
        // Below a file there is nothing.
        Err(e) if e.kind() == std::io::ErrorKind::NotADirectory => Ok(false),
        found => found.map_err(|e| Error::io("look at", path.display(), e)),
    };
    if !exists(path)? {
        return Err(
            Error::user(format!("'{}' does not exist", path.display())).with_hint("`arus init DIR` makes a project")
        );
    }
    let absolute = DiskFs.canonicalize(path).map_err(|e| Error::io("find", path.display(), e))?;
    for folder in absolute.ancestors().take(3) {
        if exists(&folder.join("pipelines"))? {
            return Ok(folder.to_path_buf());
        }
    }
    Err(Error::user(format!("'{}' is no project: there is no folder pipelines/ in it", path.display()))
        .with_hint("a project has its SQL in pipelines/*.sql; `arus init DIR` makes one"))
}

/// Writes the file whole or not at all.
pub(crate) fn write_file(path: &Path, text: &str) -> Result<()> {
    let failed = |e| Error::io("write", path.display(), e);
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(".new");
    let beside = path.with_file_name(name);
    if DiskFs.exists(&beside).map_err(failed)? {
        DiskFs.remove_file(&beside).map_err(failed)?;
    }
    DiskFs.open_append(&beside).and_then(|file| file.append(text.as_bytes())).map_err(failed)?;
    DiskFs.rename(&beside, path).map_err(failed)
}
