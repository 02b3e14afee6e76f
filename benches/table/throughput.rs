//! How fast a real Kafka takes our events, beside librdkafka's own load tool.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use crate::payments::START;
use crate::program::{self, figure};
use crate::row::Row;
use crate::servers::{Addresses, Servers};
use crate::turns;

/// Partitions of the topics of both sides.
const PARTITIONS: i32 = 4;

/// A key as long as the model's: `acct-` and ten digits.
const KEY: &str = "acct-0123456789";

/// How long each side of a pair should take, in seconds; at least 5.
const SIDE_S: f64 = 7.0;

/// Events of the runs that find out how fast the two sides are.
const TRIAL_EVENTS: u64 = 1_000_000;

/// Events a second to a real Kafka: made as we go, against one payload sent again and again.
pub(crate) fn throughput(servers: &mut Servers) -> Result<Vec<Row>> {
    let addresses = servers.addresses()?;
    let trial = Ours::run(&addresses, TRIAL_EVENTS)?;
    let peer = Peer { tool: tool()?, addresses: &addresses, value_bytes: trial.value_bytes };
    let our_events = events_for(trial.rate);
    let their_events = events_for(peer.run(TRIAL_EVENTS)?);
    let turns =
        turns::take(|| Ok(Ours::run(&addresses, our_events)?.rate), || peer.run(their_events))?;
    Ok(vec![Row {
        what: "to a real Kafka, acks=all, idempotent, no compression, against `rdkafka_performance -D -k …`",
        at_least: "0.85 ×",
        measured: format!(
            "{}; {}, values of {} bytes, {PARTITIONS} partitions",
            turns.ratios,
            turns.rates(),
            trial.value_bytes
        ),
        verdict: turns.ratios.reaches(0.85),
    }])
}

fn events_for(rate: f64) -> u64 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a rate is above 0 and below 2^50"
    )]
    let events = (rate * SIDE_S) as u64;
    events
}

/// What a run of ours came to.
struct Ours {
    rate: f64,
    value_bytes: u64,
}

impl Ours {
    fn run(addresses: &Addresses, events: u64) -> Result<Self> {
        let topic = "throughput.ours";
        addresses.create(topic, PARTITIONS, &[]);
        let flags = addresses.flags(topic, PARTITIONS);
        let report = program::report(&format!(
            "run payments --streams authorisations --speed max --start {START} --count {events} {flags} -X linger.ms=5"
        ))?;
        addresses.delete(topic)?;
        let delivered = figure(&report, &["delivered"])?;
        ensure!(delivered >= events as f64, "only {delivered} of {events} were delivered");
        let bytes = figure(&report, &["bytes"])? / delivered - KEY.len() as f64;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "some hundred")]
        let value_bytes = bytes.round() as u64;
        Ok(Self { rate: delivered / figure(&report, &["seconds"])?, value_bytes })
    }
}

/// librdkafka's load tool.
struct Peer<'a> {
    tool: PathBuf,
    addresses: &'a Addresses,
    value_bytes: u64,
}

impl Peer<'_> {
    /// Sends so many events; how many a second.
    fn run(&self, events: u64) -> Result<f64> {
        let topic = "throughput.theirs";
        self.addresses.create(topic, PARTITIONS, &[]);
        let mut command = Command::new(&self.tool);
        command.args(["-P", "-t", topic, "-b", &self.addresses.kafka, "-D", "-k", KEY]);
        command.args(["-s", &self.value_bytes.to_string(), "-c", &events.to_string()]);
        for property in ["enable.idempotence=true", "acks=all", "linger.ms=5"] {
            command.args(["-X", property]);
        }
        let output = command.output().context("rdkafka_performance starts")?;
        self.addresses.delete(topic)?;
        let told = String::from_utf8_lossy(&output.stdout);
        ensure!(output.status.success(), "rdkafka_performance failed: {told}");
        summary_rate(&told, events)
    }
}

/// The rate in the tool's last summary, which must tell of all events:
/// `% 1000 messages produced (… bytes), 1000 delivered (…) in 12ms: 83333 msgs/s and …`.
fn summary_rate(told: &str, events: u64) -> Result<f64> {
    let summary = told.lines().rfind(|line| line.contains(" messages produced "));
    let summary = summary.with_context(|| format!("rdkafka_performance told: {told}"))?;
    let number_before = |word: &str| {
        let before = summary.split(word).next()?;
        before.rsplit([' ', ',']).next()?.parse::<u64>().ok()
    };
    ensure!(number_before(" delivered") == Some(events), "not all was delivered: {summary}");
    let took_ms = number_before("ms: ").context("a time")?;
    Ok(events as f64 / (took_ms as f64 / 1e3))
}

/// The tool, built by `tests/brokers/peers` from the sources that our client is built from.
fn tool() -> Result<PathBuf> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/brokers/peers");
    let output = Command::new("bash").arg(script).output().context("bash starts")?;
    let told = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{}", told.trim());
    Ok(PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()))
}
