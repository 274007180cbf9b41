//! The Kafka protocol with a real client: produce with any compression, consume what others wrote.

use crate::server::{Server, wait_until};

fn produce(server: &Server, topic: &str, compression: &str, lines: &str) {
    let run = server.kcat(&["-P", "-X", "acks=all", "-z", compression, "-t", topic], lines);
    assert!(run.ok, "-z {compression}: {}{}", run.stderr, server.stderr());
}

fn consume(server: &Server, topic: &str) -> String {
    let run = server.kcat(&["-C", "-q", "-o", "beginning", "-e", "-t", topic], "");
    assert!(run.ok, "{}", run.stderr);
    run.stdout
}

#[test]
fn an_unknown_topic_is_created_and_readable() {
    let mut server = Server::start();
    for compression in ["none", "gzip", "snappy", "lz4", "zstd"] {
        produce(&server, "fresh", compression, &format!("{compression} 1\n{compression} 2\n"));
    }
    let expected: String =
        ["none", "gzip", "snappy", "lz4", "zstd"].iter().map(|c| format!("{c} 1\n{c} 2\n")).collect();
    server.eventually("SELECT text FROM fresh ORDER BY \"offset\"", expected.trim_end());
    assert_eq!(consume(&server, "fresh"), expected);
    let run = server.kcat(&["-P", "-X", "acks=all", "-K", ":", "-t", "fresh"], "key:value\n");
    assert!(run.ok, "{}", run.stderr);
    server.eventually("SELECT key, text FROM fresh WHERE key IS NOT NULL", "\\x6b6579|value");
    server.kill();
    server.restart();
    server.eventually("SELECT COUNT(*) FROM fresh", "11");
    assert_eq!(consume(&server, "fresh"), format!("{expected}value\n"));
}

#[test]
fn declared_tables_take_and_give_json() {
    let server = Server::start();
    server.sql("CREATE TABLE t (id INT, name STRING)");
    server.sql("CREATE MATERIALIZED TABLE upper_names AS SELECT id, UPPER(name) AS name FROM t");
    for (id, compression) in ["none", "gzip", "snappy", "lz4", "zstd"].iter().enumerate() {
        produce(&server, "t", compression, &format!("{{\"id\":{id},\"name\":\"{compression}\"}}\n"));
    }
    server.rows("t", r#"{"id": 5, "name": "http"}"#);
    server.eventually("SELECT COUNT(*) FROM t", "6");
    // A record that is no row is set aside; the others go on.
    produce(&server, "t", "none", "not json\n{\"id\":6,\"name\":\"after\"}\n");
    server.eventually("SELECT name FROM t WHERE id = 6", "after");
    server.eventually("SELECT COUNT(*), MIN(\"offset\") FROM \"t$quarantine\" WHERE pipeline = 'upper_names'", "1|6");
    let given = consume(&server, "t");
    assert_eq!(given.lines().count(), 8, "{given}");
    assert!(given.contains(r#"{"id": 5, "name": "http"}"#) || given.contains(r#"{"id":5,"name":"http"}"#), "{given}");

    // A pipeline's topic shows what a checkpoint holds.
    server.eventually("SELECT COUNT(*) FROM upper_names", "7");
    wait_until("a checkpoint has its rows", || consume(&server, "upper_names").lines().count() == 7);
    let given = consume(&server, "upper_names");
    assert_eq!(given.lines().count(), 7, "{given}");
    assert!(given.contains(r#"{"id":1,"name":"GZIP"}"#), "{given}");
    let run = server.kcat(&["-P", "-X", "acks=all", "-X", "message.timeout.ms=2000", "-t", "upper_names"], "{}\n");
    assert!(!run.ok || run.stderr.contains("failed"), "a pipeline's topic took a record: {}", run.stderr);
    assert_eq!(consume(&server, "upper_names").lines().count(), 7);
}

#[test]
fn a_clients_topic_is_declared_later() {
    let mut server = Server::start();
    for (topic, lines) in [("fresh", "{\"id\":1,\"name\":\"a\"}\nnot json\n{\"id\":2}\n"), ("other", "x\n")] {
        produce(&server, topic, "none", lines);
    }
    server.eventually("SELECT COUNT(*) FROM fresh", "3");
    // What is no topic of one partition cannot stand over the records that are there.
    let said = server.sql_error("CREATE TABLE fresh (id INT, PRIMARY KEY (id) NOT ENFORCED)");
    assert!(said.contains("only a table without a primary key"), "{said}");
    let said = server.sql_error("CREATE TABLE fresh (id INT) WITH ('partitions' = '3')");
    assert!(said.contains("topic 'fresh' has 1 partitions already"), "{said}");
    let said = server.sql_error("CREATE VIEW fresh AS SELECT 1 AS a");
    assert!(said.contains("exists already"), "{said}");

    server.sql("CREATE TABLE fresh (id INT, name STRING, came TIMESTAMP_LTZ(3) METADATA FROM 'timestamp')");
    server.eventually("SELECT id, name, came IS NOT NULL FROM fresh ORDER BY id", "1|a|t\n2||t");
    server.sql("CREATE MATERIALIZED TABLE m AS SELECT COUNT(*) AS n FROM fresh");
    server.eventually("SELECT n FROM m", "2");
    server.eventually("SELECT pipeline, \"offset\" FROM \"fresh$quarantine\"", "m|1");
    assert!(server.sql_error("CREATE TABLE fresh (id INT)").contains("exists already"));

    // IF NOT EXISTS too: nobody has declared it. A pipeline that reads the envelope holds it as it is.
    server.sql("CREATE MATERIALIZED TABLE texts AS SELECT text FROM other");
    assert!(server.sql_error("CREATE TABLE other (x STRING)").contains("is read by pipeline 'texts'"));
    server.sql("DROP MATERIALIZED TABLE texts");
    server.sql("CREATE TABLE IF NOT EXISTS other (x STRING) WITH ('format' = 'raw')");
    for _ in 0..2 {
        server.kill();
        server.restart();
        produce(&server, "fresh", "gzip", "{\"id\":3,\"name\":\"c\"}\n");
        server.eventually("SELECT x FROM other", "x");
    }
    server.rows("fresh", r#"{"id": 4, "name": "http"}"#);
    server.eventually("SELECT id, name FROM fresh ORDER BY id", "1|a\n2|\n3|c\n3|c\n4|http");
    server.eventually("SELECT n FROM m", "5");
    assert_eq!(consume(&server, "fresh").lines().count(), 6);
}
