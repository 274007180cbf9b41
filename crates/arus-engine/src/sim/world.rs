//! One run: a server in one thread on a simulated disk, its clients, and what goes wrong.
//!
//! A step is one turn of one part (data, checkpoint, sync of the log, a client), chosen by the seed. What a client is told in the
//! step in which the disk stops is not told: the power was gone before.

use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::task::{Context, Poll, Waker};

use arus_core::Result;
use arus_core::clock::Clock;
use arus_core::fs::Fs;
use arus_core::rng::Rng;
use arus_storage::sim::{Fault, MemoryFs};

use super::history::{History, Row};
use crate::engine::Parts;
use crate::{Engine, EngineConfig};

/// Turns that a run is given, without faults, to come to rest.
const PATIENCE: usize = 6_000;

pub(super) struct SimClock(AtomicU64);

impl SimClock {
    fn advance(&self, us: u64) {
        self.0.fetch_add(us, SeqCst);
    }
}

impl Clock for SimClock {
    fn now_ms(&self) -> i64 {
        1_704_067_200_000 + (self.0.load(SeqCst) / 1_000) as i64
    }

    fn monotonic_ns(&self) -> u64 {
        self.0.load(SeqCst) * 1_000
    }
}

/// What is under way for a client.
pub(super) type Call = Pin<Box<dyn Future<Output = Result<()>>>>;

/// Whom an answer is for.
pub(super) enum Asked {
    /// Rows of `t`; with a key they are sent again until the answer comes.
    Rows { ids: std::ops::Range<usize>, key: Option<String> },
    /// A row of the keyed table.
    Keyed { key: i64, n: i64 },
    /// A statement of the catalog and what it makes.
    Statement { at: usize },
    /// SUSPEND or RESUME.
    Rest,
}

pub(super) struct Server {
    pub(super) engine: Arc<Engine>,
    pub(super) parts: Parts,
    pub(super) calls: Vec<(Asked, Call)>,
}

/// Which pipelines a run has, and what may happen to it.
pub(super) struct Shape {
    pub(super) partitions: u64,
    pub(super) statements: Vec<(String, String)>,
    /// A write lands elsewhere: then loss is allowed where it is reported.
    pub(super) misdirected: bool,
    /// A pipeline has so many tasks at most.
    tasks: u64,
    /// In so many steps the time for a checkpoint comes once.
    a_checkpoint: u64,
    crashes: u64,
    steps: u64,
    rows: usize,
    /// Pipelines are suspended and resumed.
    pub(super) rests: bool,
}

#[derive(Default, Clone, Copy)]
pub(super) struct Seen {
    pub(super) runs: u64,
    pub(super) steps: u64,
    pub(super) kills: u64,
    pub(super) power_failures: u64,
    pub(super) in_recovery: u64,
    pub(super) faults: u64,
    pub(super) restored: u64,
    /// Calls that failed for one pipeline alone.
    pub(super) troubles: u64,
    pub(super) pipeline_restarts: u64,
    /// Checkpoints that could not be written.
    pub(super) abandoned: u64,
    /// SUSPEND and RESUME that were done.
    pub(super) rests: u64,
    pub(super) epochs_checked: u64,
    pub(super) digest: u64,
}

pub(super) struct World {
    pub(super) rng: Rng,
    pub(super) clock: Arc<SimClock>,
    pub(super) fs: MemoryFs,
    pub(super) shape: Shape,
    pub(super) history: History,
    pub(super) server: Option<Server>,
    pub(super) seen: Seen,
    pub(super) verbose: bool,
    pub(super) entries: Vec<super::history::Entries>,
    /// Requests that have to be sent again.
    again: Vec<(std::ops::Range<usize>, Option<String>)>,
    next_statement: usize,
    /// Rows of one server's life that went wrong once must not go wrong for ever.
    next_key: u64,
    pub(super) quiet: bool,
    /// How often something may still go wrong for one pipeline in this life of the server.
    pub(super) troubles: u64,
}

/// Why a run has failed.
pub(super) type Wrong = String;

