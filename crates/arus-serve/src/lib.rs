//! The doors: Postgres wire, HTTP with the console, Kafka.
//!
//! A door knows the engine only by the traits of [`arus_core::platform`]. Sockets and async live here; every
//! limit of a door is in [`arus_core::limits`].

mod door;
mod http;
mod json;
mod kafka;
mod postgres;
mod tls;
mod trace;

use std::net::SocketAddr;

use futures::future::BoxFuture;
use tokio::net::TcpListener;

pub use door::DoorContext;
pub use tls::Tls;

/// Where the doors of this server are, for the pages that name them.
#[derive(Debug, Clone, Copy)]
pub struct Addresses {
    pub http: SocketAddr,
    pub postgres: SocketAddr,
    pub kafka: SocketAddr,
}

/// A door: its names, its default port, and the future that serves it for ever.
pub struct Endpoint {
    /// `http`: of `--http-port`.
    pub name: &'static str,
    /// For the flag: `--http-port`.
    pub flag: &'static str,
    pub port: u16,
    pub serve: fn(TcpListener, DoorContext) -> BoxFuture<'static, ()>,
}

/// Adding a door is a folder and a line.
pub const ENDPOINTS: &[Endpoint] = &[
    Endpoint {
        name: "http",
        flag: "--http-port",
        port: 8080,
        serve: |listener, context| Box::pin(http::serve(listener, context)),
    },
    Endpoint {
        name: "postgres",
        flag: "--pg-port",
        port: 5432,
        serve: |listener, context| Box::pin(postgres::serve(listener, context)),
    },
    Endpoint {
        name: "kafka",
        flag: "--kafka-port",
        port: 9092,
        serve: |listener, context| Box::pin(kafka::serve(listener, context)),
    },
];
