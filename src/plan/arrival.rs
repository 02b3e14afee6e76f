//! Arrivals: when the events of a tick come, in integers.

mod drawn;

use crate::generate::philox::philox;

use super::poisson::Mean;
pub use drawn::{Arrival, Arrivals, Fate, count_within};

/// Bits of the index of an event in its tick and lane.
pub const INDEX_BITS: u32 = 18;
/// Bits of a lane.
pub const LANE_BITS: u32 = 10;
/// Cells that the events of a tick and lane are split into, as bits.
pub const CELL_BITS: u32 = 7;

const COUNT_SALT: u32 = 0xA001_0000;
const TIME_SALT: u32 = 0xA002_0000;

/// Where an event stands in its stream: tick (36 bits), lane (10), index in both (18).
pub fn position(tick: u64, lane: u32, index: u32) -> u64 {
    tick << (LANE_BITS + INDEX_BITS) | u64::from(lane) << INDEX_BITS | u64::from(index)
}

/// The tick and the lane of a position.
#[expect(clippy::cast_possible_truncation, reason = "masked")]
pub fn tick_and_lane(position: u64) -> (u64, u32) {
    let lane = (position >> INDEX_BITS) as u32 & ((1 << LANE_BITS) - 1);
    (position >> (LANE_BITS + INDEX_BITS), lane)
}

/// Random words of one tick and lane, one after the other, and fair coins of words of their own.
struct Words {
    key: [u32; 2],
    counter: [u32; 4],
    block: [u32; 4],
    used: usize,
    coins: u64,
    coins_left: u32,
}

impl Words {
    #[expect(clippy::cast_possible_truncation, reason = "the tick's two words")]
    fn new(key: [u32; 2], tick: u64, salted_lane: u32) -> Self {
        let counter = [tick as u32, (tick >> 32) as u32, salted_lane, 0];
        Self { key, counter, block: [0; 4], used: 4, coins: 0, coins_left: 0 }
    }

    #[inline]
    fn word(&mut self) -> u32 {
        if self.used == 4 {
            self.block = philox(self.key, self.counter);
            self.counter[3] += 1;
            self.used = 0;
        }
        let word = self.block[self.used];
        self.used += 1;
        word
    }

    /// The next `count` coins (at most 32), as the lowest bits.
    #[inline]
    fn coins(&mut self, count: u32) -> u32 {
        if self.coins_left < count {
            self.coins |= u64::from(self.word()) << self.coins_left;
            self.coins_left += 32;
        }
        #[expect(clippy::cast_possible_truncation, reason = "masked to at most 32 bits")]
        let coins = (self.coins & ((1 << count) - 1)) as u32;
        self.coins >>= count;
        self.coins_left -= count;
        coins
    }

    /// How many of `count` coins show heads.
    fn heads(&mut self, count: u32) -> u32 {
        let whole: u32 = (0..count / 32).map(|_| self.coins(32).count_ones()).sum();
        whole + self.coins(count % 32).count_ones()
    }
}

/// The first words of the counter that the number of events of a tick in a lane is drawn by; the
/// fourth is 0.
#[inline]
pub fn count_counter(tick: u64, lane: u32) -> [u32; 3] {
    counter(tick, COUNT_SALT | lane)
}

#[inline]
#[expect(clippy::cast_possible_truncation, reason = "the tick's two words")]
fn counter(tick: u64, salted_lane: u32) -> [u32; 3] {
    [tick as u32, (tick >> 32) as u32, salted_lane]
}

/// The number of events, by the random words of that counter.
#[inline]
pub fn count_of(mean: &Mean, [first, second, ..]: [u32; 4]) -> u32 {
    let count = mean.draw(u64::from(first) << 32 | u64::from(second));
    count.min((1 << INDEX_BITS) - 1)
}

/// One tick of one lane.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// The stream's key.
    pub key: [u32; 2],
    /// The tick.
    pub tick: u64,
    /// The lane.
    pub lane: u32,
    /// The length of a tick in microseconds.
    pub tick_us: u64,
}

