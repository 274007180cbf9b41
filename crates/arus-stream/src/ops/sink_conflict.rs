//! ON CONFLICT DO NOTHING and DO ERROR: rows of one primary key that come from several keys of the query. What a
//! watermark finds is decided at once: between two of them a row and its update may come in any order.
//!
//! | rows of a primary key, the one that was told among them | out |
//! |---|---|
//! | none | -D of the one that was told |
//! | one | +I, or +U where another was told; nothing where it is the same |
//! | several | DO ERROR fails; DO NOTHING keeps the one that was told, else +I of the first |
//!
//! As in Flink the rows that lost are forgotten: when the one that was told goes, none of them comes back.
//!
//! State, per primary key: the row that was told (tag 0xFF), then the changes since the last watermark in their order,
//! each with its row kind before it. Changes that undo each other are not kept.

use std::collections::HashSet;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::SchemaRef;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use arus_core::change::arrow_bug;
use arus_core::connector::SinkWriter;
use arus_core::plan::{Node, UpsertMaterialize};
use arus_core::{ChangeBatch, Error, LogicalType, Result, RowKind};
use arus_storage::codec::RowCodec;

use crate::operator::{Operator, OperatorContext};
use crate::ops::kept_rows::{Bytes, KeptRows, Steps};
use crate::ops::sink_guard::RowIdentity;
use crate::state::{StateEntry, StateWriter};

/// Before the row that was told.
const TOLD: u8 = 0xFF;

/// A sink behind the rows of its primary keys.
pub(crate) struct ConflictSink {
    rows: KeptRows,
    identity: RowIdentity,
    /// DO ERROR.
    fails: bool,
    keys: Vec<usize>,
    row_codec: RowCodec,
    schema: SchemaRef,
    /// Primary keys with changes that no watermark has decided yet, in the order in which they came.
    pending: Vec<Bytes>,
    is_pending: HashSet<Bytes>,
    sink: Box<dyn Operator>,
}

impl ConflictSink {
    pub(crate) fn new(plan: &UpsertMaterialize, fails: bool, input: &Node, sink: Box<dyn Operator>) -> Self {
        let types: Vec<LogicalType> = input.schema.types().cloned().collect();
        ConflictSink {
            rows: KeptRows::new(&types, &plan.keys, plan.state_ttl_ms),
            identity: RowIdentity::new(plan, &types),
            fails,
            keys: plan.keys.clone(),
            row_codec: RowCodec::new(types),
            schema: input.schema.to_arrow(),
            pending: vec![],
            is_pending: HashSet::new(),
            sink,
        }
    }

    fn keep(&mut self, batch: &ChangeBatch, now_ms: i64) -> Result<()> {
        let encoded = self.rows.encode(batch.rows())?;
        let identities = self.identity.of(batch.rows())?;
        for row in 0..batch.num_rows() {
            let key = encoded.keys.get(row);
            let packed = RowIdentity::pack(identities.as_ref().map(|ids| ids.get(row)), encoded.rows.get(row));
            let kind = batch.kind(row);
            let mut kept = self.rows.get(key, now_ms).to_vec();
            let undone = kept.iter().position(|change| {
                let (tag, other) = split_tag(change);
                RowKind::from_byte(tag).is_some_and(|k| k.adds() != kind.adds()) && *other == *packed
            });
            match undone {
                Some(at) => {
                    kept.remove(at);
                }
                None => kept.push(tagged(kind as u8, &packed)),
            }
            self.rows.set(key, kept, now_ms);
            self.note(key);
        }
        Ok(())
    }

    fn note(&mut self, key: &[u8]) {
        if self.is_pending.insert(key.into()) {
            self.pending.push(key.into());
        }
    }

