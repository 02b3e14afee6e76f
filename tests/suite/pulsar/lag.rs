//! Subscriptions of a real Pulsar that are watched: behind, caught up, joined by others, never seen.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use futures::StreamExt as _;
use pulsar::consumer::InitialPosition;
use pulsar::{Consumer, ConsumerOptions, Pulsar as Client, SubType, TokioExecutor};

use super::{LONG, Site, small};
use crate::brokers::{self, wait_for};
use crate::cli::{Running, assert_exit, json, stderr};
use crate::live::metric;

const PATH: &str = "/admin/v2/persistent/public/default";
const LAG: &str = "tidegate_consumer_lag_seconds";

/// A consumer of a shared subscription that acknowledges in a thread of its own until it is dropped.
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

impl Member {
    fn join(url: &str, subscription: &str, topic: &str) -> Self {
        let (url, name) = (url.to_owned(), subscription.to_owned());
        let topic = format!("persistent://public/default/{topic}");
        let told = Arc::new(Told::default());
        let heard = Arc::clone(&told);
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(read(&url, &name, &topic, &heard));
        });
        Self { told, thread: Some(thread) }
    }

    fn rest(&self, rest: bool) {
        self.told.rest.store(rest, Ordering::SeqCst);
    }

    fn wait_for(&self, messages: u64) {
        wait_for("the subscription has read some", LONG, || {
            (self.told.read.load(Ordering::SeqCst) >= messages).then_some(())
        });
    }
}

async fn read(url: &str, name: &str, topic: &str, told: &Told) {
    let client = Client::builder(url, TokioExecutor).build().await.unwrap();
    let options = ConsumerOptions::default().with_initial_position(InitialPosition::Earliest);
    let consumer = client.consumer().with_topic(topic).with_subscription(name);
    let consumer = consumer.with_subscription_type(SubType::Shared).with_options(options);
    let mut consumer: Consumer<Vec<u8>, _> = consumer.build().await.unwrap();
    let short = Duration::from_millis(20);
    while !told.stop.load(Ordering::SeqCst) {
        if told.rest.load(Ordering::SeqCst) {
            tokio::time::sleep(short).await;
        } else if let Ok(Some(message)) = tokio::time::timeout(short, consumer.next()).await {
            consumer.ack(&message.unwrap()).await.unwrap();
            told.read.fetch_add(1, Ordering::SeqCst);
        }
    }
    Box::pin(consumer.close()).await.unwrap();
}

impl Drop for Member {
    fn drop(&mut self) {
        self.told.stop.store(true, Ordering::SeqCst);
        drop(self.thread.take().unwrap().join());
    }
}

fn wait_for_metric(port: u16, name: &str, holds: impl Fn(f64) -> bool) {
    wait_for(name, LONG, || metric(port, name).filter(|value| holds(*value)).map(drop));
}

#[test]
fn a_subscription_that_rests_and_catches_up_is_told_with_its_lag_and_how_long_it_took() {
    let Some(site) = Site::shared() else { return };
    let (topic, name, url) = ("lag", "detector", site.server.service_url());
    site.server.must("PUT", &format!("{PATH}/{topic}/partitions"), "3");
    let port = brokers::free_port();
    let flags = format!(
        "{} --subscription {name} --catch-up 2m --metrics {port} -X batchingEnabled=false \
         --watch-every 500ms",
        small(topic)
    );
    let running = Running::start(site.command(&flags));
    let member = Member::join(&url, name, topic);
    member.wait_for(500);
    member.rest(true);
    // The sum of three partitions.
    wait_for_metric(port, LAG, |lag_s| lag_s > 9.0);
    member.rest(false);
    wait_for_metric(port, LAG, |lag_s| lag_s < 1.0);
    let other = Member::join(&url, name, topic);
    wait_for_metric(port, "tidegate_consumer_rebalances_total", |seen| seen > 0.5);
    running.signal("TERM");
    let output = running.wait(LONG);
    assert_exit(&output, 0);
    let result = json(&output);
    let consumer = &result["consumer"];
    let number = |name: &str| consumer[name].as_f64().unwrap_or_else(|| panic!("{consumer}"));
    assert_eq!((&consumer["kind"], &consumer["name"]), (&"subscription".into(), &name.into()));
    assert_eq!((&consumer["unit"], &consumer["has_come"]), (&"entries".into(), &true.into()));
    assert!(number("behind").abs() < 0.5 && number("lag_s").abs() < 1e-9, "{consumer}");
    assert!(number("caught_up_after_s") >= 0.0, "{consumer}");
    assert!(number("behind_max") > 1_000.0 && number("lag_max_s") > 3.0, "{consumer}");
    assert!(number("recovery_max_s") > 1.0, "{consumer}");
    let recoveries = consumer["recoveries"].as_array().unwrap();
    assert!(recoveries.iter().all(|it| it["recovered"] == true), "{consumer}");
    assert!(number("rebalances") > 0.5 && number("members_max") > 1.5, "{consumer}");
    assert_eq!(consumer["partitions"].as_array().unwrap().len(), 3);
    drop(other);
}

#[test]
fn a_subscription_that_nobody_ever_made_is_an_error_in_the_end() {
    let Some(site) = Site::shared() else { return };
    let topic = "lag.nobody";
    site.server.must("PUT", &format!("{PATH}/{topic}"), "");
    let flags = format!("{} --subscription nobody --count 100 --speed max", small(topic));
    let output = site.run(&flags);
    assert_exit(&output, 1);
    let told = stderr(&output);
    assert!(told.contains("the subscription `nobody` was never seen"), "{told}");
    assert_eq!(json(&output)["delivered"], 100);
    // One that is there and that nobody reads has all of it before it.
    site.server.must("PUT", &format!("{PATH}/{topic}/subscription/nobody"), "\"earliest\"");
    let output = site.run(&format!("{flags} --fail-if consumer_behind>0 -X batchingEnabled=false"));
    assert_exit(&output, 3);
    let consumer = &json(&output)["consumer"];
    assert!(consumer["behind"].as_u64().unwrap() > 0, "{consumer}");
    assert!(consumer["lag_max_s"].as_f64().unwrap() > 0.0, "{consumer}");
    assert_eq!(consumer["members_max"], 0, "{consumer}");
}
