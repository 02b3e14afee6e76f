//! The normal and gamma distributions, from `libm` alone.

use std::f64::consts::{FRAC_1_SQRT_2, PI, SQRT_2};

/// The shares of the standard normal distribution below and above z.
pub fn shares(z: f64) -> (f64, f64) {
    (0.5 * libm::erfc(-z * FRAC_1_SQRT_2), 0.5 * libm::erfc(z * FRAC_1_SQRT_2))
}

/// The z below which a share p = 1 − q of the standard normal distribution lies; the smaller of p
/// and q is taken as exact.
///
/// Starts from Abramowitz and Stegun 26.2.23 and refines by Halley's method.
pub fn inverse(p: f64, q: f64) -> f64 {
    let tail = p.min(q);
    let t = libm::sqrt(-2.0 * libm::log(tail));
    let mut z = t
        - (2.515_517 + t * (0.802_853 + t * 0.010_328))
            / (1.0 + t * (1.432_788 + t * (0.189_269 + t * 0.001_308)));
    for _ in 0..3 {
        let excess = shares(z).1 - tail;
        let step = excess * libm::sqrt(2.0 * PI) * libm::exp(0.5 * z * z);
        z += step / (1.0 - 0.5 * z * step);
    }
    if p < q { -z } else { z }
}

/// The share of a gamma distribution (shape k, scale 1) below x.
///
/// The series and the continued fraction of the incomplete gamma function (DLMF 8.11.4, 8.9.2).
pub fn gamma_below(shape: f64, x: f64) -> f64 {
    if x <= 0.0 {
        return 0.0;
    }
    let front = libm::exp(shape * libm::log(x) - x - libm::lgamma(shape));
    if x < shape + 1.0 {
        let (mut term, mut sum, mut divisor) = (1.0 / shape, 1.0 / shape, shape);
        while term > sum * 1e-17 {
            divisor += 1.0;
            term *= x / divisor;
            sum += term;
        }
        return front * sum;
    }
    // Lentz's method, modified: the fraction grows by the factor of two running quotients.
    let mut partial = x + 1.0 - shape;
    let (mut upper, mut lower) = (1e300, 1.0 / partial);
    let mut fraction = lower;
    for step in 1..500 {
        let numerator = -f64::from(step) * (f64::from(step) - shape);
        partial += 2.0;
        lower = 1.0 / (numerator * lower + partial);
        upper = partial + numerator / upper;
        fraction *= upper * lower;
        if (upper * lower - 1.0).abs() < 1e-16 {
            break;
        }
    }
    1.0 - front * fraction
}

/// The share of members of a gamma-spread population that are more active than the one that acts,
/// if that one is drawn in proportion to activity and a share p of such draws is less active.
///
/// The activity of who acts is gamma distributed with shape k + 1 (size bias).
pub fn gamma_rank(k: f64, p: f64) -> f64 {
    let (mut low, mut high) = (0.0, k + 40.0 + 12.0 * SQRT_2 * libm::sqrt(k));
    for _ in 0..100 {
        let middle = f64::midpoint(low, high);
        if gamma_below(k + 1.0, middle) < p { low = middle } else { high = middle }
    }
    1.0 - gamma_below(k, f64::midpoint(low, high))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_normal_inverse_undoes_the_shares() {
        for z in [-6.0, -3.5, -1.0, -0.01, 0.0, 0.3, 2.0, 6.1] {
            let (p, q) = shares(z);
            assert!((inverse(p, q) - z).abs() < 1e-9, "{z}");
        }
    }

    #[test]
    fn gamma_shares_agree_with_closed_forms() {
        for x in [0.1, 0.5, 1.0, 3.0, 10.0] {
            assert!((gamma_below(1.0, x) - (1.0 - libm::exp(-x))).abs() < 1e-13, "{x}");
            let second = 1.0 - (1.0 + x) * libm::exp(-x);
            assert!((gamma_below(2.0, x) - second).abs() < 1e-13, "{x}");
            let half = libm::erf(libm::sqrt(x));
            assert!((gamma_below(0.5, x) - half).abs() < 1e-13, "{x}");
        }
    }

    #[test]
    fn who_acts_is_more_active_than_most() {
        // Shape 1: half of all draws come from members of which a share (1 + x)e^−x = 1/2 … above.
        assert!(gamma_rank(1.0, 0.5) < 0.2);
        assert!(gamma_rank(1.0, 0.01) > 0.8);
    }
}
