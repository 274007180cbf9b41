//! The terminal: rows go to standard output, all else to standard error.

use std::io::Write;

use arus_core::connector::LineOutput;
use arus_core::{Error, Result};

use crate::args::LogFormat;
use crate::log_lines::JsonLines;

/// A line on standard output. A closed pipe is no error of ours: the reader has what it wanted.
pub(crate) fn line(text: &str) {
    if writeln!(std::io::stdout().lock(), "{text}").is_err() {
        tracing::debug!("standard output is closed");
    }
}

/// A line on standard error.
pub(crate) fn note(text: &str) {
    if writeln!(std::io::stderr().lock(), "{text}").is_err() {
        tracing::debug!("standard error is closed");
    }
}

/// Warnings and errors, unless ARUS_LOG asks for more.
pub(crate) fn init_log(format: LogFormat) {
    let filter = tracing_subscriber::EnvFilter::try_from_env("ARUS_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("warn"));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match format {
        LogFormat::Text => log.with_target(false).init(),
        LogFormat::Json => log.event_format(JsonLines::new()).init(),
    }
}

pub(crate) struct Stdout;

impl LineOutput for Stdout {
    fn write_lines(&self, lines: &str) -> Result<()> {
        std::io::stdout().lock().write_all(lines.as_bytes()).map_err(|e| Error::io("write to", "standard output", e))
    }
}

pub(crate) struct Stderr;

impl LineOutput for Stderr {
    fn write_lines(&self, lines: &str) -> Result<()> {
        std::io::stderr().lock().write_all(lines.as_bytes()).map_err(|e| Error::io("write to", "standard error", e))
    }
}
