//! Data folders as the first build of each format version wrote them open in every later build.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringViewArray};
use arus_core::RowSchema;
use arus_core::fs::Fs;
use arus_core::key_group::KEY_GROUPS;
use arus_core::plan::Uid;
use arus_core::read::Cut;

use crate::log::{KnownEnd, ReadUpTo};
use crate::manifest::Manifest;
use crate::sample;
use crate::sim::MemoryFs;
use crate::state::StateStore;
use crate::{DataFolder, DiskFs};

const CUT: Cut = Cut { incarnation: 1, epoch: 3 };
const ROWS: i64 = 40;

fn fixture(version: u32) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/fixtures/data-v{version}"))
}

fn rows(schema: &RowSchema) -> RecordBatch {
    let names: Vec<_> = (0..ROWS).map(|i| format!("name {i}")).collect();
    let columns: Vec<ArrayRef> =
        vec![Arc::new(Int64Array::from_iter_values(0..ROWS)), Arc::new(StringViewArray::from_iter_values(names))];
    RecordBatch::try_new(schema.to_arrow(), columns).expect("is a batch")
}

/// Every file below `root` but the lock, by its place.
fn files(fs: &dyn Fs, root: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut dirs = vec![root.to_path_buf()];
    while let Some(dir) = dirs.pop() {
        for entry in fs.list(&dir).expect("lists") {
            if entry.is_dir {
                dirs.push(entry.path);
            } else if entry.path.file_name().is_none_or(|name| name != "LOCK") {
                let place = entry.path.strip_prefix(root).expect("is below").to_path_buf();
                found.insert(place, fs.read(&entry.path).expect("reads"));
            }
        }
    }
    found
}

/// A fixture on a simulated disk, so that opening changes no file of it.
fn load(version: u32) -> MemoryFs {
    let (disk, fs, fixture) = (DiskFs, MemoryFs::new(), fixture(version));
    let mut dirs = vec![fixture.clone()];
    while let Some(dir) = dirs.pop() {
        let place = Path::new("/data").join(dir.strip_prefix(&fixture).expect("is below"));
        fs.create_dir_all(&place).expect("creates");
        for entry in disk.list(&dir).expect("lists") {
            if entry.is_dir {
                dirs.push(entry.path);
                continue;
            }
            let name = entry.path.file_name().expect("has a name");
            let file = fs.open_append(&place.join(name)).expect("creates");
            file.append(&disk.read(&entry.path).expect("reads")).expect("writes");
        }
    }
    fs
}

#[test]
fn version_1_opens() {
    let fs = load(1);
    let folder = DataFolder::open(fs.shared(), Path::new("/data")).expect("opens");
    let manifest = Manifest::open(&folder, 5_000).expect("opens");
    let state = manifest.state();
    assert_eq!((state.incarnation, state.next_id, state.catalog[&1].path.name.as_str()), (2, 2, "events"));
    let checkpoint = state.checkpoint.as_ref().expect("there is one");
    assert_eq!((checkpoint.cut, checkpoint.synced[&1].clone()), (CUT, vec![ROWS]));
    let log = sample::log(fs.shared(), &folder).expect("opens");
    let topic = log.open_topic(1, "events", &[KnownEnd::Client(ROWS)]).expect("opens");
    let partition = topic.partition(0).expect("exists");
    assert_eq!(partition.damages(), vec![]);
    let mut values = vec![];
    while (values.len() as i64) < ROWS {
        let raw = partition.read_raw(values.len() as i64, 500, ReadUpTo::Synced).expect("reads");
        assert!(!raw.records.is_empty());
        values.extend(raw.records.iter().map(|r| raw.bytes(r.value.expect("has a value")).to_vec()));
    }
    assert_eq!(values, (0..ROWS).map(|i| format!("value {i}").into_bytes()).collect::<Vec<_>>());
    let again = partition.append_idempotent(sample::key(0).as_bytes(), &sample::request(0)).expect("finds it");
    assert!(again.duplicate && again.base_offset == 0);
    let table = sample::table();
    let store = StateStore::open(fs.shared(), &folder.state()).expect("opens");
    store
        .restore(&checkpoint.files, 0..KEY_GROUPS, |uid, _, key, value| {
            assert_eq!(uid, Uid(7));
            table.restore_entry(key, value)
        })
        .expect("restores");
    table.finish_restore(CUT, checkpoint.as_of_ms);
    let batches: Vec<_> = table.snapshot().scan(&[0, 1], None).map(|b| b.expect("decodes")).collect();
    assert_eq!(batches, vec![rows(table.schema())]);
}

/// A build of this format version writes what the first one wrote. Where that has to differ, the version is a new one: with
/// a fixture of its own beside these, which have to go on opening.
#[test]
fn version_2_is_written_byte_by_byte_and_opens() {
    let (fs, root) = (MemoryFs::new(), Path::new("/data"));
    sample::write(fs.shared(), root).expect("writes");
    let (written, kept) = (files(fs.shared().as_ref(), root), files(&DiskFs, &fixture(2)));
    assert_eq!(written.keys().collect::<Vec<_>>(), kept.keys().collect::<Vec<_>>());
    for (place, bytes) in &kept {
        assert!(
            written[place] == *bytes,
            "{} differs: a new format version needs a fixture of its own",
            place.display()
        );
    }
    let content = sample::open(load(2).shared(), root).expect("opens");
    assert_eq!(content, sample::open(fs.kill().shared(), root).expect("opens"));
    let table_rows = content.state.keys().filter(|(uid, _)| *uid != sample::OPERATOR).count();
    assert_eq!((content.records.len(), table_rows, content.state.len()), (56, 80, 140));
    assert_eq!((content.damages, content.state_damages), (vec![], vec![]));
}
