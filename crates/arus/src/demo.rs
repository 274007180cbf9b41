//! `arus demo`: this machine's own metrics, live, and a topic to post to. Plain files, inside the binary.

use std::path::PathBuf;
use std::process::ExitCode;

use arus_core::Result;
use arus_engine::Engine;

use crate::args::Flags;
use crate::server::{self, Doors, Ports};
use crate::{output, settings_file};

const DATA: &str = "arus-demo-data";
const PIPELINES: &[(&str, &str)] = &[
    ("hello.sql", include_str!("../../../examples/demo/pipelines/hello.sql")),
    ("host.sql", include_str!("../../../examples/demo/pipelines/host.sql")),
];
const DASHBOARDS: &[(&str, &str)] = &[("host", include_str!("../../../examples/demo/dashboards/host.yaml"))];

pub(crate) fn run(flags: Flags) -> Result<ExitCode> {
    let flags = settings_file::complete(flags)?;
    server::runtime()?.block_on(async {
        let listen = server::loopback(&flags)?;
        let doors = Doors::bind(&flags, listen, Ports::NextFree).await?;
        let data = flags.data.clone().unwrap_or_else(|| PathBuf::from(DATA));
        let mut config = server::config(&flags, data)?;
        config.name = "demo".into();
        config.dashboards = DASHBOARDS.iter().map(|(name, text)| ((*name).into(), (*text).into())).collect();
        let engine = Engine::start(config)?;
        for (file, text) in PIPELINES {
            engine.apply_script(text).await.map_err(|e| e.in_context(file))?;
        }
        welcome(&doors);
        doors.serve(&engine, None).await
    })
}

fn welcome(doors: &Doors) {
    let a = &doors.addresses;
    output::note(&format!("Arus {}: the demo is live\n", env!("CARGO_PKG_VERSION")));
    doors.announce();
    output::note(&format!(
        "\nTry\n  open http://{http}/dashboards/host\n  \
         curl -H 'Content-Type: application/json' -d '{{\"name\":\"Ada\",\"n\":1}}' http://{http}/v1/tables/hello/rows\n  \
         echo '{{\"name\":\"Grace\",\"n\":2}}' | kcat -P -b {kafka} -t hello\n  \
         psql -h {ip} -p {port} -U arus arus -c 'SELECT * FROM hello_by_name'\n\nCtrl-C stops it; its data stays in the folder.",
        http = a.http,
        kafka = a.kafka,
        ip = a.postgres.ip(),
        port = a.postgres.port(),
    ));
}
