//! One segment of a partition: a file of record batches with a header, and once sealed a footer beside it.
//!
//! The footer holds only what the segment's bytes say too (index, times, idempotency keys, producers), so a missing or damaged one is
//! made again by reading the segment; it is written after the segment was synced, so a valid one proves the length.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arus_core::fs::File;

use super::producers::{self, Producer};
use crate::wire::{WireReader, put_bytes};

pub(crate) const SEGMENT_HEADER_BYTES: u64 = 36;
const SEGMENT_MAGIC: &[u8; 8] = b"ARUSLOG\0";
const FOOTER_MAGIC: &[u8; 8] = b"ARUSFTR\0";
const VERSION: u32 = 1;
/// Of a footer that names producers; without any it is of version 1.
const VERSION_WITH_PRODUCERS: u32 = 2;
/// Bytes between two entries of the index: what a read at a random offset skips at most.
pub(crate) const INDEX_BYTES: u64 = 64 << 10;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct IndexEntry {
    pub(crate) offset: i64,
    pub(crate) position: u64,
    /// Of the batches from here to the next entry.
    pub(crate) max_timestamp: i64,
}

/// The batch that holds an idempotency key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HeldKey {
    pub(crate) key: Box<[u8]>,
    pub(crate) base_offset: i64,
    pub(crate) last_offset: i64,
    pub(crate) time_ms: i64,
}

pub(crate) struct Segment {
    pub(crate) base: i64,
    pub(crate) path: PathBuf,
    pub(crate) file: Arc<dyn File>,
    pub(crate) facts: Facts,
    /// No more appends.
    pub(crate) sealed: bool,
}

/// What is known of a segment's content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Facts {
    /// Bytes of the file that are batches and header.
    pub(crate) len: u64,
    /// The offset after the last record.
    pub(crate) end: i64,
    pub(crate) max_timestamp: i64,
    /// The server's clock at the last append: what retention goes by, since a client's timestamp may be anything.
    pub(crate) last_append_ms: i64,
    pub(crate) index: Vec<IndexEntry>,
    pub(crate) keys: Vec<HeldKey>,
    /// Idempotent producers of this segment, as they stood at its end. Only while the footer is written or read.
    pub(crate) producers: Vec<Producer>,
}

impl Facts {
    pub(crate) fn empty(base: i64) -> Self {
        Facts {
            len: SEGMENT_HEADER_BYTES,
            end: base,
            max_timestamp: i64::MIN,
            last_append_ms: i64::MIN,
            index: vec![],
            keys: vec![],
            producers: vec![],
        }
    }

    /// Notes a batch of `bytes` bytes at the end.
    pub(crate) fn add(&mut self, base_offset: i64, next_offset: i64, bytes: usize, max_timestamp: i64) {
        match self.index.last_mut() {
            Some(entry) if self.len - entry.position < INDEX_BYTES => {
                entry.max_timestamp = entry.max_timestamp.max(max_timestamp);
            }
            _ => self.index.push(IndexEntry { offset: base_offset, position: self.len, max_timestamp }),
        }
        self.len += bytes as u64;
        self.end = next_offset;
        self.max_timestamp = self.max_timestamp.max(max_timestamp);
    }

    /// The last indexed batch that starts at or before `offset`.
    pub(crate) fn floor(&self, offset: i64) -> Option<IndexEntry> {
        let after = self.index.partition_point(|e| e.offset <= offset);
        after.checked_sub(1).map(|i| self.index[i])
    }
}

pub(crate) fn segment_path(dir: &Path, base: i64) -> PathBuf {
    dir.join(format!("{base:020}.log"))
}

pub(crate) fn footer_path(segment: &Path) -> PathBuf {
    segment.with_extension("footer")
}

/// The base offset in a segment's name.
pub(crate) fn base_of(path: &Path) -> Option<i64> {
    if path.extension()? != "log" {
        return None;
    }
    let stem = path.file_stem()?.to_str()?;
    (stem.len() == 20).then(|| stem.parse().ok()).flatten()
}

