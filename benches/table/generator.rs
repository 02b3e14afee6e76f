//! Schemas alone, beside avro-random-generator on the same schemas.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context as _, Result, bail, ensure};
use tidegate::config::ModelSource;

use crate::models;
use crate::processor::Work;
use crate::row::Row;
use crate::servers;
use crate::turns;

const RATE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/table/generator/Rate.java");
const SCHEMAS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/schemas");
const HOUR_US: u64 = 3_600_000_000;

/// A flat transaction and a nested order.
pub(crate) fn schemas() -> Result<Vec<Row>> {
    let folder = servers::fetch("generator")?;
    let rows = [
        (
            "transactions",
            "a schema of 5 fields alone, generate + encode, one thread, against avro-random-generator",
        ),
        ("orders", "the same of a nested order with regular expressions"),
    ];
    rows.into_iter().map(|(name, what)| row(&folder, name, what)).collect()
}

fn row(folder: &Path, name: &str, what: &'static str) -> Result<Row> {
    let schema = Path::new(SCHEMAS).join(format!("{name}.avro"));
    let mut theirs = Peer::start(folder, &schema)?;
    let identity = format!("streams.{name}.identity");
    // Theirs has neither times nor identities; ours has no way to leave times out.
    let settings = [("traffic.rate", "1M/s"), (identity.as_str(), "none"), ("seed", "7")];
    let plan = models::plan_of(&ModelSource::File(schema), &settings)?;
    let mut ours = Work::of(&plan, 0..HOUR_US / 60)?;
    // A JVM compiles what it runs often: the first seconds are not counted.
    for _ in 0..3 {
        theirs.rate()?;
    }
    let turns = turns::take(|| turns::rate_of_thread(|| ours.next()), || theirs.rate())?;
    Ok(Row {
        what,
        at_least: "20 ×",
        measured: format!("{}; {}, {} bytes", turns.ratios, turns.rates(), theirs.bytes),
        verdict: turns.ratios.reaches(20.0),
    })
}

/// avro-random-generator in a JVM.
struct Peer {
    child: Child,
    ask: ChildStdin,
    answers: BufReader<ChildStdout>,
    /// Bytes of a record.
    bytes: u64,
}

impl Peer {
    fn start(folder: &Path, schema: &Path) -> Result<Self> {
        let mut command = Command::new("java");
        command.arg("-cp").arg(folder.join("libs/*")).arg(RATE).arg(schema);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let ask = child.stdin.take().context("its stdin")?;
        let answers = BufReader::new(child.stdout.take().context("its stdout")?);
        Ok(Self { child, ask, answers, bytes: 0 })
    }

    /// Records a second on its thread.
    fn rate(&mut self) -> Result<f64> {
        writeln!(self.ask)?;
        self.ask.flush()?;
        let mut line = String::new();
        ensure!(self.answers.read_line(&mut line)? > 0, "the JVM ended; it needs a JDK of 17");
        let words: Result<Vec<u64>, _> = line.split_whitespace().map(str::parse).collect();
        let [records, nanoseconds, bytes] = words?[..] else { bail!("three figures, not {line}") };
        self.bytes = bytes / records;
        Ok(records as f64 * 1e9 / nanoseconds as f64)
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // It has nothing to lose.
        let _ended = self.child.kill().and_then(|()| self.child.wait());
    }
}
