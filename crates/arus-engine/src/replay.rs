//! `ALTER TABLE t REPLAY QUARANTINE` and `.. LATE`: what was set aside goes once more through the pipeline that did it.
//!
//! Rows leave `t$quarantine` for a hidden table in one step, so that one checkpoint holds both or neither; the scan of the
//! pipeline reads that table as one more split, whose position is in the pipeline's own checkpoint. So each row goes once,
//! over crashes and failures too, and no other reader of the table sees it again. A row that was refused before it was
//! appended is checked anew and appended, under a key by which a second try is known.

mod rows;
mod source;

pub(crate) use source::{WithReplays, original_split};

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryViewArray, Int32Array, Int64Array, RecordBatch, StringViewArray, UInt32Array,
};
use arrow::compute::{concat_batches, filter_record_batch, take_record_batch};
use arrow::datatypes::{Int32Type, Int64Type, TimestampMillisecondType};
use arus_core::catalog::{ObjectPath, TableKind};
use arus_core::change::arrow_bug;
use arus_core::connector::{RawBatch, RawRecord, Span};
use arus_core::error::Code;
use arus_core::expr::Expr;
use arus_core::platform::Done;
use arus_core::settings::Settings;
use arus_core::types::TypeKind;
use arus_core::{ChangeBatch, Column, Error, Result, RowKind, RowSchema};
use arus_expr::{EvalContext, Predicate};
use arus_storage::table::{KeyedTable, TableMode};

use crate::config::Mode;
use crate::domain::Control;
use crate::jobs::{Job, JobStatus};
use crate::shared::Shared;
use crate::tables::Table;
use source::split_id;

/// How long the statement waits for the pipelines to take the rows.
const PATIENCE: Duration = Duration::from_secs(30);

/// What became of the rows.
#[derive(Debug, Default)]
pub(crate) struct Replayed {
    /// Taken out of the side table and sent.
    went: usize,
    /// Of those, set aside again.
    again: usize,
    /// Left where they are, by reason.
    left: BTreeMap<String, usize>,
    waiting: bool,
}

impl Replayed {
    pub(crate) fn done(&self) -> Done {
        Done { tag: format!("REPLAY {}", self.went), job: None, notices: self.notices() }
    }

    fn notices(&self) -> Vec<String> {
        let mut told = vec![];
        if self.waiting {
            told.push("the pipelines have not taken all rows yet; they will".into());
        } else if self.went > 0 {
            told.push(format!("{} went, {} of them were set aside again", rows(self.went), self.again));
        }
        told.extend(self.left.iter().map(|(reason, count)| format!("{} left as before: {reason}", rows(*count))));
        told
    }

    fn leave(&mut self, reason: impl Into<String>) {
        *self.left.entry(reason.into()).or_default() += 1;
    }
}

fn rows(count: usize) -> String {
    if count == 1 { "1 row".into() } else { format!("{count} rows") }
}

/// A row of a side table.
struct SetAside {
    id: String,
    bytes: Vec<u8>,
    pipeline: Option<String>,
    /// Of records of a source: split, partition, offset.
    origin: Option<(String, i32, i64)>,
    /// When it was set aside; late rows do not tell.
    time_ms: Option<i64>,
}

/// A row on its way, as the hidden table has it.
struct OnItsWay {
    job: String,
    split: String,
    partition: i32,
    offset: i64,
    /// The operator that has set the row aside; `None`: a record of the source.
    uid: Option<u64>,
    bytes: Vec<u8>,
}

/// The hidden table of rows on their way.
fn replay_schema() -> RowSchema {
    let column = |name: &str, kind: TypeKind| Column { name: name.into(), ty: kind.nullable() };
    RowSchema::new(vec![
        Column { name: "seq".into(), ty: TypeKind::BigInt.not_null() },
        column("job", TypeKind::STRING),
        column("split", TypeKind::STRING),
        column("partition", TypeKind::Int),
        column("offset", TypeKind::BigInt),
        column("uid", TypeKind::BigInt),
        column("bytes", TypeKind::BYTES),
        column("time", TypeKind::BigInt),
    ])
}

