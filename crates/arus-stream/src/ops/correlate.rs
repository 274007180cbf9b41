//! UNNEST: each row beside the elements of a collection of its own; every row kind passes unchanged.
//!
//! An empty or NULL collection gives no row, or one with NULLs beside it where the join is a LEFT one. The fields of a ROW
//! are columns, a NULL ROW gives NULLs.

use arrow::array::{Array, ArrayRef, AsArray, Int32Array, Int64Array, StructArray, UInt32Array};
use arrow::compute::{take, take_record_batch};
use arrow::datatypes::{DataType, Int32Type, Int64Type, SchemaRef};
use arus_core::change::arrow_bug;
use arus_core::plan::{Correlate, Node, TableFunction};
use arus_core::types::TypeKind;
use arus_core::{ChangeBatch, Error, Result, RowKind};
use std::sync::Arc;

use crate::operator::{Operator, OperatorContext};

pub(crate) struct Correlator {
    plan: Correlate,
    is_multiset: bool,
    schema: SchemaRef,
}

/// Rows of the output: for each the row of the input, and the element beside it.
#[derive(Default)]
struct Pairs {
    rows: Vec<u32>,
    elements: Vec<Option<u32>>,
    ordinals: Vec<Option<i32>>,
}

impl Pairs {
    fn push(&mut self, row: usize, element: Option<(usize, i32)>) {
        self.rows.push(row as u32);
        self.elements.push(element.map(|(at, _)| at as u32));
        self.ordinals.push(element.map(|(_, ordinal)| ordinal));
    }
}

impl Correlator {
    pub(crate) fn new(plan: &Correlate, node: &Node, input: &Node) -> Self {
        let is_multiset = matches!(input.schema.columns()[plan.column].ty.kind, TypeKind::Multiset(_));
        Correlator { plan: plan.clone(), is_multiset, schema: node.schema.to_arrow() }
    }

    fn unnest(&self, collection: &ArrayRef, ordinality: bool) -> Result<(Pairs, Vec<ArrayRef>)> {
        let list = collection.as_list_opt::<i32>().ok_or_else(|| Error::bug("UNNEST of what is no collection"))?;
        let counts = if self.is_multiset {
            let entries = list.values().as_struct_opt().ok_or_else(|| Error::bug("a MULTISET has entries"))?;
            Some(entries.column(1).as_primitive::<Int32Type>().clone())
        } else {
            None
        };
        let mut pairs = Pairs::default();
        for row in 0..list.len() {
            let before = pairs.rows.len();
            if list.is_valid(row) {
                let mut ordinal = 0;
                for at in list.value_offsets()[row] as usize..list.value_offsets()[row + 1] as usize {
                    for _ in 0..counts.as_ref().map_or(1, |counts| counts.value(at)) {
                        ordinal += 1;
                        pairs.push(row, Some((at, ordinal)));
                    }
                }
            }
            if self.plan.outer && pairs.rows.len() == before {
                pairs.push(row, None);
            }
        }
        let indices = UInt32Array::from(std::mem::take(&mut pairs.elements));
        let mut columns = vec![];
        for values in element_columns(list.values(), self.is_multiset)? {
            columns.push(take(&values, &indices, None).map_err(arrow_bug)?);
        }
        if ordinality {
            columns.push(Arc::new(Int32Array::from(std::mem::take(&mut pairs.ordinals))));
        }
        Ok((pairs, columns))
    }
}

/// The columns of the elements.
fn element_columns(values: &ArrayRef, is_multiset: bool) -> Result<Vec<ArrayRef>> {
    if is_multiset {
        let entries = values.as_struct_opt().ok_or_else(|| Error::bug("a MULTISET has entries"))?;
        return element_columns(entries.column(0), false);
    }
    match values.data_type() {
        DataType::Struct(_) => fields(values.as_struct()),
        _ => Ok(vec![values.clone()]),
    }
}

/// The fields of rows, NULL where the row is.
fn fields(rows: &StructArray) -> Result<Vec<ArrayRef>> {
    if rows.null_count() == 0 {
        return Ok(rows.columns().to_vec());
    }
    let there: UInt32Array = (0..rows.len() as u32).map(|row| rows.is_valid(row as usize).then_some(row)).collect();
    rows.columns().iter().map(|field| take(field, &there, None).map_err(arrow_bug)).collect()
}

impl Operator for Correlator {
    fn on_batch(&mut self, _port: usize, batch: ChangeBatch, cx: &mut OperatorContext<'_>) -> Result<()> {
        let argument = batch.rows().column(self.plan.column);
        let (pairs, columns) = match self.plan.function {
            TableFunction::Unnest { ordinality } => self.unnest(argument, ordinality)?,
            TableFunction::ReplicateRows => {
                let times: &Int64Array = argument.as_primitive::<Int64Type>();
                let mut pairs = Pairs::default();
                for row in (0..times.len()).filter(|row| times.is_valid(*row)) {
                    (0..times.value(row)).for_each(|_| pairs.push(row, None));
                }
                (pairs, vec![])
            }
        };
        if pairs.rows.is_empty() {
            return Ok(());
        }
        let kinds: Option<Vec<RowKind>> =
            batch.kinds().map(|kinds| pairs.rows.iter().map(|row| kinds[*row as usize]).collect());
        let left = take_record_batch(batch.rows(), &UInt32Array::from(pairs.rows)).map_err(arrow_bug)?;
        let joined = left.columns().iter().cloned().chain(columns).collect();
        let rows = crate::ops::rows(&self.schema, joined, left.num_rows())?;
        cx.emit(match kinds {
            Some(kinds) => ChangeBatch::new(rows, kinds),
            None => ChangeBatch::inserts(rows),
        });
        Ok(())
    }
}
