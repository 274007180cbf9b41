//! The ends of a pipeline: a connector's writer, whoever asked, a keyed table, a topic.

use std::sync::Arc;

use arrow::array::ArrayRef;
use arus_core::connector::{EncodedRecords, Encoder, SinkWriter};
use arus_core::{ChangeBatch, Error, Result};
use arus_storage::codec::KeyCodec;
use arus_storage::log::{BatchBuilder, Partition};
use arus_storage::table::KeyedTable;

use crate::operator::{Operator, OperatorContext};
use crate::pipeline::io::CollectFn;

/// A connector's writing end: rows as they come.
pub(crate) struct WriterSink(pub(crate) Box<dyn SinkWriter>);

impl Operator for WriterSink {
    fn on_batch(&mut self, _port: usize, batch: ChangeBatch, _cx: &mut OperatorContext<'_>) -> Result<()> {
        self.0.write(&batch)
    }

    fn on_watermark(&mut self, watermark: i64, _cx: &mut OperatorContext<'_>) -> Result<()> {
        self.0.on_watermark(watermark)
    }

    fn sink_writer(&mut self) -> Option<&mut dyn SinkWriter> {
        Some(self.0.as_mut())
    }
}

/// Hands rows to whoever asked.
pub(crate) struct CollectSink(pub(crate) CollectFn);

impl Operator for CollectSink {
    fn on_batch(&mut self, _port: usize, batch: ChangeBatch, _cx: &mut OperatorContext<'_>) -> Result<()> {
        (self.0)(&batch)
    }
}

/// Applies changes to a keyed table: +I and +U put the row of its key, -D and -U remove it (a -U comes alone when the row
/// leaves a filtered query or changes its key). The table outlives its pipeline, so its rows are not this operator's
/// state: the engine publishes, freezes and restores them under the table's own uid, at the same barriers.
pub(crate) struct MaterializeSink(pub(crate) Arc<KeyedTable>);

impl Operator for MaterializeSink {
    fn on_batch(&mut self, _port: usize, batch: ChangeBatch, _cx: &mut OperatorContext<'_>) -> Result<()> {
        self.0.apply(&batch)
    }
}

/// Appends each row as a record to a topic that this pipeline alone writes. What is appended is not synced here: the
/// checkpoint does that up to the marker, the offset at which a barrier stands in each partition.
pub(crate) struct TopicSink {
    partitions: Vec<Arc<Partition>>,
    encoder: Box<dyn Encoder>,
    keys: Vec<usize>,
    codec: KeyCodec,
    /// The partition of the next batch without a key.
    next: usize,
    markers: Vec<i64>,
    encoded: EncodedRecords,
}

/// A record batch is closed at this size, below every client's fetch limit.
const RECORD_BATCH_BYTES: usize = 1 << 20;

impl TopicSink {
    pub(crate) fn new(
        partitions: Vec<Arc<Partition>>,
        encoder: Box<dyn Encoder>,
        keys: Vec<usize>,
        codec: KeyCodec,
    ) -> Result<Self> {
        if partitions.is_empty() {
            return Err(Error::bug("a topic without partitions"));
        }
        Ok(TopicSink {
            markers: partitions.iter().map(|p| p.end_offset()).collect(),
            partitions,
            encoder,
            keys,
            codec,
            next: 0,
            encoded: EncodedRecords::default(),
        })
    }

    /// The partition of each row.
    fn route(&mut self, batch: &ChangeBatch) -> Result<Vec<usize>> {
        let count = self.partitions.len();
        if count == 1 || self.keys.is_empty() {
            let partition = self.next;
            self.next = (self.next + 1) % count;
            return Ok(vec![partition; batch.num_rows()]);
        }
        let columns: Vec<ArrayRef> = self.keys.iter().map(|k| batch.rows().column(*k).clone()).collect();
        let encoded = self.codec.encode(&columns, batch.num_rows())?;
        Ok((0..batch.num_rows())
            .map(|row| arus_core::key_group::key_group(encoded.get(row)) as usize % count)
            .collect())
    }

    fn append(&self, partition: usize, builder: BatchBuilder) -> Result<()> {
        if let Some(bytes) = builder.finish() {
            self.partitions[partition].append(&bytes)?;
        }
        Ok(())
    }
}

impl Operator for TopicSink {
    fn on_batch(&mut self, _port: usize, batch: ChangeBatch, cx: &mut OperatorContext<'_>) -> Result<()> {
        self.encoded.data.clear();
        self.encoded.ends.clear();
        self.encoder.encode(&batch, &mut self.encoded)?;
        if self.encoded.ends.len() != batch.num_rows() {
            let (records, rows) = (self.encoded.ends.len(), batch.num_rows());
            return Err(Error::bug(format!("an encoder made {records} records of {rows} rows")));
        }
        let route = self.route(&batch)?;
        let now_ms = cx.now_ms();
        let mut builders: Vec<Option<BatchBuilder>> = self.partitions.iter().map(|_| None).collect();
        let mut start = 0;
        for (row, &end) in self.encoded.ends.iter().enumerate() {
            let partition = route[row];
            let builder = builders[partition].get_or_insert_with(|| BatchBuilder::new(now_ms));
            builder.push(None, Some(&self.encoded.data[start..end]), &[], now_ms);
            start = end;
            if builder.byte_len() >= RECORD_BATCH_BYTES
                && let Some(full) = builders[partition].take()
            {
                self.append(partition, full)?;
            }
        }
        for (partition, builder) in builders.into_iter().enumerate() {
            if let Some(builder) = builder {
                self.append(partition, builder)?;
            }
        }
        Ok(())
    }

    fn on_barrier(&mut self, _epoch: u64, _cx: &mut OperatorContext<'_>) -> Result<()> {
        self.markers = self.partitions.iter().map(|p| p.end_offset()).collect();
        Ok(())
    }

    fn markers(&self) -> Option<Vec<i64>> {
        Some(self.markers.clone())
    }
}
