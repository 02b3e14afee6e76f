//! Batches: which stretch of model time each job makes.

use std::ops::Range;

use super::arrival::CELL_BITS;
use super::{Plan, StreamPlan};

/// Events that a batch has, about, unless told otherwise: a few milliseconds of work.
pub const BATCH_EVENTS: u32 = 4_096;

/// Ticks of a batch, at most: some milliseconds of work even if nothing happens in them.
const TICKS_MAX: f64 = 8_640.0;

/// A stretch of model time, cut into equal jobs: some ticks each, or equal parts of one.
///
/// The cut decides how the work is shared, and no byte of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batches {
    /// Microseconds of model time since the start.
    window_us: Range<u64>,
    tick_us: u64,
    /// Ticks of a job.
    ticks: u64,
    /// Jobs of a tick, a power of two, if one tick is more than a job.
    parts: u64,
    /// If the batches are those of the snapshots before the run: the streams, and how many each has.
    snapshots: Option<Vec<(usize, u64)>>,
}

/// What one job makes: events of these ticks with times in this window, both from the start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// The ticks.
    pub ticks: Range<u64>,
    /// The window in microseconds.
    pub window_us: Range<u64>,
    /// Instead of events, a part of what a stream tells before the run.
    pub snapshot: Option<Part>,
}

/// A part of a stream's snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// The number of the stream.
    pub stream: usize,
    /// Which part, from 0.
    pub part: u64,
    /// Of how many.
    pub parts: u64,
}

impl Job {
    /// The events with times in a window that is not empty.
    pub fn new(window_us: Range<u64>, tick_us: u64) -> Self {
        let last = window_us.end.saturating_sub(1).max(window_us.start) / tick_us;
        Self { ticks: window_us.start / tick_us..last + 1, window_us, snapshot: None }
    }
}

impl Batches {
    /// Cuts a window (microseconds since the plan's start) into batches of about so many events of
    /// the streams that `sends` names.
    pub fn new(
        plan: &Plan,
        sends: &dyn Fn(usize) -> bool,
        window_us: Range<u64>,
        events: u32,
    ) -> Self {
        let tick_us = plan.tick.length_us().unsigned_abs();
        let sent = || plan.streams.iter().enumerate().filter(|(number, _)| sends(*number));
        let events = u64::from(events.max(1));
        let filled = |stream: &StreamPlan| match stream.members().map(|it| it.stretch_us(events)) {
            Some(stretch_us) if stretch_us.is_finite() => tick_us as f64 / stretch_us,
            _ => stream.rate_per_s() * tick_us as f64 / 1e6 / events as f64,
        };
        let ratio = 1.0 / sent().map(|(_, stream)| filled(stream)).sum::<f64>();
        // Members are found without looking at ticks: those of a day make one batch.
        let by_ticks = sent().any(|(_, stream)| stream.members().is_none());
        let ticks_max = if by_ticks { TICKS_MAX } else { TICKS_MAX * TICKS_MAX };
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "bounded on both sides"
        )]
        let (ticks, parts) =
            (ratio.clamp(1.0, ticks_max) as u64, (1.0 / ratio).clamp(1.0, 65_536.0) as u64);
        let parts = parts.next_power_of_two().min(1 << CELL_BITS);
        Self { window_us, tick_us, ticks, parts, snapshots: None }
    }

    /// Cuts what the streams that `sends` names tell before the run into batches of about so many
    /// records.
    #[must_use]
    pub fn of_snapshots(self, plan: &Plan, sends: &dyn Fn(usize) -> bool, events: u64) -> Self {
        let streams = plan.snapshots().filter(|(number, _)| sends(*number));
        let parts = streams.map(|(number, members)| {
            let count = members.snapshot_count().unwrap_or(0);
            (number, count.div_ceil(events.max(1)).max(1))
        });
        Self { snapshots: Some(parts.collect()), ..self }
    }

    fn snapshot(&self, streams: &[(usize, u64)], mut number: u64) -> Option<Job> {
        for &(stream, parts) in streams {
            if number < parts {
                let at_us = self.window_us.start;
                let snapshot = Some(Part { stream, part: number, parts });
                let tick = at_us / self.tick_us;
                return Some(Job { ticks: tick..tick, window_us: at_us..at_us, snapshot });
            }
            number -= parts;
        }
        None
    }

    /// The job of that number; None beyond the window's end.
    pub fn job(&self, number: u64) -> Option<Job> {
        if let Some(streams) = &self.snapshots {
            return self.snapshot(streams, number);
        }
        let first_tick = self.window_us.start / self.tick_us / self.ticks * self.ticks;
        let tick = (number / self.parts).checked_mul(self.ticks)?.checked_add(first_tick)?;
        let begin_us = tick.checked_mul(self.tick_us)?;
        let length_us = self.ticks * self.tick_us;
        let at = |part: u64| begin_us.checked_add(length_us * part / self.parts);
        let part = number % self.parts;
        let (begin_us, end_us) = (at(part)?, at(part + 1)?);
        if begin_us >= self.window_us.end {
            return None;
        }
        let begin_us = begin_us.max(self.window_us.start).min(end_us);
        Some(Job::new(begin_us..end_us.min(self.window_us.end), self.tick_us))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(batches: &Batches) {
        let mut at = batches.window_us.start;
        for number in 0.. {
            let Some(job) = batches.job(number) else { break };
            if job.window_us.is_empty() {
                assert!(number < batches.parts, "only before the window's begin: {job:?}");
                continue;
            }
            assert_eq!(job.window_us.start, at);
            assert!(job.ticks.start * batches.tick_us <= job.window_us.start);
            assert!(job.ticks.end * batches.tick_us >= job.window_us.end);
            at = job.window_us.end;
        }
        assert_eq!(at, batches.window_us.end);
    }

    #[test]
    fn jobs_follow_each_other_without_gap_from_begin_to_end() {
        for window_us in [0..10_000_000, 1_234_567..9_999_999, 5..6, 99_999..100_001] {
            for (ticks, parts) in [(1, 1), (7, 1), (1, 4), (1, 128)] {
                let (window_us, snapshots) = (window_us.clone(), None);
                check(&Batches { window_us, tick_us: 100_000, ticks, parts, snapshots });
            }
        }
    }
}
