//! Whether values changed, as Flink's generated equality sees it: numbers by value, so that a NaN always differs
//! and -0.0 equals 0.0.

use arrow::array::{Array, ArrayRef, AsArray, make_comparator};
use arrow::buffer::BooleanBuffer;
use arrow::compute::SortOptions;
use arrow::compute::kernels::cmp::distinct;
use arrow::datatypes::{ArrowPrimitiveType, DataType, Float32Type, Float64Type};
use arus_core::Result;
use arus_core::change::arrow_bug;

/// For each of `rows` rows, whether any column of `before` differs from its counterpart in `after`.
pub(crate) fn rows_differ(before: &[ArrayRef], after: &[ArrayRef], rows: usize) -> Result<Vec<bool>> {
    let mut any = BooleanBuffer::new_unset(rows);
    for (before, after) in before.iter().zip(after) {
        let differ = match before.data_type() {
            DataType::Float32 => floats_differ::<Float32Type>(before, after),
            DataType::Float64 => floats_differ::<Float64Type>(before, after),
            ty if ty.is_nested() => {
                let order =
                    make_comparator(before.as_ref(), after.as_ref(), SortOptions::default()).map_err(arrow_bug)?;
                BooleanBuffer::collect_bool(rows, |row| order(row, row).is_ne())
            }
            _ => distinct(before, after).map_err(arrow_bug)?.values().clone(),
        };
        any = &any | &differ;
    }
    Ok(any.iter().collect())
}

fn floats_differ<T: ArrowPrimitiveType>(before: &ArrayRef, after: &ArrayRef) -> BooleanBuffer
where
    T::Native: PartialEq,
{
    let (before, after) = (before.as_primitive::<T>(), after.as_primitive::<T>());
    BooleanBuffer::collect_bool(before.len(), |row| match (before.is_null(row), after.is_null(row)) {
        (false, false) => before.value(row) != after.value(row),
        (b, a) => b != a,
    })
}
