//! The control stream: when phases of scenarios begin and end.

use super::super::model::{
    BatchLimits, IdentityPlace, KeyFormat, SchemaText, Stream, Topic, ValueFormat,
};
use super::super::reader::{At, Reader};
use super::super::{Spanned, library};
use super::streams;

/// Its name, unless a stream has it.
const NAME: &str = "control";
const SCHEMA: &str = "schemas/run/Control.avsc";

/// `control = "TOPIC"`, or a table of a topic.
pub(super) fn add(reader: &mut Reader<'_>, at: &At<'_>, all: &mut Vec<Stream>) {
    let Some(topic) = streams::topic(reader, at) else { return };
    let span = at.key_span.clone();
    if let Some(other) = all.iter().find(|stream| stream.name == NAME) {
        let what = format!("a stream has the name of the control stream, `{NAME}`");
        reader.refuse(&other.span, what, "give it another name");
        return;
    }
    if let Some(other) = all.iter().find(|stream| stream.topic.name == topic.name) {
        let what =
            format!("`control` would share the topic `{}` with `{}`", topic.name, other.name);
        reader.refuse(&span, what, "give it a topic of its own");
        return;
    }
    let json = library::open(SCHEMA).unwrap_or_default().to_owned();
    let schema = SchemaText { path: SCHEMA.into(), json };
    all.push(Stream {
        name: NAME.to_owned(),
        span: span.clone(),
        topic: Topic { partitions: topic.partitions.or(Some(1)), ..topic },
        schema: Spanned { value: schema, span: span.clone() },
        key: Some(Spanned { value: "scenario".to_owned(), span }),
        key_format: KeyFormat::String,
        value_format: ValueFormat::Avro,
        headers: Vec::new(),
        identity: IdentityPlace::Field,
        batch: BatchLimits::default(),
        traffic: None,
        follows: None,
        members: None,
        control: true,
        ledger: false,
        lets: Vec::new(),
        fields: Vec::new(),
    });
}
