//! Outboxes: the rows of an exactly-once sink between two checkpoints, in a file that the manifest names until the sink
//! has taken them.
//!
//! Written once, from first to last byte, and synced before the record that names it. Its blocks are those of state files:
//! each has a checksum of its own. Format: docs/formats/outbox.md.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arus_core::change::arrow_bug;
use arus_core::delivery::{OutboxRead, OutboxRows};
use arus_core::error::Code;
use arus_core::fs::{File, SharedFs};
use arus_core::limits::STATE_BLOCK_BYTES;
use arus_core::plan::Uid;
use arus_core::read::Cut;
use arus_core::{ChangeBatch, Error, LogicalType, Result, RowKind, RowSchema};
use serde::{Deserialize, Serialize};

use crate::block::{put_block, take_block};
use crate::codec::RowCodec;
use crate::manifest::OutboxRef;
use crate::wire::{WireReader, put_bytes};

const MAGIC: &[u8; 8] = b"ARUSOBX\0";
const FOOTER_MAGIC: &[u8; 4] = b"AOBF";
const VERSION: u32 = 1;
/// Magic, version, cut, pipeline, sink, length of the schema.
const HEADER_BYTES: usize = 48;
const TRAILER_BYTES: usize = 12;
/// Written to the file at once.
const WRITE_BYTES: usize = 1 << 20;
/// No table has a schema of this size.
const SCHEMA_BYTES_MAX: usize = 16 << 20;

/// The folder of outboxes.
#[derive(Clone)]
pub struct OutboxStore {
    fs: SharedFs,
    dir: PathBuf,
}

/// What tells the outboxes of a server apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct OutboxOwner {
    /// The pipeline's id in the catalog.
    pub pipeline: u64,
    pub sink: Uid,
}

impl OutboxStore {
    /// Of a folder that is only read.
    pub(crate) fn at(fs: SharedFs, dir: &Path) -> Self {
        OutboxStore { fs, dir: dir.to_path_buf() }
    }

    pub fn open(fs: SharedFs, dir: &Path) -> Result<Self> {
        fs.create_dir_all(dir).map_err(|e| Error::io("create", dir.display(), e))?;
        Ok(OutboxStore { fs, dir: dir.to_path_buf() })
    }

    /// Writes and syncs the file; its name is durable after [`Self::sync`].
    pub fn write(&self, owner: OutboxOwner, cut: Cut, schema: &RowSchema, rows: &OutboxRows) -> Result<OutboxRef> {
        let OutboxOwner { pipeline, sink } = owner;
        let name = format!("{:08}-{:012}-{pipeline}-{:016x}.outbox", cut.incarnation, cut.epoch, sink.0);
        let path = self.dir.join(&name);
        let write = || {
            let file = self.fs.open_append(&path).map_err(|e| Error::io("create outbox", path.display(), e))?;
            file.truncate(0).map_err(|e| Error::io("create outbox", path.display(), e))?;
            write_file(file.as_ref(), &path, owner, cut, schema, rows)
        };
        match write() {
            Ok(bytes) => Ok(OutboxRef { name, pipeline, sink, cut, rows: rows.len() as u64, bytes }),
            Err(error) => {
                // Nobody names it; what stays is removed with the next unreferenced files.
                if let Err(second) = self.fs.remove_file(&path) {
                    tracing::warn!(path = %path.display(), error = %second, "an unfinished outbox stays for now");
                }
                Err(error)
            }
        }
    }

    /// Makes the names of written files durable.
    pub fn sync(&self) -> Result<()> {
        self.fs.sync_dir(&self.dir).map_err(|e| Error::io("sync", self.dir.display(), e))
    }

    pub fn read(&self, outbox: &OutboxRef) -> Result<OutboxReader> {
        let path = self.dir.join(&outbox.name);
        OutboxReader::open(&self.fs, &path, outbox).map_err(|fault| fault.of(&path))
    }

