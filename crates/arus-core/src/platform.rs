//! What the doors (Postgres, HTTP, Kafka, console) ask of the engine: trait objects, so that arus-serve
//! knows nothing of pipelines.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, SchemaRef};
use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use serde::Serialize;

use crate::catalog::ObjectPath;
use crate::change::ChangeBatch;
use crate::error::Result;
use crate::project::{ApplyReply, ApplyRequest};
use crate::read::Cut;
use crate::schema::RowSchema;

/// Where a statement came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Door {
    Postgres,
    Http,
    Console,
}

#[async_trait]
pub trait Platform: Send + Sync {
    /// For whom this is; `None` where nobody is asked.
    fn user(&self) -> Option<String> {
        None
    }

    fn session(&self, door: Door) -> Box<dyn Session>;

    /// Rows by HTTP; returns when they are durable.
    async fn ingest(&self, request: IngestRequest) -> Result<IngestReply>;

    /// The table's snapshot, then its changes; `from` continues where it may.
    fn changes(&self, table: &ObjectPath, from: Option<Cut>) -> Result<BoxStream<'static, Result<ChangeEvent>>>;

    /// Read-only SQL in PostgreSQL's dialect at one epoch; `$name` parameters are bound, never substituted.
    async fn query(&self, sql: &str, params: &BTreeMap<String, serde_json::Value>) -> Result<QueryRows>;

    /// [`Platform::query`] for whoever has an answer: it does not run while all that it read then is as it was.
    async fn query_again(
        &self,
        sql: &str,
        params: &BTreeMap<String, serde_json::Value>,
        last: Option<&Reading>,
    ) -> Result<Again>;

    /// The newest rows of a table, newest first.
    async fn newest(&self, table: &ObjectPath, limit: usize) -> Result<QueryRows>;

    /// A tick whenever an epoch ended, and at least once a second.
    fn ticks(&self) -> BoxStream<'static, Tick>;

    fn status(&self) -> ServerStatus;

    /// Prometheus text.
    fn metrics(&self) -> Result<String>;

    /// Whether recovery is over and rows are taken.
    fn ready(&self) -> bool;

    /// What whoever runs the server should know now, a sentence each: a disk that fills up. Empty when all is well.
    fn warnings(&self) -> Vec<String> {
        vec![]
    }

    /// What a project would change, or changes.
    async fn apply(&self, _request: ApplyRequest) -> Result<ApplyReply> {
        Err(crate::Error::not_supported("projects on this server"))
    }

    /// A checkpoint whose files stay as they are until the answer is dropped.
    async fn backup(&self) -> Result<PinnedBackup> {
        Err(crate::Error::not_supported("a backup of this server"))
    }

    /// All dashboards, by name.
    fn dashboards(&self) -> Result<Vec<Dashboard>>;

    /// Writes a dashboard's file, if the file still is what whoever asks has seen of it.
    async fn change_dashboard(&self, _change: DashboardChange) -> Result<Changed> {
        Err(crate::Error::not_supported("changes of dashboards on this server"))
    }

    fn log(&self) -> Arc<dyn LogDoor>;
}

// ---- statements ----------------------------------------------------------------------------------------

/// One connection's statements and settings. Dropping a future or stream cancels it.
#[async_trait]
pub trait Session: Send {
    /// Cuts the first complete statement off `text`; `None` when it is not complete (a STATEMENT SET without its END).
    fn cut_statement<'a>(&self, text: &'a str) -> Result<Option<(&'a str, &'a str)>>;

    async fn execute(&mut self, statement: &str, params: &[Param]) -> Result<StatementOutput>;

    /// Columns and parameters of a statement, without running it. `types`: what the client says of its parameters.
    async fn describe(&mut self, statement: &str, types: &[Option<DataType>]) -> Result<StatementShape>;

    /// What the client has set of PostgreSQL's settings that queries see: `TimeZone`, `search_path`.
    fn client_setting(&mut self, name: &str, value: &str);

    /// A streaming SELECT: changes until dropped (`/v1/sql` with `"stream":true`).
    async fn stream(&mut self, statement: &str) -> Result<(RowSchema, BoxStream<'static, Result<StreamEvent>>)>;

    /// Waits until what this session wrote is readable: for doors whose next request is another session.
    async fn settle(&mut self) -> Result<()>;

    /// What may be typed at the end of `before`.
    fn suggest(&self, before: &str, after: &str) -> Suggestions;

    /// BEGIN and COMMIT: reads in between see one epoch.
    fn pin(&mut self, pinned: bool);

    /// Whether this statement reads PostgreSQL's dialect here.
    fn is_postgres_query(&self, statement: &str) -> bool;
}

