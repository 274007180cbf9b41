//! Pipelines on several data threads, which go on at another parallelism after a kill.

use std::time::Duration;

use serde_json::json;

use crate::server::Server;

fn post(server: &Server, ids: std::ops::Range<u64>) {
    // Several requests, so that every partition gets rows.
    for from in ids.clone().step_by(10) {
        let rows: Vec<_> = (from..(from + 10).min(ids.end))
            .map(|id| json!({"id": id, "k": id % 23, "ts": format!("2024-01-01 00:00:{:02}.{:03}", id / 1_000, id % 1_000)}))
            .collect();
        server.rows("t", &json!(rows).to_string());
    }
}

fn verify(server: &Server, rows: u64) {
    let sum = rows * (rows - 1) / 2;
    server.eventually("SELECT COUNT(*), COUNT(DISTINCT id), SUM(id) FROM copied", &format!("{rows}|{rows}|{sum}"));
    server.eventually("SELECT n, s FROM total", &format!("{rows}|{sum}"));
    let of = |k: u64| (0..rows).filter(move |id| id % 23 == k);
    let by_k: Vec<String> = (0..23).map(|k| format!("{k}|{}|{}", of(k).count(), of(k).sum::<u64>())).collect();
    server.eventually("SELECT k, n, s FROM by_k ORDER BY k", &by_k.join("\n"));
    // Groups of groups: how many keys have each count.
    let mut counts = std::collections::BTreeMap::new();
    (0..23).for_each(|k| *counts.entry(of(k).count()).or_insert(0) += 1);
    let sizes: Vec<String> = counts.iter().map(|(n, keys)| format!("{n}|{keys}")).collect();
    server.eventually("SELECT n, ks FROM sizes ORDER BY n", &sizes.join("\n"));
}

#[test]
fn a_pipeline_goes_on_at_another_parallelism() {
    let mut server = Server::start_with(&["--parallelism", "2"]);
    server.sql("CREATE TABLE t (id INT, k INT, ts TIMESTAMP(3)) WITH ('partitions' = '3')");
    server.sql("CREATE MATERIALIZED TABLE copied AS SELECT id, k FROM t");
    server.sql("CREATE MATERIALIZED TABLE total AS SELECT COUNT(*) AS n, SUM(id) AS s FROM copied");
    server.sql("CREATE MATERIALIZED TABLE by_k AS SELECT k, COUNT(*) AS n, SUM(id) AS s FROM t GROUP BY k");
    server.sql(
        "CREATE MATERIALIZED TABLE sizes AS SELECT n, COUNT(*) AS ks FROM (SELECT k, COUNT(*) AS n FROM t GROUP BY k) GROUP BY n",
    );
    let mut rows = 0;
    for parallelism in ["1", "3", "2", "4"] {
        post(&server, rows..rows + 300);
        rows += 300;
        verify(&server, rows);
        // A part of this is in no checkpoint.
        std::thread::sleep(Duration::from_millis(700));
        post(&server, rows..rows + 70);
        rows += 70;
        server.kill();
        server.restart_with(&["--parallelism", parallelism]);
        assert!(server.metric("arus_recovery_epoch") > 0.0);
        verify(&server, rows);
    }
}

#[test]
fn a_session_may_ask_for_another_parallelism() {
    let server = Server::start_with(&["--parallelism", "2"]);
    server.sql("CREATE TABLE t (id INT, k INT, ts TIMESTAMP(3))");
    let create = "CREATE MATERIALIZED TABLE by_k AS SELECT k, COUNT(*) AS n FROM t GROUP BY k";
    let refused = server.psql(&["-f", "-"], &format!("SET 'parallelism.default' = '1000';\n{create};\n"));
    assert!(refused.stderr.contains("expected a number from 1 to 128"), "{}", refused.stderr);
    let run = server.psql(&["-f", "-"], &format!("SET 'parallelism.default' = '5';\n{create};\n"));
    assert!(run.ok, "{}", run.stderr);
    post(&server, 0..100);
    server.eventually("SELECT COUNT(*), SUM(n) FROM by_k", "23|100");
}
