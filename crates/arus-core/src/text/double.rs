//! Java 17's `Double.toString` and `Float.toString`.
//!
//! Up to JDK 18 Java does not always give the shortest digits that read back (2.0E-3 does, 1.0E23 does not), so
//! the digits are generated the way it does: with the same estimate of the decimal exponent, the same stopping rule
//! and, on purpose, the same width of intermediate integers, since their overflow shows in the digits.

use std::cmp::Ordering;

use super::push;

/// Powers of five that fit 64 bits.
const POWERS_OF_5: [u64; 27] = {
    let mut table = [1u64; 27];
    let mut i = 1;
    while i < 27 {
        table[i] = table[i - 1] * 5;
        i += 1;
    }
    table
};

/// Bits of 5^n: exact for small n, an upper bound beyond.
fn bits_of_power_of_5(n: i32) -> i32 {
    match usize::try_from(n).ok().and_then(|n| POWERS_OF_5.get(n)) {
        Some(power) => 64 - power.leading_zeros() as i32,
        None => n * 3,
    }
}

pub fn write_double(out: &mut String, value: f64) {
    let bits = value.to_bits();
    if !value.is_finite() {
        return write_special(out, value);
    }
    if value == 0.0 {
        return out.push_str(if value.is_sign_negative() { "-0.0" } else { "0.0" });
    }
    let fraction = bits & ((1 << 52) - 1);
    let exponent = ((bits >> 52) & 0x7ff) as i32;
    let parts = if exponent == 0 {
        let zeros = fraction.leading_zeros() as i32;
        let shift = zeros - 11;
        Binary { fraction: fraction << shift, exponent: 1 - shift - 1023, significant_bits: 64 - zeros }
    } else {
        Binary { fraction: fraction | 1 << 52, exponent: exponent - 1023, significant_bits: 53 }
    };
    write_digits(out, value.is_sign_negative(), &parts.digits());
}

pub fn write_float(out: &mut String, value: f32) {
    if !value.is_finite() {
        return write_special(out, f64::from(value));
    }
    if value == 0.0 {
        return out.push_str(if value.is_sign_negative() { "-0.0" } else { "0.0" });
    }
    let bits = value.to_bits();
    let fraction = bits & ((1 << 23) - 1);
    let exponent = ((bits >> 23) & 0xff) as i32;
    let (fraction, exponent, significant_bits) = if exponent == 0 {
        let zeros = fraction.leading_zeros() as i32;
        let shift = zeros - 8;
        (fraction << shift, 1 - shift, 32 - zeros)
    } else {
        (fraction | 1 << 23, exponent, 24)
    };
    let parts = Binary { fraction: u64::from(fraction) << 29, exponent: exponent - 127, significant_bits };
    write_digits(out, value.is_sign_negative(), &parts.digits());
}

fn write_special(out: &mut String, value: f64) {
    out.push_str(match (value.is_nan(), value > 0.0) {
        (true, _) => "NaN",
        (false, true) => "Infinity",
        (false, false) => "-Infinity",
    });
}

/// 0.d1d2d3.. * 10^exponent.
struct Digits {
    digits: [u8; 24],
    count: usize,
    exponent: i32,
}

impl Digits {
    fn new() -> Self {
        Digits { digits: [0; 24], count: 0, exponent: 0 }
    }

    fn push(&mut self, digit: u8) {
        debug_assert!(digit < 10, "a decimal digit");
        self.digits[self.count] = digit;
        self.count += 1;
    }

    /// Adds one to the last digit; all nines become 1, 0, 0, ..
    fn round_up(&mut self) {
        let mut i = self.count - 1;
        while self.digits[i] == 9 {
            if i == 0 {
                self.digits[0] = 1;
                self.exponent += 1;
                return;
            }
            self.digits[i] = 0;
            i -= 1;
        }
        self.digits[i] += 1;
    }
}

fn write_digits(out: &mut String, negative: bool, number: &Digits) {
    if negative {
        out.push('-');
    }
    let digits = &number.digits[..number.count];
    let push_all = |out: &mut String, digits: &[u8]| digits.iter().for_each(|d| out.push((b'0' + d) as char));
    let push_fraction = |out: &mut String, digits: &[u8]| {
        out.push('.');
        if digits.is_empty() {
            out.push('0');
        }
        push_all(out, digits);
    };
    match number.exponent {
        point @ 1..8 => {
            let point = point as usize;
            push_all(out, &digits[..point.min(digits.len())]);
            (digits.len()..point).for_each(|_| out.push('0'));
            push_fraction(out, digits.get(point..).unwrap_or_default());
        }
        point @ -2..1 => {
            out.push_str("0.");
            (point..0).for_each(|_| out.push('0'));
            push_all(out, digits);
        }
        point => {
            push_all(out, &digits[..1]);
            push_fraction(out, &digits[1..]);
            push(out, format_args!("E{}", point - 1));
        }
    }
}

