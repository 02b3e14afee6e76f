//! Changing recorded records: what must not be seen is masked, times are moved.

pub mod mask;

use std::collections::BTreeMap;
use std::str::FromStr;

use apache_avro::Schema;
use apache_avro::types::Value;
use serde_json::Value as Json;

use super::schemas::{Known, Schemas, frame, framed};
use super::{Error, Header};
use crate::config::suggest;
use crate::encode::path::{self, Depth, Path};
use mask::{Key, Mask};

/// `--mask PATH=hash|null|fake`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Masked {
    /// What it is about.
    pub place: Place,
    /// What is done with it.
    pub mask: Mask,
}

/// What a mask is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// The key of a record.
    Key,
    /// The headers of that name.
    Header(String),
    /// A field of the value.
    Field(Path),
}

impl FromStr for Masked {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let form = "write PATH=hash, PATH=null or PATH=fake; PATH is a field such as customer.name, `key`, or \
                    header.NAME";
        let (path, mask) = text.rsplit_once('=').ok_or(form)?;
        let mask = match mask {
            "hash" => Mask::Hash,
            "null" => Mask::Null,
            "fake" => Mask::Fake,
            other => return Err(format!("`{other}` is no mask: {form}")),
        };
        let place = match (path, path.split_once('.')) {
            ("key", _) => Place::Key,
            (_, Some(("header", name))) => Place::Header(name.to_owned()),
            (_, Some(("value", path))) => Place::Field(Path::new(path)),
            ("", _) => return Err(form.to_owned()),
            (path, _) => Place::Field(Path::new(path)),
        };
        Ok(Self { place, mask })
    }
}

/// What is done with a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Does {
    Mask(Mask),
    Move,
}

/// A change of a field.
#[derive(Clone, Debug)]
struct Rule {
    flag: &'static str,
    path: Path,
    does: Does,
    /// Whether a field of this path was met.
    met: bool,
}

impl Rule {
    fn depth(&self) -> Depth {
        match self.does {
            Does::Mask(Mask::Null) => Depth::Field,
            _ => Depth::Inside,
        }
    }

    /// Whether the schema has such a field; refuses one whose type cannot take the change.
    fn check(&self, schema: &Schema) -> Result<bool, Error> {
        let (mut met, mut unfit) = (false, None);
        self.path.find(schema, self.depth(), &mut |schema, avro| {
            met = true;
            let what = match self.does {
                Does::Mask(mask) if mask::takes(mask, schema) => return,
                Does::Mask(Mask::Null) => "which takes no null: use `hash` or `fake`",
                Does::Mask(_) => "for which there is no such mask: mask its fields, or use `null`",
                Does::Move if is_time(schema) => return,
                Does::Move => "which is no time: a timestamp, a date or a text is",
            };
            unfit = Some((avro, what));
        });
        match unfit {
            None => Ok(met),
            Some((avro, what)) => {
                Err(Error::Unfit { flag: self.flag, path: self.path.text().to_owned(), avro, what })
            }
        }
    }
}

fn is_time(schema: &Schema) -> bool {
    matches!(
        schema,
        Schema::TimestampMillis
            | Schema::TimestampMicros
            | Schema::TimestampNanos
            | Schema::LocalTimestampMillis
            | Schema::LocalTimestampMicros
            | Schema::LocalTimestampNanos
            | Schema::Date
            | Schema::String
    )
}

/// Changes records.
#[derive(Debug)]
pub struct Editor {
    key: Key,
    of_key: Option<Mask>,
    of_headers: Vec<(String, Mask)>,
    rules: Vec<Rule>,
    /// By id of a schema: which rules have a field in it.
    by_schema: BTreeMap<u32, Vec<usize>>,
    /// Whether keys are Avro with an id, by the name of their topic.
    framed_keys: BTreeMap<String, bool>,
}

impl Editor {
    /// Masks; what stands for what follows from `key`.
    pub fn of_masks(masks: &[Masked], key: Key) -> Self {
        let mut editor = Self::new(key);
        for Masked { place, mask } in masks {
            match place {
                Place::Key => editor.of_key = Some(*mask),
                Place::Header(name) => editor.of_headers.push((name.clone(), *mask)),
                Place::Field(path) => editor.add("--mask", path.clone(), Does::Mask(*mask)),
            }
        }
        editor
    }

    /// Moves times.
    pub fn of_times(paths: &[String]) -> Self {
        let mut editor = Self::new(Key::of(""));
        for path in paths {
            editor.add("--move-time", Path::new(path), Does::Move);
        }
        editor
    }

    fn new(key: Key) -> Self {
        Self {
            key,
            of_key: None,
            of_headers: Vec::new(),
            rules: Vec::new(),
            by_schema: BTreeMap::new(),
            framed_keys: BTreeMap::new(),
        }
    }

