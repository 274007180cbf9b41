//! Three times the load that the server can take: it refuses what is too much, at once, and what it accepts it keeps, about as
//! fast as before. Clients that are idle, too many, or never read harm nobody else.
//!
//! `ARUS_OVERLOAD_SECONDS` makes the load last (`make soak`: a minute).

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::time::{Duration, Instant};

use crate::http::request;
use crate::kafka_wire::Wire;
use crate::server::{LIMIT as PATIENCE, Server, wait_until};

const ROWS: usize = 200;
const CLIENTS: usize = 48;
/// Requests a second that a short run takes at most: any machine can send more.
const LIMIT: usize = 40;
/// The budget that the server is started with.
const BUDGET: u64 = 1 << 30;

/// A line of /proc/PID/status in bytes.
pub(crate) fn memory(pid: u32, what: &str) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = text.lines().find(|l| l.starts_with(what)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() << 10
}

/// What a client saw in a phase.
#[derive(Default)]
struct Seen {
    accepted: Vec<(u64, Duration)>,
    refused: Vec<u64>,
    /// Sent, and no answer came.
    unknown: Vec<u64>,
}

impl Seen {
    fn p99(&self) -> Duration {
        let mut all: Vec<Duration> = self.accepted.iter().map(|a| a.1).collect();
        all.sort_unstable();
        all.get(all.len() * 99 / 100).copied().unwrap_or_default()
    }

    fn add(&mut self, other: Seen) {
        self.accepted.extend(other.accepted);
        self.refused.extend(other.refused);
        self.unknown.extend(other.unknown);
    }
}

/// What is sent: a head, and rows in which the request's number is filled in.
struct Template {
    bytes: Vec<u8>,
    places: Vec<usize>,
}

const DIGITS: usize = 9;

impl Template {
    fn new() -> Template {
        let row = |row: usize| {
            let filler = "abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwxyz";
            format!("{{\"request\":{:1$},\"row\":{row},\"k\":{2},\"filler\":\"{filler}\"}}\n", "", DIGITS, row % 10)
        };
        let body: String = (0..ROWS).map(row).collect();
        let head = format!(
            "POST /v1/tables/load/rows HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-ndjson\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        let text = head + &body;
        let places = text.match_indices("\"request\":").map(|(at, found)| at + found.len()).collect();
        Template { bytes: text.into_bytes(), places }
    }

    /// Posts the rows of request `n` by a keep-alive connection; the status.
    fn post(&mut self, socket: &mut TcpStream, n: u64) -> std::io::Result<u16> {
        let number = format!("{n:>DIGITS$}");
        for at in &self.places {
            self.bytes[*at..at + DIGITS].copy_from_slice(number.as_bytes());
        }
        socket.write_all(&self.bytes)?;
        status(socket)
    }
}

/// Reads one whole answer.
fn status(socket: &mut TcpStream) -> std::io::Result<u16> {
    let mut answer = vec![];
    let mut piece = [0; 4_096];
    loop {
        let read = socket.read(&mut piece)?;
        if read == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        answer.extend_from_slice(&piece[..read]);
        let Some(end) = answer.windows(4).position(|w| w == b"\r\n\r\n") else { continue };
        let head = String::from_utf8_lossy(&answer[..end]).to_ascii_lowercase();
        let length = head.lines().find_map(|l| l.strip_prefix("content-length: ")?.parse::<usize>().ok());
        if answer.len() >= end + 4 + length.unwrap_or(0) {
            let status = head.split_whitespace().nth(1).unwrap().parse().unwrap();
            if status == 429 {
                assert!(head.contains("retry-after: "), "{head}");
            }
            return Ok(status);
        }
    }
}

/// Posts from `clients` connections for some time: as many a second as asked for in all, or as many as there can be.
fn load(port: u16, clients: usize, rate: Option<f64>, time: Duration, next: &AtomicU64) -> Seen {
    let until = Instant::now() + time;
    let run = |client: usize| {
        let mut seen = Seen::default();
        let mut template = Template::new();
        let pause = rate.map(|rate| Duration::from_secs_f64(clients as f64 / rate));
        let mut due = Instant::now() + pause.unwrap_or_default().mul_f64(client as f64 / clients as f64);
        let mut socket: Option<TcpStream> = None;
        while Instant::now() < until {
            if let Some(pause) = pause {
                std::thread::sleep(due.saturating_duration_since(Instant::now()));
                // What could not be sent in time is not sent later: the load is that of many clients.
                due = (due + pause).max(Instant::now());
            }
            let n = next.fetch_add(1, SeqCst);
            let began = Instant::now();
            let connected = socket.take().map_or_else(|| TcpStream::connect(("127.0.0.1", port)), Ok);
            let Ok(mut open) = connected else { continue };
            open.set_nodelay(true).unwrap();
            open.set_read_timeout(Some(PATIENCE)).unwrap();
            match template.post(&mut open, n) {
                Ok(200) => seen.accepted.push((n, began.elapsed())),
                Ok(429) => {
                    seen.refused.push(n);
                    if rate.is_none() {
                        std::thread::sleep(Duration::from_millis(10));
                    }
                }
                Ok(status) => panic!("status {status}"),
                Err(_) => {
                    seen.unknown.push(n);
                    continue;
                }
            }
            socket = Some(open);
        }
        seen
    };
    let mut all = Seen::default();
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..clients).map(|client| scope.spawn(move || run(client))).collect();
        threads.into_iter().for_each(|t| all.add(t.join().unwrap()));
    });
    all
}

