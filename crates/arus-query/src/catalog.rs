//! A snapshot as DataFusion's catalog: database `arus`, Flink's databases as its schemas.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, RwLock};

use arus_core::catalog::{DEFAULT_DATABASE, ObjectPath};
use arus_core::read::{ReadTable, Snapshot};
use async_trait::async_trait;
use datafusion::catalog::{CatalogProvider, CatalogProviderList, SchemaProvider, TableProvider};
use datafusion::error::{DataFusionError, Result};

use crate::table::SnapshotTable;

/// PostgreSQL's database.
pub(crate) const CATALOG: &str = "arus";
/// Where [`DEFAULT_DATABASE`] appears.
pub(crate) const PUBLIC: &str = "public";
pub(crate) const PG_CATALOG: &str = "pg_catalog";

pub(crate) fn schema_of(database: &str) -> &str {
    if database == DEFAULT_DATABASE { PUBLIC } else { database }
}

pub(crate) fn database_of(schema: &str) -> &str {
    if schema == PUBLIC { DEFAULT_DATABASE } else { schema }
}

/// Exact name first, else the only one that is equal but for case.
pub(crate) fn find_table(snapshot: &dyn Snapshot, schema: &str, name: &str) -> Option<Arc<dyn ReadTable>> {
    let database = database_of(schema);
    if let Some(table) = snapshot.table(&ObjectPath::new(database, name)) {
        return Some(table);
    }
    let mut similar = snapshot.table_names(database).into_iter().filter(|n| n.eq_ignore_ascii_case(name));
    match (similar.next(), similar.next()) {
        (Some(only), None) => snapshot.table(&ObjectPath::new(database, only)),
        _ => None,
    }
}

/// The catalog list of one query.
pub(crate) struct SnapshotCatalog {
    snapshot: Arc<dyn Snapshot>,
    extra: Arc<Schemas>,
}

/// Schemas that describe the snapshot: `pg_catalog`, `information_schema`.
pub(crate) type Schemas = RwLock<HashMap<String, Arc<dyn SchemaProvider>>>;

impl SnapshotCatalog {
    pub(crate) fn new(snapshot: Arc<dyn Snapshot>, extra: Arc<Schemas>) -> Self {
        SnapshotCatalog { snapshot, extra }
    }
}

impl fmt::Debug for SnapshotCatalog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SnapshotCatalog({:?})", self.snapshot.cut())
    }
}

impl CatalogProviderList for SnapshotCatalog {
    fn register_catalog(&self, _name: String, _catalog: Arc<dyn CatalogProvider>) -> Option<Arc<dyn CatalogProvider>> {
        None
    }

    fn catalog_names(&self) -> Vec<String> {
        vec![CATALOG.into()]
    }

    fn catalog(&self, name: &str) -> Option<Arc<dyn CatalogProvider>> {
        (name == CATALOG).then(|| {
            Arc::new(SnapshotCatalog { snapshot: self.snapshot.clone(), extra: self.extra.clone() })
                as Arc<dyn CatalogProvider>
        })
    }
}

impl CatalogProvider for SnapshotCatalog {
    fn schema_names(&self) -> Vec<String> {
        let extra = self.extra.read().map(|e| e.keys().cloned().collect::<Vec<_>>()).unwrap_or_default();
        self.snapshot.databases().iter().map(|d| schema_of(d).to_string()).chain(extra).collect()
    }

    fn schema(&self, name: &str) -> Option<Arc<dyn SchemaProvider>> {
        if let Some(extra) = self.extra.read().ok()?.get(name) {
            return Some(extra.clone());
        }
        let database = database_of(name);
        self.snapshot.databases().iter().any(|d| d == database).then(|| {
            Arc::new(SnapshotSchema { snapshot: self.snapshot.clone(), schema: name.into() }) as Arc<dyn SchemaProvider>
        })
    }

    fn register_schema(&self, name: &str, schema: Arc<dyn SchemaProvider>) -> Result<Option<Arc<dyn SchemaProvider>>> {
        let mut extra =
            self.extra.write().map_err(|_| DataFusionError::Internal("the schema list is poisoned".into()))?;
        Ok(extra.insert(name.into(), schema))
    }
}

struct SnapshotSchema {
    snapshot: Arc<dyn Snapshot>,
    schema: String,
}

impl fmt::Debug for SnapshotSchema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SnapshotSchema({})", self.schema)
    }
}

#[async_trait]
impl SchemaProvider for SnapshotSchema {
    fn table_names(&self) -> Vec<String> {
        self.snapshot.table_names(database_of(&self.schema))
    }

    async fn table(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>> {
        Ok(find_table(self.snapshot.as_ref(), &self.schema, name)
            .map(|t| Arc::new(SnapshotTable::new(t)) as Arc<dyn TableProvider>))
    }

    fn table_exist(&self, name: &str) -> bool {
        find_table(self.snapshot.as_ref(), &self.schema, name).is_some()
    }
}
