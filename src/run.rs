//! The one place where the stages are joined.
//!
//! [`run`] reads from top to bottom as a run goes: what must be there is looked for, everything is
//! opened, the manifest is written, events flow until the end or a signal, and what became of them
//! is put together.

pub mod broker;
pub mod consumer;
pub mod error;
mod facts;
mod faults;
pub mod flow;
pub mod forecast;
pub mod lines;
pub mod plan;
pub mod pulsar;
pub mod record;
pub mod repetition;
pub mod replay;
pub mod request;
pub mod resume;
pub mod schema;
pub mod signal;
pub mod sink;
mod snapshot;
pub mod source;
pub mod topic;
pub mod verification;
mod watch;
pub mod window;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::clock::Clock;
use crate::config::settings::Subjects;
use crate::config::{Configuration, Mistake};
use crate::embedded::{self, Embedded};
use crate::manifest::progress::Progress;
use crate::manifest::{Manifest, Place};
use crate::observe::exporter::Exporter;
use crate::observe::faults::Faults;
use crate::observe::metric::Meters;
use crate::observe::progress::View;
use crate::observe::report::{Report, Stopped};
use crate::observe::tally::{Tally, Watched};
use crate::plan::Plan;
use crate::publish::kafka;
use crate::stream::{EventStream, pacer};

use consumer::{Beside, Follower};
pub use error::Error;
use facts::Over;
use flow::Flow;
use request::{Destination, Request};
use resume::{Going, Rest};
use schema::Written;
use signal::Signals;
use snapshot::Told;
use window::Window;

/// Partitions of the embedded Kafka's topics, if the model does not say.
const EMBEDDED_PARTITIONS: u32 = 4;

/// Who hears how events flow, while they do.
pub trait Watcher {
    /// About once a second; `now_ns` is the wall clock.
    fn glance(&mut self, view: &View, now_ns: i64);
    /// Nothing more is issued; receipts are waited for, at most so long.
    fn stopping(&mut self, patience: Duration);
}

/// Who hears how a run goes.
pub trait Listener: Watcher {
    /// All is open; the first event follows.
    fn ready(&mut self, ready: &Ready);
    /// The run is over, and its consumer is watched until it has caught up, at most so long.
    fn catching_up(&mut self, patience: Duration);
}

/// What is known when the first event is about to go.
#[derive(Clone, Debug)]
pub struct Ready {
    /// The model's name.
    pub model: String,
    /// The seed.
    pub seed: u64,
    /// Events a second, before curves, without those that follow others.
    pub rate_per_s: f64,
    /// Whether there are streams that follow others.
    pub followed: bool,
    /// Where the window begins, in microseconds since the Unix epoch.
    pub from_us: i64,
    /// Where it ends, if it does.
    pub until_us: Option<i64>,
    /// Where events go, in words.
    pub target: String,
    /// The brokers' addresses; empty if there are none.
    pub servers: String,
    /// The registry's address; empty if there is none.
    pub registry: String,
    /// The topics.
    pub topics: Vec<String>,
    /// Where metrics are offered.
    pub metrics: Option<SocketAddr>,
    /// What the plan says of the model, with places in its texts.
    pub warnings: Vec<Mistake>,
}

/// A run that began and is over.
#[derive(Debug)]
pub struct Finished {
    /// What it did.
    pub report: Report,
    /// What stopped it, if it was an error.
    pub error: Option<Error>,
}

/// Runs a model.
///
/// # Errors
///
/// What kept the run from beginning. What went wrong later is told beside the report.
pub fn run(
    configuration: Configuration,
    request: Request,
    listener: &mut dyn Listener,
) -> Result<Finished, Error> {
    let runtime = runtime()?;
    let finished = runtime.block_on(async {
        let mut signals = Signals::take()
            .map_err(|source| Error::System { what: "listen for signals", source })?;
        let opened = tokio::select! {
            () = signals.next() => return Err(Error::StoppedEarly),
            opened = Opened::open(configuration, request) => opened?,
        };
        opened.flow(signals, listener).await
    });
    // A connection that is still being waited for is not worth the wait.
    runtime.shutdown_background();
    finished
}

