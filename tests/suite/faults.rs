//! Faults: who they are done to, what is sent instead, and that nothing else changes.

#![expect(clippy::panic, reason = "what fails here fails the test")]

mod changed;
mod drawn;
mod messages;
mod moved;
mod told;

use std::ops::Range;
use std::sync::Arc;

use tidegate::config::{self, ModelSource, Overrides, Refused};
use tidegate::plan::{Inputs, Plan};
use tidegate::stream::faults::{Deed, Faulted};
use tidegate::stream::{Options, Route, SchemaIds, Who};

const SECOND_US: u64 = 1_000_000;

const SCHEMA: &str = r#"{ "type": "record", "name": "Payment", "namespace": "test", "fields": [
  { "name": "id", "type": { "type": "string", "logicalType": "uuid" } },
  { "name": "at", "type": { "type": "long", "logicalType": "timestamp-micros" } },
  { "name": "account", "type": "string" },
  { "name": "amount", "type": "long" } ] }"#;

/// Two streams, of which the second follows the first.
const MODEL: &str = r#"
seed  = 7
start = "2026-03-02T00:00:00Z"

[traffic]
rate = "400/s"
scenario = { phases = { calm = { until = "20s" }, storm = { from = "20s", until = "30s", rate = 2 } } }

[entities.account]
count = 500
activity = { spread = "gamma" }

[streams.payments]
topic  = { name = "test.payments", partitions = 4 }
schema = "payment.avsc"
key    = "account"

[streams.payments.fields]
id      = "identity"
at      = "event_time"
account = { entity = "account", format = "acct-{:010}" }
amount  = { uniform = [1, 1000000] }

[streams.refunds]
follows = "payments"
probability = 0.2
delay = { exponential = { mean = "2s" } }
topic  = { name = "test.refunds", partitions = 4 }
schema = "payment.avsc"
key    = "account"

[streams.refunds.fields]
id      = "identity"
at      = "event_time"
account = { attribute = "payments.account" }
amount  = { attribute = "payments.amount" }
"#;

/// The model with some faults.
fn read(faults: &str) -> Result<Arc<Plan>, Refused> {
    read_text(format!("{MODEL}\n{faults}"))
}

fn read_text(text: String) -> Result<Arc<Plan>, Refused> {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("payment.avsc"), SCHEMA).unwrap();
    let directory = folder.path().to_path_buf();
    let source = ModelSource::Text { name: "model.toml".to_owned(), directory, text };
    let read = config::read(&source, &Overrides::default(), &|_| None)?;
    let plan = Plan::compile(&read.model, &Inputs::default());
    plan.map(Arc::new).map_err(|mistakes| Refused::new(read.source, mistakes))
}

fn plan(faults: &str) -> Arc<Plan> {
    read(faults).unwrap_or_else(|refused| panic!("{}\nin {faults}", refused.render(false)))
}

/// Streams with four partitions and schemas in a registry.
fn options(window_us: Range<u64>) -> Options {
    let ids = SchemaIds { value: Some(3), key: None };
    let route = Route { ids, partitions: Some(4), ..Route::default() };
    Options { window_us, routes: vec![route; 3], ..Options::default() }
}

/// A record of its own, out of its batch.
#[derive(Clone, Debug, PartialEq)]
struct Record {
    due_us: i64,
    stream: u16,
    partition: i32,
    key: Option<Vec<u8>>,
    value: Option<Vec<u8>>,
    who: Who,
}

/// What was sent, and what was done; places of records are left out, as they count from their batch.
#[derive(Clone, Debug, Default, PartialEq)]
struct All {
    records: Vec<Record>,
    deeds: Vec<Deed>,
}

fn sent(plan: &Arc<Plan>, options: Options) -> All {
    let mut faulted = Faulted::start(Arc::clone(plan), options).unwrap();
    let mut all = All::default();
    while let Some(sent) = faulted.next_sent() {
        let sent = sent.unwrap();
        let arena = &sent.batch.arena;
        assert_eq!(sent.batch.records.len(), sent.batch.who.len());
        let before = all.records.len();
        all.records.extend(sent.batch.records.iter().zip(&sent.batch.who).map(|(record, who)| {
            assert!(sent.batch.window_us.contains(&record.due_us));
            Record {
                due_us: record.due_us,
                stream: record.stream,
                partition: record.partition,
                key: record.keyed.then(|| arena[record.key_range()].to_vec()),
                value: (!record.tombstone).then(|| arena[record.value_range()].to_vec()),
                who: *who,
            }
        }));
        for mut deed in sent.deeds {
            let made = deed.record.take().map(|place| &all.records[before + place]);
            assert_eq!(made.is_some(), deed.sent);
            if let Some(made) = made {
                assert_eq!((made.who, made.due_us), (deed.who, deed.shows_us));
            }
            if let Some(entry) = deed.entry.take() {
                assert_eq!(all.records[before + entry].due_us, deed.shows_us);
            }
            all.deeds.push(deed);
        }
    }
    all
}

impl All {
    /// The records of the streams of the model, without the ledger's.
    fn events(&self) -> impl Iterator<Item = &Record> {
        self.records.iter().filter(|record| record.stream < 2)
    }

    /// The entries of the ledger.
    fn entries(&self) -> impl Iterator<Item = &Record> {
        self.records.iter().filter(|record| record.stream == 2)
    }
}
