//! Users, roles and rights at every door, with the clients that people use: what is denied is denied everywhere, with the
//! code that the protocol has for it, and logged; and a password is nowhere to be found.

use std::path::Path;
use std::process::Command;

use crate::server::{Run, Server, client, wait_until};

/// Of every user: planted to be looked for afterwards.
const SECRET: &str = "pl4nted-Secret";

/// One client at one door.
#[derive(Clone, Copy)]
struct Client<'a> {
    server: &'a Server,
    user: &'a str,
    password: &'a str,
    /// The certificate to trust; `None`: no TLS.
    ca: Option<&'a Path>,
    host: &'a str,
}

impl<'a> Client<'a> {
    fn of(server: &'a Server, user: &'a str) -> Self {
        Client { server, user, password: SECRET, ca: None, host: "127.0.0.1" }
    }

    fn with_password(self, password: &'a str) -> Self {
        Client { password, ..self }
    }

    fn psql(self, sql: &str) -> Run {
        let mode =
            self.ca.map_or("sslmode=disable".into(), |ca| format!("sslmode=verify-full sslrootcert={}", ca.display()));
        let text = format!(
            "host={} port={} user='{}' password='{}' dbname=arus connect_timeout=60 {mode}",
            self.host, self.server.pg, self.user, self.password
        );
        let args = ["-X", "-At", "-v", "ON_ERROR_STOP=1", "-v", "VERBOSITY=verbose", "-d", &text, "-c", sql];
        client("psql", "postgresql-client", &args, b"")
    }

    /// Status and body.
    fn http(self, method: &str, path: &str, body: &str) -> (String, String) {
        let scheme = if self.ca.is_some() { "https" } else { "http" };
        let url = format!("{scheme}://{}:{}{path}", self.host, self.server.http);
        let login = format!("{}:{}", self.user, self.password);
        let mut args =
            vec!["-sS", "-m", "60", "-X", method, "-w", "\n%{http_code}", "-H", "Content-Type: application/json"];
        let ca = self.ca.map(|ca| ca.display().to_string()).unwrap_or_default();
        if self.ca.is_some() {
            args.extend(["--cacert", &ca]);
        }
        if !self.user.is_empty() {
            args.extend(["-u", &login]);
        }
        if !body.is_empty() {
            args.extend(["-d", body]);
        }
        args.push(&url);
        let run = client("curl", "curl", &args, b"");
        let (text, status) = run.stdout.rsplit_once('\n').unwrap_or(("", "000"));
        (status.to_string(), format!("{text}{}", run.stderr))
    }

    fn sql(self, sql: &str) -> (String, String) {
        self.http("POST", "/v1/sql", &serde_json::json!({ "sql": sql }).to_string())
    }

    fn kcat(self, mechanism: &str, args: &[&str], input: &str) -> Run {
        let broker = format!("{}:{}", self.host, self.server.kafka);
        let protocol = format!("security.protocol={}", if self.ca.is_some() { "SASL_SSL" } else { "SASL_PLAINTEXT" });
        let mechanism = format!("sasl.mechanism={mechanism}");
        let (user, password) = (format!("sasl.username={}", self.user), format!("sasl.password={}", self.password));
        let ca = format!("ssl.ca.location={}", self.ca.map(|ca| ca.display().to_string()).unwrap_or_default());
        let mut all = vec!["-b", &broker, "-m", "10", "-X", &protocol, "-X", &mechanism, "-X", &user, "-X", &password];
        if self.ca.is_some() {
            all.extend(["-X", &ca]);
        }
        client("kcat", "kcat", &[&all, args].concat(), input.as_bytes())
    }

    fn produce(self, topic: &str) -> Run {
        self.kcat("SCRAM-SHA-256", &["-P", "-X", "message.timeout.ms=50000", "-t", topic], "{\"id\":7}\n")
    }

    fn consume(self, topic: &str) -> Run {
        self.kcat("SCRAM-SHA-256", &["-C", "-q", "-o", "beginning", "-e", "-t", topic], "")
    }
}

#[track_caller]
fn done(run: Run) -> String {
    assert!(run.ok, "{}{}", run.stdout, run.stderr);
    run.stdout
}

