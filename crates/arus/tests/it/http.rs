//! A small HTTP client: one request a connection, HTTP/1.0 so that no answer is chunked.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::server::{Server, client};

pub(crate) const JSON: (&str, &str) = ("Content-Type", "application/json");
pub(crate) const NDJSON: (&str, &str) = ("Content-Type", "application/x-ndjson");
const LIMIT: Duration = Duration::from_secs(60);

pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: String,
}

impl Answer {
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|e| panic!("{} {}: {e}", self.status, self.body))
    }

    /// `error.message` and `error.hint`, as one text.
    #[track_caller]
    pub(crate) fn error(&self) -> String {
        let error = &self.json()["error"];
        format!("{} | {}", error["message"].as_str().unwrap_or_default(), error["hint"].as_str().unwrap_or_default())
    }
}

impl Server {
    pub(crate) fn get(&self, path: &str) -> Answer {
        request(self.http, "GET", path, &[], b"").unwrap()
    }

    pub(crate) fn post(&self, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        request(self.http, "POST", path, headers, body).unwrap()
    }

    /// Rows as JSON; all must be accepted.
    #[track_caller]
    pub(crate) fn rows(&self, table: &str, body: &str) {
        let answer = self.post(&format!("/v1/tables/{table}/rows"), &[JSON], body.as_bytes());
        assert_eq!(answer.status, 200, "{}", answer.body);
        assert_eq!(answer.json()["rejected"], serde_json::json!([]));
    }

    /// POST /v1/sql.
    pub(crate) fn http_sql(&self, sql: &str) -> Answer {
        let body = serde_json::json!({"sql": sql}).to_string();
        self.post("/v1/sql", &[JSON], body.as_bytes())
    }
}

/// The answer, or why there is none: a server may be killed meanwhile.
pub(crate) fn request(
    port: u16,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> std::io::Result<Answer> {
    let mut reader = open(port, method, path, headers, body)?;
    let status = head(&mut reader)?;
    let mut body = vec![];
    reader.read_to_end(&mut body)?;
    Ok(Answer { status, body: String::from_utf8_lossy(&body).into_owned() })
}

fn open(
    port: u16,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> std::io::Result<BufReader<TcpStream>> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(LIMIT))?;
    stream.set_nodelay(true)?;
    let mut head = format!("{method} {path} HTTP/1.0\r\nContent-Length: {}\r\n", body.len());
    if !headers.iter().any(|(name, _)| *name == "Host") {
        head.push_str(&format!("Host: 127.0.0.1:{port}\r\n"));
    }
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("\r\n");
    stream.write_all(&[head.as_bytes(), body].concat())?;
    Ok(BufReader::new(stream))
}

/// Reads the head of an answer; its status.
fn head(reader: &mut BufReader<TcpStream>) -> std::io::Result<u16> {
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let status = line.split(' ').nth(1).and_then(|s| s.parse().ok());
    let status = status.ok_or_else(|| std::io::Error::other(format!("no status in '{line}'")))?;
    loop {
        line.clear();
        if reader.read_line(&mut line)? == 0 || line.trim().is_empty() {
            return Ok(status);
        }
    }
}

/// Lines of an answer that does not end: SSE, or a streaming SELECT.
pub(crate) struct Lines(BufReader<TcpStream>);

impl Lines {
    pub(crate) fn open(port: u16, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Lines {
        let mut reader = open(port, method, path, headers, body).unwrap();
        assert_eq!(head(&mut reader).unwrap(), 200, "{path}");
        Lines(reader)
    }

    pub(crate) fn next(&mut self) -> String {
        self.next_or_end().unwrap_or_default()
    }

    fn next_or_end(&mut self) -> Option<String> {
        let mut line = String::new();
        let read = self.0.read_line(&mut line).expect("a line in time");
        (read > 0).then(|| line.trim_end().to_string())
    }
}

/// A client of `/changes`.
pub(crate) struct Changes(Lines);

#[derive(Debug, Default)]
pub(crate) struct Event {
    /// `reset` or empty.
    pub(crate) name: String,
    pub(crate) data: Value,
    pub(crate) id: String,
}

impl Event {
    /// `+I {"a":1}`.
    pub(crate) fn text(&self) -> String {
        format!("{} {}", self.data["op"].as_str().unwrap_or("?"), self.data["row"])
    }
}

impl Changes {
    pub(crate) fn open(server: &Server, table: &str, from: Option<&str>) -> Changes {
        let from = from.map(|f| format!("?from={f}")).unwrap_or_default();
        Changes(Lines::open(server.http, "GET", &format!("/v1/tables/{table}/changes{from}"), &[], b""))
    }

    /// The next event.
    pub(crate) fn next(&mut self) -> Event {
        self.next_or_end().expect("the feed goes on")
    }

    /// The next event; `None` when the server has ended the feed.
    pub(crate) fn next_or_end(&mut self) -> Option<Event> {
        let mut event = Event::default();
        let until = Instant::now() + LIMIT;
        loop {
            assert!(Instant::now() < until, "no event in time");
            let line = self.0.next_or_end()?;
            match line.split_once(": ").or(line.split_once(':')) {
                None if event.data.is_null() => {}
                None => return Some(event),
                Some(("event", name)) => event.name = name.to_string(),
                Some(("id", id)) => event.id = id.to_string(),
                Some(("data", data)) => event.data = serde_json::from_str(data).unwrap(),
                Some(_) => {}
            }
        }
    }
}

pub(crate) fn gzip(text: &str) -> Vec<u8> {
    // The shell keeps the bytes whole as text.
    let run = client("sh", "dash", &["-c", "gzip -c | od -An -v -tx1"], text.as_bytes());
    let bytes = run.stdout.split_whitespace().map(|hex| u8::from_str_radix(hex, 16).unwrap()).collect::<Vec<_>>();
    assert!(!bytes.is_empty(), "'gzip' is missing\n{}", run.stderr);
    bytes
}
