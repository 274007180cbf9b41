//! SCRAM-SHA-256 (RFC 5802, RFC 7677): what the server keeps of a password, and its side of the exchange.
//!
//! A verifier checks a password and proves to the client that the server has it, but nobody can log in with it.

use std::borrow::Cow;
use std::fmt;

use arus_core::error::Code;
use arus_core::{Error, Result};
use aws_lc_rs::{constant_time, digest, hmac, pbkdf2};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::random;

/// PostgreSQL's and Kafka's own number; every client has to do as many at each login.
const ITERATIONS: u32 = 4_096;
/// A verifier that somebody brings along may ask for more, but not for minutes of every client.
const ITERATIONS_MAX: u32 = 1_000_000;
const SALT_BYTES: usize = 16;
const KEY_BYTES: usize = 32;
const PREFIX: &str = "SCRAM-SHA-256$";

type Key = [u8; KEY_BYTES];

/// What is kept of a password. Its text is PostgreSQL's: `SCRAM-SHA-256$4096:salt$stored key:server key`.
#[derive(Clone, PartialEq, Eq)]
pub struct Verifier {
    iterations: u32,
    salt: Vec<u8>,
    stored_key: Key,
    server_key: Key,
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Verifier(..)")
    }
}

impl Verifier {
    pub fn of_password(password: &str) -> Result<Self> {
        Ok(Self::salted(password, &random::bytes::<SALT_BYTES>()?, ITERATIONS))
    }

    fn salted(password: &str, salt: &[u8], iterations: u32) -> Self {
        let salted = salted_password(password, salt, iterations);
        Verifier {
            iterations,
            salt: salt.to_vec(),
            stored_key: sha256(&sign(&salted, b"Client Key")),
            server_key: sign(&salted, b"Server Key"),
        }
    }

    /// Of somebody who is not there: the same salt at each try, as of a real user, and no password fits.
    pub fn of_nobody(secret: &[u8], user: &str) -> Result<Self> {
        let salt = sign(secret, user.as_bytes())[..SALT_BYTES].to_vec();
        Ok(Verifier { iterations: ITERATIONS, salt, stored_key: random::bytes()?, server_key: random::bytes()? })
    }

    /// `None`: it is no verifier's text.
    pub fn parse(text: &str) -> Option<Self> {
        let (iterations, rest) = text.strip_prefix(PREFIX)?.split_once(':')?;
        let (salt, keys) = rest.split_once('$')?;
        let (stored, server) = keys.split_once(':')?;
        let key = |text: &str| STANDARD.decode(text).ok()?.try_into().ok();
        let iterations = iterations.parse().ok().filter(|n| (ITERATIONS..=ITERATIONS_MAX).contains(n))?;
        let salt = STANDARD.decode(salt).ok().filter(|salt| !salt.is_empty())?;
        Some(Verifier { iterations, salt, stored_key: key(stored)?, server_key: key(server)? })
    }

    /// For the catalog alone.
    pub fn to_text(&self) -> String {
        let [salt, stored, server] =
            [&self.salt[..], &self.stored_key, &self.server_key].map(|bytes| STANDARD.encode(bytes));
        format!("{PREFIX}{}:{salt}${stored}:{server}", self.iterations)
    }

    /// Whether this is the password; takes as long for a wrong one.
    pub fn fits(&self, password: &str) -> bool {
        let found = Self::salted(password, &self.salt, self.iterations);
        equal(&found.stored_key, &self.stored_key)
    }
}

/// The client's first message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientFirst {
    /// Who it says it is; PostgreSQL's clients leave it empty.
    pub user: String,
    nonce: String,
    /// The header and the rest, as they came: both are signed.
    header: String,
    bare: String,
}

impl ClientFirst {
    pub fn parse(message: &str) -> Result<Self> {
        let mut parts = message.splitn(3, ',');
        let (Some(binding), Some(authzid), Some(bare)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(malformed());
        };
        if binding.starts_with("p=") {
            return Err(Error::user("channel binding is not supported").with_code(Code::NotAuthenticated));
        }
        if !["n", "y"].contains(&binding) || !(authzid.is_empty() || authzid.starts_with("a=")) {
            return Err(malformed());
        }
        let mut user = None;
        let mut nonce = None;
        for part in bare.split(',') {
            match part.split_once('=') {
                Some(("n", name)) if user.is_none() => user = Some(decode_name(name)?),
                Some(("r", text)) if nonce.is_none() && !text.is_empty() => nonce = Some(text.to_string()),
                // An extension that has to be understood.
                Some(("m", _)) | None => return Err(malformed()),
                Some(_) => {}
            }
        }
        let (Some(user), Some(nonce)) = (user, nonce) else { return Err(malformed()) };
        Ok(ClientFirst { user, nonce, header: format!("{binding},{authzid},"), bare: bare.to_string() })
    }
}

/// One login, from the server's first message to its last.
#[derive(Debug)]
pub struct Exchange {
    verifier: Verifier,
    client: ClientFirst,
    nonce: String,
    server_first: String,
}

impl Exchange {
    pub fn begin(verifier: Verifier, client: ClientFirst) -> Result<Self> {
        let nonce = format!("{}{}", client.nonce, random::nonce()?);
        Ok(Self::with_nonce(verifier, client, nonce))
    }

    fn with_nonce(verifier: Verifier, client: ClientFirst, nonce: String) -> Self {
        let server_first = format!("r={nonce},s={},i={}", STANDARD.encode(&verifier.salt), verifier.iterations);
        Exchange { verifier, client, nonce, server_first }
    }

    pub fn server_first(&self) -> &str {
        &self.server_first
    }

