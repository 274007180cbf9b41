//! Tables and views as the catalog holds them, and what the binder asks of it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::connector::{Connector, Format};
use crate::error::Result;
use crate::expr::Expr;
use crate::schema::{Column, RowSchema};
use crate::types::{LogicalType, TimeAttribute, TypeKind};

pub const DEFAULT_CATALOG: &str = "default_catalog";
pub const DEFAULT_DATABASE: &str = "default_database";
/// Holds the system tables.
pub const SYSTEM_DATABASE: &str = "arus";

/// A table's or view's place.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ObjectPath {
    #[serde(default = "default_catalog", skip_serializing_if = "is_default_catalog")]
    pub catalog: String,
    pub database: String,
    pub name: String,
    /// A temporary object hides the one that is at the same place for good.
    #[serde(default, skip_serializing_if = "is_false")]
    pub temporary: bool,
}

fn default_catalog() -> String {
    DEFAULT_CATALOG.into()
}

fn is_default_catalog(name: &str) -> bool {
    name == DEFAULT_CATALOG
}

fn is_false(value: &bool) -> bool {
    !value
}

impl ObjectPath {
    /// In the default catalog.
    pub fn new(database: impl Into<String>, name: impl Into<String>) -> Self {
        Self::in_catalog(DEFAULT_CATALOG, database, name)
    }

    pub fn in_catalog(catalog: impl Into<String>, database: impl Into<String>, name: impl Into<String>) -> Self {
        ObjectPath { catalog: catalog.into(), database: database.into(), name: name.into(), temporary: false }
    }

    pub fn in_default(name: impl Into<String>) -> Self {
        Self::new(DEFAULT_DATABASE, name)
    }

    /// Another name in the same database.
    #[must_use]
    pub fn sibling(&self, name: impl Into<String>) -> Self {
        ObjectPath { name: name.into(), ..self.clone() }
    }

    /// The place of a temporary object, or of one that is there for good.
    #[must_use]
    pub fn as_temporary(&self, temporary: bool) -> Self {
        ObjectPath { temporary, ..self.clone() }
    }

    /// `catalog.database.name`, as Flink prints it.
    pub fn full(&self) -> String {
        format!("{}.{}.{}", self.catalog, self.database, self.name)
    }
}

/// Kafka's topic name: `name` in the default database, `database.name` elsewhere.
impl fmt::Display for ObjectPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.catalog != DEFAULT_CATALOG {
            f.write_str(&self.full())
        } else if self.database == DEFAULT_DATABASE {
            f.write_str(&self.name)
        } else {
            write!(f, "{}.{}", self.database, self.name)
        }
    }
}

/// `CREATE CATALOG`; there is always [`DEFAULT_CATALOG`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CatalogDef {
    pub name: String,
    pub comment: Option<String>,
    pub options: BTreeMap<String, String>,
}

impl CatalogDef {
    pub fn default_catalog() -> Self {
        CatalogDef { name: DEFAULT_CATALOG.into(), comment: None, options: BTreeMap::new() }
    }

