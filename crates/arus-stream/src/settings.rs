//! What a pipeline is told besides its plan.

use std::ops::Range;

use arus_core::clock::SharedClock;
use arus_core::key_group::KEY_GROUPS;
use arus_core::plan::Uid;
use arus_core::settings::{ERROR_POLICY, Settings};
use arus_core::{Error, Result};

use crate::eval::Compiling;

/// `arus.exec.error-policy`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorPolicy {
    /// The failing row is set aside.
    Quarantine,
    /// The pipeline fails, as in Flink.
    Fail,
    /// A row that fails fails the pipeline; a record of a source that cannot be read is left out. For queries, which have no
    /// place to set rows aside at, and which are not the ones to judge what a topic holds.
    FailRows,
}

impl ErrorPolicy {
    pub fn from_settings(settings: &Settings) -> Result<Self> {
        match settings.get(ERROR_POLICY) {
            "quarantine" => Ok(ErrorPolicy::Quarantine),
            "fail" => Ok(ErrorPolicy::Fail),
            other => {
                Err(Error::user(format!("setting '{ERROR_POLICY}': expected quarantine or fail, found '{other}'")))
            }
        }
    }
}

#[derive(Clone)]
pub struct PipelineSettings {
    /// The session's zone by its IANA name.
    pub time_zone: String,
    pub error_policy: ErrorPolicy,
    pub clock: SharedClock,
    /// The key groups whose state this task holds.
    pub key_groups: Range<u16>,
    /// Rows of a batch at most.
    pub batch_rows: usize,
    /// Of the random functions: two pipelines with equal seeds draw equal numbers.
    pub seed: u64,
    /// Checks every edge's changelog row by row: for tests.
    pub check_changelog: bool,
}

impl PipelineSettings {
    /// For the expressions of one operator.
    pub(crate) fn compiling(&self, uid: Uid) -> Compiling<'_> {
        Compiling { time_zone: &self.time_zone, seed: self.seed ^ uid.0 }
    }

    /// All key groups, rows that fail are set aside.
    pub fn new(clock: SharedClock, time_zone: impl Into<String>) -> Self {
        PipelineSettings {
            time_zone: time_zone.into(),
            error_policy: ErrorPolicy::Quarantine,
            clock,
            key_groups: 0..KEY_GROUPS,
            batch_rows: arus_core::limits::BATCH_ROWS,
            seed: 0,
            check_changelog: false,
        }
    }
}