#[test]
fn three_times_too_much_is_refused_and_loses_nothing() {
    let seconds = std::env::var("ARUS_OVERLOAD_SECONDS").ok().and_then(|s| s.parse().ok()).unwrap_or(4);
    let time = Duration::from_secs(seconds);
    // A long run finds out what the machine can do.
    let limit = (seconds < 60).then(|| (LIMIT * ROWS).to_string());
    let mut flags = vec!["--memory", "1g"];
    flags.extend(limit.iter().flat_map(|rate| ["--ingest-rate", rate]));
    let server = Server::start_with(&flags);
    server.sql("CREATE TABLE load (request BIGINT, `row` INT, k INT, filler STRING)");
    server.sql("CREATE MATERIALIZED TABLE by_k AS SELECT k, COUNT(*) AS n FROM load GROUP BY k");
    let next = AtomicU64::new(0);
    let mut all = Seen::default();
    all.add(load(server.http, CLIENTS, None, Duration::from_secs(1), &next));
    let most = load(server.http, CLIENTS, None, Duration::from_secs(2), &next);
    let most_rate = limit.as_ref().map_or(most.accepted.len() as f64 / 2.0, |_| LIMIT as f64);
    all.add(most);
    // What is ahead of the limit is paid for before the usual load comes.
    std::thread::sleep(Duration::from_millis(if limit.is_some() { 1_500 } else { 0 }));
    let sustainable = most_rate * 0.5;
    let usual = load(server.http, CLIENTS, Some(sustainable), time, &next);
    let (usual_p99, usual_refused) = (usual.p99(), usual.refused.len());
    let usual_accepted = usual.accepted.len();
    all.add(usual);
    let factor = if limit.is_some() { 6.0 } else { 3.0 };
    let too_much = load(server.http, CLIENTS, Some(factor * sustainable), time, &next);
    let p99 = too_much.p99();
    let (accepted, refused) = (too_much.accepted.len(), too_much.refused.len());
    // A machine that sends more than half as much again as may come is refused.
    let sent = accepted + refused + too_much.unknown.len();
    if limit.is_some() && sent > (LIMIT + LIMIT / 2) * seconds as usize {
        assert!(refused > 0, "{accepted} of {sent} requests were accepted");
    }
    all.add(too_much);
    let overload_ended = Instant::now();
    let peak = memory(server.pid(), "VmHWM");
    // Right again: what was accepted is counted, and the usual load is answered as before.
    let acknowledged = all.accepted.len() * ROWS;
    let counted = || -> usize { server.sql("SELECT COALESCE(SUM(n), 0) FROM by_k").trim().parse().unwrap() };
    while counted() < acknowledged {
        assert!(overload_ended.elapsed() < PATIENCE, "{} of {acknowledged}", counted());
        std::thread::sleep(Duration::from_millis(100));
    }
    let recovered = overload_ended.elapsed();
    let after = load(server.http, CLIENTS, Some(sustainable), Duration::from_secs(2), &next);
    let after_p99 = after.p99();
    all.add(after);
    eprintln!(
        "{:.0} requests of {ROWS} rows a second at most; at {sustainable:.0}: p99 {usual_p99:?}, {usual_accepted} accepted, \
         {usual_refused} refused; at three times that for {seconds} s: p99 {p99:?}, {accepted} accepted, {refused} refused; \
         counted after {recovered:?}; then p99 {after_p99:?}; peak {} MB",
        most_rate,
        peak >> 20
    );
    // Each acknowledged request is there with the next epoch, whole and once; a refused one is not.
    let acknowledged = all.accepted.len() * ROWS;
    wait_until("all are in an epoch", || counted() >= acknowledged);
    let found: BTreeMap<u64, usize> = server
        .sql("SELECT request, COUNT(*) FROM load GROUP BY request")
        .lines()
        .map(|l| l.split_once('|').unwrap())
        .map(|(n, count)| (n.parse().unwrap(), count.parse().unwrap()))
        .collect();
    for (n, _) in &all.accepted {
        assert_eq!(found.get(n), Some(&ROWS), "request {n} was acknowledged");
    }
    for n in &all.refused {
        assert_eq!(found.get(n), None, "request {n} was refused");
    }
    assert!(all.unknown.is_empty(), "{} requests got no answer", all.unknown.len());
    assert!(peak < BUDGET, "{} MB", peak >> 20);
    // Times are judged when the test runs alone and long enough to have a p99; among other tests they are theirs.
    if seconds >= 60 {
        assert!(p99 <= usual_p99 * 2, "p99 {p99:?} instead of {usual_p99:?}");
        assert!(after_p99 <= usual_p99 * 2, "p99 {after_p99:?} afterwards instead of {usual_p99:?}");
    }
}

