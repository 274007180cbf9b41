//! `arus demo`: this machine's own metrics, a shop with planted frauds, and a topic to post to. Plain files, inside the binary.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use arus_core::fs::Fs;
use arus_core::{Error, Result};
use arus_engine::Engine;
use arus_storage::{DASHBOARDS as DASHBOARDS_FOLDER, DiskFs};

use crate::args::Flags;
use crate::project::write_file;
use crate::server::{self, Doors, Ports};
use crate::{output, settings_file};

pub(crate) const DATA: &str = "arus-demo-data";
/// In the data folder: the frauds that the shop's generator has planted.
pub(crate) const TRUTH: &str = "shop-truth.ndjson";
const PIPELINES: &[(&str, &str)] = &[
    ("hello.sql", include_str!("../../../examples/demo/pipelines/hello.sql")),
    ("host.sql", include_str!("../../../examples/demo/pipelines/host.sql")),
    ("shop.sql", include_str!("../../../examples/demo/pipelines/shop.sql")),
    ("alert.sql", include_str!("../../../examples/demo/pipelines/alert.sql")),
];
const DASHBOARDS: &[(&str, &str)] = &[
    ("fraud", include_str!("../../../examples/demo/dashboards/fraud.yaml")),
    ("host", include_str!("../../../examples/demo/dashboards/host.yaml")),
    ("shop", include_str!("../../../examples/demo/dashboards/shop.yaml")),
];

pub(crate) fn run(flags: Flags) -> Result<ExitCode> {
    let flags = settings_file::complete(flags)?;
    server::runtime()?.block_on(async {
        let listen = server::loopback(&flags)?;
        let doors = Doors::bind(&flags, listen, Ports::NextFree).await?;
        let data = flags.data.clone().unwrap_or_else(|| PathBuf::from(DATA));
        let mut config = server::config(&flags, data)?;
        config.name = "demo".into();
        let data = config.data.clone();
        let engine = Engine::start(config)?;
        put_dashboards(&data.join(DASHBOARDS_FOLDER))?;
        let truth = data.join(TRUTH).display().to_string().replace('\'', "''");
        for (file, text) in PIPELINES {
            engine.apply_script(&text.replace(TRUTH, &truth)).await.map_err(|e| e.in_context(file))?;
        }
        welcome(&doors);
        doors.serve(&engine, None).await
    })
}

/// As files, to be edited; those that are there stay as they are.
fn put_dashboards(folder: &Path) -> Result<()> {
    let failed = |e| Error::io("write to", folder.display(), e);
    DiskFs.create_dir_all(folder).map_err(failed)?;
    for (name, text) in DASHBOARDS {
        let path = folder.join(format!("{name}.yaml"));
        if !DiskFs.exists(&path).map_err(failed)? {
            write_file(&path, text)?;
        }
    }
    Ok(())
}

fn welcome(doors: &Doors) {
    let a = &doors.addresses;
    output::note(&format!("Arus {}: the demo is live\n", env!("CARGO_PKG_VERSION")));
    doors.announce(None);
    output::note(&format!(
        "\nTry\n  open http://{http}/dashboards/shop\n  \
         curl -H 'Content-Type: application/json' -d '{{\"name\":\"Ada\",\"n\":1}}' http://{http}/v1/tables/hello/rows\n  \
         echo '{{\"name\":\"Grace\",\"n\":2}}' | kcat -P -b {kafka} -t hello\n  \
         psql -h {ip} -p {port} -U arus arus -c 'SELECT * FROM hello_by_name'\n  \
         arus score --http-port {http_port}      # the frauds that were planted against those in card_testing\n\n\
         Ctrl-C stops it; its data stays in the folder.",
        http = a.http,
        http_port = a.http.port(),
        kafka = a.kafka,
        ip = a.postgres.ip(),
        port = a.postgres.port(),
    ));
}
