//! The terminal: rows go to standard output, all else to standard error.

use std::io::Write;

use arus_core::connector::LineOutput;
use arus_core::{Error, Result};

use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer};

use crate::args::LogFormat;
use crate::log_lines::JsonLines;
use crate::otlp::{self, Endpoint, Farewell};

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
pub(crate) fn init_log(format: LogFormat, traces: Option<Endpoint>) -> Option<Farewell> {
    let filter = EnvFilter::try_from_env("ARUS_LOG").unwrap_or_else(|_| EnvFilter::new("warn"));
    let log = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let log = match format {
        LogFormat::Text => log.with_target(false).boxed(),
        LogFormat::Json => log.event_format(JsonLines::new()).boxed(),
    };
    // Each sees its own: spans for traces are none of the log's.
    let log = log.with_filter(filter);
    let (spans, farewell) = traces.map(otlp::start).unzip();
    let spans = spans.map(|spans| spans.with_filter(filter_fn(otlp::is_ours)));
    tracing_subscriber::registry().with(spans).with(log).init();
    farewell
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
