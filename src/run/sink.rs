//! Opening the sink of a run.

use std::ops::Range;
use std::sync::Arc;

use super::Error;
use super::broker;
use super::lines::{Lines, Told};
use super::pulsar;
use super::request::{Destination, Request};
use super::window::Window;
use crate::clock::Clock;
use crate::config::Configuration;
use crate::encode::headers::Shape;
use crate::encode::partition::Hash;
use crate::observe::tally::Tally;
use crate::plan::{Plan, StreamPlan};
use crate::publish::kafka::{Kafka, Outlet};
use crate::publish::null::Null;
use crate::publish::stdout::{Format, Stdout};
use crate::publish::{Receiver, Sink};

/// What a sink is opened for.
#[derive(Debug)]
pub struct Ask<'a> {
    /// What was asked for: where to, and which streams.
    pub request: &'a Request,
    /// The settings, the embedded broker's address among them.
    pub configuration: &'a Configuration,
    /// What is sent.
    pub plan: &'a Arc<Plan>,
    /// How many streams of it are sent.
    pub streams: usize,
    /// The part of model time.
    pub window: &'a Window,
    /// Where it begins or goes on, in microseconds since the Unix epoch.
    pub from_us: i64,
    /// Who hears of receipts.
    pub tally: &'a Arc<Tally>,
    /// The clock of the run.
    pub clock: &'a Clock,
}

/// A sink that is open.
pub struct Opened {
    /// The sink.
    pub sink: Box<dyn Sink>,
    /// The partitions of each stream's topic, by the stream's number; none where we do not choose.
    pub partitions: Vec<Option<u32>>,
    /// How a key becomes one of them.
    pub hash: Hash,
    /// Where to, in words.
    pub target: String,
    /// By stream: whether what a run that goes on sends a second time is left out by the broker. Streams
    /// beyond the end: no.
    pub deduplicates: Vec<bool>,
}

impl std::fmt::Debug for Opened {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Opened").field("target", &self.target).finish_non_exhaustive()
    }
}

/// Opens the sink; waits for a broker, in a bounded way.
pub fn open(ask: &Ask<'_>) -> Result<Opened, Error> {
    let receiver: Arc<dyn Receiver> = Arc::<Tally>::clone(ask.tally);
    let streams = &ask.plan.streams;
    match ask.request.destination {
        Destination::Null => Ok(Opened {
            sink: Box::new(Null::new(receiver, ask.clock.clone())),
            partitions: streams.iter().map(|stream| stream.topic.partitions).collect(),
            hash: Hash::default(),
            target: "null: nothing is published".to_owned(),
            deduplicates: Vec::new(),
        }),
        Destination::Stdout => Ok(Opened {
            sink: Box::new(open_stdout(ask, receiver)?),
            partitions: vec![None; streams.len()],
            hash: Hash::default(),
            target: "stdout".to_owned(),
            deduplicates: Vec::new(),
        }),
        Destination::Kafka | Destination::Embedded => open_kafka(ask, receiver),
        Destination::Pulsar => pulsar::open(ask, receiver),
    }
}

fn open_stdout(ask: &Ask<'_>, receiver: Arc<dyn Receiver>) -> Result<Stdout, Error> {
    // The lines read with the plan's own schemas, and the sink lives as long as the process.
    let plan: &'static Plan = Box::leak(Box::new(Arc::clone(ask.plan)));
    let told = Told { streams: ask.streams, headers: ask.request.headers };
    let lines = Lines::new(plan, told)?;
    let format: Format = Box::new(move |event, intended_ns, text| {
        let written = lines.write(event, intended_ns, text);
        assert!(written.is_ok(), "what our encoder writes can be read: {written:?}");
    });
    let output = (Box::new(std::io::stdout()) as Box<dyn std::io::Write + Send>, "stdout");
    Ok(Stdout::new(output, format, receiver, ask.clock.clone()))
}

fn open_kafka(ask: &Ask<'_>, receiver: Arc<dyn Receiver>) -> Result<Opened, Error> {
    let settings = &ask.configuration.settings;
    let options = broker::options(settings)?;
    let mut needs = broker::needs(&ask.configuration.model, &|stream| ask.request.skips(stream));
    for need in &mut needs {
        need.event_times_us = Some(event_times_us(ask.window));
    }
    let create = settings.run.create_topics;
    let states = broker::prepare_topics(&options, &needs, create, ask.clock)?;
    let options = options.fitted(&states);
    let streams = &ask.plan.streams;
    let is_sent = |stream: &&StreamPlan| !ask.request.skips(&stream.name);
    // A topic that nothing is sent to need not be there: one that is stands in its place.
    let stand_in = streams.iter().find(is_sent);
    let sent =
        streams.iter().map(|stream| stand_in.filter(|_| !is_sent(&stream)).unwrap_or(stream));
    let outlets: Vec<Outlet> = sent
        .map(|stream| Outlet {
            topic: stream.topic.name.clone(),
            headers: stream.compiled.headers.iter().map(Shape::of).collect(),
        })
        .collect();
    let partitions = outlets
        .iter()
        .map(|outlet| states.iter().find(|state| state.name == outlet.topic)?.partitions)
        .collect();
    let sink = Kafka::connect(&options, &outlets, receiver, ask.clock.clone())?;
    let embedded = ask.request.destination == Destination::Embedded;
    let kind = if embedded { "the embedded Kafka" } else { "Kafka" };
    let target = format!("{kind} at {}", options.servers());
    Ok(Opened {
        sink: Box::new(sink),
        partitions,
        hash: Hash::Murmur2,
        target,
        deduplicates: Vec::new(),
    })
}

/// The event times that are known beforehand: without an end, that of the first event.
fn event_times_us(window: &Window) -> Range<i64> {
    window.from_us..window.until_us.unwrap_or(window.from_us)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_an_end_the_first_event_time_is_known_all_the_same() {
        let mut window = Window { from_us: 5, until_us: None, count: None, wall: None };
        assert_eq!(event_times_us(&window), 5..5);
        window.until_us = Some(9);
        assert_eq!(event_times_us(&window), 5..9);
    }
}
