//! `'connector' = 'filesystem'`, its options and its reading side: the records of a file, or of the files below a folder.
//!
//! Splits are files, read one after another by name. A position is the byte at which the next line starts and that
//! line's number. A file is read up to the length that it had when it was opened, as in Flink: files appear whole
//! (written elsewhere and renamed), they do not grow.

use std::collections::HashSet;
use std::io::ErrorKind;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arus_core::catalog::{ColumnKind, TableDef};
use arus_core::connector::{
    ConnectContext, Connector, Framing, OptionDef, OptionKind, PathPolicy, PollLimit, Polled, Position, RawBatch,
    RawRecord, SinkWriter, Source, SourceReader, Span, Split,
};
use arus_core::error::Code;
use arus_core::fs::{File, SharedFs};
use arus_core::limits::{BATCH_ROWS, POLL_BYTES, RECORD_BYTES};
use arus_core::plan::ChangelogMode;
use arus_core::types::TimeAttribute;
use arus_core::{Datum, Error, LogicalType, Result, RowSchema, TypeKind};
use bytes::{Bytes, BytesMut};
use regex::Regex;

use crate::format::csv;
use crate::format::parquet::read::ParquetRows;
use crate::options::Options;
use crate::registry::format_of;
use crate::sink::filesystem::FileSink;

pub(crate) struct Filesystem;

const PATH: &str = "path";
const MONITOR_INTERVAL: &str = "source.monitor-interval";
const REGEX: &str = "source.path.regex-pattern";

pub(crate) const ROLLING_SIZE: &str = "sink.rolling-policy.file-size";
pub(crate) const ROLLOVER_INTERVAL: &str = "sink.rolling-policy.rollover-interval";
pub(crate) const CHECK_INTERVAL: &str = "sink.rolling-policy.check-interval";
pub(crate) const DEFAULT_PARTITION: &str = "partition.default-name";
pub(crate) const AUTO_COMPACTION: &str = "auto-compaction";

const FILE_PATH: &str = "file.path";
const FILE_NAME: &str = "file.name";
const FILE_SIZE: &str = "file.size";
const FILE_MODIFIED: &str = "file.modification-time";

const OPTIONS: &[OptionDef] = &[
    OptionDef::new(PATH, OptionKind::Text, "a file, or a folder that is read with all folders below it").required(),
    OptionDef::new(MONITOR_INTERVAL, OptionKind::Duration, "look for new files so often; without it the source ends"),
    OptionDef::new(REGEX, OptionKind::Text, "only files whose whole path matches"),
    OptionDef::new(ROLLING_SIZE, OptionKind::Size, "a written file is closed at about this size").default_to("128 mb"),
    OptionDef::new(ROLLOVER_INTERVAL, OptionKind::Duration, "or when it is so old").default_to("30 min"),
    OptionDef::new(CHECK_INTERVAL, OptionKind::Duration, "how often the age is looked at; at checkpoints alone")
        .default_to("1 min"),
    OptionDef::new(DEFAULT_PARTITION, OptionKind::Text, "the folder of rows whose partition key is NULL or empty")
        .default_to("__DEFAULT_PARTITION__"),
    OptionDef::new(AUTO_COMPACTION, OptionKind::Boolean, "true is not supported").default_to("false"),
    OptionDef::new("sink.parallelism", OptionKind::Integer, "accepted; the sink runs as its input does"),
];

