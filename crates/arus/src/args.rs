//! Flags and commands.

use std::net::IpAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::manual::Manual;
use crate::otlp::{Endpoint, parse_endpoint};

/// Real-time data in one process: collect events, process them with Flink SQL, store and show the results.
///
/// Without a command it is the server.
#[derive(Parser)]
#[command(name = "arus", version, arg_required_else_help = false, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) flags: Flags,
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Everything live on this machine's own metrics: the quickest way to see what it does
    Demo,
    /// Run a Flink SQL script in this process until it ends or Ctrl-C
    Run(RunArgs),
    /// A shell on the running server, or one of its own where none runs
    Sql(SqlArgs),
    /// Plan a script without running it: errors with line and column, changelog modes, state growth
    Check(CheckArgs),
    /// Make a project: a folder with pipelines, their tests and a dashboard
    Init(InitArgs),
    /// Make a running server what a project says: shows the plan, asks, does it
    Apply(ApplyArgs),
    /// A server for one project that follows its files
    Dev(DevArgs),
    /// Test the SQL of a project in virtual time: given these rows, these tables
    Test(TestArgs),
    /// Print the checklist of the dialect: what is the same as in Flink, ours only, refused, not yet
    Dialect,
    /// Copy the data folder as it is at a checkpoint, from a running server or a stopped one
    Backup(BackupArgs),
    /// Make a data folder from a backup, after every checksum was compared
    Restore(RestoreArgs),
    /// Examine a data folder or a backup: where it is damaged, what that hits, what to do. Changes nothing
    ///
    /// Exit status: 0 no damage, 1 it is no data folder, 2 there is damage.
    Doctor(DoctorArgs),
    /// The pipelines of a running server and their operators, once a second
    Top(TopArgs),
    /// The planted frauds of the demo against those that were found: precision, recall, delay
    Score(ScoreArgs),
    /// Print the manual page or a shell's completions
    #[command(hide = true)]
    Manual { of: Manual },
    /// Print the version
    Version,
}

#[derive(Args)]
pub(crate) struct RunArgs {
    /// The script; `-` reads standard input
    pub(crate) file: PathBuf,
    /// Write a line `~ watermark N` after each watermark that reaches a print sink
    #[arg(long, hide = true)]
    pub(crate) mark_watermarks: bool,
}

#[derive(Args)]
pub(crate) struct InitArgs {
    /// The folder, made where it is missing
    #[arg(default_value = ".")]
    pub(crate) dir: PathBuf,
    /// What to begin with: shop, machines or fraud
    #[arg(long, default_value = "shop", value_name = "NAME")]
    pub(crate) template: String,
}

/// The server that a command asks. The password comes from ARUS_PASSWORD, or from the keyboard.
#[derive(Args, Clone, Default)]
pub(crate) struct Connect {
    /// The server, such as https://db.example.com:8080 [default: the one that would run with these flags]
    #[arg(long, value_name = "URL", env = "ARUS_URL")]
    pub(crate) url: Option<String>,
    /// Who asks; the password comes from the variable ARUS_PASSWORD, or is asked for on a terminal
    #[arg(short = 'U', long, value_name = "NAME", env = "ARUS_USER")]
    pub(crate) user: Option<String>,
    /// The certificate authority to trust, as PEM: of a server's own it is tls/ca.pem in its data folder [default: the
    /// system's, and that one]
    #[arg(long, value_name = "FILE", env = "ARUS_CA")]
    pub(crate) ca: Option<PathBuf>,
}

#[derive(Args)]
pub(crate) struct ApplyArgs {
    #[command(flatten)]
    pub(crate) connect: Connect,
    /// The project; its arus.toml may name the server: url, user, ca
    #[arg(default_value = ".")]
    pub(crate) dir: PathBuf,
    /// Do the plan without asking
    #[arg(long)]
    pub(crate) yes: bool,
    /// Show the plan, change nothing
    #[arg(long, conflicts_with = "yes")]
    pub(crate) dry_run: bool,
    /// Show what is kept, too
    #[arg(long)]
    pub(crate) all: bool,
    /// Drop tables with rows that clients wrote, where the plan says so
    #[arg(long)]
    pub(crate) lose_rows: bool,
    /// The name under which the server knows it [default: the folder's]
    #[arg(long, value_name = "NAME")]
    pub(crate) project: Option<String>,
}

#[derive(Args)]
pub(crate) struct DevArgs {
    /// The project
    #[arg(default_value = ".")]
    pub(crate) dir: PathBuf,
    /// Open the console in a browser
    #[arg(long)]
    pub(crate) open: bool,
    /// Drop tables with rows that clients wrote, where a change needs it
    #[arg(long)]
    pub(crate) lose_rows: bool,
}

