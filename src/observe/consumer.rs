//! Who reads what a run sends, and how far behind: in the report, on the live line and as metrics.

use std::fmt;
use std::time::Duration;

use metrics::{Counter, Gauge};
use serde::Serialize;

use super::figure;
use super::metric::{Meters, Metric};
use crate::config::units::rfc3339;
use crate::consume::Partition;
use crate::consume::lag::history::{Episode, History, Now};

/// What kind of reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A group of Kafka, whose lag is counted in records.
    Group,
    /// A subscription of Pulsar, whose lag is counted in entries: messages, or whole batches of them.
    Subscription,
}

impl Kind {
    /// What it is called.
    pub fn name(self) -> &'static str {
        match self {
            Self::Group => "group",
            Self::Subscription => "subscription",
        }
    }

    /// What its lag is counted in.
    pub fn unit(self) -> &'static str {
        match self {
            Self::Group => "records",
            Self::Subscription => "entries",
        }
    }
}

/// How it stands, for the live line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// What kind of reader.
    pub kind: Kind,
    /// Whether anybody has come yet.
    pub has_come: bool,
    /// How it stands.
    pub now: Now,
}

impl fmt::Display for Standing {
    /// `consumer behind by 3.2 s, 15,000 records`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.has_come {
            return write!(formatter, "no consumer yet: {}", nobody(self.kind));
        }
        write!(formatter, "consumer behind by {}", behind(self.kind, self.now.lag, self.now.behind))
    }
}

fn nobody(kind: Kind) -> &'static str {
    match kind {
        Kind::Group => "no member and no commit",
        Kind::Subscription => "no such subscription",
    }
}

fn behind(kind: Kind, lag: Option<Duration>, count: u64) -> String {
    let lag = lag.map_or_else(|| "an unknown time".to_owned(), figure::time);
    format!("{lag}, {} {}", figure::count(count), kind.unit())
}

/// A partition in the report.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct OfPartition {
    /// Its topic.
    pub topic: String,
    /// Its number; null for a topic without partitions.
    pub partition: Option<u32>,
    /// What is read next by what is committed: an offset, or `ledger:entry:place`; null if nothing is committed.
    pub committed: Option<String>,
    /// How much is not committed.
    pub behind: u64,
    /// The most that was seen.
    pub behind_max: u64,
    /// The age of the oldest of it, in seconds; null if it could not be learnt.
    pub lag_s: Option<f64>,
    /// The greatest that was seen.
    pub lag_max_s: Option<f64>,
}

/// A time in which the lag was not the usual one.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Recovery {
    /// When it began, as RFC 3339.
    pub began: String,
    /// The limit that the lag went over, in seconds.
    pub limit_s: f64,
    /// The greatest lag, in seconds.
    pub peak_s: f64,
    /// When that was.
    pub peak_at: String,
    /// The most that was not committed.
    pub behind_max: u64,
    /// How long it took until the lag was under the limit again, in seconds, or has taken so far.
    pub seconds: f64,
    /// Whether it was under it again when watching ended.
    pub recovered: bool,
}

impl Recovery {
    fn new(episode: &Episode) -> Self {
        Self {
            began: at(episode.began_ns),
            limit_s: episode.limit.as_secs_f64(),
            peak_s: episode.peak.most.as_secs_f64(),
            peak_at: at(episode.peak.at_ns),
            behind_max: episode.behind_max,
            seconds: episode.length().as_secs_f64(),
            recovered: episode.over_ns.is_some(),
        }
    }
}

/// A point of the course.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Point {
    /// When its stretch of time begins, as RFC 3339.
    pub at: String,
    /// The most that was not committed in it.
    pub behind: u64,
    /// The greatest lag in it, in seconds.
    pub lag_s: Option<f64>,
}

