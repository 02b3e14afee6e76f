//! Topics read back by the program's own reader, beside another client's.

mod begins;
mod faults;
mod subscription;

use std::collections::BTreeSet;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tidegate::clock::Clock;
use tidegate::config::secret::Text;
use tidegate::consume::pulsar::Pulsar;
use tidegate::consume::{Begin, Error, Page, Position, Read, Source as _};
use tidegate::publish::pulsar::Options;

use super::arrival::identity_and_time;
use super::reader::{self, Message};
use super::{Site, small};
use crate::cli::{assert_exit, json};

/// How long one read waits.
const PATIENCE: Duration = Duration::from_millis(100);

/// A record as our reader gives it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Seen {
    position: Position,
    timestamp_ms: i64,
    key: Option<Vec<u8>>,
    value: Option<Vec<u8>>,
    headers: Vec<(String, String)>,
}

fn options(settings: &[(&str, &str)]) -> Options {
    let property =
        |(name, value): &(&str, &str)| ((*name).to_owned(), Text::Plain((*value).to_owned()));
    Options::read(&settings.iter().map(property).collect::<Vec<_>>()).unwrap()
}

fn open(url: &str, topic: &str, begin: &Begin) -> Result<Pulsar, Error> {
    Pulsar::open(&options(&[("serviceUrl", url)]), &[topic.to_owned()], begin, &Clock::system())
}

fn seen(page: &Page) -> impl Iterator<Item = Seen> + '_ {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    page.records.iter().map(move |record| Seen {
        position: record.position,
        timestamp_ms: record.timestamp_ms,
        key: page.key(record).map(<[u8]>::to_vec),
        value: page.value(record).map(<[u8]>::to_vec),
        headers: page.headers(record).map(|(name, it)| (text(name), text(it.unwrap()))).collect(),
    })
}

/// Reads a partition on until its end, or until there are so many records.
fn read_on(source: &mut Pulsar, partition: usize, most: usize) -> Vec<Seen> {
    let (mut page, mut all) = (Page::default(), Vec::new());
    while all.len() < most {
        match source.read(partition, &mut page, PATIENCE).unwrap() {
            Read::Records => all.extend(seen(&page)),
            Read::End => break,
            Read::Nothing => assert!(page.records.is_empty()),
        }
    }
    all
}

/// All records of all partitions.
fn read_all(source: &mut Pulsar) -> Vec<Vec<Seen>> {
    let count = source.partitions().len();
    (0..count).map(|partition| read_on(source, partition, usize::MAX)).collect()
}

/// Asserts that our reader finds in a topic what another client does.
fn assert_same(url: &str, topic: &str, binary_keys: bool) -> Vec<Seen> {
    let full = format!("persistent://public/default/{topic}");
    let mut source = open(url, topic, &Begin::Earliest).unwrap();
    let ours = read_all(&mut source);
    let others: Vec<Message> = reader::read(url, &full);
    let lasts = source.lasts().unwrap();
    for ((partition, ours), last) in source.partitions().iter().zip(&ours).zip(lasts) {
        let name = partition.number.map_or(full.clone(), |it| format!("{full}-partition-{it}"));
        let others: Vec<&Message> = others.iter().filter(|other| other.topic == name).collect();
        assert_eq!(ours.len(), others.len(), "{partition}");
        assert_eq!(ours.last().map(|seen| seen.position), last, "{partition}");
        assert!(ours.is_sorted_by_key(|seen| seen.position), "{partition}");
        for (seen, other) in ours.iter().zip(others) {
            let (ledger, entry, place) = other.place;
            let place = u16::try_from(place.max(0)).unwrap();
            assert_eq!(seen.position, Position::of_message(ledger, entry, place));
            let key = |key: &String| {
                if binary_keys { STANDARD.decode(key).unwrap() } else { key.clone().into_bytes() }
            };
            assert_eq!(seen.key, other.key.as_ref().map(key));
            // The other client shows a tombstone as nothing.
            assert_eq!(seen.value.as_deref().unwrap_or_default(), other.value);
            assert_eq!(seen.headers, other.properties);
        }
    }
    ours.into_iter().flatten().collect()
}

#[test]
fn what_the_sink_wrote_is_read_as_another_client_reads_it() {
    let Some(site) = Site::shared() else { return };
    let kinds = [
        ("back.none", "-X batchingMaxMessages=70"),
        ("back.lz4", "-X compressionType=LZ4 -X batchingEnabled=false"),
        ("back.zlib", "-X compressionType=ZLIB -X batcherBuilder=key"),
        ("back.zstd", "-X compressionType=ZSTD --set streams.payments.identity=header"),
    ];
    std::thread::scope(|scope| {
        for (topic, flags) in kinds {
            let site = &site;
            scope.spawn(move || {
                let flags = format!("{} --create-topics --speed max {flags}", small(topic));
                let output = site.run(&format!("{flags} --count 3000"));
                assert_exit(&output, 0);
                let all = assert_same(&site.server.service_url(), topic, false);
                assert_eq!(all.len(), 3_000, "{topic}");
                let with_headers = all.iter().filter(|seen| !seen.headers.is_empty()).count();
                assert_eq!(with_headers, if topic == "back.zstd" { 3_000 } else { 0 }, "{topic}");
            });
        }
    });
}

#[test]
fn what_was_compressed_by_snappy_is_read_whole() {
    let Some(site) = Site::shared() else { return };
    let flags = format!("{} --create-topics --count 3000 --speed max", small("back.snappy"));
    let output = site.run(&format!("{flags} -X compressionType=SNAPPY"));
    assert_exit(&output, 0);
    let mut source = open(&site.server.service_url(), "back.snappy", &Begin::Earliest).unwrap();
    let all: Vec<Seen> = read_all(&mut source).into_iter().flatten().collect();
    let identities: BTreeSet<_> =
        all.iter().map(|seen| identity_and_time(seen.value.as_deref().unwrap())).collect();
    assert_eq!((all.len(), identities.len()), (3_000, 3_000));
}

const CARDS: &str = r#"
seed  = 9
start = "2026-03-02T00:00:00Z"
lanes = 8
[traffic]
rate = "2/s"
[entities.card]
count = 300
lifetime = "10h"
changelog = { topic = { name = "back.cards", partitions = 3 }, key_format = "avro" }
[entities.card.attributes]
state = { choice = { active = 0.8, blocked = 0.2 }, changes = "90m" }
[streams.uses]
topic  = "back.uses"
schema = "Use.avsc"
[streams.uses.fields]
card = { entity = "card", format = "c-{:06}" }
"#;

#[test]
fn tombstones_and_keys_that_are_bytes_are_read_as_they_were_meant() {
    let Some(site) = Site::shared() else { return };
    std::fs::write(site.folder.path().join("cards.toml"), CARDS).unwrap();
    let schema = r#"{"type":"record","name":"Use","fields":[{"name":"card","type":"string"}]}"#;
    std::fs::write(site.folder.path().join("Use.avsc"), schema).unwrap();
    let output = site.run("cards.toml --create-topics --duration 16h --speed max");
    assert_exit(&output, 0);
    let result = json(&output);
    let all = assert_same(&site.server.service_url(), "back.cards", true);
    let changes = result["streams"]["card"]["delivered"].as_u64().unwrap();
    assert_eq!(all.len() as u64, 300 + changes, "{result}");
    let tombstones = all.iter().filter(|seen| seen.value.is_none()).count();
    assert!((470..=490).contains(&tombstones), "{tombstones}");
    // Avro's text: its length, then itself.
    assert!(all.iter().all(|seen| seen.key.as_ref().unwrap()[1..].starts_with(b"c-")));
}
