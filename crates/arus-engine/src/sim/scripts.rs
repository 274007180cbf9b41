//! Every script of `conformance/scripts` once more, with checkpoints, kills and restores at another parallelism in the middle of
//! its input: what comes of it is the stored answer of Flink.
//!
//! A batch is one row, or a few of a long input, so that a cut lies between any two of them. A query's rows are read from the
//! table that it fills; what a script prints is held to a checkpoint's mark, as a sink is that writes exactly once: lines behind
//! the mark of the restored checkpoint are taken back. Both are compared as the rows that are left when all changes are made.
//!
//! `ARUS_SCRIPT=name` runs one and shows what happens, `ARUS_ROUNDS=n` runs all of them n times with other cuts, `ARUS_SEED` says which.

mod lines;
mod trial;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Instant;

use arus_core::rng::Rng;
use xxhash_rust::xxh3::xxh3_64;

use super::number;
use lines::{difference, make_a_table, without};
use trial::{Ended, Restarts, Tasks, Trial};

/// Whose rows depend on more than the rows that come: it runs over restarts, and how it ends is compared alone.
const END_ALONE: &[(&str, &str)] = &[("functions-math-4", "RAND begins anew with each start of a task")];

/// What a server refuses, where a script's own session may do it.
const NOT_ON_A_SERVER: &[(&str, &str)] = &[
    ("alter-table-columns", "it changes a table that a pipeline writes"),
    ("alter-table-source", "it changes a table that a pipeline reads"),
    ("alter-view", "it changes a view that a pipeline reads"),
    ("catalogs", "catalogs of its own"),
    ("create-or-replace-table-as", "it replaces a table that a pipeline writes"),
    ("create-table-forms", "it drops a table that a pipeline writes"),
    ("databases", "it drops a database that a pipeline reads"),
    ("functions-time-3", "a table with a column of type INTERVAL"),
    ("show-statements", "partitions that are named"),
    ("temporary-tables", "tables that hide others"),
];

/// What depends on the order of rows with different keys, which several tasks do not keep: which rows of a changelog LIMIT takes, how a
/// list of all groups is ordered, the last digit of a sum of floating point numbers, whether what one task takes back is late while
/// another is behind.
const ONE_TASK: &[&str] = &["array-agg-retract", "limit-updates", "normalize-window-late", "variance-retract"];

/// So many scripts at least are cut in the middle of their input.
const CUT_AT_LEAST: usize = 300;

struct Script {
    name: String,
    text: String,
    /// Flink's.
    end: String,
    lines: Vec<String>,
    /// Why its lines are not compared.
    end_alone: Option<String>,
}

/// What came of a script.
enum Outcome {
    Same(Restarts),
    /// It ends as it does with Flink; its lines are not compared.
    EndsAlike(String, Restarts),
    /// It has no streaming job that could be restored.
    Left(String),
    Wrong(String),
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../conformance")
}

fn text_of(path: &Path) -> String {
    String::from_utf8_lossy(&std::fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))).into_owned()
}

impl Script {
    fn load(path: &Path) -> Script {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let text = text_of(path);
        let answer = text_of(&folder().join(format!("expected/{name}.txt")));
        let (head, body) = answer.split_once("\n---\n").expect("a stored answer has a header");
        let end = head.lines().find_map(|line| line.strip_prefix("# end: ")).expect("how it ends").to_string();
        let listed = END_ALONE.iter().find(|(listed, _)| *listed == name).map(|(_, reason)| reason.to_string());
        let directive = text.lines().find_map(|line| line.strip_prefix("-- compare: end ")).map(str::to_string);
        let lines = body.lines().map(str::to_string).collect();
        Script { name, end, lines, end_alone: listed.or(directive), text }
    }

    fn run(&self, seed: u64, verbose: bool) -> Outcome {
        if self.end == "refused" {
            return Outcome::Left("Flink refuses the script".into());
        }
        if let Some((_, reason)) = NOT_ON_A_SERVER.iter().find(|(listed, _)| *listed == self.name) {
            return Outcome::Left(format!("a server refuses it: {reason}"));
        }
        if self.text.contains("'scratch/") {
            return Outcome::Left("it reads files that it has written, and a job is not waited for here".into());
        }
        let tasks = if ONE_TASK.contains(&self.name.as_str()) { Tasks::One } else { Tasks::Any };
        let rng = Rng::seeded(xxh3_64(self.name.as_bytes()) ^ seed);
        let mut trial = Trial::new(rng, tasks, make_a_table(&self.lines), verbose, &self.text);
        let ended = match trial.run(&self.text) {
            Ok(ended) => ended,
            Err(wrong) => return Outcome::Wrong(wrong),
        };
        let restarts = trial.restarts;
        let flink = without(&self.lines, &trial.hidden);
        match (self.end.as_str(), ended) {
            ("ok", Ended::NoJob) if self.lines.is_empty() => Outcome::Left("it has no job".into()),
            ("failed", Ended::Failed(_)) => Outcome::EndsAlike("a job fails".into(), restarts),
            ("ok", Ended::Finished { .. }) if self.end_alone.is_some() => {
                Outcome::EndsAlike(self.end_alone.clone().unwrap_or_default(), restarts)
            }
            ("ok", Ended::Finished { lines, key }) => match difference(&flink, &lines, key.as_ref()) {
                None => Outcome::Same(restarts),
                Some(text) => Outcome::Wrong(format!("{text}  {restarts:?}\n")),
            },
            (_, Ended::Failed(reason)) => Outcome::Wrong(format!("  a job has failed: {reason}\n")),
            (end, _) => Outcome::Wrong(format!("  Flink: {end}; here it ends well\n")),
        }
    }
}

