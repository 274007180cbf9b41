//! Every bound in one place, with its reason.

/// Rows of a batch at most: above 8,192 kernels gain nothing and latency suffers.
pub const BATCH_ROWS: usize = 8_192;
/// Windows that a table function puts one row into: each is a copy of the row.
pub const WINDOWS_OF_A_ROW: i64 = 1_000;
/// Rows waiting between two data threads, of one edge: a few batches, so that neither waits and latency stays low.
pub const EXCHANGE_BYTES: usize = 2 << 20;
/// Bytes that a source hands out in one poll.
pub const POLL_BYTES: usize = 1 << 20;
/// One record (a JSON object, a Kafka value).
pub const RECORD_BYTES: usize = 16 << 20;
/// Body of one HTTP request, after decompression.
pub const HTTP_BODY_BYTES: usize = 64 << 20;
/// One Kafka request frame.
pub const KAFKA_FRAME_BYTES: usize = 64 << 20;
/// Open connections of one door; less where the system gives the process fewer files.
pub const DOOR_CONNECTIONS: usize = 4_096;
/// Files that are no connections: segments, state, sources. A quarter of what is left is a door's.
pub const FILES_RESERVED: usize = 512;
/// Bytes of requests that one door has taken and not answered. HTTP refuses more with 429, Kafka and Postgres read on later.
pub const DOOR_BYTES: usize = 96 << 20;
/// The same of all doors together.
pub const DOORS_BYTES: usize = 128 << 20;
/// Bytes of answers that Kafka consumers are about to take; more of them get less each, or wait.
pub const ANSWER_BYTES: usize = 128 << 20;
/// Rows by HTTP wait as long for a core, plus [`INGEST_WAIT_NS_A_BYTE`]; then the answer is 429. A short queue keeps
/// the accepted ones fast.
pub const INGEST_WAIT_MS: u64 = 25;
/// What a large request may wait in addition: about what its own work takes.
pub const INGEST_WAIT_NS_A_BYTE: u64 = 40;
/// A Kafka client is asked to hold back for as long as its request has waited, and at most this.
pub const THROTTLE_MS: u32 = 1_000;
/// A begun request whose next bytes do not come ends its connection.
pub const REQUEST_STALL_MS: u64 = 30_000;
/// An answer of which the client takes nothing ends its connection.
pub const ANSWER_STALL_MS: u64 = 60_000;
/// An HTTP or Kafka connection without a request; Kafka's own default. Postgres sessions may be idle: TCP finds the dead ones.
pub const IDLE_MS: u64 = 600_000;
/// From the connection to the end of Postgres' startup.
pub const STARTUP_MS: u64 = 10_000;
/// One message of a Postgres client: a statement and its parameters.
pub const POSTGRES_MESSAGE_BYTES: usize = 16 << 20;
/// Rows that a Postgres client may fetch at a time; one that asks for more gets all, as they come.
pub const POSTGRES_FETCH_ROWS: i32 = 1 << 20;
/// Parameters of one statement: what a Bind message can count.
pub const PARAMETERS: usize = u16::MAX as usize;
/// A key is a name, not a document.
pub const IDEMPOTENCY_KEY_BYTES: usize = 256;
/// A Kafka consumer may ask to wait as long for news.
pub const FETCH_WAIT_MS: i32 = 30_000;
/// Bytes of one answer to a Kafka consumer, whatever it asks.
pub const FETCH_BYTES: usize = 16 << 20;
/// Partitions that one Kafka request may name.
pub const KAFKA_PARTITIONS_A_REQUEST: usize = 10_000;
/// Rows that a page of the console gets.
pub const CONSOLE_ROWS: usize = 10_000;
/// Panels of one dashboard that is watched: more is no screen.
pub const WATCHED_PANELS: usize = 200;
/// Statements of one watched dashboard that run at the same time: it is one of many readers.
pub const WATCHED_AT_ONCE: usize = 4;
/// Points of a series that a panel may ask for: wider than any screen.
pub const PANEL_POINTS: usize = 8_192;
/// Text of one SQL statement or script.
pub const SQL_TEXT_BYTES: usize = 16 << 20;
/// Nesting of parentheses, subqueries and types: keeps recursive descent off the end of the stack.
pub const SQL_NESTING: u32 = 100;
/// Height of an expression's tree, which chains such as `a + b + c ..` make as well.
pub const SQL_HEIGHT: u32 = 512;
/// Stack of each thread that reads, plans or computes a statement: all of them walk trees of [`SQL_NESTING`] and [`SQL_HEIGHT`]
/// by recursion. Memory is taken for what is used of it alone.
pub const STACK_BYTES: usize = 32 << 20;
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
/// At most so much of a disk stays free when nobody says how much.
pub const DISK_FLOOR_BYTES: u64 = 256 << 20;
/// At most so much of the disk budget is for checkpoints when rows are refused already.
pub const DISK_RESERVE_BYTES: u64 = 256 << 20;
/// State deltas after which a merge is due.
pub const STATE_DELTAS: usize = 8;
/// Block of a state file before compression.
pub const STATE_BLOCK_BYTES: usize = 64 << 10;
/// Epochs of changes that a keyed table keeps for `/changes`.
pub const CHANGES_EPOCHS: usize = 1_024;
/// Rows of changes that a keyed table keeps for `/changes`.
pub const CHANGES_ROWS: usize = 262_144;
/// Bytes of these: rows may be large.
pub const CHANGES_BYTES: usize = 32 << 20;
/// Late and quarantined rows that a table keeps; the oldest go first, the counters go on.
pub const SIDE_TABLE_ROWS: usize = 100_000;
/// How long idempotency keys, and idempotent producers that are silent, are kept.
pub const IDEMPOTENCY_MS: i64 = 24 * 3_600_000;
/// Idempotent producers that a partition knows; the longest silent one goes first.
pub const PRODUCERS_OF_A_PARTITION: usize = 10_000;
/// Batches of each producer that are known again when they are sent again: Kafka's number, as many as clients have in flight.
pub const PRODUCER_BATCHES: usize = 5;
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
/// Rows of an exactly-once sink in memory, since the last checkpoint: beyond it the pipeline's sources wait for the next one.
pub const OUTBOX_MEMORY_BYTES: usize = 32 << 20;
/// Outboxes of one pipeline that its sinks have not taken, beyond which its sources stop (and by bytes: the setting
/// `arus.outbox.bytes`): each stands in every record of the manifest until it is delivered.
pub const OUTBOX_FILES: usize = 300;
/// Before a failed delivery is tried again; twice as long each time in a row.
pub const DELIVERY_PAUSE_MS: u64 = 100;
/// The longest of these pauses: a sink that is back gets its rows within this time.
pub const DELIVERY_PAUSE_MAX_MS: u64 = 10_000;
/// Rows of one outbox that a sink may reject: more is a wrong table, not wrong rows, and nothing of it is delivered.
pub const REJECTED_ROWS: usize = 1_000;
/// Users and roles together: all of them stand in one record of the manifest.
pub const USERS: usize = 1_000;
/// A name of a user or role.
pub const USER_NAME_BYTES: usize = 63;
/// A password: a sentence, not a document.
pub const PASSWORD_BYTES: usize = 1_024;
/// Addresses and users whose wrong passwords are remembered; the longest quiet one goes first.
pub const WRONG_PASSWORDS: usize = 10_000;
/// Logins of the console and bearer tokens that are alive; the oldest goes first.
pub const TOKENS: usize = 10_000;
/// How long a login of the console lasts.
pub const TOKEN_MS: i64 = 12 * 3_600_000;
/// A dashboard's file: a screen of panels, not a document.
pub const DASHBOARD_BYTES: usize = 1 << 20;
/// Files of dashboards that are read; those behind them by name are not seen.
pub const DASHBOARDS: usize = 500;
/// Alerts of a server: each is a pipeline and a file.
pub const ALERTS: usize = 1_000;
/// Cases of an alert that fire at once: more of them are counted, since nobody reads a thousand and one messages.
pub const ALERT_CASES: usize = 1_000;
/// Rows that stand for one case: beyond them the oldest is forgotten.
pub const ALERT_CASE_ROWS: usize = 1_000;
/// Events of an alert that are kept for readers, in the file that is written as a whole.
pub const ALERT_EVENTS: usize = 500;
/// Notifications of an alert that wait for one notifier: beyond them the oldest goes, and is counted.
pub const ALERT_MESSAGES: usize = 1_000;
/// A text of a row in a summary.
pub const ALERT_SUMMARY_CHARS: usize = 500;
/// Events of a backtest that are shown; all are counted.
pub const BACKTEST_EVENTS: usize = 1_000;
/// Before a notification is tried again; twice as long each time in a row.
pub const NOTIFY_PAUSE_MS: i64 = 1_000;
/// The longest of these pauses: who is back is told within this time.
pub const NOTIFY_PAUSE_MAX_MS: i64 = 60_000;
/// How long all of one notification may take.
pub const NOTIFY_MS: u64 = 15_000;
/// What of a webhook's answer is looked at.
pub const NOTIFY_ANSWER_BYTES: usize = 4 << 10;
/// A longer line is no answer of a mail server.
pub const MAIL_LINE_BYTES: usize = 4 << 10;
/// Lines of one answer of a mail server.
pub const MAIL_LINES: usize = 64;
