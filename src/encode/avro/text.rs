//! Compiles texts that are put together from pieces.

use std::sync::Arc;

use super::Error;
use super::compile::{Compiler, long, range};
use super::digits::{Style, put_decimal, put_number};
use super::local_time;
use super::operation::{Letter, LocalTime, Operation};
use super::schema::Place;
use crate::encode::wire::{SLACK_BYTES, Writer};
use crate::encode::{Integer, Piece, Text};
use crate::generate::column::Register;

/// How the length of a text is known to the reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::encode) enum Extent {
    /// It stands before it.
    Prefixed,
    /// It stands before it, and must be this one.
    PrefixedOf(usize),
    /// It must be this one.
    Exactly(usize),
    /// It does not stand here.
    Elsewhere,
}

impl Compiler {
    /// Writes a text.
    pub(in crate::encode) fn text(
        &mut self,
        place: &Place<'_>,
        text: &Text,
        extent: Extent,
    ) -> Result<(), Error> {
        let (min, max) = bounds(place, text, extent)?;
        let prefixed = matches!(extent, Extent::Prefixed | Extent::PrefixedOf(_));
        if prefixed && min == max {
            self.builder.constant(&long(min));
        }
        if prefixed && min != max {
            self.builder.operation(Operation::Open);
        }
        for piece in &text.0 {
            self.piece(place, piece)?;
        }
        if prefixed && min != max {
            self.builder.close();
        }
        Ok(())
    }

    fn spelt(&self, text: String) -> Vec<u8> {
        if self.escapes { escaped(&text).into_bytes() } else { text.into_bytes() }
    }

    fn letters(&self, alphabet: &[char]) -> Arc<[Letter]> {
        let spelt = alphabet.iter().map(|character| self.spelt(character.to_string()));
        spelt.map(|bytes| letter(&bytes)).collect()
    }

    /// A number as digits.
    pub(super) fn number_piece(&mut self, piece: &Piece) {
        match piece {
            Piece::Number { value, base, width, upper } => {
                let style = Style { base: *base, width: *width, upper: *upper };
                if let Integer::Constant(value) = *value {
                    self.written(|writer| put_number(writer, value, style));
                } else {
                    let value = self.builder.integer(*value);
                    self.builder.number(value, style);
                }
            }
            Piece::Decimal { value, scale } => {
                if let Integer::Constant(value) = *value {
                    self.written(|writer| put_decimal(writer, value, *scale));
                } else {
                    let value = self.builder.integer(*value);
                    self.builder.operation(Operation::Decimal { value, scale: *scale });
                }
            }
            _ => unreachable!("only numbers are written as digits"),
        }
    }

    fn piece(&mut self, place: &Place<'_>, piece: &Piece) -> Result<(), Error> {
        match piece {
            Piece::Literal(text) => {
                let text = self.spelt(text.clone());
                self.builder.constant(&text);
            }
            Piece::Lookup { index, values, width } => {
                let index = self.builder.place(*index);
                let entries = values.iter().map(|text| self.spelt(fitted(text, *width)));
                let entries = entries.collect();
                self.builder.lookup(None, index, entries);
            }
            Piece::Number { .. } | Piece::Decimal { .. } => self.number_piece(piece),
            Piece::Characters { word, alphabet, count } => {
                let word = self.builder.place(*word);
                let alphabet = self.letters(alphabet);
                self.builder.operation(Operation::Characters { word, count: *count, alphabet });
            }
            Piece::SomeCharacters { word, alphabet, count, length, before } => {
                let (word, length) = (self.builder.place(*word), self.builder.place(*length));
                let alphabet = self.letters(alphabet);
                let (count, before) = (*count, *before);
                let some = Operation::SomeCharacters { word, count, alphabet, length, before };
                self.builder.operation(some);
            }
            Piece::Either { condition, then, otherwise } => {
                self.one_of(place, *condition, &[otherwise, then])?;
            }
            Piece::Choice { index, texts } => {
                self.one_of(place, *index, &texts.iter().collect::<Vec<_>>())?;
            }
            Piece::Uuid(words) => {
                let words = words.map(|word| self.builder.place(word));
                self.builder.operation(Operation::Uuid(words));
            }
            Piece::LocalTime { instant_us, offset_minutes, digits } => {
                let instants = (local_time::INSTANT_MIN, local_time::INSTANT_MAX);
                let offsets = (-local_time::OFFSET_MAX, local_time::OFFSET_MAX);
                let instant_us = self.within(place, *instant_us, instants)?;
                let offset_minutes = self.within(place, *offset_minutes, offsets)?;
                let time = LocalTime { instant_us, offset_minutes, digits: *digits };
                self.builder.operation(Operation::LocalTime(Arc::new(time)));
            }
        }
        Ok(())
    }

    fn one_of(&mut self, place: &Place<'_>, index: Register, texts: &[&Text]) -> Result<(), Error> {
        let branch = self.builder.place(index);
        let hole = self.builder.hole();
        let mut ranges = Vec::new();
        for text in texts {
            let start = self.builder.label() as usize;
            text.0.iter().try_for_each(|piece| self.piece(place, piece))?;
            ranges.push(Some(start..self.builder.label() as usize));
        }
        let (end, branches) = (self.builder.label(), Arc::from(ranges));
        self.builder.fill(hole, Operation::Union { branch, branches, end });
        Ok(())
    }

