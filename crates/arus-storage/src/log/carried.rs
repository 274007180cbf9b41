//! What retention would forget: idempotency keys and producers of segments that are gone, for as long as they count.
//!
//! `BASE.carried` stands beside the segments from offset BASE on, written and synced before those below it are removed.
//! One that is missing or damaged says nothing.

use std::path::{Path, PathBuf};

use arus_core::fs::Fs;

use super::producers::{self, Producer};
use super::segment::{HeldKey, decode_keys, encode_keys};
use crate::wire::WireReader;

const MAGIC: &[u8; 8] = b"ARUSCRY\0";
const VERSION: u32 = 1;
const EXTENSION: &str = "carried";

#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Carried {
    pub(crate) keys: Vec<HeldKey>,
    pub(crate) producers: Vec<Producer>,
}

pub(crate) fn carried_path(dir: &Path, base: i64) -> PathBuf {
    dir.join(format!("{base:020}.{EXTENSION}"))
}

pub(crate) fn is_carried(path: &Path) -> bool {
    path.extension().is_some_and(|e| e == EXTENSION)
}

impl Carried {
    pub(crate) fn encode(&self, topic: u64, partition: u32) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        out.extend_from_slice(&VERSION.to_le_bytes());
        out.extend_from_slice(&topic.to_le_bytes());
        out.extend_from_slice(&partition.to_le_bytes());
        encode_keys(&mut out, &self.keys);
        producers::encode(&mut out, &self.producers);
        let crc = crc32c::crc32c(&out);
        out.extend_from_slice(&crc.to_le_bytes());
        out
    }

    /// `None`: not of this partition, or damaged.
    pub(crate) fn decode(bytes: &[u8], topic: u64, partition: u32) -> Option<Self> {
        let (body, crc) = bytes.split_last_chunk::<4>()?;
        if crc32c::crc32c(body) != u32::from_le_bytes(*crc) {
            return None;
        }
        let mut fields = WireReader::new(body);
        let same = fields.take(8)? == MAGIC
            && fields.u32()? == VERSION
            && fields.u64()? == topic
            && fields.u32()? == partition;
        if !same {
            return None;
        }
        let carried = Carried { keys: decode_keys(&mut fields)?, producers: producers::decode(&mut fields)? };
        (fields.remaining() == 0).then_some(carried)
    }
}

/// Writes and syncs the file, and its name.
pub(crate) fn write(fs: &dyn Fs, dir: &Path, base: i64, bytes: &[u8]) -> std::io::Result<()> {
    let file = fs.open_append(&carried_path(dir, base))?;
    file.truncate(0)?;
    file.append(bytes)?;
    file.sync()?;
    fs.sync_dir(dir)
}
