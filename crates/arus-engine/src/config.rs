//! What an engine is started with.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arus_core::clock::{SharedClock, SystemClock};
use arus_core::connector::{HostPolicy, LineOutput, PathPolicy};
use arus_core::fs::{Fs, SharedFs};
use arus_core::limits::BATCH_ROWS;
use arus_core::rng::Rng;
use arus_core::{Error, Result};
use arus_storage::DiskFs;

/// Assumed where the machine does not say.
const MEMORY_MIN: u64 = 1 << 30;

/// A fresh session that ends, or a server that goes on where it left off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    Server,
    /// `arus run`: parallelism 1 unless set, the user's own rights, sources are read directly.
    Run,
}

#[derive(Clone)]
pub struct EngineConfig {
    pub data: PathBuf,
    pub mode: Mode,
    /// Shown by the console.
    pub name: String,
    pub memory_bytes: u64,
    /// Data threads.
    pub threads: usize,
    /// Tasks of a pipeline whose session does not say.
    pub parallelism: usize,
    /// Rows of a batch at most.
    pub batch_rows: usize,
    /// What the data folder may take, all in all.
    pub disk_bytes: Option<u64>,
    /// What has to stay free on its disk.
    pub disk_free_bytes: Option<u64>,
    /// Rows a second that are taken of clients.
    pub ingest_rate: Option<u32>,
    pub allow_paths: Vec<PathBuf>,
    /// `host`, `host:port`, `*.domain`.
    pub allow_hosts: Vec<String>,
    /// Who may be told of alerts: URLs by name.
    pub notifiers: BTreeMap<String, String>,
    /// A file of certificate authorities in place of those that this machine trusts, for notifiers.
    pub authorities: Option<PathBuf>,
    /// A folder with a file for each secret.
    pub secrets: Option<PathBuf>,
    /// Passwords are asked for even while there is no user: others than this machine may connect.
    pub ask_passwords: bool,
    pub working_dir: PathBuf,
    /// A folder of dashboards that are edited in place, `NAME.yaml`.
    pub dashboards_dir: Option<PathBuf>,
    pub stdout: Arc<dyn LineOutput>,
    pub stderr: Arc<dyn LineOutput>,
    pub mark_watermarks: bool,
    pub fs: SharedFs,
    pub clock: SharedClock,
    pub seed: u64,
}

struct Nowhere;

impl LineOutput for Nowhere {
    fn write_lines(&self, _lines: &str) -> Result<()> {
        Ok(())
    }
}

impl EngineConfig {
    /// A server on this machine's disk and clock.
    pub fn new(data: PathBuf) -> Result<Self> {
        let working_dir = std::env::current_dir().map_err(|e| Error::io("find", "the working folder", e))?;
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Ok(EngineConfig {
            threads: cores,
            parallelism: cores,
            batch_rows: BATCH_ROWS,
            data: working_dir.join(data),
            mode: Mode::Server,
            name: working_dir.file_name().map_or_else(|| "arus".into(), |n| n.to_string_lossy().into_owned()),
            memory_bytes: machine_memory(&DiskFs) / 2,
            disk_bytes: None,
            disk_free_bytes: None,
            ingest_rate: None,
            allow_paths: vec![],
            allow_hosts: vec![],
            notifiers: BTreeMap::new(),
            authorities: None,
            secrets: None,
            ask_passwords: false,
            working_dir,
            dashboards_dir: None,
            stdout: Arc::new(Nowhere),
            stderr: Arc::new(Nowhere),
            mark_watermarks: false,
            fs: Arc::new(DiskFs),
            clock: Arc::new(SystemClock::new()),
            seed: Rng::from_entropy().next_u64(),
        })
    }

    #[must_use]
    pub fn for_run(mut self, mark_watermarks: bool) -> Self {
        self.mode = Mode::Run;
        self.parallelism = 1;
        self.mark_watermarks = mark_watermarks;
        self
    }

    /// Which machines connectors may reach.
    pub(crate) fn hosts(&self) -> HostPolicy {
        match self.mode {
            Mode::Run => HostPolicy::Unrestricted,
            Mode::Server => HostPolicy::Only(self.allow_hosts.clone()),
        }
    }

    /// Which files statements may touch.
    pub(crate) fn paths(&self) -> PathPolicy {
        match self.mode {
            Mode::Run => PathPolicy::Unrestricted,
            Mode::Server => {
                let own = [self.working_dir.clone(), self.data.clone()];
                PathPolicy::Only(own.into_iter().chain(self.allow_paths.iter().cloned()).collect())
            }
        }
    }
}

/// What this process may have: of the machine, or of its control group.
fn machine_memory(fs: &dyn Fs) -> u64 {
    let machine = kilobytes(fs, "/proc/meminfo", "MemTotal:").max(MEMORY_MIN);
    let groups = fs.read(Path::new("/proc/self/cgroup")).unwrap_or_default();
    let mut files = vec!["/sys/fs/cgroup/memory.max".into(), "/sys/fs/cgroup/memory/memory.limit_in_bytes".into()];
    for line in String::from_utf8_lossy(&groups).lines() {
        match line.splitn(3, ':').collect::<Vec<_>>().as_slice() {
            [_, "", path] => files.push(format!("/sys/fs/cgroup{path}/memory.max")),
            [_, "memory", path] => files.push(format!("/sys/fs/cgroup/memory{path}/memory.limit_in_bytes")),
            _ => {}
        }
    }
    let limit = |file: &String| {
        let bytes = fs.read(Path::new(file)).unwrap_or_default();
        String::from_utf8_lossy(&bytes).trim().parse::<u64>().ok().filter(|bytes| *bytes > 0)
    };
    files.iter().filter_map(limit).min().map_or(machine, |limit| limit.min(machine))
}

/// A figure of a file of /proc, in bytes; 0 where there is none.
pub(crate) fn kilobytes(fs: &dyn Fs, file: &str, name: &str) -> u64 {
    let bytes = fs.read(Path::new(file)).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or(0) << 10
}
