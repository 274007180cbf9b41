//! Checkpoints and merges on a disk that dies at every one of its calls.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use arus_core::fs::{DirEntry, File, Fs, SharedFs};
use arus_core::key_group::KEY_GROUPS;
use arus_core::plan::Uid;
use arus_core::rng::Rng;
use arus_storage::DataFolder;
use arus_storage::sim::MemoryFs;

use super::*;

const ROOT: &str = "/data";
const CHECKPOINTS: u64 = 26;

/// A disk that takes a number of calls that change it, and none afterwards.
struct MortalFs {
    inner: SharedFs,
    left: Arc<AtomicU64>,
}

struct MortalFile {
    inner: Arc<dyn File>,
    left: Arc<AtomicU64>,
}

fn live(left: &AtomicU64) -> io::Result<()> {
    let taken = left.fetch_update(Relaxed, Relaxed, |n| n.checked_sub(1));
    taken.map(|_| ()).map_err(|_| io::Error::other("the machine is off"))
}

impl File for MortalFile {
    fn len(&self) -> io::Result<u64> {
        self.inner.len()
    }

    fn append(&self, bytes: &[u8]) -> io::Result<()> {
        live(&self.left)?;
        self.inner.append(bytes)
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        live(&self.left)?;
        self.inner.write_at(offset, bytes)
    }

    fn read_exact_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.inner.read_exact_at(offset, buffer)
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        self.inner.read_at(offset, buffer)
    }

    fn truncate(&self, len: u64) -> io::Result<()> {
        live(&self.left)?;
        self.inner.truncate(len)
    }

    fn sync(&self) -> io::Result<()> {
        live(&self.left)?;
        self.inner.sync()
    }
}

impl MortalFs {
    fn file(&self, inner: Arc<dyn File>) -> Arc<dyn File> {
        Arc::new(MortalFile { inner, left: self.left.clone() })
    }
}

impl Fs for MortalFs {
    fn open(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        self.inner.open(path).map(|file| self.file(file))
    }

    fn open_append(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        live(&self.left)?;
        self.inner.open_append(path).map(|file| self.file(file))
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.inner.read(path)
    }

