//! Literals with Flink's types: INT, BIGINT or DECIMAL by size, CHAR(n), times with as many digits as written.

use arus_core::error::Code;
use arus_core::expr::Expr;
use arus_core::types::{TimeAttribute, TypeKind, units_per_ms};
use arus_core::{Datum, Result};

use super::Binder;
use crate::ast::{IntervalQualifier, Literal, Span, TimeUnit};

const MS_PER_DAY: i64 = 86_400_000;

impl Binder<'_> {
    pub(crate) fn literal(&self, literal: &Literal, span: Span) -> Result<Expr> {
        Ok(match literal {
            Literal::Null => Expr::literal(Datum::Null, TypeKind::Null.nullable()),
            Literal::Unknown => Expr::literal(Datum::Null, TypeKind::Boolean.nullable()),
            Literal::Boolean(b) => Expr::literal(Datum::Boolean(*b), TypeKind::Boolean.not_null()),
            Literal::Integer(digits) => self.integer(digits, span)?,
            Literal::Decimal(text) => self.decimal_literal(text, span)?,
            Literal::Approximate(text) => {
                let value: f64 = text.parse().map_err(|_| self.bad_literal("number", text, "1.5e3", span))?;
                if value.is_infinite() {
                    return Err(self
                        .wrong(Code::InvalidValue, format!("number {text} is out of the range of DOUBLE"), span)
                        .with_hint("a DOUBLE ends at 1.7976931348623157E308"));
                }
                Expr::literal(Datum::Double(value), TypeKind::Double.not_null())
            }
            Literal::String(s) => string_literal(s),
            Literal::Binary(bytes) => {
                Expr::literal(Datum::Bytes(bytes.clone()), TypeKind::Binary(bytes.len() as u32).not_null())
            }
            Literal::Date(text) => {
                let days = parse_date(text.trim()).ok_or_else(|| self.bad_literal("DATE", text, "2024-02-29", span))?;
                Expr::literal(Datum::Date(days), TypeKind::Date.not_null())
            }
            Literal::Time(text) => {
                let (nanos, digits) =
                    parse_time(text.trim()).ok_or_else(|| self.bad_literal("TIME", text, "23:59:59.999", span))?;
                let ms = (nanos / 1_000_000) as i32;
                Expr::literal(Datum::Time(ms), TypeKind::Time(digits).not_null())
            }
            Literal::Timestamp(text) => {
                let (value, precision) = self.timestamp(text, span)?;
                let kind = TypeKind::Timestamp { precision, attribute: TimeAttribute::None };
                Expr::literal(Datum::Timestamp(value), kind.not_null())
            }
            Literal::TimestampLtz(_) => {
                return Err(self
                    .unsupported("a TIMESTAMP WITH LOCAL TIME ZONE literal", span)
                    .with_hint("write CAST(TIMESTAMP '..' AS TIMESTAMP_LTZ(3))"));
            }
            Literal::Interval { negative, text, qualifier } => self.interval(*negative, text, qualifier, span)?,
        })
    }

    fn bad_literal(&self, what: &str, text: &str, example: &str, span: Span) -> arus_core::Error {
        self.wrong(Code::InvalidValue, format!("'{text}' is no {what}"), span)
            .with_hint(format!("expected the form '{example}'"))
    }

    fn integer(&self, digits: &str, span: Span) -> Result<Expr> {
        if let Ok(v) = digits.parse::<i32>() {
            return Ok(Expr::literal(Datum::Int(v), TypeKind::Int.not_null()));
        }
        if let Ok(v) = digits.parse::<i64>() {
            return Ok(Expr::literal(Datum::BigInt(v), TypeKind::BigInt.not_null()));
        }
        self.exact(digits, 0, span)
    }

    fn decimal_literal(&self, text: &str, span: Span) -> Result<Expr> {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        self.exact(&format!("{whole}{fraction}"), fraction.len(), span)
    }

    /// `digits` without the point, with a `-` in front if the number is negative.
    fn exact(&self, digits: &str, scale: usize, span: Span) -> Result<Expr> {
        let (sign, digits) = digits.strip_prefix('-').map_or((1, digits), |rest| (-1, rest));
        // As in Flink every digit that is written counts, and without the point they have to fit into 64 bits.
        let precision = digits.len().min(38);
        let significant = digits.trim_start_matches('0');
        let value = match significant {
            "" => Some(0),
            digits if digits.len() > 19 => None,
            digits => digits.parse().ok().and_then(|value: i128| i64::try_from(sign * value).ok()),
        };
        let Some(value) = value.filter(|_| scale <= 38) else {
            let found =
                format!("number with {} digits is out of range: they have to fit into a BIGINT", significant.len());
            let hint = match significant.len().max(scale) {
                ..=38 => format!("write CAST('..' AS DECIMAL({}, {scale}))", significant.len().max(scale)),
                _ => "write it with an exponent to get a DOUBLE, such as 1e40".into(),
            };
            return Err(self.wrong(Code::InvalidValue, found, span).with_hint(hint));
        };
        if scale == 0 {
            let narrow = i32::try_from(value).map(|v| Expr::literal(Datum::Int(v), TypeKind::Int.not_null()));
            return Ok(narrow.unwrap_or_else(|_| Expr::literal(Datum::BigInt(value), TypeKind::BigInt.not_null())));
        }
        let kind = TypeKind::Decimal { precision: precision as u8, scale: scale as u8 };
        Ok(Expr::literal(Datum::Decimal(i128::from(value)), kind.not_null()))
    }

    fn timestamp(&self, text: &str, span: Span) -> Result<(i64, u8)> {
        let bad = || self.bad_literal("TIMESTAMP", text, "2024-02-29 23:59:59.999", span);
        let trimmed = text.trim();
        let (date, time) = trimmed.split_once([' ', 'T']).unwrap_or((trimmed, "00:00:00"));
        let days = i64::from(parse_date(date).ok_or_else(bad)?);
        let (nanos, precision) = parse_time(time.trim()).ok_or_else(bad)?;
        let per_ms = units_per_ms(precision);
        let units = (days * MS_PER_DAY).checked_mul(per_ms).ok_or_else(bad)?;
        let value = units.checked_add(nanos / (1_000_000 / per_ms)).ok_or_else(bad)?;
        Ok((value, precision))
    }

    /// The first number of an interval has two digits at most, or as many as the unit's precision says.
    fn leading_digits(&self, text: &str, q: &IntervalQualifier, span: Span) -> Result<()> {
        let first = text.trim().trim_start_matches(['+', '-']);
        let digits = first.bytes().take_while(u8::is_ascii_digit).count();
        let significant = first[..digits].trim_start_matches('0').len();
        let precision = q.precision.unwrap_or(2) as usize;
        if significant <= precision {
            return Ok(());
        }
        let unit = q.start.as_str();
        let error = format!("interval value {} has more digits than {unit}({precision})", &first[..digits]);
        Err(self.wrong(Code::InvalidValue, error, span).with_hint(match significant {
            3 => format!("write INTERVAL '{text}' {unit}(3)"),
            _ => "take a larger unit, or multiply: INTERVAL '1' DAY * 1000".to_owned(),
        }))
    }

    fn interval(&self, negative: bool, text: &str, q: &IntervalQualifier, span: Span) -> Result<Expr> {
        self.leading_digits(text, q, span)?;
        let parsed = parse_interval(text, q.start, q.end);
        let Some((months, ms)) = parsed else {
            let unit = q.span.of(self.text);
            let example = match (q.start, q.end) {
                (TimeUnit::Year, Some(_)) => "1-2",
                (TimeUnit::Day, Some(TimeUnit::Hour)) => "3 10",
                (TimeUnit::Day, Some(TimeUnit::Minute)) => "3 10:30",
                (TimeUnit::Day, Some(_)) => "3 10:30:00.5",
                (TimeUnit::Hour, Some(TimeUnit::Minute)) | (TimeUnit::Minute, Some(_)) => "10:30",
                (TimeUnit::Hour, Some(_)) => "10:30:00",
                _ => "10",
            };
            return Err(self.bad_literal(&format!("INTERVAL of {unit}"), text, example, span));
        };
        let sign = if negative { -1 } else { 1 };
        Ok(match q.start {
            TimeUnit::Year | TimeUnit::Quarter | TimeUnit::Month => {
                let value = i32::try_from(sign * months).map_err(|_| self.bad_literal("INTERVAL", text, "10", span))?;
                Expr::literal(Datum::IntervalMonths(value), TypeKind::IntervalYearMonth.not_null())
            }
            _ => Expr::literal(Datum::IntervalMillis(sign * ms), TypeKind::IntervalDayTime.not_null()),
        })
    }
}

