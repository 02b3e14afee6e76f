//! What is known of a run before and after it, put into the forms that others want.

use std::num::NonZeroUsize;
use std::path::Path;
use std::thread::available_parallelism;
use std::time::Duration;

use super::repetition::First;
use super::request::{End, Facts, Shard};
use super::topic;
use super::watch::Looked;
use super::window::rfc3339;
use super::{Prepared, Ready, sink};
use crate::config::settings::{Governor, Settings, Speed};
use crate::manifest::{self, FORMAT, Manifest, Place};
use crate::observe::agreement::{Agreement, Earlier};
use crate::observe::consumer::Consumer;
use crate::observe::memory;
use crate::observe::progress::Goal;
use crate::observe::report::{About, Report, Stopped, Subject};
use crate::observe::tally::{Tally, Total};
use crate::plan::Plan;
use crate::stream::deferrals::Deferrals;
use crate::stream::digest::Digest;
use crate::stream::{self, Route, SchemaIds, pacer};

/// What is known of a run that is over, beside its counts.
#[derive(Debug)]
pub(super) struct Over<'a> {
    /// Why it ended.
    pub(super) stopped: Stopped,
    /// How long it took.
    pub(super) wall: Duration,
    /// The digest of what was issued.
    pub(super) digest: Option<Digest>,
    /// What became of events that phases keep away.
    pub(super) deferrals: Option<Deferrals>,
    /// Who read what was sent, if that was watched.
    pub(super) consumer: Option<Consumer>,
    /// Where the manifest is.
    pub(super) place: Option<&'a Place>,
}

impl Prepared {
    fn settings(&self) -> &Settings {
        &self.configuration.settings
    }

