//! Secrets from the operating system's randomness.

use arus_core::{Error, Result};
use aws_lc_rs::rand;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

pub(crate) fn bytes<const N: usize>() -> Result<[u8; N]> {
    let mut out = [0; N];
    rand::fill(&mut out).map_err(|_| Error::external("the operating system gives no random bytes"))?;
    Ok(out)
}

/// A password for a person to copy: 120 bits, without a character that is easily taken for another.
pub fn random_password() -> Result<String> {
    const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
    let letters: Vec<char> = bytes::<24>()?.iter().map(|b| char::from(LETTERS[usize::from(b % 32)])).collect();
    let groups: Vec<String> = letters.chunks(6).map(|group| group.iter().collect()).collect();
    Ok(groups.join("-"))
}

/// For a cookie or a header: 256 bits.
pub fn random_token() -> Result<String> {
    Ok(URL_SAFE_NO_PAD.encode(bytes::<32>()?))
}

/// For an exchange: printable and without a comma.
pub(crate) fn nonce() -> Result<String> {
    Ok(STANDARD.encode(bytes::<18>()?))
}
