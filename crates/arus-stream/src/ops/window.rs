//! Window arithmetic.
//!
//! Windows are aligned to the wall clock of the session's zone: the time of a TIMESTAMP_LTZ row is first shifted to
//! local time, window_start and window_end are local, and the window fires when the watermark, which is an instant,
//! reaches the instant of its last millisecond. For TIMESTAMP both are the same.

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Int64Array, TimestampMillisecondArray};
use arrow::compute::{max, min};
use arrow::datatypes::{
    DataType, Int64Type, TimeUnit, TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType,
};
use arus_core::change::arrow_bug;
use arus_core::plan::{Window, WindowKind, WindowProperty};
use arus_core::text::Zone;
use arus_core::types::{TimeAttribute, TypeKind};
use arus_core::{ChangeBatch, Error, LogicalType, Result};

use crate::operator::OperatorContext;

/// The windows of one table function, in ms of local time. A window is [start, end) and is named by its end.
///
/// TUMBLE, HOP and CUMULATE cut time into slices, the longest stretches that lie in the same windows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Windows {
    pub(crate) kind: WindowKind,
    /// 0 for SESSION, which has no slices.
    slice_ms: i64,
    offset_ms: i64,
    zone: Zone,
    proctime: bool,
}

impl Windows {
    pub(crate) fn new(window: &Window, time_zone: &str) -> Result<Self> {
        let ty = &window.time_type;
        let zone = match ty.kind {
            TypeKind::Timestamp { .. } => Zone::UTC,
            TypeKind::TimestampLtz { .. } => Zone::parse(time_zone)?,
            _ => return Err(Error::bug(format!("a window over {ty}"))),
        };
        let (slice_ms, step_ms, offset_ms) = match window.kind {
            WindowKind::Tumble { size_ms, offset_ms } => (size_ms, size_ms, offset_ms),
            WindowKind::Hop { size_ms, slide_ms, offset_ms } => (gcd(size_ms, slide_ms), slide_ms, offset_ms),
            WindowKind::Cumulate { step_ms, offset_ms, .. } => (step_ms, step_ms, offset_ms),
            WindowKind::Session { gap_ms } => (0, gap_ms, 0),
        };
        if window.kind.size_ms() <= 0 || step_ms <= 0 {
            return Err(Error::user(format!("{}: expected a length above 0", window.kind.name())));
        }
        let proctime = ty.kind.time_attribute() == TimeAttribute::Proctime;
        Ok(Windows { kind: window.kind, slice_ms, offset_ms, zone, proctime })
    }

    /// Whether windows go by the clock instead of the rows' time.
    pub(crate) fn proctime(self) -> bool {
        self.proctime
    }

    /// The ends of the slices that hold `times`, which has no NULL.
    pub(crate) fn slice_ends(self, times: &Int64Array) -> Vec<i64> {
        let mut shift = LocalShift { zone: self.zone, bucket: None };
        let (mut start, mut end) = (0, 0);
        let mut ends = Vec::with_capacity(times.len());
        for &time in times.values() {
            let local = shift.local(time);
            if !(start..end).contains(&local) {
                end = self.slice_of(local);
                start = end.wrapping_sub(self.slice_ms);
            }
            ends.push(end);
        }
        ends
    }

    /// The one slice that holds every row, if there is one; `times` has no NULL.
    pub(crate) fn only_slice(self, times: &Int64Array) -> Option<i64> {
        let Zone::Fixed(offset) = self.zone else { return None };
        let slice = |time: i64| self.slice_of(time.wrapping_add(offset));
        let first = slice(min(times)?);
        (first == slice(max(times)?)).then_some(first)
    }

    /// Whether a later row's windows never close before those of an earlier one: not where the clock is set back.
    pub(crate) fn is_monotone(self) -> bool {
        matches!(self.zone, Zone::Fixed(_))
    }

    /// The end of the slice that holds a local time.
    fn slice_of(self, local: i64) -> i64 {
        let since = local.wrapping_sub(self.offset_ms).rem_euclid(self.slice_ms);
        local.wrapping_sub(since).wrapping_add(self.slice_ms)
    }

    /// The rows' times as local time.
    pub(crate) fn locals(self, times: &Int64Array) -> Vec<i64> {
        let mut shift = LocalShift { zone: self.zone, bucket: None };
        times.values().iter().map(|time| shift.local(*time)).collect()
    }

