//! Kafka's record batch v2: its header, its check sum, and the builder for our own batches.
//!
//! A batch is kept as it came but for base offset and leader epoch, which the check sum does not cover and which the
//! log sets (the epoch to a seal: [`Home`]). Layout: base offset i64, length i32 (of what follows), leader epoch i32, magic i8 =
//! 2, CRC-32C u32 (of what follows), attributes i16, last offset delta i32, base and max timestamp i64, producer id i64,
//! producer epoch i16, base sequence i32, count i32, records. Big-endian.

use thiserror::Error;

use arus_core::limits::RECORD_BATCH_BYTES;
use arus_core::planted;

use super::records::{self, RecordView};
use crate::wire::{put_zigzag, zigzag_len};

pub(crate) const HEADER_BYTES: usize = 61;
/// What stands before the counted length.
const LENGTH_OVERHEAD: usize = 12;
const CRC_START: usize = 21;

/// The record header that carries the idempotency key of a batch, on its first record.
pub const IDEMPOTENCY_HEADER: &str = "arus-idempotency-key";

/// Why bytes are no record batch.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum BatchFault {
    #[error("the batch is cut: {needed} bytes expected, {found} found")]
    Truncated { needed: usize, found: usize },
    #[error("record batches of version {0} are not accepted, only version 2")]
    Magic(i8),
    #[error("the length {0} of the batch is impossible")]
    Length(i64),
    #[error("the checksum of the batch is {stored:08x}, its bytes give {computed:08x}")]
    Checksum { stored: u32, computed: u32 },
    #[error("the batch starts at offset {found}, offset {expected} was expected")]
    Gap { expected: i64, found: i64 },
    #[error("the batch belongs to another place: its seal is {0:08x}")]
    Seal(i32),
    #[error("{0}")]
    Unsupported(&'static str),
    #[error("the batch cannot be decompressed: {0}")]
    Compression(String),
    #[error("record {index} of the batch: {reason}")]
    Record { index: i32, reason: &'static str },
    #[error("the batch says {said} records and ends at offset delta {last_offset_delta}")]
    Count { said: i32, last_offset_delta: i32 },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    None,
    Gzip,
    Snappy,
    Lz4,
    Zstd,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchHeader {
    pub base_offset: i64,
    /// Of the whole batch, header included.
    pub bytes: usize,
    pub leader_epoch: i32,
    pub crc: u32,
    pub attributes: i16,
    pub last_offset_delta: i32,
    pub base_timestamp: i64,
    pub max_timestamp: i64,
    /// Of an idempotent producer; below 0 there is none.
    pub producer_id: i64,
    pub producer_epoch: i16,
    pub base_sequence: i32,
    pub count: i32,
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    bytes[at..at + N].try_into().expect("the slice has N bytes")
}

impl BatchHeader {
    /// Reads and checks the fixed part; the bytes after it may be missing.
    pub fn parse(bytes: &[u8]) -> Result<Self, BatchFault> {
        if bytes.len() < HEADER_BYTES {
            return Err(BatchFault::Truncated { needed: HEADER_BYTES, found: bytes.len() });
        }
        let magic = bytes[16] as i8;
        if magic != 2 {
            return Err(BatchFault::Magic(magic));
        }
        let length = i64::from(i32::from_be_bytes(array(bytes, 8)));
        let whole = length + LENGTH_OVERHEAD as i64;
        if whole < HEADER_BYTES as i64 || whole > RECORD_BATCH_BYTES as i64 {
            return Err(BatchFault::Length(length));
        }
        let header = BatchHeader {
            base_offset: i64::from_be_bytes(array(bytes, 0)),
            bytes: whole as usize,
            leader_epoch: i32::from_be_bytes(array(bytes, 12)),
            crc: u32::from_be_bytes(array(bytes, 17)),
            attributes: i16::from_be_bytes(array(bytes, 21)),
            last_offset_delta: i32::from_be_bytes(array(bytes, 23)),
            base_timestamp: i64::from_be_bytes(array(bytes, 27)),
            max_timestamp: i64::from_be_bytes(array(bytes, 35)),
            producer_id: i64::from_be_bytes(array(bytes, 43)),
            producer_epoch: i16::from_be_bytes(array(bytes, 51)),
            base_sequence: i32::from_be_bytes(array(bytes, 53)),
            count: i32::from_be_bytes(array(bytes, 57)),
        };
        let ends = header.base_offset.checked_add(i64::from(header.last_offset_delta) + 1);
        if header.count < 1 || header.last_offset_delta != header.count - 1 || header.base_offset < 0 || ends.is_none()
        {
            return Err(BatchFault::Count { said: header.count, last_offset_delta: header.last_offset_delta });
        }
        Ok(header)
    }

    /// The offset after its last record.
    pub fn next_offset(&self) -> i64 {
        self.base_offset + i64::from(self.last_offset_delta) + 1
    }

    /// Whether a producer with an id of its own numbers its batches.
    pub fn is_idempotent(&self) -> bool {
        self.producer_id >= 0
    }

    /// Checks the sum over `batch`, which is exactly this batch.
    pub fn check_crc(&self, batch: &[u8]) -> Result<(), BatchFault> {
        let computed = crc32c::crc32c(&batch[CRC_START..self.bytes]);
        if computed == self.crc || planted("damage-served") {
            Ok(())
        } else {
            Err(BatchFault::Checksum { stored: self.crc, computed })
        }
    }

    pub fn compression(&self) -> Result<Compression, BatchFault> {
        match self.attributes & 7 {
            0 => Ok(Compression::None),
            1 => Ok(Compression::Gzip),
            2 => Ok(Compression::Snappy),
            3 => Ok(Compression::Lz4),
            4 => Ok(Compression::Zstd),
            _ => Err(BatchFault::Unsupported("the compression of the batch is unknown")),
        }
    }

    /// Whether the records' time is the broker's.
    pub(crate) fn log_append_time(&self) -> bool {
        self.attributes & 8 != 0
    }
}

/// One batch of the log at the start of `bytes`: complete, its sum right, at the offset where it has to be.
pub(crate) fn stored_batch(bytes: &[u8], expected: i64, home: Home) -> Result<BatchHeader, BatchFault> {
    let header = BatchHeader::parse(bytes)?;
    if header.base_offset != expected {
        return Err(BatchFault::Gap { expected, found: header.base_offset });
    }
    // Batches of the first builds have none.
    if header.leader_epoch != 0 && header.leader_epoch != home.seal(bytes) {
        return Err(BatchFault::Seal(header.leader_epoch));
    }
    if bytes.len() < header.bytes {
        return Err(BatchFault::Truncated { needed: header.bytes, found: bytes.len() });
    }
    header.check_crc(bytes)?;
    Ok(header)
}

/// A batch that may be appended.
#[derive(Debug)]
pub(crate) struct CheckedBatch {
    pub(crate) start: usize,
    pub(crate) header: BatchHeader,
    pub(crate) idempotency_key: Option<Box<[u8]>>,
}

/// Checks batches of a client whole, records included: what is in the log can be read.
pub(crate) fn check_batches(bytes: &[u8]) -> Result<Vec<CheckedBatch>, BatchFault> {
    let mut checked = vec![];
    let mut start = 0;
    while start < bytes.len() {
        let rest = &bytes[start..];
        let mut header = BatchHeader::parse(rest)?;
        // Brokers take any base offset of a producer and set their own.
        header.base_offset = 0;
        if rest.len() < header.bytes {
            return Err(BatchFault::Truncated { needed: header.bytes, found: rest.len() });
        }
        header.check_crc(rest)?;
        if header.attributes & 0x10 != 0 {
            return Err(BatchFault::Unsupported("transactional batches are not supported"));
        }
        if header.attributes & 0x20 != 0 {
            return Err(BatchFault::Unsupported("control batches are not accepted of a client"));
        }
        let idempotency_key = idempotency_key(&header, &rest[..header.bytes])?;
        start += header.bytes;
        if header.is_idempotent() && (start < bytes.len() || !checked.is_empty()) {
            return Err(BatchFault::Unsupported("an idempotent producer sends one batch a partition and request"));
        }
        checked.push(CheckedBatch { start: start - header.bytes, header, idempotency_key });
    }
    Ok(checked)
}

/// Walks all records of the batch and gives the key that its first record carries.
pub(crate) fn idempotency_key(header: &BatchHeader, batch: &[u8]) -> Result<Option<Box<[u8]>>, BatchFault> {
    let payload = records::payload(header, &batch[HEADER_BYTES..])?;
    let mut key = None;
    records::walk(header, &payload, |record: RecordView<'_>| {
        if record.index == 0 {
            key = records::header_value(record.headers, IDEMPOTENCY_HEADER.as_bytes()).map(Into::into);
        }
    })?;
    Ok(key)
}

/// Sets what the log owns in a batch.
pub(crate) fn place(batch: &mut [u8], base_offset: i64, home: Home) {
    batch[..8].copy_from_slice(&base_offset.to_be_bytes());
    let seal = home.seal(batch);
    batch[12..16].copy_from_slice(&seal.to_be_bytes());
}

/// Whole batches as clients get them: without the log's seal.
pub(crate) fn unseal(mut batches: &mut [u8]) {
    while batches.len() >= HEADER_BYTES {
        batches[12..16].copy_from_slice(&0i32.to_be_bytes());
        let length = i32::from_be_bytes(array(batches, 8)).max(0) as usize + LENGTH_OVERHEAD;
        let Some((_, rest)) = batches.split_at_mut_checked(length) else { return };
        batches = rest;
    }
}

/// The partition that a batch is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Home {
    pub(crate) topic: u64,
    pub(crate) partition: u32,
}

