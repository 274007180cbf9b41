//! The way in: from a password, a SCRAM exchange or a token to the platform of one user.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::Ordering::Relaxed;

use arus_access::{ADMIN, Attempt, ClientFirst, Exchange, random_password};
use arus_core::access::{Caller, Gate, Scram};
use arus_core::error::Code;
use arus_core::platform::Platform;
use arus_core::{Error, Result};
use async_trait::async_trait;

use crate::access::{Login, Who, unknown};
use crate::engine::Engine;
use crate::platform::EnginePlatform;

pub(crate) struct EngineGate(Arc<Engine>);

impl Engine {
    pub fn gate(self: &Arc<Self>) -> Arc<dyn Gate> {
        Arc::new(EngineGate(self.clone()))
    }

    /// Makes the user `admin` with a password that nobody knows yet, which is the answer. `None`: there are users, and `again` does
    /// not say to make another password for this one.
    pub async fn make_admin(self: &Arc<Self>, again: bool) -> Result<Option<String>> {
        if !self.shared.access.directory().is_empty() && !again {
            return Ok(None);
        }
        let password = random_password()?;
        self.shared
            .change_access(|directory| {
                match directory.user(ADMIN) {
                    None => directory.create_user(ADMIN, &password, None).map(drop)?,
                    Some(_) => directory.alter_user(ADMIN, Some(&password), Some(None))?,
                }
                directory.grant_role(ADMIN, ADMIN)
            })
            .await?;
        Ok(Some(password))
    }

    fn platform_of(self: &Arc<Self>, who: Who) -> Arc<dyn Platform> {
        Arc::new(EnginePlatform { engine: self.clone(), who })
    }
}

impl EngineGate {
    async fn log_in(&self, caller: Caller, user: &str, password: &str) -> Result<Who> {
        let shared = &self.0.shared;
        let attempt = shared.attempt(caller, user)?;
        let directory = shared.access.directory();
        let generation = directory.user(user).map(|u| u.generation);
        let recent = &shared.access.recent;
        if generation.is_some_and(|generation| recent.knows(user, generation, password)) {
            return shared.judge(attempt, caller, user, true);
        }
        let verifier = directory.verifier(user)?;
        let text = password.to_string();
        // Thousands of rounds of hashing hold up no other connection.
        let fits = tokio::task::spawn_blocking(move || verifier.fits(&text)).await;
        let fits = fits.map_err(|e| Error::bug(format!("the check of a password has panicked: {e}")))?;
        if let Some(generation) = generation.filter(|_| fits) {
            recent.note(user, generation, password);
        }
        shared.judge(attempt, caller, user, fits)
    }
}

#[async_trait]
impl Gate for EngineGate {
    fn asks(&self) -> bool {
        self.0.shared.access.asks()
    }

    fn enter(&self, caller: Caller) -> Result<Arc<dyn Platform>> {
        if self.asks() {
            return Err(unknown());
        }
        Ok(self.0.platform_of(Who::Client { caller, login: None }))
    }

    async fn enter_with_password(&self, caller: Caller, user: &str, password: &str) -> Result<Arc<dyn Platform>> {
        if !self.asks() {
            return self.enter(caller);
        }
        self.log_in(caller, user, password).await.map(|who| self.0.platform_of(who))
    }

    fn begin_scram(&self, caller: Caller, user: Option<&str>, client_first: &str) -> Result<Box<dyn Scram>> {
        let client = ClientFirst::parse(client_first)?;
        let user = user.map_or_else(|| client.user.clone(), str::to_string);
        let attempt = self.0.shared.attempt(caller, &user)?;
        let verifier = self.0.shared.access.directory().verifier(&user)?;
        let exchange = Exchange::begin(verifier, client)?;
        let attempt = Mutex::new(Some(attempt));
        Ok(Box::new(EngineScram { engine: self.0.clone(), caller, user, exchange, attempt }))
    }

    async fn issue_token(&self, caller: Caller, user: &str, password: &str) -> Result<String> {
        if !self.asks() {
            return Err(Error::user("this server has no users").with_hint("CREATE USER makes the first one"));
        }
        self.log_in(caller, user, password).await?;
        let shared = &self.0.shared;
        let generation = shared.access.directory().user(user).map(|u| u.generation);
        let generation = generation.ok_or_else(unknown)?;
        shared.access.tokens.issue(user, generation, shared.config.clock.now_ms())
    }

    fn enter_with_token(&self, caller: Caller, token: &str) -> Result<Arc<dyn Platform>> {
        let shared = &self.0.shared;
        let now_ms = shared.config.clock.now_ms();
        let directory = shared.access.directory();
        let found = shared.access.tokens.find(token, now_ms).and_then(|(user, generation)| {
            let found = directory.user(&user).filter(|u| u.generation == generation && u.is_valid(now_ms))?;
            Some(Login { user: user.as_str().into(), id: found.id })
        });
        let login = found.ok_or_else(|| {
            let Caller { door, peer } = caller;
            tracing::debug!(door, %peer, "a token is unknown or has ended");
            Error::user("the login has ended").with_code(Code::NotAuthenticated).with_hint("log in again")
        })?;
        Ok(self.0.platform_of(Who::Client { caller, login: Some(login) }))
    }

    fn revoke_token(&self, token: &str) {
        self.0.shared.access.tokens.revoke(token);
    }

    fn ready(&self) -> bool {
        self.0.shared.ready.load(Relaxed)
    }

    fn warnings(&self) -> Vec<String> {
        // They name files and tables.
        if self.asks() { vec![] } else { self.0.shared.warnings() }
    }
}

struct EngineScram {
    engine: Arc<Engine>,
    caller: Caller,
    user: String,
    exchange: Exchange,
    attempt: Mutex<Option<Attempt>>,
}

#[async_trait]
impl Scram for EngineScram {
    fn server_first(&self) -> &str {
        self.exchange.server_first()
    }

    async fn finish(&self, client_final: &str) -> Result<(String, Arc<dyn Platform>)> {
        let attempt = self.attempt.lock().expect("no holder of this lock panics").take();
        let attempt = attempt.ok_or_else(|| Error::user("the login has ended").with_code(Code::NotAuthenticated))?;
        let proof = self.exchange.finish(client_final)?;
        let who = self.engine.shared.judge(attempt, self.caller, &self.user, proof.is_some())?;
        let proof = proof.ok_or_else(|| Error::bug("a login without a proof"))?;
        Ok((proof, self.engine.platform_of(who)))
    }
}
