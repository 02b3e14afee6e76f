//! Hints of what has a length: strings, bytes, arrays and maps.

use apache_avro::Schema;
use apache_avro::schema::UuidSchema;

use super::pattern::{self, LENGTH_MAX};
use super::properties::Properties;
use super::schema::Type;
use super::{Stop, Walk};
use crate::config::model::Generator;
use crate::config::raw::Kind;
use crate::config::reader::At;
use crate::config::{Mistake, Spanned};

/// Items that the lists of an event may have together.
const ITEMS_MAX: i128 = 16_384;
/// What nothing is said of has 8 to 15 characters, bytes or items.
const UNTOLD: Length = Length { min: 8, max: 15, is_told: false };
/// So in a list that is an item of another one: else a few levels would be thousands of items.
const UNTOLD_INSIDE: Length = Length { min: 1, max: 3, is_told: false };
/// So in a list that is deep inside of others.
const UNTOLD_DEEP: Length = Length { min: 1, max: 1, is_told: false };
/// Items that the lists around and inside of each other come to where nothing is said of them.
const UNTOLD_ITEMS_MAX: i64 = 1_024;
/// Of a length without a `max`: so many more than its `min`.
const SPREAD: i64 = 7;

/// How many characters, bytes or items there are, both ends included.
#[derive(Clone, Copy, Debug)]
pub(super) struct Length {
    pub(super) min: i64,
    pub(super) max: i64,
    /// Whether the schema says so.
    pub(super) is_told: bool,
}

