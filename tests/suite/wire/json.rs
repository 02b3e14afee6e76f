//! Values in JSON: the same events, without a registry.

use std::path::Path;

use serde_json::Value;
use tidegate::embedded::{Embedded, Topic};
use tidegate::encode::json::Reader;

use super::{WITH_ID, events, plan_of};
use crate::brokers::topic;
use crate::cli::{assert_exit, folder, json, run, stderr, stdout};

const JSON: &str = "value.format = \"json\"\nkey = \"account\"";

fn parsed(text: &[u8]) -> Value {
    serde_json::from_slice(text).unwrap()
}

#[test]
fn the_same_events_are_written_as_json() {
    let avro = plan_of("key = \"account\"", WITH_ID);
    let reader = Reader::new(&avro.streams[0].schema).unwrap();
    let pairs = events(&avro, 2_000).into_iter().zip(events(&plan_of(JSON, WITH_ID), 2_000));
    for (avro, json) in pairs {
        assert_eq!(parsed(&json.value), reader.read(&avro.value).unwrap());
        assert_eq!((avro.key, avro.due_us, avro.headers), (json.key, json.due_us, json.headers));
    }
}

#[test]
fn stdout_and_samples_show_json_as_it_is_sent() {
    let folder = folder();
    let (avro, set) =
        (["sample", "model.toml", "-n", "20"], ["--set", "streams.payments.value.format=json"]);
    let avro = run(folder.path(), &avro);
    let json = run(folder.path(), &[&["sample", "model.toml", "-n", "20"], &set[..]].concat());
    assert_exit(&json, 0);
    assert_eq!(stdout(&avro), stdout(&json));
    let flags =
        ["run", "model.toml", "--to", "stdout", "--count", "20", "--speed", "max", "--quiet"];
    let published = run(folder.path(), &[&flags[..], &set].concat());
    assert_eq!(stdout(&avro), stdout(&published));
}

/// Runs the small model against a Kafka that is there, and no registry.
fn published(folder: &Path, servers: &str, set: &[&str]) -> std::process::Output {
    let model = folder.join("model.toml");
    let text = std::fs::read_to_string(&model).unwrap();
    std::fs::write(&model, text.replace("[registry]\nurl = \"http://127.0.0.1:1\"\n", "")).unwrap();
    let servers = format!("bootstrap.servers={servers}");
    let flags = ["run", "model.toml", "--count", "500", "--speed", "max", "--json", "--digest"];
    let sets = set.iter().flat_map(|set| ["--set", set]);
    let words: Vec<&str> =
        flags.into_iter().chain(["--to", "kafka", "-X", &servers]).chain(sets).collect();
    run(folder, &words)
}

#[test]
fn json_needs_no_registry_and_avro_says_so() {
    let topics = [Topic { name: "test.payments".to_owned(), partitions: 1 }];
    let embedded = Embedded::start(&topics).unwrap();
    let servers = embedded.bootstrap_servers();
    let folder = folder();
    let output = published(folder.path(), servers, &["streams.payments.value.format=json"]);
    assert_exit(&output, 0);
    let sample = run(folder.path(), &["sample", "model.toml", "-n", "500"]);
    let expected: Vec<Value> =
        stdout(&sample).lines().map(|line| parsed(line.as_bytes())).collect();
    let found = topic::read(servers, "test.payments");
    let found: Vec<Value> = found.iter().map(|it| parsed(it.value.as_deref().unwrap())).collect();
    assert_eq!(found, expected);
    assert_eq!(json(&output)["delivered"], 500);
    for set in
        [&[][..], &["streams.payments.value.format=json", "streams.payments.key_format=avro"]]
    {
        let refused = published(folder.path(), servers, set);
        assert_exit(&refused, 2);
        let told = stderr(&refused);
        assert!(told.contains("no schema registry") && told.contains("value.format"), "{told}");
    }
}

// A digest tells of what is sent, so another format has another digest.
#[test]
fn a_digest_is_the_same_for_each_run_of_a_format() {
    let folder = folder();
    let digest = |format: &str, threads: &str| {
        let set = format!("streams.payments.value.format={format}");
        let flags = ["run", "model.toml", "--to", "null", "--count", "5000", "--speed", "max"];
        let more = ["--json", "--digest", "--threads", threads, "--set", &set];
        let output = run(folder.path(), &[&flags[..], &more].concat());
        assert_exit(&output, 0);
        json(&output)["digest"].as_str().unwrap().to_owned()
    };
    assert_eq!(digest("json", "1"), digest("json", "2"));
    assert_ne!(digest("json", "1"), digest("avro", "1"));
}