    /// Reads all of it: where it is damaged, each place with the reason. An error: it cannot be read at all.
    pub(crate) fn examine(&self, outbox: &OutboxRef) -> Result<Vec<(u64, String)>> {
        let path = self.dir.join(&outbox.name);
        let mut reader = match OutboxReader::open(&self.fs, &path, outbox) {
            Ok(reader) => reader,
            Err(Fault::Damage { position, reason }) => return Ok(vec![(position, reason)]),
            Err(Fault::Other(error)) => return Err(error),
        };
        let mut found = vec![];
        loop {
            match reader.next_block() {
                Ok(Some(_)) => {}
                Ok(None) => return Ok(found),
                Err(Fault::Damage { position, reason }) => found.push((position, reason)),
                Err(Fault::Other(error)) => return Err(error),
            }
        }
    }

    /// Removes every file that `named` does not hold. Call it after the record that names them is durable.
    pub fn remove_unreferenced(&self, named: &[OutboxRef]) -> Result<usize> {
        let named: BTreeSet<PathBuf> = named.iter().map(|outbox| self.dir.join(&outbox.name)).collect();
        let entries = self.fs.list(&self.dir).map_err(|e| Error::io("list", self.dir.display(), e))?;
        let mut removed = 0;
        for entry in entries.into_iter().filter(|e| !e.is_dir && !named.contains(&e.path)) {
            self.fs.remove_file(&entry.path).map_err(|e| Error::io("remove", entry.path.display(), e))?;
            removed += 1;
        }
        Ok(removed)
    }
}

fn write_file(
    file: &dyn File,
    path: &Path,
    owner: OutboxOwner,
    cut: Cut,
    schema: &RowSchema,
    rows: &OutboxRows,
) -> Result<u64> {
    let io = |e| Error::io("write outbox", path.display(), e);
    let schema = serde_json::to_vec(schema).map_err(|e| Error::bug(format!("the schema of an outbox: {e}")))?;
    let mut buffer = MAGIC.to_vec();
    buffer.extend_from_slice(&VERSION.to_le_bytes());
    for field in [cut.incarnation, cut.epoch, owner.pipeline, owner.sink.0] {
        buffer.extend_from_slice(&field.to_le_bytes());
    }
    buffer.extend_from_slice(&(schema.len() as u32).to_le_bytes());
    buffer.extend_from_slice(&schema);
    buffer.extend_from_slice(&crc32c::crc32c(&buffer).to_le_bytes());
    let (mut written, mut block, mut in_block, mut index) = (0u64, vec![], 0u64, vec![]);
    let mut end_block = |buffer: &mut Vec<u8>, block: &mut Vec<u8>, in_block: &mut u64| {
        if *in_block > 0 {
            index.push((written + buffer.len() as u64, std::mem::take(in_block)));
            put_block(buffer, block);
            block.clear();
        }
        if buffer.len() >= WRITE_BYTES {
            file.append(buffer).map_err(io)?;
            written += buffer.len() as u64;
            buffer.clear();
        }
        Ok::<(), Error>(())
    };
    for (kind, row) in rows.iter() {
        if in_block > 0 && block.len() + row.len() + 6 > STATE_BLOCK_BYTES {
            end_block(&mut buffer, &mut block, &mut in_block)?;
        }
        block.push(kind);
        put_bytes(&mut block, row);
        in_block += 1;
    }
    end_block(&mut buffer, &mut block, &mut in_block)?;
    let mut footer = (rows.len() as u64).to_le_bytes().to_vec();
    footer.extend_from_slice(&(index.len() as u32).to_le_bytes());
    for (position, rows) in &index {
        footer.extend_from_slice(&position.to_le_bytes());
        footer.extend_from_slice(&rows.to_le_bytes());
    }
    buffer.extend_from_slice(&footer);
    buffer.extend_from_slice(&crc32c::crc32c(&footer).to_le_bytes());
    buffer.extend_from_slice(&(footer.len() as u32).to_le_bytes());
    buffer.extend_from_slice(FOOTER_MAGIC);
    file.append(&buffer).map_err(io)?;
    file.sync().map_err(|e| Error::io("sync outbox", path.display(), e))?;
    Ok(written + buffer.len() as u64)
}

