//! LIMIT and ORDER BY with LIMIT: the rows whose place in an order is within a range.
//!
//! Rows of equal order keep the order of their arrival. What is told is what Flink tells, row by row:
//!
//! | | a row comes into the range | a row leaves it |
//! |---|---|---|
//! | without OFFSET | -D of the row that falls out at the end, then +I | -D, then +I of the row that comes in at the end |
//! | with OFFSET | each place from the row's on: -U of what was there, +U of what is; +I at a new last place | the same; -D at the place that is no more |
//!
//! Over appended rows only those within the range are kept. Where the order of a row only rises (`UpdateFast`), too:
//! such a row is known by its key, and its update is told as -U and +U. Over any other updates all rows are kept; a
//! retraction takes the oldest row that is equal, and one that finds none is dropped, as in Flink.
//!
//! With a time to live a partition goes as a whole, once no row has touched it for so long.
//!
//! State: an entry a row. The key is the canonical partition, the order and the row's number; the value is the
//! length of the order's bytes and the row. With a time to live also an entry a partition, of the number that no row
//! has: when it was touched (i64 ms).

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::datatypes::SchemaRef;
use arus_core::key_group::key_group;
use arus_core::plan::{Node, Rank, RankStrategy};
use arus_core::{ChangeBatch, Error, LogicalType, Result, RowKind};
use arus_storage::codec::{KeyCodec, RowCodec};

use crate::operator::{Operator, OperatorContext};
use crate::ops::sort_key::SortEncoder;
use crate::state::{StateEntry, StateWriter};

type Bytes = Arc<[u8]>;

/// Order, then number of arrival.
type Place = (Bytes, u64);

pub(crate) struct Ranker {
    plan: Rank,
    schema: SchemaRef,
    rows: RowCodec,
    sort: SortEncoder,
    partition_codec: KeyCodec,
    /// Of the row's key under `UpdateFast`.
    key_codec: KeyCodec,
    partitions: HashMap<Bytes, Ranked>,
    /// When each partition was touched; empty without a time to live.
    touched: HashMap<Bytes, i64>,
    next_number: u64,
    /// Rows up to this number stand in a checkpoint; what came and went after it leaves no trace.
    frozen_number: u64,
    /// Entries that were put and taken away since the last freeze.
    pending: BTreeMap<Vec<u8>, (u16, Option<Vec<u8>>)>,
    batch_rows: usize,
    /// Of the rows that are kept.
    bytes: usize,
}

/// The rows of one partition in their order.
#[derive(Default)]
struct Ranked {
    rows: BTreeMap<Place, Bytes>,
    /// Under `UpdateFast`: where the row of a key stands.
    by_key: HashMap<Bytes, Place>,
}

/// What is told, in order.
type Told = Vec<(RowKind, Bytes)>;

impl Ranker {
    pub(crate) fn new(plan: &Rank, node: &Node, input: &Node, batch_rows: usize) -> Result<Self> {
        let ty = |column: &usize| input.schema.columns()[*column].ty.clone();
        let key = match &plan.strategy {
            RankStrategy::UpdateFast { key } => key.iter().map(ty).collect(),
            RankStrategy::AppendFast | RankStrategy::Retract => vec![],
        };
        if plan.strategy != RankStrategy::Retract && plan.end.is_none() {
            return Err(Error::bug("a rank without an end that forgets rows"));
        }
        Ok(Ranker {
            plan: plan.clone(),
            schema: node.schema.to_arrow(),
            rows: RowCodec::new(input.schema.types().cloned()),
            sort: SortEncoder::new(&plan.order, &input.schema),
            partition_codec: KeyCodec::new(plan.partition.iter().map(ty).collect::<Vec<LogicalType>>()),
            key_codec: KeyCodec::new(key),
            partitions: HashMap::new(),
            touched: HashMap::new(),
            next_number: 0,
            frozen_number: 0,
            pending: BTreeMap::new(),
            batch_rows: batch_rows.max(1),
            bytes: 0,
        })
    }

    fn end(&self) -> usize {
        self.plan.end.map_or(usize::MAX, |end| usize::try_from(end).unwrap_or(usize::MAX))
    }

    /// Whether the rows at a place (from 1) are told.
    fn tells(&self, place: usize) -> bool {
        place > usize::try_from(self.plan.offset).unwrap_or(usize::MAX) && place <= self.end()
    }

    fn tell_at(&self, told: &mut Told, place: usize, kind: RowKind, row: &Bytes) {
        if self.tells(place) && (kind != RowKind::UpdateBefore || self.plan.update_before) {
            told.push((kind, row.clone()));
        }
    }

