//! TO_TIMESTAMP and TO_TIMESTAMP_LTZ.

use arrow::array::ArrayRef;
use arrow::datatypes::{DataType, Decimal128Type, Float64Type, Int64Type};
use arus_core::function::Argument;
use arus_core::text::{Civil, Zone, days_from_civil, parse_timestamp};
use arus_core::types::units_per_ms;
use arus_core::{Datum, Result, TimeAttribute, TypeKind};

use super::date_format::{Patterns, RowPatterns};
use super::{Call, CompileCall, Compiled, Function, coerced, fallible, safe};
use crate::pattern::Pattern;
use crate::value::{Cx, Numbers, Strings, Value, longs};

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new(
        &["TO_TIMESTAMP"],
        "TO_TIMESTAMP(<CHARACTER>), TO_TIMESTAMP(<CHARACTER>, <CHARACTER>)",
        resolve_timestamp,
        compile_timestamp,
    ),
    Function::new(
        &["TO_TIMESTAMP_LTZ"],
        "TO_TIMESTAMP_LTZ(<NUMERIC>[, <INTEGER>]), TO_TIMESTAMP_LTZ(<CHARACTER>[, <CHARACTER>[, <CHARACTER>]])",
        resolve_ltz,
        compile_ltz,
    ),
];

fn nullable(call: Call) -> Call {
    Call { return_type: call.return_type.with_nullable(true), ..call }
}

fn resolve_timestamp(args: &[Argument]) -> Option<Call> {
    if !matches!(args.len(), 1 | 2) || !args.iter().all(|a| a.ty.kind.is_string()) {
        return None;
    }
    let kinds = args.iter().map(|a| a.ty.kind.clone()).collect();
    coerced(args, kinds, TypeKind::Timestamp { precision: 3, attribute: TimeAttribute::None }).map(nullable)
}

fn compile_timestamp(call: &CompileCall<'_>) -> Result<Compiled> {
    let ty = call.ty.to_arrow();
    if call.args.len() == 1 {
        return safe(move |args, cx| {
            let texts = Strings::of(&args[0])?;
            longs(cx.rows, &ty, |row| parse_timestamp(texts.get(row)?)?.to_units(3))
        });
    }
    let patterns = Patterns::of(call, 1)?;
    fallible(move |args, cx| parse_rows(&patterns, args, cx, &ty, |parsed, _| parsed?.to_units(3)))
}

/// By the pattern; text that does not follow it is tried as a plain timestamp or date.
fn parse_by(pattern: &Pattern, text: &str) -> Option<Civil> {
    pattern.parse_text(text).or_else(|| parse_timestamp(text.trim()))
}

fn parse_rows(
    patterns: &Patterns,
    args: &[Value],
    cx: &mut Cx<'_>,
    ty: &DataType,
    finish: impl Fn(Option<Civil>, usize) -> Option<i64>,
) -> Result<ArrayRef> {
    let texts = Strings::of(&args[0])?;
    let mut patterns = RowPatterns::new(patterns, &args[1])?;
    longs(cx.rows, ty, |row| {
        let text = texts.get(row)?;
        match patterns.get(row)? {
            Ok(pattern) => finish(parse_by(pattern, text), row),
            Err(reason) => {
                cx.fail(row, reason);
                None
            }
        }
    })
}

// ---- TO_TIMESTAMP_LTZ ----------------------------------------------------------------------------------

fn ltz(precision: u8) -> TypeKind {
    TypeKind::TimestampLtz { precision, attribute: TimeAttribute::None }
}

/// The precision argument, when it is a literal.
fn literal_precision(arg: Option<&Argument>) -> Option<u8> {
    let precision = match arg.map(|a| &a.literal) {
        None => 3,
        Some(Some(Datum::Int(p))) => i64::from(*p),
        Some(Some(Datum::TinyInt(p))) => i64::from(*p),
        Some(Some(Datum::SmallInt(p))) => i64::from(*p),
        Some(_) => return None,
    };
    u8::try_from(precision).ok().filter(|p| *p <= 9)
}

