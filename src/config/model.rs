//! The checked model: all that decides the bytes of a run.

mod curve;
mod expression;
mod fault;
mod follows;
mod formula;
mod generator;
mod member_events;
mod scenario;
mod walk;
mod words;

use std::path::PathBuf;
use std::sync::Arc;

pub use self::curve::{CalendarDate, Curve, CurveShape, Join};
pub use self::expression::{Expression, ExpressionKind, Operator};
pub use self::fault::{Fault, FaultHold, FaultKind};
pub use self::follows::{Delay, Follows};
pub use self::formula::{Formula, Instant, One, Two, Variable};
pub use self::generator::{
    Alternative, Counter, Favourite, Form, Generator, MixturePart, Near, Parameter, Period, Scalar,
    Shape,
};
pub use self::member_events::{Calendar, Changelog, MemberEvents, RollCall, Snapshot, TimeOfDay};
pub use self::scenario::{
    Anchor, Deferral, Edge, EntityPhase, Multiplier, Phase, Release, Scenario, StreamPhase,
};
pub use self::walk::{Given, Moment, Walk};
pub use self::words::{Network, WordKind, Words};
use super::{Span, Spanned};

/// A model as the user means it: names are known to be well-formed, numbers to be in range.
///
/// What refers to something else by name (paths, columns, conditions) is checked when the plan
/// compiles it, with the same [`super::Mistake`]s.
#[derive(Clone, Debug)]
pub struct Model {
    /// The model file's name without its ending.
    pub name: String,
    /// XXH3 of the texts that decide the events, 32 hexadecimal digits.
    pub hash: String,
    /// Decides every random choice. Never 0 (0 in the file is replaced by a drawn one).
    pub seed: u64,
    /// The anchor of model time.
    pub start: Start,
    /// Independent shares of each stream, 1 to 1,024.
    pub lanes: u16,
    /// The length of a tick, if the file sets it.
    pub tick: Option<Tick>,
    /// The traffic of root streams that have none of their own.
    pub traffic: Option<Traffic>,
    /// Curves defined in the file or in the library of curves that the file names.
    pub curves: Vec<Curve>,
    /// The scenarios that hold, in the order in which they are named.
    pub scenarios: Vec<Scenario>,
    /// What goes wrong on purpose: the model's own faults, then those of the scenarios that hold.
    pub faults: Vec<Fault>,
    /// Tables, in the order of the file.
    pub tables: Vec<Table>,
    /// Populations, in the order of the file.
    pub entities: Vec<Entity>,
    /// Streams, in the order of the file.
    pub streams: Vec<Stream>,
}

/// The anchor of model time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// The moment of the run.
    Now,
    /// Microseconds since the Unix epoch.
    At(i64),
}

/// The length of a tick.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tick {
    /// 100 ms.
    Tenth,
    /// 1 s.
    Second,
    /// 10 s.
    TenSeconds,
}

impl Tick {
    /// Its length in microseconds.
    pub fn length_us(self) -> i64 {
        match self {
            Self::Tenth => 100_000,
            Self::Second => 1_000_000,
            Self::TenSeconds => 10_000_000,
        }
    }
}

/// How fast events come.
#[derive(Clone, Debug)]
pub struct Traffic {
    /// Events a second before multipliers; above 0, finite. None: from the entity's count and
    /// activity.
    pub rate_per_s: Option<Spanned<f64>>,
    /// The same an hour, as it is written: 800 of `800/h`.
    pub rate_per_hour: Option<f64>,
    /// How events come; None: as the model says, else as a Poisson process.
    pub arrivals: Option<Arrivals>,
    /// What the rate is multiplied by all along; None: as the model says, else 1.
    pub intensity: Option<Spanned<f64>>,
    /// Names of [`Model::curves`], multiplied.
    pub curves: Vec<Spanned<String>>,
    /// The product of the curves is never below.
    pub floor: f64,
    /// Nor above.
    pub cap: f64,
    /// Whose local time the curves follow. None: UTC.
    pub zone: Option<Spanned<Zone>>,
}

/// How the events of a root stream come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Arrivals {
    /// Each at random, whatever the others do.
    #[default]
    Poisson,
    /// As many in each hour of model time as are expected, evenly spread.
    Exact,
}

