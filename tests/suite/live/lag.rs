//! Consumers of a real Kafka that are watched: behind, caught up, joined by others, never seen.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use serde_json::Value;

use super::{LONG, Site, count, metric, small};
use crate::brokers::kafka::{KafkaServer, Options};
use crate::brokers::{self, topic, wait_for};
use crate::cli::{Running, assert_exit, json, pause, stderr};

const LAG: &str = "tidegate_consumer_lag_seconds";

/// A member of a group that reads and commits in a thread of its own until it is dropped.
struct Member {
    told: Arc<Told>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Told {
    stop: AtomicBool,
    rest: AtomicBool,
    read: AtomicU64,
}

fn client(servers: &str, group: &str) -> BaseConsumer {
    ClientConfig::new()
        .set("bootstrap.servers", servers)
        .set("group.id", group)
        .set("enable.auto.commit", "false")
        .set("auto.offset.reset", "earliest")
        .set("heartbeat.interval.ms", "500")
        .create()
        .unwrap()
}

impl Member {
    fn join(servers: &str, group: &str, topic: &str) -> Self {
        let consumer = client(servers, group);
        consumer.subscribe(&[topic]).unwrap();
        let told = Arc::new(Told::default());
        let heard = Arc::clone(&told);
        let thread = std::thread::spawn(move || {
            while !heard.stop.load(Ordering::SeqCst) {
                if heard.rest.load(Ordering::SeqCst) {
                    pause(Duration::from_millis(20));
                    continue;
                }
                let mut came = 0;
                while came < 200
                    && let Some(Ok(_)) = consumer.poll(Duration::from_millis(20))
                {
                    came += 1;
                }
                // While the group changes, a commit may be refused: the next one is not.
                if came > 0 && consumer.commit_consumer_state(CommitMode::Sync).is_ok() {
                    heard.read.fetch_add(came, Ordering::SeqCst);
                }
            }
        });
        Self { told, thread: Some(thread) }
    }

    fn rest(&self, rest: bool) {
        self.told.rest.store(rest, Ordering::SeqCst);
    }

    fn wait_for(&self, records: u64) {
        wait_for("the group has read some", LONG, || {
            (self.told.read.load(Ordering::SeqCst) >= records).then_some(())
        });
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.told.stop.store(true, Ordering::SeqCst);
        drop(self.thread.take().unwrap().join());
    }
}

/// A run that goes on until it is stopped, with its metrics on a port.
fn watched(site: &Site, topic: &str, group: &str, more: &str) -> (Running, u16) {
    topic::create(&site.servers, topic, 3, &[]);
    let port = brokers::free_port();
    let flags = format!("{} --group {group} --catch-up 2m --metrics {port} {more}", small(topic));
    (Running::start(site.command(&flags)), port)
}

fn wait_for_metric(port: u16, name: &str, holds: impl Fn(f64) -> bool) {
    wait_for(name, LONG, || metric(port, name).filter(|value| holds(*value)).map(drop));
}

/// What an independent client says is committed of a topic's three partitions.
fn committed(servers: &str, group: &str, topic: &str) -> Vec<i64> {
    let mut asked = TopicPartitionList::new();
    for number in 0..3 {
        asked.add_partition(topic, number);
    }
    let told = client(servers, group).committed_offsets(asked, LONG).unwrap();
    let offset = |number| match told.find_partition(topic, number).unwrap().offset() {
        Offset::Offset(offset) => offset,
        other => panic!("nothing is committed: {other:?}"),
    };
    (0..3).map(offset).collect()
}

fn seconds(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("no time: {value}"))
}

