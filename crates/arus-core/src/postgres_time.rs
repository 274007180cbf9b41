//! Dates, times and intervals as PostgreSQL writes them (DateStyle ISO, IntervalStyle postgres), and time zones by name.

use chrono::{DateTime, Datelike, FixedOffset, NaiveDate, Offset, TimeZone, Timelike};
use chrono_tz::Tz;

/// Days from 1970 to 2000, where PostgreSQL counts from.
pub const EPOCH_DAYS: i32 = 10_957;
pub const EPOCH_MICROS: i64 = EPOCH_DAYS as i64 * 86_400_000_000;

/// The session's time zone.
#[derive(Debug, Clone, Copy)]
pub enum Zone {
    Named(Tz),
    Fixed(FixedOffset),
}

impl Zone {
    pub const UTC: Zone = Zone::Named(Tz::UTC);

    /// A name of the tz database, or hours and minutes (`+02:00`; `-7`, east of Greenwich is positive).
    pub fn parse(name: &str) -> Option<Zone> {
        let name = name.trim();
        if name.eq_ignore_ascii_case("utc") || name.eq_ignore_ascii_case("z") || name.eq_ignore_ascii_case("zulu") {
            return Some(Zone::UTC);
        }
        if let Ok(tz) = name.parse::<Tz>() {
            return Some(Zone::Named(tz));
        }
        if let Some(tz) = chrono_tz::TZ_VARIANTS.iter().find(|tz| tz.name().eq_ignore_ascii_case(name)) {
            return Some(Zone::Named(*tz));
        }
        let digits = name.strip_prefix("<").map_or(name, |n| n.split('>').next().unwrap_or(n));
        let (sign, rest) = match digits.strip_prefix('-') {
            Some(rest) => (-1, rest),
            None => (1, digits.trim_start_matches('+')),
        };
        let (hours, minutes) = rest.split_once(':').unwrap_or((rest, "0"));
        let (hours, minutes): (f64, i32) = (hours.parse().ok()?, minutes.parse().ok()?);
        let seconds = (hours * 3600.0) as i32 + minutes * 60;
        FixedOffset::east_opt(sign * seconds).filter(|_| seconds <= 15 * 3600).map(Zone::Fixed)
    }

    /// The clock of this zone at an instant; both in microseconds since 1970.
    pub fn to_local(self, instant: i64) -> i64 {
        instant.saturating_add(i64::from(self.offset_seconds(instant)) * 1_000_000)
    }

    /// The instant at which the clock of this zone shows a time. One that is skipped comes later by the gap, of two the first.
    pub fn to_instant(self, local: i64) -> i64 {
        let guess = local.saturating_sub(i64::from(self.offset_seconds(local)) * 1_000_000);
        let by = |at: i64| local.saturating_sub(i64::from(self.offset_seconds(at)) * 1_000_000);
        let (early, late) = (by(guess.saturating_sub(86_400_000_000)), by(guess.saturating_add(86_400_000_000)));
        match (self.to_local(early) == local, self.to_local(late) == local) {
            (true, _) => early,
            (false, true) => late,
            (false, false) => early,
        }
    }

    /// East of Greenwich, at an instant.
    pub fn offset_seconds(self, micros: i64) -> i32 {
        match self {
            Zone::Fixed(offset) => offset.local_minus_utc(),
            Zone::Named(tz) => match DateTime::from_timestamp_micros(micros) {
                Some(instant) => tz.offset_from_utc_datetime(&instant.naive_utc()).fix().local_minus_utc(),
                None => 0,
            },
        }
    }
}

pub fn write_date(out: &mut String, days: i32) {
    let date = NaiveDate::from_num_days_from_ce_opt(days.saturating_add(719_163));
    match date {
        Some(date) if date.year() > 0 => {
            out.push_str(&format!("{:04}-{:02}-{:02}", date.year(), date.month(), date.day()));
        }
        // There is no year 0: the one before 1 is 1 BC.
        Some(date) => out.push_str(&format!("{:04}-{:02}-{:02} BC", 1 - date.year(), date.month(), date.day())),
        None => out.push_str(if days > 0 { "infinity" } else { "-infinity" }),
    }
}

pub fn write_time(out: &mut String, micros: i64) {
    let (seconds, fraction) = (micros.div_euclid(1_000_000), micros.rem_euclid(1_000_000));
    out.push_str(&format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60));
    write_fraction(out, fraction);
}

/// Without the zeros at its end.
fn write_fraction(out: &mut String, micros: i64) {
    if micros != 0 {
        let digits = format!("{micros:06}");
        out.push('.');
        out.push_str(digits.trim_end_matches('0'));
    }
}