    fn add(&mut self, flag: &'static str, path: Path, does: Does) {
        self.rules.push(Rule { flag, path, does, met: false });
    }

    /// Whether values are changed.
    pub fn edits_values(&self) -> bool {
        !self.rules.is_empty()
    }

    /// Whether keys or headers are changed.
    pub fn edits_beside(&self) -> bool {
        self.of_key.is_some() || !self.of_headers.is_empty()
    }

    /// Refuses paths that none of the schemas has, if these are all; and types that take no such change.
    pub fn check(&mut self, schemas: &[&Schema], are_all: bool) -> Result<(), Error> {
        for rule in &mut self.rules {
            for schema in schemas {
                rule.met |= rule.check(schema)?;
            }
            if !rule.met && are_all {
                return Err(no_field(rule, schemas));
            }
        }
        Ok(())
    }

    /// Refuses paths that no field had that was met.
    pub fn check_met(&self) -> Result<(), Error> {
        match self.rules.iter().find(|rule| !rule.met) {
            Some(rule) => Err(no_field(rule, &[])),
            None => Ok(()),
        }
    }

    /// Appends a value as it is to be; times are moved by so many microseconds.
    ///
    /// # Panics
    ///
    /// If memory cannot be written to: our own bug.
    pub fn value(
        &mut self,
        (topic, value): (&str, &[u8]),
        schemas: &mut Schemas,
        shift_us: i64,
        out: &mut Vec<u8>,
    ) -> Result<(), Error> {
        if let Some((id, datum)) = framed(value).filter(|_| schemas.is_somewhere()) {
            let known = schemas.get(topic, id)?;
            let rules = self.rules_of(&known)?;
            if rules.is_empty() {
                out.extend_from_slice(value);
                return Ok(());
            }
            let mut value = known.read(topic, datum)?;
            for number in rules {
                self.rules[number].change(&self.key, known.schema, &mut value, shift_us);
            }
            frame(out, id);
            return known.write(topic, &value, out);
        }
        let json = value.first().is_some_and(|byte| *byte == b'{');
        let Some(mut json) = json.then(|| serde_json::from_slice(value).ok()).flatten() else {
            return Err(Error::Opaque {
                flag: self.rules.first().map_or("", |rule| rule.flag),
                topic: topic.to_owned(),
                hint: if framed(value).is_some() {
                    ": name it with `--source-registry`"
                } else {
                    ""
                },
            });
        };
        for rule in &mut self.rules {
            let does = rule.does;
            rule.met |= in_json(&mut json, rule.path.parts(), &mut |value| match does {
                Does::Mask(Mask::Null) => *value = Json::Null,
                Does::Mask(mask) => self.key.apply_json(mask, value),
                Does::Move => move_json(value, shift_us),
            });
        }
        let written = serde_json::to_writer(out, &json);
        assert!(written.is_ok(), "memory can be written to: {written:?}");
        Ok(())
    }

    /// Which rules have a field in a schema.
    fn rules_of(&mut self, known: &Known) -> Result<Vec<usize>, Error> {
        if let Some(rules) = self.by_schema.get(&known.id) {
            return Ok(rules.clone());
        }
        let mut rules = Vec::new();
        for (number, rule) in self.rules.iter_mut().enumerate() {
            if rule.check(known.schema)? {
                rule.met = true;
                rules.push(number);
            }
        }
        self.by_schema.insert(known.id, rules.clone());
        Ok(rules)
    }

    /// A key as it is to be.
    pub fn key(
        &mut self,
        (topic, key): (&str, &[u8]),
        schemas: &mut Schemas,
    ) -> Result<Option<Vec<u8>>, Error> {
        let Some(mask) = self.of_key else { return Ok(Some(key.to_vec())) };
        if mask == Mask::Null {
            return Ok(None);
        }
        let known = self.framed_keys.get(topic).copied();
        let is_framed = known.map_or_else(|| schemas.frames(key), Ok)?;
        if known.is_none() {
            self.framed_keys.insert(topic.to_owned(), is_framed);
        }
        let Some((id, datum)) = framed(key).filter(|_| is_framed) else {
            return Ok(Some(self.key.bytes(mask, key)));
        };
        let known = schemas.get(topic, id)?;
        let rule = Rule { flag: "--mask", path: Path::whole(), does: Does::Mask(mask), met: true };
        rule.check(known.schema)?;
        let mut value = known.read(topic, datum)?;
        rule.change(&self.key, known.schema, &mut value, 0);
        let mut out = Vec::new();
        frame(&mut out, id);
        known.write(topic, &value, &mut out)?;
        Ok(Some(out))
    }

