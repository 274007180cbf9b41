//! `arus`: the command line.

mod args;
mod check;
mod demo;
mod dialect;
mod keep;
mod log_lines;
mod manual;
mod otlp;
mod output;
mod project;
mod run;
mod score;
mod server;
mod settings_file;
mod shell;
mod tls;
mod top;

use std::process::ExitCode;

use args::{Cli, Command};
use arus_core::limits::STACK_BYTES;
use arus_core::{Error, ErrorKind};
use clap::Parser;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// On a thread with a stack of a known size: the main thread's is the system's choice.
fn main() -> ExitCode {
    let thread = std::thread::Builder::new().name("arus".into()).stack_size(STACK_BYTES).spawn(command_line);
    match thread.map(std::thread::JoinHandle::join) {
        Ok(Ok(code)) => code,
        // What has panicked has said so.
        Ok(Err(_)) => ExitCode::from(101),
        Err(e) => {
            output::note(&format!("error: cannot start a thread: {e}"));
            ExitCode::from(2)
        }
    }
}

fn command_line() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(e) => {
            // Help and version are no errors; a wrong flag is the user's.
            let code = if e.use_stderr() { 1 } else { 0 };
            return if e.print().is_ok() { ExitCode::from(code) } else { ExitCode::from(2) };
        }
    };
    let farewell = output::init_log(cli.flags.log_format, cli.flags.otlp_endpoint.clone());
    arus_core::contained::silence_contained();
    let outcome = match cli.command {
        Some(Command::Version) => {
            output::line(&format!("arus {}", env!("CARGO_PKG_VERSION")));
            Ok(ExitCode::SUCCESS)
        }
        Some(Command::Top(args)) => top::run(&cli.flags, &args),
        Some(Command::Manual { of }) => {
            output::line(manual::text(of).trim_end());
            Ok(ExitCode::SUCCESS)
        }
        Some(Command::Dialect) => dialect::dialect(),
        Some(Command::Run(args)) => run::run(&cli.flags, &args),
        Some(Command::Check(args)) => check::check(&cli.flags, &args),
        Some(Command::Init(args)) => project::init::run(&args),
        Some(Command::Apply(args)) => project::apply::run(&cli.flags, &args),
        Some(Command::Dev(args)) => project::dev::run(cli.flags, &args),
        Some(Command::Score(args)) => score::run(&cli.flags, &args),
        Some(Command::Test(args)) => project::test::run(&args),
        Some(Command::Sql(args)) => shell::run(cli.flags, &args),
        Some(Command::Backup(args)) => keep::backup(&cli.flags, &args),
        Some(Command::Restore(args)) => keep::restore(&cli.flags, &args),
        Some(Command::Doctor(args)) => keep::doctor(&cli.flags, &args),
        Some(Command::Demo) => demo::run(cli.flags),
        None => server::run(cli.flags),
    };
    if let Some(farewell) = farewell {
        farewell.send();
    }
    outcome.unwrap_or_else(|e| {
        output::note(&format!("error: {}", e.render(None)));
        exit_code(&e)
    })
}

/// 1: the user's error; 2: a failure.
fn exit_code(error: &Error) -> ExitCode {
    ExitCode::from(if error.kind() == ErrorKind::User { 1 } else { 2 })
}
