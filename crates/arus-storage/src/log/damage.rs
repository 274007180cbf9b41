//! Damage: where it is, and which records it hides.

use std::path::PathBuf;

use arus_core::Error;
use arus_core::error::Code;

/// A stretch of a segment that cannot be read. Records before and after it can.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// The topic's name.
    pub topic: String,
    pub partition: u32,
    pub segment: PathBuf,
    /// Of the first bad byte's batch in the segment's file.
    pub position: u64,
    /// The first offset that cannot be read.
    pub first_offset: i64,
    /// Where reading can go on; equal to the first where no record is lost.
    pub next_offset: i64,
    pub reason: String,
    pub(crate) segment_base: i64,
    pub(crate) next_position: u64,
}

impl Damage {
    pub fn to_error(&self) -> Error {
        let records = if self.first_offset < self.next_offset {
            format!(", offsets {} to {} cannot be read", self.first_offset, self.next_offset - 1)
        } else {
            String::new()
        };
        let (topic, partition, position) = (&self.topic, self.partition, self.position);
        let segment = self.segment.display();
        Error::external(format!(
            "topic {topic}, partition {partition}: segment {segment} is damaged at byte {position}{records}: {}",
            self.reason
        ))
        .with_code(Code::Corrupt)
        .with_hint(format!(
            "records before and after are intact: read on from offset {}, or past it with SET 'arus.read.damage' = 'skip' (a \
             SELECT) or the table's option 'scan.damage' = 'skip'; `arus doctor` says more",
            self.next_offset
        ))
    }
}
