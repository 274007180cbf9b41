//! Up to where readers saw a topic at each epoch: a `/changes` client that comes back with its last cut goes on there,
//! after a restart of the server too if that cut was durable.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arrow::array::{Array, ArrayRef, AsArray, Int32Array, Int64Array, RecordBatch, StringViewArray};
use arrow::datatypes::Int64Type;
use arus_core::change::arrow_bug;
use arus_core::limits::CHANGES_EPOCHS;
use arus_core::read::Cut;
use arus_core::types::TypeKind;
use arus_core::{ChangeBatch, Column, Result, RowSchema};
use arus_storage::table::{KeyedTable, TableMode};

pub(crate) struct Shown {
    /// The newest end with the cut since which it stands: one row, part of each checkpoint.
    pub(crate) newest: Arc<KeyedTable>,
    recent: Mutex<Recent>,
}

#[derive(Default)]
struct Recent {
    /// The cuts at which the end moved, oldest first.
    moves: VecDeque<(Cut, Vec<i64>)>,
    /// The checkpoint that this start went on from.
    restored: Option<Cut>,
}

fn schema() -> RowSchema {
    let column = |name: &str, kind: TypeKind| Column { name: name.into(), ty: kind.nullable() };
    RowSchema::new(vec![
        Column { name: "id".into(), ty: TypeKind::Int.not_null() },
        column("incarnation", TypeKind::BigInt),
        column("epoch", TypeKind::BigInt),
        column("ends", TypeKind::STRING),
    ])
}

impl Shown {
    pub(crate) fn new() -> Self {
        Shown { newest: Arc::new(KeyedTable::new(schema(), &[0], TableMode::Keyed)), recent: Mutex::default() }
    }

    fn recent(&self) -> MutexGuard<'_, Recent> {
        self.recent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Called at each epoch.
    pub(crate) fn note(&self, cut: Cut, ends: &[i64]) -> Result<()> {
        let mut recent = self.recent();
        if recent.moves.back().is_some_and(|(_, last)| last == ends) {
            return Ok(());
        }
        recent.moves.push_back((cut, ends.to_vec()));
        while recent.moves.len() > CHANGES_EPOCHS {
            recent.moves.pop_front();
        }
        let text = ends.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
        let columns: Vec<ArrayRef> = vec![
            Arc::new(Int32Array::from(vec![0])),
            Arc::new(Int64Array::from(vec![cut.incarnation as i64])),
            Arc::new(Int64Array::from(vec![cut.epoch as i64])),
            Arc::new(StringViewArray::from_iter_values([text])),
        ];
        let row = RecordBatch::try_new(schema().to_arrow(), columns).map_err(arrow_bug)?;
        self.newest.apply(&ChangeBatch::inserts(row))
    }

    /// Takes over what the checkpoint says.
    pub(crate) fn restore(&self, checkpoint: Cut) -> Result<()> {
        let mut recent = self.recent();
        for batch in self.newest.snapshot().scan(&[1, 2, 3], None) {
            let batch = batch?;
            let number = |column: usize| batch.column(column).as_primitive::<Int64Type>().value(0) as u64;
            let ends = batch.column(2).as_string_view();
            if batch.num_rows() == 1 && ends.is_valid(0) {
                let ends = ends.value(0).split(',').filter_map(|end| end.parse().ok()).collect();
                recent.moves = VecDeque::from([(Cut { incarnation: number(0), epoch: number(1) }, ends)]);
                recent.restored = Some(checkpoint);
            }
        }
        Ok(())
    }

    /// The end at a cut that counts, of this start or the restored one.
    pub(crate) fn at(&self, cut: Cut, incarnation: u64) -> Option<Vec<i64>> {
        let recent = self.recent();
        let after = recent.moves.partition_point(|(since, _)| *since <= cut);
        let (since, ends) = recent.moves.get(after.checked_sub(1)?)?;
        // Epochs of an earlier start behind its last checkpoint are void.
        let restored = recent.restored.is_some_and(|r| cut.incarnation == r.incarnation && cut <= r);
        (cut.incarnation == incarnation || cut == *since || restored).then(|| ends.clone())
    }
}
