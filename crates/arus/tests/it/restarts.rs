//! Pipelines that fail: started again from the last checkpoint, or stopped with the record shown. The others go on.

use serde_json::json;

use crate::server::{Server, failing_until, wait_until};

fn post(server: &Server, ids: std::ops::Range<u64>) {
    let rows: Vec<_> = ids.map(|id| json!({"id": id, "ts": format!("2024-01-01 00:00:00.{:03}", id)})).collect();
    server.rows("t", &json!(rows).to_string());
}

#[test]
fn a_failure_that_passes_leaves_no_trace_in_the_results() {
    let mut server = Server::start();
    server.sql("CREATE TABLE t (id INT, ts TIMESTAMP(3), WATERMARK FOR ts AS ts)");
    // Fails at one row, for some seconds.
    let v = failing_until(server.time_for(24), "id");
    let fail = "SET 'arus.exec.error-policy' = 'fail';";
    let create = |sql: String| {
        let run = server.psql(&["-f", "-"], &format!("{fail}\n{sql};\n"));
        assert!(run.ok, "{}", run.stderr);
    };
    // A topic, a pipeline that reads it, a table with a key, one without.
    create(format!("CREATE MATERIALIZED TABLE topic AS SELECT id, {v} FROM t"));
    create("CREATE MATERIALIZED TABLE total AS SELECT COUNT(*) AS n, SUM(v) AS s FROM topic".into());
    create(format!(
        "CREATE MATERIALIZED TABLE keyed AS SELECT k, COUNT(*) AS n, SUM(v) AS s FROM (SELECT id - id / 3 * 3 AS k, {v} FROM t) GROUP BY k"
    ));
    create(format!(
        "CREATE MATERIALIZED TABLE counted AS SELECT n, s FROM (SELECT k, COUNT(*) AS n, SUM(v) AS s FROM (SELECT id - id / 3 * 3 AS k, {v} FROM t) GROUP BY k)"
    ));
    server.sql("CREATE MATERIALIZED TABLE apart AS SELECT COUNT(*) AS n FROM t");
    post(&server, 0..30);
    server.eventually("SELECT n FROM total", "30");
    server.eventually("SELECT COUNT(*) FROM topic", "30");
    // What comes before the bad row is perhaps in no checkpoint yet when it fails.
    post(&server, 30..50);
    server.eventually("SELECT n FROM apart", "50");
    let before = server.metric("arus_pipeline_restarts_total");
    post(&server, 50..60);
    let mut reasons = String::new();
    wait_until("all of them are down", || {
        reasons = server.sql("SELECT name, reason FROM arus.pipelines WHERE state = 'restarting' ORDER BY name");
        reasons.lines().count() == 4
    });
    // Made over what is about to be taken back: it counts none of that.
    create("CREATE MATERIALIZED TABLE above AS SELECT COUNT(*) AS n, SUM(v) AS s FROM topic".into());
    assert!(reasons.contains("keyed|") && reasons.contains("\"id\":50"), "{reasons}");
    assert!(reasons.contains("total|it reads what pipeline 'topic' writes"), "{reasons}");
    assert!(server.sql_error("DROP TABLE t").contains("is read by pipeline"));
    // The other one goes on meanwhile.
    server.eventually("SELECT n FROM apart", "60");

    let verify = |server: &Server, rows: u64| {
        server.eventually(
            "SELECT COUNT(*), COUNT(DISTINCT id), SUM(v) FROM topic",
            &format!("{rows}|{rows}|{}", rows * (rows - 1) / 2),
        );
        for table in ["total", "above"] {
            server.eventually(&format!("SELECT n, s FROM {table}"), &format!("{rows}|{}", rows * (rows - 1) / 2));
        }
        let third = |k: u64| (0..rows).filter(|id| id % 3 == k).collect::<Vec<_>>();
        let keyed: Vec<String> =
            (0..3).map(|k| format!("{k}|{}|{}", third(k).len(), third(k).iter().sum::<u64>())).collect();
        server.eventually("SELECT k, n, s FROM keyed ORDER BY k", &keyed.join("\n"));
        server.eventually("SELECT COUNT(*), SUM(n) FROM counted", &format!("3|{rows}"));
    };
    verify(&server, 60);
    server.eventually("SELECT COUNT(*) FROM arus.pipelines WHERE state = 'running'", "6");
    assert!(server.metric("arus_pipeline_restarts_total") - before >= 4.0);
    assert!(server.stderr().contains("pipeline 'keyed' has failed and starts again in 500 ms"), "{}", server.stderr());
    post(&server, 60..70);
    verify(&server, 70);
    server.kill();
    server.restart();
    post(&server, 70..75);
    verify(&server, 75);
}

