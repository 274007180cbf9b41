//! The Postgres wire protocol: ordinary clients and BI tools read tables, and every statement runs.
//!
//! One [`Connection`] holds one [`Session`]. A text with several statements is cut by the session's own lexer;
//! psql cuts a STATEMENT SET at its inner semicolons, so an incomplete statement waits for its END.

mod connection;
mod copy;
mod cursor;
mod departure;
mod encode;
mod error;
mod lexer;
mod params;
mod prepared;
mod progress;
mod session;
mod settings;
mod startup;
mod statement;
mod types;
mod value;
mod wire;

use std::sync::Arc;

use pgwire::api::ConnectionManager;
use tokio::net::TcpListener;
use tokio::time::timeout;

use crate::door::{Arrival, DoorContext, REFUSAL};

/// Accepts connections for ever.
pub(crate) async fn serve(listener: TcpListener, context: DoorContext) {
    let door = context.door("postgres");
    let manager = Arc::new(ConnectionManager::new());
    loop {
        let (socket, peer, arrival) = door.accept(&listener).await;
        match arrival {
            Arrival::Welcome(permit) => {
                let acceptor = context.tls.as_ref().map(|tls| tls.acceptor(b"postgresql"));
                let handlers = connection::Handlers::new(context.gate.clone(), manager.clone(), acceptor.is_some());
                let door = door.clone();
                tokio::spawn(async move {
                    let _permit = permit;
                    if let Err(e) = wire::serve(socket, acceptor, handlers, &door).await {
                        tracing::debug!("postgres connection of {peer} ended: {e}");
                    }
                });
            }
            Arrival::Refused(permit) => {
                let message = door.too_many();
                tokio::spawn(async move {
                    let _permit = permit;
                    if !timeout(REFUSAL, wire::refuse(socket, &message)).await.is_ok_and(|told| told.is_ok()) {
                        tracing::debug!("{peer} went before it was refused");
                    }
                });
            }
        }
    }
}
