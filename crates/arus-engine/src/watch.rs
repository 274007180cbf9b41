//! Queries that are asked again and again: what each has read is noted, so that it runs only when that has changed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use arus_access::Privilege;
use arus_core::Result;
use arus_core::catalog::{ColumnKind, ObjectPath};
use arus_core::platform::{QueryRows, Reading};
use arus_core::read::{Cut, ReadTable, Snapshot};
use arus_query::Params;
use futures::TryStreamExt;
use xxhash_rust::xxh3::xxh3_64;

use crate::access::Action;
use crate::permitted::PermittedSnapshot;
use crate::platform::EnginePlatform;
use crate::published::{Published, PublishedTable};
use crate::snapshot::EngineSnapshot;

impl EnginePlatform {
    /// Runs a query over one epoch, and notes what it reads.
    pub(crate) async fn answer(
        &self,
        sql: &str,
        params: &BTreeMap<String, serde_json::Value>,
        published: Arc<Published>,
    ) -> Result<(QueryRows, Reading)> {
        let shared = &self.engine.shared;
        let epoch = EngineSnapshot { shared: shared.clone(), published: published.clone(), skip_damage: false };
        let permitted = PermittedSnapshot::new(Arc::new(epoch), shared, &self.who);
        let noting = Arc::new(Noting { snapshot: permitted.clone(), read: Mutex::default() });
        let stream = self.engine.query_engine()?.query(sql, noting.clone(), Params::Named(params)).await;
        let stream = stream.map_err(|e| permitted.explain(e))?;
        let schema = stream.schema.clone();
        let batches = stream.batches.try_collect().await?;
        let rows = QueryRows { schema, cut: published.cut, as_of_ms: published.as_of_ms, batches };
        let tables: Vec<ObjectPath> =
            noting.read.lock().expect("no holder of this lock panics").iter().cloned().collect();
        let version = version(&published, &tables);
        Ok((rows, Reading { tables, version }))
    }

    /// Whether all that was read is as it was, and may still be read.
    pub(crate) fn still_holds(&self, last: &Reading, published: &Published) -> bool {
        let may = |path| self.engine.shared.allows(&self.who, Action::On(Privilege::Select, path));
        last.version.is_some() && version(published, &last.tables) == last.version && last.tables.iter().all(may)
    }
}

/// The version of all these tables; `None` where one of them has none.
fn version(published: &Published, tables: &[ObjectPath]) -> Option<u64> {
    let mut versions = vec![];
    for path in tables {
        match published.tables.get(path) {
            Some(found) => push_version(found, &mut versions)?,
            None => {
                let (name, side) = path.name.rsplit_once('$')?;
                let found = published.tables.get(&path.sibling(name))?;
                let rows = match side {
                    "late" => &found.late,
                    "quarantine" => &found.quarantine,
                    _ => return None,
                };
                versions.extend([found.table.id, 1, rows.changed().incarnation, rows.changed().epoch]);
            }
        }
    }
    let bytes: Vec<u8> = versions.iter().flat_map(|number| number.to_le_bytes()).collect();
    Some(xxh3_64(&bytes))
}

/// System tables, views and tables of connectors have none: they may be others at each epoch.
fn push_version(found: &PublishedTable, versions: &mut Vec<u64>) -> Option<()> {
    versions.push(found.table.layout());
    if let Some(rows) = &found.rows {
        versions.extend([rows.changed().incarnation, rows.changed().epoch]);
        return Some(());
    }
    // What an expression makes of a row may change with the time.
    if found.table.def.columns.iter().any(|c| matches!(c.kind, ColumnKind::Computed { .. })) {
        return None;
    }
    let topic = found.table.topic()?;
    versions.extend(found.ends.iter().map(|end| *end as u64));
    versions.extend(topic.partitions().iter().map(|p| p.start_offset() as u64));
    Some(())
}

/// A snapshot that notes which tables are looked at.
struct Noting {
    snapshot: Arc<PermittedSnapshot>,
    read: Mutex<BTreeSet<ObjectPath>>,
}

impl Snapshot for Noting {
    fn cut(&self) -> Cut {
        self.snapshot.cut()
    }

    fn as_of_ms(&self) -> i64 {
        self.snapshot.as_of_ms()
    }

    fn databases(&self) -> Vec<String> {
        self.snapshot.databases()
    }

    fn table_names(&self, database: &str) -> Vec<String> {
        self.snapshot.table_names(database)
    }

    fn table(&self, path: &ObjectPath) -> Option<Arc<dyn ReadTable>> {
        let table = self.snapshot.table(path)?;
        self.read.lock().expect("no holder of this lock panics").insert(path.clone());
        Some(table)
    }
}
