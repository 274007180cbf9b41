//! What was acknowledged is there after kill -9: statements of the catalog, rows of keyed tables; and a disk that is full
//! and has room again.

use std::collections::BTreeSet;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use serde_json::json;

use crate::http::{JSON, request};
use crate::server::{Server, wait_until};

const KILLS: usize = 6;

/// Between 150 and 650 ms, anywhere in it.
fn random_moment() -> Duration {
    let nanos = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().subsec_nanos();
    Duration::from_micros(150_000 + u64::from(nanos / 7 % 500_000))
}

/// What the statements so far have made, and the one whose answer has not come.
#[derive(Default)]
struct Made {
    present: BTreeSet<String>,
    in_flight: Option<String>,
    acknowledged: usize,
}

/// The n-th statement: what it makes or drops.
fn statement(n: usize, present: &BTreeSet<String>) -> (String, String) {
    if present.len() > 9 {
        let name = present.iter().nth(n % present.len()).unwrap().clone();
        let kind = match &name[..1] {
            "m" => "MATERIALIZED TABLE",
            "v" => "VIEW",
            _ => "TABLE",
        };
        return (format!("DROP {kind} {name}"), name);
    }
    let name = format!("{}{n}", ["t", "k", "m", "v"][n % 4]);
    let sql = match n % 4 {
        0 => format!("CREATE TABLE {name} (id INT, name STRING)"),
        1 => format!("CREATE TABLE {name} (id INT, PRIMARY KEY (id) NOT ENFORCED)"),
        2 => format!("CREATE MATERIALIZED TABLE {name} AS SELECT COUNT(*) AS n FROM base"),
        _ => format!("CREATE VIEW {name} AS SELECT id FROM base WHERE id > {n}"),
    };
    (sql, name)
}

/// Statement after statement until one gets no answer.
fn run_statements(port: u16, made: &Mutex<Made>, next: &AtomicU64) {
    loop {
        let n = next.fetch_add(1, SeqCst) as usize;
        let (sql, name) = {
            let mut made = made.lock().unwrap();
            let (sql, name) = statement(n, &made.present);
            made.in_flight = Some(name.clone());
            (sql, name)
        };
        let body = json!({"sql": sql}).to_string();
        match request(port, "POST", "/v1/sql", &[JSON], body.as_bytes()) {
            Ok(answer) if answer.status == 200 && answer.body.contains("\"ok\":true") => {
                let mut made = made.lock().unwrap();
                if sql.starts_with("DROP") {
                    made.present.remove(&name)
                } else {
                    made.present.insert(name)
                };
                made.in_flight = None;
                made.acknowledged += 1;
            }
            Ok(answer) if answer.status == 200 || answer.status >= 500 => return,
            Ok(answer) => panic!("{sql}: {} {}", answer.status, answer.body),
            Err(_) => return,
        }
    }
}

