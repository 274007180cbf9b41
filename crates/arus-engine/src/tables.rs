//! Tables at run time: where their rows are, who writes them, what was set aside.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, OnceLock, RwLock};

use arrow::array::{AsArray, BooleanArray};
use arrow::compute::filter_record_batch;
use arus_core::catalog::{ObjectPath, TableDef, late_columns, quarantine_columns};
use arus_core::change::arrow_bug;
use arus_core::error::Code;
use arus_core::key_group::KEY_GROUPS;
use arus_core::limits::IDEMPOTENCY_MS;
use arus_core::plan::Uid;
use arus_core::read::Cut;
use arus_core::settings::parse_duration_ms;
use arus_core::types::TypeKind;
use arus_core::{ChangeBatch, Column, Error, Result, RowKind, RowSchema, planted};
use arus_storage::log::Topic;
use arus_storage::table::{KeyedTable, SealedVersion, TableMode, state_uid};
use xxhash_rust::xxh3::xxh3_64;

use crate::rates::Rates;
use crate::replay::Replays;
use crate::shown::Shown;

/// Where the rows of a table are.
pub(crate) enum Store {
    Topic(Arc<Topic>),
    Keyed {
        table: Arc<KeyedTable>,
        /// What clients write waits here until the pipeline has put it into the table.
        inbox: Arc<Topic>,
    },
    /// A connector; with an inbox when its source cannot replay.
    Connector {
        inbox: Option<Arc<Topic>>,
    },
}

/// A table is written by clients or by one pipeline, never by both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Writer {
    Nobody,
    Clients,
    /// By name.
    Pipeline(String),
}

pub(crate) struct Table {
    pub(crate) id: u64,
    pub(crate) def: Arc<TableDef>,
    pub(crate) store: Store,
    pub(crate) late: Arc<KeyedTable>,
    pub(crate) quarantine: Arc<KeyedTable>,
    /// What goes once more through the pipelines that have set it aside.
    pub(crate) replays: Arc<Replays>,
    /// Of a topic: where each epoch ends for readers.
    pub(crate) shown: Arc<Shown>,
    writer: Mutex<Writer>,
    /// Of a topic that a pipeline writes: how far readers see, the markers of the last checkpoint.
    visible: Mutex<Vec<i64>>,
    pub(crate) rows_in: AtomicU64,
    pub(crate) newest_ms: AtomicI64,
    pub(crate) rates: Mutex<Rates>,
    /// Made for a client of the Kafka door and declared by nobody yet: CREATE TABLE of its name gives it columns.
    undeclared: AtomicBool,
    /// Its pipeline has failed: what came after the last checkpoint is neither shown nor kept.
    frozen: AtomicBool,
    /// Its pipeline's start has failed: readers see no more of its topic than before.
    hidden: AtomicBool,
    /// Why its rows cannot be read: their state at rest is not whole.
    damaged: OnceLock<String>,
    /// Where the last epoch was: the cut of the rows, the end of the topic.
    seen: Mutex<(Cut, i64)>,
}

impl Table {
    pub(crate) fn new(id: u64, def: Arc<TableDef>, store: Store) -> Arc<Self> {
        Arc::new(Table {
            id,
            def,
            store,
            late: Arc::new(KeyedTable::new(late_schema(), &[0], TableMode::SIDE)),
            quarantine: Arc::new(KeyedTable::new(quarantine_schema(), &[0], TableMode::SIDE)),
            replays: Arc::new(Replays::new()),
            shown: Arc::new(Shown::new()),
            writer: Mutex::new(Writer::Nobody),
            visible: Mutex::new(vec![]),
            rows_in: AtomicU64::new(0),
            newest_ms: AtomicI64::new(i64::MIN),
            rates: Mutex::new(Rates::default()),
            undeclared: AtomicBool::new(false),
            frozen: AtomicBool::new(false),
            hidden: AtomicBool::new(false),
            damaged: OnceLock::new(),
            seen: Mutex::new((Cut { incarnation: 0, epoch: 0 }, 0)),
        })
    }

