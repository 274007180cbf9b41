//! Wrong passwords slow down: after a few of them an address has to wait before its next one is looked at, twice as long
//! each time.
//!
//! Two counts are kept: of an address with one user, and of an address with all users together. An attempt that has to wait
//! is refused unseen, so that a right password does not come through either: whoever guesses learns nothing. A pause
//! belongs to an address: nobody can lock a user out from elsewhere.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex};

use arus_core::clock::SharedClock;
use arus_core::limits::{USER_NAME_BYTES, WRONG_PASSWORDS};

/// Wrong passwords that cost nothing: people mistype.
const FREE_OF_A_USER: u32 = 5;
const FREE_OF_AN_ADDRESS: u32 = 20;
const PAUSE_MS: i64 = 500;
const PAUSE_MAX_MS: i64 = 10_000;
/// After as long without a wrong one all is forgotten.
const FORGET_MS: i64 = 10 * 60_000;
/// Logins of one kind at the same time: programs open many connections at once.
const AT_ONCE: u32 = 64;

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    address: IpAddr,
    /// `None`: of all users.
    user: Option<String>,
}

#[derive(Debug, Default)]
struct Misses {
    count: u32,
    /// Being looked at right now.
    in_flight: u32,
    last_ms: i64,
    until_ms: i64,
}

pub struct Throttle {
    clock: SharedClock,
    seen: Mutex<HashMap<Key, Misses>>,
}

impl Throttle {
    pub fn new(clock: SharedClock) -> Arc<Self> {
        Arc::new(Throttle { clock, seen: Mutex::default() })
    }

    /// The right to look at one password; else how many milliseconds to wait.
    pub fn attempt(self: &Arc<Self>, peer: IpAddr, user: &str) -> Result<Attempt, i64> {
        let now = self.clock.now_ms();
        let keys = keys(peer, user);
        let mut seen = self.lock();
        for (key, free) in &keys {
            let Some(misses) = seen.get(key) else { continue };
            if misses.until_ms > now {
                return Err(misses.until_ms - now);
            }
            let at_once = if misses.count > *free { 1 } else { AT_ONCE };
            if misses.in_flight >= at_once {
                return Err(PAUSE_MS);
            }
        }
        for (key, _) in &keys {
            let misses = seen.entry(key.clone()).or_default();
            misses.in_flight += 1;
            misses.last_ms = now;
        }
        forget(&mut seen, now);
        Ok(Attempt { throttle: self.clone(), keys, ended: false })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Key, Misses>> {
        self.seen.lock().expect("no holder of this lock panics")
    }

    fn end(&self, keys: &[(Key, u32)], outcome: Outcome) {
        let now = self.clock.now_ms();
        let mut seen = self.lock();
        for (key, free) in keys {
            let misses = seen.entry(key.clone()).or_default();
            misses.in_flight = misses.in_flight.saturating_sub(1);
            match outcome {
                Outcome::Right if key.user.is_some() => {
                    (misses.count, misses.until_ms) = (0, 0);
                }
                Outcome::Right | Outcome::Nothing => {}
                Outcome::Wrong => {
                    misses.count += 1;
                    misses.last_ms = now;
                    if misses.count > *free {
                        let doublings = (misses.count - *free - 1).min(16);
                        misses.until_ms = now + (PAUSE_MS << doublings).min(PAUSE_MAX_MS);
                    }
                }
            }
            if misses.count == 0 && misses.in_flight == 0 {
                seen.remove(key);
            }
        }
    }
}

#[derive(Clone, Copy)]
enum Outcome {
    Right,
    Wrong,
    Nothing,
}

/// One password that may be looked at. Dropped without a word it counts for nothing.
pub struct Attempt {
    throttle: Arc<Throttle>,
    keys: [(Key, u32); 2],
    ended: bool,
}

impl Attempt {
    pub fn succeeded(mut self) {
        self.end(Outcome::Right);
    }

    pub fn failed(mut self) {
        self.end(Outcome::Wrong);
    }

    fn end(&mut self, outcome: Outcome) {
        if !std::mem::replace(&mut self.ended, true) {
            self.throttle.end(&self.keys, outcome);
        }
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        self.end(Outcome::Nothing);
    }
}

fn keys(peer: IpAddr, user: &str) -> [(Key, u32); 2] {
    let address = network(peer);
    // No user has a longer name: all of them are one.
    let user = if user.len() <= USER_NAME_BYTES { user } else { "" };
    [(Key { address, user: Some(user.to_string()) }, FREE_OF_A_USER), (Key { address, user: None }, FREE_OF_AN_ADDRESS)]
}

/// One subscriber of IPv6 has a whole /64.
fn network(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & !(u128::MAX >> 64))),
        v4 => v4,
    }
}

