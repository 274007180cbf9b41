//! URLs, and talks with a small webhook and a small mail server.

use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;

use arus_core::connector::HostPolicy;
use arus_core::error::Code;
use arus_core::fs::SharedFs;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::wire::{BoxWire, Wire};
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
}

/// Anybody may be reached; `authorities` in place of the machine's.
async fn send(target: &Target, authorities: Option<&Path>) -> Result<()> {
    let outside = Outside { hosts: &HostPolicy::Unrestricted, fs: &disk(), authorities };
    target.send(&message(), outside).await
}

/// Answers one request with this; what was asked.
async fn answer_once(mut socket: impl Wire, answer: &'static str) -> String {
    let mut asked = vec![];
    let mut buffer = [0; 1024];
    while !String::from_utf8_lossy(&asked).ends_with(r#"{"id":"ab-7"}"#) {
        let n = socket.read(&mut buffer).await.expect("is read");
        assert!(n > 0, "it ended early");
        asked.extend_from_slice(&buffer[..n]);
    }
    socket.write_all(answer.as_bytes()).await.expect("is written");
    socket.flush().await.expect("is sent");
    String::from_utf8_lossy(&asked).into_owned()
}

async fn listener() -> (TcpListener, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    (listener, port)
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
            let (listener, port) = listener().await;
            let target = Target::parse(&format!("http://me:pw@127.0.0.1:{port}/hook?x=1")).expect("is right");
            let server = async { answer_once(listener.accept().await.expect("somebody comes").0, answer).await };
            let (sent, asked) = tokio::join!(send(&target, None), server);
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

/// Talks as a mail server does, and becomes another wire at STARTTLS; the lines that were said.
async fn mail_server(wire: BoxWire, tls: Option<TlsAcceptor>) -> Vec<String> {
    let mut talk = BufReader::new(wire);
    talk.write_all(b"220 hello\r\n").await.expect("is written");
    let (mut lines, mut data, mut secured) = (vec![], false, false);
    loop {
        let mut line = String::new();
        // Who has said QUIT goes without another word, of TLS too.
        if talk.read_line(&mut line).await.unwrap_or(0) == 0 {
            return lines;
        }
        let line = line.trim_end().to_string();
        let answer = match line.split([' ', ':']).next().unwrap_or_default() {
            _ if data && line != "." => "",
            "." => "250 taken\r\n",
            "EHLO" if tls.is_some() && !secured => "250-here\r\n250 STARTTLS\r\n",
            "EHLO" => "250-here\r\n250 AUTH PLAIN\r\n",
            "STARTTLS" => "220 go on\r\n",
            "AUTH" => "235 known\r\n",
            "DATA" => "354 go on\r\n",
            "QUIT" => "221 bye\r\n",
            _ => "250 ok\r\n",
        };
        data = (data || line == "DATA") && line != ".";
        talk.write_all(answer.as_bytes()).await.expect("is written");
        talk.flush().await.expect("is sent");
        if let ("STARTTLS", Some(tls)) = (line.as_str(), &tls) {
            // Who does not trust the certificate goes.
            let Ok(stream) = tls.accept(talk.into_inner()).await else { return lines };
            talk = BufReader::new(Box::new(stream) as BoxWire);
            secured = true;
        }
        lines.push(line);
    }
}

#[test]
fn a_mail_is_handed_over() {
    run(async {
        let (listener, port) = listener().await;
        let url = format!("smtp://u:p@127.0.0.1:{port}?from=arus@example.com&to=a@example.com&to=b@example.com");
        let target = Target::parse(&url).expect("is right");
        let server = async { mail_server(Box::new(listener.accept().await.expect("somebody comes").0), None).await };
        let (sent, lines) = tokio::join!(send(&target, None), server);
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

/// An authority, and a certificate for 127.0.0.1 that it has signed.
struct Authority {
    folder: tempfile::TempDir,
}

impl Authority {
    fn new() -> Self {
        let authority = Authority { folder: tempfile::tempdir().expect("a folder") };
        let key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"];
        let own = ["req", "-x509", "-subj", "/CN=authority", "-keyout", "ca.key", "-out", "ca.pem"];
        authority.openssl(&[&own[..], &key].concat());
        let signed =
            ["req", "-x509", "-subj", "/CN=hook", "-CA", "ca.pem", "-CAkey", "ca.key", "-keyout", "key", "-out"];
        let about = ["-addext", "subjectAltName=IP:127.0.0.1", "-addext", "basicConstraints=critical,CA:FALSE"];
        authority.openssl(&[&signed[..], &["cert"], &key, &about].concat());
        authority
    }

    fn openssl(&self, args: &[&str]) {
        let made = Command::new("openssl").args(args).current_dir(self.folder.path()).output().expect("openssl runs");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn acceptor(&self) -> TlsAcceptor {
        let certificate = CertificateDer::from_pem_file(self.file("cert")).expect("a certificate");
        let key = PrivateKeyDer::from_pem_file(self.file("key")).expect("a key");
        let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .and_then(|builder| builder.with_no_client_auth().with_single_cert(vec![certificate], key));
        TlsAcceptor::from(Arc::new(config.expect("they fit")))
    }
}

#[test]
fn a_certificate_is_of_an_authority_that_is_trusted() {
    let (ours, other) = (Authority::new(), Authority::new());
    let (trusted, foreign) = (ours.file("ca.pem"), other.file("ca.pem"));
    let nobody = ours.file("nothing.pem");
    let refused = [
        (foreign.as_path(), "the certificate of '127.0.0.1' is of no authority that this server trusts"),
        (nobody.as_path(), "no certificate authorities were found in"),
    ];
    run(async {
        // ---- a webhook
        for (authorities, why) in
            [(trusted.as_path(), None)].into_iter().chain(refused.map(|(ca, why)| (ca, Some(why))))
        {
            let (listener, port) = listener().await;
            let target = Target::parse(&format!("https://127.0.0.1:{port}/hook")).expect("is right");
            let server = async {
                let socket = listener.accept().await.expect("somebody comes").0;
                match ours.acceptor().accept(socket).await {
                    Ok(stream) => Some(answer_once(stream, "HTTP/1.1 204 No Content\r\n\r\n").await),
                    Err(_) => None,
                }
            };
            let (sent, asked) = tokio::join!(send(&target, Some(authorities)), server);
            match why {
                None => {
                    sent.expect("is sent");
                    assert!(asked.expect("it was asked").starts_with("POST /hook "));
                }
                Some(why) => {
                    let error = sent.expect_err("is refused");
                    assert!(error.message().contains(why), "{error}");
                    assert!(error.hint().is_some_and(|hint| hint.contains("SSL_CERT_FILE")), "{error}");
                    assert_eq!(asked, None, "nothing was said to a stranger");
                }
            }
        }
        // A name that the certificate is not for.
        let (strange, port) = listener().await;
        let target = Target::parse(&format!("https://localhost:{port}/hook")).expect("is right");
        let server = async { ours.acceptor().accept(strange.accept().await.expect("somebody comes").0).await.is_ok() };
        let (sent, _) = tokio::join!(send(&target, Some(&trusted)), server);
        let error = sent.expect_err("is refused").to_string();
        assert!(error.contains("not for the name 'localhost'"), "{error}");

        // ---- mail, with TLS from the first byte and from STARTTLS on
        for scheme in ["smtps", "smtp"] {
            for (authorities, why) in [(&trusted, None), (&foreign, Some("is of no authority"))] {
                let (listener, port) = listener().await;
                let url = format!("{scheme}://u:hush@127.0.0.1:{port}?from=arus@example.com&to=a@example.com");
                let target = Target::parse(&url).expect("is right");
                let server = async {
                    let socket = listener.accept().await.expect("somebody comes").0;
                    if scheme == "smtp" {
                        return mail_server(Box::new(socket), Some(ours.acceptor())).await;
                    }
                    match ours.acceptor().accept(socket).await {
                        Ok(stream) => mail_server(Box::new(stream), None).await,
                        Err(_) => vec![],
                    }
                };
                let (sent, lines) = tokio::join!(send(&target, Some(authorities)), server);
                let logged_in = lines.iter().any(|line| line.starts_with("AUTH PLAIN "));
                match why {
                    None => {
                        sent.expect("is sent");
                        assert!(logged_in && lines.contains(&"R3LDvMOfZQ==".to_string()), "{scheme}: {lines:#?}");
                    }
                    Some(why) => {
                        let error = sent.expect_err("is refused").to_string();
                        assert!(error.contains(why), "{scheme}: {error}");
                        assert!(!logged_in, "{scheme}: no password for a stranger: {lines:#?}");
                    }
                }
            }
        }
    });
}
