//! Dates and timestamps: the common forms by their fixed places, all others as arus-core reads them.

use arus_core::text;
use arus_core::types::units_per_ms;

use super::decode::TimestampFormat;
use super::words;

pub(super) fn expected(format: TimestampFormat, local_zone: bool) -> &'static str {
    match (format, local_zone) {
        (TimestampFormat::Sql, false) => "TIMESTAMP 'yyyy-MM-dd HH:mm:ss.SSS'",
        (TimestampFormat::Sql, true) => "TIMESTAMP_LTZ 'yyyy-MM-dd HH:mm:ss.SSSZ'",
        (TimestampFormat::Iso8601, false) => "TIMESTAMP 'yyyy-MM-ddTHH:mm:ss.SSS'",
        (TimestampFormat::Iso8601, true) => "TIMESTAMP_LTZ 'yyyy-MM-ddTHH:mm:ss.SSSZ'",
    }
}

pub(super) fn date(text: &str) -> Option<i32> {
    match text.as_bytes() {
        bytes if bytes.len() == 10 => fixed_days(bytes).map(|d| d as i32).or_else(|| text::parse_date_iso(text)),
        _ => text::parse_date_iso(text),
    }
}

/// In the unit of the precision; `None` where the text has another form or the value does not fit.
#[inline]
pub(super) fn timestamp(text: &str, format: TimestampFormat, precision: u8, local_zone: bool) -> Option<i64> {
    let separator = if format == TimestampFormat::Sql { b' ' } else { b'T' };
    if let Some(value) = fixed(text.as_bytes(), separator, precision, local_zone) {
        return Some(value);
    }
    let at = match (format, local_zone) {
        (TimestampFormat::Sql, false) => text::parse_timestamp_sql(text),
        (TimestampFormat::Sql, true) => text::parse_timestamp_sql_z(text),
        (TimestampFormat::Iso8601, false) => text::parse_timestamp_iso(text),
        (TimestampFormat::Iso8601, true) => text::parse_timestamp_iso_z(text),
    };
    at?.to_units(precision)
}

/// `yyyy-MM-dd HH:mm:ss[.fraction][Z]`; `None`: not this form, or a date that does not exist.
#[inline]
fn fixed(bytes: &[u8], separator: u8, precision: u8, local_zone: bool) -> Option<i64> {
    let bytes = if local_zone { bytes.strip_suffix(b"Z")? } else { bytes };
    let (whole, fraction) = bytes.split_at_checked(19)?;
    if whole[10] != separator || whole[13] != b':' || whole[16] != b':' {
        return None;
    }
    let days = fixed_days(&whole[..10])?;
    let (hour, minute, second) = (two(&whole[11..13])?, two(&whole[14..16])?, two(&whole[17..19])?);
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let nanos = match fraction.split_first() {
        None => 0,
        Some((b'.', digits)) if (1..=9).contains(&digits.len()) => {
            let mut value = 0i64;
            for digit in digits {
                value = value * 10 + i64::from(digit.wrapping_sub(b'0'));
                if !digit.is_ascii_digit() {
                    return None;
                }
            }
            value * 10i64.pow(9 - digits.len() as u32)
        }
        Some(_) => return None,
    };
    let units_per_second = units_per_ms(precision) * 1_000;
    let step = 10i64.pow(9 - u32::from(precision.min(9)));
    let part = nanos / step * step / (1_000_000_000 / units_per_second);
    let seconds = days * 86_400 + hour * 3_600 + minute * 60 + second;
    seconds.checked_mul(units_per_second)?.checked_add(part)
}

/// The minute of the timestamp read last: those of a stream share it mostly.
#[derive(Default)]
pub(in crate::format) struct Minute {
    /// Zeros at first, which are no text of a timestamp.
    text: [u8; 16],
    /// Of its start, since 1970.
    seconds: i64,
}

impl Minute {
    /// A timestamp string at `at` in the form `"yyyy-MM-dd HH:mm:ss[.SSS][Z]"`: its value in units of `precision`, and its
    /// end. `None`: another form.
    #[inline(always)]
    pub(super) fn timestamp(
        &mut self,
        window: &[u8],
        at: usize,
        format: TimestampFormat,
        precision: u8,
        zone: bool,
    ) -> Option<(i64, usize)> {
        let text = window.get(at + 1..)?.first_chunk::<16>()?;
        let (seconds, millis, end) = words::seconds(window, at + 17, zone)?;
        if *text != self.text {
            self.seconds = minute(text, if format == TimestampFormat::Sql { b' ' } else { b'T' })?;
            self.text = *text;
        }
        // Fewer digits than were written: the general reader cuts them.
        if millis.is_some() && precision < 3 {
            return None;
        }
        let per_ms = units_per_ms(precision);
        let ms = (self.seconds + seconds) * 1_000 + millis.unwrap_or(0);
        Some((ms.checked_mul(per_ms)?, end))
    }
}

/// `yyyy-MM-dd HH:mm` in seconds.
fn minute(text: &[u8; 16], separator: u8) -> Option<i64> {
    if text[10] != separator || text[13] != b':' {
        return None;
    }
    let (hour, minute) = (two(&text[11..13])?, two(&text[14..16])?);
    if hour > 23 || minute > 59 {
        return None;
    }
    Some(fixed_days(&text[..10])? * 86_400 + hour * 3_600 + minute * 60)
}

#[inline]
fn fixed_days(bytes: &[u8]) -> Option<i64> {
    if bytes[4] != b'-' || bytes[7] != b'-' {
        return None;
    }
    let year = two(&bytes[..2])? * 100 + two(&bytes[2..4])?;
    let (month, day) = (two(&bytes[5..7])? as u32, two(&bytes[8..10])? as u32);
    if !(1..=12).contains(&month) || day == 0 || day > text::days_in_month(year, month) {
        return None;
    }
    Some(text::days_from_civil(year, month, day))
}

#[inline(always)]
fn two(bytes: &[u8]) -> Option<i64> {
    let (tens, ones) = (bytes[0].wrapping_sub(b'0'), bytes[1].wrapping_sub(b'0'));
    (tens < 10 && ones < 10).then_some(i64::from(tens) * 10 + i64::from(ones))
}
