//! The whole engine over a simulated disk: what a client was told survives a power failure.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use arrow::array::AsArray;
use arrow::datatypes::Int32Type;
use arus_core::catalog::ObjectPath;
use arus_core::fs::Fs;
use arus_core::plan::Uid;
use arus_core::platform::{Door, IngestFormat, IngestRequest, Platform, StatementOutput};
use arus_storage::sim::{Fault, MemoryFs};
use arus_stream::{LateRow, SideKey, SideTables};
use bytes::Bytes;
use futures::TryStreamExt;

use crate::io::SideWriter;
use crate::{Engine, EngineConfig};

/// Rows that clients send at the same time.
const CLIENTS: i32 = 4;
/// Of a client at most.
const ROWS: i32 = 2_000;

fn start(fs: &MemoryFs) -> Arc<Engine> {
    let mut config = EngineConfig::new(PathBuf::from("/data")).expect("a configuration");
    config.fs = fs.shared();
    Engine::start(config).expect("starts")
}

async fn done(engine: &Arc<Engine>, sql: &str) {
    let mut session = engine.platform().session(Door::Http);
    assert!(matches!(session.execute(sql, &[]).await.expect(sql), StatementOutput::Done(_)));
}

/// The first column of a SELECT.
async fn ids(engine: &Arc<Engine>, sql: &str) -> Vec<i32> {
    let mut session = engine.platform().session(Door::Http);
    let StatementOutput::Rows(rows) = session.execute(sql, &[]).await.expect(sql) else { panic!("no rows: {sql}") };
    let batches: Vec<_> = rows.batches.try_collect().await.expect(sql);
    let mut ids: Vec<i32> =
        batches.iter().flat_map(|b| b.column(0).as_primitive::<Int32Type>().values().to_vec()).collect();
    ids.sort_unstable();
    ids
}

