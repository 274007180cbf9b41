//! Reading a partition: every batch is checked again, for its sum and for the offset at which it has to stand.

use std::path::PathBuf;
use std::sync::Arc;

use arus_core::error::Code;
use arus_core::fs::File;
use arus_core::{Error, Result};
use bytes::Bytes;

use super::damage::Damage;
use super::partition::{Inner, Partition, Place, ReadUpTo};
use super::record_batch::{BatchFault, BatchHeader, HEADER_BYTES, Home, stored_batch, unseal};
use super::records::first_at_or_after;
use super::scan::{BatchScanner, Step};
use super::segment::{INDEX_BYTES, SEGMENT_HEADER_BYTES, Segment};
use crate::locked;

/// Reads that go on where they ended need no search.
const CURSORS: usize = 16;

/// A place in a segment, with what is needed to read on without the lock.
struct Spot {
    base: i64,
    path: PathBuf,
    file: Arc<dyn File>,
    position: u64,
    /// Of the batch at `position`.
    offset: i64,
    /// Of the segment.
    len: u64,
    end: i64,
    /// Records at and after it are not for this read.
    limit: i64,
}

enum Found {
    /// Bytes of whole batches, the position and the offset after them.
    Batches(Bytes, u64, i64),
    /// The batch at this position with this expected offset is damaged.
    Fault(u64, i64, BatchFault),
    Nothing,
}

impl Partition {
    /// Whole batches that hold the records from `from` on, about `max_bytes` and at least one batch; empty when there is
    /// nothing. The first batch may begin before `from`.
    pub fn read(&self, from: i64, max_bytes: usize, upto: ReadUpTo) -> Result<Bytes> {
        let limit = match upto {
            ReadUpTo::Synced => self.synced_end(),
            ReadUpTo::End => i64::MAX,
            ReadUpTo::Offset(offset) => offset.min(self.synced_end()),
        };
        let Some(mut spot) = self.locate(from, limit)? else { return Ok(Bytes::new()) };
        loop {
            match spot.collect(from, max_bytes, self.place.home()).map_err(|e| self.place.io("read", e))? {
                Found::Nothing => return Ok(Bytes::new()),
                Found::Batches(bytes, position, offset) => {
                    let mut inner = locked(&self.inner);
                    if inner.cursors.len() == CURSORS {
                        inner.cursors.pop_front();
                    }
                    inner.cursors.push_back((spot.base, offset, position));
                    return Ok(bytes);
                }
                Found::Fault(position, expected, fault) => {
                    let damage = self.note_damage(&spot, position, expected, &fault)?;
                    if damage.next_offset > from {
                        return Err(damage.to_error());
                    }
                    if damage.next_offset >= spot.end {
                        return Ok(Bytes::new());
                    }
                    spot.position = damage.next_position;
                    spot.offset = damage.next_offset;
                }
            }
        }
    }

    /// Where reading can go on: `from` itself, or the first good offset after known damage that hides it.
    pub fn next_readable(&self, from: i64) -> i64 {
        let inner = locked(&self.inner);
        let hidden = inner.damages.iter().find(|d| d.first_offset <= from && from < d.next_offset);
        hidden.map_or(from, |d| d.next_offset).max(inner.segments[0].base)
    }

    /// The first durable offset whose record is at or after `timestamp_ms`.
    pub fn offset_for_time(&self, timestamp_ms: i64) -> Result<Option<i64>> {
        let limit = self.synced_end();
        let candidates: Vec<_> = {
            let inner = locked(&self.inner);
            inner
                .segments
                .iter()
                .filter_map(|s| {
                    let entry = s.facts.index.iter().find(|e| e.max_timestamp >= timestamp_ms)?;
                    Some((s.file.clone(), entry.position, s.facts.len, entry.offset))
                })
                .collect()
        };
        for (file, position, len, offset) in candidates {
            let mut scanner = BatchScanner::new(file.as_ref(), self.place.home(), position, len, offset);
            // Damage on the way is for the read that meets it to report.
            while let Step::Batch(_, header, batch) = scanner.next_batch().map_err(|e| self.place.io("read", e))? {
                if header.next_offset() > limit {
                    return Ok(None);
                }
                if header.max_timestamp >= timestamp_ms
                    && let Ok(Some(found)) = first_at_or_after(&header, batch, timestamp_ms)
                {
                    return Ok(Some(found));
                }
            }
        }
        Ok(None)
    }

    fn locate(&self, from: i64, limit: i64) -> Result<Option<Spot>> {
        let inner = locked(&self.inner);
        let start = inner.segments[0].base;
        if from < start {
            return Err(Error::data(format!(
                "{}: offset {from} is gone, the log starts at offset {start}",
                self.place.label()
            ))
            .with_code(Code::InvalidValue)
            .with_hint("read from the start of the topic, or keep its records longer ('retention.time')"));
        }
        let last = inner.last();
        let limit = limit.min(last.facts.end);
        if from >= limit {
            return Ok(None);
        }
        let after = inner.segments.partition_point(|s| s.base <= from);
        let segment = &inner.segments[after - 1];
        let (offset, position) = nearest(&inner, segment, from);
        Ok(Some(Spot {
            base: segment.base,
            path: segment.path.clone(),
            file: segment.file.clone(),
            position,
            offset,
            len: segment.facts.len,
            end: segment.facts.end,
            limit,
        }))
    }