#[test]
fn a_group_that_rests_and_catches_up_is_told_with_its_lag_and_how_long_it_took() {
    let Some(site) = Site::shared() else { return };
    let (topic, group) = ("live.lag", "live.lag.detector");
    let (running, port) = watched(&site, topic, group, "--watch-every 500ms");
    let member = Member::join(&site.servers, group, topic);
    member.wait_for(1_000);
    member.rest(true);
    // The sum of three partitions.
    wait_for_metric(port, LAG, |lag_s| lag_s > 9.0);
    member.rest(false);
    wait_for_metric(port, LAG, |lag_s| lag_s < 1.0);
    running.signal("TERM");
    let output = running.wait(LONG);
    assert_exit(&output, 0);
    let result = json(&output);
    let consumer = &result["consumer"];
    assert_eq!((&consumer["kind"], &consumer["name"]), (&"group".into(), &group.into()));
    assert_eq!((&consumer["unit"], &consumer["has_come"]), (&"records".into(), &true.into()));
    assert_eq!(count(consumer, "behind"), 0, "{consumer}");
    assert!(seconds(&consumer["lag_s"]).abs() < f64::EPSILON, "{consumer}");
    assert!(seconds(&consumer["caught_up_after_s"]) >= 0.0);
    assert!(count(consumer, "behind_max") > 2_000, "{consumer}");
    let most = seconds(&consumer["lag_max_s"]);
    assert!(most > 3.0, "{consumer}");
    assert!(seconds(&consumer["recovery_max_s"]) > 1.0, "{consumer}");
    let recoveries = consumer["recoveries"].as_array().unwrap();
    assert!(recoveries.iter().all(|it| it["recovered"] == true), "{consumer}");
    assert!(recoveries.iter().any(|it| seconds(&it["peak_s"]) > most - 0.001), "{consumer}");
    assert_eq!((count(consumer, "members"), count(consumer, "rebalances")), (1, 0), "{consumer}");
    assert!(consumer["over_time"].as_array().unwrap().len() > 3, "{consumer}");
    // Another client knows the same commits, and all that was sent is among them.
    let told = consumer["partitions"].as_array().unwrap().iter();
    let told: Vec<i64> =
        told.map(|it| it["committed"].as_str().unwrap().parse().unwrap()).collect();
    assert_eq!(told, committed(&site.servers, group, topic));
    assert_eq!(u64::try_from(told.iter().sum::<i64>()), Ok(count(&result, "delivered")));
    assert!(stderr(&output).is_empty(), "quiet: {}", stderr(&output));
}

#[test]
fn a_second_member_is_a_rebalance_that_a_condition_can_be_about() {
    let Some(site) = Site::shared() else { return };
    let (topic, group) = ("live.joined", "live.joined.detector");
    let (running, port) = watched(&site, topic, group, "--fail-if consumer_rebalances>0");
    let first = Member::join(&site.servers, group, topic);
    first.wait_for(500);
    wait_for_metric(port, "tidegate_consumer_members", |members| members > 0.5);
    let second = Member::join(&site.servers, group, topic);
    wait_for_metric(port, "tidegate_consumer_rebalances_total", |seen| seen > 0.5);
    second.wait_for(100);
    wait_for_metric(port, "tidegate_consumer_members", |members| members > 1.5);
    running.signal("TERM");
    let output = running.wait(LONG);
    assert_exit(&output, 3);
    let consumer = &json(&output)["consumer"];
    assert!(count(consumer, "rebalances") >= 1, "{consumer}");
    assert_eq!(count(consumer, "members_max"), 2, "{consumer}");
    assert_eq!(json(&output)["broken"][0]["condition"], "consumer_rebalances>0");
}

