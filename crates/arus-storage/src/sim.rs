//! A simulated disk for tests: it knows what was synced and what was not, and can lose, tear and refuse.
//!
//! The model is the pessimistic one: bytes are durable once their file was synced, names once their folder was; a
//! failed sync drops what was dirty for ever although it can still be read (the page cache says so), and a later sync
//! of the same file "succeeds". [`MemoryFs::crash`] gives the disk as it may look after a power failure,
//! [`MemoryFs::kill`] as it looks after the process alone has died.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arus_core::fs::{DirEntry, File, Fs, SharedFs};
use arus_core::rng::Rng;

#[derive(Clone, Default)]
pub struct MemoryFs {
    disk: Arc<Mutex<Disk>>,
}

#[derive(Clone, Default)]
struct Disk {
    inodes: Vec<Inode>,
    names: BTreeMap<PathBuf, Entry>,
    durable_names: BTreeMap<PathBuf, Entry>,
    /// Changes of names since their folder was synced, in order.
    pending_names: Vec<(PathBuf, Option<Entry>)>,
    locks: BTreeSet<PathBuf>,
    writes: u64,
    syncs: u64,
    fault: Option<Fault>,
    reads: u64,
    /// This read fails.
    bad_read: Option<u64>,
    /// Nothing below this folder can be changed.
    away: Option<PathBuf>,
    /// Calls that failed because of either.
    refused: u64,
    free_bytes: Option<u64>,
    /// Changes of any kind: of bytes, lengths, names, durability.
    steps: u64,
    stop_before: Option<u64>,
    stopped: Option<Box<Disk>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Entry {
    Dir,
    File(usize),
}

#[derive(Clone, Default)]
struct Inode {
    data: Vec<u8>,
    durable: Vec<u8>,
    pending: Vec<Change>,
}

#[derive(Clone)]
enum Change {
    Write { offset: u64, bytes: Vec<u8> },
    Truncate(u64),
}

/// Which call fails, counted from 1 over all files since the disk was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Half of the bytes are written, then there is no space.
    WriteNoSpace(u64),
    /// An input/output error; nothing is written.
    Write(u64),
    /// An input/output error of a sync of a file or folder; what was dirty is lost.
    Sync(u64),
    /// The bytes land elsewhere: over those of another file. The page cache knows better, until a power failure.
    Misdirected(u64),
}

fn apply(data: &mut Vec<u8>, change: &Change) {
    match change {
        Change::Write { offset, bytes } => {
            let end = *offset as usize + bytes.len();
            if data.len() < end {
                data.resize(end, 0);
            }
            data[*offset as usize..end].copy_from_slice(bytes);
        }
        Change::Truncate(len) => data.resize(*len as usize, 0),
    }
}

fn io_failure() -> io::Error {
    io::Error::from_raw_os_error(5)
}

fn missing(path: &Path) -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, format!("no such file: {}", path.display()))
}

impl Disk {
    /// Called before each change: at the chosen one the disk is kept as it is.
    fn step(&mut self) {
        self.steps += 1;
        if self.stop_before == Some(self.steps) {
            self.stop_before = None;
            self.stopped = Some(Box::new(self.clone()));
        }
    }

    fn name(&mut self, path: PathBuf, entry: Option<Entry>) {
        self.step();
        match entry {
            Some(entry) => self.names.insert(path.clone(), entry),
            None => self.names.remove(&path),
        };
        self.pending_names.push((path, entry));
    }

    fn write(&mut self, inode: usize, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.writes += 1;
        if self.fault == Some(Fault::Misdirected(self.writes)) {
            self.misdirect(inode, offset, bytes);
            return Ok(());
        }
        let (bytes, result) = match self.fault {
            Some(Fault::Write(n)) if n == self.writes => return Err(io_failure()),
            Some(Fault::WriteNoSpace(n)) if n == self.writes => {
                (&bytes[..bytes.len() / 2], Err(io::ErrorKind::StorageFull.into()))
            }
            _ => (bytes, Ok(())),
        };
        self.change(inode, Change::Write { offset, bytes: bytes.to_vec() });
        result
    }

    fn misdirect(&mut self, inode: usize, offset: u64, bytes: &[u8]) {
        let file = &mut self.inodes[inode];
        apply(&mut file.data, &Change::Write { offset, bytes: bytes.to_vec() });
        // The length is in another place of the disk, and right.
        file.pending.push(Change::Truncate(file.data.len() as u64));
        let mut rng = Rng::seeded(self.steps);
        let first = rng.below(self.inodes.len() as u64) as usize;
        let others = (first..self.inodes.len()).chain(0..first);
        let Some(hit) = others.into_iter().find(|i| *i != inode && !self.inodes[*i].durable.is_empty()) else { return };
        let durable = &mut self.inodes[hit].durable;
        let at = rng.below(durable.len() as u64) as usize;
        let n = bytes.len().min(durable.len() - at);
        durable[at..at + n].copy_from_slice(&bytes[..n]);
    }

