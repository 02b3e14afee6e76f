//! Changelogs: streams that tell what the members of an entity are like.

use std::path::PathBuf;

use super::super::model::{
    BatchLimits, BelongsTo, Changelog, Entity, Field, Generator, IdentityPlace, KeyFormat,
    MemberEvents, SchemaText, Snapshot, Stream, Topic, ValueFormat,
};
use super::super::reader::{At, Reader};
use super::super::{Span, Spanned, units};
use super::{Names, streams};

/// The field of a member's number, unless the key says otherwise.
const ID: &str = "id";

/// A changelog as it is written, before the streams are known.
#[derive(Debug)]
pub(super) struct Written {
    entity: Spanned<String>,
    topic: Topic,
    schema: Option<Spanned<SchemaText>>,
    key: Spanned<String>,
    key_format: KeyFormat,
    snapshot: Snapshot,
    fields: Vec<Field>,
}

/// `changelog = "topic"`, or a table.
pub(super) fn changelog(
    reader: &mut Reader<'_>,
    names: &Names<'_>,
    entity: &Spanned<String>,
    at: &At<'_>,
) -> Option<Written> {
    let span = at.key_span.clone();
    let id = || Spanned { value: ID.to_owned(), span: span.clone() };
    let (entity, snapshot) = (entity.clone(), Snapshot::Before);
    if at.is_text() {
        let (topic, key) = (streams::topic(reader, at)?, id());
        let (key_format, fields) = (KeyFormat::default(), Vec::new());
        return Some(Written { entity, topic, schema: None, key, key_format, snapshot, fields });
    }
    let mut section = reader.section_beside_text(at)?;
    let topic = reader.require(&mut section, "topic", "name the topic: topic = \"cards\"");
    let topic = topic.and_then(|at| streams::topic(reader, &at));
    let schema = section.get("schema").map(|at| streams::schema(reader, &at));
    let key = section.get("key").map_or(Some(id()), |at| reader.text(&at));
    let key_format = section.get("key_format");
    let key_format = key_format.and_then(|at| reader.one_of(&at, &streams::KEY_FORMATS));
    let snapshot = section.get("snapshot").map_or(Some(snapshot), |at| read_snapshot(reader, &at));
    let fields = section.get("fields").map(|at| streams::fields(reader, names, &at));
    reader.finish(section);
    let schema = match schema {
        Some(schema) => Some(schema?.0),
        None => None,
    };
    let (fields, key_format) = (fields.unwrap_or_default(), key_format.unwrap_or_default());
    let (topic, key, snapshot) = (topic?, key?, snapshot?);
    Some(Written { entity, topic, schema, key, key_format, snapshot, fields })
}

/// `"before"`, `"spread 10m"` or `"none"`.
fn read_snapshot(reader: &mut Reader<'_>, at: &At<'_>) -> Option<Snapshot> {
    let text = reader.text(at)?;
    let spread = text.value.strip_prefix("spread ").map(units::duration);
    match (text.value.as_str(), spread) {
        ("before", _) => Some(Snapshot::Before),
        ("none", _) => Some(Snapshot::None),
        (_, Some(Ok(over))) if !over.is_zero() && over.as_secs() < 31_557_600 => {
            Some(Snapshot::Spread(u64::try_from(over.as_micros()).unwrap_or(1).max(1)))
        }
        _ => {
            let what = format!("`{}` cannot be `{}`", at.path, text.value);
            let help = "one of \"before\", \"spread 10m\" (less than a year), \"none\"";
            reader.refuse(&text.span, what, help);
            None
        }
    }
}

/// Adds the streams of changelogs to the model's own.
pub(super) fn add(
    reader: &mut Reader<'_>,
    entities: &[Entity],
    changelogs: Vec<Written>,
    streams: &mut Vec<Stream>,
) {
    for written in changelogs {
        let span = written.entity.span.clone();
        let Some(entity) = entities.iter().find(|one| one.name == written.entity.value) else {
            continue;
        };
        if streams.iter().any(|stream| stream.name == entity.name) {
            let what = format!("the changelog of `{}` and a stream have one name", entity.name);
            reader.refuse(&span, what, "give the stream another name");
            continue;
        }
        if let Some(other) = streams.iter().find(|one| one.topic.name == written.topic.name) {
            let what = format!(
                "the changelog of `{}` would share the topic `{}` with `{}`",
                entity.name, other.topic.name, other.name
            );
            reader.refuse(&span, what, "compaction goes by keys: give it a topic of its own");
            continue;
        }
        let fields = fields(entity, &written, streams);
        if !fields.iter().any(|field| field.name.value == written.key.value) {
            let what = format!("the key `{}` is not a field of the changelog", written.key.value);
            reader.refuse(&written.key.span, what, "leave it out: it is the member's number");
            continue;
        }
        streams.push(stream(written, fields));
    }
}