/// The first user, then a table each may do something with.
fn peopled(server: &Server) -> Client<'_> {
    let told = server.psql(&["-c", &format!("CREATE USER root WITH PASSWORD '{SECRET}'")], "");
    assert!(told.ok && told.stderr.contains("every door asks for a password"), "{}", told.stderr);
    let root = Client::of(server, "root");
    for sql in [
        "CREATE TABLE open_t (id INT)",
        "CREATE TABLE shut_t (id INT, secret STRING)",
        "CREATE TABLE keyed_t (id INT, n INT, PRIMARY KEY (id) NOT ENFORCED)",
        "INSERT INTO open_t VALUES (1)",
        "INSERT INTO shut_t VALUES (1, 'x')",
        "INSERT INTO keyed_t VALUES (1, 1)",
        "CREATE VIEW window_v AS SELECT id FROM shut_t",
        "CREATE ROLE readers",
        "GRANT SELECT ON open_t, window_v, keyed_t TO readers",
        &format!("CREATE USER reader WITH PASSWORD '{SECRET}'"),
        &format!("CREATE USER writer WITH PASSWORD '{SECRET}'"),
        &format!("CREATE USER nothing WITH PASSWORD '{SECRET}'"),
        &format!("CREATE USER watcher WITH PASSWORD '{SECRET}'"),
        &format!("CREATE USER late WITH PASSWORD '{SECRET}' VALID UNTIL '2001-01-01'"),
        "GRANT readers TO reader, late",
        "GRANT INSERT ON open_t, keyed_t TO writer",
        "GRANT monitor TO watcher",
    ] {
        done(root.psql(sql));
    }
    let found = "SELECT (SELECT COUNT(*) FROM open_t), (SELECT COUNT(*) FROM shut_t), (SELECT COUNT(*) FROM keyed_t)";
    wait_until("the rows are readable", || done(root.psql(found)).trim() == "1|1|1");
    root
}

const USERS: [&str; 5] = ["root", "reader", "writer", "watcher", "nothing"];

