//! `arus backup`, `arus restore`, `arus doctor`: with the user's own rights, on real files.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use arus_core::clock::{Clock, SystemClock};
use arus_core::error::Code;
use arus_core::fs::SharedFs;
use arus_core::{Error, Result};
use arus_storage::DiskFs;
use arus_storage::backup::{self, Pinned};
use arus_storage::doctor::{self, Report};

use crate::args::{BackupArgs, Connect, DoctorArgs, Flags, RestoreArgs};
use crate::server::DEFAULT_DATA;
use crate::shell::client::{Answer, Client};
use crate::{output, settings_file};

/// Damage was found: not the user's mistake.
const DAMAGED: u8 = 2;

fn disk() -> SharedFs {
    Arc::new(DiskFs)
}

fn data_of(flags: &Flags) -> PathBuf {
    flags.data.clone().unwrap_or_else(|| PathBuf::from(DEFAULT_DATA))
}

pub(crate) fn backup(flags: &Flags, args: &BackupArgs) -> Result<ExitCode> {
    let asked = flags.data.clone();
    let flags = settings_file::complete(flags.clone())?;
    let fs = disk();
    // Held until all is copied: the server's pin, or the lock of a folder that no server has.
    let (pinned, _held) = held(&fs, &flags, &args.connect, asked.as_deref())?;
    let now_ms = SystemClock::new().now_ms();
    let list = backup::write(&fs, &pinned, &args.dir, !args.copy, env!("CARGO_PKG_VERSION"), now_ms)?;
    let (dir, cut) = (args.dir.display(), list.cut);
    output::line(&format!(
        "backup of checkpoint {}.{} in {dir}: {} files, {} bytes",
        cut.incarnation,
        cut.epoch,
        list.files.len(),
        list.bytes()
    ));
    let report = doctor::examine(&fs, &args.dir)?;
    if report.damages() == 0 {
        return Ok(ExitCode::SUCCESS);
    }
    output::note(&format!("the data folder is damaged, and so is this backup of it\n{}", report.text()));
    Ok(ExitCode::from(DAMAGED))
}

enum Held {
    Server { _answer: Answer },
    Lock { _lock: Box<dyn Send + Sync> },
}

fn held(fs: &SharedFs, flags: &Flags, connect: &Connect, asked: Option<&Path>) -> Result<(Pinned, Held)> {
    let connect = settings_file::connect_in(Path::new(""), connect.clone())?;
    let client = Client::of(flags, &connect)?;
    let address = client.place();
    if client.is_there()? {
        let (list, answer) = client.backup()?;
        let pinned: Pinned = serde_json::from_value(list).map_err(|e| {
            Error::external(format!("the server at {address} is of another version: its list cannot be read: {e}"))
        })?;
        let same = |asked: &Path| fs.canonicalize(asked).ok() == fs.canonicalize(&pinned.data).ok();
        if let Some(asked) = asked.filter(|asked| !same(asked)) {
            return Err(Error::user(format!(
                "the server at {address} has the data folder {}, not {}",
                pinned.data.display(),
                asked.display()
            ))
            .with_hint("name the port of the other server with --http-port"));
        }
        return Ok((pinned, Held::Server { _answer: answer }));
    }
    let data = data_of(flags);
    let lock = data.join("LOCK");
    if !fs.exists(&data.join("manifest")).map_err(|e| Error::io("look into", data.display(), e))? {
        return Err(Error::user(format!("no server answers at {address}, and {} is no data folder", data.display()))
            .with_hint(
                "name the port of the server with --http-port, or the folder of a stopped one with --data DIR",
            ));
    }
    let held = fs.lock(&lock).map_err(|e| match e.kind() {
        std::io::ErrorKind::WouldBlock => {
            Error::user(format!("a server has {}, but none answers at {address}", data.display()))
                .with_code(Code::Conflict)
                .with_hint("name its port with --http-port")
        }
        _ => Error::io("lock", lock.display(), e),
    })?;
    Ok((backup::pin_stopped(fs, &data)?, Held::Lock { _lock: held }))
}

pub(crate) fn restore(flags: &Flags, args: &RestoreArgs) -> Result<ExitCode> {
    let flags = settings_file::complete(flags.clone())?;
    let data = data_of(&flags);
    let restored = backup::restore(&disk(), &args.backup, &data, SystemClock::new().now_ms())?;
    output::line(&format!(
        "checkpoint {}.{} restored to {}: {} files, {} bytes",
        restored.cut.incarnation,
        restored.cut.epoch,
        data.display(),
        restored.files,
        restored.bytes
    ));
    output::note(&format!("start it with: arus --data {}", data.display()));
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn doctor(flags: &Flags, args: &DoctorArgs) -> Result<ExitCode> {
    let dir = match &args.dir {
        Some(dir) => dir.clone(),
        None => data_of(&settings_file::complete(flags.clone())?),
    };
    let report: Report = doctor::examine(&disk(), &dir)?;
    if args.json {
        let text = serde_json::to_string_pretty(&report).map_err(|e| Error::bug(format!("the report: {e}")))?;
        output::line(&text);
    } else {
        output::line(report.text().trim_end());
    }
    Ok(if report.damages() == 0 { ExitCode::SUCCESS } else { ExitCode::from(DAMAGED) })
}
