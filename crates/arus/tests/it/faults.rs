//! What goes wrong around the server: its message, and that nothing is lost.

use std::fs;
use std::path::{Path, PathBuf};

use crate::http::{Changes, JSON};
use crate::server::{Run, Server, arus_command};

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = vec![];
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files.extend(files_below(&path)) } else { files.push(path) }
    }
    files
}

#[test]
fn a_full_disk_loses_no_acknowledged_row() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    // No file may grow beyond this; the server must not die of the signal that comes with it.
    let mut server = Server::start_limited(&data, "trap '' XFSZ; ulimit -f 256");
    server.sql("CREATE TABLE t (id INT, filler STRING)");
    let filler = "x".repeat(4_000);
    let mut acknowledged = 0;
    let failed = loop {
        let body = format!(r#"{{"id":{acknowledged},"filler":"{filler}"}}"#);
        match crate::http::request(server.http, "POST", "/v1/tables/t/rows", &[JSON], body.as_bytes()) {
            Ok(answer) if answer.status == 200 => acknowledged += 1,
            Ok(answer) => break answer.body,
            Err(_) => break String::new(),
        }
        assert!(acknowledged < 500, "the limit was never reached");
    };
    assert!(acknowledged > 10, "{failed}");
    let said = format!("{failed}\n{}", server.stderr());
    assert!(said.contains("cannot append to topic t, partition 0: File too large"), "{said}");
    assert!(said.contains("free space on the disk of the data folder"), "{said}");
    assert!(!said.contains("panicked"), "{said}");
    server.kill();
    let server = Server::start_in(&data, &[]);
    server.eventually("SELECT COUNT(*), COUNT(DISTINCT id) FROM t WHERE id < 500", &format!("{0}|{0}", acknowledged));
    server.rows("t", r#"{"id": 1000}"#);
    server.eventually("SELECT COUNT(*) FROM t", &format!("{}", acknowledged + 1));
}

#[test]
fn a_damaged_segment_is_named_and_the_rest_is_served() {
    let mut server = Server::start();
    server.sql("CREATE TABLE t (id INT, name STRING)");
    for (id, name) in ["first", "second", "third"].iter().enumerate() {
        server.rows("t", &format!(r#"{{"id": {id}, "name": "{name}-row"}}"#));
    }
    server.eventually("SELECT COUNT(*) FROM t", "3");
    assert_eq!(server.stop("-TERM"), Some(0));
    let needle = b"second-row";
    let (file, at) = files_below(server.data())
        .into_iter()
        .find_map(|file| {
            let at = fs::read(&file).unwrap().windows(needle.len()).position(|w| w == needle)?;
            Some((file, at))
        })
        .expect("a file holds the row");
    let mut bytes = fs::read(&file).unwrap();
    bytes[at] ^= 1;
    fs::write(&file, bytes).unwrap();
    server.restart();
    server.sql("CREATE TABLE other (id INT)");
    server.rows("t", r#"{"id": 3, "name": "fourth-row"}"#);
    // Never a silent gap: a read that would meet the damage says so, and from where on all is whole.
    let refused = server.sql_error("SELECT * FROM t");
    assert!(refused.contains("offsets 1 to 1 cannot be read") && refused.contains("offset 2"), "{refused}");
    // A feed says so once and ends.
    let mut feed = Changes::open(&server, "t", None);
    let event = feed.next();
    assert_eq!(event.name, "error");
    assert!(event.data["error"]["message"].as_str().unwrap().contains("offsets 1 to 1"), "{event:?}");
    assert!(feed.next_or_end().is_none());
    let rest = server.kcat(&["-C", "-q", "-o", "2", "-e", "-t", "t"], "").stdout;
    assert!(rest.contains("third-row") && rest.contains("fourth-row"), "{rest}");
    let said = server.stderr();
    let name = file.file_name().unwrap().to_string_lossy().into_owned();
    for part in ["topic t", "partition 0", name.as_str(), "byte"] {
        assert!(said.contains(part), "'{part}' is missing:\n{said}");
    }
}

#[test]
fn a_taken_port_names_its_flag() {
    let server = Server::start();
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("d");
    for (flag, port) in [("--http-port", server.http), ("--pg-port", server.pg), ("--kafka-port", server.kafka)] {
        let port = port.to_string();
        let mut args = vec!["--data", data.to_str().unwrap(), flag, &port];
        for other in ["--http-port", "--pg-port", "--kafka-port"].iter().filter(|f| **f != flag) {
            args.extend([*other, "0"]);
        }
        let run = arus_command(&args, "");
        assert_eq!(run.code, Some(1), "{}", run.stderr);
        assert!(run.stderr.contains(&format!("port {port} of the")), "{}", run.stderr);
        assert!(run.stderr.contains(&format!("choose another with {flag}")), "{}", run.stderr);
        assert!(!data.exists(), "a server that cannot start leaves no folder");
    }
}

#[test]
fn a_second_server_on_the_folder_names_the_first() {
    let server = Server::start();
    server.sql("CREATE TABLE t (id INT)");
    server.rows("t", r#"{"id": 1}"#);
    let data = server.data().to_str().unwrap();
    let run = arus_command(&["--data", data, "--http-port", "0", "--pg-port", "0", "--kafka-port", "0"], "");
    assert_eq!(run.code, Some(1), "{}", run.stderr);
    assert!(run.stderr.contains(&server.pid().to_string()) && run.stderr.contains(data), "{}", run.stderr);
    server.rows("t", r#"{"id": 2}"#);
    server.eventually("SELECT COUNT(*) FROM t", "2");
}

#[test]
fn a_path_outside_is_refused_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("rows.json");
    fs::write(&file, "{\"id\":1}\n{\"id\":2}\n").unwrap();
    let inside = folder.path().canonicalize().unwrap();
    let server = Server::start_with(&["--allow-path", inside.to_str().unwrap()]);
    let table = |path: &str| {
        format!("CREATE TABLE f (id INT) WITH ('connector' = 'filesystem', 'path' = '{path}', 'format' = 'json')")
    };
    std::os::unix::fs::symlink("/etc/passwd", folder.path().join("link.json")).unwrap();
    let climbing = format!("{}/../../../../../../etc/passwd", inside.display());
    let link = format!("{}/link.json", inside.display());
    for path in ["/etc/passwd", "file:///etc/passwd", "/etc/there-is-none", &climbing, &link] {
        let refused = server.sql_error(&table(path));
        assert!(refused.contains("outside of the allowed folders") && refused.contains("--allow-path"), "{refused}");
        let answer = server.http_sql(&table(path));
        assert_eq!(answer.status, 403, "{}", answer.body);
    }
    fs::remove_file(folder.path().join("link.json")).unwrap();
    assert_eq!(server.sql("SHOW TABLES"), "");
    server.sql(&table(&inside.join("rows.json").display().to_string()));
    assert_eq!(server.sql("SELECT SUM(id) FROM f").trim(), "3");
}

#[test]
fn mistakes_in_sql_are_shown_where_they_are() {
    let server = Server::start();
    server.sql("CREATE TABLE orders (id INT, price INT)");
    // Flink's dialect and PostgreSQL's: both point at the name.
    for sql in ["INSERT INTO orders SELECT id, pric FROM orders", "SELECT id, pric FROM orders"] {
        let said = server.sql_error(sql);
        assert!(said.contains("column 'pric' does not exist"), "{said}");
        assert!(said.contains(&format!("LINE 1: {sql}")), "{said}");
        let caret = said.lines().find(|l| l.trim() == "^").unwrap_or_else(|| panic!("no caret:\n{said}"));
        assert_eq!(caret.find('^'), Some("LINE 1: ".len() + sql.find("pric").unwrap()), "{said}");
        assert!(said.contains("did you mean") && said.contains("price"), "{said}");
    }
    // Not the first statement of what was sent.
    let said = server.sql_error("SELECT 1; SELECT pric FROM orders");
    assert!(said.lines().any(|l| l.find('^') == Some("LINE 1: SELECT 1; SELECT ".len())), "{said}");

    let said = server.sql_error("CREATE TABLE x (a INT) WITH ('connector' = 'print', 'print-identifer' = 'x')");
    assert!(said.contains("connector 'print' has no option 'print-identifer'"), "{said}");
    assert!(said.contains("did you mean 'print-identifier'?") && said.contains("^"), "{said}");
    let said = server.sql_error("CREATE TABLE x (a INT) WITH ('partition' = '2')");
    assert!(said.contains("has no option 'partition'") && said.contains("partitions"), "{said}");
    assert!(server.sql_error("SELECT * FROM order_s").contains("order_s"));
    assert_eq!(server.sql("SHOW TABLES").trim(), "orders");
}

fn script(command: &str, text: &str) -> Run {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("script.sql");
    fs::write(&file, text).unwrap();
    arus_command(&[command, file.to_str().unwrap()], "")
}

#[test]
fn check_and_run_say_how_they_ended() {
    let good = "CREATE TABLE g (id INT) WITH ('connector' = 'datagen', 'number-of-rows' = '3', \
        'fields.id.kind' = 'sequence', 'fields.id.start' = '1', 'fields.id.end' = '3');\n\
        CREATE TABLE p (id INT) WITH ('connector' = 'print');\nINSERT INTO p SELECT id * 10 FROM g;\n";
    let run = script("run", good);
    assert_eq!((run.code, run.stdout.as_str()), (Some(0), "+I[10]\n+I[20]\n+I[30]\n"), "{}", run.stderr);
    assert_eq!(script("check", good).code, Some(0));

    let bad = "CREATE TABLE orders (id INT, price INT) WITH ('connector' = 'datagen');\n\n\
        SELECT id,\n       pric\nFROM orders;\n";
    for command in ["check", "run"] {
        let run = script(command, bad);
        assert_eq!(run.code, Some(1), "{command}: {}", run.stderr);
        for part in ["script.sql", "column 'pric' does not exist", "line 4, column 8", "did you mean 'price'?"] {
            assert!(run.stderr.contains(part), "{command}: '{part}' is missing:\n{}", run.stderr);
        }
        let lines: Vec<&str> = run.stderr.lines().collect();
        let shown = lines.iter().position(|l| l.contains("       pric")).expect("the line is shown");
        let place = lines[shown].find("pric").unwrap();
        assert_eq!(lines[shown + 1].find('^'), Some(place), "{command}: {}", run.stderr);
    }
    let run = script("run", "SELECT 1");
    assert_eq!((run.code, run.stdout.as_str()), (Some(0), "+I[1]\n"), "{}", run.stderr);
    let run = arus_command(&["run", "no-such-file.sql"], "");
    assert_eq!(run.code, Some(1));
    assert!(run.stderr.contains("file 'no-such-file.sql' does not exist"), "{}", run.stderr);
    assert_eq!(arus_command(&["--no-such-flag"], "").code, Some(1));
    assert_eq!(arus_command(&["version"], "").code, Some(0));
}
