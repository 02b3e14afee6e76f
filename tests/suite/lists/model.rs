//! Models of one stream, made of a schema and a few lines.

#![expect(clippy::panic, reason = "a test stops at the first surprise")]

use std::sync::Arc;

use apache_avro::Schema;
use apache_avro::reader::datum::GenericDatumReader;
use apache_avro::types::Value;
use serde_json::{Value as Json, json};
use tidegate::config::{self, ModelSource, Overrides, Refused};
use tidegate::plan::{Inputs, Plan};
use tidegate::stream::Options;

use crate::determinism::events;

const HEAD: &str = "seed = 7\nstart = \"2026-03-02T00:00:00Z\"\n";

/// A model whose stream `s` has a schema of these fields; `text` is what follows `[streams.s]`.
pub(crate) fn read(fields: &Json, text: &str) -> Result<Arc<Plan>, String> {
    let directory = tempfile::tempdir().unwrap();
    let schema = json!({"type": "record", "name": "E", "fields": fields});
    std::fs::write(directory.path().join("E.avsc"), schema.to_string()).unwrap();
    let text = format!(
        "{HEAD}[traffic]\nrate = \"100/s\"\n[streams.s]\ntopic = \"t\"\nschema = \"E.avsc\"\n{text}\n"
    );
    let source = ModelSource::Text {
        name: "model.toml".to_owned(),
        directory: directory.path().to_path_buf(),
        text,
    };
    let read = config::read(&source, &Overrides::default(), &|_| None);
    let configuration = read.map_err(|refused| refused.render(false))?;
    Plan::compile(&configuration.model, &Inputs::default())
        .map(Arc::new)
        .map_err(|mistakes| Refused::new(configuration.source, mistakes).render(false))
}

/// A plan that must be good.
pub(crate) fn plan(fields: &Json, text: &str) -> Arc<Plan> {
    read(fields, text).unwrap_or_else(|told| panic!("{told}"))
}

/// Why a model is refused.
pub(crate) fn refused(fields: &Json, text: &str) -> String {
    read(fields, text).err().unwrap_or_else(|| panic!("{text} is a good model"))
}

/// The first events, as apache-avro reads them.
pub(crate) fn first(plan: &Arc<Plan>, count: u64) -> Vec<Value> {
    let options = Options { count: Some(count), ..Options::default() };
    let events = events(plan, options);
    assert_eq!(events.len() as u64, count);
    events.iter().map(|event| decoded(&plan.streams[0].schema, &event.datum)).collect()
}

/// A datum, as apache-avro reads it.
pub(crate) fn decoded(schema: &Schema, mut datum: &[u8]) -> Value {
    let reader = GenericDatumReader::builder(schema).build().unwrap();
    let value = reader.read_value(&mut datum).unwrap();
    assert!(datum.is_empty(), "{} bytes stay behind {value:?}", datum.len());
    value
}

/// A field of a record; unions are opened.
pub(crate) fn field<'v>(value: &'v Value, path: &str) -> &'v Value {
    path.split('.').fold(value, |value, name| match value {
        Value::Record(fields) => {
            let (_, found) = fields.iter().find(|(field, _)| field == name).unwrap();
            opened(found)
        }
        other => panic!("{other:?} has no {name}"),
    })
}

/// What a union holds.
pub(crate) fn opened(value: &Value) -> &Value {
    match value {
        Value::Union(_, inner) => opened(inner),
        value => value,
    }
}

/// A whole number.
pub(crate) fn whole(value: &Value) -> i64 {
    match opened(value) {
        Value::Int(value) => i64::from(*value),
        Value::Long(value) => *value,
        other => panic!("{other:?} is no whole number"),
    }
}

/// Items of an array.
pub(crate) fn items(value: &Value) -> &[Value] {
    match opened(value) {
        Value::Array(items) => items,
        other => panic!("{other:?} is no array"),
    }
}

/// A text.
pub(crate) fn text(value: &Value) -> &str {
    match opened(value) {
        Value::String(text) | Value::Enum(_, text) => text,
        other => panic!("{other:?} is no text"),
    }
}
