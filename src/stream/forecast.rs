//! What a run will send, counted without making it: events by stream and hour, the busiest second.

mod roots;
mod stretch;
mod workers;

use std::ops::Range;

use super::Error;
use crate::plan::Plan;
use stretch::{Stretch, Worker};

/// Microseconds of an hour.
pub const HOUR_US: u64 = 3_600_000_000;
/// Microseconds of a second.
const SECOND_US: u64 = 1_000_000;

/// The most hours that are counted: eleven years.
const HOURS_MAX: u64 = 100_000;

/// Root events whose followers are looked for in one job, about.
const JOB_EVENTS: f64 = 32_768.0;

/// What is asked for.
#[derive(Clone, Debug)]
pub struct Asked {
    /// The window in microseconds since the plan's start.
    pub window_us: Range<u64>,
    /// By stream: whether it is sent.
    pub sends: Vec<bool>,
    /// Threads that count; at least 1.
    pub threads: usize,
}

/// What a run will send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forecast {
    /// By stream; none for one that is not sent.
    pub streams: Vec<Option<Counts>>,
    /// The first hour that the window touches, counted from the start of model time.
    pub first_hour: u64,
    /// The busiest second; none if nothing is sent.
    pub peak: Option<Peak>,
}

/// How many events a stream will send.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// In each hour that the window touches.
    pub hours: Vec<u64>,
}

/// The second with the most events, the first of several.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peak {
    /// Whole seconds since the start of model time.
    pub second: u64,
    /// Its events.
    pub events: u64,
}

impl Counts {
    /// All of them.
    pub fn total(&self) -> u64 {
        self.hours.iter().sum()
    }
}

impl Forecast {
    /// Counts what a plan will send.
    pub fn new(plan: &Plan, asked: &Asked) -> Result<Self, Error> {
        let window_us = checked(plan, &asked.window_us)?;
        let hours = window_us.start / HOUR_US..window_us.end.div_ceil(HOUR_US);
        if hours.end - hours.start > HOURS_MAX {
            let (hours, limit) = (hours.end - hours.start, HOURS_MAX);
            return Err(Error::Long { hours, limit });
        }
        let jobs = Jobs::new(plan, asked, window_us);
        let make = || Worker::new(plan, &asked.sends, hours.clone());
        let done = workers::share(asked.threads, make, |worker, number| {
            jobs.job(number).map(|stretch| worker.count(&stretch)).is_some()
        })?;
        let mut whole = Worker::new(plan, &asked.sends, hours.clone());
        for worker in done {
            whole.add(&worker);
        }
        Ok(Self { first_hour: hours.start, peak: whole.peak(), streams: whole.into_counts() })
    }

    /// All events of all streams.
    pub fn total(&self) -> u64 {
        self.streams.iter().flatten().map(Counts::total).sum()
    }
}

/// The part of a window that positions can number.
fn checked(plan: &Plan, window_us: &Range<u64>) -> Result<Range<u64>, Error> {
    let limit_us = plan.ticks_max().saturating_mul(plan.tick.length_us().unsigned_abs());
    if window_us.end > limit_us {
        let (end_s, limit_s) = (window_us.end / SECOND_US, limit_us / SECOND_US);
        return Err(Error::Window { end_s, limit_s });
    }
    Ok(window_us.clone())
}

/// A window, cut at whole hours and, where rows are looked for, into shorter stretches.
#[derive(Debug)]
struct Jobs {
    window_us: Range<u64>,
    /// The length of a job, of which a whole number makes an hour.
    length_us: u64,
}

impl Jobs {
    fn new(plan: &Plan, asked: &Asked, window_us: Range<u64>) -> Self {
        let sent = plan.streams.iter().zip(&asked.sends).filter(|(_, sent)| **sent);
        let followed = sent.filter_map(|(stream, _)| stream.follow_up());
        let rates = followed.map(|it| plan.streams[it.above[0]].rate_per_s());
        let length_s = JOB_EVENTS / rates.fold(0.0, f64::max);
        // Of the divisors of an hour, the greatest that is not too long: whole seconds and ticks.
        let lengths = [1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1_200, 1_800, 3_600];
        let tick_s = plan.tick.length_us().unsigned_abs().div_ceil(SECOND_US);
        let fits = |length: &u64| length.is_multiple_of(tick_s) && *length as f64 <= length_s;
        let length_s = lengths.into_iter().rev().find(fits).unwrap_or(tick_s);
        Self { window_us, length_us: length_s * SECOND_US }
    }

    /// The stretch of that number; none beyond the window.
    fn job(&self, number: u64) -> Option<Stretch> {
        let begin_us = self.window_us.start / self.length_us * self.length_us;
        let begin_us = begin_us + number * self.length_us;
        let end_us = (begin_us + self.length_us).min(self.window_us.end);
        let begin_us = begin_us.max(self.window_us.start);
        (begin_us < end_us).then_some(Stretch { window_us: begin_us..end_us, followed: true })
    }
}
