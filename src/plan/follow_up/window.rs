//! Windows of ticks, which delays of whole ticks permute.

use super::{CLASSES, low};
use crate::generate::philox::philox;

const WINDOW_SALT: u32 = 0xA004_0000;

/// Permutations of one step that were worked out before, the last of each class: ticks that are
/// looked at one after the other lie in few windows.
#[derive(Debug)]
pub struct Windows(Box<[Window]>);

impl Default for Windows {
    fn default() -> Self {
        let never = Window { number: u64::MAX, factor: 0, shift: 0, inverse: 0 };
        Self(vec![never; CLASSES as usize].into())
    }
}

impl Windows {
    /// The permutation of a window for a class, under a step's key.
    #[inline]
    pub(super) fn of(&mut self, key: [u32; 2], number: u64, class: u32) -> &Window {
        let known = &mut self.0[class as usize];
        if known.number != number {
            *known = Window::new(key, number, class);
        }
        known
    }
}

/// The permutation of a window's ticks: o becomes factor · o + shift.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    number: u64,
    factor: u64,
    shift: u64,
    inverse: u64,
}

impl Window {
    fn new(key: [u32; 2], number: u64, class: u32) -> Self {
        let [a, b, c, d] = philox(key, [low(number), low(number >> 32), WINDOW_SALT | class, 0]);
        let wide = |high: u32, low: u32| u64::from(high) << 32 | u64::from(low);
        let (factor, shift) = (wide(a, b) | 1, wide(c, d));
        Self { number, factor, shift, inverse: inverse(factor) }
    }

    /// Where in the window, of 2^`bits` ticks, a tick of it comes to be.
    #[inline]
    pub(super) fn place(&self, tick: u64, bits: u32) -> u64 {
        let mask = (1 << bits) - 1;
        (tick & mask).wrapping_mul(self.factor).wrapping_add(self.shift) & mask
    }

    /// The tick of the window that comes to be where another one is.
    #[inline]
    pub(super) fn back(&self, place: u64, bits: u32) -> u64 {
        let inside = (place.wrapping_sub(self.shift)).wrapping_mul(self.inverse);
        self.number << bits | inside & ((1 << bits) - 1)
    }
}

/// The inverse of an odd number modulo 2^64, by Newton's iteration.
#[inline]
fn inverse(odd: u64) -> u64 {
    // Right to 3 bits, and to twice as many after each step.
    let mut inverse = odd;
    for _ in 0..5 {
        inverse = inverse.wrapping_mul(2_u64.wrapping_sub(odd.wrapping_mul(inverse)));
    }
    inverse
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inverses_of_odd_numbers_are_inverses() {
        for odd in [1_u64, 3, 9, 0xdead_beef_0000_0001, u64::MAX] {
            assert_eq!(odd.wrapping_mul(inverse(odd)), 1);
        }
    }

    #[test]
    fn what_is_remembered_is_what_is_worked_out() {
        let mut windows = Windows::default();
        for tick in (0..40_000).chain(9_000..12_000) {
            let (class, bits) = (low(tick) % 3, 3 + low(tick) % 2);
            let known = *windows.of([3, 4], tick >> bits, class);
            let fresh = Window::new([3, 4], tick >> bits, class);
            let place = fresh.place(tick, bits);
            assert_eq!(known.place(tick, bits), place);
            assert_eq!(known.back(tick >> bits << bits | place, bits), tick);
        }
    }
}
