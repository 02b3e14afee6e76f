//! The compiled Avro encoder.

mod builder;
mod compile;
mod constant;
mod digits;
mod execute;
pub mod find;
mod json;
mod local_time;
mod operation;
mod schema;
mod slots;
mod stamp;
mod text;
mod values;

use apache_avro::Schema;

pub(super) use self::compile::Compiler;
pub use self::execute::Scratch;
pub(super) use self::execute::View;
pub(super) use self::local_time::{RFC_3339_UTC_BYTES, put_utc};
pub(super) use self::operation::Program;
pub(super) use self::schema::{Place, names};
pub(super) use self::text::Extent;
use super::Fill;
use crate::generate::column::Frame;

/// Why a schema cannot be filled, or a row cannot be written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A fill does not fit its place in the schema.
    #[error("`{path}` is {avro} in the schema, which {given} does not fit")]
    Misfit {
        /// The place in the schema: a dotted path, `[]` for items and `{}` for a map's values.
        path: String,
        /// Its Avro type.
        avro: String,
        /// What was to fill it.
        given: String,
    },
    /// A record has another number of fields than there are fills.
    #[error("`{path}` has {expected} fields in the schema, but {given} are filled")]
    FieldCount {
        /// The place in the schema.
        path: String,
        /// Fields in the schema.
        expected: usize,
        /// Fills.
        given: usize,
    },
    /// A text or some bytes have another length than their type asks for.
    #[error(
        "`{path}` is {avro} in the schema, which takes {expected} bytes, but {min} to {max} are given"
    )]
    Length {
        /// The place in the schema.
        path: String,
        /// Its Avro type.
        avro: String,
        /// How many bytes the type has.
        expected: usize,
        /// The fewest bytes that the fill has.
        min: usize,
        /// The most.
        max: usize,
    },
    /// A number is outside what its type can hold.
    #[error("`{path}` is {avro} in the schema, which holds {min} to {max}, but a value is {value}")]
    OutOfRange {
        /// The place in the schema.
        path: String,
        /// Its Avro type.
        avro: String,
        /// The number.
        value: i64,
        /// The least that the type holds.
        min: i64,
        /// The greatest.
        max: i64,
    },
    /// A fill cannot be written whatever the schema: an empty list of values, a base of 40.
    #[error("`{path}` is filled with {given}; {rule}")]
    Impossible {
        /// The place in the schema.
        path: String,
        /// What was given.
        given: String,
        /// What is asked for.
        rule: &'static str,
    },
    /// The schema refers to a type that it does not define.
    #[error("`{path}` refers to the type `{name}`, which the schema does not define before it")]
    UnknownType {
        /// The place in the schema.
        path: String,
        /// The type's full name.
        name: String,
    },
}

/// A schema and its fills, compiled into write instructions: rows of columns become Avro datums.
///
/// Each instruction is done for some hundreds of rows before the next one, so that the processor
/// works on several rows at once. Arrays and maps are written as one block. Nothing is allocated
/// for a row.
#[derive(Clone, Debug)]
pub struct Encoder {
    program: Program,
}

impl Encoder {
    /// Compiles `fill` for `schema`.
    pub fn compile(schema: &Schema, fill: &Fill) -> Result<Self, Error> {
        let names = names(schema);
        let mut compiler = Compiler::new();
        compiler.fill(&Place::root(schema, &names), fill)?;
        Ok(Self { program: compiler.finish() })
    }

    /// Appends all rows of `frame` to `out`, and where each one ends to `ends`.
    ///
    /// If a row is refused, both are as they were before.
    ///
    /// # Panics
    ///
    /// If the frame lacks a column that was compiled in, or holds a number that is no entry of a
    /// list of values: our own bug.
    pub fn encode(
        &self,
        frame: &Frame,
        scratch: &mut Scratch,
        out: &mut Vec<u8>,
        ends: &mut Vec<usize>,
    ) -> Result<(), Error> {
        let view = View::new(frame, &self.program.layout);
        let before = (out.len(), ends.len());
        let written = self.program.write(&view, scratch, |row, _| {
            out.extend_from_slice(row);
            ends.push(out.len());
        });
        if written.is_err() {
            out.truncate(before.0);
            ends.truncate(before.1);
        }
        written
    }
}
