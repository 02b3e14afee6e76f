//! Numbers as digits, several digits at a time.

#![expect(clippy::inline_always, reason = "numbers are written in the loops over rows")]

use crate::encode::wire::Writer;

/// A base, and how many of its digits are made together.
pub(super) trait Radix {
    /// Digits in a group.
    const DIGITS: usize;
    /// The base to the power of [`Radix::DIGITS`].
    const GROUP: u64;
    /// The digits of a number below [`Radix::GROUP`] as text, the first in the lowest byte.
    fn digits(value: u64) -> u64;
}

/// Base 10.
pub(super) struct Decimal;

impl Radix for Decimal {
    const DIGITS: usize = 8;
    const GROUP: u64 = 100_000_000;

    #[inline(always)]
    fn digits(value: u64) -> u64 {
        // Halves, quarters, digits: each step divides all lanes at once by a multiplication.
        let halves = (value / 10_000) | ((value % 10_000) << 32);
        let hundreds = ((halves * 10_486) >> 20) & 0x7f_0000_007f;
        let quarters = ((halves - 100 * hundreds) << 16) + hundreds;
        let tens = ((quarters * 103) >> 10) & 0x000f_000f_000f_000f;
        tens + ((quarters - 10 * tens) << 8) + ZEROS
    }
}

/// Base 16.
pub(super) struct Hex<const UPPER: bool>;

impl<const UPPER: bool> Radix for Hex<UPPER> {
    const DIGITS: usize = 8;
    const GROUP: u64 = 1 << 32;

    #[inline(always)]
    fn digits(value: u64) -> u64 {
        let words = (value & 0xffff_0000) << 16 | value & 0xffff;
        let bytes = (words & 0x0000_ff00_0000_ff00) << 8 | words & 0x0000_00ff_0000_00ff;
        let nibbles = (bytes & 0x00f0_00f0_00f0_00f0) << 4 | bytes & 0x000f_000f_000f_000f;
        let letters = ((nibbles + 0x0606_0606_0606_0606) >> 4) & 0x0101_0101_0101_0101;
        let to_letter = if UPPER { 7 } else { 39 };
        (nibbles + ZEROS + letters * to_letter).swap_bytes()
    }
}

/// Base 36.
pub(super) struct Base36<const UPPER: bool>;

impl<const UPPER: bool> Radix for Base36<UPPER> {
    const DIGITS: usize = 6;
    const GROUP: u64 = 36_u64.pow(6);

    #[inline(always)]
    fn digits(value: u64) -> u64 {
        let pairs = if UPPER { &UPPER_PAIRS } else { &LOWER_PAIRS };
        let pair = |value: u64| u64::from(pairs[(value % 1_296) as usize]);
        pair(value / (1_296 * 1_296)) | pair(value / 1_296) << 16 | pair(value) << 32
    }
}

/// Eight times the text `0`.
const ZEROS: u64 = 0x3030_3030_3030_3030;

static UPPER_PAIRS: [u16; 1_296] = pairs(b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ");
static LOWER_PAIRS: [u16; 1_296] = pairs(LOWER);
const LOWER: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";

const fn pairs(letters: &[u8; 36]) -> [u16; 1_296] {
    let mut pairs = [0; 1_296];
    let mut at = 0;
    while at < 1_296 {
        pairs[at] = u16::from_le_bytes([letters[at / 36], letters[at % 36]]);
        at += 1;
    }
    pairs
}

/// How a number is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Style {
    /// 2 to 36.
    pub base: u8,
    /// The least number of digits.
    pub width: u8,
    /// Whether digits above 9 are capital letters.
    pub upper: bool,
}

/// Writes a number, a minus sign before it if it is negative.
#[inline(always)]
pub(super) fn put_signed<R: Radix>(writer: &mut Writer<'_>, value: i64, width: usize) {
    if value < 0 {
        writer.put_byte(b'-');
    }
    put::<R>(writer, value.unsigned_abs(), width);
}

/// Writes a number in any style.
pub(super) fn put_number(writer: &mut Writer<'_>, value: i64, style: Style) {
    let width = usize::from(style.width);
    match (style.base, style.upper) {
        (10, _) => put_signed::<Decimal>(writer, value, width),
        (16, false) => put_signed::<Hex<false>>(writer, value, width),
        (16, true) => put_signed::<Hex<true>>(writer, value, width),
        (36, false) => put_signed::<Base36<false>>(writer, value, width),
        (36, true) => put_signed::<Base36<true>>(writer, value, width),
        _ => put_any(writer, value, style),
    }
}

/// Writes a number divided by 10^`scale`, exactly.
#[inline(always)]
pub(super) fn put_decimal(writer: &mut Writer<'_>, value: i64, scale: u8) {
    if value < 0 {
        writer.put_byte(b'-');
    }
    let value = value.unsigned_abs();
    let (whole, rest) = match 10_u64.checked_pow(u32::from(scale)) {
        Some(divisor) => (value / divisor, value % divisor),
        None => (0, value),
    };
    put::<Decimal>(writer, whole, 1);
    if scale > 0 {
        writer.put_byte(b'.');
        put::<Decimal>(writer, rest, usize::from(scale));
    }
}

/// Writes 32 bits as 8 hexadecimal digits.
#[inline(always)]
pub(super) fn hex(word: u32) -> u64 {
    Hex::<false>::digits(u64::from(word))
}

