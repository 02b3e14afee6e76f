//! What a run would send: its plan and window, what comes in it, and what that takes.

use std::num::NonZeroUsize;
use std::ops::Range;
use std::sync::Arc;
use std::thread::available_parallelism;
use std::time::Duration;

use super::request::{Destination, check_streams};
use super::window::Window;
use super::{Error, plan, pulsar, topic};
use crate::config::Configuration;
use crate::config::settings::{Run, Speed};
use crate::encode::partition::Hash;
use crate::plan::Plan;
use crate::plan::batch::{BATCH_EVENTS, Batches};
use crate::stream::ahead;
use crate::stream::forecast::keys::Keys;
use crate::stream::forecast::{Asked, Counts, Forecast, HOUR_US};
use crate::stream::{Record, Route, SchemaIds};

/// How much model time is looked at where nothing says when to end, and no scenario how long it is.
const DAY: Duration = Duration::from_hours(24);

/// Looks at root events that finding what follows them may take: some seconds.
const LOOKS_MAX: f64 = 120e6;

/// Events whose keys are looked at, at most, about.
const KEYED_EVENTS_MAX: u64 = 1_000_000;

/// What segments of traffic may take in each stream: those of all hours of a week, in summer and
/// winter time, are looked at again and again.
const SEGMENT_BYTES: usize = 64 << 20;

/// What a run would send.
#[derive(Debug)]
pub struct Foreseen {
    /// The plan.
    pub plan: Arc<Plan>,
    /// How it would be run.
    pub run: Run,
    /// Where in model time it begins, in microseconds since the Unix epoch.
    pub from_us: i64,
    /// Where it ends.
    pub until_us: i64,
    /// Whether nothing said when to end.
    pub is_endless: bool,
    /// What comes in it.
    pub forecast: Forecast,
    /// By stream: how many events its keys have.
    pub keys: Vec<Option<Keys>>,
    /// What it takes.
    pub memory: Memory,
    /// By stream: the value that is the key, if one is.
    pub key_names: Vec<Option<String>>,
    /// What is different for a time: each time that a phase of a scenario holds, in the order of
    /// its begin.
    pub phases: Vec<Phase>,
}

/// A phase of a scenario.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Phase {
    /// The scenario's name.
    pub scenario: String,
    /// Its own name.
    pub name: String,
    /// When it begins, in microseconds since the Unix epoch.
    pub from_us: i64,
    /// When it ends; none if it has no end.
    pub until_us: Option<i64>,
}

/// The bounds of what a run keeps in memory, beside what it keeps of the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory {
    /// Batches made ahead, in the busiest hour.
    pub ahead_bytes: u64,
    /// Batches that wait for receipts.
    pub in_flight_bytes: u64,
}

/// Counts what a run would send of these streams (of all, if none is named); all that follows other
/// events, however long it takes, if `all` says so.
pub fn forecast(
    configuration: &Configuration,
    streams: &[String],
    all: bool,
) -> Result<Foreseen, Error> {
    check_streams(streams, &configuration.model)?;
    let mut plan = plan::of_model(configuration)?;
    plan.keep_segments(SEGMENT_BYTES);
    let plan = Arc::new(plan);
    let mut run = configuration.settings.run.clone();
    let is_endless = Window::resolve(&run, plan.start_us)?.until_us.is_none();
    if is_endless {
        let scenarios = configuration.model.scenarios.iter();
        let worth_us = scenarios.filter_map(|scenario| scenario.duration_us).max();
        run.duration = Some(worth_us.map_or(DAY, Duration::from_micros));
    }
    let window = Window::resolve(&run, plan.start_us)?;
    let (from_us, until_us) = (window.from_us, window.until_us.unwrap_or(window.from_us));
    let since_start = |time_us: i64| (time_us - plan.start_us).unsigned_abs();
    let threads = run.threads.or_else(|| available_parallelism().ok());
    let threads = threads.map_or(1, NonZeroUsize::get);
    let window_us = since_start(from_us)..since_start(until_us);
    let phases = phases(&plan, &window_us);
    let inside = phases.iter().map(|phase| {
        let until_us = phase.until_us.map_or(until_us, |it| it.min(until_us));
        since_start(phase.from_us.max(from_us))..since_start(until_us)
    });
    let (hash, is_framed) = match Destination::named(&configuration.settings) {
        Destination::Pulsar => {
            let options = pulsar::checked_options(configuration)?;
            (options.hash, !options.own_schemas)
        }
        _ => (Hash::Murmur2, true),
    };
    // As the broker gets them: whatever the ids.
    let id = is_framed.then_some(0);
    let routes = plan.streams.iter().map(|stream| Route {
        ids: SchemaIds { value: id, key: id },
        partitions: stream.topic.partitions,
        hash: topic::hash(stream, hash),
        skipped: !streams.is_empty() && !streams.contains(&stream.name),
    });
    let asked = Asked {
        window_us,
        routes: routes.collect(),
        phases_us: inside.collect(),
        threads,
        looks_max: if all { f64::INFINITY } else { LOOKS_MAX },
    };
    let forecast = Forecast::new(&plan, &asked)?;
    let keys = Keys::of((&plan, &asked), &forecast, KEYED_EVENTS_MAX)?;
    let memory = Memory {
        ahead_bytes: ahead_bytes(&plan, &asked, &forecast),
        in_flight_bytes: run.in_flight_bytes_max,
    };
    let names = configuration.model.streams.iter().map(|it| it.key.as_ref());
    let key_names = names.map(|key| key.map(|key| key.value.clone())).collect();
    Ok(Foreseen {
        plan,
        run,
        from_us,
        until_us,
        is_endless,
        forecast,
        keys,
        memory,
        key_names,
        phases,
    })
}

