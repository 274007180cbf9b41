//! Connectors and formats: the traits behind the two registries of arus-connect.
//!
//! A reader never blocks and never decodes: the task asks it with [`SourceReader::poll`] and decodes what it
//! hands out, so that one loop, owned by the runtime, serves every connector. Connectors that talk to a
//! network do so on their own threads behind a bounded channel that `poll` drains.

use std::path::PathBuf;
use std::sync::Arc;

use arrow::array::RecordBatch;
use async_trait::async_trait;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::catalog::TableDef;
use crate::change::{ChangeBatch, RowKind};
use crate::clock::SharedClock;
use crate::datum::Datum;
use crate::delivery::{MarkName, OutboxRows, SinkDelivery};
use crate::error::Code;
use crate::error::{Error, Result};
use crate::fs::SharedFs;
use crate::plan::ChangelogMode;
use crate::schema::RowSchema;
use crate::secret::Secrets;
use crate::types::LogicalType;

// ---- options -------------------------------------------------------------------------------------------

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OptionKind {
    Text,
    Integer,
    Number,
    Boolean,
    Duration,
    /// `64 mb`.
    Size,
    Choice(&'static [&'static str]),
}

/// One option of a WITH clause: the list validates, documents and later draws the form of the console.
#[derive(Debug, Clone, Copy)]
pub struct OptionDef {
    /// `#` stands for a column's name (`fields.#.kind`), a final `*` for anything (`properties.*`).
    pub name: &'static str,
    pub kind: OptionKind,
    pub required: bool,
    pub default: Option<&'static str>,
    pub about: &'static str,
}

impl OptionDef {
    /// One that may be left out.
    pub const fn new(name: &'static str, kind: OptionKind, about: &'static str) -> Self {
        OptionDef { name, kind, required: false, default: None, about }
    }

    pub const fn default_to(self, value: &'static str) -> Self {
        OptionDef { default: Some(value), ..self }
    }

    pub const fn required(self) -> Self {
        OptionDef { required: true, ..self }
    }
}

// ---- connectors ----------------------------------------------------------------------------------------

/// What a connector may use of the process.
#[derive(Clone)]
pub struct ConnectContext {
    pub fs: SharedFs,
    pub clock: SharedClock,
    /// Seeds generators; the same seed gives the same rows.
    pub seed: u64,
    pub paths: Arc<PathPolicy>,
    pub hosts: Arc<HostPolicy>,
    pub secrets: Secrets,
    /// Relative paths start here.
    pub working_dir: PathBuf,
    /// Where `print` writes.
    pub stdout: Arc<dyn LineOutput>,
    pub stderr: Arc<dyn LineOutput>,
    /// The session's zone by its IANA name.
    pub time_zone: String,
    /// print writes `~ watermark N` lines too, so that a test can cut its output.
    pub mark_watermarks: bool,
    /// The task of a pipeline that has several, from 0.
    pub task: Option<usize>,
}

/// Which files a statement may touch.
#[derive(Debug, Clone)]
pub enum PathPolicy {
    /// The user's own rights: `arus run`, `arus check`.
    Unrestricted,
    /// Statements that come by a door: only below these folders.
    Only(Vec<PathBuf>),
}

/// Which other machines a connector may reach.
#[derive(Debug, Clone)]
pub enum HostPolicy {
    /// The user's own rights: `arus run`, `arus check`.
    Unrestricted,
    /// Statements that come by a door: `host`, `host:port`, `*.domain`, `[v6]:port`.
    Only(Vec<String>),
}

impl HostPolicy {
    pub fn allows(&self, host: &str, port: u16) -> bool {
        let HostPolicy::Only(allowed) = self else { return true };
        let host = host.trim_matches(['[', ']']).to_ascii_lowercase();
        allowed.iter().any(|entry| {
            let entry = entry.trim().to_ascii_lowercase();
            // A bare IPv6 address has colons of its own.
            let (name, only) = match entry.rsplit_once(':') {
                Some((name, digits)) if !name.contains(':') || name.ends_with(']') => (name, Some(digits)),
                _ => (entry.as_str(), None),
            };
            let name = name.trim_matches(['[', ']']);
            let known = match name.strip_prefix('*') {
                Some(end) => end.is_empty() || end.starts_with('.') && host.ends_with(end),
                None => name == host,
            };
            known && only.is_none_or(|digits| digits.parse() == Ok(port))
        })
    }
}