/// The rows of an outbox, block by block in their order.
pub struct OutboxReader {
    file: Arc<dyn File>,
    path: PathBuf,
    codec: RowCodec,
    schema: SchemaRef,
    /// Position of each block, and how many rows it has.
    index: Vec<(u64, u64)>,
    footer_at: u64,
    next_block: usize,
}

impl OutboxReader {
    fn open(fs: &SharedFs, path: &Path, expected: &OutboxRef) -> Result<Self, Fault> {
        let read = |e| Fault::Other(Error::io("read outbox", path.display(), e));
        let bad = |position, reason: &str| Fault::Damage { position, reason: reason.into() };
        let file = fs.open(path).map_err(read)?;
        let len = file.len().map_err(read)?;
        if len < (HEADER_BYTES + 4 + TRAILER_BYTES) as u64 {
            return Err(bad(0, "it is cut"));
        }
        let mut header = vec![0; HEADER_BYTES];
        file.read_exact_at(0, &mut header).map_err(read)?;
        let schema_len = u32::from_le_bytes([header[44], header[45], header[46], header[47]]) as usize;
        if schema_len > SCHEMA_BYTES_MAX || (HEADER_BYTES + schema_len + 4) as u64 > len {
            return Err(bad(0, "its header is not one of an outbox"));
        }
        header.resize(HEADER_BYTES + schema_len + 4, 0);
        file.read_exact_at(HEADER_BYTES as u64, &mut header[HEADER_BYTES..]).map_err(read)?;
        let (owner, cut, schema) = parse_header(&header).ok_or_else(|| bad(0, "its header is not one of an outbox"))?;
        if cut != expected.cut || owner != (OutboxOwner { pipeline: expected.pipeline, sink: expected.sink }) {
            return Err(bad(0, "it belongs to another sink or checkpoint"));
        }
        let trailer_at = len - TRAILER_BYTES as u64;
        let mut trailer = [0; TRAILER_BYTES];
        file.read_exact_at(trailer_at, &mut trailer).map_err(read)?;
        let mut fields = WireReader::new(&trailer);
        let (crc, footer_len) = (fields.u32(), fields.u32());
        let footer_at = footer_len
            .and_then(|n| trailer_at.checked_sub(u64::from(n)))
            .filter(|at| *at >= header.len() as u64 && &trailer[8..] == FOOTER_MAGIC)
            .ok_or_else(|| bad(trailer_at, "its end is not the end of an outbox"))?;
        let mut footer = vec![0; (trailer_at - footer_at) as usize];
        file.read_exact_at(footer_at, &mut footer).map_err(read)?;
        if Some(crc32c::crc32c(&footer)) != crc {
            return Err(bad(footer_at, "the checksum of its index is wrong"));
        }
        let (rows, index) = parse_footer(&footer).ok_or_else(|| bad(footer_at, "its index is malformed"))?;
        if rows != expected.rows || index.iter().map(|(_, n)| n).sum::<u64>() != rows {
            return Err(bad(footer_at, "it has another number of rows than the manifest says"));
        }
        let codec = RowCodec::new(schema.types().cloned().collect::<Vec<LogicalType>>());
        let path = path.to_path_buf();
        Ok(OutboxReader { file, path, codec, schema: schema.to_arrow(), index, footer_at, next_block: 0 })
    }

