//! Streams that follow another stream.

use super::{Expression, Generator, MixturePart};
use crate::config::Spanned;

/// What a stream's events follow, when and how often.
#[derive(Clone, Debug)]
pub struct Follows {
    /// The name of the stream above.
    pub stream: Spanned<String>,
    /// Only events above for which this holds.
    pub when: Option<Spanned<Expression>>,
    /// The share of them that is followed, 0 to 1.
    pub probability: Spanned<f64>,
    /// How much later.
    pub delay: Spanned<Delay>,
    /// How many events follow each, if not one.
    pub count: Option<Spanned<Generator>>,
    /// How long after the one before each of them comes, in microseconds.
    pub apart_us: u64,
}

/// How much later an event follows.
#[derive(Clone, Debug, Default)]
pub struct Delay {
    /// The distribution, in seconds; a mixture has several parts, an even one has none.
    pub parts: Vec<MixturePart>,
    /// The least delay in seconds.
    pub min_s: f64,
    /// The greatest delay in seconds.
    pub max_s: f64,
}
