//! Rows of the table, and how they are printed.

use std::fmt::{self, Write as _};

/// One row: what is measured, what it should come to, and what it came to here.
#[derive(Debug)]
pub(crate) struct Row {
    /// What is measured.
    pub(crate) what: &'static str,
    /// What it should come to.
    pub(crate) at_least: &'static str,
    /// What it came to.
    pub(crate) measured: String,
    /// How the two compare.
    pub(crate) verdict: Verdict,
}

/// How a measured figure compares with its limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It keeps it.
    Met,
    /// It does not.
    Missed,
    /// Nothing was measured; the row says why.
    NotMeasured,
}

impl Verdict {
    /// Met or missed.
    pub(crate) fn of(is_met: bool) -> Self {
        if is_met { Self::Met } else { Self::Missed }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Met => "met",
            Self::Missed => "**missed**",
            Self::NotMeasured => "**not measured**",
        })
    }
}

/// The rows as a Markdown table.
pub(crate) fn table(rows: &[Row]) -> String {
    let mut text = "| what | at least | measured | |\n|---|---|---|---|\n".to_owned();
    for Row { what, at_least, measured, verdict } in rows {
        let line = format!("| {what} | {at_least} | {measured} | {verdict} |\n");
        text.push_str(&line);
    }
    text
}

/// The ratios of pairs of runs.
#[derive(Debug)]
pub(crate) struct Ratios(Vec<f64>);

impl Ratios {
    /// Of one or more pairs.
    pub(crate) fn new(mut ratios: Vec<f64>) -> Self {
        assert!(!ratios.is_empty(), "a ratio needs a pair of runs");
        ratios.sort_by(f64::total_cmp);
        Self(ratios)
    }

    /// The one in the middle.
    pub(crate) fn median(&self) -> f64 {
        self.0[self.0.len() / 2]
    }

    /// Whether the median is at least so much.
    pub(crate) fn reaches(&self, least: f64) -> Verdict {
        Verdict::of(self.median() >= least)
    }
}

impl fmt::Display for Ratios {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (least, most) = (self.0[0], self.0[self.0.len() - 1]);
        write!(formatter, "{:.2} × ({least:.2}–{most:.2})", self.median())
    }
}

/// The middle of several figures.
pub(crate) fn median(figures: &[f64]) -> f64 {
    Ratios::new(figures.to_vec()).median()
}

/// Times in milliseconds, named: `p50 0.3 ms, p99 1.2 ms`.
pub(crate) fn times_ms(named: &[(&str, f64)]) -> String {
    let mut text = String::new();
    for (name, time_ms) in named {
        let comma = if text.is_empty() { "" } else { ", " };
        // Writing to a string cannot fail.
        write!(text, "{comma}{name} {time_ms:.2} ms").unwrap_or_default();
    }
    text
}
