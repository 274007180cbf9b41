//! The server: engine, doors, signals.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use arus_core::limits::STACK_BYTES;
use arus_core::limits::{DOOR_CONNECTIONS, FILES_RESERVED};
use arus_core::{Error, Result};
use arus_engine::{Engine, EngineConfig, SMALLEST_BUDGET};
use arus_serve::{Addresses, DoorContext, ENDPOINTS, Endpoint, Tls};
use tokio::net::{TcpListener, TcpSocket};
use tokio::signal::unix::{SignalKind, signal};

use crate::args::Flags;
use crate::tls::{Certificate, reachable};
use crate::{output, settings_file};

pub(crate) const DEFAULT_DATA: &str = "arus-data";
/// Connections that the system holds until they are accepted.
const BACKLOG: u32 = 1_024;

/// What to do when a door's port is taken.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ports {
    /// A moving port breaks saved connections.
    Fixed,
    /// The next free one.
    NextFree,
}

pub(crate) fn run(flags: Flags) -> Result<ExitCode> {
    let flags = settings_file::complete(flags)?;
    runtime()?.block_on(async {
        let listen = flags.listen.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST));
        let doors = Doors::bind(&flags, listen, Ports::Fixed).await?;
        let data = flags.data.clone().unwrap_or_else(|| PathBuf::from(DEFAULT_DATA));
        let mut config = config(&flags, data.clone())?;
        config.ask_passwords = !listen.is_loopback();
        let asks = config.ask_passwords;
        let engine = Engine::start(config)?;
        output::note(&format!("Arus {}", env!("CARGO_PKG_VERSION")));
        let secured = Secured::open(&flags, &data, listen)?;
        if asks || flags.reset_admin {
            tell_admin(&engine, flags.reset_admin).await?;
        }
        doors.announce(secured.as_ref());
        doors.serve(&engine, secured).await
    })
}

pub(crate) fn runtime() -> Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("arus-door")
        .thread_stack_size(STACK_BYTES)
        .enable_all()
        .build()
        .map_err(|e| Error::io("start", "the threads of the doors", e))
}

pub(crate) fn config(flags: &Flags, data: PathBuf) -> Result<EngineConfig> {
    let mut config = EngineConfig::new(data)?;
    config.dashboards_dir = Some(config.data.join(arus_storage::DASHBOARDS));
    config.allow_paths.clone_from(&flags.allow_path);
    config.allow_hosts.clone_from(&flags.allow_host);
    config.notifiers = flags.notify.iter().cloned().collect();
    config.authorities = std::env::var_os("SSL_CERT_FILE").map(PathBuf::from);
    config.secrets.clone_from(&flags.secrets);
    config.stdout = Arc::new(output::Stdout);
    config.stderr = Arc::new(output::Stderr);
    config.disk_bytes = flags.disk;
    config.disk_free_bytes = flags.disk_free;
    config.ingest_rate = flags.ingest_rate;
    if let Some(bytes) = flags.memory {
        if bytes < SMALLEST_BUDGET {
            return Err(Error::user(format!(
                "--memory: expected {} MB or more, found {} MB",
                SMALLEST_BUDGET >> 20,
                bytes >> 20
            ))
            .with_hint("the server itself needs some tens of megabytes"));
        }
        config.memory_bytes = bytes;
    }
    if let Some(count) = flags.parallelism {
        config.threads = usize::from(count);
        config.parallelism = usize::from(count);
    }
    Ok(config)
}

/// For commands that open a server without passwords.
pub(crate) fn loopback(flags: &Flags) -> Result<IpAddr> {
    let listen = flags.listen.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST));
    if listen.is_loopback() {
        return Ok(listen);
    }
    Err(Error::user(format!("--listen {listen}: this command listens on 127.0.0.1 or ::1 alone")).with_hint(
        "start the server itself (arus, without a command) with --listen: it asks for passwords and speaks TLS",
    ))
}

/// The password of the first admin, or another one: shown once, kept nowhere.
pub(crate) async fn tell_admin(engine: &Arc<Engine>, again: bool) -> Result<()> {
    if let Some(password) = engine.make_admin(again).await? {
        output::note(&format!(
            "made the user admin, with the password\n  {password}\n  it is not shown again: ALTER USER admin WITH PASSWORD '..' changes it, --reset-admin makes another"
        ));
    }
    Ok(())
}

/// The certificate of the doors, and where it comes from.
pub(crate) struct Secured {
    certificate: Certificate,
    tls: Tls,
    advertise: Option<String>,
    /// A name or address that others reach this server by.
    reached_by: String,
}

impl Secured {
    pub(crate) fn open(flags: &Flags, data: &Path, listen: IpAddr) -> Result<Option<Self>> {
        let Some(certificate) = Certificate::choose(flags, data, listen)? else { return Ok(None) };
        let tls = certificate.open()?;
        if let Some(authority) = certificate.authority() {
            output::note(&format!("TLS: whoever connects has to trust {}", authority.display()));
        }
        let reached_by = flags.advertise.clone().unwrap_or_else(|| reachable(listen).to_string());
        Ok(Some(Secured { certificate, tls, advertise: flags.advertise.clone(), reached_by }))
    }
}