fn stream(written: Written, fields: Vec<Field>) -> Stream {
    let Written { entity, mut topic, schema, key, key_format, snapshot, .. } = written;
    if topic.config.iter().all(|(name, _)| name != "cleanup.policy") {
        topic.config.push(("cleanup.policy".to_owned(), "compact".to_owned()));
    }
    // A schema that nobody gave is worked out when the types of the fields are known.
    let derived = SchemaText { path: PathBuf::new(), json: String::new() };
    let schema = schema.unwrap_or(Spanned { value: derived, span: entity.span.clone() });
    let holds = |field: &Field| matches!(field.generator.value, Generator::Identity);
    let identity =
        if fields.iter().any(holds) { IdentityPlace::Field } else { IdentityPlace::AddedHeader };
    Stream {
        name: entity.value.clone(),
        span: entity.span.clone(),
        topic,
        schema,
        key: Some(key),
        key_format,
        value_format: ValueFormat::default(),
        headers: Vec::new(),
        identity,
        batch: BatchLimits::default(),
        traffic: None,
        follows: None,
        members: Some(MemberEvents::Changelog(Changelog { entity, snapshot })),
        control: false,
        ledger: false,
        lets: Vec::new(),
        fields,
    }
}

/// The fields of a record: the member's number, who is above, the attributes, and what is written.
fn fields(entity: &Entity, written: &Written, streams: &[Stream]) -> Vec<Field> {
    let span = &written.entity.span;
    let spanned = |value: &str| Spanned { value: value.to_owned(), span: span.clone() };
    let attribute = |name: String, path: &str, format: Option<Spanned<String>>| Field {
        name: spanned(&name),
        generator: Spanned {
            value: Generator::Attribute { path: spanned(path), column: None, format },
            span: span.clone(),
        },
    };
    let name = &entity.name;
    let format = format_of(name, streams, span);
    let mut fields = vec![attribute(written.key.value.clone(), name, format)];
    if let Some(BelongsTo { parent, .. }) = &entity.belongs_to {
        let (path, format) =
            (format!("{name}.{}", parent.value), format_of(&parent.value, streams, span));
        fields.push(attribute(format!("{}_id", parent.value), &path, format));
    }
    for one in &entity.attributes {
        fields.push(attribute(one.name.clone(), &format!("{name}.{}", one.name), None));
    }
    if let Some(schema) = &written.schema {
        // Of what was not asked for, only what the schema has.
        let known = names_in(&schema.value.json);
        fields.retain(|field| known.contains(&field.name.value));
    }
    for field in &written.fields {
        match fields.iter_mut().find(|one| one.name.value == field.name.value) {
            Some(place) => *place = field.clone(),
            None => fields.push(field.clone()),
        }
    }
    fields
}

/// The names of a record's fields.
fn names_in(schema: &str) -> Vec<String> {
    let schema: serde_json::Value = serde_json::from_str(schema).unwrap_or_default();
    let fields = schema["fields"].as_array().cloned().unwrap_or_default();
    fields.iter().filter_map(|field| Some(field["name"].as_str()?.to_owned())).collect()
}

/// How the model's streams write the number of an entity's members, so that records can be joined.
fn format_of(entity: &str, streams: &[Stream], span: &Span) -> Option<Spanned<String>> {
    let fields = streams.iter().flat_map(|stream| &stream.fields);
    let mut formats = fields.filter_map(|field| match &field.generator.value {
        Generator::Entity { entity: of, format: Some(format), .. } if of.value == entity => {
            Some(format.value.clone())
        }
        Generator::Attribute { path, column: None, format: Some(format) }
            if path.value == entity || path.value.ends_with(&format!(".{entity}")) =>
        {
            Some(format.value.clone())
        }
        _ => None,
    });
    formats.next().map(|value| Spanned { value, span: span.clone() })
}
