//! Between dates, times and timestamps.
//!
//! As in Flink a TIMESTAMP before 1970 is cut toward zero: its DATE and its TIMESTAMP(0 to 3) round up. The DATE of a
//! TIMESTAMP_LTZ is the day that it lies in.

use arrow::datatypes::{DataType, Date32Type, Time32MillisecondType};
use arus_core::text::Zone;
use arus_core::types::units_per_ms;
use arus_core::{Error, Result, TypeKind};

use super::{checked, relabelled};
use crate::functions::{Compiled, safe};
use crate::value::{Cx, Longs, Numbers, longs, numbers, unary_numbers};

const MS_PER_DAY: i64 = 86_400_000;

/// A timestamp's precision, and whether it is an instant.
fn timestamp(kind: &TypeKind) -> Option<(u8, bool)> {
    match kind {
        TypeKind::Timestamp { precision, .. } => Some((*precision, false)),
        TypeKind::TimestampLtz { precision, .. } => Some((*precision, true)),
        _ => None,
    }
}

pub(super) fn cast(from: &TypeKind, to: &TypeKind, ty: DataType, zone: Zone) -> Result<Option<Compiled>> {
    match (timestamp(from), timestamp(to)) {
        (Some(from), Some(to)) => between_timestamps(from, to, ty, zone),
        (Some(from), None) => from_timestamp(from, to, ty, zone).map(Some),
        (None, Some(to)) => to_timestamp(from, to, ty, zone).map(Some),
        (None, None) => match (from, to) {
            (TypeKind::Time(from), TypeKind::Time(to)) if to < from && *to < 3 => {
                let unit = 10i32.pow(3 - u32::from(*to));
                let cut = move |ms: i32| ms - ms % unit;
                safe(move |args, _| unary_numbers::<Time32MillisecondType, Time32MillisecondType>(&args[0], &ty, cut))
                    .map(Some)
            }
            (TypeKind::Time(_), TypeKind::Time(_)) | (TypeKind::Date, TypeKind::Date) => Ok(None),
            _ => Err(Error::bug(format!("no cast from {from} to {to}"))),
        },
    }
}

fn out_of_range(cx: &mut Cx<'_>, row: usize) -> Option<i64> {
    cx.fail(row, "timestamp out of range");
    None
}

fn between_timestamps(
    (from, from_instant): (u8, bool),
    (to, to_instant): (u8, bool),
    ty: DataType,
    zone: Zone,
) -> Result<Option<Compiled>> {
    let (from_units, to_units) = (units_per_ms(from), units_per_ms(to));
    if from_instant == to_instant && to >= from && from_units == to_units {
        return Ok(None);
    }
    let same_zone = from_instant == to_instant || zone == Zone::UTC;
    if same_zone && to >= from && from_units == to_units {
        return relabelled(ty).map(Some);
    }
    checked(move |args, cx| {
        let times = Longs::of(&args[0])?;
        longs(cx.rows, &ty, |row| {
            let time = times.get(row)?;
            let shifted = match (from_instant, to_instant) {
                (true, false) => zone.to_local(time, from_units),
                (false, true) => zone.to_instant(time, from_units),
                _ => Some(time),
            };
            let converted = shifted.and_then(|time| convert_precision(time, from, to));
            converted.or_else(|| out_of_range(cx, row))
        })
    })
    .map(Some)
}

/// In other units, without the digits beyond the precision.
fn convert_precision(time: i64, from: u8, to: u8) -> Option<i64> {
    let (from_units, to_units) = (units_per_ms(from), units_per_ms(to));
    if to >= from {
        return time.checked_mul(to_units / from_units);
    }
    let time = time.div_euclid(from_units / to_units);
    Some(match to {
        // Whole milliseconds are cut toward zero, their fractions downwards.
        0..=3 => time - time % 10i64.pow(3 - u32::from(to)),
        4..=6 => time - time.rem_euclid(10i64.pow(6 - u32::from(to))),
        _ => time - time.rem_euclid(10i64.pow(9 - u32::from(to))),
    })
}

fn from_timestamp((precision, instant): (u8, bool), to: &TypeKind, ty: DataType, zone: Zone) -> Result<Compiled> {
    let units = units_per_ms(precision);
    let local_ms = move |time: i64| {
        let ms = time.div_euclid(units);
        if instant { ms + zone.offset_at_ms(ms) } else { ms }
    };
    match to {
        TypeKind::Date => safe(move |args, cx| {
            let times = Longs::of(&args[0])?;
            Ok(numbers::<Date32Type>(cx.rows, &ty, |row| {
                let ms = local_ms(times.get(row)?);
                Some(if instant { ms.div_euclid(MS_PER_DAY) } else { ms / MS_PER_DAY } as i32)
            }))
        }),
        TypeKind::Time(to) => {
            let unit = 10i64.pow(3 - u32::from((*to).min(3)));
            safe(move |args, cx| {
                let times = Longs::of(&args[0])?;
                Ok(numbers::<Time32MillisecondType>(cx.rows, &ty, |row| {
                    let ms = local_ms(times.get(row)?).rem_euclid(MS_PER_DAY);
                    Some((ms - ms % unit) as i32)
                }))
            })
        }
        _ => Err(Error::bug(format!("no cast from a timestamp to {to}"))),
    }
}

fn to_timestamp(from: &TypeKind, (precision, instant): (u8, bool), ty: DataType, zone: Zone) -> Result<Compiled> {
    let units = units_per_ms(precision);
    let from_ms = move |ms: i64| {
        let ms = if instant { zone.to_instant(ms, 1)? } else { ms };
        ms.checked_mul(units)
    };
    match from {
        TypeKind::Date => checked(move |args, cx| {
            let days = Numbers::<Date32Type>::of(&args[0])?;
            longs(cx.rows, &ty, |row| {
                let days = i64::from(days.get(row)?);
                from_ms(days * MS_PER_DAY).or_else(|| out_of_range(cx, row))
            })
        }),
        TypeKind::Time(_) => safe(move |args, cx| {
            let times = Numbers::<Time32MillisecondType>::of(&args[0])?;
            longs(cx.rows, &ty, |row| from_ms(i64::from(times.get(row)?)))
        }),
        _ => Err(Error::bug(format!("no cast from {from} to a timestamp"))),
    }
}