/// Two decimal digits of a number below 100, the first in the lowest byte.
#[inline(always)]
pub(super) fn two(value: u32) -> u64 {
    debug_assert!(value < 100, "{value} has more than two digits");
    let tens = (value * 103) >> 10;
    u64::from(tens | (value - 10 * tens) << 8 | 0x3030)
}

/// Eight decimal digits of a number below 10^8, the first in the lowest byte.
#[inline(always)]
pub(super) fn eight(value: u32) -> u64 {
    Decimal::digits(u64::from(value))
}

/// Writes a number in groups of digits.
#[inline(always)]
fn put<R: Radix>(writer: &mut Writer<'_>, value: u64, width: usize) {
    if value < R::GROUP {
        return put_first::<R>(writer, value, width);
    }
    put_groups::<R>(writer, value, width);
}

#[inline(always)]
fn put_groups<R: Radix>(writer: &mut Writer<'_>, value: u64, width: usize) {
    let (high, low) = (value / R::GROUP, value % R::GROUP);
    let (first, groups) = match high {
        0 => (low, 0),
        _ if high < R::GROUP => (high, 1),
        _ => (high / R::GROUP, 2),
    };
    put_first::<R>(writer, first, width.saturating_sub(groups * R::DIGITS));
    if groups == 2 {
        writer.put(&R::digits(high % R::GROUP).to_le_bytes(), R::DIGITS);
    }
    if groups > 0 {
        writer.put(&R::digits(low).to_le_bytes(), R::DIGITS);
    }
}

/// Writes the first group: without its leading zeros, as far as `width` allows.
#[inline(always)]
fn put_first<R: Radix>(writer: &mut Writer<'_>, value: u64, width: usize) {
    let mut more = width.saturating_sub(R::DIGITS);
    while more > 0 {
        writer.put(&ZEROS.to_le_bytes(), more.min(8));
        more = more.saturating_sub(8);
    }
    let digits = R::digits(value);
    let zeros = ((digits ^ ZEROS).trailing_zeros() / 8) as usize;
    let skipped = zeros.min(R::DIGITS - width.clamp(1, R::DIGITS));
    writer.put(&(digits >> (8 * skipped)).to_le_bytes(), R::DIGITS - skipped);
}

#[cold]
fn put_any(writer: &mut Writer<'_>, value: i64, style: Style) {
    if value < 0 {
        writer.put_byte(b'-');
    }
    let base = u64::from(style.base);
    let mut digits = Vec::new();
    let mut rest = value.unsigned_abs();
    while rest > 0 || digits.is_empty() || digits.len() < usize::from(style.width) {
        let digit = usize::try_from(rest % base).map_or(b'?', |digit| LOWER[digit]);
        digits.push(if style.upper { digit.to_ascii_uppercase() } else { digit });
        rest /= base;
    }
    digits.reverse();
    writer.put_slice(&digits);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl FnOnce(&mut Writer<'_>)) -> String {
        let mut out = vec![0; 200];
        let mut writer = Writer::new(&mut out, 0);
        write(&mut writer);
        let end = writer.position();
        String::from_utf8(out[..end].to_vec()).unwrap()
    }

    fn edges() -> Vec<i64> {
        let mut values = vec![0, i64::MIN, i64::MAX];
        for power in 0..19 {
            for near in [-1, 0, 1] {
                values.push(10_i64.pow(power) + near);
                values.push(-(10_i64.pow(power)) + near);
            }
        }
        values.extend((0..63).map(|shift| 1_i64 << shift));
        values.extend((1..12).map(|power| 36_i64.pow(power)));
        values.extend((1..12).map(|power| 36_i64.pow(power) - 1));
        values
    }

    #[test]
    fn decimal_numbers_are_what_format_writes() {
        for value in edges() {
            for width in [0, 1, 2, 7, 8, 9, 10, 16, 17, 19, 25, 40] {
                let style = Style { base: 10, width, upper: false };
                let digits = value.unsigned_abs();
                let sign = if value < 0 { "-" } else { "" };
                let expected = format!("{sign}{digits:0width$}", width = usize::from(width));
                assert_eq!(written(|w| put_number(w, value, style)), expected);
            }
        }
    }

    #[test]
    fn other_bases_can_be_read_back() {
        for value in edges() {
            for base in 2..=36 {
                for upper in [false, true] {
                    let text = written(|w| put_number(w, value, Style { base, width: 13, upper }));
                    assert!(text.trim_start_matches('-').len() >= 13, "{text}");
                    assert_eq!(i64::from_str_radix(&text, u32::from(base)), Ok(value));
                    let other = if upper { text.to_uppercase() } else { text.to_lowercase() };
                    assert_eq!(text, other);
                    let short = written(|w| put_number(w, value, Style { base, width: 0, upper }));
                    let digits = text.trim_start_matches('-').trim_start_matches('0');
                    let digits = if digits.is_empty() { "0" } else { digits };
                    assert_eq!(short.trim_start_matches('-'), digits);
                }
            }
        }
    }

    #[test]
    fn decimals_are_exact() {
        for (value, scale, expected) in [
            (-123_400, 4, "-12.3400"),
            (0, 0, "0"),
            (0, 2, "0.00"),
            (-5, 2, "-0.05"),
            (i64::MIN, 19, "-0.9223372036854775808"),
            (7, 25, "0.0000000000000000000000007"),
            (i64::MAX, 9, "9223372036.854775807"),
        ] {
            assert_eq!(written(|w| put_decimal(w, value, scale)), expected);
        }
    }
}