    /// The same table with another definition, and other rows where their layout changes.
    pub(crate) fn with_definition(&self, def: Arc<TableDef>, rows: Option<Arc<KeyedTable>>) -> Arc<Self> {
        let store = match (&self.store, rows) {
            (Store::Topic(topic), _) => Store::Topic(topic.clone()),
            (Store::Keyed { inbox, .. }, Some(table)) => Store::Keyed { table, inbox: inbox.clone() },
            (Store::Keyed { table, inbox }, None) => Store::Keyed { table: table.clone(), inbox: inbox.clone() },
            (Store::Connector { inbox }, _) => Store::Connector { inbox: inbox.clone() },
        };
        let locked = "no holder of this lock panics";
        Arc::new(Table {
            id: self.id,
            def,
            store,
            late: self.late.clone(),
            quarantine: self.quarantine.clone(),
            replays: self.replays.clone(),
            shown: self.shown.clone(),
            writer: Mutex::new(self.writer()),
            visible: Mutex::new(self.visible.lock().expect(locked).clone()),
            rows_in: AtomicU64::new(self.rows_in.load(Relaxed)),
            newest_ms: AtomicI64::new(self.newest_ms.load(Relaxed)),
            rates: Mutex::new(Rates::default()),
            frozen: AtomicBool::new(self.is_frozen()),
            hidden: AtomicBool::new(false),
            damaged: self.damaged.clone(),
            undeclared: AtomicBool::new(self.is_undeclared()),
            seen: Mutex::new(*self.seen.lock().expect(locked)),
        })
    }

    /// The topic behind the table's own rows, if it is one.
    pub(crate) fn topic(&self) -> Option<&Arc<Topic>> {
        match &self.store {
            Store::Topic(topic) | Store::Connector { inbox: Some(topic) } => Some(topic),
            Store::Keyed { .. } | Store::Connector { inbox: None } => None,
        }
    }

    /// Where clients' rows are appended.
    pub(crate) fn inbox(&self) -> Option<&Arc<Topic>> {
        match &self.store {
            Store::Topic(topic) | Store::Keyed { inbox: topic, .. } => Some(topic),
            Store::Connector { .. } => None,
        }
    }

    pub(crate) fn keyed(&self) -> Option<&Arc<KeyedTable>> {
        match &self.store {
            Store::Keyed { table, .. } => Some(table),
            _ => None,
        }
    }

    pub(crate) fn writer(&self) -> Writer {
        self.writer.lock().expect("no holder of this lock panics").clone()
    }

    pub(crate) fn set_writer(&self, writer: Writer) {
        *self.writer.lock().expect("no holder of this lock panics") = writer;
    }

    /// Clients may write, or the answer names the pipeline that does.
    pub(crate) fn claim_for_clients(&self) -> Result<()> {
        let mut writer = self.writer.lock().expect("no holder of this lock panics");
        self.check_whole()?;
        match &*writer {
            Writer::Nobody => *writer = Writer::Clients,
            Writer::Clients => {}
            Writer::Pipeline(name) => {
                return Err(Error::user(format!("table '{}' is written by pipeline '{name}'", self.def.path))
                    .with_code(Code::Conflict)
                    .with_hint("a table is written by clients or by one pipeline, never by both"));
            }
        }
        Ok(())
    }

    /// A pipeline may write.
    pub(crate) fn claim_for_pipeline(&self, name: &str) -> Result<()> {
        let mut writer = self.writer.lock().expect("no holder of this lock panics");
        let other = match &*writer {
            Writer::Nobody => {
                *writer = Writer::Pipeline(name.into());
                return Ok(());
            }
            Writer::Clients => "clients".to_string(),
            Writer::Pipeline(other) => format!("pipeline '{other}'"),
        };
        Err(Error::user(format!("table '{}' is written by {other} already", self.def.path))
            .with_code(Code::Conflict)
            .with_hint("a table is written by clients or by one pipeline, never by both"))
    }

