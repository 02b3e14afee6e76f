//! Encoding: columns become bytes, by an encoder that is compiled once for a schema.
//!
//! [`Fill`] says where each value of a schema comes from. It is made by the plan, checked against
//! the schema and compiled by [`avro::Encoder`], which writes rows straight into one arena.

pub mod avro;
pub mod headers;
pub mod json;
pub mod partition;
pub mod path;
pub mod registry;
pub mod row;
pub mod wire;

pub use crate::plan::fill::{Fill, Header, HeaderFill, Integer, Piece, Text};
