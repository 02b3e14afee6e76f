//! `tidegate record`.

use serde_json::{Map, json};

use super::arguments::{self, Record};
use super::changes;
use super::failure::{Exit, Failure};
use super::print::{self, People};
use crate::config::units;
use crate::consume::address::{Address, Broker};
use crate::observe::figure;
use crate::replay::folder::Format;
use crate::run::record::{self, Ask, Recording};
use crate::run::window::rfc3339;

/// Records topics, and tells what was recorded.
pub fn record(arguments: &Record, people: &People) -> Result<Exit, Failure> {
    let mut address = address(&arguments.topics)?;
    let broker = broker(&address, &arguments.property);
    address.broker = Some(broker);
    let given = (address.servers.as_deref(), arguments.property.as_slice());
    let registry = arguments.source_registry.as_ref();
    let configuration = changes::source_settings(broker, given, registry)?;
    let count = arguments.count.as_deref().map(units::count).transpose();
    let wall = arguments.wall.as_deref().map(units::duration).transpose();
    let ask = Ask {
        address,
        configuration,
        to: arguments.to.clone(),
        format: match arguments.format {
            arguments::Format::Avro => Format::Avro,
            arguments::Format::Jsonl => Format::Jsonl,
        },
        follow: arguments.follow,
        from_ms: arguments.from.map(|from| from.0.div_euclid(1_000)),
        until_ms: arguments.until.map(|until| until.0.div_euclid(1_000)),
        count: count.map_err(|error| unreadable("--count", &error))?,
        wall: wall.map_err(|error| unreadable("--for", &error))?,
        masks: arguments.mask.clone(),
        mask_seed: arguments.mask_seed.clone(),
    };
    let mut told = 0_u32;
    let recording = record::run(ask, &mut |recording| {
        told += 1;
        if told.is_multiple_of(10) {
            let (records, bytes) = (recording.records, recording.bytes);
            people.say(&format!("{} records, {}", figure::count(records), figure::bytes(bytes)));
        }
    })?;
    people.say(&words(&recording, arguments));
    if arguments.json {
        print::result(&in_json(&recording, arguments))?;
    }
    Ok(Exit::Good)
}

/// The topics of all addresses, which are in one cluster.
fn address(words: &[String]) -> Result<Address, Failure> {
    let mut all: Option<Address> = None;
    for word in words {
        let address: Address = word.parse().map_err(Failure::Bad)?;
        match &mut all {
            None => all = Some(address),
            Some(all) if all.broker == address.broker && all.servers == address.servers => {
                all.topics.extend(address.topics);
            }
            Some(_) => {
                let told = "the topics are in several clusters: record those of each by themselves";
                return Err(Failure::Bad(told.to_owned()));
            }
        }
    }
    all.ok_or_else(|| Failure::Bad("no topic is named".to_owned()))
}

/// The broker that is meant: Kafka, unless the address or the settings name Pulsar.
pub(super) fn broker(address: &Address, properties: &[String]) -> Broker {
    let of_pulsar = |property: &String| property.starts_with("serviceUrl=");
    address.broker.unwrap_or(if properties.iter().any(of_pulsar) {
        Broker::Pulsar
    } else {
        Broker::Kafka
    })
}

pub(super) fn unreadable(flag: &str, error: &units::Unreadable) -> Failure {
    Failure::Bad(format!("`{flag}`: {error}; {}", error.way_out()))
}

fn words(recording: &Recording, arguments: &Record) -> String {
    let to = arguments.to.display();
    let mut lines = vec![format!(
        "{to}: {} records, {} in {} files",
        figure::count(recording.records),
        figure::bytes(recording.file_bytes),
        recording.files
    )];
    let topics = recording.topics.iter();
    lines.extend(topics.map(|(topic, count)| format!("  {topic}  {}", figure::count(*count))));
    if let Some((first_ms, last_ms)) = recording.timestamps_ms {
        let times = [first_ms, last_ms].map(|time_ms| rfc3339(time_ms.saturating_mul(1_000)));
        lines.push(format!("  from {} to {}", times[0], times[1]));
    }
    if !recording.unknown_ids.is_empty() {
        let ids: Vec<String> = recording.unknown_ids.iter().map(u32::to_string).collect();
        lines.push(format!(
            "  the registry has no schema for the ids {}: these records can be sent to its topics only",
            ids.join(", ")
        ));
    }
    lines.join("\n")
}

fn in_json(recording: &Recording, arguments: &Record) -> String {
    let topics = recording.topics.iter().map(|(topic, count)| (topic.clone(), (*count).into()));
    let time = |time_ms: i64| rfc3339(time_ms.saturating_mul(1_000));
    json!({
        "to": arguments.to,
        "records": recording.records,
        "bytes": recording.bytes,
        "files": recording.files,
        "file_bytes": recording.file_bytes,
        "topics": topics.collect::<Map<_, _>>(),
        "first": recording.timestamps_ms.map(|(first_ms, _)| time(first_ms)),
        "last": recording.timestamps_ms.map(|(_, last_ms)| time(last_ms)),
        "unknown_ids": recording.unknown_ids,
    })
    .to_string()
}
