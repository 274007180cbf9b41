//! A state file: header, compressed blocks of sorted entries, footer with the index of blocks.
//!
//! Written once, from first to last byte, and synced before anybody names it. Every block has its own checksum, so
//! damage is found where it is.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arus_core::error::Code;
use arus_core::fs::{File, Fs};
use arus_core::key_group::KEY_GROUPS;
use arus_core::limits::STATE_BLOCK_BYTES;
use arus_core::plan::Uid;
use arus_core::read::Cut;
use arus_core::{Error, Result, planted};

use super::delta::DeltaEntry;
use crate::block::{put_block, take_block};
use crate::wire::{WireReader, put_bytes, put_varint};

const MAGIC: &[u8; 8] = b"ARUSSTA\0";
const FOOTER_MAGIC: &[u8; 4] = b"ASTF";
const VERSION: u32 = 1;
pub(crate) const HEADER_BYTES: usize = 36;
const TRAILER_BYTES: usize = 12;
/// Written to the file at once.
const WRITE_BYTES: usize = 1 << 20;

struct BlockRef {
    first: (Uid, u16),
    last: (Uid, u16),
    position: u64,
}

pub(crate) struct StateFileWriter {
    file: Arc<dyn File>,
    path: PathBuf,
    written: u64,
    buffer: Vec<u8>,
    block: Vec<u8>,
    block_first: Option<(Uid, u16)>,
    block_last: (Uid, u16),
    index: Vec<BlockRef>,
    entries: u64,
}

impl StateFileWriter {
    pub(crate) fn create(fs: &dyn Fs, path: &Path, cut: Cut, full: bool) -> Result<Self> {
        let create = || {
            let file = fs.open_append(path)?;
            file.truncate(0)?;
            Ok(file)
        };
        let file = create().map_err(|e| Error::io("create state file", path.display(), e))?;
        let mut header = MAGIC.to_vec();
        header.extend_from_slice(&VERSION.to_le_bytes());
        header.extend_from_slice(&cut.incarnation.to_le_bytes());
        header.extend_from_slice(&cut.epoch.to_le_bytes());
        header.extend_from_slice(&KEY_GROUPS.to_le_bytes());
        header.extend_from_slice(&u16::from(full).to_le_bytes());
        let crc = crc32c::crc32c(&header);
        header.extend_from_slice(&crc.to_le_bytes());
        Ok(StateFileWriter {
            file,
            path: path.to_path_buf(),
            written: 0,
            buffer: header,
            block: vec![],
            block_first: None,
            block_last: (Uid(0), 0),
            index: vec![],
            entries: 0,
        })
    }

    /// Entries come in the order of files, each key once.
    pub(crate) fn push(&mut self, entry: &DeltaEntry<'_>) -> Result<()> {
        let needed = entry.key.len() + entry.value.map_or(0, <[u8]>::len) + 30;
        if !self.block.is_empty() && self.block.len() + needed > STATE_BLOCK_BYTES {
            self.end_block()?;
        }
        self.block_last = (entry.uid, entry.key_group);
        self.block_first.get_or_insert(self.block_last);
        self.block.extend_from_slice(&entry.uid.0.to_le_bytes());
        self.block.extend_from_slice(&entry.key_group.to_le_bytes());
        put_bytes(&mut self.block, entry.key);
        match entry.value {
            None => put_varint(&mut self.block, 0),
            Some(value) => {
                put_varint(&mut self.block, value.len() as u64 + 1);
                self.block.extend_from_slice(value);
            }
        }
        self.entries += 1;
        Ok(())
    }

