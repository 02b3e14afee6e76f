//! Compiles a fill into instructions that write JSON, as [`crate::encode::json::Reader`] says an
//! Avro datum of it.
//!
//! What it writes differs from that in one thing: numbers with a fraction have all the digits that
//! were drawn, and are not what a `float` or `double` makes of them.

use std::sync::Arc;

use apache_avro::Schema;
use apache_avro::reader::datum::GenericDatumReader;
use apache_avro::schema::UuidSchema;
use apache_avro::types::Value;
use serde_json::Value as Json;

use super::Error;
use super::compile::{Compiler, Entries, given, words_size};
use super::constant;
use super::operation::{Block, Operation};
use super::schema::{Place, limits};
use super::stamp::{Part, Stamp};
use super::text::{Extent, bounds};
use crate::encode::{Fill, Integer, Text, json};
use crate::generate::column::Register;

/// `null`, which takes the place of a value.
const NULL: Block = Block { bytes: *b"null", used: 4 };

impl Compiler {
    /// Fills a place as JSON.
    pub(in crate::encode) fn json(&mut self, place: &Place<'_>, fill: &Fill) -> Result<(), Error> {
        if let Some((index, entries)) = entries(place, fill)? {
            let index = self.builder.place(index);
            self.builder.lookup(None, index, entries);
            return Ok(());
        }
        match (place.schema()?, fill) {
            (_, Fill::Constant(value)) => {
                let text = constant_text(place, value)?;
                self.builder.constant(text.as_bytes());
                Ok(())
            }
            (Schema::Record(record), Fill::Record(fills)) => {
                let (expected, given) = (record.fields.len(), fills.len());
                if expected != given {
                    return Err(Error::FieldCount { path: place.path(), expected, given });
                }
                let mut before = '{';
                for (field, fill) in record.fields.iter().zip(fills) {
                    let name = format!("{before}{}:", Json::from(field.name.as_str()));
                    self.builder.constant(name.as_bytes());
                    self.json(&place.field(field), fill)?;
                    before = ',';
                }
                self.builder.constant(if record.fields.is_empty() { b"{}" } else { b"}" });
                Ok(())
            }
            (Schema::Boolean, Fill::Boolean(register)) => {
                let register = self.builder.place(*register);
                self.builder.operation(Operation::Truth(register));
                Ok(())
            }
            (schema, Fill::Integer(value)) if limits(schema).is_some() => {
                self.json_integer(place, schema, *value)
            }
            (Schema::Float | Schema::Double, Fill::Real { value, scale }) => {
                self.decimal_digits(*value, *scale);
                Ok(())
            }
            (Schema::Float | Schema::Double, Fill::Spread { value, middle, step, bounds }) => {
                self.spread(place, *value, (*middle, *step, *bounds), true)
            }
            (Schema::String, Fill::Text(text)) => self.json_text(place, text, Extent::Prefixed),
            (Schema::Uuid(UuidSchema::String), Fill::Text(text)) => {
                self.json_text(place, text, Extent::PrefixedOf(36))
            }
            (Schema::Bytes, Fill::Text(text)) => self.json_hex(place, text, Extent::Prefixed),
            (Schema::Fixed(fixed), Fill::Text(text)) => {
                self.json_hex(place, text, Extent::Exactly(fixed.size))
            }
            (schema, Fill::Uuid(words)) => self.json_uuid(place, schema, *words),
            (schema, Fill::Words { words, length }) => {
                self.json_words(place, schema, words, *length)
            }
            (Schema::Bytes, Fill::Bytes { words, length }) => self
                .quoted_hex(4 * words.len(), |this| {
                    this.some_words_alone(place, words, *length).map(drop)
                }),
            (Schema::Duration(_), Fill::Duration { months, days, millis }) => {
                for (name, value) in
                    [("{\"months\":", months), (",\"days\":", days), (",\"millis\":", millis)]
                {
                    self.builder.constant(name.as_bytes());
                    self.within(place, *value, (0, u32::MAX.into()))?;
                    self.decimal_digits(*value, 0);
                }
                self.builder.constant(b"}");
                Ok(())
            }
            _ => self.json_branching(place, fill),
        }
    }

