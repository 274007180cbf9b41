//! PostgreSQL's functions of numbers.

use arus_core::error::Code;
use datafusion::arrow::datatypes::DataType;
use datafusion::error::Result;
use datafusion::logical_expr::ScalarUDF;

use super::write::decimal;
use crate::function::{Returns, Value, rescale, strict, wrong};

/// Digits behind the point of a quotient or an average: PostgreSQL gives at least 16 significant ones.
pub(super) const QUOTIENT: i8 = 16;
pub(super) const NUMERIC: DataType = DataType::Decimal128(38, QUOTIENT);

/// numeric for whole numbers and numerics, else double precision.
fn numeric_or_float(types: &[DataType]) -> DataType {
    match types.first() {
        Some(DataType::Decimal128(_, scale)) => DataType::Decimal128(38, *scale),
        Some(ty) if ty.is_integer() => DataType::Float64,
        _ => DataType::Float64,
    }
}

/// Numerics stay such, without digits behind the point.
fn whole(types: &[DataType]) -> DataType {
    match types.first() {
        Some(DataType::Decimal128(..)) => DataType::Decimal128(38, 0),
        _ => DataType::Float64,
    }
}

fn like_or_numeric(types: &[DataType]) -> DataType {
    match types.first() {
        Some(ty) if ty.is_integer() || matches!(ty, DataType::Decimal128(..)) => NUMERIC,
        _ => DataType::Float64,
    }
}

/// Whole numbers become numerics, as PostgreSQL has no other `round(x, n)`.
fn places_type(types: &[DataType]) -> DataType {
    match (types.first(), types.len()) {
        (Some(DataType::Decimal128(_, scale)), 2) => DataType::Decimal128(38, *scale),
        (Some(DataType::Decimal128(..)), _) => DataType::Decimal128(38, 0),
        (_, 1) => DataType::Float64,
        _ => NUMERIC,
    }
}

fn to_decimal(value: &Value) -> (i128, i8) {
    match value {
        Value::Decimal(value, scale) => (*value, *scale),
        Value::Int(i) => (i128::from(*i), 0),
        other => ((other.float() * 1e15).round() as i128, 15),
    }
}

fn at_places(a: &[Value], cut: impl Fn(i128, i32, i32) -> i128) -> Value {
    let (value, scale) = to_decimal(&a[0]);
    let places = a[1].int() as i32;
    Value::Decimal(cut(value, scale.into(), places), places as i8)
}

fn truncated(value: i128, from: i32, to: i32) -> i128 {
    if to >= from { rescale(value, from, to) } else { value / 10i128.saturating_pow((from - to) as u32) }
}

fn toward(value: i128, scale: i8, up: bool) -> i128 {
    let unit = 10i128.pow(scale.unsigned_abs().into());
    let floor = value.div_euclid(unit);
    if up && value.rem_euclid(unit) != 0 { floor + 1 } else { floor }
}

fn divided(a: &[Value]) -> Result<Value> {
    let ((x, xs), (y, ys)) = (to_decimal(&a[0]), to_decimal(&a[1]));
    if y == 0 {
        return Err(wrong(Code::DivisionByZero, "division by zero"));
    }
    // One digit more than is shown, to round by.
    let shift = i32::from(QUOTIENT) + 1 - i32::from(xs) + i32::from(ys);
    let quotient = if shift >= 0 {
        match x.checked_mul(10i128.saturating_pow(shift as u32)) {
            Some(x) => x / y,
            None => (x as f64 / y as f64 * 10f64.powi(shift)) as i128,
        }
    } else {
        x / y / 10i128.saturating_pow(shift.unsigned_abs())
    };
    Ok(Value::Decimal(rescale(quotient, i32::from(QUOTIENT) + 1, QUOTIENT.into()), QUOTIENT))
}

