//! Where a server is and who asks it: its address, the authorities to trust, user and password; and a connection to it.
//!
//! A password comes from the environment or from the keyboard, never from the command line, which every user of a machine can
//! read; and it goes to another machine by TLS alone.

use std::fmt;
use std::io::{self, IsTerminal, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use arus_core::error::Code;
use arus_core::fs::Fs;
use arus_core::{Error, Result};
use arus_storage::DiskFs;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{CertificateError, ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use crate::args::{Connect, Flags};
use crate::server::DEFAULT_DATA;

use super::editor;

const PASSWORD: &str = "ARUS_PASSWORD";
/// A server on this machine answers at once or not at all.
const NEAR: Duration = Duration::from_millis(500);
const FAR: Duration = Duration::from_secs(10);
/// How often a wait for the next line looks whether it is still wanted.
const GLANCE: Duration = Duration::from_millis(100);
/// Where systems keep the authorities that they trust.
const SYSTEM_AUTHORITIES: [&str; 3] =
    ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"];

pub(crate) struct Target {
    tls: Option<Arc<ClientConfig>>,
    host: String,
    port: u16,
    user: Option<String>,
    /// The value of the header `Authorization`.
    authorization: Option<String>,
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// As a message names it.
impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls.is_some() { "https://" } else { "" };
        write!(f, "{scheme}{}", self.authority())
    }
}

impl Target {
    /// What the flags name: a URL, or the server that would run with the same flags.
    pub(crate) fn of(flags: &Flags, connect: &Connect) -> Result<Target> {
        let (secure, host, port) = match &connect.url {
            Some(url) => parse(url)?,
            None => {
                let listen = flags.listen.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST));
                let door = arus_serve::ENDPOINTS.iter().find(|e| e.name == "http").map_or(0, |door| door.port);
                let host = match &flags.advertise {
                    Some(name) if !listen.is_loopback() => name.clone(),
                    _ if listen.is_unspecified() => "localhost".into(),
                    _ => listen.to_string(),
                };
                let secure = !listen.is_loopback() || flags.tls_cert.is_some() || connect.ca.is_some();
                (secure, host, flags.port("--http-port").unwrap_or(door))
            }
        };
        let tls = secure.then(|| trusting(&authorities(flags, connect)?)).transpose()?;
        let mut target = Target { tls, host, port, user: connect.user.clone(), authorization: None };
        if let Some(user) = &connect.user {
            let near = target.host == "localhost" || target.host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
            if target.tls.is_none() && !near {
                return Err(Error::user(format!("a password goes to '{}' by https:// alone", target.host))
                    .with_hint("name the server by --url https://HOST:PORT"));
            }
            let login = format!("{user}:{}", password(user)?);
            target.authorization = Some(format!("Basic {}", STANDARD.encode(login)));
        }
        Ok(target)
    }

    /// A server of this process.
    pub(crate) fn local(address: SocketAddr) -> Target {
        let (host, port) = (address.ip().to_string(), address.port());
        Target { tls: None, host, port, user: None, authorization: None }
    }

    /// `db.example.com:8080`, `[::1]:8080`
    pub(crate) fn authority(&self) -> String {
        let bracketed = self.host.contains(':');
        if bracketed { format!("[{}]:{}", self.host, self.port) } else { format!("{}:{}", self.host, self.port) }
    }

    /// The line of a request's head that says who asks.
    pub(crate) fn login_header(&self) -> String {
        self.authorization.as_ref().map(|value| format!("Authorization: {value}\r\n")).unwrap_or_default()
    }

    pub(crate) fn open(&self) -> io::Result<TcpStream> {
        let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
        for address in (self.host.as_str(), self.port).to_socket_addrs()? {
            let patience = if address.ip().is_loopback() { NEAR } else { FAR };
            match TcpStream::connect_timeout(&address, patience) {
                Ok(stream) => return Ok(stream),
                Err(e) => last = e,
            }
        }
        Err(last)
    }

    /// Ready for a request.
    pub(crate) fn secure(&self, mut stream: TcpStream) -> Result<Socket> {
        let failed = |e| Error::io("reach", format!("the server at {self}"), e);
        stream.set_nodelay(true).map_err(failed)?;
        let Some(config) = &self.tls else {
            stream.set_read_timeout(Some(GLANCE)).map_err(failed)?;
            return Ok(Socket::Plain(stream));
        };
        let name = ServerName::try_from(self.host.clone())
            .map_err(|e| Error::user(format!("'{}' is no name of a server: {e}", self.host)))?;
        let mut connection = ClientConnection::new(config.clone(), name)
            .map_err(|e| Error::external(format!("TLS with the server at {self}: {e}")))?;
        stream.set_read_timeout(Some(FAR)).map_err(failed)?;
        while connection.is_handshaking() {
            connection.complete_io(&mut stream).map_err(|e| self.no_handshake(e))?;
        }
        stream.set_read_timeout(Some(GLANCE)).map_err(failed)?;
        Ok(Socket::Tls(Box::new(StreamOwned::new(connection, stream))))
    }

    fn no_handshake(&self, error: io::Error) -> Error {
        use tokio_rustls::rustls::Error as Tls;
        let reason = error.get_ref().and_then(|e| e.downcast_ref::<Tls>());
        match reason {
            Some(Tls::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) => Error::user(format!("the certificate of the server at {self} is not for the name '{}'", self.host))
                .with_hint(format!("name it as its certificate does, or start it with --advertise {}", self.host)),
            Some(Tls::InvalidCertificate(reason)) => Error::user(format!(
                "the certificate of the server at {self} is not trusted: {reason}"
            ))
            .with_hint("name its authority with --ca FILE: of a server's own it is tls/ca.pem in its data folder"),
            Some(Tls::InvalidMessage(_)) => Error::user(format!("the server at {self} does not speak TLS"))
                .with_hint(format!("--url http://{}", self.authority())),
            _ => Error::io("speak TLS with", format!("the server at {self}"), error),
        }
    }

    /// What answers in another protocol than HTTP is most often a server with TLS.
    pub(crate) fn no_http(&self) -> Error {
        let error = Error::user(format!("what listens at {self} does not answer in HTTP"));
        match self.tls {
            Some(_) => error,
            None => error.with_hint(format!("if it is an Arus with TLS: --url https://{}", self.authority())),
        }
    }

    /// 401.
    pub(crate) fn not_let_in(&self) -> Error {
        let error = match &self.user {
            None => Error::user(format!("the server at {self} asks for a user and a password")).with_hint(format!(
                "--user NAME; the password is asked for on a terminal, and comes from the variable {PASSWORD} elsewhere"
            )),
            Some(user) => {
                Error::user(format!("the server at {self} does not let '{user}' in: the user or the password is wrong"))
                    .with_hint("the server's log says why; after some wrong passwords it wants a pause")
            }
        };
        error.with_code(Code::NotAuthenticated)
    }
}