#[test]
fn the_same_failure_three_times_stops_the_pipeline() {
    let mut server = Server::start();
    server.sql("CREATE TABLE t (id INT, name STRING)");
    let script = "SET 'arus.exec.error-policy' = 'fail';\n\
        CREATE MATERIALIZED TABLE strict AS SELECT id, UPPER(name) AS name FROM t;\n";
    assert!(server.psql(&["-f", "-"], script).ok);
    server.sql("CREATE MATERIALIZED TABLE reader AS SELECT COUNT(*) AS n FROM strict");
    server.sql("CREATE MATERIALIZED TABLE lenient AS SELECT COUNT(*) AS n FROM t");
    server.rows("t", r#"[{"id": 1, "name": "a"}, {"id": 2, "name": "b"}]"#);
    server.eventually("SELECT n FROM reader", "2");
    server.eventually("SELECT COUNT(*) FROM strict", "2");
    let lines = "{\"id\":3,\"name\":\"c\"}\n{\"id\":\"oops\"}\n{\"id\":5,\"name\":\"e\"}\n";
    assert!(server.kcat(&["-P", "-t", "t"], lines).ok);
    server.eventually("SELECT state FROM arus.pipelines WHERE name = 'strict'", "failed");
    let reason = server.sql("SELECT reason FROM arus.pipelines WHERE name = 'strict'");
    assert!(reason.contains("record 3 of p0") && reason.contains("{\"id\":\"oops\"}"), "{reason}");
    let said = server.stderr();
    assert_eq!(said.matches("pipeline 'strict' has failed and starts again").count(), 2, "{said}");
    assert!(said.contains("pipeline 'strict' is stopped, since it has failed 3 times in the same way"), "{said}");
    assert!(server.sql("SHOW JOBS").contains("|strict|FAILED|"));
    // The others go on, and what the failed one has made durable stays readable.
    server.eventually("SELECT n FROM lenient", "4");
    server.eventually("SELECT state FROM arus.pipelines WHERE name = 'reader'", "running");
    server.rows("t", r#"{"id": 6, "name": "f"}"#);
    server.eventually("SELECT n FROM lenient", "5");
    assert_eq!(server.sql("SELECT COUNT(*) FROM strict").trim(), server.sql("SELECT n FROM reader").trim());
    // Its statement is planned again at the next start: what it reads has to stay until it is dropped.
    assert!(server.sql_error("DROP TABLE t").contains("is read by pipeline"));
    server.kill();
    server.restart();
    wait_until("it fails again", || {
        server.sql("SELECT state FROM arus.pipelines WHERE name = 'strict'").trim() == "failed"
    });
    for table in ["reader", "strict", "lenient"] {
        server.sql(&format!("DROP MATERIALIZED TABLE {table}"));
    }
    server.sql("DROP TABLE t");
    assert_eq!(server.sql("SELECT COUNT(*) FROM arus.pipelines").trim(), "0");
    assert_eq!(server.stop("-TERM"), Some(0));
    server.restart();
    assert_eq!(server.sql("SHOW TABLES"), "");
}
