//! Compiles a fill for its place in a schema.

use std::sync::Arc;

use apache_avro::Schema;
use apache_avro::schema::{InnerDecimalSchema, UuidSchema};

use super::Error;
use super::builder::Builder;
use super::constant;
use super::operation::{Block, Limit, Operation, Program, Spread};
use super::schema::{Place, limits};
use super::text::Extent;
use crate::encode::wire::push_count;
use crate::encode::{Fill, Integer, Piece, Text};
use crate::generate::column::Register;

/// Turns fills into write instructions, place by place.
pub(in crate::encode) struct Compiler {
    pub(super) builder: Builder,
    /// Whether texts are written as JSON has them between its quotes.
    pub(super) escapes: bool,
}

impl Compiler {
    /// Nothing is written yet.
    pub(in crate::encode) fn new() -> Self {
        Self { builder: Builder::default(), escapes: false }
    }

    /// The program.
    pub(in crate::encode) fn finish(self) -> Program {
        self.builder.finish()
    }

    /// Writes what is the same for every row.
    pub(in crate::encode) fn constant(&mut self, bytes: &[u8]) {
        self.builder.constant(bytes);
    }

    /// Writes four words, big-endian.
    pub(in crate::encode) fn words(&mut self, words: [Register; 4]) {
        let words = words.map(|word| self.builder.place(word));
        self.builder.operation(Operation::Words(words));
    }

    /// Notes how much is written so far.
    pub(in crate::encode) fn mark(&mut self, mark: u8) {
        self.builder.label();
        self.builder.operation(Operation::Mark(mark));
        self.builder.label();
    }

    /// Fills a place.
    pub(in crate::encode) fn fill(&mut self, place: &Place<'_>, fill: &Fill) -> Result<(), Error> {
        if let Some((index, entries)) = entries(place, fill)? {
            let index = self.builder.place(index);
            self.builder.lookup(None, index, entries);
            return Ok(());
        }
        match (place.schema()?, fill) {
            (_, Fill::Constant(value)) => {
                let mut bytes = Vec::new();
                constant::push(&mut bytes, place, value)?;
                self.builder.constant(&bytes);
                Ok(())
            }
            (Schema::Record(record), Fill::Record(fills)) => {
                let (expected, given) = (record.fields.len(), fills.len());
                if expected != given {
                    return Err(Error::FieldCount { path: place.path(), expected, given });
                }
                record
                    .fields
                    .iter()
                    .zip(fills)
                    .try_for_each(|(field, fill)| self.fill(&place.field(field), fill))
            }
            (Schema::Boolean, Fill::Boolean(register)) => {
                let register = self.builder.place(*register);
                self.builder.operation(Operation::Boolean(register));
                Ok(())
            }
            (schema, Fill::Integer(value)) if limits(schema).is_some() => {
                self.integer(place, schema, *value)
            }
            (Schema::Float | Schema::Double, Fill::Real { value, scale }) => {
                self.real(place, *value, *scale)
            }
            (
                Schema::Float | Schema::Double,
                Fill::Spread { value, middle, step, bounds: (least, below) },
            ) => {
                let range = (*middle, *step, (*least, *below));
                self.spread(place, *value, range, false)
            }
            (Schema::String | Schema::Bytes, Fill::Text(text)) => {
                self.text(place, text, Extent::Prefixed)
            }
            (Schema::Uuid(UuidSchema::String), Fill::Text(text)) => {
                self.text(place, text, Extent::PrefixedOf(36))
            }
            (Schema::Fixed(fixed), Fill::Text(text)) => {
                self.text(place, text, Extent::Exactly(fixed.size))
            }
            (schema, Fill::Uuid(words)) => self.uuid(place, schema, *words),
            (schema, Fill::Words { words, length }) => self.words_of(place, schema, words, *length),
            (Schema::Bytes, Fill::Bytes { words, length }) => {
                self.some_words(place, words, *length)
            }
            (Schema::Duration(_), Fill::Duration { months, days, millis }) => {
                for value in [*months, *days, *millis] {
                    let value = self.within(place, value, (0, u32::MAX.into()))?;
                    self.builder.operation(Operation::LittleEndian(value));
                }
                Ok(())
            }
            _ => self.branching(place, fill),
        }
    }

