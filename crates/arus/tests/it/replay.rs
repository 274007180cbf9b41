//! REPLAY: what was set aside goes once more, once, over crashes too.

use std::time::Duration;

use serde_json::json;

use crate::server::{Server, now_ms};

/// What psql says of a REPLAY: its tag and notices.
fn replay(server: &Server, sql: &str) -> String {
    let run = server.psql(&["-c", sql], "");
    assert!(run.ok, "{}\n{}", run.stderr, server.stderr());
    format!("{}{}", run.stdout, run.stderr)
}

#[test]
fn rows_that_failed_for_a_while_go_once_more() {
    let mut server = Server::start();
    server.sql("CREATE TABLE t (id INT, v INT)");
    let until = server.time_for(12);
    // Fails for every third row until then.
    let v = format!(
        "CASE WHEN MOD(id, 3) = 0 AND CURRENT_TIMESTAMP < TO_TIMESTAMP_LTZ({until}, 3) THEN 1 / (id - id) ELSE v END AS v"
    );
    server.sql(&format!(
        "CREATE MATERIALIZED TABLE total AS SELECT COUNT(*) AS n, SUM(v) AS s FROM (SELECT id, {v} FROM t)"
    ));
    server.sql("CREATE MATERIALIZED TABLE apart AS SELECT COUNT(*) AS n FROM t");
    let rows: Vec<_> = (1..=30).map(|id| json!({"id": id, "v": id})).collect();
    server.rows("t", &json!(rows).to_string());
    server.eventually("SELECT n FROM total", "20");
    server.eventually("SELECT COUNT(*) FROM \"t$quarantine\"", "10");
    // Not mended yet: all come back.
    let told = replay(&server, "ALTER TABLE t REPLAY QUARANTINE WHERE pipeline = 'total'");
    assert!(told.contains("REPLAY 10") && told.contains("10 rows went, 10 of them were set aside again"), "{told}");
    server.eventually("SELECT COUNT(*) FROM \"t$quarantine\"", "10");
    std::thread::sleep(Duration::from_millis(until.saturating_sub(now_ms()) + 50));
    let told = replay(
        &server,
        "ALTER TABLE t REPLAY QUARANTINE WHERE CAST(`bytes` AS STRING) LIKE '%\"id\":3,%' OR reason = 'none'",
    );
    assert!(told.contains("1 row went, 0 of them were set aside again"), "{told}");
    server.eventually("SELECT n, s FROM total", &format!("21|{}", (1..=30).filter(|i| i % 3 != 0).sum::<i32>() + 3));
    server.kill();
    server.restart();
    server.eventually("SELECT n FROM total", "21");
    assert!(replay(&server, "ALTER TABLE t REPLAY QUARANTINE").contains("9 rows went, 0 of them"));
    server.eventually("SELECT n, s FROM total", &format!("30|{}", 30 * 31 / 2));
    server.eventually("SELECT COUNT(*) FROM \"t$quarantine\"", "0");
    // Who had no trouble sees none of them twice.
    server.eventually("SELECT n FROM apart", "30");
    assert!(replay(&server, "ALTER TABLE t REPLAY QUARANTINE").contains("REPLAY 0"));
    server.kill();
    server.restart();
    server.eventually("SELECT n, s FROM total", &format!("30|{}", 30 * 31 / 2));
    server.eventually("SELECT n FROM apart", "30");
}

