//! Who a Postgres client is: SCRAM-SHA-256 where passwords are asked for. Until it is known its session refuses everything.

use std::collections::HashMap;
use std::fmt::Debug;
use std::sync::{Arc, LazyLock};

use arrow::datatypes::DataType;
use arus_core::access::{Caller, Gate, Scram};
use arus_core::error::Code;
use arus_core::platform::{Param, Platform, Session, StatementOutput, StatementShape, StreamEvent, Suggestions};
use arus_core::{Error, Result, RowSchema};
use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{Sink, SinkExt};
use pgwire::api::auth::{
    DefaultServerParameterProvider, ServerParameterProvider, StartupHandler, finish_authentication,
    protocol_negotiation, save_startup_parameters_to_metadata,
};
use pgwire::api::{
    ClientInfo, ConnectionGuard, ConnectionHandle, ConnectionManager, METADATA_USER, PgWireConnectionState,
    PidSecretKeyGenerator, RandomPidSecretKeyGenerator,
};
use pgwire::error::{ErrorInfo, PgWireError, PgWireResult};
use pgwire::messages::startup::Authentication;
use pgwire::messages::{PgWireBackendMessage, PgWireFrontendMessage};
use tokio::sync::Mutex;

use super::session::State;

const MECHANISM: &str = "SCRAM-SHA-256";

static IDS: LazyLock<RandomPidSecretKeyGenerator> = LazyLock::new(RandomPidSecretKeyGenerator::default);

pub(super) struct Startup {
    gate: Arc<dyn Gate>,
    state: Arc<Mutex<State>>,
    manager: Arc<ConnectionManager>,
    /// Others than this machine may connect: nothing goes over the wire in the clear.
    only_tls: bool,
    exchange: Mutex<Option<Box<dyn Scram>>>,
}

impl Startup {
    pub(super) fn new(
        gate: Arc<dyn Gate>,
        state: Arc<Mutex<State>>,
        manager: Arc<ConnectionManager>,
        only_tls: bool,
    ) -> Self {
        Startup { gate, state, manager, only_tls, exchange: Mutex::new(None) }
    }

    /// The client is in.
    async fn welcome<C>(&self, client: &mut C, platform: Arc<dyn Platform>) -> PgWireResult<()>
    where
        C: ClientInfo + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        C::Error: Debug,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        let told = {
            let mut state = self.state.lock().await;
            state.enter(platform);
            state.start(client.metadata());
            Told(state.parameters())
        };
        let (id, key) = IDS.generate(client);
        client.set_pid_and_secret_key(id, key.clone());
        let (handle, guard) = self.manager.register(id, key);
        client.session_extensions().insert::<Arc<ConnectionHandle>>(handle);
        client.session_extensions().insert::<ConnectionGuard>(guard);
        finish_authentication(client, &told).await
    }

    async fn begin<C>(&self, client: &mut C) -> PgWireResult<()>
    where
        C: ClientInfo + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        C::Error: Debug,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        if self.only_tls && !client.is_secure() {
            let e = Error::user("this server takes connections with TLS alone").with_code(Code::NotAuthenticated);
            return Err(fatal(&e.with_hint("connect with sslmode=verify-full")));
        }
        if !self.gate.asks() {
            let platform = self.gate.enter(caller(client)).map_err(|e| fatal(&e))?;
            return self.welcome(client, platform).await;
        }
        client.set_state(PgWireConnectionState::AuthenticationInProgress);
        let offer = Authentication::SASL(vec![MECHANISM.into()]);
        client.send(PgWireBackendMessage::Authentication(offer)).await?;
        Ok(())
    }
}

