//! Where the plan shows that rows with equal keys come together. They pass unchanged: who needs them in which task has
//! asked for it at its own input.

use arus_core::{ChangeBatch, Result};

use crate::operator::{Operator, OperatorContext};

pub(crate) struct Exchanger;

impl Operator for Exchanger {
    fn on_batch(&mut self, _port: usize, batch: ChangeBatch, cx: &mut OperatorContext<'_>) -> Result<()> {
        cx.emit(batch);
        Ok(())
    }
}
