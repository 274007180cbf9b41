//! A project as a server is asked to take it over.

use serde::{Deserialize, Serialize};

/// A file: its path below the project's folder, and its text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProjectFile {
    pub name: String,
    pub text: String,
}

/// What a project is to be on this server.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApplyRequest {
    /// Its name: what it made before, and is not in the files any more, is dropped.
    pub project: String,
    /// SQL, in the order in which it is read.
    pub files: Vec<ProjectFile>,
    /// YAML; the names are those of the dashboards.
    #[serde(default)]
    pub dashboards: Vec<ProjectFile>,
    /// Do this plan, and no other. Without it nothing is done.
    #[serde(default)]
    pub plan: Option<String>,
    /// Rows that clients wrote may go.
    #[serde(default)]
    pub lose_rows: bool,
}

/// What happens, or has happened, to one object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApplyStep {
    /// `create`, `keep`, `alter`, `rename`, `rebuild`, `replace`, `insert`, `drop`.
    pub action: String,
    /// `table`, `view`, `materialized table`, `pipeline`, `database`.
    pub kind: String,
    pub name: String,
    pub file: Option<String>,
    pub line: Option<u32>,
    pub reason: String,
    /// Rows that clients wrote go with it.
    pub loses_rows: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApplyReply {
    /// Names this plan.
    pub plan: String,
    pub steps: Vec<ApplyStep>,
    pub done: bool,
}
