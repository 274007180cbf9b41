//! The bytes of a key or a row in memory: short ones, as most are, stand where they are used, so that a search through keys
//! stays in a few cache lines and a version of the table copies them without touching what they point to.

use std::borrow::Borrow;
use std::cmp::Ordering;
use std::hash::{Hash, Hasher};
use std::ops::Deref;
use std::sync::Arc;

/// As many as fit beside the length where a pointer would be.
const INLINE: usize = 22;

#[derive(Clone)]
pub(crate) struct Bytes(Repr);

#[derive(Clone)]
enum Repr {
    /// The rest is zero.
    Inline {
        len: u8,
        bytes: [u8; INLINE],
    },
    Shared(Arc<[u8]>),
}

impl Bytes {
    /// Memory beside the value itself.
    pub(super) fn heap(&self) -> usize {
        match &self.0 {
            Repr::Inline { .. } => 0,
            Repr::Shared(bytes) => bytes.len() + 16,
        }
    }
}

impl From<&[u8]> for Bytes {
    fn from(from: &[u8]) -> Self {
        if from.len() > INLINE {
            return Bytes(Repr::Shared(from.into()));
        }
        let mut bytes = [0; INLINE];
        bytes[..from.len()].copy_from_slice(from);
        Bytes(Repr::Inline { len: from.len() as u8, bytes })
    }
}

impl From<Vec<u8>> for Bytes {
    fn from(from: Vec<u8>) -> Self {
        if from.len() > INLINE { Bytes(Repr::Shared(from.into())) } else { Bytes::from(from.as_slice()) }
    }
}

impl Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match &self.0 {
            Repr::Inline { len, bytes } => &bytes[..usize::from(*len)],
            Repr::Shared(bytes) => bytes,
        }
    }
}

impl AsRef<[u8]> for Bytes {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl Borrow<[u8]> for Bytes {
    fn borrow(&self) -> &[u8] {
        self
    }
}

impl PartialEq for Bytes {
    fn eq(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Repr::Inline { len, bytes }, Repr::Inline { len: other_len, bytes: others }) => {
                len == other_len && words(bytes) == words(others)
            }
            _ => **self == **other,
        }
    }
}

impl Eq for Bytes {}

impl PartialOrd for Bytes {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// That of slices. Two short ones are alike in their zeros only where the longer has zeros of its own, and comes later.
impl Ord for Bytes {
    fn cmp(&self, other: &Self) -> Ordering {
        match (&self.0, &other.0) {
            (Repr::Inline { len, bytes }, Repr::Inline { len: other_len, bytes: others }) => {
                words(bytes).cmp(&words(others)).then(len.cmp(other_len))
            }
            _ => (**self).cmp(&**other),
        }
    }
}

/// That of slices, by which it is looked up.
impl Hash for Bytes {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (**self).hash(state);
    }
}

impl std::fmt::Debug for Bytes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        (**self).fmt(f)
    }
}

/// Numbers that are in the order of the bytes; the last begins with two that the second ends with.
fn words(bytes: &[u8; INLINE]) -> [u64; 3] {
    let word = |at: usize| u64::from_be_bytes(std::array::from_fn(|i| bytes[at + i]));
    [word(0), word(8), word(INLINE - 8)]
}

#[cfg(test)]
mod tests {
    use std::hash::BuildHasher as _;

    use arus_core::rng::Rng;

    use super::super::key_hash::KeyHash;
    use super::*;

    #[test]
    fn they_are_ordered_hashed_and_told_apart_as_slices() {
        assert_eq!(size_of::<Bytes>(), 24);
        assert_eq!(size_of::<Option<Bytes>>(), 24);
        let mut rng = Rng::seeded(7);
        let mut some = |longest: u64| -> Vec<u8> {
            // Few values, so that many have a beginning in common.
            (0..rng.below(longest + 1)).map(|_| [0, 1, 255][rng.below(3) as usize]).collect()
        };
        let by = KeyHash::default();
        for round in 0..20_000 {
            let longest = if round % 2 == 0 { 4 } else { 30 };
            let (a, b) = (some(longest), some(longest));
            let (x, y) = (Bytes::from(a.as_slice()), Bytes::from(b.clone()));
            assert_eq!(x.cmp(&y), a.cmp(&b), "{a:?} {b:?}");
            assert_eq!(x == y, a == b, "{a:?} {b:?}");
            assert_eq!((x.as_ref(), x.len()), (a.as_slice(), a.len()));
            assert_eq!(by.hash_one(&x), by.hash_one(a.as_slice()));
        }
    }
}
