//! `arus run FILE.sql`: one session of its own, until all its jobs have ended.

use std::path::Path;
use std::process::ExitCode;

use arus_core::fs::Fs;
use arus_core::{Error, Result};
use arus_engine::{Engine, EngineConfig, ScriptEnd};
use arus_storage::DiskFs;
use std::io::Read;

use crate::args::{Flags, RunArgs};
use crate::{exit_code, output, server};

pub(crate) fn run(flags: &Flags, args: &RunArgs) -> Result<ExitCode> {
    let text = read_script(&args.file)?;
    server::runtime()?.block_on(async {
        let folder = RunFolder::new(flags)?;
        let mut config: EngineConfig =
            server::config(flags, folder.path().to_path_buf())?.for_run(args.mark_watermarks);
        config.parallelism = flags.parallelism.map_or(config.parallelism, usize::from);
        let engine = Engine::start(config)?;
        let outcome = tokio::select! {
            outcome = engine.run_script(&text) => outcome,
            failure = engine.failed() => return Err(failure),
            _ = tokio::signal::ctrl_c() => Ok(ScriptEnd::Interrupted),
        };
        engine.shutdown().await?;
        match outcome {
            Ok(ScriptEnd::Finished) => Ok(ExitCode::SUCCESS),
            Ok(ScriptEnd::Interrupted) => Ok(ExitCode::from(130)),
            Err(e) => {
                output::note(&format!("{}: {}", args.file.display(), e.render(Some(&text))));
                Ok(exit_code(&e))
            }
        }
    })
}

pub(crate) fn read_script(file: &Path) -> Result<String> {
    let bytes = if file == Path::new("-") {
        let mut bytes = vec![];
        std::io::stdin().lock().read_to_end(&mut bytes).map_err(|e| Error::io("read", "standard input", e))?;
        bytes
    } else {
        DiskFs.read(file).map_err(|e| match e.kind() {
            std::io::ErrorKind::NotFound => Error::user(format!("file '{}' does not exist", file.display())),
            _ => Error::io("read", file.display(), e),
        })?
    };
    String::from_utf8(bytes).map_err(|e| {
        let at = e.utf8_error().valid_up_to();
        Error::user(format!("file '{}' is not UTF-8: the byte at position {at} is no character", file.display()))
    })
}

/// The state of one run: a temporary folder, or a fresh one below `--data`.
pub(crate) struct RunFolder {
    path: std::path::PathBuf,
}

impl RunFolder {
    pub(crate) fn new(flags: &Flags) -> Result<Self> {
        let base = match &flags.data {
            Some(data) => data.join("runs"),
            None => std::env::temp_dir(),
        };
        let path = base.join(format!("arus-run-{}", std::process::id()));
        if DiskFs.exists(&path).map_err(|e| Error::io("look at", path.display(), e))? {
            DiskFs.remove_dir_all(&path).map_err(|e| Error::io("empty", path.display(), e))?;
        }
        Ok(RunFolder { path })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for RunFolder {
    fn drop(&mut self) {
        if let Err(e) = DiskFs.remove_dir_all(&self.path) {
            tracing::debug!("cannot remove {}: {e}", self.path.display());
        }
    }
}
