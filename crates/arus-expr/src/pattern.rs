//! Java's `DateTimeFormatter` patterns for local times, in English, with weeks that start on Sunday.

use arus_core::text::{Civil, DAYS, MONTHS, NANOS_PER_DAY, days_from_civil, days_in_month};

const QUARTERS: [&str; 4] = ["1st quarter", "2nd quarter", "3rd quarter", "4th quarter"];

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pattern {
    items: Vec<Item>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Item {
    Text(String),
    Field(char, usize),
    OptionalStart,
    OptionalEnd,
}

/// How often a letter may stand.
fn most_letters(letter: char) -> Option<usize> {
    Some(match letter {
        'a' | 'F' | 'W' => 1,
        'd' | 'h' | 'H' | 'k' | 'K' | 'm' | 's' | 'w' => 2,
        'D' => 3,
        'M' | 'L' | 'E' | 'e' | 'c' | 'Q' | 'q' | 'G' => 5,
        'S' => 9,
        'A' | 'n' | 'N' | 'u' | 'y' | 'Y' | 'g' => 19,
        // Zones: part of the language, but local times have none.
        'V' => 2,
        'v' | 'z' | 'O' => 4,
        'X' | 'x' | 'Z' => 5,
        _ => return None,
    })
}

fn is_zone(letter: char) -> bool {
    matches!(letter, 'V' | 'v' | 'z' | 'O' | 'X' | 'x' | 'Z')
}

impl Pattern {
    pub(crate) fn parse(pattern: &str) -> Result<Pattern, String> {
        let mut items: Vec<Item> = Vec::new();
        let mut chars = pattern.chars().peekable();
        let mut depth = 0usize;
        while let Some(c) = chars.next() {
            match c {
                'A'..='Z' | 'a'..='z' => {
                    let mut count = 1;
                    while chars.next_if_eq(&c).is_some() {
                        count += 1;
                    }
                    let most = most_letters(c).ok_or_else(|| format!("Unknown pattern letter: {c}"))?;
                    if count > most {
                        return Err(format!("Too many pattern letters: {c}"));
                    }
                    items.push(Item::Field(c, count));
                }
                '\'' => {
                    let mut text = String::new();
                    loop {
                        match chars.next() {
                            Some('\'') if chars.next_if_eq(&'\'').is_some() => text.push('\''),
                            Some('\'') => break,
                            Some(other) => text.push(other),
                            None => return Err(format!("Pattern ends with an incomplete string literal: {pattern}")),
                        }
                    }
                    // Two quotes stand for one.
                    push_text(&mut items, if text.is_empty() { "'" } else { &text });
                }
                '[' => {
                    depth += 1;
                    items.push(Item::OptionalStart);
                }
                ']' => {
                    depth = depth
                        .checked_sub(1)
                        .ok_or_else(|| "Pattern invalid as it contains ] without previous [".to_owned())?;
                    items.push(Item::OptionalEnd);
                }
                '{' | '}' | '#' => return Err(format!("Pattern includes reserved character: '{c}'")),
                _ => push_text(&mut items, c.encode_utf8(&mut [0; 4])),
            }
        }
        items.extend(std::iter::repeat_n(Item::OptionalEnd, depth));
        Ok(Pattern { items })
    }

    /// The most digits of a second's fraction.
    pub(crate) fn fraction_digits(&self) -> usize {
        let digits = |item: &Item| match item {
            Item::Field('S', count) => *count,
            _ => 0,
        };
        self.items.iter().map(digits).max().unwrap_or(0)
    }

    pub(crate) fn format(&self, at: Civil, out: &mut String) -> Result<(), String> {
        for item in &self.items {
            match item {
                Item::Text(text) => out.push_str(text),
                Item::Field(letter, count) => format_field(*letter, *count, at, out)?,
                Item::OptionalStart | Item::OptionalEnd => {}
            }
        }
        Ok(())
    }

    /// The local time; what the pattern does not say is that of 1970-01-01 00:00:00.
    pub(crate) fn parse_text(&self, text: &str) -> Option<Civil> {
        let mut fields = Fields::default();
        let rest = parse_items(&self.items, text, &mut fields)?;
        if rest.is_empty() { fields.resolve() } else { None }
    }
}

fn push_text(items: &mut Vec<Item>, text: &str) {
    match items.last_mut() {
        Some(Item::Text(last)) => last.push_str(text),
        _ => items.push(Item::Text(text.to_owned())),
    }
}

// ---- formatting ----------------------------------------------------------------------------------------

fn pad(out: &mut String, value: i64, width: usize) {
    if value < 0 {
        out.push('-');
    }
    let value = value.unsigned_abs();
    let digits = value.checked_ilog10().unwrap_or(0) as usize + 1;
    (digits..width).for_each(|_| out.push('0'));
    for place in (0..digits as u32).rev() {
        out.push((b'0' + (value / 10u64.pow(place) % 10) as u8) as char);
    }
}

fn name(out: &mut String, full: &str, count: usize) {
    out.push_str(match count {
        4 => full,
        5 => &full[..1],
        _ => &full[..3],
    });
}

/// Week of a year or month whose weeks start on Sunday and whose first day is in week 1; `day` and `first` are days since 1970.
fn week_from(first: i64, day: i64) -> i64 {
    let first_weekday = (first + 4).rem_euclid(7);
    (day - first + first_weekday) / 7 + 1
}

/// Year and week by the United States' rule: the week that holds 1 January is the first.
fn week_of_year(day: i64, year: i64) -> (i64, i64) {
    let next = days_from_civil(year + 1, 1, 1);
    let next_starts = next - (next + 4).rem_euclid(7);
    if day >= next_starts { (year + 1, 1) } else { (year, week_from(days_from_civil(year, 1, 1), day)) }
}

fn format_field(letter: char, count: usize, at: Civil, out: &mut String) -> Result<(), String> {
    let (year, month, day) = at.date();
    let (hour, month_name) = (i64::from(at.hour()), MONTHS[month as usize - 1]);
    let weekday = (at.days + 4).rem_euclid(7);
    let quarter = i64::from(month - 1) / 3 + 1;
    match letter {
        'y' | 'u' | 'Y' => {
            let value = match letter {
                'y' if year <= 0 => 1 - year,
                'Y' => week_of_year(at.days, year).0,
                _ => year,
            };
            if count == 2 {
                pad(out, value.rem_euclid(100), 2);
            } else {
                if count >= 4 && value >= 10i64.pow(count.min(18) as u32) {
                    out.push('+');
                }
                pad(out, value, count);
            }
        }
        'M' | 'L' if count <= 2 => pad(out, i64::from(month), count),
        'M' | 'L' => name(out, month_name, count),
        'd' => pad(out, i64::from(day), count),
        'D' => {
            let day_of_year = at.days - days_from_civil(year, 1, 1) + 1;
            if count < 3 && day_of_year >= 10i64.pow(count as u32) && count == 2 {
                return Err(format!(
                    "Field DayOfYear cannot be printed as the value {day_of_year} exceeds the maximum print width of 2"
                ));
            }
            pad(out, day_of_year, count);
        }
        'Q' | 'q' => match count {
            1 | 2 => pad(out, quarter, count),
            3 => out.push_str(&format!("Q{quarter}")),
            4 => out.push_str(QUARTERS[quarter as usize - 1]),
            _ => pad(out, quarter, 1),
        },
        'E' => name(out, DAYS[weekday as usize], count),
        'e' | 'c' if count <= 2 => pad(out, weekday + 1, count),
        'e' | 'c' => name(out, DAYS[weekday as usize], count),
        'w' => pad(out, week_of_year(at.days, year).1, count),
        'W' => pad(out, week_from(days_from_civil(year, month, 1), at.days), count),
        'F' => pad(out, i64::from((day - 1) % 7 + 1), count),
        'g' => pad(out, at.days + 40_587, count),
        'G' => out.push_str(match (year > 0, count) {
            (true, 4) => "Anno Domini",
            (true, 5) => "A",
            (true, _) => "AD",
            (false, 4) => "Before Christ",
            (false, 5) => "B",
            (false, _) => "BC",
        }),
        'a' => out.push_str(if hour < 12 { "AM" } else { "PM" }),
        'h' => pad(out, (hour + 11) % 12 + 1, count),
        'H' => pad(out, hour, count),
        'k' => pad(out, if hour == 0 { 24 } else { hour }, count),
        'K' => pad(out, hour % 12, count),
        'm' => pad(out, i64::from(at.minute()), count),
        's' => pad(out, i64::from(at.second()), count),
        'S' => pad(out, i64::from(at.fraction()) / 10i64.pow(9 - count as u32), count),
        'A' => pad(out, at.nanos / 1_000_000, count),
        'n' => pad(out, i64::from(at.fraction()), count),
        'N' => pad(out, at.nanos, count),
        _ => return Err(format!("a time without a zone has no '{letter}' to format")),
    }
    Ok(())
}

// ---- parsing -------------------------------------------------------------------------------------------

#[derive(Debug, Clone, Copy, Default)]
struct Fields {
    year: Option<i64>,
    era: Option<bool>,
    month: Option<i64>,
    day: Option<i64>,
    day_of_year: Option<i64>,
    hour: Option<i64>,
    half_day_hour: Option<i64>,
    afternoon: Option<bool>,
    minute: Option<i64>,
    second: Option<i64>,
    nano: Option<i64>,
}

impl Fields {
    fn resolve(self) -> Option<Civil> {
        let mut days = match (self.year, self.month, self.day, self.day_of_year) {
            (Some(year), None, None, Some(day)) if (1..=366).contains(&day) => days_from_civil(year, 1, 1) + day - 1,
            (year, month, day, _) => {
                let whole_date = year.is_some() && month.is_some() && day.is_some();
                let year = if self.era == Some(false) { 1 - year.unwrap_or(1970) } else { year.unwrap_or(1970) };
                let (month, day) = (month.unwrap_or(1), day.unwrap_or(1));
                if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
                    return None;
                }
                let last = i64::from(days_in_month(year, month as u32));
                if day > last && !whole_date {
                    return None;
                }
                days_from_civil(year, month as u32, day.min(last) as u32)
            }
        };
        let hour = match (self.hour, self.half_day_hour, self.afternoon) {
            (Some(hour), _, _) => hour,
            (None, Some(hour), Some(afternoon)) => hour + if afternoon { 12 } else { 0 },
            _ => 0,
        };
        let (minute, second) = (self.minute.unwrap_or(0), self.second.unwrap_or(0));
        let mut nanos = ((hour * 60 + minute) * 60 + second) * 1_000_000_000 + self.nano.unwrap_or(0);
        if hour == 24 && nanos == NANOS_PER_DAY {
            days += 1;
            nanos = 0;
        } else if !(0..24).contains(&hour) || !(0..60).contains(&minute) || !(0..60).contains(&second) {
            return None;
        }
        Some(Civil { days, nanos })
    }

    /// Two values for one field must agree.
    fn set(slot: &mut Option<i64>, value: i64) -> Option<()> {
        if slot.is_some_and(|before| before != value) {
            return None;
        }
        *slot = Some(value);
        Some(())
    }
}