/// What drives signals, waiting and the registry's connections.
fn runtime() -> Result<tokio::runtime::Runtime, Error> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name("run")
        .enable_all()
        .build()
        .map_err(|source| Error::System { what: "start the threads of the run", source })
}

/// What is known before anything is opened for the events.
struct Prepared {
    request: Request,
    configuration: Configuration,
    clock: Clock,
    plan: Arc<Plan>,
    schemas: Vec<Written>,
    window: Window,
    /// Lives as long as the run.
    embedded: Option<Embedded>,
}

impl Prepared {
    /// Reads schemas, compiles the plan, resolves the window.
    async fn new(mut configuration: Configuration, request: Request) -> Result<Self, Error> {
        request.check(&configuration)?;
        plan::complete(&mut configuration)?;
        let clock = Clock::system();
        let embedded = match request.destination {
            Destination::Embedded => Some(start_embedded(&mut configuration)?),
            _ => None,
        };
        let schemas = match request.destination {
            Destination::Stdout | Destination::Null => schema::of_model(&configuration.model)?,
            _ => schemas_of_broker(&configuration, &request).await?,
        };
        let schemas = match &request.repeats {
            Some(first) => first.schemas(&configuration, schemas)?,
            None => schemas,
        };
        let plan = Arc::new(plan::with_schemas(&configuration, &schemas, clock.now_us())?);
        let window = Window::resolve(&configuration.settings.run, plan.start_us)?;
        Ok(Self { request, configuration, clock, plan, schemas, window, embedded })
    }

    fn open_metrics(&self) -> Result<(Meters, Option<Exporter>), Error> {
        let Some(address) = self.configuration.settings.run.metrics else {
            return Ok((Meters::none(), None));
        };
        let (exporter, meters) = Exporter::open(address)?;
        Ok((meters, Some(exporter)))
    }

    /// The error for events that are not known to have arrived.
    fn undelivered(&self, report: &Report) -> Option<Error> {
        let streams = self.plan.streams.iter().filter(|it| {
            let counts = report.streams.get(&it.name);
            !counts.is_some_and(|counts| report.is_meant(&it.name, counts))
        });
        undelivered(report, streams.map(|it| (it.name.as_str(), it.topic.name.as_str())))
    }

    fn open_sink(&self, tally: &Arc<Tally>, from_us: i64) -> Result<sink::Opened, Error> {
        sink::open(&sink::Ask {
            from_us,
            request: &self.request,
            configuration: &self.configuration,
            plan: &self.plan,
            streams: self.sent().count(),
            window: &self.window,
            tally,
            clock: &self.clock,
        })
    }
}

/// A run of which every part is there.
struct Opened {
    prepared: Arc<Prepared>,
    tally: Arc<Tally>,
    sink: sink::Opened,
    snapshot: Option<EventStream>,
    events: faults::Events,
    going: Option<Going>,
    follower: Option<Follower>,
    /// Answers as long as the run goes on.
    _exporter: Option<Exporter>,
}

impl Opened {
    /// Opens everything that events flow through.
    async fn open(configuration: Configuration, request: Request) -> Result<Self, Error> {
        let prepared = Arc::new(Prepared::new(configuration, request).await?);
        let (meters, exporter) = prepared.open_metrics()?;
        let streams = prepared.plan.streams.iter();
        let names: Vec<String> = streams.map(|stream| stream.name.clone()).collect();
        let tally = Arc::new(Tally::new(&names, meters.clone(), prepared.clock.clone()));
        let asked = (Arc::clone(&prepared), Arc::clone(&tally));
        let sink = tokio::task::spawn_blocking(move || {
            let (prepared, tally) = asked;
            let mut going = prepared.going_on()?;
            let from_us = going.as_ref().map_or(prepared.window.from_us, |it| it.mark.due_us);
            let sink = prepared.open_sink(&tally, from_us)?;
            if let Some(going) = &mut going {
                prepared.leave_to_broker(going, &sink.deduplicates)?;
            }
            let options = prepared.rest(going.as_ref(), prepared.stream_options(&sink))?;
            Ok::<_, Error>((sink, going, options))
        });
        let (sink, going, options) = sink.await.map_err(|_| Error::Panicked)??;
        let follower = Arc::clone(&prepared).follow(meters).await?;
        let plan = Arc::clone(&prepared.plan);
        let begins = going.is_none().then(|| prepared.snapshot(&options));
        let snapshot = begins.transpose()?.flatten();
        // What faults keep back when the window begins is made before the clock starts.
        let events = tokio::task::spawn_blocking(move || faults::Events::start(plan, options));
        let events = events.await.map_err(|_| Error::Panicked)??;
        Ok(Self { prepared, tally, sink, snapshot, events, going, follower, _exporter: exporter })
    }

