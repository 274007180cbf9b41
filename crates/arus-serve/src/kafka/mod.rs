//! The Kafka protocol, as far as producers with acks and consumers without a group need it.
//!
//! Requests of a connection are answered one after another, as Kafka does. Only versions that are listed in
//! [`api::APIS`] are spoken; anything else closes the connection, but for ApiVersions, which always answers.

mod api;
mod errors;
mod fetch;
mod init_producer_id;
mod list_offsets;
mod metadata;
mod produce;

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use arus_core::limits::{ANSWER_STALL_MS, IDLE_MS, KAFKA_FRAME_BYTES, REQUEST_STALL_MS};
use arus_core::platform::LogDoor;
use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use crate::door::{Arrival, Door, DoorContext, Held};

/// What a handler may use.
struct Broker {
    log: Arc<dyn LogDoor>,
    /// What metadata tells clients to connect to.
    address: SocketAddr,
    door: Door,
}

pub(crate) async fn serve(listener: TcpListener, context: DoorContext) {
    let door = context.door("kafka");
    let address = context.addresses.kafka;
    let broker = Arc::new(Broker { log: context.platform.log(), address, door: door.clone() });
    loop {
        let (socket, peer, arrival) = door.accept(&listener).await;
        // The protocol has no word for a refusal: like Kafka's broker it closes.
        let Arrival::Welcome(permit) = arrival else { continue };
        let broker = broker.clone();
        tokio::spawn(async move {
            let _permit = permit;
            if let Err(e) = connection(socket, &broker).await {
                tracing::debug!("kafka connection of {peer} ended: {e}");
            }
        });
    }
}

async fn connection(mut socket: TcpStream, broker: &Broker) -> ended::Result {
    while let Some((frame, held)) = read_frame(&mut socket, &broker.door).await? {
        let answer = api::answer(broker, frame, &socket).await?;
        drop(held);
        if let Some(bytes) = answer.bytes {
            let length = i32::try_from(bytes.len()).map_err(|_| "the response is too long")?;
            write(&mut socket, &length.to_be_bytes()).await?;
            write(&mut socket, &bytes).await?;
        }
        drop(answer.held);
        // The client was asked to hold back; one that does not is not read either.
        if answer.throttle_ms > 0 {
            tokio::time::sleep(Duration::from_millis(u64::from(answer.throttle_ms))).await;
        }
    }
    Ok(())
}

/// `None` at the end of the connection. The frame is read when the door has room for it, and memory grows with what has
/// arrived, not with what the length claims.
async fn read_frame(socket: &mut TcpStream, door: &Door) -> ended::Result<Option<(Bytes, Held)>> {
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
async fn write(socket: &mut TcpStream, mut bytes: &[u8]) -> ended::Result {
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
