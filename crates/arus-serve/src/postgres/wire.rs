//! One Postgres connection: messages of bounded size, held against the door's share, and no client that keeps an answer
//! waiting for ever.

use std::future::{Future, pending};
use std::io;
use std::task::Poll;
use std::time::Duration;

use arus_core::contained::contain;
use arus_core::limits::{POSTGRES_FETCH_ROWS, POSTGRES_MESSAGE_BYTES, REQUEST_STALL_MS, STARTUP_MS};
use futures::StreamExt;
use futures::future::poll_fn;
use pgwire::api::{ClientInfo, ErrorHandler, PgWireConnectionState, PgWireServerHandlers};
use pgwire::messages::PgWireFrontendMessage;
use pgwire::tokio::server::{negotiate_tls, process_error, process_message};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use super::connection::Handlers;
use super::departure::Departure;
use crate::door::Door;

/// A message below it is not worth counting.
const SMALL_BYTES: usize = 64 << 10;

/// Serves until the client goes, or has to.
pub(super) async fn serve(
    socket: TcpStream,
    tls: Option<TlsAcceptor>,
    handlers: Handlers,
    door: &Door,
) -> io::Result<()> {
    let progress = handlers.progress();
    tokio::select! {
        served = messages(socket, tls, handlers, door) => served,
        () = progress.stalled() => Err(timed_out("an answer that nobody takes")),
    }
}

async fn messages(socket: TcpStream, tls: Option<TlsAcceptor>, handlers: Handlers, door: &Door) -> io::Result<()> {
    let startup = Duration::from_millis(STARTUP_MS);
    let mut negotiation = Box::pin(negotiate_tls(socket, tls));
    let negotiated = poll_fn(|cx| match contain(|| negotiation.as_mut().poll(cx)) {
        None => Poll::Ready(Err(malformed())),
        Some(polled) => polled,
    });
    let negotiated = timeout(startup, negotiated).await.map_err(|_| timed_out("a startup message"))?;
    let Some(mut socket) = negotiated? else { return Ok(()) };
    let progress = handlers.progress();
    let error_handler = handlers.error_handler();
    loop {
        let starting = matches!(
            socket.state(),
            PgWireConnectionState::AwaitingStartup | PgWireConnectionState::AuthenticationInProgress
        );
        let patience = if starting { startup } else { Duration::from_millis(REQUEST_STALL_MS) };
        let mut arrived = 0;
        let message = loop {
            let next = poll_fn(|cx| match contain(|| socket.poll_next_unpin(cx)) {
                None => Poll::Ready(Err(malformed())),
                Some(Poll::Pending) if socket.read_buffer().len() > POSTGRES_MESSAGE_BYTES => {
                    Poll::Ready(Err(too_large()))
                }
                Some(polled) => polled.map(Ok),
            });
            if let Ok(message) = timeout(patience, next).await {
                break message?;
            }
            // Between two messages a session may be idle, within one it may not.
            let now = socket.read_buffer().len();
            if starting || (now > 0 && now == arrived) {
                return Err(timed_out("the rest of a message"));
            }
            arrived = now;
        };
        let Some(message) = message else { return Ok(()) };
        let mut message = message.map_err(io::Error::other)?;
        if let PgWireFrontendMessage::Execute(execute) = &mut message
            && !(0..=POSTGRES_FETCH_ROWS).contains(&execute.max_rows)
        {
            // As many as there are, which are sent as they come; a fetch is collected first.
            execute.max_rows = 0;
        }
        if matches!(message, PgWireFrontendMessage::Terminate(_)) {
            return Ok(());
        }
        let _held = match size(&message) {
            small if small < SMALL_BYTES => None,
            large if large > POSTGRES_MESSAGE_BYTES => return Err(too_large()),
            large => Some(door.hold(large).await),
        };
        let extended = message.is_extended_query();
        let runs = matches!(message, PgWireFrontendMessage::Query(_) | PgWireFrontendMessage::Execute(_));
        let departure = runs.then(|| Departure::of(socket.get_ref()));
        let departed = async {
            match departure {
                Some(departure) => departure.seen(&progress).await,
                None => pending().await,
            }
        };
        let processed = process_message(
            message,
            &mut socket,
            handlers.startup_handler(),
            handlers.simple_query_handler(),
            handlers.extended_query_handler(),
            handlers.copy_handler(),
            handlers.cancel_handler(),
        );
        let processed = tokio::select! {
            processed = processed => processed,
            () = departed => return Ok(()),
        };
        progress.finish();
        if let Err(mut e) = processed {
            error_handler.on_error(&socket, &mut e);
            process_error(&mut socket, e, extended).await?;
            // Whoever could not log in says nothing more here.
            if starting {
                return Ok(());
            }
        }
    }
}

/// Bytes that the message brings: a statement's text, its parameters.
fn size(message: &PgWireFrontendMessage) -> usize {
    match message {
        PgWireFrontendMessage::Query(query) => query.query.len(),
        PgWireFrontendMessage::Parse(parse) => parse.query.len(),
        PgWireFrontendMessage::Bind(bind) => bind.parameters.iter().flatten().map(|p| p.len()).sum(),
        _ => 0,
    }
}

fn timed_out(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, format!("waited in vain for {what}"))
}

/// The decoder trusts the lengths within a message.
fn malformed() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "a message is malformed")
}

fn too_large() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("a message is larger than {POSTGRES_MESSAGE_BYTES} bytes"))
}

/// Tells a client that there are too many: after its startup message, so that it listens.
pub(super) async fn refuse(mut socket: TcpStream, message: &str) -> io::Result<()> {
    /// Startup messages are a few words.
    const STARTUP_BYTES: usize = 10_000;
    /// Codes of the requests for TLS and for GSSAPI, which come before.
    const NEGOTIATIONS: [i32; 2] = [80_877_103, 80_877_104];
    for _ in 0..3 {
        let length = usize::try_from(socket.read_i32().await?).unwrap_or(0);
        let code = socket.read_i32().await?;
        if !(8..=STARTUP_BYTES).contains(&length) {
            return Ok(());
        }
        let mut rest = vec![0; length - 8];
        socket.read_exact(&mut rest).await?;
        if !NEGOTIATIONS.contains(&code) {
            break;
        }
        socket.write_all(b"N").await?;
    }
    let fields = ["SFATAL", "VFATAL", "C53300", &format!("M{message}")];
    let body: Vec<u8> = fields.iter().flat_map(|f| f.bytes().chain([0])).chain([0]).collect();
    let mut out = vec![b'E'];
    out.extend_from_slice(&(body.len() as i32 + 4).to_be_bytes());
    out.extend_from_slice(&body);
    socket.write_all(&out).await?;
    socket.shutdown().await
}