impl World {
    pub(super) fn new(seed: u64, verbose: bool) -> World {
        let mut rng = Rng::seeded(seed);
        let fs = MemoryFs::new();
        fs.create_dir_all(Path::new("/data")).expect("a simulated disk");
        let mut shape = Shape::choose(&mut rng);
        shape.rests = seed % 4 == 3;
        World {
            clock: Arc::new(SimClock(AtomicU64::new(1_000_000))),
            fs,
            shape,
            history: History::default(),
            server: None,
            seen: Seen::default(),
            verbose,
            entries: vec![],
            again: vec![],
            next_statement: 0,
            next_key: 0,
            quiet: false,
            troubles: 0,
            rng,
        }
    }

    pub(super) fn say(&self, what: impl FnOnce() -> String) {
        if self.verbose {
            println!("{:>6} {:>9} us  {}", self.seen.steps, self.clock.0.load(SeqCst), what());
        }
    }

    /// The whole of it.
    pub(super) fn run(&mut self) -> Result<Seen, Wrong> {
        let mut crashes = self.shape.crashes;
        let a_life = self.shape.steps / (crashes + 1);
        loop {
            self.start()?;
            if crashes == 0 {
                break;
            }
            crashes -= 1;
            self.live(a_life)?;
            self.crash();
        }
        self.live(a_life)?;
        self.settle()?;
        self.check_all()?;
        // Once more from what is durable and what the page cache holds.
        self.crash();
        self.start()?;
        self.settle()?;
        self.check_all()?;
        self.count_restarts();
        Ok(self.seen)
    }

    /// A run without other faults that ends before the n-th change of the disk; how many changes it makes.
    pub(super) fn run_until(&mut self, change: u64, kill: bool) -> Result<u64, Wrong> {
        self.quiet = true;
        self.shape.misdirected = false;
        self.fs.stop_before(change);
        self.start()?;
        self.quiet = false;
        for _ in 0..self.shape.steps {
            if !self.step()? {
                break;
            }
        }
        let changes = self.fs.steps();
        self.quiet = kill;
        self.crash();
        self.quiet = true;
        self.start()?;
        self.settle()?;
        self.check_all()?;
        Ok(changes)
    }

    // ---- life of a server ------------------------------------------------------------------------------

    fn config(&mut self) -> EngineConfig {
        let mut config = EngineConfig::new(PathBuf::from("/data")).expect("a configuration");
        config.working_dir = PathBuf::from("/data");
        config.memory_bytes = 1 << 30;
        config.fs = self.fs.shared();
        config.clock = self.clock.clone();
        config.seed = self.rng.next_u64();
        // Another number of threads at each start.
        config.threads = 1 + self.rng.below(3) as usize;
        // And of tasks: key groups and splits move.
        config.parallelism = 1 + self.rng.below(self.shape.tasks) as usize;
        config
    }

    /// Starts the server; what goes wrong at a start goes wrong a few times at most.
    fn start(&mut self) -> Result<(), Wrong> {
        for attempt in 0.. {
            self.arm(if attempt < 3 { 4 } else { 0 }, 60);
            if attempt < 3 {
                self.trouble_at_start();
            }
            let config = self.config();
            let started = Engine::assemble(config, false);
            self.fs.fail_read(None);
            if self.fs.is_stopped() {
                drop(started);
                self.seen.in_recovery += 1;
                self.say(|| "the power fails during recovery".into());
                self.crash();
                continue;
            }
            let (engine, parts) = match started {
                Ok(started) => started,
                Err(e) if attempt < 3 => {
                    self.say(|| format!("start {attempt}: {e}"));
                    self.fs = self.fs.kill();
                    continue;
                }
                // Bytes that landed elsewhere may keep it from starting, if it says so.
                Err(e) if self.shape.misdirected => return Err(format!("{REFUSED}{e}")),
                Err(e) => return Err(format!("it does not start: {e}")),
            };
            self.server = Some(Server { engine, parts, calls: vec![] });
            self.fs.set_fault(None);
            self.arm(0, 0);
            return self.started();
        }
        Ok(())
    }

    /// One in `odds` times something goes wrong within the next changes of the disk.
    fn arm(&mut self, one_in: u64, within: u64) {
        if one_in == 0 || self.quiet || self.rng.below(one_in) != 0 {
            return;
        }
        if self.rng.below(2) == 0 {
            let at = self.fs.steps() + 1 + self.rng.below(within);
            self.fs.stop_before(at);
            return;
        }
        let n = 1 + self.rng.below(within / 2 + 1);
        let fault = match self.rng.below(3) {
            0 => Fault::Sync(self.fs.syncs() + n),
            1 => Fault::Write(self.fs.writes() + n),
            _ => Fault::WriteNoSpace(self.fs.writes() + n),
        };
        self.seen.faults += 1;
        self.fs.set_fault(Some(fault));
    }