    /// The database that is there from the start.
    pub fn default_database(&self) -> &str {
        let default = if self.name == DEFAULT_CATALOG { DEFAULT_DATABASE } else { "default" };
        self.options.get("default-database").map_or(default, String::as_str)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatabaseDef {
    #[serde(default = "default_catalog", skip_serializing_if = "is_default_catalog")]
    pub catalog: String,
    pub name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub options: BTreeMap<String, String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum ColumnKind {
    Physical,
    /// From the record's envelope; `key` where it differs from the column's name.
    Metadata {
        key: Option<String>,
        is_virtual: bool,
    },
    /// `expr` reads the table's columns by their index; it never reads another computed column.
    Computed {
        expr: Expr,
        sql: String,
    },
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TableColumn {
    pub name: String,
    pub ty: LogicalType,
    pub kind: ColumnKind,
    pub comment: Option<String>,
}

/// `WATERMARK FOR column AS expr`; `expr` reads the table's columns by their index.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WatermarkDef {
    pub column: usize,
    pub expr: Expr,
    pub sql: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum TableKind {
    /// Managed, without a primary key: a topic in the embedded log.
    Topic,
    /// Managed, with a primary key: rows by key, versioned by epoch.
    Keyed,
    /// Declared with a `'connector'`.
    Connector,
    /// Provided by the server; read only.
    System,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TableDef {
    pub path: ObjectPath,
    pub kind: TableKind,
    pub columns: Vec<TableColumn>,
    pub watermark: Option<WatermarkDef>,
    /// Indexes of columns; empty without a primary key.
    pub primary_key: Vec<usize>,
    pub primary_key_name: Option<String>,
    pub partition_keys: Vec<usize>,
    /// `HASH(a) INTO 4 BUCKETS` as written.
    pub distribution: Option<String>,
    pub options: BTreeMap<String, String>,
    pub comment: Option<String>,
    pub temporary: bool,
    /// The query of a materialized table: its pipeline is the only writer.
    pub query: Option<String>,
    /// The key of a materialized table without a natural one is its whole row; `$count` is hidden behind it.
    pub hidden_count: bool,
}

impl TableDef {
    /// All columns, computed and metadata included: what SELECT * gives.
    pub fn row_schema(&self) -> RowSchema {
        self.columns.iter().map(|c| Column { name: c.name.clone(), ty: c.ty.clone() }).collect()
    }

    /// The physical columns: what is stored or encoded.
    pub fn physical_schema(&self) -> RowSchema {
        self.columns
            .iter()
            .filter(|c| matches!(c.kind, ColumnKind::Physical))
            .map(|c| Column { name: c.name.clone(), ty: c.ty.clone() })
            .collect()
    }

    /// The columns that INSERT writes: physical and non-virtual metadata.
    pub fn sink_columns(&self) -> Vec<usize> {
        (0..self.columns.len())
            .filter(|i| {
                matches!(self.columns[*i].kind, ColumnKind::Physical | ColumnKind::Metadata { is_virtual: false, .. })
            })
            .collect()
    }

    pub fn option(&self, name: &str) -> Option<&str> {
        self.options.get(name).map(String::as_str)
    }

    pub fn connector(&self) -> Option<&str> {
        self.option("connector")
    }
}

/// The columns of `<table>$late`: rows that came behind the watermark.
pub fn late_columns() -> RowSchema {
    RowSchema::new(vec![
        side_column("row", TypeKind::STRING),
        side_column("time", INSTANT),
        side_column("watermark", INSTANT),
        side_column("pipeline", TypeKind::STRING),
        side_column("operator", TypeKind::STRING),
    ])
}

/// The columns of `<table>$quarantine`: records and rows that could not be read or computed.
pub fn quarantine_columns() -> RowSchema {
    RowSchema::new(vec![
        side_column("bytes", TypeKind::BYTES),
        side_column("reason", TypeKind::STRING),
        side_column("source", TypeKind::STRING),
        side_column("partition", TypeKind::Int),
        side_column("offset", TypeKind::BigInt),
        side_column("pipeline", TypeKind::STRING),
        side_column("time", INSTANT),
    ])
}

const INSTANT: TypeKind = TypeKind::TimestampLtz { precision: 3, attribute: TimeAttribute::None };

fn side_column(name: &str, kind: TypeKind) -> Column {
    Column { name: name.into(), ty: kind.nullable() }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ViewDef {
    pub path: ObjectPath,
    pub columns: RowSchema,
    /// The query as written; it is bound again at each use.
    pub query: String,
    pub comment: Option<String>,
    pub temporary: bool,
}

#[derive(Debug, Clone)]
pub enum CatalogObject {
    Table(Arc<TableDef>),
    View(Arc<ViewDef>),
}

impl CatalogObject {
    pub fn path(&self) -> &ObjectPath {
        match self {
            CatalogObject::Table(t) => &t.path,
            CatalogObject::View(v) => &v.path,
        }
    }
}

/// Keys and values of a partition, in the order of the table's partition columns.
pub type PartitionSpec = Vec<(String, String)>;

/// What a statement does with an object that it names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Usage {
    Read,
    Write,
}

/// Tables and views by name.
pub trait Catalog: Send + Sync {
    /// The temporary object at this place, else the one that is there for good.
    fn object(&self, path: &ObjectPath) -> Option<CatalogObject>;
    /// The same for a name in the text of a statement, but not of a view that it reads: an error where whoever runs the
    /// statement may not use it so.
    fn named(&self, path: &ObjectPath, _usage: Usage) -> Result<Option<CatalogObject>> {
        Ok(self.object(path))
    }

    /// Every object of a database of the default catalog, by name.
    fn objects(&self, database: &str) -> Vec<CatalogObject>;
    /// Of the default catalog.
    fn databases(&self) -> Vec<String>;

    /// The object that is there for good, whatever temporary one hides it.
    fn permanent(&self, path: &ObjectPath) -> Option<CatalogObject> {
        self.object(path).filter(|o| !o.path().temporary)
    }

    fn catalogs(&self) -> Vec<CatalogDef> {
        vec![CatalogDef::default_catalog()]
    }

    fn objects_in(&self, catalog: &str, database: &str) -> Vec<CatalogObject> {
        if catalog == DEFAULT_CATALOG { self.objects(database) } else { vec![] }
    }

    fn databases_in(&self, catalog: &str) -> Vec<String> {
        if catalog == DEFAULT_CATALOG { self.databases() } else { vec![] }
    }

    fn database(&self, catalog: &str, name: &str) -> Option<DatabaseDef> {
        let there = self.databases_in(catalog).iter().any(|d| d == name);
        there.then(|| DatabaseDef {
            catalog: catalog.into(),
            name: name.into(),
            comment: None,
            options: BTreeMap::new(),
        })
    }

    /// Partitions that ALTER TABLE .. ADD PARTITION has named.
    fn partitions(&self, _table: &ObjectPath) -> Vec<PartitionSpec> {
        vec![]
    }
}

/// The connectors and formats that are compiled in, for the binder's checks.
pub trait ConnectorCatalog: Send + Sync {
    fn connector(&self, name: &str) -> Option<&dyn Connector>;
    fn connector_names(&self) -> Vec<&'static str>;
    fn format(&self, name: &str) -> Option<&dyn Format>;
    fn format_names(&self) -> Vec<&'static str>;
}