/// From the environment, else from the keyboard.
fn password(user: &str) -> Result<String> {
    match std::env::var(PASSWORD) {
        Ok(password) => Ok(password),
        Err(std::env::VarError::NotUnicode(_)) => Err(Error::user(format!("{PASSWORD} is not UTF-8"))),
        Err(std::env::VarError::NotPresent) if io::stdin().is_terminal() => editor::password(user),
        Err(std::env::VarError::NotPresent) => Err(Error::user(format!("there is no password for '{user}'"))
            .with_hint(format!("set the variable {PASSWORD}, or run it on a terminal, which asks"))),
    }
}

/// Whether it is `https`, host and port.
fn parse(url: &str) -> Result<(bool, String, u16)> {
    let wrong = |what: &str| {
        Error::user(format!("--url '{url}': {what}"))
            .with_code(Code::InvalidOption)
            .with_hint("expected https://HOST:PORT or http://HOST:PORT")
    };
    let (scheme, rest) = url.split_once("://").ok_or_else(|| wrong("it has no scheme"))?;
    let secure = match scheme {
        "https" => true,
        "http" => false,
        _ => return Err(wrong("the scheme is another one")),
    };
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    if rest.contains('@') {
        return Err(Error::user("--url: the user does not belong there").with_hint("--user NAME"));
    }
    if rest.contains(['/', '?', '#']) {
        return Err(wrong("a path does not belong there"));
    }
    let (host, port) = match rest.strip_prefix('[') {
        Some(rest) => {
            let (host, port) = rest.split_once(']').ok_or_else(|| wrong("a ']' is missing"))?;
            (host, port.strip_prefix(':'))
        }
        None => rest.split_once(':').map_or((rest, None), |(host, port)| (host, Some(port))),
    };
    if host.is_empty() {
        return Err(wrong("there is no host"));
    }
    let usual = if secure { 443 } else { 80 };
    let port = port.map_or(Ok(usual), |port| port.parse().map_err(|_| wrong("the port is no number up to 65535")))?;
    Ok((secure, host.into(), port))
}