    /// Runs until something ends the server, or for so many steps.
    fn live(&mut self, steps: u64) -> Result<(), Wrong> {
        // The end comes at a change of the disk, or between two steps.
        let crash_at_change = self.rng.below(3) != 0;
        let from = self.rng.below(steps);
        self.troubles = 0;
        if self.rng.below(4) == 0 {
            self.arm(1, steps);
        } else {
            self.expect_trouble();
        }
        for step in 0..steps {
            if step == from && crash_at_change {
                let at = self.fs.steps() + 1 + self.rng.below(40);
                self.fs.stop_before(at);
            }
            if step == from && self.shape.misdirected {
                self.fs.set_fault(Some(Fault::Misdirected(self.fs.writes() + 1 + self.rng.below(20))));
            }
            if !self.step()? {
                return Ok(());
            }
        }
        Ok(())
    }

    /// The power fails, or the process dies.
    fn crash(&mut self) {
        let before = self.fs.stopped().unwrap_or_else(|| self.fs.clone());
        self.count_restarts();
        if let Some(server) = self.server.take() {
            for (asked, _) in server.calls {
                if let Asked::Rows { ids, key: key @ Some(_) } = asked {
                    self.again.push((ids, key));
                }
            }
        }
        let kill = self.rng.below(2) == 0;
        if self.quiet || kill && self.shape.crashes > 0 {
            self.seen.kills += 1;
            self.say(|| "kill -9".into());
            self.fs = before.kill();
        } else {
            self.seen.power_failures += 1;
            self.say(|| "a power failure".into());
            self.fs = before.crash(self.rng.next_u64());
        }
        self.entries.clear();
    }

    fn count_restarts(&mut self) {
        let Some(figures) = self.server.as_ref().map(|server| &server.engine.shared.figures) else { return };
        self.seen.pipeline_restarts += figures.restarts.load(SeqCst);
        self.seen.abandoned += figures.checkpoints_failed.load(SeqCst);
    }

    /// One turn of one part; false: the server is gone.
    fn step(&mut self) -> Result<bool, Wrong> {
        self.seen.steps += 1;
        let pause = if self.rng.below(self.shape.a_checkpoint) == 0 { 700_000 } else { self.rng.below(12_000) };
        self.clock.advance(pause);
        let turn = self.rng.below(100);
        let Some(server) = &mut self.server else { return Ok(false) };
        let mut alive = true;
        match turn {
            0..20 => alive = server.parts.domain.turn(),
            20..45 => alive = self.data_turn(),
            45..60 => self.checkpoint_turn(),
            60..75 => drop(server.engine.shared.log.sync_all()),
            75..85 => self.send(),
            85..95 if !self.shape.rests => self.send(),
            _ => self.statement(),
        }
        self.after_turn(alive)
    }

    fn after_turn(&mut self, alive: bool) -> Result<bool, Wrong> {
        let answers = self.poll();
        if self.fs.is_stopped() {
            // Nobody hears of what happened after the power had gone: it is asked again where that is allowed.
            for (asked, _) in answers {
                if let Asked::Rows { ids, key: key @ Some(_) } = asked {
                    self.again.push((ids, key));
                }
            }
            return Ok(false);
        }
        for (asked, answer) in answers {
            self.answered(asked, answer)?;
        }
        self.look()?;
        let failed = self.server.as_ref().is_none_or(|s| s.engine.shared.failure.borrow().is_some());
        if failed || !alive {
            let reason = self.server.as_ref().and_then(|s| s.engine.shared.failure.borrow().clone());
            self.say(|| format!("the server stops: {reason:?}"));
        }
        Ok(alive && !failed)
    }