/// Each with its job.
type Splits = BTreeSet<(String, String)>;

impl Shared {
    pub(crate) async fn replay(
        self: &Arc<Self>,
        path: &ObjectPath,
        late: bool,
        condition: Option<Expr>,
        settings: &Settings,
    ) -> Result<Replayed> {
        if self.config.mode == Mode::Run {
            return Err(Error::not_supported("REPLAY in `arus run`").with_hint("its side tables end with it"));
        }
        let table = self.tables.require(path)?;
        // One at a time: what one has chosen another does not send.
        let _one = table.replays.one.lock().await;
        let side = if late { &table.late } else { &table.quarantine };
        let chosen = self.chosen(side, late, condition.as_ref(), settings)?;
        let mut done = Replayed::default();
        let (mut moves, mut appends) = (vec![], vec![]);
        for row in chosen {
            if row.pipeline.is_none() {
                appends.push(row);
                continue;
            }
            match self.way_of(&table, &row) {
                Ok(way) => moves.push((row.id, way)),
                Err(reason) => done.leave(reason),
            }
        }
        self.append_again(&table, appends, &mut done).await?;
        if moves.is_empty() {
            if done.went > 0 {
                self.ask(|reply| Control::Catalog { changes: vec![], reply }).await?;
            }
            return Ok(done);
        }
        let before = texts(side)?;
        let jobs: BTreeSet<&String> = moves.iter().map(|(_, way)| &way.job).collect();
        let statuses: Vec<_> = jobs.iter().filter_map(|id| self.jobs.get(id)).map(|j| j.status.subscribe()).collect();
        let (keys, expected) = self.send(&table, side, &moves)?;
        done.went += moves.len();
        let arrived = self.arrival(&table, &expected).await;
        // Its barrier comes after the rows: what they lead to is durable with it.
        self.ask(|reply| Control::Catalog { changes: vec![], reply }).await?;
        // A pipeline that has failed meanwhile takes them once more: they stay for it.
        let failed = statuses.iter().any(|status| status.has_changed().unwrap_or(true));
        if !arrived || failed {
            done.waiting = true;
            return Ok(done);
        }
        remove(&table.replays.rows, &keys)?;
        table.replays.forget_arrived(&expected);
        self.wake();
        done.again += set_aside_again(side, &before, &moves)?;
        Ok(done)
    }

    /// The rows of the side table that the statement means, as of the newest epoch.
    fn chosen(
        &self,
        side: &KeyedTable,
        late: bool,
        condition: Option<&Expr>,
        settings: &Settings,
    ) -> Result<Vec<SetAside>> {
        let predicate = condition.map(|c| Predicate::compile(c, &self.time_zone(settings))).transpose()?;
        let all: Vec<usize> = (0..side.schema().len()).collect();
        let shown: Vec<usize> = all[1..].to_vec();
        let cx = EvalContext { now_ms: self.config.clock.now_ms(), watermark: None, seed: self.config.seed };
        let mut chosen = vec![];
        for batch in side.snapshot().scan(&all, None) {
            let mut batch = batch?;
            if let Some(predicate) = &predicate {
                let selected = predicate.run(&batch.project(&shown).map_err(arrow_bug)?, &cx)?;
                if let Some(failed) = selected.failed.first() {
                    return Err(Error::data(format!("WHERE: {}", failed.reason)));
                }
                batch = filter_record_batch(&batch, &selected.mask).map_err(arrow_bug)?;
            }
            chosen.extend((0..batch.num_rows()).map(|row| set_aside(&batch, late, row)));
        }
        Ok(chosen)
    }

