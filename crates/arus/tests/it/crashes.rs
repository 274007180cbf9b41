//! kill -9 and SIGTERM under load: every acknowledged row is counted once, everywhere.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};

use crate::http::{JSON, request};
use crate::server::{Server, wait_until};

const KILLS: usize = 11;
const ROWS_A_POST: u64 = 20;
/// Between two rows, in event time.
const STEP_MS: u64 = 25;
const KEYS: u64 = 7;

/// Posts batch after batch; each until it is acknowledged.
struct Load {
    stop: Arc<AtomicBool>,
    rows: Arc<AtomicU64>,
    thread: JoinHandle<()>,
}

impl Load {
    fn start(port: u16, first_batch: u64) -> Load {
        let (stop, rows) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(first_batch * ROWS_A_POST)));
        let (stopped, acknowledged) = (stop.clone(), rows.clone());
        let thread = std::thread::spawn(move || {
            let mut batch = first_batch;
            while !stopped.load(SeqCst) {
                post_until_acknowledged(port, batch);
                batch += 1;
                acknowledged.store(batch * ROWS_A_POST, SeqCst);
            }
        });
        Load { stop, rows, thread }
    }

    fn rows(&self) -> u64 {
        self.rows.load(SeqCst)
    }

    /// Until as many more have been acknowledged.
    fn goes_on(&self, rows: u64) {
        let target = self.rows() + rows;
        wait_until("rows come in", || self.rows() >= target);
    }

    /// Ends it; the rows that were acknowledged in all.
    fn end(self) -> u64 {
        self.stop.store(true, SeqCst);
        self.thread.join().unwrap();
        self.rows.load(SeqCst)
    }
}

fn post_until_acknowledged(port: u16, batch: u64) {
    let rows: Vec<String> = (batch * ROWS_A_POST..(batch + 1) * ROWS_A_POST).map(row).collect();
    let body = format!("[{}]", rows.join(","));
    let key = format!("batch-{batch}");
    for _ in 0..3_000 {
        let answer = request(port, "POST", "/v1/tables/t/rows", &[JSON, ("Idempotency-Key", &key)], body.as_bytes());
        match answer {
            Ok(answer) if answer.status == 200 => return,
            // While it starts and recovers.
            Ok(answer) if answer.status >= 500 || answer.status == 404 => {}
            Ok(answer) => panic!("{} {}", answer.status, answer.body),
            Err(_) => {}
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    panic!("batch {batch} was never acknowledged");
}

fn row(id: u64) -> String {
    let ms = id * STEP_MS;
    let (h, m, s) = (ms / 3_600_000, ms / 60_000 % 60, ms / 1_000 % 60);
    format!(r#"{{"id":{id},"k":{},"ts":"2024-01-01 {h:02}:{m:02}:{s:02}.{:03}"}}"#, id % KEYS, ms % 1_000)
}

fn prepare(server: &Server) {
    server.sql("CREATE TABLE t (id BIGINT, k BIGINT, ts TIMESTAMP(3), WATERMARK FOR ts AS ts)");
    server.sql("CREATE MATERIALIZED TABLE by_k AS SELECT k, COUNT(*) AS n, SUM(id) AS total FROM t GROUP BY k");
    server.sql(
        "CREATE MATERIALIZED TABLE per_second AS SELECT window_start, window_end, COUNT(*) AS n, SUM(id) AS total \
         FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '1' SECOND)) GROUP BY window_start, window_end",
    );
}

/// `rows` rows were acknowledged, with ids from 0: the topic, the running aggregate and the windows all say so.
#[track_caller]
fn verify(server: &Server, rows: u64) {
    server.eventually("SELECT COUNT(*), COUNT(DISTINCT id), MAX(id) FROM t", &format!("{rows}|{rows}|{}", rows - 1));
    let mut by_key: BTreeMap<u64, (u64, u64)> = BTreeMap::new();
    // The last second is open: the watermark stands within it.
    let mut by_second: BTreeMap<u64, (u64, u64)> = BTreeMap::new();
    for id in 0..rows {
        for (map, key) in [(&mut by_key, id % KEYS), (&mut by_second, id * STEP_MS / 1_000)] {
            let (n, total) = map.entry(key).or_default();
            *n += 1;
            *total += id;
        }
    }
    by_second.pop_last();
    let text = |map: &BTreeMap<u64, (u64, u64)>| {
        let mut text = String::new();
        map.iter().for_each(|(key, (n, total))| writeln!(text, "{key}|{n}|{total}").unwrap());
        text.trim_end().to_string()
    };
    server.eventually("SELECT k, n, total FROM by_k ORDER BY k", &text(&by_key));
    server.eventually(
        "SELECT CAST(extract(epoch FROM window_start) - 1704067200 AS BIGINT), n, total FROM per_second ORDER BY 1",
        &text(&by_second),
    );
    assert_eq!(server.sql("SELECT COUNT(*) FROM \"t$late\"").trim(), "0");
    assert_eq!(server.sql("SELECT COUNT(*) FROM \"t$quarantine\"").trim(), "0");
}

#[test]
fn kill_9_at_random_moments_under_load() {
    let mut server = Server::start();
    prepare(&server);
    let load = Load::start(server.http, 0);
    let mut moments = vec![];
    let (mut longest, mut all_replayed) = (Duration::ZERO, 0.0);
    for kill in 0..KILLS {
        let nanos = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().subsec_nanos();
        let wait = Duration::from_millis(1_000 + u64::from(nanos / 1_000 % 400));
        moments.push(wait.as_millis());
        std::thread::sleep(wait);
        load.goes_on(5 * ROWS_A_POST);
        let before = load.rows();
        server.kill();
        let started = Instant::now();
        server.restart();
        longest = longest.max(started.elapsed());
        let epoch = server.metric("arus_recovery_epoch");
        assert!(epoch > 0.0, "kill {kill} of {moments:?} ms, {before} rows: nothing was restored");
        // A kill may come right behind a checkpoint; not all of them do.
        all_replayed += server.metric("arus_recovery_replayed_rows");
    }
    assert!(all_replayed > 0.0, "{moments:?} ms: nothing was replayed");
    let rows = load.end();
    assert!(rows > 1_000, "only {rows} rows in {moments:?} ms");
    eprintln!("{rows} rows, killed after {moments:?} ms; it served again after {longest:?} at most");
    verify(&server, rows);
    assert_eq!(server.metric("arus_incarnation") as usize, KILLS + 1);
}

#[test]
fn sigterm_checkpoints_and_replays_nothing() {
    let mut server = Server::start();
    prepare(&server);
    let mut rows = 0;
    for _ in 0..3 {
        let load = Load::start(server.http, rows / ROWS_A_POST);
        std::thread::sleep(Duration::from_millis(300));
        load.goes_on(ROWS_A_POST);
        rows = load.end();
        assert_eq!(server.stop("-TERM"), Some(0), "{}", server.stderr());
        server.restart();
        assert!(server.metric("arus_recovery_epoch") > 0.0);
        assert_eq!(server.metric("arus_recovery_replayed_rows"), 0.0);
    }
    verify(&server, rows);
    // Twice without anything to do in between.
    assert_eq!(server.stop("-TERM"), Some(0));
    server.restart();
    assert_eq!(server.stop("-INT"), Some(130));
    server.restart();
    verify(&server, rows);
}
