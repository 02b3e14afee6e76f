//! Streams: topic, schema, key and the fields.

use super::super::hint::{self, SchemaFile};
use super::super::model::{Field, KeyFormat, MemberEvents, SchemaText, Stream, Topic};
use super::super::raw::{Kind, Node};
use super::super::reader::{At, Reader, Section};
use super::super::{Span, Spanned, json, suggest};
use super::curves::Curves;
use super::traffic;
use super::{Names, follows, generator, roll_call, together, wire};

/// Kafka's limit for names of topics.
const TOPIC_BYTES_MAX: usize = 249;
/// How keys can be written.
pub(super) const KEY_FORMATS: [(&str, KeyFormat); 2] =
    [("string", KeyFormat::String), ("avro", KeyFormat::Avro)];

/// `[streams.NAME]`.
pub(super) fn streams(
    reader: &mut Reader<'_>,
    names: &Names<'_>,
    at: &At<'_>,
    curves: &mut Curves,
) -> Vec<Stream> {
    let Some(section) = reader.section(at) else { return Vec::new() };
    let mut streams = Vec::new();
    for (entry, at) in section.all() {
        reader.well_formed("a stream", &entry.key, &entry.key_span);
        let Some(mut one) = reader.section(&at) else { continue };
        let topic = reader
            .require(&mut one, "topic", "name the topic: topic = \"payments\"")
            .and_then(|at| topic(reader, &at));
        let schema = reader
            .require(&mut one, "schema", "name the Avro schema's file: schema = \"….avsc\"")
            .and_then(|at| schema(reader, &at));
        let key_at = one.get("key");
        let key = key_at.as_ref().and_then(|at| reader.text(at));
        let key_format = one.get("key_format").and_then(|at| reader.one_of(&at, &KEY_FORMATS));
        let follows = follows::follows(reader, names, &mut one);
        let value_format =
            one.get("value").map(|at| wire::value_format(reader, &at)).unwrap_or_default();
        let batch = one.get("batch").map(|at| together::batch(reader, &at)).unwrap_or_default();
        let traffic_at = one.get("traffic");
        let (calls, rates) = (|at: &&At<'_>| roll_call::is_meant(at), traffic_at.as_ref());
        let members = rates.filter(calls).and_then(|at| roll_call::roll_call(reader, names, at));
        let own_traffic = rates.filter(|at| !calls(at));
        let own_traffic = own_traffic.and_then(|at| traffic::traffic(reader, at, curves));
        let lets = one.get("let").map(|at| lets(reader, names, &at)).unwrap_or_default();
        let mut fields = one.get("fields").map(|at| fields(reader, names, &at)).unwrap_or_default();
        check_fields(reader, &lets, &fields);
        let headers =
            one.get("headers").map(|at| wire::headers(reader, names, &at)).unwrap_or_default();
        if let Some((_, file)) = &schema {
            let has_identity = wire::is_identified(&one, &lets, &headers);
            hint::add(reader, file, &mut fields, has_identity);
        }
        let holders = wire::Holders {
            stream: &entry.key,
            lets: &lets,
            fields: &fields,
            headers: &headers,
            key: key.as_ref(),
        };
        let identity = wire::identity(reader, &mut one, &holders);
        reader.finish(one);
        if let Some(key) = &key {
            check_key(reader, key, &lets, &fields);
        }
        if let (Some(topic), Some((schema, _))) = (topic, schema) {
            streams.push(Stream {
                name: entry.key.clone(),
                span: entry.key_span.clone(),
                topic,
                schema,
                key,
                key_format: key_format.unwrap_or_default(),
                value_format,
                headers,
                identity,
                batch,
                traffic: own_traffic,
                follows,
                members: members.map(MemberEvents::RollCall),
                control: false,
                ledger: false,
                lets,
                fields,
            });
        }
    }
    if section.all().next().is_none() {
        reader.refuse(&at.key_span, "the model has no stream", "add `[streams.NAME]`");
    }
    streams
}

pub(super) fn topic(reader: &mut Reader<'_>, at: &At<'_>) -> Option<Topic> {
    if at.is_text() {
        let name = topic_name(reader, at)?;
        return Some(Topic { name, partitions: None, replicas: None, config: Vec::new() });
    }
    let mut section = reader.section_beside_text(at)?;
    let name = reader
        .require(&mut section, "name", "name the topic")
        .and_then(|at| topic_name(reader, &at));
    let partitions = section.get("partitions").and_then(|at| reader.whole(&at, &(1..=100_000)));
    let replicas = section.get("replicas").and_then(|at| reader.whole(&at, &(1..=32_767)));
    let config = section.get("config").map(|at| topic_config(reader, &at)).unwrap_or_default();
    reader.finish(section);
    Some(Topic {
        name: name?,
        partitions: partitions.and_then(|count| u32::try_from(count).ok()),
        replicas: replicas.and_then(|count| u32::try_from(count).ok()),
        config,
    })
}

fn topic_name(reader: &mut Reader<'_>, at: &At<'_>) -> Option<String> {
    let name = reader.text(at)?;
    let text = &name.value;
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let reason = if text.is_empty() {
        "is empty".to_owned()
    } else if text.len() > TOPIC_BYTES_MAX {
        format!("has {} characters, but Kafka allows {TOPIC_BYTES_MAX}", text.len())
    } else if matches!(text.as_str(), "." | "..") {
        format!("is `{text}`, which Kafka does not allow")
    } else if let Some(bad) = text.chars().find(|c| !legal(*c)) {
        let bad = if bad == ' ' { "space".to_owned() } else { format!("`{bad}`") };
        format!("is `{text}`, but Kafka allows no {bad} in names of topics")
    } else {
        return Some(name.value);
    };
    let what = format!("`{}` {reason}", at.path);
    reader.refuse(&name.span, what, "letters, digits, `.`, `_` and `-` are allowed");
    None
}

fn topic_config(reader: &mut Reader<'_>, at: &At<'_>) -> Vec<(String, String)> {
    let Some(section) = reader.section(at) else { return Vec::new() };
    let mut config = Vec::new();
    for (entry, at) in section.all() {
        if let Some(value) = setting(reader, &at) {
            config.push((entry.key.clone(), value.value));
        }
    }
    config
}

/// A setting of somebody else's: text, or a number or boolean as it is written.
pub(super) fn setting(reader: &mut Reader<'_>, at: &At<'_>) -> Option<Spanned<String>> {
    let span = at.node.span.clone();
    match at.node.kind {
        Kind::Integer(number) => Some(Spanned { value: number.to_string(), span }),
        Kind::Real(_) | Kind::Boolean(_) => reader
            .source
            .text(&span)
            .map(|written| Spanned { value: written.to_owned(), span: span.clone() }),
        _ => reader.text(at),
    }
}

pub(super) fn schema(
    reader: &mut Reader<'_>,
    at: &At<'_>,
) -> Option<(Spanned<SchemaText>, SchemaFile)> {
    let (path, base, json) = reader.open(at, "schema")?;
    if let Err(error) = serde_json::from_str::<serde_json::Value>(&json) {
        let before: usize =
            json.split_inclusive('\n').take(error.line().saturating_sub(1)).map(str::len).sum();
        let offset = (base + before + error.column().saturating_sub(1)).min(base + json.len());
        let reason = error.to_string();
        let reason = reason.split(" at line ").next().unwrap_or("");
        reader.refuse(&(offset..offset + 1), format!("the schema is no JSON: {reason}"), "");
        return None;
    }
    let schema = match apache_avro::Schema::parse_str(&json) {
        Ok(schema) => schema,
        Err(error) => {
            let reason = reason_of(&error);
            let what = format!("`{}` is no Avro schema: {reason}", path.display());
            reader.refuse(&place_of(&json, base, &reason), what, "");
            return None;
        }
    };
    let Some(node) = json::parse(&json, base) else {
        let what = format!("`{}` is nested too deeply", path.display());
        reader.refuse(&at.node.span, what, "");
        return None;
    };
    let files = reader.files_beside(&path, &at.node.span);
    let file = SchemaFile { schema, node, files };
    if !matches!(file.schema, apache_avro::Schema::Record(_)) {
        let what = format!("an event is a record, but the schema is {}", file.noun());
        let start = file.node.span.start;
        let help = "wrap it: {\"type\": \"record\", \"name\": …, \"fields\": [{\"name\": …, \"type\": …}]}";
        reader.refuse(&(start..start + 1), what, help);
        return None;
    }
    let text = SchemaText { path, json };
    Some((Spanned { value: text, span: at.node.span.clone() }, file))
}

/// Where in a schema the last name of a reason stands, else where it begins.
fn place_of(json: &str, base: usize, reason: &str) -> Span {
    let name = reason.rsplit([' ', ':']).next().unwrap_or_default();
    let quoted = format!("\"{}\"", name.trim_matches(['`', '"', '\'']));
    match json.find(&quoted) {
        Some(start) if quoted.len() > 2 => base + start..base + start + quoted.len(),
        _ => {
            let start = json.len() - json.trim_start().len();
            base + start..base + start + 1
        }
    }
}

/// An error with what it stems from, on one line.
fn reason_of(error: &dyn std::error::Error) -> String {
    let mut reasons = vec![error.to_string()];
    let mut source = error.source();
    while let Some(inner) = source {
        let text = inner.to_string();
        if !reasons.iter().any(|known| known.contains(&text)) {
            reasons.push(text);
        }
        source = inner.source();
    }
    reasons.join(": ").replace('\n', " ")
}

pub(super) fn lets(reader: &mut Reader<'_>, names: &Names<'_>, at: &At<'_>) -> Vec<Field> {
    let Some(section) = reader.section(at) else { return Vec::new() };
    let mut lets = Vec::new();
    for (entry, at) in section.all() {
        reader.well_formed("a value in `let`", &entry.key, &entry.key_span);
        if let Some(generator) = generator::field(reader, names, &at) {
            let name = Spanned { value: entry.key.clone(), span: entry.key_span.clone() };
            lets.push(Field { name, generator });
        }
    }
    lets
}

pub(super) fn fields(reader: &mut Reader<'_>, names: &Names<'_>, at: &At<'_>) -> Vec<Field> {
    let Some(section) = reader.section(at) else { return Vec::new() };
    let mut fields = Vec::new();
    collect(reader, names, &section, "", &mut fields);
    fields
}

/// Fields inside a field may be written `place.city = …` or as a table of their own.
fn collect(
    reader: &mut Reader<'_>,
    names: &Names<'_>,
    section: &Section<'_>,
    prefix: &str,
    fields: &mut Vec<Field>,
) {
    for (entry, at) in section.all() {
        let path =
            if prefix.is_empty() { entry.key.clone() } else { format!("{prefix}.{}", entry.key) };
        if is_nested(reader, at.node, &entry.key_span) {
            if let Some(inner) = reader.section(&at) {
                collect(reader, names, &inner, &path, fields);
            }
        } else if let Some(generator) = generator::field(reader, names, &at) {
            let name = Spanned { value: path, span: entry.key_span.clone() };
            fields.push(Field { name, generator });
        }
    }
}

/// Whether a table holds fields: it was opened by a dotted key or a header, not by braces.
fn is_nested(reader: &Reader<'_>, node: &Node, key_span: &std::ops::Range<usize>) -> bool {
    if node.entries().is_none() || generator::is_meant(node) {
        return false;
    }
    let in_braces = reader.source.text(&node.span).is_some_and(|written| written.starts_with('{'));
    // A path that a flag opened has no text of its own.
    !in_braces || node.span == *key_span
}

fn check_fields(reader: &mut Reader<'_>, lets: &[Field], fields: &[Field]) {
    for (index, field) in fields.iter().enumerate() {
        let name = &field.name;
        if lets.iter().any(|one| one.name.value == name.value) {
            let what = format!("`{}` is both a field and a value in `let`", name.value);
            reader.refuse(&name.span, what, "fields can be referred to as well: keep the field");
        }
        if fields[..index].iter().any(|one| one.name.value == name.value) {
            reader.refuse(&name.span, format!("the field `{}` is there twice", name.value), "");
        }
    }
}

/// The key is a field or a let; that the schema has it is for the plan to say.
fn check_key(reader: &mut Reader<'_>, key: &Spanned<String>, lets: &[Field], fields: &[Field]) {
    let known = || fields.iter().chain(lets).map(|field| field.name.value.as_str());
    if known().any(|name| name == key.value) || (fields.is_empty() && lets.is_empty()) {
        return;
    }
    let what = format!("the key `{}` is not a field of the stream", key.value);
    let near = suggest::nearest(&key.value, known());
    let help = near.map_or_else(
        || {
            format!(
                "add a field or a value in `let` of this name, or name one of {}",
                listed(known())
            )
        },
        |near| format!("did you mean `{near}`?"),
    );
    reader.refuse(&key.span, what, &help);
}

fn listed<'n>(names: impl Iterator<Item = &'n str>) -> String {
    let mut shown: Vec<String> = Vec::new();
    for name in names.map(|name| format!("`{name}`")) {
        if shown.len() < 12 && !shown.contains(&name) {
            shown.push(name);
        }
    }
    shown.join(", ")
}
