//! Window arithmetic.
//!
//! Windows are aligned to the wall clock of the session's zone: the time of a TIMESTAMP_LTZ row is first shifted to
//! local time, window_start and window_end are local, and the window fires when the watermark, which is an instant,
//! reaches the instant of its last millisecond. For TIMESTAMP both are the same.

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, TimestampMillisecondArray};
use arrow::datatypes::{
    DataType, Int64Type, TimeUnit, TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType,
};
use arus_core::change::arrow_bug;
use arus_core::plan::{Window, WindowKind, WindowProperty};
use arus_core::text::Zone;
use arus_core::types::{TimeAttribute, TypeKind};
use arus_core::{Error, LogicalType, Result};

/// The windows of one TUMBLE: [start, end) in ms of local time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tumble {
    size_ms: i64,
    offset_ms: i64,
    zone: Zone,
}

impl Tumble {
    pub(crate) fn new(window: &Window, time_zone: &str) -> Result<Self> {
        let ty = &window.time_type;
        if ty.kind.time_attribute() == TimeAttribute::Proctime {
            return Err(Error::not_supported("a window over processing time"));
        }
        let zone = match ty.kind {
            TypeKind::Timestamp { .. } => Zone::UTC,
            TypeKind::TimestampLtz { .. } => Zone::parse(time_zone)?,
            _ => return Err(Error::bug(format!("a window over {ty}"))),
        };
        match window.kind {
            WindowKind::Tumble { size_ms, .. } if size_ms <= 0 => {
                Err(Error::user(format!("TUMBLE: expected a size above 0, found {size_ms} ms")))
            }
            WindowKind::Tumble { size_ms, offset_ms } => Ok(Tumble { size_ms, offset_ms, zone }),
        }
    }

    /// The ends of the windows that hold `times`, which has no NULL.
    pub(crate) fn ends(self, times: &Int64Array) -> Vec<i64> {
        let mut shift = LocalShift { zone: self.zone, bucket: None };
        let mut last: Option<(i64, i64)> = None;
        let mut ends = Vec::with_capacity(times.len());
        for &time in times.values() {
            let local = shift.local(time);
            let end = match last {
                Some((start, end)) if (start..end).contains(&local) => end,
                _ => {
                    let since = local.wrapping_sub(self.offset_ms).rem_euclid(self.size_ms);
                    local.wrapping_sub(since).wrapping_add(self.size_ms)
                }
            };
            last = Some((end.wrapping_sub(self.size_ms), end));
            ends.push(end);
        }
        ends
    }

    /// The end of the window that holds `time`.
    pub(crate) fn end(self, time: i64) -> i64 {
        LocalShift { zone: self.zone, bucket: None }.end(&self, time)
    }

    /// The watermark at which a window fires and closes.
    pub(crate) fn fires_at(self, end: i64) -> i64 {
        instant_for_timer(self.zone, end.wrapping_sub(1))
    }

    /// A window property's value for the window that ends at `end`.
    pub(crate) fn property(self, property: WindowProperty, end: i64) -> i64 {
        match property {
            WindowProperty::Start => end.wrapping_sub(self.size_ms),
            WindowProperty::End => end,
            WindowProperty::Time => instant(self.zone, end.wrapping_sub(1)),
        }
    }
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
    fn end(&mut self, tumble: &Tumble, time: i64) -> i64 {
        let local = self.local(time);
        let since = local.wrapping_sub(tumble.offset_ms).rem_euclid(tumble.size_ms);
        local.wrapping_sub(since).wrapping_add(tumble.size_ms)
    }

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

/// Rows without a time.
pub(crate) fn null_rows(times: &Int64Array) -> Vec<u32> {
    (0..times.len() as u32).filter(|row| times.is_null(*row as usize)).collect()
}
