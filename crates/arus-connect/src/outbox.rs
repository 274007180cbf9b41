//! The writing end of every sink that has an outbox: it keeps the rows since the last checkpoint, encoded.

use arus_core::catalog::TableDef;
use arus_core::connector::{CommitToken, SinkWriter};
use arus_core::delivery::OutboxRows;
use arus_core::limits::OUTBOX_MEMORY_BYTES;
use arus_core::{ChangeBatch, Column, Result, RowSchema};
use arus_storage::codec::{EncodedRows, RowCodec};
use async_trait::async_trait;

/// The columns that reach the sink of a table, and so its outbox.
pub fn sink_schema(table: &TableDef) -> RowSchema {
    let column = |i: usize| Column { name: table.columns[i].name.clone(), ty: table.columns[i].ty.clone() };
    table.sink_columns().into_iter().map(column).collect()
}

pub(crate) struct OutboxWriter {
    codec: RowCodec,
    rows: OutboxRows,
}

impl OutboxWriter {
    pub(crate) fn new(table: &TableDef) -> Self {
        OutboxWriter { codec: RowCodec::new(sink_schema(table).types().cloned()), rows: OutboxRows::default() }
    }
}

#[async_trait]
impl SinkWriter for OutboxWriter {
    fn write(&mut self, batch: &ChangeBatch) -> Result<()> {
        // Encoded in place: the arena goes to the encoder and comes back longer.
        let mut encoded =
            EncodedRows { bytes: std::mem::take(&mut self.rows.bytes), ends: std::mem::take(&mut self.rows.ends) };
        let outcome = self.codec.encode_into(batch.rows().columns(), batch.num_rows(), &mut encoded);
        (self.rows.bytes, self.rows.ends) = (encoded.bytes, encoded.ends);
        outcome?;
        self.rows.kinds.extend((0..batch.num_rows()).map(|row| batch.kind(row) as u8));
        Ok(())
    }

    async fn prepare(&mut self, _epoch: u64) -> Result<Option<CommitToken>> {
        Ok(None)
    }

    fn take_outbox(&mut self) -> Option<OutboxRows> {
        (!self.rows.is_empty()).then(|| std::mem::take(&mut self.rows))
    }

    fn is_full(&self) -> bool {
        self.rows.byte_len() >= OUTBOX_MEMORY_BYTES
    }

    fn wants_checkpoint(&self) -> bool {
        self.is_full()
    }
}
