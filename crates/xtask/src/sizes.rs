//! Files of at most 1,000 lines, functions of at most 150.
//!
//! Functions are told by their indentation, which rustfmt guarantees. Tables and matches with one line an arm
//! may be longer: a function counts the lines that are not such arms.

use std::path::Path;

use crate::{Finding, files, read, relative};

const FILE_LINES: usize = 1_000;
const FUNCTION_LINES: usize = 150;

pub(crate) fn check(root: &Path) -> Vec<Finding> {
    let mut findings = vec![];
    for path in files(&root.join("crates"), ".rs") {
        let text = read(&path);
        let place = relative(root, &path);
        let lines = text.lines().count();
        if lines > FILE_LINES {
            findings
                .push(Finding::new(&place, format!("{lines} lines, at most {FILE_LINES}: split it by what it does")));
        }
        for (line, name, length) in functions(&text) {
            if length > FUNCTION_LINES {
                let message = format!("fn {name} has {length} lines, at most {FUNCTION_LINES}");
                findings.push(Finding::new(format!("{place}:{line}"), message));
            }
        }
    }
    for ending in [".svelte", ".ts"] {
        for path in files(&root.join("console"), ending) {
            let lines = read(&path).lines().count();
            if lines > FILE_LINES {
                let message = format!("{lines} lines, at most {FILE_LINES}: split it by what it does");
                findings.push(Finding::new(relative(root, &path), message));
            }
        }
    }
    findings
}

/// (line, name, length without one-line arms) of every function.
fn functions(text: &str) -> Vec<(usize, String, usize)> {
    let lines: Vec<&str> = text.lines().collect();
    let mut found = vec![];
    for (start, line) in lines.iter().enumerate() {
        let body = line.trim_start();
        let Some(name) = function_name(body) else { continue };
        let indent = line.len() - body.len();
        let closing = format!("{}}}", " ".repeat(indent));
        let Some(length) = lines[start..].iter().position(|l| *l == closing) else { continue };
        let arms = lines[start..start + length].iter().filter(|l| is_one_line_arm(l)).count();
        found.push((start + 1, name, length + 1 - arms));
    }
    found
}

fn function_name(line: &str) -> Option<String> {
    let rest = ["pub(crate) ", "pub(super) ", "pub ", "const ", "async "]
        .iter()
        .fold(line, |line, prefix| line.strip_prefix(prefix).unwrap_or(line));
    let name = rest.strip_prefix("fn ")?;
    Some(name.split(['(', '<']).next()?.to_string())
}

fn is_one_line_arm(line: &str) -> bool {
    line.contains("=> ") && line.ends_with(',')
}
