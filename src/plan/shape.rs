//! What a rate is multiplied by at a tick, the same in all zones: formulas and scenarios.

use std::sync::Arc;

use super::curve::Curves;
use super::exact::HOUR_US;
use super::scenario::Scenarios;
use super::zone::{SLOT_US, Zones};
use crate::config::model::{Deferral, Formula, Instant};

/// Formulas are read once in so many microseconds since the start, in the middle.
const READ_US: u64 = HOUR_US / 4;

/// What multiplies the rate of a stream.
#[derive(Clone, Debug, Default)]
pub struct Shape {
    /// Curves that are formulas.
    pub formulas: Vec<Formula>,
    /// Curves of local time that are bounded together with the formulas.
    pub bounded: Option<Arc<Bounded>>,
    /// The scenarios, and the stream's number in them.
    pub scenarios: Arc<Scenarios>,
    /// The number of the stream.
    pub stream: usize,
    /// The length of a tick.
    pub tick_us: u64,
    /// Whether any phase keeps events of the stream away for later.
    pub defers: bool,
}

/// Curves of one zone's local time, and the bounds of their product with formulas.
#[derive(Debug)]
pub struct Bounded {
    /// The curves.
    pub curves: Curves,
    /// The zone, alone.
    pub zones: Zones,
    /// The start of model time, in microseconds since the Unix epoch.
    pub start_us: i64,
    /// The product is never below.
    pub floor: f64,
    /// Nor above.
    pub cap: f64,
}

impl Bounded {
    /// The product of the curves in the middle of a tick's quarter of an hour.
    fn at(&self, since_us: u64) -> f64 {
        let slot = self.start_us.saturating_add_unsigned(since_us).div_euclid(SLOT_US);
        let minutes = self.zones.offsets_minutes(slot).first().copied().unwrap_or(0);
        self.curves.at(slot * SLOT_US + SLOT_US / 2 + i64::from(minutes) * 60_000_000)
    }

    /// Where its next quarter of an hour begins, in microseconds since the start.
    fn next_us(&self, since_us: u64) -> u64 {
        let slot = self.start_us.saturating_add_unsigned(since_us).div_euclid(SLOT_US);
        u64::try_from((slot + 1) * SLOT_US - self.start_us).unwrap_or(u64::MAX)
    }
}

/// The multipliers of a tick.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Factors {
    /// Of the formulas.
    pub base: f64,
    /// Of the scenarios.
    pub scenario: f64,
}

impl Factors {
    /// Both.
    pub fn product(&self) -> f64 {
        self.base * self.scenario
    }
}

impl Shape {
    /// Whether it never multiplies by anything but 1.
    pub fn is_flat(&self) -> bool {
        self.formulas.is_empty() && !self.scenarios.is_of(self.stream)
    }

    /// The phase that keeps events of a tick away for later, by its place: the first that holds.
    pub fn deferring_at(&self, tick: u64) -> Option<usize> {
        if !self.defers {
            return None;
        }
        let phases = &self.scenarios.phases;
        phases.iter().position(|phase| phase.defers(self.stream) && phase.at(tick).is_some())
    }

    /// What becomes of them.
    pub fn deferral_at(&self, tick: u64) -> Option<Deferral> {
        self.scenarios.phases[self.deferring_at(tick)?].deferral
    }

    /// The multipliers of a tick.
    pub fn at(&self, tick: u64) -> Factors {
        let scenario = self.scenarios.rate(self.stream, tick);
        Factors { base: self.base_at(tick), scenario }
    }

    /// That of the formulas.
    pub fn base_at(&self, tick: u64) -> f64 {
        if self.formulas.is_empty() {
            return 1.0;
        }
        let middle_us = tick * self.tick_us / READ_US * READ_US + READ_US / 2;
        let hours = middle_us as f64 / HOUR_US as f64;
        let instant = Instant { hours, ..Instant::default() };
        let product: f64 = self.formulas.iter().map(|formula| formula.at(&instant)).product();
        match &self.bounded {
            // What is no number, or below 0, stays so: it is refused.
            Some(bounded) if product >= 0.0 => {
                let local = bounded.at(tick * self.tick_us);
                (local * product).clamp(bounded.floor, bounded.cap)
            }
            _ => product,
        }
    }

    /// The ticks at which it is looked at before a run: of formulas those of the first year, of
    /// scenarios those of the first time that each phase holds.
    pub fn looks(&self) -> impl Iterator<Item = u64> + '_ {
        let read = READ_US / self.tick_us.max(1);
        let step = if self.formulas.iter().all(Formula::is_hourly) { 4 * read } else { read };
        let end = if self.formulas.is_empty() { 0 } else { 366 * 24 * 4 * read };
        let step = usize::try_from(step).unwrap_or(usize::MAX);
        (0..end).step_by(step).chain(self.scenarios.looks())
    }

    /// The first tick after this one at which a multiplier may be another.
    pub fn constant_until(&self, tick: u64) -> u64 {
        let read = READ_US / self.tick_us;
        let formulas = if self.formulas.is_empty() { u64::MAX } else { (tick / read + 1) * read };
        let local = self.bounded.as_ref().map(|it| it.next_us(tick * self.tick_us));
        let local = local.map_or(u64::MAX, |us| us.div_ceil(self.tick_us));
        formulas.min(local).min(self.scenarios.constant_until(self.stream, tick))
    }
}
