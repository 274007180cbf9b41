//! Pipelines that are stopped, suspended, drained or fail while rows come: nothing is lost, nothing counted twice.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::json;

use crate::http::{JSON, request};
use crate::server::{Server, failing_until, wait_until};

fn script(server: &Server, sql: &str) {
    let run = server.psql(&["-f", "-"], sql);
    assert!(run.ok, "{}\n{}", run.stderr, server.stderr());
}

#[test]
fn windows_and_late_rows_come_once_over_a_failure() {
    let mut server = Server::start();
    server.sql("CREATE TABLE t (id INT, v INT, ts TIMESTAMP(3), WATERMARK FOR ts AS ts)");
    let v = failing_until(server.time_for(8), "v");
    script(
        &server,
        &format!(
            "SET 'arus.exec.error-policy' = 'fail';\nCREATE VIEW source AS SELECT id, {v}, ts FROM t;\n\
             CREATE MATERIALIZED TABLE w AS SELECT window_start, COUNT(*) AS n, SUM(v) AS s \
             FROM TABLE(TUMBLE(TABLE source, DESCRIPTOR(ts), INTERVAL '1' SECOND)) GROUP BY window_start, window_end;\n"
        ),
    );
    let row = |id: u64, ms: u64| json!({"id": id, "v": id, "ts": format!("2024-01-01 00:00:{:02}.{:03}", ms / 1_000, ms % 1_000)});
    let rows = |ids: std::ops::Range<u64>| json!(ids.map(|id| row(id, id * 100)).collect::<Vec<_>>()).to_string();
    server.rows("t", &rows(0..40));
    server.eventually("SELECT SUM(n), SUM(s) FROM w", &format!("30|{}", (0..30).sum::<u64>()));
    // Late ones, and windows that close, perhaps in no checkpoint yet.
    server.rows("t", &json!([row(1_000, 100), row(1_001, 200)]).to_string());
    server.rows("t", &rows(40..50));
    server.eventually("SELECT COUNT(*) FROM \"t$late\"", "2");
    server.rows("t", &rows(50..75));
    wait_until("it has failed", || server.stderr().contains("pipeline 'w' has failed and starts again"));
    let verify = |server: &Server| {
        server.eventually("SELECT SUM(n), SUM(s) FROM w", &format!("70|{}", (0..70).sum::<u64>()));
        server.eventually("SELECT COUNT(*) FROM \"t$late\"", "2");
    };
    verify(&server);
    let metrics = server.get("/metrics").body;
    let line = metrics.lines().find(|l| l.starts_with("arus_late_rows_total{table=\"t\"}")).unwrap();
    assert_eq!(line.rsplit(' ').next(), Some("2"), "counted once");
    server.kill();
    server.restart();
    verify(&server);
}

#[test]
fn a_statement_set_falls_back_as_a_whole() {
    let server = Server::start();
    server.sql("CREATE TABLE t (id INT, v INT)");
    server.sql("CREATE TABLE all_rows (id INT, v INT)");
    server.sql("CREATE TABLE sums (k INT, n BIGINT, s INT, PRIMARY KEY (k) NOT ENFORCED)");
    let v = failing_until(server.time_for(8), "v");
    script(
        &server,
        &format!(
            "SET 'arus.exec.error-policy' = 'fail';\nCREATE VIEW source AS SELECT id, {v} FROM t;\nEXECUTE STATEMENT SET BEGIN \
             INSERT INTO all_rows SELECT id, v FROM source; \
             INSERT INTO sums SELECT MOD(id, 3), COUNT(*), SUM(v) FROM source GROUP BY MOD(id, 3); END;\n"
        ),
    );
    server.sql("CREATE MATERIALIZED TABLE over_sums AS SELECT SUM(n) AS n, SUM(s) AS s FROM sums");
    let post = |ids: std::ops::Range<u64>| {
        server.rows("t", &json!(ids.map(|id| json!({"id": id, "v": id})).collect::<Vec<_>>()).to_string());
    };
    post(0..30);
    server.eventually("SELECT n FROM over_sums", "30");
    post(30..60);
    wait_until("it has failed", || server.metric("arus_pipeline_restarts_total") >= 2.0);
    server.eventually("SELECT n, s FROM over_sums", &format!("60|{}", (0..60).sum::<u64>()));
    server.eventually("SELECT COUNT(*), SUM(v) FROM all_rows", &format!("60|{}", (0..60).sum::<u64>()));
    server.eventually("SELECT SUM(n), SUM(s) FROM sums", &format!("60|{}", (0..60).sum::<u64>()));
}

