//! What verifying found, for people and as JSON.

use std::fmt;
use std::time::Duration;

use serde::Serialize;

use super::conclude::Conclusion;
use super::findings::{Counts, Finding, Kind, Range, Ranges, TOLD_MAX};
use crate::consume::Partition;
use crate::observe::figure;
use crate::observe::latency::Quantiles;

/// Why reading ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Stopped {
    /// All was read.
    End,
    /// Nothing came any more, and nobody says whether the run is over.
    Idle,
    /// The time was up.
    Timeout,
    /// A signal.
    Signal,
}

/// What is known beside what was found.
#[derive(Clone, Debug)]
pub struct About {
    /// The model's name.
    pub model: String,
    /// The manifest.
    pub manifest: Option<String>,
    /// Why reading ended.
    pub stopped: Stopped,
    /// How long it took.
    pub wall: Duration,
    /// The most memory that was resident, if the system tells.
    pub peak_bytes: Option<u64>,
}

/// A topic that was read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Topic {
    /// Its name.
    pub topic: String,
    /// Its partitions.
    pub partitions: usize,
    /// How many records it held once and holds no more, because they were old; of whomever.
    pub expired_records: u64,
}

/// What verifying found.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Whether nothing is wrong.
    pub clean: bool,
    /// The model's name.
    pub model: String,
    /// The manifest.
    pub manifest: Option<String>,
    /// Why reading ended.
    pub stopped: Stopped,
    /// How long it took, in seconds.
    pub wall_s: f64,
    /// Whether the run says how many events it sent. If not, only what comes before the latest event that
    /// is there was expected.
    pub sent_is_known: bool,
    /// The topics that were read.
    pub topics: Vec<Topic>,
    /// Records that were looked at.
    pub records: u64,
    /// All streams together.
    #[serde(flatten)]
    pub counts: Counts,
    /// Records that are not the run's.
    pub foreign: u64,
    /// Those by why they are not.
    pub foreign_by_reason: Vec<Foreign>,
    /// By stream, of those that were looked for.
    pub streams: Vec<Stream>,
    /// Which events are missing.
    pub missing_ranges: Ranges,
    /// From the intended time of events to the time of their records.
    pub latency_ms: Option<Quantiles>,
    /// The first of each kind of finding.
    pub findings: Vec<Finding>,
    /// The most memory that was resident, if the system tells.
    pub peak_bytes: Option<u64>,
}

/// Records that are not the run's, of one reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Foreign {
    /// Why.
    pub reason: String,
    /// How many.
    pub records: u64,
}

/// What was found of one stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Stream {
    /// Its name.
    pub stream: String,
    /// What was counted.
    #[serde(flatten)]
    pub counts: Counts,
}

impl Report {
    /// Puts together what was found in these partitions of streams of these names.
    pub fn new(
        about: About,
        partitions: &[Partition],
        names: &[String],
        conclusion: Conclusion,
    ) -> Self {
        let Conclusion { findings, ranges, records, is_known } = conclusion;
        let counts = findings.sum();
        let foreign: u64 = findings.foreign.iter().map(|(_, count)| count).sum();
        let mut topics: Vec<Topic> = Vec::new();
        for partition in partitions {
            let known = topics.iter().position(|topic| topic.topic == partition.topic);
            let place = known.unwrap_or_else(|| {
                let topic = partition.topic.clone();
                topics.push(Topic { topic, partitions: 0, expired_records: 0 });
                topics.len() - 1
            });
            topics[place].partitions += 1;
            topics[place].expired_records += partition.expired;
        }
        let is_there = |counts: &Counts| *counts != Counts::default();
        let streams = names.iter().zip(&findings.counts).filter(|(_, counts)| is_there(counts));
        let by_reason = findings.foreign.iter();
        Self {
            clean: counts.wrong() == 0 && foreign == 0,
            model: about.model,
            manifest: about.manifest,
            stopped: about.stopped,
            wall_s: about.wall.as_secs_f64(),
            sent_is_known: is_known,
            topics,
            records,
            counts,
            foreign,
            foreign_by_reason: by_reason
                .map(|(reason, records)| Foreign { reason: reason.clone(), records: *records })
                .collect(),
            streams: streams
                .map(|(stream, counts)| Stream { stream: stream.clone(), counts: *counts })
                .collect(),
            missing_ranges: ranges,
            latency_ms: findings.latency.quantiles(),
            findings: findings.told,
            peak_bytes: about.peak_bytes,
        }
    }

    /// What is wrong, apart from these kinds: their names and how often.
    pub fn wrong(&self, ignored: &[Kind]) -> Vec<(Kind, u64)> {
        let all = Kind::ALL.into_iter().map(|kind| (kind, kind.count(self)));
        all.filter(|(kind, count)| *count > 0 && !ignored.contains(kind)).collect()
    }
}

