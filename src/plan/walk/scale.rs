//! From the position of a walk to the value that it stands for.

use super::FRACTION_BITS;

/// log2 of e.
const LOG2_E: f64 = std::f64::consts::LOG2_E;
/// Segments of an octave.
const SEGMENT_BITS: u32 = 10;
/// Binary digits after the point of a power of 2.
const POWER_BITS: u32 = 30;

/// A number: `mantissa` / 2^`shift`. The product with a whole number is ⌊whole·mantissa / 2^shift⌋.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Factor {
    /// 2^29 to 2^30, of either sign, or 0.
    pub mantissa: i32,
    /// −97 to 127; below 0 to the left.
    pub shift: i32,
}

impl Factor {
    /// The nearest factor to a number; 0 below 2^−98.
    ///
    /// # Panics
    ///
    /// If the number is 2^127 or more in size: the plan bounds what it asks for.
    pub fn new(value: f64) -> Self {
        let (fraction, exponent) = libm::frexp(value);
        assert!(exponent <= 127, "a factor of {value} is beyond what the plan lets through");
        let shift = 30 - exponent;
        if value == 0.0 || shift > 127 {
            return Self { mantissa: 0, shift: 0 };
        }
        #[expect(clippy::cast_possible_truncation, reason = "at most 2^30 in size")]
        let mantissa = libm::round(fraction * 1_073_741_824.0) as i32;
        Self { mantissa, shift }
    }

    /// ⌊whole·mantissa / 2^shift⌋.
    #[inline]
    pub fn times(self, whole: i128) -> i128 {
        let product = whole * i128::from(self.mantissa);
        if self.shift < 0 { product << -self.shift } else { product >> self.shift }
    }
}

/// How far a walk has come from where it began: its logarithm to the base 2 if it is geometric, else
/// in units of the value.
///
/// With the position x and t steps, at a volatility v and a drift d (whole numbers of the member) it
/// is ⌊x·v·`sway`⌋ + ⌊t·d·`drift`⌋ − ⌊t·v²·`drag`⌋.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trend {
    /// The length of a step in microseconds.
    pub step_us: u64,
    /// By position and volatility.
    pub sway: Factor,
    /// By steps and drift.
    pub drift: Factor,
    /// By steps and the square of the volatility: what a geometric walk's mean is above its median.
    pub drag: Factor,
    /// The variance of a step, by the square of the volatility.
    pub variance: Factor,
}

/// What a trend is made of.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// The length of a step in microseconds.
    pub step_us: u64,
    /// Whether the value is multiplied by what comes, or gets it added.
    pub geometric: bool,
    /// Whether the walk returns to where it began.
    pub reverts: bool,
    /// What a volatility of 1 is: the standard deviation of a year.
    pub volatility: f64,
    /// What a drift of 1 is: in a year.
    pub drift: f64,
}

/// Microseconds of a year of 365.25 days.
const YEAR_US: f64 = 31_557_600.0 * 1e6;
/// Binary digits after the point of a geometric trend.
const LOGARITHM_BITS: i32 = 32;
/// Binary digits after the point of an arithmetic trend.
pub const SUM_BITS: u32 = 20;

impl Trend {
    /// The factors of a pace; volatility and drift of an arithmetic walk are in units of the value.
    pub fn new(pace: &Pace) -> Self {
        let steps = YEAR_US / pace.step_us as f64;
        let unit = if pace.geometric {
            LOG2_E * libm::exp2(f64::from(LOGARITHM_BITS))
        } else {
            libm::exp2(f64::from(SUM_BITS))
        };
        let step_sd = pace.volatility / libm::sqrt(steps) * unit;
        let drag = if pace.geometric && !pace.reverts {
            pace.volatility * pace.volatility / 2.0 / steps * unit
        } else {
            0.0
        };
        Self {
            step_us: pace.step_us,
            sway: Factor::new(step_sd / libm::exp2(f64::from(FRACTION_BITS))),
            drift: Factor::new(pace.drift / steps * unit),
            drag: Factor::new(drag),
            variance: Factor::new(step_sd * step_sd),
        }
    }

