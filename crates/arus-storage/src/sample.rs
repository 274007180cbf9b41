//! A small data folder with every file type of this format version: the fixture is written with it, and tests damage it.
//!
//! Its bytes depend on nothing but the formats: times and names are fixed. `examples/write_fixture.rs` includes this file.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringViewArray};
use arus_core::catalog::ObjectPath;
use arus_core::fs::SharedFs;
use arus_core::plan::Uid;
use arus_core::read::Cut;
use arus_core::types::TypeKind;
use arus_core::{ChangeBatch, Column, Result};
use arus_storage::log::{BatchBuilder, Damage, IDEMPOTENCY_HEADER, KnownEnd, Log, LogOptions, ReadUpTo};
use arus_storage::manifest::{CatalogItem, Change, Checkpoint, Manifest, ManifestState, PipelineCheckpoint};
use arus_storage::sim::ManualClock;
use arus_storage::state::{StateDamage, StateDelta, StateStore};
use arus_storage::table::state_uid;
use arus_storage::{DataFolder, KeyedTable, TableMode};

/// Rows of the topic that clients write, at each of the two checkpoints.
const EVENTS: [i64; 2] = [30, 40];
/// Rows of the topic that a pipeline writes, at each checkpoint and beyond.
const TOTALS: [i64; 3] = [10, 16, 18];
const EVENTS_TOPIC: u64 = 2;
const TOTALS_TOPIC: u64 = 4;
const NAMES: u64 = 5;
/// An operator of the pipeline.
pub(crate) const OPERATOR: Uid = Uid(0x7777_0000_1111_2222);

/// What can be read of a folder.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Content {
    pub(crate) checkpoint: Option<Cut>,
    /// By topic and offset.
    pub(crate) records: BTreeMap<(u64, i64), Vec<u8>>,
    pub(crate) state: BTreeMap<(Uid, Vec<u8>), Vec<u8>>,
    pub(crate) damages: Vec<Damage>,
    pub(crate) state_damages: Vec<StateDamage>,
}

pub(crate) fn table() -> KeyedTable {
    let columns = [("id", TypeKind::BigInt), ("name", TypeKind::STRING)];
    let schema = columns.map(|(name, kind)| Column { name: name.into(), ty: kind.nullable() }).into_iter().collect();
    KeyedTable::new(schema, &[0], TableMode::Keyed)
}

fn put_rows(table: &KeyedTable, ids: std::ops::Range<i64>, word: &str) -> Result<()> {
    let names: Vec<_> = ids.clone().map(|i| format!("{word} {i}")).collect();
    let columns: Vec<ArrayRef> =
        vec![Arc::new(Int64Array::from_iter_values(ids)), Arc::new(StringViewArray::from_iter_values(names))];
    let batch = RecordBatch::try_new(table.schema().to_arrow(), columns).map_err(arus_core::change::arrow_bug)?;
    table.apply(&ChangeBatch::inserts(batch))
}

pub(crate) fn key(i: i64) -> String {
    format!("request {i}")
}

/// One request: one record with its idempotency key.
pub(crate) fn request(i: i64) -> Vec<u8> {
    let mut builder = BatchBuilder::new(1_000);
    builder.push(None, Some(format!("value {i}").as_bytes()), &[(IDEMPOTENCY_HEADER, Some(key(i).as_bytes()))], 1_000);
    builder.finish().unwrap_or_default()
}

pub(crate) fn log(fs: SharedFs, folder: &DataFolder) -> Result<Log> {
    let options = LogOptions { segment_bytes: 2_000, threaded: false, on_failure: None };
    Log::open(fs, ManualClock::at(2_000), &folder.topics(), options)
}

fn item(id: u64, kind: &str, name: &str, topic: Option<u64>) -> CatalogItem {
    CatalogItem {
        id,
        kind: kind.into(),
        path: ObjectPath::in_default(name),
        sql: format!("CREATE {} {name} ..", kind.to_uppercase()),
        topic,
        partitions: topic.map(|_| 1),
        extra: serde_json::Value::Null,
    }
}

