//! Idempotent producers: of each its epoch and its last five batches, so that a batch that is sent again counts once.
//!
//! The rules are Kafka's: the next batch of a producer has the next sequence, one of the last five is a duplicate and gets
//! the offset that it has, a new epoch begins at sequence 0, an older epoch is fenced off. A producer that is not known (it
//! was silent for a day, or its topic was made anew) has to begin at 0 as well: a batch from the middle may follow one
//! that never arrived.

use std::collections::HashMap;

use arus_core::error::{Code, ErrorKind};
use arus_core::limits::{IDEMPOTENCY_MS, PRODUCER_BATCHES, PRODUCERS_OF_A_PARTITION};
use arus_core::{Error, Result, planted};

use super::record_batch::BatchHeader;
use crate::wire::WireReader;

/// Between two looks for producers that went silent.
const SWEEP_MS: i64 = 600_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ProducedBatch {
    pub(crate) first_sequence: i32,
    pub(crate) last_sequence: i32,
    pub(crate) base_offset: i64,
    pub(crate) last_offset: i64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Producer {
    pub(crate) id: i64,
    pub(crate) epoch: i16,
    pub(crate) time_ms: i64,
    /// Oldest first, never empty, [`PRODUCER_BATCHES`] at most.
    pub(crate) batches: Vec<ProducedBatch>,
}

impl Producer {
    fn last(&self) -> ProducedBatch {
        *self.batches.last().expect("a producer is known by its batches")
    }
}

/// All of one partition.
#[derive(Debug, Default)]
pub(crate) struct Producers {
    by_id: HashMap<i64, Producer>,
    swept_ms: i64,
}

/// Sequences go from 0 to `i32::MAX` and then begin again.
pub(crate) fn advance(sequence: i32, by: i32) -> i32 {
    if planted("sequence-not-wrapped") {
        return sequence.saturating_add(by);
    }
    ((i64::from(sequence) + i64::from(by)) & i64::from(i32::MAX)) as i32
}

impl Producers {
    /// Whether the batch may be appended: `None`, or where it stands already.
    pub(crate) fn admit(&self, header: &BatchHeader, now_ms: i64, label: &str) -> Result<Option<ProducedBatch>> {
        if !header.is_idempotent() {
            return Ok(None);
        }
        let refused = |code, reason: String| {
            let message = format!("{label}: batch of producer {} refused: {reason}", header.producer_id);
            Err(Error::new(ErrorKind::Fenced, message).with_code(code))
        };
        let (epoch, first) = (header.producer_epoch, header.base_sequence);
        if epoch < 0 || first < 0 {
            return refused(Code::InvalidValue, format!("epoch {epoch} and sequence {first} are impossible"));
        }
        let Some(known) = self.by_id.get(&header.producer_id).filter(|p| p.time_ms > now_ms - IDEMPOTENCY_MS) else {
            return match first {
                0 => Ok(None),
                _ => refused(Code::UnknownProducer, format!("it is not known, and begins at sequence {first}")),
            };
        };
        if epoch < known.epoch {
            return refused(Code::ProducerEpoch, format!("epoch {} has taken over from epoch {epoch}", known.epoch));
        }
        if epoch > known.epoch {
            return match first {
                0 => Ok(None),
                _ => refused(Code::OutOfOrder, format!("expected sequence 0 of the new epoch {epoch}, found {first}")),
            };
        }
        let last = advance(first, header.last_offset_delta);
        if let Some(held) = known.batches.iter().find(|b| b.first_sequence == first && b.last_sequence == last) {
            return Ok(Some(*held));
        }
        let expected = advance(known.last().last_sequence, 1);
        if first != expected {
            return refused(Code::OutOfOrder, format!("expected sequence {expected}, found {first}"));
        }
        Ok(None)
    }

    /// Notes a batch that stands in the log. One that is known already changes nothing.
    pub(crate) fn note(&mut self, header: &BatchHeader, base_offset: i64, now_ms: i64) {
        if !header.is_idempotent() {
            return;
        }
        let batch = ProducedBatch {
            first_sequence: header.base_sequence,
            last_sequence: advance(header.base_sequence, header.last_offset_delta),
            base_offset,
            last_offset: base_offset + i64::from(header.last_offset_delta),
        };
        let (id, epoch) = (header.producer_id, header.producer_epoch);
        match self.by_id.get_mut(&id) {
            Some(known) if base_offset <= known.last().last_offset => {}
            Some(known) => {
                if epoch != known.epoch || known.time_ms <= now_ms - IDEMPOTENCY_MS {
                    known.batches.clear();
                    known.epoch = epoch;
                } else if known.batches.len() == PRODUCER_BATCHES {
                    known.batches.remove(0);
                }
                known.batches.push(batch);
                known.time_ms = now_ms;
            }
            None => self.put(Producer { id, epoch, time_ms: now_ms, batches: vec![batch] }, now_ms),
        }
    }

    /// Takes what a footer or a carried file says, unless more is known.
    pub(crate) fn put(&mut self, producer: Producer, now_ms: i64) {
        if producer.batches.is_empty() {
            return;
        }
        self.forget_silent(now_ms);
        let newer =
            self.by_id.get(&producer.id).is_none_or(|known| known.last().base_offset < producer.last().base_offset);
        if newer {
            self.by_id.insert(producer.id, producer);
        }
    }

    fn forget_silent(&mut self, now_ms: i64) {
        if now_ms - self.swept_ms >= SWEEP_MS {
            self.swept_ms = now_ms;
            self.by_id.retain(|_, p| p.time_ms > now_ms - IDEMPOTENCY_MS);
        }
        if self.by_id.len() >= PRODUCERS_OF_A_PARTITION
            && let Some(oldest) = self.by_id.values().min_by_key(|p| (p.time_ms, p.id)).map(|p| p.id)
        {
            self.by_id.remove(&oldest);
        }
    }

    /// Those who wrote at or after this offset, with all that is kept of them.
    pub(crate) fn since(&self, offset: i64) -> Vec<Producer> {
        self.sorted(|p| (p.last().base_offset >= offset).then(|| p.clone()))
    }

    /// What is known of the batches before this offset.
    pub(crate) fn before(&self, offset: i64) -> Vec<Producer> {
        self.sorted(|p| {
            let batches: Vec<_> = p.batches.iter().copied().filter(|b| b.base_offset < offset).collect();
            (!batches.is_empty()).then(|| Producer { batches, ..p.clone() })
        })
    }

    fn sorted(&self, take: impl Fn(&Producer) -> Option<Producer>) -> Vec<Producer> {
        let mut found: Vec<_> = self.by_id.values().filter_map(take).collect();
        found.sort_unstable_by_key(|p| p.id);
        found
    }
}

pub(crate) fn encode(out: &mut Vec<u8>, producers: &[Producer]) {
    out.extend_from_slice(&(producers.len() as u32).to_le_bytes());
    for producer in producers {
        out.extend_from_slice(&producer.id.to_le_bytes());
        out.extend_from_slice(&producer.epoch.to_le_bytes());
        out.extend_from_slice(&producer.time_ms.to_le_bytes());
        out.push(producer.batches.len() as u8);
        for batch in &producer.batches {
            out.extend_from_slice(&batch.first_sequence.to_le_bytes());
            out.extend_from_slice(&batch.last_sequence.to_le_bytes());
            out.extend_from_slice(&batch.base_offset.to_le_bytes());
            out.extend_from_slice(&batch.last_offset.to_le_bytes());
        }
    }
}

pub(crate) fn decode(fields: &mut WireReader<'_>) -> Option<Vec<Producer>> {
    let mut producers = vec![];
    for _ in 0..fields.u32()? {
        let mut producer = Producer {
            id: fields.i64()?,
            epoch: i16::from_le_bytes(fields.array()?),
            time_ms: fields.i64()?,
            batches: vec![],
        };
        for _ in 0..fields.u8()? {
            producer.batches.push(ProducedBatch {
                first_sequence: i32::from_le_bytes(fields.array()?),
                last_sequence: i32::from_le_bytes(fields.array()?),
                base_offset: fields.i64()?,
                last_offset: fields.i64()?,
            });
        }
        producers.push(producer);
    }
    Some(producers)
}
