//! Changelog modes of scans, stateful operators and sinks beside those of Flink, stored in `expected/NAME.modes`; and
//! the plans' fingerprints. Both are reduced as in `conformance/run`.

use std::fs;
use std::path::Path;

use super::{digest, run_arus, short_diff};

const PHYSICAL_PLAN: &str = "== Optimized Physical Plan ==\n";

/// Operators of plans that hold no state.
const STATELESS: [&str; 9] = [
    "Calc",
    "Exchange",
    "Union",
    "Values",
    "WatermarkAssigner",
    "MiniBatchAssigner",
    "Expand",
    "WindowTableFunction",
    "Correlate",
];

/// Compares the modes; the fingerprints of the script's plans.
pub(super) fn check(folder: &Path, name: &str, script: &str, refused: bool) -> Result<String, String> {
    let output = run_arus(folder, &["check", "--fingerprint", &format!("scripts/{name}.sql")])?;
    let text = String::from_utf8_lossy(&output.stdout);
    let prints: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("fingerprint: ")).collect();
    let head = script.split("\n\n").next().unwrap_or_default();
    if head.lines().any(|line| line.starts_with("-- modes: not compared (")) {
        return Ok(prints.join(" "));
    }
    let flink = stored(folder, name, script)?;
    let plans = text.split(PHYSICAL_PLAN).skip(1);
    let mut arus: Vec<Vec<String>> = plans.map(|p| reduced(p.split("\n== ").next().unwrap_or_default())).collect();
    if refused {
        // Flink stops at its first error; check goes on.
        arus.truncate(flink.len());
    }
    if arus == flink {
        return Ok(prints.join(" "));
    }
    let lines = |plans: &[Vec<String>]| plans.join(&"---".to_owned());
    Err(format!("  changelog modes differ\n{}", short_diff(&lines(&flink), &lines(&arus))))
}

fn stored(folder: &Path, name: &str, script: &str) -> Result<Vec<Vec<String>>, String> {
    let hint = format!("conformance/run --modes {name}");
    let text = fs::read_to_string(folder.join(format!("expected/{name}.modes")))
        .map_err(|_| format!("  no stored changelog modes; make them with {hint}\n"))?;
    let mut parts = text.split("---\n");
    if !parts.next().unwrap_or_default().contains(&format!(": {}\n", digest(folder, script))) {
        return Err(format!("  the stored changelog modes are stale; renew them with {hint}\n"));
    }
    Ok(parts.map(|plan| plan.lines().map(str::to_owned).collect()).collect())
}

/// Names, tables and modes of what holds state, indented as they read each other.
fn reduced(plan: &str) -> Vec<String> {
    let mut out = vec![];
    let mut kept: Vec<usize> = vec![];
    for line in plan.lines() {
        let depth = line.find(|c: char| !" :|+-".contains(c)).unwrap_or(line.len());
        let Some((name, details)) = line[depth..].split_once('(') else { continue };
        // A literal may have a line feed: what follows it is no node.
        if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric()) {
            continue;
        }
        while kept.last().is_some_and(|above| *above >= depth) {
            kept.pop();
        }
        if STATELESS.contains(&name) || name.starts_with("Local") || name.starts_with("Incremental") {
            continue;
        }
        let mut words = vec![name.trim_start_matches("Global").to_owned()];
        words.extend(table(details));
        words.extend(between(details, "changelogMode=[", "]").map(str::to_owned));
        out.push(format!("{}{}", "  ".repeat(kept.len()), words.join(" ")));
        kept.push(depth);
    }
    out
}

/// The last part of a table's name: `table=[[a, b, c, ..]]` of a scan, `table=[a.b.c]` of a sink.
fn table(details: &str) -> Option<String> {
    let path = between(details, "table=[", "]")?.trim_start_matches('[');
    path.split([',', '.']).nth(2).map(|name| name.trim().to_owned())
}

fn between<'t>(text: &'t str, start: &str, end: &str) -> Option<&'t str> {
    text.split_once(start)?.1.split_once(end).map(|(inside, _)| inside)
}
