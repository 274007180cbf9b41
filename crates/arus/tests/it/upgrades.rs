//! Data folders that earlier builds have written open, with all that they hold, and go on counting.
//!
//! Each archive in `upgrades` is the folder of one build, killed after its last row. They are never changed; where the format of
//! anything changes, the build before it adds its own: `UPGRADE_FOLDER=FILE cargo test .. --test it folders_of_this` writes it. The
//! folder that this build writes is opened too.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::server::{Server, client, wait_until};

const PASSWORD: &str = "kept over builds";

fn archives() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/upgrades")
}

/// What psql prints, as the admin of the folder, or as somebody else.
fn ask_as(server: &Server, user: &str, sql: &str) -> Result<String, String> {
    let target = format!("host=127.0.0.1 port={} user={user} password='{PASSWORD}' dbname=arus", server.pg);
    let run =
        client("psql", "postgresql-client", &["-X", "-At", "-v", "ON_ERROR_STOP=1", "-d", &target, "-c", sql], b"");
    if run.ok { Ok(run.stdout.trim_end().into()) } else { Err(run.stderr) }
}

fn ask(server: &Server, sql: &str) -> String {
    ask_as(server, "ann", sql).unwrap_or_else(|e| panic!("{sql}\n{e}\n{}", server.stderr()))
}

fn eventually(server: &Server, sql: &str, expected: &str) {
    wait_until(&format!("{sql} gives {expected}"), || ask(server, sql) == expected);
}

/// What the folder says, and goes on saying.
fn look(server: &Server) {
    eventually(server, "SELECT card, n, total FROM per_card ORDER BY card", "a|3|30.75\nb|1|5.00");
    eventually(server, "SELECT CAST(window_start AS TEXT), n FROM per_minute", "2024-01-01 00:00:00|2");
    eventually(server, "SELECT DISTINCT card FROM seen ORDER BY card", "a\nb");
    assert_eq!(ask(server, "SELECT card, owner FROM cards ORDER BY card"), "a|Ada\nb|Grace");
    assert_eq!(ask(server, "SELECT COUNT(*) FROM big"), "3");
    eventually(server, "SELECT COUNT(*) FROM \"payments$late\"", "1");
    eventually(server, "SELECT alert, severity, summary FROM arus.alert_cases", "declines|warning|card a: 2");
    assert_eq!(ask_as(server, "bob", "SELECT COUNT(*) FROM per_card").unwrap(), "2");
    assert!(ask_as(server, "bob", "SELECT COUNT(*) FROM payments").unwrap_err().contains("payments"));
    let board = http(server, "/v1/console/dashboards/kept");
    assert!(board.contains("Kept over builds"), "{board}");
}

fn http(server: &Server, path: &str) -> String {
    let url = format!("http://127.0.0.1:{}{path}", server.http);
    client("curl", "curl", &["-sS", "-u", &format!("ann:{PASSWORD}"), &url], b"").stdout
}

/// A server on the folder: what is there, and what comes to it.
fn goes_on(folder: &Path) {
    let mut server = Server::start_in(&folder.join("data"), &[]);
    look(&server);
    // A window ends, a sum grows, a key is known, a row is replaced.
    ask(&server, "INSERT INTO payments VALUES (6, 'b', 1.25, 'paid', TIMESTAMP '2024-01-01 00:02:10')");
    ask(&server, "INSERT INTO cards VALUES ('b', 'Grace Hopper'), ('c', 'Edsger')");
    let after = |server: &Server| {
        eventually(server, "SELECT n, total FROM per_card WHERE card = 'b'", "2|6.25");
        eventually(server, "SELECT SUM(n) FROM per_minute", "3");
        eventually(server, "SELECT COUNT(*) FROM seen", "2");
        eventually(server, "SELECT card, owner FROM cards ORDER BY card", "a|Ada\nb|Grace Hopper\nc|Edsger");
    };
    after(&server);
    server.kill();
    server.restart();
    after(&server);
}

