//! Traces: a collector on the loopback gets spans of statements, of rows, of epochs and checkpoints; one that is away harms nothing.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use serde_json::Value;

use crate::server::{Server, wait_until};

/// Keeps the spans that it is sent.
fn collector() -> (u16, Arc<Mutex<Vec<Value>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let spans: Arc<Mutex<Vec<Value>>> = Arc::default();
    let kept = spans.clone();
    std::thread::spawn(move || {
        for socket in listener.incoming() {
            let Some(body) = socket.ok().and_then(read) else { continue };
            for resource in body["resourceSpans"].as_array().unwrap() {
                assert_eq!(resource["resource"]["attributes"][0]["value"]["stringValue"], "arus");
                kept.lock().unwrap().extend(resource["scopeSpans"][0]["spans"].as_array().unwrap().iter().cloned());
            }
        }
    });
    (port, spans)
}

fn read(socket: TcpStream) -> Option<Value> {
    let mut reader = BufReader::new(socket);
    let mut length = 0;
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    assert!(line.starts_with("POST /v1/traces HTTP/1.1"), "{line}");
    loop {
        line.clear();
        reader.read_line(&mut line).ok()?;
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        if line.trim().is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    reader.into_inner().write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}").ok()?;
    serde_json::from_slice(&body).ok()
}

fn has(span: &Value, key: &str, value: &str) -> bool {
    span["attributes"]
        .as_array()
        .unwrap()
        .iter()
        .any(|a| a["key"] == key && (a["value"]["stringValue"] == value || a["value"]["intValue"] == value))
}

#[test]
fn spans_go_to_a_collector() {
    let (port, spans) = collector();
    let mut server = Server::start_with(&["--otlp-endpoint", &format!("http://127.0.0.1:{port}")]);
    server.sql("CREATE TABLE t (id INT, secret STRING)");
    server.rows("t", r#"[{"id": 1, "secret": "pl4nted"}]"#);
    server.eventually("SELECT COUNT(*) FROM t WHERE secret <> 'pl4nted-too'", "1");
    server.sql_error("SELECT nope FROM t");
    let found = |what: &str, is: &dyn Fn(&Value) -> bool| {
        wait_until(what, || spans.lock().unwrap().iter().any(is));
    };
    found("CREATE TABLE", &|s| {
        s["name"] == "statement" && has(s, "statement", "CREATE TABLE") && has(s, "door", "postgres")
    });
    found("an error", &|s| has(s, "statement", "SELECT") && s["status"]["message"] == "42703");
    found("rows", &|s| s["name"] == "ingest" && has(s, "table", "t") && has(s, "door", "http") && s["kind"] == 2);
    found("an epoch", &|s| s["name"] == "epoch" && has(s, "incarnation", "1"));
    found("a checkpoint", &|s| s["name"] == "checkpoint" && s["kind"] == 1);
    for span in spans.lock().unwrap().iter() {
        let time = |name: &str| span[name].as_str().unwrap().parse::<u64>().unwrap();
        assert!(time("startTimeUnixNano") <= time("endTimeUnixNano"), "{span}");
        assert!(!span.to_string().contains("pl4nted"), "{span}");
    }
    // What is left is sent at the end.
    server.sql("SELECT 1 AS farewell");
    server.stop("-TERM");
}

#[test]
fn a_collector_that_is_away_is_told_of_once() {
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let server = Server::start_with(&["--otlp-endpoint", &format!("http://127.0.0.1:{nobody}")]);
    for _ in 0..3 {
        server.sql("SELECT 1");
    }
    wait_until("it is said", || server.stderr().contains("cannot connect"));
    server.sql("SELECT 1");
    assert_eq!(server.stderr().matches("cannot connect").count(), 1, "{}", server.stderr());
}
