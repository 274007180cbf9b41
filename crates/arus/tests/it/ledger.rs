//! The ledger checker: this process is never killed, the server is.
//!
//! Producers move money between accounts, each with its own sequence; what is acknowledged is noted at once. Every snapshot that
//! is read over the Postgres wire is checked, not only the last one: the sum is zero, every covered offset counts once,
//! sequences have no gaps, the epoch never goes back within an incarnation. The moment of a kill is random or aimed at a
//! checkpoint; which phase it has hit is read off the disk. Two sinks take each transfer out, and some replies to their commits are
//! lost. `ARUS_KILLS=n` sets the number of kills, `ARUS_PHASE_HITS=n` goes on until each phase was hit so often (`make soak`).

mod outside;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use arus_storage::manifest::Manifest;
use arus_storage::{DataFolder, DiskFs};

use crate::http::{NDJSON, request};
use crate::server::{Server, wait_until};
use outside::Outside;

/// With each change.
const KILLS: u64 = 25;
const ACCOUNTS: u64 = 1_000;
const PRODUCERS: u64 = 3;
/// Transfers of the Kafka producer have ids from here on.
const KAFKA_IDS: u64 = 1 << 40;

/// What one producer has sent and what was acknowledged: sequences have no gaps, so that numbers say all.
#[derive(Default)]
struct Producer {
    sent: AtomicU64,
    acknowledged: AtomicU64,
}

struct Ledger {
    producers: Vec<Producer>,
    kafka_sent: AtomicU64,
    kafka_acknowledged: Mutex<BTreeSet<u64>>,
    stop: AtomicBool,
    /// The newest cut that was seen.
    seen: Mutex<(u64, u64)>,
    snapshots: AtomicU64,
}