/// The bound listeners, one an endpoint.
pub(crate) struct Doors {
    listeners: Vec<(&'static Endpoint, TcpListener)>,
    pub(crate) addresses: Addresses,
}

impl Doors {
    pub(crate) async fn bind(flags: &Flags, listen: IpAddr, ports: Ports) -> Result<Doors> {
        let mut listeners = vec![];
        for endpoint in ENDPOINTS {
            let port = flags.port(endpoint.flag).unwrap_or(endpoint.port);
            listeners.push((endpoint, bind(endpoint, listen, port, ports).await?));
        }
        let address = |name: &str| -> Result<SocketAddr> {
            let found = listeners.iter().find(|(e, _)| e.name == name);
            let (_, listener) = found.ok_or_else(|| Error::bug(format!("there is no door '{name}'")))?;
            listener.local_addr().map_err(|e| Error::io("ask", "a listener for its address", e))
        };
        let addresses = Addresses { http: address("http")?, postgres: address("postgres")?, kafka: address("kafka")? };
        Ok(Doors { listeners, addresses })
    }

    /// How each door is opened, as somebody else types it.
    pub(crate) fn announce(&self, secured: Option<&Secured>) {
        let Addresses { http, postgres, kafka } = self.addresses;
        let Some(secured) = secured else {
            output::note(&format!("  console   http://{http}"));
            output::note(&format!("  postgres  psql -h {} -p {} -U arus arus", postgres.ip(), postgres.port()));
            output::note(&format!("  kafka     {kafka}"));
            return;
        };
        let host = &secured.reached_by;
        let in_url = if host.contains(':') { format!("[{host}]") } else { host.clone() };
        let root = match secured.certificate.authority() {
            Some(ca) => format!("sslrootcert={}", ca.display()),
            None => "sslrootcert=system".into(),
        };
        output::note(&format!("  console   https://{in_url}:{}", http.port()));
        let psql = format!("user=admin dbname=arus sslmode=verify-full {root} host={host} port={}", postgres.port());
        output::note(&format!("  postgres  psql \"{psql}\""));
        output::note(&format!("  kafka     {in_url}:{}", kafka.port()));
    }

    /// From now on the doors answer.
    pub(crate) fn open(self, engine: &Arc<Engine>, secured: Option<&Secured>) {
        let mut context = DoorContext::new(engine.gate(), self.addresses, connections());
        if let Some(secured) = secured {
            context = context.with_tls(secured.tls.clone(), secured.advertise.clone());
        }
        for (endpoint, listener) in self.listeners {
            tokio::spawn((endpoint.serve)(listener, context.clone()));
        }
    }

    /// Serves until SIGTERM or Ctrl-C, then checkpoints.
    pub(crate) async fn serve(self, engine: &Arc<Engine>, secured: Option<Secured>) -> Result<ExitCode> {
        self.open(engine, secured.as_ref());
        let mut terminate = signal(SignalKind::terminate()).map_err(|e| Error::io("listen to", "SIGTERM", e))?;
        let mut hangup = signal(SignalKind::hangup()).map_err(|e| Error::io("listen to", "SIGHUP", e))?;
        let code = loop {
            tokio::select! {
                _ = terminate.recv() => break ExitCode::SUCCESS,
                _ = tokio::signal::ctrl_c() => break ExitCode::from(130),
                // A server without a certificate ends with its terminal, as any program.
                _ = hangup.recv() => match &secured {
                    Some(Secured { certificate, tls, .. }) => certificate.reload(tls),
                    None => break ExitCode::SUCCESS,
                },
                failure = engine.failed() => return Err(failure),
            }
        };
        engine.shutdown().await?;
        Ok(code)
    }
}

/// Connections of a door: each is an open file, of which the process gets as many as the system lets it.
fn connections() -> usize {
    let files = arus_storage::raise_open_files().unwrap_or_else(|e| {
        tracing::warn!("cannot raise the limit of open files: {e}");
        1_024
    });
    (files.saturating_sub(FILES_RESERVED) / 4).clamp(8, DOOR_CONNECTIONS)
}

async fn bind(endpoint: &Endpoint, listen: IpAddr, port: u16, ports: Ports) -> Result<TcpListener> {
    let last = if ports == Ports::NextFree && port != 0 { port.saturating_add(100) } else { port };
    for candidate in port..=last {
        match listener(listen, candidate) {
            Ok(listener) => return Ok(listener),
            Err(e) if e.kind() == std::io::ErrorKind::AddrInUse && candidate < last => {}
            Err(e) if e.kind() == std::io::ErrorKind::AddrInUse => {
                return Err(Error::user(format!("port {candidate} of the {} door is in use", endpoint.name))
                    .with_hint(format!("choose another with {}, or 0 for a free one", endpoint.flag)));
            }
            Err(e) => return Err(Error::io("listen on", format!("{listen}:{candidate}"), e)),
        }
    }
    Err(Error::user(format!("no port from {port} to {last} is free for the {} door", endpoint.name)))
}

fn listener(listen: IpAddr, port: u16) -> std::io::Result<TcpListener> {
    let socket = if listen.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_reuseaddr(true)?;
    // Connections inherit it: one whose other side is gone without a word is found in the end.
    socket.set_keepalive(true)?;
    socket.bind(SocketAddr::new(listen, port))?;
    socket.listen(BACKLOG)
}
