//! Hints in a schema, and plain defaults: what fills the fields that a model says nothing of.
//!
//! Hints are `arg.properties`, the convention of avro-random-generator. They are read from the
//! schema's JSON, where mistakes are told with their place, and become the generators that a model
//! could name as well: what comes after knows no hints.

mod decimal;
mod numbers;
mod options;
mod pattern;
mod plain;
mod properties;
mod schema;
mod text;

use self::properties::Properties;
use self::schema::{Shape, Type, Types};
use self::text::Length;
use super::model::{Alternative, Field, Generator, Scalar};
use super::reader::{At, Reader};
use super::{Mistake, Span, Spanned};

pub(crate) use self::pattern::unanchored;
pub(super) use self::schema::SchemaFile;

/// The key of hints in a schema.
const HINTS: &str = "arg.properties";
/// How often a record may be inside itself.
const REENTRIES_MAX: usize = 2;
/// Places of a schema above which records are no more inside themselves than they must.
const PLACES_MAX: usize = 2_000;

/// Appends fields for all that the schema has and `fields` does not name. A UUID becomes the event's
/// identity unless that `has_identity`: is somewhere else.
pub(super) fn add(
    reader: &mut Reader<'_>,
    file: &SchemaFile,
    fields: &mut Vec<Field>,
    has_identity: bool,
) {
    let Some(types) = Types::new(&file.schema, &file.node) else { return };
    for name in &types.ignored {
        let written = reader.source.text(&name.span).unwrap_or("this").to_owned();
        let what = format!("the logical type {written} does not hold here, and is ignored");
        let help = Some("see that its type, precision, scale and size are right".to_owned());
        reader.warnings.push(Mistake { span: name.span.clone(), what, help });
    }
    let before = (reader.mistakes.len(), reader.warnings.len());
    let (mut made, mut plain) = (Vec::new(), Vec::new());
    for reentries_max in (0..=REENTRIES_MAX).rev() {
        reader.mistakes.truncate(before.0);
        reader.warnings.truncate(before.1);
        made.clear();
        plain.clear();
        let mut walk = Walk {
            reader: &mut *reader,
            file,
            types: &types,
            written: fields,
            reentries_max,
            open: Vec::new(),
            lists: 0,
            items_max: 1,
            endless_list: None,
            unions: 0,
            places: 0,
            has_identity,
            plain: &mut plain,
        };
        walk.top(&mut made);
        if walk.places <= PLACES_MAX {
            break;
        }
    }
    // Who names some fields may have forgotten the others.
    if let Some(first) = fields.first().filter(|_| !plain.is_empty()) {
        let what = format!("nothing is said of {}: plain defaults are in there", plain.join(", "));
        let help = Some("name them here, or give them hints in the schema".to_owned());
        reader.warnings.push(Mistake { span: first.name.span.clone(), what, help });
    }
    fields.append(&mut made);
}

/// Why a place gets no generator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stop {
    /// There is a mistake, which is told.
    Refused,
    /// A record would be inside itself too often.
    Endless,
}

/// A way through the schema.
struct Walk<'w, 'r> {
    reader: &'w mut Reader<'r>,
    file: &'w SchemaFile,
    types: &'w Types<'w>,
    /// What the model itself says.
    written: &'w [Field],
    reentries_max: usize,
    /// The records that are open, by their full names.
    open: Vec<String>,
    /// How many lists are open.
    lists: usize,
    /// How many items these have together at most.
    items_max: i64,
    /// The list that must have items which are inside themselves without an end.
    endless_list: Option<Span>,
    /// How many unions are open.
    unions: usize,
    /// How many places were met.
    places: usize,
    /// Whether a field holds the event's identity.
    has_identity: bool,
    /// The fields that neither the model nor a hint says anything of.
    plain: &'w mut Vec<String>,
}

