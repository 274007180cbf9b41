//! Expressions over batches: arus-expr's programs, with failed rows set aside.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow::array::{Array, ArrayRef, BooleanArray, RecordBatch};
use arrow::compute::filter;
use arus_core::change::arrow_bug;
use arus_core::expr::Expr;
use arus_core::rng::Rng;
use arus_core::{ChangeBatch, Error, Result};
use arus_expr::{EvalContext, Program};

use crate::message::WATERMARK_NONE;
use crate::operator::OperatorContext;

/// What expressions are compiled with.
#[derive(Clone, Copy)]
pub(crate) struct Compiling<'a> {
    pub(crate) time_zone: &'a str,
    /// Of the random functions.
    pub(crate) seed: u64,
}

impl Compiling<'_> {
    /// For the n-th expressions of one operator: their random numbers are their own.
    pub(crate) fn part(self, n: u64) -> Self {
        Compiling { seed: Rng::seeded(self.seed.wrapping_add(n)).next_u64(), ..self }
    }
}

pub(crate) struct Expressions {
    program: Program,
    /// What the next batch's random numbers begin with.
    seed: AtomicU64,
}

/// One column an expression; the values of failed rows are void.
pub(crate) struct Evaluation {
    pub(crate) columns: Vec<ArrayRef>,
    /// Row and reason, by row.
    pub(crate) failed: Vec<(u32, String)>,
}

impl Expressions {
    pub(crate) fn compile(exprs: &[Expr], with: Compiling<'_>) -> Result<Self> {
        Ok(Expressions { program: Program::compile(exprs, with.time_zone)?, seed: with.seed.into() })
    }

    pub(crate) fn run(&self, rows: &RecordBatch, now_ms: i64, watermark: i64) -> Result<Evaluation> {
        let seed = self.seed.fetch_add(1, Ordering::Relaxed);
        let cx = EvalContext { now_ms, watermark: (watermark != WATERMARK_NONE).then_some(watermark), seed };
        let evaluated = self.program.run(rows, &cx)?;
        let failed = evaluated.failed.into_iter().map(|f| (f.row, f.reason)).collect();
        Ok(Evaluation { columns: evaluated.columns, failed })
    }

    /// The columns for the rows that did not fail, and those rows.
    pub(crate) fn run_or_set_aside(
        &self,
        batch: ChangeBatch,
        cx: &mut OperatorContext<'_>,
    ) -> Result<(Vec<ArrayRef>, ChangeBatch)> {
        let Evaluation { columns, failed } = self.run(batch.rows(), cx.now_ms(), cx.watermark())?;
        if failed.is_empty() {
            return Ok((columns, batch));
        }
        cx.quarantine(batch.rows(), &failed)?;
        let keep = kept(batch.num_rows(), &failed)?;
        let columns = columns.iter().map(|c| filter(c, &keep)).collect::<Result<_, _>>().map_err(arrow_bug)?;
        Ok((columns, batch.filter(&keep)?))
    }
}

/// The rows that did not fail.
pub(crate) fn kept(rows: usize, failed: &[(u32, String)]) -> Result<BooleanArray> {
    let mut keep = vec![true; rows];
    for (row, reason) in failed {
        *keep.get_mut(*row as usize).ok_or_else(|| Error::bug(format!("row {row} of {rows} failed: {reason}")))? =
            false;
    }
    Ok(BooleanArray::from(keep))
}

/// Rows with a NULL in one of `columns` (position and name), each once with the first reason.
pub(crate) fn null_violations(columns: &[(usize, String)], rows: &RecordBatch) -> Vec<(u32, String)> {
    let mut violations = BTreeMap::new();
    for (position, name) in columns {
        let column = rows.column(*position);
        if column.null_count() > 0 {
            for row in (0..column.len()).filter(|row| column.is_null(*row)) {
                violations.entry(row as u32).or_insert_with(|| format!("column '{name}' is NOT NULL, found NULL"));
            }
        }
    }
    violations.into_iter().collect()
}
