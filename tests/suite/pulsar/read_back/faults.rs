//! Brokers and topics that go away while they are read.

use std::time::Duration;

use pulsar::{Pulsar as Client, TokioExecutor};
use tidegate::consume::Source as _;

use super::{Begin, Error, Page, Read, Seen, Site, open, read_on};
use super::{assert_exit, small};
use crate::brokers::pulsar::PulsarServer;
use crate::cli::pause;

const PATH: &str = "/admin/v2/persistent/public/default";

/// Sends messages of 32 KiB by another client: each has its number as its key.
fn send(url: &str, topic: &str, count: usize) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let client = Client::builder(url, TokioExecutor).build().await.unwrap();
        let mut producer = Box::pin(client.producer().with_topic(topic).build()).await.unwrap();
        let mut receipts = Vec::new();
        for number in 0..count {
            let message = pulsar::producer::Message {
                payload: vec![number.to_le_bytes()[0]; 32 << 10],
                partition_key: Some(number.to_string()),
                ..pulsar::producer::Message::default()
            };
            receipts.push(Box::pin(producer.send_non_blocking(message)).await.unwrap());
            if receipts.len() == 100 {
                for receipt in receipts.drain(..) {
                    receipt.await.unwrap();
                }
            }
        }
        for receipt in receipts {
            receipt.await.unwrap();
        }
    });
}

/// Asserts that all messages are there once and in order.
fn assert_whole(all: &[Seen], count: usize) {
    let number = |seen: &Seen| -> usize {
        String::from_utf8(seen.key.clone().unwrap()).unwrap().parse().unwrap()
    };
    let numbers: Vec<usize> = all.iter().map(number).collect();
    let wrong = numbers.iter().zip(0..).find(|(seen, expected)| *seen != expected);
    assert_eq!((wrong, numbers.len()), (None, count));
    assert!(all.iter().zip(&numbers).all(|(seen, number)| {
        let value = seen.value.as_ref().unwrap();
        value.len() == 32 << 10 && value.iter().all(|byte| *byte == number.to_le_bytes()[0])
    }));
}

#[test]
fn a_broker_that_dies_in_mid_read_loses_and_doubles_nothing() {
    let Some(server) = PulsarServer::start(&[]) else { return };
    let url = server.service_url();
    server.must("PUT", &format!("{PATH}/dies"), "");
    // Far more than is held.
    send(&url, "dies", 3_000);
    let mut source = open(&url, "dies", &Begin::Earliest).unwrap();
    let mut all = read_on(&mut source, 0, 500);
    server.kill();
    let mut page = Page::default();
    loop {
        match source.read(0, &mut page, Duration::from_secs(1)).unwrap() {
            Read::Records => all.extend(super::seen(&page)),
            Read::Nothing => break,
            Read::End => panic!("there is more"),
        }
    }
    assert!(all.len() < 2_500, "{}", all.len());
    server.start_again();
    all.extend(read_on(&mut source, 0, usize::MAX));
    assert_whole(&all, 3_000);
    assert_eq!(source.lasts().unwrap(), [all.last().map(|seen| seen.position)]);
    // Nobody is lost at the end either.
    server.kill();
    server.start_again();
    assert_eq!(read_on(&mut source, 0, usize::MAX), []);
    assert_eq!(source.lasts().unwrap(), [all.last().map(|seen| seen.position)]);
    assert_eq!(read_on(&mut open(&url, "dies", &Begin::Earliest).unwrap(), 0, usize::MAX), all);
}

#[test]
fn a_topic_that_is_moved_and_then_terminated_is_read_to_its_end() {
    let Some(site) = Site::shared() else { return };
    let url = site.server.service_url();
    site.server.must("PUT", &format!("{PATH}/moved"), "");
    send(&url, "moved", 2_000);
    let mut source = open(&url, "moved", &Begin::Earliest).unwrap();
    let mut all = Vec::new();
    for _ in 0..5 {
        all.extend(read_on(&mut source, 0, 200));
        site.server.must("PUT", &format!("{PATH}/moved/unload"), "");
    }
    site.server.must("POST", &format!("{PATH}/moved/terminate"), "");
    all.extend(read_on(&mut source, 0, usize::MAX));
    assert_whole(&all, 2_000);
    // Moved once more, the broker says that it is empty.
    site.server.must("PUT", &format!("{PATH}/moved/unload"), "");
    assert_eq!(read_on(&mut source, 0, usize::MAX), []);
    let mut again = open(&url, "moved", &Begin::Earliest).unwrap();
    assert_eq!(read_on(&mut again, 0, usize::MAX), all);
}

#[test]
fn a_topic_that_is_deleted_in_mid_read_is_lost_by_name() {
    let Some(site) = Site::shared() else { return };
    let url = site.server.service_url();
    let flags = format!("{} --create-topics --count 300 --speed max", small("gone"));
    assert_exit(&site.run(&flags), 0);
    let mut source = open(&url, "gone", &Begin::Earliest).unwrap();
    assert!(!read_on(&mut source, 2, usize::MAX).is_empty());
    site.server.must("DELETE", &format!("{PATH}/gone/partitions?force=true"), "");
    let mut page = Page::default();
    let error = loop {
        match source.read(2, &mut page, Duration::from_millis(100)) {
            Ok(_) => pause(Duration::from_millis(10)),
            Err(error) => break error,
        }
    };
    assert!(matches!(error, Error::Lost { .. }), "{error}");
    let told = error.to_string();
    assert!(told.contains("gone[2] any more: it is there no more: it was deleted"), "{told}");
    let listed = String::from_utf8(site.server.must("GET", PATH, "")).unwrap();
    assert!(!listed.contains("gone"), "{listed}");
}
