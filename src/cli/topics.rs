//! `tidegate topics`: what topics a model needs and what there is.

use serde_json::json;

use super::arguments::{To, Topics};
use super::failure::{Exit, Failure};
use super::{changes, print};
use crate::clock::Clock;
use crate::config::Configuration;
use crate::publish::kafka::topics::{self, Need, TopicState};
use crate::publish::pulsar::topics::{self as at_pulsar, State};
use crate::run::request::Destination;
use crate::run::{self, broker};

/// Tells what topics there are, and makes the missing ones if that is asked for.
pub fn topics(arguments: &Topics, people: &print::People) -> Result<Exit, Failure> {
    let overrides = changes::of_sink(&arguments.changes, arguments.to)?;
    let configuration = changes::read(&arguments.model, &overrides)?;
    super::warn(&configuration.source, &configuration.warnings, people);
    let is_pulsar = match arguments.to {
        Some(To::Kafka) => false,
        Some(To::Pulsar) => true,
        Some(To::Stdout | To::Null) => {
            let told = "`--to` names a broker here: kafka or pulsar".to_owned();
            return Err(Failure::Bad(told));
        }
        None => Destination::named(&configuration.settings) == Destination::Pulsar,
    };
    if is_pulsar {
        return pulsar(arguments, &configuration);
    }
    let options = broker::checked_options(&configuration)?;
    let needs = broker::needs(&configuration.model, &|_| false);
    let connection =
        topics::Topics::connect(&options, Clock::system()).map_err(run::Error::from)?;
    let names: Vec<&str> = needs.iter().map(|need| need.name.as_str()).collect();
    let before = connection.inspect(&names).map_err(run::Error::from)?;
    let states = if arguments.create {
        connection.create(&needs).map_err(run::Error::from)?
    } else {
        before.clone()
    };
    let rows: Vec<Row<'_>> = needs
        .iter()
        .zip(&states)
        .zip(&before)
        .map(|((need, state), before)| Row {
            need,
            state,
            made: state.partitions.is_some() && before.partitions.is_none(),
        })
        .collect();
    if arguments.json {
        let topics: Vec<serde_json::Value> = rows.iter().map(Row::json).collect();
        print::result(&json!({ "topics": topics }).to_string())?;
    } else {
        print::result(&table(&rows))?;
    }
    let missing = states.iter().any(|state| state.partitions.is_none());
    Ok(if missing { Exit::Failed } else { Exit::Good })
}

/// The same at Pulsar.
fn pulsar(arguments: &Topics, configuration: &Configuration) -> Result<Exit, Failure> {
    let options = run::pulsar::checked_options(configuration)?;
    let needs = run::pulsar::needs(&configuration.model, &|_| false);
    let clock = Clock::system();
    let before = at_pulsar::inspect(&options, &needs, &clock).map_err(run::Error::from)?;
    let states = if arguments.create {
        at_pulsar::create(&options, &needs, &clock).map_err(run::Error::from)?
    } else {
        before.clone()
    };
    let made = |place: usize| before[place] == State::Missing && states[place] != State::Missing;
    let rows = needs.iter().zip(&states).enumerate();
    if arguments.json {
        let topics: Vec<serde_json::Value> = rows
            .map(|(place, (need, state))| {
                json!({
                    "topic": need.name,
                    "there": *state != State::Missing,
                    "created": made(place),
                    "partitions": state.partitions(),
                    "partitions_wanted": need.partitions,
                })
            })
            .collect();
        print::result(&json!({ "topics": topics }).to_string())?;
    } else {
        let width = needs.iter().map(|need| need.name.len()).max().unwrap_or(0);
        let lines = rows.map(|(place, (need, state))| {
            let made = if made(place) { "created" } else { "there" };
            let status = match state {
                State::Missing => "missing: create it with `--create`".to_owned(),
                State::Plain => format!("{made}, not partitioned"),
                State::Partitioned(count) => format!("{made}, {count} partitions"),
            };
            format!("{:<width$}  {status}", need.name)
        });
        print::result(&lines.collect::<Vec<_>>().join("\n"))?;
    }
    let missing = states.contains(&State::Missing);
    Ok(if missing { Exit::Failed } else { Exit::Good })
}

/// A topic that is needed, and what there is of it.
struct Row<'a> {
    need: &'a Need,
    state: &'a TopicState,
    made: bool,
}

impl Row<'_> {
    fn json(&self) -> serde_json::Value {
        json!({
            "topic": self.need.name,
            "there": self.state.partitions.is_some(),
            "created": self.made,
            "partitions": self.state.partitions,
            "partitions_wanted": self.need.partitions,
            "writable": self.state.writable,
            "record_bytes_max": self.state.record_bytes_max,
            "retention_ms": self.state.retention_ms,
        })
    }

    fn status(&self) -> String {
        let Some(partitions) = self.state.partitions else {
            return "missing: create it with `--create`".to_owned();
        };
        let made = if self.made { "created" } else { "there" };
        let refused = if self.state.writable == Some(false) { ", not ours to write" } else { "" };
        match self.need.partitions {
            Some(wanted) if wanted != partitions => {
                format!("{made}, {partitions} partitions (the model says {wanted}){refused}")
            }
            _ => format!("{made}, {partitions} partitions{refused}"),
        }
    }
}

fn table(rows: &[Row<'_>]) -> String {
    let width = rows.iter().map(|row| row.need.name.len()).max().unwrap_or(0);
    let lines = rows.iter().map(|row| format!("{:<width$}  {}", row.need.name, row.status()));
    lines.collect::<Vec<_>>().join("\n")
}
