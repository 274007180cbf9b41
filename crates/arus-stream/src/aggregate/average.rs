//! AVG: of integers it truncates, of floats it is summed as DOUBLE, of DECIMAL it is rounded half up at the
//! scale of the result.

use std::marker::PhantomData;
use std::sync::Arc;

use arrow::array::{ArrayRef, ArrowPrimitiveType, Decimal128Array, PrimitiveArray};
use arrow::datatypes::{DataType, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, i256};
use arus_core::{LogicalType, Result, TypeKind};

use super::fold::{Fold, Folding};
use super::sum::{SumState, add_decimal};
use super::{Accumulator, power_of_ten, scale_of};

pub(super) fn average(arg: &TypeKind, result: &LogicalType) -> Option<Box<dyn Accumulator>> {
    Some(match arg {
        TypeKind::TinyInt => Folding::boxed(IntegerAverage::<Int8Type>(PhantomData)),
        TypeKind::SmallInt => Folding::boxed(IntegerAverage::<Int16Type>(PhantomData)),
        TypeKind::Int => Folding::boxed(IntegerAverage::<Int32Type>(PhantomData)),
        TypeKind::BigInt => Folding::boxed(IntegerAverage::<Int64Type>(PhantomData)),
        TypeKind::Float => Folding::boxed(FloatAverage::<Float32Type>(PhantomData)),
        TypeKind::Double => Folding::boxed(FloatAverage::<Float64Type>(PhantomData)),
        TypeKind::Decimal { scale, .. } => {
            let raise = power_of_ten(scale_of(&result.kind)?.checked_sub(*scale)?);
            Folding::boxed(DecimalAverage { raise, data_type: result.to_arrow() })
        }
        _ => return None,
    })
}

/// A number that widens into its average's sum and narrows back.
trait Widened: Copy + Send {
    type Wide;
    fn widen(self) -> Self::Wide;
    fn narrow(wide: Self::Wide) -> Self;
}

macro_rules! widened {
    ($($narrow:ty => $wide:ty),*) => {$(
        impl Widened for $narrow {
            type Wide = $wide;
            #[inline]
            fn widen(self) -> $wide { self as $wide }
            #[inline]
            fn narrow(wide: $wide) -> Self { wide as $narrow }
        }
    )*};
}

widened!(i8 => i64, i16 => i64, i32 => i64, i64 => i64, f32 => f64, f64 => f64);

struct IntegerAverage<T>(PhantomData<T>);

impl<T> Fold for IntegerAverage<T>
where
    T: ArrowPrimitiveType + Send,
    T::Native: Widened<Wide = i64>,
{
    type Input = PrimitiveArray<T>;
    type State = SumState<i64>;
    type Value = T::Native;

    fn merges(&self) -> bool {
        true
    }

    fn subtracts(&self) -> bool {
        true
    }

    #[inline]
    fn merge(&self, state: &mut Self::State, other: &Self::State) {
        state.sum = state.sum.wrapping_add(other.sum);
        state.count += other.count;
    }

    #[inline]
    fn subtract(&self, state: &mut Self::State, other: &Self::State) {
        state.sum = state.sum.wrapping_sub(other.sum);
        state.count -= other.count;
    }

    #[inline]
    fn add(state: &mut Self::State, input: &Self::Input, row: usize) {
        state.sum = state.sum.wrapping_add(input.value(row).widen());
        state.count += 1;
    }

    #[inline]
    fn take(state: &mut Self::State, input: &Self::Input, row: usize) {
        state.sum = state.sum.wrapping_sub(input.value(row).widen());
        state.count -= 1;
    }

    #[inline]
    fn value(&self, state: &Self::State) -> Option<T::Native> {
        (state.count != 0).then(|| T::Native::narrow(state.sum.wrapping_div(state.count)))
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

struct FloatAverage<T>(PhantomData<T>);

impl<T> Fold for FloatAverage<T>
where
    T: ArrowPrimitiveType + Send,
    T::Native: Widened<Wide = f64>,
{
    type Input = PrimitiveArray<T>;
    type State = SumState<f64>;
    type Value = T::Native;

    fn merges(&self) -> bool {
        true
    }

    #[inline]
    fn merge(&self, state: &mut Self::State, other: &Self::State) {
        state.sum += other.sum;
        state.count += other.count;
    }

    #[inline]
    fn add(state: &mut Self::State, input: &Self::Input, row: usize) {
        state.sum += input.value(row).widen();
        state.count += 1;
    }

    #[inline]
    fn take(state: &mut Self::State, input: &Self::Input, row: usize) {
        state.sum -= input.value(row).widen();
        state.count -= 1;
    }

    #[inline]
    fn value(&self, state: &Self::State) -> Option<T::Native> {
        (state.count != 0).then(|| T::Native::narrow(state.sum / state.count as f64))
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

struct DecimalAverage {
    /// From the argument's scale to the result's.
    raise: i128,
    data_type: DataType,
}

impl Fold for DecimalAverage {
    type Input = Decimal128Array;
    type State = SumState<i128>;
    type Value = i128;

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
        if state.count == 0 {
            return None;
        }
        divide_half_up(state.sum, self.raise, state.count)
    }

    fn build(&self, values: impl Iterator<Item = Option<i128>>) -> Result<ArrayRef> {
        let values: Decimal128Array = values.collect();
        Ok(Arc::new(values.with_data_type(self.data_type.clone())))
    }

    fn save(state: &Self::State, out: &mut Vec<u8>) {
        state.save(out);
    }

    fn load(bytes: &mut &[u8]) -> Result<Self::State> {
        SumState::load(bytes)
    }
}

/// `sum * raise / count`, half away from zero; NULL beyond 38 digits.
fn divide_half_up(sum: i128, raise: i128, count: i64) -> Option<i128> {
    let dividend = i256::from_i128(sum).checked_mul(i256::from_i128(raise))?;
    let divisor = i256::from_i128(count as i128);
    let quotient = dividend.checked_div(divisor)?;
    let rest = dividend.checked_rem(divisor)?;
    let twice = rest.wrapping_abs().checked_add(rest.wrapping_abs())?;
    let away = if (sum < 0) != (count < 0) { i256::MINUS_ONE } else { i256::ONE };
    let rounded = if twice >= divisor.wrapping_abs() { quotient.checked_add(away)? } else { quotient };
    rounded.to_i128().filter(|value| value.unsigned_abs() < power_of_ten(38).unsigned_abs())
}
