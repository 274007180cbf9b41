//! What readers see: the newest epoch, whole.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use arus_core::catalog::ObjectPath;
use arus_core::read::Cut;
use arus_storage::table::TableSnapshot;

use crate::ingest::Written;
use crate::shared::INBOX_SUFFIX;
use crate::tables::Table;

/// One epoch of all tables. Whoever holds it reads that epoch.
#[derive(Clone)]
pub(crate) struct Published {
    pub(crate) cut: Cut,
    pub(crate) as_of_ms: i64,
    pub(crate) tables: HashMap<ObjectPath, PublishedTable>,
    /// By pipeline and source table, the offset up to which each partition is covered.
    pub(crate) positions: BTreeMap<(String, ObjectPath), Vec<i64>>,
}

#[derive(Clone)]
pub(crate) struct PublishedTable {
    pub(crate) table: Arc<Table>,
    pub(crate) rows: Option<TableSnapshot>,
    pub(crate) late: TableSnapshot,
    pub(crate) quarantine: TableSnapshot,
    /// Of the table's topic: where this epoch's rows end.
    pub(crate) ends: Vec<i64>,
}

impl PublishedTable {
    pub(crate) fn of(table: Arc<Table>, ends: Vec<i64>) -> Self {
        PublishedTable {
            rows: table.keyed().map(|t| t.snapshot()),
            late: table.late.snapshot(),
            quarantine: table.quarantine.snapshot(),
            ends,
            table,
        }
    }
}

impl Published {
    pub(crate) fn empty(incarnation: u64) -> Self {
        Published {
            cut: Cut { incarnation, epoch: 0 },
            as_of_ms: 0,
            tables: HashMap::new(),
            positions: BTreeMap::new(),
        }
    }

    /// Whether these rows are readable, or their table is gone.
    pub(crate) fn covers(&self, written: &Written) -> bool {
        let (path, ..) = written;
        let Some(found) = self.tables.get(path) else { return true };
        if found.table.keyed().is_none() {
            return reaches(&found.ends, written);
        }
        self.readers(&path.sibling(format!("{}{INBOX_SUFFIX}", path.name))).any(|ends| reaches(ends, written))
    }

    /// Whether they are readable, and in the results of every pipeline that reads the table.
    pub(crate) fn counts(&self, written: &Written) -> bool {
        self.covers(written) && self.readers(&written.0).all(|ends| reaches(ends, written))
    }

    /// How far each pipeline has come that reads this topic.
    fn readers(&self, path: &ObjectPath) -> impl Iterator<Item = &Vec<i64>> {
        self.positions.iter().filter(move |((_, table), _)| table == path).map(|(_, ends)| ends)
    }
}

/// Whether a topic read up to these ends has the rows.
fn reaches(ends: &[i64], (_, partition, end): &Written) -> bool {
    ends.get(*partition as usize).is_some_and(|e| e >= end)
}

/// The last checkpoint, for freshness and `durable`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Durable {
    pub(crate) cut: Cut,
    pub(crate) at_ms: i64,
}
