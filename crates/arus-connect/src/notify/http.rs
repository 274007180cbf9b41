//! A webhook: one POST of a JSON document, one answer.

use arus_core::limits::NOTIFY_ANSWER_BYTES;
use arus_core::{Error, Result};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::Message;
use super::wire::BoxWire;

/// What of it is shown.
const SHOWN: usize = 200;

pub(super) fn basic(login: &str) -> String {
    format!("Basic {}", STANDARD.encode(login))
}

pub(super) async fn post(
    mut wire: BoxWire,
    (host, port): (&str, u16),
    path: &str,
    authorization: Option<&str>,
    message: &Message<'_>,
) -> Result<()> {
    let host = if host.contains(':') { format!("[{host}]") } else { host.to_string() };
    let authorization = authorization.map(|value| format!("Authorization: {value}\r\n")).unwrap_or_default();
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: {host}:{port}\r\nUser-Agent: arus/{}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\nIdempotency-Key: {}\r\n{authorization}Connection: close\r\n\r\n",
        env!("CARGO_PKG_VERSION"),
        message.json.len(),
        message.id
    );
    let failed = |e: std::io::Error| Error::external(format!("the connection broke off: {e}"));
    wire.write_all(head.as_bytes()).await.map_err(failed)?;
    wire.write_all(message.json.as_bytes()).await.map_err(failed)?;
    wire.flush().await.map_err(failed)?;
    let mut answer = vec![];
    let mut buffer = [0; 1024];
    // Up to the end of the head; what follows is looked at where it came with it.
    while answer.len() < NOTIFY_ANSWER_BYTES && !answer.windows(4).any(|w| w == b"\r\n\r\n") {
        match wire.read(&mut buffer).await {
            Ok(0) => break,
            Ok(n) => answer.extend_from_slice(&buffer[..n]),
            Err(e) if answer.is_empty() => return Err(failed(e)),
            Err(_) => break,
        }
    }
    let answer = String::from_utf8_lossy(&answer);
    let status = status(&answer).ok_or_else(|| Error::external("the answer is no HTTP"))?;
    if (200..300).contains(&status) {
        return Ok(());
    }
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body.trim());
    let shown: String = body.chars().filter(|c| !c.is_control()).take(SHOWN).collect();
    let what = match status {
        300..400 => "a redirect, which is not followed".to_string(),
        _ => shown,
    };
    Err(Error::external(format!("answered {status}{}{what}", if what.is_empty() { "" } else { ": " })))
}

/// `HTTP/1.1 204 No Content`
fn status(answer: &str) -> Option<u16> {
    answer.strip_prefix("HTTP/1.")?.split_whitespace().nth(1)?.parse().ok()
}
