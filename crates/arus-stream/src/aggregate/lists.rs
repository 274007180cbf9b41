//! COLLECT and ARRAY_AGG.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use arrow::array::{ArrayRef, BinaryViewArray, Int32Array, ListArray, StructArray};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::datatypes::DataType;
use arus_core::change::arrow_bug;
use arus_core::{Error, LogicalType, Result};

use super::Accumulator;
use super::encoded::{Codec, Encoding};
use super::extreme::{Owned, load_owned, save_owned};
use super::fold::{Fold, Folding, Stored};

pub(super) fn collect(arg: &LogicalType, result: &LogicalType) -> Box<dyn Accumulator> {
    let codec = Codec::key(arg);
    let inner = Folding::boxed(Collect { codec: codec.clone(), ty: result.to_arrow() });
    Box::new(Encoding { codec, keeps_nulls: false, decodes: false, inner })
}

pub(super) fn array_agg(arg: &LogicalType, result: &LogicalType, ignores_nulls: bool) -> Box<dyn Accumulator> {
    let codec = Codec::row(arg);
    let inner = Folding::boxed(ArrayAgg { codec: codec.clone(), ty: result.to_arrow() });
    Box::new(Encoding { codec, keeps_nulls: !ignores_nulls, decodes: false, inner })
}

/// Each value with how often it is there, by value; an empty multiset where there is none.
struct Collect {
    codec: Codec,
    ty: DataType,
}

impl Fold for Collect {
    type Input = BinaryViewArray;
    type State = BTreeMap<Owned, i64>;
    type Value = Vec<(Owned, i64)>;

    fn add(state: &mut Self::State, input: &Self::Input, row: usize) {
        change(state, input.value(row), 1);
    }

    fn take(state: &mut Self::State, input: &Self::Input, row: usize) {
        change(state, input.value(row), -1);
    }

    fn merges(&self) -> bool {
        true
    }

    fn merge(&self, state: &mut Self::State, from: &Self::State) {
        from.iter().for_each(|(value, count)| change(state, value, *count));
    }

    fn value(&self, state: &Self::State) -> Option<Self::Value> {
        Some(state.iter().filter(|(_, count)| **count > 0).map(|(value, count)| (value.clone(), *count)).collect())
    }

    fn build(&self, values: impl Iterator<Item = Option<Self::Value>>) -> Result<ArrayRef> {
        let values: Vec<Self::Value> = values.map(Option::unwrap_or_default).collect();
        let keys = self.codec.decode(values.iter().flatten().map(|(value, _)| &**value))?;
        let counts: Int32Array = values.iter().flatten().map(|(_, count)| *count as i32).collect();
        let DataType::List(field) = &self.ty else { return Err(Error::bug("COLLECT gives a MULTISET")) };
        let DataType::Struct(fields) = field.data_type() else { return Err(Error::bug("a MULTISET has entries")) };
        let entries = StructArray::try_new(fields.clone(), vec![keys, Arc::new(counts)], None).map_err(arrow_bug)?;
        let offsets = OffsetBuffer::from_lengths(values.iter().map(Vec::len));
        Ok(Arc::new(ListArray::try_new(field.clone(), offsets, Arc::new(entries), None).map_err(arrow_bug)?))
    }

    fn save(state: &Self::State, out: &mut Vec<u8>) {
        (state.len() as u32).save(out);
        for (value, count) in state {
            save_owned(value, out);
            count.save(out);
        }
    }

    fn load(bytes: &mut &[u8]) -> Result<Self::State> {
        (0..u32::load(bytes)?).map(|_| Ok((load_owned(bytes)?, i64::load(bytes)?))).collect()
    }
}

fn change(state: &mut BTreeMap<Owned, i64>, value: &[u8], by: i64) {
    match state.get_mut(value) {
        Some(count) if *count + by == 0 => {
            state.remove(value);
        }
        Some(count) => *count += by,
        None => {
            state.insert(value.into(), by);
        }
    }
}

/// The values in the order of arrival; NULL where there is none.
struct ArrayAgg {
    codec: Codec,
    ty: DataType,
}

impl Fold for ArrayAgg {
    type Input = BinaryViewArray;
    type State = Arrivals;
    type Value = Vec<Owned>;

    fn add(state: &mut Self::State, input: &Self::Input, row: usize) {
        state.add(input.value(row).into());
    }

    fn take(state: &mut Self::State, input: &Self::Input, row: usize) {
        state.take(input.value(row));
    }

    fn merges(&self) -> bool {
        true
    }

    fn merge(&self, state: &mut Self::State, from: &Self::State) {
        state.merge(from);
    }

    fn value(&self, state: &Self::State) -> Option<Self::Value> {
        (!state.values.is_empty()).then(|| state.values.iter().cloned().collect())
    }

    fn build(&self, values: impl Iterator<Item = Option<Self::Value>>) -> Result<ArrayRef> {
        let values: Vec<Option<Self::Value>> = values.collect();
        let elements = self.codec.decode(values.iter().flatten().flatten().map(|value| &**value))?;
        let DataType::List(field) = &self.ty else { return Err(Error::bug("ARRAY_AGG gives an ARRAY")) };
        let offsets = OffsetBuffer::from_lengths(values.iter().map(|list| list.as_ref().map_or(0, Vec::len)));
        let nulls = NullBuffer::from_iter(values.iter().map(Option::is_some));
        Ok(Arc::new(ListArray::try_new(field.clone(), offsets, elements, Some(nulls)).map_err(arrow_bug)?))
    }

    fn save(state: &Self::State, out: &mut Vec<u8>) {
        state.save(out);
    }

    fn load(bytes: &mut &[u8]) -> Result<Self::State> {
        Arrivals::load(bytes)
    }
}

/// Values in the order of arrival. A retraction takes the oldest that is equal; one that finds none waits for a merge.
#[derive(Clone, Default)]
pub(super) struct Arrivals {
    pub(super) values: VecDeque<Owned>,
    retracted: Vec<Owned>,
}

impl Arrivals {
    pub(super) fn add(&mut self, value: Owned) {
        self.values.push_back(value);
    }

    pub(super) fn take(&mut self, value: &[u8]) {
        if !self.remove(value) {
            self.retracted.push(value.into());
        }
    }

    fn remove(&mut self, value: &[u8]) -> bool {
        let at = self.values.iter().position(|other| **other == *value);
        at.is_some_and(|at| self.values.remove(at).is_some())
    }

    pub(super) fn merge(&mut self, from: &Arrivals) {
        self.values.extend(from.values.iter().cloned());
        let waiting = std::mem::take(&mut self.retracted);
        for value in waiting.iter().chain(&from.retracted) {
            self.take(value);
        }
    }

    pub(super) fn save(&self, out: &mut Vec<u8>) {
        (self.values.len() as u32).save(out);
        (self.retracted.len() as u32).save(out);
        self.values.iter().chain(&self.retracted).for_each(|value| save_owned(value, out));
    }

    pub(super) fn load(bytes: &mut &[u8]) -> Result<Self> {
        let (values, retracted) = (u32::load(bytes)?, u32::load(bytes)?);
        Ok(Arrivals {
            values: (0..values).map(|_| load_owned(bytes)).collect::<Result<_>>()?,
            retracted: (0..retracted).map(|_| load_owned(bytes)).collect::<Result<_>>()?,
        })
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.values.iter().chain(&self.retracted).map(|value| value.len() + size_of::<Owned>()).sum()
    }
}