    /// Called before each read.
    fn reads(&mut self) -> io::Result<()> {
        self.reads += 1;
        if self.bad_read != Some(self.reads) {
            return Ok(());
        }
        self.refused += 1;
        Err(io_failure())
    }

    /// Called before each change at a path.
    fn reaches(&mut self, path: &Path) -> io::Result<()> {
        if !self.away.as_ref().is_some_and(|folder| path.starts_with(folder)) {
            return Ok(());
        }
        self.refused += 1;
        Err(io_failure())
    }

    fn change(&mut self, inode: usize, change: Change) {
        self.step();
        let file = &mut self.inodes[inode];
        apply(&mut file.data, &change);
        file.pending.push(change);
    }

    fn sync_fails(&mut self) -> bool {
        self.step();
        self.syncs += 1;
        self.fault == Some(Fault::Sync(self.syncs))
    }

    fn file(&self, path: &Path) -> io::Result<usize> {
        match self.names.get(path) {
            Some(Entry::File(inode)) => Ok(*inode),
            _ => Err(missing(path)),
        }
    }

    fn dir_exists(&self, dir: &Path) -> bool {
        dir.parent().is_none() || dir.as_os_str().is_empty() || self.names.get(dir) == Some(&Entry::Dir)
    }
}

impl MemoryFs {
    pub fn new() -> Self {
        Self::default()
    }

    pub fn shared(&self) -> SharedFs {
        Arc::new(self.clone())
    }

    fn disk(&self) -> MutexGuard<'_, Disk> {
        self.disk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn set_fault(&self, fault: Option<Fault>) {
        self.disk().fault = fault;
    }

    /// From now on the n-th read fails, once, with an input/output error.
    pub fn fail_read(&self, n: Option<u64>) {
        let mut disk = self.disk();
        disk.bad_read = n.map(|n| disk.reads + n);
    }

    /// Every change below this folder fails, as if it lay on a disk that is away.
    pub fn set_away(&self, folder: Option<PathBuf>) {
        self.disk().away = folder;
    }

    /// How many calls [`MemoryFs::fail_read`] and [`MemoryFs::set_away`] have made fail.
    pub fn refused(&self) -> u64 {
        self.disk().refused
    }

    pub fn set_free_bytes(&self, bytes: Option<u64>) {
        self.disk().free_bytes = bytes;
    }

    /// Calls so far, to choose the n of a [`Fault`].
    pub fn writes(&self) -> u64 {
        self.disk().writes
    }

    pub fn syncs(&self) -> u64 {
        self.disk().syncs
    }

    /// Changes of any kind so far, to choose the one that [`MemoryFs::stop_before`] names.
    pub fn steps(&self) -> u64 {
        self.disk().steps
    }

    /// Keeps the disk as it is right before its n-th change; whoever uses it does not notice.
    pub fn stop_before(&self, step: u64) {
        self.disk().stop_before = Some(step);
    }

    /// The disk as it was when it was to stop, once it came to that.
    pub fn stopped(&self) -> Option<MemoryFs> {
        let stopped = self.disk().stopped.as_deref().cloned();
        stopped.map(|disk| MemoryFs { disk: Arc::new(Mutex::new(disk)) })
    }

    pub fn is_stopped(&self) -> bool {
        self.disk().stopped.is_some()
    }

    /// The disk after the death of the process: all written bytes are still there, none of them any safer.
    pub fn kill(&self) -> MemoryFs {
        let mut disk = self.disk().clone();
        disk.locks.clear();
        disk.fault = None;
        disk.bad_read = None;
        disk.away = None;
        disk.stop_before = None;
        disk.stopped = None;
        MemoryFs { disk: Arc::new(Mutex::new(disk)) }
    }

    /// The disk after a power failure: of what was not synced some is there, some is not, some is torn.
    pub fn crash(&self, seed: u64) -> MemoryFs {
        let mut rng = Rng::seeded(seed);
        let before = self.disk().clone();
        let mut names = before.durable_names.clone();
        // Names are journaled: a prefix of their changes survives.
        let kept = rng.below(before.pending_names.len() as u64 + 1) as usize;
        for (path, entry) in &before.pending_names[..kept] {
            match entry {
                Some(entry) => names.insert(path.clone(), *entry),
                None => names.remove(path),
            };
        }
        let reachable = |path: &Path, names: &BTreeMap<PathBuf, Entry>| {
            path.ancestors()
                .skip(1)
                .all(|a| a.as_os_str().is_empty() || a.parent().is_none() || names.get(a) == Some(&Entry::Dir))
        };
        let lost: Vec<_> = names.keys().filter(|p| !reachable(p, &names)).cloned().collect();
        for path in lost {
            names.remove(&path);
        }
        let inodes = before.inodes.into_iter().map(|inode| after_power_failure(inode, &mut rng)).collect();
        let disk = Disk { inodes, durable_names: names.clone(), names, ..Disk::default() };
        MemoryFs { disk: Arc::new(Mutex::new(disk)) }
    }

