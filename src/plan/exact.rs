//! Exact arrivals: as many events in an hour of model time as are expected, evenly spread.
//!
//! Of an hour's N events the i-th comes when (i + ½) / N of what the hour expects is over; its lane
//! is drawn by hour and i. So both the events of a tick and the tick of an event are found at once.

use std::ops::Range;

use super::arrival::{INDEX_BITS, position};
use super::shape::Factors;
use super::traffic::{Segment, Traffic};
use crate::generate::philox::philox;

/// Microseconds of an hour.
pub const HOUR_US: u64 = 3_600_000_000;
const LANE_SALT: u32 = 0xA005_0000;
const DEFERRED_SALT: u32 = 0xA00A_0000;
/// Where the indices of deferred events begin.
const DEFERRED_INDEX: u32 = 1 << (INDEX_BITS - 1);
/// What the densest tick of an hour weighs, as bits.
const WEIGHT_BITS: i32 = 40;

/// Which events of an hour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// Those that come.
    Sent,
    /// Those that a phase keeps away: as many as are missing to a rate that it does not lower.
    Deferred,
}

/// The events of an hour counted from the start.
#[derive(Debug)]
pub struct Hour {
    /// How many there are.
    pub count: u64,
    first_tick: u64,
    pieces: Vec<Piece>,
    /// What all ticks weigh.
    total: u128,
}

/// Ticks one after the other that weigh the same.
#[derive(Clone, Copy, Debug)]
struct Piece {
    /// The first, counted from the hour's.
    first: u64,
    weight: u64,
    /// What the ticks before weigh.
    before: u128,
}

/// A stretch of the hour with the same multipliers.
struct Stretch {
    ticks: u64,
    local: f64,
    factors: Factors,
}

impl Stretch {
    fn density(&self) -> f64 {
        self.local * self.factors.product()
    }
}

impl Hour {
    /// A part of an hour of a stream's traffic.
    ///
    /// N = ⌊rate · intensity · curve · scenario⌋, in doubles and in this order; of multipliers that
    /// change inside the hour it is their mean over its ticks.
    pub fn new(traffic: &Traffic, hour: u64, part: Part) -> Self {
        let ticks = HOUR_US / traffic.tick_us;
        let first_tick = hour * ticks;
        let stretches = stretches(traffic, first_tick..first_tick + ticks, part);
        let rate = traffic.rate_per_hour * traffic.intensity;
        let densest = stretches.iter().map(Stretch::density).fold(0.0, f64::max);
        let expected = match &stretches[..] {
            [first, others @ ..] if others.iter().all(|it| same(it, first)) => {
                rate * (first.local * first.factors.base) * first.factors.scenario
            }
            all => {
                let sum: f64 = all.iter().map(|it| it.density() * it.ticks as f64).sum();
                rate * (sum / ticks as f64)
            }
        };
        let mut pieces = Vec::with_capacity(stretches.len());
        let (mut first, mut before) = (0, 0);
        for stretch in stretches {
            let share = if densest > 0.0 { stretch.density() / densest } else { 0.0 };
            let weight = whole(libm::round(libm::ldexp(share, WEIGHT_BITS)));
            pieces.push(Piece { first, weight, before });
            before += u128::from(weight) * u128::from(stretch.ticks);
            first += stretch.ticks;
        }
        let count = if before > 0 { whole(libm::floor(expected)) } else { 0 };
        Self { count, first_tick, pieces, total: before }
    }

    /// How many stretches of ticks it is told apart by.
    pub fn pieces(&self) -> usize {
        // Each hour takes room beside them.
        self.pieces.len() + 8
    }

    /// How many of its events come before a tick.
    pub fn before(&self, tick: u64) -> u64 {
        let Some(tick) = tick.checked_sub(self.first_tick) else { return 0 };
        let place = self.pieces.partition_point(|piece| piece.first <= tick);
        let Some(piece) = place.checked_sub(1).map(|place| self.pieces[place]) else { return 0 };
        let weight = u128::from(piece.weight) * u128::from(tick - piece.first);
        // Those i for which (2i + 1) · total < 2 · count · what is over.
        let over = 2 * u128::from(self.count) * (piece.before + weight).min(self.total);
        let before = over.saturating_sub(self.total).div_ceil((2 * self.total).max(1));
        u64::try_from(before).unwrap_or(u64::MAX)
    }