#[test]
fn kill_9_during_ddl_keeps_what_was_acknowledged() {
    let mut server = Server::start();
    server.sql("CREATE TABLE base (id INT)");
    server.rows("base", r#"[{"id": 1}, {"id": 2}]"#);
    let made = Arc::new(Mutex::new(Made::default()));
    let next = Arc::new(AtomicU64::new(0));
    for kill in 0..KILLS {
        let (port, shared, counter) = (server.http, made.clone(), next.clone());
        let thread = std::thread::spawn(move || run_statements(port, &shared, &counter));
        let before = made.lock().unwrap().acknowledged;
        // The thread ends by itself where a statement had no answer.
        wait_until("some statements are done", || {
            thread.is_finished() || made.lock().unwrap().acknowledged >= before + 4
        });
        std::thread::sleep(random_moment());
        server.kill();
        thread.join().unwrap();
        server.restart();
        let mut made = made.lock().unwrap();
        let shown = server.sql("SHOW TABLES");
        let found: BTreeSet<String> = shown.lines().filter(|l| *l != "base").map(str::to_string).collect();
        let differing: Vec<_> = found.symmetric_difference(&made.present).cloned().collect();
        let in_flight: Vec<_> = made.in_flight.take().into_iter().collect();
        assert!(differing.is_empty() || differing == in_flight, "kill {kill}: {differing:?}, in flight {in_flight:?}");
        made.present = found;
        for name in made.present.iter() {
            match &name[..1] {
                "m" => server.eventually(&format!("SELECT n FROM {name}"), "2"),
                "v" => drop(server.sql(&format!("SELECT COUNT(*) FROM {name}"))),
                _ => assert_eq!(server.sql(&format!("SELECT COUNT(*) FROM {name}")).trim(), "0"),
            }
        }
        let folders = std::fs::read_dir(server.data().join("topics")).unwrap().count();
        let with_topic = made.present.iter().filter(|n| !n.starts_with('v')).count() + 1;
        assert!(folders <= with_topic, "kill {kill}: {folders} folders of topics for {with_topic} tables");
    }
    let acknowledged = made.lock().unwrap().acknowledged;
    assert!(acknowledged > 3 * KILLS, "only {acknowledged} statements");
    eprintln!("{acknowledged} statements");
}

#[test]
fn kill_9_under_writes_to_a_keyed_table() {
    let mut server = Server::start();
    server.sql("CREATE TABLE k (id BIGINT, n BIGINT, PRIMARY KEY (id) NOT ENFORCED)");
    let stop = Arc::new(AtomicBool::new(false));
    let acknowledged = Arc::new(Mutex::new(BTreeSet::new()));
    // Of the row that is written again and again: the last value that was acknowledged, and the last one that was sent.
    let (last, sent) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let http = {
        let (port, stop, acknowledged) = (server.http, stop.clone(), acknowledged.clone());
        let (last, sent) = (last.clone(), sent.clone());
        std::thread::spawn(move || {
            for i in 1u64.. {
                if stop.load(SeqCst) {
                    return;
                }
                let body = json!([{"id": i, "n": i * 3}, {"id": 0, "n": i}]).to_string();
                let key = format!("post-{i}");
                sent.store(i, SeqCst);
                let accepted = (0..3_000).any(|_| {
                    let headers = [JSON, ("Idempotency-Key", key.as_str())];
                    match request(port, "POST", "/v1/tables/k/rows", &headers, body.as_bytes()) {
                        Ok(answer) if answer.status == 200 => true,
                        Ok(answer) if answer.status < 500 && answer.status != 404 => panic!("{}", answer.body),
                        Ok(_) | Err(_) => {
                            std::thread::sleep(Duration::from_millis(5));
                            false
                        }
                    }
                });
                assert!(accepted, "post {i} was never acknowledged");
                last.store(i, SeqCst);
                acknowledged.lock().unwrap().insert(i);
            }
        })
    };
    let postgres = {
        let (port, stop, acknowledged) = (server.pg.to_string(), stop.clone(), acknowledged.clone());
        std::thread::spawn(move || {
            for i in 1_000_000u64.. {
                if stop.load(SeqCst) {
                    return;
                }
                let sql = format!("INSERT INTO k VALUES ({i}, {})", i * 3);
                let args = ["-X", "-At", "-h", "127.0.0.1", "-p", &port, "-U", "arus", "arus", "-c", &sql];
                let run = Command::new("timeout").args(["60", "psql"]).args(args).output().unwrap();
                if run.status.success() {
                    acknowledged.lock().unwrap().insert(i);
                }
            }
        })
    };
    for round in 1..=KILLS {
        std::thread::sleep(random_moment() + Duration::from_millis(300));
        wait_until("both have written", || {
            let acknowledged = acknowledged.lock().unwrap();
            let (http, psql) = acknowledged.iter().partition::<Vec<u64>, _>(|id| **id < 1_000_000);
            http.len() > 10 * round && psql.len() > round
        });
        server.kill();
        server.restart();
    }
    std::thread::sleep(Duration::from_millis(300));
    stop.store(true, SeqCst);
    http.join().unwrap();
    postgres.join().unwrap();
    let acknowledged = acknowledged.lock().unwrap().clone();
    let (by_http, by_psql) = acknowledged.iter().partition::<Vec<u64>, _>(|id| **id < 1_000_000);
    assert!(by_http.len() > 50 && by_psql.len() > 5, "{} by HTTP, {} by psql", by_http.len(), by_psql.len());
    eprintln!("{} rows by HTTP, {} by psql", by_http.len(), by_psql.len());
    let check = |server: &Server| {
        wait_until("all rows are readable", || {
            let found = server.sql("SELECT id FROM k WHERE id > 0");
            let found: Vec<u64> = found.lines().map(|l| l.parse().unwrap()).collect();
            let distinct: BTreeSet<u64> = found.iter().copied().collect();
            assert_eq!(found.len(), distinct.len(), "a key stands twice");
            acknowledged.is_subset(&distinct)
        });
        assert_eq!(server.sql("SELECT COUNT(*) FROM k WHERE id > 0 AND n <> id * 3").trim(), "0");
        let again: u64 = server.sql("SELECT n FROM k WHERE id = 0").trim().parse().unwrap();
        assert!((last.load(SeqCst)..=sent.load(SeqCst)).contains(&again), "{again}");
    };
    check(&server);
    assert_eq!(server.stop("-TERM"), Some(0));
    server.restart();
    check(&server);
}

/// A small disk of its own; `None` where this user may not mount one.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn mount(size: &str) -> Option<SmallDisk> {
        let folder = tempfile::tempdir().unwrap();
        let options = format!("size={size}");
        let mount =
            Command::new("mount").args(["-t", "tmpfs", "-o", &options, "none"]).arg(folder.path()).output().ok()?;
        mount.status.success().then_some(SmallDisk(folder))
    }

    fn grow(&self, size: &str) {
        let options = format!("remount,size={size}");
        assert!(Command::new("mount").args(["-o", &options]).arg(self.0.path()).status().unwrap().success());
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        if !Command::new("umount").arg("-l").arg(self.0.path()).status().is_ok_and(|s| s.success()) {
            eprintln!("{} stays mounted", self.0.path().display());
        }
    }
}

