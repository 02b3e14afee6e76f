//! Numbers as they are written, to the last digit.

use std::fmt;

/// The most digits after the point: 10^18 is the greatest power of ten in 64 bits.
const SCALE_MAX: i32 = 18;

/// A number divided by a power of ten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Decimal {
    /// Before the division.
    pub(super) digits: i128,
    /// Digits after the point, at most 18.
    pub(super) scale: u8,
}

impl Decimal {
    /// Reads a number of JSON. None: it has too many digits, or is none.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (mantissa, exponent) = match text.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
            None => (text, 0),
        };
        let (whole, after) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let after = after.trim_end_matches('0');
        let mut digits: i128 = format!("{whole}{after}").parse().ok()?;
        let mut scale = i32::try_from(after.len()).ok()?.checked_sub(exponent)?;
        while scale > 0 && digits % 10 == 0 {
            (digits, scale) = if digits == 0 { (0, 0) } else { (digits / 10, scale - 1) };
        }
        while scale < 0 {
            (digits, scale) =
                if digits == 0 { (0, 0) } else { (digits.checked_mul(10)?, scale + 1) };
        }
        (scale <= SCALE_MAX).then_some(Self { digits, scale: u8::try_from(scale).ok()? })
    }

    /// The number in units of 10^−`scale`, if it is whole in them.
    pub(super) fn at(self, scale: u8) -> Option<i128> {
        let more = scale.checked_sub(self.scale)?;
        self.digits.checked_mul(i128::from(power_of_ten(more)?))
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scale = usize::from(self.scale);
        let sign = if self.digits < 0 { "-" } else { "" };
        let digits = format!("{:0>width$}", self.digits.unsigned_abs(), width = scale + 1);
        let (whole, after) = digits.split_at(digits.len() - scale);
        let point = if scale == 0 { "" } else { "." };
        write!(formatter, "{sign}{whole}{point}{after}")
    }
}

/// 10 to a power, if 64 bits hold it.
pub(super) fn power_of_ten(power: u8) -> Option<i64> {
    10_i64.checked_pow(u32::from(power))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_every_digit_that_is_written() {
        for (written, digits, scale, shown) in [
            ("12", 12, 0, "12"),
            ("-0.50", -5, 1, "-0.5"),
            ("1e3", 1_000, 0, "1000"),
            ("1.25E-2", 125, 4, "0.0125"),
            ("0.0", 0, 0, "0"),
            ("4.8999999999999995", 48_999_999_999_999_995, 16, "4.8999999999999995"),
        ] {
            let read = Decimal::parse(written).unwrap();
            assert_eq!((read.digits, read.scale), (digits, scale), "{written}");
            assert_eq!(read.to_string(), shown);
        }
        assert_eq!(Decimal::parse("1e-40"), None);
        assert_eq!(Decimal::parse("1e400"), None);
        assert_eq!(Decimal::parse("1.25").unwrap().at(3), Some(1_250));
        assert_eq!(Decimal::parse("1.25").unwrap().at(1), None);
    }
}
