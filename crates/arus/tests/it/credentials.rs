//! The command line against a server that asks for a password and speaks TLS: `arus sql`, `apply`, `top` and `backup`, what
//! they say when they are not let in, and the rights of what a project drops.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::server::Server;

struct Run {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

/// In a folder of its own, without a terminal.
fn arus(folder: &Path, password: Option<&str>, args: &[&str]) -> Run {
    let mut command = Command::new("timeout");
    command.arg("120").arg(env!("CARGO_BIN_EXE_arus")).args(args).current_dir(folder).stdin(Stdio::null());
    for variable in ["ARUS_URL", "ARUS_USER", "ARUS_PASSWORD", "ARUS_CA", "ARUS_DATA", "ARUS_HTTP_PORT"] {
        command.env_remove(variable);
    }
    if let Some(password) = password {
        command.env("ARUS_PASSWORD", password);
    }
    let output = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Run { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

#[track_caller]
fn done(run: Run) -> String {
    assert_eq!(run.code, Some(0), "{}{}", run.stdout, run.stderr);
    run.stdout + &run.stderr
}

#[test]
fn commands_come_in_with_a_password_and_trust_an_authority() {
    let server = Server::start_with(&["--listen", "0.0.0.0", "--advertise", "localhost"]);
    let told = server.stderr();
    let password = told.lines().skip_while(|l| !l.contains("made the user admin")).nth(1).map(str::trim).unwrap();
    assert!(told.contains(&format!("console   https://localhost:{}", server.http)), "{told}");
    let psql = format!("sslmode=verify-full sslrootcert={}", server.data().join("tls/ca.pem").display());
    assert!(told.contains(&psql) && told.contains("host=localhost port="), "{told}");
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let (url, ca) = (format!("https://localhost:{}", server.http), server.data().join("tls/ca.pem"));
    let ca = ca.display().to_string();
    let sql = ["sql", "--url", &url, "-e", "SHOW TABLES"];
    let with = |more: &[&'static str]| [&sql[..], more].concat();
    let plain = format!("http://localhost:{}", server.http);
    let trusted = [&sql[..], &["--ca", &ca]].concat();
    let admin = [&trusted[..], &["--user", "admin"]].concat();

    // ---- not let in
    for (args, password, told, hint) in [
        (with(&["-U", "admin"]), Some(password), "is not trusted", "--ca FILE"),
        (trusted.clone(), None, "asks for a user and a password", "--user NAME"),
        (admin.clone(), None, "there is no password for 'admin'", "ARUS_PASSWORD"),
        (admin.clone(), Some("wr0ng-pl4nted"), "does not let 'admin' in", "log"),
        (vec!["sql", "--url", &plain, "-e", "SHOW TABLES"], None, "does not answer in HTTP", "--url https://"),
        (
            vec!["sql", "--url", "http://db.example.com", "-U", "x"],
            Some("pl4nted"),
            "by https:// alone",
            "--url https://",
        ),
        (vec!["sql", "--url", "https://ann:pl4nted@db"], None, "the user does not belong there", "--user"),
    ] {
        let run = arus(here, password, &args);
        assert_eq!(run.code, Some(1), "{args:?}: {}{}", run.stdout, run.stderr);
        assert!(run.stderr.contains(told) && run.stderr.contains(hint), "{args:?}: {}", run.stderr);
        assert!(!run.stderr.contains("pl4nted"), "{}", run.stderr);
    }
    let address = format!("https://127.0.0.2:{}", server.http);
    let run = arus(here, Some(password), &["sql", "--url", &address, "--ca", &ca, "-U", "admin", "-e", "SHOW TABLES"]);
    assert!(run.stderr.contains("is not for the name '127.0.0.2'"), "{}", run.stderr);

    // ---- let in
    done(arus(here, Some(password), &admin));
    // On its own machine a server is found by its flags, and its authority in its folder.
    let (data, port) = (server.data().display().to_string(), server.http.to_string());
    let flags = ["--data", &data, "--listen", "0.0.0.0", "--http-port", &port, "-U", "admin"];
    done(arus(here, Some(password), &[&["sql", "-e", "CREATE TABLE other (id INT)"], &flags[..]].concat()));
    let top = done(arus(here, Some(password), &[&["top", "--once"], &flags[..]].concat()));
    assert!(top.contains("pipeline"), "{top}");
    let copy = here.join("copy");
    done(arus(here, Some(password), &[&["backup", copy.to_str().unwrap()], &flags[..]].concat()));
    // What a backup lists and copies has no key and no password.
    let found =
        Command::new("grep").args(["-rlaE", "--"]).arg(format!("PRIVATE KEY|{password}")).arg(&copy).output().unwrap();
    assert!(found.stdout.is_empty(), "{}", String::from_utf8_lossy(&found.stdout));

    // ---- a project that names its server
    let project = here.join("shop");
    fs::create_dir_all(project.join("pipelines")).unwrap();
    fs::copy(server.data().join("tls/ca.pem"), project.join("ca.pem")).unwrap();
    fs::write(project.join("arus.toml"), format!("url = \"{url}\"\nuser = \"admin\"\nca = \"ca.pem\"\n")).unwrap();
    let apply = |tables: &str| {
        fs::write(project.join("pipelines/a.sql"), tables).unwrap();
        done(arus(here, Some(password), &["apply", "shop", "--yes", "--lose-rows"]))
    };
    let run = |sql: &str| done(arus(here, Some(password), &[&["sql", "-e", sql], &flags[..]].concat()));
    apply("CREATE TABLE kept (id INT);\nCREATE TABLE old_name (id INT, a STRING);\nCREATE TABLE gone (id INT);\n");
    run("CREATE USER ann WITH PASSWORD 'pl4nted'");
    run("GRANT SELECT ON kept, old_name, gone, other TO ann");
    let grants = || run("SET 'execution.runtime-mode' = 'batch'; SHOW GRANTS FOR ann");
    assert!(grants().contains("gone"), "{}", grants());
    let plan = apply("CREATE TABLE kept (id INT);\nCREATE TABLE new_name (id INT, a STRING);\n");
    assert!(plan.contains("rename"), "{plan}");
    let left = grants();
    assert!(left.contains("kept") && left.contains("new_name") && left.contains("other"), "{left}");
    assert!(!left.contains("gone") && !left.contains("old_name"), "{left}");
    apply("CREATE TABLE kept (id INT);\nCREATE TABLE new_name (id INT, a STRING);\nCREATE TABLE gone (id INT);\n");
    let ann = [&["sql", "-e", "SELECT * FROM gone"], &flags[..6], &["-U", "ann"]].concat();
    let denied = arus(here, Some("pl4nted"), &ann);
    assert!(denied.code == Some(1) && denied.stderr.contains("gone"), "{}{}", denied.stdout, denied.stderr);
    assert!(!server.stderr().contains("pl4nted"), "{}", server.stderr());
}
