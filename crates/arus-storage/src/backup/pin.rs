//! The files of a checkpoint, held by a second name each.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use arus_core::fs::SharedFs;
use arus_core::read::Cut;
use arus_core::{Error, Result};
use serde::{Deserialize, Serialize};

use super::{Folders, copy};
use crate::DataFolder;
use crate::folder::{ALERTS, DASHBOARDS};
use crate::kept::KeptFiles;
use crate::log::Log;
use crate::manifest::{Manifest, ManifestState, replay};

const PINS: &str = "backup";

/// What a backup is made of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pinned {
    /// Where the files are, each under its path.
    pub folder: PathBuf,
    /// Whose they are.
    pub data: PathBuf,
    pub cut: Cut,
    pub as_of_ms: i64,
    pub files: Vec<PinnedFile>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PinnedFile {
    pub path: String,
    /// So many of them from the start; there may be more by now.
    pub bytes: u64,
    /// Never written again: a link is as good as a copy.
    pub fixed: bool,
}

/// Pins all that `state` names, in a new folder of this name. Nothing that it names may go until it returns, and no topic may
/// be dropped.
pub fn pin(folder: &DataFolder, log: &Log, state: &ManifestState, name: &str) -> Result<Pinned> {
    let fs = folder.fs();
    let root = folder.root().join(PINS).join(name);
    let mut files = vec![];
    if let Some(checkpoint) = &state.checkpoint {
        files.extend(checkpoint.files.iter().map(|f| fixed(format!("state/{}", f.name), f.bytes)));
        for outbox in &checkpoint.outboxes {
            let path = format!("outbox/{}", outbox.name);
            let bytes = length(fs, &folder.root().join(&path))?;
            files.push(fixed(path, bytes));
        }
    }
    for (topic, markers) in topics(state) {
        let Some(topic) = log.topic(topic) else { continue };
        for (number, partition) in topic.partitions().iter().enumerate() {
            let end = markers.and_then(|ends| ends.get(number)).copied().unwrap_or(0);
            for path in partition.carried_files()? {
                let bytes = length(fs, &path)?;
                files.push(PinnedFile { path: relative(folder.root(), &path)?, bytes, fixed: false });
            }
            for segment in partition.segments_below(end)? {
                let path = relative(folder.root(), &segment.path)?;
                files.push(PinnedFile { path, bytes: segment.bytes, fixed: segment.fixed });
                if segment.fixed
                    && let Some(footer) = segment.footer
                {
                    let bytes = length(fs, &footer)?;
                    files.push(PinnedFile { path: relative(folder.root(), &footer)?, bytes, fixed: false });
                }
            }
        }
    }
    let alerts = alerts(fs, folder.root())?;
    let dashboards = dashboards(fs, folder.root())?;
    let all = files.iter().map(|f| f.path.as_str()).chain(alerts.iter().chain(&dashboards).map(String::as_str));
    let folders = Folders::make(fs, &root, all)?;
    for file in &files {
        let (from, to) = (folder.root().join(&file.path), root.join(&file.path));
        fs.hard_link(&from, &to).map_err(|e| {
            Error::io("pin", from.display(), e)
                .with_hint("the disk has to know hard links; else stop the server, and make the backup then")
        })?;
    }
    for path in alerts {
        let to = root.join(&path);
        match fs.hard_link(&folder.root().join(&path), &to) {
            // A file that is written anew is another one: what was linked stays as it is.
            Ok(()) => files.push(fixed(path, length(fs, &to)?)),
            // The alert was dropped meanwhile.
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
            Err(e) => return Err(Error::io("pin", to.display(), e)),
        }
    }
    for path in dashboards {
        let from = folder.root().join(&path);
        // It may have gone meanwhile.
        if fs.exists(&from).map_err(|e| Error::io("look for", from.display(), e))? {
            let bytes = length(fs, &from)?;
            copy(fs, &from, &root.join(&path), bytes)?;
            files.push(PinnedFile { path, bytes, fixed: false });
        }
    }
    let bytes = Manifest::write_snapshot(fs, &root.join("manifest"), state)?;
    files.push(PinnedFile { path: "manifest".into(), bytes, fixed: false });
    folders.sync(fs)?;
    let (cut, as_of_ms) = named(state);
    Ok(Pinned { folder: root, data: folder.root().to_path_buf(), cut, as_of_ms, files })
}