/// Who read what a run sent, and how far behind.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Consumer {
    /// What kind of reader.
    pub kind: Kind,
    /// Its name.
    pub name: String,
    /// What `behind` counts.
    pub unit: &'static str,
    /// Whether anybody came: a member, or something committed.
    pub has_come: bool,
    /// How much is not committed in the end.
    pub behind: u64,
    /// The age of the oldest of it, in seconds.
    pub lag_s: Option<f64>,
    /// The most that was not committed.
    pub behind_max: u64,
    /// When that was.
    pub behind_max_at: String,
    /// The greatest lag, in seconds; null if none was ever known.
    pub lag_max_s: Option<f64>,
    /// When that was.
    pub lag_max_at: Option<String>,
    /// How long after the run's end nothing was left, in seconds; null if that was not seen.
    pub caught_up_after_s: Option<f64>,
    /// How many read in the end.
    pub members: usize,
    /// The most that read at once.
    pub members_max: usize,
    /// How many rebalances were seen; there may have been more.
    pub rebalances: u64,
    /// Of how many partitions nothing is committed.
    pub uncommitted_partitions: usize,
    /// The longest time to recover, in seconds; 0 if there was nothing to recover from.
    pub recovery_max_s: f64,
    /// The times in which the lag was not the usual one; of more than a hundred, the longest.
    pub recoveries: Vec<Recovery>,
    /// How many more there were.
    pub recoveries_more: u64,
    /// How often it was looked at.
    pub looks: u64,
    /// How many more looks saw nothing.
    pub looks_failed: u64,
    /// Why the last of them did not.
    pub failure: Option<String>,
    /// By partition.
    pub partitions: Vec<OfPartition>,
    /// The course, in 240 points at most.
    pub over_time: Vec<Point>,
}

impl Consumer {
    /// What a history tells of a reader; `caught_up` is how long after the run's end nothing was left.
    pub fn new(kind: Kind, name: &str, history: &History, caught_up: Option<Duration>) -> Self {
        let seconds = |time: Duration| time.as_secs_f64();
        let tracks = history.tracks.iter().map(|track| OfPartition {
            topic: track.partition.topic.clone(),
            partition: track.partition.number,
            committed: track.committed.map(|position| position.to_string()),
            behind: track.behind,
            behind_max: track.behind_max,
            lag_s: track.lag.map(seconds),
            lag_max_s: track.lag_max.map(seconds),
        });
        let points = history.points.iter().map(|point| Point {
            at: at(point.at_ns),
            behind: point.behind,
            lag_s: point.lag.map(seconds),
        });
        Self {
            kind,
            name: name.to_owned(),
            unit: kind.unit(),
            has_come: history.has_come(),
            behind: history.now.behind,
            lag_s: history.now.lag.map(seconds),
            behind_max: history.behind_max.most,
            behind_max_at: at(history.behind_max.at_ns),
            lag_max_s: history.lag_max.map(|most| seconds(most.most)),
            lag_max_at: history.lag_max.map(|most| at(most.at_ns)),
            caught_up_after_s: caught_up.map(seconds),
            members: history.now.members,
            members_max: history.members_max,
            rebalances: history.rebalances,
            uncommitted_partitions: history.now.uncommitted,
            recovery_max_s: history.longest().map_or(0.0, |episode| seconds(episode.length())),
            recoveries: history
                .episodes
                .iter()
                .chain(&history.episode)
                .map(Recovery::new)
                .collect(),
            recoveries_more: history.episodes_more,
            looks: history.looks,
            looks_failed: history.missed,
            failure: history.missed_because.clone(),
            partitions: tracks.collect(),
            over_time: points.collect(),
        }
    }

