//! Topics, made and read back by a client that has nothing to do with the sink under test.

use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::{BorrowedMessage, Headers, Message};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

use super::wait_for;

/// How long one answer of the broker may take.
const ANSWER: Duration = Duration::from_mins(1);

/// A record as the broker holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Record {
    /// The partition that it lies in.
    pub(crate) partition: i32,
    /// Its place there.
    pub(crate) offset: i64,
    /// The record timestamp, in milliseconds since the Unix epoch.
    pub(crate) timestamp_ms: i64,
    /// The key, if it has one.
    pub(crate) key: Option<Vec<u8>>,
    /// The value; a tombstone has none.
    pub(crate) value: Option<Vec<u8>>,
    /// Names and values of the headers, in order.
    pub(crate) headers: Vec<(String, Option<Vec<u8>>)>,
}

/// Creates a topic with `settings` of its own (`retention.ms`…), and waits until the broker serves
/// all its partitions.
pub(crate) fn create(
    bootstrap_servers: &str,
    name: &str,
    partitions: i32,
    settings: &[(&str, &str)],
) {
    let admin: AdminClient<DefaultClientContext> =
        client(bootstrap_servers).create().expect("an admin client");
    let mut topic = NewTopic::new(name, partitions, TopicReplication::Fixed(1));
    for (key, value) in settings {
        topic = topic.set(key, value);
    }
    let options = AdminOptions::new().operation_timeout(Some(ANSWER)).request_timeout(Some(ANSWER));
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let topics = [topic];
    let answer = runtime.block_on(admin.create_topics(&topics, &options));
    for result in answer.expect("the broker answers") {
        result.map_err(|(name, code)| format!("{name}: {code}")).expect("the topic is created");
    }
    wait_for("the topic is served", ANSWER, || {
        let metadata = admin.inner().fetch_metadata(Some(name), ANSWER).ok()?;
        let served = metadata.topics().first().is_some_and(|topic| {
            let led = topic.partitions().iter().filter(|it| it.leader() >= 0).count();
            topic.error().is_none() && i32::try_from(led) == Ok(partitions)
        });
        served.then_some(())
    });
}

/// Deletes a topic.
pub(crate) fn delete(bootstrap_servers: &str, name: &str) {
    let admin: AdminClient<DefaultClientContext> =
        client(bootstrap_servers).create().expect("an admin client");
    let options = AdminOptions::new().operation_timeout(Some(ANSWER)).request_timeout(Some(ANSWER));
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let answer = runtime.block_on(admin.delete_topics(&[name], &options));
    for result in answer.expect("the broker answers") {
        result.map_err(|(name, code)| format!("{name}: {code}")).expect("the topic is deleted");
    }
}

/// All records of a topic, partition by partition, each in its order.
pub(crate) fn read(bootstrap_servers: &str, name: &str) -> Vec<Record> {
    let mut records = Vec::new();
    for_each(bootstrap_servers, name, |record| records.push(record));
    records.sort_by_key(|record| (record.partition, record.offset));
    records
}

/// Calls `take` with each record of a topic; those of a partition come in their order, and the
/// partitions in any.
pub(crate) fn for_each(bootstrap_servers: &str, name: &str, mut take: impl FnMut(Record)) {
    let consumer: BaseConsumer = client(bootstrap_servers)
        .set("group.id", "an independent reader")
        .set("enable.auto.commit", "false")
        .set("enable.partition.eof", "true")
        .set("auto.offset.reset", "error")
        .set("isolation.level", "read_committed")
        .create()
        .expect("a consumer");
    let metadata = consumer.fetch_metadata(Some(name), ANSWER).expect("the broker answers");
    let topic = metadata.topics().first().expect("the topic that was asked for");
    assert!(topic.error().is_none(), "topic {name}: {:?}", topic.error());
    let mut places = TopicPartitionList::new();
    for partition in topic.partitions() {
        places.add_partition_offset(name, partition.id(), Offset::Beginning).expect("an offset");
    }
    consumer.assign(&places).expect("partitions that exist");
    let mut at_end = vec![false; topic.partitions().len()];
    while at_end.contains(&false) {
        match consumer.poll(ANSWER) {
            Some(Ok(message)) => take(record(&message)),
            Some(Err(KafkaError::PartitionEOF(partition))) => {
                at_end[usize::try_from(partition).expect("a partition")] = true;
            }
            // The consumer itself goes on after what it reports here: a broken connection.
            Some(Err(KafkaError::MessageConsumption(code))) => {
                assert!(code != rdkafka::types::RDKafkaErrorCode::TopicAuthorizationFailed);
            }
            other => panic!("reading {name}: {other:?}"),
        }
    }
}

fn client(bootstrap_servers: &str) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", bootstrap_servers).set("log_level", "0");
    config
}

fn record(message: &BorrowedMessage<'_>) -> Record {
    let headers = message.headers().map_or_else(Vec::new, |headers| {
        let owned = |bytes: &[u8]| bytes.to_vec();
        headers.iter().map(|it| (it.key.to_owned(), it.value.map(owned))).collect()
    });
    Record {
        partition: message.partition(),
        offset: message.offset(),
        timestamp_ms: message.timestamp().to_millis().unwrap_or(-1),
        key: message.key().map(<[u8]>::to_vec),
        value: message.payload().map(<[u8]>::to_vec),
        headers,
    }
}
