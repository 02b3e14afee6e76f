//! Parts of a job that has more events than a batch should have.

use std::ops::Range;

use crate::plan::batch::Job;

/// Bins that a job's time is cut into for each batch that it should have been.
const BINS: usize = 16;
const BINS_MAX: usize = 1 << 16;

/// Cuts a job whose events come at these times into parts of about so many events; nothing if it has
/// no more than twice as many, or if they come all at once.
///
/// Base rates say how much time a job has, and where a multiplier is 50, it has 50 times the events.
pub(super) fn parts(
    job: &Job,
    times_us: impl Iterator<Item = u64> + Clone,
    events: usize,
    tick_us: u64,
) -> Vec<Job> {
    let Range { start, end } = job.window_us;
    let total = times_us.clone().count();
    let length_us = end - start;
    if total <= 2 * events || length_us < 2 {
        return Vec::new();
    }
    let bins = (BINS * total.div_ceil(events)).min(BINS_MAX) as u64;
    let bins = bins.min(length_us);
    let mut counts = vec![0; usize::try_from(bins).unwrap_or(BINS_MAX)];
    for time_us in times_us {
        let bin = u128::from(time_us - start) * u128::from(bins) / u128::from(length_us);
        counts[usize::try_from(bin).unwrap_or(BINS_MAX)] += 1;
    }
    // The first microsecond of a bin.
    let edge = |bin: u64| {
        let since = (u128::from(bin) * u128::from(length_us)).div_ceil(u128::from(bins));
        start + u64::try_from(since).unwrap_or(length_us)
    };
    let mut parts = Vec::new();
    let (mut first, mut count) = (0, 0);
    for (bin, &more) in (0..).zip(&counts) {
        // A bin that is too much by itself is a part of its own, so that a part is always less.
        if bin > first && count + more > events {
            parts.push(Job::new(edge(first)..edge(bin), tick_us));
            (first, count) = (bin, 0);
        }
        count += more;
    }
    parts.push(Job::new(edge(first)..end, tick_us));
    parts
}

/// Cuts a job of two ticks or more in two.
pub(super) fn halves(job: &Job, tick_us: u64) -> [Job; 2] {
    let Range { start, end } = job.window_us;
    let middle_us = u64::midpoint(job.ticks.start, job.ticks.end) * tick_us;
    [Job::new(start..middle_us, tick_us), Job::new(middle_us..end, tick_us)]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn assert_whole(parts: &[Job], job: &Job) {
        let mut at = job.window_us.start;
        for part in parts {
            assert_eq!(part.window_us.start, at);
            assert!(!part.window_us.is_empty() && part.window_us != job.window_us, "{part:?}");
            at = part.window_us.end;
        }
        assert_eq!(at, job.window_us.end);
    }

    #[test]
    fn a_job_that_is_not_too_large_stays_as_it_is() {
        let job = Job::new(0..1_000, 100);
        assert_eq!(parts(&job, 0..200, 100, 100), []);
        assert_eq!(parts(&Job::new(7..8, 100), std::iter::repeat_n(7, 900), 100, 100), []);
    }

    #[test]
    fn a_surge_is_cut_more_finely_than_what_comes_before() {
        // 100 events, then 5,000 in the last tenth.
        let times = (0..100).map(|it| it * 9_000).chain((0..5_000).map(|it| 900_000 + it * 20));
        let job = Job::new(0..1_000_000, 100_000);
        let parts = parts(&job, times.clone(), 100, 100_000);
        assert_whole(&parts, &job);
        for part in &parts {
            let count = times.clone().filter(|time| part.window_us.contains(time)).count();
            assert!(count <= 200, "{count} in {part:?}");
            assert!(part.ticks.start * 100_000 <= part.window_us.start);
            assert!(part.ticks.end * 100_000 >= part.window_us.end);
        }
        assert!((50..90).contains(&parts.len()), "{}", parts.len());
    }

    #[test]
    fn halves_meet_at_a_tick() {
        let job = Job::new(150..950, 100);
        let halves = halves(&job, 100);
        assert_whole(&halves, &job);
        assert_eq!(halves[0].ticks, 1..5);
        let job = Job::new(199..201, 100);
        assert_whole(&super::halves(&job, 100), &job);
    }

    proptest! {
        // However the events lie: no gap, and each part less than the whole.
        #[test]
        fn parts_are_the_whole(times in prop::collection::vec(37_u64..60_037, 0..600)) {
            let job = Job::new(37..60_037, 1_000);
            let parts = parts(&job, times.iter().copied(), 20, 1_000);
            prop_assert_eq!(parts.is_empty(), times.len() <= 40);
            if !parts.is_empty() {
                assert_whole(&parts, &job);
            }
        }
    }
}
