//! The end report: what was issued and what became of it.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize, Serializer};

use super::agreement::Agreement;
use super::consumer::Consumer;
use super::faults::Faults;
use super::figure;
use super::latency::Quantiles;
use super::tally::{Outcomes, Total};
use super::verdict::Broken;
use crate::stream::deferrals::Deferrals;

/// Why a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stopped {
    /// Its window, count or time was over.
    End,
    /// A signal; what was handed over was waited for.
    Signal,
    /// A second signal, or the drain took too long: what was in flight was given up.
    GivenUp,
    /// An error, which is told beside the report.
    Error,
}

impl fmt::Display for Stopped {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::End => "at its end",
            Self::Signal => "by a signal",
            Self::GivenUp => "by giving up what was in flight",
            Self::Error => "by an error",
        })
    }
}

/// What became of events; `issued` is the sum of `delivered`, `already_there`, `failed`, `shed` and
/// `unacknowledged`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Events handed to the sink.
    pub issued: u64,
    /// Events that were acknowledged.
    pub delivered: u64,
    /// Those of the delivered that were written more than once, because a connection broke before their
    /// receipt: where nothing deduplicates, as many may be there twice.
    pub sent_again: u64,
    /// Events that the broker had already, and did not store again.
    pub already_there: u64,
    /// Events that were refused.
    pub failed: u64,
    /// Events left out by choice (none so far: no sink sheds).
    pub shed: u64,
    /// Events that nobody knows of: handed over, no receipt when waiting ended.
    pub unacknowledged: u64,
    /// Bytes of key and value that were acknowledged.
    pub bytes: u64,
    /// Refused events by reason.
    pub failures: BTreeMap<String, u64>,
}

impl Counts {
    fn add(&mut self, other: &Self) {
        self.issued += other.issued;
        self.delivered += other.delivered;
        self.sent_again += other.sent_again;
        self.already_there += other.already_there;
        self.failed += other.failed;
        self.shed += other.shed;
        self.unacknowledged += other.unacknowledged;
        self.bytes += other.bytes;
        for (reason, count) in &other.failures {
            *self.failures.entry(reason.clone()).or_default() += count;
        }
    }

    /// The counts of all streams of a total together.
    pub fn of_total(total: &Total) -> Self {
        Self::sum(of_streams(total).values())
    }

    fn sum<'a>(parts: impl Iterator<Item = &'a Self>) -> Self {
        let mut sum = Self::default();
        parts.for_each(|part| sum.add(part));
        sum
    }

    /// Whether anything is not known to have arrived.
    pub fn lost_any(&self) -> bool {
        self.failed + self.shed + self.unacknowledged > 0
    }
}

/// Events a second.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Rates {
    /// As the schedule has them; as issued, if there was none.
    pub intended: f64,
    /// As acknowledged, over the whole of the run's wall time.
    pub delivered: f64,
    /// Bytes of key and value a second.
    pub bytes: f64,
}

/// What was sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Subject {
    /// The events of a model.
    Model {
        /// Its name.
        model: String,
        /// The seed.
        seed: u64,
        /// The anchor of model time, as RFC 3339.
        start: String,
    },
    /// What was recorded.
    Source {
        /// Where it was read, as the user named it.
        source: String,
    },
}

impl Subject {
    fn name(&self) -> &str {
        match self {
            Self::Model { model: name, .. } | Self::Source { source: name } => name,
        }
    }
}

/// What is known of a run beside its counts.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct About {
    /// What was sent.
    #[serde(flatten)]
    pub subject: Subject,
    /// Why the run ended.
    pub stopped: Stopped,
    /// From the first hand-over to the last receipt.
    #[serde(rename = "seconds", serialize_with = "as_seconds")]
    pub wall: Duration,
    /// The stretch of wall time that the schedule gave to what was issued; `None` without one.
    #[serde(skip)]
    pub scheduled: Option<Duration>,
    /// How long ceilings held back what was due; `None` without ceilings.
    #[serde(rename = "governed_s", serialize_with = "as_seconds_if_any")]
    pub governed: Option<Duration>,
    /// The digest of what was issued, 32 hexadecimal digits.
    pub digest: Option<String>,
    /// What became of the events that phases kept away; `None` if no phase does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deferrals: Option<Deferrals>,
    /// Where the manifest is.
    pub manifest: Option<String>,
    /// The command that sends the same events again, where one is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repeat: Option<String>,
}