pub(super) fn all() -> Vec<ScalarUDF> {
    vec![
        strict("round", Returns::Of(places_type), |a| {
            Ok(match (&a[0], a.len()) {
                (_, 2) => at_places(a, rescale),
                (Value::Decimal(value, scale), _) => Value::Decimal(rescale(*value, (*scale).into(), 0), 0),
                (other, _) => Value::Float(other.float().round_ties_even()),
            })
        }),
        strict("trunc", Returns::Of(places_type), |a| {
            Ok(match (&a[0], a.len()) {
                (_, 2) => at_places(a, truncated),
                (Value::Decimal(value, scale), _) => Value::Decimal(truncated(*value, (*scale).into(), 0), 0),
                (other, _) => Value::Float(other.float().trunc()),
            })
        }),
        strict("ceil", Returns::Of(whole), |a| {
            Ok(match &a[0] {
                Value::Decimal(value, scale) => Value::Decimal(toward(*value, *scale, true), 0),
                other => Value::Float(other.float().ceil()),
            })
        }),
        strict("ceiling", Returns::Of(whole), |a| {
            Ok(match &a[0] {
                Value::Decimal(value, scale) => Value::Decimal(toward(*value, *scale, true), 0),
                other => Value::Float(other.float().ceil()),
            })
        }),
        strict("floor", Returns::Of(whole), |a| {
            Ok(match &a[0] {
                Value::Decimal(value, scale) => Value::Decimal(toward(*value, *scale, false), 0),
                other => Value::Float(other.float().floor()),
            })
        }),
        strict("sign", Returns::Of(whole), |a| {
            Ok(match &a[0] {
                Value::Decimal(value, _) => Value::Decimal(value.signum(), 0),
                other => {
                    let f = other.float();
                    Value::Float(if f == 0.0 { 0.0 } else { f.signum() })
                }
            })
        }),
        strict("arus_divide", Returns::Type(NUMERIC), divided),
        strict("arus_like", Returns::Of(|types| like_or_numeric(&types[1..])), |a| {
            Ok(match &a[0] {
                Value::Float(f) if f.abs() < 1e21 => Value::Decimal((f * 1e16).round() as i128, QUOTIENT),
                other => other.clone(),
            })
        }),
        strict("power", Returns::Of(numeric_or_float), |a| {
            let result = a[0].float().powf(a[1].float());
            Ok(match &a[0] {
                Value::Decimal(_, scale) => {
                    Value::Decimal((result * 10f64.powi((*scale).into())).round() as i128, *scale)
                }
                _ => Value::Float(result),
            })
        }),
        strict("div", Returns::Type(DataType::Decimal128(38, 0)), |a| {
            let Value::Decimal(quotient, scale) = divided(a)? else { return Ok(Value::Null) };
            Ok(Value::Decimal(truncated(quotient, scale.into(), 0), 0))
        }),
        strict("width_bucket", Returns::INT, |a| {
            let (x, low, high, count) = (a[0].float(), a[1].float(), a[2].float(), a[3].int());
            if count <= 0 {
                return Err(wrong(Code::InvalidValue, "count must be greater than zero"));
            }
            let (x, low, high) = if low <= high { (x, low, high) } else { (-x, -low, -high) };
            let bucket = ((x - low) / (high - low) * count as f64).floor() as i64 + 1;
            Ok(Value::Int(bucket.clamp(0, count + 1)))
        }),
        strict("to_number", Returns::Type(NUMERIC), |a| {
            let digits: String = a[0].text().chars().filter(|c| c.is_ascii_digit() || ['.', '-'].contains(c)).collect();
            let value: f64 = digits.parse().map_err(|_| {
                wrong(Code::InvalidText, format!("invalid input syntax for type numeric: \"{}\"", a[0].text()))
            })?;
            Ok(Value::Decimal((value * 1e16).round() as i128, QUOTIENT))
        }),
    ]
}

