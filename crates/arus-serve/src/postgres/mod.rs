//! The Postgres wire protocol: ordinary clients and BI tools read tables, and every statement runs.
//!
//! One [`Connection`] holds one [`Session`]. A text with several statements is cut by the session's own lexer;
//! psql cuts a STATEMENT SET at its inner semicolons, so an incomplete statement waits for its END.

mod client_settings;
mod connection;
mod encode;
mod error;

use std::sync::Arc;

use arus_core::limits::DOOR_CONNECTIONS;
use arus_core::platform::Platform;
use pgwire::api::ConnectionManager;
use pgwire::tokio::process_socket;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

const SERVER_VERSION: &str = "15.0 (Arus)";

/// Accepts connections for ever.
pub(crate) async fn serve(listener: TcpListener, platform: Arc<dyn Platform>) {
    let connections = Arc::new(Semaphore::new(DOOR_CONNECTIONS));
    let manager = Arc::new(ConnectionManager::new());
    loop {
        let Ok(permit) = connections.clone().acquire_owned().await else { return };
        match listener.accept().await {
            Ok((socket, peer)) => {
                let handlers = connection::Handlers::new(platform.clone(), manager.clone());
                tokio::spawn(async move {
                    let _permit = permit;
                    if let Err(e) = process_socket(socket, None, handlers).await {
                        tracing::debug!("postgres connection of {peer} ended: {e}");
                    }
                });
            }
            Err(e) => {
                tracing::warn!("postgres door cannot accept: {e}");
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            }
        }
    }
}
