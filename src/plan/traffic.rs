//! Traffic: the expected number of events of each lane, slot by slot.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use super::alias::Alias;
use super::curve::Curves;
use super::exact::{Hour, Part};
use super::poisson::Mean;
use super::population::Population;
use super::shape::Shape;
use super::zone::{SLOT_US, Zones};
use crate::config::model::Arrivals;

/// What the segments that are kept may take, in bytes: few, so that days take no more memory than
/// minutes, though streams that follow others look back at every hour of the week, before and after
/// summer time.
pub const KEPT_BYTES: usize = 8 << 20;
/// What a lane's counts take, in bytes, with some 12 events a tick.
const MEAN_BYTES: usize = 512;
/// What an entry of a lane's choice of groups takes, in bytes.
const GROUP_BYTES: usize = 8;
/// The fewest segments that are kept, and the most.
const KEPT_MIN: usize = 8;
const KEPT_MAX: usize = 4_096;
/// The most quarters of an hour whose segment is kept: those of four months.
const SLOTS_KEPT: usize = 12_288;

/// The powers of 2 whose means are kept: 2^−12 to 2^19.
pub const POWER_MIN: i32 = -12;
const POWERS: usize = 32;
/// The pieces of hours of exact arrivals that are kept: 8 MiB. Streams that follow others look back at
/// many hours, again and again.
const PIECES_KEPT: usize = 1 << 18;

/// How fast the events of a root stream come, and who acts.
#[derive(Debug)]
pub struct Traffic {
    /// The key of the stream's randomness.
    pub key: [u32; 2],
    /// The start of model time, in microseconds since the Unix epoch.
    pub start_us: i64,
    /// Events a second before multipliers, the intensity included.
    pub rate_per_s: f64,
    /// Events an hour before multipliers.
    pub rate_per_hour: f64,
    /// What both are multiplied by all along; in [`Self::rate_per_s`] it is already.
    pub intensity: f64,
    /// How events come.
    pub arrivals: Arrivals,
    /// What multiplies the rate in all zones alike.
    pub shape: Shape,
    /// Multipliers by local time, read in the middle of a quarter of an hour.
    pub curves: Curves,
    /// The zones that local times are counted in.
    pub zones: Zones,
    /// The zone of each group of members (one, if there are no groups).
    pub zone_of_group: Vec<usize>,
    /// Who acts; None: nobody, and lanes share the rate alike.
    pub population: Option<Arc<Population>>,
    /// The number of lanes.
    pub lanes: u32,
    /// The length of a tick in microseconds.
    pub tick_us: u64,
    /// What was worked out before.
    pub known: Known,
    /// What these may take, in bytes; [`KEPT_BYTES`] for a run.
    pub kept_bytes: usize,
}

/// Segments, and hours of exact arrivals, that were worked out before; they decide nothing.
#[derive(Debug, Default)]
pub struct Known {
    segments: RwLock<Segments>,
    hours: RwLock<Hours>,
}

#[derive(Debug, Default)]
struct Hours {
    all: BTreeMap<(u64, Part), Arc<Hour>>,
    pieces: usize,
}

#[derive(Debug, Default)]
struct Segments {
    of_slots: BTreeMap<i64, Arc<Segment>>,
    /// By the bits of the multiplier in each zone.
    of_multipliers: BTreeMap<Box<[u64]>, Arc<Segment>>,
}

/// What holds during one quarter of an hour: worked out for each lane when it is first asked for.
#[derive(Debug, Default)]
pub struct Segment {
    /// By group of members.
    multipliers: Box<[f64]>,
    population: Option<Arc<Population>>,
    /// Events a tick before multipliers.
    per_tick: f64,
    lanes: Box<[Lane]>,
    /// The same for a power of 2 times the rate, from 2^[`POWER_MIN`] on.
    powers: [OnceLock<Box<[OnceLock<Mean>]>>; POWERS],
    /// The lanes by what each has of the rate.
    shares: OnceLock<Alias>,
    /// What all lanes have of the rate, and what the fullest has.
    sums: OnceLock<[f64; 2]>,
}