#[derive(Args)]
pub(crate) struct TestArgs {
    /// A project, its folder of tests, or one test
    #[arg(default_value = ".")]
    pub(crate) path: PathBuf,
    /// Write what the queries give into the files of the tests, instead of comparing
    #[arg(long)]
    pub(crate) accept: bool,
}

#[derive(Args)]
pub(crate) struct SqlArgs {
    #[command(flatten)]
    pub(crate) connect: Connect,
    /// Do these statements and leave (repeatable); without it they come from the keyboard or from standard input
    #[arg(short, long, value_name = "SQL")]
    pub(crate) execute: Vec<String>,
}

#[derive(Args)]
pub(crate) struct BackupArgs {
    #[command(flatten)]
    pub(crate) connect: Connect,
    /// The new folder; a stopped server's folder is --data
    pub(crate) dir: PathBuf,
    /// Copy every file; without it those that never change are linked where the disk can
    #[arg(long)]
    pub(crate) copy: bool,
}

#[derive(Args)]
pub(crate) struct RestoreArgs {
    /// What `arus backup` has made; --data names the folder to make, missing or empty
    pub(crate) backup: PathBuf,
}

#[derive(Args)]
pub(crate) struct DoctorArgs {
    /// The data folder or backup [default: that of --data]
    pub(crate) dir: Option<PathBuf>,
    /// One JSON document, for programs
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args)]
pub(crate) struct CheckArgs {
    /// The script; `-` reads standard input
    pub(crate) file: PathBuf,
    /// Write a line `fingerprint: ..` for each plan: the same for plans that differ in names and constants alone
    #[arg(long, hide = true)]
    pub(crate) fingerprint: bool,
}

#[derive(Args)]
pub(crate) struct TopArgs {
    #[command(flatten)]
    pub(crate) connect: Connect,
    /// Show it once and end, as where the output is no terminal
    #[arg(long)]
    pub(crate) once: bool,
}

#[derive(Args)]
pub(crate) struct ScoreArgs {
    #[command(flatten)]
    pub(crate) connect: Connect,
    /// What the generator has written [default: shop-truth.ndjson in the demo's data folder]
    #[arg(long, value_name = "FILE")]
    pub(crate) truth: Option<PathBuf>,
    /// The table with what was found: device, completed_at, detected_at
    #[arg(long, value_name = "TABLE", default_value = "card_testing")]
    pub(crate) table: String,
    /// A fraud that is found later after its fifth card counts as missed
    #[arg(long, value_name = "TIME", default_value = "2 s")]
    pub(crate) within: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    Text,
    Json,
}