/// What the server says of itself: pgwire's own words, and ours where they differ.
struct Told(Vec<(&'static str, String)>);

impl ServerParameterProvider for Told {
    fn server_parameters<C: ClientInfo>(&self, client: &C) -> Option<HashMap<String, String>> {
        let mut told = DefaultServerParameterProvider::default().server_parameters(client)?;
        told.extend(self.0.iter().map(|(name, value)| ((*name).to_string(), value.clone())));
        Some(told)
    }
}

#[async_trait]
impl StartupHandler for Startup {
    async fn on_startup<C>(&self, client: &mut C, message: PgWireFrontendMessage) -> PgWireResult<()>
    where
        C: ClientInfo + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        C::Error: Debug,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        match message {
            PgWireFrontendMessage::Startup(startup)
                if matches!(client.state(), PgWireConnectionState::AwaitingStartup) =>
            {
                protocol_negotiation(client, &startup).await?;
                save_startup_parameters_to_metadata(client, &startup);
                self.begin(client).await
            }
            PgWireFrontendMessage::PasswordMessageFamily(message)
                if matches!(client.state(), PgWireConnectionState::AuthenticationInProgress) =>
            {
                let mut exchange = self.exchange.lock().await;
                let Some(scram) = exchange.take() else {
                    let initial = message.into_sasl_initial_response()?;
                    let first = text(initial.data.as_deref().unwrap_or_default())?;
                    if initial.auth_method != MECHANISM {
                        return Err(malformed());
                    }
                    let user = client.metadata().get(METADATA_USER).cloned().unwrap_or_default();
                    let scram = self.gate.begin_scram(caller(client), Some(&user), first).map_err(|e| fatal(&e))?;
                    let answer = Bytes::copy_from_slice(scram.server_first().as_bytes());
                    *exchange = Some(scram);
                    let answer = PgWireBackendMessage::Authentication(Authentication::SASLContinue(answer));
                    client.send(answer).await?;
                    return Ok(());
                };
                let response = message.into_sasl_response()?;
                let (proof, platform) = scram.finish(text(&response.data)?).await.map_err(|e| fatal(&e))?;
                let proof = Authentication::SASLFinal(Bytes::from(proof));
                client.send(PgWireBackendMessage::Authentication(proof)).await?;
                self.welcome(client, platform).await
            }
            _ => Err(malformed()),
        }
    }
}

fn caller(client: &impl ClientInfo) -> Caller {
    Caller { door: "postgres", peer: client.socket_addr().ip() }
}

fn text(bytes: &[u8]) -> PgWireResult<&str> {
    std::str::from_utf8(bytes).map_err(|_| malformed())
}

fn malformed() -> PgWireError {
    fatal(&Error::user("the login is malformed").with_code(Code::NotAuthenticated))
}

fn fatal(error: &Error) -> PgWireError {
    let mut info = ErrorInfo::new("FATAL".into(), error.sqlstate().into(), error.message().into());
    info.hint = error.hint().map(Into::into);
    PgWireError::UserError(Box::new(info))
}

/// The session of somebody who has not come in yet.
pub(super) struct NobodysSession;

fn nobody() -> Error {
    Error::user("the login is not over").with_code(Code::NotAuthenticated)
}

#[async_trait]
impl Session for NobodysSession {
    fn cut_statement<'a>(&self, _text: &'a str) -> Result<Option<(&'a str, &'a str)>> {
        Err(nobody())
    }

    async fn execute(&mut self, _statement: &str, _params: &[Param]) -> Result<StatementOutput> {
        Err(nobody())
    }

    async fn describe(&mut self, _statement: &str, _types: &[Option<DataType>]) -> Result<StatementShape> {
        Err(nobody())
    }

    fn client_setting(&mut self, _name: &str, _value: &str) {}

    async fn stream(&mut self, _statement: &str) -> Result<(RowSchema, BoxStream<'static, Result<StreamEvent>>)> {
        Err(nobody())
    }

    async fn settle(&mut self) -> Result<()> {
        Err(nobody())
    }

    fn suggest(&self, _before: &str, _after: &str) -> Suggestions {
        Suggestions::default()
    }

    fn pin(&mut self, _pinned: bool) {}

    fn is_postgres_query(&self, _statement: &str) -> bool {
        false
    }
}
