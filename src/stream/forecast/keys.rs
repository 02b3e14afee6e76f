//! How many events the keys of a stream have in a day.

use std::ops::Range;
use std::sync::Arc;

use xxhash_rust::xxh3::xxh3_64;

use super::{Asked, Forecast, HOUR_US, index, sends};
use crate::plan::Plan;
use crate::plan::batch::BATCH_EVENTS;
use crate::stream::{Error, EventStream, Options, Shard};

const DAY_HOURS: usize = 24;
const DAY_US: u64 = 24 * HOUR_US;

/// The part of the time in which it is seen whether other lanes have the same keys.
const COMPARED: u64 = 8;

/// The keys that some lanes of a stream have in some time.
#[derive(Clone, Debug, PartialEq)]
pub struct Keys {
    /// How long was looked at, in microseconds.
    pub of_us: u64,
    /// How many lanes.
    pub lanes: u32,
    /// How many keys there are in it.
    pub count: u64,
    /// The events of the key in the middle.
    pub median: u64,
    /// The events that one key in 100 has more of.
    pub p99: u64,
    /// The events of the busiest key.
    pub most: u64,
}

impl Keys {
    /// The keys of each stream that is sent and has keys, from the first day of the window.
    ///
    /// Members of a family are in one lane, so that a lane tells of all events of its keys; of streams
    /// whose keys turn up in several, all are looked at, if need be for a shorter time. About
    /// `events_max` events are made at most.
    pub fn of(
        (plan, asked): (&Arc<Plan>, &Asked),
        forecast: &Forecast,
        events_max: u64,
    ) -> Result<Vec<Option<Self>>, Error> {
        let keyed = |number: usize| {
            sends(&asked.routes, number) && plan.streams[number].compiled.key.is_some()
        };
        let keyed: Vec<bool> = (0..plan.streams.len()).map(keyed).collect();
        let look = Look::new((plan, asked), forecast, (&keyed, plan.lanes), events_max);
        let found = look.hashes(0)?;
        let compared = if look.count > 1 {
            let window_us = look.part(1, COMPARED);
            Look { window_us, ..look.clone() }.hashes(1)?
        } else {
            vec![Vec::new(); found.len()]
        };
        let both = found.iter().zip(&compared);
        let shared: Vec<bool> = both.map(|(one, other)| have_one_in_both(one, other)).collect();
        let mut keys: Vec<Option<Self>> = found.iter().map(|it| look.told(it)).collect();
        if shared.contains(&true) {
            let look = Look::new((plan, asked), forecast, (&shared, 1), events_max);
            for (number, found) in look.hashes(0)?.iter().enumerate() {
                if shared[number] {
                    keys[number] = look.told(found);
                }
            }
        }
        Ok(keys)
    }
}

/// Some streams, for some time, in one of so many shares of the lanes.
#[derive(Clone, Debug)]
struct Look<'a> {
    plan: &'a Arc<Plan>,
    asked: &'a Asked,
    streams: Vec<bool>,
    window_us: Range<u64>,
    count: u32,
}

impl<'a> Look<'a> {
    /// The first day of these streams, in at most so many shares; for a shorter time, if one share
    /// still has too many events.
    fn new(
        (plan, asked): (&'a Arc<Plan>, &'a Asked),
        forecast: &Forecast,
        (streams, shares_max): (&[bool], u32),
        events_max: u64,
    ) -> Self {
        let Range { start, end } = asked.window_us;
        let window_us = start..end.min(start.saturating_add(DAY_US));
        let counts = forecast.streams.iter().zip(streams).filter(|(_, looked)| **looked);
        let hours = counts.flat_map(|(counts, _)| counts.iter().flat_map(|it| &it.hours[..]));
        let whole: u64 = hours.sum();
        // Of a window of more than a day, the day's part.
        let hours = forecast.streams.iter().flatten().map(|it| it.hours.len()).max();
        let days = (hours.unwrap_or(1) as f64 / DAY_HOURS as f64).max(1.0);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count")]
        let events = (whole as f64 / days) as u64;
        let count = events.div_ceil(events_max).clamp(1, u64::from(shares_max));
        let each = events / count;
        let look = Self {
            plan,
            asked,
            streams: streams.to_vec(),
            window_us,
            count: u32::try_from(count).unwrap_or(u32::MAX),
        };
        if each <= events_max {
            return look;
        }
        Self { window_us: look.part(events_max, each), ..look }
    }

    /// The first part of the time.
    fn part(&self, part: u64, of: u64) -> Range<u64> {
        let Range { start, end } = self.window_us;
        let length = u128::from(end - start) * u128::from(part) / u128::from(of.max(1));
        start..start + u64::try_from(length).unwrap_or(end - start).max(1)
    }

    /// Hashes of the keys of all events of a share of the lanes, by stream.
    fn hashes(&self, share: u32) -> Result<Vec<Vec<u64>>, Error> {
        let mut routes = self.asked.routes.clone();
        routes.resize_with(self.streams.len(), Default::default);
        for (route, looked) in routes.iter_mut().zip(&self.streams) {
            route.skipped = !looked;
        }
        let options = Options {
            window_us: self.window_us.clone(),
            shard: Shard { index: share, count: self.count },
            threads: self.asked.threads,
            // A batch is as many events of all shares together.
            batch_events: BATCH_EVENTS.saturating_mul(self.count),
            routes,
            ..Options::default()
        };
        let mut hashes = vec![Vec::new(); self.streams.len()];
        let mut events = EventStream::start(Arc::clone(self.plan), options)?;
        while let Some(batch) = events.next_blocking() {
            let batch = batch?;
            for record in batch.records.iter() {
                hashes[usize::from(record.stream)].push(xxh3_64(&batch.arena[record.key_range()]));
            }
        }
        for hashes in &mut hashes {
            hashes.sort_unstable();
        }
        Ok(hashes)
    }

    fn told(&self, hashes: &[u64]) -> Option<Keys> {
        let mut counts: Vec<u64> =
            hashes.chunk_by(|a, b| a == b).map(|it| it.len() as u64).collect();
        counts.sort_unstable();
        let count = counts.len() as u64;
        let at = |part: u64| counts.get(index((count * part).div_ceil(100).max(1) - 1)).copied();
        Some(Keys {
            of_us: self.window_us.end - self.window_us.start,
            lanes: self.plan.lanes.div_ceil(self.count),
            count,
            median: at(50)?,
            p99: at(99)?,
            most: at(100)?,
        })
    }
}

/// Whether two sorted lists have a number in common.
fn have_one_in_both(one: &[u64], other: &[u64]) -> bool {
    other.iter().any(|it| one.binary_search(it).is_ok())
}
