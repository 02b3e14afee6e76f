//! Runs that are done again from their manifests, with the real program.

mod refused;
mod secrets;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::time::Duration;

use serde_json::Value;

use crate::cli::{Running, assert_exit, folder, json, pause, program, run, stderr, stdout};

/// A folder with the small model as `model.toml`, with a table and with a second stream.
fn two() -> tempfile::TempDir {
    let folder = folder();
    let path = folder.path().join("model.toml");
    let model = fs::read_to_string(&path).unwrap();
    let (above, rest) = model.split_once("[streams.payments]").unwrap();
    let (stream, below) = rest.split_once("[sink.kafka]").unwrap();
    let stream = stream.replace(
        "{ choice = { present = 0.8, online = 0.2 } }",
        "{ table = \"words\", column = \"word\" }",
    );
    let model = format!(
        "{above}[tables.words]\nfile = \"words.csv\"\n\n[streams.payments]{stream}\
         [streams.others]{}[sink.kafka]{below}",
        stream
            .replace("test.payments", "test.others")
            .replace("\n[streams.payments.", "\n[streams.others.")
    );
    fs::write(path, model).unwrap();
    fs::write(folder.path().join("words.csv"), "word\npresent\nonline\n").unwrap();
    folder
}

fn words(text: &str) -> Vec<&str> {
    text.split_whitespace().collect()
}

/// Runs the program, which must end with that exit code.
fn ended(folder: &Path, text: &str, code: i32) -> Output {
    let output = run(folder, &words(text));
    assert_exit(&output, code);
    output
}

/// Runs to a manifest, `first.json`, with a digest.
fn first(folder: &Path, text: &str) -> Value {
    json(&ended(folder, &format!("{text} --digest --json --manifest first.json"), 0))
}

/// Runs `first.json` again, as fast as it goes, to nowhere.
fn again(folder: &Path, text: &str, code: i32) -> Value {
    let text = format!("run first.json --to null --speed max --json {text}");
    json(&ended(folder, &text, code))
}

fn assert_agrees(first: &Value, again: &Value) {
    assert_eq!(again["repeats"]["agrees"], true, "{again}");
    assert_eq!(first["digest"], again["digest"]);
    assert_eq!(first["issued"], again["issued"]);
    assert!(again["issued"].as_u64().unwrap() > 0, "{again}");
}

fn manifest(folder: &Path, name: &str) -> (PathBuf, Value) {
    let path = folder.join(name);
    let read = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    (path, read)
}

/// Changes `first.json`.
fn change(folder: &Path, change: impl FnOnce(&mut Value)) {
    let (path, mut json) = manifest(folder, "first.json");
    change(&mut json);
    fs::write(path, json.to_string()).unwrap();
}

#[test]
fn a_manifest_sends_the_same_events_whatever_the_model_file_says_by_now() {
    let folder = two();
    let then = first(
        folder.path(),
        "run model.toml --to null --speed max --duration 4s --from 1h --rate 900/s --seed 11 \
         --set streams.others.fields.amount={constant=5}",
    );
    fs::write(folder.path().join("model.toml"), "nothing = 1\n").unwrap();
    let now = again(folder.path(), "--threads 1", 0);
    assert_agrees(&then, &now);
    assert_eq!(now["repeats"]["manifest"], "first.json");
    assert_eq!(now["repeat"], "tidegate run first.json --to null --speed max --threads 1");
    // The sink and the speed are those of the first run, unless flags say otherwise.
    let (path, _) = manifest(folder.path(), now["manifest"].as_str().unwrap());
    let third = ended(folder.path(), &format!("run {}", path.display()), 0);
    let told = stderr(&third);
    assert!(told.contains("first run") && told.contains("the digests agree"), "{told}");
    assert!(told.contains("null: nothing is published"), "{told}");
}

