//! A connection to a notifier, with TLS or without.

use std::path::Path;
use std::sync::Arc;

use arus_core::error::Code;
use arus_core::fs::SharedFs;
use arus_core::{Error, Result};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// Where systems keep the authorities that they trust.
const TRUSTED: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

pub(super) trait Wire: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Wire for T {}

pub(super) type BoxWire = Box<dyn Wire>;

pub(super) async fn connect(host: &str, port: u16, tls: bool, fs: &SharedFs) -> Result<BoxWire> {
    let socket = TcpStream::connect((host, port)).await.map_err(|e| Error::external(format!("cannot connect: {e}")))?;
    if tls { secured(Box::new(socket), host, fs).await } else { Ok(Box::new(socket)) }
}

/// The same connection, with TLS from here on.
pub(super) async fn secured(wire: BoxWire, host: &str, fs: &SharedFs) -> Result<BoxWire> {
    let name = ServerName::try_from(host.to_string())
        .map_err(|_| Error::user(format!("'{host}' is no name that a certificate can have")))?;
    let connector = TlsConnector::from(Arc::new(config(fs)?));
    let stream = connector.connect(name, wire).await.map_err(|e| Error::external(format!("TLS: {e}")))?;
    Ok(Box::new(stream))
}

/// Trusts what this machine trusts; `SSL_CERT_FILE` names another file.
fn config(fs: &SharedFs) -> Result<ClientConfig> {
    let chosen = std::env::var("SSL_CERT_FILE").ok();
    let files = chosen.as_deref().map_or_else(|| TRUSTED.to_vec(), |file| vec![file]);
    let mut roots = RootCertStore::empty();
    for file in &files {
        let Ok(bytes) = fs.read(Path::new(file)) else { continue };
        let certificates = CertificateDer::pem_slice_iter(&bytes).filter_map(std::result::Result::ok);
        let (added, _) = roots.add_parsable_certificates(certificates);
        if added > 0 {
            break;
        }
    }
    if roots.is_empty() {
        return Err(Error::user(format!("no certificate authorities were found in {}", files.join(", ")))
            .with_code(Code::InvalidOption)
            .with_hint("install the package ca-certificates, or name a file of your own by SSL_CERT_FILE"));
    }
    let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|e| Error::bug(format!("TLS: {e}")))?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}