/// Whose local time counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Zone {
    /// One IANA zone.
    Named(String),
    /// A path to a text column of IANA zones: each member's own zone, `account.home.zone`.
    Attribute(String),
}

/// A table of the model: columns of text, read from CSV or written inline.
#[derive(Clone, Debug)]
pub struct Table {
    /// Its name.
    pub name: String,
    /// Where it stands.
    pub span: Span,
    /// Its columns; all have the same number of cells, at least one.
    pub columns: Vec<Column>,
    /// The column that holds its weights, if rows do not weigh the same.
    pub weight: Option<Spanned<String>>,
}

/// A column of a table.
#[derive(Clone, Debug)]
pub struct Column {
    /// Its name, from the header.
    pub name: String,
    /// Its cells, from the first row on.
    pub cells: Arc<[String]>,
}

/// A population whose members have the numbers 0 to count − 1.
#[derive(Clone, Debug)]
pub struct Entity {
    /// Its name.
    pub name: String,
    /// Where it stands.
    pub span: Span,
    /// How many members, 1 to 2^32 − 1; None: it follows from the rate and the activity, or from
    /// the family.
    pub count: Option<Spanned<u64>>,
    /// How often members act, for entities that root streams are keyed by.
    pub activity: Option<Activity>,
    /// How often members are picked by others.
    pub popularity: Popularity,
    /// The entity that this one belongs to.
    pub belongs_to: Option<BelongsTo>,
    /// How long a member lives before another takes its place, in microseconds. None: for ever.
    pub lifetime_us: Option<Spanned<u64>>,
    /// Attributes, in the order of the file.
    pub attributes: Vec<Attribute>,
}

/// How often the members of an entity act.
#[derive(Clone, Debug)]
pub struct Activity {
    /// Events a second of one member, on average, before multipliers. None: from rate and count.
    pub mean_per_s: Option<Spanned<f64>>,
    /// How members differ.
    pub spread: Spread,
}

/// How the activity of members differs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Spread {
    /// All the same.
    Equal,
    /// Like a gamma distribution of this shape (above 0).
    Gamma {
        /// The shape k; the coefficient of variation is 1/√k.
        shape: f64,
    },
}

/// How often the members of an entity are picked.
#[derive(Clone, Debug, PartialEq)]
pub enum Popularity {
    /// All the same.
    Uniform,
    /// The r-th most popular in proportion to r^−exponent (0 to 4).
    Zipf {
        /// The exponent.
        exponent: f64,
    },
    /// Shares of the members, and what share of all picks each gets.
    Histogram {
        /// Both above 0 and with a sum of 1 each, the most popular members first.
        shares: Arc<[(f64, f64)]>,
    },
}

/// An entity's place in a family.
#[derive(Clone, Debug)]
pub struct BelongsTo {
    /// The name of the entity above.
    pub parent: Spanned<String>,
    /// How many members one above has (1 to 16), with weights above 0.
    pub each: Vec<(u32, f64)>,
}

/// A property of an entity's members: a function of (seed, entity, number).
#[derive(Clone, Debug)]
pub struct Attribute {
    /// Its name.
    pub name: String,
    /// Where its value comes from.
    pub generator: Spanned<Generator>,
    /// Whether members are dealt out over the values in ranges of numbers, in proportion to the
    /// weights, so that others can pick members by it. Only of `table` and `choice`.
    pub dealt: bool,
    /// How often each member's value is drawn anew: the period in microseconds. None: never.
    pub changes_us: Option<Spanned<u64>>,
}

/// Events of one schema that go to one topic.
#[derive(Clone, Debug)]
pub struct Stream {
    /// Its name.
    pub name: String,
    /// Where it stands.
    pub span: Span,
    /// The topic.
    pub topic: Topic,
    /// The Avro schema as its file has it, and the file.
    pub schema: Spanned<SchemaText>,
    /// The field that is the record's key, as a dotted path. None: no key.
    pub key: Option<Spanned<String>>,
    /// How the key is written.
    pub key_format: KeyFormat,
    /// How values are written.
    pub value_format: ValueFormat,
    /// Headers of its records, in the order of the file.
    pub headers: Vec<Header>,
    /// Where its events say who they are.
    pub identity: IdentityPlace,
    /// How much goes to the broker at once.
    pub batch: BatchLimits,
    /// Its own traffic.
    pub traffic: Option<Traffic>,
    /// What it follows. None: a root stream, with a rate.
    pub follows: Option<Follows>,
    /// The members that its events come from, if they do not come from a rate.
    pub members: Option<MemberEvents>,
    /// Whether it tells when phases of scenarios begin and end.
    pub control: bool,
    /// Whether it tells what faults did.
    pub ledger: bool,
    /// Named values of a row that fields refer to, in the order of the file.
    pub lets: Vec<Field>,
    /// The schema's fields, by dotted path, in the order of the file.
    pub fields: Vec<Field>,
}