#[derive(Debug, Default)]
struct Lane {
    mean: OnceLock<Mean>,
    group: OnceLock<Alias>,
}

impl Segment {
    /// Whether it says nothing: no root event lies in it.
    pub fn is_empty(&self) -> bool {
        self.lanes.is_empty()
    }

    /// Whether nobody acts.
    pub fn is_idle(&self) -> bool {
        !self.multipliers.is_empty() && self.multipliers.iter().all(|&multiplier| multiplier <= 0.0)
    }

    /// By lane: how many events a tick has.
    pub fn means(&self) -> impl Iterator<Item = (u32, &Mean)> {
        (0..).map_while(|lane| Some((lane, self.mean(lane)?)))
    }

    /// How many events a tick of a lane has; None: nobody is active in it.
    #[inline]
    pub fn mean(&self, lane: u32) -> Option<&Mean> {
        let known = &self.lanes.get(lane as usize)?.mean;
        Some(known.get_or_init(|| Mean::new(self.expected(lane) * self.per_tick)))
    }

    /// How many events a tick of a lane has at 2^`power` times the rate; None: nobody is active in
    /// it.
    #[inline]
    pub fn mean_of_power(&self, lane: u32, power: i32) -> Option<&Mean> {
        if power == 0 {
            return self.mean(lane);
        }
        let place = usize::try_from(power - POWER_MIN).ok()?;
        let lanes = self
            .powers
            .get(place)?
            .get_or_init(|| self.lanes.iter().map(|_| OnceLock::new()).collect());
        let times = libm::ldexp(self.per_tick, power);
        Some(lanes.get(lane as usize)?.get_or_init(|| Mean::new(self.expected(lane) * times)))
    }

    /// A lane by what each has of the rate, by a random word.
    pub fn lane(&self, word: u32) -> u32 {
        let shares = self.shares.get_or_init(|| {
            let shares: Vec<f64> = self.all_lanes().map(|lane| self.expected(lane)).collect();
            let sum: f64 = shares.iter().sum();
            Alias::new(if sum > 0.0 { &shares } else { &[1.0] })
        });
        shares.choose(word)
    }

    /// What all lanes together have of the rate before multipliers.
    pub fn total(&self) -> f64 {
        self.sums()[0]
    }

    /// How many events the fullest lane expects in a tick before multipliers.
    pub fn fullest(&self) -> f64 {
        self.sums()[1] * self.per_tick
    }

    /// What the fullest lane has of all.
    pub fn fullest_share(&self) -> f64 {
        let [total, fullest] = self.sums();
        if total > 0.0 { fullest / total } else { 0.0 }
    }

    fn sums(&self) -> [f64; 2] {
        *self.sums.get_or_init(|| {
            let lanes: Vec<f64> = self.all_lanes().map(|lane| self.expected(lane)).collect();
            let first = self.multipliers.first().copied().unwrap_or(1.0);
            // The shares of lanes add up to 1 but for rounding.
            let same = self.multipliers.iter().all(|other| other.to_bits() == first.to_bits());
            let total = if same { first } else { lanes.iter().sum() };
            [total, lanes.into_iter().fold(0.0, f64::max)]
        })
    }

    fn all_lanes(&self) -> std::ops::Range<u32> {
        0..u32::try_from(self.lanes.len()).unwrap_or(u32::MAX)
    }

    /// The group that acts in a lane, by a random word.
    ///
    /// # Panics
    ///
    /// If nobody is active in the lane.
    #[inline]
    pub fn group(&self, lane: u32, word: u32) -> u32 {
        let known = &self.lanes[lane as usize].group;
        known.get_or_init(|| self.groups(lane)).choose(word)
    }

