//! The list of a backup's files, and whether they are what it says.

use std::path::Path;

use arus_core::error::Code;
use arus_core::fs::SharedFs;
use arus_core::read::Cut;
use arus_core::{Error, Result};
use serde::{Deserialize, Serialize};

use super::{is_inside, read_through};

/// Its name in the folder.
const LIST: &str = "BACKUP";
const FORMAT: u32 = 1;
/// Damaged files that a message names.
const NAMED: usize = 10;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupList {
    /// Of the list; the files have their own.
    pub format: u32,
    /// The version of Arus that made it.
    pub arus: String,
    pub made_ms: i64,
    /// The checkpoint.
    pub cut: Cut,
    pub as_of_ms: i64,
    pub files: Vec<ListedFile>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListedFile {
    /// In the backup and in the data folder.
    pub path: String,
    pub bytes: u64,
    pub crc32c: u32,
}

impl BackupList {
    pub(super) fn new(version: &str, made_ms: i64, cut: Cut, as_of_ms: i64, files: Vec<ListedFile>) -> Self {
        BackupList { format: FORMAT, arus: version.into(), made_ms, cut, as_of_ms, files }
    }

    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|f| f.bytes).sum()
    }

    /// Written beside its name, synced and renamed.
    pub(super) fn write(&self, fs: &SharedFs, folder: &Path) -> Result<()> {
        let mut text = serde_json::to_string_pretty(self).map_err(|e| Error::bug(format!("the list: {e}")))?;
        let crc = crc32c::crc32c(text.as_bytes());
        text.push_str(&format!("\ncrc32c {crc:08x}\n"));
        let (path, fresh) = (folder.join(LIST), folder.join("BACKUP.new"));
        let write = || {
            let file = fs.open_append(&fresh)?;
            file.truncate(0)?;
            file.append(text.as_bytes())?;
            file.sync()?;
            fs.rename(&fresh, &path)?;
            fs.sync_dir(folder)
        };
        write().map_err(|e| Error::io("write", path.display(), e))
    }

    fn read(fs: &SharedFs, folder: &Path) -> Result<Self> {
        let path = folder.join(LIST);
        if !is_backup(fs, folder)? {
            return Err(Error::user(format!("{} is no backup: it has no file {LIST}", folder.display()))
                .with_code(Code::InvalidValue)
                .with_hint("the list is written last: a backup without it was cut short; make it again"));
        }
        let bytes = fs.read(&path).map_err(|e| Error::io("read", path.display(), e))?;
        let damaged = |reason: &str| {
            Error::external(format!("{} is damaged: {reason}", path.display()))
                .with_code(Code::Corrupt)
                .with_hint("use another backup; nothing was written")
        };
        let text = String::from_utf8(bytes).map_err(|_| damaged("it is no text"))?;
        let (body, crc) = text.rsplit_once("\ncrc32c ").ok_or_else(|| damaged("its checksum is missing"))?;
        if u32::from_str_radix(crc.trim_end_matches('\n'), 16) != Ok(crc32c::crc32c(body.as_bytes())) {
            return Err(damaged("its checksum is wrong"));
        }
        let format = serde_json::from_str::<serde_json::Value>(body).map(|v| v["format"].as_u64());
        if let Ok(Some(format)) = format
            && format != u64::from(FORMAT)
        {
            return Err(Error::user(format!("{} has format {format}, this build reads {FORMAT}", path.display()))
                .with_code(Code::NotSupported)
                .with_hint("restore it with the version of Arus that made it"));
        }
        let list: BackupList = serde_json::from_str(body).map_err(|e| damaged(&e.to_string()))?;
        match list.files.iter().find(|f| !is_inside(&f.path)) {
            Some(file) => Err(damaged(&format!("'{}' leads out of it", file.path))),
            None => Ok(list),
        }
    }
}

/// Whether the folder says so.
pub fn is_backup(fs: &SharedFs, folder: &Path) -> Result<bool> {
    let path = folder.join(LIST);
    fs.exists(&path).map_err(|e| Error::io("look for", path.display(), e))
}

/// Reads every file of a backup: an error that names those which are not what the list says.
pub fn verify(fs: &SharedFs, backup: &Path) -> Result<BackupList> {
    let list = BackupList::read(fs, backup)?;
    let mut wrong = vec![];
    for file in &list.files {
        if let Some(reason) = fault(fs, &backup.join(&file.path), file)? {
            wrong.push(format!("{}: {reason}", file.path));
        }
    }
    if wrong.is_empty() {
        return Ok(list);
    }
    let more = wrong.len().saturating_sub(NAMED);
    wrong.truncate(NAMED);
    let more = if more > 0 { format!(", and {more} more") } else { String::new() };
    Err(Error::external(format!("backup {} is damaged: {}{more}", backup.display(), wrong.join("; ")))
        .with_code(Code::Corrupt)
        .with_hint("use another backup; nothing was written. `arus doctor` says what each file holds"))
}

fn fault(fs: &SharedFs, path: &Path, file: &ListedFile) -> Result<Option<String>> {
    let io = |e| Error::io("read", path.display(), e);
    if !fs.exists(path).map_err(io)? {
        return Ok(Some("it is missing".into()));
    }
    let found = fs.open(path).map_err(io)?;
    let len = found.len().map_err(io)?;
    if len != file.bytes {
        return Ok(Some(format!("it has {len} bytes instead of {}", file.bytes)));
    }
    let crc = read_through(found.as_ref(), len, |_| Ok(())).map_err(io)?;
    Ok((crc != Some(file.crc32c)).then(|| "its checksum is wrong".to_string()))
}
