//! The events of a tick: those that are drawn, thinned by what multiplies the rate.

use std::ops::Range;

use super::{
    COUNT_SALT, INDEX_BITS, Place, TIME_SALT, count_of, counter, position, salted_times,
    tick_and_lane,
};
use crate::config::model;
use crate::generate::philox::philox;
use crate::plan::exact::{self, Part};
use crate::plan::poisson::MEAN_MAX;
use crate::plan::scenario::Backlog;
use crate::plan::shape::Factors;
use crate::plan::steps::share;
use crate::plan::traffic::{POWER_MIN, Segment, Traffic};

/// Of what becomes of each event.
const FATE_SALT: u32 = 0xA007_0000;
/// Of the events that a scenario adds.
const MORE_COUNT_SALT: u32 = 0xA008_0000;
const MORE_TIME_SALT: u32 = 0xA009_0000;
/// A share of 1, in units of 2^−32.
const ALL: u64 = 1 << 32;

/// Thinning: of the events that a power of 2 times the rate brings, each is kept by its own word.
///
/// So the tables of counts are few, whatever the multipliers, and an event that is kept at a
/// multiplier is kept at every greater one.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Thinning {
    power: i32,
    /// The share that is kept, in units of 2^−32.
    kept: u64,
}

impl Thinning {
    /// The thinning of a multiplier above 0: kept · 2^power.
    fn new(multiplier: f64) -> Self {
        let (mantissa, exponent) = libm::frexp(multiplier);
        // The mantissa is below 1, and from ½ on: powers of 2 keep all.
        let power = if mantissa <= 0.5 { exponent - 1 } else { exponent };
        let power = power.max(POWER_MIN);
        Self { power, kept: share(libm::ldexp(multiplier, -power)) }
    }
}

/// The random words that say what becomes of a tick and lane's events, one each.
struct Words {
    key: [u32; 2],
    counter: [u32; 4],
    block: [u32; 4],
}

impl Words {
    fn new(key: [u32; 2], tick: u64, lane: u32) -> Self {
        let [first, second, third] = counter(tick, FATE_SALT | lane);
        Self { key, counter: [first, second, third, u32::MAX], block: [0; 4] }
    }

    fn of(&mut self, index: u32) -> u64 {
        if self.counter[3] != index / 4 {
            self.counter[3] = index / 4;
            self.block = philox(self.key, self.counter);
        }
        u64::from(self.block[(index % 4) as usize])
    }
}

/// What becomes of an event that the base rate brings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It comes when it is due.
    Sent,
    /// It comes after the phase that keeps it away.
    Released,
    /// It never comes.
    Abandoned,
}

/// An event of a root stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Arrival {
    /// When it comes, in microseconds since the begin of the tick.
    pub at_us: u32,
    /// Its position.
    pub number: u64,
}

/// The events of one tick of a root stream.
#[derive(Debug)]
pub struct Arrivals<'a> {
    traffic: &'a Traffic,
    segment: &'a Segment,
    tick: u64,
    factors: Factors,
}

impl<'a> Arrivals<'a> {
    /// Those of a tick, in whose quarter of an hour the segment holds.
    pub fn new(traffic: &'a Traffic, segment: &'a Segment, tick: u64) -> Self {
        let factors = match traffic.arrivals {
            // An hour has its multipliers already.
            model::Arrivals::Exact => Factors { base: 1.0, scenario: 1.0 },
            model::Arrivals::Poisson => traffic.shape.at(tick),
        };
        Self { traffic, segment, tick, factors }
    }

    /// How many events a lane expects that is too full, if any is; not a number if a multiplier is
    /// none, or is below 0.
    pub fn too_many(&self) -> Option<f64> {
        let is_exact = self.traffic.arrivals == model::Arrivals::Exact;
        let factors = if is_exact { self.traffic.shape.at(self.tick) } else { self.factors };
        let Factors { base, scenario } = factors;
        if !(base >= 0.0 && scenario >= 0.0 && factors.product().is_finite()) {
            return Some(f64::NAN);
        }
        if is_exact {
            let events =
                exact::count(self.traffic, self.tick) as f64 * self.segment.fullest_share();
            // Half of the indices are for events that were deferred.
            return (events > MEAN_MAX / 2.0).then_some(events);
        }
        if base * scenario.max(1.0) <= 1.0 {
            return None;
        }
        // The next power of 2 is drawn, and thinned.
        let most = self.segment.fullest() * base * scenario.max(1.0) * 2.0;
        (most > MEAN_MAX).then_some(most / 2.0)
    }

