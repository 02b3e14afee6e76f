//! Verifying with the real program: on real brokers, with consumers that lose, double, swap, alter and delay.

#![expect(clippy::panic, reason = "what fails here fails the test")]

mod clean;
mod consumer;
mod kafka;
mod killed;
mod passed_on;
mod pulsar;
mod refused;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use serde_json::Value;

use crate::brokers;
use crate::cli::{self, Running, assert_exit, json};

/// How long one command may take on a machine that also compiles.
const LONG: Duration = Duration::from_mins(5);

/// Where a run went: servers, and a folder with the small model and the manifest.
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

    /// A command of the program, pointed at the servers.
    fn command(&self, words: &str) -> Command {
        let words: Vec<&str> = words.split_whitespace().collect();
        let mut command = cli::program(self.path(), &words);
        command.arg("-X").arg(format!("bootstrap.servers={}", self.servers));
        command.args(["--registry", &self.registry, "--quiet", "--json"]);
        command
    }

    /// Runs the small model to a topic, as fast as it goes, and writes the manifest `run.json`.
    fn run(&self, topic: &str, flags: &str) -> Value {
        let words = format!(
            "run model.toml --to kafka --create-topics --set streams.payments.topic.name={topic} \
             --manifest run.json {flags}"
        );
        let output = Running::start(self.command(&words)).wait(LONG);
        assert_exit(&output, 0);
        json(&output)
    }

    /// Verifies the run of `run.json`; all that is found goes to `found.jsonl`.
    fn verify(&self, flags: &str) -> Output {
        let words = format!("verify run.json --findings found.jsonl {flags}");
        Running::start(self.command(&words)).wait(LONG)
    }

    /// The same, which must end with an exit code.
    fn verified(&self, flags: &str, code: i32) -> Value {
        let output = self.verify(flags);
        assert_exit(&output, code);
        json(&output)
    }

    fn found(&self) -> BTreeMap<String, Vec<String>> {
        found(self.path())
    }
}

/// The identities of what was found, by kind, in order.
fn found(folder: &Path) -> BTreeMap<String, Vec<String>> {
    let text = std::fs::read_to_string(folder.join("found.jsonl")).unwrap();
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for line in text.lines() {
        let finding: Value = serde_json::from_str(line).unwrap();
        let id = finding["id"].as_str().unwrap_or_default().to_owned();
        found.entry(finding["what"].as_str().unwrap().to_owned()).or_default().push(id);
    }
    for ids in found.values_mut() {
        ids.sort();
    }
    found
}

/// A hundred accounts, so that each has many events.
const FEW_KEYS: &str = "--set entities.account.activity.mean=36000/h";

/// Holds what was found against what a consumer did.
fn assert_found(found: &BTreeMap<String, Vec<String>>, deeds: &consumer::Deeds) {
    let found = |kind: &str| found.get(kind).cloned().unwrap_or_default();
    assert!(deeds.dropped.len() > 100 && deeds.swapped.len() > 100, "{}", deeds.swapped.len());
    for (kind, ids) in [
        ("missing", &deeds.dropped),
        ("doubled", &deeds.doubled),
        ("damaged", &deeds.altered),
        ("foreign", &Vec::new()),
    ] {
        let found = found(kind);
        assert!(found == *ids, "{kind}: {} found of {}", found.len(), ids.len());
    }
    // Of those that were written last, those are out of order whose keys had later events.
    let out_of_order = found("out_of_order");
    assert!(deeds.swapped.iter().all(|id| out_of_order.contains(id)));
    let known = |id: &String| deeds.swapped.contains(id) || deeds.delayed.contains(id);
    assert!(out_of_order.iter().all(known), "others are called out of order");
}

fn count(result: &Value, name: &str) -> u64 {
    result[name].as_u64().unwrap_or_else(|| panic!("no count {name} in {result}"))
}
