//! Idempotent Kafka producers over kill -9: every record once, in the order of its producer.

use std::io::Write;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::server::{Server, wait_until};

/// kcat as an idempotent producer that gets its lines from here.
fn producer(server: &Server, topic: &str, extra: &[&str]) -> Child {
    let broker = format!("127.0.0.1:{}", server.kafka);
    let mut command = Command::new("timeout");
    command.args(["-k", "1", "300", "kcat", "-P", "-E", "-b", &broker, "-t", topic, "-X", "enable.idempotence=true"]);
    command.args(["-X", "linger.ms=2", "-X", "batch.num.messages=20", "-X", "reconnect.backoff.max.ms=100"]);
    command.args(["-X", "retry.backoff.ms=20", "-X", "socket.timeout.ms=3000"]).args(extra);
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
}

fn texts(server: &Server, topic: &str) -> Vec<String> {
    server.sql(&format!("SELECT text FROM {topic} ORDER BY \"offset\"")).lines().map(str::to_string).collect()
}

#[test]
fn every_record_once_and_in_order_over_kill_9() {
    let mut server = Server::start();
    let run = server.kcat(&["-P", "-t", "once"], "first\n");
    assert!(run.ok, "{}", run.stderr);
    let writers: Vec<_> = (0..2)
        .map(|writer| {
            let mut child = producer(&server, "once", &[]);
            let mut stdin = child.stdin.take().unwrap();
            std::thread::spawn(move || {
                let mut lines = 0;
                // About four seconds of lines, so that batches are in flight at every kill.
                for turn in 0..400 {
                    for _ in 0..10 {
                        writeln!(stdin, "{writer}:{lines}").unwrap();
                        lines += 1;
                    }
                    stdin.flush().unwrap();
                    std::thread::sleep(Duration::from_millis(if turn % 50 == 0 { 20 } else { 10 }));
                }
                drop(stdin);
                let output = child.wait_with_output().unwrap();
                assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
                lines
            })
        })
        .collect();
    for pause in [700, 600, 800, 500] {
        std::thread::sleep(Duration::from_millis(pause));
        server.kill();
        server.restart();
    }
    let sent: Vec<usize> = writers.into_iter().map(|w| w.join().unwrap()).collect();
    let total = sent.iter().sum::<usize>() + 1;
    server.eventually("SELECT COUNT(*) FROM once", &total.to_string());
    let check = |server: &Server| {
        let found = texts(server, "once");
        for (writer, lines) in sent.iter().enumerate() {
            let own: Vec<&String> = found.iter().filter(|t| t.starts_with(&format!("{writer}:"))).collect();
            let expected: Vec<String> = (0..*lines).map(|n| format!("{writer}:{n}")).collect();
            assert_eq!(own, expected.iter().collect::<Vec<_>>(), "writer {writer}");
        }
    };
    check(&server);
    server.kill();
    server.restart();
    check(&server);
    assert!(server.metric("arus_producers_total") < 3.0);
}

#[test]
fn producer_ids_are_given_once() {
    let mut server = Server::start();
    let mut ids = vec![];
    for round in 0..3 {
        for _ in 0..3 {
            let mut wire = crate::kafka_wire::Wire::connect(server.kafka);
            let answer = wire.ask(22, 1, &[0xff, 0xff, 0, 0, 0x75, 0x30]);
            assert_eq!(answer[4..6], [0, 0], "{answer:?}");
            assert_eq!(answer[14..16], [0, 0], "epoch of {answer:?}");
            ids.push(i64::from_be_bytes(answer[6..14].try_into().unwrap()));
        }
        // Transactions are refused by name.
        let mut wire = crate::kafka_wire::Wire::connect(server.kafka);
        let answer = wire.ask(22, 1, &[0, 2, b't', b'x', 0, 0, 0x75, 0x30]);
        assert_eq!(i16::from_be_bytes([answer[4], answer[5]]), 53, "{answer:?}");
        if round < 2 {
            server.kill();
            server.restart();
        }
    }
    let mut distinct = ids.clone();
    distinct.sort_unstable();
    distinct.dedup();
    assert_eq!(distinct.len(), ids.len(), "{ids:?}");
}

#[test]
fn a_batch_that_is_sent_again_gets_the_same_offset() {
    let mut server = Server::start();
    let run = server.kcat(&["-P", "-t", "again"], "first\n");
    assert!(run.ok, "{}", run.stderr);
    let batch = |sequence: i32| crate::kafka_wire::batch(77, 0, sequence, "value");
    let mut wire = crate::kafka_wire::Wire::connect(server.kafka);
    assert_eq!(wire.produce("again", -1, &batch(1)), (59, -1), "UNKNOWN_PRODUCER_ID");
    assert_eq!(wire.produce("again", -1, &batch(0)), (0, 1));
    assert_eq!(wire.produce("again", 1, &batch(1)), (0, 2));
    assert_eq!(wire.produce("again", -1, &batch(0)), (0, 1), "a duplicate");
    assert_eq!(wire.produce("again", -1, &batch(3)), (45, -1), "OUT_OF_ORDER_SEQUENCE_NUMBER");
    assert_eq!(wire.produce("again", 7, &batch(2)), (21, -1), "INVALID_REQUIRED_ACKS");
    server.kill();
    server.restart();
    let mut wire = crate::kafka_wire::Wire::connect(server.kafka);
    assert_eq!(wire.produce("again", -1, &batch(1)), (0, 2), "a duplicate after a restart");
    assert_eq!(wire.produce("again", -1, &crate::kafka_wire::batch(77, 1, 0, "new")), (0, 3));
    assert_eq!(wire.produce("again", -1, &batch(2)), (47, -1), "INVALID_PRODUCER_EPOCH");
    let mut broken = batch(0);
    *broken.last_mut().unwrap() ^= 1;
    assert_eq!(wire.produce("again", -1, &broken), (87, -1), "INVALID_RECORD");
    // acks=0: no answer, and the next request is answered as ever.
    wire.send_produce("again", 0, &crate::kafka_wire::batch(78, 0, 0, "unasked"));
    assert_eq!(wire.produce("again", -1, &crate::kafka_wire::batch(78, 0, 1, "asked")), (0, 5));
    wait_until("all are readable", || texts(&server, "again").len() == 6);
    assert_eq!(texts(&server, "again"), ["first", "value", "value", "new", "unasked", "asked"]);
}
