//! Instructions an event, counted by callgrind: the same figure on a noisy machine too.

use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use crate::payments;
use crate::processor::Work;
use crate::row::{Row, Verdict};

/// What was counted when the figure was last looked at.
const REFERENCE: &str = include_str!("../instructions.txt");

/// By how much a count may differ from the reference.
const TOLERANCE: f64 = 0.03;

/// Batches of the two runs; what starting takes is in both.
const BATCHES: [u64; 2] = [4, 24];

/// The first word that makes this program the one that is counted.
pub(crate) const COUNTED: &str = "count-instructions-of";

/// Instructions to generate and encode an event, on one thread.
pub(crate) fn instructions() -> Result<Vec<Row>> {
    let reference: f64 = REFERENCE.trim().parse().context("benches/instructions.txt")?;
    let [(short, few), (long, many)] = [counted(BATCHES[0])?, counted(BATCHES[1])?];
    let each = (long - short) / (many - few);
    let change = each / reference - 1.0;
    let is_as_before = change.abs() <= TOLERANCE;
    let renew = if is_as_before { "" } else { "; if meant, put it into benches/instructions.txt" };
    Ok(vec![Row {
        what: "instructions to generate + encode an event (callgrind; AVX2)",
        at_least: "the reference ± 3 %",
        measured: format!("{each:.0}; {:+.1} % of {reference:.0}{renew}", change * 100.0),
        verdict: Verdict::of(is_as_before),
    }])
}

/// Makes so many batches and prints how many events they have: what runs under callgrind.
pub(crate) fn count(batches: &str) -> Result<String> {
    let mut work = Work::new(&payments::plan()?)?;
    let mut events = 0;
    for _ in 0..batches.parse::<u64>()? {
        events += work.next()?;
    }
    Ok(events.to_string())
}

/// Instructions of the whole process for so many batches, and their events.
fn counted(batches: u64) -> Result<(f64, f64)> {
    let mut command = Command::new("valgrind");
    command.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]);
    command.arg(std::env::current_exe()?).args([COUNTED, &batches.to_string()]);
    let output = command.output().context("valgrind is missing")?;
    let told = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "valgrind failed: {told}");
    let line = told.lines().find_map(|line| line.split("Collected : ").nth(1));
    let count = line.context("callgrind tells no count")?.trim().parse()?;
    let events = String::from_utf8_lossy(&output.stdout).trim().parse()?;
    Ok((count, events))
}
