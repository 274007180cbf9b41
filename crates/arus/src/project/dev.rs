//! `arus dev`: a server for one project that follows its files. A change that cannot be applied is told, and what was stays.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use arus_core::Result;
use arus_core::project::ApplyRequest;
use arus_engine::Engine;

use super::{apply, folder_of};
use crate::args::{DevArgs, Flags};
use crate::server::{self, Doors, Ports, Secured};
use crate::{output, settings_file};

/// Between two looks at the folder.
const LOOK: Duration = Duration::from_millis(300);
/// In the project's folder.
const DATA: &str = "arus-data";

pub(crate) fn run(flags: Flags, args: &DevArgs) -> Result<ExitCode> {
    let folder = folder_of(&args.dir)?;
    let flags = settings_file::complete_in(&folder, flags)?;
    server::runtime()?.block_on(async {
        let listen = server::loopback(&flags)?;
        let doors = Doors::bind(&flags, listen, Ports::NextFree).await?;
        let data = flags.data.clone().map_or_else(|| folder.join(DATA), |data| folder.join(data));
        let mut config = server::config(&flags, data.clone())?;
        config.name = folder.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        config.working_dir.clone_from(&folder);
        config.dashboards_dir = Some(folder.join("dashboards"));
        let engine = Engine::start(config)?;
        output::note(&format!("Arus {}: project {}", env!("CARGO_PKG_VERSION"), folder.display()));
        let secured = Secured::open(&flags, &data, listen)?;
        if flags.reset_admin {
            server::tell_admin(&engine, true).await?;
        }
        doors.announce(secured.as_ref());
        let scheme = if secured.is_some() { "https" } else { "http" };
        let console = format!("{scheme}://{}", doors.addresses.http);
        tokio::spawn(follow(engine.clone(), folder, args.lose_rows));
        if args.open {
            open(&console);
        }
        doors.serve(&engine, secured).await
    })
}

/// Applies the files as they are, and again whenever they have changed.
async fn follow(engine: Arc<Engine>, folder: PathBuf, lose_rows: bool) {
    let mut last: Option<std::result::Result<ApplyRequest, String>> = None;
    loop {
        let read = read(folder.clone()).await;
        if last.as_ref() != Some(&read) {
            match &read {
                Ok(request) => told(&engine, request.clone(), lose_rows, last.is_none()).await,
                Err(e) => output::note(&format!("error: {e}")),
            }
            last = Some(read);
        }
        tokio::time::sleep(LOOK).await;
    }
}

async fn read(folder: PathBuf) -> std::result::Result<ApplyRequest, String> {
    let read = tokio::task::spawn_blocking(move || apply::request(&folder).map_err(|e| e.render(None))).await;
    read.unwrap_or_else(|e| Err(format!("the folder cannot be read: {e}")))
}

async fn told(engine: &Arc<Engine>, request: ApplyRequest, lose_rows: bool, first: bool) {
    match apply_now(engine, request.clone(), lose_rows).await {
        Ok(0) if first => output::note("the project is as it was"),
        Ok(0) => {}
        Ok(_) => output::note("applied"),
        Err(e) => {
            output::note(&format!(
                "error: {}\nwhat was there goes on; the next change of a file tries again",
                apply::rendered(&e, &request)
            ));
        }
    }
}

/// How many steps changed something.
async fn apply_now(engine: &Arc<Engine>, mut request: ApplyRequest, lose_rows: bool) -> Result<usize> {
    let platform = engine.platform();
    let plan = platform.apply(request.clone()).await?;
    let count = plan.steps.iter().filter(|s| apply::changes(s)).count();
    if count > 0 {
        apply::show(&plan, false);
    }
    request.plan = Some(plan.plan);
    request.lose_rows = lose_rows;
    platform.apply(request).await?;
    Ok(count)
}

/// In the browser of whoever sits there; where there is none the address stands on the terminal.
fn open(address: &str) {
    let opened = std::process::Command::new("xdg-open")
        .arg(address)
        .stdin(std::process::Stdio::null())
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn();
    if let Err(e) = opened {
        tracing::debug!("no browser was opened: {e}");
    }
}
