//! What cannot be recorded or sent again, and how that is told.

use std::fs;

use super::{Site, count};
use crate::cli::{assert_exit, folder, json, run, stderr};

#[test]
fn a_recording_that_is_cut_is_used_as_far_as_it_is_whole() {
    let Some(site) = Site::shared() else { return };
    site.payments("recorded.cut", "1m");
    let recorded = site.told("record kafka://KAFKA/recorded.cut.authorisations --to cut");
    let path = site.path().join("cut/recording-000001.avro");
    let whole = fs::read(&path).unwrap();
    fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    let output = site.tidegate("replay cut --to null --speed max --json");
    assert_exit(&output, 1);
    let told = json(&output);
    let left = count(&told, "delivered");
    assert!(0 < left && left < count(&recorded, "records"), "{told}");
    let damage = &told["damaged"][0];
    assert_eq!(damage["records_before"], left, "{told}");
    assert_eq!(damage["to_byte"], whole.len() as u64 / 2, "{told}");
    let text = stderr(&output);
    assert!(text.contains("recording-000001.avro: bytes") && text.contains("cut off"), "{text}");
}

#[test]
fn what_cannot_be_recorded_is_refused_with_the_way_out() {
    let Some(site) = Site::shared() else { return };
    site.payments("recorded.refused", "1s");
    let refused = |words: &str, exit: i32, told: &[&str]| {
        let output = site.tidegate(words);
        assert_exit(&output, exit);
        let text = stderr(&output);
        assert!(told.iter().all(|told| text.contains(told)), "{told:?} is missing: {text}");
        assert!(!site.path().join("no").exists(), "{words}");
    };
    refused(
        "record kafka://KAFKA/recorded.nowhere --to no",
        1,
        &["no such topic: `recorded.nowhere`"],
    );
    let from =
        "record kafka://KAFKA/recorded.refused.authorisations --to no --source-registry REGISTRY";
    refused(
        &format!("{from} --mask acount_id=hash"),
        2,
        &["no field has this path", "`account_id`"],
    );
    refused(&format!("{from} --mask currency=null"), 2, &["`--mask currency`", "takes no null"]);
    refused("record kafka://KAFKA/a kafka://other:9092/b --to no", 2, &["several clusters"]);
    refused(
        "record kafka://KAFKA/recorded.refused.authorisations --to no -S bootstrap.serverss=a",
        2,
        &["bootstrap.serverss"],
    );
    // Nothing unmasked is kept, where fields cannot be found.
    let output = site.tidegate(
        "record kafka://KAFKA/recorded.refused.authorisations --to blind --mask account_id=hash",
    );
    assert_exit(&output, 1);
    assert!(stderr(&output).contains("--source-registry"), "{}", stderr(&output));
    assert!(fs::read_dir(site.path().join("blind")).unwrap().next().is_none());
}

#[test]
fn what_cannot_be_sent_again_is_refused_with_the_way_out() {
    let Some(site) = Site::shared() else { return };
    site.payments("recorded.unsent", "1s");
    let from = "kafka://KAFKA/recorded.unsent.authorisations";
    site.told(&format!("record {from} --to bare"));
    site.told(&format!("record {from} --to known --source-registry REGISTRY"));
    let refused = |words: &str, exit: i32, told: &[&str]| {
        let output = site.tidegate(&format!("replay {words}"));
        assert_exit(&output, exit);
        let text = stderr(&output);
        assert!(told.iter().all(|told| text.contains(told)), "{told:?} is missing: {text}");
    };
    let kafka = "--to kafka -X bootstrap.servers=KAFKA";
    let to = |name: &str| format!("{kafka} --topic recorded.unsent.authorisations={name}");
    refused(
        &format!("bare {} --registry REGISTRY", to("recorded.unsent.clearings")),
        1,
        &["has the schema id", "does not have it", "--source-registry"],
    );
    refused(&format!("known {}", to("recorded.nowhere")), 1, &["recorded.nowhere"]);
    refused(&format!("known {kafka} --topic other=x"), 2, &["has no topic `other`"]);
    refused("known --to null --move-time evnt_time", 1, &["--move-time", "no field has this path"]);
    refused("known --to null --move-time amount_minor", 2, &["is long", "no time"]);
    refused(&format!("known {} --keep-partitions", to("recorded.narrow")), 1, &["recorded.narrow"]);
    refused("known --to null --from 2030-01-01T00:00:00Z", 1, &["nothing to send"]);
}

#[test]
fn what_is_no_recording_is_told_without_a_broker() {
    let folder = folder();
    let refused = |words: &[&str], exit: i32, told: &str| {
        let output = run(folder.path(), words);
        assert_exit(&output, exit);
        assert!(stderr(&output).contains(told), "{told} is missing: {}", stderr(&output));
    };
    refused(
        &["replay", "nothing", "--to", "null"],
        2,
        "a topic is written `kafka://HOST:PORT/TOPIC`",
    );
    fs::create_dir(folder.path().join("empty")).unwrap();
    refused(&["replay", "empty", "--to", "null"], 2, "holds no recording");
    fs::write(folder.path().join("a.avro"), "no container").unwrap();
    refused(&["replay", "a.avro", "--to", "null"], 1, "a.avro is no recording");
    fs::write(folder.path().join("a.jsonl"), "{\"topic\":\"t\"}\n{\"value\":1}\n").unwrap();
    refused(&["replay", "a.jsonl", "--to", "null"], 1, "a.jsonl:2: it has no `topic`");
    refused(&["replay", "a.jsonl", "--to", "null", "--loop", "0"], 2, "--loop 0");
    refused(&["record", "t", "--to", "x", "--mask", "a=b"], 2, "PATH=hash");
    refused(&["replay", "a.jsonl", "--to", "null", "--speed", "fast"], 2, "--speed");
}

#[test]
fn lines_that_a_person_wrote_are_sent() {
    let folder = folder();
    let lines = r#"{"topic":"t","key":"k","timestamp":"2026-03-02T00:00:00.001Z","headers":{"a":"1"},"value":{"x":1}}
{"topic":"t","timestamp":1772409600003,"value":"text"}
{"topic":"u","partition":2,"value":null}
"#;
    fs::write(folder.path().join("own.jsonl"), lines).unwrap();
    let output = run(folder.path(), &["replay", "own.jsonl", "--to", "stdout", "--quiet"]);
    assert_exit(&output, 0);
    let text = String::from_utf8(output.stdout).unwrap();
    let told: Vec<serde_json::Value> =
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(told[0]["value"], serde_json::json!({ "x": 1 }));
    assert_eq!(told[0]["headers"], serde_json::json!([["a", "1"]]));
    assert_eq!(told[1]["value"], "text");
    assert_eq!((&told[2]["topic"], &told[2]["value"]), (&"u".into(), &serde_json::Value::Null));
}
