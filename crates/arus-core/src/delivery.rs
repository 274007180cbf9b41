//! Exactly-once sinks whose rows go by an outbox: what a connector does of it.
//!
//! The rows of a checkpoint lie in an outbox, a file that the checkpoint's record names. Once that record is durable they
//! are delivered, in one transaction that also moves the **mark**: how far the sink has been delivered, kept inside of it.
//! The transaction counts only where the mark still stands at the outbox before, so a repeated or late one changes nothing.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::change::ChangeBatch;
use crate::error::Result;
use crate::read::Cut;

/// The mark of a sink to which nothing was delivered yet. No checkpoint has this cut.
pub const FIRST_MARK: Cut = Cut { incarnation: 0, epoch: 0 };

/// Rows for an outbox, as the row codec of storage encodes them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OutboxRows {
    /// [`crate::RowKind`] of each row.
    pub kinds: Vec<u8>,
    pub bytes: Vec<u8>,
    /// The end of each row in `bytes`.
    pub ends: Vec<usize>,
}

impl OutboxRows {
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    pub fn byte_len(&self) -> usize {
        self.bytes.len() + self.ends.len() * (1 + size_of::<usize>())
    }

    /// Puts later rows behind these.
    pub fn append(&mut self, later: &OutboxRows) {
        let start = self.bytes.len();
        self.kinds.extend_from_slice(&later.kinds);
        self.bytes.extend_from_slice(&later.bytes);
        self.ends.extend(later.ends.iter().map(|end| start + end));
    }

    pub fn iter(&self) -> impl Iterator<Item = (u8, &[u8])> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        let rows = starts.zip(&self.ends).map(|(start, end)| &self.bytes[start..*end]);
        self.kinds.iter().copied().zip(rows)
    }
}

/// Whose mark it is. The deployment is random and new with each CREATE, so that a pipeline which is made again under an old
/// name never takes an old mark for its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MarkName {
    pub pipeline: String,
    pub deployment: String,
    /// Tells the sinks of one pipeline apart.
    pub sink: String,
}

/// How far a sink has been delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    pub cut: Cut,
    /// Rows that the sink would not take, of every delivery that the manifest may not know of.
    pub rejected: Vec<RejectedInOutbox>,
}

/// A row of an outbox that the sink would not take.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RejectedInOutbox {
    pub cut: Cut,
    /// Its number within the outbox.
    pub row: u64,
    pub reason: String,
}

/// The rows of an outbox in their order.
pub trait OutboxRead: Send {
    fn next(&mut self) -> Result<Option<ChangeBatch>>;
}

/// One outbox to deliver.
pub struct OutboxDelivery<'a> {
    /// Where the mark has to stand.
    pub after: Cut,
    /// Where it stands afterwards.
    pub cut: Cut,
    /// Goes into the mark with what this delivery rejects.
    pub rejected_before: &'a [RejectedInOutbox],
    pub rows: &'a mut dyn OutboxRead,
}

#[derive(Debug, Default)]
pub struct Delivered {
    pub rows: u64,
    /// Of this outbox alone.
    pub rejected: Vec<RejectedInOutbox>,
}

/// The outside end of a sink with an outbox. It is called off the data thread, one call at a time. After an error the
/// connection is closed; the next call opens another one, and the caller reads the mark before it delivers again.
#[async_trait]
pub trait SinkDelivery: Send {
    /// `None`: there is none.
    async fn mark(&mut self) -> Result<Option<Mark>>;

    /// Writes [`FIRST_MARK`] where there is no mark.
    async fn create_mark(&mut self) -> Result<()>;

    /// Rows and mark in one transaction. [`crate::ErrorKind::Fenced`]: the mark does not stand at `after`.
    async fn deliver(&mut self, outbox: OutboxDelivery<'_>) -> Result<Delivered>;

    /// Takes the mark away: the pipeline is no more.
    async fn remove_mark(&mut self) -> Result<()>;

    /// How often in a row a delivery may fail where nobody can look after it (`arus run`).
    fn retries(&self) -> u32 {
        3
    }
}
