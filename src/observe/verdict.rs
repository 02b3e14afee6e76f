//! Conditions on the end report: `--fail-if 'lag_p99>1s'`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Serialize, Serializer};

use super::consumer::Consumer;
use super::latency::Quantiles;
use super::report::Report;

/// A figure of the report that conditions can name.
#[derive(Clone, Copy)]
struct Figure {
    name: &'static str,
    kind: Kind,
    of: fn(&Report) -> Option<f64>,
}

/// What a figure counts, which says what units it can be compared in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Count,
    Bytes,
    PerSecond,
    Seconds,
}

const FIGURES: [Figure; 26] = [
    Figure { name: "issued", kind: Kind::Count, of: |report| number(report.counts.issued) },
    Figure { name: "delivered", kind: Kind::Count, of: |report| number(report.counts.delivered) },
    Figure { name: "sent_again", kind: Kind::Count, of: |report| number(report.counts.sent_again) },
    Figure {
        name: "already_there",
        kind: Kind::Count,
        of: |report| number(report.counts.already_there),
    },
    Figure { name: "failed", kind: Kind::Count, of: |report| number(report.counts.failed) },
    Figure { name: "shed", kind: Kind::Count, of: |report| number(report.counts.shed) },
    Figure {
        name: "unacknowledged",
        kind: Kind::Count,
        of: |report| number(report.counts.unacknowledged),
    },
    Figure { name: "bytes", kind: Kind::Bytes, of: |report| number(report.counts.bytes) },
    Figure {
        name: "rate_intended",
        kind: Kind::PerSecond,
        of: |report| Some(report.rates.intended),
    },
    Figure {
        name: "rate_delivered",
        kind: Kind::PerSecond,
        of: |report| Some(report.rates.delivered),
    },
    Figure {
        name: "latency_p50",
        kind: Kind::Seconds,
        of: |report| seconds(report.latency, |q| q.p50),
    },
    Figure {
        name: "latency_p99",
        kind: Kind::Seconds,
        of: |report| seconds(report.latency, |q| q.p99),
    },
    Figure {
        name: "latency_p99.9",
        kind: Kind::Seconds,
        of: |report| seconds(report.latency, |q| q.p999),
    },
    Figure {
        name: "latency_max",
        kind: Kind::Seconds,
        of: |report| seconds(report.latency, |q| q.max),
    },
    Figure { name: "lag_p50", kind: Kind::Seconds, of: |report| seconds(report.lag, |q| q.p50) },
    Figure { name: "lag_p99", kind: Kind::Seconds, of: |report| seconds(report.lag, |q| q.p99) },
    Figure { name: "lag_p99.9", kind: Kind::Seconds, of: |report| seconds(report.lag, |q| q.p999) },
    Figure { name: "lag_max", kind: Kind::Seconds, of: |report| seconds(report.lag, |q| q.max) },
    // Without ceilings nothing was held.
    Figure {
        name: "governed",
        kind: Kind::Seconds,
        of: |report| Some(report.about.governed.unwrap_or_default().as_secs_f64()),
    },
    Figure {
        name: "memory_max",
        kind: Kind::Bytes,
        of: |report| report.memory_bytes_max.and_then(number),
    },
    Figure {
        name: "consumer_lag",
        kind: Kind::Seconds,
        of: |report| consumer(report, |consumer| consumer.lag_s),
    },
    Figure {
        name: "consumer_lag_max",
        kind: Kind::Seconds,
        of: |report| consumer(report, |consumer| consumer.lag_max_s),
    },
    Figure {
        name: "consumer_behind",
        kind: Kind::Count,
        of: |report| consumer(report, |consumer| number(consumer.behind)),
    },
    Figure {
        name: "consumer_behind_max",
        kind: Kind::Count,
        of: |report| consumer(report, |consumer| number(consumer.behind_max)),
    },
    Figure {
        name: "consumer_recovery_max",
        kind: Kind::Seconds,
        of: |report| consumer(report, |consumer| Some(consumer.recovery_max_s)),
    },
    Figure {
        name: "consumer_rebalances",
        kind: Kind::Count,
        of: |report| consumer(report, |consumer| number(consumer.rebalances)),
    },
];

/// What the figures of a watched consumer begin with.
const OF_CONSUMER: &str = "consumer_";

#[expect(clippy::unnecessary_wraps, reason = "one type for all figures")]
fn number(count: u64) -> Option<f64> {
    Some(count as f64)
}

/// Of a consumer that never came nothing was measured.
fn consumer(report: &Report, of: fn(&Consumer) -> Option<f64>) -> Option<f64> {
    report.consumer.as_ref().filter(|consumer| consumer.has_come).and_then(of)
}

fn seconds(quantiles: Option<Quantiles>, of: fn(Quantiles) -> Duration) -> Option<f64> {
    quantiles.map(|quantiles| of(quantiles).as_secs_f64())
}

