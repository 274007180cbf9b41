//! The crates form the DAG of ARCHITECTURE.md; a new edge needs a decision record and a line here.

use std::path::Path;

use crate::{Finding, read};

/// Crate, and the crates of the workspace that it may use.
const EDGES: &[(&str, &[&str])] = &[
    ("arus-core", &[]),
    ("arus-access", &["arus-core"]),
    ("arus-storage", &["arus-core"]),
    ("arus-expr", &["arus-core"]),
    ("arus-sql", &["arus-core"]),
    ("arus-stream", &["arus-core", "arus-storage", "arus-expr"]),
    ("arus-connect", &["arus-core", "arus-storage"]),
    ("arus-query", &["arus-core", "arus-storage"]),
    ("arus-serve", &["arus-core", "arus-storage"]),
    (
        "arus-engine",
        &[
            "arus-core",
            "arus-storage",
            "arus-expr",
            "arus-sql",
            "arus-stream",
            "arus-connect",
            "arus-query",
            "arus-access",
        ],
    ),
    (
        "arus",
        &[
            "arus-core",
            "arus-access",
            "arus-storage",
            "arus-expr",
            "arus-sql",
            "arus-stream",
            "arus-connect",
            "arus-query",
            "arus-serve",
            "arus-engine",
        ],
    ),
    ("arus-testkit", &["arus-core", "arus-sql"]),
    ("deps", &[]),
    ("xtask", &[]),
];

pub(crate) fn check(root: &Path) -> Vec<Finding> {
    let mut findings = vec![];
    let Ok(crates) = std::fs::read_dir(root.join("crates")) else {
        return vec![Finding::new("crates", "the folder is missing")];
    };
    for entry in crates.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let place = format!("crates/{name}/Cargo.toml");
        let Some((_, allowed)) = EDGES.iter().find(|(n, _)| *n == name) else {
            findings.push(Finding::new(place, "the crate is not in the list of edges (crates/xtask/src/edges.rs)"));
            continue;
        };
        for used in uses(&read(&entry.path().join("Cargo.toml"))) {
            if !allowed.contains(&used.as_str()) {
                findings.push(Finding::new(&place, format!("{name} may not use {used}: edges form a checked DAG")));
            }
        }
    }
    findings
}

/// The workspace's crates among the dependencies; those of tests are free.
fn uses(manifest: &str) -> Vec<String> {
    let mut in_dependencies = false;
    let mut used = vec![];
    for line in manifest.lines() {
        if line.starts_with('[') {
            in_dependencies = line == "[dependencies]";
        } else if in_dependencies && line.starts_with("arus-") {
            used.extend(line.split(['.', ' ', '=']).next().map(str::to_string));
        }
    }
    used
}
