//! The shell's way to a server: `POST /v1/sql` over one connection a request, so that closing it cancels the statement.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use arus_core::error::Location;
use arus_core::project::{ApplyReply, ApplyRequest};
use arus_core::{Error, Result};
use serde_json::{Value, json};

/// A server on this machine answers at once or not at all.
const CONNECT: Duration = Duration::from_millis(500);
/// How often a wait for the next line looks whether it is still wanted.
const GLANCE: Duration = Duration::from_millis(100);
/// How often the first line of a backup is looked for: its checkpoint may wait for another one.
const BACKUP_GLANCES: usize = 1_200;
/// How often a line of the answer to a project is looked for: pipelines stop and start, each with a checkpoint.
const APPLY_GLANCES: usize = 6_000;
/// A longer line is no answer of ours.
const LINE_BYTES_MAX: u64 = 64 << 20;

#[derive(Debug, Clone, Copy)]
pub(crate) struct Client {
    address: SocketAddr,
}

/// What one line of an answer is.
#[derive(Debug)]
pub(crate) enum Line {
    Columns(Vec<String>),
    Row {
        op: Option<String>,
        values: Vec<Value>,
    },
    Done(Value),
    Note(String),
    Failed(Value),
    /// Nothing yet.
    Waiting,
    End,
}

impl Client {
    pub(crate) fn new(address: SocketAddr) -> Self {
        Client { address }
    }

    /// Whether an Arus answers there.
    pub(crate) fn is_there(&self) -> bool {
        self.request("GET", "/healthz", "")
            .is_ok_and(|mut answer| answer.text().is_ok_and(|t| t.lines().next() == Some("ok")))
    }

    pub(crate) fn sql(&self, sql: &str, stream: bool) -> Result<Answer> {
        self.request("POST", "/v1/sql", &json!({"sql": sql, "stream": stream, "arrays": true}).to_string())
    }

    /// The list of a checkpoint's files, which stay until the answer is dropped.
    pub(crate) fn backup(&self) -> Result<(Value, Answer)> {
        let mut answer = self.request("POST", "/v1/backup", "{}")?;
        for _ in 0..BACKUP_GLANCES {
            let Some(line) = answer.next_text()? else { continue };
            if line.is_empty() {
                break;
            }
            if answer.in_head {
                answer.in_head = !line.trim().is_empty();
                continue;
            }
            let value: Value = serde_json::from_str(&line).map_err(|e| self.strange(e))?;
            return match value["error"]["message"].as_str() {
                Some(message) => Err(Error::external(format!("the server at {} refuses: {message}", self.address))),
                None => Ok((value, answer)),
            };
        }
        Err(self.strange("no list of a backup"))
    }

    /// A project's plan, or the change.
    pub(crate) fn apply(&self, request: &ApplyRequest) -> Result<ApplyReply> {
        let body = serde_json::to_string(request).map_err(|e| self.strange(e))?;
        let mut answer = self.request("POST", "/v1/apply", &body)?;
        let mut text = String::new();
        for _ in 0..APPLY_GLANCES {
            match answer.next_text()? {
                None => {}
                Some(line) if line.is_empty() => break,
                Some(line) if answer.in_head => answer.in_head = !line.trim().is_empty(),
                Some(line) => text.push_str(&line),
            }
        }
        let value: Value = serde_json::from_str(&text).map_err(|e| self.strange(e))?;
        let error = &value["error"];
        if let Some(message) = error["message"].as_str() {
            let error = match error["hint"].as_str() {
                Some(hint) => Error::user(message).with_hint(hint),
                None => Error::user(message),
            };
            let line = |name: &str| value["error"][name].as_u64().unwrap_or_default() as u32;
            return Err(match line("line") {
                0 => error,
                n => {
                    error.with_location(Location { line: n, column: line("column"), offset: 0, length: line("length") })
                }
            });
        }
        serde_json::from_value(value).map_err(|e| self.strange(e))
    }