    pub(crate) fn is_written_by_pipeline(&self) -> bool {
        matches!(self.writer(), Writer::Pipeline(_))
    }

    /// The end of what readers outside of pipelines see, by partition of [`Table::topic`].
    pub(crate) fn visible_ends(&self) -> Vec<i64> {
        let Some(topic) = self.topic() else { return vec![] };
        if matches!(self.store, Store::Topic(_)) && self.is_written_by_pipeline() {
            if planted("shown-before-durable") {
                return topic.ends();
            }
            let ends = self.visible.lock().expect("no holder of this lock panics").clone();
            return if ends.is_empty() { vec![0; topic.partitions().len()] } else { ends };
        }
        topic.synced_ends()
    }

    pub(crate) fn set_visible(&self, ends: Vec<i64>) {
        if self.hidden.load(Relaxed) {
            return;
        }
        *self.visible.lock().expect("no holder of this lock panics") = ends;
    }

    pub(crate) fn set_hidden(&self, hidden: bool) {
        self.hidden.store(hidden, Relaxed);
    }

    pub(crate) fn set_undeclared(&self) {
        self.undeclared.store(true, Relaxed);
    }

    pub(crate) fn is_undeclared(&self) -> bool {
        self.undeclared.load(Relaxed)
    }

    /// What is left of its rows is neither shown nor written.
    pub(crate) fn set_damaged(&self, reason: String) {
        self.frozen.store(true, Relaxed);
        if self.damaged.set(reason).is_err() {
            tracing::debug!("table '{}' was damaged before", self.def.path);
        }
    }

    /// An error when the rows cannot be read.
    pub(crate) fn check_whole(&self) -> Result<()> {
        self.damaged.get().map_or(Ok(()), |reason| {
            Err(Error::external(format!("table '{}' cannot be read: {reason}", self.def.path))
                .with_code(Code::Corrupt)
                .with_hint("restore the data folder from a backup, or drop the table and create it again"))
        })
    }

    pub(crate) fn freeze(&self) {
        self.frozen.store(true, Relaxed);
    }

    pub(crate) fn thaw(&self) {
        self.frozen.store(false, Relaxed);
    }

    pub(crate) fn is_frozen(&self) -> bool {
        self.frozen.load(Relaxed)
    }

    /// Called at each epoch, at its barrier: up to where readers of this epoch see the table's topic. A checkpoint of the epoch holds it.
    pub(crate) fn note_ends(&self, cut: Cut) -> Vec<i64> {
        let ends = self.visible_ends();
        if self.topic().is_some()
            && let Err(e) = self.shown.note(cut, &ends)
        {
            tracing::error!("table '{}': {e}", self.def.path);
        }
        ends
    }

    /// Called when readers see an epoch: whether the table has rows that it did not have before.
    pub(crate) fn note_progress(&self, now_ms: i64) {
        let changed = match &self.store {
            Store::Keyed { table, .. } => {
                let mut seen = self.seen.lock().expect("no holder of this lock panics");
                let changes = table.changes_since(seen.0);
                seen.0 = table.snapshot().cut();
                changes.is_some_and(|epochs| epochs.iter().any(|e| !e.is_empty()))
            }
            _ => {
                let end = self.topic().map_or(0, |t| t.ends().iter().sum::<i64>());
                let mut seen = self.seen.lock().expect("no holder of this lock panics");
                std::mem::replace(&mut seen.1, end) < end
            }
        };
        if changed {
            self.newest_ms.store(now_ms, Relaxed);
        }
    }

    pub(crate) fn note_rows(&self, rows: u64, now_ms: i64) {
        self.rows_in.fetch_add(rows, Relaxed);
        self.newest_ms.store(now_ms, Relaxed);
    }