    /// The numbers of the streams that are sent.
    pub(super) fn sent(&self) -> impl Iterator<Item = usize> + '_ {
        let streams = self.plan.streams.iter().enumerate();
        streams.filter(|(_, it)| !self.request.skips(&it.name)).map(|(number, _)| number)
    }

    fn shard(&self) -> Shard {
        self.request.shard.unwrap_or(Shard::WHOLE)
    }

    fn speed(&self) -> Option<f64> {
        match self.settings().run.speed {
            Speed::Times(speed) => Some(speed),
            Speed::Max | Speed::Pace(_) => None,
        }
    }

    /// Root events a second, whatever their times.
    fn pace(&self) -> Option<f64> {
        match self.settings().run.speed {
            Speed::Pace(per_s) => Some(per_s),
            Speed::Times(_) | Speed::Max => None,
        }
    }

    fn governor(&self) -> Option<manifest::Governor> {
        let governor = self.settings().run.governor;
        let Governor { events_per_s, bytes_per_s } = governor;
        governor.is_set().then_some(manifest::Governor { events_per_s, bytes_per_s })
    }

    pub(super) fn pacer_speed(&self) -> pacer::Speed {
        let sent = |number: usize| !self.request.skips(&self.plan.streams[number].name);
        speed(self.settings().run.speed, &self.plan, &sent, self.shard())
    }

    /// How the stream of events is made.
    pub(super) fn stream_options(&self, opened: &sink::Opened) -> stream::Options {
        let since_start = |time_us: i64| (time_us - self.plan.start_us).unsigned_abs();
        let run = &self.settings().run;
        let routes = self.plan.streams.iter().zip(&self.schemas).zip(&opened.partitions);
        let threads = run.threads.or_else(|| available_parallelism().ok());
        stream::Options {
            window_us: since_start(self.window.from_us)
                ..self.window.until_us.map_or(u64::MAX, since_start),
            count: self.window.count,
            events_max: self.request.events_max(),
            shard: self.shard().into(),
            threads: threads.map_or(1, NonZeroUsize::get),
            digest: run.digest,
            routes: routes
                .map(|((stream, written), partitions)| Route {
                    hash: topic::hash(stream, opened.hash),
                    ids: SchemaIds { value: written.value_id, key: written.key_id },
                    partitions: *partitions,
                    skipped: self.request.skips(&stream.name),
                })
                .collect(),
            ..stream::Options::default()
        }
    }

    /// How events are released; the window begins at `anchor_us` on the wall clock.
    pub(super) fn pacer_options(&self, anchor_us: i64, tally: &Tally) -> pacer::Options {
        pacer::Options {
            clock: self.clock.clone(),
            speed: self.pacer_speed(),
            anchor_ns: anchor_us.saturating_mul(1_000),
            begin_us: self.window.from_us,
            drain: self.settings().run.drain,
            ceilings: self.ceilings(),
            held: tally.held(),
            counted: 0,
        }
    }

    /// Each shard has its part of the events, and of what may go in a second.
    fn ceilings(&self) -> pacer::Ceilings {
        let Governor { events_per_s, bytes_per_s } = self.settings().run.governor;
        let part = |per_s: Option<f64>| per_s.map(|per_s| per_s / f64::from(self.shard().count));
        pacer::Ceilings { events_per_s: part(events_per_s), bytes_per_s: part(bytes_per_s) }
    }

    /// How long the run may take by the wall clock, from now on, if that says when it ends; it begins
    /// at `anchor_us`.
    pub(super) fn wall_left(&self, anchor_us: i64) -> Option<Duration> {
        let until_begin_us = (anchor_us - self.clock.now_us()).max(0).unsigned_abs();
        self.window.wall.map(|wall| wall + Duration::from_micros(until_begin_us))
    }

    /// What is known when looking at the run begins; it ends after so much wall time, if it does.
    pub(super) fn looked_at<'a>(
        &'a self,
        wall: Option<Duration>,
        manifest: Option<&'a Path>,
    ) -> Looked<'a> {
        let drain = self.settings().run.drain;
        Looked { goal: self.goal(), clock: &self.clock, drain, wall, manifest }
    }

    /// Where the run is to end.
    fn goal(&self) -> Goal {
        Goal {
            begin_us: self.window.from_us,
            until_us: self.window.until_us,
            count: self.window.count,
            speed: self.speed(),
        }
    }

    /// What is told when the first event is about to go.
    pub(super) fn ready(&self, target: &str) -> Ready {
        let (model, seed) = (&self.plan.name, self.plan.seed);
        let start = rfc3339(self.plan.start_us);
        tracing::info!(%model, seed, %start, %target, "the run begins");
        let servers = self.embedded.as_ref().map(|it| it.bootstrap_servers().to_owned());
        let registry = self.embedded.as_ref().map(|it| it.registry_url().to_owned());
        let topics = self.sent().map(|number| self.plan.streams[number].topic.name.clone());
        Ready {
            model: self.plan.name.clone(),
            seed: self.plan.seed,
            rate_per_s: self.plan.root_rate_per_s(),
            followed: self.plan.streams.iter().any(|it| it.follow_up().is_some()),
            from_us: self.window.from_us,
            until_us: self.window.until_us,
            target: target.to_owned(),
            servers: servers.unwrap_or_default(),
            registry: registry.unwrap_or_default(),
            topics: topics.collect(),
            metrics: self.settings().run.metrics,
            warnings: self.plan.warnings.clone(),
        }
    }

    /// What makes the run repeatable, before its first event.
    pub(super) fn manifest(&self, anchor_us: i64) -> Manifest {
        let source = &self.configuration.source;
        let streams = self.sent().map(|number| {
            let (stream, written) = (&self.plan.streams[number], &self.schemas[number]);
            manifest::Stream {
                name: stream.name.clone(),
                topic: stream.topic.name.clone(),
                schema_id: written.value_id,
                key_schema_id: written.key_id,
                schema: written.schema_json.clone(),
            }
        });
        Manifest {
            format: FORMAT,
            tidegate: env!("CARGO_PKG_VERSION").to_owned(),
            model: manifest::Model::new(&self.configuration),
            overrides: manifest::Override::all(source),
            seed: self.plan.seed,
            start: rfc3339(self.plan.start_us),
            window: manifest::Window {
                from: rfc3339(self.window.from_us),
                until: self.window.until_us.map(rfc3339),
                count: self.window.count,
                events: self.request.events_max(),
                wall_s: self.window.wall.map(|wall| wall.as_secs_f64()),
            },
            pace: manifest::Pace {
                speed: self.speed(),
                events_per_s: self.pace(),
                governor: self.governor(),
                anchor: rfc3339(anchor_us),
            },
            shard: self.shard().to_string(),
            sink: self.request.destination.name().to_owned(),
            streams: streams.collect(),
            repeat: (self.request.repeat)(&self.facts(End::AsAsked, None)),
            resumed: Vec::new(),
            result: None,
        }
    }

    /// What the run did.
    pub(super) fn report(&self, total: &Total, over: &Over<'_>) -> Report {
        let about = About {
            subject: Subject::Model {
                model: self.plan.name.clone(),
                seed: self.plan.seed,
                start: rfc3339(self.plan.start_us),
            },
            stopped: over.stopped,
            wall: over.wall,
            scheduled: self.scheduled(total, over.stopped),
            governed: self.settings().run.governor.is_set().then_some(total.governed),
            digest: over.digest.map(|digest| digest.to_string()),
            deferrals: over.deferrals.filter(|_| self.plan.defers()),
            manifest: over.place.map(|place| place.path().display().to_string()),
            repeat: Some((self.request.repeat)(
                &self.facts(self.end(total, over.stopped), over.place),
            )),
        };
        let peak = memory::resident_bytes().map(|resident| resident.peak);
        let mut report = Report::new(total, about, peak);
        let conditions = self.request.conditions.iter();
        report.consumer.clone_from(&over.consumer);
        // What goes on is the rest of a run, and not the same.
        let repeats = self.request.repeats.as_ref().filter(|_| self.request.resume.is_none());
        report.repeats = repeats.map(|first| agreement(first, &report));
        report.broken = conditions.filter_map(|condition| condition.judge(&report)).collect();
        report
    }

    fn facts(&self, end: End, place: Option<&Place>) -> Facts {
        let manifest = place.map(|place| place.path().display().to_string());
        Facts { seed: self.plan.seed, start: rfc3339(self.plan.start_us), end, manifest }
    }

    /// The wall time that the schedule gave to what was issued.
    fn scheduled(&self, total: &Total, stopped: Stopped) -> Option<Duration> {
        let speed = self.speed()?;
        let is_whole = stopped == Stopped::End && self.window.wall.is_none();
        let until_us = self.window.until_us.filter(|_| is_whole);
        let is_cut = self.window.count.is_some() || self.request.events_max().is_some();
        let end_us = until_us.filter(|_| !is_cut).or(total.due_us)?;
        let model_us = (end_us - self.window.from_us).max(0);
        Duration::try_from_secs_f64(model_us as f64 / 1e6 / speed).ok()
    }

    /// Where a repetition is to end so that it sends what was issued here.
    fn end(&self, total: &Total, stopped: Stopped) -> End {
        let run = &self.settings().run;
        let issued: u64 = total.streams.iter().map(|(_, issued, _)| issued).sum();
        // A count is of root events, so that it says where a run of one stream ended.
        let whole = self.request.shard.is_none() && self.plan.streams.len() == 1;
        match (stopped, total.due_us) {
            (Stopped::End, _) if run.wall_duration.is_none() => End::AsAsked,
            (Stopped::End, _)
                if self.window.until_us.is_some()
                    && self.window.wall.is_none()
                    && run.count.is_none() =>
            {
                End::Until(self.window.until_us.map(rfc3339).unwrap_or_default())
            }
            (_, None) => End::AsAsked,
            // What was issued is the first so many in the order of sending.
            (_, Some(_)) if whole => End::Count(issued),
            (_, Some(due_us)) => End::Amid(rfc3339(due_us + 1)),
        }
    }
}

