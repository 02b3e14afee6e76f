//! What is sent again, and what a topic that deduplicates makes of it.

use std::collections::BTreeSet;
use std::time::Duration;

use super::arrival::{assert_all_once, identity_and_time};
use super::reader::read;
use super::{LONG, Site, small};
use crate::brokers::pulsar::PulsarServer;
use crate::cli::{Running, assert_exit, json, pause, stderr};

fn count(result: &serde_json::Value, name: &str) -> u64 {
    result[name].as_u64().unwrap()
}

#[test]
fn a_broker_that_is_paused_and_killed_in_mid_run_loses_nothing_and_doubles_only_what_is_counted() {
    let Some(server) = PulsarServer::start(&[]) else { return };
    let site = Site::at(&server);
    server.make_namespace("once", true);
    server.make_namespace("twice", false);
    let ways = [("once", "default"), ("once", "key"), ("twice", "default")];
    let started = ways.map(|(namespace, batcher)| {
        let flags = format!(
            "{} --create-topics --rate 4000/s --for 30s -X namespace={namespace} \
             -X batcherBuilder={batcher} -X keepAliveIntervalSeconds=2",
            small(&format!("by.{batcher}"))
        );
        Running::start(site.command(&flags))
    });
    pause(Duration::from_secs(5));
    // Longer than the sink waits for an answer, so that it connects again.
    server.pause();
    pause(Duration::from_secs(6));
    server.resume();
    pause(Duration::from_secs(6));
    server.kill();
    server.start_again();
    for (running, (namespace, batcher)) in started.into_iter().zip(ways) {
        let output = running.wait(LONG);
        assert_exit(&output, 0);
        let result = json(&output);
        assert!(count(&result, "issued") > 80_000, "{result}");
        let (delivered, there) = (count(&result, "delivered"), count(&result, "already_there"));
        assert_eq!(count(&result, "issued"), delivered + there, "{result}");
        let topic = format!("persistent://public/{namespace}/by.{batcher}");
        let messages = read(&server.service_url(), &topic);
        if namespace == "once" {
            assert_all_once(&result, &messages);
            continue;
        }
        assert_eq!(there, 0, "nothing deduplicates here");
        let events: BTreeSet<_> =
            messages.iter().map(|message| identity_and_time(&message.value)).collect();
        assert_eq!(events.len() as u64, delivered, "each is there");
        let doubled = (messages.len() - events.len()) as u64;
        let sent_again = count(&result, "sent_again");
        assert!(doubled <= sent_again && sent_again < delivered, "{doubled} doubled: {result}");
    }
}

#[test]
fn what_a_topic_would_swallow_is_refused_before_it_is_sent() {
    let Some(site) = Site::shared() else { return };
    site.server.make_namespace("numbered", true);
    let flags = format!("{} -X namespace=numbered --create-topics --speed max", small("again"));
    let later = format!("{flags} --from 2026-03-02T00:00:20Z --count 2000");
    let output = site.run(&later);
    assert_exit(&output, 0);
    assert_eq!(json(&output)["delivered"], 2_000);
    // The same once more; one that begins earlier; and one that begins in the middle of it.
    for again in ["--from 2026-03-02T00:00:20Z", "", "--from 2026-03-02T00:00:21Z"] {
        let output = site.run(&format!("{flags} {again} --count 500"));
        assert_exit(&output, 1);
        let told = stderr(&output);
        let producer = "has messages of the producer `model/7/2026-03-02T00:00:00Z-";
        assert!(told.contains("the topic `again` deduplicates, and ") && told.contains(producer));
        assert!(told.contains("up to sequence id ") && told.contains("this run begins at "));
        assert!(told.contains("`--from`") && told.contains("`producerName`"), "{told}");
    }
    // Later ones go, and so does another producer.
    for good in ["--from 2026-03-02T00:00:30Z", "-X producerName=another"] {
        let output = site.run(&format!("{flags} {good} --count 500"));
        assert_exit(&output, 0);
        assert_eq!(json(&output)["delivered"], 500);
    }
    let messages = read(&site.server.service_url(), "persistent://public/numbered/again");
    assert_eq!(messages.len(), 3_000);
}

#[test]
fn two_shards_write_all_of_their_events_to_a_topic_that_deduplicates() {
    let Some(site) = Site::shared() else { return };
    site.server.make_namespace("sharded", true);
    site.server.must("PUT", "/admin/v2/persistent/public/sharded/both/partitions", "3");
    let flags = format!("{} -X namespace=sharded --speed max --duration 20s", small("both"));
    let start = |shard: &str| Running::start(site.command(&format!("{flags} --shard {shard}")));
    let shards = [start("0/2"), start("1/2")];
    let mut delivered = 0;
    for shard in shards {
        let output = shard.wait(LONG);
        assert_exit(&output, 0);
        let result = json(&output);
        assert_eq!(count(&result, "issued"), count(&result, "delivered"), "{result}");
        delivered += count(&result, "delivered");
    }
    let whole = site.run(&format!(
        "{flags} -X producerName=whole --set streams.payments.topic.name=whole --create-topics"
    ));
    assert_exit(&whole, 0);
    let whole = json(&whole);
    assert_eq!(count(&whole, "delivered"), delivered);
    let messages = read(&site.server.service_url(), "persistent://public/sharded/both");
    assert_all_once(&whole, &messages);
}
