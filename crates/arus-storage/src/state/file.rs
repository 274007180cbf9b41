//! A state file: header, compressed blocks of sorted entries, footer with the index of blocks.
//!
//! Written once, from first to last byte, and synced before anybody names it. Every block has its own checksum, so
//! damage is found where it is.

use std::io;
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
use super::store::StateFileRef;
use crate::block::{BLOCK_HEADER_BYTES, put_block, take_block};
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
    /// Steps over blocks that are damaged, and notes them here.
    found: Option<Vec<StateDamage>>,
}

/// A stretch of a state file that cannot be read: what the operators from `first` to `last` keep is not whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateDamage {
    /// The file's name.
    pub file: String,
    /// The newest epoch in it.
    pub cut: Cut,
    pub position: u64,
    pub reason: String,
    /// `None`: nothing is lost.
    pub operators: Option<(Uid, Uid)>,
}

impl StateDamage {
    pub fn hits(&self, uid: Uid) -> bool {
        self.operators.is_some_and(|(first, last)| first <= uid && uid <= last)
    }
}

/// What a file's header and footer say.
struct Frame {
    cut: Cut,
    index: Vec<BlockRef>,
    footer_at: u64,
}

/// A place and what is wrong there.
type Fault = (u64, &'static str);

impl StateFileReader {
    /// Entries of the key groups from `wanted.0` up to but not `wanted.1`.
    pub(crate) fn open(fs: &dyn Fs, path: &Path, wanted: (u16, u16)) -> Result<Self> {
        let read = |error| Error::io("read state file", path.display(), error);
        let file = fs.open(path).map_err(read)?;
        let frame = read_frame(file.as_ref()).map_err(read)?;
        let frame = frame.map_err(|(position, reason)| damaged(path, position, reason))?;
        Ok(Self::over(file, path, frame, wanted))
    }

    fn over(file: Arc<dyn File>, path: &Path, frame: Frame, wanted: (u16, u16)) -> Self {
        StateFileReader {
            file,
            path: path.to_path_buf(),
            cut: frame.cut,
            index: frame.index,
            footer_at: frame.footer_at,
            next_block: 0,
            block: vec![],
            at: 0,
            ahead: None,
            wanted,
            found: None,
        }
    }

    /// The same for a file that may be damaged: what can be read of it is given, and the rest noted. A damaged header or
    /// index costs nothing as long as the blocks hold as many entries as the manifest says.
    pub(crate) fn open_damaged(
        fs: &dyn Fs,
        path: &Path,
        expected: &StateFileRef,
        wanted: (u16, u16),
    ) -> Result<(Option<Self>, Vec<StateDamage>)> {
        let read = |error| Error::io("read state file", path.display(), error);
        let note = |position, reason: &str, lost: bool| StateDamage {
            file: expected.name.clone(),
            cut: expected.cut,
            position,
            reason: reason.to_string(),
            operators: lost.then_some((Uid(0), Uid(u64::MAX))),
        };
        if !fs.exists(path).map_err(read)? {
            return Ok((None, vec![note(0, "it is missing", true)]));
        }
        let file = fs.open(path).map_err(read)?;
        let tolerant = |file, frame| Self { found: Some(vec![]), ..Self::over(file, path, frame, wanted) };
        match read_frame(file.as_ref()).map_err(read)? {
            Ok(frame) if frame.cut == expected.cut => Ok((Some(tolerant(file, frame)), vec![])),
            Ok(_) => Ok((None, vec![note(0, "it is of another epoch", true)])),
            Err((position, reason)) => {
                let (index, entries, footer_at) = scan_blocks(file.as_ref()).map_err(read)?;
                if entries != expected.entries {
                    return Ok((None, vec![note(position, reason, true)]));
                }
                let reader = tolerant(file, Frame { cut: expected.cut, index, footer_at });
                Ok((Some(reader), vec![note(position, reason, false)]))
            }
        }
    }

    /// Damage that was stepped over so far.
    pub(crate) fn into_damages(self) -> Vec<StateDamage> {
        self.found.unwrap_or_default()
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
                let Some(entry) = parse_entry(&mut fields) else {
                    self.step_over(self.block_position(), "a block is malformed")?;
                    self.at = self.block.len();
                    continue;
                };
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
        self.at = 0;
        let length = end.checked_sub(position).map(|n| n as usize).filter(|n| *n >= BLOCK_HEADER_BYTES);
        let Some(length) = length else {
            self.block.clear();
            self.step_over(position, "its index is malformed")?;
            return Ok(true);
        };
        let mut bytes = vec![0; length];
        let read = self.file.read_at(position, &mut bytes);
        bytes.truncate(read.map_err(|e| Error::io("read state file", self.path.display(), e))?);
        if let Err(reason) = take_block(&bytes, &mut self.block) {
            self.block.clear();
            self.step_over(position, reason)?;
        }
        Ok(true)
    }

    /// An error, unless damage is to be noted: then reading goes on with the next block.
    fn step_over(&mut self, position: u64, reason: &'static str) -> Result<()> {
        let Some(found) = &mut self.found else { return Err(damaged(&self.path, position, reason)) };
        let block = self.next_block.checked_sub(1).and_then(|at| self.index.get(at));
        found.push(StateDamage {
            file: self.path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            cut: self.cut,
            position,
            reason: reason.to_string(),
            operators: Some(block.map_or((Uid(0), Uid(u64::MAX)), |b| (b.first.0, b.last.0))),
        });
        Ok(())
    }
}

/// Header and footer of a file.
fn read_frame(file: &dyn File) -> io::Result<Result<Frame, Fault>> {
    let len = file.len()?;
    if len < (HEADER_BYTES + TRAILER_BYTES) as u64 {
        return Ok(Err((0, "it is cut")));
    }
    let mut header = [0; HEADER_BYTES];
    file.read_exact_at(0, &mut header)?;
    let Some(cut) = parse_header(&header) else { return Ok(Err((0, "its header is not one of a state file"))) };
    let mut trailer = [0; TRAILER_BYTES];
    let trailer_at = len - TRAILER_BYTES as u64;
    file.read_exact_at(trailer_at, &mut trailer)?;
    let mut fields = WireReader::new(&trailer);
    let (crc, footer_len) = (fields.u32(), fields.u32());
    let footer_at = footer_len
        .and_then(|n| trailer_at.checked_sub(u64::from(n)))
        .filter(|at| *at >= HEADER_BYTES as u64 && &trailer[8..] == FOOTER_MAGIC);
    let Some(footer_at) = footer_at else {
        return Ok(Err((trailer_at, "its end is not the end of a state file")));
    };
    let mut footer = vec![0; (trailer_at - footer_at) as usize];
    file.read_exact_at(footer_at, &mut footer)?;
    if Some(crc32c::crc32c(&footer)) != crc {
        return Ok(Err((footer_at, "the checksum of its index is wrong")));
    }
    let Some(index) = parse_footer(&footer) else { return Ok(Err((footer_at, "its index is malformed"))) };
    Ok(Ok(Frame { cut, index, footer_at }))
}

/// The blocks as they follow one another, up to the first that is not whole, with the number of their entries and their end.
fn scan_blocks(file: &dyn File) -> io::Result<(Vec<BlockRef>, u64, u64)> {
    let len = file.len()?;
    let (mut index, mut entries, mut position) = (vec![], 0, HEADER_BYTES as u64);
    let mut raw = vec![];
    loop {
        let mut head = [0; BLOCK_HEADER_BYTES];
        if file.read_at(position, &mut head)? < BLOCK_HEADER_BYTES {
            return Ok((index, entries, position));
        }
        let packed = u64::from(u32::from_le_bytes([head[0], head[1], head[2], head[3]]));
        let end = position + BLOCK_HEADER_BYTES as u64 + packed;
        if end > len {
            return Ok((index, entries, position));
        }
        let mut bytes = vec![0; (end - position) as usize];
        file.read_exact_at(position, &mut bytes)?;
        if take_block(&bytes, &mut raw).is_err() {
            return Ok((index, entries, position));
        }
        let mut fields = WireReader::new(&raw);
        let (mut first, mut last, mut count) = (None, None, 0);
        while fields.remaining() > 0 {
            let Some(entry) = parse_entry(&mut fields) else { return Ok((index, entries, position)) };
            last = Some((entry.uid, entry.key_group));
            first = first.or(last);
            count += 1;
        }
        let (Some(first), Some(last)) = (first, last) else { return Ok((index, entries, position)) };
        index.push(BlockRef { first, last, position });
        entries += count;
        position = end;
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