    /// Fills a place by instructions that are not simply done one after the other.
    fn json_branching(&mut self, place: &Place<'_>, fill: &Fill) -> Result<(), Error> {
        match (place.schema()?, fill) {
            (Schema::Union(union), Fill::Optional { present, branch, value }) => {
                let null = union.variants().iter().any(|schema| matches!(schema, Schema::Null));
                match union.variants().get(*branch) {
                    Some(schema) if null && !matches!(schema, Schema::Null) => {
                        self.json_optional(&place.branch(schema), *present, value)
                    }
                    _ => Err(place.misfit(&given(fill))),
                }
            }
            (Schema::Union(union), Fill::Union { branch, branches }) => {
                if union.variants().len() != branches.len() {
                    return Err(place.misfit(&given(fill)));
                }
                let branch = self.builder.place(*branch);
                let hole = self.builder.hole();
                let mut ranges = Vec::new();
                for (schema, fill) in union.variants().iter().zip(branches) {
                    let Some(fill) = fill else {
                        ranges.push(None);
                        continue;
                    };
                    let start = self.builder.label() as usize;
                    self.json(&place.branch(schema), fill)?;
                    ranges.push(Some(start..self.builder.label() as usize));
                }
                let (end, branches) = (self.builder.label(), Arc::from(ranges));
                self.builder.fill(hole, Operation::Union { branch, branches, end });
                Ok(())
            }
            (Schema::Array(array), Fill::Array { child, item }) => {
                self.json_items(*child, *b"[]", |this| this.json(&place.item(&array.items), item))
            }
            (Schema::Map(map), Fill::Map { child, key, value }) => {
                let place = place.value(&map.types);
                self.json_items(*child, *b"{}", |this| {
                    this.json_text(&place, key, Extent::Prefixed)?;
                    this.builder.constant(b":");
                    this.json(&place, value)
                })
            }
            _ => Err(place.misfit(&given(fill))),
        }
    }

    fn json_optional(
        &mut self,
        place: &Place<'_>,
        present: Register,
        value: &Fill,
    ) -> Result<(), Error> {
        let present = self.builder.place(present);
        if let Some((index, mut entries)) = entries(place, value)? {
            let index = self.builder.place(index);
            entries.push(b"null".to_vec());
            self.builder.lookup(Some(present), index, entries);
            return Ok(());
        }
        let hole = self.builder.hole();
        self.json(place, value)?;
        let end = self.builder.label();
        self.builder
            .fill(hole, Operation::Optional { present, null: NULL, some: Block::default(), end });
        Ok(())
    }

    fn json_items(
        &mut self,
        child: usize,
        brackets: [u8; 2],
        item: impl FnOnce(&mut Self) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let hole = self.builder.hole();
        let list = self.builder.enter(child);
        item(self)?;
        self.builder.leave();
        let end = self.builder.label();
        self.builder.fill(hole, Operation::Items { list, brackets, end });
        Ok(())
    }

    fn json_integer(
        &mut self,
        place: &Place<'_>,
        schema: &Schema,
        value: Integer,
    ) -> Result<(), Error> {
        let limits = limits(schema).ok_or_else(|| place.misfit("a whole number"))?;
        let checked = self.within(place, value, limits)?;
        if let Schema::Decimal(decimal) = schema {
            let scale =
                u8::try_from(decimal.scale).map_err(|_| place.misfit("a number of 64 bits"))?;
            self.builder.constant(b"\"");
            self.decimal_digits(value, scale);
            self.builder.constant(b"\"");
            return Ok(());
        }
        let Some(stamp) = stamp(schema) else {
            self.decimal_digits(value, 0);
            return Ok(());
        };
        if let Integer::Constant(value) = value {
            self.written(|writer| stamp.put(writer, value));
        } else {
            self.builder.operation(Operation::Stamp { value: checked, stamp });
        }
        Ok(())
    }

    /// Text in quotes, escaped.
    fn json_text(&mut self, place: &Place<'_>, text: &Text, extent: Extent) -> Result<(), Error> {
        bounds(place, text, extent)?;
        self.builder.constant(b"\"");
        self.escapes = true;
        let written = self.text(place, text, Extent::Elsewhere);
        self.escapes = false;
        self.builder.constant(b"\"");
        written
    }

    /// The bytes of a text as hexadecimal digits in quotes.
    fn json_hex(&mut self, place: &Place<'_>, text: &Text, extent: Extent) -> Result<(), Error> {
        let (_, max) = bounds(place, text, extent)?;
        self.quoted_hex(max, |this| this.text(place, text, Extent::Elsewhere))
    }

    fn quoted_hex(
        &mut self,
        bytes_max: usize,
        write: impl FnOnce(&mut Self) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let bytes_max = u32::try_from(bytes_max).unwrap_or(u32::MAX);
        self.builder.constant(b"\"");
        self.builder.operation(Operation::OpenHex);
        self.builder.label();
        write(self)?;
        self.builder.label();
        self.builder.operation(Operation::CloseHex { bytes_max });
        self.builder.constant(b"\"");
        Ok(())
    }

    fn json_uuid(
        &mut self,
        place: &Place<'_>,
        schema: &Schema,
        words: [Register; 4],
    ) -> Result<(), Error> {
        match schema {
            Schema::String | Schema::Uuid(_) => {
                let words = words.map(|word| self.builder.place(word));
                self.builder.constant(b"\"");
                self.builder.operation(Operation::Uuid(words));
                self.builder.constant(b"\"");
                Ok(())
            }
            Schema::Bytes => self.json_words(place, schema, &words, 16),
            Schema::Fixed(fixed) if fixed.size == 16 => self.json_words(place, schema, &words, 16),
            _ => Err(place.misfit("a UUID")),
        }
    }

