//! The order in which a Java `HashMap` hands out its entries.
//!
//! The print sink shows maps so: by bucket, where the bucket is taken from Java's `hashCode` of the key, and in the
//! order of insertion within one bucket. The table has 16 buckets and doubles when more than three quarters are filled.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{
    ArrowPrimitiveType, Date32Type, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type,
    Int64Type, Time32MillisecondType,
};
use arus_core::TypeKind;
use arus_core::text::{Civil, civil_from_days};

use crate::format::json::timestamp_value;

const FIRST_BUCKETS: usize = 16;

/// The indexes of the entries with these keys in Java's order.
pub(super) fn java_order(kind: &TypeKind, keys: &ArrayRef) -> Vec<usize> {
    let mut buckets = FIRST_BUCKETS;
    while keys.len() > buckets / 4 * 3 {
        buckets *= 2;
    }
    let bucket = |key: usize| {
        let hash = if keys.is_null(key) { 0 } else { hash_code(kind, keys, key) } as u32;
        (hash ^ hash >> 16) as usize & (buckets - 1)
    };
    let mut order: Vec<usize> = (0..keys.len()).collect();
    order.sort_by_cached_key(|key| bucket(*key));
    order
}

fn value<T: ArrowPrimitiveType>(array: &ArrayRef, row: usize) -> T::Native {
    array.as_primitive::<T>().value(row)
}

fn hash_code(kind: &TypeKind, keys: &ArrayRef, row: usize) -> i32 {
    match kind {
        TypeKind::Boolean => {
            if keys.as_boolean().value(row) {
                1_231
            } else {
                1_237
            }
        }
        TypeKind::TinyInt => value::<Int8Type>(keys, row).into(),
        TypeKind::SmallInt => value::<Int16Type>(keys, row).into(),
        TypeKind::Int => value::<Int32Type>(keys, row),
        TypeKind::BigInt => of_long(value::<Int64Type>(keys, row)),
        TypeKind::Float => match value::<Float32Type>(keys, row) {
            nan if nan.is_nan() => 0x7fc0_0000,
            number => number.to_bits() as i32,
        },
        TypeKind::Double => match value::<Float64Type>(keys, row) {
            nan if nan.is_nan() => 0x7ff8_0000,
            number => of_long(number.to_bits() as i64),
        },
        TypeKind::Decimal { scale, .. } => of_decimal(value::<Decimal128Type>(keys, row), *scale),
        TypeKind::Char(_) | TypeKind::Varchar(_) => {
            let units = keys.as_string_view().value(row).encode_utf16();
            units.fold(0, |hash: i32, unit| hash.wrapping_mul(31).wrapping_add(unit.into()))
        }
        TypeKind::Date => of_date(value::<Date32Type>(keys, row).into()),
        TypeKind::Time(_) => of_long(i64::from(value::<Time32MillisecondType>(keys, row)) * 1_000_000),
        TypeKind::Timestamp { precision, .. } => {
            let time = Civil::from_units(timestamp_value(keys, row, *precision), *precision);
            of_date(time.days) ^ of_long(time.nanos)
        }
        TypeKind::TimestampLtz { precision, .. } => {
            let time = Civil::from_units(timestamp_value(keys, row, *precision), *precision);
            let seconds = time.days * 86_400 + time.nanos / 1_000_000_000;
            of_seconds(seconds, (time.nanos % 1_000_000_000) as i32)
        }
        TypeKind::IntervalYearMonth => value::<Int32Type>(keys, row).rotate_left(8),
        TypeKind::IntervalDayTime => {
            let ms = value::<Int64Type>(keys, row);
            of_seconds(ms.div_euclid(1_000), (ms.rem_euclid(1_000) * 1_000_000) as i32)
        }
        // Arrays hash by their address in Java, and what holds one does: they stay as they were inserted.
        _ => 0,
    }
}

fn of_long(value: i64) -> i32 {
    (value ^ (value as u64 >> 32) as i64) as i32
}

/// Of an `Instant` and of a `Duration`.
fn of_seconds(seconds: i64, nanos: i32) -> i32 {
    of_long(seconds).wrapping_add(nanos.wrapping_mul(51))
}

fn of_date(days: i64) -> i32 {
    let (year, month, day) = civil_from_days(days);
    let year = year as i32;
    (year & !0x7ff) ^ (year << 11).wrapping_add((month << 6) as i32).wrapping_add(day as i32)
}

/// Of a `BigDecimal`: the words of the magnitude, high ones first, then the scale.
fn of_decimal(unscaled: i128, scale: u8) -> i32 {
    let magnitude = unscaled.unsigned_abs();
    let words = (0..4).rev().map(|word| (magnitude >> (word * 32)) as u32 as i32);
    let hash = words.fold(0, |hash: i32, word| hash.wrapping_mul(31).wrapping_add(word));
    let signed = if unscaled < 0 { hash.wrapping_neg() } else { hash };
    signed.wrapping_mul(31).wrapping_add(scale.into())
}
