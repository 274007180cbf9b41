//! CAST and TRY_CAST: which exist, and their kernels.
//!
//! Integers wrap, floats saturate, DECIMAL beyond its precision is NULL, text that is no such value fails the row (NULL
//! for TRY_CAST). Nothing is trimmed or padded but what CHAR and VARCHAR ask for.

mod nested;
mod number;
mod text;
mod time;

use std::sync::Arc;

use arrow::array::{Array, BinaryViewBuilder, make_array, new_null_array};
use arrow::datatypes::{DataType, Int32Type, Int64Type};
use arus_core::change::arrow_bug;
use arus_core::text::Zone;
use arus_core::types::MAX_LENGTH;
use arus_core::{Error, LogicalType, Result, TypeKind};

use crate::functions::{Compiled, fallible, safe};
use crate::value::{Bytes, Strings, strings, unary_numbers};

/// Whether CAST from one to the other exists.
pub(crate) fn can_cast(from: &LogicalType, to: &LogicalType) -> bool {
    use TypeKind as K;
    match (&from.kind, &to.kind) {
        (K::Null, _) => true,
        (_, K::Null) => false,
        (from, to) if to.is_string() => !matches!(from, K::Multiset(_)),
        (from, to) if from.is_string() => to.is_numeric() || to.is_temporal() || to.is_binary() || *to == K::Boolean,
        (from, to) if from.is_binary() || to.is_binary() => from.is_binary() && to.is_binary(),
        (from, to) if from.is_numeric() && to.is_numeric() => true,
        (K::Boolean, to) => to.is_numeric() || *to == K::Boolean,
        (from, K::Boolean) => from.is_numeric(),
        (from, to) if from.is_interval() || to.is_interval() => from == to || from.is_integer(),
        (K::Date, to) => matches!(to, K::Date) || to.is_timestamp(),
        (K::Time(_), to) => matches!(to, K::Time(_)) || to.is_timestamp(),
        (from, to) if from.is_timestamp() => to.is_temporal(),
        (K::Array(a), K::Array(b)) | (K::Multiset(a), K::Multiset(b)) => can_cast(a, b),
        (K::Map(k, v), K::Map(l, w)) => can_cast(k, l) && can_cast(v, w),
        (K::Row(a), K::Row(b)) => a.len() == b.len() && a.iter().zip(b).all(|(f, g)| can_cast(&f.ty, &g.ty)),
        _ => false,
    }
}

fn no_such_cast(from: &LogicalType, to: &LogicalType) -> Error {
    let error = Error::user(format!("cannot cast {} to {}", from.kind, to.kind));
    match (&from.kind, &to.kind) {
        (from, TypeKind::Timestamp { .. } | TypeKind::TimestampLtz { .. }) if from.is_numeric() => {
            error.with_hint("take TO_TIMESTAMP_LTZ(number, precision)")
        }
        _ => error,
    }
}

/// `None` when the value stays what it is.
pub(crate) fn cast_kernel(from: &LogicalType, to: &LogicalType, zone: Zone) -> Result<Option<Compiled>> {
    use TypeKind as K;
    if !can_cast(from, to) {
        return Err(no_such_cast(from, to));
    }
    let arrow = to.to_arrow();
    let compiled = match (&from.kind, &to.kind) {
        (a, b) if a == b => return Ok(None),
        (K::Null, _) => safe(move |_, cx| Ok(new_null_array(&arrow, cx.rows)))?,
        (a, b) if a.is_string() && b.is_string() => return fit_strings(a, b),
        (a, b) if a.is_binary() && b.is_binary() => return fit_bytes(a, b),
        (a, b) if a.is_binary() && b.is_string() => {
            let fit = Fit::of(b);
            safe(move |args, cx| {
                let values = Bytes::of(&args[0])?;
                Ok(strings(cx.rows, |row, out| {
                    out.push_str(&String::from_utf8_lossy(values.get(row)?));
                    fit.apply(out);
                    Some(())
                }))
            })?
        }
        (a, b) if a.is_string() && b.is_binary() => {
            let fit = Fit::of(b);
            safe(move |args, cx| {
                let values = Strings::of(&args[0])?;
                let mut builder = BinaryViewBuilder::with_capacity(cx.rows);
                for row in 0..cx.rows {
                    builder.append_option(values.get(row).map(|text| fit.bytes(text.as_bytes())));
                }
                Ok(Arc::new(builder.finish()))
            })?
        }
        (_, b) if b.is_string() => text::to_text(from, b, zone)?,
        (a, b) if a.is_string() => text::from_text(b, zone)?,
        (a, b) if (a.is_numeric() || *a == K::Boolean) && (b.is_numeric() || *b == K::Boolean) => {
            number::cast(a, b, arrow)?
        }
        (a, K::IntervalYearMonth) if a.is_integer() => match number::cast(a, &K::Int, DataType::Int32) {
            Ok(compiled) if *a != K::Int => compiled,
            _ => safe(|args, _| unary_numbers::<Int32Type, Int32Type>(&args[0], &DataType::Int32, |v| v))?,
        },
        (a, K::IntervalDayTime) if a.is_integer() => match number::cast(a, &K::BigInt, DataType::Int64) {
            Ok(compiled) if *a != K::BigInt => compiled,
            _ => safe(|args, _| unary_numbers::<Int64Type, Int64Type>(&args[0], &DataType::Int64, |v| v))?,
        },
        (a, b) if a.is_temporal() && b.is_temporal() => return time::cast(a, b, arrow, zone),
        _ => return nested::cast(from, to, zone),
    };
    Ok(Some(compiled))
}

