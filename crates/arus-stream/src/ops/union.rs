//! UNION ALL: every row kind passes unchanged; the pipeline aligns the inputs' watermarks and barriers.

use arrow::datatypes::SchemaRef;
use arus_core::{ChangeBatch, Result};

use crate::operator::{Operator, OperatorContext};

pub(crate) struct Union {
    pub(crate) schema: SchemaRef,
}

impl Operator for Union {
    fn on_batch(&mut self, _port: usize, batch: ChangeBatch, cx: &mut OperatorContext<'_>) -> Result<()> {
        // The inputs may name their columns differently.
        let rows = crate::ops::rows(&self.schema, batch.rows().columns().to_vec(), batch.num_rows())?;
        cx.emit(batch.with_rows(rows));
        Ok(())
    }
}
