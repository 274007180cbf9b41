//! A block of a file: lengths, checksum, lz4. State files and outboxes are made of these.

use crate::wire::WireReader;

pub(crate) const BLOCK_HEADER_BYTES: usize = 12;
/// A block holds one entry at least; no writer makes a larger one than this.
const BLOCK_BYTES_MAX: usize = 1 << 30;

/// Appends `raw` as a block: packed length, raw length, crc32c of both and of the packed bytes, the packed bytes.
pub(crate) fn put_block(out: &mut Vec<u8>, raw: &[u8]) {
    let packed = lz4_flex::block::compress(raw);
    let start = out.len();
    out.extend_from_slice(&(packed.len() as u32).to_le_bytes());
    out.extend_from_slice(&(raw.len() as u32).to_le_bytes());
    let crc = crc32c::crc32c_append(crc32c::crc32c(&out[start..]), &packed);
    out.extend_from_slice(&crc.to_le_bytes());
    out.extend_from_slice(&packed);
}

/// Unpacks the block that `bytes` are, into `raw`; else the reason why they are none.
pub(crate) fn take_block(bytes: &[u8], raw: &mut Vec<u8>) -> Result<(), &'static str> {
    let (head, packed) = bytes.split_at_checked(BLOCK_HEADER_BYTES).ok_or("a block is cut")?;
    let mut fields = WireReader::new(head);
    let (packed_len, raw_len, crc) = (fields.u32(), fields.u32(), fields.u32());
    let computed = crc32c::crc32c_append(crc32c::crc32c(&head[..8]), packed);
    if packed_len != Some(packed.len() as u32) || crc != Some(computed) {
        return Err("the checksum of a block is wrong");
    }
    let raw_len = raw_len.unwrap_or(0) as usize;
    if raw_len > BLOCK_BYTES_MAX {
        return Err("a block is too large");
    }
    raw.resize(raw_len, 0);
    match lz4_flex::block::decompress_into(packed, raw) {
        Ok(n) if n == raw_len => Ok(()),
        _ => Err("a block cannot be decompressed"),
    }
}
