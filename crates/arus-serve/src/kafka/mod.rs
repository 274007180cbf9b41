//! The Kafka protocol, as far as producers with acks and consumers without a group need it.
//!
//! Requests of a connection are answered one after another, as Kafka does. Only versions that are listed in
//! [`api::APIS`] are spoken; anything else closes the connection, but for ApiVersions, which always answers.

mod api;
mod errors;
mod fetch;
mod list_offsets;
mod metadata;
mod produce;

use std::net::SocketAddr;
use std::sync::Arc;

use arus_core::limits::{DOOR_CONNECTIONS, KAFKA_FRAME_BYTES};
use arus_core::platform::{LogDoor, Platform};
use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

/// What a handler may use.
struct Broker {
    log: Arc<dyn LogDoor>,
    /// What metadata tells clients to connect to.
    address: SocketAddr,
}

pub(crate) async fn serve(listener: TcpListener, platform: Arc<dyn Platform>, address: SocketAddr) {
    let broker = Arc::new(Broker { log: platform.log(), address });
    let connections = Arc::new(Semaphore::new(DOOR_CONNECTIONS));
    loop {
        let Ok(permit) = connections.clone().acquire_owned().await else { return };
        match listener.accept().await {
            Ok((socket, peer)) => {
                let broker = broker.clone();
                tokio::spawn(async move {
                    let _permit = permit;
                    if let Err(e) = connection(socket, &broker).await {
                        tracing::debug!("kafka connection of {peer} ended: {e}");
                    }
                });
            }
            Err(e) => {
                tracing::warn!("kafka door cannot accept: {e}");
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            }
        }
    }
}

async fn connection(mut socket: TcpStream, broker: &Broker) -> ended::Result {
    socket.set_nodelay(true)?;
    while let Some(frame) = read_frame(&mut socket).await? {
        if let Some(response) = api::answer(broker, frame).await? {
            let length = i32::try_from(response.len()).map_err(|_| "the response is too long")?;
            socket.write_all(&length.to_be_bytes()).await?;
            socket.write_all(&response).await?;
        }
    }
    Ok(())
}

/// `None` at the end of the connection. Memory grows with what has arrived, not with what the length claims.
async fn read_frame(socket: &mut TcpStream) -> ended::Result<Option<Bytes>> {
    let length = match socket.read_i32().await {
        Ok(length) => length,
        Err(e) if e.kind() == std::io::ErrorKind::UnexpectedEof => return Ok(None),
        Err(e) => return Err(e.into()),
    };
    let length = usize::try_from(length).ok().filter(|n| *n <= KAFKA_FRAME_BYTES);
    let length = length.ok_or("the length of the frame is out of range")?;
    let mut frame = BytesMut::with_capacity(length.min(64 << 10));
    let mut limited = socket.take(length as u64);
    while frame.len() < length {
        if limited.read_buf(&mut frame).await? == 0 {
            return Err("the connection ended within a frame".into());
        }
    }
    Ok(Some(frame.freeze()))
}

/// What ends a connection is only logged: any error will do.
mod ended {
    pub(super) type Result<T = ()> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;
}
