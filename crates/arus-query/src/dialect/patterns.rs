//! The patterns of `to_char`, `to_date` and `to_timestamp` for dates and times.

use arus_core::error::Code;
use arus_core::postgres_time::Zone;
use arus_core::text::{DAYS, MONTHS};
use chrono::{Datelike, NaiveDate, NaiveDateTime, NaiveTime, Timelike};
use datafusion::error::Result;

use crate::function::wrong;

const ROMAN: [&str; 12] = ["I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X", "XI", "XII"];

/// Longer ones first.
const KEYWORDS: [&str; 56] = [
    "Y,YYY", "SSSSS", "MONTH", "Month", "month", "IYYY", "YYYY", "SSSS", "HH24", "HH12", "IDDD", "A.M.", "P.M.",
    "a.m.", "p.m.", "B.C.", "A.D.", "IYY", "YYY", "DDD", "DAY", "Day", "day", "MON", "Mon", "mon", "FF1", "FF2", "FF3",
    "FF4", "FF5", "FF6", "TZH", "TZM", "YY", "IY", "WW", "IW", "DD", "ID", "DY", "Dy", "dy", "HH", "MI", "SS", "MS",
    "US", "MM", "RM", "AM", "PM", "am", "pm", "CC", "OF",
];
const SHORT: [&str; 10] = ["TZ", "tz", "BC", "AD", "Y", "I", "D", "W", "Q", "J"];

enum Piece<'a> {
    Keyword { name: &'static str, fill: bool },
    Text(&'a str),
}

fn pieces(pattern: &str) -> Vec<Piece<'_>> {
    let mut pieces = vec![];
    let mut rest = pattern;
    let mut fill = true;
    while let Some(first) = rest.chars().next() {
        if let Some(tail) = rest.strip_prefix("FM") {
            fill = false;
            rest = tail;
            continue;
        }
        if let Some(name) = KEYWORDS.iter().chain(&SHORT).find(|k| rest.starts_with(**k)) {
            pieces.push(Piece::Keyword { name, fill });
            fill = true;
            rest = &rest[name.len()..];
            if let Some(tail) = rest.strip_prefix("th").or_else(|| rest.strip_prefix("TH")) {
                let upper = rest.starts_with("TH");
                pieces.push(Piece::Keyword { name: if upper { "TH" } else { "th" }, fill });
                rest = tail;
            }
            continue;
        }
        if first == '"' {
            let end = rest[1..].find('"').map_or(rest.len(), |at| at + 1);
            pieces.push(Piece::Text(&rest[1..end]));
            rest = rest.get(end + 1..).unwrap_or_default();
            continue;
        }
        let (text, tail) = rest.split_at(first.len_utf8());
        pieces.push(Piece::Text(text));
        rest = tail;
    }
    pieces
}

fn like(model: &str, text: &str) -> String {
    if model.chars().all(|c| !c.is_lowercase()) {
        text.to_uppercase()
    } else if model.chars().all(|c| !c.is_uppercase()) {
        text.to_lowercase()
    } else {
        text.into()
    }
}

fn ordinal(number: &str) -> &'static str {
    let number: i64 = number.chars().filter(char::is_ascii_digit).collect::<String>().parse().unwrap_or(0);
    match (number % 10, number % 100) {
        (_, 11..=13) => "th",
        (1, _) => "st",
        (2, _) => "nd",
        (3, _) => "rd",
        _ => "th",
    }
}

