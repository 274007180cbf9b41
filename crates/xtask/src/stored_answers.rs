//! A stored answer of the oracle says what made it: Flink's version, the script's hash, the command.

use std::path::Path;

use crate::{Finding, files, read, relative};

pub(crate) fn check(root: &Path) -> Vec<Finding> {
    let mut findings = vec![];
    let scripts = files(&root.join("conformance/scripts"), ".sql");
    for script in &scripts {
        let name = script.file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default();
        let answer = root.join(format!("conformance/expected/{name}.txt"));
        if !answer.exists() {
            findings.push(Finding::new(relative(root, script), "the script has no stored answer"));
        }
    }
    for answer in files(&root.join("conformance/expected"), ".txt") {
        let text = read(&answer);
        let head: Vec<&str> = text.lines().take(8).collect();
        for field in ["flink", "sha256", "command"] {
            if !head.iter().any(|line| line.to_lowercase().contains(field)) {
                findings.push(Finding::new(relative(root, &answer), format!("the header does not name '{field}'")));
            }
        }
        let name = answer.file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default();
        if !root.join(format!("conformance/scripts/{name}.sql")).exists() {
            findings.push(Finding::new(relative(root, &answer), "the answer belongs to no script"));
        }
    }
    findings
}