    /// How long and how much the topic behind the table keeps: (ms, bytes a partition).
    pub(crate) fn retention(&self) -> (Option<i64>, Option<u64>) {
        if self.keyed().is_some() {
            // The rows are in the table; the keys of retries are still looked up.
            return (Some(IDEMPOTENCY_MS), None);
        }
        let time = self.def.option("retention.time").or(arus_sql::managed_default("retention.time"));
        let time = time.and_then(|text| parse_duration_ms(text).ok()).filter(|ms| *ms > 0);
        (time, self.def.option("retention.bytes").and_then(size_bytes))
    }

    /// Takes back what operators of a pipeline have set aside after an epoch: it comes again, under other numbers. A record is
    /// named by its place, and is the same one when it comes again.
    pub(crate) fn forget_side_rows(&self, pipeline: &str, epoch: u64) -> Result<()> {
        self.remove_side_rows(|id| is_after(id, pipeline, epoch), KeyedTable::take_back)
    }

    /// The same of operators whose pipeline has not come to life.
    pub(crate) fn forget_operators(&self, pipeline: &str, uids: impl Iterator<Item = Uid>) -> Result<()> {
        let names: Vec<String> = uids.map(|uid| format!("{pipeline}/{:016x}/", uid.0)).collect();
        self.remove_side_rows(|id| names.iter().any(|name| id.starts_with(name)), KeyedTable::apply)
    }

    fn remove_side_rows(
        &self,
        is_void: impl Fn(&str) -> bool,
        remove: impl Fn(&KeyedTable, &ChangeBatch) -> Result<()>,
    ) -> Result<()> {
        for side in [&self.late, &self.quarantine] {
            let all: Vec<usize> = (0..side.schema().len()).collect();
            // What was set aside since the last epoch, too.
            for batch in side.open_version().scan(&all, None) {
                let batch = batch?;
                let ids = batch.column(0).as_string_view();
                let void: BooleanArray = ids.iter().map(|id| Some(id.is_some_and(&is_void))).collect();
                if void.true_count() > 0 {
                    let rows = filter_record_batch(&batch, &void).map_err(arrow_bug)?;
                    let kinds = vec![RowKind::Delete; rows.num_rows()];
                    remove(side, &ChangeBatch::new(rows, kinds))?;
                }
            }
        }
        Ok(())
    }

    /// The table with the columns that it has now: what was decoded for others is not its own.
    pub(crate) fn layout(&self) -> u64 {
        let columns = self.def.columns.iter().map(|c| format!("{} {} {:?}", c.name, c.ty, c.kind));
        xxh3_64(format!("{} {}", self.id, columns.collect::<Vec<_>>().join(",")).as_bytes())
    }

    /// Names the table's own state in state files.
    pub(crate) fn state_uid(&self, part: &str) -> Uid {
        state_uid(self.id, part)
    }

    /// Ends this epoch's version of all that the table has. What is seldom touched and only read by ourselves is shown when it changes.
    pub(crate) fn seal(&self, cut: Cut, as_of_ms: i64) -> Vec<SealedState> {
        let seldom =
            |state: &Arc<KeyedTable>| Arc::ptr_eq(state, &self.replays.rows) || Arc::ptr_eq(state, &self.shown.newest);
        let states = self.states().into_iter().filter(|(_, state)| !seldom(state) || state.is_touched());
        states.map(|(_, state)| (state.clone(), state.seal(cut, as_of_ms))).collect()
    }

    /// All uids that the table may have state under.
    pub(crate) fn state_uids(&self) -> impl Iterator<Item = Uid> {
        ["late", "quarantine", "replays", "shown", "rows"].into_iter().map(|part| self.state_uid(part))
    }

    /// The state behind this table with its uids: the rows, the late ones, the quarantined ones, those that go once more.
    pub(crate) fn states(&self) -> Vec<(Uid, &Arc<KeyedTable>)> {
        let mut states = vec![
            (self.state_uid("late"), &self.late),
            (self.state_uid("quarantine"), &self.quarantine),
            (self.state_uid("replays"), &self.replays.rows),
            (self.state_uid("shown"), &self.shown.newest),
        ];
        if let Some(table) = self.keyed().filter(|_| !self.is_frozen()) {
            states.push((self.state_uid("rows"), table));
        }
        states
    }
}