pub(super) fn write(t: NaiveDateTime, pattern: &str, zone: Zone) -> String {
    let mut out = String::new();
    let mut last_number = String::new();
    for piece in pieces(pattern) {
        let (name, fill) = match piece {
            Piece::Text(text) => {
                out.push_str(text);
                continue;
            }
            Piece::Keyword { name, fill } => (name, fill),
        };
        let number = |value: i64, width: usize| if fill { format!("{value:0width$}") } else { value.to_string() };
        let padded = |text: String| if fill { format!("{text:<9}") } else { text };
        let hour12 = i64::from((t.hour() + 11) % 12 + 1);
        let micro = i64::from(t.nanosecond() / 1000);
        let year = i64::from(t.year());
        let iso = i64::from(t.iso_week().year());
        let text = match name {
            "Y,YYY" => format!("{},{:03}", year / 1000, year % 1000),
            "YYYY" => number(year, 4),
            "YYY" => number(year % 1000, 3),
            "YY" => number(year % 100, 2),
            "Y" => number(year % 10, 1),
            "IYYY" => number(iso, 4),
            "IYY" => number(iso % 1000, 3),
            "IY" => number(iso % 100, 2),
            "I" => number(iso % 10, 1),
            "MONTH" | "Month" | "month" => padded(like(name, MONTHS[t.month0() as usize])),
            "MON" | "Mon" | "mon" => like(name, &MONTHS[t.month0() as usize][..3]),
            "DAY" | "Day" | "day" => padded(like(name, DAYS[t.weekday().num_days_from_sunday() as usize])),
            "DY" | "Dy" | "dy" => like(name, &DAYS[t.weekday().num_days_from_sunday() as usize][..3]),
            "MM" => number(t.month().into(), 2),
            "DDD" => number(t.ordinal().into(), 3),
            "DD" => number(t.day().into(), 2),
            "D" => number(i64::from(t.weekday().num_days_from_sunday()) + 1, 1),
            "ID" => number(t.weekday().number_from_monday().into(), 1),
            "IDDD" => number(i64::from(t.iso_week().week0()) * 7 + i64::from(t.weekday().number_from_monday()), 3),
            "W" => number(i64::from(t.day0() / 7) + 1, 1),
            "WW" => number(i64::from(t.ordinal0() / 7) + 1, 2),
            "IW" => number(t.iso_week().week().into(), 2),
            "Q" => number(i64::from(t.month0() / 3) + 1, 1),
            "CC" => number((year + 99).div_euclid(100), 2),
            "J" => number(i64::from(t.num_days_from_ce()) + 1_721_425, 1),
            "RM" => {
                if fill {
                    format!("{:<4}", ROMAN[t.month0() as usize])
                } else {
                    ROMAN[t.month0() as usize].into()
                }
            }
            "HH24" => number(t.hour().into(), 2),
            "HH" | "HH12" => number(hour12, 2),
            "MI" => number(t.minute().into(), 2),
            "SS" => number(t.second().into(), 2),
            "MS" | "FF3" => number(micro / 1000, 3),
            "US" | "FF6" => number(micro, 6),
            "FF1" => number(micro / 100_000, 1),
            "FF2" => number(micro / 10_000, 2),
            "FF4" => number(micro / 100, 4),
            "FF5" => number(micro / 10, 5),
            "SSSS" | "SSSSS" => number(t.num_seconds_from_midnight().into(), 1),
            "AM" | "PM" => if t.hour() < 12 { "AM" } else { "PM" }.into(),
            "am" | "pm" => if t.hour() < 12 { "am" } else { "pm" }.into(),
            "A.M." | "P.M." => if t.hour() < 12 { "A.M." } else { "P.M." }.into(),
            "a.m." | "p.m." => if t.hour() < 12 { "a.m." } else { "p.m." }.into(),
            "BC" | "AD" => if year > 0 { "AD" } else { "BC" }.into(),
            "B.C." | "A.D." => if year > 0 { "A.D." } else { "B.C." }.into(),
            "th" => ordinal(&last_number).into(),
            "TH" => ordinal(&last_number).to_uppercase(),
            "TZ" | "tz" | "OF" | "TZH" | "TZM" => {
                let offset = zone.offset_seconds(t.and_utc().timestamp_micros());
                let (sign, size) = if offset < 0 { ('-', -offset) } else { ('+', offset) };
                match name {
                    "TZM" => format!("{:02}", size / 60 % 60),
                    "TZH" | "OF" => format!("{sign}{:02}", size / 3600),
                    _ if offset == 0 => like(name, "UTC"),
                    _ => format!("{sign}{:02}", size / 3600),
                }
            }
            _ => String::new(),
        };
        last_number.clone_from(&text);
        out.push_str(&text);
    }
    out
}