impl Foreseen {
    /// The streams that are sent, with what is known of each.
    pub fn sent(&self) -> impl Iterator<Item = (usize, &Counts)> + Clone {
        let streams = self.forecast.streams.iter().enumerate();
        streams.filter_map(|(number, counts)| Some((number, counts.as_ref()?)))
    }

    /// How much model time it is.
    pub fn length(&self) -> Duration {
        Duration::from_micros((self.until_us - self.from_us).unsigned_abs())
    }

    /// All bytes of keys and values.
    pub fn bytes(&self) -> u64 {
        self.sent().map(|(_, counts)| counts.bytes()).sum()
    }

    /// How long the run would take by the wall clock; none if it goes as fast as it can.
    pub fn wall(&self) -> Option<Duration> {
        let scheduled_s = match self.run.speed {
            Speed::Times(speed) => Some(self.length().as_secs_f64() / speed),
            Speed::Pace(per_s) => Some(self.paced() as f64 / per_s),
            Speed::Max => None,
        };
        let governor = self.run.governor;
        let events_s = governor.events_per_s.map(|per_s| self.forecast.total() as f64 / per_s);
        let bytes_s = governor.bytes_per_s.map(|per_s| self.bytes() as f64 / per_s);
        let longest_s = [scheduled_s, events_s, bytes_s].into_iter().flatten().reduce(f64::max);
        Duration::try_from_secs_f64(longest_s?).ok()
    }

    /// The events that a pace goes by: those of root streams, or all, where none of these is sent.
    fn paced(&self) -> u64 {
        let roots = self.sent().filter(|(number, _)| self.plan.streams[*number].is_root());
        match roots.map(|(_, counts)| counts.total()).sum() {
            0 => self.forecast.total(),
            events => events,
        }
    }
}

/// Each time that a phase holds in a window.
fn phases(plan: &Plan, window_us: &Range<u64>) -> Vec<Phase> {
    let tick_us = plan.tick.length_us();
    let ticks_us = tick_us.unsigned_abs();
    let ticks = window_us.start / ticks_us..window_us.end.div_ceil(ticks_us);
    let at = |tick: i64| plan.start_us.saturating_add(tick.saturating_mul(tick_us));
    let holds = |found: &Phase| {
        let since = |us: u64| plan.start_us.saturating_add_unsigned(us);
        found.from_us < since(window_us.end)
            && found.until_us.is_none_or(|until_us| until_us > since(window_us.start))
    };
    let all = plan.scenarios.phases.iter().flat_map(|phase| {
        phase.within(ticks.clone()).map(|found| Phase {
            scenario: phase.scenario.clone(),
            name: phase.name.clone(),
            from_us: at(found.begin),
            until_us: found.end.map(at),
        })
    });
    let mut phases: Vec<Phase> = all.filter(holds).collect();
    phases.sort_by_key(|phase| phase.from_us);
    phases
}

/// The bytes of as many batches as are made ahead, in the busiest hour.
fn ahead_bytes(plan: &Plan, asked: &Asked, forecast: &Forecast) -> u64 {
    let sends = |number: usize| !asked.routes[number].skipped;
    let day_us = 0..24 * HOUR_US;
    let first = Batches::new(plan, &sends, day_us, BATCH_EVENTS).job(0);
    let batch_us = first.map_or(0, |job| job.window_us.end - job.window_us.start);
    let window_us = asked.window_us.end - asked.window_us.start;
    let hours = forecast.streams.iter().flatten().map(|it| it.hours.len()).max().unwrap_or(0);
    let of_hour = |hour: usize| -> f64 {
        let of = |counts: &Counts| {
            let records = counts.records.as_ref();
            let mean = records.map_or(0.0, |it| it.mean_bytes + it.mean_header_bytes);
            counts.hours[hour] as f64 * (mean + size_of::<Record>() as f64)
        };
        forecast.streams.iter().flatten().map(of).sum()
    };
    let busiest = (0..hours).map(of_hour).fold(0.0, f64::max);
    let share = batch_us as f64 / window_us.clamp(1, HOUR_US) as f64;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count of bytes")]
    let batch_bytes = (busiest * share).ceil() as u64;
    batch_bytes * ahead::room(asked.threads)
}
