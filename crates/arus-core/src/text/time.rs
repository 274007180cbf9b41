//! Dates, times, timestamps and intervals as text and back.
//!
//! Parsers come in four strictnesses: CAST's (one-digit months and hours, 31 February is its last day), the JSON
//! format's SQL standard (two digits each, 31 February is its last day), its ISO-8601 standard (no such date), and
//! both of the latter with a final `Z` for TIMESTAMP_LTZ.

use super::civil::{Civil, NANOS_PER_DAY, civil_from_days, days_from_civil, days_in_month};
use super::{push, push_padded};

// ---- writing -------------------------------------------------------------------------------------------

/// Java's years: at least four digits, a `+` beyond.
fn write_year(out: &mut String, year: i64) {
    if year < 0 {
        out.push('-');
    } else if year > 9_999 {
        out.push('+');
    }
    push_padded(out, year.unsigned_abs() as u32, 4);
}

/// `2024-02-29`
pub fn write_date(out: &mut String, days: i32) {
    write_days(out, i64::from(days));
}

fn write_days(out: &mut String, days: i64) {
    let (year, month, day) = civil_from_days(days);
    if !(0..=9_999).contains(&year) {
        write_year(out, year);
        out.push('-');
        push_padded(out, month, 2);
        out.push('-');
        return push_padded(out, day, 2);
    }
    let ([y1, y2], [y3, y4]) = (two(year as u32 / 100), two(year as u32 % 100));
    let ([m1, m2], [d1, d2]) = (two(month), two(day));
    push_ascii(out, &[y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2]);
}

fn write_hms(out: &mut String, at: Civil) {
    let ([h1, h2], [m1, m2], [s1, s2]) = (two(at.hour()), two(at.minute()), two(at.second()));
    push_ascii(out, &[h1, h2, b':', m1, m2, b':', s1, s2]);
}

/// A number below 100 as two digits.
fn two(value: u32) -> [u8; 2] {
    [b'0' + (value / 10) as u8, b'0' + (value % 10) as u8]
}

fn push_ascii(out: &mut String, bytes: &[u8]) {
    out.push_str(std::str::from_utf8(bytes).expect("digits and signs are ASCII"));
}

/// `.` and the fraction's digits without trailing zeros, but at least `least` digits.
fn write_fraction(out: &mut String, nanos: u32, least: usize) {
    let mut digits = 9;
    let mut rest = nanos;
    while digits > least && rest.is_multiple_of(10) {
        rest /= 10;
        digits -= 1;
    }
    if digits > 0 {
        out.push('.');
        push_padded(out, rest, digits);
    }
}

/// Java's `LocalTime.toString`: no seconds when all is zero, the fraction in groups of three digits.
fn write_java_time(out: &mut String, at: Civil, always_seconds: bool) {
    if always_seconds || at.second() > 0 || at.fraction() > 0 {
        write_hms(out, at);
    } else {
        push_padded(out, at.hour(), 2);
        out.push(':');
        push_padded(out, at.minute(), 2);
    }
    let nanos = at.fraction();
    if nanos > 0 {
        let least = if nanos.is_multiple_of(1_000_000) {
            3
        } else if nanos.is_multiple_of(1_000) {
            6
        } else {
            9
        };
        write_fraction(out, nanos, least);
    }
}

fn time_of_ms(ms_of_day: i32) -> Civil {
    Civil { days: 0, nanos: i64::from(ms_of_day) * 1_000_000 }
}

/// CAST of TIME: `12:34:56` at precision 0, else at least one digit of the fraction and no trailing zeros.
pub fn write_time(out: &mut String, ms_of_day: i32, precision: u8) {
    let at = time_of_ms(ms_of_day);
    write_hms(out, at);
    if precision > 0 {
        let unit = 10u32.pow(9 - u32::from(precision.min(3)));
        write_fraction(out, at.fraction() / unit * unit, 1);
    }
}

/// `12:34:56.789`, `10:20:30`, `00:00`
pub fn write_time_print(out: &mut String, ms_of_day: i32) {
    write_java_time(out, time_of_ms(ms_of_day), false);
}

/// JSON: whole seconds, as Flink writes them.
pub fn write_time_json(out: &mut String, ms_of_day: i32) {
    write_hms(out, time_of_ms(ms_of_day));
}