    /// Completions at the end of `before`, best first: how many characters they replace, and each with its detail.
    pub(crate) fn complete(&self, before: &str, after: &str) -> Result<(usize, Vec<(String, String)>)> {
        let mut answer =
            self.request("POST", "/v1/complete", &json!({"before": before, "after": after}).to_string())?;
        let value: Value = serde_json::from_str(&answer.text()?).map_err(|e| self.strange(e))?;
        let text = |v: &Value, key: &str| v[key].as_str().unwrap_or_default().to_string();
        let found = value["suggestions"].as_array().map(Vec::as_slice).unwrap_or_default();
        let found = found.iter().map(|s| (text(s, "text"), format!("{} {}", text(s, "kind"), text(s, "detail"))));
        Ok((value["replace"].as_u64().unwrap_or_default() as usize, found.collect()))
    }

    /// HTTP/1.0: the answer ends with the connection and is not chunked.
    fn request(&self, method: &str, path: &str, body: &str) -> Result<Answer> {
        let failed = |e| Error::io("reach", format!("the server at {}", self.address), e);
        let mut stream = TcpStream::connect_timeout(&self.address, CONNECT).map_err(failed)?;
        stream.set_nodelay(true).map_err(failed)?;
        stream.set_read_timeout(Some(GLANCE)).map_err(failed)?;
        let head = format!(
            "{method} {path} HTTP/1.0\r\nHost: {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            self.address,
            body.len()
        );
        stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body.as_bytes())).map_err(failed)?;
        Ok(Answer { client: *self, reader: BufReader::new(stream), in_head: true, line: vec![] })
    }

    fn strange(&self, what: impl std::fmt::Display) -> Error {
        Error::external(format!("the server at {} answers something else than Arus does: {what}", self.address))
    }
}

/// An answer that is being read. Dropping it cancels the statement.
pub(crate) struct Answer {
    client: Client,
    reader: BufReader<TcpStream>,
    in_head: bool,
    /// What has come of the next line.
    line: Vec<u8>,
}

impl Answer {
    /// The next line, or that there is none yet.
    pub(crate) fn next(&mut self) -> Result<Line> {
        loop {
            let Some(text) = self.next_text()? else { return Ok(Line::Waiting) };
            if text.is_empty() {
                return Ok(Line::End);
            }
            if self.in_head {
                self.in_head = !text.trim().is_empty();
                continue;
            }
            let mut value: Value = serde_json::from_str(&text).map_err(|e| self.client.strange(e))?;
            return Ok(match value.take() {
                Value::Array(values) => Line::Row { op: None, values },
                Value::Object(mut fields) => {
                    if let Some(Value::Array(values)) = fields.remove("row") {
                        let op = fields.remove("op").and_then(|op| op.as_str().map(String::from));
                        Line::Row { op, values }
                    } else if let Some(Value::Array(names)) = fields.remove("columns") {
                        Line::Columns(names.iter().filter_map(|n| n.as_str().map(String::from)).collect())
                    } else if let Some(Value::String(note)) = fields.remove("note") {
                        Line::Note(note)
                    } else if let Some(error) = fields.remove("error") {
                        Line::Failed(error)
                    } else {
                        Line::Done(Value::Object(fields))
                    }
                }
                other => return Err(self.client.strange(other)),
            });
        }
    }

    /// The whole body of a short answer.
    fn text(&mut self) -> Result<String> {
        let mut body = String::new();
        // A server that says nothing for this long is not there for us.
        for _ in 0..50 {
            while let Some(line) = self.next_text()? {
                if line.is_empty() {
                    return Ok(body);
                }
                if self.in_head {
                    self.in_head = !line.trim().is_empty();
                } else {
                    body.push_str(&line);
                }
            }
        }
        Err(self.client.strange("nothing in five seconds"))
    }

    /// A line with its end; empty at the end of the answer; `None`: it has not come yet.
    fn next_text(&mut self) -> Result<Option<String>> {
        match (&mut self.reader).take(LINE_BYTES_MAX).read_until(b'\n', &mut self.line) {
            Ok(_) => {
                let line = std::mem::take(&mut self.line);
                String::from_utf8(line).map(Some).map_err(|e| self.client.strange(e))
            }
            Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted) => {
                Ok(None)
            }
            Err(e) => Err(Error::io("read from", format!("the server at {}", self.client.address), e)),
        }
    }
}