    /// The rows of these numbers, which are sorted.
    pub fn rows_at(&mut self, numbers: &[u64]) -> Result<Vec<ChangeBatch>> {
        let (mut found, mut start) = (vec![], 0);
        self.next_block = 0;
        while let Some(batch) = self.next()? {
            let end = start + batch.num_rows() as u64;
            found.extend(
                numbers.iter().filter(|n| (start..end).contains(n)).map(|n| batch.slice((n - start) as usize, 1)),
            );
            start = end;
        }
        Ok(found)
    }
}

impl OutboxRead for OutboxReader {
    fn next(&mut self) -> Result<Option<ChangeBatch>> {
        self.next_block().map_err(|fault| fault.of(&self.path))
    }
}

impl OutboxReader {
    fn next_block(&mut self) -> Result<Option<ChangeBatch>, Fault> {
        let Some((position, count)) = self.index.get(self.next_block).copied() else { return Ok(None) };
        let end = self.index.get(self.next_block + 1).map_or(self.footer_at, |(at, _)| *at);
        self.next_block += 1;
        let bad = |reason: &str| Fault::Damage { position, reason: reason.into() };
        let io = |e| Fault::Other(Error::io("read outbox", self.path.display(), e));
        let length = end.checked_sub(position).filter(|_| end <= self.footer_at);
        let mut bytes = vec![0; length.ok_or_else(|| bad("its index is malformed"))? as usize];
        self.file.read_exact_at(position, &mut bytes).map_err(io)?;
        let mut block = vec![];
        take_block(&bytes, &mut block).map_err(bad)?;
        let (mut kinds, mut rows) = (vec![], vec![]);
        let mut fields = WireReader::new(&block);
        while fields.remaining() > 0 {
            let kind = fields.u8().and_then(RowKind::from_byte).ok_or_else(|| bad("a block is malformed"))?;
            kinds.push(kind);
            rows.push(fields.bytes().ok_or_else(|| bad("a block is malformed"))?);
        }
        if rows.len() as u64 != count {
            return Err(bad("a block has another number of rows than the index says"));
        }
        let columns = self.codec.decode(rows.iter().copied()).map_err(|e| bad(e.message()))?;
        let batch = RecordBatch::try_new(self.schema.clone(), columns).map_err(|e| Fault::Other(arrow_bug(e)))?;
        Ok(Some(ChangeBatch::new(batch, kinds)))
    }
}

fn parse_header(header: &[u8]) -> Option<(OutboxOwner, Cut, RowSchema)> {
    let (body, crc) = header.split_last_chunk::<4>()?;
    let mut fields = WireReader::new(body);
    let known =
        fields.take(8)? == MAGIC && fields.u32()? == VERSION && crc32c::crc32c(body) == u32::from_le_bytes(*crc);
    let cut = Cut { incarnation: fields.u64()?, epoch: fields.u64()? };
    let owner = OutboxOwner { pipeline: fields.u64()?, sink: Uid(fields.u64()?) };
    let schema_len = fields.u32()? as usize;
    let schema = serde_json::from_slice(fields.take(schema_len)?).ok()?;
    known.then_some((owner, cut, schema))
}

fn parse_footer(footer: &[u8]) -> Option<(u64, Vec<(u64, u64)>)> {
    let mut fields = WireReader::new(footer);
    let rows = fields.u64()?;
    let mut index = vec![];
    for _ in 0..fields.u32()? {
        index.push((fields.u64()?, fields.u64()?));
    }
    (fields.remaining() == 0).then_some((rows, index))
}

/// Why an outbox cannot be read.
enum Fault {
    Damage { position: u64, reason: String },
    Other(Error),
}

impl Fault {
    fn of(self, path: &Path) -> Error {
        match self {
            Fault::Damage { position, reason } => {
                Error::external(format!("outbox {} is damaged at byte {position}: {reason}", path.display()))
                    .with_code(Code::Corrupt)
                    .with_hint("restore this file from a copy: it holds rows that the sink has not taken")
            }
            Fault::Other(error) => error,
        }
    }
}

#[cfg(test)]
mod tests;
