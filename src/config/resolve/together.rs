//! What streams must agree on: subjects in the registry, and limits of batches.

use apache_avro::Schema;

use super::super::model::{BatchLimits, Stream, ValueFormat};
use super::super::reader::{At, Reader};
use super::super::secret::Text;
use super::super::settings::{Property, Registry, SchemaChoice, Settings, Subjects};
use super::super::{Spanned, units};

/// Checks that no two streams would register different schemas under one subject.
pub(super) fn check_subjects(reader: &mut Reader<'_>, streams: &[Stream], registry: &Registry) {
    if matches!(registry.schemas, SchemaChoice::Id(_)) {
        return;
    }
    let mut seen: Vec<(String, &Stream, Schema)> = Vec::new();
    for stream in streams.iter().filter(|stream| stream.value_format == ValueFormat::Avro) {
        // A schema that cannot be read was refused before.
        let Ok(schema) = Schema::parse_str(&stream.schema.value.json) else { continue };
        let record = schema.name().map(|name| name.fullname(None)).unwrap_or_default();
        let topic = &stream.topic.name;
        let (subject, help) = match registry.subjects {
            Subjects::TopicName => (
                format!("{topic}-value"),
                "set subjects = \"topic_record_name\" in [registry], or give one another topic",
            ),
            Subjects::RecordName => (record, "give one of the records another name"),
            Subjects::TopicRecordName => {
                (format!("{topic}-{record}"), "give one of the records another name")
            }
        };
        match seen.iter().find(|(known, ..)| *known == subject) {
            Some((_, other, known)) if *known != schema => {
                let what = format!(
                    "`{}` and `{}` would share the subject `{subject}`, but their schemas differ",
                    other.name, stream.name
                );
                reader.refuse(&stream.span, what, help);
            }
            Some(_) => {}
            None => seen.push((subject, stream, schema)),
        }
    }
}

/// Checks that streams of one topic would create the same one.
pub(super) fn check_topics(reader: &mut Reader<'_>, streams: &[Stream]) {
    for (at, stream) in streams.iter().enumerate() {
        let settings = topic_settings(stream);
        let others = streams[..at].iter().filter(|other| other.topic.name == stream.topic.name);
        let clash = others.into_iter().find_map(|other| {
            let known = topic_settings(other);
            let differs = |(key, value): &&(&str, String)| {
                known.iter().any(|(name, other)| name == key && other != value)
            };
            let (key, value) = settings.iter().find(differs)?;
            let (_, known) = known.into_iter().find(|(name, _)| name == key)?;
            Some((other, *key, value, known))
        });
        if let Some((other, key, value, known)) = clash {
            let what = format!(
                "`{}` and `{}` share the topic `{}`, but one says `{key}` is {known}, the other {value}",
                other.name, stream.name, stream.topic.name
            );
            reader.refuse(&stream.span, what, "say the same, or say it once");
        }
    }
}

/// What a stream says of its topic.
fn topic_settings(stream: &Stream) -> Vec<(&str, String)> {
    let topic = &stream.topic;
    let partitions = topic.partitions.map(|count| ("partitions", count.to_string()));
    let replicas = topic.replicas.map(|count| ("replicas", count.to_string()));
    let config = topic.config.iter().map(|(key, value)| (key.as_str(), value.clone()));
    partitions.into_iter().chain(replicas).chain(config).collect()
}

/// `[streams.NAME.batch]`.
pub(super) fn batch(reader: &mut Reader<'_>, at: &At<'_>) -> BatchLimits {
    let Some(mut section) = reader.section(at) else { return BatchLimits::default() };
    let spanned = |at: &At<'_>, value: String| Spanned { value, span: at.node.span.clone() };
    let events = section.get("events").and_then(|at| {
        let events = reader.whole(&at, &(1..=1_000_000))?;
        Some(spanned(&at, events.to_string()))
    });
    let bytes = section.get("bytes").and_then(|at| {
        let bytes = reader.unit(&at, units::bytes)?.value;
        if (1..=i32::MAX.unsigned_abs().into()).contains(&bytes) {
            return Some(spanned(&at, bytes.to_string()));
        }
        let what = format!("`{}` is {bytes} bytes, but must be 1B to 2147483647B", at.path);
        reader.refuse(&at.node.span, what, "");
        None
    });
    let linger = section.get("linger").and_then(|at| {
        let linger = reader.unit(&at, units::duration)?.value;
        if linger.as_secs() < 900 {
            return Some(spanned(&at, (linger.as_secs_f64() * 1_000.0).to_string()));
        }
        let what = format!("`{}` must be below 15 minutes", at.path);
        reader.refuse(&at.node.span, what, "");
        None
    });
    reader.finish(section);
    BatchLimits { events, bytes, linger }
}

/// Makes properties of the Kafka client of the streams' limits. It has one set for all streams, so
/// those that set a limit must agree.
pub(super) fn set_batch_limits(
    reader: &mut Reader<'_>,
    streams: &[Stream],
    settings: &mut Settings,
) {
    type Limit = fn(&BatchLimits) -> Option<&Spanned<String>>;
    let limits: [(&str, &str, Limit); 3] = [
        ("events", "batch.num.messages", |batch| batch.events.as_ref()),
        ("bytes", "batch.size", |batch| batch.bytes.as_ref()),
        ("linger", "linger.ms", |batch| batch.linger.as_ref()),
    ];
    for (key, name, limit) in limits {
        let mut set = streams.iter().filter_map(|stream| Some((stream, limit(&stream.batch)?)));
        let Some((first, value)) = set.next() else { continue };
        for (stream, other) in set.filter(|(_, other)| other.value != value.value) {
            let what = format!(
                "`{}` and `{}` have different limits `batch.{key}`, but share one Kafka client",
                first.name, stream.name
            );
            let help = "give them the same, or run them apart with `--streams`";
            reader.refuse(&other.span, what, help);
        }
        let Some(kafka) = &mut settings.kafka else { continue };
        if kafka.properties.iter().any(|property| property.name.value == name) {
            let what = format!("`{name}` of [sink.kafka] sets what `batch.{key}` sets");
            reader.refuse(&value.span, what, "keep one of them");
            continue;
        }
        let name = Spanned { value: name.to_owned(), span: value.span.clone() };
        let text = Text::Plain(value.value.clone());
        let value = Spanned { value: text, span: value.span.clone() };
        kafka.properties.push(Property { name, value });
    }
}