/// Far beyond the limit, whatever the machine: the first rows are worth two minutes.
#[test]
fn above_the_ingest_rate_http_refuses_and_the_others_wait() {
    let mut server = Server::start_with(&["--ingest-rate", "25"]);
    server.sql("CREATE TABLE t (id BIGINT)");
    server.sql("CREATE MATERIALIZED TABLE n AS SELECT COUNT(*) AS n, COUNT(DISTINCT id) AS d FROM t");
    let body = |ids: std::ops::Range<u64>| -> String { ids.map(|id| format!("{{\"id\":{id}}}\n")).collect() };
    let post = |server: &Server, ids: std::ops::Range<u64>, key: &str| {
        let headers = [crate::http::NDJSON, ("Idempotency-Key", key)];
        server.post("/v1/tables/t/rows", &headers, body(ids).as_bytes())
    };
    assert_eq!(post(&server, 0..3_000, "first").status, 200);
    let refused: usize = std::thread::scope(|scope| {
        let client = |client: u64| {
            let server = &server;
            move || (0..5).filter(|n| post(server, 90_000..90_010, &format!("{client} {n}")).status == 429).count()
        };
        let clients: Vec<_> = (0..8).map(|n| scope.spawn(client(n))).collect();
        clients.into_iter().map(|c| c.join().unwrap()).sum()
    });
    assert_eq!(refused, 40, "all of them come within the two minutes");
    let answer = post(&server, 90_000..90_010, "again");
    assert!(answer.status == 429 && answer.error().contains("--ingest-rate"), "{}", answer.body);
    assert!(server.metric("arus_requests_refused_total") >= 41.0);
    // Those that are not refused wait a moment, each time.
    let began = Instant::now();
    server.sql("INSERT INTO t VALUES (3000)");
    assert!(began.elapsed() >= Duration::from_millis(900), "{:?}", began.elapsed());
    let run = server.kcat(&["-P", "-t", "t"], "{\"id\": 3001}\n");
    assert!(run.ok, "{}", run.stderr);
    // Every acknowledged row is there once, no refused one is, over a crash too.
    server.eventually("SELECT n, d FROM n", "3002|3002");
    server.kill();
    server.restart();
    server.eventually("SELECT n, d FROM n", "3002|3002");
    // A new start owes nothing: what was refused comes once.
    assert_eq!(post(&server, 3_002..3_012, "again").status, 200);
    wait_until("it is taken once more", || post(&server, 3_002..3_012, "again").status == 200);
    server.eventually("SELECT n, d FROM n", "3012|3012");
    server.eventually("SELECT MAX(id) FROM t", "3011");
}

