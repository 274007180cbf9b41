//! Every script of `conformance/scripts` against the stored answer of a real Flink; needs no Flink.
//!
//! `conformance/run` makes the answers and documents the directives that say how lines are compared. Here as there, a
//! stored answer is stale, and fails, when the hash in its header is not that of the script and its input.

#![expect(clippy::disallowed_methods, clippy::unwrap_used, reason = "a test of the built binary over real files")]

mod modes;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};

const MARK: &str = "~ watermark ";
const TIME_LIMIT: Duration = Duration::from_secs(300);
const DIFF_LINES_LIMIT: usize = 24;
const PARALLEL_RUNS: usize = 2;
/// So many scripts have plans of their own; as in `conformance/run`.
const DISTINCT_PLANS: usize = 270;

#[derive(Clone, Copy, PartialEq, Debug)]
enum Compare {
    Sequence,
    Watermark,
    Multiset,
    End,
}

struct Answer {
    end: String,
    lines: Vec<String>,
}

#[test]
fn scripts_print_what_flink_prints() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../conformance");
    let scripts = sorted_files(&folder.join("scripts"));
    assert!(scripts.len() >= 25, "conformance/scripts has {} scripts", scripts.len());

    let next = AtomicUsize::new(0);
    let failures = Mutex::new(vec![]);
    let plans = Mutex::new(BTreeSet::new());
    std::thread::scope(|scope| {
        for _ in 0..PARALLEL_RUNS {
            scope.spawn(|| {
                while let Some(script) = scripts.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let name = script.file_stem().unwrap().to_str().unwrap();
                    match check(&folder, name) {
                        Ok(prints) => drop(plans.lock().unwrap().insert(prints)),
                        Err(problem) => failures.lock().unwrap().push(format!("{name}\n{problem}")),
                    }
                }
            });
        }
    });
    let mut failures = failures.into_inner().unwrap();
    failures.sort();
    assert!(
        failures.is_empty(),
        "{} of {} scripts differ from Flink (- flink, + arus):\n\n{}",
        failures.len(),
        scripts.len(),
        failures.join("\n"),
    );
    let mut plans = plans.into_inner().unwrap();
    plans.remove("");
    assert!(plans.len() >= DISTINCT_PLANS, "{} distinct plans, expected {DISTINCT_PLANS} or more", plans.len());
}

/// The fingerprints of the script's plans.
fn check(folder: &Path, name: &str) -> Result<String, String> {
    let script = fs::read_to_string(folder.join(format!("scripts/{name}.sql"))).unwrap();
    let flink = stored_answer(folder, name, &script)?;
    let compare = directive(&script)?;
    compare_lines(folder, name, &flink, compare)?;
    modes::check(folder, name, &script, flink.end == "refused")
}

fn compare_lines(folder: &Path, name: &str, flink: &Answer, compare: Compare) -> Result<(), String> {
    let output = run_arus(folder, &["run", "--mark-watermarks", &format!("scripts/{name}.sql")])?;

    let marked: Vec<String> = String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect();
    let plain = || marked.iter().filter(|line| !line.starts_with(MARK)).cloned().collect::<Vec<_>>();
    let message = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    let code = output.status.code();
    // A refused script is always the user's error (1); a failed job may also be the data's (2).
    let ended_alike = match flink.end.as_str() {
        "ok" => code == Some(0),
        "refused" => code == Some(1),
        "failed" => matches!(code, Some(1 | 2)),
        other => return Err(format!("  unknown end '{other}' in the stored answer\n")),
    };
    if !ended_alike {
        let shown: String = message.lines().take(12).fold(String::new(), |text, line| text + "    " + line + "\n");
        return Err(format!("  flink: {}; arus: exit code {code:?}\n{shown}", flink.end));
    }
    if flink.end != "ok" && message.is_empty() {
        return Err("  nothing on standard error says what is wrong\n".to_owned());
    }
    let (expected, found) = match compare {
        Compare::End => return Ok(()),
        Compare::Sequence => (flink.lines.clone(), plain()),
        Compare::Watermark => {
            let found = in_order_of(&flink.lines, &marked);
            (flink.lines.clone(), found)
        }
        Compare::Multiset => (sorted(flink.lines.clone()), sorted(plain())),
    };
    if expected == found { Ok(()) } else { Err(short_diff(&expected, &found)) }
}

/// The mode that the head comment of the script asks for.
fn directive(script: &str) -> Result<Compare, String> {
    let mut head = script.lines().take_while(|line| line.starts_with("--"));
    let Some(mode) = head.find_map(|line| line.strip_prefix("-- compare: ")) else {
        return Ok(Compare::Sequence);
    };
    match mode.split(' ').next().unwrap() {
        "sequence" => Ok(Compare::Sequence),
        "watermark" => Ok(Compare::Watermark),
        "multiset" => Ok(Compare::Multiset),
        "end" => Ok(Compare::End),
        other => Err(format!("  unknown comparison '{other}'\n")),
    }
}

/// Lines between two marks that are a permutation of Flink's next lines are put in their order.
fn in_order_of(expected: &[String], marked: &[String]) -> Vec<String> {
    let mut aligned: Vec<String> = vec![];
    for group in marked.split(|line| line.starts_with(MARK)) {
        let next = expected.iter().skip(aligned.len()).take(group.len()).cloned().collect::<Vec<_>>();
        let same = sorted(next.clone()) == sorted(group.to_vec());
        aligned.extend(if same { next } else { group.to_vec() });
    }
    aligned
}

