//! Kafka's topics, recorded and sent again.

use std::collections::BTreeMap;

use super::{Site, count};
use crate::brokers::topic::{self, Record};

/// What must come back: everything but where and when.
type Told = (Option<Vec<u8>>, Option<Vec<u8>>, Vec<(String, Option<Vec<u8>>)>);

fn told(record: Record) -> (i32, Told) {
    (record.partition, (record.key, record.value, record.headers))
}

/// The records of a topic by partition, in their order.
fn by_partition(servers: &str, name: &str) -> BTreeMap<i32, Vec<Told>> {
    let mut all: BTreeMap<i32, Vec<Told>> = BTreeMap::new();
    for (partition, record) in topic::read(servers, name).into_iter().map(told) {
        all.entry(partition).or_default().push(record);
    }
    all
}

#[test]
fn what_was_recorded_comes_back_as_it_was() {
    let Some(site) = Site::shared() else { return };
    let sent = site.payments("recorded.whole", "1m");
    let from = "kafka://KAFKA/recorded.whole.authorisations,recorded.whole.clearings";
    let recorded = site.told(&format!("record {from} --to whole --source-registry REGISTRY"));
    assert_eq!(count(&recorded, "records"), count(&sent, "delivered"));
    let names = ["authorisations", "clearings"];
    for name in names {
        topic::create(&site.servers, &format!("recorded.again.{name}"), 12, &[]);
    }
    let renamed = names.map(|name| format!("--topic recorded.whole.{name}=recorded.again.{name} "));
    let again = site.told(&format!(
        "replay whole --to kafka -X bootstrap.servers=KAFKA --speed max {}",
        renamed.concat()
    ));
    assert_eq!(count(&again, "delivered"), count(&sent, "delivered"));
    assert_eq!(again["damaged"], serde_json::json!([]));
    for name in names {
        let before = by_partition(&site.servers, &format!("recorded.whole.{name}"));
        let after = by_partition(&site.servers, &format!("recorded.again.{name}"));
        assert!(before.values().map(Vec::len).sum::<usize>() > 100, "{name}");
        assert_eq!(before, after, "{name}");
    }
}

#[test]
fn another_registry_has_other_ids_for_the_same_schemas() {
    let Some(site) = Site::shared() else { return };
    let sent = site.payments("recorded.ids", "10s");
    let from = "kafka://KAFKA/recorded.ids.authorisations";
    site.told(&format!("record {from} --to ids --source-registry REGISTRY"));
    let registry = tidegate::embedded::Registry::start().unwrap();
    let topic_name = "recorded.ids.mapped";
    topic::create(&site.servers, topic_name, 3, &[]);
    // So that the ids are others for certain.
    for number in 0..40 {
        let schema = format!(r#"{{"type":"fixed","name":"Filler{number}","size":1}}"#);
        register(registry.url(), &format!("filler{number}"), &schema);
    }
    let again = site.told(&format!(
        "replay ids --to kafka -X bootstrap.servers=KAFKA --registry {} --topic recorded.ids.authorisations={topic_name} \
         --speed max",
        registry.url()
    ));
    assert_eq!(count(&again, "delivered"), count(&sent["streams"]["authorisations"], "delivered"));
    let before = topic::read(&site.servers, "recorded.ids.authorisations");
    let after = topic::read(&site.servers, topic_name);
    let id = |record: &Record| {
        let value = record.value.as_deref().unwrap();
        assert_eq!(value[0], 0);
        u32::from_be_bytes(value[1..5].try_into().unwrap())
    };
    let ids = [id(&before[0]), id(&after[0])];
    assert_ne!(ids[0], ids[1]);
    let schemas = [schema(&site.registry, ids[0]), schema(registry.url(), ids[1])];
    assert_eq!(schemas[0], schemas[1]);
    let datums = |records: &[Record], id_: u32| {
        let mut datums: Vec<(Option<Vec<u8>>, Vec<u8>)> = records
            .iter()
            .map(|record| {
                assert_eq!(id(record), id_);
                (record.key.clone(), record.value.as_deref().unwrap()[5..].to_vec())
            })
            .collect();
        datums.sort();
        datums
    };
    assert_eq!(datums(&before, ids[0]), datums(&after, ids[1]));
    // The topic itself, sent again as it is, asks the source's registry.
    let third = "recorded.ids.third";
    topic::create(&site.servers, third, 3, &[]);
    site.told(&format!(
        "replay {from} --to kafka -X bootstrap.servers=KAFKA --source-registry REGISTRY --registry {} \
         --topic recorded.ids.authorisations={third} --speed max",
        registry.url()
    ));
    assert_eq!(datums(&topic::read(&site.servers, third), ids[1]), datums(&after, ids[1]));
}

fn register(registry: &str, subject: &str, schema: &str) {
    let body = serde_json::json!({ "schema": schema }).to_string();
    let url = format!("{registry}/subjects/{subject}/versions");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let sent = reqwest::Client::new().post(url).body(body).send().await.unwrap();
        sent.error_for_status().unwrap();
    });
}