    /// Fills a place by instructions that are not simply done one after the other.
    fn branching(&mut self, place: &Place<'_>, fill: &Fill) -> Result<(), Error> {
        match (place.schema()?, fill) {
            (Schema::Union(union), Fill::Optional { present, branch, value }) => {
                let null =
                    union.variants().iter().position(|schema| matches!(schema, Schema::Null));
                let (Some(null), Some(schema)) = (null, union.variants().get(*branch)) else {
                    return Err(place.misfit(&given(fill)));
                };
                if null == *branch {
                    return Err(place.misfit(&given(fill)));
                }
                self.optional(&place.branch(schema), *present, (null, *branch), value)
            }
            (Schema::Union(union), Fill::Union { branch, branches }) => {
                if union.variants().len() != branches.len() {
                    return Err(place.misfit(&given(fill)));
                }
                let places: Vec<_> =
                    union.variants().iter().map(|schema| place.branch(schema)).collect();
                self.union(&places, *branch, branches)
            }
            (Schema::Array(array), Fill::Array { child, item }) => {
                self.list(*child, |this| this.fill(&place.item(&array.items), item))
            }
            (Schema::Map(map), Fill::Map { child, key, value }) => {
                let place = place.value(&map.types);
                self.list(*child, |this| {
                    this.text(&place, key, Extent::Prefixed)?;
                    this.fill(&place, value)
                })
            }
            _ => Err(place.misfit(&given(fill))),
        }
    }

    fn optional(
        &mut self,
        place: &Place<'_>,
        present: Register,
        (null, branch): (usize, usize),
        value: &Fill,
    ) -> Result<(), Error> {
        let present = self.builder.place(present);
        if let Some((index, mut entries)) = entries(place, value)? {
            let index = self.builder.place(index);
            for entry in &mut entries {
                entry.splice(0..0, long(branch));
            }
            entries.push(long(null));
            self.builder.lookup(Some(present), index, entries);
            return Ok(());
        }
        let hole = self.builder.hole();
        self.fill(place, value)?;
        let end = self.builder.label();
        let (Some(null), Some(some)) = (Block::of(&long(null)), Block::of(&long(branch))) else {
            return Err(place.misfit("a union of more than 2^27 branches"));
        };
        self.builder.fill(hole, Operation::Optional { present, null, some, end });
        Ok(())
    }