/// Connections that have said hello, and nothing since.
fn idle(server: &Server, door: &str, n: usize) -> Vec<TcpStream> {
    let open = |_| match door {
        "http" => {
            let mut socket = TcpStream::connect(("127.0.0.1", server.http)).unwrap();
            socket.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
            read_until(&mut socket, b"ok\n");
            socket
        }
        "postgres" => {
            let mut socket = TcpStream::connect(("127.0.0.1", server.pg)).unwrap();
            let body = b"\0\x03\0\0user\0arus\0database\0arus\0\0";
            socket.write_all(&(body.len() as i32 + 4).to_be_bytes()).unwrap();
            socket.write_all(body).unwrap();
            read_until(&mut socket, b"Z\0\0\0\x05I");
            socket
        }
        _ => {
            let mut wire = Wire::connect(server.kafka);
            assert!(!wire.ask(18, 0, b"").is_empty());
            wire.socket
        }
    };
    (0..n).map(open).collect()
}

fn read_until(socket: &mut TcpStream, end: &[u8]) {
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut answer = vec![];
    while !answer.ends_with(end) {
        let mut piece = [0; 4_096];
        let n = socket.read(&mut piece).unwrap();
        assert!(n > 0, "ended after {:?}", answer.escape_ascii().to_string());
        answer.extend_from_slice(&piece[..n]);
    }
}

