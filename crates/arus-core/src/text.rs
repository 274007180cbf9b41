//! Values as text and back, in exactly Flink's (that is Java 17's) forms.
//!
//! CAST, the print sink and the JSON format share these, so that one value has one text. Two families: `write_*`
//! without a suffix is CAST's text, `write_*_print` is what Java's `toString` gives (the print sink). Nothing here
//! allocates but the caller's `String` (and [`write_double`] on values far from 1).

mod civil;
mod double;
mod number;
mod time;
mod zone;

pub use civil::{Civil, DAYS, MONTHS, NANOS_PER_DAY, civil_from_days, days_from_civil, days_in_month};
pub use double::{write_double, write_float};
pub use number::{parse_decimal, parse_double, parse_float, parse_integer, write_decimal, write_decimal_print};
pub use time::{
    parse_date, parse_date_iso, parse_time, parse_time_json, parse_timestamp, parse_timestamp_iso,
    parse_timestamp_iso_z, parse_timestamp_sql, parse_timestamp_sql_z, write_date, write_interval_day_time,
    write_interval_print_day_time, write_interval_print_year_month, write_interval_year_month, write_time,
    write_time_json, write_time_print, write_timestamp, write_timestamp_iso, write_timestamp_ltz_print,
    write_timestamp_print, write_timestamp_sql,
};
pub use zone::Zone;

use std::fmt::Write;

/// `TRUE` or `FALSE`, as CAST writes it; print writes Java's `true` and `false`.
pub fn boolean_text(value: bool) -> &'static str {
    if value { "TRUE" } else { "FALSE" }
}

/// `[1, 2, -1]`: Java's signed bytes.
pub fn write_bytes_print(out: &mut String, bytes: &[u8]) {
    out.push('[');
    for (i, byte) in bytes.iter().enumerate() {
        if i > 0 {
            out.push_str(", ");
        }
        push(out, format_args!("{}", *byte as i8));
    }
    out.push(']');
}

/// Formats into a `String`, which cannot fail.
pub(crate) fn push(out: &mut String, args: std::fmt::Arguments<'_>) {
    out.write_fmt(args).expect("writing to a String does not fail");
}

/// `value` with at least `width` digits.
pub(crate) fn push_padded(out: &mut String, value: u32, width: usize) {
    let mut digits = [b'0'; 10];
    let mut rest = value;
    let mut used = 0;
    while rest > 0 {
        digits[9 - used] = b'0' + (rest % 10) as u8;
        rest /= 10;
        used += 1;
    }
    let shown = used.max(width).min(10);
    out.push_str(std::str::from_utf8(&digits[10 - shown..]).expect("digits are ASCII"));
}

#[cfg(test)]
mod tests;
