//! Each row several times, one after the other, with the columns of each projection: every row kind passes unchanged.

use arrow::array::{ArrayRef, UInt32Array};
use arrow::compute::{interleave, take};
use arrow::datatypes::SchemaRef;
use arus_core::change::arrow_bug;
use arus_core::expr::Expr;
use arus_core::plan::{Expand, Node};
use arus_core::{ChangeBatch, Error, Result, RowKind};

use crate::eval::{Compiling, Expressions};
use crate::operator::{Operator, OperatorContext};

pub(crate) struct Expander {
    columns: Vec<Source>,
    /// Rows of output for a row of input.
    times: usize,
    schema: SchemaRef,
}

/// Where a column of the output comes from.
enum Source {
    /// The same input column in every projection.
    Column(usize),
    /// One expression a projection.
    Each(Expressions),
}

impl Expander {
    pub(crate) fn new(plan: &Expand, node: &Node, with: Compiling<'_>) -> Result<Self> {
        let width = node.schema.len();
        if plan.projections.is_empty() || plan.projections.iter().any(|p| p.len() != width) {
            return Err(Error::bug("an Expand whose projections differ in their columns"));
        }
        let source = |column: usize| {
            let each: Vec<Expr> = plan.projections.iter().map(|p| p[column].clone()).collect();
            let first = match &each[0] {
                Expr::Column { index, .. } => Some(*index),
                _ => None,
            };
            let same = |e: &Expr| matches!(e, Expr::Column { index, .. } if Some(*index) == first);
            Ok(match first {
                Some(index) if each.iter().all(same) => Source::Column(index),
                _ => Source::Each(Expressions::compile(&each, with.part(column as u64))?),
            })
        };
        Ok(Expander {
            columns: (0..width).map(source).collect::<Result<_>>()?,
            times: plan.projections.len(),
            schema: node.schema.to_arrow(),
        })
    }
}

impl Operator for Expander {
    fn on_batch(&mut self, _port: usize, batch: ChangeBatch, cx: &mut OperatorContext<'_>) -> Result<()> {
        let rows = batch.num_rows() * self.times;
        let repeated = UInt32Array::from_iter_values((0..rows).map(|row| (row / self.times) as u32));
        let picks: Vec<(usize, usize)> = (0..rows).map(|row| (row % self.times, row / self.times)).collect();
        let mut columns: Vec<ArrayRef> = Vec::with_capacity(self.columns.len());
        for source in &self.columns {
            columns.push(match source {
                Source::Column(index) => take(batch.rows().column(*index), &repeated, None).map_err(arrow_bug)?,
                Source::Each(expressions) => {
                    let each = expressions.run(batch.rows(), cx.now_ms(), cx.watermark())?;
                    if let Some((_, reason)) = each.failed.first() {
                        return Err(Error::bug(format!("a column or literal of an Expand failed: {reason}")));
                    }
                    let each: Vec<&dyn arrow::array::Array> = each.columns.iter().map(AsRef::as_ref).collect();
                    interleave(&each, &picks).map_err(arrow_bug)?
                }
            });
        }
        let expanded = crate::ops::rows(&self.schema, columns, rows)?;
        cx.emit(match batch.kinds() {
            None => ChangeBatch::inserts(expanded),
            Some(kinds) => {
                let kinds: Vec<RowKind> =
                    kinds.iter().flat_map(|kind| std::iter::repeat_n(*kind, self.times)).collect();
                ChangeBatch::new(expanded, kinds)
            }
        });
        Ok(())
    }
}
