//! What a run is asked to do, beside the model and its settings.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use super::Error;
use super::consumer::{self, Watch};
use super::repetition::First;
use super::resume::Resume;
use crate::config::model::{Model, Start};
use crate::config::settings::{Settings, Speed};
use crate::config::{Configuration, suggest, units};
use crate::manifest::{self, Manifest, Place};
use crate::observe::verdict::Condition;

/// A share of the lanes: those ≡ `index` (mod `count`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    /// Which, from 0.
    pub index: u16,
    /// Of how many.
    pub count: u16,
}

impl Shard {
    /// All lanes.
    pub const WHOLE: Self = Self { index: 0, count: 1 };
}

impl fmt::Display for Shard {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.index, self.count)
    }
}

/// A shard that cannot be.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ShardError {
    /// Not two numbers.
    #[error("`{0}` is no shard: write which and of how many, counted from 0, as in 3/16")]
    Form(String),
    /// None at all.
    #[error("there is no shard of 0: write which and of how many, counted from 0, as in 0/1")]
    OfNone,
    /// Beyond the last.
    #[error("shards are counted from 0, so the last of {count} is {}/{count}", count - 1)]
    BeyondTheLast {
        /// Of how many.
        count: u16,
    },
}

impl FromStr for Shard {
    type Err = ShardError;

    fn from_str(text: &str) -> Result<Self, ShardError> {
        let numbers = text.split_once('/').and_then(|(index, count)| {
            Some((index.parse::<u16>().ok()?, count.parse::<u16>().ok()?))
        });
        match numbers {
            None => Err(ShardError::Form(text.to_owned())),
            Some((_, 0)) => Err(ShardError::OfNone),
            Some((index, count)) if index >= count => Err(ShardError::BeyondTheLast { count }),
            Some((index, count)) => Ok(Self { index, count }),
        }
    }
}

/// A moment of the wall clock, in microseconds since the Unix epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(pub i64);

impl FromStr for Moment {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        units::time_us(text).map(Self).map_err(|error| format!("{error}: {}", error.way_out()))
    }
}

/// Where a run's events go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Destination {
    /// The Kafka of the settings.
    Kafka,
    /// The Pulsar of the settings.
    Pulsar,
    /// A Kafka and a registry inside the process.
    Embedded,
    /// JSON lines on stdout.
    Stdout,
    /// Nowhere.
    Null,
}

impl Destination {
    /// The broker that a model names: Kafka, unless it names Pulsar alone.
    pub fn named(settings: &Settings) -> Self {
        match (&settings.kafka, &settings.pulsar) {
            (None, Some(_)) => Self::Pulsar,
            _ => Self::Kafka,
        }
    }

    /// All that there are.
    pub const ALL: [Self; 5] =
        [Self::Kafka, Self::Pulsar, Self::Embedded, Self::Stdout, Self::Null];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Kafka => "kafka",
            Self::Pulsar => "pulsar",
            Self::Embedded => "embedded_kafka",
            Self::Stdout => "stdout",
            Self::Null => "null",
        }
    }
}

/// Where the manifest goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ManifestPath {
    /// To a new file in `runs/`.
    New,
    /// To this file, in the place of what was there.
    At(PathBuf),
    /// Nowhere.
    None,
}

impl ManifestPath {
    /// The file that the manifest is written to; none if there is to be none.
    pub fn place(&self, manifest: &Manifest) -> Result<Option<Place>, manifest::Error> {
        match self {
            Self::New => Place::new_in(Path::new("runs"), manifest).map(Some),
            Self::At(path) => Ok(Some(Place::at(path.clone()))),
            Self::None => Ok(None),
        }
    }
}

/// What is known of a run by its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// The seed that was used.
    pub seed: u64,
    /// The start that was used, as RFC 3339.
    pub start: String,
    /// Where it ended.
    pub end: End,
    /// Its manifest, if there is one.
    pub manifest: Option<String>,
}