async fn post(platform: &Arc<dyn Platform>, table: &str, id: i32) -> arus_core::Result<()> {
    let request = IngestRequest {
        table: ObjectPath::in_default(table),
        format: IngestFormat::Json,
        body: Bytes::from(format!("{{\"id\":{id}}}")),
        idempotency_key: None,
    };
    platform.ingest(request).await.map(|_| ())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_power_failure_keeps_what_was_acknowledged() {
    for seed in 0..5 {
        let fs = MemoryFs::new();
        fs.create_dir_all(Path::new("/data")).expect("creates");
        let engine = start(&fs);
        done(&engine, "CREATE TABLE t (id INT)").await;
        done(&engine, "CREATE TABLE k (id INT, PRIMARY KEY (id) NOT ENFORCED)").await;
        done(&engine, "CREATE MATERIALIZED TABLE copied AS SELECT id FROM t").await;
        done(&engine, "CREATE MATERIALIZED TABLE counted AS SELECT id, COUNT(*) AS n FROM copied GROUP BY id").await;
        let acknowledged = Arc::new(Mutex::new((BTreeSet::new(), BTreeSet::new())));
        let platform = engine.platform();
        let clients: Vec<_> = (0..CLIENTS)
            .map(|client| {
                let (platform, acknowledged) = (platform.clone(), acknowledged.clone());
                tokio::spawn(async move {
                    for id in (0..ROWS).map(|n| n * CLIENTS + client) {
                        tokio::task::yield_now().await;
                        if post(&platform, "t", id).await.is_err() || post(&platform, "k", id).await.is_err() {
                            return;
                        }
                        let mut both = acknowledged.lock().expect("no holder of this lock panics");
                        both.0.insert(id);
                        both.1.insert(id);
                    }
                })
            })
            .collect();
        // Between checkpoints, and across one.
        tokio::time::sleep(Duration::from_millis(150 + 200 * seed)).await;
        let (topic, keyed) = acknowledged.lock().expect("no holder of this lock panics").clone();
        let after = fs.crash(seed);
        clients.iter().for_each(tokio::task::JoinHandle::abort);
        engine.shutdown().await.expect("stops");
        assert!(topic.len() > 20, "seed {seed}: only {} rows", topic.len());

        let engine = start(&after);
        let found: Vec<i32> = ids(&engine, "SELECT id FROM t").await;
        let distinct: BTreeSet<i32> = found.iter().copied().collect();
        assert_eq!(found.len(), distinct.len(), "seed {seed}: a row stands twice");
        let lost: Vec<_> = topic.difference(&distinct).collect();
        assert!(lost.is_empty(), "seed {seed}: of {} rows these are lost: {lost:?}", topic.len());
        for attempt in 0.. {
            let once = ids(&engine, "SELECT id FROM counted WHERE n = 1").await;
            let copied = ids(&engine, "SELECT id FROM copied").await;
            let in_keyed: BTreeSet<i32> = ids(&engine, "SELECT id FROM k").await.into_iter().collect();
            let mut sorted = found.clone();
            sorted.sort_unstable();
            if once == sorted && copied == sorted && keyed.is_subset(&in_keyed) {
                break;
            }
            assert!(attempt < 200, "seed {seed}: {} of {} rows are counted once", once.len(), found.len());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        engine.shutdown().await.expect("stops");
    }
}

/// The rows in files that have their names.
fn rows_of_files(fs: &MemoryFs, folder: &Path) -> Vec<i32> {
    let mut ids = vec![];
    for entry in fs.list(folder).unwrap_or_default() {
        if entry.path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("part-")) {
            let text = String::from_utf8(fs.read(&entry.path).expect("a file")).expect("text");
            ids.extend(text.lines().map(|line| line.parse::<i32>().expect("whole lines")));
        }
    }
    ids.sort_unstable();
    ids
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_power_failure_leaves_each_row_in_one_file() {
    let folder = Path::new("/data/files");
    for seed in 0..4 {
        let fs = MemoryFs::new();
        fs.create_dir_all(Path::new("/data")).expect("creates");
        let engine = start(&fs);
        done(&engine, "CREATE TABLE t (id INT)").await;
        let options = "'connector' = 'filesystem', 'path' = '/data/files', 'format' = 'csv'";
        let rolling = "'sink.rolling-policy.rollover-interval' = '300 ms', 'sink.rolling-policy.file-size' = '2 kb'";
        done(&engine, &format!("CREATE TABLE files (id INT) WITH ({options}, {rolling})")).await;
        let mut session = engine.platform().session(Door::Http);
        session.execute("INSERT INTO files SELECT id FROM t", &[]).await.expect("starts");
        let platform = engine.platform();
        let client = tokio::spawn(async move {
            for id in 0..20_000 {
                if post(&platform, "t", id).await.is_err() {
                    return;
                }
            }
        });
        tokio::time::sleep(Duration::from_millis(900 + 350 * seed)).await;
        let after = fs.crash(seed);
        client.abort();
        engine.shutdown().await.expect("stops");

        let before = rows_of_files(&after, folder);
        let engine = start(&after);
        let expected = ids(&engine, "SELECT id FROM t").await;
        for attempt in 0.. {
            let found = rows_of_files(&after, folder);
            let distinct: BTreeSet<i32> = found.iter().copied().collect();
            assert_eq!(found.len(), distinct.len(), "seed {seed}: a row stands twice");
            assert!(before.iter().all(|id| distinct.contains(id)), "seed {seed}: a row that was seen is gone");
            if found == expected {
                break;
            }
            assert!(attempt < 400, "seed {seed}: {} of {} rows are in files", found.len(), expected.len());
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        engine.shutdown().await.expect("stops");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pipeline_that_does_not_start_leaves_no_rows_in_a_keyed_table() {
    let mut refused = 0;
    for write in 1..=6 {
        let fs = MemoryFs::new();
        fs.create_dir_all(Path::new("/data")).expect("creates");
        let engine = start(&fs);
        done(&engine, "CREATE TABLE t (id INT)").await;
        done(&engine, "CREATE TABLE k (id INT, PRIMARY KEY (id) NOT ENFORCED)").await;
        for id in 0..5 {
            post(&engine.platform(), "t", id).await.expect("takes rows");
        }
        fs.set_fault(Some(Fault::WriteNoSpace(fs.writes() + write)));
        let mut session = engine.platform().session(Door::Http);
        let started = session.execute("INSERT INTO k SELECT id FROM t", &[]).await;
        fs.set_fault(None);
        // A manifest that cannot be written ends the server.
        let mut alive = engine.platform().session(Door::Http);
        if started.is_err() && alive.execute("CREATE TABLE u (id INT)", &[]).await.is_ok() {
            refused += 1;
            let shown = |expected: Vec<i32>| {
                let engine = engine.clone();
                async move {
                    for _ in 0..200 {
                        if ids(&engine, "SELECT id FROM k").await == expected {
                            return;
                        }
                        tokio::time::sleep(Duration::from_millis(50)).await;
                    }
                    panic!("write {write}: {:?}", ids(&engine, "SELECT id FROM k").await);
                }
            };
            shown(vec![]).await;
            done(&engine, "INSERT INTO k SELECT id + 10 FROM t WHERE id < 2").await;
            shown(vec![10, 11]).await;
            let after = fs.crash(write);
            engine.shutdown().await.expect("stops");
            let engine = start(&after);
            let found = ids(&engine, "SELECT id FROM k").await;
            assert!(found.iter().all(|id| *id >= 10), "write {write}: {found:?}");
            engine.shutdown().await.expect("stops");
            continue;
        }
        if let Err(e) = engine.shutdown().await {
            assert!(started.is_err(), "write {write}: {e}");
        }
    }
    assert!(refused > 0, "the disk was never full at the start of a pipeline");
}

/// A pipeline that starts again sets them aside once more: nobody had seen them, and they go all the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn late_rows_of_the_epoch_under_way_are_taken_back() {
    let fs = MemoryFs::new();
    let engine = start(&fs);
    done(&engine, "CREATE TABLE t (id INT)").await;
    let shared = &engine.shared;
    let table = shared.tables.get(&ObjectPath::in_default("t")).expect("was made");
    let mut side = SideWriter::new(shared.clone(), "p".into());
    let late = |epoch| LateRow {
        table: table.def.path.clone(),
        key: SideKey { uid: Uid(7), epoch, ordinal: 0 },
        row: "{}".into(),
        time_ms: 0,
        watermark_ms: 1,
        operator: "WindowAggregate",
        now_ms: 2,
    };
    side.late(vec![late(3), late(4)]).expect("are set aside");
    table.forget_side_rows("p", 3).expect("goes back");
    assert_eq!(table.late.open_version().len(), 1, "that of the checkpoint stays");
}
