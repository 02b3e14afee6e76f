//! One stretch of a window: what comes in it, stream by stream and second by second.

use std::ops::Range;

use super::roots::Roots;
use super::{Counts, HOUR_US, Peak, SECOND_US};
use crate::generate::philox::Many;
use crate::plan::{Origin, Plan};
use crate::stream::follow_up;
use crate::stream::rows::Rows;

/// A part of the window that lies in one hour.
#[derive(Clone, Debug)]
pub(super) struct Stretch {
    /// Microseconds since the start.
    pub(super) window_us: Range<u64>,
    /// Whether what follows other events is looked for.
    pub(super) followed: bool,
}

/// What one thread has counted, and its room.
#[derive(Debug)]
pub(super) struct Worker<'a> {
    plan: &'a Plan,
    sends: &'a [bool],
    hours: Range<u64>,
    /// By stream and hour.
    counts: Vec<Vec<u64>>,
    peak: Option<Peak>,
    room: Room,
}

#[derive(Debug, Default)]
struct Room {
    many: Many,
    follow_up: follow_up::Scratch,
    rows: Rows,
    /// Events in each second of the stretch.
    seconds: Vec<u64>,
    /// Events of root streams in each of its ticks, where these are longer than seconds.
    ticks: Vec<u64>,
}

impl<'a> Worker<'a> {
    pub(super) fn new(plan: &'a Plan, sends: &'a [bool], hours: Range<u64>) -> Self {
        let length = usize::try_from(hours.end - hours.start).unwrap_or(usize::MAX);
        let counts = vec![vec![0; length]; plan.streams.len()];
        Self { plan, sends, hours, counts, peak: None, room: Room::default() }
    }

    /// Adds what another one has counted.
    pub(super) fn add(&mut self, other: &Self) {
        let pairs = self.counts.iter_mut().flatten().zip(other.counts.iter().flatten());
        pairs.for_each(|(sum, count)| *sum += count);
        other.peak.into_iter().for_each(|peak| self.note(peak));
    }

    pub(super) fn peak(&self) -> Option<Peak> {
        self.peak
    }

    pub(super) fn into_counts(self) -> Vec<Option<Counts>> {
        let counts = self.counts.into_iter().zip(self.sends);
        counts.map(|(hours, sent)| sent.then_some(Counts { hours })).collect()
    }

    /// Counts what comes in a stretch.
    pub(super) fn count(&mut self, stretch: &Stretch) {
        let seconds = stretch.seconds();
        self.room.seconds.clear();
        self.room.seconds.resize(index(seconds.end - seconds.start), 0);
        self.room.ticks.clear();
        self.room.ticks.resize(index(stretch.ticks(self.tick_us()).count() as u64), 0);
        let place = index(stretch.window_us.start / HOUR_US - self.hours.start);
        for number in 0..self.plan.streams.len() {
            if self.sends[number] {
                let count = self.stream(number, stretch);
                self.counts[number][place] += count;
            }
        }
        self.busiest(stretch);
    }

    fn tick_us(&self) -> u64 {
        self.plan.tick.length_us().unsigned_abs()
    }

