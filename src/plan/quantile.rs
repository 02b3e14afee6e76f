//! Distributions by their inverse, as tables of whole numbers.

use super::normal;

/// Sub-segments of an octave.
const PARTS: usize = 16;
/// Knots of one side: 31 octaves and the end.
const KNOTS: usize = 31 * PARTS + 1;
/// Bits of the position inside a segment.
const FRACTION_BITS: u32 = 20;
/// The greatest amount of a knot, so that interpolation stays within 64 bits.
pub const LIMIT: f64 = (1_u64 << 40) as f64;

/// An inverse cumulative distribution, linear between knots.
///
/// A word u stands for the probability u / 2^32. With x = u in the lower half and x = 2^32 − 1 − u
/// in the upper one, and n = x shifted left by its leading zeros z (1 to 31), the segment is that of
/// octave 31 − z and part n's bits 27 to 30; n's lower 27 bits, without their last 7, are the
/// position inside it. So tails reach 2^−32 with sixteen segments an octave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quantile {
    lower: Box<[i64]>,
    upper: Box<[i64]>,
}

impl Quantile {
    /// Tabulates an inverse (of the probability p below and its complement q = 1 − p, of which the
    /// smaller one is exact), rounded to whole numbers.
    pub fn new(inverse: impl Fn(f64, f64) -> f64) -> Self {
        let knot = |index: usize| {
            let octave = libm::exp2((index / PARTS) as f64 - 32.0);
            octave * (1.0 + (index % PARTS) as f64 / PARTS as f64)
        };
        let lower = (0..KNOTS).map(|index| rounded(inverse(knot(index), 1.0 - knot(index))));
        let upper = (0..KNOTS).map(|index| rounded(inverse(1.0 - knot(index), knot(index))));
        Self { lower: lower.collect(), upper: upper.collect() }
    }

    /// The value for a word.
    #[inline]
    pub fn value(&self, random: u32) -> i64 {
        let (side, x) =
            if random >> 31 == 0 { (&self.lower, random) } else { (&self.upper, !random) };
        let zeros = (x | 1).leading_zeros();
        let normal = x << zeros;
        let segment = (31 - zeros as usize) * PARTS + (normal >> 27 & 15) as usize;
        let fraction = i64::from((normal & 0x07FF_FFFF) >> (27 - FRACTION_BITS));
        let (from, to) = (side[segment], side[segment + 1]);
        from + (((to - from) * fraction) >> FRACTION_BITS)
    }

    /// The least and the greatest value that a word can give.
    pub fn bounds(&self) -> (i64, i64) {
        let ends = [&self.lower, &self.upper].into_iter().flatten();
        ends.fold((i64::MAX, i64::MIN), |(min, max), &knot| (min.min(knot), max.max(knot)))
    }
}

#[expect(clippy::cast_possible_truncation, reason = "clamped to 2^40 before")]
fn rounded(value: f64) -> i64 {
    libm::round(value.clamp(-LIMIT, LIMIT)) as i64
}

/// A continuous distribution with resolved parameters.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Curve {
    /// e^(ln median + sigma · z).
    Lognormal {
        /// The median, above 0.
        median: f64,
        /// The standard deviation of the logarithm.
        sigma: f64,
    },
    /// mean + sd · z.
    Normal {
        /// The mean.
        mean: f64,
        /// The standard deviation.
        sd: f64,
    },
    /// −mean · ln(1 − p).
    Exponential {
        /// The mean.
        mean: f64,
    },
    /// scale · (1 − p)^(−1 / shape).
    Pareto {
        /// The least value, above 0.
        scale: f64,
        /// How fast the tail falls.
        shape: f64,
    },
}

impl Curve {
    /// The value below which a share p = 1 − q lies.
    pub fn inverse(self, p: f64, q: f64) -> f64 {
        match self {
            Self::Lognormal { median, sigma } => median * libm::exp(sigma * normal::inverse(p, q)),
            Self::Normal { mean, sd } => mean + sd * normal::inverse(p, q),
            Self::Exponential { mean } => {
                if p < 0.5 {
                    -mean * libm::log1p(-p)
                } else {
                    -mean * libm::log(q)
                }
            }
            Self::Pareto { scale, shape } => {
                let logarithm = if p < 0.5 { libm::log1p(-p) } else { libm::log(q) };
                scale * libm::exp(-logarithm / shape)
            }
        }
    }

