//! Exact numbers as text, and numbers from text by the rules of Flink's CAST.

use super::push;

/// Plain digits: `-0.05`. CAST and JSON.
pub fn write_decimal(out: &mut String, unscaled: i128, scale: u8) {
    let mut buffer = [0u8; 40];
    let digits = decimal_digits(unscaled.unsigned_abs(), &mut buffer);
    if unscaled < 0 {
        out.push('-');
    }
    push_point(out, digits, usize::from(scale));
}

/// As Java's `BigDecimal` prints: plain unless the exponent falls below -6 (`1.00E-8`).
pub fn write_decimal_print(out: &mut String, unscaled: i128, scale: u8) {
    let mut buffer = [0u8; 40];
    let digits = decimal_digits(unscaled.unsigned_abs(), &mut buffer);
    let exponent = digits.len() as i32 - 1 - i32::from(scale);
    if unscaled < 0 {
        out.push('-');
    }
    if exponent >= -6 || scale == 0 {
        return push_point(out, digits, usize::from(scale));
    }
    out.push_str(&digits[..1]);
    if digits.len() > 1 {
        out.push('.');
        out.push_str(&digits[1..]);
    }
    push(out, format_args!("E{exponent}"));
}

fn decimal_digits(mut value: u128, buffer: &mut [u8; 40]) -> &str {
    let mut at = buffer.len();
    loop {
        at -= 1;
        buffer[at] = b'0' + (value % 10) as u8;
        value /= 10;
        if value == 0 {
            break;
        }
    }
    std::str::from_utf8(&buffer[at..]).expect("digits are ASCII")
}

fn push_point(out: &mut String, digits: &str, scale: usize) {
    if scale == 0 {
        return out.push_str(digits);
    }
    match digits.len().checked_sub(scale) {
        Some(whole) if whole > 0 => {
            out.push_str(&digits[..whole]);
            out.push('.');
            out.push_str(&digits[whole..]);
        }
        _ => {
            out.push_str("0.");
            (digits.len()..scale).for_each(|_| out.push('0'));
            out.push_str(digits);
        }
    }
}

/// A whole number: an optional sign and digits; a fraction of digits is cut off. `None` when it is none or does not
/// fit 64 bits.
pub fn parse_integer(text: &str) -> Option<i64> {
    let bytes = text.as_bytes();
    let (negative, digits) = match bytes.first()? {
        b'-' => (true, &bytes[1..]),
        b'+' => (false, &bytes[1..]),
        _ => (false, bytes),
    };
    if digits.is_empty() {
        return None;
    }
    let (whole, fraction) = match digits.iter().position(|b| *b == b'.') {
        Some(point) => (&digits[..point], &digits[point + 1..]),
        None => (digits, &digits[..0]),
    };
    if !fraction.iter().all(u8::is_ascii_digit) {
        return None;
    }
    // Counted downwards, since there is one more negative number than there are positive ones.
    let mut value = 0i64;
    for byte in whole {
        if !byte.is_ascii_digit() {
            return None;
        }
        value = value.checked_mul(10)?.checked_sub(i64::from(byte - b'0'))?;
    }
    if negative { Some(value) } else { value.checked_neg() }
}

/// The unscaled value at `scale`, rounded half up; `None` when the text is no number or needs more than `precision`
/// digits. White space around it and an exponent are allowed.
pub fn parse_decimal(text: &str, precision: u8, scale: u8) -> Option<i128> {
    let bytes = text.as_bytes().trim_ascii();
    let (negative, rest) = match bytes.first()? {
        b'-' => (true, &bytes[1..]),
        b'+' => (false, &bytes[1..]),
        _ => (false, bytes),
    };
    let (mantissa, exponent) = match rest.iter().position(|b| matches!(b, b'e' | b'E')) {
        Some(at) => (&rest[..at], parse_exponent(&rest[at + 1..])?),
        None => (rest, 0),
    };
    let point = mantissa.iter().position(|b| *b == b'.');
    let (whole, fraction) = match point {
        Some(at) => (&mantissa[..at], &mantissa[at + 1..]),
        None => (mantissa, &mantissa[..0]),
    };
    if whole.is_empty() && fraction.is_empty() || !whole.iter().chain(fraction).all(u8::is_ascii_digit) {
        return None;
    }
    // How many of the digits stand before the end of the scale.
    let mut keep = whole.len() as i64 + exponent + i64::from(scale);
    let mut value = 0i128;
    let limit = 10i128.pow(u32::from(precision.min(38)));
    let mut digits = whole.iter().chain(fraction).map(|b| i128::from(b - b'0'));
    while keep > 0 {
        let Some(digit) = digits.next() else { break };
        // Another digit has no room: below it the product could be more than 128 bits hold.
        if value >= limit / 10 && value > 0 {
            return None;
        }
        value = value * 10 + digit;
        keep -= 1;
        if value >= limit {
            return None;
        }
    }
    if keep > 0 {
        if value == 0 {
            return Some(0);
        }
        if keep > 38 {
            return None;
        }
        value = value.checked_mul(10i128.checked_pow(keep as u32)?)?;
    } else if keep == 0 && digits.next().is_some_and(|digit| digit >= 5) {
        value += 1;
    }
    (value < limit).then_some(if negative { -value } else { value })
}

/// Far exponents are clamped: they give zero or overflow all the same.
fn parse_exponent(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text.first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let value = digits.iter().fold(0i64, |v, b| (v * 10 + i64::from(b - b'0')).min(1_000_000));
    Some(if negative { -value } else { value })
}

/// Java's `Double.parseDouble` but for hexadecimal numbers.
pub fn parse_double(text: &str) -> Option<f64> {
    parse_java_float(text, f64::NAN, f64::INFINITY, |t| t.parse().ok(), |v| -v)
}

/// Java's `Float.parseFloat` but for hexadecimal numbers.
pub fn parse_float(text: &str) -> Option<f32> {
    parse_java_float(text, f32::NAN, f32::INFINITY, |t| t.parse().ok(), |v| -v)
}

fn parse_java_float<T>(
    text: &str,
    nan: T,
    infinity: T,
    parse: impl Fn(&str) -> Option<T>,
    negate: impl Fn(T) -> T,
) -> Option<T> {
    let trimmed = text.trim_matches(|c: char| c <= ' ');
    let (negative, rest) = match trimmed.as_bytes().first()? {
        b'-' => (true, &trimmed[1..]),
        b'+' => (false, &trimmed[1..]),
        _ => (false, trimmed),
    };
    let value = match rest {
        "NaN" => nan,
        "Infinity" => infinity,
        _ => {
            let digits = rest.strip_suffix(['f', 'F', 'd', 'D']).unwrap_or(rest);
            let starts_well = digits.bytes().next().is_some_and(|b| b.is_ascii_digit() || b == b'.');
            if !starts_well
                || !digits.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'E' | b'+' | b'-'))
            {
                return None;
            }
            parse(digits)?
        }
    };
    Some(if negative { negate(value) } else { value })
}
