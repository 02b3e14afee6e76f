//! Faults on a real Kafka: a reader who compares two topics finds just what the ledger says.

use std::collections::{BTreeMap, BTreeSet};

use apache_avro::reader::datum::GenericDatumReader;
use apache_avro::types::Value;
use serde_json::Value as Json;

use super::arrival::schema;
use super::{Site, count};
use crate::brokers::topic::{self, Record};
use crate::cli::{assert_exit, json};

/// Few accounts, so that keys come again.
pub(crate) const MODEL: &str = r#"
seed  = 7
start = "2026-03-02T00:00:00Z"

[traffic]
rate = "1000/s"

[entities.account]
count = 400
activity = { spread = "gamma" }

[streams.payments]
topic  = { name = "test.payments", partitions = 3 }
schema = "payment.avsc"
key    = "account"

[streams.payments.fields]
id      = "identity"
at      = "event_time"
account = { entity = "account", format = "acct-{:010}" }
amount  = { lognormal = { median = 2200, sigma = 1.3 }, min = 1, max = 1000000 }
word    = { choice = { present = 0.8, online = 0.2 } }
"#;

pub(crate) const FAULTS: &str = r#"
[faults.lossy]
kind = "drop"
share = 0.02
[faults.twice]
kind = "duplicate"
share = 0.02
[faults.again]
kind = "duplicate"
share = 0.02
delay = { uniform = ["1s", "5s"] }
[faults.late]
kind = "late"
share = 0.02
delay = { lognormal = { median = "2s", sigma = 0.5 }, min = "1s", max = "10s" }
[faults.swapped]
kind = "reorder"
share = 0.02
[faults.bits]
kind = "corrupt"
share = 0.02
bytes = 2
[faults.cut]
kind = "truncate"
share = 0.02
[faults.unknown]
kind = "unknown_schema"
share = 0.02
[faults.magic]
kind = "wrong_magic"
share = 0.02
[faults.gone]
kind = "tombstone"
share = 0.02
[faults.fat]
kind = "oversized"
share = 0.01
bytes = 2000
[faults.huge]
kind = "oversized"
share = 0.0005
bytes = "3MiB"
[faults.stranger]
kind = "wrong_key"
share = 0.02
[faults.crowd]
kind = "hot_key"
share = 0.02
key = "acct-hot"
[faults.hole]
kind = "silent_partition"
partition = 1
from = "5s"
until = "8s"
then = "drop"
"#;

/// What was found, or told: how often, by kind.
pub(crate) type Counts = BTreeMap<String, u64>;

fn run(site: &Site, topic: &str, ledger: &str) -> Json {
    let flags = format!(
        "model.toml --to kafka --create-topics --set streams.payments.topic.name={topic} \
         --set ledger={ledger} --duration 20s --speed max"
    );
    let output = site.run(&flags);
    assert_exit(&output, 0);
    json(&output)
}

fn write(site: &Site, model: &str) {
    std::fs::write(site.path().join("model.toml"), model).unwrap();
}

/// Counts by kind what differs between the records of a topic and those of one without faults, whose
/// values have so many bytes before the datum.
pub(crate) fn found(clean: &[Record], dirty: &[Record], framing: usize) -> Counts {
    let value = |record: &Record| record.value.clone().unwrap();
    let known: BTreeMap<Vec<u8>, &Record> =
        clean.iter().map(|record| (value(record), record)).collect();
    assert_eq!(known.len(), clean.len(), "values are unlike each other");
    let mut counts = Counts::new();
    let mut seen: BTreeSet<&[u8]> = BTreeSet::new();
    let mut latest: BTreeMap<i32, i64> = BTreeMap::new();
    let (mut behind, mut later_copies, mut replaced) = (0, 0, 0);
    for record in dirty {
        let Some(value) = &record.value else {
            *counts.entry("tombstone".into()).or_default() += 1;
            replaced += 1;
            continue;
        };
        let Some((same, original)) = known.get_key_value(value) else {
            *counts.entry(difference(&known, value, framing).to_owned()).or_default() += 1;
            replaced += 1;
            continue;
        };
        let latest = latest.entry(record.partition).or_insert(i64::MIN);
        let is_behind = time_us(&value[framing..]) < *latest;
        *latest = time_us(&value[framing..]).max(*latest);
        if !seen.insert(same) {
            *counts.entry("duplicate".into()).or_default() += 1;
            later_copies += u64::from(is_behind);
        } else if is_behind {
            behind += 1;
        } else if record.key != original.key {
            let is_hot = record.key.as_deref() == Some(b"acct-hot");
            let kind = if is_hot { "hot_key" } else { "wrong_key" };
            *counts.entry(kind.into()).or_default() += 1;
        }
    }
    counts.insert("behind".into(), behind);
    counts.insert("later copies".into(), later_copies);
    counts.insert("missing".into(), (known.len() - seen.len()) as u64 - replaced);
    counts
}

/// In what a value differs from all that are known.
fn difference(known: &BTreeMap<Vec<u8>, &Record>, value: &[u8], framing: usize) -> &'static str {
    let any = known.keys().next().unwrap();
    let plain = || [&any[..framing], &value[framing..]].concat();
    let is_begin = |begin: &[u8]| {
        let next = known.range(begin.to_vec()..).next();
        next.is_some_and(|(next, _)| next.starts_with(begin))
    };
    if value.len() == 2_000 {
        let before = known.range(..value.to_vec()).next_back().unwrap().0;
        assert!(value.starts_with(before), "an oversized value has its own before the rest");
        "oversized"
    } else if framing > 0 && value[0] != 0 {
        assert!(known.contains_key(&plain()));
        "wrong_magic"
    } else if value[..framing] != any[..framing] {
        assert!(known.contains_key(&plain()));
        "unknown_schema"
    } else if is_begin(value) {
        "truncate"
    } else {
        "corrupt"
    }
}

