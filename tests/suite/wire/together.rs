//! Streams side by side: on topics of their own or on one, and what they must agree on.

use std::path::Path;

use crate::cli::{assert_exit, folder, json, run, stderr, stdout};

/// A second and a third root stream for the small model.
const MORE: &str = r#"
[streams.logins]
topic = "test.logins"
schema = "login.avsc"
key = "account"
traffic.rate = "500/s"
[streams.logins.fields]
id = "identity"
account = { entity = "account", format = "acct-{:010}" }
outcome = { choice = { good = 0.9, bad = 0.1 } }

[streams.alerts]
topic = "test.logins"
schema = "login.avsc"
traffic.rate = "20/s"
[streams.alerts.fields]
id = "identity"
account = { constant = "none" }
outcome = { constant = "bad" }
"#;

const LOGIN: &str = r#"{ "type": "record", "name": "Login", "namespace": "test", "fields": [
  { "name": "id", "type": "string" }, { "name": "account", "type": "string" },
  { "name": "outcome", "type": "string" } ] }"#;

/// A folder with the small model and two streams more.
fn site() -> tempfile::TempDir {
    let folder = folder();
    std::fs::write(folder.path().join("login.avsc"), LOGIN).unwrap();
    let model = folder.path().join("model.toml");
    let text = std::fs::read_to_string(&model).unwrap();
    std::fs::write(&model, format!("{text}{MORE}")).unwrap();
    folder
}

fn refused(folder: &Path, sets: &[&str]) -> String {
    let sets = sets.iter().flat_map(|set| ["--set", set]);
    let words: Vec<&str> = ["validate", "model.toml"].into_iter().chain(sets).collect();
    let output = run(folder, &words);
    assert_exit(&output, 2);
    stderr(&output)
}

#[test]
fn root_streams_run_side_by_side_each_at_its_own_rate() {
    let folder = site();
    let flags = ["run", "model.toml", "--to", "null", "--duration", "60s", "--speed", "max"];
    let all = json(&run(folder.path(), &[&flags[..], &["--json", "--digest"]].concat()));
    for (stream, expected) in [("payments", 60_000.0), ("logins", 30_000.0), ("alerts", 1_200.0)] {
        let issued = all["streams"][stream]["issued"].as_f64().unwrap();
        let sigma = f64::sqrt(expected);
        assert!((issued - expected).abs() < 4.0 * sigma, "{stream}: {issued} of {expected}");
    }
    // Each alone sends what it sends beside the others: the digests add up.
    let digest = |result: &serde_json::Value| {
        u128::from_str_radix(result["digest"].as_str().unwrap(), 16).unwrap()
    };
    let mut sum = 0_u128;
    for stream in ["payments", "logins", "alerts"] {
        let words = [&flags[..], &["--json", "--digest", "--streams", stream]].concat();
        sum = sum.wrapping_add(digest(&json(&run(folder.path(), &words))));
    }
    assert_eq!(sum, digest(&all));
    // The lines of all streams come in the order of time.
    let flags = ["run", "model.toml", "--to", "stdout", "--count", "500", "--speed", "max", "-q"];
    let lines = stdout(&run(folder.path(), &flags));
    assert_eq!(lines.lines().count(), 500);
    assert!(["payments", "logins", "alerts"].iter().all(|name| lines.contains(name)), "{lines}");
}

#[test]
fn different_schemas_under_one_subject_are_refused_with_both_streams() {
    let folder = site();
    assert_exit(&run(folder.path(), &["validate", "model.toml"]), 0);
    let clash = ["streams.logins.topic=test.payments"];
    let told = refused(folder.path(), &clash);
    for part in ["`payments` and `logins`", "`test.payments-value`", "topic_record_name"] {
        assert!(told.contains(part), "{part} is not in {told}");
    }
    for subjects in ["record_name", "topic_record_name"] {
        let subjects = format!("registry.subjects={subjects}");
        let words = ["validate", "model.toml", "--set", clash[0], "--set", &subjects];
        assert_exit(&run(folder.path(), &words), 0);
    }
    // JSON has no subject.
    let words =
        ["validate", "model.toml", "--set", clash[0], "--set", "streams.logins.value.format=json"];
    assert_exit(&run(folder.path(), &words), 0);
    let other = LOGIN.replace(
        "\"outcome\", \"type\": \"string\"",
        "\"outcome\", \"type\": [\"null\", \"string\"]",
    );
    std::fs::write(folder.path().join("other.avsc"), other).unwrap();
    let told = refused(
        folder.path(),
        &[
            "streams.alerts.schema=other.avsc",
            "streams.alerts.topic=a",
            "registry.subjects=record_name",
        ],
    );
    assert!(told.contains("`test.Login`") && told.contains("another name"), "{told}");
}

#[test]
fn limits_of_batches_become_those_of_the_client_and_must_agree() {
    let folder = site();
    let (a, b) =
        ("streams.payments.batch={events=100, linger='50ms'}", "streams.logins.batch.bytes=64KiB");
    let words = ["validate", "model.toml", "--set", a, "--set", b];
    assert_exit(&run(folder.path(), &words), 0);
    for (sets, told) in [
        (&[a, "streams.logins.batch.linger=5ms"][..], "`batch.linger`"),
        (&[a, "sink.kafka.linger.ms=5"], "`linger.ms` of [sink.kafka]"),
        (&["streams.payments.batch.bytes=0B"], "must be 1B"),
        (&["streams.payments.batch.linger=1h"], "below 15 minutes"),
        (&["streams.payments.batch.events=0"], "must be 1 to 1000000"),
        (&["streams.payments.batch.record=5"], "no key `record`"),
    ] {
        let said = refused(folder.path(), sets);
        assert!(said.contains(told), "{sets:?}: {said}");
    }
    let source = tidegate::config::ModelSource::File(folder.path().join("model.toml"));
    let flags = [a, b].map(|set| tidegate::config::Override::assignment("--set", set).unwrap());
    let overrides = tidegate::config::Overrides { flags: flags.to_vec(), ..Default::default() };
    let read = tidegate::config::read(&source, &overrides, &|_| None).unwrap();
    let kafka = read.settings.kafka.unwrap();
    let set = |name: &str| {
        let found = kafka.properties.iter().find(|property| property.name.value == name);
        found.unwrap().value.value.reveal().to_owned()
    };
    assert_eq!(
        [set("batch.num.messages"), set("linger.ms"), set("batch.size")],
        ["100", "50", "65536"]
    );
}