impl<'w> Walk<'w, '_> {
    fn top(&mut self, made: &mut Vec<Field>) {
        let identity = |field: &Field| matches!(field.generator.value, Generator::Identity);
        self.has_identity |= self.written.iter().any(identity);
        let top = self.types.top();
        // Another type than a record was refused when the file was read.
        if !matches!(top.schema, apache_avro::Schema::Record(_)) {
            return;
        }
        if self.place(top, None, "", made) == Err(Stop::Endless) {
            let what = "the record is inside itself without an end";
            if let Some(list) = self.endless_list.take() {
                let help = "let `length` begin at 0, so that the innermost list is empty";
                self.reader.refuse(&list, what, help);
            } else {
                let help = "make it optional: [\"null\", …], or put it into an array";
                self.reader.refuse(&top.node.span, what, help);
            }
        }
    }

    /// A field, or those of a record that is no item of a list and no branch of a union.
    fn place(
        &mut self,
        ty: Type<'w>,
        outer: Option<At<'w>>,
        path: &str,
        made: &mut Vec<Field>,
    ) -> Result<(), Stop> {
        let Shape { ty, hints } = self.types.shape(ty, outer);
        let fields = ty.fields();
        let Some(fields) = fields.filter(|_| hints.is_empty()) else {
            let generator = self.hinted(ty, &hints)?;
            // What is inside is told of where it cannot be named.
            let inside = format!("{path}.");
            let is_inside = |field: &Field| field.name.value.starts_with(&inside);
            let is_told = hints.is_empty() && !self.written.iter().any(is_inside);
            if is_told && !matches!(generator.value, Generator::Identity) {
                self.plain.push(format!("`{path}`"));
            }
            let name = Spanned { value: path.to_owned(), span: generator.span.clone() };
            made.push(Field { name, generator });
            return Ok(());
        };
        self.enter(ty)?;
        let mut refused = Ok(());
        for field in fields {
            let path = if path.is_empty() {
                field.name.to_owned()
            } else {
                format!("{path}.{}", field.name)
            };
            if self.written.iter().any(|written| written.name.value == path) {
                continue;
            }
            match self.place(field.ty, field.hints, &path, made) {
                Err(Stop::Endless) => return Err(Stop::Endless),
                Err(Stop::Refused) => refused = Err(Stop::Refused),
                Ok(()) => {}
            }
        }
        self.open.pop();
        refused
    }

    /// Notes that a record begins.
    fn enter(&mut self, ty: Type<'w>) -> Result<(), Stop> {
        self.places += 1;
        let name = ty.schema.name().map_or_else(String::new, |name| name.fullname(None));
        let inside = self.open.iter().filter(|open| **open == name).count();
        if inside > self.reentries_max {
            return Err(Stop::Endless);
        }
        self.open.push(name);
        Ok(())
    }

    /// The generator of a type, with the hints around it.
    fn generator(
        &mut self,
        ty: Type<'w>,
        outer: Option<At<'w>>,
    ) -> Result<Spanned<Generator>, Stop> {
        let Shape { ty, hints } = self.types.shape(ty, outer);
        self.hinted(ty, &hints)
    }

    fn hinted(&mut self, ty: Type<'w>, hints: &[At<'w>]) -> Result<Spanned<Generator>, Stop> {
        self.places += 1;
        let mut span = ty.node.span.clone();
        let value = match hints {
            [] => self.plain(ty)?,
            [hints] => {
                let properties = Properties::read(self.reader, hints, ty).ok_or(Stop::Refused)?;
                if let Some(regex) = &properties.regex {
                    span = regex.node.span.clone();
                }
                self.with(ty, &properties)?
            }
            [_, second, ..] => {
                let what = "there are two `arg.properties` for one type";
                self.reader.refuse(&second.key_span, what, "keep one of them");
                return Err(Stop::Refused);
            }
        };
        Ok(Spanned { value, span })
    }

    /// A type whose hints are known to fit it.
    fn with(&mut self, ty: Type<'w>, properties: &Properties<'w>) -> Result<Generator, Stop> {
        if let Some(given) = &properties.options {
            return self.options(ty, given).ok_or(Stop::Refused);
        }
        if let Some(given) = &properties.iteration {
            return self.iteration(ty, given, properties).ok_or(Stop::Refused);
        }
        if let Some(given) = &properties.range {
            return self.range(ty, given).ok_or(Stop::Refused);
        }
        if let Some(odds) = &properties.odds {
            return self.odds(odds).ok_or(Stop::Refused);
        }
        self.sized(ty, properties)
    }

    fn record(&mut self, ty: Type<'w>) -> Result<Generator, Stop> {
        self.enter(ty)?;
        let mut fields = Vec::new();
        let mut stop = None;
        for field in ty.fields().into_iter().flatten() {
            match self.generator(field.ty, field.hints) {
                Ok(generator) => {
                    let span = generator.span.clone();
                    fields.push(Field {
                        name: Spanned { value: field.name.to_owned(), span },
                        generator,
                    });
                }
                Err(Stop::Endless) => return Err(Stop::Endless),
                Err(Stop::Refused) => stop = Some(Stop::Refused),
            }
        }
        self.open.pop();
        stop.map_or(Ok(Generator::Record(fields)), Err)
    }

    /// Any branch of a union that has an end.
    fn union(&mut self, ty: Type<'w>) -> Result<Generator, Stop> {
        let mut alternatives = Vec::new();
        let mut stop = Stop::Endless;
        let open = self.open.len();
        for branch in ty.branches() {
            self.unions += 1;
            let made = self.generator(branch, None);
            self.unions -= 1;
            match made {
                Ok(generator) => {
                    let name = (!matches!(branch.schema, apache_avro::Schema::Null))
                        .then(|| Spanned { value: branch.name(), span: branch.node.span.clone() });
                    alternatives.push(Alternative { weight: 1.0, branch: name, generator });
                }
                Err(Stop::Endless) => self.open.truncate(open),
                Err(Stop::Refused) => stop = Stop::Refused,
            }
        }
        if stop == Stop::Refused || alternatives.is_empty() {
            return Err(stop);
        }
        Ok(Generator::Any(alternatives))
    }

    /// An array or a map; an empty one if an item has no end.
    fn list(
        &mut self,
        ty: Type<'w>,
        key: Option<Spanned<Generator>>,
        told: Option<Length>,
    ) -> Result<Generator, Stop> {
        let Some(item) = ty.item() else { return Err(Stop::Refused) };
        let length = told.unwrap_or_else(|| self.untold_length());
        let open = self.open.len();
        let outside = self.items_max;
        self.lists += 1;
        self.items_max = outside.saturating_mul(length.max.max(1));
        let made = self.generator(item, None);
        self.lists -= 1;
        self.items_max = outside;
        let item = match made {
            Ok(item) => Box::new(item),
            Err(Stop::Endless) if length.min == 0 || !length.is_told => {
                self.open.truncate(open);
                return Ok(options::empty_list(ty));
            }
            Err(stop) => {
                if stop == Stop::Endless {
                    self.endless_list.get_or_insert_with(|| ty.node.span.clone());
                }
                return Err(stop);
            }
        };
        let (min, max) = (length.min, length.max);
        let value = |max: i64| {
            if min >= max {
                Generator::Constant(Scalar::Integer(max))
            } else {
                Generator::Uniform { min, max, digits: 0 }
            }
        };
        let spanned = |value| Box::new(Spanned { value, span: ty.node.span.clone() });
        Ok(match key {
            Some(key) => {
                // A map has no more entries than there are keys.
                let keys = match &key.value {
                    Generator::Choice(keys) => i64::try_from(keys.len()).unwrap_or(i64::MAX),
                    _ => i64::MAX,
                };
                if length.is_told && max > keys {
                    let what =
                        format!("`length` asks for {max} entries, but there are {keys} keys");
                    let help = Some("give more keys, or bound the length".to_owned());
                    self.reader.warnings.push(Mistake { span: key.span.clone(), what, help });
                }
                let length = spanned(value(max.min(keys)));
                Generator::Map { key: Box::new(key), value: item, length }
            }
            None => Generator::Array { item, length: spanned(value(max)) },
        })
    }
}
