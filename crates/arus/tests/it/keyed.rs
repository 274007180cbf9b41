//! Pipelines that read keyed tables: every write of clients and of other pipelines, over crashes, failures and rests.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::time::Duration;

use serde_json::json;

use crate::http::{JSON, request};
use crate::server::{Server, failing_until, wait_until};

const ACCOUNTS: u64 = 40;

/// Accounts, what their owners have, and how owners compare: a table of clients, a keyed table over it, one over that.
fn create(server: &Server) {
    server.sql("CREATE TABLE accounts (id INT, owner STRING, balance BIGINT, PRIMARY KEY (id) NOT ENFORCED)");
    server.sql(
        "CREATE MATERIALIZED TABLE by_owner AS \
         SELECT owner, COUNT(*) AS n, SUM(balance) AS s FROM accounts GROUP BY owner",
    );
    server
        .sql("CREATE MATERIALIZED TABLE by_size AS SELECT n, COUNT(*) AS owners, SUM(s) AS s FROM by_owner GROUP BY n");
    server.sql("CREATE MATERIALIZED TABLE rich AS SELECT id, balance FROM accounts WHERE balance > 100");
    // Without a key: equal rows are counted.
    server.sql("CREATE MATERIALIZED TABLE sizes AS SELECT n, s - s AS zero FROM by_owner");
    server.sql("CREATE MATERIALIZED TABLE all_sizes AS SELECT COUNT(*) AS n, SUM(n) AS s FROM sizes");
}

/// What clients wrote shows in the table itself with the next epoch, so both are asked until they agree.
#[track_caller]
fn same(server: &Server, made: &str, over: &str) {
    wait_until(&format!("{made} is {over}"), || server.sql(made) == server.sql(over));
}

/// The tables over the accounts say what the accounts say.
#[track_caller]
fn verify(server: &Server) {
    let same = |made: &str, over: &str| same(server, made, over);
    same(
        "SELECT owner, n, s FROM by_owner ORDER BY 1",
        "SELECT owner, COUNT(*), SUM(balance) FROM accounts GROUP BY owner ORDER BY 1",
    );
    let by_owner = "(SELECT owner, COUNT(*) AS n, SUM(balance) AS s FROM accounts GROUP BY owner) AS o";
    same(
        "SELECT n, owners, s FROM by_size ORDER BY 1",
        &format!("SELECT n, COUNT(*), CAST(SUM(s) AS BIGINT) FROM {by_owner} GROUP BY n ORDER BY 1"),
    );
    same("SELECT * FROM rich ORDER BY 1", "SELECT id, balance FROM accounts WHERE balance > 100 ORDER BY 1");
    same("SELECT n FROM sizes ORDER BY 1", &format!("SELECT n FROM {by_owner} ORDER BY 1"));
    same("SELECT n, s FROM all_sizes", "SELECT COUNT(DISTINCT owner), COUNT(*) FROM accounts");
}

fn account(id: u64, balance: i64) -> serde_json::Value {
    json!({"id": id, "owner": format!("o{}", id % 7), "balance": balance})
}

