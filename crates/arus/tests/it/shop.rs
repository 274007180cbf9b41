//! The demo's shop: what its pipelines find of the frauds that were planted; dashboards that are changed from two sides.

use std::fs;

use serde_json::json;

use crate::http::{JSON, request};
use crate::server::{Server, arus_command};

/// The demo's own statements about payments, over rows of the past that come as fast as they are read.
fn script(seed: u32, truth: &str) -> String {
    let text = include_str!("../../../../examples/demo/pipelines/shop.sql");
    let options = format!("'start' = '1767225600000', 'length' = '40 min', 'seed' = '{seed}'");
    let about = |s: &&str| s.contains("EXISTS payments") || s.contains("TABLE card_testing") || s.contains("state.ttl");
    let statements: Vec<&str> = text.split(";\n").filter(about).collect();
    assert_eq!(statements.len(), 4);
    statements.join(";\n").replace("'history' = '15 min'", &options).replace("shop-truth.ndjson", truth)
}

fn figure(text: &str, name: &str) -> f64 {
    let line = text.lines().find(|l| l.starts_with(name)).unwrap_or_else(|| panic!("no {name} in {text}"));
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn planted_frauds_are_found() {
    for seed in [1, 2, 3] {
        let server = Server::start();
        let truth = server.data().join("truth.ndjson");
        let script = script(seed, truth.to_str().unwrap());
        let answer = server.post("/v1/sql", &[JSON], json!({"sql": script}).to_string().as_bytes());
        assert_eq!(answer.status, 200, "{}", answer.body);
        server.eventually("SELECT state FROM arus.pipelines WHERE name = 'card_testing'", "finished");
        let port = server.http.to_string();
        let run = arus_command(&["score", "--truth", truth.to_str().unwrap(), "--http-port", &port], "");
        assert_eq!(run.code, Some(0), "{}", run.stderr);
        println!("seed {seed}\n{}", run.stdout);
        assert!(figure(&run.stdout, "planted") > 40.0, "{}", run.stdout);
        assert!(figure(&run.stdout, "precision") >= 0.9, "seed {seed}: {}", run.stdout);
        assert!(figure(&run.stdout, "recall") >= 0.85, "seed {seed}: {}", run.stdout);
        // The demo's alert tells of each of them once; here all of them lie far back.
        let alert = include_str!("../../../../examples/demo/pipelines/alert.sql");
        let lines: Vec<&str> = alert.lines().filter(|line| !line.contains("CURRENT_TIMESTAMP")).collect();
        assert_eq!(lines.len() + 1, alert.lines().count());
        server.sql(&lines.join("\n"));
        let devices = server.sql("SELECT COUNT(DISTINCT device) FROM card_testing");
        let fired = "SELECT COUNT(*) FROM arus.alert_events WHERE alert = 'card_testers' AND event = 'fired'";
        server.eventually(fired, devices.trim());
    }
}

#[test]
fn a_dashboard_is_never_overwritten() {
    let server = Server::start();
    let path = "/v1/console/dashboards/mine/file";
    let text = |title: &str| {
        format!(
            "# kept\narus: dashboard/v1\ntitle: {title}\npanels:\n  - {{id: a, at: [0, 0, 6, 4], chart: line, sql: SELECT 1}}\n"
        )
    };
    let put = |condition: (&str, &str), title: &str| {
        let body = json!({"text": text(title)}).to_string();
        request(server.http, "PUT", path, &[JSON, condition], body.as_bytes()).unwrap()
    };
    assert_eq!(request(server.http, "PUT", path, &[JSON], b"{\"text\":\"\"}").unwrap().status, 428);
    let made = put(("If-None-Match", "*"), "One");
    assert_eq!(made.status, 200, "{}", made.body);
    let tag = format!("\"{}\"", made.json()["tag"].as_str().unwrap());
    let file = server.data().join("dashboards/mine.yaml");
    assert_eq!(fs::read_to_string(&file).unwrap(), text("One"));
    assert_eq!(server.get("/v1/console/dashboards").json()[0]["title"], "One");
    // Somebody edits the file.
    fs::write(&file, text("Theirs")).unwrap();
    let refused = put(("If-Match", &tag), "Two");
    assert_eq!(refused.status, 412, "{}", refused.body);
    assert!(refused.json()["there"]["text"].as_str().unwrap().contains("Theirs"), "{}", refused.body);
    assert_eq!(fs::read_to_string(&file).unwrap(), text("Theirs"));
    assert_eq!(put(("If-None-Match", "*"), "Two").status, 412);
    let theirs = format!("\"{}\"", refused.json()["there"]["tag"].as_str().unwrap());
    assert_eq!(put(("If-Match", &theirs), "Two").status, 200);
    // One that is broken is told, and keeps no other from being shown.
    fs::write(server.data().join("dashboards/broken.yaml"), "title: [").unwrap();
    let list = server.get("/v1/console/dashboards").json();
    assert!(list[0]["error"].is_string() && list[1]["title"] == "Two", "{list}");
    // Nor does a project bring a document.
    let large = json!({"name": "large", "text": "x".repeat(2 << 20)});
    let apply = json!({"project": "p", "files": [], "dashboards": [large]}).to_string();
    let refused = server.post("/v1/apply", &[JSON], apply.as_bytes());
    assert!(refused.status == 400 && refused.error().contains("larger than 1024 KB"), "{}", refused.body);
    let now = server.get(path).json()["tag"].as_str().unwrap().to_string();
    let gone = request(server.http, "DELETE", path, &[JSON, ("If-Match", &now)], b"").unwrap();
    assert!(gone.status == 200 && !file.exists(), "{}", gone.body);
}
