//! Time zones by Java's names, with Java's rules where local times repeat or do not exist.

use chrono::{LocalResult, NaiveDateTime, Offset, TimeDelta, TimeZone};

use crate::error::{Code, Error, Result};

/// An IANA zone or a fixed offset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Zone {
    /// Milliseconds east of UTC.
    Fixed(i64),
    Named(chrono_tz::Tz),
}

impl Zone {
    pub const UTC: Zone = Zone::Fixed(0);

    /// `UTC`, `Europe/Berlin`, `+02:00`, `GMT+2`, `UTC-08:00`.
    pub fn parse(name: &str) -> Result<Zone> {
        if matches!(name, "UTC" | "GMT" | "Z" | "UT" | "Etc/UTC") {
            return Ok(Zone::UTC);
        }
        if let Ok(zone) = name.parse::<chrono_tz::Tz>() {
            return Ok(Zone::Named(zone));
        }
        let offset = ["UTC", "GMT", "UT"].iter().find_map(|p| name.strip_prefix(p)).unwrap_or(name);
        parse_offset(offset).map(Zone::Fixed).ok_or_else(|| {
            Error::user(format!("unknown time zone '{name}'"))
                .with_code(Code::InvalidValue)
                .with_hint("take a name such as 'UTC', 'Europe/Berlin' or 'GMT+02:00'")
        })
    }

    /// Milliseconds east of UTC at this instant.
    pub fn offset_at_ms(&self, instant_ms: i64) -> i64 {
        match self {
            Zone::Fixed(offset) => *offset,
            Zone::Named(zone) => match chrono::DateTime::from_timestamp_millis(instant_ms) {
                Some(at) => i64::from(zone.offset_from_utc_datetime(&at.naive_utc()).fix().local_minus_utc()) * 1_000,
                None => 0,
            },
        }
    }

    /// Milliseconds east of UTC at this local time: of two the earlier one's; where the clock skips, the offset
    /// before the gap, which moves the time forward by its length.
    pub fn offset_at_local_ms(&self, local_ms: i64) -> i64 {
        let zone = match self {
            Zone::Fixed(offset) => return *offset,
            Zone::Named(zone) => zone,
        };
        let Some(local) = chrono::DateTime::from_timestamp_millis(local_ms).map(|t| t.naive_utc()) else {
            return 0;
        };
        let offset_of = |local: &NaiveDateTime| match zone.offset_from_local_datetime(local) {
            LocalResult::Single(offset) | LocalResult::Ambiguous(offset, _) => Some(offset.fix().local_minus_utc()),
            LocalResult::None => None,
        };
        // No zone ever skipped more than a day.
        let before = || local.checked_sub_signed(TimeDelta::days(1)).and_then(|day_before| offset_of(&day_before));
        i64::from(offset_of(&local).or_else(before).unwrap_or(0)) * 1_000
    }

    /// The local time of an instant, both in ms, us or ns (`units_per_ms`); `None` out of range.
    pub fn to_local(&self, instant: i64, units_per_ms: i64) -> Option<i64> {
        let offset = self.offset_at_ms(instant.div_euclid(units_per_ms));
        instant.checked_add(offset * units_per_ms)
    }

    /// The instant of a local time, both in ms, us or ns (`units_per_ms`); `None` out of range.
    pub fn to_instant(&self, local: i64, units_per_ms: i64) -> Option<i64> {
        let offset = self.offset_at_local_ms(local.div_euclid(units_per_ms));
        local.checked_sub(offset * units_per_ms)
    }
}

/// `+2`, `+02`, `+0200`, `+02:00`, `+02:00:00`
fn parse_offset(text: &str) -> Option<i64> {
    let sign = match text.as_bytes().first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let rest = &text[1..];
    let parts: Vec<&str> = match rest.len() {
        4 if !rest.contains(':') => vec![rest.get(..2)?, rest.get(2..)?],
        _ => rest.split(':').collect(),
    };
    let mut seconds = 0;
    let mut unit = 3_600;
    if parts.len() > 3 {
        return None;
    }
    for (i, part) in parts.iter().enumerate() {
        let right_width = part.len() == 2 || (i == 0 && part.len() == 1);
        if !right_width || !part.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        seconds += part.parse::<i64>().ok()? * unit;
        unit /= 60;
    }
    (seconds <= 18 * 3_600).then_some(sign * seconds * 1_000)
}
