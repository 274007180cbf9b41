//! `pg_catalog` and `information_schema` as schemas of one query's catalog.

use std::fmt;
use std::sync::{Arc, LazyLock, OnceLock};

use async_trait::async_trait;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::catalog::{MemTable, SchemaProvider, TableProvider};
use datafusion::error::Result;
use datafusion_pg_catalog::pg_catalog::PG_CATALOG_TABLES;

use super::model::{INFORMATION_SCHEMA, Model};
use super::rows::{self, Spec};
use super::{information, tables};
use crate::catalog::PG_CATALOG;
use crate::function::Value;

/// Makes the model when a query first asks for it.
pub(crate) struct Lazy {
    pub(crate) make: Box<dyn Fn() -> Model + Send + Sync>,
    pub(crate) made: OnceLock<Model>,
}

impl Lazy {
    pub(crate) fn model(&self) -> &Model {
        self.made.get_or_init(|| (self.make)())
    }
}

type Table = Spec<fn(&Model) -> Vec<Vec<Value>>>;

/// Columns of our own tables by schema and name.
static SCHEMAS: LazyLock<Vec<(&'static str, &'static Table, SchemaRef)>> = LazyLock::new(|| {
    let catalog = tables::TABLES.iter().map(|spec| (PG_CATALOG, spec));
    let information = information::TABLES.iter().map(|spec| (INFORMATION_SCHEMA, spec));
    catalog.chain(information).map(|(schema, spec)| (schema, spec, rows::schema(spec.columns))).collect()
});

fn own(schema: &str, name: &str) -> Option<(&'static Table, SchemaRef)> {
    let found = SCHEMAS.iter().find(|(s, spec, _)| *s == schema && spec.name.eq_ignore_ascii_case(name));
    found.map(|(_, spec, fields)| (*spec, fields.clone()))
}

/// All of them, for `pg_class` itself. `fixed` has those that never change.
pub(crate) async fn system(fixed: &dyn SchemaProvider) -> Result<Vec<(&'static str, String, SchemaRef)>> {
    let mut all: Vec<_> = SCHEMAS.iter().map(|(s, spec, fields)| (*s, spec.name.to_string(), fields.clone())).collect();
    for name in PG_CATALOG_TABLES {
        if own(PG_CATALOG, name).is_none()
            && let Some(table) = fixed.table(name).await?
        {
            all.push((PG_CATALOG, (*name).to_string(), table.schema()));
        }
    }
    Ok(all)
}

/// Whether `pg_catalog` has it.
pub(crate) fn is_in_pg_catalog(name: &str) -> bool {
    own(PG_CATALOG, name).is_some() || PG_CATALOG_TABLES.contains(&name)
}

pub(crate) struct SystemSchema {
    pub(crate) name: &'static str,
    pub(crate) model: Arc<Lazy>,
    /// Tables of `pg_catalog` that never change.
    pub(crate) fixed: Option<Arc<dyn SchemaProvider>>,
}

impl fmt::Debug for SystemSchema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SystemSchema({})", self.name)
    }
}

#[async_trait]
impl SchemaProvider for SystemSchema {
    fn table_names(&self) -> Vec<String> {
        let mut names: Vec<_> =
            SCHEMAS.iter().filter(|(s, ..)| *s == self.name).map(|(_, spec, _)| spec.name.to_string()).collect();
        for name in self.fixed.iter().flat_map(|fixed| fixed.table_names()) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        names
    }

    async fn table(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>> {
        if let Some((spec, fields)) = own(self.name, name) {
            let batch = rows::batch(&fields, (spec.rows)(self.model.model()))?;
            return Ok(Some(Arc::new(MemTable::try_new(fields, vec![vec![batch]])?)));
        }
        match &self.fixed {
            Some(fixed) => fixed.table(name).await,
            None => Ok(None),
        }
    }

    fn table_exist(&self, name: &str) -> bool {
        own(self.name, name).is_some() || self.fixed.as_ref().is_some_and(|fixed| fixed.table_exist(name))
    }
}
