//! The sum of squared differences from the mean by Welford's method, in Flink's order of operations: what VAR_POP and
//! the like are computed from.

use std::cmp::Ordering;
use std::marker::PhantomData;
use std::sync::Arc;

use arrow::array::{ArrayRef, ArrowPrimitiveType, Decimal128Array, Float64Array, PrimitiveArray};
use arrow::datatypes::{Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type};
use arus_core::{Result, TypeKind};

use super::Accumulator;
use super::fold::{Fold, Folding, Stored};

pub(super) fn welford(arg: &TypeKind) -> Option<Box<dyn Accumulator>> {
    Some(match arg {
        TypeKind::TinyInt => numbers::<Int8Type>(),
        TypeKind::SmallInt => numbers::<Int16Type>(),
        TypeKind::Int => numbers::<Int32Type>(),
        TypeKind::BigInt => numbers::<Int64Type>(),
        TypeKind::Float => numbers::<Float32Type>(),
        TypeKind::Double => numbers::<Float64Type>(),
        TypeKind::Decimal { .. } => Folding::boxed(Welford::<Decimal128Array>(PhantomData)),
        _ => return None,
    })
}

fn numbers<T: ArrowPrimitiveType + Send>() -> Box<dyn Accumulator>
where
    PrimitiveArray<T>: Doubles,
{
    Folding::boxed(Welford::<PrimitiveArray<T>>(PhantomData))
}

struct Welford<A>(PhantomData<A>);

/// The values of an array as DOUBLE.
trait Doubles: arrow::array::Array + 'static {
    fn double(&self, row: usize) -> f64;
}

macro_rules! doubles {
    ($($ty:ty),*) => {$(
        impl Doubles for PrimitiveArray<$ty> {
            #[inline]
            fn double(&self, row: usize) -> f64 {
                self.value(row) as f64
            }
        }
    )*};
}

doubles!(Int8Type, Int16Type, Int32Type, Int64Type, Float32Type, Float64Type);

impl Doubles for Decimal128Array {
    /// As Flink converts: what fits a long by one division, else by its text.
    fn double(&self, row: usize) -> f64 {
        let value = self.value(row);
        if self.precision() <= 18 {
            value as f64 / 10f64.powi(self.scale().into())
        } else {
            format!("{value}e-{}", self.scale()).parse().unwrap_or(f64::NAN)
        }
    }
}

#[derive(Clone, Copy, Default)]
struct State {
    count: i64,
    mean: f64,
    m2: f64,
}

impl<A: Doubles + Send> Fold for Welford<A> {
    type Input = A;
    type State = State;
    type Value = f64;

    fn add(state: &mut State, input: &A, row: usize) {
        state.count += 1;
        // Below 1 there is a retraction ahead of its row: only counted.
        if state.count > 0 {
            let value = input.double(row);
            let delta = value - state.mean;
            state.mean += delta / state.count as f64;
            state.m2 += delta * (value - state.mean);
        }
    }

    fn take(state: &mut State, input: &A, row: usize) {
        state.count -= 1;
        match state.count {
            0 => *state = State::default(),
            1.. => {
                let value = input.double(row);
                let delta = value - state.mean;
                state.mean -= delta / state.count as f64;
                state.m2 -= (value - state.mean) * delta;
            }
            _ => {}
        }
    }

    fn merges(&self) -> bool {
        true
    }

    fn merge(&self, state: &mut State, from: &State) {
        if from.count <= 0 {
            state.count += from.count;
        } else if state.count == 0 {
            *state = *from;
        } else {
            let count = state.count + from.count;
            let delta = from.mean - state.mean;
            state.m2 += from.m2 + state.count as f64 * from.count as f64 / count as f64 * delta * delta;
            state.mean += from.count as f64 / count as f64 * delta;
            state.count = count;
        }
    }

    fn value(&self, state: &State) -> Option<f64> {
        // Retractions of rows that never were can make it negative.
        (state.count > 0 && state.m2.partial_cmp(&0.0) != Some(Ordering::Less)).then_some(state.m2)
    }

    fn build(&self, values: impl Iterator<Item = Option<f64>>) -> Result<ArrayRef> {
        Ok(Arc::new(values.collect::<Float64Array>()))
    }

    fn save(state: &State, out: &mut Vec<u8>) {
        state.count.save(out);
        state.mean.save(out);
        state.m2.save(out);
    }

    fn load(bytes: &mut &[u8]) -> Result<State> {
        Ok(State { count: i64::load(bytes)?, mean: f64::load(bytes)?, m2: f64::load(bytes)? })
    }
}