    fn insert(&mut self, partition: &Bytes, place: Place, row: Bytes) {
        let mut value = Vec::with_capacity(4 + row.len());
        value.extend_from_slice(&(place.0.len() as u32).to_le_bytes());
        value.extend_from_slice(&row);
        self.pending.insert(entry_key(partition, &place), (key_group(partition), Some(value)));
        self.keep(partition, place, row);
    }

    fn keep(&mut self, partition: &Bytes, place: Place, row: Bytes) {
        let (order, length) = (place.0.len(), row.len());
        let before = self.ranked(partition).rows.insert(place, row);
        self.bytes += weight(order, length);
        self.bytes -= before.map_or(0, |row| weight(order, row.len()));
    }

    fn remove(&mut self, partition: &Bytes, place: &Place) -> Option<Bytes> {
        let key = entry_key(partition, place);
        if place.1 > self.frozen_number {
            self.pending.remove(&key);
        } else {
            self.pending.insert(key, (key_group(partition), None));
        }
        let ranked = self.partitions.get_mut(partition)?;
        let row = ranked.rows.remove(place);
        self.bytes -= row.as_ref().map_or(0, |row| weight(place.0.len(), row.len()));
        if ranked.rows.is_empty() {
            self.partitions.remove(partition);
        }
        row
    }

    fn ranked(&mut self, partition: &Bytes) -> &mut Ranked {
        self.partitions.entry(partition.clone()).or_default()
    }

    fn new_place(&mut self, order: Bytes) -> Place {
        self.next_number += 1;
        (order, self.next_number)
    }

    /// The number of a place in the range (from 1) and the rows from there on, as far as the range goes and one more.
    fn rows_since(&self, partition: &Bytes, place: &Place) -> Option<(usize, Vec<Bytes>)> {
        let rows = &self.partitions.get(partition)?.rows;
        let before = rows.keys().take(self.end()).position(|other| other == place)?;
        let from_there = rows.values().take(self.end().saturating_add(1)).skip(before).cloned().collect();
        Some((before + 1, from_there))
    }

    /// A new row: what falls out of the range, what comes in.
    fn add(&mut self, partition: &Bytes, order: Bytes, row: Bytes, told: &mut Told) -> Option<Place> {
        let end = self.end();
        if self.plan.strategy != RankStrategy::Retract {
            let rows = &self.ranked(partition).rows;
            let full = rows.len() >= end;
            if full && rows.last_key_value().is_none_or(|((worst, _), _)| order >= *worst) {
                return None;
            }
        }
        let place = self.new_place(order);
        self.insert(partition, place.clone(), row.clone());
        if let Some((position, from_there)) = self.rows_since(partition, &place) {
            if self.plan.offset > 0 {
                // What follows was one place before.
                for (i, current) in from_there.iter().enumerate() {
                    match from_there.get(i + 1) {
                        Some(before) => {
                            self.tell_at(told, position + i, RowKind::UpdateBefore, before);
                            self.tell_at(told, position + i, RowKind::UpdateAfter, current);
                        }
                        None => self.tell_at(told, position + i, RowKind::Insert, current),
                    }
                }
            } else {
                if let Some(out) = from_there.get(end - position + 1) {
                    told.push((RowKind::Delete, out.clone()));
                }
                told.push((RowKind::Insert, row));
            }
        }
        Some(place)
    }

    /// Forgets the rows beyond the range, which can never come back.
    fn evict(&mut self, partition: &Bytes) {
        let end = self.end();
        while let Some(ranked) = self.partitions.get_mut(partition)
            && ranked.rows.len() > end
            && let Some((place, _)) = ranked.rows.last_key_value()
        {
            let place = place.clone();
            ranked.by_key.retain(|_, other| *other != place);
            self.remove(partition, &place);
        }
    }

    /// A retraction over rows that are all kept.
    fn take(&mut self, partition: &Bytes, order: &Bytes, row: &Bytes, told: &mut Told) {
        let end = self.end();
        let Some(ranked) = self.partitions.get(partition) else { return };
        let first = (order.clone(), 0);
        let same = ranked.rows.range(first..).take_while(|((other, _), _)| other == order);
        let Some(place) = same.into_iter().find(|(_, other)| *other == row).map(|(place, _)| place.clone()) else {
            return;
        };
        if let Some((position, from_there)) = self.rows_since(partition, &place) {
            if self.plan.offset > 0 {
                for (i, before) in from_there.iter().enumerate() {
                    match from_there.get(i + 1) {
                        Some(now) => {
                            self.tell_at(told, position + i, RowKind::UpdateBefore, before);
                            self.tell_at(told, position + i, RowKind::UpdateAfter, now);
                        }
                        None => self.tell_at(told, position + i, RowKind::Delete, before),
                    }
                }
            } else {
                told.push((RowKind::Delete, row.clone()));
                if let Some(next) = from_there.get(end - position + 1) {
                    told.push((RowKind::Insert, next.clone()));
                }
            }
        }
        self.remove(partition, &place);
    }

