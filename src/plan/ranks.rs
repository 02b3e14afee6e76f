//! Ranks: how members of a population differ, the first being drawn most.

use std::sync::Arc;

/// Ranks with an exact weight of their own; further ones share ranges of a sixteenth of an octave.
const HEAD: u64 = 256;

/// How the members of a group differ in how often they are picked.
#[derive(Clone, Debug, PartialEq)]
pub enum Ranks {
    /// All the same.
    Uniform,
    /// Like a gamma distribution of this shape.
    Gamma(f64),
    /// The r-th in proportion to r^−exponent.
    Zipf(f64),
    /// Shares of the members, and what each of them gets: both above 0 and with a sum of 1, the
    /// most drawn members first.
    Shares(Arc<[(f64, f64)]>),
}

/// Ranks in a row that weigh the same.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Range {
    /// The first of them; ranks count from 0.
    pub first: u64,
    /// How many, at least 1.
    pub count: u64,
    /// What all of them weigh together.
    pub weight: f64,
}

impl Ranks {
    /// The ranks of `size` members as ranges.
    pub fn ranges(&self, size: u32) -> Vec<Range> {
        match self {
            Self::Zipf(exponent) => zipf(size, *exponent),
            Self::Shares(shares) => cut(u64::from(size), shares),
            Self::Uniform | Self::Gamma(_) => {
                vec![Range { first: 0, count: u64::from(size), weight: 1.0 }]
            }
        }
    }
}

/// Ranks by r^−exponent: each of the head, and ranges of the tail in which all weigh the same.
pub fn zipf(size: u32, exponent: f64) -> Vec<Range> {
    let size = u64::from(size);
    let weight = |rank: u64| libm::pow(rank as f64 + 1.0, -exponent);
    let mut ranges = Vec::new();
    let mut first = 0;
    while first < size {
        let count = if first < HEAD { 1 } else { (first / 16).min(size - first) };
        // Beyond the head the midpoint of a range stands for all of it, right to 0.1 %.
        ranges.push(Range { first, count, weight: weight(first + (count - 1) / 2) * count as f64 });
        first += count;
    }
    ranges
}

/// Members cut into shares; a share too small for a member leaves what it gets to the next.
fn cut(size: u64, shares: &[(f64, f64)]) -> Vec<Range> {
    let mut ranges = Vec::new();
    let (mut first, mut members, mut weight) = (0, 0.0, 0.0);
    for (place, (part, own)) in shares.iter().enumerate() {
        members += part;
        weight += own;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "up to size")]
        let end = libm::round(members.min(1.0) * size as f64) as u64;
        let end = if place + 1 == shares.len() { size } else { end };
        if end > first {
            ranges.push(Range { first, count: end - first, weight });
            (first, weight) = (end, 0.0);
        }
    }
    if let Some(last) = ranges.last_mut() {
        last.weight += weight;
    }
    ranges
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_cover_every_rank_once() {
        let shares = Ranks::Shares([(0.01, 0.5), (0.29, 0.3), (0.7, 0.2)].into());
        for ranks in [Ranks::Zipf(1.1), shares, Ranks::Uniform] {
            for size in [1, 2, 5, 255, 256, 257, 10_000, u32::MAX] {
                let mut next = 0;
                for range in ranks.ranges(size) {
                    assert_eq!(range.first, next);
                    assert!(range.count > 0 && range.weight > 0.0, "{range:?}");
                    next += range.count;
                }
                assert_eq!(next, u64::from(size));
            }
        }
    }

    #[test]
    fn one_in_a_hundred_takes_half() {
        let ranges = Ranks::Shares([(0.01, 0.5), (0.99, 0.5)].into()).ranges(10_000);
        assert_eq!(ranges[0], Range { first: 0, count: 100, weight: 0.5 });
        assert_eq!(ranges[1], Range { first: 100, count: 9_900, weight: 0.5 });
    }

    #[test]
    fn what_is_for_less_than_a_member_goes_to_the_next() {
        let ranges = Ranks::Shares([(0.01, 0.5), (0.99, 0.5)].into()).ranges(10);
        assert_eq!(ranges, [Range { first: 0, count: 10, weight: 1.0 }]);
    }
}
