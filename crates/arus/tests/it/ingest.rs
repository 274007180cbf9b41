//! POST of rows: what is accepted, what is refused, what a retry does.

use crate::http::{JSON, NDJSON};
use crate::server::Server;

#[test]
fn a_retry_is_counted_once_also_after_a_restart() {
    let mut server = Server::start();
    server.sql("CREATE TABLE t (id INT) WITH ('partitions' = '3')");
    server.sql("CREATE TABLE k (id INT, n INT, PRIMARY KEY (id) NOT ENFORCED)");
    let post = |server: &Server, key: &str, body: &str| {
        let answer = server.post("/v1/tables/t/rows", &[JSON, ("Idempotency-Key", key)], body.as_bytes());
        assert_eq!((answer.status, answer.json()["accepted"].as_i64()), (200, Some(2)), "{}", answer.body);
    };
    for key in ["a", "b", "a", "a"] {
        post(&server, key, r#"[{"id": 1}, {"id": 2}]"#);
    }
    server.eventually("SELECT COUNT(*) FROM t", "4");
    server.kill();
    server.restart();
    post(&server, "b", r#"[{"id": 1}, {"id": 2}]"#);
    post(&server, "c", r#"[{"id": 1}, {"id": 2}]"#);
    server.eventually("SELECT COUNT(*) FROM t", "6");
    assert_eq!(server.stop("-TERM"), Some(0));
    server.restart();
    post(&server, "a", r#"[{"id": 1}, {"id": 2}]"#);
    post(&server, "d", r#"[{"id": 1}, {"id": 2}]"#);
    server.eventually("SELECT COUNT(*) FROM t", "8");
    let answer = server.post("/v1/tables/t/rows", &[JSON, ("Idempotency-Key", &"x".repeat(300))], b"{}");
    assert_eq!(answer.status, 400);
}

#[test]
fn bad_rows_are_named_and_kept() {
    let mut server = Server::start();
    server.sql("CREATE TABLE t (id INT, name STRING NOT NULL)");
    let body = r#"[{"id": 1, "name": "a", "more": 1}, {"id": "x", "name": "b"}, {"id": 3}, {"id": 4, "name": "d"}]"#;
    let answer = server.post("/v1/tables/t/rows", &[JSON, ("Idempotency-Key", "k")], body.as_bytes());
    assert_eq!(answer.status, 200);
    let reply = answer.json();
    assert_eq!(reply["accepted"], 2);
    assert_eq!(reply["unknown_fields"][0], "more");
    assert_eq!((&reply["rejected"][0]["index"], &reply["rejected"][1]["index"]), (&1.into(), &2.into()));
    let reason = |i: usize| reply["rejected"][i]["reason"].as_str().unwrap().to_string();
    assert!(reason(0).contains("field 'id': expected INT, found \"x\""), "{}", reason(0));
    assert!(reason(1).contains("field 'name' is missing or null, expected STRING NOT NULL"), "{}", reason(1));

    let answer = server.post("/v1/tables/t/rows", &[JSON], br#"{"id": true, "name": "e"}"#);
    assert_eq!(answer.status, 422, "{}", answer.body);
    assert!(answer.json()["rejected"][0]["reason"].as_str().unwrap().contains("expected INT, found true"));

    // A line that is no JSON is one bad row; a document that is none is no row at all.
    let lines = b"{\"id\": 5, \"name\": \"f\"}\n{\"id\": oops\n{\"id\": 6, \"name\": \"g\"}\n";
    let answer = server.post("/v1/tables/t/rows", &[NDJSON], lines);
    assert_eq!((answer.status, answer.json()["accepted"].as_i64()), (200, Some(2)), "{}", answer.body);
    assert_eq!(answer.json()["rejected"][0]["index"], 1);
    assert!(answer.json()["rejected"][0]["reason"].as_str().unwrap().contains("invalid JSON at byte"));
    let answer = server.post("/v1/tables/t/rows", &[JSON], br#"[{"id": 7, "name": "h"}, {"id""#);
    assert_eq!(answer.status, 400);
    assert!(answer.error().contains("the body is no JSON: invalid JSON at byte"), "{}", answer.body);

    server.eventually("SELECT id, name FROM t ORDER BY id", "1|a\n4|d\n5|f\n6|g");
    let kept = "SELECT \"offset\", bytes FROM \"t$quarantine\" WHERE source = 'http/k' ORDER BY 1";
    let hex = |text: &str| text.bytes().map(|b| format!("{b:02x}")).collect::<String>();
    let bytes = format!("1|\\x{}\n2|\\x{}", hex(r#"{"id": "x", "name": "b"}"#), hex(r#"{"id": 3}"#));
    server.eventually(kept, &bytes);
    server.eventually("SELECT COUNT(*) FROM \"t$quarantine\"", "4");
    let counted = |server: &Server| {
        let text = server.get("/metrics").body;
        let line = text.lines().find(|l| l.starts_with("arus_quarantined_rows_total{table=\"t\"}")).unwrap();
        line.rsplit(' ').next().unwrap().parse::<u64>().unwrap()
    };
    assert_eq!(counted(&server), 4);
    assert_eq!(server.stop("-TERM"), Some(0));
    server.restart();
    server.eventually("SELECT COUNT(*) FROM \"t$quarantine\"", "4");
    // A counter is of one start of the server; the same request again sets nothing aside that was not there.
    assert_eq!(counted(&server), 0);
    server.post("/v1/tables/t/rows", &[JSON, ("Idempotency-Key", "k")], body.as_bytes());
    assert_eq!(counted(&server), 0);
    server.post("/v1/tables/t/rows", &[JSON, ("Idempotency-Key", "k2")], br#"{"id": "y"}"#);
    assert_eq!(counted(&server), 1);
    server.eventually("SELECT COUNT(*) FROM \"t$quarantine\"", "5");
    assert_eq!(server.sql(kept).trim(), bytes);
}

#[test]
fn what_is_no_post_of_rows_is_refused() {
    let server = Server::start();
    server.sql("CREATE TABLE orders (id INT)");
    let row = b"{\"id\": 1}";
    let answer = server.post("/v1/tables/order/rows", &[JSON], row);
    assert_eq!(answer.status, 404);
    assert!(answer.error().contains("table 'order' does not exist | did you mean 'orders'?"), "{}", answer.body);
    for header in [
        ("Content-Type", "text/plain"),
        ("Content-Type", "application/x-www-form-urlencoded"),
        ("Content-Type", "multipart/form-data; boundary=x"),
        ("X-None", "1"),
    ] {
        let answer = server.post("/v1/tables/orders/rows", &[header], row);
        assert_eq!(answer.status, 415);
        assert!(answer.error().contains("add the header 'Content-Type: application/json'"), "{}", answer.body);
    }
    // A page of another site, by its origin and by its name for this address.
    for header in [("Origin", "http://evil.example"), ("Host", "evil.example"), ("Origin", "null")] {
        for path in ["/v1/tables/orders/rows", "/v1/sql"] {
            let answer = server.post(path, &[JSON, header], br#"{"sql": "DROP TABLE orders"}"#);
            assert_eq!(answer.status, 403, "{header:?} {}", answer.body);
            assert!(answer.error().contains(header.1), "{}", answer.body);
        }
    }
    let own = format!("http://127.0.0.1:{}", server.http);
    assert_eq!(server.post("/v1/tables/orders/rows", &[JSON, ("Origin", &own)], row).status, 200);
    server.eventually("SELECT COUNT(*) FROM orders", "1");
    assert_eq!(server.get("/healthz").status, 200);
    assert_eq!(server.get("/readyz").status, 200);
    let metrics = server.get("/metrics").body;
    for name in ["arus_recovery_epoch", "arus_recovery_replayed_rows", "arus_epoch", "arus_checkpoint_seconds"] {
        assert!(metrics.contains(&format!("\n{name} ")), "{name} is missing:\n{metrics}");
    }
}

#[test]
fn an_error_of_sql_has_its_place() {
    let server = Server::start();
    server.sql("CREATE TABLE orders (id INT, price INT)");
    let answer = server.http_sql("SELECT id,\n  pric FROM orders");
    assert_eq!(answer.status, 400);
    let error = &answer.json()["error"];
    assert_eq!((&error["line"], &error["column"]), (&2.into(), &3.into()), "{error}");
    assert_eq!(error["message"], "column 'pric' does not exist in 'orders'");
    assert!(error["hint"].as_str().unwrap().contains("did you mean 'price'?"), "{error}");
    assert_eq!(server.http_sql("SELECT * FROM order_s").status, 404);
    assert_eq!(server.http_sql("SELEC 1").status, 400);
    // A script: what comes before the last statement is done.
    let answer = server.http_sql("CREATE TABLE a (x INT); INSERT INTO a VALUES (1), (2); SELECT SUM(x) AS s FROM a;");
    assert_eq!(answer.body, "{\"s\":3}\n");
}