#[test]
fn records_and_refused_requests_are_checked_anew() {
    let mut server = Server::start();
    server.sql("CREATE TABLE t (id INT, name STRING)");
    server.sql("CREATE MATERIALIZED TABLE n AS SELECT COUNT(*) AS n FROM t");
    assert!(server.kcat(&["-P", "-t", "t"], "{\"id\":1}\n{\"id\":\"oops\"}\nnonsense\n{\"id\":4}\n").ok);
    server.eventually("SELECT n FROM n", "2");
    let answer = server.post("/v1/tables/t/rows", &[crate::http::JSON], br#"[{"id": 5}, {"id": "x"}]"#);
    assert_eq!(answer.json()["accepted"], 1, "{}", answer.body);
    server.eventually("SELECT COUNT(*) FROM \"t$quarantine\"", "3");
    let told = replay(&server, "ALTER TABLE t REPLAY QUARANTINE");
    assert!(told.contains("3 rows went, 3 of them were set aside again"), "{told}");
    server.eventually("SELECT COUNT(*), COUNT(DISTINCT source) FROM \"t$quarantine\"", "3|2");
    // The names of records stay: a second replay finds the same ones.
    assert_eq!(server.sql("SELECT \"offset\" FROM \"t$quarantine\" WHERE source = 'p0' ORDER BY 1").trim(), "1\n2");
    server.eventually("SELECT n FROM n", "3");
    // A pipeline of this name that is made now reads the topic by itself.
    server.sql("DROP MATERIALIZED TABLE n");
    server.sql("CREATE MATERIALIZED TABLE n AS SELECT COUNT(*) AS n FROM t");
    server.eventually("SELECT n FROM n", "3");
    let told = replay(&server, "ALTER TABLE t REPLAY QUARANTINE WHERE pipeline IS NOT NULL");
    assert!(told.contains("REPLAY 0") || told.contains("2 rows went, 2 of them"), "{told}");
    server.kill();
    server.restart();
    server.eventually("SELECT n FROM n", "3");
    let wrong = server.sql_error("ALTER TABLE t REPLAY QUARANTINE WHERE nothing = 1");
    assert!(wrong.contains("nothing"), "{wrong}");
    assert!(server.sql_error("ALTER TABLE t REPLAY").contains("QUARANTINE"));
}

#[test]
fn late_rows_are_counted_once_and_come_back_late() {
    let mut server = Server::start();
    server.sql("CREATE TABLE t (id INT, ts TIMESTAMP(3), WATERMARK FOR ts AS ts)");
    server.sql(
        "CREATE MATERIALIZED TABLE w AS SELECT window_start, COUNT(*) AS n \
         FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '1' SECOND)) GROUP BY window_start, window_end",
    );
    let row = |id: u64, second: u64| json!({"id": id, "ts": format!("2024-01-01 00:00:{second:02}")});
    server.rows("t", &json!([row(1, 1), row(2, 10), row(3, 2), row(4, 3)]).to_string());
    server.eventually("SELECT COUNT(*) FROM \"t$late\"", "2");
    let told = replay(&server, "ALTER TABLE t REPLAY LATE");
    assert!(told.contains("2 rows went, 2 of them were set aside again"), "{told}");
    server.eventually("SELECT COUNT(*) FROM \"t$late\"", "2");
    server.eventually("SELECT SUM(n) FROM w", "1");
    server.kill();
    server.restart();
    server.eventually("SELECT COUNT(*) FROM \"t$late\"", "2");
    server.eventually("SELECT SUM(n) FROM w", "1");
}

#[test]
fn a_record_keeps_its_key_headers_and_time() {
    let mut server = Server::start();
    // The scan computes `c`, so that what fails is the record and not a row of an operator.
    let until = server.time_for(6);
    server.sql(&format!(
        "CREATE TABLE t (id INT, k BYTES METADATA FROM 'key' VIRTUAL, h MAP<STRING, BYTES> METADATA FROM 'headers' VIRTUAL, \
         ts TIMESTAMP_LTZ(3) METADATA FROM 'timestamp' VIRTUAL, \
         c AS CASE WHEN CURRENT_TIMESTAMP < TO_TIMESTAMP_LTZ({until}, 3) THEN 1 / (id - id) ELSE id END)"
    ));
    server.sql(
        "CREATE MATERIALIZED TABLE m AS SELECT id, CAST(k AS STRING) AS k, CAST(h['trace'] AS STRING) AS trace, c, ts FROM t",
    );
    let before = now_ms();
    let run = server.kcat(&["-P", "-t", "t", "-K", "|", "-H", "trace=abc"], "one|{\"id\": 1}\ntwo|{\"id\": 2}\n");
    assert!(run.ok, "{}", run.stderr);
    let after = now_ms();
    server.eventually("SELECT COUNT(*) FROM \"t$quarantine\"", "2");
    std::thread::sleep(Duration::from_millis(until.saturating_sub(now_ms()) + 50));
    let told = replay(&server, "ALTER TABLE t REPLAY QUARANTINE");
    assert!(told.contains("2 rows went, 0 of them were set aside again"), "{told}");
    let whole = |server: &Server| {
        server.eventually("SELECT id, k, trace, c FROM m ORDER BY id", "1|one|abc|1\n2|two|abc|2");
        let sent = server.sql("SELECT CAST(EXTRACT(EPOCH FROM MIN(ts)) * 1000 AS BIGINT) FROM m");
        let sent: u64 = sent.trim().parse().unwrap_or_else(|e| panic!("{e}: {sent}"));
        assert!((before..=after).contains(&sent), "{before} <= {sent} <= {after}");
    };
    whole(&server);
    server.kill();
    server.restart();
    whole(&server);
}

#[test]
fn refused_rows_of_a_keyed_table_that_nobody_has_written_yet_go_once_more() {
    let mut server = Server::start();
    server.sql("CREATE TABLE k (id INT, v INT, PRIMARY KEY (id) NOT ENFORCED)");
    let answer = server.post("/v1/tables/k/rows", &[crate::http::JSON], br#"[{"id": 1, "v": "x"}, {"id": "no"}]"#);
    assert_eq!(answer.status, 422, "{}", answer.body);
    server.eventually("SELECT COUNT(*) FROM \"k$quarantine\"", "2");
    let told = replay(&server, "ALTER TABLE k REPLAY QUARANTINE");
    assert!(told.contains("2 rows went, 2 of them were set aside again"), "{told}");
    // It has no writer yet, so its columns may change.
    server.sql("ALTER TABLE k MODIFY v STRING");
    server.kill();
    server.restart();
    let told = replay(&server, "ALTER TABLE k REPLAY QUARANTINE");
    assert!(told.contains("2 rows went, 1 of them were set aside again"), "{told}");
    server.eventually("SELECT id, v FROM k", "1|x");
    server.eventually("SELECT COUNT(*) FROM \"k$quarantine\"", "1");
    server.kill();
    server.restart();
    server.eventually("SELECT id, v FROM k", "1|x");
    assert!(replay(&server, "ALTER TABLE k REPLAY QUARANTINE WHERE reason LIKE '%v%'").contains("REPLAY 0"));
    server.eventually("SELECT COUNT(*) FROM k", "1");
}