    fn union(
        &mut self,
        places: &[Place<'_>],
        branch: Register,
        fills: &[Option<Fill>],
    ) -> Result<(), Error> {
        let branch = self.builder.place(branch);
        let hole = self.builder.hole();
        let mut branches = Vec::new();
        for (number, (place, fill)) in places.iter().zip(fills).enumerate() {
            let Some(fill) = fill else {
                branches.push(None);
                continue;
            };
            let start = self.builder.label() as usize;
            self.builder.constant(&long(number));
            self.fill(place, fill)?;
            branches.push(Some(start..self.builder.label() as usize));
        }
        let (end, branches) = (self.builder.label(), Arc::from(branches));
        self.builder.fill(hole, Operation::Union { branch, branches, end });
        Ok(())
    }

    fn list(
        &mut self,
        child: usize,
        item: impl FnOnce(&mut Self) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let hole = self.builder.hole();
        let list = self.builder.enter(child);
        item(self)?;
        self.builder.leave();
        let end = self.builder.label();
        self.builder.fill(hole, Operation::List { list, end });
        Ok(())
    }

    /// A number in places, with a check where it could be outside of limits.
    pub(super) fn within(
        &mut self,
        place: &Place<'_>,
        value: Integer,
        (min, max): (i64, i64),
    ) -> Result<Integer, Error> {
        if let Integer::Constant(value) = value
            && !(min..=max).contains(&value)
        {
            return Err(place.out_of_range(value, min, max));
        }
        let (least, greatest) = range(value);
        let value = self.builder.integer(value);
        if least < min || greatest > max {
            let limit = Limit { path: place.path(), avro: place.avro(), min, max };
            let limit = self.builder.limit(limit);
            self.builder.operation(Operation::Check { value, limit });
        }
        Ok(value)
    }

    fn integer(&mut self, place: &Place<'_>, schema: &Schema, value: Integer) -> Result<(), Error> {
        if let Integer::Constant(value) = value {
            let mut bytes = Vec::new();
            constant::push(&mut bytes, place, &apache_avro::types::Value::Long(value))?;
            self.builder.constant(&bytes);
            return Ok(());
        }
        let Some(limits) = limits(schema) else { return Err(place.misfit("a whole number")) };
        let value = self.within(place, value, limits)?;
        self.builder.operation(match schema {
            Schema::Decimal(decimal) => match &decimal.inner {
                InnerDecimalSchema::Bytes => Operation::DecimalBytes(value),
                InnerDecimalSchema::Fixed(fixed) => {
                    let size = u32::try_from(fixed.size)
                        .map_err(|_| place.misfit("a whole number of 64 bits"))?;
                    Operation::DecimalFixed { value, size }
                }
            },
            _ => Operation::Long(value),
        });
        Ok(())
    }

    /// Real numbers in a range: the middle, the step, and the least and what is not reached.
    pub(super) fn spread(
        &mut self,
        place: &Place<'_>,
        value: Integer,
        (middle, step, (least, below)): (f64, f64, (f64, f64)),
        is_text: bool,
    ) -> Result<(), Error> {
        let is_single = matches!(place.schema()?, Schema::Float);
        let bounds = closed(least, below, is_single);
        let value = self.builder.integer(value);
        let spread = Spread { middle, step, bounds, is_single, is_text };
        self.builder.operation(Operation::Spread { value, spread });
        Ok(())
    }

    fn real(&mut self, place: &Place<'_>, value: Integer, scale: u8) -> Result<(), Error> {
        let divisor = libm::pow(10.0, f64::from(scale));
        let value = self.builder.integer(value);
        self.builder.operation(match place.schema()? {
            Schema::Float => Operation::Float { value, divisor },
            _ => Operation::Double { value, divisor },
        });
        Ok(())
    }

    fn uuid(
        &mut self,
        place: &Place<'_>,
        schema: &Schema,
        words: [Register; 4],
    ) -> Result<(), Error> {
        let places = words.map(|word| self.builder.place(word));
        match schema {
            Schema::String | Schema::Uuid(UuidSchema::String) => {
                self.builder.constant(&long(36));
                self.builder.operation(Operation::Uuid(places));
                Ok(())
            }
            Schema::Bytes | Schema::Uuid(UuidSchema::Bytes) => {
                self.builder.constant(&long(16));
                self.builder.operation(Operation::Words(places));
                Ok(())
            }
            Schema::Uuid(UuidSchema::Fixed(fixed)) | Schema::Fixed(fixed) if fixed.size == 16 => {
                self.builder.operation(Operation::Words(places));
                Ok(())
            }
            _ => Err(place.misfit("a UUID")),
        }
    }

    fn words_of(
        &mut self,
        place: &Place<'_>,
        schema: &Schema,
        words: &[Register],
        length: usize,
    ) -> Result<(), Error> {
        words_size(place, schema, words, length)?;
        if matches!(schema, Schema::Bytes | Schema::Uuid(UuidSchema::Bytes)) {
            self.builder.constant(&long(length));
        }
        self.first_bytes(words, length);
        Ok(())
    }

    /// The first bytes of some words.
    pub(super) fn first_bytes(&mut self, words: &[Register], length: usize) {
        for (at, word) in words.iter().enumerate().take(length.div_ceil(4)) {
            let word = self.builder.place(*word);
            let bytes = (length - 4 * at).min(4).to_le_bytes()[0];
            self.builder.operation(Operation::Word { word, bytes });
        }
    }
}

impl Compiler {
    /// The first bytes of some words, as many as a column says.
    fn some_words(
        &mut self,
        place: &Place<'_>,
        words: &[Register],
        length: Register,
    ) -> Result<(), Error> {
        let most = i64::try_from(4 * words.len()).unwrap_or(i64::MAX);
        let count = self.within(place, Integer::Unsigned(length), (0, most))?;
        self.builder.operation(Operation::Long(count));
        self.words_up_to(words, length);
        Ok(())
    }

    /// The same without their number before them.
    pub(super) fn some_words_alone(
        &mut self,
        place: &Place<'_>,
        words: &[Register],
        length: Register,
    ) -> Result<(), Error> {
        let most = i64::try_from(4 * words.len()).unwrap_or(i64::MAX);
        self.within(place, Integer::Unsigned(length), (0, most))?;
        self.words_up_to(words, length);
        Ok(())
    }

