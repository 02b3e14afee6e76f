//! One stretch of a window: what comes in it, stream by stream and second by second.

use std::ops::Range;

use super::jobs::{Stretch, What};
use super::roots::Roots;
use super::sample::{Sampled, Thinned};
use super::{Asked, Counts, HOUR_US, Peak, Records, SECOND_US, index, sends};
use crate::generate::philox::Many;
use crate::plan::{Origin, Plan};
use crate::stream::producer::{self, Producer};
use crate::stream::rows::{Row, Rows};
use crate::stream::{Error, follow_up};

/// Ticks of a root stream in one stretch from which records are taken.
const TICKS_SAMPLED: u64 = 64;

/// Events are counted in units of this share of one, because some stand for more than themselves.
const UNIT: u64 = 1 << 12;

/// What one thread has counted, and its room.
#[derive(Debug)]
pub(super) struct Worker<'a> {
    plan: &'a Plan,
    producer: &'a Producer,
    asked: &'a Asked,
    hours: Range<u64>,
    streams: Vec<Stream>,
    peak: Option<Peak>,
    room: Room,
    made: producer::Worker,
}

/// What was counted of a stream.
#[derive(Debug)]
struct Stream {
    /// By hour, in units.
    hours: Vec<u64>,
    /// By phase, in units.
    phases: Vec<u64>,
    /// Events that were seen.
    seen: u64,
    sampled: Sampled,
}

#[derive(Debug)]
struct Room {
    many: Many,
    follow_up: follow_up::Scratch,
    rows: Rows,
    thinned: Thinned,
    /// Events in each second of the stretch.
    seconds: Vec<u64>,
    /// Events of root streams in each of its ticks, where these are longer than seconds.
    ticks: Vec<u64>,
}

impl<'a> Worker<'a> {
    /// One that takes at most `most` records of each stream from a stretch.
    pub(super) fn new(
        (plan, producer): (&'a Plan, &'a Producer),
        asked: &'a Asked,
        hours: Range<u64>,
        most: usize,
    ) -> Self {
        let length = index(hours.end - hours.start);
        let streams = (0..plan.streams.len()).map(|number| {
            let partitions =
                asked.routes.get(number).and_then(|route| route.partitions).unwrap_or(0);
            let partitions = vec![0; partitions as usize];
            let sampled = Sampled { partitions, ..Sampled::default() };
            let hours = vec![0; if sends(&asked.routes, number) { length } else { 0 }];
            Stream { hours, phases: vec![0; asked.phases_us.len()], seen: 0, sampled }
        });
        let room = Room {
            many: Many::default(),
            follow_up: follow_up::Scratch::default(),
            rows: Rows::default(),
            thinned: Thinned::new(most),
            seconds: Vec::new(),
            ticks: Vec::new(),
        };
        let (streams, made) = (streams.collect(), producer::Worker::default());
        Self { plan, producer, asked, hours, streams, peak: None, room, made }
    }

    /// Adds what another one has counted.
    pub(super) fn add(&mut self, other: &Self) {
        for (own, other) in self.streams.iter_mut().zip(&other.streams) {
            own.hours.iter_mut().zip(&other.hours).for_each(|(sum, count)| *sum += count);
            own.phases.iter_mut().zip(&other.phases).for_each(|(sum, count)| *sum += count);
            own.seen += other.seen;
            own.sampled.add(&other.sampled);
        }
        other.peak.into_iter().for_each(|peak| self.note(peak));
    }

    pub(super) fn peak(&self) -> Option<Peak> {
        self.peak
    }

    /// By stream; what follows was looked for in a share of the window.
    pub(super) fn into_counts(self, looked_at: f64) -> Vec<Option<Counts>> {
        let (plan, routes) = (self.plan, &self.asked.routes);
        let streams = self.streams.into_iter().enumerate();
        let counts = streams.map(|(number, stream)| {
            sends(routes, number).then(|| {
                let estimated = looked_at < 1.0 && plan.streams[number].follow_up().is_some();
                let apart = estimated.then(|| apart(stream.seen, looked_at));
                let records = Records::new(&stream.sampled);
                let phases = stream.phases.iter().map(|units| (units + UNIT / 2) / UNIT);
                Counts { hours: whole(&stream.hours), phases: phases.collect(), apart, records }
            })
        });
        counts.collect()
    }

