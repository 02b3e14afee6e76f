//! What is changed on the way: masks, and times that are moved.

use std::collections::{BTreeMap, BTreeSet};

use apache_avro::types::Value;
use serde_json::Value as Json;

use super::{Site, count};
use crate::brokers::topic;
use crate::cli::{assert_exit, stdout};

/// The lines that `replay --to stdout` prints.
fn lines(site: &Site, words: &str) -> Vec<Json> {
    let output = site.tidegate(&format!("replay {words} --to stdout --speed max --quiet"));
    assert_exit(&output, 0);
    let text = stdout(&output);
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// All bytes of all files below a folder, as they lie there and as an Avro reader unpacks them.
fn everything(folder: &std::path::Path) -> Vec<u8> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all.extend(everything(&path));
            continue;
        }
        all.extend(std::fs::read(&path).unwrap());
        if path.extension().is_some_and(|it| it == "avro") {
            let file = std::fs::File::open(&path).unwrap();
            for record in apache_avro::Reader::new(file).unwrap() {
                let Value::Record(fields) = record.unwrap() else { panic!("no record") };
                for (_, value) in fields {
                    if let Value::Union(_, value) = value
                        && let Value::Bytes(bytes) = *value
                    {
                        all.extend(bytes);
                    }
                }
            }
        }
    }
    all
}

#[test]
fn what_is_masked_is_nowhere_in_the_recording() {
    let Some(site) = Site::shared() else { return };
    site.payments("recorded.masked", "5s");
    let from = "kafka://KAFKA/recorded.masked.authorisations";
    let masks = "--mask key=hash --mask account_id=hash --mask card_token=fake --mask event_id=hash \
                 --mask customer_id=null --mask amount_minor=hash --mask merchant_name_location=fake --mask-seed s";
    let record = format!("record {from} --source-registry REGISTRY {masks}");
    site.told(&format!("{record} --to masked"));
    site.told(&format!("{record} --to masked-again"));
    site.told(&format!("record {from} --source-registry REGISTRY --to plain"));
    let (plain, masked) = (lines(&site, "plain"), lines(&site, "masked"));
    assert!(plain.len() > 100 && plain.len() == masked.len(), "{}", plain.len());
    let all = everything(&site.path().join("masked"));
    let all = String::from_utf8_lossy(&all);
    let mut accounts: BTreeMap<&str, &str> = BTreeMap::new();
    for (number, (before, after)) in plain.iter().zip(&masked).enumerate() {
        let (old, new) = (&before["value"], &after["value"]);
        for path in
            ["account_id", "card_token", "event_id", "merchant_name_location", "customer_id"]
        {
            // Each search goes through all that is there, so that not every record has its own.
            if let Some(text) = old[path].as_str().filter(|_| number < 100) {
                assert!(!all.contains(text), "{path} {text} is there");
            }
        }
        assert_eq!(new["customer_id"], Json::Null);
        assert_eq!(new["event_id"].as_str().unwrap().len(), 36);
        let digits = |value: &Json| value["amount_minor"].as_i64().unwrap().to_string().len();
        assert_eq!(digits(old), digits(new));
        // The key is the account's: it stands for the same.
        assert_eq!(after["key"], new["account_id"]);
        let account = old["account_id"].as_str().unwrap();
        let known = accounts.entry(account).or_insert(new["account_id"].as_str().unwrap());
        assert_eq!(*known, new["account_id"].as_str().unwrap());
        // What is not masked is as it was.
        for path in ["event_time", "mcc", "currency", "rrn", "conversion_rate"] {
            assert_eq!(old[path], new[path], "{path}");
        }
    }
    let distinct: BTreeSet<&&str> = accounts.values().collect();
    assert_eq!(distinct.len(), accounts.len());
    assert_eq!(masked, lines(&site, "masked-again"), "the same seed gives the same masks");
}

#[test]
fn times_are_moved_to_when_records_are_sent() {
    let Some(site) = Site::shared() else { return };
    site.payments("recorded.moved", "3s");
    let from = "kafka://KAFKA/recorded.moved.authorisations";
    site.told(&format!("record {from} --source-registry REGISTRY --to moved"));
    let before = lines(&site, "moved");
    let target = "recorded.moved.now";
    topic::create(&site.servers, target, 1, &[]);
    let begin_us = tidegate::clock::Clock::system().now_us();
    let sent = site.told(&format!(
        "replay moved --to kafka -X bootstrap.servers=KAFKA --topic recorded.moved.authorisations={target} \
         --move-time event_time --loop 2 --speed 10"
    ));
    let end_us = tidegate::clock::Clock::system().now_us();
    assert_eq!(count(&sent, "delivered"), 2 * before.len() as u64);
    let copy = "record kafka://KAFKA/recorded.moved.now --source-registry REGISTRY --to now";
    site.told(copy);
    let after = lines(&site, "now");
    let time = |line: &Json| {
        let text = line["value"]["event_time"].as_str().unwrap();
        text.parse::<jiff::Timestamp>().unwrap().as_microsecond()
    };
    let at = |line: &Json| {
        line["timestamp"].as_str().unwrap().parse::<jiff::Timestamp>().unwrap().as_microsecond()
    };
    // An event's time lay before or after its record's by the speed at which the model was sent.
    let shift = |lines: &[Json]| lines.iter().map(|line| time(line) - at(line)).min().unwrap();
    let spread_us = before.iter().map(|line| time(line) - at(line)).max().unwrap() - shift(&before);
    for line in &after {
        let moved_us = time(line) - shift(&before);
        let near = begin_us - spread_us - 5_000_000..=end_us + spread_us + 5_000_000;
        assert!(near.contains(&moved_us), "{moved_us} is not in {near:?}");
    }
    let others = |line: &Json| line["value"]["rrn"].clone();
    assert_eq!(others(&before[0]), others(&after[0]));
}
