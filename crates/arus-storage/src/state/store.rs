//! The folder of state files. The manifest decides which of them count; all others go.

use std::collections::BTreeSet;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use arus_core::fs::SharedFs;
use arus_core::key_group::KEY_GROUPS;
use arus_core::plan::Uid;
use arus_core::read::Cut;
use arus_core::{Error, Result};
use serde::{Deserialize, Serialize};

use super::delta::{DeltaEntry, StateDelta, place};
use super::file::{StateDamage, StateFileReader, StateFileWriter};

/// A state file as the manifest names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateFileRef {
    /// In the folder of state files.
    pub name: String,
    /// The newest epoch in it.
    pub cut: Cut,
    /// Holds all state up to that epoch: nothing older is needed.
    pub full: bool,
    pub bytes: u64,
    pub entries: u64,
}

#[derive(Clone)]
pub struct StateStore {
    fs: SharedFs,
    dir: PathBuf,
}

impl StateStore {
    pub fn open(fs: SharedFs, dir: &Path) -> Result<Self> {
        fs.create_dir_all(dir).map_err(|e| Error::io("create", dir.display(), e))?;
        Ok(StateStore { fs, dir: dir.to_path_buf() })
    }

    /// A folder that is only read.
    pub(crate) fn at(fs: SharedFs, dir: &Path) -> Self {
        StateStore { fs, dir: dir.to_path_buf() }
    }

    /// Reads a whole file past its damage: its entries that can be read, and what cannot.
    pub(crate) fn read_file(&self, file: &StateFileRef) -> Result<(u64, Vec<StateDamage>)> {
        let path = self.dir.join(&file.name);
        let (reader, mut damages) = StateFileReader::open_damaged(self.fs.as_ref(), &path, file, (0, KEY_GROUPS))?;
        let Some(reader) = reader else { return Ok((0, damages)) };
        let mut entries = 0;
        let mut merged = Merged { readers: vec![reader] };
        merged.for_each(|_| {
            entries += 1;
            Ok(())
        })?;
        damages.extend(merged.readers.into_iter().flat_map(StateFileReader::into_damages));
        Ok((entries, damages))
    }

    /// Writes one file with the delta, synced with its folder.
    pub fn write_delta(&self, cut: Cut, delta: &StateDelta) -> Result<StateFileRef> {
        let name = self.new_name(cut, "delta")?;
        self.write(name, cut, false, |writer| delta.sorted().iter().try_for_each(|entry| writer.push(entry)))
    }

    /// One file in place of several, which come oldest first. `full`: they are all files of the checkpoint up to the last of
    /// them, so that deleted keys need no trace.
    pub fn merge(&self, files: &[StateFileRef], full: bool) -> Result<StateFileRef> {
        let cut = files.last().ok_or_else(|| Error::bug("a merge of no state files"))?.cut;
        self.merge_as(&self.new_name(cut, "merge")?, files, (full, None), &AtomicBool::new(false))
    }

    /// The same under this name, without state that is not `owned`, given up when `stop` is set.
    pub(super) fn merge_as(
        &self,
        name: &str,
        files: &[StateFileRef],
        (full, owned): (bool, Option<&BTreeSet<Uid>>),
        stop: &AtomicBool,
    ) -> Result<StateFileRef> {
        let cut = files.last().ok_or_else(|| Error::bug("a merge of no state files"))?.cut;
        let mut merged = Merged::open(self, files, 0..KEY_GROUPS)?;
        self.write(name.to_string(), cut, full, |writer| {
            merged.for_each(|entry| {
                if stop.load(Relaxed) {
                    return Err(Error::external("the server is stopping"));
                }
                let gone = full && entry.value.is_none() || owned.is_some_and(|owned| !owned.contains(&entry.uid));
                if gone { Ok(()) } else { writer.push(&entry) }
            })
        })
    }

    /// Reads the whole file: an error when it is not what the manifest says.
    pub fn check(&self, file: &StateFileRef) -> Result<()> {
        let mut entries = 0;
        Merged::open(self, std::slice::from_ref(file), 0..KEY_GROUPS)?.for_each(|_| {
            entries += 1;
            Ok(())
        })?;
        if entries == file.entries {
            return Ok(());
        }
        let path = self.dir.join(&file.name);
        let message = format!("state file {} has {entries} entries instead of {}", path.display(), file.entries);
        Err(Error::external(message)
            .with_code(arus_core::error::Code::Corrupt)
            .with_hint("restore this file from a copy of the same data folder"))
    }

    /// Gives every entry of these key groups, the newest of each key, by uid, key group and key. Deleted keys are left out.
    pub fn restore(
        &self,
        files: &[StateFileRef],
        key_groups: Range<u16>,
        mut visit: impl FnMut(Uid, u16, &[u8], &[u8]) -> Result<()>,
    ) -> Result<()> {
        Merged::open(self, files, key_groups)?.for_each(|entry| match entry.value {
            Some(value) => visit(entry.uid, entry.key_group, entry.key, value),
            None => Ok(()),
        })
    }