/// CHAR(n) pads and cuts, VARCHAR(n) cuts.
#[derive(Debug, Clone, Copy)]
struct Fit {
    length: usize,
    padded: bool,
}

impl Fit {
    fn of(kind: &TypeKind) -> Fit {
        match kind {
            TypeKind::Char(n) | TypeKind::Binary(n) => Fit { length: *n as usize, padded: true },
            TypeKind::Varchar(n) | TypeKind::Varbinary(n) => Fit { length: *n as usize, padded: false },
            _ => Fit { length: MAX_LENGTH as usize, padded: false },
        }
    }

    fn apply(self, text: &mut String) {
        if self.length == MAX_LENGTH as usize {
            return;
        }
        match text.char_indices().nth(self.length) {
            Some((at, _)) => text.truncate(at),
            None if self.padded => {
                let missing = self.length - text.chars().count();
                text.extend(std::iter::repeat_n(' ', missing));
            }
            None => {}
        }
    }

    fn bytes(self, bytes: &[u8]) -> Vec<u8> {
        let mut fitted = bytes[..bytes.len().min(self.length)].to_vec();
        if self.padded {
            fitted.resize(self.length, 0);
        }
        fitted
    }
}

/// Whether every value of `from` is one of `to` as it is.
fn fits(from: &TypeKind, to: &TypeKind) -> bool {
    let length = |kind: &TypeKind| match kind {
        TypeKind::Char(n) | TypeKind::Varchar(n) | TypeKind::Binary(n) | TypeKind::Varbinary(n) => *n,
        _ => 0,
    };
    !Fit::of(to).padded && length(from) <= length(to)
}

fn fit_strings(from: &TypeKind, to: &TypeKind) -> Result<Option<Compiled>> {
    if fits(from, to) {
        return Ok(None);
    }
    let fit = Fit::of(to);
    let kernel = safe(move |args, cx| {
        let values = Strings::of(&args[0])?;
        Ok(strings(cx.rows, |row, out| {
            out.push_str(values.get(row)?);
            fit.apply(out);
            Some(())
        }))
    });
    kernel.map(Some)
}

fn fit_bytes(from: &TypeKind, to: &TypeKind) -> Result<Option<Compiled>> {
    if fits(from, to) {
        return Ok(None);
    }
    let fit = Fit::of(to);
    let kernel = safe(move |args, cx| {
        let values = Bytes::of(&args[0])?;
        let mut builder = BinaryViewBuilder::with_capacity(cx.rows);
        for row in 0..cx.rows {
            builder.append_option(values.get(row).map(|bytes| fit.bytes(bytes)));
        }
        Ok(Arc::new(builder.finish()))
    });
    kernel.map(Some)
}

/// The same buffers under another Arrow type of the same layout.
fn relabelled(ty: DataType) -> Result<Compiled> {
    safe(move |args, _| {
        let data = args[0].array().to_data().into_builder().data_type(ty.clone()).build().map_err(arrow_bug)?;
        Ok(make_array(data))
    })
}

fn checked(
    kernel: impl Fn(&[crate::value::Value], &mut crate::value::Cx<'_>) -> Result<arrow::array::ArrayRef>
    + Send
    + Sync
    + 'static,
) -> Result<Compiled> {
    fallible(kernel)
}