fn resolve_ltz(args: &[Argument]) -> Option<Call> {
    let first = args.first()?;
    if first.ty.kind.is_string() {
        if args.len() > 3 || !args.iter().all(|a| a.ty.kind.is_string()) {
            return None;
        }
        let digits = match args.get(1).map(|a| &a.literal) {
            Some(Some(Datum::String(text))) => Pattern::parse(text).map_or(0, |p| p.fraction_digits()),
            _ => 0,
        };
        let kinds = args.iter().map(|a| a.ty.kind.clone()).collect();
        return coerced(args, kinds, ltz((digits as u8).max(3))).map(nullable);
    }
    if !first.ty.kind.is_numeric() || args.len() > 2 {
        return None;
    }
    let precision = literal_precision(args.get(1))?;
    let number = match &first.ty.kind {
        kind if kind.is_integer() => TypeKind::BigInt,
        TypeKind::Decimal { .. } => first.ty.kind.clone(),
        _ => TypeKind::Double,
    };
    let kinds = [number].into_iter().chain(args.get(1).map(|_| TypeKind::Int)).collect();
    coerced(args, kinds, ltz(precision.max(3))).map(nullable)
}

fn compile_ltz(call: &CompileCall<'_>) -> Result<Compiled> {
    let TypeKind::TimestampLtz { precision, .. } = call.ty.kind else { return Err(call.bug()) };
    let ty = call.ty.to_arrow();
    let units = units_per_ms(precision);
    if call.kind(0)?.is_string() {
        return compile_ltz_text(call, precision, units, ty);
    }
    // What the number counts: by its own precision, not by the result's.
    let digits = match call.args.get(1) {
        None => 3,
        Some(arus_core::expr::Expr::Literal { value: Datum::Int(p), .. }) => *p,
        Some(_) => return Err(call.bug()),
    };
    // Units of 10^-digits seconds to units of the result: times `factor`, or divided by `divisor`.
    let result_digits: i32 = match units {
        1 => 3,
        1_000 => 6,
        _ => 9,
    };
    let (factor, divisor) =
        (10i64.pow((result_digits - digits).max(0) as u32), 10i64.pow((digits - result_digits).max(0) as u32));
    // Years 0000 to 9999.
    let (first, last) = (days_from_civil(0, 1, 1) * 86_400_000, days_from_civil(10_000, 1, 1) * 86_400_000 - 1);
    let in_range = move |value: i64| (first..=last).contains(&value.div_euclid(units)).then_some(value);
    let whole = move |value: i64| in_range(value.checked_mul(factor)?.div_euclid(divisor));
    match call.kind(0)? {
        TypeKind::BigInt => safe(move |args, cx| {
            let values = Numbers::<Int64Type>::of(&args[0])?;
            longs(cx.rows, &ty, |row| whole(values.get(row)?))
        }),
        TypeKind::Decimal { scale, .. } => {
            let unit = 10i128.pow(u32::from(scale));
            safe(move |args, cx| {
                let values = Numbers::<Decimal128Type>::of(&args[0])?;
                longs(cx.rows, &ty, |row| whole(i64::try_from(values.get(row)? / unit).ok()?))
            })
        }
        TypeKind::Double => safe(move |args, cx| {
            let values = Numbers::<Float64Type>::of(&args[0])?;
            longs(cx.rows, &ty, |row| {
                let scaled = values.get(row)? * factor as f64 / divisor as f64;
                // Beyond 64 bits: beyond the range as well.
                if scaled.abs() < 9e18 { in_range(scaled.floor() as i64) } else { None }
            })
        }),
        _ => Err(call.bug()),
    }
}

fn compile_ltz_text(call: &CompileCall<'_>, precision: u8, units: i64, ty: DataType) -> Result<Compiled> {
    if call.args.len() == 1 {
        return fallible(move |args, cx| {
            let texts = Strings::of(&args[0])?;
            longs(cx.rows, &ty, |row| {
                let text = texts.get(row)?;
                let parsed = parse_timestamp(text).and_then(|at| at.to_units(precision));
                if parsed.is_none() {
                    cx.fail(row, format!("Text '{text}' could not be parsed"));
                }
                parsed
            })
        });
    }
    let patterns = Patterns::of(call, 1)?;
    let fixed_zone = call.text(2).map(Zone::parse).transpose()?;
    fallible(move |args, cx| {
        let zones = args.get(2).map(Strings::of).transpose()?;
        parse_rows(&patterns, args, cx, &ty, |parsed, row| {
            let zone = match (fixed_zone, &zones) {
                (Some(zone), _) => zone,
                (None, Some(zones)) => Zone::parse(zones.get(row)?).ok()?,
                (None, None) => Zone::UTC,
            };
            zone.to_instant(parsed?.to_units(precision)?, units)
        })
    })
}
