//! Scenarios: which phases hold at a tick, and what they multiply rates by.
//!
//! A phase is a function of model time: nothing is walked from the start, and a scenario that comes
//! again, or is placed at random, is found by the number of its repetition.

mod stage;

use std::ops::Range;

pub use self::stage::{overrides, stage};
use crate::config::model::{Deferral, Instant, Multiplier, Release};
use crate::generate::philox::philox;
use crate::plan::exact::HOUR_US;

const PLACE_SALT: u32 = 0xA006_0000;
/// How many times the multipliers of a phase are looked at before a run.
const LOOKS: u64 = 1_024;
/// Where a backlog's rate is at the end of its release, of what it is at the begin: 5 %.
const RELEASE_LOG: f64 = -2.995_732_273_553_991;

/// The phases of all scenarios.
#[derive(Debug, Default)]
pub struct Scenarios {
    /// In the order in which they are named.
    pub phases: Vec<Phase>,
    /// The length of a tick.
    pub tick_us: u64,
    /// Whether any phase has a bit.
    pub asked: bool,
}

/// A phase, in ticks from the model's start.
#[derive(Clone, Debug)]
pub struct Phase {
    /// The scenario's name.
    pub scenario: String,
    /// Its own name.
    pub name: String,
    /// When it begins after the begin of its scenario.
    pub from: u64,
    /// How long it is; None: it has no end.
    pub length: Option<u64>,
    /// When its scenario begins.
    pub place: Place,
    /// What the rates of streams are multiplied by, by number; of streams that follow others, the
    /// share of events that are followed.
    pub rates: Vec<Option<Multiplier>>,
    /// What becomes of events that do not come.
    pub deferral: Option<Deferral>,
    /// Which bit of a mask says that it holds, if anything asks.
    pub bit: Option<u32>,
}

/// When a scenario begins.
#[derive(Clone, Debug, Default)]
pub struct Place {
    /// When, or when the stretch begins that it is placed in; before the model's start if it is below 0.
    pub anchor: i64,
    /// In how many ticks it comes again.
    pub repeat: Option<u64>,
    /// By how many ticks it may be moved at random.
    pub room: Option<u64>,
    /// The key of its randomness.
    pub key: [u32; 2],
}

/// Once that a phase holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Occurrence {
    /// Which repetition, from 0.
    pub number: u64,
    /// Its first tick, which may lie before the start.
    pub begin: i64,
    /// The tick after its last; none if it has no end.
    pub end: Option<i64>,
}

impl Place {
    /// The repetition that a tick belongs to.
    fn repetition(&self, tick: u64) -> Option<u64> {
        let since = u64::try_from(tick.cast_signed().checked_sub(self.anchor)?).ok()?;
        Some(self.repeat.map_or(0, |repeat| since / repeat.max(1)))
    }

    /// When a repetition begins.
    pub fn begin(&self, number: u64) -> i64 {
        let moved = self.room.map_or(0, |room| {
            let [high, low, ..] = philox(self.key, [low(number), low(number >> 32), PLACE_SALT, 0]);
            let word = u128::from(high) << 32 | u128::from(low);
            u64::try_from((word * u128::from(room + 1)) >> 64).unwrap_or(room)
        });
        let later = number.saturating_mul(self.repeat.unwrap_or(0)).saturating_add(moved);
        self.anchor.saturating_add_unsigned(later)
    }
}

impl Phase {
    /// When it holds in a repetition.
    pub fn occurrence(&self, number: u64) -> Occurrence {
        let begin = self.place.begin(number).saturating_add_unsigned(self.from);
        let end = self.length.map(|length| begin.saturating_add_unsigned(length));
        Occurrence { number, begin, end }
    }

    /// When it holds in the repetition that a tick belongs to.
    fn near(&self, tick: u64) -> Option<Occurrence> {
        Some(self.occurrence(self.place.repetition(tick)?))
    }

    /// When it holds, if it holds at a tick.
    pub fn at(&self, tick: u64) -> Option<Occurrence> {
        self.near(tick).filter(|found| found.has(tick))
    }

