//! What the documentation says: every command of the guides runs, every metric is described.
//!
//! In a guide a block ```` ```sh ```` is run by bash, `sh server` starts a server that the blocks after it talk to, and a block
//! ```` ```text ```` behind one holds lines that it prints, in the end.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::server::{Server, wait_until};

fn docs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs")
}

/// (info, text) of each fenced block.
fn blocks(text: &str) -> Vec<(String, String)> {
    let mut blocks: Vec<(String, String)> = vec![];
    let mut open = false;
    for line in text.lines() {
        if let Some(info) = line.strip_prefix("```") {
            open = !open;
            if open {
                blocks.push((info.into(), String::new()));
            }
        } else if let Some((_, block)) = blocks.last_mut().filter(|_| open) {
            block.push_str(line);
            block.push('\n');
        }
    }
    blocks
}

fn bash(script: &str, folder: &Path, bin: &Path) -> (bool, String) {
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
    let mut command = Command::new("timeout");
    command.args(["120", "bash", "-euo", "pipefail", "-c", script]).current_dir(folder).env("PATH", path);
    let output = command.env("TZ", "UTC").output().unwrap();
    let text = [output.stdout, output.stderr].map(|b| String::from_utf8_lossy(&b).into_owned()).concat();
    (output.status.success(), text)
}

fn run_guide(name: &str) {
    let text = fs::read_to_string(docs().join(name)).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (work, bin) = (folder.path().join("work"), folder.path().join("bin"));
    fs::create_dir_all(&work).unwrap();
    fs::create_dir_all(&bin).unwrap();
    symlink(env!("CARGO_BIN_EXE_arus"), bin.join("arus")).unwrap();
    let mut server: Option<Server> = None;
    let blocks = blocks(&text);
    assert!(blocks.iter().any(|(info, _)| info == "sh"), "{name}: no command");
    for (i, (info, script)) in blocks.iter().enumerate() {
        let script = match &server {
            Some(server) => script
                .replace("127.0.0.1:8080", &format!("127.0.0.1:{}", server.http))
                .replace("--http-port 8080", &format!("--http-port {}", server.http))
                .replace("-p 5432", &format!("-p {}", server.pg))
                .replace("127.0.0.1:9092", &format!("127.0.0.1:{}", server.kafka)),
            None => script.clone(),
        };
        match info.as_str() {
            "sh server" => server = Some(Server::documented(script.trim(), &work)),
            "sh" => match blocks.get(i + 1).filter(|(info, _)| info == "text") {
                None => {
                    let (ok, said) = bash(&script, &work, &bin);
                    assert!(ok, "{name}:\n{script}\n{said}");
                }
                Some((_, expected)) => wait_until(&format!("{name}:\n{script}\nprints\n{expected}"), || {
                    let (ok, said) = bash(&script, &work, &bin);
                    let done = ok && expected.lines().all(|line| said.contains(line.trim()));
                    if !done {
                        eprintln!("{said}");
                    }
                    done
                }),
            },
            "text" => {}
            other => panic!("{name}: a block of an unknown kind: '{other}'"),
        }
    }
}

#[test]
fn getting_started_works() {
    run_guide("getting-started.md");
}

#[test]
fn guides_work() {
    for guide in ["guides/http.md", "guides/kafka.md", "guides/files.md", "guides/flink-users.md", "guides/alerts.md"] {
        run_guide(guide);
    }
}

/// By name: kind and what it is.
fn metrics(server: &Server) -> BTreeMap<String, (String, String)> {
    let text = server.get("/metrics").body;
    let mut found: BTreeMap<String, (String, String)> = BTreeMap::new();
    for line in text.lines() {
        if let Some((name, help)) = line.strip_prefix("# HELP ").and_then(|l| l.split_once(' ')) {
            found.entry(name.into()).or_default().1 = help.into();
        } else if let Some((name, kind)) = line.strip_prefix("# TYPE ").and_then(|l| l.split_once(' ')) {
            found.entry(name.into()).or_default().0 = kind.into();
        }
    }
    found
}

#[test]
fn every_metric_is_described_and_every_panel_shows_one() {
    let server = Server::start();
    let found = metrics(&server);
    assert!(found.len() > 30, "{found:?}");
    let page = fs::read_to_string(docs().join("metrics.md")).unwrap();
    let mut described = BTreeMap::new();
    for line in page.lines().filter(|l| l.starts_with("| `arus_") && l.matches('|').count() == 5) {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        described.insert(cells[1].trim_matches('`').to_string(), (cells[2].to_string(), cells[4].to_string()));
    }
    assert_eq!(found, described, "docs/metrics.md");
    let dashboard = fs::read_to_string(docs().join("grafana/arus.json")).unwrap();
    let dashboard: serde_json::Value = serde_json::from_str(&dashboard).unwrap();
    let mut shown = 0;
    for panel in dashboard["panels"].as_array().unwrap() {
        for target in panel["targets"].as_array().unwrap() {
            let expr = target["expr"].as_str().unwrap();
            for name in expr.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').filter(|w| w.starts_with("arus_"))
            {
                assert!(found.contains_key(name), "{}: there is no metric {name}", panel["title"]);
                shown += 1;
            }
        }
    }
    assert!(shown > 20);
}

#[test]
fn the_log_is_json_and_top_shows_pipelines() {
    let server = Server::start_with(&["--log-format", "json", "--disk", "64m", "--disk-free", "1k"]);
    server.sql("CREATE TABLE t (a INT)");
    server.sql("CREATE MATERIALIZED TABLE counted AS SELECT a, COUNT(*) AS n FROM t GROUP BY a");
    server.rows("t", r#"[{"a": 1}]"#);
    server.eventually("SELECT n FROM counted", "1");
    let port = server.http.to_string();
    let top = crate::server::arus_command(&["top", "--once", "--http-port", &port], "");
    assert_eq!(top.code, Some(0), "{}", top.stderr);
    for word in ["pipeline", "counted", "running", "GroupAggregate", "state bytes"] {
        assert!(top.stdout.contains(word), "no {word} in\n{}", top.stdout);
    }
    for line in server.stderr().lines().filter(|l| l.starts_with('{')) {
        let event: serde_json::Value = serde_json::from_str(line).unwrap();
        assert!(event["level"].is_string() && event["message"].is_string() && event["time"].is_string(), "{line}");
    }
}
