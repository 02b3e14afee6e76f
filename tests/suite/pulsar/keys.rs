//! Keys: who gets them, and how they travel.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures::StreamExt as _;
use pulsar::consumer::InitialPosition;
use pulsar::{Consumer, ConsumerOptions, Pulsar, SubType, TokioExecutor};

use super::arrival::identity_and_time;
use super::reader::read;
use super::{Site, small};
use crate::cli::{assert_exit, json};

/// Fewer keys, so that a window has many events of one.
const FEW: &str = "--set entities.account.activity.mean=2000000/day";

/// Reads a topic by consumers that share a subscription by key, until nothing comes for a while: for
/// each consumer the keys and values that it got, in its order.
async fn shared(url: &str, topic: &str, consumers: usize) -> Vec<Vec<(String, Vec<u8>)>> {
    let mut readers = Vec::new();
    for number in 0..consumers {
        let client = Pulsar::builder(url, TokioExecutor).build().await.unwrap();
        let options = ConsumerOptions::default().with_initial_position(InitialPosition::Earliest);
        let consumer: Consumer<Vec<u8>, _> = client
            .consumer()
            .with_topic(topic)
            .with_subscription("by-key")
            .with_consumer_name(format!("consumer-{number}"))
            .with_subscription_type(SubType::KeyShared)
            .with_options(options)
            .build()
            .await
            .unwrap();
        readers.push(consumer);
    }
    let reads = readers.into_iter().map(|mut consumer| async move {
        let mut got = Vec::new();
        while let Ok(next) = tokio::time::timeout(Duration::from_secs(20), consumer.next()).await {
            let message = next.unwrap().unwrap();
            got.push((message.key().unwrap(), message.payload.data.clone()));
            consumer.ack(&message).await.unwrap();
        }
        got
    });
    futures::future::join_all(reads).await
}

#[test]
fn four_consumers_that_share_by_key_get_each_key_whole_and_in_order() {
    let Some(site) = Site::shared() else { return };
    site.server.must("PUT", "/admin/v2/persistent/public/default/key.shared/partitions", "3");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let url = site.server.service_url();
    // The consumers are there first: what came before would go to the first of them.
    let flags = format!("{} {FEW} --count 20000 --pace 5000/s", small("key.shared"));
    let got = runtime.block_on(async {
        let reading = shared(&url, "persistent://public/default/key.shared", 4);
        let running = tokio::task::spawn_blocking(move || {
            crate::cli::pause(Duration::from_secs(5));
            let output = site.run(&format!("{flags} -X batcherBuilder=key"));
            assert_exit(&output, 0);
            json(&output)
        });
        let (got, result) = tokio::join!(reading, running);
        assert_eq!(result.unwrap()["delivered"], 20_000);
        got
    });
    let all: BTreeSet<&[u8]> = got.iter().flatten().map(|(_, value)| value.as_slice()).collect();
    assert_eq!((all.len(), got.iter().map(Vec::len).sum::<usize>()), (20_000, 20_000));
    let mut owner: BTreeMap<&str, usize> = BTreeMap::new();
    for (number, messages) in got.iter().enumerate() {
        assert!(!messages.is_empty(), "consumer {number} got nothing");
        for (key, _) in messages {
            assert_eq!(*owner.entry(key).or_insert(number), number, "{key} went to two consumers");
        }
    }
    let mut last: BTreeMap<&str, i64> = BTreeMap::new();
    for (key, value) in got.iter().flatten() {
        let (_, at_us) = identity_and_time(value);
        assert!(last.insert(key, at_us).is_none_or(|before| before <= at_us), "{key} out of order");
    }
}

#[test]
fn keys_that_are_avro_travel_as_base64_to_the_partition_of_that_text() {
    let Some(site) = Site::shared() else { return };
    let flags = "--set streams.payments.key_format=avro --create-topics --count 2000 --speed max";
    let output = site.run(&format!("{} {flags}", small("binary.keys")));
    assert_exit(&output, 0);
    let messages = read(&site.server.service_url(), "persistent://public/default/binary.keys");
    assert_eq!(messages.len(), 2_000);
    for message in &messages {
        let text = message.key.as_deref().unwrap();
        let key = STANDARD.decode(text).unwrap();
        // Avro's text: its length, then itself.
        assert_eq!((usize::from(key[0]), &key[1..6]), (2 * (key.len() - 1), b"acct-".as_slice()));
        let hash = text
            .bytes()
            .fold(0_u32, |hash, byte| hash.wrapping_mul(31).wrapping_add(u32::from(byte)));
        let partition = format!("-partition-{}", (hash & 0x7fff_ffff) % 3);
        assert!(message.topic.ends_with(&partition), "{text} in {}", message.topic);
    }
}

#[test]
fn streams_that_share_a_topic_share_one_order() {
    let Some(site) = Site::shared() else { return };
    let path = site.folder.path().join("model.toml");
    let model = std::fs::read_to_string(&path).unwrap();
    let (head, tail) = model.split_once("[streams.payments]").unwrap();
    let (stream, sinks) = tail.split_once("[sink.kafka]").unwrap();
    let second = stream.replace("[streams.payments.fields]", "[streams.others.fields]");
    let both =
        format!("{head}\n[streams.payments]{stream}[streams.others]{second}\n[sink.kafka]{sinks}");
    std::fs::write(&path, both).unwrap();
    let flags = "model.toml --create-topics --count 5000 --speed max -X batchingMaxMessages=50";
    let topics = "--set streams.payments.topic.name=two --set streams.others.topic.name=two";
    let few = "--set entities.account.count=5 --set entities.account.activity.mean=20000000/day";
    let output = site.run(&format!("{flags} {topics} {few}"));
    assert_exit(&output, 0);
    let messages = read(&site.server.service_url(), "persistent://public/default/two");
    let result = json(&output);
    assert_eq!(messages.len() as u64, result["delivered"].as_u64().unwrap());
    assert!(result["streams"]["others"]["delivered"].as_u64().unwrap() > 1_000, "{result}");
    let mut last: BTreeMap<&str, i64> = BTreeMap::new();
    for message in &messages {
        let (_, at_us) = identity_and_time(&message.value);
        let key = message.key.as_deref().unwrap();
        assert!(last.insert(key, at_us).is_none_or(|before| before <= at_us), "{key} out of order");
    }
}