/// Files with authorities: the one that is named, else the system's, and on the server's own machine the server's.
fn authorities(flags: &Flags, connect: &Connect) -> Result<Vec<PathBuf>> {
    if let Some(ca) = &connect.ca {
        return Ok(vec![ca.clone()]);
    }
    let exists = |path: &Path| DiskFs.exists(path).is_ok_and(|found| found);
    let system = std::env::var_os("SSL_CERT_FILE").map(PathBuf::from);
    let system = system.or_else(|| SYSTEM_AUTHORITIES.iter().map(PathBuf::from).find(|path| exists(path)));
    let data = flags.data.clone().unwrap_or_else(|| PathBuf::from(DEFAULT_DATA));
    let own = Some(data.join("tls/ca.pem")).filter(|path| exists(path));
    Ok(system.into_iter().chain(own).collect())
}

fn trusting(files: &[PathBuf]) -> Result<Arc<ClientConfig>> {
    let mut roots = RootCertStore::empty();
    for file in files {
        let pem = DiskFs.read(file).map_err(|e| Error::io("read", file.display(), e))?;
        let certificates: Vec<_> = CertificateDer::pem_slice_iter(&pem).filter_map(std::result::Result::ok).collect();
        if roots.add_parsable_certificates(certificates).0 == 0 {
            return Err(Error::user(format!("{} has no certificate: expected PEM", file.display()))
                .with_code(Code::InvalidOption));
        }
    }
    let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|e| Error::bug(format!("TLS: {e}")))?;
    Ok(Arc::new(builder.with_root_certificates(roots).with_no_client_auth()))
}

/// A connection to a server.
pub(crate) enum Socket {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl Read for Socket {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match self {
            Socket::Plain(socket) => socket.read(buf),
            Socket::Tls(socket) => socket.read(buf),
        }
    }
}

impl Write for Socket {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        match self {
            Socket::Plain(socket) => socket.write(buf),
            Socket::Tls(socket) => socket.write(buf),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Socket::Plain(socket) => socket.flush(),
            Socket::Tls(socket) => socket.flush(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_named_by_a_url() {
        let found = |url: &str| parse(url).map_err(|e| e.message().to_string());
        assert_eq!(found("https://db.example.com:8080"), Ok((true, "db.example.com".into(), 8080)));
        assert_eq!(found("http://[::1]:81/"), Ok((false, "::1".into(), 81)));
        assert_eq!(found("https://db"), Ok((true, "db".into(), 443)));
        for wrong in ["db:8080", "ftp://db", "https://", "https://db:x", "https://db/path", "https://ann:pw@db"] {
            let message = found(wrong).expect_err(wrong);
            assert!(!message.contains("pw"), "{message}");
        }
    }
}
