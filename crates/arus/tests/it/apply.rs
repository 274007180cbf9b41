//! `arus apply` on changed projects: the plan, what keeps its state, and that the tables equal those of a run from the start.

use std::fs;
use std::path::Path;

use crate::server::{Run, Server, arus_command, wait_until};

const PROJECT: &str = "\
CREATE TABLE orders (id BIGINT, customer STRING, product STRING, amount BIGINT, ordered_at TIMESTAMP(3));
CREATE VIEW big AS SELECT id, amount FROM orders WHERE amount >= 100;
CREATE MATERIALIZED TABLE totals AS SELECT customer, COUNT(*) AS n, SUM(amount) AS total FROM orders GROUP BY customer;
CREATE MATERIALIZED TABLE ranks AS SELECT n, COUNT(*) AS customers FROM totals GROUP BY n;
CREATE MATERIALIZED TABLE packing AS SELECT id, amount FROM big;
CREATE TABLE copied (id BIGINT, amount BIGINT, PRIMARY KEY (id) NOT ENFORCED);
INSERT INTO copied SELECT id, amount FROM orders WHERE amount > 0;
";

/// A changed project, and what is said of it.
struct Change {
    what: &'static str,
    edits: &'static [(&'static str, &'static str)],
    /// `action kind name`, and the beginning of the reason: all that is not kept.
    plan: &'static [&'static str],
    /// Pipelines that go on where they were.
    kept: &'static [&'static str],
    /// Tables that are compared with those of a run from the start.
    tables: &'static [&'static str],
    /// Where clients' rows are.
    orders: &'static str,
}

const COPYING: &str = "insert-into_default_catalog.default_database.copied";
const ALL: &[&str] = &["totals", "ranks", "packing", COPYING];
const TABLES: &[&str] = &["totals", "ranks", "packing", "copied"];

impl Change {
    const fn of(
        what: &'static str,
        edits: &'static [(&'static str, &'static str)],
        plan: &'static [&'static str],
    ) -> Self {
        Change { what, edits, plan, kept: ALL, tables: TABLES, orders: "orders" }
    }

    const fn keeping(mut self, kept: &'static [&'static str]) -> Self {
        self.kept = kept;
        self
    }

    const fn with_tables(mut self, tables: &'static [&'static str]) -> Self {
        self.tables = tables;
        self
    }
}

const INTO_COPIED: &str = "INSERT INTO copied SELECT id, amount FROM orders WHERE amount > 0;";
const COPIED: &str = "CREATE TABLE copied (id BIGINT, amount BIGINT, PRIMARY KEY (id) NOT ENFORCED);";

