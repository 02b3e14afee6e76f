//! Whether an event arrived as it was sent, field by field where it did not.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use apache_avro::Schema;
use serde::Serialize;
use serde_json::Value as Json;

use super::agree::agree;
use super::identify::Written;
use super::ledger::Event;
use crate::config::model::ValueFormat;
use crate::consume::{Page, Record};
use crate::encode::json::Reader;
use crate::encode::wire::FRAMING_BYTES;
use crate::plan::Plan;

/// How many fields of one event are told at most.
const FIELDS_MAX: usize = 20;

/// A field that is not as it was sent.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Difference {
    /// Its path; `key` of the key, `value` of what cannot be read at all.
    pub field: String,
    /// What was sent.
    pub sent: Json,
    /// What is there; none if nothing is.
    pub found: Option<Json>,
}

/// What a comparison says.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// As it was sent.
    Intact,
    /// Not as it was sent.
    Damaged(Vec<Difference>),
    /// What is there cannot be read: nobody has its schema.
    Unreadable,
}

/// Compares what is there with what was sent.
#[derive(Debug)]
pub struct Comparer {
    streams: Vec<Stream>,
    /// Readers of schemas that are not the run's, by their ids.
    others: BTreeMap<u32, Reader<'static>>,
}

#[derive(Debug)]
struct Stream {
    schema_id: Option<u32>,
    format: ValueFormat,
    reader: Reader<'static>,
}

impl Comparer {
    /// Compares events of a plan, whose values are framed with these ids.
    ///
    /// # Errors
    ///
    /// A schema whose values cannot be read.
    pub fn new(
        plan: &Plan,
        schema_ids: &[Option<u32>],
    ) -> Result<Self, crate::encode::json::Error> {
        let streams = plan.streams.iter().enumerate().map(|(number, stream)| {
            Ok(Stream {
                schema_id: schema_ids.get(number).copied().flatten(),
                format: stream.value_format,
                reader: reader(&stream.schema)?,
            })
        });
        Ok(Self { streams: streams.collect::<Result<_, _>>()?, others: BTreeMap::new() })
    }

    /// Compares a record with its event. `keyed` says whether the key must be the event's; `schema` knows
    /// schemas that are not the run's by their ids.
    pub fn compare(
        &mut self,
        (page, record): (&Page, &Record),
        event: &Event<'_>,
        keyed: bool,
        schema: impl Fn(u32) -> Option<Schema>,
    ) -> Verdict {
        let Some(batch) = event.bytes() else { return Verdict::Intact };
        let sent = event.record();
        let mut differences = Vec::new();
        let key = sent.keyed.then(|| &batch.arena[sent.key_range()]);
        if keyed && key != page.key(record) {
            let (sent, found) = (shown(key), Some(shown(page.key(record))));
            differences.push(Difference { field: "key".to_owned(), sent, found });
        }
        let value = (!sent.tombstone).then(|| &batch.arena[sent.value_range()]);
        let found = page.value(record);
        if value != found {
            match (value, found) {
                (Some(value), Some(found)) => {
                    let stream = usize::from(sent.stream);
                    match self.fields(stream, value, found, schema) {
                        Some(fields) => differences.extend(fields),
                        None => return Verdict::Unreadable,
                    }
                }
                (value, found) => {
                    let (sent, found) = (shown(value), Some(shown(found)));
                    differences.push(Difference { field: "value".to_owned(), sent, found });
                }
            }
        }
        if differences.is_empty() { Verdict::Intact } else { Verdict::Damaged(differences) }
    }