/// Takes whole lines; each call is written at once, never interleaved with another.
pub trait LineOutput: Send + Sync {
    fn write_lines(&self, lines: &str) -> Result<()>;
}

pub trait Connector: Send + Sync {
    fn name(&self) -> &'static str;

    fn options(&self) -> &'static [OptionDef];

    /// Whether a `'format'` is required.
    fn takes_format(&self) -> bool {
        false
    }

    /// METADATA keys that can be read, with their types.
    fn metadata(&self) -> Vec<(&'static str, LogicalType)> {
        vec![]
    }

    /// With [`Connector::source`].
    fn is_source(&self) -> bool {
        false
    }

    /// With [`Connector::sink`].
    fn is_sink(&self) -> bool {
        false
    }

    /// What a sink of this table accepts (insert-only, upsert, all).
    fn sink_mode(&self, _table: &TableDef) -> ChangelogMode {
        ChangelogMode::ALL
    }

    fn source(&self, table: &TableDef, _cx: &ConnectContext) -> Result<Arc<dyn Source>> {
        Err(one_way(self.name(), table, "sink", "source"))
    }

    /// A source of which only these physical columns are read: one that makes rows may leave the others NULL.
    fn source_of(&self, table: &TableDef, _columns: &RowSchema, cx: &ConnectContext) -> Result<Arc<dyn Source>> {
        self.source(table, cx)
    }

    fn sink(&self, table: &TableDef, _cx: &ConnectContext) -> Result<Box<dyn SinkWriter>> {
        Err(one_way(self.name(), table, "source", "sink"))
    }

    /// Whether each task of a pipeline may have a writer of its own. Else all rows come to one.
    fn parallel_sink(&self) -> bool {
        false
    }

    /// Checked when the table is declared, beside its options.
    fn check(&self, _table: &TableDef) -> Result<()> {
        Ok(())
    }

    /// Whether rows go by an outbox: then [`Connector::delivery`] brings them to the sink.
    fn has_outbox(&self) -> bool {
        false
    }

    /// The outside end of a sink with an outbox.
    fn delivery(&self, table: &TableDef, _mark: MarkName, _cx: &ConnectContext) -> Result<Box<dyn SinkDelivery>> {
        Err(Error::bug(format!("connector '{}' of table '{}' has no outbox", self.name(), table.path)))
    }
}

fn one_way(connector: &str, table: &TableDef, is: &str, asked: &str) -> Error {
    let path = &table.path;
    Error::user(format!("table '{path}': connector '{connector}' can only be used as a {is}, not as a {asked}"))
        .with_code(Code::NotSupported)
}

// ---- sources -------------------------------------------------------------------------------------------

/// A partition, a file, a generator: what has its own position and watermark.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Split {
    /// Stable over restarts: it names the position in a checkpoint.
    pub id: String,
}

/// Where to go on in a split, as text that only its source reads (an offset, mostly).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Position(pub String);

impl Position {
    pub fn from_u64(value: u64) -> Self {
        Position(value.to_string())
    }

    pub fn as_u64(&self) -> Option<u64> {
        self.0.parse().ok()
    }
}

pub trait Source: Send + Sync {
    /// Whether it ends by itself.
    fn bounded(&self) -> bool;

    /// The splits that exist now and are not in `known`, in the order in which they are to be read. Called at the start
    /// and then by [`Source::discovery_interval_ms`].
    fn enumerate(&self, known: &[Split]) -> Result<Vec<Split>>;

    /// How often new splits are looked for; `None`: never.
    fn discovery_interval_ms(&self) -> Option<u64> {
        None
    }

    /// Whether splits are read one after another, in order (files), rather than side by side (partitions).
    fn sequential(&self) -> bool {
        false
    }

