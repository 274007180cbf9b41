//! FIRST_VALUE and LAST_VALUE in the order of arrival; NULLs are passed over, as in Flink.
//!
//! Without retraction the one value; with it all values in their order: a retraction takes the oldest that is equal.

use std::cmp::Ordering;
use std::collections::VecDeque;
use std::marker::PhantomData;

use arrow::array::ArrayRef;
use arrow::datatypes::DataType;
use arus_core::{LogicalType, Result};

use super::Accumulator;
use super::encoded::{Codec, Encoding};
use super::extreme::{Binaries, ForValues, Values, by_type, load_option, save_option};
use super::fold::{Fold, Folding, Stored};

pub(super) fn first_last<const FIRST: bool>(arg: &LogicalType, retracts: bool) -> Box<dyn Accumulator> {
    let of = Kept::<FIRST> { retracts };
    by_type(&arg.kind, arg.to_arrow(), &of).unwrap_or_else(|| {
        let inner = of.make::<Binaries>(DataType::BinaryView);
        Box::new(Encoding { codec: Codec::row(arg), keeps_nulls: false, decodes: true, inner })
    })
}

struct Kept<const FIRST: bool> {
    retracts: bool,
}

impl<const FIRST: bool> ForValues for Kept<FIRST> {
    fn make<V: Values>(&self, ty: DataType) -> Box<dyn Accumulator> {
        if self.retracts {
            Folding::boxed(Sequence::<V, FIRST> { ty, values: PhantomData })
        } else {
            Folding::boxed(One::<V, FIRST> { ty, values: PhantomData })
        }
    }
}

struct One<V, const FIRST: bool> {
    ty: DataType,
    values: PhantomData<V>,
}

impl<V: Values, const FIRST: bool> Fold for One<V, FIRST> {
    type Input = V::Input;
    type State = Option<V::Item>;
    type Value = V::Item;

    #[inline]
    fn add(state: &mut Self::State, input: &Self::Input, row: usize) {
        if !FIRST || state.is_none() {
            *state = Some(V::item(input, row));
        }
    }

    /// The plan gives every retracting aggregate its sequence.
    fn take(_state: &mut Self::State, _input: &Self::Input, _row: usize) {}

    fn merges(&self) -> bool {
        true
    }

    fn merge(&self, state: &mut Self::State, from: &Self::State) {
        if from.is_some() && (!FIRST || state.is_none()) {
            state.clone_from(from);
        }
    }

    fn value(&self, state: &Self::State) -> Option<V::Item> {
        state.clone()
    }

    fn build(&self, values: impl Iterator<Item = Option<V::Item>>) -> Result<ArrayRef> {
        V::build(values, &self.ty)
    }

    fn save(state: &Self::State, out: &mut Vec<u8>) {
        save_option::<V>(state, out);
    }

    fn load(bytes: &mut &[u8]) -> Result<Self::State> {
        load_option::<V>(bytes)
    }
}

/// All values, oldest first.
struct Sequence<V, const FIRST: bool> {
    ty: DataType,
    values: PhantomData<V>,
}

impl<V: Values, const FIRST: bool> Fold for Sequence<V, FIRST> {
    type Input = V::Input;
    type State = VecDeque<V::Item>;
    type Value = V::Item;

    fn add(state: &mut Self::State, input: &Self::Input, row: usize) {
        state.push_back(V::item(input, row));
    }

    fn take(state: &mut Self::State, input: &Self::Input, row: usize) {
        let value = V::item(input, row);
        if let Some(at) = state.iter().position(|item| V::total(item, &value) == Ordering::Equal) {
            state.remove(at);
        }
    }

    fn merges(&self) -> bool {
        true
    }

    fn merge(&self, state: &mut Self::State, from: &Self::State) {
        state.extend(from.iter().cloned());
    }

    fn value(&self, state: &Self::State) -> Option<V::Item> {
        if FIRST { state.front().cloned() } else { state.back().cloned() }
    }

    fn build(&self, values: impl Iterator<Item = Option<V::Item>>) -> Result<ArrayRef> {
        V::build(values, &self.ty)
    }

    fn save(state: &Self::State, out: &mut Vec<u8>) {
        (state.len() as u32).save(out);
        state.iter().for_each(|item| V::save(item, out));
    }

    fn load(bytes: &mut &[u8]) -> Result<Self::State> {
        (0..u32::load(bytes)?).map(|_| V::load(bytes)).collect()
    }
}