const CHANGES: &[Change] = &[
    Change::of("comments and blanks", &[("SUM(amount) AS total FROM", "SUM(amount)   AS total -- all\n FROM"), ("CREATE VIEW", "/* large ones */ CREATE VIEW")], &[]),
    Change::of("a new column", &[("product STRING", "product STRING, note STRING")], &["alter table orders: new column note: its rows are kept"]),
    Change::of("an option", &[("ordered_at TIMESTAMP(3))", "ordered_at TIMESTAMP(3)) WITH ('retention.time' = '3 d')")], &["alter table orders: option 'retention.time' changes: its rows are kept"]),
    Change::of("an option of a result", &[("TABLE packing AS", "TABLE packing WITH ('retention.time' = '3 d') AS")], &["alter materialized table packing: option 'retention.time' changes: its rows and state are kept"]),
    Change::of("a new view", &[("CREATE TABLE copied", "CREATE VIEW small AS SELECT id FROM orders WHERE amount < 10;\nCREATE TABLE copied")], &["create view small: it is new"]),
    Change::of("a new table and its reader", &[("CREATE TABLE copied", "CREATE TABLE names (id BIGINT, name STRING, PRIMARY KEY (id) NOT ENFORCED);\nCREATE MATERIALIZED TABLE products AS SELECT product, COUNT(*) AS n FROM orders GROUP BY product;\nCREATE TABLE copied")], &["create table names: it is new", "create materialized table products: it is new"]).with_tables(&["totals", "ranks", "packing", "copied", "products"]),
    Change::of("another query that others read", &[("SUM(amount) AS total", "SUM(amount * 2) AS total")], &["rebuild materialized table totals: its query changes", "rebuild materialized table ranks: it reads 'totals', which is made anew"]).keeping(&["packing", COPYING]),
    Change::of("another query that nobody reads", &[("COUNT(*) AS customers", "COUNT(*) + 1 AS customers")], &["rebuild materialized table ranks: its query changes"]).keeping(&["totals", "packing", COPYING]),
    Change::of("another key of a result", &[("SELECT customer, COUNT(*) AS n, SUM(amount) AS total FROM orders GROUP BY customer", "SELECT product, COUNT(*) AS n, SUM(amount) AS total FROM orders GROUP BY product")], &["rebuild materialized table totals: its key changes from (customer) to (product)", "rebuild materialized table ranks: it reads 'totals', which is made anew"]).keeping(&["packing", COPYING]),
    Change::of("another key of a table that a pipeline writes", &[("PRIMARY KEY (id) NOT", "PRIMARY KEY (id, amount) NOT")], &["rebuild table copied: its key changes from (id) to (id, amount)", "rebuild pipeline insert-into_default_catalog.default_database.copied: "]).keeping(&["totals", "ranks", "packing"]),
    Change::of("another query into a table", &[("WHERE amount > 0", "WHERE amount > 20")], &["rebuild table copied: the pipeline that writes it begins anew", "rebuild pipeline insert-into_default_catalog.default_database.copied: its query changes"]).keeping(&["totals", "ranks", "packing"]),
    Change::of("a dropped sink", &[(INTO_COPIED, ""), (COPIED, "")], &["drop table copied: it is not in the project any more", "drop pipeline insert-into_default_catalog.default_database.copied: it is not in the project any more"]).keeping(&["totals", "ranks", "packing"]).with_tables(&["totals", "ranks", "packing"]),
    Change::of("a dropped result", &[("CREATE MATERIALIZED TABLE ranks AS SELECT n, COUNT(*) AS customers FROM totals GROUP BY n;", "")], &["drop materialized table ranks: it is not in the project any more"]).keeping(&["totals", "packing", COPYING]).with_tables(&["totals", "packing", "copied"]),
    Change::of("a view under a pipeline", &[("amount >= 100", "amount >= 30")], &["alter view big: its query changes", "rebuild materialized table packing: its query changes"]).keeping(&["totals", "ranks", COPYING]),
    Change::of("a watermark", &[("ordered_at TIMESTAMP(3))", "ordered_at TIMESTAMP(3), WATERMARK FOR ordered_at AS ordered_at - INTERVAL '1' SECOND)")], &["alter table orders: its watermark changes: its rows are kept", "rebuild materialized table totals: it reads 'orders', whose watermark or options change", "rebuild materialized table ranks: it reads 'totals', which is made anew", "rebuild materialized table packing: it reads 'orders', whose watermark or options change", "rebuild table copied: the pipeline that writes it begins anew", "rebuild pipeline insert-into_default_catalog.default_database.copied: it reads 'orders', whose watermark or options change"]).keeping(&[]),
    Change { orders: "purchases", ..Change::of("a renamed table", &[("CREATE TABLE orders", "CREATE TABLE purchases"), ("FROM orders", "FROM purchases")], &["rename table purchases: 'orders' has the same definition and goes: its rows are kept", "alter view big: its query changes", "rebuild materialized table totals: it reads 'purchases' now", "rebuild materialized table ranks: it reads 'totals', which is made anew", "rebuild materialized table packing: it reads 'purchases' now", "rebuild table copied: the pipeline that writes it begins anew", "rebuild pipeline insert-into_default_catalog.default_database.copied: it reads 'purchases' now"]).keeping(&[]) },
];

fn write(dir: &Path, sql: &str) {
    fs::create_dir_all(dir.join("pipelines")).unwrap();
    fs::write(dir.join("pipelines/all.sql"), sql).unwrap();
}

fn apply(server: &Server, dir: &Path, args: &[&str]) -> Run {
    let port = server.http.to_string();
    arus_command(&[&["apply", dir.to_str().unwrap(), "--http-port", &port], args].concat(), "")
}

#[track_caller]
fn applied(server: &Server, dir: &Path) -> String {
    let run = apply(server, dir, &["--yes"]);
    assert_eq!(run.code, Some(0), "{}{}\n{}", run.stdout, run.stderr, server.stderr());
    run.stdout
}

fn rows(server: &Server, table: &str, ids: std::ops::Range<u64>) {
    let row = |id: u64| {
        format!(
            r#"{{"id":{id},"customer":"c{}","product":"p{}","amount":{},"ordered_at":"2026-01-01 00:00:{id:02}"}}"#,
            id % 3,
            id % 2,
            id * 15
        )
    };
    server.rows(table, &format!("[{}]", ids.map(row).collect::<Vec<_>>().join(",")));
}

