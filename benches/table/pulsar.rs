//! How fast a real Pulsar takes our events, beside the `pulsar` crate's producer and `pulsar-perf`,
//! and in how much memory.

use std::collections::VecDeque;
use std::process::Command;

use ::pulsar::producer::{Message, ProducerOptions, SendFuture};
use ::pulsar::{Pulsar, TokioExecutor};
use anyhow::{Context as _, Result, ensure};
use tidegate::clock::Clock;

use crate::program::{self, figure};
use crate::row::{Row, Verdict};
use crate::servers::{self, PulsarAddresses, Servers};
use crate::turns;

/// A model whose values have [`VALUE_BYTES`] on average, each with a key, all different.
const MODEL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/table/pulsar/transfers.toml");
const OUR_TOPIC: &str = "bench.ours";
const THEIR_TOPIC: &str = "bench.theirs";
const VALUE_BYTES: usize = 176;

/// Bytes of the model's keys: `acct-` and ten digits.
const KEY_BYTES: f64 = 15.0;

/// Lets our batches have 1,000 messages, as those of both peers do, where 128 KiB would end them before.
const BATCHES: &str = "-X batchingMaxBytes=4194304";

/// How long we and the crate send in a turn.
const SIDE_S: u64 = 10;

/// How long pulsar-perf sends in a turn: it tells its rate every 10 s, and the first time is its start.
const PERF_S: u64 = 32;

/// Messages of a batch of the crate's, and how many of its batches wait for receipts at most.
const BATCH: u32 = 1_000;
const IN_FLIGHT: usize = 8;

const MEGABYTE: f64 = 1e6;

/// Events a second to a real Pulsar, unique and made as we go, beside two that send one payload again
/// and again; and our memory.
pub(crate) fn pulsar(servers: &mut Servers) -> Result<Vec<Row>> {
    let addresses = servers.pulsar()?;
    // The broker is a JVM, which gets faster in its first seconds.
    Ours::run(&addresses)?;
    Ok(vec![beside_the_crate(&addresses)?, beside_perf(&addresses)?, memory(&addresses)?])
}

fn beside_the_crate(addresses: &PulsarAddresses) -> Result<Row> {
    let turns = turns::take(|| Ours::run(addresses).map(|it| it.rate), || crates_rate(addresses))?;
    Ok(Row {
        what: "to a real Pulsar, against the `pulsar` crate's producer, batches of 1,000, each receipt awaited",
        at_least: "4 ×",
        measured: format!("{}; {}", turns.ratios, turns.rates()),
        verdict: turns.ratios.reaches(4.0),
    })
}

fn beside_perf(addresses: &PulsarAddresses) -> Result<Row> {
    let mut bytes = 0.0;
    let ours = || {
        let run = Ours::run(addresses)?;
        bytes = run.value_bytes;
        Ok(run.rate)
    };
    let turns = turns::take(ours, || perfs_rate(addresses))?;
    Ok(Row {
        what: "to a real Pulsar, unique keyed events, against `pulsar-perf produce` without keys",
        at_least: "1.2 ×",
        measured: format!(
            "{}; {}, values of {bytes:.1} bytes on average against {VALUE_BYTES}",
            turns.ratios,
            turns.rates()
        ),
        verdict: turns.ratios.reaches(1.2),
    })
}

/// The most memory that an hour of model time takes at full speed.
fn memory(addresses: &PulsarAddresses) -> Result<Row> {
    let flags = addresses.flags();
    let (report, outside) =
        program::report_and_memory(&format!("run {MODEL} --speed max --duration 1h {flags}"))?;
    addresses.delete(OUR_TOPIC)?;
    let delivered = figure(&report, &["delivered"])?;
    // The last look from outside is a little before the end.
    let peak = figure(&report, &["memory_bytes_max"])?.max(outside as f64);
    Ok(Row {
        what: "resident memory at full speed to a real Pulsar, an hour of model time",
        at_least: "< 200 MB",
        measured: format!("{:.0} MB; {:.1} M events", peak / MEGABYTE, delivered / 1e6),
        verdict: Verdict::of(peak < 200.0 * MEGABYTE),
    })
}

/// What a run of ours came to.
struct Ours {
    rate: f64,
    value_bytes: f64,
}

