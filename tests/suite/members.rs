//! Members over time: attributes that change, members that end and others in their places.

mod changelog;
mod roll_call;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use serde_json::Value;
use tidegate::config::{self, Configuration, ModelSource, Overrides, Refused};
use tidegate::encode::json::Reader;
use tidegate::generate::philox;
use tidegate::plan::rota::Rota;
use tidegate::plan::{Inputs, Plan};
use tidegate::stream::{EventStream, Options};

pub(crate) const HOUR_US: u64 = 3_600_000_000;

pub(crate) const SCHEMA: &str = r#"{"type":"record","name":"Use","fields":[
    {"name":"at","type":"long"},
    {"name":"place","type":"string"},
    {"name":"card","type":"string"},
    {"name":"token","type":"string"},
    {"name":"pin","type":"long"},
    {"name":"limit","type":"long"},
    {"name":"twice","type":"long"}]}"#;

const MODEL: &str = r#"
seed  = 5
start = "2026-03-02T00:00:00Z"
lanes = 8
[traffic]
rate = "1/s"
[entities.account]
[entities.card]
count = 3000
belongs_to = { entity = "account", each = { 1 = 0.7, 2 = 0.3 } }
lifetime = "10h"
[entities.card.attributes]
limit = { uniform = [0, 4000000000], changes = "3h" }
pin   = { uniform = [0, 4000000000] }
twice = { expression = "limit * 2" }
[streams.uses]
topic  = "uses"
schema = "Use.avsc"
[streams.uses.let]
card_of = { entity = "card", of = "account" }
[streams.uses.fields]
at    = "event_time"
place = { attribute = "account" }
card  = { attribute = "card_of" }
token = { token = "hex", length = 12, of = "card_of" }
pin   = { attribute = "card_of.pin" }
limit = { attribute = "card_of.limit" }
twice = { attribute = "card_of.twice" }
"#;

/// A model read with these schemas beside it.
pub(crate) fn read(text: &str, schemas: &[(&str, &str)]) -> Result<Configuration, Refused> {
    let directory = tempfile::tempdir().unwrap();
    for (name, schema) in schemas {
        std::fs::write(directory.path().join(name), schema).unwrap();
    }
    let directory = PathBuf::from(directory.path());
    let source =
        ModelSource::Text { name: "model.toml".to_owned(), directory, text: text.to_owned() };
    config::read(&source, &Overrides::default(), &|_| None)
}

pub(crate) fn refusal(text: &str) -> String {
    read(text, &[("Use.avsc", SCHEMA)]).unwrap_err().render(false)
}

fn compile(configuration: &Configuration) -> Arc<Plan> {
    Arc::new(Plan::compile(&configuration.model, &Inputs::default()).unwrap())
}

/// All values of a window, by the number of the stream.
pub(crate) fn rows(plan: &Arc<Plan>, options: Options) -> Vec<(usize, Value)> {
    let readers: Vec<Reader<'_>> =
        plan.streams.iter().map(|stream| Reader::new(&stream.schema).unwrap()).collect();
    let mut stream = EventStream::start(Arc::clone(plan), options).unwrap();
    let mut rows = Vec::new();
    while let Some(batch) = stream.next_blocking() {
        let batch = batch.unwrap();
        for record in batch.records.iter() {
            let number = usize::from(record.stream);
            let text =
                readers[number].read(&batch.arena[record.value_range()]).unwrap().to_string();
            rows.push((number, serde_json::from_str(&text).unwrap()));
        }
    }
    rows
}

fn window(window_us: Range<u64>) -> Options {
    Options { window_us, ..Options::default() }
}

fn number(row: &Value, field: &str) -> u64 {
    let value = &row[field];
    value.as_u64().unwrap_or_else(|| value.as_str().unwrap().parse().unwrap())
}

#[test]
fn an_attribute_is_drawn_anew_once_in_a_period_and_another_card_takes_the_place_of_one_that_ends() {
    let plan = compile(&read(MODEL, &[("Use.avsc", SCHEMA)]).unwrap());
    let rows = rows(&plan, window(0..30 * HOUR_US));
    assert!(rows.len() > 100_000, "{}", rows.len());
    let sizes = [375; 8];
    let lifetime = Rota::new(&sizes, 10 * HOUR_US, philox::key(5, "lifetime", "card"));
    let changes = Rota::new(&sizes, 3 * HOUR_US, philox::key(5, "changes", "card.limit"));
    let mut cards: BTreeMap<u64, (u64, String)> = BTreeMap::new();
    let mut limits = BTreeMap::new();
    let mut generations = BTreeSet::new();
    for (_, row) in &rows {
        let card = number(row, "card");
        let place = u32::try_from(card % 3_000).unwrap();
        let generation = lifetime.version(place, at(row));
        assert_eq!(card / 3_000, u64::from(generation), "{row}");
        let version = changes.version(place, at(row));
        let drawn = (number(row, "pin"), row["token"].as_str().unwrap().to_owned());
        assert_eq!(cards.entry(card).or_insert_with(|| drawn.clone()), &drawn, "{row}");
        let limit = number(row, "limit");
        assert_eq!(*limits.entry((card, version)).or_insert(limit), limit, "{row}");
        assert_eq!(number(row, "twice"), 2 * limit, "{row}");
        generations.insert(generation);
    }
    assert_eq!(generations.into_iter().collect::<Vec<_>>(), [0, 1, 2, 3]);
    let distinct = |values: usize, all: usize| assert!(values + 5 > all, "{values} of {all}");
    distinct(cards.values().map(|(pin, _)| pin).collect::<BTreeSet<_>>().len(), cards.len());
    let tokens: BTreeSet<&String> = cards.values().map(|(_, token)| token).collect();
    assert_eq!(tokens.len(), cards.len(), "no two cards share a token");
    distinct(limits.values().collect::<BTreeSet<_>>().len(), limits.len());
}

fn at(row: &Value) -> u64 {
    number(row, "at") - 1_772_409_600_000_000
}

#[test]
fn what_changes_is_refused_where_it_cannot() {
    let said = refusal(&MODEL.replace("changes = \"3h\"", "changes = \"3ms\""));
    assert!(said.contains("must be from 1 s to 285 years"), "{said}");
    let said = refusal(&MODEL.replace("lifetime = \"10h\"", "lifetime = \"10\""));
    assert!(said.contains("`10` is not a duration"), "{said}");
    let said =
        refusal(&MODEL.replace("pin   = { attribute", "pin   = { changes = \"1d\", attribute"));
    assert!(said.contains("only attributes of entities change with time"), "{said}");
    let dealt =
        "site = { choice = [\"a\", \"b\"], dealt = true, changes = \"1d\" }\npin   = { uniform";
    let said = refusal(&MODEL.replace("pin   = { uniform", dealt));
    assert!(said.contains("an attribute that is dealt out cannot change"), "{said}");
}