    /// [`StateStore::restore`] of all that can be read: what cannot is stepped over and given back. State of the operators
    /// that it hits is not whole, and may be older than it was.
    pub fn restore_readable(
        &self,
        files: &[StateFileRef],
        mut visit: impl FnMut(Uid, u16, &[u8], &[u8]) -> Result<()>,
    ) -> Result<Vec<StateDamage>> {
        let mut damages = vec![];
        let mut readers = vec![];
        for file in files {
            let path = self.dir.join(&file.name);
            let (reader, found) = StateFileReader::open_damaged(self.fs.as_ref(), &path, file, (0, KEY_GROUPS))?;
            readers.extend(reader);
            damages.extend(found);
        }
        let mut merged = Merged { readers };
        merged.for_each(|entry| match entry.value {
            Some(value) => visit(entry.uid, entry.key_group, entry.key, value),
            None => Ok(()),
        })?;
        damages.extend(merged.readers.into_iter().flat_map(StateFileReader::into_damages));
        Ok(damages)
    }

    /// Removes every file that neither `named` nor `also` names. Call it after the record that names them is durable.
    pub fn remove_unreferenced(&self, named: &[StateFileRef], also: Option<&str>) -> Result<usize> {
        let names = named.iter().map(|file| file.name.as_str()).chain(also);
        let named: BTreeSet<PathBuf> = names.map(|name| self.dir.join(name)).collect();
        let entries = self.fs.list(&self.dir).map_err(|e| Error::io("list", self.dir.display(), e))?;
        let mut removed = 0;
        for entry in entries.into_iter().filter(|e| !e.is_dir && !named.contains(&e.path)) {
            self.fs.remove_file(&entry.path).map_err(|e| Error::io("remove", entry.path.display(), e))?;
            removed += 1;
        }
        if removed > 0 {
            self.fs.sync_dir(&self.dir).map_err(|e| Error::io("sync", self.dir.display(), e))?;
        }
        Ok(removed)
    }

    fn write(
        &self,
        name: String,
        cut: Cut,
        full: bool,
        fill: impl FnOnce(&mut StateFileWriter) -> Result<()>,
    ) -> Result<StateFileRef> {
        let path = self.dir.join(&name);
        let write = || {
            let mut writer = StateFileWriter::create(self.fs.as_ref(), &path, cut, full)?;
            fill(&mut writer)?;
            let (bytes, entries) = writer.finish()?;
            self.fs.sync_dir(&self.dir).map_err(|e| Error::io("sync", self.dir.display(), e))?;
            Ok(StateFileRef { name: name.clone(), cut, full, bytes, entries })
        };
        write().inspect_err(|_| {
            // Nobody names it; what stays is removed with the next unreferenced files.
            if let Err(error) = self.fs.remove_file(&path) {
                tracing::warn!(path = %path.display(), %error, "an unfinished state file stays for now");
            }
        })
    }

    /// A name that no file has: one of an earlier attempt may still be referenced.
    pub(super) fn new_name(&self, cut: Cut, kind: &str) -> Result<String> {
        let mut n = 0u32;
        loop {
            let name = format!("{:08}-{:012}-{kind}-{n}.state", cut.incarnation, cut.epoch);
            let path = self.dir.join(&name);
            if !self.fs.exists(&path).map_err(|e| Error::io("look for", path.display(), e))? {
                return Ok(name);
            }
            n += 1;
        }
    }
}

/// Several files read as one.
struct Merged {
    /// Oldest first.
    readers: Vec<StateFileReader>,
}

impl Merged {
    fn open(store: &StateStore, files: &[StateFileRef], key_groups: Range<u16>) -> Result<Self> {
        let mut readers = vec![];
        for file in files {
            let path = store.dir.join(&file.name);
            let reader = StateFileReader::open(store.fs.as_ref(), &path, (key_groups.start, key_groups.end))?;
            if reader.cut() != file.cut {
                return Err(Error::external(format!("state file {} is of another epoch", path.display()))
                    .with_code(arus_core::error::Code::Corrupt)
                    .with_hint("restore this file from a copy of the same data folder"));
            }
            readers.push(reader);
        }
        Ok(Merged { readers })
    }

    fn for_each(&mut self, mut visit: impl FnMut(DeltaEntry<'_>) -> Result<()>) -> Result<()> {
        let mut key = vec![];
        loop {
            // The least place; of equal ones the newest file's entry, which is met last.
            let mut least: Option<(usize, Uid, u16)> = None;
            for i in 0..self.readers.len() {
                let Some(entry) = self.readers[i].peek()? else { continue };
                let smaller_or_same = least.is_none_or(|(_, uid, group)| place(&entry) <= (uid, group, key.as_slice()));
                if smaller_or_same {
                    least = Some((i, entry.uid, entry.key_group));
                    key.clear();
                    key.extend_from_slice(entry.key);
                }
            }
            let Some((newest, uid, group)) = least else { return Ok(()) };
            if let Some(entry) = self.readers[newest].peek()? {
                visit(entry)?;
            }
            for reader in &mut self.readers {
                let same = reader.peek()?.is_some_and(|entry| place(&entry) == (uid, group, key.as_slice()));
                if same {
                    reader.advance();
                }
            }
        }
    }
}
