//! Every statement of the first SQL through psql and HTTP: rows in, pipelines, tables out.

use serde_json::json;

use crate::http::{JSON, Lines, NDJSON, gzip};
use crate::server::{Server, wait_until};

#[test]
fn rows_of_every_shape_are_read_back() {
    let server = Server::start();
    server.sql("CREATE TABLE t (id INT, name STRING)");
    server.rows("t", r#"{"id": 1, "name": "object"}"#);
    server.rows("t", r#"[{"id": 2, "name": "array"}, {"id": 3}]"#);
    let lines = "{\"id\":4,\"name\":\"line\"}\n{\"id\":5,\"name\":\"line\"}\n";
    assert_eq!(server.post("/v1/tables/t/rows", &[NDJSON], lines.as_bytes()).json()["accepted"], 2);
    let body = gzip(r#"{"id": 6, "name": "gzip"}"#);
    let answer = server.post("/v1/tables/t/rows", &[JSON, ("Content-Encoding", "gzip")], &body);
    assert_eq!(answer.json()["accepted"], 1, "{}", answer.body);
    server.eventually("SELECT * FROM t ORDER BY id", "1|object\n2|array\n3|\n4|line\n5|line\n6|gzip");

    // One session reads what it has written.
    let run = server.psql(&["-c", "INSERT INTO t VALUES (7, 'sql'), (8, 'sql')", "-c", "SELECT COUNT(*) FROM t"], "");
    assert_eq!(run.stdout, "INSERT 0 2\n8\n", "{}", run.stderr);

    let answer = server.http_sql("SELECT id, name FROM t WHERE id < 3");
    assert_eq!(answer.body, "{\"id\":1,\"name\":\"object\"}\n{\"id\":2,\"name\":\"array\"}\n");
}

#[test]
fn a_keyed_table_keeps_the_last_row_of_a_key() {
    let mut server = Server::start();
    server.sql("CREATE TABLE k (id INT, name STRING, PRIMARY KEY (id) NOT ENFORCED)");
    let insert = ["-c", "INSERT INTO k VALUES (1, 'a'), (2, 'b')", "-c", "SELECT * FROM k ORDER BY id"];
    assert_eq!(server.psql(&insert, "").stdout, "INSERT 0 2\n1|a\n2|b\n");
    let insert = ["-c", "INSERT INTO k VALUES (2, 'c'), (3, 'd')", "-c", "SELECT * FROM k ORDER BY id"];
    assert_eq!(server.psql(&insert, "").stdout, "INSERT 0 2\n1|a\n2|c\n3|d\n");
    server.rows("k", r#"{"id": 1, "name": "http"}"#);
    server.eventually("SELECT * FROM k ORDER BY id", "1|http\n2|c\n3|d");
    server.kill();
    server.restart();
    server.eventually("SELECT * FROM k ORDER BY id", "1|http\n2|c\n3|d");
}

/// A script posts a row with one program and asks with the next one.
#[test]
fn the_first_read_of_a_session_finds_what_others_were_told_is_written() {
    let server = Server::start();
    server.sql("CREATE TABLE t (id INT)");
    server.sql("CREATE TABLE k (id INT PRIMARY KEY NOT ENFORCED)");
    server.sql("CREATE MATERIALIZED TABLE counted AS SELECT COUNT(*) AS n FROM t");
    for n in 1..=20 {
        server.rows("t", &json!({"id": n}).to_string());
        assert_eq!(server.http_sql("SELECT n FROM counted").body, format!("{{\"n\":{n}}}\n"));
        server.rows("k", &json!({"id": n}).to_string());
        assert_eq!(server.http_sql("SELECT COUNT(*) AS n FROM k").body, format!("{{\"n\":{n}}}\n"));
    }
}

#[test]
fn pipelines_with_and_without_windows() {
    let server = Server::start();
    server.sql("CREATE TABLE t (id INT, v INT, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '1' SECOND)");
    server.sql("CREATE MATERIALIZED TABLE by_id AS SELECT id, COUNT(*) AS n, SUM(v) AS total FROM t GROUP BY id");
    server.sql(
        "CREATE MATERIALIZED TABLE per_10s AS SELECT window_start, window_end, COUNT(*) AS n, SUM(v) AS total \
         FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '10' SECOND)) GROUP BY window_start, window_end",
    );
    let row = |id: i32, v: i32, second: i32| json!({"id": id, "v": v, "ts": format!("2024-01-01 00:00:{second:02}")});
    server.rows("t", &json!([row(1, 1, 1), row(2, 2, 2), row(1, 4, 11), row(2, 8, 25)]).to_string());
    server.rows("t", &row(3, 16, 3).to_string());
    server.eventually("SELECT * FROM by_id ORDER BY id", "1|2|5\n2|2|10\n3|1|16");
    // The watermark is at 24 s; the last row is late.
    server.eventually(
        "SELECT window_start, n, total FROM per_10s ORDER BY 1",
        "2024-01-01 00:00:00|2|3\n2024-01-01 00:00:10|1|4",
    );
    server.eventually("SELECT pipeline, operator FROM \"t$late\"", "per_10s|WindowAggregate");
    server.eventually("SELECT name, late_rows FROM arus.tables WHERE name = 't'", "t|1");
    assert!(server.get("/metrics").body.contains("arus_late_rows_total{table=\"t\"} 1"));

    // A pipeline's table is no client's.
    let answer = server.post("/v1/tables/by_id/rows", &[JSON], b"{\"id\":1}");
    assert_eq!(answer.status, 409);
    assert!(answer.error().contains("table 'by_id' is written by pipeline 'by_id'"), "{}", answer.body);
    let refused = server.sql_error("INSERT INTO per_10s SELECT ts, ts, CAST(id AS BIGINT), id FROM t");
    assert!(refused.contains("per_10s"), "{refused}");
}

#[test]
fn psql_describes_what_there_is() {
    let server = Server::start();
    server.sql("CREATE TABLE t (id INT NOT NULL, name STRING)");
    server.sql("CREATE VIEW v AS SELECT id FROM t");
    assert!(server.sql("\\d").contains("public|t|table|"));
    let listed = server.sql("\\dt");
    assert!(listed.contains("public|t|table|") && !listed.contains("arus|pipelines|"), "{listed}");
    let headed = [
        "-P",
        "tuples_only=off",
        "-P",
        "footer=off",
        "-c",
        "SELECT COUNT(*), max(t.id), id + 1 AS x FROM t GROUP BY id",
    ];
    assert_eq!(server.psql(&headed, "").stdout, "count|max|x\n");
    assert!(server.sql("SELECT version()").starts_with("PostgreSQL 15.0 (Arus "));
    let columns = server.sql("\\d t");
    assert!(columns.contains("id|integer|") && columns.contains("name|text|"), "{columns}");
    assert_eq!(server.sql("SHOW TABLES").lines().collect::<Vec<_>>(), ["t", "v"]);
    assert!(server.sql("DESCRIBE t").contains("id|INT|FALSE|"));
    let ddl = server.sql("SHOW CREATE TABLE t");
    assert!(ddl.contains("CREATE TABLE") && ddl.contains("`id` INT NOT NULL"), "{ddl}");
    let plan = server.sql("EXPLAIN SELECT name, COUNT(*) FROM t GROUP BY name");
    assert!(plan.contains("== Optimized Physical Plan ==") && plan.contains("GroupAggregate"), "{plan}");
    assert!(!plan.contains("Internal Topics"), "{plan}");
    server.sql("CREATE TABLE h (ts TIMESTAMP_LTZ(3), `value` DOUBLE) WITH ('connector' = 'host-metrics')");
    let plan = server.sql("EXPLAIN SELECT MAX(`value`) FROM h");
    assert!(plan.contains("'host-metrics' cannot be read again") && plan.contains("topic 'h$inbox'"), "{plan}");
    server.sql("DROP TABLE h");
    for (table, column) in [
        ("epochs", "incarnation, epoch, durable"),
        ("positions", "\"table\", partition, \"offset\""),
        ("pipelines", "id, name, state"),
        ("operators", "pipeline, name, rows_in"),
        ("tables", "name, kind, rows_total"),
        ("settings", "key, value"),
    ] {
        server.sql(&format!("SELECT {column} FROM arus.{table}"));
    }
    assert_eq!(server.sql("SELECT incarnation FROM arus.epochs").trim(), "1");
    assert_eq!(server.sql("SET 'pipeline.name' = 'x'").trim(), "SET");
    assert_eq!(server.sql("RESET").trim(), "RESET");
}

const SET: &str = "EXECUTE STATEMENT SET\nBEGIN\nINSERT INTO evens SELECT id FROM t WHERE MOD(id, 2) = 0;\n\
    INSERT INTO odds SELECT id FROM t WHERE MOD(id, 2) = 1;\nEND;\n";

#[test]
fn a_statement_set_is_one_job_however_psql_cuts_it() {
    let server = Server::start();
    let job = |server: &Server| {
        let jobs = server.sql("SHOW JOBS");
        let running: Vec<&str> = jobs.lines().filter(|l| l.contains("|RUNNING|")).collect();
        assert_eq!(running.len(), 1, "{jobs}");
        running[0].split('|').next().unwrap().to_string()
    };
    let tables = "CREATE TABLE t (id INT); CREATE TABLE evens (id INT); CREATE TABLE odds (id INT);";
    server.sql(tables);
    server.sql(SET);
    server.rows("t", r#"[{"id": 1}, {"id": 2}, {"id": 3}]"#);
    server.eventually("SELECT id FROM odds ORDER BY id", "1\n3");
    server.eventually("SELECT id FROM evens", "2");

    // In use: neither end of a pipeline can be dropped.
    assert!(server.sql_error("DROP TABLE t").contains("read by pipeline"));
    assert!(server.sql_error("DROP TABLE odds").contains("written by pipeline"));
    server.sql(&format!("STOP JOB '{}'", job(&server)));
    assert!(!server.sql("SHOW JOBS").contains("|RUNNING|"));
    server.sql("DROP TABLE odds");
    server.sql("DROP TABLE evens");
    server.sql("DROP TABLE t");
    assert_eq!(server.sql("SHOW TABLES"), "");

    // A script: psql sends the pieces between semicolons one by one.
    let run = server.psql(&["-f", "-"], &format!("{tables}\n{SET}SELECT 'after';\n"));
    assert!(run.ok && run.stdout.ends_with("after\n"), "{}{}", run.stdout, run.stderr);
    job(&server);
    server.rows("t", r#"[{"id": 7}]"#);
    server.eventually("SELECT id FROM odds", "7");
}

#[test]
fn a_materialized_table_goes_with_its_pipeline() {
    let server = Server::start();
    server.sql("CREATE TABLE t (id INT)");
    server.sql("CREATE MATERIALIZED TABLE m AS SELECT id, COUNT(*) AS n FROM t GROUP BY id");
    server.rows("t", r#"{"id": 1}"#);
    server.eventually("SELECT * FROM m", "1|1");
    server.sql("DROP MATERIALIZED TABLE m");
    assert!(server.sql_error("SELECT * FROM m").contains("'m' does not exist"));
    // The name is free, and the new table starts from the first row again.
    server.sql("CREATE MATERIALIZED TABLE m AS SELECT id, COUNT(*) AS n FROM t GROUP BY id");
    server.eventually("SELECT * FROM m", "1|1");
}

#[test]
fn ctrl_c_ends_a_statement() {
    let server = Server::start();
    let port = server.pg.to_string();
    let psql = [
        "--preserve-status",
        "-s",
        "INT",
        "-k",
        "100",
        "5",
        "psql",
        "-X",
        "-h",
        "127.0.0.1",
        "-p",
        &port,
        "-U",
        "arus",
        "arus",
        "-c",
    ];
    let long = "SELECT SUM(value % 7) FROM generate_series(1, 100000000000)";
    let run = crate::server::client("timeout", "coreutils", &[&psql[..], &[long]].concat(), b"");
    assert!(run.stderr.contains("canceling statement due to user request"), "{}{}", run.stdout, run.stderr);
    assert_eq!(server.sql("SELECT 1").trim(), "1");
}

#[test]
fn a_streaming_select_goes_on() {
    let server = Server::start();
    server.sql("CREATE TABLE t (id INT)");
    server.rows("t", r#"{"id": 1}"#);
    let body = json!({"sql": "SELECT id * 10 AS x FROM t", "stream": true}).to_string();
    let mut lines = Lines::open(server.http, "POST", "/v1/sql", &[JSON], body.as_bytes());
    assert_eq!(lines.next(), r#"{"op":"+I","row":{"x":10}}"#);
    server.rows("t", r#"{"id": 2}"#);
    assert_eq!(lines.next(), r#"{"op":"+I","row":{"x":20}}"#);
    drop(lines);
    wait_until("the server lives", || server.get("/healthz").status == 200);
}

#[test]
fn views_outlive_what_they_read_and_not_what_reads_them() {
    let mut server = Server::start();
    server.sql("CREATE TABLE t (id INT)");
    server.sql("CREATE VIEW v AS SELECT id + 1 AS n FROM t");
    server.sql("CREATE VIEW w AS SELECT n FROM v");
    server.sql("CREATE MATERIALIZED TABLE m AS SELECT COUNT(*) AS c FROM w");
    for refused in ["DROP VIEW v", "DROP VIEW w", "CREATE OR REPLACE VIEW v AS SELECT 1 AS n"] {
        let said = server.sql_error(refused);
        assert!(said.contains("'m'") && said.contains("pipeline"), "{refused}: {said}");
    }
    server.sql("DROP MATERIALIZED TABLE m");
    server.sql("DROP TABLE t");
    for _ in 0..2 {
        // The server starts without what a view reads, and the view says so.
        server.kill();
        server.restart();
        assert_eq!(server.sql("SHOW VIEWS").lines().collect::<Vec<_>>(), ["v", "w"]);
        let answer = server.http_sql("SELECT * FROM v");
        assert!(
            answer.status == 404 && answer.error().contains("'t' does not exist"),
            "{} {}",
            answer.status,
            answer.body
        );
        server.sql("CREATE TABLE t (id INT)");
        server.rows("t", r#"{"id": 6}"#);
        // Another session's row: durable now, readable with the next epoch.
        wait_until("the row is readable", || server.http_sql("SELECT n FROM w").body == "{\"n\":7}\n");
        // The table is younger than the views now.
        server.kill();
        server.restart();
        server.eventually("SELECT n FROM w", "7");
        server.sql("DROP TABLE t");
    }
    server.sql("DROP VIEW w");
    server.sql("DROP VIEW v");
    assert_eq!(server.sql("SHOW TABLES"), "");
}
