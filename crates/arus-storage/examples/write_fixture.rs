//! Writes the data folder that later builds have to open: `cargo run --release -p arus-storage -p arus-deps --example
//! write_fixture -- DIR`. Needed once for each format version; see tests/fixtures/README.md.

#![expect(clippy::print_stderr, reason = "a program for the terminal")]

#[path = "../src/sample.rs"]
#[expect(dead_code, reason = "tests read what this writes")]
mod sample;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use arus_core::{Error, Result};
use arus_storage::DiskFs;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {}", error.render(None));
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let dir = std::env::args_os().nth(1).map(PathBuf::from).ok_or_else(|| Error::user("name the folder to write"))?;
    let fs: arus_core::fs::SharedFs = Arc::new(DiskFs);
    if fs.exists(&dir).map_err(|e| Error::io("look for", dir.display(), e))? {
        return Err(Error::user(format!("{} is there already: a fixture is never written again", dir.display())));
    }
    sample::write(fs.clone(), &dir)?;
    let lock = dir.join("LOCK");
    fs.remove_file(&lock).map_err(|e| Error::io("remove", lock.display(), e))
}