    /// How many events of a stream come in a stretch; notes the seconds, or ticks, that they come in.
    fn stream(&mut self, number: usize, stretch: &Stretch) -> u64 {
        let Stretch { window_us, followed } = stretch;
        let first = stretch.seconds().start;
        let tick_us = self.tick_us();
        let Room { many, follow_up: scratch, rows, seconds, ticks } = &mut self.room;
        let mut count = 0;
        let mut see = |time_us: u64| {
            if window_us.contains(&time_us) {
                seconds[index(time_us / SECOND_US - first)] += 1;
                count += 1;
            }
        };
        match &self.plan.streams[number].origin {
            Origin::Root(traffic) => {
                let roots = Roots { plan: self.plan, stream: &self.plan.streams[number], traffic };
                let (touched, whole) = (stretch.ticks(tick_us), stretch.whole_ticks(tick_us));
                // The ticks that the window begins or ends in.
                let cut = touched.clone().filter(|tick| !whole.contains(tick));
                cut.for_each(|tick| roots.times(tick, &mut see));
                roots.totals(whole, many, &mut |tick, events| {
                    count += events;
                    if tick_us > SECOND_US {
                        ticks[index(tick - touched.start)] += events;
                    } else {
                        seconds[index(tick * tick_us / SECOND_US - first)] += events;
                    }
                });
            }
            Origin::FollowUp(follow_up) if *followed => {
                let touched = stretch.ticks(tick_us);
                follow_up::rows((self.plan, follow_up), &touched, &|_| true, (scratch, rows));
                rows.list.iter().for_each(|row| see(row.time_us));
            }
            Origin::FollowUp(_) => {}
            Origin::Control(control) => {
                control.events(window_us, &mut |time_us, _| see(time_us));
            }
            Origin::Members(members) => {
                members.events(&|_| true, window_us, &mut |call| see(call.time_us));
            }
        }
        count
    }

    /// Looks for a second with more events than the busiest so far.
    fn busiest(&mut self, stretch: &Stretch) {
        let tick_us = self.tick_us();
        if tick_us > SECOND_US {
            self.times_of_ticks(stretch, tick_us);
        }
        let seconds = stretch.seconds().zip(&self.room.seconds);
        let most = seconds.max_by_key(|(second, events)| (**events, u64::MAX - second));
        if let Some((second, &events)) = most.filter(|(_, events)| **events > 0) {
            self.note(Peak { second, events });
        }
    }

    /// Finds the seconds of those events of root streams whose ticks can have the busiest one.
    fn times_of_ticks(&mut self, stretch: &Stretch, tick_us: u64) {
        let first = stretch.seconds().start;
        let length = index(tick_us / SECOND_US);
        for (place, tick) in stretch.ticks(tick_us).enumerate() {
            let Room { seconds, ticks, .. } = &mut self.room;
            let begin = index((tick * tick_us / SECOND_US).saturating_sub(first));
            let end = (begin + length).min(seconds.len());
            let others = seconds[begin..end].iter().max().copied().unwrap_or(0);
            let known = self.peak.map_or(0, |peak| peak.events);
            if ticks[place] == 0 || ticks[place] + others <= known {
                continue;
            }
            for (stream, _) in self.plan.streams.iter().zip(self.sends).filter(|(_, sent)| **sent) {
                if let Origin::Root(traffic) = &stream.origin {
                    let roots = Roots { plan: self.plan, stream, traffic };
                    roots.times(tick, &mut |time_us| {
                        seconds[index(time_us / SECOND_US - first)] += 1;
                    });
                }
            }
            let found = seconds[begin..end].iter().max().copied().unwrap_or(0);
            // Later ticks need not be looked into that have fewer.
            if self.peak.is_none_or(|peak| peak.events < found) {
                let second = seconds[begin..end].iter().position(|events| *events == found);
                let second = first + (begin + second.unwrap_or(0)) as u64;
                self.note(Peak { second, events: found });
            }
        }
    }

    fn note(&mut self, peak: Peak) {
        let rank = |peak: &Peak| (peak.events, u64::MAX - peak.second);
        if self.peak.as_ref().is_none_or(|known| rank(known) < rank(&peak)) {
            self.peak = Some(peak);
        }
    }
}

impl Stretch {
    /// The seconds since the start that it touches.
    fn seconds(&self) -> Range<u64> {
        self.window_us.start / SECOND_US..self.window_us.end.div_ceil(SECOND_US)
    }

    /// The ticks that it touches.
    fn ticks(&self, tick_us: u64) -> Range<u64> {
        self.window_us.start / tick_us..self.window_us.end.div_ceil(tick_us)
    }

    /// The ticks that lie in it.
    fn whole_ticks(&self, tick_us: u64) -> Range<u64> {
        let (first, end) = (self.window_us.start.div_ceil(tick_us), self.window_us.end / tick_us);
        first..end.max(first)
    }
}

/// A place in a list: seconds, ticks and hours are checked to be few.
fn index(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}
