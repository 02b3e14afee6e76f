//! What keeps a run from being done again is told by name.

use std::fs;

use super::{change, ended, first, two};
use crate::cli::{stderr, stdout};

const RUN: &str = "run model.toml --to null --speed max --duration 1s";

#[test]
fn what_is_no_manifest_is_refused_with_what_was_looked_for() {
    let folder = two();
    for (text, told) in [
        ("seed = 1", "it is not JSON"),
        ("{ \"seed\": 1 }", "no JSON object with the keys `format` and `tidegate`"),
        (
            "{ \"format\": 99, \"tidegate\": \"9.9.9\", \"new\": 1 }",
            "a manifest of another version",
        ),
        ("{ \"format\": 1, \"tidegate\": \"0.1.0\" }", "missing field"),
    ] {
        fs::write(folder.path().join("first.json"), text).unwrap();
        for command in ["run", "plan", "validate", "sample", "topics"] {
            let output = ended(folder.path(), &format!("{command} first.json"), 2);
            assert!(stderr(&output).contains(told), "{text}: {}", stderr(&output));
            assert_eq!(stdout(&output), "");
        }
    }
    let output = ended(folder.path(), "run missing.json", 2);
    assert!(stderr(&output).contains("cannot read the manifest missing.json"));
    assert!(!folder.path().join("runs").exists(), "no run, no manifest");
}

#[test]
fn a_named_file_that_changed_or_is_gone_is_refused_with_what_it_was() {
    let folder = two();
    first(folder.path(), RUN);
    let path = folder.path().join("words.csv");
    fs::write(&path, "word\npresent\noffline\n").unwrap();
    let told = stderr(&ended(folder.path(), "run first.json", 2));
    assert!(
        told.contains("`words.csv` has changed since the run: it was 20 bytes, XXH3 "),
        "{told}"
    );
    assert!(told.contains("and is 21 bytes, XXH3 ") && told.contains("put back"), "{told}");
    fs::remove_file(path).unwrap();
    let told = stderr(&ended(folder.path(), "run first.json", 2));
    assert!(told.contains("`words.csv` cannot be read") && told.contains("20 bytes"), "{told}");
    fs::write(folder.path().join("words.csv"), "word\npresent\nonline\n").unwrap();
    ended(folder.path(), "run first.json", 0);
}

#[test]
fn a_file_of_the_program_that_is_another_by_now_names_the_version_to_use() {
    let folder = two();
    first(folder.path(), "run payments --to null --speed max --count 10");
    change(folder.path(), |json| {
        json["tidegate"] = "0.0.7".into();
        json["model"]["files"][0]["xxh3"] = "ab".into();
    });
    let told = stderr(&ended(folder.path(), "run first.json", 2));
    assert!(
        told.contains("comes with the program") && told.contains("use tidegate 0.0.7"),
        "{told}"
    );
}

#[test]
fn flags_that_would_change_what_is_sent_are_refused_by_name() {
    let folder = two();
    first(folder.path(), RUN);
    for flag in [
        "--seed 7",
        "--start now",
        "--rate 5/s",
        "--intensity 2",
        "--from 1h",
        "--until 2h",
        "--duration 1h",
        "--for 1s",
        "--count 5",
        "--streams others",
        "--shard 0/2",
        "--set traffic.rate=5/s",
        "--set run.count=5",
    ] {
        let told = stderr(&ended(folder.path(), &format!("run first.json {flag}"), 2));
        let name = flag.split([' ', '=']).next().unwrap();
        assert!(told.contains(&format!("`{name}")), "{flag}: {told}");
        assert!(told.contains("would change what is sent, and first.json says"), "{told}");
        assert!(told.contains("`tidegate run model.toml`"), "{told}");
    }
    for flag in ["--set run.drain=1s --threads 2", "--set registry.timeout=1s -X linger.ms=5"] {
        ended(folder.path(), &format!("run first.json {flag}"), 0);
    }
    // A pace stands in the place of the first run's speed.
    ended(folder.path(), "run first.json --pace 50k/s", 0);
}

#[test]
fn a_model_that_was_changed_in_the_manifest_is_not_called_the_same() {
    let folder = two();
    first(folder.path(), RUN);
    change(folder.path(), |json| {
        let text = json["model"]["text"].as_str().unwrap().replace("2200", "2300");
        json["model"]["text"] = text.into();
    });
    let told = stderr(&ended(folder.path(), "run first.json", 2));
    assert!(told.contains("is not the one that was run: its hash was"), "{told}");
}
