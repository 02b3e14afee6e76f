//! Poisson counts in integers, for any mean.

/// The greatest mean: as many events as a tick of a lane can number.
pub const MEAN_MAX: f64 = 262_144.0;

/// A Poisson distribution, ready to be drawn from: cumulated probabilities in units of 2^−64.
///
/// Counts further than 12 standard deviations and 24 from the mean are left out; all of them
/// together are rarer than 2^−64.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mean {
    /// The count that the first entry stands for.
    base: u32,
    cumulated: Box<[u64]>,
}

impl Mean {
    /// The distribution of that mean; at most 2^18 events.
    pub fn new(mean: f64) -> Self {
        let mean = mean.min(MEAN_MAX);
        if mean <= 0.0 {
            return Self::default();
        }
        let spread = 12.0 * libm::sqrt(mean) + 24.0;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "means are at most 2^18"
        )]
        let (base, end) = ((mean - spread).max(0.0) as u32, (mean + spread) as u32);
        let log_mean = libm::log(mean);
        let first = f64::from(base) * log_mean - mean - libm::lgamma(f64::from(base) + 1.0);
        let mut share = libm::exp(first);
        let mut shares = Vec::with_capacity((end - base) as usize);
        for count in base..end {
            shares.push(share);
            share *= mean / (f64::from(count) + 1.0);
        }
        let total: f64 = shares.iter().sum();
        let mut sum = 0.0;
        let cumulated: Vec<u64> = shares
            .iter()
            .map(|share| {
                sum += share;
                scaled(sum / total)
            })
            .collect();
        // Counts that no word stands for are not kept: these tables are many.
        let first = cumulated.iter().take_while(|&&it| it == 0).count();
        let end =
            cumulated.iter().position(|&it| it == u64::MAX).map_or(cumulated.len(), |it| it + 1);
        let base = base + u32::try_from(first).unwrap_or(0);
        let cumulated = cumulated[first.min(end)..end].into();
        Self { base, cumulated }
    }

    /// The count that a random word of 64 bits stands for.
    #[inline]
    pub fn draw(&self, random: u64) -> u32 {
        let near = &self.cumulated[..self.cumulated.len().min(16)];
        let steps = if near.last().is_some_and(|&last| random < last) {
            near.iter().take_while(|&&cumulated| cumulated <= random).count()
        } else {
            self.cumulated.partition_point(|&cumulated| cumulated <= random)
        };
        #[expect(clippy::cast_possible_truncation, reason = "there are fewer than 2^18 entries")]
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
        let mean = Mean::new(expected);
        let (mut sum, mut squares) = (0.0, 0.0);
        for draw in 0..draws {
            let words = philox([1, 2], [draw, 0, 0, 0]);
            let count = f64::from(mean.draw(u64::from(words[0]) << 32 | u64::from(words[1])));
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
        assert_eq!(Mean::new(0.0).draw(u64::MAX), 0);
    }
}
