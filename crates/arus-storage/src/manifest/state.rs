//! What the records of the manifest say, and the state that they fold to.

use std::collections::BTreeMap;

use arus_core::catalog::ObjectPath;
use arus_core::connector::CommitToken;
use arus_core::key_group::KEY_GROUPS;
use arus_core::plan::Uid;
use arus_core::read::Cut;
use serde::{Deserialize, Serialize};

use crate::state::StateFileRef;

/// One change; a record holds several that count together.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// A start of the server.
    Incarnation {
        incarnation: u64,
        started_ms: i64,
    },
    Put(CatalogItem),
    Delete {
        id: u64,
    },
    Checkpoint(Box<Checkpoint>),
    /// Everything before: the first record after a rotation.
    Snapshot(Box<ManifestState>),
}

/// A table, view, pipeline or whatever else the catalog keeps.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CatalogItem {
    /// Never used twice: [`ManifestState::next_id`].
    pub id: u64,
    /// What it is, in the catalog's own word.
    pub kind: String,
    pub path: ObjectPath,
    /// The statement that made it.
    pub sql: String,
    /// The folder of its topic in the log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topic: Option<u64>,
    /// Of its topic.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partitions: Option<u32>,
    #[serde(default, skip_serializing_if = "serde_json::Value::is_null")]
    pub extra: serde_json::Value,
}

/// All that a restore needs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Checkpoint {
    pub cut: Cut,
    /// Wall clock of the epoch, in ms.
    pub as_of_ms: i64,
    /// By the pipeline's id in the catalog.
    #[serde(default)]
    pub pipelines: BTreeMap<u64, PipelineCheckpoint>,
    /// The end of the epoch in each partition of each topic that a pipeline writes.
    #[serde(default)]
    pub markers: BTreeMap<u64, Vec<i64>>,
    /// The durable end of each partition of each topic that clients write.
    #[serde(default)]
    pub synced: BTreeMap<u64, Vec<i64>>,
    /// By table id, when the rows of a keyed table last changed: who has seen that cut has seen this one.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub changed: BTreeMap<u64, Cut>,
    /// Oldest first.
    #[serde(default)]
    pub files: Vec<StateFileRef>,
    /// All that are not delivered yet, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub outboxes: Vec<OutboxRef>,
    /// Of every sink with an outbox whose first mark is known to stand.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub marks: Vec<SinkMark>,
    /// No id from here on was given out at the cut. State of what never came to stand in the catalog may be in `files`, and nothing that is made later may take it for its own.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub next_id: u64,
}

fn is_zero(n: &u64) -> bool {
    *n == 0
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct PipelineCheckpoint {
    /// Random, made when the pipeline was created.
    pub deployment: String,
    /// The cut of its task as the runtime writes it: positions, watermarks and idleness of its splits.
    #[serde(default)]
    pub task: serde_json::Value,
    #[serde(default)]
    pub sinks: BTreeMap<Uid, Vec<CommitToken>>,
}

/// A file with rows that an exactly-once sink has not confirmed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutboxRef {
    /// In the folder of outboxes.
    pub name: String,
    pub pipeline: u64,
    pub sink: Uid,
    pub cut: Cut,
    #[serde(default)]
    pub rows: u64,
    #[serde(default)]
    pub bytes: u64,
}

/// How far an exactly-once sink is known to be delivered. Its mark stands here or at an outbox that is listed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SinkMark {
    pub pipeline: u64,
    pub sink: Uid,
    pub delivered: Cut,
}

/// The manifest's records, folded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ManifestState {
    /// Of this start of the server.
    pub incarnation: u64,
    pub started_ms: i64,
    /// Fixed when the folder was made.
    pub key_groups: u16,
    /// The id of the next catalog item; topics take theirs from here too.
    pub next_id: u64,
    pub catalog: BTreeMap<u64, CatalogItem>,
    pub checkpoint: Option<Checkpoint>,
}

impl ManifestState {
    pub(crate) fn new() -> Self {
        ManifestState {
            incarnation: 0,
            started_ms: 0,
            key_groups: KEY_GROUPS,
            next_id: 1,
            catalog: BTreeMap::new(),
            checkpoint: None,
        }
    }

    pub(crate) fn apply(&mut self, change: &Change) {
        match change {
            Change::Incarnation { incarnation, started_ms } => {
                self.incarnation = *incarnation;
                self.started_ms = *started_ms;
            }
            Change::Put(item) => {
                self.next_id = self.next_id.max(item.id.max(item.topic.unwrap_or(0)) + 1);
                self.catalog.insert(item.id, item.clone());
            }
            Change::Delete { id } => {
                self.catalog.remove(id);
            }
            Change::Checkpoint(checkpoint) => {
                self.next_id = self.next_id.max(checkpoint.next_id);
                self.checkpoint = Some((**checkpoint).clone());
            }
            Change::Snapshot(state) => *self = (**state).clone(),
        }
    }
}