/// The lines of a plan, without the blanks of its columns: `action kind name: reason`.
fn plan_lines(text: &str) -> Vec<String> {
    let kinds = ["materialized table", "table", "view", "pipeline", "alert"];
    let line = |line: &str| {
        let (action, rest) = line.split_once(' ')?;
        let rest = rest.trim_start();
        let kind = kinds.iter().find(|k| rest.starts_with(**k))?;
        let (name, reason) = rest[kind.len()..].trim_start().split_once(' ')?;
        Some(format!("{action} {kind} {name}: {}", reason.trim_start()))
    };
    text.lines().filter(|l| !l.starts_with("keep")).filter_map(line).collect()
}

fn jobs(server: &Server) -> Vec<(String, String)> {
    let text = server.sql("SHOW JOBS");
    let part = |line: &str| {
        let mut parts = line.split('|');
        Some((parts.next()?.to_string(), parts.next()?.to_string()))
    };
    text.lines().filter_map(part).map(|(id, name)| (name, id)).collect()
}

fn contents(server: &Server, tables: &[&str]) -> Vec<String> {
    tables.iter().map(|t| format!("{t}:\n{}", server.sql(&format!("SELECT * FROM {t} ORDER BY 1, 2")))).collect()
}

fn check(change: &Change) {
    let Change { what, .. } = change;
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("shop");
    let server = Server::start();
    write(&dir, PROJECT);
    applied(&server, &dir);
    rows(&server, "orders", 0..12);
    server.eventually("SELECT SUM(n) FROM totals", "12");
    server.eventually("SELECT COUNT(*) FROM copied", "11");
    let before = jobs(&server);
    let sql = change.edits.iter().fold(PROJECT.to_string(), |sql, (from, to)| {
        assert!(sql.contains(from), "{what}: no '{from}'");
        sql.replace(from, to)
    });
    write(&dir, &sql);
    let planned = apply(&server, &dir, &["--dry-run"]);
    assert_eq!(planned.code, Some(0), "{what}: {}{}", planned.stdout, planned.stderr);
    let lines = plan_lines(&planned.stdout);
    assert_eq!(lines.len(), change.plan.len(), "{what}: {lines:#?}");
    for expected in change.plan {
        assert!(lines.iter().any(|line| line.starts_with(expected)), "{what}: no '{expected}' in {lines:#?}");
    }
    applied(&server, &dir);
    let after = jobs(&server);
    for job in before.iter().filter(|(name, _)| change.kept.contains(&name.as_str())) {
        assert!(after.contains(job), "{what}: {job:?} was to be kept: {after:?}");
    }
    for (name, id) in after.iter().filter(|(name, _)| !change.kept.contains(&name.as_str())) {
        assert!(before.iter().all(|(_, old)| old != id), "{what}: '{name}' was to begin anew");
    }
    let again = apply(&server, &dir, &["--yes"]);
    assert!(again.stdout.contains("nothing to do"), "{what}: {}{}", again.stdout, again.stderr);
    // It goes on, and equals a run from the start.
    rows(&server, change.orders, 12..20);
    let fresh = Server::start();
    applied(&fresh, &dir);
    rows(&fresh, change.orders, 0..20);
    fresh.eventually("SELECT SUM(n) FROM totals", "20");
    wait_until(&format!("{what}: the tables of a run from the start"), || {
        let (one, two) = (contents(&server, change.tables), contents(&fresh, change.tables));
        let done = one == two && fresh.sql("SELECT SUM(n) FROM totals").trim() == "20";
        if !done {
            eprintln!("{what}:\n{}\nfrom the start:\n{}", one.join("\n"), two.join("\n"));
        }
        done
    });
}

#[test]
fn changed_projects_keep_what_they_may() {
    CHANGES.iter().step_by(2).for_each(check);
}

#[test]
fn changed_projects_equal_a_run_from_the_start() {
    CHANGES.iter().skip(1).step_by(2).for_each(check);
}

