//! `arus sql`, as a script sees it: on a server and on an engine of its own.

use std::io::{Read, Write as _};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use crate::server::{Server, wait_until};

struct Run {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

/// Runs the shell in an empty folder; Ctrl-C once it has said `stop_at`.
fn shell(flags: &[&str], input: &str, stop_at: Option<&str>) -> Run {
    let folder = tempfile::tempdir().unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_arus"))
        .arg("sql")
        .args(flags)
        .current_dir(folder.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let said = [collect(child.stdout.take().unwrap()), collect(child.stderr.take().unwrap())];
    let mut stopped = false;
    wait_until("the shell ends", || {
        let has_said =
            |text: &str| said.iter().any(|(found, _)| String::from_utf8_lossy(&found.lock().unwrap()).contains(text));
        if !stopped && stop_at.is_some_and(has_said) {
            stopped = true;
            assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
        }
        child.try_wait().unwrap().is_some()
    });
    let code = child.wait().unwrap().code();
    let [stdout, stderr] = said.map(|(found, reader)| {
        reader.join().unwrap();
        String::from_utf8(found.lock().unwrap().clone()).unwrap()
    });
    Run { code, stdout, stderr }
}

/// What comes out of a pipe, as it comes.
fn collect(mut pipe: impl Read + Send + 'static) -> (Arc<Mutex<Vec<u8>>>, JoinHandle<()>) {
    let found = Arc::new(Mutex::new(vec![]));
    let collected = found.clone();
    let reader = std::thread::spawn(move || {
        let mut buffer = [0; 4_096];
        while let Ok(n @ 1..) = pipe.read(&mut buffer) {
            collected.lock().unwrap().extend_from_slice(&buffer[..n]);
        }
    });
    (found, reader)
}

#[test]
fn a_shell_without_a_server_is_its_own() {
    let run = shell(
        &["--listen", "127.0.0.2"],
        "CREATE TABLE orders (id INT, item STRING);
         INSERT INTO orders VALUES (1, 'tea'), (2, 'coffee');
         SET 'execution.runtime-mode' = 'batch';
         SELECT item, id FROM orders;
         SELECT itme FROM orders;
         SHOW TABLES;",
        None,
    );
    assert_eq!(run.stdout, " item   │ id\n────────┼────\n tea    │  1\n coffee │  2\n", "{}", run.stderr);
    let error = "error: column 'itme' does not exist in 'orders'\n  at line 5, column 17\n  |          SELECT itme FROM orders;\n  |                 ^^^^\n";
    assert!(run.stderr.contains(error), "{}", run.stderr);
    assert_eq!(run.code, Some(1), "a script stops at its first error");
}

#[test]
fn a_live_select_says_why_nothing_comes_and_ends_at_ctrl_c() {
    let server = Server::start();
    server.sql("CREATE TABLE clicks (name STRING, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '5' SECOND)");
    server.rows("clicks", r#"[{"name": "Ada", "ts": "2026-01-01 00:00:01"}]"#);
    let port = server.http.to_string();
    let window = "SET 'table.local-time-zone' = 'UTC';
        SELECT window_start, COUNT(*) AS n FROM TABLE(TUMBLE(TABLE clicks, DESCRIPTOR(ts), INTERVAL '10' SECOND))
        GROUP BY window_start, window_end;";
    let run = shell(&["--http-port", &port], window, Some("which stands at"));
    assert!(
        run.stderr.contains("waits for the watermark of `clicks`, which stands at 2025-12-31T23:59:56Z"),
        "{}",
        run.stderr
    );
    assert_eq!(run.code, Some(130), "{}{}", run.stdout, run.stderr);

    let rows = shell(&["--http-port", &port], "SELECT name FROM clicks", Some("Ada"));
    assert_eq!(rows.stdout, " op │ name\n────┼──────\n +I │ Ada\n");
    let nobody = shell(&["--http-port", "1", "-e", "SHOW TABLES"], "", None);
    assert!(nobody.code == Some(1) && nobody.stderr.contains("no Arus answers at 127.0.0.1:1"), "{}", nobody.stderr);
}

#[test]
fn explain_why_and_analyze_name_what_waits() {
    let server = Server::start();
    server.sql("CREATE TABLE clicks (name STRING, ts TIMESTAMP(3), WATERMARK FOR ts AS ts)");
    assert_eq!(server.sql("EXPLAIN WHY clicks").trim(), "nobody has written to `clicks` yet");
    server.sql(
        "CREATE MATERIALIZED TABLE per_name AS SELECT name, COUNT(*) AS n FROM clicks WHERE name <> 'x' GROUP BY name",
    );
    assert_eq!(server.sql("EXPLAIN WHY per_name").trim(), "no row has come into `clicks` yet");
    server.rows("clicks", r#"[{"name": "x", "ts": "2026-01-01 00:00:01"}]"#);
    server.eventually("EXPLAIN WHY per_name", "WHERE keeps none of the 1 rows that reached it");
    let figures = server.sql("EXPLAIN ANALYZE per_name");
    assert!(figures.lines().next().unwrap().starts_with("0|TableSourceScan(clicks)||1|1|0|"), "{figures}");
    let wrong = server.psql(&["-c", "EXPLAIN ANALYZE per_nam"], "");
    assert!(wrong.stderr.contains("did you mean 'per_name'?"), "{}", wrong.stderr);
}