    /// The server's proof; `None`: the client's is wrong.
    pub fn finish(&self, client_final: &str) -> Result<Option<String>> {
        let (unproven, proof) = client_final.rsplit_once(",p=").ok_or_else(malformed)?;
        let mut parts = unproven.split(',');
        let header = parts.next().and_then(|c| c.strip_prefix("c=")).ok_or_else(malformed)?;
        let nonce = parts.next().and_then(|r| r.strip_prefix("r=")).ok_or_else(malformed)?;
        // librdkafka before 2.3 repeats its own part; the server's part is fresh, and all of it is signed.
        let nonce = nonce.strip_prefix(&self.client.nonce).filter(|rest| *rest == self.nonce).unwrap_or(nonce);
        if header != STANDARD.encode(&self.client.header) || nonce != self.nonce {
            return Err(malformed());
        }
        let proof: Key = STANDARD.decode(proof).ok().and_then(|p| p.try_into().ok()).ok_or_else(malformed)?;
        let signed = format!("{},{},{unproven}", self.client.bare, self.server_first);
        let signature = sign(&self.verifier.stored_key, signed.as_bytes());
        let mut client_key = proof;
        client_key.iter_mut().zip(signature).for_each(|(byte, mask)| *byte ^= mask);
        if !equal(&sha256(&client_key), &self.verifier.stored_key) {
            return Ok(None);
        }
        Ok(Some(format!("v={}", STANDARD.encode(sign(&self.verifier.server_key, signed.as_bytes())))))
    }
}

fn malformed() -> Error {
    Error::user("the login is no SCRAM-SHA-256 exchange").with_code(Code::NotAuthenticated)
}

/// A comma and an equals sign are escaped.
fn decode_name(text: &str) -> Result<String> {
    let plain = text.replace("=2C", ",").replace("=3D", "=");
    let escapes = text.matches('=').count();
    let known = text.matches("=2C").count() + text.matches("=3D").count();
    if escapes == known { Ok(plain) } else { Err(malformed()) }
}

fn salted_password(password: &str, salt: &[u8], iterations: u32) -> Key {
    // As PostgreSQL does, a password that cannot be normalised is taken as it is.
    let password = stringprep::saslprep(password).unwrap_or(Cow::Borrowed(password));
    let iterations = iterations.try_into().unwrap_or(std::num::NonZeroU32::MIN);
    let mut out = [0; KEY_BYTES];
    pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, iterations, salt, password.as_bytes(), &mut out);
    out
}

pub(crate) fn sign(key: &[u8], data: &[u8]) -> Key {
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), data);
    tag.as_ref().try_into().expect("HMAC-SHA-256 has 32 bytes")
}

pub(crate) fn sha256(data: &[u8]) -> Key {
    digest::digest(&digest::SHA256, data).as_ref().try_into().expect("SHA-256 has 32 bytes")
}

pub(crate) fn equal(a: &[u8], b: &[u8]) -> bool {
    constant_time::verify_slices_are_equal(a, b).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of RFC 7677.
    #[test]
    fn the_exchange_is_the_standards() {
        let salt = STANDARD.decode("W22ZaJ0SNY7soEsUEjb6gQ==").unwrap();
        let verifier = Verifier::salted("pencil", &salt, 4_096);
        let first = ClientFirst::parse("n,,n=user,r=rOprNGfwEbeRWgbNEkqO").unwrap();
        assert_eq!(first.user, "user");
        let nonce = "rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0".to_string();
        let exchange = Exchange::with_nonce(verifier, first, nonce.clone());
        assert_eq!(exchange.server_first(), format!("r={nonce},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"));
        let proven = format!("c=biws,r={nonce},p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=");
        let proof = exchange.finish(&proven).unwrap();
        assert_eq!(proof.as_deref(), Some("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="));
        let wrong = format!("c=biws,r={nonce},p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVA=");
        assert_eq!(exchange.finish(&wrong).unwrap(), None);
        for strange in ["", "c=biws", &format!("c=biws,r={nonce}x,p=AA=="), &format!("c=eSws,r={nonce},p=AA==")] {
            assert!(exchange.finish(strange).is_err(), "{strange}");
        }
    }

    #[test]
    fn a_verifier_is_not_the_password() {
        let verifier = Verifier::of_password("s3cret-word").unwrap();
        let text = verifier.to_text();
        assert!(!text.contains("s3cret") && !format!("{verifier:?}").contains("SCRAM"));
        let read = Verifier::parse(&text).unwrap();
        assert_eq!(read, verifier);
        assert!(read.fits("s3cret-word") && !read.fits("s3cret-wor") && !read.fits(""));
        for strange in ["", "md5abc", "SCRAM-SHA-256$1:AA==$AA==:AA==", "SCRAM-SHA-256$4096:$:"] {
            assert_eq!(Verifier::parse(strange), None, "{strange}");
        }
        let nobody = Verifier::of_nobody(b"secret", "bob").unwrap();
        assert_eq!(nobody.salt, Verifier::of_nobody(b"secret", "bob").unwrap().salt);
        assert!(!nobody.fits(""));
    }

    #[test]
    fn first_messages_are_read() {
        let escaped = ClientFirst::parse("y,a=x,n=a=2Cb=3Dc,r=abc").unwrap();
        assert_eq!(escaped.user, "a,b=c");
        for strange in
            ["", "n", "n,,", "n,,n=u", "n,,r=abc", "x,,n=u,r=a", "n,,n==FF,r=a", "n,,m=x,n=u,r=a", "p=x,,n=u,r=a"]
        {
            assert!(ClientFirst::parse(strange).is_err(), "{strange}");
        }
    }
}
