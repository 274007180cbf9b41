//! Tables and views as the catalog holds them, and what the binder asks of it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::connector::{Connector, Format};
use crate::expr::Expr;
use crate::schema::{Column, RowSchema};
use crate::types::LogicalType;

pub const DEFAULT_CATALOG: &str = "default_catalog";
pub const DEFAULT_DATABASE: &str = "default_database";
/// Holds the system tables.
pub const SYSTEM_DATABASE: &str = "arus";

/// A table's or view's place. There is one catalog, [`DEFAULT_CATALOG`].
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ObjectPath {
    pub database: String,
    pub name: String,
}

impl ObjectPath {
    pub fn new(database: impl Into<String>, name: impl Into<String>) -> Self {
        ObjectPath { database: database.into(), name: name.into() }
    }

    pub fn in_default(name: impl Into<String>) -> Self {
        Self::new(DEFAULT_DATABASE, name)
    }

    /// `default_catalog.database.name`, as Flink prints it.
    pub fn full(&self) -> String {
        format!("{DEFAULT_CATALOG}.{}.{}", self.database, self.name)
    }
}

/// Kafka's topic name: `name` in the default database, `database.name` elsewhere.
impl fmt::Display for ObjectPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.database == DEFAULT_DATABASE {
            f.write_str(&self.name)
        } else {
            write!(f, "{}.{}", self.database, self.name)
        }
    }
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

/// Tables and views by name.
pub trait Catalog: Send + Sync {
    fn object(&self, path: &ObjectPath) -> Option<CatalogObject>;
    /// Every object of a database, by name.
    fn objects(&self, database: &str) -> Vec<CatalogObject>;
    fn databases(&self) -> Vec<String>;
}

/// The connectors and formats that are compiled in, for the binder's checks.
pub trait ConnectorCatalog: Send + Sync {
    fn connector(&self, name: &str) -> Option<&dyn Connector>;
    fn connector_names(&self) -> Vec<&'static str>;
    fn format(&self, name: &str) -> Option<&dyn Format>;
    fn format_names(&self) -> Vec<&'static str>;
}