/// fraction / 2^52 * 2^exponent, with the hidden bit set.
struct Binary {
    fraction: u64,
    exponent: i32,
    significant_bits: i32,
}

/// How the digit loop ended.
struct End {
    /// The digits so far are closer than half a gap from below (`low`) or above (`high`).
    low: bool,
    high: bool,
    /// The rest against half of the last place; only meaningful when both.
    rest: Ordering,
}

impl Binary {
    fn digits(&self) -> Digits {
        let tail_zeros = self.fraction.trailing_zeros() as i32;
        let fraction_bits = 53 - tail_zeros;
        let tiny_bits = (fraction_bits - self.exponent - 1).max(0);
        if tiny_bits == 0 && (-21..=62).contains(&self.exponent) {
            return self.integer_digits();
        }

        let mut estimate = self.estimate_decimal_exponent();
        let b5 = (-estimate).max(0);
        let mut b2 = b5 + tiny_bits + self.exponent;
        let s5 = estimate.max(0);
        let mut s2 = s5 + tiny_bits;
        let m5 = b5;
        let mut m2 = b2 - self.significant_bits;
        let fraction = self.fraction >> tail_zeros;
        b2 -= fraction_bits - 1;
        let common = b2.min(s2);
        b2 -= common;
        s2 -= common;
        m2 -= common;
        if fraction_bits == 1 {
            // A power of two has a gap below that is half the one above.
            m2 -= 1;
        }
        if m2 < 0 {
            b2 -= m2;
            s2 -= m2;
            m2 = 0;
        }

        let mut digits = Digits::new();
        let b_bits = fraction_bits + b2 + bits_of_power_of_5(b5);
        let ten_s_bits = s2 + 1 + bits_of_power_of_5(s5 + 1);
        let end = if b_bits < 64 && ten_s_bits < 64 {
            let small = Small {
                b: fraction.wrapping_mul(POWERS_OF_5[b5 as usize]).wrapping_shl(b2 as u32) as i64,
                s: POWERS_OF_5[s5 as usize].wrapping_shl(s2 as u32) as i64,
                m: POWERS_OF_5[m5 as usize].wrapping_shl(m2 as u32) as i64,
                narrow: b_bits < 32 && ten_s_bits < 32,
            };
            small.generate(&mut digits, &mut estimate)
        } else {
            let big = Big {
                b: Natural::product(fraction, b5, b2),
                s: Natural::product(1, s5, s2),
                m: Natural::product(1, m5 + 1, m2 + 1),
                ten_s: Natural::product(1, s5 + 1, s2 + 1),
            };
            big.generate(&mut digits, &mut estimate)
        };
        digits.exponent = estimate + 1;
        if end.high {
            let up = match (end.low, end.rest) {
                (false, _) | (true, Ordering::Greater) => true,
                (true, Ordering::Equal) => digits.digits[digits.count - 1] % 2 == 1,
                (true, Ordering::Less) => false,
            };
            if up {
                digits.round_up();
            }
        }
        digits
    }

    /// Values without a fraction print all their digits but those that the bits do not determine.
    fn integer_digits(&self) -> Digits {
        let mut value = if self.exponent >= 52 {
            self.fraction << (self.exponent - 52)
        } else {
            self.fraction >> (52 - self.exponent)
        };
        let mut exponent = 0;
        let spare_bits = self.exponent - self.significant_bits - 1;
        if spare_bits > 1 {
            let insignificant = (1u64 << spare_bits).ilog10();
            if insignificant > 0 {
                let unit = 10u64.pow(insignificant);
                let residue = value % unit;
                value = value / unit + u64::from(residue >= unit / 2);
                exponent += insignificant as i32;
            }
        }
        while value % 10 == 0 {
            value /= 10;
            exponent += 1;
        }
        let mut digits = Digits::new();
        let count = value.ilog10() + 1;
        for place in (0..count).rev() {
            digits.push((value / 10u64.pow(place) % 10) as u8);
        }
        digits.exponent = exponent + count as i32;
        digits
    }

    /// floor(log10) of the value, or one more.
    #[expect(clippy::approx_constant, reason = "Java's digits: log10(2) itself could round to another estimate")]
    fn estimate_decimal_exponent(&self) -> i32 {
        let mantissa = f64::from_bits(1023 << 52 | self.fraction & ((1 << 52) - 1));
        let log = (mantissa - 1.5) * 0.289529654 + 0.176091259 + f64::from(self.exponent) * 0.301029995663981;
        log.floor() as i32
    }
}

/// Scientific notation wants two digits at least.
fn wants_more(estimate: i32) -> bool {
    !(-3..8).contains(&estimate)
}

struct Small {
    b: i64,
    s: i64,
    m: i64,
    /// 32-bit arithmetic.
    narrow: bool,
}

impl Small {
    fn wrap(&self, value: i64) -> i64 {
        if self.narrow { i64::from(value as i32) } else { value }
    }