    /// The fields that differ; none if what is there has a schema that nobody knows.
    fn fields(
        &mut self,
        stream: usize,
        value: &[u8],
        found: &[u8],
        schema: impl Fn(u32) -> Option<Schema>,
    ) -> Option<Vec<Difference>> {
        let Stream { schema_id, format, reader: own } = &self.streams[stream];
        let sent = match format {
            ValueFormat::Json => serde_json::from_slice(value).ok(),
            ValueFormat::Avro => {
                let framing = schema_id.map_or(0, |_| FRAMING_BYTES);
                own.read(value.get(framing..).unwrap_or_default()).ok()
            }
        }?;
        let (there, whole) = match Written::of(found) {
            Written::Framed(id, datum) if Some(id) == *schema_id => (own.read(datum).ok(), true),
            Written::Framed(id, datum) if schema_id.is_some() || schema(id).is_some() => {
                let reader = match self.others.entry(id) {
                    Entry::Occupied(known) => known.into_mut(),
                    Entry::Vacant(place) => place.insert(reader(&schema(id)?).ok()?),
                };
                (reader.read(datum).ok(), false)
            }
            Written::Json(text) => {
                let own_format = *format == ValueFormat::Json;
                (serde_json::from_slice(text).ok(), own_format)
            }
            Written::Framed(..) | Written::Bare(_) => (own.read(found).ok(), true),
        };
        let mut differences = Vec::new();
        match there {
            Some(there) => {
                let seat = if whole { &there } else { seat(&sent, &there) };
                differ(&sent, seat, whole, &mut String::new(), &mut differences);
            }
            None => differences.push(Difference {
                field: "value".to_owned(),
                sent,
                found: Some(shown(Some(found))),
            }),
        }
        Some(differences)
    }
}

/// A reader that lives as long as the process: there are a few schemas.
fn reader(schema: &Schema) -> Result<Reader<'static>, crate::encode::json::Error> {
    Reader::new(Box::leak(Box::new(schema.clone())))
}

/// Where in another program's value the fields of an event are: the object that shares most names with it,
/// the outermost of several.
fn seat<'v>(sent: &Json, there: &'v Json) -> &'v Json {
    let shared = |object: &Json| {
        let (Json::Object(sent), Json::Object(object)) = (sent, object) else { return 0 };
        sent.keys().filter(|name| object.contains_key(*name)).count()
    };
    let mut best = (shared(there), there);
    let mut inner = vec![there];
    while let Some(Json::Object(fields)) = inner.pop() {
        for value in fields.values() {
            if shared(value) > best.0 {
                best = (shared(value), value);
            }
            inner.push(value);
        }
        inner.retain(|value| value.is_object());
    }
    best.1
}

/// Adds the fields that differ; of values of another schema only those that both have are compared.
fn differ(
    sent: &Json,
    found: &Json,
    whole: bool,
    path: &mut String,
    differences: &mut Vec<Difference>,
) {
    if differences.len() >= FIELDS_MAX {
        return;
    }
    let length = path.len();
    if let (Json::Object(sent), Json::Object(there)) = (sent, found) {
        for (name, sent) in sent {
            if length > 0 {
                path.push('.');
            }
            path.push_str(name);
            match there.get(name) {
                Some(found) => differ(sent, found, whole, path, differences),
                None if whole => differences.push(Difference {
                    field: path.clone(),
                    sent: sent.clone(),
                    found: None,
                }),
                None => {}
            }
            path.truncate(length);
        }
    } else if !agree(sent, found) {
        let (sent, found) = (sent.clone(), Some(found.clone()));
        differences.push(Difference { field: path.clone(), sent, found });
    }
}

/// Bytes as people can look at them: text if they are, else hexadecimal; shortened.
fn shown(bytes: Option<&[u8]>) -> Json {
    const BYTES_MAX: usize = 64;
    let Some(bytes) = bytes else { return Json::Null };
    let some = &bytes[..bytes.len().min(BYTES_MAX)];
    let more = if some.len() < bytes.len() { "…" } else { "" };
    match std::str::from_utf8(some) {
        Ok(text) if !text.contains(char::is_control) => format!("{text}{more}").into(),
        _ => {
            let hex = some.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"));
            format!("0x{hex}{more}").into()
        }
    }
}
