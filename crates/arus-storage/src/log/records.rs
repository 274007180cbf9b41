//! The records inside a batch: decompression with a bound, and the walk over varints.
//!
//! Bytes may be hostile: nothing here panics, and no more than [`RECORD_BATCH_BYTES`] are held for one batch.

use std::borrow::Cow;
use std::io::Read;

use arus_core::connector::{RawBatch, RawRecord, Span};
use arus_core::limits::RECORD_BATCH_BYTES;
use bytes::Bytes;

use super::record_batch::{BatchFault, BatchHeader, Compression, HEADER_BYTES};
use crate::wire::WireReader;

/// Frames snappy blocks as Kafka's Java client does.
const XERIAL_MAGIC: &[u8] = b"\x82SNAPPY\0";

pub(crate) struct RecordView<'a> {
    pub(crate) index: i32,
    pub(crate) timestamp_ms: i64,
    pub(crate) key: Option<&'a [u8]>,
    pub(crate) value: Option<&'a [u8]>,
    /// Count, then names and values.
    pub(crate) headers: &'a [u8],
}

/// The records' bytes, decompressed.
pub(crate) fn payload<'a>(header: &BatchHeader, bytes: &'a [u8]) -> Result<Cow<'a, [u8]>, BatchFault> {
    match header.compression()? {
        Compression::None => Ok(Cow::Borrowed(bytes)),
        Compression::Gzip => read_bounded(flate2::read::MultiGzDecoder::new(bytes)),
        Compression::Snappy => snappy(bytes).map(Cow::Owned),
        Compression::Lz4 => read_bounded(lz4_flex::frame::FrameDecoder::new(bytes)),
        Compression::Zstd => {
            let mut decoder = zstd::stream::read::Decoder::with_buffer(bytes).map_err(compression)?;
            // A window of 64 MiB: the frame's own word for it is not trusted.
            decoder.window_log_max(26).map_err(compression)?;
            read_bounded(decoder)
        }
    }
}

fn compression(error: impl std::fmt::Display) -> BatchFault {
    BatchFault::Compression(error.to_string())
}

fn too_large() -> BatchFault {
    BatchFault::Compression(format!("more than {RECORD_BATCH_BYTES} bytes"))
}

fn read_bounded(reader: impl Read) -> Result<Cow<'static, [u8]>, BatchFault> {
    let mut out = vec![];
    reader.take(RECORD_BATCH_BYTES as u64 + 1).read_to_end(&mut out).map_err(compression)?;
    if out.len() > RECORD_BATCH_BYTES { Err(too_large()) } else { Ok(Cow::Owned(out)) }
}

fn snappy(bytes: &[u8]) -> Result<Vec<u8>, BatchFault> {
    let mut out = vec![];
    if !bytes.starts_with(XERIAL_MAGIC) {
        snappy_block(bytes, &mut out)?;
        return Ok(out);
    }
    // Magic, then version and lowest compatible version, then blocks with their lengths.
    let mut rest = bytes.get(16..).ok_or_else(|| compression("the snappy frame is cut"))?;
    while !rest.is_empty() {
        let (length, after) = rest.split_first_chunk::<4>().ok_or_else(|| compression("the snappy frame is cut"))?;
        let (block, after) = after
            .split_at_checked(u32::from_be_bytes(*length) as usize)
            .ok_or_else(|| compression("the snappy frame is cut"))?;
        snappy_block(block, &mut out)?;
        rest = after;
    }
    Ok(out)
}

fn snappy_block(block: &[u8], out: &mut Vec<u8>) -> Result<(), BatchFault> {
    let start = out.len();
    let n = snap::raw::decompress_len(block).map_err(compression)?;
    if start + n > RECORD_BATCH_BYTES {
        return Err(too_large());
    }
    out.resize(start + n, 0);
    let written = snap::raw::Decoder::new().decompress(block, &mut out[start..]).map_err(compression)?;
    out.truncate(start + written);
    Ok(())
}

/// Calls `visit` for each record, in order; all of the payload has to be records.
pub(crate) fn walk<'a>(
    header: &BatchHeader,
    payload: &'a [u8],
    mut visit: impl FnMut(RecordView<'a>),
) -> Result<(), BatchFault> {
    let mut rest = WireReader::new(payload);
    for index in 0..header.count {
        let fault = |reason| BatchFault::Record { index, reason };
        let length = rest.zigzag().and_then(|n| usize::try_from(n).ok()).ok_or_else(|| fault("bad length"))?;
        let bytes = rest.take(length).ok_or_else(|| fault("longer than the batch"))?;
        let record = record(header, index, bytes).ok_or_else(|| fault("malformed"))?;
        visit(record);
    }
    if rest.remaining() > 0 {
        return Err(BatchFault::Record { index: header.count, reason: "bytes after the last record" });
    }
    Ok(())
}

