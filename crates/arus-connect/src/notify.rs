//! Who is told of an alert outside of the server: a webhook, or a mailbox by SMTP.
//!
//! A notification is sent once by each call; whoever calls tries again, with the same id. Nothing is followed elsewhere: a
//! redirect is a failure, so that an allowed host stays the only one that is reached.

mod http;
mod smtp;
mod wire;

use std::path::Path;
use std::time::Duration;

use arus_core::connector::HostPolicy;
use arus_core::error::Code;
use arus_core::fs::SharedFs;
use arus_core::limits::NOTIFY_MS;
use arus_core::{Error, Result};

const HTTP_PORT: u16 = 80;
const HTTPS_PORT: u16 = 443;
const SMTP_PORT: u16 = 587;
const SMTPS_PORT: u16 = 465;

/// Where notifications go, from a URL whose references are resolved.
#[derive(Clone, PartialEq, Eq)]
pub struct Target {
    host: String,
    port: u16,
    /// From the first byte on.
    tls: bool,
    way: Way,
}

#[derive(Clone, PartialEq, Eq)]
enum Way {
    /// `path` with its query; `authorization` from the user of the URL.
    Webhook {
        path: String,
        authorization: Option<String>,
    },
    Mail(smtp::Mail),
}

/// One notification.
#[derive(Debug, Clone)]
pub struct Message<'a> {
    /// The same for every attempt.
    pub id: &'a str,
    pub subject: &'a str,
    /// For people.
    pub text: &'a str,
    /// For programs: a JSON document.
    pub json: &'a str,
    pub now_ms: i64,
}

/// What a notification may use of the process.
#[derive(Clone, Copy)]
pub struct Outside<'a> {
    pub hosts: &'a HostPolicy,
    pub fs: &'a SharedFs,
    /// A file of certificate authorities in place of those that this machine trusts.
    pub authorities: Option<&'a Path>,
}

impl Target {
    /// `https://host/path`, `http://..`, `smtp://user:password@host:587?from=..&to=..`, `smtps://..`.
    pub fn parse(url: &str) -> Result<Self> {
        let wrong = |expected: &str| {
            let shown = arus_core::secret::shown("url", url);
            Error::user(format!("a notifier's URL: expected {expected}, found '{shown}'"))
                .with_code(Code::InvalidOption)
                .with_hint(
                    "write 'https://host/path', or 'smtp://user:password@host:587?from=arus@example.com&to=ops@example.com'",
                )
        };
        let url = url.trim();
        let plain = url.chars().all(|c| !c.is_control() && !c.is_whitespace());
        let (scheme, rest) = url.split_once("://").filter(|_| plain).ok_or_else(|| wrong("a URL"))?;
        let (place, rest) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        let rest = rest.split('#').next().unwrap_or_default();
        let (login, address) = match place.rsplit_once('@') {
            Some((login, address)) => (Some(login), address),
            None => (None, place),
        };
        let (mail, tls, default_port) = match scheme.to_ascii_lowercase().as_str() {
            "http" => (false, false, HTTP_PORT),
            "https" => (false, true, HTTPS_PORT),
            "smtp" => (true, false, SMTP_PORT),
            "smtps" => (true, true, SMTPS_PORT),
            _ => return Err(wrong("http, https, smtp or smtps")),
        };
        let (host, port) = match address.rsplit_once(':') {
            Some((host, port)) if !port.contains(']') => {
                (host, port.parse().map_err(|_| wrong("a port from 1 to 65535"))?)
            }
            _ => (address, default_port),
        };
        let host = host.trim_matches(['[', ']']).to_string();
        if host.is_empty() {
            return Err(wrong("a host"));
        }
        let way = if mail {
            Way::Mail(smtp::Mail::parse(login, rest).map_err(|e| wrong(&e))?)
        } else {
            let path = if rest.starts_with('/') { rest.to_string() } else { format!("/{rest}") };
            Way::Webhook { path, authorization: login.map(|login| http::basic(&decoded(login))) }
        };
        Ok(Target { host, port, tls, way })
    }

    pub fn check_allowed(&self, hosts: &HostPolicy) -> Result<()> {
        if hosts.allows(&self.host, self.port) {
            return Ok(());
        }
        let Target { host, port, .. } = self;
        Err(Error::user(format!("'{host}:{port}' is not an allowed address"))
            .with_code(Code::PermissionDenied)
            .with_hint(format!("start the server with --allow-host {host}")))
    }

    /// Sends once. It is there when this returns; after an error it may be there all the same.
    pub async fn send(&self, message: &Message<'_>, outside: Outside<'_>) -> Result<()> {
        self.check_allowed(outside.hosts)?;
        let sent = async {
            let wire = wire::connect(&self.host, self.port, self.tls, outside).await?;
            match &self.way {
                Way::Webhook { path, authorization } => {
                    http::post(wire, (&self.host, self.port), path, authorization.as_deref(), message).await
                }
                Way::Mail(mail) => mail.send(wire, &self.host, message, outside).await,
            }
        };
        match tokio::time::timeout(Duration::from_millis(NOTIFY_MS), sent).await {
            Ok(sent) => sent.map_err(|e| e.in_context(format!("{}:{}", self.host, self.port))),
            Err(_) => {
                let seconds = NOTIFY_MS / 1_000;
                Err(Error::external(format!("{}:{}: no answer for {seconds} s", self.host, self.port)))
            }
        }
    }
}

/// `%40` and the like as what they stand for.
fn decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = vec![];
    let mut at = 0;
    while at < bytes.len() {
        let hex = text.get(at + 1..at + 3).filter(|_| bytes[at] == b'%');
        match hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) => {
                out.push(byte);
                at += 3;
            }
            None => {
                out.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests;