impl Ours {
    fn run(addresses: &PulsarAddresses) -> Result<Self> {
        let flags = addresses.flags();
        let report =
            program::report(&format!("run {MODEL} --speed max --for {SIDE_S}s {flags} {BATCHES}"))?;
        addresses.delete(OUR_TOPIC)?;
        let (issued, delivered) = (figure(&report, &["issued"])?, figure(&report, &["delivered"])?);
        ensure!(delivered >= issued, "only {delivered} of {issued} were delivered");
        Ok(Self {
            rate: delivered / figure(&report, &["seconds"])?,
            value_bytes: figure(&report, &["bytes"])? / delivered - KEY_BYTES,
        })
    }
}

/// Messages a second of the crate's producer, as it is used where every message counts: batches, and
/// the receipt of each message awaited, with more batches on their way meanwhile.
#[expect(clippy::large_futures, reason = "a box for each message would slow the crate down")]
fn crates_rate(addresses: &PulsarAddresses) -> Result<f64> {
    // Its tasks hand each message on: across threads that takes half as long again.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let rate = runtime.block_on(async {
        let client = Pulsar::builder(&addresses.service, TokioExecutor).build().await?;
        let options = ProducerOptions {
            batch_size: Some(BATCH),
            block_queue_if_full: true,
            ..ProducerOptions::default()
        };
        let producer = client.producer().with_topic(THEIR_TOPIC).with_options(options);
        let mut producer = producer.build().await?;
        let (clock, mut sent_count) = (Clock::system(), 0);
        let begin_ns = clock.now_ns();
        let seconds = || (clock.now_ns() - begin_ns) as f64 / 1e9;
        let mut waiting: VecDeque<SendFuture> = VecDeque::new();
        while seconds() < SIDE_S as f64 {
            for _ in 0..BATCH {
                let payload = vec![b'x'; VALUE_BYTES];
                let message = Message { payload, ..Message::default() };
                waiting.push_back(producer.send_non_blocking(message).await?);
            }
            sent_count += BATCH;
            while waiting.len() > IN_FLIGHT * BATCH as usize {
                waiting.pop_front().context("one waits")?.await?;
            }
        }
        for receipt in waiting {
            receipt.await?;
        }
        let rate = f64::from(sent_count) / seconds();
        producer.close().await?;
        anyhow::Ok(rate)
    })?;
    addresses.delete(THEIR_TOPIC)?;
    Ok(rate)
}

/// Messages a second of pulsar-perf, batched as it does by itself.
fn perfs_rate(addresses: &PulsarAddresses) -> Result<f64> {
    let folder = tempfile::tempdir()?;
    let settings = folder.path().join("client.conf");
    let PulsarAddresses { service, web } = addresses;
    std::fs::write(&settings, format!("webServiceUrl={web}/\nbrokerServiceUrl={service}\n"))?;
    let mut command = Command::new("java");
    // It tells its rates in its log.
    command.args(["-Xmx1g", "-Dorg.apache.logging.log4j.level=INFO", "-cp"]);
    command.arg(servers::fetch("pulsar")?.join("libs/*"));
    command.arg("org.apache.pulsar.testclient.PulsarPerfTestTool").arg(settings);
    // Its rate has a limit, 100/s unless set, which cannot be switched off.
    command.args(["produce", "--rate", "100000000", "--size", &VALUE_BYTES.to_string()]);
    command.args(["--test-duration", &PERF_S.to_string(), THEIR_TOPIC]);
    let output = command.output().context("java starts")?;
    addresses.delete(THEIR_TOPIC)?;
    let told = String::from_utf8_lossy(&output.stdout);
    // `… Throughput produced: 5161531 msg --- 516126.6 msg/s --- …`
    let lines = told.lines().filter(|line| line.contains("Throughput produced:"));
    let rate_of = |line: &str| line.split(" msg/s").next()?.rsplit(' ').next()?.parse::<f64>().ok();
    let rates: Vec<f64> = lines.skip(1).filter_map(rate_of).collect();
    ensure!(!rates.is_empty(), "pulsar-perf told no rate: {told}");
    Ok(rates.iter().sum::<f64>() / rates.len() as f64)
}
