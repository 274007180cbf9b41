//! The Kafka protocol.

use std::net::SocketAddr;
use std::sync::Arc;

use arus_core::platform::Platform;
use tokio::net::TcpListener;

pub(crate) async fn serve(_listener: TcpListener, _platform: Arc<dyn Platform>, _address: SocketAddr) {}
