//! Random walks that can be read at any time without their past: bridges in whole numbers.

mod scale;

pub use scale::{Exponential, Extreme, Factor, Pace, SUM_BITS, Trend};

use std::fmt;

use super::normal;

/// Binary digits after the point of a walk's position, which is in standard deviations of a step.
pub const FRACTION_BITS: u32 = 20;
/// The shortest step in microseconds: then 44 levels reach over all of model time.
pub const STEP_US_MIN: u64 = 1_000;
/// The fourth counter word of the draw of where a walk ends.
pub const END: u32 = u32::MAX;
/// Bits of a node's number, of its upper word.
pub const NODE_BITS: u32 = 12;
/// Model time ends before: from 1970 to 2262 are 292 years.
const HORIZON_US: u64 = 300 * 366 * 86_400 * 1_000_000;
/// Levels below the window that a reader remembers.
const WINDOW_LEVELS: u32 = 10;
/// Binary digits after the point of a normal deviate.
const DEVIATE_BITS: u32 = 26;
/// Sub-segments of an octave of a deviate's probability.
const PARTS: usize = 16;
/// Knots of one side: 31 octaves and the end.
const KNOTS: usize = 31 * PARTS + 1;
/// The same, rounded up to a power of two, so that an index needs no check.
pub const KNOT_ROOM: usize = 512;

/// A random walk, one for each member of an entity.
///
/// Steps are counted from the start of model time; step t of a member is found by halving the
/// interval from step 0, where the position is 0, to step 2^`levels`, where it is the deviate (see
/// [`Deviates`]) of the first word under the counter (member, 0, g, [`END`]), times [`Self::end`].
/// Here g is the generation times 2^12, modulo 2^32, and 0 if members live for ever.
/// `levels` is even, and a block of random words serves two of them: for j = `levels`, `levels` − 2,
/// … 2, with n = ⌊t / 2^j⌋, the counter (member, n's lower word, n's upper word + g, j) has
///
/// - word 0 for the middle of the interval of 2^j steps that t lies in,
/// - word 1 for the middle of its first half, word 2 for that of its second half.
///
/// The middle of an interval of 2^j steps with the positions a and b at its ends is at
/// ⌊(a + b)·pull / 2^32⌋ + ⌊deviate·spread / 2^shift⌋, by `bridges[j − 1]`. After the last halving t
/// is the first end of an interval of one step, and a is the position.
///
/// Without a return the pull is ½ and the variance of an increment is the number of steps in it
/// (Lévy's construction). With one, at a rate of θ a step, the walk is an Ornstein–Uhlenbeck process
/// that starts at 0: the pull is 1 / (2 cosh(θh/2)) and the variance of a middle tanh(θh/2) / (2θ),
/// with h = 2^j.
#[derive(Clone, PartialEq, Eq)]
pub struct Walk {
    /// The key of its randomness.
    pub key: [u32; 2],
    /// Its number among the walks of the model.
    pub number: usize,
    /// The length of a step in microseconds.
    pub step_us: u64,
    /// How often an interval is halved, an even number.
    pub levels: u32,
    /// How the middle of an interval follows from its ends, by level, from 2 steps up.
    pub bridges: Box<[Bridge]>,
    /// How far away the last step is.
    pub end: Factor,
    /// Normal deviates.
    pub deviates: Deviates,
}

/// How the middle of an interval follows from its ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bridge {
    /// What of the sum of the two ends is its mean, in units of 2^−32.
    pub pull: u32,
    /// What its deviate is multiplied by.
    pub spread: Factor,
}

impl fmt::Debug for Walk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Walk").field("key", &self.key).finish_non_exhaustive()
    }
}

impl Walk {
    /// A walk in steps of `step_us`; with `revert_us` its distance from 0 falls to 1/e in that time.
    pub fn new(key: [u32; 2], number: usize, step_us: u64, revert_us: Option<f64>) -> Self {
        let steps = HORIZON_US.div_ceil(step_us.max(STEP_US_MIN));
        let levels = steps.next_power_of_two().trailing_zeros().max(2).next_multiple_of(2);
        let rate = revert_us.map(|revert_us| step_us as f64 / revert_us);
        let unit = libm::exp2(f64::from(FRACTION_BITS) - f64::from(DEVIATE_BITS));
        let bridge = |level: u32| {
            let length = libm::exp2(f64::from(level));
            let (pull, variance) = match rate {
                None => (0.5, length / 4.0),
                Some(rate) => {
                    let half = rate * length / 2.0;
                    (0.5 / libm::cosh(half), libm::tanh(half) / (2.0 * rate))
                }
            };
            #[expect(clippy::cast_possible_truncation, reason = "from 0 to 2^31")]
            #[expect(clippy::cast_sign_loss, reason = "from 0 to 2^31")]
            let pull = libm::round(pull * 4_294_967_296.0) as u32;
            Bridge { pull, spread: Factor::new(libm::sqrt(variance) * unit) }
        };
        let length = libm::exp2(f64::from(levels));
        let variance =
            rate.map_or(length, |rate| -libm::expm1(-2.0 * rate * length) / (2.0 * rate));
        Self {
            key,
            number,
            step_us,
            levels,
            bridges: (1..=levels).map(bridge).collect(),
            end: Factor::new(libm::sqrt(variance) * unit),
            deviates: Deviates::new(),
        }
    }