/// CHAR of as many characters as Java counts: those beyond the basic plane are two.
pub(crate) fn string_literal(text: &str) -> Expr {
    let length = text.encode_utf16().count() as u32;
    Expr::literal(Datum::String(text.to_string()), TypeKind::Char(length).not_null())
}

/// (months, milliseconds)
fn parse_interval(text: &str, start: TimeUnit, end: Option<TimeUnit>) -> Option<(i64, i64)> {
    let text = text.trim();
    let (sign, text) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let Some(end) = end.filter(|e| *e != start) else {
        let (months, ms) = single_interval(text, start)?;
        return Some((sign * months, sign * ms));
    };
    if start == TimeUnit::Year {
        let (years, months) = text.split_once('-')?;
        return Some((sign * (number(years)?.checked_mul(12)?.checked_add(number(months)?)?), 0));
    }
    let (days, rest) = match start {
        TimeUnit::Day => {
            let (d, rest) = text.split_once(' ')?;
            (number(d)?, rest.trim())
        }
        _ => (0, text),
    };
    let first = if start == TimeUnit::Day { TimeUnit::Hour } else { start };
    let units = [TimeUnit::Hour, TimeUnit::Minute, TimeUnit::Second];
    let from = units.iter().position(|u| *u == first)?;
    let to = units.iter().position(|u| *u == end)?;
    let parts: Vec<&str> = rest.split(':').collect();
    if to < from || parts.len() != to - from + 1 {
        return None;
    }
    let mut ms = days.checked_mul(MS_PER_DAY)?;
    for (part, unit) in parts.iter().zip(&units[from..=to]) {
        ms = ms.checked_add(single_interval(part, *unit)?.1)?;
    }
    Some((0, sign * ms))
}