fn stored_answer(folder: &Path, name: &str, script: &str) -> Result<Answer, String> {
    let hint = format!("conformance/run --regenerate {name}");
    let text = fs::read_to_string(folder.join(format!("expected/{name}.txt")))
        .map_err(|_| format!("  no stored answer; make it with {hint}\n"))?;
    let (head, body) = text.split_once("\n---\n").ok_or("  the stored answer has no header\n")?;
    let field = |key: &str| head.lines().find_map(|line| line.strip_prefix(key)).unwrap_or_default().to_owned();
    if field("# sha256 of script and input: ") != digest(folder, script) {
        return Err(format!("  the stored answer is stale; renew it with {hint}\n"));
    }
    Ok(Answer { end: field("# end: "), lines: body.lines().map(str::to_owned).collect() })
}

/// sha256 over the script and then its input files in the order of their paths, each preceded by its length.
fn digest(folder: &Path, script: &str) -> String {
    let mut files = BTreeSet::new();
    for (start, _) in script.match_indices("'data/") {
        let named = script[start + 1..].split('\'').next().unwrap();
        add_files(&folder.join(named), &mut files);
    }
    let mut hash = Sha256::new();
    let contents = files.iter().map(|file| fs::read(file).unwrap());
    for content in std::iter::once(script.as_bytes().to_vec()).chain(contents) {
        hash.update(format!("{}\n", content.len()));
        hash.update(content);
    }
    hash.finalize().iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

fn add_files(path: &Path, files: &mut BTreeSet<PathBuf>) {
    if path.is_file() {
        files.insert(path.to_owned());
    } else if path.is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            add_files(&entry.unwrap().path(), files);
        }
    }
}

fn run_arus(folder: &Path, arguments: &[&str]) -> Result<Output, String> {
    let out = tempfile::tempdir().unwrap();
    let (stdout, stderr) = (out.path().join("stdout"), out.path().join("stderr"));
    // What a script writes goes to a folder of its own.
    let mut arguments: Vec<String> = arguments.iter().map(|a| (*a).to_string()).collect();
    for script in arguments.iter_mut().filter(|a| a.ends_with(".sql")) {
        let text = fs::read_to_string(folder.join(&*script)).unwrap();
        if text.contains("'scratch/") {
            let own = out.path().join("script.sql");
            fs::write(&own, text.replace("'scratch/", &format!("'{}/", out.path().display()))).unwrap();
            *script = own.to_str().unwrap().to_string();
        }
    }
    // Files rather than pipes: a run that hangs is killed without anybody having to drain them.
    let mut child = Command::new(env!("CARGO_BIN_EXE_arus"))
        .args(arguments)
        .current_dir(folder)
        .env("TMPDIR", out.path())
        .stdin(Stdio::null())
        .stdout(fs::File::create(&stdout).unwrap())
        .stderr(fs::File::create(&stderr).unwrap())
        .spawn()
        .unwrap();
    let start = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if start.elapsed() > TIME_LIMIT {
            child.kill().unwrap();
            child.wait().unwrap();
            return Err(format!("  still running after {} s\n", TIME_LIMIT.as_secs()));
        }
        std::thread::sleep(Duration::from_millis(2));
    };
    Ok(Output { status, stdout: fs::read(stdout).unwrap(), stderr: fs::read(stderr).unwrap() })
}

fn sorted_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = BTreeSet::new();
    add_files(folder, &mut files);
    files.into_iter().collect()
}

fn sorted(mut lines: Vec<String>) -> Vec<String> {
    lines.sort();
    lines
}

/// The lines that differ, pair by pair where both have as many; else what stands between the common beginning and the
/// common end. Cut to a readable length.
fn short_diff(expected: &[String], found: &[String]) -> String {
    let mut text = String::new();
    if expected.len() == found.len() {
        let different = || expected.iter().zip(found).filter(|(a, b)| a != b);
        for (a, b) in different().take(DIFF_LINES_LIMIT / 4) {
            let at = a.chars().zip(b.chars()).take_while(|(a, b)| a == b).count();
            let item = a.chars().take(at).filter(|c| *c == ',').count() + 1;
            let rest = |line: &str| line.chars().skip(at).take(40).collect::<String>();
            writeln!(text, "  - {a}\n  + {b}\n    from item {item}: '{}' is '{}'", rest(a), rest(b)).unwrap();
        }
        writeln!(text, "  {} of {} lines differ", different().count(), expected.len()).unwrap();
        return text;
    }
    let ahead = expected.iter().zip(found).take_while(|(a, b)| a == b).count();
    let (expected_rest, found_rest) = (&expected[ahead..], &found[ahead..]);
    let behind = expected_rest.iter().rev().zip(found_rest.iter().rev()).take_while(|(a, b)| a == b).count();
    writeln!(text, "  from line {} of {} (arus has {})", ahead + 1, expected.len(), found.len()).unwrap();
    for (sign, rest) in [('-', expected_rest), ('+', found_rest)] {
        let lines = &rest[..rest.len() - behind];
        for line in lines.iter().take(DIFF_LINES_LIMIT / 2) {
            writeln!(text, "  {sign} {line}").unwrap();
        }
        if lines.len() > DIFF_LINES_LIMIT / 2 {
            writeln!(text, "  {sign} .. {} more", lines.len() - DIFF_LINES_LIMIT / 2).unwrap();
        }
    }
    text
}
