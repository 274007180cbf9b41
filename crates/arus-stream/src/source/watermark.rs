//! Where a batch is cut for the watermark.
//!
//! Flink (at `pipeline.auto-watermark-interval` = 0) forwards a row, then the watermark that it raised. A row at or
//! below the watermark when it arrives is late for some windows, any other row is late for none. So it is enough to cut
//! before each row that the rows before it in the batch have made late: what is downstream then sees the same
//! lateness as row by row, and data in order is never cut.

use arrow::array::{Array, Int64Array};

/// The watermark of a scan while one split's batch goes through.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cutter {
    /// What was last emitted.
    pub(crate) emitted: i64,
    /// The highest watermark of the batch's split.
    pub(crate) split: i64,
    /// The lowest of the other active splits; `i64::MAX` without any.
    pub(crate) others: i64,
    /// Nothing below is emitted.
    pub(crate) floor: i64,
    /// Cut at every advance, because an expression reads the watermark.
    pub(crate) every_advance: bool,
}

/// Rows up to `end` (from the end of the piece before), then the watermark.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Piece {
    pub(crate) end: usize,
    pub(crate) watermark: Option<i64>,
}

impl Cutter {
    fn due(&self) -> Option<i64> {
        let due = self.split.min(self.others);
        (due > self.emitted && due >= self.floor).then_some(due)
    }

    /// `times` are the rows' event times, `marks` the values of the watermark expression, both in ms.
    pub(crate) fn cut(&mut self, times: &Int64Array, marks: &Int64Array) -> Vec<Piece> {
        let rows = times.len();
        let mut pieces = vec![];
        for row in 0..rows {
            if let Some(due) = self.due()
                && (self.every_advance || (times.is_valid(row) && times.value(row) <= due))
            {
                pieces.push(Piece { end: row, watermark: Some(due) });
                self.emitted = due;
            }
            if marks.is_valid(row) {
                self.split = self.split.max(marks.value(row));
            }
        }
        let due = self.due();
        if let Some(due) = due {
            self.emitted = due;
        }
        pieces.push(Piece { end: rows, watermark: due });
        pieces
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::WATERMARK_NONE;

    fn cutter() -> Cutter {
        Cutter {
            emitted: WATERMARK_NONE,
            split: WATERMARK_NONE,
            others: i64::MAX,
            floor: WATERMARK_NONE,
            every_advance: false,
        }
    }

    fn cut(cutter: &mut Cutter, times: &[i64], delay: i64) -> Vec<(usize, Option<i64>)> {
        let marks = Int64Array::from_iter_values(times.iter().map(|t| t - delay));
        let times = Int64Array::from(times.to_vec());
        cutter.cut(&times, &marks).into_iter().map(|p| (p.end, p.watermark)).collect()
    }

    #[test]
    fn in_order_data_is_never_cut() {
        assert_eq!(cut(&mut cutter(), &[1, 2, 3, 4], 0), [(4, Some(4))]);
        assert_eq!(cut(&mut cutter(), &[5, 3, 8, 6], 5), [(4, Some(3))]);
    }

    #[test]
    fn a_row_made_late_by_its_batch_starts_a_piece() {
        // 9 raises the watermark to 9, so 4 is late; 3 is late already and needs no cut.
        assert_eq!(cut(&mut cutter(), &[5, 9, 4, 3, 12], 0), [(2, Some(9)), (5, Some(12))]);
        // Equal to the watermark is late.
        assert_eq!(cut(&mut cutter(), &[5, 5], 0), [(1, Some(5)), (2, None)]);
    }

    #[test]
    fn another_split_holds_the_watermark() {
        let mut held = Cutter { others: 6, ..cutter() };
        assert_eq!(cut(&mut held, &[5, 9, 7, 6], 0), [(3, Some(6)), (4, None)]);
        let mut unknown = Cutter { others: WATERMARK_NONE, ..cutter() };
        assert_eq!(cut(&mut unknown, &[5, 9, 1], 0), [(3, None)]);
    }

    #[test]
    fn every_advance_is_told_when_an_expression_reads_it() {
        let mut every = Cutter { every_advance: true, ..cutter() };
        assert_eq!(cut(&mut every, &[1, 1, 2], 0), [(1, Some(1)), (3, Some(2))]);
    }
}