/// A version of one of a table's states.
pub(crate) type SealedState = (Arc<KeyedTable>, SealedVersion);

/// Names what an operator has set aside.
pub(crate) fn side_id(pipeline: &str, uid: u64, epoch: u64, ordinal: u64) -> String {
    format!("{pipeline}/{uid:016x}/{epoch:016}/{ordinal:016}")
}

/// Whether this [`side_id`] is of the pipeline and of a later epoch.
fn is_after(id: &str, pipeline: &str, epoch: u64) -> bool {
    let Some(rest) = id.strip_prefix(pipeline).and_then(|rest| rest.strip_prefix('/')) else { return false };
    let parts: Vec<&str> = rest.split('/').collect();
    parts.len() == 3
        && parts.iter().all(|part| part.len() == 16)
        && parts[1].parse::<u64>().is_ok_and(|found| found > epoch)
}

const _: () = assert!(KEY_GROUPS == 128, "a part of the formats");

/// `64 mb`, as Flink writes sizes; a bare number is bytes.
fn size_bytes(text: &str) -> Option<u64> {
    let text = text.trim().to_ascii_lowercase();
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let shift = match text[digits..].trim() {
        "" | "b" | "bytes" => 0,
        "k" | "kb" | "kibibytes" => 10,
        "m" | "mb" | "mebibytes" => 20,
        "g" | "gb" | "gibibytes" => 30,
        "t" | "tb" | "tebibytes" => 40,
        _ => return None,
    };
    text[..digits].parse::<u64>().ok()?.checked_mul(1 << shift)
}

/// The rows of a side table, behind the column that names them and is not shown.
fn named_rows(columns: &RowSchema) -> RowSchema {
    let id = Column { name: "id".into(), ty: TypeKind::STRING.not_null() };
    std::iter::once(id).chain(columns.columns().iter().cloned()).collect()
}

/// The first column is the key and is not shown.
pub(crate) fn late_schema() -> RowSchema {
    named_rows(&late_columns())
}

/// The first column is the key and is not shown.
pub(crate) fn quarantine_schema() -> RowSchema {
    named_rows(&quarantine_columns())
}

/// All tables by name.
#[derive(Default)]
pub(crate) struct Tables(RwLock<BTreeMap<ObjectPath, Arc<Table>>>);

impl Tables {
    pub(crate) fn put(&self, table: Arc<Table>) {
        self.0.write().expect("no holder of this lock panics").insert(table.def.path.clone(), table);
    }

    pub(crate) fn remove(&self, path: &ObjectPath) -> Option<Arc<Table>> {
        self.0.write().expect("no holder of this lock panics").remove(path)
    }

    pub(crate) fn get(&self, path: &ObjectPath) -> Option<Arc<Table>> {
        self.0.read().expect("no holder of this lock panics").get(path).cloned()
    }

    pub(crate) fn all(&self) -> Vec<Arc<Table>> {
        self.0.read().expect("no holder of this lock panics").values().cloned().collect()
    }

    /// The table, or an error that names the nearest ones.
    pub(crate) fn require(&self, path: &ObjectPath) -> Result<Arc<Table>> {
        self.get(path).ok_or_else(|| {
            let names: Vec<String> = self.all().iter().map(|t| t.def.path.to_string()).collect();
            let wanted = path.to_string();
            let error = Error::user(format!("table '{wanted}' does not exist")).with_code(Code::UndefinedTable);
            match arus_sql::nearest::nearest(&wanted, names.iter().map(String::as_str)) {
                Some(near) => error.with_hint(format!("did you mean '{near}'?")),
                None => error.with_hint("CREATE TABLE makes one; SHOW TABLES lists them"),
            }
        })
    }
}
