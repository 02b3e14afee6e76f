//! Follow-ups: which events of a root stream lead to events at a given time, without remembering.
//!
//! Every root event belongs to one of [`CLASSES`] classes, by its tick and lane. A class
//! takes one part of each delay's distribution (a stratum of equal probability), so that the ticks
//! of the root whose events can lead to a tick of the follow-up are few and known. Each candidate
//! then draws its own delay, and is kept if it comes out at the time asked for.

mod delays;
mod reach;
mod window;

use std::ops::Range;
use std::sync::Arc;

use super::compile::Gate;
use super::scenario::Scenarios;
use super::steps::share;
use crate::generate::philox::{Many, philox};
pub use delays::Delays;
use delays::{PIECES, Part, parts};
pub use window::Windows;

/// Classes of itineraries.
pub const CLASSES: u32 = 64;
/// The most streams from a root down to a follow-up, both included.
pub const LEVELS_MAX: usize = 6;

const CLASS_SALT: u32 = 0xA003_0000;
/// The block of the words that decide whether and when an event follows.
const FATE_BLOCK: u32 = 0x3000_0000;
/// Where a child's number begins in the third word of a counter.
pub const CHILD_SHIFT: u32 = 14;
/// The most events that follow from one root event in one stream.
pub const CHILDREN_MAX: u32 = 1 << 10;

/// The class of the events of a tick and lane, of so many lanes, in a stream of that key.
///
/// In every tick the lanes are dealt evenly over the classes, turned by another number.
#[inline]
pub fn class_of(turn: u32, lane: u32, lanes: u32) -> u32 {
    let spread = if lanes < CLASSES { lane * CLASSES / lanes } else { lane };
    spread.wrapping_add(turn) % CLASSES
}

/// By how much the classes of a tick's lanes are turned.
#[inline]
pub fn turn(key: [u32; 2], tick: u64) -> u32 {
    philox(key, [low(tick), low(tick >> 32), CLASS_SALT, 0])[0]
}

/// The same for many ticks: the first of each one's words.
#[inline]
pub fn turns(key: [u32; 2], ticks: impl Iterator<Item = u64>, many: &mut Many) {
    many.draw(key, ticks.map(|tick| [low(tick), low(tick >> 32), CLASS_SALT]), 0);
}

/// The lanes that are of a class in a tick.
pub fn lanes_of(class: u32, turn: u32, lanes: u32) -> impl Iterator<Item = u32> {
    let spread = class.wrapping_sub(turn) % CLASSES;
    let first = if lanes < CLASSES { (spread * lanes).div_ceil(CLASSES) } else { spread };
    let lanes_of_it = (first..lanes).step_by(CLASSES as usize);
    lanes_of_it.filter(move |&lane| class_of(turn, lane, lanes) == class)
}

/// Where the events of a stream that follows another come from.
#[derive(Debug)]
pub struct FollowUp {
    /// The numbers of the streams from the root down to the one that is followed.
    pub above: Vec<usize>,
    /// Whether, and when.
    pub step: Step,
    /// Whether, and by how many, from the values of the event that is followed.
    pub gate: Option<Gate>,
    /// The most events that follow one.
    pub count_max: u32,
    /// How long after the one before each of them comes, in microseconds.
    pub apart_us: u64,
    /// The most events that follow one root event.
    pub children: u32,
    /// How long after its root event one comes at the latest, in microseconds.
    pub latest_us: u64,
    /// Events a second if every gate is open, before curves.
    pub rate_per_s: f64,
    /// The scenarios, and the stream's number in them.
    pub phased: Option<(Arc<Scenarios>, usize)>,
}

impl FollowUp {
    /// Whether phases of scenarios say which share of events is followed.
    #[inline]
    pub fn is_phased(&self) -> bool {
        self.phased.is_some()
    }

    /// How long after the first of those that follow one event the last comes, in microseconds.
    pub fn spread_us(&self) -> u64 {
        u64::from(self.count_max.saturating_sub(1)) * self.apart_us
    }

    /// Widens ticks to those in which the first may come where another one comes in them.
    pub fn first_ticks(&self, ticks: &mut Vec<Range<u64>>) {
        let tick_us = self.step.tick_us;
        for place in 0..ticks.len() {
            let Range { start, end } = ticks[place].clone();
            let earlier = (1..u64::from(self.count_max)).map(|number| {
                let by_us = number * self.apart_us;
                let last = (end * tick_us).saturating_sub(by_us).div_ceil(tick_us);
                (start * tick_us).saturating_sub(by_us) / tick_us..last
            });
            if self.apart_us > 0 {
                ticks.extend(earlier.filter(|range| !range.is_empty()));
            }
        }
        merge(ticks);
    }

