//! Rows of clients: checked, appended, synced, then acknowledged.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use arrow::array::Array;
use arus_connect::{split_json, split_ndjson, unknown_fields};
use arus_core::catalog::{ObjectPath, TableDef};
use arus_core::connector::{EncodedRecords, RawBatch};
use arus_core::error::Code;
use arus_core::limits::IDEMPOTENCY_KEY_BYTES;
use arus_core::plan::PhysicalPlan;
use arus_core::platform::{IngestFormat, IngestReply, IngestRequest, RejectedRow};
use arus_core::settings::Settings;
use arus_core::{Error, Result, planted};
use arus_storage::log::{Appended, BatchBuilder, IDEMPOTENCY_HEADER, Partition};
use xxhash_rust::xxh3::xxh3_64;

use crate::admission;
use crate::bounded;
use crate::io;
use crate::jobs::{Job, JobKind};
use crate::shared::Shared;
use crate::tables::Table;

/// A table, a partition of its topic, and where what was written to it ends.
pub(crate) type Written = (ObjectPath, u32, i64);

/// What a request has become.
struct Prepared {
    reply: IngestReply,
    /// `None`: no row of it was good.
    batch: Option<ClientBatch>,
    key: Option<String>,
}

struct ClientBatch {
    bytes: Vec<u8>,
    rows: usize,
    now_ms: i64,
}

struct AppendedBatch {
    partition: Arc<Partition>,
    appended: Appended,
    rows: u64,
    now_ms: i64,
}

impl Shared {
    /// One request: one record batch. The reply comes when it is durable.
    pub(crate) async fn ingest(self: &Arc<Self>, request: IngestRequest) -> Result<IngestReply> {
        let table = self.client_table(&request.table)?;
        if let Some(key) = &request.idempotency_key
            && (key.is_empty() || key.len() > IDEMPOTENCY_KEY_BYTES)
        {
            let message = format!("Idempotency-Key: expected 1 to {IDEMPOTENCY_KEY_BYTES} bytes, found {}", key.len());
            return Err(Error::user(message).with_code(Code::InvalidValue));
        }
        let bytes = request.body.len();
        let core = self.admission.enter(bytes).await.inspect_err(|_| {
            self.figures.requests_refused.fetch_add(1, Relaxed);
        })?;
        let (shared, of) = (self.clone(), table.clone());
        let Prepared { reply, batch, key } = admission::run(bytes, move || shared.prepare(&of, request)).await??;
        if let Some(batch) = batch {
            let core = if self.has_client_writer(&table) {
                core
            } else {
                // Nobody holds a core while it waits for something else.
                drop(core);
                self.ensure_client_writer(&table).await?;
                self.admission.wait().await?
            };
            self.admission.took(batch.rows as u64);
            let (shared, of) = (self.clone(), table.clone());
            let appended = admission::run(bytes, move || shared.append_batch(&of, batch, key.as_deref())).await??;
            drop(core);
            self.settle(&table, appended).await?;
        }
        Ok(reply)
    }

    /// Whether rows that come now are taken further: a topic's readers are found by themselves.
    fn has_client_writer(&self, table: &Table) -> bool {
        let is_writer = |job: &Arc<Job>| job.spec.kind == JobKind::ClientWriter;
        table.keyed().is_none() || self.jobs.writers(&table.def.path).iter().any(is_writer)
    }

    /// Checks the request's rows, keeps the bad ones and makes a batch of the others.
    fn prepare(&self, table: &Arc<Table>, request: IngestRequest) -> Result<Prepared> {
        let def = &table.def;
        let raw = match request.format {
            IngestFormat::Json => split_json(request.body.clone())?,
            IngestFormat::Ndjson => split_ndjson(request.body.clone()),
        };
        let rejected = self.check(def, &raw)?;
        let unknown_fields = unknown_fields(&raw, &def.physical_schema());
        let bad: BTreeSet<usize> = rejected.iter().map(|r| r.index).collect();
        self.keep_rejected(table, &request, &raw, &rejected)?;
        self.figures.rows_rejected.fetch_add(rejected.len() as u64, Relaxed);
        let good = (0..raw.records.len()).filter(|i| !bad.contains(i)).map(|i| bytes_of(&raw, i));
        let batch = self.batch(good, request.idempotency_key.as_deref());
        let accepted = batch.as_ref().map_or(0, |b| b.rows);
        let reply = IngestReply { accepted, rejected, unknown_fields };
        Ok(Prepared { reply, batch, key: request.idempotency_key })
    }