    /// A new row, or a row whose key is there: its order has risen, or stays.
    fn upsert(&mut self, partition: &Bytes, key: Bytes, order: Bytes, row: Bytes, told: &mut Told) {
        let Some(old_place) = self.partitions.get(partition).and_then(|r| r.by_key.get(&key)).cloned() else {
            if let Some(place) = self.add(partition, order, row, told) {
                self.ranked(partition).by_key.insert(key, place);
                self.evict(partition);
            }
            return;
        };
        let old_position = self.position(partition, &old_place);
        let Some(old_row) = self.ranked(partition).rows.get(&old_place).cloned() else { return };
        if old_place.0 == order {
            self.insert(partition, old_place, row.clone());
            self.tell_at(told, old_position.max(1 + self.plan.offset as usize), RowKind::UpdateBefore, &old_row);
            self.tell_at(told, old_position.max(1 + self.plan.offset as usize), RowKind::UpdateAfter, &row);
            return;
        }
        self.remove(partition, &old_place);
        let place = self.new_place(order);
        self.insert(partition, place.clone(), row.clone());
        self.ranked(partition).by_key.insert(key, place.clone());
        if self.plan.offset == 0 {
            if self.plan.update_before {
                told.push((RowKind::UpdateBefore, old_row));
            }
            told.push((RowKind::UpdateAfter, row));
            return;
        }
        let position = self.position(partition, &place);
        let moved: Vec<Bytes> = self
            .ranked(partition)
            .rows
            .values()
            .skip(position)
            .take(old_position.saturating_sub(position))
            .cloned()
            .collect();
        let mut current = row;
        let mut retracted = false;
        for (i, before) in moved.into_iter().enumerate() {
            self.tell_at(told, position + i, RowKind::UpdateBefore, &before);
            // The old row of the key is taken back before the new one is told.
            if !std::mem::replace(&mut retracted, true) {
                self.tell_at(told, old_position, RowKind::UpdateBefore, &old_row);
            }
            self.tell_at(told, position + i, RowKind::UpdateAfter, &current);
            current = before;
        }
        if !retracted {
            self.tell_at(told, old_position, RowKind::UpdateBefore, &old_row);
        }
        self.tell_at(told, old_position, RowKind::UpdateAfter, &current);
    }

    /// A row of the partition has come; what has expired is gone.
    fn touch(&mut self, partition: &Bytes, now_ms: i64) {
        if self.plan.state_ttl_ms == 0 {
            return;
        }
        if self.expired(partition, now_ms) {
            self.forget(partition);
        }
        if self.touched.insert(partition.clone(), now_ms) != Some(now_ms) {
            let value = [&NO_ROW.to_le_bytes()[..], &now_ms.to_le_bytes()].concat();
            self.pending.insert(touched_key(partition), (key_group(partition), Some(value)));
        }
    }

    fn expired(&self, partition: &Bytes, now_ms: i64) -> bool {
        self.touched.get(partition).is_some_and(|at| at.saturating_add(self.plan.state_ttl_ms) <= now_ms)
    }

    fn forget(&mut self, partition: &Bytes) {
        let places = |ranked: &Ranked| ranked.rows.keys().cloned().collect();
        let places: Vec<Place> = self.partitions.get(partition).map_or(vec![], places);
        for place in places {
            self.remove(partition, &place);
        }
        self.touched.remove(partition);
        self.pending.insert(touched_key(partition), (key_group(partition), None));
    }

    /// From 1.
    fn position(&self, partition: &Bytes, place: &Place) -> usize {
        let rows = self.partitions.get(partition).map(|ranked| ranked.rows.keys());
        rows.and_then(|mut rows| rows.position(|other| other == place)).map_or(1, |at| at + 1)
    }

    fn emit(&self, told: &Told, cx: &mut OperatorContext<'_>) -> Result<()> {
        for part in told.chunks(self.batch_rows) {
            let columns = self.rows.decode(part.iter().map(|(_, row)| &**row))?;
            let rows = crate::ops::rows(&self.schema, columns, part.len())?;
            cx.emit(ChangeBatch::new(rows, part.iter().map(|(kind, _)| *kind).collect()));
        }
        Ok(())
    }
}

