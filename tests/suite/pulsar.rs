//! The whole way to Pulsar: the real program against a real standalone, read back by another client.

#![expect(clippy::panic, reason = "what fails here fails the test")]

mod arrival;
mod exactly_once;
mod faults;
mod guarded;
mod injected;
mod keys;
mod lag;
mod played;
mod page;
pub(crate) mod reader;
mod read_back;

use std::process::{Command, Output};
use std::time::Duration;

use crate::brokers::{self, pulsar::PulsarServer};
use crate::cli::{self, Running};

/// How long a run may take on a machine that also compiles.
const LONG: Duration = Duration::from_mins(5);

/// A broker, and a folder with the small model.
struct Site<'a> {
    server: &'a PulsarServer,
    folder: tempfile::TempDir,
}

impl Site<'static> {
    /// The broker that tests share: take topics of your own.
    fn shared() -> Option<Self> {
        Some(Self::at(brokers::pulsar()?))
    }
}

impl<'a> Site<'a> {
    fn at(server: &'a PulsarServer) -> Self {
        Self { server, folder: cli::folder() }
    }

    /// The program with these flags, pointed at the broker.
    fn command(&self, flags: &str) -> Command {
        let mut command = cli::program(self.folder.path(), &["run"]);
        command.args(flags.split_whitespace()).args(["--to", "pulsar"]);
        command.arg("-X").arg(format!("serviceUrl={}", self.server.service_url()));
        command.arg("-X").arg(format!("webServiceUrl={}", self.server.web_url()));
        command.args(["--quiet", "--json", "--digest"]);
        command
    }

    /// Waits until something is in a topic: `path` is that of its statistics.
    fn wait_for_messages(&self, path: &str) {
        brokers::wait_for("messages in the topic", Duration::from_mins(1), || {
            let (_, stats) = self.server.answer("GET", path, "").ok()?;
            let stats: serde_json::Value = serde_json::from_slice(&stats).ok()?;
            (stats["msgInCounter"].as_u64()? > 0).then_some(())
        });
    }

    fn run(&self, flags: &str) -> Output {
        Running::start(self.command(flags)).wait(LONG)
    }
}

/// The flags that send the small model's stream to a topic.
fn small(topic: &str) -> String {
    format!("model.toml --set streams.payments.topic.name={topic}")
}