impl Home {
    /// What binds a batch's content to its place: Kafka's sum covers neither offset nor length, and knows no topic. It stands
    /// where clients have the leader epoch, and is never 0.
    fn seal(self, batch: &[u8]) -> i32 {
        let mut crc = crc32c::crc32c(&self.topic.to_le_bytes());
        crc = crc32c::crc32c_append(crc, &self.partition.to_le_bytes());
        // Base offset and length, then the sum of the rest.
        crc = crc32c::crc32c_append(crc, &batch[..12]);
        crc = crc32c::crc32c_append(crc, &batch[17..21]);
        if crc == 0 { 1 } else { crc as i32 }
    }
}

/// Makes one uncompressed record batch.
#[derive(Debug)]
pub struct BatchBuilder {
    bytes: Vec<u8>,
    base_timestamp: i64,
    max_timestamp: i64,
    count: i32,
    /// Id, epoch and sequence; below 0 there is none.
    producer: (i64, i16, i32),
}

impl BatchBuilder {
    /// `base_timestamp_ms`: timestamps of records are written against it.
    pub fn new(base_timestamp_ms: i64) -> Self {
        BatchBuilder {
            bytes: vec![0; HEADER_BYTES],
            base_timestamp: base_timestamp_ms,
            max_timestamp: base_timestamp_ms,
            count: 0,
            producer: (-1, -1, -1),
        }
    }

