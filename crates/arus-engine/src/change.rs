//! UPDATE, DELETE and TRUNCATE of a keyed table.
//!
//! The rows are found on one snapshot, which has every row that was acknowledged before, and written through the table's hidden topic, as rows of INSERT are: a put is a
//! record with the row as its value, a removal one with the row as its key and no value.

use std::sync::Arc;

use arus_core::catalog::{ObjectPath, TableDef};
use arus_core::connector::{Decoded, Decoder, EncodedRecords, RawBatch, RawRecord};
use arus_core::error::Code;
use arus_core::plan::PhysicalPlan;
use arus_core::settings::Settings;
use arus_core::{ChangeBatch, Error, Result, RowKind};

use crate::bounded;
use crate::config::Mode;
use crate::ingest::Written;
use crate::io;
use crate::published::Published;
use crate::shared::Shared;

impl Shared {
    /// Where the rows end that clients were told are written.
    pub(crate) fn acknowledged(&self, path: &ObjectPath) -> Vec<Written> {
        let table = self.tables.get(path);
        let ends = table.as_ref().and_then(|table| table.inbox()).map_or_else(Vec::new, |inbox| inbox.synced_ends());
        (0..).zip(ends).filter(|(_, end)| *end > 0).map(|(partition, end)| (path.clone(), partition, end)).collect()
    }

    /// How many rows were changed, and where the records ended.
    pub(crate) async fn change_rows(
        self: &Arc<Self>,
        def: &Arc<TableDef>,
        delete: bool,
        plan: PhysicalPlan,
        published: Arc<Published>,
        settings: &Settings,
    ) -> Result<(usize, Vec<Written>)> {
        if self.config.mode == Mode::Run {
            return Err(Error::not_supported("UPDATE and DELETE in `arus run`").with_hint(
                "as in Flink, a streaming job only inserts; a server changes the rows of its keyed tables",
            ));
        }
        let table = self.client_table(&def.path)?;
        let mut encoder = io::encoder(self, &table.def, &self.connect_context(settings))?;
        let (shared, read_with) = (self.clone(), settings.clone());
        // Dropped with this call: whoever waited for it has gone.
        let waiting = Arc::new(());
        let wanted = Arc::downgrade(&waiting);
        let read = tokio::task::spawn_blocking(move || -> Result<EncodedRecords> {
            let mut encoded = EncodedRecords::default();
            for batch in bounded::rows(&shared, &published, &plan, &read_with)? {
                if wanted.strong_count() == 0 {
                    return Err(Error::user("the statement was cancelled").with_code(Code::Cancelled));
                }
                encoder.encode(&ChangeBatch::inserts(batch?), &mut encoded)?;
            }
            Ok(encoded)
        });
        let encoded = read.await.map_err(|_| Error::bug("the rows to change were not read"))??;
        drop(waiting);
        if encoded.ends.is_empty() {
            return Ok((0, vec![]));
        }
        self.ensure_client_writer(&table).await?;
        let starts = std::iter::once(0).chain(encoded.ends.iter().copied());
        let rows = starts.zip(&encoded.ends).map(|(start, end)| &encoded.data[start..*end]);
        let (partition, end) = match delete {
            false => self.append(&table, rows, None).await?,
            true => self.append_removals(&table, rows).await?,
        };
        Ok((encoded.ends.len(), vec![(def.path.clone(), partition, end)]))
    }
}

/// Decodes the hidden topic of a keyed table: a record without a value removes the row in its key.
pub(crate) struct InboxDecoder(pub(crate) Box<dyn Decoder>);

impl Decoder for InboxDecoder {
    fn decode(&mut self, batch: &RawBatch) -> Result<Decoded> {
        let removes = |record: &RawRecord| record.value.is_none() && record.key.is_some();
        if !batch.records.iter().any(removes) {
            return self.0.decode(batch);
        }
        let by_value = |record: &RawRecord| RawRecord { value: record.value.or(record.key), ..*record };
        let rows = RawBatch {
            data: batch.data.clone(),
            records: batch.records.iter().map(by_value).collect(),
            partition: batch.partition,
        };
        let mut decoded = self.0.decode(&rows)?;
        let kind = |record: &u32| match batch.records.get(*record as usize) {
            Some(record) if removes(record) => RowKind::Delete,
            _ => RowKind::Insert,
        };
        decoded.kinds = Some(decoded.records.iter().map(kind).collect());
        Ok(decoded)
    }
}
