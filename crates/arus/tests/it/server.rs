//! A real server in a folder of its own: started, killed, started again; and the programs that talk to it.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use tempfile::TempDir;

/// How long a test waits before it fails: only a machine that is far too busy comes near.
pub(crate) const LIMIT: Duration = Duration::from_secs(180);
/// How long a client program may take.
const CLIENT_SECONDS: &str = "120";

pub(crate) struct Server {
    child: Child,
    stderr: Arc<Mutex<String>>,
    pub(crate) http: u16,
    pub(crate) pg: u16,
    pub(crate) kafka: u16,
    data: PathBuf,
    flags: Vec<String>,
    _folder: Option<TempDir>,
}

impl Server {
    pub(crate) fn start() -> Server {
        Server::start_with(&[])
    }

    pub(crate) fn start_with(flags: &[&str]) -> Server {
        let folder = tempfile::Builder::new().prefix("arus-it-").tempdir().unwrap();
        let mut server = Server::start_in(&folder.path().join("data"), flags);
        server._folder = Some(folder);
        server
    }

    /// On a folder that outlives the server.
    pub(crate) fn start_in(data: &Path, flags: &[&str]) -> Server {
        let flags: Vec<String> = flags.iter().map(|f| (*f).to_string()).collect();
        let mut command = arus(data, [0, 0, 0]);
        command.args(&flags);
        Server::spawn(command, data, flags)
    }

    /// `arus dev` of a project.
    pub(crate) fn dev(project: &Path) -> Server {
        let data = project.join("arus-data");
        let mut command = Command::new(env!("CARGO_BIN_EXE_arus"));
        command.arg("dev").arg(project).args(["--http-port", "0", "--pg-port", "0", "--kafka-port", "0"]);
        Server::spawn(command, &data, vec![])
    }

    /// A command line of the documentation, on free ports.
    pub(crate) fn documented(line: &str, folder: &Path) -> Server {
        let mut command = Command::new(env!("CARGO_BIN_EXE_arus"));
        command.args(line.split(' ').skip(1)).args(["--http-port", "0", "--pg-port", "0", "--kafka-port", "0"]);
        let (child, stderr) = spawn_in(command, folder);
        let data = folder.join("arus-data");
        let mut server = Server { child, stderr, http: 0, pg: 0, kafka: 0, data, flags: vec![], _folder: None };
        server.wait_for_addresses();
        server
    }

    /// By a shell that sets limits first and then becomes the server.
    pub(crate) fn start_limited(data: &Path, limit: &str) -> Server {
        let mut command = Command::new("bash");
        let line = format!("{limit}; exec \"$@\"");
        let inner = arus(data, [0, 0, 0]);
        command.args(["-c", &line, "bash"]).arg(inner.get_program()).args(inner.get_args());
        Server::spawn(command, data, vec![])
    }

    fn spawn(command: Command, data: &Path, flags: Vec<String>) -> Server {
        let (child, stderr) = spawn(command);
        let mut server =
            Server { child, stderr, http: 0, pg: 0, kafka: 0, data: data.to_path_buf(), flags, _folder: None };
        server.wait_for_addresses();
        server
    }

