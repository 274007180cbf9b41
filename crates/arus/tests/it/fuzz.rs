//! Hostile bytes at every door: 10,000 mutated requests each, from one seed. The server answers or closes, never panics, never
//! hangs, holds no more memory than before, and goes on serving others.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use arus_core::rng::Rng;

use crate::http::JSON;
use crate::kafka_wire::{batch_of, frame, produce_body};
use crate::server::Server;

const REQUESTS: usize = 10_000;
const THREADS: usize = 4;
/// What the server may grow by, fragmentation included.
const GROWTH_BYTES: u64 = 256 << 20;
/// A client that has said all it wants to say gets its end within this.
const PATIENCE: Duration = Duration::from_secs(120);
/// After the beginning of an answer, which may be a live one.
const QUIET: Duration = Duration::from_millis(300);

/// Seeds for another run: `ARUS_FUZZ_SEED`, and `ARUS_FUZZ_REQUESTS` for a longer one.
fn number(name: &str, default: usize) -> usize {
    std::env::var(name).ok().and_then(|v| v.parse().ok()).unwrap_or(default)
}

/// One to four changes of the bytes: what breaks lengths, tags, texts and structure.
fn mutate(rng: &mut Rng, corpus: &[Vec<u8>]) -> Vec<u8> {
    let pick = |rng: &mut Rng| corpus[rng.below(corpus.len() as u64) as usize].clone();
    let mut bytes = pick(rng);
    for _ in 0..rng.below(5) {
        let len = bytes.len().max(1) as u64;
        let at = rng.below(len) as usize;
        let upto = (at + 1 + rng.below(16) as usize).min(bytes.len());
        match rng.below(8) {
            0 if !bytes.is_empty() => bytes[at] ^= 1 << rng.below(8),
            1 if !bytes.is_empty() => {
                bytes[at] = [0, 0xff, 0x7f, 0x80, b'"', b'{', b'\\', b'\n'][rng.below(8) as usize]
            }
            2 => drop(bytes.drain(at.min(bytes.len())..upto)),
            3 => bytes.truncate(at),
            4 => {
                let part: Vec<u8> = bytes[at.min(bytes.len())..upto].to_vec();
                let at = at.min(bytes.len());
                bytes.splice(at..at, part.repeat(1 + rng.below(20) as usize));
            }
            5 if bytes.len() >= at + 4 => {
                let extreme = [i32::MAX, i32::MIN, -1, 0, 1 << 20, 65_535][rng.below(6) as usize];
                bytes[at..at + 4].copy_from_slice(&extreme.to_be_bytes());
            }
            6 => {
                let noise: Vec<u8> = (0..rng.below(40)).map(|_| rng.next_u64() as u8).collect();
                let at = at.min(bytes.len());
                bytes.splice(at..at, noise);
            }
            7 => {
                let other = pick(rng);
                let from = rng.below(other.len().max(1) as u64) as usize;
                bytes.truncate(at);
                bytes.extend_from_slice(&other[from..]);
            }
            _ => {}
        }
    }
    bytes
}

/// Sends the bytes, says that there are no more, and reads to the end.
fn exchange(port: u16, bytes: &[u8]) -> Result<(), String> {
    let began = Instant::now();
    let mut socket = TcpStream::connect(("127.0.0.1", port)).map_err(|e| format!("connect: {e}"))?;
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket.set_write_timeout(Some(PATIENCE)).unwrap();
    // A server that has closed already is no fault.
    if socket.write_all(bytes).is_err() || socket.shutdown(Shutdown::Write).is_err() {
        return Ok(());
    }
    let mut answer = [0; 16 << 10];
    let mut answered = false;
    loop {
        match socket.read(&mut answer) {
            Ok(0) => return Ok(()),
            // A live answer has no end.
            Ok(_) if began.elapsed() > QUIET => return Ok(()),
            Ok(_) => {
                answered = true;
                socket.set_read_timeout(Some(QUIET)).unwrap();
            }
            Err(_) if answered => return Ok(()),
            Err(e) if matches!(e.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut) => {
                return Err("neither an answer nor an end".into());
            }
            Err(_) => return Ok(()),
        }
    }
}

