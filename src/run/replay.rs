//! Sending recorded files or topics again.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;

use super::flow::Flow;
use super::request::Destination;
use super::signal::Signals;
use super::watch::Looked;
use super::{Error, Watcher, miscounted, runtime, source, undelivered};
use crate::clock::Clock;
use crate::config::Configuration;
use crate::config::settings::{Governor, Settings, Speed};
use crate::consume::address::Address;
use crate::consume::{Begin, Position};
use crate::observe::exporter::Exporter;
use crate::observe::memory;
use crate::observe::metric::Meters;
use crate::observe::progress::Goal;
use crate::observe::report::{About, Report, Stopped, Subject};
use crate::observe::tally::{Tally, Watched};
use crate::observe::verdict::Condition;
use crate::replay::batches::{self, Batches, Damages, Open, Timing};
use crate::replay::edit::Editor;
use crate::replay::folder::{Files, home};
use crate::replay::lines::Encoder;
use crate::replay::schemas::{Mapping, Origin, Schemas};
use crate::replay::topics::{Topics, Until};
use crate::replay::{self, Damage, Feed};
use crate::stream::pacer;

mod target;

/// The most topics that are sent at once.
const TOPICS_MAX: usize = 1 << 15;

/// How far ahead the first record is intended where times are moved: they are before it is made.
const LEAD: Duration = Duration::from_millis(500);

/// What is sent again.
#[derive(Debug)]
pub enum From {
    /// A recording: its folder, or one of its files.
    Files(PathBuf),
    /// Topics, and where they are.
    Topics(Address, Box<Configuration>),
}

/// What is sent again, and how.
#[derive(Debug)]
pub struct Ask {
    /// What the user calls it.
    pub named: String,
    /// What is sent.
    pub from: From,
    /// Where to, and how fast.
    pub to: Configuration,
    /// Which kind of sink.
    pub destination: Destination,
    /// What topics are called there, by their names at the source.
    pub names: BTreeMap<String, String>,
    /// Whether records go to the partition of the number that they lay in.
    pub keep_partitions: bool,
    /// Whether records carry the timestamps that they had.
    pub keep_timestamps: bool,
    /// Whether keys are bytes and not text, for Pulsar.
    pub binary_keys: bool,
    /// How many times; at least 1.
    pub passes: u64,
    /// The fields whose times are moved.
    pub move_times: Vec<String>,
    /// A schema for values that are lines of JSON.
    pub schema: Option<String>,
    /// What makes the verdict negative.
    pub conditions: Vec<Condition>,
}

/// What is known when the first record is about to go.
#[derive(Clone, Debug)]
pub struct Ready {
    /// What is sent.
    pub source: String,
    /// How many topics.
    pub topics: usize,
    /// Where to, in words.
    pub target: String,
    /// When the first record is due, in microseconds since the Unix epoch.
    pub from_us: i64,
}

/// Who hears how it goes.
pub trait Listener: Watcher {
    /// All is open; the first record follows.
    fn ready(&mut self, ready: &Ready);
}

/// What was sent again.
#[derive(Debug)]
pub struct Finished {
    /// What became of it.
    pub report: Report,
    /// What of the recording could not be read.
    pub damages: Vec<Damage>,
    /// What stopped it, if it was an error.
    pub error: Option<Error>,
}

/// Sends recorded records again.
///
/// # Errors
///
/// What kept it from beginning. What went wrong later is told beside the report.
pub fn run(ask: Ask, listener: &mut dyn Listener) -> Result<Finished, Error> {
    let runtime = runtime()?;
    let handle = runtime.handle().clone();
    let finished = runtime.block_on(async {
        let mut signals = Signals::take()
            .map_err(|source| Error::System { what: "listen for signals", source })?;
        let opening = tokio::task::spawn_blocking(move || Opened::open(ask, &handle));
        let opened = tokio::select! {
            () = signals.next() => return Err(Error::StoppedEarly),
            opened = opening => opened.map_err(|_| Error::Panicked)??,
        };
        opened.flow(signals, listener).await
    });
    runtime.shutdown_background();
    finished
}

struct Opened {
    ask: Ask,
    clock: Clock,
    batches: Batches,
    begin_us: i64,
    /// When the first record goes, if that had to be known before it was made.
    anchor_ns: Option<i64>,
    damages: Damages,
    /// The topics at the source, and what they are called at the target.
    topics: Vec<(String, String)>,
    sink: Watched,
    target: String,
    tally: Arc<Tally>,
    /// Answers as long as records are sent.
    _exporter: Option<Exporter>,
}

