//! Rows of clients take a core each while they are checked and appended: no more requests at a time than cores.
//!
//! The wait for a core is the server's measure of load. HTTP is refused when it is too long, so that those who are accepted
//! stay fast; Kafka clients wait and are asked to hold back as long. Waiting for the disk needs no core: many share a sync.
//!
//! An operator may also say how many rows a second the server takes ([`Pace`]).

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use arus_core::clock::SharedClock;
use arus_core::limits::{INGEST_WAIT_MS, INGEST_WAIT_NS_A_BYTE, THROTTLE_MS};
use arus_core::{Error, ErrorKind, Result};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Less is done at once where it is; more on a thread that may be busy for a while, since two threads serve all clients.
const INLINE_BYTES: usize = 64 << 10;

/// Rows above the rate are taken for as long as this beforehand.
const BURST_NS: u64 = 1_000_000_000;

/// How many rows a second come in: every row that is taken moves the time at which the next ones are due.
struct Pace {
    /// Of a row; 0: there is no limit.
    row_ns: u64,
    paid_until_ns: AtomicU64,
}

impl Pace {
    /// How far what was taken is ahead of the rate.
    fn ahead_ns(&self, now_ns: u64) -> u64 {
        self.paid_until_ns.load(Relaxed).saturating_sub(now_ns)
    }

    fn take(&self, rows: u64, now_ns: u64) {
        let cost_ns = rows.saturating_mul(self.row_ns);
        let paid = |until: u64| Some(until.max(now_ns).saturating_add(cost_ns));
        if cost_ns > 0 && self.paid_until_ns.fetch_update(Relaxed, Relaxed, paid).is_err() {
            tracing::debug!("the pace of clients was not noted");
        }
    }
}

pub(crate) struct Admission {
    cores: Arc<Semaphore>,
    clock: SharedClock,
    pace: Pace,
}

/// A core, until it is dropped.
pub(crate) struct Admitted {
    _core: OwnedSemaphorePermit,
    pub(crate) waited: Duration,
}

impl Admitted {
    /// What a Kafka client is asked to hold back; a wait that nobody notices is none.
    pub(crate) fn throttle_ms(&self) -> u32 {
        match self.waited.as_millis() as u64 {
            ms if ms < INGEST_WAIT_MS => 0,
            ms => ms.min(u64::from(THROTTLE_MS)) as u32,
        }
    }
}

impl Admission {
    /// `rate`: rows a second at most.
    pub(crate) fn new(cores: usize, rate: Option<u32>, clock: SharedClock) -> Self {
        let row_ns = rate.map_or(0, |rate| 1_000_000_000 / u64::from(rate.max(1)));
        let pace = Pace { row_ns, paid_until_ns: AtomicU64::new(0) };
        Admission { cores: Arc::new(Semaphore::new(cores.max(1))), clock, pace }
    }

    /// Rows were taken.
    pub(crate) fn took(&self, rows: u64) {
        self.pace.take(rows, self.clock.monotonic_ns());
    }

    /// For clients that are not refused: they wait while more was taken than the rate allows, each time a moment at most.
    /// How long they were asked to.
    pub(crate) async fn hold_back(&self) -> u32 {
        let ahead_ns = self.pace.ahead_ns(self.clock.monotonic_ns()).saturating_sub(BURST_NS);
        let ms = (ahead_ns / 1_000_000).min(u64::from(THROTTLE_MS)) as u32;
        if ms > 0 {
            tokio::time::sleep(Duration::from_millis(u64::from(ms))).await;
        }
        ms
    }

    /// Waits for as long as it takes.
    pub(crate) async fn wait(&self) -> Result<Admitted> {
        let began_ns = self.clock.monotonic_ns();
        let core = self.cores.clone().acquire_owned().await;
        let core = core.map_err(|_| Error::bug("the cores of clients are closed"))?;
        let waited = Duration::from_nanos(self.clock.monotonic_ns().saturating_sub(began_ns));
        Ok(Admitted { _core: core, waited })
    }

    /// Waits a moment, longer for a large request; then the client has to come again.
    pub(crate) async fn enter(&self, bytes: usize) -> Result<Admitted> {
        if self.pace.ahead_ns(self.clock.monotonic_ns()) > BURST_NS {
            return Err(Error::new(ErrorKind::Exhausted, "more rows come than the server takes by --ingest-rate")
                .with_hint("send the request again later; an Idempotency-Key counts it once"));
        }
        let patience =
            Duration::from_millis(INGEST_WAIT_MS) + Duration::from_nanos(INGEST_WAIT_NS_A_BYTE * bytes as u64);
        match tokio::time::timeout(patience, self.wait()).await {
            Ok(admitted) => admitted,
            Err(_) => Err(Error::new(ErrorKind::Exhausted, "more rows come than the server can take")
                .with_hint("send the request again after the time in Retry-After; an Idempotency-Key counts it once")),
        }
    }
}

pub(crate) fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Runs what takes time in proportion to `bytes`.
pub(crate) async fn run<T: Send + 'static>(bytes: usize, work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
    if bytes < INLINE_BYTES {
        return Ok(work());
    }
    tokio::task::spawn_blocking(work).await.map_err(|e| Error::bug(format!("a request has panicked: {e}")))
}
