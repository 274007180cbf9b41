//! `arus init`: a project from a template. What is there already is never written over.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use arus_core::fs::Fs;
use arus_core::{Error, Result};
use arus_storage::DiskFs;

use super::write_file;
use crate::args::InitArgs;
use crate::output;

/// A project to begin with.
struct Template {
    name: &'static str,
    about: &'static str,
    files: &'static [(&'static str, &'static str)],
}

macro_rules! template {
    ($name:literal, $about:literal, $($file:literal),*) => {
        Template {
            name: $name,
            about: $about,
            files: &[$(($file, include_str!(concat!("../../../../examples/projects/", $name, "/", $file)))),*],
        }
    };
}

const TEMPLATES: &[Template] = &[
    template!(
        "shop",
        "orders: sums by customer, sales of each minute",
        "pipelines/orders.sql",
        "tests/orders.sql",
        "dashboards/shop.yaml"
    ),
    template!("machines", "readings: ranges and alarms", "pipelines/machines.sql", "tests/machines.sql"),
    template!("fraud", "payments: sessions by card that look wrong", "pipelines/payments.sql", "tests/payments.sql"),
];

const SETTINGS: &str = "\
# Flags of the server by their names, for `arus dev` in this folder and `arus` when it starts in it.
# data = \"arus-data\"
# http-port = 8080
# pg-port = 5432
# kafka-port = 9092
# memory = \"2g\"
";
const IGNORED: &str = "arus-data/\n";

pub(crate) fn run(args: &InitArgs) -> Result<ExitCode> {
    let Some(template) = TEMPLATES.iter().find(|t| t.name == args.template) else {
        let names: Vec<&str> = TEMPLATES.iter().map(|t| t.name).collect();
        return Err(Error::user(format!("there is no template '{}'", args.template))
            .with_hint(format!("the templates are {}", names.join(", "))));
    };
    let all = template.files.iter().chain(&[("arus.toml", SETTINGS), (".gitignore", IGNORED)]);
    let files: Vec<(PathBuf, &str)> = all.map(|(name, text)| (args.dir.join(name), *text)).collect();
    for (path, _) in &files {
        if DiskFs.exists(path).map_err(|e| Error::io("look at", path.display(), e))? {
            return Err(Error::user(format!("'{}' is there already", path.display()))
                .with_hint("choose an empty folder: nothing is written over"));
        }
    }
    for (path, text) in &files {
        if let Some(folder) = path.parent().filter(|f| *f != Path::new("")) {
            DiskFs.create_dir_all(folder).map_err(|e| Error::io("create", folder.display(), e))?;
        }
        write_file(path, text)?;
        output::note(&format!("  {}", path.display()));
    }
    let dir = args.dir.display();
    output::note(&format!(
        "\nThe template '{}' ({}).\n\n  arus test {dir}     its tests, in virtual time\n  arus dev {dir}      \
         a server that follows the files of this folder\n  arus apply {dir}    the same for a server that runs",
        template.name, template.about
    ));
    Ok(ExitCode::SUCCESS)
}
