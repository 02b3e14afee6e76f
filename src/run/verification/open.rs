//! Opening what is read to verify a run, and what is looked for there.

use std::sync::Arc;
use std::thread::available_parallelism;

use apache_avro::Schema;
use tokio::runtime::Handle;

use super::{Ask, Known, begin};
use crate::clock::Clock;
use crate::config::model::IdentityPlace;
use crate::config::secret::Text;
use crate::config::settings::{self, Property, Subjects};
use crate::config::{Configuration, Spanned, filter};
use crate::consume::address::{Address, Broker};
use crate::consume::together::Together;
use crate::consume::{Begin, Source, kafka, pulsar};
use crate::encode::headers::{self, Shape, Value};
use crate::encode::partition::Hash;
use crate::encode::registry::Registry;
use crate::plan::Plan;
use crate::run::request::Destination;
use crate::run::window::Window;
use crate::run::{Error, broker, plan, pulsar as pulsar_settings, schema, topic};
use crate::stream::{Options, Route, SchemaIds, Telling};
use crate::verify::check::{Read, Task, Wants};
use crate::verify::compare::Comparer;
use crate::verify::expected::Sent;
use crate::verify::identify::{Identifier, Known as KnownSchema, Lookup};
use crate::verify::ledger::Budget;

/// What is read, and what is looked for.
pub(super) struct Opened {
    pub(super) source: Box<dyn Source>,
    pub(super) task: Task,
}

/// Opens the topics, and puts together what is to be there.
pub(super) fn open(
    known: &Known,
    ask: &Ask,
    handle: &Handle,
    clock: &Clock,
) -> Result<Opened, Error> {
    let mut configuration = known.configuration.clone();
    plan::complete(&mut configuration)?;
    let streams = streams(known, ask)?;
    if let Some(text) = &ask.filter {
        let wanted = |name: &str| {
            let stream = configuration.model.streams.iter().position(|it| it.name == name);
            stream.is_some_and(|stream| streams[stream])
        };
        let wanted: Vec<bool> = known.names().iter().map(|name| wanted(name)).collect();
        filter::add(&mut configuration, &wanted, text)
            .map_err(|refused| Error::Refused(Box::new(refused)))?;
    }
    let plan = plan::with_schemas(&configuration, &known.schemas, clock.now_us())?;
    let plan = Arc::new(plan);
    if !plan.faults.list.is_empty() {
        return Err(Error::VerifyFaults);
    }
    let window = Window::resolve(&configuration.settings.run, plan.start_us)?;
    if window.until_us.is_none() && window.count.is_none() && known.manifest.is_none() {
        return Err(Error::EndlessRun);
    }
    let source = sources(known, ask, clock)?;
    let own = own_topics(known, ask);
    let partitions: Vec<Read> = source
        .partitions()
        .iter()
        .map(|it| Read { partition: it.clone(), is_own: own.contains(&it.topic) })
        .collect();
    let sent = sent(known, ask, &plan, &window, &partitions);
    let ids: Vec<Option<u32>> = known.schemas.iter().map(|written| written.value_id).collect();
    let comparer = if ask.compared_one_in > 0 { Some(Comparer::new(&plan, &ids)?) } else { None };
    let task = Task {
        identifier: identifier(
            (known, ask),
            &plan,
            (&streams, &partitions),
            lookup(known, handle)?,
        ),
        wants: wants(&plan, ask.filter.is_some()),
        budget: Budget::default(),
        sent,
        streams,
        partitions,
        comparer,
    };
    Ok(Opened { source, task })
}

/// By number: the streams whose events should be there.
fn streams(known: &Known, ask: &Ask) -> Result<Vec<bool>, Error> {
    let model = &known.configuration.model;
    crate::run::request::check_streams(&ask.streams, model)?;
    if let Some(unsent) = ask.streams.iter().find(|name| known.skips(name)) {
        return Err(Error::StreamNotSent { name: unsent.clone() });
    }
    let is_sent: Vec<bool> = model.streams.iter().map(|it| !known.skips(&it.name)).collect();
    if !ask.streams.is_empty() {
        return Ok(model.streams.iter().map(|it| ask.streams.contains(&it.name)).collect());
    }
    let topics: Vec<&String> = ask.sources.iter().flat_map(|address| &address.topics).collect();
    let is_read = |topic: &str| topics.is_empty() || topics.iter().any(|read| *read == topic);
    let read = model.streams.iter().zip(&is_sent);
    let read: Vec<bool> = read.map(|(it, sent)| *sent && is_read(&it.topic.name)).collect();
    let others = topics.iter().any(|read| model.streams.iter().all(|it| it.topic.name != **read));
    let nowhere = model.streams.iter().zip(&is_sent).find(|(it, sent)| {
        **sent && it.identity == IdentityPlace::Nowhere && is_read(&it.topic.name)
    });
    if let Some((stream, _)) = nowhere {
        return Err(Error::NoIdentity { stream: stream.name.clone() });
    }
    let count = |some: &[bool]| some.iter().filter(|it| **it).count();
    match (others, count(&is_sent)) {
        (false, _) => Ok(read),
        // What can another topic have but the events of the only stream?
        (true, 1) => Ok(is_sent),
        (true, _) => {
            let topic = topics.first().map(|topic| (*topic).clone()).unwrap_or_default();
            Err(Error::WhichStreams { topic, streams: known.names().join(", ") })
        }
    }
}

