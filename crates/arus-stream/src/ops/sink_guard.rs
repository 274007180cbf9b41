//! What may stand before a sink: the newest row of each primary key chosen, NOT NULL and lengths enforced.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BinaryViewArray, RecordBatch, StringViewArray};
use arrow::datatypes::SchemaRef;
use arus_core::plan::{LengthEnforcer, Node, UpsertMaterialize};
use arus_core::types::TypeKind;
use arus_core::{ChangeBatch, LogicalType, Result, RowKind};
use arus_storage::codec::{EncodedRows, KeyCodec};

use crate::eval::{kept, null_violations};
use crate::operator::{Operator, OperatorContext};
use crate::ops::kept_rows::{Bytes, KeptRows, Steps};
use crate::state::{StateEntry, StateWriter};

/// Rows of one primary key that come from several keys of the query: all are kept, the newest counts.
///
/// | in | out |
/// |---|---|
/// | +I, +U | +I for the first row of a primary key, else +U |
/// | -U, -D of the newest row | +U with the one before it, or -D when it was the last |
/// | -U, -D of another row | nothing |
pub(crate) struct UpsertMaterializer {
    rows: KeptRows,
    identity: RowIdentity,
    schema: SchemaRef,
}

/// By which rows of one primary key are told apart: a codec and its columns; `None`: by the whole row.
pub(super) struct RowIdentity(Option<(KeyCodec, Vec<usize>)>);

impl RowIdentity {
    pub(super) fn new(plan: &UpsertMaterialize, types: &[LogicalType]) -> Self {
        RowIdentity((!plan.upsert_key.is_empty()).then(|| {
            let codec = KeyCodec::new(plan.upsert_key.iter().map(|k| types[*k].clone()));
            (codec, plan.upsert_key.clone())
        }))
    }

    pub(super) fn is_key(&self) -> bool {
        self.0.is_some()
    }

    pub(super) fn of(&self, rows: &RecordBatch) -> Result<Option<EncodedRows>> {
        let Some((codec, columns)) = &self.0 else { return Ok(None) };
        let columns: Vec<ArrayRef> = columns.iter().map(|c| rows.column(*c).clone()).collect();
        codec.encode(&columns, rows.num_rows()).map(Some)
    }

    /// A kept row is its identity (length, bytes), then the row; without an identity the row alone.
    pub(super) fn pack(identity: Option<&[u8]>, row: &[u8]) -> Bytes {
        match identity {
            None => row.into(),
            Some(id) => [&(id.len() as u32).to_le_bytes()[..], id, row].concat().into(),
        }
    }

    /// Of a kept row its identity and the row.
    pub(super) fn split<'r>(&self, packed: &'r [u8]) -> (Option<&'r [u8]>, &'r [u8]) {
        match (&self.0, packed.split_first_chunk::<4>()) {
            (Some(_), Some((length, rest))) => {
                let (id, row) = rest.split_at((u32::from_le_bytes(*length) as usize).min(rest.len()));
                (Some(id), row)
            }
            _ => (None, packed),
        }
    }
}

impl UpsertMaterializer {
    pub(crate) fn new(plan: &UpsertMaterialize, input: &Node) -> Self {
        let types: Vec<LogicalType> = input.schema.types().cloned().collect();
        UpsertMaterializer {
            rows: KeptRows::new(&types, &plan.keys, plan.state_ttl_ms),
            identity: RowIdentity::new(plan, &types),
            schema: input.schema.to_arrow(),
        }
    }

    fn row_of(&self, packed: &Bytes) -> Bytes {
        self.identity.split(packed).1.into()
    }

    fn is_same(&self, packed: &[u8], identity: Option<&[u8]>, row: &[u8]) -> bool {
        match (self.identity.split(packed), identity) {
            ((Some(kept), _), Some(id)) => kept == id,
            ((_, kept), _) => kept == row,
        }
    }