#[test]
fn what_is_denied_is_denied_at_every_door() {
    let server = Server::start();
    peopled(&server);
    let mut denials = 0;
    for user in USERS {
        let c = Client::of(&server, user);
        for (table, reads, writes) in [
            ("open_t", ["root", "reader"].as_slice(), ["root", "writer"].as_slice()),
            ("shut_t", &["root"], &["root"]),
            ("window_v", &["root", "reader"], &[]),
            ("keyed_t", &["root", "reader"], &["root", "writer"]),
            ("missing_t", &[], &[]),
        ] {
            let what = format!("{user} on {table}");
            let (may_read, may_write) = (reads.contains(&user), writes.contains(&user));
            let missing = table == "missing_t" && user == "root";
            if missing {
                continue;
            }
            // ---- reads
            let read = c.psql(&format!("SELECT id FROM {table}"));
            assert_eq!(read.ok, may_read, "psql: {what}: {}", read.stderr);
            let flink = c.psql(&format!("SET 'arus.dialect' = 'flink'; SELECT id FROM {table}"));
            assert_eq!(flink.ok, may_read, "psql, flink: {what}: {}", flink.stderr);
            let explain = c.psql(&format!("EXPLAIN SELECT id FROM {table}"));
            assert_eq!(explain.ok, may_read, "explain: {what}: {}", explain.stderr);
            let (status, body) = c.sql(&format!("SELECT id FROM {table}"));
            assert_eq!(status, if may_read { "200" } else { "403" }, "/v1/sql: {what}: {body}");
            let query = serde_json::json!({"sql": format!("SELECT id FROM {table}")}).to_string();
            let (status, body) = c.http("POST", "/v1/console/query", &query);
            assert_eq!(status, if may_read { "200" } else { "403" }, "console: {what}: {body}");
            let (status, body) = c.http("GET", &format!("/v1/console/tables/{table}/newest"), "");
            assert_eq!(status, if may_read { "200" } else { "403" }, "newest: {what}: {body}");
            if !may_read {
                denials += 1;
                for run in [&read, &flink, &explain] {
                    assert!(run.stderr.contains("42501"), "{what}: {}", run.stderr);
                }
                for side in ["quarantine", "late"] {
                    let run = c.psql(&format!("SELECT * FROM \"{table}${side}\""));
                    assert!(run.stderr.contains("42501"), "{what}: {side}: {}", run.stderr);
                }
                let (status, _) = c.http("GET", &format!("/v1/tables/{table}/changes"), "");
                assert_eq!(status, "403", "changes: {what}");
                let (status, _) = c.http(
                    "POST",
                    "/v1/sql",
                    &serde_json::json!({"sql": format!("SELECT * FROM {table}"), "stream": true}).to_string(),
                );
                assert_eq!(status, "403", "stream: {what}");
            }
            // ---- writes
            if table == "window_v" {
                continue;
            }
            let columns = if table == "keyed_t" {
                "(7, 1)"
            } else if table == "shut_t" {
                "(7, 'y')"
            } else {
                "(7)"
            };
            let write = c.psql(&format!("INSERT INTO {table} VALUES {columns}"));
            assert_eq!(write.ok, may_write, "insert: {what}: {}", write.stderr);
            let (status, body) = c.http("POST", &format!("/v1/tables/{table}/rows"), "{\"id\":7}");
            assert_eq!(status, if may_write { "200" } else { "403" }, "rows: {what}: {body}");
            if !may_write {
                denials += 1;
                assert!(write.stderr.contains("42501"), "{what}: {}", write.stderr);
            }
            // ---- Kafka: topics alone
            if table == "keyed_t" {
                continue;
            }
            let produced = c.produce(table);
            let refused = produced.stderr.contains("Topic authorization failed");
            assert_eq!(refused, !may_write, "produce: {what}: {}", produced.stderr);
            let consumed = c.consume(table);
            let refused = consumed.stderr.contains("Topic authorization failed");
            assert_eq!(refused, !may_read, "consume: {what}: {}", consumed.stderr);
            assert!(may_read || consumed.stdout.is_empty(), "{what}: {}", consumed.stdout);
        }
    }
    assert!(denials > 20, "{denials}");
    let log = server.stderr();
    for (user, door) in USERS[1..].iter().flat_map(|user| ["postgres", "http", "kafka"].map(|door| (user, door))) {
        let logged = |line: &&str| line.contains("denied: ") && line.contains(*user) && line.contains(door);
        assert!(log.lines().any(|line| logged(&line)), "{user} at {door} is not in the log:\n{log}");
    }
    // Lists show what may be used.
    let list = |user| done(Client::of(&server, user).kcat("SCRAM-SHA-256", &["-L"], ""));
    assert!(list("root").contains("\"shut_t\"") && !list("reader").contains("\"shut_t\""));
    assert!(list("reader").contains("\"open_t\"") && !list("nothing").contains("\"open_t\""));
    assert_eq!(done(Client::of(&server, "reader").psql("SHOW TABLES")), "keyed_t\nopen_t\nwindow_v\n");
}

