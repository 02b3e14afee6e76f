//! How a window is cut into stretches that are counted one by one.

use std::ops::Range;

use super::{Asked, HOUR_US, SECOND_US, sends};
use crate::plan::Plan;

/// Looks at root events in one job, about: fewer take less room, more find each hour's means once.
const JOB_LOOKS: f64 = 262_144.0;

/// What a step from a lane and tick costs, in looks at events.
const LANE_LOOKS: f64 = 0.5;

/// How long pieces are, at least, of which a part is looked at for what follows.
const PIECE_US: u64 = HOUR_US / 4;

/// How many there are, at most, about: to find what follows takes some work in the shortest part.
const PIECES_MAX: u64 = 2_000;

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
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum What {
    /// All streams.
    All,
    /// Streams that do not follow others.
    Unfollowing,
    /// Those that do; they stand for those of a piece, in microseconds since the start.
    Following(Range<u64>),
}

/// The stretches of a window; in each, the same phases hold all along.
#[derive(Debug)]
pub(super) struct Jobs {
    list: Vec<Stretch>,
    /// How many of them look at what one stream sends.
    of_stream: u64,
    /// The share of the window in which what follows is looked for.
    looked_at: f64,
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
    pub(super) fn new(plan: &Plan, asked: &Asked, window_us: &Range<u64>) -> Self {
        let tick_us = plan.tick.length_us().unsigned_abs();
        let (looks, per_s) = looks(plan, asked, window_us);
        let cuts = Cuts::new(asked, window_us);
        let share = asked.looks_max / looks;
        if share < 1.0 {
            // What is no more than estimated need not take as long.
            return Self::estimated(&cuts, share / 4.0, tick_us.max(SECOND_US));
        }
        // Of the divisors of an hour, the greatest that is not too long: whole seconds and ticks.
        let lengths = [1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1_200, 1_800, 3_600];
        let tick_s = tick_us.div_ceil(SECOND_US);
        let length_s = JOB_LOOKS / per_s;
        let fits = |length: &u64| length.is_multiple_of(tick_s) && *length as f64 <= length_s;
        let length_s = lengths.into_iter().rev().find(fits).unwrap_or(tick_s);
        let stretches = cuts.every(length_s * SECOND_US);
        let whole = stretches.map(|window_us| Stretch { window_us, what: What::All });
        let list: Vec<Stretch> = whole.collect();
        Self { of_stream: list.len() as u64, list, looked_at: 1.0 }
    }

    /// Those in which what follows is looked for in a share of the window.
    fn estimated(cuts: &Cuts, share: f64, step_us: u64) -> Self {
        let hours = cuts.every(HOUR_US);
        let hours = hours.map(|window_us| Stretch { window_us, what: What::Unfollowing });
        let mut list: Vec<Stretch> = hours.collect();
        let first = list.len();
        let window_us = cuts.window_us.end - cuts.window_us.start;
        let piece_us = PIECE_US * window_us.div_ceil(PIECE_US * PIECES_MAX).max(1);
        list.extend(cuts.every(piece_us).map(|piece| {
            let length_us = piece.end - piece.start;
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "below 1")]
            let looked_us = (length_us as f64 * share) as u64 / step_us * step_us;
            let looked_us = looked_us.clamp(step_us.min(length_us), length_us);
            let from_us = piece.start + (length_us - looked_us) / 2 / step_us * step_us;
            // It lies in one hour.
            let hour_us = (from_us / HOUR_US + 1) * HOUR_US;
            let window_us = from_us..(from_us + looked_us).min(hour_us);
            Stretch { window_us, what: What::Following(piece) }
        }));
        let (mut looked_us, mut all_us) = (0, 0);
        for Stretch { window_us, what } in &list[first..] {
            if let What::Following(piece) = what {
                looked_us += window_us.end - window_us.start;
                all_us += piece.end - piece.start;
            }
        }
        let of_stream = (list.len() - first) as u64;
        Self { list, of_stream, looked_at: looked_us as f64 / all_us as f64 }
    }

    /// The share of the window in which what follows is looked for.
    pub(super) fn looked_at(&self) -> f64 {
        self.looked_at
    }

    /// How many jobs look at what one stream sends.
    pub(super) fn count(&self) -> u64 {
        self.of_stream
    }

    /// The stretch of that number; none beyond the last.
    pub(super) fn job(&self, number: u64) -> Option<&Stretch> {
        self.list.get(usize::try_from(number).ok()?)
    }
}