/// Writes the folder: two checkpoints, sealed and open segments, a merged state file and a delta, rows beyond the last
/// checkpoint.
pub(crate) fn write(fs: SharedFs, root: &Path) -> Result<()> {
    let folder = DataFolder::open(fs.clone(), root)?;
    let mut manifest = Manifest::open(&folder, 1_000)?;
    let log = log(fs.clone(), &folder)?;
    let (events, totals) = (log.create_topic(EVENTS_TOPIC, "events", 1)?, log.create_topic(TOTALS_TOPIC, "totals", 1)?);
    let store = StateStore::open(fs, &folder.state())?;
    let (table, mut files, mut catalog) = (table(), vec![], vec![]);
    for (id, kind, name, topic) in [
        (1, "table", "events", Some(EVENTS_TOPIC)),
        (3, "materialized table", "totals", Some(TOTALS_TOPIC)),
        (NAMES, "table", "names", None),
    ] {
        catalog.push(Change::Put(item(id, kind, name, topic)));
    }
    let (mut sent, mut written) = (0, 0);
    for (n, (events_end, totals_end)) in EVENTS.into_iter().zip(TOTALS).enumerate() {
        let epoch = n as u64 + 1;
        let cut = Cut { incarnation: 1, epoch: epoch * 3 };
        for i in std::mem::replace(&mut sent, events_end)..events_end {
            events.partitions()[0].append_idempotent(key(i).as_bytes(), &request(i))?;
        }
        for i in std::mem::replace(&mut written, totals_end)..totals_end {
            totals.partitions()[0].append(&plain(i))?;
        }
        log.sync_all()?;
        put_rows(&table, 0..40 * epoch as i64, if n == 0 { "name" } else { "newer name" })?;
        let mut delta = StateDelta::new();
        table.freeze(state_uid(NAMES, "rows"), &mut delta);
        for i in 0..30 * epoch {
            delta.put(OPERATOR, &i.to_be_bytes(), Some(format!("sum {epoch}").as_bytes()));
        }
        let file = store.write_delta(cut, &delta)?;
        files.push(if n == 0 { store.merge(&[file], true)? } else { file });
        let pipeline = PipelineCheckpoint {
            deployment: "5f3c".into(),
            task: serde_json::json!({"scans": {"9": {"splits": [["p0", events_end]]}}}),
            ..PipelineCheckpoint::default()
        };
        let mut changes = std::mem::take(&mut catalog);
        changes.push(Change::Checkpoint(Box::new(Checkpoint {
            cut,
            as_of_ms: 1_500,
            pipelines: [(3, pipeline)].into(),
            markers: [(TOTALS_TOPIC, vec![totals_end])].into(),
            synced: [(EVENTS_TOPIC, vec![events_end])].into(),
            changed: [(NAMES, cut)].into(),
            files: files.clone(),
            outboxes: vec![],
            marks: vec![],
            next_id: 0,
        })));
        manifest.append(&changes)?;
        store.remove_unreferenced(&files, None)?;
    }
    for i in TOTALS[1]..TOTALS[2] {
        totals.partitions()[0].append(&plain(i))?;
    }
    log.sync_all()
}

fn plain(i: i64) -> Vec<u8> {
    let mut builder = BatchBuilder::new(1_000);
    builder.push(None, Some(format!("total {i}").as_bytes()), &[], 1_000);
    builder.finish().unwrap_or_default()
}

/// What a start finds in a folder like this one: recovery as the server does it. An error: it does not start.
pub(crate) fn open(fs: SharedFs, root: &Path) -> Result<Content> {
    let folder = DataFolder::open(fs.clone(), root)?;
    let manifest = Manifest::open(&folder, 5_000)?;
    let state: &ManifestState = manifest.state();
    let checkpoint = state.checkpoint.as_ref();
    let log = log(fs.clone(), &folder)?;
    let mut content = Content { checkpoint: checkpoint.map(|c| c.cut), ..Content::default() };
    for id in state.catalog.values().filter_map(|item| item.topic) {
        let end = |ends: Option<&Vec<i64>>| ends.and_then(|e| e.first()).copied();
        let known = match checkpoint.and_then(|c| end(c.markers.get(&id))) {
            Some(marker) => KnownEnd::Pipeline(marker),
            None => KnownEnd::Client(checkpoint.and_then(|c| end(c.synced.get(&id))).unwrap_or(0)),
        };
        let topic = log.open_topic(id, &id.to_string(), &[known])?;
        let partition = &topic.partitions()[0];
        let mut next = partition.start_offset();
        while next < partition.end_offset() {
            match partition.read_raw(next, 700, ReadUpTo::End) {
                Ok(raw) if raw.records.is_empty() => break,
                Ok(raw) => {
                    for record in &raw.records {
                        let value = record.value.map(|v| raw.bytes(v).to_vec()).unwrap_or_default();
                        content.records.insert((id, record.offset), value);
                        next = record.offset + 1;
                    }
                }
                Err(error) => {
                    let after = partition.next_readable(next);
                    if after <= next {
                        return Err(error);
                    }
                    next = after;
                }
            }
        }
        content.damages.extend(partition.damages());
    }
    let store = StateStore::open(fs, &folder.state())?;
    let files = checkpoint.map(|c| c.files.as_slice()).unwrap_or_default();
    content.state_damages = store.restore_readable(files, |uid, _, key, value| {
        content.state.insert((uid, key.to_vec()), value.to_vec());
        Ok(())
    })?;
    Ok(content)
}