    /// `position`: where a checkpoint left off; `None`: where the table's options say.
    fn open(&self, split: &Split, position: Option<&Position>) -> Result<Box<dyn SourceReader>>;

    /// Whether `open` at an old position gives the same rows again. What cannot is written to an internal topic first.
    fn replayable(&self) -> bool {
        true
    }
}

#[derive(Debug, Clone, Copy)]
pub struct PollLimit {
    pub rows: usize,
    pub bytes: usize,
}

pub enum Polled {
    /// Records to decode.
    Raw(RawBatch),
    /// Rows that need no decoding: all physical columns of the table, in order.
    Rows(RecordBatch),
    /// Changes that need no decoding: the physical columns that are read, in order. They come in no order of time, so the
    /// watermark waits until nothing more is there for now.
    Changes(ChangeBatch),
    /// Nothing now.
    Idle,
    /// Nothing ever again.
    End,
}

pub trait SourceReader: Send {
    /// Never blocks.
    fn poll(&mut self, limit: PollLimit) -> Result<Polled>;

    /// Where the next poll goes on, after all that was handed out.
    fn position(&self) -> Position;

    /// A barrier has come: all that was handed out belongs to its epoch.
    fn on_barrier(&mut self) {}

    /// All rows before the position of this checkpoint are durable in their results.
    fn on_durable(&mut self, _position: &Position) -> Result<()> {
        Ok(())
    }

    /// Rows known to wait, for the console.
    fn backlog(&self) -> Option<u64> {
        None
    }

    /// The value of a METADATA key that is the same for all records of the split (`file.size`), in the type that
    /// [`Connector::metadata`] gives it; `None`: the key belongs to each record, or is unknown.
    fn metadata(&self, _key: &str) -> Option<Datum> {
        None
    }
}

/// A part of [`RawBatch::data`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    pub start: u32,
    pub len: u32,
}

#[derive(Debug, Clone, Copy)]
pub struct RawRecord {
    /// `None`: a null value (Kafka's tombstone).
    pub value: Option<Span>,
    pub key: Option<Span>,
    /// Kafka's encoding of record headers (count, then key and value each with their lengths, as varints).
    pub headers: Option<Span>,
    /// Kafka's offset, or the number of the line in its file.
    pub offset: i64,
    /// The time of the append, in ms; 0 where the source has none.
    pub timestamp_ms: i64,
}

/// Records as they came, in one buffer.
#[derive(Debug, Clone, Default)]
pub struct RawBatch {
    pub data: Bytes,
    pub records: Vec<RawRecord>,
    /// The Kafka partition; 0 elsewhere.
    pub partition: i32,
}

impl RawBatch {
    pub fn bytes(&self, span: Span) -> &[u8] {
        &self.data[span.start as usize..(span.start + span.len) as usize]
    }
}

// ---- formats -------------------------------------------------------------------------------------------

/// Stands before the METADATA keys of a format where its connector forwards them (topics do).
pub const VALUE_METADATA: &str = "value.";

/// Where a record of a file ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// At a line feed.
    Lines,
    /// At a line end that stands outside of quotes.
    Quoted { delimiter: u8, quote: Option<u8>, escape: Option<u8> },
    /// The file is a whole with an index: its connector reads columns of it by itself.
    Columns,
}

pub trait Format: Send + Sync {
    fn name(&self) -> &'static str;

    fn framing(&self, _table: &TableDef) -> Result<Framing> {
        Ok(Framing::Lines)
    }

    /// Without the format's own prefix: `ignore-parse-errors` for `json.ignore-parse-errors`.
    fn options(&self) -> &'static [OptionDef];

    /// Row kinds that decoding gives.
    fn changelog_mode(&self) -> ChangelogMode {
        ChangelogMode::INSERT_ONLY
    }

    /// Row kinds that encoding takes.
    fn encoding_mode(&self) -> ChangelogMode {
        ChangelogMode::INSERT_ONLY
    }

    /// METADATA keys that lie in the value, without the [`VALUE_METADATA`] by which a topic forwards them, with their types.
    fn metadata(&self) -> Vec<(&'static str, LogicalType)> {
        vec![]
    }