    /// Counts what comes in a stretch.
    pub(super) fn count(&mut self, stretch: &Stretch) -> Result<(), Error> {
        let seconds = stretch.seconds();
        self.room.seconds.clear();
        self.room.seconds.resize(index(seconds.end - seconds.start), 0);
        self.room.ticks.clear();
        self.room.ticks.resize(stretch.ticks(self.tick_us()).count(), 0);
        let length_us = stretch.window_us.end - stretch.window_us.start;
        for number in 0..self.plan.streams.len() {
            let follows = self.plan.streams[number].follow_up().is_some();
            let piece = match &stretch.what {
                What::All => stretch.window_us.clone(),
                What::Unfollowing if !follows => stretch.window_us.clone(),
                What::Following(piece) if follows => piece.clone(),
                What::Unfollowing | What::Following(_) => continue,
            };
            if !sends(&self.asked.routes, number) {
                continue;
            }
            let seen = self.stream(number, stretch)?;
            let units = part(seen * UNIT, piece.end - piece.start, length_us);
            self.streams[number].seen += seen;
            self.spread(number, &piece, units);
            for (sum, phase) in self.streams[number].phases.iter_mut().zip(&self.asked.phases_us) {
                *sum += if phase.contains(&stretch.window_us.start) { units } else { 0 };
            }
            self.sample(number, stretch, units)?;
        }
        if !matches!(stretch.what, What::Following(_)) {
            self.busiest(stretch)?;
        }
        Ok(())
    }

    /// Adds units of a stream's events to the hours of a piece, evenly.
    fn spread(&mut self, number: usize, piece: &Range<u64>, units: u64) {
        let (first, hours) = (self.hours.start, &mut self.streams[number].hours);
        let mut left = units;
        for hour in piece.start / HOUR_US..piece.end.div_ceil(HOUR_US) {
            let inside_us = piece.end.min((hour + 1) * HOUR_US) - piece.start.max(hour * HOUR_US);
            let is_last = (hour + 1) * HOUR_US >= piece.end;
            let here = part(units, inside_us, piece.end - piece.start).min(left);
            let here = if is_last { left } else { here };
            hours[index(hour - first)] += here;
            left -= here;
        }
    }

    fn tick_us(&self) -> u64 {
        self.plan.tick.length_us().unsigned_abs()
    }

    /// How many events of a stream come in a stretch; notes the seconds, or ticks, that they come in,
    /// and some of their rows.
    fn stream(&mut self, number: usize, stretch: &Stretch) -> Result<u64, Error> {
        let window_us = &stretch.window_us;
        let (first, tick_us) = (stretch.seconds().start, self.tick_us());
        let touched = stretch.ticks(tick_us);
        let Room { many, follow_up: scratch, rows, thinned, seconds, ticks } = &mut self.room;
        thinned.clear();
        let mut count = 0;
        let mut see = |row: &Row| {
            if window_us.contains(&row.time_us) {
                seconds[index(row.time_us / SECOND_US - first)] += 1;
                count += 1;
                thinned.show(*row);
            }
        };
        match &self.plan.streams[number].origin {
            Origin::Root(traffic) => {
                let roots = Roots::new(self.plan, &self.plan.streams[number], traffic);
                let whole = stretch.whole_ticks(tick_us);
                // The ticks that the window begins or ends in.
                for tick in touched.clone().filter(|tick| !whole.contains(tick)) {
                    roots.rows(tick, &mut see)?;
                }
                roots.totals(whole.clone(), many, &mut |tick, events| {
                    count += events;
                    if tick_us > SECOND_US {
                        ticks[index(tick - touched.start)] += events;
                    } else {
                        seconds[index(tick * tick_us / SECOND_US - first)] += events;
                    }
                })?;
                let some = (whole.end - whole.start).min(TICKS_SAMPLED);
                for step in 0..some {
                    let tick =
                        whole.start + (whole.end - whole.start) * (2 * step + 1) / (2 * some);
                    roots.rows(tick, &mut |row| thinned.show(*row))?;
                }
            }
            Origin::FollowUp(follow_up) => {
                follow_up::rows((self.plan, follow_up), &touched, &|_| true, (scratch, rows));
                rows.list.iter().for_each(see);
            }
            Origin::Ledger(_) => {}
            Origin::Control(control) => control.events(window_us, &mut |time_us, number| {
                see(&Row { time_us, number, child: 0, above: 0, ordinal: 0 });
            }),
            Origin::Members(members) => members.events(&|_| true, window_us, &mut |call| {
                let (time_us, number) = (call.time_us, call.number);
                see(&Row { time_us, number, child: 0, above: 0, ordinal: 0 });
            }),
        }
        Ok(count)
    }