impl Stream {
    /// The field that holds the identity, as a dotted path, if one does.
    pub fn identity_field(&self) -> Option<&str> {
        if self.tells() {
            return Some(TOLD_IDENTITY);
        }
        let field = self.fields.iter().find(|it| is_identity(&it.generator.value, &self.lets))?;
        Some(&field.name.value)
    }

    /// Whether it has a rate, and does not follow another or tell of members or phases.
    pub fn has_rate(&self) -> bool {
        self.follows.is_none() && self.members.is_none() && !self.tells()
    }

    /// Whether it tells of the run: of phases, or of faults.
    pub fn tells(&self) -> bool {
        self.control || self.ledger
    }
}

/// The field of streams that tell of the run that holds the identity.
const TOLD_IDENTITY: &str = "event_id";

/// Whether a value is the identity, or another name of one of `lets` that is.
pub(crate) fn is_identity(generator: &Generator, lets: &[Field]) -> bool {
    let named = |path: &str| {
        let named = lets.iter().find(|one| one.name.value == path);
        named.is_some_and(|one| matches!(one.generator.value, Generator::Identity))
    };
    match generator {
        Generator::Identity => true,
        Generator::Attribute { path, column: None, format: None } => named(&path.value),
        _ => false,
    }
}

/// A topic that a stream goes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topic {
    /// Its name.
    pub name: String,
    /// How many partitions it is created with. None: the broker's default.
    pub partitions: Option<u32>,
    /// How many replicas it is created with. None: the broker's default.
    pub replicas: Option<u32>,
    /// Further settings that it is created with.
    pub config: Vec<(String, String)>,
}

/// An Avro schema as its file has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SchemaText {
    /// The file.
    pub path: PathBuf,
    /// Its text.
    pub json: String,
}

/// How a key is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum KeyFormat {
    /// As UTF-8 text.
    #[default]
    String,
    /// As a framed Avro `string`, registered under the key's subject.
    Avro,
}

/// How a value is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ValueFormat {
    /// As an Avro datum, framed where there is a registry.
    #[default]
    Avro,
    /// As JSON text.
    Json,
}

/// Where an event says who it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdentityPlace {
    /// In a field of its value.
    Field,
    /// In a header that the file defines.
    Header,
    /// In the header `tidegate-id`.
    AddedHeader,
    /// In its key, which is the identity itself if the stream names no other.
    Key,
    /// Nowhere.
    Nowhere,
}

/// Limits of what goes to the broker at once, as the Kafka client takes them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BatchLimits {
    /// Events.
    pub events: Option<Spanned<String>>,
    /// Bytes.
    pub bytes: Option<Spanned<String>>,
    /// How long to wait for more, in milliseconds.
    pub linger: Option<Spanned<String>>,
}

/// The header that the identity goes into where nothing else holds it.
pub const IDENTITY_HEADER: &str = "tidegate-id";

/// A header of a stream's records.
#[derive(Clone, Debug)]
pub struct Header {
    /// Its name.
    pub name: Spanned<String>,
    /// Where its value comes from.
    pub value: HeaderValue,
}

/// Where the value of a header comes from.
#[derive(Clone, Debug)]
pub enum HeaderValue {
    /// Text; where it is null, the record has not got the header.
    Generator(Spanned<Generator>),
    /// `"intended_time"`: when the record was to be sent, by the wall clock.
    IntendedTime,
    /// `"traceparent"`: the event as a trace, as W3C has it.
    Traceparent,
}

/// A named value of a row.
#[derive(Clone, Debug)]
pub struct Field {
    /// Its name (of a field: its dotted path in the schema).
    pub name: Spanned<String>,
    /// Where its value comes from.
    pub generator: Spanned<Generator>,
}