/// The topics that the run itself sent to, of those that are read: in its own cluster.
fn own_topics(known: &Known, ask: &Ask) -> Vec<String> {
    let model = &known.configuration.model;
    let sent = model.streams.iter().filter(|stream| !known.skips(&stream.name));
    let at_home = |topic: &String| {
        let named = ask.sources.iter().find(|address| address.topics.contains(topic));
        named.is_none_or(|address| {
            address.servers.is_none() && address.broker.is_none_or(|it| Some(it) == home(known))
        })
    };
    sent.map(|stream| stream.topic.name.clone()).filter(at_home).collect()
}

fn home(known: &Known) -> Option<Broker> {
    match known.destination {
        Destination::Kafka => Some(Broker::Kafka),
        Destination::Pulsar => Some(Broker::Pulsar),
        Destination::Embedded | Destination::Stdout | Destination::Null => None,
    }
}

/// Opens all topics that are read.
fn sources(known: &Known, ask: &Ask, clock: &Clock) -> Result<Box<dyn Source>, Error> {
    let mut addresses = ask.sources.clone();
    if addresses.is_empty() {
        let model = &known.configuration.model;
        let topics = topic::needed(model, &|stream| known.skips(stream)).into_iter();
        let topics = topics.map(|topic| topic.name.clone()).collect();
        addresses.push(Address { broker: None, servers: None, topics });
    }
    let own = own_topics(known, ask);
    let mut all = Vec::new();
    for address in &addresses {
        // Another program may give its records any time; of our own it is known.
        let is_own = address.topics.iter().all(|topic| own.contains(topic));
        let begin = if is_own || ask.since_us.is_some() {
            begin(known, ask.since_us)
        } else {
            Begin::Earliest
        };
        all.push(source(known, address, &begin, clock)?);
    }
    match all.len() {
        1 => Ok(all.remove(0)),
        _ => Ok(Box::new(Together::new(all))),
    }
}

fn source(
    known: &Known,
    address: &Address,
    begin: &Begin,
    clock: &Clock,
) -> Result<Box<dyn Source>, Error> {
    let Some(broker) = address.broker.or_else(|| home(known)) else {
        return Err(Error::NoSource { sink: known.destination.name() });
    };
    let mut configuration = known.configuration.clone();
    if let Some(servers) = &address.servers {
        at(&mut configuration, broker, servers);
    }
    Ok(match broker {
        Broker::Kafka => {
            let options = broker::checked_options(&configuration)?;
            Box::new(kafka::Kafka::open(&options, &address.topics, begin, clock)?)
        }
        Broker::Pulsar => {
            let options = pulsar_settings::checked_options(&configuration)?;
            Box::new(pulsar::Pulsar::open(&options, &address.topics, begin, clock)?)
        }
    })
}

/// Puts another cluster in the place of the one that the settings name.
fn at(configuration: &mut Configuration, broker: Broker, servers: &str) {
    let property = Property {
        name: Spanned { value: broker.servers_setting().to_owned(), span: 0..0 },
        value: Spanned { value: Text::Plain(servers.to_owned()), span: 0..0 },
    };
    let settings = &mut configuration.settings;
    match broker {
        Broker::Kafka => {
            settings.kafka.get_or_insert_with(settings::Kafka::default).properties.push(property);
        }
        Broker::Pulsar => {
            let pulsar = settings.pulsar.get_or_insert_with(settings::Pulsar::default);
            pulsar.properties.push(property);
        }
    }
}

