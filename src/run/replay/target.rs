//! Where recorded records go.

use std::sync::{Arc, Mutex, PoisonError};

use super::{Ask, Destination};
use crate::clock::Clock;
use crate::encode::headers::{self, Shape, Value};
use crate::encode::partition::Hash;
use crate::observe::tally::Tally;
use crate::publish::kafka::topics::Need;
use crate::publish::kafka::{self, Kafka, Timestamp};
use crate::publish::null::Null;
use crate::publish::pulsar::topics as pulsar_topics;
use crate::publish::pulsar::{self as pulsar_client, Numbering, Pulsar};
use crate::publish::stdout::{Format, Stdout};
use crate::publish::{Receiver, Sink};
use crate::replay::batches::Target;
use crate::replay::schemas::Schemas;
use crate::replay::{Header, Recorded, lines};
use crate::run::{Error, broker, pulsar};

/// A sink that is open, and where the records of each topic go.
pub(super) struct Opened {
    pub(super) sink: Box<dyn Sink>,
    pub(super) targets: Vec<Target>,
    /// In words.
    pub(super) target: String,
}

/// Opens the sink for topics with their names at the target; waits for a broker, in a bounded way.
pub(super) fn open(
    ask: &Ask,
    topics: &[(String, String)],
    (schemas, tally): (&Arc<Mutex<Schemas>>, &Arc<Tally>),
    clock: &Clock,
) -> Result<Opened, Error> {
    let receiver: Arc<dyn Receiver> = Arc::<Tally>::clone(tally);
    let open_ended = |hash: Hash| {
        let target =
            |(_, topic): &(String, String)| Target { topic: topic.clone(), partitions: None, hash };
        topics.iter().map(target).collect()
    };
    match ask.destination {
        Destination::Kafka | Destination::Embedded => open_kafka(ask, topics, (receiver, clock)),
        Destination::Pulsar => open_pulsar(ask, topics, (receiver, clock)),
        Destination::Null => Ok(Opened {
            sink: Box::new(Null::new(receiver, clock.clone())),
            targets: open_ended(Hash::Murmur2),
            target: "null: nothing is published".to_owned(),
        }),
        Destination::Stdout => {
            let output = (Box::new(std::io::stdout()) as Box<dyn std::io::Write + Send>, "stdout");
            let format = format(topics, schemas);
            Ok(Opened {
                sink: Box::new(Stdout::new(output, format, receiver, clock.clone())),
                targets: open_ended(Hash::Murmur2),
                target: "stdout".to_owned(),
            })
        }
    }
}

/// Lines as in a recording.
fn format(topics: &[(String, String)], schemas: &Arc<Mutex<Schemas>>) -> Format {
    let names: Vec<String> = topics.iter().map(|(_, topic)| topic.clone()).collect();
    let (schemas, shapes) = (Arc::clone(schemas), [Shape::own()]);
    Box::new(move |(batch, record), _, text| {
        let block = &batch.arena[record.header_range()];
        let own = headers::read(&shapes, block).filter_map(|(_, value)| match value {
            Value::Own(name, value) => Some((name.to_bytes(), value)),
            _ => None,
        });
        let own: Vec<Header<'_>> = own.collect();
        let recorded = Recorded {
            topic: usize::from(record.stream),
            partition: u32::try_from(record.partition).ok(),
            position: None,
            timestamp_ms: record.due_us.div_euclid(1_000),
            key: record.keyed.then(|| &batch.arena[record.key_range()]),
            headers: &own,
            value: (!record.tombstone).then(|| &batch.arena[record.value_range()]),
        };
        let mut schemas = schemas.lock().unwrap_or_else(PoisonError::into_inner);
        let put = lines::put(&names[recorded.topic], &recorded, &mut schemas, text);
        if let Err(error) = put {
            tracing::warn!(%error, "a record cannot be shown");
        }
    })
}

fn open_kafka(
    ask: &Ask,
    topics: &[(String, String)],
    (receiver, clock): (Arc<dyn Receiver>, &Clock),
) -> Result<Opened, Error> {
    let mut options = broker::checked_options(&ask.to)?;
    if ask.keep_timestamps {
        options.timestamp = Timestamp::Event;
    }
    let need = |topic: &String| Need { name: topic.clone(), ..Need::default() };
    let mut needs: Vec<Need> = Vec::new();
    for (_, topic) in topics {
        if needs.iter().all(|need| need.name != *topic) {
            needs.push(need(topic));
        }
    }
    let create = ask.settings().run.create_topics;
    let states = broker::prepare_topics(&options, &needs, create, clock)?;
    let options = options.fitted(&states);
    let outlets: Vec<kafka::Outlet> = topics
        .iter()
        .map(|(_, topic)| kafka::Outlet { topic: topic.clone(), headers: vec![Shape::own()] })
        .collect();
    let partitions = |topic: &str| states.iter().find(|state| state.name == topic)?.partitions;
    let targets = topics.iter().map(|(_, topic)| Target {
        topic: topic.clone(),
        partitions: partitions(topic),
        hash: Hash::Murmur2,
    });
    let targets = targets.collect();
    let sink = Kafka::connect(&options, &outlets, receiver, clock.clone())?;
    let target = format!("Kafka at {}", options.servers());
    Ok(Opened { sink: Box::new(sink), targets, target })
}

fn open_pulsar(
    ask: &Ask,
    topics: &[(String, String)],
    (receiver, clock): (Arc<dyn Receiver>, &Clock),
) -> Result<Opened, Error> {
    let mut options = pulsar::checked_options(&ask.to)?;
    options.event_time = ask.keep_timestamps;
    let options = Arc::new(options);
    let need = |(_, topic): &(String, String)| pulsar_topics::Need {
        name: topic.clone(),
        partitions: None,
    };
    let needs: Vec<pulsar_topics::Need> = topics.iter().map(need).collect();
    let create = ask.settings().run.create_topics;
    let found = pulsar_topics::look(&options, &needs, create, clock)?;
    pulsar_topics::check(&found, &needs)?;
    let hash = if ask.binary_keys { options.hash.of_bytes() } else { options.hash };
    let targets: Vec<Target> = needs
        .iter()
        .zip(&found)
        .map(|(need, found)| Target {
            topic: need.name.clone(),
            partitions: found.state.partitions(),
            hash,
        })
        .collect();
    // Another one each time: the same records again are other messages.
    let name = format!("tidegate-replay/{}", clock.now_ns());
    let outlet = |(number, target): (usize, &Target)| {
        Some(pulsar_client::Outlet {
            topic: target.topic.clone(),
            partitions: target.partitions,
            producer: format!("{name}/{number}"),
            schema: None,
            binary_key: ask.binary_keys,
            headers: vec![Shape::own()],
        })
    };
    let outlets: Vec<_> = targets.iter().enumerate().map(outlet).collect();
    let numbering = Numbering { start_us: 0, tick_us: 1_000_000, from_us: 0, goes_on: false };
    let sink = Pulsar::connect(&options, &outlets, numbering, (receiver, clock.clone()))?;
    let target = format!("Pulsar at {}", options.service());
    Ok(Opened { sink: Box::new(sink), targets, target })
}
