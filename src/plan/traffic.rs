//! Traffic: the expected number of events of each lane, slot by slot.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use super::alias::Alias;
use super::poisson::Mean;
use super::population::Population;
use super::zone::{SLOT_US, Zones, hour_of_week};

/// Hours of a week.
pub const HOURS: usize = 168;

/// Segments that are kept: streams that follow others look days back, at the same hours again and
/// again.
const SEGMENTS_KEPT: usize = 192;

/// How fast the events of a root stream come, and who acts.
#[derive(Debug)]
pub struct Traffic {
    /// Events a second before multipliers.
    pub rate_per_s: f64,
    /// The product of the curves by local hour of the week; None: flat.
    pub curve: Option<Box<[f64; HOURS]>>,
    /// The zones that local hours are counted in.
    pub zones: Zones,
    /// The zone of each group of members (one, if there are no groups).
    pub zone_of_group: Vec<usize>,
    /// Who acts; None: nobody, and lanes share the rate alike.
    pub population: Option<Arc<Population>>,
    /// The number of lanes.
    pub lanes: u32,
    /// The length of a tick in microseconds.
    pub tick_us: u64,
    /// Segments by the local hours of all zones.
    pub known: Known,
}

/// Segments that were worked out before; they decide nothing.
#[derive(Debug, Default)]
pub struct Known(RwLock<BTreeMap<Box<[u8]>, Arc<Segment>>>);

/// What holds during one quarter of an hour.
#[derive(Clone, Debug, Default)]
pub struct Segment {
    /// By lane: how many events a tick has.
    pub means: Vec<Mean>,
    /// By lane: which group acts.
    pub groups: Vec<Alias>,
    /// Events a tick, all lanes together.
    pub expected: f64,
}

impl Traffic {
    /// What holds in the quarter of an hour that begins at `slot` times [`SLOT_US`].
    pub fn segment(&self, slot: i64) -> Arc<Segment> {
        let hours = self.hours(slot);
        if let Some(known) = self.known.0.read().unwrap_or_else(PoisonError::into_inner).get(&hours)
        {
            return Arc::clone(known);
        }
        let segment = Arc::new(self.work_out(&hours));
        let mut known = self.known.0.write().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= SEGMENTS_KEPT {
            known.pop_first();
        }
        known.insert(hours, Arc::clone(&segment));
        segment
    }

    fn work_out(&self, hours: &[u8]) -> Segment {
        let multipliers = self.multipliers(hours);
        let per_tick = self.rate_per_s * self.tick_us as f64 / 1e6;
        let mut means = Vec::with_capacity(self.lanes as usize);
        let mut groups = Vec::new();
        let mut total = 0.0;
        for lane in 0..self.lanes {
            let expected = match &self.population {
                None => multipliers.first().copied().unwrap_or(1.0) / f64::from(self.lanes),
                Some(population) => {
                    let weights: Vec<f64> = (0..population.groups())
                        .map(|group| population.share(lane, group) * multipliers[group])
                        .collect();
                    let sum: f64 = weights.iter().sum();
                    groups.push(Alias::new(if sum > 0.0 { &weights } else { &[1.0] }));
                    sum
                }
            };
            total += expected * per_tick;
            means.push(Mean::new(expected * per_tick));
        }
        Segment { means, groups, expected: total }
    }

    /// The local hour of the week in each zone; none if the hour does not matter.
    fn hours(&self, slot: i64) -> Box<[u8]> {
        if self.curve.is_none() {
            return Box::default();
        }
        let hour = |&offset: &i32| hour_of_week(slot * SLOT_US, offset).to_le_bytes()[0];
        self.zones.offsets_minutes(slot).iter().map(hour).collect()
    }

    /// The curve's value for each group.
    fn multipliers(&self, hours: &[u8]) -> Vec<f64> {
        let zone = |&zone: &usize| match &self.curve {
            Some(curve) => curve[usize::from(hours[zone])],
            None => 1.0,
        };
        self.zone_of_group.iter().map(zone).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::population::Dealing;
    use crate::plan::ranks::Ranks;

    #[test]
    fn the_rate_is_shared_by_the_lanes_and_follows_each_zone() {
        let weights = [1.0, 3.0];
        let population = Population::new(&Dealing {
            count: 6_400,
            lanes: 64,
            weights: &weights,
            ranks: Ranks::Uniform,
            key: [0, 0],
        });
        let mut curve = Box::new([0.0; HOURS]);
        curve[12] = 2.0;
        curve[13] = 1.0;
        let traffic = Traffic {
            rate_per_s: 100.0,
            curve: Some(curve),
            zones: Zones::new(["UTC", "Etc/GMT-1"]).unwrap(),
            zone_of_group: vec![0, 1],
            population: Some(Arc::new(population)),
            lanes: 64,
            tick_us: 1_000_000,
            known: Known::default(),
        };
        // Monday 12:00 UTC: a quarter of the members at 2, three quarters (13:00) at 1.
        let monday_noon = (4 * 24 + 12) * 4;
        let segment = traffic.segment(monday_noon);
        assert!((segment.expected - 125.0).abs() < 1e-9, "{}", segment.expected);
        assert_eq!((segment.means.len(), segment.groups.len()), (64, 64));
    }
}
