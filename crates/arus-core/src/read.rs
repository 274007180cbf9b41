//! What ad-hoc queries read: tables as they are at one epoch.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use serde::{Deserialize, Serialize};

use crate::catalog::ObjectPath;
use crate::error::Result;
use crate::schema::RowSchema;

/// A cut through the domain: names one epoch for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Cut {
    pub incarnation: u64,
    pub epoch: u64,
}

pub type BatchIterator = Box<dyn Iterator<Item = Result<RecordBatch>> + Send>;

/// Every table, pinned to one epoch for as long as the value lives.
pub trait Snapshot: Send + Sync {
    fn cut(&self) -> Cut;
    /// Wall clock at which the epoch was made, in ms.
    fn as_of_ms(&self) -> i64;
    fn databases(&self) -> Vec<String>;
    /// Tables of a database, by name; side tables (`t$late`) are found by name only.
    fn table_names(&self, database: &str) -> Vec<String>;
    fn table(&self, path: &ObjectPath) -> Option<Arc<dyn ReadTable>>;
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReadTableKind {
    Table,
    View,
    System,
}

pub trait ReadTable: Send + Sync {
    fn path(&self) -> &ObjectPath;
    fn kind(&self) -> ReadTableKind;
    fn schema(&self) -> &RowSchema;
    /// Indexes of the primary key's columns.
    fn primary_key(&self) -> &[usize];
    /// Batches of the columns in `projection`; may stop after `limit` rows.
    fn scan(&self, projection: &[usize], limit: Option<usize>) -> Result<BatchIterator>;
    /// The rows under these primary keys, which stand in columns in the order of [`ReadTable::primary_key`]. `None`: only a
    /// scan finds them.
    fn find(&self, _keys: &[ArrayRef], _projection: &[usize]) -> Result<Option<RecordBatch>> {
        Ok(None)
    }
    /// For the planner's estimates.
    fn rows(&self) -> Option<u64>;
    /// The query of a view.
    fn query(&self) -> Option<String> {
        None
    }
    /// What its declaration says of it.
    fn comment(&self) -> Option<String> {
        None
    }
}