/// `to_char` of a number: `9`, `0`, `.`, `,`, `D`, `G`, `S`, `MI`, `PL`, `PR`, `$`, `L`, `FM`.
pub(super) fn to_char(value: &Value, pattern: &str) -> String {
    let fill = !pattern.contains("FM");
    let pattern = pattern.replace("FM", "");
    let marks: Vec<char> = pattern.chars().collect();
    let point = marks.iter().position(|c| ['.', 'D'].contains(c)).unwrap_or(marks.len());
    let is_digit = |c: &&char| ['9', '0'].contains(*c);
    let places = marks[point..].iter().filter(is_digit).count();
    let wholes = marks[..point].iter().filter(is_digit).count();
    let (unscaled, scale) = match value {
        Value::Float(f) => ((f * 10f64.powi(places as i32)).round() as i128, places as i8),
        other => to_decimal(other),
    };
    let rounded = rescale(unscaled, scale.into(), places as i32);
    let negative = rounded < 0;
    let text = decimal(rounded.abs(), places as i8);
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let whole = if whole == "0" && wholes > 0 { "" } else { whole };
    if whole.len() > wholes {
        let overflow: String = marks.iter().map(|c| if ['9', '0'].contains(c) { '#' } else { *c }).collect();
        return if fill { format!(" {overflow}") } else { overflow };
    }
    let mut zeros = false;
    let mut digits = std::iter::repeat_n(' ', wholes - whole.len()).chain(whole.chars());
    let mut fractions = fraction.chars();
    let mut out = String::new();
    let mut started = false;
    let sign = if negative { "-" } else { "" };
    let own_sign = pattern.contains('S') || pattern.contains("MI") || pattern.contains("PR") || pattern.contains("PL");
    let blank = if fill { " " } else { "" };
    for (i, mark) in marks.iter().enumerate() {
        match mark {
            '9' | '0' if i < point => {
                zeros |= *mark == '0';
                let digit = digits.next().unwrap_or(' ');
                let last_whole = places == 0 && !marks[i + 1..].iter().any(|c| ['9', '0'].contains(c));
                if digit != ' ' || zeros || (last_whole && whole.is_empty()) {
                    if !started && !own_sign {
                        out.push_str(if negative { sign } else { blank });
                    }
                    started = true;
                    out.push(if digit == ' ' { '0' } else { digit });
                } else {
                    out.push_str(blank);
                }
            }
            '9' | '0' => out.extend(fractions.next()),
            ',' | 'G' => out.push_str(if started { "," } else { blank }),
            '.' | 'D' => {
                if !started && !own_sign {
                    out.push_str(if negative { sign } else { blank });
                }
                started = true;
                out.push('.');
            }
            'S' => out.push(if negative { '-' } else { '+' }),
            'M' => out.push_str(if negative { "-" } else { blank }),
            'I' | 'R' => {}
            'P' => {}
            'L' | '$' => out.push('$'),
            other => out.push(*other),
        }
    }
    if !fill && places > 0 && !marks[point..].contains(&'0') {
        return out.trim_end_matches('0').to_string();
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_by_patterns() {
        let written = |value: i128, scale, pattern| to_char(&Value::Decimal(value, scale), pattern);
        assert_eq!(written(123_456, 2, "FM999,990.00"), "1,234.56");
        assert_eq!(written(5, 1, "FM999,990.00"), "0.50");
        assert_eq!(written(7, 0, "0000"), " 0007");
        assert_eq!(written(-7, 0, "999"), "  -7");
        assert_eq!(written(1234, 0, "9,999"), " 1,234");
        assert_eq!(written(12345, 0, "999"), " ###");
    }

    #[test]
    fn quotients_are_rounded() {
        let third = divided(&[Value::Int(2), Value::Decimal(30, 1)]).expect("a quotient");
        assert_eq!(third, Value::Decimal(6_666_666_666_666_667, 16));
        assert!(divided(&[Value::Int(1), Value::Int(0)]).is_err());
    }
}