/// What a run did.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// The counts of all streams.
    #[serde(flatten)]
    pub counts: Counts,
    /// What else is known.
    #[serde(flatten)]
    pub about: About,
    /// The counts of each stream.
    pub streams: BTreeMap<String, Counts>,
    /// The counts of the snapshot before the run, which are in none of the others.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<Counts>,
    /// What faults did to what was issued; `None` if the model has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub faults: Option<Faults>,
    /// Events a second.
    pub rates: Rates,
    /// From intended time to acknowledgement.
    #[serde(rename = "latency_ms")]
    pub latency: Option<Quantiles>,
    /// How late events were handed over.
    #[serde(rename = "lag_ms")]
    pub lag: Option<Quantiles>,
    /// Who read what was sent, if that was watched.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub consumer: Option<Consumer>,
    /// The most memory that was resident.
    pub memory_bytes_max: Option<u64>,
    /// What it says of the run that it repeats, if it is a repetition.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repeats: Option<Agreement>,
    /// The conditions of `--fail-if` that came true.
    pub broken: Vec<Broken>,
}

impl Report {
    /// Puts together what a run's tally and its other facts say. Whatever has no receipt by now is
    /// unacknowledged.
    pub fn new(total: &Total, about: About, memory_bytes_max: Option<u64>) -> Self {
        let streams = of_streams(total);
        let counts = Counts::sum(streams.values());
        let wall_s = about.wall.as_secs_f64().max(1e-9);
        let scheduled_s = about.scheduled.map_or(wall_s, |time| time.as_secs_f64().max(1e-9));
        let rates = Rates {
            intended: counts.issued as f64 / scheduled_s,
            delivered: counts.delivered as f64 / wall_s,
            bytes: counts.bytes as f64 / wall_s,
        };
        Self {
            counts,
            about,
            streams,
            snapshot: None,
            faults: None,
            rates,
            latency: total.latency,
            lag: total.lag,
            consumer: None,
            memory_bytes_max,
            repeats: None,
            broken: Vec::new(),
        }
    }
}

impl Report {
    /// Whether anything is not known to have arrived, and was meant to.
    pub fn lost_any(&self) -> bool {
        self.streams.iter().any(|(name, counts)| {
            let left = Counts { failed: 0, ..counts.clone() };
            if self.is_meant(name, counts) { left.lost_any() } else { counts.lost_any() }
        })
    }

    /// Whether all that was refused of a stream was meant to be.
    pub fn is_meant(&self, stream: &str, counts: &Counts) -> bool {
        self.faults.as_ref().is_some_and(|faults| faults.meant(stream, counts))
    }

