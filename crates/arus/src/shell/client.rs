//! The shell's way to a server: `POST /v1/sql` over one connection a request, so that closing it cancels the statement.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::sync::Arc;

use arus_core::error::Location;
use arus_core::project::{ApplyReply, ApplyRequest};
use arus_core::{Error, Result};
use serde_json::{Value, json};

use super::reach::{Socket, Target};
use crate::args::{Connect, Flags};

/// How often the first line of a backup is looked for: its checkpoint may wait for another one.
const BACKUP_GLANCES: usize = 1_200;
/// How often a line of the answer to a project is looked for: pipelines stop and start, each with a checkpoint.
const APPLY_GLANCES: usize = 6_000;
/// A longer line is no answer of ours.
const LINE_BYTES_MAX: u64 = 64 << 20;

#[derive(Debug, Clone)]
pub(crate) struct Client(Arc<Target>);

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
    /// The server that the flags name.
    pub(crate) fn of(flags: &Flags, connect: &Connect) -> Result<Self> {
        Ok(Client(Arc::new(Target::of(flags, connect)?)))
    }

    /// A server of this process.
    pub(crate) fn local(address: SocketAddr) -> Self {
        Client(Arc::new(Target::local(address)))
    }

    /// As a message names it.
    pub(crate) fn place(&self) -> &Target {
        &self.0
    }

    /// Whether an Arus answers there; one that does not let this client in is an error.
    pub(crate) fn is_there(&self) -> Result<bool> {
        if self.0.open().is_err() {
            return Ok(false);
        }
        let health = self.request("GET", "/healthz", "")?.text()?;
        if health.lines().next() != Some("ok") {
            return Ok(false);
        }
        self.request("GET", "/v1/session", "")?.text()?;
        Ok(true)
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
            let value: Value = serde_json::from_str(&line).map_err(|e| self.strange(e))?;
            return match value["error"]["message"].as_str() {
                Some(message) => Err(Error::external(format!("the server at {} refuses: {message}", self.0))),
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
        let failed = |e| Error::io("reach", format!("the server at {}", self.0), e);
        let mut socket = self.0.secure(self.0.open().map_err(failed)?)?;
        let request = format!(
            "{method} {path} HTTP/1.0\r\nHost: {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n{}\r\n{body}",
            self.0.authority(),
            body.len(),
            self.0.login_header(),
        );
        socket.write_all(request.as_bytes()).and_then(|()| socket.flush()).map_err(failed)?;
        Ok(Answer { client: self.clone(), reader: BufReader::new(socket), head: Head::Status, line: vec![] })
    }

    fn strange(&self, what: impl std::fmt::Display) -> Error {
        Error::external(format!("the server at {} answers something else than Arus does: {what}", self.0))
    }
}

/// What comes next of an answer's head.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Head {
    Status,
    Fields,
    Over,
}

/// An answer that is being read. Dropping it cancels the statement.
pub(crate) struct Answer {
    client: Client,
    reader: BufReader<Socket>,
    head: Head,
    /// What has come of the next line.
    line: Vec<u8>,
}

impl Answer {
    /// The next line, or that there is none yet.
    pub(crate) fn next(&mut self) -> Result<Line> {
        let Some(text) = self.next_text()? else { return Ok(Line::Waiting) };
        if text.is_empty() {
            return Ok(Line::End);
        }
        let mut value: Value = serde_json::from_str(&text).map_err(|e| self.client.strange(e))?;
        Ok(match value.take() {
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
        })
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
                body.push_str(&line);
            }
        }
        Err(self.client.strange("nothing in five seconds"))
    }

    /// A line of the body with its end; empty at the end of the answer; `None`: it has not come yet.
    fn next_text(&mut self) -> Result<Option<String>> {
        loop {
            let Some(line) = self.read_line()? else { return Ok(None) };
            match self.head {
                Head::Over => return Ok(Some(line)),
                Head::Status => {
                    let mut words = line.split_whitespace();
                    if !words.next().is_some_and(|word| word.starts_with("HTTP/1.")) {
                        return Err(self.client.0.no_http());
                    }
                    if words.next() == Some("401") {
                        return Err(self.client.0.not_let_in());
                    }
                    self.head = Head::Fields;
                }
                Head::Fields if line.is_empty() => return Err(self.client.strange("half an answer")),
                Head::Fields if line.trim().is_empty() => self.head = Head::Over,
                Head::Fields => {}
            }
        }
    }

    /// A line with its end; empty at the end; `None`: it has not come yet.
    fn read_line(&mut self) -> Result<Option<String>> {
        match (&mut self.reader).take(LINE_BYTES_MAX).read_until(b'\n', &mut self.line) {
            Ok(_) => {
                let line = std::mem::take(&mut self.line);
                match String::from_utf8(line) {
                    Err(_) if self.head == Head::Status => Err(self.client.0.no_http()),
                    read => read.map(Some).map_err(|e| self.client.strange(e)),
                }
            }
            Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted) => {
                Ok(None)
            }
            // Without a word: it has expected something else than HTTP.
            Err(e) if self.head == Head::Status && e.kind() == ErrorKind::ConnectionReset => {
                Err(self.client.0.no_http())
            }
            Err(e) => Err(Error::io("read from", format!("the server at {}", self.client.0), e)),
        }
    }
}
