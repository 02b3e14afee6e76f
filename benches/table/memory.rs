//! Resident memory for few accounts and for many.

use anyhow::{Result, ensure};

use crate::program;
use crate::row::{Row, Verdict};

const MEGABYTE: f64 = 1e6;

/// A run at full speed to nowhere, once with a thousand accounts and once with a hundred million.
///
/// The number of accounts is the rate over each account's activity; the rate stays as it is.
pub(crate) fn memory(seconds: u64) -> Result<Vec<Row>> {
    let few = peak("43200/day", seconds)?;
    let many = peak("0.432/day", seconds)?;
    let apart = (many - few).abs();
    let limit = 150.0 * MEGABYTE;
    Ok(vec![Row {
        what: "resident memory at full speed to `null`, 10^3 and 10^8 accounts",
        at_least: "< 150 MB, equal within 10 MB",
        measured: format!(
            "{:.1} MB and {:.1} MB, {:.1} MB apart; {seconds} s each",
            few / MEGABYTE,
            many / MEGABYTE,
            apart / MEGABYTE
        ),
        verdict: Verdict::of(few < limit && many < limit && apart <= 10.0 * MEGABYTE),
    }])
}

fn peak(activity: &str, seconds: u64) -> Result<f64> {
    let (report, outside) = program::report_and_memory(&format!(
        "run payments --streams authorisations --to null --speed max --for {seconds}s --quiet --manifest none \
         --set entities.account.activity.mean={activity}"
    ))?;
    ensure!(program::figure(&report, &["delivered"])? > 0.0, "nothing was made");
    let told = program::figure(&report, &["memory_bytes_max"])?;
    // The last look from outside is a little before the end.
    Ok(told.max(outside as f64))
}