fn record<'a>(header: &BatchHeader, index: i32, bytes: &'a [u8]) -> Option<RecordView<'a>> {
    let mut fields = WireReader::new(bytes);
    fields.u8()?;
    let timestamp_delta = fields.zigzag()?;
    if fields.zigzag()? != i64::from(index) {
        return None;
    }
    let key = field(&mut fields)?;
    let value = field(&mut fields)?;
    let headers = &bytes[bytes.len() - fields.remaining()..];
    let count = fields.zigzag()?;
    if count < 0 {
        return None;
    }
    for _ in 0..count {
        field(&mut fields)??;
        field(&mut fields)?;
    }
    if fields.remaining() > 0 {
        return None;
    }
    let timestamp_ms = if header.log_append_time() {
        header.max_timestamp
    } else {
        header.base_timestamp.wrapping_add(timestamp_delta)
    };
    Some(RecordView { index, timestamp_ms, key, value, headers })
}

/// A length and its bytes; -1 is null.
fn field<'a>(fields: &mut WireReader<'a>) -> Option<Option<&'a [u8]>> {
    match fields.zigzag()? {
        -1 => Some(None),
        n => Some(Some(fields.take(usize::try_from(n).ok()?)?)),
    }
}

/// The value of the first record header of this name.
pub(crate) fn header_value<'a>(headers: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let mut fields = WireReader::new(headers);
    let count = fields.zigzag()?;
    for _ in 0..count {
        let found = field(&mut fields)??;
        let value = field(&mut fields)?;
        if found == name {
            return value;
        }
    }
    None
}

/// Record headers in Kafka's encoding (see [`RawRecord::headers`]) as names and values.
pub fn record_headers(headers: &[u8]) -> Vec<(&[u8], Option<&[u8]>)> {
    let mut fields = WireReader::new(headers);
    let mut out = vec![];
    for _ in 0..fields.zigzag().unwrap_or(0) {
        match (field(&mut fields), field(&mut fields)) {
            (Some(Some(name)), Some(value)) => out.push((name, value)),
            _ => break,
        }
    }
    out
}

/// Decodes whole batches into records from offset `from` on. Uncompressed ones are not copied. Stops after the batch with
/// which more than `max_bytes` are held, so that a small compressed read stays small.
pub fn decode_batches(data: Bytes, from: i64, max_bytes: usize, partition: i32) -> Result<RawBatch, BatchFault> {
    let mut headers = vec![];
    let mut start = 0;
    let mut compressed = false;
    while start < data.len() {
        let header = BatchHeader::parse(&data[start..])?;
        if data.len() - start < header.bytes {
            return Err(BatchFault::Truncated { needed: header.bytes, found: data.len() - start });
        }
        compressed |= header.compression()? != Compression::None;
        headers.push((start, header));
        start += header.bytes;
    }
    let mut records = Vec::with_capacity(headers.iter().map(|(_, h)| h.count.min(65_536) as usize).sum());
    let mut arena = vec![];
    for (start, header) in headers {
        if header.next_offset() <= from {
            continue;
        }
        let bytes = &data[start + HEADER_BYTES..start + header.bytes];
        if !compressed {
            push_records(&header, bytes, start + HEADER_BYTES, from, &mut records)?;
            continue;
        }
        if !arena.is_empty() && arena.len() >= max_bytes {
            break;
        }
        let at = arena.len();
        arena.extend_from_slice(&payload(&header, bytes)?);
        push_records(&header, &arena[at..], at, from, &mut records)?;
    }
    let data = if compressed { Bytes::from(arena) } else { data };
    Ok(RawBatch { data, records, partition })
}

fn push_records(
    header: &BatchHeader,
    payload: &[u8],
    base: usize,
    from: i64,
    records: &mut Vec<RawRecord>,
) -> Result<(), BatchFault> {
    let origin = payload.as_ptr() as usize;
    let span = |part: &[u8]| Span { start: (base + (part.as_ptr() as usize - origin)) as u32, len: part.len() as u32 };
    walk(header, payload, |record| {
        let offset = header.base_offset + i64::from(record.index);
        if offset >= from {
            records.push(RawRecord {
                value: record.value.map(span),
                key: record.key.map(span),
                headers: Some(span(record.headers)),
                offset,
                timestamp_ms: record.timestamp_ms,
            });
        }
    })
}

/// The first record at or after `timestamp_ms`.
pub(crate) fn first_at_or_after(
    header: &BatchHeader,
    batch: &[u8],
    timestamp_ms: i64,
) -> Result<Option<i64>, BatchFault> {
    let payload = payload(header, &batch[HEADER_BYTES..])?;
    let mut found = None;
    walk(header, &payload, |record| {
        if found.is_none() && record.timestamp_ms >= timestamp_ms {
            found = Some(header.base_offset + i64::from(record.index));
        }
    })?;
    Ok(found)
}