#[derive(Args, Clone)]
pub(crate) struct Flags {
    /// The log on standard error: text, or a line of JSON for each event
    #[arg(long, global = true, value_name = "FORMAT", env = "ARUS_LOG_FORMAT", value_enum, default_value = "text")]
    pub(crate) log_format: LogFormat,
    /// Send traces to this collector by OTLP, such as http://127.0.0.1:4318: statements, rows of clients, epochs, checkpoints
    #[arg(long, global = true, value_name = "URL", env = "ARUS_OTLP_ENDPOINT", value_parser = parse_endpoint)]
    pub(crate) otlp_endpoint: Option<Endpoint>,
    /// The folder of all state; one server a folder [default: ./arus-data]
    #[arg(long, global = true, value_name = "DIR", env = "ARUS_DATA")]
    pub(crate) data: Option<PathBuf>,
    /// The address that the doors listen on; another than loopback asks for passwords and speaks TLS [default: 127.0.0.1]
    #[arg(long, global = true, value_name = "ADDR", env = "ARUS_LISTEN")]
    pub(crate) listen: Option<IpAddr>,
    /// Console and HTTP; 0 takes a free port [default: 8080]
    #[arg(long, global = true, value_name = "PORT", env = "ARUS_HTTP_PORT")]
    pub(crate) http_port: Option<u16>,
    /// Postgres wire; 0 takes a free port [default: 5432]
    #[arg(long, global = true, value_name = "PORT", env = "ARUS_PG_PORT")]
    pub(crate) pg_port: Option<u16>,
    /// Kafka protocol; 0 takes a free port [default: 9092]
    #[arg(long, global = true, value_name = "PORT", env = "ARUS_KAFKA_PORT")]
    pub(crate) kafka_port: Option<u16>,
    /// A certificate for every door, as PEM; without it a server on another address than loopback makes its own authority
    #[arg(long, global = true, value_name = "FILE", env = "ARUS_TLS_CERT")]
    pub(crate) tls_cert: Option<PathBuf>,
    /// The key of --tls-cert, as PEM
    #[arg(long, global = true, value_name = "FILE", env = "ARUS_TLS_KEY")]
    pub(crate) tls_key: Option<PathBuf>,
    /// The name by which others reach this server: told to Kafka clients, and in a certificate of its own authority
    #[arg(long, global = true, value_name = "NAME", env = "ARUS_ADVERTISE")]
    pub(crate) advertise: Option<String>,
    /// Give the user `admin` another password at this start, and print it
    #[arg(long)]
    pub(crate) reset_admin: bool,
    /// A folder that statements which come by a door may read and write, besides the data folder (repeatable)
    #[arg(long, global = true, value_name = "DIR", env = "ARUS_ALLOW_PATH")]
    pub(crate) allow_path: Vec<PathBuf>,
    /// Another machine that connectors of statements which come by a door may reach: a name or address, with `:PORT` for that
    /// port alone, `*.DOMAIN` for all below (repeatable)
    #[arg(long, global = true, value_name = "HOST", env = "ARUS_ALLOW_HOST", value_delimiter = ',')]
    pub(crate) allow_host: Vec<String>,
    /// Who may be told of alerts, by a name: NAME=https://host/path, NAME=smtp://user:password@host:587?from=..&to=..
    /// (repeatable); secrets stand as `${secret:name}`
    #[arg(long, global = true, value_name = "NAME=URL", env = "ARUS_NOTIFY", value_delimiter = ' ', value_parser = parse_notifier)]
    pub(crate) notify: Vec<(String, String)>,
    /// A folder with a file for each secret that options name by `${secret:name}`; variables ARUS_SECRET_<NAME> come first
    #[arg(long, global = true, value_name = "DIR", env = "ARUS_SECRETS")]
    pub(crate) secrets: Option<PathBuf>,
    /// What the data folder may take, such as 20g: above it no rows are taken [default: no limit]
    #[arg(long, global = true, value_name = "SIZE", env = "ARUS_DISK", value_parser = parse_size)]
    pub(crate) disk: Option<u64>,
    /// What has to stay free on the disk of the data folder [default: a fiftieth, 256m at most]
    #[arg(long, global = true, value_name = "SIZE", env = "ARUS_DISK_FREE", value_parser = parse_size)]
    pub(crate) disk_free: Option<u64>,
    /// Rows a second that clients of all doors may send; above it HTTP refuses (429), Kafka and INSERT wait [default: no limit]
    #[arg(long, global = true, value_name = "ROWS", env = "ARUS_INGEST_RATE", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) ingest_rate: Option<u32>,
    /// The one memory budget, such as 512m or 4g [default: half of the machine]
    #[arg(long, global = true, value_name = "SIZE", env = "ARUS_MEMORY", value_parser = parse_size)]
    pub(crate) memory: Option<u64>,
    /// Data threads, and tasks of a pipeline, from 1 to 128 [default: the cores; 1 for `arus run`]
    #[arg(long, global = true, value_name = "N", env = "ARUS_PARALLELISM", value_parser = clap::value_parser!(u16).range(1..=128))]
    pub(crate) parallelism: Option<u16>,
}

impl Flags {
    pub(crate) fn port(&self, flag: &str) -> Option<u16> {
        match flag {
            "--http-port" => self.http_port,
            "--pg-port" => self.pg_port,
            "--kafka-port" => self.kafka_port,
            _ => None,
        }
    }
}

/// `oncall=https://host/path`
pub(crate) fn parse_notifier(text: &str) -> Result<(String, String), String> {
    match text.trim().split_once('=') {
        Some((name, url)) if !name.is_empty() && url.contains("://") => Ok((name.into(), url.into())),
        _ => Err("expected NAME=URL, such as oncall=https://host/path".into()),
    }
}

/// `512m`, `4g`, `1073741824`.
pub(crate) fn parse_size(text: &str) -> Result<u64, String> {
    let text = text.trim().to_ascii_lowercase();
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let unit = match text[digits..].trim() {
        "" | "b" => 1u64,
        "k" | "kb" | "kib" => 1 << 10,
        "m" | "mb" | "mib" => 1 << 20,
        "g" | "gb" | "gib" => 1 << 30,
        "t" | "tb" | "tib" => 1 << 40,
        _ => return Err(format!("expected a size such as 512m or 4g, found '{text}'")),
    };
    let number: u64 =
        text[..digits].parse().map_err(|_| format!("expected a size such as 512m or 4g, found '{text}'"))?;
    number.checked_mul(unit).ok_or_else(|| format!("'{text}' is too large"))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
        assert_eq!(parse_size("2g"), Ok(2 << 30));
        assert!(parse_size("lots").is_err());
        assert_eq!(parse_notifier("a=https://b/?c=d"), Ok(("a".into(), "https://b/?c=d".into())));
        assert!(parse_notifier("a").is_err() && parse_notifier("=https://b").is_err());
    }
}