    fn end_block(&mut self) -> Result<()> {
        let Some(first) = self.block_first.take() else { return Ok(()) };
        let position = self.written + self.buffer.len() as u64;
        self.index.push(BlockRef { first, last: self.block_last, position });
        put_block(&mut self.buffer, &self.block);
        self.block.clear();
        if self.buffer.len() >= WRITE_BYTES { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<()> {
        self.file.append(&self.buffer).map_err(|e| Error::io("write state file", self.path.display(), e))?;
        self.written += self.buffer.len() as u64;
        self.buffer.clear();
        Ok(())
    }

    /// Writes the footer and syncs the file; gives (bytes, entries). The folder is the caller's.
    pub(crate) fn finish(mut self) -> Result<(u64, u64)> {
        self.end_block()?;
        let mut footer = vec![];
        footer.extend_from_slice(&self.entries.to_le_bytes());
        footer.extend_from_slice(&(self.index.len() as u32).to_le_bytes());
        for block in &self.index {
            for (uid, key_group) in [block.first, block.last] {
                footer.extend_from_slice(&uid.0.to_le_bytes());
                footer.extend_from_slice(&key_group.to_le_bytes());
            }
            footer.extend_from_slice(&block.position.to_le_bytes());
        }
        let crc = crc32c::crc32c(&footer);
        self.buffer.extend_from_slice(&footer);
        self.buffer.extend_from_slice(&crc.to_le_bytes());
        self.buffer.extend_from_slice(&(footer.len() as u32).to_le_bytes());
        self.buffer.extend_from_slice(FOOTER_MAGIC);
        self.flush()?;
        if !planted("state-not-synced") {
            self.file.sync().map_err(|e| Error::io("sync state file", self.path.display(), e))?;
        }
        Ok((self.written, self.entries))
    }
}

/// An open file, read block by block in its order.
pub(crate) struct StateFileReader {
    file: Arc<dyn File>,
    path: PathBuf,
    cut: Cut,
    index: Vec<BlockRef>,
    footer_at: u64,
    next_block: usize,
    block: Vec<u8>,
    at: usize,
    /// The entry that the reader stands at: its end in the block.
    ahead: Option<usize>,
    wanted: (u16, u16),
}

impl StateFileReader {
    /// Entries of the key groups from `wanted.0` up to but not `wanted.1`.
    pub(crate) fn open(fs: &dyn Fs, path: &Path, wanted: (u16, u16)) -> Result<Self> {
        let read = |error| Error::io("read state file", path.display(), error);
        let file = fs.open(path).map_err(read)?;
        let len = file.len().map_err(read)?;
        let damaged = |position, reason| damaged(path, position, reason);
        if len < (HEADER_BYTES + TRAILER_BYTES) as u64 {
            return Err(damaged(0, "it is cut"));
        }
        let mut header = [0; HEADER_BYTES];
        file.read_exact_at(0, &mut header).map_err(read)?;
        let cut = parse_header(&header).ok_or_else(|| damaged(0, "its header is not one of a state file"))?;
        let mut trailer = [0; TRAILER_BYTES];
        let trailer_at = len - TRAILER_BYTES as u64;
        file.read_exact_at(trailer_at, &mut trailer).map_err(read)?;
        let mut fields = WireReader::new(&trailer);
        let (crc, footer_len) = (fields.u32(), fields.u32());
        let footer_at = footer_len
            .and_then(|n| trailer_at.checked_sub(u64::from(n)))
            .filter(|at| *at >= HEADER_BYTES as u64 && &trailer[8..] == FOOTER_MAGIC)
            .ok_or_else(|| damaged(trailer_at, "its end is not the end of a state file"))?;
        let mut footer = vec![0; (trailer_at - footer_at) as usize];
        file.read_exact_at(footer_at, &mut footer).map_err(read)?;
        if Some(crc32c::crc32c(&footer)) != crc {
            return Err(damaged(footer_at, "the checksum of its index is wrong"));
        }
        let index = parse_footer(&footer).ok_or_else(|| damaged(footer_at, "its index is malformed"))?;
        let path = path.to_path_buf();
        Ok(StateFileReader {
            file,
            path,
            cut,
            index,
            footer_at,
            next_block: 0,
            block: vec![],
            at: 0,
            ahead: None,
            wanted,
        })
    }

    pub(crate) fn cut(&self) -> Cut {
        self.cut
    }

    /// The entry at which it stands.
    pub(crate) fn peek(&mut self) -> Result<Option<DeltaEntry<'_>>> {
        loop {
            if self.ahead.is_some() {
                break;
            }
            if self.at < self.block.len() {
                let mut fields = WireReader::new(&self.block[self.at..]);
                let entry = parse_entry(&mut fields)
                    .ok_or_else(|| damaged(&self.path, self.block_position(), "a block is malformed"))?;
                let end = self.block.len() - fields.remaining();
                if (self.wanted.0..self.wanted.1).contains(&entry.key_group) {
                    self.ahead = Some(end);
                } else {
                    self.at = end;
                }
            } else if !self.load_block()? {
                return Ok(None);
            }
        }
        Ok(parse_entry(&mut WireReader::new(&self.block[self.at..])))
    }

    /// Steps over the entry that `peek` gave.
    pub(crate) fn advance(&mut self) {
        if let Some(end) = self.ahead.take() {
            self.at = end;
        }
    }

    fn block_position(&self) -> u64 {
        self.next_block.checked_sub(1).map_or(0, |i| self.index[i].position)
    }

    /// The next block that may hold wanted key groups.
    fn load_block(&mut self) -> Result<bool> {
        while let Some(block) = self.index.get(self.next_block) {
            let one_uid = block.first.0 == block.last.0;
            let outside = one_uid && (block.last.1 < self.wanted.0 || block.first.1 >= self.wanted.1);
            if !outside {
                break;
            }
            self.next_block += 1;
        }
        let Some(block) = self.index.get(self.next_block) else { return Ok(false) };
        let position = block.position;
        let end = self.index.get(self.next_block + 1).map_or(self.footer_at, |b| b.position);
        self.next_block += 1;
        let bad = |reason| damaged(&self.path, position, reason);
        let length = end.checked_sub(position).map(|n| n as usize);
        let mut bytes = vec![0; length.ok_or_else(|| bad("its index is malformed"))?];
        self.file
            .read_exact_at(position, &mut bytes)
            .map_err(|e| Error::io("read state file", self.path.display(), e))?;
        take_block(&bytes, &mut self.block).map_err(|reason| damaged(&self.path, position, reason))?;
        self.at = 0;
        Ok(true)
    }
}

fn parse_header(header: &[u8; HEADER_BYTES]) -> Option<Cut> {
    let (body, crc) = header.split_last_chunk::<4>()?;
    let mut fields = WireReader::new(body);
    let known =
        fields.take(8)? == MAGIC && fields.u32()? == VERSION && crc32c::crc32c(body) == u32::from_le_bytes(*crc);
    let cut = Cut { incarnation: fields.u64()?, epoch: fields.u64()? };
    (known && fields.u16()? == KEY_GROUPS).then_some(cut)
}

fn parse_footer(footer: &[u8]) -> Option<Vec<BlockRef>> {
    let mut fields = WireReader::new(footer);
    fields.u64()?;
    let mut index = vec![];
    for _ in 0..fields.u32()? {
        index.push(BlockRef {
            first: (Uid(fields.u64()?), fields.u16()?),
            last: (Uid(fields.u64()?), fields.u16()?),
            position: fields.u64()?,
        });
    }
    (fields.remaining() == 0).then_some(index)
}

fn parse_entry<'a>(fields: &mut WireReader<'a>) -> Option<DeltaEntry<'a>> {
    let uid = Uid(fields.u64()?);
    let key_group = fields.u16()?;
    let key = fields.bytes()?;
    let value = match fields.varint()? {
        0 => None,
        n => Some(fields.take(usize::try_from(n - 1).ok()?)?),
    };
    Some(DeltaEntry { uid, key_group, key, value })
}

fn damaged(path: &Path, position: u64, reason: &str) -> Error {
    Error::external(format!("state file {} is damaged at byte {position}: {reason}", path.display()))
        .with_code(Code::Corrupt)
        .with_hint("restore this file from a copy, or drop the pipelines whose state it holds and create them again")
}