/// How a figure is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Comparison {
    Above,
    AtLeast,
    Below,
    AtMost,
    Equal,
    NotEqual,
}

/// Longer signs first, so that `>=` is not read as `>`.
const COMPARISONS: [(&str, Comparison); 6] = [
    (">=", Comparison::AtLeast),
    ("<=", Comparison::AtMost),
    ("==", Comparison::Equal),
    ("!=", Comparison::NotEqual),
    (">", Comparison::Above),
    ("<", Comparison::Below),
];

impl Comparison {
    #[expect(
        clippy::float_cmp,
        reason = "counts are whole numbers, and equality is what was asked"
    )]
    fn holds(self, left: f64, right: f64) -> bool {
        match self {
            Self::Above => left > right,
            Self::AtLeast => left >= right,
            Self::Below => left < right,
            Self::AtMost => left <= right,
            Self::Equal => left == right,
            Self::NotEqual => left != right,
        }
    }
}

/// A condition that makes the verdict on a run negative when it is true.
#[derive(Clone)]
pub struct Condition {
    text: String,
    figure: Figure,
    comparison: Comparison,
    limit: f64,
}

/// A condition that came true, or could not be judged.
#[derive(Clone, Debug, PartialEq)]
pub struct Broken {
    /// The condition as it was written.
    pub condition: String,
    /// The figure as it came out, in seconds, bytes, events or events a second; `None` if there
    /// was nothing to measure.
    pub was: Option<f64>,
}

impl Condition {
    /// Whether it is about a consumer, which must be watched for that.
    pub fn is_about_consumer(&self) -> bool {
        self.figure.name.starts_with(OF_CONSUMER)
    }

    /// Judges a report; `Some` if the verdict is negative, which it also is where nothing was
    /// measured.
    pub fn judge(&self, report: &Report) -> Option<Broken> {
        let was = (self.figure.of)(report);
        let broken = was.is_none_or(|was| self.comparison.holds(was, self.limit));
        broken.then(|| Broken { condition: self.text.clone(), was })
    }
}

impl fmt::Debug for Condition {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Condition").field(&self.text).finish()
    }
}

impl fmt::Display for Condition {
    /// As it was written.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.was {
            Some(was) => write!(formatter, "negative: {} (it is {was})", self.condition),
            None => write!(formatter, "negative: {} (nothing was measured)", self.condition),
        }
    }
}

impl Serialize for Broken {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeMap;
        let mut map = serializer.serialize_map(Some(2))?;
        map.serialize_entry("condition", &self.condition)?;
        map.serialize_entry("was", &self.was)?;
        map.end()
    }
}

/// A condition that cannot be understood.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// There is no comparison in it.
    #[error(
        "`{0}` compares nothing: write a figure, one of > >= < <= == !=, and a limit, as in `lag_p99>1s`"
    )]
    NoComparison(String),
    /// There is no such figure.
    #[error("there is no figure `{given}`: {hint}")]
    UnknownFigure {
        /// What was written.
        given: String,
        /// The nearest one, or all.
        hint: String,
    },
    /// The limit is no number in a unit that fits.
    #[error("`{given}` is no limit for `{figure}`, which is {expected}")]
    Limit {
        /// What was written.
        given: String,
        /// The figure.
        figure: &'static str,
        /// What is expected.
        expected: &'static str,
    },
}

impl FromStr for Condition {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let split = COMPARISONS.iter().find_map(|(sign, comparison)| {
            let (figure, limit) = text.split_once(sign)?;
            Some((figure.trim(), *comparison, limit.trim()))
        });
        let Some((name, comparison, limit)) = split else {
            return Err(Error::NoComparison(text.to_owned()));
        };
        let Some(figure) = FIGURES.iter().find(|figure| figure.name == name) else {
            return Err(Error::UnknownFigure { given: name.to_owned(), hint: nearest(name) });
        };
        let limit = parse_limit(limit, figure.kind).ok_or_else(|| Error::Limit {
            given: limit.to_owned(),
            figure: figure.name,
            expected: figure.kind.expected(),
        })?;
        Ok(Self { text: text.trim().to_owned(), figure: *figure, comparison, limit })
    }
}