impl<'w> Walk<'w, '_> {
    /// A type with a length, or one whose hints are empty.
    pub(super) fn sized(
        &mut self,
        ty: Type<'w>,
        properties: &Properties<'w>,
    ) -> Result<Generator, Stop> {
        match ty.schema {
            Schema::String => self.text(properties).ok_or(Stop::Refused),
            Schema::Uuid(UuidSchema::String) if properties.regex.is_some() => {
                self.text_of_uuid(properties).ok_or(Stop::Refused)
            }
            Schema::Bytes => {
                let limit = i128::from(LENGTH_MAX);
                let length = self.length(properties.length.as_ref(), limit)?;
                Ok(bytes(length.unwrap_or(UNTOLD)))
            }
            Schema::Array(_) | Schema::Map(_) => {
                let length = self.length(properties.length.as_ref(), ITEMS_MAX);
                let keys = match (&properties.keys, ty.schema) {
                    (Some(at), _) => Some(self.keys(at)),
                    (None, Schema::Map(_)) => {
                        Some(Some(Spanned { value: plain_text(), span: ty.node.span.clone() }))
                    }
                    _ => None,
                };
                let length = length?;
                if let Some(None) = keys {
                    // What is wrong with the values is told as well.
                    self.list(ty, None, length)?;
                    return Err(Stop::Refused);
                }
                self.list(ty, keys.flatten(), length)
            }
            _ => self.plain(ty),
        }
    }

    /// How long a list is of which nothing is said.
    pub(super) fn untold_length(&self) -> Length {
        match self.lists {
            0 => UNTOLD,
            _ if self.items_max * UNTOLD_INSIDE.max <= UNTOLD_ITEMS_MAX => UNTOLD_INSIDE,
            _ => UNTOLD_DEEP,
        }
    }

    /// The keys of a map.
    fn keys(&mut self, at: &At<'w>) -> Option<Spanned<Generator>> {
        let properties = Properties::of_keys(self.reader, at)?;
        let value = match &properties.options {
            Some(given) => self.keys_of(given)?,
            None => self.text(&properties)?,
        };
        Some(Spanned { value, span: at.node.span.clone() })
    }

    /// `"length": 5` or `{ "min": 5, "max": 10 }`: from `min` on, below `max`. None: untold.
    fn length(&mut self, at: Option<&At<'w>>, limit: i128) -> Result<Option<Length>, Stop> {
        at.map(|at| self.told_length(at, limit).ok_or(Stop::Refused)).transpose()
    }

    fn told_length(&mut self, at: &At<'w>, limit: i128) -> Option<Length> {
        if !matches!(at.node.kind, Kind::Table(_)) {
            let length = self.reader.whole(at, &(0..=limit))?;
            let length = i64::try_from(length).ok()?;
            return Some(Length { min: length, max: length, is_told: true });
        }
        let mut section = self.reader.section(at)?;
        let (min_at, max_at) = (section.get("min"), section.get("max"));
        self.reader.finish(section);
        if min_at.is_none() && max_at.is_none() {
            let what = format!("`{}` has neither a `min` nor a `max`", at.path);
            self.reader.refuse(&at.node.span, what, "give one of them, or both");
            return None;
        }
        let mut whole = |at: &Option<At<'w>>| match at {
            Some(at) => self.reader.whole(at, &(0..=limit + 1)).map(Some),
            None => Some(None),
        };
        let (min, below) = (whole(&min_at)?, whole(&max_at)?);
        let min = i64::try_from(min.unwrap_or(0)).ok()?;
        let max = if let Some(below) = below {
            i64::try_from(below).ok()? - 1
        } else {
            let max = min + SPREAD;
            let what = format!("`{}` has no `max`: it goes from {min} to {max}", at.path);
            self.warn(at, what, "set `max`, which is not reached");
            max
        };
        if min > max {
            let what = format!("`{}` has no values: `min` must lie below `max`", at.path);
            self.reader.refuse(&at.node.span, what, "`min` is in the range, `max` is not");
            return None;
        }
        Some(Length { min, max, is_told: true })
    }

    fn warn(&mut self, at: &At<'_>, what: String, help: &str) {
        let (span, help) = (at.node.span.clone(), Some(help.to_owned()));
        self.reader.warnings.push(Mistake { span, what, help });
    }

    /// A string: of a regular expression or of plain characters, between a prefix and a suffix.
    fn text(&mut self, properties: &Properties<'w>) -> Option<Generator> {
        let length = self.length(properties.length.as_ref(), LENGTH_MAX.into());
        let mut affix = |at: &Option<At<'w>>| match at {
            Some(at) => self.reader.text(at).map(|text| regex_syntax::escape(&text.value)),
            None => Some(String::new()),
        };
        let (prefix, suffix) = (affix(&properties.prefix), affix(&properties.suffix));
        let length = length.ok()?;
        let inner = match &properties.regex {
            Some(at) => self.regex(at, length)?.pattern,
            None => plain_pattern(length.unwrap_or(UNTOLD)),
        };
        let (prefix, suffix) = (prefix?, suffix?);
        Some(of_pattern(if prefix.is_empty() && suffix.is_empty() {
            inner
        } else {
            format!("{prefix}(?:{inner}){suffix}")
        }))
    }

    fn regex(&mut self, at: &At<'w>, length: Option<Length>) -> Option<pattern::Bounded> {
        let written = self.reader.text(at)?;
        let length = length.and_then(|length| {
            Some((u32::try_from(length.min).ok()?, u32::try_from(length.max).ok()?))
        });
        match pattern::bounded(&written.value, length) {
            Ok(bounded) => {
                if bounded.was_endless {
                    let (fewest, most) = bounded.length;
                    let what = format!(
                        "`{}` has no bound: it makes {fewest} to {most} characters",
                        at.path
                    );
                    self.warn(at, what, "bound it: `{1,5}` instead of `+`, or a `length`");
                }
                Some(bounded)
            }
            Err(why) => {
                self.reader.refuse(&written.span, format!("`{}` {why}", at.path), "");
                None
            }
        }
    }

    fn text_of_uuid(&mut self, properties: &Properties<'w>) -> Option<Generator> {
        let at = properties.regex.as_ref()?;
        let bounded = self.regex(at, None)?;
        if bounded.length != (36, 36) {
            let (fewest, most) = bounded.length;
            let what = format!("a uuid has 36 characters, but this makes {fewest} to {most}");
            self.reader.refuse(&at.node.span, what, "leave it out: the plain default is a uuid");
            return None;
        }
        Some(of_pattern(bounded.pattern))
    }
}

/// Random bytes.
fn bytes(length: Length) -> Generator {
    let bounds = [length.min, length.max].map(|count| u16::try_from(count).unwrap_or(u16::MAX));
    Generator::Bytes { min: bounds[0], max: bounds[1] }
}

/// A text of a regular expression's form.
pub(super) fn of_pattern(pattern: String) -> Generator {
    Generator::Regex { pattern, length: None }
}

/// A text of which nothing is said.
pub(super) fn plain_text() -> Generator {
    of_pattern(plain_pattern(UNTOLD))
}

/// Bytes of which nothing is said.
pub(super) fn plain_bytes() -> Generator {
    bytes(UNTOLD)
}

fn plain_pattern(length: Length) -> String {
    format!("[a-z0-9]{{{},{}}}", length.min, length.max)
}
