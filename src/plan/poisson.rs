//! Poisson counts in integers, for any mean.

use std::sync::OnceLock;

/// Bits of a mean after the point.
pub const FRACTION_BITS: u32 = 32;

const DIGITS: usize = 13;
const SIGNIFICANT: u32 = 20;

/// Cumulated probabilities of one mean, in units of 2^−64, from `base` events on.
#[derive(Debug)]
struct Table {
    base: u32,
    cumulated: Box<[u64]>,
}

static TABLES: [[OnceLock<Table>; 15]; DIGITS] =
    [const { [const { OnceLock::new() }; 15] }; DIGITS];

/// A mean number of events, ready to be drawn from: its digits in base 16.
///
/// A Poisson count of mean Σ d·16^k is the sum of independent counts of means d·16^k, each drawn by
/// inversion from a table of 64-bit probabilities. Means are rounded to 20 significant bits, and to
/// 2^−32.
#[derive(Clone, Debug, Default)]
pub struct Mean {
    digits: Vec<(u8, u8)>,
}

impl Mean {
    /// A mean given in units of 2^−32; at most 2^20 events.
    pub fn new(fixed: u64) -> Self {
        let fixed = fixed.min(1 << (FRACTION_BITS + 20));
        let excess = (64 - fixed.leading_zeros()).saturating_sub(SIGNIFICANT);
        let rounded = (fixed + ((1 << excess) >> 1)) >> excess << excess;
        let digit = |place: usize| (rounded >> (4 * place) & 15) as u8;
        #[expect(clippy::cast_possible_truncation, reason = "there are sixteen places")]
        let digits = (0..16)
            .filter(|&place| digit(place) > 0)
            .flat_map(|place| {
                // Beyond the greatest table, a digit is drawn in sixteenths of its place.
                let repeat = 16_usize.pow(place.saturating_sub(DIGITS - 1) as u32);
                std::iter::repeat_n((place.min(DIGITS - 1) as u8, digit(place)), repeat)
            })
            .collect();
        Self { digits }
    }

    /// The mean in events a second or whatever unit, from a float.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a mean is not negative, and greater ones are cut by `new`"
    )]
    pub fn from_expected(expected: f64) -> Self {
        Self::new(libm::round(expected * (1_u64 << FRACTION_BITS) as f64) as u64)
    }

    /// A count; `word` gives random 64-bit words.
    pub fn draw(&self, mut word: impl FnMut() -> u64) -> u32 {
        self.digits
            .iter()
            .map(|&(place, digit)| {
                let table = TABLES[usize::from(place)][usize::from(digit) - 1]
                    .get_or_init(|| Table::new(f64::from(digit), i32::from(place)));
                table.draw(word())
            })
            .sum()
    }
}

impl Table {
    fn new(digit: f64, place: i32) -> Self {
        let mean = libm::ldexp(digit, 4 * place - FRACTION_BITS.cast_signed());
        let spread = 12.0 * libm::sqrt(mean) + 24.0;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "means of tables are below 2^20"
        )]
        let (base, end) = ((mean - spread).max(0.0) as u32, (mean + spread) as u32);
        let log_mean = libm::log(mean);
        let shares: Vec<f64> = (base..end)
            .map(|count| {
                let count = f64::from(count);
                libm::exp(count * log_mean - mean - libm::lgamma(count + 1.0))
            })
            .collect();
        let total: f64 = shares.iter().sum();
        let mut sum = 0.0;
        let cumulated = shares
            .iter()
            .map(|share| {
                sum += share;
                scaled(sum / total)
            })
            .collect();
        Self { base, cumulated }
    }

    fn draw(&self, random: u64) -> u32 {
        let first = &self.cumulated[..self.cumulated.len().min(8)];
        let steps = if first.last().is_some_and(|&last| random < last) {
            first.iter().take_while(|&&cumulated| cumulated <= random).count()
        } else {
            self.cumulated.partition_point(|&cumulated| cumulated <= random)
        };
        #[expect(clippy::cast_possible_truncation, reason = "tables have fewer than 2^20 entries")]
        let steps = steps as u32;
        self.base + steps
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a probability in units of 2^−64; the cast saturates at 1"
)]
fn scaled(probability: f64) -> u64 {
    (probability * 18_446_744_073_709_551_616.0) as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generate::philox::philox;

    fn moments(expected: f64, draws: u32) -> (f64, f64) {
        let mean = Mean::from_expected(expected);
        let (mut sum, mut squares) = (0.0, 0.0);
        for draw in 0..draws {
            let mut block = 0;
            let count = f64::from(mean.draw(|| {
                block += 1;
                let words = philox([1, 2], [draw, 0, 0, block]);
                u64::from(words[0]) << 32 | u64::from(words[1])
            }));
            sum += count;
            squares += count * count;
        }
        let average = sum / f64::from(draws);
        (average, squares / f64::from(draws) - average * average)
    }

    #[test]
    fn mean_and_variance_are_both_the_mean() {
        for (expected, draws) in [
            (0.003, 400_000),
            (0.7, 100_000),
            (7.8125, 100_000),
            (300.4, 50_000),
            (70_000.0, 5_000),
        ] {
            let (mean, variance) = moments(expected, draws);
            let error = 5.0 * (expected / f64::from(draws)).sqrt();
            assert!((mean - expected).abs() < error, "mean {mean} for {expected}");
            let ratio = variance / expected;
            let bound = 6.0 * ((2.0 + 1.0 / expected) / f64::from(draws)).sqrt();
            assert!((ratio - 1.0).abs() < bound, "variance {ratio} times {expected}");
        }
    }

    #[test]
    fn nothing_comes_of_a_mean_of_nothing() {
        assert_eq!(Mean::from_expected(0.0).draw(|| u64::MAX), 0);
    }
}
