//! What a reader finds in a topic.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use apache_avro::Schema;
use apache_avro::reader::datum::GenericDatumReader;
use apache_avro::types::Value;
use prost::Message as _;
use pulsar::message::proto::SingleMessageMetadata;
use uuid::Uuid;

use super::reader::{Message, read};
use super::{Site, small};
use crate::cli::{assert_exit, json};
use crate::live::arrival::digest;

/// The identity of an event of the small model, and its time in microseconds.
pub(super) fn identity_and_time(value: &[u8]) -> (Uuid, i64) {
    static SCHEMA: LazyLock<Schema> =
        LazyLock::new(|| Schema::parse_str(crate::cli::SCHEMA).unwrap());
    let reader = GenericDatumReader::builder(&SCHEMA).build().unwrap();
    let mut rest = value;
    let Value::Record(fields) = reader.read_value(&mut rest).unwrap() else { panic!("a record") };
    assert!(rest.is_empty());
    let Value::Uuid(id) = fields[0].1 else { panic!("{fields:?}") };
    let Value::TimestampMicros(at_us) = fields[1].1 else { panic!("{fields:?}") };
    (id, at_us)
}

/// The digest of messages, and the number of different identities; asserts each key's order.
fn sum(stream: &str, messages: &[Message]) -> (String, usize) {
    let mut sum = 0_u128;
    let mut identities = BTreeSet::new();
    let mut last_of_key: BTreeMap<&str, (&str, i64)> = BTreeMap::new();
    for message in messages {
        let key = message.key.as_deref().unwrap();
        sum = sum.wrapping_add(digest(stream, key.as_bytes(), &message.value));
        let (id, at_us) = identity_and_time(&message.value);
        identities.insert(id);
        assert_eq!(message.event_time_ms, u64::try_from(at_us / 1_000).unwrap());
        let place = (message.topic.as_str(), at_us);
        if let Some(before) = last_of_key.insert(key, place) {
            assert_eq!(before.0, place.0, "a key stays in its partition");
            assert!(before.1 <= place.1, "{key}: {at_us} stands after {}", before.1);
        }
    }
    (format!("{sum:032x}"), identities.len())
}

/// Asserts that a topic holds what a report says, each event once and in the order of its key.
pub(super) fn assert_all_once(result: &serde_json::Value, messages: &[Message]) {
    let (digest, identities) = sum("payments", messages);
    let issued = result["issued"].as_u64().unwrap();
    assert_eq!((messages.len() as u64, identities as u64), (issued, issued));
    assert_eq!(result["digest"], digest.as_str());
}

#[test]
fn a_topic_holds_what_the_report_says_once_and_in_order() {
    let Some(site) = Site::shared() else { return };
    let flags = format!("{} --create-topics --count 20000 --speed max", small("arrival"));
    let output = site.run(&flags);
    assert_exit(&output, 0);
    let result = json(&output);
    assert_eq!((&result["issued"], &result["delivered"]), (&20_000.into(), &20_000.into()));
    let messages = read(&site.server.service_url(), "persistent://public/default/arrival");
    assert_all_once(&result, &messages);
    let topics: BTreeSet<&str> = messages.iter().map(|message| message.topic.as_str()).collect();
    assert_eq!(topics.len(), 3, "{topics:?}");
}

#[test]
fn batches_of_one_key_hold_one_key_each_and_every_event() {
    let Some(site) = Site::shared() else { return };
    let few = "--set entities.account.activity.mean=2000000/day";
    let flags = "--create-topics --count 20000 --speed max -X batcherBuilder=key";
    let output = site.run(&format!("{} {few} {flags}", small("by.key")));
    assert_exit(&output, 0);
    let messages = read(&site.server.service_url(), "persistent://public/default/by.key");
    assert_all_once(&json(&output), &messages);
    let mut keys: BTreeMap<(&str, u64, u64), BTreeSet<&str>> = BTreeMap::new();
    for message in &messages {
        let (ledger, entry, _) = message.place;
        let batch = keys.entry((&message.topic, ledger, entry)).or_default();
        batch.insert(message.key.as_deref().unwrap());
    }
    assert!(keys.values().all(|keys| keys.len() == 1));
    assert!(keys.len() < messages.len() / 2, "{} batches", keys.len());
}

#[test]
fn compressed_batches_are_read_by_another_client() {
    let Some(site) = Site::shared() else { return };
    // Snappy is not here: this client reads it with frames, Pulsar's own without.
    for kind in ["LZ4", "ZLIB", "ZSTD"] {
        let topic = format!("packed.{kind}");
        let flags = format!("--create-topics --count 5000 --speed max -X compressionType={kind}");
        let output = site.run(&format!("{} {flags}", small(&topic)));
        assert_exit(&output, 0);
        let name = format!("persistent://public/default/{topic}");
        assert_all_once(&json(&output), &read(&site.server.service_url(), &name));
    }
}

#[test]
fn the_broker_itself_reads_what_was_compressed_by_snappy() {
    let Some(site) = Site::shared() else { return };
    let path = "/admin/v2/persistent/public/default/packed.snappy";
    site.server.must("PUT", path, "");
    let flags = "--count 3000 --speed max -X compressionType=SNAPPY";
    let output = site.run(&format!("{} {flags}", small("packed.snappy")));
    assert_exit(&output, 0);
    let mut seen = BTreeSet::new();
    for entry in 1.. {
        // Entry by entry, decompressed: messages with their metadata, one after the other.
        let path =
            format!("{path}/examinemessage?initialPosition=earliest&messagePosition={entry}");
        let (status, batch) = site.server.answer("GET", &path, "").unwrap();
        if status != 200 {
            break;
        }
        let mut rest = batch.as_slice();
        let before = seen.len();
        while let Some((length, after)) = rest.split_first_chunk() {
            let (metadata, after) = after.split_at(u32::from_be_bytes(*length) as usize);
            let metadata = SingleMessageMetadata::decode(metadata).unwrap();
            let (value, after) = after.split_at(usize::try_from(metadata.payload_size).unwrap());
            seen.insert(identity_and_time(value));
            rest = after;
        }
        if seen.len() == before {
            break;
        }
    }
    assert_eq!(seen.len(), 3_000);
}