    /// When an event comes, in microseconds since the hour's begin.
    fn time_us(&self, event: u64, tick_us: u64) -> u64 {
        let over = (2 * u128::from(event) + 1) * self.total / (2 * u128::from(self.count));
        let place = self.pieces.partition_point(|piece| piece.before <= over);
        let piece = self.pieces[place.saturating_sub(1)];
        let weight = u128::from(piece.weight.max(1));
        let inside = (over - piece.before) * u128::from(tick_us) / weight;
        piece.first * tick_us + u64::try_from(inside).unwrap_or(0)
    }
}

/// How many events of a stream come before a tick, from the start on.
pub fn before(traffic: &Traffic, tick: u64) -> u64 {
    let hour = tick * traffic.tick_us / HOUR_US;
    let whole: u64 = (0..hour).map(|hour| traffic.hour(hour, Part::Sent).count).sum();
    whole + traffic.hour(hour, Part::Sent).before(tick)
}

/// How many events of a stream come in a tick.
pub fn count(traffic: &Traffic, tick: u64) -> u64 {
    let hour = traffic.hour(tick * traffic.tick_us / HOUR_US, Part::Sent);
    hour.before(tick + 1) - hour.before(tick)
}

/// Calls `event` with lane, time in the tick and position of each event of a part of a tick in some
/// lanes, and with its number in the hour; in order of time.
pub fn events(
    (traffic, part): (&Traffic, Part),
    segment: &Segment,
    (tick, lanes): (u64, &[u32]),
    event: &mut impl FnMut(u32, u32, u64, u64),
) {
    let (salt, first) = match part {
        Part::Sent => (LANE_SALT, 0),
        Part::Deferred => (DEFERRED_SALT, DEFERRED_INDEX),
    };
    let hour_number = tick * traffic.tick_us / HOUR_US;
    let hour = traffic.hour(hour_number, part);
    let begin_us = (tick - hour.first_tick) * traffic.tick_us;
    // How many events each lane has so far, if it is asked for.
    let mut counts = vec![None; traffic.lanes as usize];
    for &lane in lanes {
        counts[lane as usize] = Some(first);
    }
    let (mut block, mut words) = (u64::MAX, [0; 4]);
    for number in hour.before(tick)..hour.before(tick + 1) {
        if block != number / 4 {
            block = number / 4;
            let counter = [low(hour_number), low(block), salt | low(block >> 32), 0];
            words = philox(traffic.key, counter);
        }
        let lane = segment.lane(words[(number % 4) as usize]);
        if let Some(index) = &mut counts[lane as usize] {
            let at_us = hour.time_us(number, traffic.tick_us) - begin_us;
            event(lane, low(at_us), position(tick, lane, *index), number);
            *index += 1;
        }
    }
}

fn stretches(traffic: &Traffic, ticks: Range<u64>, part: Part) -> Vec<Stretch> {
    let mut all: Vec<Stretch> = Vec::new();
    let mut tick = ticks.start;
    while tick < ticks.end {
        let slot_end = traffic.slot_end(tick).min(ticks.end);
        let local = traffic.segment(traffic.slot_of(tick)).total();
        while tick < slot_end {
            let end = traffic.shape.constant_until(tick).min(slot_end);
            let factors = factors(traffic, tick, part);
            let next = Stretch { ticks: end - tick, local, factors };
            match all.last_mut() {
                Some(last) if same(last, &next) => last.ticks += next.ticks,
                _ => all.push(next),
            }
            tick = end;
        }
    }
    all
}

/// The multipliers of a part of a tick.
fn factors(traffic: &Traffic, tick: u64, part: Part) -> Factors {
    let factors = traffic.shape.at(tick);
    match part {
        Part::Sent => factors,
        Part::Deferred if traffic.shape.deferring_at(tick).is_none() => {
            Factors { scenario: 0.0, ..factors }
        }
        Part::Deferred => Factors { scenario: 1.0 - factors.scenario.min(1.0), ..factors },
    }
}

fn same(one: &Stretch, other: &Stretch) -> bool {
    let bits = |of: &Stretch| [of.local, of.factors.base, of.factors.scenario].map(f64::to_bits);
    bits(one) == bits(other)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "multipliers are finite and not below 0; the cast saturates"
)]
fn whole(value: f64) -> u64 {
    value as u64
}

#[expect(clippy::cast_possible_truncation, reason = "the lower word is meant")]
const fn low(value: u64) -> u32 {
    value as u32
}
