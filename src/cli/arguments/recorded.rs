//! `tidegate record` and `tidegate replay`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::To;
use crate::observe::verdict::Condition;
use crate::replay::edit::Masked;
use crate::run::request::Moment;

/// `tidegate record`.
#[derive(Args, Clone, Debug)]
pub struct Record {
    /// The topics: kafka://HOST:PORT/TOPIC, pulsar://HOST:PORT/TOPIC or pulsar+ssl://…, several hosts and topics with commas;
    /// names alone are at the Kafka of `-S bootstrap.servers=…`, or the Pulsar of `-S serviceUrl=…`.
    #[arg(required = true, value_name = "TOPIC")]
    pub topics: Vec<String>,
    /// The folder that is written; it must hold no recording yet.
    #[arg(long, value_name = "FOLDER")]
    pub to: PathBuf,
    /// As Avro object container files, with a checksum a block, or as lines of JSON.
    #[arg(long, value_name = "FORMAT", default_value = "avro")]
    pub format: Format,
    /// Set any property of the client: `-S sasl.username=me`; or by variables such as
    /// `TIDEGATE_SOURCE__KAFKA__SASL_PASSWORD`.
    #[arg(short = 'S', value_name = "NAME=VALUE")]
    pub property: Vec<String>,
    /// The schema registry that the ids in values are of: the schemas are kept with the recording.
    #[arg(long, visible_alias = "registry", value_name = "URL")]
    pub source_registry: Option<String>,
    /// Begin with the first record whose timestamp is this one or later: RFC 3339.
    #[arg(long, value_name = "TIME")]
    pub from: Option<Moment>,
    /// End before this timestamp: RFC 3339.
    #[arg(long, value_name = "TIME")]
    pub until: Option<Moment>,
    /// Record so many records at most, such as 1M.
    #[arg(long, value_name = "NUMBER")]
    pub count: Option<String>,
    /// Record for so much wall time at most, such as 2h.
    #[arg(long = "for", value_name = "TIME")]
    pub wall: Option<String>,
    /// Go on with what comes later, until stopped; without it, what the topics hold now. Begins at their
    /// ends unless `--from` is given.
    #[arg(long)]
    pub follow: bool,
    /// Put something else in the place of a field, the `key` or `header.NAME`, such as
    /// `customer.name=fake`, `card=hash` or `note=null`; may be given again.
    #[arg(long, value_name = "PATH=hash|null|fake")]
    pub mask: Vec<Masked>,
    /// What decides the values that stand for others, so that other recordings have the same ones;
    /// without it nobody knows.
    #[arg(long, value_name = "TEXT", env = "TIDEGATE_MASK_SEED", hide_env_values = true)]
    pub mask_seed: Option<String>,
    /// Print the result as one JSON object on stdout.
    #[arg(long)]
    pub json: bool,
    /// No live line and no report for people.
    #[arg(long, short)]
    pub quiet: bool,
}

/// How records are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Avro object container files.
    Avro,
    /// Lines of JSON.
    Jsonl,
}

/// `tidegate replay`.
#[derive(Args, Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub struct Replay {
    /// A folder that `record` wrote, one of its files, or topics: kafka://HOST:PORT/TOPIC,
    /// pulsar://HOST:PORT/TOPIC or pulsar+ssl://….
    pub source: String,
    /// Where to.
    #[arg(long, value_name = "SINK")]
    pub to: To,
    /// Set any property of the target's client: `-X bootstrap.servers=localhost:9092`.
    #[arg(short = 'X', value_name = "NAME=VALUE")]
    pub property: Vec<String>,
    /// Set any property of the client of topics that are sent again: `-S sasl.username=me`.
    #[arg(short = 'S', value_name = "NAME=VALUE")]
    pub source_property: Vec<String>,
    /// The target's schema registry: ids become those that it has; without it they stay.
    #[arg(long, value_name = "URL")]
    pub registry: Option<String>,
    /// The schema registry of topics that are sent again.
    #[arg(long, value_name = "URL")]
    pub source_registry: Option<String>,
    /// Set any setting of the target: `--set registry.subjects=record_name`.
    #[arg(long = "set", value_name = "KEY.PATH=VALUE")]
    pub set: Vec<String>,
    /// Send the records of one topic to another: `--topic payments=payments.test`; may be given again.
    #[arg(long, value_name = "FROM=TO")]
    pub topic: Vec<String>,
    /// Send each record to the partition of the number that it lay in, not to that of its key.
    #[arg(long)]
    pub keep_partitions: bool,
    /// Give records the timestamps that they had; without it, the time when they are sent. At Pulsar it is
    /// the event time.
    #[arg(long)]
    pub keep_timestamps: bool,
    /// At Pulsar: keys are bytes and not text.
    #[arg(long)]
    pub binary_keys: bool,
    /// A schema (`.avsc`) for values that are lines of JSON; without it the target registry's latest of the
    /// topic, if there is one.
    #[arg(long, value_name = "PATH")]
    pub schema: Option<PathBuf>,
    /// Move the times of a field, such as `event_time`, as the records themselves are moved; may be given
    /// again.
    #[arg(long, value_name = "PATH")]
    pub move_time: Vec<String>,
    /// Begin with this timestamp: RFC 3339, or a time after the first record such as 2h.
    #[arg(long, value_name = "TIME")]
    pub from: Option<String>,
    /// End before this timestamp: RFC 3339, or a time after the first record such as 2h.
    #[arg(long, value_name = "TIME")]
    pub until: Option<String>,
    /// Send so many records at most, such as 1M.
    #[arg(long, value_name = "NUMBER")]
    pub count: Option<String>,
    /// Stop after so much wall time, such as 2h.
    #[arg(long = "for", value_name = "TIME")]
    pub wall: Option<String>,
    /// Send it so many times, one after the other, or `forever`.
    #[arg(long = "loop", value_name = "TIMES", default_value = "1")]
    pub passes: String,
    /// How much faster than they came: 60, 0.5, or `max` for as fast as it goes.
    #[arg(long, value_name = "TIMES")]
    pub speed: Option<String>,
    /// Send at a constant rate, such as 5000/s, whatever the gaps were.
    #[arg(long, value_name = "RATE", conflicts_with = "speed")]
    pub pace: Option<String>,
    /// Send no more than so many records a second, such as 5000/s, whatever the speed.
    #[arg(long, value_name = "RATE")]
    pub max_rate: Option<String>,
    /// Send no more than so many bytes a second, such as 10MB/s, whatever the speed.
    #[arg(long, value_name = "RATE")]
    pub max_bytes: Option<String>,
    /// Create topics that are missing; none is ever altered or deleted.
    #[arg(long)]
    pub create_topics: bool,
    /// How long to wait for receipts when stopping; 20s unless set.
    #[arg(long, value_name = "TIME")]
    pub drain: Option<String>,
    /// Print the result as one JSON object on stdout.
    #[arg(long)]
    pub json: bool,
    /// Exit with 3 if this is true of the report, such as `lag_p99>1s`; may be given again.
    #[arg(long, value_name = "CONDITION")]
    pub fail_if: Vec<Condition>,
    /// No live line and no report for people.
    #[arg(long, short)]
    pub quiet: bool,
    /// Offer Prometheus metrics at ADDRESS:PORT, or at PORT on loopback.
    #[arg(long, value_name = "ADDRESS")]
    pub metrics: Option<String>,
}