    /// Each time that it holds in some ticks.
    pub fn within(&self, ticks: Range<u64>) -> impl Iterator<Item = Occurrence> + '_ {
        let first = self.place.repetition(ticks.start).unwrap_or(0);
        let count = self.place.repetition(ticks.end).map_or(0, |last| last - first + 1);
        let count = if self.place.repeat.is_none() { count.min(1) } else { count };
        let occurrences = (first..first + count).map(|number| self.occurrence(number));
        occurrences.filter(move |found| {
            found.begin < ticks.end.cast_signed()
                && found.end.is_none_or(|end| end > ticks.start.cast_signed())
        })
    }

    /// The first tick after this one at which it may hold or not hold any more.
    fn edge_after(&self, tick: u64) -> u64 {
        let Some(near) = self.near(tick) else {
            return self.place.anchor.cast_unsigned();
        };
        let next = self.place.repeat.map(|repeat| {
            let begin = near.number.saturating_add(1).saturating_mul(repeat);
            self.place.anchor.saturating_add_unsigned(begin)
        });
        let edges = [Some(near.begin), near.end, next].into_iter().flatten();
        let edges = edges.filter_map(|edge| u64::try_from(edge).ok());
        edges.filter(|&edge| edge > tick).min().unwrap_or(u64::MAX)
    }

    /// The multiplier of a stream while it holds.
    fn value(&self, multiplier: &Multiplier, found: Occurrence, tick: u64, tick_us: u64) -> f64 {
        let since_us = |tick: i64| tick as f64 * tick_us as f64;
        let elapsed_us = since_us(tick.cast_signed() - found.begin);
        let length_us = self.length.map(|length| length as f64 * tick_us as f64);
        let part = length_us.map_or(0.0, |length| elapsed_us / length);
        match multiplier {
            Multiplier::Constant(value) => *value,
            Multiplier::Ramp([from, to]) => from + (to - from) * part,
            Multiplier::Exponential([from, to]) => from * libm::pow(to / from, part),
            Multiplier::Power { peak, exponent, scale_us, rises } => {
                let apart_us =
                    if *rises { length_us.unwrap_or(0.0) - elapsed_us } else { elapsed_us };
                1.0 + (peak - 1.0) * libm::pow(1.0 + apart_us / *scale_us as f64, -exponent)
            }
            Multiplier::Formula(formula) => formula.at(&Instant {
                hours: since_us(tick.cast_signed()) / HOUR_US as f64,
                elapsed: elapsed_us / HOUR_US as f64,
                part,
            }),
        }
    }
}

impl Occurrence {
    /// Whether a tick lies in it.
    pub fn has(&self, tick: u64) -> bool {
        let tick = tick.cast_signed();
        tick >= self.begin && self.end.is_none_or(|end| tick < end)
    }
}

impl Scenarios {
    /// Whether any phase says something of a stream's rate.
    pub fn is_of(&self, stream: usize) -> bool {
        self.phases.iter().any(|phase| phase.rate_of(stream).is_some())
    }

    /// What the rate of a stream is multiplied by at a tick: the product of the phases that hold, in
    /// their order.
    pub fn rate(&self, stream: usize, tick: u64) -> f64 {
        let mut rate = 1.0;
        for phase in &self.phases {
            if let Some(multiplier) = phase.rate_of(stream)
                && let Some(found) = phase.at(tick)
            {
                rate *= phase.value(multiplier, found, tick, self.tick_us);
            }
        }
        rate
    }

    /// The multiplier of one phase for a stream at a tick, if it holds and has one.
    pub fn rate_in(&self, phase: &Phase, stream: usize, tick: u64) -> Option<f64> {
        let found = phase.at(tick)?;
        Some(phase.value(phase.rate_of(stream)?, found, tick, self.tick_us))
    }

    /// Calls `see` with the place of each phase whose backlog of a stream comes in some time, and with
    /// the backlog.
    pub fn backlogs(
        &self,
        stream: usize,
        time_us: &Range<u64>,
        see: &mut dyn FnMut(usize, Backlog),
    ) {
        let tick = time_us.start / self.tick_us;
        for (place, phase) in self.phases.iter().enumerate().filter(|it| it.1.defers(stream)) {
            let Some(deferral) = &phase.deferral else { continue };
            let Some(number) = phase.place.repetition(tick) else { continue };
            // A backlog is gone before the next but one repetition begins.
            for number in number.saturating_sub(1)..=number {
                let backlog = Backlog::new(phase.occurrence(number), deferral, self.tick_us);
                if let Some(backlog) = backlog.filter(|backlog| backlog.is_in(time_us)) {
                    see(place, backlog);
                }
            }
        }
    }

    /// The first tick after this one at which the multiplier of a stream may be another.
    pub fn constant_until(&self, stream: usize, tick: u64) -> u64 {
        let of_stream = self.phases.iter().filter_map(|it| Some((it, it.rate_of(stream)?)));
        let ends = of_stream.map(|(phase, multiplier)| {
            let edge = phase.edge_after(tick);
            match multiplier {
                Multiplier::Constant(_) => edge,
                _ if phase.at(tick).is_none() => edge,
                Multiplier::Formula(formula) if formula.is_hourly() => {
                    let hour = HOUR_US / self.tick_us;
                    edge.min((tick / hour + 1) * hour)
                }
                _ => tick + 1,
            }
        });
        ends.min().unwrap_or(u64::MAX)
    }

