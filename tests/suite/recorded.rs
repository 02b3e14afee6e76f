//! Recording topics and sending them again: the real program, real brokers, and readers of their own.

#![expect(clippy::panic, reason = "what fails here fails the test")]

mod changed;
mod kafka;
mod pulsar;
mod refused;

use std::path::Path;
use std::process::Output;
use std::time::Duration;

use serde_json::Value;

use crate::brokers;
use crate::cli::{self, Running, assert_exit, json};
use crate::docs;

/// How long a command may take on a machine that also compiles.
const LONG: Duration = Duration::from_mins(5);

/// Servers, and a folder for recordings.
struct Site {
    servers: String,
    registry: String,
    folder: tempfile::TempDir,
}

impl Site {
    /// The servers that tests share: take topics of your own.
    fn shared() -> Option<Self> {
        let servers = brokers::kafka()?.bootstrap_servers();
        let registry = brokers::registry()?.ccompat_url();
        Some(Self { servers, registry, folder: cli::folder() })
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The program with these words; `KAFKA` stands for the servers, `REGISTRY` for the registry.
    fn tidegate(&self, words: &str) -> Output {
        let words = words.replace("KAFKA", &self.servers).replace("REGISTRY", &self.registry);
        let mut command = cli::program(self.path(), &[]);
        command.args(words.split_whitespace());
        Running::start(command).wait(LONG)
    }

    /// The same; asserts that it went well, and reads its result.
    fn told(&self, words: &str) -> Value {
        let output = self.tidegate(&format!("{words} --json --quiet"));
        assert_exit(&output, 0);
        json(&output)
    }

    /// Sends payments of so much model time to topics that begin with `name`.
    fn payments(&self, name: &str, duration: &str) -> Value {
        let streams = ["authorisations", "clearings"];
        let topics =
            streams.map(|stream| format!("--set streams.{stream}.topic.name={name}.{stream} "));
        self.told(&format!(
            "run payments --to kafka -X bootstrap.servers=KAFKA --registry REGISTRY --create-topics --manifest none \
             --streams authorisations,clearings --start 2026-03-02T09:00:00Z --from 72h --duration {duration} --speed max {}",
            topics.concat()
        ))
    }
}

fn count(result: &Value, name: &str) -> u64 {
    result[name].as_u64().unwrap_or_else(|| panic!("no count {name} in {result}"))
}

#[test]
fn the_commands_of_the_page_run_at_a_real_kafka() {
    let Some(site) = Site::shared() else { return };
    let page = docs::page("replay.md");
    let commands = docs::marked(&page, "sh test").concat();
    assert!(commands.lines().count() >= 4, "{commands}");
    for command in commands.lines() {
        let command = command.replace("localhost:9092", "KAFKA");
        let command = command.replace("http://localhost:8081", "REGISTRY");
        let words = command.strip_prefix("tidegate ").unwrap();
        assert_exit(&site.tidegate(words), 0);
    }
}