fn resident(server: &Server) -> u64 {
    crate::overload::memory(server.pid(), "VmRSS")
}

/// Throws the requests from several threads; `make` gives the next one.
fn throw(server: &Server, port: u16, make: impl Fn(&mut Rng) -> Vec<u8> + Sync) {
    let (seed, requests) = (number("ARUS_FUZZ_SEED", 5) as u64, number("ARUS_FUZZ_REQUESTS", REQUESTS));
    // What first uses cost once belongs to no request.
    let mut warm = Rng::seeded(seed);
    for _ in 0..200 {
        exchange(port, &make(&mut warm)).unwrap();
    }
    let before = resident(server);
    let began = Instant::now();
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let make = &make;
            scope.spawn(move || {
                let mut rng = Rng::seeded(seed * 1_000 + thread as u64);
                for n in 0..requests / THREADS {
                    let bytes = make(&mut rng);
                    if let Err(e) = exchange(port, &bytes) {
                        let text: String = bytes.escape_ascii().to_string();
                        panic!("seed {seed}, thread {thread}, request {n}: {e}\n{text}");
                    }
                }
            });
        }
    });
    let grown = resident(server).saturating_sub(before);
    eprintln!("{requests} in {:.1} s, {} MB more", began.elapsed().as_secs_f64(), grown >> 20);
    assert!(grown < GROWTH_BYTES, "the server has grown by {} MB", grown >> 20);
    let said = server.stderr();
    assert!(!said.contains("panicked"), "{said}");
    // It serves as ever.
    server.rows("t", r#"{"id": 1, "name": "after"}"#);
    server.eventually("SELECT COUNT(*) FROM t WHERE name = 'after'", "1");
    let run = server.kcat(&["-L"], "");
    assert!(run.ok && run.stdout.contains("topic \"t\""), "{}{}", run.stdout, run.stderr);
}