    fn words_up_to(&mut self, words: &[Register], length: Register) {
        let length = self.builder.place(length);
        for (at, word) in words.iter().enumerate() {
            let word = self.builder.place(*word);
            let before = u32::try_from(4 * at).unwrap_or(u32::MAX);
            self.builder.operation(Operation::WordUpTo { word, length, before });
        }
    }
}

/// How many bytes the type here takes, which must be what is given.
pub(super) fn words_size(
    place: &Place<'_>,
    schema: &Schema,
    words: &[Register],
    length: usize,
) -> Result<usize, Error> {
    let given = || format!("{length} bytes of {} words", words.len());
    if length > 4 * words.len() {
        let rule = "a word has 4 bytes";
        return Err(Error::Impossible { path: place.path(), given: given(), rule });
    }
    let size = match schema {
        Schema::Bytes => length,
        Schema::Uuid(UuidSchema::Bytes) => 16,
        Schema::Fixed(fixed) | Schema::Uuid(UuidSchema::Fixed(fixed)) => fixed.size,
        _ => return Err(place.misfit(&given())),
    };
    if size == length { Ok(size) } else { Err(place.length(size, (length, length))) }
}

/// A column, and the bytes that each of its numbers stands for.
pub(super) type Entries = (Register, Vec<Vec<u8>>);

/// The bytes of all values that a fill can have, if they are few and a column says which.
fn entries(place: &Place<'_>, fill: &Fill) -> Result<Option<Entries>, Error> {
    let encoded = |value| {
        let mut bytes = Vec::new();
        constant::push(&mut bytes, place, &value)?;
        Ok(bytes)
    };
    let (index, entries) = match (place.schema()?, fill) {
        (_, Fill::Dictionary { index, values }) => {
            (*index, values.iter().cloned().map(encoded).collect::<Result<Vec<_>, Error>>()?)
        }
        (Schema::String, Fill::Text(text)) => match super::text::choices(text) {
            Some((index, texts)) => {
                let values = texts.into_iter().map(apache_avro::types::Value::String);
                (index, values.map(encoded).collect::<Result<Vec<_>, Error>>()?)
            }
            None => return Ok(None),
        },
        _ => return Ok(None),
    };
    if entries.is_empty() {
        let (path, given) = (place.path(), "an empty list of values".to_owned());
        return Err(Error::Impossible { path, given, rule: "at least one is needed" });
    }
    Ok(Some((index, entries)))
}

/// The least and the greatest value that a number in columns can have.
pub(super) fn range(value: Integer) -> (i64, i64) {
    match value {
        Integer::Constant(value) => (value, value),
        Integer::Unsigned(_) => (0, u32::MAX.into()),
        Integer::Signed(_) => (i32::MIN.into(), i32::MAX.into()),
        Integer::Wide(_) | Integer::Offset { .. } => (i64::MIN, i64::MAX),
    }
}

/// The least and the greatest number of the type from `least` on, below `below`.
#[expect(clippy::cast_possible_truncation, reason = "a `float` asks for 32 bits")]
fn closed(least: f64, below: f64, is_single: bool) -> (f64, f64) {
    if !is_single {
        return (least, below.next_down());
    }
    let (first, last) = (least as f32, below as f32);
    let first = if f64::from(first) < least { first.next_up() } else { first };
    let last = if f64::from(last) >= below { last.next_down() } else { last };
    (first.into(), last.into())
}

/// A length or the number of a branch, as Avro has it.
pub(super) fn long(number: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    push_count(&mut bytes, number);
    bytes
}

/// A fill in words.
pub(super) fn given(fill: &Fill) -> String {
    let text = match fill {
        Fill::Constant(value) => return format!("the constant {value:?}"),
        Fill::Dictionary { .. } => "one of several constants",
        Fill::Record(_) => "a record",
        Fill::Boolean(_) => "true or false",
        Fill::Integer(_) => "a whole number",
        Fill::Real { .. } | Fill::Spread { .. } => "a number with a fraction",
        Fill::Text(Text(pieces)) => match pieces[..] {
            [Piece::LocalTime { .. }] => "a local time as text",
            _ => "text",
        },
        Fill::Uuid(_) => "a UUID",
        Fill::Words { .. } | Fill::Bytes { .. } => "bytes",
        Fill::Duration { .. } => "a duration",
        Fill::Union { branches, .. } => {
            return format!("a choice of {} branches", branches.len());
        }
        Fill::Optional { branch, .. } => return format!("null or the branch number {branch}"),
        Fill::Array { .. } => "an array",
        Fill::Map { .. } => "a map",
    };
    text.to_owned()
}
