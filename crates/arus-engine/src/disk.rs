//! The disk budget: what the data folder may take, what it has, and what is refused when there is no more.
//!
//! Doors ask before they append ([`DiskBudget::admit`]); between two measurements what they were given is counted. The last
//! part of the budget is for checkpoints, which go on: without them nothing could be freed. Reading, DROP and retention need
//! no room, and once there is some again the doors take rows by themselves.

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Weak};
use std::time::Duration;

use arus_core::error::{Code, ErrorKind};
use arus_core::limits::{DISK_FLOOR_BYTES, DISK_RESERVE_BYTES};
use arus_core::{Error, Result};
use arus_storage::DataFolder;

use crate::shared::Shared;

/// Between two measurements, unless they take long.
const PERIOD: Duration = Duration::from_millis(500);
/// So often at most a refusal is looked into.
const GLANCE: Duration = Duration::from_millis(50);
/// A measurement takes at most such a part of the time.
const SHARE: u32 = 50;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DiskState {
    Ok,
    Warning,
    Full,
}

impl DiskState {
    pub(crate) fn name(self) -> &'static str {
        match self {
            DiskState::Ok => "ok",
            DiskState::Warning => "warning",
            DiskState::Full => "full",
        }
    }
}

pub(crate) struct DiskBudget {
    /// Of `--disk`.
    pub(crate) limit: Option<u64>,
    /// Of `--disk-free`: so much is left free on the disk.
    floor: Option<u64>,
    used: AtomicU64,
    free: AtomicU64,
    /// Given to doors since the measurement.
    given: AtomicU64,
    state: AtomicU8,
    refused: AtomicU64,
    /// When a refusal was looked into last.
    looked_ns: AtomicU64,
}

impl DiskBudget {
    pub(crate) fn new(limit: Option<u64>, floor: Option<u64>, folder: &DataFolder) -> Result<Self> {
        let budget = DiskBudget {
            limit,
            floor,
            used: AtomicU64::new(0),
            free: AtomicU64::new(0),
            given: AtomicU64::new(0),
            state: AtomicU8::new(DiskState::Ok as u8),
            refused: AtomicU64::new(0),
            looked_ns: AtomicU64::new(0),
        };
        budget.measure(folder)?;
        Ok(budget)
    }

    pub(crate) fn used(&self) -> u64 {
        self.used.load(Relaxed)
    }

    pub(crate) fn free(&self) -> u64 {
        self.free.load(Relaxed)
    }

    pub(crate) fn refused(&self) -> u64 {
        self.refused.load(Relaxed)
    }

    /// What is left free on the disk: as it was asked for, else a fiftieth of what there was, 256 MB at most.
    pub(crate) fn floor(&self) -> u64 {
        self.floor.unwrap_or_else(|| DISK_FLOOR_BYTES.min(self.used().saturating_add(self.free()) / 50))
    }

    /// What rows may take in all, and what is left of it.
    fn room(&self) -> (u64, u64) {
        let used = self.used();
        let by_disk = used.saturating_add(self.free().saturating_sub(self.floor()));
        let by_limit = self.limit.map_or(u64::MAX, |limit| limit - DISK_RESERVE_BYTES.min(limit / 16));
        let allowed = by_disk.min(by_limit);
        (allowed, allowed.saturating_sub(used).saturating_sub(self.given.load(Relaxed)))
    }

    pub(crate) fn state(&self) -> DiskState {
        match self.state.load(Relaxed) {
            0 => DiskState::Ok,
            1 => DiskState::Warning,
            _ => DiskState::Full,
        }
    }

    pub(crate) fn is_full(&self) -> bool {
        self.state() == DiskState::Full
    }

    /// Whether so many bytes of rows may be appended; they count from now on.
    pub(crate) fn admit(&self, bytes: usize) -> Result<()> {
        let bytes = bytes as u64;
        if !self.is_full() && self.room().1 >= bytes {
            self.given.fetch_add(bytes, Relaxed);
            return Ok(());
        }
        self.refused.fetch_add(1, Relaxed);
        Err(Error::new(ErrorKind::Exhausted, format!("no rows are taken: {}", self.situation()))
            .with_code(Code::DiskFull)
            .with_hint(
                "free space on the disk of the data folder: drop tables, let topics keep less ('retention.time', \
                 'retention.bytes'); or give it more room",
            ))
    }

    /// In words.
    fn situation(&self) -> String {
        let used = mb(self.used());
        match self.limit {
            Some(limit) if self.used().saturating_add(self.free().saturating_sub(self.floor())) >= limit => {
                format!("the data folder has {used} of the {} that --disk allows", mb(limit))
            }
            _ => format!(
                "the disk of the data folder has {} free, and {} of it stay free (--disk-free)",
                mb(self.free()),
                mb(self.floor())
            ),
        }
    }

    /// A sentence when the operator should know.
    pub(crate) fn warning(&self) -> Option<String> {
        match self.state() {
            DiskState::Ok => None,
            DiskState::Warning => Some(format!("the disk fills up: {}", self.situation())),
            DiskState::Full => Some(format!("the disk is full, no rows are taken: {}", self.situation())),
        }
    }

