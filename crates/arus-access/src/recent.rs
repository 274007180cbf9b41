//! Passwords that were right a moment ago, so that a client that sends its password with each request does not cost thousands of
//! rounds of hashing each time.
//!
//! What is kept is a digest under a key of this process, of the user's newest password alone.

use std::collections::HashMap;
use std::sync::Mutex;

use arus_core::Result;
use arus_core::limits::USERS;

use crate::random;
use crate::scram::{equal, sign};

pub struct Recent {
    key: [u8; 32],
    /// By user: of which password, and its digest.
    known: Mutex<HashMap<String, (u64, [u8; 32])>>,
}

impl Recent {
    pub fn new() -> Result<Self> {
        Ok(Recent { key: random::bytes()?, known: Mutex::default() })
    }

    pub fn knows(&self, user: &str, generation: u64, password: &str) -> bool {
        let digest = self.digest(user, password);
        let known = self.known.lock().expect("no holder of this lock panics");
        known.get(user).is_some_and(|(of, found)| *of == generation && equal(found, &digest))
    }

    pub fn note(&self, user: &str, generation: u64, password: &str) {
        let digest = self.digest(user, password);
        let mut known = self.known.lock().expect("no holder of this lock panics");
        if known.len() >= USERS {
            known.clear();
        }
        known.insert(user.into(), (generation, digest));
    }

    fn digest(&self, user: &str, password: &str) -> [u8; 32] {
        sign(&self.key, format!("{}:{user}{password}", user.len()).as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_right_and_newest_one_is_known() {
        let recent = Recent::new().unwrap();
        recent.note("ann", 1, "pw");
        assert!(recent.knows("ann", 1, "pw"));
        assert!(!recent.knows("ann", 2, "pw") && !recent.knows("ann", 1, "pX") && !recent.knows("an", 1, "npw"));
    }
}