#[test]
fn admins_alone_change_things() {
    let server = Server::start();
    let root = peopled(&server);
    for sql in [
        "CREATE TABLE mine (id INT)",
        "CREATE VIEW v AS SELECT id FROM shut_t",
        "CREATE MATERIALIZED TABLE m AS SELECT id FROM open_t",
        "INSERT INTO open_t SELECT id FROM open_t",
        "DROP TABLE open_t",
        "ALTER TABLE open_t RENAME TO taken",
        "STOP JOB 'x'",
        "SHOW JOBS",
        "CREATE ALERT a ON (SELECT COUNT(*) AS n FROM open_t)",
        "ALTER ALERT a SILENCE",
        "DROP ALERT a",
        "SHOW ALERTS",
        "EXPLAIN ALERT a LAST INTERVAL '1' DAY",
        "EXPLAIN ANALYZE open_t",
        "ALTER TABLE open_t REPLAY QUARANTINE",
        "UPDATE keyed_t SET n = 2 WHERE id = 1",
        "DELETE FROM keyed_t WHERE id = 1",
        "CREATE USER eve WITH PASSWORD 'e'",
        "ALTER USER reader WITH PASSWORD 'mine'",
        "DROP USER root",
        "GRANT admin TO reader",
        "GRANT SELECT ON shut_t TO reader",
        "REVOKE readers FROM reader",
        "CREATE ROLE r",
        "SHOW USERS",
        "SHOW GRANTS FOR root",
        "SELECT * FROM arus.epochs",
    ] {
        let run = Client::of(&server, "reader").psql(sql);
        assert!(!run.ok && run.stderr.contains("42501"), "{sql}: {}{}", run.stdout, run.stderr);
        let (status, body) = Client::of(&server, "reader").sql(sql);
        assert_eq!(status, "403", "{sql}: {body}");
    }
    let (status, _) = Client::of(&server, "reader").http("POST", "/v1/backup", "{}");
    assert_eq!(status, "403");
    for (user, expected) in [("reader", "403"), ("watcher", "200"), ("root", "200")] {
        assert_eq!(Client::of(&server, user).http("GET", "/metrics", "").0, expected, "{user}");
    }
    done(Client::of(&server, "watcher").psql("SELECT name FROM arus.tables"));
    // A watched panel shows what its reader may read.
    let panel = |id: &str, table: &str| format!(r#"{{"id": "{id}", "sql": "SELECT * FROM {table}", "last_ms": 1}}"#);
    let body = format!(r#"{{"once": true, "panels": [{}, {}]}}"#, panel("a", "keyed_t"), panel("b", "shut_t"));
    let (status, told) = Client::of(&server, "reader").http("POST", "/v1/console/watch", &body);
    assert_eq!(status, "200", "{told}");
    assert!(told.contains(r#""panel":"a""#) && told.contains(r#""data""#), "{told}");
    let denied = told.lines().find(|line| line.contains(r#""panel":"b""#)).unwrap_or_default();
    assert!(denied.contains("error") && denied.contains("shut_t") && !denied.contains("data"), "{told}");
    // What is told of oneself.
    let own = done(Client::of(&server, "reader").psql("SHOW GRANTS"));
    assert!(own.contains("readers|SELECT|") && !own.contains("writer"), "{own}");
    // A right may be taken back, and goes with its table.
    done(root.psql("GRANT UPDATE, DELETE ON keyed_t TO reader"));
    done(Client::of(&server, "reader").psql("UPDATE keyed_t SET n = 2 WHERE id = 1"));
    done(root.psql("REVOKE ALL ON keyed_t FROM readers"));
    let run = Client::of(&server, "reader").psql("SELECT * FROM keyed_t");
    assert!(run.stderr.contains("42501"), "{}", run.stderr);
    done(root.psql("DROP TABLE open_t"));
    done(root.psql("CREATE TABLE open_t (id INT, other STRING)"));
    assert!(Client::of(&server, "reader").psql("SELECT * FROM open_t").stderr.contains("42501"));
    for (sql, code) in [
        ("DROP USER root", "55006"),
        ("REVOKE admin FROM root", "55006"),
        ("GRANT SELECT ON nowhere TO reader", "42P01"),
        ("CREATE USER reader WITH PASSWORD 'x'", "42P07"),
        ("GRANT admin TO nobody", "22023"),
    ] {
        let run = root.psql(sql);
        assert!(!run.ok && run.stderr.contains(code), "{sql}: {}", run.stderr);
    }
}

#[test]
fn wrong_missing_and_expired_passwords() {
    let mut server = Server::start();
    peopled(&server);
    // It is all there after a crash.
    server.kill();
    server.restart();
    let failed = [("reader", "wrong"), ("late", SECRET), ("stranger", SECRET), ("reader", "")];
    for (user, password) in failed {
        let c = Client::of(&server, user).with_password(password);
        let run = c.psql("SELECT 1");
        assert!(!run.ok, "{user}: {}", run.stdout);
        if !password.is_empty() {
            assert!(
                run.stderr.contains(&format!("password authentication failed for user '{user}'")),
                "{}",
                run.stderr
            );
        }
        let (status, body) = c.sql("SELECT 1");
        assert_eq!(status, "401", "{user}: {body}");
        let run = c.kcat("SCRAM-SHA-256", &["-L"], "");
        assert!(!run.ok && (run.stderr.contains("uthentication") || password.is_empty()), "{user}: {}", run.stderr);
    }
    // Nobody at all.
    let nobody = Client::of(&server, "").with_password("");
    for (method, path, body) in [
        ("POST", "/v1/sql", "{\"sql\":\"SELECT 1\"}"),
        ("POST", "/v1/tables/open_t/rows", "{\"id\":1}"),
        ("GET", "/v1/tables/open_t/changes", ""),
        ("GET", "/v1/console/events", ""),
        ("GET", "/v1/console/server", ""),
        ("GET", "/v1/console/dashboards", ""),
        ("POST", "/v1/console/query", "{\"sql\":\"SELECT 1\"}"),
        ("POST", "/v1/complete", "{\"before\":\"\"}"),
        ("POST", "/v1/backup", "{}"),
        ("GET", "/v1/session", ""),
        ("GET", "/metrics", ""),
    ] {
        assert_eq!(nobody.http(method, path, body).0, "401", "{path}");
    }
    assert_eq!(nobody.http("GET", "/healthz", ""), ("200".into(), "ok\n".into()));
    let run = server.kcat(&["-L"], "");
    assert!(!run.ok, "{}", run.stdout);
    // A password in the clear only inside TLS.
    let run = Client::of(&server, "reader").kcat("PLAIN", &["-L"], "");
    assert!(!run.ok && run.stderr.contains("PLAIN"), "{}", run.stderr);
    let log = server.stderr();
    for reason in ["the password is wrong", "the password has expired", "there is no such user"] {
        assert!(log.contains(&format!("a login failed: {reason}")), "{log}");
    }
}

#[test]
fn a_token_is_a_login_that_ends() {
    let server = Server::start();
    let root = peopled(&server);
    let login = serde_json::json!({"user": "reader", "password": SECRET, "token": true}).to_string();
    let (status, body) = Client::of(&server, "").http("POST", "/v1/session", &login);
    assert_eq!(status, "200", "{body}");
    let token = serde_json::from_str::<serde_json::Value>(&body).unwrap()["token"].as_str().unwrap().to_string();
    let with = |header: &str, method: &str, path: &str| {
        let url = format!("http://127.0.0.1:{}{path}", server.http);
        let run = client(
            "curl",
            "curl",
            &["-sS", "-i", "-m", "60", "-X", method, "-H", "Content-Type: application/json", "-H", header, &url],
            b"",
        );
        run.stdout
    };
    let bearer = format!("Authorization: Bearer {token}");
    assert!(with(&bearer, "GET", "/v1/session").contains("\"reader\""));
    assert!(with(&bearer, "GET", "/v1/console/tables/shut_t/newest").starts_with("HTTP/1.1 403"));
    assert!(with(&bearer, "DELETE", "/v1/session").starts_with("HTTP/1.1 200"));
    assert!(with(&bearer, "GET", "/v1/session").starts_with("HTTP/1.1 401"));
    // The console's login: no script sees it, no other site sends it; another password ends it.
    let url = format!("http://127.0.0.1:{}/v1/session", server.http);
    let login = serde_json::json!({"user": "reader", "password": SECRET}).to_string();
    let run = client("curl", "curl", &["-sS", "-i", "-H", "Content-Type: application/json", "-d", &login, &url], b"");
    let line = run.stdout.lines().find(|l| l.to_ascii_lowercase().starts_with("set-cookie: ")).unwrap_or_default();
    assert!(line.contains("HttpOnly") && line.contains("SameSite=Strict"), "{}", run.stdout);
    assert!(!run.stdout.contains("token"), "{}", run.stdout);
    let cookie = format!("Cookie: {}", line["set-cookie: ".len()..].split(';').next().unwrap());
    assert!(with(&cookie, "GET", "/v1/session").contains("\"reader\""));
    done(root.psql(&format!("ALTER USER reader WITH PASSWORD '{SECRET}2'")));
    assert!(with(&cookie, "GET", "/v1/session").starts_with("HTTP/1.1 401"));
}

#[test]
fn whoever_is_dropped_goes_on_no_longer() {
    let server = Server::start();
    let root = peopled(&server);
    let text = format!("host=127.0.0.1 port={} user=reader password={SECRET} dbname=arus sslmode=disable", server.pg);
    let script = format!(
        "SELECT id FROM open_t LIMIT 1;\n\\! PGPASSWORD={SECRET} psql -X -q -h 127.0.0.1 -p {} -U root -d arus -c 'DROP USER reader'\nSELECT id FROM open_t LIMIT 1;\n",
        server.pg
    );
    let run =
        client("psql", "postgresql-client", &["-X", "-At", "-v", "VERBOSITY=verbose", "-d", &text], script.as_bytes());
    assert!(run.stdout.starts_with("1\n") && run.stderr.contains("28000"), "{}{}", run.stdout, run.stderr);
    // Another user of the name is another one.
    done(root.psql(&format!("CREATE USER reader WITH PASSWORD '{SECRET}'")));
    assert!(Client::of(&server, "reader").psql("SELECT id FROM open_t").stderr.contains("42501"));
}

/// All text below a folder that holds this.
fn files_with(folder: &Path, text: &str) -> String {
    let run = Command::new("grep").args(["-rla", "--", text]).arg(folder).output().unwrap();
    String::from_utf8_lossy(&run.stdout).into_owned()
}

#[test]
fn a_password_is_nowhere() {
    let server = Server::start();
    let root = peopled(&server);
    let mut told = String::new();
    for sql in [
        "SHOW USERS".to_string(),
        "SHOW GRANTS".into(),
        "SHOW ROLES".into(),
        "SELECT * FROM arus.tables".into(),
        "SELECT * FROM arus.settings".into(),
        "SELECT * FROM arus.pipelines".into(),
        "EXPLAIN SELECT * FROM open_t".into(),
        "SHOW CREATE TABLE open_t".into(),
        format!("CREATE USER broken PASWORD '{SECRET}'"),
        format!("CREATE USER reader WITH PASSWORD '{SECRET}'"),
        format!("ALTER USER reader '{SECRET}'"),
        format!("CREATE USER `a b c` WITH PASSWORD '{SECRET}'"),
        format!("ALTER USER root VALID UNTIL '{SECRET}'"),
        format!("EXPLAIN CREATE USER x WITH PASSWORD '{SECRET}'"),
    ] {
        // psql shows the line that it has sent itself: HTTP's answer is the server's alone.
        told.push_str(&root.sql(&sql).1);
        let run = root.psql(&sql);
        told.push_str(&run.stdout);
        told.extend(run.stderr.lines().filter(|l| !l.starts_with("LINE ")).map(|l| format!("{l}\n")));
    }
    told.push_str(&root.http("POST", "/v1/session", &format!("{{\"user\":\"root\",\"pass\":\"{SECRET}\"}}")).1);
    told.push_str(&root.http("GET", "/metrics", "").1);
    told.push_str(&root.http("GET", "/v1/console/server", "").1);
    let backup = tempfile::tempdir().unwrap();
    drop(Client::of(&server, "reader").with_password("wrong").psql("SELECT 1"));
    assert!(!told.contains(SECRET), "{told}");
    assert!(!told.contains("SCRAM-SHA-256$"), "{told}");
    let log = server.stderr();
    assert!(!log.contains(SECRET) && !log.contains("SCRAM-SHA-256$"), "{log}");
    wait_until("a checkpoint", || root.http("GET", "/metrics", "").1.contains("arus_checkpoints_total"));
    assert_eq!(files_with(server.data(), SECRET), "");
    drop(backup);
}

// ---- TLS ------------------------------------------------------------------------------------------------

/// A certificate that signs itself, for localhost.
fn certificate(folder: &Path, name: &str) -> (std::path::PathBuf, std::path::PathBuf) {
    let (cert, key) = (folder.join(format!("{name}.pem")), folder.join(format!("{name}.key")));
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"])
        .args(["-subj", &format!("/CN={name}"), "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout"])
        .arg(&key)
        .arg("-out")
        .arg(&cert)
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    (cert, key)
}

/// Every door lets this client in, or none does.
#[track_caller]
fn at_every_door(c: Client<'_>, comes_in: bool) -> String {
    let psql = c.psql("SELECT 1");
    let (status, body) = c.http("GET", "/v1/session", "");
    let kcat = c.kcat("SCRAM-SHA-256", &["-X", "broker.address.family=v4", "-L"], "");
    let told = format!("psql: {}\nhttp: {status} {body}\nkcat: {}", psql.stderr, kcat.stderr);
    assert_eq!((psql.ok, status == "200", kcat.ok), (comes_in, comes_in, comes_in), "{told}");
    told
}

#[test]
fn another_address_asks_for_passwords_and_speaks_tls() {
    // Whoever connects has both a password and the authority: nothing else of this machine can.
    let mut server = Server::start_with(&["--listen", "0.0.0.0", "--advertise", "localhost"]);
    let first = server.stderr();
    let password = first.lines().skip_while(|l| !l.contains("made the user admin")).nth(1).map(str::trim);
    let password = password.unwrap_or_else(|| panic!("no password of the admin:\n{first}"));
    assert!(first.contains("made a certificate authority"), "{first}");
    let ca = server.data().join("tls/ca.pem");
    let folder = tempfile::tempdir().unwrap();
    let (other, _) = certificate(folder.path(), "other");
    let secure = Client { server: &server, user: "admin", password, ca: Some(&ca), host: "localhost" };
    at_every_door(secure, true);
    done(secure.kcat("PLAIN", &["-X", "broker.address.family=v4", "-L"], ""));
    let told = at_every_door(Client { ca: Some(&other), ..secure }, false);
    assert!(told.matches("erif").count() >= 3, "an unknown authority is told by every client:\n{told}");
    at_every_door(secure.with_password("wrong"), false);
    let clear = Client { ca: None, ..secure };
    assert!(clear.psql("SELECT 1").stderr.contains("TLS alone"));
    assert_eq!(clear.http("GET", "/healthz", "").0, "000");
    assert!(!clear.kcat("SCRAM-SHA-256", &["-L"], "").ok);
    for key in ["ca-key.pem", "server-key.pem"] {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(server.data().join("tls").join(key)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{key}");
    }
    assert_eq!(files_with(server.data(), password), "");
    // Once, and never again, unless somebody with the machine asks for it.
    let password = password.to_string();
    assert_eq!(server.stop("-TERM"), Some(0));
    server.restart();
    assert!(!server.stderr().contains("made the"), "{}", server.stderr());
    at_every_door(
        Client { server: &server, user: "admin", password: &password, ca: Some(&ca), host: "localhost" },
        true,
    );
    assert_eq!(server.stop("-TERM"), Some(0));
    server.restart_with(&["--listen", "0.0.0.0", "--advertise", "localhost", "--reset-admin"]);
    let again = server.stderr();
    let fresh = again.lines().skip_while(|l| !l.contains("made the user admin")).nth(1).map(str::trim).unwrap();
    let c = Client { server: &server, user: "admin", password: fresh, ca: Some(&ca), host: "localhost" };
    at_every_door(c, true);
    at_every_door(c.with_password(&password), false);
}

#[test]
fn a_given_certificate_is_read_again_at_a_signal() {
    let folder = tempfile::tempdir().unwrap();
    let (cert, key) = certificate(folder.path(), "one");
    let (next, next_key) = certificate(folder.path(), "two");
    let (cert_text, key_text) = (cert.display().to_string(), key.display().to_string());
    let server = Server::start_with(&["--tls-cert", &cert_text, "--tls-key", &key_text]);
    let one = folder.path().join("one-trusted.pem");
    std::fs::copy(&cert, &one).unwrap();
    // On loopback without users nobody is asked, with TLS or without.
    let c = Client { server: &server, user: "arus", password: "", ca: Some(&one), host: "localhost" };
    done(c.psql("SELECT 1"));
    std::fs::copy(&next, &cert).unwrap();
    std::fs::copy(&next_key, &key).unwrap();
    let hung = Command::new("kill").args(["-HUP", &server.pid().to_string()]).status().unwrap();
    assert!(hung.success());
    let c = Client { ca: Some(&next), ..c };
    wait_until("the other certificate", || c.psql("SELECT 1").ok && c.http("GET", "/healthz", "").0 == "200");
    // What cannot be read changes nothing.
    std::fs::write(&cert, "nothing").unwrap();
    let hung = Command::new("kill").args(["-HUP", &server.pid().to_string()]).status().unwrap();
    assert!(hung.success());
    wait_until("the refusal", || server.stderr().contains("stays as it was"));
    done(c.psql("SELECT 1"));
}

#[test]
fn the_guide_is_right() {
    let guide = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/security.md");
    let guide = std::fs::read_to_string(guide).unwrap();
    let sql = guide.split("```sql\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let server = Server::start();
    let root = peopled(&server);
    done(root.psql("CREATE TABLE orders (id INT)"));
    done(root.psql("CREATE TABLE revenue (id INT)"));
    for statement in sql.lines().filter(|l| !l.is_empty()) {
        done(root.psql(statement));
    }
}