    /// The share below x, and the share above.
    pub fn shares(self, x: f64) -> (f64, f64) {
        match self {
            Self::Lognormal { median, sigma } if x > 0.0 => {
                normal::shares(libm::log(x / median) / sigma)
            }
            Self::Normal { mean, sd } => normal::shares((x - mean) / sd),
            Self::Exponential { mean } if x > 0.0 => {
                (-libm::expm1(-x / mean), libm::exp(-x / mean))
            }
            Self::Pareto { scale, shape } if x > scale => {
                let logarithm = -shape * libm::log(x / scale);
                (-libm::expm1(logarithm), libm::exp(logarithm))
            }
            Self::Lognormal { .. } | Self::Exponential { .. } | Self::Pareto { .. } => (0.0, 1.0),
        }
    }
}

/// The inverse of a mixture of weighted parts, by bisection between the parts' own inverses.
pub fn mixture_inverse(parts: &[(f64, Curve)], p: f64, q: f64) -> f64 {
    let total: f64 = parts.iter().map(|(weight, _)| weight).sum();
    let inverses = parts.iter().map(|(_, curve)| curve.inverse(p, q));
    let (mut low, mut high) = inverses
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), x| (low.min(x), high.max(x)));
    for _ in 0..80 {
        let middle = f64::midpoint(low, high);
        let (below, above) = parts.iter().fold((0.0, 0.0), |(below, above), (weight, curve)| {
            let (p, q) = curve.shares(middle);
            (below + weight / total * p, above + weight / total * q)
        });
        let too_low = if p < 0.5 { below < p } else { above > q };
        if too_low { low = middle } else { high = middle }
    }
    f64::midpoint(low, high)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_never_fall_as_words_rise() {
        let curve = Curve::Lognormal { median: 2_200.0, sigma: 1.3 };
        let quantile = Quantile::new(|p, q| curve.inverse(p, q));
        let words = (0..=u32::MAX).step_by(10_007).chain([u32::MAX]);
        let values: Vec<_> = words.map(|word| quantile.value(word)).collect();
        assert!(values.is_sorted());
    }

    #[test]
    fn quartiles_and_tails_are_those_of_the_distribution() {
        let curve = Curve::Normal { mean: 0.0, sd: 1e9 };
        let quantile = Quantile::new(|p, q| curve.inverse(p, q));
        for (word, z) in [
            (1_u32 << 30, -0.674_489_750_196_081_7),
            (1 << 31, 0.0),
            (3 << 30, 0.674_489_750_196_081_7),
            (42_949_673, -2.326_347_874_040_841),
            (4_294_967, -3.090_232_306_167_813_5),
            (!4_294_967, 3.090_232_306_167_813_5),
        ] {
            let value = quantile.value(word) as f64 / 1e9;
            assert!((value - z).abs() < 2e-3, "{value} for {z}");
        }
    }

    #[test]
    fn the_mean_of_an_exponential_is_kept() {
        let curve = Curve::Exponential { mean: 1e6 };
        let quantile = Quantile::new(|p, q| curve.inverse(p, q));
        let words = (0..1_u32 << 20).map(|index| (index << 12) | 0x800);
        let mean = words.map(|word| quantile.value(word) as f64).sum::<f64>() / f64::from(1 << 20);
        assert!((mean / 1e6 - 1.0).abs() < 1e-3, "{mean}");
    }

    #[test]
    fn a_mixture_has_the_quantiles_of_its_parts_together() {
        let parts = [
            (1.0, Curve::Lognormal { median: 10.0, sigma: 0.5 }),
            (3.0, Curve::Lognormal { median: 100.0, sigma: 0.2 }),
        ];
        let x = mixture_inverse(&parts, 0.3, 0.7);
        let below: f64 = parts.iter().map(|(weight, curve)| weight / 4.0 * curve.shares(x).0).sum();
        assert!((below - 0.3).abs() < 1e-9, "{below}");
    }
}