    /// What the lane has of the rate.
    fn expected(&self, lane: u32) -> f64 {
        match &self.population {
            None => self.multipliers.first().copied().unwrap_or(1.0) / self.lanes.len() as f64,
            Some(_) => self.weights(lane).sum(),
        }
    }

    #[cold]
    fn groups(&self, lane: u32) -> Alias {
        let weights: Vec<f64> = self.weights(lane).collect();
        let sum: f64 = weights.iter().sum();
        Alias::new(if sum > 0.0 { &weights } else { &[1.0] })
    }

    /// What each group has of the rate in a lane.
    fn weights(&self, lane: u32) -> impl Iterator<Item = f64> {
        let groups = self.population.iter().flat_map(|it| (0..it.groups()).map(move |at| (it, at)));
        groups.map(move |(population, at)| population.share(lane, at) * self.multipliers[at])
    }
}

impl Traffic {
    /// The quarter of an hour that a tick lies in.
    pub fn slot_of(&self, tick: u64) -> i64 {
        self.start_us.saturating_add_unsigned(tick * self.tick_us).div_euclid(SLOT_US)
    }

    /// The ticks from one on that lie in its quarter of an hour.
    pub fn slot_end(&self, tick: u64) -> u64 {
        let end_us = (self.slot_of(tick) + 1) * SLOT_US - self.start_us;
        end_us.cast_unsigned().div_ceil(self.tick_us)
    }

    /// Whether nothing comes in a segment: nobody acts, and no phase kept anything away before.
    pub fn is_silent(&self, segment: &Segment) -> bool {
        segment.is_idle() && !self.shape.defers
    }

    /// Whether a lane's count is what its segment says, and nothing else.
    pub fn is_plain(&self) -> bool {
        self.arrivals == Arrivals::Poisson && self.shape.is_flat()
    }

    /// A part of an hour of exact arrivals, counted from the start.
    pub fn hour(&self, hour: u64, part: Part) -> Arc<Hour> {
        let known = self.known.hours.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = known.all.get(&(hour, part)) {
            return Arc::clone(known);
        }
        drop(known);
        let made = Arc::new(Hour::new(self, hour, part));
        let mut known = self.known.hours.write().unwrap_or_else(PoisonError::into_inner);
        if known.pieces > PIECES_KEPT {
            *known = Hours::default();
        }
        known.pieces += made.pieces();
        known.all.insert((hour, part), Arc::clone(&made));
        made
    }

    /// What holds in the quarter of an hour that begins at `slot` times [`SLOT_US`].
    pub fn segment(&self, slot: i64) -> Arc<Segment> {
        let known = self.known.segments.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(segment) = known.of_slots.get(&slot) {
            return Arc::clone(segment);
        }
        drop(known);
        let zones = self.zones_at(slot);
        let mut known = self.known.segments.write().unwrap_or_else(PoisonError::into_inner);
        // All at once: those that are asked for again and again are soon there again, and none
        // stays out because of its place in the order.
        if known.of_multipliers.len() >= self.kept_max() || known.of_slots.len() >= SLOTS_KEPT {
            *known = Segments::default();
        }
        let segment = known.of_multipliers.entry(zones).or_insert_with_key(|zones| {
            Arc::new(Segment {
                multipliers: self.multipliers(zones),
                population: self.population.clone(),
                per_tick: self.rate_per_s * self.tick_us as f64 / 1e6,
                lanes: (0..self.lanes).map(|_| Lane::default()).collect(),
                ..Segment::default()
            })
        });
        let segment = Arc::clone(segment);
        known.of_slots.insert(slot, Arc::clone(&segment));
        segment
    }

    /// How many segments are kept.
    fn kept_max(&self) -> usize {
        let groups = self.population.as_ref().map_or(0, |population| population.groups());
        // With multipliers, means of some powers of 2 are kept too.
        let means = if self.shape.is_flat() { 1 } else { 4 };
        let bytes = self.lanes as usize * (means * MEAN_BYTES + groups * GROUP_BYTES);
        (self.kept_bytes / bytes.max(1)).clamp(KEPT_MIN, KEPT_MAX)
    }

