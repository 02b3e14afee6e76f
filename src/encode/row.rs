//! Whole records: headers, key and framed value, one after the other.

use apache_avro::Schema;

use super::avro::{Compiler, Error, Extent, Place, Program, Scratch, View, names};
use super::wire::{FRAMING_BYTES, framing};
use super::{Fill, Header, Text, headers};
use crate::config::model::ValueFormat;
use crate::generate::column::Frame;

/// How the key of a record is written.
#[derive(Clone, Debug, PartialEq)]
pub enum Key {
    /// As UTF-8 text.
    Text(Text),
    /// As an Avro `string`, framed with the id of its schema if there is one.
    Avro {
        /// The text.
        text: Text,
        /// The id of the key's schema in the registry.
        schema_id: Option<u32>,
    },
}

/// What a record is made of.
#[derive(Clone, Debug)]
pub struct Plan<'a> {
    /// The headers.
    pub headers: &'a [Header],
    /// The key, if there is one.
    pub key: Option<&'a Key>,
    /// How the value is written.
    pub format: ValueFormat,
    /// The id of the value's schema in the registry; none for bare datums. JSON has none.
    pub schema_id: Option<u32>,
    /// The value's schema.
    pub schema: &'a Schema,
    /// What fills the value.
    pub fill: &'a Fill,
}

/// The lengths of one record's parts, in bytes; in the arena they follow each other in this order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lengths {
    /// Of the block of headers, see [`super::headers`].
    pub headers: u32,
    /// Of the key.
    pub key: u32,
    /// Of the value, framing included.
    pub value: u32,
}

/// Compiled write instructions for whole records.
#[derive(Clone, Debug)]
pub struct RowEncoder {
    program: Program,
    framing_bytes: usize,
}

impl RowEncoder {
    /// Compiles what a record is made of.
    pub fn compile(plan: &Plan<'_>) -> Result<Self, Error> {
        let mut compiler = Compiler::new();
        headers::compile(&mut compiler, plan.headers)?;
        compiler.mark(0);
        let names = names(plan.schema);
        match plan.key {
            Some(Key::Text(text)) => {
                let place = Place::named("the key", &Schema::String, &names);
                compiler.text(&place, text, Extent::Elsewhere)?;
            }
            Some(Key::Avro { text, schema_id }) => {
                compiler.constant(&schema_id.map_or_else(Vec::new, |id| framing(id).to_vec()));
                let place = Place::named("the key", &Schema::String, &names);
                compiler.text(&place, text, Extent::Prefixed)?;
            }
            None => {}
        }
        compiler.mark(1);
        let place = Place::root(plan.schema, &names);
        let schema_id = plan.schema_id.filter(|_| plan.format == ValueFormat::Avro);
        compiler.constant(&schema_id.map_or_else(Vec::new, |id| framing(id).to_vec()));
        match plan.format {
            ValueFormat::Avro => compiler.fill(&place, plan.fill)?,
            ValueFormat::Json => compiler.json(&place, plan.fill)?,
        }
        let framing_bytes = schema_id.map_or(0, |_| FRAMING_BYTES);
        Ok(Self { program: compiler.finish(), framing_bytes })
    }

    /// How many bytes of a value are framing: the rest is the bare datum.
    pub fn framing_bytes(&self) -> usize {
        self.framing_bytes
    }

    /// Appends all rows of `frame` to `arena`, without gaps, and the lengths of each to `lengths`.
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
        arena: &mut Vec<u8>,
        lengths: &mut Vec<Lengths>,
    ) -> Result<(), Error> {
        let view = View::new(frame, &self.program.layout);
        let before = (arena.len(), lengths.len());
        lengths.reserve(frame.rows());
        let written = self.program.write(&view, scratch, |row, [headers_end, key_end]| {
            arena.extend_from_slice(row);
            lengths.push(Lengths {
                headers: headers_end,
                key: key_end - headers_end,
                value: length(row) - key_end,
            });
        });
        if written.is_err() {
            arena.truncate(before.0);
            lengths.truncate(before.1);
        }
        written
    }
}

#[inline]
#[expect(clippy::cast_possible_truncation, reason = "a record is far below 4 GiB")]
fn length(row: &[u8]) -> u32 {
    row.len() as u32
}