    /// Calls `event` for each event of the tick in some lanes, in ascending order; lane by lane, and
    /// in each in order of time but for those that were deferred.
    pub fn each(&self, lanes: &[u32], event: &mut impl FnMut(u32, Arrival)) {
        if self.traffic.arrivals == model::Arrivals::Exact {
            self.exact(Part::Sent, lanes, &mut |lane, arrival, _| event(lane, arrival));
        } else {
            for &lane in lanes {
                self.of_lane(lane, &mut |arrival| event(lane, arrival));
            }
        }
        if self.traffic.shape.defers {
            self.released(lanes, event);
        }
    }

    /// How many there are in some lanes, in ascending order.
    pub fn count(&self, lanes: &[u32]) -> u64 {
        if self.traffic.is_plain() {
            let of_lane = |&lane: &u32| u64::from(self.drawn(lane, 0, COUNT_SALT));
            return lanes.iter().map(of_lane).sum();
        }
        let all = lanes.len() == self.traffic.lanes as usize;
        let is_exact = self.traffic.arrivals == model::Arrivals::Exact;
        if is_exact && all && !self.traffic.shape.defers {
            return exact::count(self.traffic, self.tick);
        }
        let mut count = 0;
        self.each(lanes, &mut |_, _| count += 1);
        count
    }

    /// Calls `event` for each event of the tick in some lanes that a phase defers: when it is due, and
    /// what becomes of it.
    pub fn deferred(&self, lanes: &[u32], event: &mut dyn FnMut(Arrival, Fate)) {
        let Some(deferral) = self.traffic.shape.deferral_at(self.tick) else { return };
        if self.traffic.arrivals == model::Arrivals::Exact {
            // Of each hour's as many as its share comes to, evenly spread among them.
            let share = u128::from(share(deferral.released));
            let released = |number: u64| u128::from(number) * share / u128::from(ALL);
            return self.exact(Part::Deferred, lanes, &mut |_, arrival, number| {
                let comes = released(number + 1) > released(number);
                event(arrival, if comes { Fate::Released } else { Fate::Abandoned });
            });
        }
        for &lane in lanes {
            self.candidates(lane, &mut |arrival, fate| {
                if fate != Fate::Sent {
                    event(arrival, fate);
                }
            });
        }
    }

    /// Calls `event` for the events of a part of an exact hour, with their numbers in it.
    fn exact(&self, part: Part, lanes: &[u32], event: &mut impl FnMut(u32, Arrival, u64)) {
        let mut see = |lane, at_us, number, of_hour| {
            event(lane, Arrival { at_us, number }, of_hour);
        };
        let asked = (self.tick, lanes);
        exact::events((self.traffic, part), self.segment, asked, &mut see);
    }

    fn of_lane(&self, lane: u32, event: &mut impl FnMut(Arrival)) {
        let count = self.candidates(lane, &mut |arrival, fate| {
            if fate == Fate::Sent {
                event(arrival);
            }
        });
        let Factors { base, scenario } = self.factors;
        if base <= 0.0 || scenario <= 1.0 {
            return;
        }
        let thinning = Thinning::new(base * (scenario - 1.0));
        let more = self.drawn(lane, thinning.power, MORE_COUNT_SALT);
        let mut words = Words::new(self.traffic.key, self.tick, lane);
        salted_times(self.place(lane), MORE_TIME_SALT, more, &mut |index, at_us| {
            let index = count + index;
            if index < 1 << INDEX_BITS && words.of(index) < thinning.kept {
                event(Arrival { at_us, number: position(self.tick, lane, index) });
            }
        });
    }

