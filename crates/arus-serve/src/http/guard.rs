//! A web page of another site must not reach a server on this machine.
//!
//! The browser names the page in `Origin` and the server that it believes to talk to in `Host`: both must be
//! this machine. That stops requests of foreign pages and DNS rebinding. A plain form cannot send JSON, so a
//! request that changes something must have a JSON content type.

use arus_core::Error;
use arus_core::error::Code;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::Server;
use super::error::HttpError;

pub(super) async fn same_site(State(server): State<Server>, request: Request, next: Next) -> Response {
    let here = server.addresses.http.ip().is_loopback();
    match check(request.method(), request.headers(), here) {
        Ok(()) => next.run(request).await,
        Err(e) => e.into_response(),
    }
}

/// `here`: only this machine can connect. Elsewhere the server asks for passwords, and its name is its certificate's affair.
fn check(method: &Method, headers: &HeaderMap, here: bool) -> Result<(), HttpError> {
    let host = text(headers, header::HOST).unwrap_or_default();
    if here && !is_loopback(host) {
        let e = Error::user(format!("host '{host}' is not this machine"))
            .with_hint("open the server by 127.0.0.1 or localhost");
        return Err(HttpError(StatusCode::FORBIDDEN, e.with_code(Code::PermissionDenied)));
    }
    if let Some(origin) = text(headers, header::ORIGIN) {
        let site = origin.split_once("://").map_or(origin, |(_, site)| site);
        if !site.eq_ignore_ascii_case(host) {
            let e = Error::user(format!("a page of '{origin}' may not reach this server"));
            return Err(HttpError(StatusCode::FORBIDDEN, e.with_code(Code::PermissionDenied)));
        }
    }
    if method != Method::GET && method != Method::HEAD {
        let given = text(headers, header::CONTENT_TYPE).unwrap_or_default();
        let mime = given.split(';').next().unwrap_or_default().trim();
        if !["application/json", "application/x-ndjson"].iter().any(|m| m.eq_ignore_ascii_case(mime)) {
            let found = if given.is_empty() { "none".to_string() } else { format!("'{given}'") };
            let e =
                Error::user(format!("expected content type application/json or application/x-ndjson, found {found}"))
                    .with_hint("add the header 'Content-Type: application/json'");
            return Err(HttpError(StatusCode::UNSUPPORTED_MEDIA_TYPE, e));
        }
    }
    Ok(())
}

fn text(headers: &HeaderMap, name: header::HeaderName) -> Option<&str> {
    headers.get(name).and_then(|v| v.to_str().ok())
}

/// `127.0.0.1:8080`, `localhost`, `[::1]:8080`.
fn is_loopback(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    name.eq_ignore_ascii_case("localhost") || name.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(method: Method, headers: &[(&str, &str)]) -> u16 {
        let headers = headers
            .iter()
            .map(|(k, v)| (k.parse::<header::HeaderName>().expect("name"), v.parse().expect("value")))
            .collect();
        check(&method, &headers, true).map_or_else(|e| e.0.as_u16(), |()| 200)
    }

    #[test]
    fn elsewhere_the_page_has_to_be_the_servers_own() {
        let headers = |origin: &str| {
            let headers = [("host", "db.example:8080"), ("origin", origin)];
            headers
                .map(|(k, v)| (k.parse::<header::HeaderName>().expect("name"), v.parse().expect("value")))
                .into_iter()
                .collect()
        };
        assert!(check(&Method::GET, &headers("https://db.example:8080"), false).is_ok());
        assert!(check(&Method::GET, &headers("https://evil.example"), false).is_err());
        assert!(check(&Method::GET, &headers("https://db.example:8080"), true).is_err());
    }

    #[test]
    fn only_this_machine() {
        let json = ("content-type", "application/json; charset=utf-8");
        assert_eq!(status(Method::GET, &[("host", "127.0.0.1:8080")]), 200);
        assert_eq!(status(Method::GET, &[("host", "[::1]:8080")]), 200);
        assert_eq!(status(Method::GET, &[("host", "evil.example:8080")]), 403);
        assert_eq!(status(Method::GET, &[("host", "127.0.0.1.evil.example")]), 403);
        assert_eq!(status(Method::POST, &[("host", "localhost:1"), json]), 200);
        assert_eq!(status(Method::POST, &[("host", "localhost:1"), ("origin", "http://localhost:1"), json]), 200);
        assert_eq!(status(Method::POST, &[("host", "localhost:1"), ("origin", "http://evil.example"), json]), 403);
        assert_eq!(status(Method::POST, &[("host", "localhost:1"), ("origin", "null"), json]), 403);
        assert_eq!(status(Method::POST, &[("host", "localhost:1"), ("content-type", "text/plain")]), 415);
        assert_eq!(status(Method::POST, &[("host", "localhost:1")]), 415);
    }
}