/// CAST of a local timestamp: `2020-01-01 00:00:00.000`, as many digits as the precision.
pub fn write_timestamp(out: &mut String, value: i64, precision: u8) {
    let at = Civil::from_units(value, precision);
    write_days(out, at.days);
    out.push(' ');
    write_hms(out, at);
    write_fraction(out, at.fraction(), usize::from(precision));
}

/// JSON's SQL standard: `2020-01-01 00:00:00.12`, no trailing zeros. The caller adds `Z` for TIMESTAMP_LTZ.
pub fn write_timestamp_sql(out: &mut String, value: i64, precision: u8) {
    write_separated(out, Civil::from_units(value, precision), ' ');
}

/// JSON's ISO-8601 standard: `2020-01-01T00:00:00.12`. The caller adds `Z` for TIMESTAMP_LTZ.
pub fn write_timestamp_iso(out: &mut String, value: i64, precision: u8) {
    write_separated(out, Civil::from_units(value, precision), 'T');
}

fn write_separated(out: &mut String, at: Civil, separator: char) {
    write_days(out, at.days);
    out.push(separator);
    write_hms(out, at);
    write_fraction(out, at.fraction(), 0);
}

/// Print of TIMESTAMP: `2020-01-01T00:00`, `2020-01-01T00:00:00.120`
pub fn write_timestamp_print(out: &mut String, value: i64, precision: u8) {
    let at = Civil::from_units(value, precision);
    write_days(out, at.days);
    out.push('T');
    write_java_time(out, at, false);
}

/// Print of TIMESTAMP_LTZ: `2020-01-01T00:00:00Z`
pub fn write_timestamp_ltz_print(out: &mut String, value: i64, precision: u8) {
    let at = Civil::from_units(value, precision);
    write_days(out, at.days);
    out.push('T');
    write_java_time(out, at, true);
    out.push('Z');
}

/// CAST of INTERVAL YEAR TO MONTH: `+1-01`
pub fn write_interval_year_month(out: &mut String, months: i32) {
    let sign = if months < 0 { '-' } else { '+' };
    let months = months.unsigned_abs();
    push(out, format_args!("{sign}{}-{:02}", months / 12, months % 12));
}

/// CAST of INTERVAL DAY TO SECOND: `+1 01:01:01.001`
pub fn write_interval_day_time(out: &mut String, ms: i64) {
    let sign = if ms < 0 { '-' } else { '+' };
    let ms = ms.unsigned_abs();
    let (days, rest) = (ms / 86_400_000, ms % 86_400_000);
    let (hours, minutes, seconds) = (rest / 3_600_000, rest / 60_000 % 60, rest / 1_000 % 60);
    push(out, format_args!("{sign}{days} {hours:02}:{minutes:02}:{seconds:02}.{:03}", rest % 1_000));
}

/// Print of INTERVAL YEAR TO MONTH: `P13M`
pub fn write_interval_print_year_month(out: &mut String, months: i32) {
    match months {
        0 => out.push_str("P0D"),
        _ => push(out, format_args!("P{months}M")),
    }
}

/// Print of INTERVAL DAY TO SECOND: `PT25H1M1.001S`
pub fn write_interval_print_day_time(out: &mut String, ms: i64) {
    if ms == 0 {
        return out.push_str("PT0S");
    }
    out.push_str("PT");
    let (hours, minutes, rest) = (ms / 3_600_000, ms / 60_000 % 60, ms % 60_000);
    if hours != 0 {
        push(out, format_args!("{hours}H"));
    }
    if minutes != 0 {
        push(out, format_args!("{minutes}M"));
    }
    if rest != 0 {
        let sign = if rest < 0 { "-" } else { "" };
        push(out, format_args!("{sign}{}", rest.unsigned_abs() / 1_000));
        write_fraction(out, (rest.unsigned_abs() % 1_000) as u32 * 1_000_000, 0);
        out.push('S');
    }
}

// ---- parsing -------------------------------------------------------------------------------------------

struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    fn new(text: &'a str) -> Self {
        Cursor { bytes: text.as_bytes(), at: 0 }
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn eat(&mut self, byte: u8) -> Option<()> {
        (self.peek()? == byte).then(|| self.at += 1)
    }

    fn at_end(&self) -> bool {
        self.at == self.bytes.len()
    }

    /// At least `least`, at most `most` digits, as many as there are.
    fn digits(&mut self, least: usize, most: usize) -> Option<u32> {
        let mut value = 0u32;
        let mut count = 0;
        while count < most
            && let Some(byte @ b'0'..=b'9') = self.peek()
        {
            value = value * 10 + u32::from(byte - b'0');
            count += 1;
            self.at += 1;
        }
        (count >= least).then_some(value)
    }

    /// Four digits, or `+` and five to nine (`-` and four at least).
    fn year(&mut self) -> Option<i64> {
        let start = self.at;
        let sign = self.peek()?;
        if matches!(sign, b'+' | b'-') {
            self.at += 1;
        }
        let first = self.at;
        let value = i64::from(self.digits(4, 9)?);
        let count = self.at - first;
        match sign {
            b'+' if count > 4 => Some(value),
            b'-' => Some(-value),
            _ if first == start && count == 4 => Some(value),
            _ => None,
        }
    }

    /// `.` and up to nine digits, or nothing.
    fn fraction(&mut self) -> Option<i64> {
        if self.eat(b'.').is_none() {
            return Some(0);
        }
        let start = self.at;
        let value = self.digits(0, 9)?;
        Some(i64::from(value) * 10i64.pow(9 - (self.at - start) as u32))
    }

    /// A date whose month and day have `least` to two digits. `clamp` takes 31 February for the last of February.
    fn date(&mut self, least: usize, clamp: bool) -> Option<i64> {
        let year = self.year()?;
        self.eat(b'-')?;
        let month = self.digits(least, 2)?;
        self.eat(b'-')?;
        let day = self.digits(least, 2)?;
        let last = if (1..=12).contains(&month) { days_in_month(year, month) } else { return None };
        match day {
            1..=31 if day <= last || clamp => Some(days_from_civil(year, month, day.min(last))),
            _ => None,
        }
    }

    /// Nanoseconds of the day of `HH:mm:ss.fffffffff`; 24:00:00 is a whole day.
    fn time(&mut self, least: usize, optional_seconds: bool) -> Option<i64> {
        let hour = i64::from(self.digits(least.max(1), 2)?);
        self.eat(b':')?;
        let minute = i64::from(self.digits(least, 2)?);
        let (second, fraction) = if optional_seconds && self.peek() != Some(b':') {
            (0, 0)
        } else {
            self.eat(b':')?;
            (i64::from(self.digits(least, 2)?), self.fraction()?)
        };
        let nanos = ((hour * 60 + minute) * 60 + second) * 1_000_000_000 + fraction;
        let whole_day = hour == 24 && nanos == NANOS_PER_DAY;
        (whole_day || hour < 24 && minute < 60 && second < 60).then_some(nanos)
    }
}

fn civil(days: i64, nanos: i64) -> Civil {
    Civil { days: days + nanos / NANOS_PER_DAY, nanos: nanos % NANOS_PER_DAY }
}

/// CAST of a string to TIMESTAMP: `2020-1-2`, `2020-01-02 3:04:05.678`.
pub fn parse_timestamp(text: &str) -> Option<Civil> {
    let mut cursor = Cursor::new(text);
    let days = cursor.date(1, true)?;
    if days < days_from_civil(1, 1, 1) {
        return None;
    }
    if cursor.at_end() {
        return Some(civil(days, 0));
    }
    cursor.eat(b' ')?;
    let nanos = cursor.time(0, false)?;
    cursor.at_end().then(|| civil(days, nanos))
}

/// JSON's SQL standard for TIMESTAMP: `2020-01-02 03:04:05.678`.
pub fn parse_timestamp_sql(text: &str) -> Option<Civil> {
    let mut cursor = Cursor::new(text);
    let at = sql(&mut cursor, b' ')?;
    cursor.at_end().then_some(at)
}

/// JSON's SQL standard for TIMESTAMP_LTZ: `2020-01-02 03:04:05.678Z`.
pub fn parse_timestamp_sql_z(text: &str) -> Option<Civil> {
    let mut cursor = Cursor::new(text);
    let at = sql(&mut cursor, b' ')?;
    cursor.eat(b'Z')?;
    cursor.at_end().then_some(at)
}

/// JSON's ISO-8601 standard for TIMESTAMP: `2020-01-02T03:04[:05.678]`.
pub fn parse_timestamp_iso(text: &str) -> Option<Civil> {
    let mut cursor = Cursor::new(text);
    let days = cursor.date(2, false)?;
    cursor.eat(b'T').or_else(|| cursor.eat(b't'))?;
    let nanos = cursor.time(2, true)?;
    (cursor.at_end() && nanos < NANOS_PER_DAY).then(|| civil(days, nanos))
}

