//! The certificate of the doors: one that is given, or one of a certificate authority that the first start makes in the data
//! folder for itself.
//!
//! A key is a file that its owner alone may read. The authority's certificate is what other machines are given to trust.

use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use arus_access::{Authority, Issued, Subject, certificate_ends_ms};
use arus_core::clock::{Clock, SystemClock};
use arus_core::error::Code;
use arus_core::fs::Fs;
use arus_core::{Error, Result};
use arus_serve::Tls;
use arus_storage::DiskFs;

use crate::args::Flags;
use crate::output;

/// A certificate of the own authority is made anew when it has less.
const RENEW_MS: i64 = 30 * 86_400_000;

/// Where the certificate comes from.
pub(crate) enum Certificate {
    Given { certificate: PathBuf, key: PathBuf },
    Own { folder: PathBuf, subject: Subject },
}

impl Certificate {
    /// `None`: this machine alone may connect, and nobody has asked for TLS.
    pub(crate) fn choose(flags: &Flags, data: &Path, listen: IpAddr) -> Result<Option<Self>> {
        match (&flags.tls_cert, &flags.tls_key) {
            (Some(certificate), Some(key)) => {
                Ok(Some(Certificate::Given { certificate: certificate.clone(), key: key.clone() }))
            }
            (None, None) if listen.is_loopback() => Ok(None),
            (None, None) => Ok(Some(Certificate::Own { folder: data.join("tls"), subject: subject(flags, listen) })),
            _ => {
                Err(Error::user("--tls-cert and --tls-key go together: one is missing").with_code(Code::InvalidOption))
            }
        }
    }

    pub(crate) fn open(&self) -> Result<Tls> {
        let (certificate, key) = self.read()?;
        Tls::new(&certificate, &key).map_err(|e| e.in_context(self.shown()))
    }

    /// New connections get what is in the files now.
    pub(crate) fn reload(&self, tls: &Tls) {
        let replaced = self.read().and_then(|(certificate, key)| tls.replace(&certificate, &key));
        match replaced {
            Ok(()) => output::note("the certificate was read again"),
            Err(e) => {
                output::note(&format!("the certificate stays as it was: {}", e.in_context(self.shown()).render(None)))
            }
        }
    }

    /// What other machines have to trust, where it is the server's own.
    pub(crate) fn authority(&self) -> Option<PathBuf> {
        match self {
            Certificate::Given { .. } => None,
            Certificate::Own { folder, .. } => Some(folder.join("ca.pem")),
        }
    }

    fn shown(&self) -> String {
        match self {
            Certificate::Given { certificate, .. } => format!("certificate {}", certificate.display()),
            Certificate::Own { folder, .. } => format!("certificate in {}", folder.display()),
        }
    }

    fn read(&self) -> Result<(Vec<u8>, Vec<u8>)> {
        match self {
            Certificate::Given { certificate, key } => Ok((read(certificate)?, read(key)?)),
            Certificate::Own { folder, subject } => own(folder, subject),
        }
    }
}

/// The names that others may know this server by.
fn subject(flags: &Flags, listen: IpAddr) -> Subject {
    let mut names: Vec<String> = flags.advertise.iter().cloned().collect();
    let hostname = DiskFs.read(Path::new("/proc/sys/kernel/hostname")).unwrap_or_default();
    names.push(String::from_utf8_lossy(&hostname).trim().to_string());
    names.push("localhost".into());
    let valid = |name: &String| !name.is_empty() && name.is_ascii() && name.parse::<IpAddr>().is_err();
    let mut addresses: Vec<IpAddr> = flags.advertise.iter().filter_map(|name| name.parse().ok()).collect();
    addresses.push(reachable(listen));
    addresses.extend([IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)]);
    names.retain(valid);
    names.dedup();
    addresses.dedup();
    Subject { names, addresses }
}

/// The address that others reach a server by which listens there.
pub(crate) fn reachable(listen: IpAddr) -> IpAddr {
    if listen.is_unspecified() { outward().unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST)) } else { listen }
}

/// The address that packets to elsewhere leave from; none is sent.
fn outward() -> Option<IpAddr> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).ok()?;
    socket.connect((Ipv4Addr::new(192, 0, 2, 1), 9)).ok()?;
    socket.local_addr().ok().map(|address| address.ip()).filter(|ip| !ip.is_unspecified())
}

/// The certificate of the own authority; both are made where they are missing, and it again when it ends or the names are others.
fn own(folder: &Path, subject: &Subject) -> Result<(Vec<u8>, Vec<u8>)> {
    let now_ms = SystemClock::new().now_ms();
    DiskFs.create_dir_all(folder).map_err(|e| Error::io("create", folder.display(), e))?;
    let [ca, ca_key, server, server_key, names] =
        ["ca.pem", "ca-key.pem", "server.pem", "server-key.pem", "server.names"].map(|name| folder.join(name));
    let authority = if exists(&ca)? {
        Authority::read(&text(&ca)?, &text(&ca_key)?)?
    } else {
        let authority = Authority::make(now_ms)?;
        let Issued { certificate, key } = authority.issued();
        write(&ca_key, key, 0o600)?;
        write(&ca, certificate, 0o644)?;
        output::note(&format!(
            "made a certificate authority for this server: {}\n  SHA-256 {}\n  give this file to whoever connects: psql sslrootcert, curl --cacert, kcat ssl.ca.location",
            ca.display(),
            authority.fingerprint()?
        ));
        authority
    };
    let wanted = format!("{} {:?}", subject.names.join(" "), subject.addresses);
    let fresh = exists(&server)? && exists(&server_key)? && exists(&names)? && text(&names)? == wanted;
    if !fresh || certificate_ends_ms(&text(&server)?)? - now_ms < RENEW_MS {
        let Issued { certificate, key } = authority.issue(subject, now_ms)?;
        write(&server_key, &key, 0o600)?;
        write(&server, &certificate, 0o644)?;
        write(&names, &wanted, 0o644)?;
    }
    Ok((read(&server)?, read(&server_key)?))
}

fn exists(path: &Path) -> Result<bool> {
    DiskFs.exists(path).map_err(|e| Error::io("look for", path.display(), e))
}

fn read(path: &Path) -> Result<Vec<u8>> {
    DiskFs.read(path).map_err(|e| Error::io("read", path.display(), e))
}

fn text(path: &Path) -> Result<String> {
    Ok(String::from_utf8_lossy(&read(path)?).into_owned())
}

/// Beside the file, then over it: nobody reads half of one, and a key is never readable for others.
#[expect(clippy::disallowed_methods, reason = "a key needs rights that no other file of the server needs")]
fn write(path: &Path, text: &str, mode: u32) -> Result<()> {
    let failed = |e| Error::io("write", path.display(), e);
    let fresh = path.with_extension("new");
    if exists(&fresh)? {
        std::fs::remove_file(&fresh).map_err(failed)?;
    }
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(&fresh).map_err(failed)?;
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(failed)?;
    std::fs::rename(&fresh, path).map_err(failed)
}
