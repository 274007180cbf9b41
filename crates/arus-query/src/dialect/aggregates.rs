//! PostgreSQL's aggregates: the types of sums and averages, and those over an order.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, FieldRef};
use datafusion::error::Result;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{Accumulator, AggregateUDF, AggregateUDFImpl, GroupsAccumulator, Signature, Volatility};

/// A whole number as a numeric with room for the digits of an average.
const AVERAGED: DataType = DataType::Decimal128(34, 16);

/// An aggregate of the planner's whose argument is taken in another type.
#[derive(Debug)]
pub(super) struct Typed {
    inner: Arc<AggregateUDF>,
    signature: Signature,
    argument: fn(&DataType) -> DataType,
}

impl PartialEq for Typed {
    fn eq(&self, other: &Self) -> bool {
        self.inner == other.inner
    }
}

impl Eq for Typed {}

impl Hash for Typed {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.inner.hash(state);
    }
}

/// `sum` and `avg` with PostgreSQL's types.
pub(super) fn typed(sum: Arc<AggregateUDF>, avg: Arc<AggregateUDF>) -> Vec<AggregateUDF> {
    let make = |inner, argument: fn(&DataType) -> DataType| {
        AggregateUDF::from(Typed { inner, signature: Signature::user_defined(Volatility::Immutable), argument })
    };
    // The planner asks twice: what it has got once it gets again.
    let summed = |ty: &DataType| match ty {
        DataType::Decimal128(_, scale) => DataType::Decimal128(38, *scale),
        ty if ty.is_integer() => DataType::Int64,
        DataType::Null | DataType::Utf8 | DataType::Utf8View => DataType::Float64,
        ty => ty.clone(),
    };
    let averaged = |ty: &DataType| match ty {
        DataType::Decimal128(..) => AVERAGED,
        ty if ty.is_integer() => AVERAGED,
        DataType::Interval(_) | DataType::Duration(_) => ty.clone(),
        _ => DataType::Float64,
    };
    vec![make(sum, summed), make(avg, averaged)]
}

impl AggregateUDFImpl for Typed {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let [ty] = types else {
            return Err(datafusion::error::DataFusionError::Plan(format!("{} expects one argument", self.name())));
        };
        Ok(vec![(self.argument)(ty)])
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        self.inner.inner().return_type(types)
    }

    fn accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        self.inner.inner().accumulator(args)
    }

    fn state_fields(&self, args: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        self.inner.inner().state_fields(args)
    }

    fn groups_accumulator_supported(&self, args: AccumulatorArgs<'_>) -> bool {
        self.inner.inner().groups_accumulator_supported(args)
    }

    fn create_groups_accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn GroupsAccumulator>> {
        self.inner.inner().create_groups_accumulator(args)
    }

    fn create_sliding_accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        self.inner.inner().create_sliding_accumulator(args)
    }
}
