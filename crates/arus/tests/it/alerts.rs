//! Alerts from outside: they fire and resolve, a webhook is told of each event until it has taken it, with one id for all attempts.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;

use crate::server::{Server, arus_command, wait_until};

/// What a request has brought: the id of its header, and the document.
type Got = (String, Value);

/// A webhook that refuses while it is told to.
struct Hook {
    port: u16,
    up: Arc<AtomicBool>,
    got: Arc<Mutex<Vec<Got>>>,
    refused: Arc<Mutex<Vec<Got>>>,
    /// Answers nothing and closes, after it has taken it: a lost answer.
    mute: Arc<AtomicBool>,
}

impl Hook {
    fn start() -> Hook {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let hook = Hook {
            port: listener.local_addr().unwrap().port(),
            up: Arc::new(AtomicBool::new(true)),
            got: Arc::default(),
            refused: Arc::default(),
            mute: Arc::default(),
        };
        let (up, got, refused, mute) = (hook.up.clone(), hook.got.clone(), hook.refused.clone(), hook.mute.clone());
        std::thread::spawn(move || {
            for socket in listener.incoming() {
                let Some((socket, message)) = socket.ok().and_then(read) else { continue };
                let taken = up.load(SeqCst);
                if taken { &got } else { &refused }.lock().unwrap().push(message);
                let answer: &[u8] = match (taken, mute.load(SeqCst)) {
                    (true, true) => b"",
                    (true, false) => b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n",
                    (false, _) => b"HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\n\r\nlater",
                };
                let mut socket = socket;
                // The sender may have gone.
                if socket.write_all(answer).is_err() {
                    continue;
                }
            }
        });
        hook
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}/hook", self.port)
    }

    /// By id, in the order of the first arrival: how often it came, its status and summary.
    fn events(&self) -> Vec<(String, String, String)> {
        let mut seen = BTreeSet::new();
        let got = self.got.lock().unwrap();
        let first = got.iter().filter(|(id, _)| seen.insert(id.clone()));
        let text = |value: &Value| value.as_str().unwrap_or_default().to_string();
        first.map(|(id, doc)| (id.clone(), text(&doc["status"]), text(&doc["summary"]))).collect()
    }

    fn said(&self) -> Vec<String> {
        self.events().into_iter().map(|(_, status, summary)| format!("{status} {summary}")).collect()
    }
}

fn read(mut socket: TcpStream) -> Option<(TcpStream, Got)> {
    socket.set_read_timeout(Some(Duration::from_secs(60))).ok()?;
    let (mut bytes, mut buffer) = (vec![], [0; 4096]);
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let header = |name: &str| head.lines().find_map(|l| l.strip_prefix(name)).map(|v| v.trim().to_string());
            let length: usize = header("Content-Length:")?.parse().ok()?;
            if body.len() >= length {
                let document: Value = serde_json::from_str(body).ok()?;
                let id = header("Idempotency-Key:")?;
                assert_eq!(document["id"], id.as_str());
                return Some((socket, (id, document)));
            }
        }
        match socket.read(&mut buffer).ok()? {
            0 => return None,
            n => bytes.extend_from_slice(&buffer[..n]),
        }
    }
}

const CARDS: &str = "CREATE ALERT card_testing ON (SELECT card, COUNT(*) AS n FROM payments WHERE status = 'declined' \
    GROUP BY card HAVING COUNT(*) BETWEEN 3 AND 4) KEY (card) SEVERITY CRITICAL \
    SUMMARY 'card {card}: {n} declines' RUNBOOK 'https://wiki.example.com/card' NOTIFY oncall";

