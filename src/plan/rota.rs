//! Rotas: each member is due once in a period; who is due in a stretch of time, and when a member
//! was, are both answered at once.

use std::ops::Range;

use super::family::Lanes;
use crate::generate::philox;

/// The longest period in microseconds: 285 years.
pub const PERIOD_MAX_US: u64 = 1 << 53;

/// When the members of an entity are due.
///
/// Member n has index i = ⌊n / lanes⌋ in lane l = n mod lanes, of s members there. Its rank is
/// r = (i·step + shift) mod s, with `step` and `shift` of the lane, its share of the period
/// f = ⌊(r·2^32 + l reversed bit by bit) / s⌋, in units of 2^−32, and its phase σ = ⌊f·P / 2^32⌋, P
/// being the period. It is due, for the v-th time, at v·P − σ after the start, so that by the time
/// t it was due v(t) = ⌊(t + σ) / P⌋ times.
///
/// All arithmetic is on whole numbers below 2^64.
#[derive(Clone, Debug)]
pub struct Rota {
    lanes: Lanes,
    period_us: u64,
    turns: Box<[Turn]>,
}

/// The members of one lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Turn {
    size: u32,
    step: u32,
    /// The inverse of `step`, modulo `size`.
    back: u32,
    shift: u32,
    /// The lane's number, reversed bit by bit: lanes of one size are not due all at once.
    offset: u32,
}

/// A member that is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Due {
    /// When, in microseconds since the start.
    pub time_us: u64,
    /// Who.
    pub number: u32,
    /// For which time, from 1.
    pub version: u32,
}

impl Rota {
    /// A rota of so many members in each lane; `key` decides their order.
    ///
    /// # Panics
    ///
    /// If the period is 0 or longer than [`PERIOD_MAX_US`]: the configuration has refused it.
    pub fn new(sizes: &[u32], period_us: u64, key: [u32; 2]) -> Self {
        assert!(
            (1..=PERIOD_MAX_US).contains(&period_us),
            "a period of {period_us} µs is outside what the configuration lets through"
        );
        let turns = (0..).zip(sizes).map(|(lane, &size)| Turn::new(lane, size, key));
        let count = u32::try_from(sizes.len()).unwrap_or(u32::MAX);
        Self { lanes: Lanes::new(count), period_us, turns: turns.collect() }
    }

    /// The period in microseconds.
    pub fn period_us(&self) -> u64 {
        self.period_us
    }

    /// How many lanes its members are in.
    pub fn lane_count(&self) -> u32 {
        self.lanes.count
    }

    /// How many members it has.
    pub fn count(&self) -> u64 {
        self.turns.iter().map(|turn| u64::from(turn.size)).sum()
    }

    /// The phase of a member in microseconds: below the period.
    #[inline]
    pub fn phase_us(&self, number: u32) -> u64 {
        let (index, lane) = self.lanes.split(number);
        let turn = &self.turns[lane as usize];
        let size = u64::from(turn.size.max(1));
        let rank = (u64::from(index) * u64::from(turn.step) + u64::from(turn.shift)) % size;
        self.scaled((rank << 32 | u64::from(turn.offset)) / size)
    }