#[test]
fn a_job_is_stopped_while_it_waits_to_start_again() {
    let server = Server::start();
    server.sql("CREATE TABLE t (id INT, v INT)");
    server.sql("CREATE TABLE o (v INT)");
    // It fails for good, each time at another row: the pauses grow.
    script(
        &server,
        "SET 'arus.exec.error-policy' = 'fail';\nSET 'pipeline.name' = 'job';\n\
         INSERT INTO o SELECT 1 / (id - id) + v FROM t WHERE CURRENT_TIMESTAMP > TIMESTAMP '2000-01-01 00:00:00';\n",
    );
    server.rows("t", r#"{"id": 1, "v": 1}"#);
    wait_until("it waits", || server.sql("SELECT state FROM arus.pipelines WHERE name = 'job'").trim() != "running");
    let id = server.sql("SELECT id FROM arus.pipelines WHERE name = 'job'").trim().to_string();
    server.sql(&format!("STOP JOB '{id}'"));
    server.eventually("SELECT COUNT(*) FROM arus.pipelines WHERE state IN ('running', 'restarting')", "0");
    let restarts = server.metric("arus_pipeline_restarts_total");
    // Its target is free again, and nobody starts it any more.
    server.sql("INSERT INTO o VALUES (7)");
    server.eventually("SELECT v FROM o", "7");
    std::thread::sleep(Duration::from_millis(1_500));
    assert_eq!(server.metric("arus_pipeline_restarts_total"), restarts);
    server.sql("DROP TABLE t");
}

/// Posts rows with ids from 0 until it is told to end.
struct Load {
    stop: Arc<AtomicBool>,
    rows: Arc<AtomicU64>,
    thread: JoinHandle<()>,
}

impl Load {
    fn start(port: u16) -> Load {
        let (stop, rows) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let (stopped, posted) = (stop.clone(), rows.clone());
        let thread = std::thread::spawn(move || {
            while !stopped.load(SeqCst) {
                let first = posted.load(SeqCst);
                let body =
                    json!((first..first + 20).map(|id| json!({"id": id, "v": id})).collect::<Vec<_>>()).to_string();
                let answer = request(port, "POST", "/v1/tables/t/rows", &[JSON], body.as_bytes()).unwrap();
                if answer.status == 200 {
                    posted.store(first + 20, SeqCst);
                }
            }
        });
        Load { stop, rows, thread }
    }

    fn goes_on(&self) {
        let target = self.rows.load(SeqCst) + 40;
        wait_until("rows come in", || self.rows.load(SeqCst) >= target);
    }

    fn end(self) -> u64 {
        self.stop.store(true, SeqCst);
        self.thread.join().unwrap();
        self.rows.load(SeqCst)
    }
}

#[test]
fn suspended_and_drained_under_load() {
    let server = Server::start();
    server.sql("CREATE TABLE t (id BIGINT, v BIGINT)");
    server.sql("CREATE TABLE o (id BIGINT)");
    server.sql("CREATE MATERIALIZED TABLE total AS SELECT COUNT(*) AS n, SUM(v) AS s FROM t");
    server.sql("CREATE MATERIALIZED TABLE by_mod AS SELECT MOD(id, 5) AS k, COUNT(*) AS n FROM t GROUP BY MOD(id, 5)");
    server.sql("CREATE MATERIALIZED TABLE over_mod AS SELECT SUM(n) AS n FROM by_mod");
    script(&server, "SET 'pipeline.name' = 'copy';\nINSERT INTO o SELECT id FROM t;\n");
    let load = Load::start(server.http);
    for table in ["total", "by_mod", "over_mod", "total"] {
        load.goes_on();
        server.sql(&format!("ALTER MATERIALIZED TABLE {table} SUSPEND"));
        load.goes_on();
        server.sql(&format!("ALTER MATERIALIZED TABLE {table} RESUME"));
    }
    let id = server.sql("SELECT id FROM arus.pipelines WHERE name = 'copy'").trim().to_string();
    server.sql(&format!("STOP JOB '{id}' WITH SAVEPOINT WITH DRAIN"));
    let rows = load.end();
    server.eventually("SELECT n, s FROM total", &format!("{rows}|{}", rows * (rows - 1) / 2));
    server.eventually("SELECT SUM(n) FROM by_mod", &rows.to_string());
    server.eventually("SELECT n FROM over_mod", &rows.to_string());
    // What was drained has each row up to its end, once.
    let copied: Vec<u64> = server
        .sql("SELECT COUNT(*), COUNT(DISTINCT id), MAX(id) + 1 FROM o")
        .trim()
        .split('|')
        .map(|n| n.parse().unwrap())
        .collect();
    assert!(
        copied[0] > 0 && copied[0] == copied[1] && copied[0] == copied[2] && copied[0] <= rows,
        "{copied:?} of {rows}"
    );
}