impl Connector for Filesystem {
    fn name(&self) -> &'static str {
        "filesystem"
    }

    fn options(&self) -> &'static [OptionDef] {
        OPTIONS
    }

    fn takes_format(&self) -> bool {
        true
    }

    fn metadata(&self) -> Vec<(&'static str, LogicalType)> {
        vec![
            (FILE_PATH, TypeKind::STRING.not_null()),
            (FILE_NAME, TypeKind::STRING.not_null()),
            (FILE_SIZE, TypeKind::BigInt.not_null()),
            (FILE_MODIFIED, TypeKind::TimestampLtz { precision: 3, attribute: TimeAttribute::None }.not_null()),
        ]
    }

    fn is_source(&self) -> bool {
        true
    }

    fn is_sink(&self) -> bool {
        true
    }

    fn sink_mode(&self, table: &TableDef) -> ChangelogMode {
        format_of(table).map_or(ChangelogMode::INSERT_ONLY, |f| f.encoding_mode())
    }

    fn source(&self, table: &TableDef, cx: &ConnectContext) -> Result<Arc<dyn Source>> {
        self.source_of(table, &table.physical_schema(), cx)
    }

    fn source_of(&self, table: &TableDef, columns: &RowSchema, cx: &ConnectContext) -> Result<Arc<dyn Source>> {
        let options = Options::of(table, OPTIONS);
        if !table.partition_keys.is_empty() {
            return Err(Error::not_supported(format!(
                "table '{}': PARTITIONED BY with connector 'filesystem'",
                table.path
            )));
        }
        let root = resolve(&options, cx)?;
        let monitor_ms = options.duration_ms(MONITOR_INTERVAL)?;
        if monitor_ms.is_some_and(|ms| ms <= 0) {
            return Err(options.wrong(MONITOR_INTERVAL, "more than 0", options.required(MONITOR_INTERVAL)?));
        }
        let pattern = options
            .text(REGEX)
            .map(|text| {
                Regex::new(&format!("^(?:{text})$"))
                    .map_err(|e| options.wrong(REGEX, "a regular expression", text).with_hint(e.to_string()))
            })
            .transpose()?;
        Ok(Arc::new(Files {
            table: table.path.to_string(),
            fs: cx.fs.clone(),
            paths: cx.paths.clone(),
            root,
            monitor_ms: monitor_ms.map(|ms| ms as u64),
            pattern,
            framing: format_of(table)?.framing(table)?,
            schema: table.physical_schema().to_arrow(),
            wanted: table.physical_schema().columns().iter().map(|c| columns.index_of(&c.name).is_some()).collect(),
            reads_modified: table.columns.iter().any(|column| match &column.kind {
                ColumnKind::Metadata { key, .. } => key.as_ref().unwrap_or(&column.name) == FILE_MODIFIED,
                _ => false,
            }),
        }))
    }

    fn sink(&self, table: &TableDef, cx: &ConnectContext) -> Result<Box<dyn SinkWriter>> {
        let options = Options::of(table, OPTIONS);
        let folder = resolve(&options, cx)?;
        Ok(Box::new(FileSink::new(table, &options, folder, cx)?))
    }
}

/// The absolute path, without `.` and `..`.
fn resolve(options: &Options<'_>, cx: &ConnectContext) -> Result<PathBuf> {
    let text = options.required(PATH)?;
    let local = match text.split_once("://") {
        Some(("file", rest)) => {
            let Some(rest) = rest.strip_prefix("localhost").unwrap_or(rest).strip_prefix('/') else {
                return Err(options.wrong(PATH, "a path on this machine (file:///..)", text));
            };
            format!("/{rest}")
        }
        Some((scheme, _)) => {
            return Err(options
                .wrong(PATH, "a path on this machine", text)
                .with_hint(format!("the scheme '{scheme}' is not supported: give a path or a file:// URL")));
        }
        None => text.strip_prefix("file:").unwrap_or(text).to_string(),
    };
    if local.is_empty() {
        return Err(options.wrong(PATH, "a file or folder", text));
    }
    if local.contains(['*', '?', '[', '{']) {
        return Err(options
            .wrong(PATH, "one file or folder", text)
            .with_hint(format!("a pattern in 'path' is not expanded: give the folder, and '{REGEX}' for its files")));
    }
    let mut path = PathBuf::new();
    for part in cx.working_dir.join(local).components() {
        match part {
            Component::ParentDir => {
                path.pop();
            }
            Component::CurDir => {}
            other => path.push(other),
        }
    }
    Ok(path)
}

struct Files {
    table: String,
    fs: SharedFs,
    paths: Arc<PathPolicy>,
    root: PathBuf,
    monitor_ms: Option<u64>,
    pattern: Option<Regex>,
    framing: Framing,
    /// All physical columns, and which are read: for files of columns.
    schema: SchemaRef,
    wanted: Vec<bool>,
    /// Whether a column asks for the files' times, which only a listing of their folder tells.
    reads_modified: bool,
}

