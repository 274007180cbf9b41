//! Java's `SimpleDateFormat`, in English: lenient, and in the Julian calendar before 15 October 1582.

use arus_core::text::{DAYS, MONTHS, Zone, civil_from_days, days_from_civil};

const MS_PER_DAY: i64 = 86_400_000;
/// 1582-10-15, the first day of the Gregorian calendar.
const GREGORIAN_DAY: i64 = -141_427;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SimpleDate {
    items: Vec<Item>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Item {
    Char(char),
    Field(char, usize),
}

impl SimpleDate {
    pub(crate) fn parse(pattern: &str) -> Result<SimpleDate, String> {
        let mut items = Vec::new();
        let mut chars = pattern.chars().peekable();
        while let Some(c) = chars.next() {
            match c {
                '\'' if chars.next_if_eq(&'\'').is_some() => items.push(Item::Char('\'')),
                '\'' => loop {
                    match chars.next() {
                        Some('\'') if chars.next_if_eq(&'\'').is_some() => items.push(Item::Char('\'')),
                        Some('\'') => break,
                        Some(c) => items.push(Item::Char(c)),
                        None => return Err("Unterminated quote".to_owned()),
                    }
                },
                'A'..='Z' | 'a'..='z' => {
                    let mut count = 1;
                    while chars.next_if_eq(&c).is_some() {
                        count += 1;
                    }
                    if !"GyMwWDdFEaHkKhmsSzZYuXL".contains(c) {
                        return Err(format!("Illegal pattern character '{c}'"));
                    }
                    if c == 'X' && count > 3 {
                        return Err(format!("invalid ISO 8601 format: length={count}"));
                    }
                    items.push(Item::Field(c, count));
                }
                c => items.push(Item::Char(c)),
            }
        }
        Ok(SimpleDate { items })
    }

    /// What of the pattern cannot be read here.
    pub(crate) fn unreadable(&self) -> Option<char> {
        self.items.iter().find_map(|item| match item {
            Item::Field(c @ ('w' | 'W' | 'F' | 'Y'), _) => Some(*c),
            _ => None,
        })
    }

    // ---- formatting

    /// An instant in milliseconds; the error names what the zone has no text for.
    pub(crate) fn format(&self, instant: i64, zone: Zone, out: &mut String) -> Result<(), String> {
        let offset = zone.offset_at_ms(instant);
        let local = instant.wrapping_add(offset);
        let at = Local::new(local);
        for item in &self.items {
            match item {
                Item::Char(c) => out.push(*c),
                Item::Field(letter, count) => at.push(*letter, *count, offset, zone, out)?,
            }
        }
        Ok(())
    }

    // ---- parsing

    /// The instant in milliseconds; `now_ms` tells the century of a year of two digits.
    pub(crate) fn parse_text(&self, text: &str, zone: Zone, now_ms: i64) -> Option<i64> {
        let mut fields = Fields::default();
        let chars: Vec<char> = text.chars().collect();
        let mut at = 0;
        for (i, item) in self.items.iter().enumerate() {
            match item {
                Item::Char(c) => {
                    if chars.get(at) != Some(c) {
                        return None;
                    }
                    at += 1;
                }
                Item::Field(letter, count) => {
                    // A number right before another takes no more digits than it has letters.
                    let abuts = is_number(*letter, *count)
                        && matches!(self.items.get(i + 1), Some(Item::Field(l, n)) if is_number(*l, *n));
                    at = fields.read(*letter, *count, abuts, &chars, at, now_ms)?;
                }
            }
        }
        fields.instant(zone)
    }
}

fn is_number(letter: char, count: usize) -> bool {
    match letter {
        'M' | 'L' => count <= 2,
        'G' | 'E' | 'a' | 'z' | 'Z' | 'X' => false,
        _ => true,
    }
}

/// Year (0 and below are BC), month from 1, day, in the calendar of the time.
fn civil(day: i64) -> (i64, u32, u32) {
    if day >= GREGORIAN_DAY {
        return civil_from_days(day);
    }
    // The Julian calendar: four years are 1,461 days, and 1 March 0000 was day -719,470.
    let shifted = day + 719_470;
    let era = shifted.div_euclid(1_461);
    let of_era = shifted.rem_euclid(1_461);
    let year_of_era = (of_era - of_era / 1_460) / 365;
    let day_of_year = of_era - 365 * year_of_era;
    let month = (5 * day_of_year + 2) / 153;
    let day_of_month = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = era * 4 + year_of_era + i64::from(month <= 2);
    (year, month as u32, day_of_month as u32)
}

/// The day of a date whose month and day may lie beyond their ranges.
fn day_of(year: i64, month: i64, day: i64) -> Option<i64> {
    let months = year.checked_mul(12)?.checked_add(month)?.checked_sub(1)?;
    let (year, month) = (months.div_euclid(12), months.rem_euclid(12) as u32 + 1);
    if !(-5_000_000..=5_000_000).contains(&year) {
        return None;
    }
    let gregorian = days_from_civil(year, month, 1).checked_add(day)?.checked_sub(1)?;
    if gregorian >= GREGORIAN_DAY {
        return Some(gregorian);
    }
    // 1 March of a Julian year, then the days of the months since.
    let shifted_year = if month <= 2 { year - 1 } else { year };
    let shifted_month = i64::from((month + 9) % 12);
    let march = 365 * shifted_year + shifted_year.div_euclid(4) - 719_470;
    march.checked_add((153 * shifted_month + 2) / 5)?.checked_add(day)?.checked_sub(1)
}

struct Local {
    day: i64,
    ms: i64,
    year: i64,
    month: u32,
    day_of_month: u32,
}

impl Local {
    fn new(local: i64) -> Local {
        let day = local.div_euclid(MS_PER_DAY);
        let (year, month, day_of_month) = civil(day);
        Local { day, ms: local.rem_euclid(MS_PER_DAY), year, month, day_of_month }
    }

    /// Sunday is 0.
    fn weekday(&self) -> i64 {
        (self.day + 4).rem_euclid(7)
    }

    /// Weeks begin on Sunday, the first has 1 January; gives the year and the week.
    fn week(&self) -> (i64, i64) {
        let first_week = |year: i64| {
            let new_year = day_of(year, 1, 1).unwrap_or(0);
            new_year - (new_year + 4).rem_euclid(7)
        };
        let year = if self.day >= first_week(self.year + 1) { self.year + 1 } else { self.year };
        (year, (self.day - first_week(year)) / 7 + 1)
    }

    fn push(&self, letter: char, count: usize, offset: i64, zone: Zone, out: &mut String) -> Result<(), String> {
        let mut number = |value: i64, width: usize| out.push_str(&format!("{value:0width$}"));
        let of_era = |year: i64| if year > 0 { year } else { 1 - year };
        let hour = self.ms / 3_600_000;
        match letter {
            'y' | 'Y' => {
                let year = of_era(if letter == 'y' { self.year } else { self.week().0 });
                if count == 2 { number(year % 100, 2) } else { number(year, count) }
            }
            'M' | 'L' => match count {
                ..=2 => number(i64::from(self.month), count),
                3 => out.push_str(&MONTHS[self.month as usize - 1][..3]),
                _ => out.push_str(MONTHS[self.month as usize - 1]),
            },
            'E' => {
                let name = DAYS[self.weekday() as usize];
                out.push_str(if count >= 4 { name } else { &name[..3] });
            }
            'G' => out.push_str(if self.year > 0 { "AD" } else { "BC" }),
            'a' => out.push_str(if hour < 12 { "AM" } else { "PM" }),
            'd' => number(i64::from(self.day_of_month), count),
            'D' => number(self.day - day_of(self.year, 1, 1).unwrap_or(0) + 1, count),
            'w' => number(self.week().1, count),
            'W' => {
                let first = (self.weekday() - i64::from(self.day_of_month) + 1).rem_euclid(7);
                number((i64::from(self.day_of_month) + first - 1) / 7 + 1, count);
            }
            'F' => number((i64::from(self.day_of_month) - 1) / 7 + 1, count),
            'u' => number((self.weekday() + 6) % 7 + 1, count),
            'H' => number(hour, count),
            'k' => number(if hour == 0 { 24 } else { hour }, count),
            'K' => number(hour % 12, count),
            'h' => number(if hour % 12 == 0 { 12 } else { hour % 12 }, count),
            'm' => number(self.ms / 60_000 % 60, count),
            's' => number(self.ms / 1_000 % 60, count),
            'S' => number(self.ms % 1_000, count),
            'X' if offset == 0 => out.push('Z'),
            'Z' | 'X' => {
                let minutes = offset.abs() / 60_000;
                let (hours, rest) = (minutes / 60, minutes % 60);
                out.push(if offset < 0 { '-' } else { '+' });
                out.push_str(&match (letter, count) {
                    ('X', 1) => format!("{hours:02}"),
                    ('X', 3) => format!("{hours:02}:{rest:02}"),
                    _ => format!("{hours:02}{rest:02}"),
                });
            }
            'z' if zone == Zone::UTC => {
                out.push_str(if count >= 4 { "Coordinated Universal Time" } else { "UTC" });
            }
            _ => return Err("names of time zones (z) are known for UTC alone; take Z or X".to_owned()),
        }
        Ok(())
    }
}

#[derive(Default)]
struct Fields {
    before_christ: bool,
    year: Option<i64>,
    month: Option<i64>,
    day: Option<i64>,
    day_of_year: Option<i64>,
    hour: Option<i64>,
    half_day_hour: Option<i64>,
    afternoon: bool,
    minute: i64,
    second: i64,
    ms: i64,
    offset: Option<i64>,
}

impl Fields {
    /// Reads a field from `at` on and gives the place behind it.
    fn read(
        &mut self,
        letter: char,
        count: usize,
        abuts: bool,
        chars: &[char],
        at: usize,
        now_ms: i64,
    ) -> Option<usize> {
        let mut at = at;
        while matches!(chars.get(at), Some(' ' | '\t')) {
            at += 1;
        }
        let names = |names: &[&str]| {
            let long = names.iter().position(|name| starts_with(chars, at, name)).map(|i| (i, names[i].len()));
            long.or_else(|| names.iter().position(|name| starts_with(chars, at, &name[..3])).map(|i| (i, 3)))
        };
        match letter {
            'G' => {
                self.before_christ = starts_with(chars, at, "BC");
                return (self.before_christ || starts_with(chars, at, "AD")).then_some(at + 2);
            }
            'a' => {
                self.afternoon = starts_with(chars, at, "PM");
                return (self.afternoon || starts_with(chars, at, "AM")).then_some(at + 2);
            }
            // The day of the week says nothing that the date does not.
            'E' => return names(&DAYS).map(|(_, length)| at + length),
            'M' | 'L' if count > 2 => {
                let (month, length) = names(&MONTHS)?;
                self.month = Some(month as i64 + 1);
                return Some(at + length);
            }
            'z' | 'Z' | 'X' => {
                let (offset, end) = offset(chars, at)?;
                self.offset = Some(offset);
                return Some(end);
            }
            _ => {}
        }
        let start = at;
        let negative = !abuts && chars.get(at) == Some(&'-');
        at += usize::from(negative);
        let first = at;
        let most = if abuts { count } else { 18 };
        let mut value: i64 = 0;
        while at - first < most
            && let Some(digit) = chars.get(at).and_then(|c| c.to_digit(10))
        {
            value = value * 10 + i64::from(digit);
            at += 1;
        }
        if at == first || abuts && at - start < count {
            return None;
        }
        let value = if negative { -value } else { value };
        match letter {
            'y' => {
                let two_digits = count <= 2 && at - start == 2;
                self.year = Some(if two_digits { in_century(value, now_ms) } else { value });
            }
            'M' | 'L' => self.month = Some(value),
            'd' => self.day = Some(value),
            'D' => self.day_of_year = Some(value),
            'H' => self.hour = Some(value),
            'k' => self.hour = Some(if value == 24 { 0 } else { value }),
            'K' => self.half_day_hour = Some(value),
            'h' => self.half_day_hour = Some(if value == 12 { 0 } else { value }),
            'm' => self.minute = value,
            's' => self.second = value,
            'S' => self.ms = value,
            'u' => {}
            _ => return None,
        }
        Some(at)
    }

    fn instant(&self, zone: Zone) -> Option<i64> {
        let year = self.year.unwrap_or(1970);
        let year = if self.before_christ { 1 - year } else { year };
        let day = match self.day_of_year {
            Some(day) => day_of(year, 1, day)?,
            None => day_of(year, self.month.unwrap_or(1), self.day.unwrap_or(1))?,
        };
        let hour = match (self.hour, self.half_day_hour) {
            (Some(hour), _) => hour,
            (None, half) => half.unwrap_or(0) + if self.afternoon { 12 } else { 0 },
        };
        let minutes = hour.checked_mul(60)?.checked_add(self.minute)?;
        let ms = minutes.checked_mul(60)?.checked_add(self.second)?.checked_mul(1_000)?.checked_add(self.ms)?;
        let local = day.checked_mul(MS_PER_DAY)?.checked_add(ms)?;
        match self.offset {
            Some(offset) => local.checked_sub(offset),
            None => local.checked_sub(calendar_offset(zone, local)),
        }
    }
}

/// The offset that Java's calendar takes for a local time: of two the later one's, where the clock skips the one before.
fn calendar_offset(zone: Zone, local: i64) -> i64 {
    let offset = zone.offset_at_local_ms(local);
    let later = zone.offset_at_ms(local.saturating_sub(offset).saturating_add(3 * 3_600_000));
    if later < offset && zone.offset_at_ms(local.saturating_sub(later)) == later { later } else { offset }
}

/// A year of two digits lies within the 80 years before now and the 20 after it.
fn in_century(year: i64, now_ms: i64) -> i64 {
    let (now, _, _) = civil_from_days(now_ms.div_euclid(MS_PER_DAY));
    let first = now - 80;
    let century = first - first.rem_euclid(100) + year;
    if century < first { century + 100 } else { century }
}

fn starts_with(chars: &[char], at: usize, name: &str) -> bool {
    let mut rest = chars.get(at..).unwrap_or_default().iter();
    name.chars().all(|c| rest.next().is_some_and(|other| other.eq_ignore_ascii_case(&c)))
}

/// `+0200`, `+02:00`, `+02`, `Z`, `GMT+2`, `UTC`, in milliseconds, and the place behind it.
fn offset(chars: &[char], at: usize) -> Option<(i64, usize)> {
    let mut at = at;
    let named = ["GMT", "UTC"].iter().any(|name| starts_with(chars, at, name));
    if named {
        at += 3;
    } else if matches!(chars.get(at), Some('Z' | 'z')) {
        return Some((0, at + 1));
    }
    let sign = match chars.get(at) {
        Some('+') => 1,
        Some('-') => -1,
        _ => return named.then_some((0, at)),
    };
    at += 1;
    let mut digits = Vec::new();
    while digits.len() < 4
        && let Some(c) = chars.get(at)
    {
        match c.to_digit(10) {
            Some(digit) => digits.push(i64::from(digit)),
            None if *c == ':' && (1..=2).contains(&digits.len()) => {
                if digits.len() == 1 {
                    digits.insert(0, 0);
                }
            }
            None => break,
        }
        at += 1;
    }
    let (hours, minutes) = match digits.as_slice() {
        [h] => (*h, 0),
        [h1, h2] => (h1 * 10 + h2, 0),
        [h1, h2, m1, m2] => (h1 * 10 + h2, m1 * 10 + m2),
        _ => return None,
    };
    (hours < 24 && minutes < 60).then_some((sign * (hours * 60 + minutes) * 60_000, at))
}
