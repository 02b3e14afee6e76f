//! What the program tells of faults.

use std::process::Output;

use serde_json::Value;

use super::{MODEL, SCHEMA};
use crate::cli::{assert_exit, json, run, stderr, stdout};

fn tidegate(faults: &str, words: &str) -> Output {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("payment.avsc"), SCHEMA).unwrap();
    std::fs::write(folder.path().join("model.toml"), format!("{MODEL}\n{faults}")).unwrap();
    let output = run(folder.path(), &words.split_whitespace().collect::<Vec<_>>());
    assert_exit(&output, 0);
    output
}

#[test]
fn lines_show_what_cannot_be_read() {
    let faults = "[faults.cut]\nkind = \"truncate\"\nshare = 0.2\n";
    let output = tidegate(faults, "run model.toml --to stdout --count 500 --speed max");
    let lines: Vec<Value> =
        stdout(&output).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |stream: &str| lines.iter().filter(|line| line["stream"] == stream).count();
    let unreadable = lines.iter().filter(|line| line["value"]["unreadable"].is_string()).count();
    assert!(of("faults") > 50, "{}", of("faults"));
    assert_eq!(unreadable, of("faults"));
    let entry = lines.iter().find(|line| line["stream"] == "faults").unwrap();
    assert_eq!((&entry["key"], &entry["value"]["kind"]), (&"cut".into(), &"truncate".into()));
}

#[test]
fn the_report_tells_what_faults_did() {
    let faults = "[faults.lossy]\nkind = \"drop\"\nshare = 0.1\nstreams = [\"payments\"]\n";
    let words = "run model.toml --to null --duration 20s --speed max --digest";
    let output = tidegate(faults, &format!("{words} --json"));
    let (result, told) = (json(&output), stderr(&output));
    let done = &result["faults"]["done"][0];
    assert_eq!((&done["fault"], &done["kind"]), (&"lossy".into(), &"drop".into()));
    assert_eq!(done["events"], result["streams"]["faults"]["issued"]);
    assert!(told.contains("of `payments`: not sent (drop)"), "{told}");
    // Off, there is nothing of faults, and the events are the same.
    let plain = json(&tidegate("", &format!("{words} --json")));
    assert!(plain.get("faults").is_none() && plain["streams"].get("faults").is_none());
    assert_eq!(plain["digest"], result["digest"]);
    let issued = |result: &Value| result["streams"]["payments"]["issued"].as_u64().unwrap();
    assert_eq!(issued(&plain), issued(&result) + done["events"].as_u64().unwrap());
}

#[test]
fn validate_and_plan_mention_faults() {
    let faults = "[faults.lossy]\nkind = \"drop\"\nshare = 0.25\n\
                  [faults.hush]\nkind = \"silent_partition\"\npartition = 2\nuntil = \"1m\"\n";
    let told = stdout(&tidegate(faults, "validate model.toml"));
    assert!(told.contains("fault lossy: drop, 25 % of events"), "{told}");
    assert!(told.contains("fault hush: silent_partition 2"), "{told}");
    let told = stderr(&tidegate(faults, "plan model.toml --duration 1m"));
    assert!(told.contains("this is before faults (2)"), "{told}");
}

#[test]
fn a_run_with_faults_is_done_again_from_its_manifest() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("payment.avsc"), SCHEMA).unwrap();
    let model = format!("{MODEL}\n{}", super::drawn::ALL);
    std::fs::write(folder.path().join("model.toml"), model).unwrap();
    let result = |words: &str| {
        let output = run(folder.path(), &words.split_whitespace().collect::<Vec<_>>());
        assert_exit(&output, 0);
        json(&output)
    };
    let flags = "--to null --speed max --digest --json --quiet";
    let first = result(&format!("run model.toml {flags} --from 12s --duration 15s"));
    let again = result(&format!("run {} --to null --json", first["manifest"].as_str().unwrap()));
    assert_eq!(again["repeats"]["because"], "digests_agree");
    assert_eq!((&again["issued"], &again["faults"]), (&first["issued"], &first["faults"]));
}