    /// Changes bytes of a file behind everybody's back, on the platter.
    pub fn damage(&self, path: &Path, change: impl FnOnce(&mut Vec<u8>)) -> io::Result<()> {
        let mut disk = self.disk();
        let inode = disk.file(path)?;
        let file = &mut disk.inodes[inode];
        change(&mut file.data);
        file.durable = file.data.clone();
        file.pending.clear();
        Ok(())
    }

    /// All files, by path.
    pub fn files(&self) -> Vec<PathBuf> {
        self.disk().names.iter().filter(|(_, e)| matches!(e, Entry::File(_))).map(|(p, _)| p.clone()).collect()
    }
}

fn after_power_failure(inode: Inode, rng: &mut Rng) -> Inode {
    let mut data = inode.durable;
    match rng.below(4) {
        // Nothing that was not synced.
        0 => {}
        // All of it.
        1 => inode.pending.iter().for_each(|change| apply(&mut data, change)),
        // A prefix, the last write torn.
        2 => {
            let kept = rng.below(inode.pending.len() as u64 + 1) as usize;
            inode.pending[..kept].iter().for_each(|change| apply(&mut data, change));
            if let Some(Change::Write { offset, bytes }) = inode.pending.get(kept) {
                let torn = rng.below(bytes.len() as u64 + 1) as usize;
                apply(&mut data, &Change::Write { offset: *offset, bytes: bytes[..torn].to_vec() });
            }
        }
        // Any of them: later writes without earlier ones. New blocks may hold noise; what stood there before is old or new.
        _ => {
            let before = data.len() as u64;
            for change in &inode.pending {
                match (rng.below(3), change) {
                    (0, _) => apply(&mut data, change),
                    (1, Change::Write { offset, bytes }) if *offset >= before => {
                        let noise = bytes.iter().map(|_| rng.next_u64() as u8).collect();
                        apply(&mut data, &Change::Write { offset: *offset, bytes: noise });
                    }
                    _ => {}
                }
            }
        }
    }
    Inode { durable: data.clone(), data, pending: vec![] }
}

struct MemoryFile {
    fs: MemoryFs,
    path: PathBuf,
    inode: usize,
}

impl File for MemoryFile {
    fn len(&self) -> io::Result<u64> {
        Ok(self.fs.disk().inodes[self.inode].data.len() as u64)
    }

    fn append(&self, bytes: &[u8]) -> io::Result<()> {
        let mut disk = self.fs.disk();
        disk.reaches(&self.path)?;
        let end = disk.inodes[self.inode].data.len() as u64;
        disk.write(self.inode, end, bytes)
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let mut disk = self.fs.disk();
        disk.reaches(&self.path)?;
        disk.write(self.inode, offset, bytes)
    }

    fn read_exact_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        if self.read_at(offset, buffer)? == buffer.len() { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let mut disk = self.fs.disk();
        disk.reads()?;
        let data = &disk.inodes[self.inode].data;
        let start = (offset as usize).min(data.len());
        let n = buffer.len().min(data.len() - start);
        buffer[..n].copy_from_slice(&data[start..start + n]);
        Ok(n)
    }

    fn truncate(&self, len: u64) -> io::Result<()> {
        let mut disk = self.fs.disk();
        disk.reaches(&self.path)?;
        disk.change(self.inode, Change::Truncate(len));
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        let mut disk = self.fs.disk();
        let failed = disk.sync_fails();
        let file = &mut disk.inodes[self.inode];
        let pending = std::mem::take(&mut file.pending);
        if failed {
            return Err(io_failure());
        }
        pending.iter().for_each(|change| apply(&mut file.durable, change));
        Ok(())
    }
}

struct MemoryLock {
    fs: MemoryFs,
    path: PathBuf,
}

impl Drop for MemoryLock {
    fn drop(&mut self) {
        self.fs.disk().locks.remove(&self.path);
    }
}

impl Fs for MemoryFs {
    fn open(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        let inode = self.disk().file(path)?;
        Ok(Arc::new(MemoryFile { fs: self.clone(), path: path.to_path_buf(), inode }))
    }