    fn wait_for_addresses(&mut self) {
        let until = Instant::now() + LIMIT;
        loop {
            let text = self.stderr();
            let port = |start: &str| {
                let line = text.lines().find(|l| l.trim_start().starts_with(start))?;
                let line = line.trim_end_matches(" -U arus arus").trim_end_matches('"');
                line.rsplit([':', ' ', '=']).next()?.parse::<u16>().ok()
            };
            if let (Some(http), Some(pg), Some(kafka)) = (port("console"), port("postgres"), port("kafka")) {
                (self.http, self.pg, self.kafka) = (http, pg, kafka);
                return;
            }
            if let Some(status) = self.child.try_wait().unwrap() {
                std::thread::sleep(Duration::from_millis(50));
                panic!("the server ended at its start, {status}:\n{}", self.stderr());
            }
            assert!(Instant::now() < until, "the server does not start:\n{text}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// What it has written to standard error since its last start.
    pub(crate) fn stderr(&self) -> String {
        self.stderr.lock().unwrap().clone()
    }

    pub(crate) fn data(&self) -> &Path {
        &self.data
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// kill -9.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Sends a signal and waits for the end; the exit code.
    pub(crate) fn stop(&mut self, signal: &str) -> Option<i32> {
        let sent = Command::new("kill").args([signal, &self.pid().to_string()]).status().unwrap();
        assert!(sent.success());
        self.wait_for_end()
    }

    pub(crate) fn wait_for_end(&mut self) -> Option<i32> {
        let until = Instant::now() + LIMIT;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            assert!(Instant::now() < until, "the server does not end:\n{}", self.stderr());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// The same as [`Server::restart`] with other flags.
    pub(crate) fn restart_with(&mut self, flags: &[&str]) {
        self.flags = flags.iter().map(|f| (*f).to_string()).collect();
        self.restart();
    }

    /// On the same folder and ports, after it has ended.
    pub(crate) fn restart(&mut self) {
        let mut command = arus(&self.data, [self.http, self.pg, self.kafka]);
        command.args(&self.flags);
        (self.child, self.stderr) = spawn(command);
        self.wait_for_addresses();
    }

    // ---- clients ---------------------------------------------------------------------------------------

    /// What psql prints, without decoration: a line a row, fields parted by `|`. Fails at an error.
    pub(crate) fn sql(&self, sql: &str) -> String {
        let run = self.psql(&["-c", sql], "");
        assert!(run.ok, "{sql}\n{}{}", run.stderr, self.stderr());
        run.stdout
    }

    /// What psql says to a statement that is refused.
    pub(crate) fn sql_error(&self, sql: &str) -> String {
        let run = self.psql(&["-c", sql], "");
        assert!(!run.ok, "{sql}: expected an error, found\n{}", run.stdout);
        run.stderr
    }

    pub(crate) fn psql(&self, args: &[&str], input: &str) -> Run {
        let port = self.pg.to_string();
        let always = ["-X", "-At", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-p", &port, "-U", "arus", "-d", "arus"];
        client("psql", "postgresql-client", &[&always, args].concat(), input.as_bytes())
    }

    pub(crate) fn kcat(&self, args: &[&str], input: &str) -> Run {
        let broker = format!("127.0.0.1:{}", self.kafka);
        let always = ["-b", &broker, "-m", "20"];
        client("kcat", "kcat", &[&always, args].concat(), input.as_bytes())
    }

    /// Polls until the query gives this; fails with what it gave last.
    #[track_caller]
    pub(crate) fn eventually(&self, sql: &str, expected: &str) {
        let until = Instant::now() + LIMIT;
        loop {
            let run = self.psql(&["-c", sql], "");
            let found = if run.ok { run.stdout } else { run.stderr };
            if found.trim_end() == expected {
                return;
            }
            assert!(Instant::now() < until, "{sql}\nexpected\n{expected}\nfound\n{found}\n{}", self.stderr());
            std::thread::sleep(Duration::from_millis(30));
        }
    }

    /// When as many statements will surely have been done, in ms since 1970: what fails until then fails behind them.
    pub(crate) fn time_for(&self, statements: u64) -> u64 {
        let began = Instant::now();
        self.sql("CREATE VIEW pace AS SELECT 1 AS x");
        self.sql("DROP VIEW pace");
        now_ms() + 2_000 + began.elapsed().as_millis() as u64 * statements
    }

    /// A figure of /metrics.
    pub(crate) fn metric(&self, name: &str) -> f64 {
        let text = self.get("/metrics").body;
        let line = text.lines().find(|l| l.split([' ', '{']).next() == Some(name));
        let line = line.unwrap_or_else(|| panic!("/metrics has no {name}:\n{text}"));
        line.rsplit(' ').next().unwrap().parse().unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if self.child.kill().is_err() || self.child.wait().is_err() {
            eprintln!("the server has ended already");
        }
        if std::thread::panicking() {
            eprintln!("standard error of the server:\n{}", self.stderr());
        }
    }
}

fn arus(data: &Path, ports: [u16; 3]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_arus"));
    command.arg("--data").arg(data);
    for (flag, port) in ["--http-port", "--pg-port", "--kafka-port"].iter().zip(ports) {
        command.args([*flag, &port.to_string()]);
    }
    command
}

fn spawn(command: Command) -> (Child, Arc<Mutex<String>>) {
    // The folder has no arus.toml.
    spawn_in(command, &std::env::temp_dir())
}

fn spawn_in(mut command: Command, folder: &Path) -> (Child, Arc<Mutex<String>>) {
    command.current_dir(folder).env("TZ", "UTC").env_remove("ARUS_LOG");
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let text = Arc::new(Mutex::new(String::new()));
    let (pipe, collected) = (child.stderr.take().unwrap(), text.clone());
    std::thread::spawn(move || {
        for line in BufReader::new(pipe).lines().map_while(Result::ok) {
            writeln!(collected.lock().unwrap(), "{line}").unwrap();
        }
    });
    (child, text)
}

/// How a program ended and what it said.
pub(crate) struct Run {
    pub(crate) ok: bool,
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Runs a client program for a bounded time.
pub(crate) fn client(program: &str, package: &str, args: &[&str], input: &[u8]) -> Run {
    let mut command = Command::new("timeout");
    command.args(["-k", "1", CLIENT_SECONDS, program]).args(args).env("TZ", "UTC").env("PGTZ", "UTC");
    let run = run(command, input);
    assert!(run.code != Some(127), "'{program}' is missing: scripts/needs installs it (package {package})");
    assert!(run.code != Some(124), "{program} {args:?} did not end\n{}{}", run.stdout, run.stderr);
    run
}

/// `arus` itself, with a time limit.
pub(crate) fn arus_command(args: &[&str], input: &str) -> Run {
    let mut command = Command::new("timeout");
    command.args(["-k", "1", CLIENT_SECONDS, env!("CARGO_BIN_EXE_arus")]).args(args).env("TZ", "UTC");
    command.current_dir(std::env::temp_dir());
    run(command, input.as_bytes())
}

fn run(mut command: Command, input: &[u8]) -> Run {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    // A program that does not read its input is no failure.
    let writer = std::thread::spawn(move || stdin.write_all(&input).is_ok());
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    Run {
        ok: output.status.success(),
        code: output.status.code(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

pub(crate) fn now_ms() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis() as u64
}

/// `value`, but a failure at row 50 until then. Its reason is another one each time: a pipeline is started again, however long it lasts.
pub(crate) fn failing_until(until: u64, value: &str) -> String {
    format!(
        "CASE WHEN id = 50 AND CURRENT_TIMESTAMP < TO_TIMESTAMP_LTZ({until}, 3) \
         THEN CAST('not at ' || CAST(CURRENT_TIMESTAMP AS STRING) AS INT) ELSE {value} END AS v"
    )
}

/// Polls a condition.
#[track_caller]
pub(crate) fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let until = Instant::now() + LIMIT;
    while !condition() {
        assert!(Instant::now() < until, "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}