    /// The steps that have passed at a time since the start; none before it.
    #[inline]
    pub fn steps(&self, time_us: i64) -> i64 {
        (time_us.max(0).unsigned_abs() / self.step_us).cast_signed()
    }

    /// How far a walk has come.
    #[expect(clippy::cast_possible_truncation, reason = "the plan bounds volatility and drift")]
    #[inline]
    pub fn value(&self, position: i64, steps: i64, volatility: i64, drift: i64) -> i64 {
        let volatility = i128::from(volatility);
        let steps = i128::from(steps);
        let sway = self.sway.times(i128::from(position) * volatility);
        let drift = self.drift.times(steps * i128::from(drift));
        let drag = self.drag.times(steps * volatility * volatility);
        (sway + drift - drag) as i64
    }

    /// The greatest value (the least, if not `highest`) of a walk between two ends: half of
    /// a + b ± ⌊√((b − a)² + ⌊V·surprise / 2^24⌋)⌋, rounded down, where V is the variance of the time
    /// in between, ⌊steps·v²·`variance`⌋ and at most 2^96, and the surprise −2·ln of a random number
    /// between 0 and 1, with 24 binary digits after the point.
    ///
    /// That is the law of the extreme of a Brownian bridge (Karatzas and Shreve, section 2.8).
    #[expect(clippy::cast_possible_truncation, reason = "the root is about as great as the ends")]
    #[inline]
    pub fn extreme(&self, [a, b]: [i64; 2], steps: i64, volatility: i64, extreme: Extreme) -> i64 {
        let volatility = i128::from(volatility);
        let variance = self.variance.times(i128::from(steps) * volatility * volatility);
        let variance = (variance.min(1 << 96) * i128::from(extreme.surprise)) >> 24;
        let difference = i128::from(b) - i128::from(a);
        let square = (difference * difference + variance).unsigned_abs();
        // Days and less fit a word of 64 bits, whose root is much faster.
        let root = u64::try_from(square).map_or_else(|_| square.isqrt(), |it| it.isqrt().into());
        let root = root as i64;
        let root = if extreme.highest { root } else { -root };
        (a + b + root) >> 1
    }
}

/// Which extreme, and how far it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extreme {
    /// The greatest, or the least.
    pub highest: bool,
    /// −2·ln of a random number between 0 and 1, with 24 binary digits after the point.
    pub surprise: u32,
}

/// A start times a power of 2.
///
/// With e = trend + `offset`, i = ⌊e / 2^32⌋ and f = e mod 2^32, the power 2^(f / 2^32) lies between
/// the knots of segment ⌊f / 2^22⌋: k + ⌊(k' − k)·(f mod 2^22) / 2^22⌋, with 30 binary digits after
/// the point, too great by at most 6·10^−8 of itself. The value is ⌊start·power / 2^(30 − i)⌋, rounded
/// to the nearest, halves up, and pulled in to `min` and `max`; it is 0 where 30 − i is above 63, and
/// `max` where it is below 0.
#[derive(Clone, PartialEq, Eq)]
pub struct Exponential {
    /// What is added to the trend: the logarithm of the ratio of the units of value and start.
    pub offset: i64,
    /// The least value.
    pub min: i64,
    /// The greatest value.
    pub max: i64,
    /// Powers of 2 from 2^0 to 2^1.
    knots: Box<[u32; (1 << SEGMENT_BITS) + 1]>,
}

impl std::fmt::Debug for Exponential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { offset, min, max, .. } = self;
        write!(f, "Exponential({offset}, {min}, {max})")
    }
}

