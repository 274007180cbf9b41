//! The Postgres wire as drivers speak it: the extended protocol, over a bare socket.

use std::io::{Read, Write};
use std::net::TcpStream;

use crate::server::{LIMIT, Server};

pub(crate) struct Wire {
    socket: TcpStream,
    /// Process and secret, which a cancel request gives back.
    key: Vec<u8>,
}

impl Wire {
    pub(crate) fn open(server: &Server) -> Wire {
        let mut socket = TcpStream::connect(("127.0.0.1", server.pg)).unwrap();
        socket.set_read_timeout(Some(LIMIT)).unwrap();
        let mut start = 196_608i32.to_be_bytes().to_vec();
        start.extend_from_slice(b"user\0arus\0database\0arus\0\0");
        socket.write_all(&framed(&start)).unwrap();
        let mut wire = Wire { socket, key: vec![] };
        loop {
            match wire.message() {
                (b'K', body) => wire.key = body,
                (b'Z', _) => return wire,
                (b'E', body) => panic!("{}", String::from_utf8_lossy(&body)),
                _ => {}
            }
        }
    }

    fn message(&mut self) -> (u8, Vec<u8>) {
        let mut head = [0; 5];
        self.socket.read_exact(&mut head).unwrap();
        let length = i32::from_be_bytes(head[1..].try_into().unwrap()) as usize;
        let mut body = vec![0; length - 4];
        self.socket.read_exact(&mut body).unwrap();
        (head[0], body)
    }

    /// Parse, Bind, Describe, Execute, Sync, with the parameters as text.
    pub(crate) fn send(&mut self, sql: &str, params: &[&str]) {
        let mut bind = b"\0\0\0\0".to_vec();
        bind.extend_from_slice(&(params.len() as u16).to_be_bytes());
        for param in params {
            bind.extend_from_slice(&(param.len() as u32).to_be_bytes());
            bind.extend_from_slice(param.as_bytes());
        }
        bind.extend_from_slice(b"\0\0");
        let parts: [(u8, Vec<u8>); 5] = [
            (b'P', [b"\0", sql.as_bytes(), b"\0\0\0"].concat()),
            (b'B', bind),
            (b'D', b"P\0".to_vec()),
            (b'E', b"\0\0\0\0\0".to_vec()),
            (b'S', vec![]),
        ];
        let bytes: Vec<u8> =
            parts.iter().flat_map(|(kind, body)| [&[*kind], framed(body).as_slice()].concat()).collect();
        self.socket.write_all(&bytes).unwrap();
    }

    /// The simple protocol.
    pub(crate) fn query(&mut self, sql: &str) {
        let body = framed(&[sql.as_bytes(), b"\0"].concat());
        self.socket.write_all(&[b"Q", body.as_slice()].concat()).unwrap();
    }

    /// Asks on a connection of its own that what this one does ends.
    pub(crate) fn cancel(&self, server: &Server) {
        let mut cancel = TcpStream::connect(("127.0.0.1", server.pg)).unwrap();
        let code = 80_877_102i32.to_be_bytes();
        cancel.write_all(&framed(&[&code, self.key.as_slice()].concat())).unwrap();
    }

    /// Everything up to ReadyForQuery: the fields of the rows as text, or the error's fields.
    pub(crate) fn answer(&mut self) -> Result<Vec<Vec<String>>, String> {
        let mut rows = vec![];
        let mut error = None;
        loop {
            match self.message() {
                (b'D', body) => rows.push(fields(&body)),
                (b'E', body) => error = Some(String::from_utf8_lossy(&body).replace('\0', " ")),
                (b'Z', _) => return error.map_or(Ok(rows), Err),
                _ => {}
            }
        }
    }
}

fn framed(body: &[u8]) -> Vec<u8> {
    [&(body.len() as u32 + 4).to_be_bytes(), body].concat()
}

fn fields(body: &[u8]) -> Vec<String> {
    let mut rest = &body[2..];
    let mut fields = vec![];
    while !rest.is_empty() {
        let length = i32::from_be_bytes(rest[..4].try_into().unwrap()).max(0) as usize;
        fields.push(String::from_utf8(rest[4..4 + length].to_vec()).unwrap());
        rest = &rest[4 + length..];
    }
    fields
}

#[test]
fn a_cancel_request_ends_an_extended_query() {
    let server = Server::start();
    server.sql("CREATE TABLE t (id INT, name STRING)");
    server.sql("INSERT INTO t VALUES (1, 'a'), (2, 'b')");
    let mut wire = Wire::open(&server);
    server.eventually("SELECT COUNT(*) FROM t", "2");
    wire.send("SELECT id, name FROM t WHERE id = $1", &["2"]);
    assert_eq!(wire.answer().unwrap(), [["2", "b"]]);
    for (long, has_rows) in [
        ("SELECT SUM(value % 7) FROM generate_series(1, 100000000000)", false),
        ("SELECT value FROM generate_series(1, 100000000000)", true),
    ] {
        wire.send(long, &[]);
        // A cancel request that comes before the query cancels nothing.
        match has_rows {
            true => while wire.message().0 != b'D' {},
            false => crate::stops::is_busy(&server, long),
        }
        wire.cancel(&server);
        let error = wire.answer().expect_err("it was cancelled");
        assert!(error.contains("57014") && error.contains("cancel"), "{error}");
        // The connection goes on.
        wire.send("SELECT COUNT(*) FROM t", &[]);
        assert_eq!(wire.answer().unwrap(), [["2"]]);
    }
    // A wrong secret cancels nothing.
    let mut other = wire.key.clone();
    *other.last_mut().unwrap() ^= 1;
    wire.send("SELECT COUNT(*) FROM generate_series(1, 30000000)", &[]);
    let mut cancel = TcpStream::connect(("127.0.0.1", server.pg)).unwrap();
    cancel.write_all(&framed(&[&80_877_102i32.to_be_bytes(), other.as_slice()].concat())).unwrap();
    assert_eq!(wire.answer().unwrap(), [["30000000"]]);
}
