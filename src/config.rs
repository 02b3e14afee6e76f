//! Configuration: what the user wrote becomes what we run.
//!
//! A model file is read as a tree of values that know their place ([`raw`]), and resolved
//! ([`resolve`]) into the types of [`model`], which cannot hold a bad value. Every refusal is a
//! [`Mistake`]; all mistakes of a file are reported at once.

pub mod model;
pub mod raw;
pub mod resolve;
pub mod secret;
pub mod units;

use std::ops::Range;

/// Where something stands in the text of a model file, in bytes.
pub type Span = Range<usize>;

/// A value and its place in the model file.
#[derive(Clone, Debug, PartialEq)]
pub struct Spanned<T> {
    /// The value.
    pub value: T,
    /// Its place.
    pub span: Span,
}

/// Something in the model file that cannot be run, with the way out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// Where it stands.
    pub span: Span,
    /// What is wrong, with the value and the limit; lower case, no full stop.
    pub what: String,
    /// The way out, if there is one to name.
    pub help: Option<String>,
}
