//! Distributions of times, in bounded memory.

use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;

/// The greatest time that is told apart, in microseconds: 52 days.
const LIMIT_US: u64 = 1 << 42;

/// How times are distributed: three significant digits from a microsecond up to 52 days.
///
/// Memory is 270 KB, whatever is recorded. The greatest time is kept exactly.
#[derive(Clone, Debug)]
pub struct Distribution {
    histogram: Histogram<u64>,
    max_ns: u64,
}

impl Default for Distribution {
    fn default() -> Self {
        let histogram = Histogram::new_with_bounds(1, LIMIT_US, 3);
        let Ok(histogram) = histogram else { unreachable!("the bounds are constants that fit") };
        Self { histogram, max_ns: 0 }
    }
}

impl Distribution {
    /// Records that `count` events took `time_ns` each; a time below 0 counts as 0.
    pub fn record(&mut self, time_ns: i64, count: u64) {
        let time_ns = u64::try_from(time_ns).unwrap_or(0);
        self.max_ns = self.max_ns.max(time_ns);
        self.histogram.saturating_record_n(time_ns.div_ceil(1_000), count);
    }

    /// Moves all that `other` holds here, and empties it.
    pub fn take(&mut self, other: &mut Self) {
        let Ok(()) = self.histogram.add(&other.histogram) else {
            unreachable!("two distributions have the same bounds")
        };
        self.max_ns = self.max_ns.max(other.max_ns);
        other.histogram.reset();
        other.max_ns = 0;
    }

    /// How many events were recorded.
    pub fn count(&self) -> u64 {
        self.histogram.len()
    }

    /// The quantiles that people look at; `None` if nothing was recorded.
    pub fn quantiles(&self) -> Option<Quantiles> {
        if self.histogram.is_empty() {
            return None;
        }
        let max = Duration::from_nanos(self.max_ns);
        let at = |quantile: f64| {
            Duration::from_micros(self.histogram.value_at_quantile(quantile)).min(max)
        };
        Some(Quantiles { p50: at(0.5), p99: at(0.99), p999: at(0.999), max })
    }
}

/// Quantiles of a [`Distribution`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Quantiles {
    /// Half of all took no longer.
    pub p50: Duration,
    /// 99 of 100 took no longer.
    pub p99: Duration,
    /// 999 of 1,000 took no longer.
    pub p999: Duration,
    /// The longest.
    pub max: Duration,
}

impl Quantiles {
    /// Each with its name.
    pub fn named(&self) -> [(&'static str, Duration); 4] {
        [("p50", self.p50), ("p99", self.p99), ("p99.9", self.p999), ("max", self.max)]
    }
}

impl Serialize for Quantiles {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer
            .collect_map(self.named().map(|(name, time)| (name, time.as_nanos() as f64 / 1e6)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_within_a_thousandth_of_the_truth() {
        let mut times = Distribution::default();
        for time_ms in 1..=10_000_i64 {
            times.record(time_ms * 1_000_000, 1);
        }
        let quantiles = times.quantiles().unwrap();
        for (found, truth_ms) in [(quantiles.p50, 5_000.0), (quantiles.p99, 9_900.0)] {
            let found_ms = found.as_secs_f64() * 1e3;
            assert!((found_ms - truth_ms).abs() / truth_ms < 0.002, "{found_ms} for {truth_ms}");
        }
        assert_eq!(quantiles.max, Duration::from_secs(10));
    }

    #[test]
    fn what_is_moved_is_counted_once() {
        let (mut whole, mut recent) = (Distribution::default(), Distribution::default());
        recent.record(5_000_000, 7);
        whole.take(&mut recent);
        whole.take(&mut recent);
        assert_eq!((whole.count(), recent.count()), (7, 0));
        assert_eq!(whole.quantiles().unwrap().max, Duration::from_millis(5));
        assert_eq!(recent.quantiles(), None);
    }

    #[test]
    fn times_below_zero_and_beyond_the_limit_are_kept_at_the_ends() {
        let mut times = Distribution::default();
        times.record(-5, 1);
        times.record(i64::MAX, 1);
        assert_eq!(times.count(), 2);
        assert_eq!(times.quantiles().unwrap().p50, Duration::ZERO);
    }
}
