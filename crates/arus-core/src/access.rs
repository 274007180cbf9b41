//! Who comes in by a door.
//!
//! A door has a [`Gate`] and nothing else: it gets the [`Platform`] of somebody, once the gate knows who that is, and that
//! platform asks for every table whether this user may. A new door cannot forget it.

use std::net::IpAddr;
use std::sync::Arc;

use async_trait::async_trait;

use crate::error::Result;
use crate::platform::Platform;

/// Where somebody comes from: for the log, and for slowing down whoever guesses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Caller {
    /// `postgres`, `http`, `kafka`.
    pub door: &'static str,
    pub peer: IpAddr,
}

/// The way in.
#[async_trait]
pub trait Gate: Send + Sync {
    /// Whether passwords are asked for: as soon as there is a user, and always where others than this machine may connect.
    fn asks(&self) -> bool;

    /// Without a word of who it is: an error where that is asked.
    fn enter(&self, caller: Caller) -> Result<Arc<dyn Platform>>;

    /// With a password that has come as it is.
    async fn enter_with_password(&self, caller: Caller, user: &str, password: &str) -> Result<Arc<dyn Platform>>;

    /// SCRAM-SHA-256 (RFC 7677), from the client's first message on. `user` is who it is where the protocol has said so before.
    /// An unknown user gets an answer like any other.
    fn begin_scram(&self, caller: Caller, user: Option<&str>, client_first: &str) -> Result<Box<dyn Scram>>;

    /// A token for whoever has come in with a password.
    async fn issue_token(&self, caller: Caller, user: &str, password: &str) -> Result<String>;

    /// With a token that was issued.
    fn enter_with_token(&self, caller: Caller, token: &str) -> Result<Arc<dyn Platform>>;

    /// The token is worth nothing from now on.
    fn revoke_token(&self, token: &str);

    /// Whether recovery is over and rows are taken: no secret.
    fn ready(&self) -> bool;

    /// What the operator should know; a sentence each.
    fn warnings(&self) -> Vec<String>;
}

/// The second half of an exchange.
#[async_trait]
pub trait Scram: Send + Sync {
    /// What the client gets now.
    fn server_first(&self) -> &str;

    /// The proof, and what the client gets for it: the server's own.
    async fn finish(&self, client_final: &str) -> Result<(String, Arc<dyn Platform>)>;
}
