//! Pulsar's topics, recorded and sent again: to Pulsar, and to Kafka.

use serde_json::Value as Json;

use super::{Site, count};
use crate::brokers::{self, topic};

/// What a recording in lines of JSON says, in the order of partitions, without where it lay and when.
fn told(site: &Site, folder: &str) -> Vec<(Json, Json, Json, Json)> {
    let text = std::fs::read_to_string(site.path().join(folder).join("recording-000001.jsonl"));
    let text = text.unwrap();
    let lines = text.lines().map(|line| serde_json::from_str::<Json>(line).unwrap());
    let mut told: Vec<_> = lines
        .map(|line| {
            let field = |name: &str| line[name].clone();
            (field("partition"), field("key"), field("headers"), field("value"))
        })
        .collect();
    told.sort_by_key(|(partition, ..)| partition.as_u64());
    told
}

#[test]
fn what_pulsar_held_goes_to_pulsar_and_to_kafka() {
    let Some(site) = Site::shared() else { return };
    let Some(server) = brokers::pulsar() else { return };
    let url = server.service_url();
    let pulsar = format!("pulsar -X serviceUrl={url} -X webServiceUrl={}", server.web_url());
    let sent = site.told(&format!(
        "run payments --to {pulsar} --create-topics --manifest none --streams authorisations --duration 5s \
         --start 2026-03-02T09:00:00Z --speed max --set streams.authorisations.topic.name=recorded-from"
    ));
    let from = format!("{url}/recorded-from");
    let recorded = site.told(&format!("record {from} --to one --format jsonl"));
    assert_eq!(count(&recorded, "records"), count(&sent, "delivered"));
    site.told(&format!("record {from} --to raw"));
    // A topic of as many partitions: it is made by who sends a model to it.
    site.told(&format!(
        "run payments --to {pulsar} --create-topics --manifest none --streams authorisations --count 1 \
         --start 2026-03-02T09:00:00Z --speed max -X schema=registry --registry REGISTRY \
         --set streams.authorisations.topic.name=recorded-to"
    ));
    let again = site
        .told(&format!("replay raw --to {pulsar} --topic recorded-from=recorded-to --speed max"));
    assert_eq!(count(&again, "delivered"), count(&sent, "delivered"));
    site.told(&format!("record {url}/recorded-to --to two --format jsonl"));
    let (before, mut after) = (told(&site, "one"), told(&site, "two"));
    // But for the one that made the topic, all are there, each partition in its order.
    after.retain(|line| before.contains(line));
    assert_eq!(before, after);
    topic::create(&site.servers, "recorded.from.pulsar", 4, &[]);
    site.told(&format!(
        "replay {from} --to kafka -X bootstrap.servers=KAFKA --topic recorded-from=recorded.from.pulsar --speed max"
    ));
    let records = topic::read(&site.servers, "recorded.from.pulsar");
    assert_eq!(records.len() as u64, count(&sent, "delivered"));
}