/// Where a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// Where it was asked to, in model time or by number.
    AsAsked,
    /// After so many events.
    Count(u64),
    /// Before this model time, as RFC 3339.
    Until(String),
    /// In the midst of events of several streams, or of a shard: its manifest knows after how many. They
    /// were all earlier than this model time, as RFC 3339.
    Amid(String),
}

/// Writes the command that sends the same events again.
pub type Repeat = Box<dyn Fn(&Facts) -> String + Send + Sync>;

/// What a run is asked to do, beside the model and its settings.
pub struct Request {
    /// Where events go.
    pub destination: Destination,
    /// The streams that are sent; empty: all.
    pub streams: Vec<String>,
    /// The share that is sent.
    pub shard: Option<Shard>,
    /// When the window begins on the wall clock; `None`: as soon as all is ready.
    pub at: Option<Moment>,
    /// Whether headers are told at stdout.
    pub headers: bool,
    /// The run that is done again, if it is one.
    pub repeats: Option<First>,
    /// Whether that run goes on where it was killed, and what becomes of the time that it missed.
    pub resume: Option<Resume>,
    /// Where the manifest goes.
    pub manifest: ManifestPath,
    /// Who reads what is sent, if that is to be watched.
    pub consumer: Option<Watch>,
    /// What makes the verdict negative.
    pub conditions: Vec<Condition>,
    /// Writes the command that sends the same events again.
    pub repeat: Repeat,
}

impl fmt::Debug for Request {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Request").field("to", &self.destination).finish_non_exhaustive()
    }
}

impl Request {
    /// Checks what shows without a plan: that shards can agree, that a consumer can be
    /// watched, and that streams are there.
    pub fn check(&self, configuration: &Configuration) -> Result<(), Error> {
        let model = &configuration.model;
        let paced = configuration.settings.run.speed != Speed::Max;
        if self.at.is_some() && !paced {
            return Err(Error::MomentWithoutSchedule);
        }
        if let Some(shard) = self.shard {
            if shard.count > model.lanes {
                return Err(Error::TooManyShards { shard, lanes: model.lanes });
            }
            if model.start == Start::Now {
                return Err(Error::ShardWithoutStart);
            }
            let real = !matches!(self.destination, Destination::Stdout | Destination::Null);
            if real && paced && self.at.is_none() && self.resume.is_none() {
                return Err(Error::ShardWithoutMoment { sink: self.destination.name() });
            }
        }
        consumer::check(self)?;
        check_streams(&self.streams, model)
    }

    /// How many events are sent at most, in the order of sending: where a run is repeated that something
    /// else than its window had ended.
    pub fn events_max(&self) -> Option<u64> {
        let first = self.repeats.as_ref()?;
        if self.resume.is_some() {
            first.manifest.window.events
        } else {
            first.manifest.events_max()
        }
    }

    /// Whether a stream is left out.
    pub fn skips(&self, stream: &str) -> bool {
        !self.streams.is_empty() && self.streams.iter().all(|name| name != stream)
    }
}

/// Refuses names of streams that a model does not have.
pub(super) fn check_streams(names: &[String], model: &Model) -> Result<(), Error> {
    for name in names {
        let known = model.streams.iter().map(|stream| stream.name.as_str());
        if !known.clone().any(|known| known == name) {
            let hint = suggest::way_out(name, known).unwrap_or_default();
            return Err(Error::UnknownStream { name: name.clone(), hint });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_impossible_shard_is_refused_with_the_limit() {
        assert_eq!("3/16".parse(), Ok(Shard { index: 3, count: 16 }));
        for (text, told) in [
            ("3/3", "the last of 3 is 2/3"),
            ("0/0", "there is no shard of 0"),
            ("3", "as in 3/16"),
            ("-1/4", "as in 3/16"),
            ("1/70000", "as in 3/16"),
            ("a/b", "as in 3/16"),
        ] {
            let error = text.parse::<Shard>().unwrap_err().to_string();
            assert!(error.contains(told), "{text}: {error}");
        }
    }
}
