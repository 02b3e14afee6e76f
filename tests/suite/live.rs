//! The whole way: the real program against a real Kafka and a real registry, read back by others.

#![expect(clippy::panic, reason = "what fails here fails the test")]

pub(crate) mod arrival;
mod compacted;
mod faults;
pub(crate) mod injected;
mod lag;
mod refusals;
mod stopped;
mod together;
mod wire;

use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use serde_json::Value;

use crate::brokers::{self, kafka::KafkaServer};
use crate::cli::{self, Running};

/// How long a run may take on a machine that also compiles.
const LONG: Duration = Duration::from_mins(5);

/// Where a run goes: servers, and a folder with the small model.
struct Site {
    servers: String,
    registry: String,
    folder: tempfile::TempDir,
}

impl Site {
    /// The servers that tests share: take topics of your own.
    fn shared() -> Option<Self> {
        Self::at(brokers::kafka()?)
    }

    /// A Kafka of the test's own, and the registry that tests share.
    fn at(kafka: &KafkaServer) -> Option<Self> {
        let registry = brokers::registry()?.ccompat_url();
        Some(Self { servers: kafka.bootstrap_servers(), registry, folder: cli::folder() })
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    /// `run` with these flags, pointed at the servers.
    fn command(&self, flags: &str) -> Command {
        let mut command = cli::program(self.path(), &["run"]);
        command.args(flags.split_whitespace());
        command.arg("-X").arg(format!("bootstrap.servers={}", self.servers));
        command.args(["--registry", &self.registry, "--quiet", "--json", "--digest"]);
        command
    }

    fn run(&self, flags: &str) -> Output {
        Running::start(self.command(flags)).wait(LONG)
    }
}

/// The flags that send the small model's stream to a topic.
fn small(topic: &str) -> String {
    format!("model.toml --to kafka --create-topics --set streams.payments.topic.name={topic}")
}

/// The flags that send the payments to a topic.
fn payments(topic: &str) -> String {
    format!(
        "payments --streams authorisations --to kafka --create-topics --set streams.authorisations.topic.name={topic}"
    )
}

fn count(result: &Value, name: &str) -> u64 {
    result[name].as_u64().unwrap_or_else(|| panic!("no count {name} in {result}"))
}

/// What the metrics endpoint on a port of loopback says of a metric, all labels added up.
pub(crate) fn metric(port: u16, name: &str) -> Option<f64> {
    use std::io::{Read as _, Write as _};
    let mut stream = std::net::TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream
        .write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        .ok()?;
    let mut text = String::new();
    stream.read_to_string(&mut text).ok()?;
    let lines = text.lines().filter(|line| line.split([' ', '{']).next() == Some(name));
    let values = lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok());
    values.reduce(|sum, value| sum + value)
}
