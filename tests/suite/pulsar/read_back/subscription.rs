//! How far others have come, as the administration tells.

use futures::StreamExt as _;
use pulsar::consumer::InitialPosition;
use pulsar::{Consumer, ConsumerOptions, Pulsar as Client, SubType, TokioExecutor};
use tidegate::clock::Clock;
use tidegate::consume::Error;
use tidegate::consume::pulsar::subscription::{Standing, look};

use super::{Begin, Site, open, options, read_all};
use super::{assert_exit, small};

const PATH: &str = "/admin/v2/persistent/public/default";

fn standings(site: &Site<'_>, topic: &str, name: &str) -> Result<Vec<Standing>, Error> {
    let (service, web) = (site.server.service_url(), site.server.web_url());
    let options = options(&[("serviceUrl", &service), ("webServiceUrl", &web)]);
    look(&options, &[topic.to_owned()], name, &Clock::system())
}

/// Acknowledges the first messages of a topic of one partition.
fn acknowledge(url: &str, topic: &str, name: &str, count: usize) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let client = Client::builder(url, TokioExecutor).build().await.unwrap();
        let mut consumer: Consumer<Vec<u8>, _> = client
            .consumer()
            .with_topic(topic)
            .with_subscription(name)
            .with_subscription_type(SubType::Exclusive)
            .with_options(
                ConsumerOptions::default().with_initial_position(InitialPosition::Earliest),
            )
            .build()
            .await
            .unwrap();
        for _ in 0..count {
            let message = consumer.next().await.unwrap().unwrap();
            consumer.ack(&message).await.unwrap();
        }
        Box::pin(consumer.close()).await.unwrap();
    });
}

#[test]
fn what_a_subscription_has_not_acknowledged_is_told_by_partition() {
    let Some(site) = Site::shared() else { return };
    let url = site.server.service_url();
    site.server.must("PUT", &format!("{PATH}/behind"), "");
    let flags = format!("{} --count 100 --speed max", small("behind"));
    assert_exit(&site.run(&format!("{flags} -X batchingEnabled=false")), 0);
    let told = standings(&site, "behind", "detector").unwrap_err().to_string();
    assert_eq!(told, "the topic `behind` has no subscription `detector`; it has none");
    acknowledge(&url, "persistent://public/default/behind", "detector", 40);
    let standing = crate::brokers::wait_for("40 are acknowledged", super::super::LONG, || {
        let standing = standings(&site, "behind", "detector").unwrap().remove(0);
        (standing.backlog_entries == 60 && standing.consumers == 0).then_some(standing)
    });
    let all = read_all(&mut open(&url, "behind", &Begin::Earliest).unwrap()).remove(0);
    assert_eq!((standing.next, standing.has_gaps), (all[40].position, false));
    // What is left is read from there on.
    let begin = Begin::Positions(vec![("behind".to_owned(), None, standing.next)]);
    assert_eq!(read_all(&mut open(&url, "behind", &begin).unwrap()), [&all[40..]]);
    let told = standings(&site, "behind", "other").unwrap_err().to_string();
    assert_eq!(told, "the topic `behind` has no subscription `other`; it has `detector`");
    let missing = standings(&site, "behind.nothing", "detector").unwrap_err();
    assert!(matches!(missing, Error::TopicMissing { .. }), "{missing}");
}

#[test]
fn each_partition_is_told_and_an_administration_that_keeps_silent_is_named() {
    let Some(site) = Site::shared() else { return };
    site.server.must("PUT", &format!("{PATH}/behind.parts/partitions"), "3");
    site.server.must("PUT", &format!("{PATH}/behind.parts/subscription/detector"), "");
    let flags = format!("{} --count 3000 --speed max", small("behind.parts"));
    assert_exit(&site.run(&format!("{flags} -X batchingMaxMessages=50")), 0);
    let standings = standings(&site, "behind.parts", "detector").unwrap();
    let numbers: Vec<_> = standings.iter().map(|it| it.partition.number).collect();
    assert_eq!(numbers, [Some(0), Some(1), Some(2)]);
    // Entries are batches.
    let entries: u64 = standings.iter().map(|standing| standing.backlog_entries).sum();
    assert!((60..3_000).contains(&entries), "{entries}");
    assert!(standings.iter().all(|standing| standing.backlog_entries > 0), "{standings:?}");
    let service = site.server.service_url();
    let options = options(&[("serviceUrl", &service), ("webServiceUrl", "http://127.0.0.1:1")]);
    let topics = ["behind.parts".to_owned()];
    let told = look(&options, &topics, "detector", &Clock::system()).unwrap_err().to_string();
    assert!(told.contains("http://127.0.0.1:1 did not answer"), "{told}");
    assert!(told.contains("set `webServiceUrl`"), "{told}");
}
