//! Tokens of logins: what a browser's cookie or an `Authorization: Bearer` header holds.
//!
//! Only their digests are here, in memory alone: a restart ends all logins. A token is of one password: it ends with the
//! user, with another password, and with its time.

use std::collections::HashMap;
use std::sync::Mutex;

use arus_core::Result;
use arus_core::limits::{TOKEN_MS, TOKENS};

use crate::random::random_token;
use crate::scram::sha256;

#[derive(Debug, Clone)]
struct Login {
    user: String,
    /// Of the user's password.
    generation: u64,
    until_ms: i64,
}

#[derive(Debug, Default)]
pub struct Tokens(Mutex<HashMap<[u8; 32], Login>>);

impl Tokens {
    pub fn issue(&self, user: &str, generation: u64, now_ms: i64) -> Result<String> {
        let token = random_token()?;
        let mut logins = self.0.lock().expect("no holder of this lock panics");
        logins.retain(|_, login| login.until_ms > now_ms);
        while logins.len() >= TOKENS {
            let Some(oldest) = logins.iter().min_by_key(|(_, l)| l.until_ms).map(|(digest, _)| *digest) else { break };
            logins.remove(&oldest);
        }
        let login = Login { user: user.into(), generation, until_ms: now_ms + TOKEN_MS };
        logins.insert(sha256(token.as_bytes()), login);
        Ok(token)
    }

    /// The user that it was issued to, and of which password.
    pub fn find(&self, token: &str, now_ms: i64) -> Option<(String, u64)> {
        let logins = self.0.lock().expect("no holder of this lock panics");
        let login = logins.get(&sha256(token.as_bytes())).filter(|login| login.until_ms > now_ms)?;
        Some((login.user.clone(), login.generation))
    }

    pub fn revoke(&self, token: &str) {
        self.0.lock().expect("no holder of this lock panics").remove(&sha256(token.as_bytes()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_ends() {
        let tokens = Tokens::default();
        let token = tokens.issue("ann", 3, 1_000).unwrap();
        assert_eq!(tokens.find(&token, 2_000), Some(("ann".into(), 3)));
        assert_eq!(tokens.find(&token, 1_000 + TOKEN_MS), None);
        assert_eq!(tokens.find("", 2_000), None);
        tokens.revoke(&token);
        assert_eq!(tokens.find(&token, 2_000), None);
    }
}