    /// What people read of it: names and values of lines.
    pub(super) fn lines(&self) -> Vec<(&'static str, String)> {
        let name = format!("{} `{}`", self.kind.name(), self.name);
        if !self.has_come {
            return vec![("consumer", format!("{name}: nobody came ({})", nobody(self.kind)))];
        }
        let lag = self.lag_s.map(Duration::from_secs_f64);
        let caught_up = self.caught_up_after_s.map(Duration::from_secs_f64);
        let caught_up =
            caught_up.map(|after| format!(", caught up {} after it", figure::time(after)));
        let mut lines = vec![(
            "consumer",
            format!(
                "{name}: behind by {} in the end{}",
                behind(self.kind, lag, self.behind),
                caught_up.unwrap_or_default()
            ),
        )];
        let most = self.lag_max_s.map(Duration::from_secs_f64);
        let greatest = behind(self.kind, most, self.behind_max);
        lines.push(("greatest lag", greatest));
        if let Some(recoveries) = self.told_recoveries() {
            lines.push(("recovered", recoveries));
        }
        let rebalances = match self.rebalances {
            0 => "none seen".to_owned(),
            count => format!("{} seen", figure::count(count)),
        };
        let members = format!("{} in the end, {} at most", self.members, self.members_max);
        lines.push(("rebalances", format!("{rebalances}; members: {members}")));
        if let Some(told) = self.told_uncommitted() {
            lines.push(("not committed", told));
        }
        if let Some(failure) = &self.failure {
            let looks = self.looks + self.looks_failed;
            lines.push(("not seen", format!("{} of {looks} looks: {failure}", self.looks_failed)));
        }
        lines
    }

    fn told_recoveries(&self) -> Option<String> {
        let longest =
            self.recoveries.iter().max_by(|one, other| one.seconds.total_cmp(&other.seconds))?;
        let count = self.recoveries_more + self.recoveries.len() as u64;
        let time = |seconds: f64| figure::time(Duration::from_secs_f64(seconds));
        let (length, peak) = (time(longest.seconds), time(longest.peak_s));
        let how = if longest.recovered { "after" } else { "not yet, after" };
        let which = if count == 1 { String::new() } else { format!("{count} times, the longest ") };
        Some(format!("{which}{how} {length}, from a lag of {peak}"))
    }

    fn told_uncommitted(&self) -> Option<String> {
        let count = self.uncommitted_partitions;
        let of = format!("{count} of {} partitions", self.partitions.len());
        (count > 0).then(|| match self.kind {
            Kind::Group => format!("{of}: counted from their first record, wherever it begins"),
            Kind::Subscription => format!("{of}, which do not have the subscription"),
        })
    }
}

/// What Prometheus is told.
#[derive(Debug)]
pub struct Gauges {
    partitions: Vec<(Gauge, Gauge)>,
    members: Gauge,
    rebalances: Counter,
}

impl Gauges {
    /// Gauges of these partitions.
    pub fn new<'a>(meters: &Meters, partitions: impl Iterator<Item = &'a Partition>) -> Self {
        let of_partition = |partition: &Partition| {
            let number = partition.number.map(|number| number.to_string()).unwrap_or_default();
            let labels = [partition.topic.as_str(), &number];
            (
                meters.gauge(Metric::ConsumerLagEvents, &labels),
                meters.gauge(Metric::ConsumerLagSeconds, &labels),
            )
        };
        Self {
            partitions: partitions.map(of_partition).collect(),
            members: meters.gauge(Metric::ConsumerMembers, &[]),
            rebalances: meters.counter(Metric::ConsumerRebalances, &[]),
        }
    }

    /// Sets them to what was seen last; a lag that is not known stays what it was.
    pub fn set(&self, history: &History) {
        for ((events, seconds), track) in self.partitions.iter().zip(&history.tracks) {
            events.set(track.behind as f64);
            if let Some(lag) = track.lag {
                seconds.set(lag.as_secs_f64());
            }
        }
        self.members.set(history.now.members as f64);
        self.rebalances.absolute(history.rebalances);
    }
}

fn at(at_ns: i64) -> String {
    rfc3339(at_ns.div_euclid(1_000))
}

#[cfg(test)]
pub(super) mod tests {
    use metrics_exporter_prometheus::PrometheusBuilder;

    use super::*;
    use crate::consume::Position;
    use crate::consume::lag::{Look, Members, Standing as Seen};

    /// A second of looks, behind by so many milliseconds and records.
    fn look(second: i64, lag_ms: u64, behind: u64) -> Look {
        let partition =
            Partition { topic: "t".to_owned(), number: Some(1), expired: 0, compacted: false };
        let standing = Seen {
            partition,
            committed: Some(Position::of_offset(5)),
            behind,
            lag: Some(Duration::from_millis(lag_ms)),
        };
        let each = [("a".to_owned(), b"t[1]".to_vec())].into();
        let members = Members { is_moving: false, each };
        Look { at_ns: second * 1_000_000_000, standings: vec![standing], members }
    }

