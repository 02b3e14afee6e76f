//! How a window is cut into stretches that are counted one by one.

use std::ops::Range;

use super::{Asked, HOUR_US, SECOND_US, sends};
use crate::plan::Plan;

/// Looks at root events in one job, about: fewer take less room, more find each hour's means once.
const JOB_LOOKS: f64 = 262_144.0;

/// What a step from a lane and tick costs, in looks at events.
const LANE_LOOKS: f64 = 0.5;

/// Stretches whose followers stand for those of the whole window, at most this long each.
const PIECE_US: u64 = HOUR_US / 4;

/// Points of the window at which it is asked how far back delays reach.
const POINTS: u64 = 16;

/// A part of the window that lies in one hour.
#[derive(Clone, Debug)]
pub(super) struct Stretch {
    /// Microseconds since the start.
    pub(super) window_us: Range<u64>,
    /// What is counted in it.
    pub(super) what: What,
}

/// What is counted in a stretch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    /// All streams.
    All,
    /// Streams that do not follow others.
    Unfollowing,
    /// Those that do; they stand for those of a piece of so many microseconds.
    Following(u64),
}

/// The stretches of a window.
#[derive(Debug)]
pub(super) struct Jobs {
    window_us: Range<u64>,
    /// The length of a job, of which a whole number makes an hour.
    length_us: u64,
    estimated: Option<Estimated>,
}

/// In which stretches is looked for what follows, if it is estimated.
#[derive(Clone, Copy, Debug)]
struct Estimated {
    /// How long they are.
    looked_us: u64,
    /// They begin so many microseconds after their piece, times a whole number.
    step_us: u64,
}

impl Stretch {
    /// The seconds since the start that it touches.
    pub(super) fn seconds(&self) -> Range<u64> {
        self.window_us.start / SECOND_US..self.window_us.end.div_ceil(SECOND_US)
    }

    /// The ticks that it touches.
    pub(super) fn ticks(&self, tick_us: u64) -> Range<u64> {
        self.window_us.start / tick_us..self.window_us.end.div_ceil(tick_us)
    }

    /// The ticks that lie in it.
    pub(super) fn whole_ticks(&self, tick_us: u64) -> Range<u64> {
        let (first, end) = (self.window_us.start.div_ceil(tick_us), self.window_us.end / tick_us);
        first..end.max(first)
    }
}

impl Jobs {
    pub(super) fn new(plan: &Plan, asked: &Asked, window_us: Range<u64>) -> Self {
        let tick_us = plan.tick.length_us().unsigned_abs();
        let (looks, per_s) = looks(plan, asked, &window_us);
        let share = asked.looks_max / looks;
        if share < 1.0 {
            let step_us = tick_us.max(SECOND_US);
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "below 1")]
            let looked_us = (PIECE_US as f64 * share) as u64 / step_us * step_us;
            let estimated = Some(Estimated { looked_us: looked_us.max(step_us), step_us });
            return Self { window_us, length_us: HOUR_US, estimated };
        }
        // Of the divisors of an hour, the greatest that is not too long: whole seconds and ticks.
        let lengths = [1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1_200, 1_800, 3_600];
        let tick_s = tick_us.div_ceil(SECOND_US);
        let length_s = JOB_LOOKS / per_s;
        let fits = |length: &u64| length.is_multiple_of(tick_s) && *length as f64 <= length_s;
        let length_s = lengths.into_iter().rev().find(fits).unwrap_or(tick_s);
        Self { window_us, length_us: length_s * SECOND_US, estimated: None }
    }

    /// The share of the window in which what follows is looked for.
    pub(super) fn looked_at(&self) -> f64 {
        self.estimated.map_or(1.0, |it| it.looked_us as f64 / PIECE_US as f64)
    }

    /// How many jobs look at what one stream sends.
    pub(super) fn count(&self) -> u64 {
        let length_us = self.estimated.map_or(self.length_us, |_| PIECE_US);
        (self.window_us.end - self.window_us.start).div_ceil(length_us) + 1
    }

    /// The stretch of that number; none beyond the window.
    pub(super) fn job(&self, number: u64) -> Option<Stretch> {
        let Some(Estimated { looked_us, step_us }) = self.estimated else {
            let window_us = self.part(self.length_us, number)?;
            return Some(Stretch { window_us, what: What::All });
        };
        if let Some(window_us) = self.part(self.length_us, number) {
            return Some(Stretch { window_us, what: What::Unfollowing });
        }
        let before =
            self.window_us.end.div_ceil(self.length_us) - self.window_us.start / self.length_us;
        let piece = self.part(PIECE_US, number - before)?;
        let length_us = piece.end - piece.start;
        let looked_us = looked_us.min(length_us);
        let from_us = piece.start + (length_us - looked_us) / 2 / step_us * step_us;
        let window_us = from_us..from_us + looked_us;
        Some(Stretch { window_us, what: What::Following(length_us) })
    }

    /// The part of the window in the slot of that number, of slots of one length.
    fn part(&self, length_us: u64, number: u64) -> Option<Range<u64>> {
        let begin_us = self.window_us.start / length_us + number;
        let begin_us = begin_us.checked_mul(length_us)?;
        let end_us = begin_us.saturating_add(length_us).min(self.window_us.end);
        let begin_us = begin_us.max(self.window_us.start);
        (begin_us < end_us).then_some(begin_us..end_us)
    }
}

