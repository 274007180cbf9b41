//! To and from text.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    Time32MillisecondType,
};
use arus_core::text::{
    Zone, boolean_text, parse_date, parse_decimal, parse_double, parse_float, parse_integer, parse_time,
    parse_timestamp, write_date, write_decimal, write_double, write_float, write_interval_day_time,
    write_interval_year_month, write_time, write_timestamp,
};
use arus_core::types::units_per_ms;
use arus_core::{Error, LogicalType, Result, TypeKind};
use std::fmt::Write;

use super::{Fit, checked};
use crate::functions::{Compiled, safe};
use crate::value::{Cx, Longs, Strings, Value, booleans, longs, numbers, strings};

pub(super) fn to_text(from: &LogicalType, to: &TypeKind, zone: Zone) -> Result<Compiled> {
    let (fit, from) = (Fit::of(to), from.clone());
    safe(move |args, cx| {
        let array = args[0].array();
        let mut outcome = Ok(());
        let texts = strings(cx.rows, |row, out| {
            let row = if args[0].is_scalar() { 0 } else { row };
            if array.is_null(row) {
                return None;
            }
            if let Err(error) = write_value(out, array, row, &from, zone) {
                outcome = Err(error);
            }
            fit.apply(out);
            Some(())
        });
        outcome.map(|()| texts)
    })
}

/// A value that is not NULL, as CAST writes it.
fn write_value(out: &mut String, array: &ArrayRef, row: usize, ty: &LogicalType, zone: Zone) -> Result<()> {
    let wrong = || Error::bug(format!("an array of {} holds no {ty}", array.data_type()));
    macro_rules! number {
        ($arrow:ty) => {
            array.as_primitive_opt::<$arrow>().ok_or_else(wrong)?.value(row)
        };
    }
    match &ty.kind {
        TypeKind::Null => {}
        TypeKind::Boolean => out.push_str(boolean_text(array.as_boolean_opt().ok_or_else(wrong)?.value(row))),
        TypeKind::TinyInt => write_integer(out, number!(Int8Type).into()),
        TypeKind::SmallInt => write_integer(out, number!(Int16Type).into()),
        TypeKind::Int => write_integer(out, number!(Int32Type).into()),
        TypeKind::BigInt => write_integer(out, number!(Int64Type)),
        TypeKind::Float => write_float(out, number!(Float32Type)),
        TypeKind::Double => write_double(out, number!(Float64Type)),
        TypeKind::Decimal { scale, .. } => write_decimal(out, number!(Decimal128Type), *scale),
        TypeKind::Char(_) | TypeKind::Varchar(_) => {
            out.push_str(array.as_string_view_opt().ok_or_else(wrong)?.value(row));
        }
        TypeKind::Binary(_) | TypeKind::Varbinary(_) => {
            out.push_str(&String::from_utf8_lossy(array.as_binary_view_opt().ok_or_else(wrong)?.value(row)));
        }
        TypeKind::Date => write_date(out, number!(Date32Type)),
        TypeKind::Time(precision) => write_time(out, number!(Time32MillisecondType), *precision),
        TypeKind::Timestamp { precision, .. } => write_timestamp(out, long(array, row)?, *precision),
        TypeKind::TimestampLtz { precision, .. } => {
            let instant = long(array, row)?;
            let local = zone.to_local(instant, units_per_ms(*precision)).unwrap_or(instant);
            write_timestamp(out, local, *precision);
        }
        TypeKind::IntervalYearMonth => write_interval_year_month(out, number!(Int32Type)),
        TypeKind::IntervalDayTime => write_interval_day_time(out, number!(Int64Type)),
        TypeKind::Array(element) => {
            let items = array.as_list_opt::<i32>().ok_or_else(wrong)?.value(row);
            out.push('[');
            for i in 0..items.len() {
                out.push_str(if i == 0 { "" } else { ", " });
                write_nullable(out, &items, i, element, zone)?;
            }
            out.push(']');
        }
        TypeKind::Map(key, value) => write_map(out, array, row, key, value, zone)?,
        TypeKind::Multiset(element) => write_map(out, array, row, element, &TypeKind::Int.not_null(), zone)?,
        TypeKind::Row(fields) => {
            let rows = array.as_struct_opt().ok_or_else(wrong)?;
            out.push('(');
            for (i, field) in fields.iter().enumerate() {
                out.push_str(if i == 0 { "" } else { ", " });
                write_nullable(out, rows.columns().get(i).ok_or_else(wrong)?, row, &field.ty, zone)?;
            }
            out.push(')');
        }
    }
    Ok(())
}

