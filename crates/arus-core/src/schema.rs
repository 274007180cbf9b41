//! Named columns of a row.

use std::sync::Arc;

use arrow::datatypes::{Field, Schema, SchemaRef};
use serde::{Deserialize, Serialize};

use crate::types::LogicalType;

#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Column {
    pub name: String,
    pub ty: LogicalType,
}

/// The columns of a batch, in order. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct RowSchema(Arc<[Column]>);

impl RowSchema {
    pub fn new(columns: Vec<Column>) -> Self {
        RowSchema(columns.into())
    }

    pub fn columns(&self) -> &[Column] {
        &self.0
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn index_of(&self, name: &str) -> Option<usize> {
        self.0.iter().position(|c| c.name == name)
    }

    pub fn types(&self) -> impl Iterator<Item = &LogicalType> {
        self.0.iter().map(|c| &c.ty)
    }

    pub fn to_arrow(&self) -> SchemaRef {
        Arc::new(Schema::new(self.0.iter().map(|c| Field::new(&c.name, c.ty.to_arrow(), true)).collect::<Vec<_>>()))
    }
}

impl FromIterator<Column> for RowSchema {
    fn from_iter<I: IntoIterator<Item = Column>>(columns: I) -> Self {
        RowSchema(columns.into_iter().collect())
    }
}
