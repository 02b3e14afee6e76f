//! The Kafka sink alone, with batches made beforehand, beside librdkafka's own load tool.
//!
//! `cargo bench --bench kafka_sink`: both sides take turns on one real Kafka; medians and spread.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a benchmark prints its table")]
#![expect(clippy::unwrap_used, reason = "what fails in a benchmark fails the benchmark")]

#[path = "../tests/suite/brokers.rs"]
#[expect(dead_code, reason = "the tests use more of it")]
mod brokers;

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use brokers::kafka::KafkaServer;
use brokers::topic;
use tidegate::clock::Clock;
use tidegate::config::secret::Text;
use tidegate::publish::kafka::{Kafka, Options};
use tidegate::publish::{Outcome, Receipt, Receiver, Schedule, Sink, Slice};
use tidegate::stream::{Batch, Record};

const ROUNDS: usize = 5;
const RECORDS: u64 = 1_500_000;
const BATCH_RECORDS: u64 = 5_000;
const VALUE_BYTES: usize = 380;
const PARTITIONS: u64 = 4;

#[derive(Default)]
struct Count(AtomicU64);

impl Receiver for Count {
    fn receive(&self, receipts: &[Receipt<'_>]) {
        assert!(receipts.iter().all(|receipt| receipt.outcome == Outcome::Delivered));
        self.0.fetch_add(receipts.len() as u64, Ordering::Relaxed);
    }
}

fn batches() -> Vec<Arc<Batch>> {
    let batch = |first: u64| {
        let (mut arena, mut records) = (Vec::new(), Vec::new());
        for number in first..first + BATCH_RECORDS {
            let start = u32::try_from(arena.len()).unwrap();
            // Scattered, as hashed keys are.
            let scattered = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
            arena.extend_from_slice(format!("acct-{scattered:010}").as_bytes());
            arena.resize(arena.len() + VALUE_BYTES, b'v');
            records.push(Record {
                due_us: 0,
                start,
                key_bytes: 15,
                value_bytes: u32::try_from(VALUE_BYTES).unwrap(),
                partition: i32::try_from(scattered % PARTITIONS).unwrap(),
                stream: 0,
                header_bytes: 0,
                keyed: true,
                tombstone: false,
            });
        }
        let (arena, records) = (Arc::new(arena), Arc::new(records));
        Arc::new(Batch { window_us: 0..1, arena, records, ..Batch::default() })
    };
    (0..20).map(|index| batch(index * BATCH_RECORDS)).collect()
}

fn ours(servers: &str, batches: &[Arc<Batch>], extra: &[(String, String)]) -> f64 {
    let clock = Clock::system();
    let plain = |value: &str| Text::Plain(value.to_owned());
    let mut options = Options::default();
    options.properties.push(("bootstrap.servers".to_owned(), plain(servers)));
    for (name, value) in extra {
        options.properties.push((name.clone(), plain(value)));
    }
    let count = Arc::new(Count::default());
    let receiver: Arc<dyn Receiver> = Arc::<Count>::clone(&count);
    let mut sink = Kafka::connect(&options, &["bench".into()], receiver, clock.clone()).unwrap();
    let begin_ns = clock.now_ns();
    for index in 0..RECORDS / BATCH_RECORDS {
        // A copy, so that each counts as a batch of its own in flight.
        let batch =
            Arc::new(Batch::clone(&batches[usize::try_from(index).unwrap() % batches.len()]));
        let records = 0..batch.records.len();
        let schedule = Schedule::Unpaced { released_ns: clock.now_ns() };
        sink.publish(&Slice { batch, records, schedule }, &|| false).unwrap();
    }
    assert_eq!(sink.flush(Duration::from_mins(2), &|| false).unwrap().0, 0);
    let seconds = (clock.now_ns() - begin_ns) as f64 / 1e9;
    assert_eq!(count.0.load(Ordering::Relaxed), RECORDS);
    RECORDS as f64 / seconds
}

fn peers(tool: &str, servers: &str) -> f64 {
    let clock = Clock::system();
    let begin_ns = clock.now_ns();
    let output = Command::new(tool)
        .args(["-P", "-D", "-t", "bench", "-b", servers, "-k", "acct-0000000001", "-s"])
        .arg(VALUE_BYTES.to_string())
        .args(["-c", &RECORDS.to_string(), "-X", "enable.idempotence=true", "-X", "linger.ms=5"])
        .args(["-X", "queue.buffering.max.messages=500000", "-a", "-1"])
        .output()
        .unwrap();
    let seconds = (clock.now_ns() - begin_ns) as f64 / 1e9;
    assert!(output.status.success(), "{output:?}");
    if std::env::var_os("SHOW").is_some() {
        eprintln!("{}", String::from_utf8_lossy(&output.stdout));
        eprintln!("{}", String::from_utf8_lossy(&output.stderr));
    }
    RECORDS as f64 / seconds
}

/// Processor time so far in hundredths of a second: of this process, and of children that ended.
fn processor_ticks() -> (u64, u64) {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let after_name = stat.rsplit_once(')').unwrap().1;
    let fields: Vec<&str> = after_name.split_whitespace().collect();
    let sum = |place: usize| -> u64 {
        fields[place..place + 2].iter().map(|field| field.parse::<u64>().unwrap()).sum()
    };
    (sum(11), sum(13))
}

/// What one side did in one round.
#[derive(Clone, Copy)]
struct Round {
    records_per_second: f64,
    processor_ns: f64,
}

fn row(name: &str, rounds: &mut [Round]) -> Round {
    let mut sorted = |value: fn(&Round) -> f64| {
        rounds.sort_by(|a, b| value(a).total_cmp(&value(b)));
        (value(&rounds[0]), value(&rounds[rounds.len() / 2]), value(&rounds[rounds.len() - 1]))
    };
    let (least, median, most) = sorted(|round| round.records_per_second);
    let (_, processor_ns, _) = sorted(|round| round.processor_ns);
    print!("{name:<28} {:>6.3} M/s ({:.3}–{:.3})", median / 1e6, least / 1e6, most / 1e6);
    println!(" {processor_ns:>6.0} ns of processor time a record");
    Round { records_per_second: median, processor_ns }
}

fn main() {
    let tool = std::env::var("RDKAFKA_PERFORMANCE").unwrap_or_else(|_| {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/brokers/peers");
        let output = Command::new(script).output().unwrap();
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    });
    // `name=value` arguments are properties of our side.
    let extra: Vec<(String, String)> = std::env::args()
        .filter_map(|argument| argument.split_once('=').map(|(a, b)| (a.to_owned(), b.to_owned())))
        .collect();
    let settings = brokers::kafka::Options {
        properties: vec![("log.retention.bytes".to_owned(), "500000000".to_owned())],
        ..Default::default()
    };
    let Some(kafka) = KafkaServer::start(&settings) else { return };
    let servers = kafka.bootstrap_servers();
    topic::create(&servers, "bench", i32::try_from(PARTITIONS).unwrap(), &[]);
    let batches = batches();
    let (mut ours_rounds, mut peers_rounds) = (Vec::new(), Vec::new());
    // The first round warms the broker up.
    ours(&servers, &batches, &extra);
    let ticks_ns = |ticks: u64| ticks as f64 * 1e7 / RECORDS as f64;
    for _ in 0..ROUNDS {
        let before = processor_ticks();
        let records_per_second = ours(&servers, &batches, &extra);
        let between = processor_ticks();
        let processor_ns = ticks_ns(between.0 - before.0);
        ours_rounds.push(Round { records_per_second, processor_ns });
        let records_per_second = peers(&tool, &servers);
        let processor_ns = ticks_ns(processor_ticks().1 - between.1);
        peers_rounds.push(Round { records_per_second, processor_ns });
    }
    let ours = row("tidegate's sink", &mut ours_rounds);
    let peers = row("rdkafka_performance -D -k", &mut peers_rounds);
    let rate = ours.records_per_second / peers.records_per_second;
    let processor = ours.processor_ns / peers.processor_ns;
    println!("ratio: {rate:.2} of the rate, {processor:.2} of the processor time");
}