pub(super) fn read(text: &str, pattern: &str) -> Result<NaiveDateTime> {
    let mut rest = text.trim_start();
    let (mut year, mut month, mut day) = (1, 1, 1);
    let (mut hour, mut minute, mut second, mut micro, mut afternoon) = (0, 0, 0, 0, None);
    let wrong_text =
        |name: &str, rest: &str| wrong(Code::InvalidText, format!("invalid value \"{rest}\" for \"{name}\""));
    for piece in pieces(pattern) {
        let name = match piece {
            Piece::Text(text) => {
                let blank = |c: char| !c.is_alphanumeric();
                if text.chars().all(blank) {
                    rest = rest.trim_start_matches(|c: char| c.is_whitespace() || text.contains(c));
                } else {
                    rest = rest.get(text.len()..).unwrap_or_default();
                }
                continue;
            }
            Piece::Keyword { name, .. } => name,
        };
        rest = rest.trim_start();
        let named = |names: &[&str]| {
            let found = names.iter().position(|n| rest.get(..3).is_some_and(|r| r.eq_ignore_ascii_case(&n[..3])));
            found.map(|at| (at as u32, rest.find(|c: char| !c.is_alphabetic()).unwrap_or(rest.len())))
        };
        let width = match name {
            "YYYY" | "IYYY" => 4,
            "DDD" | "MS" | "FF3" | "YYY" => 3,
            "US" | "FF6" => 6,
            _ => 2,
        };
        match name {
            "MONTH" | "Month" | "month" | "MON" | "Mon" | "mon" => {
                let (at, length) = named(&MONTHS).ok_or_else(|| wrong_text(name, rest))?;
                month = at + 1;
                rest = &rest[if name.len() == 3 { 3 } else { length }..];
                continue;
            }
            "DAY" | "Day" | "day" | "DY" | "Dy" | "dy" => {
                let (_, length) = named(&DAYS).ok_or_else(|| wrong_text(name, rest))?;
                rest = &rest[length..];
                continue;
            }
            "AM" | "PM" | "am" | "pm" => {
                afternoon = Some(rest.to_uppercase().starts_with('P'));
                rest = rest.get(2..).unwrap_or_default();
                continue;
            }
            "th" | "TH" => {
                rest = rest.get(2..).unwrap_or_default();
                continue;
            }
            _ => {}
        }
        let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len()).min(width);
        let (digits, tail) = rest.split_at(end);
        let number: u32 = digits.parse().map_err(|_| wrong_text(name, rest))?;
        rest = tail;
        match name {
            "YYYY" | "IYYY" | "YYY" => year = number as i32,
            "YY" => year = if number < 70 { 2000 } else { 1900 } + number as i32,
            "MM" => month = number,
            "DD" => day = number,
            "HH24" | "HH" | "HH12" => hour = number,
            "MI" => minute = number,
            "SS" => second = number,
            "MS" | "FF3" => micro = format!("{digits:0<3}").parse::<u32>().unwrap_or(0) * 1000,
            "US" | "FF6" => micro = format!("{digits:0<6}").parse().unwrap_or(0),
            _ => return Err(wrong(Code::NotSupported, format!("\"{name}\" in a pattern that is read"))),
        }
    }
    if let Some(afternoon) = afternoon {
        hour = hour % 12 + if afternoon { 12 } else { 0 };
    }
    let date = NaiveDate::from_ymd_opt(year, month, day);
    let time = NaiveTime::from_hms_micro_opt(hour, minute, second, micro);
    match (date, time) {
        (Some(date), Some(time)) => Ok(date.and_time(time)),
        _ => Err(wrong(Code::InvalidValue, format!("date/time field value out of range: \"{text}\""))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_those_of_postgres() {
        let t =
            NaiveDate::from_ymd_opt(2024, 3, 5).and_then(|d| d.and_hms_micro_opt(15, 4, 5, 60_000)).expect("a time");
        let written = |pattern| write(t, pattern, Zone::UTC);
        assert_eq!(written("YYYY-MM-DD HH24:MI:SS.MS"), "2024-03-05 15:04:05.060");
        assert_eq!(written("Day, DDth Month YYYY"), "Tuesday  , 05th March     2024");
        assert_eq!(written("FMDay, FMDDth FMMonth"), "Tuesday, 5th March");
        assert_eq!(written("HH12:MI am \"at\" Q"), "03:04 pm at 1");
        assert_eq!(
            read("05 Mar 2024 03:04 PM", "DD Mon YYYY HH12:MI PM").expect("a time").to_string(),
            "2024-03-05 15:04:00"
        );
        assert!(read("2024-13-01", "YYYY-MM-DD").is_err());
    }
}