    /// Looks at the folder and the disk; what it was before when that has changed.
    pub(crate) fn measure(&self, folder: &DataFolder) -> Result<Option<DiskState>> {
        let before = self.given.load(Relaxed);
        self.used.store(folder.used_bytes()?, Relaxed);
        self.free.store(folder.free_bytes()?, Relaxed);
        // What came while it was counted may be in it or not: it is counted once more.
        self.given.fetch_update(Relaxed, Relaxed, |given| Some(given.saturating_sub(before))).unwrap_or_default();
        let (allowed, left) = self.room();
        let was = self.state();
        // Full from a hundredth on, and until there are two: not with every segment that goes.
        let full = if was == DiskState::Full { allowed / 50 } else { allowed / 100 };
        let now = match left {
            left if left <= full => DiskState::Full,
            left if left <= allowed / 10 => DiskState::Warning,
            _ => DiskState::Ok,
        };
        self.state.store(now as u8, Relaxed);
        Ok((was != now).then_some(was))
    }
}

fn mb(bytes: u64) -> String {
    match bytes {
        0..1_000_000 => format!("{} KB", bytes / 1_000),
        1_000_000..10_000_000_000 => format!("{} MB", bytes / 1_000_000),
        _ => format!("{} GB", bytes / 1_000_000_000),
    }
}

impl Shared {
    /// Whether so many bytes of rows may be appended. Nobody is refused by an old measurement.
    pub(crate) fn admit(&self, bytes: usize) -> Result<()> {
        let refused = match self.disk.admit(bytes) {
            Ok(()) => return Ok(()),
            Err(refused) => refused,
        };
        let now = self.config.clock.monotonic_ns();
        if now.saturating_sub(self.disk.looked_ns.swap(now, Relaxed)) < GLANCE.as_nanos() as u64 {
            return Err(refused);
        }
        self.disk.measure(&self.folder)?;
        self.disk.admit(bytes)
    }
}

/// Starts the thread that measures; it ends with the server.
pub(crate) fn watch(shared: &Arc<Shared>) -> Result<()> {
    let shared = Arc::downgrade(shared);
    std::thread::Builder::new()
        .name("arus-disk".into())
        .spawn(move || {
            let mut pause = PERIOD;
            while let Some(took) = look(&shared) {
                std::thread::park_timeout(pause);
                pause = PERIOD.max(took * SHARE);
            }
        })
        .map(|_| ())
        .map_err(|e| Error::io("start", "the thread that measures the disk", e))
}

/// One measurement, and how long it took; `None` at the end of the server.
fn look(shared: &Weak<Shared>) -> Option<Duration> {
    let shared = shared.upgrade()?;
    if shared.failure.borrow().is_some() {
        return None;
    }
    let clock = &shared.config.clock;
    let started = clock.monotonic_ns();
    match shared.disk.measure(&shared.folder) {
        Ok(Some(_)) => {
            match shared.disk.warning() {
                Some(warning) => tracing::warn!("{warning}"),
                None => tracing::warn!("the data folder has room again"),
            }
            // Sources that waited go on.
            shared.wake();
        }
        Ok(None) => {}
        Err(error) => tracing::warn!(%error, "the disk could not be measured"),
    }
    if shared.disk.is_full() {
        // Only a checkpoint lets old segments and files go.
        shared.wake();
    }
    Some(Duration::from_nanos(clock.monotonic_ns().saturating_sub(started)))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use arus_core::fs::Fs;
    use arus_storage::sim::MemoryFs;

    use super::*;

    fn put(fs: &MemoryFs, bytes: usize) {
        let path = Path::new("/data/topics/rows");
        let file = fs.open_append(path).expect("opens");
        file.truncate(bytes as u64).expect("sizes");
    }

    #[test]
    fn it_warns_refuses_and_recovers() {
        let fs = MemoryFs::new();
        let folder = DataFolder::open(fs.shared(), Path::new("/data")).expect("opens");
        let budget = DiskBudget::new(Some(1_600_000), None, &folder).expect("measures");
        // A sixteenth is for checkpoints.
        budget.admit(1_000_000).expect("there is room");
        budget.admit(600_000).expect_err("with what was given since there is none");
        put(&fs, 1_000_000);
        assert_eq!(budget.measure(&folder).expect("measures"), None);
        put(&fs, 1_400_000);
        assert_eq!(budget.measure(&folder).expect("measures"), Some(DiskState::Ok));
        assert!(
            budget.warning().expect("one").contains("1 MB of the 1 MB that --disk allows"),
            "{:?}",
            budget.warning()
        );
        budget.admit(10_000).expect("there is room");
        put(&fs, 1_490_000);
        assert_eq!(budget.measure(&folder).expect("measures"), Some(DiskState::Warning));
        let error = budget.admit(1).expect_err("is full");
        assert_eq!((error.code(), error.kind(), budget.refused()), (Code::DiskFull, ErrorKind::Exhausted, 2));
        put(&fs, 1_480_000);
        assert_eq!(budget.measure(&folder).expect("measures"), None, "not with the first byte");
        put(&fs, 100_000);
        assert_eq!(budget.measure(&folder).expect("measures"), Some(DiskState::Full));
        budget.admit(1_000).expect("takes rows by itself");
        // The disk's own end.
        fs.set_free_bytes(Some(20_000_000));
        let budget = DiskBudget::new(None, Some(19_999_000), &folder).expect("measures");
        assert!(budget.is_full() && budget.warning().expect("one").contains("--disk-free"));
    }
}