    /// Numbers the batch as an idempotent producer does.
    #[must_use]
    pub fn of_producer(mut self, id: i64, epoch: i16, sequence: i32) -> Self {
        self.producer = (id, epoch, sequence);
        self
    }

    pub fn push(&mut self, key: Option<&[u8]>, value: Option<&[u8]>, headers: &[(&str, Option<&[u8]>)], ts_ms: i64) {
        let field = |bytes: Option<&[u8]>| bytes.map_or(1, |b| zigzag_len(b.len() as i64) + b.len());
        let timestamp_delta = ts_ms.wrapping_sub(self.base_timestamp);
        let headers_bytes: usize =
            headers.iter().map(|(name, value)| field(Some(name.as_bytes())) + field(*value)).sum();
        let bytes = 1
            + zigzag_len(timestamp_delta)
            + zigzag_len(i64::from(self.count))
            + field(key)
            + field(value)
            + zigzag_len(headers.len() as i64)
            + headers_bytes;
        let out = &mut self.bytes;
        put_zigzag(out, bytes as i64);
        out.push(0);
        put_zigzag(out, timestamp_delta);
        put_zigzag(out, i64::from(self.count));
        put_field(out, key);
        put_field(out, value);
        put_zigzag(out, headers.len() as i64);
        for (name, value) in headers {
            put_field(out, Some(name.as_bytes()));
            put_field(out, *value);
        }
        self.count += 1;
        self.max_timestamp = self.max_timestamp.max(ts_ms);
    }

    pub fn len(&self) -> usize {
        self.count as usize
    }

    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Bytes so far, header included.
    pub fn byte_len(&self) -> usize {
        self.bytes.len()
    }

    /// The batch at base offset 0; `None` when it has no record.
    pub fn finish(mut self) -> Option<Vec<u8>> {
        if self.count == 0 {
            return None;
        }
        let length = (self.bytes.len() - LENGTH_OVERHEAD) as i32;
        let mut put = |at: usize, bytes: &[u8]| self.bytes[at..at + bytes.len()].copy_from_slice(bytes);
        put(8, &length.to_be_bytes());
        put(16, &[2]);
        put(23, &(self.count - 1).to_be_bytes());
        put(27, &self.base_timestamp.to_be_bytes());
        put(35, &self.max_timestamp.to_be_bytes());
        let (id, epoch, sequence) = self.producer;
        put(43, &id.to_be_bytes());
        put(51, &epoch.to_be_bytes());
        put(53, &sequence.to_be_bytes());
        put(57, &self.count.to_be_bytes());
        let crc = crc32c::crc32c(&self.bytes[CRC_START..]);
        self.bytes[17..21].copy_from_slice(&crc.to_be_bytes());
        Some(self.bytes)
    }
}

fn put_field(out: &mut Vec<u8>, bytes: Option<&[u8]>) {
    match bytes {
        Some(bytes) => {
            put_zigzag(out, bytes.len() as i64);
            out.extend_from_slice(bytes);
        }
        None => put_zigzag(out, -1),
    }
}