#[test]
fn folders_of_this_and_earlier_builds_go_on() {
    let mut opened = 0;
    for archive in fs::read_dir(archives()).unwrap() {
        let archive = archive.unwrap().path();
        if archive.extension().is_none_or(|e| e != "gz") {
            continue;
        }
        let folder = tempfile::tempdir().unwrap();
        let unpacked = Command::new("tar").arg("-xzf").arg(&archive).arg("-C").arg(folder.path()).status().unwrap();
        assert!(unpacked.success(), "{}", archive.display());
        goes_on(folder.path());
        opened += 1;
    }
    assert!(opened > 0, "no archive in {}", archives().display());

    let folder = tempfile::tempdir().unwrap();
    fill(folder.path());
    if let Some(target) = std::env::var_os("UPGRADE_FOLDER") {
        let mut tar = Command::new("tar");
        tar.args(["--sort=name", "--owner=0", "--group=0", "-czf"])
            .arg(target)
            .arg("-C")
            .arg(folder.path())
            .arg("data");
        assert!(tar.status().unwrap().success());
    }
    goes_on(folder.path());
}

/// What the archives hold, written by this build.
fn fill(folder: &Path) {
    let mut server = Server::start_in(&folder.join("data"), &[]);
    for statement in [
        "CREATE TABLE payments (id BIGINT, card STRING, amount DECIMAL(10, 2), status STRING, ts TIMESTAMP(3),
         WATERMARK FOR ts AS ts - INTERVAL '5' SECOND)",
        "CREATE TABLE cards (card STRING, owner STRING, PRIMARY KEY (card) NOT ENFORCED)",
        "CREATE MATERIALIZED TABLE per_card AS SELECT card, COUNT(*) AS n, SUM(amount) AS total FROM payments GROUP BY card",
        "CREATE MATERIALIZED TABLE per_minute AS SELECT window_start, COUNT(*) AS n
         FROM TUMBLE(TABLE payments, DESCRIPTOR(ts), INTERVAL '1' MINUTE) GROUP BY window_start, window_end",
        "CREATE MATERIALIZED TABLE seen AS SELECT DISTINCT card FROM payments",
        "CREATE VIEW big AS SELECT id FROM payments WHERE amount >= 10",
        "CREATE ALERT declines ON (SELECT card, COUNT(*) AS n FROM payments WHERE status = 'declined' GROUP BY card
         HAVING COUNT(*) >= 2) KEY (card) SEVERITY WARNING SUMMARY 'card {card}: {n}'",
        "INSERT INTO cards VALUES ('a', 'Ada'), ('b', 'nobody yet'), ('x', 'gone')",
        "INSERT INTO payments VALUES (1, 'a', 10.25, 'paid', TIMESTAMP '2024-01-01 00:00:10'),
         (2, 'a', 10.25, 'declined', TIMESTAMP '2024-01-01 00:00:20'), (3, 'b', 5, 'paid', TIMESTAMP '2024-01-01 00:01:10')",
        "UPDATE cards SET owner = 'Grace' WHERE card = 'b'",
        "DELETE FROM cards WHERE card = 'x'",
    ] {
        server.sql(statement);
    }
    server.eventually("SELECT COUNT(*) FROM per_minute", "1");
    // Late for the windows, and counted by everything else.
    server.sql("INSERT INTO payments VALUES (4, 'a', 10.25, 'declined', TIMESTAMP '2024-01-01 00:00:30')");
    server.eventually("SELECT COUNT(*) FROM \"payments$late\"", "1");
    let boards = server.data().join("dashboards");
    fs::create_dir_all(&boards).unwrap();
    let board = "arus: dashboard/v1\ntitle: Kept over builds\npanels:\n  - id: n\n    at: [0, 0, 4, 2]\n    chart: stat\n    sql: SELECT COUNT(*) AS n FROM payments\n";
    fs::write(boards.join("kept.yaml"), board).unwrap();
    server.sql(&format!("CREATE USER ann WITH PASSWORD '{PASSWORD}'"));
    ask(&server, &format!("CREATE USER bob WITH PASSWORD '{PASSWORD}'"));
    ask(&server, "GRANT SELECT ON per_card TO bob");
    look(&server);
    server.kill();
}
