//! Reading a manifest: what its records fold to, and what is wrong with it. Changes nothing.
//!
//! The last record stands twice, so that one damaged byte does not make a decision unsaid; the next record takes the place
//! of the copy. Records are synced one by one, so only the last can be torn: anything whole behind a bad one means damage.

use std::ops::Range;

use super::{Change, ManifestState};
use super::{FRAME_BYTES, FRAME_BYTES_V1, HEADER_BYTES, MAGIC, VERSION};

/// A manifest as far as it can be read.
#[derive(Debug, Default)]
pub(crate) struct Replay {
    pub(crate) version: u32,
    pub(crate) state: Option<ManifestState>,
    /// Whole records, which is the number of the last one.
    pub(crate) records: u64,
    /// The bytes of the last record or of its copy.
    pub(crate) last: Range<usize>,
    /// Where the last record belongs.
    pub(crate) at: usize,
    /// The last record has its copy behind it.
    pub(crate) is_doubled: bool,
    pub(crate) fault: Option<Fault>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) position: usize,
    pub(crate) reason: String,
    pub(crate) severity: Severity,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Severity {
    /// What a crash leaves: bytes behind the last record that are none.
    Torn,
    /// The last record is damaged and its copy is whole.
    Mended,
    /// It cannot be opened.
    Fatal,
    /// Of a version that this build does not know.
    Unknown,
}

impl Replay {
    /// Where the next record goes.
    pub(crate) fn end(&self) -> usize {
        self.at + self.last.len()
    }

    fn failed(mut self, position: usize, reason: impl Into<String>, severity: Severity) -> Self {
        self.fault = Some(Fault { position, reason: reason.into(), severity });
        self
    }
}

struct Frame<'a> {
    sequence: Option<u64>,
    payload: &'a [u8],
    len: usize,
}

/// The frame at the start of `bytes`, when it is whole.
fn frame(bytes: &[u8], version: u32) -> Option<Frame<'_>> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    let (crc, rest) = rest.split_first_chunk::<4>()?;
    let all = if version == 1 { FRAME_BYTES_V1 } else { FRAME_BYTES };
    let head = all - 8;
    let covered = rest.get(..head.checked_add(u32::from_le_bytes(*length) as usize)?)?;
    let (sequence, payload) = covered.split_at(head);
    // Cheap first: most places that are looked at are no frame.
    if payload.first() != Some(&b'[') || crc32c::crc32c(covered) != u32::from_le_bytes(*crc) {
        return None;
    }
    let sequence = sequence.first_chunk::<8>().map(|bytes| u64::from_le_bytes(*bytes));
    Some(Frame { sequence, payload, len: 8 + covered.len() })
}

pub(crate) fn replay(bytes: &[u8]) -> Replay {
    let mut found = Replay::default();
    if bytes.len() < HEADER_BYTES || &bytes[..8] != MAGIC {
        return found.failed(0, "it does not begin as a manifest", Severity::Fatal);
    }
    found.version = u32::from_le_bytes([bytes[8], bytes[9], bytes[10], bytes[11]]);
    if found.version == 0 || found.version > VERSION {
        let reason = format!("format version {} is not one of 1 to {VERSION}", found.version);
        return found.failed(8, reason, Severity::Unknown);
    }
    let mut at = HEADER_BYTES;
    while let Some(record) = frame(&bytes[at..], found.version) {
        let next = found.records + 1;
        if record.sequence.is_some_and(|s| s != next) {
            let copy = found.records > 0 && bytes[found.last.clone()] == bytes[at..at + record.len];
            if !copy || found.is_doubled {
                return found.failed(at, "a record is not the next one", Severity::Fatal);
            }
            found.is_doubled = true;
            at += record.len;
            continue;
        }
        if found.is_doubled {
            break;
        }
        if let Err(reason) = apply(&mut found, record.payload) {
            return found.failed(at, reason, Severity::Fatal);
        }
        (found.at, found.last) = (at, at..at + record.len);
        at += record.len;
    }
    if at == bytes.len() {
        return end(found, at);
    }
    let whole = |from: usize| (from..bytes.len()).find(|i| frame(&bytes[*i..], found.version).is_some());
    let Some(behind) = whole(at) else {
        let found = end(found, at);
        let torn = "the bytes behind the last record are none";
        return if found.fault.is_some() { found } else { found.failed(at, torn, Severity::Torn) };
    };
    // Nothing but the copy of a bad record: it stands where that one ends, has its number, and is the last.
    let due = if found.records == 0 { at } else { found.end() };
    let copy = frame(&bytes[behind..], found.version)
        .filter(|copy| copy.sequence == Some(found.records + 1) && behind == due + copy.len)
        .filter(|copy| whole(behind + copy.len).is_none());
    let Some(Frame { payload, len, .. }) = copy else {
        return found.failed(at, "a record in the middle has a wrong checksum", Severity::Fatal);
    };
    if let Err(reason) = apply(&mut found, payload) {
        return found.failed(behind, reason, Severity::Fatal);
    }
    (found.at, found.last) = (due, behind..behind + len);
    found.failed(due, "the last record has a wrong checksum; its copy is whole", Severity::Mended)
}

/// Nothing whole stands behind `at`.
fn end(found: Replay, at: usize) -> Replay {
    if found.records == 0 {
        return found.failed(at, "its first record is not whole", Severity::Fatal);
    }
    if found.version > 1 && !found.is_doubled {
        return found.failed(at, "the last record has no copy behind it", Severity::Torn);
    }
    found
}

fn apply(found: &mut Replay, payload: &[u8]) -> Result<(), String> {
    let changes: Vec<Change> = serde_json::from_slice(payload).map_err(|e| format!("a record cannot be read: {e}"))?;
    let state = found.state.get_or_insert_with(ManifestState::new);
    changes.iter().for_each(|change| state.apply(change));
    found.records += 1;
    Ok(())
}
