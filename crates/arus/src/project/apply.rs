//! `arus apply`: the plan of a project on a running server, and then the change.

use std::io::{BufRead, IsTerminal};
use std::path::Path;
use std::process::ExitCode;

use arus_core::project::{ApplyReply, ApplyRequest, ApplyStep, ProjectFile};
use arus_core::{Error, Result};

use super::{files, folder_of};
use crate::args::{ApplyArgs, Flags};
use crate::shell::client::Client;
use crate::{exit_code, output, settings_file};

pub(crate) fn run(flags: &Flags, args: &ApplyArgs) -> Result<ExitCode> {
    let folder = folder_of(&args.dir)?;
    let connect = settings_file::connect_in(&folder, args.connect.clone())?;
    let client = Client::of(&settings_file::complete_in(&folder, flags.clone())?, &connect)?;
    let mut request = request(&folder)?;
    request.lose_rows = args.lose_rows;
    if let Some(name) = &args.project {
        request.project.clone_from(name);
    }
    let plan = match client.apply(&request) {
        Ok(plan) => plan,
        Err(e) => {
            output::note(&format!("error: {}", rendered(&e, &request)));
            return Ok(exit_code(&e));
        }
    };
    show(&plan, args.all);
    if !plan.steps.iter().any(changes) {
        // What is remembered of the project may be new: its dashboards.
        request.plan = Some(plan.plan);
        client.apply(&request)?;
        output::line("nothing to do: the server is as the project says");
        return Ok(ExitCode::SUCCESS);
    }
    if args.dry_run {
        return Ok(ExitCode::SUCCESS);
    }
    if plan.steps.iter().any(|step| step.loses_rows) && !args.lose_rows {
        return Err(Error::user("rows that clients wrote would be lost")
            .with_hint("`--lose-rows` lets them go; nothing has changed"));
    }
    if !args.yes && !confirmed()? {
        output::line("nothing has changed");
        return Ok(ExitCode::from(1));
    }
    request.plan = Some(plan.plan);
    client.apply(&request)?;
    output::line("done");
    Ok(ExitCode::SUCCESS)
}

/// The error with its line of the file that it names.
pub(crate) fn rendered(error: &Error, request: &ApplyRequest) -> String {
    let file = request.files.iter().find(|f| error.message().starts_with(&f.name));
    error.render(file.map(|f| f.text.as_str()))
}

/// The project as it stands in its folder, by the folder's name.
pub(crate) fn request(folder: &Path) -> Result<ApplyRequest> {
    let name = folder.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let project: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '-' }).collect();
    let file = |f: super::ProjectFile| ProjectFile { name: f.name, text: f.text };
    let dashboard = |f: super::ProjectFile| {
        let name = f.name.trim_start_matches("dashboards/").trim_end_matches(".yaml").to_string();
        ProjectFile { name, text: f.text }
    };
    Ok(ApplyRequest {
        project,
        files: files(folder, "pipelines", "sql")?.into_iter().map(file).collect(),
        dashboards: files(folder, "dashboards", "yaml")?.into_iter().map(dashboard).collect(),
        plan: None,
        lose_rows: false,
    })
}

pub(crate) fn changes(step: &ApplyStep) -> bool {
    step.action != "keep"
}

/// The plan, a line for each object that it touches.
pub(crate) fn show(plan: &ApplyReply, all: bool) {
    let kept = plan.steps.iter().filter(|s| !changes(s)).count();
    let shown = || plan.steps.iter().filter(|s| all || changes(s));
    let width = |text: fn(&ApplyStep) -> &str| shown().map(|s| text(s).len()).max().unwrap_or(0);
    let (kinds, names) = (width(|s| &s.kind), width(|s| &s.name));
    for step in shown() {
        output::line(&format!("{:8} {:kinds$}  {:names$}  {}", step.action, step.kind, step.name, step.reason));
    }
    if kept > 0 && !all {
        output::line(&format!("keep     {kept} more, with their rows and state (--all shows them)"));
    }
}

fn confirmed() -> Result<bool> {
    let input = std::io::stdin();
    if !input.is_terminal() {
        return Err(Error::user("nobody is there to say yes").with_hint("`--yes` does the plan without asking"));
    }
    output::note("Do this? [y/N] ");
    let mut answer = String::new();
    input.lock().read_line(&mut answer).map_err(|e| Error::io("read", "the answer", e))?;
    Ok(["y", "yes"].contains(&answer.trim().to_ascii_lowercase().as_str()))
}
