//! Rows with equal keys go to one task; every row kind passes unchanged. A task that holds all key groups is the only
//! one, so rows pass; any other checks that each row is its own.

use arrow::array::ArrayRef;
use arus_core::key_group::{KEY_GROUPS, key_group};
use arus_core::plan::{Exchange, Node};
use arus_core::{ChangeBatch, Error, Result};
use arus_storage::codec::KeyCodec;

use crate::operator::{Operator, OperatorContext};

pub(crate) struct Exchanger {
    keys: Vec<usize>,
    codec: KeyCodec,
    sole: bool,
}

impl Exchanger {
    pub(crate) fn new(plan: &Exchange, input: &Node, key_groups: &std::ops::Range<u16>) -> Self {
        Exchanger {
            keys: plan.keys.clone(),
            codec: KeyCodec::new(plan.keys.iter().map(|k| input.schema.columns()[*k].ty.clone())),
            sole: *key_groups == (0..KEY_GROUPS),
        }
    }
}

impl Operator for Exchanger {
    fn on_batch(&mut self, _port: usize, batch: ChangeBatch, cx: &mut OperatorContext<'_>) -> Result<()> {
        if !self.sole && !self.keys.is_empty() {
            let columns: Vec<ArrayRef> = self.keys.iter().map(|k| batch.rows().column(*k).clone()).collect();
            let encoded = self.codec.encode(&columns, batch.num_rows())?;
            for row in 0..batch.num_rows() {
                let group = key_group(encoded.get(row));
                if !cx.owns(group) {
                    return Err(Error::bug(format!("a row of key group {group} came to a task that does not own it")));
                }
            }
        }
        cx.emit(batch);
        Ok(())
    }
}
