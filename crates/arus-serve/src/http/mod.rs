//! HTTP: rows in, SQL, changes by server-sent events, health, metrics, and the console.

mod apply;
mod assets;
mod backup;
mod body;
mod changes;
mod connection;
mod console;
mod dashboards;
mod error;
mod guard;
mod rows;
mod sql;
mod thin;
mod visitor;
mod watch;

use std::sync::Arc;

use arus_core::access::Gate;
use arus_core::catalog::{DEFAULT_DATABASE, ObjectPath};
use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::middleware;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use tokio::net::TcpListener;
use tower_http::decompression::RequestDecompressionLayer;

use self::connection::{Activity, HttpListener};
use self::error::HttpError;
use self::visitor::{Visitor, delete_session, get_session, post_session};
use crate::Addresses;
use crate::door::{Door, DoorContext};
use crate::tls::Tls;

#[derive(Clone)]
struct Server {
    /// The only way to a platform: see [`visitor::Visitor`].
    gate: Arc<dyn Gate>,
    addresses: Addresses,
    tls: Option<Tls>,
    door: Door,
}

pub(crate) async fn serve(listener: TcpListener, context: DoorContext) {
    let door = context.door("http");
    let tls = context.tls.clone();
    let server = Server { gate: context.gate, addresses: context.addresses, tls: tls.clone(), door: door.clone() };
    let service = router(server).into_make_service_with_connect_info::<Activity>();
    if let Err(e) = axum::serve(HttpListener { listener, door, tls }, service).await {
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
        .route("/v1/console/watch", post(watch::post_watch))
        .route("/v1/console/server", get(console::get_server))
        .route("/v1/console/tables/{name}/newest", get(console::get_newest))
        .route("/v1/console/dashboards", get(dashboards::get_dashboards))
        .route("/v1/console/dashboards/{name}", get(dashboards::get_dashboard))
        .route(
            "/v1/console/dashboards/{name}/file",
            get(dashboards::get_file).put(dashboards::put_file).delete(dashboards::delete_file),
        )
        .route("/v1/session", get(get_session).post(post_session).delete(delete_session))
        .route("/healthz", get(health))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .fallback(assets::get_asset)
        .layer(RequestDecompressionLayer::new())
        .layer(middleware::from_fn_with_state(server.clone(), guard::same_site))
        .layer(middleware::from_fn(connection::busy))
        .with_state(server)
}

/// `ok`, and a line for each thing that the operator should know.
async fn health(State(server): State<Server>) -> String {
    let warnings = server.gate.warnings();
    std::iter::once("ok\n".to_string()).chain(warnings.iter().map(|w| format!("warning: {w}\n"))).collect()
}

async fn ready(State(server): State<Server>) -> Response {
    if server.gate.ready() {
        "ready\n".into_response()
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "recovering\n").into_response()
    }
}

async fn metrics(Visitor(platform): Visitor) -> Result<Response, HttpError> {
    let text = platform.metrics()?;
    Ok(([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response())
}

/// `t` or `database.t`.
fn table_path(name: &str) -> ObjectPath {
    match name.split_once('.') {
        Some((database, table)) => ObjectPath::new(database, table),
        None => ObjectPath::new(DEFAULT_DATABASE, name),
    }
}