    fn generate(mut self, digits: &mut Digits, estimate: &mut i32) -> End {
        let tens = self.wrap(self.s.wrapping_mul(10));
        let mut quotient = self.b / self.s;
        self.b = self.wrap((self.b % self.s).wrapping_mul(10));
        self.m = self.wrap(self.m.wrapping_mul(10));
        let mut low = self.b < self.m;
        let mut high = self.wrap(self.b.wrapping_add(self.m)) > tens;
        if quotient == 0 && !high {
            *estimate -= 1;
        } else {
            digits.push(quotient as u8);
        }
        if wants_more(*estimate) {
            low = false;
            high = false;
        }
        while !low && !high {
            quotient = self.b / self.s;
            self.b = self.wrap((self.b % self.s).wrapping_mul(10));
            self.m = self.wrap(self.m.wrapping_mul(10));
            if self.m > 0 {
                low = self.b < self.m;
                high = self.wrap(self.b.wrapping_add(self.m)) > tens;
            } else {
                // It overflowed, so it is larger than what is left.
                low = true;
                high = true;
            }
            digits.push(quotient as u8);
        }
        let rest = self.wrap(self.b.wrapping_shl(1).wrapping_sub(tens));
        End { low, high, rest: rest.cmp(&0) }
    }
}

struct Big {
    b: Natural,
    s: Natural,
    m: Natural,
    ten_s: Natural,
}

impl Big {
    fn step(&mut self) -> (u8, bool, bool) {
        let quotient = self.b.divide_once(&self.s);
        self.b.multiply(10);
        let low = self.b.cmp(&self.m) == Ordering::Less;
        let high = self.b.sum_cmp(&self.m, &self.ten_s) != Ordering::Less;
        (quotient, low, high)
    }

    fn generate(mut self, digits: &mut Digits, estimate: &mut i32) -> End {
        let (quotient, mut low, mut high) = self.step();
        if quotient == 0 && !high {
            *estimate -= 1;
        } else {
            digits.push(quotient);
        }
        if wants_more(*estimate) {
            low = false;
            high = false;
        }
        while !low && !high {
            self.m.multiply(10);
            let (quotient, l, h) = self.step();
            (low, high) = (l, h);
            digits.push(quotient);
        }
        let rest = if low && high {
            self.b.multiply(2);
            self.b.cmp(&self.ten_s)
        } else {
            Ordering::Equal
        };
        End { low, high, rest }
    }
}

/// A natural number of any size, least significant limb first, without leading zero limbs.
struct Natural(Vec<u32>);

impl Natural {
    /// factor * 5^fives * 2^twos
    fn product(factor: u64, fives: i32, twos: i32) -> Self {
        let mut value = Natural(vec![factor as u32, (factor >> 32) as u32]);
        let mut left = fives;
        while left > 0 {
            let step = left.min(13);
            value.multiply(POWERS_OF_5[step as usize] as u32);
            left -= step;
        }
        let (limbs, bits) = (twos as usize / 32, twos as u32 % 32);
        value.multiply(1 << bits);
        value.0.splice(0..0, std::iter::repeat_n(0, limbs));
        value.trim();
        value
    }

    fn trim(&mut self) {
        while self.0.last() == Some(&0) {
            self.0.pop();
        }
    }

    fn multiply(&mut self, factor: u32) {
        let mut carry = 0u64;
        for limb in &mut self.0 {
            carry += u64::from(*limb) * u64::from(factor);
            *limb = carry as u32;
            carry >>= 32;
        }
        if carry > 0 {
            self.0.push(carry as u32);
        }
    }

    fn cmp(&self, other: &Natural) -> Ordering {
        self.0.len().cmp(&other.0.len()).then_with(|| self.0.iter().rev().cmp(other.0.iter().rev()))
    }

    /// self + addend against `sum`.
    fn sum_cmp(&self, addend: &Natural, sum: &Natural) -> Ordering {
        let mut total = Natural(Vec::with_capacity(sum.0.len() + 1));
        let mut carry = 0u64;
        for i in 0..self.0.len().max(addend.0.len()) {
            carry += u64::from(self.0.get(i).copied().unwrap_or(0)) + u64::from(addend.0.get(i).copied().unwrap_or(0));
            total.0.push(carry as u32);
            carry >>= 32;
        }
        if carry > 0 {
            total.0.push(carry as u32);
        }
        total.cmp(sum)
    }

    /// The quotient by `divisor`, known to be below ten; self becomes the remainder.
    fn divide_once(&mut self, divisor: &Natural) -> u8 {
        let mut quotient = 0;
        while self.cmp(divisor) != Ordering::Less {
            let mut borrow = 0i64;
            for (i, limb) in self.0.iter_mut().enumerate() {
                borrow += i64::from(*limb) - i64::from(divisor.0.get(i).copied().unwrap_or(0));
                *limb = borrow as u32;
                borrow >>= 32;
            }
            self.trim();
            quotient += 1;
        }
        quotient
    }
}
