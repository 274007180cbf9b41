//! Values of any type as bytes, for accumulators that only keep values and compare them for equality.

use std::any::Any;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BinaryViewArray, UInt32Array};
use arrow::compute::take;
use arus_core::change::arrow_bug;
use arus_core::{Error, LogicalType, Result};
use arus_storage::codec::{EncodedRows, KeyCodec, RowCodec};

use super::{Accumulator, SlotRows, Trace, same};

/// How the values of one argument become bytes.
#[derive(Clone)]
pub(super) enum Codec {
    /// Exactly what went in comes out.
    Row(RowCodec),
    /// Equal values have equal bytes.
    Key(KeyCodec),
}

impl Codec {
    pub(super) fn row(ty: &LogicalType) -> Self {
        Codec::Row(RowCodec::new([ty.clone()]))
    }

    pub(super) fn key(ty: &LogicalType) -> Self {
        Codec::Key(KeyCodec::new([ty.clone()]))
    }

    fn encode(&self, array: &ArrayRef) -> Result<EncodedRows> {
        let arrays = std::slice::from_ref(array);
        match self {
            Codec::Row(codec) => codec.encode(arrays, array.len()),
            Codec::Key(codec) => codec.encode(arrays, array.len()),
        }
    }

    /// The values of these bytes.
    pub(super) fn decode<'a>(&self, rows: impl Iterator<Item = &'a [u8]>) -> Result<ArrayRef> {
        let mut columns = match self {
            Codec::Row(codec) => codec.decode(rows)?,
            Codec::Key(codec) => codec.decode(rows)?,
        };
        columns.pop().ok_or_else(|| Error::bug("an encoded value without a column"))
    }
}

/// Gives `inner` its first argument as bytes.
pub(super) struct Encoding {
    pub(super) codec: Codec,
    /// Whether a NULL is a value like any other.
    pub(super) keeps_nulls: bool,
    /// Whether what `inner` gives is such bytes, too.
    pub(super) decodes: bool,
    pub(super) inner: Box<dyn Accumulator>,
}

impl Encoding {
    fn args(&self, args: &[ArrayRef]) -> Result<Vec<ArrayRef>> {
        let first = args.first().ok_or_else(|| Error::bug("an aggregate lost its argument"))?;
        let encoded = self.codec.encode(first)?;
        let nulls = if self.keeps_nulls { None } else { first.logical_nulls() };
        let is_there = |row: usize| nulls.as_ref().is_none_or(|nulls| nulls.is_valid(row));
        let bytes: BinaryViewArray =
            encoded.iter().enumerate().map(|(row, bytes)| is_there(row).then_some(bytes)).collect();
        Ok(vec![Arc::new(bytes)])
    }

    fn result(&self, array: ArrayRef) -> Result<ArrayRef> {
        if !self.decodes {
            return Ok(array);
        }
        let bytes = array.as_binary_view();
        let values = self.codec.decode(bytes.iter().flatten())?;
        if bytes.null_count() == 0 {
            return Ok(values);
        }
        let mut next = 0;
        let indices: UInt32Array = bytes
            .iter()
            .map(|value| {
                value.map(|_| {
                    next += 1;
                    next - 1
                })
            })
            .collect();
        take(&values, &indices, None).map_err(arrow_bug)
    }
}

impl Accumulator for Encoding {
    fn grow(&mut self, slots: usize) {
        self.inner.grow(slots);
    }

    fn clear(&mut self, slot: u32) {
        self.inner.clear(slot);
    }

    fn update(&mut self, rows: SlotRows<'_>, args: &[ArrayRef]) -> Result<()> {
        let args = self.args(args)?;
        self.inner.update(rows, &args)
    }

    fn trace(&mut self, rows: SlotRows<'_>, args: &[ArrayRef]) -> Result<Trace> {
        let args = self.args(args)?;
        let trace = self.inner.trace(rows, &args)?;
        Ok(Trace { before: self.result(trace.before)?, after: self.result(trace.after)? })
    }

    fn evaluate(&self, slots: &[u32]) -> Result<ArrayRef> {
        self.result(self.inner.evaluate(slots)?)
    }

    fn merges(&self) -> bool {
        self.inner.merges()
    }

    fn merge(&mut self, into: &[u32], other: &dyn Accumulator, from: &[u32]) -> Result<()> {
        self.inner.merge(into, same::<Self>(other)?.inner.as_ref(), from)
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn save(&self, slot: u32, out: &mut Vec<u8>) {
        self.inner.save(slot, out);
    }

    fn load(&mut self, slot: u32, bytes: &mut &[u8]) -> Result<()> {
        self.inner.load(slot, bytes)
    }

    fn memory_bytes(&self) -> usize {
        self.inner.memory_bytes()
    }
}
