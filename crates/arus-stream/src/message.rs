//! What flows along an edge, in order.

use arus_core::ChangeBatch;

/// No watermark yet.
pub const WATERMARK_NONE: i64 = i64::MIN;
/// End of input: every window closes, every timer fires.
pub const WATERMARK_END: i64 = i64::MAX;

/// One message of an edge. Control messages never overtake data.
#[derive(Debug, Clone)]
pub enum Message {
    Batch(ChangeBatch),
    /// No row at or before this time (in ms) follows, but late ones.
    Watermark(i64),
    /// Nothing comes for now: this input no longer holds back the watermark. Any batch or watermark ends it.
    Idle,
    Barrier(u64),
    /// Nothing follows.
    End,
}