/// A window, and where its phases begin and end.
#[derive(Debug)]
struct Cuts {
    window_us: Range<u64>,
    /// Ascending.
    edges_us: Vec<u64>,
}

impl Cuts {
    fn new(asked: &Asked, window_us: &Range<u64>) -> Self {
        let edges = asked.phases_us.iter().flat_map(|it| [it.start, it.end]);
        let mut edges_us: Vec<u64> = edges.collect();
        edges_us.sort_unstable();
        edges_us.dedup();
        Self { window_us: window_us.clone(), edges_us }
    }

    /// The window, cut at its edges and every so many microseconds since the start.
    fn every(&self, length_us: u64) -> impl Iterator<Item = Range<u64>> + '_ {
        let mut at_us = self.window_us.start;
        std::iter::from_fn(move || {
            let next = self.edges_us.partition_point(|edge| *edge <= at_us);
            let edge_us = self.edges_us.get(next).copied().unwrap_or(u64::MAX);
            let slot_us = (at_us / length_us + 1).saturating_mul(length_us);
            let end_us = self.window_us.end.min(edge_us).min(slot_us);
            let part = at_us..end_us;
            at_us = end_us;
            (!part.is_empty()).then_some(part)
        })
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

    /// That stretches follow each other, in one hour each, and stand for all of the window.
    fn check(jobs: &Jobs, cuts: &Cuts) {
        let mut at_us = [cuts.window_us.start; 2];
        for Stretch { window_us, what } in &jobs.list {
            assert_eq!(window_us.start / HOUR_US, (window_us.end - 1) / HOUR_US, "one hour");
            let inside = |edge: &&u64| window_us.start < **edge && **edge < window_us.end;
            assert_eq!(cuts.edges_us.iter().find(inside), None, "{window_us:?}");
            if let What::Following(piece) = what {
                assert_eq!(piece.start, at_us[1]);
                assert!(window_us.start >= piece.start && window_us.end <= piece.end);
                at_us[1] = piece.end;
            } else {
                assert_eq!(window_us.start, at_us[0]);
                at_us[0] = window_us.end;
            }
        }
        assert_eq!(at_us[0], cuts.window_us.end);
        assert!(jobs.looked_at >= 1.0 || at_us[1] == cuts.window_us.end);
    }

    #[test]
    fn stretches_follow_each_other_without_gap_and_stand_for_all_of_the_window() {
        let long_us = 30 * HOUR_US + 1_234_567..100 * HOUR_US + 5;
        for window_us in [0..HOUR_US, 5..6, HOUR_US - 1..HOUR_US + 1, long_us] {
            for edges_us in [vec![], vec![40 * HOUR_US + 17, 41 * HOUR_US, 200 * HOUR_US]] {
                let cuts = Cuts { window_us: window_us.clone(), edges_us };
                let list: Vec<Stretch> = (cuts.every(300 * SECOND_US))
                    .map(|window_us| Stretch { window_us, what: What::All })
                    .collect();
                check(&Jobs { list, of_stream: 1, looked_at: 1.0 }, &cuts);
                for share in [0.001, 0.03, 0.7] {
                    let jobs = Jobs::estimated(&cuts, share, 10 * SECOND_US);
                    check(&jobs, &cuts);
                    let long = window_us.end - window_us.start > 10 * HOUR_US;
                    let least = (10.0 / 900.0_f64).max(share - 0.02);
                    assert!(!long || (least..share + 0.012).contains(&jobs.looked_at), "{share}");
                }
            }
        }
    }
}
