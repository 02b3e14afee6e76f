//! `tidegate replay`.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::json;

use super::arguments::{Replay, To};
use super::failure::{Exit, Failure, chain};
use super::print::{LiveLine, People};
use super::record::{broker, unreadable};
use super::{changes, print};
use crate::config::units;
use crate::consume::address::Address;
use crate::observe::figure;
use crate::observe::progress::View;
use crate::observe::report::Stopped;
use crate::run::Watcher;
use crate::run::replay::{self, Ask, Finished, From, Listener, Ready};
use crate::run::request::Destination;
use crate::run::window::rfc3339;

/// Sends recorded records again, and tells what became of them.
pub fn replay(arguments: &Replay, people: &People) -> Result<Exit, Failure> {
    let ask = Ask {
        named: arguments.source.clone(),
        from: from(arguments)?,
        to: changes::of_replay(arguments)?,
        destination: match arguments.to {
            To::Kafka => Destination::Kafka,
            To::Pulsar => Destination::Pulsar,
            To::Stdout => Destination::Stdout,
            To::Null => Destination::Null,
        },
        names: names(&arguments.topic)?,
        keep_partitions: arguments.keep_partitions,
        keep_timestamps: arguments.keep_timestamps,
        binary_keys: arguments.binary_keys,
        passes: passes(&arguments.passes)?,
        move_times: arguments.move_time.clone(),
        schema: arguments.schema.as_deref().map(replay::schema).transpose()?,
        conditions: arguments.fail_if.clone(),
    };
    let live = people.live_line(arguments.to == To::Stdout);
    let mut listener = Told { people, live };
    let finished = replay::run(ask, &mut listener)?;
    listener.live.finish();
    conclude(arguments, &finished, people)
}

fn from(arguments: &Replay) -> Result<From, Failure> {
    if !Address::is_one(&arguments.source) {
        return Ok(From::Files(PathBuf::from(&arguments.source)));
    }
    let mut address: Address = arguments.source.parse().map_err(Failure::Bad)?;
    let broker = broker(&address, &arguments.source_property);
    address.broker = Some(broker);
    let given = (address.servers.as_deref(), arguments.source_property.as_slice());
    let registry = arguments.source_registry.as_ref();
    let configuration = changes::source_settings(broker, given, registry)?;
    Ok(From::Topics(address, Box::new(configuration)))
}

fn names(words: &[String]) -> Result<BTreeMap<String, String>, Failure> {
    let pair = |word: &String| match word.split_once('=') {
        Some((from, to)) if !from.is_empty() && !to.is_empty() => {
            Ok((from.to_owned(), to.to_owned()))
        }
        _ => Err(Failure::Bad(format!("`--topic {word}`: write FROM=TO"))),
    };
    words.iter().map(pair).collect()
}

fn passes(text: &str) -> Result<u64, Failure> {
    if text == "forever" {
        return Ok(u64::MAX);
    }
    match units::count(text) {
        Ok(0) => Err(Failure::Bad("`--loop 0` sends nothing: write 1 or more".to_owned())),
        Ok(passes) => Ok(passes),
        Err(error) => Err(unreadable("--loop", &error)),
    }
}

fn conclude(arguments: &Replay, finished: &Finished, people: &People) -> Result<Exit, Failure> {
    let Finished { report, damages, error } = finished;
    for damage in damages {
        people.insist(&format!("error: {damage}"));
    }
    if let Some(error) = error {
        people.insist(&chain(error));
    }
    people.say(&report.to_string());
    let gave_up = report.about.stopped == Stopped::GivenUp;
    // A line that nobody reads is in the way of all further ones.
    if arguments.json && !(arguments.to == To::Stdout && gave_up) {
        let mut told = serde_json::to_value(report).map_err(std::io::Error::from)?;
        let damaged = damages.iter().map(|damage| {
            json!({
                "file": damage.file,
                "from_byte": damage.from,
                "to_byte": damage.to,
                "records_before": damage.records,
                "what": damage.what,
            })
        });
        told["damaged"] = damaged.collect();
        print::result(&told.to_string())?;
    }
    Ok(if error.is_some() || gave_up || report.counts.lost_any() || !damages.is_empty() {
        Exit::Failed
    } else if report.broken.is_empty() {
        Exit::Good
    } else {
        Exit::Negative
    })
}

/// Tells people how it goes.
struct Told<'a> {
    people: &'a People,
    live: LiveLine,
}

impl Listener for Told<'_> {
    fn ready(&mut self, ready: &Ready) {
        self.people.say(&format!(
            "tidegate {}: {}, {} {}, from {}, to {}",
            env!("CARGO_PKG_VERSION"),
            ready.source,
            ready.topics,
            if ready.topics == 1 { "topic" } else { "topics" },
            rfc3339(ready.from_us),
            ready.target,
        ));
    }
}

impl Watcher for Told<'_> {
    fn glance(&mut self, view: &View, now_ns: i64) {
        self.live.show(view, now_ns);
    }

    fn stopping(&mut self, patience: Duration) {
        self.people.say(&format!(
            "stopping: waiting for receipts, {} at most; stop again to give up",
            figure::time(patience)
        ));
    }
}
