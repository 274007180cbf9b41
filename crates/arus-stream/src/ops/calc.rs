//! Filter, then project: every row kind passes unchanged. A row whose expression fails is set aside.

use arrow::array::{Array, AsArray, BooleanArray};
use arrow::compute::prep_null_mask_filter;
use arrow::datatypes::SchemaRef;
use arus_core::expr::Expr;
use arus_core::plan::{Calc, Node};
use arus_core::{ChangeBatch, Result};

use crate::eval::{Compiling, Expressions};
use crate::operator::{Operator, OperatorContext};

pub(crate) struct Calculator {
    condition: Option<Expressions>,
    projection: Projection,
    schema: SchemaRef,
}

enum Projection {
    /// Columns of the input alone.
    Columns(Vec<usize>),
    Expressions(Expressions),
}

impl Calculator {
    pub(crate) fn new(plan: &Calc, node: &Node, with: Compiling<'_>) -> Result<Self> {
        let condition =
            plan.condition.as_ref().map(|c| Expressions::compile(std::slice::from_ref(c), with.part(0))).transpose()?;
        let columns: Option<Vec<usize>> = plan
            .projection
            .iter()
            .map(|e| match e {
                Expr::Column { index, .. } => Some(*index),
                _ => None,
            })
            .collect();
        let projection = match columns {
            Some(columns) => Projection::Columns(columns),
            None => Projection::Expressions(Expressions::compile(&plan.projection, with.part(1))?),
        };
        Ok(Calculator { condition, projection, schema: node.schema.to_arrow() })
    }
}

impl Operator for Calculator {
    fn on_batch(&mut self, _port: usize, batch: ChangeBatch, cx: &mut OperatorContext<'_>) -> Result<()> {
        let batch = match &self.condition {
            Some(condition) => filter(condition, batch, cx)?,
            None => batch,
        };
        if batch.num_rows() == 0 {
            return Ok(());
        }
        let (columns, batch) = match &self.projection {
            Projection::Columns(indices) => (indices.iter().map(|i| batch.rows().column(*i).clone()).collect(), batch),
            Projection::Expressions(expressions) => expressions.run_or_set_aside(batch, cx)?,
        };
        let rows = crate::ops::rows(&self.schema, columns, batch.num_rows())?;
        cx.emit(batch.with_rows(rows));
        Ok(())
    }
}

/// The rows where the condition is true.
fn filter(condition: &Expressions, batch: ChangeBatch, cx: &mut OperatorContext<'_>) -> Result<ChangeBatch> {
    let (columns, batch) = condition.run_or_set_aside(batch, cx)?;
    let mask = columns[0].as_boolean();
    if mask.null_count() == 0 && mask.true_count() == mask.len() {
        return Ok(batch);
    }
    let mask: BooleanArray = if mask.null_count() > 0 { prep_null_mask_filter(mask) } else { mask.clone() };
    batch.filter(&mask)
}