#[test]
fn a_failed_apply_leaves_what_was() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("shop");
    let mut server = Server::start();
    write(&dir, PROJECT);
    applied(&server, &dir);
    rows(&server, "orders", 0..12);
    server.eventually("SELECT SUM(n) FROM totals", "12");
    server.eventually("SELECT COUNT(*) FROM copied", "11");
    server.eventually("SELECT COUNT(*) FROM packing", "5");
    server.eventually("SELECT SUM(customers) FROM ranks", "3");
    let before = (jobs(&server), contents(&server, TABLES));
    let refused = |server: &Server, sql: &str, args: &[&str], why: &str| {
        write(&dir, sql);
        let run = apply(server, &dir, args);
        assert_eq!(run.code, Some(1), "{sql}\n{}{}", run.stdout, run.stderr);
        assert!(run.stderr.contains(why), "{sql}\nno '{why}' in\n{}{}", run.stdout, run.stderr);
        assert_eq!((jobs(server), contents(server, TABLES)), before, "{sql}");
    };
    // What cannot be planned is not begun: the place is named.
    let wrong = PROJECT.replace("SUM(amount)", "SUM(amonut)");
    refused(&server, &wrong, &["--yes"], "pipelines/all.sql");
    refused(&server, &wrong, &["--yes"], "line 3");
    // A pipeline cannot write what clients write: known when it starts, and the table before it is taken back.
    let late = format!(
        "{PROJECT}CREATE TABLE more (a INT);\nINSERT INTO orders SELECT CAST(a AS BIGINT), 'x', 'y', 1, CAST(NULL AS TIMESTAMP(3)) FROM more;"
    );
    refused(&server, &late, &["--yes"], "nothing has changed");
    assert!(server.sql_error("SELECT * FROM more").contains("more"));
    // Rows of clients go only when that is said.
    let lossy = PROJECT
        .replace("amount BIGINT, ordered_at", "amount BOOLEAN, ordered_at")
        .replace("SUM(amount)", "COUNT(amount)")
        .replace("amount > 0", "amount")
        .replace("amount >= 100", "amount");
    let lossy = lossy.replace("copied (id BIGINT, amount BIGINT", "copied (id BIGINT, amount BOOLEAN");
    refused(&server, &lossy, &["--yes"], "--lose-rows");
    refused(&server, &lossy, &[], "--lose-rows");
    // Others' pipelines are not touched.
    server.sql("CREATE MATERIALIZED TABLE other AS SELECT n FROM ranks");
    let before_other = jobs(&server);
    write(&dir, &PROJECT.replace("SUM(amount)", "SUM(amount * 2)"));
    let run = apply(&server, &dir, &["--yes"]);
    assert!(run.stderr.contains("table 'ranks' is read by pipeline 'other'"), "{}{}", run.stdout, run.stderr);
    assert_eq!(jobs(&server), before_other);
    server.sql("DROP MATERIALIZED TABLE other");
    // A project is known after a restart.
    server.kill();
    server.restart();
    write(&dir, PROJECT);
    assert!(applied(&server, &dir).contains("nothing to do"));
    write(&dir, &lossy);
    let run = apply(&server, &dir, &["--yes", "--lose-rows"]);
    assert_eq!(run.code, Some(0), "{}{}", run.stdout, run.stderr);
    server.eventually("SELECT COUNT(*) FROM orders", "0");
}

const ALERTS: &str = "\
CREATE ALERT spenders ON (SELECT customer, SUM(amount) AS total FROM orders GROUP BY customer HAVING SUM(amount) >= 350) KEY (customer)
  NOTIFY oncall, 'http://u:hush@127.0.0.1:1/hook';
CREATE ALERT many ON (SELECT n FROM totals WHERE n >= 5);
";

