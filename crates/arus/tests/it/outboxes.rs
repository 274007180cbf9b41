//! Outboxes that are not delivered yet: in a backup, under the doctor's eyes.

use std::path::Path;

use arus_testkit::postgres::Postgres;
use arus_testkit::proxy::Proxy;

use crate::server::{Server, arus_command, wait_until};

const FLAGS: [&str; 2] = ["--allow-host", "127.0.0.1"];

fn post(server: &Server, ids: std::ops::Range<u64>) {
    let rows: Vec<String> = ids.map(|id| format!("{{\"id\":{id}}}")).collect();
    server.rows("t", &format!("[{}]", rows.join(",")));
}

fn prepare(server: &Server, port: u16) {
    server.sql("CREATE TABLE t (id BIGINT)");
    server.sql(&format!(
        "CREATE TABLE out_rows (id BIGINT) WITH ('connector' = 'jdbc', 'url' = 'jdbc:postgresql://127.0.0.1:{port}/postgres', \
         'username' = 'postgres', 'password' = 'not needed', 'table-name' = 'rows', 'connection.max-retry-timeout' = '5 s')"
    ));
    server.sql("INSERT INTO out_rows SELECT id FROM t");
}

fn undelivered(server: &Server) -> u64 {
    server.metric("arus_sink_undelivered_bytes") as u64
}

const ROWS: &str = "SELECT COUNT(*), COUNT(DISTINCT id) FROM rows";

#[test]
fn an_undelivered_outbox_is_restored_and_delivered_once() {
    let postgres = Postgres::start();
    postgres.sql("CREATE TABLE rows (id bigint)");
    let proxy = Proxy::start(postgres.address()).unwrap();
    let mut server = Server::start_with(&FLAGS);
    prepare(&server, proxy.port());
    post(&server, 0..50);
    postgres.eventually(ROWS, "50|50");
    proxy.cut();
    post(&server, 50..120);
    wait_until("an outbox waits", || undelivered(&server) > 0);
    let folder = tempfile::tempdir().unwrap();
    let dir = |name: &str| folder.path().join(name).to_str().unwrap().to_string();
    let (backup, first, second) = (dir("backup"), dir("first"), dir("second"));
    let (data, port) = (server.data().to_str().unwrap().to_string(), server.http.to_string());
    let run = arus_command(&["backup", &backup, "--data", &data, "--http-port", &port], "");
    assert!(run.ok, "{}{}", run.stdout, run.stderr);
    server.kill();
    for new in [&first, &second] {
        let run = arus_command(&["restore", &backup, "--data", new], "");
        assert!(run.ok, "{}{}", run.stdout, run.stderr);
    }
    // The sink is still away: the rows wait in the restored folder, and it takes more.
    let mut restored = Server::start_in(Path::new(&first), &FLAGS);
    post(&restored, 120..150);
    wait_until("they wait", || undelivered(&restored) > 0);
    assert_eq!(postgres.sql(ROWS), "50|50");
    proxy.heal();
    postgres.eventually(ROWS, "150|150");
    wait_until("nothing waits", || undelivered(&restored) == 0);
    restored.kill();
    restored.restart();
    post(&restored, 150..160);
    postgres.eventually(ROWS, "160|160");
    assert_eq!(restored.stop("-TERM"), Some(0));
    // The same backup once more: the sink is further than it knows. It delivers nothing twice, and says why.
    let again = Server::start_in(Path::new(&second), &FLAGS);
    wait_until("it is refused", || again.sql("SELECT state FROM arus.sinks").trim() == "refused");
    let reason = || again.sql("SELECT reason FROM arus.pipelines LIMIT 1");
    wait_until("it says why", || reason().contains("which this data folder does not know"));
    assert_eq!(postgres.sql(ROWS), "160|160");
}

#[test]
fn the_doctor_reads_outboxes() {
    let postgres = Postgres::start();
    postgres.sql("CREATE TABLE rows (id bigint)");
    let proxy = Proxy::start(postgres.address()).unwrap();
    let mut server = Server::start_with(&FLAGS);
    prepare(&server, proxy.port());
    post(&server, 0..10);
    postgres.eventually(ROWS, "10|10");
    proxy.cut();
    post(&server, 10..5_000);
    wait_until("an outbox waits", || undelivered(&server) > 0);
    server.kill();
    let data = server.data().to_path_buf();
    let doctor = || arus_command(&["doctor", data.to_str().unwrap()], "");
    let whole = doctor();
    assert!(whole.ok, "{}{}", whole.stdout, whole.stderr);
    let files = std::fs::read_dir(data.join("outbox")).unwrap().map(|entry| entry.unwrap().path());
    let file = files.max_by_key(|path| std::fs::metadata(path).unwrap().len()).unwrap();
    let name = format!("outbox/{}", file.file_name().unwrap().to_str().unwrap());
    let bytes = std::fs::read(&file).unwrap();
    for (at, flip) in [(bytes.len() / 2, true), (20, true), (bytes.len() - 30, true), (bytes.len() - 1, false)] {
        let mut damaged = bytes.clone();
        if flip {
            damaged[at] ^= 4
        } else {
            damaged.truncate(at)
        }
        std::fs::write(&file, damaged).unwrap();
        let told = doctor();
        assert_eq!(told.code, Some(2), "{}{}", told.stdout, told.stderr);
        assert!(told.stdout.contains(&format!("damage: {name}, byte ")), "{}", told.stdout);
        assert!(told.stdout.contains("rows of pipeline ") && told.stdout.contains("out_rows"), "{}", told.stdout);
    }
    std::fs::remove_file(&file).unwrap();
    assert!(doctor().stdout.contains("it is missing"));
    std::fs::write(&file, &bytes).unwrap();
    assert!(doctor().ok);
    server.restart();
    proxy.heal();
    postgres.eventually(ROWS, "5000|5000");
}