    /// The watermark from which on a row at `time` may find a window of its own fired.
    pub(crate) fn closes_at(self, time: i64) -> i64 {
        if let WindowKind::Session { .. } = self.kind {
            // A session that ends where the row begins would have taken it in.
            return time.saturating_sub(1);
        }
        let local = LocalShift { zone: self.zone, bucket: None }.local(time);
        let slice = self.slice_of(local);
        self.fires_at(self.first_end(slice).unwrap_or(slice))
    }

    /// The first window that holds a slice; of a HOP whose slide is above its size there may be none.
    pub(crate) fn first_end(self, slice: i64) -> Option<i64> {
        match self.kind {
            WindowKind::Hop { size_ms, slide_ms, offset_ms } => {
                let end = slice.wrapping_add(offset_ms.wrapping_add(size_ms).wrapping_sub(slice).rem_euclid(slide_ms));
                (end.wrapping_sub(size_ms) < slice).then_some(end)
            }
            _ => Some(slice),
        }
    }

    /// The last window that holds a slice.
    pub(crate) fn last_end(self, slice: i64) -> i64 {
        match self.kind {
            WindowKind::Hop { size_ms, slide_ms, offset_ms } => {
                let inside = slice.wrapping_sub(1);
                inside.wrapping_sub(inside.wrapping_sub(offset_ms).rem_euclid(slide_ms)).wrapping_add(size_ms)
            }
            WindowKind::Cumulate { size_ms, .. } => self.start(slice).wrapping_add(size_ms),
            WindowKind::Tumble { .. } | WindowKind::Session { .. } => slice,
        }
    }

    /// The window after the one that ends at `end`.
    pub(crate) fn next_end(self, end: i64) -> i64 {
        end.wrapping_add(match self.kind {
            WindowKind::Tumble { size_ms, .. } => size_ms,
            WindowKind::Hop { slide_ms, .. } => slide_ms,
            WindowKind::Cumulate { step_ms, .. } => step_ms,
            WindowKind::Session { gap_ms } => gap_ms,
        })
    }

    /// The first window from `end` to `last` that fires after `time`.
    pub(crate) fn first_unfired(self, end: i64, last: i64, time: i64) -> Option<i64> {
        if self.fires_at(last) <= time {
            return None;
        }
        let step = self.next_end(0);
        let behind = time.saturating_sub(self.fires_at(end)).max(0);
        let mut at = end.saturating_add(behind / step * step);
        while at > end && self.fires_at(at.wrapping_sub(step)) > time {
            at = at.wrapping_sub(step);
        }
        while self.fires_at(at) <= time {
            at = self.next_end(at);
        }
        Some(at)
    }

    /// Where the window that ends at `end` starts; a session's start is known to the session alone.
    pub(crate) fn start(self, end: i64) -> i64 {
        match self.kind {
            WindowKind::Cumulate { size_ms, offset_ms, .. } => {
                let inside = end.wrapping_sub(1);
                inside.wrapping_sub(inside.wrapping_sub(offset_ms).rem_euclid(size_ms))
            }
            kind => end.wrapping_sub(kind.size_ms()),
        }
    }

    /// The watermark at which a window fires and closes.
    pub(crate) fn fires_at(self, end: i64) -> i64 {
        instant_for_timer(self.zone, end.wrapping_sub(1))
    }

    /// A window property's value for the window [start, end); processing time is the clock's, `now_ms`.
    pub(crate) fn property(self, property: WindowProperty, start: i64, end: i64, now_ms: i64) -> i64 {
        match property {
            WindowProperty::Start => start,
            WindowProperty::End => end,
            WindowProperty::Time if self.proctime => now_ms,
            WindowProperty::Time => instant(self.zone, end.wrapping_sub(1)),
        }
    }

    /// Calls `each` with start and end of every window of a row at `local`, in Flink's order.
    pub(crate) fn each(self, local: i64, mut each: impl FnMut(i64, i64)) {
        match self.kind {
            WindowKind::Hop { size_ms, slide_ms, offset_ms } => {
                let mut start = local.wrapping_sub(local.wrapping_sub(offset_ms).rem_euclid(slide_ms));
                while start.wrapping_add(size_ms) > local {
                    each(start, start.wrapping_add(size_ms));
                    start = start.wrapping_sub(slide_ms);
                }
            }
            WindowKind::Cumulate { .. } => {
                let mut end = self.slice_of(local);
                let (start, last) = (self.start(end), self.last_end(end));
                while end <= last {
                    each(start, end);
                    end = self.next_end(end);
                }
            }
            WindowKind::Tumble { .. } | WindowKind::Session { .. } => {
                let end = self.slice_of(local);
                each(self.start(end), end);
            }
        }
    }
}