    /// Notes the damage, and looks for where reading can go on.
    fn note_damage(&self, spot: &Spot, position: u64, expected: i64, fault: &BatchFault) -> Result<Damage> {
        // One that leads no further has to be looked into again: a read always moves on.
        let known = |d: &&Damage| d.segment_base == spot.base && d.position == position && d.next_position > position;
        if let Some(damage) = locked(&self.inner).damages.iter().find(known) {
            return Ok(damage.clone());
        }
        let mut scanner = BatchScanner::new(spot.file.as_ref(), self.place.home(), position, spot.len, expected);
        let found = scanner.resync(spot.end).map_err(|e| self.place.io("read", e))?;
        let next_offset = if found { scanner.expected } else { spot.end };
        let damage = self.place.damage(spot.base, spot.path.clone(), position, (expected, next_offset), fault);
        let damage = Damage { next_position: scanner.position, ..damage };
        tracing::error!(damage = %damage.to_error(), "damage found by a read");
        let mut inner = locked(&self.inner);
        inner.damages.retain(|d| d.segment_base != spot.base || d.position != position);
        inner.damages.push(damage.clone());
        Ok(damage)
    }
}

impl Place {
    pub(crate) fn damage(
        &self,
        segment_base: i64,
        segment: PathBuf,
        position: u64,
        offsets: (i64, i64),
        reason: &dyn std::fmt::Display,
    ) -> Damage {
        Damage {
            topic: self.name.clone(),
            partition: self.number,
            segment,
            position,
            first_offset: offsets.0,
            next_offset: offsets.1,
            reason: reason.to_string(),
            segment_base,
            next_position: position,
        }
    }
}

/// The known batch start nearest before `from` in the segment.
pub(super) fn nearest(inner: &Inner, segment: &Segment, from: i64) -> (i64, u64) {
    let indexed = segment.facts.floor(from).map(|e| (e.offset, e.position));
    let cursors = inner.cursors.iter().filter(|c| c.0 == segment.base).map(|c| (c.1, c.2));
    let resumed =
        inner.damages.iter().filter(|d| d.segment_base == segment.base).map(|d| (d.next_offset, d.next_position));
    indexed
        .into_iter()
        .chain(cursors)
        .chain(resumed)
        .filter(|(offset, _)| *offset <= from)
        .max()
        .unwrap_or((segment.base, SEGMENT_HEADER_BYTES))
}

impl Spot {
    fn collect(&self, from: i64, max_bytes: usize, home: Home) -> std::io::Result<Found> {
        let mut position = self.position;
        let mut expected = self.offset;
        let skipped = if self.offset < from { INDEX_BYTES as usize } else { 0 };
        let mut want = max_bytes.max(HEADER_BYTES) + skipped;
        while position < self.len {
            let mut bytes = vec![0; want.min((self.len - position) as usize)];
            let read = self.file.read_at(position, &mut bytes)?;
            bytes.truncate(read);
            let mut at = 0;
            let mut first = None;
            let mut cut = None;
            while at < bytes.len() || (at == 0 && first.is_none()) {
                match stored_batch(&bytes[at..], expected, home) {
                    Ok(header) if header.next_offset() > self.limit => break,
                    Ok(header) if first.is_none() && header.next_offset() <= from => at += step(&header, &mut expected),
                    Ok(header) if first.is_none_or(|f| at + header.bytes - f <= max_bytes) => {
                        first = first.or(Some(at));
                        at += step(&header, &mut expected);
                    }
                    Ok(_) => break,
                    Err(_) if first.is_some() => break,
                    Err(BatchFault::Truncated { needed, .. })
                        if bytes.len() - at < needed
                            && position + (at + needed) as u64 <= self.len
                            && (at > 0 || needed > bytes.len() && read == want) =>
                    {
                        cut = Some(needed);
                        break;
                    }
                    Err(fault) => return Ok(Found::Fault(position + at as u64, expected, fault)),
                }
            }
            position += at as u64;
            if let Some(first) = first {
                unseal(&mut bytes[first..at]);
                let bytes = Bytes::from(bytes).slice(first..at);
                return Ok(Found::Batches(bytes, position, expected));
            }
            match cut {
                Some(needed) => want = needed.max(max_bytes),
                // The whole chunk was before `from`.
                None if at > 0 && expected <= from && expected < self.limit => {}
                None => return Ok(Found::Nothing),
            }
        }
        if expected < self.end && expected <= from {
            let fault = BatchFault::Truncated { needed: HEADER_BYTES, found: 0 };
            return Ok(Found::Fault(position, expected, fault));
        }
        Ok(Found::Nothing)
    }
}

fn step(header: &BatchHeader, expected: &mut i64) -> usize {
    *expected = header.next_offset();
    header.bytes
}
