//! The command line as a user meets it: the real program, its outputs and its exit codes.

#![expect(clippy::panic, reason = "what fails here fails the test")]

mod canary;
mod delivered;
mod invocation;
mod models;
mod planned;
mod readme;
mod running;

use std::io::Read as _;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// The program under test.
const PROGRAM: &str = env!("CARGO_BIN_EXE_tidegate");

/// A small model of one stream, 1,000 events a second, and the schema that it names.
const MODEL: &str = r#"
seed  = 7
start = "2026-03-02T00:00:00Z"

[traffic]
rate = "1000/s"

[entities.account]
activity = { mean = "2/day" }

[streams.payments]
topic  = { name = "test.payments", partitions = 3 }
schema = "payment.avsc"
key    = "account"

[streams.payments.fields]
id      = "identity"
at      = "event_time"
account = { entity = "account", format = "acct-{:010}" }
amount  = { lognormal = { median = 2200, sigma = 1.3 }, min = 1, max = 1000000 }
word    = { choice = { present = 0.8, online = 0.2 } }

[sink.kafka]
"bootstrap.servers" = "127.0.0.1:1"

[registry]
url = "http://127.0.0.1:1"
"#;

pub(crate) const SCHEMA: &str = r#"{ "type": "record", "name": "Payment", "namespace": "test", "fields": [
  { "name": "id", "type": { "type": "string", "logicalType": "uuid" } },
  { "name": "at", "type": { "type": "long", "logicalType": "timestamp-micros" } },
  { "name": "account", "type": "string" },
  { "name": "amount", "type": "long" },
  { "name": "word", "type": "string" } ] }"#;

/// A folder with [`MODEL`] as `model.toml`.
pub(crate) fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("model.toml"), MODEL).unwrap();
    std::fs::write(folder.path().join("payment.avsc"), SCHEMA).unwrap();
    folder
}

/// The program, to be run in `folder` with nothing of the caller's environment that it reads.
pub(crate) fn program(folder: &Path, words: &[&str]) -> Command {
    let mut command = Command::new(PROGRAM);
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("TIDEGATE_")) {
        command.env_remove(name);
    }
    command.current_dir(folder).args(words).stdin(Stdio::null());
    command
}

/// Runs the program to its end.
pub(crate) fn run(folder: &Path, words: &[&str]) -> Output {
    program(folder, words).output().unwrap()
}

pub(crate) fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// The one JSON object on stdout.
pub(crate) fn json(output: &Output) -> serde_json::Value {
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}{}", stdout(output), stderr(output)))
}

/// Asserts the exit code, and shows both outputs if it is another.
pub(crate) fn assert_exit(output: &Output, code: i32) {
    let found = output.status.code();
    assert_eq!(found, Some(code), "stdout: {}\nstderr: {}", stdout(output), stderr(output));
}

/// A program that runs until it is told to stop; it is killed if the test fails.
pub(crate) struct Running(Option<Child>);

impl Running {
    pub(crate) fn start(mut command: Command) -> Self {
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        Self(Some(command.spawn().unwrap()))
    }

    /// Sends a signal by name, as a shell does.
    pub(crate) fn signal(&self, name: &str) {
        let id = self.0.as_ref().unwrap().id().to_string();
        let sent = Command::new("kill").args(["-s", name, &id]).status().unwrap();
        assert!(sent.success());
    }

    /// Leaves without reading what it writes to stdout.
    fn close_stdout(&mut self) {
        drop(self.0.as_mut().unwrap().stdout.take());
    }

    /// Whether it has not ended yet.
    pub(crate) fn goes_on(&mut self) -> bool {
        self.0.as_mut().is_some_and(|child| child.try_wait().unwrap().is_none())
    }

    /// Waits for the end, at most `patience`.
    pub(crate) fn wait(mut self, patience: Duration) -> Output {
        let mut child = self.0.take().unwrap();
        let (out, mut err) = (child.stdout.take(), child.stderr.take().unwrap());
        let out = std::thread::spawn(move || {
            let mut bytes = Vec::new();
            out.map_or(Ok(0), |mut out| out.read_to_end(&mut bytes)).map(|_| bytes)
        });
        let err = std::thread::spawn(move || {
            let mut bytes = Vec::new();
            err.read_to_end(&mut bytes).map(|_| bytes)
        });
        let began = now();
        let status = loop {
            if let Some(status) = child.try_wait().unwrap() {
                break status;
            }
            if began.elapsed() > patience {
                child.kill().unwrap();
                child.wait().unwrap();
                let told = String::from_utf8(err.join().unwrap().unwrap()).unwrap();
                panic!("still running after {patience:?}: {told}");
            }
            pause(Duration::from_millis(20));
        };
        let (stdout, stderr) = (out.join().unwrap().unwrap(), err.join().unwrap().unwrap());
        Output { status, stdout, stderr }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(child) = &mut self.0 {
            drop(child.kill());
            drop(child.wait());
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "a test of a process waits by the real clock")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

#[expect(clippy::disallowed_methods, reason = "a test of a process waits by the real clock")]
pub(crate) fn pause(duration: Duration) {
    std::thread::sleep(duration);
}

/// Waits until `condition` holds, at most 20 seconds.
pub(crate) fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let began = now();
    while !condition() {
        assert!(began.elapsed() < Duration::from_secs(20), "waited in vain for {what}");
        pause(Duration::from_millis(20));
    }
}
