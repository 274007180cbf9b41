//! The ledger's sinks: whatever is killed, each transfer comes to Postgres once and stands in the files once.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Instant;

use arus_testkit::postgres::Postgres;
use arus_testkit::proxy::Proxy;
use tempfile::TempDir;

use crate::server::{Server, wait_until};

pub(super) struct Outside {
    postgres: Postgres,
    /// Between the server and Postgres.
    proxy: Proxy,
    folder: TempDir,
}

impl Outside {
    pub(super) fn start() -> Outside {
        let postgres = Postgres::start();
        let proxy = Proxy::start(postgres.address()).unwrap();
        let folder = tempfile::Builder::new().prefix("arus-ledger-").tempdir().unwrap();
        // Nothing here stops a row from coming twice.
        postgres.sql("CREATE TABLE transfers (id bigint)");
        Outside { postgres, proxy, folder }
    }

    fn path(&self) -> &str {
        self.folder.path().to_str().unwrap()
    }

    /// Of a server that may reach them.
    pub(super) fn flags(&self) -> [&str; 4] {
        ["--allow-host", "127.0.0.1", "--allow-path", self.path()]
    }

    pub(super) fn prepare(&self, server: &Server) {
        let port = self.proxy.port();
        server.sql(&format!(
            "CREATE TABLE in_postgres (id BIGINT) WITH ('connector' = 'jdbc', 'url' = 'jdbc:postgresql://127.0.0.1:{port}/postgres', \
             'username' = 'postgres', 'password' = 'not needed', 'table-name' = 'transfers', 'connection.max-retry-timeout' = '5 s')"
        ));
        server.sql(&format!(
            "CREATE TABLE in_files (id BIGINT) WITH ('connector' = 'filesystem', 'path' = '{}', 'format' = 'csv', \
             'sink.rolling-policy.rollover-interval' = '2 s')",
            self.path()
        ));
        server.sql("INSERT INTO in_postgres SELECT id FROM transfers");
        server.sql("INSERT INTO in_files SELECT id FROM transfers");
    }

    /// A commit is done and nobody hears of it.
    pub(super) fn lose_a_reply(&self) {
        let lost = self.proxy.lost();
        self.proxy.lose_reply_to(b"COMMIT\0");
        wait_until("the reply to a commit is lost", || self.proxy.lost() > lost);
    }

    /// No row has come twice so far.
    pub(super) fn check(&self) {
        let twice = "SELECT COUNT(*) - COUNT(DISTINCT id) FROM transfers";
        assert_eq!(self.postgres.sql(twice), "0", "rows came to Postgres twice");
        ids_in(self.folder.path());
    }

    /// At rest: each of so many transfers is there. What was done on the way.
    pub(super) fn verify(&self, transfers: usize) -> String {
        let counts = "SELECT COUNT(*), COUNT(DISTINCT id) FROM transfers";
        self.postgres.eventually(counts, &format!("{transfers}|{transfers}"));
        let started = Instant::now();
        wait_until("all transfers are in files", || ids_in(self.folder.path()).len() == transfers);
        format!(
            "{transfers} rows once in Postgres and once in files (the last after {:?}), {} replies to commits lost",
            started.elapsed(),
            self.proxy.lost()
        )
    }
}

/// Ids in the files that have their names; none may stand there twice.
fn ids_in(folder: &Path) -> BTreeSet<u64> {
    let mut ids = BTreeSet::new();
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        if entry.file_name().to_string_lossy().starts_with("part-") {
            for line in std::fs::read_to_string(entry.path()).unwrap().lines() {
                assert!(ids.insert(line.parse().unwrap()), "row {line} stands in files twice");
            }
        }
    }
    ids
}
