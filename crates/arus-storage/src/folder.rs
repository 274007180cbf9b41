//! The data folder: its layout, and the lock that keeps a second server out.
//!
//! ```text
//! LOCK                      the process that holds it
//! manifest                  the only commit point
//! topics/ID/PARTITION/      segments and their footers
//! state/                    state files, named by the manifest
//! outbox/                   rows of exactly-once sinks that are not delivered yet
//! alerts/                   what each alert has told, and what it has still to tell
//! dashboards/               of a server without a project: YAML, which people edit
//! ```

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use arus_core::error::Code;
use arus_core::fs::SharedFs;
use arus_core::{Error, Result};

/// The folder of alerts, within the data folder.
pub(crate) const ALERTS: &str = "alerts";
/// The folder of dashboards, within the data folder.
pub const DASHBOARDS: &str = "dashboards";

pub struct DataFolder {
    fs: SharedFs,
    root: PathBuf,
    _lock: Box<dyn Send + Sync>,
}

impl DataFolder {
    /// Creates the folder where it is missing and locks it for this process.
    pub fn open(fs: SharedFs, root: &Path) -> Result<Self> {
        let name = format!("data folder {}", root.display());
        for dir in [root.to_path_buf(), root.join("topics"), root.join("state"), root.join("outbox")] {
            fs.create_dir_all(&dir).map_err(|e| Error::io("create", &name, e))?;
        }
        let lock_path = root.join("LOCK");
        let lock = fs.lock(&lock_path).map_err(|error| match error.kind() {
            ErrorKind::WouldBlock => in_use(&fs, root, &lock_path),
            _ => Error::io("lock", &name, error),
        })?;
        let write_pid = || {
            let file = fs.open_append(&lock_path)?;
            file.truncate(0)?;
            file.append(format!("{}\n", std::process::id()).as_bytes())
        };
        write_pid().map_err(|e| Error::io("write the lock of", &name, e))?;
        // The parent too: the folder itself may be new.
        if let Some(parent) = root.parent().filter(|p| !p.as_os_str().is_empty()) {
            fs.sync_dir(parent).map_err(|e| Error::io("sync the parent of", &name, e))?;
        }
        fs.sync_dir(root).map_err(|e| Error::io("sync", &name, e))?;
        Ok(DataFolder { fs, root: root.to_path_buf(), _lock: lock })
    }

    pub fn fs(&self) -> &SharedFs {
        &self.fs
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    pub fn manifest(&self) -> PathBuf {
        self.root.join("manifest")
    }

    pub fn topics(&self) -> PathBuf {
        self.root.join("topics")
    }

    pub fn state(&self) -> PathBuf {
        self.root.join("state")
    }

    pub fn outbox(&self) -> PathBuf {
        self.root.join("outbox")
    }

    pub fn alerts(&self) -> PathBuf {
        self.root.join(ALERTS)
    }

    /// Bytes of all files in the folder.
    pub fn used_bytes(&self) -> Result<u64> {
        let mut total = 0;
        let mut dirs = vec![self.root.clone()];
        // Second names of a backup under way.
        let pins = self.root.join("backup");
        while let Some(dir) = dirs.pop() {
            let entries = match self.fs.list(&dir) {
                Ok(entries) => entries,
                // Retention and merges remove files meanwhile.
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                Err(error) => return Err(Error::io("list", dir.display(), error)),
            };
            for entry in entries {
                if entry.path == pins {
                    continue;
                }
                if entry.is_dir {
                    dirs.push(entry.path);
                } else {
                    total += entry.len;
                }
            }
        }
        Ok(total)
    }

    pub fn free_bytes(&self) -> Result<u64> {
        self.fs.free_bytes(&self.root).map_err(|e| Error::io("ask the free space of", self.root.display(), e))
    }
}

fn in_use(fs: &SharedFs, root: &Path, lock: &Path) -> Error {
    let holder = fs
        .read(lock)
        .ok()
        .and_then(|text| String::from_utf8(text).ok())
        .and_then(|text| text.trim().parse::<u32>().ok())
        .map_or_else(|| "another process".to_string(), |pid| format!("process {pid}"));
    Error::user(format!("data folder {} is in use by {holder}", root.display()))
        .with_code(Code::Conflict)
        .with_hint("stop that server, or start this one on another folder with --data DIR")
}
