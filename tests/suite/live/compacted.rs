//! Changelogs in a real Kafka: compacted topics, tombstones, and the snapshot before the run.

use std::collections::BTreeMap;

use rdkafka::admin::{AdminClient, AdminOptions, ResourceSpecifier};
use rdkafka::client::DefaultClientContext;

use super::{Site, count};
use crate::brokers::topic;
use crate::cli::{assert_exit, json};

const MODEL: &str = r#"
seed  = 9
start = "2026-03-02T00:00:00Z"
lanes = 8
[traffic]
rate = "2/s"
[entities.card]
count = 300
lifetime = "10h"
changelog = { topic = { name = "live.compacted", partitions = 3 } }
[entities.card.attributes]
state = { choice = { active = 0.8, blocked = 0.2 }, changes = "90m" }
[streams.uses]
topic  = "live.compacted.uses"
schema = "Use.avsc"
[streams.uses.fields]
card = { entity = "card", format = "c-{:06}" }
"#;

const SCHEMA: &str = r#"{"type":"record","name":"Use","fields":[{"name":"card","type":"string"}]}"#;

fn policy(servers: &str, topic: &str) -> String {
    let admin: AdminClient<DefaultClientContext> =
        rdkafka::ClientConfig::new().set("bootstrap.servers", servers).create().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let resource = [ResourceSpecifier::Topic(topic)];
    let answer = runtime.block_on(admin.describe_configs(&resource, &AdminOptions::new())).unwrap();
    let resource = answer.into_iter().next().unwrap().unwrap();
    resource.get("cleanup.policy").unwrap().value.clone().unwrap()
}

#[test]
fn a_compacted_topic_has_each_member_before_the_first_event_and_a_tombstone_at_its_end() {
    let Some(site) = Site::shared() else { return };
    std::fs::write(site.path().join("cards.toml"), MODEL).unwrap();
    std::fs::write(site.path().join("Use.avsc"), SCHEMA).unwrap();
    let run = site.run("cards.toml --to kafka --create-topics --duration 16h --speed max");
    assert_exit(&run, 0);
    let result = json(&run);
    assert_eq!(policy(&site.servers, "live.compacted"), "compact");
    assert_eq!(count(&result["snapshot"], "issued"), 300);
    assert_eq!(count(&result["snapshot"], "delivered"), 300);
    let records = topic::read(&site.servers, "live.compacted");
    let changes = count(&result["streams"]["card"], "delivered");
    assert_eq!(records.len() as u64, 300 + changes, "{result}");
    let tombstones = records.iter().filter(|record| record.value.is_none()).count();
    assert!((470..=490).contains(&tombstones), "{tombstones}");
    let mut latest = BTreeMap::new();
    for record in &records {
        let key = record.key.clone().unwrap();
        match &record.value {
            Some(value) => _ = latest.insert(key, value.clone()),
            None => assert!(latest.remove(&key).is_some(), "{record:?} ends nobody"),
        }
    }
    assert_eq!(latest.len(), 300, "somebody is there in each place");
    let keys: Vec<String> = latest.into_keys().map(|key| String::from_utf8(key).unwrap()).collect();
    assert!(keys.iter().all(|key| key.starts_with("c-")), "{keys:?}");
}