/// The same for a folder that no server uses: nothing changes meanwhile. The caller holds its lock.
pub fn pin_stopped(fs: &SharedFs, data: &Path) -> Result<Pinned> {
    let path = data.join("manifest");
    let bytes = fs.read(&path).map_err(|e| Error::io("read", path.display(), e))?;
    let found = replay(&bytes);
    if let Some(fault) = &found.fault {
        crate::manifest::tell(&path, fault)?;
    }
    let state = found.state.ok_or_else(|| Error::bug("a manifest that can be read has a record"))?;
    let mut files = vec![PinnedFile { path: "manifest".into(), bytes: bytes.len() as u64, fixed: false }];
    let named_files = state.checkpoint.iter().flat_map(|c| &c.files).map(|f| format!("state/{}", f.name));
    let outboxes = state.checkpoint.iter().flat_map(|c| &c.outboxes).map(|o| format!("outbox/{}", o.name));
    for path in named_files.chain(outboxes).chain(alerts(fs, data)?) {
        let bytes = length(fs, &data.join(&path))?;
        files.push(fixed(path, bytes));
    }
    for path in dashboards(fs, data)? {
        let bytes = length(fs, &data.join(&path))?;
        files.push(PinnedFile { path, bytes, fixed: false });
    }
    let mut dirs: Vec<PathBuf> = topics(&state).map(|(id, _)| data.join("topics").join(id.to_string())).collect();
    while let Some(dir) = dirs.pop() {
        if !fs.exists(&dir).map_err(|e| Error::io("look for", dir.display(), e))? {
            continue;
        }
        for entry in fs.list(&dir).map_err(|e| Error::io("list", dir.display(), e))? {
            match entry.is_dir {
                true => dirs.push(entry.path),
                // A start may write the tail of any of them again.
                false => {
                    files.push(PinnedFile { path: relative(data, &entry.path)?, bytes: entry.len, fixed: false });
                }
            }
        }
    }
    let (cut, as_of_ms) = named(&state);
    Ok(Pinned { folder: data.to_path_buf(), data: data.to_path_buf(), cut, as_of_ms, files })
}

/// What alerts have told: those files are not named by the manifest.
fn alerts(fs: &SharedFs, data: &Path) -> Result<Vec<String>> {
    let dir = data.join(ALERTS);
    if !fs.exists(&dir).map_err(|e| Error::io("look for", dir.display(), e))? {
        return Ok(vec![]);
    }
    let names = KeptFiles::open(fs.clone(), &dir)?.names()?;
    Ok(names.into_iter().map(|name| format!("{ALERTS}/{name}")).collect())
}

/// Files that people edit, in place too: they are copied, since a link would be edited with them.
fn dashboards(fs: &SharedFs, data: &Path) -> Result<Vec<String>> {
    let dir = data.join(DASHBOARDS);
    let entries = match fs.list(&dir) {
        Ok(entries) => entries,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(vec![]),
        Err(e) => return Err(Error::io("list", dir.display(), e)),
    };
    let yaml = entries.into_iter().filter(|e| !e.is_dir && e.path.extension().is_some_and(|x| x == "yaml"));
    // A name that is no text is none of a dashboard.
    Ok(yaml.filter_map(|e| relative(data, &e.path).ok()).collect())
}

/// The topics of the catalog, with their known ends.
fn topics(state: &ManifestState) -> impl Iterator<Item = (u64, Option<&Vec<i64>>)> {
    let ids: BTreeSet<u64> = state.catalog.values().filter_map(|item| item.topic).collect();
    let checkpoint = state.checkpoint.as_ref();
    ids.into_iter().map(move |id| {
        let ends = checkpoint.and_then(|c| c.markers.get(&id).or_else(|| c.synced.get(&id)));
        (id, ends)
    })
}

/// Takes the second names away again.
pub fn unpin(fs: &SharedFs, pinned: &Path) -> Result<()> {
    fs.remove_dir_all(pinned).map_err(|e| Error::io("remove", pinned.display(), e))
}

/// Pins of a server that is gone.
pub fn unpin_all(folder: &DataFolder) -> Result<()> {
    let pins = folder.root().join(PINS);
    match folder.fs().exists(&pins).map_err(|e| Error::io("look for", pins.display(), e))? {
        true => unpin(folder.fs(), &pins),
        false => Ok(()),
    }
}

fn named(state: &ManifestState) -> (Cut, i64) {
    let nothing = Cut { incarnation: state.incarnation, epoch: 0 };
    state.checkpoint.as_ref().map_or((nothing, state.started_ms), |c| (c.cut, c.as_of_ms))
}

fn fixed(path: String, bytes: u64) -> PinnedFile {
    PinnedFile { path, bytes, fixed: true }
}

fn length(fs: &SharedFs, path: &Path) -> Result<u64> {
    fs.open(path).and_then(|file| file.len()).map_err(|e| Error::io("look at", path.display(), e))
}

fn relative(root: &Path, path: &Path) -> Result<String> {
    let inside = path.strip_prefix(root).ok().and_then(Path::to_str);
    inside.map(str::to_string).ok_or_else(|| Error::bug(format!("{} is not in {}", path.display(), root.display())))
}
