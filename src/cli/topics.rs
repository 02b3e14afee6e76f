//! `tidegate topics`: what topics a model needs and what there is.

use serde_json::json;

use super::arguments::{To, Topics};
use super::failure::{Exit, Failure};
use super::{changes, print};
use crate::clock::Clock;
use crate::config::Configuration;
use crate::publish::kafka::topics as kafka;
use crate::publish::pulsar::topics::{self as pulsar, Found, State};
use crate::run::request::Destination;
use crate::run::{self, broker};

/// Tells what topics there are, and makes the missing ones if that is asked for.
pub fn topics(arguments: &Topics, people: &print::People) -> Result<Exit, Failure> {
    let (configuration, is_pulsar) = read(arguments)?;
    super::warn(&configuration.source, &configuration.warnings, people);
    let rows = if is_pulsar {
        at_pulsar(arguments.create, &configuration)?
    } else {
        at_kafka(arguments.create, &configuration)?
    };
    if arguments.json {
        let topics: Vec<&serde_json::Value> = rows.iter().map(|row| &row.json).collect();
        print::result(&json!({ "topics": topics }).to_string())?;
    } else {
        let width = rows.iter().map(|row| row.name.len()).max().unwrap_or(0);
        let lines = rows.iter().map(|row| format!("{:<width$}  {}", row.name, row.status));
        print::result(&lines.collect::<Vec<_>>().join("\n"))?;
    }
    let missing = rows.iter().any(|row| !row.is_there);
    Ok(if missing { Exit::Failed } else { Exit::Good })
}

/// The model, and whether its topics are looked for at Pulsar.
fn read(arguments: &Topics) -> Result<(Configuration, bool), Failure> {
    if matches!(arguments.to, Some(To::Stdout | To::Null)) {
        let told = "`--to` names a broker here: kafka or pulsar".to_owned();
        return Err(Failure::Bad(told));
    }
    let first = changes::first(&arguments.model)?;
    let to = changes::sink(first.as_ref(), arguments.to)?;
    let overrides = changes::of_sink(&arguments.changes, to)?;
    let is_pulsar = |configuration: &Configuration| match to {
        Some(to) => to == To::Pulsar,
        None => Destination::named(&configuration.settings) == Destination::Pulsar,
    };
    let Some(first) = first else {
        let configuration = changes::read(&arguments.model, &overrides)?;
        let is_pulsar = is_pulsar(&configuration);
        return Ok((configuration, is_pulsar));
    };
    let repetition = changes::again(first, &overrides)?;
    let is_pulsar = is_pulsar(&repetition.configuration);
    let broker = if is_pulsar { Destination::Pulsar } else { Destination::Kafka };
    repetition.check_secrets(broker)?;
    Ok((repetition.configuration, is_pulsar))
}

/// A topic that is needed, and what there is of it.
struct Row {
    name: String,
    is_there: bool,
    /// In words.
    status: String,
    json: serde_json::Value,
}

fn at_kafka(create: bool, configuration: &Configuration) -> Result<Vec<Row>, Failure> {
    let options = broker::checked_options(configuration)?;
    let needs = broker::needs(&configuration.model, &|_| false);
    let connection = kafka::Topics::connect(&options, Clock::system()).map_err(run::Error::from)?;
    let names: Vec<&str> = needs.iter().map(|need| need.name.as_str()).collect();
    let before = connection.inspect(&names).map_err(run::Error::from)?;
    let states =
        if create { connection.create(&needs).map_err(run::Error::from)? } else { before.clone() };
    let rows = needs.iter().zip(&states).zip(&before).map(|((need, state), before)| {
        let made = state.partitions.is_some() && before.partitions.is_none();
        let refused = if state.writable == Some(false) { ", not ours to write" } else { "" };
        let found = state.partitions.map(|count| partitions(count, need.partitions) + refused);
        Row {
            name: need.name.clone(),
            is_there: state.partitions.is_some(),
            status: status(made, found),
            json: json!({
                "topic": need.name,
                "there": state.partitions.is_some(),
                "created": made,
                "partitions": state.partitions,
                "partitions_wanted": need.partitions,
                "writable": state.writable,
                "record_bytes_max": state.record_bytes_max,
                "retention_ms": state.retention_ms,
            }),
        }
    });
    Ok(rows.collect())
}

fn at_pulsar(create: bool, configuration: &Configuration) -> Result<Vec<Row>, Failure> {
    let options = run::pulsar::checked_options(configuration)?;
    let needs = run::pulsar::needs(&configuration.model, &|_| false);
    let found = pulsar::look(&options, &needs, create, &Clock::system());
    let found = found.map_err(run::Error::from)?;
    let rows = needs.iter().zip(found).map(|(need, Found { state, made })| {
        let is_there = state != State::Missing;
        let count = match state {
            State::Missing => None,
            State::Plain => Some("not partitioned".to_owned()),
            State::Partitioned(count) => Some(partitions(count, need.partitions)),
        };
        Row {
            name: need.name.clone(),
            is_there,
            status: status(made, count),
            json: json!({
                "topic": need.name,
                "there": is_there,
                "created": made,
                "partitions": state.partitions(),
                "partitions_wanted": need.partitions,
            }),
        }
    });
    Ok(rows.collect())
}

/// What there is of a topic, in words; `found`: how many partitions, and what else is to be said.
fn status(made: bool, found: Option<String>) -> String {
    let made = if made { "created" } else { "there" };
    found.map_or_else(
        || "missing: create it with `--create`".to_owned(),
        |found| format!("{made}, {found}"),
    )
}

fn partitions(count: u32, wanted: Option<u32>) -> String {
    match wanted {
        Some(wanted) if wanted != count => {
            format!("{count} partitions (the model says {wanted})")
        }
        _ => format!("{count} partitions"),
    }
}