#[test]
fn every_write_reaches_the_tables_over_it() {
    let mut server = Server::start();
    create(&server);
    server
        .rows("accounts", &json!((0..ACCOUNTS).map(|id| account(id, 95 + id as i64)).collect::<Vec<_>>()).to_string());
    verify(&server);
    server.sql("INSERT INTO accounts VALUES (100, 'new', 1000), (1, 'o1', 500)");
    server.sql("UPDATE accounts SET owner = 'moved' WHERE id < 5");
    server.sql("DELETE FROM accounts WHERE id > 30 AND id < 100");
    server.eventually("SELECT SUM(n) FROM by_owner", "32");
    verify(&server);
    server.eventually("SELECT n, s FROM by_owner WHERE owner = 'moved'", &format!("5|{}", 500 + 95 + 97 + 98 + 99));
    server.kill();
    server.restart();
    verify(&server);
    server.rows("accounts", &account(2, 7).to_string());
    server.sql("UPDATE accounts SET balance = balance + 1 WHERE owner = 'new'");
    verify(&server);
    // A table made now begins with the rows that are there.
    server.eventually("SELECT s FROM by_owner WHERE owner = 'new'", "1001");
    server.sql("CREATE MATERIALIZED TABLE late AS SELECT owner, MAX(balance) AS m FROM accounts GROUP BY owner");
    let late = "SELECT owner, MAX(balance) FROM accounts GROUP BY owner ORDER BY 1";
    same(&server, "SELECT * FROM late ORDER BY 1", late);
    server.eventually("SELECT m FROM late WHERE owner = 'new'", "1001");
    // Suspended, it goes on later with what has changed meanwhile, also when the server was started in between.
    server.sql("ALTER MATERIALIZED TABLE late SUSPEND");
    server.sql("UPDATE accounts SET balance = 1 WHERE owner = 'new'");
    server.sql("DELETE FROM accounts WHERE owner = 'moved'");
    server.eventually("SELECT COUNT(*), SUM(n) FROM by_owner WHERE owner IN ('new', 'moved')", "1|1");
    verify(&server);
    server.kill();
    server.restart();
    server.sql("INSERT INTO accounts VALUES (200, 'while away', 3)");
    server.eventually("SELECT n, s FROM by_owner WHERE owner = 'while away'", "1|3");
    verify(&server);
    server.kill();
    server.restart();
    server.sql("ALTER MATERIALIZED TABLE late RESUME");
    same(&server, "SELECT * FROM late ORDER BY 1", late);
    server.sql("TRUNCATE TABLE accounts");
    server.eventually("SELECT COUNT(*) FROM by_owner", "0");
    server.eventually("SELECT COUNT(*) FROM late", "0");
    server.eventually("SELECT COUNT(*) FROM rich", "0");
    server.eventually("SELECT COUNT(*) FROM by_size", "0");
    assert!(server.sql_error("DROP TABLE accounts").contains("is read by pipeline"));
    // A streaming SELECT of another kind than the snapshot.
    let explained = server.sql("EXPLAIN CHANGELOG_MODE SELECT owner, COUNT(*) FROM accounts GROUP BY owner");
    assert!(explained.contains("changelogMode=[I,UB,UA,D]"), "{explained}");
}

/// Money moves between accounts: at every epoch all tables have the same sum.
#[test]
fn an_epoch_holds_what_the_tables_under_it_hold() {
    let mut server = Server::start();
    create(&server);
    server.rows("accounts", &json!((0..ACCOUNTS).map(|id| account(id, 100)).collect::<Vec<_>>()).to_string());
    server.eventually("SELECT SUM(n) FROM by_owner", "40");
    verify(&server);
    let total = ACCOUNTS as i64 * 100;
    let mut balances = vec![100_i64; ACCOUNTS as usize];
    let mut next = 1_u64;
    for round in 0..4 {
        for turn in 0..25 {
            let mut rows = vec![];
            for _ in 0..3 {
                next = next.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                let (a, b) = ((next >> 33) % ACCOUNTS, (next >> 21) % ACCOUNTS);
                balances[a as usize] -= 5;
                balances[b as usize] += 5;
                rows.extend([account(a, balances[a as usize]), account(b, balances[b as usize])]);
            }
            server.rows("accounts", &json!(rows).to_string());
            if turn % 5 == 0 {
                let sums = "SELECT (SELECT SUM(balance) FROM accounts), (SELECT SUM(s) FROM by_owner), \
                            (SELECT SUM(s) FROM by_size), (SELECT s FROM all_sizes)";
                assert_eq!(server.sql(sums).trim(), format!("{total}|{total}|{total}|{ACCOUNTS}"), "round {round}");
            }
        }
        server.kill();
        server.restart();
    }
    verify(&server);
}

#[test]
fn a_writer_that_falls_back_takes_its_readers_along() {
    let mut server = Server::start();
    server.sql("CREATE TABLE t (id INT, v INT)");
    let v = failing_until(server.time_for(12), "v");
    let script = format!(
        "SET 'arus.exec.error-policy' = 'fail';\nCREATE MATERIALIZED TABLE k AS \
         SELECT g, COUNT(*) AS n, SUM(v) AS s FROM (SELECT id - id / 5 * 5 AS g, {v} FROM t) GROUP BY g;\n"
    );
    let run = server.psql(&["-f", "-"], &script);
    assert!(run.ok, "{}", run.stderr);
    server.sql("CREATE MATERIALIZED TABLE total AS SELECT COUNT(*) AS g, SUM(n) AS n, SUM(s) AS s FROM k");
    server.sql("CREATE MATERIALIZED TABLE above AS SELECT g, n, s FROM k WHERE s > 100");
    server.sql("CREATE MATERIALIZED TABLE apart AS SELECT COUNT(*) AS n FROM t");
    let post = |ids: std::ops::Range<u64>| {
        let rows: Vec<_> = ids.map(|id| json!({"id": id, "v": id})).collect();
        server.rows("t", &json!(rows).to_string());
    };
    post(0..40);
    server.eventually("SELECT n FROM total", "40");
    // Perhaps in no checkpoint yet when the writer fails.
    post(40..50);
    server.eventually("SELECT n FROM apart", "50");
    post(50..60);
    let down = "SELECT name, reason FROM arus.pipelines WHERE state = 'restarting' ORDER BY name";
    wait_until("writer and readers are down", || server.sql(down).lines().count() == 3);
    assert!(server.sql(down).contains("above|it reads what pipeline 'k' writes"), "{}", server.sql(down));
    server.eventually("SELECT n FROM apart", "60");
    let verify = |server: &Server, rows: u64| {
        server.eventually("SELECT g, n, s FROM total", &format!("5|{rows}|{}", rows * (rows - 1) / 2));
        let sums: Vec<(u64, u64)> = (0..5).map(|g| (g, (0..rows).filter(|id| id % 5 == g).sum())).collect();
        let above: Vec<String> = sums.iter().filter(|(_, s)| *s > 100).map(|(g, s)| format!("{g}|{s}")).collect();
        server.eventually("SELECT g, s FROM above ORDER BY g", &above.join("\n"));
    };
    verify(&server, 60);
    server.kill();
    server.restart();
    let rows: Vec<_> = (60..70).map(|id| json!({"id": id, "v": id})).collect();
    server.rows("t", &json!(rows).to_string());
    verify(&server, 70);
}

