//! Headers, JSON and limits of batches on a real Kafka, read back by another client.

use std::time::Duration;

use serde_json::Value;

use super::{LONG, Site, count, small};
use crate::brokers::topic;
use crate::cli::{self, Running, assert_exit, json, stdout};

const HEADERS: &str = "streams.payments.headers={trace='traceparent', sent='intended_time', \
                       word={attribute='word'}, large={when='amount > 5000', constant='yes'}}";

#[test]
fn headers_and_json_arrive_as_a_sample_shows_them_and_in_time() {
    let Some(site) = Site::shared() else { return };
    let name = "live.wire";
    let sets = [HEADERS, "streams.payments.value.format=json", "streams.payments.batch.events=10"];
    let sets = sets.iter().flat_map(|set| ["--set", set]);
    let mut command = site.command(&format!("{} --count 2000 --speed 2", small(name)));
    command.args(sets.clone());
    let began = cli::now();
    let output = Running::start(command).wait(LONG);
    let took = began.elapsed();
    assert_exit(&output, 0);
    assert_eq!(count(&json(&output), "delivered"), 2_000);

    let words = ["sample", "model.toml", "-n", "2000", "--headers"];
    let sample = cli::run(site.path(), &words.into_iter().chain(sets).collect::<Vec<_>>());
    let mut expected: Vec<Value> =
        stdout(&sample).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let micros = |text: &str| text.parse::<jiff::Timestamp>().unwrap().as_microsecond();
    let mut schedule = Vec::new();
    for line in &mut expected {
        // In a sample, and here at twice the speed.
        let sent = line["headers"]["sent"].take();
        schedule.push((line["value"]["id"].clone(), micros(sent.as_str().unwrap())));
    }
    let text = |bytes: &Option<Vec<u8>>| String::from_utf8(bytes.clone().unwrap()).unwrap();
    let mut found = Vec::new();
    let mut sent = Vec::new();
    for record in topic::read(&site.servers, name) {
        let headers = record.headers.iter().map(|(name, value)| {
            let value = Value::from(text(value));
            (name.clone(), if name == "sent" { Value::Null } else { value })
        });
        let headers: serde_json::Map<String, Value> = headers.collect();
        let value: Value = serde_json::from_str(&text(&record.value)).unwrap();
        let at = record.headers.iter().find(|(name, _)| name == "sent").unwrap();
        sent.push((value["id"].clone(), micros(&text(&at.1)), record.timestamp_ms));
        found.push(serde_json::json!({
            "stream": "payments", "key": text(&record.key), "headers": headers, "value": value,
        }));
    }
    let by_id = |one: &Value| one["value"]["id"].as_str().unwrap().to_owned();
    expected.sort_by_key(by_id);
    found.sort_by_key(by_id);
    assert!(found == expected, "{}\n{}", found[0], expected[0]);
    assert!(found.iter().any(|it| it["headers"]["large"] == "yes"));
    assert!(found.iter().any(|it| it["headers"].get("large").is_none()));

    // Twice as fast as in model time, and never handed over before its time.
    schedule.sort_by_key(|(id, _)| id.as_str().unwrap().to_owned());
    sent.sort_by_key(|(id, ..)| id.as_str().unwrap().to_owned());
    let anchor = sent[0].1 - schedule[0].1 / 2;
    for ((_, model_us), (_, sent_us, record_ms)) in schedule.iter().zip(&sent) {
        assert!((sent_us - model_us / 2 - anchor).abs() <= 1);
        let late_ms = record_ms - sent_us.div_euclid(1_000);
        assert!((0..i64::try_from(took.as_millis()).unwrap()).contains(&late_ms), "{late_ms}");
    }
    assert!(took < Duration::from_mins(2), "{took:?}");
}
