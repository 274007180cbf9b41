//! docs/errors.md: each wrong script has the message that stands below it, at every door, and the fixed one passes `arus check`.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::json;

use crate::http::JSON;
use crate::server::{Server, arus_command};

/// A wrong script of the page, what is said to it, and one that works.
struct Case {
    title: String,
    wrong: String,
    said: String,
    fixed: String,
}

fn cases() -> Vec<Case> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/errors.md");
    let page = fs::read_to_string(page).unwrap();
    let case = |section: &str| {
        let title = section.lines().next().unwrap().to_owned();
        let blocks: Vec<&str> = section.split("```").skip(1).step_by(2).collect();
        let [wrong, message, fixed] = blocks.as_slice() else {
            panic!("{title}: expected a script, a message and a script, found {} blocks", blocks.len())
        };
        let [wrong, said, fixed] = [wrong, message, fixed].map(|block| block.split_once('\n').unwrap().1.to_owned());
        Case { title, wrong, said: said.trim_end().to_owned(), fixed }
    };
    page.split("\n## ").skip(1).map(case).collect()
}

#[test]
fn wrong_scripts_have_the_documented_messages() {
    let folder = tempfile::tempdir().unwrap();
    let check = |script: &str| {
        fs::write(folder.path().join("s.sql"), script).unwrap();
        let output = Command::new(env!("CARGO_BIN_EXE_arus"))
            .args(["check", "s.sql"])
            .current_dir(folder.path())
            .output()
            .unwrap();
        let message = String::from_utf8_lossy(&output.stderr).replace("s.sql: ", "");
        (output.status.code(), message.trim_end().to_owned())
    };
    let cases = cases();
    for Case { title, wrong, said, fixed } in &cases {
        assert_eq!(check(wrong), (Some(1), said.clone()), "{title}");
        let (code, found) = check(fixed);
        assert_eq!(code, Some(0), "{title}: the fixed script does not pass:\n{found}");
    }
    assert!(cases.len() >= 10, "docs/errors.md has {} scripts", cases.len());
}

/// As deep as a statement may be, and deeper: an answer or an error, in both dialects, and never the end of the server.
#[test]
fn deep_statements_are_answered() {
    let server = Server::start();
    server.sql("CREATE TABLE t (a INT, name STRING)");
    for n in [98, 511, 5_000] {
        // What stands in a row may be longer than what is deep; a plan of thousands takes its time.
        let long = n.min(511);
        for sql in [
            format!("SELECT {}1{}", "(".repeat(n), ")".repeat(n)),
            format!("SELECT {}1{}", "-(".repeat(n), ")".repeat(n)),
            format!("SELECT {}1{}", "ABS(".repeat(n), ")".repeat(n)),
            format!("SELECT {}1{}", "CASE WHEN TRUE THEN ".repeat(n), " END".repeat(n)),
            format!("SELECT 1{}", " + 1".repeat(long)),
            format!("SELECT name{} AS x FROM t", " || 'x'".repeat(long)),
            format!("SELECT a FROM t WHERE a = 1{}", " OR a = 2".repeat(long)),
            format!("SELECT * FROM {}t{}", "(SELECT * FROM ".repeat(n), " AS x)".repeat(n)),
            format!("SELECT a FROM t WHERE a IN {}(1){}", "(SELECT a FROM t WHERE a IN ".repeat(n), ")".repeat(n)),
            format!("SELECT 1{}", " UNION ALL SELECT 1".repeat(long)),
        ] {
            for dialect in ["flink", "postgresql"] {
                let answer = server.http_sql(&format!("SET 'arus.dialect' = '{dialect}'; {sql}"));
                assert!(answer.status < 500, "{dialect}: {}: {}", &sql[..60], answer.body);
            }
        }
        assert_eq!(server.sql("SELECT 1").trim(), "1");
    }
}

/// As `arus check` lays an error out.
fn rendered(answer: &serde_json::Value, script: &str) -> String {
    let error = &answer["error"];
    let mut out = error["message"].as_str().unwrap().to_owned();
    if let (Some(line), Some(column)) = (error["line"].as_u64(), error["column"].as_u64()) {
        let text = script.lines().nth(line as usize - 1).unwrap();
        let carets =
            "^".repeat((error["length"].as_u64().unwrap() as usize).min(text.chars().count() + 1 - column as usize));
        let indent = " ".repeat(column as usize - 1);
        out.push_str(&format!("\n  at line {line}, column {column}\n  | {text}\n  | {indent}{carets}"));
    }
    if let Some(hint) = error["hint"].as_str() {
        out.push_str(&format!("\n  hint: {hint}"));
    }
    out
}

/// (message, whether a place is shown, hint) of what `check` says.
fn parts(said: &str) -> (String, bool, String) {
    let (body, hint) = said.split_once("\n  hint: ").unwrap_or((said, ""));
    let (message, place) = body.split_once("\n  at line ").unwrap_or((body, ""));
    (message.to_owned(), !place.is_empty(), hint.to_owned())
}

/// The same of what psql says.
fn parts_of_psql(said: &str) -> (String, bool, String) {
    let start = said.find("ERROR:  ").unwrap_or_else(|| panic!("no error: {said}")) + 8;
    let (body, hint) = said[start..].split_once("\nHINT:  ").unwrap_or((&said[start..], ""));
    let (message, place) = body.split_once("\nLINE ").unwrap_or((body, ""));
    (message.trim_end().to_owned(), !place.is_empty(), hint.trim_end().to_owned())
}

#[test]
fn every_door_says_the_same() {
    let here = std::env::temp_dir();
    let flags = ["--allow-path", here.to_str().unwrap()];
    let mut differences = vec![];
    for Case { title, wrong, said, .. } in cases() {
        // `check` goes on behind an error, a door stops at the first.
        let more =
            said.match_indices('\n').find(|(at, _)| !said[at + 1..].starts_with(' ')).map_or(said.len(), |m| m.0);
        let said = said[..more].to_owned();
        let mut differ = |door: &str, expected: String, found: String| {
            if expected != found {
                differences.push(format!("{title}, {door}:\nexpected\n{expected}\nfound\n{found}"));
            }
        };
        let server = Server::start_with(&flags);
        let body = json!({"sql": wrong, "stream": true}).to_string();
        let answer = server.post("/v1/sql", &[JSON], body.as_bytes());
        assert!((400..500).contains(&answer.status), "{title}: {} {}", answer.status, answer.body);
        differ("HTTP", said.clone(), rendered(&answer.json(), &wrong));

        let server = Server::start_with(&flags);
        let run = server.psql(&["-f", "-"], &format!("SET arus.dialect = 'flink';\n{wrong}"));
        assert!(!run.ok, "{title}: psql found no error");
        differ("psql", format!("{:?}", parts(&said)), format!("{:?}", parts_of_psql(&run.stderr)));

        let server = Server::start_with(&flags);
        let port = server.http.to_string();
        let run = arus_command(&["sql", "--http-port", &port], &wrong);
        assert!(!run.ok, "{title}: the shell found no error\n{}", run.stdout);
        let from = run.stderr.find("error: ").map_or(run.stderr.as_str(), |at| &run.stderr[at + 7..]);
        differ("shell", said.clone(), from.trim_end().to_owned());
    }
    assert!(differences.is_empty(), "{}", differences.join("\n\n"));
}