    /// Makes the records of the rows that were kept; they stand for so many units of events.
    fn sample(&mut self, number: usize, stretch: &Stretch, units: u64) -> Result<(), Error> {
        let Room { rows, thinned, .. } = &mut self.room;
        if thinned.rows.is_empty() {
            return Ok(());
        }
        let stream = &self.plan.streams[number];
        if stream.follow_up().is_none() {
            rows.clear(0);
        }
        if stream.compiled.program.ordinal.is_some() {
            // What counts is how long the number is.
            let since_s = stretch.window_us.start as f64 / 1e6;
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count")]
            let ordinal = (stream.rate_per_s() * since_s) as u64;
            (ordinal..).zip(&mut thinned.rows).for_each(|(ordinal, row)| row.ordinal = ordinal);
        }
        std::mem::swap(&mut rows.list, &mut thinned.rows);
        let records = self.producer.encode(&mut self.made, number, rows)?;
        self.streams[number].sampled.note(&records, units);
        Ok(())
    }

    /// Looks for a second with more events than the busiest so far.
    fn busiest(&mut self, stretch: &Stretch) -> Result<(), Error> {
        let tick_us = self.tick_us();
        if tick_us > SECOND_US {
            self.times_of_ticks(stretch, tick_us)?;
        }
        let seconds = stretch.seconds().zip(&self.room.seconds);
        let most = seconds.max_by_key(|(second, events)| (**events, u64::MAX - second));
        if let Some((second, &events)) = most.filter(|(_, events)| **events > 0) {
            self.note(Peak { second, events });
        }
        Ok(())
    }

    /// Finds the seconds of those events of root streams whose ticks can have the busiest one.
    fn times_of_ticks(&mut self, stretch: &Stretch, tick_us: u64) -> Result<(), Error> {
        let first = stretch.seconds().start;
        let length = index(tick_us / SECOND_US);
        for (place, tick) in stretch.ticks(tick_us).enumerate() {
            let Room { seconds, ticks, .. } = &mut self.room;
            let begin = index((tick * tick_us / SECOND_US).saturating_sub(first));
            let end = (begin + length).min(seconds.len());
            let most = |seconds: &[u64]| seconds[begin..end].iter().max().copied().unwrap_or(0);
            let known = self.peak.map_or(0, |peak| peak.events);
            // What a thread looks at later comes later, and of two like seconds the first is told.
            if ticks[place] == 0 || ticks[place] + most(seconds) <= known {
                continue;
            }
            for (number, stream) in self.plan.streams.iter().enumerate() {
                if let (Some(traffic), true) = (stream.traffic(), sends(&self.asked.routes, number))
                {
                    let roots = Roots::new(self.plan, stream, traffic);
                    roots.rows(tick, &mut |row| {
                        seconds[index(row.time_us / SECOND_US - first)] += 1;
                    })?;
                }
            }
            let events = most(seconds);
            if events > known {
                let inside = seconds[begin..end].iter().position(|it| *it == events);
                let second = first + (begin + inside.unwrap_or(0)) as u64;
                self.note(Peak { second, events });
            }
        }
        Ok(())
    }

    fn note(&mut self, peak: Peak) {
        let rank = |peak: &Peak| (peak.events, u64::MAX - peak.second);
        if self.peak.as_ref().is_none_or(|known| rank(known) < rank(&peak)) {
            self.peak = Some(peak);
        }
    }
}

/// Whole events, rounded so that their sum is right.
fn whole(hours: &[u64]) -> Vec<u64> {
    let (mut units, mut told) = (0_u128, 0);
    let rounded = hours.iter().map(|hour| {
        units += u128::from(*hour);
        let all = u64::try_from((units + u128::from(UNIT / 2)) / u128::from(UNIT));
        let events = all.unwrap_or(u64::MAX) - told;
        told += events;
        events
    });
    rounded.collect()
}

/// `count` · `of` / `whole`.
fn part(count: u64, of: u64, whole: u64) -> u64 {
    u64::try_from(u128::from(count) * u128::from(of) / u128::from(whole)).unwrap_or(u64::MAX)
}

/// Two standard deviations of what is estimated from so many events of a share of the window.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "rounded, not negative"
)]
fn apart(seen: u64, looked_at: f64) -> u64 {
    (2.0 * libm::sqrt(seen.max(1) as f64 * (1.0 - looked_at)) / looked_at).ceil() as u64
}