    /// Writes the manifest, lets the events flow, and puts together what became of them.
    async fn flow(
        self,
        mut signals: Signals,
        listener: &mut dyn Listener,
    ) -> Result<Finished, Error> {
        let Self { prepared, tally, sink, snapshot, events, going, follower, _exporter } = self;
        let listener = &mut Beside::new(listener, follower.as_ref());
        let clock = &prepared.clock;
        let (mut anchor_us, mut record) = prepared.recorded(going.as_ref())?;
        let place = prepared.request.manifest.place(&record)?;
        if let (Some(place), None) = (&place, &going) {
            // What another run of that name has left is not how far this one has come.
            Progress::remove(place.path());
        }
        write(place.as_ref(), &record)?;
        listener.ready(&prepared.ready(&sink.target));
        let sink = Watched::new(sink.sink, Arc::clone(&tally));
        let told = prepared.tell(snapshot, sink, &tally, (&mut signals, &mut *listener)).await?;
        let (sink, snapshot) = match told {
            Told::Whole(sink, counts) => (sink, counts),
            Told::Cut(cut) => return Ok(prepared.without_run(cut, &tally, place.as_ref())),
        };
        if snapshot.is_some() {
            // The run begins when all is told.
            anchor_us = prepared.anchor_us();
            record.pace = prepared.manifest(anchor_us).pace;
            write(place.as_ref(), &record)?;
        }
        let begun_ns = clock.now_ns().max(anchor_us.saturating_mul(1_000));
        tally.mark_with(prepared.watermark(going.as_ref(), anchor_us));
        let counted = going.as_ref().map_or(0, |going| going.mark.counted);
        let options = pacer::Options { counted, ..prepared.pacer_options(anchor_us, &tally) };
        let done = events.counts;
        let left_out = going.as_ref().map(|going| Arc::clone(&going.left_out));
        let flow = match going {
            Some(going) => Flow::start(Rest::new(events.source, going), sink, options)?,
            None => Flow::start(events.source, sink, options)?,
        };
        let wall = prepared.wall_left(anchor_us);
        let looked = prepared.looked_at(wall, place.as_ref().map(Place::path));
        let (ended, stopped) = looked.watch(flow, &tally, (&mut signals, listener)).await;
        looked.note_progress(&tally);
        let wall = clock.since(begun_ns);
        let may_wait = ended.error.is_none() && stopped != Stopped::GivenUp;
        let consumer = listener.conclude(&mut signals, may_wait).await;
        let total = tally.total();
        let digest = ended.outcome.and_then(|outcome| outcome.digest);
        let deferrals = ended.outcome.map(|outcome| outcome.deferrals);
        let over = Over { stopped, wall, digest, deferrals, consumer, place: place.as_ref() };
        let mut report = prepared.report(&total, &over);
        report.snapshot = snapshot;
        report.faults = done.map(|done| Faults::new(&done));
        let error = ended.error.or_else(|| miscounted(&report, ended.outcome?.unacknowledged));
        let error = error.or_else(|| prepared.undelivered(&report));
        let error = error.or_else(|| Follower::never_came(report.consumer.as_ref()?));
        record.repeat = report.about.repeat.clone().unwrap_or_default();
        if let (Some(resumed), Some(left_out)) = (record.resumed.last_mut(), left_out) {
            resumed.there = left_out.load(Ordering::Relaxed);
        }
        record.result = Some(serde_json::json!(report));
        write(place.as_ref(), &record)?;
        if let (Some(place), None, Stopped::End) = (&place, &error, stopped) {
            Progress::remove(place.path());
        }
        Ok(Finished { report, error })
    }
}