    pub(super) fn written(&mut self, write: impl FnOnce(&mut Writer<'_>)) {
        self.builder.constant(&written(write));
    }
}

/// The fewest and the most bytes of a text, which must be of its extent.
pub(super) fn bounds(
    place: &Place<'_>,
    text: &Text,
    extent: Extent,
) -> Result<(usize, usize), Error> {
    let (min, max) = text_bounds(place, text)?;
    if let Extent::PrefixedOf(expected) | Extent::Exactly(expected) = extent
        && (min, max) != (expected, expected)
    {
        return Err(place.length(expected, (min, max)));
    }
    Ok((min, max))
}

/// The bytes of a number: at most a sign, a point and 255 digits.
fn written(write: impl FnOnce(&mut Writer<'_>)) -> Vec<u8> {
    let mut bytes = vec![0; 258 + SLACK_BYTES];
    let mut writer = Writer::new(&mut bytes, 0);
    write(&mut writer);
    let length = writer.position();
    bytes.truncate(length);
    bytes
}

/// All that a text can say, if one column decides it.
pub(super) fn choices(text: &Text) -> Option<(Register, Vec<String>)> {
    let mut column = None;
    for piece in &text.0 {
        match piece {
            Piece::Literal(_) => {}
            Piece::Lookup { index, values, .. } if column.is_none() => {
                column = Some((*index, values.len()));
            }
            _ => return None,
        }
    }
    let (index, count) = column?;
    let said = |at: usize| {
        let piece = |piece: &Piece| match piece {
            Piece::Lookup { values, width, .. } => fitted(&values[at], *width),
            Piece::Literal(text) => text.clone(),
            _ => String::new(),
        };
        text.0.iter().map(piece).collect()
    };
    Some((index, (0..count).map(said).collect()))
}

/// A text of exactly `width` characters: cut, or with blanks after it.
fn fitted(text: &str, width: Option<usize>) -> String {
    match width {
        Some(width) => format!("{:width$}", text.chars().take(width).collect::<String>()),
        None => text.to_owned(),
    }
}

/// A character's bytes: at most 4 in UTF-8, or 6 as JSON escapes it.
fn letter(bytes: &[u8]) -> Letter {
    let mut letter = [0; 8];
    letter[..bytes.len()].copy_from_slice(bytes);
    letter[7] = bytes.len().to_le_bytes()[0];
    letter
}

/// A text as JSON has it between its quotes.
fn escaped(text: &str) -> String {
    let quoted = serde_json::Value::from(text).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}

fn text_bounds(place: &Place<'_>, text: &Text) -> Result<(usize, usize), Error> {
    text.0.iter().try_fold((0, 0), |(min, max), piece| {
        piece_bounds(place, piece).map(|(least, most)| (min + least, max + most))
    })
}

/// The fewest and the most bytes that a piece can have.
fn piece_bounds(place: &Place<'_>, piece: &Piece) -> Result<(usize, usize), Error> {
    let impossible = |given: String, rule| Error::Impossible { path: place.path(), given, rule };
    match piece {
        Piece::Literal(text) => Ok((text.len(), text.len())),
        Piece::Lookup { values, width, .. } => {
            let lengths = values.iter().map(|text| fitted(text, *width).len());
            let (min, max) = (lengths.clone().min(), lengths.max());
            min.zip(max).ok_or_else(|| {
                impossible("an empty list of values".to_owned(), "at least one is needed")
            })
        }
        Piece::Number { value, base, width, .. } => {
            if !(2..=36).contains(base) {
                return Err(impossible(format!("a number in base {base}"), "a base is 2 to 36"));
            }
            let (least, greatest) = range(*value);
            let digits = |value: i64| {
                let digits = value.unsigned_abs().checked_ilog((*base).into()).unwrap_or(0) + 1;
                usize::from(value < 0) + usize::from(*width).max(digits as usize)
            };
            let max = digits(least).max(digits(greatest));
            // Between the ends the shortest number is the one with a single digit.
            let shortest = if least == greatest { max } else { usize::from(*width).max(1) };
            Ok((shortest, max))
        }
        Piece::Decimal { value, scale } => {
            if let Integer::Constant(value) = *value {
                let length = written(|writer| put_decimal(writer, value, *scale)).len();
                return Ok((length, length));
            }
            // A sign, a point, and 19 digits or a zero before the point.
            Ok((1, 22 + usize::from(*scale)))
        }
        Piece::Characters { alphabet, count, .. }
        | Piece::SomeCharacters { alphabet, count, .. } => {
            if alphabet.is_empty() || alphabet.len() > 256 {
                let given = format!("an alphabet of {} characters", alphabet.len());
                return Err(impossible(given, "it has 1 to 256"));
            }
            let count = usize::from(*count);
            let lengths = alphabet.iter().map(|character| character.len_utf8());
            let (min, max) = (lengths.clone().min(), lengths.max());
            let fewest = if let Piece::Characters { .. } = piece { count } else { 0 };
            Ok((fewest * min.unwrap_or(0), count * max.unwrap_or(0)))
        }
        Piece::Either { then, otherwise, .. } => {
            let (then, otherwise) = (text_bounds(place, then)?, text_bounds(place, otherwise)?);
            Ok((then.0.min(otherwise.0), then.1.max(otherwise.1)))
        }
        Piece::Choice { texts, .. } => {
            let (mut min, mut max) = (usize::MAX, 0);
            for text in texts {
                let (least, most) = text_bounds(place, text)?;
                (min, max) = (min.min(least), max.max(most));
            }
            if texts.is_empty() {
                return Err(impossible("an empty list of texts".to_owned(), "one is needed"));
            }
            Ok((min, max))
        }
        Piece::Uuid(_) => Ok((36, 36)),
        Piece::LocalTime { digits, .. } => match digits {
            0 | 3 | 6 => Ok((local_time::length(*digits), local_time::length(*digits))),
            other => {
                let given = format!("a time with {other} digits after the second");
                Err(impossible(given, "0, 3 or 6 are possible"))
            }
        },
    }
}
