//! Stretches: the rows of a rare follow-up, found for many jobs at once.
//!
//! What leads to the events of a tick lies in as many hours before it as there are classes, and
//! each of these hours has rates of its own. To look there is most of the work for a stream that has
//! a few rows a job, and little more for the ticks of twenty jobs than for those of one.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use super::rows::Rows;
use crate::plan::Plan;
use crate::plan::follow_up::FollowUp;

/// Root events that a stretch looks at, about.
const ROOTS: f64 = 8_192.0;
/// How many times the rate is counted where there are scenarios: rows of far more roots are found
/// without taking much memory then.
const PHASED: f64 = 16.0;
/// The most seconds of a stretch: where roots are so rare that it would be longer, a job is long too.
const SECONDS_MAX: f64 = 60.0;
/// The most rows of a stretch. A stream that has more finds them job by job, so that threads do not
/// wait for each other.
const ROWS_MAX: usize = 512;
/// The stretches of a stream that are kept: jobs in the making lie in two.
const KEPT: usize = 3;

/// The stretches of a stream.
#[derive(Debug)]
pub(super) struct Stretches {
    /// Ticks of a stretch.
    ticks: u64,
    /// Ticks that anything is asked of.
    window: Range<u64>,
    known: Mutex<BTreeMap<u64, Arc<Stretch>>>,
    /// Whether the stream has too many rows.
    is_dense: AtomicBool,
}

/// Some ticks of a stream.
#[derive(Debug)]
pub(super) struct Stretch {
    ticks: Range<u64>,
    /// Whether a thread has begun to find its rows.
    is_begun: AtomicBool,
    rows: OnceLock<Rows>,
}

impl Stretches {
    /// Stretches of the ticks of a window, in microseconds since the start; None: they would be too long.
    pub(super) fn new(plan: &Plan, follow_up: &FollowUp, window_us: &Range<u64>) -> Option<Self> {
        let tick_us = plan.tick.length_us().unsigned_abs();
        // Phases may multiply the rate by much.
        let times = if plan.scenarios.phases.is_empty() { 1.0 } else { PHASED };
        let seconds = ROOTS / (plan.streams[follow_up.above[0]].rate_per_s() * times);
        if seconds > SECONDS_MAX {
            return None;
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "above 0 and at most a minute"
        )]
        let ticks = ((seconds * 1e6) as u64 / tick_us).max(1);
        let window = window_us.start / tick_us..window_us.end.div_ceil(tick_us);
        let known = Mutex::default();
        Some(Self { ticks, window, known, is_dense: AtomicBool::new(false) })
    }

    /// The stretches that some ticks lie in; none of a stream that has too many rows.
    pub(super) fn over(&self, ticks: &Range<u64>) -> Option<Vec<Arc<Stretch>>> {
        if self.is_dense.load(Ordering::Relaxed) {
            return None;
        }
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let first = ticks.start / self.ticks;
        let stretches = (first..ticks.end.div_ceil(self.ticks)).map(|number| {
            if !known.contains_key(&number) && known.len() >= KEPT {
                known.pop_first();
            }
            let stretch = known.entry(number).or_insert_with(|| {
                let start = (number * self.ticks).max(self.window.start.min(ticks.start));
                let end = ((number + 1) * self.ticks).min(self.window.end.max(ticks.end));
                Arc::new(Stretch {
                    ticks: start..end,
                    is_begun: AtomicBool::new(false),
                    rows: OnceLock::new(),
                })
            });
            Arc::clone(stretch)
        });
        Some(stretches.collect())
    }

    /// The rows of a stretch, which `find` puts into the last argument if nobody has found them yet.
    pub(super) fn rows<'a>(
        &self,
        stretch: &'a Stretch,
        find: impl FnOnce(&Range<u64>, &mut Rows),
    ) -> &'a Rows {
        stretch.rows.get_or_init(|| {
            let mut rows = Rows::default();
            find(&stretch.ticks, &mut rows);
            if rows.list.len() > ROWS_MAX {
                self.is_dense.store(true, Ordering::Relaxed);
            }
            rows
        })
    }
}

impl Stretch {
    /// Whether nobody has begun with it, and the caller shall.
    pub(super) fn begin(&self) -> bool {
        !self.is_begun.swap(true, Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::super::rows::Row;
    use super::*;

    fn of_ten_ticks() -> Stretches {
        Stretches {
            ticks: 10,
            window: 5..35,
            known: Mutex::default(),
            is_dense: AtomicBool::new(false),
        }
    }

    #[test]
    fn stretches_cover_a_job_and_end_with_the_window() {
        let all = of_ten_ticks();
        let over = |ticks: Range<u64>| -> Vec<(u64, u64)> {
            let over = all.over(&ticks).unwrap();
            over.iter().map(|stretch| (stretch.ticks.start, stretch.ticks.end)).collect()
        };
        assert_eq!(over(5..6), [(5, 10)]);
        assert_eq!(over(8..31), [(5, 10), (10, 20), (20, 30), (30, 35)]);
        // What a library asks for beyond its window.
        assert_eq!(over(41..43), [(40, 43)]);
        assert_eq!(all.known.lock().unwrap().len(), KEPT);
    }

    #[test]
    fn a_stretch_is_found_once_and_a_dense_stream_has_none() {
        let all = of_ten_ticks();
        let stretch = all.over(&(12..13)).unwrap().remove(0);
        assert!(stretch.begin() && !stretch.begin());
        let row = Row { time_us: 1, number: 0, child: 0, above: 0, ordinal: 0 };
        for _ in 0..2 {
            let rows = all.rows(&stretch, |ticks, rows| {
                assert_eq!(*ticks, 10..20);
                rows.list.push(row);
            });
            assert_eq!(rows.list, [row], "found once");
        }
        let next = all.over(&(20..21)).unwrap().remove(0);
        all.rows(&next, |_, rows| rows.list.resize(ROWS_MAX + 1, row));
        assert!(all.over(&(21..22)).is_none());
    }
}
