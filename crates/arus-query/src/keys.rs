//! Which primary keys a WHERE clause leaves: then rows are looked up, and nothing is scanned.

use datafusion::arrow::array::{ArrayRef, UInt32Array, new_empty_array};
use datafusion::arrow::compute::take;
use datafusion::arrow::datatypes::{DataType, Field};
use datafusion::common::ScalarValue;
use datafusion::error::Result;
use datafusion::logical_expr::{Expr, Operator};

/// So many keys are looked up at most: beyond that a scan is as good.
const MOST_KEYS: usize = 1_000;

/// Whether the filter may leave only some values of this column. Parameters count: they have values when the scan is made.
pub(crate) fn is_about(filter: &Expr, column: &str) -> bool {
    values(filter, column, true).is_some()
}

/// The keys that can pass all filters, in columns; `None`: any.
pub(crate) fn of(filters: &[Expr], key: &[&Field]) -> Result<Option<Vec<ArrayRef>>> {
    if !key.is_empty() && filters.iter().any(is_never) {
        return Ok(Some(key.iter().map(|field| new_empty_array(field.data_type())).collect()));
    }
    let mut columns: Vec<Vec<ScalarValue>> = vec![];
    let mut count: usize = 1;
    for field in key {
        let found = filters.iter().filter_map(|filter| values(filter, field.name(), false)).min_by_key(Vec::len);
        let Some(mut found) = found else { return Ok(None) };
        // Nothing equals NULL.
        found.retain(|value| !value.is_null());
        if !found.iter().all(|value| is_exact(value, field.data_type())) {
            return Ok(None);
        }
        count = count.saturating_mul(found.len());
        columns.push(found);
    }
    if key.is_empty() || count > MOST_KEYS {
        return Ok(None);
    }
    // Each value of a column with each of the columns after it.
    let mut repeat = count;
    let mut arrays = vec![];
    for (values, field) in columns.into_iter().zip(key) {
        if count == 0 {
            arrays.push(new_empty_array(field.data_type()));
            continue;
        }
        repeat /= values.len();
        let picks = UInt32Array::from_iter_values((0..count).map(|row| (row / repeat % values.len()) as u32));
        arrays.push(take(&ScalarValue::iter_to_array(values)?, &picks, None)?);
    }
    Ok(Some(arrays))
}

/// Whether nothing passes the filter: a parameter was NULL.
pub(crate) fn is_never(filter: &Expr) -> bool {
    matches!(filter, Expr::Literal(value, _) if value.is_null() || *value == ScalarValue::Boolean(Some(false)))
}

/// Whether equal values are equal bytes of a key.
fn is_exact(value: &ScalarValue, ty: &DataType) -> bool {
    value.data_type() == *ty && !ty.is_floating() && !ty.is_nested()
}

/// The values of a column with which the filter can be true; `None`: it may be any.
fn values(filter: &Expr, column: &str, with_parameters: bool) -> Option<Vec<ScalarValue>> {
    let is_column = |e: &Expr| matches!(e, Expr::Column(c) if c.name == column);
    let literal = |e: &Expr| match e {
        Expr::Literal(value, _) => Some(value.clone()),
        Expr::Placeholder(_) if with_parameters => Some(ScalarValue::Null),
        _ => None,
    };
    match filter {
        Expr::BinaryExpr(b) if b.op == Operator::Eq => {
            let other = match (is_column(&b.left), is_column(&b.right)) {
                (true, _) => &b.right,
                (_, true) => &b.left,
                _ => return None,
            };
            Some(vec![literal(other)?])
        }
        Expr::BinaryExpr(b) if b.op == Operator::Or => {
            let mut both = values(&b.left, column, with_parameters)?;
            both.extend(values(&b.right, column, with_parameters)?);
            Some(both)
        }
        Expr::InList(list) if !list.negated && is_column(&list.expr) => list.list.iter().map(literal).collect(),
        _ => None,
    }
}