#[test]
fn what_was_drawn_or_was_now_is_not_drawn_again() {
    let folder = two();
    // The control stream tells the hash of the model.
    let drawn = "run model.toml --to null --speed max --seed 0 --start now --duration 3s --set \
                 control=test.control --set traffic.scenario={phases={busy={from=0,until=1,rate=2}}}";
    let then = first(folder.path(), drawn);
    assert!(then["streams"]["control"]["issued"].as_u64().unwrap() > 0, "{then}");
    assert_agrees(&then, &again(folder.path(), "", 0));
    let repeat = then["repeat"].as_str().unwrap().replace('\'', "");
    let repeat = repeat.strip_prefix("tidegate ").unwrap();
    let by_command = json(&ended(folder.path(), &format!("{repeat} --json"), 0));
    assert_eq!(then["digest"], by_command["digest"]);
}

#[test]
fn a_model_that_comes_with_the_program_is_repeated_with_its_files() {
    let folder = two();
    // Files of the same path are not looked at.
    fs::create_dir_all(folder.path().join("config/payments")).unwrap();
    fs::write(folder.path().join("config/payments/cities.csv"), "nothing\n").unwrap();
    let then = first(folder.path(), "run payments --to null --speed max --count 3000");
    assert_agrees(&then, &again(folder.path(), "", 0));
    let (_, manifest) = manifest(folder.path(), "first.json");
    assert_eq!(manifest["model"]["built_in"], true);
}

#[test]
fn a_run_of_several_streams_that_was_stopped_is_repeated_to_the_same_event() {
    let folder = two();
    let text =
        "run model.toml --to null --pace 3000/s --digest --json --quiet --manifest first.json";
    let running = Running::start(program(folder.path(), &words(text)));
    pause(Duration::from_millis(1_200));
    running.signal("INT");
    let output = running.wait(Duration::from_secs(10));
    assert_exit(&output, 0);
    let then = json(&output);
    assert_eq!(then["stopped"], "signal");
    assert_eq!(then["repeat"], "tidegate run first.json");
    let now = again(folder.path(), "", 0);
    assert_agrees(&then, &now);
    assert_eq!(now["stopped"], "end");
    // And so is the repetition.
    let path = now["manifest"].as_str().unwrap();
    let third = json(&ended(folder.path(), &format!("run {path} --json"), 0));
    assert_agrees(&then, &third);
}

// All of a roll-call come at the same moment: no time says where the run ended. In the second before it
// there are 2,000 others.
#[test]
fn a_run_that_ended_amid_events_of_one_moment_is_repeated_to_the_same_event() {
    let folder = two();
    let path = folder.path().join("model.toml");
    let model = fs::read_to_string(&path).unwrap();
    let calls = r#"[streams.calls]
topic   = "test.calls"
schema  = "payment.avsc"
traffic = { each = "few", every = "1d", at = "16:00" }
fields  = { id = "identity", at = "event_time", account = { entity = "few", format = "{}" }, amount = { constant = 1 }, word = { constant = "call" } }

[sink.kafka]"#;
    let few = "[entities.few]\ncount = 5000\n\n[tables.words]";
    let model = model.replace("[sink.kafka]", calls).replace("[tables.words]", few);
    fs::write(&path, model).unwrap();
    let held = "run model.toml --to null --from 2026-03-02T15:59:59Z --for 1s --speed max \
                --max-rate 3000/s";
    let then = first(folder.path(), held);
    assert_eq!(then["stopped"], "end");
    let calls = then["streams"]["calls"]["issued"].as_u64().unwrap();
    assert!((1..5_000).contains(&calls), "{then}");
    assert_eq!(then["repeat"], "tidegate run first.json");
    let now = again(folder.path(), "--max-rate 1M/s --threads 2", 0);
    assert_agrees(&then, &now);
    assert_eq!(now["streams"]["calls"]["issued"], calls);
}

#[test]
fn shards_are_repeated_as_they_were() {
    let folder = two();
    for shard in ["0/3", "2/3"] {
        let text = format!("run model.toml --to null --speed max --duration 3s --shard {shard}");
        assert_agrees(&first(folder.path(), &text), &again(folder.path(), "", 0));
    }
    let held = "run model.toml --to null --speed max --for 1s --max-rate 900/s --shard 1/3";
    let then = first(folder.path(), held);
    assert_agrees(&then, &again(folder.path(), "--max-rate 1M/s", 0));
}