impl Kind {
    fn count(self, report: &Report) -> u64 {
        let counts = &report.counts;
        match self {
            Self::Missing => counts.missing,
            Self::Doubled => counts.doubled,
            Self::OutOfOrder => counts.out_of_order,
            Self::Damaged => counts.damaged,
            Self::Unreadable => counts.unreadable,
            Self::Unwanted => counts.unwanted,
            Self::Foreign => report.foreign,
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = if self.clean { "clean" } else { "not clean" };
        let took = figure::time(Duration::try_from_secs_f64(self.wall_s).unwrap_or_default());
        writeln!(formatter, "{}: {verdict}, after {took}{}", self.model, self.reservation())?;
        for topic in &self.topics {
            write!(
                formatter,
                "  read             {}, {} partitions",
                topic.topic, topic.partitions
            )?;
            match topic.expired_records {
                0 => writeln!(formatter)?,
                expired => writeln!(formatter, ", {} older records gone", figure::count(expired))?,
            }
        }
        let counts = &self.counts;
        let mut line = |name: &str, count: u64, more: &str| {
            writeln!(formatter, "  {name:<16} {}{more}", figure::count(count))
        };
        line("records", self.records, "")?;
        line("expected", counts.expected, "")?;
        line("delivered", counts.delivered, "")?;
        line("missing", counts.missing, &self.ranges())?;
        line("doubled", counts.doubled, "")?;
        let unchecked = match counts.order_unchecked {
            0 => String::new(),
            some => format!(", {} unchecked", figure::count(some)),
        };
        line("out of order", counts.out_of_order, &unchecked)?;
        line(
            "damaged",
            counts.damaged,
            &format!(" of {} compared", figure::count(counts.compared)),
        )?;
        line("foreign", self.foreign, "")?;
        for (name, count) in [
            ("unreadable", counts.unreadable),
            ("unwanted", counts.unwanted),
            ("expired", counts.expired),
            ("compacted", counts.compacted),
        ] {
            if count > 0 {
                line(name, count, "")?;
            }
        }
        if let Some(latency) = &self.latency_ms {
            let named =
                latency.named().map(|(name, time)| format!("{name} {}", figure::time(time)));
            writeln!(formatter, "  latency          {}", named.join(", "))?;
        }
        self.tell_ranges(formatter)?;
        self.tell_findings(formatter)
    }
}

impl Report {
    /// What keeps the verdict from being the last word.
    fn reservation(&self) -> String {
        let mut said = match self.stopped {
            Stopped::End => String::new(),
            Stopped::Idle => ", because nothing came any more".to_owned(),
            Stopped::Timeout => ", because the time was up".to_owned(),
            Stopped::Signal => ", because it was stopped".to_owned(),
        };
        if !self.sent_is_known {
            said += "; the run has not said how much it sent, so what should come after the last event is not known";
        }
        said
    }

    fn ranges(&self) -> String {
        match self.missing_ranges.count {
            0 => String::new(),
            1 => ", all of them one after the other".to_owned(),
            count => format!(", in {} places", figure::count(count)),
        }
    }

    fn tell_ranges(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Ranges { count, first, last } = &self.missing_ranges;
        for range in first {
            writeln!(formatter, "  missing          {range}")?;
        }
        let told = first.len() as u64 + u64::from(last.is_some());
        if *count > told {
            writeln!(formatter, "  missing          … {} more …", figure::count(count - told))?;
        }
        last.iter().try_for_each(|range| writeln!(formatter, "  missing          {range}"))
    }

    fn tell_findings(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 5;
        let mut shown = [0; 7];
        const { assert!(SHOWN <= TOLD_MAX, "no more is shown than is kept") };
        for finding in &self.findings {
            let shown = &mut shown[finding.what as usize];
            // Ranges tell which are missing.
            if *shown < SHOWN && finding.what != Kind::Missing {
                *shown += 1;
                writeln!(formatter, "  {finding}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for Range {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { stream, from, to, first_due, last_due } = self;
        let count = |number: &u64| figure::count(number + 1);
        if from == to {
            return write!(formatter, "{stream}: the {}., due {first_due}", count(from));
        }
        let (first, last) = (count(from), count(to));
        write!(formatter, "{stream}: the {first}. to the {last}., due {first_due} to {last_due}")
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:<16}", self.what.name())?;
        for part in [&self.stream, &self.id].into_iter().flatten() {
            write!(formatter, " {part}")?;
        }
        self.place.iter().try_for_each(|place| write!(formatter, " at {place}"))?;
        self.reason.iter().try_for_each(|reason| write!(formatter, ": {reason}"))?;
        for field in &self.fields {
            let found = field.found.as_ref().map_or("nothing".to_owned(), ToString::to_string);
            write!(formatter, "; {} is {found}, sent as {}", field.field, field.sent)?;
        }
        Ok(())
    }
}

impl fmt::Display for super::findings::Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.partition {
            Some(partition) => write!(formatter, "{}[{partition}]:{}", self.topic, self.position),
            None => write!(formatter, "{}:{}", self.topic, self.position),
        }
    }
}