/// Keeps the table within its limit; an attempt that is being looked at stays.
fn forget(seen: &mut HashMap<Key, Misses>, now: i64) {
    if seen.len() <= WRONG_PASSWORDS {
        return;
    }
    seen.retain(|_, m| m.in_flight > 0 || now - m.last_ms < FORGET_MS);
    while seen.len() > WRONG_PASSWORDS {
        let oldest = seen.iter().filter(|(_, m)| m.in_flight == 0).min_by_key(|(_, m)| m.last_ms);
        let Some(oldest) = oldest.map(|(key, _)| key.clone()) else { return };
        seen.remove(&oldest);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicI64, Ordering::Relaxed};

    use arus_core::clock::Clock;

    use super::*;

    #[derive(Default)]
    struct Hands(AtomicI64);

    impl Clock for Hands {
        fn now_ms(&self) -> i64 {
            self.0.load(Relaxed)
        }

        fn monotonic_ns(&self) -> u64 {
            self.0.load(Relaxed) as u64 * 1_000_000
        }
    }

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);
    const THERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 7));

    fn throttle() -> (Arc<Hands>, Arc<Throttle>) {
        let hands = Arc::<Hands>::default();
        let throttle = Throttle::new(hands.clone());
        (hands, throttle)
    }

    /// 20 wrong passwords a second for a minute; how many were looked at.
    fn guesses(hands: &Hands, throttle: &Arc<Throttle>, user: impl Fn(i64) -> String) -> usize {
        let mut looked_at = 0;
        for n in 0..1_200 {
            hands.0.fetch_add(50, Relaxed);
            if let Ok(attempt) = throttle.attempt(HERE, &user(n)) {
                attempt.failed();
                looked_at += 1;
            }
        }
        looked_at
    }

    #[test]
    fn guessing_slows_down() {
        let (hands, throttle) = throttle();
        // 5 at once, then after 0.5, 1, 2, 4, 8 and each further 10 seconds.
        let looked_at = guesses(&hands, &throttle, |_| "alice".into());
        assert!((8..=16).contains(&looked_at), "{looked_at} of 1200");
        // The right password has to wait as well, from there; others and other places do not.
        hands.0.fetch_add(1, Relaxed);
        assert!(throttle.attempt(HERE, "alice").is_err());
        assert!(throttle.attempt(THERE, "alice").is_ok());
        hands.0.fetch_add(PAUSE_MAX_MS, Relaxed);
        throttle.attempt(HERE, "alice").expect("the pause is over").succeeded();
        assert!(throttle.attempt(HERE, "alice").is_ok());
    }

    #[test]
    fn another_user_each_time_slows_down_too() {
        let (hands, throttle) = throttle();
        let looked_at = guesses(&hands, &throttle, |n| format!("user{n}"));
        assert!((20..=32).contains(&looked_at), "{looked_at} of 1200");
        assert!(throttle.lock().len() <= WRONG_PASSWORDS);
    }

    #[test]
    fn many_at_once_are_no_way_around() {
        let (hands, throttle) = throttle();
        let attempts: Vec<_> = (0..1_000).filter_map(|_| throttle.attempt(HERE, "bob").ok()).collect();
        assert_eq!(attempts.len(), AT_ONCE as usize);
        attempts.into_iter().for_each(Attempt::failed);
        hands.0.fetch_add(PAUSE_MAX_MS, Relaxed);
        assert_eq!((0..1_000).filter_map(|_| throttle.attempt(HERE, "bob").ok()).map(Attempt::failed).count(), 1);
        // An exchange that is given up counts for nothing.
        hands.0.fetch_add(PAUSE_MAX_MS, Relaxed);
        drop(throttle.attempt(HERE, "carol").ok());
        assert!(throttle.lock().keys().all(|key| key.user.as_deref() != Some("carol")));
    }

    #[test]
    fn the_table_has_an_end() {
        let (hands, throttle) = throttle();
        for n in 0..(2 * WRONG_PASSWORDS as u32) {
            hands.0.fetch_add(1, Relaxed);
            let peer = IpAddr::V4(std::net::Ipv4Addr::from_bits(n));
            throttle.attempt(peer, "alice").expect("a new address").failed();
        }
        assert!(throttle.lock().len() <= WRONG_PASSWORDS + 2);
    }

    #[test]
    fn a_network_is_one_caller() {
        let (a, b): (IpAddr, IpAddr) = ("2001:db8::1".parse().unwrap(), "2001:db8::ffff:2".parse().unwrap());
        assert_eq!(network(a), network(b));
        assert_eq!(network("::ffff:10.0.0.1".parse().unwrap()), "10.0.0.1".parse::<IpAddr>().unwrap());
    }
}
