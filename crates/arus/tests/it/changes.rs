//! Epochs as clients see them: `/changes` and its continuation, reads pinned to one epoch.

use std::time::Duration;

use crate::http::{Changes, Event};
use crate::server::{Server, now_ms};

#[test]
fn changes_are_pushed_and_resumed() {
    let mut server = Server::start();
    server.sql("CREATE TABLE t (name STRING)");
    server.sql("CREATE MATERIALIZED TABLE m AS SELECT name, COUNT(*) AS n FROM t GROUP BY name");
    server.rows("t", r#"[{"name": "a"}, {"name": "b"}]"#);
    server.eventually("SELECT * FROM m ORDER BY name", "a|1\nb|1");
    let mut feed = Changes::open(&server, "m", None);
    let mut snapshot = [feed.next().text(), feed.next().text()];
    snapshot.sort();
    assert_eq!(snapshot, [r#"+I {"n":1,"name":"a"}"#, r#"+I {"n":1,"name":"b"}"#]);
    server.rows("t", r#"{"name": "a"}"#);
    let mut seen = vec![];
    let last = loop {
        let event = feed.next();
        seen.push(event.text());
        if !event.id.is_empty() {
            break event;
        }
    };
    assert_eq!(seen.last().unwrap(), r#"+U {"n":2,"name":"a"}"#, "{seen:?}");
    drop(feed);

    // Back with the last id: what came meanwhile, nothing twice.
    server.rows("t", r#"{"name": "b"}"#);
    server.eventually("SELECT n FROM m WHERE name = 'b'", "2");
    let mut feed = Changes::open(&server, "m", Some(&last.id));
    let mut event = feed.next();
    assert_eq!(event.name, "", "no reset within an incarnation");
    while event.id.is_empty() {
        event = feed.next();
    }
    assert_eq!(event.text(), r#"+U {"n":2,"name":"b"}"#);
    drop(feed);

    // A cut that no checkpoint of the next start holds: a reset, then all of it.
    server.kill();
    server.restart();
    server.eventually("SELECT * FROM m ORDER BY name", "a|2\nb|2");
    let mut feed = Changes::open(&server, "m", Some("1.999999"));
    assert_eq!(feed.next().name, "reset");
    let mut rows = [feed.next().text(), feed.next().text()];
    rows.sort();
    assert_eq!(rows, [r#"+I {"n":2,"name":"a"}"#, r#"+I {"n":2,"name":"b"}"#]);
}

/// Events up to the end of an epoch.
fn epoch(feed: &mut Changes) -> Vec<Event> {
    let mut events = vec![feed.next()];
    while events.last().unwrap().id.is_empty() {
        events.push(feed.next());
    }
    events
}

fn texts(events: &[Event]) -> Vec<String> {
    let mut texts: Vec<_> = events.iter().map(Event::text).collect();
    texts.sort();
    texts
}

#[test]
fn a_feed_goes_on_after_a_restart() {
    let mut server = Server::start();
    server.sql("CREATE TABLE t (name STRING)");
    server.sql("CREATE TABLE other (id INT)");
    server.sql("CREATE MATERIALIZED TABLE m AS SELECT name, COUNT(*) AS n FROM t GROUP BY name");
    server.rows("t", r#"[{"name": "a"}, {"name": "b"}]"#);
    server.eventually("SELECT COUNT(*) FROM m", "2");
    let mut feed = Changes::open(&server, "m", None);
    epoch(&mut feed);
    server.rows("t", r#"{"name": "a"}"#);
    let mut last = epoch(&mut feed).pop().unwrap().id;
    drop(feed);
    for (n, signal) in [(2, None), (3, Some("-TERM")), (4, None)] {
        // Epochs and checkpoints go on with what does not concern this table.
        for id in 0..3 {
            server.rows("other", &format!(r#"{{"id": {id}}}"#));
            std::thread::sleep(Duration::from_millis(400));
        }
        server.eventually("SELECT durable FROM arus.epochs", "t");
        match signal {
            Some(signal) => assert_eq!(server.stop(signal), Some(0)),
            None => server.kill(),
        }
        server.restart();
        server.rows("t", r#"[{"name": "a"}, {"name": "c"}]"#);
        let mut feed = Changes::open(&server, "m", Some(&last));
        let events = epoch(&mut feed);
        let (before, after) = (format!(r#"-U {{"n":{n},"name":"a"}}"#), format!(r#"+U {{"n":{},"name":"a"}}"#, n + 1));
        let c = match n {
            2 => vec![r#"+I {"n":1,"name":"c"}"#.to_string()],
            _ => vec![format!(r#"+U {{"n":{},"name":"c"}}"#, n - 1), format!(r#"-U {{"n":{},"name":"c"}}"#, n - 2)],
        };
        let mut expected = [vec![before, after], c].concat();
        expected.sort();
        assert_eq!(texts(&events), expected, "from {last}");
        let incarnation = &events[0].data["incarnation"];
        assert_eq!(incarnation, n, "{events:?}");
        last = events.last().unwrap().id.clone();
        drop(feed);
    }
    // What was seen and never durable is void.
    let (incarnation, epoch_number) = last.split_once('.').unwrap();
    let void = format!("{incarnation}.{}", epoch_number.parse::<u64>().unwrap() + 1_000_000);
    server.kill();
    server.restart();
    assert_eq!(Changes::open(&server, "m", Some(&void)).next().name, "reset");
}

#[test]
fn a_block_reads_one_epoch_in_both_dialects() {
    let server = Server::start();
    server.sql("CREATE TABLE t (id INT)");
    server.sql("CREATE MATERIALIZED TABLE m AS SELECT COUNT(*) AS n FROM t");
    server.rows("t", r#"{"id": 1}"#);
    server.eventually("SELECT n FROM m", "1");
    for dialect in ["flink", "postgresql"] {
        let before: u32 = server.sql("SELECT n FROM m").trim().parse().unwrap();
        // Another client writes in the middle of the block, and sees its row before the block goes on.
        let port = server.pg;
        let other = format!("psql -X -At -h 127.0.0.1 -p {port} -U arus arus");
        let more = before + 1;
        let script = format!(
            "SET arus.dialect = '{dialect}';\nBEGIN;\nSELECT n FROM m;\nSELECT COUNT(*) FROM t;\n\
             \\! {other} -q -c 'INSERT INTO t VALUES (7)' >/dev/null\n\
             \\! until [ \"$({other} -c 'SELECT n FROM m')\" = {more} ]; do sleep 0.05; done\n\
             SELECT n FROM m;\nSELECT COUNT(*) FROM t;\nCOMMIT;\nSELECT n FROM m;\nSELECT COUNT(*) FROM t;\n"
        );
        let run = server.psql(&["-q", "-f", "-"], &script);
        let expected = format!("{before}\n{before}\n{before}\n{before}\n{more}\n{more}\n");
        assert_eq!(run.stdout, expected, "{dialect}: {}", run.stderr);
    }
    // The rows of a statement are of the epoch that it began with.
    let answer = server.http_sql("SELECT COUNT(*) AS n FROM t");
    assert_eq!(answer.body, "{\"n\":3}\n");
}

#[test]
fn a_feed_of_a_topic_goes_on_after_a_restart() {
    let mut server = Server::start();
    server.sql("CREATE TABLE t (name STRING)");
    server.sql("CREATE MATERIALIZED TABLE m AS SELECT UPPER(name) AS name FROM t");
    server.rows("t", r#"[{"name": "a"}, {"name": "b"}]"#);
    server.eventually("SELECT COUNT(*) FROM m", "2");
    let (mut by_clients, mut by_pipeline) = (Changes::open(&server, "t", None), Changes::open(&server, "m", None));
    let (clients, pipeline) = (epoch(&mut by_clients), epoch(&mut by_pipeline));
    assert_eq!(texts(&clients), [r#"+I {"name":"a"}"#, r#"+I {"name":"b"}"#]);
    let (clients, pipeline) = (clients.last().unwrap().id.clone(), pipeline.last().unwrap().id.clone());
    drop((by_clients, by_pipeline));
    // Back within the same start: what came meanwhile alone.
    server.rows("t", r#"{"name": "c"}"#);
    server.eventually("SELECT COUNT(*) FROM m", "3");
    let mut feed = Changes::open(&server, "t", Some(&clients));
    let events = epoch(&mut feed);
    assert_eq!(texts(&events), [r#"+I {"name":"c"}"#]);
    let clients = events.last().unwrap().id.clone();
    let pipeline = epoch(&mut Changes::open(&server, "m", Some(&pipeline))).last().unwrap().id.clone();
    std::thread::sleep(Duration::from_millis(1_500));
    // Back after a restart from a checkpoint that holds the cut.
    assert_eq!(server.stop("-TERM"), Some(0));
    server.restart();
    server.rows("t", r#"{"name": "d"}"#);
    server.eventually("SELECT COUNT(*) FROM m", "4");
    for (table, from, row) in [("t", &clients, r#"+I {"name":"d"}"#), ("m", &pipeline, r#"+I {"name":"D"}"#)] {
        let events = epoch(&mut Changes::open(&server, table, Some(from)));
        assert_eq!((texts(&events), events[0].name.as_str()), (vec![row.to_string()], ""), "{table} from {from}");
    }
    // A cut that never was: a reset, then all of it.
    let mut feed = Changes::open(&server, "t", Some("1.999999"));
    assert_eq!(feed.next().name, "reset");
    assert_eq!(epoch(&mut feed).len(), 4);
}

/// Whoever saw the checkpoint that the next start goes on from gets what came behind it, nothing twice.
#[test]
fn a_feed_of_a_busy_topic_goes_on_over_kills() {
    let mut server = Server::start();
    server.sql("CREATE TABLE t (n INT)");
    let (mut sent, mut goes_on) = (0, 0);
    for _ in 0..3 {
        let mut feed = Changes::open(&server, "t", None);
        let begun = now_ms();
        // More than two checkpoints.
        while now_ms() < begun + 2_500 {
            sent += 1;
            server.rows("t", &format!(r#"{{"n": {sent}}}"#));
        }
        // By cut, the last row up to there.
        let mut seen = vec![];
        while seen.last().is_none_or(|(_, row)| *row < sent) {
            let last = epoch(&mut feed).pop().unwrap();
            let row: i64 = last.text().trim_matches(|c: char| !c.is_ascii_digit()).parse().unwrap();
            seen.push((last.id, row));
        }
        drop(feed);
        server.kill();
        server.restart();
        sent += 1;
        server.rows("t", &format!(r#"{{"n": {sent}}}"#));
        for (cut, row) in &seen {
            let first = Changes::open(&server, "t", Some(cut)).next();
            if first.name != "reset" {
                assert_eq!(first.text(), format!(r#"+I {{"n":{}}}"#, row + 1), "from {cut}");
                goes_on += 1;
            }
        }
    }
    assert!(goes_on > 0, "no client came back with the cut of a checkpoint");
}