    /// How many times a member was due by a time, in microseconds since the start; that very moment
    /// counts.
    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "periods are long enough for 32 bits")]
    pub fn version(&self, number: u32, time_us: u64) -> u32 {
        ((time_us + self.phase_us(number)) / self.period_us) as u32
    }

    /// A share of the period.
    #[inline]
    fn scaled(&self, share: u64) -> u64 {
        share * (self.period_us >> 32) + ((share * (self.period_us & 0xffff_ffff)) >> 32)
    }

    /// Calls `see` with each member of a lane that is due in a window (microseconds since the
    /// start), period by period, in each by falling time.
    pub fn due(&self, lane: u32, window_us: &Range<u64>, see: &mut impl FnMut(Due)) {
        let turn = &self.turns[lane as usize];
        if turn.size == 0 || window_us.is_empty() {
            return;
        }
        let period = self.period_us;
        let last = (window_us.end - 1) / period + 1;
        for version in (window_us.start / period).max(1)..=last {
            let at = version * period;
            // Due at `at` − σ: σ lies from `least` to `greatest`.
            let Some(greatest) = at.checked_sub(window_us.start) else { continue };
            let least = (at + 1).saturating_sub(window_us.end);
            let ranks = self.ranks(turn, least)..self.ranks(turn, (greatest + 1).min(period));
            for rank in ranks {
                let number = self.number(turn, lane, rank);
                let time_us = at - self.phase_us(number);
                let version = u32::try_from(version).unwrap_or(u32::MAX);
                see(Due { time_us, number, version });
            }
        }
    }

    /// Calls `see` with each member of a lane whose phase lies in a range, and the phase, which
    /// never falls.
    pub fn phased(&self, lane: u32, phases_us: &Range<u64>, see: &mut impl FnMut(u32, u64)) {
        let turn = &self.turns[lane as usize];
        let place = |phase_us: u64| self.ranks(turn, phase_us.min(self.period_us));
        for rank in place(phases_us.start)..place(phases_us.end) {
            let number = self.number(turn, lane, rank);
            see(number, self.phase_us(number));
        }
    }

    /// How many members of a lane have a phase below `phase_us`, which is at most the period.
    fn ranks(&self, turn: &Turn, phase_us: u64) -> u64 {
        // The least share whose phase is not below.
        let share = (u128::from(phase_us) << 32).div_ceil(u128::from(self.period_us));
        let share = u64::try_from(share).unwrap_or(1 << 32);
        let least = (share * u64::from(turn.size)).saturating_sub(u64::from(turn.offset));
        least.div_ceil(1 << 32).min(u64::from(turn.size))
    }

    /// The member of a rank.
    fn number(&self, turn: &Turn, lane: u32, rank: u64) -> u32 {
        let size = u64::from(turn.size);
        let index = (rank + size - u64::from(turn.shift)) % size * u64::from(turn.back) % size;
        u32::try_from(index).unwrap_or(u32::MAX).wrapping_mul(self.lanes.count).wrapping_add(lane)
    }
}

impl Turn {
    fn new(lane: u32, size: u32, key: [u32; 2]) -> Self {
        let words = philox::philox(key, [lane, 0, 0, u32::MAX]);
        let modulus = size.max(1);
        let shift = words[0] % modulus;
        let mut step = words[1] % modulus;
        let back = loop {
            if let Some(back) = inverse(step, modulus) {
                break back;
            }
            step = (step + 1) % modulus;
        };
        Self { size, step, back, shift, offset: lane.reverse_bits() }
    }
}

