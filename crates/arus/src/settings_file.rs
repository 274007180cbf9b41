//! `arus.toml`: the flags that were not given on the command line or in the environment.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use arus_core::error::Code;
use arus_core::fs::Fs;
use arus_core::{Error, Result};
use arus_storage::DiskFs;
use serde::Deserialize;

use crate::args::{Connect, Flags, parse_size};

const FILE: &str = "arus.toml";

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct File {
    data: Option<PathBuf>,
    listen: Option<IpAddr>,
    http_port: Option<u16>,
    pg_port: Option<u16>,
    kafka_port: Option<u16>,
    tls_cert: Option<PathBuf>,
    tls_key: Option<PathBuf>,
    advertise: Option<String>,
    #[serde(default)]
    allow_path: Vec<PathBuf>,
    #[serde(default)]
    allow_host: Vec<String>,
    /// URLs by name.
    #[serde(default)]
    notify: BTreeMap<String, String>,
    secrets: Option<PathBuf>,
    memory: Option<String>,
    parallelism: Option<u16>,
    ingest_rate: Option<u32>,
    disk: Option<String>,
    disk_free: Option<String>,
    /// For commands that ask a server.
    url: Option<String>,
    user: Option<String>,
    ca: Option<PathBuf>,
}

/// Fills what is missing in `flags` from `arus.toml` in this folder, where there is one.
pub(crate) fn complete(flags: Flags) -> Result<Flags> {
    complete_in(Path::new(""), flags)
}

fn read(folder: &Path) -> Result<Option<File>> {
    let bytes = match DiskFs.read(&folder.join(FILE)) {
        Ok(bytes) => bytes,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(Error::io("read", FILE, e)),
    };
    let text = String::from_utf8_lossy(&bytes);
    toml::from_str(&text).map(Some).map_err(|e| Error::user(format!("{FILE}: {e}")).with_code(Code::InvalidOption))
}

/// Which server to ask, as far as the command line does not say; a file is named from the folder.
pub(crate) fn connect_in(folder: &Path, mut connect: Connect) -> Result<Connect> {
    let Some(file) = read(folder)? else { return Ok(connect) };
    connect.url = connect.url.or(file.url);
    connect.user = connect.user.or(file.user);
    connect.ca = connect.ca.or_else(|| file.ca.map(|ca| folder.join(ca)));
    Ok(connect)
}

/// The same from the file in a project's folder.
pub(crate) fn complete_in(folder: &Path, mut flags: Flags) -> Result<Flags> {
    let Some(file) = read(folder)? else { return Ok(flags) };
    flags.data = flags.data.or(file.data);
    flags.listen = flags.listen.or(file.listen);
    flags.http_port = flags.http_port.or(file.http_port);
    flags.pg_port = flags.pg_port.or(file.pg_port);
    flags.kafka_port = flags.kafka_port.or(file.kafka_port);
    flags.tls_cert = flags.tls_cert.or(file.tls_cert);
    flags.tls_key = flags.tls_key.or(file.tls_key);
    flags.advertise = flags.advertise.or(file.advertise);
    flags.allow_path.extend(file.allow_path);
    if let Some(parallelism) = file.parallelism.filter(|n| !(1..=128).contains(n)) {
        let found = format!("{FILE}: parallelism: expected 1 to 128, found {parallelism}");
        return Err(Error::user(found).with_code(Code::InvalidOption));
    }
    flags.parallelism = flags.parallelism.or(file.parallelism);
    flags.ingest_rate = flags.ingest_rate.or(file.ingest_rate.filter(|rate| *rate > 0));
    flags.allow_host.extend(file.allow_host);
    // What the command line says comes last, and counts.
    flags.notify.splice(0..0, file.notify);
    flags.secrets = flags.secrets.or(file.secrets);
    let sizes = [
        ("memory", &mut flags.memory, file.memory),
        ("disk", &mut flags.disk, file.disk),
        ("disk-free", &mut flags.disk_free, file.disk_free),
    ];
    for (name, flag, size) in sizes {
        if flag.is_none()
            && let Some(size) = size
        {
            *flag = Some(parse_size(&size).map_err(|e| Error::user(format!("{FILE}: {name}: {e}")))?);
        }
    }
    Ok(flags)
}