#[test]
fn alerts_are_part_of_a_project() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("shop");
    let notify =
        ["--allow-host", "127.0.0.1", "--notify", "oncall=http://127.0.0.1:1/", "--notify", "boss=http://127.0.0.1:1/"];
    let mut server = Server::start_in(&folder.path().join("data"), &notify);
    let whole = format!("{PROJECT}{ALERTS}");
    let planned = |server: &Server, sql: &str| {
        write(&dir, sql);
        let run = apply(server, &dir, &["--dry-run"]);
        assert_eq!(run.code, Some(0), "{sql}\n{}{}", run.stdout, run.stderr);
        assert!(!run.stdout.contains("hush"), "{}", run.stdout);
        plan_lines(&run.stdout)
    };
    let lines = planned(&server, &whole);
    assert!(lines.contains(&"create alert spenders: it is new".to_string()), "{lines:#?}");
    applied(&server, &dir);
    rows(&server, "orders", 0..12);
    server.eventually("SELECT key FROM arus.alert_cases", r#"{"customer":"c2"}"#);
    let before = jobs(&server);
    server.sql("ALTER ALERT spenders SILENCE");
    // Other clauses: it goes on.
    let told = whole.replace("NOTIFY oncall", "SEVERITY CRITICAL NOTIFY boss").replace("hush", "secret-hush");
    let lines = planned(&server, &told);
    let [line] = lines.as_slice() else { panic!("{lines:#?}") };
    assert!(line.starts_with("alter alert spenders: NOTIFY changes from oncall, http://"), "{line}");
    assert!(line.ends_with("SEVERITY changes from warning to critical: what fires goes on"), "{line}");
    applied(&server, &dir);
    assert_eq!(jobs(&server), before);
    server.eventually("SELECT severity, firing, silenced FROM arus.alerts WHERE name = 'spenders'", "critical|1|t");
    server.kill();
    server.restart();
    assert!(applied(&server, &dir).contains("nothing to do"));
    // Another condition, another key, another source: it starts over.
    let over = ": its state starts over, what fires is forgotten";
    for (from, to, reason) in [
        (">= 350", ">= 400", "its condition changes"),
        ("KEY (customer)", "", "its key changes from (customer) to none"),
    ] {
        let lines = planned(&server, &told.replace(from, to));
        assert_eq!(lines, [format!("rebuild alert spenders: {reason}{over}")]);
    }
    let changed = told.replace(">= 350", ">= 400").replace(
        "SUM(amount) AS total FROM orders GROUP BY customer;",
        "SUM(amount * 2) AS total FROM orders GROUP BY customer;",
    );
    let lines = planned(&server, &changed);
    assert!(lines.contains(&format!("rebuild alert spenders: its condition changes{over}")), "{lines:#?}");
    assert!(lines.contains(&format!("rebuild alert many: it reads 'totals', which is made anew{over}")), "{lines:#?}");
    // An apply that fails leaves what was: a notifier that nobody knows is found before anything is done, a cycle when it starts.
    let state = "SELECT name, state, firing, silenced FROM arus.alerts ORDER BY name";
    let was = server.sql(state);
    for (sql, why) in [
        (changed.replace("NOTIFY boss", "NOTIFY bos"), "did you mean 'boss'?"),
        (format!("{changed}\nCREATE ALERT spenders ON (SELECT n FROM totals);"), "alert 'spenders' stands twice"),
        (
            format!(
                "{changed}\nCREATE TABLE more (a INT);\nINSERT INTO orders SELECT CAST(a AS BIGINT), 'x', 'y', 1, CAST(NULL AS TIMESTAMP(3)) FROM more;"
            ),
            "nothing has changed",
        ),
    ] {
        write(&dir, &sql);
        let run = apply(&server, &dir, &["--yes"]);
        assert_eq!(run.code, Some(1), "{sql}\n{}{}", run.stdout, run.stderr);
        assert!(run.stderr.contains(why), "{why}: {}{}", run.stdout, run.stderr);
        server.eventually(state, was.trim_end());
    }
    write(&dir, &changed);
    applied(&server, &dir);
    server.eventually(state, "many|ok|0|f\nspenders|ok|0|t");
    rows(&server, "orders", 12..20);
    server.eventually(state, "many|firing|1|f\nspenders|firing|3|t");
    // What is not in the project any more goes, with the table that it read.
    let lines = planned(&server, PROJECT);
    assert!(lines.contains(&"drop alert many: it is not in the project any more".to_string()), "{lines:#?}");
    applied(&server, &dir);
    assert_eq!(server.sql("SELECT COUNT(*) FROM arus.alerts").trim(), "0");
}

#[test]
fn dev_follows_the_files() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("shop");
    write(&dir, PROJECT);
    let server = Server::dev(&dir);
    server.eventually("SELECT COUNT(*) FROM copied", "0");
    rows(&server, "orders", 0..12);
    server.eventually("SELECT SUM(n) FROM totals", "12");
    write(&dir, &PROJECT.replace("SUM(amount)", "SUM(amonut)"));
    wait_until("a wrong file is told", || server.stderr().contains("amonut"));
    server.eventually("SELECT SUM(n) FROM totals", "12");
    write(&dir, &PROJECT.replace("SUM(amount)", "SUM(amount * 2)"));
    server.eventually("SELECT SUM(total) FROM totals", "1980");
}
