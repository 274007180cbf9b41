//! SUM: NULL while no value counts. Integers wrap; a DECIMAL beyond 38 digits becomes NULL, both as in Flink.

use std::marker::PhantomData;
use std::sync::Arc;

use arrow::array::{ArrayRef, ArrowNativeTypeOp, ArrowPrimitiveType, Decimal128Array, PrimitiveArray};
use arrow::datatypes::{DataType, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type};
use arus_core::{LogicalType, Result, TypeKind};

use super::fold::{Fold, Folding, Stored};
use super::{Accumulator, power_of_ten};

pub(super) fn sum(arg: &TypeKind, result: &LogicalType) -> Option<Box<dyn Accumulator>> {
    Some(match arg {
        TypeKind::TinyInt => Folding::boxed(Sum::<Int8Type>(PhantomData)),
        TypeKind::SmallInt => Folding::boxed(Sum::<Int16Type>(PhantomData)),
        TypeKind::Int => Folding::boxed(Sum::<Int32Type>(PhantomData)),
        TypeKind::BigInt => Folding::boxed(Sum::<Int64Type>(PhantomData)),
        TypeKind::Float => Folding::boxed(Sum::<Float32Type>(PhantomData)),
        TypeKind::Double => Folding::boxed(Sum::<Float64Type>(PhantomData)),
        TypeKind::Decimal { .. } => Folding::boxed(DecimalSum(result.to_arrow())),
        _ => return None,
    })
}

/// A running sum and how many values are in it.
#[derive(Clone, Copy, Default)]
pub(super) struct SumState<N> {
    pub(super) sum: N,
    pub(super) count: i64,
}

impl<N: Stored> SumState<N> {
    pub(super) fn save(&self, out: &mut Vec<u8>) {
        self.sum.save(out);
        self.count.save(out);
    }

    pub(super) fn load(bytes: &mut &[u8]) -> Result<Self> {
        Ok(SumState { sum: N::load(bytes)?, count: i64::load(bytes)? })
    }
}

struct Sum<T>(PhantomData<T>);

impl<T> Fold for Sum<T>
where
    T: ArrowPrimitiveType + Send,
    T::Native: Stored,
{
    type Input = PrimitiveArray<T>;
    type State = SumState<T::Native>;
    type Value = T::Native;

    fn merges(&self) -> bool {
        true
    }

    /// A float's sum depends on the order of its parts.
    fn subtracts(&self) -> bool {
        T::DATA_TYPE.is_integer()
    }

    #[inline]
    fn merge(&self, state: &mut Self::State, other: &Self::State) {
        state.sum = state.sum.add_wrapping(other.sum);
        state.count += other.count;
    }

    #[inline]
    fn subtract(&self, state: &mut Self::State, other: &Self::State) {
        state.sum = state.sum.sub_wrapping(other.sum);
        state.count -= other.count;
    }

    #[inline]
    fn add(state: &mut Self::State, input: &Self::Input, row: usize) {
        state.sum = state.sum.add_wrapping(input.value(row));
        state.count += 1;
    }

    #[inline]
    fn take(state: &mut Self::State, input: &Self::Input, row: usize) {
        state.sum = state.sum.sub_wrapping(input.value(row));
        state.count -= 1;
    }

    #[inline]
    fn value(&self, state: &Self::State) -> Option<T::Native> {
        (state.count != 0).then_some(state.sum)
    }

    fn build(&self, values: impl Iterator<Item = Option<T::Native>>) -> Result<ArrayRef> {
        Ok(Arc::new(values.collect::<PrimitiveArray<T>>()))
    }

    fn save(state: &Self::State, out: &mut Vec<u8>) {
        state.save(out);
    }

    fn load(bytes: &mut &[u8]) -> Result<Self::State> {
        SumState::load(bytes)
    }
}

struct DecimalSum(DataType);

impl Fold for DecimalSum {
    type Input = Decimal128Array;
    type State = SumState<i128>;
    type Value = i128;

    /// Not subtracted: a sum beyond 38 digits starts anew.
    fn merges(&self) -> bool {
        true
    }

    fn merge(&self, state: &mut Self::State, other: &Self::State) {
        add_decimal(state, other.sum, other.count);
    }

    #[inline]
    fn add(state: &mut Self::State, input: &Self::Input, row: usize) {
        add_decimal(state, input.value(row), 1);
    }

    #[inline]
    fn take(state: &mut Self::State, input: &Self::Input, row: usize) {
        add_decimal(state, -input.value(row), -1);
    }

    fn value(&self, state: &Self::State) -> Option<i128> {
        (state.count != 0).then_some(state.sum)
    }

    fn build(&self, values: impl Iterator<Item = Option<i128>>) -> Result<ArrayRef> {
        let values: Decimal128Array = values.collect();
        Ok(Arc::new(values.with_data_type(self.0.clone())))
    }

    fn save(state: &Self::State, out: &mut Vec<u8>) {
        state.save(out);
    }

    fn load(bytes: &mut &[u8]) -> Result<Self::State> {
        SumState::load(bytes)
    }
}

/// Flink turns a sum of more than 38 digits into NULL and starts again with the next value.
#[inline]
pub(super) fn add_decimal(state: &mut SumState<i128>, value: i128, count: i64) {
    match state.sum.checked_add(value).filter(|sum| sum.unsigned_abs() < power_of_ten(38).unsigned_abs()) {
        Some(sum) => *state = SumState { sum, count: state.count + count },
        None => *state = SumState::default(),
    }
}
