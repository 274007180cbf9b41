//! Results in a real Postgres: each row once, over kills of either side, lost replies, late commits and long outages.

use std::time::{Duration, Instant};

use arus_testkit::postgres::Postgres;
use arus_testkit::proxy::Proxy;

use crate::http::{JSON, request};
use crate::server::{LIMIT, Server, arus_command, wait_until};

const ROWS_A_POST: u64 = 50;
const KEYS: u64 = 11;

/// The server may reach Postgres at 127.0.0.1 alone.
const FLAGS: [&str; 2] = ["--allow-host", "127.0.0.1"];

fn post(server: &Server, batch: u64) {
    let ids = batch * ROWS_A_POST..(batch + 1) * ROWS_A_POST;
    let rows: Vec<String> = ids.map(|id| format!(r#"{{"id":{id},"k":{}}}"#, id % KEYS)).collect();
    let body = format!("[{}]", rows.join(","));
    let key = format!("batch-{batch}");
    for _ in 0..3_000 {
        let answer =
            request(server.http, "POST", "/v1/tables/t/rows", &[JSON, ("Idempotency-Key", &key)], body.as_bytes());
        if answer.is_ok_and(|a| a.status == 200) {
            return;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    panic!("batch {batch} was never acknowledged");
}

fn options(port: u16, table: &str) -> String {
    format!(
        "'connector' = 'jdbc', 'url' = 'jdbc:postgresql://127.0.0.1:{port}/postgres', 'username' = 'postgres', \
         'password' = 'not needed', 'table-name' = '{table}', 'connection.max-retry-timeout' = '5 s'"
    )
}

/// A topic, one pipeline that appends its rows and one that puts sums by key; `port` is where Postgres is reached.
fn prepare(server: &Server, postgres: &Postgres, port: u16) {
    // Nothing here stops a row from coming twice.
    postgres.sql("CREATE TABLE rows (id bigint, k int)");
    postgres.sql("CREATE TABLE sums (k int PRIMARY KEY, n bigint, total numeric)");
    server.sql("CREATE TABLE t (id BIGINT, k INT)");
    server.sql(&format!("CREATE TABLE pg_rows (id BIGINT, k INT) WITH ({})", options(port, "rows")));
    server.sql(&format!(
        "CREATE TABLE pg_sums (k INT, n BIGINT, total DECIMAL(38, 0), PRIMARY KEY (k) NOT ENFORCED) WITH ({})",
        options(port, "public.sums")
    ));
    server.sql("INSERT INTO pg_rows SELECT id, k FROM t");
    server.sql("INSERT INTO pg_sums SELECT k, COUNT(*), CAST(SUM(id) AS DECIMAL(38, 0)) FROM t GROUP BY k");
}

/// Every row once, every sum right.
#[track_caller]
fn verify(server: &Server, postgres: &Postgres, rows: u64) {
    let expected = format!("{rows}|{rows}|{}", rows - 1);
    let found = || postgres.sql("SELECT COUNT(*), COUNT(DISTINCT id), MAX(id) FROM rows");
    let until = Instant::now() + LIMIT;
    while found() != expected {
        let state = server.psql(&["-c", "SELECT * FROM arus.sinks"], "").stdout;
        assert!(Instant::now() < until, "expected {expected}, found {}\n{state}", found());
        std::thread::sleep(Duration::from_millis(50));
    }
    let sums: Vec<String> = (0..KEYS)
        .map(|k| {
            let ids: Vec<u64> = (0..rows).filter(|id| id % KEYS == k).collect();
            format!("{k}|{}|{}", ids.len(), ids.iter().sum::<u64>())
        })
        .collect();
    postgres.eventually("SELECT k, n, total FROM sums ORDER BY k", &sums.join("\n"));
    // Nothing comes after it.
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(found(), expected);
    assert_eq!(postgres.sql("SELECT COUNT(*) FROM arus_marks"), "2");
}

#[test]
fn rows_are_in_postgres_once_over_kills_of_both() {
    let postgres = Postgres::start();
    let mut server = Server::start_with(&FLAGS);
    prepare(&server, &postgres, postgres.port());
    let mut batch = 0;
    for round in 0..6 {
        let until = Instant::now() + Duration::from_millis(900 + 170 * round);
        while Instant::now() < until {
            post(&server, batch);
            batch += 1;
            std::thread::sleep(Duration::from_millis(10));
        }
        if round % 2 == 0 {
            server.kill();
            server.restart();
            assert!(server.metric("arus_recovery_epoch") > 0.0);
        } else {
            postgres.crash();
            post(&server, batch);
            batch += 1;
            postgres.restart();
        }
    }
    verify(&server, &postgres, batch * ROWS_A_POST);
}

#[test]
fn a_commit_whose_reply_is_lost_and_one_that_comes_late_count_once() {
    let postgres = Postgres::start();
    let proxy = Proxy::start(postgres.address()).unwrap();
    let mut server = Server::start_with(&FLAGS);
    prepare(&server, &postgres, proxy.port());
    let mut batch = 0;
    for lost in 1..=4 {
        proxy.lose_reply_to(b"COMMIT\0");
        post(&server, batch);
        batch += 1;
        wait_until("a reply is lost", || proxy.lost() == lost);
        if lost % 2 == 0 {
            server.kill();
            server.restart();
        }
    }
    verify(&server, &postgres, batch * ROWS_A_POST);
    // The COMMIT of a server that is gone reaches Postgres while the next one is already there.
    proxy.hold(b"COMMIT\0");
    post(&server, batch);
    batch += 1;
    wait_until("a commit waits", || proxy.is_holding());
    server.kill();
    server.restart();
    post(&server, batch);
    batch += 1;
    std::thread::sleep(Duration::from_millis(500));
    proxy.release();
    verify(&server, &postgres, batch * ROWS_A_POST);
    // A COMMIT that never comes, of a server that is gone: neither rows nor mark are there.
    proxy.hold(b"COMMIT\0");
    post(&server, batch);
    batch += 1;
    wait_until("a commit waits", || proxy.is_holding());
    server.kill();
    proxy.discard();
    server.restart();
    verify(&server, &postgres, batch * ROWS_A_POST);
    // Connections that hang are given up.
    proxy.half_open();
    post(&server, batch);
    batch += 1;
    std::thread::sleep(Duration::from_secs(6));
    proxy.heal();
    proxy.cut_once();
    verify(&server, &postgres, batch * ROWS_A_POST);
}

#[test]
fn a_dead_sink_stops_its_own_sources_alone() {
    let postgres = Postgres::start();
    let proxy = Proxy::start(postgres.address()).unwrap();
    let mut server = Server::start_with(&FLAGS);
    postgres.sql("CREATE TABLE rows (id bigint, k int)");
    server.sql("CREATE TABLE t (id BIGINT, k INT)");
    server.sql("CREATE MATERIALIZED TABLE counted AS SELECT COUNT(*) AS n FROM t");
    server.sql(&format!("CREATE TABLE pg_rows (id BIGINT, k INT) WITH ({})", options(proxy.port(), "rows")));
    let job =
        server.psql(&["-c", "SET 'arus.outbox.bytes' = '2 kb'", "-c", "INSERT INTO pg_rows SELECT id, k FROM t"], "");
    assert!(job.ok, "{}", job.stderr);
    post(&server, 0);
    postgres.eventually("SELECT COUNT(*) FROM rows", "50");
    proxy.cut();
    let mut batch = 1;
    let waits = |server: &Server| server.sql("SELECT sources_wait FROM arus.sinks").trim() == "t";
    let until = Instant::now() + LIMIT;
    while !waits(&server) {
        post(&server, batch);
        batch += 1;
        assert!(Instant::now() < until, "its sources never wait");
    }
    // The others go on, in new epochs.
    let seconds = std::env::var("ARUS_SINK_DEAD_SECONDS").ok().and_then(|s| s.parse().ok()).unwrap_or(0);
    let (began, first, epoch) = (Instant::now(), batch, server.metric("arus_epoch"));
    let mut slowest = Duration::ZERO;
    while batch < first + 20 || began.elapsed() < Duration::from_secs(seconds) {
        post(&server, batch);
        batch += 1;
        if batch % 10 == 0 {
            let posted = Instant::now();
            server.eventually("SELECT n FROM counted", &(batch * ROWS_A_POST).to_string());
            slowest = slowest.max(posted.elapsed());
            std::thread::sleep(Duration::from_secs(seconds.min(1)));
        }
    }
    server.eventually("SELECT n FROM counted", &(batch * ROWS_A_POST).to_string());
    let epochs = server.metric("arus_epoch") - epoch;
    assert!(epochs > 0.0);
    eprintln!(
        "dead sink: for {:.0} s, meanwhile {epochs} epochs of the others, their rows shown after {slowest:?} at most",
        began.elapsed().as_secs_f64()
    );
    assert!(waits(&server));
    let state = server.sql("SELECT state, reason FROM arus.pipelines WHERE target = 'pg_rows'");
    assert!(state.starts_with("waiting|") && state.contains("not delivered to its sink 'pg_rows'"), "{state}");
    let analyzed = server.sql("EXPLAIN ANALYZE `insert-into_default_catalog.default_database.pg_rows`");
    assert!(analyzed.contains("Delivery(pg_rows) retrying"), "{analyzed}");
    assert!(server.metric("arus_sink_undelivered_bytes") >= 2048.0);
    // It holds over a restart, which the dead sink does not hold up.
    server.kill();
    server.restart();
    post(&server, batch);
    batch += 1;
    server.eventually("SELECT n FROM counted", &(batch * ROWS_A_POST).to_string());
    proxy.heal();
    let rows = batch * ROWS_A_POST;
    postgres.eventually("SELECT COUNT(*), COUNT(DISTINCT id) FROM rows", &format!("{rows}|{rows}"));
    server.eventually("SELECT state, sources_wait FROM arus.sinks", "delivering|f");
    server.eventually("SELECT state FROM arus.pipelines WHERE target = 'pg_rows'", "running");
}

#[test]
fn rows_that_postgres_rejects_are_in_quarantine_once() {
    let postgres = Postgres::start();
    let proxy = Proxy::start(postgres.address()).unwrap();
    let mut server = Server::start_with(&FLAGS);
    postgres.sql("CREATE TABLE rows (id bigint CHECK (id % 100 <> 7), k int)");
    server.sql("CREATE TABLE t (id BIGINT, k INT)");
    server.sql(&format!("CREATE TABLE pg_rows (id BIGINT, k INT) WITH ({})", options(proxy.port(), "rows")));
    server.sql("INSERT INTO pg_rows SELECT id, k FROM t");
    let mut batch = 0;
    for round in 0..4 {
        for _ in 0..20 {
            post(&server, batch);
            batch += 1;
        }
        // Delivered, and the server dies before it can note what was rejected.
        proxy.lose_reply_to(b"COMMIT\0");
        post(&server, batch);
        batch += 1;
        wait_until("a reply is lost", || proxy.lost() == round + 1);
        server.kill();
        server.restart();
    }
    let rows = batch * ROWS_A_POST;
    let bad = (0..rows).filter(|id| id % 100 == 7).count();
    postgres.eventually("SELECT COUNT(*), COUNT(DISTINCT id) FROM rows", &format!("{0}|{0}", rows as usize - bad));
    server.eventually("SELECT COUNT(*), COUNT(DISTINCT bytes) FROM \"pg_rows$quarantine\"", &format!("{bad}|{bad}"));
    let reason = server.sql("SELECT reason FROM \"pg_rows$quarantine\" LIMIT 1");
    assert!(reason.contains("violates check constraint"), "{reason}");
}

#[test]
fn a_mark_that_is_gone_or_ahead_stops_the_pipeline_and_says_so() {
    let postgres = Postgres::start();
    let mut server = Server::start_with(&FLAGS);
    prepare(&server, &postgres, postgres.port());
    post(&server, 0);
    verify(&server, &postgres, ROWS_A_POST);
    assert_eq!(server.stop("-TERM"), Some(0));
    postgres.sql("CREATE TABLE kept AS SELECT * FROM arus_marks; UPDATE arus_marks SET epoch = epoch + 1000");
    server.restart();
    post(&server, 1);
    wait_until("it is refused", || server.sql("SELECT state FROM arus.sinks").lines().all(|state| state == "refused"));
    let says = |server: &Server, part: &str| {
        let reason = || server.sql("SELECT reason FROM arus.pipelines LIMIT 1");
        wait_until(part, || reason().contains(part));
    };
    says(&server, "which this data folder does not know");
    says(&server, "start the newer data folder");
    assert_eq!(server.stop("-TERM"), Some(0));
    postgres.sql("DELETE FROM arus_marks");
    server.restart();
    wait_until("it is refused", || server.sql("SELECT state FROM arus.sinks").lines().all(|state| state == "refused"));
    says(&server, "has no mark of this pipeline any more");
    assert_eq!(postgres.sql("SELECT COUNT(*) FROM rows"), ROWS_A_POST.to_string());
    // The choice was made: it goes on by itself.
    postgres.sql("INSERT INTO arus_marks SELECT * FROM kept");
    verify(&server, &postgres, 2 * ROWS_A_POST);
    // A pipeline that is stopped takes its mark with it.
    let job = server.sql("SELECT id FROM arus.pipelines WHERE target = 'pg_rows'");
    server.sql(&format!("STOP JOB '{}'", job.trim()));
    postgres.eventually("SELECT COUNT(*) FROM arus_marks", "1");
}

#[test]
fn secrets_are_never_shown_and_only_allowed_hosts_are_reached() {
    let postgres = Postgres::start();
    postgres.sql("CREATE ROLE writer LOGIN PASSWORD 'hunter2secret'; CREATE TABLE rows (id bigint)");
    postgres.sql("GRANT ALL ON rows TO writer; GRANT ALL ON SCHEMA public TO writer");
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("pg-password"), "hunter2secret\n").unwrap();
    let flags = ["--secrets", folder.path().to_str().unwrap(), "--allow-host", "127.0.0.1"];
    let server = Server::start_with(&flags);
    let port = postgres.port();
    let declare = |name: &str, host: &str, password: &str| {
        format!(
            "CREATE TABLE {name} (id BIGINT) WITH ('connector' = 'jdbc', 'username' = 'writer', \
             'url' = 'jdbc:postgresql://{host}:{port}/postgres', 'password' = '{password}', 'table-name' = 'rows')"
        )
    };
    server.sql("CREATE TABLE t (id BIGINT)");
    server.sql(&declare("by_reference", "127.0.0.1", "${secret:pg-password}"));
    server.sql(&declare("plain", "127.0.0.1", "hunter2secret"));
    server.sql(&declare("elsewhere", "localhost", "x"));
    server.sql(&declare("nameless", "127.0.0.1", "${secret:nobody}"));
    server.sql("INSERT INTO by_reference SELECT id FROM t");
    server.sql("INSERT INTO plain SELECT id FROM t");
    let refused = server.sql_error("INSERT INTO elsewhere SELECT id FROM t");
    assert!(refused.contains("is not an allowed address"), "{refused}");
    assert!(refused.contains("--allow-host localhost"), "{refused}");
    let missing = server.sql_error("INSERT INTO nameless SELECT id FROM t");
    assert!(missing.contains("there is no secret 'nobody'") && missing.contains("ARUS_SECRET_NOBODY"), "{missing}");
    request(server.http, "POST", "/v1/tables/t/rows", &[JSON], b"[{\"id\":1}]").unwrap();
    postgres.eventually("SELECT COUNT(*) FROM rows", "2");
    let shown = server.sql("SHOW CREATE TABLE by_reference");
    assert!(shown.contains("'password' = '${secret:pg-password}'"), "{shown}");
    let shown = server.sql("SHOW CREATE TABLE plain");
    assert!(shown.contains("'password' = '******'"), "{shown}");
    for sql in [
        "SELECT * FROM arus.tables",
        "SELECT * FROM arus.pipelines",
        "SELECT * FROM arus.sinks",
        "EXPLAIN INSERT INTO plain SELECT id FROM t",
        "DESCRIBE plain",
    ] {
        let text = server.sql(sql);
        assert!(!text.contains("hunter2secret"), "{sql}\n{text}");
    }
    assert!(!server.stderr().contains("hunter2secret"), "{}", server.stderr());
}

#[test]
fn a_script_ends_when_its_rows_are_delivered() {
    let postgres = Postgres::start();
    postgres.sql("CREATE TABLE \"Rows\" (\"Id\" bigint PRIMARY KEY, v text, at timestamptz, b bytea, a int[])");
    let script = |port: u16, table: &str| {
        format!(
            "CREATE TABLE out_rows (id BIGINT, v STRING, `at` TIMESTAMP_LTZ(3), b BYTES, a ARRAY<INT>, PRIMARY KEY (id) NOT ENFORCED) \
             WITH ('connector' = 'jdbc', 'url' = 'jdbc:postgresql://127.0.0.1:{port}/postgres?user=postgres', \
             'table-name' = '{table}', 'sink.max-retries' = '1');\n\
             INSERT INTO out_rows VALUES (1, 'a\tb\\c', TO_TIMESTAMP_LTZ(0, 3), x'00ff', ARRAY[1, 2]), \
             (2, CAST(NULL AS STRING), TO_TIMESTAMP_LTZ(1500, 3), x'0102', ARRAY[3]), (1, 'later', TO_TIMESTAMP_LTZ(0, 3), x'0103', ARRAY[4]);"
        )
    };
    let run = arus_command(&["run", "-"], &script(postgres.port(), "Rows"));
    assert!(run.ok, "{}{}", run.stdout, run.stderr);
    assert_eq!(
        postgres.sql("SELECT * FROM \"Rows\" ORDER BY 1"),
        "1|later|1970-01-01 00:00:00+00|\\x0103|{4}\n2||1970-01-01 00:00:01.5+00|\\x0102|{3}"
    );
    assert_eq!(postgres.sql("SELECT COUNT(*) FROM arus_marks"), "0");
    let run = arus_command(&["run", "-"], &script(postgres.port(), "nowhere"));
    assert!(!run.ok);
    assert!(run.stderr.contains("there is no table 'nowhere'"), "{}", run.stderr);
}
