//! What can be typed: commands, flags and their manual.

mod verify;
mod recorded;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub use self::recorded::{Format, Record, Replay};
use crate::config::units;
use crate::observe::verdict::Condition;
use crate::run::request::{Destination, Moment, Shard};
pub use verify::{Ignored, Verify};

/// Streams live, labelled, repeatable synthetic traffic into message brokers.
///
/// Without a command: the quickstart, which publishes payments to a Kafka and a schema registry
/// inside the process until it is stopped.
#[derive(Debug, Parser)]
#[command(name = "tidegate", version, max_term_width = 100, disable_help_subcommand = true)]
pub struct Invocation {
    /// What to do.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// How much to log to stderr: off, error, warn, info, debug, trace, or a filter such as
    /// `tidegate::stream=debug`.
    #[arg(
        long,
        global = true,
        value_name = "LEVEL",
        env = "TIDEGATE_LOG",
        default_value = "warn",
        hide_env_values = true
    )]
    pub log: String,
    /// Log as one JSON object a line.
    #[arg(long, global = true)]
    pub log_json: bool,
}

/// A command.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Publish a model's events at their intended times; with no model, the quickstart.
    Run(Box<Run>),
    /// Read topics back, and say what of a run is missing, doubled, out of order, late, damaged or foreign.
    Verify(Box<Verify>),
    /// Record topics to files.
    Record(Box<Record>),
    /// Send recorded files, or topics, again.
    Replay(Box<Replay>),
    /// Tell every mistake of a model at once, each with its place in the file.
    Validate(Validate),
    /// Print a few events as JSON, one a line.
    Sample(Sample),
    /// Show what a run would send, before it is sent; needs no broker and no registry.
    Plan(Plan),
    /// Tell what topics a model needs and what there is.
    Topics(Topics),
    /// List the models that come with the program.
    Models(Models),
    /// List the scenarios and curves that come with the program.
    Scenarios(Scenarios),
    /// Write a model that comes with the program to files, with its tables and schemas, to start from.
    Init(Init),
    /// Print the JSON Schema of the model file, for editors.
    Schema,
    /// Print what a shell needs to complete commands and flags.
    Completions(Completions),
}

/// What changes a model from outside. Precedence: file, then environment, then flags.
#[derive(Args, Clone, Debug, Default)]
pub struct Changes {
    /// Events a second (or /m, /h, /day, /week) before curves, such as 5000/s or 2M/day.
    #[arg(long, value_name = "RATE")]
    pub rate: Option<String>,
    /// What the rate is multiplied by all along, such as 1.5; members are as many as without it.
    #[arg(long, value_name = "TIMES", allow_hyphen_values = true)]
    pub intensity: Option<String>,
    /// Decides every random choice; 0 draws one.
    #[arg(long, value_name = "NUMBER", allow_hyphen_values = true)]
    pub seed: Option<String>,
    /// The anchor of model time: `now`, or RFC 3339 such as 2026-03-02T00:00:00Z.
    #[arg(long, value_name = "TIME")]
    pub start: Option<String>,
    /// Set any key of the model: `--set traffic.rate=800/h`.
    #[arg(long = "set", value_name = "KEY.PATH=VALUE")]
    pub set: Vec<String>,
    /// Set any property of the broker's client: `-X bootstrap.servers=localhost:9092`.
    #[arg(short = 'X', value_name = "NAME=VALUE")]
    pub property: Vec<String>,
    /// The schema registry's address; several, comma separated.
    #[arg(long, value_name = "URL")]
    pub registry: Option<String>,
}

/// What a run sends.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "What is sent")]
pub struct Window {
    /// Begin at this model time: RFC 3339, or a time after the start such as 2h.
    #[arg(long, value_name = "TIME")]
    pub from: Option<String>,
    /// End before this model time: RFC 3339, or a time after the start such as 2h.
    #[arg(long, value_name = "TIME", conflicts_with = "duration")]
    pub until: Option<String>,
    /// Send so much model time, such as 10m.
    #[arg(long, value_name = "TIME")]
    pub duration: Option<String>,
    /// Stop after so much wall time, such as 2h.
    #[arg(long = "for", value_name = "TIME")]
    pub wall: Option<String>,
    /// Send the first so many events of root streams, such as 1M.
    #[arg(long, value_name = "NUMBER")]
    pub count: Option<String>,
    /// Send only these streams, comma separated.
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub streams: Vec<String>,
    /// Send only this share of the events, such as 3/16 (counted from 0); needs an explicit start
    /// and, at a sink, `--at`.
    #[arg(long, value_name = "I/N")]
    pub shard: Option<Shard>,
}

