//! The memory budget: what operators say that they hold is what the process holds; whoever holds too much is stopped, and
//! nobody else is.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::server::{LIMIT, Server, wait_until};

fn resident_mb(pid: u32) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
    line.split_whitespace().next().unwrap().parse::<f64>().unwrap() / 1024.0
}

/// Once it changes no more.
fn resident_at_rest(pid: u32) -> f64 {
    let until = Instant::now() + LIMIT;
    let (mut last, mut quiet) = (resident_mb(pid), 0);
    while quiet < 4 && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(400));
        let now = resident_mb(pid);
        quiet = if (now - last).abs() < 0.5 { quiet + 1 } else { 0 };
        last = now;
    }
    last
}

/// A memory control group of this test; none where they cannot be made.
struct Group(PathBuf);

impl Group {
    fn new(limit_mb: u64) -> Option<Group> {
        let (v1, v2) = (PathBuf::from("/sys/fs/cgroup/memory"), PathBuf::from("/sys/fs/cgroup"));
        let root = if v1.join("memory.limit_in_bytes").exists() { v1 } else { v2 };
        let path = root.join(format!("arus-it-{}", std::process::id()));
        std::fs::create_dir(&path).ok()?;
        let group = Group(path);
        let file = ["memory.limit_in_bytes", "memory.max"].into_iter().find(|f| group.0.join(f).exists())?;
        std::fs::write(group.0.join(file), (limit_mb << 20).to_string()).ok()?;
        Some(group)
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // It can be removed once the server is gone.
        for _ in 0..100 {
            if std::fs::remove_dir(&self.0).is_ok() {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

const BUDGET_MB: u64 = 256;

#[test]
fn a_pipeline_over_the_budget_stops_and_the_others_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let group = Group::new(BUDGET_MB * 12 / 10);
    let mut limit = format!("export ARUS_MEMORY={BUDGET_MB}m");
    match &group {
        Some(group) => limit.push_str(&format!("; echo $$ > {}/cgroup.procs", group.0.display())),
        None => eprintln!("no memory control groups here: resident memory is looked at"),
    }
    let mut server = Server::start_limited(&folder.path().join("data"), &limit);
    server.sql("CREATE TABLE t (id INT)");
    server.sql("CREATE MATERIALIZED TABLE small AS SELECT COUNT(*) AS n FROM t");
    server.sql("CREATE TABLE g (k BIGINT, s STRING) WITH ('connector' = 'datagen', 'rows-per-second' = '1000000', 'fields.s.length' = '300')");
    server.sql("CREATE MATERIALIZED TABLE big AS SELECT k, s, COUNT(*) AS n FROM g GROUP BY k, s");
    let until = Instant::now() + LIMIT;
    let mut most: f64 = 0.0;
    let mut ids = 0;
    loop {
        most = most.max(resident_mb(server.pid()));
        let state = server.sql("SELECT state FROM arus.pipelines WHERE name = 'big'");
        if state.trim() == "failed" {
            break;
        }
        assert!(Instant::now() < until, "it is {state} with {most} MB");
        server.rows("t", &format!("{{\"id\": {ids}}}"));
        ids += 1;
        std::thread::sleep(Duration::from_millis(50));
    }
    let reason = server.sql("SELECT reason FROM arus.pipelines WHERE name = 'big'");
    assert!(reason.contains("256 MB of --memory") && reason.contains("table.exec.state.ttl"), "{reason}");
    assert!(reason.contains("operator GroupAggregate") || reason.contains("table 'big'"), "{reason}");
    assert!(most < (BUDGET_MB * 12 / 10) as f64, "{most} MB");
    // The others go on, the table stays readable, and the state is free again.
    server.rows("t", "{\"id\": -1}");
    server.eventually("SELECT n FROM small", &(ids + 1).to_string());
    server.eventually("SELECT state FROM arus.pipelines WHERE name = 'small'", "running");
    let kept: u64 = server.sql("SELECT COUNT(*) FROM big").trim().parse().unwrap();
    // As many as its last checkpoint has.
    assert!(kept > 0, "{kept} rows");
    // A query that needs more than its share fails, the server does not.
    let query = "SELECT s, k, COUNT(*) AS n, MAX(k) AS m, MAX(s) AS t, MIN(s) AS u FROM big GROUP BY s, k";
    let run = server.psql(&["-c", "SET arus.dialect = 'flink'", "-c", query], "");
    let refused = ["the query holds", "no query can go on"].iter().any(|text| run.stderr.contains(text));
    assert!(run.ok || refused, "{}", run.stderr);
    assert!(resident_mb(server.pid()) < (BUDGET_MB * 12 / 10) as f64);
    server.kill();
    server.restart();
    server.rows("t", "{\"id\": -2}");
    server.eventually("SELECT n FROM small", &(ids + 2).to_string());
    drop(server);
}

#[test]
fn a_budget_that_holds_nothing_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let run = crate::server::arus_command(
        &[
            "--data",
            data.to_str().unwrap(),
            "--http-port",
            "0",
            "--pg-port",
            "0",
            "--kafka-port",
            "0",
            "--memory",
            "16m",
        ],
        "",
    );
    assert!(!run.ok && run.stderr.contains("--memory: expected 128 MB or more, found 16 MB"), "{}", run.stderr);
}

/// For each kind of operator: what it says, and what the process has grown by once everything rests. The allocator gives
/// back at once what is free.
#[test]
fn operators_tell_what_they_hold() {
    let queries = [
        ("group", "SELECT s, COUNT(*) AS a, SUM(k) AS b, CAST(NULL AS TIMESTAMP(3)) AS c FROM g GROUP BY s"),
        ("distinct", "SELECT 'x' AS s, COUNT(DISTINCT s) AS a, MAX(k) AS b, CAST(NULL AS TIMESTAMP(3)) AS c FROM g"),
        (
            "window",
            "SELECT s, COUNT(*) AS a, SUM(k) AS b, window_start AS c \
             FROM TABLE(TUMBLE(TABLE g, DESCRIPTOR(ts), INTERVAL '1' DAY)) GROUP BY s, window_start, window_end",
        ),
        (
            "rank",
            "SELECT s, k AS a, k AS b, CAST(NULL AS TIMESTAMP(3)) AS c \
             FROM (SELECT REPEAT(s, 160) AS s, k FROM g) ORDER BY k LIMIT 2000",
        ),
    ];
    let mut random = 1_u64;
    let mut text = || {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        format!("{random:020}{:020}{:020}", random.rotate_left(17), random.rotate_left(41))
    };
    let lines: String = (0..ROWS).map(|k| format!("{{\"k\":{k},\"s\":\"{}\"}}\n", text())).collect();
    let mut told = vec![];
    for (name, query) in queries {
        let folder = tempfile::tempdir().unwrap();
        let server = Server::start_limited(&folder.path().join("data"), "export MIMALLOC_PURGE_DELAY=0");
        server
            .sql("CREATE TABLE g (k BIGINT, s STRING, ts AS TIMESTAMP '2024-01-01 00:00:00', WATERMARK FOR ts AS ts)");
        server.sql("CREATE TABLE bh (s STRING, a BIGINT, b BIGINT, c TIMESTAMP(3)) WITH ('connector' = 'blackhole')");
        assert!(server.kcat(&["-P", "-t", "g"], &lines).ok);
        let state = "SELECT SUM(state_bytes) FROM arus.pipelines";
        let read = "SELECT SUM(rows_out) FROM arus.operators WHERE name = 'TableSourceScan'";
        // What the first query makes is not the operator's.
        server.sql(state);
        server.sql(read);
        let before = resident_at_rest(server.pid());
        server.sql(&format!("INSERT INTO bh {query}"));
        wait_until(&format!("{name} has read its rows"), || server.sql(read).trim() == ROWS.to_string());
        let grown = resident_at_rest(server.pid()) - before;
        let held = server.sql(state).trim().parse::<f64>().unwrap() / f64::from(1 << 20);
        told.push(format!("{name}: {held:.1} MB told, {grown:.1} MB grown"));
        assert!(held > 10.0 && held > grown * 0.35 && held < grown * 1.6, "{told:?}");
    }
    eprintln!("{told:?}");
}

const ROWS: u64 = 200_000;

/// Rows of a keyed table, each with a text of about 200 bytes that says the version.
fn versions(server: &Server, version: u64) {
    let text = format!("{version:0200}");
    let rows: Vec<_> = (0..2_000).map(|id| serde_json::json!({"id": id, "v": version, "s": text})).collect();
    server.rows("k", &serde_json::json!(rows).to_string());
}

#[test]
fn a_reader_of_an_old_epoch_holds_it_and_nothing_else() {
    let server = Server::start();
    server.sql("CREATE TABLE k (id INT, v BIGINT, s STRING, PRIMARY KEY (id) NOT ENFORCED)");
    versions(&server, 1);
    server.eventually("SELECT SUM(v) FROM k", "2000");
    let port = server.pg.to_string();
    let folder = tempfile::tempdir().unwrap();
    let (has_read, written) = (folder.path().join("has-read"), folder.path().join("written"));
    let script = format!(
        "BEGIN;\nSELECT SUM(v), MIN(s) = MAX(s) FROM k;\n\\! touch {}\n\\! until [ -e {} ]; do sleep 0.1; done\n\
         SELECT SUM(v), MIN(s) = MAX(s) FROM k;\nCOMMIT;\nSELECT SUM(v) > 2000 FROM k;\n",
        has_read.display(),
        written.display()
    );
    // It reads, waits for some epochs, and reads again.
    let reader = std::thread::spawn(move || {
        let args = [
            "-X",
            "-At",
            "-q",
            "-v",
            "ON_ERROR_STOP=1",
            "-h",
            "127.0.0.1",
            "-p",
            &port,
            "-U",
            "arus",
            "-d",
            "arus",
            "-f",
            "-",
        ];
        crate::server::client("psql", "postgresql-client", &args, script.as_bytes())
    });
    wait_until("it has read", || has_read.exists());
    let (before, first) = (resident_mb(server.pid()), server.metric("arus_epoch"));
    let (mut version, mut most) = (1, before);
    wait_until("versions and epochs", || {
        version += 1;
        versions(&server, version);
        most = most.max(resident_mb(server.pid()));
        version > 60 && server.metric("arus_epoch") > first + 5.0
    });
    server.eventually("SELECT SUM(v) FROM k", &(2_000 * version).to_string());
    std::fs::write(&written, "").unwrap();
    let run = reader.join().unwrap();
    assert!(run.ok, "{}", run.stderr);
    assert_eq!(run.stdout, "2000|t\n2000|t\nt\n", "{version} versions");
    // All versions would be more than that.
    let all = version as f64 * 2_000.0 * 300.0 / f64::from(1 << 20);
    let history = 32.0;
    assert!(most - before < history + 60.0 + all * 0.3, "{most} MB after {before} MB, {all} MB of versions");
}