impl Kind {
    fn expected(self) -> &'static str {
        match self {
            Self::Count => "a number of events, such as 0, 100k or 2M",
            Self::Bytes => "a number of bytes, such as 512KiB or 150MiB",
            Self::PerSecond => "a rate, such as 450/s or 20k/s",
            Self::Seconds => "a time, such as 500us, 20ms, 1s, 5m or 1h",
        }
    }

    fn units(self) -> &'static [(&'static str, f64)] {
        match self {
            Self::Count => &[("", 1.0), ("k", 1e3), ("M", 1e6), ("G", 1e9)],
            Self::Bytes => &[
                ("", 1.0),
                ("B", 1.0),
                ("kB", 1e3),
                ("MB", 1e6),
                ("GB", 1e9),
                ("KiB", 1_024.0),
                ("MiB", 1_048_576.0),
                ("GiB", 1_073_741_824.0),
            ],
            Self::PerSecond => &[("/s", 1.0), ("k/s", 1e3), ("M/s", 1e6)],
            Self::Seconds => &[
                ("ns", 1e-9),
                ("us", 1e-6),
                ("µs", 1e-6),
                ("ms", 1e-3),
                ("s", 1.0),
                ("m", 60.0),
                ("min", 60.0),
                ("h", 3_600.0),
                ("d", 86_400.0),
            ],
        }
    }
}

fn parse_limit(text: &str, kind: Kind) -> Option<f64> {
    let digits = text.find(|c: char| !(c.is_ascii_digit() || c == '.' || c == '_'));
    let (digits, unit) = text.split_at(digits.unwrap_or(text.len()));
    let (_, factor) = kind.units().iter().find(|(name, _)| *name == unit.trim())?;
    let number: f64 = digits.replace('_', "").parse().ok()?;
    Some(number * factor)
}

fn nearest(name: &str) -> String {
    let near = FIGURES
        .iter()
        .map(|figure| (strsim::damerau_levenshtein(name, figure.name), figure.name))
        .min();
    match near {
        Some((distance, near)) if distance <= name.len() / 3 => format!("did you mean `{near}`?"),
        _ => format!("there are {}", FIGURES.map(|figure| figure.name).join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::super::report::tests::report;
    use super::*;

    fn broken(text: &str) -> bool {
        text.parse::<Condition>().unwrap().judge(&report()).is_some()
    }

    #[test]
    fn a_condition_that_is_true_makes_the_verdict_negative() {
        for text in [
            "failed>0",
            "failed >= 2",
            "unacknowledged==10",
            "latency_p99>10ms",
            "lag_max<2ms",
            "delivered<20k",
            "bytes>5MB",
            "memory_max<=64MiB",
            "rate_delivered<500/s",
            "issued != 0",
        ] {
            assert!(broken(text), "{text}");
        }
        for text in [
            "failed>2",
            "latency_p99>11ms",
            "latency_p99.9>1s",
            "lag_max>1900us",
            "issued>1M",
            "rate_intended<500/s",
            "memory_max>0.1GiB",
        ] {
            assert!(!broken(text), "{text}");
        }
    }

    #[test]
    fn a_consumer_is_judged_if_one_was_watched_and_came() {
        let judged = |text: &str, report: &Report| {
            let condition: Condition = text.parse().unwrap();
            assert!(condition.is_about_consumer());
            condition.judge(report).map(|broken| broken.was)
        };
        let mut report = report();
        assert_eq!(judged("consumer_lag_max>1h", &report), Some(None));
        report.consumer = Some(super::super::consumer::tests::consumer());
        assert_eq!(judged("consumer_lag_max>3s", &report), Some(Some(4.0)));
        assert_eq!(judged("consumer_lag_max>4s", &report), None);
        assert_eq!(judged("consumer_lag>0s", &report), None);
        assert_eq!(judged("consumer_behind>0", &report), None);
        assert_eq!(judged("consumer_behind_max>=15k", &report), Some(Some(15_000.0)));
        assert_eq!(judged("consumer_recovery_max>2s", &report), Some(Some(3.0)));
        assert_eq!(judged("consumer_rebalances!=0", &report), None);
        report.consumer.as_mut().unwrap().has_come = false;
        assert_eq!(judged("consumer_behind>0", &report), Some(None));
        assert!(!"lag_max>1s".parse::<Condition>().unwrap().is_about_consumer());
    }

    #[test]
    fn what_was_never_measured_is_no_good_verdict() {
        let mut report = report();
        report.latency = None;
        let condition: Condition = "latency_p99>1h".parse().unwrap();
        assert_eq!(condition.judge(&report).map(|broken| broken.was), Some(None));
    }

    #[test]
    fn a_condition_that_cannot_be_understood_says_what_can() {
        let text = |text: &str| text.parse::<Condition>().unwrap_err().to_string();
        assert_eq!(text("lag_p98>1s"), "there is no figure `lag_p98`: did you mean `lag_p99`?");
        assert!(text("speed>1").contains("there are issued, delivered"), "{}", text("speed>1"));
        assert!(text("lag_p99").contains("as in `lag_p99>1s`"));
        assert!(text("lag_p99>1").contains("a time, such as 500us"));
        assert!(text("failed>1s").contains("a number of events"));
        assert!(text("failed>").contains("a number of events"));
        assert!(text("failed>-1").contains("a number of events"));
    }
}
