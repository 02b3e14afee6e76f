//! Faults on a real Pulsar, also where it deduplicates: a reader finds what the ledger says.

use std::collections::BTreeMap;

use super::Site;
use super::reader::{Message, read};
use crate::brokers::topic::Record;
use crate::cli::{SCHEMA, assert_exit, json};
use crate::live::injected::{FAULTS, MODEL, assert_found, found, reported};

/// A message as a record of Kafka would be.
fn record(message: &Message) -> Record {
    let partition = message.topic.rsplit('-').next().unwrap();
    Record {
        partition: partition.parse().unwrap(),
        offset: 0,
        timestamp_ms: 0,
        key: message.key.clone().map(String::into_bytes),
        value: Some(message.value.clone()).filter(|value| !value.is_empty()),
        headers: Vec::new(),
    }
}

#[test]
fn each_fault_is_found_where_duplicates_are_swallowed() {
    let Some(site) = Site::shared() else { return };
    site.server.make_namespace("injected", true);
    let write = |model: &str| std::fs::write(site.folder.path().join("model.toml"), model).unwrap();
    std::fs::write(site.folder.path().join("payment.avsc"), SCHEMA).unwrap();
    let run = |topic: &str| {
        let flags = format!(
            "model.toml -X namespace=injected --create-topics --speed max --duration 20s \
             --set streams.payments.topic.name={topic}"
        );
        let output = site.run(&flags);
        assert_exit(&output, 0);
        json(&output)
    };
    let records = |topic: &str| -> Vec<Record> {
        let name = format!("persistent://public/injected/{topic}");
        read(&site.server.service_url(), &name).iter().map(record).collect()
    };
    write(MODEL);
    let plain = run("clean");
    // A batch of more than 5 MiB is refused as a whole, which is for the broker to say.
    write(&format!("{MODEL}{FAULTS}").replace("3MiB", "6MiB"));
    let faulty = run("dirty");
    let (clean, dirty) = (records("clean"), records("dirty"));
    assert_eq!(faulty["streams"]["payments"]["delivered"], dirty.len());
    assert_eq!(faulty["streams"]["payments"]["already_there"], 0);
    assert_eq!(faulty["digest"], plain["digest"]);
    let told: BTreeMap<(String, String), u64> = reported(&faulty, "done");
    assert_eq!(faulty["failed"], told[&("huge".to_owned(), "oversized".to_owned())]);
    assert_eq!(
        records("run.faults").len() as u64,
        told.values().sum::<u64>(),
        "the ledger has what is reported"
    );
    assert_found(
        &found(&clean, &dirty, 0),
        &told,
        &[
            ("duplicate", &["twice", "again"]),
            ("later copies", &["again"]),
            ("behind", &["late", "swapped"]),
            ("corrupt", &["bits"]),
            ("truncate", &["cut"]),
            ("tombstone", &["gone"]),
            ("oversized", &["fat"]),
            ("wrong_key", &["stranger"]),
            ("hot_key", &["crowd"]),
        ],
    );
}
