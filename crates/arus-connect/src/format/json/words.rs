//! Values in their most common form, eight bytes at a time.
//!
//! The functions read from a window that may reach beyond its record (into the next one) and give `None` for every form
//! that they are not made for: the general reader then decides. Who uses an end that they give checks that it lies
//! inside of the record.

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGHS: u64 = 0x8080_8080_8080_8080;
const QUOTES: u64 = ONES * b'"' as u64;
const BACKSLASHES: u64 = ONES * b'\\' as u64;

/// The high bit of each zero byte; exact for the lowest one.
#[inline(always)]
fn zero_bytes(word: u64) -> u64 {
    word.wrapping_sub(ONES) & !word & HIGHS
}

/// The high bit of each quote and backslash; exact for the lowest one.
#[inline(always)]
pub(super) fn quotes_and_backslashes(word: u64) -> u64 {
    zero_bytes(word ^ QUOTES) | zero_bytes(word ^ BACKSLASHES)
}

#[inline(always)]
pub(super) fn word(window: &[u8], at: usize) -> Option<u64> {
    window.get(at..)?.first_chunk::<8>().map(|bytes| u64::from_le_bytes(*bytes))
}

/// The content of a string starts at `at`: where its closing quote stands; `None` where an escape comes first.
#[inline(always)]
pub(super) fn closing_quote(window: &[u8], mut at: usize) -> Option<usize> {
    loop {
        let hits = quotes_and_backslashes(word(window, at)?);
        if hits != 0 {
            at += (hits.trailing_zeros() / 8) as usize;
            return (window[at] == b'"').then_some(at);
        }
        at += 8;
    }
}

/// The value of a word's digits, the first digit in the lowest byte.
#[inline(always)]
fn eight_digits(digits: u64) -> u64 {
    let pairs = (digits & 0x0F0F_0F0F_0F0F_0F0F).wrapping_mul(2_561) >> 8;
    let fours = (pairs & 0x00FF_00FF_00FF_00FF).wrapping_mul(6_553_601) >> 16;
    (fours & 0x0000_FFFF_0000_FFFF).wrapping_mul(42_949_672_960_001) >> 32
}

/// How many digits a word starts with.
#[inline(always)]
fn leading_digits(word: u64) -> u32 {
    let digits = word ^ 0x3030_3030_3030_3030;
    // A byte above 9 gets its high bit; carries go upwards alone.
    let others = (digits.wrapping_add(0x7676_7676_7676_7676) | digits) & HIGHS;
    if others == 0 { 8 } else { others.trailing_zeros() / 8 }
}

const POWERS: [u64; 8] = [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000];

/// A plain integer of 1 to 15 digits at `at`: its value and its end.
#[inline(always)]
pub(super) fn integer(window: &[u8], at: usize) -> Option<(i64, usize)> {
    let first = word(window, at)?;
    let count = leading_digits(first);
    let (value, end) = match count {
        0 => return None,
        1..=7 => (eight_digits(first << (64 - 8 * count)), at + count as usize),
        _ => {
            let second = word(window, at + 8)?;
            let more = leading_digits(second);
            let tail = match more {
                0 => 0,
                1..=7 => eight_digits(second << (64 - 8 * more)),
                _ => return None,
            };
            (eight_digits(first) * POWERS[more as usize] + tail, at + 8 + more as usize)
        }
    };
    let zero_first = first as u8 == b'0' && end > at + 1;
    let goes_on = matches!(window.get(end), Some(b'.' | b'e' | b'E'));
    (!zero_first && !goes_on).then_some((value as i64, end))
}

/// `:ss"`, `:ss.SSS"`, or the same with a `Z` before the quote: seconds, milliseconds, the position after the quote.
#[inline(always)]
pub(super) fn seconds(window: &[u8], at: usize, zone: bool) -> Option<(i64, Option<i64>, usize)> {
    let bytes = window.get(at..)?.first_chunk::<10>()?;
    let digit = |i: usize| i64::from(bytes[i].wrapping_sub(b'0'));
    let (tens, ones) = (digit(1), digit(2));
    if bytes[0] != b':' || tens > 5 || ones > 9 {
        return None;
    }
    let (millis, mut end) = if bytes[3] == b'.' {
        let (a, b, c) = (digit(4), digit(5), digit(6));
        if a > 9 || b > 9 || c > 9 {
            return None;
        }
        (Some(a * 100 + b * 10 + c), 7)
    } else {
        (None, 3)
    };
    if zone {
        if bytes[end] != b'Z' {
            return None;
        }
        end += 1;
    }
    (bytes[end] == b'"').then_some((tens * 10 + ones, millis, at + end + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_end_where_their_digits_do() {
        let read = |text: &str| integer(format!("{text}                ").as_bytes(), 0);
        for digits in 1..=15 {
            let text = &"123456789012345"[..digits];
            assert_eq!(read(text), Some((text.parse().expect("digits"), digits)));
            assert_eq!(read(&format!("{text},\"")), Some((text.parse().expect("digits"), digits)));
        }
        assert_eq!(read("0"), Some((0, 1)));
        for other in ["", "-1", "01", "1.5", "1e3", "12345678.5", "1234567890123456", "x", "/", ":"] {
            assert_eq!(read(other), None, "{other}");
        }
        assert_eq!(integer(b"1", 0), None, "no window to read from");
        // Bytes that carry.
        for byte in 0..=255u8 {
            let mut window = [b'7'; 24];
            window[3] = byte;
            let expected =
                if byte.is_ascii_digit() || matches!(byte, b'.' | b'e' | b'E') { None } else { Some((777, 3)) };
            assert_eq!(integer(&window, 0), expected, "{byte}");
        }
    }

    #[test]
    fn strings_and_seconds_in_their_common_form() {
        assert_eq!(closing_quote(b"abc\"             ", 0), Some(3));
        assert_eq!(closing_quote(b"abcdefghijkl\"             ", 0), Some(12));
        assert_eq!(closing_quote(b"ab\\\"cdefgh\"        ", 0), None);
        assert_eq!(closing_quote(b"abcdefghijklmn", 0), None);
        assert_eq!(seconds(b":59.123\"      ", 0, false), Some((59, Some(123), 8)));
        assert_eq!(seconds(b":07\"          ", 0, false), Some((7, None, 4)));
        assert_eq!(seconds(b":07Z\"         ", 0, true), Some((7, None, 5)));
        assert_eq!(seconds(b":07.001Z\"     ", 0, true), Some((7, Some(1), 9)));
        for other in
            [b":60\"          ", b":07.1\"        ", b":07.1234\"     ", b"-07\"          ", b":07Z\"         "]
        {
            assert_eq!(seconds(other, 0, false), None);
        }
        assert_eq!(seconds(b":07\"          ", 0, true), None);
    }
}
