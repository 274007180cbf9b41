//! Every bound in one place, with its reason.

/// Rows of a batch at most: above 8,192 kernels gain nothing and latency suffers.
pub const BATCH_ROWS: usize = 8_192;
/// Windows that a table function puts one row into: each is a copy of the row.
pub const WINDOWS_OF_A_ROW: i64 = 1_000;
/// Bytes that a source hands out in one poll.
pub const POLL_BYTES: usize = 1 << 20;
/// One record (a JSON object, a Kafka value).
pub const RECORD_BYTES: usize = 16 << 20;
/// Body of one HTTP request, after decompression.
pub const HTTP_BODY_BYTES: usize = 64 << 20;
/// One Kafka request frame.
pub const KAFKA_FRAME_BYTES: usize = 64 << 20;
/// Open connections of one door.
pub const DOOR_CONNECTIONS: usize = 4_096;
/// Text of one SQL statement or script.
pub const SQL_TEXT_BYTES: usize = 4 << 20;
/// Nesting of parentheses, subqueries and types: keeps recursive descent off the end of the stack.
pub const NESTING_DEPTH: usize = 128;
/// Nesting of a JSON value.
pub const JSON_DEPTH: usize = 128;
/// One Kafka record batch, compressed or not: what a hostile one can make a reader hold.
pub const RECORD_BATCH_BYTES: usize = 64 << 20;
/// Steps of a regular expression on one text: beyond it the row fails, so that a bad pattern stops nobody else.
pub const REGEX_STEPS: usize = 1_000_000;
/// Compiled patterns that a call keeps when they come from a column.
pub const REGEX_CACHE: usize = 64;
/// A log segment is sealed at this size.
pub const SEGMENT_BYTES: u64 = 64 << 20;
/// The manifest is rotated at this size.
pub const MANIFEST_BYTES: u64 = 8 << 20;
/// State deltas after which a merge is due.
pub const STATE_DELTAS: usize = 8;
/// Block of a state file before compression.
pub const STATE_BLOCK_BYTES: usize = 64 << 10;
/// Epochs of changes that a keyed table keeps for `/changes`.
pub const CHANGES_EPOCHS: usize = 1_024;
/// Rows of changes that a keyed table keeps for `/changes`.
pub const CHANGES_ROWS: usize = 262_144;
/// Late and quarantined rows that a table keeps; the oldest go first, the counters go on.
pub const SIDE_TABLE_ROWS: usize = 100_000;
/// How long idempotency keys are kept.
pub const IDEMPOTENCY_MS: i64 = 24 * 3_600_000;
/// The same failure at the same place as often stops the pipeline.
pub const SAME_FAILURES: u32 = 3;
/// Before a failed pipeline is started again; twice as long each time in a row.
pub const RESTART_PAUSE_MS: u64 = 500;
/// The longest of these pauses: an outside fault may last, and is looked for once a minute.
pub const RESTART_PAUSE_MAX_MS: u64 = 60_000;
/// Decoded rows of topics that queries have read: what a dashboard asks for again and again.
pub const READ_CACHE_BYTES: usize = 64 << 20;
/// An event of a managed topic so far ahead of its append is set aside: its watermark would close every window.
pub const FAR_FUTURE_MS: i64 = 24 * 3_600_000;
