//! `arus check FILE.sql`: plans every statement, runs none.

use std::process::ExitCode;

use arus_core::Result;

use crate::args::{CheckArgs, Flags};
use crate::{exit_code, output, run, server};

pub(crate) fn check(flags: &Flags, args: &CheckArgs) -> Result<ExitCode> {
    let text = run::read_script(&args.file)?;
    let config = server::config(flags, std::env::temp_dir())?.for_run(false);
    let report = arus_engine::check_script(&config, &text);
    output::line(report.text.trim_end());
    if args.fingerprint {
        report.fingerprints.iter().for_each(|print| output::line(&format!("fingerprint: {print:016x}")));
    }
    for error in &report.errors {
        output::note(&format!("{}: {}", args.file.display(), error.render(Some(&text))));
    }
    Ok(report.errors.first().map_or(ExitCode::SUCCESS, exit_code))
}