impl Files {
    fn failed(&self, action: &str, path: &Path, error: std::io::Error) -> Error {
        let missing = error.kind() == ErrorKind::NotFound;
        let error = Error::io(action, path.display(), error).in_context(format!("table '{}'", self.table));
        if missing { error.with_hint("check 'path'; relative paths start at the working directory") } else { error }
    }

    /// Refuses what statements may not touch. The real place counts, not the name.
    fn check_allowed(&self, path: &Path) -> Result<()> {
        let PathPolicy::Only(folders) = &*self.paths else { return Ok(()) };
        let real = self.fs.canonicalize(path).map_err(|e| self.failed("resolve", path, e))?;
        let inside = folders.iter().any(|folder| {
            real.starts_with(folder) || self.fs.canonicalize(folder).is_ok_and(|folder| real.starts_with(folder))
        });
        if inside { Ok(()) } else { Err(self.outside(path, folders)) }
    }

    fn outside(&self, path: &Path, folders: &[PathBuf]) -> Error {
        let names: Vec<_> = folders.iter().map(|f| f.display().to_string()).collect();
        Error::user(format!(
            "table '{}': path {} is outside of the allowed folders ({})",
            self.table,
            path.display(),
            names.join(", ")
        ))
        .with_code(Code::PermissionDenied)
        .with_hint("start the server with --allow-path DIR")
    }

    /// When a file was written, in ms since 1970; 0 for one that has just gone.
    fn modified_ms(&self, path: &Path) -> Result<i64> {
        let Some(folder) = path.parent() else { return Ok(0) };
        let entries = self.fs.list(folder).map_err(|e| self.failed("read", folder, e))?;
        Ok(entries.iter().find(|entry| entry.path == path).map_or(0, |entry| entry.modified_ms))
    }

    /// All files below the root, by path; hidden ones are left out.
    fn list(&self) -> Result<Vec<PathBuf>> {
        let mut files = vec![];
        let mut folders = vec![self.root.clone()];
        while let Some(folder) = folders.pop() {
            let entries = match self.fs.list(&folder) {
                Ok(entries) => entries,
                // The root may be a file.
                Err(_) if folder == self.root && self.fs.open(&folder).is_ok() => {
                    files.push(folder);
                    continue;
                }
                // A folder that has just gone.
                Err(error) if error.kind() == ErrorKind::NotFound && folder != self.root => continue,
                Err(error) => return Err(self.failed("read", &folder, error)),
            };
            for entry in entries {
                let name = entry.path.file_name().unwrap_or_default().to_string_lossy();
                if name.starts_with(['.', '_']) {
                    continue;
                }
                if entry.is_dir { folders.push(entry.path) } else { files.push(entry.path) }
            }
        }
        if let Some(pattern) = &self.pattern {
            files.retain(|f| pattern.is_match(&f.to_string_lossy()));
        }
        files.sort();
        Ok(files)
    }
}

impl Source for Files {
    fn bounded(&self) -> bool {
        self.monitor_ms.is_none()
    }

    fn enumerate(&self, known: &[Split]) -> Result<Vec<Split>> {
        // A path outside is refused before anybody learns whether it exists; one that does not exist cannot be
        // resolved, and listing says so by itself.
        if let PathPolicy::Only(folders) = &*self.paths
            && !self.fs.exists(&self.root).map_err(|e| self.failed("read", &self.root, e))?
            && !folders.iter().any(|f| self.root.starts_with(f))
        {
            return Err(self.outside(&self.root, folders));
        }
        if self.fs.exists(&self.root).map_err(|e| self.failed("read", &self.root, e))? {
            self.check_allowed(&self.root)?;
        }
        let known: HashSet<&str> = known.iter().map(|s| s.id.as_str()).collect();
        let mut splits = vec![];
        for file in self.list()? {
            let Some(id) = file.to_str() else {
                return Err(Error::user(format!(
                    "table '{}': the name of {} is not UTF-8",
                    self.table,
                    file.display()
                )));
            };
            if !known.contains(id) {
                splits.push(Split { id: id.to_string() });
            }
        }
        Ok(splits)
    }