    /// Without faults and in turn, until nothing is left to do.
    fn settle(&mut self) -> Result<(), Wrong> {
        if self.fs.is_stopped() || self.server.as_ref().is_none_or(|s| s.engine.shared.failure.borrow().is_some()) {
            self.crash();
            self.quiet = true;
            self.start()?;
        }
        self.quiet = true;
        self.fs.set_fault(None);
        self.fs.stop_before(u64::MAX);
        let mut told_late = false;
        for turn in 0..PATIENCE {
            self.seen.steps += 1;
            self.clock.advance(20_000);
            if turn % 7 == 0 {
                if self.again.is_empty() {
                    self.statement()
                } else {
                    self.send()
                };
            }
            let Some(server) = &mut self.server else { return Err("no server".into()) };
            let mut alive = server.parts.turns();
            alive &= server.engine.shared.log.sync_all().is_ok();
            for _ in 0..8 {
                server.parts.checkpoints.turn();
            }
            alive &= server.parts.turns();
            if !self.after_turn(alive)? {
                // What went wrong before may be told only now.
                if std::mem::replace(&mut told_late, true) {
                    return Err("the server stops although nothing goes wrong any more".into());
                }
                self.crash();
                self.quiet = true;
                self.start()?;
                continue;
            }
            if turn % 4 == 0 && self.at_rest()? {
                return Ok(());
            }
        }
        Err(format!("it does not come to rest: {}", self.unrest()))
    }

    // ---- clients ---------------------------------------------------------------------------------------

    fn send(&mut self) {
        let Some(server) = &self.server else { return };
        if server.calls.len() >= 4 || !self.history.statements.contains("t") {
            return;
        }
        if let Some((ids, key)) = self.again.pop() {
            return self.send_again(ids, key);
        }
        if self.quiet || self.history.rows.len() >= self.shape.rows {
            return;
        }
        if self.history.statements.contains("kt") && self.rng.below(5) == 0 {
            return self.send_keyed();
        }
        let first = self.history.rows.len();
        let count = 1 + self.rng.below(4) as usize;
        let by_kafka = self.rng.below(4) == 0;
        for id in first..first + count {
            let jitter = self.rng.below(5_000) as i64;
            let row = Row {
                k: key_of(id, self.rng.below(4)),
                v: self.rng.below(20) as i64 - 5,
                ts_ms: 10_000 + id as i64 * 400 - jitter,
                bad: by_kafka && self.rng.below(6) == 0,
            };
            self.history.rows.push(row);
        }
        if by_kafka {
            return self.produce(first..first + count);
        }
        let n = self.next_key();
        let key = (self.rng.below(3) != 0).then(|| format!("request-{n}"));
        self.send_rows(first..first + count, key);
    }

    pub(super) fn next_key(&mut self) -> u64 {
        self.next_key += 1;
        self.next_key
    }

    pub(super) fn push(&mut self, asked: Asked, call: Call) {
        if let Some(server) = &mut self.server {
            server.calls.push((asked, call));
        }
    }

    fn poll(&mut self) -> Vec<(Asked, Result<()>)> {
        let Some(server) = &mut self.server else { return vec![] };
        let mut cx = Context::from_waker(Waker::noop());
        let mut answers = vec![];
        for (asked, mut call) in std::mem::take(&mut server.calls) {
            match call.as_mut().poll(&mut cx) {
                Poll::Ready(answer) => answers.push((asked, answer)),
                Poll::Pending => server.calls.push((asked, call)),
            }
        }
        answers
    }

    fn answered(&mut self, asked: Asked, answer: Result<()>) -> Result<(), Wrong> {
        match (asked, answer) {
            (Asked::Rows { ids, .. }, Ok(())) => {
                self.say(|| format!("rows {ids:?} are acknowledged"));
                self.history.acknowledged.extend(ids);
            }
            (Asked::Rows { ids, key: key @ Some(_) }, Err(_)) => self.again.push((ids, key)),
            (Asked::Rows { ids, .. }, Err(e)) => self.say(|| format!("rows {ids:?}: {e}")),
            (Asked::Keyed { key, n }, Ok(())) => {
                let known = self.history.keyed.entry(key).or_default();
                known.0 = known.0.max(n);
            }
            (Asked::Keyed { .. }, Err(_)) => {}
            (Asked::Rest, Ok(())) => self.seen.rests += 1,
            (Asked::Rest, Err(e)) => self.say(|| format!("not done: {e}")),
            (Asked::Statement { at }, Ok(())) => {
                let (name, _) = &self.shape.statements[at];
                self.say(|| format!("statement {name} is done"));
                self.history.statements.insert(name.clone());
                self.next_statement = at + 1;
            }
            // Asked again, unless it is there after all.
            (Asked::Statement { at }, Err(e)) => {
                self.say(|| format!("statement {at}: {e}"));
                if e.code() == arus_core::error::Code::DuplicateObject {
                    let (name, _) = &self.shape.statements[at];
                    self.history.statements.insert(name.clone());
                    self.next_statement = at + 1;
                }
            }
        }
        Ok(())
    }