    /// The share of events that are followed, in units of 2^−32, if the root event comes in a tick.
    pub fn share_at(&self, tick: u64) -> u64 {
        let times = self.phased.as_ref().map_or(1.0, |(phases, of)| phases.rate(*of, tick));
        share(self.step.probability() as f64 / 4_294_967_296.0 * times)
    }
}

/// One step from an event to those that follow it in another stream.
#[derive(Clone, Debug)]
pub struct Step {
    /// The key of the follow-up's stream.
    key: [u32; 2],
    /// The share of events that are followed, in units of 2^−32.
    probability: u64,
    tick_us: u64,
    /// By class.
    classes: Vec<Vec<Part>>,
}

impl Step {
    /// A step with these delays, followed by the share `probability` of events.
    pub fn new(key: [u32; 2], probability: f64, delays: &Delays, tick_us: u64) -> Self {
        let probability = share(probability);
        // Odd, so that classes are permuted: steps after one another have strata of their own.
        let [factor, shift, ..] = philox(key, [0, 0, CLASS_SALT, 1]);
        let stratum = |class: u32| (class.wrapping_mul(factor | 1)).wrapping_add(shift) % CLASSES;
        let classes = (0..CLASSES).map(|class| parts(delays, stratum(class), tick_us)).collect();
        Self { key, probability, tick_us, classes }
    }

    /// Adds to `above` the ticks whose events of that class can lead to events in `ticks`.
    pub fn ticks_above(
        &self,
        (class, windows): (u32, &mut Windows),
        ticks: &[Range<u64>],
        above: &mut Vec<Range<u64>>,
    ) {
        for part in &self.classes[class as usize] {
            match part {
                Part::Near(knots) => {
                    let (least, most) = (knots[0], knots[PIECES]);
                    for range in ticks {
                        let (from, until) = (range.start * self.tick_us, range.end * self.tick_us);
                        if until > least {
                            let first = from.saturating_sub(most) / self.tick_us;
                            above.push(first..(until - least).div_ceil(self.tick_us));
                        }
                    }
                }
                Part::Far { first, bits } => {
                    for tick in ticks.iter().cloned().flatten() {
                        let Some(moved) = tick.checked_sub(first + (1 << bits)) else { continue };
                        let tick = windows.of(self.key, moved >> bits, class).back(moved, *bits);
                        above.push(tick..tick + 1);
                    }
                }
            }
        }
        merge(above);
    }

    /// What decides when the event comes that follows this one, if one does.
    ///
    /// `child` is the number of the event among those of its root event.
    #[inline]
    pub fn draw(&self, number: u64, child: u32) -> Option<[u32; 2]> {
        let [first, second, third] = fate_counter((number, child));
        let [fate, draw @ .., _] = philox(self.key, [first, second, third, FATE_BLOCK]);
        (u64::from(fate) < self.probability).then_some(draw)
    }

    /// The same for many events: the first of each one's words says whether it is followed, the next
    /// two are the draw.
    #[inline]
    pub fn draw_many(&self, events: impl Iterator<Item = (u64, u32)>, many: &mut Many) {
        many.draw(self.key, events.map(fate_counter), FATE_BLOCK);
    }

    /// Whether not every event is followed.
    pub fn is_rare(&self) -> bool {
        self.probability < 1 << 32
    }

    /// The share of events that are followed, in units of 2^−32.
    pub fn probability(&self) -> u64 {
        self.probability
    }

    /// When it comes, if the one that it follows is of that class and comes at `time_us`.
    #[inline]
    pub fn time_us(
        &self,
        (class, windows): (u32, &mut Windows),
        [part, inside]: [u32; 2],
        time_us: u64,
    ) -> u64 {
        let parts = &self.classes[class as usize];
        let part = (part.leading_zeros() as usize).min(parts.len() - 1);
        match &parts[part] {
            Part::Near(knots) => {
                let place = u64::from(inside) * PIECES as u64;
                let piece = (place >> 32) as usize;
                let width = knots[piece + 1] - knots[piece];
                let above = u128::from(width) * u128::from(place & u64::from(u32::MAX));
                #[expect(clippy::cast_possible_truncation, reason = "less than the width")]
                let above = (above >> 32) as u64;
                time_us + knots[piece] + above
            }
            Part::Far { first, bits } => {
                let tick = time_us / self.tick_us;
                let inside_window = windows.of(self.key, tick >> bits, class).place(tick, *bits);
                let later = (tick >> bits << bits) + (1 << bits) + first + inside_window;
                later * self.tick_us + ((u64::from(inside) * self.tick_us) >> 32)
            }
        }
    }
}