#[derive(Debug, Clone)]
pub enum StreamEvent {
    Changes(ChangeBatch),
    /// For the reader: why no row came for a while, what kind of answer this is.
    Note(String),
}

/// Completions of a statement that is being typed, best first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Suggestions {
    /// Characters before the cursor that a suggestion replaces.
    pub replace: usize,
    pub suggestions: Vec<Suggestion>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Suggestion {
    pub text: String,
    /// `table`, `column`, `function`, `keyword`, `option`, `setting`.
    pub kind: &'static str,
    /// A column's type, a function's signature, what an option is about.
    pub detail: String,
}

/// A parameter of a prepared statement, bound as a value.
#[derive(Debug, Clone)]
pub struct Param {
    /// As PostgreSQL writes it; `None` is NULL.
    pub text: Option<String>,
    /// What the client declared; else the statement decides.
    pub ty: Option<DataType>,
}

#[derive(Debug, Clone)]
pub struct StatementShape {
    /// `None`: it returns no rows.
    pub schema: Option<SchemaRef>,
    /// The type of each parameter.
    pub params: Vec<DataType>,
}

/// Key of a field's metadata: the name of the PostgreSQL type that a column has where Arrow's type does not tell (`oid`, `name`, `jsonb`).
pub const PG_TYPE: &str = "arus.pg_type";
/// The same for length or precision of a table's column, as `pg_attribute.atttypmod` packs it.
pub const PG_MODIFIER: &str = "arus.pg_modifier";

pub enum StatementOutput {
    Rows(QueryStream),
    Done(Done),
}

#[derive(Debug, Clone, Default)]
pub struct Done {
    /// PostgreSQL's command tag: `CREATE TABLE`, `INSERT 0 3`.
    pub tag: String,
    /// The pipeline that was started.
    pub job: Option<String>,
    /// Things to know: noted settings, unbounded state.
    pub notices: Vec<String>,
}

pub struct QueryStream {
    pub schema: SchemaRef,
    pub cut: Option<Cut>,
    pub as_of_ms: i64,
    pub batches: BoxStream<'static, Result<RecordBatch>>,
}

/// A whole small answer.
#[derive(Debug, Clone)]
pub struct QueryRows {
    pub schema: SchemaRef,
    pub cut: Cut,
    pub as_of_ms: i64,
    pub batches: Vec<RecordBatch>,
}

/// A consistent picture of the data folder, to be copied by whoever asked for it.
pub struct PinnedBackup {
    /// Where the files are and which of them, as JSON: `arus_storage::backup::Pinned`.
    pub list: serde_json::Value,
    /// The files may go when it is dropped.
    pub pin: Box<dyn Send>,
}

/// A dashboard as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dashboard {
    pub name: String,
    /// YAML.
    pub text: String,
    /// Where it is written to; without it a project has brought it, and only the project changes it.
    pub file: Option<PathBuf>,
}

impl Dashboard {
    /// Another text has another tag.
    pub fn tag(&self) -> String {
        format!("{:016x}", xxhash_rust::xxh3::xxh3_64(self.text.as_bytes()))
    }
}

#[derive(Debug, Clone)]
pub struct DashboardChange {
    pub name: String,
    /// The whole new text; `None` removes the file.
    pub text: Option<String>,
    /// The tag of what was seen; `None`: there was none of this name.
    pub seen: Option<String>,
}

/// What became of a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Changed {
    Done(Option<Dashboard>),
    /// Nothing was written: this is there instead of what was seen.
    Otherwise(Option<Dashboard>),
}

// ---- rows by HTTP --------------------------------------------------------------------------------------

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IngestFormat {
    /// One object or an array of objects.
    Json,
    Ndjson,
}

#[derive(Debug, Clone)]
pub struct IngestRequest {
    pub table: ObjectPath,
    pub format: IngestFormat,
    pub body: Bytes,
    pub idempotency_key: Option<String>,
}