impl Opened {
    fn open(ask: Ask, handle: &Handle) -> Result<Self, Error> {
        let clock = Clock::system();
        let schemas = Arc::new(Mutex::new(Schemas::new(ask.origin(handle)?)));
        let mut open = ask.feed(&schemas, handle, &clock)?;
        let feed = open()?;
        let topics = ask.topics(feed.topics())?;
        let (meters, exporter) = match ask.settings().run.metrics {
            None => (Meters::none(), None),
            Some(address) => {
                let (exporter, meters) = Exporter::open(address)?;
                (meters, Some(exporter))
            }
        };
        let names: Vec<String> = topics.iter().map(|(source, _)| source.clone()).collect();
        let tally = Arc::new(Tally::new(&names, meters, clock.clone()));
        let sink = target::open(&ask, &topics, (&schemas, &tally), &clock)?;
        let moves = !ask.move_times.is_empty();
        let anchor_ns = clock.ahead_ns(if moves { LEAD } else { Duration::ZERO });
        let mapping = source::registry(ask.settings(), handle)?.filter(|_| ask.is_for_broker());
        let run = &ask.settings().run;
        let options = batches::Options {
            targets: sink.targets,
            keep_partitions: ask.keep_partitions,
            from: run.from,
            until: run.until,
            count: run.count,
            passes: ask.passes,
            editor: moves.then(|| Editor::of_times(&ask.move_times)),
            mapping: mapping.map(Mapping::new),
            schemas,
            timing: Timing { clock: clock.clone(), anchor_ns, speed: ask.pacer_speed() },
        };
        let damages = Damages::default();
        let batches = Batches::start(feed, open, options, Arc::clone(&damages))?;
        let Some(begin_us) = batches.begin_us() else {
            return Err(replay::Error::NoRecords(ask.named.clone()).into());
        };
        let anchor_ns = Some(anchor_ns).filter(|_| moves);
        let (target, sink) = (sink.target, Watched::new(sink.sink, Arc::clone(&tally)));
        Ok(Self {
            ask,
            clock,
            batches,
            begin_us,
            anchor_ns,
            damages,
            topics,
            sink,
            target,
            tally,
            _exporter: exporter,
        })
    }

    async fn flow(
        self,
        mut signals: Signals,
        listener: &mut dyn Listener,
    ) -> Result<Finished, Error> {
        let Self { ask, clock, batches, begin_us, anchor_ns, tally, .. } = self;
        listener.ready(&Ready {
            source: ask.named.clone(),
            topics: self.topics.len(),
            target: self.target,
            from_us: begin_us,
        });
        let anchor_ns = anchor_ns.unwrap_or_else(|| clock.now_ns());
        let run = &ask.settings().run;
        let Governor { events_per_s, bytes_per_s } = run.governor;
        let options = pacer::Options {
            counted: 0,
            clock: clock.clone(),
            speed: ask.pacer_speed(),
            anchor_ns,
            begin_us,
            drain: run.drain,
            ceilings: pacer::Ceilings { events_per_s, bytes_per_s },
            held: tally.held(),
        };
        let flow = Flow::start(batches, self.sink, options)?;
        let goal = Goal { begin_us, until_us: None, count: run.count, speed: ask.speed() };
        let looked = Looked {
            goal,
            clock: &clock,
            drain: run.drain,
            wall: run.wall_duration,
            manifest: None,
        };
        let (ended, stopped) = looked.watch(flow, &tally, (&mut signals, listener)).await;
        let wall = clock.since(anchor_ns);
        let report = ask.report(&tally, begin_us, (stopped, wall));
        let error = ended.error.or_else(|| miscounted(&report, ended.outcome?.unacknowledged));
        let topics = self.topics.iter().map(|(source, target)| (source.as_str(), target.as_str()));
        let error = error.or_else(|| undelivered(&report, topics));
        let damages = self.damages.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Ok(Finished { report, damages, error })
    }
}

impl Ask {
    fn settings(&self) -> &Settings {
        &self.to.settings
    }

    fn is_for_broker(&self) -> bool {
        matches!(self.destination, Destination::Kafka | Destination::Pulsar)
    }

    /// Where the schemas of the source come from.
    fn origin(&self, handle: &Handle) -> Result<Origin, Error> {
        match &self.from {
            From::Files(path) => Ok(Schemas::origin_beside(home(path))),
            From::Topics(_, configuration) => {
                let registry = source::registry(&configuration.settings, handle)?;
                Ok(registry.map_or(Origin::Nowhere, Origin::Registry))
            }
        }
    }