fn write_map(
    out: &mut String,
    array: &ArrayRef,
    row: usize,
    key: &LogicalType,
    value: &LogicalType,
    zone: Zone,
) -> Result<()> {
    let entries = array.as_list_opt::<i32>().map(|list| list.value(row));
    let Some(entries) = entries.as_ref().and_then(|entries| entries.as_struct_opt()) else {
        return Err(Error::bug(format!("an array of {} holds no map", array.data_type())));
    };
    out.push('{');
    for i in 0..entries.len() {
        out.push_str(if i == 0 { "" } else { ", " });
        write_nullable(out, entries.column(0), i, key, zone)?;
        out.push('=');
        write_nullable(out, entries.column(1), i, value, zone)?;
    }
    out.push('}');
    Ok(())
}

fn write_nullable(out: &mut String, array: &ArrayRef, row: usize, ty: &LogicalType, zone: Zone) -> Result<()> {
    if array.is_null(row) || array.data_type() == &DataType::Null {
        out.push_str("NULL");
        return Ok(());
    }
    write_value(out, array, row, ty, zone)
}

fn long(array: &ArrayRef, row: usize) -> Result<i64> {
    let value = Value::Array(array.clone());
    Longs::of(&value)?.get(row).ok_or_else(|| Error::bug("a NULL to be written"))
}

fn write_integer(out: &mut String, value: i64) {
    write!(out, "{value}").expect("writing to a String does not fail");
}

// ---- from text -----------------------------------------------------------------------------------------

/// Parses each row by `parse`; what it refuses fails the row.
fn parsed<T>(
    args: &[Value],
    cx: &mut Cx<'_>,
    to: &TypeKind,
    parse: impl Fn(&str) -> Option<T>,
) -> Result<impl FnMut(usize) -> Option<T>> {
    let values = Strings::of(&args[0])?;
    Ok(move |row: usize| {
        let text = values.get(row)?;
        let value = parse(text);
        if value.is_none() {
            cx.fail(row, format!("cannot cast '{text}' to {to}"));
        }
        value
    })
}

pub(super) fn from_text(to: &TypeKind, zone: Zone) -> Result<Compiled> {
    let ty = to.clone().nullable().to_arrow();
    let to = to.clone();
    checked(move |args, cx| {
        let rows = cx.rows;
        Ok(match &to {
            TypeKind::Boolean => booleans(rows, parsed(args, cx, &to, parse_boolean)?),
            TypeKind::TinyInt => {
                numbers::<Int8Type>(rows, &ty, parsed(args, cx, &to, |t| parse_integer(t.trim())?.try_into().ok())?)
            }
            TypeKind::SmallInt => {
                numbers::<Int16Type>(rows, &ty, parsed(args, cx, &to, |t| parse_integer(t.trim())?.try_into().ok())?)
            }
            TypeKind::Int => {
                numbers::<Int32Type>(rows, &ty, parsed(args, cx, &to, |t| parse_integer(t.trim())?.try_into().ok())?)
            }
            TypeKind::BigInt => numbers::<Int64Type>(rows, &ty, parsed(args, cx, &to, |t| parse_integer(t.trim()))?),
            TypeKind::Float => numbers::<Float32Type>(rows, &ty, parsed(args, cx, &to, parse_float)?),
            TypeKind::Double => numbers::<Float64Type>(rows, &ty, parsed(args, cx, &to, parse_double)?),
            TypeKind::Decimal { precision, scale } => {
                let parse = |t: &str| parse_decimal(t, *precision, *scale);
                numbers::<Decimal128Type>(rows, &ty, parsed(args, cx, &to, parse)?)
            }
            TypeKind::Date => numbers::<Date32Type>(rows, &ty, parsed(args, cx, &to, |t| parse_date(t.trim()))?),
            TypeKind::Time(precision) => {
                let unit = 10i32.pow(3 - u32::from((*precision).min(3)));
                let parse = |t: &str| parse_time(t).map(|ms| ms - ms % unit);
                numbers::<Time32MillisecondType>(rows, &ty, parsed(args, cx, &to, parse)?)
            }
            TypeKind::Timestamp { precision, .. } => {
                let parse = |t: &str| parse_timestamp(t)?.to_units(*precision);
                longs(rows, &ty, parsed(args, cx, &to, parse)?)?
            }
            TypeKind::TimestampLtz { precision, .. } => {
                let parse = |t: &str| {
                    let local = parse_timestamp(t)?.to_units(*precision)?;
                    zone.to_instant(local, units_per_ms(*precision))
                };
                longs(rows, &ty, parsed(args, cx, &to, parse)?)?
            }
            _ => return Err(Error::bug(format!("no cast from text to {to}"))),
        })
    })
}

fn parse_boolean(text: &str) -> Option<bool> {
    let is_one_of = |words: [&str; 5]| words.iter().any(|word| text.eq_ignore_ascii_case(word));
    if is_one_of(["t", "true", "y", "yes", "1"]) {
        Some(true)
    } else if is_one_of(["f", "false", "n", "no", "0"]) {
        Some(false)
    } else {
        None
    }
}
