//! What a run will send, counted without making it: events by stream and hour, the busiest second,
//! and what their records are like.

mod roots;
mod jobs;
pub mod keys;
mod sample;
mod stretch;
mod workers;

use std::ops::Range;
use std::sync::Arc;

use super::producer::Producer;
use super::{Error, Options, Route};
use crate::plan::Plan;
pub use crate::plan::exact::HOUR_US;
use jobs::Jobs;
use sample::Sampled;
use stretch::Worker;

/// Microseconds of a second.
const SECOND_US: u64 = 1_000_000;

/// The most hours that are counted: eleven years.
const HOURS_MAX: u64 = 100_000;

/// The most phases that are counted, each time that one holds.
const PHASES_MAX: usize = 10_000;

/// Records of a stream that are made, about, to see what they are like.
const SAMPLE: u64 = 131_072;

/// What is asked for.
#[derive(Clone, Debug)]
pub struct Asked {
    /// The window in microseconds since the plan's start.
    pub window_us: Range<u64>,
    /// By stream: ids, partitions, and whether it is left out. Streams beyond the end have neither.
    pub routes: Vec<Route>,
    /// Stretches of the window whose events are to be told, in microseconds since the start.
    pub phases_us: Vec<Range<u64>>,
    /// Threads that count; at least 1.
    pub threads: usize,
    /// Looks at root events that finding all that follows them may take; if it took more, what follows
    /// is estimated from parts of the window.
    pub looks_max: f64,
}

/// What a run will send.
#[derive(Clone, Debug, PartialEq)]
pub struct Forecast {
    /// By stream; none for one that is not sent.
    pub streams: Vec<Option<Counts>>,
    /// The first hour that the window touches, counted from the start of model time.
    pub first_hour: u64,
    /// The busiest second; none if nothing is sent. Streams that are estimated are left out.
    pub peak: Option<Peak>,
    /// The share of the window in which what follows was looked for; 1: all of it was counted.
    pub looked_at: f64,
}

/// What a stream will send.
#[derive(Clone, Debug, PartialEq)]
pub struct Counts {
    /// Events in each hour that the window touches.
    pub hours: Vec<u64>,
    /// Events in each of the stretches that were asked for.
    pub phases: Vec<u64>,
    /// If they are estimated: how far off their sum may be, two times in a hundred.
    pub apart: Option<u64>,
    /// What its records are like; none if no event was found.
    pub records: Option<Records>,
}

/// What the records of a stream are like, from some of them.
#[derive(Clone, Debug, PartialEq)]
pub struct Records {
    /// How many were looked at.
    pub looked_at: u64,
    /// Bytes of key and value, framing included, on average.
    pub mean_bytes: f64,
    /// Bytes of headers, on average.
    pub mean_header_bytes: f64,
    /// The share of each partition, if we choose among them.
    pub partitions: Vec<f64>,
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

    /// Bytes of keys and values, framing included, as a run reports them.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "rounded, not negative"
    )]
    pub fn bytes(&self) -> u64 {
        let mean = self.records.as_ref().map_or(0.0, |records| records.mean_bytes);
        (mean * self.total() as f64).round() as u64
    }
}

impl Forecast {
    /// Counts what a plan will send.
    pub fn new(plan: &Arc<Plan>, asked: &Asked) -> Result<Self, Error> {
        let window_us = checked(plan, &asked.window_us)?;
        let hours = window_us.start / HOUR_US..window_us.end.div_ceil(HOUR_US);
        if hours.end - hours.start > HOURS_MAX {
            let (hours, limit) = (hours.end - hours.start, HOURS_MAX);
            return Err(Error::Long { hours, limit });
        }
        if asked.phases_us.len() > PHASES_MAX {
            let (phases, limit) = (asked.phases_us.len(), PHASES_MAX);
            return Err(Error::Phases { phases, limit });
        }
        let options = Options { routes: asked.routes.clone(), ..Options::default() };
        let producer = Producer::new(Arc::clone(plan), options)?;
        let jobs = Jobs::new(plan, asked, &window_us);
        let most = usize::try_from(SAMPLE.div_ceil(jobs.count())).unwrap_or(usize::MAX);
        let make = || Worker::new((plan, &producer), asked, hours.clone(), most);
        let done = workers::share(asked.threads, make, |worker, number| match jobs.job(number) {
            Some(stretch) => worker.count(stretch).map(|()| true),
            None => Ok(false),
        })?;
        let mut whole = make();
        for worker in done {
            whole.add(&worker);
        }
        let looked_at = jobs.looked_at();
        let (first_hour, peak) = (hours.start, whole.peak());
        Ok(Self { first_hour, peak, streams: whole.into_counts(looked_at), looked_at })
    }

    /// All events of all streams.
    pub fn total(&self) -> u64 {
        self.streams.iter().flatten().map(Counts::total).sum()
    }

    /// Whether what follows other events is estimated.
    pub fn is_estimated(&self) -> bool {
        self.looked_at < 1.0
    }
}

impl Records {
    fn new(sampled: &Sampled) -> Option<Self> {
        let events = sampled.weight as f64;
        let share = |part: &u128| *part as f64 / events;
        (sampled.weight > 0).then(|| Self {
            looked_at: sampled.looked_at,
            mean_bytes: share(&sampled.bytes),
            mean_header_bytes: share(&sampled.header_bytes),
            partitions: sampled.partitions.iter().map(share).collect(),
        })
    }

    /// What the fullest partition has, as a multiple of the mean.
    pub fn skew(&self) -> Option<f64> {
        let fullest = self.partitions.iter().copied().reduce(f64::max)?;
        Some(fullest * self.partitions.len() as f64)
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

/// Whether a stream is sent.
fn sends(routes: &[Route], stream: usize) -> bool {
    routes.get(stream).is_none_or(|route| !route.skipped)
}

/// A place in a list: seconds, ticks and hours are checked to be few.
fn index(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}
