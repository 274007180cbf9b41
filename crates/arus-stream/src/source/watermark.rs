//! Where a batch is cut for the watermark.
//!
//! Flink (at `pipeline.auto-watermark-interval` = 0) forwards a row, then the watermark that it raised. What is
//! downstream sees a difference only where a row finds its window fired by the rows just before it. So it is enough to
//! cut before each such row: the lateness is then that of row by row, and data in order is never cut.

use arrow::array::{Array, Int64Array};
use arrow::compute::{max, min};

use crate::ops::window::Windows;

/// What can be late downstream of a scan.
#[derive(Debug, Clone, Default)]
pub(crate) struct Lateness {
    pub(crate) windows: Vec<Windows>,
    /// An expression reads the watermark: each of its values must be seen by the rows that come after it.
    pub(crate) every_advance: bool,
}

impl Lateness {
    /// Whether no row from `time` on can find a window of its own fired by any watermark up to `due`.
    fn is_in_time(&self, time: i64, due: i64) -> bool {
        self.windows.iter().all(|window| window.is_monotone() && window.closes_at(time) > due)
    }

    /// Whether a row at `time` may find a window of its own fired when the watermark is `due`.
    fn is_late(&self, time: i64, due: i64) -> bool {
        time <= due.saturating_add(1) && self.windows.iter().any(|window| window.closes_at(time) <= due)
    }
}

/// The watermark of a scan while one split's batch goes through.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cutter<'a> {
    /// What was last emitted.
    pub(crate) emitted: i64,
    /// The highest watermark of the batch's split.
    pub(crate) split: i64,
    /// The lowest of the other active splits; `i64::MAX` without any.
    pub(crate) others: i64,
    /// Nothing below is emitted.
    pub(crate) floor: i64,
    pub(crate) lateness: &'a Lateness,
}

/// Rows up to `end` (from the end of the piece before), then the watermark.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Piece {
    pub(crate) end: usize,
    pub(crate) watermark: Option<i64>,
}

impl Cutter<'_> {
    /// `times` are the rows' event times, `marks` the values of the watermark expression, both in ms.
    pub(crate) fn cut(&mut self, times: &Int64Array, marks: &Int64Array) -> Vec<Piece> {
        let rows = times.len();
        let mut pieces = vec![];
        let highest = max(marks).map_or(self.split, |mark| mark.max(self.split));
        if !self.lateness.every_advance
            && min(times).is_none_or(|first| self.lateness.is_in_time(first, highest.min(self.others)))
        {
            self.split = highest;
            let due = due(self.split.min(self.others), self.emitted, self.floor);
            self.emitted = due.unwrap_or(self.emitted);
            pieces.push(Piece { end: rows, watermark: due });
            return pieces;
        }
        // Equal times tend to follow each other: (time, watermark, whether that is late).
        let mut known: Option<(i64, i64, bool)> = None;
        let mut is_late = |time: i64, due: i64| match known {
            Some((t, d, late)) if t == time && d == due => late,
            _ => {
                let late = self.lateness.is_late(time, due);
                known = Some((time, due, late));
                late
            }
        };
        for row in 0..rows {
            if let Some(due) = due(self.split.min(self.others), self.emitted, self.floor)
                && (self.lateness.every_advance || (times.is_valid(row) && is_late(times.value(row), due)))
            {
                pieces.push(Piece { end: row, watermark: Some(due) });
                self.emitted = due;
            }
            if marks.is_valid(row) {
                self.split = self.split.max(marks.value(row));
            }
        }
        let due = due(self.split.min(self.others), self.emitted, self.floor);
        if let Some(due) = due {
            self.emitted = due;
        }
        pieces.push(Piece { end: rows, watermark: due });
        pieces
    }
}

/// The watermark that is to be emitted.
fn due(reached: i64, emitted: i64, floor: i64) -> Option<i64> {
    (reached > emitted && reached >= floor).then_some(reached)
}

#[cfg(test)]
mod tests {
    use arus_core::TypeKind;
    use arus_core::plan::{Window, WindowKind};
    use arus_core::types::TimeAttribute;

    use super::*;
    use crate::message::WATERMARK_NONE;

    fn lateness(size_ms: i64) -> Lateness {
        let time_type = TypeKind::Timestamp { precision: 3, attribute: TimeAttribute::Rowtime }.nullable();
        let kind = WindowKind::Tumble { size_ms, offset_ms: 0 };
        let window = Window { kind, time: 0, time_type, attached: None, partition: vec![] };
        Lateness { windows: vec![Windows::new(&window, "UTC").expect("a window")], every_advance: false }
    }

    fn cutter(lateness: &Lateness) -> Cutter<'_> {
        let none = WATERMARK_NONE;
        Cutter { emitted: none, split: none, others: i64::MAX, floor: none, lateness }
    }

    fn cut(cutter: &mut Cutter<'_>, times: &[i64], delay: i64) -> Vec<(usize, Option<i64>)> {
        let marks = Int64Array::from_iter_values(times.iter().map(|t| t - delay));
        let times = Int64Array::from(times.to_vec());
        cutter.cut(&times, &marks).into_iter().map(|p| (p.end, p.watermark)).collect()
    }

    #[test]
    fn in_order_data_is_never_cut() {
        let ten = lateness(10);
        assert_eq!(cut(&mut cutter(&ten), &[1, 2, 2, 3, 9, 15, 15, 21], 0), [(8, Some(21))]);
        assert_eq!(cut(&mut cutter(&ten), &[15, 13, 18, 16], 5), [(4, Some(13))]);
    }

    #[test]
    fn a_row_made_late_by_its_batch_starts_a_piece() {
        let one = lateness(1);
        // 9 raises the watermark to 9, so 4 is late; 3 is late already and needs no cut.
        assert_eq!(cut(&mut cutter(&one), &[5, 9, 4, 3, 12], 0), [(2, Some(9)), (5, Some(12))]);
        // The last millisecond of a window closes it.
        assert_eq!(cut(&mut cutter(&one), &[5, 5], 0), [(1, Some(5)), (2, None)]);
        // 15 is behind the watermark but its window is open; 9 is in a closed one.
        assert_eq!(cut(&mut cutter(&lateness(10)), &[9, 18, 15, 9], 0), [(3, Some(18)), (4, None)]);
        assert_eq!(cut(&mut cutter(&Lateness::default()), &[9, 18, 15, 9], 0), [(4, Some(18))]);
    }

    #[test]
    fn another_split_holds_the_watermark() {
        let one = lateness(1);
        let mut held = Cutter { others: 6, ..cutter(&one) };
        assert_eq!(cut(&mut held, &[5, 9, 7, 6], 0), [(3, Some(6)), (4, None)]);
        let mut unknown = Cutter { others: WATERMARK_NONE, ..cutter(&one) };
        assert_eq!(cut(&mut unknown, &[5, 9, 1], 0), [(3, None)]);
    }

    #[test]
    fn every_advance_is_told_when_an_expression_reads_it() {
        let every = Lateness { windows: vec![], every_advance: true };
        assert_eq!(cut(&mut cutter(&every), &[1, 1, 2], 0), [(1, Some(1)), (3, Some(2))]);
    }
}