    /// How many levels the windows have that a reader remembers the ends of: all, if they are few.
    pub fn window_levels(&self) -> u32 {
        if self.levels > WINDOW_LEVELS + 4 { WINDOW_LEVELS } else { self.levels }
    }
}

/// Standard normal deviates by their inverse, with 26 binary digits after the point.
///
/// With x = u in the lower half of words and x = 2^32 − 1 − u in the upper one, and n = x shifted
/// left by its leading zeros z (1 to 31; 31 for 0), the segment is that of octave 31 − z and part n's
/// bits 27 to 30, and f = ⌊n's lower 27 bits / 2^7⌋ the position in it. Between the knots k the size
/// is `k[i] + ⌊(k[i + 1] − k[i])·f / 2^20⌋`; the sign is that of the half. The knots are scaled so that
/// the variance of all words is 1: a line between knots bends outwards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deviates(pub Box<[i32; KNOT_ROOM]>);

impl Deviates {
    fn new() -> Self {
        let mut knots = [0.0; KNOTS];
        for (index, knot) in knots.iter_mut().enumerate() {
            let share = share(index);
            *knot = normal::inverse(1.0 - share, share);
        }
        let pairs = knots.windows(2).enumerate();
        let variance: f64 = pairs
            .map(|(index, ends)| {
                let mass = 2.0 * (share(index + 1) - share(index));
                mass * (ends[0] * ends[0] + ends[0] * ends[1] + ends[1] * ends[1]) / 3.0
            })
            .sum::<f64>();
        let scale = libm::exp2(f64::from(DEVIATE_BITS)) / libm::sqrt(variance);
        let mut table = Box::new([0; KNOT_ROOM]);
        for (out, knot) in table.iter_mut().zip(knots) {
            #[expect(clippy::cast_possible_truncation, reason = "at most 6.3 times 2^26")]
            let rounded = libm::round(knot * scale) as i32;
            *out = rounded;
        }
        Self(table)
    }

    /// The deviate of a word.
    #[expect(clippy::inline_always, reason = "loops over it become vector code")]
    #[inline(always)]
    pub fn value(&self, word: u32) -> i64 {
        // All ones in the lower half, none in the upper one.
        let lower = (word >> 31).wrapping_sub(1);
        let x = word ^ !lower;
        let zeros = (x | 1).leading_zeros();
        let normal = x << zeros;
        let segment = (31 - zeros) as usize * PARTS + (normal >> 27 & 15) as usize;
        let fraction = i64::from((normal & 0x07FF_FFFF) >> 7);
        let from = i64::from(self.0[segment % KNOT_ROOM]);
        let to = i64::from(self.0[(segment + 1) % KNOT_ROOM]);
        let size = from + (((to - from) * fraction) >> 20);
        let sign = i64::from(lower.cast_signed());
        (size ^ sign) - sign
    }
}

/// The probability that a knot stands at.
fn share(index: usize) -> f64 {
    let octave = libm::exp2((index / PARTS) as f64 - 32.0);
    octave * (1.0 + (index % PARTS) as f64 / PARTS as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deviates_have_the_quantiles_of_the_normal_distribution() {
        let deviates = Deviates::new();
        for (word, z) in [
            (1_u32 << 30, -0.674_489_750_196_081_7),
            ((1 << 31) - 1, 0.0),
            (1 << 31, 0.0),
            (3 << 30, 0.674_489_750_196_081_7),
            (42_949_673, -2.326_347_874_040_841),
            (!4_294_967, 3.090_232_306_167_813_5),
        ] {
            let value = deviates.value(word) as f64 / 67_108_864.0;
            assert!((value - z).abs() < 2e-3, "{value} for {z}");
        }
    }

    #[test]
    fn deviates_have_the_mean_0_and_the_variance_1() {
        let deviates = Deviates::new();
        let (mut sum, mut squares) = (0.0, 0.0);
        // Every 64th word, from the middle of its 64.
        for index in 0..1_u32 << 26 {
            let value = deviates.value(index << 6 | 32) as f64 / 67_108_864.0;
            sum += value;
            squares += value * value;
        }
        let count = f64::from(1 << 26);
        assert!((sum / count).abs() < 1e-7, "mean {}", sum / count);
        assert!((squares / count - 1.0).abs() < 1e-6, "variance {}", squares / count);
    }

    #[test]
    fn a_walk_of_any_step_reaches_over_all_of_model_time() {
        for step_us in [STEP_US_MIN, 1_000_000, 60_000_000, 86_400_000_000] {
            let walk = Walk::new([1, 2], 0, step_us, None);
            assert!(walk.levels <= 44 && walk.levels.is_multiple_of(2));
            assert!(u128::from(step_us) << walk.levels >= u128::from(HORIZON_US));
        }
    }
}
