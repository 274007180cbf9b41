//! What of the data folder cannot be read, for whoever asks.

use std::sync::Arc;

use arus_core::Datum;
use arus_storage::log::{Damage, Topic};

use crate::shared::Shared;
use crate::system::{big, text};
use crate::tables::Table;

/// Every known damage of the logs, with its table.
fn of_logs(shared: &Shared) -> Vec<(Arc<Table>, Damage)> {
    let mut found = vec![];
    for table in shared.tables.all() {
        let topic: Option<Arc<Topic>> = table.topic().or(table.inbox()).cloned();
        let damages = topic.iter().flat_map(|t| t.partitions()).flat_map(|p| p.damages());
        found.extend(damages.map(|damage| (table.clone(), damage)));
    }
    found
}

pub(crate) fn count(shared: &Shared) -> usize {
    of_logs(shared).len() + shared.state_damages.len()
}

/// A sentence when there is any.
pub(crate) fn warning(shared: &Shared) -> Option<String> {
    let count = count(shared);
    (count > 0)
        .then(|| format!("{count} places of the data folder are damaged: SELECT * FROM arus.damages, or `arus doctor`"))
}

/// Of `arus.damages`.
pub(crate) fn rows(shared: &Shared) -> Vec<Vec<Datum>> {
    let logs = of_logs(shared).into_iter().map(|(table, d)| {
        vec![
            text(table.def.path.to_string()),
            Datum::Int(d.partition as i32),
            text(d.segment.display().to_string()),
            big(d.position),
            Datum::BigInt(d.first_offset),
            Datum::BigInt(d.next_offset),
            text(d.reason),
        ]
    });
    let states = shared.state_damages.iter().map(|d| {
        let file = format!("state/{}", d.file);
        vec![Datum::Null, Datum::Null, text(file), big(d.position), Datum::Null, Datum::Null, text(d.reason.clone())]
    });
    logs.chain(states).collect()
}