    /// Whether the verdict on the run is negative: a condition came true, or it did not send what the
    /// run sent that it repeats.
    pub fn is_negative(&self) -> bool {
        !self.broken.is_empty() || self.repeats.as_ref().is_some_and(Agreement::differs)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (counts, about) = (&self.counts, &self.about);
        writeln!(
            formatter,
            "{}: ended {} after {}",
            about.subject.name(),
            about.stopped,
            figure::time(about.wall)
        )?;
        line(formatter, "issued", &figure::count(counts.issued))?;
        line(formatter, "delivered", &figure::count(counts.delivered))?;
        if counts.sent_again > 0 {
            let told = format!("{} of them", figure::count(counts.sent_again));
            line(formatter, "sent again", &told)?;
        }
        if counts.already_there > 0 {
            line(formatter, "already there", &figure::count(counts.already_there))?;
        }
        line(formatter, "failed", &with_reasons(counts))?;
        if counts.shed > 0 {
            line(formatter, "shed", &figure::count(counts.shed))?;
        }
        line(formatter, "unacknowledged", &figure::count(counts.unacknowledged))?;
        if self.streams.len() > 1 {
            for (name, stream) in &self.streams {
                line(formatter, &format!("  {name}"), &of_stream(stream))?;
            }
        }
        if let Some(snapshot) = &self.snapshot {
            line(formatter, "snapshot", &of_stream(snapshot))?;
        }
        if let Some(faults) = &self.faults {
            for (name, told) in faults.lines() {
                line(formatter, &name, &told)?;
            }
        }
        let rates = &self.rates;
        let rate = format!(
            "{} intended, {} delivered, {}/s",
            figure::rate(rates.intended),
            figure::rate(rates.delivered),
            figure::bytes(whole(rates.bytes)),
        );
        line(formatter, "rate", &rate)?;
        line(formatter, "latency", &quantiles(self.latency))?;
        line(formatter, "behind schedule", &quantiles(self.lag))?;
        if let Some(deferrals) = &about.deferrals {
            line(formatter, "deferred", &of_deferrals(deferrals))?;
        }
        if let Some(governed) = about.governed {
            line(formatter, "held by ceiling", &figure::time(governed))?;
        }
        for (name, value) in self.consumer.iter().flat_map(Consumer::lines) {
            line(formatter, name, &value)?;
        }
        if let Some(peak) = self.memory_bytes_max {
            line(formatter, "peak memory", &figure::bytes(peak))?;
        }
        if let Some(digest) = &about.digest {
            line(formatter, "digest", digest)?;
        }
        if let Some(manifest) = &about.manifest {
            line(formatter, "manifest", manifest)?;
        }
        if let Some(agreement) = &self.repeats {
            line(formatter, "first run", &agreement.to_string())?;
        }
        for broken in &self.broken {
            line(formatter, "verdict", &broken.to_string())?;
        }
        about.repeat.as_ref().map_or(Ok(()), |repeat| line(formatter, "the same again", repeat))
    }
}

/// The counts of each stream of a total.
fn of_streams(total: &Total) -> BTreeMap<String, Counts> {
    let counts = |issued: u64, outcomes: &Outcomes| {
        let failed = outcomes.failed_count();
        Counts {
            issued,
            delivered: outcomes.delivered,
            sent_again: outcomes.sent_again,
            already_there: outcomes.already_there,
            failed,
            shed: 0,
            unacknowledged: issued.saturating_sub(outcomes.settled_count()),
            bytes: outcomes.bytes,
            failures: outcomes.failed.clone(),
        }
    };
    let streams = total.streams.iter();
    streams.map(|(name, issued, outcomes)| (name.clone(), counts(*issued, outcomes))).collect()
}

fn line(formatter: &mut fmt::Formatter<'_>, name: &str, value: &str) -> fmt::Result {
    writeln!(formatter, "  {name:<16} {value}")
}

fn with_reasons(counts: &Counts) -> String {
    let total = figure::count(counts.failed);
    if counts.failures.is_empty() {
        return total;
    }
    let reasons = counts.failures.iter();
    let reasons: Vec<String> =
        reasons.map(|(reason, count)| format!("{} {reason}", figure::count(*count))).collect();
    format!("{total}: {}", reasons.join(", "))
}

fn of_stream(counts: &Counts) -> String {
    format!(
        "{} issued, {} delivered, {} failed, {} unacknowledged",
        figure::count(counts.issued),
        figure::count(counts.delivered),
        figure::count(counts.failed),
        figure::count(counts.unacknowledged),
    )
}

fn of_deferrals(deferrals: &Deferrals) -> String {
    format!(
        "{}: {} released, {} abandoned, {} still to come",
        figure::count(deferrals.deferred),
        figure::count(deferrals.released),
        figure::count(deferrals.abandoned),
        figure::count(deferrals.pending()),
    )
}

fn quantiles(quantiles: Option<Quantiles>) -> String {
    let Some(quantiles) = quantiles else { return "–".to_owned() };
    let named = quantiles.named().map(|(name, time)| format!("{name} {}", figure::time(time)));
    named.join(", ")
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "for people, not below 0"
)]
fn whole(number: f64) -> u64 {
    number.round() as u64
}

fn as_seconds<S: Serializer>(time: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(time.as_secs_f64())
}

#[expect(clippy::ref_option, reason = "serde hands over a reference to the field")]
fn as_seconds_if_any<S: Serializer>(
    time: &Option<Duration>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    time.map(|time| time.as_secs_f64()).serialize(serializer)
}

#[cfg(test)]
pub(super) mod tests;