#[test]
fn only_the_streams_that_were_sent_are_sent_again() {
    let folder = two();
    let text = "run model.toml --to null --speed max --duration 3s --streams others";
    let then = first(folder.path(), text);
    let now = again(folder.path(), "", 0);
    assert_agrees(&then, &now);
    assert_eq!(now["streams"]["payments"]["issued"], 0);
}

#[test]
fn variables_of_the_first_run_count_and_those_of_now_change_no_event() {
    let folder = two();
    let text =
        "run model.toml --to null --speed max --duration 3s --digest --json --manifest first.json";
    let with = |text: &str, name: &str, value: &str| {
        let output = program(folder.path(), &words(text)).env(name, value).output().unwrap();
        (output.status.code(), output)
    };
    let (_, then) = with(text, "TIDEGATE_TRAFFIC__RATE", "700/s");
    assert_exit(&then, 0);
    let then = json(&then);
    assert_agrees(&then, &again(folder.path(), "", 0));
    let text = "run first.json --json";
    let (code, same) = with(text, "TIDEGATE_TRAFFIC__RATE", "700/s");
    assert_eq!(code, Some(0), "{}", stderr(&same));
    assert_agrees(&then, &json(&same));
    let (code, other) = with(text, "TIDEGATE_TRAFFIC__RATE", "800/s");
    assert_eq!(code, Some(2));
    let told = stderr(&other);
    assert!(told.contains("the variable TIDEGATE_TRAFFIC__RATE would change"), "{told}");
    let (code, sink) = with(text, "TIDEGATE_SINK__KAFKA__LINGER_MS", "7");
    assert_eq!(code, Some(0), "{}", stderr(&sink));
}

#[test]
fn a_verdict_is_negative_where_digests_or_counts_differ() {
    let folder = two();
    first(folder.path(), "run model.toml --to null --speed max --duration 2s");
    change(folder.path(), |json| json["result"]["digest"] = "ab".into());
    let other = again(folder.path(), "", 3);
    assert_eq!(other["repeats"]["agrees"], false);
    assert_eq!(other["repeats"]["because"], "digests_differ");
    change(folder.path(), |json| json["result"]["issued"] = 7.into());
    assert_eq!(again(folder.path(), "", 3)["repeats"]["because"], "counts_differ");
}

#[test]
fn without_a_digest_or_a_result_nothing_is_claimed() {
    let folder = two();
    let text = "run model.toml --to null --speed max --duration 2s --manifest first.json";
    ended(folder.path(), text, 0);
    let output = ended(folder.path(), "run first.json", 0);
    let told = stderr(&output);
    assert!(told.contains("cannot be said, because it was run without `--digest`"), "{told}");
    change(folder.path(), |json| json["result"] = Value::Null);
    let output = ended(folder.path(), "run first.json --json", 0);
    assert!(stderr(&output).contains("all of its window is sent"), "{}", stderr(&output));
    let result = json(&output);
    assert_eq!(result["repeats"]["agrees"], Value::Null);
    assert_eq!(result["repeats"]["because"], "no_result");
    assert!(result["issued"].as_u64().unwrap() > 1_000, "{result}");
}

#[test]
fn other_commands_take_a_manifest_for_the_model_that_was_run() {
    let folder = two();
    let text = "run model.toml --to null --speed max --duration 2s --seed 9 --rate 500/s";
    first(folder.path(), text);
    let sample = ended(folder.path(), "sample model.toml -n 3 --seed 9 --rate 500/s", 0);
    fs::remove_file(folder.path().join("model.toml")).unwrap();
    assert_eq!(stdout(&sample), stdout(&ended(folder.path(), "sample first.json -n 3", 0)));
    assert!(stdout(&ended(folder.path(), "validate first.json", 0)).contains("ok"));
    let plan = json(&ended(folder.path(), "plan first.json --json", 0));
    assert!(plan.to_string().contains("2026-03-02T00:00:02Z"), "{plan}");
}
