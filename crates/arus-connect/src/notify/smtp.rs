//! E-mail: one message by SMTP, with STARTTLS where the server knows it.
//!
//! A password is only sent over TLS, or to this machine itself.

use arus_core::limits::{MAIL_LINE_BYTES, MAIL_LINES};
use arus_core::text::{Civil, DAYS, MONTHS};
use arus_core::{Error, Result};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::wire::{BoxWire, secured};
use super::{Message, Outside, decoded};

/// Base64 in the lines of a mail.
const BODY_COLUMNS: usize = 76;

/// Whom to write to, and as whom.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Mail {
    login: Option<(String, String)>,
    from: String,
    to: Vec<String>,
}

impl Mail {
    /// `user:password` and `?from=a@b&to=c@d&to=e@f`.
    pub(super) fn parse(login: Option<&str>, rest: &str) -> Result<Self, String> {
        let query = rest.trim_start_matches('/').strip_prefix('?').unwrap_or_default();
        let (mut from, mut to) = (None, vec![]);
        for pair in query.split('&').filter(|p| !p.is_empty()) {
            match pair.split_once('=') {
                Some(("from", value)) => from = Some(address(value)?),
                Some(("to", value)) => {
                    for one in value.split(',') {
                        to.push(address(one)?);
                    }
                }
                _ => return Err("from=.. and to=.. behind the ?".into()),
            }
        }
        if to.is_empty() {
            return Err("to=.. behind the ?".into());
        }
        let login = match login.map(|l| l.split_once(':').ok_or(l)) {
            None => None,
            Some(Ok((user, password))) => Some((decoded(user), decoded(password))),
            Some(Err(_)) => return Err("user:password@ before the host".into()),
        };
        let from = from.ok_or("from=.. behind the ?")?;
        Ok(Mail { login, from, to })
    }

    pub(super) async fn send(
        &self,
        wire: BoxWire,
        host: &str,
        message: &Message<'_>,
        outside: Outside<'_>,
    ) -> Result<()> {
        let local = matches!(host, "localhost" | "127.0.0.1" | "::1");
        let mut talk = Talk { wire, pending: vec![] };
        talk.expect(220).await?;
        let mut can = talk.hello().await?;
        let mut safe = local;
        if can.iter().any(|c| c.eq_ignore_ascii_case("STARTTLS")) {
            talk.say("STARTTLS", 220).await?;
            // What came before belongs to nobody.
            talk = Talk { wire: secured(talk.wire, host, outside).await?, pending: vec![] };
            can = talk.hello().await?;
            safe = true;
        }
        if let Some((user, password)) = &self.login {
            if !safe {
                return Err(Error::external("the server knows no STARTTLS, so that no password is sent")
                    .with_hint("use smtps://, or leave the user out of the URL"));
            }
            if !can.iter().any(|c| c.to_ascii_uppercase().starts_with("AUTH")) {
                return Err(Error::external("the server takes no login"));
            }
            talk.login(user, password).await?;
        }
        talk.say(&format!("MAIL FROM:<{}>", self.from), 250).await?;
        for to in &self.to {
            talk.say(&format!("RCPT TO:<{to}>"), 250).await?;
        }
        talk.say("DATA", 354).await?;
        talk.say(&format!("{}\r\n.", self.mail(message)), 250).await?;
        // It is taken: how the talk ends does not matter.
        if let Err(e) = talk.say("QUIT", 221).await {
            tracing::debug!("a mail server's farewell: {e}");
        }
        Ok(())
    }

    /// Head and body; the body is Base64, so that no line of it is a command and none is too long.
    fn mail(&self, message: &Message<'_>) -> String {
        let mut body = String::new();
        let encoded = STANDARD.encode(message.text);
        for line in encoded.as_bytes().chunks(BODY_COLUMNS) {
            body.push_str(&String::from_utf8_lossy(line));
            body.push_str("\r\n");
        }
        format!(
            "From: Arus <{}>\r\nTo: {}\r\nSubject: =?utf-8?B?{}?=\r\nDate: {}\r\nMessage-ID: <{}@arus>\r\n\
             MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n{}",
            self.from,
            self.to.join(", "),
            STANDARD.encode(message.subject),
            date(message.now_ms),
            message.id,
            body.trim_end()
        )
    }
}