fn server() -> Server {
    let server = Server::start();
    server.sql("CREATE TABLE t (id INT, name STRING)");
    server.sql("CREATE TABLE k (id INT, n BIGINT, PRIMARY KEY (id) NOT ENFORCED)");
    server.rows("t", r#"[{"id": 2, "name": "first"}, {"id": 3, "name": null}]"#);
    server
}

fn http_request(method: &str, path: &str, headers: &[&str], body: &str) -> Vec<u8> {
    let mut head = format!("{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n");
    headers.iter().for_each(|h| head.push_str(&format!("{h}\r\n")));
    if !body.is_empty() {
        head.push_str(&format!("Content-Length: {}\r\n", body.len()));
    }
    format!("{head}\r\n{body}").into_bytes()
}

#[test]
fn http_takes_hostile_bytes() {
    let server = server();
    let json = format!("{}: {}", JSON.0, JSON.1);
    let rows = r#"[{"id": 1, "name": "a\u00e9\ud83d\ude00"}, {"id": -2147483648, "name": "b", "more": {"x": [1, 2]}}]"#;
    let chunked = format!(
        "POST /v1/tables/t/rows HTTP/1.1\r\nHost: localhost\r\n{json}\r\nTransfer-Encoding: chunked\r\n\r\n9\r\n{{\"id\":17}}\r\n0\r\n\r\n"
    );
    let gzipped = {
        let body = crate::http::gzip(r#"{"id":5,"name":"packed"}"#);
        let head = format!(
            "POST /v1/tables/t/rows HTTP/1.1\r\nHost: localhost\r\n{json}\r\nContent-Encoding: gzip\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        [head.into_bytes(), body].concat()
    };
    let corpus = [
        http_request("POST", "/v1/tables/t/rows", &[&json], rows),
        http_request(
            "POST",
            "/v1/tables/k/rows",
            &[&json, "Idempotency-Key: one"],
            r#"{"id": 1, "n": 9223372036854775807}"#,
        ),
        http_request(
            "POST",
            "/v1/tables/t/rows",
            &["Content-Type: application/x-ndjson"],
            "{\"id\":1}\n{\"id\":2}\n\n{\"id\":\"x\"}\n",
        ),
        http_request("POST", "/v1/sql", &[&json], r#"{"sql":"SELECT id, UPPER(name) FROM t WHERE id > 1 -- c\n"}"#),
        http_request(
            "POST",
            "/v1/sql",
            &[&json],
            r#"{"sql":"SELECT name, COUNT(*) FROM t GROUP BY name","stream":true}"#,
        ),
        http_request(
            "POST",
            "/v1/sql",
            &[&json],
            r#"{"sql":"EXPLAIN SELECT CAST(name AS INT), `id` + 1.5E3 FROM t; SHOW TABLES","arrays":true}"#,
        ),
        http_request("POST", "/v1/complete", &[&json], r#"{"before":"SELECT * FR","after":""}"#),
        http_request(
            "POST",
            "/v1/console/query",
            &[&json],
            r#"{"sql":"SELECT * FROM t WHERE id > :from","params":{"from":1}}"#,
        ),
        http_request("GET", "/v1/tables/k/changes?from=1.2", &[], ""),
        http_request("GET", "/v1/console/tables/t/newest?limit=5", &["Origin: http://127.0.0.1"], ""),
        http_request("GET", "/metrics", &["Accept-Encoding: gzip", "Connection: close"], ""),
        http_request("GET", "/", &["If-None-Match: x"], ""),
        chunked.into_bytes(),
        gzipped,
    ];
    throw(&server, server.http, |rng| mutate(rng, &corpus));
}

fn pg(tag: u8, body: &[u8]) -> Vec<u8> {
    let mut out = vec![tag];
    out.extend_from_slice(&(body.len() as i32 + 4).to_be_bytes());
    out.extend_from_slice(body);
    out
}

fn pg_startup() -> Vec<u8> {
    let body = b"\0\x03\0\0user\0arus\0database\0arus\0application_name\0fuzz\0\0";
    [&(body.len() as i32 + 4).to_be_bytes()[..], body].concat()
}

#[test]
fn postgres_takes_hostile_bytes() {
    let server = server();
    let startup = pg_startup();
    let ssl = b"\0\0\0\x08\x04\xd2\x16\x2f".to_vec();
    let cancel = b"\0\0\0\x10\x04\xd2\x16\x2e\0\0\0\x01\0\0\0\x02".to_vec();
    let extended = |sql: &str, params: &[&[u8]]| {
        let mut bind = b"p\0s\0\0\0".to_vec();
        bind.extend_from_slice(&(params.len() as i16).to_be_bytes());
        for param in params {
            bind.extend_from_slice(&(param.len() as i32).to_be_bytes());
            bind.extend_from_slice(param);
        }
        bind.extend_from_slice(&[0, 0]);
        [
            pg(b'P', &[b"s\0", sql.as_bytes(), b"\0\0\0"].concat()),
            pg(b'B', &bind),
            pg(b'D', b"Pp\0"),
            pg(b'E', b"p\0\0\0\0\x05"),
            pg(b'C', b"Pp\0"),
            pg(b'S', b""),
        ]
        .concat()
    };
    let corpus = [
        pg(b'Q', b"SELECT id, name FROM t ORDER BY id\0"),
        pg(b'Q', b"BEGIN; SELECT count(*) FROM k; COMMIT\0"),
        pg(b'Q', b"INSERT INTO t VALUES (4, 'x')\0"),
        pg(b'Q', b"EXPLAIN SELECT * FROM t WHERE name LIKE '%a\\_' ESCAPE '\\'\0"),
        pg(b'Q', b"SET arus.dialect = 'flink'; SELECT MAP['a', 1], ARRAY[1, 2], DATE '2024-02-29' FROM t\0"),
        pg(b'Q', b"SHOW server_version; SELECT oid, relname FROM pg_catalog.pg_class\0"),
        extended("SELECT * FROM t WHERE id = $1", &[b"2"]),
        extended("SELECT $1::int8 + 1, $2::text", &[b"41", b"\xf0\x9f\x98\x80"]),
        [pg(b'H', b""), pg(b'd', b"copied"), pg(b'c', b""), pg(b'f', b"no\0"), pg(b'p', b"secret\0"), pg(b'X', b"")]
            .concat(),
    ];
    throw(&server, server.pg, |rng| {
        let mut bytes = match rng.below(12) {
            0 => ssl.clone(),
            1 => cancel.clone(),
            2 => return mutate(rng, &[startup.clone(), ssl.clone(), cancel.clone()]),
            _ => vec![],
        };
        bytes.extend_from_slice(&startup);
        for _ in 0..1 + rng.below(2) {
            bytes.extend(mutate(rng, &corpus));
        }
        bytes
    });
}

#[test]
fn kafka_takes_hostile_bytes() {
    let server = server();
    let batch = batch_of(-1, -1, -1, &[br#"{"id":1,"name":"k"}"#, b"not json", b""]);
    let idempotent = batch_of(9, 0, 0, &[br#"{"id":2}"#]);
    let topic = |name: &str| [&(name.len() as i16).to_be_bytes()[..], name.as_bytes()].concat();
    // Topics and their partitions: fetch from offset 0, at once.
    let fetch = [
        &b"\xff\xff\xff\xff\0\0\0\0\0\0\0\x01\0\0\x10\0\0\0\0\0\x01"[..],
        &topic("t"),
        b"\0\0\0\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\x10\0\0",
    ]
    .concat();
    let offsets =
        [&b"\xff\xff\xff\xff\0\0\0\x01"[..], &topic("t"), b"\0\0\0\x01\0\0\0\0\xff\xff\xff\xff\xff\xff\xff\xfe"]
            .concat();
    let corpus = [
        frame(1, 4, 4, &fetch),
        frame(1, 12, 4, &fetch),
        frame(18, 0, 1, b""),
        frame(18, 3, 1, b"\0\x05fuzz\x021\0"),
        frame(3, 1, 2, &[&b"\0\0\0\x01"[..], &topic("t")].concat()),
        frame(3, 4, 2, &[&b"\0\0\0\x01"[..], &topic("t"), b"\0"].concat()),
        frame(3, 12, 2, b"\0\x02\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x02t\0\0\0\0\0"),
        frame(0, 3, 3, &produce_body("t", -1, &batch)),
        frame(0, 7, 3, &produce_body("t", 1, &idempotent)),
        frame(0, 9, 3, &produce_body("t", -1, &batch)),
        frame(2, 1, 5, &offsets),
        frame(22, 0, 6, b"\xff\xff\0\0\x75\x30"),
        frame(22, 4, 6, b"\0\0\0\0\x75\x30\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\0"),
        frame(10, 2, 7, b"\0\x05group\0"),
    ];
    throw(&server, server.kafka, |rng| {
        let mut bytes = vec![];
        for left in (0..1 + rng.below(3)).rev() {
            // A consumer may wait long for news: only the last request does.
            let mut one = mutate(rng, if left > 0 { &corpus[2..] } else { &corpus });
            // Mostly the frame is whole, so that what is in it is looked at.
            if rng.below(4) != 0 && one.len() >= 4 {
                let length = (one.len() - 4) as i32;
                one[..4].copy_from_slice(&length.to_be_bytes());
            }
            bytes.extend(one);
        }
        bytes
    });
}
