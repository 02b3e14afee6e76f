//! What can be typed after `tidegate verify`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::Changes;
use crate::run::request::{Moment, Shard};
use crate::verify::findings::Kind;

/// `tidegate verify`.
#[derive(Args, Clone, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "flags of a command line")]
pub struct Verify {
    /// The manifest of a run (in `runs/`); or a model, with the start and the end that the run had.
    pub run: String,
    /// Where the events are: TOPIC in the run's own cluster, kafka://HOST:PORT/TOPIC or
    /// pulsar://HOST:PORT/TOPIC; several with commas, or given again. Without it, the run's own topics.
    #[arg(long, value_name = "SOURCE")]
    pub from: Vec<String>,
    /// The streams whose events should be there, comma separated; without it, those of the topics that are
    /// read.
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub streams: Vec<String>,
    /// The field that has the identity, such as order.id; without it, it is found.
    #[arg(long, value_name = "PATH", group = "place")]
    pub id_path: Option<String>,
    /// The header that has the identity.
    #[arg(long, value_name = "NAME", group = "place")]
    pub id_header: Option<String>,
    /// The key is the identity.
    #[arg(long, group = "place")]
    pub id_key: bool,
    /// Which events the consumer passes on, in the words of the model: `amount > 100 and channel == 'online'`.
    #[arg(long = "where", value_name = "CONDITION")]
    pub filter: Option<String>,
    /// Compare only a share of the events with what was sent, such as 1/100; 0: none.
    #[arg(long, value_name = "SHARE")]
    pub sample: Option<String>,
    /// Read on until every event is there.
    #[arg(long)]
    pub until_complete: bool,
    /// Read no longer than that.
    #[arg(long, value_name = "TIME")]
    pub timeout: Option<String>,
    /// Of a run that has not said how it ended, and of other topics than the run's: how long nothing may come before
    /// nothing more is waited for; 10s unless set.
    #[arg(long, value_name = "TIME")]
    pub idle: Option<String>,
    /// Pass over records that are older than this: RFC 3339.
    #[arg(long, value_name = "TIME")]
    pub since: Option<Moment>,
    /// What does not make the verdict negative, comma separated.
    #[arg(long, value_name = "KINDS", value_delimiter = ',')]
    pub ignore: Vec<Ignored>,
    /// Write each thing that is found to this file, one JSON object a line.
    #[arg(long, value_name = "PATH")]
    pub findings: Option<PathBuf>,
    /// The run's share of the events, such as 3/16, if it was one and there is no manifest.
    #[arg(long, value_name = "I/N")]
    pub shard: Option<Shard>,
    /// Where the run ended, if there is no manifest: RFC 3339, or a time after the start.
    #[arg(long, value_name = "TIME", conflicts_with = "duration")]
    pub until: Option<String>,
    /// How much model time the run had, if there is no manifest, such as 10m.
    #[arg(long, value_name = "TIME")]
    pub duration: Option<String>,
    /// How many events of root streams the run had, if there is no manifest.
    #[arg(long, value_name = "NUMBER")]
    pub count: Option<String>,
    /// Threads that make the events again.
    #[arg(long, value_name = "NUMBER")]
    pub threads: Option<String>,
    /// Print the result as one JSON object on stdout.
    #[arg(long)]
    pub json: bool,
    /// No live line and no report for people.
    #[arg(long, short)]
    pub quiet: bool,
    /// What changes the model.
    #[command(flatten)]
    pub changes: Changes,
}

/// What may be wrong and is not minded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum Ignored {
    /// Events that are not there.
    Missing,
    /// Records beyond the first of an event.
    Doubled,
    /// Events after a later one of their key.
    OutOfOrder,
    /// Events that are not as they were sent.
    Damaged,
    /// Values that nobody can read.
    Unreadable,
    /// Events that the consumer should have filtered out.
    Unwanted,
    /// Records that are not the run's.
    Foreign,
}

impl From<Ignored> for Kind {
    fn from(ignored: Ignored) -> Self {
        match ignored {
            Ignored::Missing => Self::Missing,
            Ignored::Doubled => Self::Doubled,
            Ignored::OutOfOrder => Self::OutOfOrder,
            Ignored::Damaged => Self::Damaged,
            Ignored::Unreadable => Self::Unreadable,
            Ignored::Unwanted => Self::Unwanted,
            Ignored::Foreign => Self::Foreign,
        }
    }
}