    /// How the row gets back into its pipeline, or why it cannot.
    fn way_of(&self, table: &Arc<Table>, row: &SetAside) -> Result<OnItsWay, String> {
        let name = row.pipeline.as_deref().unwrap_or_default();
        let of_table = |path: &ObjectPath| self.table_of(path).is_some_and(|(found, _)| Arc::ptr_eq(&found, table));
        let reads = |job: &&Arc<Job>| job.spec.name == name && job.spec.sources.iter().any(of_table);
        let jobs = self.jobs.all();
        let found = jobs.iter().filter(|job| job.is_in_catalog()).find(reads);
        let Some(job) = found else { return Err(format!("pipeline '{name}' is gone")) };
        if job.status() != JobStatus::Running {
            return Err(format!("pipeline '{name}' is {}", job.status().name()));
        }
        if row.time_ms.is_some_and(|time| time < job.spec.started_ms) {
            return Err(format!("an earlier pipeline '{name}' has set it aside, this one reads the source by itself"));
        }
        match &row.origin {
            Some((split, partition, offset)) => Ok(OnItsWay {
                job: job.spec.id.clone(),
                split: split.clone(),
                partition: *partition,
                offset: *offset,
                uid: None,
                bytes: row.bytes.clone(),
            }),
            None => {
                let uid = rows::uid_of(&row.id, name).ok_or("its name tells no operator")?;
                rows::check(job, &table.def.path, uid, &row.bytes)?;
                Ok(OnItsWay {
                    job: job.spec.id.clone(),
                    split: format!("{uid:016x}"),
                    partition: 0,
                    offset: 0,
                    uid: Some(uid),
                    bytes: row.bytes.clone(),
                })
            }
        }
    }

    /// Moves the rows to the hidden table, in one step. Their keys there, and the splits that bring them, each with its job.
    fn send(&self, table: &Table, side: &KeyedTable, moves: &[(String, OnItsWay)]) -> Result<(Vec<i64>, Splits)> {
        let first = table.replays.next.fetch_add(moves.len() as u64, Relaxed);
        // Later starts of the server go on above.
        let keys: Vec<i64> = (0..moves.len() as u64).map(|i| ((self.incarnation << 40) + first + i) as i64).collect();
        let batch = keys[0];
        let now_ms = self.config.clock.now_ms();
        let ways = || moves.iter().map(|(_, way)| way);
        let split = |way: &OnItsWay| split_id(&way.split, batch);
        let columns: Vec<ArrayRef> = vec![
            Arc::new(Int64Array::from(keys.clone())),
            Arc::new(ways().map(|w| Some(w.job.as_str())).collect::<StringViewArray>()),
            Arc::new(ways().map(|w| Some(split(w))).collect::<StringViewArray>()),
            Arc::new(ways().map(|w| Some(w.partition)).collect::<Int32Array>()),
            Arc::new(ways().map(|w| Some(w.offset)).collect::<Int64Array>()),
            Arc::new(ways().map(|w| w.uid.map(|uid| uid as i64)).collect::<Int64Array>()),
            Arc::new(ways().map(|w| Some(w.bytes.as_slice())).collect::<BinaryViewArray>()),
            Arc::new(ways().map(|_| Some(now_ms)).collect::<Int64Array>()),
        ];
        let rows = RecordBatch::try_new(replay_schema().to_arrow(), columns).map_err(arrow_bug)?;
        let ids: BTreeSet<&str> = moves.iter().map(|(id, _)| id.as_str()).collect();
        let gone = named(side, &ids)?;
        {
            let _whole = table.replays.moving();
            table.replays.rows.apply(&ChangeBatch::inserts(rows))?;
            side.apply(&gone)?;
        }
        self.wake();
        Ok((keys, ways().map(|w| (w.job.clone(), split(w))).collect()))
    }