/// Writes the manifest, if there is to be one.
fn write(place: Option<&Place>, record: &Manifest) -> Result<(), Error> {
    place.map_or(Ok(()), |place| Ok(place.write(record)?))
}

/// The schemas that events for a broker are written with; a registry's, if they are there.
async fn schemas_of_broker(
    configuration: &Configuration,
    request: &Request,
) -> Result<Vec<Written>, Error> {
    // What is wrong with the properties shows without a broker, so first of all.
    let at_topics = match request.destination {
        Destination::Pulsar => pulsar::checked_options(configuration)?.own_schemas,
        _ => broker::checked_options(configuration).map(|_| false)?,
    };
    // So does what is wrong with the model.
    plan::of_model(configuration)?;
    let (model, skips) = (&configuration.model, |stream: &str| request.skips(stream));
    if at_topics {
        pulsar::check_topics(model, &skips)?;
    }
    if at_topics || !schema::needs_registry(model, &skips) {
        return Ok(schema::of_model(model)?);
    }
    let registry = configuration.settings.registry.as_ref();
    schema::at_registry(model, registry.ok_or(Error::NoRegistry)?, &skips).await
}

/// Starts the Kafka and the registry of the quickstart, and points the settings at them.
fn start_embedded(configuration: &mut Configuration) -> Result<Embedded, Error> {
    let needs = broker::needs(&configuration.model, &|_| false);
    let topics: Vec<embedded::Topic> = needs
        .iter()
        .map(|need| embedded::Topic {
            name: need.name.clone(),
            partitions: need.partitions.unwrap_or(EMBEDDED_PARTITIONS),
        })
        .collect();
    let embedded = Embedded::start(&topics)?;
    configuration.settings.kafka = Some(broker::plain_settings(embedded.bootstrap_servers()));
    let mut registry = schema::plain_settings(embedded.registry_url());
    if needs.len() < configuration.model.streams.len() {
        // Streams that share a topic have subjects of their own.
        registry.subjects = Subjects::TopicRecordName;
    }
    configuration.settings.registry = Some(registry);
    Ok(embedded)
}

/// The error for events that are not known to have arrived; of streams with their topics.
fn undelivered<'a>(
    report: &Report,
    streams: impl Iterator<Item = (&'a str, &'a str)>,
) -> Option<Error> {
    for (stream, topic) in streams {
        let Some(counts) = report.streams.get(stream) else { continue };
        // A partition stops after its first refused record, so most reasons are consequences.
        let causes = counts.failures.iter();
        let cause = causes.max_by_key(|(why, count)| (kafka::way_out(why).is_some(), **count));
        if let Some((reason, _)) = cause {
            return Some(Error::EventsRefused {
                stream: stream.to_owned(),
                topic: topic.to_owned(),
                refused: counts.failed,
                issued: counts.issued,
                reason: reason.clone(),
                advice: kafka::way_out(reason).or_else(|| crate::publish::pulsar::way_out(reason)),
            });
        }
    }
    let (unacknowledged, issued) = (report.counts.unacknowledged, report.counts.issued);
    (unacknowledged > 0).then_some(Error::Unacknowledged { unacknowledged, issued })
}

/// The error for counts that do not add up.
fn miscounted(report: &Report, unacknowledged: u64) -> Option<Error> {
    let counts = &report.counts;
    let known =
        counts.delivered + counts.already_there + counts.failed + counts.shed + unacknowledged;
    (known != counts.issued).then_some(Error::Miscounted { issued: counts.issued, known })
}
