//! Small files that are written as a whole: what is kept beside checkpoints, such as what an alert has told.
//!
//! A file is its old content or its new one, whatever happens meanwhile. Format: docs/formats/kept.md.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use arus_core::error::Code;
use arus_core::fs::SharedFs;
use arus_core::{Error, Result};

const MAGIC: &[u8; 8] = b"ARUSKPT\0";
const VERSION: u32 = 1;
/// Magic, version, checksum, length.
const HEADER_BYTES: usize = 24;
/// Of a file that is not complete.
const UNFINISHED: &str = "new";

#[derive(Clone)]
pub struct KeptFiles {
    fs: SharedFs,
    dir: PathBuf,
}

impl KeptFiles {
    pub fn open(fs: SharedFs, dir: &Path) -> Result<Self> {
        fs.create_dir_all(dir).map_err(|e| Error::io("create", dir.display(), e))?;
        Ok(KeptFiles { fs, dir: dir.to_path_buf() })
    }

    /// Durable when it returns.
    pub fn save(&self, name: &str, content: &[u8]) -> Result<()> {
        let path = self.dir.join(name);
        let fresh = path.with_extension(UNFINISHED);
        let mut bytes = MAGIC.to_vec();
        bytes.extend_from_slice(&VERSION.to_le_bytes());
        bytes.extend_from_slice(&crc32c::crc32c(content).to_le_bytes());
        bytes.extend_from_slice(&(content.len() as u64).to_le_bytes());
        bytes.extend_from_slice(content);
        let write = || {
            let file = self.fs.open_append(&fresh)?;
            file.truncate(0)?;
            file.append(&bytes)?;
            file.sync()?;
            self.fs.rename(&fresh, &path)?;
            self.fs.sync_dir(&self.dir)
        };
        write().map_err(|e| Error::io("write", path.display(), e))
    }

    /// `None`: it was never saved.
    pub fn load(&self, name: &str) -> Result<Option<Vec<u8>>> {
        let path = self.dir.join(name);
        let bytes = match self.fs.read(&path) {
            Ok(bytes) => bytes,
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(Error::io("read", path.display(), e)),
        };
        let damaged =
            |reason: &str| Error::data(format!("{} is damaged: {reason}", path.display())).with_code(Code::Corrupt);
        let word = |at: usize| bytes.get(at..at + 4).and_then(|b| b.try_into().ok()).map(u32::from_le_bytes);
        if !bytes.starts_with(MAGIC) {
            return Err(damaged("it does not begin as such a file does"));
        }
        if word(8) != Some(VERSION) {
            return Err(damaged("its version is not known"));
        }
        let length = bytes.get(16..HEADER_BYTES).and_then(|b| b.try_into().ok()).map(u64::from_le_bytes);
        let content = bytes.get(HEADER_BYTES..).unwrap_or_default();
        if length != Some(content.len() as u64) {
            return Err(damaged("it is cut short"));
        }
        if word(12) != Some(crc32c::crc32c(content)) {
            return Err(damaged("its checksum is wrong"));
        }
        Ok(Some(content.to_vec()))
    }

    pub fn remove(&self, name: &str) -> Result<()> {
        let path = self.dir.join(name);
        match self.fs.remove_file(&path) {
            Ok(()) => Ok(()),
            Err(e) if e.kind() == ErrorKind::NotFound => Ok(()),
            Err(e) => Err(Error::io("remove", path.display(), e)),
        }
    }

    /// Of all that are saved, in their order.
    pub fn names(&self) -> Result<Vec<String>> {
        let entries = self.fs.list(&self.dir).map_err(|e| Error::io("list", self.dir.display(), e))?;
        let name = |path: &Path| path.file_name().and_then(|name| name.to_str()).map(str::to_string);
        let whole = |path: &PathBuf| path.extension().is_none_or(|e| e != UNFINISHED);
        Ok(entries.into_iter().filter(|e| !e.is_dir).map(|e| e.path).filter(whole).filter_map(|p| name(&p)).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::MemoryFs;

    #[test]
    fn a_file_is_old_or_new_and_damage_is_told() {
        let fs = MemoryFs::new().shared();
        let dir = Path::new("/data/alerts");
        let kept = KeptFiles::open(fs.clone(), dir).expect("opens");
        assert_eq!(kept.load("a").expect("is nothing"), None);
        kept.save("a", b"one").expect("is saved");
        kept.save("a", b"two and more").expect("is saved");
        // A crash before the rename.
        fs.open_append(&dir.join("a.new")).and_then(|f| f.append(b"half")).expect("is written");
        assert_eq!(kept.load("a").expect("is whole").as_deref(), Some(b"two and more".as_slice()));
        assert_eq!(kept.names().expect("are listed"), ["a"]);
        let file = fs.open_append(&dir.join("a")).expect("opens");
        for at in 0..file.len().expect("has a length") {
            let mut byte = [0];
            file.read_exact_at(at, &mut byte).expect("is read");
            file.write_at(at, &[byte[0] ^ 1]).expect("is written");
            assert_eq!(kept.load("a").expect_err("is damaged").code(), Code::Corrupt, "byte {at}");
            file.write_at(at, &byte).expect("is written");
        }
        kept.remove("a").expect("is removed");
        kept.remove("a").expect("is not there");
        assert_eq!(kept.load("a").expect("is nothing"), None);
    }
}