    /// Calls `event` for each event that the base rate brings to a lane; says how many were thought
    /// of.
    fn candidates(&self, lane: u32, event: &mut impl FnMut(Arrival, Fate)) -> u32 {
        let Factors { base, scenario } = self.factors;
        if base <= 0.0 {
            return 0;
        }
        let mut event = |index, at_us, fate| {
            event(Arrival { at_us, number: position(self.tick, lane, index) }, fate);
        };
        let thinning = Thinning::new(base);
        let count = self.drawn(lane, thinning.power, COUNT_SALT);
        let kept = thinning.kept as f64 / ALL as f64;
        let sent = share(kept * scenario.min(1.0));
        if sent == ALL {
            salted_times(self.place(lane), TIME_SALT, count, &mut |index, at_us| {
                event(index, at_us, Fate::Sent);
            });
            return count;
        }
        let deferral = self.traffic.shape.deferral_at(self.tick);
        let released = deferral.map_or(0.0, |deferral| deferral.released);
        let released = sent + share(kept * (1.0 - scenario.min(1.0)) * released);
        let mut words = Words::new(self.traffic.key, self.tick, lane);
        salted_times(self.place(lane), TIME_SALT, count, &mut |index, at_us| {
            let word = words.of(index);
            if word < sent {
                event(index, at_us, Fate::Sent);
            } else if word < released {
                event(index, at_us, Fate::Released);
            } else if word < thinning.kept && deferral.is_some() {
                event(index, at_us, Fate::Abandoned);
            }
        });
        count
    }

    /// Calls `event` for each event that was kept away before, and comes in this tick.
    fn released(&self, lanes: &[u32], event: &mut impl FnMut(u32, Arrival)) {
        let tick_us = self.traffic.tick_us;
        let own_us = self.tick * tick_us..(self.tick + 1) * tick_us;
        let shape = &self.traffic.shape;
        shape.scenarios.backlogs(shape.stream, &own_us, &mut |phase, backlog: Backlog| {
            let sources = backlog.sources_us(&own_us);
            for tick in sources.start / tick_us..sources.end.div_ceil(tick_us) {
                // The first phase that holds is the one that defers.
                if shape.deferring_at(tick) != Some(phase) {
                    continue;
                }
                let segment = self.traffic.segment(self.traffic.slot_of(tick));
                let source = Arrivals::new(self.traffic, &segment, tick);
                source.deferred(lanes, &mut |arrival, fate| {
                    let due_us = tick * tick_us + u64::from(arrival.at_us);
                    let comes_us = backlog.released_us(due_us);
                    if fate == Fate::Released && own_us.contains(&comes_us) {
                        let number = arrival.number;
                        let at_us = u32::try_from(comes_us - own_us.start).unwrap_or(0);
                        event(tick_and_lane(number).1, Arrival { at_us, number });
                    }
                });
            }
        });
    }

    fn place(&self, lane: u32) -> Place {
        let Traffic { key, tick_us, .. } = *self.traffic;
        Place { key, tick: self.tick, lane, tick_us }
    }

    /// How many events a lane has at 2^`power` times the rate.
    fn drawn(&self, lane: u32, power: i32, salt: u32) -> u32 {
        let Some(mean) = self.segment.mean_of_power(lane, power) else { return 0 };
        let [first, second, third] = counter(self.tick, salt | lane);
        count_of(mean, philox(self.traffic.key, [first, second, third, 0]))
    }
}

/// How many events of a stream come in some ticks, all lanes together; Poisson only.
pub fn count_within(traffic: &Traffic, ticks: Range<u64>) -> u64 {
    let lanes: Vec<u32> = (0..traffic.lanes).collect();
    let mut tick = ticks.start;
    let mut count = 0;
    while tick < ticks.end {
        let segment = traffic.segment(traffic.slot_of(tick));
        let end = traffic.slot_end(tick).min(ticks.end);
        if !traffic.is_silent(&segment) {
            for tick in tick..end {
                count += Arrivals::new(traffic, &segment, tick).count(&lanes);
            }
        }
        tick = end;
    }
    count
}
