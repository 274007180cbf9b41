//! URLs, and talks with a small webhook and a small mail server.

use std::sync::Arc;

use arus_core::connector::HostPolicy;
use arus_core::error::Code;
use arus_core::fs::SharedFs;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;

use super::*;

fn disk() -> SharedFs {
    Arc::new(arus_storage::DiskFs)
}

fn message() -> Message<'static> {
    Message { id: "ab-7", subject: "Karte", text: "Grüße", json: r#"{"id":"ab-7"}"#, now_ms: 1_795_000_000_000 }
}

fn run<T>(test: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(test)
}

#[test]
fn urls_are_read_and_refused() {
    for good in [
        "https://hooks.example.com/a?b=c",
        "http://127.0.0.1:9000",
        "https://user:p%40ss@[::1]:8443/x",
        "smtp://u:p@mail.example.com?from=a@b.c&to=d@e.f,g@h.i",
        "smtps://mail.example.com:4650/?from=a@b.c&to=d@e.f",
    ] {
        Target::parse(good).unwrap_or_else(|e| panic!("{good}: {e}"));
    }
    for bad in [
        "hooks.example.com",
        "ftp://a/b",
        "https://",
        "https://host:port/",
        "https://host/a b",
        "http://host/\r\nX: y",
        "smtp://mail.example.com",
        "smtp://mail.example.com?from=a@b.c",
        "smtp://mail.example.com?to=a@b.c",
        "smtp://mail.example.com?from=a@b.c&to=nobody",
        "smtp://mail.example.com?from=a@b.c%0d%0a&to=d@e.f",
        "smtp://user@mail.example.com?from=a@b.c&to=d@e.f",
    ] {
        let error = Target::parse(bad).err().unwrap_or_else(|| panic!("{bad} was taken"));
        assert_eq!(error.code(), Code::InvalidOption, "{bad}");
    }
    let secret = Target::parse("smtp://u:hush@?x").err().expect("it has no host").to_string();
    assert!(!secret.contains("hush"), "{secret}");
    let target = Target::parse("https://hooks.example.com/a").expect("is right");
    let error = target.check_allowed(&HostPolicy::Only(vec!["other.example.com".into()])).expect_err("not allowed");
    assert_eq!(error.code(), Code::PermissionDenied);
    assert_eq!(base64(b"a"), "YQ==");
    assert_eq!(base64(b"ab"), "YWI=");
    assert_eq!(base64(b"abc"), "YWJj");
}

/// Answers one request with this; what was asked.
async fn answer_once(listener: TcpListener, answer: &'static str) -> String {
    let (mut socket, _) = listener.accept().await.expect("somebody comes");
    let mut asked = vec![];
    let mut buffer = [0; 1024];
    while !String::from_utf8_lossy(&asked).ends_with(r#"{"id":"ab-7"}"#) {
        let n = socket.read(&mut buffer).await.expect("is read");
        assert!(n > 0, "it ended early");
        asked.extend_from_slice(&buffer[..n]);
    }
    socket.write_all(answer.as_bytes()).await.expect("is written");
    String::from_utf8_lossy(&asked).into_owned()
}

#[test]
fn a_webhook_gets_the_document_and_its_id() {
    run(async {
        for (answer, outcome) in [
            ("HTTP/1.1 204 No Content\r\n\r\n", Ok(())),
            ("HTTP/1.1 503 Busy\r\n\r\ncome again", Err("answered 503: come again")),
            ("HTTP/1.1 302 Found\r\nLocation: http://other/\r\n\r\n", Err("a redirect, which is not followed")),
            ("SSH-2.0\r\n\r\n", Err("is no HTTP")),
        ] {
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
            let port = listener.local_addr().expect("an address").port();
            let target = Target::parse(&format!("http://me:pw@127.0.0.1:{port}/hook?x=1")).expect("is right");
            let (message, fs) = (message(), disk());
            let (sent, asked) =
                tokio::join!(target.send(&message, &HostPolicy::Unrestricted, &fs), answer_once(listener, answer));
            match outcome {
                Ok(()) => sent.expect("is sent"),
                Err(part) => {
                    let error = sent.expect_err("is refused").to_string();
                    assert!(error.contains(part), "{error}");
                }
            }
            assert!(asked.starts_with("POST /hook?x=1 HTTP/1.1\r\n"), "{asked}");
            for header in ["Idempotency-Key: ab-7\r\n", "Authorization: Basic bWU6cHc=\r\n", "Content-Length: 13\r\n"] {
                assert!(asked.contains(header), "{asked}");
            }
        }
    });
}

#[test]
fn a_mail_is_handed_over() {
    run(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let url = format!("smtp://u:p@127.0.0.1:{port}?from=arus@example.com&to=a@example.com&to=b@example.com");
        let target = Target::parse(&url).expect("is right");
        let server = async {
            let (socket, _) = listener.accept().await.expect("somebody comes");
            let mut talk = BufReader::new(socket);
            talk.write_all(b"220 hello\r\n").await.expect("is written");
            let mut lines = vec![];
            let mut data = false;
            loop {
                let mut line = String::new();
                if talk.read_line(&mut line).await.expect("is read") == 0 {
                    return lines;
                }
                let line = line.trim_end().to_string();
                let answer = match line.split([' ', ':']).next().unwrap_or_default() {
                    _ if data && line != "." => "",
                    "." => "250 taken\r\n",
                    "EHLO" => "250-here\r\n250 AUTH PLAIN\r\n",
                    "AUTH" => "235 known\r\n",
                    "DATA" => "354 go on\r\n",
                    "QUIT" => "221 bye\r\n",
                    _ => "250 ok\r\n",
                };
                data = (data || line == "DATA") && line != ".";
                lines.push(line);
                talk.write_all(answer.as_bytes()).await.expect("is written");
            }
        };
        let (message, fs) = (message(), disk());
        let (sent, lines) = tokio::join!(target.send(&message, &HostPolicy::Unrestricted, &fs), server);
        sent.expect("is sent");
        for line in [
            "AUTH PLAIN AHUAcA==",
            "MAIL FROM:<arus@example.com>",
            "RCPT TO:<b@example.com>",
            "Date: Wed, 18 Nov 2026 11:06:40 +0000",
            "Message-ID: <ab-7@arus>",
            "R3LDvMOfZQ==",
        ] {
            assert!(lines.iter().any(|l| l == line), "{line} in {lines:#?}");
        }
    });
}