/// What this run says of the one that it repeats.
fn agreement(first: &First, report: &Report) -> Agreement {
    let ended = first.manifest.ended();
    let (issued, digest) = ended.map_or((None, None), |it| (Some(it.issued), it.digest));
    let manifest = first.path.display().to_string();
    Agreement::new(Earlier { manifest, issued, digest }, report)
}

impl From<Shard> for stream::Shard {
    fn from(shard: Shard) -> Self {
        Self { index: shard.index.into(), count: shard.count.into() }
    }
}

/// How fast the events of a shard are released, of those streams that are `sent`.
pub(super) fn speed(
    speed: Speed,
    plan: &Plan,
    sent: &dyn Fn(usize) -> bool,
    shard: Shard,
) -> pacer::Speed {
    match speed {
        Speed::Times(speed) => pacer::Speed::Times(speed),
        Speed::Max => pacer::Speed::Max,
        Speed::Pace(per_s) => {
            let streams = &plan.streams;
            let counted = |number: usize| streams[number].is_root();
            // Where no root event is sent, all that is sent counts.
            let some = (0..streams.len()).filter(|number| sent(*number)).any(counted);
            let counts = (0..streams.len()).map(|number| !some || counted(number));
            // Each shard has its part of the events, and of the pace.
            let interval_ns = 1e9 / per_s * f64::from(shard.count);
            pacer::Speed::Even { interval_ns, counts: counts.collect() }
        }
    }
}
