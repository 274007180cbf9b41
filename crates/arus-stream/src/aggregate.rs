//! Accumulators: the values of one aggregate call for every slot of a key table. [`Calls`] has those of one operator.
//!
//! A batch arrives as slot numbers beside the arguments' arrays, so that one monomorphic loop serves a whole
//! batch. What is persisted of a slot is `save`'s bytes; their layout is part of the state's layout version.

mod average;
mod calls;
mod count;
mod distinct;
mod encoded;
mod extreme;
mod first_last;
mod fold;
mod json;
mod listagg;
mod lists;
mod percentile;
mod rows;
mod sum;
#[cfg(test)]
mod tests;
mod welford;

use std::any::Any;

use arrow::array::{Array, ArrayRef};
use arrow::buffer::BooleanBuffer;
use arus_core::function::AggregateFunction;
use arus_core::plan::AggregateCall;
use arus_core::{Error, LogicalType, Result, RowKind, TypeKind};

pub(crate) use calls::Calls;
pub(crate) use count::CountRows;

/// Rows of a batch with the slot that each belongs to.
#[derive(Clone, Copy)]
pub(crate) struct SlotRows<'a> {
    pub(crate) slots: &'a [u32],
    /// `None`: all rows add.
    pub(crate) kinds: Option<&'a [RowKind]>,
    /// Row i: whether its slot starts anew after it (its last record was retracted).
    pub(crate) resets: Option<&'a [bool]>,
    /// Row i: whether it counts at all; `None`: all rows do.
    pub(crate) mask: Option<&'a BooleanBuffer>,
}

impl<'a> SlotRows<'a> {
    /// Every row counts, and none resets its slot.
    pub(crate) fn new(slots: &'a [u32], kinds: Option<&'a [RowKind]>) -> Self {
        SlotRows { slots, kinds, resets: None, mask: None }
    }

    fn counts(&self, row: usize) -> bool {
        self.mask.is_none_or(|mask| mask.value(row))
    }

    fn adds(&self, row: usize) -> bool {
        self.kinds.is_none_or(|kinds| kinds[row].adds())
    }

    fn resets(&self, row: usize) -> bool {
        self.resets.is_some_and(|resets| resets[row])
    }
}

/// The value of each row's slot before and after that row.
pub(crate) struct Trace {
    pub(crate) before: ArrayRef,
    pub(crate) after: ArrayRef,
}

pub(crate) trait Accumulator: Send {
    /// Makes room for slots `0..slots`; new ones are empty.
    fn grow(&mut self, slots: usize);

    /// Empties a slot for its next key.
    fn clear(&mut self, slot: u32);

    /// Adds each row's value to its slot, or takes it away. Ignores `resets`.
    fn update(&mut self, rows: SlotRows<'_>, args: &[ArrayRef]) -> Result<()>;

    /// As `update`, row by row, telling each step.
    fn trace(&mut self, rows: SlotRows<'_>, args: &[ArrayRef]) -> Result<Trace>;

    /// The values of these slots.
    fn evaluate(&self, slots: &[u32]) -> Result<ArrayRef>;

    fn save(&self, slot: u32, out: &mut Vec<u8>);

    /// Reads what `save` wrote from the front of `bytes`.
    fn load(&mut self, slot: u32, bytes: &mut &[u8]) -> Result<()>;

    fn memory_bytes(&self) -> usize;

    /// Whether `merge` works: windows that are put together from parts need it.
    fn merges(&self) -> bool {
        false
    }

    /// Whether `subtract` undoes a `merge` exactly.
    fn subtracts(&self) -> bool {
        false
    }

    /// Adds what is in slots `from` of `other`, an accumulator of the same call, to the own slots `into`, pair by pair.
    fn merge(&mut self, _into: &[u32], _other: &dyn Accumulator, _from: &[u32]) -> Result<()> {
        Err(Error::bug("an aggregate that cannot be merged"))
    }

    /// Takes away what `merge` added.
    fn subtract(&mut self, _into: &[u32], _other: &dyn Accumulator, _from: &[u32]) -> Result<()> {
        Err(Error::bug("an aggregate that cannot be taken apart"))
    }

    /// For `merge`, which needs the other one as it is.
    fn as_any(&self) -> &dyn Any;
}

/// What `merge` gets, as the type that it is.
fn same<A: 'static>(other: &dyn Accumulator) -> Result<&A> {
    other.as_any().downcast_ref().ok_or_else(|| Error::bug("accumulators of two calls were merged"))
}

/// The accumulator of a call over arguments of types `args`; `retracts` when rows may be taken away.
fn accumulator(call: &AggregateCall, args: &[LogicalType], retracts: bool) -> Result<Box<dyn Accumulator>> {
    use AggregateFunction as F;
    let Some(arg) = args.first() else {
        return match call.function {
            F::Count => Ok(Box::new(CountRows::default())),
            other => Err(Error::bug(format!("{} without an argument", other.name()))),
        };
    };
    let made = match call.function {
        F::Count => Some(count::count_values()),
        F::Sum => sum::sum(&arg.kind, &call.ty),
        F::Avg => average::average(&arg.kind, &call.ty),
        F::Min => extreme::extreme::<false>(&arg.kind, &call.ty, retracts),
        F::Max => extreme::extreme::<true>(&arg.kind, &call.ty, retracts),
        F::WelfordM2 => welford::welford(&arg.kind),
        F::FirstValue => Some(first_last::first_last::<true>(arg, retracts)),
        F::LastValue => Some(first_last::first_last::<false>(arg, retracts)),
        F::Listagg => Some(listagg::listagg(retracts)),
        F::Collect => Some(lists::collect(arg, &call.ty)),
        F::ArrayAgg => Some(lists::array_agg(arg, &call.ty, false)),
        F::ArrayAggIgnoreNulls => Some(lists::array_agg(arg, &call.ty, true)),
        F::Percentile => Some(percentile::percentile(call.ty.to_arrow())),
        F::JsonArrayAgg => Some(json::json_array(call.ty.to_arrow())),
        F::JsonObjectAgg => Some(json::json_object(call.ty.to_arrow())),
    };
    made.ok_or_else(|| Error::not_supported(format_args!("{}({})", call.function.name(), arg.kind)))
}

/// The argument `index` as the array that the call's type says.
fn argument<T: Array + 'static>(args: &[ArrayRef], index: usize) -> Result<&T> {
    let arg = args.get(index).ok_or_else(|| Error::bug("an aggregate lost its argument"))?;
    arg.as_any()
        .downcast_ref()
        .ok_or_else(|| Error::bug(format!("an aggregate got an argument of another type: {}", arg.data_type())))
}

/// `10^exponent`; every DECIMAL stays below 10^38.
fn power_of_ten(exponent: u8) -> i128 {
    10i128.pow(exponent as u32)
}

/// The scale of a DECIMAL type.
fn scale_of(ty: &TypeKind) -> Option<u8> {
    match ty {
        TypeKind::Decimal { scale, .. } => Some(*scale),
        _ => None,
    }
}

/// Splits `count` bytes off the front.
fn take_bytes<'a>(bytes: &mut &'a [u8], count: usize) -> Result<&'a [u8]> {
    let (head, rest) = bytes.split_at_checked(count).ok_or_else(|| {
        Error::bug(format!("aggregate state ends early: expected {count} bytes, found {}", bytes.len()))
    })?;
    *bytes = rest;
    Ok(head)
}