/// A transfer by its id: deterministic, so that a retry has the same bytes.
fn transfer(id: u64, producer: u64, seq: u64) -> String {
    let mut x = id.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ producer;
    x ^= x >> 29;
    let (from, to, amount) = (x % ACCOUNTS, (x >> 20) % ACCOUNTS, (x >> 40) % 500);
    format!(r#"{{"id":{id},"producer":{producer},"seq":{seq},"src":{from},"dst":{to},"amount":{amount}}}"#)
}

fn produce(ledger: &Ledger, port: u16, number: u64) {
    let progress = &ledger.producers[number as usize];
    let mut batch = 0;
    while !ledger.stop.load(SeqCst) {
        let first = progress.sent.load(SeqCst);
        let count = 1 + batch % 9;
        let lines: Vec<String> = (first..first + count).map(|seq| transfer(number << 32 | seq, number, seq)).collect();
        progress.sent.store(first + count, SeqCst);
        let (body, key) = (lines.join("\n"), format!("{number}-{batch}"));
        let until = Instant::now() + crate::server::LIMIT;
        loop {
            let headers = [NDJSON, ("Idempotency-Key", key.as_str())];
            match request(port, "POST", "/v1/tables/transfers/rows", &headers, body.as_bytes()) {
                Ok(answer) if answer.status == 200 => break,
                Ok(answer) if answer.status < 500 && answer.status != 404 && answer.status != 429 => {
                    panic!("{} {}", answer.status, answer.body)
                }
                _ => std::thread::sleep(Duration::from_millis(5)),
            }
            assert!(Instant::now() < until, "a request of producer {number} was never acknowledged");
        }
        progress.acknowledged.store(first + count, SeqCst);
        batch += 1;
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Batches by kcat, none of them twice.
fn produce_by_kafka(ledger: &Ledger, port: u16) {
    while !ledger.stop.load(SeqCst) {
        let first = ledger.kafka_sent.fetch_add(20, SeqCst);
        let lines: Vec<String> = (first..first + 20).map(|n| transfer(KAFKA_IDS + n, PRODUCERS, n)).collect();
        let broker = format!("127.0.0.1:{port}");
        let options = ["-b", &broker, "-m", "30", "-P", "-t", "transfers", "-X", "acks=all"];
        let no_retry = ["-X", "message.send.max.retries=0", "-X", "message.timeout.ms=20000"];
        let run =
            crate::server::client("kcat", "kcat", &[&options[..], &no_retry].concat(), lines.join("\n").as_bytes());
        if run.ok && run.stderr.is_empty() {
            ledger.kafka_acknowledged.lock().unwrap().extend(first..first + 20);
        } else {
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

const SNAPSHOT: &str = "BEGIN;
SELECT 'cut', incarnation, epoch FROM arus.epochs;
SELECT 'sum', SUM(balance), SUM(n) FROM balances;
SELECT 'ids', COUNT(*), SUM(n) FROM ids;
SELECT 'producer', producer, n, last FROM producers;
SELECT 'at', pipeline, \"offset\" FROM arus.positions WHERE \"table\" LIKE '%transfers' AND partition = 0;
COMMIT;";

/// Reads one epoch and holds it to what must be; false: the server does not answer.
fn check_snapshot(ledger: &Ledger, port: &str) -> bool {
    let args = ["-X", "-Atq", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-p", port, "-U", "arus", "-d", "arus"];
    let run = crate::server::client("psql", "postgresql-client", &args, SNAPSHOT.as_bytes());
    if !run.ok {
        return false;
    }
    let sent: Vec<u64> = ledger.producers.iter().map(|p| p.sent.load(SeqCst)).collect();
    let mut offsets: BTreeMap<String, u64> = BTreeMap::new();
    let (mut sum, mut ids, mut cut) = ((0i64, 0), (0, 0), (0, 0));
    let mut last: BTreeMap<u64, (u64, u64)> = BTreeMap::new();
    for line in run.stdout.lines() {
        let fields: Vec<&str> = line.split('|').collect();
        let number = |i: usize| fields[i].parse::<u64>().unwrap_or(0);
        match fields[0] {
            "cut" => cut = (number(1), number(2)),
            "sum" => sum = (fields[1].parse().unwrap_or(0), number(2)),
            "ids" => ids = (number(1), number(2)),
            "producer" => drop(last.insert(number(1), (number(2), number(3)))),
            "at" => drop(offsets.insert(fields[1].to_string(), number(2))),
            _ => {}
        }
    }
    let text = &run.stdout;
    assert_eq!(sum.0, 0, "money was made or lost\n{text}");
    assert_eq!(ids.0, ids.1, "a transfer counts twice\n{text}");
    let offset = |name: &str| offsets.iter().find(|(pipeline, _)| pipeline.contains(name)).map(|(_, offset)| *offset);
    if let (Some(balances), Some(by_id)) = (offset("balances"), offset("ids")) {
        assert_eq!(sum.1, 2 * balances, "balances cover {balances} transfers\n{text}");
        assert_eq!(ids.1, by_id, "ids cover {by_id} transfers\n{text}");
    }
    for (producer, (n, last)) in last.iter().filter(|(producer, _)| **producer < PRODUCERS) {
        assert_eq!(*n, last + 1, "the sequence of producer {producer} has a gap\n{text}");
        assert!(*n <= sent[*producer as usize], "producer {producer} has sent {sent:?}\n{text}");
    }
    let mut seen = ledger.seen.lock().unwrap();
    assert!(cut >= *seen || cut.0 > seen.0, "readers saw {seen:?} before\n{text}");
    *seen = cut;
    ledger.snapshots.fetch_add(1, SeqCst);
    true
}

fn spawn(ledger: &Arc<Ledger>, run: impl Fn(&Ledger) + Send + 'static) -> JoinHandle<()> {
    let ledger = ledger.clone();
    std::thread::spawn(move || run(&ledger))
}

/// Numbers by a seed: kill moments are of no use to a replay, but the mix should not be the same each time.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % n
    }
}

fn state_files(data: &Path) -> BTreeSet<String> {
    let entries = std::fs::read_dir(data.join("state")).map(|d| d.flatten().collect::<Vec<_>>()).unwrap_or_default();
    entries.iter().map(|e| e.file_name().to_string_lossy().into_owned()).collect()
}

/// Spins until it is so, or for three seconds.
fn spin_until(mut condition: impl FnMut() -> bool) {
    let until = Instant::now() + Duration::from_secs(3);
    while !condition() && Instant::now() < until {
        std::hint::spin_loop();
    }
}

/// Where a kill may hit, in the order of the numbers that [`aim`] takes.
const PHASES: [&str; 5] = [
    "writing state",
    "state written, record not",
    "record written, old files there",
    "in a merge",
    "between checkpoints",
];
const MERGE: &str = "-merge-";

/// Waits for a moment of a checkpoint: its state file appears, is whole, is named by the manifest; a merge begins. `patient`: until
/// there is something to merge, too.
fn aim(data: &Path, target: usize, patient: bool, dice: &mut Dice) {
    let merges = |target: usize| target == 2 || target == 3;
    if patient && merges(target) {
        let until = Instant::now() + Duration::from_secs(20);
        while state_files(data).len() < 7 && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(5));
        }
    }
    let before = state_files(data);
    let manifest = || std::fs::metadata(data.join("manifest")).map_or(0, |m| m.len());
    if merges(target) && before.len() >= 7 {
        spin_until(|| state_files(data).iter().any(|name| name.contains(MERGE) && !before.contains(name)));
        if target == 2 {
            // The next record names what was merged; until it is synced what it was made of is there.
            let length = manifest();
            spin_until(|| manifest() != length);
            return;
        }
    } else {
        let length = manifest();
        spin_until(|| !state_files(data).is_subset(&before));
        match target {
            0 if patient => return,
            1 => spin_until(|| state_files(data).iter().filter(|n| !before.contains(*n)).any(|n| is_whole(data, n))),
            2 => spin_until(|| manifest() != length),
            _ => {}
        }
    }
    let started = Instant::now();
    let pause = Duration::from_micros(dice.below(4) * dice.below(1_000));
    spin_until(|| started.elapsed() >= pause);
}

fn is_whole(data: &Path, name: &str) -> bool {
    std::fs::read(data.join("state").join(name)).is_ok_and(|bytes| bytes.ends_with(FOOTER))
}

/// Which phase of a checkpoint the kill has hit, by a copy of what it left.
fn phase_of(data: &Path) -> &'static str {
    let copy = tempfile::tempdir().unwrap();
    let root = copy.path().join("data");
    std::fs::create_dir_all(root.join("state")).unwrap();
    std::fs::copy(data.join("manifest"), root.join("manifest")).unwrap();
    let folder = DataFolder::open(Arc::new(DiskFs), &root).unwrap();
    let manifest = Manifest::open(&folder, 0).unwrap();
    let checkpoint = manifest.state().checkpoint.as_ref();
    let named: BTreeSet<String> = checkpoint.iter().flat_map(|c| c.files.iter().map(|f| f.name.clone())).collect();
    let newest = named.iter().max().cloned().unwrap_or_default();
    // What was merged before that, and is merged into it, goes with the other old files.
    let merged = named.iter().filter(|f| f.contains(MERGE)).max().cloned().unwrap_or_default();
    let others: Vec<String> = state_files(data).into_iter().filter(|f| !named.contains(f)).collect();
    match others.iter().max() {
        None => PHASES[4],
        Some(_) if others.iter().any(|name| name.contains(MERGE) && *name > merged) => PHASES[3],
        Some(other) if *other > newest && is_whole(data, other) => PHASES[1],
        Some(other) if *other > newest => PHASES[0],
        Some(_) => PHASES[2],
    }
}

/// What a whole state file ends with.
const FOOTER: &[u8] = b"ASTF";

fn prepare(server: &Server) {
    server
        .sql("CREATE TABLE transfers (id BIGINT, producer BIGINT, seq BIGINT, src BIGINT, dst BIGINT, amount BIGINT)");
    server.sql(
        "CREATE MATERIALIZED TABLE balances AS SELECT account, SUM(delta) AS balance, COUNT(*) AS n FROM (SELECT src AS account, \
         -amount AS delta FROM transfers UNION ALL SELECT dst, amount FROM transfers) GROUP BY account",
    );
    server.sql("CREATE MATERIALIZED TABLE ids AS SELECT id, COUNT(*) AS n FROM transfers GROUP BY id");
    server.sql(
        "CREATE MATERIALIZED TABLE producers AS SELECT producer, COUNT(*) AS n, MAX(seq) AS last FROM transfers GROUP BY producer",
    );
}

#[test]
fn the_ledger_balances_across_kills() {
    let number = |name: &str| std::env::var(name).ok().and_then(|n| n.parse::<u64>().ok());
    let (at_least, wanted) = (number("ARUS_KILLS").unwrap_or(KILLS), number("ARUS_PHASE_HITS").unwrap_or(0));
    let outside = Outside::start();
    let mut server = Server::start_with(&outside.flags());
    prepare(&server);
    outside.prepare(&server);
    let ledger = Arc::new(Ledger {
        producers: (0..PRODUCERS).map(|_| Producer::default()).collect(),
        kafka_sent: AtomicU64::new(0),
        kafka_acknowledged: Mutex::default(),
        stop: AtomicBool::new(false),
        seen: Mutex::new((0, 0)),
        snapshots: AtomicU64::new(0),
    });
    let (http, kafka, pg) = (server.http, server.kafka, server.pg.to_string());
    let mut threads: Vec<_> =
        (0..PRODUCERS).map(|number| spawn(&ledger, move |ledger| produce(ledger, http, number))).collect();
    threads.push(spawn(&ledger, move |ledger| produce_by_kafka(ledger, kafka)));
    let port = pg.clone();
    threads.push(spawn(&ledger, move |ledger| {
        while !ledger.stop.load(SeqCst) {
            check_snapshot(ledger, &port);
            std::thread::sleep(Duration::from_millis(50));
        }
    }));
    let mut dice = Dice(u64::from(std::process::id()));
    let mut hits: BTreeMap<&str, u64> = PHASES.iter().map(|phase| (*phase, 0)).collect();
    let (mut replayed, mut longest) = (0.0, Duration::ZERO);
    wait_until("the first rows", || server.metric("arus_checkpoints_total") > 0.0 && ledger.snapshots.load(SeqCst) > 0);
    let mut kills = 0;
    while kills < at_least || kills < 3 * at_least && hits.values().any(|n| *n < wanted) {
        let kill = kills;
        kills += 1;
        // On a machine that is busy the others come to something, too.
        let transfers = || ledger.producers.iter().map(|p| p.acknowledged.load(SeqCst)).sum::<u64>();
        wait_until("transfers and snapshots", || {
            threads.iter().any(JoinHandle::is_finished)
                || transfers() > 25 * kills && ledger.snapshots.load(SeqCst) > kills
        });
        // Rows that no checkpoint holds yet.
        std::thread::sleep(Duration::from_millis(60 + dice.below(250)));
        let rarest = (0..PHASES.len()).min_by_key(|at| hits[PHASES[*at]]).unwrap_or(0);
        let target = if wanted > 0 && kill % 2 == 0 { rarest } else { (kill % 5) as usize };
        match target {
            4 if kill % 10 == 9 => outside.lose_a_reply(),
            4 => {}
            _ => aim(server.data(), target, wanted > 0, &mut dice),
        }
        server.kill();
        *hits.entry(phase_of(server.data())).or_default() += 1;
        let started = Instant::now();
        server.restart();
        longest = longest.max(started.elapsed());
        assert!(server.metric("arus_recovery_epoch") > 0.0, "kill {kill}: nothing was restored");
        replayed += server.metric("arus_recovery_replayed_rows");
        if kill % 10 == 0 {
            outside.check();
        }
    }
    assert!(hits.values().all(|n| *n >= wanted), "each phase was to be hit {wanted} times: {hits:?}");
    assert!(replayed > 0.0, "nothing was replayed");
    wait_until("transfers by Kafka", || {
        threads.iter().any(JoinHandle::is_finished) || ledger.kafka_acknowledged.lock().unwrap().len() > 20
    });
    std::thread::sleep(Duration::from_millis(300));
    ledger.stop.store(true, SeqCst);
    for thread in threads {
        thread.join().expect("a producer or the checker found something wrong");
    }
    let mut text = String::new();
    hits.iter().for_each(|(phase, n)| write!(text, "{n} {phase}, ").unwrap());
    eprintln!("kills: {text}{replayed} rows replayed; it served again after {longest:?} at most");
    verify(&server, &ledger, kills);
    let transfers = server.sql("SELECT COUNT(*) FROM ids").trim().parse().unwrap();
    eprintln!("ledger's sinks: {}", outside.verify(transfers));
}

/// At rest: each acknowledged transfer is there, none that nobody sent, and a computation over all gives the same balances.
fn verify(server: &Server, ledger: &Ledger, kills: u64) {
    let acknowledged: u64 = ledger.producers.iter().map(|p| p.acknowledged.load(SeqCst)).sum();
    let of_http = format!("SELECT COUNT(*) FROM ids WHERE id < {KAFKA_IDS}");
    server.eventually(&of_http, &acknowledged.to_string());
    for (number, producer) in ledger.producers.iter().enumerate() {
        let n = producer.acknowledged.load(SeqCst);
        let sql = format!("SELECT n, last FROM producers WHERE producer = {number}");
        server.eventually(&sql, &format!("{n}|{}", n - 1));
    }
    wait_until("all rows of Kafka are there", || {
        let found = server.sql(&format!("SELECT id FROM ids WHERE id >= {KAFKA_IDS}"));
        let found: BTreeSet<u64> = found.lines().map(|l| l.parse::<u64>().unwrap() - KAFKA_IDS).collect();
        assert!(found.last().is_none_or(|last| *last < ledger.kafka_sent.load(SeqCst)));
        ledger.kafka_acknowledged.lock().unwrap().is_subset(&found)
    });
    let batch = "SELECT account, SUM(delta), COUNT(*) FROM (SELECT src AS account, -amount AS delta FROM transfers UNION ALL \
                 SELECT dst, amount FROM transfers) AS t GROUP BY account ORDER BY account";
    server.eventually("SELECT account, balance, n FROM balances ORDER BY account", server.sql(batch).trim_end());
    let port = server.pg.to_string();
    assert!(check_snapshot(ledger, &port));
    let snapshots = ledger.snapshots.load(SeqCst);
    let by_kafka = ledger.kafka_acknowledged.lock().unwrap().len();
    assert!(snapshots > kills && acknowledged > 20 * kills && by_kafka > 20, "{snapshots}, {acknowledged}, {by_kafka}");
    eprintln!(
        "ledger: {kills} kills, {acknowledged} transfers by HTTP and {by_kafka} by Kafka, {snapshots} snapshots checked, no fault: \
         at most {:.1} % of kills lose something (95 %, 3/n)",
        300.0 / kills as f64
    );
}
