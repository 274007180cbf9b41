//! Leaves -U out; every other row passes unchanged.

use arrow::array::BooleanArray;
use arus_core::{ChangeBatch, Result, RowKind};

use crate::operator::{Operator, OperatorContext};

pub(crate) struct DropUpdateBefore;

impl Operator for DropUpdateBefore {
    fn on_batch(&mut self, _port: usize, batch: ChangeBatch, cx: &mut OperatorContext<'_>) -> Result<()> {
        let batch = match batch.kinds() {
            Some(kinds) if kinds.contains(&RowKind::UpdateBefore) => {
                let keep: BooleanArray = kinds.iter().map(|k| Some(*k != RowKind::UpdateBefore)).collect();
                batch.filter(&keep)?
            }
            _ => batch,
        };
        cx.emit(batch);
        Ok(())
    }
}