    /// INSERT INTO .. VALUES by a client: how many rows, and where they ended.
    pub(crate) async fn insert_values(
        self: &Arc<Self>,
        path: &ObjectPath,
        plan: &PhysicalPlan,
        settings: &Settings,
    ) -> Result<(usize, Vec<(ObjectPath, u32, i64)>)> {
        let table = self.client_table(path)?;
        let mut encoder = io::encoder(self, &table.def, &self.connect_context(settings))?;
        let mut encoded = EncodedRecords::default();
        for batch in bounded::changes(self, &self.published(), plan, settings)? {
            encoder.encode(&batch?, &mut encoded)?;
        }
        self.ensure_client_writer(&table).await?;
        self.admission.hold_back().await;
        self.admission.took(encoded.ends.len() as u64);
        let starts = std::iter::once(0).chain(encoded.ends.iter().copied());
        let values = starts.zip(&encoded.ends).map(|(start, end)| &encoded.data[start..*end]);
        let (partition, end) = self.append(&table, values, None).await?;
        Ok((encoded.ends.len(), vec![(path.clone(), partition, end)]))
    }

    /// Records without a value: each takes away the row that is its key.
    pub(crate) async fn append_removals<'a>(
        self: &Arc<Self>,
        table: &Arc<Table>,
        rows: impl Iterator<Item = &'a [u8]>,
    ) -> Result<(u32, i64)> {
        let inbox = table.inbox().ok_or_else(|| Error::bug("a table without a topic"))?;
        let now_ms = self.config.clock.now_ms();
        let mut batch = BatchBuilder::new(now_ms);
        rows.for_each(|row| batch.push(Some(row), None, &[], now_ms));
        let Some(bytes) = batch.finish() else { return Ok((0, 0)) };
        let partition = route(inbox.partitions(), None, now_ms);
        let appended = partition.append(&bytes)?;
        partition.wait_synced(appended.end()).await?;
        self.wake();
        Ok((partition.number(), appended.end()))
    }

    /// A table that clients may write.
    pub(crate) fn client_table(&self, path: &ObjectPath) -> Result<Arc<Table>> {
        let table = self.tables.require(path)?;
        if table.inbox().is_none() {
            let connector = table.def.connector().unwrap_or_default();
            return Err(Error::user(format!(
                "table '{path}' belongs to connector '{connector}': clients do not write it"
            ))
            .with_code(Code::Conflict)
            .with_hint("create a table without a 'connector' to post rows to"));
        }
        table.claim_for_clients()?;
        Ok(table)
    }

    pub(crate) async fn append<'a>(
        self: &Arc<Self>,
        table: &Arc<Table>,
        values: impl Iterator<Item = &'a [u8]>,
        key: Option<&str>,
    ) -> Result<(u32, i64)> {
        let Some(batch) = self.batch(values, key) else { return Ok((0, 0)) };
        let appended = self.append_batch(table, batch, key)?;
        self.settle(table, appended).await
    }

    /// One record batch that carries its key; `None` without rows.
    fn batch<'a>(&self, values: impl Iterator<Item = &'a [u8]>, key: Option<&str>) -> Option<ClientBatch> {
        let now_ms = self.config.clock.now_ms();
        let mut batch = BatchBuilder::new(now_ms);
        for (i, value) in values.enumerate() {
            match key.filter(|_| i == 0) {
                Some(key) => batch.push(None, Some(value), &[(IDEMPOTENCY_HEADER, Some(key.as_bytes()))], now_ms),
                None => batch.push(None, Some(value), &[], now_ms),
            }
        }
        let rows = batch.len();
        batch.finish().map(|bytes| ClientBatch { bytes, rows, now_ms })
    }

    /// Not durable yet: [`Self::settle`] waits for that.
    fn append_batch(&self, table: &Table, batch: ClientBatch, key: Option<&str>) -> Result<AppendedBatch> {
        self.admit(batch.bytes.len())?;
        let inbox = table.inbox().ok_or_else(|| Error::bug("a table without a topic"))?;
        let partition = route(inbox.partitions(), key, batch.now_ms).clone();
        let appended = match key {
            Some(key) => partition.append_idempotent(key.as_bytes(), &batch.bytes)?,
            None => partition.append(&batch.bytes)?,
        };
        Ok(AppendedBatch { partition, appended, rows: batch.rows as u64, now_ms: batch.now_ms })
    }

    /// Waits until the batch is durable, also one that an earlier attempt has appended.
    async fn settle(&self, table: &Table, batch: AppendedBatch) -> Result<(u32, i64)> {
        let AppendedBatch { partition, appended, rows, now_ms } = batch;
        if !planted("rows-acked-before-fsync") {
            partition.wait_synced(appended.end()).await?;
        }
        if !appended.duplicate {
            table.note_rows(rows, now_ms);
            self.figures.rows_accepted.fetch_add(rows, Relaxed);
        }
        self.wake();
        Ok((partition.number(), appended.end()))
    }

    /// Rows that the table's columns cannot hold.
    pub(crate) fn check(&self, def: &TableDef, raw: &RawBatch) -> Result<Vec<RejectedRow>> {
        let schema = def.physical_schema();
        let mut decoder = io::decoder_of(self, def, &schema, &self.connect)?;
        let decoded = decoder.decode(raw)?;
        let mut rejected: Vec<RejectedRow> =
            decoded.rejected.into_iter().map(|r| RejectedRow { index: r.record as usize, reason: r.reason }).collect();
        for (i, column) in schema.columns().iter().enumerate().filter(|(_, c)| !c.ty.nullable) {
            let values = decoded.rows.column(i);
            for row in (0..values.len()).filter(|row| values.is_null(*row)) {
                let index = decoded.records[row] as usize;
                if rejected.iter().all(|r| r.index != index) {
                    let reason = format!("field '{}' is missing or null, expected {}", column.name, column.ty);
                    rejected.push(RejectedRow { index, reason });
                }
            }
        }
        rejected.sort_by_key(|r| r.index);
        Ok(rejected)
    }

    /// Rejected rows are in the table's quarantine, named by the request and their index.
    fn keep_rejected(
        &self,
        table: &Table,
        request: &IngestRequest,
        raw: &RawBatch,
        rejected: &[RejectedRow],
    ) -> Result<()> {
        if rejected.is_empty() {
            return Ok(());
        }
        let now_ms = self.config.clock.now_ms();
        let name = match &request.idempotency_key {
            Some(key) => format!("http/{key}"),
            None => format!("http/{now_ms}-{:016x}", xxh3_64(&request.body)),
        };
        let rows = rejected.iter().map(|r| io::RejectedRecord {
            id: format!("{name}/{:010}", r.index),
            bytes: bytes_of(raw, r.index),
            reason: &r.reason,
            source: &name,
            index: r.index as i64,
        });
        table.quarantine.apply(&io::rejected_batch(rows, now_ms)?)?;
        self.wake();
        Ok(())
    }
}

/// Rows without a key of their own go by the idempotency key, so that a retry finds the first attempt.
fn route<'a>(partitions: &'a [Arc<Partition>], key: Option<&str>, now_ms: i64) -> &'a Arc<Partition> {
    let hash = key.map_or(now_ms as u64, |k| xxh3_64(k.as_bytes()));
    &partitions[(hash % partitions.len() as u64) as usize]
}

fn bytes_of(raw: &RawBatch, record: usize) -> &[u8] {
    raw.records.get(record).and_then(|r| r.value).map_or(&[], |span| raw.bytes(span))
}