/// The first words of the counter that an event's follower is drawn by.
#[inline]
fn fate_counter((number, child): (u64, u32)) -> [u32; 3] {
    [low(number), low(number >> 32), child << CHILD_SHIFT]
}

/// Sorts ranges and joins those that touch.
fn merge(ranges: &mut Vec<Range<u64>>) {
    ranges.sort_unstable_by_key(|range| range.start);
    let mut kept = 0;
    for next in 1..ranges.len() {
        let range = ranges[next].clone();
        if range.start <= ranges[kept].end {
            ranges[kept].end = ranges[kept].end.max(range.end);
        } else {
            kept += 1;
            ranges[kept] = range;
        }
    }
    ranges.truncate(kept + 1);
}

#[expect(clippy::cast_possible_truncation, reason = "the lower word is meant")]
const fn low(value: u64) -> u32 {
    value as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::arrival::{position, tick_and_lane};
    use crate::plan::quantile::Curve;

    const TICK_US: u64 = 1_000_000;
    const LANES: u32 = 64;

    fn time_us(step: &Step, class: u32, number: u64, at: u64) -> u64 {
        let windows = &mut Windows::default();
        step.time_us((class, windows), step.draw(number, 0).unwrap(), at)
    }

    fn class_at(number: u64) -> u32 {
        let (tick, lane) = tick_and_lane(number);
        class_of(turn([1, 2], tick), lane, LANES)
    }

    fn delays(parts: Vec<(f64, Curve)>, min_s: f64, max_s: f64) -> Delays {
        Delays { parts, min_s, max_s }
    }

    fn samples() -> Vec<(&'static str, Delays)> {
        let lognormal = Curve::Lognormal { median: 7.0 * 86_400.0, sigma: 1.0 };
        vec![
            ("constant", delays(Vec::new(), 90.0, 90.0)),
            ("none", delays(Vec::new(), 0.0, 0.0)),
            ("one to three days", delays(Vec::new(), 86_400.0, 3.0 * 86_400.0)),
            ("seconds", delays(vec![(1.0, Curve::Exponential { mean: 5.0 })], 0.0, 60.0)),
            ("minutes", delays(vec![(1.0, Curve::Exponential { mean: 900.0 })], 0.0, 1e8)),
            ("days", delays(vec![(1.0, lognormal)], 3_600.0, 120.0 * 86_400.0)),
        ]
    }

    /// Kolmogorov and Smirnov's distance from the distribution itself, before the limits.
    fn distance(delays: &Delays, found: &mut [f64]) -> f64 {
        found.sort_by(f64::total_cmp);
        let count = found.len() as f64;
        let mut most: f64 = 0.0;
        for (rank, &x) in found.iter().enumerate() {
            let share = match delays.parts.as_slice() {
                [] => (x - delays.min_s) / (delays.max_s - delays.min_s),
                [(_, curve)] if x < delays.max_s && x > delays.min_s => curve.shares(x).0,
                _ => continue,
            };
            most = most.max((share - rank as f64 / count).abs());
            most = most.max((share - (rank + 1) as f64 / count).abs());
        }
        most
    }

    fn events() -> impl Iterator<Item = (u64, u64)> {
        // Ticks of a year, some events in each lane; the offset in the tick is that of the index.
        (0..20_000_u64).flat_map(|step| {
            let tick = 50_000_000 + step / 64 * 1_571;
            (0..10).map(move |index| {
                let number = position(tick, low(step % 64), index);
                (number, tick * TICK_US + u64::from(index) * 99_991)
            })
        })
    }

    #[test]
    fn delays_have_their_distribution_tails_included() {
        for (name, delays) in samples() {
            let step = Step::new([7, 8], 1.0, &delays, TICK_US);
            let mut found: Vec<f64> = events()
                .map(|(number, at)| {
                    let class = class_at(number);
                    let later = time_us(&step, class, number, at);
                    (later - at) as f64 / 1e6
                })
                .collect();
            let (least, most) = found.iter().fold((f64::MAX, 0.0_f64), |(least, most), &delay| {
                (least.min(delay), most.max(delay))
            });
            assert!(least >= delays.min_s && most <= delays.max_s, "{name}: {least} to {most}");
            if delays.max_s > delays.min_s {
                // 1.63 / √200,000 is the 1 % limit for independent draws; the triangle of a window may
                // add a quarter of a stratum.
                let distance = distance(&delays, &mut found);
                assert!(distance < 0.0036 + 0.25 / 64.0, "{name}: {distance}");
                let tail = found[found.len() - found.len() / 2_000];
                let expected = delays.inverse_us(1.0 - 1.0 / 2_000.0) as f64 / 1e6;
                assert!((tail / expected - 1.0).abs() < 0.15, "{name}: {tail} for {expected}");
            }
        }
    }

    #[test]
    fn the_ticks_above_hold_every_event_that_leads_to_a_tick() {
        for (name, delays) in samples() {
            let step = Step::new([7, 8], 1.0, &delays, TICK_US);
            let mut windows = Windows::default();
            for (number, at) in events().step_by(97) {
                let class = class_at(number);
                let later = time_us(&step, class, number, at) / TICK_US;
                let mut above = Vec::new();
                step.ticks_above(
                    (class, &mut windows),
                    std::slice::from_ref(&(later..later + 1)),
                    &mut above,
                );
                let tick = at / TICK_US;
                assert!(above.iter().any(|range| range.contains(&tick)), "{name}: {above:?}");
                assert!(above.iter().map(|range| range.end - range.start).sum::<u64>() < 60);
            }
        }
    }

    #[test]
    fn every_tick_leads_to_as_many_events_as_any_other() {
        // Far windows permute ticks, and every tick has each class in one lane.
        let step = Step::new([7, 8], 1.0, &samples()[2].1, TICK_US);
        let mut windows = Windows::default();
        for later in 400_000..400_100_u64 {
            let mut pairs = 0;
            for class in 0..CLASSES {
                let mut above = Vec::new();
                step.ticks_above(
                    (class, &mut windows),
                    std::slice::from_ref(&(later..later + 1)),
                    &mut above,
                );
                for tick in above.into_iter().flatten() {
                    pairs += lanes_of(class, turn([1, 2], tick), LANES).count();
                }
            }
            assert_eq!(pairs, 64);
        }
    }

    #[test]
    fn every_lane_has_one_class_and_classes_are_even() {
        for lanes in [1, 3, 16, 63, 64, 65, 100, 1_024] {
            for turn in [0, 7, u32::MAX] {
                let mut seen = Vec::new();
                for class in 0..CLASSES {
                    let of_it: Vec<u32> = lanes_of(class, turn, lanes).collect();
                    assert!(of_it.len() <= lanes.div_ceil(CLASSES) as usize, "{lanes} {class}");
                    assert!(of_it.iter().all(|&lane| class_of(turn, lane, lanes) == class));
                    seen.extend(of_it);
                }
                seen.sort_unstable();
                assert_eq!(seen, (0..lanes).collect::<Vec<_>>());
            }
        }
    }

    #[test]
    fn no_delay_is_longer_than_the_one_that_all_are_below() {
        for (name, delays) in samples() {
            let step = Step::new([7, 8], 1.0, &delays, TICK_US);
            let most = delays.inverse_us(1.0);
            assert!(most > 0 || delays.max_s < 1.0, "{name}: {most}");
            for (number, at) in events().step_by(7) {
                let later = time_us(&step, class_at(number), number, at) - at;
                // A delay of whole ticks ends inside the next one.
                assert!(later <= most + TICK_US, "{name}: {later} after {most}");
            }
        }
    }

    #[test]
    fn a_share_of_events_is_followed() {
        let step = Step::new([7, 8], 0.3, &samples()[1].1, TICK_US);
        let followed = events().filter(|&(number, _)| step.draw(number, 0).is_some()).count();
        // Five standard deviations of a binomial of 200,000.
        assert!((followed as f64 - 60_000.0).abs() < 5.0 * 205.0, "{followed}");
    }

    #[test]
    fn many_events_are_followed_as_each_one_is() {
        let step = Step::new([7, 8], 0.3, &samples()[5].1, TICK_US);
        let mut many = Many::default();
        let events: Vec<_> = events().map(|(number, _)| (number, low(number) % 5)).collect();
        for events in events.chunks(Many::ROWS) {
            step.draw_many(events.iter().copied(), &mut many);
            for (row, &(number, child)) in events.iter().enumerate() {
                let [fate, draw @ .., _] = many.words(row);
                assert_eq!(
                    (u64::from(fate) < step.probability()).then_some(draw),
                    step.draw(number, child)
                );
            }
            turns([1, 2], events.iter().map(|event| event.0), &mut many);
            for (row, &(tick, _)) in events.iter().enumerate() {
                assert_eq!(many.words(row)[0], turn([1, 2], tick));
            }
        }
    }
}
