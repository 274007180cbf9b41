//! A Kafka connection before it is known whose it is: SASL with SCRAM-SHA-256, and with PLAIN where TLS hides the password.

use std::sync::Arc;

use arus_core::access::{Caller, Gate, Scram};
use arus_core::error::Code;
use arus_core::platform::Platform;
use arus_core::{Error, Result};
use bytes::Bytes;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::{
    ApiKey, ApiVersionsRequest, SaslAuthenticateRequest, SaslAuthenticateResponse, SaslHandshakeRequest,
    SaslHandshakeResponse,
};
use kafka_protocol::protocol::StrBytes;

use super::api::{self, Answer, Head};
use super::ended;

const SCRAM: &str = "SCRAM-SHA-256";
const PLAIN: &str = "PLAIN";

enum Step {
    Beginning,
    Scram,
    Proof(Box<dyn Scram>),
    Plain,
}

pub(super) struct Login {
    gate: Arc<dyn Gate>,
    caller: Caller,
    secure: bool,
    step: Step,
}

/// What a request before the end of the login leads to.
pub(super) enum Outcome {
    Answer(Answer),
    /// This one is in; the answer goes out first.
    Welcome(Answer, Arc<dyn Platform>),
    /// No password is asked: the request is the first of an open connection.
    Open(Arc<dyn Platform>, Head),
    /// The answer goes out, then the connection ends.
    Refused(Answer),
}

impl Login {
    pub(super) fn new(gate: Arc<dyn Gate>, caller: Caller, secure: bool) -> Self {
        Login { gate, caller, secure, step: Step::Beginning }
    }

    pub(super) async fn step(&mut self, head: Head) -> ended::Result<Outcome> {
        match head.api {
            ApiKey::SaslHandshake => {
                let body: SaslHandshakeRequest = head.decode()?;
                let mechanisms = if self.secure { vec![SCRAM, PLAIN] } else { vec![SCRAM] };
                let wanted = body.mechanism.as_str();
                // The first version sends its tokens without a frame.
                let known = mechanisms.contains(&wanted) && head.version > 0;
                self.step = if wanted == PLAIN { Step::Plain } else { Step::Scram };
                let names = mechanisms.into_iter().map(StrBytes::from_static_str).collect();
                let code = if known { 0 } else { ResponseError::UnsupportedSaslMechanism.code() };
                let response = SaslHandshakeResponse::default().with_error_code(code).with_mechanisms(names);
                let answer = head.encode(&response)?;
                Ok(if known { Outcome::Answer(answer) } else { Outcome::Refused(answer) })
            }
            ApiKey::SaslAuthenticate => {
                let body: SaslAuthenticateRequest = head.decode()?;
                let response = SaslAuthenticateResponse::default();
                match self.authenticate(&body.auth_bytes).await {
                    Ok((text, platform)) => {
                        let answer = head.encode(&response.with_auth_bytes(Bytes::from(text)))?;
                        Ok(match platform {
                            Some(platform) => Outcome::Welcome(answer, platform),
                            None => Outcome::Answer(answer),
                        })
                    }
                    Err(e) => {
                        let told = StrBytes::from_string(e.message().to_string());
                        let code = ResponseError::SaslAuthenticationFailed.code();
                        let refusal = response.with_error_code(code).with_error_message(Some(told));
                        Ok(Outcome::Refused(head.encode(&refusal)?))
                    }
                }
            }
            // Clients ask it before they log in.
            ApiKey::ApiVersions => {
                head.decode::<ApiVersionsRequest>()?;
                Ok(Outcome::Answer(head.encode(&api::api_versions())?))
            }
            _ => match self.gate.enter(self.caller) {
                Ok(platform) => Ok(Outcome::Open(platform, head)),
                Err(e) => {
                    let Caller { door, peer } = self.caller;
                    tracing::warn!(user = "nobody", door, %peer, "denied: {:?} without a login", head.api);
                    Err(e.to_string().into())
                }
            },
        }
    }

    /// What the client gets, and the platform once the login is over.
    async fn authenticate(&mut self, message: &[u8]) -> Result<(String, Option<Arc<dyn Platform>>)> {
        let malformed = || Error::user("the login is malformed").with_code(Code::NotAuthenticated);
        let message = std::str::from_utf8(message).map_err(|_| malformed())?;
        match std::mem::replace(&mut self.step, Step::Beginning) {
            Step::Beginning => Err(malformed()),
            Step::Scram => {
                let scram = self.gate.begin_scram(self.caller, None, message)?;
                let first = scram.server_first().to_string();
                self.step = Step::Proof(scram);
                Ok((first, None))
            }
            Step::Proof(scram) => scram.finish(message).await.map(|(proof, platform)| (proof, Some(platform))),
            Step::Plain => {
                // Who to act as, who it is, the password.
                let parts: Vec<&str> = message.split('\0').collect();
                let [acts_as, user, password] = parts.as_slice() else { return Err(malformed()) };
                if !acts_as.is_empty() && acts_as != user {
                    return Err(malformed());
                }
                let platform = self.gate.enter_with_password(self.caller, user, password).await?;
                Ok((String::new(), Some(platform)))
            }
        }
    }
}