    /// Opens what is sent, as often as it is.
    fn feed(
        &self,
        schemas: &Arc<Mutex<Schemas>>,
        handle: &Handle,
        clock: &Clock,
    ) -> Result<Open, Error> {
        match &self.from {
            From::Files(path) => {
                let encoder = Arc::new(self.encoder(schemas, handle)?);
                let (path, schemas) = (path.clone(), Arc::clone(schemas));
                Ok(Box::new(move || {
                    let (encoder, schemas) = (Arc::clone(&encoder), Arc::clone(&schemas));
                    Ok(Box::new(Files::open(&path, encoder, schemas)?) as Box<dyn Feed>)
                }))
            }
            From::Topics(address, configuration) => {
                let (address, configuration) = (address.clone(), configuration.clone());
                let clock = clock.clone();
                let mut lasts: Option<Vec<Option<Position>>> = None;
                Ok(Box::new(move || {
                    let opened = source::open(&address, &configuration, &Begin::Earliest, &clock);
                    let opened = opened.map_err(|error| match error {
                        Error::Replay(error) => error,
                        other => replay::Error::Asked(other.to_string()),
                    })?;
                    let mut topics = Topics::new(opened, Until::Now, clock.clone())?;
                    // What comes while it is sent again is none of it.
                    match &lasts {
                        Some(lasts) => topics.end_with(lasts.clone()),
                        None => lasts = Some(topics.lasts().to_vec()),
                    }
                    Ok(Box::new(topics) as Box<dyn Feed>)
                }))
            }
        }
    }

    /// What writes values that are lines of JSON.
    fn encoder(&self, schemas: &Mutex<Schemas>, handle: &Handle) -> Result<Encoder, Error> {
        let latest = source::registry(self.settings(), handle)?.filter(|_| self.is_for_broker());
        let chosen = self
            .schema
            .clone()
            .map(|json| schemas.lock().unwrap_or_else(PoisonError::into_inner).add(json));
        let names = self.names.clone();
        Ok(Encoder::new(chosen.transpose()?, latest, names))
    }

    /// The topics at the source, and what they are called at the target.
    fn topics(&self, topics: &[String]) -> Result<Vec<(String, String)>, Error> {
        if topics.len() > TOPICS_MAX {
            let (count, limit) = (topics.len(), TOPICS_MAX);
            return Err(replay::Error::TooManyTopics { count, limit }.into());
        }
        if let Some(unknown) = self.names.keys().find(|name| !topics.contains(name)) {
            return Err(replay::Error::Asked(format!(
                "`--topic {unknown}=…`: {} has no topic `{unknown}`, but {}",
                self.named,
                topics.join(", ")
            ))
            .into());
        }
        let named = |topic: &String| self.names.get(topic).unwrap_or(topic).clone();
        Ok(topics.iter().map(|topic| (topic.clone(), named(topic))).collect())
    }

    fn speed(&self) -> Option<f64> {
        match self.settings().run.speed {
            Speed::Times(speed) => Some(speed),
            Speed::Max | Speed::Pace(_) => None,
        }
    }

    fn pacer_speed(&self) -> pacer::Speed {
        match self.settings().run.speed {
            Speed::Times(speed) => pacer::Speed::Times(speed),
            Speed::Max => pacer::Speed::Max,
            Speed::Pace(per_s) => pacer::Speed::Even {
                interval_ns: 1e9 / per_s,
                counts: std::iter::repeat_n(true, TOPICS_MAX).collect(),
            },
        }
    }

    fn report(&self, tally: &Tally, begin_us: i64, (stopped, wall): (Stopped, Duration)) -> Report {
        let total = tally.total();
        let scheduled = self.speed().and_then(|speed| {
            let due_us = (total.due_us? - begin_us).max(0);
            Duration::try_from_secs_f64(due_us as f64 / 1e6 / speed).ok()
        });
        let about = About {
            subject: Subject::Source { source: self.named.clone() },
            stopped,
            wall,
            scheduled,
            governed: self.settings().run.governor.is_set().then_some(total.governed),
            digest: None,
            deferrals: None,
            manifest: None,
            repeat: None,
        };
        let peak = memory::resident_bytes().map(|resident| resident.peak);
        let mut report = Report::new(&total, about, peak);
        let conditions = self.conditions.iter();
        report.broken = conditions.filter_map(|condition| condition.judge(&report)).collect();
        report
    }
}

/// Reads a schema that the user names.
pub fn schema(path: &Path) -> Result<String, Error> {
    std::fs::read_to_string(path).map_err(|source| {
        replay::Error::File { what: "read", path: path.to_owned(), source }.into()
    })
}