    fn open_append(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        let mut disk = self.disk();
        let inode = match disk.file(path) {
            Ok(inode) => inode,
            Err(_) => {
                if !path.parent().is_some_and(|dir| disk.dir_exists(dir)) {
                    return Err(missing(path));
                }
                disk.reaches(path)?;
                disk.inodes.push(Inode::default());
                let inode = disk.inodes.len() - 1;
                disk.name(path.to_path_buf(), Some(Entry::File(inode)));
                inode
            }
        };
        Ok(Arc::new(MemoryFile { fs: self.clone(), path: path.to_path_buf(), inode }))
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let mut disk = self.disk();
        let inode = disk.file(path)?;
        disk.reads()?;
        Ok(disk.inodes[inode].data.clone())
    }

    /// There are no links.
    fn canonicalize(&self, path: &Path) -> io::Result<PathBuf> {
        if self.exists(path)? { Ok(path.to_path_buf()) } else { Err(missing(path)) }
    }

    fn exists(&self, path: &Path) -> io::Result<bool> {
        Ok(self.disk().names.contains_key(path))
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<DirEntry>> {
        let disk = self.disk();
        if !disk.dir_exists(dir) {
            return Err(missing(dir));
        }
        let children = disk.names.iter().filter(|(path, _)| path.parent() == Some(dir));
        Ok(children
            .map(|(path, entry)| DirEntry {
                path: path.clone(),
                is_dir: *entry == Entry::Dir,
                len: match entry {
                    Entry::Dir => 0,
                    Entry::File(inode) => disk.inodes[*inode].data.len() as u64,
                },
                modified_ms: 0,
            })
            .collect())
    }

    fn create_dir_all(&self, dir: &Path) -> io::Result<()> {
        let mut disk = self.disk();
        let ancestors: Vec<_> = dir.ancestors().filter(|a| !disk.dir_exists(a)).map(Path::to_path_buf).collect();
        for path in ancestors.into_iter().rev() {
            disk.name(path, Some(Entry::Dir));
        }
        Ok(())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut disk = self.disk();
        let inode = disk.file(from)?;
        disk.reaches(to)?;
        // One step of the journal: the new name appears and the old one goes with it.
        disk.name(to.to_path_buf(), Some(Entry::File(inode)));
        disk.name(from.to_path_buf(), None);
        Ok(())
    }

    fn hard_link(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut disk = self.disk();
        let inode = disk.file(from)?;
        if disk.names.contains_key(to) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        disk.name(to.to_path_buf(), Some(Entry::File(inode)));
        Ok(())
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        let mut disk = self.disk();
        disk.file(path)?;
        disk.reaches(path)?;
        disk.name(path.to_path_buf(), None);
        Ok(())
    }

    fn remove_dir_all(&self, dir: &Path) -> io::Result<()> {
        let mut disk = self.disk();
        if !disk.dir_exists(dir) {
            return Err(missing(dir));
        }
        let below: Vec<_> = disk.names.keys().filter(|p| p.starts_with(dir)).cloned().collect();
        for path in below.into_iter().rev() {
            disk.name(path, None);
        }
        Ok(())
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        let mut disk = self.disk();
        if disk.sync_fails() {
            return Err(io_failure());
        }
        let pending = std::mem::take(&mut disk.pending_names);
        for (path, entry) in pending {
            if path.parent() != Some(dir) {
                disk.pending_names.push((path, entry));
                continue;
            }
            match entry {
                Some(entry) => disk.durable_names.insert(path, entry),
                None => disk.durable_names.remove(&path),
            };
        }
        Ok(())
    }

    fn free_bytes(&self, _dir: &Path) -> io::Result<u64> {
        Ok(self.disk().free_bytes.unwrap_or(u64::MAX))
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn Send + Sync>> {
        self.open_append(path)?;
        if !self.disk().locks.insert(path.to_path_buf()) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        Ok(Box::new(MemoryLock { fs: self.clone(), path: path.to_path_buf() }))
    }
}

/// A clock that stands still until it is told otherwise.
#[derive(Debug, Default)]
pub struct ManualClock(std::sync::atomic::AtomicI64);

impl ManualClock {
    pub fn at(ms: i64) -> Arc<Self> {
        Arc::new(ManualClock(ms.into()))
    }

    pub fn set(&self, ms: i64) {
        self.0.store(ms, std::sync::atomic::Ordering::SeqCst);
    }
}

impl arus_core::clock::Clock for ManualClock {
    fn now_ms(&self) -> i64 {
        self.0.load(std::sync::atomic::Ordering::SeqCst)
    }

    fn monotonic_ns(&self) -> u64 {
        self.now_ms().max(0) as u64 * 1_000_000
    }
}