pub fn write_timestamp(out: &mut String, micros: i64) {
    let Some(time) = DateTime::from_timestamp_micros(micros) else {
        out.push_str(if micros > 0 { "infinity" } else { "-infinity" });
        return;
    };
    let time = time.naive_utc();
    let year = if time.year() > 0 { time.year() } else { 1 - time.year() };
    out.push_str(&format!(
        "{year:04}-{:02}-{:02} {:02}:{:02}:{:02}",
        time.month(),
        time.day(),
        time.hour(),
        time.minute(),
        time.second()
    ));
    write_fraction(out, i64::from(time.nanosecond() / 1_000));
    if time.year() <= 0 {
        out.push_str(" BC");
    }
}

pub fn write_instant(out: &mut String, micros: i64, zone: Zone) {
    let offset = zone.offset_seconds(micros);
    let mut text = String::new();
    write_timestamp(&mut text, micros.saturating_add(i64::from(offset) * 1_000_000));
    let (text, era) = match text.strip_suffix(" BC") {
        Some(text) => (text, " BC"),
        None => (text.as_str(), ""),
    };
    out.push_str(text);
    let (sign, size) = if offset < 0 { ('-', -offset) } else { ('+', offset) };
    out.push_str(&format!("{sign}{:02}", size / 3600));
    if size % 3600 != 0 {
        out.push_str(&format!(":{:02}", size / 60 % 60));
        if size % 60 != 0 {
            out.push_str(&format!(":{:02}", size % 60));
        }
    }
    out.push_str(era);
}

pub fn write_interval(out: &mut String, months: i32, days: i32, micros: i64) {
    let start = out.len();
    let mut negative_before = false;
    let mut part = |out: &mut String, count: i32, unit: &str| {
        if count == 0 {
            return;
        }
        if out.len() > start {
            out.push(' ');
        }
        // After a negative part a positive one is told by its sign.
        let plus = if negative_before && count > 0 { "+" } else { "" };
        let plural = if count == 1 { "" } else { "s" };
        out.push_str(&format!("{plus}{count} {unit}{plural}"));
        negative_before = count < 0;
    };
    part(out, months / 12, "year");
    part(out, months % 12, "mon");
    part(out, days, "day");
    if micros != 0 || out.len() == start {
        if out.len() > start {
            out.push(' ');
        }
        if micros < 0 {
            out.push('-');
        } else if negative_before {
            out.push('+');
        }
        let size = micros.unsigned_abs();
        let seconds = size / 1_000_000;
        out.push_str(&format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60));
        write_fraction(out, (size % 1_000_000) as i64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_go_both_ways() {
        let berlin = Zone::parse("Europe/Berlin").expect("a zone");
        let minute = |m: i64| m * 60_000_000;
        // 2024-03-31 02:30 is skipped there, 2024-10-27 02:30 comes twice.
        let (skipped, twice) = (minute(28_530_870), minute(28_833_270));
        assert_eq!(berlin.to_instant(skipped), minute(28_530_810));
        assert_eq!(berlin.to_instant(twice), minute(28_833_150));
        assert_eq!(berlin.to_local(minute(28_833_150)), twice);
    }

    #[test]
    fn intervals_are_written_as_postgres_does() {
        let text = |months, days, micros| {
            let mut out = String::new();
            write_interval(&mut out, months, days, micros);
            out
        };
        assert_eq!(text(14, 3, 3_723_500_000), "1 year 2 mons 3 days 01:02:03.5");
        assert_eq!(text(-1, 1, 0), "-1 mons +1 day");
        assert_eq!(text(0, -1, 60_000_000), "-1 days +00:01:00");
        assert_eq!(text(0, 0, 0), "00:00:00");
        assert_eq!(text(0, 0, -1_000_000), "-00:00:01");
    }

    #[test]
    fn instants_are_shown_in_the_session_zone() {
        let text = |zone: &str| {
            let mut out = String::new();
            write_instant(&mut out, 1_704_448_800_123_000, Zone::parse(zone).expect("a zone"));
            out
        };
        assert_eq!(text("UTC"), "2024-01-05 10:00:00.123+00");
        assert_eq!(text("europe/berlin"), "2024-01-05 11:00:00.123+01");
        assert_eq!(text("Asia/Kolkata"), "2024-01-05 15:30:00.123+05:30");
        assert_eq!(text("-7"), "2024-01-05 03:00:00.123-07");
        assert!(Zone::parse("Nowhere/City").is_none());
    }
}