impl Operator for Ranker {
    fn on_batch(&mut self, _port: usize, batch: ChangeBatch, cx: &mut OperatorContext<'_>) -> Result<()> {
        let count = batch.num_rows();
        let columns = batch.rows().columns();
        let pick = |indices: &[usize]| indices.iter().map(|i| columns[*i].clone()).collect::<Vec<ArrayRef>>();
        let rows = self.rows.encode(columns, count)?;
        let orders = self.sort.encode(batch.rows())?;
        let partitions = self.partition_codec.encode(&pick(&self.plan.partition), count)?;
        let keys = match &self.plan.strategy {
            RankStrategy::UpdateFast { key } => Some(self.key_codec.encode(&pick(key), count)?),
            RankStrategy::AppendFast | RankStrategy::Retract => None,
        };
        let mut told: Told = vec![];
        for row in 0..count {
            let (partition, order): (Bytes, Bytes) = (partitions.get(row).into(), orders.get(row).into());
            let bytes: Bytes = rows.get(row).into();
            self.touch(&partition, cx.now_ms());
            match (&keys, batch.kind(row).adds()) {
                (Some(keys), true) => self.upsert(&partition, keys.get(row).into(), order, bytes, &mut told),
                // What replaces it follows.
                (Some(_), false) => {}
                (None, true) => {
                    self.add(&partition, order, bytes, &mut told);
                    if self.plan.strategy == RankStrategy::AppendFast {
                        self.evict(&partition);
                    }
                }
                (None, false) => self.take(&partition, &order, &bytes, &mut told),
            }
        }
        self.emit(&told, cx)
    }

    fn on_barrier(&mut self, _epoch: u64, cx: &mut OperatorContext<'_>) -> Result<()> {
        let expired: Vec<Bytes> = self.touched.keys().filter(|p| self.expired(p, cx.now_ms())).cloned().collect();
        expired.iter().for_each(|partition| self.forget(partition));
        Ok(())
    }

    fn freeze(&mut self, state: &mut StateWriter<'_>) -> Result<()> {
        for (key, (group, value)) in std::mem::take(&mut self.pending) {
            match value {
                Some(value) => state.put(group, &key, &value),
                None => state.delete(group, &key),
            }
        }
        self.frozen_number = self.next_number;
        Ok(())
    }

    fn restore(&mut self, entries: &[StateEntry]) -> Result<()> {
        for entry in entries {
            if let Some((partition, at)) = split_touched(entry) {
                self.touched.insert(partition, at);
                continue;
            }
            let (partition, place, row) = split_entry(entry)
                .ok_or_else(|| Error::bug(format!("a ranked row's state of {} bytes is none", entry.value.len())))?;
            self.next_number = self.next_number.max(place.1);
            if let RankStrategy::UpdateFast { key } = &self.plan.strategy {
                let columns = self.rows.decode([&*row])?;
                let key: Vec<ArrayRef> = key.iter().map(|i| columns[*i].clone()).collect();
                let key: Bytes = self.key_codec.encode(&key, 1)?.get(0).into();
                self.ranked(&partition).by_key.insert(key, place.clone());
            }
            self.keep(&partition, place, row);
        }
        self.frozen_number = self.next_number;
        Ok(())
    }

    fn memory_bytes(&self) -> usize {
        self.bytes
    }
}

/// In place of the order's length: not a row but when its partition was touched.
const NO_ROW: u32 = u32::MAX;

fn touched_key(partition: &Bytes) -> Vec<u8> {
    entry_key(partition, &(Bytes::from([]), u64::MAX))
}

fn split_touched(entry: &StateEntry) -> Option<(Bytes, i64)> {
    let (marker, at) = entry.value.split_first_chunk::<4>()?;
    let (partition, _) = entry.key.split_last_chunk::<8>()?;
    let at = i64::from_le_bytes(at.try_into().ok()?);
    (u32::from_le_bytes(*marker) == NO_ROW).then(|| (partition.into(), at))
}

/// Bytes of memory that a row costs.
fn weight(order: usize, row: usize) -> usize {
    order + row + 64
}

/// Partition, order, number (big endian).
fn entry_key(partition: &[u8], place: &Place) -> Vec<u8> {
    [partition, &place.0, &place.1.to_be_bytes()].concat()
}

fn split_entry(entry: &StateEntry) -> Option<(Bytes, Place, Bytes)> {
    let (order_length, row) = entry.value.split_first_chunk::<4>()?;
    let (key, number) = entry.key.split_last_chunk::<8>()?;
    let at = key.len().checked_sub(u32::from_le_bytes(*order_length) as usize)?;
    let (partition, order) = key.split_at(at);
    Some((partition.into(), (order.into(), u64::from_be_bytes(*number)), row.into()))
}