/// An address, without anything that would end its line or its brackets.
fn address(text: &str) -> Result<String, String> {
    let text = decoded(text);
    let odd = |c: char| c.is_control() || c.is_whitespace() || matches!(c, '<' | '>' | ',' | ';');
    match text.split_once('@') {
        Some((user, host)) if !user.is_empty() && !host.is_empty() && !text.contains(odd) => Ok(text),
        _ => Err(format!("an address such as ops@example.com in place of '{text}'")),
    }
}

/// `Sun, 22 Nov 2026 04:00:00 +0000`
fn date(ms: i64) -> String {
    let at = Civil::from_units(ms, 3);
    let (year, month, day_of_month) = at.date();
    // 1970-01-01 was a Thursday.
    let day = &DAYS[(at.days + 4).rem_euclid(7) as usize][..3];
    let month = &MONTHS[(month.clamp(1, 12) - 1) as usize][..3];
    format!("{day}, {day_of_month} {month} {year} {:02}:{:02}:{:02} +0000", at.hour(), at.minute(), at.second())
}

struct Talk {
    wire: BoxWire,
    pending: Vec<u8>,
}

impl Talk {
    /// What the server can.
    async fn hello(&mut self) -> Result<Vec<String>> {
        self.write("EHLO arus").await?;
        self.expect(250).await
    }

    async fn login(&mut self, user: &str, password: &str) -> Result<()> {
        let plain = STANDARD.encode(format!("\0{user}\0{password}"));
        self.write(&format!("AUTH PLAIN {plain}")).await?;
        self.expect(235).await.map_err(|_| Error::external("the server refuses the login"))?;
        Ok(())
    }

    async fn say(&mut self, line: &str, code: u16) -> Result<()> {
        self.write(line).await?;
        self.expect(code).await.map(drop)
    }

    async fn write(&mut self, line: &str) -> Result<()> {
        let failed = |e: std::io::Error| Error::external(format!("the connection broke off: {e}"));
        self.wire.write_all(format!("{line}\r\n").as_bytes()).await.map_err(failed)?;
        self.wire.flush().await.map_err(failed)
    }

    /// The lines of an answer, which has to have this code.
    async fn expect(&mut self, code: u16) -> Result<Vec<String>> {
        let mut lines = vec![];
        loop {
            let line = self.line().await?;
            let found = line.get(..3).and_then(|digits| digits.parse::<u16>().ok());
            let found = found.ok_or_else(|| Error::external("the answer is no SMTP"))?;
            // 251: it forwards.
            if found != code && !(code == 250 && found == 251) {
                return Err(Error::external(format!("the mail server answered: {line}")));
            }
            lines.push(line.get(4..).unwrap_or_default().to_string());
            if line.as_bytes().get(3) != Some(&b'-') || lines.len() >= MAIL_LINES {
                return Ok(lines);
            }
        }
    }

    async fn line(&mut self) -> Result<String> {
        loop {
            if let Some(end) = self.pending.iter().position(|b| *b == b'\n') {
                let line: Vec<u8> = self.pending.drain(..=end).collect();
                return Ok(String::from_utf8_lossy(&line).trim_end().to_string());
            }
            if self.pending.len() > MAIL_LINE_BYTES {
                return Err(Error::external("the answer is no SMTP"));
            }
            let mut buffer = [0; 1024];
            match self.wire.read(&mut buffer).await {
                Ok(0) => return Err(Error::external("the mail server closed the connection")),
                Ok(n) => self.pending.extend_from_slice(&buffer[..n]),
                Err(e) => return Err(Error::external(format!("the connection broke off: {e}"))),
            }
        }
    }
}
