//! Two sides that take turns.

use anyhow::Result;
use tidegate::clock::Clock;

use crate::row::{Ratios, median};

/// How many pairs of runs a ratio is the median of.
pub(crate) const PAIRS: usize = 5;

/// How long each side of a pair runs on the processor alone, in seconds.
const SIDE_S: f64 = 1.0;

/// What came of taking turns.
#[derive(Debug)]
pub(crate) struct Turns {
    /// How many times as fast we are, pair by pair.
    pub(crate) ratios: Ratios,
    /// Our events a second, the median.
    pub(crate) ours: f64,
    /// Theirs.
    pub(crate) theirs: f64,
}

/// Runs both sides in turns; each gives its events a second. Who begins alternates, so that a
/// machine that gets slower favours neither.
pub(crate) fn take(
    mut ours: impl FnMut() -> Result<f64>,
    mut theirs: impl FnMut() -> Result<f64>,
) -> Result<Turns> {
    let (mut our_rates, mut their_rates) = (Vec::new(), Vec::new());
    for pair in 0..PAIRS {
        if pair % 2 == 0 {
            our_rates.push(ours()?);
            their_rates.push(theirs()?);
        } else {
            their_rates.push(theirs()?);
            our_rates.push(ours()?);
        }
    }
    let pairs = our_rates.iter().zip(&their_rates);
    Ok(Turns {
        ratios: Ratios::new(pairs.map(|(ours, theirs)| ours / theirs).collect()),
        ours: median(&our_rates),
        theirs: median(&their_rates),
    })
}

/// Calls `step` again and again for about a second; it gives how many events it handled. Returns
/// events a second.
pub(crate) fn rate(mut step: impl FnMut() -> Result<usize>) -> Result<f64> {
    let clock = Clock::system();
    let begin_ns = clock.now_ns();
    let mut events = 0;
    loop {
        events += step()?;
        let seconds = (clock.now_ns() - begin_ns) as f64 / 1e9;
        if seconds >= SIDE_S {
            return Ok(events as f64 / seconds);
        }
    }
}

impl Turns {
    /// Both sides' nanoseconds an event.
    pub(crate) fn times(&self) -> String {
        format!("{:.0} ns against {:.0} ns an event", 1e9 / self.ours, 1e9 / self.theirs)
    }

    /// Both sides' events a second, in millions.
    pub(crate) fn rates(&self) -> String {
        format!("{:.2} M/s against {:.2} M/s", self.ours / 1e6, self.theirs / 1e6)
    }
}