    /// Decides what has come since the last watermark.
    fn decide(&mut self, cx: &mut OperatorContext<'_>) -> Result<()> {
        if self.pending.is_empty() {
            return Ok(());
        }
        let mut steps = Steps::default();
        self.is_pending.clear();
        for key in std::mem::take(&mut self.pending) {
            let kept = self.rows.get(&key, cx.now_ms()).to_vec();
            let told = kept.first().filter(|row| split_tag(row).0 == TOLD).map(|row| Bytes::from(split_tag(row).1));
            let mut rows = self.apply(&told, &kept);
            let tell = |steps: &mut Steps, kind, packed: &[u8]| steps.kept(kind, self.identity.split(packed).1.into());
            let now_told = match (rows.len(), told) {
                (0, told) => {
                    told.iter().for_each(|row| tell(&mut steps, RowKind::Delete, row));
                    None
                }
                (1, Some(told)) if *told == *rows[0] => Some(told),
                (1, told) => {
                    let kind = if told.is_some() { RowKind::UpdateAfter } else { RowKind::Insert };
                    tell(&mut steps, kind, &rows[0]);
                    rows.pop()
                }
                _ if self.fails => return Err(self.conflict(&rows[0])?),
                (_, Some(told)) => Some(told),
                (_, None) => {
                    tell(&mut steps, RowKind::Insert, &rows[0]);
                    Some(rows.swap_remove(0))
                }
            };
            self.rows.set(&key, now_told.iter().map(|row| tagged(TOLD, row)).collect(), cx.now_ms());
        }
        if steps.is_empty() {
            return Ok(());
        }
        let nothing = RecordBatch::new_empty(self.schema.clone());
        let changes = self.rows.changes(&nothing, steps, &self.schema)?;
        self.sink.on_batch(0, changes, cx)
    }

    /// The rows of a primary key after its changes.
    fn apply(&self, told: &Option<Bytes>, kept: &[Bytes]) -> Vec<Bytes> {
        let mut rows: Vec<Bytes> = told.iter().cloned().collect();
        for change in kept {
            let (tag, packed) = split_tag(change);
            let Some(kind) = RowKind::from_byte(tag) else { continue };
            let same = |other: &Bytes| match (self.identity.split(other), self.identity.split(packed)) {
                ((Some(a), _), (Some(b), _)) => a == b,
                ((_, a), (_, b)) => a == b,
            };
            let found = rows.iter().position(same);
            match (kind.adds(), found) {
                (true, Some(at)) if self.identity.is_key() => rows[at] = packed.into(),
                (true, _) => rows.push(packed.into()),
                (false, Some(at)) => {
                    rows.remove(at);
                }
                // Its row is forgotten already: it lost, or its time to live was over.
                (false, None) => {}
            }
        }
        rows
    }

    fn conflict(&self, packed: &[u8]) -> Result<Error> {
        let columns = self.row_codec.decode([self.identity.split(packed).1])?;
        let options = FormatOptions::default().with_null("null");
        let value = |key: &usize| -> Result<String> {
            let column: &ArrayRef = &columns[*key];
            let text = ArrayFormatter::try_new(column.as_ref(), &options).map_err(arrow_bug)?.value(0).to_string();
            Ok(format!("{}={text}", self.schema.field(*key).name()))
        };
        let key = self.keys.iter().map(value).collect::<Result<Vec<_>>>()?.join(", ");
        Ok(Error::data(format!("several rows have the same primary key: [{key}]"))
            .with_hint("ON CONFLICT DO NOTHING keeps the first of them, DO DEDUPLICATE the newest"))
    }
}

fn tagged(tag: u8, packed: &[u8]) -> Bytes {
    [&[tag][..], packed].concat().into()
}

fn split_tag(row: &[u8]) -> (u8, &[u8]) {
    row.split_first().map_or((TOLD, row), |(tag, packed)| (*tag, packed))
}

impl Operator for ConflictSink {
    fn on_batch(&mut self, _port: usize, batch: ChangeBatch, cx: &mut OperatorContext<'_>) -> Result<()> {
        self.keep(&batch, cx.now_ms())
    }

    fn on_watermark(&mut self, watermark: i64, cx: &mut OperatorContext<'_>) -> Result<()> {
        self.decide(cx)?;
        self.sink.on_watermark(watermark, cx)
    }

    fn on_barrier(&mut self, epoch: u64, cx: &mut OperatorContext<'_>) -> Result<()> {
        self.rows.expire(cx.now_ms());
        self.sink.on_barrier(epoch, cx)
    }

    /// The sinks behind it have no keyed state of their own.
    fn freeze(&mut self, state: &mut StateWriter<'_>) -> Result<()> {
        self.rows.freeze(state);
        Ok(())
    }

    fn restore(&mut self, entries: &[StateEntry]) -> Result<()> {
        self.rows.restore(entries)?;
        for entry in entries {
            if self.rows.get(&entry.key, 0).iter().any(|row| split_tag(row).0 != TOLD) {
                self.note(&entry.key);
            }
        }
        Ok(())
    }

    fn memory_bytes(&self) -> usize {
        self.rows.memory_bytes()
    }

    fn sink_writer(&mut self) -> Option<&mut dyn SinkWriter> {
        self.sink.sink_writer()
    }

    fn markers(&self) -> Option<Vec<i64>> {
        self.sink.markers()
    }
}
