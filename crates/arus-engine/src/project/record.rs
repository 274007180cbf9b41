//! What is remembered of a project: which objects are its own, so that it may drop them, and which rows it has put once.

use arus_core::Result;
use arus_core::catalog::ObjectPath;
use arus_core::project::ProjectFile;
use arus_storage::manifest::{CatalogItem, Change};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::shared::Shared;

pub(crate) const PROJECT_ITEM: &str = "project";

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Record {
    pub(crate) name: String,
    /// Of the catalog's item; 0: there is none yet.
    #[serde(skip)]
    pub(crate) id: u64,
    /// Tables, views and materialized tables.
    pub(crate) objects: Vec<ObjectPath>,
    #[serde(default)]
    pub(crate) alerts: Vec<ObjectPath>,
    pub(crate) jobs: Vec<JobRecord>,
    /// INSERT .. VALUES that were done, by their hash.
    pub(crate) rows: Vec<u64>,
    pub(crate) dashboards: Vec<ProjectFile>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct JobRecord {
    pub(crate) id: String,
    pub(crate) targets: Vec<ObjectPath>,
    /// Of its plan.
    pub(crate) print: u64,
}

impl Record {
    pub(crate) fn new(name: &str) -> Self {
        Record { name: name.into(), ..Record::default() }
    }

    /// From the catalog.
    pub(crate) fn of_item(item: &CatalogItem) -> Option<Record> {
        let record: Record = serde_json::from_value(item.extra["project"].clone()).ok()?;
        Some(Record { id: item.id, ..record })
    }

    /// How it stands in the catalog.
    pub(crate) fn change(&mut self, shared: &Shared) -> Result<Change> {
        if self.id == 0 {
            self.id = shared.new_id();
        }
        Ok(Change::Put(CatalogItem {
            id: self.id,
            kind: PROJECT_ITEM.into(),
            path: ObjectPath::new("", &self.name),
            sql: String::new(),
            topic: None,
            partitions: None,
            extra: json!({ "project": self }),
        }))
    }
}