#[test]
fn what_is_not_committed_is_counted_from_the_first_record_and_its_age_from_the_hand_over() {
    let Some(site) = Site::shared() else { return };
    let (topic, group) = ("live.started", "live.started.detector");
    topic::create(&site.servers, topic, 3, &[]);
    assert_exit(&site.run(&format!("{} --count 900 --speed max", small(topic))), 0);
    let records = topic::read(&site.servers, topic);
    let of_first: Vec<_> = records.iter().filter(|record| record.partition == 0).collect();
    // Ten records of one partition are committed, nothing of the others.
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(topic, 0, Offset::Offset(10)).unwrap();
    client(&site.servers, group).commit(&list, CommitMode::Sync).unwrap();
    let flags = format!("{} --group {group} --count 1 --speed max", small(topic));
    let output = site.run(&flags);
    assert_exit(&output, 0);
    let result = json(&output);
    let consumer = &result["consumer"];
    let partitions = consumer["partitions"].as_array().unwrap();
    let committed = |number: usize| partitions[number]["committed"].as_str();
    assert_eq!([committed(0), committed(1), committed(2)], [Some("10"), None, None]);
    assert_eq!(count(consumer, "uncommitted_partitions"), 2, "{consumer}");
    // The run's own event may or may not be seen.
    let behind: u64 = partitions.iter().map(|it| count(it, "behind")).sum();
    assert!((890..=891).contains(&behind), "{consumer}");
    let first = count(&partitions[0], "behind");
    assert!((of_first.len() - 10..=of_first.len() - 9).contains(&usize::try_from(first).unwrap()));
    // The ages are those of the records that come next.
    let oldest_ms = |number| {
        let next = if number == 0 { 10 } else { 0 };
        let of = records.iter().find(|it| it.partition == number && it.offset == next);
        of.unwrap().timestamp_ms
    };
    let told = |number: usize| seconds(&partitions[number]["lag_s"]);
    for (number, place) in [(1, 1), (2, 2)] {
        let apart_s = (oldest_ms(0) - oldest_ms(number)) as f64 / 1e3;
        assert!((told(place) - told(0) - apart_s).abs() < 0.002, "{consumer} {apart_s}");
    }
    assert_eq!(count(consumer, "members_max"), 0, "{consumer}");
    assert_eq!(consumer["caught_up_after_s"], Value::Null);
}

#[test]
fn a_group_that_nobody_ever_came_to_is_an_error_in_the_end() {
    let Some(site) = Site::shared() else { return };
    let topic = "live.nobody";
    topic::create(&site.servers, topic, 3, &[]);
    let flags = format!("{} --group live.nobody.detector --count 100 --speed max", small(topic));
    let output = site.run(&format!("{flags} --fail-if consumer_lag_max>1h"));
    assert_exit(&output, 1);
    let told = stderr(&output);
    assert!(told.contains("the group `live.nobody.detector` was never seen"), "{told}");
    assert!(told.contains("--catch-up"), "{told}");
    let result = json(&output);
    assert_eq!((count(&result, "delivered"), &result["stopped"]), (100, &"end".into()));
    assert_eq!(result["consumer"]["has_come"], false);
    assert_eq!(result["broken"][0]["was"], Value::Null, "nothing was measured");
}

#[test]
fn a_broker_that_is_away_for_a_while_is_looked_at_again_when_it_is_back() {
    let Some(mut kafka) = KafkaServer::start(&Options::quick_to_return()) else { return };
    let Some(site) = Site::at(&kafka) else { return };
    let (topic, group) = ("live.away", "live.away.detector");
    let more = "--drain 5m --set run.connect_timeout=2s -X reconnect.backoff.max.ms=500";
    let (running, port) = watched(&site, topic, group, more);
    let member = Member::join(&site.servers, group, topic);
    member.wait_for(500);
    kafka.kill();
    // Longer than two looks may take.
    pause(Duration::from_secs(6));
    kafka.start_again();
    let before = member.told.read.load(Ordering::SeqCst);
    member.wait_for(before + 3_000);
    wait_for_metric(port, LAG, |lag_s| lag_s < 1.0);
    running.signal("TERM");
    let output = running.wait(LONG);
    assert_exit(&output, 0);
    let result = json(&output);
    let consumer = &result["consumer"];
    assert!(count(consumer, "looks_failed") > 0, "{consumer}");
    assert!(consumer["failure"].is_string(), "{consumer}");
    assert_eq!((count(consumer, "behind"), &consumer["has_come"]), (0, &true.into()));
    let told: i64 = committed(&site.servers, group, topic).iter().sum();
    assert_eq!(u64::try_from(told), Ok(count(&result, "delivered")));
}