#[test]
fn a_disk_without_space_loses_nothing_and_goes_on_when_there_is_some() {
    let Some(disk) = SmallDisk::mount("3m") else {
        eprintln!(
            "not run: a disk of its own can be mounted by root alone; 'a_full_disk_loses_no_acknowledged_row' limits files instead"
        );
        return;
    };
    let data = disk.0.path().join("data");
    let mut server = Server::start_in(&data, &[]);
    server.sql("CREATE TABLE t (id INT, k INT, filler STRING)");
    server.sql("CREATE MATERIALIZED TABLE by_k AS SELECT k, COUNT(*) AS n FROM t GROUP BY k");
    let post = |server: &Server, id: u64| {
        let body = json!({"id": id, "k": id % 3, "filler": "x".repeat(6_000)}).to_string();
        request(server.http, "POST", "/v1/tables/t/rows", &[JSON], body.as_bytes())
    };
    let mut acknowledged = BTreeSet::new();
    let mut refused = 0;
    for id in 0..1_500 {
        match post(&server, id) {
            Ok(answer) if answer.status == 200 => drop(acknowledged.insert(id)),
            Ok(answer) => {
                assert_eq!(answer.status, 507, "{}", answer.body);
                assert!(answer.error().contains("free space on the disk of the data folder"), "{}", answer.body);
                refused += 1;
            }
            Err(e) => panic!("the server does not answer: {e}\n{}", server.stderr()),
        }
        if refused > 20 {
            break;
        }
    }
    assert!(refused > 20 && acknowledged.len() > 100, "{} acknowledged, {refused} refused", acknowledged.len());
    // While it is full, too: what is there is read, checkpoints are tried again.
    std::thread::sleep(Duration::from_millis(1_500));
    server.eventually("SELECT COUNT(*) FROM t", &acknowledged.len().to_string());
    disk.grow("64m");
    let goes_on = post(&server, 2_000).unwrap();
    assert_eq!(goes_on.status, 200, "{}\n{}", goes_on.body, server.stderr());
    acknowledged.insert(2_000);
    let verify = |server: &Server, rows: &BTreeSet<u64>| {
        let ids: Vec<String> = rows.iter().map(u64::to_string).collect();
        server.eventually("SELECT id FROM t ORDER BY id", &ids.join("\n"));
        let by_k: Vec<String> =
            (0..3).map(|k| format!("{k}|{}", rows.iter().filter(|id| **id % 3 == k).count())).collect();
        server.eventually("SELECT k, n FROM by_k ORDER BY k", &by_k.join("\n"));
    };
    verify(&server, &acknowledged);
    server.kill();
    server.restart();
    verify(&server, &acknowledged);
    assert_eq!(post(&server, 2_001).unwrap().status, 200);
    acknowledged.insert(2_001);
    assert_eq!(server.stop("-TERM"), Some(0), "{}", server.stderr());
    server.restart();
    verify(&server, &acknowledged);
}
