//! The Pulsar of a run: its settings, its topics before the first event, and the sink.

use std::sync::Arc;

use pulsar::message::proto::{Schema, schema::Type};

use super::request::Shard;
use super::sink::{Ask, Opened};
use super::topic;
use super::window::rfc3339;
use crate::config::Configuration;
use crate::config::model::{KeyFormat, Model, ValueFormat};
use crate::encode::headers::Shape;
use crate::plan::StreamPlan;
use crate::publish::Receiver;
use crate::publish::pulsar::topics::{self, Need};
use crate::publish::pulsar::{Error, Numbering, Options, Outlet, Pulsar};

/// The sink's options, checked as far as that goes without a broker: what is wrong is shown where it
/// stands.
pub fn checked_options(configuration: &Configuration) -> Result<Options, super::Error> {
    let settings = &configuration.settings;
    let Some(pulsar) = &settings.pulsar else { return Err(super::Error::NoPulsar) };
    match Options::read(&topic::pairs(&pulsar.properties)) {
        Ok(options) => Ok(Options {
            connect_timeout: settings.run.connect_timeout,
            in_flight_bytes_max: settings.run.in_flight_bytes_max,
            ..options
        }),
        Err(error) => {
            let name = match &error {
                Error::UnknownProperty { name, .. } | Error::BadProperty { name, .. } => {
                    name.clone()
                }
                _ => return Err(error.into()),
            };
            let is_meant = |written: &str| written.eq_ignore_ascii_case(&name);
            Err(topic::refused(error, configuration, &pulsar.properties, is_meant))
        }
    }
}

/// Refuses streams that share a topic: Pulsar has one schema a topic.
pub fn check_topics(model: &Model, skips: &dyn Fn(&str) -> bool) -> Result<(), super::Error> {
    let sent: Vec<_> = model.streams.iter().filter(|stream| !skips(&stream.name)).collect();
    for (place, stream) in sent.iter().enumerate() {
        let first = sent[..place].iter().find(|first| {
            first.topic.name == stream.topic.name
                && first.schema.value.json != stream.schema.value.json
        });
        if let Some(first) = first {
            return Err(super::Error::SharedTopic {
                topic: stream.topic.name.clone(),
                streams: [first.name.clone(), stream.name.clone()],
            });
        }
    }
    Ok(())
}

/// The topics that the model's streams need, each once, in the order of the model; of streams that
/// `skips` names none.
pub fn needs(model: &Model, skips: &dyn Fn(&str) -> bool) -> Vec<Need> {
    let topics = topic::needed(model, skips).into_iter();
    topics.map(|topic| Need { name: topic.name.clone(), partitions: topic.partitions }).collect()
}

/// Looks at the topics, makes them if that is asked for, and connects.
pub(super) fn open(ask: &Ask<'_>, receiver: Arc<dyn Receiver>) -> Result<Opened, super::Error> {
    let options = Arc::new(checked_options(ask.configuration)?);
    let needs = needs(&ask.configuration.model, &|stream| ask.request.skips(stream));
    let create = ask.configuration.settings.run.create_topics;
    let found = topics::look(&options, &needs, create, ask.clock)?;
    topics::check(&found, &needs)?;
    let state = |topic: &str| {
        let found = needs.iter().zip(&found).find(|(need, _)| need.name == topic);
        found.and_then(|(_, found)| found.state.partitions())
    };
    let is_sent = |stream: &StreamPlan| !ask.request.skips(&stream.name);
    let streams = &ask.plan.streams;
    let partitions: Vec<Option<u32>> = streams
        .iter()
        .map(|stream| is_sent(stream).then(|| state(&stream.topic.name)).flatten())
        .collect();
    let outlets: Vec<Option<Outlet>> = streams
        .iter()
        .zip(&partitions)
        .map(|(stream, partitions)| {
            is_sent(stream).then(|| Outlet {
                topic: stream.topic.name.clone(),
                partitions: *partitions,
                producer: producer(ask, &options, stream),
                schema: options.own_schemas.then(|| schema(stream)),
                binary_key: stream.key_format == KeyFormat::Avro,
                headers: stream.compiled.headers.iter().map(Shape::of).collect(),
            })
        })
        .collect();
    let numbering = Numbering {
        start_us: ask.plan.start_us,
        tick_us: ask.plan.tick.length_us().unsigned_abs(),
        from_us: ask.from_us,
        goes_on: ask.request.resume.is_some(),
    };
    let sink = Pulsar::connect(&options, &outlets, numbering, (receiver, ask.clock.clone()))?;
    let target = format!("Pulsar at {}", options.service());
    let deduplicates = sink.deduplicates();
    Ok(Opened { sink: Box::new(sink), partitions, hash: options.hash, target, deduplicates })
}

/// What the producers of a stream are named, without the partition: the same in the same run, so
/// that a topic that deduplicates knows it again.
fn producer(ask: &Ask<'_>, options: &Options, stream: &StreamPlan) -> String {
    let shard = ask.request.shard.unwrap_or(Shard::WHOLE);
    if let Some(name) = &options.producer_name {
        return format!("{name}/{}/{shard}", stream.name);
    }
    let plan = ask.plan;
    let hash = &ask.configuration.model.hash;
    let (start, hash) = (rfc3339(plan.start_us), hash.get(..8).unwrap_or(hash));
    format!("{}/{}/{start}-{hash}/{}/{shard}", plan.name, plan.seed, stream.name)
}

/// The schema of a stream's values, as Pulsar keeps it.
fn schema(stream: &StreamPlan) -> Schema {
    let kind = match stream.value_format {
        ValueFormat::Avro => Type::Avro,
        ValueFormat::Json => Type::Json,
    };
    let name = stream.schema.name().map(|name| name.fullname(None)).unwrap_or_default();
    Schema {
        name,
        schema_data: stream.schema_json.clone().into_bytes(),
        r#type: kind.into(),
        properties: Vec::new(),
    }
}
