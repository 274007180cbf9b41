//! Backup, restore, the doctor, and the disk budget, as an operator has them.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::time::Duration;

use serde_json::Value;

use crate::http::{JSON, request};
use crate::server::{Run, Server, arus_command, wait_until};

const KEYS: u64 = 5;
const ROWS_A_POST: u64 = 20;

fn prepare(server: &Server) {
    server.sql("CREATE TABLE t (id BIGINT, k BIGINT)");
    server.sql("CREATE TABLE names (k BIGINT, name STRING, PRIMARY KEY (k) NOT ENFORCED)");
    server.sql("CREATE MATERIALIZED TABLE by_k AS SELECT k, COUNT(*) AS n, SUM(id) AS total FROM t GROUP BY k");
    server.sql("CREATE MATERIALIZED TABLE even AS SELECT id FROM t WHERE MOD(id, 2) = 0");
    server.rows("names", r#"[{"k": 0, "name": "zero"}, {"k": 1, "name": "one"}]"#);
}

fn post(port: u16, batch: u64) {
    let ids = batch * ROWS_A_POST..(batch + 1) * ROWS_A_POST;
    let rows: Vec<String> = ids.map(|id| format!(r#"{{"id":{id},"k":{}}}"#, id % KEYS)).collect();
    let body = format!("[{}]", rows.join(","));
    let answer = request(port, "POST", "/v1/tables/t/rows", &[JSON], body.as_bytes()).unwrap();
    assert_eq!(answer.status, 200, "{}", answer.body);
}

/// The rows 0 to n - 1 are there, each once, in every table.
#[track_caller]
fn verify(server: &Server, n: u64) {
    server.eventually("SELECT COUNT(*), COUNT(DISTINCT id), MAX(id) FROM t", &format!("{n}|{n}|{}", n - 1));
    server.eventually("SELECT COUNT(*), COUNT(DISTINCT id) FROM even", &format!("{0}|{0}", n.div_ceil(2)));
    let mut by_key: BTreeMap<u64, (u64, u64)> = BTreeMap::new();
    for id in 0..n {
        let (count, total) = by_key.entry(id % KEYS).or_default();
        *count += 1;
        *total += id;
    }
    let mut text = String::new();
    by_key.iter().for_each(|(key, (n, total))| writeln!(text, "{key}|{n}|{total}").unwrap());
    server.eventually("SELECT k, n, total FROM by_k ORDER BY k", text.trim_end());
    server.eventually("SELECT k, name FROM names ORDER BY k", "0|zero\n1|one");
}

fn keep(server: &Server, args: &[&str]) -> Run {
    let port = server.http.to_string();
    arus_command(&[args, &["--http-port", &port][..]].concat(), "")
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = vec![];
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files.extend(files_below(&path)) } else { files.push(path) }
    }
    files.sort();
    files
}

#[test]
fn a_backup_under_load_is_a_checkpoint_and_goes_on() {
    let server = Server::start();
    prepare(&server);
    let board = |rest: &str| format!("# mine\narus: dashboard/v1\ntitle: Mine{rest}\npanels: []\n");
    let boards = server.data().join("dashboards");
    fs::create_dir_all(&boards).unwrap();
    fs::write(boards.join("mine.yaml"), board("")).unwrap();
    let (stop, batches) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let load = {
        let (port, stop, batches) = (server.http, stop.clone(), batches.clone());
        std::thread::spawn(move || {
            while !stop.load(SeqCst) {
                post(port, batches.load(SeqCst));
                batches.fetch_add(1, SeqCst);
            }
        })
    };
    let folder = tempfile::tempdir().unwrap();
    let dir = |name: &str| folder.path().join(name).to_str().unwrap().to_string();
    for (n, flags) in [&[][..], &["--copy"][..]].into_iter().enumerate() {
        let target = batches.load(SeqCst) + 30;
        wait_until("rows come in", || batches.load(SeqCst) >= target);
        let before = batches.load(SeqCst) * ROWS_A_POST;
        let data = server.data().to_str().unwrap().to_string();
        let backup = dir(&format!("backup{n}"));
        let run = keep(&server, &[&["backup", &backup, "--data", &data][..], flags].concat());
        let after = batches.load(SeqCst) * ROWS_A_POST + ROWS_A_POST;
        assert!(run.ok && run.stdout.contains("backup of checkpoint 1."), "{}{}", run.stdout, run.stderr);

        // An editor that writes in place changes the server's file, not the backup.
        fs::write(boards.join("mine.yaml"), board(" as it became")).unwrap();
        let new = dir(&format!("new{n}"));
        let run = arus_command(&["restore", &backup, "--data", &new], "");
        assert!(run.ok && run.stdout.contains("restored to"), "{}{}", run.stdout, run.stderr);
        let mut restored = Server::start_in(Path::new(&new), &[]);
        assert_eq!(fs::read_to_string(restored.data().join("dashboards/mine.yaml")).unwrap(), board(""));
        assert_eq!(restored.get("/v1/console/dashboards").json()[0]["title"], "Mine");
        fs::write(boards.join("mine.yaml"), board("")).unwrap();
        let rows: u64 = restored.sql("SELECT COUNT(*) FROM t").trim().parse().unwrap();
        assert!((before..=after).contains(&rows) && rows.is_multiple_of(ROWS_A_POST), "{before} <= {rows} <= {after}");
        verify(&restored, rows);
        assert!(restored.metric("arus_recovery_epoch") > 0.0);
        assert!(restored.metric("arus_incarnation") > 1_000_000.0, "no number of the other server");
        // It is a server like any other.
        post(restored.http, rows / ROWS_A_POST);
        verify(&restored, rows + ROWS_A_POST);
        restored.kill();
        restored.restart();
        verify(&restored, rows + ROWS_A_POST);
        // Once more from the same backup: the first restore has changed nothing of it.
        let again = dir(&format!("again{n}"));
        assert!(arus_command(&["restore", &backup, "--data", &again], "").ok);
        verify(&Server::start_in(Path::new(&again), &[]), rows);
    }
    stop.store(true, SeqCst);
    load.join().unwrap();
    verify(&server, batches.load(SeqCst) * ROWS_A_POST);
    wait_until("the pins are gone", || fs::read_dir(server.data().join("backup")).unwrap().count() == 0);
}

#[test]
fn a_damaged_backup_is_refused_by_the_name_of_the_file() {
    let mut server = Server::start();
    prepare(&server);
    (0..5).for_each(|batch| post(server.http, batch));
    verify(&server, 5 * ROWS_A_POST);
    assert_eq!(server.stop("-TERM"), Some(0));
    let folder = tempfile::tempdir().unwrap();
    let (backup, new) = (folder.path().join("backup"), folder.path().join("new"));
    // Of a stopped server; nobody answers at the port.
    let data = server.data().to_str().unwrap().to_string();
    let run = keep(&server, &["backup", backup.to_str().unwrap(), "--data", &data, "--copy"]);
    assert!(run.ok, "{}{}", run.stdout, run.stderr);
    let restore = || arus_command(&["restore", backup.to_str().unwrap(), "--data", new.to_str().unwrap()], "");
    for file in files_below(&backup) {
        let name = file.strip_prefix(&backup).unwrap().to_str().unwrap().to_string();
        let whole = fs::read(&file).unwrap();
        let mut bytes = whole.clone();
        let at = bytes.len() / 2;
        bytes[at] ^= 4;
        fs::write(&file, bytes).unwrap();
        let run = restore();
        assert_eq!(run.code, Some(2), "{name}: {}{}", run.stdout, run.stderr);
        assert!(run.stderr.contains(&name) && run.stderr.contains("damaged"), "{name}: {}", run.stderr);
        assert!(!new.exists(), "{name}: nothing is written");
        fs::write(&file, whole).unwrap();
    }
    assert!(restore().ok);
    let run = restore();
    assert_eq!(run.code, Some(1));
    assert!(run.stderr.contains("is not empty"), "{}", run.stderr);
    verify(&Server::start_in(&new, &[]), 5 * ROWS_A_POST);
}

fn doctor(server: &Server) -> (Option<i32>, Value, String) {
    let data = server.data().to_str().unwrap();
    let json = arus_command(&["doctor", data, "--json"], "");
    let text = arus_command(&["doctor", data], "");
    assert_eq!(json.code, text.code);
    let value = serde_json::from_str(&json.stdout).unwrap_or_else(|e| panic!("{e}: {}{}", json.stdout, json.stderr));
    (json.code, value, text.stdout)
}

/// Flips a bit of the first file below `folder` that holds these bytes.
fn flip(folder: &Path, needle: &[u8]) -> PathBuf {
    let find = |file: &PathBuf| fs::read(file).unwrap().windows(needle.len()).position(|w| w == needle);
    let (file, at) =
        files_below(folder).into_iter().find_map(|f| find(&f).map(|at| (f, at))).expect("a file holds the bytes");
    let mut bytes = fs::read(&file).unwrap();
    bytes[at] ^= 1;
    fs::write(&file, bytes).unwrap();
    file
}

#[test]
fn the_doctor_locates_damage_and_a_select_reads_past_it() {
    let mut server = Server::start();
    server.sql("CREATE TABLE t (id INT, name STRING)");
    for (id, name) in ["first", "second", "third"].iter().enumerate() {
        server.rows("t", &format!(r#"{{"id": {id}, "name": "{name}-row"}}"#));
    }
    server.eventually("SELECT COUNT(*) FROM t", "3");
    let (code, report, text) = doctor(&server);
    assert_eq!((code, report["process"].as_u64()), (Some(0), Some(u64::from(server.pid()))), "{text}");
    assert!(text.contains("no damage"), "{text}");
    assert_eq!(server.stop("-TERM"), Some(0));
    let file = flip(&server.data().join("topics"), b"second-row");
    let (code, report, text) = doctor(&server);
    let name = file.strip_prefix(server.data()).unwrap().to_str().unwrap();
    assert_eq!(code, Some(2), "{text}");
    assert_eq!(report["findings"][0]["file"].as_str(), Some(name), "{text}");
    assert!(text.contains("table t, partition 0, offsets 1 to 1 cannot be read"), "{text}");
    server.restart();
    let refused = server.sql_error("SELECT id FROM t");
    assert!(refused.contains("offsets 1 to 1 cannot be read") && refused.contains("arus.read.damage"), "{refused}");
    let run = server.psql(&["-q"], "SET 'arus.read.damage' = 'skip';\nSELECT id FROM t;\n");
    assert_eq!(run.stdout.trim(), "0\n2", "{}", run.stderr);
    assert_eq!(server.sql("SELECT \"table\", first_offset, next_offset FROM arus.damages").trim(), "t|1|2");
    assert!(server.get("/healthz").body.contains("warning: 1 places of the data folder are damaged"));
    // A pipeline that has to pass it.
    server.sql("ALTER TABLE t SET ('scan.damage' = 'skip')");
    server.sql("CREATE MATERIALIZED TABLE n AS SELECT COUNT(*) AS n FROM t");
    server.eventually("SELECT n FROM n", "2");
    assert_eq!(server.sql("SELECT COUNT(*) FROM t").trim(), "2");
    let run = arus_command(&["doctor", "/proc"], "");
    assert_eq!(run.code, Some(1), "{}", run.stderr);
}

#[test]
fn damaged_state_stops_its_own_table_alone() {
    let mut server = Server::start();
    prepare(&server);
    (0..5).for_each(|batch| post(server.http, batch));
    server.eventually("SELECT SUM(n) FROM by_k", "100");
    // One of the files that the last checkpoint names: its block of rows that are longer than lz4 folds.
    server.rows("names", r#"{"k": 7, "name": "QWERTYUIOPASDFGHJKL-zxcvbnm"}"#);
    server.eventually("SELECT COUNT(*) FROM names", "3");
    assert_eq!(server.stop("-TERM"), Some(0));
    flip(&server.data().join("state"), b"QWERTYUIOP");
    let (code, _, text) = doctor(&server);
    assert_eq!(code, Some(2), "{text}");
    assert!(text.contains("hits: ") && text.contains("table names"), "{text}");
    server.restart();
    let refused = server.sql_error("SELECT * FROM names");
    assert!(refused.contains("table 'names' cannot be read: its state is damaged: state/"), "{refused}");
    server.eventually("SELECT COUNT(*) FROM t", "100");
    post(server.http, 5);
    server.eventually("SELECT COUNT(*) FROM t", "120");
    let answer = server.post("/v1/tables/names/rows", &[JSON], br#"{"k": 8, "name": "x"}"#);
    assert_ne!(answer.status, 200, "{}", answer.body);
    server.sql("DROP TABLE names");
    server.sql("CREATE TABLE names (k BIGINT, name STRING, PRIMARY KEY (k) NOT ENFORCED)");
    server.rows("names", r#"{"k": 9, "name": "nine"}"#);
    server.eventually("SELECT name FROM names", "nine");
    server.kill();
    server.restart();
    server.eventually("SELECT name FROM names", "nine");
    server.eventually("SELECT COUNT(*) FROM t", "120");
}

#[test]
fn the_disk_budget_warns_refuses_and_recovers() {
    let server = Server::start_with(&["--disk", "3m"]);
    server.sql("CREATE TABLE small (id INT)");
    server.sql("CREATE TABLE big (id INT, filler STRING)");
    server.sql("CREATE MATERIALIZED TABLE n AS SELECT COUNT(*) AS n FROM big");
    let body = format!(r#"{{"id": 1, "filler": "{}"}}"#, "x".repeat(12_000));
    let post = || server.post("/v1/tables/big/rows", &[JSON], body.as_bytes());
    let mut accepted = 0;
    let refused = loop {
        let answer = post();
        if answer.status != 200 {
            break answer;
        }
        accepted += 1;
        assert!(accepted < 300, "the limit was never reached");
        // Slower towards the end: the folder is looked at twice a second, and the warning is to be seen.
        std::thread::sleep(Duration::from_millis(if accepted < 190 { 8 } else { 80 }));
    };
    assert_eq!(refused.status, 507, "{}", refused.body);
    assert!(refused.error().contains("no rows are taken") && refused.error().contains("--disk"), "{}", refused.body);
    assert!(accepted > 150, "{accepted} of 12 KB fit into 3 MB");
    assert!(server.stderr().contains("the disk fills up"), "{}", server.stderr());
    wait_until("it says so", || server.get("/healthz").body.contains("warning: the disk is full"));
    assert!(server.get("/healthz").body.starts_with("ok\n"));
    assert_eq!(server.metric("arus_disk_state"), 2.0);
    assert_eq!(server.sql("SELECT state, limit_bytes FROM arus.disk").trim(), "full|3145728");
    let run = server.psql(&["-v", "VERBOSITY=verbose", "-c", "INSERT INTO small VALUES (1)"], "");
    assert!(run.stderr.contains("53100") && run.stderr.contains("no rows are taken"), "{}", run.stderr);
    let run = server.kcat(&["-P", "-t", "small", "-X", "message.timeout.ms=1500"], "{\"id\": 2}\n");
    assert!(!run.ok, "{}", run.stdout);
    // Reading goes on, and so do checkpoints.
    server.eventually("SELECT n FROM n", &accepted.to_string());
    let epoch = server.metric("arus_durable_epoch");
    server.sql("CREATE TABLE another (id INT)");
    assert!(server.metric("arus_durable_epoch") > epoch);
    server.sql("DROP MATERIALIZED TABLE n");
    server.sql("DROP TABLE big");
    wait_until("rows are taken again", || server.post("/v1/tables/small/rows", &[JSON], br#"{"id": 3}"#).status == 200);
    wait_until("all is well", || server.get("/healthz").body == "ok\n");
    server.eventually("SELECT COUNT(*) FROM small", "1");
}

fn state_bytes(server: &Server) -> u64 {
    // A file may go between the list and the look.
    let size = |file: PathBuf| fs::metadata(file).map_or(0, |m| m.len());
    fs::read_dir(server.data().join("state")).unwrap().map(|entry| size(entry.unwrap().path())).sum()
}

#[test]
fn the_state_of_what_is_dropped_goes() {
    let mut server = Server::start();
    prepare(&server);
    (0..5).for_each(|batch| post(server.http, batch));
    server.sql("CREATE TABLE wide (id INT, name STRING, PRIMARY KEY (id) NOT ENFORCED)");
    server.sql("CREATE MATERIALIZED TABLE names_of AS SELECT name, COUNT(*) AS n FROM wide GROUP BY name");
    let name =
        |id: u64| (0..8).map(move |part| format!("{:016x}", (id * 8 + part).wrapping_mul(0x9E37_79B9_7F4A_7C15)));
    let row = |id: u64| format!("{{\"id\":{id},\"name\":\"{}\"}}\n", name(id).collect::<String>());
    let body: String = (0..4_000).map(row).collect();
    assert_eq!(server.post("/v1/tables/wide/rows", &[crate::http::NDJSON], body.as_bytes()).status, 200);
    server.eventually("SELECT COUNT(*) FROM names_of", "4000");
    wait_until("its state is in the files", || state_bytes(&server) > 500_000);
    server.sql("DROP MATERIALIZED TABLE names_of");
    server.sql("DROP TABLE wide");
    // Checkpoints come with changes.
    let batch = AtomicU64::new(5);
    wait_until("its state is gone", || {
        post(server.http, batch.fetch_add(1, SeqCst));
        std::thread::sleep(Duration::from_millis(100));
        state_bytes(&server) < 100_000
    });
    let rows = batch.load(SeqCst) * ROWS_A_POST;
    verify(&server, rows);
    // Nothing else went with it.
    server.kill();
    server.restart();
    verify(&server, rows);
    let (code, _, text) = doctor(&server);
    assert_eq!(code, Some(0), "{text}");
}
