//! The Kafka protocol by hand: what no well-behaved client sends.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use arus_storage::log::BatchBuilder;

pub(crate) struct Wire {
    pub(crate) socket: TcpStream,
    correlation: i32,
}

impl Wire {
    pub(crate) fn connect(port: u16) -> Wire {
        let socket = TcpStream::connect(("127.0.0.1", port)).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        socket.set_nodelay(true).unwrap();
        Wire { socket, correlation: 0 }
    }

    pub(crate) fn send(&mut self, api: i16, version: i16, body: &[u8]) {
        self.correlation += 1;
        self.socket.write_all(&frame(api, version, self.correlation, body)).unwrap();
    }

    /// The answer's body after the correlation id; for versions without tagged fields.
    pub(crate) fn ask(&mut self, api: i16, version: i16, body: &[u8]) -> Vec<u8> {
        self.send(api, version, body);
        self.read()
    }

    pub(crate) fn read(&mut self) -> Vec<u8> {
        let mut length = [0; 4];
        self.socket.read_exact(&mut length).unwrap();
        let mut answer = vec![0; i32::from_be_bytes(length) as usize];
        self.socket.read_exact(&mut answer).unwrap();
        assert_eq!(answer[..4], self.correlation.to_be_bytes());
        answer.split_off(4)
    }

    pub(crate) fn send_produce(&mut self, topic: &str, acks: i16, batch: &[u8]) {
        self.send(0, 3, &produce_body(topic, acks, batch));
    }

    /// Produce to partition 0: the error code and the base offset.
    pub(crate) fn produce(&mut self, topic: &str, acks: i16, batch: &[u8]) -> (i16, i64) {
        self.send_produce(topic, acks, batch);
        let answer = self.read();
        // Topics, the name, partitions, the index.
        let at = 4 + 2 + topic.len() + 4 + 4;
        let code = i16::from_be_bytes(answer[at..at + 2].try_into().unwrap());
        (code, i64::from_be_bytes(answer[at + 2..at + 10].try_into().unwrap()))
    }
}

pub(crate) fn frame(api: i16, version: i16, correlation: i32, body: &[u8]) -> Vec<u8> {
    let mut out = vec![0; 4];
    out.extend_from_slice(&api.to_be_bytes());
    out.extend_from_slice(&version.to_be_bytes());
    out.extend_from_slice(&correlation.to_be_bytes());
    // No client id.
    out.extend_from_slice(&[0xff, 0xff]);
    out.extend_from_slice(body);
    let length = (out.len() - 4) as i32;
    out[..4].copy_from_slice(&length.to_be_bytes());
    out
}

pub(crate) fn produce_body(topic: &str, acks: i16, batch: &[u8]) -> Vec<u8> {
    let mut out = vec![0xff, 0xff];
    out.extend_from_slice(&acks.to_be_bytes());
    out.extend_from_slice(&5_000i32.to_be_bytes());
    out.extend_from_slice(&1i32.to_be_bytes());
    out.extend_from_slice(&(topic.len() as i16).to_be_bytes());
    out.extend_from_slice(topic.as_bytes());
    out.extend_from_slice(&1i32.to_be_bytes());
    out.extend_from_slice(&0i32.to_be_bytes());
    out.extend_from_slice(&(batch.len() as i32).to_be_bytes());
    out.extend_from_slice(batch);
    out
}

/// A batch of one record as an idempotent producer sends it.
pub(crate) fn batch(producer: i64, epoch: i16, sequence: i32, value: &str) -> Vec<u8> {
    batch_of(producer, epoch, sequence, &[value.as_bytes()])
}

pub(crate) fn batch_of(producer: i64, epoch: i16, sequence: i32, values: &[&[u8]]) -> Vec<u8> {
    let mut builder = BatchBuilder::new(1_700_000_000_000).of_producer(producer, epoch, sequence);
    values.iter().for_each(|value| builder.push(None, Some(value), &[], 1_700_000_000_000));
    builder.finish().unwrap()
}