    fn discovery_interval_ms(&self) -> Option<u64> {
        self.monitor_ms
    }

    fn sequential(&self) -> bool {
        true
    }

    fn open(&self, split: &Split, position: Option<&Position>) -> Result<Box<dyn SourceReader>> {
        let path = Path::new(&split.id);
        self.check_allowed(path)?;
        let file = self.fs.open(path).map_err(|e| self.failed("open", path, e))?;
        let end = file.len().map_err(|e| self.failed("read", path, e))?;
        let modified_ms = if self.reads_modified { Some(self.modified_ms(path)?) } else { None };
        let facts = Facts { path: path.to_path_buf(), end, modified_ms };
        if self.framing == Framing::Columns {
            let row = position.map_or(Some(0), Position::as_u64);
            let row = row.ok_or_else(|| Error::bug(format!("file {}: no number of a row", path.display())))?;
            let name = format!("table '{}': file {}", self.table, path.display());
            let columns = (self.schema.clone(), self.wanted.clone());
            let rows = ParquetRows::open(name, file, end, columns, row, BATCH_ROWS)?;
            return Ok(Box::new(RowReader { facts, rows, pending: None }));
        }
        let (offset, line) = match position {
            None => (0, 0),
            Some(position) => parse_position(position)
                .ok_or_else(|| Error::bug(format!("file {}: no position: '{}'", path.display(), position.0)))?,
        };
        if offset > end {
            return Err(Error::external(format!(
                "table '{}': file {} has {end} bytes, but {offset} were already read",
                self.table,
                path.display()
            ))
            .with_hint("files of a table must not be shortened or replaced: give new data a new name"));
        }
        Ok(Box::new(LineReader { file, framing: self.framing, facts, offset, line, last: None }))
    }
}

/// `offset:line`, both counted from 0.
fn parse_position(position: &Position) -> Option<(u64, i64)> {
    let (offset, line) = position.0.split_once(':')?;
    Some((offset.parse().ok()?, line.parse().ok()?))
}

/// What is the same for all rows of a file.
struct Facts {
    path: PathBuf,
    end: u64,
    /// Where a column asks for it.
    modified_ms: Option<i64>,
}

impl Facts {
    fn metadata(&self, key: &str) -> Option<Datum> {
        let text = |text: &std::ffi::OsStr| Datum::String(text.to_string_lossy().into_owned());
        match key {
            FILE_PATH => Some(text(self.path.as_os_str())),
            FILE_NAME => self.path.file_name().map(text),
            FILE_SIZE => Some(Datum::BigInt(self.end as i64)),
            FILE_MODIFIED => self.modified_ms.map(Datum::Timestamp),
            _ => None,
        }
    }
}

/// Hands out the rows of a file of columns.
struct RowReader {
    facts: Facts,
    rows: ParquetRows,
    /// What was read beyond the limit of a poll.
    pending: Option<RecordBatch>,
}

impl SourceReader for RowReader {
    fn poll(&mut self, limit: PollLimit) -> Result<Polled> {
        let batch = match self.pending.take() {
            Some(batch) => Some(batch),
            None => self.rows.next()?,
        };
        let Some(batch) = batch else { return Ok(Polled::End) };
        let rows = limit.rows.max(1);
        if batch.num_rows() > rows {
            self.pending = Some(batch.slice(rows, batch.num_rows() - rows));
            return Ok(Polled::Rows(batch.slice(0, rows)));
        }
        Ok(Polled::Rows(batch))
    }

    fn position(&self) -> Position {
        Position::from_u64(self.rows.row - self.pending.as_ref().map_or(0, |b| b.num_rows() as u64))
    }

    fn metadata(&self, key: &str) -> Option<Datum> {
        self.facts.metadata(key)
    }

    fn backlog(&self) -> Option<u64> {
        Some(self.rows.rows.saturating_sub(self.rows.row))
    }
}

/// Hands out whole records, `\n` and a `\r` before it cut off.
struct LineReader {
    file: Arc<dyn File>,
    framing: Framing,
    facts: Facts,
    /// Of the next line.
    offset: u64,
    line: i64,
    /// The block handed out last: its memory is used again when nobody else holds it.
    last: Option<Bytes>,
}

