//! TLS 1.3 on every door, with one certificate that can be replaced while the server runs.
//!
//! A handshake is a part of its connection: a slow one holds up nobody else's.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, RwLock};
use std::task::{Context, Poll, ready};

use arus_core::error::Code;
use arus_core::{Error, Result};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::server::TlsStream;
use tokio_rustls::{Accept, TlsAcceptor};

/// The certificate that the doors show.
#[derive(Clone)]
pub struct Tls(Arc<RwLock<Arc<ServerConfig>>>);

impl Tls {
    /// From PEM: the certificate with those that stand between it and the authority, and its key.
    pub fn new(certificates: &[u8], key: &[u8]) -> Result<Self> {
        Ok(Tls(Arc::new(RwLock::new(config(certificates, key)?))))
    }

    /// New connections get this one; an error leaves what was.
    pub fn replace(&self, certificates: &[u8], key: &[u8]) -> Result<()> {
        let config = config(certificates, key)?;
        *self.0.write().expect("no holder of this lock panics") = config;
        Ok(())
    }

    /// `protocol`: what a client may ask for by ALPN.
    pub(crate) fn acceptor(&self, protocol: &[u8]) -> TlsAcceptor {
        let current = self.0.read().expect("no holder of this lock panics").clone();
        let mut config = current.as_ref().clone();
        if !protocol.is_empty() {
            config.alpn_protocols = vec![protocol.to_vec()];
        }
        Arc::new(config).into()
    }
}

fn config(certificates: &[u8], key: &[u8]) -> Result<Arc<ServerConfig>> {
    let wrong = |what: String| Error::user(what).with_code(Code::InvalidOption);
    let chain: std::result::Result<Vec<_>, _> = CertificateDer::pem_slice_iter(certificates).collect();
    let chain = chain.map_err(|e| wrong(format!("the certificate cannot be read: {e}")))?;
    if chain.is_empty() {
        return Err(wrong("the file of the certificate has none: expected PEM".into()));
    }
    // What is wrong with a key may quote it.
    let key = PrivateKeyDer::from_pem_slice(key)
        .map_err(|_| wrong("the key of the certificate cannot be read: expected PEM, without a password".into()))?;
    let builder = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|e| Error::bug(format!("TLS: {e}")))?;
    let config = builder
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(|e| wrong(format!("the certificate and its key do not go together: {e}")))?;
    Ok(Arc::new(config))
}

/// A connection, with TLS or without.
pub(crate) enum Wire {
    Plain(TcpStream),
    Handshake(Box<Accept<TcpStream>>),
    Tls(Box<TlsStream<TcpStream>>),
    /// Its handshake has failed.
    Failed,
}

impl Wire {
    pub(crate) fn new(socket: TcpStream, tls: Option<&TlsAcceptor>) -> Self {
        match tls {
            None => Wire::Plain(socket),
            Some(tls) => Wire::Handshake(Box::new(tls.accept(socket))),
        }
    }

    /// The socket below.
    pub(crate) fn tcp(&self) -> Option<&TcpStream> {
        match self {
            Wire::Plain(socket) => Some(socket),
            Wire::Handshake(accept) => accept.get_ref(),
            Wire::Tls(stream) => Some(stream.get_ref().0),
            Wire::Failed => None,
        }
    }

    /// The name that the client has connected to, where it says so.
    pub(crate) fn server_name(&self) -> Option<&str> {
        match self {
            Wire::Tls(stream) => stream.get_ref().1.server_name(),
            _ => None,
        }
    }

    /// Ends the handshake first.
    fn poll_open(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let Wire::Handshake(accept) = self {
            match ready!(Pin::new(accept).poll(cx)) {
                Ok(stream) => *self = Wire::Tls(Box::new(stream)),
                Err(e) => {
                    *self = Wire::Failed;
                    return Poll::Ready(Err(e));
                }
            }
        }
        match self {
            Wire::Failed => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
            _ => Poll::Ready(Ok(())),
        }
    }
}

impl AsyncRead for Wire {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_open(cx))?;
        match this {
            Wire::Plain(socket) => Pin::new(socket).poll_read(cx, buf),
            Wire::Tls(stream) => Pin::new(stream).poll_read(cx, buf),
            Wire::Handshake(_) | Wire::Failed => Poll::Ready(Ok(())),
        }
    }
}

impl AsyncWrite for Wire {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        ready!(this.poll_open(cx))?;
        match this {
            Wire::Plain(socket) => Pin::new(socket).poll_write(cx, buf),
            Wire::Tls(stream) => Pin::new(stream).poll_write(cx, buf),
            Wire::Handshake(_) | Wire::Failed => Poll::Ready(Ok(0)),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        ready!(this.poll_open(cx))?;
        match this {
            Wire::Plain(socket) => Pin::new(socket).poll_write_vectored(cx, bufs),
            Wire::Tls(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
            Wire::Handshake(_) | Wire::Failed => Poll::Ready(Ok(0)),
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Wire::Plain(socket) => Pin::new(socket).poll_flush(cx),
            Wire::Tls(stream) => Pin::new(stream).poll_flush(cx),
            Wire::Handshake(_) | Wire::Failed => Poll::Ready(Ok(())),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Wire::Plain(socket) => Pin::new(socket).poll_shutdown(cx),
            Wire::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
            Wire::Handshake(_) | Wire::Failed => Poll::Ready(Ok(())),
        }
    }
}
