//! HTTP's sockets: how long a client may be silent, and what it hears when there are too many.
//!
//! A request that has begun has to go on coming, an answer has to be taken, a connection without a request may stay for a
//! while. While a request is worked on neither counts: a query may take its time, and a live answer may have no news.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use arus_core::limits::{ANSWER_STALL_MS, IDLE_MS, REQUEST_STALL_MS};
use axum::extract::connect_info::Connected;
use axum::extract::{ConnectInfo, Request};
use axum::middleware::Next;
use axum::response::Response;
use axum::serve::{IncomingStream, Listener};
use serde_json::json;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Sleep, sleep, timeout};

use crate::door::{Arrival, Door, REFUSAL};
use crate::tls::{Tls, Wire};

pub(super) struct HttpListener {
    pub(super) listener: TcpListener,
    pub(super) door: Door,
    pub(super) tls: Option<Tls>,
}

impl Listener for HttpListener {
    type Io = HttpStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (HttpStream, SocketAddr) {
        loop {
            let (socket, peer, arrival) = self.door.accept(&self.listener).await;
            match arrival {
                Arrival::Welcome(permit) => {
                    let acceptor = self.tls.as_ref().map(|tls| tls.acceptor(b"http/1.1"));
                    let wire = Wire::new(socket, acceptor.as_ref());
                    return (HttpStream::new(wire, peer.ip(), permit), peer);
                }
                Arrival::Refused(permit) => {
                    let message = self.door.too_many();
                    tokio::spawn(async move {
                        let _permit = permit;
                        if !timeout(REFUSAL, refuse(socket, &message)).await.is_ok_and(|told| told.is_ok()) {
                            tracing::debug!("{peer} went before it was refused");
                        }
                    });
                }
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

async fn refuse(mut socket: TcpStream, message: &str) -> io::Result<()> {
    let body =
        json!({"error": {"kind": "exhausted", "message": message, "hint": "close idle connections, or try again"}});
    let body = body.to_string();
    let head = format!(
        "HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json\r\nretry-after: 1\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    socket.write_all(head.as_bytes()).await?;
    socket.write_all(body.as_bytes()).await?;
    socket.shutdown().await?;
    // What the client still sends is read, or it would see a reset instead of the answer.
    let mut rest = [0; 4_096];
    while socket.read(&mut rest).await? > 0 {}
    Ok(())
}

/// How many requests of a connection are worked on.
#[derive(Debug, Clone)]
pub(super) struct Activity {
    requests: Arc<AtomicUsize>,
    /// Whose connection it is.
    pub(super) peer: IpAddr,
}

/// A request that is worked on, until it is dropped.
#[derive(Debug)]
pub(super) struct Busy(Arc<AtomicUsize>);

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

impl Activity {
    fn begin(&self) -> Busy {
        self.requests.fetch_add(1, Relaxed);
        Busy(self.requests.clone())
    }

    fn is_busy(&self) -> bool {
        self.requests.load(Relaxed) > 0
    }
}

impl Connected<IncomingStream<'_, HttpListener>> for Activity {
    fn connect_info(stream: IncomingStream<'_, HttpListener>) -> Self {
        stream.io().activity.clone()
    }
}

/// Marks the connection busy until its answer begins; an answer that lives on keeps the mark.
pub(super) async fn busy(ConnectInfo(activity): ConnectInfo<Activity>, mut request: Request, next: Next) -> Response {
    let busy = Arc::new(activity.begin());
    request.extensions_mut().insert(busy.clone());
    let response = next.run(request).await;
    drop(busy);
    response
}

pub(super) struct HttpStream {
    socket: Wire,
    activity: Activity,
    /// Runs while the client sends nothing.
    silent: Option<Pin<Box<Sleep>>>,
    /// Runs from a request's first byte until its head is whole.
    begun: Option<Pin<Box<Sleep>>>,
    /// Runs while the client takes nothing.
    stalled: Option<Pin<Box<Sleep>>>,
    _permit: OwnedSemaphorePermit,
}

impl HttpStream {
    fn new(socket: Wire, peer: IpAddr, permit: OwnedSemaphorePermit) -> Self {
        let activity = Activity { requests: Arc::default(), peer };
        HttpStream { socket, activity, silent: None, begun: None, stalled: None, _permit: permit }
    }

    /// The result of a write: progress stops the clocks, waiting starts one.
    fn written<T>(&mut self, cx: &mut Context<'_>, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        match written {
            Poll::Ready(result) => {
                (self.silent, self.begun, self.stalled) = (None, None, None);
                Poll::Ready(result)
            }
            Poll::Pending => {
                ready!(run(&mut self.stalled, ANSWER_STALL_MS).as_mut().poll(cx));
                Poll::Ready(Err(silence("an answer that nobody takes")))
            }
        }
    }
}

fn run(clock: &mut Option<Pin<Box<Sleep>>>, ms: u64) -> &mut Pin<Box<Sleep>> {
    clock.get_or_insert_with(|| Box::pin(sleep(Duration::from_millis(ms))))
}

fn silence(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, what)
}

impl AsyncRead for HttpStream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buf.filled().len();
        let busy = this.activity.is_busy();
        if busy {
            (this.silent, this.begun) = (None, None);
        }
        if let Poll::Ready(result) = Pin::new(&mut this.socket).poll_read(cx, buf) {
            this.silent = None;
            if !busy && buf.filled().len() > before {
                run(&mut this.begun, REQUEST_STALL_MS);
            }
            return Poll::Ready(result);
        }
        if busy {
            return Poll::Pending;
        }
        if let Some(begun) = &mut this.begun
            && begun.as_mut().poll(cx).is_ready()
        {
            return Poll::Ready(Err(silence("a request that does not go on")));
        }
        ready!(run(&mut this.silent, IDLE_MS).as_mut().poll(cx));
        Poll::Ready(Err(silence("a connection without a request")))
    }
}

impl AsyncWrite for HttpStream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.socket).poll_write(cx, buf);
        this.written(cx, written)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.socket).poll_write_vectored(cx, bufs);
        this.written(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().socket).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().socket).poll_shutdown(cx)
    }
}
