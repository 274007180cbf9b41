//! The console's files, embedded. Any other path is a place in the console: it gets the page, which routes itself.

use axum::http::{Method, StatusCode, Uri, header};
use axum::response::{Html, IntoResponse, Response};
use rust_embed::RustEmbed;

#[derive(RustEmbed)]
#[folder = "../../console/dist"]
#[allow_missing = true]
struct Console;

const NOT_BUILT: &str = "<!doctype html><meta charset=utf-8><title>Arus</title>\
    <body style='font:16px/1.5 system-ui;max-width:40rem;margin:4rem auto;padding:0 1rem'>\
    <h1>Arus is running</h1><p>This binary was built without the console. To have it, with Node 20 or newer:</p>\
    <pre>make console\ncargo build --release</pre>\
    <p>Everything else works: <code>/v1/sql</code>, <code>/metrics</code>, and <code>psql</code>.</p></body>";

pub(super) async fn get_asset(method: Method, uri: Uri) -> Response {
    if method != Method::GET && method != Method::HEAD {
        return StatusCode::NOT_FOUND.into_response();
    }
    let path = uri.path().trim_start_matches('/');
    if path.starts_with("v1/") {
        return (StatusCode::NOT_FOUND, "no such address\n").into_response();
    }
    match Console::get(path) {
        Some(file) => {
            // Built names hold a hash of their content.
            let cache = if path.starts_with("assets/") { "public, max-age=31536000, immutable" } else { "no-cache" };
            ([(header::CONTENT_TYPE, mime(path)), (header::CACHE_CONTROL, cache)], file.data).into_response()
        }
        None if path.starts_with("assets/") => StatusCode::NOT_FOUND.into_response(),
        None => match Console::get("index.html") {
            Some(page) => ([(header::CONTENT_TYPE, mime(".html")), (header::CACHE_CONTROL, "no-cache")], page.data)
                .into_response(),
            None => Html(NOT_BUILT).into_response(),
        },
    }
}

fn mime(path: &str) -> &'static str {
    match path.rsplit('.').next().unwrap_or_default() {
        "html" => "text/html; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "svg" => "image/svg+xml",
        "woff2" => "font/woff2",
        "png" => "image/png",
        "json" | "webmanifest" => "application/json",
        _ => "application/octet-stream",
    }
}