impl LineReader {
    fn block(&mut self, len: usize) -> Result<BytesMut> {
        let mut block = self.last.take().and_then(|last| last.try_into_mut().ok()).unwrap_or_default();
        block.resize(len, 0);
        let read =
            self.file.read_at(self.offset, &mut block).map_err(|e| Error::io("read", self.facts.path.display(), e))?;
        block.truncate(read);
        Ok(block)
    }

    /// Passes a line that is too long: the decoder gets one byte more than it takes, and rejects it.
    fn overlong(&mut self, mut block: BytesMut) -> Result<Polled> {
        let mut at = self.offset + block.len() as u64;
        block.truncate(RECORD_BYTES + 1);
        let mut chunk = vec![0; POLL_BYTES];
        let next = loop {
            if at >= self.facts.end {
                break self.facts.end;
            }
            let read =
                self.file.read_at(at, &mut chunk).map_err(|e| Error::io("read", self.facts.path.display(), e))?;
            if read == 0 {
                break self.facts.end;
            }
            match chunk[..read].iter().position(|b| *b == b'\n') {
                Some(newline) => break at + newline as u64 + 1,
                None => at += read as u64,
            }
        };
        let span = Span { start: 0, len: block.len() as u32 };
        let records = vec![record(span, self.line)];
        self.offset = next;
        self.line += 1;
        Ok(Polled::Raw(RawBatch { data: block.freeze(), records, partition: 0 }))
    }
}

fn record(span: Span, line: i64) -> RawRecord {
    RawRecord { value: Some(span), key: None, headers: None, offset: line, timestamp_ms: 0 }
}

/// The length of a line without a carriage return at its end.
fn without_return(line: &[u8]) -> usize {
    line.len() - usize::from(line.ends_with(b"\r"))
}

impl SourceReader for LineReader {
    fn poll(&mut self, limit: PollLimit) -> Result<Polled> {
        let rest = self.facts.end - self.offset.min(self.facts.end);
        if rest == 0 {
            return Ok(Polled::End);
        }
        let mut len = limit.bytes.clamp(1, RECORD_BYTES);
        loop {
            let block = self.block((len as u64).min(rest) as usize)?;
            if block.is_empty() {
                // The file has become shorter.
                self.offset = self.facts.end;
                return Ok(Polled::End);
            }
            let at_end = self.offset + block.len() as u64 >= self.facts.end;
            let mut records = Vec::with_capacity(limit.rows.min(block.len() / 64 + 1));
            let mut pos = 0;
            while pos < block.len() && records.len() < limit.rows.max(1) {
                let (content, line) = match self.framing {
                    Framing::Quoted { delimiter, quote, escape } => {
                        let ahead = &block[pos..];
                        match csv::record_len(ahead, at_end, delimiter, quote, escape) {
                            Some(lens) => lens,
                            None if at_end => (ahead.len(), ahead.len()),
                            None => break,
                        }
                    }
                    _ => match memchr::memchr(b'\n', &block[pos..]) {
                        Some(len) => (without_return(&block[pos..pos + len]), len + 1),
                        None if at_end => (without_return(&block[pos..]), block.len() - pos),
                        None => break,
                    },
                };
                records.push(record(Span { start: pos as u32, len: content as u32 }, self.line));
                self.line += 1;
                pos += line;
            }
            if pos > 0 {
                self.offset += pos as u64;
                let data = block.freeze();
                self.last = Some(data.clone());
                return Ok(Polled::Raw(RawBatch { data, records, partition: 0 }));
            }
            if block.len() > RECORD_BYTES {
                return self.overlong(block);
            }
            len = (len * 2).min(RECORD_BYTES + 1);
            self.last = Some(block.freeze());
        }
    }

    fn position(&self) -> Position {
        Position(format!("{}:{}", self.offset, self.line))
    }

    fn metadata(&self, key: &str) -> Option<Datum> {
        self.facts.metadata(key)
    }

    fn backlog(&self) -> Option<u64> {
        // Rows are not counted ahead: about as many as 200 bytes each.
        Some((self.facts.end - self.offset.min(self.facts.end)).div_ceil(200))
    }
}
