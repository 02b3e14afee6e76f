//! Which part of model time a run sends, and how it maps onto the wall clock.

use std::time::Duration;

use crate::config::settings::{Moment, Run, Speed};
pub use crate::config::units::rfc3339;

/// The part of model time that a run sends. Times are microseconds since the Unix epoch.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Window {
    /// Where it begins.
    pub from_us: i64,
    /// Where it ends, by whichever of the ends that were asked for comes first.
    pub until_us: Option<i64>,
    /// How many events of root streams it has at most.
    pub count: Option<u64>,
    /// How long it may take by the wall clock, where that is no point in model time: at full
    /// speed, at an even pace and under a ceiling.
    pub wall: Option<Duration>,
}

/// A window that cannot be.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Begins before model time does.
    #[error("`--from` is {from}, but nothing is earlier than the start, {start}")]
    BeforeStart {
        /// Where it was to begin.
        from: String,
        /// Where model time begins.
        start: String,
    },
    /// Ends where it begins, or before.
    #[error("`--until` is {until}, which is not after the begin of the window, {from}")]
    Empty {
        /// Where it was to begin.
        from: String,
        /// Where it was to end.
        until: String,
    },
    /// Beyond all times.
    #[error("the window ends after the year 9999: shorten it")]
    TooFar,
}

impl Window {
    /// The window that `run` asks for, with model time beginning at `start_us`.
    pub fn resolve(run: &Run, start_us: i64) -> Result<Self, Error> {
        let moment = |moment: Moment| match moment {
            Moment::At(time_us) => Some(time_us),
            Moment::AfterStart(time) => after(start_us, time),
        };
        let from_us = run.from.map_or(Some(start_us), moment).ok_or(Error::TooFar)?;
        if from_us < start_us {
            return Err(Error::BeforeStart { from: rfc3339(from_us), start: rfc3339(start_us) });
        }
        let mut ends = Vec::new();
        if let Some(until) = run.until {
            ends.push(moment(until).ok_or(Error::TooFar)?);
        }
        if let Some(duration) = run.duration {
            ends.push(after(from_us, duration).ok_or(Error::TooFar)?);
        }
        let mut wall = None;
        match (run.wall_duration, run.speed) {
            (Some(time), Speed::Times(speed)) if !run.governor.is_set() => {
                let model = Duration::try_from_secs_f64(time.as_secs_f64() * speed).ok();
                let end = model.and_then(|model| after(from_us, model));
                ends.push(end.ok_or(Error::TooFar)?);
            }
            (time, _) => wall = time,
        }
        let until_us = ends.into_iter().min();
        if let Some(until_us) = until_us.filter(|until_us| *until_us <= from_us) {
            return Err(Error::Empty { from: rfc3339(from_us), until: rfc3339(until_us) });
        }
        Ok(Self { from_us, until_us, count: run.count, wall })
    }
}

/// The last microsecond of the year 9999, which is as far as RFC 3339 goes.
const LAST_US: i64 = 253_402_300_799_999_999;

fn after(time_us: i64, duration: Duration) -> Option<i64> {
    let duration_us = i64::try_from(duration.as_micros()).ok()?;
    time_us.checked_add(duration_us).filter(|end_us| *end_us <= LAST_US)
}

#[cfg(test)]
mod tests {
    use super::*;

    const START_US: i64 = 1_772_409_600_000_000;
    const SECOND_US: i64 = 1_000_000;

    fn resolve(change: impl FnOnce(&mut Run)) -> Result<Window, Error> {
        let mut run = Run::default();
        change(&mut run);
        Window::resolve(&run, START_US)
    }

    #[test]
    fn a_run_without_an_end_goes_on_from_the_start() {
        let window = resolve(|_| {}).unwrap();
        assert_eq!(window, Window { from_us: START_US, until_us: None, count: None, wall: None });
    }

    #[test]
    fn the_earliest_end_counts() {
        let window = resolve(|run| {
            run.from = Some(Moment::AfterStart(Duration::from_secs(10)));
            run.until = Some(Moment::At(START_US + 100 * SECOND_US));
            run.wall_duration = Some(Duration::from_secs(2));
            run.speed = Speed::Times(30.0);
        });
        let window = window.unwrap();
        assert_eq!(window.from_us, START_US + 10 * SECOND_US);
        assert_eq!(window.until_us, Some(START_US + 70 * SECOND_US));
        let window = resolve(|run| run.duration = Some(Duration::from_secs(5))).unwrap();
        assert_eq!(window.until_us, Some(START_US + 5 * SECOND_US));
    }

    #[test]
    fn at_full_speed_wall_time_is_no_point_in_model_time() {
        let window = resolve(|run| {
            run.speed = Speed::Max;
            run.wall_duration = Some(Duration::from_mins(1));
        });
        let window = window.unwrap();
        assert_eq!((window.until_us, window.wall), (None, Some(Duration::from_mins(1))));
        let window = resolve(|run| {
            run.governor.events_per_s = Some(5.0);
            run.wall_duration = Some(Duration::from_mins(1));
        });
        let window = window.unwrap();
        assert_eq!((window.until_us, window.wall), (None, Some(Duration::from_mins(1))));
    }

    #[test]
    fn a_window_that_cannot_be_is_refused_with_both_its_ends() {
        let early = resolve(|run| run.from = Some(Moment::At(START_US - 1))).unwrap_err();
        assert_eq!(
            early.to_string(),
            "`--from` is 2026-03-01T23:59:59.999999Z, but nothing is earlier than the start, \
             2026-03-02T00:00:00Z"
        );
        let empty = resolve(|run| run.until = Some(Moment::AfterStart(Duration::ZERO)));
        assert!(matches!(empty, Err(Error::Empty { .. })), "{empty:?}");
        let far = resolve(|run| run.duration = Some(Duration::MAX));
        assert_eq!(far, Err(Error::TooFar));
    }
}