/// JSON's ISO-8601 standard for TIMESTAMP_LTZ: `2020-01-02T03:04[:05.678]Z`.
pub fn parse_timestamp_iso_z(text: &str) -> Option<Civil> {
    let mut cursor = Cursor::new(text);
    let days = cursor.date(2, true)?;
    cursor.eat(b'T')?;
    let nanos = cursor.time(2, true)?;
    cursor.eat(b'Z')?;
    cursor.at_end().then(|| civil(days, nanos))
}

fn sql(cursor: &mut Cursor<'_>, separator: u8) -> Option<Civil> {
    let days = cursor.date(2, true)?;
    cursor.eat(separator)?;
    let nanos = cursor.time(2, false)?;
    Some(civil(days, nanos))
}

/// JSON's dates: `2020-01-02` alone.
pub fn parse_date_iso(text: &str) -> Option<i32> {
    let mut cursor = Cursor::new(text);
    let days = cursor.date(2, false)?;
    if cursor.at_end() { i32::try_from(days).ok() } else { None }
}

/// JSON's times: `HH:mm:ss[.f]` in milliseconds of the day; digits beyond milliseconds are cut off.
pub fn parse_time_json(text: &str) -> Option<i32> {
    let mut cursor = Cursor::new(text);
    let nanos = cursor.time(2, false)?;
    (cursor.at_end() && nanos < NANOS_PER_DAY).then_some((nanos / 1_000_000) as i32)
}

/// Digits with white space around.
fn number(text: &str) -> Option<i32> {
    let text = text.trim();
    (!text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse().ok())?
}

/// CAST of a string to DATE: `2020`, `2020-2`, `2020-02-03`, and what stands after a blank is not looked at.
pub fn parse_date(text: &str) -> Option<i32> {
    let text = match text.find(' ') {
        Some(blank) if blank > 0 => &text[..blank],
        _ => text,
    };
    let mut parts = text.splitn(3, '-');
    let year = number(parts.next()?)?;
    let month = parts.next().map_or(Some(1), number)?;
    let day = parts.next().map_or(Some(1), number)?;
    if !(0..=9_999).contains(&year) || !(1..=12).contains(&month) || day < 1 {
        return None;
    }
    let (year, month, day) = (i64::from(year), month as u32, day as u32);
    (day <= days_in_month(year, month)).then(|| days_from_civil(year, month, day) as i32)
}

/// CAST of a string to TIME, in milliseconds of the day: `12`, `12:34`, `12:34:56.789`, with an offset that is
/// added to the time for `+` and taken away for `-`.
pub fn parse_time(text: &str) -> Option<i32> {
    let (clock, sign, offset) = match text.find('-').map(|at| (at, -1)).or_else(|| text.find('+').map(|at| (at, 1))) {
        Some((at, sign)) => (&text[..at], sign, Some(&text[at + 1..])),
        None => (text, 1, None),
    };
    let mut parts = clock.splitn(3, ':');
    let mut hour = number(parts.next()?)?;
    let mut minute = parts.next().map_or(Some(0), number)?;
    let (second, fraction) = match parts.next().map(|seconds| seconds.split_once('.').unwrap_or((seconds, ""))) {
        Some((second, fraction)) => (number(second)?, fraction_ms(fraction.trim())?),
        None => (0, 0),
    };
    if let Some(offset) = offset {
        let (offset_hour, offset_minute) = match offset.split_once(':') {
            Some((hour, minute)) => (number(hour)?, number(minute)?),
            None => (number(offset)?, 0),
        };
        hour += sign * offset_hour;
        minute += sign * offset_minute;
    }
    let valid = (0..24).contains(&hour) && (0..60).contains(&minute) && (0..60).contains(&second);
    valid.then(|| ((hour * 60 + minute) * 60 + second) * 1_000 + fraction)
}

/// The first three digits, rounded by the fourth.
fn fraction_ms(digits: &str) -> Option<i32> {
    let mut value = 0;
    for (i, byte) in digits.bytes().enumerate() {
        if !byte.is_ascii_digit() {
            return None;
        }
        let digit = i32::from(byte - b'0');
        match i {
            0..3 => value += digit * 10i32.pow(2 - i as u32),
            3 => value += i32::from(digit >= 5),
            _ => {}
        }
    }
    Some(value)
}