/// The event time, which stands behind a UUID as text.
fn time_us(datum: &[u8]) -> i64 {
    let mut word = 0_u64;
    for (place, byte) in datum[1 + 36..].iter().enumerate() {
        word |= u64::from(byte & 0x7f) << (7 * place);
        if *byte < 0x80 {
            break;
        }
    }
    (word >> 1).cast_signed() ^ -(word & 1).cast_signed()
}

/// What the ledger says, by fault and kind.
fn told(site: &Site, ledger: &str) -> BTreeMap<(String, String), u64> {
    let mut counts = BTreeMap::new();
    let mut schemas = BTreeMap::new();
    let mut entries = BTreeSet::new();
    topic::for_each(&site.servers, ledger, |record| {
        let value = record.value.unwrap();
        let id = u32::from_be_bytes(value[1..5].try_into().unwrap());
        let schema = schemas.entry(id).or_insert_with(|| schema(&site.registry, id));
        let reader = GenericDatumReader::builder(schema).build().unwrap();
        let Value::Record(fields) = reader.read_value(&mut &value[5..]).unwrap() else { panic!() };
        let text = |name: &str| match &fields.iter().find(|(own, _)| own == name).unwrap().1 {
            Value::String(text) => text.clone(),
            Value::Uuid(uuid) => uuid.to_string(),
            other => panic!("{name} is {other:?}"),
        };
        assert!(entries.insert(text("event_id")), "an entry is there twice");
        assert_eq!(record.key.as_deref(), Some(text("fault").as_bytes()));
        *counts.entry((text("fault"), text("kind"))).or_default() += 1;
    });
    counts
}

/// Asserts that what is found is what is told, by the names of the faults.
pub(crate) fn assert_found(
    found: &Counts,
    told: &BTreeMap<(String, String), u64>,
    kinds: &[(&str, &[&str])],
) {
    for (kind, faults) in kinds {
        let of_it = told.iter().filter(|((name, _), _)| faults.contains(&name.as_str()));
        let expected: u64 = of_it.map(|(_, count)| count).sum();
        assert!(expected > 100, "{kind}: {expected}");
        assert_eq!(found[*kind], expected, "{kind}: {found:?} and {told:?}");
    }
}

#[test]
fn each_fault_is_found_as_often_as_the_ledger_says() {
    let Some(site) = Site::shared() else { return };
    std::fs::write(site.path().join("payment.avsc"), crate::cli::SCHEMA).unwrap();
    write(&site, MODEL);
    let plain = run(&site, "live.faults.clean", "live.faults.none");
    assert!(plain.get("faults").is_none(), "{plain}");
    write(&site, &format!("{MODEL}{FAULTS}"));
    let faulty = run(&site, "live.faults.dirty", "live.faults.ledger");
    let told = told(&site, "live.faults.ledger");
    let of = |fault: &str| -> u64 {
        told.iter().filter(|((name, _), _)| name == fault).map(|(_, count)| count).sum()
    };
    let clean = topic::read(&site.servers, "live.faults.clean");
    let dirty = topic::read(&site.servers, "live.faults.dirty");
    let found = found(&clean, &dirty, 5);
    assert_found(
        &found,
        &told,
        &[
            ("duplicate", &["twice", "again"]),
            ("later copies", &["again"]),
            ("behind", &["late", "swapped"]),
            ("corrupt", &["bits"]),
            ("truncate", &["cut"]),
            ("unknown_schema", &["unknown"]),
            ("wrong_magic", &["magic"]),
            ("tombstone", &["gone"]),
            ("oversized", &["fat"]),
            ("wrong_key", &["stranger"]),
            ("hot_key", &["crowd"]),
        ],
    );
    // What is missing was dropped, was too large, was kept silent, or would come after the end.
    let pending = reported(&faulty, "pending");
    let later = |fault: &str| pending.iter().find(|((name, _), _)| name == fault).map(|it| it.1);
    let later = later("late").unwrap() + later("swapped").unwrap_or(&0);
    assert!(later > 0 && of("hole") > 500 && of("huge") > 2);
    assert_eq!(found["missing"], of("lossy") + of("hole") + of("huge") + later);
    // The report says the same.
    assert_eq!(reported(&faulty, "done"), told);
    assert_eq!(count(&faulty, "failed"), of("huge"));
    assert_eq!(faulty["digest"], plain["digest"]);
    let of_stream = |name: &str| faulty["streams"]["payments"][name].as_u64().unwrap();
    assert_eq!(of_stream("delivered"), dirty.len() as u64);
    assert_eq!(of_stream("issued"), of_stream("delivered") + of("huge"));
}

/// What a report says of faults, by fault and kind.
pub(crate) fn reported(report: &Json, what: &str) -> BTreeMap<(String, String), u64> {
    let all = report["faults"][what].as_array().unwrap().iter();
    all.map(|it| {
        let text = |name: &str| it[name].as_str().unwrap().to_owned();
        ((text("fault"), text("kind")), it["events"].as_u64().unwrap())
    })
    .collect()
}
