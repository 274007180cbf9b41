//! A file that a killed process has shown is still there when the power fails later.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{Int64Array, RecordBatch};
use arus_connect::Registry;
use arus_core::catalog::{ColumnKind, ConnectorCatalog, ObjectPath, TableColumn, TableDef, TableKind};
use arus_core::connector::{CommitToken, SinkWriter};
use arus_core::settings::Settings;
use arus_core::{ChangeBatch, TypeKind};
use arus_storage::sim::{ManualClock, MemoryFs};
use futures::executor::block_on;

use crate::{Engine, EngineConfig};

fn table() -> TableDef {
    let options = [
        ("connector", "filesystem"),
        ("path", "/data/files"),
        ("format", "csv"),
        ("sink.rolling-policy.rollover-interval", "2 s"),
    ];
    TableDef {
        path: ObjectPath::in_default("files"),
        kind: TableKind::Connector,
        columns: vec![TableColumn {
            name: "id".into(),
            ty: TypeKind::BigInt.nullable(),
            kind: ColumnKind::Physical,
            comment: None,
        }],
        watermark: None,
        primary_key: vec![],
        primary_key_name: None,
        partition_keys: vec![],
        distribution: None,
        options: options.map(|(k, v)| (k.to_string(), v.to_string())).into_iter().collect::<BTreeMap<_, _>>(),
        comment: None,
        temporary: false,
        query: None,
        hidden_count: false,
    }
}

/// The sink of a process that starts on this disk.
fn sink(fs: &MemoryFs, clock: &Arc<ManualClock>) -> Box<dyn SinkWriter> {
    let mut config = EngineConfig::new(PathBuf::from("/data")).expect("a configuration");
    (config.fs, config.clock) = (fs.shared(), clock.clone());
    let (engine, _parts) = Engine::assemble(config, false).expect("it starts");
    let context = engine.shared.connect_context(&Settings::default());
    Registry.connector("filesystem").expect("registered").sink(&table(), &context).expect("a sink")
}

fn checkpoint(sink: &mut dyn SinkWriter) -> CommitToken {
    let token = block_on(sink.prepare(1)).expect("prepares").expect("there are files");
    if let Some(sync) = sink.take_sync() {
        sync().expect("syncs");
    }
    token
}

#[test]
fn a_shown_file_outlives_the_process_and_the_power() {
    for seed in 0..20 {
        let (fs, clock) = (MemoryFs::new(), ManualClock::at(1_000));
        let mut first = sink(&fs, &clock);
        let schema = table().physical_schema().to_arrow();
        let rows = RecordBatch::try_new(schema, vec![Arc::new(Int64Array::from_iter_values(0..3))]).expect("rows");
        first.write(&ChangeBatch::inserts(rows)).expect("writes");
        clock.set(10_000);
        let one = checkpoint(first.as_mut());
        block_on(first.commit(&one)).expect("the file gets its name");
        drop(first);
        // kill -9, a restart that finds the name, a checkpoint that need not speak of the file, a power failure.
        let fs = fs.kill();
        let mut second = sink(&fs, &clock);
        block_on(second.recover(std::slice::from_ref(&one))).expect("recovers");
        let two = checkpoint(second.as_mut());
        drop(second);
        let fs = fs.crash(seed);
        let mut third = sink(&fs, &clock);
        block_on(third.recover(std::slice::from_ref(&two))).expect("recovers");
        let shown =
            |path: &PathBuf| path.starts_with(Path::new("/data/files/")) && !path.to_string_lossy().contains("/.");
        let files: Vec<_> = fs.files().into_iter().filter(shown).collect();
        assert_eq!(files.len(), 1, "seed {seed}: {files:?}");
    }
}