/// Width of a number that never varies.
fn fixed_width(item: &Item) -> Option<usize> {
    match item {
        Item::Field('S', count) => Some(*count),
        Item::Field('M' | 'L' | 'd' | 'h' | 'H' | 'k' | 'K' | 'm' | 's', 2) => Some(2),
        Item::Field('y' | 'u', 2) => Some(2),
        Item::Field('D', 3) => Some(3),
        _ => None,
    }
}

/// Parses the items, and gives what is left of the text.
fn parse_items<'a>(items: &[Item], text: &'a str, fields: &mut Fields) -> Option<&'a str> {
    let mut rest = text;
    let mut i = 0;
    while i < items.len() {
        match &items[i] {
            Item::Text(text) => rest = rest.strip_prefix(text.as_str())?,
            Item::OptionalEnd => {}
            Item::OptionalStart => {
                let end = matching_end(items, i);
                let mut inner = *fields;
                if let Some(after) = parse_items(&items[i + 1..end], rest, &mut inner) {
                    *fields = inner;
                    rest = after;
                }
                i = end;
            }
            Item::Field(letter, count) => {
                let reserved: usize = items[i + 1..].iter().map_while(fixed_width).sum();
                rest = parse_field(*letter, *count, reserved, rest, fields)?;
            }
        }
        i += 1;
    }
    Some(rest)
}

