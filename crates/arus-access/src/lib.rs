//! Users, roles and what they may do; passwords as SCRAM verifiers; how wrong passwords slow down; a certificate authority of
//! one's own.
//!
//! Plain data and arithmetic: nothing here opens a socket or a file. A password comes in, is checked or made a [`Verifier`],
//! and goes: no type of this crate keeps one or shows one. Randomness is the operating system's, since it makes secrets.

mod authority;
mod directory;
mod random;
mod recent;
mod scram;
mod throttle;
mod tokens;

pub use authority::{Authority, Issued, Subject, certificate_ends_ms};
pub use directory::{ADMIN, Directory, Grants, MONITOR, Privilege, User};
pub use random::{random_password, random_token};
pub use recent::Recent;
pub use scram::{ClientFirst, Exchange, Verifier};
pub use throttle::{Attempt, Throttle};
pub use tokens::Tokens;