/// What was sent.
fn sent(known: &Known, ask: &Ask, plan: &Arc<Plan>, window: &Window, partitions: &[Read]) -> Sent {
    let since_start = |time_us: i64| (time_us - plan.start_us).unsigned_abs();
    // What is not there may have expired, or be no more than superseded: that shows by its key.
    let kept = |read: &Read| read.partition.expired == 0 && !read.partition.compacted;
    let all = ask.filter.is_some() || !partitions.iter().all(kept);
    let bytes_one_in = if all { 1 } else { ask.compared_one_in };
    let hash = match known.destination {
        Destination::Pulsar => Hash::JavaString,
        _ => Hash::Murmur2,
    };
    let routes = plan.streams.iter().zip(&known.schemas).map(|(stream, written)| {
        let own =
            partitions.iter().filter(|it| it.is_own && it.partition.topic == stream.topic.name);
        let count = own.filter(|it| it.partition.number.is_some()).count();
        Route {
            ids: SchemaIds { value: written.value_id, key: written.key_id },
            partitions: u32::try_from(count).ok().filter(|count| *count > 0),
            hash: topic::hash(stream, hash),
            skipped: known.skips(&stream.name),
        }
    });
    let threads = known.configuration.settings.run.threads.or_else(|| available_parallelism().ok());
    let is_sent = |(number, _): (usize, &crate::plan::members::Members)| {
        !known.skips(&plan.streams[number].name)
    };
    Sent {
        options: Options {
            window_us: since_start(window.from_us)..window.until_us.map_or(u64::MAX, since_start),
            count: window.count,
            shard: known.shard.into(),
            threads: threads.map_or(1, std::num::NonZeroUsize::get),
            telling: Telling::Who { bytes_one_in },
            routes: routes.collect(),
            ..Options::default()
        },
        snapshot: plan.snapshots().any(is_sent),
        // A model alone says what should have been sent: all of it.
        issued: known.issued.or(known.manifest.is_none().then_some(u64::MAX)),
        speed: known.pacer_speed(plan),
        anchor_ns: known.anchor_us.unwrap_or(0).saturating_mul(1_000),
        begin_us: window.from_us,
        plan: Arc::clone(plan),
    }
}

fn identifier(
    (known, ask): (&Known, &Ask),
    plan: &Plan,
    (streams, partitions): (&[bool], &[Read]),
    lookup: Lookup,
) -> Identifier {
    let model = known.configuration.model.streams.iter();
    let schemas = model.zip(&plan.streams).zip(&known.schemas).map(|((model, plan), written)| {
        let field = model.identity_field();
        KnownSchema {
            id: written.value_id,
            schema: &plan.schema,
            field: field.map(|path| path.split('.').map(str::to_owned).collect()),
        }
    });
    let sent: Vec<bool> =
        known.configuration.model.streams.iter().map(|it| !known.skips(&it.name)).collect();
    let wanted = schemas.zip(&sent).filter(|(_, sent)| **sent).map(|(schema, _)| schema);
    // A topic of the run has the events of its own streams, which may hold the identities of others.
    let mask = |read: &Read| {
        let topics = plan.streams.iter().map(|stream| stream.topic.name == read.partition.topic);
        let its = topics.zip(&sent).map(|(its, sent)| its && *sent);
        if read.is_own { its.collect() } else { streams.to_vec() }
    };
    let masks = partitions.iter().map(mask).collect();
    let cipher = crate::plan::compile::cipher(plan.seed, plan.start_us);
    Identifier::new((cipher, masks), ask.place.clone(), wanted, lookup)
}

/// Asks the registry for schemas that are not the run's.
fn lookup(known: &Known, handle: &Handle) -> Result<Lookup, Error> {
    let Some(settings) = &known.configuration.settings.registry else {
        return Ok(Box::new(|_| None));
    };
    let mut settings = settings.clone();
    settings.subjects = Subjects::TopicName;
    let registry = Registry::connect(&schema::options(&settings))?;
    let handle = handle.clone();
    Ok(Box::new(move |id| match handle.block_on(registry.schema(id)) {
        Ok(json) => Schema::parse_str(&json).ok(),
        Err(error) => {
            tracing::warn!(id, %error, "a schema could not be had");
            None
        }
    }))
}

/// Which events should be there: with a filter, those of which the header that it fills says so.
fn wants(plan: &Arc<Plan>, filtered: bool) -> Wants {
    if !filtered {
        return Box::new(|_, _| true);
    }
    let shapes: Vec<Vec<Shape>> = plan
        .streams
        .iter()
        .map(|stream| stream.compiled.headers.iter().map(Shape::of).collect())
        .collect();
    Box::new(move |batch, record| {
        let shapes = &shapes[usize::from(record.stream)];
        let mut read = headers::read(shapes, &batch.arena[record.header_range()]);
        let said = read.find(|(number, _)| shapes[*number].name == filter::HEADER);
        said.is_none_or(|(_, value)| value == Value::Text(b"true"))
    })
}