#[derive(Debug, Clone, Default, Serialize)]
pub struct IngestReply {
    pub accepted: usize,
    pub rejected: Vec<RejectedRow>,
    pub unknown_fields: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RejectedRow {
    pub index: usize,
    pub reason: String,
}

// ---- changes -------------------------------------------------------------------------------------------

#[derive(Debug, Clone)]
pub enum ChangeEvent {
    /// What the client holds is void; a snapshot follows.
    Reset { cut: Cut },
    /// Rows of the snapshot (inserts), or the changes of one epoch. `complete`: no more of them follow at this cut.
    Changes { batch: ChangeBatch, schema: RowSchema, cut: Cut, durable: bool, complete: bool },
}

// ---- console -------------------------------------------------------------------------------------------

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Tick {
    pub incarnation: u64,
    pub epoch: u64,
    pub durable_epoch: u64,
    pub now_ms: i64,
    pub checkpoint_age_ms: i64,
}

#[derive(Debug, Clone, Serialize)]
pub struct ServerStatus {
    pub version: &'static str,
    pub name: String,
    pub started_ms: i64,
    pub incarnation: u64,
    pub cores: usize,
    pub memory: Usage,
    pub disk: DiskUsage,
}

#[derive(Debug, Clone, Copy, Serialize)]
pub struct Usage {
    pub used_bytes: u64,
    pub budget_bytes: u64,
}

#[derive(Debug, Clone, Copy, Serialize)]
pub struct DiskUsage {
    pub used_bytes: u64,
    pub free_bytes: u64,
    /// Of `--disk`.
    pub limit_bytes: Option<u64>,
    /// `ok`, `warning`, `full`.
    pub state: &'static str,
}

/// What a query has read.
#[derive(Debug, Clone, Default)]
pub struct Reading {
    pub tables: Vec<ObjectPath>,
    /// Of all of them together; `None`: one of them may be another at each epoch.
    pub version: Option<u64>,
}

/// The answer to a question that was asked before.
#[derive(Debug, Clone)]
pub enum Again {
    /// The last answer holds at this cut too.
    Same {
        cut: Cut,
        as_of_ms: i64,
    },
    Rows(QueryRows, Reading),
}

// ---- Kafka ---------------------------------------------------------------------------------------------

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicInfo {
    /// Kafka's name.
    pub name: String,
    pub partitions: i32,
    /// Whether a pipeline writes it: clients may not.
    pub written_by: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProduceAck {
    pub base_offset: i64,
    pub log_start_offset: i64,
    /// How long the server asks this client to hold back.
    pub throttle_ms: u32,
}

#[derive(Debug, Clone)]
pub struct FetchedBatches {
    /// Whole record batches v2; may begin before the offset asked for.
    pub batches: Bytes,
    pub high_watermark: i64,
    pub log_start_offset: i64,
}

/// The embedded log as the Kafka protocol sees it.
#[async_trait]
pub trait LogDoor: Send + Sync {
    fn topics(&self) -> Vec<TopicInfo>;
    /// An error where whoever asks may neither read nor write it, whether it is there or not.
    fn topic(&self, name: &str) -> Result<Option<TopicInfo>>;
    /// A topic that a client asked for: readable at once by its envelope.
    async fn create_topic(&self, name: &str, partitions: Option<i32>) -> Result<TopicInfo>;
    /// An id for an idempotent producer: no other one of this server ever has it.
    fn new_producer_id(&self) -> i64;
    /// Appends record batches v2; returns once they are synced.
    async fn produce(&self, topic: &str, partition: i32, batches: Bytes) -> Result<ProduceAck>;
    /// What is synced from `offset` on; empty when there is nothing.
    fn fetch(&self, topic: &str, partition: i32, offset: i64, max_bytes: usize) -> Result<FetchedBatches>;
    /// Resolves when there is something at `offset`.
    async fn wait_for(&self, topic: &str, partition: i32, offset: i64);
    /// (log start, high watermark).
    fn bounds(&self, topic: &str, partition: i32) -> Result<(i64, i64)>;
    /// The first offset whose record is not older than `timestamp_ms`.
    fn offset_for_time(&self, topic: &str, partition: i32, timestamp_ms: i64) -> Result<Option<i64>>;
}