    fn exists(&self, path: &Path) -> io::Result<bool> {
        self.inner.exists(path)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<DirEntry>> {
        self.inner.list(dir)
    }

    fn create_dir_all(&self, dir: &Path) -> io::Result<()> {
        live(&self.left)?;
        self.inner.create_dir_all(dir)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        live(&self.left)?;
        self.inner.rename(from, to)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        live(&self.left)?;
        self.inner.remove_file(path)
    }

    fn remove_dir_all(&self, dir: &Path) -> io::Result<()> {
        live(&self.left)?;
        self.inner.remove_dir_all(dir)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        live(&self.left)?;
        self.inner.sync_dir(dir)
    }

    fn free_bytes(&self, dir: &Path) -> io::Result<u64> {
        self.inner.free_bytes(dir)
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn Send + Sync>> {
        self.inner.lock(path)
    }
}

/// All phases of one checkpoint.
fn write(writer: &mut Writer, job: CheckpointJob) -> CheckpointDone {
    writer.begin(job);
    loop {
        if let Some(done) = writer.advance() {
            return done;
        }
    }
}

type Model = BTreeMap<Vec<u8>, Vec<u8>>;

fn job(epoch: u64, state: StateDelta) -> CheckpointJob {
    CheckpointJob {
        cut: Cut { incarnation: 1, epoch },
        as_of_ms: 0,
        state,
        rows: vec![],
        pipelines: BTreeMap::new(),
        markers: BTreeMap::new(),
        changed: BTreeMap::new(),
        pipeline_topics: vec![],
        client_topics: vec![],
        syncs: vec![],
        catalog: vec![],
        next_id: 1,
        retention: vec![],
        outboxes: OutboxJob::default(),
        started_ns: 0,
    }
}

/// What the state is after each epoch, and the delta that leads there. Later deltas are larger, so that merges take runs of
/// different lengths.
fn history() -> Vec<(StateDelta, Model)> {
    let (mut rng, mut model, mut all) = (Rng::seeded(7), Model::new(), vec![]);
    for epoch in 1..=CHECKPOINTS {
        let mut delta = StateDelta::new();
        for _ in 0..1 + rng.below(if epoch % 9 == 0 { 60 } else { 6 }) {
            let key = rng.below(80).to_be_bytes().to_vec();
            if rng.below(5) == 0 {
                delta.put(Uid(1), &key, None);
                model.remove(&key);
            } else {
                let value = format!("{epoch} {}", rng.below(1_000)).into_bytes();
                delta.put(Uid(1), &key, Some(&value));
                model.insert(key, value);
            }
        }
        all.push((delta, model.clone()));
    }
    all
}

/// One item that owns the state.
fn owners() -> Owners {
    let owners = Owners::default();
    owners.note(1, [Uid(1)], true);
    owners
}

fn open(fs: SharedFs) -> Result<(DataFolder, Writer)> {
    let folder = DataFolder::open(fs.clone(), Path::new(ROOT))?;
    let manifest = Manifest::open(&folder, 0)?;
    let store = StateStore::open(fs.clone(), &folder.state())?;
    let outboxes = OutboxStore::open(fs, &folder.outbox())?;
    let merges = Merges::inline(store.clone());
    Ok((folder, Writer::new(manifest, store, outboxes, merges, AfterRecord::default(), owners())))
}

/// The checkpoints that were told to be durable, up to the death of the disk.
fn run(fs: SharedFs, history: &[(StateDelta, Model)], from: u64) -> u64 {
    let Ok((_folder, mut writer)) = open(fs) else { return from };
    let mut durable = from;
    let mut carried = StateDelta::new();
    for epoch in from + 1..=CHECKPOINTS {
        let mut state = std::mem::take(&mut carried);
        state.append(history[epoch as usize - 1].0.clone());
        match write(&mut writer, job(epoch, state)).outcome {
            Ok(_) => durable = epoch,
            Err(abandoned) if abandoned.in_doubt => return durable,
            Err(abandoned) => carried = abandoned.state,
        }
    }
    durable
}

/// What the disk holds: the epoch of its last record, and the state.
fn recovered(fs: SharedFs) -> (u64, Model, usize) {
    let (_folder, writer) = open(fs).expect("a start after any death");
    let epoch = writer.manifest.state().checkpoint.as_ref().map_or(0, |c| c.cut.epoch);
    let mut model = Model::new();
    let visit = |uid, _, key: &[u8], value: &[u8]| {
        assert_eq!(uid, Uid(1));
        model.insert(key.to_vec(), value.to_vec());
        Ok(())
    };
    writer.store.restore(&writer.files, 0..KEY_GROUPS, visit).expect("every named file is whole");
    (epoch, model, writer.files.len())
}

#[test]
fn death_at_every_call_of_checkpoints_and_merges_loses_nothing() {
    let history = history();
    let calls = {
        let left = Arc::new(AtomicU64::new(u64::MAX));
        let fs = MemoryFs::new();
        assert_eq!(run(Arc::new(MortalFs { inner: fs.shared(), left: left.clone() }), &history, 0), CHECKPOINTS);
        let (epoch, model, files) = recovered(fs.kill().shared());
        assert_eq!((epoch, &model), (CHECKPOINTS, &history[CHECKPOINTS as usize - 1].1));
        assert!(files <= 9, "{files} files: nothing was merged");
        u64::MAX - left.load(Relaxed)
    };
    let mut by_merges = 0;
    for call in 0..calls {
        let fs = MemoryFs::new();
        let left = Arc::new(AtomicU64::new(call));
        let durable = run(Arc::new(MortalFs { inner: fs.shared(), left }), &history, 0);
        by_merges += usize::from(fs.files().iter().any(|f| f.to_string_lossy().contains("-merge-")));
        for after in [fs.kill(), fs.crash(call), fs.crash(call + 1_000_000)] {
            // The start itself may be cut short as well.
            let dying = Arc::new(MortalFs { inner: after.shared(), left: Arc::new(AtomicU64::new(call % 23)) });
            drop(open(dying));
            let after = after.crash(call);
            let (epoch, model, _) = recovered(after.shared());
            assert!((durable..=durable + 1).contains(&epoch), "call {call}: {durable} was told, {epoch} is there");
            let expected = epoch.checked_sub(1).map_or(Model::new(), |at| history[at as usize].1.clone());
            assert_eq!(model, expected, "call {call}, epoch {epoch}");
            // It goes on, and what was left over goes.
            let after = after.kill();
            assert_eq!(run(after.shared(), &history, epoch), CHECKPOINTS);
            let (last, model, files) = recovered(after.kill().shared());
            assert_eq!((last, &model), (CHECKPOINTS, &history[CHECKPOINTS as usize - 1].1), "call {call}");
            let kept = after.files().iter().filter(|f| f.starts_with("/data/state")).count();
            assert!(epoch == CHECKPOINTS || kept <= files + 1, "call {call}: {kept} files, {files} are named");
        }
    }
    assert!(calls > 150 && by_merges > 50, "{calls} calls, {by_merges} with a merged file");
}
