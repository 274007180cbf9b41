//! A real Postgres server for tests: a cluster of its own in a temporary folder, on the loopback, stopped with its value.
//!
//! Debian's package `postgresql` has the programs (`scripts/needs` installs it). Postgres refuses root, so under root it
//! runs as the package's user `postgres`.

#![expect(clippy::disallowed_methods, reason = "a real server on a real disk")]

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

const TRIES: usize = 300;

pub struct Postgres {
    folder: TempDir,
    programs: PathBuf,
    port: u16,
}

impl Postgres {
    /// Makes and starts a cluster with the user `postgres`, who needs no password.
    pub fn start() -> Postgres {
        let programs = programs();
        let folder = tempfile::Builder::new().prefix("arus-postgres-").tempdir().expect("a temporary folder");
        if is_root() {
            done(Command::new("chown").arg("postgres").arg(folder.path()));
        }
        let server = Postgres { folder, programs, port: free_port() };
        done(
            server
                .program("initdb")
                .args(["-U", "postgres", "-A", "trust", "-N", "-E", "UTF8", "--no-locale", "-D"])
                .arg(server.data()),
        );
        server.restart();
        server
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.port))
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn program(&self, name: &str) -> Command {
        let path = self.programs.join(name);
        let mut command = if is_root() {
            let mut command = Command::new("setpriv");
            command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups", "--"]).arg(path);
            command
        } else {
            Command::new(path)
        };
        command.current_dir("/tmp").stdin(Stdio::null());
        command
    }

    fn control(&self, args: &[&str]) -> Command {
        let mut command = self.program("pg_ctl");
        command.args(args).arg("-D").arg(self.data()).arg("-l").arg(self.folder.path().join("log"));
        command
    }

    /// After [`Self::crash`] or [`Self::stop`]; the port stays.
    pub fn restart(&self) {
        let folder = self.folder.path().display();
        // What is on the disk after a crash of the process is all that a test can lose here: fsync would only take time.
        let options = format!(
            "-c listen_addresses=127.0.0.1 -c port={} -c unix_socket_directories={folder} -c fsync=off \
             -c max_connections=50 -c shared_buffers=32MB -c log_min_messages=fatal",
            self.port
        );
        done(self.control(&["start", "-w", "-t", "30", "-o", &options]).stdout(Stdio::null()));
    }

    /// Every process of it ends at once; the next start recovers.
    pub fn crash(&self) {
        done(&mut self.control(&["stop", "-m", "immediate", "-w"]));
    }

    pub fn stop(&self) {
        done(&mut self.control(&["stop", "-m", "fast", "-w"]));
    }

    /// What psql prints for a statement: a line a row, fields parted by `|`. Fails at an error.
    pub fn sql(&self, sql: &str) -> String {
        let port = self.port.to_string();
        let mut command = Command::new("psql");
        command.args([
            "-X",
            "-At",
            "-q",
            "-v",
            "ON_ERROR_STOP=1",
            "-h",
            "127.0.0.1",
            "-U",
            "postgres",
            "-d",
            "postgres",
        ]);
        command.args(["-p", &port, "-c", sql]).env("TZ", "UTC").env("PGTZ", "UTC").env("PGCONNECT_TIMEOUT", "10");
        let output = command.output().expect("psql runs: scripts/needs installs postgresql-client");
        assert!(output.status.success(), "{sql}\n{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).trim_end().to_string()
    }

    /// Polls until the statement gives this.
    #[track_caller]
    pub fn eventually(&self, sql: &str, expected: &str) {
        let mut found = String::new();
        for _ in 0..TRIES {
            found = self.sql(sql);
            if found == expected {
                return;
            }
            pause();
        }
        panic!("{sql}\nexpected\n{expected}\nfound\n{found}");
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // It may be stopped already; what it says then helps nobody.
        let stopped = self.control(&["stop", "-m", "immediate"]).stdout(Stdio::null()).stderr(Stdio::null()).status();
        drop(stopped);
        if is_root() {
            // The folder is the server's user's: it becomes ours, to be removed.
            drop(Command::new("chown").arg("-R").arg("root").arg(self.folder.path()).status());
        }
    }
}

fn is_root() -> bool {
    let output = Command::new("id").arg("-u").output().expect("id runs");
    output.stdout.trim_ascii() == b"0"
}

/// The folder of the newest version that is installed.
fn programs() -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut found: Vec<(u32, PathBuf)> = versions
        .filter_map(|v| Some((v.file_name().to_str()?.parse().ok()?, v.path().join("bin"))))
        .filter(|(_, bin): &(u32, PathBuf)| Path::new(bin).join("initdb").exists())
        .collect();
    found.sort();
    found.pop().expect("Postgres is installed: scripts/needs does it (package postgresql)").1
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("an address").port()
}

fn pause() {
    std::thread::sleep(Duration::from_millis(30));
}

#[track_caller]
fn done(command: &mut Command) {
    let output = command.output().expect("the program runs");
    assert!(
        output.status.success(),
        "{command:?}\n{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}
