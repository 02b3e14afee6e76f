//! Scenarios: named phases in which the rate, and what events are like, differ.

use super::{Expression, Fault, Field, Formula, Generator};
use crate::config::{Span, Spanned};

/// Named phases, and when they are.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// Its name.
    pub name: String,
    /// Where it is named.
    pub span: Span,
    /// What the phases' times count from.
    pub anchor: Anchor,
    /// In what time it comes again, in microseconds.
    pub repeat_us: Option<u64>,
    /// The seed places it somewhere in this stretch, in microseconds; None: at its begin.
    pub within_us: Option<u64>,
    /// The IANA zone of times of day.
    pub zone: String,
    /// What the rate is multiplied by all along, unless the model says so itself.
    pub intensity: Option<f64>,
    /// How long it is worth looking at, in microseconds.
    pub duration_us: Option<u64>,
    /// In the order of the file; the multipliers of those that overlap are multiplied in it.
    pub phases: Vec<Phase>,
    /// What goes wrong on purpose while it does.
    pub faults: Vec<Fault>,
}

/// What the times of a scenario count from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Anchor {
    /// So many microseconds after the model's start.
    Start(u64),
    /// An instant, in microseconds since the Unix epoch.
    At(i64),
    /// The first such time of day at or after the start, in microseconds since midnight.
    Clock(u64),
}

/// A stretch of time with a name.
#[derive(Clone, Debug)]
pub struct Phase {
    /// Its name.
    pub name: Spanned<String>,
    /// When it begins.
    pub from: Edge,
    /// When it ends; None: never.
    pub until: Option<Edge>,
    /// What the rates of streams with a rate are multiplied by.
    pub rate: Option<Spanned<Multiplier>>,
    /// What becomes of the events that do not come, if the rate is below 1.
    pub deferral: Option<Spanned<Deferral>>,
    /// What holds for single streams.
    pub streams: Vec<StreamPhase>,
    /// What members are like.
    pub entities: Vec<EntityPhase>,
}

/// A begin or an end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edge {
    /// So many microseconds after the scenario's anchor.
    After(u64),
    /// The first such time of day, in microseconds since midnight, at or after the anchor; of an end,
    /// after the begin.
    Clock(u64),
}

/// What a rate is multiplied by in a phase; no value is negative.
#[derive(Clone, Debug, PartialEq)]
pub enum Multiplier {
    /// The same all along.
    Constant(f64),
    /// A straight line from the begin to the end.
    Ramp([f64; 2]),
    /// Growth or decay by the same factor in the same time, from the begin to the end.
    Exponential([f64; 2]),
    /// 1 + (peak − 1) · (1 + d / scale)^−exponent, d the time since the begin, or until the end.
    Power {
        /// The value at the peak.
        peak: f64,
        /// How fast it falls.
        exponent: f64,
        /// The time in which it falls to 2^−exponent, in microseconds.
        scale_us: u64,
        /// Whether the peak is at the end.
        rises: bool,
    },
    /// Of `hour` and `hours` since the model's start, `elapsed` hours of the phase, and `part`, from
    /// 0 to 1.
    Formula(Formula),
}

/// Events that do not come in a phase come later, or never.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Deferral {
    /// The share of them that come after the phase.
    pub released: f64,
    /// In what time after the phase, in microseconds.
    pub over_us: u64,
    /// How fast the backlog goes down.
    pub shape: Release,
}

/// How a backlog goes down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Release {
    /// Evenly.
    Even,
    /// Fast at first: at a rate that falls to 5 % by the end.
    Falling,
}

/// What holds for one stream in a phase.
#[derive(Clone, Debug)]
pub struct StreamPhase {
    /// The stream.
    pub stream: Spanned<String>,
    /// What its rate is multiplied by, instead of the phase's; of a stream that follows another, the
    /// share of events that are followed.
    pub rate: Option<Spanned<Multiplier>>,
    /// Whether an event is followed.
    pub when: Option<Spanned<Expression>>,
    /// By how many events one is followed.
    pub count: Option<Spanned<Generator>>,
    /// Values that only the fields here refer to.
    pub lets: Vec<Field>,
    /// What fields and lets hold instead.
    pub fields: Vec<Field>,
}

/// What members of one entity are like in a phase.
#[derive(Clone, Debug)]
pub struct EntityPhase {
    /// The entity.
    pub entity: Spanned<String>,
    /// What attributes hold instead.
    pub attributes: Vec<Field>,
}

impl Phase {
    /// When it ends after the scenario's anchor, in microseconds, if that is written.
    pub fn end_us(&self) -> Option<u64> {
        match self.until? {
            Edge::After(end_us) => Some(end_us),
            Edge::Clock(_) => None,
        }
    }

    /// Whether another phase of the same scenario may hold at the same time.
    pub fn may_overlap(&self, other: &Self) -> bool {
        let ends_before = |one: &Self, other: &Self| match (one.until, other.from) {
            (Some(Edge::After(end)), Edge::After(begin)) => end <= begin,
            (Some(Edge::Clock(end)), Edge::Clock(begin)) => end == begin,
            _ => false,
        };
        !ends_before(self, other) && !ends_before(other, self)
    }

    /// Whether it holds from the begin of its scenario on for good.
    pub fn is_lasting(&self) -> bool {
        self.from == Edge::After(0) && self.until.is_none()
    }

    /// The attributes that it says something of, with their entities.
    pub fn attributes(&self) -> impl Iterator<Item = (&Spanned<String>, &Spanned<String>)> {
        let entities = self.entities.iter();
        entities.flat_map(|of| of.attributes.iter().map(move |it| (&of.entity, &it.name)))
    }

    /// The fields that it says something of, with their streams.
    pub fn fields(&self) -> impl Iterator<Item = (&Spanned<String>, &Spanned<String>)> {
        let streams = self.streams.iter();
        streams.flat_map(|of| of.fields.iter().map(move |field| (&of.stream, &field.name)))
    }
}

impl Multiplier {
    /// Whether it is of a phase that ends.
    pub fn needs_end(&self) -> bool {
        match self {
            Self::Constant(_) | Self::Power { rises: false, .. } => false,
            Self::Ramp(_) | Self::Exponential(_) | Self::Power { .. } => true,
            Self::Formula(formula) => formula.is_of_part(),
        }
    }
}
