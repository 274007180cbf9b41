//! Checks of the project that no compiler makes: `cargo xtask tidy`; and the page that is written from source, `cargo xtask limits`.

#![expect(clippy::disallowed_methods, reason = "it reads the checkout, not a user's data")]
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "its output is what it is for")]

mod edges;
mod limits;
mod registries;
mod sizes;
mod stored_answers;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// One rule that is broken, and where.
struct Finding {
    place: String,
    message: String,
}

impl Finding {
    fn new(place: impl Into<String>, message: impl Into<String>) -> Self {
        Finding { place: place.into(), message: message.into() }
    }
}

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    match args.next().as_deref() {
        Some("tidy") => tidy(),
        Some("limits") => match limits::write(&root()) {
            Ok(()) => ExitCode::SUCCESS,
            Err(finding) => {
                eprintln!("{}: {}", finding.place, finding.message);
                ExitCode::FAILURE
            }
        },
        _ => {
            eprintln!("usage: cargo xtask tidy | limits");
            ExitCode::FAILURE
        }
    }
}

fn tidy() -> ExitCode {
    let root = root();
    let findings: Vec<Finding> = [edges::check, sizes::check, registries::check, stored_answers::check, limits::check]
        .iter()
        .flat_map(|f| f(&root))
        .collect();
    for finding in &findings {
        println!("{}: {}", finding.place, finding.message);
    }
    if findings.is_empty() {
        println!("tidy");
        ExitCode::SUCCESS
    } else {
        println!("{} findings", findings.len());
        ExitCode::FAILURE
    }
}

fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here).to_path_buf()
}

/// Every file below `dir` with this ending, without build products, by path.
fn files(dir: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found = vec![];
    let mut folders = vec![dir.to_path_buf()];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = std::fs::read_dir(&folder) else { continue };
        for entry in entries.flatten() {
            let path = entry.path();
            let name = entry.file_name().to_string_lossy().into_owned();
            if path.is_dir() && !["target", "node_modules", "dist", ".git"].contains(&name.as_str()) {
                folders.push(path);
            } else if name.ends_with(ending) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

fn relative(root: &Path, path: &Path) -> String {
    path.strip_prefix(root).unwrap_or(path).display().to_string()
}
