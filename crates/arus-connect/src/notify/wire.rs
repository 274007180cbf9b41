//! A connection to a notifier, with TLS or without.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arus_core::error::Code;
use arus_core::{Error, Result};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{self, CertificateError, ClientConfig, RootCertStore};

use super::Outside;

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

pub(super) async fn connect(host: &str, port: u16, tls: bool, outside: Outside<'_>) -> Result<BoxWire> {
    let socket = TcpStream::connect((host, port)).await.map_err(|e| Error::external(format!("cannot connect: {e}")))?;
    if tls { secured(Box::new(socket), host, outside).await } else { Ok(Box::new(socket)) }
}

/// The same connection, with TLS from here on.
pub(super) async fn secured(wire: BoxWire, host: &str, outside: Outside<'_>) -> Result<BoxWire> {
    let name = ServerName::try_from(host.to_string())
        .map_err(|_| Error::user(format!("'{host}' is no name that a certificate can have")))?;
    let connector = TlsConnector::from(Arc::new(config(outside)?));
    let stream = connector.connect(name, wire).await.map_err(|e| untrusted(&e, host))?;
    Ok(Box::new(stream))
}

/// Why a handshake failed, in words that say what to do.
fn untrusted(error: &std::io::Error, host: &str) -> Error {
    let told = error.get_ref().and_then(|e| e.downcast_ref::<rustls::Error>());
    let Some(rustls::Error::InvalidCertificate(why)) = told else {
        return Error::external(format!("TLS: {error}"));
    };
    match why {
        // An authority of the same name that is another one.
        CertificateError::UnknownIssuer | CertificateError::BadSignature => {
            Error::external(format!("the certificate of '{host}' is of no authority that this server trusts"))
                .with_hint("start the server with SSL_CERT_FILE=FILE, with the certificate of that authority in it")
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            Error::external(format!("the certificate is not for the name '{host}'"))
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            Error::external(format!("the certificate of '{host}' has expired"))
        }
        other => Error::external(format!("the certificate of '{host}' is refused: {other}")),
    }
}

/// Trusts what this machine trusts, or the one file that was named.
fn config(outside: Outside<'_>) -> Result<ClientConfig> {
    let chosen = outside.authorities.map(Path::to_path_buf);
    let files = chosen.map_or_else(|| TRUSTED.iter().map(PathBuf::from).collect(), |file| vec![file]);
    let mut roots = RootCertStore::empty();
    for file in &files {
        let Ok(bytes) = outside.fs.read(file) else { continue };
        let certificates = CertificateDer::pem_slice_iter(&bytes).filter_map(std::result::Result::ok);
        let (added, _) = roots.add_parsable_certificates(certificates);
        if added > 0 {
            break;
        }
    }
    if roots.is_empty() {
        let files: Vec<String> = files.iter().map(|file| file.display().to_string()).collect();
        return Err(Error::user(format!("no certificate authorities were found in {}", files.join(", ")))
            .with_code(Code::InvalidOption)
            .with_hint("install the package ca-certificates, or name a file of your own by SSL_CERT_FILE"));
    }
    let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|e| Error::bug(format!("TLS: {e}")))?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}