fn schema(registry: &str, id: u32) -> serde_json::Value {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let text = runtime.block_on(async {
        let answer = reqwest::get(format!("{registry}/schemas/ids/{id}")).await.unwrap();
        answer.error_for_status().unwrap().text().await.unwrap()
    });
    let answer: serde_json::Value = serde_json::from_str(&text).unwrap();
    serde_json::from_str(answer["schema"].as_str().unwrap()).unwrap()
}

#[test]
fn lines_of_json_come_back_as_the_same_bytes() {
    let Some(site) = Site::shared() else { return };
    site.payments("recorded.lines", "5s");
    let from = "kafka://KAFKA/recorded.lines.authorisations,recorded.lines.clearings";
    site.told(&format!("record {from} --to lines --format jsonl --source-registry REGISTRY"));
    let text = std::fs::read_to_string(site.path().join("lines/recording-000001.jsonl")).unwrap();
    let first: serde_json::Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
    assert!(first["value"].is_object() && first["schema"].is_u64(), "{first}");
    let again = "recorded.lines.again";
    topic::create(&site.servers, again, 12, &[]);
    topic::create(&site.servers, "recorded.lines.other", 12, &[]);
    site.told(&format!(
        "replay lines --to kafka -X bootstrap.servers=KAFKA --topic recorded.lines.authorisations={again} \
         --topic recorded.lines.clearings=recorded.lines.other --speed max"
    ));
    let before = by_partition(&site.servers, "recorded.lines.authorisations");
    assert_eq!(before, by_partition(&site.servers, again));
}

#[test]
fn headers_tombstones_and_records_without_a_key_come_back_too() {
    use rdkafka::message::{Header, OwnedHeaders};
    use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};

    let Some(site) = Site::shared() else { return };
    let names = ["recorded.odd", "recorded.odd.again"];
    for name in names {
        topic::create(&site.servers, name, 2, &[]);
    }
    let producer: BaseProducer =
        rdkafka::ClientConfig::new().set("bootstrap.servers", &site.servers).create().unwrap();
    let headers = OwnedHeaders::new()
        .insert(Header { key: "trace", value: Some(&[0_u8, 255, 7]) })
        .insert(Header { key: "none", value: None::<&[u8]> })
        .insert(Header { key: "trace", value: Some(&[]) });
    let record = || BaseRecord::<[u8], [u8]>::to(names[0]);
    producer.send(record().key(b"k").payload(b"v").headers(headers)).unwrap();
    producer.send(record().key(b"k").partition(0)).unwrap();
    producer.send(record().payload(b"").partition(1)).unwrap();
    producer.send(record().key(b"").payload(&[0, 0, 0, 0, 1, 2]).partition(1)).unwrap();
    producer.flush(std::time::Duration::from_mins(1)).unwrap();
    site.told("record recorded.odd -S bootstrap.servers=KAFKA --to odd");
    site.told(&format!(
        "replay odd --to kafka -X bootstrap.servers=KAFKA --topic {}={} --keep-partitions --keep-timestamps",
        names[0], names[1]
    ));
    let read = |name: &str| topic::read(&site.servers, name);
    assert_eq!(read(names[0]).len(), 4);
    // Offsets and timestamps too: nothing else was ever there.
    assert_eq!(read(names[0]), read(names[1]));
}
