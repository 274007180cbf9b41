//! What all doors have in common: how many connections and how many bytes they take, and how they take a connection.
//!
//! A connection over the limit is told so in its protocol's words. Bytes of a request are held from before they are read
//! until the answer is made: a door that holds its share refuses (HTTP) or reads on later (Kafka, Postgres), and no door can
//! take what belongs to all.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use arus_core::access::Gate;
use arus_core::limits::{ANSWER_BYTES, DOOR_BYTES, DOORS_BYTES};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::Addresses;
use crate::tls::Tls;

/// Bytes are counted in units of this.
const UNIT: usize = 1 << 10;
/// What every consumer gets, however many there are.
const LEAST_ANSWER: usize = 256 << 10;
/// Connections that are being told that there are too many; more are closed without a word.
const REFUSALS: usize = 64;
/// How long a refused client may take to hear it.
pub(crate) const REFUSAL: Duration = Duration::from_secs(2);

/// What a door is opened with.
#[derive(Clone)]
pub struct DoorContext {
    pub(crate) gate: Arc<dyn Gate>,
    pub(crate) addresses: Addresses,
    /// `None`: nothing is hidden, and nothing leaves this machine.
    pub(crate) tls: Option<Tls>,
    /// The name by which others reach this server.
    pub(crate) advertised: Option<String>,
    connections: usize,
    all_bytes: Arc<Semaphore>,
}

impl DoorContext {
    /// `connections`: of each door at most.
    pub fn new(gate: Arc<dyn Gate>, addresses: Addresses, connections: usize) -> Self {
        DoorContext {
            gate,
            addresses,
            tls: None,
            advertised: None,
            connections,
            all_bytes: Arc::new(Semaphore::new(DOORS_BYTES / UNIT)),
        }
    }

    /// Every door speaks TLS alone; `advertised` is the server's name, where it has one.
    #[must_use]
    pub fn with_tls(mut self, tls: Tls, advertised: Option<String>) -> Self {
        (self.tls, self.advertised) = (Some(tls), advertised);
        self
    }

    pub(crate) fn door(&self, name: &'static str) -> Door {
        Door {
            name,
            limit: self.connections,
            connections: Arc::new(Semaphore::new(self.connections)),
            refusals: Arc::new(Semaphore::new(REFUSALS)),
            bytes: Arc::new(Semaphore::new(DOOR_BYTES / UNIT)),
            all_bytes: self.all_bytes.clone(),
            answers: Arc::new(Semaphore::new(ANSWER_BYTES / UNIT)),
        }
    }
}

/// One door's shares.
#[derive(Clone)]
pub(crate) struct Door {
    name: &'static str,
    limit: usize,
    connections: Arc<Semaphore>,
    refusals: Arc<Semaphore>,
    bytes: Arc<Semaphore>,
    all_bytes: Arc<Semaphore>,
    answers: Arc<Semaphore>,
}

/// Bytes of a request or an answer, until it is dropped.
#[derive(Debug, Default)]
pub(crate) struct Held(Vec<OwnedSemaphorePermit>);

/// What came to the door.
pub(crate) enum Arrival {
    /// It may stay as long as it holds the permit.
    Welcome(OwnedSemaphorePermit),
    /// There are too many; the permit is for telling it.
    Refused(OwnedSemaphorePermit),
}

impl Door {
    /// The next connection.
    pub(crate) async fn accept(&self, listener: &TcpListener) -> (TcpStream, SocketAddr, Arrival) {
        loop {
            let (socket, peer) = match listener.accept().await {
                Ok(accepted) => accepted,
                Err(e) => {
                    tracing::warn!("the {} door cannot accept: {e}", self.name);
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            };
            if let Err(e) = socket.set_nodelay(true) {
                tracing::debug!("connection of {peer} to the {} door: {e}", self.name);
                continue;
            }
            if let Ok(permit) = self.connections.clone().try_acquire_owned() {
                return (socket, peer, Arrival::Welcome(permit));
            }
            tracing::warn!("the {} door has {} connections and refuses one of {peer}", self.name, self.limit);
            if let Ok(permit) = self.refusals.clone().try_acquire_owned() {
                return (socket, peer, Arrival::Refused(permit));
            }
        }
    }

    /// The message of a refusal.
    pub(crate) fn too_many(&self) -> String {
        format!("too many connections: the {} door takes {}", self.name, self.limit)
    }

    /// Takes `bytes` more into `held`, or nothing.
    pub(crate) fn try_hold(&self, bytes: usize, held: &mut Held) -> bool {
        let units = units(bytes);
        let (Ok(here), Ok(all)) =
            (self.bytes.clone().try_acquire_many_owned(units), self.all_bytes.clone().try_acquire_many_owned(units))
        else {
            return false;
        };
        held.0.extend([here, all]);
        true
    }

    /// Waits for room for a whole request.
    pub(crate) async fn hold(&self, bytes: usize) -> Held {
        let units = units(bytes);
        let mut held = Held::default();
        for share in [&self.bytes, &self.all_bytes] {
            // Neither is ever closed.
            if let Ok(permit) = share.clone().acquire_many_owned(units).await {
                held.0.push(permit);
            }
        }
        held
    }
}

impl Door {
    /// Room for an answer of `wanted` bytes, or for less where many take theirs slowly; what there is.
    pub(crate) async fn hold_answer(&self, wanted: usize) -> (Held, usize) {
        if let Ok(permit) = self.answers.clone().try_acquire_many_owned(units(wanted)) {
            return (Held(vec![permit]), wanted);
        }
        let least = wanted.min(LEAST_ANSWER);
        let permit = self.answers.clone().acquire_many_owned(units(least)).await;
        // It is never closed.
        (Held(permit.into_iter().collect()), least)
    }
}

/// A request that is larger than a door's share waits for all of it.
fn units(bytes: usize) -> u32 {
    bytes.div_ceil(UNIT).clamp(1, DOOR_BYTES / UNIT) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_given_back() {
        let door = Door {
            name: "test",
            limit: 1,
            connections: Arc::new(Semaphore::new(1)),
            refusals: Arc::new(Semaphore::new(1)),
            bytes: Arc::new(Semaphore::new(DOOR_BYTES / UNIT)),
            all_bytes: Arc::new(Semaphore::new(DOORS_BYTES / UNIT)),
            answers: Arc::new(Semaphore::new(ANSWER_BYTES / UNIT)),
        };
        let mut held = Held::default();
        assert!(door.try_hold(DOOR_BYTES - UNIT, &mut held));
        assert!(!door.try_hold(UNIT + 1, &mut held));
        assert!(door.try_hold(UNIT, &mut held));
        drop(held);
        assert_eq!(door.bytes.available_permits(), DOOR_BYTES / UNIT);
        // What another door holds counts as well.
        let others = door.all_bytes.clone().try_acquire_many_owned((DOORS_BYTES / UNIT) as u32 - 1).expect("is free");
        let mut held = Held::default();
        assert!(!door.try_hold(2 * UNIT, &mut held) && door.try_hold(1, &mut held));
        drop((others, held));
        assert_eq!(door.bytes.available_permits(), DOOR_BYTES / UNIT);
    }
}