fn scripts() -> Vec<PathBuf> {
    let folder = folder().join("scripts");
    let only = std::env::var("ARUS_SCRIPT").ok();
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| only.as_deref().is_none_or(|only| path.file_stem().is_some_and(|stem| stem == only)));
    paths.sort();
    paths
}

#[test]
fn scripts_give_flinks_answers_over_restarts_at_another_parallelism() {
    let started = Instant::now();
    let (first, rounds) = (number("ARUS_SEED").unwrap_or(0), number("ARUS_ROUNDS").unwrap_or(1));
    let limit = number("ARUS_SECONDS").unwrap_or(u64::MAX);
    let paths = scripts();
    let verbose = paths.len() == 1;
    let total: Mutex<Total> = Mutex::default();
    for seed in first..first + rounds {
        let next = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
                scope.spawn(|| {
                    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                    let _entered = runtime.enter();
                    while let Some(path) = paths.get(next.fetch_add(1, SeqCst)) {
                        let script = Script::load(path);
                        let run = std::panic::AssertUnwindSafe(|| script.run(seed, verbose));
                        let outcome = std::panic::catch_unwind(run);
                        let outcome = outcome.unwrap_or_else(|_| Outcome::Wrong("  it panics\n".into()));
                        total.lock().unwrap().note(&script.name, seed, outcome);
                    }
                });
            }
        });
        if !total.lock().unwrap().wrong.is_empty() || started.elapsed().as_secs() >= limit {
            break;
        }
    }
    let total = total.into_inner().unwrap();
    println!("{total}in {} s", started.elapsed().as_secs());
    assert!(
        total.wrong.is_empty(),
        "{} scripts give something else over restarts (- flink, + arus):\n\n{}",
        total.wrong.len(),
        total.wrong.join("\n")
    );
    let cut = total.cut;
    assert!(verbose || cut >= CUT_AT_LEAST, "{cut} scripts were cut in the middle of their input, not {CUT_AT_LEAST}");
}

#[derive(Default)]
struct Total {
    same: usize,
    /// Of all that ran.
    cut: usize,
    sum: Restarts,
    ends_alike: BTreeMap<String, Vec<String>>,
    left: BTreeMap<String, Vec<String>>,
    /// Those whose input is too short for a cut.
    not_cut: Vec<String>,
    wrong: Vec<String>,
}

impl Total {
    fn note(&mut self, name: &str, seed: u64, outcome: Outcome) {
        let restarts = match outcome {
            Outcome::Same(restarts) => {
                self.same += 1;
                restarts
            }
            Outcome::EndsAlike(reason, restarts) => {
                self.ends_alike.entry(reason).or_default().push(name.into());
                restarts
            }
            Outcome::Left(reason) => {
                self.left.entry(reason).or_default().push(name.into());
                return;
            }
            Outcome::Wrong(text) => {
                return self.wrong.push(format!("{name} (ARUS_SCRIPT={name} ARUS_SEED={seed})\n{text}"));
            }
        };
        if restarts.in_the_middle > 0 {
            self.cut += 1;
        } else {
            self.not_cut.push(name.into());
        }
        self.sum.add(&restarts);
    }
}

impl std::fmt::Display for Total {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Restarts { kills, in_the_middle, replayed, tables, printed } = self.sum;
        writeln!(
            f,
            "scripts: {} give Flink's answer over {kills} kills, {in_the_middle} of them restored in the middle of input at another \
             parallelism, {replayed} rows read again; {tables} results read from tables, {printed} printed; {} were cut in the middle",
            self.same, self.cut
        )?;
        let list = |names: &[String]| names.join(" ");
        for (reason, names) in &self.ends_alike {
            writeln!(f, "scripts: {} end alike, no lines compared, {reason}: {}", names.len(), list(names))?;
        }
        for (reason, names) in &self.left {
            writeln!(f, "scripts: {} left out, {reason}: {}", names.len(), list(names))?;
        }
        writeln!(
            f,
            "scripts: {} not cut, their input is too short or none: {}",
            self.not_cut.len(),
            list(&self.not_cut)
        )
    }
}