    /// Waits until the pipelines have read the splits.
    async fn arrival(&self, table: &Table, expected: &BTreeSet<(String, String)>) -> bool {
        let until = tokio::time::Instant::now() + PATIENCE;
        let runs = |job: &String| self.jobs.get(job).is_some_and(|j| j.status() == JobStatus::Running);
        while !table.replays.has_arrived(expected) {
            if tokio::time::Instant::now() >= until || !expected.iter().all(|(job, _)| runs(job)) {
                return false;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        true
    }

    /// Rows that were refused before they were appended: checked anew, and appended.
    async fn append_again(
        self: &Arc<Self>,
        table: &Arc<Table>,
        rows: Vec<SetAside>,
        done: &mut Replayed,
    ) -> Result<()> {
        if rows.is_empty() {
            return Ok(());
        }
        if let Err(e) = self.client_table(&table.def.path) {
            rows.iter().for_each(|_| done.leave(e.message()));
            return Ok(());
        }
        let raw = records(&rows);
        let rejected: BTreeSet<usize> = self.check(&table.def, &raw)?.into_iter().map(|r| r.index).collect();
        self.ensure_client_writer(table).await?;
        let mut went: BTreeSet<&str> = BTreeSet::new();
        for (index, row) in rows.iter().enumerate() {
            done.went += 1;
            if rejected.contains(&index) {
                done.again += 1;
                continue;
            }
            let key = format!("replay/{}", row.id);
            self.append(table, std::iter::once(row.bytes.as_slice()), Some(&key)).await?;
            went.insert(&row.id);
        }
        table.quarantine.apply(&named(&table.quarantine, &went)?)?;
        self.wake();
        Ok(())
    }
}

fn set_aside(batch: &RecordBatch, late: bool, row: usize) -> SetAside {
    let text = |column: usize| {
        let column = batch.column(column).as_string_view();
        column.is_valid(row).then(|| column.value(row).to_string())
    };
    let id = text(0).unwrap_or_default();
    if late {
        return SetAside {
            id,
            bytes: text(1).unwrap_or_default().into_bytes(),
            pipeline: text(4),
            origin: None,
            time_ms: None,
        };
    }
    let bytes = batch.column(1).as_binary_view();
    let (partition, offset) =
        (batch.column(4).as_primitive::<Int32Type>(), batch.column(5).as_primitive::<Int64Type>());
    let time = batch.column(7).as_primitive::<TimestampMillisecondType>();
    let origin = (partition.is_valid(row) && offset.is_valid(row))
        .then(|| (text(3).unwrap_or_default(), partition.value(row), offset.value(row)));
    SetAside {
        id,
        bytes: if bytes.is_valid(row) { bytes.value(row).to_vec() } else { vec![] },
        pipeline: text(6),
        origin,
        time_ms: time.is_valid(row).then(|| time.value(row)),
    }
}

/// The rows as records of one request.
fn records(rows: &[SetAside]) -> RawBatch {
    let mut data = vec![];
    let mut records = vec![];
    for (index, row) in rows.iter().enumerate() {
        let value = Span { start: data.len() as u32, len: row.bytes.len() as u32 };
        data.extend_from_slice(&row.bytes);
        records.push(RawRecord { value: Some(value), key: None, headers: None, offset: index as i64, timestamp_ms: 0 });
    }
    RawBatch { data: data.into(), records, partition: 0 }
}

/// The rows of these ids, as changes that take them away.
fn named(side: &KeyedTable, ids: &BTreeSet<&str>) -> Result<ChangeBatch> {
    let all: Vec<usize> = (0..side.schema().len()).collect();
    let schema = side.schema().to_arrow();
    let mut found = vec![];
    for batch in side.snapshot().scan(&all, None) {
        let batch = batch?;
        let names = batch.column(0).as_string_view();
        let picked: UInt32Array =
            (0..batch.num_rows() as u32).filter(|r| ids.contains(names.value(*r as usize))).collect();
        found.push(take_record_batch(&batch, &picked).map_err(arrow_bug)?);
    }
    let rows = concat_batches(&schema, &found).map_err(arrow_bug)?;
    let kinds = vec![RowKind::Delete; rows.num_rows()];
    Ok(ChangeBatch::new(rows, kinds))
}

/// Takes rows out of the hidden table.
fn remove(replay: &KeyedTable, keys: &[i64]) -> Result<()> {
    let all: Vec<usize> = (0..replay.schema().len()).collect();
    for batch in replay.snapshot().scan(&all, None) {
        let batch = batch?;
        let seq = batch.column(0).as_primitive::<Int64Type>();
        let gone: UInt32Array =
            (0..batch.num_rows() as u32).filter(|r| keys.binary_search(&seq.value(*r as usize)).is_ok()).collect();
        let rows = take_record_batch(&batch, &gone).map_err(arrow_bug)?;
        let kinds = vec![RowKind::Delete; rows.num_rows()];
        replay.apply(&ChangeBatch::new(rows, kinds))?;
    }
    Ok(())
}

/// Names and texts of a side table.
fn texts(side: &KeyedTable) -> Result<BTreeMap<String, Vec<u8>>> {
    let mut found = BTreeMap::new();
    for batch in side.snapshot().scan(&[0, 1], None) {
        let batch = batch?;
        let ids = batch.column(0).as_string_view();
        for row in 0..batch.num_rows() {
            let text = match batch.column(1).as_binary_view_opt() {
                Some(bytes) if bytes.is_valid(row) => bytes.value(row).to_vec(),
                Some(_) => vec![],
                None => batch.column(1).as_string_view().value(row).as_bytes().to_vec(),
            };
            found.insert(ids.value(row).to_string(), text);
        }
    }
    Ok(found)
}

/// How many of the rows are in the side table again: a record under its name, a row of an operator under a new one.
fn set_aside_again(
    side: &KeyedTable,
    before: &BTreeMap<String, Vec<u8>>,
    moves: &[(String, OnItsWay)],
) -> Result<usize> {
    let now = texts(side)?;
    let mut new: BTreeMap<&[u8], usize> = BTreeMap::new();
    for (_, text) in now.iter().filter(|(id, _)| !before.contains_key(*id)) {
        *new.entry(text).or_default() += 1;
    }
    let again = moves.iter().filter(|(id, way)| match way.uid {
        None => now.contains_key(id),
        Some(_) => new.get_mut(way.bytes.as_slice()).is_some_and(|left| {
            let some = *left > 0;
            *left = left.saturating_sub(1);
            some
        }),
    });
    Ok(again.count())
}

/// Whether rows can go once more through a scan of such a table.
pub(crate) fn takes_replays(shared: &Shared, kind: TableKind) -> bool {
    shared.config.mode == Mode::Server && matches!(kind, TableKind::Topic | TableKind::Connector)
}

/// The rows of a table that go once more, and how far they are.
pub(crate) struct Replays {
    pub(crate) rows: Arc<KeyedTable>,
    /// Numbers rows within a start of the server.
    next: AtomicU64,
    /// Splits that were read to their end, each with its job.
    arrived: Mutex<BTreeSet<(String, String)>>,
    moving: Mutex<()>,
    one: tokio::sync::Mutex<()>,
}

impl Replays {
    pub(crate) fn new() -> Self {
        Replays {
            rows: Arc::new(KeyedTable::new(replay_schema(), &[0], TableMode::Keyed)),
            next: AtomicU64::new(0),
            arrived: Mutex::default(),
            moving: Mutex::default(),
            one: tokio::sync::Mutex::new(()),
        }
    }

    /// Nobody sees a row in both tables, or in none, while this is held.
    pub(crate) fn moving(&self) -> MutexGuard<'_, ()> {
        self.moving.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn note_arrived(&self, job: &str, split: &str) {
        self.arrived().insert((job.to_string(), split.to_string()));
    }

    fn has_arrived(&self, expected: &BTreeSet<(String, String)>) -> bool {
        expected.is_subset(&self.arrived())
    }

    fn forget_arrived(&self, expected: &BTreeSet<(String, String)>) {
        self.arrived().retain(|split| !expected.contains(split));
    }

    fn arrived(&self) -> MutexGuard<'_, BTreeSet<(String, String)>> {
        self.arrived.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why no row of an operator can go back.
fn refused(reason: &str) -> Error {
    Error::user(reason.to_string()).with_code(Code::NotSupported)
}