/// The number that, times `value`, leaves 1 when divided by `modulus`; none if they share a factor.
fn inverse(value: u32, modulus: u32) -> Option<u32> {
    let (mut a, mut b) = (i64::from(value), i64::from(modulus));
    let (mut x, mut y) = (1_i64, 0_i64);
    while b != 0 {
        let quotient = a / b;
        (a, b) = (b, a - quotient * b);
        (x, y) = (y, x - quotient * y);
    }
    let inverse = x.rem_euclid(i64::from(modulus));
    (a == 1).then(|| u32::try_from(inverse).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const DAY: u64 = 86_400_000_000;

    fn all_due(rota: &Rota, lanes: u32, window_us: &Range<u64>) -> Vec<Due> {
        let mut all = Vec::new();
        for lane in 0..lanes {
            rota.due(lane, window_us, &mut |due| all.push(due));
        }
        all.sort_unstable();
        all
    }

    #[test]
    fn each_member_is_due_once_in_a_period() {
        for sizes in [vec![1_000; 4], vec![7, 0, 3], vec![1], vec![12_345]] {
            let lanes = u32::try_from(sizes.len()).unwrap();
            let rota = Rota::new(&sizes, 30 * DAY, [1, 2]);
            for period in 0..3 {
                let due =
                    all_due(&rota, lanes, &(period * 30 * DAY + 1..(period + 1) * 30 * DAY + 1));
                let mut numbers: Vec<u32> = due.iter().map(|due| due.number).collect();
                numbers.sort_unstable();
                let mut members: Vec<u32> = (0..lanes)
                    .zip(&sizes)
                    .flat_map(|(lane, &size)| (0..size).map(move |index| index * lanes + lane))
                    .collect();
                members.sort_unstable();
                assert_eq!(numbers, members);
            }
        }
    }

    #[test]
    fn members_are_due_evenly_over_the_period() {
        let rota = Rota::new(&[5_000; 8], 10 * DAY, [3, 4]);
        for hour in 0..240 {
            let hour_us = DAY / 24;
            let due = all_due(&rota, 8, &(hour * hour_us..(hour + 1) * hour_us)).len();
            assert!((164..=169).contains(&due), "{due} in hour {hour}, but 166.7 are an hour's");
        }
    }

    #[test]
    fn neighbours_are_not_due_one_after_the_other() {
        let rota = Rota::new(&[100_000], 10 * DAY, [3, 4]);
        let near =
            (0..99_999).filter(|&n| rota.phase_us(n).abs_diff(rota.phase_us(n + 1)) < DAY / 24);
        assert_eq!(near.count(), 0);
    }

    proptest! {
        // Who is due in a window and when a member was due agree: a member is among the window's
        // exactly as often as its version grows, at the moments at which it grows.
        #[test]
        fn who_is_due_and_when_a_member_was_agree(
            sizes in proptest::collection::vec(0_u32..40, 1..6),
            period_us in prop_oneof![1_000_000_u64..2_000_000, 1..=PERIOD_MAX_US],
            begin in 0_u64..1 << 54,
            length in 1_u64..1 << 54,
            key in any::<[u32; 2]>(),
        ) {
            let begin = begin % (20 * period_us);
            let window_us = begin..begin + 1 + length % (3 * period_us);
            let lanes = u32::try_from(sizes.len()).unwrap();
            let rota = Rota::new(&sizes, period_us, key);
            let mut due = all_due(&rota, lanes, &window_us);
            for one in &due {
                prop_assert!(window_us.contains(&one.time_us));
                prop_assert_eq!(rota.version(one.number, one.time_us), one.version);
                if one.time_us > 0 {
                    prop_assert_eq!(rota.version(one.number, one.time_us - 1), one.version - 1);
                }
            }
            due.sort_unstable_by_key(|due| (due.number, due.version));
            let mut expected = Vec::new();
            for (lane, &size) in (0..lanes).zip(&sizes) {
                for number in (0..size).map(|index| index * lanes + lane) {
                    let before = window_us.start.checked_sub(1);
                    let before = before.map_or(0, |at| rota.version(number, at));
                    let after = rota.version(number, window_us.end - 1);
                    expected.extend((before + 1..=after).map(|version| (number, version)));
                }
            }
            expected.sort_unstable();
            let found: Vec<_> = due.iter().map(|due| (due.number, due.version)).collect();
            prop_assert_eq!(found, expected);
        }

        // Ranges of phases that add up hold each member once, where its phase is.
        #[test]
        fn phases_are_found(size in 1_u32..2_000, period_us in 1_u64..100_000, cut in 0_u64..100_000) {
            let rota = Rota::new(&[size, size / 3], period_us, [8, 9]);
            for (lane, size) in [(0, size), (1, size / 3)] {
                let mut numbers = Vec::new();
                for phases_us in [0..cut, cut..period_us.max(cut)] {
                    rota.phased(lane, &phases_us, &mut |number, phase_us| {
                        assert!(phases_us.contains(&phase_us));
                        numbers.push(number);
                    });
                }
                numbers.sort_unstable();
                let all: Vec<u32> = (0..size).map(|index| index * 2 + lane).collect();
                prop_assert_eq!(numbers, all);
            }
        }

        // A window cut in two gives the same.
        #[test]
        fn windows_add_up(cut in 1_u64..10_000_000, size in 1_u32..5_000) {
            let rota = Rota::new(&[size, size / 2], 3_000_000, [7, 7]);
            let whole = all_due(&rota, 2, &(0..10_000_000));
            let mut parts = all_due(&rota, 2, &(0..cut));
            parts.extend(all_due(&rota, 2, &(cut..10_000_000)));
            prop_assert_eq!(whole, parts);
        }
    }
}
