//! A query that computes for ever ends when nobody wants it any more: by a cancel request, a timeout, or a client that goes,
//! at every door and in both dialects. That it has ended is seen by the threads of the server, which are idle again.

use std::io::Write;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::server::{LIMIT, Server};
use crate::wire::Wire;

/// Ticks are hundredths of a second.
const WINDOW: Duration = Duration::from_secs(1);
const BUSY_TICKS: u64 = 5;

/// None of them ends by itself; each keeps its core busy in another operator.
const FOR_EVER: [&str; 4] = [
    "SELECT COUNT(*) FROM generate_series(1, 1000000) AS a (i), generate_series(1, 1000000) AS b (j), generate_series(1, 1000000) AS c (k)",
    "SELECT SUM(a.i * b.j) FROM generate_series(1, 300000) AS a (i) JOIN generate_series(1, 300000) AS b (j) ON a.i % 2 = b.j % 2 \
     JOIN generate_series(1, 300000) AS c (k) ON c.k % 2 = a.i % 2",
    "SELECT COUNT(*) FROM generate_series(1, 900000000000) AS a (i) WHERE i % 3 = 5",
    "SELECT n FROM endless_view",
];

/// The time that queries have computed for so far.
fn ticks(server: &Server) -> u64 {
    let mut sum = 0;
    for task in std::fs::read_dir(format!("/proc/{}/task", server.pid())).unwrap().flatten() {
        // A thread may end meanwhile.
        let Ok(line) = std::fs::read_to_string(task.path().join("stat")) else { continue };
        let (name, rest) = line.split_once('(').unwrap().1.rsplit_once(')').unwrap();
        let of = |field: usize| rest.split_whitespace().nth(field).unwrap().parse::<u64>().unwrap();
        if name.starts_with("arus-query") || name.starts_with("arus-door") {
            sum += of(11) + of(12);
        }
    }
    sum
}

/// It computes.
#[track_caller]
pub(crate) fn is_busy(server: &Server, what: &str) {
    let (start, until) = (ticks(server), Instant::now() + LIMIT);
    while ticks(server) < start + 2 * BUSY_TICKS {
        assert!(Instant::now() < until, "{what}: it does not even begin");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[track_caller]
fn comes_to_rest(server: &Server, what: &str) {
    let until = Instant::now() + LIMIT;
    loop {
        let before = ticks(server);
        std::thread::sleep(WINDOW);
        let used = ticks(server).saturating_sub(before);
        if used < BUSY_TICKS {
            return;
        }
        assert!(Instant::now() < until, "{what}: it goes on, {used} ticks in the last second");
    }
}

/// How a query is sent: by the simple protocol and by the extended one.
const PROTOCOLS: [fn(&mut Wire, &str); 2] = [|wire, sql| wire.query(sql), |wire, sql| wire.send(sql, &[])];

/// With tables that have no last row, or that nobody lives to see.
fn endless() -> Server {
    let server = Server::start();
    server.sql("CREATE TABLE endless (n BIGINT) WITH ('connector' = 'datagen', 'rows-per-second' = '2000000000', 'number-of-rows' = '900000000000000')");
    server.sql("CREATE VIEW endless_view AS SELECT COUNT(*) AS n, MAX(n) AS most FROM endless");
    server
}

#[test]
fn a_cancel_request_stops_the_work() {
    let server = endless();
    for sql in FOR_EVER {
        for protocol in PROTOCOLS {
            let mut wire = Wire::open(&server);
            protocol(&mut wire, sql);
            is_busy(&server, sql);
            wire.cancel(&server);
            let error = wire.answer().expect_err("it was cancelled");
            assert!(error.contains("57014"), "{sql}: {error}");
            comes_to_rest(&server, sql);
            wire.send("SELECT 1", &[]);
            assert_eq!(wire.answer().unwrap(), [["1"]]);
        }
    }
    let copy = format!("COPY ({}) TO STDOUT", FOR_EVER[0]);
    let mut wire = Wire::open(&server);
    wire.query(&copy);
    is_busy(&server, &copy);
    wire.cancel(&server);
    assert!(wire.answer().expect_err("it was cancelled").contains("57014"));
    comes_to_rest(&server, &copy);
}

#[test]
fn a_timeout_stops_the_work() {
    let server = endless();
    let mut wire = Wire::open(&server);
    wire.query("SET statement_timeout = '700ms'");
    wire.answer().unwrap();
    for sql in FOR_EVER {
        for protocol in PROTOCOLS {
            protocol(&mut wire, sql);
            let error = wire.answer().expect_err("it takes too long");
            assert!(error.contains("57014") && error.contains("timeout"), "{sql}: {error}");
            comes_to_rest(&server, sql);
        }
    }
}

#[test]
fn a_client_that_goes_stops_the_work() {
    let server = endless();
    for sql in FOR_EVER {
        for protocol in PROTOCOLS {
            let mut wire = Wire::open(&server);
            protocol(&mut wire, sql);
            is_busy(&server, sql);
            drop(wire);
            comes_to_rest(&server, sql);
        }
    }
    let postgres = FOR_EVER.map(|sql| format!("SET 'arus.dialect' = 'postgresql'; {sql}"));
    let flink = ["SELECT n FROM endless_view", "SELECT COUNT(*) FROM endless", "SELECT n FROM endless WHERE n IS NULL"];
    for sql in postgres.into_iter().chain(flink.map(String::from)) {
        let mut socket = TcpStream::connect(("127.0.0.1", server.http)).unwrap();
        let body = serde_json::json!({"sql": sql}).to_string();
        let head = format!(
            "POST /v1/sql HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        socket.write_all(head.as_bytes()).and_then(|()| socket.write_all(body.as_bytes())).unwrap();
        is_busy(&server, &sql);
        drop(socket);
        comes_to_rest(&server, &sql);
    }
}

#[test]
fn queries_that_compute_keep_no_door_waiting() {
    let server = endless();
    let long: Vec<Wire> = (0..6)
        .map(|_| {
            let mut wire = Wire::open(&server);
            wire.query(FOR_EVER[0]);
            wire
        })
        .collect();
    is_busy(&server, FOR_EVER[0]);
    for _ in 0..5 {
        assert_eq!(server.get("/healthz").body, "ok\n");
        assert_eq!(server.sql("SELECT 1").trim(), "1");
    }
    drop(long);
    comes_to_rest(&server, FOR_EVER[0]);
}
