//! Delays: their distribution, cut into strata of classes.

use super::CLASSES;
use crate::plan::quantile::{Curve, mixture_inverse};

/// The least width of a stratum, in ticks, for which whole ticks are permuted; narrower ones are
/// searched.
const FAR_TICKS_MIN: u64 = 2;
/// A last stratum that is much wider than the one before is halved so often: tails reach 2^−18.
const TAIL_PARTS: u32 = 12;
/// How many times as wide it must be.
const TAIL_WIDTH: u64 = 2;
/// Pieces of a part in which delays are even.
pub(super) const PIECES: usize = 16;
/// The share of delays that is left out at each end.
const RAREST: f64 = 1e-10;

/// A part of a class: of two parts the second is half as likely, and so on; the last two are alike.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Part {
    /// Each event has a delay of its own: even between neighbours of these, in microseconds.
    Near(Vec<u64>),
    /// Windows of 2^`bits` ticks are moved by `first` ticks and the window's length, and the ticks
    /// inside are permuted.
    Far { first: u64, bits: u32 },
}

/// How much later events follow.
#[derive(Clone, Debug)]
pub struct Delays {
    /// Weighted distributions in seconds; none: even from the least to the greatest.
    pub parts: Vec<(f64, Curve)>,
    /// The least delay in seconds.
    pub min_s: f64,
    /// The greatest delay in seconds.
    pub max_s: f64,
}

impl Delays {
    /// The delay in microseconds that a share p of all are below, but for the rarest.
    pub(in crate::plan) fn inverse_us(&self, p: f64) -> u64 {
        // Tails without an end have no value at 0 and 1.
        let p = p.clamp(RAREST, 1.0 - RAREST);
        let seconds = match self.parts.as_slice() {
            [] => self.min_s + (self.max_s - self.min_s) * p,
            [(_, curve)] => curve.inverse(p, 1.0 - p),
            parts => mixture_inverse(parts, p, 1.0 - p),
        };
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "delays are between 0 and ten years"
        )]
        let us = libm::round(seconds.clamp(self.min_s, self.max_s) * 1e6) as u64;
        us
    }
}

/// The parts of a stratum of the delays.
pub(super) fn parts(delays: &Delays, stratum: u32, tick_us: u64) -> Vec<Part> {
    let share = 1.0 / f64::from(CLASSES);
    let begin = f64::from(stratum) * share;
    let width = |from: f64| delays.inverse_us(from + share) - delays.inverse_us(from);
    if stratum + 1 < CLASSES || width(begin) <= TAIL_WIDTH * width(begin - share) {
        return vec![part(delays, (begin, share), tick_us)];
    }
    let (mut begin, mut share) = (begin, share);
    let mut parts = Vec::new();
    for _ in 1..TAIL_PARTS {
        share /= 2.0;
        parts.push(part(delays, (begin, share), tick_us));
        begin += share;
    }
    parts.push(part(delays, (begin, share), tick_us));
    // Parts like the last are one with it: it takes all that is left of the halves.
    while parts.len() > 1 && parts[parts.len() - 1] == parts[parts.len() - 2] {
        parts.pop();
    }
    parts
}

fn part(delays: &Delays, (begin, share): (f64, f64), tick_us: u64) -> Part {
    let knot = |piece: usize| delays.inverse_us(begin + share * piece as f64 / PIECES as f64);
    let knots: Vec<u64> = (0..=PIECES).map(knot).collect();
    let (least, most) = (knots[0].div_ceil(tick_us), knots[PIECES] / tick_us);
    if most < least + FAR_TICKS_MIN {
        return Part::Near(knots);
    }
    // The greatest window that fits, in the middle: its delays go from first + 1 to
    // first + 2 · length − 1 ticks, and a bit less or more by the place in the tick.
    let bits = (most - least).ilog2() - 1;
    Part::Far { first: least.midpoint(most) - (1 << bits), bits }
}