    fn json_words(
        &mut self,
        place: &Place<'_>,
        schema: &Schema,
        words: &[Register],
        length: usize,
    ) -> Result<(), Error> {
        let size = words_size(place, schema, words, length)?;
        if let (Schema::Uuid(_), &[a, b, c, d]) = (schema, words) {
            return self.json_uuid(place, schema, [a, b, c, d]);
        }
        self.quoted_hex(size, |this| {
            this.first_bytes(words, length);
            Ok(())
        })
    }

    /// A number divided by 10^`scale` as digits.
    fn decimal_digits(&mut self, value: Integer, scale: u8) {
        use crate::encode::Piece;
        let piece = match scale {
            0 => Piece::Number { value, base: 10, width: 1, upper: false },
            _ => Piece::Decimal { value, scale },
        };
        self.number_piece(&piece);
    }
}

/// What a type of numbers says of time.
fn stamp(schema: &Schema) -> Option<Stamp> {
    let (part, digits) = match schema {
        Schema::Date => (Part::Date, 0),
        Schema::TimeMillis => (Part::Time, 3),
        Schema::TimeMicros => (Part::Time, 6),
        Schema::TimestampMillis => (Part::Instant, 3),
        Schema::TimestampMicros => (Part::Instant, 6),
        Schema::TimestampNanos => (Part::Instant, 9),
        Schema::LocalTimestampMillis => (Part::Local, 3),
        Schema::LocalTimestampMicros => (Part::Local, 6),
        Schema::LocalTimestampNanos => (Part::Local, 9),
        _ => return None,
    };
    Some(Stamp { part, digits })
}

/// A column, and the JSON that each of its numbers stands for, if they are few.
fn entries(place: &Place<'_>, fill: &Fill) -> Result<Option<Entries>, Error> {
    let said = |value: &Value| constant_text(place, value).map(String::into_bytes);
    let (index, entries) = match (place.schema()?, fill) {
        (_, Fill::Dictionary { index, values }) => {
            (*index, values.iter().map(said).collect::<Result<Vec<_>, Error>>()?)
        }
        (Schema::String, Fill::Text(text)) => match super::text::choices(text) {
            Some((index, texts)) => {
                let said = |text| Json::String(text).to_string().into_bytes();
                (index, texts.into_iter().map(said).collect())
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

/// A value that is known ahead, as JSON: what a reader of its Avro bytes would say.
fn constant_text(place: &Place<'_>, value: &Value) -> Result<String, Error> {
    let mut bytes = Vec::new();
    constant::push(&mut bytes, place, value)?;
    Ok(said(place, &mut bytes.as_slice())?.to_string())
}

fn said(place: &Place<'_>, rest: &mut &[u8]) -> Result<Json, Error> {
    match place.schema()? {
        Schema::Union(union) => {
            let branch = usize::try_from(take_long(rest)).unwrap_or(usize::MAX);
            match union.variants().get(branch) {
                Some(schema) => said(&place.branch(schema), rest),
                None => Ok(Json::Null),
            }
        }
        Schema::Record(record) => {
            let fields = record.fields.iter();
            let fields = fields
                .map(|field| Ok((field.name.clone(), said(&place.field(field), rest)?)))
                .collect::<Result<_, Error>>()?;
            Ok(Json::Object(fields))
        }
        Schema::Array(array) => {
            let mut items = Vec::new();
            // Constants are written in one block, with a zero after it.
            for _ in 0..take_long(rest) {
                items.push(said(&place.item(&array.items), rest)?);
            }
            if !items.is_empty() {
                take_long(rest);
            }
            Ok(Json::Array(items))
        }
        Schema::Map(map) => {
            let mut items = serde_json::Map::new();
            for _ in 0..take_long(rest) {
                let bytes = usize::try_from(take_long(rest)).unwrap_or(0);
                let (key, after) = rest.split_at(bytes);
                *rest = after;
                let key = String::from_utf8_lossy(key).into_owned();
                items.insert(key, said(&place.value(&map.types), rest)?);
            }
            if !items.is_empty() {
                take_long(rest);
            }
            Ok(Json::Object(items))
        }
        schema => {
            let reader = GenericDatumReader::builder(schema).build();
            let value = reader.and_then(|reader| reader.read_value(rest));
            let value = value.map_err(|error| place.misfit(&error.to_string()))?;
            Ok(json::say(place, value))
        }
    }
}

/// A zigzag varint of bytes that we wrote.
fn take_long(rest: &mut &[u8]) -> i64 {
    let (mut value, mut shift) = (0_u64, 0);
    while let Some((byte, after)) = rest.split_first() {
        *rest = after;
        value |= u64::from(byte & 0x7f) << shift;
        if *byte < 0x80 {
            break;
        }
        shift += 7;
    }
    (value >> 1).cast_signed() ^ -(value & 1).cast_signed()
}
