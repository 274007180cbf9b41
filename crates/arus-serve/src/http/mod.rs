//! HTTP: rows in, SQL, changes by server-sent events, health, metrics, and the console.

mod apply;
mod assets;
mod backup;
mod body;
mod changes;
mod connection;
mod console;
mod error;
mod guard;
mod rows;
mod sql;

use std::sync::Arc;

use arus_core::catalog::{DEFAULT_DATABASE, ObjectPath};
use arus_core::platform::Platform;
use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::middleware;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use tokio::net::TcpListener;
use tower_http::decompression::RequestDecompressionLayer;

use self::connection::{Activity, HttpListener};
use crate::Addresses;
use crate::door::{Door, DoorContext};

#[derive(Clone)]
struct Server {
    platform: Arc<dyn Platform>,
    addresses: Addresses,
    door: Door,
}

pub(crate) async fn serve(listener: TcpListener, context: DoorContext) {
    let door = context.door("http");
    let server = Server { platform: context.platform, addresses: context.addresses, door: door.clone() };
    let service = router(server).into_make_service_with_connect_info::<Activity>();
    if let Err(e) = axum::serve(HttpListener { listener, door }, service).await {
        tracing::error!("http door ended: {e}");
    }
}

fn router(server: Server) -> Router {
    Router::new()
        .route("/v1/tables/{name}/rows", post(rows::post_rows))
        .route("/v1/tables/{name}/changes", get(changes::get_changes))
        .route("/v1/sql", post(sql::post_sql))
        .route("/v1/apply", post(apply::post_apply))
        .route("/v1/backup", post(backup::post_backup))
        .route("/v1/complete", post(sql::post_complete))
        .route("/v1/console/events", get(console::get_events))
        .route("/v1/console/query", post(console::post_query))
        .route("/v1/console/server", get(console::get_server))
        .route("/v1/console/tables/{name}/newest", get(console::get_newest))
        .route("/v1/console/dashboards", get(console::get_dashboards))
        .route("/v1/console/dashboards/{name}", get(console::get_dashboard))
        .route("/healthz", get(health))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .fallback(assets::get_asset)
        .layer(RequestDecompressionLayer::new())
        .layer(middleware::from_fn(guard::same_machine))
        .layer(middleware::from_fn(connection::busy))
        .with_state(server)
}

/// `ok`, and a line for each thing that the operator should know.
async fn health(State(server): State<Server>) -> String {
    let warnings = server.platform.warnings();
    std::iter::once("ok\n".to_string()).chain(warnings.iter().map(|w| format!("warning: {w}\n"))).collect()
}

async fn ready(State(server): State<Server>) -> Response {
    if server.platform.ready() {
        "ready\n".into_response()
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "recovering\n").into_response()
    }
}

async fn metrics(State(server): State<Server>) -> Response {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], server.platform.metrics()).into_response()
}

/// `t` or `database.t`.
fn table_path(name: &str) -> ObjectPath {
    match name.split_once('.') {
        Some((database, table)) => ObjectPath::new(database, table),
        None => ObjectPath::new(DEFAULT_DATABASE, name),
    }
}
