//! Recordings: what topics held, kept in files, and sent again.
//!
//! A recording is a folder of files ([`folder`]): Avro object containers ([`container`]) or lines of JSON
//! ([`lines`]), and beside them the schemas that the ids in its records stand for ([`schemas`]). A
//! [`Feed`] hands records over, be it from files or from [`topics`]; [`batches`] makes of them what the
//! pacer releases. [`edit`] changes values on the way: what must not be seen is masked, times are moved.

pub mod wire;
pub mod container;
pub mod schemas;
pub mod edit;
pub mod lines;
pub mod folder;
pub mod topics;
pub mod batches;

use std::path::{Path, PathBuf};

use crate::consume::{self, Position};
use crate::encode;
use crate::encode::registry;

/// A header: its name, and its value if it has one.
pub type Header<'a> = (&'a [u8], Option<&'a [u8]>);

/// A record as its topic held it.
#[derive(Clone, Copy, Debug)]
pub struct Recorded<'a> {
    /// The place of its topic among those of the feed.
    pub topic: usize,
    /// The number of its partition, if its topic has partitions.
    pub partition: Option<u32>,
    /// Where it lay in its partition, if that is known.
    pub position: Option<Position>,
    /// Its timestamp, in milliseconds since the Unix epoch; −1 if it had none.
    pub timestamp_ms: i64,
    /// The key, if it has one.
    pub key: Option<&'a [u8]>,
    /// The headers, in their order.
    pub headers: &'a [Header<'a>],
    /// The value; none of a tombstone.
    pub value: Option<&'a [u8]>,
}

/// Takes a record.
pub type Take<'a> = dyn FnMut(&Recorded<'_>) -> Result<(), Error> + 'a;

/// What a feed has handed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fed {
    /// Some records, or none just now.
    More,
    /// No more follow.
    End,
}

/// Where recorded records come from, about in the order of their timestamps.
pub trait Feed: Send {
    /// The names of the topics.
    fn topics(&self) -> &[String];

    /// Hands over the next records: as many as lie together, a few megabytes at most.
    fn next(&mut self, take: &mut Take<'_>) -> Result<Fed, Error>;

    /// What could not be read so far.
    fn damages(&self) -> &[Damage] {
        &[]
    }
}

/// A part of a recording that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// The file.
    pub file: PathBuf,
    /// Where it begins, in bytes from the file's begin.
    pub from: u64,
    /// Where what can be read begins again, or the file ends.
    pub to: u64,
    /// How many records of the file were read before.
    pub records: u64,
    /// What is wrong.
    pub what: &'static str,
}

impl std::fmt::Display for Damage {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { file, from, to, records, what } = self;
        let file = file.display();
        write!(
            formatter,
            "{file}: bytes {from} to {to} cannot be read ({what}), after {records} records"
        )
    }
}

/// Why something cannot be recorded or sent again.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A topic that is recorded.
    #[error(transparent)]
    Consume(#[from] consume::Error),
    /// A registry.
    #[error(transparent)]
    Registry(#[from] registry::Error),
    /// A file or folder that cannot be read or written.
    #[error("cannot {what} {}", path.display())]
    File {
        /// What was tried.
        what: &'static str,
        /// Which.
        path: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// Nothing of that name.
    #[error(
        "there is no file or folder {}; a topic is written `kafka://HOST:PORT/TOPIC` or \
         `pulsar://HOST:PORT/TOPIC`",
        path.display()
    )]
    Missing {
        /// What was asked for.
        path: PathBuf,
    },
    /// A folder without recorded files.
    #[error("{} holds no recording: no file ends in .avro or .jsonl", path.display())]
    Empty {
        /// The folder.
        path: PathBuf,
    },
    /// A folder that has a recording already.
    #[error("{} holds a recording already: name another folder", path.display())]
    Occupied {
        /// The folder.
        path: PathBuf,
    },
    /// A file that is no recording.
    #[error("{} is no recording: {what}", path.display())]
    NotARecording {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// A line that is not what it should be.
    #[error("{}:{line}: {what}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// Its number, from 1.
        line: u64,
        /// What is wrong.
        what: String,
    },
    /// A schema that nobody has.
    #[error(
        "a record of `{topic}` has the schema id {id}, and {whence}; record with \
         `--source-registry`, or send to the same registry without `--registry`"
    )]
    UnknownId {
        /// The topic.
        topic: String,
        /// The id.
        id: u32,
        /// Where it was looked for.
        whence: String,
    },
    /// A schema that cannot be read.
    #[error("the schema {id} cannot be read")]
    Schema {
        /// Its id.
        id: u32,
        /// Why not.
        #[source]
        source: Box<apache_avro::Error>,
    },
    /// A value that is not what its schema says.
    #[error("a value of `{topic}` cannot be {done} with the schema {id}")]
    Value {
        /// The topic.
        topic: String,
        /// What was tried with it.
        done: &'static str,
        /// The schema's id.
        id: u32,
        /// Why not.
        #[source]
        source: Box<apache_avro::Error>,
    },
    /// JSON that a schema does not take.
    #[error("a value of `{topic}` does not fit the schema")]
    Misfit {
        /// The topic.
        topic: String,
        /// Why not.
        #[source]
        source: Box<encode::avro::Error>,
    },
    /// A value whose fields cannot be found.
    #[error(
        "`{flag}` changes fields, but a value of `{topic}` is neither JSON nor Avro with a schema id \
         of a registry{hint}"
    )]
    Opaque {
        /// The flag.
        flag: &'static str,
        /// The topic.
        topic: String,
        /// The way out.
        hint: &'static str,
    },
    /// A path that leads nowhere.
    #[error("`{flag} {path}`: no field has this path{hint}")]
    NoField {
        /// The flag.
        flag: &'static str,
        /// The path.
        path: String,
        /// The nearest one.
        hint: String,
    },
    /// A change that the field's type cannot take.
    #[error("`{flag} {path}`: the field is {avro}, {what}")]
    Unfit {
        /// The flag.
        flag: &'static str,
        /// The path.
        path: String,
        /// The field's type.
        avro: String,
        /// Why not, and the way out.
        what: &'static str,
    },
    /// A name that is given twice, or no name.
    #[error("{0}")]
    Asked(String),
    /// More topics than can be told apart.
    #[error("the recording has {count} topics, but {limit} are the most that can be sent at once")]
    TooManyTopics {
        /// How many.
        count: usize,
        /// The most.
        limit: usize,
    },
    /// Nothing to send.
    #[error("there is nothing to send: {0} holds no record of the time that was asked for")]
    NoRecords(String),
    /// A thread could not be started.
    #[error("cannot start a thread to read on")]
    Thread(#[source] std::io::Error),
}

impl Error {
    /// Whether what was asked for is wrong, rather than the world around.
    pub fn is_configuration(&self) -> bool {
        matches!(
            self,
            Self::Missing { .. }
                | Self::Empty { .. }
                | Self::Occupied { .. }
                | Self::NoField { .. }
                | Self::Unfit { .. }
                | Self::Asked(_)
        )
    }

    /// An error about a file.
    fn file(what: &'static str, path: &Path, source: std::io::Error) -> Self {
        Self::File { what, path: path.to_owned(), source }
    }
}