    fn steps(&mut self, batch: &ChangeBatch, now_ms: i64) -> Result<Steps> {
        let encoded = self.rows.encode(batch.rows())?;
        let identities = self.identity.of(batch.rows())?;
        let mut steps = Steps::default();
        for row in 0..batch.num_rows() {
            let (key, bytes) = (encoded.keys.get(row), encoded.rows.get(row));
            let identity = identities.as_ref().map(|ids| ids.get(row));
            let mut rows = self.rows.get(key, now_ms).to_vec();
            let found = rows.iter().position(|kept| self.is_same(kept, identity, bytes));
            if batch.kind(row).adds() {
                steps.input(if rows.is_empty() { RowKind::Insert } else { RowKind::UpdateAfter }, row);
                match found.filter(|_| identity.is_some()) {
                    Some(at) => rows[at] = RowIdentity::pack(identity, bytes),
                    None => rows.push(RowIdentity::pack(identity, bytes)),
                }
            } else {
                let Some(at) = found else { continue };
                let newest = at + 1 == rows.len();
                let removed = rows.remove(at);
                match rows.last() {
                    None => steps.kept(RowKind::Delete, self.row_of(&removed)),
                    Some(before) if newest => steps.kept(RowKind::UpdateAfter, self.row_of(before)),
                    Some(_) => {}
                }
            }
            self.rows.set(key, rows, now_ms);
        }
        Ok(steps)
    }
}

/// A sink with the materializer before it.
pub(crate) struct MaterializedSink {
    pub(crate) materializer: UpsertMaterializer,
    pub(crate) sink: Box<dyn Operator>,
}

impl Operator for MaterializedSink {
    fn on_batch(&mut self, port: usize, batch: ChangeBatch, cx: &mut OperatorContext<'_>) -> Result<()> {
        let steps = self.materializer.steps(&batch, cx.now_ms())?;
        if steps.is_empty() {
            return Ok(());
        }
        let changes = self.materializer.rows.changes(batch.rows(), steps, &self.materializer.schema)?;
        self.sink.on_batch(port, changes, cx)
    }

    fn on_watermark(&mut self, watermark: i64, cx: &mut OperatorContext<'_>) -> Result<()> {
        self.sink.on_watermark(watermark, cx)
    }

    fn on_barrier(&mut self, epoch: u64, cx: &mut OperatorContext<'_>) -> Result<()> {
        self.materializer.rows.expire(cx.now_ms());
        self.sink.on_barrier(epoch, cx)
    }

    /// The sinks behind it have no keyed state of their own.
    fn freeze(&mut self, state: &mut StateWriter<'_>) -> Result<()> {
        self.materializer.rows.freeze(state);
        Ok(())
    }

    fn restore(&mut self, entries: &[StateEntry]) -> Result<()> {
        self.materializer.rows.restore(entries)
    }

    fn memory_bytes(&self) -> usize {
        self.materializer.rows.memory_bytes()
    }

    fn sink_writer(&mut self) -> Option<&mut dyn arus_core::connector::SinkWriter> {
        self.sink.sink_writer()
    }

    fn markers(&self) -> Option<Vec<i64>> {
        self.sink.markers()
    }
}

/// Before a sink: rows with a NULL in a NOT NULL column, or with a text of the wrong length, are set aside or fail the
/// pipeline; with TRIM_PAD texts are cut and filled.
pub(crate) struct ConstraintSink {
    /// Position in the rows and name of each column that takes no NULL.
    pub(crate) not_null: Vec<(usize, String)>,
    pub(crate) lengths: Vec<Length>,
    pub(crate) enforcer: LengthEnforcer,
    pub(crate) sink: Box<dyn Operator>,
}

/// A column with a length.
pub(crate) struct Length {
    pub(crate) column: usize,
    pub(crate) name: String,
    pub(crate) kind: TypeKind,
}

impl Length {
    /// The length, and whether a value has exactly so many characters or bytes.
    pub(crate) fn limit(&self) -> (usize, bool) {
        match self.kind {
            TypeKind::Char(n) | TypeKind::Binary(n) => (n as usize, true),
            TypeKind::Varchar(n) | TypeKind::Varbinary(n) => (n as usize, false),
            _ => (usize::MAX, false),
        }
    }

