//! Upserts, or changes that may come twice, to a changelog: the last row of each key is kept.
//!
//! | in | out |
//! |---|---|
//! | +I, +U of a new key | +I |
//! | +I, +U of a kept key | -U with the kept and +U with the new row; nothing if they are equal (without a state TTL) |
//! | +I, +U that does not pass the condition | -D with the kept row, if there is one |
//! | -U, -D | -D with the kept row; nothing if there is none |

use arrow::array::{Array, AsArray, BooleanArray};
use arrow::datatypes::SchemaRef;
use arus_core::plan::{ChangelogNormalize, Node};
use arus_core::{ChangeBatch, LogicalType, Result, RowKind};

use crate::eval::{Compiling, Expressions};
use crate::operator::{Operator, OperatorContext};
use crate::ops::kept_rows::{KeptRows, Steps};
use crate::state::{StateEntry, StateWriter};

pub(crate) struct Normalizer {
    condition: Option<Expressions>,
    update_before: bool,
    rows: KeptRows,
    schema: SchemaRef,
}

impl Normalizer {
    pub(crate) fn new(plan: &ChangelogNormalize, node: &Node, with: Compiling<'_>) -> Result<Self> {
        let types: Vec<LogicalType> = node.schema.types().cloned().collect();
        let condition = plan.condition.as_ref();
        Ok(Normalizer {
            condition: condition.map(|c| Expressions::compile(std::slice::from_ref(c), with)).transpose()?,
            update_before: plan.update_before,
            rows: KeptRows::new(&types, &plan.keys, plan.state_ttl_ms),
            schema: node.schema.to_arrow(),
        })
    }

    fn steps(&mut self, batch: &ChangeBatch, passes: Option<&BooleanArray>, now_ms: i64) -> Result<Steps> {
        let encoded = self.rows.encode(batch.rows())?;
        let mut steps = Steps::default();
        for row in 0..batch.num_rows() {
            let (key, new) = (encoded.keys.get(row), encoded.rows.get(row));
            let before = self.rows.get(key, now_ms).first().cloned();
            let passes = passes.is_none_or(|mask| mask.is_valid(row) && mask.value(row));
            if batch.kind(row).adds() && passes {
                match before {
                    None => steps.input(RowKind::Insert, row),
                    Some(before) if *before == *new && !self.rows.has_ttl() => continue,
                    Some(before) => {
                        if self.update_before {
                            steps.kept(RowKind::UpdateBefore, before);
                        }
                        steps.input(RowKind::UpdateAfter, row);
                    }
                }
                self.rows.set(key, vec![new.into()], now_ms);
            } else if let Some(before) = before {
                steps.kept(RowKind::Delete, before);
                self.rows.set(key, vec![], now_ms);
            }
        }
        Ok(steps)
    }
}

impl Operator for Normalizer {
    fn on_batch(&mut self, _port: usize, batch: ChangeBatch, cx: &mut OperatorContext<'_>) -> Result<()> {
        let (columns, batch) = match &self.condition {
            Some(condition) => condition.run_or_set_aside(batch, cx)?,
            None => (vec![], batch),
        };
        let passes = columns.first().map(|c| c.as_boolean());
        let steps = self.steps(&batch, passes, cx.now_ms())?;
        if !steps.is_empty() {
            cx.emit(self.rows.changes(batch.rows(), steps, &self.schema)?);
        }
        Ok(())
    }

    fn on_barrier(&mut self, _epoch: u64, cx: &mut OperatorContext<'_>) -> Result<()> {
        self.rows.expire(cx.now_ms());
        Ok(())
    }

    fn freeze(&mut self, state: &mut StateWriter<'_>) -> Result<()> {
        self.rows.freeze(state);
        Ok(())
    }

    fn restore(&mut self, entries: &[StateEntry]) -> Result<()> {
        self.rows.restore(entries)
    }

    fn memory_bytes(&self) -> usize {
        self.rows.memory_bytes()
    }
}
