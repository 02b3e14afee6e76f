//! What records look like beside their fields: headers, identities, formats.

#![expect(clippy::panic, reason = "what fails here fails the test")]

mod headers;
mod identity;
mod json;
mod kafka;
mod together;

use std::path::PathBuf;
use std::sync::Arc;

use tidegate::config::{self, Configuration, ModelSource, Overrides, Refused};
use tidegate::encode::headers::{Shape, Value, read};
use tidegate::generate::philox;
use tidegate::plan::identity::{Cipher, Identity};
use tidegate::plan::{Inputs, Plan};
use tidegate::stream::{EventStream, Options};

/// A model of one stream, `s`; its section and its fields may be gone on with.
const MODEL: &str = r#"
seed = 7
start = "2026-03-02T00:00:00Z"
[traffic]
rate = "1000/s"
[entities.account]
activity = { mean = "2/day" }
[streams.s]
topic = "t"
schema = "Event.avsc"
#stream
[streams.s.let]
id = "identity"
kind = { choice = ["a", "b"] }
[streams.s.fields]
at = "event_time"
account = { entity = "account", format = "acct-{:04}" }
amount = { lognormal = { median = 20.0, sigma = 1.0 }, digits = 2, max = 1000 }
note = { when = "kind == 'a'", regex = "[0-9a-f]{8}" }
#fields
"#;

const FIELDS: &str = r#"
{ "name": "at", "type": { "type": "long", "logicalType": "timestamp-micros" } },
{ "name": "account", "type": "string" },
{ "name": "amount", "type": { "type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2 } },
{ "name": "note", "type": ["null", "string"] }"#;

/// The start of [`MODEL`], in microseconds since the Unix epoch.
const START_US: i64 = 1_772_409_600_000_000;

/// More fields: as the model has them, and as the schema has them.
const WITH_ID: (&str, &str) =
    ("event_id = \"identity\"", ", { \"name\": \"event_id\", \"type\": \"string\" }");

/// [`MODEL`] with more in the stream's section, and more fields.
fn configured(stream: &str, more: (&str, &str)) -> Result<Configuration, Refused> {
    let directory = tempfile::tempdir().unwrap();
    let schema =
        format!(r#"{{ "type": "record", "name": "Event", "fields": [{FIELDS}{}] }}"#, more.1);
    std::fs::write(directory.path().join("Event.avsc"), schema).unwrap();
    let text = MODEL.replace("#stream", stream).replace("#fields", more.0);
    let (name, directory) = ("model.toml".to_owned(), PathBuf::from(directory.path()));
    let source = ModelSource::Text { name, directory, text };
    config::read(&source, &Overrides::default(), &|_| None)
}

fn plan_of(stream: &str, more: (&str, &str)) -> Arc<Plan> {
    let read = configured(stream, more).unwrap_or_else(|refused| panic!("{refused}"));
    let plan = Plan::compile(&read.model, &Inputs::default());
    Arc::new(plan.unwrap_or_else(|mistakes| panic!("{}", Refused::new(read.source, mistakes))))
}

/// The refusal, as a user reads it.
fn refusal(stream: &str, more: (&str, &str)) -> String {
    let read = match configured(stream, more) {
        Ok(read) => read,
        Err(refused) => return refused.render(false),
    };
    match Plan::compile(&read.model, &Inputs::default()) {
        Ok(_) => panic!("{stream} is accepted"),
        Err(mistakes) => Refused::new(read.source, mistakes).render(false),
    }
}

/// An event of its own, out of its batch.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Event {
    due_us: i64,
    key: Option<String>,
    headers: Vec<(String, Header)>,
    value: Vec<u8>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Header {
    Identity(u128),
    Text(String),
    IntendedTime,
}

impl Event {
    fn text(&self, name: &str) -> Option<&str> {
        self.headers.iter().find_map(|(known, header)| match header {
            Header::Text(text) if known == name => Some(text.as_str()),
            _ => None,
        })
    }
}

/// The first `count` events.
fn events(plan: &Arc<Plan>, count: u64) -> Vec<Event> {
    let options = Options { count: Some(count), ..Options::default() };
    let mut stream = EventStream::start(Arc::clone(plan), options).unwrap();
    let mut events = Vec::new();
    while let Some(batch) = stream.next_blocking() {
        let batch = batch.unwrap();
        for record in batch.records.iter() {
            let compiled = &plan.streams[usize::from(record.stream)].compiled;
            let shapes: Vec<Shape> = compiled.headers.iter().map(Shape::of).collect();
            let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
            let headers = read(&shapes, &batch.arena[record.header_range()]);
            let headers = headers.map(|(number, value)| {
                let value = match value {
                    Value::Identity(bytes) => {
                        Header::Identity(u128::from_be_bytes(bytes.try_into().unwrap()))
                    }
                    Value::Text(bytes) => Header::Text(text(bytes)),
                    Value::IntendedTime => Header::IntendedTime,
                    Value::Own(..) => panic!("a model's streams have headers of their own"),
                };
                (shapes[number].name.clone(), value)
            });
            events.push(Event {
                due_us: record.due_us,
                headers: headers.collect(),
                key: record.keyed.then(|| text(&batch.arena[record.key_range()])),
                value: batch.arena[record.value_range()].to_vec(),
            });
        }
    }
    assert_eq!(events.len() as u64, count);
    events
}

/// Who a UUID is, for whoever has the seed and the start.
fn opened(uuid: u128) -> Identity {
    let [low, high] = philox::key(7, "identity", &START_US.to_string());
    let cipher = Cipher::new(u64::from(high) << 32 | u64::from(low));
    cipher.open(uuid).unwrap()
}

fn uuid(text: &str) -> u128 {
    text.parse::<uuid::Uuid>().unwrap().as_u128()
}
