//! Settings: what decides where and how events are sent, and none of their bytes.

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use super::Spanned;
use super::secret::{Secret, Text};

/// Where and how a run sends; no byte of an event depends on it.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// `[sink.kafka]`. None: the model names no Kafka.
    pub kafka: Option<Kafka>,
    /// `[sink.pulsar]`. None: the model names no Pulsar.
    pub pulsar: Option<Pulsar>,
    /// `[registry]`. None: the model names no schema registry.
    pub registry: Option<Registry>,
    /// `[run]`.
    pub run: Run,
}

/// The Kafka sink.
#[derive(Clone, Debug, Default)]
pub struct Kafka {
    /// Properties of librdkafka under their own names, in the order of the file, not checked.
    pub properties: Vec<Property>,
    /// What the records' timestamp is.
    pub timestamp: Timestamp,
}

/// The Pulsar sink.
#[derive(Clone, Debug, Default)]
pub struct Pulsar {
    /// Settings under the names of Pulsar's own clients, in the order of the file, not checked.
    pub properties: Vec<Property>,
}

/// A property of a broker's client.
#[derive(Clone, Debug)]
pub struct Property {
    /// Its name, and where it stands.
    pub name: Spanned<String>,
    /// Its value, and where that stands.
    pub value: Spanned<Text>,
}

/// What a record's timestamp is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Timestamp {
    /// The wall clock at hand-over.
    #[default]
    Handover,
    /// The event time.
    Event,
}

/// A schema registry.
#[derive(Clone, Debug)]
pub struct Registry {
    /// Where it answers: at least one `http://` or `https://` address, without user or password.
    pub urls: Vec<Spanned<String>>,
    /// Which schema the events are written with.
    pub schemas: SchemaChoice,
    /// Under which names schemas are kept.
    pub subjects: Subjects,
    /// Who we are.
    pub authentication: Authentication,
    /// A file of certificates (PEM) that are trusted besides the well-known ones.
    pub ca: Option<PathBuf>,
    /// Our own certificate and its key (PEM files).
    pub identity: Option<Identity>,
    /// How long to wait for an answer before giving up.
    pub timeout: Duration,
}

/// Which schema the events are written with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SchemaChoice {
    /// The model's; it is registered if it is not there.
    #[default]
    Register,
    /// The model's; it must be there already.
    Use,
    /// The latest that the subject has.
    Latest,
    /// The one with this id.
    Id(u32),
}

/// Under which name a schema is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Subjects {
    /// `<topic>-value`, `<topic>-key`.
    #[default]
    TopicName,
    /// The record's full name.
    RecordName,
    /// `<topic>-<record's full name>`.
    TopicRecordName,
}

/// How we prove who we are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Authentication {
    /// Not at all.
    #[default]
    None,
    /// By name and password.
    Basic {
        /// The name.
        username: Text,
        /// The password.
        password: Secret,
    },
    /// By a token.
    Bearer(Secret),
}

/// A certificate and its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The certificate's file (PEM).
    pub certificate: PathBuf,
    /// The key's file (PEM).
    pub key: PathBuf,
}

/// How a run is done.
#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    /// Generator threads, 1 to 1,024. None: as many as the machine has.
    pub threads: Option<NonZeroUsize>,
    /// Where metrics are served. None: nowhere.
    pub metrics: Option<SocketAddr>,
    /// How long to wait for receipts at the end; 20 s unless set.
    pub drain: Duration,
    /// How long to wait for a broker or a registry at the start; 10 s unless set.
    pub connect_timeout: Duration,
    /// How many bytes of events may wait for their receipts, 1 MiB to 64 GiB; 64 MiB unless set.
    pub in_flight_bytes_max: u64,
    /// How model time maps onto the clock; as it goes by unless set.
    pub speed: Speed,
    /// What may be released in a second, whatever the speed.
    pub governor: Governor,
    /// Where in model time to begin. None: at the start.
    pub from: Option<Moment>,
    /// Where in model time to end. None: not by time.
    pub until: Option<Moment>,
    /// How much model time to send; above 0.
    pub duration: Option<Duration>,
    /// How long to send by the wall clock; above 0.
    pub wall_duration: Option<Duration>,
    /// How many root events to send; above 0.
    pub count: Option<u64>,
    /// Whether to make topics that are not there.
    pub create_topics: bool,
    /// Whether to add up the digest.
    pub digest: bool,
}

impl Default for Run {
    fn default() -> Self {
        Self {
            threads: None,
            metrics: None,
            drain: Duration::from_secs(20),
            connect_timeout: Duration::from_secs(10),
            in_flight_bytes_max: 64 << 20,
            speed: Speed::Times(1.0),
            governor: Governor::default(),
            from: None,
            until: None,
            duration: None,
            wall_duration: None,
            count: None,
            create_topics: false,
            digest: false,
        }
    }
}

/// How model time maps onto the clock.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Speed {
    /// So many times as fast; above 0, finite.
    Times(f64),
    /// As fast as it goes.
    Max,
    /// So many root events a second, whatever their times; above 0, finite.
    Pace(f64),
}

/// Ceilings of an unsharded run; a shard has its part of them. None: no such ceiling.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Governor {
    /// Events a second; above 0, finite.
    pub events_per_s: Option<f64>,
    /// Bytes of key and value a second; 1 or more, finite.
    pub bytes_per_s: Option<f64>,
}

impl Governor {
    /// Whether there is a ceiling at all.
    pub fn is_set(&self) -> bool {
        *self != Self::default()
    }
}

/// A point in model time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// Microseconds since the Unix epoch.
    At(i64),
    /// So long after the start.
    AfterStart(Duration),
}