/// How fast a run goes, and where to.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "How it is sent")]
pub struct Way {
    /// Where to; without it, the sink that the model names.
    #[arg(long, value_name = "SINK")]
    pub to: Option<To>,
    /// At stdout: tell the records' headers too, with stream and key.
    #[arg(long)]
    pub headers: bool,
    /// How much faster than the clock: 60, 0.5, or `max` for as fast as it goes.
    #[arg(long, value_name = "TIMES")]
    pub speed: Option<String>,
    /// Send the same events at a constant rate of root events, such as 5000/s, whatever their times.
    #[arg(long, value_name = "RATE", conflicts_with = "speed")]
    pub pace: Option<String>,
    /// Send no more than so many events a second, such as 5000/s, whatever the speed.
    #[arg(long, value_name = "RATE")]
    pub max_rate: Option<String>,
    /// Send no more than so many bytes a second, such as 10MB/s, whatever the speed.
    #[arg(long, value_name = "RATE")]
    pub max_bytes: Option<String>,
    /// Go on with the run of the manifest, which was killed or stopped, with neither gap nor double.
    #[arg(long, value_name = "HOW")]
    pub resume: Option<Resume>,
    /// When to begin on the wall clock, for shards that begin together: RFC 3339.
    #[arg(long, value_name = "TIME")]
    pub at: Option<Moment>,
    /// Threads that generate events.
    #[arg(long, value_name = "NUMBER")]
    pub threads: Option<String>,
    /// Create topics that are missing; none is ever altered or deleted.
    #[arg(long)]
    pub create_topics: bool,
    /// How long to wait for receipts when stopping; 20s unless set.
    #[arg(long, value_name = "TIME")]
    pub drain: Option<String>,
    #[arg(long, hide = true, value_parser = not_yet("--device"))]
    device: Option<String>,
}

/// Who reads what a run sends.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Who reads it")]
pub struct Reader {
    /// Watch a consumer group of Kafka: how far it is behind, and how soon it recovers.
    #[arg(long, value_name = "NAME", conflicts_with = "subscription")]
    pub group: Option<String>,
    /// Watch a subscription of Pulsar in the same way.
    #[arg(long, value_name = "NAME")]
    pub subscription: Option<String>,
    /// After the end, go on watching until all is committed, but no longer than this, such as 30s.
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub catch_up: Option<Duration>,
    /// How often to look; 1s unless set.
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub watch_every: Option<Duration>,
}

/// What a run tells.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "What is told")]
pub struct Telling {
    /// Print the result as one JSON object on stdout.
    #[arg(long)]
    pub json: bool,
    /// Compute the digest of what is sent; when a run is repeated, it always is.
    #[arg(long)]
    pub digest: bool,
    /// Exit with 3 if this is true of the report, such as `lag_p99>1s`; may be given again.
    #[arg(long, value_name = "CONDITION")]
    pub fail_if: Vec<Condition>,
    /// No live line and no report for people.
    #[arg(long, short)]
    pub quiet: bool,
    /// Offer Prometheus metrics at ADDRESS:PORT, or at PORT on loopback.
    #[arg(long, value_name = "ADDRESS")]
    pub metrics: Option<String>,
    /// Where to write the manifest (`.json`, to be run again), or `none`; without it, a new file in
    /// `runs/`.
    #[arg(long, value_name = "PATH")]
    pub manifest: Option<PathBuf>,
}

/// `tidegate run`.
#[derive(Args, Clone, Debug, Default)]
pub struct Run {
    /// A model file, an Avro schema (`.avsc`), or the name of a model that comes with the program;
    /// without it, the quickstart. The manifest of a run (`.json`) does that run again, and says whether
    /// the digests agree.
    pub model: Option<String>,
    /// What changes the model.
    #[command(flatten)]
    pub changes: Changes,
    /// What is sent.
    #[command(flatten)]
    pub window: Window,
    /// How it is sent.
    #[command(flatten)]
    pub way: Way,
    /// Who reads it.
    #[command(flatten)]
    pub reader: Reader,
    /// What is told.
    #[command(flatten)]
    pub telling: Telling,
}

/// `tidegate validate`.
#[derive(Args, Clone, Debug)]
pub struct Validate {
    /// A model file, an Avro schema (`.avsc`), the name of a model that comes with the program, or the
    /// manifest of a run (`.json`).
    pub model: String,
    /// What changes the model.
    #[command(flatten)]
    pub changes: Changes,
}

/// `tidegate sample`.
#[derive(Args, Clone, Debug)]
pub struct Sample {
    /// A model file, an Avro schema (`.avsc`), the name of a model that comes with the program, or the
    /// manifest of a run (`.json`).
    pub model: String,
    /// How many events of each stream.
    #[arg(short = 'n', long = "number", value_name = "NUMBER", default_value = "5")]
    pub number: String,
    /// Only this stream.
    #[arg(long, value_name = "NAME")]
    pub stream: Option<String>,
    /// Tell the records' headers too, with stream and key.
    #[arg(long)]
    pub headers: bool,
    /// Begin at this model time: RFC 3339, or a time after the start such as 2h. Events that
    /// follow others are shown from where all their delays are over.
    #[arg(long, value_name = "TIME")]
    pub from: Option<String>,
    /// What changes the model.
    #[command(flatten)]
    pub changes: Changes,
}

