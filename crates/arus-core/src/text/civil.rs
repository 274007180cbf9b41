//! Days and times of the proleptic Gregorian calendar.

pub const NANOS_PER_DAY: i64 = 86_400_000_000_000;
pub const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
/// Weeks begin on Sunday.
pub const DAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

/// A local date and time: days since 1970-01-01 and nanoseconds of the day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Civil {
    pub days: i64,
    pub nanos: i64,
}

impl Civil {
    /// `value` in ms, us or ns by `precision`.
    pub fn from_units(value: i64, precision: u8) -> Self {
        let nanos_per_unit = 1_000_000 / crate::types::units_per_ms(precision);
        let units_per_day = NANOS_PER_DAY / nanos_per_unit;
        Civil { days: value.div_euclid(units_per_day), nanos: value.rem_euclid(units_per_day) * nanos_per_unit }
    }

    /// In ms, us or ns by `precision`, digits beyond the precision cut off; `None` beyond the range of 64 bits.
    pub fn to_units(self, precision: u8) -> Option<i64> {
        let nanos_per_unit = 1_000_000 / crate::types::units_per_ms(precision);
        let step = 10i64.pow(9 - u32::from(precision.min(9)));
        let nanos = self.nanos - self.nanos % step;
        self.days.checked_mul(NANOS_PER_DAY / nanos_per_unit)?.checked_add(nanos / nanos_per_unit)
    }

    /// Year, month, day.
    pub fn date(self) -> (i64, u32, u32) {
        civil_from_days(self.days)
    }

    pub fn hour(self) -> u32 {
        (self.nanos / 3_600_000_000_000) as u32
    }

    pub fn minute(self) -> u32 {
        (self.nanos / 60_000_000_000 % 60) as u32
    }

    pub fn second(self) -> u32 {
        (self.nanos / 1_000_000_000 % 60) as u32
    }

    /// Nanoseconds of the second.
    pub fn fraction(self) -> u32 {
        (self.nanos % 1_000_000_000) as u32
    }
}

/// Year, month 1 to 12, day 1 to 31. Years are grouped in eras of 400 that start in March, so that leap days end them.
pub fn civil_from_days(days: i64) -> (i64, u32, u32) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = (day_of_year - (153 * month_from_march + 2) / 5 + 1) as u32;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 } as u32;
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

pub fn days_from_civil(year: i64, month: u32, day: u32) -> i64 {
    let year = year - i64::from(month <= 2);
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let month_from_march = i64::from((month + 9) % 12);
    let day_of_year = (153 * month_from_march + 2) / 5 + i64::from(day) - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

pub fn days_in_month(year: i64, month: u32) -> u32 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year.rem_euclid(4) == 0 && (year.rem_euclid(100) != 0 || year.rem_euclid(400) == 0) => 29,
        2 => 28,
        _ => 31,
    }
}