impl Exponential {
    /// Values between `min` and `max`, in units of which the start's unit is `ratio`.
    pub fn new(ratio: f64, min: i64, max: i64) -> Self {
        let mut knots = Box::new([0; (1 << SEGMENT_BITS) + 1]);
        for (index, knot) in knots.iter_mut().enumerate() {
            let power = libm::exp2(index as f64 / f64::from(1 << SEGMENT_BITS));
            #[expect(clippy::cast_possible_truncation, reason = "at most 2^31")]
            #[expect(clippy::cast_sign_loss, reason = "at least 2^30")]
            let rounded = libm::round(power * f64::from(1 << POWER_BITS)) as u32;
            *knot = rounded;
        }
        #[expect(clippy::cast_possible_truncation, reason = "the logarithm of a power of ten")]
        let offset = libm::round(libm::log2(ratio) * libm::exp2(f64::from(LOGARITHM_BITS))) as i64;
        Self { offset, min, max, knots }
    }

    /// The value of a start (below 2^32) after a trend.
    #[expect(clippy::cast_possible_truncation, reason = "the lower word is meant")]
    #[expect(clippy::cast_sign_loss, reason = "bits are cut out")]
    #[inline]
    pub fn value(&self, start: i64, trend: i64) -> i64 {
        const PLACE_BITS: u32 = 32 - SEGMENT_BITS;
        let exponent = trend.saturating_add(self.offset);
        let fraction = exponent as u32;
        let segment = (fraction >> PLACE_BITS) as usize;
        let (from, to) = (self.knots[segment], self.knots[segment + 1]);
        let place = u64::from(fraction & ((1 << PLACE_BITS) - 1));
        let power = u64::from(from) + ((u64::from(to - from) * place) >> PLACE_BITS);
        let product = start.max(0).unsigned_abs() * power;
        let shift = i64::from(POWER_BITS) - (exponent >> 32);
        let value = match shift {
            64.. => 0,
            1..=63 => ((product >> (shift - 1)) + 1) >> 1,
            0 => product,
            _ => return self.max,
        };
        i64::try_from(value).unwrap_or(i64::MAX).clamp(self.min, self.max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_factor_is_within_a_billionth_of_its_number() {
        for value in [1.0, -1.0, 0.3, 1e-9, 12_345.678, 1e-20, 1e8, 1e15] {
            let factor = Factor::new(value);
            let ratio = f64::from(factor.mantissa) / libm::exp2(f64::from(factor.shift)) / value;
            assert!((ratio - 1.0).abs() < 1e-9, "{value}: {factor:?}");
        }
        assert_eq!(Factor::new(0.0).times(1 << 60), 0);
        assert_eq!(Factor::new(1_099_511_627_776.0).times(-3), -3 << 40);
        assert_eq!(Factor::new(0.5).times(7), 3);
        assert_eq!(Factor::new(-0.5).times(7), -4);
    }

    #[test]
    fn powers_of_2_are_within_6_of_100_million() {
        let exponential = Exponential::new(1.0, 0, 1 << 40);
        assert_eq!(exponential.value(12_345, 0), 12_345);
        for index in -2_000_000..2_000_000_i64 {
            let trend = index * 7_919 + 3;
            let start = 1_i64 << 31;
            let value = exponential.value(start, trend) as f64;
            let wanted = start as f64 * libm::exp2(trend as f64 / 4_294_967_296.0);
            assert!((value - wanted).abs() <= wanted * 6.1e-8 + 1.0, "2^({trend} / 2^32)");
        }
    }

    #[test]
    fn what_is_too_great_or_too_small_stays_within_its_bounds() {
        let exponential = Exponential::new(1.0, 5, 1_000_000);
        for (trend, value) in [(-70_i64 << 32, 5), (20 << 32, 1_000_000), (90 << 32, 1_000_000)] {
            assert_eq!(exponential.value(100, trend), value);
        }
        assert_eq!(exponential.value(100, i64::MIN), 5);
        assert_eq!(exponential.value(100, i64::MAX), 1_000_000);
        assert_eq!(Exponential::new(100.0, 0, 1 << 40).value(12, 0), 1_200);
    }
}