fn write_until_acknowledged(port: u16, n: u64) {
    let rows: Vec<_> = (0..10).map(|i| account((n * 7 + i * 3) % ACCOUNTS, (n % 200) as i64)).collect();
    let (body, key) = (json!(rows).to_string(), format!("write-{n}"));
    for _ in 0..3_000 {
        let headers = [JSON, ("Idempotency-Key", key.as_str())];
        match request(port, "POST", "/v1/tables/accounts/rows", &headers, body.as_bytes()) {
            Ok(answer) if answer.status == 200 => return,
            Ok(answer) if answer.status < 500 && answer.status != 404 => panic!("{}", answer.body),
            Ok(_) | Err(_) => std::thread::sleep(Duration::from_millis(5)),
        }
    }
    panic!("write {n} was never acknowledged");
}

#[test]
fn kill_9_while_clients_write_what_a_chain_reads() {
    let mut server = Server::start();
    create(&server);
    let port = server.http;
    let stop = Arc::new(AtomicBool::new(false));
    let written = Arc::new(AtomicU64::new(0));
    let (stopped, acknowledged) = (stop.clone(), written.clone());
    let writer = std::thread::spawn(move || {
        while !stopped.load(SeqCst) {
            write_until_acknowledged(port, acknowledged.load(SeqCst));
            acknowledged.fetch_add(1, SeqCst);
        }
    });
    for round in 1..=5 {
        std::thread::sleep(Duration::from_millis(900));
        wait_until("accounts are written", || written.load(SeqCst) > 10 * round);
        server.kill();
        server.restart();
        assert!(server.metric("arus_recovery_epoch") > 0.0);
    }
    stop.store(true, SeqCst);
    writer.join().unwrap();
    server.eventually("SELECT SUM(n) FROM by_owner", "40");
    std::thread::sleep(Duration::from_millis(300));
    verify(&server);
}

#[test]
fn windows_over_a_keyed_table_go_by_its_watermark() {
    let mut server = Server::start();
    server.sql(
        "CREATE TABLE k (id INT, ts TIMESTAMP(3), v INT, PRIMARY KEY (id) NOT ENFORCED, \
         WATERMARK FOR ts AS ts - INTERVAL '1' SECOND)",
    );
    let row = |id: u64, second: u64, v: u64| json!({"id": id, "ts": format!("2024-01-01 00:00:{second:02}"), "v": v});
    // In the order of keys the newest comes first.
    server.rows("k", &json!([row(1, 25, 1), row(2, 15, 2), row(3, 5, 4), row(4, 6, 8)]).to_string());
    server.eventually("SELECT COUNT(*) FROM k", "4");
    server.sql(
        "CREATE MATERIALIZED TABLE w AS SELECT window_start, COUNT(*) AS n, SUM(v) AS s \
         FROM TABLE(TUMBLE(TABLE k, DESCRIPTOR(ts), INTERVAL '10' SECOND)) GROUP BY window_start, window_end",
    );
    let of = "SELECT CAST(extract(second FROM window_start) AS INT), n, s FROM w ORDER BY 1";
    server.eventually(of, "0|2|12\n10|1|2");
    server.kill();
    server.restart();
    // A row that moves to another window is taken out of the one that is still open.
    server.rows("k", &row(1, 31, 16).to_string());
    server.rows("k", &row(5, 45, 1).to_string());
    server.eventually(of, "0|2|12\n10|1|2\n30|1|16");
    assert_eq!(server.sql("SELECT COUNT(*) FROM \"k$late\"").trim(), "0");
}
