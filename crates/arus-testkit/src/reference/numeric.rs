//! Arithmetic: integers wrap at their width, DECIMAL is exact and NULL beyond its precision, floats are IEEE 754.

use arus_core::types::units_per_ms;
use arus_core::{LogicalType, TypeKind};

use super::expr::{Evaluated, Stop, unsupported};
use super::value::Value;

/// The value as it is in an integer type.
pub(crate) fn wrapped(value: i128, kind: &TypeKind) -> Evaluated<Value> {
    let value = value as i64;
    Ok(Value::Integer(match kind {
        TypeKind::TinyInt => (value as i8).into(),
        TypeKind::SmallInt => (value as i16).into(),
        TypeKind::Int => (value as i32).into(),
        TypeKind::BigInt => value,
        other => return unsupported(format!("an integer as {other}")),
    }))
}

pub(crate) fn power_of_ten(exponent: u32) -> Evaluated<i128> {
    match 10_i128.checked_pow(exponent) {
        Some(power) => Ok(power),
        None => unsupported(format!("10 to the power of {exponent}")),
    }
}

/// A quotient rounded half away from zero.
pub(crate) fn divided_half_up(dividend: i128, divisor: i128) -> i128 {
    let (quotient, rest) = (dividend / divisor, dividend % divisor);
    if rest.unsigned_abs() * 2 >= divisor.unsigned_abs() {
        quotient + if (dividend < 0) == (divisor < 0) { 1 } else { -1 }
    } else {
        quotient
    }
}

/// An unscaled value of one scale in a DECIMAL type: rounded half up, NULL when it has too many digits.
pub(crate) fn fitted(unscaled: i128, scale: u32, kind: &TypeKind) -> Evaluated<Value> {
    let TypeKind::Decimal { precision, scale: wanted } = *kind else {
        return unsupported(format!("a decimal as {kind}"));
    };
    let wanted = u32::from(wanted);
    let value = if wanted >= scale {
        match unscaled.checked_mul(power_of_ten(wanted - scale)?) {
            Some(value) => value,
            None => return unsupported("a decimal beyond 128 bits"),
        }
    } else {
        divided_half_up(unscaled, power_of_ten(scale - wanted)?)
    };
    let limit = power_of_ten(precision.into())?;
    Ok(if -limit < value && value < limit { Value::Decimal(value) } else { Value::Null })
}

fn scale(kind: &TypeKind) -> u32 {
    match kind {
        TypeKind::Decimal { scale, .. } => (*scale).into(),
        _ => 0,
    }
}

pub(crate) fn arithmetic(op: &str, a: &Value, b: &Value, types: &[LogicalType], kind: &TypeKind) -> Evaluated<Value> {
    match (a, b) {
        (Value::Integer(a), Value::Integer(b)) => {
            let (a, b) = (i128::from(*a), i128::from(*b));
            if b == 0 && matches!(op, "/" | "%") {
                return Err(Stop::Row("/ by zero".into()));
            }
            let value = match op {
                "+" => a + b,
                "-" => a - b,
                "*" => a * b,
                "/" => a / b,
                _ => a % b,
            };
            wrapped(value, kind)
        }
        (Value::Decimal(x), Value::Decimal(y)) => {
            decimal(op, (*x, scale(&types[0].kind)), (*y, scale(&types[1].kind)), kind)
        }
        (Value::Double(a), Value::Double(b)) => {
            let value = float(op, *a, *b)?;
            match kind {
                TypeKind::Double => Ok(Value::Double(value)),
                TypeKind::Float => Ok(Value::Float(value as f32)),
                other => unsupported(format!("a double as {other}")),
            }
        }
        (Value::Float(a), Value::Float(b)) if *kind == TypeKind::Float => Ok(Value::Float(match op {
            "+" => a + b,
            "-" => a - b,
            "*" => a * b,
            "/" => a / b,
            _ => return unsupported("% of floats"),
        })),
        (Value::Timestamp(time), Value::Millis(ms)) => shifted(op, *time, *ms, kind),
        (Value::Millis(ms), Value::Timestamp(time)) if op == "+" => shifted(op, *time, *ms, kind),
        _ => unsupported(format!("{} {op} {}", types[0], types[1])),
    }
}

fn float(op: &str, a: f64, b: f64) -> Evaluated<f64> {
    Ok(match op {
        "+" => a + b,
        "-" => a - b,
        "*" => a * b,
        "/" => a / b,
        _ => return unsupported("% of doubles"),
    })
}

fn shifted(op: &str, time: i64, ms: i64, kind: &TypeKind) -> Evaluated<Value> {
    let (TypeKind::Timestamp { precision, .. } | TypeKind::TimestampLtz { precision, .. }) = kind else {
        return unsupported(format!("a time as {kind}"));
    };
    let ms = if op == "+" { Some(ms) } else { ms.checked_neg() };
    match ms.and_then(|ms| ms.checked_mul(units_per_ms(*precision))).and_then(|units| time.checked_add(units)) {
        Some(time) => Ok(Value::Timestamp(time)),
        None => unsupported("a time beyond 64 bits"),
    }
}

fn decimal(op: &str, (a, s): (i128, u32), (b, t): (i128, u32), kind: &TypeKind) -> Evaluated<Value> {
    let beyond = || Stop::Unsupported("a decimal beyond 128 bits".into());
    let common = s.max(t);
    let raised = |value: i128, scale: u32| value.checked_mul(power_of_ten(common - scale)?).ok_or_else(beyond);
    if b == 0 && matches!(op, "/" | "%") {
        return Err(Stop::Row("division by zero".into()));
    }
    match op {
        "+" => fitted(raised(a, s)?.checked_add(raised(b, t)?).ok_or_else(beyond)?, common, kind),
        "-" => fitted(raised(a, s)?.checked_sub(raised(b, t)?).ok_or_else(beyond)?, common, kind),
        "*" => fitted(a.checked_mul(b).ok_or_else(beyond)?, s + t, kind),
        "%" => fitted(raised(a, s)? % raised(b, t)?, common, kind),
        _ => {
            // a / 10^s / (b / 10^t), at the scale of the result.
            let wanted = scale(kind);
            let up = wanted + t;
            let (dividend, divisor) = if up >= s {
                (a.checked_mul(power_of_ten(up - s)?).ok_or_else(beyond)?, b)
            } else {
                (a, b.checked_mul(power_of_ten(s - up)?).ok_or_else(beyond)?)
            };
            fitted(divided_half_up(dividend, divisor), wanted, kind)
        }
    }
}

pub(crate) fn negated(value: &Value, kind: &TypeKind) -> Evaluated<Value> {
    match value {
        Value::Integer(v) => wrapped(-i128::from(*v), kind),
        Value::Decimal(v) => Ok(Value::Decimal(-v)),
        Value::Double(v) => Ok(Value::Double(-v)),
        Value::Float(v) => Ok(Value::Float(-v)),
        Value::Millis(v) => Ok(Value::Millis(v.wrapping_neg())),
        other => unsupported(format!("-{other}")),
    }
}

pub(crate) fn absolute(value: &Value, kind: &TypeKind) -> Evaluated<Value> {
    match value {
        // The least integer stays itself.
        Value::Integer(v) => wrapped(i128::from(*v).abs(), kind),
        Value::Decimal(v) => Ok(Value::Decimal(v.abs())),
        Value::Double(v) => Ok(Value::Double(v.abs())),
        Value::Float(v) => Ok(Value::Float(v.abs())),
        other => unsupported(format!("ABS of {other}")),
    }
}