/// Calls `event` with the index and the time (microseconds since the tick's begin, never falling)
/// of each of the `count` events of a tick and lane.
///
/// Given its count, a Poisson process is that many independent uniform times. They are split by fair
/// halving into 128 cells (a binomial count by the heads among as many random bits), and inside a
/// cell of m events the i-th is at (i + u) / m of it, u a random word.
pub fn times(place: Place, count: u32, event: &mut impl FnMut(u32, u32)) {
    salted_times(place, TIME_SALT, count, event);
}

fn salted_times(place: Place, salt: u32, count: u32, event: &mut impl FnMut(u32, u32)) {
    let mut words = Words::new(place.key, place.tick, salt | place.lane);
    let mut next = 0;
    split(&mut words, count, 0, CELL_BITS, &mut |words, cell, events| {
        for step in 0..events {
            let u = u64::from(step) << 32 | u64::from(words.word());
            let inside = if events == 1 { u } else { u / u64::from(events) };
            let at = u64::from(cell) << 32 | inside.min(u64::from(u32::MAX));
            let offset_us = (at * place.tick_us) >> (32 + CELL_BITS);
            event(next, u32::try_from(offset_us).unwrap_or(u32::MAX));
            next += 1;
        }
    });
}

fn split(
    words: &mut Words,
    count: u32,
    cell: u32,
    levels: u32,
    leaf: &mut impl FnMut(&mut Words, u32, u32),
) {
    if count == 0 {
        return;
    }
    if levels == 0 {
        return leaf(words, cell, count);
    }
    if count == 1 {
        // One coin a level, all at once.
        let below = words.coins(levels);
        return leaf(words, cell << levels | below, 1);
    }
    let first = words.heads(count);
    split(words, first, cell << 1, levels - 1, leaf);
    split(words, count - first, cell << 1 | 1, levels - 1, leaf);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(tick: u64) -> Place {
        Place { key: [5, 6], tick, lane: 3, tick_us: 1_000_000 }
    }

    #[test]
    fn times_never_run_backwards_and_stay_in_the_tick() {
        for count in [0, 1, 2, 7, 31, 32, 33, 500, 5_000] {
            let mut seen = Vec::new();
            times(place(u64::from(count)), count, &mut |index, at| {
                assert_eq!(index as usize, seen.len());
                seen.push(at);
            });
            assert_eq!(seen.len(), count as usize);
            assert!(seen.is_sorted() && seen.iter().all(|&at| at < 1_000_000));
        }
    }

    #[test]
    fn counts_in_windows_of_ten_milliseconds_vary_like_poisson() {
        // A tick is chosen so that a lane has 1 to 32 events in it.
        let mean = Mean::new(30.0);
        let mut windows = Vec::new();
        for tick in 0..400 {
            let mut counts = vec![0.0_f64; 100];
            for lane in 0..10 {
                let place = Place { lane, ..place(tick) };
                let [first, second, third] = count_counter(tick, lane);
                let count = count_of(&mean, philox([5, 6], [first, second, third, 0]));
                times(place, count, &mut |_, at| counts[at as usize / 10_000] += 1.0);
            }
            windows.extend(counts);
        }
        let mean = windows.iter().sum::<f64>() / windows.len() as f64;
        let variance =
            windows.iter().map(|count| (count - mean).powi(2)).sum::<f64>() / windows.len() as f64;
        assert!((mean - 3.0).abs() < 0.06, "{mean}");
        assert!((variance / mean - 1.0).abs() < 0.05, "{variance} for {mean}");
    }

    #[test]
    fn positions_are_read_back() {
        let position = position((1 << 36) - 1, 1_023, (1 << 18) - 1);
        assert_eq!(position, u64::MAX);
        assert_eq!(tick_and_lane(position), ((1 << 36) - 1, 1_023));
    }
}