    fn history() -> History {
        let mut history = History::new(0);
        for (second, lag_ms, behind) in
            [(0, 0, 0), (1, 2_000, 9_000), (2, 4_000, 15_000), (4, 0, 0)]
        {
            history.note(&look(second, lag_ms, behind));
        }
        history
    }

    pub(in super::super) fn consumer() -> Consumer {
        let caught_up = Some(Duration::from_millis(1_500));
        Consumer::new(Kind::Group, "detector", &history(), caught_up)
    }

    #[test]
    fn people_read_how_far_it_was_behind_and_how_it_recovered() {
        let text = |consumer: &Consumer| {
            let lines = consumer.lines();
            let lines = lines.iter().map(|(name, value)| format!("{name}: {value}"));
            lines.collect::<Vec<_>>().join("\n")
        };
        let mut consumer = consumer();
        insta::assert_snapshot!(text(&consumer), @r"
        consumer: group `detector`: behind by 0 s, 0 records in the end, caught up 1.50 s after it
        greatest lag: 4 s, 15,000 records
        recovered: after 3 s, from a lag of 4 s
        rebalances: none seen; members: 1 in the end, 1 at most
        ");
        consumer.recoveries.push(Recovery {
            seconds: 70.0,
            recovered: false,
            ..consumer.recoveries[0].clone()
        });
        consumer.rebalances = 2;
        consumer.uncommitted_partitions = 1;
        consumer.looks_failed = 3;
        consumer.failure = Some("no answer".to_owned());
        insta::assert_snapshot!(text(&consumer), @r"
        consumer: group `detector`: behind by 0 s, 0 records in the end, caught up 1.50 s after it
        greatest lag: 4 s, 15,000 records
        recovered: 2 times, the longest not yet, after 1 min 10 s, from a lag of 4 s
        rebalances: 2 seen; members: 1 in the end, 1 at most
        not committed: 1 of 1 partitions: counted from their first record, wherever it begins
        not seen: 3 of 7 looks: no answer
        ");
        consumer.has_come = false;
        insta::assert_snapshot!(text(&consumer), @"consumer: group `detector`: nobody came (no member and no commit)");
    }

    #[test]
    fn the_live_line_says_how_far_it_is_behind_or_that_nobody_has_come() {
        let now = Now { behind: 15_000, lag: Some(Duration::from_millis(3_200)), ..Now::default() };
        let standing = Standing { kind: Kind::Group, has_come: true, now };
        assert_eq!(standing.to_string(), "consumer behind by 3.20 s, 15,000 records");
        let standing = Standing { kind: Kind::Subscription, has_come: false, now };
        assert_eq!(standing.to_string(), "no consumer yet: no such subscription");
    }

    #[test]
    fn metrics_tell_each_partition() {
        let recorder = PrometheusBuilder::new().build_recorder();
        let handle = recorder.handle();
        let mut history = history();
        history.note(&look(5, 250, 30));
        let partitions = history.tracks.iter().map(|track| &track.partition);
        Gauges::new(&Meters::to(recorder), partitions).set(&history);
        let text = handle.render();
        for line in [
            "tidegate_consumer_lag_events{topic=\"t\",partition=\"1\"} 30",
            "tidegate_consumer_lag_seconds{topic=\"t\",partition=\"1\"} 0.25",
            "tidegate_consumer_members 1",
            "tidegate_consumer_rebalances_total 0",
        ] {
            assert!(text.contains(line), "{line} is not in {text}");
        }
    }

    #[test]
    fn every_field_of_the_report_is_in_the_manual() {
        let page = include_str!("../../docs/lag.md");
        let json = serde_json::to_value(consumer()).unwrap();
        let objects =
            [&json, &json["partitions"][0], &json["recoveries"][0], &json["over_time"][0]];
        for name in objects.iter().flat_map(|it| it.as_object().unwrap().keys()) {
            assert!(page.contains(&format!("`{name}`")), "`{name}` is not in docs/lag.md");
        }
    }
}