    /// Which phases hold at a tick, as a mask of their bits.
    pub fn mask(&self, tick: u64) -> u32 {
        let bits = self.phases.iter().filter_map(|phase| Some((phase, phase.bit?)));
        bits.filter(|(phase, _)| phase.at(tick).is_some()).fold(0, |mask, (_, bit)| mask | 1 << bit)
    }

    /// The first tick after this one at which the mask may be another.
    pub fn mask_until(&self, tick: u64) -> u64 {
        let asked = self.phases.iter().filter(|phase| phase.bit.is_some());
        asked.map(|phase| phase.edge_after(tick)).min().unwrap_or(u64::MAX)
    }

    /// The ticks at which multipliers are looked at before a run: all over the first time that each
    /// phase holds.
    pub fn looks(&self) -> impl Iterator<Item = u64> + '_ {
        self.phases.iter().flat_map(|phase| {
            let found = phase.occurrence(0);
            let begin = u64::try_from(found.begin.max(0)).unwrap_or(0);
            let day = 24 * HOUR_US / self.tick_us;
            let end = found.end.map_or(begin + 365 * day, |end| u64::try_from(end).unwrap_or(0));
            let length = end.saturating_sub(begin);
            let step = (length / LOOKS).max(1);
            let last = end.saturating_sub(1);
            (begin..end).step_by(usize::try_from(step).unwrap_or(usize::MAX)).chain([last])
        })
    }
}

impl Phase {
    /// Whether it keeps events of a stream away for later.
    pub fn defers(&self, stream: usize) -> bool {
        self.deferral.is_some() && self.rate_of(stream).is_some()
    }

    fn rate_of(&self, stream: usize) -> Option<&Multiplier> {
        self.rates.get(stream)?.as_ref()
    }
}

/// When events that a phase defers come: its occurrence is stretched or pressed onto the time after it.
#[derive(Clone, Copy, Debug)]
pub struct Backlog {
    /// When the phase begins and ends, in microseconds since the model's start.
    phase_us: [f64; 2],
    over_us: f64,
    shape: Release,
}

impl Backlog {
    /// The backlog of a time that a phase holds.
    pub fn new(found: Occurrence, deferral: &Deferral, tick_us: u64) -> Option<Self> {
        let us = |tick: i64| tick as f64 * tick_us as f64;
        let phase_us = [us(found.begin), us(found.end?)];
        Some(Self { phase_us, over_us: deferral.over_us as f64, shape: deferral.shape })
    }

    /// When an event comes that was due at a time of the phase, in microseconds since the start: who
    /// was first comes first.
    pub fn released_us(&self, time_us: u64) -> u64 {
        let [begin, end] = self.phase_us;
        let part = ((time_us as f64 - begin) / (end - begin)).clamp(0.0, 1.0);
        let later = match self.shape {
            Release::Even => part,
            // The inverse of a share that grows as fast as e^(kx) falls, k = ln 0.05.
            Release::Falling => libm::log1p(part * libm::expm1(RELEASE_LOG)) / RELEASE_LOG,
        };
        microseconds(end + later * self.over_us)
    }

    /// The times of the phase whose events come in some time after it.
    pub fn sources_us(&self, released_us: &Range<u64>) -> Range<u64> {
        let [begin, end] = self.phase_us;
        let source = |us: u64| {
            let later = ((us as f64 - end) / self.over_us).clamp(0.0, 1.0);
            let part = match self.shape {
                Release::Even => later,
                Release::Falling => libm::expm1(later * RELEASE_LOG) / libm::expm1(RELEASE_LOG),
            };
            begin + part * (end - begin)
        };
        // A bit more at either end: what rounding moves is asked for its own time.
        microseconds(source(released_us.start) - 2.0)..microseconds(source(released_us.end) + 2.0)
    }

    /// Whether anything may come in some time.
    pub fn is_in(&self, time_us: &Range<u64>) -> bool {
        let end = self.phase_us[1];
        (time_us.end as f64) > end && (time_us.start as f64) <= end + self.over_us
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "times lie within 285 years of the start; before it there is nothing"
)]
fn microseconds(us: f64) -> u64 {
    us.max(0.0) as u64
}

#[expect(clippy::cast_possible_truncation, reason = "the lower word is meant")]
const fn low(value: u64) -> u32 {
    value as u32
}
