//! A data folder of format version 1, as the build that introduced it wrote it, opens in every later build.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringViewArray};
use arus_core::catalog::ObjectPath;
use arus_core::fs::{Fs, SharedFs};
use arus_core::key_group::KEY_GROUPS;
use arus_core::plan::Uid;
use arus_core::read::Cut;
use arus_core::types::TypeKind;
use arus_core::{ChangeBatch, Column, RowSchema};

use crate::log::{BatchBuilder, IDEMPOTENCY_HEADER, KnownEnd, Log, LogOptions, ReadUpTo};
use crate::manifest::{CatalogItem, Change, Checkpoint, Manifest};
use crate::sim::{ManualClock, MemoryFs};
use crate::state::{StateDelta, StateStore};
use crate::{DataFolder, DiskFs, KeyedTable, TableMode};

const CUT: Cut = Cut { incarnation: 1, epoch: 3 };
const ROWS: i64 = 40;

fn fixture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/data-v1")
}

fn table() -> KeyedTable {
    let columns = [("id", TypeKind::BigInt), ("name", TypeKind::STRING)];
    let schema = columns.map(|(name, kind)| Column { name: name.into(), ty: kind.nullable() }).into_iter().collect();
    KeyedTable::new(schema, &[0], TableMode::Keyed)
}

fn rows(schema: &RowSchema) -> RecordBatch {
    let names: Vec<_> = (0..ROWS).map(|i| format!("name {i}")).collect();
    let columns: Vec<ArrayRef> =
        vec![Arc::new(Int64Array::from_iter_values(0..ROWS)), Arc::new(StringViewArray::from_iter_values(names))];
    RecordBatch::try_new(schema.to_arrow(), columns).expect("is a batch")
}

fn key(i: i64) -> String {
    format!("request {i}")
}

fn request(i: i64) -> Vec<u8> {
    let mut builder = BatchBuilder::new(1_000);
    builder.push(None, Some(format!("value {i}").as_bytes()), &[(IDEMPOTENCY_HEADER, Some(key(i).as_bytes()))], 1_000);
    builder.finish().expect("has a record")
}

fn log(fs: SharedFs, folder: &DataFolder) -> Log {
    let options = LogOptions { segment_bytes: 2_000, threaded: false, on_failure: None };
    Log::open(fs, ManualClock::at(2_000), &folder.topics(), options).expect("opens")
}

/// Writes the folder that the fixture is.
fn write(fs: SharedFs, root: &Path) {
    let folder = DataFolder::open(fs.clone(), root).expect("opens");
    let mut manifest = Manifest::open(&folder, 1_000).expect("opens");
    let log = log(fs.clone(), &folder);
    let topic = log.create_topic(1, "events", 1).expect("creates");
    let partition = topic.partition(0).expect("exists");
    for i in 0..ROWS {
        partition.append_idempotent(key(i).as_bytes(), &request(i)).expect("appends");
    }
    log.sync_all().expect("syncs");
    let table = table();
    table.apply(&ChangeBatch::inserts(rows(table.schema()))).expect("applies");
    let mut delta = StateDelta::new();
    table.freeze(Uid(7), &mut delta);
    let store = StateStore::open(fs, &folder.state()).expect("opens");
    let file = store.write_delta(CUT, &delta).expect("writes");
    let item = CatalogItem {
        id: 1,
        kind: "table".into(),
        path: ObjectPath::in_default("events"),
        sql: "CREATE TABLE events (v STRING)".into(),
        topic: Some(1),
        partitions: Some(1),
        extra: serde_json::Value::Null,
    };
    let checkpoint = Checkpoint {
        cut: CUT,
        as_of_ms: 1_500,
        pipelines: Default::default(),
        markers: Default::default(),
        synced: [(1, topic.synced_ends())].into(),
        changed: Default::default(),
        files: vec![file],
        outboxes: vec![],
        marks: vec![],
    };
    manifest.append(&[Change::Put(item), Change::Checkpoint(Box::new(checkpoint))]).expect("appends");
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

/// A build of this format version writes what the first one wrote. Where that has to differ, the version is a new one: with
/// a fixture of its own beside this, which has to go on opening.
#[test]
fn version_1_is_written_byte_by_byte() {
    let fs = MemoryFs::new();
    write(fs.shared(), Path::new("/data"));
    let (written, kept) = (files(fs.shared().as_ref(), Path::new("/data")), files(&DiskFs, &fixture()));
    assert_eq!(written.keys().collect::<Vec<_>>(), kept.keys().collect::<Vec<_>>());
    for (place, bytes) in &kept {
        assert!(
            written[place] == *bytes,
            "{} differs: a new format version needs a fixture of its own",
            place.display()
        );
    }
}

/// The fixture on a simulated disk, so that opening changes no file of it.
fn load() -> MemoryFs {
    let (disk, fs) = (DiskFs, MemoryFs::new());
    let mut dirs = vec![fixture()];
    while let Some(dir) = dirs.pop() {
        let place = Path::new("/data").join(dir.strip_prefix(fixture()).expect("is below"));
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
    let fs = load();
    let folder = DataFolder::open(fs.shared(), Path::new("/data")).expect("opens");
    let manifest = Manifest::open(&folder, 5_000).expect("opens");
    let state = manifest.state();
    assert_eq!((state.incarnation, state.next_id, state.catalog[&1].path.name.as_str()), (2, 2, "events"));
    let checkpoint = state.checkpoint.as_ref().expect("there is one");
    assert_eq!((checkpoint.cut, checkpoint.synced[&1].clone()), (CUT, vec![ROWS]));
    let log = log(fs.shared(), &folder);
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
    let again = partition.append_idempotent(key(0).as_bytes(), &request(0)).expect("finds it");
    assert!(again.duplicate && again.base_offset == 0);
    let table = table();
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