fn declines(server: &Server, card: &str, count: usize) {
    let rows = vec![format!(r#"{{"card":"{card}","status":"declined"}}"#); count];
    server.rows("payments", &format!("[{}]", rows.join(",")));
}

fn start(data: &Path, hook: &Hook) -> Server {
    let notify = format!("oncall={}", hook.url());
    Server::start_in(data, &["--allow-host", "127.0.0.1", "--notify", &notify])
}

#[test]
fn it_fires_and_resolves_and_everybody_can_see_it() {
    let (folder, hook) = (tempfile::tempdir().unwrap(), Hook::start());
    let mut server = start(&folder.path().join("data"), &hook);
    server.sql("CREATE TABLE payments (card STRING, status STRING)");
    server.sql(CARDS);
    assert_eq!(server.sql("SHOW ALERTS"), "card_testing|CRITICAL|OK|0||oncall\n");
    assert!(server.sql_error(CARDS).contains("alert 'card_testing' exists already"));
    server.sql(&CARDS.replace("CREATE ALERT", "CREATE ALERT IF NOT EXISTS"));
    declines(&server, "4711", 3);
    declines(&server, "0815", 2);
    server.eventually("SELECT key, summary FROM arus.alert_cases", r#"{"card":"4711"}|card 4711: 3 declines"#);
    // An update of its row is no news.
    declines(&server, "4711", 1);
    server.eventually("SELECT summary FROM arus.alert_cases", "card 4711: 4 declines");
    // HAVING takes the row away.
    declines(&server, "4711", 1);
    server.eventually("SELECT state, firing, fired, last_event FROM arus.alerts", "ok|0|1|resolved");
    wait_until("both are told", || hook.said() == ["firing card 4711: 3 declines", "resolved card 4711: 4 declines"]);
    server.eventually("SELECT waiting, delivered, failures FROM arus.alerts", "0|2|0");
    let first = hook.got.lock().unwrap()[0].1.clone();
    assert_eq!(first["alert"], "card_testing");
    assert_eq!(first["severity"], "critical");
    assert_eq!(first["key"]["card"], "4711");
    assert_eq!(first["row"]["n"], 3);
    assert_eq!(first["runbook"], "https://wiki.example.com/card");
    let ids = server.sql("SELECT id, event FROM arus.alert_events ORDER BY at");
    let told: Vec<String> = hook.events().into_iter().map(|(id, ..)| id).collect();
    assert_eq!(ids, format!("{}|fired\n{}|resolved\n", told[0], told[1]));
    assert_eq!(server.metric("arus_alert_fired_total"), 1.0);
    // A backtest over the log sees the same.
    let tested = server.sql("EXPLAIN ALERT card_testing LAST INTERVAL '1' DAY");
    assert!(tested.contains("would have fired once, for 1 case, in the last day"), "{tested}");
    assert!(tested.contains("|fired|{\"card\":\"4711\"}|card 4711: 3 declines"), "{tested}");
    // Silence: it fires, nobody is told; the end of it tells with the same id.
    server.sql("ALTER ALERT card_testing SILENCE FOR INTERVAL '1' HOUR");
    declines(&server, "0815", 1);
    server.eventually("SELECT state, silenced, waiting FROM arus.alerts", "firing|t|0");
    let id = server.sql("SELECT event_id FROM arus.alert_cases WHERE told IS NULL").trim().to_string();
    server.stop("-TERM");
    server.restart();
    server.eventually("SELECT silenced FROM arus.alerts WHERE silenced_until IS NOT NULL", "t");
    assert_eq!(hook.events().len(), 2);
    server.sql("ALTER ALERT card_testing UNSILENCE");
    wait_until("it is told after the silence", || hook.events().iter().any(|(told, ..)| *told == id));
    server.sql("ALTER ALERT card_testing TEST");
    wait_until("the test is told", || hook.said().iter().any(|s| s.starts_with("test test: card <card>")));
    assert!(server.sql("SHOW CREATE ALERT card_testing").contains("NOTIFY oncall"));
    let running = server.sql("SELECT id FROM arus.pipelines WHERE kind = 'alert'");
    assert!(server.sql_error(&format!("STOP JOB '{}'", running.trim())).contains("belongs to alert card_testing"));
    assert!(server.sql_error("DROP TABLE payments").contains("alert card_testing"));
    server.sql("DROP ALERT card_testing");
    assert!(server.sql_error("DROP ALERT card_testing").contains("alert 'card_testing' does not exist"));
    server.sql("DROP ALERT IF EXISTS card_testing");
    assert_eq!(server.sql("SELECT COUNT(*) FROM arus.alerts").trim(), "0");
    assert_eq!(std::fs::read_dir(server.data().join("alerts")).unwrap().count(), 0);
    server.sql("DROP TABLE payments");
}

#[test]
fn time_ends_a_case_and_the_absence_of_rows_is_told() {
    let (folder, hook) = (tempfile::tempdir().unwrap(), Hook::start());
    let server = start(&folder.path().join("data"), &hook);
    server.sql("CREATE TABLE logins (name STRING, ok BOOLEAN)");
    let appended = "ON (SELECT name FROM logins WHERE NOT ok) KEY (name)";
    let error = server.sql_error(&format!("CREATE ALERT failed_logins {appended}"));
    assert!(error.contains("needs RESOLVE AFTER"), "{error}");
    server.sql(&format!(
        "CREATE ALERT failed_logins {appended} SEVERITY INFO RESOLVE AFTER INTERVAL '1' SECOND \
         NO DATA AFTER INTERVAL '2' SECOND AS CRITICAL NOTIFY '{}'",
        hook.url()
    ));
    server.rows("logins", r#"[{"name":"eve","ok":false},{"name":"ada","ok":true}]"#);
    let said = |what: &str| {
        let what = what.to_string();
        let hook = &hook;
        wait_until(&what.clone(), move || hook.said().contains(&what));
    };
    said("firing failed_logins: name eve");
    said("resolved failed_logins: name eve");
    said("no_data failed_logins: no data");
    server.eventually("SELECT state, severity FROM arus.alert_cases", "no data|critical");
    server.rows("logins", r#"[{"name":"ada","ok":true}]"#);
    said("data_again failed_logins: no data");
}

/// The server is killed between its checkpoints and what follows from them, again and again: each event is told, with one id.
#[test]
fn kill_9_loses_no_notification() {
    let (folder, hook) = (tempfile::tempdir().unwrap(), Hook::start());
    let mut server = start(&folder.path().join("data"), &hook);
    server.sql("CREATE TABLE payments (card STRING, status STRING)");
    server.sql(CARDS);
    let mut expected = BTreeMap::new();
    for round in 0..4 {
        // The hook is down, or takes without a word: the server does not know that it was told.
        hook.up.store(round % 2 == 1, SeqCst);
        hook.mute.store(round % 2 == 1, SeqCst);
        let card = format!("card-{round}");
        declines(&server, &card, 3);
        if round < 2 {
            let query = format!("SELECT id FROM arus.alert_events WHERE key LIKE '%{card}%'");
            wait_until("the event has its id", || !server.sql(&query).trim().is_empty());
            expected.insert(card.clone(), server.sql(&query).trim().to_string());
            let tried = if round == 0 { &hook.refused } else { &hook.got };
            // Messages go in order: what waits longest is tried.
            wait_until("the hook was tried", || !tried.lock().unwrap().is_empty());
        }
        // In later rounds at any moment: before the checkpoint, between it and the book, between the book and the hook.
        server.kill();
        server.restart();
    }
    hook.up.store(true, SeqCst);
    hook.mute.store(false, SeqCst);
    wait_until("every card is told", || hook.events().len() >= 4);
    server.eventually("SELECT firing, waiting, fired, delivered FROM arus.alerts", "4|0|4|4");
    let events = hook.events();
    assert_eq!(events.len(), 4, "{events:?}");
    for round in 0..4 {
        let told: BTreeSet<String> = {
            let (got, refused) = (hook.got.lock().unwrap(), hook.refused.lock().unwrap());
            let of_card = |(_, doc): &&Got| doc["key"]["card"] == format!("card-{round}");
            got.iter().chain(refused.iter()).filter(of_card).map(|(id, _)| id.clone()).collect()
        };
        assert_eq!(told.len(), 1, "one id for all attempts");
        if let Some(id) = expected.get(&format!("card-{round}")) {
            assert!(told.contains(id), "the id that was known before the crash");
        }
    }
    let got = hook.got.lock().unwrap().len();
    assert!(got > 4, "a lost answer is told again: {got}");
}

#[test]
fn a_dead_hook_harms_nobody_and_wrong_ones_are_refused() {
    let (folder, hook) = (tempfile::tempdir().unwrap(), Hook::start());
    let server = start(&folder.path().join("data"), &hook);
    server.sql("CREATE TABLE payments (card STRING, status STRING)");
    for (clause, part) in [
        ("NOTIFY nobody", "notifier 'nobody' does not exist"),
        ("NOTIFY onkall", "did you mean 'oncall'?"),
        ("NOTIFY 'ftp://host/x'", "expected http, https, smtp or smtps"),
        ("NOTIFY 'https://hooks.example.com/x'", "'hooks.example.com:443' is not an allowed address"),
        ("NOTIFY 'http://127.0.0.1/${secret:hook}'", "there is no secret 'hook'"),
        ("SUMMARY '{crd}'", "column 'crd' is not one of the query's"),
    ] {
        let sql = format!("CREATE ALERT a ON (SELECT card, COUNT(*) AS n FROM payments GROUP BY card) {clause}");
        let error = server.sql_error(&sql);
        assert!(error.contains(part), "{sql}\n{error}");
    }
    // A port that nobody listens on.
    let dead = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    server.sql(&format!(
        "CREATE ALERT dead ON (SELECT card, COUNT(*) AS n FROM payments GROUP BY card HAVING COUNT(*) >= 3) KEY (card) \
         NOTIFY 'http://u:hush@127.0.0.1:{dead}/', oncall"
    ));
    server.sql(CARDS);
    declines(&server, "1", 3);
    wait_until("the living hook is told by both", || hook.events().len() == 2);
    server.eventually("SELECT failures > 0, waiting FROM arus.alerts WHERE name = 'dead'", "t|1");
    declines(&server, "2", 3);
    wait_until("it goes on", || hook.events().len() == 4);
    server.eventually("SELECT waiting FROM arus.alerts WHERE name = 'card_testing'", "0");
    let asked = ["SELECT * FROM arus.alerts", "SELECT * FROM arus.pipelines", "SHOW ALERTS", "SHOW CREATE ALERT dead"];
    let shown: String = asked.iter().map(|sql| server.sql(sql)).collect();
    assert!(!shown.contains("hush") && !server.stderr().contains("hush"), "{shown}");
}

/// The same condition: what fires goes on, whoever is told. Another one: it starts over, with its silence.
#[test]
fn an_alert_is_replaced() {
    let (folder, hook, other) = (tempfile::tempdir().unwrap(), Hook::start(), Hook::start());
    let mut server = start(&folder.path().join("data"), &hook);
    server.sql("CREATE TABLE payments (card STRING, status STRING)");
    let replace = |sql: String| sql.replace("CREATE ALERT", "CREATE OR REPLACE ALERT");
    server.sql(&replace(CARDS.into()));
    // A message that nobody takes goes along with its notifier.
    hook.up.store(false, SeqCst);
    declines(&server, "4711", 3);
    server.eventually("SELECT firing, waiting FROM arus.alerts", "1|1");
    let ids = "SELECT id FROM arus.pipelines WHERE kind = 'alert'";
    let (pipeline, event) = (server.sql(ids), server.sql("SELECT event_id FROM arus.alert_cases"));
    let more = replace(CARDS.replace("CRITICAL", "INFO").replace("NOTIFY", &format!("NOTIFY '{}',", other.url())));
    server.sql(&more);
    assert_eq!(server.sql(ids), pipeline);
    server.eventually("SELECT severity, firing, waiting FROM arus.alerts", "info|1|1");
    server.kill();
    server.restart();
    server.eventually("SELECT severity, firing, waiting FROM arus.alerts", "info|1|1");
    assert_eq!(server.sql("SELECT event_id FROM arus.alert_cases"), event);
    hook.up.store(true, SeqCst);
    wait_until("the first hook is told what waited", || hook.said() == ["firing card 4711: 3 declines"]);
    assert_eq!(hook.events()[0].0, event.trim());
    declines(&server, "4711", 1);
    server.eventually("SELECT summary FROM arus.alert_cases", "card 4711: 4 declines");
    declines(&server, "4711", 1);
    wait_until("both are told the end", || {
        other.said() == ["resolved card 4711: 4 declines"] && hook.said().len() == 2
    });
    // Another condition.
    server.sql("ALTER ALERT card_testing SILENCE");
    let stricter = replace(CARDS.replace("BETWEEN 3 AND 4", ">= 2"));
    server.sql(&stricter);
    assert_ne!(server.sql(ids), pipeline);
    server.eventually("SELECT state, severity, silenced, firing FROM arus.alerts", "firing|critical|t|1");
    server.kill();
    server.restart();
    server.eventually("SELECT state, severity, silenced, firing FROM arus.alerts", "firing|critical|t|1");
    assert_eq!(server.sql("SELECT COUNT(*) FROM arus.alerts").trim(), "1");
    // What cannot be leaves what was.
    assert!(server.sql_error(&stricter.replace("oncall", "nobody")).contains("notifier 'nobody' does not exist"));
    server.eventually("SELECT notify, firing FROM arus.alerts", "oncall|1");
}

/// A backup has what alerts know, and the restored server goes on with it.
#[test]
fn a_backup_knows_what_fires() {
    let (folder, hook) = (tempfile::tempdir().unwrap(), Hook::start());
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_string();
    let (data, backup, new) = (path("data"), path("backup"), path("new"));
    let server = start(Path::new(&data), &hook);
    server.sql("CREATE TABLE payments (card STRING, status STRING)");
    server.sql(CARDS);
    declines(&server, "4711", 3);
    server.eventually("SELECT firing, waiting FROM arus.alerts", "1|0");
    let id = server.sql("SELECT event_id FROM arus.alert_cases");
    let run = arus_command(&["backup", &backup, "--data", &data, "--http-port", &server.http.to_string()], "");
    assert!(run.ok, "{}{}", run.stdout, run.stderr);
    let run = arus_command(&["restore", &backup, "--data", &new], "");
    assert!(run.ok, "{}{}", run.stdout, run.stderr);
    let restored = start(Path::new(&new), &hook);
    restored.eventually("SELECT event_id FROM arus.alert_cases", id.trim());
    declines(&restored, "4711", 2);
    restored.eventually("SELECT state, fired, delivered FROM arus.alerts", "ok|1|2");
    assert_eq!(hook.said(), ["firing card 4711: 3 declines", "resolved card 4711: 4 declines"]);
}