    /// `columns` are the physical columns that the plan reads, in the order wanted.
    fn decoder(&self, table: &TableDef, columns: &RowSchema, cx: &ConnectContext) -> Result<Box<dyn Decoder>>;

    /// A decoder that gives a column for each of `metadata` (keys of [`Format::metadata`]) behind `columns`.
    fn decoder_with_metadata(
        &self,
        table: &TableDef,
        columns: &RowSchema,
        metadata: &[&str],
        cx: &ConnectContext,
    ) -> Result<Box<dyn Decoder>> {
        match metadata.first() {
            None => self.decoder(table, columns, cx),
            Some(key) => Err(Error::bug(format!("format {} has no metadata key '{key}'", self.name()))),
        }
    }

    /// Encodes all columns of `schema`.
    fn encoder(&self, table: &TableDef, schema: &RowSchema, cx: &ConnectContext) -> Result<Box<dyn Encoder>>;
}

#[derive(Debug)]
pub struct Decoded {
    pub rows: RecordBatch,
    /// `None`: inserts.
    pub kinds: Option<Vec<RowKind>>,
    /// For each row the index of its record.
    pub records: Vec<u32>,
    /// Records that could not be decoded. Rows and rejects together are all records (but those that give no row).
    pub rejected: Vec<Rejected>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejected {
    pub record: u32,
    pub reason: String,
}

pub trait Decoder: Send {
    fn decode(&mut self, raw: &RawBatch) -> Result<Decoded>;
}

/// Encoded records, one after another.
#[derive(Debug, Default)]
pub struct EncodedRecords {
    pub data: Vec<u8>,
    /// End of each record in `data`.
    pub ends: Vec<usize>,
}

pub trait Encoder: Send {
    /// One record a row; row kinds that the format cannot express are an error.
    fn encode(&mut self, batch: &ChangeBatch, out: &mut EncodedRecords) -> Result<()>;
}

// ---- sinks ---------------------------------------------------------------------------------------------

/// What a sink needs to commit a checkpoint's rows: text that stands in the manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommitToken(pub String);

/// Work on a disk that has to be done before a checkpoint's record is written; it runs apart from the data thread.
pub type SyncTask = Box<dyn FnOnce() -> Result<()> + Send>;

/// The writing end of a connector. `write` is called with every batch; a sink that delivers at once (print,
/// at-least-once) does it there. One that follows checkpoints *prepares* what it has at the barrier, and it counts once
/// the checkpoint's record is durable: either files of its own, which a token names and `commit` shows, or an outbox, which
/// the checkpoint writes and [`crate::delivery::SinkDelivery`] delivers.
#[async_trait]
pub trait SinkWriter: Send {
    fn write(&mut self, batch: &ChangeBatch) -> Result<()>;

    /// `watermark` in ms has reached the sink.
    fn on_watermark(&mut self, _watermark: i64) -> Result<()> {
        Ok(())
    }

    /// Makes the rows since the last call ready to be committed; `None`: nothing to commit.
    async fn prepare(&mut self, _epoch: u64) -> Result<Option<CommitToken>> {
        Ok(None)
    }

    /// Whether a checkpoint should come although no rows do: something of this sink has become due.
    fn wants_checkpoint(&self) -> bool {
        false
    }

    /// What makes the rows of the last `prepare` durable; the record that holds its token is written after it.
    fn take_sync(&mut self) -> Option<SyncTask> {
        None
    }

    /// The rows of the last `prepare`, for an outbox.
    fn take_outbox(&mut self) -> Option<OutboxRows> {
        None
    }

    /// Whether its sources have to wait for the next checkpoint.
    fn is_full(&self) -> bool {
        false
    }

    /// Idempotent.
    async fn commit(&mut self, _token: &CommitToken) -> Result<()> {
        Ok(())
    }

    /// After a restart: `committed` stand in the manifest, everything else is discarded.
    async fn recover(&mut self, _committed: &[CommitToken]) -> Result<()> {
        Ok(())
    }
}
