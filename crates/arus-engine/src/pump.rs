//! Sources that cannot replay are written to an internal topic first: a thread a table polls, encodes and appends.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use arus_core::connector::{PollLimit, Polled, SourceReader};
use arus_core::limits::{BATCH_ROWS, POLL_BYTES};
use arus_core::settings::Settings;
use arus_core::{ChangeBatch, Error, Result};
use arus_storage::log::BatchBuilder;

use crate::io;
use crate::shared::Shared;
use crate::tables::{Store, Table};

/// Between two polls that found nothing.
const REST: Duration = Duration::from_millis(100);

impl Shared {
    /// Starts the pump of a table that needs one. It ends with the table or the server.
    pub(crate) fn start_pump(self: &Arc<Self>, table: &Arc<Table>) -> Result<()> {
        if !matches!(table.store, Store::Connector { inbox: Some(_) }) {
            return Ok(());
        }
        let (shared, table) = (self.clone(), table.clone());
        std::thread::Builder::new()
            .name("arus-pump".into())
            .spawn(move || {
                if let Err(e) = pump(&shared, &table) {
                    tracing::error!("table '{}' gets no more rows: {e}", table.def.path);
                }
            })
            .map_err(|e| Error::io("start", "the thread of a source", e))?;
        Ok(())
    }

    /// Whether the table is still there and the server runs.
    fn serves(&self, table: &Arc<Table>) -> bool {
        self.failure.borrow().is_none() && self.tables.get(&table.def.path).is_some_and(|t| Arc::ptr_eq(&t, table))
    }
}

fn pump(shared: &Arc<Shared>, table: &Arc<Table>) -> Result<()> {
    let Some(topic) = table.topic() else { return Ok(()) };
    let connect = shared.connect_context(&Settings::default());
    let source = io::connector_source(shared, &table.def, &connect)?;
    let mut readers: Vec<Box<dyn SourceReader>> =
        source.enumerate(&[])?.iter().map(|split| source.open(split, None)).collect::<Result<_>>()?;
    let mut encoder = io::encoder(shared, &io::as_topic(&table.def), &connect)?;
    let limit = PollLimit { rows: BATCH_ROWS, bytes: POLL_BYTES };
    while shared.serves(table) {
        let mut found = false;
        if shared.disk.is_full() {
            std::thread::park_timeout(REST);
            continue;
        }
        for reader in &mut readers {
            let Polled::Rows(rows) = reader.poll(limit)? else { continue };
            found = true;
            let count = rows.num_rows() as u64;
            let mut encoded = arus_core::connector::EncodedRecords::default();
            encoder.encode(&ChangeBatch::inserts(rows), &mut encoded)?;
            let now_ms = shared.config.clock.now_ms();
            let mut batch = BatchBuilder::new(now_ms);
            let mut start = 0;
            for &end in &encoded.ends {
                batch.push(None, Some(&encoded.data[start..end]), &[], now_ms);
                start = end;
            }
            let (Some(bytes), Some(partition)) = (batch.finish(), topic.partitions().first()) else { continue };
            let appended = partition.append(&bytes)?;
            partition.wait_synced_blocking(appended.end())?;
            table.note_rows(count, now_ms);
            shared.figures.rows_accepted.fetch_add(count, Relaxed);
            shared.wake();
        }
        if !found {
            std::thread::park_timeout(REST);
        }
    }
    Ok(())
}