/// `tidegate plan`.
#[derive(Args, Clone, Debug, Default)]
pub struct Plan {
    /// A model file, an Avro schema (`.avsc`), the name of a model that comes with the program, or the
    /// manifest of a run (`.json`).
    pub model: String,
    /// Begin at this model time: RFC 3339, or a time after the start such as 2h.
    #[arg(long, value_name = "TIME")]
    pub from: Option<String>,
    /// End before this model time: RFC 3339, or a time after the start such as 2h.
    #[arg(long, value_name = "TIME", conflicts_with = "duration")]
    pub until: Option<String>,
    /// So much model time, such as 10m; without an end, what scenarios say, or 24h.
    #[arg(long, value_name = "TIME")]
    pub duration: Option<String>,
    /// Only these streams, comma separated.
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub streams: Vec<String>,
    /// How much faster than the clock the run will be: 60, 0.5, or `max`.
    #[arg(long, value_name = "TIMES")]
    pub speed: Option<String>,
    /// The constant rate of root events at which the run will send, such as 5000/s.
    #[arg(long, value_name = "RATE", conflicts_with = "speed")]
    pub pace: Option<String>,
    /// Threads that count.
    #[arg(long, value_name = "NUMBER")]
    pub threads: Option<String>,
    /// Count all that follows other events, however long that takes; else, of more than some tens of
    /// millions, it is estimated from parts of the window.
    #[arg(long)]
    pub all: bool,
    /// Draw it into this file, as SVG.
    #[arg(long, value_name = "PATH")]
    pub svg: Option<PathBuf>,
    /// Print the result as one JSON object.
    #[arg(long)]
    pub json: bool,
    /// What changes the model.
    #[command(flatten)]
    pub changes: Changes,
}

/// `tidegate topics`.
#[derive(Args, Clone, Debug)]
pub struct Topics {
    /// A model file, an Avro schema (`.avsc`), the name of a model that comes with the program, or the
    /// manifest of a run (`.json`).
    pub model: String,
    /// At which broker; without it, the one that the model names.
    #[arg(long, value_name = "SINK")]
    pub to: Option<To>,
    /// Create those that are missing; none is ever altered or deleted.
    #[arg(long)]
    pub create: bool,
    /// Print the result as one JSON object on stdout.
    #[arg(long)]
    pub json: bool,
    /// What changes the model.
    #[command(flatten)]
    pub changes: Changes,
}

/// `tidegate models`.
#[derive(Args, Clone, Debug)]
pub struct Models {
    /// Print the result as one JSON object on stdout.
    #[arg(long)]
    pub json: bool,
}

/// `tidegate scenarios`.
#[derive(Args, Clone, Debug)]
pub struct Scenarios {
    /// Print the result as one JSON object on stdout.
    #[arg(long)]
    pub json: bool,
}

/// `tidegate init`.
#[derive(Args, Clone, Debug)]
pub struct Init {
    /// The name of a model that comes with the program.
    pub name: String,
    /// Where to; without it, a folder of the model's name.
    #[arg(long, value_name = "FOLDER")]
    pub to: Option<PathBuf>,
    /// Write over files that are there.
    #[arg(long)]
    pub force: bool,
}

/// `tidegate completions`.
#[derive(Args, Clone, Debug)]
pub struct Completions {
    /// For which shell.
    pub shell: clap_complete::Shell,
}

/// What becomes of the time that a run missed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Resume {
    /// The schedule stays: what was missed is sent as fast as it goes.
    CatchUp,
    /// The schedule is moved: the run goes on as if no time had passed.
    Shift,
}

/// Where events go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum To {
    /// Apache Kafka.
    Kafka,
    /// Apache Pulsar.
    Pulsar,
    /// One JSON line an event on stdout.
    Stdout,
    /// Nowhere: to measure everything before the sink.
    Null,
}

impl To {
    /// Where that is.
    pub fn destination(self) -> Destination {
        match self {
            Self::Kafka => Destination::Kafka,
            Self::Pulsar => Destination::Pulsar,
            Self::Stdout => Destination::Stdout,
            Self::Null => Destination::Null,
        }
    }

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Kafka => "kafka",
            Self::Pulsar => "pulsar",
            Self::Stdout => "stdout",
            Self::Null => "null",
        }
    }
}

fn duration(text: &str) -> Result<Duration, String> {
    units::duration(text).map_err(|error| format!("{error}: {}", error.way_out()))
}

fn not_yet(flag: &'static str) -> impl Fn(&str) -> Result<String, String> + Clone {
    move |_| Err(format!("`{flag}` is not known yet: it comes with a later version"))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_agrees_with_itself() {
        Invocation::command().debug_assert();
    }

    #[test]
    fn what_is_not_built_yet_is_refused_by_name() {
        let refuse = |words: &[&str]| {
            let words = ["tidegate", "run", "m.toml"].iter().chain(words);
            Invocation::try_parse_from(words).unwrap_err().to_string()
        };
        assert!(refuse(&["--pace", "9/s", "--speed", "2"]).contains("cannot be used with"));
        assert!(refuse(&["--device", "gpu"]).contains("`--device` is not known yet"));
        let text = refuse(&["--to", "file"]);
        assert!(text.contains("file") && text.contains("kafka, pulsar, stdout, null"), "{text}");
    }
}
