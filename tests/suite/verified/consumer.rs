//! A consumer that does to known events what consumers do, and writes them on.

use std::collections::BTreeMap;

use rdkafka::ClientConfig;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};

use super::LONG;
use crate::brokers::topic::{self, Record};

/// The identity in a value of the small model, whose first field it is: behind the framing, if it has one,
/// and the length of the text.
pub(super) fn id(value: &[u8]) -> String {
    let before = if value[0] == 0 { 6 } else { 1 };
    String::from_utf8(value[before..before + 36].to_vec()).unwrap()
}

/// What is done to some events, by their identities; the rest is written on as it came.
#[derive(Debug, Default)]
pub(super) struct Deeds {
    pub(super) dropped: Vec<String>,
    pub(super) doubled: Vec<String>,
    /// Written before the event of the same key before it.
    pub(super) swapped: Vec<String>,
    pub(super) altered: Vec<String>,
    /// Written after all others.
    pub(super) delayed: Vec<String>,
}

/// Reads a topic partition by partition, decides what is done to which, and writes all to another topic of
/// as many partitions.
pub(super) fn write_on(servers: &str, from: &str, to: &str) -> Deeds {
    let records = topic::read(servers, from);
    let partitions = 1 + records.iter().map(|record| record.partition).max().unwrap();
    topic::create(servers, to, partitions, &[]);
    let (deeds, written) = done(records);
    write(servers, to, &written);
    deeds
}

/// Writes records to a topic, each to its partition.
pub(super) fn write(servers: &str, to: &str, records: &[Record]) {
    let producer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", servers)
        .set("queue.buffering.max.messages", "1000000")
        .create()
        .unwrap();
    for record in records {
        let mut headers = OwnedHeaders::new();
        for (key, value) in &record.headers {
            headers = headers.insert(Header { key, value: value.as_ref() });
        }
        let send = BaseRecord::to(to)
            .partition(record.partition)
            .timestamp(record.timestamp_ms)
            .headers(headers)
            .key(record.key.as_deref().unwrap_or_default())
            .payload(record.value.as_deref().unwrap());
        producer.send(send).unwrap();
    }
    producer.flush(LONG).unwrap();
}

/// What is done to records, and what is left of them.
pub(super) fn done(records: Vec<Record>) -> (Deeds, Vec<Record>) {
    let mut deeds = Deeds::default();
    let (mut written, mut late): (Vec<Record>, Vec<Record>) = (Vec::new(), Vec::new());
    // Where the last event of each key was written.
    let mut last: BTreeMap<Vec<u8>, usize> = BTreeMap::new();
    for (number, mut record) in records.into_iter().enumerate() {
        let id = id(record.value.as_deref().unwrap());
        let key = record.key.clone().unwrap();
        match number % 97 {
            5 => {
                deeds.dropped.push(id);
                continue;
            }
            17 => {
                deeds.doubled.push(id);
                written.push(record.clone());
            }
            29 => {
                deeds.altered.push(id);
                // The last letter of the last field.
                if let Some(value) = &mut record.value {
                    let last = value.len() - 1;
                    value[last] ^= 1;
                }
            }
            41 => {
                deeds.delayed.push(id);
                late.push(record);
                continue;
            }
            53 => {
                let earlier = last
                    .get(&key)
                    .copied()
                    .map(|place| (place, self::id(written[place].value.as_deref().unwrap())));
                // Of one that is there twice the first stays where it was.
                let alone = |(_, earlier): &(usize, String)| !deeds.doubled.contains(earlier);
                if let Some((place, earlier)) = earlier.filter(alone) {
                    deeds.swapped.push(earlier);
                    written.insert(place, record);
                    last.clear();
                    continue;
                }
            }
            _ => {}
        }
        last.insert(key, written.len());
        written.push(record);
    }
    written.extend(late);
    for ids in [&mut deeds.dropped, &mut deeds.doubled, &mut deeds.swapped, &mut deeds.altered] {
        ids.sort();
    }
    deeds.delayed.sort();
    (deeds, written)
}
