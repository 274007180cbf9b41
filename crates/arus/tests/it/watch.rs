//! Panels of a dashboard over one stream: news when a table has changed, else the word that the answers hold; long series thinned.

use std::time::Instant;

use serde_json::{Value, json};

use crate::http::{JSON, Lines};
use crate::server::{LIMIT, Server};

const PATH: &str = "/v1/console/watch";

struct Watch(Lines);

impl Watch {
    fn open(server: &Server, panels: &Value) -> Watch {
        let body = json!({"panels": panels}).to_string();
        Watch(Lines::open(server.http, "POST", PATH, &[JSON], body.as_bytes()))
    }

    /// The next line that is one of these.
    #[track_caller]
    fn until(&mut self, mut wanted: impl FnMut(&Value) -> bool) -> Value {
        let until = Instant::now() + LIMIT;
        loop {
            assert!(Instant::now() < until, "it was never told");
            let line = self.0.next();
            if line.starts_with('{') {
                let value: Value = serde_json::from_str(&line).unwrap();
                if wanted(&value) {
                    return value;
                }
            }
        }
    }
}

fn panel(id: &str, sql: &str) -> Value {
    json!({"id": id, "sql": sql, "last_ms": 900_000})
}

#[test]
fn a_panel_is_told_of_what_it_reads() {
    let server = Server::start();
    server.sql("CREATE TABLE t (name STRING)");
    server.sql("CREATE TABLE other (id INT)");
    server.sql("CREATE MATERIALIZED TABLE m AS SELECT name, COUNT(*) AS n FROM t GROUP BY name");
    server.rows("t", r#"{"name": "a"}"#);
    server.eventually("SELECT n FROM m", "1");
    let mut watch = Watch::open(
        &server,
        &json!([
            panel("counts", "SELECT n FROM m"),
            panel("rows", "SELECT COUNT(*) AS n FROM t"),
            panel("quiet", "SELECT COUNT(*) AS n FROM other"),
            panel("missing", "SELECT COUNT(*) AS n FROM later"),
        ]),
    );
    let mut first = std::collections::BTreeMap::new();
    watch.until(|line| {
        if let Some(id) = line["panel"].as_str() {
            first.insert(id.to_string(), line.clone());
        }
        first.len() == 4
    });
    assert_eq!(first["counts"]["data"]["rows"], json!([[1]]));
    assert_eq!(first["counts"]["data"]["columns"][0]["name"], "n");
    assert!(first["missing"]["error"]["message"].as_str().unwrap().contains("later"), "{}", first["missing"]);
    let range = |line: &Value| line["to_ms"].as_i64().unwrap() - line["from_ms"].as_i64().unwrap();
    assert_eq!(range(&first["counts"]), 900_000);

    server.rows("t", r#"{"name": "a"}"#);
    let mut rows = None;
    let news = watch.until(|line| {
        assert_ne!(line["panel"], "quiet", "nothing has come there: {line}");
        assert_ne!(line["panel"], "missing", "it was told already: {line}");
        if line["panel"] == "rows" {
            rows = Some(line["data"]["rows"].clone());
        }
        line["panel"] == "counts"
    });
    assert_eq!(news["data"]["rows"], json!([[2]]));
    assert!(news["epoch"].as_u64() > first["counts"]["epoch"].as_u64(), "{news}");
    if rows.is_none() {
        rows = Some(watch.until(|line| line["panel"] == "rows")["data"]["rows"].clone());
    }
    assert_eq!(rows, Some(json!([[2]])));
    // What does not change holds at newer epochs as well.
    let epoch = news["epoch"].as_u64();
    watch.until(|line| {
        let same = line["same"].as_array().is_some_and(|ids| ids.contains(&json!("quiet")));
        same && line["epoch"].as_u64() >= epoch
    });
    // A table that comes later is found.
    server.sql("CREATE TABLE later (id INT)");
    assert_eq!(watch.until(|line| line["panel"] == "missing")["data"]["rows"], json!([[0]]));
}

#[test]
fn a_long_series_is_thinned_and_keeps_its_extremes() {
    let server = Server::start();
    server.sql("CREATE TABLE s (ts TIMESTAMP_LTZ(3), v DOUBLE)");
    let rows: Vec<Value> = (0..6_000)
        .map(|i| {
            let v = if i == 1_234 { 900.0 } else { f64::from(i % 97) };
            json!({"ts": format!("2024-01-01 {:02}:{:02}:{:02}Z", i / 3_600, i / 60 % 60, i % 60), "v": v})
        })
        .collect();
    server.rows("s", &json!(rows).to_string());
    server.eventually("SELECT COUNT(*) FROM s", "6000");
    let mut series = panel("s", "SELECT ts, v FROM s ORDER BY ts");
    series["thin"] = json!({"x": "ts", "y": "v", "points": 200});
    let whole = panel("whole", "SELECT COUNT(*) AS n FROM s WHERE ts < :to AND ts > :from");
    let body = json!({"panels": [series, whole], "once": true}).to_string();
    let answer = server.post(PATH, &[JSON], body.as_bytes());
    assert_eq!(answer.status, 200, "{}", answer.body);
    let lines: Vec<Value> = answer.body.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 2, "{}", answer.body);
    let of = |id: &str| lines.iter().find(|line| line["panel"] == id).unwrap();
    assert_eq!(of("whole")["data"]["rows"], json!([[0]]), "the range ends now");
    let data = &of("s")["data"];
    assert_eq!(data["thinned"]["rows"], 6_000);
    assert_eq!(data["thinned"]["step_ms"], 1_000);
    let kept = data["rows"].as_array().unwrap();
    assert!((200..=420).contains(&kept.len()), "{} rows", kept.len());
    let values = || kept.iter().map(|row| row[1].as_f64().unwrap());
    assert_eq!((values().fold(f64::MAX, f64::min), values().fold(f64::MIN, f64::max)), (0.0, 900.0));
    assert!(kept[0][0].as_str().unwrap().starts_with("2024-01-01T00:00:00"), "{}", kept[0]);
}
