//! Runs that are killed and go on, with the real program and real brokers.

#![expect(clippy::panic, reason = "what fails here fails the test")]

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::brokers::{self, topic};
use crate::cli::{self, Running, assert_exit, json, pause, stderr};

/// How long one command may take on a machine that also compiles.
const LONG: Duration = Duration::from_mins(5);

/// 30,000 events in a hundred seconds.
const MODEL: &str =
    "--set traffic.rate=3000/s --set entities.account.activity.mean=3600/h --duration 100s";

struct Site {
    servers: String,
    registry: String,
    folder: tempfile::TempDir,
}

impl Site {
    fn shared() -> Option<Self> {
        let servers = brokers::kafka()?.bootstrap_servers();
        let registry = brokers::registry()?.ccompat_url();
        Some(Self { servers, registry, folder: cli::folder() })
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn command(&self, words: &str) -> Command {
        let words: Vec<&str> = words.split_whitespace().collect();
        let mut command = cli::program(self.path(), &words);
        command.arg("-X").arg(format!("bootstrap.servers={}", self.servers));
        command.args(["--registry", &self.registry, "--quiet", "--json"]);
        command
    }

    fn ended(&self, words: &str, code: i32) -> Value {
        let output = Running::start(self.command(words)).wait(LONG);
        assert_exit(&output, code);
        json(&output)
    }
}

/// How often each event is in a topic, by an independent reader; those of a key are in order.
fn arrived(site: &Site, topic: &str) -> BTreeMap<String, u64> {
    let mut times: BTreeMap<String, u64> = BTreeMap::new();
    let mut last: BTreeMap<Vec<u8>, i64> = BTreeMap::new();
    let schema = apache_avro::Schema::parse_str(cli::SCHEMA).unwrap();
    let reader = tidegate::encode::json::Reader::new(&schema).unwrap();
    topic::for_each(&site.servers, topic, |record| {
        let row = reader.read(&record.value.unwrap()[5..]).unwrap();
        *times.entry(row["id"].as_str().unwrap().to_owned()).or_default() += 1;
        let at: jiff::Timestamp = row["at"].as_str().unwrap().parse().unwrap();
        let before = last.insert(record.key.unwrap(), at.as_microsecond());
        assert!(before.is_none_or(|before| before <= at.as_microsecond()), "{row} is out of order");
    });
    times
}

fn count(result: &Value, name: &str) -> u64 {
    result[name].as_u64().unwrap_or_else(|| panic!("no count {name} in {result}"))
}

#[test]
fn a_run_that_is_killed_twenty_times_has_every_event_once() {
    let Some(site) = Site::shared() else { return };
    let topic = "resumed.killed";
    let whole =
        site.ended(&format!("run model.toml --to null --speed max --manifest none {MODEL}"), 0);
    let words = format!(
        "run model.toml --to kafka --create-topics --set streams.payments.topic.name={topic} \
         --manifest run.json {MODEL}"
    );
    let mut running = Running::start(site.command(&words));
    for kill in 0..20_u64 {
        // Not always at the same point of a life: after two seconds of standing still it sends.
        pause(Duration::from_millis(1_900 + kill * 137 % 1_400));
        running.signal("KILL");
        drop(running.wait(LONG));
        let how = if kill % 2 == 0 { "catch-up" } else { "shift" };
        running = Running::start(site.command(&format!("run run.json --resume {how}")));
    }
    pause(Duration::from_secs(4));
    running.signal("KILL");
    drop(running.wait(LONG));
    site.ended("run run.json --resume catch-up --speed max", 0);
    let arrived = arrived(&site, topic);
    let twice = arrived.values().filter(|times| **times > 1).count();
    assert_eq!((arrived.len() as u64, twice), (count(&whole, "issued"), 0));
    let report = site.ended("verify run.json", 0);
    assert_eq!(count(&report, "delivered"), count(&whole, "issued"));
    // It has ended: there is nothing to resume.
    let output = Running::start(site.command("run run.json --resume shift")).wait(LONG);
    assert_exit(&output, 2);
    assert!(stderr(&output).contains("the run has ended"), "{}", stderr(&output));
}

#[test]
fn a_run_that_was_stopped_goes_on_and_is_counted_as_one() {
    let Some(site) = Site::shared() else { return };
    let topic = "resumed.stopped";
    let words = format!(
        "run model.toml --to kafka --create-topics --set streams.payments.topic.name={topic} \
         --manifest run.json --count 20000 --pace 4000/s"
    );
    let running = Running::start(site.command(&words));
    pause(Duration::from_secs(4));
    running.signal("INT");
    let first = json(&running.wait(LONG));
    let rest = site.ended("run run.json --resume shift --speed max", 0);
    let arrived = arrived(&site, topic);
    assert_eq!(arrived.len(), 20_000);
    assert!(arrived.values().all(|times| *times == 1));
    assert!(count(&first, "issued") > 0 && count(&rest, "issued") < 20_000);
    let report = site.ended("verify run.json", 0);
    assert_eq!(count(&report, "expected"), 20_000);
}

#[test]
fn what_cannot_be_resumed_is_refused_with_the_way_out() {
    let folder = cli::folder();
    let run = |words: &str| cli::run(folder.path(), &words.split_whitespace().collect::<Vec<_>>());
    assert_exit(&run("run model.toml --to null --count 10 --speed max --manifest run.json"), 0);
    for (words, told) in [
        ("run model.toml --resume shift", "give its manifest"),
        ("run run.json --resume shift", "only of Kafka and Pulsar"),
        ("run run.json --resume shift --to kafka", "leave `--to` out"),
        ("run run.json --resume later", "catch-up, shift"),
    ] {
        let output = run(words);
        assert_exit(&output, 2);
        assert!(stderr(&output).contains(told), "{words}: {}", stderr(&output));
    }
}
