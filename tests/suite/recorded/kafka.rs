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
