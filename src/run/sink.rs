//! Opening the sink of a run.

use std::sync::Arc;

use super::broker;
use super::lines::Lines;
use super::request::Destination;
use super::window::Window;
use super::Error;
use crate::clock::Clock;
use crate::config::Configuration;
use crate::observe::tally::Tally;
use crate::plan::Plan;
use crate::publish::kafka::Kafka;
use crate::publish::null::Null;
use crate::publish::stdout::Stdout;
use crate::publish::{Receiver, Sink};

/// What a sink is opened for.
#[derive(Debug)]
pub struct Ask<'a> {
    /// Where to.
    pub destination: Destination,
    /// The settings, the embedded broker's address among them.
    pub configuration: &'a Configuration,
    /// What is sent.
    pub plan: &'a Arc<Plan>,
    /// How many streams of it are sent.
    pub streams: usize,
    /// The part of model time.
    pub window: &'a Window,
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
    /// Where to, in words.
    pub target: String,
}

/// Opens the sink; waits for a broker, in a bounded way.
pub fn open(ask: &Ask<'_>) -> Result<Opened, Error> {
    let receiver: Arc<dyn Receiver> = Arc::<Tally>::clone(ask.tally);
    let streams = &ask.plan.streams;
    match ask.destination {
        Destination::Null => Ok(Opened {
            sink: Box::new(Null::new(receiver, ask.clock.clone())),
            partitions: streams.iter().map(|stream| stream.topic.partitions).collect(),
            target: "null: nothing is published".to_owned(),
        }),
        Destination::Stdout => {
            let lines = Lines::new(Arc::clone(ask.plan), ask.streams);
            let format = Box::new(move |batch: &_, record: &_, out: &mut Vec<u8>| {
                lines.write(batch, record, out);
            });
            let out = Box::new(std::io::BufWriter::with_capacity(1 << 16, std::io::stdout()));
            Ok(Opened {
                sink: Box::new(Stdout::new(out, format, receiver, ask.clock.clone())),
                partitions: vec![None; streams.len()],
                target: "stdout".to_owned(),
            })
        }
        Destination::Kafka | Destination::Embedded => open_kafka(ask, receiver),
    }
}

fn open_kafka(ask: &Ask<'_>, receiver: Arc<dyn Receiver>) -> Result<Opened, Error> {
    let settings = &ask.configuration.settings;
    let options = broker::options(settings)?;
    let mut needs = broker::needs(&ask.configuration.model);
    if let Some(until_us) = ask.window.until_us {
        for need in &mut needs {
            need.event_times_us = Some(ask.window.from_us..until_us);
        }
    }
    let create = settings.run.create_topics;
    let states = broker::prepare_topics(&options, &needs, create, ask.clock)?;
    let options = options.fitted(&states);
    let topics: Vec<String> =
        ask.plan.streams.iter().map(|stream| stream.topic.name.clone()).collect();
    let partitions = topics
        .iter()
        .map(|topic| states.iter().find(|state| state.name == *topic)?.partitions)
        .collect();
    let sink = Kafka::connect(&options, &topics, receiver, ask.clock.clone())?;
    let embedded = ask.destination == Destination::Embedded;
    let kind = if embedded { "the embedded Kafka" } else { "Kafka" };
    let target = format!("{kind} at {}", options.servers());
    Ok(Opened { sink: Box::new(sink), partitions, target })
}
