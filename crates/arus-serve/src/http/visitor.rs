//! Who sends a request: a password by HTTP Basic, a token by `Authorization: Bearer`, or the console's cookie.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use arus_core::access::Caller;
use arus_core::error::Code;
use arus_core::limits::{PASSWORD_BYTES, TOKEN_MS};
use arus_core::platform::Platform;
use arus_core::{Error, ErrorKind};
use axum::Json;
use axum::extract::{ConnectInfo, FromRequestParts, State};
use axum::http::header::{AUTHORIZATION, COOKIE, SET_COOKIE, WWW_AUTHENTICATE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Server;
use super::body::Body;
use super::connection::Activity;
use super::error::HttpError;

const SESSION: &str = "arus_session";

/// The platform of whoever sends the request. Every handler that reads or writes takes it, since there is no other way to one.
pub(super) struct Visitor(pub(super) Arc<dyn Platform>);

/// Where the request comes from.
pub(super) struct From(pub(super) Caller);

impl FromRequestParts<Server> for From {
    type Rejection = HttpError;

    async fn from_request_parts(parts: &mut Parts, _server: &Server) -> Result<Self, HttpError> {
        let peer = parts.extensions.get::<ConnectInfo<Activity>>().map(|ConnectInfo(activity)| activity.peer);
        Ok(From(Caller { door: "http", peer: peer.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED)) }))
    }
}

impl FromRequestParts<Server> for Visitor {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, server: &Server) -> Result<Self, Response> {
        let From(caller) = From::from_request_parts(parts, server).await.map_err(IntoResponse::into_response)?;
        let platform = enter(server, caller, &parts.headers).await;
        platform.map(Visitor).map_err(|e| {
            let by_script = parts.headers.contains_key("sec-fetch-mode");
            let mut response = HttpError::from(e).into_response();
            // A browser would open a window of its own: the console has a page.
            if response.status() == StatusCode::UNAUTHORIZED && !by_script {
                let basic = HeaderValue::from_static("Basic realm=\"Arus\", charset=\"UTF-8\"");
                response.headers_mut().insert(WWW_AUTHENTICATE, basic);
            }
            response
        })
    }
}

async fn enter(server: &Server, caller: Caller, headers: &HeaderMap) -> Result<Arc<dyn Platform>, Error> {
    let gate = &server.gate;
    if !gate.asks() {
        return gate.enter(caller);
    }
    if let Some(given) = headers.get(AUTHORIZATION) {
        let malformed = || {
            Error::user("the Authorization header cannot be read")
                .with_code(Code::NotAuthenticated)
                .with_hint("expected 'Basic' with user:password in base64, or 'Bearer' with a token")
        };
        let (scheme, value) = given.to_str().ok().and_then(|v| v.split_once(' ')).ok_or_else(malformed)?;
        if scheme.eq_ignore_ascii_case("bearer") {
            return gate.enter_with_token(caller, value.trim());
        }
        if !scheme.eq_ignore_ascii_case("basic") || value.len() > 4 * PASSWORD_BYTES {
            return Err(malformed());
        }
        let decoded = STANDARD.decode(value.trim()).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        let (user, password) = decoded.as_deref().and_then(|text| text.split_once(':')).ok_or_else(malformed)?;
        return gate.enter_with_password(caller, user, password).await;
    }
    match cookie(headers) {
        Some(token) => gate.enter_with_token(caller, token),
        None => gate.enter(caller),
    }
}

fn cookie(headers: &HeaderMap) -> Option<&str> {
    let cookies = headers.get_all(COOKIE).iter().filter_map(|v| v.to_str().ok()).flat_map(|v| v.split(';'));
    cookies.filter_map(|pair| pair.trim().split_once('=')).find(|(name, _)| *name == SESSION).map(|(_, token)| token)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LoginRequest {
    user: String,
    password: String,
    /// A token in the answer instead of a cookie: for programs.
    #[serde(default)]
    token: bool,
}

/// `POST /v1/session` `{"user":"..","password":".."}`: the console's login.
pub(super) async fn post_session(
    State(server): State<Server>,
    From(caller): From,
    request: Body,
) -> Result<Response, HttpError> {
    // What is wrong with the text may quote it.
    let request: LoginRequest = serde_json::from_slice(&request.bytes)
        .map_err(|_| Error::user("expected {\"user\": \"..\", \"password\": \"..\"}").with_code(Code::InvalidValue))?;
    let token = server.gate.issue_token(caller, &request.user, &request.password).await?;
    if request.token {
        let seconds = TOKEN_MS / 1_000;
        return Ok(Json(json!({"user": request.user, "token": token, "expires_in": seconds})).into_response());
    }
    let mut response = Json(json!({"user": request.user})).into_response();
    response.headers_mut().insert(SET_COOKIE, set_cookie(&server, &token, TOKEN_MS / 1_000)?);
    Ok(response)
}

/// `GET /v1/session`: who this is; `null` where nobody is asked.
pub(super) async fn get_session(Visitor(platform): Visitor) -> Json<Value> {
    Json(json!({"user": platform.user()}))
}

/// `DELETE /v1/session`: the token of the request is worth nothing from now on.
pub(super) async fn delete_session(State(server): State<Server>, headers: HeaderMap) -> Result<Response, HttpError> {
    let bearer = headers.get(AUTHORIZATION).and_then(|v| v.to_str().ok()).and_then(|v| v.strip_prefix("Bearer "));
    for token in bearer.into_iter().chain(cookie(&headers)) {
        server.gate.revoke_token(token.trim());
    }
    let mut response = Json(json!({"user": null})).into_response();
    response.headers_mut().insert(SET_COOKIE, set_cookie(&server, "", 0)?);
    Ok(response)
}

/// Not for scripts of the page, not for requests of other sites, and with TLS not without it.
fn set_cookie(server: &Server, token: &str, seconds: i64) -> Result<HeaderValue, Error> {
    let secure = if server.tls.is_some() { "; Secure" } else { "" };
    let text = format!("{SESSION}={token}; Path=/; HttpOnly; SameSite=Strict; Max-Age={seconds}{secure}");
    HeaderValue::from_str(&text).map_err(|e| Error::new(ErrorKind::Bug, format!("a cookie: {e}")))
}