fn single_interval(text: &str, unit: TimeUnit) -> Option<(i64, i64)> {
    let ms = |factor: i64| number(text)?.checked_mul(factor).map(|ms| (0, ms));
    match unit {
        TimeUnit::Year => Some((number(text)?.checked_mul(12)?, 0)),
        TimeUnit::Quarter => Some((number(text)?.checked_mul(3)?, 0)),
        TimeUnit::Month => Some((number(text)?, 0)),
        TimeUnit::Week => ms(7 * MS_PER_DAY),
        TimeUnit::Day => ms(MS_PER_DAY),
        TimeUnit::Hour => ms(3_600_000),
        TimeUnit::Minute => ms(60_000),
        TimeUnit::Second => {
            let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
            let nanos = fraction_nanos(fraction)?.0;
            Some((0, number(whole)?.checked_mul(1_000)?.checked_add(nanos / 1_000_000)?))
        }
        TimeUnit::Millisecond => ms(1),
        _ => None,
    }
}

fn number(text: &str) -> Option<i64> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}

/// Nanoseconds and how many digits were written.
fn fraction_nanos(digits: &str) -> Option<(i64, u8)> {
    if digits.is_empty() || digits.len() > 9 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let value: i64 = digits.parse().ok()?;
    Some((value * 10_i64.pow(9 - digits.len() as u32), digits.len() as u8))
}

/// Nanoseconds of the day and digits of the fraction.
fn parse_time(text: &str) -> Option<(i64, u8)> {
    let (clock, fraction) = text.split_once('.').map_or((text, None), |(c, f)| (c, Some(f)));
    let parts: Vec<&str> = clock.split(':').collect();
    let [hour, minute, second] = parts.as_slice() else {
        return None;
    };
    let (hour, minute, second) = (number(hour)?, number(minute)?, number(second)?);
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let (nanos, digits) = fraction.map_or(Some((0, 0)), fraction_nanos)?;
    Some(((hour * 3_600 + minute * 60 + second) * 1_000_000_000 + nanos, digits))
}

/// Days since 1970-01-01 of `yyyy-mm-dd` in the proleptic Gregorian calendar.
fn parse_date(text: &str) -> Option<i32> {
    let mut parts = text.splitn(3, '-');
    let (year, month, day) = (number(parts.next()?)?, number(parts.next()?)?, number(parts.next()?)?);
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        _ => return None,
    };
    if !(1..=days).contains(&day) || year > 9_999 {
        return None;
    }
    // Years begin in March, so that the leap day is the last of its year.
    let shifted = if month <= 2 { year - 1 } else { year };
    let era = shifted.div_euclid(400);
    let of_era = shifted.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = of_era * 365 + of_era / 4 - of_era / 100 + of_year;
    i32::try_from(era * 146_097 + day_of_era - 719_468).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_and_times_are_read() {
        assert_eq!(parse_date("1970-01-01"), Some(0));
        assert_eq!(parse_date("2024-02-29"), Some(19_782));
        assert_eq!(parse_date("1969-12-31"), Some(-1));
        assert_eq!(parse_date("0001-01-01"), Some(-719_162));
        for bad in ["2023-02-29", "2024-13-01", "2024-1", "x", "2024-04-31"] {
            assert_eq!(parse_date(bad), None, "{bad}");
        }
        assert_eq!(parse_time("10:20:30.5"), Some((37_230_500_000_000, 1)));
        assert_eq!(parse_time("24:00:00"), None);
    }

    #[test]
    fn intervals_are_read() {
        use TimeUnit::{Day, Hour, Minute, Month, Second, Year};
        for (text, start, end, months, ms) in [
            ("13", Month, None, 13, 0),
            ("1-2", Year, Some(Month), 14, 0),
            ("10", Second, None, 0, 10_000),
            ("1.5", Second, None, 0, 1_500),
            ("3 10", Day, Some(Hour), 0, 295_200_000),
            ("10:20:30.5", Hour, Some(Second), 0, 37_230_500),
            ("-5", Minute, None, 0, -300_000),
        ] {
            assert_eq!(parse_interval(text, start, end), Some((months, ms)), "{text}");
        }
        assert_eq!(parse_interval("x", Day, None), None);
        assert_eq!(parse_interval("1:2", Hour, Some(Second)), None);
    }
}