#[test]
fn a_thousand_idle_connections_of_each_door_cost_little() {
    let files = arus_storage::raise_open_files().unwrap();
    let n = 1_000.min(files.saturating_sub(300) / 3);
    let server = Server::start();
    server.sql("CREATE TABLE t (id INT, name STRING)");
    server.rows("t", r#"{"id": 1, "name": "a"}"#);
    server.eventually("SELECT id FROM t", "1");
    drop([idle(&server, "http", 5), idle(&server, "postgres", 5), idle(&server, "kafka", 5)]);
    let mut held = vec![];
    for door in ["http", "postgres", "kafka"] {
        let before = memory(server.pid(), "VmRSS");
        held.push(idle(&server, door, n));
        let grown = memory(server.pid(), "VmRSS").saturating_sub(before);
        eprintln!("{n} of {door}: {} kB each", grown / n as u64 / 1024);
        assert!(grown < n as u64 * (64 << 10), "{door}: {} kB a connection", grown / n as u64 / 1024);
    }
    // Others are served as ever.
    server.rows("t", r#"{"id": 2, "name": "b"}"#);
    let run = server.kcat(&["-P", "-t", "t"], "{\"id\":3}\n");
    assert!(run.ok, "{}", run.stderr);
    server.eventually("SELECT COUNT(*) FROM t", "3");
    // None of them was let go.
    for socket in held.iter_mut().map(|sockets| sockets.last_mut().unwrap()) {
        socket.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
        let kind = socket.read(&mut [0; 16]).map_err(|e| e.kind());
        assert!(
            matches!(kind, Err(std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut)),
            "a connection ended: {kind:?}"
        );
    }
}

#[test]
fn connections_over_the_limit_are_told() {
    let folder = tempfile::tempdir().unwrap();
    // 512 files are reserved, each door gets a quarter of the others.
    let server = Server::start_limited(&folder.path().join("data"), "ulimit -n 600");
    let limit = (600 - 512) / 4;
    let held = idle(&server, "http", limit);
    let answer = request(server.http, "GET", "/healthz", &[], b"").unwrap();
    assert_eq!(answer.status, 503, "{}", answer.body);
    assert!(answer.error().contains(&format!("too many connections: the http door takes {limit}")), "{}", answer.body);
    drop(held);
    wait_until("HTTP is open again", || {
        request(server.http, "GET", "/healthz", &[], b"").is_ok_and(|a| a.status == 200)
    });

    let held = idle(&server, "postgres", limit);
    let said = server.sql_error("SELECT 1");
    assert!(said.contains(&format!("FATAL:  too many connections: the postgres door takes {limit}")), "{said}");
    drop(held);
    server.eventually("SELECT 1", "1");

    // Kafka has no word for it: the connection ends.
    let held = idle(&server, "kafka", limit);
    let mut one_more = TcpStream::connect(("127.0.0.1", server.kafka)).unwrap();
    one_more.set_read_timeout(Some(PATIENCE)).unwrap();
    assert!(matches!(one_more.read(&mut [0; 1]), Ok(0) | Err(_)));
    drop(held);
    wait_until("Kafka is open again", || server.kcat(&["-L"], "").ok);
}

#[test]
fn clients_that_never_read_harm_nobody() {
    let server = Server::start();
    server.sql("CREATE TABLE t (id BIGINT, k INT, filler STRING)");
    server.sql("CREATE TABLE keyed (id BIGINT, filler STRING, PRIMARY KEY (id) NOT ENFORCED)");
    server.sql("CREATE MATERIALIZED TABLE by_k AS SELECT k, COUNT(*) AS n FROM t GROUP BY k");
    let mut id = 0;
    let mut post = |rows: usize| {
        let line = |id: usize| format!("{{\"id\":{id},\"k\":{},\"filler\":\"{}\"}}\n", id % 3, "x".repeat(200));
        let body: String = (id..id + rows).map(line).collect();
        id += rows;
        for table in ["t", "keyed"] {
            let answer = server.post(&format!("/v1/tables/{table}/rows"), &[crate::http::NDJSON], body.as_bytes());
            assert_eq!(answer.status, 200, "{}", answer.body);
        }
        id
    };
    let mut total = 0;
    for _ in 0..10 {
        total = post(10_000);
    }
    server.eventually("SELECT SUM(n) FROM by_k", &total.to_string());
    let before = memory(server.pid(), "VmRSS");
    // Each asks for more than the sockets between hold, and takes nothing of it.
    let mut silent = vec![];
    for path in ["/v1/tables/t/changes", "/v1/tables/keyed/changes"] {
        for _ in 0..5 {
            let mut socket = TcpStream::connect(("127.0.0.1", server.http)).unwrap();
            write!(socket, "GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
            silent.push(socket);
        }
    }
    for sql in ["SELECT * FROM t", "SELECT * FROM keyed"] {
        let body = serde_json::json!({"sql": sql}).to_string();
        let mut socket = TcpStream::connect(("127.0.0.1", server.http)).unwrap();
        let head = "POST /v1/sql HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: ";
        write!(socket, "{head}{}\r\n\r\n{body}", body.len()).unwrap();
        silent.push(socket);
        let mut session = idle(&server, "postgres", 1).remove(0);
        let text = [b"Q".as_slice(), &(sql.len() as i32 + 5).to_be_bytes(), sql.as_bytes(), b"\0"].concat();
        session.write_all(&text).unwrap();
        silent.push(session);
        let mut session = idle(&server, "postgres", 1).remove(0);
        let parse = [b"\0", sql.as_bytes(), b"\0\0\0"].concat();
        let messages: [(u8, &[u8]); 4] = [(b'P', &parse), (b'B', &[0; 8]), (b'E', &[0; 5]), (b'S', &[])];
        for (tag, body) in messages {
            let length = (body.len() as i32 + 4).to_be_bytes();
            session.write_all(&[&[tag][..], &length, body].concat()).unwrap();
        }
        silent.push(session);
    }
    let epoch = server.metric("arus_epoch");
    let stop = AtomicBool::new(false);
    let slowest = std::thread::scope(|scope| {
        let others = scope.spawn(|| {
            let mut slowest = Duration::ZERO;
            while !stop.load(SeqCst) {
                let began = Instant::now();
                assert_eq!(server.get("/readyz").status, 200);
                server.sql("SELECT COUNT(*) FROM by_k");
                slowest = slowest.max(began.elapsed());
            }
            slowest
        });
        let began = Instant::now();
        for round in 0.. {
            total = post(500);
            std::thread::sleep(Duration::from_millis(50));
            let enough = round >= 20 && server.metric("arus_epoch") - epoch >= 5.0;
            if enough || began.elapsed() > PATIENCE / 3 {
                break;
            }
        }
        stop.store(true, SeqCst);
        others.join().unwrap()
    });
    let epochs = server.metric("arus_epoch") - epoch;
    assert!(epochs >= 5.0, "{epochs} epochs");
    server.eventually("SELECT SUM(n) FROM by_k", &total.to_string());
    let grown = memory(server.pid(), "VmRSS").saturating_sub(before);
    eprintln!("{epochs} epochs, slowest other {slowest:?}, {} MB more", grown >> 20);
    assert!(slowest < PATIENCE, "{slowest:?}");
    assert!(grown < 400 << 20, "{} MB", grown >> 20);
    drop(silent);
}