/// Magic, version, topic, partition, base offset, CRC-32C: a file in the wrong place is noticed.
pub(crate) fn segment_header(topic: u64, partition: u32, base: i64) -> Vec<u8> {
    let mut out = SEGMENT_MAGIC.to_vec();
    out.extend_from_slice(&VERSION.to_le_bytes());
    out.extend_from_slice(&topic.to_le_bytes());
    out.extend_from_slice(&partition.to_le_bytes());
    out.extend_from_slice(&base.to_le_bytes());
    let crc = crc32c::crc32c(&out);
    out.extend_from_slice(&crc.to_le_bytes());
    out
}

pub(crate) fn encode_footer(topic: u64, partition: u32, base: i64, facts: &Facts) -> Vec<u8> {
    let mut out = FOOTER_MAGIC.to_vec();
    let version = if facts.producers.is_empty() { VERSION } else { VERSION_WITH_PRODUCERS };
    out.extend_from_slice(&version.to_le_bytes());
    out.extend_from_slice(&topic.to_le_bytes());
    out.extend_from_slice(&partition.to_le_bytes());
    out.extend_from_slice(&base.to_le_bytes());
    out.extend_from_slice(&facts.len.to_le_bytes());
    out.extend_from_slice(&facts.end.to_le_bytes());
    out.extend_from_slice(&facts.max_timestamp.to_le_bytes());
    out.extend_from_slice(&facts.last_append_ms.to_le_bytes());
    out.extend_from_slice(&(facts.index.len() as u32).to_le_bytes());
    for entry in &facts.index {
        out.extend_from_slice(&entry.offset.to_le_bytes());
        out.extend_from_slice(&entry.position.to_le_bytes());
        out.extend_from_slice(&entry.max_timestamp.to_le_bytes());
    }
    encode_keys(&mut out, &facts.keys);
    if !facts.producers.is_empty() {
        producers::encode(&mut out, &facts.producers);
    }
    let crc = crc32c::crc32c(&out);
    out.extend_from_slice(&crc.to_le_bytes());
    out
}

pub(crate) fn encode_keys(out: &mut Vec<u8>, keys: &[HeldKey]) {
    out.extend_from_slice(&(keys.len() as u32).to_le_bytes());
    for held in keys {
        put_bytes(out, &held.key);
        out.extend_from_slice(&held.base_offset.to_le_bytes());
        out.extend_from_slice(&held.last_offset.to_le_bytes());
        out.extend_from_slice(&held.time_ms.to_le_bytes());
    }
}

pub(crate) fn decode_keys(fields: &mut WireReader<'_>) -> Option<Vec<HeldKey>> {
    let mut keys = vec![];
    for _ in 0..fields.u32()? {
        keys.push(HeldKey {
            key: fields.bytes()?.into(),
            base_offset: fields.i64()?,
            last_offset: fields.i64()?,
            time_ms: fields.i64()?,
        });
    }
    Some(keys)
}

/// `None`: not the footer of this segment, or damaged.
pub(crate) fn decode_footer(bytes: &[u8], topic: u64, partition: u32, base: i64) -> Option<Facts> {
    let (body, crc) = bytes.split_last_chunk::<4>()?;
    if crc32c::crc32c(body) != u32::from_le_bytes(*crc) {
        return None;
    }
    let mut fields = WireReader::new(body);
    if fields.take(8)? != FOOTER_MAGIC {
        return None;
    }
    let version = fields.u32()?;
    let same = (version == VERSION || version == VERSION_WITH_PRODUCERS)
        && fields.u64()? == topic
        && fields.u32()? == partition
        && fields.i64()? == base;
    if !same {
        return None;
    }
    let mut facts = Facts {
        len: fields.u64()?,
        end: fields.i64()?,
        max_timestamp: fields.i64()?,
        last_append_ms: fields.i64()?,
        index: vec![],
        keys: vec![],
        producers: vec![],
    };
    for _ in 0..fields.u32()? {
        facts.index.push(IndexEntry { offset: fields.i64()?, position: fields.u64()?, max_timestamp: fields.i64()? });
    }
    facts.keys = decode_keys(&mut fields)?;
    if version == VERSION_WITH_PRODUCERS {
        facts.producers = producers::decode(&mut fields)?;
    }
    (fields.remaining() == 0).then_some(facts)
}
