//! The table of figures, beside the peers, on this machine: `make bench`.
//!
//! Rows can be chosen by name: `make bench ROWS="encode pacing"`. `BENCH_FULL=1` makes those rows
//! longer that are shortened for a quick look. No row asserts: a missed figure is shown as missed.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a table is for people")]

mod arrival;
#[expect(dead_code, reason = "the tests use more of it")]
#[path = "../../tests/suite/brokers.rs"]
mod brokers;
mod forecast;
mod generator;
mod instructions;
mod memory;
mod models;
mod pacing;
mod payments;
mod peer;
mod processor;
mod program;
mod pulsar;
mod row;
mod servers;
mod start;
mod throughput;
mod turns;

use std::process::ExitCode;

use anyhow::{Result, ensure};

use row::{Row, Verdict};
use servers::Servers;

/// What rows share.
struct Bench {
    servers: Servers,
    /// Whether rows take as long as the table says.
    is_full: bool,
}

/// Measures what one name stands for.
type Measure = fn(&mut Bench) -> Result<Vec<Row>>;

/// The rows, in the order of the table; a name may stand for more than one.
const ROWS: [(&str, Measure); 15] = [
    ("encode", |_| processor::encode()),
    ("generate", |_| processor::generate()),
    ("threads", |_| processor::threads()),
    ("kafka", |bench| throughput::throughput(&mut bench.servers)),
    ("pulsar", |bench| pulsar::pulsar(&mut bench.servers)),
    ("models", |_| models::models()),
    ("schemas", |_| generator::schemas()),
    ("bars", |_| models::bars()),
    ("days", |_| models::days()),
    ("plan", |_| forecast::forecast()),
    ("memory", |bench| memory::memory(bench.seconds(15, 60))),
    ("pacing", |bench| pacing::pacing(bench.seconds(20, 60))),
    ("kafka-pacing", |bench| {
        let seconds = bench.seconds(20, 60);
        arrival::arrival(&mut bench.servers, seconds)
    }),
    ("start", |_| start::start()),
    ("instructions", |_| instructions::instructions()),
];

impl Bench {
    fn seconds(&self, quick: u64, full: u64) -> u64 {
        if self.is_full { full } else { quick }
    }
}

fn main() -> ExitCode {
    // `cargo bench` adds a flag of its own.
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let done = match words.as_slice() {
        [first, batches] if first == instructions::COUNTED => instructions::count(batches),
        names => print(names),
    };
    match done {
        Ok(text) => {
            println!("{text}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// The table of the rows of these names; of all, if there are none.
fn print(names: &[String]) -> Result<String> {
    let known = ROWS.map(|(name, _)| name);
    for name in names {
        ensure!(
            known.contains(&name.as_str()),
            "there is no row `{name}`; rows: {}",
            known.join(", ")
        );
    }
    let is_full = std::env::var("BENCH_FULL").is_ok_and(|value| value == "1");
    let mut bench = Bench { servers: Servers::default(), is_full };
    let mut rows = Vec::new();
    for (name, measure) in ROWS {
        if names.is_empty() || names.iter().any(|it| it == name) {
            eprintln!("bench: {name}");
            rows.extend(measure(&mut bench).unwrap_or_else(|error| vec![failed(name, &error)]));
        }
    }
    Ok(format!("{}\n\n{}", machine(), row::table(&rows).trim_end()))
}

fn failed(name: &'static str, error: &anyhow::Error) -> Row {
    // A line break would end the table.
    let measured = format!("{error:#}").replace('\n', " ");
    Row { what: name, at_least: "", measured, verdict: Verdict::NotMeasured }
}

/// Cores, processor, memory and kernel, in a line.
fn machine() -> String {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let field = |text: &str, name: &str| {
        let line = text.lines().find(|line| line.starts_with(name));
        let value = line.and_then(|line| line.split_once(':'));
        value.map_or_else(|| "unknown".to_owned(), |(_, value)| value.trim().to_owned())
    };
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    format!(
        "{cores} cores, {}, {} of memory, Linux {}, load {} when it ended",
        field(&read("/proc/cpuinfo"), "model name"),
        field(&read("/proc/meminfo"), "MemTotal"),
        read("/proc/sys/kernel/osrelease").trim(),
        read("/proc/loadavg").split(' ').next().unwrap_or_default(),
    )
}