    fn violations(&self, rows: &RecordBatch, found: &mut Vec<(u32, String)>) {
        let (limit, exact) = self.limit();
        let column = rows.column(self.column);
        for row in (0..column.len()).filter(|row| column.is_valid(*row)) {
            let length = match column.as_string_view_opt() {
                Some(texts) => texts.value(row).chars().count(),
                None => column.as_binary_view_opt().map_or(limit, |bytes| bytes.value(row).len()),
            };
            if length > limit || (exact && length < limit) {
                let (name, kind) = (&self.name, &self.kind);
                found.push((row as u32, format!("column '{name}' is {kind}, found a value of length {length}")));
            }
        }
    }

    fn trimmed(&self, column: &ArrayRef) -> ArrayRef {
        let (limit, exact) = self.limit();
        if let Some(texts) = column.as_string_view_opt() {
            let fit = |text: &str| {
                let mut out: String = text.chars().take(limit).collect();
                if exact {
                    out.extend(std::iter::repeat_n(' ', limit.saturating_sub(out.chars().count())));
                }
                out
            };
            return Arc::new(texts.iter().map(|t| t.map(fit)).collect::<StringViewArray>());
        }
        let Some(bytes) = column.as_binary_view_opt() else { return column.clone() };
        let fit = |value: &[u8]| {
            let mut out = value[..value.len().min(limit)].to_vec();
            if exact {
                out.resize(limit, 0);
            }
            out
        };
        Arc::new(bytes.iter().map(|b| b.map(fit)).collect::<BinaryViewArray>())
    }
}

impl ConstraintSink {
    fn violations(&self, rows: &RecordBatch) -> Vec<(u32, String)> {
        let mut found = null_violations(&self.not_null, rows);
        if self.enforcer == LengthEnforcer::Error {
            self.lengths.iter().for_each(|l| l.violations(rows, &mut found));
            found.sort_by_key(|(row, _)| *row);
            found.dedup_by_key(|(row, _)| *row);
        }
        found
    }
}

impl Operator for ConstraintSink {
    fn on_batch(&mut self, port: usize, batch: ChangeBatch, cx: &mut OperatorContext<'_>) -> Result<()> {
        let failed = self.violations(batch.rows());
        let mut batch = batch;
        if !failed.is_empty() {
            cx.quarantine(batch.rows(), &failed)?;
            batch = batch.filter(&kept(batch.num_rows(), &failed)?)?;
        }
        if self.enforcer == LengthEnforcer::TrimPad && !self.lengths.is_empty() {
            let mut columns = batch.rows().columns().to_vec();
            for length in &self.lengths {
                columns[length.column] = length.trimmed(&columns[length.column]);
            }
            let rows = crate::ops::rows(batch.rows().schema_ref(), columns, batch.num_rows())?;
            batch = batch.with_rows(rows);
        }
        if batch.num_rows() == 0 { Ok(()) } else { self.sink.on_batch(port, batch, cx) }
    }

    fn on_watermark(&mut self, watermark: i64, cx: &mut OperatorContext<'_>) -> Result<()> {
        self.sink.on_watermark(watermark, cx)
    }

    fn on_barrier(&mut self, epoch: u64, cx: &mut OperatorContext<'_>) -> Result<()> {
        self.sink.on_barrier(epoch, cx)
    }

    fn freeze(&mut self, state: &mut StateWriter<'_>) -> Result<()> {
        self.sink.freeze(state)
    }

    fn restore(&mut self, entries: &[StateEntry]) -> Result<()> {
        self.sink.restore(entries)
    }

    fn memory_bytes(&self) -> usize {
        self.sink.memory_bytes()
    }

    fn sink_writer(&mut self) -> Option<&mut dyn arus_core::connector::SinkWriter> {
        self.sink.sink_writer()
    }

    fn markers(&self) -> Option<Vec<i64>> {
        self.sink.markers()
    }
}
