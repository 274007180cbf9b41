//! What an engine is started with.

use std::path::PathBuf;
use std::sync::Arc;

use arus_core::clock::{SharedClock, SystemClock};
use arus_core::connector::{LineOutput, PathPolicy};
use arus_core::fs::SharedFs;
use arus_core::rng::Rng;
use arus_core::{Error, Result};
use arus_storage::DiskFs;

/// A fresh session that ends, or a server that goes on where it left off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    Server,
    /// `arus run`: parallelism 1, the user's own rights, sources are read directly.
    Run,
}

#[derive(Clone)]
pub struct EngineConfig {
    pub data: PathBuf,
    pub mode: Mode,
    /// Shown by the console.
    pub name: String,
    pub memory_bytes: u64,
    pub allow_paths: Vec<PathBuf>,
    pub working_dir: PathBuf,
    /// (name, YAML text).
    pub dashboards: Vec<(String, String)>,
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
        Ok(EngineConfig {
            data: working_dir.join(data),
            mode: Mode::Server,
            name: working_dir.file_name().map_or_else(|| "arus".into(), |n| n.to_string_lossy().into_owned()),
            memory_bytes: machine_memory() / 2,
            allow_paths: vec![],
            working_dir,
            dashboards: vec![],
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
        self.mark_watermarks = mark_watermarks;
        self
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

/// The physical memory in bytes.
fn machine_memory() -> u64 {
    let pages = rustix::param::page_size() as u64;
    let info = rustix::system::sysinfo();
    let total = info.totalram * u64::from(info.mem_unit.max(1));
    total.max(pages)
}