/// How many looks at root events it takes to find all that follows in a window, about, and in a
/// second at most in one stream.
fn looks(plan: &Plan, asked: &Asked, window_us: &Range<u64>) -> (f64, f64) {
    let lanes_per_s = f64::from(plan.lanes) * 1e6 / plan.tick.length_us() as f64;
    let length_us = window_us.end - window_us.start;
    let (mut sum, mut most) = (0.0, 0.0_f64);
    for (number, stream) in plan.streams.iter().enumerate() {
        let Some(follow_up) = stream.follow_up().filter(|_| sends(&asked.routes, number)) else {
            continue;
        };
        let steps = follow_up.above[1..].iter().filter_map(|&it| plan.streams[it].follow_up());
        let steps: Vec<_> = steps.chain([follow_up]).map(|it| &it.step).collect();
        let of_lanes = lanes_per_s * LANE_LOOKS * steps.len() as f64;
        let per_s = plan.streams[follow_up.above[0]].rate_per_s() + of_lanes;
        for point in 0..POINTS {
            let at_us = window_us.start + length_us / (2 * POINTS) * (2 * point + 1);
            let looks = steps.iter().map(|step| step.looks(at_us)).fold(1.0, f64::min);
            sum += looks * per_s * length_us as f64 / POINTS as f64 / 1e6;
        }
        most = most.max(per_s);
    }
    (sum, most)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(jobs: &Jobs) {
        let mut at_us = [jobs.window_us.start; 2];
        let mut looked_us = 0;
        for number in 0.. {
            let Some(Stretch { window_us, what }) = jobs.job(number) else { break };
            assert_eq!(window_us.start / HOUR_US, (window_us.end - 1) / HOUR_US, "one hour");
            if let What::Following(of_us) = what {
                assert!(window_us.start >= at_us[1] && window_us.end <= at_us[1] + of_us);
                looked_us += window_us.end - window_us.start;
                at_us[1] += of_us;
            } else {
                assert_eq!(window_us.start, at_us[0]);
                at_us[0] = window_us.end;
            }
        }
        assert_eq!(at_us[0], jobs.window_us.end);
        if jobs.estimated.is_some() {
            assert_eq!(at_us[1], jobs.window_us.end);
            let share = looked_us as f64 / (jobs.window_us.end - jobs.window_us.start) as f64;
            assert!((share / jobs.looked_at() - 1.0).abs() < 0.1, "{share}");
        }
    }

    #[test]
    fn stretches_follow_each_other_without_gap_and_stand_for_all_of_the_window() {
        let long_us = 30 * HOUR_US + 1_234_567..100 * HOUR_US + 5;
        for window_us in [0..HOUR_US, 5..6, HOUR_US - 1..HOUR_US + 1, long_us.clone()] {
            check(&Jobs { window_us, length_us: 300 * SECOND_US, estimated: None });
        }
        let estimated = Estimated { looked_us: 30 * SECOND_US, step_us: 10 * SECOND_US };
        check(&Jobs { window_us: long_us, length_us: HOUR_US, estimated: Some(estimated) });
    }
}