fn gcd(a: i64, b: i64) -> i64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// The instant of a local time: of two the first, and in a gap as if the clock had not been set forward.
fn instant(zone: Zone, local_ms: i64) -> i64 {
    zone.to_instant(local_ms, 1).unwrap_or(local_ms)
}

/// As Flink sets timers: of two instants the last, and in a gap the full hour at which the clock was set forward.
fn instant_for_timer(zone: Zone, local_ms: i64) -> i64 {
    let first = instant(zone, local_ms);
    let Zone::Named(_) = zone else { return first };
    let an_hour_later = instant(zone, local_ms.saturating_add(HOUR_MS));
    match an_hour_later.saturating_sub(first) {
        0 => first - first.rem_euclid(HOUR_MS),
        apart if apart > HOUR_MS => first + HOUR_MS,
        _ => first,
    }
}

const HOUR_MS: i64 = 3_600_000;

/// Zones change their offset at full quarters of an hour, so one look-up serves a quarter.
struct LocalShift {
    zone: Zone,
    /// (quarter of an hour, offset in ms).
    bucket: Option<(i64, i64)>,
}

impl LocalShift {
    fn local(&mut self, instant_ms: i64) -> i64 {
        let offset = match self.zone {
            Zone::Fixed(offset) => offset,
            Zone::Named(_) => {
                let quarter = instant_ms.div_euclid(HOUR_MS / 4);
                match self.bucket {
                    Some((known, offset)) if known == quarter => offset,
                    _ => {
                        let offset = self.zone.offset_at_ms(instant_ms);
                        self.bucket = Some((quarter, offset));
                        offset
                    }
                }
            }
        };
        instant_ms.wrapping_add(offset)
    }
}

/// A timestamp column in ms, rounded down.
pub(crate) fn millis(column: &ArrayRef) -> Result<Int64Array> {
    Ok(match column.data_type() {
        DataType::Timestamp(TimeUnit::Millisecond, _) => {
            column.as_primitive::<TimestampMillisecondType>().reinterpret_cast::<Int64Type>()
        }
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            column.as_primitive::<TimestampMicrosecondType>().unary(|v| v.div_euclid(1_000))
        }
        DataType::Timestamp(TimeUnit::Nanosecond, _) => {
            column.as_primitive::<TimestampNanosecondType>().unary(|v| v.div_euclid(1_000_000))
        }
        other => return Err(Error::bug(format!("expected a timestamp, found {other}"))),
    })
}

/// Milliseconds as a timestamp column of type `ty`.
pub(crate) fn timestamps(millis: impl Iterator<Item = i64>, ty: &LogicalType) -> Result<ArrayRef> {
    let DataType::Timestamp(unit, zone) = ty.to_arrow() else {
        return Err(Error::bug(format!("a window property of type {ty}")));
    };
    let column = TimestampMillisecondArray::from_iter_values(millis)
        .with_data_type(DataType::Timestamp(TimeUnit::Millisecond, zone.clone()));
    arrow::compute::cast(&column, &DataType::Timestamp(unit, zone)).map_err(arrow_bug)
}

/// The times of a batch by which its rows are windowed. Rows without one are set aside: they belong to no window.
pub(crate) fn timed(
    mut batch: ChangeBatch,
    column: usize,
    windows: Windows,
    cx: &mut OperatorContext<'_>,
) -> Result<(ChangeBatch, Int64Array)> {
    if windows.proctime() {
        let now = Int64Array::from_value(cx.now_ms(), batch.num_rows());
        return Ok((batch, now));
    }
    let mut times = millis(batch.rows().column(column))?;
    if times.null_count() > 0 {
        let untimed = (0..times.len() as u32).filter(|row| times.is_null(*row as usize));
        let failed: Vec<_> = untimed.map(|row| (row, NO_ROWTIME.to_string())).collect();
        cx.quarantine(batch.rows(), &failed)?;
        batch = batch.filter(&BooleanArray::from_iter(times.iter().map(|time| Some(time.is_some()))))?;
        times = millis(batch.rows().column(column))?;
    }
    Ok((batch, times))
}

pub(crate) const NO_ROWTIME: &str = "the rowtime is NULL";