    fn statement(&mut self) {
        let at = self.next_statement;
        let Some(server) = &self.server else { return };
        let waiting = server.calls.iter().any(|(asked, _)| matches!(asked, Asked::Statement { .. } | Asked::Rest));
        if waiting {
            return;
        }
        if at >= self.shape.statements.len() || self.shape.rests && !self.quiet && self.rng.below(2) == 0 {
            return self.rest();
        }
        let sql = self.shape.statements[at].1.clone();
        self.execute(at, sql);
    }

    pub(super) fn statements_left(&self) -> bool {
        self.next_statement < self.shape.statements.len()
    }

    pub(super) fn is_waiting(&self) -> bool {
        !self.again.is_empty() || self.server.as_ref().is_some_and(|s| !s.calls.is_empty())
    }
}

/// A server that does not start because of bytes that landed elsewhere says so.
pub(super) const REFUSED: &str = "refused: ";

impl Shape {
    /// For a run that nothing but its end disturbs.
    pub(super) fn last_only(&mut self) {
        self.crashes = 0;
        self.steps = 400;
    }

    fn choose(rng: &mut Rng) -> Shape {
        let windows = rng.below(2) == 0;
        let partitions = if windows { 1 } else { 1 + rng.below(2) };
        let columns = "id BIGINT, k BIGINT, v BIGINT, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '2' SECOND";
        let table = |name: &str, sql: String| (name.to_string(), sql);
        let made = |name: &str, query: &str| table(name, format!("CREATE MATERIALIZED TABLE {name} AS {query}"));
        let mut statements =
            vec![table("t", format!("CREATE TABLE t ({columns}) WITH ('partitions' = '{partitions}')"))];
        // Early, so that the faults find files that grow.
        if rng.below(3) == 0 {
            let options = "'connector' = 'filesystem', 'path' = '/data/files', 'format' = 'csv', \
                           'sink.rolling-policy.rollover-interval' = '2 s'";
            statements.push(table("files", format!("CREATE TABLE files (id BIGINT) WITH ({options})")));
            statements.push(table("into", "INSERT INTO files SELECT id FROM t WHERE MOD(v, 2) = 0".into()));
        }
        let mut rest = vec![made("agg", "SELECT k, COUNT(*) AS n, SUM(v) AS total FROM t GROUP BY k")];
        if rng.below(3) != 0 {
            rest.push(made("calc", "SELECT id, v * 2 AS twice FROM t WHERE v >= 0"));
            if rng.below(3) != 0 {
                rest.push(made("chain", "SELECT id, COUNT(*) AS n FROM calc GROUP BY id"));
            }
        }
        if windows {
            let fired = "SELECT window_start AS w, COUNT(*) AS n, SUM(v) AS total FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), \
                         INTERVAL '10' SECOND)) GROUP BY window_start, window_end";
            let query =
                format!("SELECT w, COUNT(*) AS fired, SUM(n) AS n, SUM(total) AS total FROM ({fired}) GROUP BY w");
            rest.push(made("win", &query));
        }
        if rng.below(3) == 0 {
            rest.push(table("kt", "CREATE TABLE kt (id BIGINT, n BIGINT, PRIMARY KEY (id) NOT ENFORCED)".into()));
        }
        let mut shape = Shape {
            partitions,
            statements,
            misdirected: rng.below(12) == 0,
            // Which rows are late depends on how tasks take turns, and the windows are checked row by row.
            tasks: if windows { 1 } else { 4 },
            a_checkpoint: 40,
            crashes: 1 + rng.below(4),
            steps: 200 + rng.below(500),
            rows: 20 + rng.below(120) as usize,
            rests: false,
        };
        if rng.below(3) == 0 {
            rest.push(made("sizes", "SELECT n, COUNT(*) AS keys FROM agg GROUP BY n"));
        }
        // So many that state files are merged.
        if rng.below(4) == 0 {
            shape.a_checkpoint = 5;
        }
        shape.statements.extend(rest);
        shape
    }
}

/// Most keys come again and again. Each fifth row has one of its own, whose state nothing writes once more.
fn key_of(id: usize, often: u64) -> i64 {
    if id % 5 == 4 { 100 + id as i64 } else { often as i64 }
}
