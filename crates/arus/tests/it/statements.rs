//! Statements that change what is there: databases, ALTER, UPDATE and DELETE, pipelines that stand still; and a restart after each.

use crate::server::{Server, arus_command, wait_until};

#[test]
fn databases_are_schemas_and_stay() {
    let mut server = Server::start();
    server.sql("CREATE DATABASE shop COMMENT 'sells' WITH ('a' = 'b')");
    server.sql("CREATE DATABASE IF NOT EXISTS shop");
    server.sql("CREATE TABLE shop.orders (id INT, item STRING)");
    server.sql("CREATE TABLE orders (id INT)");
    server.rows("shop.orders", r#"[{"id": 1, "item": "tea"}, {"id": 2, "item": "salt"}]"#);
    // What USE has set is kept with the pipeline.
    let made = "CREATE MATERIALIZED TABLE counts AS SELECT item, COUNT(*) AS n FROM orders GROUP BY item";
    let run = server.psql(
        &["-c", "USE shop", "-c", made, "-c", "CREATE VIEW teas AS SELECT id FROM orders WHERE item = 'tea'"],
        "",
    );
    assert!(run.stderr.is_empty() || run.stdout.contains("CREATE MATERIALIZED TABLE"), "{}", run.stderr);
    server.eventually("SELECT * FROM shop.counts ORDER BY item", "salt|1\ntea|1");
    server.kill();
    server.restart();
    server.rows("shop.orders", r#"{"id": 3, "item": "tea"}"#);
    server.eventually("SELECT * FROM shop.counts ORDER BY item", "salt|1\ntea|2");
    server.eventually("SELECT * FROM shop.teas ORDER BY id", "1\n3");
    // A union promises no order of its own.
    let select = "SELECT COUNT(*) AS n FROM orders UNION ALL SELECT COUNT(*) FROM public.orders ORDER BY n";
    let run = server.psql(&["-c", "USE shop", "-c", select], "");
    assert!(run.stdout.ends_with("0\n3\n"), "{} {}", run.stdout, run.stderr);
    assert!(server.sql("\\dt shop.*").contains("shop|counts|table|"));
    assert!(server.sql_error("DROP DATABASE shop").contains("is not empty"));
    assert!(server.sql_error("CREATE DATABASE shop").contains("exists already"));
    assert!(server.sql_error("CREATE CATALOG c WITH ('type' = 'generic_in_memory')").contains("on a server"));
    server.sql("DROP DATABASE shop CASCADE");
    assert!(server.sql_error("SELECT * FROM shop.counts").contains("shop"));
    server.kill();
    server.restart();
    assert!(!server.sql("SHOW DATABASES").contains("shop"));
}

#[test]
fn rows_of_keyed_tables_are_updated_and_deleted() {
    let mut server = Server::start();
    server.sql("CREATE TABLE k (id INT, name STRING, n BIGINT, PRIMARY KEY (id) NOT ENFORCED)");
    server.sql("INSERT INTO k VALUES (1, 'a', 1), (2, 'b', 2), (3, CAST(NULL AS STRING), 3)");
    let update = [
        "-c",
        "UPDATE k SET name = UPPER(name) || '!', n = n * 10 WHERE n >= 2 OR name IS NULL",
        "-c",
        "SELECT * FROM k ORDER BY id",
        "-c",
        "DELETE FROM k WHERE id IN (1, 7)",
        "-c",
        "UPDATE k SET n = 0 WHERE id = 7",
        "-c",
        "SELECT * FROM k ORDER BY id",
    ];
    let run = server.psql(&update, "");
    assert_eq!(run.stdout, "UPDATE 2\n1|a|1\n2|B!|20\n3||30\nDELETE 1\nUPDATE 0\n2|B!|20\n3||30\n", "{}", run.stderr);
    assert!(server.sql_error("UPDATE k SET id = 5").contains("a part of the key"));
    assert!(server.sql_error("UPDATE k SET nam = 'x'").contains("did you mean 'name'"));
    assert!(server.sql_error("UPDATE k SET n = 'x'").contains("column 'n' is BIGINT"));
    server.sql("CREATE TABLE log (id INT)");
    assert!(server.sql_error("DELETE FROM log").contains("has no rows of its own by key"));
    server.kill();
    server.restart();
    server.eventually("SELECT * FROM k ORDER BY id", "2|B!|20\n3||30");
    let run = server.psql(&["-c", "TRUNCATE TABLE k", "-c", "SELECT COUNT(*) FROM k"], "");
    assert_eq!(run.stdout, "TRUNCATE TABLE 2\n0\n", "{}", run.stderr);
}

#[test]
fn tables_change_under_pipelines_that_do_not_notice() {
    let mut server = Server::start();
    server.sql("CREATE TABLE t (id INT, item STRING)");
    server.sql("CREATE MATERIALIZED TABLE counts AS SELECT item, COUNT(*) AS n FROM t GROUP BY item");
    server.sql("CREATE VIEW v AS SELECT id FROM t");
    server.rows("t", r#"{"id": 1, "item": "tea"}"#);
    server.eventually("SELECT id, item FROM t", "1|tea");
    server.sql("ALTER TABLE t ADD (price DOUBLE AFTER id, twice AS price * 2)");
    server.eventually("SELECT id, price FROM t", "1|");
    server.rows("t", r#"{"id": 2, "item": "tea", "price": 1.5}"#);
    server.eventually("SELECT * FROM counts", "tea|2");
    server.eventually("SELECT id, price, twice FROM t ORDER BY id", "1||\n2|1.5|3");
    for (refused, why) in [
        ("ALTER TABLE t DROP item", "'counts'"),
        ("ALTER TABLE t RENAME item TO thing", "'counts'"),
        ("ALTER TABLE t RENAME TO u", "'counts'"),
        ("ALTER TABLE t ADD x INT NOT NULL", "NOT NULL"),
        ("ALTER TABLE t MODIFY id TINYINT", "column 'id' holds values of INT"),
        ("ALTER TABLE t ADD PRIMARY KEY (id) NOT ENFORCED", "it is a topic"),
        ("ALTER TABLE counts ADD x INT", "is a materialized table"),
    ] {
        let error = server.sql_error(refused);
        assert!(error.contains(why), "{refused}: {error}");
    }
    server.sql("ALTER TABLE t MODIFY id BIGINT");
    server.sql("ALTER VIEW v AS SELECT id, price FROM t WHERE price IS NOT NULL");
    server.sql("ALTER VIEW v RENAME TO w");
    server.kill();
    server.restart();
    server.rows("t", r#"{"id": 3000000000, "item": "tea", "price": 2}"#);
    server.eventually("SELECT * FROM counts", "tea|3");
    server.eventually("SELECT * FROM w ORDER BY id", "2|1.5\n3000000000|2");

    // A table like another, and one from a query, are there after a restart as they were.
    server.sql("CREATE TABLE again (note STRING) LIKE t");
    server.sql("CREATE TABLE copy AS SELECT id, item FROM t");
    server.eventually("SELECT COUNT(*) FROM copy", "3");
    server.kill();
    server.restart();
    server.rows("again", r#"{"id": 1, "price": 4, "note": "x"}"#);
    server.eventually("SELECT id, price, twice, note FROM again", "1|4|8|x");
    server.rows("t", r#"{"id": 9, "item": "salt"}"#);
    server.eventually("SELECT COUNT(*) FROM copy", "4");
}

#[test]
fn materialized_tables_are_suspended_changed_and_rebuilt() {
    let mut server = Server::start();
    server.sql("CREATE TABLE t (id INT, item STRING)");
    server.sql(
        "CREATE MATERIALIZED TABLE counts (n, item, PRIMARY KEY (item) NOT ENFORCED) \
         AS SELECT COALESCE(item, '') AS item, COUNT(*) AS n FROM t GROUP BY COALESCE(item, '')",
    );
    server.rows("t", r#"[{"id": 1, "item": "tea"}, {"id": 2, "item": "salt"}]"#);
    server.eventually("SELECT item, n FROM counts ORDER BY item", "salt|1\ntea|1");
    server.sql("ALTER MATERIALIZED TABLE counts SUSPEND");
    assert!(server.sql_error("ALTER MATERIALIZED TABLE counts SUSPEND").contains("suspended already"));
    server.rows("t", r#"{"id": 3, "item": "tea"}"#);
    server.kill();
    server.restart();
    assert_eq!(server.sql("SELECT item, n FROM counts ORDER BY item"), "salt|1\ntea|1\n");
    assert_eq!(server.sql("SELECT state FROM arus.pipelines"), "suspended\n");
    server.sql("ALTER MATERIALIZED TABLE counts RESUME");
    server.eventually("SELECT item, n FROM counts ORDER BY item", "salt|1\ntea|2");
    assert!(server.sql_error("ALTER MATERIALIZED TABLE counts RESUME").contains("is not suspended"));

    let told = server.psql(&["-c", "ALTER MATERIALIZED TABLE counts AS SELECT COALESCE(item, '') AS item, COUNT(*) AS n, MAX(id) AS top FROM t GROUP BY COALESCE(item, '')"], "");
    assert!(told.stderr.contains("rebuilt") || told.stdout.contains("ALTER"), "{} {}", told.stdout, told.stderr);
    server.eventually("SELECT item, n, top FROM counts ORDER BY item", "salt|1|2\ntea|2|3");
    server.kill();
    server.restart();
    server.rows("t", r#"{"id": 4, "item": "tea"}"#);
    server.eventually("SELECT item, n, top FROM counts ORDER BY item", "salt|1|2\ntea|3|4");
    server.sql("ALTER MATERIALIZED TABLE counts REBUILD");
    server.eventually("SELECT item, n, top FROM counts ORDER BY item", "salt|1|2\ntea|3|4");
    server.sql("CREATE OR ALTER MATERIALIZED TABLE counts AS SELECT COUNT(*) AS n FROM t");
    server.eventually("SELECT n FROM counts", "4");
    server.sql("DROP MATERIALIZED TABLE counts");
    assert_eq!(server.sql("SELECT COUNT(*) FROM arus.pipelines"), "0\n");
}

#[test]
fn jobs_are_shown_and_drained() {
    let server = Server::start();
    server.sql("CREATE TABLE t (id INT, ts TIMESTAMP(3), WATERMARK FOR ts AS ts)");
    server.sql("CREATE TABLE per_minute (s TIMESTAMP(3), n BIGINT)");
    server.sql(
        "INSERT INTO per_minute SELECT window_start, COUNT(*) FROM \
         TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '1' MINUTE) GROUP BY window_start, window_end",
    );
    server.rows("t", r#"[{"id": 1, "ts": "2024-01-01 00:00:01"}, {"id": 2, "ts": "2024-01-01 00:00:02"}]"#);
    let job = server.sql("SHOW JOBS");
    let id = job.split('|').next().unwrap_or_default().to_string();
    assert!(server.sql(&format!("DESCRIBE JOB '{id}'")).contains("RUNNING"));
    server.eventually("SELECT COUNT(*) FROM arus.positions WHERE \"table\" = 't' AND \"offset\" = 2", "1");
    assert_eq!(server.sql("SELECT COUNT(*) FROM per_minute"), "0\n");
    // The window that is open fires.
    server.sql(&format!("STOP JOB '{id}' WITH SAVEPOINT WITH DRAIN"));
    server.eventually("SELECT s, n FROM per_minute", "2024-01-01 00:00:00|2");
    wait_until("the job ends", || !server.sql("SHOW JOBS").contains("RUNNING"));
    assert!(server.sql_error("STOP JOB 'nothing'").contains("does not exist"));
}

/// A statement that is wrong does not hide the mistakes behind it, and what it would have made is not missed again.
#[test]
fn a_check_names_every_mistake_once() {
    let script = "CREATE TABLE a (x INT y INT);\n\
                  CREATE VIEW v AS SELECT x FROM a;\n\
                  SELEC 1;\n\
                  CREATE TABLE b (x INT) WITH ('connector' = 'print');\n\
                  INSERT INTO b SELECT x FROM v;\n\
                  ALTER TABLE b DROP z;\n\
                  INSERT INTO nowhere SELECT 1;";
    let run = arus_command(&["check", "-"], script);
    assert_eq!(run.code, Some(1));
    let found: Vec<&str> = run.stderr.lines().filter(|l| l.contains("  at line")).map(str::trim).collect();
    assert_eq!(
        found,
        ["at line 1, column 23", "at line 3, column 1", "at line 6, column 20", "at line 7, column 13"],
        "{}",
        run.stderr
    );
    assert!(run.stderr.contains("did you mean SELECT?"), "{}", run.stderr);
}

#[test]
fn a_query_that_fails_says_so_with_its_status() {
    let server = Server::start();
    server.sql("CREATE TABLE t (id INT, s STRING)");
    let rows: Vec<_> = (0..30_000).map(|id| serde_json::json!({"id": 30_000 - id, "s": id.to_string()})).collect();
    server.rows("t", &serde_json::json!(rows).to_string());
    server.eventually("SELECT COUNT(*) FROM t", "30000");
    // No row comes before the failure: it has the answer for itself.
    for (sql, status, said) in [
        ("SELECT 1 / (id - id) FROM t", 422, "/ by zero"),
        ("SELECT CAST(s || 'x' AS INT) AS v FROM t", 422, "INT"),
        ("SELECT SUM(1 / (id - 30000)) FROM t", 422, "/ by zero"),
        ("SELECT 1 / 0", 422, "/ by zero"),
        ("SELECT * FROM nowhere", 404, "does not exist"),
        ("SELECT id FROM t WHERE", 400, "expected"),
        ("SET 'arus.dialect' = 'postgresql'; SELECT 1 / (id - id) FROM t", 400, "zero"),
        ("INSERT INTO t VALUES (1 / 0, 'x')", 400, "/ by zero"),
    ] {
        let answer = server.http_sql(sql);
        assert_eq!(answer.status, status, "{sql}: {}", answer.body);
        assert!(answer.error().contains(said), "{sql}: {}", answer.body);
    }
    // Rows have gone out: it is the last line.
    let answer = server.http_sql("SELECT 1 / (id - 1) FROM t");
    let last: serde_json::Value = serde_json::from_str(answer.body.lines().last().unwrap()).unwrap();
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert!(answer.body.lines().count() > 8_000);
    assert!(last["error"]["message"].as_str().unwrap().contains("/ by zero"), "{last}");
    // Who asks for it has the other rows, as a pipeline would.
    let answer = server.http_sql("SET 'arus.exec.error-policy' = 'quarantine'; SELECT 1 / (id - 1) AS x FROM t");
    assert_eq!((answer.status, answer.body.lines().count()), (200, 29_999));
    // What clients have sent and nobody can read is no failure of whoever reads the rest.
    assert!(server.kcat(&["-P", "-t", "t"], "nonsense\n{\"id\": 30001}\n").ok);
    server.eventually("SELECT COUNT(*) FROM t", "30001");
    assert_eq!(server.http_sql("SELECT COUNT(*) AS n FROM t").body.trim(), r#"{"n":30001}"#);
    server.sql("CREATE VIEW v AS SELECT 1 / (id - 1) AS x FROM t");
    assert!(server.sql_error("SELECT COUNT(*) FROM v").contains("/ by zero"));
}

#[test]
fn parquet_files_come_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rows");
    let script = format!(
        "SET 'table.dml-sync' = 'true';
         CREATE TABLE files (id INT NOT NULL, t TINYINT, bi BIGINT, f FLOAT, d DOUBLE, dc DECIMAL(20, 6), s STRING, b BOOLEAN,
           ts TIMESTAMP(3), z TIMESTAMP_LTZ(6), dt DATE, bin BYTES, a ARRAY<INT>, r ROW<x INT, y STRING>)
         WITH ('connector' = 'filesystem', 'path' = '{}', 'format' = 'parquet');
         INSERT INTO files VALUES
           (1, CAST(-1 AS TINYINT), 9223372036854775807, CAST(1.5 AS FLOAT), 1e23, CAST('12345678901234.123456' AS DECIMAL(20, 6)), 'ü😀', TRUE,
            TIMESTAMP '1969-12-31 23:59:59.789', TO_TIMESTAMP_LTZ(1500, 3), DATE '2024-02-29', x'01ff', ARRAY[1, 2], ROW(1, 'y')),
           (2, CAST(NULL AS TINYINT), CAST(NULL AS BIGINT), CAST(NULL AS FLOAT), CAST(NULL AS DOUBLE), CAST(NULL AS DECIMAL(20, 6)),
            CAST(NULL AS STRING), CAST(NULL AS BOOLEAN), CAST(NULL AS TIMESTAMP(3)), CAST(NULL AS TIMESTAMP_LTZ(6)),
            CAST(NULL AS DATE), CAST(NULL AS BYTES), CAST(NULL AS ARRAY<INT>), CAST(NULL AS ROW<x INT, y STRING>));
         SELECT * FROM files;",
        path.display()
    );
    let run = arus_command(&["run", "-"], &script);
    assert_eq!(
        run.stdout.trim(),
        "+I[1, -1, 9223372036854775807, 1.5, 9.999999999999999E22, 12345678901234.123456, ü😀, true, \
         1969-12-31T23:59:59.789, 1970-01-01T00:00:01.500Z, 2024-02-29, [1, -1], [1, 2], +I[1, y]]\n\
         +I[2, null, null, null, null, null, null, null, null, null, null, null, null, null]",
        "{}",
        run.stderr
    );
}