    /// The multiplier in each zone, as bits; none if the time does not matter.
    fn zones_at(&self, slot: i64) -> Box<[u64]> {
        if self.curves.is_flat() {
            return Box::default();
        }
        let middle_us = slot * SLOT_US + SLOT_US / 2;
        let at = |minutes: &i32| self.curves.at(middle_us + i64::from(*minutes) * 60_000_000);
        self.zones.offsets_minutes(slot).iter().map(|minutes| at(minutes).to_bits()).collect()
    }

    /// The multiplier of each group.
    fn multipliers(&self, zones: &[u64]) -> Box<[f64]> {
        let of = |&zone: &usize| zones.get(zone).map_or(1.0, |bits| f64::from_bits(*bits));
        self.zone_of_group.iter().map(of).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::model::{CurveShape, Join};
    use crate::plan::population::Dealing;
    use crate::plan::ranks::Ranks;

    fn of_two_zones() -> Traffic {
        let weights = [1.0, 3.0];
        let population = Population::new(&Dealing {
            count: 6_400,
            lanes: 64,
            weights: &weights,
            ranks: Ranks::Uniform,
            key: [0, 0],
        });
        let mut values = vec![0.0; 168];
        (values[12], values[13]) = (2.0, 1.0);
        let week = CurveShape::Hours { values, join: Join::Steps };
        Traffic {
            key: [1, 2],
            start_us: 0,
            rate_per_s: 100.0,
            rate_per_hour: 360_000.0,
            intensity: 1.0,
            arrivals: Arrivals::Poisson,
            shape: Shape::default(),
            curves: Curves::new(vec![week], 0.0, f64::INFINITY),
            zones: Zones::new(["UTC", "Etc/GMT-1"]).unwrap(),
            zone_of_group: vec![0, 1],
            population: Some(Arc::new(population)),
            lanes: 64,
            tick_us: 1_000_000,
            known: Known::default(),
            kept_bytes: KEPT_BYTES,
        }
    }

    #[test]
    fn the_rate_is_shared_by_the_lanes_and_follows_each_zone() {
        let traffic = of_two_zones();
        // Monday 12:00 UTC: a quarter of the members at 2, three quarters (13:00) at 1.
        let monday_noon = (4 * 24 + 12) * 4;
        let segment = traffic.segment(monday_noon);
        let expected: f64 = (0..64).map(|lane| segment.expected(lane) * segment.per_tick).sum();
        assert!((expected - 125.0).abs() < 1e-9, "{expected}");
        assert!(segment.mean(63).is_some() && segment.mean(64).is_none());
        assert!((0..64).all(|lane| segment.group(lane, 1 << 31) < 2));
    }

    #[test]
    fn a_segment_is_worked_out_once_while_it_is_kept() {
        let traffic = of_two_zones();
        let monday = 4 * 24 * 4;
        let first = traffic.segment(monday);
        assert!(Arc::ptr_eq(&first, &traffic.segment(monday + 1)), "the same hour");
        let later: Vec<_> = (0..168).map(|hour| traffic.segment(monday + hour * 4)).collect();
        let again = (0..168).map(|hour| traffic.segment(monday + hour * 4));
        for (hour, (later, again)) in later.iter().zip(again).enumerate() {
            assert!(Arc::ptr_eq(later, &again), "hour {hour}");
        }
    }

    #[test]
    fn what_is_kept_is_bounded_in_bytes() {
        let mut traffic = of_two_zones();
        // 64 lanes of 512 bytes and two groups.
        assert_eq!(traffic.kept_max(), KEPT_BYTES / (64 * (512 + 16)));
        traffic.lanes = 1;
        assert_eq!(traffic.kept_max(), KEPT_MAX);
    }
}
