//! The Kafka protocol, as far as producers with acks and consumers without a group need it.
//!
//! Requests of a connection are answered one after another, as Kafka does. Only versions that are listed in
//! [`api::APIS`] are spoken; anything else closes the connection, but for ApiVersions, which always answers.

mod api;
mod errors;
mod fetch;
mod init_producer_id;
mod list_offsets;
mod login;
mod metadata;
mod produce;

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use arus_core::access::Caller;
use arus_core::limits::{ANSWER_STALL_MS, IDLE_MS, KAFKA_FRAME_BYTES, REQUEST_STALL_MS};
use arus_core::platform::{LogDoor, Platform};
use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use self::api::Heard;
use self::login::{Login, Outcome};
use crate::door::{Arrival, Door, DoorContext, Held};
use crate::tls::Wire;

/// What a handler may use: of one connection whose user is known.
struct Broker {
    log: Arc<dyn LogDoor>,
    /// What metadata tells the client to connect to.
    host: String,
    port: u16,
    door: Door,
}

pub(crate) async fn serve(listener: TcpListener, context: DoorContext) {
    let door = context.door("kafka");
    let context = Arc::new(context);
    loop {
        let (socket, peer, arrival) = door.accept(&listener).await;
        // The protocol has no word for a refusal: like Kafka's broker it closes.
        let Arrival::Welcome(permit) = arrival else { continue };
        let (context, door) = (context.clone(), door.clone());
        tokio::spawn(async move {
            let _permit = permit;
            if let Err(e) = connection(socket, peer, &context, door).await {
                tracing::debug!("kafka connection of {peer} ended: {e}");
            }
        });
    }
}

async fn connection(socket: TcpStream, peer: SocketAddr, context: &DoorContext, door: Door) -> ended::Result {
    let reached = socket.local_addr()?;
    let acceptor = context.tls.as_ref().map(|tls| tls.acceptor(b""));
    let mut wire = Wire::new(socket, acceptor.as_ref());
    let caller = Caller { door: "kafka", peer: peer.ip() };
    let mut login = Login::new(context.gate.clone(), caller, acceptor.is_some());
    let mut broker: Option<Broker> = None;
    while let Some((frame, held)) = read_frame(&mut wire, &door).await? {
        let mut refused = false;
        let welcome = |platform: Arc<dyn Platform>, wire: &Wire| Broker {
            log: platform.log(),
            // The name that the client knows: a certificate is for that one.
            host: context
                .advertised
                .clone()
                .or_else(|| wire.server_name().map(str::to_string))
                .unwrap_or_else(|| reached.ip().to_string()),
            port: reached.port(),
            door: door.clone(),
        };
        let answer = match (api::head(frame)?, &broker) {
            (Heard::Answer(answer), _) => answer,
            (Heard::Request(head), Some(broker)) => api::answer(broker, head, &wire).await?,
            (Heard::Request(head), None) => match login.step(head).await? {
                Outcome::Answer(answer) => answer,
                Outcome::Welcome(answer, platform) => {
                    broker = Some(welcome(platform, &wire));
                    answer
                }
                Outcome::Open(platform, head) => {
                    let here = broker.insert(welcome(platform, &wire));
                    api::answer(here, head, &wire).await?
                }
                Outcome::Refused(answer) => {
                    refused = true;
                    answer
                }
            },
        };
        drop(held);
        if let Some(bytes) = answer.bytes {
            let length = i32::try_from(bytes.len()).map_err(|_| "the response is too long")?;
            write(&mut wire, &length.to_be_bytes()).await?;
            write(&mut wire, &bytes).await?;
            wire.flush().await?;
        }
        drop(answer.held);
        if refused {
            wire.shutdown().await?;
            return Err("the login was refused".into());
        }
        // The client was asked to hold back; one that does not is not read either.
        if answer.throttle_ms > 0 {
            tokio::time::sleep(Duration::from_millis(u64::from(answer.throttle_ms))).await;
        }
    }
    Ok(())
}

/// `None` at the end of the connection. The frame is read when the door has room for it, and memory grows with what has
/// arrived, not with what the length claims.
async fn read_frame(socket: &mut Wire, door: &Door) -> ended::Result<Option<(Bytes, Held)>> {
    let length = match within(IDLE_MS, "a request", socket.read_i32()).await? {
        Ok(length) => length,
        Err(e) if e.kind() == std::io::ErrorKind::UnexpectedEof => return Ok(None),
        Err(e) => return Err(e.into()),
    };
    let length = usize::try_from(length).ok().filter(|n| *n <= KAFKA_FRAME_BYTES);
    let length = length.ok_or("the length of the frame is out of range")?;
    let held = door.hold(length).await;
    let mut frame = BytesMut::with_capacity(length.min(64 << 10));
    let mut limited = socket.take(length as u64);
    while frame.len() < length {
        if within(REQUEST_STALL_MS, "the rest of a frame", limited.read_buf(&mut frame)).await?? == 0 {
            return Err("the connection ended within a frame".into());
        }
    }
    Ok(Some((frame.freeze(), held)))
}

/// Writes all, as long as the client takes some of it now and then.
async fn write(socket: &mut Wire, mut bytes: &[u8]) -> ended::Result {
    while !bytes.is_empty() {
        let n = within(ANSWER_STALL_MS, "the client to take its answer", socket.write(bytes)).await??;
        if n == 0 {
            return Err("the connection takes nothing more".into());
        }
        bytes = &bytes[n..];
    }
    Ok(())
}

async fn within<T>(ms: u64, what: &str, future: impl Future<Output = T>) -> ended::Result<T> {
    let result = timeout(Duration::from_millis(ms), future).await;
    result.map_err(|_| format!("waited {ms} ms for {what}").into())
}

/// What ends a connection is only logged: any error will do.
mod ended {
    pub(super) type Result<T = ()> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;
}