fn matching_end(items: &[Item], start: usize) -> usize {
    let mut depth = 0;
    for (i, item) in items.iter().enumerate().skip(start) {
        match item {
            Item::OptionalStart => depth += 1,
            Item::OptionalEnd => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return i;
        }
    }
    items.len()
}

/// Digits: `least` to `most`, as many as there are but `reserved` for the numbers that follow at once.
fn number(text: &str, least: usize, most: usize, reserved: usize) -> Option<(i64, usize, &str)> {
    let there = text.bytes().take_while(u8::is_ascii_digit).count();
    let taken = there.saturating_sub(reserved).max(least).min(most);
    if taken > there || taken == 0 {
        return None;
    }
    Some((text[..taken].parse().ok()?, taken, &text[taken..]))
}

fn one_of<'a>(text: &'a str, names: &[&str], count: usize) -> Option<(i64, &'a str)> {
    names.iter().enumerate().find_map(|(i, full)| {
        let shown = if count == 4 { full } else { &full[..3] };
        Some((i as i64, text.strip_prefix(shown)?))
    })
}

fn parse_field<'a>(letter: char, count: usize, reserved: usize, text: &'a str, fields: &mut Fields) -> Option<&'a str> {
    let plain = |most: usize| match count {
        1 => number(text, 1, most, reserved),
        _ => number(text, count, count, 0),
    };
    let (value, rest) = match letter {
        'y' | 'u' | 'Y' => {
            let (signed, digits) = match text.strip_prefix('+') {
                Some(digits) if count >= 4 => (true, digits),
                _ => (false, text),
            };
            let (value, width, rest) = match count {
                2 => number(digits, 2, 2, 0)?,
                _ => number(digits, count, 9, reserved)?,
            };
            if count >= 4 && (width > count) != signed || letter == 'y' && value == 0 {
                return None;
            }
            (if count == 2 { value + 2_000 } else { value }, rest)
        }
        'M' | 'L' if count > 2 => {
            let (month, rest) = one_of(text, &MONTHS, count)?;
            (month + 1, rest)
        }
        'E' | 'e' | 'c' => return one_of(text, &DAYS, count).map(|(_, rest)| rest),
        'G' => {
            let (rest, ad) = match text.strip_prefix("AD") {
                Some(rest) => (rest, true),
                None => (text.strip_prefix("BC")?, false),
            };
            fields.era = Some(ad);
            return Some(rest);
        }
        'a' => {
            let (rest, afternoon) = match text.strip_prefix("AM") {
                Some(rest) => (rest, false),
                None => (text.strip_prefix("PM")?, true),
            };
            fields.afternoon = Some(afternoon);
            return Some(rest);
        }
        'S' => {
            let (value, _, rest) = number(text, count, count, 0)?;
            (value * 10i64.pow(9 - count as u32), rest)
        }
        'D' => {
            let (value, _, rest) = if count == 3 { number(text, 3, 3, 0)? } else { number(text, count, 3, reserved)? };
            (value, rest)
        }
        letter if is_zone(letter) => return None,
        _ => {
            let (value, _, rest) = plain(9)?;
            (value, rest)
        }
    };
    let slot = match letter {
        'y' | 'u' | 'Y' => &mut fields.year,
        'M' | 'L' => &mut fields.month,
        'd' => &mut fields.day,
        'D' => &mut fields.day_of_year,
        'H' => &mut fields.hour,
        'k' if (1..=24).contains(&value) => return Fields::set(&mut fields.hour, value % 24).map(|()| rest),
        'h' if (1..=12).contains(&value) => return Fields::set(&mut fields.half_day_hour, value % 12).map(|()| rest),
        'K' if value < 12 => &mut fields.half_day_hour,
        'm' => &mut fields.minute,
        's' => &mut fields.second,
        'S' | 'n' => &mut fields.nano,
        _ => return None,
    };
    Fields::set(slot, value)?;
    Some(rest)
}