    /// The headers as they are to be, which may lie in `room`.
    pub fn headers<'a>(
        &self,
        headers: &[Header<'a>],
        room: &'a mut Vec<Vec<u8>>,
    ) -> Vec<Header<'a>> {
        let mask_of = |name: &[u8]| {
            let named = self.of_headers.iter().find(|(of, _)| of.as_bytes() == name);
            named.map(|(_, mask)| *mask)
        };
        room.clear();
        for (name, value) in headers {
            if let (Some(mask), Some(value)) = (mask_of(name), value) {
                room.push(self.key.bytes(mask, value));
            }
        }
        let mut masked = room.iter();
        let each = headers.iter().filter_map(|(name, value)| match (mask_of(name), value) {
            (Some(Mask::Null), Some(_)) => {
                masked.next();
                None
            }
            (Some(_), Some(_)) => Some((*name, masked.next().map(Vec::as_slice))),
            _ => Some((*name, *value)),
        });
        each.collect()
    }
}

impl Rule {
    fn change(&self, key: &Key, schema: &Schema, value: &mut Value, shift_us: i64) {
        self.path.each(schema, value, self.depth(), &mut |schema, value| match self.does {
            Does::Mask(Mask::Null) => {
                let branch = match schema {
                    Schema::Union(union) => {
                        union.variants().iter().position(|branch| *branch == Schema::Null)
                    }
                    _ => None,
                };
                if let Some(branch) = branch.and_then(|branch| u32::try_from(branch).ok()) {
                    *value = Value::Union(branch, Box::new(Value::Null));
                }
            }
            Does::Mask(mask) => {
                let done = key.apply(mask, schema, value);
                assert!(done, "a schema was checked for what it takes");
            }
            Does::Move => move_time(value, shift_us),
        });
    }
}

fn no_field(rule: &Rule, schemas: &[&Schema]) -> Error {
    let paths: Vec<String> = schemas.iter().flat_map(|schema| path::all(schema)).collect();
    let text = rule.path.text();
    let hint = suggest::way_out(text, paths.iter().map(String::as_str));
    Error::NoField {
        flag: rule.flag,
        path: text.to_owned(),
        hint: hint.map(|hint| format!(": {hint}")).unwrap_or_default(),
    }
}

fn move_time(value: &mut Value, shift_us: i64) {
    match value {
        Value::TimestampMillis(time) | Value::LocalTimestampMillis(time) => {
            *time = time.saturating_add(shift_us.div_euclid(1_000));
        }
        Value::TimestampMicros(time) | Value::LocalTimestampMicros(time) => {
            *time = time.saturating_add(shift_us);
        }
        Value::TimestampNanos(time) | Value::LocalTimestampNanos(time) => {
            *time = time.saturating_add(shift_us.saturating_mul(1_000));
        }
        Value::Date(days) => {
            let shift = shift_us.div_euclid(86_400_000_000);
            *days = days.saturating_add(i32::try_from(shift).unwrap_or(0));
        }
        Value::String(text) => move_text(text, shift_us),
        _ => {}
    }
}

/// A text that is no time stays as it is.
fn move_text(text: &mut String, shift_us: i64) {
    if let Ok(time) = text.parse::<jiff::Timestamp>()
        && let Ok(moved) = time.checked_add(jiff::SignedDuration::from_micros(shift_us))
    {
        *text = moved.to_string();
    }
}

/// A whole number is a time in milliseconds.
fn move_json(value: &mut Json, shift_us: i64) {
    match value {
        Json::String(text) => move_text(text, shift_us),
        Json::Number(number) => {
            if let Some(time) = number.as_i64() {
                *number = time.saturating_add(shift_us.div_euclid(1_000)).into();
            }
        }
        Json::Array(items) => items.iter_mut().for_each(|item| move_json(item, shift_us)),
        _ => {}
    }
}

/// Changes what a path leads to; says whether it leads to anything.
fn in_json(value: &mut Json, parts: &[String], change: &mut dyn FnMut(&mut Json)) -> bool {
    let Some((name, rest)) = parts.split_first() else {
        change(value);
        return true;
    };
    match value {
        Json::Array(items) => {
            let met =
                items.iter_mut().filter_map(|item| in_json(item, parts, change).then_some(()));
            // All of them are changed, so that the first does not end it.
            met.count() > 0
        }
        Json::Object(fields) if name == "*" => {
            let values = fields.iter_mut().map(|(_, value)| value);
            values.filter_map(|value| in_json(value, rest, change).then_some(())).count() > 0
        }
        Json::Object(fields) => {
            fields.get_mut(name).is_some_and(|value| in_json(value, rest, change))
        }
        _ => false,
    }
}
